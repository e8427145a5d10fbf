//! Variable text, unchecked.

use core::fmt::{self, Write as _};
use core::str::Utf8Error;

use crate::{ToJson, json};

/// Variable data with the character encoding ASCII or UTF-8 in the schema.
///
/// The bytes may be invalid: an invalid byte does not make the rest of the message unreadable.
/// [`text`](Self::text) checks them. Equality, order and hash compare the bytes.
///
/// ```
/// use tickwire_codecs::sbe::Text;
/// let symbol = Text::from("BTCUSDT");
/// assert_eq!(symbol.text(), Ok("BTCUSDT"));
/// assert!(symbol == "BTCUSDT");
/// let latin = Text::new(b"gr\xf6\xdfe");
/// assert_eq!(latin.text().unwrap_err().valid_up_to(), 2);
/// assert_eq!((latin.bytes(), latin.to_string().as_str()), (&b"gr\xf6\xdfe"[..], r"gr\xf6\xdfe"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// Text of these bytes, unchecked. A builder writes them.
    #[inline]
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes as they are on the wire.
    #[inline]
    #[must_use]
    pub const fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Checks the bytes and returns them as text.
    ///
    /// # Errors
    /// [`Utf8Error`] with the offset of the first invalid byte, if the bytes are not UTF-8. ASCII is UTF-8.
    #[inline]
    pub const fn text(self) -> Result<&'a str, Utf8Error> {
        core::str::from_utf8(self.0)
    }

    /// Number of bytes.
    #[inline]
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.len()
    }

    /// Whether the length is 0.
    #[inline]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

impl Text<'_> {
    /// The characters of the escaped form of invalid text.
    fn escaped(self, each: &mut dyn FnMut(char) -> fmt::Result) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c == '\\' {
                    each(c)?;
                }
                each(c)?;
            }
            for byte in chunk.invalid() {
                byte.escape_ascii()
                    .map(char::from)
                    .try_for_each(&mut *each)?;
            }
        }
        Ok(())
    }
}

impl<'a> From<&'a str> for Text<'a> {
    #[inline]
    fn from(text: &'a str) -> Self {
        Self(text.as_bytes())
    }
}

impl<'a> From<&'a [u8]> for Text<'a> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Text<'a> {
    #[inline]
    fn from(bytes: &'a [u8; N]) -> Self {
        Self(bytes)
    }
}

impl PartialEq<str> for Text<'_> {
    #[inline]
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Text<'_> {
    #[inline]
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<[u8]> for Text<'_> {
    #[inline]
    fn eq(&self, other: &[u8]) -> bool {
        self.0 == other
    }
}

impl PartialEq<&[u8]> for Text<'_> {
    #[inline]
    fn eq(&self, other: &&[u8]) -> bool {
        self.0 == *other
    }
}

/// The text. Where the bytes are none, what is UTF-8 of them, every other byte as `\xf6`, and a backslash
/// as `\\`, so that nothing is lost.
impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Ok(text) => fmt::Display::fmt(text, f),
            Err(_) => self.escaped(&mut |c| f.write_char(c)),
        }
    }
}

/// The form of `Debug` of `str`. If the bytes are not UTF-8, with an escape for each byte outside ASCII.
impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Ok(text) => fmt::Debug::fmt(text, f),
            Err(_) => write!(f, "\"{}\"", self.0.escape_ascii()),
        }
    }
}

/// A string of the [`Display`](fmt::Display) form.
impl ToJson for Text<'_> {
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        match self.text() {
            Ok(text) => text.to_json(out),
            Err(_) => {
                out.write_char('"')?;
                self.escaped(&mut |c| json::escaped(out, c))?;
                out.write_char('"')
            }
        }
    }
}
