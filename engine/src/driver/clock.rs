//! The only place that reads the clock and the operating system's randomness.

use std::time::SystemTime;
#[cfg(any(feature = "mio", feature = "tokio"))]
use std::{io, sync::OnceLock, time::Instant, vec::Vec};

#[cfg(any(feature = "mio", feature = "tokio"))]
use crate::{
    handshake::{HandshakeError, Refusal},
    session::Entropy,
    time::Timestamp,
};

#[cfg(any(feature = "mio", feature = "tokio"))]
fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

/// The current time, in nanoseconds since the first call in this process.
#[cfg(any(feature = "mio", feature = "tokio"))]
pub(crate) fn now() -> Timestamp {
    timestamp(Instant::now())
}

/// `at` on the same clock as [`now`].
#[cfg(any(feature = "mio", feature = "tokio"))]
pub(crate) fn timestamp(at: Instant) -> Timestamp {
    let nanos = at.saturating_duration_since(origin()).as_nanos();
    Timestamp(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// `at` as an instant of the system's monotonic clock.
#[cfg(feature = "tokio")]
pub(crate) fn instant(at: Timestamp) -> Instant {
    origin() + std::time::Duration::from_nanos(at.0)
}

/// The wall clock, in seconds since 1970-01-01T00:00:00Z.
pub(crate) fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// Encodes a refusal with its date (RFC 9110 section 6.6.1). A refusal that lacks a header required
/// by its status is encoded as a 500 instead, and is also returned as an error.
#[cfg(any(feature = "mio", feature = "tokio"))]
pub(crate) fn dated(refusal: Refusal) -> (Vec<u8>, Result<(), HandshakeError>) {
    let checked = refusal.check();
    let refusal = match &checked {
        Ok(()) => refusal,
        Err(error) => error.refusal(),
    };
    (refusal.date(unix_seconds()).encode(), checked)
}

/// Fresh randomness for one connection.
///
/// # Errors
/// If the operating system provides none.
#[cfg(any(feature = "mio", feature = "tokio"))]
pub(crate) fn entropy() -> io::Result<Entropy> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::from)?;
    Ok(Entropy(bytes))
}
