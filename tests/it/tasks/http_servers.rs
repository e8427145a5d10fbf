//! WebSockets in servers of axum and hyper, over real sockets.
#![expect(
    clippy::unwrap_used,
    reason = "a test that stops there says where and why"
)]
#![cfg(feature = "axum")]

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::mpsc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::response::Response;
use axum::routing::any;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tickwire::axum::WebSocketUpgrade;
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelSocket, ErrorCode, OpenOptions, SUBPROTOCOL,
};
use tickwire::handshake::{
    Accept, ClientOptions, HandshakeError, HandshakeUsage, Origins, Request,
};
use tickwire::hyper::{UpgradedStream, refuse, upgrade};
use tickwire::{CloseCode, Config, Connector, Error, Message, OwnedMessage, WebSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::reactor::fixture::LONG;

const LINES: [&str; 5] = [
    "Host: h",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];
const KEY: &str = "Sec-WebSocket-Key";
const OURS: [&str; 2] = ["ticks.v2", "ticks.v1"];
const ORIGIN: &str = "https://app.example";

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { tokio::time::timeout(LONG, future).await.expect("in time") })
}

/// The servers that are compared: `/echo` and `/channels` on each.
#[derive(Clone, Copy, Debug)]
enum Server {
    Axum,
    Hyper,
}

const SERVERS: [Server; 2] = [Server::Axum, Server::Hyper];

impl Server {
    async fn start(self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        match self {
            Self::Axum => tokio::spawn(async { axum::serve(listener, router()).await.unwrap() }),
            Self::Hyper => tokio::spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    tokio::spawn(serve_hyper(stream));
                }
            }),
        };
        addr
    }
}

fn router() -> Router {
    let echo_route = any(async |upgrade: WebSocketUpgrade| -> Response {
        upgrade
            .subprotocols(OURS)
            .origins(Origins::new([ORIGIN]).unwrap())
            .on_upgrade(echo)
    });
    let channels_route = any(async |upgrade: WebSocketUpgrade| -> Response {
        upgrade.on_upgrade_channels(ChannelConfig::default(), echo_channels)
    });
    Router::new()
        .route("/echo", echo_route)
        .route("/channels", channels_route)
}

async fn serve_hyper<S>(stream: S)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let answer = service_fn(async |mut request: http::Request<_>| {
        let response = answer_hyper(&mut request);
        let response = response.unwrap_or_else(|error| refuse(&error.refusal()));
        let text = |bytes: bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        Ok::<_, Infallible>(response.map(text))
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades();
    // A client that leaves early is no fault of the server.
    let _ = connection.await;
}

fn answer_hyper<B>(
    request: &mut http::Request<B>,
) -> Result<http::Response<bytes::Bytes>, HandshakeError> {
    let read = Request::try_from(&*request)?;
    if read.path() == "/channels" {
        read.require_subprotocol([SUBPROTOCOL])?;
        let (response, upgrading) = upgrade(request, &Accept::new().subprotocol(SUBPROTOCOL))?;
        tokio::spawn(async {
            let (config, channels) = (Config::default(), ChannelConfig::default());
            echo_channels(upgrading.open_channels(config, channels).await.unwrap()).await;
        });
        return Ok(response);
    }
    Origins::new([ORIGIN])?.check(&read)?;
    let chosen = read.choose_subprotocol(OURS);
    let accept = chosen.map_or(Accept::new(), |name| Accept::new().subprotocol(name));
    let (response, upgrading) = upgrade(request, &accept)?;
    tokio::spawn(async { echo(upgrading.open(Config::default()).await.unwrap()).await });
    Ok(response)
}

/// Says what was agreed on and on which kind of stream, then echoes.
async fn echo(mut ws: WebSocket<UpgradedStream>) {
    let stream = match (ws.stream().tcp(), ws.stream().unix()) {
        (Some(tcp), None) => format!("tcp, nodelay {}", tcp.nodelay().unwrap()),
        (None, Some(_)) => "unix".to_owned(),
        _ => "other".to_owned(),
    };
    let hello = format!("{:?} on {stream}", ws.subprotocol());
    ws.send_text(&hello).await.unwrap();
    while let Ok(Some((messages, outbox))) = ws.recv_batch().await {
        for message in messages {
            if let Message::Binary(payload) = message {
                outbox.send(payload).unwrap();
            }
        }
    }
}

/// Echoes on the channels that the client opens, and says something on one of its own.
async fn echo_channels(socket: ChannelSocket) {
    let mut own = socket.open(OpenOptions::new("news")).unwrap();
    own.send(b"from the server").await.unwrap();
    own.finish().unwrap();
    while let Some(offer) = socket.accept().await {
        let mut channel = offer.accept(AcceptOptions::new()).unwrap();
        tokio::spawn(async move {
            while let Ok(Some(message)) = channel.recv().await {
                channel.send(&message).await.unwrap();
            }
            channel.finish().unwrap();
        });
    }
}

fn request(first: &str, lines: &[&str]) -> String {
    format!("{first}\r\n{}\r\n\r\n", lines.join("\r\n"))
}

/// The good lines without those that begin with `without`, and with others.
fn lines_but<'a>(without: &str, with: &[&'a str]) -> Vec<&'a str> {
    let kept = LINES.into_iter().filter(|line| !line.starts_with(without));
    kept.chain(with.iter().copied()).collect()
}

/// The head of the answer, and the connection.
async fn ask(addr: SocketAddr, bytes: &[u8]) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    (String::from_utf8(head).unwrap(), stream)
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

fn has_line(head: &str, name: &str, value: &str) -> bool {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.any(|(n, v)| n.eq_ignore_ascii_case(name) && v.eq_ignore_ascii_case(value))
}

async fn is_echoed<S>(ws: &mut WebSocket<S>, hello: &str)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let text = OwnedMessage::Text(hello.into());
    assert_eq!(ws.recv().await.unwrap(), Some(text));
    let large = vec![7; 300_000];
    ws.send(&large).await.unwrap();
    let echoed = ws.recv().await.unwrap();
    assert_eq!(echoed, Some(OwnedMessage::Binary(large.into())));
    ws.close(CloseCode::NORMAL, "").await.unwrap();
}

#[test]
fn a_connection_with_the_agreed_subprotocol() {
    for (offered, agreed) in [
        (&[][..], None),
        (&["other"], None),
        (&["other", "ticks.v1"], Some("ticks.v1")),
        // The server's favourite.
        (&["ticks.v1", "ticks.v2"], Some("ticks.v2")),
    ] {
        for server in SERVERS {
            run(async {
                let mut options = ClientOptions::new();
                for name in offered {
                    options = options.subprotocol(*name).unwrap();
                }
                let url = format!("ws://{}/echo", server.start().await);
                let mut ws = Connector::new()
                    .options(options)
                    .connect(&url)
                    .await
                    .unwrap();
                assert_eq!(ws.subprotocol(), agreed, "{server:?}");
                is_echoed(&mut ws, &format!("{agreed:?} on tcp, nodelay true")).await;
            });
        }
    }
}

#[test]
fn a_client_of_tungstenite() {
    for server in SERVERS {
        run(async {
            let addr = server.start().await;
            let talk = move || {
                let stream = std::net::TcpStream::connect(addr).unwrap();
                let (mut ws, answer) =
                    tungstenite::client(format!("ws://{addr}/echo"), stream).unwrap();
                assert_eq!(answer.status(), 101);
                let hello = ws.read().unwrap();
                assert_eq!(hello.to_text().unwrap(), "None on tcp, nodelay true");
                ws.send(tungstenite::Message::binary(&b"tick"[..])).unwrap();
                assert_eq!(ws.read().unwrap().into_data(), &b"tick"[..]);
                ws.close(None).unwrap();
                while ws.read().is_ok() {}
            };
            tokio::task::spawn_blocking(talk).await.unwrap();
        });
    }
}

#[test]
fn only_pages_of_listed_origins_connect() {
    for server in SERVERS {
        run(async {
            let addr = server.start().await;
            for (line, expected) in [
                (None, 101),
                (Some("Origin: https://app.example"), 101),
                (Some("Origin: https://evil.example"), 403),
                (Some("Origin: http://app.example"), 403),
                (Some("Origin: https://app.example:8443"), 403),
                (Some("Origin: https://app.example.evil.example"), 403),
                (Some("Origin: null"), 403),
            ] {
                let lines: Vec<_> = LINES.into_iter().chain(line).collect();
                let (head, _) = ask(addr, request("GET /echo HTTP/1.1", &lines).as_bytes()).await;
                assert_eq!(status(&head), expected, "{server:?} {line:?}: {head}");
            }
        });
    }
}

/// A line that replaces those with its beginning (a line more, after `-`), and what is wrong then.
const BAD_LINES: [(&str, &str, HandshakeError); 11] = {
    use HandshakeError as E;
    [
        ("Upgrade", "A: b", E::Upgrade),
        ("Upgrade", "Upgrade: h2c", E::Upgrade),
        ("Sec-WebSocket-Version", "A: b", E::Version),
        (
            "Sec-WebSocket-Version",
            "Sec-WebSocket-Version: 8",
            E::Version,
        ),
        ("Connection", "Connection: keep-alive", E::Connection),
        (KEY, "A: b", E::MissingHeader(KEY)),
        (KEY, "Sec-WebSocket-Key: c2hvcnQ=", E::Key),
        ("-", LINES[3], E::DuplicateHeader(KEY)),
        ("Host", "A: b", E::MissingHeader("Host")),
        ("-", "Content-Length: 1", E::Body),
        ("-", "Sec-WebSocket-Protocol: a b", E::Subprotocol),
    ]
};

/// First lines, each with the good lines, and what is wrong with that.
fn bad_first_lines() -> [(&'static str, HandshakeError); 5] {
    use HandshakeError as E;
    [
        ("POST /echo HTTP/1.1", E::Method),
        ("FETCH /echo HTTP/1.1", E::MethodUnknown),
        ("GET /echo HTTP/1.0", E::HttpVersion),
        ("HEAD /echo HTTP/1.1", E::HeadMethod(Box::new(E::Upgrade))),
        (
            "GET /channels HTTP/1.1",
            E::SubprotocolNeeded(vec![SUBPROTOCOL.to_owned()]),
        ),
    ]
}

/// What is answered is what a server of ours answers, but for what the HTTP server says itself.
#[test]
fn bad_requests_are_refused_as_by_the_handshake() {
    let lines = BAD_LINES.map(|(without, with, error)| {
        let lines = lines_but(without, &[with]);
        ("GET /echo HTTP/1.1", lines, error)
    });
    let firsts = bad_first_lines().map(|(first, error)| (first, LINES.to_vec(), error));
    let rows: Vec<_> = lines.into_iter().chain(firsts).collect();
    for server in SERVERS {
        run(async {
            let addr = server.start().await;
            for (first, lines, error) in &rows {
                let (head, mut stream) = ask(addr, request(first, lines).as_bytes()).await;
                let refusal = error.refusal();
                let what = format!("{server:?} {error:?}: {head}");
                assert_eq!(status(&head), refusal.status(), "{what}");
                for (name, value) in refusal.headers() {
                    assert!(has_line(&head, name, value), "{name} of {what}");
                }
                let switches = has_line(&head, "Connection", "upgrade");
                assert_eq!(switches, refusal.status() == 426, "{what}");
                if !first.starts_with("HEAD") {
                    let mut body = vec![0; refusal.content().len()];
                    stream.read_exact(&mut body).await.unwrap();
                    assert_eq!(body, refusal.content(), "{what}");
                }
            }
        });
    }
}

/// The server's log can name the origin of the page and the sub-protocols that were missing.
#[test]
fn axum_reports_refused_clients() {
    run(async {
        let (log, mut logged) = tokio::sync::mpsc::unbounded_channel();
        let route = |upgrade: fn(WebSocketUpgrade) -> WebSocketUpgrade| {
            let log = log.clone();
            any(async move |taken: WebSocketUpgrade| -> Response {
                let told = move |error| log.send(error).expect("the test waits");
                upgrade(taken).on_failed_upgrade(told).on_upgrade(echo)
            })
        };
        let channels_log = log.clone();
        let channels = any(async move |upgrade: WebSocketUpgrade| -> Response {
            let told = move |error| channels_log.send(error).expect("the test waits");
            let upgrade = upgrade.on_failed_upgrade(told);
            upgrade.on_upgrade_channels(ChannelConfig::default(), echo_channels)
        });
        let router = Router::new()
            .route("/origin", route(|u| u.origins(Origins::default())))
            .route("/needed", route(|u| u.require_subprotocols(OURS)))
            .route("/channels", channels);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        let needed = |names: &[&str]| {
            HandshakeError::SubprotocolNeeded(names.iter().map(|&n| n.to_owned()).collect())
        };
        let origin = "https://evil.example";
        for (path, error) in [
            (
                "origin",
                HandshakeError::OriginNotAllowed(origin.to_owned()),
            ),
            ("needed", needed(&OURS)),
            ("channels", needed(&[SUBPROTOCOL])),
        ] {
            let first = format!("GET /{path} HTTP/1.1");
            let line = format!("Origin: {origin}");
            let lines: Vec<_> = LINES.into_iter().chain([line.as_str()]).collect();
            let (head, _) = ask(addr, request(&first, &lines).as_bytes()).await;
            assert_eq!(status(&head), error.status(), "{head}");
            match logged.recv().await {
                Some(tickwire::Error::Handshake(told)) => assert_eq!(told, error),
                other => panic!("{path}: {other:?}"),
            }
        }
        // The first one that is offered.
        let line = "Sec-WebSocket-Protocol: ticks.v1, ticks.v2";
        let lines: Vec<_> = LINES.into_iter().chain([line]).collect();
        let (head, _) = ask(addr, request("GET /needed HTTP/1.1", &lines).as_bytes()).await;
        assert!(
            has_line(&head, "Sec-WebSocket-Protocol", "ticks.v2"),
            "{head}"
        );
    });
}

#[test]
fn channels_in_both_directions() {
    for server in SERVERS {
        run(async {
            let url = format!("ws://{}/channels", server.start().await);
            let socket = ChannelSocket::connect(&url).await.unwrap();
            let mut orders = socket.open(OpenOptions::new("orders")).unwrap();
            for n in 0..2_000_u32 {
                orders.send(&n.to_le_bytes()).await.unwrap();
                assert_eq!(&orders.recv().await.unwrap().unwrap()[..], n.to_le_bytes());
            }
            orders.finish().unwrap();
            assert!(orders.recv().await.unwrap().is_none());
            let news = socket.accept().await.unwrap();
            let mut news = news.accept(AcceptOptions::new()).unwrap();
            let said = news.recv().await.unwrap().unwrap();
            assert_eq!(&said[..], b"from the server");
            assert!(news.recv().await.unwrap().is_none());
            socket.drain(ErrorCode::NO_ERROR);
            assert_eq!(
                socket.closed().await.code(),
                ErrorCode::NO_ERROR,
                "{server:?}"
            );
        });
    }
}

/// The HTTP server reads them with the head.
#[test]
fn frames_behind_the_head_are_not_lost() {
    for server in SERVERS {
        run(async {
            let addr = server.start().await;
            let mut bytes = request("GET /echo HTTP/1.1", &LINES).into_bytes();
            bytes.extend_from_slice(b"\x82\x84\0\0\0\0tick\x88\x82\0\0\0\0\x03\xe8");
            let (head, mut stream) = ask(addr, &bytes).await;
            assert!(has_line(
                &head,
                "Sec-WebSocket-Accept",
                "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
            ));
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.unwrap();
            assert!(rest.ends_with(b"\x82\x04tick\x88\x02\x03\xe8"), "{rest:?}");
        });
    }
}

#[test]
fn other_streams_than_tcp() {
    run(async {
        let name = format!("tickwire-http-servers-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let listener = UnixListener::bind(&path).unwrap();
        tokio::spawn(async { axum::serve(listener, router()).await.unwrap() });
        let stream = UnixStream::connect(&path).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut ws = tickwire::connect_over(stream, "ws://h/echo").await.unwrap();
        is_echoed(&mut ws, "None on unix").await;

        // As TLS is: a type that hyper alone knows.
        let (ours, theirs) = tokio::io::duplex(1000);
        tokio::spawn(serve_hyper(theirs));
        let mut ws = tickwire::connect_over(ours, "ws://h/echo").await.unwrap();
        is_echoed(&mut ws, "None on other").await;
    });
}

fn parts(version: http::Version, method: &str) -> http::request::Parts {
    let mut request = http::Request::builder().method(method).version(version);
    for line in LINES {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    request.uri("/").body(()).unwrap().into_parts().0
}

#[test]
fn requests_without_an_upgrade() {
    run(async {
        for (version, method, error, status) in [
            // Of a server without upgrades: the program's mistake, of which the client learns nothing.
            (
                http::Version::HTTP_11,
                "GET",
                HandshakeUsage::NotUpgradable.into(),
                500,
            ),
            // Extended CONNECT of RFC 8441.
            (http::Version::HTTP_2, "CONNECT", HandshakeError::Http2, 505),
            (http::Version::HTTP_2, "GET", HandshakeError::Http2, 505),
            (
                http::Version::HTTP_3,
                "GET",
                HandshakeError::HttpVersion,
                505,
            ),
        ] {
            let mut parts = parts(version, method);
            let refused = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
            assert_eq!(refused.unwrap_err(), error, "{version:?} {method}");
            let mut request = http::Request::from_parts(parts, ());
            let refused = upgrade(&mut request, &Accept::new()).unwrap_err();
            assert_eq!(refused, error);
            assert_eq!(refused.status(), status);
        }
    });
}

/// Answered before there is a connection, and told to the application.
#[test]
fn a_config_that_cannot_work() {
    let (sender, errors) = mpsc::channel();
    let told = sender.clone();
    let plain = any(async move |upgrade: WebSocketUpgrade| -> Response {
        let config = Config::default().message_bytes_max(0);
        upgrade
            .config(config)
            .on_failed_upgrade(move |error| told.send(error).unwrap())
            .on_upgrade(async |_| unreachable!("it is not opened"))
    });
    let channels = any(async move |upgrade: WebSocketUpgrade| -> Response {
        let config = Config::default().send_queue_bytes_max(1024);
        upgrade
            .config(config)
            .on_failed_upgrade(move |error| sender.send(error).unwrap())
            .on_upgrade_channels(ChannelConfig::default(), async |_| {
                unreachable!("it is not opened")
            })
    });
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/plain", plain)
            .route("/channels", channels);
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        let lines = lines_but("-", &["Sec-WebSocket-Protocol: tickwire.mux.v1"]);
        for path in ["/plain", "/channels"] {
            let first = format!("GET {path} HTTP/1.1");
            let (head, _) = ask(addr, request(&first, &lines).as_bytes()).await;
            assert_eq!(status(&head), 500, "{head}");
            let error = errors.recv_timeout(LONG).unwrap();
            assert!(matches!(error, Error::Config(_)), "{error}");
        }
    });
}

/// The client is gone before the server can answer.
#[test]
fn a_connection_that_ends_before_it_opens() {
    let (sender, errors) = mpsc::channel();
    run(async {
        let mut request = http::Request::from_parts(parts(http::Version::HTTP_11, "GET"), ());
        let (ours, theirs) = tokio::io::duplex(1000);
        let (tell, told) = tokio::sync::oneshot::channel();
        let tell = std::sync::Mutex::new(Some(tell));
        let take = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
            let on = request
                .extensions_mut()
                .remove::<hyper::upgrade::OnUpgrade>();
            let tell = tell.lock().unwrap().take().unwrap();
            tell.send(on.unwrap()).unwrap();
            // Never answered: the connection is dropped.
            std::future::pending::<Result<http::Response<String>, Infallible>>()
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(theirs), take)
            .with_upgrades();
        let serving = tokio::spawn(connection);
        let mut ours = ours;
        let bytes = self::request("GET / HTTP/1.1", &LINES);
        ours.write_all(bytes.as_bytes()).await.unwrap();
        request.extensions_mut().insert(told.await.unwrap());
        let (mut parts, ()) = request.into_parts();
        let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
        let response = upgrade
            .unwrap()
            .on_failed_upgrade(move |error| sender.send(error).unwrap())
            .on_upgrade(async |_| unreachable!("it is not opened"));
        assert_eq!(response.status(), 101);
        serving.abort();
        let error = tokio::task::spawn_blocking(move || errors.recv_timeout(LONG).unwrap());
        assert!(matches!(error.await.unwrap(), Error::Io(_)));
    });
}
