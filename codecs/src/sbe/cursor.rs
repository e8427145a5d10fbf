//! Reading from front to back, each length checked once.

use super::group::{Entry, Group, Rows};
use super::wire::{Dimension, Header, Length, Wire};
use crate::{DecodeError, Limits};

/// What is left of a message, and where in it we are.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
    /// Length of the whole message; `len - rest.len()` is the offset errors speak of.
    len: usize,
    /// Entries so far that took no byte, which the message's length does not bound.
    hollow: u32,
}

/// What the parts of a message are read under.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Bytes of the block at hand, by the wire's word.
    pub block_length: u32,
    /// The sender's schema version.
    pub version: u32,
    /// The bounds the caller set.
    pub limits: Limits,
}

/// Reads the header alone, to find out which message it is.
///
/// # Errors
/// [`DecodeError::Short`].
#[inline]
pub fn peek<H: Header>(bytes: &[u8]) -> Result<&H, DecodeError> {
    Cursor::new(bytes).read()
}

/// Reads the header and checks that the message is the one wanted.
///
/// # Errors
/// [`DecodeError::Limit`] for a message over `max_msg`, [`DecodeError::Wrong`] for another template
/// or schema, [`DecodeError::Short`].
#[inline]
pub fn open<'a, H: Header>(
    bytes: &'a [u8],
    limits: &Limits,
    schema_id: u32,
    template_id: u32,
) -> Result<(Cursor<'a>, Scope), DecodeError> {
    limits.check_msg(bytes.len())?;
    let mut cursor = Cursor::new(bytes);
    let header = cursor.read::<H>()?;
    if header.schema_id() != schema_id {
        return Err(DecodeError::wrong(
            0,
            "schemaId",
            u64::from(header.schema_id()),
        ));
    }
    if header.template_id() != template_id {
        return Err(DecodeError::wrong(
            0,
            "templateId",
            u64::from(header.template_id()),
        ));
    }
    let scope = Scope {
        block_length: header.block_length(),
        version: header.version(),
        limits: *limits,
    };
    Ok((cursor, scope))
}

/// Checks that nothing follows the last known part, unless the sender knows a version we do not.
///
/// # Errors
/// [`DecodeError::Trailing`].
#[inline]
pub fn close(cursor: &Cursor<'_>, version: u32, known_version: u32) -> Result<(), DecodeError> {
    if cursor.rest.is_empty() || version > known_version {
        Ok(())
    } else {
        Err(DecodeError::trailing(cursor.at(), cursor.rest.len()))
    }
}

impl<'a> Cursor<'a> {
    /// At the start of a message.
    #[inline]
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            len: bytes.len(),
            hollow: 0,
        }
    }

    /// Offset in the message.
    #[inline]
    #[must_use]
    pub const fn at(&self) -> usize {
        self.len - self.rest.len()
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Short`].
    #[inline]
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(DecodeError::short(self.at(), len, self.rest.len())),
        }
    }

    /// The next bytes as a `T`.
    ///
    /// # Errors
    /// [`DecodeError::Short`].
    #[inline]
    pub fn read<T: Wire>(&mut self) -> Result<&'a T, DecodeError> {
        match T::ref_from_prefix(self.rest) {
            Ok((value, rest)) => {
                self.rest = rest;
                Ok(value)
            }
            Err(_) => Err(DecodeError::short(
                self.at(),
                size_of::<T>(),
                self.rest.len(),
            )),
        }
    }

    /// A block of the wire's length: the `N` bytes of fields that every version has, and the rest.
    ///
    /// # Errors
    /// [`DecodeError::Short`], or [`DecodeError::Wrong`] for a block of less than `N` bytes.
    #[inline]
    pub fn block<const N: usize>(
        &mut self,
        block_length: u32,
    ) -> Result<(&'a [u8; N], &'a [u8]), DecodeError> {
        let at = self.at();
        let block = self.take(block_length as usize)?;
        block
            .split_first_chunk()
            .ok_or_else(|| DecodeError::wrong(at, "blockLength", u64::from(block_length)))
    }

    /// Variable data behind a length of type `L`.
    ///
    /// # Errors
    /// [`DecodeError::Short`].
    #[inline]
    pub fn data<L: Length>(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.read::<L>()?.bytes();
        self.take(length)
    }

    /// Variable text behind a length of type `L`.
    ///
    /// # Errors
    /// [`DecodeError::Short`], [`DecodeError::Utf8`] at the first bad byte.
    #[inline]
    pub fn text<L: Length>(&mut self) -> Result<&'a str, DecodeError> {
        let bytes = self.data::<L>()?;
        match core::str::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(e) => Err(DecodeError::Utf8 {
                at: crate::error::offset(self.at() - bytes.len() + e.valid_up_to()),
            }),
        }
    }

    /// A group whose entries are the wire struct `E`.
    ///
    /// # Errors
    /// [`DecodeError::Short`], [`DecodeError::Limit`] for more than `max_items` entries,
    /// [`DecodeError::Wrong`] for entries too short for `E`.
    #[inline]
    pub fn rows<D: Dimension, E: Wire>(
        &mut self,
        scope: &Scope,
        depth: u32,
    ) -> Result<Rows<'a, E>, DecodeError> {
        let (block_length, count, length) = self.dimension::<D>(scope, depth)?;
        let at = self.at();
        let bytes = self.take(length)?;
        Rows::new(bytes, block_length, count)
            .ok_or_else(|| DecodeError::wrong(at, "blockLength", u64::from(block_length)))
    }

    /// A group whose entries are read one by one, because they have parts of variable size or
    /// fields that came later. All entries are checked here.
    ///
    /// Where one entry takes no byte none of its group does. Such entries count against `max_items`
    /// with those of all groups before them.
    ///
    /// # Errors
    /// As [`rows`](Self::rows), and whatever an entry's parts report.
    #[inline]
    pub fn group<D: Dimension, V: Entry<'a>>(
        &mut self,
        scope: &Scope,
        depth: u32,
    ) -> Result<Group<'a, V>, DecodeError> {
        let (block_length, count, length) = self.dimension::<D>(scope, depth)?;
        let scope = Scope {
            block_length,
            ..*scope
        };
        if count > 0 && (block_length as usize) < V::BLOCK_BYTES_MIN {
            return Err(DecodeError::wrong(
                self.at(),
                "blockLength",
                u64::from(block_length),
            ));
        }
        let first = *self;
        if V::FIXED {
            self.take(length)?;
        } else {
            for _ in 0..count {
                let left = self.rest.len();
                V::read(self, &scope)?;
                if self.rest.len() == left {
                    // Nothing was read, so all entries are read as this one was.
                    break;
                }
            }
        }
        if self.rest.len() == first.rest.len() {
            self.hollow = self.hollow.saturating_add(count);
            scope.limits.check_items(self.at(), self.hollow.into())?;
        }
        Ok(Group::new(first, count, scope))
    }

    /// Block length, count and the least number of bytes the entries take, all within bounds.
    #[inline]
    fn dimension<D: Dimension>(
        &mut self,
        scope: &Scope,
        depth: u32,
    ) -> Result<(u32, u32, usize), DecodeError> {
        let at = self.at();
        scope.limits.check_depth(at, depth)?;
        let dimension = self.read::<D>()?;
        let (block_length, count) = (dimension.block_length(), dimension.num_in_group());
        let length = scope
            .limits
            .check_group(self.at(), count, block_length, self.rest.len())?;
        Ok((block_length, count, length))
    }
}
