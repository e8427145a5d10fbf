//! Aliases: who chooses an alias, how long it is in use, and when it is free again.

use allocation_counter::measure;
use harness::channels::open::Wanted;
use harness::frames_mux::{MAX62, Put, Said, flag, hello};
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelSendError, Direction, ErrorCode, OpenError, OpenOptions,
};

use super::scripted_peer::{DOWNLINK, Scene, Told, UPLINK, failed, shared_aliases};
use super::simulation::{config, ready};

/// The peer reuses an alias when its channel has ended. Late frames of the ended channel do no harm
/// to the new one.
#[test]
fn an_alias_of_the_peer_is_reused_after_its_channel_ends() {
    let mut scene = Scene::new();
    let first = scene.opened_as(0, UPLINK, 0);
    scene.put(Put::new().data(0, 0, b"old").data(flag::FIN, 0, b""));
    // Late frames of the ended channel.
    let late = Put::new()
        .credit(0, 99)
        .reset(flag::ABORT | flag::STOP, 0, 9);
    assert_eq!(scene.put(late), []);
    scene.core.close_channel(first, ErrorCode::NO_ERROR);
    assert_eq!(scene.said(), []);
    // The new channel numbers its messages from 0.
    let second = scene.opened_as(0, UPLINK, 0);
    assert_ne!(first, second);
    let told = scene.put(Put::new().data(0, 0, b"new"));
    let new = Told::Message {
        channel: second,
        data: b"new".to_vec(),
        seq: 0,
        skipped: 0,
    };
    assert_eq!(told, [new]);
    // An OPEN of an alias in use is a violation.
    let told = scene.put(Put::new().open(0, 0, 9, 9, b""));
    assert_eq!(failed(&told), Some(ErrorCode::PROTOCOL));
    // Data of an ended channel is a violation: the sender knew of the end.
    let mut scene = Scene::new();
    scene.opened_as(0, UPLINK, 0);
    scene.put(Put::new().data(flag::FIN, 0, b"end"));
    assert_eq!(
        failed(&scene.put(Put::new().data(0, 0, b"x"))),
        Some(ErrorCode::PROTOCOL)
    );
}

/// The core reuses its own alias only when both halves have ended and the peer knows it.
#[test]
fn a_local_alias_is_reused_only_after_both_halves_end() {
    let mut scene = Scene::new();
    let (first, own) = scene.open_ours(OpenOptions::new("a"), 3, 60_000);
    scene.core.finish_sending(first).expect("open");
    scene.said();
    let (_, second) = scene.open_ours(OpenOptions::new("b"), 4, 60_000);
    assert_ne!(own, second, "the peer's half of the first goes on");
    scene.put(Put::new().data(flag::FIN, 3, b""));
    let (_, third) = scene.open_ours(OpenOptions::new("c"), 5, 60_000);
    assert_eq!(own, third);
    // The channel is let go of before the answer. The answer frees the alias.
    let fourth = scene.core.open(OpenOptions::new("d")).expect("opened");
    let said = scene.said();
    let [Said::Open { alias, .. }] = said[..] else {
        panic!("{said:?}")
    };
    scene.core.close_channel(fourth, ErrorCode::NO_ERROR);
    scene.said();
    scene.put(Put::new().data(0, 4, b"x"));
    let (_, fifth) = scene.open_ours(OpenOptions::new("e"), 6, 60_000);
    assert_ne!(alias, fifth);
    assert_eq!(scene.put(Put::new().reject(alias, 7)), []);
    let (_, sixth) = scene.open_ours(OpenOptions::new("f"), 7, 60_000);
    assert_eq!(alias, sixth);
}

/// The table of aliases grows up to the announced number of aliases, and no further.
#[test]
fn the_alias_table_is_as_large_as_announced() {
    let config = || ChannelConfig::default().aliases_max(1 << 20);
    for (config, alias) in [(ChannelConfig::default(), 4095), (config(), (1 << 20) - 1)] {
        let mut scene = Scene::greeted(config, &[]);
        let memory = measure(|| {
            scene.opened_as(alias, DOWNLINK, 9);
        });
        let table = (alias + 1) * 4;
        assert!(memory.bytes_max <= table + 4096, "{memory:?}");
        let memory = measure(|| {
            let told = scene.put(Put::new().open(alias + 1, 0, 9, 9, b""));
            assert_eq!(failed(&told), Some(ErrorCode::PROTOCOL));
        });
        assert!(memory.bytes_max <= 4096, "{memory:?}");
    }
    for frame in [
        Put::new().data(0, 4096, b"x"),
        Put::new().credit(4096, 9),
        Put::new().accept(0, 4096, 9, 9, b""),
        Put::new().reset(flag::STOP, MAX62, 9),
    ] {
        let mut scene = Scene::new();
        let options = OpenOptions::new("x").direction(Direction::OpenerSends);
        scene.core.open(options).expect("opened");
        scene.said();
        assert_eq!(failed(&scene.put(frame)), Some(ErrorCode::PROTOCOL));
    }
}

/// An alias that the application chose is free again if its channel ends before the peer hears of
/// it.
#[test]
fn a_chosen_alias_is_free_when_its_channel_ends_unannounced() {
    let mut scene = Scene::greeted(shared_aliases(), &[]);
    let options = || OpenOptions::new("a").alias(3);
    let channel = scene.core.open(options()).expect("opened");
    let taken = scene.core.open(options());
    assert!(matches!(taken, Err(OpenError::Options(_))), "{taken:?}");
    scene.core.close_channel(channel, ErrorCode::NO_ERROR);
    assert_eq!(scene.said(), []);
    let again = scene.core.open(options()).expect("free again");
    scene.core.close_channel(again, ErrorCode::NO_ERROR);

    scene.accepts = false;
    let channel = scene.offered(Put::new().open(0, 0, 50_000, 30_000, &[]));
    let accepted = scene.core.accept(channel, AcceptOptions::new().alias(3));
    assert_eq!(accepted, Ok(()));
    let taken = scene.core.open(options());
    assert!(matches!(taken, Err(OpenError::Options(_))), "{taken:?}");
    let said = scene.said();
    assert!(
        matches!(
            said[..],
            [Said::Accept {
                peer_alias: 0,
                alias: 3,
                ..
            }]
        ),
        "{said:?}"
    );

    // The channel is accepted, and both ends give it up before ACCEPT is sent.
    let channel = scene.offered(Put::new().open(1, 0, 50_000, 30_000, &[]));
    let accepted = scene.core.accept(channel, AcceptOptions::new().alias(4));
    assert_eq!(accepted, Ok(()));
    scene.core.close_channel(channel, ErrorCode::NO_ERROR);
    scene.put(Put::new().reset(flag::STOP | flag::ABORT, 1, 0));
    scene.said();
    let opened = scene.core.open(OpenOptions::new("a").alias(4));
    assert!(opened.is_ok(), "{opened:?}");
}

/// An alias that was chosen for an ACCEPT is free again if that ACCEPT no longer fits a record.
#[test]
fn an_alias_is_free_when_its_accept_fits_no_record() {
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

/// Data under a rejected alias was sent before the peer knew of the REJECT. The core drops all of
/// it and grants no credit for it.
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
    assert_eq!((stats.held_bytes, stats.receive_reserved_bytes), (0, 0));
}

/// An alias that the application chooses must be below its own limit and below the limit of the
/// peer, and must not be in use.
#[test]
fn a_chosen_alias_is_unused_and_below_both_limits() {
    let config = ChannelConfig::default().shared_aliases(4);
    let mut scene = Scene::greeted(config, &[(5, 3)]);
    let open = |scene: &mut Scene, alias| scene.core.open(OpenOptions::new("a").alias(alias));
    for wrong in [3, 4, 1 << 20] {
        let refused = open(&mut scene, wrong);
        assert!(
            matches!(refused, Err(OpenError::Options(_))),
            "{wrong}: {refused:?}"
        );
    }
    let channel = open(&mut scene, 2).expect("opened");
    assert!(open(&mut scene, 2).is_err(), "it is in use");
    assert!(matches!(scene.said()[..], [Said::Open { alias: 2, .. }]));
    scene.put(Put::new().reject(2, 1));
    scene.core.close_channel(channel, ErrorCode::NO_ERROR);
    assert!(open(&mut scene, 2).is_ok(), "it is free again");
}

/// An alias that was chosen before HELLO is refused if it is above the limit in HELLO.
#[test]
fn an_alias_chosen_before_hello_is_checked_when_hello_arrives() {
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

/// The application accepts a channel, but the peer has no alias left for it. The channel is
/// rejected, and the application gets an event.
#[test]
fn a_channel_is_rejected_when_the_peer_has_no_alias_left() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(5, 1)]);
    scene.opened(0, 60_000);
    let told = scene.put(Put::new().open(1, 0, 60_000, 30_000, &[]));
    let [Told::Open(second)] = told[..] else {
        panic!("{told:?}")
    };
    let _ = scene.core.send(second, [1; 2000]);
    assert!(matches!(
        scene.said()[..],
        [Said::Reject {
            peer_alias: 1,
            code: 4,
            ..
        }]
    ));
    assert_eq!(scene.events(), [Told::Rejected(second, ErrorCode::LIMIT)]);
    assert_eq!(scene.core.stats().queued_bytes, 0);
    assert_eq!(
        scene.core.send(second, b"x"),
        Err(ChannelSendError::Rejected(ErrorCode::LIMIT))
    );
}

/// Fragments of a message have arrived when its channel gets no alias. Their memory is released.
#[test]
fn fragments_are_released_when_a_channel_gets_no_alias() {
    let few = config(|c| {
        (c.aliases_max, c.channels_max) = (3, 2);
        c.record_bytes_max = 1024;
        c.metadata_bytes_max = 64;
    });
    let mut sim = ready([few, ChannelConfig::default()]);
    // End 0 takes three aliases of end 1. Two of them belong to channels that end 1 opens.
    sim.eager = true;
    for _ in 0..2 {
        assert!(sim.open(1, &Wanted::default()).is_some());
    }
    sim.flush();
    sim.eager = false;
    let last = [(); 2].map(|()| sim.open(0, &Wanted::default()).expect("a place"));
    sim.flush();
    // Records of end 0 are large and those of end 1 are small: a part of a message is on its way.
    sim.send(0, last[1], 0, 30_000);
    sim.poll(0);
    sim.deliver(0);
    let held = sim.ends[1].stats().held_bytes;
    assert!(held > 10_000, "a part of a message is there: {held}");
    for link in last {
        sim.accept(1, link, AcceptOptions::new());
    }
    sim.poll(1);
    sim.flush();
    assert!(!sim.links[last[1]].accepted, "there is no alias for it");
    sim.release_all(1, last[1]);
    sim.drain_readers();
    assert_eq!(sim.ends[1].stats().held_bytes, 0);
}
