//! Integers of more than 64 bits: CBOR's tags 2 and 3 (RFC 8949 section 3.4.3).

use crate::{
    common::{WIDE, encode, json, mangle, torture},
    documents::hex,
};
use proptest::prelude::*;
use tickwire_codecs::{
    Codec, DecodeError, EncodeError, Limits,
    cbor::Cbor,
    document::{Bignum, Build, Format, Reader, Value, Writer},
    msgpack::Msgpack,
};

/// An integer as a document.
struct Int(i128);

impl Build for Int {
    fn build<F: Format>(&self, out: &mut Writer<'_, F>) -> Result<(), EncodeError> {
        out.int128(self.0).map(drop)
    }
}

/// Encoded form and number; `true` if the form is the preferred one.
const NUMBERS: &[(&str, i128, bool)] = &[
    // Appendix A.
    ("c249010000000000000000", 18_446_744_073_709_551_616, true),
    ("c349010000000000000000", -18_446_744_073_709_551_617, true),
    ("1bffffffffffffffff", 18_446_744_073_709_551_615, true),
    ("3bffffffffffffffff", -18_446_744_073_709_551_616, true),
    ("c2507fffffffffffffffffffffffffffffff", i128::MAX, true),
    ("c3507fffffffffffffffffffffffffffffff", i128::MIN, true),
    // A plain integer is preferred where it fits, and zeros at the start are left out.
    ("c240", 0, false),
    ("c340", -1, false),
    ("c24100", 0, false),
    ("c3420001", -2, false),
    ("c248ffffffffffffffff", 18_446_744_073_709_551_615, false),
    ("c348ffffffffffffffff", -18_446_744_073_709_551_616, false),
    (
        "c24a00010000000000000000",
        18_446_744_073_709_551_616,
        false,
    ),
    // In chunks.
    (
        "c25f4101480000000000000000ff",
        18_446_744_073_709_551_616,
        false,
    ),
    ("c35f4041004102ff", -3, false),
    ("c25fff", 0, false),
];

#[test]
fn bignums_are_the_integers_they_stand_for() {
    for &(wire, number, preferred) in NUMBERS {
        let wire = hex(wire);
        let node = Cbor::view(&wire, &WIDE).unwrap();
        assert_eq!(node.as_i128(), Some(number), "{wire:02x?}");
        assert_eq!(node.as_u128(), u128::try_from(number).ok());
        assert_eq!(node.as_u64(), u64::try_from(number).ok());
        assert_eq!(node.as_i64(), i64::try_from(number).ok());
        assert_eq!(json(&node), number.to_string());
        let short = encode::<Cbor>(&node);
        assert_eq!(short, encode::<Cbor>(&Int(number)));
        match preferred {
            true => torture::<Cbor>(&wire),
            false => {
                mangle::<Cbor>(&wire);
                assert!(short.len() < wire.len());
            }
        }
        assert_eq!(Cbor::view(&short, &WIDE).unwrap().as_i128(), Some(number));
    }
}

#[test]
fn a_reader_takes_plain_integers_and_bignums() {
    let wire = hex("8401c24901000000000000000038c7c24101");
    let mut document = Reader::<Cbor>::new(&wire, &WIDE).unwrap();
    assert_eq!(document.array(), Ok(4));
    assert_eq!(document.clone().uint128(), Ok(1));
    assert_eq!(document.int128(), Ok(1));
    assert!(matches!(
        document.uint(),
        Err(DecodeError::Wrong {
            at: 2,
            got: 0xc2,
            ..
        })
    ));
    assert_eq!(document.clone().int128(), Ok(1 << 64));
    assert_eq!(
        document.clone().bignum().map(Bignum::magnitude),
        Ok(&[1, 0, 0, 0, 0, 0, 0, 0, 0][..])
    );
    assert_eq!(document.uint128(), Ok(1 << 64));
    assert!(matches!(
        document.uint128(),
        Err(DecodeError::Wrong {
            at: 13,
            got: 0x38,
            ..
        })
    ));
    assert!(matches!(
        document.bignum(),
        Err(DecodeError::Wrong {
            at: 13,
            got: 0x38,
            ..
        })
    ));
    assert_eq!(document.int128(), Ok(-200));
    assert_eq!(document.int128(), Ok(1));
    assert_eq!(document.finish(), Ok(()));
}

#[test]
fn a_bignum_tag_on_another_item_is_not_a_number() {
    for wire in [
        "c26101",
        "c201",
        "c2c24101",
        "c37f6101ff",
        "c14101",
        "d8184101",
        "c280",
    ] {
        let wire = hex(wire);
        let node = Cbor::view(&wire, &WIDE).unwrap();
        assert_eq!(
            (node.as_i128(), node.as_u128(), node.as_bignum()),
            (None, None, None)
        );
        assert!(matches!(node.value(), Value::Tag(..)));
        let mut document = Reader::<Cbor>::new(&wire, &WIDE).unwrap();
        assert!(matches!(
            document.int128(),
            Err(DecodeError::Wrong { at: 0, .. })
        ));
        assert!(matches!(
            document.uint128(),
            Err(DecodeError::Wrong { at: 0, .. })
        ));
        assert_eq!(document.at(), 0);
        mangle::<Cbor>(&wire);
    }
}

/// Above 128 bits a number is bytes with a sign.
#[test]
fn numbers_of_any_size_keep_their_bytes() {
    let wire = hex("c25180000000000000000000000000000000ff");
    let node = Cbor::view(&wire, &WIDE).unwrap();
    assert_eq!((node.as_i128(), node.as_u128()), (None, None));
    let number = node.as_bignum().unwrap();
    assert_eq!(
        (number.is_negative(), number.magnitude()),
        (false, &wire[2..])
    );
    assert_eq!(json(&node), "\"0x80000000000000000000000000000000ff\"");
    torture::<Cbor>(&wire);
    let wire = hex("c35180000000000000000000000000000000ff");
    let node = Cbor::view(&wire, &WIDE).unwrap();
    assert_eq!(json(&node), "\"-1-0x80000000000000000000000000000000ff\"");
    torture::<Cbor>(&wire);
    // In chunks, with zeros at the start: one piece without them.
    let chunked = hex("c35f410043000080500000000000000000000000000000000041ffff");
    let node = Cbor::view(&chunked, &WIDE).unwrap();
    assert_eq!((node.as_bignum(), node.as_i128()), (None, None));
    let short = encode::<Cbor>(&node);
    assert_eq!(short, hex("c3528000000000000000000000000000000000ff"));
    torture::<Cbor>(&short);
    mangle::<Cbor>(&chunked);
    // 2^127 fits u128 and not i128; -1 - 2^127 fits neither.
    let wire = hex("c25080000000000000000000000000000000");
    let node = Cbor::view(&wire, &WIDE).unwrap();
    assert_eq!((node.as_i128(), node.as_u128()), (None, Some(1 << 127)));
    assert_eq!(json(&node), (1u128 << 127).to_string());
    let wire = hex("c35080000000000000000000000000000000");
    let node = Cbor::view(&wire, &WIDE).unwrap();
    assert_eq!((node.as_i128(), node.as_u128()), (None, None));
    torture::<Cbor>(&wire);
}

#[test]
fn messagepack_refuses_integers_above_64_bits() {
    assert_eq!(
        encode::<Msgpack>(&Int(u64::MAX.into())),
        hex("cfffffffffffffffff")
    );
    assert_eq!(
        encode::<Msgpack>(&Int(i64::MIN.into())),
        hex("d38000000000000000")
    );
    for (number, what) in [
        (
            i128::from(u64::MAX) + 1,
            "integer of more than 64 bits (low 64 bits)",
        ),
        (
            i128::from(i64::MIN) - 1,
            "negative integer below -2^63 (-1 - value)",
        ),
        (i128::MIN, "integer of more than 64 bits (low 64 bits)"),
    ] {
        let mut wire = [0; 32];
        let mut out = Writer::<Msgpack>::new(&mut wire);
        assert!(
            matches!(out.int128(number), Err(EncodeError::Range { what: said, .. }) if said == what)
        );
        // A call that fails writes nothing.
        out.nil().unwrap();
        assert_eq!(out.finish(), Ok(1));
    }
    // A bignum that fits is an integer there.
    let small = hex("c34101");
    let node = Cbor::view(&small, &WIDE).unwrap();
    assert_eq!(encode::<Msgpack>(&node), hex("fe"));
}

#[test]
fn a_bignum_is_written_whole_or_not_at_all() {
    let mut wire = [0; 10];
    let mut out = Writer::<Cbor>::new(&mut wire);
    assert!(matches!(
        out.uint128(1 << 64),
        Err(EncodeError::Room { need: 11, have: 10 })
    ));
    out.nil().unwrap();
    assert_eq!(out.finish(), Ok(1));
}

/// Tags on tags are levels.
#[test]
fn nested_tags_are_bounded() {
    let limits = Limits {
        max_depth: 3,
        ..WIDE
    };
    assert!(Cbor::view(&hex("c2c2c24101"), &limits).is_ok());
    assert_eq!(
        Cbor::view(&hex("c2c2c2c24101"), &limits).unwrap_err(),
        DecodeError::Depth { at: 3, max: 3 }
    );
    assert_eq!(
        Cbor::view(&hex("c2c2c25f4101ff"), &limits).unwrap_err(),
        DecodeError::Depth { at: 3, max: 3 }
    );
    let endless = vec![0xc2; 100_000];
    assert!(matches!(
        Cbor::view(&endless, &WIDE),
        Err(DecodeError::Depth { .. })
    ));
}

/// What the writer had no call for: undefined, and simple values without a name.
#[test]
fn simple_values_are_written_where_they_are_read() {
    let mut wire = [0; 8];
    for value in 0..=255 {
        let mut out = Writer::<Cbor>::new(&mut wire);
        let named = (20..=31).contains(&value);
        assert_eq!(out.simple(value).is_err(), named, "{value}");
        if named {
            continue;
        }
        let len = out.finish().unwrap();
        let node = Cbor::view(&wire[..len], &WIDE).unwrap();
        assert!(matches!(node.value(), Value::Simple(read) if read == value));
    }
    let mut out = Writer::<Cbor>::new(&mut wire);
    out.undefined().unwrap();
    assert_eq!(out.finish(), Ok(1));
    assert_eq!(wire[0], 0xf7);
    let mut out = Writer::<Msgpack>::new(&mut wire);
    assert!(out.undefined().is_err() && out.simple(0).is_err());
}

proptest! {
    #[test]
    fn integers_come_back(number in any::<i128>(), cut in 0u32..128) {
        let number = number >> cut;
        let wire = encode::<Cbor>(&Int(number));
        let node = Cbor::view(&wire, &WIDE).unwrap();
        prop_assert_eq!(node.as_i128(), Some(number));
        prop_assert_eq!(json(&node), number.to_string());
        let mut document = Reader::<Cbor>::new(&wire, &WIDE).unwrap();
        prop_assert_eq!(document.int128(), Ok(number));
        prop_assert_eq!(document.finish(), Ok(()));
    }
}
