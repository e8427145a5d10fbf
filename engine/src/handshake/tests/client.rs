//! The rules of the client.

use super::*;

const FIRST: &str = "HTTP/1.1 101 Switching Protocols";
const LINES: &[&str] = &[
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    "Sec-WebSocket-Protocol: ticks",
    "Server: x",
];

fn handshake() -> ClientHandshake {
    let options = ClientOptions::new()
        .subprotocol("chat")
        .unwrap()
        .subprotocol("ticks")
        .unwrap();
    ClientHandshake::new("example.com", "/", &options, RFC_NONCE).unwrap()
}

fn parse(bytes: &[u8], limits: HeadLimits) -> Parsed<Response> {
    let step = |h: &mut ClientHandshake, part: &[u8]| h.parse(part, &limits);
    assert_split_independent(bytes, handshake, step)
}

#[track_caller]
fn response(head: &[u8]) -> Response {
    let received = [head, FIRST_FRAME].concat();
    match parse(&received, HeadLimits::default()) {
        Ok(Some((response, consumed))) => {
            assert_eq!(&received[consumed..], FIRST_FRAME, "bytes after the head");
            response
        }
        other => panic!("{other:?} of {}", String::from_utf8_lossy(head)),
    }
}

#[track_caller]
fn error(head: &[u8]) -> HandshakeError {
    parse(&[head, FIRST_FRAME].concat(), HeadLimits::default()).unwrap_err()
}

fn with_lines(lines: &[impl AsRef<str>]) -> Vec<u8> {
    let lines: Vec<_> = lines.iter().map(AsRef::as_ref).collect();
    head(FIRST, &lines)
}

#[test]
fn request_is_encoded_as_specified() {
    let options = ClientOptions::new()
        .subprotocol("chat")
        .unwrap()
        .subprotocol("superchat")
        .unwrap()
        .origin("http://example.com")
        .unwrap()
        .header("Cookie", "a=b")
        .unwrap();
    let handshake = ClientHandshake::new("[::1]:9", "/chat?x", &options, RFC_NONCE).unwrap();
    assert_eq!(
        handshake.request(),
        b"GET /chat?x HTTP/1.1\r\nHost: [::1]:9\r\nUpgrade: websocket\r\n\
          Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
          Sec-WebSocket-Version: 13\r\nOrigin: http://example.com\r\n\
          Sec-WebSocket-Protocol: chat, superchat\r\nCookie: a=b\r\n\r\n"
    );
}

#[test]
fn invalid_arguments_are_usage_errors() {
    use HandshakeUsage as U;
    let none = ClientOptions::new();
    let new = |host, target| ClientHandshake::new(host, target, &none, RFC_NONCE).map(drop);
    for host in ["", "a b", "u@h", "h/p", "h\r\nX: y", "::1", "h:x"] {
        assert_eq!(new(host, "/"), Err(U::Host(host.into()).into()));
    }
    for target in ["", "p", "/a b", "/a\r\nX: y", "/a#b", "/\u{e9}", "*"] {
        assert_eq!(new("h", target), Err(U::Target.into()), "{target:?}");
    }
    for name in ["", "a b", "a,b", "a\r\nb", "\u{e9}"] {
        let expected = U::SubprotocolToken(name.into());
        assert_eq!(none.clone().subprotocol(name), Err(expected.into()));
    }
    let once = none.clone().subprotocol("a").unwrap();
    let expected = U::SubprotocolTwice("a".into());
    assert_eq!(once.subprotocol("a"), Err(expected.into()));
    for origin in ["", " ", "a\r\nX: y", "\u{e9}"] {
        assert_eq!(none.clone().origin(origin), Err(U::Origin.into()));
    }
}

#[test]
fn response_fields_are_parsed() {
    let response = response(&head(FIRST, LINES));
    assert_eq!(response.status(), 101);
    assert_eq!(response.reason(), "Switching Protocols");
    assert_eq!(response.subprotocol(), Some("ticks"));
    assert_eq!(response.header("SERVER"), Some(&b"x"[..]));
    assert_eq!(response.headers().len(), LINES.len());
}

#[test]
fn all_legal_spellings_are_accepted() {
    for (name, by) in [
        ("Upgrade", &["upgrade: WebSocket"][..]),
        (
            "Connection",
            &["connection: keep-alive", "Connection: UPGRADE"],
        ),
        ("Sec-WebSocket-Protocol", &[]),
        ("Sec-WebSocket-Protocol", &["sec-websocket-protocol: chat "]),
        ("Server", &["Content-Length: 0"]),
        // A 101 has no content, whatever its fields announce (RFC 9112 section 6.3).
        ("Server", &["Content-Length: 5"]),
        ("Server", &["Transfer-Encoding: chunked"]),
    ] {
        response(&with_lines(&replaced(LINES, name, by)));
    }
    for (first, reason) in [
        ("HTTP/1.1 101", ""),
        ("HTTP/1.1 101 ", ""),
        ("HTTP/1.2 101 a  b", "a  b"),
        ("HTTP/1.1 101 a\tb", "a\tb"),
        ("HTTP/1.1 101 \u{e9}", "\u{e9}"),
    ] {
        assert_eq!(response(&head(first, LINES)).reason(), reason);
    }
}

#[test]
fn invalid_responses_are_refused() {
    use HandshakeError as E;
    const ACCEPT: &str = "Sec-WebSocket-Accept";
    const PROTOCOL: &str = "Sec-WebSocket-Protocol";
    for (name, by, expected) in [
        ("Upgrade", &[][..], E::Upgrade),
        ("Upgrade", &["Upgrade: h2c"], E::Upgrade),
        ("Upgrade", &["Upgrade: h2c, websocket"], E::Upgrade),
        (
            "Upgrade",
            &["Upgrade: websocket", "Upgrade: h2c"],
            E::Upgrade,
        ),
        ("Connection", &[], E::Connection),
        ("Connection", &["Connection: close"], E::Connection),
        (ACCEPT, &[], E::MissingHeader(ACCEPT)),
        (ACCEPT, &["Sec-WebSocket-Accept:"], E::AcceptMismatch),
        // The value for another key.
        (
            ACCEPT,
            &["Sec-WebSocket-Accept: HSmrc0sMlYUkAGmm5OPpG2HaGWk="],
            E::AcceptMismatch,
        ),
        // Base64 is case-sensitive.
        (
            ACCEPT,
            &["Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
            E::AcceptMismatch,
        ),
        (
            ACCEPT,
            &[
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
                "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            ],
            E::DuplicateHeader(ACCEPT),
        ),
        (
            PROTOCOL,
            &["Sec-WebSocket-Protocol: other"],
            E::SubprotocolNotRequested,
        ),
        (
            PROTOCOL,
            &["Sec-WebSocket-Protocol: Ticks"],
            E::SubprotocolNotRequested,
        ),
        (
            PROTOCOL,
            &["Sec-WebSocket-Protocol: chat, ticks"],
            E::SubprotocolNotRequested,
        ),
        (
            PROTOCOL,
            &["Sec-WebSocket-Protocol:"],
            E::SubprotocolNotRequested,
        ),
        (
            PROTOCOL,
            &[
                "Sec-WebSocket-Protocol: chat",
                "Sec-WebSocket-Protocol: ticks",
            ],
            E::DuplicateHeader(PROTOCOL),
        ),
        (
            "Server",
            &["Sec-WebSocket-Extensions: permessage-deflate"],
            E::ExtensionNotRequested,
        ),
        ("Server", &["X : a"], E::HeaderName),
        ("Server", &["X: a\x01"], E::HeaderValue),
        ("Server", &["X: a\rb"], E::HeaderValue),
        ("Server", &["X: a\nY: b"], E::BareLf),
        ("Upgrade", &[" Upgrade: websocket"], E::ObsoleteFolding),
    ] {
        let lines = replaced(LINES, name, by);
        assert_eq!(error(&with_lines(&lines)), expected, "{by:?} for {name}");
    }
}

#[test]
fn invalid_first_lines_are_refused() {
    use HandshakeError::{HttpVersion, StartLine};
    for (first, expected) in [
        ("HTTP/1.0 101 x", HttpVersion),
        ("HTTP/2.0 200 x", HttpVersion),
        ("HTTP/0.9 200 x", HttpVersion),
        ("HTTP/1.1 10 x", StartLine),
        ("HTTP/1.1 1010 x", StartLine),
        ("HTTP/1.1 099 x", StartLine),
        ("HTTP/1.1  101 x", StartLine),
        ("HTTP/1.1", StartLine),
        ("HTTP/1.1 101 a\x01", StartLine),
        ("HTTP/1.1 101 a\rb", StartLine),
        ("http/1.1 101 x", StartLine),
        ("SSH-2.0-x", StartLine),
        ("", StartLine),
    ] {
        assert_eq!(error(&head(first, LINES)), expected, "{first:?}");
    }
    let early = handshake().parse(b"S", &HeadLimits::default());
    assert_eq!(early, Err(StartLine));
}

#[test]
fn interim_responses_are_skipped_within_the_limit() {
    let hints = head("HTTP/1.1 103 Early Hints", &["Link: </a>; rel=preload"]);
    let last = head(FIRST, LINES);
    let all = [b"HTTP/1.1 100 Continue\r\n\r\n", &hints[..], &last].concat();
    assert_eq!(response(&all).status(), 101);

    let received = [&all, FIRST_FRAME].concat();
    let limits = |head_bytes_max| HeadLimits {
        head_bytes_max,
        ..HeadLimits::default()
    };
    assert!(parse(&received, limits(all.len())).unwrap().is_some());
    for max in [0, 10, 25, hints.len(), all.len() - 1] {
        let expected = HandshakeError::HeadTooLarge { max };
        assert_eq!(parse(&received, limits(max)), Err(expected));
    }
    // The head after an interim response is checked from its first byte.
    let last = String::from_utf8(last).unwrap().replacen("\r\n", "\n", 1);
    let bare = [&hints, last.as_bytes()].concat();
    assert_eq!(error(&bare), HandshakeError::BareLf);
    // Endless interim responses.
    let endless = b"HTTP/1.1 100 \r\n\r\n".repeat(10_000);
    let expected = HandshakeError::HeadTooLarge { max: 16 * 1024 };
    let result = handshake().parse(&endless, &HeadLimits::default());
    assert_eq!(result, Err(expected));
}

#[test]
fn a_shorter_buffer_restarts_the_parser() {
    let limits = HeadLimits::default();
    let good = head(FIRST, LINES);
    let interim = [b"HTTP/1.1 100 \r\n\r\n", &good[..good.len() - 1]].concat();
    let mut handshake = handshake();
    assert_eq!(handshake.parse(&interim, &limits), Ok(None));
    assert_eq!(handshake.parse(&good[..10], &limits), Ok(None));
    let (_, consumed) = handshake.parse(&good, &limits).unwrap().unwrap();
    assert_eq!(consumed, good.len());
}

#[test]
fn head_limits_are_enforced() {
    let good = head(FIRST, LINES);
    let limits = |head_bytes_max, headers_max| HeadLimits {
        head_bytes_max,
        headers_max,
    };
    let fits = limits(good.len(), LINES.len());
    assert!(parse(&good, fits).unwrap().is_some());
    let max = good.len() - 1;
    let expected = HandshakeError::HeadTooLarge { max };
    assert_eq!(parse(&good, limits(max, 64)), Err(expected));
    let max = LINES.len() - 1;
    let expected = HandshakeError::TooManyHeaders { max };
    assert_eq!(parse(&good, limits(4096, max)), Err(expected));
}

/// No panic, one result, and only valid responses are accepted.
#[test]
fn every_mutated_byte_gives_one_result() {
    let good = [&head(FIRST, LINES), FIRST_FRAME].concat();
    let limits = HeadLimits::default();
    let mut accepted = 0;
    for at in 0..good.len() {
        let mut bytes = good.clone();
        for value in 0..=u8::MAX {
            bytes[at] = value;
            let whole = handshake().parse(&bytes, &limits);
            let mut grown = handshake();
            let _ = grown.parse(&bytes[..at], &limits);
            let _ = grown.parse(&bytes[..=at], &limits);
            assert_eq!(grown.parse(&bytes, &limits), whole, "{value:#x} at {at}");
            if let Ok(Some((response, _))) = whole {
                accepted += 1;
                assert_eq!(response.status(), 101);
                assert_eq!(
                    response.header("Sec-WebSocket-Accept"),
                    Some(RFC_ACCEPT.as_bytes())
                );
                assert!(matches!(response.subprotocol(), None | Some("ticks")));
            }
        }
    }
    assert!(accepted > 1000, "too few accepted responses: {accepted}");
}
