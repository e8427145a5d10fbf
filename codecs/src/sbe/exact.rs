//! Exact conversions between wire numbers and [`Decimal`] or [`UnixTime`], without floats.

use core::fmt;

use crate::{Decimal, EncodeError, UnixTime};

/// A number on the wire that [`Decimal`] or [`UnixTime`] cannot hold, or that is not a unit of time. The
/// accessor of the raw value returns the number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ValueError {
    /// The field or member.
    pub what: &'static str,
    /// The number.
    pub got: i128,
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} is out of range", self.what, self.got)
    }
}

impl core::error::Error for ValueError {}

/// A mantissa or exponent of any width as a number.
///
/// # Errors
/// [`ValueError`] for a mantissa above 64 bits with a sign, or an exponent above 8.
pub fn decimal(
    mantissa: impl Into<i128>,
    exponent: impl Into<i128>,
) -> Result<Decimal, ValueError> {
    let (mantissa, exponent) = (mantissa.into(), exponent.into());
    let fail = |what, got| ValueError { what, got };
    Ok(Decimal::new(
        i64::try_from(mantissa).map_err(|_| fail("mantissa", mantissa))?,
        i8::try_from(exponent).map_err(|_| fail("exponent", exponent))?,
    ))
}

/// The mantissa of a number under a fixed exponent.
///
/// # Errors
/// [`EncodeError::Inexact`].
pub fn mantissa<M: TryFrom<i64>>(
    value: Decimal,
    exponent: i8,
    what: &'static str,
) -> Result<M, EncodeError> {
    let inexact = EncodeError::Inexact { what };
    let value = value.rescaled(exponent).ok_or(inexact)?;
    M::try_from(value.mantissa).map_err(|_| inexact)
}

/// Mantissa and exponent of a number; without trailing zeros if they do not fit otherwise.
///
/// # Errors
/// [`EncodeError::Inexact`].
pub fn parts<M: TryFrom<i64>, E: TryFrom<i16>>(
    value: Decimal,
    what: &'static str,
) -> Result<(M, E), EncodeError> {
    let (mut mantissa, mut exponent) = (value.mantissa, i16::from(value.exponent));
    if mantissa == 0 {
        // Zero has every exponent, so choose one that fits.
        exponent = 0;
    }
    // At most 19 turns: i64 has 19 digits.
    loop {
        if let (Ok(m), Ok(e)) = (M::try_from(mantissa), E::try_from(exponent)) {
            return Ok((m, e));
        }
        if mantissa == 0 || mantissa % 10 != 0 {
            return Err(EncodeError::Inexact { what });
        }
        (mantissa, exponent) = (mantissa / 10, exponent + 1);
    }
}

/// An instant from a count of units since 1970. A unit is `10^-places` seconds.
///
/// # Errors
/// [`ValueError`] if the instant is out of the range of [`UnixTime`]: 64-bit seconds without a sign.
#[inline]
pub fn timestamp(count: impl Into<i128>, places: u32) -> Result<UnixTime, ValueError> {
    let count = count.into();
    // Only counts beyond 64 bits need the check in 128 bits.
    let time = match (i64::try_from(count), places) {
        (Ok(seconds), 0) => Some(UnixTime::from_seconds(seconds)),
        (Ok(millis), 3) => Some(UnixTime::from_millis(millis)),
        (Ok(micros), 6) => Some(UnixTime::from_micros(micros)),
        (Ok(nanos), 9) => UnixTime::from_parts(
            nanos.div_euclid(1_000_000_000),
            nanos.rem_euclid(1_000_000_000) as u32,
        ),
        _ => scale(places)
            .and_then(|scale| count.checked_mul(scale))
            .and_then(UnixTime::from_nanos),
    };
    time.ok_or(ValueError {
        what: "time",
        got: count,
    })
}

/// [`timestamp`] of numbers that always fit: all except `uint64` seconds.
#[inline]
#[must_use]
pub fn instant(count: impl Into<i128>, places: u32) -> UnixTime {
    timestamp(count, places).unwrap_or_default() // never the default: see above
}

/// Nanoseconds of a unit.
const fn scale(places: u32) -> Option<i128> {
    match places {
        0 => Some(1_000_000_000),
        3 => Some(1_000_000),
        6 => Some(1_000),
        9 => Some(1),
        _ => None,
    }
}

/// [`timestamp`] with a unit from the wire: one of `units`, each with its decimal places.
///
/// # Errors
/// [`ValueError`], also for a unit outside `units`.
pub fn timestamp_in(
    count: impl Into<i128>,
    unit: impl Into<i128>,
    units: &[(i128, u32)],
) -> Result<UnixTime, ValueError> {
    let unit = unit.into();
    match units.iter().find(|(value, _)| *value == unit) {
        Some((_, places)) => timestamp(count, *places),
        None => Err(ValueError {
            what: "time unit",
            got: unit,
        }),
    }
}

/// An instant as a count of units.
///
/// # Errors
/// [`EncodeError::Inexact`].
pub fn count<N: TryFrom<i128>>(
    value: UnixTime,
    places: u32,
    what: &'static str,
) -> Result<N, EncodeError> {
    let nanos = value.to_nanos();
    let counted = scale(places).filter(|scale| nanos % scale == 0);
    counted
        .and_then(|scale| N::try_from(nanos / scale).ok())
        .ok_or(EncodeError::Inexact { what })
}

/// An instant as a count of the first of `units` that can represent it.
///
/// # Errors
/// [`EncodeError::Inexact`].
pub fn count_in<N: TryFrom<i128>, U: TryFrom<i128>>(
    value: UnixTime,
    units: &[(i128, u32)],
    what: &'static str,
) -> Result<(N, U), EncodeError> {
    units
        .iter()
        .find_map(|(unit, places)| {
            let counted = count(value, *places, what).ok()?;
            Some((counted, U::try_from(*unit).ok()?))
        })
        .ok_or(EncodeError::Inexact { what })
}
