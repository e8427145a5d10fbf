//! Text of a fixed number of bytes.

use crate::ToJson;
use core::fmt;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `char[N]`: N bytes of text, padded on the right with spaces (ITCH) or NUL (SBE).
///
/// ```
/// use tickwire_codecs::Chars;
/// let symbol = Chars::<8>::spaced("AAPL").unwrap();
/// assert_eq!(symbol.bytes(), b"AAPL    ");
/// assert_eq!(symbol.trimmed(), b"AAPL");
/// assert_eq!(symbol.text(), Some("AAPL"));
/// assert!(Chars::<2>::spaced("AAPL").is_none());
/// ```
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(transparent)]
pub struct Chars<const N: usize>([u8; N]);

impl<const N: usize> Chars<N> {
    /// The bytes as they are on the wire.
    #[must_use]
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// Text padded with spaces; `None` if it is longer than N bytes.
    #[must_use]
    pub fn spaced(text: &str) -> Option<Self> {
        Self::filled(text, b' ')
    }

    /// Text padded with NUL; `None` if it is longer than N bytes.
    #[must_use]
    pub fn nul_padded(text: &str) -> Option<Self> {
        Self::filled(text, 0)
    }

    fn filled(text: &str, fill: u8) -> Option<Self> {
        let mut bytes = [fill; N];
        bytes
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        Some(Self(bytes))
    }

    /// All N bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; N] {
        &self.0
    }

    /// The bytes without the spaces and NULs on the right.
    #[must_use]
    pub fn trimmed(&self) -> &[u8] {
        let fill = self
            .0
            .iter()
            .rev()
            .take_while(|byte| matches!(byte, b' ' | 0))
            .count();
        self.0.get(..N - fill).unwrap_or_default()
    }

    /// The trimmed bytes as text; `None` if they are not UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        core::str::from_utf8(self.trimmed()).ok()
    }
}

impl<const N: usize> Default for Chars<N> {
    fn default() -> Self {
        Self([b' '; N])
    }
}

impl<const N: usize> fmt::Display for Chars<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.trimmed().escape_ascii().fmt(f)
    }
}

impl<const N: usize> fmt::Debug for Chars<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl<const N: usize> ToJson for Chars<N> {
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        match self.text() {
            Some(text) => text.to_json(out),
            None => crate::json::hex(out, &self.0),
        }
    }
}
