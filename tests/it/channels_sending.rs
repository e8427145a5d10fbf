//! What a channel takes to send, byte by byte: claims, frames shared by many connections, the
//! limits of queues, and who is told when there is room again.

use bytes::Bytes;
use harness::frames_mux::{Put, Said, flag};
use tickwire::channels::{
    ChannelConfig, ChannelId, ChannelSendError, ErrorCode, Mode, OpenOptions, Record, SharedFrame,
    Unit,
};

use super::channels_hostile_kit::{Scene, Told, ms, shared_aliases};

/// What is charged for a frame beside its payload, by the peer's HELLO.
const OVERHEAD: u64 = 64;
/// What is counted for a message in a queue beside its payload.
const ENTRY: usize = 64;
/// Bytes of the largest message that the peer takes.
const MESSAGE_MAX: usize = 30_000;

fn config() -> ChannelConfig {
    ChannelConfig::default()
        .channel_queue_bytes_max(10_000)
        .connection_queue_bytes_max(18_000)
        .shared_aliases(8)
}

/// A channel of ours under that alias, and the peer's under the same.
fn ours(scene: &mut Scene, options: OpenOptions, alias: u32, limit: u64) -> ChannelId {
    let (channel, own) = scene.open_ours(options.alias(alias), alias.into(), limit);
    assert_eq!(own, u64::from(alias));
    channel
}

fn queued(scene: &Scene) -> usize {
    scene.core.stats().queued_bytes
}

fn writable(scene: &mut Scene) -> Vec<ChannelId> {
    std::iter::from_fn(|| scene.core.poll_writable()).collect()
}

fn payloads(said: &[Said]) -> Vec<&[u8]> {
    let data = said.iter().map(|said| match said {
        Said::Data { payload, .. } => payload.as_slice(),
        other => panic!("{other:?}"),
    });
    data.collect()
}

/// Messages and bytes sent, credit of the channel, bytes queued.
fn accounts(scene: &Scene, channel: ChannelId) -> (u64, u64, u64, usize) {
    let all = scene.core.stats();
    let own = scene.core.channel_stats(channel).expect("open");
    let sent = (own.messages_out, own.bytes_out);
    assert_eq!((all.messages_out, all.bytes_out), sent, "it is alone");
    (sent.0, sent.1, own.send_window, all.queued_bytes)
}

/// A message that is written in place goes when it is committed, and leaves nothing behind when it
/// is not: in the record, in the queue, in credit, in counts.
#[test]
fn claims_are_sent_when_committed_and_else_never_were() {
    for (waits, unit) in [
        (false, Unit::Bytes),
        (false, Unit::Messages),
        (true, Unit::Bytes),
        (true, Unit::Messages),
    ] {
        let mut scene = Scene::greeted(config(), &[]);
        let channel = ours(&mut scene, OpenOptions::new("c").unit(unit), 0, 70_000);
        let mut expected: Vec<&[u8]> = vec![b"before", b"committed"];
        scene.core.send(channel, b"before").expect("sent");
        if waits {
            scene.core.hold_back();
            scene.core.send(channel, b"waits").expect("queued");
            expected.insert(1, b"waits");
        }
        let before = accounts(&scene, channel);
        let mut claim = scene.core.claim(channel, 9).expect("room");
        assert_eq!(*claim, [0; 9]);
        claim.copy_from_slice(b"abandoned");
        assert_eq!(*claim, *b"abandoned");
        drop(claim);
        assert_eq!(accounts(&scene, channel), before, "{waits} {unit:?}");
        let mut claim = scene.core.claim(channel, 9).expect("room");
        claim.copy_from_slice(b"committed");
        claim.commit();
        assert_eq!(payloads(&scene.said()), expected, "{waits} {unit:?}");
        let (sent, bytes) = (expected.len() as u64, expected.concat().len() as u64);
        let cost = bytes + sent * OVERHEAD;
        let of_channel = if unit == Unit::Bytes { cost } else { sent };
        let after = (sent, bytes, 70_000 - of_channel, 0);
        assert_eq!(accounts(&scene, channel), after, "{waits} {unit:?}");
        // What the peer may acknowledge is what was numbered.
        let told = scene.put(
            Put::new()
                .raw(&[flag::ACK | 3])
                .tv(0)
                .tv(70_000)
                .tv(1 << 40),
        );
        assert_eq!(told, [Told::Acked(channel, sent)]);
    }
}

/// A claim that nobody commits leaves the message before it as the record's last, with its length.
#[test]
fn an_abandoned_claim_leaves_the_record_as_it_was() {
    let mut scene = Scene::greeted(config(), &[]);
    let channel = ours(&mut scene, OpenOptions::new("c"), 0, 60_000);
    for text in [&b"one"[..], b"two"] {
        drop(scene.core.claim(channel, 5000).expect("room"));
        scene.core.send(channel, text).expect("sent");
        drop(scene.core.claim(channel, 1).expect("room"));
    }
    let records = scene.records();
    assert_eq!(records.len(), 1);
    let read = harness::frames_mux::read(&records[0]);
    assert_eq!(payloads(&read), [&b"one"[..], b"two"]);
}

/// One frame for all connections: lent as a record where it can be one, and credit covers it.
#[test]
fn a_shared_frame_goes_as_it_is_just_where_credit_covers_it() {
    let cost = 2000 + OVERHEAD;
    let frame = SharedFrame::new(5, &[7; 2000]).expect("a frame");
    for unit in [Unit::Bytes, Unit::Messages] {
        // A window, and what makes up for it.
        for (own, missing) in [
            (60_000, None),
            (cost, None),
            (cost - 1, Some(Put::new().credit(5, cost))),
        ] {
            if unit == Unit::Messages && own != 60_000 {
                continue;
            }
            let mut scene = Scene::greeted(config(), &[(7, own)]);
            let channel = ours(&mut scene, OpenOptions::new("c").unit(unit), 5, own);
            let records = scene.core.stats().records_out;
            scene.core.send_shared(channel, &frame).expect("queued");
            if let Some(missing) = missing {
                assert_eq!(scene.said(), [], "{unit:?} {own}");
                scene.put(missing);
            }
            match scene.core.poll_record(scene.now) {
                Some(Record::Shared(record)) => {
                    let payload = &record[record.len() - 2000..];
                    assert!(std::ptr::eq(payload, frame.payload()), "it is no copy");
                }
                other => panic!("{unit:?} {own}: {other:?}"),
            }
            let (messages, bytes, left, queued) = accounts(&scene, channel);
            assert_eq!((messages, bytes, queued), (1, 2000, 0));
            let used = if unit == Unit::Bytes { cost } else { 1 };
            assert_eq!(left, own.max(cost) - used);
            assert_eq!(scene.core.stats().records_out, records + 1);
            assert_eq!(scene.said(), []);
        }
    }
}

/// Where a shared frame cannot be a record, its message goes like any other.
#[test]
fn a_shared_frame_that_cannot_be_a_record_is_copied() {
    // The frame's alias, its payload, the peer's record, and whether it goes as it is.
    for (alias, len, record_max, lent) in [
        (5, 1024, 16_384, true),
        (5, 1023, 16_384, false),
        (4, 1024, 16_384, false),
        (5, 3000, 3004, true),
        (5, 3001, 3004, false),
    ] {
        let frame = SharedFrame::new(alias, &vec![7; len]).expect("a frame");
        let mut scene = Scene::greeted(config(), &[(1, record_max)]);
        let channel = ours(&mut scene, OpenOptions::new("c"), 5, 60_000);
        scene.core.send_shared(channel, &frame).expect("queued");
        let (mut bytes, mut shared) = (0, false);
        while let Some(record) = scene.core.poll_record(scene.now) {
            shared |= matches!(record, Record::Shared(_));
            assert!(record.as_slice().len() <= record_max as usize);
            let said = harness::frames_mux::read(record.as_slice());
            bytes += payloads(&said).concat().len();
        }
        assert_eq!((bytes, shared), (len, lent), "{alias} {len} {record_max}");
    }
}

/// The end of a half, and messages that were dropped, are told in the frame: it is not lent then.
#[test]
fn a_shared_frame_is_not_lent_where_its_head_must_say_more() {
    let frame = SharedFrame::new(5, &[7; 9000]).expect("a frame");
    let mut scene = Scene::greeted(config(), &[]);
    let channel = ours(&mut scene, OpenOptions::new("c"), 5, 60_000);
    scene.core.send_shared(channel, &frame).expect("queued");
    scene.core.finish_sending(channel).expect("open");
    let said = scene.said();
    assert!(
        matches!(&said[..], [Said::Data { flags: flag::FIN, payload, .. }] if payload.len() == 9000),
        "{said:?}"
    );
    let config = shared_aliases();
    let mut scene = Scene::greeted(config, &[]);
    let first = ours(&mut scene, OpenOptions::new("f").priority(0), 4, 60_000);
    let options = OpenOptions::new("t").mode(Mode::Ttl(ms(5)));
    let channel = ours(&mut scene, options, 5, 60_000);
    scene.core.hold_back();
    scene.core.send(channel, b"old").expect("queued");
    scene.wait(ms(10));
    // The record has no room for the frame behind this one, when the old message is dropped.
    scene.core.hold_back();
    scene.core.send(first, &[1; 9900]).expect("queued");
    let queued = scene.core.send_shared(channel, &frame);
    assert_eq!(queued, Ok(()));
    let said = scene.said();
    let skips = said.iter().map(|said| match said {
        Said::Data { skip, payload, .. } => (*skip, payload.len()),
        other => panic!("{other:?}"),
    });
    assert_eq!(skips.collect::<Vec<_>>(), [(0, 9900), (1, 9000)]);
}

/// The end rides on the last message, if there is one.
#[test]
fn fin_goes_with_the_last_message() {
    let mut scene = Scene::greeted(config(), &[]);
    let channel = ours(&mut scene, OpenOptions::new("c"), 0, 60_000);
    scene.core.hold_back();
    for text in [b"one", b"two"] {
        scene.core.send(channel, text).expect("queued");
    }
    scene.core.finish_sending(channel).expect("open");
    let said = scene.said();
    let flags = said.iter().map(|said| match said {
        Said::Data { flags, .. } => *flags,
        other => panic!("{other:?}"),
    });
    assert_eq!(flags.collect::<Vec<_>>(), [0, flag::FIN]);
}

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

fn payloads_or_runs(said: &[Said]) -> usize {
    let data = said.iter().map(|said| match said {
        Said::Data { payload, .. } => payload.len(),
        Said::Run { bytes, .. } => bytes.len(),
        other => panic!("{other:?}"),
    });
    data.sum()
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

/// A run is as long as a queue at most, and its elements fit a record of the peer's.
#[test]
fn runs_keep_to_the_queue_and_to_the_record() {
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
        scene.core.hold_back();
        let bytes = vec![1; elem.max(1) * count];
        assert_eq!(
            scene.core.send_run(channel, elem, &bytes),
            expected,
            "{elem} {count}"
        );
        if expected.is_ok() {
            assert_eq!(payloads_or_runs(&scene.said()), elem * count);
            scene.put(Put::new().credit(1, 1 << 30));
        }
    }
    assert_eq!(
        scene.core.send_run(channel, 4, b"seven__"),
        Err(ChannelSendError::BadRun)
    );
    let conflated = ours(
        &mut scene,
        OpenOptions::new("q").mode(Mode::Conflated),
        2,
        8,
    );
    assert_eq!(
        scene.core.send_run(conflated, 1, b"run"),
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

/// What replaces a message takes its place and its bytes, and no more than there is room for.
#[test]
fn replacements_are_counted_to_the_byte() {
    let mut scene = Scene::greeted(config(), &[]);
    let conflated = || OpenOptions::new("q").mode(Mode::Conflated);
    let quotes = ours(&mut scene, conflated(), 1, 100);
    let other = ours(&mut scene, OpenOptions::new("c"), 2, 60_000);
    scene.core.hold_back();
    let full = Err(ChannelSendError::WouldBlock);
    // Key, bytes; what comes of it; bytes of the queue then.
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
        let sent = scene.core.send_keyed(quotes, key, &vec![1; len - ENTRY]);
        assert_eq!(sent, expected, "{key} {len}");
        assert_eq!(queued(&scene), bytes, "{key} {len}");
    }
    // All queues together.
    for _ in 0..2 {
        scene.core.send(other, &[1; 5000 - ENTRY]).expect("room");
    }
    for (key, len, expected, bytes) in [
        (1, 4001, full, 18_000),
        (2, 3999, Ok(()), 17_999),
        (1, 4001, Ok(()), 18_000),
        (1, 4001, Ok(()), 18_000),
    ] {
        let sent = scene.core.send_keyed(quotes, key, &vec![1; len - ENTRY]);
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

/// A message that waits alone is replaced by any that the peer takes, until the half is over.
#[test]
fn a_lone_message_is_replaced_by_any_that_the_peer_takes() {
    let mut scene = Scene::greeted(config(), &[]);
    let quotes = ours(
        &mut scene,
        OpenOptions::new("q").mode(Mode::Conflated),
        1,
        100,
    );
    scene.core.hold_back();
    let max = MESSAGE_MAX;
    let too_large = ChannelSendError::TooLarge { len: max + 1, max };
    for (len, expected) in [
        (1, Ok(())),
        (max, Ok(())),
        (max + 1, Err(too_large)),
        (max, Ok(())),
    ] {
        assert_eq!(scene.core.send_keyed(quotes, 1, &vec![1; len]), expected);
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

/// Who was refused for its own queue is told when half of it is free.
#[test]
fn a_channel_is_writable_when_half_of_its_queue_is_free() {
    for (first, told) in [(5000, true), (4999, false)] {
        let mut scene = Scene::greeted(config(), &[(7, 0)]);
        let channel = ours(&mut scene, OpenOptions::new("c"), 1, 0);
        scene
            .core
            .send(channel, &vec![1; first - ENTRY])
            .expect("room");
        scene
            .core
            .send(channel, &vec![1; 10_000 - first - ENTRY])
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

/// Who was refused for all queues together is told when a quarter of them is free.
#[test]
fn channels_are_writable_when_a_quarter_of_all_queues_is_free() {
    for (freed, told) in [(4500, true), (4499, false)] {
        let mut scene = Scene::greeted(config(), &[(7, 0)]);
        let [a, b, c] = [1, 2, 3].map(|alias| ours(&mut scene, OpenOptions::new("c"), alias, 0));
        for (channel, bytes) in [(a, 5000), (a, 5000), (b, 8000 - freed), (c, freed)] {
            let sent = scene.core.send(channel, &vec![1; bytes - ENTRY]);
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
