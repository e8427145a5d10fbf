//! Reassembly against a dumb model: however a stream is cut, the same messages come out.

use proptest::prelude::*;
use tickwire_codecs::framing::{ByteOrder, LengthField};
use tickwire_codecs::{Cut, DecodeError, Framing, Limits, Progress, Reassembler, StreamCodec};

/// Feeds `pieces` and collects the messages.
fn run(
    stream: &mut Reassembler<impl Framing>,
    pieces: &[&[u8]],
) -> Result<Vec<Vec<u8>>, DecodeError> {
    let mut messages = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        loop {
            match stream.next(rest) {
                Progress::Item { consumed, item } => {
                    messages.push(item.to_vec());
                    rest = &rest[consumed..];
                }
                Progress::More { need } => {
                    assert!(need > 0);
                    break;
                }
                Progress::Failed(error) => return Err(error),
            }
        }
    }
    Ok(messages)
}

fn wire(messages: &[Vec<u8>]) -> Vec<u8> {
    messages
        .iter()
        .flat_map(|m| {
            (m.len() as u16)
                .to_be_bytes()
                .into_iter()
                .chain(m.iter().copied())
        })
        .collect()
}

#[test]
fn every_split_in_two_gives_the_same_messages() {
    let messages = vec![b"abc".to_vec(), vec![], b"defgh".to_vec()];
    let wire = wire(&messages);
    for cut in 0..=wire.len() {
        let mut stream = Reassembler::new(LengthField::u16(ByteOrder::Big), Limits::FEED);
        let got = run(&mut stream, &[&wire[..cut], &wire[cut..]]).unwrap();
        assert_eq!(got, messages);
        assert!(!stream.is_mid_message());
    }
}

#[test]
fn a_cut_off_stream_is_seen_and_the_need_is_exact() {
    let mut stream = Reassembler::new(LengthField::u16(ByteOrder::Big), Limits::FEED);
    assert_eq!(stream.next(b"\x00"), Progress::More { need: 1 });
    assert_eq!(stream.next(b"\x05"), Progress::More { need: 5 });
    assert_eq!(stream.next(b"ab"), Progress::More { need: 3 });
    assert!(stream.is_mid_message());
    assert_eq!(
        stream.next(b"cde"),
        Progress::Item {
            consumed: 3,
            item: &b"abcde"[..]
        }
    );
    assert!(!stream.is_mid_message());
}

#[test]
fn a_message_above_the_limit_fails_before_it_is_buffered_and_stays_failed() {
    let limits = Limits {
        max_msg: 100,
        ..Limits::FEED
    };
    let mut stream = Reassembler::new(LengthField::u16(ByteOrder::Big), limits);
    let Progress::Failed(error) = stream.next(&[0xff, 0xff, 1, 2, 3]) else {
        panic!("took a message above its limit")
    };
    assert!(matches!(error, DecodeError::Limit { .. }), "{error:?}");
    assert_eq!(stream.next(b"\x00\x01a"), Progress::Failed(error));
    // Inside the envelope's allowance, but over once whole.
    let mut stream = Reassembler::new(LengthField::u16(ByteOrder::Big), limits);
    let mut wire = vec![0, 101];
    wire.resize(103, 7);
    assert!(matches!(
        stream.next(&wire),
        Progress::Failed(DecodeError::Limit {
            got: 101,
            max: 100,
            ..
        })
    ));
}

/// A framing that breaks its contract must not stall or panic the reassembler.
struct Liar(Result<Cut, DecodeError>);

impl Framing for Liar {
    fn split(&self, _: &[u8], _: &Limits) -> Result<Cut, DecodeError> {
        self.0
    }
}

#[test]
fn a_framing_that_lies_gets_an_error() {
    for cut in [(0, 0, 0), (3, 1, 4), (0, 4, 3), (0, 2, 900)] {
        let cut = Cut {
            start: cut.0,
            end: cut.1,
            next: cut.2,
        };
        let result = run(
            &mut Reassembler::new(Liar(Ok(cut)), Limits::FEED),
            &[b"abcd"],
        );
        assert!(result.is_err());
        let batch = tickwire_codecs::Batch::new(b"abcd", Liar(Ok(cut)), &Limits::FEED);
        assert!(batch.last().unwrap().is_err());
    }
    let stuck = DecodeError::Short {
        at: 0,
        need: 0,
        have: 0,
    };
    let mut stream = Reassembler::new(
        Liar(Err(stuck)),
        Limits {
            max_msg: 8,
            ..Limits::FEED
        },
    );
    let result = run(&mut stream, &[&[0; 40], &[0; 40]]);
    assert!(
        matches!(result, Err(DecodeError::Limit { .. })),
        "{result:?}"
    );
}

proptest! {
    #[test]
    fn any_cutting_gives_the_same_messages(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let wire = wire(&messages);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect();
        cuts.extend([0, wire.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &wire[pair[0]..pair[1]]).collect();
        let mut stream = Reassembler::new(LengthField::u16(ByteOrder::Big), Limits::FEED);
        prop_assert_eq!(run(&mut stream, &pieces).unwrap(), messages);
        prop_assert!(!stream.is_mid_message());
    }
}
