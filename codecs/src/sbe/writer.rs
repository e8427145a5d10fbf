//! Writing from front to back into the send buffer.

use zerocopy::{Immutable, IntoBytes};

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
    /// [`EncodeError::Room`], [`EncodeError::Range`].
    #[inline]
    pub fn rows<D: Dimension, E: IntoBytes + Immutable>(
        &mut self,
        entries: &[E],
        block_length: u32,
    ) -> Result<(), EncodeError> {
        self.value(&D::new(block_length, entries.len())?)?;
        if block_length as usize == size_of::<E>() {
            return self.bytes(entries.as_bytes());
        }
        entries
            .iter()
            .try_for_each(|entry| self.block(entry, block_length))
    }

    /// A group of builders.
    ///
    /// # Errors
    /// [`EncodeError::Room`], [`EncodeError::Range`].
    #[inline]
    pub fn group<D: Dimension, B: Put>(
        &mut self,
        entries: &[B],
        block_length: u32,
    ) -> Result<(), EncodeError> {
        self.value(&D::new(block_length, entries.len())?)?;
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

/// What a message's header says, beside its version.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// Bytes of the root block.
    pub block_length: u32,
    /// Which message it is.
    pub template_id: u32,
    /// Which schema it is of.
    pub schema_id: u32,
    /// The version of the schema it is written by.
    pub version: u32,
}

/// Length of a message with its header.
#[inline]
#[must_use]
pub fn message_len<H: Header>(body: &impl Put) -> usize {
    size_of::<H>().saturating_add(body.wire_len())
}

/// Writes a message with its header and gives its length.
///
/// # Errors
/// [`EncodeError::Room`], [`EncodeError::Range`].
#[inline]
pub fn write_message<H: Header>(
    out: &mut [u8],
    body: &impl Put,
    stamp: Stamp,
) -> Result<usize, EncodeError> {
    let mut writer = Writer::new(out, message_len::<H>(body))?;
    writer.value(&H::new(
        stamp.block_length,
        stamp.template_id,
        stamp.schema_id,
        stamp.version,
    ))?;
    body.put(&mut writer)?;
    Ok(writer.written())
}
