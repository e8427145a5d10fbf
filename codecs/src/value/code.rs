//! One-byte codes that also hold unknown values, because a venue may add values.

use crate::ToJson;
use core::{fmt, marker::PhantomData};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// An enumeration with one byte per value on the wire.
pub trait Known: Copy + fmt::Debug + 'static {
    /// The value of `byte`, if it is known.
    fn from_byte(byte: u8) -> Option<Self>;
    /// The byte of the value.
    fn to_byte(self) -> u8;
}

/// A byte that is a value of `E` or an unknown value.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(transparent)]
pub struct Code<E> {
    byte: u8,
    known: PhantomData<E>,
}

impl<E: Known> Code<E> {
    /// The byte of a known value.
    #[must_use]
    pub fn new(value: E) -> Self {
        Self::raw(value.to_byte())
    }

    /// Any byte.
    #[must_use]
    pub const fn raw(byte: u8) -> Self {
        Self {
            byte,
            known: PhantomData,
        }
    }

    /// The byte on the wire.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self.byte
    }

    /// The value, if it is known.
    #[must_use]
    pub fn known(self) -> Option<E> {
        E::from_byte(self.byte)
    }
}

impl<E> Clone for Code<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Code<E> {}

impl<E> PartialEq for Code<E> {
    fn eq(&self, other: &Self) -> bool {
        self.byte == other.byte
    }
}

impl<E> Eq for Code<E> {}

impl<E: Known> From<E> for Code<E> {
    fn from(value: E) -> Self {
        Self::new(value)
    }
}

impl<E: Known> fmt::Debug for Code<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known() {
            Some(value) => value.fmt(f),
            None => write!(f, "Unknown({:#04x})", self.byte),
        }
    }
}

impl<E: Known> ToJson for Code<E> {
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        if self.byte.is_ascii_graphic() || self.byte == b' ' {
            let mut text = [0; 4];
            char::from(self.byte).encode_utf8(&mut text).to_json(out)
        } else {
            self.byte.to_json(out)
        }
    }
}
