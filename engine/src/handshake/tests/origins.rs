//! Which pages may connect.

use super::*;

/// The request of a page of `origin`, at `host`.
#[track_caller]
fn request(host: &str, origin: Option<&str>) -> Request {
    let mut lines = vec![
        format!("Host: {host}"),
        "Upgrade: websocket".to_owned(),
        "Connection: Upgrade".to_owned(),
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==".to_owned(),
        "Sec-WebSocket-Version: 13".to_owned(),
    ];
    lines.extend(origin.map(|origin| format!("Origin: {origin}")));
    let lines: Vec<_> = lines.iter().map(AsRef::as_ref).collect();
    let head = head("GET / HTTP/1.1", &lines);
    Request::parse(&head, &HeadLimits::default())
        .unwrap()
        .unwrap()
        .0
}

#[test]
fn pages_that_may_connect() {
    use HandshakeError as E;
    let listed = || Origins::new(["https://a.example", "HTTP://B.example:81"]).unwrap();
    let request_from = |origin| request("example.com:8080", origin);
    // By the list, by the host `example.com:8080`, by none.
    for (origin, by_list, by_host) in [
        ("https://a.example", true, false),
        ("http://b.example:81", true, false),
        ("http://a.example", false, false),
        ("https://a.example:444", false, false),
        ("https://a.example.evil", false, false),
        ("https://a.example/", false, false),
        ("null", false, false),
        ("http://example.com:8080", false, true),
        ("https://EXAMPLE.com:8080", false, true),
        ("https://example.com", false, false),
        ("https://sub.example.com:8080", false, false),
        ("ftp://example.com:8080", false, false),
    ] {
        let request = request_from(Some(origin));
        let verdict = |allowed| {
            if allowed {
                Ok(())
            } else {
                Err(E::OriginNotAllowed(origin.to_owned()))
            }
        };
        assert_eq!(listed().check(&request), verdict(by_list), "{origin}");
        assert_eq!(
            Origins::same().check(&request),
            verdict(by_host),
            "{origin}"
        );
        let either = listed().or_same().check(&request);
        assert_eq!(either, verdict(by_list || by_host), "{origin}");
        let none = Origins::default().check(&request);
        assert_eq!(none, verdict(false), "{origin}");
        assert_eq!(listed().required().check(&request), verdict(by_list));
    }
    let no_page = request_from(None);
    assert_eq!(listed().check(&no_page), Ok(()));
    let required = listed().or_same().required().check(&no_page);
    assert_eq!(required, Err(E::MissingHeader("Origin")));
    assert_eq!(E::OriginNotAllowed(String::new()).status(), 403);
}

/// The port of an origin's scheme counts as told.
#[test]
fn pages_of_this_server() {
    for (host, origin, same) in [
        ("example.com", "http://example.com", true),
        ("example.com", "https://example.com:443", true),
        ("example.com", "https://example.com:8443", false),
        ("example.com:443", "https://example.com", true),
        ("example.com:80", "http://example.com", true),
        ("[::1]:9", "http://[::1]:9", true),
    ] {
        let request = request(host, Some(origin));
        assert_eq!(request.is_same_origin(), same, "{host} {origin}");
    }
}

#[test]
fn listed_origins_are_checked() {
    for (listed, sent) in [
        ("https://app.example.com", "https://app.example.com"),
        ("HTTPS://App.Example.com:443", "https://app.example.com"),
        ("https://app.example.com:", "https://app.example.com"),
        ("http://app.example.com:0080", "http://app.example.com"),
        ("http://app.example.com:443", "http://app.example.com:443"),
        ("http://[::1]:9000", "http://[::1]:9000"),
        ("chrome-extension://abcd", "chrome-extension://abcd"),
        ("null", "null"),
    ] {
        let request = request("example.com", Some(sent));
        let checked = Origins::new([listed]).unwrap().check(&request);
        assert_eq!(checked, Ok(()), "{listed}");
    }
    for wrong in [
        "",
        "*",
        "app.example.com",
        "app.example.com:443",
        "//app.example.com",
        "https://",
        "https://app.example.com/",
        "https://app.example.com?",
        "https://app.example.com#",
        "https://user@app.example.com",
        "https://*.example.com",
        "https://app.example.com:0",
        "https://app.example.com:x",
        "https://b\u{fc}cher.example",
        " https://app.example.com",
        "https://app.example.com ",
        "wss://app.example.com",
        "NULL",
    ] {
        let error = Origins::new(["https://a.example", wrong]).unwrap_err();
        assert_eq!(error, HandshakeUsage::ListedOrigin(wrong.to_owned()).into());
        let text = error.to_string();
        assert!(text.starts_with(&format!(
            "{wrong:?} is not an origin: list scheme://host or"
        )));
    }
}

/// A log can print the error: the origin is short and on one line.
#[test]
fn a_refused_origin_is_named() {
    let refused = |origin: &str| {
        let error = Origins::default().check(&request("h", Some(origin)));
        error.unwrap_err().to_string()
    };
    assert_eq!(
        refused("https://evil.example"),
        "the server does not allow pages of this origin (\"https://evil.example\")"
    );
    assert!(refused("a\"b").ends_with(" (\"a\\\"b\")"));
    let long = "x".repeat(Origins::SHOWN_BYTES_MAX + 1);
    let shown = format!(" ({:?})", &long[1..]);
    assert!(refused(&long).ends_with(&shown));
}

/// What looks like the own origin and is another one.
#[test]
fn origins_that_only_look_alike() {
    for (host, origin, same) in [
        // Default ports.
        ("example.com", "http://example.com", true),
        ("example.com", "https://example.com", true),
        ("example.com:80", "http://example.com", true),
        ("example.com:443", "https://example.com", true),
        ("example.com", "https://example.com:443", true),
        ("example.com:443", "http://example.com", false),
        ("example.com:80", "https://example.com", false),
        ("example.com", "https://example.com:80", false),
        ("example.com", "http://example.com:00080", true),
        ("example.com", "http://example.com:65616", false),
        ("example.com", "http://example.com:0", false),
        ("example.com", "http://example.com:+80", false),
        // Hosts.
        ("EXAMPLE.COM", "HTTPS://example.com", true),
        ("example.com", "https://example.com.", false),
        ("example.com.", "https://example.com", false),
        ("example.com", "https://example.com@evil.example", false),
        ("example.com", "https://evil.example@example.com", false),
        ("example.com", "https://user:pass@example.com", false),
        ("example.com", "https://example.com/", false),
        ("example.com", "https://example.com#", false),
        ("example.com", "https://example.com?", false),
        ("example.com", "https://example.com\\", false),
        (
            "example.com",
            "https://example.com https://evil.example",
            false,
        ),
        (
            "example.com",
            "https://evil.example, https://example.com",
            false,
        ),
        ("example.com", "https://ex%61mple.com", false),
        ("example.com", "example.com", false),
        ("example.com", "//example.com", false),
        ("example.com", "https:example.com", false),
        ("example.com", "https://", false),
        ("example.com", "null", false),
        ("example.com", "file://example.com", false),
        ("null", "null", false),
        ("[::1]:9", "http://[::1]:9", true),
        ("[::1]", "http://[::1]:80", true),
        ("[::1]", "http://[::2]", false),
    ] {
        let request = request(host, Some(origin));
        assert_eq!(request.is_same_origin(), same, "{origin} of {host}");
        let checked = Origins::same().required().check(&request);
        assert_eq!(checked.is_ok(), same, "{origin} of {host}");
        assert!(Origins::default().check(&request).is_err(), "{origin}");
    }
    // An empty origin is an origin, and in no list.
    let empty = request("example.com", Some(""));
    assert!(!empty.is_same_origin());
    let listed = Origins::new(["https://a.example"]).unwrap().or_same();
    assert!(listed.check(&empty).is_err());
}
