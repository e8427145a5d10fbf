//! The connection: all channels and their shared state.
//!
//! | part | what it owns |
//! |---|---|
//! | [`Slots`] | the channels, each with its two halves |
//! | [`Outgoing`] | the open record, the schedule, the control queue, the total of all queues |
//! | [`Incoming`] | the budget of all windows; pending events |
//! | [`Opens`] | aliases and counts of the channels that both ends opened |
//! | [`Liveness`] | round trips, idle timeout, deadlines |
//!
//! Each part is the only writer of its fields. A transition of a channel is a method of the
//! channel; `Mux::apply` carries out its effects outside of the channel.

mod bucket;
mod buffer;
mod claim;
mod closing;
mod control;
mod fragment;
mod hello;
mod incoming;
mod liveness;
mod opening;
mod opens;
mod outgoing;
mod receive;
mod release;
mod send;
mod timers;
mod totals;
mod transmit;
mod turns;

use alloc::sync::Arc;
use core::time::Duration;

use self::incoming::Incoming;
use self::liveness::Liveness;
use self::opens::Opens;
use self::outgoing::Outgoing;
use super::channel::{ChannelId, Effects};
use super::config::ChannelConfig;
use super::error::{ChannelFailure, ChannelViolation, DrainEnd, ErrorCode};
use super::event::Event;
use super::slots::{Key, Slots};
use super::wire::{Frames, Hello};
use crate::config::ConfigError;
use crate::time::Timestamp;

pub use claim::ChannelClaim;
pub use incoming::RecordReader;
pub use outgoing::Record;
pub use send::SHARED_BYTES_MIN;
pub(super) use totals::Totals;

/// The state of the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum MuxState {
    Open,
    /// GOAWAY was sent or received: no new channels.
    Draining,
    /// The last GOAWAY is pending.
    Failing(ChannelFailure),
    /// Nothing is sent or received any more.
    Closed(ChannelFailure),
}

/// A drain, as its first GOAWAY started it.
#[derive(Clone, Copy, Debug)]
struct Drain {
    by_peer: bool,
    code: ErrorCode,
}

impl Drain {
    fn ended(self, end: DrainEnd) -> ChannelFailure {
        let Self { by_peer, code } = self;
        ChannelFailure::Drained { by_peer, code, end }
    }
}

/// One end of a connection with channels: `tickwire.mux.v1` without socket and clock. Both ends are
/// alike.
///
/// The caller passes in records and the time, and carries out what the `poll_` methods return:
///
/// 1. Pass a received record to [`receive`](Self::receive), and take its [`Event`]s with
///    [`next`](Self::next). Between two events the caller may send, accept and release.
/// 2. [`release`](Self::release) the charge of each consumed message: only this returns credit to
///    the peer.
/// 3. While the layer below has room, send the records of [`poll_record`](Self::poll_record). Else
///    call [`handle_backpressure`](Self::handle_backpressure), so that messages stay in their
///    queues, where newer messages can replace them and higher priorities can pass them.
/// 4. [`poll_writable`](Self::poll_writable) returns channels on which a refused send may now
///    succeed.
/// 5. At [`poll_timeout`](Self::poll_timeout), call [`handle_timeout`](Self::handle_timeout), then
///    [`poll_event`](Self::poll_event), then continue with 3.
/// 6. When [`closing`](Self::closing) returns a code, close the layer below with it.
///
/// ```
/// use tickwire::Timestamp;
/// use tickwire::channels::{AcceptOptions, Mux, Event, OpenOptions, ChannelConfig};
///
/// let now = Timestamp(0);
/// let new = || Mux::new(ChannelConfig::default(), now);
/// let (mut client, mut server) = (new()?, new()?);
/// let channel = client.open(OpenOptions::new("trades"))?;
///
/// let mut received = Vec::new();
/// for _ in 0..3 {
///     // Refused until the server's HELLO is received. Then it need not wait for ACCEPT.
///     let _ = client.send(channel, b"tick");
///     while let Some(record) = client.poll_record(now) {
///         let mut records = server.receive(record.as_slice(), now);
///         while let Some(event) = server.next(&mut records) {
///             match event {
///                 Event::Open(opening) => server.accept(opening.channel, AcceptOptions::new())?,
///                 Event::Message(message) => {
///                     received.push(message.data.to_vec());
///                     server.release(message.channel, message.charge);
///                 }
///                 _ => {}
///             }
///         }
///     }
///     while let Some(record) = server.poll_record(now) {
///         let mut records = client.receive(record.as_slice(), now);
///         while let Some(_event) = client.next(&mut records) {}
///     }
/// }
/// assert_eq!(received, [b"tick", b"tick"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Mux {
    pub(super) config: Arc<ChannelConfig>,
    now: Timestamp,
    state: MuxState,
    /// The drain, if one has started.
    drain: Option<Drain>,
    /// The code of the peer's last GOAWAY without an error: its Close has this code, also if the
    /// drain of this end started before.
    peer_drain: Option<ErrorCode>,
    /// The peer's HELLO, once received.
    peer: Option<Hello>,
    pub(super) slots: Slots,
    outgoing: Outgoing,
    incoming: Incoming,
    opens: Opens,
    liveness: Liveness,
    totals: Totals,
}

/// A channel that was open for longer does not count as wasted, even without messages.
/// `channels_max` bounds how many such channels a peer can cycle through.
const WASTE_AGE_MAX: Duration = Duration::from_secs(1);
/// Time that a channel is blocked by missing credit before CREDIT(BLOCKED) is sent.
const BLOCKED_AFTER: Duration = Duration::from_millis(500);

impl Mux {
    /// Creates one end of a new connection.
    ///
    /// # Errors
    /// [`ConfigError`], as [`ChannelConfig::check`].
    pub fn new(config: impl Into<Arc<ChannelConfig>>, now: Timestamp) -> Result<Self, ConfigError> {
        let config = config.into();
        config.check()?;
        Ok(Self {
            now,
            state: MuxState::Open,
            drain: None,
            peer_drain: None,
            peer: None,
            slots: Slots::default(),
            outgoing: Outgoing::default(),
            incoming: Incoming::new(&config),
            opens: Opens::new(config.shared_aliases),
            liveness: Liveness::new(config.idle_timeout, now),
            totals: Totals::default(),
            config,
        })
    }

    /// Starts reading a received record. [`Self::next`] returns its events.
    pub fn receive<'r>(&mut self, record: &'r [u8], now: Timestamp) -> RecordReader<'r> {
        self.now = self.now.max(now);
        self.liveness.received(self.now);
        self.totals.count_record_in();
        let mut records = RecordReader {
            frames: Frames::new(record),
            next: None,
        };
        if record.len() > self.config.record_bytes_max as usize {
            records.stop();
            records.next = self.violated(ChannelViolation::RecordTooLarge);
        } else if !self.is_alive() {
            records.stop();
        }
        records
    }

    /// Sets the time. For a caller that sends without having received anything before: the time to
    /// live of a message starts at this time.
    pub fn set_time(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// A text message was received. Records are binary, so the connection ends.
    pub fn receive_text(&mut self) -> Option<Event<'static>> {
        self.violated(ChannelViolation::NotBinary)
    }

    /// The next event of a record; `None` after the last one.
    #[inline]
    pub fn next<'r>(&mut self, records: &mut RecordReader<'r>) -> Option<Event<'r>> {
        if records.next.is_none()
            && let Some((data, behind)) = records.frames.message()
            && let Some(received) = self.data_fast(&data)
        {
            records.frames = behind;
            return Some(Event::Message(received));
        }
        if records.next.is_none() && records.frames.is_empty() {
            return None;
        }
        self.next_slow(records)
    }

    #[inline(never)]
    fn next_slow<'r>(&mut self, records: &mut RecordReader<'r>) -> Option<Event<'r>> {
        if let Some(event) = records.next.take()
            && self.is_deliverable(&event)
        {
            return Some(event);
        }
        loop {
            let event = match records.frames.next()? {
                Ok(frame) => self.handle(frame, &mut records.next),
                Err(error) => Err(ChannelViolation::Wire(error)),
            };
            match event {
                Ok(Some(event)) => return Some(event),
                Ok(None) => {}
                Err(violation) => return self.broken(records, violation),
            }
        }
    }

    #[cold]
    fn broken<'r>(
        &mut self,
        records: &mut RecordReader<'r>,
        violation: ChannelViolation,
    ) -> Option<Event<'r>> {
        records.stop();
        self.violated(violation)
    }

    pub(super) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The shortest and the last measured round trip.
    pub(super) fn round_trips(&self) -> [Option<Duration>; 2] {
        [self.liveness.rtt_min(), self.liveness.rtt_last()]
    }

    /// Bytes in all send queues.
    pub(super) fn queued(&self) -> usize {
        self.outgoing.queued()
    }

    /// Reserved bytes of the receive budget, and the budget.
    pub(super) fn receive_budget(&self) -> (u64, u64) {
        self.incoming.budget()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// The next channel on which a refused send may now succeed. Each refusal is reported once.
    pub fn poll_writable(&mut self) -> Option<ChannelId> {
        // Events of a channel that the application has closed are dropped.
        core::iter::from_fn(|| self.outgoing.next_writable()).find(|&id| self.slots.is_attached(id))
    }

    /// Events of a channel that the application has closed are dropped.
    fn is_deliverable(&self, event: &Event<'_>) -> bool {
        event.channel().is_none_or(|id| self.slots.is_attached(id))
    }

    /// The next event that no record caused.
    pub fn poll_event(&mut self) -> Option<Event<'static>> {
        while let Some(event) = self.incoming.next_event() {
            if self.is_deliverable(&event) {
                return Some(event);
            }
        }
        self.incoming.take_end().map(Event::Failed)
    }

    /// The layer below accepts no record for now: messages stay in their channels' queues, where
    /// newer messages can replace them and higher priorities can pass them, until
    /// [`Self::poll_record`] is called.
    pub fn handle_backpressure(&mut self) {
        self.outgoing.handle_backpressure();
    }

    /// The code whose [close code](ErrorCode::close_code) closes the layer below, once nothing more
    /// has to be sent; 1001 after [`Self::go_away`].
    #[must_use]
    pub fn closing(&self) -> Option<ErrorCode> {
        match self.state {
            MuxState::Closed(failure) => Some(failure.code()),
            _ => None,
        }
    }

    /// How the connection ended, or is about to end; [`ChannelFailure::Drained`] with
    /// [`DrainEnd::Complete`] after a drain that ended all channels.
    #[must_use]
    pub fn failure(&self) -> Option<ChannelFailure> {
        match self.state {
            MuxState::Failing(failure) | MuxState::Closed(failure) => Some(failure),
            _ => None,
        }
    }

    /// Whether channels can still be used.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        matches!(self.state, MuxState::Open | MuxState::Draining)
    }

    /// Whether new channels can be opened.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == MuxState::Open
    }

    /// Carries out the effects of a channel's transition: the only place that does. With
    /// [`CHECK_CLOSED`](Effects::CHECK_CLOSED) the channel may be removed.
    #[inline]
    fn apply(&mut self, key: Key, effects: Effects) {
        if effects == Effects::SCHEDULE {
            self.schedule(key); // a message was queued
        } else if !effects.is_none() {
            self.apply_slow(key, effects);
        }
    }

    #[inline(never)]
    fn apply_slow(&mut self, key: Key, effects: Effects) {
        if effects.has(Effects::DISCARD) {
            let dropped = self.slots[key].send.queue.take();
            self.dequeued(key, dropped.map_or(0, |queue| queue.bytes()));
        }
        if effects.has(Effects::DROP_PARTIAL)
            && let Some(mut partial) = self.slots[key].recv.partial.take()
        {
            let id = self.slots[key].id;
            self.release(id, partial.charge.take());
        }
        if effects.has(Effects::RESERVE) {
            self.incoming.update_reservation(&mut self.slots[key]);
        }
        if effects.has(Effects::CONTROL) {
            self.queue_control(key);
        }
        if effects.has(Effects::SCHEDULE) {
            self.schedule(key);
        }
        if effects.has(Effects::SWEEP) {
            self.liveness.schedule_sweep(self.now);
        }
        if effects.has(Effects::ANSWERED) {
            self.opens.answered_local();
        }
        if effects.has(Effects::CHECK_CLOSED) {
            self.close_if_ended(key);
        }
    }

    /// Queues the channel's pending control frames.
    fn queue_control(&mut self, key: Key) {
        let channel = &mut self.slots[key];
        if !channel.in_control_queue && !channel.pending.is_empty() {
            channel.in_control_queue = true;
            self.outgoing.queue_control(key);
        }
    }

    /// Adds a channel with something to send to the schedule.
    #[inline]
    fn schedule(&mut self, key: Key) {
        let channel = &mut self.slots[key];
        let send = &mut channel.send;
        if let Some(queue) = &mut send.queue {
            self.outgoing.reuse_spare(queue);
        }
        if channel.local_alias.is_none() {
            // Without turns, only the sweep drops expired messages.
            if channel.ttl.is_some() {
                self.liveness.schedule_sweep(self.now);
            }
        } else if send.wants_turn() && !send.in_schedule {
            send.in_schedule = true;
            self.outgoing.schedule(channel.priority, key);
        }
    }

    /// Frees what a closed channel does not need, once both halves have ended.
    fn close_if_ended(&mut self, key: Key) {
        let channel = &mut self.slots[key];
        if !channel.is_closed() {
            return;
        }
        channel.pending.clear();
        if let Some(alias) = channel.peer_alias.take() {
            let rejected = matches!(channel.stage, super::channel::Stage::Rejected);
            self.opens.close_peer(alias, rejected);
        }
        if !channel.is_answered() {
            return; // the channel keeps its alias until the peer has answered
        }
        if let Some(alias) = channel.local_alias.take() {
            self.opens.free_alias(alias);
        }
        if core::mem::take(&mut channel.counted) {
            self.opens.count_closed(channel.is_local);
        }
        if !channel.attached {
            self.retire(key);
        }
        self.admit_waiting();
        self.finish_drain();
    }

    /// Frees the slot of a channel. Its counts stay in the totals.
    fn retire(&mut self, key: Key) {
        let channel = &mut self.slots[key];
        self.totals.add(channel);
        self.incoming.forget(channel);
        if channel.send.waits_for_connection {
            self.outgoing.leave_room_waiters(channel.id);
        }
        if channel.send.in_schedule {
            self.outgoing.unschedule(channel.priority, key);
        }
        self.slots.remove(key);
    }
}
