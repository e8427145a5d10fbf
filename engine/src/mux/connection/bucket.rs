//! How often a peer may do what costs us something.

use core::time::Duration;

use crate::time::Timestamp;

/// Tokens that come back with time: one every `interval`, at most `burst`.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Bucket {
    /// When all tokens are back.
    full_at: Timestamp,
}

impl Bucket {
    /// `false` if there is none left.
    pub(super) fn take(&mut self, now: Timestamp, interval: Duration, burst: u32) -> bool {
        let full_at = self.full_at.max(now).after(interval);
        if full_at > now.after(interval.saturating_mul(burst)) {
            return false;
        }
        self.full_at = full_at;
        true
    }
}
