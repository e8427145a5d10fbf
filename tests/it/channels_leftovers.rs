//! What is left where halves, claims and offers have ended: credit, places, turns.

use harness::frames_mux::{Put, Said, flag};
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelSendError, Direction, ErrorCode, Mode, OpenOptions,
};

use super::channels_hostile_kit::{Scene, Told, UPLINK, ms};

fn payloads(said: &[Said]) -> Vec<&[u8]> {
    let data = said.iter().map(|said| match said {
        Said::Data { payload, .. } => payload.as_slice(),
        other => panic!("{other:?}"),
    });
    data.collect()
}

/// A sender that says BLOCKED with a limit that is no longer the last is told the last again.
#[test]
fn who_waits_at_an_old_limit_is_told_the_new_one() {
    let mut scene = Scene::new();
    let window = u64::from(ChannelConfig::default().channel_window_bytes);
    scene.opened_as(0, UPLINK, 0);
    let limit = |said: &[Said]| {
        said.iter().find_map(|s| match s {
            Said::Credit { limit, .. } => Some(*limit),
            _ => None,
        })
    };
    let mut told = None;
    while told.is_none() {
        scene.put(Put::new().data(0, 0, &[0; 10_000]));
        told = limit(&scene.said());
    }
    assert!(told > Some(window));
    scene.put(Put::new().blocked(0, window));
    assert_eq!(limit(&scene.said()), told);
    // And one that waits at the last limit is told what is owed, if it is little.
    scene.put(Put::new().data(0, 0, &[0; 936]));
    assert_eq!(limit(&scene.said()), None);
    scene.put(Put::new().blocked(0, told.expect("a limit")));
    assert_eq!(limit(&scene.said()), told.map(|limit| limit + 1000));
}

/// Data under an alias that was rejected was sent before the peer knew: it is dropped, however much
/// it is, and nothing is granted for it.
#[test]
fn data_under_a_rejected_alias_is_dropped() {
    let mut scene = Scene::new();
    scene.accepts = false;
    let channel = scene.offered(Put::new().open(0, 0, 50_000, 30_000, &[]));
    scene.core.reject(channel, ErrorCode(7));
    scene.said();
    for record in [
        Put::new().data(0, 0, &[0; 10_000]),
        Put::new().data(flag::FIN, 0, &[0; 100]),
        Put::new().data(flag::FIN, 0, &[]),
        Put::new().run(0, 100, 100, &[0; 10_000]),
        Put::new().give_back(0, 1 << 30),
    ] {
        for _ in 0..20 {
            assert_eq!(scene.put(record.clone()), []);
            assert_eq!(scene.said(), []);
        }
    }
    let stats = scene.core.stats();
    assert_eq!((stats.held_bytes, stats.receive_aside_bytes), (0, 0));
}

/// A peer that sends no more on its half before it is answered still gets ours.
#[test]
fn half_an_offer_is_an_offer() {
    let mut scene = Scene::new();
    scene.accepts = false;
    let channel = scene.offered(Put::new().open(0, 0, 50_000, 30_000, &[]));
    let told = scene.put(Put::new().reset(flag::ABORT, 0, 5));
    assert_eq!(told, [Told::Aborted(channel, ErrorCode(5))]);
    assert_eq!(scene.core.accept(channel, Default::default()), Ok(()));
    scene.core.send(channel, b"answer").expect("room");
    let said = scene.said();
    assert!(
        matches!(&said[..], [Said::Accept { .. }, .., Said::Data { payload, .. }] if payload == b"answer"),
        "{said:?}"
    );
}

/// Ours that was over before the peer answered keeps its place until it does.
#[test]
fn a_channel_that_is_let_go_of_waits_for_its_answer() {
    let mut scene = Scene::new();
    let options = || OpenOptions::new("a").direction(Direction::OpenerSends);
    let channel = scene.core.open(options()).expect("opened");
    let said = scene.said();
    let [Said::Open { alias, .. }] = said[..] else {
        panic!("{said:?}")
    };
    scene.core.let_go(channel, ErrorCode::NO_ERROR);
    let said = scene.said();
    assert!(matches!(said[..], [Said::Reset { .. }]), "{said:?}");
    scene.core.open(options()).expect("opened");
    let said = scene.said();
    assert!(
        matches!(said[..], [Said::Open { alias: next, .. }] if next != alias),
        "{said:?}"
    );
    assert_eq!(scene.put(Put::new().accept(alias, 0, 9000, 9000, &[])), []);
    assert_eq!(scene.core.failure(), None);
}

/// Two wait for room in all queues; one of them ends, and the other is told of room.
#[test]
fn who_waits_beside_one_that_ends_is_told() {
    let config = ChannelConfig::default()
        .connection_queue_bytes_max(4096)
        .channel_queue_bytes_max(4096);
    let mut scene = Scene::greeted(config, &[(7, 50)]);
    let [full, one, two] = [0, 1, 2].map(|alias| {
        let options = OpenOptions::new("c");
        scene.open_ours(options, alias, 50).0
    });
    scene.core.send(full, &[0; 3900]).expect("queued");
    for channel in [one, two] {
        scene.core.send(channel, &[0; 50]).expect("one is taken");
        let waits = scene.core.send(channel, &[0; 50]);
        assert_eq!(waits, Err(ChannelSendError::WouldBlock));
    }
    scene.core.let_go(one, ErrorCode::NO_ERROR);
    scene.put(Put::new().reset(flag::ABORT | flag::STOP, 1, 0));
    scene.said();
    scene.core.reset(full, ErrorCode::NO_ERROR);
    let writable: Vec<_> = std::iter::from_fn(|| scene.core.poll_writable()).collect();
    assert!(writable.contains(&two), "{writable:?}");
}

/// The end of a channel's data is no occasion to tell credit for it.
#[test]
fn no_credit_is_told_for_what_came_with_the_end() {
    let mut scene = Scene::new();
    // Our half goes on.
    scene.opened(0, 50_000);
    for _ in 0..4 {
        scene.put(Put::new().data(0, 0, &[0; 15_000]));
    }
    scene.put(Put::new().data(flag::FIN, 0, b""));
    assert_eq!(scene.said(), []);
}

/// Bytes of a claim that was leaked do not stay behind what was sent.
#[test]
fn an_open_claim_that_was_leaked_is_forgotten_when_all_is_sent() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 1 << 20);
    scene.core.hold_back();
    scene.core.send(channel, b"first").expect("queued");
    let claim = scene.core.claim(channel, 100).expect("room");
    #[expect(clippy::mem_forget, reason = "what is leaked is what is looked at")]
    std::mem::forget(claim);
    assert_eq!(payloads(&scene.said()), [b"first"]);
    scene.core.hold_back();
    scene.core.send(channel, b"second").expect("queued");
    assert_eq!(payloads(&scene.said()), [b"second"]);
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

/// An alias that was chosen for an ACCEPT which fits no record any more is free again.
#[test]
fn an_alias_of_an_answer_that_fits_no_record_is_free_again() {
    let config = ChannelConfig::default()
        .shared_aliases(8)
        .metadata_bytes_max(3000);
    let mut scene = Scene::greeted(config, &[]);
    scene.accepts = false;
    let told = scene.put(Put::new().open(0, 0, 50_000, 30_000, &[]));
    let [Told::Open(channel)] = told[..] else {
        panic!("{told:?}")
    };
    let accept = AcceptOptions::new().alias(3).metadata(vec![1; 3000]);
    assert_eq!(scene.core.accept(channel, accept), Ok(()));
    scene.core.limit_records(2000);
    let said = scene.said();
    assert!(matches!(said[..], [Said::Reject { .. }]), "{said:?}");
    assert_eq!(scene.events(), [Told::Rejected(channel, ErrorCode::LIMIT)]);
    assert!(scene.core.open(OpenOptions::new("a").alias(3)).is_ok());
}

/// What has died is not counted as queued any more, and what is younger is.
#[test]
fn of_a_queue_that_dies_in_part_the_rest_is_counted() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, 70)]);
    let options = OpenOptions::new("t").mode(Mode::Ttl(ms(10)));
    let channel = scene.open_ours(options, 0, 70).0;
    scene.core.send(channel, &[0; 3000]).expect("queued");
    scene.now = scene.now.after(ms(6));
    scene.core.tell_time(scene.now);
    scene.core.send(channel, &[0; 500]).expect("queued");
    let young = scene
        .core
        .channel_stats(channel)
        .expect("open")
        .queued_bytes
        - 3000;
    scene.now = scene.now.after(ms(6));
    scene.core.tell_time(scene.now);
    scene.said();
    let queued = scene.core.stats().queued_bytes;
    assert!((500..600).contains(&queued), "{queued} of {young}");
    scene.core.let_go(channel, ErrorCode::NO_ERROR);
    scene.put(Put::new().reset(flag::ABORT | flag::STOP, 0, 0));
    scene.said();
    assert_eq!(scene.core.stats().channels, 0);
    assert_eq!(scene.core.stats().skipped_out, 1);
}

/// The last of a run needs no more credit than it takes.
#[test]
fn a_short_run_goes_with_little_credit() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, 1000)]);
    let channel = scene.open_ours(OpenOptions::new("r"), 0, 1000).0;
    for len in [800, 50] {
        scene.core.hold_back();
        assert_eq!(scene.core.send_run(channel, 10, &vec![0; len]), Ok(()));
        let said = scene.said();
        assert!(
            matches!(&said[..], [Said::Run { bytes, .. }] if bytes.len() == len),
            "{said:?}"
        );
    }
}

/// A run that is longer than the window goes in pieces of a fragment or more.
#[test]
fn a_run_longer_than_the_window_goes_in_pieces() {
    let mut scene = Scene::new();
    let channel = scene.open_ours(OpenOptions::new("r"), 0, 65_536).0;
    let queued = scene.core.send_run(channel, 100, &[0; 200_000]);
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
