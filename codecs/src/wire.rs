//! Fixed layouts of the application: the trait behind `#[derive(Wire)]`.

use crate::{
    Chars, Code, DecimalLe, FixedLe, Known, ToJson, U48Be, U48Le,
    json::Object,
    offer::{fingerprint, mix},
};
use core::fmt;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A type of fixed layout and alignment 1 that can be a field of a message, or a message.
///
/// `#[derive(Wire)]` implements the trait for a struct. The fields are integers and floats of
/// [`le`](crate::le) and [`be`](crate::be), `u8`, `i8`, arrays, types of this crate, and other structs
/// that derive `Wire`.
///
/// ```
/// use tickwire_codecs::zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};
/// use tickwire_codecs::{Codec, Encode, FixedLe, Limits, Offer, Wire, le};
/// #[derive(Wire, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
/// #[wire(id = 7, version = 1)]
/// #[repr(C)]
/// struct Quote { instrument: le::U32, bid: FixedLe<-4>, ask: FixedLe<-4> }
///
/// let quote = Quote { instrument: 5.into(), bid: FixedLe::new(1_0001), ask: FixedLe::new(1_0002) };
/// let mut wire = [0; 20];
/// assert_eq!(quote.encode(&mut wire)?, 20);
/// let view = Quote::view(&wire, &Limits::FEED)?;
/// assert_eq!(view.ask.decimal().to_string(), "1.0002");
/// let offer = Offer::of::<Quote>(Limits::FEED).fingerprint(<Quote as Wire>::FINGERPRINT);
/// # assert_ne!(offer.fingerprint, 0);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a fixed wire layout",
    label = "this type has no fixed layout of alignment 1",
    note = "use u8, i8, [T; N], an integer or float of tickwire_codecs::le or ::be, Chars<N>, Code<E>, \
            DecimalLe, FixedLe<E>, U48Le or U48Be, or a struct that derives Wire"
)]
pub trait Wire:
    FromBytes + IntoBytes + KnownLayout + Immutable + Unaligned + ToJson + Sized + 'static
{
    /// A hash of the layout: names, order and types of all fields, including the fields of nested structs.
    /// Two ends with the same fingerprint have the same layout.
    const FINGERPRINT: u64;

    /// Writes the value as a member of a JSON object. For `#[derive(Wire)]`.
    #[doc(hidden)]
    fn member(&self, name: &str, object: &mut Object<'_>) -> fmt::Result {
        object.field(name, self)?;
        Ok(())
    }
}

/// The fingerprint of a struct, from the names and fingerprints of its fields in order. For
/// `#[derive(Wire)]`.
#[must_use]
pub const fn layout_fingerprint(fields: &[(&str, u64)]) -> u64 {
    let mut hash = fingerprint(b"struct");
    let mut rest = fields;
    while let [(name, field), tail @ ..] = rest {
        hash = mix(hash, name.as_bytes());
        hash = mix(hash, b":");
        hash = mix(hash, &field.to_le_bytes());
        rest = tail;
    }
    if hash == 0 { 1 } else { hash }
}

/// A hash of a kind of field and one number.
const fn kind(name: &str, number: u64) -> u64 {
    mix(fingerprint(name.as_bytes()), &number.to_le_bytes())
}

macro_rules! leaves {
    ($($t:ty = $name:literal,)+) => {$(
        impl Wire for $t {
            const FINGERPRINT: u64 = fingerprint($name.as_bytes());
        }
    )+};
}

leaves! {
    u8 = "u8", i8 = "i8",
    crate::le::U16 = "le u16", crate::le::U32 = "le u32", crate::le::U64 = "le u64",
    crate::le::I16 = "le i16", crate::le::I32 = "le i32", crate::le::I64 = "le i64",
    crate::le::F32 = "le f32", crate::le::F64 = "le f64",
    crate::be::U16 = "be u16", crate::be::U32 = "be u32", crate::be::U64 = "be u64",
    crate::be::I16 = "be i16", crate::be::I32 = "be i32", crate::be::I64 = "be i64",
    crate::be::F32 = "be f32", crate::be::F64 = "be f64",
    U48Le = "le u48", U48Be = "be u48", DecimalLe = "le decimal",
}

impl<const N: usize> Wire for Chars<N> {
    const FINGERPRINT: u64 = kind("chars", N as u64);
}

impl<const E: i8> Wire for FixedLe<E> {
    const FINGERPRINT: u64 = kind("le fixed", E as u64);
}

impl<E: Known> Wire for Code<E> {
    const FINGERPRINT: u64 = fingerprint(b"code");
}

impl<T: Wire, const N: usize> Wire for [T; N] {
    const FINGERPRINT: u64 = mix(kind("array", N as u64), &T::FINGERPRINT.to_le_bytes());
}
