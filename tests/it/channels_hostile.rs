//! Peers that want our memory or our time: the tests T1 to T12 of the design page `mux.md`,
//! section 2, against a peer made of bytes.

use allocation_counter::measure;
use harness::frames_mux::{MAX62, Put, Said, flag, hello};
use tickwire::channels::{ChannelConfig, Direction, ErrorCode, Mode, OpenOptions};

use super::channels_hostile_kit::{Scene, Told, UPLINK, failed, ms};

/// Frames of the floods: more where that takes no longer.
const FLOOD: usize = if cfg!(debug_assertions) {
    1_000_000
} else {
    10_000_000
};

/// The frames that `put` makes, as many as a record holds.
fn full_record(frame: &Put) -> (Vec<u8>, usize) {
    let count = (16 << 10) / frame.0.len();
    (frame.0.repeat(count), count)
}

/// R1: a slot is free when both halves are over and the handle is dropped; opens that come to
/// nothing are few.
#[test]
fn t01_rapid_reset() {
    let mut scene = Scene::new();
    let mut opens = 0;
    let mut end = None;
    let memory = measure(|| {
        while end.is_none() {
            let record = Put::new().open(0, 0, 60_000, 9, &[]);
            let told = scene.put(record.reset(flag::ABORT | flag::STOP, 0, 8));
            end = failed(&told);
            for t in told {
                if let Told::Open(channel) = t {
                    scene.core.let_go(channel, ErrorCode::NO_ERROR);
                }
            }
            opens += 1;
            assert!(scene.core.stats().channels <= 64);
            scene.records();
        }
    });
    assert_eq!((end, opens), (Some(ErrorCode::CALM), 101));
    assert!(memory.bytes_max < 64 << 10, "{memory:?}");
}

/// R1: who opens and resets slowly enough goes on; who never lets go keeps only what it may.
#[test]
fn t01_slow_reset_and_handles_that_are_kept() {
    let config = ChannelConfig::default().channels_max(16);
    let mut scene = Scene::greeted(config, &[(9, 1_000_000)]);
    let mut rejected = 0;
    for _ in 0..2000 {
        scene.wait(ms(100));
        let record = Put::new().open(0, 0, 60_000, 9, &[]);
        let told = scene.put(record.reset(flag::ABORT | flag::STOP, 0, 8));
        assert_eq!(failed(&told), None);
        let limit = |s: &Said| matches!(s, Said::Reject { code: 4, .. });
        rejected += scene.said().iter().filter(|s| limit(s)).count();
        assert!(scene.core.stats().channels <= 3 * 16, "{:?}", scene.core);
    }
    assert_eq!(rejected, 2000 - 3 * 16);
}

/// R3: what is to be answered is a state, never a queue.
#[test]
fn t03_a_peer_that_never_reads() {
    let mut scene = Scene::new();
    let channels: Vec<_> = (0..8).map(|alias| scene.opened(alias, 60_000)).collect();
    for &channel in &channels[6..] {
        // STOP and ABORT wait from now on.
        scene.core.let_go(channel, ErrorCode::NO_ERROR);
    }
    let flood = [
        Put::new().blocked(0, 0),
        Put::new().blocked(6, 0),
        Put::new().narrow(3, 1 << 20),
        Put::new().reset(flag::STOP, 1, 9),
        Put::new().reset(flag::ABORT | flag::STOP, 2, 9),
        Put::new().reset(flag::ABORT, 7, 9),
        Put::new().credit(3, 1 << 40),
        Put::new().narrow(4, 0),
        Put::new().pong(7),
        Put::new().raw(&[0]).ext(flag::IGNORE, 9, b"what"),
        Put::new().data(0, 4, b"").data(0, 5, b""),
    ];
    let mut frames = 0;
    let memory = measure(|| {
        for frame in flood.iter().take(10) {
            let (record, count) = full_record(frame);
            for _ in 0..FLOOD / 10 / count + 1 {
                assert_eq!(failed(&scene.put_raw(&record)), None, "{frame:?}");
                frames += count;
            }
        }
        // As much data as may be, read at once and never told.
        for _ in 0..500 {
            assert_eq!(failed(&scene.put(flood[10].clone())), None);
        }
    });
    assert!(frames >= FLOOD);
    assert!(memory.bytes_max < 64 << 10, "{memory:?}");
    let said = scene.said();
    assert!(said.len() <= 3 * 8 + 4, "{said:?}");
}

/// R4: the newest PING is answered, and of many none.
#[test]
fn t04_ping_flood() {
    let mut scene = Scene::new();
    for value in 0..10 {
        assert_eq!(failed(&scene.put(Put::new().ping(value))), None);
    }
    assert_eq!(scene.said(), [Said::Pong(9)], "the newest only");
    assert_eq!(
        failed(&scene.put(Put::new().ping(10))),
        Some(ErrorCode::CALM)
    );
    for value in 11..100_000 {
        scene.put(Put::new().ping(value));
    }
    assert_eq!(scene.end(), Some(ErrorCode::CALM));
    // One a second is what a measurement needs.
    let mut scene = Scene::new();
    for value in 0..1000 {
        scene.wait(ms(1000));
        assert_eq!(failed(&scene.put(Put::new().ping(value))), None);
        assert!(scene.said().contains(&Said::Pong(value)));
    }
}

/// R5: small frames cost credit, and nothing else.
#[test]
fn t05_small_frames_with_a_reader() {
    for len in [0, 1, 40] {
        let mut scene = Scene::new();
        scene.opened_as(0, UPLINK, 0);
        let cost = len as u64 + 64;
        let frame = Put::new().data(0, 0, &vec![1; len]).0;
        let (mut own, mut used) = (64 << 10, 0);
        let mut sent = 0;
        while sent < FLOOD / 10 {
            let count = (own - used) / cost;
            let count = (count as usize).min(16_384 / frame.len());
            assert!(count > 0, "stuck after {sent} frames of {len}");
            assert_eq!(failed(&scene.put_raw(&frame.repeat(count))), None);
            used += count as u64 * cost;
            sent += count;
            scene.take_limits(&mut own);
        }
        assert_eq!(scene.core.stats().held_bytes, 0);
    }
}

/// R5: with nobody who reads, what is held is what was granted, and one frame more is too many.
#[test]
fn t05_small_frames_without_a_reader() {
    for len in [0, 1, 40] {
        let mut scene = Scene::new();
        scene.opened_as(0, UPLINK, 0);
        scene.reads = false;
        let cost = len + 64;
        for _ in 0..(64 << 10) / cost {
            assert_eq!(
                failed(&scene.put(Put::new().data(0, 0, &vec![1; len]))),
                None
            );
        }
        let held: u64 = scene.kept.iter().map(|(_, c)| u64::from(c.bytes())).sum();
        assert!(held <= 64 << 10);
        assert_eq!(scene.said(), []);
        let told = scene.put(Put::new().data(0, 0, &vec![1; len]));
        assert_eq!(failed(&told), Some(ErrorCode::FLOW));
        assert_eq!(scene.end(), Some(ErrorCode::FLOW));
    }
}

/// R6: a control frame is whole in its record, or wrong.
#[test]
fn t06_control_frames_are_not_cut() {
    let frames = [
        hello(&[(1, 5000), (7, 70_000)]),
        Put::new().credit(0, 70_000),
        Put::new().open(1, 0, 70_000, 70_000, b""),
        Put::new().accept(0, 3, 70_000, 70_000, b""),
        Put::new().reject(0, 70_000),
        Put::new().reset(flag::STOP, 0, 70_000),
        Put::new().seq(0, 70_000, 70_000),
        Put::new().ping(1),
        Put::new().goaway(0, 0, "bye"),
    ];
    for frame in frames {
        for len in 1..frame.0.len() {
            let mut scene = Scene::silent(ChannelConfig::default());
            if frame.0[0] != 0x0B {
                scene = Scene::new();
                scene.opened(0, 9);
            }
            let told = scene.put_raw(&frame.0[..len]);
            assert_eq!(
                failed(&told),
                Some(ErrorCode::PROTOCOL),
                "{len} of {frame:?}"
            );
        }
    }
    // Topic and metadata are a kilobyte, and no more.
    for (len, code) in [(1024, None), (1025, Some(ErrorCode::PROTOCOL))] {
        let options = harness::frames_mux::topic(&vec![b'x'; len]);
        let told = Scene::new().put(Put::new().open(0, 0, 9, 9, &options));
        assert_eq!(failed(&told), code);
    }
}

/// R7: the peer grants all there is, and the layer below takes nothing.
#[test]
fn t07_huge_credit_and_no_reads() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, MAX62)]);
    let mut scene_open = |alias, options| scene.open_ours(options, alias, MAX62).0;
    let channels: Vec<_> = (0..40)
        .map(|alias| scene_open(alias, OpenOptions::new("bulk")))
        .collect();
    let quotes = OpenOptions::new("quotes").mode(Mode::Conflated);
    let quotes = scene.open_ours(quotes, 50, MAX62).0;
    scene.core.hold_back();
    for key in 0..100 {
        scene
            .core
            .send_keyed(quotes, key, &[0; 40])
            .expect("queued");
    }
    let memory = measure(|| {
        for &channel in &channels {
            while scene.core.send(channel, &[1; 100]) == Ok(()) {}
        }
        for update in 0..100_000_u64 {
            let sent = scene.core.send_keyed(quotes, update % 100, &[9; 40]);
            assert_eq!(sent, Ok(()), "a replacement needs no room");
        }
    });
    let stats = scene.core.stats();
    // One message of each channel is taken whatever the others hold; its place costs 64 bytes.
    let max = (4 << 20) + channels.len() * (100 + 64);
    assert!(stats.queued_bytes <= max, "{stats:?}");
    assert!(stats.queued_bytes > (4 << 20) - 1000, "{stats:?}");
    // Rings and lists grow by doubling.
    assert!(memory.bytes_max <= 9 << 20, "{memory:?}");
    let stats = scene.core.channel_stats(quotes).expect("open");
    assert_eq!((stats.queued_messages, stats.skipped_out), (100, 100_000));
}

/// R7: what a queue once needed is not kept when it is empty.
#[test]
fn t07_queues_that_were_full_give_their_memory_back() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, MAX62)]);
    let mut open = |alias| scene.open_ours(OpenOptions::new("bulk"), alias, MAX62).0;
    let channels: Vec<_> = (0..100).map(&mut open).collect();
    let quotes = OpenOptions::new("quotes").mode(Mode::Conflated);
    let quotes = scene.open_ours(quotes, 200, MAX62).0;
    let memory = measure(|| {
        for &channel in &channels {
            scene.core.hold_back();
            while scene.core.send(channel, &[1; 100]) == Ok(()) {}
            while scene.core.poll_record(scene.now).is_some() {}
        }
        // Each key was long once.
        scene.core.hold_back();
        for key in 0..1000 {
            let long = scene.core.send_keyed(quotes, key, &[1; 20_000]);
            assert_eq!(long, Ok(()));
            assert_eq!(scene.core.send_keyed(quotes, key, b"short"), Ok(()));
        }
    });
    assert!(memory.bytes_current <= 4 << 20, "{memory:?}");
}

/// R8: credit in drops is not sent in drops.
#[test]
fn t08_one_unit_at_a_time() {
    for run in [false, true] {
        let mut scene = Scene::new();
        let options = OpenOptions::new("bulk").direction(Direction::OpenerSends);
        let (channel, _) = scene.open_ours(options, 3, 1);
        if run {
            scene
                .core
                .send_run(channel, 40, &[2; 80_000])
                .expect("queued");
        } else {
            for _ in 0..8 {
                scene.core.send(channel, &[1; 10_000]).expect("queued");
            }
        }
        // What HELLO grants before ACCEPT is gone.
        let (mut frames, mut bytes) = (0, 0);
        let count = |said: Vec<Said>, frames: &mut u32, bytes: &mut usize| {
            for s in said {
                *bytes += match s {
                    Said::Data { payload, .. } => payload.len(),
                    Said::Run { bytes, .. } => bytes.len(),
                    _ => continue,
                };
                *frames += 1;
            }
        };
        for limit in 1..100_000 {
            scene.put(Put::new().credit(3, limit));
            if scene.core.wants_write() {
                count(scene.said(), &mut frames, &mut bytes);
            }
        }
        assert_eq!(bytes, 80_000, "run: {run}");
        assert!(frames <= 80_000 / 4000 + 8, "{frames} frames");
    }
}

/// R9: limits go up, or nowhere.
#[test]
fn t09_limits_at_the_edge() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, MAX62)]);
    let (channel, _) = scene.open_ours(OpenOptions::new("x"), 3, MAX62);
    for limit in [0, 1, MAX62, (1 << 32) - 1, MAX62, 7] {
        let told = scene.put(Put::new().credit(3, limit));
        assert_eq!(told, []);
        assert_eq!(scene.core.send(channel, b"tick"), Ok(()));
        assert!(matches!(scene.said()[..], [Said::Data { .. }]));
    }
    let window = scene.core.channel_stats(channel).map(|s| s.send_window);
    assert!(window > Some(MAX62 - 1000));
    // The peer's own counters, at their end.
    let told = scene.put(Put::new().seq(3, MAX62, MAX62 - 2).data(0, 3, b"x"));
    assert_eq!(failed(&told), None);
    let told = scene.put(Put::new().data(0, 3, b"x").data(0, 3, b"x"));
    assert_eq!(failed(&told), Some(ErrorCode::PROTOCOL));
}
