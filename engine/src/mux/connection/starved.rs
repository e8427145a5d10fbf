//! Who waits for the connection's credit, and to whom it goes.

use core::num::NonZeroU32;

use super::super::wire::Hello;
use super::Connection;
use super::cut::{run_least, single_charge, whole_charge};

/// KiB charged that others may send while a channel waits for the connection's credit; then credit
/// is saved up for its message.
const STARVED_KIB_MAX: u32 = 64;

/// A count of bytes as one that may wrap, in few bytes: for distances. Odd, so never zero.
fn kibibytes(bytes: u64) -> u32 {
    (bytes >> 10) as u32 | 1
}

impl Connection {
    /// Credit of the connection's that the next message of the channel takes; none where the
    /// channel has nothing to wait for, and leaves the line.
    fn needs(&self, index: u32, peer: &Hello) -> u64 {
        let Some(channel) = self.slots.at(index) else {
            return 0;
        };
        let send = &channel.send;
        let Some(front) = send.queue.as_ref().and_then(|q| q.front()) else {
            return 0;
        };
        match (front.fresh || front.elem > 0, front.elem) {
            (false, _) => 0,
            (true, 0) => {
                let whole = whole_charge(front.rest, peer, send.fragment_min);
                single_charge(channel, &front, peer).unwrap_or(whole)
            }
            (true, elem) => {
                let least = run_least(&front, send.fragment_min, peer) as u64;
                least * u64::from(elem) + peer.overhead
            }
        }
    }

    /// The connection's credit that is not spoken for.
    fn free(&self) -> u64 {
        self.send.available().saturating_sub(self.begun)
    }

    /// The same for what is not begun yet: none while it is saved up.
    pub(super) fn free_to_begin(&self) -> u64 {
        self.saved_since.map_or_else(|| self.free(), |_| 0)
    }

    /// Whether the connection's credit may cover the next message of a channel that waits for it.
    pub(super) fn may_wake(&self) -> bool {
        !self.starved.is_empty() && self.free() >= self.starved_least
    }

    /// Channels that waited for the connection's credit take turns again, if it covers their
    /// next message. Gives the one that most was sent over the head of, if that is much: it goes
    /// first, whatever its class, in a record that has room for whatever it is. Until then nothing
    /// else is begun, or small messages might take all credit for ever.
    pub(super) fn wake_starved(&mut self, peer: &Hello) -> Option<u32> {
        self.starved_are_gone();
        let charged = self.send.charged();
        if !self.may_wake() && (self.starved.is_empty() || charged < self.look_at) {
            return None;
        }
        self.look_at = charged + (u64::from(STARVED_KIB_MAX) << 10);
        let first = self.passed_over();
        let free = self.free();
        if let Some(index) = first {
            let needs = self.needs(index, peer);
            if needs > free {
                // Nothing that is sent makes the peer tell more.
                self.ask_for_credit();
            }
            if needs > free || !self.record.is_empty() {
                self.saved_since.get_or_insert(self.now);
                self.starved_least = needs;
                return None;
            }
        }
        self.saved_since = None;
        self.starved_least = u64::MAX;
        // The last one to be put back is the first to go.
        for _ in 0..self.starved.len() {
            let Some(index) = self.starved.pop_back() else {
                break;
            };
            let needs = self.needs(index, peer);
            if needs > free {
                self.starved_least = self.starved_least.min(needs);
                self.starved.push_front(index);
                continue;
            }
            if let Some(channel) = self.slots.at_mut(index) {
                channel.send.starved = false;
                channel.send.in_schedule = true;
                if first != Some(index) {
                    self.schedule.put_back(channel.priority, index);
                }
            }
        }
        self.starved_are_gone();
        first
    }

    /// The channel that waits for the connection's credit while others have sent most, if that is
    /// much.
    fn passed_over(&self) -> Option<u32> {
        let charged = kibibytes(self.send.charged());
        let over = |&index: &u32| {
            let at = self.slots.at(index)?.send.starved_at?;
            Some((charged.wrapping_sub(at.get()), index))
        };
        // Of two that wait for as long, the one that is first in line.
        let all = self.starved.iter().rev().filter_map(over);
        let (over, index) = all.max_by_key(|&(over, _)| over)?;
        (over >= STARVED_KIB_MAX).then_some(index)
    }

    /// Tells the peer, once at this limit, that the connection's credit is waited for.
    pub(super) fn ask_for_credit(&mut self) {
        if !self.blocked_told {
            self.blocked_told = true;
            self.blocked_due = true;
            self.totals.blocked += 1;
        }
    }

    /// Credit was saved up for too long: the others may send as much again before that.
    pub(super) fn stop_saving(&mut self) {
        let at = NonZeroU32::new(kibibytes(self.send.charged()));
        for &index in &self.starved {
            if let Some(channel) = self.slots.at_mut(index) {
                channel.send.starved_at = at;
            }
        }
        self.saved_since = None;
        self.starved_least = 0;
    }

    /// A channel that has ended waits for the connection's credit no more.
    pub(super) fn leave_starved(&mut self, index: u32) {
        self.starved.retain(|&waits| waits != index);
        self.starved_least = 0; // it may be whom credit was saved up for
    }

    /// Nobody waits for the connection's credit any more: who does next begins anew.
    pub(super) fn starved_are_gone(&mut self) {
        if self.starved.is_empty() {
            self.blocked_since = None;
            self.blocked_told = false;
            self.blocked_due = false;
            self.saved_since = None;
        }
    }

    pub(super) fn starve(&mut self, index: u32, peer: &Hello) {
        if self.starved.is_empty() {
            self.starved_least = u64::MAX;
            self.look_at = self.send.charged() + (u64::from(STARVED_KIB_MAX) << 10);
        }
        if self.saved_since.is_none() {
            self.starved_least = self.starved_least.min(self.needs(index, peer));
        }
        if let Some(channel) = self.slots.at_mut(index) {
            channel.send.starved = true;
            channel.send.deficit = 0;
            if channel.send.starved_at.is_none() {
                channel.send.starved_at = NonZeroU32::new(kibibytes(self.send.charged()));
            }
            self.starved.push_back(index);
            self.blocked_since.get_or_insert(self.now);
            self.sweep_soon();
        }
    }
}
