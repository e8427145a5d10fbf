//! URLs, request targets and `Host`: the same grammar in client and server.

use super::*;
use UrlError::{Fragment, Host, MissingHost, Port, Syntax, UserInfo};

/// The host and the target that the application of a server sees for this request target and
/// `Host`.
fn served(target: &str, host: &str) -> Result<(String, String), HandshakeError> {
    let limits = HeadLimits {
        head_bytes_max: HeadLimits::HEAD_BYTES_CAP,
        ..HeadLimits::default()
    };
    let head = head(
        &format!("GET {target} HTTP/1.1"),
        &[
            &format!("Host: {host}"),
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        ],
    );
    let (request, _) = Request::parse(&head, &limits)?.expect("a whole head");
    let query = request.query().map_or(String::new(), |q| format!("?{q}"));
    assert_eq!(request.target(), format!("{}{query}", request.path()));
    Ok((request.host().into(), request.target().into()))
}

/// Asserts that a client writes the URL into a request, a server reads it in both forms of a
/// target, and a URL from the parts that the server sees is equal.
#[track_caller]
fn assert_both_ends_agree(url: &Url) {
    let (authority, target) = (url.authority(), url.target());
    let seen = Ok((authority.into(), target.into()));
    let none = ClientOptions::new();
    let client = ClientHandshake::new(authority, target, &none, RFC_NONCE).unwrap();
    let limits = HeadLimits {
        head_bytes_max: HeadLimits::HEAD_BYTES_CAP,
        ..HeadLimits::default()
    };
    let (request, _) = Request::parse(client.request(), &limits).unwrap().unwrap();
    assert_eq!(request.host(), authority);
    assert_eq!(served(target, authority), seen);
    assert_eq!(
        served(&format!("http://{authority}{target}"), "other"),
        seen
    );
    let scheme = if url.secure() { "wss" } else { "ws" };
    let again = format!("{scheme}://{}{}", request.host(), request.target());
    assert_eq!(url.to_string(), again);
    assert_eq!(Url::parse(&again).as_ref(), Ok(url));
    assert_eq!(again.parse().as_ref(), Ok(url));
}

/// An authority in a URL; host, port and `Host` of the client; the host that a server sees.
type AuthorityRow = (
    &'static str,
    Result<(&'static str, u16, &'static str), UrlError>,
    Result<&'static str, ()>,
);

const AUTHORITIES: &[AuthorityRow] = &[
    // Names (RFC 3986 section 3.2.2).
    ("h", Ok(("h", 80, "h")), Ok("h")),
    (
        "Example.COM.",
        Ok(("Example.COM.", 80, "Example.COM.")),
        Ok("Example.COM."),
    ),
    ("a_b~c-d", Ok(("a_b~c-d", 80, "a_b~c-d")), Ok("a_b~c-d")),
    (
        "!$&'()*+,;=",
        Ok(("!$&'()*+,;=", 80, "!$&'()*+,;=")),
        Ok("!$&'()*+,;="),
    ),
    (
        "%41%c3%A9",
        Ok(("%41%c3%A9", 80, "%41%c3%A9")),
        Ok("%41%c3%A9"),
    ),
    ("", Err(MissingHost), Err(())),
    ("%", Err(Host), Err(())),
    ("%4", Err(Host), Err(())),
    ("%4g", Err(Host), Err(())),
    ("%zz", Err(Host), Err(())),
    ("a b", Err(Host), Err(())),
    ("a\"b", Err(Host), Err(())),
    ("a\\b", Err(Host), Err(())),
    ("a|b", Err(Host), Err(())),
    ("a<b", Err(Host), Err(())),
    ("a^b", Err(Host), Err(())),
    ("a{b}", Err(Host), Err(())),
    ("\u{e9}", Err(Host), Err(())),
    ("a\tb", Err(Host), Err(())),
    ("a`b", Err(Host), Err(())),
    // User information (RFC 9110 section 4.2.4).
    ("u@h", Err(UserInfo), Err(())),
    ("u:p@h", Err(UserInfo), Err(())),
    ("@h", Err(UserInfo), Err(())),
    ("u@", Err(UserInfo), Err(())),
    // IPv4; other numbers with dots are names.
    (
        "127.0.0.1:9001",
        Ok(("127.0.0.1", 9001, "127.0.0.1:9001")),
        Ok("127.0.0.1:9001"),
    ),
    ("256.1", Ok(("256.1", 80, "256.1")), Ok("256.1")),
    // IPv6, IPvFuture, zones.
    ("[::]", Ok(("::", 80, "[::]")), Ok("[::]")),
    (
        "[2001:DB8::7]:9",
        Ok(("2001:DB8::7", 9, "[2001:DB8::7]:9")),
        Ok("[2001:DB8::7]:9"),
    ),
    (
        "[::ffff:1.2.3.4]",
        Ok(("::ffff:1.2.3.4", 80, "[::ffff:1.2.3.4]")),
        Ok("[::ffff:1.2.3.4]"),
    ),
    (
        "[1:2:3:4:5:6:7:8]",
        Ok(("1:2:3:4:5:6:7:8", 80, "[1:2:3:4:5:6:7:8]")),
        Ok("[1:2:3:4:5:6:7:8]"),
    ),
    ("[v1F.a:b]", Err(Host), Ok("[v1F.a:b]")),
    ("[V1.!]:9", Err(Host), Ok("[V1.!]:9")),
    ("[v.a]", Err(Host), Err(())),
    ("[v1.]", Err(Host), Err(())),
    ("[v1]", Err(Host), Err(())),
    ("[v1.%41]", Err(Host), Err(())),
    ("[fe80::1%25eth0]", Err(Host), Err(())),
    ("[fe80::1%eth0]", Err(Host), Err(())),
    ("::1", Err(Host), Err(())),
    ("[::1", Err(Host), Err(())),
    ("::1]", Err(Host), Err(())),
    ("[]", Err(Host), Err(())),
    ("[:]", Err(Host), Err(())),
    ("[::g]", Err(Host), Err(())),
    ("[1::2::3]", Err(Host), Err(())),
    ("[12345::]", Err(Host), Err(())),
    ("[::1.2.3]", Err(Host), Err(())),
    ("[::01.2.3.4]", Err(Host), Err(())),
    ("[1:2:3:4:5:6:7:8:9]", Err(Host), Err(())),
    ("[127.0.0.1]", Err(Host), Err(())),
    ("[::1]9", Err(Host), Err(())),
    ("[[::1]]", Err(Host), Err(())),
    // Ports (RFC 3986 section 3.2.3).
    ("h:", Ok(("h", 80, "h")), Ok("h")),
    ("[::1]:", Ok(("::1", 80, "[::1]")), Ok("[::1]")),
    ("h:80", Ok(("h", 80, "h")), Ok("h:80")),
    ("h:0080", Ok(("h", 80, "h")), Ok("h:0080")),
    (
        "h:00000000000000000000443",
        Ok(("h", 443, "h:443")),
        Ok("h:00000000000000000000443"),
    ),
    ("h:1", Ok(("h", 1, "h:1")), Ok("h:1")),
    ("h:65535", Ok(("h", 65535, "h:65535")), Ok("h:65535")),
    ("h:0", Err(Port), Err(())),
    ("h:000", Err(Port), Err(())),
    ("h:65536", Err(Port), Err(())),
    ("h:99999999999999999999", Err(Port), Err(())),
    ("h:+80", Err(Port), Err(())),
    ("h:-1", Err(Port), Err(())),
    ("h:8 0", Err(Port), Err(())),
    ("h:x", Err(Port), Err(())),
    ("[::1]:x", Err(Port), Err(())),
    ("h:1:2", Err(Host), Err(())),
    ("h::1", Err(Host), Err(())),
    (":80", Err(MissingHost), Err(())),
    (":", Err(MissingHost), Err(())),
];

/// The host that a client connects to and sends as `Host`, and the one that a server sees.
#[test]
fn authorities_agree_at_both_ends() {
    for &(text, client, server) in AUTHORITIES {
        let parsed = Url::parse(&format!("ws://{text}/p"));
        let found = parsed.as_ref().map(|u| (u.host(), u.port(), u.authority()));
        assert_eq!(found, client.as_ref().copied(), "{text}");
        let seen = |host: &str| (host.to_string(), "/p".to_string());
        let as_host = served("/p", text);
        assert_eq!(
            as_host,
            server.map(seen).map_err(|()| HandshakeError::Host),
            "{text}"
        );
        // A space ends the target.
        let fault = match text.contains(' ') {
            true => HandshakeError::StartLine,
            false => HandshakeError::Target,
        };
        let absolute = served(&format!("http://{text}/p"), "other");
        assert_eq!(absolute, server.map(seen).map_err(|()| fault), "{text}");
        let none = ClientOptions::new();
        let made = ClientHandshake::new(text, "/p", &none, RFC_NONCE);
        assert_eq!(made.is_ok(), server.is_ok(), "{text}");
        if let Ok(made) = made {
            let line = format!("\r\nHost: {}\r\n", server.unwrap());
            assert!(
                String::from_utf8_lossy(made.request()).contains(&line),
                "{text}"
            );
        }
        if let Ok(url) = parsed {
            assert_both_ends_agree(&url);
        }
    }
}

/// Every class of bytes that a path may contain.
const EVERY: &str = "/-._~!$&'()*+,;=:@/azAZ09%00%fF";

/// Path and query of a URL; the request target of the client; the target that a server sees.
type ResourceRow = (
    &'static str,
    Result<&'static str, UrlError>,
    Result<&'static str, ()>,
);

const RESOURCES: &[ResourceRow] = &[
    ("/", Ok("/"), Ok("/")),
    ("//a/../b/./", Ok("//a/../b/./"), Ok("//a/../b/./")),
    ("/a%20b%2F", Ok("/a%20b%2F"), Ok("/a%20b%2F")),
    (EVERY, Ok(EVERY), Ok(EVERY)),
    (
        "/?a/?:@-._~!$&'()*+,;=%23",
        Ok("/?a/?:@-._~!$&'()*+,;=%23"),
        Ok("/?a/?:@-._~!$&'()*+,;=%23"),
    ),
    ("/p?q=1/2:3", Ok("/p?q=1/2:3"), Ok("/p?q=1/2:3")),
    ("/p??", Ok("/p??"), Ok("/p??")),
    // A resource name omits an empty query (RFC 6455 section 3).
    ("/p?", Ok("/p"), Ok("/p?")),
    ("/#", Err(Fragment), Err(())),
    ("/p#f", Err(Fragment), Err(())),
    ("/?q#f", Err(Fragment), Err(())),
    ("/%", Err(Syntax), Err(())),
    ("/%2", Err(Syntax), Err(())),
    ("/%zz", Err(Syntax), Err(())),
    ("/%2g", Err(Syntax), Err(())),
    ("/%%20", Err(Syntax), Err(())),
    ("/a%", Err(Syntax), Err(())),
    ("/?%", Err(Syntax), Err(())),
    ("/?%2", Err(Syntax), Err(())),
    ("/?a=%zz", Err(Syntax), Err(())),
    ("/\u{e9}", Err(Syntax), Err(())),
    ("/?\u{e9}", Err(Syntax), Err(())),
];

/// The request target that a client writes, and the one that a server sees.
#[test]
fn paths_and_queries_agree_at_both_ends() {
    for &(text, client, server) in RESOURCES {
        let parsed = Url::parse(&format!("ws://h{text}"));
        assert_eq!(
            parsed.as_ref().map(Url::target),
            client.as_ref().copied(),
            "{text}"
        );
        let seen = |target: &str| ("h".to_string(), target.to_string());
        let server = server.map(seen).map_err(|()| HandshakeError::Target);
        assert_eq!(served(text, "h"), server, "{text}");
        assert_eq!(
            served(&format!("https://h{text}"), "other"),
            server,
            "{text}"
        );
        let none = ClientOptions::new();
        let made = ClientHandshake::new("h", text, &none, RFC_NONCE);
        assert_eq!(made.is_ok(), server.is_ok(), "{text}");
        if let Ok(url) = parsed {
            assert_both_ends_agree(&url);
        }
    }
}

/// Every ASCII byte in a path and in a query (RFC 3986 sections 3.3 and 3.4).
#[test]
fn every_byte_of_a_path_and_of_a_query() {
    let path = "!$&'()*+,-./0123456789:;=@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";
    for byte in 0..0x80_u8 {
        let byte = char::from(byte);
        for (prefix, allowed) in [
            ("/a", path.contains(byte)),
            ("/?a", path.contains(byte) || byte == '?'),
        ] {
            // A `?` in a path starts the query, a `#` a fragment.
            let allowed = allowed || byte == '?';
            let text = format!("{prefix}{byte}b");
            let expected = match byte {
                '#' => Some(UrlError::Fragment),
                _ => (!allowed).then_some(UrlError::Syntax),
            };
            assert_eq!(
                Url::parse(&format!("ws://h{text}")).err(),
                expected,
                "{text:?}"
            );
            if byte != '\n' {
                assert_eq!(served(&text, "h").is_ok(), allowed, "{text:?}");
            }
            let none = ClientOptions::new();
            let made = ClientHandshake::new("h", &text, &none, RFC_NONCE);
            assert_eq!(made.is_ok(), allowed, "{text:?}");
        }
    }
}

/// A URL; whether it uses TLS, host, port, `Host` and request target.
type UrlRow = (
    &'static str,
    Result<(bool, &'static str, u16, &'static str, &'static str), UrlError>,
);

const URLS: &[UrlRow] = &[
    ("ws://h", Ok((false, "h", 80, "h", "/"))),
    ("wss://h", Ok((true, "h", 443, "h", "/"))),
    ("WsS://H/P", Ok((true, "H", 443, "H", "/P"))),
    ("ws://h:443", Ok((false, "h", 443, "h:443", "/"))),
    ("wss://h:443", Ok((true, "h", 443, "h", "/"))),
    ("wss://h:80/", Ok((true, "h", 80, "h:80", "/"))),
    ("wss://h:/", Ok((true, "h", 443, "h", "/"))),
    ("ws://h:/feed", Ok((false, "h", 80, "h", "/feed"))),
    ("ws://h?q=1/2:3", Ok((false, "h", 80, "h", "/?q=1/2:3"))),
    ("ws://h:?q", Ok((false, "h", 80, "h", "/?q"))),
    ("ws://h?", Ok((false, "h", 80, "h", "/"))),
    ("ws://[::1]?u@h", Ok((false, "::1", 80, "[::1]", "/?u@h"))),
    ("ws://h/a@b:c", Ok((false, "h", 80, "h", "/a@b:c"))),
    ("", Err(UrlError::Empty)),
    ("h", Err(UrlError::Scheme)),
    ("/p", Err(UrlError::Scheme)),
    ("//h/p", Err(UrlError::Scheme)),
    ("ws:h", Err(UrlError::Scheme)),
    ("ws:/h", Err(UrlError::Scheme)),
    ("://h", Err(UrlError::Scheme)),
    ("http://h", Err(UrlError::Scheme)),
    ("wsx://h", Err(UrlError::Scheme)),
    (" ws://h", Err(UrlError::Scheme)),
    ("ws ://h", Err(UrlError::Scheme)),
    ("\u{feff}ws://h", Err(UrlError::Scheme)),
    ("ws://", Err(MissingHost)),
    ("ws:///p", Err(MissingHost)),
    ("ws://?q", Err(MissingHost)),
    ("ws://h/p ", Err(Syntax)),
    ("ws://h ", Err(Host)),
    ("ws://h/a\r\nX: y", Err(Syntax)),
    ("ws://h\r\nX: y/", Err(Port)),
    ("ws://h\\@evil/", Err(UserInfo)),
    ("ws://h\\/", Err(Host)),
    ("ws://h#", Err(Fragment)),
    ("ws://h#/@", Err(Fragment)),
];

/// Whole URLs: schemes, and the limits of the components.
#[test]
fn urls_are_parsed_into_components() {
    for (text, expected) in URLS {
        let parsed = Url::parse(text);
        let found = parsed
            .as_ref()
            .map(|u| (u.secure(), u.host(), u.port(), u.authority(), u.target()));
        assert_eq!(found, expected.as_ref().copied(), "{text:?}");
        match parsed {
            Ok(url) => assert_both_ends_agree(&url),
            Err(error) => {
                let line = error.to_string();
                assert!(!line.is_empty() && !line.contains('\n'));
            }
        }
    }
}

/// The forms of a request target that a server accepts (RFC 9112 section 3.2).
#[test]
fn request_target_forms() {
    for (target, expected) in [
        ("/", Some(("example.com", "/"))),
        ("/p?q", Some(("example.com", "/p?q"))),
        // Absolute: its authority replaces Host.
        ("http://h/p?q", Some(("h", "/p?q"))),
        ("HTTPS://h:1/", Some(("h:1", "/"))),
        ("http://h", Some(("h", "/"))),
        ("http://h:", Some(("h", "/"))),
        ("http://[::1]?q/r", Some(("[::1]", "/?q/r"))),
        ("http://h?", Some(("h", "/?"))),
        // Asterisk-form, authority-form and invalid targets.
        ("*", None),
        ("h:80", None),
        ("h", None),
        ("?q", None),
        ("", None),
        ("ws://h/", None),
        ("http:/h", None),
        ("http:h", None),
        ("http:///p", None),
        ("http://", None),
        ("http://u@h/", None),
        ("http://h/#f", None),
        ("http://h/%", None),
    ] {
        let expected = match expected {
            Some((host, target)) => Ok((host.into(), target.into())),
            None => Err(HandshakeError::Target),
        };
        assert_eq!(served(target, "example.com"), expected, "{target}");
    }
    // Host is still required and checked (RFC 9112 section 3.2).
    assert_eq!(served("http://h/", "a b"), Err(HandshakeError::Host));
}

#[test]
fn urls_as_long_as_the_limit_are_accepted() {
    let url = |len: usize| format!("ws://h/{}", "a".repeat(len - 7));
    let longest = Url::parse(&url(Url::BYTES_MAX)).unwrap();
    assert_eq!(longest.target().len(), Url::BYTES_MAX - 6);
    assert_both_ends_agree(&longest);
    let longer = Url::parse(&url(Url::BYTES_MAX + 1));
    assert_eq!(longer, Err(UrlError::TooLong));
    let text = UrlError::TooLong.to_string();
    assert!(text.contains(&Url::BYTES_MAX.to_string()), "{text}");
}

#[test]
fn debug_output_of_a_url_omits_the_query() {
    let url = Url::parse("ws://h:81/p?token=hunter2").unwrap();
    let shown = format!("{url:?}");
    assert!(shown.contains("h:81") && shown.contains("/p") && !shown.contains("hunter2"));
}

/// Compares with another parser, which accepts more than RFC 3986 and no percent-encoded host: both
/// find the same components in an accepted URL.
fn assert_another_parser_agrees(text: &str, url: &Url) {
    let other: http::Uri = text.parse().unwrap_or_else(|e| panic!("{text:?}: {e}"));
    assert_eq!(
        other.host().map(|h| h.trim_matches(['[', ']'])),
        Some(url.host())
    );
    let port = other
        .port_u16()
        .unwrap_or(if url.secure() { 443 } else { 80 });
    assert_eq!(port, url.port(), "{text:?}");
    let target = match other.path_and_query().map_or("", |p| p.as_str()) {
        text if text.starts_with('/') => text.to_string(),
        text => format!("/{text}"),
    };
    let target = target
        .strip_suffix('?')
        .filter(|t| !t.contains('?'))
        .unwrap_or(&target);
    assert_eq!(target, url.target(), "{text:?}");
}

#[test]
fn every_mutated_byte_of_a_url_gives_one_result() {
    let mut accepted = 0;
    for good in [
        "wss://user.example:8443/p?q=%5B1",
        "ws://[fe80::1]:/%41/b",
        "ws://127.0.0.1",
    ] {
        for at in 0..good.len() {
            for value in 0..0x80 {
                let mut bytes = good.as_bytes().to_vec();
                bytes[at] = value;
                let text = String::from_utf8(bytes).unwrap();
                if let Ok(url) = Url::parse(&text) {
                    accepted += 1;
                    assert_both_ends_agree(&url);
                    if !url.host().contains('%') {
                        assert_another_parser_agrees(&text, &url);
                    }
                }
            }
        }
    }
    assert!(accepted > 1000, "too few accepted URLs: {accepted}");
}
