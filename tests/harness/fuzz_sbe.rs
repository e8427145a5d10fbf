//! The bodies of the fuzz targets of SBE: generated views against the decoder that reads the
//! schema, and the reader of schemas.

use std::fmt::Debug;
use std::path::Path;
use std::sync::LazyLock;

use tickwire_codecs::{Codec, DecodeError, Limits, ToJson};
use tickwire_sbe::capture::{self, Event, Flow, Framing, Payload, Walker};
use tickwire_sbe::{Schema, diff, dynamic, rust_source};
use tickwire_sbe_tests::{big, counted, features, features_v1, headers, names, tick, values};

use crate::fuzz_codecs::{INPUT_BYTES_MAX, check_error, json};

#[path = "../../codecs/sbe/tests/real/leaves.rs"]
mod leaves;

/// The schemas that the views were generated from.
static SCHEMAS: LazyLock<[Schema; 8]> = LazyLock::new(|| {
    [
        "tests/schemas/features.xml",
        "tests/schemas/features_v1.xml",
        "tests/schemas/big.xml",
        "schemas/tick.xml",
        "tests/schemas/headers.xml",
        "tests/schemas/values.xml",
        "tests/schemas/counted.xml",
        "tests/schemas/names.xml",
    ]
    .map(|name| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../codecs/sbe");
        let include = folder.join("tests/schemas/include");
        Schema::read(&folder.join(name), Some(&include)).expect("a schema of ours")
    })
});

/// A message, by the first byte, of one of eight schemas: every feature, the same two versions
/// earlier, big-endian, market data, headers of every kind, decimals and instants, counted groups and
/// data, names that clash.
pub fn views(data: &[u8]) {
    let Some((&first, bytes)) = data.split_first() else {
        return;
    };
    let bytes = &bytes[..bytes.len().min(INPUT_BYTES_MAX)];
    match first & 7 {
        0 => view::<features::AnyMessage>(0, bytes, |b| {
            features::AnyMessage::view(b, &Limits::FEED).map(|m| m.wire())
        }),
        1 => view::<features_v1::AnyMessage>(1, bytes, |b| {
            features_v1::AnyMessage::view(b, &Limits::FEED).map(|m| m.wire())
        }),
        2 => view::<big::AnyMessage>(2, bytes, |b| {
            big::AnyMessage::view(b, &Limits::FEED).map(|m| m.wire())
        }),
        3 => view::<tick::AnyMessage>(3, bytes, |b| {
            tick::AnyMessage::view(b, &Limits::FEED).map(|m| m.wire())
        }),
        4 => view::<headers::AnyMessage>(4, bytes, |b| {
            headers::AnyMessage::view(b, &Limits::FEED).map(|m| m.wire())
        }),
        5 => view::<values::AnyMessage>(5, bytes, |b| {
            values::AnyMessage::view(b, &Limits::FEED).map(|m| m.wire())
        }),
        6 => view::<counted::AnyMessage>(6, bytes, |b| {
            counted::AnyMessage::view(b, &Limits::FEED).map(|m| m.wire())
        }),
        _ => view::<names::AnyMessage>(7, bytes, |b| {
            names::AnyMessage::view(b, &Limits::FEED).map(|m| m.wire())
        }),
    }
}

fn view<C: Codec>(schema: usize, bytes: &[u8], wire: fn(&[u8]) -> Result<&[u8], DecodeError>)
where
    for<'a> C::View<'a>: Debug + ToJson,
{
    let by_schema = dynamic::decode(&SCHEMAS[schema], bytes);
    match C::view(bytes, &Limits::FEED) {
        Ok(view) => {
            let text = json(&view);
            let message = by_schema.expect("the view takes it");
            if message.name.is_some() {
                assert_eq!(
                    plain(leaves::of_debug(&format!("{view:?}"))),
                    plain(leaves::of_value(&message.fields)),
                    "{view:?}"
                );
            }
            // As much of the buffer as is the message's own.
            let wire = wire(bytes).expect("viewed before");
            assert!(bytes.starts_with(wire), "the message begins the buffer");
            let again = C::view(wire, &Limits::FEED).expect("its own bytes");
            assert_eq!(json(&again), text, "by its own bytes");
        }
        Err(error) => {
            check_error(error, bytes.len());
            if let Ok(message) = by_schema {
                // Entries of a newer sender that are no slice any more are none of the view's either.
                assert!(
                    matches!(
                        error,
                        DecodeError::Limit { .. }
                            | DecodeError::Depth { .. }
                            | DecodeError::Wrong {
                                what: "entries of groups or data that came later",
                                ..
                            }
                    ),
                    "{error}, but by the schema it is {message:?}"
                );
            }
        }
    }
}

/// Characters of one byte that are not ASCII: the view shows the bytes, the decoder by the schema
/// shows text where they happen to be UTF-8. Both as the latter.
fn plain(leaves: Vec<String>) -> Vec<String> {
    let one = |leaf: String| {
        let bytes: Option<Vec<u8>> = leaf.chars().map(|c| u8::try_from(c).ok()).collect();
        match bytes.map(String::from_utf8) {
            Some(Ok(text)) => text,
            _ => leaf,
        }
    };
    leaves.into_iter().map(one).collect()
}

/// A byte for one of the eight schemas, one for a framing, then a capture or one payload. Nothing panics,
/// no more messages than bytes come out, and each can be shown.
pub fn capture(data: &[u8]) {
    let [schema, framing, bytes @ ..] = data else {
        return;
    };
    let bytes = &bytes[..bytes.len().min(INPUT_BYTES_MAX)];
    let schema = &SCHEMAS[usize::from(*schema) % SCHEMAS.len()];
    let (_, framing) = Framing::ALL[usize::from(*framing) % Framing::ALL.len()];
    let mut walker = Walker::new(schema, framing);
    let (mut messages, mut lost, mut out) = (0, 0, String::new());
    let mut each = |event: Event| match event {
        Event::Message(message) => {
            messages += 1;
            message
                .write_json(&mut out)
                .and_then(|()| message.write_text(&mut out))
                .expect("a String takes any text");
            out.clear();
        }
        Event::Lost(bytes) => lost += bytes,
        Event::Refused(error) => assert!(!error.to_string().is_empty()),
        Event::OtherFrame | Event::Gap(..) => {}
    };
    if capture::is_capture(bytes) {
        // A capture that ends inside a block was handed on up to there.
        let _ = capture::payloads(bytes, |payload| walker.payload(payload, &mut each));
    } else {
        walker.payload(Payload::Datagram(bytes), &mut each);
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        let flow = Flow {
            from: address,
            to: address,
        };
        // The same bytes as a stream, in pieces.
        for bytes in bytes.chunks(7) {
            walker.payload(Payload::Stream { flow, bytes }, &mut each);
        }
        walker.payload(Payload::End { flow }, &mut each);
    }
    assert!(
        messages + lost <= 2 * bytes.len() + 2,
        "{messages} messages, {lost} bytes lost"
    );
    let found = capture::probe(schema, &[bytes.to_vec()]);
    assert!(found.iter().all(|(_, messages)| *messages > 0));
}

/// Longer schemas only take time.
const SCHEMA_BYTES_MAX: usize = 16 << 10;

/// The text of a schema. What is accepted becomes source, is the same as itself, and reads any
/// bytes without a panic.
pub fn schema(data: &[u8]) {
    let text = String::from_utf8_lossy(&data[..data.len().min(SCHEMA_BYTES_MAX)]);
    // Inclusions would read files of the machine that fuzzes.
    if text.contains("XInclude") {
        return;
    }
    let schema = match Schema::parse(&text, Path::new("fuzz.xml"), None) {
        Ok(schema) => schema,
        Err(errors) => {
            assert!(errors.iter().count() > 0, "an error says what is wrong");
            for error in &errors {
                assert!(error.at.line > 0 && error.at.column > 0, "{error}");
            }
            return;
        }
    };
    let source = rust_source(&schema, "tickwire_codecs");
    assert!(source.contains("AnyMessage"));
    let changes = diff(&schema, &schema);
    assert!(changes.is_empty(), "a schema differs from itself");
    let mut canonical = String::new();
    schema
        .canonical(&mut canonical)
        .expect("a String takes any text");
    for bytes in [data, &[0; 64], &[0xff; 64]] {
        if let Ok(message) = dynamic::decode(&schema, bytes) {
            let mut out = String::new();
            message
                .write_json(&mut out)
                .and_then(|()| message.write_text(&mut out))
                .expect("a String takes any text");
        }
    }
}
