use tickwire_codecs::{Wire, zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned}};

#[derive(Wire, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Quote {
    when: Custom,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Custom(u8);

fn main() {}
