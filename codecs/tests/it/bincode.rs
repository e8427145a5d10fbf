//! The two bincode formats: the specification's bytes, and two engines held to one behaviour.

use proptest::prelude::*;
use std::collections::BTreeMap;
use tickwire_codecs::{
    Codec, DecodeError, EncodeError, Held, Limits, Offer,
    bincode::{
        Bincode, Engine, Fix, Message, Payload, Var,
        wincode::{fix, var},
    },
    fingerprint,
};

#[derive(
    bincode::Encode,
    bincode::Decode,
    wincode::SchemaRead,
    wincode::SchemaWrite,
    Clone,
    PartialEq,
    Debug,
)]
enum Side {
    Buy,
    Sell { short: bool },
}

#[derive(
    bincode::Encode,
    bincode::Decode,
    wincode::SchemaRead,
    wincode::SchemaWrite,
    Clone,
    PartialEq,
    Debug,
)]
struct Order {
    id: u64,
    delta: i32,
    price: i64,
    small: u8,
    side: Side,
    symbol: String,
    levels: Vec<(i64, u32)>,
    note: Option<String>,
    flags: [u16; 3],
    raw: Vec<u8>,
}

fn orders() -> impl Strategy<Value = Order> {
    let side = prop_oneof![
        Just(Side::Buy),
        any::<bool>().prop_map(|short| Side::Sell { short })
    ];
    let level = prop_oneof![any::<(i64, u32)>(), (-300..300i64, 0..300u32)];
    (
        any::<(u64, i32, i64, u8)>(),
        side,
        ".{0,12}",
        prop::collection::vec(level, 0..8),
        prop::option::of(".{0,6}"),
        any::<[u16; 3]>(),
        prop::collection::vec(any::<u8>(), 0..300),
    )
        .prop_map(
            |((id, delta, price, small), side, symbol, levels, note, flags, raw)| Order {
                id,
                delta,
                price,
                small,
                side,
                symbol,
                levels,
                note,
                flags,
                raw,
            },
        )
}

/// Both engines on the same bytes: the same value, or both refuse.
fn same(bytes: &[u8], limits: &Limits) -> Option<Order> {
    let a = Fix::decode::<Order>(bytes, limits);
    let b = fix::decode::<Order>(bytes, limits);
    assert_eq!(
        a.as_ref().ok(),
        b.as_ref().ok(),
        "fix: {a:?} / {b:?} of {bytes:02x?}"
    );
    let c = Var::decode::<Order>(bytes, limits);
    let d = var::decode::<Order>(bytes, limits);
    assert_eq!(
        c.as_ref().ok(),
        d.as_ref().ok(),
        "var: {c:?} / {d:?} of {bytes:02x?}"
    );
    for error in [
        a.as_ref().err(),
        b.as_ref().err(),
        c.as_ref().err(),
        d.as_ref().err(),
    ]
    .into_iter()
    .flatten()
    {
        assert!(error.at() as usize <= bytes.len(), "{error}");
    }
    a.ok().or(c.ok())
}

fn sample() -> Order {
    Order {
        id: 1 << 40,
        delta: -7,
        price: -1 << 33,
        small: 9,
        side: Side::Sell { short: true },
        symbol: "BTCUSDT".into(),
        levels: vec![(250, 251), (-126, 70_000)],
        note: Some("x".into()),
        flags: [0, 250, 65_535],
        raw: vec![1, 2, 3],
    }
}

#[test]
fn bytes_of_the_specification() {
    // bincode 2 specification (docs/spec.md), tuples and "IntEncoding".
    let mut wire = [0; 32];
    assert_eq!(Fix::encode(&(u32::MIN, i32::MAX), &mut wire), Ok(8));
    assert_eq!(wire[..8], [0, 0, 0, 0, 255, 255, 255, 127]);
    for (value, bytes) in [
        (0u64, &[0u8][..]),
        (250, &[250]),
        (251, &[251, 251, 0]),
        (65_535, &[251, 255, 255]),
        (65_536, &[252, 0, 0, 1, 0]),
        (1 << 32, &[253, 0, 0, 0, 0, 1, 0, 0, 0]),
    ] {
        assert_eq!(Var::encode(&value, &mut wire), Ok(bytes.len()));
        assert_eq!(wire[..bytes.len()], *bytes);
        assert_eq!(Var::decode::<u64>(bytes, &Limits::DEVICE), Ok(value));
        assert_eq!(var::decode::<u64>(bytes, &Limits::DEVICE), Ok(value));
    }
    // Zigzag: 0, -1, 1, -2, 2 become 0 to 4.
    for (value, byte) in [(0i32, 0u8), (-1, 1), (1, 2), (-2, 3), (2, 4)] {
        assert_eq!(Var::encode(&value, &mut wire), Ok(1));
        assert_eq!(wire[0], byte);
    }
}

#[test]
fn trailing_bytes_and_long_messages_are_refused() {
    let order = sample();
    let mut wire = vec![0; Fix::encoded_len(&order).unwrap() + 1];
    let len = Fix::encode(&order, &mut wire).unwrap();
    let trailing = DecodeError::Trailing {
        at: len as u32,
        extra: 1,
    };
    assert_eq!(Fix::decode::<Order>(&wire, &Limits::FEED), Err(trailing));
    assert_eq!(fix::decode::<Order>(&wire, &Limits::FEED), Err(trailing));
    let tight = Limits {
        max_msg: len as u32 - 1,
        ..Limits::FEED
    };
    assert!(matches!(
        Fix::decode::<Order>(&wire[..len], &tight),
        Err(DecodeError::Limit { .. })
    ));
    assert!(matches!(
        fix::decode::<Order>(&wire[..len], &tight),
        Err(DecodeError::Limit { .. })
    ));
    let room = EncodeError::Room {
        need: len,
        have: len - 1,
    };
    assert_eq!(Fix::encode(&order, &mut wire[..len - 1]), Err(room));
    assert_eq!(fix::encode(&order, &mut wire[..len - 1]), Err(room));
}

#[test]
fn a_length_bomb_is_refused_by_its_size_in_memory() {
    let mut wire = [0u8; 16];
    wire[..8].copy_from_slice(&(1u64 << 40).to_le_bytes());
    assert!(matches!(
        Fix::decode::<Vec<u64>>(&wire, &Limits::DEVICE),
        Err(DecodeError::Limit { .. })
    ));
    assert!(matches!(
        fix::decode::<Vec<u64>>(&wire, &Limits::DEVICE),
        Err(DecodeError::Limit { .. })
    ));
    let bomb = [253, 0, 0, 0, 0, 0, 1, 0, 0];
    assert!(Var::decode::<Vec<u64>>(&bomb, &Limits::DEVICE).is_err());
    assert!(var::decode::<Vec<u64>>(&bomb, &Limits::DEVICE).is_err());
}

#[test]
fn the_engines_agree_on_every_truncation_and_changed_byte() {
    let order = sample();
    for wire in [
        {
            let mut w = vec![0; Fix::encoded_len(&order).unwrap()];
            Fix::encode(&order, &mut w).unwrap();
            w
        },
        {
            let mut w = vec![0; Var::encoded_len(&order).unwrap()];
            Var::encode(&order, &mut w).unwrap();
            w
        },
    ] {
        assert_eq!(same(&wire, &Limits::FEED), Some(order.clone()));
        for cut in 0..wire.len() {
            assert_eq!(same(&wire[..cut], &Limits::FEED), None);
        }
        let mut changed = wire.clone();
        for at in 0..wire.len() {
            for value in 0..=255 {
                changed[at] = value;
                same(&changed, &Limits::DEVICE);
            }
            changed[at] = wire[at];
        }
    }
}

/// A type that travels on a channel: its view borrows from the frame.
struct Chat;

#[derive(bincode::Encode, bincode::BorrowDecode, Clone, Copy, PartialEq, Debug)]
struct ChatView<'a> {
    from: u32,
    text: &'a str,
}

impl Message for Chat {
    const FINGERPRINT: u64 = fingerprint(b"Chat{from:u32,text:str}");
    type Value<'a> = ChatView<'a>;
}

#[test]
fn a_typed_message_is_a_codec_and_can_be_held() {
    type Wire = Bincode<Var, Chat>;
    let value = ChatView {
        from: 300,
        text: "héllo",
    };
    let payload = Payload(value);
    let encode = |out: &mut [u8]| tickwire_codecs::Encode::<Wire>::encode(&payload, out);
    let mut wire = vec![0; 3 + 1 + 6];
    assert_eq!(encode(&mut wire), Ok(10));
    assert_eq!(Wire::view(&wire, &Limits::DEVICE), Ok(value));
    let held = Held::<Wire>::new(wire.clone().into(), &Limits::DEVICE).unwrap();
    let moved = std::thread::spawn(move || held.view().map(|view| view.text.len())).join();
    assert_eq!(moved.unwrap(), Ok(6));
    wire[5] = 0xff;
    assert!(matches!(
        Wire::view(&wire, &Limits::DEVICE),
        Err(DecodeError::Utf8 { .. })
    ));
    assert!(Held::<Wire>::new(wire.into(), &Limits::DEVICE).is_err());
    let offer = Offer::of::<Wire>(Limits::DEVICE).fingerprint(Chat::FINGERPRINT);
    assert!(offer.wire.is_rigid());
}

proptest! {
    #[test]
    fn the_engines_write_and_read_the_same(order in orders()) {
        let len = Fix::encoded_len(&order).unwrap();
        let (mut a, mut b) = (vec![0; len], vec![0; len]);
        prop_assert_eq!(Fix::encode(&order, &mut a), Ok(len));
        prop_assert_eq!(fix::encoded_len(&order), Ok(len));
        prop_assert_eq!(fix::encode(&order, &mut b), Ok(len));
        prop_assert_eq!(&a, &b);
        prop_assert_eq!(same(&a, &Limits::FEED), Some(order.clone()));
        let len = Var::encoded_len(&order).unwrap();
        let (mut a, mut b) = (vec![0; len], vec![0; len]);
        prop_assert_eq!(Var::encode(&order, &mut a), Ok(len));
        prop_assert_eq!(var::encoded_len(&order), Ok(len));
        prop_assert_eq!(var::encode(&order, &mut b), Ok(len));
        prop_assert_eq!(&a, &b);
        prop_assert_eq!(Var::decode::<Order>(&a, &Limits::FEED), Ok(order.clone()));
        prop_assert_eq!(var::decode::<Order>(&a, &Limits::FEED), Ok(order));
    }

    #[test]
    fn the_engines_agree_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        same(&bytes, &Limits::DEVICE);
    }

    #[test]
    fn maps_agree_too(map in prop::collection::btree_map(any::<u32>(), ".{0,4}", 0..10)) {
        let mut wire = vec![0; Var::encoded_len(&map).unwrap()];
        Var::encode(&map, &mut wire).unwrap();
        prop_assert_eq!(var::decode::<BTreeMap<u32, String>>(&wire, &Limits::FEED), Ok(map));
    }
}
