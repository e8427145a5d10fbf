//! The one place that reads the time and the operating system's randomness.

use std::io;
use std::sync::OnceLock;
use std::time::Instant;

use crate::session::Entropy;
use crate::time::Timestamp;

fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

/// Now, in nanoseconds since the first call of this process.
pub(crate) fn now() -> Timestamp {
    timestamp(Instant::now())
}

/// `at` on the same clock as [`now`].
pub(crate) fn timestamp(at: Instant) -> Timestamp {
    let nanos = at.saturating_duration_since(origin()).as_nanos();
    Timestamp(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// The moment of `at` on the system's monotonic clock.
#[cfg(feature = "tokio")]
pub(crate) fn instant(at: Timestamp) -> Instant {
    origin() + std::time::Duration::from_nanos(at.0)
}

/// Fresh randomness for one connection.
///
/// # Errors
/// Where the operating system has none to give.
pub(crate) fn entropy() -> io::Result<Entropy> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::from)?;
    Ok(Entropy(bytes))
}
