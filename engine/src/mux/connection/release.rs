//! What the application holds of the peer's messages, and gives back.

use super::super::channel::{ChannelId, RecvState};
use super::super::credit::Charge;
use super::super::slots::Key;
use super::Connection;

impl Connection {
    /// Gives back the credit of what the application has consumed.
    #[inline]
    pub fn release(&mut self, id: ChannelId, charge: Charge) {
        if let Some(key) = self.slots.resolve(id) {
            self.give_back(key, charge);
        }
    }

    /// As [`Self::release`]. Letting go of a channel has given back all that was held of it.
    #[inline]
    pub(super) fn give_back(&mut self, key: Key, charge: Charge) {
        let channel = &mut self.slots[key];
        if !channel.attached {
            return;
        }
        let recv = &mut channel.recv;
        recv.credit.consume(u64::from(charge.units));
        let due = recv.credit.is_due() && recv.state == RecvState::Receiving;
        let before = recv.held;
        recv.held = before.saturating_sub(u64::from(charge.bytes));
        if due {
            self.credit_due(key);
        }
        self.unhold(before, charge.bytes.into());
    }

    #[inline(never)]
    fn credit_due(&mut self, key: Key) {
        let effects = self.slots[key].credit_due();
        self.apply(key, effects);
    }
}
