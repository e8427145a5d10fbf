//! The write half of a connection.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

use super::super::error::Error;
use super::gate::{Gate, SharedWrite, Side, SplitState};
use super::halves::WriteHalf;
use super::io::now;
use super::send_methods::send_methods;
use super::sending::{Put, Sending, put_owned};
use super::timer::Timer;
use crate::conn::{Outbox, OwnedMessage};
use crate::error::{CloseCode, SendError};
use crate::session::WriteSide;
use crate::time::Timestamp;

/// The write half of a [`WebSocket`](crate::WebSocket).
///
/// The [`Reader`](crate::Reader) drives the connection: keep it, in a task that receives. Without
/// it sends fail with [`Error::NoReader`], because nothing would answer the peer's Pings or notice
/// that the connection ends.
///
/// Every method waits while the queue is full, at most `write_timeout` without progress, and is
/// cancel safe like the methods of [`WebSocket`](crate::WebSocket). Bytes that the socket does not
/// accept at once are written as soon as it accepts them, by either half.
///
/// A writer is a `Sink` of [`OwnedMessage`]s, too. Its own methods take precedence over those of
/// `SinkExt`; send through the sink with `SinkExt::send(&mut writer, message)`: see
/// [`WebSocket`](crate::WebSocket#stream-and-sink).
///
/// After the writer is dropped, the reader writes what is queued, and the connection stays open:
/// call [`close`](Self::close) to close it.
pub struct Writer<S> {
    pub(super) shared: Arc<SplitState<WriteHalf<S>>>,
    timer: Timer,
    /// A message that the `Sink` has accepted and not queued yet.
    pub(super) pending: Option<OwnedMessage>,
    _drop_guard: WriterDropGuard,
}

/// Notifies the reader when the writer is dropped: the reader writes what is queued.
struct WriterDropGuard(Arc<Gate>);

impl Drop for WriterDropGuard {
    fn drop(&mut self) {
        self.0.notify_reader();
    }
}

impl<S> Writer<S> {
    pub(super) fn new(shared: Arc<SplitState<WriteHalf<S>>>) -> Self {
        Self {
            timer: Timer::default(),
            pending: None,
            _drop_guard: WriterDropGuard(Arc::clone(&shared.gate)),
            shared,
        }
    }
}

impl<S: AsyncWrite + Unpin> Writer<S> {
    send_methods!();

    /// Runs `f` on the outbox once, then writes: a batch of messages in one system call. A send
    /// inside `f` returns [`SendError::QueueFull`] if the queue is full.
    ///
    /// # Errors
    /// [`Error::Failed`], [`Error::Io`] if the connection has failed.
    pub async fn with_outbox<T>(&mut self, f: impl FnOnce(&mut Outbox) -> T) -> Result<T, Error> {
        let mut f = Some(f);
        let mut given = None;
        let put = |outbox: &mut Outbox| {
            if let Some(f) = f.take() {
                given = Some(f(outbox));
            }
            Ok(())
        };
        self.queue(true, put).await?;
        given.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected).into())
    }

    /// Begins the closing handshake and waits until the Close is written. The reader finishes the
    /// handshake: it still delivers messages, then `None` or the failure.
    ///
    /// # Errors
    /// [`Error::Send`] for a code or reason that must not be sent; [`Error::Failed`], [`Error::Io`]
    /// if the connection has failed.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        poll_fn(|cx| self.poll_close(cx, code, reason)).await
    }

    async fn put(
        &mut self,
        flush: bool,
        mut put: impl FnMut(
            &mut WriteSide,
            &mut WriteHalf<S>,
            &mut Context<'_>,
            Timestamp,
        ) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        poll_fn(|cx| self.poll_put(cx, flush, &mut put)).await
    }

    fn poll_put(
        &mut self,
        cx: &mut Context<'_>,
        flush: bool,
        put: &mut Put<'_, WriteHalf<S>>,
    ) -> Poll<Result<(), Error>> {
        if self.pending.is_some() {
            match self.poll_pending(cx) {
                Poll::Ready(Ok(())) => {}
                other => return other,
            }
        }
        self.poll_queue(cx, flush, put)
    }

    /// Queues with `put`, unless the reader is dropped.
    fn poll_queue(
        &mut self,
        cx: &mut Context<'_>,
        flush: bool,
        put: &mut Put<'_, WriteHalf<S>>,
    ) -> Poll<Result<(), Error>> {
        self.poll_in_gate(cx, |sending, io, cx, reader_dropped| {
            if reader_dropped && !sending.write.outbox().is_closing() {
                return Poll::Ready(Err(Error::NoReader));
            }
            sending.poll_send(io, cx, flush, now(), put)
        })
    }

    /// Queues the message that the `Sink` has accepted.
    pub(super) fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Some(mut message) = self.pending.take() else {
            return Poll::Ready(Ok(()));
        };
        let queued = self.poll_queue(cx, false, &mut |write, _, _, _| {
            put_owned(write.outbox(), &mut message)
        });
        if queued.is_pending() {
            self.pending = Some(message);
        }
        queued
    }

    pub(super) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        new_call: &mut bool,
    ) -> Poll<Result<(), Error>> {
        match self.poll_pending(cx) {
            Poll::Ready(Ok(())) => self.poll_in_gate(cx, |sending, io, cx, _| {
                sending.poll_flush(io, cx, new_call)
            }),
            other => other,
        }
    }

    /// Queues a Close, unless one is queued already, and writes everything.
    pub(super) fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        code: CloseCode,
        reason: &str,
    ) -> Poll<Result<(), Error>> {
        match self.poll_pending(cx) {
            Poll::Ready(Ok(())) => self.poll_in_gate(cx, |sending, io, cx, _| {
                sending.outbox().close(code, reason)?;
                sending.poll_flush(io, cx, &mut false)
            }),
            other => other,
        }
    }

    /// Runs `op` in the gate until it is ready or the write deadline has passed. The last argument
    /// of `op`: the reader is dropped.
    fn poll_in_gate(
        &mut self,
        cx: &mut Context<'_>,
        mut op: impl FnMut(
            &mut Sending,
            &mut WriteHalf<S>,
            &mut Context<'_>,
            bool,
        ) -> Poll<Result<(), Error>>,
    ) -> Poll<Result<(), Error>> {
        let mut registered = false;
        // Tries once, once more after the waker is registered, and once after each deadline.
        loop {
            let mut notify = false;
            let entered =
                self.shared
                    .with(Side::Writer, cx.waker(), |SharedWrite { sending, io }| {
                        let before = (sending.write.deadline().is_some(), is_closing(sending));
                        let mut cx = Context::from_waker(&self.shared.waker);
                        let mut polled =
                            op(sending, io, &mut cx, self.shared.gate.is_reader_dropped());
                        if polled.is_pending()
                            && let Err(e) = sending.expire()
                        {
                            polled = Poll::Ready(Err(e));
                        }
                        notify =
                            before != (sending.write.deadline().is_some(), is_closing(sending));
                        (polled, sending.deadline())
                    });
            if notify {
                self.shared.gate.notify_reader();
            }
            match entered {
                None => return Poll::Pending,
                Some((Poll::Ready(done), _)) => return Poll::Ready(done),
                // The second try sees what has changed before the registration.
                Some(_) if !registered => {
                    self.shared.gate.register(Side::Writer, cx.waker());
                    registered = true;
                }
                Some((Poll::Pending, deadline)) => {
                    if self.timer.poll(cx, deadline).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

/// Whether the connection is closing, which the reader must drive.
fn is_closing(sending: &mut Sending) -> bool {
    sending.write.outbox().is_closing()
}

impl<S> fmt::Debug for Writer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}
