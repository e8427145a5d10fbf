//! What the application holds of the peer's messages, and the credit that is told for it.

use super::super::channel::{Channel, ChannelId, Pending, RecvState};
use super::super::credit::Charge;
use super::Connection;

impl Connection {
    /// Gives back the credit of what the application has consumed.
    #[inline]
    pub fn release(&mut self, id: ChannelId, charge: Charge) {
        let Some(channel) = self.slots.by_id_mut(id).filter(|c| c.attached) else {
            return; // letting go of the channel has given it back
        };
        let recv = &mut channel.recv;
        recv.credit.consume(u64::from(charge.units));
        let due = recv.credit.is_due() && recv.state == RecvState::Receiving;
        let (before, reserve) = (recv.held, u64::from(self.settings.reserve_bytes));
        recv.held = before.saturating_sub(u64::from(charge.bytes));
        if due {
            self.credit_due_of(id.index);
        }
        if before > reserve {
            let given = before - recv_held_above(before, charge.bytes, reserve);
            self.consume(given);
        }
    }

    #[inline(never)]
    fn credit_due_of(&mut self, index: u32) {
        if let Some(channel) = self.slots.at_mut(index)
            && !channel.pending.has(Pending::CREDIT)
        {
            channel.pending.set(Pending::CREDIT);
            self.mark(index);
        }
    }

    /// Counts bytes as consumed on the connection.
    #[inline]
    pub(super) fn consume(&mut self, bytes: u64) {
        self.recv.consume(bytes);
        self.credit_due |= self.recv.is_due_of_rest() || self.peer_waits && self.recv.owed() > 0;
        if self.low_since.is_some() && !self.is_low() {
            self.low_since = None;
        }
    }

    /// Less than a quarter of the connection's window is free, or less than the largest message
    /// needs (rule R19).
    pub(super) fn is_low(&self) -> bool {
        let least = (self.recv.window() / 4).max(self.message_cost_max);
        self.recv.backlog() > self.recv.window().saturating_sub(least)
    }

    /// No room is kept for messages of channels that have ended: found out while the window is
    /// looked at, for only then does it matter.
    pub(super) fn forget_message_costs(&mut self) {
        if self.low_since.is_some() {
            let receives = |c: &&Channel| c.recv.state == RecvState::Receiving;
            let costs = self.slots.iter().filter(receives);
            let largest = costs.map(|c| c.recv.message_cost).max();
            self.message_cost_max = largest.unwrap_or(0).into();
        }
    }

    /// From when on it is low, it is looked at from time to time.
    pub(super) fn look_whether_low(&mut self) {
        if self.low_since.is_none() && self.is_low() {
            self.low_since = Some(self.now);
            self.sweep_soon();
        }
    }

    /// `bytes` more of a channel are held, `held` in all: beyond its reserve they count against
    /// the connection's window, up to it they do not.
    pub(super) fn hold(&mut self, held: u64, bytes: u64) {
        let counted = held
            .saturating_sub(u64::from(self.settings.reserve_bytes))
            .min(bytes);
        self.consume(bytes - counted);
        if counted > 0 {
            self.look_whether_low();
        } else if self.low_since.is_none() && !self.peer_waits {
            self.recv.watch(self.credit_due);
        }
    }
}

/// What counts against the connection's window, and stays so, when `bytes` of `before` are
/// released.
fn recv_held_above(before: u64, bytes: u32, reserve: u64) -> u64 {
    before.saturating_sub(u64::from(bytes)).max(reserve)
}
