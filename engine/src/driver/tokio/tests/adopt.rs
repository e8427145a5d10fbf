//! Connections that other libraries have upgraded, over real sockets, with frames sent right after
//! the request.

use hyper::body::Incoming;
use hyper::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::mpsc;

use super::*;
use crate::Error;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Server {
    Hyper,
    Auto,
}

/// Serves one request on `stream`; `upgrade` makes the response.
async fn serve<F>(
    server: Server,
    stream: TcpStream,
    upgrade: impl Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
) where
    F: Future<Output = Response<String>> + Send + 'static,
{
    let service = service_fn(move |request| {
        let answer = upgrade(request);
        async move { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    let io = TokioIo::new(stream);
    match server {
        Server::Hyper => {
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(io, service)
                .with_upgrades();
            connection.await.unwrap();
        }
        Server::Auto => {
            hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                .serve_connection_with_upgrades(io, service)
                .await
                .unwrap();
        }
    }
}

/// A raw client that sends its first frames together with the request.
async fn request_and_send(addr: std::net::SocketAddr) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let mut bytes = REQUEST.to_vec();
    bytes.extend_from_slice(&client_frame(2, b"glued"));
    bytes.extend_from_slice(&client_frame(8, &1000_u16.to_be_bytes()));
    stream.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let mut expected = server_frame(2, b"glued");
    expected.extend_from_slice(&server_frame(8, &1000_u16.to_be_bytes()));
    assert!(answer.starts_with(b"HTTP/1.1 101"));
    assert!(answer.ends_with(&expected), "{answer:?}");
}

fn answer_101(mut request: Request<Incoming>, sender: mpsc::Sender<Upgraded>) -> Response<String> {
    let upgrading = hyper::upgrade::on(&mut request);
    tokio::spawn(async move { sender.send(upgrading.await.unwrap()).await.unwrap() });
    let mut response = Response::new(String::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, "websocket".parse().unwrap());
    headers.insert(CONNECTION, "Upgrade".parse().unwrap());
    let proof = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    headers.insert(SEC_WEBSOCKET_ACCEPT, proof.parse().unwrap());
    response
}

#[tokio::test]
async fn connections_of_hyper_and_hyper_util_are_adopted() {
    for server in [Server::Hyper, Server::Auto] {
        for down_to_the_stream in [true, false] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let client = tokio::spawn(request_and_send(listener.local_addr().unwrap()));
            let (stream, _) = listener.accept().await.unwrap();
            let (sender, mut upgraded) = mpsc::channel(1);
            let serving = tokio::spawn(serve(server, stream, move |request| {
                let response = answer_101(request, sender.clone());
                async move { response }
            }));
            let upgraded = upgraded.recv().await.unwrap();
            let config = config(|_| {});
            // Another type of stream is an error, which holds the connection.
            let wrong = WebSocket::<UnixStream>::from_hyper(upgraded, Role::Server, config.clone());
            let Err(AdoptError::OtherStream(upgraded)) = wrong else {
                panic!("{wrong:?}");
            };
            let served: Result<(), Error> = if down_to_the_stream {
                let ws = WebSocket::<TcpStream>::from_hyper(upgraded, Role::Server, config);
                echo(&mut ws.unwrap()).await
            } else {
                let ws = WebSocket::over_hyper(upgraded, Role::Server, config);
                echo(&mut ws.unwrap()).await
            };
            served.unwrap();
            client.await.unwrap();
            serving.await.unwrap();
        }
    }
}

/// Channels need the sub-protocol of the response, which the application passes in.
#[tokio::test]
async fn channels_on_an_adopted_connection() {
    use crate::channels::{AcceptOptions, ChannelConfig, OpenOptions, SUBPROTOCOL};
    use crate::handshake::{Agreed, HandshakeUsage};

    let with_subprotocol = Agreed::new(Role::Server).with_subprotocol(SUBPROTOCOL);
    for agreed in [with_subprotocol, Role::Server.into()] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let client = tokio::spawn(async move { ChannelSocket::connect(&url).await });
        let (stream, _) = listener.accept().await.unwrap();
        let (sender, mut upgraded) = mpsc::channel(1);
        tokio::spawn(serve(Server::Hyper, stream, move |mut request| {
            let key = request.headers()["sec-websocket-key"].clone();
            let proof = crate::handshake::accept_key(key.as_bytes());
            let upgrading = hyper::upgrade::on(&mut request);
            let sender = sender.clone();
            tokio::spawn(async move { sender.send(upgrading.await.unwrap()).await.unwrap() });
            let response = Response::builder()
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .header(UPGRADE, "websocket")
                .header(CONNECTION, "Upgrade")
                .header(SEC_WEBSOCKET_ACCEPT, proof)
                .header("sec-websocket-protocol", SUBPROTOCOL)
                .body(String::new());
            async move { response.unwrap() }
        }));
        let upgraded = upgraded.recv().await.unwrap();
        let has_subprotocol = agreed.subprotocol().is_some();
        let ws = WebSocket::<TcpStream>::from_hyper(upgraded, agreed, Config::default()).unwrap();
        let started = ChannelSocket::start(ws, ChannelConfig::default());
        let client = client.await.unwrap().unwrap();
        if has_subprotocol {
            let server = started.unwrap();
            let mut ours = client.open(OpenOptions::new("x")).unwrap();
            ours.send(b"tick").await.unwrap();
            let theirs = server.accept().await.unwrap();
            let mut theirs = theirs.accept(AcceptOptions::new()).unwrap();
            assert_eq!(&theirs.recv().await.unwrap().unwrap()[..], b"tick");
        } else {
            let expected = HandshakeUsage::SubprotocolNotAgreed(SUBPROTOCOL);
            let error = started.unwrap_err();
            assert!(matches!(error, Error::Handshake(e) if e == expected.into()));
            assert!(client.ready().await.is_err());
        }
    }
}

#[cfg(feature = "fastwebsockets")]
#[tokio::test]
async fn connections_of_fastwebsockets_are_adopted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = tokio::spawn(request_and_send(listener.local_addr().unwrap()));
    let (stream, _) = listener.accept().await.unwrap();
    let (sender, mut upgraded) = mpsc::channel(1);
    let serving = tokio::spawn(serve(Server::Hyper, stream, move |mut request| {
        let (head, upgrading) = fastwebsockets::upgrade::upgrade(&mut request).unwrap();
        let sender = sender.clone();
        tokio::spawn(async move { sender.send(upgrading.await.unwrap()).await.unwrap_or(()) });
        async move { head.map(|_| String::new()) }
    }));
    let upgraded = upgraded.recv().await.unwrap();
    let ws = WebSocket::<TcpStream>::from_fastwebsockets(upgraded, Role::Server, config(|_| {}));
    echo(&mut ws.unwrap()).await.unwrap();
    client.await.unwrap();
    serving.await.unwrap();
}
