//! The connection: all channels, and the commands of the application.

mod bucket;
mod cut;
mod data;
mod ending;
mod frames;
mod greeting;
mod holding;
mod opening;
mod sending;
mod starved;
mod timers;
mod transmit;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use self::bucket::Bucket;
use super::channel::{Channel, ChannelId, RecvState, SendState};
use super::config::Settings;
use super::credit::{PassingCredit, SendCredit};
use super::error::{Code, Failure, Violation};
use super::event::Event;
use super::queue::Spare;
use super::schedule::Schedule;
use super::slots::{OwnAliases, PeerAliases, Slots};
use super::wire::{self, Frames, Hello};
use crate::time::Timestamp;

pub use sending::Claim;
#[cfg(feature = "tokio")]
pub(crate) use sending::{Reserved, SHARED_BYTES_MIN};

/// Records of the peer's, being read.
#[derive(Debug)]
pub struct Incoming<'r> {
    frames: Frames<'r>,
    /// What follows the event that was given last.
    next: Option<Event<'r>>,
}

/// A record to send, as one message.
#[derive(Debug)]
pub enum Record<'a> {
    /// To be copied before the connection is used again.
    Inline(&'a [u8]),
    /// One large message, shared with its other receivers.
    Shared(Bytes),
}

impl Record<'_> {
    /// The bytes of the record.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Inline(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// Where the connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Open,
    /// GOAWAY was sent or received: no new channels.
    Draining,
    /// The GOAWAY that tells why waits to be encoded.
    Failing(Failure),
    /// Nothing is sent or taken any more.
    Over(Failure),
}

/// GOAWAY, while it waits to be encoded.
#[derive(Clone, Copy, Debug)]
struct Goodbye {
    code: Code,
    reason: &'static str,
}

/// A measured round trip.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Ping {
    /// The value of the last PING; the next one is another.
    value: u64,
    /// A PING is to be sent.
    due: bool,
    /// When the PING that is not answered yet was encoded.
    sent: Option<Timestamp>,
    /// When the last one was.
    last_sent: Option<Timestamp>,
    /// When the next one is due.
    next_at: Timestamp,
    pub(super) last: Option<Duration>,
    pub(super) least: Option<Duration>,
}

/// Totals, for people.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Totals {
    pub(super) records_in: u64,
    pub(super) records_out: u64,
    pub(super) messages_in: u64,
    pub(super) messages_out: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) skipped_in: u64,
    pub(super) skipped_out: u64,
    pub(super) evicted: u64,
    pub(super) blocked: u64,
}

impl Totals {
    /// What a channel has counted.
    pub(super) fn add(&mut self, channel: &Channel) {
        let (send, recv) = (&channel.send, &channel.recv);
        self.messages_in += recv.messages;
        self.bytes_in += recv.bytes;
        self.skipped_in = self.skipped_in.saturating_add(recv.skipped_total);
        self.messages_out += send.messages;
        self.bytes_out += send.bytes;
        self.skipped_out += send.skipped_total;
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
/// use tickwire::channels::{AcceptOptions, Connection, Event, OpenOptions, Settings};
///
/// let now = Timestamp(0);
/// let new = || Connection::new(Settings::default(), now);
/// let (mut client, mut server) = (new(), new());
/// let channel = client.open(OpenOptions::new("trades"))?;
///
/// let mut heard = Vec::new();
/// for _ in 0..3 {
///     // Refused until the server's HELLO has come; then it need not wait for the answer.
///     let _ = client.send(channel, b"tick");
///     while let Some(record) = client.poll_record(now) {
///         let mut incoming = server.receive(record.as_slice(), now);
///         while let Some(event) = server.next(&mut incoming) {
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
///         let mut incoming = client.receive(record.as_slice(), now);
///         while let Some(_event) = client.next(&mut incoming) {}
///     }
/// }
/// assert_eq!(heard, [b"tick", b"tick"]);
/// # Ok::<(), tickwire::channels::OpenError>(())
/// ```
pub struct Connection {
    pub(super) settings: Settings,
    now: Timestamp,
    phase: Phase,
    /// The peer's HELLO.
    pub(super) peer: Option<Hello>,
    /// The layer below takes no larger records.
    record_limit: usize,
    /// Two of its values, where sending finds them at once; the first cut to the limit.
    peer_record_max: usize,
    peer_overhead: u64,
    hello_sent: bool,
    /// Messages may go straight into the open record: nothing waits before them.
    direct: bool,
    /// The layer below takes no more for now.
    held_back: bool,

    pub(super) slots: Slots,
    peer_aliases: PeerAliases,
    own_aliases: OwnAliases,

    /// The record that is being filled.
    record: Vec<u8>,
    /// Where the last frame of it begins, if it is DATA with a length.
    last_data: Option<(usize, u8)>,
    /// Messages are in it, and not control frames alone.
    carries_data: bool,
    /// The record given out last.
    out: Vec<u8>,
    schedule: Schedule,
    /// Channels whose next message waits for the connection's credit, longest first.
    starved: VecDeque<u32>,
    /// With less credit of the connection's than this none of them can go: 0 where that is to be
    /// found out again.
    starved_least: u64,
    /// When so much is charged on the connection, it is looked whether one of them was passed over
    /// for long.
    look_at: u64,
    /// Since when credit is saved up for such a one, and nothing else is begun.
    saved_since: Option<Timestamp>,
    /// Channels with control frames to send.
    control: VecDeque<u32>,
    /// Channels of ours that the peer's limits keep waiting.
    waiting_opens: VecDeque<u32>,
    /// Aliases of channels that we had no place for.
    rejects: VecDeque<u32>,
    goodbye: Option<Goodbye>,
    /// Why it drains, if that is so.
    drained_by: Option<Failure>,
    pong: Option<u64>,
    ping: Ping,

    /// What we may send on all channels together.
    pub(super) send: SendCredit,
    /// Charge of what is left of begun messages, on all channels.
    begun: u64,
    /// What the peer may send on all channels together.
    pub(super) recv: PassingCredit,
    /// What a message costs at most of those that were told the peer to be welcome, on channels
    /// that may have ended since the window was looked at.
    message_cost_max: u64,
    credit_due: bool,
    blocked_due: bool,
    blocked_since: Option<Timestamp>,
    blocked_told: bool,
    /// The peer has said that it waits for the connection's credit, and was told none since.
    peer_waits: bool,
    /// Since when less than a quarter of the connection's window is free.
    low_since: Option<Timestamp>,

    /// Bytes that wait in all queues.
    pub(super) queued: usize,
    spare: Spare,
    /// Channels whose send was refused because of all queues together.
    room_waiters: VecDeque<ChannelId>,
    writable: VecDeque<ChannelId>,
    events: VecDeque<Event<'static>>,
    /// The end of a drain, which is told after all else.
    ended: Option<Failure>,

    /// Channels of the peer's, and of ours, that are not closed; those not answered.
    peer_open: u32,
    peer_unanswered: u32,
    own_open: u32,
    own_unanswered: u32,
    opens_seen: u64,
    opens_sent: u64,
    /// Of which the peer, that takes no more, has seen no more than these.
    opens_seen_by_peer: u64,
    wasted_opens: Bucket,
    pings: Bucket,
    goaways: Bucket,

    last_received: Timestamp,
    sweep_at: Option<Timestamp>,
    drain_at: Option<Timestamp>,
    totals: Totals,
}

/// PINGs of the peer's, and GOAWAYs: one a second, ten at once.
const PING_INTERVAL: Duration = Duration::from_secs(1);
const PING_BURST: u32 = 10;
/// Channels that the peer opens and resets, unused or before they are answered: ten a second, a
/// hundred at once.
const WASTE_INTERVAL: Duration = Duration::from_millis(100);
const WASTE_BURST: u32 = 100;
/// A channel that was open for longer was of use, though nothing was to be said on it. What this
/// lets through is bounded by `channels_max`.
const WASTE_AGE_MAX: Duration = Duration::from_secs(1);
/// How often channels are looked through for what takes too long, while anything might.
const SWEEP_INTERVAL: Duration = Duration::from_millis(250);
/// For how long a sender waits for credit before it says so.
const BLOCKED_AFTER: Duration = Duration::from_millis(500);
/// Messages that may be sent on a channel that counts messages before it is accepted.
pub(super) const MESSAGES_BEFORE_ACCEPT: u64 = 8;

impl Connection {
    /// An end of a connection on which nothing was sent yet.
    #[must_use]
    pub fn new(settings: Settings, now: Timestamp) -> Self {
        Self {
            now,
            phase: Phase::Open,
            peer: None,
            peer_record_max: 0,
            record_limit: usize::MAX,
            peer_overhead: 0,
            hello_sent: false,
            direct: false,
            held_back: false,
            slots: Slots::default(),
            peer_aliases: PeerAliases::default(),
            own_aliases: OwnAliases::new(settings.shared_aliases),
            record: Vec::new(),
            last_data: None,
            carries_data: false,
            out: Vec::new(),
            schedule: Schedule::default(),
            starved: VecDeque::new(),
            starved_least: 0,
            look_at: 0,
            saved_since: None,
            control: VecDeque::new(),
            waiting_opens: VecDeque::new(),
            rejects: VecDeque::new(),
            goodbye: None,
            drained_by: None,
            pong: None,
            ping: Ping::default(),
            send: SendCredit::new(0),
            begun: 0,
            recv: PassingCredit::new(u64::from(settings.connection_window_bytes)),
            message_cost_max: 0,
            credit_due: false,
            blocked_due: false,
            blocked_since: None,
            blocked_told: false,
            peer_waits: false,
            low_since: None,
            queued: 0,
            spare: Spare::default(),
            room_waiters: VecDeque::new(),
            writable: VecDeque::new(),
            events: VecDeque::new(),
            ended: None,
            peer_open: 0,
            peer_unanswered: 0,
            own_open: 0,
            own_unanswered: 0,
            opens_seen: 0,
            opens_sent: 0,
            opens_seen_by_peer: u64::MAX,
            wasted_opens: Bucket::default(),
            pings: Bucket::default(),
            goaways: Bucket::default(),
            last_received: now,
            sweep_at: None,
            drain_at: None,
            totals: Totals::default(),
            settings,
        }
    }

    /// A record came. Its events are taken with [`Self::next`].
    pub fn receive<'r>(&mut self, record: &'r [u8], now: Timestamp) -> Incoming<'r> {
        self.now = self.now.max(now);
        self.last_received = self.now;
        self.totals.records_in += 1;
        let mut incoming = Incoming {
            frames: Frames::new(record),
            next: None,
        };
        if record.len() > self.settings.record_bytes_max as usize {
            incoming.next = self.violated(Violation::RecordTooLarge);
            incoming.frames = Frames::new(&[]);
        } else if !self.is_alive() {
            incoming.frames = Frames::new(&[]);
        }
        incoming
    }

    /// It is `now`: for a driver that calls what sends without having received anything before.
    /// Messages with a time to live count theirs from then.
    pub fn tell_time(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// Something came that is not a record: text. That ends the connection.
    pub fn receive_foreign(&mut self) -> Option<Event<'static>> {
        self.violated(Violation::NotBinary)
    }

    /// The next event of a record; `None` when there is no more in it.
    #[inline]
    pub fn next<'r>(&mut self, incoming: &mut Incoming<'r>) -> Option<Event<'r>> {
        if incoming.next.is_none()
            && let Some(data) = incoming.frames.short()
        {
            if let Some(received) = self.plain_data(&data) {
                return Some(Event::Message(received));
            }
            return self.next_after(incoming, data);
        }
        if incoming.next.is_none() && incoming.frames.is_empty() {
            return None;
        }
        self.next_any(incoming)
    }

    /// The event of `data`, or the next.
    #[inline(never)]
    fn next_after<'r>(
        &mut self,
        incoming: &mut Incoming<'r>,
        data: wire::Data<'r>,
    ) -> Option<Event<'r>> {
        match self.handle_data(data, &mut incoming.next) {
            Ok(Some(event)) => Some(event),
            Ok(None) => self.next_any(incoming),
            Err(violation) => self.broken(incoming, violation),
        }
    }

    #[inline(never)]
    fn next_any<'r>(&mut self, incoming: &mut Incoming<'r>) -> Option<Event<'r>> {
        if let Some(event) = incoming.next.take()
            && self.is_told(&event)
        {
            return Some(event);
        }
        loop {
            let event = match incoming.frames.next()? {
                Ok(frame) => self.handle(frame, &mut incoming.next),
                Err(error) => Err(Violation::Wire(error)),
            };
            match event {
                Ok(Some(event)) => return Some(event),
                Ok(None) => {}
                Err(violation) => return self.broken(incoming, violation),
            }
        }
    }

    #[cold]
    fn broken<'r>(
        &mut self,
        incoming: &mut Incoming<'r>,
        violation: Violation,
    ) -> Option<Event<'r>> {
        incoming.frames = Frames::new(&[]);
        incoming.next = None;
        self.violated(violation)
    }

    pub(super) fn totals(&self) -> &Totals {
        &self.totals
    }

    pub(super) fn pings(&self) -> &Ping {
        &self.ping
    }

    pub(super) fn stalled_since(&self) -> Option<Timestamp> {
        self.blocked_since
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// Channels whose send was refused, and may now succeed. Each is told once.
    pub fn poll_writable(&mut self) -> Option<ChannelId> {
        let attached = |id: &ChannelId| self.slots.by_id(*id).is_some_and(|c| c.attached);
        core::iter::from_fn(|| self.writable.pop_front()).find(attached)
    }

    /// Nothing is told of a channel that was let go of meanwhile.
    fn is_told(&self, event: &Event<'_>) -> bool {
        let attached = |id| self.slots.by_id(id).is_some_and(|c| c.attached);
        event.channel().is_none_or(attached)
    }

    /// What happened without a record.
    pub fn poll_event(&mut self) -> Option<Event<'static>> {
        while let Some(event) = self.events.pop_front() {
            if self.is_told(&event) {
                return Some(event);
            }
        }
        self.ended.take().map(Event::Failed)
    }

    /// The layer below takes no record for now: messages wait in their channels' queues, where
    /// they can be conflated and overtaken, until [`Self::poll_record`] is called.
    pub fn hold_back(&mut self) {
        self.held_back = true;
        self.direct = false;
    }

    /// The code to close the layer below with, once nothing more is to be sent.
    #[must_use]
    pub fn closing(&self) -> Option<Code> {
        match self.phase {
            Phase::Over(failure) => Some(failure.code()),
            _ => None,
        }
    }

    /// How it ended, or is about to; [`Failure::Local`] or [`Failure::Peer`] with
    /// [`Code::NO_ERROR`] when all went well.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
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

    /// The channel at `index` has control frames to send.
    fn mark(&mut self, index: u32) {
        if let Some(channel) = self.slots.at_mut(index)
            && !channel.in_control
            && !channel.pending.is_empty()
        {
            channel.in_control = true;
            self.control.push_back(index);
        }
    }

    /// Puts a channel that has something to send, and may, where its turn comes.
    fn make_ready(&mut self, index: u32) {
        let Some(channel) = self.slots.at_mut(index) else {
            return;
        };
        let send = &mut channel.send;
        if let Some(queue) = &mut send.queue {
            queue.take_spare(&mut self.spare);
        }
        let sends = match send.state {
            SendState::Sending => !send.is_idle(),
            SendState::Finishing => true,
            _ => false,
        };
        if channel.own_alias.is_none() {
            // No turn ends what dies in its queue.
            if channel.ttl.is_some() {
                self.sweep_soon();
            }
        } else if sends && !send.in_schedule && !send.starved {
            send.in_schedule = true;
            let priority = channel.priority;
            self.schedule.push(priority, index);
            self.direct = false;
        }
    }

    /// Frees the place of a channel; what it has counted stays.
    fn retire(&mut self, index: u32) {
        if let Some(channel) = self.slots.at(index) {
            self.totals.add(channel);
            if channel.send.waits_for_all {
                let id = channel.id;
                self.room_waiters.retain(|&waits| waits != id);
            }
            if channel.send.in_schedule {
                self.schedule.remove(channel.priority, index);
            }
        }
        self.slots.remove(index);
    }

    fn sweep_soon(&mut self) {
        self.sweep_at.get_or_insert(self.now.after(SWEEP_INTERVAL));
    }
}
