//! What an engineer sees at three in the morning.

use core::fmt;
use core::time::Duration;

use super::channel::{Channel, ChannelId, RecvState, SendState, Stage};
use super::connection::{Mux, Totals};
use super::error::{ChannelFailure, DrainEnd};
use super::open::Unit;
use crate::time::Timestamp;

/// Where a half of a channel stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum HalfState {
    /// The channel's direction leaves it out.
    None,
    /// The channel is not accepted yet.
    Opening,
    /// Messages may come or go.
    Open,
    /// It ends when what is queued, or on its way, is through.
    Ending,
    /// It has ended with FIN: nothing is missing.
    Finished,
    /// It has ended before its time.
    Aborted,
}

/// A channel, seen from this end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ChannelStats {
    /// What we send.
    pub sending: HalfState,
    /// What we receive.
    pub receiving: HalfState,
    /// What the windows count.
    pub unit: Unit,
    /// What the peer lets us send now, in units.
    pub send_window: u64,
    /// Bytes, and messages, that wait here to be sent.
    pub queued_bytes: usize,
    /// See [`Self::queued_bytes`].
    pub queued_messages: usize,
    /// Since when a message waits for the peer's credit.
    pub stalled_since: Option<Timestamp>,
    /// Messages sent, and their payload bytes.
    pub messages_out: u64,
    /// See [`Self::messages_out`].
    pub bytes_out: u64,
    /// Messages that were replaced or dropped here.
    pub skipped_out: u64,
    /// What we let the peer send beyond what it has sent, in units, as it was told last.
    pub receive_window: u64,
    /// The whole window that we grant, in units.
    pub receive_window_max: u64,
    /// Bytes received and not released.
    pub held_bytes: u64,
    /// The most that were held at once.
    pub held_bytes_max: u64,
    /// Messages received, and their payload bytes.
    pub messages_in: u64,
    /// See [`Self::messages_in`].
    pub bytes_in: u64,
    /// Messages that the peer has replaced or dropped.
    pub skipped_in: u64,
    /// How often the peer said that it waits for our credit.
    pub peer_stalls: u32,
}

/// A connection, seen from this end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct MuxStats {
    /// Channels that have a place here, those that are over and still held included.
    pub channels: usize,
    /// Bytes that wait in all queues.
    pub queued_bytes: usize,
    /// Bytes received and not released, on all channels together.
    pub held_bytes: u64,
    /// Bytes that the peer can bring to be held: the windows of its channels, what is held of those
    /// that have ended, and what windows have grown by. What the application has granted beyond the
    /// defaults is not among them.
    pub receive_aside_bytes: u64,
    /// What that may be at most: [`ChannelConfig::receive_budget_bytes`](super::ChannelConfig).
    pub receive_budget_bytes: u64,
    /// Messages sent, and their payload bytes.
    pub messages_out: u64,
    /// See [`Self::messages_out`].
    pub bytes_out: u64,
    /// Messages replaced or dropped here.
    pub skipped_out: u64,
    /// Messages received, and their payload bytes.
    pub messages_in: u64,
    /// See [`Self::messages_in`].
    pub bytes_in: u64,
    /// Messages that the peer has replaced or dropped.
    pub skipped_in: u64,
    /// Records sent and received.
    pub records_out: u64,
    /// See [`Self::records_out`].
    pub records_in: u64,
    /// Channels whose message did not end in time.
    pub evicted: u64,
    /// How often a sender here waited for credit for longer than half a second.
    pub stalls: u64,
    /// [Claims](super::ChannelClaim) that were dropped without a commit: nothing of them was sent.
    pub claims_dropped: u64,
    /// The shortest round trip measured, and the last.
    pub rtt_min: Option<Duration>,
    /// See [`Self::rtt_min`].
    pub rtt_last: Option<Duration>,
}

impl Channel {
    fn stats(&self) -> ChannelStats {
        let opening = matches!(
            self.stage,
            Stage::Opening(_) | Stage::Asked(_) | Stage::Offered | Stage::Accepting(_)
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
                SendState::Aborted => HalfState::Aborted,
            },
            receiving: match recv.state {
                RecvState::None => HalfState::None,
                RecvState::Receiving => open,
                RecvState::Stopping(_) => HalfState::Ending,
                RecvState::Finished => HalfState::Finished,
                RecvState::Aborted => HalfState::Aborted,
            },
            unit: self.unit,
            send_window: send.credit.available(),
            queued_bytes: send.queued(),
            queued_messages: send.queue.as_ref().map_or(0, |q| q.len()),
            stalled_since: send.blocked_since,
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
            peer_stalls: recv.blocked_told,
        }
    }
}

impl Mux {
    /// A channel as it stands; `None` if there is no such channel any more.
    #[must_use]
    pub fn channel_stats(&self, id: ChannelId) -> Option<ChannelStats> {
        self.slots.by_id(id).map(Channel::stats)
    }

    /// Whether the application has the channel: it is known here, and was neither let go of nor
    /// rejected. One that was may keep its place, and its [`ChannelStats`], until the peer knows.
    #[must_use]
    pub fn is_attached(&self, id: ChannelId) -> bool {
        self.slots.by_id(id).is_some_and(|channel| channel.attached)
    }

    /// The connection as it stands.
    #[must_use]
    pub fn stats(&self) -> MuxStats {
        let totals = self.all_totals();
        let [rtt_min, rtt_last] = self.round_trips();
        let (receive_aside_bytes, receive_budget_bytes) = self.receive_budget();
        MuxStats {
            channels: self.slots.live(),
            queued_bytes: self.queued(),
            held_bytes: self.slots.iter().map(|c| u64::from(c.recv.held)).sum(),
            receive_aside_bytes,
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
            stalls: totals.blocked,
            claims_dropped: totals.claims_dropped,
            rtt_min,
            rtt_last,
        }
    }

    /// Of the channels that are gone, and of those that are not.
    fn all_totals(&self) -> Totals {
        let mut totals = *self.totals();
        for channel in self.slots.iter() {
            totals.add(channel);
        }
        totals
    }

    /// The channels that have a place here.
    pub fn channels(&self) -> impl Iterator<Item = ChannelId> {
        self.slots.iter().map(|c| c.id)
    }
}

/// Bytes with a unit that fits.
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

/// A channel on a line: what waits where, and who is to blame.
struct Line<'a>(&'a Channel, Timestamp);

impl fmt::Debug for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = self.0.stats();
        write!(
            f,
            "#{} ({}, prio {}) out {:?}: {} messages, {:?} queued",
            self.0.id.index,
            if self.0.ours { "ours" } else { "theirs" },
            self.0.priority,
            stats.sending,
            stats.messages_out,
            Size(stats.queued_bytes as u64),
        )?;
        if stats.skipped_out > 0 {
            write!(f, ", {} skipped", stats.skipped_out)?;
        }
        if let Some(since) = stats.stalled_since {
            let ms = self.1.0.saturating_sub(since.0) / 1_000_000;
            write!(f, ", has waited {ms} ms for the peer's credit")?;
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
        // A sender waits whose message does not fit what is left of the window. What was read has
        // its credit back, or on its way, and is not the reader's fault.
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
            .field("set_aside", &Size(stats.receive_aside_bytes))
            .field("of", &Size(stats.receive_budget_bytes))
            .field("channels", &Lines(self))
            .finish_non_exhaustive()
    }
}
