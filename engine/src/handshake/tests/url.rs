//! URLs.

use super::*;

#[test]
fn urls_taken_apart() {
    for (text, secure, host, port, authority, target) in [
        ("ws://h", false, "h", 80, "h", "/"),
        ("wss://h", true, "h", 443, "h", "/"),
        (
            "WSS://Example.com/P",
            true,
            "Example.com",
            443,
            "Example.com",
            "/P",
        ),
        ("ws://h:80/", false, "h", 80, "h", "/"),
        ("wss://h:80/", true, "h", 80, "h:80", "/"),
        ("ws://h:443", false, "h", 443, "h:443", "/"),
        ("ws://h:65535/a?b=c", false, "h", 65535, "h:65535", "/a?b=c"),
        ("ws://h?q=1/2:3", false, "h", 80, "h", "/?q=1/2:3"),
        (
            "ws://127.0.0.1:9001/",
            false,
            "127.0.0.1",
            9001,
            "127.0.0.1:9001",
            "/",
        ),
        ("ws://[::1]", false, "::1", 80, "[::1]", "/"),
        (
            "wss://[2001:db8::7]:9/x",
            true,
            "2001:db8::7",
            9,
            "[2001:db8::7]:9",
            "/x",
        ),
        (
            "ws://h/a%20b//../c?%23",
            false,
            "h",
            80,
            "h",
            "/a%20b//../c?%23",
        ),
        ("ws://h/a@b:c", false, "h", 80, "h", "/a@b:c"),
    ] {
        let url = Url::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let found = (
            url.secure(),
            url.host(),
            url.port(),
            url.authority(),
            url.target(),
        );
        assert_eq!(found, (secure, host, port, authority, target), "{text}");
        let none = ClientOptions::new();
        let request = ClientHandshake::new(url.authority(), url.target(), &none, RFC_NONCE);
        assert!(request.is_ok(), "{text}");
    }
}

#[test]
fn urls_that_are_refused() {
    use UrlError as E;
    for (text, expected) in [
        ("", E::Empty),
        ("h", E::Scheme),
        ("/p", E::Scheme),
        ("ws:h", E::Scheme),
        ("http://h", E::Scheme),
        (" ws://h", E::Scheme),
        ("ws://", E::MissingHost),
        ("ws:///p", E::MissingHost),
        ("ws://?q", E::MissingHost),
        ("ws://:80/", E::MissingHost),
        ("ws://u:p@h/", E::UserInfo),
        ("ws://u@h/", E::UserInfo),
        ("ws://h/#f", E::Fragment),
        ("ws://h#", E::Fragment),
        ("ws://h:/", E::Port),
        ("ws://h:0", E::Port),
        ("ws://h:65536", E::Port),
        ("ws://h:+80", E::Port),
        ("ws://h:-1", E::Port),
        ("ws://h:x/", E::Port),
        ("ws://[::1]:x", E::Port),
        ("ws://::1/", E::Host),
        ("ws://[::1/", E::Host),
        ("ws://[::g]/", E::Host),
        ("ws://a:1:2/", E::Host),
        ("ws://[::1]9/", E::Host),
        ("ws://[]/", E::Host),
        ("ws://a b/", E::Host),
        ("ws://\u{e9}/", E::Host),
        ("ws://h/a b", E::Syntax),
        ("ws://h/\u{e9}", E::Syntax),
        ("ws://h/a\r\nX: y", E::Syntax),
        ("ws://h/?a b", E::Syntax),
    ] {
        assert_eq!(Url::parse(text), Err(expected), "{text:?}");
        let line = expected.to_string();
        assert!(!line.is_empty() && !line.contains('\n'));
    }
    let long = format!("ws://h/{}", "a".repeat(70_000));
    assert_eq!(Url::parse(&long), Err(E::Syntax));
}

#[test]
fn one_mutated_byte_of_a_url() {
    let good = "wss://user.example:8443/p?q=[1]";
    for at in 0..good.len() {
        for value in 0..0x80 {
            let mut bytes = good.as_bytes().to_vec();
            bytes[at] = value;
            let text = String::from_utf8(bytes).unwrap();
            if let Ok(url) = Url::parse(&text) {
                let none = ClientOptions::new();
                let made = ClientHandshake::new(url.authority(), url.target(), &none, RFC_NONCE);
                assert!(made.is_ok(), "{text:?}");
            }
        }
    }
}
