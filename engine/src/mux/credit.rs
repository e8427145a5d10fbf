//! Credit as types: cumulative limits that never go back and never overflow.
//!
//! ```text
//! sender     charged <= limit                    may send: limit - charged
//! receiver   consumed <= charged <= limit        limit - consumed <= window, equal after a return
//! ```
//!
//! Both count from the beginning of the channel, so that a limit may be told twice, late, or merged
//! with a later one without harm (rules R9 and R21 of `docs/protocol.md`). A window never shrinks by a
//! lower limit: a sender that is asked to gives back what it does not use, by charging it.

use core::time::Duration;

use super::open::Unit;
use super::wire::VARINT_MAX;
use crate::time::Timestamp;

/// The peer used more credit than it was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Overrun;

/// What the peer lets us send.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct SendCredit {
    limit: u64,
    charged: u64,
}

impl SendCredit {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, charged: 0 }
    }

    #[inline]
    pub(super) fn available(&self) -> u64 {
        self.limit.saturating_sub(self.charged)
    }

    /// Takes `n`; nothing if there is not so much.
    #[inline]
    pub(super) fn spend(&mut self, n: u64) -> Result<(), Overrun> {
        // Neither wraps: a limit is below 2^62, a cost below 2^33.
        let charged = self.charged + n;
        if charged > self.limit {
            return Err(Overrun);
        }
        self.charged = charged;
        Ok(())
    }

    /// What was taken was not used after all.
    pub(super) fn refund(&mut self, n: u64) {
        self.charged = self.charged.saturating_sub(n);
    }

    /// The peer has told a limit. `true` if that is news.
    pub(super) fn raise(&mut self, limit: u64) -> bool {
        let news = limit > self.limit;
        self.limit = self.limit.max(limit);
        news
    }

    /// All that is left but `keep` counts as used. Whether that is any.
    pub(super) fn return_unused(&mut self, keep: u64) -> bool {
        let gives = self.available() > keep;
        if gives {
            self.charged = self.limit - keep;
        }
        gives
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) fn charged(&self) -> u64 {
        self.charged
    }
}

/// What we let the peer send.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct RecvCredit {
    /// The last limit told.
    limit: u64,
    charged: u64,
    consumed: u64,
    window: u64,
    /// The window that was agreed on when the channel was opened: a wider one goes back to it.
    initial: u64,
    /// What must be consumed for a new limit to be told: half (a quarter, of a small window) of
    /// it is owed then. What the peer lacks until then is less than a message (rule R20).
    due_at: u64,
    /// When the measure of [`Self::growth`] began, and what was consumed then.
    mark: (Timestamp, u64),
}

impl RecvCredit {
    /// The window is told to the peer when this is made.
    pub(super) fn new(window: u64) -> Self {
        let mut credit = Self {
            limit: window,
            window,
            initial: window,
            ..Self::default()
        };
        credit.set_due(threshold(window));
        credit
    }

    /// Another first window, which is told next.
    pub(super) fn set_initial_window(&mut self, window: u64) {
        self.window = window;
        self.initial = window;
        self.set_due(threshold(window));
    }

    /// A new limit is due when so much is owed: `consumed + window - limit`.
    fn set_due(&mut self, least: u64) {
        self.due_at = self.limit.saturating_add(least).saturating_sub(self.window);
    }

    /// The peer waits with this limit: whatever is owed is told at once; and as long as anything
    /// of the window is held, in smaller batches from then on, for it need not wait each time.
    pub(super) fn peer_blocked(&mut self) {
        self.set_due(1);
    }

    /// The peer sent what costs `n`.
    #[inline]
    pub(super) fn charge(&mut self, n: u64) -> Result<(), Overrun> {
        // Neither wraps: a limit is below 2^62, a cost below 2^33.
        let charged = self.charged + n;
        if charged > self.limit {
            return Err(Overrun);
        }
        self.charged = charged;
        Ok(())
    }

    /// The application is done with what cost `n`.
    #[inline]
    pub(super) fn consume(&mut self, n: u64) {
        debug_assert!(n <= self.charged - self.consumed, "consumed twice");
        self.consumed = (self.consumed + n).min(self.charged);
    }

    /// As [`Self::consume`], unless a new limit is due then. `false`: nothing is done.
    #[inline]
    pub(super) fn consume_below_due(&mut self, n: u64) -> bool {
        debug_assert!(n <= self.charged - self.consumed, "consumed twice");
        let consumed = self.consumed + n;
        let early = consumed < self.due_at && consumed <= self.charged;
        if early {
            self.consumed = consumed;
        }
        early
    }

    /// Received and not consumed.
    #[inline]
    pub(super) fn backlog(&self) -> u64 {
        self.charged - self.consumed
    }

    /// Whether the peer is to be told a new limit now.
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.consumed >= self.due_at
    }

    /// By how much a limit told now would be news.
    #[cfg(test)]
    fn unannounced(&self) -> u64 {
        self.next_limit().saturating_sub(self.limit)
    }

    fn next_limit(&self) -> u64 {
        self.consumed.saturating_add(self.window).min(VARINT_MAX)
    }

    /// The limit to tell; it counts as told.
    pub(super) fn announce(&mut self) -> u64 {
        let batch = threshold(self.window);
        let early = self.due_at + self.window < self.limit + batch;
        // A window that was narrowed is reached by consumption: limits never go back.
        self.limit = self.limit.max(self.next_limit());
        // As long as something is held, so much may never be owed.
        let rest = early && self.backlog() > 0;
        self.set_due(if rest {
            small_batch(self.window)
        } else {
            batch
        });
        self.limit
    }

    /// Before a limit is told: by how much the window is to be widened, up to `max`. That is as much
    /// again if half of it was consumed within two round trips, for then it is the window that
    /// holds the sender back; else nothing.
    pub(super) fn growth(&mut self, now: Timestamp, rtt: Duration, max: u64) -> u64 {
        let (at, before) = self.mark;
        if now > at.after(rtt.saturating_mul(2)) {
            self.mark = (now, self.consumed);
            return 0;
        }
        if self.consumed - before < self.window / 2 {
            return 0;
        }
        self.window.min(max.saturating_sub(self.window))
    }

    /// Widens the window, unless the sender had less then while nothing is due: the largest message
    /// was promised (rule R20). Whether it is wider.
    pub(super) fn grow(&mut self, by: u64, now: Timestamp) -> bool {
        let wider = self.window.saturating_add(by);
        let grows = by > 0 && guaranteed(wider) >= guaranteed(self.window);
        if grows {
            self.window = wider;
            self.mark = (now, self.consumed);
        }
        grows
    }

    /// The sender gives back what it does not use: so much counts as charged, and as consumed at
    /// once, so that what the limit reaches stays. The window is narrower by that, but not where
    /// the largest message would not fit any more (rule R20).
    pub(super) fn accept_return(&mut self, total: u64) -> Result<(), Overrun> {
        if total < self.charged || total > self.limit.saturating_sub(self.initial) {
            return Err(Overrun);
        }
        let unused = total - self.charged;
        self.charged = total;
        self.consumed += unused;
        self.mark.1 += unused; // nobody has read that
        let narrower = self.window.saturating_sub(unused).max(self.initial);
        if guaranteed(narrower) >= guaranteed(self.initial) {
            self.window = narrower;
        }
        self.set_due(threshold(self.window));
        Ok(())
    }

    /// What is owed and was not told is not granted any more, as far as the window is wider than at
    /// first: that costs nobody anything.
    pub(super) fn withdraw_unannounced(&mut self) {
        let told = (self.limit - self.consumed).max(self.initial);
        if told < self.window && guaranteed(told) >= guaranteed(self.initial) {
            self.window = told;
            self.set_due(threshold(told));
        }
    }

    /// As [`Self::give_back`], where nothing is granted any more.
    pub(super) fn accept_final_return(&mut self, total: u64) -> Result<(), Overrun> {
        if total < self.charged || total > self.limit {
            return Err(Overrun);
        }
        self.charged = total;
        Ok(())
    }

    /// The window is wider than it was at first.
    pub(super) fn has_grown(&self) -> bool {
        self.window > self.initial
    }

    pub(super) fn initial(&self) -> u64 {
        self.initial
    }

    #[inline]
    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    #[inline]
    pub(super) fn charged(&self) -> u64 {
        self.charged
    }

    /// What the peer may make us hold: the window, or what is left of one that was wider.
    pub(super) fn outstanding_max(&self) -> u64 {
        self.window.max(self.limit - self.consumed)
    }

    #[cfg(test)]
    pub(super) fn consumed(&self) -> u64 {
        self.consumed
    }

    pub(super) fn window(&self) -> u64 {
        self.window
    }
}

/// What is not worth telling of a window.
#[inline]
fn small_batch(window: u64) -> u64 {
    (window / 16).max(1)
}

/// Window from which the threshold is a half of it.
const WIDE_WINDOW: u64 = 64 << 10;

/// What must be owed before a new limit is told: batches, so that credit costs little.
pub(super) fn threshold(window: u64) -> u64 {
    let part = if window >= WIDE_WINDOW { 2 } else { 4 };
    (window / part).max(1)
}

/// What a sender has left at least while nothing is due, once all else is consumed.
fn guaranteed(window: u64) -> u64 {
    (window + 1).saturating_sub(threshold(window))
}

/// Messages that may be sent on a channel that counts messages before it is accepted.
pub(super) const MESSAGES_BEFORE_ACCEPT: u64 = 8;

/// Payload of the smallest fragment but for a message's last: records and windows are not
/// dribbled away in small_batch, of which each costs `overhead`.
pub(super) fn fragment_min(window: u64, record: u64) -> u64 {
    (record / 4).min(window / 4).max(1)
}

/// What a message costs at most, however it is cut.
pub(super) fn message_charge(len: u64, overhead: u64, fragment: u64) -> u64 {
    let fragments = len.div_ceil(fragment.max(1)).saturating_add(1);
    len.saturating_add(overhead.saturating_mul(fragments))
}

/// What the receiver of data announces, of which sizes of messages follow: both ends count them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Announced {
    /// Bytes of the first window of a channel.
    pub(super) window: u64,
    /// Bytes that a frame costs beside its payload.
    pub(super) overhead: u64,
    /// Bytes of the largest record.
    pub(super) record: u64,
}

impl Announced {
    /// What a message of `len` bytes costs at most on a channel with this window.
    pub(super) fn cost(self, len: u64) -> u64 {
        let fragment = fragment_min(self.window, self.record);
        message_charge(len, self.overhead, fragment)
    }

    /// Bytes of the largest message that costs at most `room`. `None` if not even one byte does.
    fn largest(self, room: u64) -> Option<u32> {
        let (mut low, mut high) = (0, room);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.cost(middle) <= room {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        u32::try_from(low).ok().filter(|&max| max > 0)
    }

    /// Bytes of the largest message that can never hang (rule R20): with all but a threshold's
    /// worth of the window returned, it fits.
    pub(super) fn message_max(self) -> Option<u32> {
        self.largest(guaranteed(self.window))
    }

    /// Bytes of the largest message where messages are counted, unless the channel says otherwise:
    /// those that may come before the channel is accepted cost no more than its window in bytes.
    pub(super) fn counted_message_max(self) -> Option<u32> {
        self.largest(self.window / MESSAGES_BEFORE_ACCEPT)
    }

    /// Bytes of the largest message of a channel before its window is told.
    pub(super) fn default_message_max(self, unit: Unit) -> u32 {
        let max = match unit {
            Unit::Bytes => self.message_max(),
            Unit::Messages => self.counted_message_max(),
        };
        max.unwrap_or(0)
    }
}

/// Credit that a received message holds until it is given back with
/// [`Mux::release`](super::Mux::release).
#[derive(PartialEq, Eq, Default, Debug)]
#[must_use = "credit that is not released is missing to the peer until the channel ends"]
pub struct Charge {
    /// Payload and overhead.
    pub(super) bytes: u32,
    /// Of the channel: bytes, or messages.
    pub(super) units: u32,
}

impl Charge {
    /// What a frame of `bytes` holds, overhead included: it fits a record, of 1 MiB at most.
    #[inline]
    pub(super) fn new(bytes: u64, units: u64) -> Self {
        Self {
            bytes: bytes as u32,
            units: units as u32,
        }
    }

    /// Adds another message's of the same channel: one release for many.
    pub fn merge(&mut self, other: Charge) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.units = self.units.saturating_add(other.units);
    }

    /// Bytes that are held: payload, and the overhead of each frame.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        self.bytes
    }

    /// What is held, given to somebody else; nothing is left.
    pub fn take(&mut self) -> Charge {
        core::mem::take(self)
    }
}

#[cfg(test)]
mod tests;
