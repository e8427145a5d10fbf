//! Invalid text: the message and the bytes stay readable, and every output form escapes the text.

use tickwire_codecs::{Codec, Dyn, DynCodec, Limits};
use tickwire_sbe_tests::features::*;

use crate::fixtures;

/// `größe` as ISO 8859-1, which is neither ASCII nor UTF-8.
const LATIN: &[u8] = b"gr\xf6\xdfe";

#[test]
fn an_invalid_byte_of_text_does_not_make_the_message_unreadable() {
    let message = EverythingBuilder {
        root: EverythingRoot {
            ticker: tickwire_codecs::Chars::new(*b"\xf6\xdf    "),
            ..fixtures::root()
        },
        extra_notes: &[EverythingExtraNotesBuilder { note: LATIN.into() }],
        symbol: LATIN.into(),
        comment: "größe".into(),
        added_text: LATIN.into(),
        ..Default::default()
    };
    let bytes = fixtures::encode::<Everything>(&message);
    let view = Everything::view(&bytes, &Limits::FEED).unwrap();
    assert_eq!(view.symbol().bytes(), LATIN);
    assert_eq!(view.symbol().text().map_err(|e| e.valid_up_to()), Err(2));
    assert_eq!(view.comment().text(), Ok("größe"));
    assert_eq!(view.added_text().map(|t| t.bytes()), Some(LATIN));
    let note = view.extra_notes().iter().next().unwrap();
    assert_eq!(note.note().bytes(), LATIN);
    assert_eq!(view.ticker().text(), None);

    let debug = format!("{view:?}");
    assert!(debug.contains(r#"symbol: "gr\xf6\xdfe""#), "{debug}");
    assert!(debug.contains(r#"comment: "größe""#), "{debug}");
    let mut json = String::new();
    let tool: &dyn DynCodec = &Dyn::<AnyMessage>::new("features");
    tool.to_json(&bytes, &Limits::FEED, &mut json).unwrap();
    assert!(
        json.contains(r#""symbol":"gr\\xf6\\xdfe","comment":"größe""#),
        "{json}"
    );
    assert_eq!(view.symbol().to_string(), r"gr\xf6\xdfe");
    assert_eq!(format!("[{:>6}]", view.comment()), "[ größe]");
    // What was read is written as it was.
    let again = EverythingBuilder {
        symbol: view.symbol(),
        comment: view.comment(),
        added_text: view.added_text().unwrap(),
        ..message
    };
    assert_eq!(fixtures::encode::<Everything>(&again), bytes);
}

/// Each byte of each text, every value.
#[test]
fn no_byte_of_a_text_refuses_a_message() {
    let message = EverythingBuilder {
        symbol: "symbol".into(),
        comment: "comment".into(),
        ..Default::default()
    };
    let bytes = fixtures::encode::<Everything>(&message);
    let texts = bytes.windows(6).position(|w| w == b"symbol").unwrap();
    for at in (texts..texts + 6).chain(texts + 8..texts + 15) {
        for value in 0..=255 {
            let mut changed = bytes.clone();
            changed[at] = value;
            let view = Everything::view(&changed, &Limits::FEED).unwrap();
            let of = if at < texts + 6 {
                view.symbol()
            } else {
                view.comment()
            };
            assert!(of.bytes().contains(&value));
        }
    }
}
