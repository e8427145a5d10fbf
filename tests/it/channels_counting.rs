//! What went is what is counted, what is held bounds who is stopped, and how frames share records.

use std::time::Duration;

use harness::frames_mux::{Put, Said, flag, hello, profile, read, tlv, tv};
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelFailure, ErrorCode, Event, Mode, Mux, OpenOptions,
};

use super::channels_hostile_kit::{Scene, Told, UPLINK, failed, ms, shared_aliases};

/// Messages, fragments, runs and what is missing, each counted where it arrives.
#[test]
fn what_arrives_is_counted() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 60_000);
    let before = scene.core.stats().records_in;
    let seqs = |told: Vec<Told>| -> Vec<(u64, u64)> {
        let of = told.iter().map(|told| match told {
            Told::Message { seq, skipped, .. } | Told::Run { seq, skipped, .. } => (*seq, *skipped),
            other => panic!("{other:?}"),
        });
        of.collect()
    };
    for (record, expected, (messages, bytes, skipped)) in [
        (Put::new().data(0, 0, b"whole"), vec![(0, 0)], (1, 5, 0)),
        (
            Put::new().data_skip(0, 0, 3, b"late"),
            vec![(4, 3)],
            (2, 9, 3),
        ),
        (Put::new().data(flag::MORE, 0, b"in "), vec![], (2, 12, 3)),
        (
            Put::new().data(flag::MORE, 0, b"three "),
            vec![],
            (2, 18, 3),
        ),
        (Put::new().data(0, 0, b"parts"), vec![(5, 0)], (3, 23, 3)),
        (
            Put::new().run(0, 4, 3, b"onlythreerun"),
            vec![(6, 0)],
            (6, 35, 3),
        ),
        (Put::new().data(0, 0, b"next"), vec![(9, 0)], (7, 39, 3)),
    ] {
        assert_eq!(seqs(scene.put(record)), expected);
        let own = scene.core.channel_stats(channel).expect("open");
        assert_eq!(
            (own.messages_in, own.bytes_in, own.skipped_in),
            (messages, bytes, skipped)
        );
        let all = scene.core.stats();
        assert_eq!(
            (all.messages_in, all.bytes_in, all.skipped_in),
            (messages, bytes, skipped)
        );
    }
    assert_eq!(scene.core.stats().records_in, before + 7);
    // It stays counted when the channel is gone.
    scene.put(Put::new().data(flag::FIN, 0, b"end"));
    scene.core.let_go(channel, ErrorCode::NO_ERROR);
    scene.said();
    let all = scene.core.stats();
    assert_eq!((all.channels, all.messages_in, all.bytes_in), (0, 8, 42));
}

/// Messages and runs, cut or not, each counted where it goes.
#[test]
fn what_goes_is_counted() {
    let mut scene = Scene::new();
    let (channel, _) = scene.open_ours(OpenOptions::new("c"), 0, 60_000);
    let before = scene.core.stats().records_out;
    let mut records = 0;
    for (elem, len, messages, bytes) in [
        (0, 5, 1, 5),
        (0, 0, 2, 5),
        (0, 20_000, 3, 20_005),
        (4, 12, 6, 20_017),
        (0, 7, 7, 20_024),
    ] {
        scene.core.hold_back();
        if elem == 0 {
            scene.core.send(channel, &vec![1; len]).expect("room");
        } else {
            scene
                .core
                .send_run(channel, elem, &vec![1; len])
                .expect("room");
        }
        records += scene.records().len() as u64;
        let own = scene.core.channel_stats(channel).expect("open");
        assert_eq!((own.messages_out, own.bytes_out), (messages, bytes));
        assert_eq!(scene.core.stats().records_out, before + records);
    }
}

/// A whole message is held to the limit that was told, like one in fragments.
#[test]
fn a_whole_message_has_a_limit() {
    for unit in [0, profile::MESSAGES] {
        for (len, expected) in [
            (5000, None),
            (5001, Some(ErrorCode::SIZE)),
            (6000, Some(ErrorCode::SIZE)),
        ] {
            let config = ChannelConfig::default().message_bytes_max(5000);
            let mut scene = Scene::greeted(config, &[]);
            scene.opened_as(0, UPLINK | unit, 0);
            let told = scene.put(Put::new().data(0, 0, &vec![1; len]));
            assert_eq!(failed(&told), expected, "{unit} {len}");
        }
    }
}

/// A channel that counts messages pays with the last fragment; the end is free.
#[test]
fn a_window_of_messages_is_paid_by_the_last_fragment() {
    for more in [false, true] {
        let mut scene = Scene::new();
        scene.reads = false;
        let channel = scene.opened_as(0, UPLINK | profile::MESSAGES, 0);
        for _ in 0..8 {
            for part in [&b"in "[..], b"many "] {
                let told = scene.put(Put::new().data(flag::MORE, 0, part));
                assert_eq!(told, []);
            }
            let told = scene.put(Put::new().data(0, 0, b"parts"));
            assert!(matches!(&told[..], [Told::Message { data, .. }] if data == b"in many parts"));
        }
        let told = if more {
            scene.put(Put::new().data(flag::MORE, 0, b"ninth"))
        } else {
            scene.put(Put::new().data(flag::FIN, 0, b""))
        };
        let expected = more.then_some(ErrorCode::FLOW);
        assert_eq!(failed(&told), expected);
        assert_eq!(told == [Told::Finished(channel)], !more);
    }
}

/// A message in fragments has its time; when nothing waits, no timer but the next PING's is left.
#[test]
fn fragments_have_their_time() {
    let mut scene = Scene::new();
    let channel = scene.opened_as(0, UPLINK, 0);
    scene.put(Put::new().data(flag::MORE, 0, b"begun"));
    assert_eq!(scene.wait(ms(9900)), []);
    let told = scene.wait(ms(500));
    assert_eq!(told, [Told::Evicted(channel, ErrorCode::TIMEOUT)]);
    scene.said();
    scene.wait(ms(300));
    let next = scene.core.poll_timeout().expect("alive");
    assert!(next.0 > scene.now.0 + 1_000_000_000, "nothing is swept for");
}

/// Frames of every kind are cut to records of the peer's, and none is lost.
#[test]
fn control_frames_fit_small_records() {
    let config = || {
        ChannelConfig::default()
            .metadata_bytes_max(1000)
            .record_bytes_max(2000)
    };
    let count = |scene: &mut Scene, of: fn(&Said) -> bool| {
        let records = scene.records();
        assert!(records.iter().all(|record| record.len() <= 1024));
        let said = records.iter().flat_map(|record| read(record));
        said.filter(of).count()
    };
    for len in [1, 100, 300, 489, 490, 491, 900, 980] {
        let mut scene = Scene::greeted(config(), &[(1, 1024)]);
        for _ in 0..20 {
            let options = OpenOptions::new("t").metadata(vec![1; len]);
            scene.core.open(options).expect("opened");
        }
        let opens = count(&mut scene, |said| matches!(said, Said::Open { .. }));
        assert_eq!(opens, 20, "{len}");
        for accepts in [true, false] {
            let mut scene = Scene::greeted(config(), &[(1, 1024)]);
            scene.accepts = false;
            for alias in 0..20 {
                let told = scene.put(Put::new().open(alias, 0, 9000, 9000, &[]));
                let [Told::Open(channel)] = told[..] else {
                    panic!("{told:?}")
                };
                let metadata = vec![1; len];
                if accepts {
                    let options = AcceptOptions::new().metadata(metadata);
                    assert_eq!(scene.core.accept(channel, options), Ok(()));
                } else {
                    let refused = scene.core.reject_with(channel, ErrorCode(9), &metadata);
                    assert_eq!(refused, Ok(()));
                }
            }
            let is: fn(&Said) -> bool = if accepts {
                |said| matches!(said, Said::Accept { .. })
            } else {
                |said| matches!(said, Said::Reject { info, .. } if !info.is_empty())
            };
            assert_eq!(count(&mut scene, is), 20, "{len} {accepts}");
        }
    }
    // Limits and ends of many channels.
    let mut scene = Scene::greeted(config(), &[(1, 1024)]);
    let channels: Vec<_> = (0..60).map(|alias| scene.opened(alias, 9000)).collect();
    for channel in channels {
        scene.core.acknowledge(channel, 1 << 40);
        scene.core.stop(channel, ErrorCode(1 << 20));
        scene.core.reset(channel, ErrorCode(1 << 21));
    }
    let resets = count(&mut scene, |said| matches!(said, Said::Reset { .. }));
    assert_eq!(resets, 120);
}

/// How messages of a channel and another's share records: `first` bytes, then one of `second`,
/// then a small one of a lower class. The payloads of each record.
fn shared(peer: &[(u64, u64)], limit: u64, first: usize, second: usize) -> Vec<Vec<usize>> {
    let mut scene = Scene::greeted(ChannelConfig::default(), peer);
    let [a, b, c] = [0, 1, 2].map(|n: u8| {
        let options = OpenOptions::new("c").priority(n);
        let limit = if n == 1 { limit } else { 60_000 };
        scene.open_ours(options, n.into(), limit).0
    });
    scene.core.hold_back();
    for (channel, len) in [(a, first), (b, second), (c, 1)] {
        scene.core.send(channel, &vec![1; len]).expect("room");
    }
    let records = scene.records();
    let lengths = |record: &Vec<u8>| {
        let said = read(record).into_iter().map(|said| match said {
            Said::Data { payload, .. } => payload.len(),
            other => panic!("{other:?}"),
        });
        said.collect()
    };
    records.iter().map(lengths).collect()
}

/// A message that credit covers in one frame, and not in fragments, waits for a record of its own;
/// nothing of a lower class passes it.
#[test]
fn a_message_goes_whole_where_credit_has_no_fragments() {
    let own = vec![vec![900], vec![900, 1]];
    // Just enough for it.
    assert_eq!(shared(&[(1, 1024), (7, 964)], 964, 900, 900), own);
    // Not enough: it waits for credit, and the others go.
    assert_eq!(
        shared(&[(1, 1024), (7, 963)], 963, 900, 900),
        [vec![900, 1]]
    );
}

/// A fragment is a quarter of a record at least.
#[test]
fn a_fragment_is_worth_its_head() {
    let peer = [(1, 1024)];
    // Heads of four bytes: 1,024 - 4 - 760 - 4 are 256.
    let cut = shared(&peer, 60_000, 760, 5000);
    assert_eq!(cut[0], [760, 256]);
    let whole = shared(&peer, 60_000, 761, 5000);
    assert_eq!(whole[0], [761]);
    for records in [cut, whole] {
        let bytes: usize = records.iter().flatten().sum();
        assert!(bytes == 5761 || bytes == 5762, "{records:?}");
    }
}

/// The layer below may take less than the peer, but a record of the largest control frame.
#[test]
fn records_are_as_large_as_both_take() {
    let fresh =
        || Mux::new(ChannelConfig::default(), tickwire::Timestamp(0)).expect("limits that work");
    // A peer that has said nothing yet takes 1 KiB.
    assert!(fresh().record_max() <= 1024);
    for (peer_max, least) in [
        (1024, 1024),
        (4000, 4000),
        (16_384, 4128),
        (16_500, 4157),
        (1 << 20, 262_176),
    ] {
        let mut scene = Scene::greeted(ChannelConfig::default(), &[(1, peer_max)]);
        assert_eq!(scene.core.record_max(), peer_max as usize);
        assert_eq!(scene.core.record_least(), least);
        scene.core.limit_records(least);
        assert_eq!(scene.core.record_max(), least);
        let (channel, _) = scene.open_ours(OpenOptions::new("c"), 0, 60_000);
        for _ in 0..2 {
            scene.core.send(channel, &[1; 20_000]).expect("room");
        }
        assert!(scene.records().iter().all(|record| record.len() <= least));
    }
}

/// The layer below is lost: told once, as what it was.
#[test]
fn a_lost_connection_is_told_once() {
    let lost = |scene: &mut Scene| match scene.core.handle_lost() {
        Some(Event::Failed(failure)) => Some(failure),
        None => None,
        other => panic!("{other:?}"),
    };
    let mut scene = Scene::new();
    assert_eq!(lost(&mut scene), Some(ChannelFailure::Lost));
    assert_eq!(lost(&mut scene), None);
    assert!(!scene.core.is_alive() && scene.said().is_empty());
    // What the peer has said before, says more.
    for (code, expected) in [
        (ErrorCode::NO_ERROR, ChannelFailure::Lost),
        (
            ErrorCode(0x2_0000),
            ChannelFailure::Peer(ErrorCode(0x2_0000)),
        ),
    ] {
        let mut scene = Scene::new();
        scene.opened(0, 9000);
        scene.put(Put::new().goaway(0, code.0.into(), ""));
        assert_eq!(lost(&mut scene), Some(expected));
    }
    let mut scene = Scene::new();
    let told = scene.core.receive_foreign();
    assert!(
        matches!(told, Some(Event::Failed(ChannelFailure::Violation(_)))),
        "{told:?}"
    );
    assert_eq!(lost(&mut scene), None, "it has ended before");
}

/// A half that was finished goes out though its channel is let go of before it is asked for.
#[test]
fn what_was_finished_is_sent_though_nobody_holds_the_channel() {
    let mut scene = Scene::new();
    let channel = scene
        .core
        .open(OpenOptions::new("once").mode(Mode::Ttl(ms(5000))))
        .expect("opened");
    scene.core.send(channel, b"last").expect("room");
    scene.core.finish_sending(channel).expect("open");
    scene.core.let_go(channel, ErrorCode::NO_ERROR);
    let said = scene.said();
    let [Said::Open { options, .. }, rest @ ..] = &said[..] else {
        panic!("{said:?}")
    };
    assert!(options.starts_with(&tlv(1, &tv(5000))), "its TTL is told");
    assert!(
        rest.iter().any(
            |s| matches!(s, Said::Data { flags: flag::FIN, payload, .. } if payload == b"last")
        ),
        "{said:?}"
    );
}

/// An alias that was chosen before the peer's limit was known is refused when it is.
#[test]
fn a_chosen_alias_is_below_the_peers_limit() {
    let config = shared_aliases();
    let mut scene = Scene::silent(config);
    let [low, high] = [2, 3].map(|alias| {
        let opened = scene.core.open(OpenOptions::new("a").alias(alias));
        opened.expect("opened")
    });
    scene.put(hello(&[(5, 3)]));
    let said = scene.said();
    let opens = said.iter().filter(|said| matches!(said, Said::Open { .. }));
    assert_eq!(opens.count(), 1, "{said:?}");
    assert_eq!(scene.events(), [Told::Rejected(high, ErrorCode::REFUSED)]);
    assert_eq!(
        scene.put(Put::new().accept(2, 0, 9000, 9000, &[])),
        [Told::Accepted(low)]
    );
}

/// The peer's answer takes smaller messages than one that waits: it can never go.
#[test]
fn a_message_that_the_answer_does_not_take_is_given_up() {
    for (max, goes) in [(6000, true), (5999, false)] {
        let mut scene = Scene::new();
        let channel = scene.core.open(OpenOptions::new("c")).expect("opened");
        scene.said();
        for len in [20_000, 20_000, 20_000, 6000] {
            scene.core.send(channel, &vec![1; len]).expect("room");
        }
        scene.said();
        let told = scene.put(Put::new().accept(0, 0, 200_000, max, &[]));
        assert_eq!(told, [Told::Accepted(channel)]);
        let said = scene.said();
        let stopped = [Told::Stopped(channel, ErrorCode::SIZE)];
        let expected: &[Told] = if goes { &[] } else { &stopped };
        assert_eq!(scene.events(), expected, "{said:?}");
        let reset = said.iter().any(|said| matches!(said, Said::Reset { .. }));
        assert_eq!(reset, !goes);
    }
}

/// What came behind our GOAWAY was not looked at, and the GOAWAY says so.
#[test]
fn opens_behind_a_drain_are_not_counted() {
    let mut scene = Scene::new();
    scene.opened(0, 9000);
    scene.core.drain(ErrorCode::NO_ERROR, "maintenance");
    for alias in 1..4 {
        assert_eq!(scene.put(Put::new().open(alias, 0, 9000, 9000, &[])), []);
    }
    let said = scene.said();
    assert!(
        matches!(said[..], [Said::GoAway { opens_seen: 1, .. }]),
        "{said:?}"
    );
}

/// Windows widen where round trips hold the sender back, and nowhere else.
#[test]
fn windows_widen_with_the_round_trip() {
    for auto_tune in [true, false] {
        let config = ChannelConfig::default().auto_tune(auto_tune);
        let mut scene = Scene::silent(config);
        scene.put(hello(&[]));
        scene.said();
        scene.wait(Duration::from_millis(100));
        scene.put(Put::new().pong(1));
        let channel = scene.opened_as(0, UPLINK, 0);
        for _ in 0..40 {
            scene.put(Put::new().data(0, 0, &[1; 10_000]));
            scene.said();
            scene.wait(ms(1));
        }
        let own = scene
            .core
            .channel_stats(channel)
            .expect("open")
            .receive_window_max;
        assert_eq!(own > 64 << 10, auto_tune);
    }
}

/// Who knows no runs gets each element as a message of its own.
#[test]
fn a_run_is_single_messages_to_who_knows_no_runs() {
    let (conflate, run, resume, messages) = (1, 2, 4, 8);
    for features in [0, conflate | resume | messages, run] {
        let mut scene = Scene::greeted(ChannelConfig::default(), &[(10, features)]);
        let (channel, _) = scene.open_ours(OpenOptions::new("c"), 0, 60_000);
        let run_bytes = b"aaaabbbbcccc";
        scene.core.send_run(channel, 4, run_bytes).expect("room");
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
