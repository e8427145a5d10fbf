//! The sending half.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;

use super::super::error::Error;
use super::gate::{Bell, Cell, Shared, Side};
use super::io::now;
use super::sending::{Put, Sending, put_binary, put_bytes, put_text};
use super::timer::Timer;
use crate::conn::{Kind, Outbox, OwnedMessage, PreparedMessage};
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
/// Dropped, what is queued is written by the reader, and nothing is closed: call
/// [`close`](Self::close) for that.
pub struct Writer<W> {
    pub(super) shared: Arc<Shared<W>>,
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

impl<W> Writer<W> {
    pub(super) fn new(shared: Arc<Shared<W>>) -> Self {
        Self {
            timer: Timer::default(),
            waiting: None,
            _leaving: Leaving(Arc::clone(&shared.bell)),
            shared,
        }
    }
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    /// As [`WebSocket::send`](crate::WebSocket::send).
    ///
    /// # Errors
    /// As [`WebSocket::send`](crate::WebSocket::send).
    pub async fn send(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.put(true, |write, io, cx, now| {
            put_binary(payload, write, io, cx, now)
        })
        .await
    }

    /// As [`WebSocket::send_text`](crate::WebSocket::send_text).
    ///
    /// # Errors
    /// As [`WebSocket::send`](crate::WebSocket::send).
    pub async fn send_text(&mut self, text: &str) -> Result<(), Error> {
        self.queue(true, |outbox| outbox.send_text(text)).await
    }

    /// As [`WebSocket::send_bytes`](crate::WebSocket::send_bytes).
    ///
    /// # Errors
    /// As [`WebSocket::send`](crate::WebSocket::send).
    pub async fn send_bytes(&mut self, payload: Bytes) -> Result<(), Error> {
        let mut waiting = payload;
        self.queue(true, |outbox| put_bytes(outbox, &mut waiting))
            .await
    }

    /// As [`WebSocket::send_prepared`](crate::WebSocket::send_prepared).
    ///
    /// # Errors
    /// As [`WebSocket::send`](crate::WebSocket::send).
    pub async fn send_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error> {
        self.queue(true, |outbox| outbox.send_prepared(message))
            .await
    }

    /// As [`WebSocket::send_part`](crate::WebSocket::send_part).
    ///
    /// # Errors
    /// As [`WebSocket::send`](crate::WebSocket::send).
    pub async fn send_part(&mut self, kind: Kind, data: &[u8], last: bool) -> Result<(), Error> {
        self.queue(true, |outbox| outbox.send_part(kind, data, last))
            .await
    }

    /// As [`WebSocket::feed`](crate::WebSocket::feed).
    ///
    /// # Errors
    /// As [`WebSocket::send`](crate::WebSocket::send).
    pub async fn feed(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.queue(false, |outbox| outbox.send(payload)).await
    }

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

    /// As [`WebSocket::ping`](crate::WebSocket::ping); the Pong comes to the reader.
    ///
    /// # Errors
    /// As [`WebSocket::send`](crate::WebSocket::send).
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.queue(true, |outbox| outbox.ping(payload)).await
    }

    /// As [`WebSocket::flush`](crate::WebSocket::flush).
    ///
    /// # Errors
    /// As [`WebSocket::flush`](crate::WebSocket::flush).
    pub async fn flush(&mut self) -> Result<(), Error> {
        let mut fresh = true;
        poll_fn(|cx| self.poll_flush(cx, &mut fresh)).await
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

    async fn queue(
        &mut self,
        flush: bool,
        mut put: impl FnMut(&mut Outbox) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        self.put(flush, |write, _, _, _| put(write.outbox())).await
    }

    async fn put(
        &mut self,
        flush: bool,
        mut put: impl FnMut(
            &mut WriteSide,
            &mut W,
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
        put: &mut Put<'_, W>,
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
        put: &mut Put<'_, W>,
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
        mut op: impl FnMut(&mut Sending, &mut W, &mut Context<'_>, bool) -> Poll<Result<(), Error>>,
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

/// Queues `message`, or leaves it there.
pub(super) fn put_owned(outbox: &mut Outbox, message: &mut OwnedMessage) -> Result<(), SendError> {
    match message {
        OwnedMessage::Binary(data) => put_bytes(outbox, data),
        OwnedMessage::Text(text) => put_text(outbox, text),
        OwnedMessage::Part {
            kind, data, last, ..
        } => outbox.send_part(*kind, data, *last),
        OwnedMessage::Ping(data) => outbox.ping(data),
        OwnedMessage::Pong(data) => outbox.pong(data),
        OwnedMessage::Close(None) => outbox.close(CloseCode::NORMAL, ""),
        OwnedMessage::Close(Some((code, reason))) => outbox.close(*code, reason),
    }
}

impl<W> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}
