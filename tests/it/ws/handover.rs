//! `into_parts` at any point: a new session continues where the old one stopped.

use bytes::Bytes;
use harness::corpus::{self, Stream};
use harness::drive::{Driven, Mode, Take, config, legal, rules};
use harness::event::Event;
use harness::frames::{Frame, op, peer};
use harness::oracle::Oracle;
use tickwire::sans_io::{BufPool, Entropy, Session};
use tickwire::{Config, Delivery, Failure, Role, Timestamp};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// Reads up to `at`, hands over, and reads the rest in pieces.
fn handed_over(role: Role, config: &Config, mode: Mode, stream: &Stream, at: usize) -> Vec<Event> {
    let mut first = Driven::new(role, config, mode);
    let (head, tail) = stream.bytes.split_at(at);
    for piece in head.chunks(700) {
        first.push(piece);
    }
    let mut told = std::mem::take(&mut first.told);
    if first.end().is_some() {
        return told.events; // a Close came: nothing is handed over
    }
    let (unread, unsent) = first.into_parts();
    assert!(unsent.is_empty());
    let mut second = Driven::resume(role, config, mode, &unread);
    for piece in tail.chunks(700) {
        second.push(piece);
    }
    told.events.extend(second.told.events);
    told.events
}

#[test]
fn a_handover_at_any_byte_keeps_received_bytes() {
    let owned = Mode {
        take: Take::Owned,
        detach: false,
        recv_bytes: 4097,
    };
    for role in ROLES {
        let config = config(Delivery::Whole);
        for stream in corpus::short(peer(role)) {
            let expected = Oracle::transcript(rules(role, &config), &stream.bytes);
            for at in 0..=stream.bytes.len() {
                for mode in [Mode::PLAIN, owned] {
                    let told = handed_over(role, &config, mode, &stream, at);
                    assert_eq!(told, expected, "{} handed over at {at}", stream.name);
                }
            }
        }
    }
}

#[test]
fn a_handover_keeps_large_messages() {
    for role in ROLES {
        let config = config(Delivery::Whole);
        for stream in corpus::sizes(peer(role)) {
            let expected = Oracle::transcript(rules(role, &config), &stream.bytes);
            let step = stream.bytes.len() / 37 + 1;
            for at in (0..stream.bytes.len()).step_by(step) {
                for recv_bytes in [4097, 65_536] {
                    let mode = Mode {
                        recv_bytes,
                        ..Mode::PLAIN
                    };
                    let told = handed_over(role, &config, mode, &stream, at);
                    assert!(told == expected, "{} handed over at {at}", stream.name);
                }
            }
        }
    }
}

/// A frame fits the buffer that was handed over, and does not fit a buffer of the new session.
#[test]
fn a_frame_in_a_larger_buffer_continues_in_a_smaller_one() {
    let now = Timestamp(0);
    let payload = vec![7; 90_000];
    let frame = Frame::new(op::BIN, &payload).by(Role::Client);
    let stream = frame.repeat(3);
    let (unread, mut rest) = stream.split_at(2 * frame.len() + 5000);
    let config = Config::default();
    let mut session = Session::new(Role::Server, config, Entropy([1; 32]), unread, now)
        .expect("limits that work");
    let mut pool = BufPool::new(8192, 8192);
    let mut got = 0;
    loop {
        while !session.wants_read() {
            let (batch, _) = session.receive();
            for message in batch {
                assert_eq!(message.expect("legal").data(), Some(&payload[..]));
                got += 1;
            }
        }
        session.queue_replies(now);
        session.detach(&mut pool);
        if rest.is_empty() {
            break;
        }
        session.attach(&mut pool);
        let n = session.space().len().min(rest.len());
        assert!(n > 0, "no room with {} bytes to come", rest.len());
        session.space()[..n].copy_from_slice(&rest[..n]);
        rest = &rest[n..];
        session.handle_read(n, now);
    }
    assert_eq!(got, 3);
}

/// A message that just meets the limits still meets them after the handover.
#[test]
fn a_message_at_its_limit_survives_a_handover() {
    for role in ROLES {
        let config = Config::default()
            .message_bytes_max(3000)
            .frame_bytes_max(1000)
            .fragments_max(3);
        let by = peer(role);
        for lens in [
            [1000, 1000, 1000],
            [1, 999, 1000],
            [0, 0, 1000],
            [1000, 0, 7],
            [300, 300, 0],
        ] {
            let frame = |i: usize, opcode| {
                let frame = Frame::new(opcode, vec![i as u8; lens[i]]);
                if i < 2 { frame.more() } else { frame }
            };
            let frames = [frame(0, op::BIN), frame(1, op::CONT), frame(2, op::CONT)];
            let stream = Stream {
                name: format!("{lens:?}"),
                bytes: frames.into_iter().flat_map(|f| f.by(by)).collect(),
            };
            let expected = Oracle::transcript(rules(role, &config), &stream.bytes);
            assert!(matches!(expected[..], [Event::Data(..)]));
            for at in 0..=stream.bytes.len() {
                let told = handed_over(role, &config, Mode::PLAIN, &stream, at);
                assert!(told == expected, "{} handed over at {at}", stream.name);
            }
        }
    }
}

/// Two handovers keep everything, and a violation is still detected.
#[test]
fn repeated_handovers_keep_everything() {
    for role in ROLES {
        let config = config(Delivery::Whole);
        let frames = [
            Frame::new(op::TEXT, corpus::POINTS).more(),
            Frame::new(op::PING, "p"),
            Frame::new(op::CONT, corpus::POINTS),
            Frame::new(op::BIN, [1; 200]),
            Frame::new(op::TEXT, b"bad \xed\xa0\x80"),
        ];
        let bytes: Vec<u8> = frames.into_iter().flat_map(|f| f.by(peer(role))).collect();
        let expected = Oracle::transcript(rules(role, &config), &bytes);
        let mut told = Vec::new();
        let mut session = Driven::new(role, &config, Mode::PLAIN);
        for byte in &bytes {
            session.push(std::slice::from_ref(byte));
            told.append(&mut session.told.events);
            if session.end().is_some() {
                break;
            }
            let (unread, _) = session.into_parts();
            session = Driven::resume(role, &config, Mode::PLAIN, &unread);
            told.append(&mut session.told.events);
        }
        assert_eq!(told, expected);
        assert!(matches!(
            told.last(),
            Some(Event::Fail(Failure::Violation(_)))
        ));
    }
}

/// Bytes that were accepted and not written are sent first by the next session, whole, whatever is
/// sent after them and wherever the first session stopped.
#[test]
fn unsent_bytes_are_sent_first() {
    let now = Timestamp(1);
    for role in ROLES {
        for stop in 0..2500 {
            let new = |seed| {
                let config = config(Delivery::Whole);
                Session::new(role, config, Entropy([seed; 32]), &[], now).expect("limits that work")
            };
            let mut first = new(1);
            let mut wire = Vec::new();
            first.outbox().send(b"small").expect("room");
            let shared = Bytes::from(vec![2; 2000]);
            first.outbox().send_bytes(shared).expect("room");
            first.outbox().ping(b"first").expect("open");
            write(&mut first, &mut wire, stop);
            first.outbox().pong(b"late").expect("open");
            first.outbox().send([3; 300]).expect("room");
            let (unread, unsent) = first.into_parts();
            assert!(unread.is_empty());

            let mut second = new(2).with_unsent(unsent.into());
            second.outbox().ping(b"second").expect("open");
            second.outbox().send(b"new").expect("room");
            write(&mut second, &mut wire, 7);
            write(&mut second, &mut wire, usize::MAX);
            assert!(!second.wants_write());
            let said = legal(role, &wire);
            assert!(said.at_boundary());
            let is_data = |e: &&Event| matches!(e, Event::Data(..));
            let data: Vec<_> = said.events.iter().filter(is_data).cloned().collect();
            let expected = [&b"small"[..], &[2; 2000], &[3; 300], b"new"];
            assert!(data == expected.map(Event::binary), "stopped at {stop}");
            let control = said.events.iter().filter(|e| !is_data(e)).count();
            assert_eq!(control, 3, "stopped at {stop}");
        }
    }
}

/// Writes up to `n` bytes.
fn write(session: &mut Session, wire: &mut Vec<u8>, n: usize) {
    let mut left = n;
    while session.wants_write() && left > 0 {
        let offered: Vec<u8> = session.transmit().flatten().copied().collect();
        let n = offered.len().min(left);
        wire.extend_from_slice(&offered[..n]);
        session.handle_written(n, Timestamp(1));
        left -= n;
    }
}
