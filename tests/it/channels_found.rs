//! Faults that readers of the core found, each as the shortest session that shows it.

use harness::frames_mux::{Put, Said, flag, hello};
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ErrorCode, Event, Mode, OpenError, OpenOptions, Unit,
};

use super::channels_hostile_kit::{Scene, Told, failed, ms};

/// Every GOAWAY was looked at against all channels, thousands to a record.
#[test]
fn goaways_without_end_are_calmed() {
    let mut scene = Scene::new();
    scene.opened(0, 60_000);
    for _ in 0..10 {
        let told = scene.put(Put::new().goaway(0, 0, ""));
        assert_eq!(told, [Told::Draining(ErrorCode::NO_ERROR)]);
    }
    let told = scene.put(Put::new().goaway(0, 0, ""));
    assert_eq!(failed(&told), Some(ErrorCode::CALM));
    // One a second is calm.
    let mut scene = Scene::new();
    scene.opened(0, 60_000);
    for _ in 0..100 {
        scene.wait(ms(1000));
        assert_eq!(failed(&scene.put(Put::new().goaway(0, 0, ""))), None);
    }
}

/// An OPEN or ACCEPT that fits no record of the peer's stood before all other control frames.
#[test]
fn what_fits_no_record_of_the_peer_s_is_refused() {
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
    // Nor does it fit what the layer below takes from now on: the peer is refused instead.
    scene.core.limit_records(900);
    let said = scene.said();
    assert!(matches!(said[..], [Said::Reject { .. }]), "{said:?}");
    assert_eq!(scene.events(), [Told::Rejected(channel, ErrorCode::LIMIT)]);

    // Before the peer's limits are known it is found out later.
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

/// A message that waits for credit of its channel goes as soon as a shorter one of its key, for
/// which there is enough, has taken its place.
#[test]
fn a_shorter_message_of_a_key_goes_where_the_longer_one_waited() {
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
            .send_keyed(channel, 1, &vec![0; len])
            .expect("sent");
        assert!(!scene.said().is_empty());
    }
    assert!(left(&scene) > 564, "{}", left(&scene));
    scene
        .core
        .send_keyed(channel, 2, &[0; 2000])
        .expect("queued");
    assert_eq!(scene.said(), [], "there is no credit for it");
    scene
        .core
        .send_keyed(channel, 2, &[0; 500])
        .expect("queued");
    let said = scene.said();
    assert!(
        matches!(&said[..], [Said::Data { skip: 1, payload, .. }] if payload.len() == 500),
        "{said:?}"
    );
}

/// FIN with the last message was told of a channel that the application had let go of in the
/// message's call.
#[test]
fn nothing_is_told_of_a_channel_that_was_let_go_of() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 60_000);
    let record = Put::new().data(flag::FIN, 0, b"last").0;
    let mut incoming = scene.core.receive(&record, scene.now);
    let told = scene.core.next(&mut incoming);
    assert!(matches!(told, Some(Event::Message(_))), "{told:?}");
    scene.core.let_go(channel, ErrorCode::NO_ERROR);
    assert!(scene.core.next(&mut incoming).is_none());

    // Nor that what it had queued, and finished, is more than the peer's answer takes.
    let channel = scene.core.open(OpenOptions::new("c")).expect("opened");
    let said = scene.said();
    let own = said.iter().find_map(|said| match said {
        Said::Open { alias, .. } => Some(*alias),
        _ => None,
    });
    scene.core.hold_back();
    scene.core.send(channel, &[0; 2000]).expect("queued");
    scene.core.finish_sending(channel).expect("open");
    scene.core.let_go(channel, ErrorCode::NO_ERROR);
    let own = own.expect("an OPEN");
    assert_eq!(scene.put(Put::new().accept(own, 9, 60_000, 1000, &[])), []);
    scene.said();
    assert_eq!(scene.events(), []);
}

/// A channel that was rejected while it waited for credit is waited for no more.
#[test]
fn who_is_rejected_waits_for_nothing() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, 20_000)]);
    let channel = scene.core.open(OpenOptions::new("a")).expect("opened");
    for _ in 0..5 {
        scene.core.send(channel, &[0; 9_000]).expect("queued");
    }
    let said = scene.said();
    let own = said.iter().find_map(|said| match said {
        Said::Open { alias, .. } => Some(*alias),
        _ => None,
    });
    let rejected = scene.put(Put::new().reject(own.expect("an OPEN"), 3));
    assert_eq!(rejected, [Told::Rejected(channel, ErrorCode(3))]);
    scene.said();
    for _ in 0..4 {
        scene.wait(ms(1000));
        let said = scene.said();
        assert!(said.iter().all(|s| matches!(s, Said::Ping(_))), "{said:?}");
    }
    let next = scene.core.poll_timeout().expect("alive");
    assert!(next.0 > scene.now.0 + 1_000_000_000, "nothing is swept for");
}

/// An eviction was told of a channel that the application had let go of when it heard of another.
#[test]
fn nothing_waits_to_be_told_of_a_channel_that_was_let_go_of() {
    let mut scene = Scene::new();
    let channels = [scene.opened(0, 60_000), scene.opened(1, 60_000)];
    for alias in [0, 1] {
        scene.put(Put::new().data(flag::MORE, alias, &[0; 9000]));
    }
    let partial_timeout = ChannelConfig::default().partial_timeout;
    scene.now = scene.now.after(partial_timeout * 2);
    scene.core.handle_timeout(scene.now);
    let first = scene.core.poll_event();
    assert!(
        matches!(first, Some(Event::Evicted { channel, .. }) if channel == channels[0]),
        "{first:?}"
    );
    scene.core.let_go(channels[1], ErrorCode::NO_ERROR);
    assert!(scene.core.poll_event().is_none());

    // Nor that it may be sent on.
    let config = ChannelConfig::default().channel_queue_bytes_max(1024);
    let mut scene = Scene::greeted(config, &[]);
    let (channel, _) = scene.open_ours(OpenOptions::new("c"), 0, 1 << 20);
    scene.core.hold_back();
    while scene.core.send(channel, &[0; 500]) == Ok(()) {}
    while scene.core.poll_record(scene.now).is_some() {}
    scene.core.let_go(channel, ErrorCode::NO_ERROR);
    assert_eq!(scene.core.poll_writable(), None);
}
