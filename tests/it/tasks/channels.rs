//! Channels for async tasks.
#![expect(
    clippy::unwrap_used,
    reason = "a test that stops there says where and why"
)]
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::future::Future;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tickwire::channels::{
    AcceptOptions, Channel, ChannelConfig, ChannelFailure, ChannelSocket, ErrorCode, Mode,
    OpenOptions, SUBPROTOCOL,
};
use tickwire::handshake::{Accept, HandshakeError};
use tickwire::{Connector, Error, Listener, OwnedMessage};

use crate::reactor::channels_fixture::{drained, start};
use crate::reactor::fixture::{LONG, On};

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { tokio::time::timeout(LONG, future).await.expect("in time") })
}

/// A server on its own thread. `serve` handles one listener.
fn server<T, F>(serve: impl FnOnce(Listener) -> F + Send + 'static) -> (SocketAddr, JoinHandle<T>)
where
    F: Future<Output = T>,
    T: Send + 'static,
{
    let (tell, told) = mpsc::channel();
    let thread = thread::spawn(move || {
        run(async {
            let listener = Listener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            serve(listener).await
        })
    });
    (told.recv().unwrap(), thread)
}

fn url(addr: SocketAddr) -> String {
    format!("ws://{addr}/")
}

async fn echo(mut channel: Channel) {
    while let Ok(Some(message)) = channel.recv().await {
        if channel.send(&message).await.is_err() {
            return;
        }
    }
    let _ = channel.finish();
}

/// Accepts channels and echoes messages until the peer ends.
async fn serve(listener: Listener) -> ChannelFailure {
    let incoming = listener.accept().await.unwrap();
    let session = ChannelSocket::accept_from(incoming, ChannelConfig::default());
    let session = session.await.unwrap();
    while let Some(offer) = session.accept().await {
        tokio::spawn(echo(offer.accept(AcceptOptions::new()).unwrap()));
    }
    session.closed().await
}

/// The payload of message `n` of a channel. Sizes cover every way in which a message is sent.
fn payload(seed: usize, n: usize) -> Vec<u8> {
    let len = [0, 40, 125, 4000, 30_000][(seed + n) % 5];
    (0..len).map(|i| (seed * 7 + n + i) as u8).collect()
}

/// Sends in one task and receives in another, on each of many channels.
async fn talk(session: &ChannelSocket, channels: usize, messages: usize) {
    let mut tasks = Vec::new();
    for seed in 0..channels {
        let channel = session.open(OpenOptions::new(seed.to_string())).unwrap();
        let (mut sender, mut receiver) = channel.split();
        tasks.push(tokio::spawn(async move {
            for n in 0..messages {
                sender.send(&payload(seed, n)).await.unwrap();
            }
            sender.finish().unwrap();
        }));
        tasks.push(tokio::spawn(async move {
            for n in 0..messages {
                let got = receiver.recv().await.unwrap().unwrap();
                assert_eq!(got.seq(), n as u64);
                assert!(*got == payload(seed, n)[..], "message {n} of {seed}");
            }
            assert!(receiver.recv().await.unwrap().is_none());
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[test]
fn a_hundred_channels_share_one_socket() {
    let (addr, served) = server(serve);
    run(async {
        let session = ChannelSocket::connect(&url(addr)).await.unwrap();
        talk(&session, 100, 50).await;
        assert!(session.rtt().is_some());
        session.drain(ErrorCode::NO_ERROR);
        assert_eq!(session.closed().await, drained(false));
    });
    assert_eq!(served.join().unwrap(), drained(true));
}

/// The reactor at the other end uses the same protocol.
#[test]
fn tasks_and_a_reactor_interoperate() {
    for on in [On::Mio, On::Tokio] {
        let (there, _log) = start(on, ChannelConfig::default(), |_| {});
        run(async {
            let session = ChannelSocket::connect(&url(there.addr)).await.unwrap();
            talk(&session, 20, 30).await;
            session.drain(ErrorCode::NO_ERROR);
            assert_eq!(session.closed().await, drained(false));
        });
    }
}

#[test]
fn a_conflated_channel_delivers_the_newest_message() {
    let (addr, served) = server(async |listener: Listener| {
        let incoming = listener.accept().await.unwrap();
        let session = ChannelSocket::accept_from(incoming, ChannelConfig::default());
        let session = session.await.unwrap();
        let offer = session.accept().await.unwrap();
        let mut quotes = offer.accept(AcceptOptions::new()).unwrap();
        let (mut last, mut counted) = ([0; 8], 0);
        while let Some(got) = quotes.recv().await.unwrap() {
            let n = u64::from_le_bytes(got[..8].try_into().unwrap());
            last[(n % 8) as usize] = n;
            counted += 1 + got.skipped();
        }
        (last, counted)
    });
    run(async {
        let session = ChannelSocket::connect(&url(addr)).await.unwrap();
        let options = OpenOptions::new("quotes").mode(Mode::Conflated);
        let mut quotes = session.open(options).unwrap();
        for n in 0..20_000_u64 {
            let mut quote = [0; 200];
            quote[..8].copy_from_slice(&n.to_le_bytes());
            quotes.send_keyed(n % 8, &quote).await.unwrap();
        }
        quotes.finish().unwrap();
        session.drain(ErrorCode::NO_ERROR);
        session.closed().await;
    });
    let (last, counted) = served.join().unwrap();
    assert_eq!(counted, 20_000);
    assert_eq!(last, [0, 1, 2, 3, 4, 5, 6, 7].map(|n| 19_992 + n));
}

fn is_needed(error: &Error) -> bool {
    matches!(error, Error::Handshake(HandshakeError::SubprotocolNeeded(names)) if *names == [SUBPROTOCOL])
}

#[test]
fn a_server_without_the_subprotocol_is_refused() {
    let (addr, served) = server(async |listener: Listener| {
        let mut ws = listener.accept().await.unwrap().accept().await.unwrap();
        let received = ws.recv().await;
        (
            received.is_ok_and(|message| matches!(message, Some(OwnedMessage::Close(_)))),
            ws.end(),
        )
    });
    // The runtime ends with the error, as a program's does that returns it from `main`.
    run(async {
        let error = ChannelSocket::connect(&url(addr)).await.unwrap_err();
        let Error::Handshake(HandshakeError::SubprotocolNotAgreed {
            needed,
            agreed: None,
        }) = &error
        else {
            panic!("{error}");
        };
        assert_eq!(*needed, SUBPROTOCOL);
        for part in [
            "the server chose none",
            " instead of tickwire.mux.v1; connect to a server and path",
        ] {
            assert!(error.to_string().contains(part), "{error}");
        }
    });
    let (closed, end) = served.join().unwrap();
    assert!(closed, "{end:?}");
}

#[test]
fn a_client_without_the_subprotocol_is_refused() {
    let (addr, served) = server(async |listener: Listener| {
        let incoming = listener.accept().await.unwrap();
        ChannelSocket::accept_from(incoming, ChannelConfig::default()).await
    });
    let mut client = TcpStream::connect(addr).unwrap();
    client
        .write_all(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        )
        .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    drop(client);
    let body = answer.split("\r\n\r\n").nth(1).unwrap();
    assert!(body.contains(SUBPROTOCOL), "{answer}");
    assert!(is_needed(&served.join().unwrap().unwrap_err()));
}

/// A connector offers other sub-protocols, or already offers this one. A server looks at the
/// request first.
#[test]
fn other_subprotocols_can_be_offered_too() {
    for own in ["ticks.v1", SUBPROTOCOL] {
        let (addr, served) = server(async |listener: Listener| {
            let upgrade = listener.accept().await.unwrap().request().await.unwrap();
            let offered: Vec<_> = upgrade
                .request()
                .subprotocols()
                .map(str::to_owned)
                .collect();
            let accept = Accept::new().header("X-Seat", "17").unwrap();
            let session = ChannelSocket::accept_upgrade(upgrade, &accept, ChannelConfig::default());
            session.await.unwrap().closed().await;
            offered
        });
        run(async {
            let options = tickwire::handshake::ClientOptions::new()
                .subprotocol(own)
                .unwrap();
            let connector = Connector::new().options(options);
            let url = url(addr);
            let session = ChannelSocket::connect_with(&connector, &url, ChannelConfig::default());
            session.await.unwrap().ready().await.unwrap();
        });
        let offered = served.join().unwrap();
        let expected: &[&str] = if own == SUBPROTOCOL {
            &[SUBPROTOCOL]
        } else {
            &["ticks.v1", SUBPROTOCOL]
        };
        assert_eq!(offered, expected);
    }
}

/// The process at the other end of the socket dies.
#[test]
fn a_lost_socket_ends_the_connection_and_its_channels() {
    let (addr, served) = server(async |listener: Listener| {
        let incoming = listener.accept().await.unwrap();
        let session = ChannelSocket::accept_from(incoming, ChannelConfig::default());
        let session = session.await.unwrap();
        session.ready().await.unwrap();
        // The runtime ends here, and the connection with it.
    });
    run(async {
        let session = ChannelSocket::connect(&url(addr)).await.unwrap();
        let mut channel = session.open(OpenOptions::new("x")).unwrap();
        while channel.send(&[0; 1000]).await.is_ok() {}
        assert!(channel.recv().await.is_err());
        session.closed().await;
    });
    served.join().unwrap();
}
