//! Channels on a reactor.
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::collections::{HashMap, HashSet};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use tickwire::Role;
use tickwire::channels::{
    AcceptOptions, Answer, ChannelConfig, ChannelHub, ChannelId, Direction, ErrorCode, HalfState,
    OpenOptions, SharedFrame, TIMER_TOKEN, TimerError,
};
use tickwire::reactor::ConnId;

use super::channels_fixture::{Seen, ask, connect, drained, run, start, take};
use super::fixture::{LONG, On, on_both, until};

on_both!(
    a_thousand_channels_echo,
    one_encoded_message_reaches_fifty_channels,
    a_run_arrives_as_messages,
    a_channel_can_be_accepted_later_by_a_command,
    rejected_channels_free_their_places,
    both_ends_can_open_and_reset,
    a_drain_ends_with_its_last_channel,
    the_hub_contains_the_current_connection,
    a_command_reaches_every_connection_with_channels,
    the_hub_lists_the_connections_with_channels,
);

const CONNECTIONS: usize = 10;
const CHANNELS: usize = 100;

/// The messages of a channel: small ones, and one that needs several records.
fn script(seed: usize) -> Vec<Vec<u8>> {
    let sizes = [0, 1, 40, 63, 64, 1000, 30_000, 40, 2000, 40];
    let bytes = |size| (0..size).map(|i| (seed * 31 + i) as u8).collect();
    sizes.map(bytes).to_vec()
}

fn a_thousand_channels_echo(on: On) {
    let (server, server_log) = start(on, ChannelConfig::default(), |_| {});
    let (client, log) = start(on, ChannelConfig::default(), |app| {
        app.on_ready = Box::new(|state, cx| {
            for seed in 0..CHANNELS {
                let topic = seed.to_string();
                let channel = cx.open(OpenOptions::new(topic)).expect("room");
                assert_eq!(channel.index(), seed);
                for payload in script(seed) {
                    state.push(cx, channel, &payload);
                }
                state.finish(cx, channel);
            }
        });
        app.on_message = Box::new(take);
    });
    for token in 0..CONNECTIONS {
        connect(&client, server.addr, token as u64);
    }
    let mut got: HashMap<(ConnId, ChannelId), Vec<Vec<u8>>> = HashMap::new();
    let mut ids = Vec::new();
    let mut ended = 0;
    while ended < CONNECTIONS * CHANNELS {
        match log.next() {
            Seen::Message(id, channel, data) => got.entry((id, channel)).or_default().push(data),
            Seen::Ended(..) => ended += 1,
            Seen::Ready(id) => ids.push(id),
            Seen::Failed(failure) => panic!("{failure}"),
            _ => {}
        }
    }
    assert_eq!(got.len(), CONNECTIONS * CHANNELS);
    for ((_, channel), messages) in got {
        assert!(messages == script(channel.index()), "{channel:?}");
    }
    until("the server has let go", || {
        ended -= server_log
            .seen()
            .iter()
            .filter(|seen| matches!(seen, Seen::Ended(..)))
            .count();
        ended == 0
    });
    let left = ask(&client, move |hub| {
        let held = ids.iter().map(|&id| {
            let stats = hub.channels(id).expect("open").stats();
            (stats.channels, stats.held_bytes, stats.queued_bytes)
        });
        held.collect::<Vec<_>>()
    });
    assert_eq!(left, [(0, 0, 0); CONNECTIONS]);
    client.stop();
    server.stop();
}

const SUBSCRIBERS: usize = 50;
const ALIAS: u32 = 7;

fn one_encoded_message_reaches_fifty_channels(on: On) {
    let subscribed: Arc<Mutex<Vec<(ConnId, ChannelId)>>> = Arc::default();
    let subscribers = subscribed.clone();
    let config = ChannelConfig::default().shared_aliases(16);
    let (server, _log) = start(on, config, |app| {
        app.on_channel = Box::new(move |_, cx, opening| {
            assert_eq!(opening.direction, Direction::AcceptorSends);
            let mut list = subscribers.lock().expect("no panic");
            list.push((cx.id(), opening.channel));
            Answer::Accept(AcceptOptions::new().alias(ALIAS))
        });
    });
    let (client, log) = start(on, ChannelConfig::default(), |app| {
        app.on_open = Box::new(|_, cx| {
            let options = OpenOptions::new("quotes").direction(Direction::AcceptorSends);
            cx.open(options).expect("room");
        });
        app.on_message = Box::new(take);
    });
    for token in 0..SUBSCRIBERS {
        connect(&client, server.addr, token as u64);
    }
    for _ in 0..SUBSCRIBERS {
        log.find(|seen| matches!(seen, Seen::Accepted(..)).then_some(()));
    }
    let payload = |i: u8| match i % 3 {
        0 => vec![i; 4096],
        1 => vec![i; 40],
        _ => vec![i; 1500],
    };
    let subscribers = subscribed.clone();
    run(&server, move |hub| {
        for i in 0..60 {
            let frame = SharedFrame::new(ALIAS, &payload(i)).expect("a frame");
            for &(id, channel) in subscribers.lock().expect("no panic").iter() {
                hub.send_shared(id, channel, &frame).expect("room");
            }
        }
    });
    let mut next = [0; SUBSCRIBERS];
    let mut indices: HashMap<ConnId, usize> = HashMap::new();
    for _ in 0..SUBSCRIBERS * 60 {
        let (id, data) = log.find(|seen| match seen {
            Seen::Message(id, _, data) => Some((id, data)),
            Seen::Failed(failure) => panic!("{failure}"),
            _ => None,
        });
        let fresh = indices.len();
        let index = *indices.entry(id).or_insert(fresh);
        assert!(data == payload(next[index]), "message {}", next[index]);
        next[index] += 1;
    }
    assert_eq!(next, [60; SUBSCRIBERS]);
    client.stop();
    server.stop();
}

fn a_run_arrives_as_messages(on: On) {
    let (server, log) = start(on, ChannelConfig::default(), |_| {});
    let (client, client_log) = start(on, ChannelConfig::default(), |app| {
        app.on_ready = Box::new(|_, cx| {
            let channel = cx.open(OpenOptions::new("ticks")).expect("room");
            let ticks: Vec<u8> = (0..160).collect();
            cx.send_run_bytes(channel, 16, &ticks).expect("room");
            cx.finish(channel).expect("a channel");
        });
        app.on_message = Box::new(take);
    });
    connect(&client, server.addr, 0);
    for i in 0..10_u8 {
        let expected: Vec<u8> = (i * 16..i * 16 + 16).collect();
        assert_eq!(client_log.message(), expected);
    }
    // All credit is back; otherwise the run would be queued.
    log.find(|seen| matches!(seen, Seen::Ended(..)).then_some(()));
    client_log.find(|seen| matches!(seen, Seen::Ended(..)).then_some(()));
    client.stop();
    server.stop();
}

fn a_channel_can_be_accepted_later_by_a_command(on: On) {
    let (server, log) = start(on, ChannelConfig::default(), |app| {
        app.on_channel = Box::new(|_, _, _| Answer::Later);
    });
    let (client, client_log) = start(on, ChannelConfig::default(), |app| {
        app.on_ready = Box::new(|state, cx| {
            for topic in ["taken", "not"] {
                let channel = cx.open(OpenOptions::new(topic)).expect("room");
                state.push(cx, channel, topic.as_bytes());
            }
        });
        app.on_message = Box::new(take);
    });
    connect(&client, server.addr, 0);
    let ((id, taken), (_, not)) = (log.channel(), log.channel());
    // Messages arrive before the answer, and their echoes wait for it.
    assert_eq!(log.message(), b"taken");
    assert_eq!(log.message(), b"not");
    let waiting = ask(&server, move |hub| {
        let channels = hub.channels(id).expect("open");
        channels
            .channel_stats(taken)
            .map(|s| (s.sending, s.queued_messages))
    });
    assert_eq!(waiting, Some((HalfState::Opening, 1)));
    run(&server, move |hub| {
        let channels = hub.channels(id).expect("open");
        channels.reject(not, ErrorCode(77));
        channels
            .accept(taken, AcceptOptions::new())
            .expect("offered");
        channels
            .accept(taken, AcceptOptions::new())
            .expect_err("answered");
    });
    let mut told = Vec::new();
    while told.len() < 4 {
        match client_log.next() {
            Seen::Refused(channel, code) => {
                told.push(format!("refused {} {code}", channel.index()))
            }
            Seen::Accepted(channel) => told.push(format!("accepted {}", channel.index())),
            Seen::Ended(channel) => told.push(format!("ended {}", channel.index())),
            Seen::Message(_, _, data) => told.push(String::from_utf8(data).expect("text")),
            _ => {}
        }
    }
    told.sort();
    assert_eq!(
        told,
        ["accepted 0", "ended 1", "refused 1 code 77", "taken"]
    );
    client.stop();
    server.stop();
}

fn rejected_channels_free_their_places(on: On) {
    let (server, _log) = start(on, ChannelConfig::default(), |app| {
        app.on_channel = Box::new(|_, _, _| Answer::Reject(ErrorCode(20)));
    });
    // More channels than may be open at once: each makes room for the next.
    let (client, client_log) = start(on, ChannelConfig::default(), |app| {
        app.on_ready = Box::new(|_, cx| {
            for _ in 0..2000 {
                cx.open(OpenOptions::new("no")).expect("room");
            }
        });
    });
    connect(&client, server.addr, 0);
    let id = client_log.ready();
    let mut ended = 0;
    while ended < 2000 {
        match client_log.next() {
            Seen::Refused(_, code) => assert_eq!(code, ErrorCode(20)),
            Seen::Ended(..) => ended += 1,
            Seen::Failed(failure) => panic!("{failure}"),
            _ => {}
        }
    }
    until("the server has answered the stop", || {
        let channels = ask(&client, move |hub| {
            hub.channels(id).map(|c| c.stats().channels)
        });
        channels == Some(0)
    });
    client.stop();
    server.stop();
}

/// The server opens channels as well. ABORT and STOP arrive, and both ends let go.
fn both_ends_can_open_and_reset(on: On) {
    let (server, log) = start(on, ChannelConfig::default(), |app| {
        app.on_open = Box::new(|_, cx| {
            cx.open(OpenOptions::new("from the server")).expect("room");
        });
        app.on_message = Box::new(take);
    });
    let (client, client_log) = start(on, ChannelConfig::default(), |app| {
        app.on_message = Box::new(take);
        app.on_channel = Box::new(|state, cx, opening| {
            state.push(cx, opening.channel, b"hello");
            Answer::Accept(AcceptOptions::new())
        });
    });
    connect(&client, server.addr, 0);
    let (id, channel) = client_log.channel();
    assert_eq!(log.message(), b"hello");
    run(&client, move |hub| {
        let channels = hub.channels(id).expect("open");
        channels.reset(channel, ErrorCode(30));
        channels.stop(channel, ErrorCode(31));
    });
    log.find(|seen| matches!(seen, Seen::Aborted(ErrorCode(30))).then_some(()));
    log.find(|seen| matches!(seen, Seen::Ended(..)).then_some(()));
    client_log.find(|seen| matches!(seen, Seen::Ended(..)).then_some(()));
    // The place is free when the server has answered STOP.
    while ask(&client, move |hub| {
        hub.channels(id).map(|c| c.stats().channels)
    }) != Some(0)
    {
        std::thread::yield_now();
    }
    client.stop();
    server.stop();
}

fn a_drain_ends_with_its_last_channel(on: On) {
    let (server, log) = start(on, ChannelConfig::default(), |_| {});
    let (client, client_log) = start(on, ChannelConfig::default(), |app| {
        app.on_ready = Box::new(|state, cx| {
            let channel = cx.open(OpenOptions::new("last orders")).expect("room");
            state.push(cx, channel, b"order");
        });
        app.on_message = Box::new(take);
    });
    connect(&client, server.addr, 0);
    assert_eq!(client_log.message(), b"order");
    let id = log.ready();
    run(&server, move |hub| {
        let channels = hub.channels(id).expect("open");
        channels.drain(ErrorCode::NO_ERROR, "closing time");
    });
    let client_id = client_log.find(|seen| match seen {
        Seen::Draining(id, ErrorCode::NO_ERROR) => Some(id),
        _ => None,
    });
    // Open channels continue. The connection ends with the last of them.
    run(&client, move |hub| {
        let channels = hub.channels(client_id).expect("open");
        channels
            .open(OpenOptions::new("too late"))
            .expect_err("it drains");
        let channel = channels.ids().next().expect("a channel");
        channels.send(channel, b"one more").expect("room");
        channels.finish(channel).expect("a channel");
    });
    assert_eq!(client_log.message(), b"one more");
    let (_, failure) = client_log.closed();
    assert_eq!(failure, drained(true));
    let (_, failure) = log.closed();
    assert_eq!(failure, drained(false));
    client.stop();
    server.stop();
}

/// A publisher can subscribe to itself without a special case.
fn the_hub_contains_the_current_connection(on: On) {
    let (server, _log) = start(on, ChannelConfig::default(), |app| {
        app.on_message = Box::new(|_, cx, received| {
            let id = cx.id();
            let sent = cx.hub().send(id, received.channel, &received.data);
            sent.expect("room");
            cx.release(received.channel, received.charge);
        });
    });
    let (client, client_log) = start(on, ChannelConfig::default(), |app| {
        app.on_ready = Box::new(|state, cx| {
            let channel = cx.open(OpenOptions::new("me")).expect("room");
            state.push(cx, channel, b"myself");
        });
        app.on_message = Box::new(take);
    });
    connect(&client, server.addr, 0);
    let roles = client_log.find(|seen| match seen {
        Seen::Open(role) => Some(role),
        _ => None,
    });
    assert_eq!(roles, Role::Client);
    assert_eq!(client_log.message(), b"myself");
    client.stop();
    server.stop();
}

/// A command reaches the statistics and the timers of a connection, until the connection ends.
fn a_command_reaches_every_connection_with_channels(on: On) {
    let (server, log) = start(on, ChannelConfig::default(), |_| {});
    let (client, client_log) = start(on, ChannelConfig::default(), |_| {});
    connect(&client, server.addr, 0);
    let id = log.ready();
    client_log.ready();
    let stats = ask(&server, move |hub| hub.session_stats(id)).expect("open");
    assert!(stats.messages_in > 0 && stats.messages_out > 0, "{stats:?}");
    let reserved = ask(&server, move |hub| {
        hub.timer(id, Duration::ZERO, TIMER_TOKEN)
    });
    assert_eq!(reserved, Err(TimerError::Token));
    let set = ask(&server, move |hub| hub.timer(id, Duration::ZERO, 17));
    assert_eq!(set, Ok(()));
    log.find(|seen| matches!(seen, Seen::Timer(17)).then_some(()));
    client.stop();
    let closed = log.find(|seen| match seen {
        Seen::Close(_, _, stats) => Some(stats),
        _ => None,
    });
    assert!(closed.messages_in >= stats.messages_in, "{closed:?}");
    assert_eq!(ask(&server, move |hub| hub.session_stats(id)), None);
    server.stop();
}

/// Each connection from its `open` to its `close`, and none that is still in its handshake.
fn the_hub_lists_the_connections_with_channels(on: On) {
    let listed = |hub: &ChannelHub<'_, '_>| {
        let ids: HashSet<ConnId> = hub.ids().collect();
        assert_eq!(ids.len(), hub.ids().count(), "each once");
        assert_eq!(ids.len(), hub.multiplexed());
        ids
    };
    let (open, opened) = mpsc::channel();
    let (server, log) = start(on, ChannelConfig::default(), |app| {
        app.on_open = Box::new(move |_, cx| {
            let id = cx.id();
            let hub = cx.hub();
            let ids = listed(&hub);
            open.send((ids.contains(&id), ids.len())).expect("a test");
        });
    });
    assert_eq!(ask(&server, move |hub| listed(hub)), HashSet::new());
    let handshaking = TcpStream::connect(server.addr).expect("a listener");
    let (client, client_log) = start(on, ChannelConfig::default(), |_| {});
    let mut ids = HashSet::new();
    for token in 0..3 {
        connect(&client, server.addr, token);
        ids.insert(log.ready());
        client_log.ready();
        let nth = token as usize + 1;
        assert_eq!(
            opened.recv_timeout(LONG),
            Ok((true, nth)),
            "its own included"
        );
    }
    assert_eq!(ask(&server, move |hub| listed(hub)), ids);
    // All of them can be used while the list is gone through.
    let gone = *ids.iter().next().expect("three");
    run(&server, move |hub| {
        let ids: Vec<_> = hub.ids().collect();
        for id in ids {
            assert!(hub.channels(id).is_some());
        }
        hub.channels(gone)
            .expect("it is listed")
            .abort(ErrorCode::INTERNAL);
    });
    log.closed();
    ids.remove(&gone);
    assert_eq!(ask(&server, move |hub| listed(hub)), ids);
    drop(handshaking);
    client.stop();
    server.stop();
}
