//! Reading from front to back, each length checked once.

use super::group::{Entry, Group, Rows};
use super::skip::Counts;
use super::text::Text;
use super::wire::{Dimension, Header, Length, Wire};
use super::writer::Stamp;
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
    /// Whether that is newer than the schema.
    pub is_newer: bool,
    /// What a newer sender says of the groups and data behind the block; nothing of all others.
    pub counts: Counts,
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

/// Reads the header and checks that the message is the one of `stamp`.
///
/// # Errors
/// [`DecodeError::Wrong`] for another template or schema, [`DecodeError::Short`].
#[inline]
pub fn open<'a, H: Header>(
    bytes: &'a [u8],
    limits: &Limits,
    stamp: &Stamp,
) -> Result<(Cursor<'a>, Scope), DecodeError> {
    let mut cursor = Cursor::new(bytes);
    let header = cursor.read::<H>()?;
    if header.schema_id() != stamp.schema_id {
        return Err(DecodeError::wrong(
            0,
            "schemaId",
            u64::from(header.schema_id()),
        ));
    }
    if header.template_id() != stamp.template_id {
        return Err(DecodeError::wrong(
            0,
            "templateId",
            u64::from(header.template_id()),
        ));
    }
    let is_newer = header.version() > stamp.version;
    let scope = Scope {
        block_length: header.block_length(),
        version: header.version(),
        is_newer,
        counts: if is_newer {
            header.counts()
        } else {
            Counts::NONE
        },
        limits: *limits,
    };
    Ok((cursor, scope))
}

/// Checks that nothing follows a message of `len` bytes, unless the sender knows a version we do not.
///
/// # Errors
/// [`DecodeError::Trailing`].
#[inline]
pub fn close(
    len: usize,
    behind: &[u8],
    version: u32,
    known_version: u32,
) -> Result<(), DecodeError> {
    if behind.is_empty() || version > known_version {
        Ok(())
    } else {
        Err(DecodeError::trailing(len, behind.len()))
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

    /// What has not been read.
    #[inline]
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// What has been read, of the `bytes` that this cursor was made for.
    #[inline]
    #[must_use]
    pub fn passed(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(..self.at()).unwrap_or_default()
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

    /// Variable text behind a length of type `L`; its bytes are not looked at.
    ///
    /// # Errors
    /// [`DecodeError::Short`].
    #[inline]
    pub fn text<L: Length>(&mut self) -> Result<Text<'a>, DecodeError> {
        self.data::<L>().map(Text::new)
    }

    /// A group whose entries are the wire struct `E`.
    ///
    /// # Errors
    /// [`DecodeError::Short`], [`DecodeError::Limit`] for more than `max_items` entries,
    /// [`DecodeError::Wrong`] for entries too short for `E`, and for those of a newer sender that have
    /// groups or data: they are no slice.
    #[inline]
    pub fn rows<D: Dimension, E: Wire>(
        &mut self,
        scope: &Scope,
        depth: u32,
    ) -> Result<Rows<'a, E, D>, DecodeError> {
        let (dimension, length) = self.dimension::<D>(scope, depth)?;
        let (block_length, count) = (dimension.block_length(), dimension.num_in_group());
        let at = self.at();
        if scope.is_newer && !dimension.counts().is_fixed() {
            return Err(DecodeError::wrong(
                at,
                "entries of groups or data that came later",
                u64::from(count),
            ));
        }
        let bytes = self.take(length)?;
        Rows::new(dimension, bytes, block_length, count)
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
    ) -> Result<Group<'a, V, D>, DecodeError> {
        let (dimension, length) = self.dimension::<D>(scope, depth)?;
        let (block_length, count) = (dimension.block_length(), dimension.num_in_group());
        let scope = Scope {
            block_length,
            counts: if scope.is_newer {
                dimension.counts()
            } else {
                Counts::NONE
            },
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
        if V::FIXED && scope.counts.is_fixed() {
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
        Ok(Group::new(Some(dimension), first, count, scope))
    }

    /// The dimension and the least number of bytes the entries take, both within bounds.
    #[inline]
    pub(super) fn dimension<D: Dimension>(
        &mut self,
        scope: &Scope,
        depth: u32,
    ) -> Result<(&'a D, usize), DecodeError> {
        let at = self.at();
        scope.limits.check_depth(at, depth)?;
        let dimension = self.read::<D>()?;
        let (block_length, count) = (dimension.block_length(), dimension.num_in_group());
        let length = scope
            .limits
            .check_group(self.at(), count, block_length, self.rest.len())?;
        Ok((dimension, length))
    }
}
