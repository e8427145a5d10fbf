//! `#[derive(Wire)]`: a fixed wire layout from a struct. The crate `tickwire-codecs` re-exports the macro and
//! documents the trait.
//!
//! The struct is `#[repr(C)]`, has named fields of alignment 1, and also derives zerocopy's
//! `FromBytes`, `IntoBytes`, `KnownLayout`, `Immutable` and `Unaligned`. With
//! `#[wire(id = 7, version = 1)]` it is a message with a `Codec` and an `Encode`; without, it is a
//! part of messages.
#![forbid(unsafe_code)]

mod expand;
mod fields;

/// Implements `tickwire_codecs::Wire` and `ToJson`, and with `#[wire(id = .., version = ..)]` also
/// `Codec` and `Encode`. `id` (u16) is the number of the message in the application. `version` (u16,
/// by default 0) is the version of its layout.
#[proc_macro_derive(Wire, attributes(wire))]
pub fn derive_wire(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    match expand::expand(input.into()) {
        Ok(tokens) => tokens.into(),
        Err(error) => error.into_compile_error().into(),
    }
}
