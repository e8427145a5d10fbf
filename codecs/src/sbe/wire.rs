//! The parts whose layout a schema chooses, as traits that generated structs implement.

use crate::{Chars, EncodeError};
use zerocopy::{ByteOrder, FromBytes, Immutable, IntoBytes, KnownLayout, U16, U32, Unaligned};

/// A struct that is its own wire form: alignment 1, every bit pattern valid.
pub trait Wire:
    FromBytes + IntoBytes + KnownLayout + Immutable + Unaligned + Copy + 'static
{
}

impl<T: FromBytes + IntoBytes + KnownLayout + Immutable + Unaligned + Copy + 'static> Wire for T {}

/// A message header.
pub trait Header: Wire {
    /// Bytes of the root block.
    fn block_length(&self) -> u32;
    /// Which message it is.
    fn template_id(&self) -> u32;
    /// Which schema it is of.
    fn schema_id(&self) -> u32;
    /// The version of the schema the sender wrote by.
    fn version(&self) -> u32;
    /// A header of these values; the generator has checked that they fit.
    fn new(block_length: u32, template_id: u32, schema_id: u32, version: u32) -> Self;
}

/// What stands before the entries of a repeating group.
pub trait Dimension: Wire {
    /// Bytes of the block of one entry.
    fn block_length(&self) -> u32;
    /// Number of entries.
    fn num_in_group(&self) -> u32;
    /// A dimension for `count` entries; `block_length` has been checked by the generator.
    ///
    /// # Errors
    /// [`EncodeError::Range`] where `count` does not fit the wire's width.
    fn new(block_length: u32, count: usize) -> Result<Self, EncodeError>;
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
    /// The whole message with its header.
    fn wire(&self) -> &'a [u8];
    /// The sender's schema version.
    fn acting_version(&self) -> u32;
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

/// A value, or `None` where it is the schema's null value.
#[inline]
pub fn some<T: PartialEq>(value: T, null: T) -> Option<T> {
    if value == null { None } else { Some(value) }
}

/// A value, or `None` where it is NaN, the null value of `float`.
#[inline]
#[must_use]
pub fn some_f32(value: f32) -> Option<f32> {
    if value.is_nan() { None } else { Some(value) }
}

/// A value, or `None` where it is NaN, the null value of `double`.
#[inline]
#[must_use]
pub fn some_f64(value: f64) -> Option<f64> {
    if value.is_nan() { None } else { Some(value) }
}

/// Text, or `None` where all of it is NUL, the null value of `char[N]`.
#[inline]
#[must_use]
pub fn some_chars<const N: usize>(value: &Chars<N>) -> Option<&Chars<N>> {
    if value.bytes().iter().all(|b| *b == 0) {
        None
    } else {
        Some(value)
    }
}

/// A composite, or `None` where its first member is null.
#[inline]
pub fn some_composite<T>(value: T, has_first: impl FnOnce(&T) -> bool) -> Option<T> {
    if has_first(&value) { Some(value) } else { None }
}

/// A field added in version `since`: `at` bytes into the part of the block behind the fields that
/// every version has. `None` where the sender's version or its block does not reach that far.
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
