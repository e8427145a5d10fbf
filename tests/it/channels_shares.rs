//! Who sends next: floors and shares of channels that are busy for long, by whichever way their
//! messages were given.

use harness::frames_mux::{Put, Said};
use tickwire::channels::{ChannelId, Mode, OpenOptions, SharedFrame};

use super::channels_hostile_kit::{Scene, Told, ms, shared_aliases};

/// Much more than is sent here.
const AMPLE: u64 = 1 << 40;

/// A core whose peer has given credit for everything.
fn scene() -> Scene {
    let config = shared_aliases();
    Scene::greeted(config, &[])
}

fn ours(scene: &mut Scene, alias: u32, priority: u8) -> ChannelId {
    let options = OpenOptions::new("c").priority(priority).alias(alias);
    scene.open_ours(options, alias.into(), AMPLE).0
}

/// What is below a class that is always busy gets a turn after each 64 KiB, also where the record
/// that the turn falls into has no room for its message, which fits the next one.
#[test]
fn a_turn_that_a_full_record_ends_is_not_lost() {
    for len in [100, 3_900, 5_000, 8_000, 12_000, 16_000] {
        let mut scene = scene();
        let (high, low) = (ours(&mut scene, 0, 0), ours(&mut scene, 1, 7));
        let busy = |scene: &mut Scene| {
            scene.core.hold_back();
            while scene.core.send(high, &[0; 960]) == Ok(()) {}
        };
        busy(&mut scene);
        scene.core.send(low, &vec![1; len]).expect("queued");
        let mut records = 0;
        while scene.next_record()[1] == 0 {
            records += 1;
            assert!(records < 10, "{len} bytes wait behind {records} records");
            busy(&mut scene);
        }
    }
}

/// The same beside frames that are shared, which are records of their own, above it and below.
#[test]
fn shared_frames_leave_a_floor_and_get_one() {
    for (above, below) in [(true, false), (false, true), (true, true)] {
        let mut scene = scene();
        let (high, low) = (ours(&mut scene, 0, 0), ours(&mut scene, 1, 7));
        let send = |scene: &mut Scene, channel, alias, shared: bool| {
            if shared {
                let frame = SharedFrame::new(alias, &[0; 3000]).expect("a frame");
                scene.core.send_shared(channel, &frame)
            } else {
                scene.core.send(channel, &[0; 3000])
            }
        };
        scene.core.hold_back();
        send(&mut scene, low, 1, below).expect("queued");
        let mut before = 0;
        loop {
            while send(&mut scene, high, 0, above) == Ok(()) {}
            let [of_high, of_low, ..] = scene.next_record();
            if of_low > 0 {
                break;
            }
            before += of_high;
            scene.core.hold_back();
            assert!(
                before < 100_000,
                "{above} {below}: {before} bytes went before"
            );
        }
    }
}

/// Frames of 16 KiB of one channel, and messages of 1 KiB of another of its class: each has half.
#[test]
fn shared_frames_keep_to_their_share() {
    let mut scene = scene();
    let (large, small) = (ours(&mut scene, 0, 4), ours(&mut scene, 1, 4));
    let frame = SharedFrame::new(0, &[0; 16_000]).expect("a frame");
    let mut sent = [0; 2];
    for _ in 0..200 {
        scene.core.hold_back();
        while scene.core.send_shared(large, &frame) == Ok(()) {}
        while scene.core.send(small, &[0; 1000]) == Ok(()) {}
        let [of_large, of_small, ..] = scene.next_record();
        sent[0] += of_large;
        sent[1] += of_small;
    }
    let part = sent[0] * 100 / (sent[0] + sent[1]);
    assert!((45..=55).contains(&part), "{sent:?}");
}

/// A shared frame that has waited for too long is dropped as any message is.
#[test]
fn a_shared_frame_has_a_time_to_live() {
    let mut scene = scene();
    let options = OpenOptions::new("t").mode(Mode::Ttl(ms(5))).alias(2);
    let (channel, _) = scene.open_ours(options, 2, AMPLE);
    let frame = SharedFrame::new(2, &[0; 2000]).expect("a frame");
    scene.core.hold_back();
    scene.core.send_shared(channel, &frame).expect("queued");
    scene.wait(ms(10));
    assert_eq!(scene.said(), []);
    scene.core.send_shared(channel, &frame).expect("queued");
    let said = scene.said();
    assert!(
        matches!(&said[..], [Said::Data { skip: 1, payload, .. }] if payload.len() == 2000),
        "{said:?}"
    );
}

/// The peer's answer takes less than was queued on its HELLO's word, be it a shared frame or the
/// elements of a run: nothing more of that is sent.
#[test]
fn what_is_above_what_the_answer_takes_is_given_up() {
    for run in [false, true] {
        let mut scene = scene();
        let options = OpenOptions::new("c").alias(3);
        let channel = scene.core.open(options).expect("opened");
        scene.said();
        scene.core.hold_back();
        if run {
            let queued = scene.core.send_run(channel, 2000, &[0; 200_000]);
            assert_eq!(queued, Ok(()));
            assert!(!scene.said().is_empty(), "as much as the window takes");
        } else {
            let frame = SharedFrame::new(3, &[0; 2000]).expect("a frame");
            assert_eq!(scene.core.send_shared(channel, &frame), Ok(()));
        }
        let mut told = scene.put(Put::new().accept(3, 3, AMPLE, 1000, &[]));
        let said = scene.said();
        told.extend(scene.events());
        let stopped = told.iter().any(|t| matches!(t, Told::Stopped(..)));
        assert!(stopped, "{run}: {told:?}");
        let sent = |s: &&Said| matches!(s, Said::Data { .. } | Said::Run { .. });
        assert_eq!(said.iter().filter(sent).count(), 0, "{run}: {said:?}");
    }
}

/// What is below gets its turns, and no more than that: a message that is longer than a turn is paid
/// for with the next ones.
#[test]
fn a_floor_is_a_share_however_long_the_messages() {
    for shared in [false, true] {
        let mut scene = scene();
        let (high, low) = (ours(&mut scene, 0, 0), ours(&mut scene, 1, 7));
        let frame = SharedFrame::new(1, &[0; 16_000]).expect("a frame");
        let mut sent = [0; 2];
        for _ in 0..1000 {
            scene.core.hold_back();
            while scene.core.send(high, &[0; 1000]) == Ok(()) {}
            let below = |scene: &mut Scene| match shared {
                true => scene.core.send_shared(low, &frame),
                false => scene.core.send(low, &[0; 16_000]),
            };
            while below(&mut scene) == Ok(()) {}
            let [of_high, of_low, ..] = scene.next_record();
            sent[0] += of_high;
            sent[1] += of_low;
        }
        // 4 KiB after each 64 KiB, or a little more of what is over.
        let part = sent[1] * 1000 / sent[0];
        assert!(
            (40..=80).contains(&part),
            "{part}: {sent:?}, shared: {shared}"
        );
    }
}
