//! The parts whose layout a schema chooses, as traits that generated structs implement.

use super::skip::Counts;
use super::writer::{Shape, Stamp};
use crate::{Chars, EncodeError};
use core::fmt;
use zerocopy::{
    ByteOrder, FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, U16, U32, Unaligned,
};

/// A struct that is its own wire form: alignment 1, every bit pattern valid.
pub trait Wire:
    FromBytes + IntoBytes + KnownLayout + Immutable + Unaligned + Copy + 'static
{
}

impl<T: FromBytes + IntoBytes + KnownLayout + Immutable + Unaligned + Copy + 'static> Wire for T {}

/// A message header.
///
/// Its layout is the schema's. What says how long a message is and which one it is, a writer fills in:
/// the four members below, and the numbers of groups and data where the header has them. All other
/// members are the sender's own values, [`Own`](Self::Own): a frame's length, a sequence number.
pub trait Header: Wire {
    /// The members that a caller gives; `()` if there are none.
    type Own: Copy + Default + fmt::Debug;
    /// Bytes of the root block.
    fn block_length(&self) -> u32;
    /// Which message it is.
    fn template_id(&self) -> u32;
    /// Which schema it is of.
    fn schema_id(&self) -> u32;
    /// The version of the schema the sender wrote by.
    fn version(&self) -> u32;
    /// How many groups and data the sender says that the message has.
    #[inline]
    fn counts(&self) -> Counts {
        Counts::NONE
    }
    /// A header of these values; the generator has checked that those of `stamp` fit.
    ///
    /// # Errors
    /// [`EncodeError::Missing`] for a member of `own` that is not set, [`EncodeError::Null`] for one that
    /// is given its null value.
    fn new(stamp: &Stamp, own: &Self::Own) -> Result<Self, EncodeError>;
}

/// What stands before the entries of a repeating group. Members as in [`Header`].
pub trait Dimension: Wire {
    /// The members that a caller gives; `()` if there are none.
    type Own: Copy + Default + fmt::Debug;
    /// Bytes of the block of one entry.
    fn block_length(&self) -> u32;
    /// Number of entries.
    fn num_in_group(&self) -> u32;
    /// How many groups and data the sender says that each entry has.
    #[inline]
    fn counts(&self) -> Counts {
        Counts::NONE
    }
    /// A dimension for `count` entries; the generator has checked that the numbers of `shape` fit.
    ///
    /// # Errors
    /// [`EncodeError::Range`] if `count` does not fit the wire's width, and those of [`Header::new`].
    fn new(shape: &Shape, count: usize, own: &Self::Own) -> Result<Self, EncodeError>;
}

/// The length before variable data: `u8`, or 16 and 32 bits of either byte order.
pub trait Length: Wire {
    /// The length in bytes.
    fn bytes(self) -> usize;
    /// The wire form of `length`, if it fits.
    fn from_bytes(length: usize) -> Option<Self>;
}

impl Length for u8 {
    #[inline]
    fn bytes(self) -> usize {
        usize::from(self)
    }

    #[inline]
    fn from_bytes(length: usize) -> Option<Self> {
        Self::try_from(length).ok()
    }
}

impl<O: ByteOrder + 'static> Length for U16<O> {
    #[inline]
    fn bytes(self) -> usize {
        usize::from(self.get())
    }

    #[inline]
    fn from_bytes(length: usize) -> Option<Self> {
        u16::try_from(length).ok().map(Self::new)
    }
}

impl<O: ByteOrder + 'static> Length for U32<O> {
    #[inline]
    fn bytes(self) -> usize {
        // Where usize is narrower the clipped length is still longer than any slice.
        usize::try_from(self.get()).unwrap_or(usize::MAX)
    }

    #[inline]
    fn from_bytes(length: usize) -> Option<Self> {
        u32::try_from(length).ok().map(Self::new)
    }
}

/// What every generated view of a message offers beside its fields; a trait, so that no name of a
/// schema can collide with it.
pub trait View<'a>: Copy {
    /// What stands before the message.
    type Header: Header;
    /// The whole message with its header. Of a sender whose version is newer than the schema:
    /// [`Codec::view`](crate::Codec::view) takes what is behind the last known part to be the message's
    /// too, [`ViewFirst::view_first`](super::ViewFirst::view_first) does not.
    fn wire(&self) -> &'a [u8];
    /// The sender's schema version.
    fn acting_version(&self) -> u32;

    /// What stands before the message, with members of its own where the schema gives it some.
    #[inline]
    fn header(&self) -> Self::Header {
        match Self::Header::read_from_prefix(self.wire()) {
            Ok((header, _)) => header,
            Err(_) => FromZeros::new_zeroed(), // never: the view has read it
        }
    }
}

/// The field at offset `AT` of a block whose length has been checked.
#[inline]
pub fn at<T: Wire, const AT: usize, const N: usize>(block: &[u8; N]) -> T {
    const { assert!(AT + size_of::<T>() <= N, "the field ends inside its block") };
    match block.get(AT..).map(T::read_from_prefix) {
        Some(Ok((value, _))) => value,
        _ => T::new_zeroed(), // never: see the assertion
    }
}

/// As [`at`] for bytes, lent where they stand.
#[inline]
#[must_use]
pub fn bytes<const L: usize, const AT: usize, const N: usize>(block: &[u8; N]) -> &[u8; L] {
    const { assert!(AT + L <= N, "the field ends inside its block") };
    match block.get(AT..).and_then(|b| b.first_chunk()) {
        Some(bytes) => bytes,
        None => &[0; L], // never: see the assertion
    }
}

/// As [`at`] for text, lent where it stands.
#[inline]
#[must_use]
pub fn chars<const L: usize, const AT: usize, const N: usize>(block: &[u8; N]) -> &Chars<L> {
    zerocopy::transmute_ref!(bytes::<L, AT, N>(block))
}

/// A value, or `None` if it is the schema's null value.
#[inline]
pub fn some<T: PartialEq>(value: T, null: T) -> Option<T> {
    if value == null { None } else { Some(value) }
}

/// A value, or `None` if it is NaN, the null value of `float`.
#[inline]
#[must_use]
pub fn some_f32(value: f32) -> Option<f32> {
    if value.is_nan() { None } else { Some(value) }
}

/// A value, or `None` if it is NaN, the null value of `double`.
#[inline]
#[must_use]
pub fn some_f64(value: f64) -> Option<f64> {
    if value.is_nan() { None } else { Some(value) }
}

/// Text, or `None` if all of it is NUL, the null value of `char[N]`.
#[inline]
#[must_use]
pub fn some_chars<const N: usize>(value: &Chars<N>) -> Option<&Chars<N>> {
    if value.bytes().iter().all(|b| *b == 0) {
        None
    } else {
        Some(value)
    }
}

/// A composite, or `None` if its first member is null.
#[inline]
pub fn some_composite<T>(value: T, has_first: impl FnOnce(&T) -> bool) -> Option<T> {
    if has_first(&value) { Some(value) } else { None }
}

/// A field added in version `since`: `at` bytes into the part of the block behind the fields that
/// every version has. `None` if the sender's version or its block does not reach that far.
#[inline]
#[must_use]
pub fn added<T: Wire>(tail: &[u8], at: usize, version: u32, since: u32) -> Option<T> {
    added_ref::<T>(tail, at, version, since).copied()
}

/// As [`added`], lent where it stands.
#[inline]
#[must_use]
pub fn added_ref<T: Wire>(tail: &[u8], at: usize, version: u32, since: u32) -> Option<&T> {
    if version < since {
        return None;
    }
    T::ref_from_prefix(tail.get(at..)?)
        .ok()
        .map(|(value, _)| value)
}

/// The error for a value that its wire field cannot hold.
#[cold]
#[must_use]
pub fn range(what: &'static str, got: usize) -> EncodeError {
    EncodeError::Range {
        what,
        got: got as u64,
    }
}
