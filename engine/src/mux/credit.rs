//! Credit as types: cumulative limits that never decrease and never overflow.
//!
//! ```text
//! sender     charged <= limit                    may send: limit - charged
//! receiver   consumed <= charged <= limit        limit - consumed <= window, equal after a return
//! ```
//!
//! Both ends count from the beginning of the channel, so a limit may be sent twice, late, or merged
//! with a later one (rules R9 and R21 of `docs/protocol.md`). A window is never reduced by a lower
//! limit: the sender, when asked, returns unused credit by charging it.

use core::time::Duration;

use super::open::Unit;
use super::wire::VARINT_MAX;
use crate::time::Timestamp;

/// More credit was used than granted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Overrun;

/// The credit for sending, granted by the peer.
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

    /// Spends `n`, or nothing if less is available.
    #[inline]
    pub(super) fn spend(&mut self, n: u64) -> Result<(), Overrun> {
        // No overflow: a limit is below 2^62, a cost below 2^33.
        let charged = self.charged + n;
        if charged > self.limit {
            return Err(Overrun);
        }
        self.charged = charged;
        Ok(())
    }

    /// Undoes a spend.
    pub(super) fn refund(&mut self, n: u64) {
        self.charged = self.charged.saturating_sub(n);
    }

    /// Applies a limit of the peer. `true` if it is higher.
    pub(super) fn raise(&mut self, limit: u64) -> bool {
        let is_higher = limit > self.limit;
        self.limit = self.limit.max(limit);
        is_higher
    }

    /// Charges all available credit but `keep`, to return it. Whether there was any.
    pub(super) fn return_unused(&mut self, keep: u64) -> bool {
        let has_unused = self.available() > keep;
        if has_unused {
            self.charged = self.limit - keep;
        }
        has_unused
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) fn charged(&self) -> u64 {
        self.charged
    }
}

/// The credit granted to the peer, for receiving.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct RecvCredit {
    /// The last announced limit.
    limit: u64,
    charged: u64,
    consumed: u64,
    window: u64,
    /// The window from the opening of the channel: an enlarged one returns to it.
    initial: u64,
    /// The consumed amount from which a new limit is announced: half (of a small window, a quarter)
    /// of the window is unannounced then. The peer lacks less than a message until then (rule R20).
    due_at: u64,
    /// When the measurement of [`Self::growth`] started, and `consumed` at that time.
    mark: (Timestamp, u64),
}

impl RecvCredit {
    /// The window is announced to the peer by the frame that opens the channel.
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

    /// Replaces the initial window; the next announcement includes it.
    pub(super) fn set_initial_window(&mut self, window: u64) {
        self.window = window;
        self.initial = window;
        self.set_due(threshold(window));
    }

    /// Makes a new limit due once `least` is unannounced: `consumed + window - limit`.
    fn set_due(&mut self, least: u64) {
        self.due_at = self.limit.saturating_add(least).saturating_sub(self.window);
    }

    /// The peer is blocked at this limit: any unannounced credit is due at once. While bytes of the
    /// window are held, later limits are announced in smaller steps, so that the peer does not
    /// block each time.
    pub(super) fn peer_blocked(&mut self) {
        self.set_due(1);
    }

    /// Charges `n` for received data.
    #[inline]
    pub(super) fn charge(&mut self, n: u64) -> Result<(), Overrun> {
        // No overflow: a limit is below 2^62, a cost below 2^33.
        let charged = self.charged + n;
        if charged > self.limit {
            return Err(Overrun);
        }
        self.charged = charged;
        Ok(())
    }

    /// The application released data that cost `n`.
    #[inline]
    pub(super) fn consume(&mut self, n: u64) {
        debug_assert!(n <= self.charged - self.consumed, "consumed twice");
        self.consumed = (self.consumed + n).min(self.charged);
    }

    /// As [`Self::consume`], unless a new limit is due then. `false`: nothing changed.
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

    /// Whether a new limit is due.
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.consumed >= self.due_at
    }

    /// Credit that a limit announced now would add.
    #[cfg(test)]
    fn unannounced(&self) -> u64 {
        self.next_limit().saturating_sub(self.limit)
    }

    fn next_limit(&self) -> u64 {
        self.consumed.saturating_add(self.window).min(VARINT_MAX)
    }

    /// The limit to announce; it counts as announced.
    pub(super) fn announce(&mut self) -> u64 {
        let batch = threshold(self.window);
        let early = self.due_at + self.window < self.limit + batch;
        // A reduced window takes effect by consumption: limits never decrease.
        self.limit = self.limit.max(self.next_limit());
        // While data is held, a full step may never become unannounced.
        let rest = early && self.backlog() > 0;
        self.set_due(if rest {
            small_batch(self.window)
        } else {
            batch
        });
        self.limit
    }

    /// Before a limit is announced: by how much to enlarge the window, up to `max`. The window
    /// doubles if half of it was consumed within two round trips, because then the window limits
    /// the sender; else it stays.
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

    /// Enlarges the window, unless the credit guaranteed while no limit is due would decrease: the
    /// largest message depends on it (rule R20). Whether it was enlarged.
    pub(super) fn grow(&mut self, by: u64, now: Timestamp) -> bool {
        let wider = self.window.saturating_add(by);
        let grows = by > 0 && guaranteed(wider) >= guaranteed(self.window);
        if grows {
            self.window = wider;
            self.mark = (now, self.consumed);
        }
        grows
    }

    /// The sender returned unused credit: it counts as charged and as consumed at once, so the
    /// limit stays. The window decreases by as much, but not so far that the largest message would
    /// not fit (rule R20).
    pub(super) fn accept_return(&mut self, total: u64) -> Result<(), Overrun> {
        if total < self.charged || total > self.limit.saturating_sub(self.initial) {
            return Err(Overrun);
        }
        let unused = total - self.charged;
        self.charged = total;
        self.consumed += unused;
        self.mark.1 += unused; // not consumed by the application
        let narrower = self.window.saturating_sub(unused).max(self.initial);
        if guaranteed(narrower) >= guaranteed(self.initial) {
            self.window = narrower;
        }
        self.set_due(threshold(self.window));
        Ok(())
    }

    /// Drops unannounced credit, as far as the window is larger than the initial one: that needs no
    /// frame.
    pub(super) fn withdraw_unannounced(&mut self) {
        let announced = (self.limit - self.consumed).max(self.initial);
        if announced < self.window && guaranteed(announced) >= guaranteed(self.initial) {
            self.window = announced;
            self.set_due(threshold(announced));
        }
    }

    /// As [`Self::accept_return`], for a half that grants no more credit.
    pub(super) fn accept_final_return(&mut self, total: u64) -> Result<(), Overrun> {
        if total < self.charged || total > self.limit {
            return Err(Overrun);
        }
        self.charged = total;
        Ok(())
    }

    /// Whether the window is larger than the initial one.
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

    /// The most that the peer can make this end hold: the window, or what is left of a larger one.
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

/// The smallest credit worth announcing.
#[inline]
fn small_batch(window: u64) -> u64 {
    (window / 16).max(1)
}

/// Window from which the threshold is half of the window.
const WIDE_WINDOW: u64 = 64 << 10;

/// Credit that must be unannounced before a new limit is due: announced in batches, so that CREDIT
/// costs little.
pub(super) fn threshold(window: u64) -> u64 {
    let part = if window >= WIDE_WINDOW { 2 } else { 4 };
    (window / part).max(1)
}

/// The credit that a sender has at least while no limit is due, once all its data is consumed.
fn guaranteed(window: u64) -> u64 {
    (window + 1).saturating_sub(threshold(window))
}

/// Messages that may be sent before ACCEPT, on a channel that counts messages.
pub(super) const MESSAGES_BEFORE_ACCEPT: u64 = 8;

/// Smallest payload of a fragment that is not the last: small fragments would waste records and
/// windows, because each costs the overhead.
pub(super) fn fragment_min(window: u64, record: u64) -> u64 {
    (record / 4).min(window / 4).max(1)
}

/// The largest cost of a message, however it is fragmented.
pub(super) fn message_charge(len: u64, overhead: u64, fragment: u64) -> u64 {
    let fragments = len.div_ceil(fragment.max(1)).saturating_add(1);
    len.saturating_add(overhead.saturating_mul(fragments))
}

/// Values announced by the receiver of data, from which both ends compute message sizes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Announced {
    /// Bytes of a channel's initial window.
    pub(super) window: u64,
    /// Bytes that a frame costs in addition to its payload.
    pub(super) overhead: u64,
    /// Bytes of the largest record.
    pub(super) record: u64,
}

impl Announced {
    /// The largest cost of a message of `len` bytes on a channel with this window.
    pub(super) fn cost(self, len: u64) -> u64 {
        let fragment = fragment_min(self.window, self.record);
        message_charge(len, self.overhead, fragment)
    }

    /// Bytes of the largest message that costs at most `room`. `None` if one byte costs more.
    fn largest(self, room: u64) -> Option<u32> {
        // `message_charge` solved for the length: whole fragments, then part of one.
        let fragment = fragment_min(self.window, self.record);
        let room = room.checked_sub(self.overhead)?;
        let whole = room / (fragment + self.overhead);
        let part = (room % (fragment + self.overhead)).saturating_sub(self.overhead);
        let max = whole * fragment + part;
        u32::try_from(max).ok().filter(|&max| max > 0)
    }

    /// Bytes of the largest message that never gets stuck (rule R20): it fits the credit that a
    /// sender has while no limit is due.
    pub(super) fn message_max(self) -> Option<u32> {
        self.largest(guaranteed(self.window))
    }

    /// Default largest message, in bytes, where messages are counted: the messages that may be sent
    /// before ACCEPT cost no more than the window in bytes.
    pub(super) fn counted_message_max(self) -> Option<u32> {
        self.largest(self.window / MESSAGES_BEFORE_ACCEPT)
    }

    /// Bytes of the largest message of a channel with the default window.
    pub(super) fn default_message_max(self, unit: Unit) -> u32 {
        let max = match unit {
            Unit::Bytes => self.message_max(),
            Unit::Messages => self.counted_message_max(),
        };
        max.unwrap_or(0)
    }
}

/// Credit that a received message holds until it is released with
/// [`Mux::release`](super::Mux::release).
#[derive(PartialEq, Eq, Default, Debug)]
#[must_use = "the peer lacks credit that is not released until the channel ends"]
pub struct Charge {
    /// Payload and overhead.
    pub(super) bytes: u32,
    /// In the channel's unit: bytes or messages.
    pub(super) units: u32,
}

impl Charge {
    /// The charge of a frame of `bytes`, overhead included: it fits a record, of 1 MiB at most.
    #[inline]
    pub(super) fn new(bytes: u64, units: u64) -> Self {
        Self {
            bytes: bytes as u32,
            units: units as u32,
        }
    }

    /// Adds the charge of another message of the same channel, to release both at once.
    pub fn merge(&mut self, other: Charge) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.units = self.units.saturating_add(other.units);
    }

    /// Bytes held: payload, and the overhead of each frame.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        self.bytes
    }

    /// Takes the charge, and leaves an empty one.
    pub fn take(&mut self) -> Charge {
        core::mem::take(self)
    }
}

#[cfg(test)]
mod tests;
