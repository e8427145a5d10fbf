//! What the application holds of the peer's messages, and gives back.

use super::super::channel::ChannelId;
use super::super::credit::Charge;
use super::Mux;

impl Mux {
    /// Gives back the credit of what the application has consumed.
    #[inline]
    pub fn release(&mut self, id: ChannelId, charge: Charge) {
        if let Some(channel) = self.slots.fast(id)
            && !channel.release_fast(&charge)
        {
            self.release_slow(id, &charge);
        }
    }

    /// As [`Self::release`], where something comes of it.
    #[cold]
    #[inline(never)]
    fn release_slow(&mut self, id: ChannelId, charge: &Charge) {
        if let Some((key, channel)) = self.slots.find(id) {
            let effects = channel.release(charge);
            self.apply(key, effects);
        }
    }
}
