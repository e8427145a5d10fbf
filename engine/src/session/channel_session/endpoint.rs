//! A WebSocket and its channels as one value, for custom stacks and simulators.

use super::{ChannelSession, Channels};
use crate::mux::{ChannelId, Event};
use crate::session::Session;
use crate::time::Timestamp;

/// One endpoint of a WebSocket connection with channels: a [`Session`], the [`ChannelSession`] on
/// it, and the order of calls that drives both. For a custom socket loop, an embedded stack or a
/// simulator. The drivers of this crate keep the two apart, because they act between the calls.
///
/// One turn of a driver:
///
/// 1. Read into the [session](Self::session), as for any `Session`.
/// 2. [`turn`](Self::turn): received messages become events, replies are queued.
/// 3. Write while the session [wants to write](Session::wants_write), then do what its
///    [`shutdown`](Session::shutdown) returns. Continue with 2 after a write, and after the
///    application has used the [channels](Self::channels_mut).
/// 4. At [`poll_timeout`](Self::poll_timeout): [`handle_timeout`](Self::handle_timeout), then 2.
///
/// Two endpoints that are connected by two byte pipes:
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
/// // Moves the output of one endpoint to the input of the other.
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
/// let mut received = Vec::new();
/// for _ in 0..4 {
///     // Refused until the HELLO of the server is received; does not wait for the acceptance.
///     let _ = client.channels_mut().send(trades, b"tick");
///     client.turn(now, |_, _| {});
///     carry(&mut client, &mut server);
///     server.turn(now, |channels, event| match event {
///         Event::Open(opening) => {
///             let accepted = channels.accept(opening.channel, AcceptOptions::new());
///             assert!(accepted.is_ok());
///         }
///         Event::Message(message) => {
///             received.push(message.data.to_vec());
///             channels.release(message.channel, message.charge);
///         }
///         _ => {}
///     });
///     carry(&mut server, &mut client);
/// }
/// assert_eq!(received, [b"tick", b"tick"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ChannelEndpoint {
    session: Session,
    channels: ChannelSession,
    /// The channels were notified that the session has ended.
    lost: bool,
}

impl ChannelEndpoint {
    /// Joins a session and the `channels` that were [started](ChannelSession::start) on its outbox.
    #[must_use]
    pub fn new(session: Session, channels: ChannelSession) -> Self {
        Self {
            session,
            channels,
            lost: false,
        }
    }

    /// The WebSocket: to read, to write, to lend buffers, and to report the end of the stream.
    #[inline]
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// The channels, to inspect.
    #[inline]
    #[must_use]
    pub fn channels(&self) -> &Channels {
        self.channels.channels()
    }

    /// The channels, to open, send, release and close them.
    #[inline]
    pub fn channels_mut(&mut self) -> &mut Channels {
        self.channels.channels_mut()
    }

    /// As [`ChannelSession::poll_writable`].
    pub fn poll_writable(&mut self) -> Option<ChannelId> {
        self.channels.poll_writable()
    }

    /// As [`ChannelSession::begin_ended_round`].
    pub fn begin_ended_round(&mut self) {
        self.channels.begin_ended_round();
    }

    /// As [`ChannelSession::poll_ended`].
    pub fn poll_ended(&mut self) -> Option<ChannelId> {
        self.channels.poll_ended()
    }

    /// Processes all received messages, passes all events to `on_event` in order, and moves records
    /// into the queue of the session as far as it has space. Messages with which the application
    /// answers are queued before the Close that follows those messages is answered. `on_event` may
    /// use the channels.
    pub fn turn(&mut self, now: Timestamp, mut on_event: impl FnMut(&mut Channels, Event<'_>)) {
        self.channels.channels_mut().set_time(now);
        // Each iteration takes a message or all received bytes.
        loop {
            self.take_batch(now, &mut on_event);
            self.session.queue_replies(now);
            let end = self.session.end();
            if end.is_some() && !core::mem::replace(&mut self.lost, true) {
                self.channels.handle_lost(end);
            }
            self.poll_events_and_fill(now, &mut on_event);
            if self.session.wants_read() {
                break;
            }
        }
        // Starts the deadline of a Close that was queued.
        self.session.queue_replies(now);
    }

    /// Takes the messages up to a Ping or Close that must be answered before it is lent.
    fn take_batch(&mut self, now: Timestamp, on_event: &mut impl FnMut(&mut Channels, Event<'_>)) {
        let channels = &mut self.channels;
        let (mut batch, _) = self.session.receive();
        // A failure ends the batch; `queue_replies` handles it.
        while let Some(Ok(message)) = batch.next() {
            let Some(mut record) = channels.receive(message, now) else {
                continue;
            };
            while let Some(event) = channels.next(&mut record) {
                on_event(channels.channels_mut(), event);
            }
        }
    }

    /// Passes events without a record to `on_event`, and moves records into the outbox.
    fn poll_events_and_fill(
        &mut self,
        now: Timestamp,
        on_event: &mut impl FnMut(&mut Channels, Event<'_>),
    ) {
        let channels = &mut self.channels;
        // Each iteration except the last passes an event, and the queues bound what it can cause.
        let mut progressed = true;
        while core::mem::take(&mut progressed) {
            while let Some(event) = channels.poll_event() {
                progressed = true;
                on_event(channels.channels_mut(), event);
            }
            channels.fill(self.session.outbox(), now);
        }
    }

    /// The time of the next [`Self::handle_timeout`]: the earlier one of both layers. `None` if no
    /// deadline is set.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let both = [self.session.poll_timeout(), self.channels.poll_timeout()];
        both.into_iter().flatten().min()
    }

    /// Performs the actions that are due in both layers; [`Self::turn`] passes their events on. An
    /// early call has no effect.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.session.handle_timeout(now);
        self.channels.handle_timeout(self.session.halves().1, now);
    }
}
