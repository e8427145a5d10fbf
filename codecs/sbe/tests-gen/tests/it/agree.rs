//! Generated code and the dynamic decoder read the same values, down to the last leaf.

use std::fmt::Debug;

use tickwire_codecs::{Codec, Limits};
use tickwire_sbe::{Schema, dynamic};
use tickwire_sbe_tests::{big, features, tick};

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
    let schema_ = schema("tests/schemas/features.xml");
    for (name, bytes) in fixtures::features() {
        agree::<features::AnyMessage>(&schema_, name, &bytes);
    }
    let schema_ = schema("schemas/tick.xml");
    for (name, bytes) in fixtures::tick() {
        agree::<tick::AnyMessage>(&schema_, name, &bytes);
    }
    agree::<big::AnyMessage>(&schema("tests/schemas/big.xml"), "Sample", &fixtures::big());
}

/// Flipped messages that are still messages have to be read alike too.
#[test]
fn leaves_agree_after_flips() {
    let schema_ = schema("tests/schemas/features.xml");
    let mut compared = 0;
    for (name, bytes) in fixtures::features() {
        for at in 8..bytes.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut flipped = bytes.clone();
                flipped[at] = value;
                if features::AnyMessage::view(&flipped, &Limits::FEED).is_ok() {
                    agree::<features::AnyMessage>(&schema_, name, &flipped);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 1000, "{compared} flips were still messages");
}

/// A block that ends before fields that stand behind added ones, under every version.
#[test]
fn leaves_agree_wherever_a_block_ends() {
    let schema_ = schema("tests/schemas/features.xml");
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
                assert!(view.is_err() && dynamic::decode(&schema_, &bytes).is_err());
            } else {
                agree::<features::AnyMessage>(&schema_, "Behind", &bytes);
            }
        }
    }
}
