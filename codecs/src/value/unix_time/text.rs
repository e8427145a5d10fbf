//! Instants as text: RFC 3339.

use super::{NANOS_PER_SECOND, UnixTime, civil};
use core::{fmt, str::FromStr};

pub(super) const SECONDS_PER_DAY: i64 = 86_400;

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

/// The error of text that is not an instant of RFC 3339 in the range of [`UnixTime`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ParseUnixTimeError {
    /// Offset of the first invalid byte or field; the length of the text if it is too short.
    pub at: usize,
}

impl fmt::Display for ParseUnixTimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "byte {}: expected a date and time of RFC 3339, such as 2023-11-14T22:13:20Z",
            self.at
        )
    }
}

impl core::error::Error for ParseUnixTimeError {}

/// Text and the number of bytes read.
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

    /// Exactly `digits` digits (at most four), with a value from `min` to `max`.
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
    /// fraction of any length whose digits below the nanosecond are 0. Refuses a leap second (`:60`), because
    /// Unix time has no instant for it, and a space in place of the `T`.
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
