//! Send queues: what they accept, and the memory that they hold.

use allocation_counter::measure;
use bytes::Bytes;
use harness::frames_mux::{MAX62, Put, flag};
use tickwire::channels::{
    ChannelConfig, ChannelId, ChannelSendError, ErrorCode, Mode, OpenOptions, SharedFrame,
};

use super::scripted_peer::Scene;
use super::small_queues::{ENTRY, MESSAGE_MAX, config, ours, payloads_or_runs, queued};

/// A way to send a payload of `len` bytes.
type Send = fn(&mut Scene, ChannelId, usize) -> Result<(), ChannelSendError>;

const WAYS: [(&str, Send); 6] = [
    ("copy", |scene, channel, len| {
        scene.core.send(channel, vec![1; len])
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
        scene.core.send_run_bytes(channel, 1, &vec![1; len])
    }),
    ("claim", |scene, channel, len| {
        scene.core.claim(channel, len).map(|claim| claim.commit())
    }),
];

/// Every way to send fills the queue of a channel, and all queues together, to the byte.
#[test]
fn queue_limits_are_exact_to_the_byte() {
    for (way, send) in WAYS {
        let mut scene = Scene::greeted(config(), &[]);
        let [a, b, c] = [1, 2, 3].map(|alias| {
            let topic = OpenOptions::new("c");
            ours(&mut scene, topic, alias, 60_000)
        });
        scene.core.handle_backpressure();
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
        // One message of each channel is always accepted.
        assert_eq!(send(&mut scene, c, 9000), Ok(()), "{way}");
        assert_eq!(queued(&scene), 27_000 + ENTRY, "{way}");
        let bytes = payloads_or_runs(&scene.said());
        assert_eq!(bytes, 27_000 - 4 * ENTRY, "{way}");
        assert_eq!(queued(&scene), 0, "{way}");
    }
}

/// The largest message that the peer allows is accepted; a message with one byte more never is.
#[test]
fn the_message_limit_of_the_peer_is_exact() {
    for (way, send) in WAYS {
        if way == "run" {
            continue; // its elements are as large as a record takes
        }
        for held in [false, true] {
            let mut scene = Scene::greeted(config(), &[(1, 1 << 20)]);
            let channel = ours(&mut scene, OpenOptions::new("c"), 1, 60_000);
            if held {
                scene.core.handle_backpressure();
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

/// The peer grants all the credit there is, and the layer below takes no record. The queues stay
/// within their limits.
#[test]
fn queues_are_bounded_whatever_the_credit() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, MAX62)]);
    let mut scene_open = |alias, options| scene.open_ours(options, alias, MAX62).0;
    let channels: Vec<_> = (0..40)
        .map(|alias| scene_open(alias, OpenOptions::new("bulk")))
        .collect();
    let quotes = OpenOptions::new("quotes").mode(Mode::Conflated);
    let quotes = scene.open_ours(quotes, 50, MAX62).0;
    scene.core.handle_backpressure();
    for key in 0..100 {
        scene.core.send_keyed(quotes, key, [0; 40]).expect("queued");
    }
    let memory = measure(|| {
        for &channel in &channels {
            while scene.core.send(channel, [1; 100]) == Ok(()) {}
        }
        for update in 0..100_000_u64 {
            let sent = scene.core.send_keyed(quotes, update % 100, [9; 40]);
            assert_eq!(sent, Ok(()), "a replacement needs no room");
        }
    });
    let stats = scene.core.stats();
    // One message of each channel is accepted whatever the other queues hold; its entry costs 64
    // bytes.
    let max = (4 << 20) + channels.len() * (100 + 64);
    assert!(stats.queued_bytes <= max, "{stats:?}");
    assert!(stats.queued_bytes > (4 << 20) - 1000, "{stats:?}");
    // Ring buffers and lists grow by doubling.
    assert!(memory.bytes_max <= 9 << 20, "{memory:?}");
    let stats = scene.core.channel_stats(quotes).expect("open");
    assert_eq!((stats.queued_messages, stats.skipped_out), (100, 100_000));
}

/// A queue that was full releases its memory when it is empty.
#[test]
fn empty_queues_release_their_memory() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, MAX62)]);
    let mut open = |alias| scene.open_ours(OpenOptions::new("bulk"), alias, MAX62).0;
    let channels: Vec<_> = (0..100).map(&mut open).collect();
    let quotes = OpenOptions::new("quotes").mode(Mode::Conflated);
    let quotes = scene.open_ours(quotes, 200, MAX62).0;
    let memory = measure(|| {
        for &channel in &channels {
            scene.core.handle_backpressure();
            while scene.core.send(channel, [1; 100]) == Ok(()) {}
            while scene.core.poll_record(scene.now).is_some() {}
        }
        // The message of each key was long once.
        scene.core.handle_backpressure();
        for key in 0..1000 {
            let long = scene.core.send_keyed(quotes, key, [1; 20_000]);
            assert_eq!(long, Ok(()));
            assert_eq!(scene.core.send_keyed(quotes, key, b"short"), Ok(()));
        }
    });
    assert!(memory.bytes_current <= 4 << 20, "{memory:?}");
}

/// The application lets go of the channels of a failed connection. No byte of them counts as
/// queued.
#[test]
fn channels_of_a_failed_connection_count_no_queued_bytes() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, 50)]);
    let channels = [0, 1].map(|alias| scene.open_ours(OpenOptions::new("c"), alias, 50).0);
    for channel in channels {
        scene.core.send(channel, [0; 3000]).expect("queued");
    }
    scene.put(Put::new().data(0, 77, b"under no alias"));
    assert!(scene.core.failure().is_some());
    for channel in channels {
        scene.core.close_channel(channel, ErrorCode::NO_ERROR);
    }
    assert_eq!(scene.core.stats().queued_bytes, 0);
}

/// The application lets go of a channel with queued messages. No byte of it counts as queued.
#[test]
fn queued_bytes_end_with_their_channel() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 0);
    scene.core.send(channel, [0; 5000]).expect("queued");
    assert!(scene.core.stats().queued_bytes > 5000);
    scene.core.finish_sending(channel).expect("open");
    scene.core.close_channel(channel, ErrorCode::NO_ERROR);
    scene.put(Put::new().reset(flag::STOP | flag::ABORT, 0, 0));
    scene.said();
    assert_eq!(scene.core.stats().queued_bytes, 0);
}
