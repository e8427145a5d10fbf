//! Queues of messages to send: what they take, and what they hold.

use allocation_counter::measure;
use bytes::Bytes;
use harness::frames_mux::{MAX62, Put, flag};
use tickwire::channels::{
    ChannelConfig, ChannelId, ChannelSendError, ErrorCode, Mode, OpenOptions, SharedFrame,
};

use super::scripted_peer::Scene;
use super::small_queues::{ENTRY, MESSAGE_MAX, config, ours, payloads_or_runs, queued};

/// All ways to send, with a payload of so many bytes.
type Send = fn(&mut Scene, ChannelId, usize) -> Result<(), ChannelSendError>;

const WAYS: [(&str, Send); 6] = [
    ("copy", |scene, channel, len| {
        scene.core.send(channel, &vec![1; len])
    }),
    ("bytes", |scene, channel, len| {
        let sent = scene.core.send_bytes(channel, Bytes::from(vec![1; len]));
        sent.map_err(|(error, payload)| {
            assert_eq!(payload.len(), len, "it is handed back");
            error
        })
    }),
    ("shared", |scene, channel, len| {
        let frame = SharedFrame::new(1, &vec![1; len]).expect("a frame");
        scene.core.send_shared(channel, &frame)
    }),
    ("elsewhere", |scene, channel, len| {
        let frame = SharedFrame::new(7, &vec![1; len]).expect("a frame");
        scene.core.send_shared(channel, &frame)
    }),
    ("run", |scene, channel, len| {
        scene.core.send_run(channel, 1, &vec![1; len])
    }),
    ("claim", |scene, channel, len| {
        scene.core.claim(channel, len).map(|claim| claim.commit())
    }),
];

/// Each way fills a channel's queue, and all queues together, to the byte.
#[test]
fn queues_are_filled_to_the_byte() {
    for (way, send) in WAYS {
        let mut scene = Scene::greeted(config(), &[]);
        let [a, b, c] = [1, 2, 3].map(|alias| {
            let topic = OpenOptions::new("c");
            ours(&mut scene, topic, alias, 60_000)
        });
        scene.core.hold_back();
        assert_eq!(send(&mut scene, a, 5000 - ENTRY), Ok(()), "{way}");
        let refused = send(&mut scene, a, 5001 - ENTRY);
        assert_eq!(
            refused,
            Err(ChannelSendError::WouldBlock),
            "{way}: the channel's"
        );
        assert_eq!(send(&mut scene, a, 5000 - ENTRY), Ok(()), "{way}");
        assert_eq!(queued(&scene), 10_000, "{way}");
        assert_eq!(send(&mut scene, b, 5000 - ENTRY), Ok(()), "{way}");
        let refused = send(&mut scene, b, 3001 - ENTRY);
        assert_eq!(
            refused,
            Err(ChannelSendError::WouldBlock),
            "{way}: all queues"
        );
        assert_eq!(send(&mut scene, b, 3000 - ENTRY), Ok(()), "{way}");
        assert_eq!(queued(&scene), 18_000, "{way}");
        // One of each channel is always taken.
        assert_eq!(send(&mut scene, c, 9000), Ok(()), "{way}");
        assert_eq!(queued(&scene), 27_000 + ENTRY, "{way}");
        let bytes = payloads_or_runs(&scene.said());
        assert_eq!(bytes, 27_000 - 4 * ENTRY, "{way}");
        assert_eq!(queued(&scene), 0, "{way}");
    }
}

/// The largest message that the peer takes is taken, one byte more never.
#[test]
fn messages_are_as_large_as_the_peer_takes() {
    for (way, send) in WAYS {
        if way == "run" {
            continue; // its elements are as large as a record takes
        }
        for held in [false, true] {
            let mut scene = Scene::greeted(config(), &[(1, 1 << 20)]);
            let channel = ours(&mut scene, OpenOptions::new("c"), 1, 60_000);
            if held {
                scene.core.hold_back();
            }
            let too_large = ChannelSendError::TooLarge {
                len: MESSAGE_MAX + 1,
                max: MESSAGE_MAX,
            };
            let refused = send(&mut scene, channel, MESSAGE_MAX + 1);
            assert_eq!(refused, Err(too_large), "{way} {held}");
            assert_eq!(
                send(&mut scene, channel, MESSAGE_MAX),
                Ok(()),
                "{way} {held}"
            );
        }
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

/// Of a connection that has failed nothing is counted as queued when its channels are let go of.
#[test]
fn nothing_is_queued_on_a_connection_that_has_failed() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, 50)]);
    let channels = [0, 1].map(|alias| scene.open_ours(OpenOptions::new("c"), alias, 50).0);
    for channel in channels {
        scene.core.send(channel, &[0; 3000]).expect("queued");
    }
    scene.put(Put::new().data(0, 77, b"under no alias"));
    assert!(scene.core.failure().is_some());
    for channel in channels {
        scene.core.let_go(channel, ErrorCode::NO_ERROR);
    }
    assert_eq!(scene.core.stats().queued_bytes, 0);
}

/// Of a channel that is let go of with messages queued nothing is counted as queued.
#[test]
fn what_was_queued_is_forgotten_with_its_channel() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 0);
    scene.core.send(channel, &[0; 5000]).expect("queued");
    assert!(scene.core.stats().queued_bytes > 5000);
    scene.core.finish_sending(channel).expect("open");
    scene.core.let_go(channel, ErrorCode::NO_ERROR);
    scene.put(Put::new().reset(flag::STOP | flag::ABORT, 0, 0));
    scene.said();
    assert_eq!(scene.core.stats().queued_bytes, 0);
}
