//! Time as the core sees it: a number that the driver brings.

use core::time::Duration;

/// Nanoseconds since an origin that the driver chose once (process start, say).
///
/// The core never reads a clock: every call that needs the time takes one of these. Two
/// timestamps compare only when they come from the same clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This moment plus `d`; saturates at the end of time, which is 584 years away.
    #[must_use]
    pub fn after(self, d: Duration) -> Self {
        Self(self.0.saturating_add(nanos(d)))
    }

    /// The time from `earlier` to `self`, zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// An `Option<Timestamp>` in eight bytes: every connection holds some. The last nanosecond of all
/// stands for `None`, and a timestamp of that value for the one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OptionalTimestamp(u64);

impl OptionalTimestamp {
    pub(crate) const NONE: Self = Self(u64::MAX);

    #[inline]
    pub(crate) fn get(self) -> Option<Timestamp> {
        (self != Self::NONE).then_some(Timestamp(self.0))
    }
}

impl Default for OptionalTimestamp {
    fn default() -> Self {
        Self::NONE
    }
}

impl From<Timestamp> for OptionalTimestamp {
    #[inline]
    fn from(at: Timestamp) -> Self {
        Self(at.0.min(u64::MAX - 1))
    }
}

fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}
