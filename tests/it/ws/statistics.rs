//! Statistics of a session, for every way to send and to receive.

use bytes::Bytes;
use harness::drive::{Driven, Mode, Take, config};
use harness::event::Event;
use harness::frames::{Frame, op, peer};
use tickwire::sans_io::Session;
use tickwire::{Delivery, Kind, PreparedMessage, Role};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// A way to send, the messages that it sends, and the length of each.
type Way = (fn(&mut Session), &'static [usize]);

const WAYS: [Way; 8] = [
    (
        |s| {
            assert_eq!(s.outbox().send([1; 10]), Ok(()));
            assert_eq!(s.outbox().send([1; 30]), Ok(()));
        },
        &[10, 30],
    ),
    (
        |s| {
            assert_eq!(s.outbox().send([1; 300]), Ok(()));
            assert_eq!(s.outbox().send([1; 70_000]), Ok(()));
        },
        &[300, 70_000],
    ),
    (
        |s| {
            let payload = Bytes::from_static(&[1; 2000]);
            assert!(s.outbox().send_bytes(payload.clone()).is_ok());
            assert!(s.outbox().send_bytes(payload.slice(..5)).is_ok());
        },
        &[2000, 5],
    ),
    (
        |s| {
            let mut claim = s.outbox().claim(12).expect("room");
            claim.fill(1);
            claim.commit();
            let mut claim = s.outbox().claim(200).expect("room");
            claim.fill(1);
            claim.commit_len(9);
        },
        &[12, 9],
    ),
    (
        |s| {
            for (part, last) in [(&[1; 7][..], false), (&[1; 3], false), (&[1; 2], true)] {
                let sent = s.outbox().send_part(Kind::Binary, part, last);
                assert_eq!(sent, Ok(()));
            }
        },
        &[12],
    ),
    (
        |s| {
            for len in [3, 5000] {
                let message = PreparedMessage::binary(&vec![1; len]);
                assert_eq!(s.outbox().send_prepared(&message), Ok(()));
            }
        },
        &[3, 5000],
    ),
    (|s| assert_eq!(s.outbox().send([]), Ok(())), &[0]),
    (
        |s| {
            assert_eq!(s.outbox().ping(b"no message"), Ok(()));
            assert_eq!(s.outbox().pong(b"nor this"), Ok(()));
        },
        &[],
    ),
];

#[test]
fn sent_messages_and_bytes_are_counted() {
    for role in ROLES {
        let mut d = Driven::new(role, &config(Delivery::Whole), Mode::PLAIN);
        let (mut messages, mut bytes) = (0, 0);
        for (way, lens) in WAYS {
            way(d.session());
            messages += lens.len();
            bytes += lens.iter().sum::<usize>();
            let stats = d.session().stats();
            let counted = (stats.messages_out, stats.bytes_out);
            assert_eq!(counted, (messages as u64, bytes as u64), "{lens:?}");
            d.flush();
        }
        let sent = d.sent();
        let data = sent.events.iter().filter_map(|event| match event {
            Event::Data(_, data) => Some(data.len()),
            _ => None,
        });
        let lens = WAYS.iter().flat_map(|(_, lens)| *lens).copied();
        assert!(data.eq(lens), "{:?}", sent.events);
    }
}

#[test]
fn received_messages_and_bytes_are_counted() {
    for role in ROLES {
        for take in [Take::Lent, Take::Owned] {
            let mode = Mode {
                take,
                ..Mode::PLAIN
            };
            let mut d = Driven::new(role, &config(Delivery::Whole), mode);
            let (mut messages, mut bytes) = (0, 0);
            for len in [0, 5, 20, 125, 126, 3000, 70_000] {
                d.push(&Frame::new(op::BIN, vec![2; len]).by(peer(role)));
                d.push(&Frame::new(op::PING, b"?").by(peer(role)));
                d.push(&Frame::new(op::TEXT, "ab").more().by(peer(role)));
                d.push(&Frame::new(op::CONT, "cde").by(peer(role)));
                (messages, bytes) = (messages + 2, bytes + len as u64 + 5);
                let stats = d.session().stats();
                assert_eq!((stats.messages_in, stats.bytes_in), (messages, bytes));
            }
        }
    }
}
