//! The rules of the server.

use super::*;

pub(super) const FIRST: &str = "GET /feed?depth=5 HTTP/1.1";
pub(super) const LINES: &[&str] = &[
    "Host: example.com:8080",
    "Upgrade: websocket",
    "Connection: keep-alive, Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "Origin: https://example.com",
    "Sec-WebSocket-Protocol: chat, ticks",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
];

fn parse(bytes: &[u8], limits: HeadLimits) -> Parsed<Request> {
    let fresh = || ServerHandshake::new(limits);
    let result = assert_split_independent(bytes, fresh, ServerHandshake::parse);
    assert_eq!(Request::parse(bytes, &limits), result);
    result
}

/// The request of a valid head that is received together with a frame.
#[track_caller]
pub(super) fn request(head: &[u8]) -> Request {
    let received = [head, FIRST_FRAME].concat();
    match parse(&received, HeadLimits::default()) {
        Ok(Some((request, consumed))) => {
            assert_eq!(&received[consumed..], FIRST_FRAME, "bytes after the head");
            request
        }
        other => panic!("{other:?} of {}", String::from_utf8_lossy(head)),
    }
}

#[track_caller]
pub(super) fn error(head: &[u8]) -> HandshakeError {
    parse(&[head, FIRST_FRAME].concat(), HeadLimits::default()).unwrap_err()
}

pub(super) fn with_lines(lines: &[impl AsRef<str>]) -> Vec<u8> {
    let lines: Vec<_> = lines.iter().map(AsRef::as_ref).collect();
    head(FIRST, &lines)
}

#[test]
fn request_fields_are_parsed() {
    let request = request(&head(FIRST, LINES));
    assert_eq!(request.path(), "/feed");
    assert_eq!(request.query(), Some("depth=5"));
    assert_eq!(request.target(), "/feed?depth=5");
    assert_eq!(request.host(), "example.com:8080");
    assert_eq!(request.origin(), Some("https://example.com"));
    assert_eq!(
        request.subprotocols().collect::<Vec<_>>(),
        ["chat", "ticks"]
    );
    assert_eq!(
        request.extensions().collect::<Vec<_>>(),
        [b"permessage-deflate; client_max_window_bits"]
    );
    assert_eq!(request.header("UPGRADE"), Some(&b"websocket"[..]));
    assert_eq!(request.header("Cookie"), None);
    let names: Vec<_> = request.headers().map(|(name, _)| name).collect();
    let expected: Vec<_> = LINES.iter().map(|l| l.split(':').next().unwrap()).collect();
    assert_eq!(names, expected);
}

#[test]
fn rfc_request_is_accepted() {
    let head = head(
        "GET /chat HTTP/1.1",
        &[
            "Host: server.example.com",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Origin: http://example.com",
            "Sec-WebSocket-Protocol: chat, superchat",
            "Sec-WebSocket-Version: 13",
        ],
    );
    let answer = request(&head).accept(&Accept::new().subprotocol("chat"));
    assert_eq!(
        answer.unwrap().0,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
          Sec-WebSocket-Protocol: chat\r\n\r\n"
    );
}

#[test]
fn all_legal_spellings_are_accepted() {
    for (name, by) in [
        ("Upgrade", &["upgrade: WebSocket"][..]),
        ("Upgrade", &["UPGRADE:\t h2c , websocket ,"]),
        ("Upgrade", &["Upgrade: h2c", "Upgrade: websocket"]),
        ("Connection", &["Connection:upgrade"]),
        (
            "Connection",
            &["Connection: keep-alive", "connection: UPGRADE"],
        ),
        ("Sec-WebSocket-Version", &["sec-websocket-version: 13  "]),
        ("Host", &["Host: [::1]:9"]),
        ("Origin", &["Origin: null", "Content-Length: 0"]),
        // Expect without content (RFC 9110 section 10.1.1): the final response is enough.
        ("Origin", &["Expect: 100-continue"]),
        (
            "Connection",
            &["Connection: Upgrade, close, TE", "TE: trailers"],
        ),
        ("Origin", &[]),
        ("Sec-WebSocket-Protocol", &["Sec-WebSocket-Protocol:"]),
        ("Sec-WebSocket-Extensions", &["X-Opaque: \u{e9}\u{fc}"]),
    ] {
        let lines = replaced(LINES, name, by);
        request(&with_lines(&lines));
    }
    request(&head("GET / HTTP/1.9", LINES));
}

/// Normalizing the target does not change the table of fields.
#[test]
fn an_absolute_target_does_not_change_the_fields() {
    for target in ["http://h", "http://[::1]?q/r", "HTTPS://h:1/p?q"] {
        let request = request(&head(&format!("GET {target} HTTP/1.1"), LINES));
        assert_eq!(request.header("host"), Some(&b"example.com:8080"[..]));
        assert!(request.accept(&Accept::new()).is_ok());
    }
}

#[test]
fn invalid_first_lines_are_refused() {
    use HandshakeError::{Http2, HttpVersion, Method, MethodUnknown, StartLine, Target};
    for (first, expected) in [
        ("POST / HTTP/1.1", Method),
        ("PUT / HTTP/1.1", Method),
        ("DELETE / HTTP/1.1", Method),
        ("CONNECT h:80 HTTP/1.1", Method),
        ("OPTIONS * HTTP/1.1", Method),
        ("TRACE / HTTP/1.1", Method),
        ("PATCH / HTTP/1.1", Method),
        ("get / HTTP/1.1", MethodUnknown),
        ("Get / HTTP/1.1", MethodUnknown),
        ("head / HTTP/1.1", MethodUnknown),
        ("GETX / HTTP/1.1", MethodUnknown),
        ("GE / HTTP/1.1", MethodUnknown),
        ("PROPFIND / HTTP/1.1", MethodUnknown),
        ("M-SEARCH * HTTP/1.1", MethodUnknown),
        ("PRI / HTTP/1.1", MethodUnknown),
        ("PRI * HTTP/1.1", MethodUnknown),
        ("PRI * HTTP/2.0", Http2),
        ("GET * HTTP/1.1", Target),
        ("GET / HTTP/1.0", HttpVersion),
        ("GET / HTTP/0.9", HttpVersion),
        ("GET / HTTP/2.0", HttpVersion),
        ("GET / http/1.1", StartLine),
        ("GET / HTTP/1.10", StartLine),
        ("GET / HTTP/1", StartLine),
        ("GET / HTTP/1.1 ", StartLine),
        ("GET /  HTTP/1.1", StartLine),
        ("GET / a HTTP/1.1", StartLine),
        ("GET /", StartLine),
        ("GET ", StartLine),
        ("", StartLine),
        (" GET / HTTP/1.1", StartLine),
        ("\r\nGET / HTTP/1.1", StartLine),
        ("GET / HTTP/1.1\rX: y", StartLine),
        ("\x16\x03\x01", StartLine),
    ] {
        assert_eq!(error(&head(first, LINES)), expected, "{first:?}");
    }
}

#[test]
fn invalid_header_fields_are_refused() {
    use HandshakeError as E;
    for (name, by, expected) in [
        ("Host", &[][..], E::MissingHeader("Host")),
        ("Host", &["Host: a", "host: a"], E::DuplicateHeader("Host")),
        ("Host", &["Host:"], E::Host),
        ("Host", &["Host: a, b"], E::Host),
        ("Host", &["Host: u@h"], E::Host),
        ("Upgrade", &[], E::Upgrade),
        ("Upgrade", &["Upgrade: websockets, web socket"], E::Upgrade),
        ("Upgrade", &["Upgrade: \"websocket\""], E::Upgrade),
        ("Connection", &[], E::Connection),
        ("Connection", &["Connection: keep-alive"], E::Connection),
        ("Sec-WebSocket-Version", &[], E::Version),
        (
            "Sec-WebSocket-Version",
            &["Sec-WebSocket-Version: 8"],
            E::Version,
        ),
        (
            "Sec-WebSocket-Version",
            &["Sec-WebSocket-Version: 013"],
            E::Version,
        ),
        (
            "Sec-WebSocket-Version",
            &["Sec-WebSocket-Version: 13, 8"],
            E::Version,
        ),
        (
            "Sec-WebSocket-Version",
            &["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13"],
            E::DuplicateHeader("Sec-WebSocket-Version"),
        ),
        (
            "Sec-WebSocket-Key",
            &[],
            E::MissingHeader("Sec-WebSocket-Key"),
        ),
        ("Sec-WebSocket-Key", &["Sec-WebSocket-Key:"], E::Key),
        (
            "Sec-WebSocket-Key",
            &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j"],
            E::Key,
        ),
        (
            "Sec-WebSocket-Key",
            &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"],
            E::Key,
        ),
        (
            "Sec-WebSocket-Key",
            &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWU="],
            E::Key,
        ),
        (
            "Sec-WebSocket-Key",
            &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWVl"],
            E::Key,
        ),
        (
            "Sec-WebSocket-Key",
            &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==AAAA"],
            E::Key,
        ),
        (
            "Sec-WebSocket-Key",
            &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR=="],
            E::Key,
        ),
        (
            "Sec-WebSocket-Key",
            &["Sec-WebSocket-Key: dGhlIHNhbXBsZSB-b25jZQ=="],
            E::Key,
        ),
        (
            "Sec-WebSocket-Key",
            &[
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
            ],
            E::DuplicateHeader("Sec-WebSocket-Key"),
        ),
        (
            "Origin",
            &["Origin: a", "Origin: b"],
            E::DuplicateHeader("Origin"),
        ),
        ("Origin", &["Origin: \u{e9}"], E::Origin),
        (
            "Sec-WebSocket-Protocol",
            &["Sec-WebSocket-Protocol: a b"],
            E::Subprotocol,
        ),
        (
            "Sec-WebSocket-Protocol",
            &["Sec-WebSocket-Protocol: a, \u{e9}"],
            E::Subprotocol,
        ),
        ("Origin", &["Content-Length: 1"], E::Body),
        (
            "Origin",
            &["Content-Length: 0", "Content-Length: 5"],
            E::Body,
        ),
        ("Origin", &["Content-Length: 0, 5"], E::Body),
        ("Origin", &["Content-Length: 0, 0"], E::Body),
        (
            "Origin",
            &["Content-Length: 0", "Content-Length: 0"],
            E::DuplicateHeader("Content-Length"),
        ),
        ("Origin", &["Content-Length: +0"], E::Body),
        ("Origin", &["Content-Length:"], E::Body),
        ("Origin", &["Transfer-Encoding: chunked"], E::Body),
        ("Origin", &["Transfer-Encoding:"], E::Body),
        ("Origin", &["X: a", " b"], E::ObsoleteFolding),
        ("Origin", &["X: a", "\tb"], E::ObsoleteFolding),
        ("Origin", &["X: a", " "], E::ObsoleteFolding),
        ("Host", &[" Host: a"], E::ObsoleteFolding),
        ("Origin", &["X : a"], E::HeaderName),
        ("Origin", &["X"], E::HeaderName),
        ("Origin", &[": a"], E::HeaderName),
        ("Origin", &["X(y): a"], E::HeaderName),
        ("Origin", &["X\u{e9}: a"], E::HeaderName),
        ("Origin", &["X: a\x01"], E::HeaderValue),
        ("Origin", &["X: a\0b"], E::HeaderValue),
        ("Origin", &["X: \x7f"], E::HeaderValue),
        ("Origin", &["X: a\rb"], E::HeaderValue),
        ("Origin", &["X: a\r"], E::HeaderValue),
        ("Origin", &["X: a\nY: b"], E::BareLf),
        ("Origin", &["X: a\n"], E::BareLf),
    ] {
        let lines = replaced(LINES, name, by);
        assert_eq!(error(&with_lines(&lines)), expected, "{by:?} for {name}");
    }
    // A head with bare LF fails at its first line.
    let unix = with_lines(LINES)
        .iter()
        .filter(|&&b| b != b'\r')
        .copied()
        .collect::<Vec<_>>();
    assert_eq!(error(&unix), E::BareLf);
    let line_end = unix.iter().position(|&b| b == b'\n').unwrap();
    let early = Request::parse(&unix[..=line_end], &HeadLimits::default());
    assert_eq!(early, Err(E::BareLf));
}

#[test]
fn another_protocol_is_detected_at_its_first_bytes() {
    let limits = HeadLimits::default();
    for (bytes, expected) in [
        (&b"\x16"[..], HandshakeError::StartLine),
        (b"X", HandshakeError::MethodUnknown),
        (b"PX", HandshakeError::MethodUnknown),
        (b"POST ", HandshakeError::Method),
        (b"PRI * HTTP/2", HandshakeError::Http2),
        (b"PRI\0", HandshakeError::StartLine),
        (b"GET\0", HandshakeError::StartLine),
        (b"GET\t", HandshakeError::StartLine),
    ] {
        assert_eq!(Request::parse(bytes, &limits), Err(expected));
        let before = &bytes[..bytes.len() - 1];
        assert_eq!(Request::parse(before, &limits), Ok(None));
    }
}

#[test]
fn a_head_as_long_as_the_limit_is_accepted() {
    let good = head(FIRST, LINES);
    let received = [&good, FIRST_FRAME].concat();
    let limits = |head_bytes_max| HeadLimits {
        head_bytes_max,
        ..HeadLimits::default()
    };
    let exact = parse(&received, limits(good.len())).unwrap().unwrap();
    assert_eq!(exact.1, good.len());
    let line = FIRST.len() + 2;
    for max in [line, 100, good.len() - 1] {
        let expected = HandshakeError::HeadTooLarge { max };
        assert_eq!(parse(&received, limits(max)), Err(expected));
    }
    // RFC 9112 section 3: a long request line and long header fields have different statuses.
    for max in [0, 1, 3, 4, line - 1] {
        let expected = HandshakeError::TargetTooLong { max };
        assert_eq!(parse(&received, limits(max)), Err(expected));
    }
    let expected = HandshakeError::TargetTooLong { max: 3 };
    assert_eq!(parse(b"GETX", limits(3)), Err(expected));
    // The parser does not wait for bytes beyond the limit.
    let endless = [b"GET /", &[b'a'; 200][..]].concat();
    assert_eq!(Request::parse(&endless[..99], &limits(100)), Ok(None));
    let expected = HandshakeError::TargetTooLong { max: 100 };
    assert_eq!(Request::parse(&endless[..100], &limits(100)), Err(expected));
    // The cap also bounds the limit.
    let endless = [b"GET /", &vec![b'a'; HeadLimits::HEAD_BYTES_CAP][..]].concat();
    let max = HeadLimits::HEAD_BYTES_CAP;
    let expected = HandshakeError::TargetTooLong { max };
    assert_eq!(Request::parse(&endless, &limits(usize::MAX)), Err(expected));
}

#[test]
fn a_shorter_buffer_restarts_the_parser() {
    let good = head(FIRST, LINES);
    let mut handshake = ServerHandshake::new(HeadLimits::default());
    assert_eq!(handshake.parse(&good[..good.len() - 1]), Ok(None));
    assert_eq!(handshake.parse(&good[..10]), Ok(None));
    assert!(handshake.parse(&good).unwrap().is_some());
}

#[test]
fn as_many_fields_as_the_limit_are_accepted() {
    let limits = |headers_max| HeadLimits {
        headers_max,
        ..HeadLimits::default()
    };
    let parse = |bytes: &[u8], max| Request::parse(bytes, &limits(max));
    let good = head(FIRST, LINES);
    assert!(parse(&good, LINES.len()).unwrap().is_some());
    for max in [0, 1, LINES.len() - 1] {
        let expected = HandshakeError::TooManyHeaders { max };
        assert_eq!(parse(&good, max), Err(expected));
    }
    let mut many = LINES.to_vec();
    many.resize(HeadLimits::HEADERS_CAP, "X: y");
    assert!(parse(&head(FIRST, &many), usize::MAX).unwrap().is_some());
    many.push("X: y");
    let max = HeadLimits::HEADERS_CAP;
    let expected = HandshakeError::TooManyHeaders { max };
    assert_eq!(parse(&head(FIRST, &many), usize::MAX), Err(expected));
}

#[test]
fn offers_in_several_fields_keep_their_order() {
    let lines = replaced(
        LINES,
        "Sec-WebSocket-Protocol",
        &[
            "Sec-WebSocket-Protocol: c,, a",
            "X: y",
            "sec-websocket-protocol: b ,",
            "Sec-WebSocket-Extensions: x; p=\"1,2\", y",
        ],
    );
    let request = request(&with_lines(&lines));
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["c", "a", "b"]);
    assert_eq!(
        request.extensions().collect::<Vec<_>>(),
        [
            &b"x; p=\"1,2\""[..],
            b"y",
            b"permessage-deflate; client_max_window_bits"
        ]
    );
    for name in ["a", "b", "c"] {
        let (answer, agreed) = request.accept(&Accept::new().subprotocol(name)).unwrap();
        assert_eq!(
            agreed,
            crate::handshake::Agreed::new(crate::Role::Server).with_subprotocol(name)
        );
        let (_, lines, _) = split_response(&answer);
        assert!(lines.contains(&format!("Sec-WebSocket-Protocol: {name}")));
    }
}

#[test]
fn only_an_offered_subprotocol_can_be_accepted() {
    let request = request(&head(FIRST, LINES));
    for name in ["Chat", "", "chat, ticks", "chat\r\nX: y", "other"] {
        let error = request
            .accept(&Accept::new().subprotocol(name))
            .unwrap_err();
        let expected = HandshakeUsage::SubprotocolNotOffered(name.into());
        assert_eq!(error, expected.into());
    }
    let accept = Accept::new().header("Set-Cookie", "a=b").unwrap();
    let (first, lines, rest) = split_response(&request.accept(&accept).unwrap().0);
    assert_eq!(first, "HTTP/1.1 101 Switching Protocols");
    assert_eq!(
        lines,
        [
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "Set-Cookie: a=b",
        ]
    );
    assert!(rest.is_empty());
}

#[test]
fn a_subprotocol_is_chosen() {
    let request = request(&head(FIRST, LINES));
    assert_eq!(request.choose_subprotocol(["ticks", "chat"]), Some("ticks"));
    assert_eq!(request.choose_subprotocol(["none", "chat"]), Some("chat"));
    let ours = ["Chat".to_owned()];
    assert_eq!(request.choose_subprotocol(&ours), None);
    assert_eq!(request.require_subprotocol(["none", "chat"]), Ok("chat"));
    let ours = ["cha".to_owned(), "Chat".to_owned()];
    let error = request.require_subprotocol(&ours).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the client does not offer a sub-protocol that the server requires (cha, Chat)"
    );
    assert_eq!(error, HandshakeError::SubprotocolNeeded(ours.to_vec()));
    assert_eq!(error.status(), 400);
}

/// Every byte of a valid request is replaced by every other value: no panic, and one result however
/// the bytes arrive. An accepted request still satisfies the rules.
#[test]
fn every_mutated_byte_gives_one_result() {
    let good = [&head(FIRST, LINES), FIRST_FRAME].concat();
    let limits = HeadLimits::default();
    let mut accepted = 0;
    for at in 0..good.len() {
        let mut bytes = good.clone();
        for value in 0..=u8::MAX {
            bytes[at] = value;
            let whole = Request::parse(&bytes, &limits);
            let mut grown = ServerHandshake::new(limits);
            let _ = grown.parse(&bytes[..at]);
            let _ = grown.parse(&bytes[..=at]);
            assert_eq!(grown.parse(&bytes), whole, "{value:#x} at {at}");
            if let Ok(Some((request, consumed))) = whole {
                accepted += 1;
                assert!(request.target().starts_with('/'));
                assert!(!request.host().is_empty());
                assert_eq!(&bytes[consumed - 4..consumed], b"\r\n\r\n");
                assert!(request.accept(&Accept::new()).is_ok());
            }
        }
    }
    assert!(accepted > 1000, "too few accepted requests: {accepted}");
}

/// A head of another HTTP server gets the verdict of the same head read here.
#[test]
fn requests_of_another_http_server() {
    let good = [
        ("host", &b"example.com"[..]),
        ("upgrade", b"websocket"),
        ("connection", b"Upgrade"),
        ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", b"13"),
        ("sec-websocket-protocol", b"chat, ticks"),
    ];
    let read = Request::from_http("GET", "/feed?depth=5", (1, 1), good).unwrap();
    assert_eq!(read.target(), "/feed?depth=5");
    assert_eq!(read.host(), "example.com");
    let accept = Accept::new().subprotocol("ticks").header("A", "b").unwrap();
    let mut lines = String::from("HTTP/1.1 101 Switching Protocols\r\n");
    let agreed = read.accept_into(&accept, |name, value| {
        lines += &format!("{name}: {value}\r\n");
    });
    let whole = (lines + "\r\n").into_bytes();
    assert_eq!(read.accept(&accept), Ok((whole, agreed.unwrap())));
    let wrong = Accept::new().subprotocol("other");
    read.accept_into(&wrong, |name, _| panic!("{name}"))
        .unwrap_err();

    use HandshakeError as E;
    for (method, target, version, error) in [
        ("HEAD", "/", (1, 1), E::HeadMethod(Box::new(E::Upgrade))),
        ("POST", "/", (1, 1), E::Method),
        ("get", "/", (1, 1), E::MethodUnknown),
        ("", "/", (1, 1), E::StartLine),
        ("GET / HTTP/1.1\r\nA:", "/", (1, 1), E::StartLine),
        ("GET", "feed", (1, 1), E::Target),
        ("GET", "/a b", (1, 1), E::Target),
        ("GET", "/\r\nUpgrade: websocket", (1, 1), E::Target),
        ("GET", "", (1, 1), E::Target),
        ("GET", "/", (1, 0), E::HttpVersion),
        ("GET", "/", (3, 0), E::HttpVersion),
        ("GET", "/", (10, 0), E::HttpVersion),
    ] {
        let read = Request::from_http(method, target, version, good);
        assert_eq!(read, Err(error), "{method:?} {target:?}");
    }
    for (line, error) in [
        (("a b", &b"c"[..]), E::HeaderName),
        (("", b"c"), E::HeaderName),
        (("a", b"b\r\nc: d"), E::HeaderValue),
        (("a", b"b\0"), E::HeaderValue),
        (("Host", b"other"), E::DuplicateHeader("Host")),
    ] {
        let lines = good.into_iter().chain([line]);
        let read = Request::from_http("GET", "/", (1, 1), lines);
        assert_eq!(read, Err(error), "{line:?}");
    }
}
