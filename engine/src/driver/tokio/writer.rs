//! The sending half.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

use super::super::error::Error;
use super::gate::{Bell, Cell, Shared, Side};
use super::halves::WriteHalf;
use super::io::now;
use super::send_methods::send_methods;
use super::sending::{Put, Sending, put_owned};
use super::timer::Timer;
use crate::conn::{Outbox, OwnedMessage};
use crate::error::{CloseCode, SendError};
use crate::session::WriteSide;
use crate::time::Timestamp;

/// The sending half of a [`WebSocket`](crate::WebSocket).
///
/// The [`Reader`](crate::Reader) looks after the connection: keep it, in a task that receives.
/// Without it sends fail with [`Error::NoReader`], for nobody would answer the peer's Pings, nor
/// notice its end.
///
/// Every method waits, at most `write_timeout` without progress, while the queue is full, and
/// is cancel safe as those of [`WebSocket`](crate::WebSocket). What the socket does not take at once goes out
/// when it can, driven by either half.
///
/// It is a `Sink` of [`OwnedMessage`]s, too. Its own methods stand before those of `SinkExt`, whose
/// sends are `SinkExt::send(&mut writer, message)`: see
/// [`WebSocket`](crate::WebSocket#stream-and-sink).
///
/// Dropped, what is queued is written by the reader, and nothing is closed: call
/// [`close`](Self::close) for that.
pub struct Writer<S> {
    pub(super) shared: Arc<Shared<WriteHalf<S>>>,
    timer: Timer,
    /// Taken by the `Sink`, and not queued yet.
    pub(super) waiting: Option<OwnedMessage>,
    _leaving: Leaving,
}

/// The reader takes care of what a writer leaves behind.
struct Leaving(Arc<Bell>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.call_reader();
    }
}

impl<S> Writer<S> {
    pub(super) fn new(shared: Arc<Shared<WriteHalf<S>>>) -> Self {
        Self {
            timer: Timer::default(),
            waiting: None,
            _leaving: Leaving(Arc::clone(&shared.bell)),
            shared,
        }
    }
}

impl<S: AsyncWrite + Unpin> Writer<S> {
    send_methods!();

    /// Queues whatever `f` sends, then writes it: a batch in one system call. `f` runs once,
    /// and sees [`SendError::QueueFull`] itself.
    ///
    /// # Errors
    /// [`Error::Failed`], [`Error::Io`] where the connection has failed.
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

    /// Begins the closing handshake and waits until the Close is written. The reader sees it
    /// through: it goes on to give messages, and then how the connection ended.
    ///
    /// # Errors
    /// [`Error::Send`] for a code or reason that must not be sent; [`Error::Failed`],
    /// [`Error::Io`] where the connection has failed.
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
        if self.waiting.is_some() {
            match self.poll_waiting(cx) {
                Poll::Ready(Ok(())) => {}
                other => return other,
            }
        }
        self.poll_queue(cx, flush, put)
    }

    /// Queues, unless nobody is left to look after the connection.
    fn poll_queue(
        &mut self,
        cx: &mut Context<'_>,
        flush: bool,
        put: &mut Put<'_, WriteHalf<S>>,
    ) -> Poll<Result<(), Error>> {
        self.poll_cell(cx, |sending, io, cx, deserted| {
            if deserted && !sending.write.outbox().is_closing() {
                return Poll::Ready(Err(Error::NoReader));
            }
            sending.poll_send(io, cx, flush, now(), put)
        })
    }

    /// Queues the message that the `Sink` was given.
    pub(super) fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Some(mut message) = self.waiting.take() else {
            return Poll::Ready(Ok(()));
        };
        let queued = self.poll_queue(cx, false, &mut |write, _, _, _| {
            put_owned(write.outbox(), &mut message)
        });
        if queued.is_pending() {
            self.waiting = Some(message);
        }
        queued
    }

    pub(super) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        fresh: &mut bool,
    ) -> Poll<Result<(), Error>> {
        match self.poll_waiting(cx) {
            Poll::Ready(Ok(())) => {
                self.poll_cell(cx, |sending, io, cx, _| sending.poll_flush(io, cx, fresh))
            }
            other => other,
        }
    }

    /// Queues a Close, if none is, and writes everything.
    pub(super) fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        code: CloseCode,
        reason: &str,
    ) -> Poll<Result<(), Error>> {
        match self.poll_waiting(cx) {
            Poll::Ready(Ok(())) => self.poll_cell(cx, |sending, io, cx, _| {
                sending.outbox().close(code, reason)?;
                sending.poll_flush(io, cx, &mut false)
            }),
            other => other,
        }
    }

    /// Runs `op` in the cell until it is ready, or its deadline has passed. `op` is told whether
    /// the reader is gone.
    fn poll_cell(
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
        // Tries, tries again once registered, and then once for each deadline that passes.
        loop {
            let mut calls = false;
            let entered = self
                .shared
                .with(Side::Writer, cx.waker(), |Cell { sending, io }| {
                    let before = (sending.write.deadline().is_some(), is_over(sending));
                    let mut cx = Context::from_waker(&self.shared.waker);
                    let mut polled = op(sending, io, &mut cx, self.shared.bell.is_deserted());
                    if polled.is_pending()
                        && let Err(e) = sending.expire()
                    {
                        polled = Poll::Ready(Err(e));
                    }
                    calls = before != (sending.write.deadline().is_some(), is_over(sending));
                    (polled, sending.deadline())
                });
            if calls {
                self.shared.bell.call_reader();
            }
            match entered {
                None => return Poll::Pending,
                Some((Poll::Ready(done), _)) => return Poll::Ready(done),
                // What happened before the registration is seen by the second try.
                Some(_) if !registered => {
                    self.shared.bell.register(Side::Writer, cx.waker());
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

/// The reader has to see to the end of the connection.
fn is_over(sending: &mut Sending) -> bool {
    sending.write.outbox().is_closing()
}

impl<S> fmt::Debug for Writer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}
