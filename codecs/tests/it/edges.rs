//! What peers can send and users can ask for at the edges: every budget of memory, values that no
//! type has, counts past every container, each kind of a document's items by each of its names.

use std::num::NonZeroU8;
use std::time::Duration;

use tickwire_codecs::{
    Codec, DecodeError, Encode, Limits,
    bincode::{Bincode, Engine, Fix, Message, Payload, Var, wincode::fix},
    cbor::Cbor,
    fingerprint,
    msgpack::Msgpack,
};

/// Limits of messages, one for each budget of memory.
const MAX_MSG: [u32; 4] = [1 << 10, 64 << 10, 1 << 20, 10 << 20];

#[test]
fn every_budget_accepts_the_longest_message_and_refuses_a_length_bomb() {
    for max_msg in MAX_MSG {
        let limits = Limits {
            max_msg,
            ..Limits::BULK
        };
        let value = vec![7_u8; max_msg as usize - 8];
        let mut wire = vec![0; max_msg as usize];
        assert_eq!(Fix::encode(&value, &mut wire), Ok(wire.len()));
        assert!(Fix::decode::<Vec<u8>>(&wire, &limits).unwrap() == value);
        assert!(fix::decode::<Vec<u8>>(&wire, &limits).unwrap() == value);
        wire[..8].copy_from_slice(&(1_u64 << 40).to_le_bytes());
        for refused in [
            Fix::decode::<Vec<u64>>(&wire, &limits).err(),
            fix::decode::<Vec<u64>>(&wire, &limits).err(),
        ] {
            assert!(
                matches!(refused, Some(DecodeError::Limit { .. })),
                "{refused:?} of at most {max_msg} bytes"
            );
        }
    }
}

struct Text;

impl Message for Text {
    const FINGERPRINT: u64 = fingerprint(b"str");
    type Value<'a> = &'a str;
}

#[test]
fn every_budget_lends_text() {
    type Wire = Bincode<Var, Text>;
    for max_msg in MAX_MSG {
        let limits = Limits {
            max_msg,
            ..Limits::BULK
        };
        let text = "x".repeat(max_msg as usize - 5);
        let payload = Payload(text.as_str());
        let mut wire = vec![0; max_msg as usize];
        let len = Encode::<Wire>::encode(&payload, &mut wire).unwrap();
        assert_eq!(Encode::<Wire>::encoded_len(&payload), len);
        assert!(Wire::view(&wire[..len], &limits).unwrap() == text);
    }
}

fn wrong<T>(decoded: Result<T, DecodeError>) -> Option<(&'static str, u64)> {
    match decoded {
        Err(DecodeError::Wrong { what, got, .. }) => Some((what, got)),
        _ => None,
    }
}

#[test]
fn errors_name_invalid_values() {
    let limits = &Limits::DEVICE;
    assert_eq!(wrong(Fix::decode::<bool>(&[2], limits)), Some(("bool", 2)));
    assert_eq!(wrong(fix::decode::<bool>(&[2], limits)), Some(("bool", 2)));
    for lead in [0x80, 0xff] {
        let by_both = [
            wrong(Fix::decode::<char>(&[lead], limits)),
            wrong(fix::decode::<char>(&[lead], limits)),
        ];
        assert_eq!(by_both.map(|w| w.map(|w| w.0)), [Some("char"); 2]);
    }
    // Half of a surrogate pair is no char, and no UTF-8 either.
    let half = &[0xed, 0xa0, 0x80];
    let by_bincode = wrong(Fix::decode::<char>(half, limits));
    assert_eq!(by_bincode.map(|w| w.0), Some("char"));
    let by_wincode = fix::decode::<char>(half, limits);
    assert!(matches!(by_wincode, Err(DecodeError::Utf8 { .. })));
    let zero = wrong(Fix::decode::<NonZeroU8>(&[0], limits));
    assert_eq!(zero, Some(("number that cannot be zero", 0)));
    let long = wrong(Fix::decode::<Duration>(&[0xff; 12], limits));
    assert_eq!(long, Some(("duration", u64::MAX)));
}

/// A count of 32 bits in five bytes: no limit lets it through to where it would be a number of its own.
#[test]
fn a_count_past_every_container_is_refused() {
    let limits = Limits {
        max_items: u32::MAX,
        ..Limits::BULK
    };
    for bytes in [[0x9a, 255, 255, 255, 255], [0xba, 255, 255, 255, 255]] {
        let refused = Cbor::view(&bytes, &limits).err();
        assert!(
            matches!(refused, Some(DecodeError::Limit { what: "items", .. })),
            "{refused:?}"
        );
    }
    for bytes in [[0xdd, 255, 255, 255, 255], [0xdf, 255, 255, 255, 255]] {
        let refused = Msgpack::view(&bytes, &limits).err();
        assert!(
            matches!(refused, Some(DecodeError::Limit { what: "items", .. })),
            "{refused:?}"
        );
    }
}

/// `{u: 7, n: -7, f: 1.5, b: true, s: "x", d: h'09', a: [5]}`, asked for by every kind.
macro_rules! kinds {
    ($codec:ty, $wire:expr) => {{
        let wire = $wire;
        let map = <$codec>::view(&wire, &Limits::FEED).unwrap();
        let of = |name| map.member(name).unwrap();
        let kinds = |name| {
            let node = of(name);
            [
                node.as_u64().is_some(),
                node.as_i64().is_some(),
                node.as_f64().is_some(),
                node.as_bool().is_some(),
                node.as_str().is_some(),
                node.as_bin().is_some(),
                node.items().is_some(),
                node.entries().is_some(),
            ]
            .map(u8::from)
        };
        assert_eq!(kinds("u"), [1, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(kinds("n"), [0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(kinds("f"), [0, 0, 1, 0, 0, 0, 0, 0]);
        assert_eq!(kinds("b"), [0, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(kinds("s"), [0, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(kinds("d"), [0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(kinds("a"), [0, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!((of("u").as_u64(), of("n").as_i64()), (Some(7), Some(-7)));
        assert_eq!(
            (of("f").as_f64(), of("b").as_bool()),
            (Some(1.5), Some(true))
        );
        assert_eq!(
            (of("s").as_str(), of("d").as_bin()),
            (Some("x"), Some(&[9][..]))
        );
        let items: Vec<_> = of("a").items().unwrap().map(|n| n.as_u64()).collect();
        assert_eq!(items, [Some(5)]);
        assert_eq!(map.entries().unwrap().count(), 7);
        assert!(map.member("z").is_none() && of("a").member("u").is_none());
    }};
}

#[test]
fn readers_refuse_items_of_another_kind() {
    kinds!(
        Msgpack,
        [
            &[0x87, 0xa1, b'u', 7, 0xa1, b'n', 0xf9][..],
            &[0xa1, b'f', 0xca, 0x3f, 0xc0, 0, 0, 0xa1, b'b', 0xc3],
            &[0xa1, b's', 0xa1, b'x', 0xa1, b'd', 0xc4, 1, 9],
            &[0xa1, b'a', 0x91, 5],
        ]
        .concat()
    );
    kinds!(
        Cbor,
        [
            &[0xa7, 0x61, b'u', 7, 0x61, b'n', 0x26][..],
            &[0x61, b'f', 0xfa, 0x3f, 0xc0, 0, 0, 0x61, b'b', 0xf5],
            &[0x61, b's', 0x61, b'x', 0x61, b'd', 0x41, 9],
            &[0x61, b'a', 0x81, 5],
        ]
        .concat()
    );
}
