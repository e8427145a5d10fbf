//! Traits of the generated structs: headers, dimensions, lengths, views.

use super::skip::Counts;
use super::writer::{Shape, Stamp};
use crate::{Chars, EncodeError};
use core::fmt;
use zerocopy::{
    ByteOrder, FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, U16, U32, Unaligned,
};

/// A struct with its wire layout: alignment 1, every bit pattern valid.
pub trait Wire:
    FromBytes + IntoBytes + KnownLayout + Immutable + Unaligned + Copy + 'static
{
}

impl<T: FromBytes + IntoBytes + KnownLayout + Immutable + Unaligned + Copy + 'static> Wire for T {}

/// A message header.
///
/// The schema defines its layout. The writer sets the block length, the template id, the schema id, the
/// version and, if the header has them, the numbers of groups and data. The caller sets all other members
/// ([`Own`](Self::Own)), such as a frame length or a sequence number.
pub trait Header: Wire {
    /// The members that the caller sets; `()` if there are none.
    type Own: Copy + Default + fmt::Debug;
    /// The length of the root block, in bytes.
    fn block_length(&self) -> u32;
    /// The template id.
    fn template_id(&self) -> u32;
    /// The schema id.
    fn schema_id(&self) -> u32;
    /// The schema version of the sender.
    fn version(&self) -> u32;
    /// The numbers of groups and data of the message, if the header has them.
    #[inline]
    fn counts(&self) -> Counts {
        Counts::NONE
    }
    /// A header of these values. The generator has checked that the values of `stamp` fit.
    ///
    /// # Errors
    /// [`EncodeError::Missing`] for a required member of `own` that is not set, [`EncodeError::Null`] for a
    /// member with its null value.
    fn new(stamp: &Stamp, own: &Self::Own) -> Result<Self, EncodeError>;
}

/// The dimension of a repeating group: the header in front of its entries. Its members are as in [`Header`].
pub trait Dimension: Wire {
    /// The members that the caller sets; `()` if there are none.
    type Own: Copy + Default + fmt::Debug;
    /// The length of the block of one entry, in bytes.
    fn block_length(&self) -> u32;
    /// Number of entries.
    fn num_in_group(&self) -> u32;
    /// The numbers of groups and data of each entry, if the dimension has them.
    #[inline]
    fn counts(&self) -> Counts {
        Counts::NONE
    }
    /// A dimension for `count` entries. The generator has checked that the numbers of `shape` fit.
    ///
    /// # Errors
    /// [`EncodeError::Range`] if `count` does not fit its field, and the errors of [`Header::new`].
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
        // On targets with a narrower `usize` the result is still longer than every slice.
        usize::try_from(self.get()).unwrap_or(usize::MAX)
    }

    #[inline]
    fn from_bytes(length: usize) -> Option<Self> {
        u32::try_from(length).ok().map(Self::new)
    }
}

/// The functions of every generated view of a message, beside its fields. They are in a trait, so that no
/// field of a schema collides with them.
pub trait View<'a>: Copy {
    /// The message header.
    type Header: Header;
    /// The whole message with its header. If the version of the sender is newer than the schema, the bytes
    /// behind the last known part are included after [`Codec::view`](crate::Codec::view), and not included
    /// after [`ViewFirst::view_first`](super::ViewFirst::view_first).
    fn wire(&self) -> &'a [u8];
    /// The schema version of the sender.
    fn acting_version(&self) -> u32;

    /// The message header, with the additional members of the schema.
    #[inline]
    fn header(&self) -> Self::Header {
        match Self::Header::read_from_prefix(self.wire()) {
            Ok((header, _)) => header,
            Err(_) => FromZeros::new_zeroed(), // never: the view has read it
        }
    }
}

/// The field at offset `AT` of a block of `N` bytes.
#[inline]
pub fn at<T: Wire, const AT: usize, const N: usize>(block: &[u8; N]) -> T {
    const { assert!(AT + size_of::<T>() <= N, "the field ends inside its block") };
    match block.get(AT..).map(T::read_from_prefix) {
        Some(Ok((value, _))) => value,
        _ => T::new_zeroed(), // never: see the assertion
    }
}

/// The `L` bytes at offset `AT` of a block, borrowed.
#[inline]
#[must_use]
pub fn bytes<const L: usize, const AT: usize, const N: usize>(block: &[u8; N]) -> &[u8; L] {
    const { assert!(AT + L <= N, "the field ends inside its block") };
    match block.get(AT..).and_then(|b| b.first_chunk()) {
        Some(bytes) => bytes,
        None => &[0; L], // never: see the assertion
    }
}

/// The text of `L` bytes at offset `AT` of a block, borrowed.
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

/// A field that version `since` added. `tail` is the part of the block behind the fields of all versions, and
/// `at` the offset in `tail`. `None` if the version of the sender is older or its block too short.
#[inline]
#[must_use]
pub fn added<T: Wire>(tail: &[u8], at: usize, version: u32, since: u32) -> Option<T> {
    added_ref::<T>(tail, at, version, since).copied()
}

/// [`added`], borrowed.
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

/// The error of a value outside the range of its field.
#[cold]
#[must_use]
pub fn range(what: &'static str, got: usize) -> EncodeError {
    EncodeError::Range {
        what,
        got: got as u64,
    }
}
