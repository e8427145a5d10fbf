//! Runs: many messages of one length in one frame.

use std::time::Duration;

use bytes::Bytes;
use harness::channels::open::Wanted;
use harness::frames_mux::{Put, Said};
use tickwire::channels::{
    ChannelConfig, ChannelSendError, Direction, Event, Mode, OpenOptions, SharedFrame, Unit,
};

use super::scripted_peer::{Scene, ms};
use super::simulation;
use super::simulation::{opened, ready};
use super::small_queues::{config, ours, payloads_or_runs};

/// A run is at most as long as the queue, and each element must fit a record of the peer.
#[test]
fn runs_respect_the_limits_of_queue_and_record() {
    let mut scene = Scene::greeted(config(), &[(1, 1024)]);
    let channel = ours(&mut scene, OpenOptions::new("c"), 1, 60_000);
    let head = 1 + 4 + 4 + 4 + 8;
    for (elem, count, expected) in [
        (0, 0, Err(ChannelSendError::BadRun)),
        (0, 4, Err(ChannelSendError::BadRun)),
        (4, 0, Err(ChannelSendError::BadRun)),
        (
            1,
            10_001,
            Err(ChannelSendError::TooLarge {
                len: 10_001,
                max: 10_000,
            }),
        ),
        (
            1025 - head,
            2,
            Err(ChannelSendError::TooLarge {
                len: 1025 - head,
                max: 1024 - head,
            }),
        ),
        (1, 10_000, Ok(())),
        (1024 - head, 9, Ok(())),
    ] {
        scene.core.handle_backpressure();
        let bytes = vec![1; elem.max(1) * count];
        assert_eq!(
            scene.core.send_run_bytes(channel, elem, &bytes),
            expected,
            "{elem} {count}"
        );
        if expected.is_ok() {
            assert_eq!(payloads_or_runs(&scene.said()), elem * count);
            scene.put(Put::new().credit(1, 1 << 30));
        }
    }
    assert_eq!(
        scene.core.send_run_bytes(channel, 4, b"seven__"),
        Err(ChannelSendError::BadRun)
    );
    let conflated = ours(
        &mut scene,
        OpenOptions::new("q").mode(Mode::Conflated),
        2,
        8,
    );
    assert_eq!(
        scene.core.send_run_bytes(conflated, 1, b"run"),
        Err(ChannelSendError::WrongMode)
    );
    assert_eq!(
        scene.core.claim(conflated, 1).err(),
        Some(ChannelSendError::WrongMode)
    );
    assert_eq!(
        scene.core.send_keyed(channel, 1, b"key"),
        Err(ChannelSendError::WrongMode)
    );
}

/// On a channel that counts messages, a run that is longer than the window is sent in parts.
#[test]
fn a_run_longer_than_a_message_window_is_split() {
    let mut scene = Scene::new();
    let options = OpenOptions::new("ticks")
        .direction(Direction::OpenerSends)
        .unit(Unit::Messages);
    let (channel, _) = scene.open_ours(options, 3, 8);
    scene
        .core
        .send_run_bytes(channel, 40, &[9; 4000])
        .expect("queued");
    let mut got = 0;
    for limit in (8..).step_by(2) {
        for said in scene.said() {
            let Said::Run {
                elem: 40, bytes, ..
            } = said
            else {
                panic!("{said:?}")
            };
            got += bytes.len() / 40;
        }
        assert_eq!(got as u64, limit.min(100));
        if got == 100 {
            break;
        }
        scene.put(Put::new().credit(3, limit + 2));
    }
}

/// The largest element of a run fits its record, even with a count of skipped messages before it.
#[test]
fn the_largest_run_element_fits_after_a_skip() {
    let config = || ChannelConfig::default().channel_window_bytes(1 << 20);
    let mut scene = Scene::greeted(config(), &[(1, 1024), (7, 0)]);
    let options = OpenOptions::new("ticks")
        .direction(Direction::OpenerSends)
        .mode(Mode::Ttl(Duration::from_millis(10)));
    let (channel, _) = scene.open_ours(options, 3, 1);
    scene
        .core
        .send_run_bytes(channel, 1, b"old")
        .expect("queued");
    scene.records();
    scene.wait(ms(100));
    let elem = (900..1024).rev().find(|&elem| {
        scene
            .core
            .send_run_bytes(channel, elem, &vec![3; elem])
            .is_ok()
    });
    let elem = elem.expect("one is taken");
    scene.put(Put::new().credit(3, 60_000));
    // The clock stands still: the run has not expired.
    let said = scene.said();
    assert!(
        matches!(&said[..], [Said::Run { skip: 3, bytes, .. }] if bytes.len() == elem),
        "{elem}: {said:?}"
    );
}

/// The last part of a run needs no more credit than its own cost.
#[test]
fn a_short_run_needs_only_its_own_credit() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, 1000)]);
    let channel = scene.open_ours(OpenOptions::new("r"), 0, 1000).0;
    for len in [800, 50] {
        scene.core.handle_backpressure();
        assert_eq!(
            scene.core.send_run_bytes(channel, 10, &vec![0; len]),
            Ok(())
        );
        let said = scene.said();
        assert!(
            matches!(&said[..], [Said::Run { bytes, .. }] if bytes.len() == len),
            "{said:?}"
        );
    }
}

/// A run that is longer than the window is sent in parts of at least a fragment.
#[test]
fn a_run_longer_than_a_byte_window_is_split() {
    let mut scene = Scene::new();
    let channel = scene.open_ours(OpenOptions::new("r"), 0, 65_536).0;
    let queued = scene.core.send_run_bytes(channel, 100, &[0; 200_000]);
    assert_eq!(queued, Ok(()));
    let (mut sent, mut limit) = (0, 65_536);
    while sent < 2000 {
        let mut pieces = Vec::new();
        for said in scene.said() {
            if let Said::Run {
                elem: 100, bytes, ..
            } = &said
            {
                pieces.push(bytes.len() as u64 / 100);
            }
        }
        assert!(!pieces.is_empty(), "{sent} of 2,000 went");
        sent += pieces.iter().sum::<u64>();
        limit += 32_768;
        scene.put(Put::new().credit(0, limit));
    }
    assert_eq!(sent, 2000);
}

/// The limit in ACCEPT includes the credit that was used before it. The core must not take the
/// limit for the window: parts of a run would exceed the credit that the receiver grants before
/// half a window is released.
#[test]
fn a_run_is_split_to_the_credit_that_half_a_window_leaves() {
    let window = 64 << 10;
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(1, 256 << 10)]);
    let options = OpenOptions::new("run").direction(Direction::OpenerSends);
    let channel = scene.core.open(options).expect("opened");
    let said = scene.said();
    let [Said::Open { alias: own, .. }] = said[..] else {
        panic!("{said:?}")
    };
    let send = |scene: &mut Scene, costs: &[usize]| {
        for cost in costs {
            let sent = scene.core.send(channel, vec![0; cost - 64]);
            assert_eq!(sent, Ok(()));
        }
        assert!(!scene.said().is_empty());
    };
    send(&mut scene, &[30_000, 30_000, 5_536]);
    // The receiver has read all of it.
    scene.put(Put::new().accept(own, 0, 2 * window, 30_000, &[]));
    // The receiver has read this, too. It has released less than half of its window, and grants
    // nothing.
    send(&mut scene, &[30_000, 2_710]);
    assert_eq!(scene.core.send_run_bytes(channel, 8, &[1; 32_800]), Ok(()));
    let run: usize = scene
        .said()
        .iter()
        .map(|s| match s {
            Said::Run { bytes, .. } => bytes.len(),
            _ => 0,
        })
        .sum();
    assert!(run >= 16_384, "{run} bytes of 32,800 went");
}

/// A peer without the feature gets each element as a message.
#[test]
fn a_run_becomes_single_messages_for_a_peer_without_runs() {
    let (conflate, run, resume, messages) = (1, 2, 4, 8);
    for features in [0, conflate | resume | messages, run] {
        let mut scene = Scene::greeted(ChannelConfig::default(), &[(10, features)]);
        let (channel, _) = scene.open_ours(OpenOptions::new("c"), 0, 60_000);
        let run_bytes = b"aaaabbbbcccc";
        scene
            .core
            .send_run_bytes(channel, 4, run_bytes)
            .expect("room");
        let parts = scene.said().into_iter().map(|said| match said {
            Said::Data { payload, .. } => payload,
            Said::Run { bytes, .. } => bytes,
            other => panic!("{other:?}"),
        });
        let parts: Vec<_> = parts.collect();
        let expected: Vec<&[u8]> = if features == run {
            vec![run_bytes]
        } else {
            run_bytes.chunks(4).collect()
        };
        assert_eq!(parts, expected, "{features}");
    }
}

/// A part of a run is no larger than the credit that the receiver grants for certain.
#[test]
fn a_run_is_split_to_the_credit_that_is_certain() {
    let small = simulation::config(|c| {
        c.channel_window_bytes = 1024;
        c.channel_window_bytes_max = 1024;
        c.frame_overhead_bytes = 16;
    });
    let mut sim = ready([ChannelConfig::default(), small]);
    let link = opened(&mut sim, &Wanted::default());
    sim.send(0, link, 0, 43); // some of the window is owed, and not enough to be told
    sim.drain_readers();
    sim.send(0, link, 6, 1179); // 12 messages of 80 bytes
    sim.quiesce();
    assert_eq!(sim.links[link].dirs[0].delivered, 13);
}

#[test]
fn accessors_of_runs_and_messages_return_their_contents() {
    let mut scene = Scene::new();
    scene.opened(0, 50_000);
    let record = Put::new().run(0, 2, 3, b"aabbcc").data(0, 0, b"whole");
    let mut incoming = scene.core.receive(&record.0, scene.now);
    let Some(Event::Run(run)) = scene.core.next(&mut incoming) else {
        panic!("no run")
    };
    assert_eq!((run.count(), run.iter().len()), (3, 3));
    assert_eq!(run.iter().last(), Some(&b"cc"[..]));
    let Some(Event::Message(message)) = scene.core.next(&mut incoming) else {
        panic!("no message")
    };
    assert_eq!(message.data.into_bytes(), Bytes::from_static(b"whole"));
    let frame = SharedFrame::new(7, b"whole").expect("a frame");
    assert_eq!(frame.to_bytes(), Bytes::from_static(b"whole"));
    assert_eq!((frame.payload(), frame.alias()), (&b"whole"[..], 7));
}
