//! `derive(Wire)`: layouts, fingerprints, and compile errors of wrong uses.

use crate::common::{json, refuses_other_lengths, torture};
use tickwire_codecs::{
    Chars, Code, Codec, Decimal, DecimalLe, FixedLe, Limits, Offer, U48Le, Wire, WireId, be,
    family,
    itch::Side,
    le, negotiate,
    zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned},
};

#[derive(Wire, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
struct Level {
    price: FixedLe<-8>,
    size: le::U32,
}

#[derive(Wire, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[wire(id = 12, version = 2)]
#[repr(C)]
struct Book {
    symbol: Chars<8>,
    side: Code<Side>,
    time: U48Le,
    sequence: be::U16,
    last: DecimalLe,
    levels: [Level; 2],
    flags: u8,
}

fn book() -> Book {
    let level = |price, size: u32| Level {
        price: FixedLe::new(price),
        size: size.into(),
    };
    Book {
        symbol: Chars::spaced("ETHUSDT").unwrap(),
        side: Side::Buy.into(),
        time: U48Le::new(0x0605_0403_0201).unwrap(),
        sequence: 0x0102.into(),
        last: Decimal::new(-15, -1).into(),
        levels: [level(1, 2), level(3, 4)],
        flags: 0xff,
    }
}

#[test]
fn a_struct_lies_on_the_wire_as_it_is_written() {
    let wire = crate::common::encode::<Book>(&book());
    let mut want = b"ETHUSDT B\x01\x02\x03\x04\x05\x06\x01\x02".to_vec();
    want.extend((-15i64).to_le_bytes());
    want.push(0xff);
    for (price, size) in [(1i64, 2u32), (3, 4)] {
        want.extend(price.to_le_bytes());
        want.extend(size.to_le_bytes());
    }
    want.push(0xff);
    assert_eq!(wire, want);
    assert_eq!(
        (Book::ID, Book::VERSION),
        (WireId::new(family::WIRE, 12), 2)
    );
    assert_eq!(
        json(&Book::view(&wire, &Limits::FEED).unwrap()),
        r#"{"symbol":"ETHUSDT","side":"B","time":6618611909121,"sequence":258,"last":"-1.5","levels":[{"price":"0.00000001","size":2},{"price":"0.00000003","size":4}],"flags":255}"#
    );
}

// Views of derived types are references; `torture` wants the view itself to encode.
#[derive(Clone, Copy)]
struct ViaReference;

impl Codec for ViaReference {
    const ID: WireId = Book::ID;
    const VERSION: u16 = Book::VERSION;
    type View<'a> = BookView<'a>;

    fn view<'a>(
        bytes: &'a [u8],
        limits: &Limits,
    ) -> Result<BookView<'a>, tickwire_codecs::DecodeError> {
        Book::view(bytes, limits).map(BookView)
    }
}

#[derive(Clone, Copy)]
struct BookView<'a>(&'a Book);

impl std::fmt::Debug for BookView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&json(self.0))
    }
}

impl tickwire_codecs::ToJson for BookView<'_> {
    fn to_json(&self, out: &mut dyn std::fmt::Write) -> std::fmt::Result {
        self.0.to_json(out)
    }
}

impl tickwire_codecs::Encode<ViaReference> for BookView<'_> {
    fn encoded_len(&self) -> usize {
        self.0.encoded_len()
    }

    fn encode(&self, out: &mut [u8]) -> Result<usize, tickwire_codecs::EncodeError> {
        self.0.encode(out)
    }
}

#[test]
fn derived_layouts_stand_damage() {
    let wire = crate::common::encode::<Book>(&book());
    torture::<ViaReference>(&wire);
    refuses_other_lengths::<ViaReference>(&wire);
}

/// Layouts that differ from `Level` in one thing each.
mod variants {
    use super::*;

    macro_rules! level {
        ($name:ident { $($field:ident: $ty:ty),* }) => {
            #[derive(Wire, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
            #[repr(C)]
            pub(super) struct $name { $($field: $ty),* }
        };
    }
    level!(Same { price: FixedLe<-8>, size: le::U32 });
    level!(Renamed { price: FixedLe<-8>, volume: le::U32 });
    level!(Swapped { size: le::U32, price: FixedLe<-8> });
    level!(Exponent { price: FixedLe<-7>, size: le::U32 });
    level!(Order { price: FixedLe<-8>, size: be::U32 });
    level!(Signed { price: FixedLe<-8>, size: le::I32 });
    level!(Longer { price: FixedLe<-8>, size: le::U32, more: u8 });
    level!(Shorter { price: FixedLe<-8> });
    level!(Nested {
        inner: Shorter,
        size: le::U32
    });
    level!(Array { price: FixedLe<-8>, size: [u8; 4] });
    level!(Array5 { price: FixedLe<-8>, size: [u8; 5] });
}

#[test]
fn any_change_of_layout_changes_the_fingerprint() {
    use variants::*;
    assert_eq!(Level::FINGERPRINT, Same::FINGERPRINT);
    let all = [
        Level::FINGERPRINT,
        Renamed::FINGERPRINT,
        Swapped::FINGERPRINT,
        Exponent::FINGERPRINT,
        Order::FINGERPRINT,
        Signed::FINGERPRINT,
        Longer::FINGERPRINT,
        Shorter::FINGERPRINT,
        Nested::FINGERPRINT,
        Array::FINGERPRINT,
        Array5::FINGERPRINT,
        Book::FINGERPRINT,
    ];
    for (index, a) in all.iter().enumerate() {
        assert_ne!(*a, 0);
        assert!(all[index + 1..].iter().all(|b| a != b), "{index}");
    }
    let ours = Offer::of::<Book>(Limits::FEED).fingerprint(Book::FINGERPRINT);
    assert!(negotiate(&[ours], &ours).is_ok());
    assert!(negotiate(&[ours], &ours.fingerprint(Level::FINGERPRINT)).is_err());
}

/// A field whose type comes into a macro from outside, as it was written there.
macro_rules! one_field {
    ($name:ident, $field:ident: $($ty:tt)*) => {
        #[derive(Wire, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
        #[repr(C)]
        struct $name {
            $field: $($ty)*,
        }
    };
}
one_field!(ByMacro, price: FixedLe<-8>);
one_field!(Raw, r#type: u8);
one_field!(Plain, kind: u8);

#[test]
fn a_type_may_come_into_a_macro_from_outside() {
    let quote = ByMacro {
        price: FixedLe::new(5),
    };
    assert_eq!(json(&quote), r#"{"price":"0.00000005"}"#);
    assert_eq!(ByMacro::FINGERPRINT, variants::Shorter::FINGERPRINT);
}

#[test]
fn a_raw_identifier_is_named_without_its_prefix() {
    assert_eq!(json(&Raw { r#type: 7 }), r#"{"type":7}"#);
    assert_ne!(Raw::FINGERPRINT, Plain::FINGERPRINT);
    assert_eq!(
        Raw::FINGERPRINT,
        tickwire_codecs::layout_fingerprint(&[("type", u8::FINGERPRINT)])
    );
    assert_eq!(json(&Plain { kind: 7 }), r#"{"kind":7}"#);
}

#[test]
fn wrong_uses_do_not_compile_and_errors_suggest_a_fix() {
    trybuild::TestCases::new().compile_fail("tests/wire_errors/*.rs");
}
