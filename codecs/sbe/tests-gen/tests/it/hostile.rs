//! Invalid bytes: every call returns, and every accepted message can be read whole.

use std::fmt::Write;
use std::path::Path;

use tickwire_codecs::sbe::{Messages, View, ViewFirst};
use tickwire_codecs::{Codec, DecodeError, Limits};
use tickwire_sbe::{Schema, dynamic};
use tickwire_sbe_tests::{big, counted, features, headers, names, tick, values};

use crate::fixtures;

const SCHEMAS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

pub(crate) fn schema(name: &str) -> Schema {
    let folder = Path::new(SCHEMAS);
    let include = folder.join("tests/schemas/include");
    Schema::read(&folder.join(name), Some(&include)).unwrap()
}

/// Views and prints, which calls every accessor; whether the bytes were a message.
fn view<C: Codec>(bytes: &[u8]) -> bool
where
    for<'a> C::View<'a>: std::fmt::Debug,
{
    match C::view(bytes, &Limits::FEED) {
        Ok(view) => write!(Sink, "{view:?}").is_ok(),
        Err(error) => {
            assert!(
                error.at() as usize <= bytes.len(),
                "{error:?} points behind {} bytes",
                bytes.len()
            );
            false
        }
    }
}

/// Discards its input.
struct Sink;

impl Write for Sink {
    fn write_str(&mut self, _: &str) -> std::fmt::Result {
        Ok(())
    }
}

/// The message at the front and all messages: what is given and what is left are the bytes.
fn first<C: ViewFirst>(bytes: &[u8])
where
    for<'a> C::View<'a>: std::fmt::Debug + View<'a>,
{
    let strict = C::view(bytes, &Limits::FEED);
    match C::view_first(bytes, &Limits::FEED) {
        Ok((view, behind)) => {
            assert_eq!([view.wire(), behind].concat(), bytes);
            // Strict is this and nothing behind, or a newer version.
            assert!(strict.is_ok() || !behind.is_empty());
        }
        Err(error) => assert_eq!(strict.map(|_| ()), Err(error)),
    }
    let given = Messages::<C>::new(bytes, &Limits::FEED).map_while(Result::ok);
    assert!(given.map(|view| view.wire().len()).sum::<usize>() <= bytes.len());
}

/// The same by the schema.
fn by_schema(schema: &Schema, bytes: &[u8]) -> bool {
    dynamic::decode(schema, bytes)
        .is_ok_and(|message| message.write_json(&mut String::new()).is_ok())
}

/// Every truncation is refused, every value of every byte returns.
fn storm<C: ViewFirst>(schema: &Schema, name: &str, bytes: &[u8])
where
    for<'a> C::View<'a>: std::fmt::Debug + View<'a>,
{
    assert!(view::<C>(bytes) && by_schema(schema, bytes), "{name}");
    first::<C>(bytes);
    for len in 0..bytes.len() {
        assert!(!view::<C>(&bytes[..len]), "{name} cut to {len} bytes");
        assert!(
            !by_schema(schema, &bytes[..len]),
            "{name} cut to {len} bytes"
        );
    }
    let mut flipped = bytes.to_vec();
    for at in 0..bytes.len() {
        for value in 0..=255 {
            flipped[at] = value;
            view::<C>(&flipped);
            first::<C>(&flipped);
        }
        for bit in 0..8 {
            flipped[at] = bytes[at] ^ 1 << bit;
            by_schema(schema, &flipped);
        }
        flipped[at] = bytes[at];
    }
}

#[test]
fn every_truncation_and_every_flip() {
    let schema = schema("tests/schemas/features.xml");
    for (name, bytes) in fixtures::features() {
        storm::<features::AnyMessage>(&schema, name, &bytes);
    }
}

#[test]
fn every_truncation_and_every_flip_of_ticks() {
    let schema = schema("schemas/tick.xml");
    for (name, bytes) in fixtures::tick() {
        storm::<tick::AnyMessage>(&schema, name, &bytes);
    }
}

#[test]
fn every_truncation_and_every_flip_big_endian() {
    storm::<big::AnyMessage>(&schema("tests/schemas/big.xml"), "Sample", &fixtures::big());
}

#[test]
fn every_truncation_and_every_flip_of_headers_and_values() {
    let schema_ = schema("tests/schemas/headers.xml");
    for (name, bytes) in crate::headers::messages() {
        storm::<headers::AnyMessage>(&schema_, name, &bytes);
    }
    let schema_ = schema("tests/schemas/values.xml");
    for (name, bytes) in crate::values::messages() {
        storm::<values::AnyMessage>(&schema_, name, &bytes);
    }
    let schema_ = schema("tests/schemas/counted.xml");
    for (name, bytes) in crate::counted::messages() {
        storm::<counted::AnyMessage>(&schema_, name, &bytes);
    }
    let schema_ = schema("tests/schemas/names.xml");
    storm::<names::AnyMessage>(&schema_, "Header", &crate::names::message());
}

#[test]
fn a_count_without_bytes_costs_nothing() {
    // 4 billion fills announced: refused before the first is touched.
    let mut bytes =
        fixtures::encode::<features::Everything>(&features::EverythingBuilder::default());
    let fills = 8 + features::Everything::BLOCK_LENGTH as usize + 4 + 4;
    bytes[fills..fills + 8].copy_from_slice(&[0, 0, 0, 0, 255, 255, 255, 255]);
    assert!(features::Everything::view(&bytes, &Limits::FEED).is_err());
    assert!(features::Everything::view(&bytes, &Limits::BULK).is_err());
    let all = Limits {
        max_msg: u32::MAX,
        max_items: u32::MAX,
        max_depth: 64,
    };
    assert!(features::Everything::view(&bytes, &all).is_err());
    assert!(dynamic::decode(&schema("tests/schemas/features.xml"), &bytes).is_err());
}

/// A `Hollow` of version 2, which knows no notes: each page says `notes` entries of no byte.
fn pages(pages: u16, notes: u16) -> Vec<u8> {
    let mut bytes = vec![3, 0, 6, 0, 77, 0, 2, 0, 0, 0, 0];
    bytes.extend([0; 4 + 3 * 4]);
    bytes.extend([[0, 0], pages.to_le_bytes()].concat());
    bytes.extend([[0, 0], notes.to_le_bytes()].concat().repeat(pages.into()));
    bytes
}

/// An older sender's entries of no byte are entries, and no more than `max_items` of them are
/// believed in one message: its length says nothing about them.
#[test]
fn entries_without_bytes_are_bounded_in_all() {
    let limits = Limits::FEED;
    let bytes = pages(4, 1024);
    let view = features::Hollow::view(&bytes, &limits).unwrap();
    let notes = view.pages().into_iter().flat_map(|page| page.notes());
    assert_eq!(notes.filter(|note| note.note().is_none()).count(), 4096);
    assert_eq!(format!("{view:?}").matches("note: None").count(), 4096);
    for (many, each) in [(5, 1024), (2, 4096), (4096, 4096)] {
        let bytes = pages(many, each);
        assert_eq!(
            features::Hollow::view(&bytes, &limits).map(|_| ()),
            Err(DecodeError::Limit {
                at: 31 + 4 * (4096 / u32::from(each) + 1),
                what: "items",
                got: 4096 + u64::from(each),
                max: 4096
            })
        );
    }
}
