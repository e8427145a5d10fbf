//! Faults that readers of the core found, each as the shortest session that shows it.

use std::time::Duration;

use harness::frames_mux::{Put, Said, flag, hello};
use tickwire::channels::{AcceptOptions, Code, Config, Event, Mode, OpenError, OpenOptions, Unit};

use super::channels_hostile_kit::{Scene, Told, UPLINK, failed, ms};

/// Every GOAWAY was looked at against all channels, thousands to a record.
#[test]
fn goaways_without_end_are_calmed() {
    let mut scene = Scene::new();
    scene.opened(0, 60_000);
    for _ in 0..10 {
        let told = scene.put(Put::new().goaway(0, 0, ""));
        assert_eq!(told, [Told::Draining(Code::NO_ERROR)]);
    }
    let told = scene.put(Put::new().goaway(0, 0, ""));
    assert_eq!(failed(&told), Some(Code::CALM));
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
    let mut scene = Scene::greeted(Config::default(), &least);
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
    assert_eq!(scene.events(), [Told::Rejected(channel, Code::LIMIT)]);

    // Before the peer's limits are known it is found out later.
    let mut scene = Scene::silent(Config::default());
    let wide = OpenOptions::new("topic").metadata(metadata);
    let channel = scene.core.open(wide).expect("nothing is known yet");
    let other = scene.core.open(OpenOptions::new("other")).expect("opened");
    let mut told = scene.put(hello(&least));
    let said = scene.said();
    told.extend(scene.events());
    assert!(
        told.contains(&Told::Rejected(channel, Code::REFUSED)),
        "{told:?}"
    );
    assert!(
        said.iter().any(|s| matches!(s, Said::Open { .. })),
        "{said:?}"
    );
    assert!(scene.core.channel_stats(other).is_some());
}

fn wide_windows() -> Config {
    Config {
        channel_window_bytes: 1 << 20,
        auto_tune: false,
        reserve_bytes: 0,
        ..Config::default()
    }
}

/// What the connection's window has room for again was told only when much of it was, though the
/// peer had said that it waits.
#[test]
fn who_waits_for_the_connection_s_credit_is_told_all_there_is() {
    let mut scene = Scene::greeted(wide_windows(), &[]);
    scene.opened_as(0, UPLINK, 0);
    scene.opened_as(1, UPLINK, 0);
    scene.reads = false;
    for _ in 0..60 {
        scene.put(Put::new().data(0, 0, &[0; 10_000]));
    }
    let used = 60 * 10_064;
    // 500 kB are to go, and 444,736 are left.
    scene.wait(ms(500));
    scene.put(Put::new().blocked_all(1 << 20));
    assert_eq!(scene.said(), [], "nothing is owed");
    for (channel, charge) in scene.kept.drain(..8) {
        scene.core.release(channel, charge);
    }
    let said = scene.said();
    let limit = said.iter().find_map(|said| match said {
        Said::Credit {
            flags: flag::CONN,
            limit,
            ..
        } => Some(*limit),
        _ => None,
    });
    assert!(
        limit.is_some_and(|limit| limit - used >= 508_000),
        "{said:?}"
    );
}

/// A channel was accepted whose messages the window, held by stalled readers, had no room for:
/// that nothing more came kept them from being found.
#[test]
fn a_channel_that_finds_no_room_ends_the_stall_of_others() {
    let mut scene = Scene::greeted(
        Config {
            auto_tune: false,
            reserve_bytes: 0,
            ..Config::default()
        },
        &[],
    );
    scene.reads = false;
    let mut hogs = Vec::new();
    for alias in 0..10 {
        hogs.push(scene.opened_as(alias, UPLINK, 0));
        for _ in 0..6 {
            scene.put(Put::new().data(0, alias, &[0; 10_000]));
        }
    }
    assert_eq!(scene.wait(Duration::from_secs(20)), [], "half is free");
    scene.accepts = false;
    let channel = scene.offered(Put::new().open(20, UPLINK, 0, 30_000, &[]));
    let large = AcceptOptions::new()
        .window(1 << 20)
        .message_bytes_max(500_000);
    assert_eq!(scene.core.accept(channel, large), Ok(()));
    scene.said();
    let told = scene.wait(Duration::from_secs(6));
    let evicted = |t: &Told| matches!(t, Told::Evicted(c, Code::STALLED) if hogs.contains(c));
    assert!(told.iter().any(evicted), "{told:?}");
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
    scene.core.let_go(channel, Code::NO_ERROR);
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
    scene.core.let_go(channel, Code::NO_ERROR);
    let own = own.expect("an OPEN");
    assert_eq!(scene.put(Put::new().accept(own, 9, 60_000, 1000, &[])), []);
    scene.said();
    assert_eq!(scene.events(), []);
}

/// A channel that began to wait for the connection's credit before the next look at the clock was
/// taken for one that had waited, and had said so.
#[test]
fn who_waits_anew_says_so_anew() {
    let mut scene = Scene::greeted(Config::default(), &[(6, 100_000), (7, 100_000)]);
    let first = scene.open_ours(OpenOptions::new("a"), 0, 1 << 20).0;
    let second = scene.open_ours(OpenOptions::new("b"), 1, 1 << 20).0;
    let blocked = |said: &[Said]| {
        let of_all = |s: &&Said| matches!(s, Said::Credit { flags, .. } if flags & (flag::CONN | flag::BLOCKED) == flag::CONN | flag::BLOCKED);
        said.iter().filter(of_all).count()
    };
    for _ in 0..5 {
        scene.core.send(first, &[0; 20_000]).expect("queued");
    }
    scene.said();
    scene.wait(ms(800));
    assert_eq!(blocked(&scene.said()), 1);
    // Reset, it waits no more; another one does, at once.
    scene.core.reset(first, Code::NO_ERROR);
    scene.said();
    for _ in 0..5 {
        scene.core.send(second, &[0; 20_000]).expect("queued");
    }
    scene.said();
    scene.wait(ms(800));
    assert_eq!(blocked(&scene.said()), 1);
}

/// A channel that was rejected while it waited for the connection's credit went on being waited for.
#[test]
fn who_is_rejected_waits_for_nothing() {
    let mut scene = Scene::greeted(Config::default(), &[(6, 20_000)]);
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
    assert_eq!(rejected, [Told::Rejected(channel, Code(3))]);
    scene.said();
    for _ in 0..4 {
        scene.wait(ms(1000));
        let said = scene.said();
        assert!(said.iter().all(|s| matches!(s, Said::Ping(_))), "{said:?}");
    }
    let next = scene.core.poll_timeout().expect("alive");
    assert!(next.0 > scene.now.0 + 1_000_000_000, "nothing is swept for");
}

/// A window that was widened meanwhile is not low any more, and nobody is stopped for it.
#[test]
fn a_window_that_was_widened_ends_the_stall() {
    let mut scene = Scene::greeted(
        Config {
            reserve_bytes: 0,
            ..Config::default()
        },
        &[],
    );
    let config = Config::default();
    let (window, cost) = (u64::from(config.connection_window_bytes), 10_064);
    scene.opened_as(50, UPLINK, 0);
    // A round trip of a second, within two of which half of the window is consumed.
    scene.core.ping();
    let said = scene.said();
    scene.wait(ms(1000));
    for said in &said {
        if let Said::Ping(value) = said {
            scene.put(Put::new().pong(*value));
        }
    }
    scene.reads = false;
    let mut used = 0;
    for alias in 0..20 {
        scene.opened_as(alias, UPLINK, 0);
        for _ in 0..6 {
            if used + cost <= window * 4 / 5 {
                scene.put(Put::new().data(0, alias, &[0; 10_000]));
                used += cost;
            }
        }
    }
    // Half is read: it is told, and the window doubles; as much is held again.
    for (channel, charge) in scene.kept.drain(..45) {
        scene.core.release(channel, charge);
    }
    scene.said();
    assert_eq!(scene.wait(Duration::from_secs(20)), []);
}

/// An eviction was told of a channel that the application had let go of when it heard of another.
#[test]
fn nothing_waits_to_be_told_of_a_channel_that_was_let_go_of() {
    let mut scene = Scene::new();
    let channels = [scene.opened(0, 60_000), scene.opened(1, 60_000)];
    for alias in [0, 1] {
        scene.put(Put::new().data(flag::MORE, alias, &[0; 9000]));
    }
    let partial_timeout = Config::default().partial_timeout;
    scene.now = scene.now.after(partial_timeout * 2);
    scene.core.handle_timeout(scene.now);
    let first = scene.core.poll_event();
    assert!(
        matches!(first, Some(Event::Evicted { channel, .. }) if channel == channels[0]),
        "{first:?}"
    );
    scene.core.let_go(channels[1], Code::NO_ERROR);
    assert!(scene.core.poll_event().is_none());

    // Nor that it may be sent on.
    let config = Config {
        channel_queue_bytes_max: 1024,
        ..Config::default()
    };
    let mut scene = Scene::greeted(config, &[]);
    let (channel, _) = scene.open_ours(OpenOptions::new("c"), 0, 1 << 20);
    scene.core.hold_back();
    while scene.core.send(channel, &[0; 500]) == Ok(()) {}
    while scene.core.poll_record(scene.now).is_some() {}
    scene.core.let_go(channel, Code::NO_ERROR);
    assert_eq!(scene.core.poll_writable(), None);
}
