//! Writing from front to back into the send buffer.

use zerocopy::{Immutable, IntoBytes};

use super::first::Template;
use super::wire::{Dimension, Header, Length, range};
use crate::EncodeError;

/// The part of the send buffer not yet written.
#[derive(Debug)]
pub struct Writer<'o> {
    rest: &'o mut [u8],
    len: usize,
}

/// Something with a wire form: builders of messages and of group entries.
pub trait Put {
    /// Exact length in bytes.
    fn wire_len(&self) -> usize;

    /// Writes it.
    ///
    /// # Errors
    /// [`EncodeError::Room`], or [`EncodeError::Range`] for counts and lengths over their wire width.
    fn put(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError>;
}

/// Bytes of a group of wire structs with their dimension.
#[inline]
#[must_use]
pub fn rows_len<D: Dimension, E: IntoBytes + Immutable>(entries: &[E], block_length: u32) -> usize {
    size_of::<D>().saturating_add(entries.len().saturating_mul(block_length as usize))
}

/// Bytes of a group of builders with their dimension.
#[inline]
#[must_use]
pub fn group_len<D: Dimension, B: Put>(entries: &[B]) -> usize {
    entries.iter().fold(size_of::<D>(), |sum, entry| {
        sum.saturating_add(entry.wire_len())
    })
}

/// Bytes of variable data with its length.
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

    /// Bytes as they are.
    ///
    /// # Errors
    /// [`EncodeError::Room`].
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.claim(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// A wire struct.
    ///
    /// # Errors
    /// [`EncodeError::Room`].
    #[inline]
    pub fn value<T: IntoBytes + Immutable>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.bytes(value.as_bytes())
    }

    /// A block: a wire struct, then zeros up to the block length.
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

    /// Zeros: a block of which no field is known.
    ///
    /// # Errors
    /// [`EncodeError::Room`].
    #[inline]
    pub fn zeros(&mut self, len: usize) -> Result<(), EncodeError> {
        self.claim(len)?.fill(0);
        Ok(())
    }

    /// A group of wire structs.
    ///
    /// # Errors
    /// [`EncodeError::Room`], those of [`Dimension::new`].
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

    /// A group of builders.
    ///
    /// # Errors
    /// [`EncodeError::Room`], those of [`Dimension::new`] and of the entries.
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

/// What a header or dimension says of the block behind it and of what follows the block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Bytes of the block.
    pub block_length: u32,
    /// Groups behind the block, at its own level: `numGroups`.
    pub groups: u32,
    /// Variable data behind the groups, at the block's own level: `numVarDataFields`.
    pub data: u32,
}

impl Shape {
    /// From its parts.
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

/// What a message's header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// The root block and what follows it.
    pub shape: Shape,
    /// Which message it is.
    pub template_id: u32,
    /// Which schema it is of.
    pub schema_id: u32,
    /// The version of the schema it is written by.
    pub version: u32,
}

/// A group before whose entries stand values that only the caller knows: a builder has its entries
/// and those values. An empty one has them too, since what stands before the entries is always there.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct GroupOf<'b, E, M> {
    /// Values of what stands before the entries.
    pub dimension: M,
    /// The entries.
    pub entries: &'b [E],
}

impl<E, M: Default> Default for GroupOf<'_, E, M> {
    /// No entries, and no value set.
    fn default() -> Self {
        Self {
            dimension: M::default(),
            entries: &[],
        }
    }
}

/// Length of a message with its header.
#[inline]
#[must_use]
pub fn message_len<C: Template>(body: &impl Put) -> usize {
    size_of::<C::Header>().saturating_add(body.wire_len())
}

/// Writes a message with its header and gives its length. `own` are the members of the header that the
/// caller gives.
///
/// # Errors
/// [`EncodeError::Room`], [`EncodeError::Range`], those of [`Header::new`].
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

/// A member of a header or dimension that only the caller knows.
///
/// # Errors
/// [`EncodeError::Missing`].
#[inline]
pub fn given<T>(value: Option<T>, what: &'static str) -> Result<T, EncodeError> {
    value.ok_or(EncodeError::Missing { what })
}

/// Sets an optional field: none is its null value, and a value that is the null value is refused.
/// `wire` gives a value's wire form, or `None` for the null value.
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
