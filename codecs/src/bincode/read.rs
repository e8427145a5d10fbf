//! A slice as the input of the engine, and the conversion of its errors.

use crate::DecodeError;
use ::bincode::{
    de::read::{BorrowReader, Reader},
    error::DecodeError as Refusal,
};

/// A slice and the number of bytes read.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    len: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            len: bytes.len(),
        }
    }

    /// Offset of the next byte.
    pub(super) const fn at(&self) -> usize {
        self.len - self.rest.len()
    }
}

impl Reader for Cursor<'_> {
    #[inline]
    fn read(&mut self, bytes: &mut [u8]) -> Result<(), Refusal> {
        bytes.copy_from_slice(self.take_bytes(bytes.len())?);
        Ok(())
    }

    #[inline]
    fn peek_read(&mut self, len: usize) -> Option<&[u8]> {
        self.rest.get(..len)
    }

    #[inline]
    fn consume(&mut self, len: usize) {
        self.rest = self.rest.get(len..).unwrap_or_default();
    }
}

impl<'a> BorrowReader<'a> for Cursor<'a> {
    #[inline]
    fn take_bytes(&mut self, len: usize) -> Result<&'a [u8], Refusal> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(Refusal::UnexpectedEnd {
                additional: len - self.rest.len(),
            }),
        }
    }
}

/// Converts an error of the engine at offset `at` of a message of `len` bytes.
#[cold]
pub(super) fn map_decode(refusal: &Refusal, at: usize, len: usize, budget: u64) -> DecodeError {
    let wrong = |what, got| DecodeError::wrong(at, what, got);
    let have = len - at;
    match *refusal {
        // `additional` is an estimate, but never 0.
        Refusal::UnexpectedEnd { additional } => {
            DecodeError::short(at, have.saturating_add(additional.max(1)), have)
        }
        Refusal::LimitExceeded => DecodeError::limit(
            at,
            "bytes of memory at least",
            budget.saturating_add(1),
            budget,
        ),
        Refusal::Utf8 { inner } => {
            // The engine checks a text after it has read it, and does not report its length. The
            // offset is the end of the text.
            let _ = inner;
            DecodeError::Utf8 {
                at: crate::error::offset(at),
            }
        }
        Refusal::InvalidIntegerType { .. } => wrong("integer's width", 0),
        Refusal::NonZeroTypeIsZero { .. } => wrong("number that cannot be zero", 0),
        Refusal::UnexpectedVariant { found, .. } => wrong("enum variant", found.into()),
        Refusal::InvalidCharEncoding(bytes) => wrong("char", u32::from_be_bytes(bytes).into()),
        Refusal::InvalidBooleanValue(byte) => wrong("bool", byte.into()),
        Refusal::ArrayLengthMismatch { found, .. } => wrong("array length", found as u64),
        Refusal::OutsideUsizeRange(value) => wrong("usize", value),
        Refusal::EmptyEnum { .. } => wrong("enum without variants", 0),
        Refusal::InvalidDuration { secs, .. } => wrong("duration", secs),
        Refusal::InvalidSystemTime { duration } => wrong("system time", duration.as_secs()),
        _ => wrong("value", 0),
    }
}
