//! Credit as types: cumulative limits that never go back and never overflow.
//!
//! ```text
//! sender     charged <= limit                    may send: limit - charged
//! receiver   consumed <= charged <= limit        limit - consumed <= window, equal after a return
//! ```
//!
//! Both count from the beginning of the channel (or connection), so that a limit may be told
//! twice, late, or merged with a later one without harm (rules R9, R21; invariants I2, I14).

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
    /// What must be consumed for a new limit to be told: half (a quarter, of a small window) of
    /// it is owed then. What the peer lacks until then is less than a message (rule R20).
    due_at: u64,
    /// When the measure of [`Self::tune`] began, and what was consumed then.
    mark: (Timestamp, u64),
}

impl RecvCredit {
    /// The window is told to the peer when this is made.
    pub(super) fn new(window: u64) -> Self {
        let mut credit = Self {
            limit: window,
            window,
            ..Self::default()
        };
        credit.owe(threshold(window));
        credit
    }

    /// Another window, which is told next.
    pub(super) fn reopen(&mut self, window: u64) {
        self.window = window;
        self.owe(threshold(window));
    }

    /// A new limit is due when so much is owed: `consumed + window - limit`.
    fn owe(&mut self, least: u64) {
        self.due_at = self.limit.saturating_add(least).saturating_sub(self.window);
    }

    /// The peer waits with this limit: whatever is owed is told at once; and as long as anything
    /// of the window is held, in smaller batches from then on, for it need not wait each time.
    pub(super) fn hurry(&mut self) {
        self.owe(1);
    }

    /// Whether the peer may send what costs `n`.
    #[inline]
    pub(super) fn covers(&self, n: u64) -> bool {
        self.charged + n <= self.limit
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

    /// The same where others than who reads may hold most of the window: as soon as more is owed
    /// than the peer has left, but not in slivers.
    #[inline]
    pub(super) fn is_due_of_rest(&self) -> bool {
        // Owed is `reach - limit`, and left is `limit - charged`. No sum wraps: counts are below
        // 2^62.
        let reach = self.consumed + self.window;
        let least = self.limit + slivers(self.window);
        self.is_due() || reach >= least && reach + self.charged >= 2 * self.limit
    }

    /// By how much a limit told now would be news.
    pub(super) fn owed(&self) -> u64 {
        self.next_limit().saturating_sub(self.limit)
    }

    fn next_limit(&self) -> u64 {
        self.consumed.saturating_add(self.window).min(VARINT_MAX)
    }

    /// The limit to tell; it counts as told.
    pub(super) fn announce(&mut self) -> u64 {
        let batch = threshold(self.window);
        let hurried = self.due_at + self.window < self.limit + batch;
        // A window that was narrowed is reached by consumption: limits never go back.
        self.limit = self.limit.max(self.next_limit());
        // As long as something is held, so much may never be owed.
        let rest = hurried && self.backlog() > 0;
        self.owe(if rest { slivers(self.window) } else { batch });
        self.limit
    }

    /// Before a limit is told: widens the window, up to `max`, if half of it was consumed within
    /// two round trips. Then it is the window that holds the sender back. Not to one that leaves
    /// the sender with less while nothing is due: the largest message was promised (rule R20).
    pub(super) fn tune(&mut self, now: Timestamp, rtt: Duration, max: u64) {
        let (at, before) = self.mark;
        if now > at.after(rtt.saturating_mul(2)) {
            self.mark = (now, self.consumed);
        } else if self.consumed - before >= self.window / 2 && self.window < max {
            let wider = self.window.saturating_mul(2).min(max);
            if room(wider) >= room(self.window) {
                self.window = wider;
                self.mark = (now, self.consumed);
            }
        }
    }

    #[inline]
    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    #[inline]
    pub(super) fn charged(&self) -> u64 {
        self.charged
    }

    #[cfg(test)]
    pub(super) fn consumed(&self) -> u64 {
        self.consumed
    }

    pub(super) fn window(&self) -> u64 {
        self.window
    }
}

/// What we let the peer send on all channels together. What a channel holds within its reserve
/// does not count against it, and is consumed as it comes: [`Self::pass`] does both, up to the
/// count at which something is to be decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct PassingCredit {
    credit: RecvCredit,
    /// While fewer are charged, the peer is within its limit and need not be told another. 0
    /// where that is to be found out again: by [`Self::watch`].
    pass_below: u64,
}

impl PassingCredit {
    pub(super) fn new(window: u64) -> Self {
        Self {
            credit: RecvCredit::new(window),
            pass_below: 0,
        }
    }

    /// The peer sent what costs `n` and is consumed at once. `false`, and nothing is done, where
    /// that may be too much, or makes a limit due.
    #[inline]
    pub(super) fn pass(&mut self, n: u64) -> bool {
        let charged = self.credit.charged + n;
        let passes = charged < self.pass_below;
        if passes {
            self.credit.charged = charged;
            self.credit.consumed += n;
        }
        passes
    }

    /// Finds out how far [`Self::pass`] may go; where a limit is going to be told anyway, up to
    /// the last one.
    pub(super) fn watch(&mut self, told_anyway: bool) {
        let RecvCredit {
            limit,
            window,
            due_at,
            ..
        } = self.credit;
        let backlog = self.credit.backlog();
        let due = if told_anyway {
            u64::MAX
        } else {
            // `is_due_of_rest`, solved for what is charged, of which all but the backlog is
            // consumed.
            let reach = limit + slivers(window);
            let rest = (2 * limit + backlog).saturating_sub(window).div_ceil(2);
            let of_rest = rest.max((reach + backlog).saturating_sub(window));
            of_rest.min(due_at + backlog)
        };
        self.pass_below = due.min(limit + 1);
    }

    /// As [`RecvCredit::charge`]: more that is held makes a limit due later, so that what
    /// [`Self::pass`] goes by stays good.
    #[inline]
    pub(super) fn charge(&mut self, n: u64) -> Result<(), Overrun> {
        self.credit.charge(n)
    }

    /// As [`RecvCredit::consume`].
    #[inline]
    pub(super) fn consume(&mut self, n: u64) {
        self.pass_below = 0;
        self.credit.consume(n);
    }

    /// As [`RecvCredit::announce`].
    pub(super) fn announce(&mut self) -> u64 {
        self.pass_below = 0;
        self.credit.announce()
    }

    /// As [`RecvCredit::tune`].
    pub(super) fn tune(&mut self, now: Timestamp, rtt: Duration, max: u64) {
        self.pass_below = 0;
        self.credit.tune(now, rtt, max);
    }
}

impl core::ops::Deref for PassingCredit {
    type Target = RecvCredit;

    #[inline]
    fn deref(&self) -> &RecvCredit {
        &self.credit
    }
}

/// What is not worth telling of a window.
#[inline]
fn slivers(window: u64) -> u64 {
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
fn room(window: u64) -> u64 {
    (window + 1).saturating_sub(threshold(window))
}

/// Payload of the smallest fragment but for a message's last: records and windows are not
/// dribbled away in slivers, of which each costs `overhead`.
pub(super) fn fragment_min(window: u64, connection: u64, record: u64) -> u64 {
    (record / 4).min(window / 4).min(connection / 4).max(1)
}

/// What a message costs at most, however it is cut.
pub(super) fn message_charge(len: u64, overhead: u64, fragment: u64) -> u64 {
    let fragments = len.div_ceil(fragment.max(1)).saturating_add(1);
    len.saturating_add(overhead.saturating_mul(fragments))
}

/// Bytes of the largest message that can never hang (rule R20): with all but a threshold's
/// worth of either window returned, it fits. `None` if not even one byte does.
pub(super) fn message_max(window: u32, connection: u32, overhead: u32, record: u32) -> Option<u32> {
    let (window, connection) = (u64::from(window), u64::from(connection));
    let room = room(window).min(room(connection));
    let fragment = fragment_min(window, connection, u64::from(record));
    let fits = |len: u64| message_charge(len, u64::from(overhead), fragment) <= room;
    let (mut low, mut high) = (0, room);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if fits(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    u32::try_from(low).ok().filter(|&max| max > 0)
}

/// Bytes of the largest message of a channel before its window is told: what `max` allows for the
/// default window, and where messages are counted, for the connection's, which alone bounds
/// them. Both ends count it, each from the receiver's limits.
pub(super) fn default_message_max(
    unit: Unit,
    max: impl Fn(u32) -> Option<u32>,
    channel: u32,
    connection: u32,
) -> u32 {
    let by_channel = max(channel).unwrap_or(0);
    match unit {
        Unit::Bytes => by_channel,
        Unit::Messages => by_channel.min(max(connection).unwrap_or(0)),
    }
}

/// Credit that a received message holds until it is given back with
/// [`Connection::release`](super::Connection::release).
#[derive(PartialEq, Eq, Default, Debug)]
#[must_use = "credit that is not released is missing to the peer until the channel ends"]
pub struct Charge {
    /// Of the connection.
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

    /// Bytes of the connection's window that are held.
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
