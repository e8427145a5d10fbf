//! Floods: peers that make the core spend memory or time with opens, resets and small frames.

use allocation_counter::measure;
use harness::frames_mux::{Put, Said, flag};
use tickwire::channels::{ChannelConfig, Direction, ErrorCode, OpenOptions};

use super::scripted_peer::{DOWNLINK, Scene, Told, UPLINK, failed, ms};

/// Frames of a flood: more in a release build.
const FLOOD: usize = if cfg!(debug_assertions) {
    1_000_000
} else {
    10_000_000
};

/// As many copies of `frame` as a record holds, and their number.
fn full_record(frame: &Put) -> (Vec<u8>, usize) {
    let count = (16 << 10) / frame.0.len();
    (frame.0.repeat(count), count)
}

/// A peer opens and resets channels in a loop (Rapid Reset). The connection ends with CALM after a
/// fixed number, and memory stays bounded.
#[test]
fn rapid_reset_ends_the_connection() {
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
                    scene.core.close_channel(channel, ErrorCode::NO_ERROR);
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

/// A peer that opens and resets slowly goes on. If the application never lets go of the channels,
/// further opens are rejected.
#[test]
fn slow_resets_continue_and_kept_handles_are_bounded() {
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

/// A peer that never reads makes the core answer. Pending answers are kept as state of their
/// channel, not in a queue.
#[test]
fn pending_answers_to_a_peer_that_does_not_read_are_bounded() {
    let mut scene = Scene::new();
    let channels: Vec<_> = (0..8).map(|alias| scene.opened(alias, 60_000)).collect();
    for &channel in &channels[6..] {
        // From now on, STOP and ABORT wait to be sent.
        scene.core.close_channel(channel, ErrorCode::NO_ERROR);
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
        // As much data as the windows allow. It is released at once, and CREDIT is never read.
        for _ in 0..500 {
            assert_eq!(failed(&scene.put(flood[10].clone())), None);
        }
    });
    assert!(frames >= FLOOD);
    assert!(memory.bytes_max < 64 << 10, "{memory:?}");
    let said = scene.said();
    assert!(said.len() <= 3 * 8 + 4, "{said:?}");
}

/// Small frames cost their credit, and nothing else.
#[test]
fn small_frames_with_a_reader_cost_only_credit() {
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

/// Without a reader, the core holds what it granted. One frame more ends the connection with FLOW.
#[test]
fn small_frames_without_a_reader_are_bounded_by_the_window() {
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

/// Each GOAWAY makes the core look at all channels, so many of them end the connection with CALM.
#[test]
fn a_flood_of_goaway_ends_with_calm() {
    let mut scene = Scene::new();
    scene.opened(0, 60_000);
    for _ in 0..10 {
        let told = scene.put(Put::new().goaway(0, 0, ""));
        assert_eq!(told, [Told::Draining(ErrorCode::NO_ERROR)]);
    }
    let told = scene.put(Put::new().goaway(0, 0, ""));
    assert_eq!(failed(&told), Some(ErrorCode::CALM));
    // One GOAWAY a second is allowed.
    let mut scene = Scene::new();
    scene.opened(0, 60_000);
    for _ in 0..100 {
        scene.wait(ms(1000));
        assert_eq!(failed(&scene.put(Put::new().goaway(0, 0, ""))), None);
    }
}

/// Opens and ends a channel of the peer again and again. Returns after how many channels the
/// connection ends, if that is not more than 300. `early`: the reset comes before the answer is
/// sent.
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
                scene.core.close_channel(channel, ErrorCode::NO_ERROR);
            }
        }
        scene.records();
    }
    None
}

/// A byte of data does not turn an open that is reset at once into a used channel.
#[test]
fn rapid_reset_with_data_counts_as_rapid_reset() {
    let open = |profile| Put::new().open(0, profile, 60_000, 9, &[]).data(0, 0, b"x");
    for (profile, flags) in [(0, flag::ABORT | flag::STOP), (UPLINK, flag::ABORT)] {
        let reset = Put::new().reset(flags, 0, 8);
        let at_once = open(profile).reset(flags, 0, 8);
        assert_eq!(lives(&at_once, &Put::new(), true), Some(101));
        assert_eq!(lives(&open(profile), &reset, true), Some(101));
        // A channel that was answered and used can be reset any number of times; an unused one
        // cannot.
        assert_eq!(lives(&open(profile), &reset, false), None);
        let unused = Put::new().open(0, profile, 60_000, 9, &[]);
        assert_eq!(lives(&unused, &reset, false), Some(101));
    }
    // Data with FIN is no reset.
    let whole = Put::new()
        .open(0, UPLINK, 0, 9, &[])
        .data(flag::FIN, 0, b"x");
    assert_eq!(lives(&whole, &Put::new(), true), None);
    // A request that is withdrawn before its answer is one, in either order of frames.
    let open = || Put::new().open(0, 0, 60_000, 9, &[]);
    let taken_back = open().data(flag::FIN, 0, b"x").reset(flag::STOP, 0, 8);
    assert_eq!(lives(&taken_back, &Put::new(), true), Some(101));
    let taken_back = open().reset(flag::STOP, 0, 8).data(flag::FIN, 0, b"x");
    assert_eq!(lives(&taken_back, &Put::new(), true), Some(101));
}

/// A subscription can be quiet for as long as it is wanted. A peer that leaves many of them after a
/// second is no flood.
#[test]
fn many_channels_open_for_a_second_can_be_left_at_once() {
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

/// A channel that is opened and ended in a loop, with no reset and no data, costs as much as one
/// with a reset.
#[test]
fn unused_channels_that_end_without_a_reset_count_as_waste() {
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
                scene.core.close_channel(id, ErrorCode::NO_ERROR);
            }
        }
        scene.said();
        opens += 1;
        assert!(opens < 1000, "never ended");
    };
    assert_eq!((code, opens), (ErrorCode::CALM, 100));
}

/// Channels that the application lets go of do not count as waste of the peer.
#[test]
fn a_channel_that_the_application_lets_go_of_is_not_waste_of_the_peer() {
    let mut scene = Scene::new();
    for turn in 0..300 {
        let channel = scene.opened(0, 60_000);
        scene.core.close_channel(channel, ErrorCode::NO_ERROR);
        assert!(matches!(scene.said()[..], [Said::Reset { code: 0, .. }]));
        let told = scene.put(Put::new().reset(flag::ABORT, 0, 0));
        assert_eq!(failed(&told), None, "at {turn}");
    }
}

/// A peer that answers STOP by ending both halves has wasted nothing.
#[test]
fn a_peer_that_ends_stopped_channels_is_not_a_flood() {
    let mut scene = Scene::new();
    for turn in 0..300 {
        let channel = scene.opened(0, 60_000);
        scene.core.stop(channel, ErrorCode::NO_ERROR);
        scene.said();
        let told = scene.put(Put::new().reset(flag::ABORT | flag::STOP, 0, 0));
        assert_eq!(failed(&told), None, "at {turn}");
        scene.core.close_channel(channel, ErrorCode::NO_ERROR);
        scene.said();
    }
}

/// Only a channel that the peer opened, did not use and ended counts as waste.
#[test]
fn used_channels_and_local_channels_are_not_waste() {
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
        scene.core.close_channel(channel, ErrorCode::NO_ERROR);
        scene.said();
    }
}

/// A channel with one open half has not ended, and does not count as waste.
#[test]
fn a_half_open_channel_is_not_waste() {
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
