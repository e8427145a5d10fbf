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
use super::receiving::{Came, Receiving, WATCH_INTERVAL};
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
/// Who only receives and answers calls [`recv_batch`](Self::recv_batch) (messages lent from the
/// receive buffer, nothing copied or allocated) or [`recv`](Self::recv) (messages owned) in a
/// loop, until `None`: a clean close. Both answer Pings, send what is queued, and watch the
/// deadlines of the [`Config`](crate::Config), so one of them should always be waiting. Where
/// sending must not wait for receiving, [`split`](Self::split) gives two halves for two tasks.
///
/// A Ping or Close is answered before it is lent: its answer has been written, as far as the
/// stream takes it, when the application sees the message, and a connection that is dropped then
/// has said its last word.
///
/// # Tasks that only send
///
/// They need not receive: [`send`](Self::send) and its kin, [`flush`](Self::flush), and the `Sink`
/// look at what the peer sends, ten times a second at most. They answer its Pings, and its Close
/// where no message stands before it, and fail when the connection is over: with
/// [`SendError::Closed`](crate::SendError) after a Close, with [`Error::Failed`] for a peer that
/// has vanished, by the deadlines of the [`Config`](crate::Config). That happens in calls: between
/// two of them nobody looks.
///
/// What the peer sends is kept for a later receive: 64 KiB of it, then TCP holds the peer back, and
/// what is behind is not seen, its Pings and its Close among it; the peer is not held to deadlines
/// then but that of writing. Who sends to a peer that talks receives, or
/// [splits](Self::split). Of Pings and Pongs that nobody receives,
/// [`UNREAD_CONTROL_BYTES_MAX`](crate::sans_io::UNREAD_CONTROL_BYTES_MAX) are kept, the newest.
///
/// # Cancel safety
///
/// Every method may be dropped at any await, in `select!` say, and called again. What was
/// received and not delivered stays; what was queued stays queued. A send that was dropped
/// before it was ready has queued nothing; one that is ready has queued everything.
///
/// # Errors
///
/// They stay, and [`end`](Self::end) names the same cause: after a failure every call gives it
/// again, after a clean end a receive gives `None`. A failure is told at once: when what came
/// before has been received, the Close that tells the peer why has been written, as far as the
/// stream takes it, and what the peer was sending has been read away. Nobody waits for the peer's
/// answer. A task that wants to be sure that a peer which goes on sending gets the Close, calls
/// [`close`](Self::close), which waits for that, or has it done by another task:
///
/// ```no_run
/// # async fn run(mut ws: tickwire::WebSocket<tokio::net::TcpStream>) -> Result<(), tickwire::Error> {
/// use tickwire::CloseCode;
///
/// let received = ws.recv().await;
/// if received.is_err() {
///     // At most `close_timeout`. It gives the same error.
///     tokio::spawn(async move { ws.close(CloseCode::NORMAL, "").await });
/// }
/// # received.map(drop)
/// # }
/// ```
///
/// # `Stream` and `Sink`
///
/// A `WebSocket` is a `Stream` and a `Sink` of [`OwnedMessage`]s. Its own [`send`](Self::send),
/// [`feed`](Self::feed), [`flush`](Self::flush), [`close`](Self::close) and [`split`](Self::split)
/// stand before those that `SinkExt` and `StreamExt` of the futures crates add: `ws.send(...)` takes
/// bytes. A method of the sink is called by its path; [`send_owned`](Self::send_owned) sends the same
/// message without it:
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
///             outbox.send(tick)?; // goes out with all others, when the batch is done
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

/// What is left of the opening, where anything is.
#[derive(Debug, Default)]
pub(super) struct Origin {
    pub(super) response: Option<Response>,
    pub(super) tune: Option<TuneReport>,
}

impl<S> WebSocket<S> {
    /// Takes over a connection whose opening handshake is done: `unread` is parsed first,
    /// `unsent` is written first.
    ///
    /// # Errors
    /// [`Error::Config`]; [`Error::Io`] where the operating system has no randomness to give.
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

    /// Takes the connection apart without losing a byte. Meant for one that is open: that it has
    /// ended is told with the parts; that the first parts of a message were sent or received
    /// before, or a Close of ours that is not answered yet, is not.
    #[must_use]
    pub fn into_parts(self) -> Parts<S> {
        let session = Session::join(self.receiving.read, self.sending.write);
        Parts::of_session(self.io, session)
    }

    /// Where to queue messages without waiting. They are written by the next receive that has no
    /// more received messages to give, or by [`flush`](Self::flush).
    pub fn outbox(&mut self) -> &mut Outbox {
        self.sending.outbox()
    }

    /// The stream. Reading or writing it directly breaks the connection.
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

    /// The server's answer to our opening handshake, once; it takes memory until then.
    pub fn take_response(&mut self) -> Option<Response> {
        self.origin.as_mut()?.response.take()
    }

    /// The socket options that the platform refused; `None` where it took all.
    pub fn tune_report(&self) -> Option<&TuneReport> {
        self.origin.as_ref()?.tune.as_ref()
    }

    /// Which end this is.
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

    /// How the connection ended, once that is known: it does not change any more, and is what
    /// receives tell. [`Failure::Io`](crate::Failure) is told as [`Error::Io`].
    ///
    /// A send that has failed ends the connection when all has been received that the peer had sent
    /// before, perhaps its Close: `None` until then.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.receiving.read.end()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// The messages that the next read brings, lent, and where to queue answers. `None` after a
    /// clean close.
    ///
    /// What is queued goes out when the next batch is asked for. A batch ends before a Ping or Close
    /// that is not answered yet, and the next one begins with it, answered: behind what the messages
    /// before a Close were answered with. A batch may have no message in it, when a read brought
    /// part of one; one that is dropped early goes on with the next
    /// call. While more than half of the send queue is taken, no further batch is given: the
    /// peer is held back, and a batch whose answers take less than half of the queue never
    /// finds it full.
    ///
    /// Drain what you are given: messages that are left in a batch come back with the next call,
    /// and a loop that never takes them gets the same batch again and again. Each time takes one
    /// unit of the task's cooperative budget ([`tokio::task::coop`]), so that other tasks and timers
    /// have their turn.
    ///
    /// # Errors
    /// [`Error::Failed`] with the peer's fault, or a deadline, at once; [`Error::Io`]. Everything
    /// received before it has been lent.
    pub async fn recv_batch(&mut self) -> Result<Option<(Messages<'_>, &mut Outbox)>, Error> {
        if poll_fn(|cx| self.poll_turn(cx)).await {
            let batch = self.receiving.read.batch();
            return Ok(Some((Messages(batch), self.sending.outbox())));
        }
        self.receiving.outcome().map(|()| None)
    }

    /// The next message, owned: for other tasks. `None` after a clean close.
    ///
    /// # Errors
    /// As [`Self::recv_batch`].
    pub async fn recv(&mut self) -> Result<Option<OwnedMessage>, Error> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    send_methods!();

    /// The closing handshake, to its end: what is queued goes out, then the Close; waits, at
    /// most `close_timeout`, for the peer's Close and the end of the stream. Messages that still
    /// arrive are dropped: to have them, call [`Outbox::close`] on [`Self::outbox`] and receive
    /// until `None`.
    ///
    /// On a connection that has failed it sees the closing through that the failure began: the
    /// Close that names the failure goes out, what the peer still sends is read away
    /// ([`LINGER_BYTES_MAX`](crate::sans_io::LINGER_BYTES_MAX) at most), and the end of the stream is waited
    /// for, until `close_timeout` after the failure. Code and reason are not used then.
    ///
    /// # Errors
    /// [`Error::Send`] for a code or reason that must not be sent; [`Error::Failed`],
    /// [`Error::Io`] where the connection ends in another way.
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
        // Again when the stream took something, the peer said something, or a deadline passed.
        loop {
            let now = now();
            if now >= self.receiving.watch_at {
                self.watch(cx, now, false);
            }
            let sent = self.sending.poll_send(&mut self.io, cx, flush, now, put);
            if sent.is_ready() {
                self.receiving.give_back();
                return sent;
            }
            ready!(self.poll_wait(cx, true));
        }
    }

    pub(super) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        fresh: &mut bool,
    ) -> Poll<Result<(), Error>> {
        loop {
            let now = now();
            if now >= self.receiving.watch_at {
                self.watch(cx, now, false);
            }
            let flushed = self.sending.poll_flush(&mut self.io, cx, fresh);
            if flushed.is_ready() {
                self.receiving.give_back();
                return flushed;
            }
            ready!(self.poll_wait(cx, false));
        }
    }

    /// Sees to the peer for a task that only sends. `true` while nothing more is read because
    /// nobody receives.
    fn watch(&mut self, cx: &mut Context<'_>, now: Timestamp, waits: bool) -> bool {
        let Self {
            receiving,
            sending,
            io,
            ..
        } = self;
        receiving.watch(sending, io, cx, (now, waits))
    }

    /// Waits for the stream to take something, and for what the peer says meanwhile. Ready when
    /// the connection has failed, or a deadline has passed: what is tried next tells so. With
    /// `queues`, for somebody who queues more, also when the connection is closing.
    fn poll_wait(&mut self, cx: &mut Context<'_>, queues: bool) -> Poll<()> {
        let full = self.watch(cx, now(), true);
        let closing = queues && self.sending.write.outbox().is_closing();
        if closing || self.sending.write.failure().is_some() {
            return Poll::Ready(());
        }
        let mut deadline = self.sending.deadline();
        if !full {
            // While nothing is read, the peer's silence is our own doing.
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
        // Every turn reads or leaves.
        loop {
            if !self.receiving.read.wants_read()
                && !self.sending.is_clogged()
                // The next turn sends the answer to a Ping or Close first. A failure is told by the
                // outcome, when the Close was sent.
                && let Some(Ok(message)) = self.receiving.read.next_owned()
            {
                if self.receiving.read.has_replies() {
                    self.receiving
                        .attend(&mut self.sending, &mut self.io, cx, now());
                }
                return Poll::Ready(Ok(Some(message)));
            }
            if !ready!(self.poll_turn(cx)) {
                return Poll::Ready(self.receiving.outcome().map(|()| None));
            }
        }
    }

    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while ready!(self.poll_drive(cx, true)) {
            self.receiving.read.batch().for_each(drop);
        }
        Poll::Ready(self.receiving.outcome())
    }

    /// Writes what is to be written and reads what is to be read. `true` when there are bytes
    /// to look at, `false` when the connection has ended: a failure is told at once, when the
    /// Close was written as far as the stream takes it, and what had come was read away.
    pub(super) fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.poll_drive(cx, false)
    }

    /// A turn; with `to_the_end`, the closing of the stream behind a failure is waited for, too.
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
        // What an earlier read has left needs no stream, which would ration the task.
        let mut left = !receiving.read.wants_read();
        // Bounded by what the stream has ready, which tokio rations.
        loop {
            receiving.attend(sending, io, cx, now);
            let clogged = sending.is_clogged();
            receiving.hold(clogged, now);
            if !receiving.read.wants_read() && !clogged {
                if core::mem::take(&mut left) {
                    ready!(poll_budget(cx));
                }
                return Poll::Ready(true);
            }
            let mut over = receiving.done;
            if !over && receiving.read.wants_read() && !receiving.eof && !clogged {
                if let Poll::Ready(came) = receiving.poll_read(io, cx, &mut now) {
                    let deadline = sending.write.deadline();
                    if matches!(came, Came::Bytes) && receiving.is_due(deadline, now) {
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
            over |= !to_the_end && receiving.read.has_failed();
            receiving.detach();
            sending.detach_if_idle();
            if over {
                return Poll::Ready(false);
            }
            let mut deadline = sending.write.deadline();
            if !clogged {
                // While nothing is read, the peer's silence is our own doing.
                deadline = receiving.read.poll_timeout(deadline);
            }
            if receiving.timer.poll(cx, deadline).is_pending() {
                receiving.wait(cx.waker());
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
