//! How a client handles responses other than 101.

use super::*;

fn handshake() -> ClientHandshake {
    ClientHandshake::new("h", "/", &ClientOptions::new(), RFC_NONCE).unwrap()
}

/// The result for a response, which does not depend on how it is split.
fn parse(bytes: &[u8]) -> Parsed<Response> {
    let limits = HeadLimits::default();
    let step = |h: &mut ClientHandshake, part: &[u8]| h.parse(part, &limits);
    assert_split_independent(bytes, handshake, step)
}

/// The response to an answer that is complete before the connection ends.
#[track_caller]
fn refused(bytes: &[u8]) -> Response {
    match parse(bytes) {
        Err(HandshakeError::Refused(response)) => *response,
        other => panic!("{other:?} of {}", String::from_utf8_lossy(bytes)),
    }
}

/// The refusal of an incomplete response at the end of the stream.
#[track_caller]
fn truncated(bytes: &[u8]) -> Response {
    let mut handshake = handshake();
    assert_eq!(handshake.parse(bytes, &HeadLimits::default()), Ok(None));
    match handshake.partial_refusal() {
        Some(HandshakeError::Refused(response)) => *response,
        other => panic!("{other:?} of {}", String::from_utf8_lossy(bytes)),
    }
}

#[test]
fn other_responses_are_reported_with_their_head() {
    for (first, lines, shown) in [
        (
            "HTTP/1.1 401 Unauthorized",
            &["WWW-Authenticate: Basic", "Content-Length: 3"][..],
            "the server refused: 401 Unauthorized: \u{fffd}\u{fffd}\\0",
        ),
        (
            "HTTP/1.1 302 Found",
            &["Location: /b", "Content-Length: 0"],
            "the server refused: 302 Found, with Location /b",
        ),
        (
            "HTTP/1.0 403 Forbidden",
            &["Content-Length: 0"],
            "the server refused: 403 Forbidden",
        ),
        (
            "HTTP/1.1 200 OK",
            &["Upgrade: websocket", "Content-Length: 0"],
            "the server did not upgrade: it has a page at this path (200 OK): check the path of the URL",
        ),
        (
            "HTTP/1.1 999 ?",
            &["Content-Length: 0"],
            "the server refused: 999 ?",
        ),
        (
            "HTTP/1.1 503",
            &["Content-Length: 0"],
            "the server refused: 503",
        ),
        // Several fields with the same name, and names in any case.
        (
            "HTTP/1.1 403 x",
            &["A: 1", "a: 2", "B: 3", "A: 4", "Content-Length: 0"],
            "the server refused: 403 x",
        ),
    ] {
        let error = parse(&[&head(first, lines), FIRST_FRAME].concat()).unwrap_err();
        assert_eq!(error.to_string(), shown);
        let HandshakeError::Refused(response) = error else {
            panic!("{error:?}");
        };
        let found: Vec<_> = response
            .headers()
            .map(|(n, v)| format!("{n}: {}", String::from_utf8_lossy(v)))
            .collect();
        assert_eq!(found, lines);
    }
}

const OK: &str = "HTTP/1.1 403 x";
const CHUNKED: &str = "Transfer-Encoding: chunked";
const CHUNKS: &[u8] = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";

/// First line, fields that delimit the content (RFC 9112 section 6.3), bytes after the head, and
/// the content.
type ContentRow = (
    &'static str,
    &'static [&'static str],
    &'static [u8],
    &'static [u8],
);

const CONTENTS: &[ContentRow] = &[
    (OK, &["Content-Length: 3"], b"abcde", b"abc"),
    (OK, &["Content-Length: 0"], b"abc", b""),
    (OK, &["Content-Length: 0003"], b"abcde", b"abc"),
    // A list or several fields of one value count as that value (RFC 9110 section 8.6).
    (OK, &["Content-Length: 3, 3"], b"abcde", b"abc"),
    (
        OK,
        &["Content-Length: 3", "content-length: 3"],
        b"abcde",
        b"abc",
    ),
    // All other values are invalid.
    (OK, &["Content-Length: 3, 4"], b"abcde", b""),
    (
        OK,
        &["Content-Length: 3", "Content-Length: 4"],
        b"abcde",
        b"",
    ),
    (OK, &["Content-Length: 3,"], b"abcde", b""),
    (OK, &["Content-Length:"], b"abcde", b""),
    (OK, &["Content-Length: +3"], b"abcde", b""),
    (OK, &["Content-Length: 0x3"], b"abcde", b""),
    (OK, &["Content-Length: 3 3"], b"abcde", b""),
    ("HTTP/1.0 403 x", &["Content-Length: 3"], b"abcde", b"abc"),
    // Never has content (RFC 9110 sections 15.3.5 and 15.4.5).
    ("HTTP/1.1 204 x", &["Content-Length: 3"], b"abcde", b""),
    ("HTTP/1.1 304 x", &["Content-Length: 3"], b"abcde", b""),
    ("HTTP/1.1 304 x", &[CHUNKED], CHUNKS, b""),
    // Chunked coding (RFC 9112 section 7.1).
    (OK, &[CHUNKED], CHUNKS, b"abcde"),
    (OK, &["transfer-encoding: Chunked"], CHUNKS, b"abcde"),
    (
        OK,
        &[CHUNKED],
        b"003;x=\"y\"\r\nabc\r\n0\r\nTrailer: x\r\n\r\n",
        b"abc",
    ),
    (
        OK,
        &[CHUNKED],
        b"A ;x\r\n0123456789\r\n0\r\n\r\n",
        b"0123456789",
    ),
    (OK, &[CHUNKED], b"0\r\n\r\n", b""),
    // Invalid chunks.
    (OK, &[CHUNKED], b"3\r\nabc\r\nx\r\n", b"abc"),
    (OK, &[CHUNKED], b"3\r\nabcd\r\n", b"abc"),
    (OK, &[CHUNKED], b"3\nabc\r\n", b""),
    (OK, &[CHUNKED], b"3\r\nabc\n2\r\nde\r\n", b"abc"),
    (OK, &[CHUNKED], b"\r\n", b""),
    (OK, &[CHUNKED], b"-1\r\n", b""),
    // Bytes after the last chunk are not content.
    (OK, &[CHUNKED], b"x\r\n3\r\nabc\r\n", b""),
    (OK, &[CHUNKED], b"3 x\r\nabc\r\n", b""),
    // Unknown codings, both fields, and a coding in HTTP/1.0: recipients may disagree on the end of
    // such content (RFC 9112 section 6.1).
    (OK, &["Transfer-Encoding: gzip, chunked"], CHUNKS, b""),
    (OK, &["Transfer-Encoding: chunked, chunked"], CHUNKS, b""),
    (
        OK,
        &["Transfer-Encoding: chunked", "Transfer-Encoding: gzip"],
        CHUNKS,
        b"",
    ),
    (OK, &["Transfer-Encoding: gzip"], b"abc", b""),
    (OK, &["Transfer-Encoding:"], b"abc", b""),
    (OK, &[CHUNKED, "Content-Length: 3"], CHUNKS, b""),
    ("HTTP/1.0 403 x", &[CHUNKED], CHUNKS, b""),
];

#[test]
fn content_is_delimited_as_specified() {
    for &(first, lines, sent, content) in CONTENTS {
        let response = refused(&[&head(first, lines), sent].concat());
        let content = String::from_utf8_lossy(content);
        let found = String::from_utf8_lossy(response.content());
        assert_eq!(found, content, "{first} {lines:?} {sent:?}");
    }
}

#[test]
fn content_is_cut_at_its_limit() {
    let long = vec![b'x'; 40_000];
    let kept = &long[..16 * 1024];
    let limits = HeadLimits::default();
    let parse = |lines: &[&str], sent: &[u8]| {
        let all = [&head("HTTP/1.1 403 x", lines), sent].concat();
        match handshake().parse(&all, &limits) {
            Err(HandshakeError::Refused(response)) => response.content().to_vec(),
            other => panic!("{other:?}"),
        }
    };
    for length in ["16384", "16385", "40000", "99999999999999999999999"] {
        assert_eq!(parse(&[&format!("Content-Length: {length}")], kept), kept);
        assert_eq!(parse(&[&format!("Content-Length: {length}")], &long), kept);
    }
    assert_eq!(parse(&[], &long), kept);
    let chunked = &["Transfer-Encoding: chunked"];
    for size in ["9c40", "ffffffffffffffffffffffff"] {
        let sent = [size.as_bytes(), b"\r\n", &long].concat();
        assert_eq!(parse(chunked, &sent), kept);
    }
    let ones = b"1\r\nx\r\n".repeat(40_000);
    assert_eq!(parse(chunked, &ones), kept);
    // Endless chunk extensions, in one line and in many.
    let line = [b"1;", &long[..]].concat();
    assert_eq!(parse(chunked, &line), b"");
    let many = [b"1;", &long[..200], b"\r\nx\r\n"].concat().repeat(1000);
    let few = parse(chunked, &many);
    assert!((400..500).contains(&few.len()), "{}", few.len());
}

#[test]
fn truncated_content() {
    let length = head("HTTP/1.1 403 x", &["Content-Length: 5"]);
    let chunked = head("HTTP/1.1 403 x", &["Transfer-Encoding: chunked"]);
    let until_end = head("HTTP/1.1 403 x", &["Content-Type: text/plain"]);
    let of_1_0 = head("HTTP/1.0 403 x", &[]);
    for (head, sent, content) in [
        (&length, &b""[..], &b""[..]),
        (&length, b"abcd", b"abcd"),
        (&chunked, b"", b""),
        (&chunked, b"5", b""),
        (&chunked, b"5\r\nab", b"ab"),
        (&chunked, b"2\r\nab\r", b"ab"),
        (&chunked, b"2\r\nab\r\n1\r\nc", b"abc"),
        // The end of the connection delimits it.
        (&until_end, b"", b""),
        (&until_end, b"abcde", b"abcde"),
        (&of_1_0, b"abcde", b"abcde"),
    ] {
        let response = truncated(&[head, sent].concat());
        assert_eq!(response.status(), 403);
        assert_eq!(response.content(), content);
    }
    // No refusal before the head is complete, and none after a 101.
    let mut handshake = handshake();
    let part = &length[..length.len() - 1];
    assert_eq!(handshake.parse(part, &HeadLimits::default()), Ok(None));
    assert_eq!(handshake.partial_refusal(), None);
    // A shorter buffer restarts the parser.
    assert_eq!(handshake.parse(&length, &HeadLimits::default()), Ok(None));
    assert!(handshake.partial_refusal().is_some());
    assert_eq!(handshake.parse(part, &HeadLimits::default()), Ok(None));
    assert_eq!(handshake.partial_refusal(), None);
}

/// What an error shows of the content: one line, nothing that a terminal obeys, not too long.
#[test]
fn the_reason_is_shown() {
    let shown = |lines: &[&str], content: &[u8]| {
        let length = format!("Content-Length: {}", content.len());
        let lines = [&[length.as_str()], lines].concat();
        let error = parse(&[&head("HTTP/1.1 403 x", &lines), content].concat()).unwrap_err();
        let HandshakeError::Refused(response) = &error else {
            panic!("{error:?}");
        };
        assert_eq!(response.content(), content);
        error.to_string()["the server refused: 403 x".len()..].to_owned()
    };
    let long = [&[b'x'; 600][..], "\u{e9}".as_bytes()].concat();
    let cut = [&[b'x'; 511][..], "\u{e9}\u{e9}".as_bytes()].concat();
    for (lines, content, expected) in [
        (&[][..], &b""[..], String::new()),
        (&[], b" \r\n", String::new()),
        (&[], b"key expired\n", ": key expired".to_owned()),
        (
            &[],
            b"{\"code\": -1, 'a': \\}",
            ": {\"code\": -1, 'a': \\}".to_owned(),
        ),
        (
            &[],
            "\u{e9}t\u{e9}\u{202e}".as_bytes(),
            ": \u{e9}t\u{e9}\\u{202e}".to_owned(),
        ),
        (
            &[],
            b"a\r\nb\x1b[2J\0",
            ": a\\r\\nb\\u{1b}[2J\\0".to_owned(),
        ),
        (&[], b"a\xff\xfeb", ": a\u{fffd}\u{fffd}b".to_owned()),
        (&[], &long, format!(": {}...", "x".repeat(512))),
        (&[], &cut, format!(": {}...", "x".repeat(511))),
        (&["Content-Encoding: gzip"], b"\x1f\x8b", String::new()),
        (&["Content-Type: image/png"], b"png", String::new()),
        (&["Content-Type: "], b"png", String::new()),
        (
            &["Content-Type: TEXT/html; charset=utf-8"],
            b"<h1>\tno</h1>",
            ": <h1>\\tno</h1>".to_owned(),
        ),
        (
            &["Content-Type: application/problem+JSON"],
            b"{}",
            ": {}".to_owned(),
        ),
    ] {
        assert_eq!(shown(lines, content), expected, "{lines:?} {content:?}");
    }
}

/// Interim responses before a refusal (RFC 9110 section 15.2), with fields that would announce
/// content in another response.
#[test]
fn interim_responses_have_no_content() {
    let interim = head(
        "HTTP/1.1 103 x",
        &["Content-Length: 5", "Transfer-Encoding: chunked"],
    );
    let last = head("HTTP/1.1 403 x", &["Content-Length: 2"]);
    let all = [&interim, &interim, &last, &b"no"[..]].concat();
    let response = refused(&all);
    assert_eq!((response.status(), response.content()), (403, &b"no"[..]));
}

/// A client reads a folded value as one with spaces (RFC 9112 section 5.2).
#[test]
fn folded_values_are_unfolded() {
    let lines = ["A: a", " b", "\t c", "B:", "  d", "C: e", " ", "D: f"];
    let response = truncated(&[&head("HTTP/1.1 403 x", &lines), FIRST_FRAME].concat());
    let found: Vec<_> = response
        .headers()
        .map(|(n, v)| format!("{n}:{}", String::from_utf8_lossy(v)))
        .collect();
    assert_eq!(found, ["A:a   b  \t c", "B:d", "C:e", "D:f"]);

    let accept = format!("Sec-WebSocket-Accept:\r\n {RFC_ACCEPT}");
    let lines = [
        "Upgrade:\r\n\twebsocket",
        "Connection: x,\r\n upgrade",
        &accept,
    ];
    let all = [&head("HTTP/1.1 101 x", &lines), FIRST_FRAME].concat();
    let (response, consumed) = parse(&all).unwrap().unwrap();
    assert_eq!(response.headers().len(), 3);
    assert_eq!(&all[consumed..], FIRST_FRAME);
    // White space before the first field is not folding (RFC 9112 section 2.2).
    for lines in [&[" A: a"][..], &[" ", "A: a"]] {
        let error = parse(&head("HTTP/1.1 403 x", lines)).unwrap_err();
        assert_eq!(error, HandshakeError::ObsoleteFolding);
    }
}

#[test]
fn response_kinds() {
    let unavailable = |retry_after| ResponseKind::Unavailable { retry_after };
    let redirect = |location, permanent| ResponseKind::Redirect {
        location,
        permanent,
    };
    for (status, lines, expected) in [
        (
            301,
            &["Location: ws://h/a?b"][..],
            redirect("ws://h/a?b", true),
        ),
        (302, &["location: /a"], redirect("/a", false)),
        (303, &["Location: a"], redirect("a", false)),
        (307, &["Location: //h"], redirect("//h", false)),
        (308, &["Location: https://h/"], redirect("https://h/", true)),
        (300, &["Location: /a"], ResponseKind::Other),
        (304, &["Location: /a"], ResponseKind::Other),
        (302, &[], ResponseKind::Other),
        (302, &["Location:"], ResponseKind::Other),
        (302, &["Location: /\u{e9}"], ResponseKind::Other),
        (302, &["Location: /a", "Location: /b"], ResponseKind::Other),
        (
            401,
            &[
                "WWW-Authenticate: Basic realm=\"x\"",
                "WWW-Authenticate: Bearer",
            ],
            ResponseKind::Unauthorized {
                challenge: "Basic realm=\"x\"",
            },
        ),
        (401, &[], ResponseKind::Other),
        (
            426,
            &["Sec-WebSocket-Version: 13, 8"],
            ResponseKind::UpgradeRequired,
        ),
        (429, &[], unavailable(None)),
        (
            503,
            &["Retry-After: 120"],
            unavailable(Some(RetryAfter::Seconds(120))),
        ),
        (
            503,
            &["Retry-After: Sun, 06 Nov 1994 08:49:37 GMT"],
            unavailable(Some(RetryAfter::At(784_111_777))),
        ),
        (503, &["Retry-After: soon"], unavailable(None)),
        (503, &["Retry-After: -1"], unavailable(None)),
        (
            503,
            &["Retry-After: 1", "Retry-After: 2"],
            unavailable(None),
        ),
        (403, &["Retry-After: 1"], ResponseKind::Other),
        (200, &["Location: /a"], ResponseKind::Other),
    ] {
        let head = head(&format!("HTTP/1.1 {status} x"), lines);
        let response = match status {
            304 => refused(&head),
            _ => truncated(&head),
        };
        assert_eq!(response.kind(), expected, "{status} {lines:?}");
    }
}

#[test]
fn retry_after_and_date_of_a_response() {
    let lines = [
        "Retry-After: 99999999999999999999",
        "Date: Sun Nov  6 08:49:37 1994",
    ];
    let response = truncated(&head("HTTP/1.1 403 x", &lines));
    assert_eq!(response.retry_after(), Some(RetryAfter::Seconds(u64::MAX)));
    assert_eq!(response.date(), Some(784_111_777));
    let response = truncated(&head("HTTP/1.1 403 x", &["Date: now"]));
    assert_eq!((response.retry_after(), response.date()), (None, None));
}

/// A server cannot write into the log of a client but on the line of the error: neither by its reason
/// phrase nor by its content.
#[test]
fn what_an_error_shows_of_a_response_is_printable() {
    let hostile = "\u{9b}2J\u{85}\u{202e}\u{2028}\u{200b}x";
    let refused = refused(
        format!(
            "HTTP/1.1 403 {hostile}\r\nContent-Length: {}\r\n\r\n{hostile}",
            hostile.len()
        )
        .as_bytes(),
    );
    assert_eq!(refused.reason(), hostile);
    let shown = HandshakeError::Refused(Box::new(refused)).to_string();
    let escaped = "\\u{9b}2J\\u{85}\\u{202e}\\u{2028}\\u{200b}x";
    assert_eq!(
        shown,
        format!("the server refused: 403 {escaped}: {escaped}")
    );
}

/// Only what the cut has left of a character is left out, not other bytes like it.
#[test]
fn bytes_that_are_no_text_are_replaced_also_where_the_content_is_cut() {
    for (content, shown) in [
        // The same bytes in the middle, and a character cut at the end.
        (
            [
                "a\u{e9}".as_bytes(),
                b"\xc3-",
                &[b'x'; 506][..],
                "\u{e9}\u{e9}".as_bytes(),
            ]
            .concat(),
            format!("a\u{e9}\u{fffd}-{}...", "x".repeat(506)),
        ),
        // No part of a character at the end.
        (
            [&[b'x'; 511][..], b"\xff", b"more"].concat(),
            format!("{}\u{fffd}...", "x".repeat(511)),
        ),
    ] {
        let head = format!("HTTP/1.1 403\r\nContent-Length: {}\r\n\r\n", content.len());
        let refused = refused(&[head.as_bytes(), &content].concat());
        let error = HandshakeError::Refused(Box::new(refused)).to_string();
        assert_eq!(error, format!("the server refused: 403: {shown}"));
    }
}

/// Hostile values of `Retry-After` and `Date`.
#[test]
fn retry_after_of_any_value() {
    for (value, seconds) in [
        ("0", Some(0)),
        ("00000000000000000000000000000007", Some(7)),
        ("18446744073709551616", Some(u64::MAX)),
        ("999999999999999999999999999999999", Some(u64::MAX)),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("1e9", None),
        ("0x10", None),
        ("1, 2", None),
        ("", None),
        ("Fri, 31 Dec 9999 23:59:60 GMT", None),
        ("Thu, 00 Jan 1970 00:00:00 GMT", None),
        ("Mon, 99 Feb 2024 00:00:00 GMT", None),
    ] {
        let text = format!("HTTP/1.1 503\r\nContent-Length: 0\r\nRetry-After: {value}\r\n\r\n");
        let told = match refused(text.as_bytes()).retry_after() {
            Some(crate::handshake::RetryAfter::Seconds(seconds)) => Some(seconds),
            _ => None,
        };
        assert_eq!(told, seconds, "{value}");
    }
    let twice = b"HTTP/1.1 503\r\nContent-Length: 0\r\nRetry-After: 1\r\nRetry-After: 2\r\n\r\n";
    assert_eq!(refused(twice).retry_after(), None);
}
