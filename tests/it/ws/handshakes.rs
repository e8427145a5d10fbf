//! Every driver treats requests and responses exactly like the `handshake` module alone.
#![expect(
    clippy::unwrap_used,
    reason = "a test that stops there says where and why"
)]
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::future::Future;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tickwire::channels::{self, ChannelSocket, SUBPROTOCOL};
use tickwire::handshake::{
    ClientHandshake, ClientOptions, HandshakeError, HandshakeUsage, HeadLimits, Refusal, Request,
};
use tickwire::{Connector, Error, Listener};

use crate::reactor::channels_fixture::{self, Seen};
use crate::reactor::fixture::{Event, LONG, On, calm, serve};
use crate::reactor::raw_peer::{Got, Peer, REQUEST};

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { tokio::time::timeout(LONG, future).await.expect("in time") })
}

/// Requests that are refused: each rule of a request head once, for GET and for HEAD.
fn requests() -> Vec<String> {
    let fields = REQUEST.split_once("\r\n").unwrap().1;
    let but = |from: &str, to: &str| {
        assert!(REQUEST.contains(from), "{from}");
        REQUEST.replacen(from, to, 1)
    };
    let mut requests = vec![
        "\x16\x03\x01".into(),
        format!("POST /feed HTTP/1.1\r\n{fields}"),
        format!("OPTIONS * HTTP/1.1\r\n{fields}"),
        format!("CONNECT h:80 HTTP/1.1\r\n{fields}"),
        format!("BREW /feed HTTP/1.1\r\n{fields}"),
        format!("get /feed HTTP/1.1\r\n{fields}"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(),
        format!("HEAD /feed HTTP/1.1\r\n{fields}"),
    ];
    let bad = [
        but("HTTP/1.1", "HTTP/1.0"),
        but("HTTP/1.1", "HTTP/2.0"),
        but("/feed", "/%zz"),
        but("/feed", "/a|b"),
        but("/feed", "*"),
        but("/feed", "h:80"),
        but("/feed", "http://u@h/"),
        but("/feed", &format!("/{}", "a".repeat(20_000))),
        but("Host: localhost\r\n", ""),
        but("Host: localhost", "Host: a\r\nHost: b"),
        but("Host: localhost", "Host: a:0"),
        but("Upgrade: websocket\r\n", ""),
        but("Connection: Upgrade", "Connection: close"),
        but("Version: 13", "Version: 8"),
        but("dGhlIHNhbXBsZSBub25jZQ==", "AAAA"),
        but("\r\n\r\n", "\r\nContent-Length: 3\r\n\r\nabc"),
        but(
            "\r\n\r\n",
            "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        but("\r\n\r\n", "\r\nX: a\r\n b\r\n\r\n"),
        but("\r\n\r\n", "\r\nX : a\r\n\r\n"),
        but("\r\n\r\n", "\nX: a\r\n\r\n"),
        but(
            "\r\n\r\n",
            &format!("\r\nX: {}\r\n\r\n", "a".repeat(20_000)),
        ),
    ];
    requests.extend(bad.iter().map(|request| request.replacen("GET", "HEAD", 1)));
    requests.extend(bad);
    requests
}

/// The response of a server that uses the `handshake` module alone.
fn alone(request: &str) -> (HandshakeError, String) {
    let error = Request::parse(request.as_bytes(), &HeadLimits::default()).unwrap_err();
    let answer = String::from_utf8(error.refusal().encode()).unwrap();
    (error, answer)
}

/// The whole response without its date, which must be there.
fn ask(addr: SocketAddr, request: &str) -> String {
    let mut peer = Peer::dial(addr);
    peer.write(request.as_bytes());
    let (answer, end) = peer.rest();
    assert_eq!(end, Got::Eof, "{request:?}");
    let answer = String::from_utf8(answer).unwrap();
    let none = ClientOptions::new();
    let mut client = ClientHandshake::new("h", "/", &none, [0; 16]).unwrap();
    match client.parse(answer.as_bytes(), &HeadLimits::default()) {
        // The client did not send HEAD.
        Ok(None) => assert!(request.starts_with("HEAD"), "{answer}"),
        Err(HandshakeError::Refused(response)) => assert!(response.date().is_some(), "{answer}"),
        other => panic!("{other:?} of {answer}"),
    }
    let (date, rest) = answer.split_once("\r\nDate: ").unwrap();
    assert!(!rest.contains("Date: "), "{answer}");
    format!("{date}\r\n{}", rest.split_once("\r\n").unwrap().1)
}

fn assert_answers(addr: SocketAddr, mut told: impl FnMut() -> HandshakeError) {
    for request in requests() {
        let (error, answer) = alone(&request);
        assert_eq!(ask(addr, &request), answer, "{request:?}");
        assert_eq!(told(), error, "{request:?}");
    }
}

/// A listener for tasks on its own thread, and the results of its connections.
fn listening<F: Future<Output = Error>>(
    open: impl Fn(tickwire::Incoming<tokio::net::TcpStream>) -> F + Send + 'static,
    connections: usize,
) -> (SocketAddr, mpsc::Receiver<Error>, JoinHandle<()>) {
    let (tell, told) = mpsc::channel();
    let (error, errors) = mpsc::channel();
    let thread = thread::spawn(move || {
        run(async {
            let listener = Listener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            for _ in 0..connections {
                let incoming = listener.accept().await.unwrap();
                error.send(open(incoming).await).unwrap();
            }
        });
    });
    (told.recv_timeout(LONG).unwrap(), errors, thread)
}

fn handshake_error(error: Error) -> HandshakeError {
    match error {
        Error::Handshake(error) => error,
        other => panic!("{other}"),
    }
}

fn assert_tasks_answer<F: Future<Output = Error>>(
    open: impl Fn(tickwire::Incoming<tokio::net::TcpStream>) -> F + Send + 'static,
) {
    let (addr, errors, thread) = listening(open, requests().len());
    assert_answers(addr, || handshake_error(errors.recv_timeout(LONG).unwrap()));
    thread.join().unwrap();
}

#[test]
fn a_listener_responds_like_the_handshake() {
    assert_tasks_answer(async |incoming| incoming.accept().await.unwrap_err());
}

#[test]
fn accept_on_any_stream_responds_like_the_handshake() {
    assert_tasks_answer(async |incoming| {
        tickwire::accept(incoming.into_stream()).await.unwrap_err()
    });
}

#[test]
fn a_channel_socket_responds_like_the_handshake() {
    assert_tasks_answer(async |incoming| {
        let config = channels::ChannelConfig::default();
        ChannelSocket::accept_from(incoming, config)
            .await
            .unwrap_err()
    });
}

#[test]
fn reactors_respond_like_the_handshake() {
    for on in [On::Mio, On::Tokio] {
        let (server, events) = serve(on, calm(), |_| {});
        assert_answers(server.addr, || {
            events.find(|e| match e {
                Event::Rejected(error) => Some(error),
                other => panic!("{other:?}"),
            })
        });
        server.stop();
    }
}

#[test]
fn reactors_with_channels_respond_like_the_handshake() {
    for on in [On::Mio, On::Tokio] {
        let (server, log) = channels_fixture::start(on, channels::ChannelConfig::default(), |_| {});
        assert_answers(server.addr, || {
            log.find(|seen| match seen {
                Seen::Rejected(error) => Some(error),
                other => panic!("{other:?}"),
            })
        });
        server.stop();
    }
}

/// A request without the sub-protocol of channels is refused alike by tasks and by reactors.
#[test]
fn tasks_and_reactors_require_the_channel_subprotocol_alike() {
    let error = HandshakeError::SubprotocolNeeded(vec![SUBPROTOCOL.to_owned()]);
    let expected = String::from_utf8(error.refusal().encode()).unwrap();
    let open = async |incoming| {
        let config = channels::ChannelConfig::default();
        ChannelSocket::accept_from(incoming, config)
            .await
            .unwrap_err()
    };
    let (addr, errors, thread) = listening(open, 1);
    assert_eq!(ask(addr, REQUEST), expected);
    assert_eq!(handshake_error(errors.recv_timeout(LONG).unwrap()), error);
    thread.join().unwrap();
    for on in [On::Mio, On::Tokio] {
        let (server, _log) =
            channels_fixture::start(on, channels::ChannelConfig::default(), |_| {});
        assert_eq!(ask(server.addr, REQUEST), expected);
        server.stop();
    }
}

/// A 401 without a challenge is a mistake of the application, and a 500 for the client.
#[test]
fn a_refusal_without_a_required_header_is_a_500() {
    let expected: HandshakeError = HandshakeUsage::HeaderNeeded {
        status: 401,
        name: "WWW-Authenticate",
    }
    .into();
    let answer = String::from_utf8(expected.refusal().encode()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 500 "));
    fn refusal() -> Refusal {
        Refusal::new(401).unwrap()
    }
    let open = async |incoming: tickwire::Incoming<_>| {
        let upgrade = incoming.request().await.unwrap();
        upgrade.refuse(refusal()).await.unwrap_err()
    };
    let (addr, errors, thread) = listening(open, 1);
    assert_eq!(ask(addr, REQUEST), answer);
    assert_eq!(
        handshake_error(errors.recv_timeout(LONG).unwrap()),
        expected
    );
    thread.join().unwrap();
    for on in [On::Mio, On::Tokio] {
        let (server, events) = serve(on, calm(), |app| {
            app.on_request = Box::new(move |_| refusal().into());
        });
        assert_eq!(ask(server.addr, REQUEST), answer);
        match events.next() {
            Event::Rejected(error) => assert_eq!(error, expected),
            other => panic!("{other:?}"),
        }
        server.stop();
    }
}

/// Responses of servers that do not open the connection, each up to the end of the stream.
const ANSWERS: &[&str] = &[
    "HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n",
    "HTTP/1.1 401 x\r\nWWW-Authenticate: Basic\r\nContent-Length: 3\r\n\r\nwhy",
    "HTTP/1.1 401 x\r\nContent-Length: 30\r\n\r\ncut short",
    "HTTP/1.1 403 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nwhy\r\n0\r\n\r\n",
    "HTTP/1.1 403 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nwhy\r\n5\r\nnot",
    "HTTP/1.1 403 x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nwhy\r\n",
    "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 503 x\r\nRetry-After:\r\n 5\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.0 403 x\r\n\r\nto the end",
    "HTTP/1.1 204 x\r\n\r\n",
    "HTTP/1.0 101 x\r\n\r\n",
    "HTTP/1.1 403 x\r\nX : y\r\n\r\n",
    "HTTP/1.1 403 x\nX: y\r\n\r\n",
    "HTTP/1.1 403 x\r\n X: y\r\n\r\n",
    "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "SSH-2.0-x\r\n",
    "HTTP/1.1 40",
    "",
];

/// How a client that uses the `handshake` module alone understands a response. `None` if the stream
/// ends too early.
fn understood(answer: &str) -> Option<HandshakeError> {
    let none = ClientOptions::new();
    let mut client = ClientHandshake::new("h", "/", &none, [0; 16]).unwrap();
    match client.parse(answer.as_bytes(), &HeadLimits::default()) {
        Ok(None) => client.partial_refusal(),
        Ok(Some(_)) => panic!("{answer:?} opens"),
        Err(error) => Some(error),
    }
}

/// A server that sends the responses, one to each connection.
fn answering() -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let thread = thread::spawn(move || {
        for answer in ANSWERS {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(LONG)).unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let _ = stream.read_to_end(&mut request);
        }
    });
    (addr, thread)
}

fn assert_understands(mut connect: impl FnMut(SocketAddr) -> Error) {
    let (addr, thread) = answering();
    for answer in ANSWERS {
        match (connect(addr), understood(answer)) {
            (Error::Handshake(error), expected) => {
                assert_eq!(Some(error), expected, "{answer:?}");
            }
            (Error::Io(error), None) => {
                assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
            }
            other => panic!("{other:?} of {answer:?}"),
        }
    }
    thread.join().unwrap();
}

#[test]
fn task_clients_read_responses_like_the_handshake() {
    assert_understands(|addr| {
        run(async {
            tickwire::connect(&format!("ws://{addr}/"))
                .await
                .unwrap_err()
        })
    });
    assert_understands(|addr| {
        run(async {
            let stream = tokio::net::TcpStream::connect(addr).await.unwrap();
            tickwire::connect_over(stream, "wss://h/")
                .await
                .unwrap_err()
        })
    });
    assert_understands(|addr| {
        let connector = Connector::new();
        run(async { connector.connect_to(addr, "ws://h/").await.unwrap_err() })
    });
    assert_understands(|addr| {
        run(async {
            ChannelSocket::connect(&format!("ws://{addr}/"))
                .await
                .unwrap_err()
        })
    });
}

#[test]
fn reactor_clients_read_responses_like_the_handshake() {
    for on in [On::Mio, On::Tokio] {
        let (client, events) = serve(on, calm(), |_| {});
        assert_understands(|addr| {
            client.connect(addr, 1);
            match events.next() {
                Event::ConnectFailed(1, error) => error,
                other => panic!("{other:?}"),
            }
        });
        client.stop();
        let (client, log) = channels_fixture::start(on, channels::ChannelConfig::default(), |_| {});
        assert_understands(|addr| {
            channels_fixture::connect(&client, addr, 1);
            match log.next() {
                Seen::ConnectFailed(1, error) => error,
                other => panic!("{other:?}"),
            }
        });
        client.stop();
    }
}

/// Every client writes the same host and target of a URL.
#[test]
fn all_clients_write_a_url_alike() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let next = || {
        let (stream, _) = listener.accept().unwrap();
        let mut peer = Peer::over(stream, tickwire::Role::Server);
        let head = peer.head();
        let host = head.lines().nth(1).unwrap().to_string();
        (head.lines().next().unwrap().to_string(), host)
    };
    for (url, line, host) in [
        (
            "ws://example.com:/feed?",
            "GET /feed HTTP/1.1",
            "Host: example.com",
        ),
        (
            "ws://[::1]:080?a%20b",
            "GET /?a%20b HTTP/1.1",
            "Host: [::1]",
        ),
        ("WS://h:09001", "GET / HTTP/1.1", "Host: h:9001"),
    ] {
        let expected = (line.to_string(), host.to_string());
        let connecting = thread::spawn(move || {
            run(async { Connector::new().connect_to(addr, url).await.unwrap_err() })
        });
        assert_eq!(next(), expected);
        connecting.join().unwrap();
        let stream = TcpStream::connect(addr).unwrap();
        let shaking = thread::spawn(move || {
            run(async {
                stream.set_nonblocking(true).unwrap();
                let stream = tokio::net::TcpStream::from_std(stream).unwrap();
                tickwire::connect_over(stream, url).await.unwrap_err()
            })
        });
        assert_eq!(next(), expected);
        shaking.join().unwrap();
        for on in [On::Mio, On::Tokio] {
            let (client, _events) = serve(on, calm(), |_| {});
            client.connect_with(tickwire::reactor::Outgoing::at(addr, url).unwrap());
            assert_eq!(next(), expected);
            client.stop();
        }
    }
}
