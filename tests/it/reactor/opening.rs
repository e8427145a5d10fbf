//! Opening handshakes: valid, invalid, slow and refused ones.
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::io::Write;
use std::time::{Duration, Instant};

use tickwire::handshake::{Accept, ClientOptions, HandshakeError, Refusal};
use tickwire::reactor::{Outgoing, Verdict};
use tickwire::{Error, Role};

use super::fixture::{Event, On, calm, listener, on_both, options, serve, serve_with, until};
use super::raw_peer::{Got, Peer, REQUEST};

on_both!(
    the_application_chooses_the_response,
    an_invalid_request_gets_a_response,
    a_slow_request_meets_its_deadline,
    a_request_that_arrived_in_time_is_accepted_by_a_busy_reactor,
    a_client_that_leaves_during_the_handshake_is_forgotten,
    a_refused_client_that_continues_to_send_gets_the_response,
    a_refused_client_that_sends_forever_is_disconnected,
    a_failed_connect_is_reported_once,
    a_client_gets_its_subprotocol,
);

fn the_application_chooses_the_response(on: On) {
    let (server, events) = serve(on, calm(), |app| {
        app.on_request = Box::new(|request| match request.path() {
            "/private" => Refusal::unauthorized("Bearer")
                .body("sign in first\n")
                .into(),
            "/wrong" => Accept::new().subprotocol("not.offered").into(),
            _ => match request.subprotocols().find(|name| *name == "ticks.v2") {
                Some(name) => Accept::new().subprotocol(name).into(),
                None => Verdict::default(),
            },
        });
    });
    let ask = |path: &str, more: &str| {
        let mut peer = Peer::dial(server.addr);
        let request = REQUEST
            .replace("/feed", path)
            .replace("\r\n\r\n", &format!("\r\n{more}\r\n"));
        peer.write(request.as_bytes());
        let head = peer.head();
        (peer, head)
    };
    let (mut peer, head) = ask("/private", "");
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    assert!(head.contains("WWW-Authenticate: Bearer\r\n"), "{head}");
    assert_eq!(peer.rest(), (b"sign in first\n".to_vec(), Got::Eof));
    let (mut peer, head) = ask("/wrong", "");
    assert!(head.starts_with("HTTP/1.1 500 "), "{head}");
    assert_eq!(peer.rest().1, Got::Eof);
    let told = events.next();
    assert!(
        matches!(&told, Event::Rejected(HandshakeError::Usage(_))),
        "{told:?}"
    );
    let (_peer, head) = ask(
        "/feed?all",
        "Sec-WebSocket-Protocol: ticks.v1, ticks.v2\r\n",
    );
    assert!(
        head.contains("Sec-WebSocket-Protocol: ticks.v2\r\n"),
        "{head}"
    );
    let opened = events.next();
    assert!(
        matches!(&opened, Event::Open(_, Role::Server, Some(name), 0) if name == "ticks.v2"),
        "{opened:?}"
    );
    drop(_peer);
    server.stop();
}

fn an_invalid_request_gets_a_response(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    let without = |line: &str| REQUEST.replace(line, "");
    let huge = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "x".repeat(1 << 17)
    );
    let cases = [
        ("POST", REQUEST.replace("GET", "POST")),
        ("HTTP/1.0", REQUEST.replace("HTTP/1.1", "HTTP/1.0")),
        ("no host", without("Host: localhost\r\n")),
        ("no upgrade", without("Upgrade: websocket\r\n")),
        (
            "no key",
            without("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
        ),
        (
            "short key",
            REQUEST.replace("dGhlIHNhbXBsZSBub25jZQ==", "AAAA"),
        ),
        ("version 8", REQUEST.replace("Version: 13", "Version: 8")),
        ("bare LF", REQUEST.replace("\r\n", "\n")),
        (
            "a TLS client",
            "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03".into(),
        ),
        ("huge head", huge),
    ];
    for (what, request) in cases {
        let mut peer = Peer::dial(server.addr);
        peer.write(request.as_bytes());
        let head = peer.head();
        let status = head.get(9..12).unwrap_or_default();
        match what {
            "version 8" => {
                assert_eq!(status, "426", "{what}");
                assert!(head.contains("Sec-WebSocket-Version: 13\r\n"), "{head}");
            }
            "POST" => assert_eq!(status, "405", "{what}"),
            "huge head" => assert_eq!(status, "431", "{what}"),
            _ => assert!(status.starts_with(['4', '5']), "{what}: {head}"),
        }
        assert_eq!(peer.rest().1, Got::Eof, "{what}");
        let told = events.next();
        let Event::Rejected(error) = told else {
            panic!("{what}: {told:?}");
        };
        assert_eq!(error.status().to_string(), status, "{what}: {error}");
    }
    server.stop();
    assert!(events.seen().is_empty(), "nothing was opened");
}

fn a_slow_request_meets_its_deadline(on: On) {
    let config = calm().handshake_timeout(Duration::from_millis(30));
    let (server, events) = serve(on, config, |_| {});
    for part in ["", "G", "GET /feed HTTP/1.1\r\nHost: loc"] {
        let mut peer = Peer::dial(server.addr);
        peer.write(part.as_bytes());
        let head = peer.head();
        assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
        assert_eq!(peer.rest().1, Got::Eof);
    }
    server.stop();
    assert!(events.seen().is_empty(), "nothing was opened");
}

/// A reactor that was busy reads a connection before it applies the deadline: the event of the
/// arrived bytes can be behind other events.
fn a_request_that_arrived_in_time_is_accepted_by_a_busy_reactor(on: On) {
    let patience = Duration::from_secs(2);
    let config = calm().handshake_timeout(patience);
    let options = options(config).events_max(1);
    let (server, _events) = serve_with(on, options, |_| {});
    let mut others: Vec<Peer> = (0..4).map(|_| Peer::open(server.addr)).collect();
    let (first, rest) = REQUEST.split_at(9);
    let mut slow = Peer::dial(server.addr);
    slow.write(first.as_bytes());
    until("all are taken", || server.ask(|hub| hub.connections()) == 5);
    let taken = Instant::now();
    let held = server.hold();
    for peer in &mut others {
        peer.binary("busy");
    }
    slow.write(rest.as_bytes());
    until("its time is over", || taken.elapsed() > patience);
    drop(held);
    let head = slow.head();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    for peer in &mut others {
        assert_eq!(peer.message(), b"busy");
    }
    drop((slow, others));
    server.stop();
}

fn a_client_that_leaves_during_the_handshake_is_forgotten(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    for part in ["", "GET /fe"] {
        let mut peer = Peer::dial(server.addr);
        peer.write(part.as_bytes());
        drop(peer);
    }
    super::fixture::until("both are forgotten", || {
        server.ask(|hub| hub.connections()) == 0
    });
    server.stop();
    assert!(events.seen().is_empty(), "nothing was opened");
}

/// A reset for bytes that the client still sends must not destroy the response.
fn a_refused_client_that_continues_to_send_gets_the_response(on: On) {
    let (server, _events) = serve(on, calm(), |app| {
        app.on_request = Box::new(|_| {
            let refusal = Refusal::service_unavailable(Duration::from_secs(1));
            refusal.body(vec![b'x'; 300_000]).into()
        });
    });
    let mut peer = Peer::dial(server.addr);
    peer.write(REQUEST.as_bytes());
    let mut writer = peer.stream.try_clone().expect("a second handle");
    let thread = std::thread::spawn(move || {
        writer.write_all(&vec![0; 2_000_000]).expect("a reader");
        writer.shutdown(std::net::Shutdown::Write)
    });
    let (answer, end) = peer.rest();
    assert!(answer.starts_with(b"HTTP/1.1 503 "));
    assert!(answer.ends_with(&[b'x'; 1000]) && answer.len() > 300_000);
    assert_eq!(end, Got::Eof);
    thread.join().expect("no panic").expect("an open socket");
    server.stop();
}

/// The reactor discards the bytes of a refused client for a bounded time.
fn a_refused_client_that_sends_forever_is_disconnected(on: On) {
    let config = calm().close_timeout(Duration::from_millis(200));
    let (server, _events) = serve(on, config, |app| {
        let refusal = || Refusal::new(503).expect("a status");
        app.on_request = Box::new(move |_| refusal().into());
    });
    let mut peer = Peer::dial(server.addr);
    peer.write(REQUEST.as_bytes());
    until("the server has had enough", || {
        peer.stream.write_all(&[0; 4096]).is_err()
    });
    server.stop();
}

fn a_failed_connect_is_reported_once(on: On) {
    let (client, events) = serve(on, calm(), |_| {});
    let (closed_port, refusing) = listener();
    drop(closed_port);
    let (listener, addr) = listener();
    let answers: [&[u8]; 5] = [
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 1",
        b"",
    ];
    client.connect(refusing, 100);
    let mut told = Vec::new();
    let mut fail = || {
        let (token, error) = events.find(|e| match e {
            Event::ConnectFailed(token, error) => Some((token, error)),
            other => panic!("{other:?}"),
        });
        told.push(token);
        error
    };
    let error = fail();
    assert!(
        matches!(&error, Error::Io(e) if e.kind() == std::io::ErrorKind::ConnectionRefused),
        "{error:?}"
    );
    for (token, answer) in answers.iter().enumerate() {
        client.connect(addr, token as u64);
        let mut peer = Peer::over(listener.accept().expect("a client").0, Role::Server);
        peer.head();
        peer.write(answer);
        peer.shut();
        let error = fail();
        match token {
            0 => match error {
                Error::Handshake(HandshakeError::Refused(response)) => {
                    assert_eq!(response.header("WWW-Authenticate"), Some(&b"Bearer"[..]));
                }
                other => panic!("{other:?}"),
            },
            1 | 2 => assert!(matches!(error, Error::Handshake(_)), "{error:?}"),
            _ => assert!(matches!(error, Error::Io(_)), "{error:?}"),
        }
    }
    client.stop();
    assert_eq!(told, [100, 0, 1, 2, 3, 4]);
    assert!(events.seen().is_empty(), "told once");
}

fn a_client_gets_its_subprotocol(on: On) {
    let (server, _) = serve(on, calm(), |app| {
        app.on_request = Box::new(|request| {
            let accept = Accept::new();
            let accept = match request.subprotocols().last() {
                Some(name) => accept.subprotocol(name),
                None => accept,
            };
            accept.into()
        });
    });
    let (client, events) = serve(on, calm(), |_| {});
    let options = ClientOptions::new()
        .subprotocol("a")
        .and_then(|o| o.subprotocol("b"))
        .expect("tokens");
    let url = format!("ws://{}/", server.addr);
    client.connect_with(
        Outgoing::at(server.addr, &url)
            .expect("a URL")
            .options(options)
            .token(5),
    );
    let opened = events.next();
    assert!(
        matches!(&opened, Event::Open(_, Role::Client, Some(name), 5) if name == "b"),
        "{opened:?}"
    );
    client.stop();
    server.stop();
}
