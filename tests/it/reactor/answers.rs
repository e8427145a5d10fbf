//! What a reactor does without the application: answers to Ping and Close, and the end of a failed
//! connection.
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::sync::mpsc;

use bytes::Bytes;
use harness::frames::{Frame, op};
use tickwire::handshake::Refusal;
use tickwire::reactor::Ended;
use tickwire::sans_io::LINGER_BYTES_MAX;
use tickwire::{Deadline, Failure, Message, Role, Violation};

use super::fixture::{Event, LONG, On, calm, on_both, serve, until};
use super::raw_peer::{Got, Peer, REQUEST};

on_both!(
    pings_and_closes_are_answered_before_the_handler_returns,
    a_failure_is_reported_before_the_socket_is_closed,
    a_remote_cannot_send_on_a_failed_connection,
    a_refused_peer_that_floods_is_disconnected,
    a_failed_peer_that_floods_is_disconnected,
);

/// The handler does not return before the peer has the answer.
fn pings_and_closes_are_answered_before_the_handler_returns(on: On) {
    let (tell, told) = mpsc::channel();
    let (server, events) = serve(on, calm(), |app| {
        app.on_message = Box::new(move |_, _, message| {
            if matches!(message, Message::Ping(_) | Message::Close(_)) {
                told.recv_timeout(LONG).expect("an answer before the call");
            }
        });
    });
    let mut peer = Peer::open(server.addr);
    peer.send(Frame::new(op::PING, b"?"));
    assert_eq!(peer.next(), Got::new(op::PONG, b"?"));
    tell.send(()).expect("a handler that waits");
    peer.send(Frame::close(1000, b"bye"));
    assert_eq!(peer.next().close_code(), Some(1000));
    tell.send(()).expect("a handler that waits");
    assert_eq!(peer.next(), Got::Eof);
    events.closed();
    server.stop();
}

/// The peer neither answers nor closes, and its deadline is longer than the test.
fn a_failure_is_reported_before_the_socket_is_closed(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    let mut peer = Peer::open(server.addr);
    peer.write(&Frame::new(op::BIN, b"bare").bytes());
    let failure = Failure::Violation(Violation::UnmaskedFromClient);
    assert_eq!(events.failure(), failure);
    assert_eq!(peer.next().close_code(), Some(1002));
    assert_eq!(server.ask(|hub| hub.connections()), 1);
    drop(peer);
    until("it is gone", || server.ask(|hub| hub.connections()) == 0);
    server.stop();

    let config = calm().idle_timeout(Some(std::time::Duration::from_millis(20)));
    let (server, events) = serve(on, config, |_| {});
    let mut peer = Peer::open(server.addr);
    assert_eq!(events.failure(), Failure::Deadline(Deadline::Idle));
    assert_eq!(peer.next().close_code(), Some(1001));
    drop(peer);
    server.stop();
    let again = events.seen().into_iter();
    assert_eq!(
        again.filter(|e| matches!(e, Event::Closed(..))).count(),
        0,
        "told once"
    );
}

fn a_remote_cannot_send_on_a_failed_connection(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    let mut peer = Peer::open(server.addr);
    let id = events.opened();
    peer.write(&Frame::new(op::BIN, b"bare").bytes());
    events.failure();
    server
        .remote
        .send(id, Bytes::from_static(b"late"))
        .expect("room");
    let (to, error) = events.find(|e| match e {
        Event::Undelivered(to, _, error) => Some((to, error)),
        _ => None,
    });
    assert_eq!((to, error), (id, None));
    drop(peer);
    server.stop();
}

/// Writes until the write fails. Returns the number of bytes that were taken.
fn flood(peer: &mut Peer) -> usize {
    use std::io::Write;
    let chunk = vec![0; 64 << 10];
    let (mut taken, most) = (0, 20 * LINGER_BYTES_MAX as usize);
    while let Ok(n) = peer.stream.write(&chunk) {
        taken += n;
        assert!(taken < most, "it is read for ever");
    }
    taken
}

/// The deadline is longer than the test.
fn a_refused_peer_that_floods_is_disconnected(on: On) {
    let (server, _events) = serve(on, calm(), |app| {
        let refusal = || Refusal::new(503).expect("a status");
        app.on_request = Box::new(move |_| refusal().into());
    });
    let mut peer = Peer::dial(server.addr);
    peer.write(REQUEST.as_bytes());
    assert!(flood(&mut peer) >= LINGER_BYTES_MAX as usize);
    until("it is gone", || server.ask(|hub| hub.connections()) == 0);
    server.stop();
}

fn a_failed_peer_that_floods_is_disconnected(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    let mut peer = Peer::open(server.addr);
    peer.write(&Frame::new(3, b"bad").by(Role::Client));
    assert!(flood(&mut peer) >= LINGER_BYTES_MAX as usize);
    until("it is gone", || server.ask(|hub| hub.connections()) == 0);
    let ended = events.closed();
    assert!(matches!(ended, Ended::Session(_)), "{ended:?}");
    server.stop();
}
