//! Writable events: when a channel that was refused hears of room.

use allocation_counter::measure;
use harness::frames_mux::{Put, Said, flag};
use tickwire::channels::{
    ChannelConfig, ChannelId, ChannelSendError, ErrorCode, Mode, OpenOptions,
};

use super::scripted_peer::{Scene, Told, ms, stuck};
use super::small_queues::{ENTRY, config, ours, queued};

fn writable(scene: &mut Scene) -> Vec<ChannelId> {
    std::iter::from_fn(|| scene.core.poll_writable()).collect()
}

/// A channel that was refused by its own queue becomes writable when half of the queue is free.
#[test]
fn a_channel_is_writable_when_half_of_its_queue_is_free() {
    for (first, told) in [(5000, true), (4999, false)] {
        let mut scene = Scene::greeted(config(), &[(7, 0)]);
        let channel = ours(&mut scene, OpenOptions::new("c"), 1, 0);
        scene
            .core
            .send(channel, vec![1; first - ENTRY])
            .expect("room");
        scene
            .core
            .send(channel, vec![1; 10_000 - first - ENTRY])
            .expect("room");
        assert_eq!(
            scene.core.send(channel, b""),
            Err(ChannelSendError::WouldBlock)
        );
        scene.put(Put::new().credit(1, 5000));
        assert!(scene.core.poll_record(scene.now).is_some());
        assert_eq!(queued(&scene), 10_000 - first);
        let expected: &[ChannelId] = if told { &[channel] } else { &[] };
        assert_eq!(writable(&mut scene), expected, "{first}");
        scene.put(Put::new().credit(1, 20_000));
        while scene.core.poll_record(scene.now).is_some() {}
        assert_eq!(writable(&mut scene).len(), usize::from(!told), "once");
    }
}

/// A channel that was refused by the limit of all queues becomes writable when a quarter of it is
/// free.
#[test]
fn channels_are_writable_when_a_quarter_of_the_connection_queue_is_free() {
    for (freed, told) in [(4500, true), (4499, false)] {
        let mut scene = Scene::greeted(config(), &[(7, 0)]);
        let [a, b, c] = [1, 2, 3].map(|alias| ours(&mut scene, OpenOptions::new("c"), alias, 0));
        for (channel, bytes) in [(a, 5000), (a, 5000), (b, 8000 - freed), (c, freed)] {
            let sent = scene.core.send(channel, vec![1; bytes - ENTRY]);
            assert_eq!(sent, Ok(()));
        }
        assert_eq!(queued(&scene), 18_000);
        assert_eq!(scene.core.send(b, b""), Err(ChannelSendError::WouldBlock));
        scene.core.reset(c, ErrorCode::NO_ERROR);
        let expected: &[ChannelId] = if told { &[b] } else { &[] };
        assert_eq!(writable(&mut scene), expected, "{freed}");
        scene.core.reset(a, ErrorCode::NO_ERROR);
        assert_eq!(writable(&mut scene).len(), usize::from(!told), "once");
        assert_eq!(queued(&scene), 8000 - freed);
    }
}

/// A channel waits for room in its own queue. It becomes writable although other queues are full.
#[test]
fn a_channel_is_writable_although_other_queues_are_full() {
    let config = ChannelConfig::default()
        .channel_queue_bytes_max(4096)
        .connection_queue_bytes_max(16_384);
    let mut scene = Scene::greeted(config, &[(7, 0)]);
    let mut open = |alias| scene.open_ours(OpenOptions::new("x"), alias, 0).0;
    // Four channels fill more than three quarters of the limit of all queues. The last one has
    // credit.
    let stuck: Vec<_> = (1..=4).map(&mut open).collect();
    let runs = open(9);
    scene.core.handle_backpressure();
    for &channel in &stuck {
        while scene.core.send(channel, [0; 1000]) == Ok(()) {}
    }
    while scene.core.send(runs, [0; 1000]) == Ok(()) {}
    while scene.core.poll_writable().is_some() {}
    scene.put(Put::new().credit(9, 1 << 20));
    while scene.core.poll_record(scene.now).is_some() {}
    assert_eq!(
        scene.core.channel_stats(runs).map(|s| s.queued_bytes),
        Some(0)
    );
    let mut told = std::iter::from_fn(|| scene.core.poll_writable());
    assert!(told.any(|id| id == runs));
}

/// Two channels wait for room in all queues, and one of them ends. The other becomes writable.
#[test]
fn a_waiting_channel_is_writable_after_another_one_ends() {
    let config = ChannelConfig::default()
        .connection_queue_bytes_max(4096)
        .channel_queue_bytes_max(4096);
    let mut scene = Scene::greeted(config, &[(7, 50)]);
    let [full, one, two] = [0, 1, 2].map(|alias| {
        let options = OpenOptions::new("c");
        scene.open_ours(options, alias, 50).0
    });
    scene.core.send(full, [0; 3900]).expect("queued");
    for channel in [one, two] {
        scene.core.send(channel, [0; 50]).expect("one is taken");
        let waits = scene.core.send(channel, [0; 50]);
        assert_eq!(waits, Err(ChannelSendError::WouldBlock));
    }
    scene.core.close_channel(one, ErrorCode::NO_ERROR);
    scene.put(Put::new().reset(flag::ABORT | flag::STOP, 1, 0));
    scene.said();
    scene.core.reset(full, ErrorCode::NO_ERROR);
    let writable: Vec<_> = std::iter::from_fn(|| scene.core.poll_writable()).collect();
    assert!(writable.contains(&two), "{writable:?}");
}

/// Channels that wait for room and end leave no memory, however many there are.
#[test]
fn waiting_channels_that_end_leave_no_memory() {
    let config = ChannelConfig::default()
        .connection_queue_bytes_max(4096)
        .channel_queue_bytes_max(4096);
    let mut scene = Scene::greeted(config, &[(7, 70)]);
    let full = stuck(&mut scene, 0, Mode::Reliable);
    scene.core.send(full, [0; 3936]).expect("queued");
    scene.said();
    scene.accepts = false;
    let life = |scene: &mut Scene| {
        // Slow enough to be no flood.
        scene.now = scene.now.after(ms(100));
        let told = scene.put(Put::new().open(1, 0, 60_000, 30_000, &[]).data(0, 1, b"x"));
        let [Told::Open(channel), Told::Message { .. }] = told[..] else {
            panic!("{told:?}")
        };
        assert_eq!(scene.core.send(channel, b"one"), Ok(()));
        let refused = scene.core.send(channel, b"two");
        assert_eq!(refused, Err(ChannelSendError::WouldBlock));
        scene.put(Put::new().reset(flag::ABORT | flag::STOP, 1, 8));
        scene.core.close_channel(channel, ErrorCode::NO_ERROR);
        let said = scene.said();
        assert!(matches!(said[..], [.., Said::Reject { .. }]), "{said:?}");
    };
    life(&mut scene);
    let memory = measure(|| {
        for _ in 0..20_000 {
            life(&mut scene);
        }
    });
    assert!(memory.bytes_max < 32 << 10, "{memory:?}");
}
