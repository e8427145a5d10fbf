//! Helpers for tests: two `ChannelSocket`s, connected by a pipe, on tokio's paused clock.

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
mod drains;
mod ends;
mod memory;
mod parting;
mod stall;
mod talk;
mod trying;
mod wakes;

/// Capacity of the pipe in each direction, bytes: small, so that the driver meets a full pipe.
const PIPE_BYTES: usize = 4096;

/// A time on tokio's paused clock after which a test fails.
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

/// A connected client and server.
fn pair(change: impl FnOnce(&mut ChannelConfig)) -> (ChannelSocket, ChannelSocket) {
    let config = config(change);
    let (a, b) = duplex(PIPE_BYTES);
    let client = session(a, Role::Client, &config);
    (client, session(b, Role::Server, &config))
}

/// Opens and accepts a channel: returns the client's end and the server's end.
async fn open(
    client: &ChannelSocket,
    server: &ChannelSocket,
    options: OpenOptions,
) -> (Channel, Channel) {
    let mut local = client.open(options).unwrap();
    let offer = within(server.accept()).await.unwrap();
    let remote = offer.accept(AcceptOptions::new()).unwrap();
    within(local.accepted()).await.unwrap();
    (local, remote)
}

/// The end of a complete drain without an error.
fn drained(by_peer: bool) -> ChannelFailure {
    ChannelFailure::Drained {
        by_peer,
        code: ErrorCode::NO_ERROR,
        end: DrainEnd::Complete,
    }
}
/// Awaits `future`, or fails after [`NEVER`].
async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(NEVER, future)
        .await
        .expect("the future did not complete")
}

/// Lets every task run until all are idle.
async fn run_until_idle() {
    for _ in 0..200 {
        yield_now().await;
    }
}

/// A message that contains its number.
fn message(n: u32, len: usize) -> Vec<u8> {
    let mut bytes = n.to_le_bytes().to_vec();
    bytes.resize(len.max(4), n as u8);
    bytes
}

/// Message sizes for every path: only the number, short, in several parts.
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

/// Counts the wake-ups of a task.
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
