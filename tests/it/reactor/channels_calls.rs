//! Calls of a channel handler beside `send`, and events beside messages.
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::time::Duration;

use bytes::Bytes;
use tickwire::Timestamp;
use tickwire::channels::{
    ChannelConfig, ChannelSendError, Direction, ErrorCode, Mode, OpenOptions,
};

use super::channels_fixture::{Raw, Seen, ask, connect, start, take};
use super::fixture::{On, on_both};

on_both!(
    every_way_to_send_arrives,
    the_newest_message_of_a_key_arrives,
    messages_of_one_call_arrive_in_order,
    acknowledgements_and_rebases_are_reported,
    an_unfinished_message_is_evicted,
    a_stop_is_reported_to_the_sender,
);

fn every_way_to_send_arrives(on: On) {
    let (server, log) = start(on, ChannelConfig::default(), |app| {
        app.on_message = Box::new(take)
    });
    let (client, _log) = start(on, ChannelConfig::default(), |app| {
        app.on_ready = Box::new(|_, cx| {
            let channel = cx.open(OpenOptions::new("orders")).expect("room");
            cx.send(channel, b"sent").expect("room");
            for len in [5, 5000] {
                let shared = Bytes::from(vec![b's'; len]);
                cx.send_bytes(channel, shared).expect("room");
            }
            let mut room = cx.claim(channel, 7).expect("room");
            room.copy_from_slice(b"claimed");
            room.commit();
            drop(cx.claim(channel, 7).expect("room"));
            cx.send_run_bytes(channel, 2, b"r1r2").expect("room");
            assert_eq!(
                cx.send_keyed(channel, 1, b"k"),
                Err(ChannelSendError::WrongMode)
            );
            let large = Bytes::from(vec![0; 2 << 20]);
            let (error, back) = cx
                .send_bytes(channel, large.clone())
                .expect_err("too large");
            assert!(
                matches!(error, ChannelSendError::TooLarge { .. }),
                "{error}"
            );
            assert_eq!(back, large);
        });
    });
    connect(&client, server.addr, 0);
    let shared = |len| vec![b's'; len];
    let expected = [
        b"sent".to_vec(),
        shared(5),
        shared(5000),
        b"claimed".to_vec(),
        b"r1".to_vec(),
        b"r2".to_vec(),
    ];
    for message in expected {
        assert_eq!(log.message(), message);
    }
    client.stop();
    server.stop();
}

/// Messages on a channel wait, and are conflated, until its OPEN is sent.
fn the_newest_message_of_a_key_arrives(on: On) {
    let (server, log) = start(on, ChannelConfig::default(), |app| {
        app.on_message = Box::new(take)
    });
    let (client, _log) = start(on, ChannelConfig::default(), |app| {
        app.on_ready = Box::new(|_, cx| {
            let options = OpenOptions::new("quotes").mode(Mode::Conflated);
            let channel = cx.open(options).expect("room");
            for (key, quote) in [(1, "a1"), (2, "b1"), (1, "a2"), (3, "c1"), (1, "a3")] {
                cx.send_keyed(channel, key, quote.as_bytes()).expect("room");
            }
            assert!(matches!(
                cx.claim(channel, 7),
                Err(ChannelSendError::WrongMode)
            ));
            let stats = cx.channel_stats(channel).expect("open");
            assert_eq!(stats.skipped_out, 2);
        });
    });
    connect(&client, server.addr, 0);
    let quotes: Vec<_> = (0..3).map(|_| log.message()).collect();
    assert_eq!(quotes, [b"a3", b"b1", b"c1"]);
    client.stop();
    server.stop();
}

/// One call sends more than the send queue takes: a part is sent during the call, and the rest
/// waits.
fn messages_of_one_call_arrive_in_order(on: On) {
    const MESSAGES: u32 = 3000;
    let (server, log) = start(on, ChannelConfig::default(), |app| {
        app.on_message = Box::new(take)
    });
    let config = ChannelConfig::default().channel_queue_bytes_max(1 << 20);
    let (client, _log) = start(on, config, |app| {
        app.on_ready = Box::new(|_, cx| {
            let channel = cx.open(OpenOptions::new("ticks")).expect("room");
            cx.send(channel, b"first").expect("room");
            cx.timer(Duration::ZERO, 1).expect("room");
        });
        app.on_timer = Box::new(|_, cx| {
            let channel = cx.ids().next().expect("a channel");
            for i in 0..MESSAGES {
                let message = [i.to_le_bytes(); 16].concat();
                if i % 2 == 0 {
                    cx.send(channel, &message).expect("room");
                } else {
                    let mut room = cx.claim(channel, message.len()).expect("room");
                    room.copy_from_slice(&message);
                    room.commit();
                }
            }
            // A record takes 241 messages. Messages without credit are queued.
            let sent = cx.channel_stats(channel).expect("open").messages_out;
            assert!((400..600).contains(&sent), "{sent}");
        });
    });
    connect(&client, server.addr, 0);
    assert_eq!(log.message(), b"first");
    for i in 0..MESSAGES {
        assert_eq!(log.message(), [i.to_le_bytes(); 16].concat());
    }
    client.stop();
    server.stop();
}

fn acknowledgements_and_rebases_are_reported(on: On) {
    let (server, log) = start(on, ChannelConfig::default(), |app| {
        app.on_message = Box::new(|_, cx, received| {
            let (channel, seq) = (received.channel, received.seq);
            assert_eq!(received.data[0], seq as u8);
            cx.release(channel, received.charge);
            cx.acknowledge(channel, seq + 1);
        });
    });
    let (client, client_log) = start(on, ChannelConfig::default(), |app| {
        app.on_ready = Box::new(|_, cx| {
            let options = OpenOptions::new("journal").direction(Direction::OpenerSends);
            let channel = cx.open(options).expect("room");
            for seq in 0..3 {
                cx.send(channel, [seq; 40]).expect("room");
            }
            assert_eq!(
                cx.rebase(channel, 7, 200),
                Err(ChannelSendError::WouldBlock)
            );
        });
    });
    connect(&client, server.addr, 0);
    let id = client_log.ready();
    let acked = |up_to| {
        client_log.find(|seen| match seen {
            Seen::Acked(channel, seq) if seq == up_to => Some(channel),
            _ => None,
        })
    };
    let channel = acked(3);
    ask(&client, move |hub| {
        let channels = hub.channels(id).expect("open");
        channels.rebase(channel, 7, 200).expect("nothing waits");
        channels.send(channel, [200; 40]).expect("room");
    });
    let rebased = log.find(|seen| match seen {
        Seen::Rebased(epoch, next_seq) => Some((epoch, next_seq)),
        _ => None,
    });
    assert_eq!(rebased, (7, 200));
    assert_eq!(acked(201), channel);
    client.stop();
    server.stop();
}

/// A message that is not finished in time is given up at both ends.
fn an_unfinished_message_is_evicted(on: On) {
    let config = ChannelConfig::default().partial_timeout(Duration::from_millis(20));
    let (server, log) = start(on, config, |_| {});
    let mut raw = Raw::open(server.addr, ChannelConfig::default());
    let channel = raw.core.open(OpenOptions::new("slow")).expect("room");
    raw.flush();
    while raw.core.send(channel, [1; 30_000]) == Err(ChannelSendError::WouldBlock) {
        raw.read().expect("a record");
    }
    // The first of two records, and no more.
    let record = raw
        .core
        .poll_record(Timestamp(1))
        .map(|r| r.as_slice().to_vec());
    raw.peer.binary(record.expect("half of the message"));
    let code = log.find(|seen| match seen {
        Seen::Evicted(code) => Some(code),
        _ => None,
    });
    assert_eq!(code, ErrorCode::TIMEOUT);
    drop(raw); // nobody answers a Close there
    server.stop();
}

/// A sender hears that the reader wants no more.
fn a_stop_is_reported_to_the_sender(on: On) {
    let (server, _log) = start(on, ChannelConfig::default(), |app| {
        app.on_message = Box::new(|_, cx, received| {
            cx.release(received.channel, received.charge);
            cx.stop(received.channel, ErrorCode(17));
        });
    });
    let (client, client_log) = start(on, ChannelConfig::default(), |app| {
        app.on_ready = Box::new(|state, cx| {
            let channel = cx.open(OpenOptions::new("unwanted")).expect("room");
            state.push(cx, channel, b"message");
        });
    });
    connect(&client, server.addr, 0);
    let code = client_log.find(|seen| match seen {
        Seen::Stopped(code) => Some(code),
        _ => None,
    });
    assert_eq!(code, ErrorCode(17));
    client.stop();
    server.stop();
}
