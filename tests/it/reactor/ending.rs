//! The end of a connection: by a violation, a deadline, a Close, or a stop of the reactor.
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use harness::frames::{Frame, Length, op};
use tickwire::net::Tune;
use tickwire::reactor::Ended;
use tickwire::{CloseCode, Config, Deadline, End, Failure, Limit, Role, Violation};

use super::fixture::{Event, On, calm, listener, on_both, options, serve, serve_with};
use super::raw_peer::{Got, Peer};

on_both!(
    a_violation_is_closed_with_its_code_and_without_a_reset,
    a_close_of_the_peer_is_answered,
    a_local_close_waits_for_the_answer,
    a_peer_that_vanishes_during_the_close_is_detected,
    a_silent_peer_is_detected_by_the_pong_timeout,
    a_silent_peer_is_detected_by_the_idle_timeout,
    a_peer_that_does_not_read_is_detected_by_the_write_timeout,
    a_peer_that_answers_pings_stays_connected,
    a_local_pause_does_not_count_as_silence_of_the_peer,
    a_stop_closes_every_connection,
    timers_end_with_their_connection,
    closed_is_called_once_for_every_open,
    a_client_waits_for_the_server_to_close_tcp,
);

/// The peer continues to send during the close. It must receive the Close and then the end of the
/// stream, and no reset.
fn a_violation_is_closed_with_its_code_and_without_a_reset(on: On) {
    let config = calm().message_bytes_max(1000);
    let (server, events) = serve(on, config, |_| {});
    let masked = |frame: Frame| frame.by(Role::Client);
    let cases = [
        (
            Frame::new(op::BIN, b"bare").bytes(),
            1002,
            Failure::Violation(Violation::UnmaskedFromClient),
        ),
        (
            masked(Frame::new(op::BIN, b"x").rsv(4)),
            1002,
            Failure::Violation(Violation::ReservedBits),
        ),
        (
            masked(Frame::new(3, b"x")),
            1002,
            Failure::Violation(Violation::ReservedOpcode(3)),
        ),
        (
            masked(Frame::new(op::BIN, b"x").length(Length::Two)),
            1002,
            Failure::Violation(Violation::LengthNotMinimal),
        ),
        (
            masked(Frame::new(op::CONT, b"x")),
            1002,
            Failure::Violation(Violation::OrphanContinuation),
        ),
        (
            masked(Frame::new(op::TEXT, b"\xff")),
            1007,
            Failure::Violation(Violation::InvalidUtf8),
        ),
        (
            masked(Frame::new(op::BIN, [0; 1001])),
            1009,
            Failure::Limit(Limit::Message {
                len: 1001,
                max: 1000,
            }),
        ),
        (
            masked(Frame::close(999, b"")),
            1002,
            Failure::Violation(Violation::InvalidCloseCode(999)),
        ),
    ];
    for (bytes, code, failure) in cases {
        let mut peer = Peer::open(server.addr);
        peer.binary(b"before");
        peer.write(&bytes);
        peer.write(&Frame::new(op::BIN, [1; 900]).by(Role::Client).repeat(1000));
        assert_eq!(peer.message(), b"before");
        assert_eq!(peer.next().close_code(), Some(code), "{failure:?}");
        assert_eq!(peer.next(), Got::Eof, "{failure:?}");
        drop(peer);
        assert_eq!(events.failure(), failure);
    }
    server.stop();
}

fn a_close_of_the_peer_is_answered(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    let mut peer = Peer::open(server.addr);
    peer.binary(b"first");
    peer.send(Frame::close(3999, b"bye"));
    assert_eq!(peer.message(), b"first");
    assert_eq!(
        peer.next(),
        Got::new(op::CLOSE, [&3999_u16.to_be_bytes()[..], b"bye"].concat())
    );
    assert_eq!(peer.next(), Got::Eof);
    let ended = events.closed();
    assert!(
        matches!(
            ended,
            Ended::Session(End::Closed {
                code: Some(CloseCode(3999)),
                by_peer: true
            })
        ),
        "{ended:?}"
    );
    server.stop();
}

fn a_local_close_waits_for_the_answer(on: On) {
    let (server, events) = serve(on, calm(), |app| {
        app.on_message = Box::new(|_, cx, message| {
            if message.data().is_some() {
                cx.close(CloseCode(4000), "enough").expect("a code");
            }
        });
    });
    let mut peer = Peer::open(server.addr);
    peer.binary(b"x");
    assert_eq!(peer.next().close_code(), Some(4000));
    // Messages before the answer are still delivered.
    peer.binary(b"y");
    peer.send(Frame::close(4000, b""));
    assert_eq!(peer.next(), Got::Eof);
    let (messages, ended) = events.to_the_end();
    let by_us = matches!(ended, Ended::Session(End::Closed { by_peer: false, .. }));
    assert!(by_us, "{ended:?}");
    assert_eq!(messages, 2);
    server.stop();
}

fn a_peer_that_vanishes_during_the_close_is_detected(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    for reset in [false, true] {
        let mut peer = Peer::open(server.addr);
        let id = events.opened();
        server
            .remote
            .close(id, CloseCode::NORMAL, "")
            .expect("room");
        assert_eq!(peer.next().close_code(), Some(1000));
        if reset {
            let socket = socket2::SockRef::from(&peer.stream);
            socket.set_linger(Some(Duration::ZERO)).expect("linger");
        }
        drop(peer);
        match events.closed() {
            Ended::Io(_) if reset => {}
            Ended::Session(End::Failed(Failure::Eof)) if !reset => {}
            other => panic!("{other:?}"),
        }
    }
    server.stop();
}

/// RFC 6455 section 7.1.1: the server closes TCP first, even if the client detected the violation.
fn a_client_waits_for_the_server_to_close_tcp(on: On) {
    let (client, events) = serve(on, calm(), |_| {});
    let (listener, addr) = listener();
    client.connect(addr, 1);
    let mut peer = Peer::accept(&listener);
    peer.send(Frame::close(1000, b"bye"));
    assert_eq!(peer.next().close_code(), Some(1000));
    let open = client.ask(|hub| hub.connections());
    assert_eq!(open, 1, "it waits for the server");
    peer.shut();
    assert_eq!(peer.next(), Got::Eof);
    let ended = events.closed();
    assert!(
        matches!(ended, Ended::Session(End::Closed { by_peer: true, .. })),
        "{ended:?}"
    );

    client.connect(addr, 2);
    let mut peer = Peer::accept(&listener);
    peer.write(&Frame::new(op::BIN, b"masked").by(Role::Client));
    peer.write(&vec![0; 500_000]);
    assert_eq!(peer.next().close_code(), Some(1002));
    peer.shut();
    assert_eq!(peer.next(), Got::Eof);
    assert_eq!(
        events.failure(),
        Failure::Violation(Violation::MaskedFromServer)
    );
    client.stop();
}

fn brisk() -> Config {
    calm().close_timeout(Duration::from_millis(20))
}

fn a_silent_peer_is_detected_by_the_pong_timeout(on: On) {
    let config = brisk()
        .ping_interval(Some(Duration::from_millis(20)))
        .pong_timeout(Duration::from_millis(20));
    let (server, events) = serve(on, config, |_| {});
    let mut peer = Peer::open(server.addr);
    assert!(matches!(
        peer.next(),
        Got::Frame {
            opcode: op::PING,
            ..
        }
    ));
    assert_eq!(peer.next().close_code(), Some(1001));
    assert_eq!(events.failure(), Failure::Deadline(Deadline::Pong));
    assert!(matches!(peer.rest().1, Got::Eof | Got::Reset));
    server.stop();
}

fn a_silent_peer_is_detected_by_the_idle_timeout(on: On) {
    let config = brisk().idle_timeout(Some(Duration::from_millis(30)));
    let (server, events) = serve(on, config, |_| {});
    let mut peer = Peer::open(server.addr);
    assert_eq!(peer.next().close_code(), Some(1001));
    assert_eq!(events.failure(), Failure::Deadline(Deadline::Idle));
    server.stop();
}

/// The peer stays connected for longer than its deadlines, by its Pongs alone.
fn a_peer_that_answers_pings_stays_connected(on: On) {
    let config = calm()
        .ping_interval(Some(Duration::from_millis(5)))
        .pong_timeout(Duration::from_secs(15));
    let (server, events) = serve(on, config, |_| {});
    let mut peer = Peer::open(server.addr);
    for _ in 0..10 {
        match peer.next() {
            Got::Frame {
                opcode: op::PING,
                payload,
                ..
            } => peer.send(Frame::new(op::PONG, payload)),
            other => panic!("{other:?}"),
        }
    }
    peer.send(Frame::close(1000, b""));
    while peer.next() != Got::Eof {}
    let ended = events.closed();
    assert!(
        matches!(ended, Ended::Session(End::Closed { .. })),
        "{ended:?}"
    );
    server.stop();
}

/// While the application has paused reading, no deadline counts against the peer.
fn a_local_pause_does_not_count_as_silence_of_the_peer(on: On) {
    let config = brisk()
        .ping_interval(Some(Duration::from_millis(10)))
        .pong_timeout(Duration::from_millis(10))
        .idle_timeout(Some(Duration::from_millis(50)));
    let (server, events) = serve(on, config, |app| {
        app.on_open = Box::new(|cx| {
            cx.pause();
            cx.timer(Duration::from_millis(150), 0).expect("room");
        });
        app.on_timer = Box::new(|cx, _| cx.resume());
    });
    let mut peer = Peer::open(server.addr);
    peer.binary(b"patient");
    events.opened();
    assert!(matches!(events.next(), Event::Timer(_, 0)));
    assert!(matches!(events.next(), Event::Message(..)));
    // After the pause it counts again.
    let failure = events.failure();
    assert!(matches!(failure, Failure::Deadline(_)), "{failure:?}");
    drop(peer);
    server.stop();
}

fn a_peer_that_does_not_read_is_detected_by_the_write_timeout(on: On) {
    let config = brisk()
        .write_timeout(Duration::from_millis(50))
        .send_queue_bytes_max(8 << 20);
    let mut options = options(config);
    options.tune = Tune::new().send_buffer_bytes(8192);
    let (server, events) = serve_with(on, options, |app| {
        app.on_open = Box::new(|cx| cx.send(vec![0; 7 << 20]).expect("room"));
    });
    let peer = Peer::open(server.addr);
    assert_eq!(events.failure(), Failure::Deadline(Deadline::Write));
    drop(peer);
    server.stop();
}

fn a_stop_closes_every_connection(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    let mut peers: Vec<_> = (0..20).map(|_| Peer::open(server.addr)).collect();
    let waiting = Peer::dial(server.addr);
    let addr = server.addr;
    server.remote.stop().expect("room");
    for peer in &mut peers {
        assert_eq!(peer.next().close_code(), Some(1001));
    }
    // No new connection is accepted.
    let late = std::net::TcpStream::connect(addr);
    for peer in &mut peers {
        assert_eq!(peer.finish(), Got::Eof);
    }
    server.join();
    let closed: Vec<_> = events
        .seen()
        .into_iter()
        .filter_map(|e| match e {
            Event::Closed(_, ended) => Some(ended),
            _ => None,
        })
        .collect();
    assert_eq!(closed.len(), 20);
    for ended in closed {
        assert!(
            matches!(ended, Ended::Session(End::Closed { by_peer: false, .. })),
            "{ended:?}"
        );
    }
    drop((waiting, late));
}

/// The timer of a closed connection does not fire, not even for the connection that reuses its
/// slot.
fn timers_end_with_their_connection(on: On) {
    let (server, events) = serve(on, calm(), |app| {
        app.on_message = Box::new(|_, cx, message| match message.data() {
            Some(b"old") => {
                cx.timer(Duration::from_millis(50), 1).expect("room");
                cx.timer(Duration::from_millis(51), 1).expect("room");
            }
            Some(b"new") => cx.timer(Duration::from_millis(100), 2).expect("room"),
            _ => {}
        });
    });
    let mut old = Peer::open(server.addr);
    old.binary(b"old");
    old.send(Frame::close(1000, b""));
    events.closed();
    let mut new = Peer::open(server.addr);
    let id = events.opened();
    new.binary(b"new");
    let fired = events.find(|e| match e {
        Event::Timer(id, token) => Some((id, token)),
        _ => None,
    });
    assert_eq!(fired, (id, 2));
    drop(new);
    server.stop();
}

/// Peers connect and disconnect in every way.
fn closed_is_called_once_for_every_open(on: On) {
    let config = calm().close_timeout(Duration::from_millis(50));
    let (server, events) = serve(on, config, |_| {});
    let addr = server.addr;
    let threads = (0..4).map(|thread| {
        thread::spawn(move || {
            for i in 0..25_usize {
                let mut peer = Peer::open(addr);
                peer.binary([0; 100]);
                match (i + thread) % 5 {
                    0 => drop(peer.finish()),
                    1 => peer.write(&[0xff; 10]),
                    2 => drop(peer.stream.shutdown(Shutdown::Both)),
                    3 => peer.shut(),
                    _ => {
                        drop(socket2::SockRef::from(&peer.stream).set_linger(Some(Duration::ZERO)))
                    }
                }
            }
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.join().expect("no panic");
    }
    server.stop();
    let (mut opened, mut closed) = (Vec::new(), Vec::new());
    for event in events.seen() {
        match event {
            Event::Open(id, ..) => {
                assert!(!opened.contains(&id), "an id is not given twice");
                opened.push(id);
            }
            Event::Closed(id, _) => {
                assert!(opened.contains(&id));
                closed.push(id);
            }
            Event::Message(id, ..) => assert!(!closed.contains(&id)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(opened.len(), 100);
    opened.sort();
    closed.sort();
    assert_eq!(opened, closed);
}
