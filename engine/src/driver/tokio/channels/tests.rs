//! Two sessions, a pipe between them, and tokio's clock.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::*;
use crate::channels::{
    AcceptOptions, ChannelClaim, ChannelConfig, ChannelFailure, ChannelSendError, Direction,
    DrainEnd, ErrorCode, Mode, OpenError, OpenOptions, Resume, Resumption, SUBPROTOCOL,
    SharedFrame,
};
use crate::{Parts, Role, WebSocket};

mod cancel;
mod ends;
mod memory;
mod parting;
mod stall;
mod talk;
mod trying;
mod wakes;

/// Bytes of pipe each way: little, so that the driver meets a full one.
const PIPE_BYTES: usize = 4096;

/// On tokio's clock, which is paused: what takes that long never ends.
const NEVER: Duration = Duration::from_secs(3600);

fn socket<S>(stream: S, role: Role, subprotocol: Option<&str>) -> WebSocket<S> {
    let agreed = match subprotocol {
        Some(name) => crate::handshake::Agreed::new(role).with_subprotocol(name),
        None => crate::handshake::Agreed::new(role),
    };
    WebSocket::from_parts(Parts::new(stream, agreed), crate::Config::default()).unwrap()
}

fn session<S>(stream: S, role: Role, config: &ChannelConfig) -> ChannelSocket
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    ChannelSocket::start(socket(stream, role, Some(SUBPROTOCOL)), config.clone()).unwrap()
}

fn config(change: impl FnOnce(&mut ChannelConfig)) -> ChannelConfig {
    let mut config = ChannelConfig::default();
    change(&mut config);
    config
}

/// A client and a server.
fn pair(change: impl FnOnce(&mut ChannelConfig)) -> (ChannelSocket, ChannelSocket) {
    let config = config(change);
    let (a, b) = duplex(PIPE_BYTES);
    let client = session(a, Role::Client, &config);
    (client, session(b, Role::Server, &config))
}

/// A channel of the client's, accepted: the client's end and the server's.
async fn open(
    client: &ChannelSocket,
    server: &ChannelSocket,
    options: OpenOptions,
) -> (Channel, Channel) {
    let mut ours = client.open(options).unwrap();
    let offer = within(server.accept()).await.unwrap();
    let theirs = offer.accept(AcceptOptions::new()).unwrap();
    within(ours.accepted()).await.unwrap();
    (ours, theirs)
}

/// A drain with nothing wrong that came to its end.
fn drained(by_peer: bool) -> ChannelFailure {
    ChannelFailure::Drained {
        by_peer,
        code: ErrorCode::NO_ERROR,
        end: DrainEnd::Complete,
    }
}
/// Fails where something never comes.
async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(NEVER, future).await.expect("it never comes")
}

/// Lets every task run until none has anything to do.
async fn settle() {
    for _ in 0..200 {
        yield_now().await;
    }
}

/// A message that says what it is.
fn message(n: u32, len: usize) -> Vec<u8> {
    let mut bytes = n.to_le_bytes().to_vec();
    bytes.resize(len.max(4), n as u8);
    bytes
}

/// Sizes that travel in every way: empty but for the number, short, in pieces.
fn size(n: u32) -> usize {
    match n % 7 {
        0 => 4,
        1 => 40,
        2 => 125,
        3 => 1000,
        4 => 5000,
        5 => 20_000,
        _ => 64,
    }
}

/// Counts how often a task is woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wakes {
    fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self::default());
        (Arc::clone(&wakes), Waker::from(wakes))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Polls once.
fn poll<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}
