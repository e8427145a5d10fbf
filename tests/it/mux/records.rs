//! Records: their length, and how control frames are spread over them.

use harness::frames_mux::{MAX62, Put, Said, flag, hello, read};
use tickwire::channels::{AcceptOptions, ChannelConfig, ErrorCode, Mux, OpenError, OpenOptions};

use super::scripted_peer::{Scene, Told, failed};

/// Control frames are spread over records within the limit of the peer, and none is lost.
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
    // CREDIT and RESET of many channels.
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

/// The layer below may allow less than the peer, but must allow a record of the largest control
/// frame.
#[test]
fn the_record_limit_is_the_smaller_of_both() {
    let fresh =
        || Mux::new(ChannelConfig::default(), tickwire::Timestamp(0)).expect("limits that work");
    // Before HELLO of the peer, the limit is 1 KiB.
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
        assert_eq!(scene.core.record_min(), least);
        scene.core.limit_records(least);
        assert_eq!(scene.core.record_max(), least);
        let (channel, _) = scene.open_ours(OpenOptions::new("c"), 0, 60_000);
        for _ in 0..2 {
            scene.core.send(channel, [1; 20_000]).expect("room");
        }
        assert!(scene.records().iter().all(|record| record.len() <= least));
    }
}

/// Control frames of very many channels are sent in as many records as they need.
#[test]
fn control_frames_of_many_channels_need_several_records() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(1, 1024)]);
    let channels: Vec<_> = (0..300).map(|alias| scene.opened(alias, 9000)).collect();
    for &channel in &channels {
        scene.core.acknowledge(channel, 1 << 40);
        scene.core.rebase(channel, 1 << 50, 1 << 50).expect("quiet");
    }
    let records = scene.records();
    assert!(
        records.iter().all(|r| r.len() <= 1024),
        "a record is too long"
    );
    assert!(records.len() > 7, "{}", records.len());
    for channel in channels {
        scene.core.stop(channel, ErrorCode(1 << 20));
        scene.core.reset(channel, ErrorCode(1 << 21));
    }
    let records = scene.records();
    assert!(
        records.iter().all(|r| r.len() <= 1024),
        "a record is too long"
    );
    assert!(records.len() > 2, "{}", records.len());
    assert_eq!(failed(&scene.events()), None);
}

/// If the metadata of a REJECT fits no record of the peer, REJECT is sent without it.
#[test]
fn a_reject_without_room_for_its_metadata_is_sent_without() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(1, 1024)]);
    scene.accepts = false;
    for (alias, len) in [(0, 1024), (1, 1023), (2, 900)] {
        let told = scene.put(Put::new().open(alias, 0, 9000, 9000, &[]));
        let [Told::Open(channel)] = told[..] else {
            panic!("{told:?}")
        };
        let refused = scene.core.reject_with(channel, ErrorCode(9), &vec![1; len]);
        assert_eq!(refused, Ok(()));
        let said = scene.said();
        let [Said::Reject { info, .. }] = &said[..] else {
            panic!("{said:?}")
        };
        assert_eq!(info.len(), if len == 900 { len } else { 0 });
    }
}

/// An OPEN or ACCEPT that fits no record of the peer is refused. It does not block the control
/// frames behind it.
#[test]
fn an_open_or_accept_that_fits_no_record_is_refused() {
    let metadata = vec![b'm'; 1019];
    let least = [(1, 1024)];
    let mut scene = Scene::greeted(ChannelConfig::default(), &least);
    let named = OpenOptions::new("topic").metadata(metadata.clone());
    let opened = scene.core.open(named);
    assert!(matches!(opened, Err(OpenError::Options(_))), "{opened:?}");
    scene.accepts = false;
    let told = scene.put(Put::new().open(0, 0, 60_000, 30_000, &[]));
    let [Told::Open(channel)] = told[..] else {
        panic!("{told:?}")
    };
    let wide = AcceptOptions::new().metadata(metadata.clone());
    let accepted = scene.core.accept(channel, wide);
    assert!(
        matches!(accepted, Err(OpenError::Options(_))),
        "{accepted:?}"
    );
    let most = AcceptOptions::new().metadata(vec![b'm'; 980]);
    assert_eq!(scene.core.accept(channel, most), Ok(()));
    // It does not fit the new limit of the layer below: the channel is rejected instead.
    scene.core.limit_records(900);
    let said = scene.said();
    assert!(matches!(said[..], [Said::Reject { .. }]), "{said:?}");
    assert_eq!(scene.events(), [Told::Rejected(channel, ErrorCode::LIMIT)]);

    // Before HELLO the limits of the peer are not known: the channel is rejected when HELLO
    // arrives.
    let mut scene = Scene::silent(ChannelConfig::default());
    let wide = OpenOptions::new("topic").metadata(metadata);
    let channel = scene.core.open(wide).expect("nothing is known yet");
    let other = scene.core.open(OpenOptions::new("other")).expect("opened");
    let mut told = scene.put(hello(&least));
    let said = scene.said();
    told.extend(scene.events());
    assert!(
        told.contains(&Told::Rejected(channel, ErrorCode::REFUSED)),
        "{told:?}"
    );
    assert!(
        said.iter().any(|s| matches!(s, Said::Open { .. })),
        "{said:?}"
    );
    assert!(scene.core.channel_stats(other).is_some());
}

/// A control frame is whole in its record. A truncated one is a violation.
#[test]
fn a_truncated_control_frame_is_a_violation() {
    let frames = [
        hello(&[(1, 5000), (7, 70_000)]),
        Put::new().credit(0, 70_000),
        Put::new().open(1, 0, 70_000, 70_000, b""),
        Put::new().accept(0, 3, 70_000, 70_000, b""),
        Put::new().reject(0, 70_000),
        Put::new().reset(flag::STOP, 0, 70_000),
        Put::new().seq(0, 70_000, 70_000),
        Put::new().ping(1),
        Put::new().goaway(0, 0, "bye"),
    ];
    for frame in frames {
        for len in 1..frame.0.len() {
            let mut scene = Scene::silent(ChannelConfig::default());
            if frame.0[0] != 0x0B {
                scene = Scene::new();
                scene.opened(0, 9);
            }
            let told = scene.put_raw(&frame.0[..len]);
            assert_eq!(
                failed(&told),
                Some(ErrorCode::PROTOCOL),
                "{len} of {frame:?}"
            );
        }
    }
    // Topic and metadata are limited to 1 KiB.
    for len in [1024, 1025] {
        let options = harness::frames_mux::topic(&vec![b'x'; len]);
        let told = Scene::new().put(Put::new().open(0, 0, 9, 9, &options));
        assert_eq!(failed(&told), None);
        assert_eq!(told.len(), usize::from(len == 1024));
    }
}

/// Control frames need no credit, and do not wait behind data.
#[test]
fn control_frames_pass_blocked_data() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, 0)]);
    let (channel, own) = scene.open_ours(OpenOptions::new("x"), 3, 0);
    let (other, _) = scene.open_ours(OpenOptions::new("y"), 4, MAX62);
    scene.reads = false;
    // Both ends have used all their credit.
    while scene.core.send(channel, [1; 1000]) == Ok(()) {}
    for _ in 0..6 {
        scene.put(Put::new().data(0, 3, &[1; 10_000]));
    }
    assert_eq!(scene.said(), []);
    // Much data of another channel is queued, too.
    scene.core.handle_backpressure();
    while scene.core.send(other, [2; 1000]) == Ok(()) {}
    scene.catch_up();
    let first = scene
        .core
        .poll_record(scene.now)
        .map(|r| r.as_slice().to_vec());
    let said = harness::frames_mux::read(&first.expect("a record"));
    assert!(
        matches!(said[0], Said::Credit { flags: 0, alias, .. } if alias == own),
        "{:?}",
        said[0]
    );
    scene.core.handle_backpressure();
    scene.core.reset(channel, ErrorCode(99));
    let next = scene
        .core
        .poll_record(scene.now)
        .map(|r| r.as_slice().to_vec());
    let said = harness::frames_mux::read(&next.expect("a record"));
    assert!(
        matches!(said[0], Said::Reset { code: 99, .. }),
        "{:?}",
        said[0]
    );
    let late = |s: &Said| matches!(s, Said::Data { alias, .. } if *alias == own);
    assert!(
        !scene.said().iter().any(late),
        "data of an aborted channel is not sent"
    );
}
