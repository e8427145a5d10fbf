//! Requests that another HTTP server has read, and the origins of pages.

use super::server::{FIRST, LINES, error, request, with_lines};
use super::*;

#[test]
fn pages_of_the_same_origin() {
    for (origin, host, same) in [
        ("http://a.example", "a.example", true),
        ("https://A.example", "a.EXAMPLE", true),
        ("https://a.example:443", "a.example", true),
        ("https://a.example", "a.example:443", true),
        ("http://a.example:8080", "a.example:8080", true),
        ("http://[::1]:81", "[::1]:81", true),
        ("http://a.example:8080", "a.example", false),
        ("http://a.example", "a.example:443", false),
        ("http://b.example", "a.example", false),
        ("http://a.example.b.example", "a.example", false),
        ("a.example", "a.example", false),
        ("ftp://a.example", "a.example", false),
        ("null", "a.example", false),
        ("http://", "a.example", false),
    ] {
        let lines = replaced(LINES, "Host", &[&format!("Host: {host}")]);
        let lines: Vec<_> = lines.iter().map(AsRef::<str>::as_ref).collect();
        let lines = replaced(&lines, "Origin", &[&format!("Origin: {origin}")]);
        let request = request(&with_lines(&lines));
        assert_eq!(request.is_same_origin(), same, "{origin} {host}");
    }
    let lines = replaced(LINES, "Origin", &[]);
    assert!(request(&with_lines(&lines)).is_same_origin());
}

/// A request of another HTTP server's is held to the rules of a head that is read here.
#[test]
fn requests_that_another_server_has_read() {
    let split = |line: &'static str| line.split_once(':').map(|(n, v)| (n, v.trim().as_bytes()));
    let lines: Vec<_> = LINES.iter().copied().filter_map(split).collect();
    let of = |method, target, version, more: &[(&'static str, &'static [u8])]| {
        let all = [&lines, more].concat();
        Request::from_http(method, target, version, all)
    };
    let read = of("GET", "/feed?depth=5", (1, 1), &[]).unwrap();
    let own = request(&head(FIRST, LINES));
    assert_eq!(read.target(), own.target());
    assert!(read.headers().eq(own.headers()));

    let mut told = Vec::new();
    let accept = Accept::new().subprotocol("chat").header("A", "b").unwrap();
    let agreed = read.accept_into(&accept, |n, v| told.push(format!("{n}: {v}")));
    let (answer, expected) = own.accept(&accept).unwrap();
    assert_eq!(agreed, Ok(expected));
    assert_eq!(told, split_response(&answer).1);
    let other = Accept::new().subprotocol("other");
    let refused = read.accept_into(&other, |n, _| panic!("{n}"));
    let expected = HandshakeUsage::SubprotocolNotOffered("other".into());
    assert_eq!(refused, Err(expected.into()));

    // What would begin another line, or another part of one, is refused as what it is.
    for (verdict, expected) in [
        (of("G T", "/", (1, 1), &[]), HandshakeError::StartLine),
        (of("", "/", (1, 1), &[]), HandshakeError::StartLine),
        (
            of("GET", "/ HTTP/1.1\r\nA: b", (1, 1), &[]),
            HandshakeError::Target,
        ),
        (of("GET", "/", (10, 1), &[]), HandshakeError::HttpVersion),
        (of("GET", "/", (1, 0), &[]), HandshakeError::HttpVersion),
        (of("POST", "/", (1, 1), &[]), HandshakeError::Method),
        (
            of("GET", "/", (1, 1), &[("", b"x")]),
            HandshakeError::HeaderName,
        ),
        (
            of("GET", "/", (1, 1), &[("a b", b"x")]),
            HandshakeError::HeaderName,
        ),
        (
            of("GET", "/", (1, 1), &[("a", b"x\r\nb: c")]),
            HandshakeError::HeaderValue,
        ),
        (
            of("GET", "/", (1, 1), &[("Sec-WebSocket-Key", b"x")]),
            error(&with_lines(&[LINES, &["Sec-WebSocket-Key: x"]].concat())),
        ),
    ] {
        assert_eq!(verdict, Err(expected));
    }
}
