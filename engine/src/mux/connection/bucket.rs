//! Rate limits for frames of the peer that cost work.

use core::time::Duration;

use crate::time::Timestamp;

/// A token bucket: one token every `interval`, at most `burst`.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Bucket {
    /// When the bucket is full again.
    full_at: Timestamp,
}

impl Bucket {
    /// Takes a token; `false` if none is left.
    pub(super) fn take(&mut self, now: Timestamp, interval: Duration, burst: u32) -> bool {
        let full_at = self.full_at.max(now).after(interval);
        if full_at > now.after(interval.saturating_mul(burst)) {
            return false;
        }
        self.full_at = full_at;
        true
    }
}
