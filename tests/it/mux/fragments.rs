//! Messages in fragments: where the core cuts them, what they cost, and how long they may take.

use harness::frames_mux::{Put, Said, flag, profile, read};
use tickwire::channels::{ChannelConfig, ErrorCode, HalfState, OpenOptions};

use super::scripted_peer::{Scene, Told, UPLINK, failed, ms};

/// A message in tiny fragments that is not finished in time is evicted, and its memory is released.
#[test]
fn tiny_fragments_do_not_extend_the_timeout() {
    let mut scene = Scene::new();
    let channel = scene.opened_as(0, UPLINK, 0);
    let mut told = Vec::new();
    for second in 0..12 {
        told.extend(scene.put(Put::new().data(flag::MORE, 0, b".")));
        if second < 9 {
            assert_eq!(told, []);
        }
        told.extend(scene.wait(ms(1000)));
    }
    assert_eq!(told, [Told::Evicted(channel, ErrorCode::TIMEOUT)]);
    let stop = Said::Reset {
        flags: flag::STOP,
        alias: 0,
        code: 8,
    };
    assert!(scene.said().contains(&stop));
    assert_eq!(scene.core.stats().held_bytes, 0);
    let state = scene.core.channel_stats(channel).map(|s| s.receiving);
    assert_eq!(state, Some(HalfState::Ending));
}

/// A receiver can lend a message that arrives whole. A message that fits a record is therefore not
/// cut for the room that is left in another record. A longer message fills its records.
#[test]
fn a_message_that_fits_a_record_is_not_cut() {
    let cuts = |len: usize, first_direct: bool| -> Vec<Vec<usize>> {
        let mut scene = Scene::new();
        let channel = scene.opened(0, 1 << 20);
        if !first_direct {
            scene.core.handle_backpressure();
        }
        scene.core.send(channel, [1; 100]).expect("sent");
        scene.core.send(channel, vec![2; len]).expect("sent");
        let payloads = |record: &Vec<u8>| {
            let said = read(record).into_iter().map(|said| match said {
                Said::Data { payload, .. } => payload.len(),
                other => panic!("{other:?}"),
            });
            said.collect()
        };
        scene.records().iter().map(payloads).collect()
    };
    // Records of 16 KiB. The header takes four bytes; the length of the last message can be left
    // out.
    for direct in [true, false] {
        assert_eq!(cuts(16_000, direct), [vec![100, 16_000]]);
        assert_eq!(cuts(16_300, direct), [vec![100], vec![16_300]]);
        assert_eq!(cuts(16_378, direct), [vec![100], vec![16_378]]);
        let parts = cuts(20_000, direct);
        assert_eq!(parts.len(), 2, "{parts:?}");
        assert_eq!(parts[0].len() + parts[1].len(), 3, "{parts:?}");
    }
}

/// Each fragment of a useful size gets the full timeout, so a sender may give a large message few
/// turns. A fragment that is too small gets none.
#[test]
fn each_large_fragment_extends_the_timeout() {
    let fragment = [1; 8000];
    let mut scene = Scene::new();
    let channel = scene.opened_as(0, UPLINK, 0);
    for _ in 0..3 {
        let told = scene.put(Put::new().data(flag::MORE, 0, &fragment));
        assert_eq!(told, []);
        assert_eq!(scene.wait(ms(9000)), []);
        scene.said();
    }
    let told = scene.put(Put::new().data(0, 0, b"end"));
    assert!(
        matches!(&told[..], [Told::Message { data, .. }] if data.len() == 24_003),
        "{told:?}"
    );
    // The timeout of a fragment that never comes expires.
    scene.put(Put::new().data(flag::MORE, 0, &fragment));
    scene.wait(ms(5000));
    scene.put(Put::new().data(flag::MORE, 0, &fragment));
    assert_eq!(scene.wait(ms(9500)), []);
    // A small fragment does not extend the timeout.
    assert_eq!(scene.put(Put::new().data(flag::MORE, 0, &[1; 1000])), []);
    let told = scene.wait(ms(1000));
    assert_eq!(told, [Told::Evicted(channel, ErrorCode::TIMEOUT)]);
}

/// A message in fragments is evicted at its timeout. Afterwards only the timer of the next PING is
/// left.
#[test]
fn an_evicted_message_leaves_no_timer() {
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

/// The payload lengths in each record, if one channel sends `first` bytes, a second channel sends
/// `second` bytes, and a third channel of lower priority sends one byte.
fn shared(peer: &[(u64, u64)], limit: u64, first: usize, second: usize) -> Vec<Vec<usize>> {
    let mut scene = Scene::greeted(ChannelConfig::default(), peer);
    let [a, b, c] = [0, 1, 2].map(|n: u8| {
        let options = OpenOptions::new("c").priority(n);
        let limit = if n == 1 { limit } else { 60_000 };
        scene.open_ours(options, n.into(), limit).0
    });
    scene.core.handle_backpressure();
    for (channel, len) in [(a, first), (b, second), (c, 1)] {
        scene.core.send(channel, vec![1; len]).expect("room");
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

/// Credit covers a message in one frame, but not in fragments. The message waits for a record of
/// its own, and no message of a lower priority passes it.
#[test]
fn a_message_is_not_cut_if_credit_covers_only_one_frame() {
    let own = vec![vec![900], vec![900, 1]];
    // Just enough credit.
    assert_eq!(shared(&[(1, 1024), (7, 964)], 964, 900, 900), own);
    // Not enough credit: the message waits, and the others are sent.
    assert_eq!(
        shared(&[(1, 1024), (7, 963)], 963, 900, 900),
        [vec![900, 1]]
    );
}

/// A fragment is at least a quarter of a record.
#[test]
fn a_fragment_is_at_least_a_quarter_of_a_record() {
    let peer = [(1, 1024)];
    // Headers of four bytes: 1,024 - 4 - 760 - 4 are 256.
    let cut = shared(&peer, 60_000, 760, 5000);
    assert_eq!(cut[0], [760, 256]);
    let whole = shared(&peer, 60_000, 761, 5000);
    assert_eq!(whole[0], [761]);
    for records in [cut, whole] {
        let bytes: usize = records.iter().flatten().sum();
        assert!(bytes == 5761 || bytes == 5762, "{records:?}");
    }
}

/// On a channel that counts messages, the last fragment is charged. FIN is free.
#[test]
fn a_message_window_is_charged_by_the_last_fragment() {
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
