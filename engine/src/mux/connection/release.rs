//! Returns credit for consumed messages.

use super::super::channel::ChannelId;
use super::super::credit::Charge;
use super::Mux;

impl Mux {
    /// Returns the credit of messages that the application has consumed.
    #[inline]
    pub fn release(&mut self, id: ChannelId, charge: Charge) {
        if let Some(channel) = self.slots.fast(id)
            && !channel.release_fast(&charge)
        {
            self.release_slow(id, &charge);
        }
    }

    /// As [`Self::release`], on the slow path.
    #[cold]
    #[inline(never)]
    fn release_slow(&mut self, id: ChannelId, charge: &Charge) {
        if let Some((key, channel)) = self.slots.find(id) {
            let effects = channel.release(charge);
            self.apply(key, effects);
        }
    }
}
