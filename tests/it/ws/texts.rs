//! Small text messages, which are checked many at a time, against the standard library on each alone.

use std::str;

use harness::drive::{Driven, Mode, Take, config, transcript};
use harness::event::{Event, Transcript};
use harness::frames::{Frame, op, peer};
use tickwire::sans_io::{Entropy, Session};
use tickwire::{Delivery, Failure, Kind, Role, Timestamp, Violation};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// Right and wrong, and wrong alone but right where the next message's bytes are put behind.
const TEXTS: [&[u8]; 17] = [
    b"",
    b"x",
    "é".as_bytes(),
    "€".as_bytes(),
    "\u{1f4c8}".as_bytes(),
    "SELL 100 EURUSD \u{20ac} 17".as_bytes(),
    "a text that is longer than the words of a vector: \u{1f4c8}, \u{e9} and \u{20ac}".as_bytes(),
    b"\xc3",
    b"price in \xe2\x82",
    b"\xac",
    b"\xf0\x9f\x93",
    b"\x88 up",
    b"\xed\xa0\x80",
    b"a\xc0\x80b",
    b"\xf4\x90\x80\x80",
    b"\xff",
    b"sixteen bytes ..\xe2\x82",
];

const INVALID: Event = Event::Fail(Failure::Violation(Violation::InvalidUtf8));

fn take(take: Take) -> Mode {
    Mode {
        take,
        ..Mode::PLAIN
    }
}

fn modes() -> [Mode; 4] {
    [Take::Lent, Take::Held, Take::Owned, Take::Two].map(take)
}

/// What `frames` must tell when only the first `len` bytes of them come: each message is checked
/// alone, and what has come of one that is cut is wrong where no bytes could make it right.
fn naive(role: Role, frames: &[Frame], len: usize) -> Vec<Event> {
    let (mut told, mut left) = (Vec::new(), len);
    let mut open = Vec::new();
    for frame in frames {
        let size = frame.clone().by(peer(role)).len();
        let header = size - frame.payload.len();
        let came = frame.payload.len().min(left.saturating_sub(header));
        let whole = left >= size;
        match frame.opcode {
            op::TEXT | op::CONT => {
                open.extend_from_slice(&frame.payload[..came]);
                let wrong = match str::from_utf8(&open) {
                    Ok(_) => false,
                    Err(e) => e.error_len().is_some() || whole && frame.fin,
                };
                if wrong {
                    told.push(INVALID);
                    return told;
                }
                if whole && frame.fin {
                    told.push(Event::Data(Kind::Text, std::mem::take(&mut open)));
                }
            }
            _ if !whole => {}
            op::PING => told.push(Event::Ping(frame.payload.clone())),
            _ => told.push(Event::Data(Kind::Binary, frame.payload.clone())),
        }
        left = left.saturating_sub(size);
        if !whole {
            break;
        }
    }
    told
}

fn wire(role: Role, frames: &[Frame]) -> Vec<u8> {
    let by = |frame: &Frame| frame.clone().by(peer(role));
    frames.iter().flat_map(by).collect()
}

/// Cut in two at every byte, and truncated there.
fn check(role: Role, frames: &[Frame], mode: Mode) {
    let (bytes, config) = (wire(role, frames), config(Delivery::Whole));
    let whole = naive(role, frames, bytes.len());
    for at in 0..=bytes.len() {
        let told = transcript(role, &config, mode, &bytes, [at]);
        assert_eq!(told, whole, "cut at {at} of {frames:?}, {mode:?}");
        let told = transcript(role, &config, mode, &bytes[..at], []);
        let expected = naive(role, frames, at);
        assert_eq!(told, expected, "truncated at {at} of {frames:?}, {mode:?}");
    }
}

fn text(payload: &[u8]) -> Frame {
    Frame::new(op::TEXT, payload).key([0x91, 0xe2, 0x82, 0x7f])
}

#[test]
fn three_texts_in_a_row() {
    for role in ROLES {
        for first in TEXTS {
            for second in TEXTS {
                for third in [b"end", TEXTS[9]] {
                    let frames = [text(first), text(second), text(third)];
                    check(role, &frames, Mode::PLAIN);
                }
            }
        }
    }
}

/// A text that may be wrong is the first, and the last, of those that are checked together; and
/// between other frames, or cut into fragments.
#[test]
fn among_other_frames() {
    let ping = || Frame::new(op::PING, "?");
    for role in ROLES {
        for mode in modes() {
            for wrong in TEXTS {
                let rows: [&[Frame]; 5] = [
                    &[text(b"a"), text(b"b"), text(wrong), text(b"c"), text(b"d")],
                    &[text(wrong), ping(), text(b"a"), text(b"b")],
                    &[text(b"a"), text(b"b"), ping(), text(wrong), ping()],
                    &[
                        text(b"a"),
                        text(wrong),
                        Frame::new(op::BIN, "\u{e9}"),
                        text(wrong),
                    ],
                    &[
                        text(b"a"),
                        text(b"b"),
                        text(wrong).more(),
                        ping(),
                        Frame::new(op::CONT, wrong),
                        text(b"c"),
                    ],
                ];
                for frames in rows {
                    check(role, frames, mode);
                }
            }
        }
    }
}

/// Enough of them that they are checked in several goes.
#[test]
fn one_wrong_among_hundreds() {
    for role in ROLES {
        for mode in modes() {
            for wrong in [0, 1, 2, 150, 170, 199] {
                let frames: Vec<Frame> = (0..200)
                    .map(|i| text(if i == wrong { b"\xe2\x82" } else { TEXTS[5] }))
                    .collect();
                let bytes = wire(role, &frames);
                let told = transcript(role, &config(Delivery::Whole), mode, &bytes, []);
                let expected = naive(role, &frames, bytes.len());
                assert!(told == expected, "{wrong}, {mode:?}");
            }
        }
    }
}

/// What was prepared and not lent is handed over as frames.
#[test]
fn a_batch_that_is_dropped_is_handed_over() {
    for role in ROLES {
        let frames: Vec<Frame> = (0..9).map(|i| text(TEXTS[i % 7])).collect();
        let bytes = wire(role, &frames);
        let expected = naive(role, &frames, bytes.len());
        for lent in 0..9 {
            let config = config(Delivery::Whole);
            let entropy = Entropy([0x5a; 32]);
            let mut session = Session::new(role, config.clone(), entropy, &bytes, Timestamp(1))
                .expect("limits that work");
            let mut told = Transcript::default();
            let (batch, _outbox) = session.receive();
            batch.take(lent).for_each(|m| told.lent(m));
            let mut told = told.events;
            let (unread, _) = session.into_parts();
            let next = Driven::resume(role, &config, Mode::PLAIN, &unread);
            told.extend_from_slice(next.events());
            assert_eq!(told, expected, "{lent} were lent");
        }
    }
}
