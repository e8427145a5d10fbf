//! The ends of connections, and the time of their callbacks.

use super::*;

/// The next owner could send after the Close.
#[test]
fn a_closing_connection_is_not_detached() {
    for how in [&b"close, detach"[..], b"detach, close"] {
        let mut rig = Rig::new(calm());
        rig.frame(2, how);
        rig.frame(2, b"behind");
        rig.readable();
        rig.assert_alive();
        assert_eq!(rig.core.handler.messages, [how, b"behind"]);
        rig.frame(8, &1000_u16.to_be_bytes());
        rig.readable();
        rig.end(Ok(0));
        rig.readable();
        rig.assert_closed((1000, false));
    }
}

/// Messages of 100 bytes each, for several turns, then a Close and the end of the stream. Writes
/// fail.
fn broken_with_input(rig: &Rig, messages: usize) -> Vec<Vec<u8>> {
    let sent = vec![vec![5; 100]; messages];
    sent.iter().for_each(|message| rig.frame(2, message));
    rig.frame(8, &1001_u16.to_be_bytes());
    rig.end(Ok(0));
    rig.pipe.borrow_mut().broken = true;
    sent
}

#[test]
fn a_failed_write_hides_neither_messages_nor_a_close() {
    for flush in [
        crate::Flush::EndOfBatch,
        crate::Flush::Now,
        crate::Flush::Bytes(1),
    ] {
        let mut rig = Rig::new(calm().flush(flush));
        let sent = broken_with_input(&rig, 500);
        rig.readable();
        assert_eq!(rig.core.handler.messages, sent);
        rig.assert_closed((1001, true));
    }
}

#[test]
fn a_failed_write_waits_for_the_end_of_a_pause() {
    let mut rig = Rig::new(calm());
    rig.frame(2, b"pause");
    let sent = broken_with_input(&rig, 500);
    rig.readable();
    rig.pass(at(4));
    rig.assert_alive();
    assert_eq!(rig.core.handler.messages.len(), 1);
    rig.resume();
    assert_eq!(rig.core.handler.messages[1..], sent);
    rig.assert_closed((1001, true));
}

/// A connection whose write failed ends, both during a pause without end and on a socket without
/// further input.
#[test]
fn a_failed_write_ends_the_connection() {
    for (first, paused) in [(&b"pause"[..], true), (b"no pause", false)] {
        let mut rig = Rig::new(calm());
        rig.frame(2, first);
        rig.frame(2, b"more");
        rig.pipe.borrow_mut().broken = true;
        rig.readable();
        if paused {
            rig.pass(at(4));
            rig.assert_alive();
            rig.pass(at(6));
        }
        rig.assert_broken();
        assert_eq!(rig.core.connections(), 0);
    }
}

/// The failure that came first is the cause.
#[test]
fn a_failed_write_is_the_cause_before_an_end_of_the_stream() {
    for end in [Ok(0), Err(ErrorKind::ConnectionReset)] {
        let mut rig = Rig::new(calm());
        rig.frame(2, b"first");
        rig.end(end);
        rig.pipe.borrow_mut().broken = true;
        rig.readable();
        // The end is read once more after the write, if the first read left space.
        rig.readable();
        rig.assert_broken();
    }
}

/// `close` is called before the socket is closed, and no callback follows it.
#[test]
fn a_failure_is_reported_at_once() {
    let mut rig = Rig::new(calm().idle_timeout(Some(seconds(30))));
    rig.pass(at(29));
    rig.assert_alive();
    rig.pass(at(30));
    rig.assert_failed(Deadline::Idle);
    assert_eq!(rig.pipe.borrow().written[0], 0x88, "a Close is sent");
    // The handler cannot send on the ended connection.
    let (id, ended) = (rig.id, std::sync::Arc::new(std::sync::Mutex::new(None)));
    let result = ended.clone();
    let check = move |hub: &mut Hub<'_>| {
        *result.lock().unwrap() = Some(hub.outbox(id).is_none());
    };
    rig.core.carry_out(Command::User(Box::new(check)), rig.now);
    assert_eq!(*ended.lock().unwrap(), Some(true));
    rig.serve();
    // The socket is closed when the peer has answered, or after `close_timeout`.
    rig.pass(at(34));
    assert_eq!(rig.core.connections(), 1);
    rig.pass(at(35));
    assert_eq!(rig.core.connections(), 0);
    rig.assert_alive();
}

#[test]
fn a_violation_is_reported_before_the_peer_has_answered() {
    let mut rig = Rig::new(calm());
    rig.frame(2, b"good");
    rig.frame(3, b"bad");
    rig.readable();
    let ended = rig.ended();
    assert!(
        matches!(ended, Ended::Session(End::Failed(Failure::Violation(_)))),
        "{ended:?}"
    );
    assert_eq!(rig.core.handler.messages, [b"good"]);
    assert_eq!(rig.core.connections(), 1);
    rig.end(Ok(0));
    rig.readable();
    assert_eq!(rig.core.connections(), 0);
    rig.assert_alive();
}

/// Sends bytes until the connection has ended. Returns the number of bytes that were read.
fn flood(rig: &mut Rig) -> usize {
    let mut fed = 0;
    while rig.core.connections() > 0 {
        assert!(fed < 100 << 20, "reading does not end");
        rig.pipe.borrow_mut().incoming.resize(64 << 10, 0);
        rig.readable();
        fed += (64 << 10) - rig.pipe.borrow().incoming.len();
    }
    fed
}

/// A peer that keeps sending after a failure or a refusal is disconnected before the deadline.
#[test]
fn input_after_a_failure_or_refusal_is_bounded() {
    let limit = crate::session::LINGER_BYTES_MAX as usize;
    let mut rig = Rig::new(calm());
    rig.frame(3, b"bad");
    rig.readable();
    let fed = flood(&mut rig);
    assert!((limit..=limit + (1 << 20)).contains(&fed), "{fed}");

    rig.pipe = Rc::default();
    rig.id = rig.core.reserve();
    let transport = Fake(rig.pipe.clone());
    rig.core.insert_accepted(rig.id, transport, None, rig.now);
    let request = b"POST / HTTP/1.1\r\nHost: x\r\n\r\n";
    rig.pipe.borrow_mut().incoming.extend_from_slice(request);
    rig.readable();
    assert!(rig.pipe.borrow().written.starts_with(b"HTTP/1.1 4"));
    assert_eq!(rig.core.connections(), 1);
    let fed = flood(&mut rig);
    assert!((limit..=limit + (1 << 20)).contains(&fed), "{fed}");
    assert_eq!(rig.now, at(0), "long before the deadline");
}

#[test]
fn deadline_entries_of_ended_connections_are_few() {
    let mut rig = Rig::new(calm().idle_timeout(Some(seconds(3600))));
    for round in 1..200 {
        rig.pass(at(11 * round));
        rig.end(Ok(0));
        rig.readable();
        assert!(rig.core.handler.ended.take().is_some());
        assert_eq!(rig.core.connections(), 0);
        rig.id = rig.core.reserve();
        rig.open(Role::Client, None);
        let entries = rig.core.common.slab.timers.len();
        assert!(entries <= 7, "{entries} entries for one connection");
    }
    // The deadline itself is still met.
    let opened = 11 * 199;
    rig.pass(at(opened + 3599));
    rig.assert_alive();
    rig.pass(at(opened + 3700));
    rig.assert_failed(Deadline::Idle);
}

/// A message sent in `stopping` goes out before the Close. `stopping` is not called for a connection
/// that is already closing.
#[test]
fn a_message_sent_in_stopping_precedes_the_close() {
    for closing in [false, true] {
        let mut rig = Rig::new(Config::default());
        if closing {
            rig.frame(2, b"close, detach");
            rig.readable();
        }
        rig.pipe.borrow_mut().written.clear();
        rig.core.stop();
        rig.serve();
        let written = std::mem::take(&mut rig.pipe.borrow_mut().written);
        let frames: &[(u8, usize)] = if closing {
            &[]
        } else {
            &[(0x82, 7), (0x88, 2)]
        };
        let (mut rest, mut found) = (&written[..], Vec::new());
        while let [first, len, after @ ..] = rest {
            let len = usize::from(len & 0x7f);
            found.push((*first, len));
            rest = &after[4 + len..];
        }
        assert_eq!(found, frames);
    }
}
