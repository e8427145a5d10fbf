//! Generated code and the dynamic decoder read the same values, down to the last leaf.

use std::fmt::Debug;
use std::sync::LazyLock;

use proptest::prelude::*;
use tickwire_codecs::{Codec, DecodeError, Limits};
use tickwire_sbe::{Schema, dynamic};
use tickwire_sbe_tests::{big, counted, features, headers, names, tick, values};

use crate::fixtures;
use crate::hostile::schema;

#[path = "../../../tests/real/leaves.rs"]
mod leaves;

fn agree<C: Codec>(schema: &Schema, name: &str, bytes: &[u8])
where
    for<'a> C::View<'a>: Debug,
{
    let view = C::view(bytes, &Limits::FEED).unwrap();
    let message = dynamic::decode(schema, bytes).unwrap();
    assert_eq!(
        leaves::of_debug(&format!("{view:?}")),
        leaves::of_value(&message.fields),
        "{name}\n{view:#?}"
    );
}

#[test]
fn leaves_agree() {
    let schema_ = &*FEATURES;
    for (name, bytes) in fixtures::features() {
        agree::<features::AnyMessage>(schema_, name, &bytes);
    }
    let schema_ = &schema("schemas/tick.xml");
    for (name, bytes) in fixtures::tick() {
        agree::<tick::AnyMessage>(schema_, name, &bytes);
    }
    agree::<big::AnyMessage>(&schema("tests/schemas/big.xml"), "Sample", &fixtures::big());
    let schema_ = &*HEADERS;
    for (name, bytes) in crate::headers::messages() {
        agree::<headers::AnyMessage>(schema_, name, &bytes);
    }
    let schema_ = &*VALUES;
    for (name, bytes) in crate::values::messages() {
        agree::<values::AnyMessage>(schema_, name, &bytes);
    }
    let schema_ = &*COUNTED;
    for (name, bytes) in crate::counted::messages() {
        agree::<counted::AnyMessage>(schema_, name, &bytes);
    }
    let schema_ = &schema("tests/schemas/names.xml");
    agree::<names::AnyMessage>(schema_, "Header", &crate::names::message());
}

/// Compares every flip of a message that is still one; gives how many there were.
fn agree_after_flips<C: Codec>(schema: &Schema, messages: Vec<(&'static str, Vec<u8>)>) -> usize
where
    for<'a> C::View<'a>: Debug,
{
    let mut compared = 0;
    for (name, bytes) in messages {
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut flipped = bytes.clone();
                flipped[at] = value;
                // A template that nobody knows has no leaves.
                let is_known = dynamic::decode(schema, &flipped).is_ok_and(|m| m.name.is_some());
                if is_known && C::view(&flipped, &Limits::FEED).is_ok() {
                    agree::<C>(schema, name, &flipped);
                    compared += 1;
                }
            }
        }
    }
    compared
}

/// Flipped messages that are still messages have to be read alike too: header, counts and text included.
#[test]
fn leaves_agree_after_flips() {
    let compared = [
        agree_after_flips::<features::AnyMessage>(&FEATURES, fixtures::features()),
        agree_after_flips::<headers::AnyMessage>(&HEADERS, crate::headers::messages()),
        agree_after_flips::<values::AnyMessage>(&VALUES, crate::values::messages()),
        agree_after_flips::<counted::AnyMessage>(&COUNTED, crate::counted::messages()),
    ];
    assert!(
        compared.iter().all(|n| *n > 300) && compared.iter().sum::<usize>() > 4000,
        "{compared:?} flips were still messages"
    );
}

/// A view takes what the decoder by the schema takes, and refuses what it refuses, but for its limits and
/// for entries of a newer sender that are no slice any more. Counts, lengths and versions are small
/// numbers, so that mutated messages are often still some.
fn accepted_alike<C: Codec>(schema: &Schema, bytes: &[u8], mutations: &[(usize, u8)], cut: usize)
where
    for<'a> C::View<'a>: Debug,
{
    let mut bytes = bytes[..bytes.len() - cut.min(bytes.len())].to_vec();
    for (at, value) in mutations {
        let len = bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(at % len) {
            *byte = *value;
        }
    }
    let decoded = dynamic::decode(schema, &bytes);
    match C::view(&bytes, &Limits::FEED) {
        Ok(_) if decoded.as_ref().is_ok_and(|m| m.name.is_none()) => {}
        Ok(_) => agree::<C>(schema, "mutated", &bytes),
        Err(
            DecodeError::Limit { .. }
            | DecodeError::Depth { .. }
            | DecodeError::Wrong {
                what: "entries of groups or data that came later",
                ..
            },
        ) => {}
        Err(error) => assert!(decoded.is_err(), "{error}, but {decoded:?}: {bytes:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn mutated_messages_are_accepted_alike(
        which in 0usize..100,
        mutations in prop::collection::vec((0usize..400, prop_oneof![0u8..8, any::<u8>()]), 0..6),
        cut in prop_oneof![3 => Just(0usize), 1 => 0usize..20],
    ) {
        let pick = |messages: &[(&str, Vec<u8>)]| messages[which % messages.len()].1.clone();
        accepted_alike::<features::AnyMessage>(&FEATURES, &pick(&fixtures::features()), &mutations, cut);
        accepted_alike::<headers::AnyMessage>(&HEADERS, &pick(&crate::headers::messages()), &mutations, cut);
        accepted_alike::<counted::AnyMessage>(&COUNTED, &pick(&crate::counted::messages()), &mutations, cut);
        accepted_alike::<values::AnyMessage>(&VALUES, &pick(&crate::values::messages()), &mutations, cut);
    }
}

static FEATURES: LazyLock<Schema> = LazyLock::new(|| schema("tests/schemas/features.xml"));
static HEADERS: LazyLock<Schema> = LazyLock::new(|| schema("tests/schemas/headers.xml"));
static COUNTED: LazyLock<Schema> = LazyLock::new(|| schema("tests/schemas/counted.xml"));
static VALUES: LazyLock<Schema> = LazyLock::new(|| schema("tests/schemas/values.xml"));

/// A block that ends before fields that stand behind added ones, under every version.
#[test]
fn leaves_agree_wherever_a_block_ends() {
    let schema_ = &*FEATURES;
    let root = features::BehindRoot {
        first: 1.into(),
        added: 2.into(),
        behind: 3.into(),
        ..Default::default()
    };
    let whole = fixtures::encode::<features::Behind>(&root);
    for version in 0..=4 {
        for block in 0..whole.len() - 8 {
            let mut bytes = whole[..8 + block].to_vec();
            (bytes[0], bytes[6]) = (block as u8, version);
            if block < 4 {
                let view = features::Behind::view(&bytes, &Limits::FEED);
                assert!(view.is_err() && dynamic::decode(schema_, &bytes).is_err());
            } else {
                agree::<features::AnyMessage>(schema_, "Behind", &bytes);
            }
        }
    }
}
