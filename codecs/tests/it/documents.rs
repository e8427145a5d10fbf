//! MessagePack and CBOR: the standards' vectors, a model, damage, limits.

use crate::common::{WIDE, encode, json, mangle, poke, refuses_other_lengths, torture};
use tickwire_codecs::{
    Codec, DecodeError, Encode, EncodeError, Limits, ToJson,
    cbor::Cbor,
    document::{Format, Writer},
    msgpack::Msgpack,
};

pub(crate) fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// RFC 8949 appendix A: encoded form, and the value in JSON (floats of half and single precision with
/// the fewest digits that single precision needs; the RFC prints more; dates as text). `true` if the
/// form is the preferred one, so that our writer must give it back. All 81 rows.
pub(crate) const RFC8949: &[(&str, &str, bool)] = &[
    ("00", "0", true),
    ("01", "1", true),
    ("0a", "10", true),
    ("17", "23", true),
    ("1818", "24", true),
    ("1819", "25", true),
    ("1864", "100", true),
    ("1903e8", "1000", true),
    ("1a000f4240", "1000000", true),
    ("1b000000e8d4a51000", "1000000000000", true),
    ("1bffffffffffffffff", "18446744073709551615", true),
    ("c249010000000000000000", "18446744073709551616", true),
    ("3bffffffffffffffff", "-18446744073709551616", true),
    ("c349010000000000000000", "-18446744073709551617", true),
    ("20", "-1", true),
    ("29", "-10", true),
    ("3863", "-100", true),
    ("3903e7", "-1000", true),
    ("f90000", "0.0", true),
    ("f98000", "-0.0", true),
    ("f93c00", "1.0", true),
    ("fb3ff199999999999a", "1.1", true),
    ("f93e00", "1.5", true),
    ("f97bff", "65504.0", true),
    ("fa47c35000", "100000.0", true),
    ("fa7f7fffff", "3.4028235e38", true),
    ("fb7e37e43c8800759c", "1e300", true),
    ("f90001", "5.9604645e-8", true),
    ("f90400", "6.1035156e-5", true),
    ("f9c400", "-4.0", true),
    ("fbc010666666666666", "-4.1", true),
    ("f97c00", "null", true),
    ("f97e00", "null", true),
    ("f9fc00", "null", true),
    ("fa7f800000", "null", false),
    ("fa7fc00000", "null", false),
    ("faff800000", "null", false),
    ("fb7ff0000000000000", "null", false),
    ("fb7ff8000000000000", "null", false),
    ("fbfff0000000000000", "null", false),
    ("f4", "false", true),
    ("f5", "true", true),
    ("f6", "null", true),
    ("f7", "null", true),
    ("f0", "16", true),
    ("f8ff", "255", true),
    (
        "c074323031332d30332d32315432303a30343a30305a",
        "\"2013-03-21T20:04:00Z\"",
        true,
    ),
    ("c11a514b67b0", "\"2013-03-21T20:04:00Z\"", true),
    ("c1fb41d452d9ec200000", "\"2013-03-21T20:04:00.5Z\"", true),
    ("d74401020304", "\"01020304\"", true),
    ("d818456449455446", "\"6449455446\"", true),
    (
        "d82076687474703a2f2f7777772e6578616d706c652e636f6d",
        "\"http://www.example.com\"",
        true,
    ),
    ("40", "\"\"", true),
    ("4401020304", "\"01020304\"", true),
    ("60", "\"\"", true),
    ("6161", "\"a\"", true),
    ("6449455446", "\"IETF\"", true),
    ("62225c", "\"\\\"\\\\\"", true),
    ("62c3bc", "\"ü\"", true),
    ("63e6b0b4", "\"水\"", true),
    ("64f0908591", "\"𐅑\"", true),
    ("80", "[]", true),
    ("83010203", "[1,2,3]", true),
    ("8301820203820405", "[1,[2,3],[4,5]]", true),
    (
        "98190102030405060708090a0b0c0d0e0f101112131415161718181819",
        "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25]",
        true,
    ),
    ("a0", "{}", true),
    ("a201020304", "{\"01\":2,\"03\":4}", true),
    ("a26161016162820203", "{\"a\":1,\"b\":[2,3]}", true),
    ("826161a161626163", "[\"a\",{\"b\":\"c\"}]", true),
    (
        "a56161614161626142616361436164614461656145",
        "{\"a\":\"A\",\"b\":\"B\",\"c\":\"C\",\"d\":\"D\",\"e\":\"E\"}",
        true,
    ),
    ("5f42010243030405ff", "\"0102030405\"", false),
    ("7f657374726561646d696e67ff", "\"streaming\"", false),
    ("9fff", "[]", false),
    ("9f018202039f0405ffff", "[1,[2,3],[4,5]]", false),
    ("9f01820203820405ff", "[1,[2,3],[4,5]]", false),
    ("83018202039f0405ff", "[1,[2,3],[4,5]]", false),
    ("83019f0203ff820405", "[1,[2,3],[4,5]]", false),
    (
        "9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff",
        "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25]",
        false,
    ),
    ("bf61610161629f0203ffff", "{\"a\":1,\"b\":[2,3]}", false),
    ("826161bf61626163ff", "[\"a\",{\"b\":\"c\"}]", false),
    (
        "bf6346756ef563416d7421ff",
        "{\"Fun\":true,\"Amt\":-2}",
        false,
    ),
];

#[test]
fn cbor_reads_and_writes_rfc_8949_appendix_a() {
    assert_eq!(RFC8949.len(), 81);
    for (wire, value, preferred) in RFC8949 {
        let wire = hex(wire);
        let view = Cbor::view(&wire, &WIDE).unwrap_or_else(|error| panic!("{error}: {wire:02x?}"));
        assert_eq!(json(&view), *value, "{wire:02x?}");
        if *preferred {
            torture::<Cbor>(&wire);
        } else {
            mangle::<Cbor>(&wire);
            let short = encode::<Cbor>(&view);
            assert!(short.len() <= wire.len());
            assert_eq!(json(&Cbor::view(&short, &WIDE).unwrap()), *value);
        }
    }
}

/// RFC 8949 appendix F, some of each kind it lists.
const NOT_WELL_FORMED: &[(&str, &str)] = &[
    (
        "end of input in a head",
        "18 19 1a 1b 1901 1a0102 1b01020304050607 38 58 78 98 9a01ff00 b8 d8 f8 f900 fa0000 fb000000",
    ),
    (
        "short strings",
        "41 61 5affffffff00 5bffffffffffffffff010203 7affffffff00",
    ),
    (
        "short containers",
        "81 818181818181818181 8200 a1 a20102 a100 a2000000",
    ),
    ("a tag on nothing", "c0"),
    ("not closed", "5fff00 7f 9f 9f0102 bf bf01020102 819f 9f80"),
    ("reserved heads", "1c 1d 1e 3c 5c 7d 9e bc dd fc fd fe"),
    ("simple values in two bytes", "f800 f801 f818 f81f"),
    (
        "stray breaks",
        "ff 81ff 8200ff a1ff a1ff00 a100ff a20000ff 9f81ff",
    ),
    ("a key without a value", "bf00ff bf000000ff"),
    (
        "chunks of another kind, and chunks without a length",
        "5f00ff 5f21ff 5f6100ff 5f80ff 5fa0ff 5fc000ff 5fe0ff 7f4100ff 5f5f4100ffff 7f7f6100ffff",
    ),
    ("no indefinite form", "1f 3f df"),
];

#[test]
fn cbor_refuses_items_that_are_not_well_formed() {
    for (why, wires) in NOT_WELL_FORMED {
        for wire in wires.split(' ') {
            let bytes = hex(wire);
            assert!(!poke::<Cbor>(&bytes), "{why}: {wire} was accepted");
        }
    }
}

#[test]
fn errors_say_where() {
    let cbor = |wire: &str| Cbor::view(&hex(wire), &WIDE).unwrap_err();
    assert_eq!(
        cbor("820062"),
        DecodeError::Short {
            at: 3,
            need: 2,
            have: 0
        }
    );
    assert_eq!(cbor("0000"), DecodeError::Trailing { at: 1, extra: 1 });
    assert_eq!(
        cbor("9b00000000ffffffff"),
        DecodeError::limit(0, "items", 0xffff_ffff, 1 << 20)
    );
    let msgpack = |wire: &str| Msgpack::view(&hex(wire), &WIDE).unwrap_err();
    assert_eq!(
        msgpack("9200a261"),
        DecodeError::Short {
            at: 3,
            need: 2,
            have: 1
        }
    );
    assert_eq!(
        msgpack("c1"),
        DecodeError::wrong(0, "MessagePack marker", 0xc1)
    );
    assert_eq!(msgpack("c0c0"), DecodeError::Trailing { at: 1, extra: 1 });
    assert_eq!(
        msgpack("ddffffffff"),
        DecodeError::limit(0, "items", 0xffff_ffff, 1 << 20)
    );
}

/// MessagePack specification, "Formats" (msgpack/msgpack spec.md): one of each, at the edge of its
/// range, in the shortest form.
pub(crate) fn msgpack_fixtures() -> Vec<Vec<u8>> {
    let long = |head: &str, len: usize| [hex(head), vec![b'x'; len]].concat();
    let many = |head: &str, len: usize| [hex(head), vec![0xc0; len]].concat();
    vec![
        hex("00"),
        hex("7f"),
        hex("cc80"),
        hex("ccff"),
        hex("cd0100"),
        hex("cdffff"),
        hex("ce00010000"),
        hex("ceffffffff"),
        hex("cf0000000100000000"),
        hex("cfffffffffffffffff"),
        hex("ff"),
        hex("e0"),
        hex("d0df"),
        hex("d080"),
        hex("d1ff7f"),
        hex("d18000"),
        hex("d2ffff7fff"),
        hex("d280000000"),
        hex("d3ffffffff7fffffff"),
        hex("d38000000000000000"),
        hex("c0"),
        hex("c2"),
        hex("c3"),
        hex("ca3fc00000"),
        hex("cb3ff8000000000000"),
        hex("a0"),
        long("bf", 31),
        long("d920", 32),
        long("d9ff", 255),
        long("da0100", 256),
        hex("c400"),
        long("c4ff", 255),
        long("c50100", 256),
        hex("90"),
        many("9f", 15),
        many("dc0010", 16),
        hex("80"),
        many("8f", 30),
        many("de0010", 32),
        long("d401", 1),
        long("d5ff", 2),
        long("d601", 4),
        long("d701", 8),
        long("d801", 16),
        long("c70001", 0),
        long("c70301", 3),
        long("c8010001", 256),
        // The example of msgpack.org: {"compact": true, "schema": 0}.
        hex("82a7636f6d70616374c3a6736368656d6100"),
        // Timestamp 32 of the specification: extension type -1.
        hex("d6ff514b67b0"),
    ]
}

#[test]
fn msgpack_reads_and_writes_every_format() {
    let fixtures = msgpack_fixtures();
    for wire in &fixtures {
        let view = Msgpack::view(wire, &WIDE).unwrap_or_else(|e| panic!("{e}: {wire:02x?}"));
        assert_eq!(encode::<Msgpack>(&view), *wire);
        refuses_other_lengths::<Msgpack>(wire);
        if wire.len() <= 40 {
            mangle::<Msgpack>(wire);
        }
    }
    assert_eq!(
        json(&Msgpack::view(&fixtures[47], &WIDE).unwrap()),
        r#"{"compact":true,"schema":0}"#
    );
    // Longer forms than needed are read and shortened.
    for (wire, short) in [
        ("cd0001", "01"),
        ("cf0000000000000080", "cc80"),
        ("d001", "01"),
        ("d3ffffffffffffffff", "ff"),
        ("d90161", "a161"),
        ("dc0001c0", "91c0"),
        ("df00000000", "80"),
        ("c9000000010161", "d40161"),
    ] {
        let wire = hex(wire);
        mangle::<Msgpack>(&wire);
        assert_eq!(
            encode::<Msgpack>(&Msgpack::view(&wire, &WIDE).unwrap()),
            hex(short)
        );
    }
}

#[test]
fn nesting_and_items_are_bounded() {
    let limits = Limits {
        max_depth: 3,
        max_items: 5,
        ..WIDE
    };
    assert!(Msgpack::view(&hex("91919100"), &limits).is_ok());
    assert_eq!(
        Msgpack::view(&hex("9191919100"), &limits).unwrap_err(),
        DecodeError::Depth { at: 3, max: 3 }
    );
    assert_eq!(
        Cbor::view(&hex("c1c1c1c100"), &limits).unwrap_err(),
        DecodeError::Depth { at: 3, max: 3 }
    );
    assert!(Cbor::view(&hex("8400000000"), &limits).is_ok());
    assert!(matches!(
        Cbor::view(&hex("850000000000"), &limits).unwrap_err(),
        DecodeError::Limit { got: 6, max: 5, .. }
    ));
    assert!(matches!(
        Cbor::view(&hex("9f0000000000ff"), &limits).unwrap_err(),
        DecodeError::Limit {
            at: 5,
            got: 6,
            max: 5,
            ..
        }
    ));
    // Limits above the fixed stack are cut down to it, so no depth overflows it.
    let deepest = Limits {
        max_depth: u16::MAX,
        ..WIDE
    };
    for (open, close) in [(0x81, None), (0x9f, Some(0xff)), (0xc1, None)] {
        let wire = |depth: usize| {
            let mut wire = vec![open; depth];
            wire.push(0);
            wire.extend(close.iter().flat_map(|close| vec![*close; depth]));
            wire
        };
        assert!(Cbor::view(&wire(64), &deepest).is_ok());
        assert!(poke::<Cbor>(&wire(32)));
        assert_eq!(
            Cbor::view(&wire(65), &deepest).unwrap_err(),
            DecodeError::Depth { at: 64, max: 64 }
        );
        assert!(Cbor::view(&wire(100_000), &deepest).is_err());
    }
}

#[test]
fn the_writer_refuses_documents_that_cannot_be_read() {
    let mut wire = [0; 64];
    let mut out = Writer::<Cbor>::new(&mut wire);
    out.array(2).unwrap().nil().unwrap();
    assert!(matches!(out.finish(), Err(EncodeError::Order { .. })));
    let mut out = Writer::<Msgpack>::new(&mut wire);
    out.nil().unwrap();
    assert!(matches!(out.nil(), Err(EncodeError::Order { .. })));
    let mut out = Writer::<Msgpack>::new(&mut wire);
    assert!(matches!(
        out.tag(1),
        Err(EncodeError::Range {
            what: "tag",
            got: 1
        })
    ));
    let mut out = Writer::<Cbor>::new(&mut wire);
    assert!(matches!(
        out.ext(1, b""),
        Err(EncodeError::Range {
            what: "extension",
            ..
        })
    ));
    let huge = hex("3bffffffffffffffff");
    let node = Cbor::view(&huge, &WIDE).unwrap();
    assert!(matches!(
        Encode::<Msgpack>::encode(&node, &mut wire),
        Err(EncodeError::Range { .. })
    ));
    let mut out = Writer::<Cbor>::new(&mut wire[..2]);
    assert!(matches!(out.str("abc"), Err(EncodeError::Room { .. })));
}

/// What comes after an item that did not fit lies where that item would have lain.
fn an_item_is_written_whole_or_not_at_all_in<F: Format>()
where
    for<'a> F::View<'a>: ToJson,
{
    let full = EncodeError::Room { need: 6, have: 4 };
    let mut wire = [0; 4];
    let mut out = Writer::<F>::new(&mut wire);
    assert_eq!(out.array(1).unwrap().str("abcd").err(), Some(full));
    out.nil().unwrap();
    assert_eq!(out.finish(), Ok(2));
    let root = F::view(&wire[..2], &WIDE).unwrap();
    assert_eq!(json(&root), "[null]");
    // A node with all that is in it is one item.
    let mut other = [0; 16];
    let mut out = Writer::<Cbor>::new(&mut other);
    out.array(2).unwrap().nil().unwrap().str("abcd").unwrap();
    let len = out.finish().unwrap();
    let node = Cbor::view(&other[..len], &WIDE).unwrap();
    let mut out = Writer::<F>::new(&mut wire);
    assert!(matches!(out.node(node), Err(EncodeError::Room { .. })));
    out.nil().unwrap();
    assert_eq!(out.finish(), Ok(1));
    assert_eq!(json(&F::view(&wire[..1], &WIDE).unwrap()), "null");
}

#[test]
fn an_item_is_written_whole_or_not_at_all() {
    an_item_is_written_whole_or_not_at_all_in::<Msgpack>();
    an_item_is_written_whole_or_not_at_all_in::<Cbor>();
}

/// Keys that are maps, each in the key of the one around it.
#[test]
fn json_of_nested_keys_does_not_grow_by_the_level() {
    let mut wire = vec![0xa1; 32];
    wire.push(0x00);
    wire.extend([0xf6; 32]);
    let root = Cbor::view(&wire, &WIDE).unwrap();
    let inner: String = wire[1..64].iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(json(&root), format!("{{\"{inner}\":null}}"));
}
