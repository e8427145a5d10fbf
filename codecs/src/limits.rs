//! What a decoder may be asked to accept.

use crate::DecodeError;

/// The largest nesting any reader of this crate follows, in levels. Readers of nested formats keep
/// one counter per level on the stack; 64 levels are 512 bytes.
pub const DEPTH_LEVELS_MAX: u16 = 64;

/// Bounds a decoder holds its input to. Every decoding call takes one; there is no default, so a
/// limit cannot be left out by accident.
///
/// ```
/// use tickwire_codecs::{DecodeError, Limits};
/// let limits = Limits { max_msg: 64, ..Limits::FEED };
/// assert!(limits.check_msg(64).is_ok());
/// assert!(matches!(limits.check_msg(65), Err(DecodeError::Limit { got: 65, max: 64, .. })));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Longest message, in bytes on the wire.
    pub max_msg: u32,
    /// Most entries: of one group or array, of all groups of one message where they take no byte, of
    /// all items in one nested document, and of messages in one [`Batch`](crate::Batch).
    pub max_items: u32,
    /// Deepest nesting, in levels; never above [`DEPTH_LEVELS_MAX`].
    pub max_depth: u16,
}

impl Limits {
    /// Market data: one book snapshot of some thousand levels fits, a runaway message does not.
    pub const FEED: Self = Self {
        max_msg: 64 * 1024,
        max_items: 4096,
        max_depth: 8,
    };
    /// Small devices and their gateways.
    pub const DEVICE: Self = Self {
        max_msg: 4 * 1024,
        max_items: 512,
        max_depth: 4,
    };
    /// Files, snapshots and replies of a trusted service.
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

    /// Checks a repeating group before anything in it is touched: the count against `max_items`,
    /// then `count * entry_len` against what is left. `at` is the offset of the first entry and
    /// `have` the bytes from there to the end of the message. Gives the group's length in bytes.
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

    /// Refuses nesting deeper than `max_depth`; `depth` counts the level being entered.
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
