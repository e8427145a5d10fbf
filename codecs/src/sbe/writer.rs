//! A writer that fills the send buffer from front to back.

use zerocopy::{Immutable, IntoBytes};

use super::first::Template;
use super::wire::{Dimension, Header, Length, range};
use crate::EncodeError;

/// The unwritten part of the send buffer.
#[derive(Debug)]
pub struct Writer<'o> {
    rest: &'o mut [u8],
    len: usize,
}

/// A builder of a message or of a group entry.
pub trait Put {
    /// The exact length in bytes.
    fn wire_len(&self) -> usize;

    /// Writes the message or entry.
    ///
    /// # Errors
    /// [`EncodeError::Room`]; [`EncodeError::Range`] for counts and lengths that do not fit their fields.
    fn put(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError>;
}

/// The length of a group of wire structs with its dimension, in bytes.
#[inline]
#[must_use]
pub fn rows_len<D: Dimension, E: IntoBytes + Immutable>(entries: &[E], block_length: u32) -> usize {
    size_of::<D>().saturating_add(entries.len().saturating_mul(block_length as usize))
}

/// The length of a group of builders with its dimension, in bytes.
#[inline]
#[must_use]
pub fn group_len<D: Dimension, B: Put>(entries: &[B]) -> usize {
    entries.iter().fold(size_of::<D>(), |sum, entry| {
        sum.saturating_add(entry.wire_len())
    })
}

/// The length of variable data with its length field, in bytes.
#[inline]
#[must_use]
pub const fn data_len<L: Length>(data: &[u8]) -> usize {
    size_of::<L>().saturating_add(data.len())
}

impl<'o> Writer<'o> {
    /// The first `need` bytes of `out`.
    ///
    /// # Errors
    /// [`EncodeError::Room`].
    #[inline]
    pub fn new(out: &'o mut [u8], need: usize) -> Result<Self, EncodeError> {
        let have = out.len();
        match out.get_mut(..need) {
            Some(rest) => Ok(Self { rest, len: need }),
            None => Err(EncodeError::Room { need, have }),
        }
    }

    /// Bytes written so far.
    #[inline]
    #[must_use]
    pub const fn written(&self) -> usize {
        self.len - self.rest.len()
    }

    #[inline]
    fn claim(&mut self, len: usize) -> Result<&'o mut [u8], EncodeError> {
        let need = self.written().saturating_add(len);
        match core::mem::take(&mut self.rest).split_at_mut_checked(len) {
            Some((place, rest)) => {
                self.rest = rest;
                Ok(place)
            }
            None => Err(EncodeError::Room {
                need,
                have: self.len,
            }),
        }
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// [`EncodeError::Room`].
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.claim(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// Writes a wire struct.
    ///
    /// # Errors
    /// [`EncodeError::Room`].
    #[inline]
    pub fn value<T: IntoBytes + Immutable>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.bytes(value.as_bytes())
    }

    /// Writes a block: a wire struct, then zeros up to the block length.
    ///
    /// # Errors
    /// [`EncodeError::Room`].
    #[inline]
    pub fn block<T: IntoBytes + Immutable>(
        &mut self,
        value: &T,
        block_length: u32,
    ) -> Result<(), EncodeError> {
        self.value(value)?;
        self.zeros((block_length as usize).saturating_sub(size_of::<T>()))
    }

    /// Writes a block of zeros.
    ///
    /// # Errors
    /// [`EncodeError::Room`].
    #[inline]
    pub fn zeros(&mut self, len: usize) -> Result<(), EncodeError> {
        self.claim(len)?.fill(0);
        Ok(())
    }

    /// Writes a group of wire structs.
    ///
    /// # Errors
    /// [`EncodeError::Room`], and the errors of [`Dimension::new`].
    #[inline]
    pub fn rows<D: Dimension, E: IntoBytes + Immutable>(
        &mut self,
        entries: &[E],
        shape: Shape,
        own: &D::Own,
    ) -> Result<(), EncodeError> {
        self.value(&D::new(&shape, entries.len(), own)?)?;
        if shape.block_length as usize == size_of::<E>() {
            return self.bytes(entries.as_bytes());
        }
        entries
            .iter()
            .try_for_each(|entry| self.block(entry, shape.block_length))
    }

    /// Writes a group of builders.
    ///
    /// # Errors
    /// [`EncodeError::Room`], and the errors of [`Dimension::new`] and of the entries.
    #[inline]
    pub fn group<D: Dimension, B: Put>(
        &mut self,
        entries: &[B],
        shape: Shape,
        own: &D::Own,
    ) -> Result<(), EncodeError> {
        self.value(&D::new(&shape, entries.len(), own)?)?;
        entries.iter().try_for_each(|entry| entry.put(self))
    }

    /// Variable data behind a length of type `L`.
    ///
    /// # Errors
    /// [`EncodeError::Room`], [`EncodeError::Range`].
    #[inline]
    pub fn data<L: Length>(&mut self, data: &[u8]) -> Result<(), EncodeError> {
        let length =
            L::from_bytes(data.len()).ok_or_else(|| range("variable data bytes", data.len()))?;
        self.value(&length)?;
        self.bytes(data)
    }
}

/// The block behind a header or dimension, and the numbers of groups and data behind the block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// The length of the block, in bytes.
    pub block_length: u32,
    /// The number of groups behind the block, without nested groups: `numGroups`.
    pub groups: u32,
    /// The number of variable data fields behind the groups, without those of entries: `numVarDataFields`.
    pub data: u32,
}

impl Shape {
    /// A shape of these parts.
    #[inline]
    #[must_use]
    pub const fn new(block_length: u32, groups: u32, data: u32) -> Self {
        Self {
            block_length,
            groups,
            data,
        }
    }
}

/// The values of a message header that the schema determines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// The root block, and the groups and data behind it.
    pub shape: Shape,
    /// The template id.
    pub template_id: u32,
    /// The schema id.
    pub schema_id: u32,
    /// The schema version.
    pub version: u32,
}

/// A group with additional members in its dimension, in a builder. An empty group has a dimension too, so it
/// needs the members as well.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct GroupOf<'b, E, M> {
    /// The members of the dimension that the caller sets.
    pub dimension: M,
    /// The entries.
    pub entries: &'b [E],
}

impl<E, M: Default> Default for GroupOf<'_, E, M> {
    /// A group without entries and with all members unset.
    fn default() -> Self {
        Self {
            dimension: M::default(),
            entries: &[],
        }
    }
}

/// The length of a message with its header, in bytes.
#[inline]
#[must_use]
pub fn message_len<C: Template>(body: &impl Put) -> usize {
    size_of::<C::Header>().saturating_add(body.wire_len())
}

/// Writes a message with its header and returns its length. `own` are the members of the header that the
/// caller sets.
///
/// # Errors
/// [`EncodeError::Room`], [`EncodeError::Range`], and the errors of [`Header::new`].
#[inline]
pub fn write_message<C: Template>(
    out: &mut [u8],
    body: &impl Put,
    own: &<C::Header as Header>::Own,
) -> Result<usize, EncodeError> {
    let mut writer = Writer::new(out, message_len::<C>(body))?;
    writer.value(&C::Header::new(&C::STAMP, own)?)?;
    body.put(&mut writer)?;
    Ok(writer.written())
}

/// A required member of a header or dimension that the caller sets.
///
/// # Errors
/// [`EncodeError::Missing`].
#[inline]
pub fn given<T>(value: Option<T>, what: &'static str) -> Result<T, EncodeError> {
    value.ok_or(EncodeError::Missing { what })
}

/// Sets an optional field. `None` writes the null value, and a value equal to the null value is an error.
/// `wire` converts a value to its wire form, and returns `None` for the null value.
///
/// # Errors
/// [`EncodeError::Null`].
#[inline]
pub fn set<W, T>(
    place: &mut W,
    value: Option<T>,
    null: W,
    what: &'static str,
    wire: impl FnOnce(T) -> Option<W>,
) -> Result<(), EncodeError> {
    *place = match value {
        None => null,
        Some(value) => wire(value).ok_or(EncodeError::Null { what })?,
    };
    Ok(())
}
