//! A cursor that reads a message from front to back and checks each length once.

use super::group::{Entry, Group, Rows};
use super::skip::Counts;
use super::text::Text;
use super::wire::{Dimension, Header, Length, Wire};
use super::writer::Stamp;
use crate::{DecodeError, Limits};

/// The unread part of a message, and its offset.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
    /// Length of the whole message; `len - rest.len()` is the offset for errors.
    len: usize,
    /// Entries without bytes so far. The length of the message does not bound their number.
    hollow: u32,
}

/// The context of the parts of a message.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// The length of the current block on the wire, in bytes.
    pub block_length: u32,
    /// The schema version of the sender.
    pub version: u32,
    /// Whether that version is newer than the schema.
    pub is_newer: bool,
    /// The counts of groups and data behind the block, from a newer sender; [`Counts::NONE`] otherwise.
    pub counts: Counts,
    /// The limits of the caller.
    pub limits: Limits,
}

/// Reads the header alone, to find the template.
///
/// # Errors
/// [`DecodeError::Short`].
#[inline]
pub fn peek<H: Header>(bytes: &[u8]) -> Result<&H, DecodeError> {
    Cursor::new(bytes).read()
}

/// Reads the header and checks that its template and schema are those of `stamp`.
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

/// Checks that no bytes follow a message of `len` bytes, unless the sender has a newer version.
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

    /// The unread bytes.
    #[inline]
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The bytes read so far; `bytes` is the whole message.
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

    /// A block: the `N` bytes of the fields of all versions, and the rest of the block.
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

    /// Variable text behind a length of type `L`. The call does not check its characters.
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
    /// [`DecodeError::Wrong`] for entries too short for `E`, and for entries of a newer sender with groups or
    /// data: such entries are not a slice.
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

    /// A group with entries of variable size, or with fields that a later version added. The call checks all
    /// entries.
    ///
    /// If one entry has no bytes, no entry of the group has. Such entries count against `max_items`, together
    /// with those of all groups before them.
    ///
    /// # Errors
    /// The errors of [`rows`](Self::rows) and of the parts of an entry.
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
                    // The entry has no bytes, so the other entries read the same.
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

    /// The dimension and the least length of the entries in bytes, both within the limits.
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
