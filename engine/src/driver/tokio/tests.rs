//! Helpers for tests: two connected ends over a pipe, on tokio's paused clock.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, BufWriter, DuplexStream, ReadBuf, duplex};

use super::*;
use crate::{Config, Message, OwnedMessage, Parts, Role};

#[cfg(feature = "hyper")]
mod adopt;
mod answers;
mod cancel;
mod deadlines;
mod ends;
mod halves;
mod opening;
mod parts;
mod senders;
mod sending;
mod talk;
mod turns;

type Ends = (WebSocket<DuplexStream>, WebSocket<DuplexStream>);

/// An open client and server, with a pipe of `capacity` bytes in each direction.
fn ends(capacity: usize, change: impl FnOnce(&mut Config)) -> Ends {
    let config = config(change);
    let (a, b) = duplex(capacity);
    let client = end(a, Role::Client, &config);
    (client, end(b, Role::Server, &config))
}

/// One end of a connection, and the raw stream of the other end.
fn against_bytes(role: Role, config: &Config) -> (WebSocket<DuplexStream>, DuplexStream) {
    let (a, b) = duplex(1 << 20);
    (end(a, role, config), b)
}

fn end<S>(stream: S, role: Role, config: &Config) -> WebSocket<S> {
    WebSocket::from_parts(Parts::new(stream, role), config.clone()).unwrap()
}

/// A server over a stream that buffers like TLS, and the raw stream of the other end.
fn buffering(config: &Config) -> (WebSocket<BufWriter<DuplexStream>>, DuplexStream) {
    let (a, b) = duplex(64);
    let a = BufWriter::with_capacity(4096, a);
    (end(a, Role::Server, config), b)
}

fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config
}

/// A client's frame, masked with zeros.
fn client_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126);
    let mut bytes = vec![0x80 | opcode, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    bytes.extend_from_slice(payload);
    bytes
}

/// A server's frame.
fn server_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126);
    let mut bytes = vec![0x80 | opcode, payload.len() as u8];
    bytes.extend_from_slice(payload);
    bytes
}

fn binary(data: impl AsRef<[u8]>) -> OwnedMessage {
    OwnedMessage::Binary(data.as_ref().to_vec().into())
}

/// Polls a future `polls` times, then drops it and makes a new one, until one is ready.
async fn retry_after_drop<T>(polls: usize, mut make: impl AsyncFnMut() -> T) -> T {
    loop {
        let given = {
            let mut future = pin!(make());
            let mut left = polls;
            poll_fn(|cx| {
                if left == 0 {
                    return Poll::Ready(None);
                }
                left -= 1;
                let polled = future.as_mut().poll(cx).map(Some);
                if left == 0 && polled.is_pending() {
                    return Poll::Ready(None);
                }
                polled
            })
            .await
        };
        match given {
            Some(given) => return given,
            None => tokio::task::yield_now().await,
        }
    }
}

/// A stream that counts the writes.
#[derive(Debug)]
struct Counted<S> {
    io: S,
    writes: Arc<AtomicUsize>,
}

impl<S> Counted<S> {
    fn new(io: S) -> (Self, Arc<AtomicUsize>) {
        let writes = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&writes);
        (Self { io, writes }, counter)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

/// Echoes every message until the connection ends, batch by batch.
async fn echo<S: AsyncRead + AsyncWrite + Unpin>(
    ws: &mut WebSocket<S>,
) -> Result<(), crate::Error> {
    while let Some((messages, outbox)) = ws.recv_batch().await? {
        for message in messages {
            match message {
                Message::Binary(data) => outbox.send(data)?,
                Message::Text(text) => outbox.send_text(text)?,
                _ => {}
            }
        }
    }
    Ok(())
}

/// Memory of an idle connection. The rest of its budget of 1,500 bytes is the task, tokio's
/// registration (about 250 bytes), the timer (one box) and the mask keys.
#[test]
fn an_idle_connection_stays_in_its_memory_budget() {
    let size = size_of::<WebSocket<tokio::net::TcpStream>>();
    assert!(size <= 600, "{size}");
    // A split connection: the reader, and the state that it shares with the writer.
    let whole = size_of::<WebSocket<u64>>();
    assert!(whole <= 568, "{whole}");
    let halves = size_of::<crate::Reader<u64>>() + size_of::<super::sending::Sending>();
    assert!(halves <= 600, "{halves}");
    let future = |ws: &'static mut WebSocket<tokio::net::TcpStream>| async move {
        let _ = ws.recv_batch().await;
    };
    fn size_of_output<A, F>(_: &impl Fn(A) -> F) -> usize {
        size_of::<F>()
    }
    assert!(size_of_output(&future) <= 96, "{}", size_of_output(&future));
}
