//! A whole connection, owned by one task.

use std::boxed::Box;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::super::clock;
use super::super::error::Error;
use super::super::parts::Parts;
use super::super::tune::TuneReport;
use super::io::{now, poll_budget};
use super::messages::Messages;
use super::receiving::{ReadEvent, Receiving, WATCH_INTERVAL};
use super::send_methods::send_methods;
use super::sending::{Put, Sending};
use crate::agreed::Agreed;
use crate::config::Config;
use crate::conn::{Outbox, OwnedMessage};
use crate::error::CloseCode;
use crate::handshake::Response;
use crate::role::Role;
use crate::session::{End, Session, Stats};
use crate::time::Timestamp;

/// An open WebSocket connection over any stream: TCP, TLS, an in-memory pipe.
///
/// To receive, call [`recv_batch`](Self::recv_batch) (messages that borrow from the receive buffer:
/// no copy, no allocation) or [`recv`](Self::recv) (owned messages) in a loop, until `None`: a
/// clean close. Both answer Pings, send what is queued, and check the deadlines of the
/// [`Config`](crate::Config), so one of them should always be pending. Where sending must not wait
/// for receiving, [`split`](Self::split) gives two halves for two tasks.
///
/// The connection answers a Ping or Close before it delivers it: when the application sees the
/// message, the answer has been written as far as the stream accepts it. A connection that is
/// dropped after that has sent its answer.
///
/// # Tasks that only send
///
/// A task that only sends need not receive. [`send`](Self::send), the other send methods,
/// [`flush`](Self::flush) and the `Sink` also read from the peer, at most ten times a second. They
/// answer the peer's Pings, and its Close if no message comes before the Close. They fail when the
/// connection has ended: with [`SendError::Closed`](crate::SendError) after a Close, with
/// [`Error::Failed`] when a deadline of the [`Config`](crate::Config) has passed because the peer
/// is gone. All of that happens inside these calls only: between two calls nothing is read.
///
/// The connection keeps what the peer sends for a later receive: at most 64 KiB. After that it
/// stops reading, TCP flow control stops the peer, and the Pings and the Close that come later are
/// not seen. Only the write deadline is checked then. If the peer sends messages, receive too, or
/// [split](Self::split) the connection. Of unreceived Pings and Pongs the newest
/// [`UNREAD_CONTROL_BYTES_MAX`](crate::sans_io::UNREAD_CONTROL_BYTES_MAX) bytes are kept.
///
/// # Cancel safety
///
/// The future of every method may be dropped at any await, in `select!` for instance, and the
/// method called again. Bytes that were received and not delivered stay in the connection, and so
/// do bytes that are queued. A send whose future is dropped before it is ready has queued nothing;
/// a send that is ready has queued the whole message.
///
/// # Closing
///
/// [`close`](Self::close) sends a Close and waits for the peer's. Dropping a `WebSocket` sends no
/// Close, and drops messages that are queued but not written: the stream ends, and the peer sees a
/// connection without a closing handshake (1006 in RFC 6455 section 7.1.5).
///
/// # Errors
///
/// A failure is permanent, and [`end`](Self::end) names the same cause: after a failure every call
/// returns it again; after a clean close a receive returns `None`. The connection returns a failure
/// without waiting for the peer: it delivers the messages received before, writes the Close that
/// names the failure as far as the stream accepts it, and reads and drops what the peer has sent so
/// far. To make sure that a peer that goes on sending gets the Close, call [`close`](Self::close),
/// which waits for that, or call it in another task:
///
/// ```no_run
/// # async fn run(mut ws: tickwire::WebSocket<tokio::net::TcpStream>) -> Result<(), tickwire::Error> {
/// use tickwire::CloseCode;
///
/// let received = ws.recv().await;
/// if received.is_err() {
///     // Takes at most `close_timeout`, and returns the same error.
///     tokio::spawn(async move { ws.close(CloseCode::NORMAL, "").await });
/// }
/// # received.map(drop)
/// # }
/// ```
///
/// # `Stream` and `Sink`
///
/// A `WebSocket` is a `Stream` and a `Sink` of [`OwnedMessage`]s. Its own methods
/// [`send`](Self::send), [`feed`](Self::feed), [`flush`](Self::flush), [`close`](Self::close) and
/// [`split`](Self::split) take precedence over the methods of the same names in `SinkExt` and
/// `StreamExt` of the futures crates: `ws.send(...)` takes bytes. Call a method of the `Sink` by
/// its path. [`send_owned`](Self::send_owned) sends the same message without the `Sink`:
///
/// ```
/// use futures_util::SinkExt;
/// use tickwire::{Config, Error, OwnedMessage, Parts, Role, WebSocket};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let (a, b) = tokio::io::duplex(1024);
/// let mut ws = WebSocket::from_parts(Parts::new(a, Role::Client), Config::default())?;
/// let mut peer = WebSocket::from_parts(Parts::new(b, Role::Server), Config::default())?;
///
/// SinkExt::send(&mut ws, OwnedMessage::from("hello")).await?;
/// assert_eq!(peer.recv().await?, Some("hello".into()));
///
/// ws.send_owned("hello").await?;
/// assert_eq!(peer.recv().await?, Some("hello".into()));
/// # Ok(())
/// # }
/// ```
///
/// # Example
///
/// ```no_run
/// use tickwire::{Error, Message};
///
/// # async fn run() -> Result<(), Error> {
/// let mut ws = tickwire::connect("ws://127.0.0.1:9001/feed").await?;
/// ws.send(b"subscribe EURUSD").await?;
/// while let Some((messages, outbox)) = ws.recv_batch().await? {
///     for message in messages {
///         if let Message::Binary(tick) = message {
///             outbox.send(tick)?; // written with the other answers, at the next recv_batch
///         }
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct WebSocket<S> {
    pub(super) receiving: Receiving,
    pub(super) sending: Sending,
    pub(super) io: S,
    pub(super) origin: Option<Box<Origin>>,
}

/// What the opening leaves for the application. Boxed, and absent if it would be empty.
#[derive(Debug, Default)]
pub(super) struct Origin {
    pub(super) response: Option<Response>,
    /// Socket options that the platform refused.
    pub(super) tune: Option<TuneReport>,
}

impl<S> WebSocket<S> {
    /// Takes over a connection whose opening handshake is done. `unread` is parsed before the first
    /// read, `unsent` is written before anything else.
    ///
    /// # Errors
    /// [`Error::Config`]; [`Error::Io`] if the operating system provides no randomness.
    pub fn from_parts(parts: Parts<S>, config: impl Into<Arc<Config>>) -> Result<Self, Error> {
        let (stream, session) = parts.into_session(config.into(), clock::entropy()?, now())?;
        Ok(Self::open(stream, session, Origin::default()))
    }

    pub(super) fn open(io: S, session: Session, origin: Origin) -> Self {
        let (read, write) = session.split();
        let empty = origin.response.is_none() && origin.tune.is_none();
        Self {
            receiving: Receiving::new(read),
            sending: Sending::new(write),
            io,
            origin: (!empty).then(|| Box::new(origin)),
        }
    }

    /// Takes an open connection apart without losing a byte. The parts say how the connection has
    /// ended, if it has. They do not say that a message was sent or received in part, or that this
    /// end has sent a Close that the peer has not answered.
    #[must_use]
    pub fn into_parts(self) -> Parts<S> {
        let session = Session::join(self.receiving.read, self.sending.write);
        Parts::of_session(self.io, session)
    }

    /// The send queue, to queue messages without waiting. The queue is written by the next receive
    /// that has no received message to deliver, or by [`flush`](Self::flush).
    pub fn outbox(&mut self) -> &mut Outbox {
        self.sending.outbox()
    }

    /// The stream. Reading from it or writing to it directly breaks the connection.
    pub fn stream(&self) -> &S {
        &self.io
    }

    /// What the opening handshake agreed on.
    #[must_use]
    pub fn agreed(&self) -> &Agreed {
        self.receiving.read.agreed()
    }

    /// The sub-protocol agreed on.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.agreed().subprotocol()
    }

    /// The server's response to the opening handshake of this client. The first call returns it and
    /// frees its memory; later calls, and servers, get `None`.
    pub fn take_response(&mut self) -> Option<Response> {
        self.origin.as_mut()?.response.take()
    }

    /// The socket options that the platform refused; `None` if it refused none.
    pub fn tune_report(&self) -> Option<&TuneReport> {
        self.origin.as_ref()?.tune.as_ref()
    }

    /// Which end of the connection this is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.agreed().role()
    }

    /// Messages and payload bytes in both directions.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let sent = self.sending.write.stats();
        Stats {
            messages_out: sent.messages_out,
            bytes_out: sent.bytes_out,
            ..self.receiving.read.stats()
        }
    }

    /// The last round trip measured by a Ping of the keepalive.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.receiving.read.rtt()
    }

    /// How the connection has ended; `None` while it is open. The value does not change any more,
    /// and names the same cause as the result of a receive: [`Failure::Io`](crate::Failure) there
    /// is [`Error::Io`].
    ///
    /// After a failed send, this is `None` until everything that the peer had sent before, perhaps
    /// its Close, has been received.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.receiving.read.end()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Reads once, and returns the messages received and the outbox to queue answers in, both
    /// borrowed. `None` after a clean close.
    ///
    /// Queued answers are written by the next call. A batch ends before a Ping or Close that is not
    /// answered yet. The next batch begins with that Ping or Close, after its answer was queued
    /// behind the answers of the batch before. A batch may be empty, if a read has received only
    /// part of a message. If a batch is dropped before its end, the next call returns the rest.
    /// While more than half of the send queue is in use, the call waits: that is backpressure on
    /// the peer. So a batch whose answers take less than half of the queue never finds the queue
    /// full.
    ///
    /// Take all messages of a batch: messages that are left come back with the next call, and a
    /// loop that never takes them gets the same batch again and again. Each such call takes one
    /// unit of the task's cooperative budget ([`tokio::task::coop`]), so that other tasks and
    /// timers run.
    ///
    /// # Errors
    /// [`Error::Failed`] with the rule that the peer broke, or with the deadline that passed;
    /// [`Error::Io`]. Everything received before the error has been delivered.
    pub async fn recv_batch(&mut self) -> Result<Option<(Messages<'_>, &mut Outbox)>, Error> {
        if poll_fn(|cx| self.poll_turn(cx)).await {
            let batch = self.receiving.read.batch();
            return Ok(Some((Messages(batch), self.sending.outbox())));
        }
        self.receiving.result().map(|()| None)
    }

    /// The next message, owned, so that it can be moved to another task. `None` after a clean
    /// close.
    ///
    /// # Errors
    /// As [`Self::recv_batch`].
    pub async fn recv(&mut self) -> Result<Option<OwnedMessage>, Error> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    send_methods!();

    /// Runs the closing handshake to its end: writes what is queued, then the Close, and waits at
    /// most `close_timeout` for the peer's Close and the end of the stream. Messages that arrive
    /// meanwhile are dropped. To receive them instead, call [`Outbox::close`] on [`Self::outbox`]
    /// and receive until `None`.
    ///
    /// On a connection that has failed, this finishes the closing that the failure has begun:
    /// writes the Close that names the failure, reads and drops what the peer still sends (at most
    /// [`LINGER_BYTES_MAX`](crate::sans_io::LINGER_BYTES_MAX)), and waits for the end of the
    /// stream, until `close_timeout` after the failure. `code` and `reason` are not used then.
    ///
    /// # Errors
    /// [`Error::Send`] for a code or reason that must not be sent; [`Error::Failed`], [`Error::Io`]
    /// if the connection ends without a clean close.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.outbox().close(code, reason)?;
        poll_fn(|cx| self.poll_close(cx)).await
    }

    async fn put(
        &mut self,
        flush: bool,
        mut put: impl FnMut(
            &mut crate::sans_io::WriteSide,
            &mut S,
            &mut Context<'_>,
            crate::Timestamp,
        ) -> Result<(), crate::SendError>,
    ) -> Result<(), Error> {
        poll_fn(|cx| self.poll_put(cx, flush, &mut put)).await
    }

    fn poll_put(
        &mut self,
        cx: &mut Context<'_>,
        flush: bool,
        put: &mut Put<'_, S>,
    ) -> Poll<Result<(), Error>> {
        // Another turn follows when the stream has accepted bytes, the peer has sent something, or
        // a deadline has passed.
        loop {
            let now = now();
            if now >= self.receiving.watch_at {
                self.watch(cx, now, false);
            }
            let sent = self.sending.poll_send(&mut self.io, cx, flush, now, put);
            if sent.is_ready() {
                self.receiving.wake_receiver();
                return sent;
            }
            ready!(self.poll_wait(cx, true));
        }
    }

    pub(super) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        new_call: &mut bool,
    ) -> Poll<Result<(), Error>> {
        loop {
            let now = now();
            if now >= self.receiving.watch_at {
                self.watch(cx, now, false);
            }
            let flushed = self.sending.poll_flush(&mut self.io, cx, new_call);
            if flushed.is_ready() {
                self.receiving.wake_receiver();
                return flushed;
            }
            ready!(self.poll_wait(cx, false));
        }
    }

    /// Reads from the peer on behalf of a task that only sends. `true` if the receive buffer is
    /// full, because no task receives, and reading has stopped. `waits`: the task waits for the
    /// stream.
    fn watch(&mut self, cx: &mut Context<'_>, now: Timestamp, waits: bool) -> bool {
        let Self {
            receiving,
            sending,
            io,
            ..
        } = self;
        receiving.watch(sending, io, cx, (now, waits))
    }

    /// Waits until the stream accepts bytes, and reads from the peer meanwhile. Ready when the
    /// connection has failed, or a deadline has passed: the caller's next attempt returns the
    /// error. With `queues`, for a caller that queues a message, also ready when the connection is
    /// closing.
    fn poll_wait(&mut self, cx: &mut Context<'_>, queues: bool) -> Poll<()> {
        let buffer_full = self.watch(cx, now(), true);
        let closing = queues && self.sending.write.outbox().is_closing();
        if closing || self.sending.write.failure().is_some() {
            return Poll::Ready(());
        }
        let mut deadline = self.sending.deadline();
        if !buffer_full {
            // While this end does not read, a silent peer is no failure.
            deadline = self.receiving.read.poll_timeout(deadline);
        }
        ready!(self.receiving.timer.poll(cx, deadline));
        let _ = self.sending.expire();
        self.receiving.watch_at = Timestamp(0);
        Poll::Ready(())
    }

    pub(super) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<OwnedMessage>, Error>> {
        // Every turn reads or returns.
        loop {
            if !self.receiving.read.wants_read()
                && !self.sending.is_backlogged()
                // The next turn sends the answer to a Ping or Close first. A failure is returned by
                // `result`, after the Close was sent.
                && let Some(Ok(message)) = self.receiving.read.next_owned()
            {
                if self.receiving.read.has_replies() {
                    self.receiving
                        .answer_and_write(&mut self.sending, &mut self.io, cx, now());
                }
                return Poll::Ready(Ok(Some(message)));
            }
            if !ready!(self.poll_turn(cx)) {
                return Poll::Ready(self.receiving.result().map(|()| None));
            }
        }
    }

    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while ready!(self.poll_drive(cx, true)) {
            self.receiving.read.batch().for_each(drop);
        }
        Poll::Ready(self.receiving.result())
    }

    /// Writes what is queued and reads once. `true` if there are bytes to parse, `false` if the
    /// connection has ended. A failure ends the connection as soon as the Close is written as far
    /// as the stream accepts it, and the bytes that the peer has sent so far are read.
    pub(super) fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.poll_drive(cx, false)
    }

    /// A turn. With `to_the_end` it also waits until the stream is closed after a failure.
    fn poll_drive(&mut self, cx: &mut Context<'_>, to_the_end: bool) -> Poll<bool> {
        if self.receiving.done {
            return Poll::Ready(false);
        }
        let Self {
            receiving,
            sending,
            io,
            ..
        } = self;
        let mut now = now();
        receiving.watch_at = now.after(WATCH_INTERVAL);
        // Bytes left from an earlier read are delivered without polling the stream, so the task's
        // cooperative budget is taken here.
        let mut has_unread = !receiving.read.wants_read();
        // Bounded by the bytes that the stream has ready: tokio's streams take the task's
        // cooperative budget.
        loop {
            receiving.answer_and_write(sending, io, cx, now);
            let backlogged = sending.is_backlogged();
            receiving.set_paused(backlogged, now);
            if !receiving.read.wants_read() && !backlogged {
                if core::mem::take(&mut has_unread) {
                    ready!(poll_budget(cx));
                }
                return Poll::Ready(true);
            }
            let mut ended = receiving.done;
            if !ended && receiving.read.wants_read() && !receiving.eof && !backlogged {
                if let Poll::Ready(event) = receiving.poll_read(io, cx, &mut now) {
                    let deadline = sending.write.deadline();
                    if matches!(event, ReadEvent::Bytes) && receiving.is_due(deadline, now) {
                        receiving.read.handle_timeout(&mut sending.write, now);
                    }
                    if !receiving.read.wants_read() && !receiving.read.look_ahead() {
                        return Poll::Ready(true);
                    }
                    continue;
                }
                if receiving.read.handle_read_would_block(&mut sending.write) {
                    continue;
                }
            }
            ended |= !to_the_end && receiving.read.has_failed();
            receiving.detach();
            sending.detach_if_idle();
            if ended {
                return Poll::Ready(false);
            }
            let mut deadline = sending.write.deadline();
            if !backlogged {
                // While this end does not read, a silent peer is no failure.
                deadline = receiving.read.poll_timeout(deadline);
            }
            if receiving.timer.poll(cx, deadline).is_pending() {
                receiving.register_receiver(cx.waker());
                return Poll::Pending;
            }
            now = super::io::now();
            receiving.read.handle_timeout(&mut sending.write, now);
        }
    }
}

impl<S> fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("role", &self.role())
            .field("subprotocol", &self.subprotocol())
            .field("end", &self.end())
            .finish_non_exhaustive()
    }
}
