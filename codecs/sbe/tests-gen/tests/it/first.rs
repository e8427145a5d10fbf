//! Padding behind a message, and several messages in one buffer.

use tickwire_codecs::framing::{ByteOrder, LengthField};
use tickwire_codecs::sbe::{HeaderLength, Messages, Padded, Tally, View, ViewFirst};
use tickwire_codecs::{Batch, Codec, DecodeError, Dyn, DynCodec, Encode, Held, Limits};
use tickwire_sbe::dynamic;
use tickwire_sbe_tests::{features, headers, names, padded};

use crate::fixtures;
use crate::hostile::schema;

/// A message of 12 bytes in a frame of 16, as venues send that round frames up to 8 bytes.
const PADDED: [u8; 16] = [4, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];

#[test]
fn padding_is_left_over_or_refused() {
    let trailing = DecodeError::Trailing { at: 12, extra: 4 };
    assert_eq!(
        padded::M::view(&PADDED, &Limits::FEED).map(|_| ()),
        Err(trailing)
    );
    assert_eq!(
        padded::AnyMessage::view(&PADDED, &Limits::FEED).map(|_| ()),
        Err(trailing)
    );

    let (view, rest) = padded::M::view_first(&PADDED, &Limits::FEED).unwrap();
    assert_eq!(
        (view.x(), view.wire(), rest),
        (1, &PADDED[..12], &[0; 4][..])
    );
    assert_eq!(fixtures::encode::<padded::M>(&view), PADDED[..12]);
    let (message, rest) = padded::AnyMessage::view_first(&PADDED, &Limits::FEED).unwrap();
    assert!(matches!(message, padded::Message::M(m) if m.x() == 1));
    assert_eq!(rest, [0; 4]);

    let view = Padded::<padded::M>::view(&PADDED, &Limits::FEED).unwrap();
    assert_eq!(view.wire(), &PADDED[..12]);
    let held = Held::<Padded<padded::AnyMessage>>::new(PADDED.to_vec().into(), &Limits::FEED);
    assert_eq!(held.unwrap().view().map(|m| m.template_id()), Ok(1));
    let tool: &dyn DynCodec = &Dyn::<Padded<padded::AnyMessage>>::new("padded");
    let mut json = String::new();
    tool.to_json(&PADDED, &Limits::FEED, &mut json).unwrap();
    assert_eq!(json, r#"{"template":1,"name":"M","fields":{"x":1}}"#);
    // The decoder by the schema counts the same bytes.
    let decoded = dynamic::decode_first(&schema("tests/schemas/padded.xml"), &PADDED).unwrap();
    assert_eq!(decoded.trailing, 4);
}

#[test]
fn frames_with_a_length_may_be_padded() {
    let mut stream = Vec::new();
    for frame in [&PADDED[..], &PADDED[..12], &PADDED[..13]] {
        stream.extend((frame.len() as u16).to_le_bytes());
        stream.extend(frame);
    }
    let batch = Batch::new(&stream, LengthField::u16(ByteOrder::Little), &Limits::FEED);
    let strict: Vec<_> = batch
        .clone()
        .views::<padded::M>()
        .map(|m| m.map(|m| m.x()))
        .collect();
    assert_eq!(
        strict,
        [
            Err(DecodeError::Trailing { at: 14, extra: 4 }),
            Ok(1),
            Err(DecodeError::Trailing { at: 46, extra: 1 })
        ]
    );
    let padded: Vec<_> = batch
        .views::<Padded<padded::M>>()
        .map(|m| m.map(|m| m.x()))
        .collect();
    assert_eq!(padded, [Ok(1); 3]);
}

fn m(x: u32) -> Vec<u8> {
    fixtures::encode::<padded::M>(&padded::MRoot { x: x.into() })
}

fn n(y: u8) -> Vec<u8> {
    fixtures::encode::<padded::N>(&padded::NRoot { y })
}

fn number(message: padded::Message<'_>) -> u32 {
    match message {
        padded::Message::M(m) => m.x(),
        padded::Message::N(n) => n.y().into(),
        padded::Message::Unknown(unknown) => unknown.bytes.len() as u32 * 1000,
    }
}

fn numbers<'a>(messages: Messages<'a, padded::AnyMessage>) -> Vec<Result<u32, DecodeError>> {
    messages.map(|message| message.map(number)).collect()
}

#[test]
fn adjacent_messages() {
    let datagram = [m(5), n(6), m(7)].concat();
    let all = || padded::AnyMessage::views(&datagram, &Limits::FEED);
    assert_eq!(numbers(all()), [Ok(5), Ok(6), Ok(7)]);
    // The rest is the bytes that were not returned.
    let mut walk = all();
    assert_eq!(walk.rest(), datagram);
    walk.next();
    assert_eq!(walk.rest(), &datagram[12..]);
    assert_eq!(
        (walk.clone().count(), walk.by_ref().count(), walk.rest()),
        (2, 2, &[][..])
    );
    assert!(walk.next().is_none());
    // Zeros at the end are padding, however many.
    for zeros in [1, 7, 8, 100] {
        let longer = [&datagram[..], &vec![0; zeros]].concat();
        let mut walk = padded::AnyMessage::views(&longer, &Limits::FEED);
        assert_eq!(
            walk.by_ref().map(|m| m.map(number)).collect::<Vec<_>>(),
            [Ok(5), Ok(6), Ok(7)]
        );
        assert_eq!(walk.rest(), vec![0; zeros]);
    }
    // Anything else has to be a message; the offset counts from the start of the buffer.
    let longer = [&datagram[..], &[0, 1]].concat();
    let short = DecodeError::Short {
        at: 33,
        need: 8,
        have: 2,
    };
    assert_eq!(
        numbers(padded::AnyMessage::views(&longer, &Limits::FEED)),
        [Ok(5), Ok(6), Ok(7), Err(short)]
    );
    // One message alone has its own walk.
    let wrong = DecodeError::Wrong {
        at: 12,
        what: "templateId",
        got: 2,
    };
    let own: Vec<_> = padded::M::views(&datagram, &Limits::FEED)
        .map(|m| m.map(|m| m.x()))
        .collect();
    assert_eq!(own, [Ok(5), Err(wrong)]);
    assert_eq!(padded::AnyMessage::views(&[], &Limits::FEED).count(), 0);
}

#[test]
fn messages_at_multiples_of_a_number_of_bytes() {
    let mut datagram = Vec::new();
    for (message, filler) in [(m(5), 0), (n(6), 0xee), (m(7), 0xff)] {
        datagram.extend(message);
        datagram.resize(datagram.len().next_multiple_of(8), filler);
    }
    let views = |bytes| padded::AnyMessage::views(&datagram, &Limits::FEED).aligned_to(bytes);
    assert_eq!(numbers(views(8)), [Ok(5), Ok(6), Ok(7)]);
    // Without an alignment the padding is where the next message should be.
    for none in [0, 1] {
        assert_ne!(numbers(views(none)).len(), 3);
    }
    // An alignment that no buffer has.
    assert_eq!(numbers(views(usize::MAX)), [Ok(5)]);
}

#[test]
fn messages_are_bounded_in_number_and_length() {
    let datagram = [m(1), m(2), m(3)].concat();
    let two = Limits {
        max_items: 2,
        ..Limits::FEED
    };
    let limit = DecodeError::Limit {
        at: 24,
        what: "items",
        got: 3,
        max: 2,
    };
    assert_eq!(
        numbers(padded::AnyMessage::views(&datagram, &two)),
        [Ok(1), Ok(2), Err(limit)]
    );
    // The bound is for a message and not for the buffer.
    let short = Limits {
        max_msg: 12,
        ..Limits::FEED
    };
    assert_eq!(
        numbers(padded::AnyMessage::views(&datagram, &short)).len(),
        3
    );
    let shorter = Limits {
        max_msg: 11,
        ..Limits::FEED
    };
    let limit = DecodeError::Limit {
        at: 0,
        what: "message bytes",
        got: 12,
        max: 11,
    };
    assert_eq!(
        numbers(padded::AnyMessage::views(&datagram, &shorter)),
        [Err(limit)]
    );
    assert_eq!(
        padded::M::view_first(&datagram, &shorter).map(|_| ()),
        Err(limit)
    );
}

/// Where it ends is not known, so it has all that is left; it is counted and not lost.
#[test]
fn an_unknown_message_is_the_last() {
    for (at, what) in [(2, "template"), (4, "schema")] {
        let mut unknown = m(9);
        unknown[at] = 99;
        let datagram = [m(5), unknown, m(7)].concat();
        assert_eq!(
            numbers(padded::AnyMessage::views(&datagram, &Limits::FEED)),
            [Ok(5), Ok(24_000)],
            "{what}"
        );
        let mut tally = Tally::default();
        for message in padded::AnyMessage::views(&datagram, &Limits::FEED) {
            match message {
                Ok(padded::Message::Unknown(unknown)) => tally.unknown(&unknown, padded::SCHEMA_ID),
                Ok(_) => tally.known(),
                Err(error) => tally.refused(&error),
            }
        }
        assert_eq!((tally.known, tally.messages()), (1, 2));
    }
}

/// Under the schema id 0 a header of zeros may be a message.
#[test]
fn zeros_are_messages_where_the_schema_id_is_zero() {
    assert_eq!((names::SCHEMA_ID, names::AnyMessage::HEADER_BYTES), (0, 10));
    let all = |bytes: &[u8]| names::AnyMessage::views(bytes, &Limits::FEED).count();
    assert_eq!((all(&[0; 9]), all(&[0; 10]), all(&[0; 30])), (0, 1, 1));
}

/// A header with the length of the frame: it delimits known and unknown messages, with and without padding.
#[test]
fn frames_whose_header_has_their_length() {
    let frame = |sequence: u64, padding: usize| {
        let mut beat = headers::BeatBuilder {
            header: crate::headers::members(),
        };
        beat.header.sequence = Some(sequence);
        beat.header.frame_length = Some((beat.encoded_len() + padding) as u16);
        let mut bytes = fixtures::encode::<headers::Beat>(&beat);
        bytes.resize(bytes.len() + padding, 0xee);
        bytes
    };
    let mut unknown = frame(2, 3);
    let template_id = 12;
    unknown[template_id] = 99;
    let datagram = [frame(1, 2), unknown, frame(3, 0)].concat();
    let framing = HeaderLength::new(|header: &headers::FrameHeader| header.frame_length().into());
    let batch = Batch::new(&datagram, framing.clone(), &Limits::FEED);
    let sequences: Vec<_> = batch
        .views::<Padded<headers::AnyMessage>>()
        .map(|m| m.map(|m| (m.template_id(), m.header().sequence())))
        .collect();
    assert_eq!(
        sequences,
        [Ok((1, Some(1))), Ok((99, Some(2))), Ok((1, Some(3)))]
    );
    // A length that does not hold the header would never end.
    let mut none = frame(1, 0);
    none[0] = 0;
    let wrong = DecodeError::Wrong {
        at: 0,
        what: "message length",
        got: 0,
    };
    let mut batch = Batch::new(&none, framing, &Limits::FEED);
    assert_eq!(batch.next(), Some(Err(wrong)));
    assert!(batch.next().is_none());
}

/// Every fixture behind every other one, and every cut of the two.
#[test]
fn every_pair_of_messages_and_every_cut() {
    let all = fixtures::features();
    for (_, first) in &all {
        for (name, second) in &all {
            let both = [&first[..], second].concat();
            let wires: Vec<_> = features::AnyMessage::views(&both, &Limits::FEED)
                .map(|m| m.map(|m| m.wire()))
                .collect();
            assert_eq!(wires, [Ok(&first[..]), Ok(&second[..])], "{name}");
            for len in 0..both.len() {
                let cut = &both[..len];
                let given: usize = features::AnyMessage::views(cut, &Limits::FEED)
                    .map_while(Result::ok)
                    .map(|m| m.wire().len())
                    .sum();
                let whole = if len >= first.len() { first.len() } else { 0 };
                assert_eq!(given, whole, "{name} cut to {len} bytes");
            }
        }
    }
}

/// Groups and data that a newer version added stand behind the last known part.
#[test]
fn a_newer_message_ends_behind_its_last_known_part() {
    let mut newer = m(5);
    newer[6] = 1;
    newer.extend([3, 0, 0, 0xab]);
    let view = padded::M::view(&newer, &Limits::FEED).unwrap();
    assert_eq!(view.wire(), newer);
    let (view, rest) = padded::M::view_first(&newer, &Limits::FEED).unwrap();
    assert_eq!(
        (view.wire(), rest, view.acting_version()),
        (&newer[..12], &newer[12..], 1)
    );
}
