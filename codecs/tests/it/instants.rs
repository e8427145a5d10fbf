//! Instants in documents: MessagePack's timestamp (specification of 2017, "Timestamp extension type"),
//! CBOR's tags 0 and 1 (RFC 8949 sections 3.4.1 and 3.4.2).

use crate::{
    common::{WIDE, encode, json, mangle, poke, torture},
    documents::hex,
};
use proptest::prelude::*;
use tickwire_codecs::{
    Codec, DecodeError, EncodeError, UnixTime,
    cbor::Cbor,
    document::{Build, Format, Reader, Value, Writer},
    msgpack::Msgpack,
};

/// An instant as a document.
struct Time(UnixTime);

impl Build for Time {
    fn build<F: Format>(&self, out: &mut Writer<'_, F>) -> Result<(), EncodeError> {
        out.time(self.0).map(drop)
    }
}

fn parts(seconds: i64, nanos: u32) -> UnixTime {
    UnixTime::from_parts(seconds, nanos).unwrap()
}

/// Each form at the edges of its range: the shortest that holds the instant.
const TIMESTAMPS: &[(&str, i64, u32)] = &[
    ("d6ff00000000", 0, 0),
    ("d6ff514b67b0", 1_363_896_240, 0),
    ("d6ffffffffff", (1 << 32) - 1, 0),
    ("d7ff0000000100000000", 1 << 32, 0),
    ("d7ff0000000400000000", 0, 1),
    ("d7ffee6b27fc00000000", 0, 999_999_999),
    ("d7ff00000003ffffffff", (1 << 34) - 1, 0),
    ("d7ffee6b27ffffffffff", (1 << 34) - 1, 999_999_999),
    ("c70cff000000000000000400000000", 1 << 34, 0),
    ("c70cff3b9ac9ff0000000400000000", 1 << 34, 999_999_999),
    ("c70cff00000000ffffffffffffffff", -1, 0),
    ("c70cff3b9ac9ffffffffffffffffff", -1, 999_999_999),
    ("c70cff000000007fffffffffffffff", i64::MAX, 0),
    ("c70cff3b9ac9ff7fffffffffffffff", i64::MAX, 999_999_999),
    ("c70cff000000008000000000000000", i64::MIN, 0),
];

#[test]
fn timestamps_are_read_and_written_in_their_shortest_form() {
    for &(wire, seconds, nanos) in TIMESTAMPS {
        let (wire, time) = (hex(wire), parts(seconds, nanos));
        let node = Msgpack::view(&wire, &WIDE).unwrap();
        assert_eq!(
            (node.as_time(), node.as_time_lossy()),
            (Some(time), Some(time))
        );
        assert_eq!(json(&node), format!("\"{time}\""));
        assert_eq!(encode::<Msgpack>(&Time(time)), wire);
        let mut document = Reader::<Msgpack>::new(&wire, &WIDE).unwrap();
        assert_eq!((document.time(), document.finish()), (Ok(time), Ok(())));
        torture::<Msgpack>(&wire);
    }
    // Longer forms than needed, and longer heads.
    for (wire, short) in [
        ("d7ff00000000514b67b0", "d6ff514b67b0"),
        ("c70cff0000000000000000514b67b0", "d6ff514b67b0"),
        ("c70cff000000010000000000000000", "d7ff0000000400000000"),
        ("c704ff514b67b0", "d6ff514b67b0"),
        ("c900000008ff00000000514b67b0", "d6ff514b67b0"),
    ] {
        let (wire, short) = (hex(wire), hex(short));
        let node = Msgpack::view(&wire, &WIDE).unwrap();
        let same = Msgpack::view(&short, &WIDE).unwrap();
        assert_eq!(node.as_time(), same.as_time());
        assert!(node.as_time().is_some());
        assert_eq!(encode::<Msgpack>(&node), short);
        mangle::<Msgpack>(&wire);
    }
}

/// An extension -1 that breaks the rules stays an extension; the rest of the document is readable.
#[test]
fn an_invalid_timestamp_is_none() {
    for ext in [
        "d7ffee6b280000000000",           // 10^9 nanoseconds in 30 bits
        "d7ffffffffffffffffff",           // all ones
        "c70cff3b9aca000000000000000000", // 10^9 nanoseconds in 32 bits
        "c70cffffffffff0000000000000000",
        "c700ff",
        "d4ff00",
        "d5ff0000",
        "c703ff000000",
        "c705ff0000000000",
        "c70bff0000000000000000000000",
        "c70dff00000000000000000000000000",
        "d8ff00000000000000000000000000000000",
        "d60100000000", // another type
        "d6fe00000000",
    ] {
        let wire = hex(&format!("93{ext}01a161"));
        let root = Msgpack::view(&wire, &WIDE).unwrap();
        let items: Vec<_> = root.items().unwrap().collect();
        assert_eq!(
            (items[0].as_time(), items[0].as_time_lossy()),
            (None, None),
            "{ext}"
        );
        assert!(matches!(items[0].value(), Value::Ext(..)));
        assert_eq!((items[1].as_u64(), items[2].as_str()), (Some(1), Some("a")));
        let mut document = Reader::<Msgpack>::new(&wire, &WIDE).unwrap();
        assert_eq!(document.array(), Ok(3));
        assert!(matches!(
            document.time(),
            Err(DecodeError::Wrong { at: 1, .. })
        ));
        assert!(document.ext().is_ok());
        assert_eq!(document.uint(), Ok(1));
        torture::<Msgpack>(&wire);
        // CBOR has no form for it.
        assert!(matches!(
            items[0].build(&mut Writer::<Cbor>::measure()),
            Err(EncodeError::Range {
                what: "extension",
                ..
            })
        ));
    }
}

/// Encoded form, instant; `true` if [`Writer::time`] writes it so.
const DATES: &[(&str, &str, bool)] = &[
    // RFC 8949 appendix A.
    (
        "c074323031332d30332d32315432303a30343a30305a",
        "2013-03-21T20:04:00Z",
        false,
    ),
    ("c11a514b67b0", "2013-03-21T20:04:00Z", true),
    ("c1fb41d452d9ec200000", "2013-03-21T20:04:00.5Z", false),
    (
        "c076323031332d30332d32315432303a30343a30302e355a",
        "2013-03-21T20:04:00.5Z",
        true,
    ),
    // Other forms of one second before, and after, 1970.
    ("c120", "1969-12-31T23:59:59Z", true),
    ("c101", "1970-01-01T00:00:01Z", true),
    ("c11b0000000000000001", "1970-01-01T00:00:01Z", false),
    ("c1f93c00", "1970-01-01T00:00:01Z", false),
    ("c1f9bc00", "1969-12-31T23:59:59Z", false),
    ("c1f98000", "1970-01-01T00:00:00Z", false),
    ("c1f9b800", "1969-12-31T23:59:59.5Z", false),
    // A longer head of the tag.
    ("d80101", "1970-01-01T00:00:01Z", false),
    ("db000000000000000101", "1970-01-01T00:00:01Z", false),
];

#[test]
fn dates_are_read_and_written() {
    for &(wire, text, written) in DATES {
        let (wire, time) = (hex(wire), text.parse().unwrap());
        let node = Cbor::view(&wire, &WIDE).unwrap();
        assert_eq!(
            (node.as_time(), node.as_time_lossy()),
            (Some(time), Some(time))
        );
        assert_eq!(json(&node), format!("\"{text}\""));
        assert_eq!(encode::<Cbor>(&Time(time)) == wire, written, "{text}");
        let mut document = Reader::<Cbor>::new(&wire, &WIDE).unwrap();
        assert_eq!((document.time(), document.finish()), (Ok(time), Ok(())));
        let mut document = Reader::<Cbor>::new(&wire, &WIDE).unwrap();
        assert_eq!(document.time_lossy(), Ok(time));
        mangle::<Cbor>(&wire);
        // A timestamp in MessagePack.
        assert_eq!(encode::<Msgpack>(&node), encode::<Msgpack>(&Time(time)));
    }
}

/// The date of another library keeps its text, offset and all.
#[test]
fn a_date_is_copied_as_it_is() {
    let text = "1996-12-19T16:39:57.000-08:00";
    let mut wire = [0; 40];
    let mut out = Writer::<Cbor>::new(&mut wire);
    out.tag(0).unwrap().str(text).unwrap();
    let len = out.finish().unwrap();
    torture::<Cbor>(&wire[..len]);
    let node = Cbor::view(&wire[..len], &WIDE).unwrap();
    assert_eq!(node.as_time(), "1996-12-20T00:39:57Z".parse().ok());
    assert_eq!(json(&node), "\"1996-12-20T00:39:57Z\"");
    // Cut in two.
    let (a, b) = text.as_bytes().split_at(11);
    let mut chunks = vec![0xc0, 0x7f, 0x60 | a.len() as u8];
    chunks.extend(a);
    chunks.push(0x60 | b.len() as u8);
    chunks.extend(b);
    chunks.push(0xff);
    let same = Cbor::view(&chunks, &WIDE).unwrap();
    assert_eq!(same.as_time(), node.as_time());
    assert_eq!(encode::<Cbor>(&same), wire[..len]);
    assert!(poke::<Cbor>(&chunks));
}

/// A float is read only where it is a whole number of nanoseconds, unless rounding is asked for.
#[test]
fn floats_are_exact_or_rounded_on_request() {
    for (float, exact, rounded) in [
        (0.5, Some((0, 500_000_000)), (0, 500_000_000)),
        (-0.25, Some((-1, 750_000_000)), (-1, 750_000_000)),
        (1.0 / 512.0, Some((0, 1_953_125)), (0, 1_953_125)),
        (1.0 / 1024.0, None, (0, 976_563)),
        (-1.0 / 1024.0, None, (-1, 999_023_437)),
        (0.1, None, (0, 100_000_000)),
        (1_700_000_000.1, None, (1_700_000_000, 99_999_905)),
        (1e-10, None, (0, 0)),
        (-1e-10, None, (0, 0)),
        (5e-324, None, (0, 0)),
        (0.6e-9, None, (0, 1)),
        (-0.6e-9, None, (-1, 999_999_999)),
        (
            253_402_300_799.0,
            Some((253_402_300_799, 0)),
            (253_402_300_799, 0),
        ),
        (
            9.223372036854775e18,
            Some((9_223_372_036_854_774_784, 0)),
            (9_223_372_036_854_774_784, 0),
        ),
        (i64::MIN as f64, Some((i64::MIN, 0)), (i64::MIN, 0)),
    ] {
        let mut wire = [0; 10];
        let mut out = Writer::<Cbor>::new(&mut wire);
        out.tag(1).unwrap().f64(float).unwrap();
        let len = out.finish().unwrap();
        let node = Cbor::view(&wire[..len], &WIDE).unwrap();
        let exact = exact.map(|(seconds, nanos)| parts(seconds, nanos));
        let rounded = parts(rounded.0, rounded.1);
        assert_eq!(node.as_time(), exact, "{float:?}");
        assert_eq!(node.as_time_lossy(), Some(rounded), "{float:?}");
        let mut document = Reader::<Cbor>::new(&wire[..len], &WIDE).unwrap();
        assert_eq!(document.clone().time().ok(), exact);
        assert_eq!(document.time_lossy(), Ok(rounded));
        // What is not exact stays a float.
        if exact.is_none() {
            torture::<Cbor>(&wire[..len]);
        }
    }
    for float in [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        i64::MAX as f64,           // 2^63
        -9.223_372_036_854_778e18, // the next below -2^63
        1e300,
        f64::MAX,
        f64::MIN,
    ] {
        let mut wire = [0; 10];
        let mut out = Writer::<Cbor>::new(&mut wire);
        out.tag(1).unwrap().f64(float).unwrap();
        let len = out.finish().unwrap();
        let node = Cbor::view(&wire[..len], &WIDE).unwrap();
        assert_eq!(
            (node.as_time(), node.as_time_lossy()),
            (None, None),
            "{float:?}"
        );
    }
}

#[test]
fn a_date_tag_on_another_item_is_not_a_date() {
    let text = |text: &str| {
        let mut wire = vec![0xc0, 0x60 | text.len() as u8];
        wire.extend(text.as_bytes());
        wire
    };
    for wire in [
        text("2013-03-21"),
        text("2013-03-21t20:04:00Z"), // T and Z are upper case here
        text("2013-03-21T20:04:0z"),
        text("2013-02-29T20:04:00Z"),
        text("2013-06-30T23:59:60Z"),
        hex("c001"),
        hex("c13bffffffffffffffff"),
        hex("c11bffffffffffffffff"),
        hex("c16130"),
        hex("c1c101"),
        hex("c1c24101"),
        hex("c1f6"),
        hex("c201"),
    ] {
        let node = Cbor::view(&wire, &WIDE).unwrap();
        assert_eq!(
            (node.as_time(), node.as_time_lossy()),
            (None, None),
            "{wire:02x?}"
        );
        let mut document = Reader::<Cbor>::new(&wire, &WIDE).unwrap();
        assert!(matches!(
            document.time(),
            Err(DecodeError::Wrong { at: 0, .. })
        ));
        assert_eq!(document.at(), 0);
        assert_eq!(document.tag(), Ok((wire[0] & 0x1f).into()));
        mangle::<Cbor>(&wire);
        // MessagePack has no form for it.
        let mut out = Writer::<Msgpack>::measure();
        assert!(matches!(out.node(node), Err(EncodeError::Range { .. })));
    }
}

/// Fractions are text in CBOR, and text has four digits for the year.
#[test]
fn values_without_an_encoding_are_refused_and_nothing_is_written() {
    let last = parts(253_402_300_799, 999_999_999);
    assert_eq!(
        encode::<Cbor>(&Time(last)),
        [&[0xc0, 0x78, 30][..], b"9999-12-31T23:59:59.999999999Z"].concat()
    );
    let mut wire = [0; 40];
    for time in [
        parts(253_402_300_800, 1),
        parts(-62_167_219_201, 1),
        UnixTime::MAX,
    ] {
        let mut out = Writer::<Cbor>::new(&mut wire);
        assert!(matches!(out.time(time), Err(EncodeError::Range { .. })));
        out.nil().unwrap();
        assert_eq!(out.finish(), Ok(1));
        assert_eq!(encode::<Msgpack>(&Time(time)).len(), 15);
    }
    assert_eq!(
        encode::<Cbor>(&Time(UnixTime::MIN)),
        hex("c13b7fffffffffffffff")
    );
    // Room for the tag alone.
    let mut out = Writer::<Cbor>::new(&mut wire[..1]);
    assert!(matches!(
        out.time(UnixTime::EPOCH),
        Err(EncodeError::Room { need: 2, have: 1 })
    ));
    out.nil().unwrap();
    assert_eq!(out.finish(), Ok(1));
}

proptest! {
    #[test]
    fn instants_come_back_from_both_formats(
        seconds in prop_oneof![any::<i64>(), -62_167_219_200i64..=253_402_300_799, 0..1i64 << 35],
        nanos in prop_oneof![Just(0u32), 0u32..1_000_000_000, (0u32..1000).prop_map(|ms| ms * 1_000_000)],
    ) {
        let time = parts(seconds, nanos);
        let msgpack = encode::<Msgpack>(&Time(time));
        let node = Msgpack::view(&msgpack, &WIDE).unwrap();
        prop_assert_eq!(node.as_time(), Some(time));
        let mut wire = [0; 40];
        let mut out = Writer::<Cbor>::new(&mut wire);
        let written = out.time(time).is_ok();
        prop_assert_eq!(written, nanos == 0 || (-62_167_219_200..=253_402_300_799).contains(&seconds));
        if written {
            let len = out.finish().unwrap();
            let same = Cbor::view(&wire[..len], &WIDE).unwrap();
            prop_assert_eq!(same.as_time(), Some(time));
            // From one format to the other.
            prop_assert_eq!(encode::<Cbor>(&node), &wire[..len]);
            prop_assert_eq!(encode::<Msgpack>(&same), msgpack);
        }
    }

    /// Against the whole quotient of integers.
    #[test]
    fn floats_round_to_the_nearest_nanosecond(bits in any::<u64>(), scale in 900u64..1090) {
        let float = f64::from_bits(bits & !(0x7ff << 52) | scale << 52);
        let mut wire = [0; 10];
        let mut out = Writer::<Cbor>::new(&mut wire);
        out.tag(1).unwrap().f64(float).unwrap();
        let len = out.finish().unwrap();
        let node = Cbor::view(&wire[..len], &WIDE).unwrap();
        // At most half a nanosecond away; 2^-30 seconds are just below one.
        match node.as_time_lossy() {
            None => prop_assert!(float.abs() >= 9.2e18),
            Some(time) if float.abs() < 1e6 => {
                // Products below 2^53 * 2^10 are good to a nanosecond here.
                let nanos = time.to_nanos() as f64;
                prop_assert!((nanos - float * 1e9).abs() <= 0.75, "{} {}", nanos, float * 1e9);
            }
            Some(time) => prop_assert!((time.seconds() as f64 - float).abs() <= 1.0 + float.abs() / 1e15),
        }
        if let Some(time) = node.as_time() {
            prop_assert_eq!(node.as_time_lossy(), Some(time));
        }
    }
}
