//! Echoed messages, on each reactor and between both.
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::sync::mpsc;

use harness::frames::{Frame, op};
use tickwire::{Config, Kind, Message, Role};

use super::fixture::{Event, On, calm, on_both, serve};
use super::raw_peer::{Got, Peer, REQUEST};

on_both!(
    messages_of_every_size_are_echoed,
    messages_that_arrive_byte_by_byte_are_echoed,
    frames_in_the_same_read_as_the_request_are_echoed,
    a_reactor_can_be_the_client,
);

/// Sizes around every length encoding, the copy threshold, and the receive buffer of 256 KiB.
const SIZES: [usize; 14] = [
    0, 1, 125, 126, 127, 4096, 16_383, 16_384, 65_535, 65_536, 262_130, 262_144, 300_001, 1_500_000,
];

fn roomy() -> Config {
    calm().send_queue_bytes_max(4 << 20)
}

fn messages_of_every_size_are_echoed(on: On) {
    let (server, events) = serve(on, roomy(), |_| {});
    let mut peer = Peer::open(server.addr);
    for opcode in [op::BIN, op::TEXT] {
        for size in SIZES {
            let payload: Vec<u8> = (0..size).map(|i| b'a' + (i * 7 % 26) as u8).collect();
            peer.send(Frame::new(opcode, &payload));
            assert!(peer.next() == Got::new(opcode, &payload), "{size} bytes");
        }
    }
    drop(peer);
    events.closed();
    server.stop();
}

/// Every kind of frame in one script.
fn script() -> Vec<u8> {
    let close = Frame::close(3000, b"done");
    [
        Frame::new(op::TEXT, "grüße"),
        Frame::new(op::BIN, b"one ").more(),
        Frame::new(op::PING, b"in between"),
        Frame::new(op::CONT, b"two ").more(),
        Frame::new(op::CONT, b"").more(),
        Frame::new(op::CONT, b"three"),
        Frame::new(op::BIN, b""),
        Frame::new(op::PONG, b"unasked"),
        Frame::new(op::PING, b""),
        Frame::new(op::TEXT, b"").more(),
        Frame::new(op::CONT, "é".as_bytes().split_at(1).0).more(),
        Frame::new(op::CONT, "é".as_bytes().split_at(1).1),
        Frame::new(op::BIN, vec![9; 70_000]),
        close,
    ]
    .map(|frame| frame.by(Role::Client))
    .concat()
}

/// What the peer and the application see, independent of the timing.
fn transcript(on: On, chunk: usize) -> (Vec<Got>, Vec<String>) {
    let (server, events) = serve(on, calm(), |_| {});
    let mut peer = Peer::dial(server.addr);
    let bytes = [REQUEST.as_bytes(), &script()].concat();
    for bytes in bytes.chunks(chunk) {
        peer.write(bytes);
    }
    let head = peer.head();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let mut got = Vec::new();
    loop {
        got.push(peer.next());
        if got.last() == Some(&Got::Eof) {
            break;
        }
    }
    server.stop();
    let told = events.seen().iter().map(|e| format!("{e:?}")).collect();
    // Control frames may overtake messages, so the order is checked by kind.
    got.sort_by_key(|g| {
        matches!(
            g,
            Got::Frame {
                opcode: op::PONG,
                ..
            }
        )
    });
    (got, told)
}

#[test]
fn both_reactors_have_equal_transcripts() {
    let whole = transcript(On::Mio, usize::MAX);
    assert_eq!(whole.0.len(), 5 + 2 + 2, "{:?}", whole.0);
    for on in [On::Mio, On::Tokio] {
        for chunk in [usize::MAX, 1000, 7] {
            let this = transcript(on, chunk);
            assert!(this == whole, "{on:?}, {chunk}: {this:?}");
        }
    }
}

fn messages_that_arrive_byte_by_byte_are_echoed(on: On) {
    let (server, _events) = serve(on, calm(), |_| {});
    let mut peer = Peer::dial(server.addr);
    for byte in REQUEST.bytes() {
        peer.write(&[byte]);
    }
    assert!(peer.head().starts_with("HTTP/1.1 101 "));
    for byte in Frame::new(op::TEXT, "grüße").by(Role::Client) {
        peer.write(&[byte]);
    }
    assert_eq!(peer.message(), "grüße".as_bytes());
    drop(peer);
    server.stop();
}

fn frames_in_the_same_read_as_the_request_are_echoed(on: On) {
    let (server, _events) = serve(on, calm(), |_| {});
    let frames = |n| -> Vec<u8> {
        (0..n)
            .flat_map(|i: u32| Frame::new(op::BIN, i.to_be_bytes()).by(Role::Client))
            .collect()
    };
    // Few frames, many, more than one read of a request head takes, and the last one cut.
    for (count, missing) in [(1, 0), (100, 0), (1000, 0), (1, 1), (1000, 3)] {
        let mut peer = Peer::dial(server.addr);
        let bytes = [REQUEST.as_bytes(), &frames(count)].concat();
        let (now, later) = bytes.split_at(bytes.len() - missing);
        peer.write(now);
        peer.head();
        for i in 0..count - u32::from(missing > 0) {
            assert_eq!(peer.message(), i.to_be_bytes());
        }
        peer.write(later);
        if missing > 0 {
            assert_eq!(peer.message(), (count - 1).to_be_bytes());
        }
    }
    server.stop();
}

/// The client reactor connects to the other reactor and to one of its own kind.
fn a_reactor_can_be_the_client(on: On) {
    for to in [On::Mio, On::Tokio] {
        let (server, _) = serve(to, roomy(), |_| {});
        let (done, finished) = mpsc::channel();
        let (client, events) = serve(on, roomy(), move |app| {
            app.on_open = Box::new(|cx| {
                for size in SIZES {
                    if size < 500_000 {
                        cx.send(vec![5; size]).expect("room");
                    }
                }
                cx.outbox().ping(b"you there?").expect("a short one");
            });
            let mut echoed = Vec::new();
            app.on_message = Box::new(move |_, cx, message| match message {
                Message::Binary(data) => {
                    assert!(data.iter().all(|b| *b == 5));
                    echoed.push(data.len());
                    if echoed.len() == SIZES.len() - 1 {
                        done.send(std::mem::take(&mut echoed)).expect("a test");
                        cx.close(tickwire::CloseCode::NORMAL, "").expect("a code");
                    }
                }
                Message::Pong(payload) => assert_eq!(payload, b"you there?"),
                _ => {}
            });
        });
        client.connect(server.addr, 77);
        let opened = events.next();
        assert!(
            matches!(opened, Event::Open(_, Role::Client, None, 77)),
            "{opened:?}"
        );
        let first = events.next();
        assert!(
            matches!(&first, Event::Message(_, Kind::Binary, data) if data.is_empty()),
            "{first:?}"
        );
        events.closed();
        assert_eq!(finished.recv().expect("a result"), SIZES[..SIZES.len() - 1]);
        client.stop();
        server.stop();
    }
}
