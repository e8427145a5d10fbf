//! A cursor over received bytes: each step returns a value or an error.

use super::error::WireError;
use super::frame::ALIAS_MAX;
use super::varint::varint;

/// The unread bytes of a frame, of options, or of a HELLO.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    /// Unread bytes.
    pub(super) rest: &'a [u8],
    /// The error if the bytes end too early.
    short: WireError,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`; `short` is the error if they end too early.
    #[inline]
    pub(super) const fn new(bytes: &'a [u8], short: WireError) -> Self {
        Self { rest: bytes, short }
    }

    /// One byte.
    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, WireError> {
        let (byte, rest) = self.rest.split_first().ok_or(self.short)?;
        self.rest = rest;
        Ok(*byte)
    }

    /// The next `N` bytes.
    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(self.short)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// The next `len` bytes.
    #[inline]
    pub(super) fn bytes(&mut self, len: u64) -> Result<&'a [u8], WireError> {
        // A length above the address space is longer than any record.
        let len = usize::try_from(len).map_err(|_| self.short)?;
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(self.short)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A number below 2^62.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, WireError> {
        let (value, len) = varint(self.rest).ok_or(self.short)?;
        self.rest = self.rest.get(len..).ok_or(self.short)?;
        Ok(value)
    }

    /// A number below 2^32; else the error `large`.
    #[inline]
    pub(super) fn u32(&mut self, large: WireError) -> Result<u32, WireError> {
        u32::try_from(self.varint()?).map_err(|_| large)
    }

    /// An alias, below [`ALIAS_MAX`].
    #[inline]
    pub(super) fn alias(&mut self) -> Result<u32, WireError> {
        let alias = self.u32(WireError::AliasTooLarge)?;
        if alias < ALIAS_MAX {
            Ok(alias)
        } else {
            Err(WireError::AliasTooLarge)
        }
    }

    /// Takes all unread bytes.
    #[inline]
    pub(super) const fn take_rest(&mut self) -> &'a [u8] {
        let rest = self.rest;
        self.rest = &[];
        rest
    }

    /// Checks that nothing is unread.
    pub(super) const fn end(self) -> Result<(), WireError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.short)
        }
    }
}
