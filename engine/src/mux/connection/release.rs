//! What the application holds of the peer's messages, and gives back.

use super::super::channel::ChannelId;
use super::super::credit::Charge;
use super::super::slots::Key;
use super::Connection;

impl Connection {
    /// Gives back the credit of what the application has consumed.
    #[inline]
    pub fn release(&mut self, id: ChannelId, charge: Charge) {
        let Some((key, channel)) = self.slots.find(id) else {
            return; // letting go of the channel has given back all that was held of it
        };
        if let Some((before, due)) = channel.release(&charge) {
            if due {
                self.credit_due(key);
            }
            self.unhold(before, charge.bytes.into());
        }
    }

    #[inline(never)]
    fn credit_due(&mut self, key: Key) {
        let effects = self.slots[key].credit_due();
        self.apply(key, effects);
    }
}
