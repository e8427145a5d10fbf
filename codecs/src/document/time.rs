//! The encodings of instants in the two formats.

use super::Head;
use crate::UnixTime;

/// Type of MessagePack's timestamp.
pub(super) const EXTENSION: i8 = -1;
/// CBOR's tag of a date and time as text.
pub(super) const TEXT_TAG: u64 = 0;
/// CBOR's tag of seconds since 1970.
pub(super) const EPOCH_TAG: u64 = 1;
/// The longest date in chunks that the reader joins, in bytes. A date has 20 to 35 bytes, unless its
/// fraction ends in zeros.
pub(super) const TEXT_BYTES_MAX: usize = 64;

/// Bits of the seconds in a timestamp of 8 bytes; the other 30 are nanoseconds.
const SECONDS_BITS: u32 = 34;

/// The content of MessagePack's extension -1 (specification, "Timestamp extension type"): seconds of
/// 32 bits; nanoseconds of 30 bits and seconds of 34; or nanoseconds of 32 bits and seconds of 64, with
/// a sign.
pub(super) fn of_extension(content: &[u8]) -> Option<UnixTime> {
    let (nanos, seconds) = match *content {
        [a, b, c, d] => (0, u32::from_be_bytes([a, b, c, d]).into()),
        [a, b, c, d, e, f, g, h] => {
            let both = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
            // 30 bits and 34 bits.
            let seconds = both & ((1 << SECONDS_BITS) - 1);
            ((both >> SECONDS_BITS) as u32, seconds as i64)
        }
        [n0, n1, n2, n3, a, b, c, d, e, f, g, h] => (
            u32::from_be_bytes([n0, n1, n2, n3]),
            i64::from_be_bytes([a, b, c, d, e, f, g, h]),
        ),
        _ => return None,
    };
    UnixTime::from_parts(seconds, nanos)
}

/// The content of MessagePack's extension -1.
pub(super) struct Extension {
    bytes: [u8; 12],
    from: usize,
}

impl Extension {
    /// The shortest form.
    pub(super) fn new(time: UnixTime) -> Self {
        let (seconds, nanos) = (time.seconds(), time.subsec_nanos());
        let mut bytes = [0; 12];
        let from = match u64::try_from(seconds) {
            Ok(seconds) if nanos == 0 && seconds >> 32 == 0 => 8,
            Ok(seconds) if seconds >> SECONDS_BITS == 0 => 4,
            _ => 0,
        };
        let (front, back) = bytes.split_at_mut(4);
        front.copy_from_slice(&nanos.to_be_bytes());
        // The seconds alone, or with the nanoseconds above them: those are 30 bits.
        let above = if from == 4 {
            u64::from(nanos) << SECONDS_BITS
        } else {
            0
        };
        back.copy_from_slice(&(above | seconds.cast_unsigned()).to_be_bytes());
        Self { bytes, from }
    }

    pub(super) fn content(&self) -> &[u8] {
        self.bytes.get(self.from..).unwrap_or_default()
    }
}

/// The text of CBOR's tag 0: RFC 3339, with `T` and `Z` in upper case (RFC 8949 section 3.4.1, which
/// takes this from section 3.3 of RFC 4287).
pub(super) fn of_text(text: &str) -> Option<UnixTime> {
    if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return None;
    }
    text.parse().ok()
}

/// The content of CBOR's tag 1 (RFC 8949 section 3.4.2).
pub(super) fn of_epoch(
    content: &Head<'_>,
    of_float: fn(f64) -> Option<UnixTime>,
) -> Option<UnixTime> {
    let seconds = match *content {
        Head::Uint(value) => i64::try_from(value).ok()?,
        Head::Nint(value) => -1 - i64::try_from(value).ok()?,
        Head::Float32(value) => return of_float(value.into()),
        Head::Float64(value) => return of_float(value),
        _ => return None,
    };
    Some(UnixTime::from_seconds(seconds))
}

/// Seconds that are a whole number of nanoseconds.
pub(super) fn of_float(seconds: f64) -> Option<UnixTime> {
    match nanoseconds(seconds)? {
        (nanos, Rest::None) => UnixTime::from_nanos(nanos),
        _ => None,
    }
}

/// Seconds, rounded to the nearest nanosecond.
pub(super) fn of_float_lossy(seconds: f64) -> Option<UnixTime> {
    let (nanos, rest) = nanoseconds(seconds)?;
    UnixTime::from_nanos(match rest {
        Rest::None | Rest::BelowHalf => nanos,
        Rest::HalfOrMore if seconds < 0.0 => nanos - 1,
        Rest::HalfOrMore => nanos + 1,
    })
}

/// The part below the last whole nanosecond.
enum Rest {
    None,
    BelowHalf,
    HalfOrMore,
}

/// A number of seconds in nanoseconds, rounded towards 0; `None` far outside of every instant.
fn nanoseconds(seconds: f64) -> Option<(i128, Rest)> {
    /// Above this an instant is out of range: 2^63 seconds are below 2^93 nanoseconds.
    const SHIFT_MAX: i32 = 11;
    if !seconds.is_finite() {
        return None;
    }
    // IEEE 754: 52 bits of fraction, 11 bits of exponent.
    let bits = seconds.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i32;
    let fraction = bits & ((1 << 52) - 1);
    let significand = if exponent == 0 {
        fraction
    } else {
        fraction | 1 << 52
    };
    // seconds = significand * 2^shift; the product is below 2^83.
    let shift = exponent.max(1) - 1075;
    let scaled = u128::from(significand) * 1_000_000_000;
    let (magnitude, rest) = if shift >= 0 {
        if shift > SHIFT_MAX {
            return None;
        }
        (scaled << shift, Rest::None)
    } else {
        let down = shift.unsigned_abs();
        let whole = scaled.checked_shr(down).unwrap_or(0);
        // The bit below the last whole one is the half.
        let half = scaled.checked_shr(down - 1).unwrap_or(0) & 1;
        let exact = scaled.trailing_zeros() >= down || scaled == 0;
        match (exact, half) {
            (true, _) => (whole, Rest::None),
            (false, 0) => (whole, Rest::BelowHalf),
            (false, _) => (whole, Rest::HalfOrMore),
        }
    };
    let magnitude = i128::try_from(magnitude).ok()?;
    Some((if seconds < 0.0 { -magnitude } else { magnitude }, rest))
}
