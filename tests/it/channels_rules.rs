//! Rules that a peer made of bytes can put to the test: T15 to T32 of the design page `mux.md`,
//! section 2. T11 (random operations of two ends) is `channels_hostile_random`.

use std::time::Duration;

use allocation_counter::measure;
use harness::frames_mux::{MAX62, Put, Said, flag, hello, read};
use tickwire::channels::{
    ChannelConfig, ChannelSendError, Direction, ErrorCode, HalfState, OpenOptions,
};

use super::channels_hostile_kit::{DOWNLINK, Scene, Told, UPLINK, failed, ms};

/// R15: who drops a reader says so at once, and a writer that waits for credit ends.
#[test]
fn t15_a_reader_is_dropped() {
    // Ours, with a closed window: STOP goes out, and what was held is credit again.
    let mut scene = Scene::new();
    let channel = scene.opened_as(0, UPLINK, 0);
    scene.reads = false;
    for _ in 0..6 {
        scene.put(Put::new().data(0, 0, &[1; 10_000]));
    }
    assert!(scene.core.stats().held_bytes > 50_000);
    scene.core.let_go(channel, ErrorCode(77));
    let stop = Said::Reset {
        flags: flag::STOP,
        alias: 0,
        code: 77,
    };
    assert_eq!(scene.said(), [stop]);
    assert_eq!(scene.core.stats().held_bytes, 0);
    assert_eq!(scene.put(Put::new().reset(flag::ABORT, 0, 77)), []);
    assert_eq!(scene.core.stats().channels, 0);
    // The peer's, while our writer waits.
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, 0)]);
    let (channel, own) = scene.open_ours(OpenOptions::new("x"), 3, 0);
    scene.core.send(channel, b"waits").expect("queued");
    assert_eq!(scene.said(), []);
    let told = scene.put(Put::new().reset(flag::STOP, 3, 77));
    assert_eq!(told, [Told::Stopped(channel, ErrorCode(77))]);
    let abort = Said::Reset {
        flags: flag::ABORT,
        alias: own,
        code: 77,
    };
    assert_eq!(scene.said(), [abort]);
    let sent = scene.core.send(channel, b"more");
    assert_eq!(sent, Err(ChannelSendError::Stopped(ErrorCode(77))));
    assert_eq!(scene.core.stats().queued_bytes, 0);
}

/// R16: control needs no credit and waits behind no data.
#[test]
fn t16_control_passes_data_that_is_stuck() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, 0)]);
    let (channel, own) = scene.open_ours(OpenOptions::new("x"), 3, 0);
    let (other, _) = scene.open_ours(OpenOptions::new("y"), 4, MAX62);
    scene.reads = false;
    // Both ends have sent all they may.
    while scene.core.send(channel, &[1; 1000]) == Ok(()) {}
    for _ in 0..6 {
        scene.put(Put::new().data(0, 3, &[1; 10_000]));
    }
    assert_eq!(scene.said(), []);
    // Plenty of other data is in line, too.
    scene.core.hold_back();
    while scene.core.send(other, &[2; 1000]) == Ok(()) {}
    scene.catch_up();
    let first = scene
        .core
        .poll_record(scene.now)
        .map(|r| r.as_slice().to_vec());
    let said = harness::frames_mux::read(&first.expect("a record"));
    assert!(
        matches!(said[0], Said::Credit { flags: 0, alias, .. } if alias == own),
        "{:?}",
        said[0]
    );
    scene.core.hold_back();
    scene.core.reset(channel, ErrorCode(99));
    let next = scene
        .core
        .poll_record(scene.now)
        .map(|r| r.as_slice().to_vec());
    let said = harness::frames_mux::read(&next.expect("a record"));
    assert!(
        matches!(said[0], Said::Reset { code: 99, .. }),
        "{:?}",
        said[0]
    );
    let late = |s: &Said| matches!(s, Said::Data { alias, .. } if *alias == own);
    assert!(
        !scene.said().iter().any(late),
        "data of an aborted channel is not sent"
    );
}

/// R18: what one channel's reader does not take holds up no other, and no more than its window.
#[test]
fn t18_a_stalled_channel_beside_a_busy_one() {
    let mut scene = Scene::new();
    let stalled = scene.opened_as(0, UPLINK, 0);
    scene.opened_as(1, UPLINK, 0);
    scene.reads = false;
    for _ in 0..6 {
        scene.put(Put::new().data(0, 0, &[1; 10_000]));
    }
    scene.reads = true;
    let (mut own, mut used) = (64 << 10, 0);
    for _ in 0..10_000 {
        let told = scene.put(Put::new().data(0, 1, &[2; 1000]));
        assert!(
            matches!(told[..], [Told::Message { .. }]),
            "at once: {told:?}"
        );
        used += 1064;
        for said in scene.said() {
            match said {
                Said::Credit {
                    flags: 0,
                    alias: 1,
                    limit,
                    ..
                } => own = limit,
                other => panic!("{other:?}"),
            }
        }
        // Always half a window at least, never a wait for the clock.
        assert!(own >= used + (32 << 10) - 1064);
    }
    let stats = scene.core.channel_stats(stalled).expect("open");
    assert!(stats.held_bytes <= 64 << 10, "{stats:?}");
    let told = scene.put(Put::new().data(0, 0, &[1; 10_000]));
    assert_eq!(failed(&told), Some(ErrorCode::FLOW));
}

/// R23: HELLO is first, and it is once.
#[test]
fn t23_hello_and_data_in_any_order() {
    let frames = [
        Put::new().data(0, 0, b"x"),
        Put::new().run(0, 1, 1, b"x"),
        Put::new().credit(0, 9),
        Put::new().open(0, 0, 9, 9, b""),
        Put::new().accept(0, 0, 9, 9, b""),
        Put::new().reject(0, 9),
        Put::new().reset(flag::STOP, 0, 9),
        Put::new().seq(0, 9, 9),
        Put::new().ping(9),
        Put::new().goaway(0, 0, ""),
        Put::new().ext(flag::IGNORE, 9, b""),
    ];
    for frame in frames {
        for ours_first in [false, true] {
            let mut scene = Scene::silent(ChannelConfig::default());
            let channel = scene.core.open(OpenOptions::new("x")).expect("waits");
            assert_eq!(
                scene.core.send(channel, b"x"),
                Err(ChannelSendError::WouldBlock)
            );
            scene.core.ping();
            if ours_first {
                // Nothing but HELLO, whatever the application wants.
                assert!(matches!(scene.said()[..], [Said::Hello(_)]));
            }
            let told = scene.put(frame.clone().raw(&hello(&[]).0));
            assert_eq!(failed(&told), Some(ErrorCode::PROTOCOL), "{frame:?}");
            let said = scene.said();
            assert!(matches!(said.last(), Some(Said::GoAway { code: 1, .. })));
            assert_eq!(said.len(), 2 - usize::from(ours_first), "{said:?}");
        }
    }
    // PAD says nothing; a second HELLO says too much.
    let mut scene = Scene::silent(ChannelConfig::default());
    assert_eq!(scene.put(Put::new().raw(&[0; 63])), []);
    assert_eq!(
        scene.put(Put::new().raw(&[0; 5]).raw(&hello(&[]).0)),
        [Told::Ready]
    );
    assert_eq!(failed(&scene.put(hello(&[]))), Some(ErrorCode::PROTOCOL));
}

/// R24: an alias has one life at a time; what comes late from the last one does no harm.
#[test]
fn t24_aliases_are_used_again() {
    let mut scene = Scene::new();
    let first = scene.opened_as(0, UPLINK, 0);
    scene.put(Put::new().data(0, 0, b"old").data(flag::FIN, 0, b""));
    // Late words about the last life.
    let late = Put::new()
        .credit(0, 99)
        .reset(flag::ABORT | flag::STOP, 0, 9);
    assert_eq!(scene.put(late), []);
    scene.core.let_go(first, ErrorCode::NO_ERROR);
    assert_eq!(scene.said(), []);
    // The next life counts from the beginning, and has nothing of the last.
    let second = scene.opened_as(0, UPLINK, 0);
    assert_ne!(first, second);
    let told = scene.put(Put::new().data(0, 0, b"new"));
    let new = Told::Message {
        channel: second,
        data: b"new".to_vec(),
        seq: 0,
        skipped: 0,
    };
    assert_eq!(told, [new]);
    // At once is too soon.
    let told = scene.put(Put::new().open(0, 0, 9, 9, b""));
    assert_eq!(failed(&told), Some(ErrorCode::PROTOCOL));
    // Data of a life that is over is not late, but wrong.
    let mut scene = Scene::new();
    scene.opened_as(0, UPLINK, 0);
    scene.put(Put::new().data(flag::FIN, 0, b"end"));
    assert_eq!(
        failed(&scene.put(Put::new().data(0, 0, b"x"))),
        Some(ErrorCode::PROTOCOL)
    );
}

/// R24: our own aliases rest until the peer knows of both ends.
#[test]
fn t24_our_aliases_rest_until_both_halves_are_over() {
    let mut scene = Scene::new();
    let (first, own) = scene.open_ours(OpenOptions::new("a"), 3, 60_000);
    scene.core.finish_sending(first).expect("open");
    scene.said();
    let (_, second) = scene.open_ours(OpenOptions::new("b"), 4, 60_000);
    assert_ne!(own, second, "the peer's half of the first goes on");
    scene.put(Put::new().data(flag::FIN, 3, b""));
    let (_, third) = scene.open_ours(OpenOptions::new("c"), 5, 60_000);
    assert_eq!(own, third);
    // Given up before the answer: it is the peer's answer that frees the alias.
    let fourth = scene.core.open(OpenOptions::new("d")).expect("opened");
    let said = scene.said();
    let [Said::Open { alias, .. }] = said[..] else {
        panic!("{said:?}")
    };
    scene.core.let_go(fourth, ErrorCode::NO_ERROR);
    scene.said();
    scene.put(Put::new().data(0, 4, b"x"));
    let (_, fifth) = scene.open_ours(OpenOptions::new("e"), 6, 60_000);
    assert_ne!(alias, fifth);
    assert_eq!(scene.put(Put::new().reject(alias, 7)), []);
    let (_, sixth) = scene.open_ours(OpenOptions::new("f"), 7, 60_000);
    assert_eq!(alias, sixth);
}

/// R26: an end needs no peer.
#[test]
fn t27_a_frozen_peer_and_the_end() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 0);
    let _ = scene.core.send(channel, b"never goes out");
    scene.core.drain(ErrorCode::NO_ERROR, "over");
    assert!(matches!(
        scene.said()[..],
        [Said::GoAway {
            code: 0,
            opens_seen: 1,
            ..
        }]
    ));
    assert_eq!(failed(&scene.wait(ms(1999))), None);
    assert_eq!(failed(&scene.wait(ms(2))), Some(ErrorCode::NO_ERROR));
    scene.said();
    assert_eq!(scene.core.closing(), Some(ErrorCode::NO_ERROR));
    assert_eq!(scene.core.poll_timeout(), None);
    // Without channels it is at once; without a word of the peer's, after the idle time.
    let mut scene = Scene::new();
    scene.core.drain(ErrorCode(20), "over");
    assert_eq!(failed(&scene.events()), Some(ErrorCode(20)));
    assert_eq!(scene.end(), Some(ErrorCode(20)));
    let mut scene = Scene::silent(ChannelConfig::default());
    scene.said();
    assert_eq!(failed(&scene.wait(ms(29_999))), None);
    assert_eq!(failed(&scene.wait(ms(2))), Some(ErrorCode::TIMEOUT));
    assert_eq!(scene.end(), Some(ErrorCode::TIMEOUT));
}

/// R28: a PING stands before all data, and before other control.
#[test]
fn t29_a_ping_does_not_wait_behind_data() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, MAX62)]);
    let (channel, _) = scene.open_ours(OpenOptions::new("bulk"), 3, MAX62);
    for turn in 0..20_u64 {
        scene.wait(ms(1100));
        scene.records();
        scene.core.hold_back();
        while scene.core.send(channel, &[1; 1000]) == Ok(()) {}
        scene.put(Put::new().ping(turn));
        scene.core.ping();
        let record = scene
            .core
            .poll_record(scene.now)
            .map(|r| r.as_slice().to_vec());
        let said = harness::frames_mux::read(&record.expect("a record"));
        let Said::Ping(value) = said[0] else {
            panic!("{:?}", said[0])
        };
        assert_eq!(said[1], Said::Pong(turn));
        scene.wait(ms(10 + turn));
        scene.put(Put::new().pong(value));
        let stats = scene.core.stats();
        assert_eq!(stats.rtt_last, Some(ms(10 + turn)));
        assert_eq!(stats.rtt_min, Some(Duration::ZERO), "of the greeting");
    }
    // An answer to what was not asked measures nothing.
    scene.put(Put::new().pong(7).pong(1 << 40));
    assert_eq!(scene.core.stats().rtt_last, Some(ms(29)));
}

/// R30: a message that is not finished in time is given up, with its memory.
#[test]
fn t31_fragments_that_dribble() {
    let mut scene = Scene::new();
    let channel = scene.opened_as(0, UPLINK, 0);
    let mut told = Vec::new();
    for second in 0..12 {
        told.extend(scene.put(Put::new().data(flag::MORE, 0, b".")));
        if second < 9 {
            assert_eq!(told, []);
        }
        told.extend(scene.wait(ms(1000)));
    }
    assert_eq!(told, [Told::Evicted(channel, ErrorCode::TIMEOUT)]);
    let stop = Said::Reset {
        flags: flag::STOP,
        alias: 0,
        code: 8,
    };
    assert!(scene.said().contains(&stop));
    assert_eq!(scene.core.stats().held_bytes, 0);
    let state = scene.core.channel_stats(channel).map(|s| s.receiving);
    assert_eq!(state, Some(HalfState::Ending));
}

/// R31: a table by alias, as long as was announced and no longer.
#[test]
fn t32_the_highest_alias() {
    let config = || ChannelConfig::default().aliases_max(1 << 20);
    for (config, alias) in [(ChannelConfig::default(), 4095), (config(), (1 << 20) - 1)] {
        let mut scene = Scene::greeted(config, &[]);
        let memory = measure(|| {
            scene.opened_as(alias, DOWNLINK, 9);
        });
        let table = (alias + 1) * 4;
        assert!(memory.bytes_max <= table + 4096, "{memory:?}");
        let memory = measure(|| {
            let told = scene.put(Put::new().open(alias + 1, 0, 9, 9, b""));
            assert_eq!(failed(&told), Some(ErrorCode::PROTOCOL));
        });
        assert!(memory.bytes_max <= 4096, "{memory:?}");
    }
    for frame in [
        Put::new().data(0, 4096, b"x"),
        Put::new().credit(4096, 9),
        Put::new().accept(0, 4096, 9, 9, b""),
        Put::new().reset(flag::STOP, MAX62, 9),
    ] {
        let mut scene = Scene::new();
        let options = OpenOptions::new("x").direction(Direction::OpenerSends);
        scene.core.open(options).expect("opened");
        scene.said();
        assert_eq!(failed(&scene.put(frame)), Some(ErrorCode::PROTOCOL));
    }
}

/// Receivers lend messages that come whole: one that fits a record is not cut for the room that
/// another record has left, however much that is, and one that fits none fills them.
#[test]
fn what_fits_a_record_is_not_cut() {
    let cuts = |len: usize, first_direct: bool| -> Vec<Vec<usize>> {
        let mut scene = Scene::new();
        let channel = scene.opened(0, 1 << 20);
        if !first_direct {
            scene.core.hold_back();
        }
        scene.core.send(channel, &[1; 100]).expect("sent");
        scene.core.send(channel, &vec![2; len]).expect("sent");
        let payloads = |record: &Vec<u8>| {
            let said = read(record).into_iter().map(|said| match said {
                Said::Data { payload, .. } => payload.len(),
                other => panic!("{other:?}"),
            });
            said.collect()
        };
        scene.records().iter().map(payloads).collect()
    };
    // Records of 16 KiB; alone, the head is four bytes, and its length may be left out.
    for direct in [true, false] {
        assert_eq!(cuts(16_000, direct), [vec![100, 16_000]]);
        assert_eq!(cuts(16_300, direct), [vec![100], vec![16_300]]);
        assert_eq!(cuts(16_378, direct), [vec![100], vec![16_378]]);
        let parts = cuts(20_000, direct);
        assert_eq!(parts.len(), 2, "{parts:?}");
        assert_eq!(parts[0].len() + parts[1].len(), 3, "{parts:?}");
    }
}
