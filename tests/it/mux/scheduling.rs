//! Scheduling: the minimum and the share of each channel, for every way to send.

use harness::frames_mux::{Put, flag};
use tickwire::channels::{ChannelConfig, ChannelId, ErrorCode, OpenOptions, SharedFrame};

use super::scripted_peer::{AMPLE, Scene, Told, shared_aliases};

/// A core whose peer has granted credit for everything.
fn scene() -> Scene {
    let config = shared_aliases();
    Scene::greeted(config, &[])
}

fn ours(scene: &mut Scene, alias: u32, priority: u8) -> ChannelId {
    let options = OpenOptions::new("c").priority(priority).alias(alias);
    scene.open_ours(options, alias.into(), AMPLE).0
}

/// A channel below a priority that is always busy gets a turn after each 64 KiB. The turn is not
/// lost if the record has no room for its message and the next record has.
#[test]
fn a_turn_that_a_full_record_ends_is_not_lost() {
    for len in [100, 3_900, 5_000, 8_000, 12_000, 16_000] {
        let mut scene = scene();
        let (high, low) = (ours(&mut scene, 0, 0), ours(&mut scene, 1, 7));
        let busy = |scene: &mut Scene| {
            scene.core.handle_backpressure();
            while scene.core.send(high, [0; 960]) == Ok(()) {}
        };
        busy(&mut scene);
        scene.core.send(low, vec![1; len]).expect("queued");
        let mut records = 0;
        while scene.next_record()[1] == 0 {
            records += 1;
            assert!(records < 10, "{len} bytes wait behind {records} records");
            busy(&mut scene);
        }
    }
}

/// The same with shared frames, which are records of their own, at the higher and at the lower
/// priority.
#[test]
fn shared_frames_leave_and_get_a_minimum_share() {
    for (above, below) in [(true, false), (false, true), (true, true)] {
        let mut scene = scene();
        let (high, low) = (ours(&mut scene, 0, 0), ours(&mut scene, 1, 7));
        let send = |scene: &mut Scene, channel, alias, shared: bool| {
            if shared {
                let frame = SharedFrame::new(alias, &[0; 3000]).expect("a frame");
                scene.core.send_shared(channel, &frame)
            } else {
                scene.core.send(channel, [0; 3000])
            }
        };
        scene.core.handle_backpressure();
        send(&mut scene, low, 1, below).expect("queued");
        let mut before = 0;
        loop {
            while send(&mut scene, high, 0, above) == Ok(()) {}
            let [of_high, of_low, ..] = scene.next_record();
            if of_low > 0 {
                break;
            }
            before += of_high;
            scene.core.handle_backpressure();
            assert!(
                before < 100_000,
                "{above} {below}: {before} bytes went before"
            );
        }
    }
}

/// One channel sends frames of 16 KiB, and another one of the same priority sends messages of 1
/// KiB. Each gets half.
#[test]
fn shared_frames_get_no_more_than_their_share() {
    let mut scene = scene();
    let (large, small) = (ours(&mut scene, 0, 4), ours(&mut scene, 1, 4));
    let frame = SharedFrame::new(0, &[0; 16_000]).expect("a frame");
    let mut sent = [0; 2];
    for _ in 0..200 {
        scene.core.handle_backpressure();
        while scene.core.send_shared(large, &frame) == Ok(()) {}
        while scene.core.send(small, [0; 1000]) == Ok(()) {}
        let [of_large, of_small, ..] = scene.next_record();
        sent[0] += of_large;
        sent[1] += of_small;
    }
    let part = sent[0] * 100 / (sent[0] + sent[1]);
    assert!((45..=55).contains(&part), "{sent:?}");
}

/// A channel of lower priority gets its turns, and no more. A message that is longer than a turn is
/// charged to the next turns.
#[test]
fn the_minimum_share_holds_for_long_messages() {
    for shared in [false, true] {
        let mut scene = scene();
        let (high, low) = (ours(&mut scene, 0, 0), ours(&mut scene, 1, 7));
        let frame = SharedFrame::new(1, &[0; 16_000]).expect("a frame");
        let mut sent = [0; 2];
        for _ in 0..1000 {
            scene.core.handle_backpressure();
            while scene.core.send(high, [0; 1000]) == Ok(()) {}
            let below = |scene: &mut Scene| match shared {
                true => scene.core.send_shared(low, &frame),
                false => scene.core.send(low, [0; 16_000]),
            };
            while below(&mut scene) == Ok(()) {}
            let [of_high, of_low, ..] = scene.next_record();
            sent[0] += of_high;
            sent[1] += of_low;
        }
        // 4 KiB after each 64 KiB, or a little more.
        let part = sent[1] * 1000 / sent[0];
        assert!(
            (40..=80).contains(&part),
            "{part}: {sent:?}, shared: {shared}"
        );
    }
}

/// A channel is reset while it waits for its turn. The channel that reuses its slot does not get an
/// additional turn.
#[test]
fn a_reset_channel_leaves_no_turn_to_its_successor() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(1, 1024)]);
    let busy = |scene: &mut Scene, channel| {
        scene.core.handle_backpressure();
        while scene.core.send(channel, [0; 900]) == Ok(()) {}
    };
    let high = scene.opened(0, AMPLE);
    let open = |scene: &mut Scene, alias| {
        let told = scene.put(Put::new().open(alias, 7, AMPLE, 30_000, &[]));
        let [Told::Open(channel)] = told[..] else {
            panic!("{told:?}")
        };
        scene.next_record();
        channel
    };
    busy(&mut scene, high);
    let other = open(&mut scene, 1);
    let mut place = None;
    for _ in 0..5 {
        let channel = open(&mut scene, 2);
        assert_eq!(
            place.replace(channel.index()).unwrap_or(channel.index()),
            channel.index()
        );
        busy(&mut scene, channel);
        let told = scene.put(Put::new().reset(flag::ABORT | flag::STOP, 2, 0));
        assert!(matches!(told[..], [Told::Aborted(..)]), "{told:?}");
        scene.core.close_channel(channel, ErrorCode::NO_ERROR);
        scene.next_record();
        busy(&mut scene, high);
    }
    let last = open(&mut scene, 2);
    assert_eq!(place, Some(last.index()), "in the same place");
    let mut sent = [0; 8];
    for _ in 0..2000 {
        for channel in [high, other, last] {
            busy(&mut scene, channel);
        }
        for (all, now) in sent.iter_mut().zip(scene.next_record()) {
            *all += now;
        }
    }
    let part = sent[2] * 100 / (sent[1] + sent[2]);
    assert!((45..=55).contains(&part), "{sent:?}");
}
