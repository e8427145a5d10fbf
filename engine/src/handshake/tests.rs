//! Tests of the handshake; helpers for both roles.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Debug;

use super::*;

mod answers;
mod client;
mod content;
mod date;
mod from_http;
mod origins;
mod server;
mod uri;

/// RFC 6455 section 1.3.
const RFC_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const RFC_NONCE: [u8; 16] = *b"the sample nonce";
const RFC_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The first frame of the peer, received together with its head.
const FIRST_FRAME: &[u8] = b"\x81\x85\0\0\0\0hello\r\n\r\n";

type Parsed<T> = Result<Option<(T, usize)>, HandshakeError>;

/// A head with these lines.
fn head(first: &str, lines: &[&str]) -> Vec<u8> {
    let mut all = vec![first];
    all.extend(lines);
    format!("{}\r\n\r\n", all.join("\r\n")).into_bytes()
}

/// `lines`, with the line that starts with `name:` replaced by `by`.
fn replaced(lines: &[&str], name: &str, by: &[&str]) -> Vec<String> {
    let mut out = Vec::new();
    let mut found = false;
    for line in lines {
        if line.split(':').next() == Some(name) {
            found = true;
            out.extend(by.iter().map(ToString::to_string));
        } else {
            out.push(line.to_string());
        }
    }
    assert!(found, "no line {name} to replace");
    out
}

/// Asserts that the result does not depend on how the bytes arrive: every truncation of `bytes`
/// gives `None` or the final result, and a parser that is fed byte by byte, or in two parts, ends
/// with the final result.
fn assert_split_independent<T: PartialEq + Debug, P>(
    bytes: &[u8],
    fresh: impl Fn() -> P,
    parse: impl Fn(&mut P, &[u8]) -> Parsed<T>,
) -> Parsed<T> {
    let whole = parse(&mut fresh(), bytes);
    let mut grown = fresh();
    let mut decided = false;
    for len in 0..=bytes.len() {
        let part = &bytes[..len];
        let cold = parse(&mut fresh(), part);
        let warm = parse(&mut grown, part);
        assert_eq!(cold, warm, "resumed at {len}");
        if cold == Ok(None) {
            assert!(!decided, "result withdrawn at {len}");
        } else {
            assert_eq!(cold, whole, "truncated to {len}");
            decided = true;
        }
        let mut two = fresh();
        let _ = parse(&mut two, part);
        assert_eq!(parse(&mut two, bytes), whole, "split at {len}");
    }
    whole
}

#[test]
fn accept_key_of_the_rfc() {
    assert_eq!(accept_key(RFC_KEY.as_bytes()), RFC_ACCEPT);
    assert_eq!(
        accept_key(b"x3JJHMbDL1EzLkh9GBhXDw=="),
        "HSmrc0sMlYUkAGmm5OPpG2HaGWk="
    );
}

#[test]
fn lists_split_on_commas_outside_quotes() {
    for (value, expected) in [
        ("", &[][..]),
        (" , ,\t,", &[]),
        ("a", &["a"]),
        ("a,b", &["a", "b"]),
        (" a ,\tb c , ", &["a", "b c"]),
        (r#"x; p="1,2", y"#, &[r#"x; p="1,2""#, "y"]),
        (r#"x; p="\",", y"#, &[r#"x; p="\",""#, "y"]),
        (r#"x; p="\\", y"#, &[r#"x; p="\\""#, "y"]),
        (r#"x\"#, &[r#"x\"#]),
        (r#"x="open, y"#, &[r#"x="open, y"#]),
    ] {
        let found: Vec<_> = syntax::elements(value.as_bytes()).collect();
        let expected: Vec<_> = expected.iter().map(|e| e.as_bytes()).collect();
        assert_eq!(found, expected, "{value:?}");
    }
}

/// Splits a response into its first line, its header fields and its content.
fn split_response(response: &[u8]) -> (String, Vec<String>, Vec<u8>) {
    let end = response.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let text = core::str::from_utf8(&response[..end]).unwrap();
    let mut lines = text.split("\r\n").map(String::from);
    let first = lines.next().unwrap();
    (first, lines.collect(), response[end + 4..].to_vec())
}

#[test]
fn invalid_and_reserved_fields_are_refused() {
    type Add = fn(&str, &str) -> Result<(), HandshakeError>;
    let request: Add = |n, v| ClientOptions::new().header(n, v).map(drop);
    let accept: Add = |n, v| Accept::new().header(n, v).map(drop);
    let refusal: Add = |n, v| Refusal::new(400)?.header(n, v).map(drop);

    for add in [request, accept, refusal] {
        assert_eq!(add("X-Seat", "17,\t\"a\" ~"), Ok(()));
        assert_eq!(add("X-Empty", ""), Ok(()));
        for name in ["", "a b", "a:", "a\r\nb", "\u{e9}", "a\0"] {
            let expected = HandshakeUsage::HeaderName(name.into());
            assert_eq!(add(name, "v"), Err(expected.into()), "{name:?}");
        }
        for value in ["a\r\nX: y", "a\nb", "a\rb", "\0", "\x7f", "\u{e9}"] {
            let expected = HandshakeUsage::HeaderValue("X".into());
            assert_eq!(add("X", value), Err(expected.into()), "{value:?}");
        }
    }
    let everywhere = [
        "Connection",
        "content-length",
        "Transfer-Encoding",
        "Keep-Alive",
        "Proxy-Connection",
        "TE",
        "Trailer",
    ];
    let upgrades = ["Upgrade", "Sec-WebSocket-Accept", "sec-websocket-x"];
    let requests = ["Host", "ORIGIN", "Sec-WebSocket-Key", "Expect"];
    for (add, names) in [
        (request, &[&everywhere[..], &upgrades, &requests].concat()),
        (accept, &[&everywhere[..], &upgrades].concat()),
        (refusal, &everywhere.to_vec()),
    ] {
        for name in names {
            let expected = HandshakeUsage::ReservedHeader((*name).into());
            assert_eq!(add(name, "v"), Err(expected.into()));
        }
    }
    assert_eq!(refusal("Upgrade", "websocket"), Ok(()));
    assert_eq!(accept("Sec-WebSocke\u{e9}", ""), {
        Err(HandshakeUsage::HeaderName("Sec-WebSocke\u{e9}".into()).into())
    });
}

#[test]
fn debug_output_holds_no_secrets() {
    let options = ClientOptions::new()
        .header("Authorization", "hunter2")
        .unwrap();
    let shown = format!("{options:?}");
    assert!(shown.contains("Authorization") && !shown.contains("hunter2"));

    let handshake = ClientHandshake::new("h", "/?t=hunter2", &options, RFC_NONCE).unwrap();
    let (request, _) = Request::parse(handshake.request(), &HeadLimits::default())
        .unwrap()
        .unwrap();
    assert_eq!(request.header("authorization"), Some(&b"hunter2"[..]));
    let shown = format!("{handshake:?} {request:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

/// A server accepts the request of a client, and the client the response.
#[test]
fn client_and_server_interoperate() {
    let options = ClientOptions::new()
        .subprotocol("a")
        .unwrap()
        .subprotocol("b")
        .unwrap()
        .origin("https://example.com")
        .unwrap()
        .header("X-Seat", "17")
        .unwrap();
    let mut client = ClientHandshake::new("h:81", "/p?q", &options, RFC_NONCE).unwrap();
    let limits = HeadLimits::default();
    let (request, consumed) = Request::parse(client.request(), &limits).unwrap().unwrap();
    assert_eq!(consumed, client.request().len());
    assert_eq!(request.host(), "h:81");
    assert_eq!(request.target(), "/p?q");
    assert_eq!(request.origin(), Some("https://example.com"));
    assert_eq!(request.header("x-seat"), Some(&b"17"[..]));
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["a", "b"]);

    let accept = Accept::new()
        .subprotocol("b")
        .header("Set-Cookie", "c")
        .unwrap();
    let (answer, _) = request.accept(&accept).unwrap();
    let (response, consumed) = client.parse(&answer, &limits).unwrap().unwrap();
    assert_eq!(consumed, answer.len());
    assert_eq!(response.subprotocol(), Some("b"));
    assert_eq!(response.header("set-cookie"), Some(&b"c"[..]));

    let refusal = Refusal::new(403).unwrap().body("no").encode();
    let mut client = ClientHandshake::new("h", "/", &options, RFC_NONCE).unwrap();
    let error = client.parse(&refusal, &limits).unwrap_err();
    assert_eq!(error.to_string(), "the server refused: 403 Forbidden: no");
    let HandshakeError::Refused(response) = error else {
        panic!("{error:?}");
    };
    assert_eq!(response.content(), b"no");
}
