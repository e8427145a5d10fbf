//! Protobuf: the documentation's examples, damage, and our fields against prost.

use crate::common::{WIDE, json, poke, torture};
use proptest::prelude::*;
use tickwire_codecs::{
    Codec, DecodeError, Encode, Limits,
    protobuf::{FieldValue, Message, Payload, Protobuf},
};

#[derive(Clone, PartialEq, prost::Message)]
struct Sample {
    #[prost(int32, tag = "1")]
    a: i32,
    #[prost(string, tag = "2")]
    b: String,
    #[prost(message, optional, boxed, tag = "3")]
    c: Option<Box<Sample>>,
    #[prost(int32, repeated, tag = "6")]
    f: Vec<i32>,
    #[prost(fixed64, tag = "7")]
    wide: u64,
    #[prost(float, tag = "8")]
    short: f32,
}

impl Message for Sample {
    const FORMAT: u16 = 9;
}

type Wire = Protobuf<Sample>;

fn decode(bytes: &[u8]) -> Result<Sample, DecodeError> {
    Wire::view(bytes, &WIDE).and_then(|view| view.decode())
}

#[test]
fn examples_of_the_documentation() {
    // Protocol Buffers documentation, "Encoding": a simple message, strings, submessages, packed.
    assert_eq!(decode(&[0x08, 0x96, 0x01]).unwrap().a, 150);
    assert_eq!(decode(b"\x12\x07testing").unwrap().b, "testing");
    let nested = decode(&[0x1a, 0x03, 0x08, 0x96, 0x01]).unwrap();
    assert_eq!(nested.c.map(|inner| inner.a), Some(150));
    let packed = [0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05];
    assert_eq!(decode(&packed).unwrap().f, [3, 270, 86_942]);
    for wire in [
        &[0x08, 0x96, 0x01][..],
        b"\x12\x07testing",
        &[0x1a, 0x03, 0x08, 0x96, 0x01],
        &packed,
    ] {
        torture::<Wire>(wire);
    }
}

#[test]
fn errors_name_the_fault() {
    for (wire, error) in [
        (
            &[0x08][..],
            DecodeError::Short {
                at: 1,
                need: 1,
                have: 0,
            },
        ),
        (
            &[0x12, 5, b'a'],
            DecodeError::Short {
                at: 2,
                need: 5,
                have: 1,
            },
        ),
        (
            &[0x39, 1, 2],
            DecodeError::Short {
                at: 1,
                need: 8,
                have: 2,
            },
        ),
        (
            &[0x00, 1],
            DecodeError::Wrong {
                at: 0,
                what: "field number",
                got: 0,
            },
        ),
        (
            &[0x0b],
            DecodeError::Wrong {
                at: 0,
                what: "wire type",
                got: 3,
            },
        ),
        (
            &[0x0e],
            DecodeError::Wrong {
                at: 0,
                what: "wire type",
                got: 6,
            },
        ),
    ] {
        assert_eq!(Wire::view(wire, &WIDE).unwrap_err(), error);
    }
    let long = [&[0x08][..], &[0xff; 10]].concat();
    assert!(matches!(
        Wire::view(&long, &WIDE),
        Err(DecodeError::Wrong { at: 1, .. })
    ));
    let few = Limits {
        max_items: 1,
        ..WIDE
    };
    assert!(matches!(
        Wire::view(&[8, 1, 8, 1], &few),
        Err(DecodeError::Limit { at: 2, .. })
    ));
    assert!(decode(b"\x12\x01\xff").is_err(), "text that is not UTF-8");
}

proptest! {
    #[test]
    fn values_come_back(
        a in any::<i32>(), b in ".{0,20}", f in prop::collection::vec(any::<i32>(), 0..9),
        wide in any::<u64>(), short in -1e9f32..1e9,
    ) {
        let inner = Some(Box::new(Sample { a, ..Sample::default() }));
        let sample = Payload(Sample { a, b, c: inner, f, wide, short });
        let mut wire = vec![0; Encode::<Wire>::encoded_len(&sample)];
        prop_assert_eq!(Encode::<Wire>::encode(&sample, &mut wire), Ok(wire.len()));
        prop_assert_eq!(decode(&wire).unwrap(), sample.0.clone());
        let view = Wire::view(&wire, &WIDE).unwrap();
        let found = view.fields().find(|field| field.number == 7).map(|field| field.value);
        prop_assert_eq!(found, (wide != 0).then_some(FieldValue::I64(wide)));
        prop_assert!(json(&view).starts_with('['));
        if let Some(last) = wire.len().checked_sub(1) {
            let short = Encode::<Wire>::encode(&sample, &mut vec![0; last]);
            prop_assert!(short.is_err());
        }
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        if poke::<Wire>(&bytes) {
            let _ = decode(&bytes);
        } else {
            // What our check refuses must not be a message to prost, but for the groups it skips.
            let group = Wire::view(&bytes, &WIDE).is_err_and(|e| matches!(e, DecodeError::Wrong { .. }));
            prop_assert!(group || <Sample as prost::Message>::decode(&bytes[..]).is_err());
        }
    }
}
