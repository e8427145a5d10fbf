//! Peers that want memory or time of us: floods of opens, resets and small frames.

use allocation_counter::measure;
use harness::frames_mux::{Put, Said, flag};
use tickwire::channels::{ChannelConfig, Direction, ErrorCode, OpenOptions};

use super::scripted_peer::{DOWNLINK, Scene, Told, UPLINK, failed, ms};

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

/// Every GOAWAY was looked at against all channels, thousands to a record.
#[test]
fn goaways_without_end_are_calmed() {
    let mut scene = Scene::new();
    scene.opened(0, 60_000);
    for _ in 0..10 {
        let told = scene.put(Put::new().goaway(0, 0, ""));
        assert_eq!(told, [Told::Draining(ErrorCode::NO_ERROR)]);
    }
    let told = scene.put(Put::new().goaway(0, 0, ""));
    assert_eq!(failed(&told), Some(ErrorCode::CALM));
    // One a second is calm.
    let mut scene = Scene::new();
    scene.opened(0, 60_000);
    for _ in 0..100 {
        scene.wait(ms(1000));
        assert_eq!(failed(&scene.put(Put::new().goaway(0, 0, ""))), None);
    }
}

/// Lives of a channel of the peer's, one after another: how many until the connection ends, if that
/// is not more than 300. `early`: it is reset before our answer is out.
fn lives(first: &Put, then: &Put, early: bool) -> Option<usize> {
    let mut scene = Scene::new();
    for count in 1..=300 {
        let mut told = scene.put(first.clone());
        if !early {
            scene.records();
        }
        if !then.0.is_empty() {
            told.extend(scene.put(then.clone()));
        }
        if failed(&told).is_some() {
            assert_eq!(failed(&told), Some(ErrorCode::CALM));
            return Some(count);
        }
        for t in told {
            if let Told::Open(channel) = t {
                scene.core.let_go(channel, ErrorCode::NO_ERROR);
            }
        }
        scene.records();
    }
    None
}

/// A byte of data made an open that is reset at once one that was of use.
#[test]
fn rapid_reset_with_data_is_rapid_reset() {
    let open = |profile| Put::new().open(0, profile, 60_000, 9, &[]).data(0, 0, b"x");
    for (profile, flags) in [(0, flag::ABORT | flag::STOP), (UPLINK, flag::ABORT)] {
        let reset = Put::new().reset(flags, 0, 8);
        let at_once = open(profile).reset(flags, 0, 8);
        assert_eq!(lives(&at_once, &Put::new(), true), Some(101));
        assert_eq!(lives(&open(profile), &reset, true), Some(101));
        // What was answered and used may be cancelled as often as one likes; what was not used,
        // not.
        assert_eq!(lives(&open(profile), &reset, false), None);
        let unused = Put::new().open(0, profile, 60_000, 9, &[]);
        assert_eq!(lives(&unused, &reset, false), Some(101));
    }
    // Data with its end is no reset.
    let whole = Put::new()
        .open(0, UPLINK, 0, 9, &[])
        .data(flag::FIN, 0, b"x");
    assert_eq!(lives(&whole, &Put::new(), true), None);
    // But a request that is taken back before its answer is one, in either order.
    let open = || Put::new().open(0, 0, 60_000, 9, &[]);
    let taken_back = open().data(flag::FIN, 0, b"x").reset(flag::STOP, 0, 8);
    assert_eq!(lives(&taken_back, &Put::new(), true), Some(101));
    let taken_back = open().reset(flag::STOP, 0, 8).data(flag::FIN, 0, b"x");
    assert_eq!(lives(&taken_back, &Put::new(), true), Some(101));
}

/// A feed may have been quiet for as long as it was wanted: who leaves many of them is no flood.
#[test]
fn quiet_channels_may_be_left_all_at_once() {
    for after in [900, 1000] {
        let mut scene = Scene::new();
        for alias in 0..150 {
            scene.put(Put::new().open(alias, DOWNLINK, 60_000, 9, &[]));
            scene.said();
        }
        scene.wait(ms(after));
        let left = (0..150).find(|&alias| {
            let told = scene.put(Put::new().reset(flag::STOP, alias, 0));
            failed(&told).is_some()
        });
        assert_eq!(left, (after < 1000).then_some(100));
    }
}

/// Open and end without a reset, and with nothing sent, in a loop: as costly as with one.
#[test]
fn channels_that_end_unused_without_a_reset_are_waste_too() {
    let mut scene = Scene::new();
    let mut opens = 0;
    let code = loop {
        let record = Put::new()
            .open(0, 0, 60_000, 30_000, &[])
            .reset(flag::STOP, 0, 0)
            .data(flag::FIN, 0, b"");
        let told = scene.put(record);
        if let Some(code) = failed(&told) {
            break code;
        }
        for t in told {
            if let Told::Open(id) = t {
                scene.core.let_go(id, ErrorCode::NO_ERROR);
            }
        }
        scene.said();
        opens += 1;
        assert!(opens < 1000, "never ended");
    };
    assert_eq!((code, opens), (ErrorCode::CALM, 100));
}

/// Channels that we let go of, and whose peer answers as it must, were counted as its waste.
#[test]
fn who_is_stopped_by_us_has_wasted_nothing() {
    let mut scene = Scene::new();
    for turn in 0..300 {
        let channel = scene.opened(0, 60_000);
        scene.core.let_go(channel, ErrorCode::NO_ERROR);
        assert!(matches!(scene.said()[..], [Said::Reset { code: 0, .. }]));
        let told = scene.put(Put::new().reset(flag::ABORT, 0, 0));
        assert_eq!(failed(&told), None, "at {turn}");
    }
}

/// A peer that answers our STOP by ending both halves has wasted nothing.
#[test]
fn who_ends_what_we_have_stopped_is_calm() {
    let mut scene = Scene::new();
    for turn in 0..300 {
        let channel = scene.opened(0, 60_000);
        scene.core.stop(channel, ErrorCode::NO_ERROR);
        scene.said();
        let told = scene.put(Put::new().reset(flag::ABORT | flag::STOP, 0, 0));
        assert_eq!(failed(&told), None, "at {turn}");
        scene.core.let_go(channel, ErrorCode::NO_ERROR);
        scene.said();
    }
}

/// Only what the peer opened, used for nothing and ended is its waste.
#[test]
fn what_was_used_or_is_ours_is_no_waste() {
    let mut scene = Scene::new();
    for turn in 0..300 {
        scene.opened_as(0, UPLINK, 0);
        let told = scene.put(Put::new().data(flag::FIN, 0, b"used"));
        assert_eq!(failed(&told), None, "at {turn}");
        scene.said();
        let options = OpenOptions::new("ours").direction(Direction::AcceptorSends);
        let (channel, _) = scene.open_ours(options, 1, 0);
        let told = scene.put(Put::new().data(flag::FIN, 1, b""));
        assert_eq!(told, [Told::Finished(channel)], "at {turn}");
        scene.core.let_go(channel, ErrorCode::NO_ERROR);
        scene.said();
    }
}

/// A channel of which one half goes on is not over, and wasted nothing yet.
#[test]
fn half_an_end_is_no_waste() {
    for end in [
        |alias| Put::new().data(flag::FIN, alias, b""),
        |alias| Put::new().reset(flag::STOP, alias, 1),
    ] {
        let mut scene = Scene::new();
        for alias in 0..300 {
            scene.opened(alias, 60_000);
            assert_eq!(failed(&scene.put(end(alias))), None, "at {alias}");
            scene.said();
        }
    }
}
