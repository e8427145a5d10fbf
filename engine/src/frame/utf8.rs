//! Incremental validation of UTF-8.

use core::str;

/// Validates text piece by piece, and keeps a code point that the end of a piece cuts.
///
/// An invalid byte is an error as soon as it is fed, not only at the end of the message.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Utf8 {
    /// `cut[..len]`: the first bytes of a code point that the last piece cut. At most three.
    cut: [u8; 4],
    len: u8,
}

/// The text is not UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Invalid;

impl From<simdutf8::basic::Utf8Error> for Invalid {
    fn from(_: simdutf8::basic::Utf8Error) -> Self {
        Self
    }
}

/// Validates complete text.
#[inline]
pub(crate) fn check(bytes: &[u8]) -> Result<&str, Invalid> {
    Ok(simdutf8::basic::from_utf8(bytes)?)
}

impl Utf8 {
    pub(crate) fn feed(&mut self, mut piece: &[u8]) -> Result<(), Invalid> {
        while self.len > 0 {
            let Some((&byte, rest)) = piece.split_first() else {
                return Ok(());
            };
            let end = self.len as usize;
            self.cut[end] = byte;
            piece = rest;
            match str::from_utf8(&self.cut[..=end]) {
                Ok(_) => self.len = 0,
                // Four bytes are a whole code point or invalid, so `len` stays below four.
                Err(e) if e.error_len().is_none() => self.len += 1,
                Err(_) => return Err(Invalid),
            }
        }
        let Err(e) = simdutf8::compat::from_utf8(piece) else {
            return Ok(());
        };
        if e.error_len().is_some() {
            return Err(Invalid);
        }
        let tail = &piece[e.valid_up_to()..];
        self.cut[..tail.len()].copy_from_slice(tail);
        self.len = tail.len() as u8; // at most three: an incomplete code point
        Ok(())
    }

    /// Ends the text. An incomplete code point is an error. The validator is then ready for the
    /// next text.
    pub(crate) fn finish(&mut self) -> Result<(), Invalid> {
        let whole = self.len == 0;
        self.len = 0;
        if whole { Ok(()) } else { Err(Invalid) }
    }
}
