//! Opening handshakes, over TCP and over a pipe.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::join;
use tokio::net::TcpStream;

use super::super::head::send_final_response;
use super::*;
use crate::handshake::{Accept, ClientOptions, HandshakeError, HeadLimits, Refusal, UrlError};
use crate::{CloseCode, Deadline, Error};

const REQUEST: &str = "GET /feed?depth=5 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n";

async fn listening() -> (Listener, String) {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/feed?depth=5", listener.local_addr().unwrap());
    (listener, url)
}

#[tokio::test]
async fn over_tcp_the_request_is_shown_and_a_subprotocol_chosen() {
    let (listener, url) = listening().await;
    let serve = async {
        let incoming = listener.accept().await.unwrap();
        assert!(incoming.peer().is_some());
        let upgrade = incoming.request().await.unwrap();
        let request = upgrade.request();
        assert_eq!(request.target(), "/feed?depth=5");
        assert_eq!(request.origin(), Some("https://example.com"));
        assert_eq!(request.header("x-seat"), Some(&b"17"[..]));
        assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["a", "b"]);
        let accept = Accept::new()
            .subprotocol("b")
            .header("X-Answer", "42")
            .unwrap();
        let mut ws = upgrade.accept_with(&accept).await.unwrap();
        assert_eq!(ws.subprotocol(), Some("b"));
        echo(&mut ws).await.unwrap();
    };
    let talk = async {
        let options = ClientOptions::new()
            .subprotocol("a")
            .and_then(|o| o.subprotocol("b"))
            .and_then(|o| o.origin("https://example.com"))
            .and_then(|o| o.header("X-Seat", "17"))
            .unwrap();
        let connector = Connector::new().options(options);
        let mut ws = connector.connect(&url).await.unwrap();
        assert!(ws.stream().nodelay().unwrap());
        assert_eq!(ws.subprotocol(), Some("b"));
        let response = ws.take_response().unwrap();
        assert_eq!(response.header("x-answer"), Some(&b"42"[..]));
        assert!(ws.take_response().is_none());
        ws.send(b"tick").await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(binary("tick")));
        ws.close(CloseCode::NORMAL, "").await.unwrap();
    };
    join!(serve, talk);
}

#[tokio::test]
async fn a_refusal_is_returned_with_its_head() {
    let (listener, url) = listening().await;
    let serve = async {
        let upgrade = listener.accept().await.unwrap().request().await.unwrap();
        let refusal = Refusal::new(403)
            .and_then(|r| r.header("X-Why", "no seat"))
            .unwrap();
        upgrade.refuse(refusal.body("go away")).await.unwrap();
    };
    let (connected, ()) = join!(connect(&url), serve);
    let Err(Error::Handshake(HandshakeError::Refused(response))) = connected else {
        panic!("{connected:?}");
    };
    assert_eq!(response.status(), 403);
    assert_eq!(response.header("x-why"), Some(&b"no seat"[..]));
}

#[tokio::test]
async fn a_refused_peer_that_floods_is_dropped() {
    let (mut io, mut peer) = tokio::io::duplex(1024);
    let part = async move {
        let limit = Duration::from_mins(1);
        send_final_response(&mut io, b"HTTP/1.1 503 \r\n\r\n", limit)
            .await
            .unwrap();
    };
    let send = async {
        let mut sent = 0;
        while let Ok(bytes @ 1..) = peer.write(&[0; 1024]).await {
            sent += bytes;
        }
        sent
    };
    let ((), sent) = join!(part, send);
    // The bytes that were read, and those that the pipe holds.
    let limit = crate::sans_io::LINGER_BYTES_MAX as usize;
    assert!((limit..=limit + (2 << 10)).contains(&sent), "{sent}");
}

#[tokio::test]
async fn a_refusal_may_have_an_unlimited_timeout() {
    let (mut io, peer) = tokio::io::duplex(64);
    drop(peer);
    let sent = send_final_response(&mut io, b"HTTP/1.1 503 \r\n\r\n", Duration::MAX).await;
    assert!(matches!(sent, Err(Error::Io(_))), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_idle_peer_is_dropped_in_time() {
    let (mut io, mut peer) = tokio::io::duplex(8);
    let limit = Duration::from_secs(2);
    let began = tokio::time::Instant::now();
    let part = send_final_response(&mut io, b"HTTP/1.1 503 \r\n\r\n", limit);
    let slow = async {
        tokio::time::sleep(limit * 3 / 4).await;
        peer.read_exact(&mut [0; 17]).await.unwrap();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        sent = part => sent.unwrap(),
        () = slow => unreachable!("it stays"),
    }
    assert!(began.elapsed() <= limit + Duration::from_millis(5));
}

#[tokio::test]
async fn a_subprotocol_that_was_not_offered_is_a_500() {
    let (listener, url) = listening().await;
    let serve = async {
        let upgrade = listener.accept().await.unwrap().request().await.unwrap();
        let accept = Accept::new().subprotocol("mine");
        let error = upgrade.accept_with(&accept).await.unwrap_err();
        assert!(matches!(error, Error::Handshake(HandshakeError::Usage(_))));
    };
    let (connected, ()) = join!(connect(&url), serve);
    let Err(Error::Handshake(HandshakeError::Refused(response))) = connected else {
        panic!("{connected:?}");
    };
    assert_eq!(response.status(), 500);
}

#[tokio::test]
async fn bad_requests_are_answered() {
    let (listener, _) = listening().await;
    let addr = listener.local_addr().unwrap();
    let version = REQUEST.replace("Version: 13", "Version: 8");
    let post = REQUEST.replace("GET", "POST");
    let huge = format!("{REQUEST}X-Fill: {}\r\n", "x".repeat(20_000));
    for (request, status) in [
        (version.as_str(), "426"),
        (&post, "405"),
        (&huge, "431"),
        ("GET / HTTP/1.1\r\nHost: h\r\n", "426"),
        ("GET / HTTP/1.1\r\n", "400"),
        ("\x16\x03\x01\x02", "400"), // TLS
    ] {
        let serve = async {
            let incoming = listener.accept().await.unwrap();
            let error = incoming.accept().await.unwrap_err();
            assert!(matches!(error, Error::Handshake(_)), "{error}");
        };
        let ask = async {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            stream.write_all(b"\r\n").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{answer}"
            );
        };
        join!(serve, ask);
    }
}

#[tokio::test]
async fn bytes_after_a_head_are_the_first_frames() {
    // All bytes in one write, then byte by byte.
    for capacity in [1 << 16, 1] {
        let (server, mut peer) = duplex(capacity);
        let mut bytes = format!("{REQUEST}\r\n").into_bytes();
        bytes.extend_from_slice(&client_frame(2, b"first"));
        bytes.extend_from_slice(&client_frame(2, b"second"));
        let ask = async {
            let (mut read, mut write) = tokio::io::split(&mut peer);
            let reading = async {
                let mut answer = Vec::new();
                let _ = read.read_to_end(&mut answer).await;
                answer
            };
            let (answer, written) = join!(reading, write.write_all(&bytes));
            written.unwrap();
            assert!(answer.starts_with(b"HTTP/1.1 101"));
        };
        let serve = async {
            let mut ws = accept(server).await.unwrap();
            assert_eq!(ws.recv().await.unwrap(), Some(binary("first")));
            assert_eq!(ws.recv().await.unwrap(), Some(binary("second")));
        };
        join!(ask, serve);

        let (client, mut server) = duplex(capacity);
        let serve = async {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(server.read_u8().await.unwrap());
            }
            let limits = HeadLimits::default();
            let (request, _) = crate::handshake::Request::parse(&head, &limits)
                .unwrap()
                .unwrap();
            let (mut answer, _) = request.accept(&Accept::new()).unwrap();
            answer.extend_from_slice(&server_frame(2, b"first"));
            answer.extend_from_slice(&server_frame(2, b"second"));
            server.write_all(&answer).await.unwrap();
            server
        };
        let talk = async {
            let mut ws = connect_over(client, "wss://h/").await.unwrap();
            assert_eq!(ws.recv().await.unwrap(), Some(binary("first")));
            assert_eq!(ws.recv().await.unwrap(), Some(binary("second")));
        };
        let _ = join!(serve, talk);
    }
}

#[tokio::test]
async fn failed_connects_name_their_cause() {
    let tls = connect("wss://example.com/").await.unwrap_err();
    assert!(
        tls.to_string().contains("connect_over(stream, url)"),
        "{tls}"
    );
    let url = connect("http://example.com/").await.unwrap_err();
    assert!(matches!(url, Error::Url(UrlError::Scheme)), "{url}");
    // No socket listens on this port.
    let (listener, url) = listening().await;
    drop(listener);
    let refused = connect(&url).await.unwrap_err();
    assert!(
        refused.to_string().contains("cannot connect to 127.0.0.1"),
        "{refused}"
    );
    let Error::Io(refused) = refused else {
        panic!()
    };
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}

/// `localhost` may resolve to an address without a listener: the next one is tried.
#[tokio::test]
async fn names_are_resolved() {
    let (listener, url) = listening().await;
    let url = url.replace("127.0.0.1", "localhost");
    let serve = async { listener.accept().await.unwrap().accept().await.unwrap() };
    let (client, _server) = join!(connect(&url), serve);
    client.unwrap();
}

#[tokio::test]
async fn a_silent_peer_does_not_delay_the_next_one() {
    let (listener, url) = listening().await;
    let _silent = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let serve = async {
        let silent = listener.accept().await.unwrap();
        let served = listener.accept().await.unwrap().accept().await.unwrap();
        (silent, served)
    };
    let (client, _) = join!(connect(&url), serve);
    client.unwrap();
}

#[tokio::test(start_paused = true)]
async fn slow_heads_time_out() {
    let defaults = config(|_| {});
    let limit = defaults.handshake_timeout;
    // A peer that sends one byte each second, and goes on after the refusal.
    let (stream, mut peer) = duplex(1 << 10);
    let drip = async {
        for byte in REQUEST.bytes() {
            if peer.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let mut answer = String::new();
        peer.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let began = tokio::time::Instant::now();
    let (served, answer) = join!(accept(stream), drip);
    let error = served.unwrap_err();
    assert!(
        matches!(error, Error::Timeout(Deadline::Handshake)),
        "{error}"
    );
    assert!(
        answer.starts_with("HTTP/1.1 408 Request Timeout\r\nDate: "),
        "{answer}"
    );
    assert!(
        answer.ends_with("\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
        "{answer}"
    );
    let both = limit + defaults.close_timeout;
    assert!(began.elapsed() <= both + Duration::from_secs(1));

    // A server that sends nothing, and one that reads nothing.
    for capacity in [1 << 10, 1] {
        let (stream, _peer) = duplex(capacity);
        let began = tokio::time::Instant::now();
        let error = connect_over(stream, "ws://h/").await.unwrap_err();
        assert!(
            matches!(error, Error::Timeout(Deadline::Handshake)),
            "{error}"
        );
        assert!(began.elapsed() <= limit + Duration::from_millis(2));
    }
}

/// A refusal is returned even if its content does not arrive completely.
#[tokio::test(start_paused = true)]
async fn a_refusal_with_missing_content_is_returned_at_the_deadline() {
    let (stream, mut peer) = duplex(1 << 10);
    let answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nno s";
    peer.write_all(answer).await.unwrap();
    let began = tokio::time::Instant::now();
    let error = connect_over(stream, "ws://h/").await.unwrap_err();
    let Error::Handshake(HandshakeError::Refused(response)) = error else {
        panic!("{error}");
    };
    assert_eq!((response.status(), response.content()), (403, &b"no s"[..]));
    assert!(began.elapsed() >= config(|_| {}).handshake_timeout);
}
