//! What an application is to a reactor: a [`Handler`], called with what happens.

use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::error::Error;
use super::line::Line;
use super::parts::Parts;
use super::socket::{PeerAddr, Socket};
use super::transport::Transport;
use super::tune::TuneReport;
use crate::agreed::Agreed;
use crate::conn::{Message, Outbox};
use crate::error::{CloseCode, SendError};
use crate::handshake::{Accept, HandshakeError, Refusal, Request};
use crate::payload::BinaryPayload;
use crate::role::Role;
use crate::session::{End, Stats, WriteSide};
use crate::time::{OptionalTimestamp, Timestamp};

/// A connection of one reactor. Never given to another connection again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// The application's answer to an opening handshake, and a value of the application's type for
/// [`Handler::open`].
///
/// ```
/// use tickwire::handshake::{Accept, Refusal};
/// use tickwire::reactor::Verdict;
///
/// struct User(u64);
///
/// // Accepts, and nothing more.
/// let verdict: Verdict<User> = Verdict::default();
/// // Accepts, and hands the user to `open`.
/// let verdict = Verdict::admit(User(17));
/// // The same with a sub-protocol.
/// let verdict = Verdict::from(Accept::new().subprotocol("ticks.v1")).with(User(17));
/// // Refuses.
/// let verdict: Verdict<User> = Refusal::forbidden().into();
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Verdict<T = ()> {
    /// Open the connection: 101, with a sub-protocol and headers if any. The value comes to
    /// [`Handler::open`] as [`Opened::admitted`].
    Accept(Accept, Option<T>),
    /// Answer with this status and close.
    Refuse(Refusal),
}

impl<T> Verdict<T> {
    /// Accepts, without a sub-protocol, and hands `value` to [`Handler::open`].
    #[must_use]
    pub fn admit(value: T) -> Self {
        Self::Accept(Accept::new(), Some(value))
    }

    /// The same verdict; where it accepts, it hands `value` to [`Handler::open`].
    #[must_use]
    pub fn with(self, value: T) -> Self {
        match self {
            Self::Accept(accept, _) => Self::Accept(accept, Some(value)),
            refuse => refuse,
        }
    }
}

impl<T> Default for Verdict<T> {
    fn default() -> Self {
        Accept::new().into()
    }
}

impl<T> From<Accept> for Verdict<T> {
    fn from(accept: Accept) -> Self {
        Self::Accept(accept, None)
    }
}

impl<T> From<Refusal> for Verdict<T> {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(refusal)
    }
}

/// What is known of a connection when it opens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Opened<'a, T = ()> {
    /// What the opening handshake agreed on.
    pub agreed: &'a Agreed,
    /// Who is at the other end; `None` where an adopted socket does not tell.
    pub peer: Option<PeerAddr>,
    /// What the [`Verdict`] of [`Handler::request`] had for this call, of an accepted connection;
    /// `None` for connections of our own and for adopted ones.
    pub admitted: Option<T>,
    /// The token given to connect or adopt. An accepted connection was given none, and has 0: what
    /// the application wants to know of it is [`Self::admitted`].
    pub token: u64,
}

impl<'a, T> Opened<'a, T> {
    /// [`Role::Server`] for accepted connections, [`Role::Client`] for our own.
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
    /// As the protocol says: closed, or failed.
    Session(End),
    /// The socket failed. What the peer had sent before was delivered first, unless a
    /// [pause](Cx::pause) went on for `close_timeout` after a write had failed.
    Io(io::Error),
    /// The reactor stopped before the closing handshake was over.
    Stopped,
}

/// An application on a reactor: one value per thread, which owns the state of all of its
/// connections and is called with everything that happens to them.
///
/// No call may block: the thread serves all connections. What a call sends is written when the
/// batch it belongs to has been handled, in one system call per connection; a message of 128 KiB or
/// more goes out during the call.
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
///     /// The message that a full queue has refused.
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
///             cx.pause(); // take no more until drained() is called
///         }
///     }
///
///     fn drained(&mut self, refused: &mut Option<Vec<u8>>, cx: &mut Cx<'_>) {
///         if let Some(payload) = refused.take()
///             && let Err(SendError::QueueFull { .. }) = cx.send(&payload)
///         {
///             *refused = Some(payload); // it is told again
///             return;
///         }
///         cx.resume();
///     }
/// }
/// ```
pub trait Handler: Sized {
    /// What the application keeps for each connection.
    type Conn;
    /// What other threads tell the application through a [`Remote`](crate::reactor::Remote).
    type Command: Send + 'static;
    /// What [`Self::request`] tells [`Self::open`] of a client that it accepts: a user, say, of
    /// whom only the request tells. `()` for nothing. The reactor hands the value over at once, and
    /// keeps nothing.
    type Admitted;

    /// A client asks to open a connection. Accepts by default. A request that breaks a rule, and
    /// one that does not upgrade (HEAD among them), is answered without asking, and told with
    /// [`Self::rejected`].
    fn request(&mut self, request: &Request, peer: Option<PeerAddr>) -> Verdict<Self::Admitted> {
        let _ = (request, peer);
        Verdict::default()
    }

    /// A connection is open; it may send at once.
    fn open(&mut self, cx: &mut Cx<'_>, opened: Opened<'_, Self::Admitted>) -> Self::Conn;

    /// A message came. It is lent until the call returns. A Ping or Close has been answered when
    /// it is handed over: the answer is written, as far as the socket takes it.
    fn message(&mut self, conn: &mut Self::Conn, cx: &mut Cx<'_>, message: Message<'_>);

    /// All messages of one read have been handed over, or those before a Ping or Close that is
    /// answered next; what was sent goes out after this.
    fn batch_end(&mut self, conn: &mut Self::Conn, cx: &mut Cx<'_>) {
        let _ = (conn, cx);
    }

    /// A send had been refused with [`SendError::QueueFull`], and half of the queue is free, with
    /// room for that send (the smallest of them, if there were more). Or no more is queued than
    /// [`Outbox::notify_below`](crate::Outbox::notify_below) asked for.
    fn drained(&mut self, conn: &mut Self::Conn, cx: &mut Cx<'_>) {
        let _ = (conn, cx);
    }

    /// A timer set by [`Cx::timer`] is due.
    fn timer(&mut self, conn: &mut Self::Conn, cx: &mut Cx<'_>, token: u64) {
        let _ = (conn, cx, token);
    }

    /// The reactor stops: what is sent in this call is the last that goes out on the connection
    /// before it is closed with 1001.
    fn stopping(&mut self, conn: &mut Self::Conn, cx: &mut Cx<'_>) {
        let _ = (conn, cx);
    }

    /// The connection has ended, and its id is of no use any more. Called once for every `open`.
    ///
    /// Of a failure at once, when what came before has been handed over: the reactor tells the peer
    /// and closes the socket afterwards, within `close_timeout`. Of a closing handshake when it is
    /// over, and the socket closed.
    fn close(&mut self, conn: Self::Conn, id: ConnId, ended: Ended) {
        let _ = (conn, id, ended);
    }

    /// The connection was taken off the reactor by [`Cx::detach`]. Called in place of `close`.
    fn detached(&mut self, conn: Self::Conn, id: ConnId, parts: Parts<Socket>) {
        let _ = (conn, id, parts);
    }

    /// A connection of our own did not open.
    fn connect_failed(&mut self, token: u64, error: Error) {
        let _ = (token, error);
    }

    /// Another thread has something to say.
    fn command(&mut self, hub: &mut Hub<'_>, command: Self::Command) {
        let _ = (hub, command);
    }

    /// A message that another thread sent through a [`Remote`](crate::reactor::Remote) could not be
    /// queued; `None` where the connection is gone.
    fn undelivered(&mut self, id: ConnId, message: Bytes, error: Option<SendError>) {
        let _ = (id, message, error);
    }

    /// A client's opening handshake was refused for breaking a rule, or because
    /// [`Self::request`] accepted it with a sub-protocol that was not offered, or refused it
    /// without a header that the status must have ([`Refusal::check`]). The client has its HTTP
    /// answer.
    fn rejected(&mut self, peer: Option<PeerAddr>, error: &HandshakeError) {
        let _ = (peer, error);
    }

    /// The platform refused options of a connection's socket, which is used all the same. With
    /// [`Tune::strict`](crate::net::Tune::strict) it is not used, and that is an error instead.
    fn untuned(&mut self, peer: Option<PeerAddr>, report: &TuneReport) {
        let _ = (peer, report);
    }

    /// A connection could not be accepted (too many open files, say). The listener rests for
    /// [`ACCEPT_REST`](crate::reactor::ACCEPT_REST) and goes on.
    fn accept_failed(&mut self, error: io::Error) {
        let _ = error;
    }
}

/// All connections of a reactor, as a handler's call sees them.
pub struct Hub<'a> {
    pub(super) links: &'a mut dyn Links,
    pub(super) now: Timestamp,
    pub(super) stop: &'a mut bool,
    pub(super) calls: &'a mut Calls,
}

/// Calls that a reactor has made of the operating system, or of the runtime.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Calls {
    /// Waits for events; on tokio, polls of the reactor's task.
    pub waits: u64,
    /// Reads of connections, those that found nothing included.
    pub reads: u64,
    /// Writes to connections, those that found no room included.
    pub writes: u64,
}

/// The connections, without the type of their sockets.
pub(super) trait Links {
    fn outbox(&mut self, id: ConnId) -> Option<&mut Outbox>;
    fn resume(&mut self, id: ConnId);
    fn timer(&mut self, id: ConnId, at: Timestamp, token: u64) -> Result<(), TimersFull>;
    /// As [`Self::timer`], for what is between the reactor and the application: few for each
    /// connection and at most a minute ahead, so
    /// that they need not be counted.
    fn layer_timer(&mut self, id: ConnId, at: Timestamp, token: u64);
    fn open(&self) -> usize;
    /// The first connection of those that [`Self::outbox`] knows, at this index or above.
    fn next_open(&self, index: u32) -> Option<ConnId>;
}

impl Hub<'_> {
    /// Where to send to another connection; `None` if it is gone. What is queued goes out at
    /// the end of this turn.
    ///
    /// The connection whose call this is, is not among them: use [`Cx::outbox`].
    pub fn outbox(&mut self, id: ConnId) -> Option<&mut Outbox> {
        self.links.outbox(id)
    }

    /// Reads go on from another connection that was [paused](Cx::pause); for the one whose call
    /// this is, use [`Cx::resume`].
    pub fn resume(&mut self, id: ConnId) {
        self.links.resume(id);
    }

    /// Connections that this reactor holds, those included that are in their opening handshake, and
    /// those that have failed and whose sockets are being closed.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.links.open()
    }

    /// The connections that [`Self::outbox`] knows, in no order that means anything: all that are
    /// open, but for the one whose call this is. Connections come and go between calls of the handler
    /// only, so that the list is exact while the hub is borrowed, and may be out of date in a later
    /// call. Takes a step for each connection that the reactor has held at once, and no memory.
    pub fn ids(&self) -> impl Iterator<Item = ConnId> {
        let next = |index| self.links.next_open(index);
        std::iter::successors(next(0), move |id| next(id.index + 1))
    }

    /// When this turn began.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// System calls of this reactor so far.
    #[must_use]
    pub fn calls(&self) -> Calls {
        *self.calls
    }

    /// Stops the reactor: every connection is closed with 1001, after [`Handler::stopping`], and it
    /// ends when they are gone or `close_timeout` is over.
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

/// One connection, as a handler's call sees it.
pub struct Cx<'a> {
    pub(super) id: ConnId,
    pub(super) write: &'a mut WriteSide,
    pub(super) line: &'a mut Line<dyn Transport>,
    pub(super) flow: &'a mut Flow,
    /// What the receiving half had counted and measured when this turn began.
    pub(super) received: (Stats, Option<Duration>),
    pub(super) hub: Hub<'a>,
}

impl<'a> Cx<'a> {
    /// This connection.
    #[must_use]
    pub fn id(&self) -> ConnId {
        self.id
    }

    /// Where to send on this connection.
    #[inline]
    pub fn outbox(&mut self) -> &mut Outbox {
        self.write.outbox()
    }

    /// Sends a binary message. One of 128 KiB or more is written at once, straight from `payload`,
    /// in the same system call as what is queued before it; only what the socket does not take is
    /// copied. A smaller one is queued, and written with the others of the batch.
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

    // Not inline: its registers would be saved for small messages, too.
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

    /// Takes no more messages from this connection, beginning with the next one, until
    /// [`Self::resume`]. The peer is held back by TCP, and its Pings are answered after the pause.
    /// Meanwhile its silence is our own doing: no Pings go out, and only the deadlines of writing and of closing go on. The others go on
    /// after the pause where they stood before it.
    ///
    /// When the reactor is stopped the pause is over: the connection is closed, and what the peer
    /// sends before its own Close is delivered.
    pub fn pause(&mut self) {
        self.flow.paused = true;
        if self.flow.paused_at == OptionalTimestamp::NONE {
            self.flow.paused_at = self.hub.now.into();
        }
    }

    /// Goes on after [`Self::pause`].
    pub fn resume(&mut self) {
        // What leaves is left alone.
        if !self.flow.detach && core::mem::take(&mut self.flow.paused) {
            self.hub.links.resume(self.id);
        }
    }

    /// Takes the connection off the reactor when this call returns: it is given to
    /// [`Handler::detached`] with every byte that was not delivered or not written.
    ///
    /// Do so between messages that are [sent in parts](crate::Outbox::send_part), too: whoever
    /// goes on does not know that one is open. A connection that is closing, or whose socket has
    /// failed, stays and ends here with [`Handler::close`], for nothing may follow a Close.
    pub fn detach(&mut self) {
        self.flow.paused = true;
        self.flow.detach = true;
    }

    /// Calls [`Handler::timer`] with `token` after `after`, if the connection lives then.
    /// Timers are not cancelled: a handler ignores a token that it no longer expects.
    ///
    /// One that is due when the turn ends is not waited for. Others come late by what the poll
    /// below counts in: a millisecond, and up to two on tokio.
    ///
    /// # Errors
    /// [`TimersFull`]; there will be no call.
    pub fn timer(&mut self, after: Duration, token: u64) -> Result<(), TimersFull> {
        // Later than this turn, or a timer that sets itself again would never let it end.
        let at = self.hub.now.after(after.max(Duration::from_nanos(1)));
        self.hub.links.timer(self.id, at, token)
    }

    /// The last round trip measured by the keepalive.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.received.1
    }

    /// Messages and bytes of this connection, up to when this turn began.
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

/// Timers of the application that a reactor holds at most: 32 MiB of them. Those of closed
/// connections count until they are due.
pub const TIMERS_MAX: usize = 1 << 20;

/// The reactor holds [`TIMERS_MAX`] timers of the application: wait until some
/// are due, and keep one timer per purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimersFull;

impl std::fmt::Display for TimersFull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the reactor holds {TIMERS_MAX} timers already: wait until some are due, and keep one for each purpose"
        )
    }
}

impl std::error::Error for TimersFull {}

/// What the application has asked of a connection and was told of it, between two turns.
#[derive(Default, Debug)]
pub(super) struct Flow {
    /// The application takes no more for now.
    pub(super) paused: bool,
    /// Since when nothing is read because of that; looked at when it is over.
    pub(super) paused_at: OptionalTimestamp,
    /// To be looked at once more before the next wait.
    pub(super) again: bool,
    /// The application takes the connection away.
    pub(super) detach: bool,
    /// Listed already among those that are to be looked at before the next wait.
    pub(super) queued: bool,
    /// The handler was told of the end: what is left is to close the socket.
    pub(super) told: bool,
}

impl Flow {
    /// How long the pause took that is over now; tells so once.
    #[inline]
    pub(super) fn take_pause(&mut self, now: Timestamp) -> Option<Duration> {
        if self.paused {
            return None;
        }
        let since = core::mem::take(&mut self.paused_at).get()?;
        Some(now.since(since))
    }
}

/// Payload bytes from which [`Cx::send`] writes at once instead of copying to the queue. Below
/// it, writing the messages of a batch together saves more than the copies cost: measured at
/// 32 and 64 KiB, four to a batch.
pub(super) const WRITE_THROUGH_BYTES_MIN: usize = 128 * 1024;

impl std::fmt::Debug for Cx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cx")
            .field("id", &self.id)
            .field("hub", &self.hub)
            .finish_non_exhaustive()
    }
}
