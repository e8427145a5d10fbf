//! Conflated channels: a newer message of a key replaces the one that waits in the queue.

use bytes::Bytes;
use harness::channels::Op;
use harness::channels::open::Wanted;
use harness::frames_mux::{MAX62, Put, Said, flag};
use tickwire::channels::{
    ChannelConfig, ChannelFailure, ChannelId, ChannelSendError, ErrorCode, Mode, OpenOptions,
    SharedFrame, Unit,
};

use super::scripted_peer::{Scene, Told, data, shared_aliases};
use super::simulation::{opened, ready};
use super::small_queues::{ENTRY, MESSAGE_MAX, config, ours, queued};

/// A replacement takes the place and the bytes of the message before it. It is refused if the queue
/// has no room for the difference.
#[test]
fn a_replacement_is_charged_to_the_byte() {
    let mut scene = Scene::greeted(config(), &[]);
    let conflated = || OpenOptions::new("q").mode(Mode::Conflated);
    let quotes = ours(&mut scene, conflated(), 1, 100);
    let other = ours(&mut scene, OpenOptions::new("c"), 2, 60_000);
    scene.core.handle_backpressure();
    let full = Err(ChannelSendError::WouldBlock);
    // Key, bytes; the result; the bytes in the queue afterwards.
    for (key, len, expected, bytes) in [
        (1, 5000, Ok(()), 5000),
        (2, 5000, Ok(()), 10_000),
        (1, 5001, full, 10_000),
        (1, 5000, Ok(()), 10_000),
        (2, 4999, Ok(()), 9999),
        (1, 5001, Ok(()), 10_000),
        (3, ENTRY, full, 10_000),
        (2, 4000, Ok(()), 9001),
        (1, 4000, Ok(()), 8000),
    ] {
        let sent = scene.core.send_keyed(quotes, key, vec![1; len - ENTRY]);
        assert_eq!(sent, expected, "{key} {len}");
        assert_eq!(queued(&scene), bytes, "{key} {len}");
    }
    // The limit of all queues together.
    for _ in 0..2 {
        scene.core.send(other, [1; 5000 - ENTRY]).expect("room");
    }
    for (key, len, expected, bytes) in [
        (1, 4001, full, 18_000),
        (2, 3999, Ok(()), 17_999),
        (1, 4001, Ok(()), 18_000),
        (1, 4001, Ok(()), 18_000),
    ] {
        let sent = scene.core.send_keyed(quotes, key, vec![1; len - ENTRY]);
        assert_eq!(sent, expected, "{key} {len}");
        assert_eq!(queued(&scene), bytes, "{key} {len}");
    }
    let said = scene.said();
    let skips = said.iter().map(|said| match said {
        Said::Data { skip, .. } => *skip,
        other => panic!("{other:?}"),
    });
    assert_eq!(skips.sum::<u64>(), 8, "replaced");
    assert_eq!(
        scene.core.channel_stats(quotes).map(|s| s.skipped_out),
        Some(8)
    );
    assert_eq!(queued(&scene), 0);
}

/// A message that is alone in its queue can be replaced by any message up to the largest that the
/// peer takes, until the half ends.
#[test]
fn a_single_queued_message_can_be_replaced_by_a_larger_one() {
    let mut scene = Scene::greeted(config(), &[]);
    let quotes = ours(
        &mut scene,
        OpenOptions::new("q").mode(Mode::Conflated),
        1,
        100,
    );
    scene.core.handle_backpressure();
    let max = MESSAGE_MAX;
    let too_large = ChannelSendError::TooLarge { len: max + 1, max };
    for (len, expected) in [
        (1, Ok(())),
        (max, Ok(())),
        (max + 1, Err(too_large)),
        (max, Ok(())),
    ] {
        assert_eq!(scene.core.send_keyed(quotes, 1, vec![1; len]), expected);
    }
    assert_eq!(queued(&scene), MESSAGE_MAX + ENTRY);
    scene.core.finish_sending(quotes).expect("open");
    let refused = scene.core.send_keyed(quotes, 1, b"late");
    assert_eq!(refused, Err(ChannelSendError::Finished));
    let told = scene.put(Put::new().reset(flag::STOP, 1, 77));
    assert_eq!(told, [Told::Stopped(quotes, ErrorCode(77))]);
    let refused = scene.core.send_keyed(quotes, 1, b"late");
    assert_eq!(refused, Err(ChannelSendError::Stopped(ErrorCode(77))));
}

/// A message waits because the credit of its channel is too small. A shorter replacement that fits
/// the credit is sent at once.
#[test]
fn a_replacement_that_fits_the_credit_is_sent() {
    let mut scene = Scene::new();
    let options = OpenOptions::new("quotes")
        .mode(Mode::Conflated)
        .unit(Unit::Bytes);
    let (channel, _) = scene.open_ours(options, 0, 0);
    let left = |scene: &Scene| {
        let stats = scene.core.channel_stats(channel).expect("open");
        usize::try_from(stats.send_window).expect("a window")
    };
    while left(&scene) > 1000 {
        let len = (left(&scene) - 64).min(10_000) - 900.min(left(&scene) / 2);
        scene
            .core
            .send_keyed(channel, 1, vec![0; len])
            .expect("sent");
        assert!(!scene.said().is_empty());
    }
    assert!(left(&scene) > 564, "{}", left(&scene));
    scene
        .core
        .send_keyed(channel, 2, [0; 2000])
        .expect("queued");
    assert_eq!(scene.said(), [], "there is no credit for it");
    scene.core.send_keyed(channel, 2, [0; 500]).expect("queued");
    let said = scene.said();
    assert!(
        matches!(&said[..], [Said::Data { skip: 1, payload, .. }] if payload.len() == 500),
        "{said:?}"
    );
}

/// Longer replacements do not exceed the limits of the queues.
#[test]
fn replacements_respect_the_queue_limits() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[]);
    let options = OpenOptions::new("quotes")
        .mode(Mode::Conflated)
        .unit(Unit::Bytes);
    let (channel, _) = scene.open_ours(options, 3, MAX62);
    scene.core.handle_backpressure();
    let mut keys = 0;
    while scene.core.send_keyed(channel, keys, b"x").is_ok() {
        keys += 1;
    }
    assert!(keys > 1000);
    let mut refused = 0;
    for key in 0..keys {
        scene.core.handle_backpressure();
        refused += u32::from(scene.core.send_keyed(channel, key, [1; 20_000]).is_err());
        let queued = scene.core.stats().queued_bytes;
        assert!(queued <= 256 << 10, "{queued} bytes after {key} keys");
    }
    assert!(refused > 0);
    // A replacement that is no longer than the message before it is always taken.
    for key in 0..keys {
        assert_eq!(scene.core.send_keyed(channel, key, b"y"), Ok(()));
    }
    assert_eq!(
        scene.core.channel_stats(channel).map(|s| s.queued_messages),
        Some(keys as usize)
    );
    scene.records();
    assert_eq!(scene.core.stats().queued_bytes, 0);
}

/// On a conflated channel, every way to send replaces the queued message.
#[test]
fn every_way_to_send_conflates() {
    type Send = fn(&mut Scene, ChannelId) -> Result<(), ChannelSendError>;
    let ways: [Send; 3] = [
        |scene, channel| scene.core.send(channel, [0; 2000]),
        |scene, channel| {
            let payload = Bytes::from(vec![0; 2000]);
            scene.core.send_bytes(channel, payload).map_err(|(e, _)| e)
        },
        |scene, channel| {
            let frame = SharedFrame::new(3, &[0; 2000]).expect("a frame");
            scene.core.send_shared(channel, &frame)
        },
    ];
    for send in ways {
        let mut scene = Scene::greeted(shared_aliases(), &[]);
        let options = OpenOptions::new("q").mode(Mode::Conflated).alias(3);
        let (channel, _) = scene.open_ours(options, 3, 1 << 20);
        scene.core.handle_backpressure();
        for _ in 0..3 {
            assert_eq!(send(&mut scene, channel), Ok(()));
        }
        assert_eq!(data(&scene.said()), [(3, 2, 2000)]);
    }
}

/// After an abort, a replacement is refused with the code of the abort.
#[test]
fn a_replacement_after_abort_is_refused() {
    let mut scene = Scene::new();
    let options = OpenOptions::new("q")
        .mode(Mode::Conflated)
        .unit(Unit::Bytes);
    let (channel, _) = scene.open_ours(options, 0, 1 << 20);
    scene.core.handle_backpressure();
    scene.core.send_keyed(channel, 1, b"waits").expect("queued");
    let code = ErrorCode(ErrorCode::APPLICATION.0 + 2);
    scene.core.abort(code);
    let sent = scene.core.send_keyed(channel, 1, b"newer");
    assert_eq!(
        sent,
        Err(ChannelSendError::Closed(ChannelFailure::Local(code)))
    );
}

/// The newest message of a key arrives together with the number of messages that it replaced.
#[test]
fn the_newest_message_arrives_with_the_count_of_replaced_ones() {
    // The length of the last message of a record is left out. It is not the last number of its
    // header.
    let mut sim = ready([ChannelConfig::default(), ChannelConfig::default()]);
    let wanted = Wanted {
        mode: Mode::Conflated,
        unit: Unit::Messages,
        ..Wanted::default()
    };
    let link = opened(&mut sim, &wanted);
    sim.apply(Op::Block(0));
    sim.send(0, link, 1, 20);
    sim.apply(Op::Poll(0)); // it waits for room, and so do those behind it
    for _ in 0..20 {
        sim.send(0, link, 1, 20);
    }
    sim.quiesce();
    let dir = &sim.links[link].dirs[0];
    assert_eq!((dir.delivered, dir.skipped), (2, 19));
}
