//! The connection: all channels, and what they share.
//!
//! | part | what it owns |
//! |---|---|
//! | [`Slots`] | the channels, each with its two halves |
//! | [`Outgoing`] | the record that is being filled, turns, the control lane, the total of all queues |
//! | [`Incoming`] | the budget of all windows; what the application is yet to be told |
//! | [`Opens`] | aliases and counts of both ends' channels |
//! | [`Liveness`] | round trips, silence, deadlines |
//!
//! Each part is the only writer of its fields. A channel's transitions are methods of the channel;
//! what they ask for outside of it is done by `Mux::apply`.

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

/// Where the connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Open,
    /// GOAWAY was sent or received: no new channels.
    Draining,
    /// The GOAWAY that tells why waits to be encoded.
    Failing(ChannelFailure),
    /// Nothing is sent or taken any more.
    Over(ChannelFailure),
}

/// A drain, as its GOAWAY began it.
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

/// One end of a connection that carries channels: `tickwire.mux.v1` without a socket and
/// without a clock. Both ends are alike.
///
/// Whoever drives it gives it records and the time, and does what it asks:
///
/// 1. A record came: [`receive`](Self::receive) it, and take its [`Event`]s with
///    [`next`](Self::next); in between, send, accept, release.
/// 2. [`release`](Self::release) what the application has consumed: nothing else gives the
///    peer credit.
/// 3. While the layer below has room: send what [`poll_record`](Self::poll_record) gives.
///    Else tell [`hold_back`](Self::hold_back), so that messages wait where they can still be
///    conflated and overtaken.
/// 4. [`poll_writable`](Self::poll_writable): channels whose refused send may now succeed.
/// 5. At [`poll_timeout`](Self::poll_timeout), call [`handle_timeout`](Self::handle_timeout),
///    then [`poll_event`](Self::poll_event), and go on with 3.
/// 6. When [`closing`](Self::closing) gives a code, close the layer below with it.
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
/// let mut heard = Vec::new();
/// for _ in 0..3 {
///     // Refused until the server's HELLO has come; then it need not wait for the answer.
///     let _ = client.send(channel, b"tick");
///     while let Some(record) = client.poll_record(now) {
///         let mut records = server.receive(record.as_slice(), now);
///         while let Some(event) = server.next(&mut records) {
///             match event {
///                 Event::Open(opening) => server.accept(opening.channel, AcceptOptions::new())?,
///                 Event::Message(message) => {
///                     heard.push(message.data.to_vec());
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
/// assert_eq!(heard, [b"tick", b"tick"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Mux {
    pub(super) config: Arc<ChannelConfig>,
    now: Timestamp,
    phase: Phase,
    /// The drain that has begun, if one has.
    drain: Option<Drain>,
    /// The peer's HELLO.
    peer: Option<Hello>,
    pub(super) slots: Slots,
    outgoing: Outgoing,
    incoming: Incoming,
    opens: Opens,
    liveness: Liveness,
    totals: Totals,
}

/// A channel that was open for longer was of use, though nothing was to be said on it. What this
/// lets through is bounded by `channels_max`.
const WASTE_AGE_MAX: Duration = Duration::from_secs(1);
/// For how long a sender waits for credit before it says so.
const BLOCKED_AFTER: Duration = Duration::from_millis(500);

impl Mux {
    /// An end of a connection on which nothing was sent yet.
    ///
    /// # Errors
    /// [`ConfigError`], as [`ChannelConfig::check`].
    pub fn new(config: impl Into<Arc<ChannelConfig>>, now: Timestamp) -> Result<Self, ConfigError> {
        let config = config.into();
        config.check()?;
        Ok(Self {
            now,
            phase: Phase::Open,
            drain: None,
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

    /// A record came. Its events are taken with [`Self::next`].
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

    /// It is `now`: for a driver that calls what sends without having received anything before.
    /// Messages with a time to live count theirs from then.
    pub fn tell_time(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// Something came that is not a record: text. That ends the connection.
    pub fn receive_foreign(&mut self) -> Option<Event<'static>> {
        self.violated(ChannelViolation::NotBinary)
    }

    /// The next event of a record; `None` when there is no more in it.
    #[inline]
    pub fn next<'r>(&mut self, records: &mut RecordReader<'r>) -> Option<Event<'r>> {
        if records.next.is_none()
            && let Some((data, behind)) = records.frames.message()
            && let Some(received) = self.plain_data(&data)
        {
            records.frames = behind;
            return Some(Event::Message(received));
        }
        if records.next.is_none() && records.frames.is_empty() {
            return None;
        }
        self.next_any(records)
    }

    #[inline(never)]
    fn next_any<'r>(&mut self, records: &mut RecordReader<'r>) -> Option<Event<'r>> {
        if let Some(event) = records.next.take()
            && self.is_told(&event)
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

    /// The shortest round trip measured, and the last.
    pub(super) fn round_trips(&self) -> [Option<Duration>; 2] {
        [self.liveness.rtt_min(), self.liveness.rtt_last()]
    }

    /// Bytes that wait in all queues.
    pub(super) fn queued(&self) -> usize {
        self.outgoing.queued()
    }

    /// Bytes that are set aside for what the peer may send, and those that may be.
    pub(super) fn receive_budget(&self) -> (u64, u64) {
        self.incoming.budget()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// Channels whose send was refused, and may now succeed. Each is told once.
    pub fn poll_writable(&mut self) -> Option<ChannelId> {
        // Nothing is told of a channel that was let go of meanwhile.
        core::iter::from_fn(|| self.outgoing.next_writable()).find(|&id| self.slots.is_attached(id))
    }

    /// Nothing is told of a channel that was let go of meanwhile.
    fn is_told(&self, event: &Event<'_>) -> bool {
        event.channel().is_none_or(|id| self.slots.is_attached(id))
    }

    /// What happened without a record.
    pub fn poll_event(&mut self) -> Option<Event<'static>> {
        while let Some(event) = self.incoming.next_event() {
            if self.is_told(&event) {
                return Some(event);
            }
        }
        self.incoming.take_end().map(Event::Failed)
    }

    /// The layer below takes no record for now: messages wait in their channels' queues, where
    /// they can be conflated and overtaken, until [`Self::poll_record`] is called.
    pub fn hold_back(&mut self) {
        self.outgoing.hold_back();
    }

    /// The code whose [close code](ErrorCode::close_code) the layer below is closed with, once
    /// nothing more is to be sent; 1001 after [`Self::go_away`].
    #[must_use]
    pub fn closing(&self) -> Option<ErrorCode> {
        match self.phase {
            Phase::Over(failure) => Some(failure.code()),
            _ => None,
        }
    }

    /// How it ended, or is about to; [`ChannelFailure::Drained`] with [`DrainEnd::Complete`] when all
    /// went well.
    #[must_use]
    pub fn failure(&self) -> Option<ChannelFailure> {
        match self.phase {
            Phase::Failing(failure) | Phase::Over(failure) => Some(failure),
            _ => None,
        }
    }

    /// Whether channels can still be used.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Draining)
    }

    /// Whether new channels can be opened.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Carries out what a transition of a channel asks for. The only place that does. The channel
    /// may be gone after it, with what asks to [`settle`](Effects::SETTLE).
    #[inline]
    fn apply(&mut self, key: Key, effects: Effects) {
        if effects == Effects::SCHEDULE {
            self.schedule(key); // a message was queued
        } else if !effects.is_none() {
            self.apply_any(key, effects);
        }
    }

    #[inline(never)]
    fn apply_any(&mut self, key: Key, effects: Effects) {
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
        if effects.has(Effects::ASIDE) {
            self.incoming.set_aside(&mut self.slots[key]);
        }
        if effects.has(Effects::CONTROL) {
            self.join_control(key);
        }
        if effects.has(Effects::SCHEDULE) {
            self.schedule(key);
        }
        if effects.has(Effects::SWEEP) {
            self.liveness.sweep_soon(self.now);
        }
        if effects.has(Effects::ANSWERED) {
            self.opens.answered_own();
        }
        if effects.has(Effects::SETTLE) {
            self.settle(key);
        }
    }

    /// The channel has control frames to send.
    fn join_control(&mut self, key: Key) {
        let channel = &mut self.slots[key];
        if !channel.in_control && !channel.pending.is_empty() {
            channel.in_control = true;
            self.outgoing.join_control(key);
        }
    }

    /// Puts a channel that has something to send, and may, where its turn comes.
    #[inline]
    fn schedule(&mut self, key: Key) {
        let channel = &mut self.slots[key];
        let send = &mut channel.send;
        if let Some(queue) = &mut send.queue {
            self.outgoing.lend_spare(queue);
        }
        if channel.own_alias.is_none() {
            // No turn ends what dies in its queue.
            if channel.ttl.is_some() {
                self.liveness.sweep_soon(self.now);
            }
        } else if send.wants_turn() && !send.in_schedule {
            send.in_schedule = true;
            self.outgoing.schedule(channel.priority, key);
        }
    }

    /// After either half has moved: frees what a closed channel need not keep.
    fn settle(&mut self, key: Key) {
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
            return; // its alias belongs to it until the peer has answered
        }
        if let Some(alias) = channel.own_alias.take() {
            self.opens.give_back(alias);
        }
        if core::mem::take(&mut channel.counted) {
            self.opens.closed(channel.ours);
        }
        if !channel.attached {
            self.retire(key);
        }
        self.admit_waiting();
        self.end_drain();
    }

    /// Frees the place of a channel; what it has counted stays.
    fn retire(&mut self, key: Key) {
        let channel = &mut self.slots[key];
        self.totals.add(channel);
        self.incoming.forget(channel);
        if channel.send.waits_for_all {
            self.outgoing.leave_room_waiters(channel.id);
        }
        if channel.send.in_schedule {
            self.outgoing.unschedule(channel.priority, key);
        }
        self.slots.remove(key);
    }
}
