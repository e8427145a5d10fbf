//! What the tokio peers share: a current-thread runtime on the pinned core, one task a connection.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use anyhow::Result;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{FEED_BATCH_MESSAGES_MAX, ServeOptions, accept, announce};

/// Accepts for ever; each connection is upgraded and handed to `session`.
pub(super) fn run<F, T>(options: ServeOptions, session: F) -> Result<()>
where
    F: Fn(TcpStream) -> T + Copy + Send + 'static,
    T: Future<Output = Result<()>> + Send,
{
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all();
    if options.spin {
        // Look at the sockets on every turn instead of every 61st.
        builder.event_interval(1);
    }
    builder.build()?.block_on(async move {
        if options.spin {
            tokio::spawn(async {
                loop {
                    tokio::task::yield_now().await;
                }
            });
        }
        let listener = TcpListener::bind(options.listen).await?;
        announce(listener.local_addr()?)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(async move {
                let ended = match accept::upgrade(&mut stream).await {
                    Ok(()) => session(stream).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = ended {
                    report(&error);
                }
            });
        }
    })
}

/// Says why a connection ended, unless the client just left: it drops what it is done with.
pub(super) fn report(error: &anyhow::Error) {
    let text = format!("{error:#}").to_lowercase();
    if !text.contains("reset") && !text.contains("eof") {
        eprintln!("connection ended: {error:#}");
    }
}

/// Echoes over a stream and sink: takes what is ready, at most `FEED_BATCH_MESSAGES_MAX`, feeds
/// it back, flushes once. `reply` maps a received item to what is sent back, if anything.
pub(super) async fn echo_batched<W, M, F>(mut socket: W, mut reply: F) -> Result<()>
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

/// The same for a library whose reading flushes what is fed, so that feeding between reads would
/// cost a write per message: takes all that is ready first, then feeds it all, then flushes once.
pub(super) async fn echo_collected<W, M, F>(mut socket: W, mut reply: F) -> Result<()>
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
