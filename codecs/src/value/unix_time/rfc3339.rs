//! The text of an instant without an allocator.

use super::{UnixTime, civil, text::SECONDS_PER_DAY};
use core::fmt;

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
