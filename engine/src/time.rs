//! Time in the sans-I/O core: a number that the driver passes in.

use core::time::Duration;

/// Nanoseconds since an origin that the driver chooses once, such as the start of the process.
///
/// The core never reads a clock: every call that needs the time takes a timestamp. Compare only
/// timestamps of the same clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This time plus `d`. Saturates at `u64::MAX` nanoseconds, which are 584 years.
    #[must_use]
    pub fn after(self, d: Duration) -> Self {
        Self(self.0.saturating_add(nanos(d)))
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// An `Option<Timestamp>` in eight bytes, because every connection holds several. `u64::MAX`
/// encodes `None`; a timestamp with that value is stored as one nanosecond less.
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
