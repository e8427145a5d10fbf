//! The bodies of the fuzz targets. Each takes any bytes and panics where the engine is wrong.

use tickwire::Role;
use tickwire::handshake::{
    ClientHandshake, ClientOptions, HandshakeError, HeadLimits, Request, ServerHandshake, Url,
};

use crate::{outbox, streams};

/// Frames from a client: eight bytes say how they are cut and taken out, the rest is the stream.
pub fn frames_server(data: &[u8]) {
    frames(Role::Server, data);
}

/// Frames from a server, likewise.
pub fn frames_client(data: &[u8]) {
    frames(Role::Client, data);
}

fn frames(role: Role, data: &[u8]) {
    if let Some((seed, stream)) = data.split_first_chunk::<8>() {
        streams::compare(role, stream, u64::from_le_bytes(*seed));
    }
}

/// More operations than this only take time.
const OPS_BYTES_MAX: usize = 600;

/// Operations on an outbox: one byte says whose, and with 2 in it whether payloads are large,
/// which is slow; the rest are the operations, two bytes each.
pub fn outbox_ops(data: &[u8]) {
    if let Some((first, ops)) = data.split_first() {
        let role = [Role::Client, Role::Server][usize::from(first & 1)];
        let payload_max = if *first & !1 == 2 { usize::MAX } else { 1100 };
        outbox::run(role, &ops[..ops.len().min(OPS_BYTES_MAX)], payload_max);
    }
}

/// Longer inputs are looked at only at some of their prefixes.
const EVERY_PREFIX_MAX: usize = 700;

/// The prefixes at which a parser that is fed piece by piece is asked.
fn prefixes(len: usize) -> impl Iterator<Item = usize> {
    let step = len / EVERY_PREFIX_MAX + 1;
    (0..len).step_by(step).chain([len])
}

/// A verdict on a head that is not complete is that on the complete head, and a head that is
/// accepted is accepted as soon as it is complete.
fn same<T: PartialEq + std::fmt::Debug>(
    whole: &Result<Option<(T, usize)>, HandshakeError>,
    part: &Result<Option<(T, usize)>, HandshakeError>,
    len: usize,
) {
    match part {
        Ok(None) => {
            let complete = matches!(whole, Ok(Some((_, end))) if *end <= len);
            assert!(!complete, "still waiting at {len}: {whole:?}");
        }
        _ => assert_eq!(part, whole, "at {len}"),
    }
}

fn limits() -> HeadLimits {
    HeadLimits {
        head_bytes_max: 2000,
        headers_max: 12,
    }
}

/// A request head, whole and growing.
pub fn handshake_server(data: &[u8]) {
    let whole = ServerHandshake::new(limits()).parse(data);
    assert_eq!(Request::parse(data, &limits()), whole, "both ways to parse");
    match &whole {
        Ok(Some((request, end))) => {
            assert!(*end <= data.len().min(2000) && request.path().starts_with('/'));
            is_taken_by_a_client(request);
        }
        Ok(None) => {}
        Err(error) => is_read_by_a_client(error),
    }
    let mut growing = ServerHandshake::new(limits());
    for len in prefixes(data.len()) {
        let fresh = ServerHandshake::new(limits()).parse(&data[..len]);
        same(&whole, &fresh, len);
        let part = growing.parse(&data[..len]);
        same(&whole, &part, len);
        assert_eq!(part, fresh, "at {len}");
        if part.is_err() {
            return;
        }
    }
    assert_eq!(growing.parse(data), whole, "at the end");
}

/// Whether nobody can connect to a host: an address in brackets that is not of IPv6.
fn is_of_a_later_version(host: &str) -> bool {
    host.starts_with("[v") || host.starts_with("[V")
}

/// A target and a host that a server takes are a URL, which writes the same ones.
fn is_taken_by_a_client(request: &Request) {
    let (host, target) = (request.host(), request.target());
    if is_of_a_later_version(host) {
        return;
    }
    let url = Url::parse(&format!("ws://{host}{target}")).expect("what a server takes");
    // A query of no bytes is none, and so is the port of ws.
    assert_eq!(
        url.target(),
        target
            .strip_suffix('?')
            .filter(|t| !t.contains('?'))
            .unwrap_or(target)
    );
    assert!(host.starts_with(url.host()) || host.starts_with(&format!("[{}]", url.host())));
}

/// The answer to a request that is refused is one that a client reads.
fn is_read_by_a_client(error: &HandshakeError) {
    let answer = error.refusal().encode();
    let is_head = matches!(error, HandshakeError::HeadMethod(_));
    assert_eq!(
        is_head,
        answer.ends_with(b"\r\n\r\n"),
        "only HEAD gets no content"
    );
    let mut client = client();
    let refused = match client.parse(&answer, &HeadLimits::default()) {
        // The client did not ask with HEAD, and waits for content.
        Ok(None) if is_head => client.partial_refusal(),
        other => other.err(),
    };
    match refused {
        Some(HandshakeError::Refused(response)) => {
            assert_eq!(response.status(), error.status());
            let text = format!("{error}\n");
            assert_eq!(
                response.content(),
                if is_head { b"" } else { text.as_bytes() }
            );
        }
        other => panic!("{other:?}"),
    }
}

/// A client with the nonce of RFC 6455 section 1.3.
fn client() -> ClientHandshake {
    let options = ClientOptions::new().subprotocol("ticks").expect("a token");
    ClientHandshake::new("example.com", "/", &options, *b"the sample nonce").expect("right")
}

/// A URL: what a client takes a server takes, with the same host and target, and the other way
/// round.
pub fn handshake_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let served = |target: &str, host: &str| {
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\n\r\n"
        );
        let limits = HeadLimits {
            head_bytes_max: HeadLimits::HEAD_BYTES_CAP,
            ..HeadLimits::default()
        };
        let parsed = Request::parse(head.as_bytes(), &limits);
        parsed.map(|request| request.expect("a whole head").0)
    };
    let parsed = Url::parse(text);
    if let Ok(url) = &parsed {
        let (authority, target) = (url.authority(), url.target());
        for request in [
            served(target, authority),
            served(&format!("http://{authority}{target}"), "other"),
        ] {
            let request = request.expect("what a client takes");
            assert_eq!((request.host(), request.target()), (authority, target));
        }
        let options = ClientOptions::new();
        let client = ClientHandshake::new(authority, target, &options, [0; 16]);
        assert!(client.is_ok(), "{text:?}");
        assert_eq!(Url::parse(&url.to_string()).as_ref(), Ok(url));
    }
    let Some(rest) = text.strip_prefix("ws://") else {
        return;
    };
    // Other bytes end the target, or the line.
    if rest.bytes().all(|b| b.is_ascii_graphic()) && text.len() <= Url::BYTES_MAX {
        let server = served(&format!("http://{rest}"), "other");
        let taken = server.is_ok_and(|request| !is_of_a_later_version(request.host()));
        assert_eq!(taken, parsed.is_ok(), "{text:?}");
    }
}

/// A response head, whole and growing.
pub fn handshake_client(data: &[u8]) {
    let whole = client().parse(data, &limits());
    if let Ok(Some((response, end))) = &whole {
        assert!(*end <= data.len().min(2000) && response.status() == 101);
    }
    let mut growing = client();
    for len in prefixes(data.len()) {
        let fresh = client().parse(&data[..len], &limits());
        same(&whole, &fresh, len);
        let part = growing.parse(&data[..len], &limits());
        same(&whole, &part, len);
        assert_eq!(part, fresh, "at {len}");
        if part.is_err() {
            return;
        }
    }
    assert_eq!(growing.parse(data, &limits()), whole, "at the end");
    // What is waited for is content; a head that refuses is told when no more comes.
    if let Some(cut) = growing.partial_refusal() {
        assert!(matches!(cut, HandshakeError::Refused(_)), "{cut:?}");
        assert!(whole == Ok(None) || whole == Err(cut));
    }
}
