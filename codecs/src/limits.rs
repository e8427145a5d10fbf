//! Limits of decoders.

use crate::DecodeError;

/// The deepest nesting that a reader of this crate supports, in levels. A reader of a nested format keeps
/// one counter per level on the stack: 512 bytes for 64 levels.
pub const DEPTH_LEVELS_MAX: u16 = 64;

/// Limits of a decoder. Every decoding call takes a `Limits`. There is no default, so that a program
/// chooses its limits.
///
/// ```
/// use tickwire_codecs::{DecodeError, Limits};
/// let limits = Limits { max_msg: 64, ..Limits::FEED };
/// assert!(limits.check_msg(64).is_ok());
/// assert!(matches!(limits.check_msg(65), Err(DecodeError::Limit { got: 65, max: 64, .. })));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The longest message, in bytes on the wire.
    pub max_msg: u32,
    /// The largest number of entries in one group or array, of messages in one [`Batch`](crate::Batch), of
    /// items in one nested document, and of entries without bytes in all groups of one message.
    pub max_items: u32,
    /// The deepest nesting, in levels. A value above [`DEPTH_LEVELS_MAX`] acts as [`DEPTH_LEVELS_MAX`].
    pub max_depth: u16,
}

impl Limits {
    /// Market data: 64 KiB hold a book snapshot of some thousand levels.
    pub const FEED: Self = Self {
        max_msg: 64 * 1024,
        max_items: 4096,
        max_depth: 8,
    };
    /// Small devices and their gateways: messages of 4 KiB.
    pub const DEVICE: Self = Self {
        max_msg: 4 * 1024,
        max_items: 512,
        max_depth: 4,
    };
    /// Files, snapshots and replies of a trusted service: messages of 16 MiB.
    pub const BULK: Self = Self {
        max_msg: 16 * 1024 * 1024,
        max_items: 1 << 20,
        max_depth: 32,
    };

    /// Refuses a message longer than `max_msg`.
    ///
    /// # Errors
    /// [`DecodeError::Limit`] at offset 0.
    #[inline]
    pub const fn check_msg(&self, len: usize) -> Result<(), DecodeError> {
        if len as u64 > self.max_msg as u64 {
            return Err(DecodeError::limit(
                0,
                "message bytes",
                len as u64,
                self.max_msg as u64,
            ));
        }
        Ok(())
    }

    /// Refuses more than `max_items` entries; `at` is the offset of the count.
    ///
    /// # Errors
    /// [`DecodeError::Limit`].
    #[inline]
    pub const fn check_items(&self, at: usize, count: u64) -> Result<(), DecodeError> {
        if count > self.max_items as u64 {
            return Err(DecodeError::limit(
                at,
                "items",
                count,
                self.max_items as u64,
            ));
        }
        Ok(())
    }

    /// Checks a repeating group before a reader touches its entries: `count` against `max_items`, then
    /// `count * entry_len` against `have`. `at` is the offset of the first entry, and `have` is the number
    /// of bytes from there to the end of the message. Returns the length of the group in bytes.
    ///
    /// # Errors
    /// [`DecodeError::Limit`] or [`DecodeError::Short`].
    #[inline]
    pub const fn check_group(
        &self,
        at: usize,
        count: u32,
        entry_len: u32,
        have: usize,
    ) -> Result<usize, DecodeError> {
        if let Err(error) = self.check_items(at, count as u64) {
            return Err(error);
        }
        // u32 * u32 cannot overflow u64.
        let need = count as u64 * entry_len as u64;
        if need > have as u64 {
            return Err(DecodeError::Short {
                at: crate::error::offset(at),
                need,
                have: have as u64,
            });
        }
        Ok(need as usize)
    }

    /// Refuses nesting deeper than `max_depth`; `depth` includes the level that begins at `at`.
    ///
    /// # Errors
    /// [`DecodeError::Depth`].
    #[inline]
    pub const fn check_depth(&self, at: usize, depth: u32) -> Result<(), DecodeError> {
        let max = if self.max_depth > DEPTH_LEVELS_MAX {
            DEPTH_LEVELS_MAX
        } else {
            self.max_depth
        };
        if depth > max as u32 {
            return Err(DecodeError::Depth {
                at: crate::error::offset(at),
                max,
            });
        }
        Ok(())
    }
}
