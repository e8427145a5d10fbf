//! The bodies of the fuzz targets. Each takes any bytes and panics where the engine is wrong.

use tickwire::{
    ClientHandshake, ClientOptions, HandshakeError, HeadLimits, Request, Role, ServerHandshake,
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
    if let Ok(Some((request, end))) = &whole {
        assert!(*end <= data.len().min(2000) && request.path().starts_with('/'));
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

/// A response head, whole and growing.
pub fn handshake_client(data: &[u8]) {
    // The nonce of RFC 6455 section 1.3.
    let new = || {
        let options = ClientOptions::new().subprotocol("ticks").expect("a token");
        ClientHandshake::new("example.com", "/", &options, *b"the sample nonce").expect("right")
    };
    let whole = new().parse(data, &limits());
    if let Ok(Some((response, end))) = &whole {
        assert!(*end <= data.len().min(2000) && response.status() == 101);
    }
    let mut growing = new();
    for len in prefixes(data.len()) {
        let fresh = new().parse(&data[..len], &limits());
        same(&whole, &fresh, len);
        let part = growing.parse(&data[..len], &limits());
        same(&whole, &part, len);
        assert_eq!(part, fresh, "at {len}");
        if part.is_err() {
            return;
        }
    }
    assert_eq!(growing.parse(data, &limits()), whole, "at the end");
}
