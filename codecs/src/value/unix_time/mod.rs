//! Points in time: seconds and nanoseconds since 1970.

mod civil;
#[cfg(any(feature = "cbor", feature = "msgpack"))]
mod rfc3339;
mod text;

#[cfg(any(feature = "cbor", feature = "msgpack"))]
pub(crate) use rfc3339::Rfc3339;
pub use text::ParseUnixTimeError;

use crate::ToJson;
use core::{fmt, time::Duration};

const NANOS_PER_SECOND: u32 = 1_000_000_000;

/// An instant on the scale of Unix time: seconds and nanoseconds since 1970-01-01T00:00:00Z, before
/// it with negative seconds. Days have 86,400 seconds: leap seconds are not counted (POSIX.1-2017,
/// volume XBD, section 4.16).
///
/// The range is that of 64-bit seconds: about 292 billion years before and after 1970. Nanoseconds count
/// forward from the second, also before 1970: one nanosecond before the epoch is the second -1 and
/// 999,999,999 nanoseconds. No conversion rounds: a conversion that would lose digits returns `None`.
///
/// ```
/// use core::time::Duration;
/// use tickwire_codecs::UnixTime;
/// let time = UnixTime::from_millis(1_700_000_000_250);
/// assert_eq!(time.to_string(), "2023-11-14T22:13:20.25Z");
/// assert_eq!((time.seconds(), time.subsec_nanos()), (1_700_000_000, 250_000_000));
/// assert_eq!((time.to_millis(), time.to_seconds()), (Some(1_700_000_000_250), None));
/// let later = "2023-11-14T23:13:21+01:00".parse::<UnixTime>()?;
/// assert_eq!(later.duration_since(time), Some(Duration::from_millis(750)));
/// # Ok::<(), tickwire_codecs::ParseUnixTimeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixTime {
    seconds: i64,
    /// Below [`NANOS_PER_SECOND`]; counts forward, so the derived order is that of time.
    nanos: u32,
}

impl UnixTime {
    /// 1970-01-01T00:00:00Z; also the default.
    pub const EPOCH: Self = Self::from_seconds(0);
    /// The earliest instant.
    pub const MIN: Self = Self::from_seconds(i64::MIN);
    /// The latest instant.
    pub const MAX: Self = Self {
        seconds: i64::MAX,
        nanos: NANOS_PER_SECOND - 1,
    };

    /// From seconds since 1970 and nanoseconds that count forward from there; `None` if the
    /// nanoseconds are a second or more.
    #[must_use]
    pub const fn from_parts(seconds: i64, nanos: u32) -> Option<Self> {
        if nanos < NANOS_PER_SECOND {
            Some(Self { seconds, nanos })
        } else {
            None
        }
    }

    /// From seconds since 1970.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self { seconds, nanos: 0 }
    }

    /// From milliseconds since 1970.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self::from_units(millis, 1_000)
    }

    /// From microseconds since 1970.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self::from_units(micros, 1_000_000)
    }

    /// From a count of units; a second has `per_second` units (a power of ten up to 10^9).
    const fn from_units(count: i64, per_second: i64) -> Self {
        Self {
            seconds: count.div_euclid(per_second),
            // Below `per_second`, so the product is below 10^9.
            nanos: (count.rem_euclid(per_second) * (NANOS_PER_SECOND as i64 / per_second)) as u32,
        }
    }

    /// From nanoseconds since 1970; `None` outside of [`MIN`](Self::MIN) to [`MAX`](Self::MAX).
    /// Every `i64` and `u64` is inside.
    #[must_use]
    pub const fn from_nanos(nanos: i128) -> Option<Self> {
        let seconds = nanos.div_euclid(NANOS_PER_SECOND as i128);
        if seconds < i64::MIN as i128 || seconds > i64::MAX as i128 {
            return None;
        }
        Some(Self {
            seconds: seconds as i64,
            nanos: nanos.rem_euclid(NANOS_PER_SECOND as i128) as u32,
        })
    }

    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds since the start of the second, 0 to 999,999,999.
    #[must_use]
    pub const fn subsec_nanos(self) -> u32 {
        self.nanos
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub const fn to_nanos(self) -> i128 {
        self.seconds as i128 * NANOS_PER_SECOND as i128 + self.nanos as i128
    }

    /// Microseconds since 1970; `None` if nanoseconds would be lost or 64 bits do not hold them.
    #[must_use]
    pub const fn to_micros(self) -> Option<i64> {
        self.to_units(1_000_000)
    }

    /// Milliseconds since 1970; `None` if digits would be lost or 64 bits do not hold them.
    #[must_use]
    pub const fn to_millis(self) -> Option<i64> {
        self.to_units(1_000)
    }

    /// Seconds since 1970; `None` if the instant has a fraction of a second.
    #[must_use]
    pub const fn to_seconds(self) -> Option<i64> {
        self.to_units(1)
    }

    /// The inverse of [`from_units`](Self::from_units).
    const fn to_units(self, per_second: i64) -> Option<i64> {
        let unit = NANOS_PER_SECOND as i128 / per_second as i128;
        let nanos = self.to_nanos();
        let count = nanos / unit;
        if nanos % unit != 0 || count < i64::MIN as i128 || count > i64::MAX as i128 {
            return None;
        }
        Some(count as i64)
    }

    /// The instant later by this duration; `None` after [`MAX`](Self::MAX).
    #[must_use]
    pub const fn checked_add(self, duration: Duration) -> Option<Self> {
        // Both are below 2^94, far from the ends of i128.
        Self::from_nanos(self.to_nanos() + duration.as_nanos() as i128)
    }

    /// The instant earlier by this duration; `None` before [`MIN`](Self::MIN).
    #[must_use]
    pub const fn checked_sub(self, duration: Duration) -> Option<Self> {
        Self::from_nanos(self.to_nanos() - duration.as_nanos() as i128)
    }

    /// The time from `earlier` to here; `None` if `earlier` is later.
    #[must_use]
    pub const fn duration_since(self, earlier: Self) -> Option<Duration> {
        let nanos = self.to_nanos() - earlier.to_nanos();
        if nanos < 0 {
            return None;
        }
        // The whole range of seconds is 64 bits wide.
        Some(Duration::new(
            (nanos / NANOS_PER_SECOND as i128) as u64,
            (nanos % NANOS_PER_SECOND as i128) as u32,
        ))
    }
}

#[cfg(feature = "std")]
impl UnixTime {
    /// The instant of the system's clock; `None` outside of the range here.
    #[must_use]
    pub fn from_system_time(time: std::time::SystemTime) -> Option<Self> {
        match time.duration_since(std::time::SystemTime::UNIX_EPOCH) {
            Ok(after) => Self::EPOCH.checked_add(after),
            Err(error) => Self::EPOCH.checked_sub(error.duration()),
        }
    }

    /// The instant as a time of the standard library; `None` outside the range of the system. A system with a
    /// coarser clock rounds.
    #[must_use]
    pub fn to_system_time(self) -> Option<std::time::SystemTime> {
        let epoch = std::time::SystemTime::UNIX_EPOCH;
        match self.duration_since(Self::EPOCH) {
            Some(after) => epoch.checked_add(after),
            None => epoch.checked_sub(Self::EPOCH.duration_since(self)?),
        }
    }
}

impl fmt::Debug for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl ToJson for UnixTime {
    /// A string in the form of [`Display`](fmt::Display).
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "\"{self}\"")
    }
}
