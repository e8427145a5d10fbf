//! Aliases: who chooses them, how long each is in use, and when it is free again.

use allocation_counter::measure;
use harness::channels::open::Wanted;
use harness::frames_mux::{MAX62, Put, Said, flag, hello};
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelSendError, Direction, ErrorCode, OpenError, OpenOptions,
};

use super::scripted_peer::{DOWNLINK, Scene, Told, UPLINK, failed, shared_aliases};
use super::simulation::{config, ready};

/// R24: an alias has one life at a time; what comes late from the last one does no harm.
#[test]
fn t24_aliases_are_used_again() {
    let mut scene = Scene::new();
    let first = scene.opened_as(0, UPLINK, 0);
    scene.put(Put::new().data(0, 0, b"old").data(flag::FIN, 0, b""));
    // Late words about the last life.
    let late = Put::new()
        .credit(0, 99)
        .reset(flag::ABORT | flag::STOP, 0, 9);
    assert_eq!(scene.put(late), []);
    scene.core.let_go(first, ErrorCode::NO_ERROR);
    assert_eq!(scene.said(), []);
    // The next life counts from the beginning, and has nothing of the last.
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
    // At once is too soon.
    let told = scene.put(Put::new().open(0, 0, 9, 9, b""));
    assert_eq!(failed(&told), Some(ErrorCode::PROTOCOL));
    // Data of a life that is over is not late, but wrong.
    let mut scene = Scene::new();
    scene.opened_as(0, UPLINK, 0);
    scene.put(Put::new().data(flag::FIN, 0, b"end"));
    assert_eq!(
        failed(&scene.put(Put::new().data(0, 0, b"x"))),
        Some(ErrorCode::PROTOCOL)
    );
}

/// R24: our own aliases rest until the peer knows of both ends.
#[test]
fn t24_our_aliases_rest_until_both_halves_are_over() {
    let mut scene = Scene::new();
    let (first, own) = scene.open_ours(OpenOptions::new("a"), 3, 60_000);
    scene.core.finish_sending(first).expect("open");
    scene.said();
    let (_, second) = scene.open_ours(OpenOptions::new("b"), 4, 60_000);
    assert_ne!(own, second, "the peer's half of the first goes on");
    scene.put(Put::new().data(flag::FIN, 3, b""));
    let (_, third) = scene.open_ours(OpenOptions::new("c"), 5, 60_000);
    assert_eq!(own, third);
    // Given up before the answer: it is the peer's answer that frees the alias.
    let fourth = scene.core.open(OpenOptions::new("d")).expect("opened");
    let said = scene.said();
    let [Said::Open { alias, .. }] = said[..] else {
        panic!("{said:?}")
    };
    scene.core.let_go(fourth, ErrorCode::NO_ERROR);
    scene.said();
    scene.put(Put::new().data(0, 4, b"x"));
    let (_, fifth) = scene.open_ours(OpenOptions::new("e"), 6, 60_000);
    assert_ne!(alias, fifth);
    assert_eq!(scene.put(Put::new().reject(alias, 7)), []);
    let (_, sixth) = scene.open_ours(OpenOptions::new("f"), 7, 60_000);
    assert_eq!(alias, sixth);
}

/// R31: a table by alias, as long as was announced and no longer.
#[test]
fn t32_the_highest_alias() {
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

/// An alias that was chosen is free again, also where its channel ends before the peer was told.
#[test]
fn an_alias_that_was_never_announced_is_free_again() {
    let mut scene = Scene::greeted(shared_aliases(), &[]);
    let options = || OpenOptions::new("a").alias(3);
    let channel = scene.core.open(options()).expect("opened");
    let taken = scene.core.open(options());
    assert!(matches!(taken, Err(OpenError::Options(_))), "{taken:?}");
    scene.core.let_go(channel, ErrorCode::NO_ERROR);
    assert_eq!(scene.said(), []);
    let again = scene.core.open(options()).expect("free again");
    scene.core.let_go(again, ErrorCode::NO_ERROR);

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

    // Accepted, and the connection's end comes first.
    let channel = scene.offered(Put::new().open(1, 0, 50_000, 30_000, &[]));
    let accepted = scene.core.accept(channel, AcceptOptions::new().alias(4));
    assert_eq!(accepted, Ok(()));
    scene.core.let_go(channel, ErrorCode::NO_ERROR);
    scene.put(Put::new().reset(flag::STOP | flag::ABORT, 1, 0));
    scene.said();
    let opened = scene.core.open(OpenOptions::new("a").alias(4));
    assert!(opened.is_ok(), "{opened:?}");
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

/// Aliases that the application chooses: below its own bound and the peer's, each once at a time.
#[test]
fn an_alias_that_is_chosen_is_free_and_in_bounds() {
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
    scene.core.let_go(channel, ErrorCode::NO_ERROR);
    assert!(open(&mut scene, 2).is_ok(), "it is free again");
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

/// A channel that was accepted, but for which the peer has no alias left, ended unheard.
#[test]
fn a_channel_without_an_alias_ends_with_an_event() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(5, 1)]);
    scene.opened(0, 60_000);
    let told = scene.put(Put::new().open(1, 0, 60_000, 30_000, &[]));
    let [Told::Open(second)] = told[..] else {
        panic!("{told:?}")
    };
    let _ = scene.core.send(second, &[1; 2000]);
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
        Err(ChannelSendError::Stopped(ErrorCode::LIMIT))
    );
}

#[test]
fn what_has_come_of_a_message_is_given_back_when_its_channel_finds_no_alias() {
    let few = config(|c| {
        (c.aliases_max, c.channels_max) = (3, 2);
        c.record_bytes_max = 1024;
        c.metadata_bytes_max = 64;
    });
    let mut sim = ready([few, ChannelConfig::default()]);
    // End 0 takes three aliases of end 1's; two are of channels that end 1 opens.
    sim.eager = true;
    for _ in 0..2 {
        assert!(sim.open(1, &Wanted::default()).is_some());
    }
    sim.flush();
    sim.eager = false;
    let last = [(); 2].map(|()| sim.open(0, &Wanted::default()).expect("a place"));
    sim.flush();
    // The records of end 0 are large, those of end 1 small: a part of a message is under way.
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
