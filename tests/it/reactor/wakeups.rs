//! Work that no socket event announces: a reactor must not lose it, and must not spin on it.
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::io::Write;
use std::net::TcpStream;

use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use harness::frames::{Frame, op};
use tickwire::reactor::{Cx, Ended, Outgoing};
use tickwire::{CloseCode, Deadline, End, Error, Failure, Flush, Message, Parts, Role, SendError};

use super::fixture::{Event, LONG, On, calm, listener, on_both, options, serve, serve_with};
use super::raw_peer::{Got, Peer, REQUEST};

on_both!(
    an_end_of_stream_behind_data_is_detected,
    a_reset_behind_data_is_detected,
    messages_that_cannot_be_answered_are_delivered,
    a_close_behind_a_failed_write_is_detected,
    drained_is_called_again_after_each_refill,
    a_timer_can_send_on_another_connection,
    a_timer_can_stop_the_reactor,
    timers_of_zero_length_do_not_starve_others,
    due_timers_fire_without_a_wait,
    timers_far_in_the_future_do_not_fire,
    a_close_by_a_command_has_a_deadline,
    a_close_in_open_has_a_deadline,
    a_stop_ends_although_peers_flood,
    a_stop_reports_pending_connects,
    commands_after_a_stop_are_answered,
    an_adopted_blocking_socket_blocks_no_other_connection,
    nothing_is_delivered_after_detach,
    answers_reach_a_half_closed_peer,
    an_unanswered_connect_times_out,
    a_pending_connect_uses_no_cpu,
);

/// Data and FIN arrive in one event. The read that takes the data leaves space in the buffer, and
/// no further event comes.
fn an_end_of_stream_behind_data_is_detected(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    let mut peer = Peer::open(server.addr);
    events.opened();
    let held = server.hold();
    peer.binary(b"last words");
    peer.shut();
    drop(held);
    assert_eq!(events.failure(), Failure::Eof);
    server.stop();
}

/// The same with RST: an endpoint gets it if its peer did not read everything.
fn a_reset_behind_data_is_detected(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    let mut peer = Peer::open(server.addr);
    let id = events.opened();
    let held = server.hold();
    peer.binary(b"last words");
    socket2::SockRef::from(&peer.stream)
        .set_linger(Some(Duration::ZERO))
        .expect("linger");
    drop(peer);
    drop(held);
    let (closed, ended) = events.find(|e| match e {
        Event::Closed(id, ended) => Some((id, ended)),
        _ => None,
    });
    assert_eq!(closed, id);
    assert!(matches!(ended, Ended::Io(_)), "{ended:?}");
    server.stop();
}

/// The first answer fails because the peer is gone. The other messages have already been read, and
/// are delivered.
fn messages_that_cannot_be_answered_are_delivered(on: On) {
    let config = calm().flush(Flush::Now);
    let (server, events) = serve(on, config, |_| {});
    let mut peer = Peer::open(server.addr);
    events.opened();
    let held = server.hold();
    for _ in 0..5 {
        peer.binary(b"last words");
    }
    socket2::SockRef::from(&peer.stream)
        .set_linger(Some(Duration::ZERO))
        .expect("linger");
    drop(peer);
    drop(held);
    let (messages, ended) = events.to_the_end();
    assert!(matches!(ended, Ended::Io(_)), "{ended:?}");
    assert_eq!(messages, 5);
    server.stop();
}

/// The peer has sent everything and is gone: answers fail while most of its data is unread.
fn a_close_behind_a_failed_write_is_detected(on: On) {
    const MESSAGES: usize = 300;
    for flush in [Flush::Now, Flush::EndOfBatch] {
        let config = calm().flush(flush);
        let mut options = options(config);
        options.recv_buffer_bytes = 4096;
        let (server, events) = serve_with(on, options, |_| {});
        let mut peer = Peer::open(server.addr);
        events.opened();
        let held = server.hold();
        let mut bytes = Frame::new(op::BIN, [7; 100])
            .by(Role::Client)
            .repeat(MESSAGES);
        bytes.extend(Frame::close(1001, b"").by(Role::Client));
        peer.write(&bytes);
        drop(peer);
        drop(held);
        let (messages, ended) = events.to_the_end();
        assert_eq!(messages, MESSAGES, "{flush:?}: {ended:?}");
        let code = Some(CloseCode::GOING_AWAY);
        let by_peer = true;
        assert!(
            matches!(ended, Ended::Session(end) if end == End::Closed { code, by_peer }),
            "{flush:?}: {ended:?}"
        );
        server.stop();
    }
}

/// A handler fills its queue whenever it hears of room. The socket takes all of it, so that no
/// event asks for more.
fn drained_is_called_again_after_each_refill(on: On) {
    const MESSAGES: u32 = 1000;
    let config = calm().send_queue_bytes_max(16 * 1024);
    let (server, _events) = serve(on, config, |app| {
        let mut sent = 0_u32;
        let fill = move |cx: &mut Cx<'_>| {
            let mut message = [0; 1000];
            while sent < MESSAGES {
                message[..4].copy_from_slice(&sent.to_be_bytes());
                match cx.outbox().send(message) {
                    Ok(()) => sent += 1,
                    Err(SendError::QueueFull { .. }) => break,
                    Err(e) => panic!("{e}"),
                }
            }
        };
        let fill = Arc::new(Mutex::new(fill));
        let first = fill.clone();
        app.on_message = Box::new(move |_, cx, _| (first.lock().expect("no panic"))(cx));
        app.on_drained = Box::new(move |_, cx| (fill.lock().expect("no panic"))(cx));
    });
    let mut peer = Peer::open(server.addr);
    peer.binary(b"go");
    for i in 0..MESSAGES {
        assert_eq!(peer.message()[..4], i.to_be_bytes());
    }
    drop(peer);
    server.stop();
}

fn a_timer_can_send_on_another_connection(on: On) {
    let target = Arc::new(Mutex::new(None));
    let aimed = target.clone();
    let (server, events) = serve(on, calm(), |app| {
        app.on_message = Box::new(|_, cx, _| cx.timer(Duration::from_millis(1), 7).expect("room"));
        app.on_timer = Box::new(move |cx, _| {
            let target = aimed.lock().expect("no panic").expect("a target");
            let outbox = cx.hub().outbox(target).expect("an open connection");
            outbox.send(b"tick").expect("room");
        });
    });
    let mut first = Peer::open(server.addr);
    *target.lock().expect("no panic") = Some(events.opened());
    let mut second = Peer::open(server.addr);
    events.opened();
    second.binary(b"in a moment");
    assert_eq!(first.message(), b"tick");
    drop((first, second));
    server.stop();
}

fn a_timer_can_stop_the_reactor(on: On) {
    let (server, _events) = serve(on, calm(), |app| {
        app.on_message = Box::new(|_, cx, message| {
            if message.data().is_some() {
                cx.timer(Duration::from_millis(1), 7).expect("room");
            }
        });
        app.on_timer = Box::new(|cx, _| cx.hub().stop());
    });
    let mut peer = Peer::open(server.addr);
    peer.binary(b"in a moment");
    assert_eq!(peer.next().close_code(), Some(1001));
    peer.finish();
    server.join();
}

fn timers_of_zero_length_do_not_starve_others(on: On) {
    let (server, _events) = serve(on, calm(), |app| {
        app.on_open = Box::new(|cx| cx.timer(Duration::ZERO, 0).expect("room"));
        app.on_timer = Box::new(|cx, _| cx.timer(Duration::ZERO, 0).expect("room"));
    });
    let mut peer = Peer::open(server.addr);
    peer.binary(b"still there?");
    assert_eq!(peer.message(), b"still there?");
    drop(peer);
    server.stop();
}

fn due_timers_fire_without_a_wait(on: On) {
    const SLEPT: u64 = 50;
    let (counted, counts) = mpsc::channel();
    let mut chains = [0_u64; 2];
    let (server, _events) = serve(on, calm(), move |app| {
        let lengths = [Duration::from_nanos(1), Duration::from_millis(1)];
        app.on_open = Box::new(move |cx| {
            for (token, length) in (0..).zip(lengths) {
                cx.timer(length, token).expect("room");
            }
        });
        app.on_timer = Box::new(move |cx, token| {
            chains[token as usize] += 1;
            cx.timer(lengths[token as usize], token).expect("room");
            if token == 1 && chains[1] == SLEPT {
                counted.send(chains[0]).expect("a test");
            }
        });
    });
    let peer = Peer::open(server.addr);
    let at_once = counts.recv_timeout(LONG).expect("fifty milliseconds");
    // About this many if the reactor slept a millisecond for each of them.
    assert!(at_once > 4 * SLEPT, "{at_once}");
    drop(peer);
    server.stop();
}

fn timers_far_in_the_future_do_not_fire(on: On) {
    let (server, events) = serve(on, calm(), |app| {
        app.on_open = Box::new(|cx| {
            cx.timer(Duration::MAX, 0).expect("room");
            cx.timer(Duration::from_secs(u64::from(u32::MAX)), 0)
                .expect("room");
        });
    });
    let mut peer = Peer::open(server.addr);
    for _ in 0..3 {
        peer.binary(b"still there?");
        assert_eq!(peer.message(), b"still there?");
    }
    drop(peer);
    let ended = events.find(|e| match e {
        Event::Timer(..) => panic!("{e:?}"),
        Event::Closed(_, ended) => Some(ended),
        _ => None,
    });
    assert!(matches!(ended, Ended::Session(_)), "{ended:?}");
    server.stop();
}

/// Nothing is received and nothing more is sent: only the deadline ends the connection.
fn a_close_by_a_command_has_a_deadline(on: On) {
    let config = calm().close_timeout(Duration::from_millis(30));
    let (server, events) = serve(on, config, |_| {});
    let mut peer = Peer::open(server.addr);
    let id = events.opened();
    server
        .remote
        .close(id, CloseCode(4001), "enough")
        .expect("room");
    assert_eq!(peer.next().close_code(), Some(4001));
    assert_eq!(events.failure(), Failure::Deadline(Deadline::Close));
    server.stop();
}

fn a_close_in_open_has_a_deadline(on: On) {
    let config = calm().close_timeout(Duration::from_millis(30));
    let (server, events) = serve(on, config, |app| {
        app.on_open = Box::new(|cx| cx.close(CloseCode(4002), "").expect("a good code"));
    });
    let mut peer = Peer::open(server.addr);
    assert_eq!(peer.next().close_code(), Some(4002));
    assert_eq!(events.failure(), Failure::Deadline(Deadline::Close));
    server.stop();
}

fn a_stop_ends_although_peers_flood(on: On) {
    let config = calm().close_timeout(Duration::from_millis(200));
    let (server, events) = serve(on, config, |app| {
        app.tells_messages = false;
        app.on_message = Box::new(|_, _, _| {});
    });
    let peer = Peer::open(server.addr);
    events.opened();
    let mut flood = peer.stream;
    let frames = Frame::new(op::BIN, [0; 100]).by(Role::Client).repeat(5000);
    let thread = thread::spawn(move || while flood.write_all(&frames).is_ok() {});
    server.stop();
    thread.join().expect("no panic");
}

fn a_stop_reports_pending_connects(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    let (listener, addr) = listener();
    server.connect(addr, 42);
    let silent = listener.accept().expect("a client");
    server.stop();
    let told: Vec<_> = events.seen();
    assert!(
        matches!(told.as_slice(), [Event::ConnectFailed(42, Error::Io(_))]),
        "{told:?}"
    );
    drop(silent);
}

/// Accepted commands that come too late are answered, and not dropped.
fn commands_after_a_stop_are_answered(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    let mut peer = Peer::open(server.addr);
    let id = events.opened();
    let (listener, addr) = listener();
    let held = server.hold();
    let remote = server.remote.clone();
    server.run(|hub| hub.stop());
    remote
        .connect(
            Outgoing::at(addr, "ws://localhost/")
                .expect("a URL")
                .token(1),
        )
        .expect("room");
    let stream = TcpStream::connect(addr).expect("a listener");
    remote
        .adopt(Parts::new(stream, Role::Client), 2)
        .expect("room");
    drop(held);
    assert_eq!(peer.next().close_code(), Some(1001));
    peer.finish();
    server.join();
    let mut failed = Vec::new();
    for event in events.seen() {
        match event {
            Event::ConnectFailed(token, _) => failed.push(token),
            Event::Closed(closed, _) => assert_eq!(closed, id),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(failed, [1, 2]);
    let late = remote.send(id, Bytes::from_static(b"late"));
    assert!(late.is_err_and(|(_, back)| back == b"late"[..]));
    drop(listener);
}

fn an_adopted_blocking_socket_blocks_no_other_connection(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    let (listener, addr) = listener();
    let silent = TcpStream::connect(addr).expect("a listener");
    let (accepted, peer) = listener.accept().expect("a client");
    server.remote.accepted(accepted, peer).expect("room");
    let mut other = Peer::open(server.addr);
    other.binary(b"and me?");
    assert_eq!(other.message(), b"and me?");
    // The silent connection is served as well.
    let mut silent = Peer::over(silent, Role::Client);
    silent.write(REQUEST.as_bytes());
    silent.head();
    silent.binary(b"now");
    assert_eq!(silent.message(), b"now");
    drop(events);
    drop((silent, other));
    server.stop();
}

/// `drained` and `batch_end` resume the connection as usual. It is detached all the same, and takes
/// all messages behind the one that detached it.
fn nothing_is_delivered_after_detach(on: On) {
    let config = calm().send_queue_bytes_max(16 * 1024);
    let (server, events) = serve(on, config, |app| {
        app.on_message = Box::new(|_, cx, message| {
            if message == Message::Binary(b"leave") {
                while cx.outbox().send([0; 1000]).is_ok() {}
                cx.detach();
                cx.resume();
            }
        });
        app.on_drained = Box::new(|_, cx| cx.resume());
    });
    let mut peer = Peer::open(server.addr);
    let id = events.opened();
    let held = server.hold();
    let mut bytes = Frame::new(op::BIN, b"leave").by(Role::Client);
    let rest = Frame::new(op::BIN, b"not yours")
        .by(Role::Client)
        .repeat(10);
    bytes.extend_from_slice(&rest);
    peer.write(&bytes);
    drop(held);
    let parts = events.find(|e| match e {
        Event::Detached(of, parts) => {
            assert_eq!(of, id);
            Some(parts)
        }
        Event::Message(_, _, data) => {
            assert_eq!(data, b"leave");
            None
        }
        _ => None,
    });
    assert_eq!(parts.unread, rest);
    server.stop();
}

fn answers_reach_a_half_closed_peer(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    let mut peer = Peer::open(server.addr);
    events.opened();
    let held = server.hold();
    peer.binary(b"last question");
    peer.shut();
    drop(held);
    assert_eq!(peer.next(), Got::new(op::BIN, b"last question"));
    assert_eq!(peer.next(), Got::Eof);
    assert_eq!(events.failure(), Failure::Eof);
    server.stop();
}

/// The error is the same as that of the tokio driver.
fn an_unanswered_connect_times_out(on: On) {
    let config = calm().handshake_timeout(Duration::from_millis(30));
    let (client, events) = serve(on, config, |_| {});
    let (listener, addr) = listener();
    client.connect(addr, 9);
    let silent = listener.accept().expect("a client");
    let error = events.find(|e| match e {
        Event::ConnectFailed(9, error) => Some(error),
        _ => None,
    });
    assert!(
        matches!(error, Error::Timeout(Deadline::Handshake)),
        "{error:?}"
    );
    drop(silent);
    client.stop();
}

/// The queue of the listener is full: TCP does not answer, and the reactor has nothing to do.
fn a_pending_connect_uses_no_cpu(on: On) {
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let full = full.expect("a socket");
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    full.bind(&any.into()).expect("a port");
    full.listen(0).expect("a listener");
    let addr = full.local_addr().expect("bound").as_socket();
    let addr = addr.expect("an address");
    let patience = Duration::from_millis(50);
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&addr, patience) {
        queued.push(stream);
    }
    let config = calm().handshake_timeout(Duration::from_millis(100));
    let (client, events) = serve(on, config, |_| {});
    let before = client.ask(|hub| hub.calls().waits);
    client.connect(addr, 9);
    let error = events.find(|e| match e {
        Event::ConnectFailed(9, error) => Some(error),
        _ => None,
    });
    assert!(
        matches!(error, Error::Timeout(Deadline::Handshake)),
        "{error:?}"
    );
    let waits = client.ask(|hub| hub.calls().waits) - before;
    assert!(waits < 20, "{waits} waits for one event");
    drop(queued);
    client.stop();
}
