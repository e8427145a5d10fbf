//! Exact decimal numbers: mantissa and power of ten. Prices are never floats.

use crate::ToJson;
use core::{cmp::Ordering, fmt, hash, str::FromStr};
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, little_endian::I64 as I64Le,
};

/// A decimal number: `mantissa * 10^exponent`. Equality, order and hash compare the number: `1.50 == 1.5`.
///
/// ```
/// use tickwire_codecs::Decimal;
/// let price = Decimal::new(5_432_100, -4);
/// assert_eq!(price, "543.21".parse().unwrap());
/// assert_eq!(price.rescaled(-2).map(|p| p.mantissa), Some(54_321));
/// assert_eq!(price.rescaled(0), None); // would lose digits
/// ```
#[derive(Clone, Copy, Default)]
pub struct Decimal {
    /// The digits.
    pub mantissa: i64,
    /// The power of ten.
    pub exponent: i8,
}

impl Decimal {
    /// `mantissa * 10^exponent`.
    #[must_use]
    pub const fn new(mantissa: i64, exponent: i8) -> Self {
        Self { mantissa, exponent }
    }

    /// This number with another exponent; `None` if the mantissa cannot hold it exactly.
    #[must_use]
    pub fn rescaled(self, exponent: i8) -> Option<Self> {
        let mut mantissa = self.mantissa;
        if mantissa == 0 {
            return Some(Self { mantissa, exponent });
        }
        let shift = i16::from(self.exponent) - i16::from(exponent);
        // At most 19 turns: i64 has 19 digits, after that a step fails.
        for _ in 0..shift.unsigned_abs() {
            mantissa = if shift > 0 {
                mantissa.checked_mul(10)?
            } else if mantissa % 10 == 0 {
                mantissa / 10
            } else {
                return None;
            };
        }
        Some(Self { mantissa, exponent })
    }

    /// The nearest double, for display and statistics. Do not calculate money with it.
    #[must_use]
    pub fn to_f64_lossy(self) -> f64 {
        let mut scale = 1.0;
        for _ in 0..self.exponent.unsigned_abs() {
            scale *= 10.0;
        }
        // Powers of ten up to 10^22 are exact doubles, so the common exponents round only once.
        let mantissa = self.mantissa as f64;
        if self.exponent < 0 {
            mantissa / scale
        } else {
            mantissa * scale
        }
    }

    /// Mantissa and exponent without trailing zeros in the mantissa: equal numbers have equal parts. The
    /// exponent is an i16 because it grows.
    fn normal(self) -> (i64, i16) {
        let (mut mantissa, mut exponent) = (self.mantissa, i16::from(self.exponent));
        if mantissa == 0 {
            return (0, 0);
        }
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        (mantissa, exponent)
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.normal() == other.normal()
    }
}

impl Eq for Decimal {}

impl hash::Hash for Decimal {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.normal().hash(state);
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let ((a, a_exp), (b, b_exp)) = (self.normal(), other.normal());
        let sign = a.signum().cmp(&b.signum());
        if sign != Ordering::Equal || a == 0 {
            return sign;
        }
        // Same sign: first by the place of the leading digit, then digits aligned to one exponent.
        // With equal leading places the exponents differ by at most 18, which fits i128.
        let place = |m: i64, e: i16| m.unsigned_abs().ilog10() as i16 + e;
        let by_place = place(a, a_exp).cmp(&place(b, b_exp));
        if by_place != Ordering::Equal {
            return if a > 0 { by_place } else { by_place.reverse() };
        }
        let low = a_exp.min(b_exp);
        let align = |m: i64, e: i16| i128::from(m) * 10i128.pow((e - low).unsigned_abs().into());
        align(a, a_exp).cmp(&align(b, b_exp))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Decimal {
    /// Plain notation with `-exponent` decimals: `543.2100`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.mantissa.unsigned_abs();
        if self.mantissa < 0 {
            f.write_str("-")?;
        }
        if self.exponent >= 0 {
            write!(f, "{digits}")?;
            for _ in 0..if digits == 0 { 0 } else { self.exponent } {
                f.write_str("0")?;
            }
            return Ok(());
        }
        let places = usize::from(self.exponent.unsigned_abs());
        match 10u64.checked_pow(places as u32) {
            Some(unit) => write!(f, "{}.{:0places$}", digits / unit, digits % unit),
            None => write!(f, "0.{digits:0places$}"),
        }
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}e{}", self.mantissa, self.exponent)
    }
}

impl ToJson for Decimal {
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "\"{self}\"")
    }
}

/// The error of text that is not a decimal number of at most 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ParseDecimalError {
    /// Offset of the first invalid byte; the length of the text if digits are missing or do not fit.
    pub at: usize,
}

impl fmt::Display for ParseDecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "byte {}: expected a decimal number of at most 63 bits, such as 12.34",
            self.at
        )
    }
}

impl core::error::Error for ParseDecimalError {}

impl FromStr for Decimal {
    type Err = ParseDecimalError;

    /// Reads `[-+]digits[.digits]`; the exponent is minus the number of decimals.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = text.as_bytes();
        let end = ParseDecimalError { at: bytes.len() };
        let negative = bytes.first() == Some(&b'-');
        let signed = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
        let (mut mantissa, mut exponent, mut digits, mut point) = (0i64, 0i8, 0usize, false);
        for (at, byte) in bytes.iter().enumerate().skip(signed) {
            match byte {
                b'0'..=b'9' => {
                    let digit = i64::from(byte - b'0');
                    let digit = if negative { -digit } else { digit };
                    mantissa = mantissa
                        .checked_mul(10)
                        .and_then(|m| m.checked_add(digit))
                        .ok_or(end)?;
                    digits += 1;
                    if point {
                        exponent = exponent.checked_sub(1).ok_or(end)?;
                    }
                }
                b'.' if !point && digits > 0 => point = true,
                _ => return Err(ParseDecimalError { at }),
            }
        }
        if digits == 0 || (point && exponent == 0) {
            return Err(end);
        }
        Ok(Self { mantissa, exponent })
    }
}

/// A decimal on the wire: i64 mantissa, then i8 exponent, little-endian; 9 bytes.
#[derive(
    Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct DecimalLe {
    /// The digits.
    pub mantissa: I64Le,
    /// The power of ten.
    pub exponent: i8,
}

impl DecimalLe {
    /// The number.
    #[inline]
    #[must_use]
    pub fn decimal(self) -> Decimal {
        Decimal::new(self.mantissa.get(), self.exponent)
    }
}

impl From<Decimal> for DecimalLe {
    fn from(value: Decimal) -> Self {
        Self {
            mantissa: I64Le::new(value.mantissa),
            exponent: value.exponent,
        }
    }
}

/// An i64 mantissa on the wire, little-endian, with the constant exponent `E`; 8 bytes.
#[derive(
    Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(transparent)]
pub struct FixedLe<const E: i8> {
    /// The digits.
    pub mantissa: I64Le,
}

impl<const E: i8> FixedLe<E> {
    /// `mantissa * 10^E`.
    #[must_use]
    pub fn new(mantissa: i64) -> Self {
        Self {
            mantissa: I64Le::new(mantissa),
        }
    }

    /// The number with exponent `E`; `None` if the mantissa cannot hold it exactly.
    #[must_use]
    pub fn exact(value: Decimal) -> Option<Self> {
        value.rescaled(E).map(|value| Self::new(value.mantissa))
    }

    /// The number.
    #[inline]
    #[must_use]
    pub fn decimal(self) -> Decimal {
        Decimal::new(self.mantissa.get(), E)
    }
}

impl fmt::Debug for DecimalLe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.decimal().fmt(f)
    }
}

impl ToJson for DecimalLe {
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        self.decimal().to_json(out)
    }
}

impl<const E: i8> fmt::Debug for FixedLe<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.decimal().fmt(f)
    }
}

impl<const E: i8> ToJson for FixedLe<E> {
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        self.decimal().to_json(out)
    }
}
