//! A WebSocket and its channels as one value, for stacks and simulators of the user's own.

use super::{ChannelSession, Channels};
use crate::mux::{ChannelId, Event};
use crate::session::Session;
use crate::time::Timestamp;

/// One endpoint of a WebSocket connection that carries channels: a [`Session`], the
/// [`ChannelSession`] on it, and the order in which they are driven. For a socket loop, an
/// embedded stack or a simulator of your own; the drivers of this crate keep the two apart, for
/// what they do between their calls.
///
/// One turn of a driver:
///
/// 1. Read into the [session](Self::session), as for any `Session`.
/// 2. [`turn`](Self::turn): everything received becomes events; answers are queued.
/// 3. Write what the session [wants to write](Session::wants_write), then do what its
///    [`shutdown`](Session::shutdown) says. After a write, and after the application has used the
///    [channels](Self::channels_mut), go on with 2.
/// 4. At [`poll_timeout`](Self::poll_timeout): [`handle_timeout`](Self::handle_timeout), then 2.
///
/// Two of them, and two byte pipes:
///
/// ```
/// use tickwire::channels::{
///     AcceptOptions, ChannelEndpoint, ChannelSession, Event, OpenOptions, SUBPROTOCOL, ChannelConfig,
/// };
/// use tickwire::sans_io::{BufPool, Entropy, Session};
/// use tickwire::{Role, Timestamp};
///
/// let (now, mut pool) = (Timestamp(0), BufPool::default());
/// let new = |role| {
///     let below = tickwire::Config::default();
///     let mut session = Session::new(role, below, Entropy([7; 32]), &[], now)?;
///     let agreed = Some(SUBPROTOCOL);
///     let channels = ChannelSession::start(ChannelConfig::default(), agreed, session.outbox(), now)?;
///     Ok::<_, Box<dyn std::error::Error>>(ChannelEndpoint::new(session, channels))
/// };
/// let (mut client, mut server) = (new(Role::Client)?, new(Role::Server)?);
///
/// // What the one has to write is what the other reads.
/// let mut carry = |from: &mut ChannelEndpoint, to: &mut ChannelEndpoint| {
///     to.session().attach(&mut pool);
///     let mut sent = 0;
///     for slice in from.session().transmit() {
///         to.session().space()[sent..sent + slice.len()].copy_from_slice(slice);
///         sent += slice.len();
///     }
///     from.session().handle_written(sent, now);
///     to.session().handle_read(sent, now);
/// };
///
/// let trades = client.channels_mut().open(OpenOptions::new("trades"))?;
/// let mut heard = Vec::new();
/// for _ in 0..4 {
///     // Refused until the server's HELLO was received; it need not wait for the answer.
///     let _ = client.channels_mut().send(trades, b"tick");
///     client.turn(now, |_, _| {});
///     carry(&mut client, &mut server);
///     server.turn(now, |channels, event| match event {
///         Event::Open(opening) => {
///             let accepted = channels.accept(opening.channel, AcceptOptions::new());
///             assert!(accepted.is_ok());
///         }
///         Event::Message(message) => {
///             heard.push(message.data.to_vec());
///             channels.release(message.channel, message.charge);
///         }
///         _ => {}
///     });
///     carry(&mut server, &mut client);
/// }
/// assert_eq!(heard, [b"tick", b"tick"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ChannelEndpoint {
    session: Session,
    channels: ChannelSession,
    /// The end of the session was told to the channels.
    lost: bool,
}

impl ChannelEndpoint {
    /// `channels` were [started](ChannelSession::start) on the outbox of this session.
    #[must_use]
    pub fn new(session: Session, channels: ChannelSession) -> Self {
        Self {
            session,
            channels,
            lost: false,
        }
    }

    /// The WebSocket: for reads, writes, buffers, and the end of the stream.
    #[inline]
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// The channels as they stand.
    #[inline]
    #[must_use]
    pub fn channels(&self) -> &Channels {
        self.channels.channels()
    }

    /// The channels: to open, send, release and end them.
    #[inline]
    pub fn channels_mut(&mut self) -> &mut Channels {
        self.channels.channels_mut()
    }

    /// As [`ChannelSession::poll_writable`].
    pub fn poll_writable(&mut self) -> Option<ChannelId> {
        self.channels.poll_writable()
    }

    /// As [`ChannelSession::begin_ended`].
    pub fn begin_ended(&mut self) {
        self.channels.begin_ended();
    }

    /// As [`ChannelSession::poll_ended`].
    pub fn poll_ended(&mut self) -> Option<ChannelId> {
        self.channels.poll_ended()
    }

    /// Takes everything that was received, tells all events in their order, and moves what there
    /// is to send into the session's queue, as far as that takes it. What messages are answered
    /// with is moved before the Close behind them is answered. The application may use the
    /// channels in `tell`.
    pub fn turn(&mut self, now: Timestamp, mut tell: impl FnMut(&mut Channels, Event<'_>)) {
        self.channels.channels_mut().tell_time(now);
        // Each round takes a message, or all that was received.
        loop {
            self.take_batch(now, &mut tell);
            self.session.settle(now);
            let end = self.session.end();
            if end.is_some() && !core::mem::replace(&mut self.lost, true) {
                self.channels.handle_lost(end);
            }
            self.tell_and_fill(now, &mut tell);
            if self.session.wants_read() {
                break;
            }
        }
        // A Close that was queued begins its deadline.
        self.session.settle(now);
    }

    /// The messages up to what is answered before it is lent.
    fn take_batch(&mut self, now: Timestamp, tell: &mut impl FnMut(&mut Channels, Event<'_>)) {
        let channels = &mut self.channels;
        let (mut batch, _) = self.session.receive();
        // A failure of the WebSocket is the last: what follows from it comes with `settle`.
        while let Some(Ok(message)) = batch.next() {
            let Some(mut record) = channels.receive(message, now) else {
                continue;
            };
            while let Some(event) = channels.next(&mut record) {
                tell(channels.channels_mut(), event);
            }
        }
    }

    /// What happened without a record, and what there is to send.
    fn tell_and_fill(&mut self, now: Timestamp, tell: &mut impl FnMut(&mut Channels, Event<'_>)) {
        let channels = &mut self.channels;
        // Each round but the last has told an event, and what comes of it is bounded by the queues.
        let mut told = true;
        while core::mem::take(&mut told) {
            while let Some(event) = channels.poll_event() {
                told = true;
                tell(channels.channels_mut(), event);
            }
            channels.fill(self.session.outbox(), now);
        }
    }

    /// When [`Self::handle_timeout`] is due: the earlier of both layers' deadlines.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let both = [self.session.poll_timeout(), self.channels.poll_timeout()];
        both.into_iter().flatten().min()
    }

    /// Does what is due in both layers. Calling early is harmless. [`Self::turn`] tells what came
    /// of it.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.session.handle_timeout(now);
        self.channels.handle_timeout(self.session.halves().1, now);
    }
}
