//! Channels on a reactor with slow or wrong peers: slow readers, full sockets, violations,
//! deadlines.
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::time::Duration;

use harness::frames::{Frame, op};
use tickwire::channels::{
    AcceptOptions, Answer, ChannelConfig, ChannelFailure, ChannelSendError, ChannelViolation,
    DrainEnd, ErrorCode, Mode, OpenOptions, SEND_QUEUE_BYTES_MIN, SUBPROTOCOL, TIMER_TOKEN,
    TimerError,
};
use tickwire::handshake::HandshakeError;
use tickwire::reactor::Ended;
use tickwire::{CloseCode, End, Error, Failure};

use super::channels_fixture::{Raw, Seen, ask, connect, echo, run, start, start_on, take};
use super::fixture::{On, calm, listener, on_both, until};
use super::raw_peer::{Got, Peer, REQUEST};

on_both!(
    a_stalled_channel_does_not_delay_others,
    a_queue_to_a_peer_that_does_not_read_is_bounded,
    clients_without_the_subprotocol_are_refused,
    servers_without_the_subprotocol_are_disconnected,
    a_violation_closes_with_its_code,
    goaway_with_an_error_closes_with_its_code,
    a_reactor_that_stops_tells_the_peers_of_its_channels,
    a_lost_connection_names_how_the_websocket_ended,
    a_drain_that_runs_out_of_time_is_a_drain_at_both_ends,
    timers_of_application_and_channels_both_fire,
    an_outbox_too_small_for_records_is_refused,
    a_time_to_live_counts_from_the_send,
);

/// The server keeps the messages of one channel. All other channels continue.
fn a_stalled_channel_does_not_delay_others(on: On) {
    const OTHERS: usize = 20;
    const EACH: usize = 200;
    const STALLED: usize = 400;
    let (server, log) = start(on, ChannelConfig::default(), |app| {
        app.on_message = Box::new(|state, cx, received| match received.data.len() {
            1000 if !state.gate => state.kept.push((received.channel, received.charge)),
            500 => echo(state, cx, received),
            _ => {
                state.gate = true;
                cx.release(received.channel, received.charge);
                for (channel, charge) in state.kept.drain(..) {
                    cx.release(channel, charge);
                }
            }
        });
    });
    let (client, client_log) = start(on, ChannelConfig::default(), |app| {
        app.on_ready = Box::new(|state, cx| {
            let stalled = cx.open(OpenOptions::new("stalled")).expect("room");
            for _ in 0..STALLED {
                state.push(cx, stalled, &[7; 1000]);
            }
            for i in 0..OTHERS {
                let channel = cx.open(OpenOptions::new("running")).expect("room");
                for _ in 0..EACH {
                    state.push(cx, channel, &[i as u8; 500]);
                }
            }
        });
        app.on_message = Box::new(take);
    });
    connect(&client, server.addr, 0);
    let client_id = client_log.ready();
    for _ in 0..OTHERS * EACH {
        assert_eq!(client_log.message().len(), 500);
    }
    let (id, stalled) = log.channel();
    let stats = ask(&server, move |hub| {
        let channels = hub.channels(id).expect("open");
        channels.channel_stats(stalled).expect("a channel")
    });
    // No more than its window. Each message is charged with its overhead.
    assert!(stats.held_bytes <= 64 << 10, "{stats:?}");
    assert_eq!(stats.messages_in * 1064, stats.held_bytes, "{stats:?}");
    // After a release it continues to its end.
    run(&client, move |hub| {
        let channels = hub.channels(client_id).expect("open");
        let control = channels.open(OpenOptions::new("control")).expect("room");
        channels.send(control, b"release").expect("room");
    });
    let mut arrived = 0;
    while arrived < STALLED {
        arrived += usize::from(log.message().len() == 1000);
    }
    client.stop();
    server.stop();
}

/// The peer grants all credit, and does not read its socket. The queue is bounded, and refused
/// messages are sent when the socket is writable.
fn a_queue_to_a_peer_that_does_not_read_is_bounded(on: On) {
    const MESSAGES: u32 = 30_000;
    let (server, log) = start(on, ChannelConfig::default(), |app| {
        app.on_channel = Box::new(|state, _, opening| {
            let waiting = state.waiting.entry(opening.channel).or_default();
            let messages =
                (0..MESSAGES).map(|i| ([i.to_le_bytes(); 250].concat(), Default::default()));
            waiting.extend(messages);
            Answer::Accept(AcceptOptions::new())
        });
        app.on_message = Box::new(|state, cx, received| {
            cx.release(received.channel, received.charge);
            state.flush(cx, received.channel);
        });
    });
    let wide = ChannelConfig::default()
        .channel_window_bytes(64 << 20)
        .channel_window_bytes_max(64 << 20);
    let mut raw = Raw::open(server.addr, wide);
    let channel = raw.core.open(OpenOptions::new("everything")).expect("room");
    raw.flush();
    while raw.core.send(channel, b"go") == Err(ChannelSendError::WouldBlock) {
        raw.read().expect("a record");
    }
    raw.flush();
    let (id, theirs) = log.channel();
    // A refused sender hears of room when half of the queue is free. The queue is fuller than that.
    let mut before = 0;
    until("the socket is full", || {
        let stats = ask(&server, move |hub| {
            let channels = hub.channels(id).expect("open");
            channels.channel_stats(theirs).expect("a channel")
        });
        assert!(stats.queued_bytes <= 256 << 10, "{stats:?}");
        let rests = std::mem::replace(&mut before, stats.messages_out) == stats.messages_out;
        rests && stats.queued_bytes > 127 << 10
    });
    let mut next = 0;
    while next < MESSAGES {
        for message in raw.read().expect("a record") {
            assert!(message == [next.to_le_bytes(); 250].concat(), "{next}");
            next += 1;
        }
        raw.flush();
    }
    let writable = log.seen().iter().any(|s| matches!(s, Seen::Writable));
    assert!(writable, "it was told");
    drop(raw);
    server.stop();
}

fn clients_without_the_subprotocol_are_refused(on: On) {
    let (server, log) = start(on, ChannelConfig::default(), |_| {});
    let other = REQUEST.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat\r\n\r\n");
    for request in [REQUEST, &other] {
        let mut peer = Peer::dial(server.addr);
        peer.write(request.as_bytes());
        let head = peer.head();
        assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
        let (body, _) = peer.rest();
        let body = String::from_utf8(body).expect("text");
        assert!(body.contains(SUBPROTOCOL), "{body}");
        match log.next() {
            Seen::Rejected(HandshakeError::SubprotocolNeeded(names)) => {
                assert_eq!(names, [SUBPROTOCOL]);
            }
            other => panic!("{other:?}"),
        }
    }
    server.stop();
}

fn servers_without_the_subprotocol_are_disconnected(on: On) {
    let (client, log) = start(on, ChannelConfig::default(), |_| {});
    let (listener, addr) = listener();
    connect(&client, addr, 17);
    let mut peer = Peer::accept(&listener);
    match log.next() {
        Seen::ConnectFailed(
            17,
            Error::Handshake(HandshakeError::SubprotocolNotAgreed { needed, agreed }),
        ) => assert_eq!((needed, agreed), (SUBPROTOCOL, None)),
        other => panic!("{other:?}"),
    }
    assert_eq!(peer.next().close_code(), Some(1002));
    // Everything else that the server sends is ignored.
    peer.binary(b"\x0b");
    peer.send(Frame::close(1002, b""));
    drop(peer);
    client.stop();
    assert!(log.seen().is_empty(), "it was told once");
}

fn a_violation_closes_with_its_code(on: On) {
    let (server, log) = start(on, ChannelConfig::default(), |_| {});
    let cases = [
        (Frame::new(op::BIN, b"\xc0"), None, 4001),
        (
            Frame::new(op::BIN, b"\x01\x04tick"),
            Some(ChannelViolation::BeforeHello),
            4001,
        ),
        (
            Frame::new(op::TEXT, b"hello"),
            Some(ChannelViolation::NotBinary),
            1003,
        ),
    ];
    for (frame, rule, code) in cases {
        let mut raw = Raw::open(server.addr, ChannelConfig::default());
        raw.peer.send(frame);
        let failed = log.find(|seen| match seen {
            Seen::Failed(failure) => Some(failure),
            _ => None,
        });
        match (failed, rule) {
            (ChannelFailure::Violation(_), None) => {}
            (ChannelFailure::Violation(violation), Some(rule)) => assert_eq!(violation, rule),
            other => panic!("{other:?}"),
        }
        // HELLO, GOAWAY, Close.
        let close = std::iter::from_fn(|| Some(raw.peer.next())).find_map(|got| got.close_code());
        assert_eq!(close, Some(code));
        raw.peer.finish();
        let (ended, failure) = log.closed();
        assert_eq!(failure, failed);
        assert!(
            matches!(ended, Ended::Session(End::Closed { .. })),
            "{ended:?}"
        );
    }
    server.stop();
}

/// GOAWAY with an error closes the connection with the code of the peer.
fn goaway_with_an_error_closes_with_its_code(on: On) {
    let (server, log) = start(on, ChannelConfig::default(), |_| {});
    let mut raw = Raw::open(server.addr, ChannelConfig::default());
    raw.flush();
    raw.read().expect("a record");
    raw.core.abort(ErrorCode::FLOW);
    raw.flush();
    let failed = log.find(|seen| match seen {
        Seen::Failed(failure) => Some(failure),
        _ => None,
    });
    assert_eq!(failed, ChannelFailure::Peer(ErrorCode::FLOW));
    let close = std::iter::from_fn(|| Some(raw.peer.next())).find_map(|got| got.close_code());
    assert_eq!(close, Some(4002));
    raw.peer.finish();
    log.closed();
    server.stop();
}

/// Peers get GOAWAY and Close 1001.
fn a_reactor_that_stops_tells_the_peers_of_its_channels(on: On) {
    let (server, log) = start(on, ChannelConfig::default(), |_| {});
    let (client, client_log) = start(on, ChannelConfig::default(), |app| {
        app.on_ready = Box::new(|state, cx| {
            let channel = cx.open(OpenOptions::new("echo")).expect("room");
            state.push(cx, channel, b"hello");
        });
        app.on_message = Box::new(take);
    });
    connect(&client, server.addr, 0);
    assert_eq!(client_log.message(), b"hello");
    client.stop();
    let going_away = |by_peer| ChannelFailure::Drained {
        by_peer,
        code: ErrorCode::NO_ERROR,
        end: DrainEnd::GoingAway,
    };
    let failed = client_log.find(|seen| match seen {
        Seen::Failed(failure) => Some(failure),
        _ => None,
    });
    assert_eq!(failed, going_away(false));
    let (ended, failure) = client_log.closed();
    assert_eq!(failure, going_away(false));
    assert!(
        matches!(ended, Ended::Session(End::Closed { .. })),
        "{ended:?}"
    );
    let (ended, failure) = log.closed();
    assert_eq!(failure, going_away(true));
    assert!(
        matches!(
            ended,
            Ended::Session(End::Closed {
                code: Some(CloseCode::GOING_AWAY),
                ..
            })
        ),
        "{ended:?}"
    );
    server.stop();
}

/// A peer that vanishes says nothing.
fn a_lost_connection_names_how_the_websocket_ended(on: On) {
    let (server, log) = start(on, ChannelConfig::default(), |_| {});
    let mut raw = Raw::open(server.addr, ChannelConfig::default());
    raw.flush();
    log.ready();
    drop(raw);
    let (ended, failure) = log.closed();
    match (ended, failure) {
        (Ended::Session(end), ChannelFailure::Lost(Some(below))) => assert_eq!(end, below),
        (Ended::Io(_), ChannelFailure::Lost(Some(End::Failed(Failure::Io)))) => {}
        other => panic!("{other:?}"),
    }
    server.stop();
}

/// Channels are open when the time of a drain is over: both ends say so, and who began it.
fn a_drain_that_runs_out_of_time_is_a_drain_at_both_ends(on: On) {
    let config = || ChannelConfig::default().close_timeout(Duration::from_millis(50));
    let (server, log) = start(on, config(), |_| {});
    let (client, client_log) = start(on, config(), |app| {
        app.on_ready = Box::new(|state, cx| {
            let channel = cx.open(OpenOptions::new("stays open")).expect("room");
            state.push(cx, channel, b"hello");
        });
        app.on_message = Box::new(take);
    });
    connect(&client, server.addr, 0);
    assert_eq!(client_log.message(), b"hello");
    let id = log.ready();
    run(&server, move |hub| {
        let channels = hub.channels(id).expect("open");
        channels.drain(ErrorCode(40), "closing time");
    });
    for (log, by_peer) in [(&log, false), (&client_log, true)] {
        let (_, failure) = log.closed();
        let expected = ChannelFailure::Drained {
            by_peer,
            code: ErrorCode(40),
            end: DrainEnd::Incomplete,
        };
        assert_eq!(failure, expected);
    }
    client.stop();
    server.stop();
}

/// Timers of the application and timers of the channels fire: a silent peer is detected.
fn timers_of_application_and_channels_both_fire(on: On) {
    let config = ChannelConfig::default().idle_timeout(Duration::from_secs(3));
    let (server, log) = start(on, config, |app| {
        app.on_open = Box::new(|_, cx| {
            cx.timer(Duration::from_millis(1), 5).expect("room");
            let refused = cx.timer(Duration::from_millis(1), TIMER_TOKEN);
            assert_eq!(refused, Err(TimerError::Token));
        });
    });
    let mut raw = Raw::open(server.addr, ChannelConfig::default());
    raw.flush();
    let token = log.find(|seen| match seen {
        Seen::Timer(token) => Some(token),
        _ => None,
    });
    assert_eq!(token, 5);
    let failed = log.find(|seen| match seen {
        Seen::Failed(failure) => Some(failure),
        _ => None,
    });
    assert_eq!(failed, ChannelFailure::Idle);
    let close = std::iter::from_fn(|| Some(raw.peer.next())).find_map(|got| got.close_code());
    assert_eq!(close, Some(4008));
    raw.peer.finish();
    server.stop();
}

/// Whatever the peer announces: a send queue without room for the largest record that the peer may
/// announce is refused at once.
fn an_outbox_too_small_for_records_is_refused(on: On) {
    let below = calm().send_queue_bytes_max(SEND_QUEUE_BYTES_MIN - 1);
    let (server, log) = start_on(on, ChannelConfig::default(), below, |_| {});
    let mut raw = Raw::open(server.addr, ChannelConfig::default());
    let error = log.find(|seen| match seen {
        Seen::ConnectFailed(_, error) => Some(error),
        _ => None,
    });
    assert!(matches!(error, Error::Config(_)), "{error}");
    assert!(
        error.to_string().contains("send_queue_bytes_max"),
        "{error}"
    );
    assert_eq!(raw.peer.next().close_code(), Some(1011));
    assert!(matches!(raw.peer.finish(), Got::Eof | Got::Reset));
    server.stop();
}

/// A connection was quiet for longer than the time to live of its messages. A new message is still
/// sent.
fn a_time_to_live_counts_from_the_send(on: On) {
    const TTL: Duration = Duration::from_millis(400);
    let (server, log) = start(on, ChannelConfig::default(), |_| {});
    let (client, client_log) = start(on, ChannelConfig::default(), |app| {
        app.on_ready = Box::new(|_, cx| cx.timer(TTL * 2, 7).expect("room"));
        // More than a record, so that the message is queued first.
        app.on_timer = Box::new(|_, cx| {
            let mode = Mode::Ttl(TTL);
            let channel = cx.open(OpenOptions::new("late").mode(mode)).expect("room");
            cx.send(channel, [1; 20_000]).expect("room");
        });
        app.on_message = Box::new(take);
    });
    connect(&client, server.addr, 0);
    let id = client_log.ready();
    assert_eq!(log.message().len(), 20_000);
    // The same for a command of another thread.
    let since = ask(&client, |hub| hub.now());
    until("the core has not been told the time for long", || {
        ask(&client, |hub| hub.now()) >= since.after(TTL * 2)
    });
    run(&client, move |hub| {
        let channels = hub.channels(id).expect("open");
        let channel = channels.ids().next().expect("a channel");
        channels.send(channel, [2; 20_000]).expect("room");
    });
    assert_eq!(log.message().len(), 20_000);
    client.stop();
    server.stop();
}
