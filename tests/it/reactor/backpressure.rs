//! Backpressure, flush policies and the number of system calls.
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use harness::frames::{Frame, op};
use tickwire::net::Tune;
use tickwire::reactor::Hub;
use tickwire::{Flush, Message, Role, SendError};

use super::fixture::{Event, On, calm, echo, on_both, options, serve, serve_with, until};
use super::raw_peer::{Got, Peer};

on_both!(
    fifty_megabytes_reach_a_peer_that_reads_late,
    a_batch_takes_one_read_and_one_write,
    flush_policies_set_the_number_of_writes,
    a_pause_after_every_message_delays_the_next,
    a_resume_in_the_same_call_undoes_the_pause,
    messages_before_the_end_are_delivered_after_a_pause,
    pongs_pass_large_messages,
);

/// Payloads below, at and above the write-through threshold. Every payload contains its number.
fn messages(chunk: usize) -> Vec<Vec<u8>> {
    let sizes = [
        40, 16_384, 1000, 200_000, 70_000, 0, 500, 16_383, 262_000, 130_000,
    ];
    let messages = sizes.iter().cycle().take(chunk).enumerate();
    messages
        .map(|(i, size)| {
            let mut payload = vec![i as u8; *size];
            if let Some(number) = payload.first_chunk_mut() {
                *number = (i as u32).to_be_bytes();
            }
            payload
        })
        .collect()
}

fn fifty_megabytes_reach_a_peer_that_reads_late(on: On) {
    const ROUNDS: usize = 36; // of 1.4 MB
    let refused = Arc::new(AtomicBool::new(false));
    let seen = refused.clone();
    let mut options = options(calm());
    // The default kernel buffers would take all of it.
    options.tune = Tune::new().send_buffer_bytes(64 * 1024);
    let (server, events) = serve_with(on, options, |app| {
        app.tells_messages = false;
        app.on_message = Box::new(move |state, cx, message| {
            echo(state, cx, message);
            seen.fetch_or(state.refused.is_some(), Ordering::Relaxed);
        });
    });
    let mut peer = Peer::open(server.addr);
    let id = events.opened();
    let expected = messages(20);
    let bytes: Vec<u8> = expected
        .iter()
        .flat_map(|m| {
            let ping = Frame::new(op::PING, b"busy?").by(Role::Client);
            [Frame::new(op::BIN, m).by(Role::Client), ping].concat()
        })
        .collect();
    let mut writer = peer.stream.try_clone().expect("a second handle");
    let writing = thread::spawn(move || {
        for _ in 0..ROUNDS {
            writer.write_all(&bytes).expect("a reader");
        }
    });
    until("the queue is full", || refused.load(Ordering::Relaxed));
    let mut pongs = 0;
    for _ in 0..ROUNDS {
        for message in &expected {
            let got = loop {
                match peer.next() {
                    Got::Frame {
                        opcode: op::PONG,
                        payload,
                        ..
                    } => {
                        assert_eq!(payload, b"busy?");
                        pongs += 1;
                    }
                    other => break other,
                }
            };
            assert!(
                got == Got::new(op::BIN, message),
                "a message is lost or broken"
            );
        }
    }
    writing.join().expect("no panic");
    assert!(pongs > 0, "pings are answered");
    let drained = events.find(|e| match e {
        Event::Drained(id) => Some(id),
        _ => None,
    });
    assert_eq!(drained, id);
    drop(peer);
    server.stop();
}

fn calls(hub: &mut Hub<'_>) -> (u64, u64) {
    (hub.calls().reads, hub.calls().writes)
}

/// The numbers of reads and writes of the server for 1,000 small messages that wait in its socket.
fn cost_of_a_batch(on: On, flush: Flush) -> (u64, u64) {
    const MESSAGES: u32 = 1000;
    let config = calm().flush(flush);
    let (server, events) = serve(on, config, |app| app.tells_messages = false);
    let mut peer = Peer::open(server.addr);
    events.opened();
    peer.binary(b"warm");
    assert_eq!(peer.message(), b"warm");
    let bytes: Vec<u8> = (0..MESSAGES)
        .flat_map(|i| Frame::new(op::BIN, [i.to_be_bytes(); 5].concat()).by(Role::Client))
        .collect();
    let before = server.ask(calls);
    let held = server.hold();
    peer.write(&bytes);
    drop(held);
    for i in 0..MESSAGES {
        assert_eq!(peer.message()[..4], i.to_be_bytes());
    }
    let after = server.ask(calls);
    drop(peer);
    server.stop();
    (after.0 - before.0, after.1 - before.1)
}

fn a_batch_takes_one_read_and_one_write(on: On) {
    let (reads, writes) = cost_of_a_batch(on, Flush::EndOfBatch);
    // On tokio a second call registers the waker. The runtime makes no system call for it.
    let most = if on == On::Mio { 1 } else { 2 };
    assert!((1..=most).contains(&reads), "{reads} reads");
    assert_eq!(writes, 1);
}

fn flush_policies_set_the_number_of_writes(on: On) {
    let (_, writes) = cost_of_a_batch(on, Flush::Now);
    assert_eq!(writes, 1000);
    // 22 bytes each: 46 messages reach 1,000 bytes.
    let (_, writes) = cost_of_a_batch(on, Flush::Bytes(1000));
    assert_eq!(writes, 1000_u64.div_ceil(46));
}

/// Every message pauses the connection, and another thread resumes it.
fn a_pause_after_every_message_delays_the_next(on: On) {
    let (server, events) = serve(on, calm(), |app| {
        app.on_message = Box::new(|_, cx, message| {
            if message.data().is_some() {
                cx.pause();
            }
        });
    });
    let mut peer = Peer::open(server.addr);
    let id = events.opened();
    let bytes: Vec<u8> = (0..200_u8)
        .flat_map(|i| Frame::new(op::BIN, [i]).by(Role::Client))
        .collect();
    let (first, second) = bytes.split_at(bytes.len() / 2 + 3);
    peer.write(first);
    for i in 0..200_u8 {
        match events.next() {
            Event::Message(_, _, data) => assert_eq!(data, [i]),
            other => panic!("{other:?}"),
        }
        if i == 50 {
            peer.write(second);
        }
        // No event comes while the connection is paused.
        let quiet = server.ask(|hub| hub.connections());
        assert_eq!(quiet, 1);
        assert!(events.seen().is_empty(), "paused");
        server.run(move |hub| hub.resume(id));
    }
    peer.send(Frame::close(1000, b""));
    events.closed();
    server.stop();
}

fn a_resume_in_the_same_call_undoes_the_pause(on: On) {
    let (server, _events) = serve(on, calm(), |app| {
        app.on_message = Box::new(|state, cx, message| {
            cx.pause();
            cx.resume();
            echo(state, cx, message);
            cx.pause();
            cx.resume();
        });
    });
    let mut peer = Peer::open(server.addr);
    let bytes: Vec<u8> = (0..200_u8)
        .flat_map(|i| Frame::new(op::BIN, [i]).by(Role::Client))
        .collect();
    peer.write(&bytes);
    for i in 0..200_u8 {
        assert_eq!(peer.message(), [i]);
    }
    drop(peer);
    server.stop();
}

/// Messages that arrived before the end of the stream are delivered after a pause that is longer
/// than the connection.
fn messages_before_the_end_are_delivered_after_a_pause(on: On) {
    let (server, events) = serve(on, calm(), |app| {
        app.on_open = Box::new(|cx| cx.pause());
        app.on_message = Box::new(|_, cx, message| {
            if message.data() == Some(&[0]) {
                cx.pause();
            }
        });
    });
    let mut peer = Peer::open(server.addr);
    let id = events.opened();
    for i in 0..3_u8 {
        peer.binary([i]);
    }
    peer.shut();
    server.run(move |hub| hub.resume(id));
    assert!(matches!(events.next(), Event::Message(_, _, data) if data == [0]));
    server.run(move |hub| hub.resume(id));
    assert!(matches!(events.next(), Event::Message(_, _, data) if data == [1]));
    assert!(matches!(events.next(), Event::Message(_, _, data) if data == [2]));
    assert_eq!(events.failure(), tickwire::Failure::Eof);
    server.stop();
}

/// A Pong is sent between messages, although megabytes wait before it.
fn pongs_pass_large_messages(on: On) {
    const MESSAGES: usize = 40;
    let config = calm().send_queue_bytes_max(16 << 20);
    let mut options = options(config);
    options.tune = Tune::new().send_buffer_bytes(64 * 1024);
    let (server, events) = serve_with(on, options, |app| {
        app.on_open = Box::new(|cx| {
            for i in 0..MESSAGES {
                match cx.send(vec![i as u8; 200_000]) {
                    Ok(()) => {}
                    Err(e @ SendError::QueueFull { .. }) => panic!("{e}"),
                    Err(e) => panic!("{e}"),
                }
            }
        });
        app.on_message = Box::new(|_, cx, message| {
            if let Message::Binary(data) = message {
                cx.send(data).expect("room");
            }
        });
    });
    let mut peer = Peer::open(server.addr);
    events.opened();
    peer.send(Frame::new(op::PING, b"quick"));
    peer.binary(b"behind");
    events.find(|e| matches!(e, Event::Message(..)).then_some(()));
    let mut at = None;
    for i in 0..MESSAGES {
        let mut got = peer.next();
        if got == Got::new(op::PONG, b"quick") {
            at = Some(i);
            got = peer.next();
        }
        assert!(got == Got::new(op::BIN, vec![i as u8; 200_000]), "{i}");
    }
    assert!(at.is_some_and(|at| at < MESSAGES), "{at:?}");
    assert_eq!(peer.message(), b"behind");
    drop(peer);
    server.stop();
}
