//! Echo over one connection with each of the other libraries, as its authors advise: over a socket
//! in `compare`, over memory in the bench `turn`.
//!
//! Each echo is a future that ends with its connection.

mod nexus;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use anyhow::Result;
use fastwebsockets::FragmentCollector;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::protocol::Role as TungsteniteRole;

pub use nexus::{NexusEcho, nexus_async_web, nexus_web};

/// Messages that a batching peer feeds before it flushes. yawc's authors use this number in their
/// own comparison, and it is large enough that the flush does not show.
const FEED_BATCH_MESSAGES_MAX: usize = 32;
/// tokio-websockets flushes by itself at this many bytes. It is more than a batch of 32 x 1 KiB, so
/// that a batch is one write (the default of 8 KiB would cut it).
const FLUSH_THRESHOLD_BYTES: usize = 64 * 1024;
/// yawc: as in its authors' own comparison.
const READ_BUFFER_BYTES: usize = 128 * 1024;
/// yawc: the same.
const WRITE_BOUNDARY_BYTES: usize = 64 * 1024;

/// A connection's byte stream.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Wire for S {}

/// sockudo-ws 3.1 `WebSocketStream`: feeds what is ready, then flushes once.
///
/// # Errors
/// The error of the connection.
pub async fn sockudo_stream<S: Wire>(stream: S) -> Result<()> {
    let socket = sockudo_ws::WebSocketStream::server(stream, sockudo_ws::Config::default());
    echo_batched(socket, |item| {
        let message = item?;
        Ok((message.is_binary() || message.is_text()).then_some(message))
    })
    .await
}

/// tokio-tungstenite 0.30: feeds what is ready, then flushes once; its default buffers of 128 KiB.
///
/// # Errors
/// The error of the connection.
pub async fn tungstenite<S: Wire>(stream: S) -> Result<()> {
    let role = TungsteniteRole::Server;
    let socket = tokio_tungstenite::WebSocketStream::from_raw_socket(stream, role, None).await;
    echo_batched(socket, |item| {
        let message = item?;
        Ok((message.is_binary() || message.is_text()).then_some(message))
    })
    .await
}

/// tokio-websockets 0.13: collects what is ready, feeds it, then flushes once (its reads flush what
/// is fed).
///
/// # Errors
/// The error of the connection.
pub async fn tokio_websockets<S: Wire>(stream: S) -> Result<()> {
    let config = tokio_websockets::Config::default().flush_threshold(FLUSH_THRESHOLD_BYTES);
    let socket = tokio_websockets::ServerBuilder::new()
        .config(config)
        .serve(stream);
    echo_collected(socket, |item| {
        let message = item?;
        Ok((message.is_binary() || message.is_text()).then_some(message))
    })
    .await
}

/// yawc 0.5, tuned as in its authors' own comparison: a read buffer of 128 KiB, a write boundary of
/// 64 KiB, batches of at most 32 ready messages. Text is checked, as RFC 6455 section 8.1 asks.
///
/// # Errors
/// The error of the connection.
pub async fn yawc<S: Wire>(stream: S) -> Result<()> {
    use yawc::{Frame, OpCode, Options, Role, WebSocket};
    let options = Options::default()
        .without_compression()
        .with_utf8()
        .with_read_buffer_capacity(READ_BUFFER_BYTES)
        .with_backpressure_boundary(WRITE_BOUNDARY_BYTES);
    let socket = WebSocket::from_stream(stream, Role::Server, options)?;
    echo_batched(socket, |frame: Frame| {
        Ok(matches!(frame.opcode(), OpCode::Binary | OpCode::Text).then_some(frame))
    })
    .await
}

/// fastwebsockets 0.10 as in its own echo example (collector, `unconstrained` task), with writev.
/// It cannot batch.
///
/// # Errors
/// The error of the connection.
pub async fn fastwebsockets<S: Wire>(stream: S) -> Result<()> {
    tokio::task::unconstrained(echo_each(stream)).await
}

async fn echo_each<S: Wire>(stream: S) -> Result<()> {
    use fastwebsockets::{OpCode, Role, WebSocket};
    let mut socket = WebSocket::after_handshake(stream, Role::Server);
    socket.set_writev(true);
    let mut socket = FragmentCollector::new(socket);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}

/// Echoes over a stream and sink: takes the ready messages, at most `FEED_BATCH_MESSAGES_MAX`,
/// feeds them back, and flushes once. `reply` maps a received item to the answer, if there is one.
async fn echo_batched<W, M, F>(mut socket: W, mut reply: F) -> Result<()>
where
    W: Stream + Sink<M> + Unpin,
    <W as Sink<M>>::Error: Into<anyhow::Error>,
    F: FnMut(<W as Stream>::Item) -> Result<Option<M>>,
{
    while let Some(item) = socket.next().await {
        let mut next = Some(item);
        let mut open = true;
        for fed in 1.. {
            let Some(item) = next.take() else { break };
            if let Some(message) = reply(item)? {
                socket.feed(message).await.map_err(Into::into)?;
            }
            if fed == FEED_BATCH_MESSAGES_MAX {
                break;
            }
            match poll_fn(|cx| Poll::Ready(Pin::new(&mut socket).poll_next(cx))).await {
                Poll::Ready(Some(item)) => next = Some(item),
                Poll::Ready(None) => open = false,
                Poll::Pending => {}
            }
        }
        socket.flush().await.map_err(Into::into)?;
        if !open {
            break;
        }
    }
    Ok(())
}

/// The same for a library whose reads flush what is fed: to feed between reads would cost a write
/// per message. Takes all ready messages first, then feeds them all, then flushes once.
async fn echo_collected<W, M, F>(mut socket: W, mut reply: F) -> Result<()>
where
    W: Stream + Sink<M> + Unpin,
    <W as Sink<M>>::Error: Into<anyhow::Error>,
    F: FnMut(<W as Stream>::Item) -> Result<Option<M>>,
{
    let mut batch = Vec::with_capacity(FEED_BATCH_MESSAGES_MAX);
    let mut open = true;
    while open {
        let Some(item) = socket.next().await else {
            break;
        };
        batch.push(item);
        while open && batch.len() < FEED_BATCH_MESSAGES_MAX {
            match poll_fn(|cx| Poll::Ready(Pin::new(&mut socket).poll_next(cx))).await {
                Poll::Ready(Some(item)) => batch.push(item),
                Poll::Ready(None) => open = false,
                Poll::Pending => break,
            }
        }
        for item in batch.drain(..) {
            if let Some(message) = reply(item)? {
                socket.feed(message).await.map_err(Into::into)?;
            }
        }
        socket.flush().await.map_err(Into::into)?;
    }
    Ok(())
}
