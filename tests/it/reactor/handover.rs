//! Connections that move while messages are on their way: from each reactor to the other, and to a
//! task. No message is lost or repeated.
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::io::Write;
use std::thread;

use harness::frames::{Frame, op};
use harness::rng::Rng;
use tickwire::net::{Socket, Tune};
use tickwire::reactor::Ended;
use tickwire::{Config, End, Message, OwnedMessage, Parts, Role, WebSocket};

use super::fixture::{App, Event, Events, On, Running, calm, echo, on_both, options, serve_with};
use super::raw_peer::{Got, Peer};

on_both!(
    a_connection_moves_to_the_other_reactor_and_back,
    a_connection_moves_to_a_task,
    a_connection_can_be_detached_in_open,
    a_client_connection_moves,
);

const MESSAGES: u32 = 400;

fn roomy() -> Config {
    calm().send_queue_bytes_max(16 << 20)
}

/// An echo server that detaches a connection when a message asks for it, with sends before it.
fn giving(on: On, sends: usize) -> (Running<App>, Events) {
    let mut options = options(roomy());
    options.tune = Tune::new().send_buffer_bytes(16 * 1024);
    serve_with(on, options, move |app| {
        app.tells_messages = false;
        app.on_message = Box::new(move |state, cx, message| {
            echo(state, cx, message);
            if let Message::Binary(data) = message
                && data.get(4) == Some(&1)
            {
                // The socket does not take all of this: a part moves unsent.
                for _ in 0..sends {
                    cx.outbox().send(b"more").expect("room");
                }
                cx.detach();
            }
        });
    })
}

fn detached(events: &Events) -> Parts<Socket> {
    events.find(|e| match e {
        Event::Detached(_, parts) => Some(parts),
        Event::Closed(_, Ended::Session(End::Closed { .. })) => None, // one that moved before
        Event::Closed(_, ended) => panic!("{ended:?}"),
        _ => None,
    })
}

/// Numbered messages of every size, with and without fragments. Some of them move the connection.
fn stream(rng: &mut Rng, moves: u32) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut bytes, mut payloads) = (Vec::new(), Vec::new());
    let every = MESSAGES / (moves + 1);
    for i in 0..MESSAGES {
        let moving = i % every == every - 1 && i / every < moves;
        let len = match rng.below(20) {
            0 => rng.below(100_000),
            1 => 0,
            _ => rng.below(200),
        };
        let mut payload = i.to_be_bytes().to_vec();
        payload.push(u8::from(moving));
        payload.resize(5 + len, i as u8);
        if rng.below(3) == 0 {
            let cut = rng.below(payload.len());
            let (first, second) = payload.split_at(cut);
            bytes.extend(Frame::new(op::BIN, first).more().by(Role::Client));
            bytes.extend(Frame::new(op::CONT, second).by(Role::Client));
        } else {
            bytes.extend(Frame::new(op::BIN, &payload).by(Role::Client));
        }
        payloads.push(payload);
    }
    (bytes, payloads)
}

/// Writes `bytes` in random chunks.
fn writing(peer: &Peer, bytes: Vec<u8>, mut rng: Rng) -> thread::JoinHandle<()> {
    let mut writer = peer.stream.try_clone().expect("a second handle");
    thread::spawn(move || {
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let n = (1 + rng.below(20_000)).min(rest.len());
            let (now, later) = rest.split_at(n);
            writer.write_all(now).expect("a reader");
            rest = later;
        }
    })
}

/// Reads the echoes, and the messages that are sent at each move.
fn check(peer: &mut Peer, payloads: &[Vec<u8>], more: usize) {
    for (i, payload) in payloads.iter().enumerate() {
        assert!(peer.message() == *payload, "message {i}");
        if payload[4] == 1 {
            for _ in 0..more {
                assert_eq!(peer.message(), b"more");
            }
        }
    }
}

fn a_connection_moves_to_the_other_reactor_and_back(on: On) {
    const MOVES: u32 = 9;
    const MORE: usize = 20_000;
    let other = match on {
        On::Mio => On::Tokio,
        On::Tokio => On::Mio,
    };
    let (first, first_events) = giving(on, MORE);
    let (second, second_events) = giving(other, MORE);
    for seed in 0..4 {
        let mut rng = Rng::new(seed);
        let (bytes, payloads) = stream(&mut rng, MOVES);
        let mut peer = Peer::open(first.addr);
        let writer = writing(&peer, bytes, rng);
        thread::scope(|scope| {
            scope.spawn(|| check(&mut peer, &payloads, MORE));
            for i in 0..MOVES {
                let (from, to) = match i % 2 {
                    0 => (&first_events, &second),
                    _ => (&second_events, &first),
                };
                let parts = detached(from);
                assert_eq!(parts.agreed.role(), Role::Server);
                to.remote.adopt(parts, 0).expect("room");
            }
        });
        writer.join().expect("no panic");
        peer.binary(b"closing");
        assert_eq!(peer.message(), b"closing");
        assert_eq!(peer.finish(), Got::Eof);
    }
    first.stop();
    second.stop();
}

fn a_connection_moves_to_a_task(on: On) {
    const MORE: usize = 20_000;
    let (server, events) = giving(on, MORE);
    let runtime = ::tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    for seed in 10..14 {
        let mut rng = Rng::new(seed);
        let (bytes, payloads) = stream(&mut rng, 1);
        let mut peer = Peer::open(server.addr);
        let writer = writing(&peer, bytes, rng);
        let reader = thread::spawn(move || {
            check(&mut peer, &payloads, MORE);
            assert_eq!(peer.finish(), Got::Eof);
        });
        let parts = detached(&events);
        runtime.block_on(async {
            let parts = parts.try_map_stream(|socket| {
                let stream = std::net::TcpStream::try_from(socket).expect("TCP");
                ::tokio::net::TcpStream::from_std(stream)
            });
            let parts = parts.expect("a socket");
            let mut ws = WebSocket::from_parts(parts, roomy()).expect("a connection");
            while let Some(message) = ws.recv().await.expect("a peer that keeps the rules") {
                if let OwnedMessage::Binary(data) = message {
                    ws.send_bytes(data).await.expect("an open connection");
                }
            }
        });
        writer.join().expect("no panic");
        reader.join().expect("no panic");
    }
    server.stop();
}

/// The response and frames that arrived with the request move with a connection that is detached in
/// `open`.
fn a_connection_can_be_detached_in_open(on: On) {
    let (server, events) = serve_with(on, options(roomy()), |app| {
        app.on_open = Box::new(|cx| {
            cx.outbox().send(b"welcome").expect("room");
            cx.detach();
        });
    });
    let (other, _others) = giving(on, 0);
    let mut peer = Peer::dial(server.addr);
    let frame = Frame::new(op::BIN, b"glued").by(Role::Client);
    peer.write(&[super::raw_peer::REQUEST.as_bytes(), &frame].concat());
    let parts = detached(&events);
    assert_eq!(parts.unread, frame);
    other.remote.adopt(parts, 3).expect("room");
    assert!(peer.head().starts_with("HTTP/1.1 101 "));
    assert_eq!(peer.message(), b"welcome");
    assert_eq!(peer.message(), b"glued");
    drop(peer);
    server.stop();
    other.stop();
}

/// The client end moves. Its frames are masked before and after.
fn a_client_connection_moves(on: On) {
    let (server, _events) = super::fixture::serve(on, roomy(), |_| {});
    let (client, events) = serve_with(on, options(roomy()), |app| {
        let mut opened = 0;
        app.on_open = Box::new(move |cx| {
            opened += 1; // once when it connects, once when it is adopted
            if opened == 1 {
                cx.outbox().send(b"1").expect("room");
            }
        });
        app.on_message = Box::new(|_, cx, message| match message {
            Message::Binary(b"1") => {
                cx.outbox().send(b"2").expect("room");
                cx.detach();
            }
            Message::Binary(b"2") => cx.outbox().send(b"3").expect("room"),
            _ => {}
        });
    });
    client.connect(server.addr, 1);
    let parts = detached(&events);
    assert_eq!(parts.agreed.role(), Role::Client);
    client.remote.adopt(parts, 2).expect("room");
    events.find(|e| match e {
        Event::Open(_, Role::Client, None, token) => {
            assert_eq!(token, 2);
            Some(())
        }
        _ => None,
    });
    for expected in [b"2", b"3"] {
        events.find(|e| match e {
            Event::Message(_, _, data) => {
                assert_eq!(data, expected);
                Some(())
            }
            _ => None,
        });
    }
    client.stop();
    server.stop();
}
