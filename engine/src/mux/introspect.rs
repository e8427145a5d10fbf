//! Statistics and `Debug` output of channels and connections.

use core::fmt;
use core::time::Duration;

use super::channel::{Channel, ChannelId, Pending, RecvState, SendState, Stage};
use super::connection::{Mux, Totals};
use super::error::{ChannelFailure, DrainEnd};
use super::open::Unit;
use crate::time::Timestamp;

/// The state of one half of a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum HalfState {
    /// The channel's direction excludes this half.
    None,
    /// The channel is not accepted yet; [`ChannelStats::waits_for_peer`] says whether its OPEN waits.
    Opening,
    /// Messages can be sent or received.
    Open,
    /// The half ends when the queued or in-flight messages are through.
    Ending,
    /// The half ended with FIN: all messages were transferred.
    Finished,
    /// The half was aborted: messages may be missing.
    Aborted,
}

/// Statistics of a channel at this end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ChannelStats {
    /// The sending half.
    pub sending: HalfState,
    /// The receiving half.
    pub receiving: HalfState,
    /// The OPEN of this end waits for the peer: for one of the peer's `channels_max` places, or for
    /// the answer to another channel, because at most the peer's `pending_opens_max` may be
    /// outstanding. The peer does not know of the channel.
    pub waits_for_peer: bool,
    /// The unit of the windows.
    pub unit: Unit,
    /// Credit left for sending, in units.
    pub send_window: u64,
    /// Bytes in the send queue.
    pub queued_bytes: usize,
    /// Messages in the send queue.
    pub queued_messages: usize,
    /// The time since which a message is blocked by missing credit of the peer.
    pub blocked_since: Option<Timestamp>,
    /// Messages sent.
    pub messages_out: u64,
    /// Payload bytes sent.
    pub bytes_out: u64,
    /// Messages replaced (conflated) or dropped (expired) at this end instead of being sent.
    pub skipped_out: u64,
    /// Credit that the peer has left, in units, by the last announced limit.
    pub receive_window: u64,
    /// The receive window, in units.
    pub receive_window_max: u64,
    /// Bytes received and not released.
    pub held_bytes: u64,
    /// The maximum of [`Self::held_bytes`] so far.
    pub held_bytes_max: u64,
    /// Messages received.
    pub messages_in: u64,
    /// Payload bytes received.
    pub bytes_in: u64,
    /// Messages that the peer replaced or dropped instead of sending.
    pub skipped_in: u64,
    /// CREDIT(BLOCKED) frames received: how often the peer was blocked by missing credit.
    pub peer_blocked: u32,
}

/// Statistics of a connection at this end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct MuxStats {
    /// Channels in the table, including ended channels that the application still holds.
    pub channels: usize,
    /// Channels of this end whose OPEN waits for the peer: see [`ChannelStats::waits_for_peer`].
    pub channels_waiting: usize,
    /// Bytes in all send queues.
    pub queued_bytes: usize,
    /// Bytes received and not released, on all channels together.
    pub held_bytes: u64,
    /// Bytes reserved for what the peer can make this end hold: the windows of its channels,
    /// unreleased messages of ended channels, and window growth. Windows beyond the defaults are
    /// not included.
    pub receive_reserved_bytes: u64,
    /// The limit of [`Self::receive_reserved_bytes`]:
    /// [`ChannelConfig::receive_budget_bytes`](super::ChannelConfig).
    pub receive_budget_bytes: u64,
    /// Messages sent.
    pub messages_out: u64,
    /// Payload bytes sent.
    pub bytes_out: u64,
    /// Messages replaced or dropped at this end instead of being sent.
    pub skipped_out: u64,
    /// Messages received.
    pub messages_in: u64,
    /// Payload bytes received.
    pub bytes_in: u64,
    /// Messages that the peer replaced or dropped instead of sending.
    pub skipped_in: u64,
    /// Records sent.
    pub records_out: u64,
    /// Records received.
    pub records_in: u64,
    /// Channels stopped because a message was not complete within `partial_timeout`.
    pub evicted: u64,
    /// How often a channel of this end was blocked by missing credit for longer than half a second.
    pub blocked: u64,
    /// [Claims](super::ChannelClaim) dropped without a commit, of which nothing was sent.
    pub claims_dropped: u64,
    /// The shortest measured round trip.
    pub rtt_min: Option<Duration>,
    /// The last measured round trip.
    pub rtt_last: Option<Duration>,
}

impl Channel {
    /// This end opens the channel, and its OPEN is not encoded yet.
    pub(super) fn opens(&self) -> bool {
        matches!(self.stage, Stage::OpenPending(_))
    }

    /// As [`ChannelStats::waits_for_peer`].
    fn waits_for_peer(&self) -> bool {
        self.opens() && !self.pending.has(Pending::OPENING)
    }

    fn stats(&self) -> ChannelStats {
        let opening = matches!(
            self.stage,
            Stage::OpenPending(_)
                | Stage::OpenSent(_)
                | Stage::OpenReceived
                | Stage::AcceptPending(_)
        );
        let open = if opening {
            HalfState::Opening
        } else {
            HalfState::Open
        };
        let (send, recv) = (&self.send, &self.recv);
        ChannelStats {
            sending: match send.state {
                SendState::None => HalfState::None,
                SendState::Sending => open,
                SendState::Finishing | SendState::Aborting(_) => HalfState::Ending,
                SendState::Finished => HalfState::Finished,
                SendState::Aborted | SendState::Rejected(_) => HalfState::Aborted,
            },
            receiving: match recv.state {
                RecvState::None => HalfState::None,
                RecvState::Receiving => open,
                RecvState::Stopping(_) => HalfState::Ending,
                RecvState::Finished => HalfState::Finished,
                RecvState::Aborted => HalfState::Aborted,
            },
            waits_for_peer: self.waits_for_peer(),
            unit: self.unit,
            send_window: send.credit.available(),
            queued_bytes: send.queued(),
            queued_messages: send.queue.as_ref().map_or(0, |q| q.len()),
            blocked_since: send.blocked_since,
            messages_out: send.numbers.messages(),
            bytes_out: send.bytes,
            skipped_out: send.skipped_total,
            receive_window: recv.credit.limit() - recv.credit.charged(),
            receive_window_max: recv.credit.window(),
            held_bytes: recv.held.into(),
            held_bytes_max: recv.held_max().into(),
            messages_in: recv.numbers.messages(),
            bytes_in: recv.bytes,
            skipped_in: recv.skipped_total,
            peer_blocked: recv.blocked_received,
        }
    }
}

impl Mux {
    /// Statistics of a channel; `None` if it does not exist any more.
    #[must_use]
    pub fn channel_stats(&self, id: ChannelId) -> Option<ChannelStats> {
        self.slots.by_id(id).map(Channel::stats)
    }

    /// Whether the application holds the channel: it exists, and the application has neither closed
    /// nor rejected it. A closed or rejected channel may keep its slot and its [`ChannelStats`]
    /// until the peer has ended it.
    #[must_use]
    pub fn is_attached(&self, id: ChannelId) -> bool {
        self.slots.by_id(id).is_some_and(|channel| channel.attached)
    }

    /// Statistics of the connection.
    #[must_use]
    pub fn stats(&self) -> MuxStats {
        let totals = self.all_totals();
        let [rtt_min, rtt_last] = self.round_trips();
        let (receive_reserved_bytes, receive_budget_bytes) = self.receive_budget();
        MuxStats {
            channels: self.slots.live(),
            channels_waiting: self.slots.iter().filter(|c| c.waits_for_peer()).count(),
            queued_bytes: self.queued(),
            held_bytes: self.slots.iter().map(|c| u64::from(c.recv.held)).sum(),
            receive_reserved_bytes,
            receive_budget_bytes,
            messages_out: totals.messages_out,
            bytes_out: totals.bytes_out,
            skipped_out: totals.skipped_out,
            messages_in: totals.messages_in,
            bytes_in: totals.bytes_in,
            skipped_in: totals.skipped_in,
            records_out: totals.records_out,
            records_in: totals.records_in,
            evicted: totals.evicted,
            blocked: totals.blocked,
            claims_dropped: totals.claims_dropped,
            rtt_min,
            rtt_last,
        }
    }

    /// The sums over freed and existing channels.
    fn all_totals(&self) -> Totals {
        let mut totals = *self.totals();
        for channel in self.slots.iter() {
            totals.add(channel);
        }
        totals
    }

    /// The ids of all channels in the table.
    pub fn channels(&self) -> impl Iterator<Item = ChannelId> {
        self.slots.iter().map(|c| c.id)
    }
}

/// Bytes, formatted with a fitting unit.
struct Size(u64);

impl fmt::Debug for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n < 10 << 10 => write!(f, "{n} B"),
            n if n < 10 << 20 => write!(f, "{} KiB", n >> 10),
            n => write!(f, "{} MiB", n >> 20),
        }
    }
}

/// One channel, formatted on one line: what is queued, and which end blocks.
struct Line<'a>(&'a Channel, Timestamp);

impl fmt::Debug for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = self.0.stats();
        write!(
            f,
            "#{} ({}, prio {}) out {:?}: {} messages, {:?} queued",
            self.0.id.index,
            if self.0.is_local { "local" } else { "peer" },
            self.0.priority,
            stats.sending,
            stats.messages_out,
            Size(stats.queued_bytes as u64),
        )?;
        if stats.waits_for_peer {
            f.write_str(", OPEN waits for the peer's limit of channels")?;
        }
        if stats.skipped_out > 0 {
            write!(f, ", {} skipped", stats.skipped_out)?;
        }
        if let Some(since) = stats.blocked_since {
            let ms = self.1.0.saturating_sub(since.0) / 1_000_000;
            write!(f, ", blocked for {ms} ms without credit from the peer")?;
        }
        write!(
            f,
            "; in {:?}: {} messages, {:?} unread (max {:?})",
            stats.receiving,
            stats.messages_in,
            Size(stats.held_bytes),
            Size(stats.held_bytes_max),
        )?;
        if stats.skipped_in > 0 {
            write!(f, ", {} skipped", stats.skipped_in)?;
        }
        // Only unread messages count. The credit of read messages is back or on its way.
        let (unread, window) = (self.0.recv.credit.backlog(), self.0.recv.credit.window());
        if stats.receiving == HalfState::Open && unread > window / 4 * 3 {
            let unit = match stats.unit {
                Unit::Bytes => "bytes",
                Unit::Messages => "messages",
            };
            write!(
                f,
                ", the reader is behind: {unread} of the window of {window} {unit} are unread"
            )?;
        }
        Ok(())
    }
}

/// All channels of a connection.
struct Lines<'c>(&'c Mux);

impl fmt::Debug for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = self.0.now();
        f.debug_list()
            .entries(self.0.slots.iter().map(|channel| Line(channel, now)))
            .finish()
    }
}

impl fmt::Debug for Mux {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = self.stats();
        let state: &dyn fmt::Debug = match self.failure() {
            Some(ChannelFailure::Drained {
                end: DrainEnd::Complete,
                ..
            }) => &"drained",
            Some(_) => &self.failure(),
            None if self.is_open() => &"open",
            None => &"draining",
        };
        f.debug_struct("Mux")
            .field("state", state)
            .field("rtt_min", &stats.rtt_min)
            .field("queued", &Size(stats.queued_bytes as u64))
            .field("unread", &Size(stats.held_bytes))
            .field("reserved", &Size(stats.receive_reserved_bytes))
            .field("budget", &Size(stats.receive_budget_bytes))
            .field("channels", &Lines(self))
            .finish_non_exhaustive()
    }
}
