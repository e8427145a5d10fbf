//! [`Handler`], the interface between a reactor and the application, and the contexts of its
//! callbacks.

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::error::Error;
use super::line::Line;
use super::parts::Parts;
use super::socket::{PeerAddr, Socket};
use super::timers_full::TimersFull;
use super::transport::Transport;
use super::tune::TuneReport;
use super::verdict::Verdict;
use crate::agreed::Agreed;
use crate::conn::{Message, Outbox};
use crate::error::{CloseCode, SendError};
use crate::handshake::{HandshakeError, Request};
use crate::payload::BinaryPayload;
use crate::role::Role;
use crate::session::{End, Stats, WriteSide};
use crate::time::{OptionalTimestamp, Timestamp};

/// The id of a connection on one reactor. An id is never reused for another connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// The properties of a connection that has just opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Opened<'a, T = ()> {
    /// The result of the opening handshake.
    pub agreed: &'a Agreed,
    /// The address of the peer; `None` if the socket of an adopted connection has none.
    pub peer: Option<PeerAddr>,
    /// The value in the [`Verdict`] of [`Handler::request`], for an accepted connection. `None` for
    /// outgoing and adopted connections.
    pub admitted: Option<T>,
    /// The token that was passed to connect or adopt; 0 for an accepted connection, which has
    /// [`Self::admitted`] instead.
    pub token: u64,
}

impl<'a, T> Opened<'a, T> {
    /// [`Role::Server`] for accepted connections, [`Role::Client`] for outgoing connections.
    #[must_use]
    pub fn role(&self) -> Role {
        self.agreed.role()
    }

    /// The sub-protocol agreed on.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&'a str> {
        self.agreed.subprotocol()
    }
}

/// How a connection of a reactor ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ended {
    /// The protocol ended the connection: by a closing handshake, or by a failure.
    Session(End),
    /// The socket failed. Messages that came before the failure were delivered first, unless a
    /// [pause](Cx::pause) lasted for `close_timeout` after a write had failed.
    Io(io::Error),
    /// The reactor stopped before the closing handshake was complete.
    Stopped,
}

pub(super) const STOPPED: &str = "the reactor stopped before the connection had ended";

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(end) => end.fmt(f),
            Self::Io(error) => write!(f, "i/o error: {error}"),
            Self::Stopped => f.write_str(STOPPED),
        }
    }
}

/// An application on a reactor. One value per thread owns the state of all connections of the
/// reactor, and the reactor calls its methods (the callbacks) for each event.
///
/// A callback must not block: its thread serves all connections. Messages that a callback sends are
/// written at the end of the batch, in one system call per connection; a message of 128 KiB or more
/// is written during the call.
///
/// The same handler runs on the mio reactor and on tokio.
///
/// ```
/// use tickwire::reactor::{Cx, Handler, Opened};
/// use tickwire::{Message, SendError};
///
/// /// Sends every binary message back.
/// struct Echo;
///
/// impl Handler for Echo {
///     /// A message that waits because the send queue was full.
///     type Conn = Option<Vec<u8>>;
///     type Command = ();
///     type Admitted = ();
///
///     fn open(&mut self, _cx: &mut Cx<'_>, _opened: Opened<'_>) -> Option<Vec<u8>> {
///         None
///     }
///
///     fn message(&mut self, refused: &mut Option<Vec<u8>>, cx: &mut Cx<'_>, message: Message<'_>) {
///         if let Message::Binary(payload) = message
///             && let Err(SendError::QueueFull { .. }) = cx.send(payload)
///         {
///             *refused = Some(payload.to_vec());
///             cx.pause(); // no more messages until drained() is called
///         }
///     }
///
///     fn drained(&mut self, refused: &mut Option<Vec<u8>>, cx: &mut Cx<'_>) {
///         if let Some(payload) = refused.take()
///             && let Err(SendError::QueueFull { .. }) = cx.send(&payload)
///         {
///             *refused = Some(payload); // drained() will be called again
///             return;
///         }
///         cx.resume();
///     }
/// }
/// ```
pub trait Handler: Sized {
    /// The application's state of one connection.
    type Conn;
    /// The type of the commands that other threads send through a
    /// [`Remote`](crate::reactor::Remote).
    type Command: Send + 'static;
    /// A value that [`Self::request`] passes to [`Self::open`] for an accepted client, for example
    /// a user that the request identifies. `()` for no value. The reactor passes the value on at
    /// once and does not keep it.
    type Admitted;

    /// A client requests to open a connection. The default accepts. The reactor itself refuses a
    /// request that breaks a rule or that is no upgrade (such as HEAD), and calls
    /// [`Self::rejected`].
    fn request(&mut self, request: &Request, peer: Option<PeerAddr>) -> Verdict<Self::Admitted> {
        let _ = (request, peer);
        Verdict::default()
    }

    /// A connection is open. Sends are possible at once.
    fn open(&mut self, cx: &mut Cx<'_>, opened: Opened<'_, Self::Admitted>) -> Self::Conn;

    /// A message was received. It is borrowed until the call returns. The answer to a Ping or Close
    /// is written before this call, as far as the socket accepts it.
    fn message(&mut self, conn: &mut Self::Conn, cx: &mut Cx<'_>, message: Message<'_>);

    /// All messages of one read were delivered, or all messages before a Ping or Close that is
    /// answered next. Queued output is written after this call.
    fn batch_end(&mut self, conn: &mut Self::Conn, cx: &mut Cx<'_>) {
        let _ = (conn, cx);
    }

    /// The send queue has room again. Called after a send was refused with
    /// [`SendError::QueueFull`], when half of the queue is free and that send fits (the smallest,
    /// if several were refused). Also called when the queue has drained to the size given to
    /// [`Outbox::notify_below`](crate::Outbox::notify_below).
    fn drained(&mut self, conn: &mut Self::Conn, cx: &mut Cx<'_>) {
        let _ = (conn, cx);
    }

    /// A timer set by [`Cx::timer`] is due.
    fn timer(&mut self, conn: &mut Self::Conn, cx: &mut Cx<'_>, token: u64) {
        let _ = (conn, cx, token);
    }

    /// The reactor is stopping. After the messages that this call sends, the connection is closed
    /// with 1001.
    fn stopping(&mut self, conn: &mut Self::Conn, cx: &mut Cx<'_>) {
        let _ = (conn, cx);
    }

    /// The connection has ended, and its id is no longer valid. Called once for every `open`, except
    /// for a connection that was [detached](Self::detached).
    ///
    /// After a failure, this is called as soon as all earlier messages were delivered; the reactor
    /// then sends a Close and closes the socket, within `close_timeout`. After a closing handshake,
    /// this is called when the handshake is complete and the socket is closed.
    ///
    /// `stats` are the final counts of messages and bytes of the connection.
    fn close(&mut self, conn: Self::Conn, id: ConnId, ended: Ended, stats: Stats) {
        let _ = (conn, id, ended, stats);
    }

    /// [`Cx::detach`] has removed the connection from the reactor. Called instead of `close`.
    fn detached(&mut self, conn: Self::Conn, id: ConnId, parts: Parts<Socket>) {
        let _ = (conn, id, parts);
    }

    /// An outgoing connection did not open, or a connection was not adopted because the reactor is
    /// stopping. `token` is that of the [`Outgoing`](crate::reactor::Outgoing) or of the adopt call.
    fn connect_failed(&mut self, token: u64, error: Error) {
        let _ = (token, error);
    }

    /// A command that another thread sent with [`Remote::command`](crate::reactor::Remote::command).
    ///
    /// The [`Hub`] reaches the outbox, the statistics and the timers of every connection, but not
    /// its [`Self::Conn`] or address. Keep what commands need in the handler itself, by [`ConnId`]:
    /// insert it in [`Self::open`], which gets the address, and remove it in [`Self::close`] and
    /// [`Self::detached`]. Or set a timer with [`Hub::timer`], whose callback has the `Conn`.
    fn command(&mut self, hub: &mut Hub<'_>, command: Self::Command) {
        let _ = (hub, command);
    }

    /// A message that another thread sent through a [`Remote`](crate::reactor::Remote) could not be
    /// queued. `error` is `None` if the connection has ended.
    fn undelivered(&mut self, id: ConnId, message: Bytes, error: Option<SendError>) {
        let _ = (id, message, error);
    }

    /// The reactor refused a client's opening handshake and sent an HTTP answer. Causes: the
    /// request broke a rule; [`Self::request`] accepted it with a sub-protocol that the client did
    /// not offer; or [`Self::request`] refused it without a header that the status requires
    /// ([`Refusal::check`](crate::handshake::Refusal::check)).
    fn rejected(&mut self, peer: Option<PeerAddr>, error: &HandshakeError) {
        let _ = (peer, error);
    }

    /// The platform refused some options of a connection's socket. The socket is used without
    /// them. With [`Tune::strict`](crate::net::Tune::strict), a refused option is an error instead.
    fn tune_refused(&mut self, peer: Option<PeerAddr>, report: &TuneReport) {
        let _ = (peer, report);
    }

    /// A connection could not be accepted, for example because of too many open files. The listener
    /// accepts again after [`ACCEPT_BACKOFF`](crate::reactor::ACCEPT_BACKOFF).
    fn accept_failed(&mut self, error: io::Error) {
        let _ = error;
    }
}

/// All connections of a reactor, for use in a callback.
pub struct Hub<'a> {
    pub(super) links: &'a mut dyn Links,
    pub(super) now: Timestamp,
    pub(super) stop: &'a mut bool,
    pub(super) calls: &'a mut Calls,
    /// The connection of the current callback, which is taken out of `links`; its statistics when
    /// the turn began. `None` in a callback for a command.
    pub(super) current: Option<(ConnId, Stats)>,
}

/// Counts of the calls that a reactor has made to the operating system, or to the runtime.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Calls {
    /// Waits for events; on tokio, polls of the reactor's task.
    pub waits: u64,
    /// Reads from connections, including reads that would have blocked.
    pub reads: u64,
    /// Writes to connections, including writes that would have blocked.
    pub writes: u64,
}

/// The connections of a reactor, without the type parameter of their sockets.
pub(super) trait Links {
    fn outbox(&mut self, id: ConnId) -> Option<&mut Outbox>;
    fn resume(&mut self, id: ConnId);
    fn timer(&mut self, id: ConnId, at: Timestamp, token: u64) -> Result<(), TimersFull>;
    /// A timer of the layer between the reactor and the application (the channels). There are few
    /// per connection, at most a minute ahead, so that they do not count against `TIMERS_MAX`.
    fn layer_timer(&mut self, id: ConnId, at: Timestamp, token: u64);
    fn open(&self) -> usize;
    /// The statistics of a connection for which [`Self::outbox`] returns `Some`.
    fn stats(&self, id: ConnId) -> Option<Stats>;
    /// The first connection at this index or above for which [`Self::outbox`] returns `Some`.
    fn next_open(&self, index: u32) -> Option<ConnId>;
}

impl Hub<'_> {
    /// The outbox of another connection; `None` if that connection has ended. Queued messages are
    /// written at the end of this turn.
    ///
    /// Also `None` for the connection of the current callback: use [`Cx::outbox`].
    pub fn outbox(&mut self, id: ConnId) -> Option<&mut Outbox> {
        self.links.outbox(id)
    }

    /// Resumes another connection that was [paused](Cx::pause). For the connection of the current
    /// callback, use [`Cx::resume`].
    pub fn resume(&mut self, id: ConnId) {
        self.links.resume(id);
    }

    /// The number of connections on this reactor, including those in their opening handshake and
    /// failed connections whose sockets are not closed yet.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.links.open()
    }

    /// The ids of all open connections, including that of the current callback, in no particular
    /// order. [`Self::outbox`] returns `Some` for all of them but that of the current callback.
    /// Connections open and end only between callbacks, so the list is exact while the hub is
    /// borrowed. The time is proportional to the largest number of connections that the reactor has
    /// had at once. Does not allocate.
    pub fn ids(&self) -> impl Iterator<Item = ConnId> {
        let current = self.current.map(|(id, _)| id);
        let next = |index| self.links.next_open(index);
        let others = std::iter::successors(next(0), move |id| next(id.index + 1));
        current.into_iter().chain(others)
    }

    /// Counts of messages and bytes of a connection; `None` if the connection has ended. For the
    /// connection of the current callback the counts are those of [`Cx::stats`].
    #[must_use]
    pub fn stats(&self, id: ConnId) -> Option<Stats> {
        match self.current {
            Some((current, stats)) if current == id => Some(stats),
            _ => self.links.stats(id),
        }
    }

    /// Sets a timer of a connection, as [`Cx::timer`]: [`Handler::timer`] is called with that
    /// connection's state, which a command cannot reach. Sets no timer if the connection has ended.
    ///
    /// # Errors
    /// [`TimersFull`]: the timer is not set.
    pub fn timer(&mut self, id: ConnId, after: Duration, token: u64) -> Result<(), TimersFull> {
        if self.stats(id).is_none() {
            return Ok(());
        }
        // After the time of this turn: else a timer that sets itself again would keep the turn
        // from ending.
        let at = self.now.after(after.max(Duration::from_nanos(1)));
        self.links.timer(id, at, token)
    }

    /// When this turn began.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Counts of the system calls of this reactor since its start.
    #[must_use]
    pub fn calls(&self) -> Calls {
        *self.calls
    }

    /// Stops the reactor. Every connection is closed with 1001, after [`Handler::stopping`]. The
    /// reactor ends when all connections have ended, at the latest after `close_timeout`.
    pub fn stop(&mut self) {
        *self.stop = true;
    }
}

impl std::fmt::Debug for Hub<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("connections", &self.connections())
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// The connection of a callback.
pub struct Cx<'a> {
    pub(super) id: ConnId,
    pub(super) write: &'a mut WriteSide,
    pub(super) line: &'a mut Line<dyn Transport>,
    pub(super) flow: &'a mut Flow,
    /// Statistics and round-trip time of the receiving half when this turn began.
    pub(super) received: (Stats, Option<Duration>),
    pub(super) hub: Hub<'a>,
}

impl<'a> Cx<'a> {
    /// The id of this connection.
    #[must_use]
    pub fn id(&self) -> ConnId {
        self.id
    }

    /// The outbox of this connection.
    #[inline]
    pub fn outbox(&mut self) -> &mut Outbox {
        self.write.outbox()
    }

    /// Sends a binary message. A message below 128 KiB is copied to the queue and written with the
    /// other messages of the batch. A message of 128 KiB or more is written at once from `payload`,
    /// in the same system call as the queued output before it; only bytes that the socket does not
    /// accept are copied.
    ///
    /// # Errors
    /// As [`Outbox::send`].
    #[inline]
    pub fn send(&mut self, payload: impl BinaryPayload) -> Result<(), SendError> {
        let payload = payload.as_ref();
        if payload.len() < WRITE_THROUGH_BYTES_MIN {
            return self.write.outbox().send(payload);
        }
        self.send_through(payload)
    }

    /// Sends a text message. A text of any size is copied to the queue, and written with the other
    /// messages of the batch.
    ///
    /// # Errors
    /// As [`Outbox::send_text`].
    #[inline]
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError> {
        self.write.outbox().send_text(text)
    }

    // Not inline: small messages would pay for saving the registers of this path, too.
    #[inline(never)]
    fn send_through(&mut self, payload: &[u8]) -> Result<(), SendError> {
        let (line, calls) = (&mut *self.line, &mut *self.hub.calls);
        self.write.send_through(payload, self.hub.now, |slices| {
            if line.blocked {
                return 0;
            }
            calls.writes += 1;
            // A socket that fails here fails again when the rest is flushed.
            line.write(slices).unwrap_or(0)
        })
    }

    /// Begins the closing handshake. See [`Outbox::close`].
    ///
    /// # Errors
    /// As [`Outbox::close`].
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.write.outbox().close(code, reason)
    }

    /// Stops receiving from this connection, beginning with the next message, until
    /// [`Self::resume`]. TCP flow control then stops the peer, and the peer's Pings are answered
    /// after the pause. During a pause no Pings are sent, and only the write and close deadlines
    /// run; the other deadlines stand still.
    ///
    /// A stop of the reactor ends the pause: the connection is closed, and messages that the peer
    /// sends before its Close are delivered.
    pub fn pause(&mut self) {
        self.flow.paused = true;
        if self.flow.paused_at == OptionalTimestamp::NONE {
            self.flow.paused_at = self.hub.now.into();
        }
    }

    /// Receives again after [`Self::pause`].
    pub fn resume(&mut self) {
        // A connection that is being detached must stay paused.
        if !self.flow.detach && core::mem::take(&mut self.flow.paused) {
            self.hub.links.resume(self.id);
        }
    }

    /// Removes the connection from the reactor when this callback returns. The connection is passed
    /// to [`Handler::detached`], with all bytes that are not yet delivered or not yet written.
    ///
    /// Complete a message that is [sent in parts](crate::Outbox::send_part) before this call: the
    /// next owner of the connection does not know about it. A connection that is closing, or whose
    /// socket has failed, is not detached and ends with [`Handler::close`].
    pub fn detach(&mut self) {
        self.flow.paused = true;
        self.flow.detach = true;
    }

    /// Sets a timer: [`Handler::timer`] is called with `token` after the duration `after`, if the
    /// connection is still open. A timer cannot be cancelled: ignore a token that is no longer
    /// expected.
    ///
    /// A timer that is already due at the end of the turn fires without a wait. Other timers fire
    /// late by up to the resolution of the poll: one millisecond on mio, two on tokio.
    ///
    /// # Errors
    /// [`TimersFull`]: the timer is not set.
    pub fn timer(&mut self, after: Duration, token: u64) -> Result<(), TimersFull> {
        self.hub.timer(self.id, after, token)
    }

    /// The round-trip time of the last Ping of the keepalive; `None` before the first Pong.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.received.1
    }

    /// Counts of messages and bytes of this connection when this turn began.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.received.0
    }

    /// When this turn began.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.hub.now
    }

    /// The other connections of this reactor.
    pub fn hub(&mut self) -> &mut Hub<'a> {
        &mut self.hub
    }
}

/// The state of a connection between the reactor and the application, across turns.
#[derive(Default, Debug)]
pub(super) struct Flow {
    /// The application has paused receiving.
    pub(super) paused: bool,
    /// When the pause began. Kept until [`Self::take_pause`], which also ends the measurement.
    pub(super) paused_at: OptionalTimestamp,
    /// The connection needs another turn before the next wait.
    pub(super) again: bool,
    /// The application has called [`Cx::detach`].
    pub(super) detach: bool,
    /// The connection is in the list of those with a turn before the next wait.
    pub(super) queued: bool,
    /// [`Handler::close`] was called; only the socket is still to be closed.
    pub(super) close_called: bool,
}

impl Flow {
    /// The duration of a pause that has ended; returns it once.
    #[inline]
    pub(super) fn take_pause(&mut self, now: Timestamp) -> Option<Duration> {
        if self.paused {
            return None;
        }
        let since = core::mem::take(&mut self.paused_at).get()?;
        Some(now.since(since))
    }
}

/// Payload size from which [`Cx::send`] writes at once instead of copying to the queue. For smaller
/// messages, one write for the whole batch saves more than the copies cost: measured at 32 and
/// 64 KiB with four messages per batch.
pub(super) const WRITE_THROUGH_BYTES_MIN: usize = 128 * 1024;

impl std::fmt::Debug for Cx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cx")
            .field("id", &self.id)
            .field("hub", &self.hub)
            .finish_non_exhaustive()
    }
}
