//! Instants as text: RFC 3339.

use super::{NANOS_PER_SECOND, UnixTime, civil};
use core::{fmt, str::FromStr};

const SECONDS_PER_DAY: i64 = 86_400;

impl fmt::Display for UnixTime {
    /// RFC 3339 in UTC, with as many digits of the fraction as there are:
    /// `2013-03-21T20:04:00.5Z`. Years before 0 and after 9999, which RFC 3339 does not have, get a
    /// sign and at least four digits, as in the expanded form of ISO 8601.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil::date(self.seconds.div_euclid(SECONDS_PER_DAY));
        let second = self.seconds.rem_euclid(SECONDS_PER_DAY);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        match year {
            0..=9999 => write!(f, "{year:04}")?,
            _ => write!(f, "{year:+05}")?,
        }
        write!(f, "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if self.nanos > 0 {
            let (mut fraction, mut digits) = (self.nanos, 9);
            while fraction % 10 == 0 {
                fraction /= 10;
                digits -= 1;
            }
            write!(f, ".{fraction:0digits$}")?;
        }
        f.write_str("Z")
    }
}

/// Text that is no instant of RFC 3339, or none that [`UnixTime`] holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseUnixTimeError {
    /// Offset of the first byte, or of the field, that is wrong; the length where text is missing.
    pub at: usize,
}

impl fmt::Display for ParseUnixTimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a date and time of RFC 3339, at byte {}", self.at)
    }
}

impl core::error::Error for ParseUnixTimeError {}

/// Text and how much of it is read.
struct Input<'a> {
    text: &'a [u8],
    at: usize,
}

impl Input<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    const fn error<T>(&self) -> Result<T, ParseUnixTimeError> {
        Err(ParseUnixTimeError { at: self.at })
    }

    /// One of these bytes.
    fn one_of(&mut self, wanted: &[u8]) -> Result<u8, ParseUnixTimeError> {
        match self.peek() {
            Some(byte) if wanted.contains(&byte) => {
                self.at += 1;
                Ok(byte)
            }
            _ => self.error(),
        }
    }

    fn digit(&mut self) -> Result<u32, ParseUnixTimeError> {
        self.one_of(b"0123456789")
            .map(|byte| u32::from(byte - b'0'))
    }

    /// Exactly so many digits (at most four), with a value from `min` to `max`.
    fn number(&mut self, digits: usize, min: u32, max: u32) -> Result<u32, ParseUnixTimeError> {
        let at = self.at;
        let mut value = 0;
        for _ in 0..digits {
            value = value * 10 + self.digit()?;
        }
        if value < min || value > max {
            return Err(ParseUnixTimeError { at });
        }
        Ok(value)
    }

    /// The digits behind the point, in nanoseconds. Digits below that must be 0.
    fn fraction(&mut self) -> Result<u32, ParseUnixTimeError> {
        let (mut nanos, mut unit) = (0, NANOS_PER_SECOND);
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            let at = self.at;
            let digit = self.digit()?;
            unit /= 10;
            if unit == 0 && digit != 0 {
                return Err(ParseUnixTimeError { at });
            }
            nanos += digit * unit;
        }
        if self.at == from {
            return self.error();
        }
        Ok(nanos)
    }

    /// `Z`, or the seconds that local time is ahead of UTC.
    fn offset(&mut self) -> Result<i64, ParseUnixTimeError> {
        let sign = match self.one_of(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Ok(0),
        };
        let hours = self.number(2, 0, 23)?;
        self.one_of(b":")?;
        let minutes = self.number(2, 0, 59)?;
        Ok(sign * i64::from(hours * 3_600 + minutes * 60))
    }
}

impl FromStr for UnixTime {
    type Err = ParseUnixTimeError;

    /// Reads the `date-time` of RFC 3339 section 5.6: any offset, `T` and `Z` in either case, a
    /// fraction of any length whose digits below the nanosecond are 0. A leap second (`:60`) is
    /// refused, since this scale has no instant for it; so is a space in place of the `T`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut input = Input {
            text: text.as_bytes(),
            at: 0,
        };
        let year = i64::from(input.number(4, 0, 9999)?);
        input.one_of(b"-")?;
        let month = input.number(2, 1, 12)? as u8;
        input.one_of(b"-")?;
        let last = civil::days_of_month(year, month);
        let day = input.number(2, 1, last.into())? as u8;
        input.one_of(b"Tt")?;
        let hour = input.number(2, 0, 23)?;
        input.one_of(b":")?;
        let minute = input.number(2, 0, 59)?;
        input.one_of(b":")?;
        let second = input.number(2, 0, 59)?;
        let nanos = match input.peek() {
            Some(b'.') => {
                input.at += 1;
                input.fraction()?
            }
            _ => 0,
        };
        let ahead = input.offset()?;
        if input.at < text.len() {
            return input.error();
        }
        let of_day = i64::from(hour * 3_600 + minute * 60 + second);
        Ok(Self {
            seconds: civil::days((year, month, day)) * SECONDS_PER_DAY + of_day - ahead,
            nanos,
        })
    }
}

/// Longest text of an instant in RFC 3339, in bytes: `9999-12-31T23:59:59.999999999Z`.
const RFC3339_BYTES_MAX: usize = 30;

/// The text of an instant, without an allocator.
pub(crate) struct Rfc3339 {
    text: [u8; RFC3339_BYTES_MAX],
    len: usize,
}

impl Rfc3339 {
    /// `None` outside of the years 0 to 9999.
    pub(crate) fn new(time: UnixTime) -> Option<Self> {
        let mut out = Self {
            text: [0; RFC3339_BYTES_MAX],
            len: 0,
        };
        let (year, ..) = civil::date(time.seconds.div_euclid(SECONDS_PER_DAY));
        if !(0..=9999).contains(&year) {
            return None;
        }
        fmt::write(&mut out, format_args!("{time}")).ok()?;
        Some(out)
    }

    pub(crate) fn text(&self) -> &str {
        let text = self.text.get(..self.len).unwrap_or_default();
        core::str::from_utf8(text).unwrap_or_default()
    }
}

impl fmt::Write for Rfc3339 {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        let place = self.text.get_mut(self.len..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
