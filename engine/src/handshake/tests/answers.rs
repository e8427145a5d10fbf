//! The responses of a server (RFC 9110).

use core::time::Duration;

use super::*;

const FIELDS: &str = "Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

const UPGRADE_FIELDS: &[&str] = &[
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Connection: close, Upgrade",
];

/// The error of a request, which does not depend on how it is split.
#[track_caller]
fn error(request: &str) -> HandshakeError {
    let fresh = || ServerHandshake::new(HeadLimits::default());
    assert_split_independent(request.as_bytes(), fresh, ServerHandshake::parse).unwrap_err()
}

/// The values of the header fields with this name.
fn values<'a>(headers: &'a [String], name: &str) -> Vec<&'a str> {
    let lines = headers.iter().filter_map(|line| line.split_once(": "));
    lines
        .filter(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .collect()
}

/// Checks the rules for every response except 101, and splits the response.
#[track_caller]
fn checked(refusal: &Refusal) -> (String, Vec<String>, Vec<u8>) {
    let (first, headers, body) = split_response(&refusal.encode());
    // RFC 9112 sections 4 and 9.6: the version of the server, and Connection: close.
    assert!(
        first.starts_with(&format!("HTTP/1.1 {} ", refusal.status())),
        "{first}"
    );
    let connection = values(&headers, "Connection");
    assert!(
        matches!(connection[..], ["close" | "close, Upgrade"]),
        "{headers:?}"
    );
    // RFC 9110 section 7.8: Upgrade is named in Connection.
    let upgrades = !values(&headers, "Upgrade").is_empty();
    assert_eq!(connection[0].contains("Upgrade"), upgrades, "{headers:?}");
    // RFC 9112 section 6: one length and no coding.
    assert_eq!(values(&headers, "Content-Length").len(), 1, "{headers:?}");
    assert!(
        values(&headers, "Transfer-Encoding").is_empty(),
        "{headers:?}"
    );
    // RFC 9110 sections 15.5.6 and 15.5.22.
    assert_eq!(
        !values(&headers, "Allow").is_empty(),
        refusal.status() == 405
    );
    assert!(upgrades || refusal.status() != 426);
    (first, headers, body)
}

/// A request, the status of its response, and header fields that the response must have.
type Row = (String, &'static str, &'static [&'static str]);

fn get(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\n{fields}\r\n")
}

fn with(line: &str) -> String {
    get(&format!("{FIELDS}{line}\r\n"))
}

fn but(from: &str, to: &str) -> String {
    assert!(FIELDS.contains(from), "{from}");
    get(&FIELDS.replace(from, to))
}

fn malformed() -> Vec<Row> {
    vec![
        ("\x16\x03\x01".into(), "400 Bad Request", &[]),
        ("GET /%zz HTTP/1.1\r\n\r\n".into(), "400 Bad Request", &[]),
        ("GET * HTTP/1.1\r\n\r\n".into(), "400 Bad Request", &[]),
        (but("Host: h\r\n", ""), "400 Bad Request", &[]),
        (but("Host: h", "Host: h\r\nHost: h"), "400 Bad Request", &[]),
        (but("Host: h", "Host: h:x"), "400 Bad Request", &[]),
        (with("X : y"), "400 Bad Request", &[]),
        (with("X: y\r\n z"), "400 Bad Request", &[]),
        (with("X: y\nZ: z"), "400 Bad Request", &[]),
        // A request with content: recipients may disagree on its end (RFC 9112 section 11.2).
        (with("Content-Length: 5"), "400 Bad Request", &[]),
        (with("Transfer-Encoding: chunked"), "400 Bad Request", &[]),
    ]
}

fn not_served() -> Vec<Row> {
    let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(20_000));
    let large = format!("GET / HTTP/1.1\r\nX: {}\r\n", "a".repeat(20_000));
    let many = format!("GET / HTTP/1.1\r\n{FIELDS}{}\r\n", "X: y\r\n".repeat(64));
    vec![
        (
            "POST / HTTP/1.1\r\n\r\n".into(),
            "405 Method Not Allowed",
            &["Allow: GET, HEAD"],
        ),
        (
            "OPTIONS * HTTP/1.1\r\n\r\n".into(),
            "405 Method Not Allowed",
            &["Allow: GET, HEAD"],
        ),
        (
            "CONNECT h:80 HTTP/1.1\r\n\r\n".into(),
            "405 Method Not Allowed",
            &["Allow: GET, HEAD"],
        ),
        (long, "414 URI Too Long", &[]),
        // A request without an upgrade to WebSocket 13 gets 426 (RFC 9110 section 15.5.22).
        (get("Host: h\r\n"), "426 Upgrade Required", UPGRADE_FIELDS),
        (
            but("Upgrade: websocket\r\n", "Upgrade: h2c\r\n"),
            "426 Upgrade Required",
            UPGRADE_FIELDS,
        ),
        (
            but("Version: 13", "Version: 8"),
            "426 Upgrade Required",
            UPGRADE_FIELDS,
        ),
        (
            but("Sec-WebSocket-Version: 13\r\n", ""),
            "426 Upgrade Required",
            UPGRADE_FIELDS,
        ),
        (large, "431 Request Header Fields Too Large", &[]),
        (many, "431 Request Header Fields Too Large", &[]),
        ("BREW / HTTP/1.1\r\n\r\n".into(), "501 Not Implemented", &[]),
        ("get / HTTP/1.1\r\n\r\n".into(), "501 Not Implemented", &[]),
        (
            "GET / HTTP/1.0\r\n\r\n".into(),
            "505 HTTP Version Not Supported",
            &[],
        ),
        (
            "GET / HTTP/2.0\r\n\r\n".into(),
            "505 HTTP Version Not Supported",
            &[],
        ),
        (
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(),
            "505 HTTP Version Not Supported",
            &[],
        ),
    ]
}

#[test]
fn every_error_has_its_response() {
    for (request, status, lines) in malformed().into_iter().chain(not_served()) {
        let error = error(&request);
        let (first, headers, body) = checked(&error.refusal());
        assert_eq!(first, format!("HTTP/1.1 {status}"), "{request:?}");
        for line in lines {
            assert!(
                headers.iter().any(|h| h == line),
                "{line} not in {headers:?}"
            );
        }
        assert_eq!(
            values(&headers, "Content-Type"),
            ["text/plain; charset=utf-8"]
        );
        assert_eq!(values(&headers, "Content-Length"), [body.len().to_string()]);
        assert_eq!(String::from_utf8(body).unwrap(), format!("{error}\n"));
        assert_eq!(error.refusal().check(), Ok(()));
    }
}

/// RFC 9110 section 9.3.2: HEAD gets the head of the response for GET, without content. HEAD cannot
/// upgrade, so the response is that of a GET without an upgrade.
#[test]
fn head_gets_the_response_of_get_without_content() {
    let without = FIELDS.replace("Upgrade: websocket\r\n", "");
    for (fields, like) in [
        (FIELDS, without.as_str()),
        (&without, &without),
        ("", ""),
        ("Host: h\r\n", "Host: h\r\n"),
        ("Host: h:x\r\n", "Host: h:x\r\n"),
        ("X : y\r\n", "X : y\r\n"),
        ("X: y\n", "X: y\n"),
    ] {
        let ask =
            |method: &str, fields: &str| error(&format!("{method} / HTTP/1.1\r\n{fields}\r\n"));
        let (head, get) = (ask("HEAD", fields), ask("GET", like));
        let expected = HandshakeError::HeadMethod(Box::new(get.clone()));
        assert_eq!(head, expected, "{fields:?}");
        assert_eq!(head.status(), get.status());
        let (refused_head, refused_get) = (checked(&head.refusal()), checked(&get.refusal()));
        assert_eq!(
            (&refused_head.0, &refused_head.1),
            (&refused_get.0, &refused_get.1)
        );
        assert!(!refused_get.2.is_empty() && refused_head.2.is_empty());
        let shown = head.to_string();
        assert!(
            shown.starts_with("the method is HEAD, which cannot upgrade"),
            "{shown}"
        );
        let has_text = get != HandshakeError::Upgrade;
        assert_eq!(shown.ends_with(&get.to_string()), has_text, "{shown}");
    }
    for (first, status) in [("HEAD / HTTP/1.0", 505), ("HEAD /% HTTP/1.1", 400)] {
        let error = error(&format!("{first}\r\n{FIELDS}\r\n"));
        assert_eq!(error.status(), status);
        assert!(checked(&error.refusal()).2.is_empty());
    }
    let long = error(&format!("HEAD /{} HTTP/1.1\r\n", "a".repeat(20_000)));
    assert_eq!(long.status(), 414);
    assert!(checked(&long.refusal()).2.is_empty());
    // An incomplete request gets no response.
    let part = format!("HEAD / HTTP/1.1\r\n{FIELDS}");
    assert_eq!(
        Request::parse(part.as_bytes(), &HeadLimits::default()),
        Ok(None)
    );
}

#[test]
fn refusals_are_encoded_as_specified() {
    let refusal = Refusal::new(401)
        .unwrap()
        .header("WWW-Authenticate", "Bearer")
        .unwrap()
        .body("sign in\n");
    assert_eq!(
        refusal.encode(),
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nConnection: close\r\n\
          Content-Length: 8\r\n\r\nsign in\n"
    );
    // Without a reason phrase, the space after the code stays (RFC 9112 section 4).
    let refusal = Refusal::new(499).unwrap();
    assert_eq!(
        refusal.encode(),
        b"HTTP/1.1 499 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    // Statuses without content (RFC 9110 sections 8.6, 15.2, 15.3.5, 15.4.5) and statuses that
    // refuse nothing are invalid.
    for status in (0..300).chain([304]).chain(600..=u16::MAX) {
        let expected = HandshakeError::Usage(HandshakeUsage::Status(status));
        assert_eq!(Refusal::new(status), Err(expected));
    }
    for status in (300..600).filter(|&status| status != 304) {
        let refusal = Refusal::new(status).unwrap().body("why");
        let (_, headers, body) = checked(&refusal);
        assert_eq!(values(&headers, "Content-Length"), ["3"]);
        assert_eq!(body, b"why");
    }
    let usage = HandshakeError::from(HandshakeUsage::SubprotocolNotOffered("secret".into()));
    let (first, _, body) = checked(&usage.refusal());
    assert_eq!(first, "HTTP/1.1 500 Internal Server Error");
    assert_eq!(body, b"Internal Server Error\n");
}

#[test]
fn required_fields_of_a_status() {
    let refusal = |status| Refusal::new(status).unwrap();
    // Added by default, once, and not if the application adds the field.
    let allow = |refusal: Refusal| values(&checked(&refusal).1, "Allow").join("|");
    assert_eq!(allow(refusal(405)), "GET, HEAD");
    let own = refusal(405).header("allow", "GET").unwrap();
    assert_eq!(allow(own), "GET");
    let (_, headers, _) = checked(&refusal(426));
    for line in UPGRADE_FIELDS {
        assert!(
            headers.iter().any(|h| h == line),
            "{line} not in {headers:?}"
        );
    }
    let (_, headers, _) = split_response(&refusal(426).header("UPGRADE", "h3").unwrap().encode());
    assert_eq!(values(&headers, "Upgrade"), ["h3"]);
    assert_eq!(values(&headers, "Connection"), ["close, Upgrade"]);
    // The handshake cannot know these fields.
    for (status, name) in [(401, "WWW-Authenticate"), (407, "Proxy-Authenticate")] {
        let expected = HandshakeUsage::HeaderNeeded { status, name };
        assert!(expected.to_string().contains(name));
        assert_eq!(refusal(status).check(), Err(expected.into()));
        let complete = refusal(status)
            .header(name.to_lowercase(), "Basic")
            .unwrap();
        assert_eq!(complete.check(), Ok(()));
    }
    assert_eq!(refusal(403).check(), Ok(()));
}

/// The refusals that have a name, as encoded.
#[test]
fn refusals_that_cannot_fail() {
    let wait = Duration::from_millis(1500);
    for (refusal, first, told) in [
        (Refusal::bad_request(), "400 Bad Request", &[][..]),
        (
            Refusal::unauthorized("Bearer"),
            "401 Unauthorized",
            &["WWW-Authenticate: Bearer"],
        ),
        (Refusal::forbidden(), "403 Forbidden", &[]),
        (Refusal::not_found(), "404 Not Found", &[]),
        (Refusal::request_timeout(), "408 Request Timeout", &[]),
        (Refusal::conflict(), "409 Conflict", &[]),
        (
            Refusal::too_many_requests(wait),
            "429 Too Many Requests",
            &["Retry-After: 2"],
        ),
        (Refusal::internal_error(), "500 Internal Server Error", &[]),
        (
            Refusal::service_unavailable(wait),
            "503 Service Unavailable",
            &["Retry-After: 2"],
        ),
        (
            Refusal::redirect("/b"),
            "307 Temporary Redirect",
            &["Location: /b"],
        ),
        (
            Refusal::permanent_redirect("ws://b/"),
            "308 Permanent Redirect",
            &["Location: ws://b/"],
        ),
    ] {
        assert_eq!(refusal.check(), Ok(()));
        let (line, headers, body) = checked(&refusal);
        assert_eq!(line, format!("HTTP/1.1 {first}"));
        let ours = ["Connection: close", "Content-Length: 0"];
        assert_eq!(headers, [told, &ours].concat());
        assert!(body.is_empty());

        let refusal = refusal.text("why: \u{e9}");
        let (_, headers, body) = checked(&refusal);
        let expected = ["text/plain; charset=utf-8"];
        assert_eq!(values(&headers, "Content-Type"), expected);
        assert_eq!(body, "why: \u{e9}".as_bytes());
        assert_eq!(refusal.content(), body);
        // For a server that writes the answer itself: all but what says where it ends.
        let lines: Vec<_> = refusal
            .headers()
            .map(|(n, v)| format!("{n}: {v}"))
            .collect();
        assert_eq!(lines, headers[..headers.len() - 2]);
    }
    for (refusal, name) in [
        (Refusal::unauthorized("a\r\nB: c"), "WWW-Authenticate"),
        (Refusal::redirect("/\u{e9}"), "Location"),
        (Refusal::permanent_redirect("/\n"), "Location"),
    ] {
        let expected = HandshakeUsage::HeaderValue(name.into());
        assert_eq!(refusal.check(), Err(expected.into()));
        let answer = refusal.encode();
        assert!(!String::from_utf8(answer).unwrap().contains(name));
    }
}

#[test]
fn retry_after_and_date() {
    let refusal = |wait| Refusal::new(503).unwrap().retry_after(wait);
    for (wait, expected) in [
        (Duration::ZERO, "0"),
        (Duration::from_nanos(1), "1"),
        (Duration::from_secs(5), "5"),
        (Duration::from_millis(5001), "6"),
        (Duration::MAX, "18446744073709551615"),
    ] {
        let (_, headers, _) = checked(&refusal(wait));
        assert_eq!(values(&headers, "Retry-After"), [expected]);
    }
    // The last call applies.
    let twice = refusal(Duration::from_secs(1)).retry_after(Duration::from_secs(2));
    assert_eq!(values(&checked(&twice).1, "Retry-After"), ["2"]);

    let dated = Refusal::new(404).unwrap().date(784_111_777);
    let expected = ["Sun, 06 Nov 1994 08:49:37 GMT"];
    assert_eq!(values(&checked(&dated).1, "Date"), expected);
    let own = Refusal::new(404).unwrap().header("Date", "mine").unwrap();
    assert_eq!(values(&checked(&own.date(0)).1, "Date"), ["mine"]);
}

/// RFC 9110 sections 8.6 and 15.2.2, RFC 9112 section 6.1: a 101 has no content and no field that
/// announces content.
#[test]
fn a_101_has_no_content() {
    let request = format!("GET / HTTP/1.1\r\n{FIELDS}\r\n");
    let (request, _) = Request::parse(request.as_bytes(), &HeadLimits::default())
        .unwrap()
        .unwrap();
    let (_, headers, rest) = split_response(&request.accept(&Accept::new()).unwrap().0);
    assert!(rest.is_empty());
    for name in ["Content-Length", "Transfer-Encoding"] {
        assert!(values(&headers, name).is_empty(), "{headers:?}");
        assert!(Accept::new().header(name, "0").is_err());
    }
    assert_eq!(values(&headers, "Connection"), ["Upgrade"]);
}

/// The client of this crate parses every refusal of its server.
#[test]
fn a_client_reads_every_refusal() {
    for status in (300..600).filter(|&status| status != 304) {
        let refusal = Refusal::new(status).unwrap().body("why").date(784_111_777);
        let none = ClientOptions::new();
        let mut client = ClientHandshake::new("h", "/", &none, RFC_NONCE).unwrap();
        let result = client.parse(&refusal.encode(), &HeadLimits::default());
        let Err(HandshakeError::Refused(response)) = result else {
            panic!("{status}: {result:?}");
        };
        assert_eq!(response.status(), status);
        assert_eq!(response.content(), b"why");
        assert_eq!(response.date(), Some(784_111_777));
    }
}
