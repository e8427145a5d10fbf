//! UTF-8 that arrives in pieces.

use core::str;

/// Checks text as it arrives and remembers a code point that is cut by the end of a piece.
///
/// A byte that no continuation can make valid is refused when it is seen, not at the end of
/// the message.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Utf8 {
    /// The bytes of the code point that the last piece cut; `cut[..len]`, at most three.
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

/// Bytes that are all there, as text.
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
                // At four bytes a code point is whole or wrong, so `len` stays below four.
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
        self.len = tail.len() as u8; // at most three: an unfinished code point
        Ok(())
    }

    /// The text ends here: an unfinished code point is an error. Ready for the next text.
    pub(crate) fn finish(&mut self) -> Result<(), Invalid> {
        let whole = self.len == 0;
        self.len = 0;
        if whole { Ok(()) } else { Err(Invalid) }
    }
}
