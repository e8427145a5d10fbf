//! Shared frames: one encoded frame for many connections, lent as a record or copied.

use harness::frames_mux::{Put, Said, flag};
use tickwire::channels::{Mode, OpenOptions, Record, SharedFrame, Unit};

use super::scripted_peer::{Scene, data, ms, payloads, shared_aliases};
use super::small_queues::{OVERHEAD, accounts, config, ours};

/// A shared frame is lent as a record if credit covers it.
#[test]
fn a_shared_frame_is_lent_when_credit_covers_it() {
    let cost = 2000 + OVERHEAD;
    let frame = SharedFrame::new(5, &[7; 2000]).expect("a frame");
    for unit in [Unit::Bytes, Unit::Messages] {
        // The limit, and the CREDIT that is missing.
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

/// A shared frame that cannot be a record is sent as a copy.
#[test]
fn a_shared_frame_that_cannot_be_a_record_is_copied() {
    // The alias of the frame, its payload, the record limit of the peer, and whether the frame is
    // lent.
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

/// FIN and a count of skipped messages change the header of the frame, so it is not lent.
#[test]
fn a_shared_frame_with_fin_or_a_skip_is_copied() {
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
    scene.core.handle_backpressure();
    scene.core.send(channel, b"old").expect("queued");
    scene.wait(ms(10));
    // The record has no room for the shared frame when the old message is dropped.
    scene.core.handle_backpressure();
    scene.core.send(first, [1; 9900]).expect("queued");
    let queued = scene.core.send_shared(channel, &frame);
    assert_eq!(queued, Ok(()));
    let said = scene.said();
    let skips = said.iter().map(|said| match said {
        Said::Data { skip, payload, .. } => (*skip, payload.len()),
        other => panic!("{other:?}"),
    });
    assert_eq!(skips.collect::<Vec<_>>(), [(0, 9900), (1, 9000)]);
}

/// A frame that was encoded for another alias is sent with the alias of the channel.
#[test]
fn a_shared_frame_for_another_alias_is_encoded_again() {
    for len in [10, 2000] {
        let mut scene = Scene::greeted(shared_aliases(), &[]);
        let (channel, own) = scene.open_ours(OpenOptions::new("x").alias(2), 2, 1 << 20);
        let frame = SharedFrame::new(3, &vec![0; len]).expect("a frame");
        scene.core.handle_backpressure();
        assert_eq!(scene.core.send_shared(channel, &frame), Ok(()));
        assert_eq!(data(&scene.said()), [(own, 0, len)]);
    }
}
