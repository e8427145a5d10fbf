//! Who waits, for what, and what ends it: credit that is kept back, passed on or never comes, and
//! messages that die in the queue.

use allocation_counter::measure;
use harness::frames_mux::{Put, Said, flag, profile, tlv, tv};
use tickwire::channels::{
    ChannelConfig, ChannelId, ChannelSendError, ErrorCode, Mode, OpenOptions,
};

use super::channels_hostile_kit::{Scene, Told, UPLINK, failed, ms};

/// The limit of a channel that is told.
fn told_limit(said: &[Said]) -> Option<u64> {
    said.iter().find_map(|said| match said {
        Said::Credit {
            flags: 0, limit, ..
        } => Some(*limit),
        _ => None,
    })
}

/// The application gives back a message, the oldest.
fn release_one(scene: &mut Scene) {
    let (channel, charge) = scene.kept.remove(0);
    scene.core.release(channel, charge);
}

/// A sender that waits, and has said so, is told what is given back later, be it less than what is
/// told unasked: it says so once.
#[test]
fn credit_that_is_given_back_after_blocked_is_told() {
    for (unit, len, count, told) in [
        (profile::MESSAGES, 4, 8, 9),
        (0, 16_000, 4, 65_536 + 16_064),
    ] {
        let mut scene = Scene::new();
        scene.reads = false;
        scene.opened_as(0, UPLINK | unit, 0);
        for _ in 0..count {
            scene.put(Put::new().data(0, 0, &vec![1; len]));
        }
        let limit = if unit == 0 { 65_536 } else { 8 };
        scene.put(Put::new().blocked(0, limit));
        assert_eq!(told_limit(&scene.said()), None);
        release_one(&mut scene);
        assert_eq!(told_limit(&scene.said()), Some(told));
    }
}

/// An application that keeps nearly all of a window for good, and gives back the rest, keeps its
/// sender waiting once, not for every message.
#[test]
fn a_sender_is_not_asked_to_wait_for_each_message() {
    let config = ChannelConfig::default().auto_tune(false);
    for (unit, len, count) in [(profile::MESSAGES, 4, 8), (0, 9936, 6)] {
        let mut scene = Scene::greeted(config.clone(), &[]);
        scene.reads = false;
        scene.opened_as(0, UPLINK | unit, 0);
        for _ in 0..count {
            scene.put(Put::new().data(0, 0, &vec![1; len]));
        }
        let mut limit = if unit == 0 { 65_536 } else { 8 };
        scene.put(Put::new().blocked(0, limit));
        for message in 0..100 {
            release_one(&mut scene);
            let told = told_limit(&scene.said()).unwrap_or(limit);
            assert!(told > limit, "message {message} waits at {limit}");
            limit = told;
            let told = scene.put(Put::new().data(0, 0, &vec![1; len]));
            assert_eq!(failed(&told), None);
        }
        // Who reads all of it again is told by halves and quarters, as before.
        scene.catch_up();
        scene.said();
        scene.reads = true;
        let mut credits = 0;
        for _ in 0..80 {
            scene.put(Put::new().data(0, 0, &vec![1; len]));
            credits += usize::from(told_limit(&scene.said()).is_some());
        }
        assert!(credits <= 80 / 2, "{credits}");
    }
}

/// A channel of ours whose peer grants it `limit` bytes, and no more.
fn stuck(scene: &mut Scene, alias: u64, mode: Mode) -> ChannelId {
    scene
        .open_ours(OpenOptions::new("c").mode(mode), alias, 70)
        .0
}

/// Messages whose time is over make room for new ones, also where the channel gets no turn.
#[test]
fn dead_messages_make_room() {
    let config = ChannelConfig::default().channel_queue_bytes_max(1024);
    for run in [false, true] {
        let mut scene = Scene::greeted(config.clone(), &[(7, 70)]);
        let channel = stuck(&mut scene, 0, Mode::Ttl(ms(10)));
        let send = |scene: &mut Scene| {
            if run {
                scene.core.send_run(channel, 100, &[0; 100])
            } else {
                scene.core.send(channel, &[0; 100])
            }
        };
        while send(&mut scene) == Ok(()) {}
        assert_eq!(send(&mut scene), Err(ChannelSendError::WouldBlock));
        scene.core.tell_time(scene.now.after(ms(1000)));
        assert_eq!(send(&mut scene), Ok(()), "{run}");
        let stats = scene.core.channel_stats(channel).expect("open");
        assert!(stats.skipped_out >= 5, "{stats:?}");
        assert!(scene.core.stats().queued_bytes < 200);
    }
}

/// And give back what they take of all queues together, to channels that wait for that.
#[test]
fn dead_messages_take_no_room_from_others() {
    let config = ChannelConfig::default()
        .connection_queue_bytes_max(4096)
        .channel_queue_bytes_max(4096);
    let mut scene = Scene::greeted(config, &[(7, 70)]);
    let dying = stuck(&mut scene, 0, Mode::Ttl(ms(10)));
    let other = stuck(&mut scene, 1, Mode::Reliable);
    scene.core.send(other, &[0; 100]).expect("queued");
    while scene.core.send(dying, &[0; 100]) == Ok(()) {}
    assert_eq!(
        scene.core.send(other, &[0; 100]),
        Err(ChannelSendError::WouldBlock)
    );
    scene.said();
    assert_eq!(scene.core.poll_writable(), None);
    scene.wait(ms(1000));
    let writable: Vec<_> = std::iter::from_fn(|| scene.core.poll_writable()).collect();
    assert!(writable.contains(&other), "{writable:?}");
    assert_eq!(scene.core.send(other, &[0; 100]), Ok(()));
    // A queue that died later is looked at as well.
    scene.core.send(dying, &[0; 100]).expect("room");
    scene.said();
    scene.wait(ms(1000));
    scene.said();
    assert_eq!(scene.core.stats().queued_bytes, 2 * 164);
    // When nothing of it is left, nothing is looked for.
    scene.core.reset(other, ErrorCode::NO_ERROR);
    scene.said();
    scene.wait(ms(600));
    scene.said();
    let next = scene.core.poll_timeout().expect("alive");
    assert!(next.0 > scene.now.0 + 500_000_000, "nothing is swept for");
}

/// What stood behind a message that has died goes, if credit covers it: a smaller one, or the end.
#[test]
fn what_stands_behind_dead_messages_goes() {
    for fin in [false, true] {
        let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, 70)]);
        let channel = stuck(&mut scene, 0, Mode::Ttl(ms(2000)));
        scene.core.send(channel, &[0; 100]).expect("queued");
        scene.said();
        scene.wait(ms(1000));
        if fin {
            scene.core.finish_sending(channel).expect("open");
        } else {
            scene.core.send(channel, b"small").expect("queued");
        }
        scene.said();
        scene.wait(ms(1500));
        let said = scene.said();
        let goes = said.iter().any(|said| {
            matches!(said, Said::Data { flags, skip: 1, payload, .. }
                if (*flags & flag::FIN != 0) == fin && payload.is_empty() == fin)
        });
        assert!(goes, "{fin}: {said:?}");
    }
}

/// Channels that wait for room in all queues and end are forgotten, however many there are.
#[test]
fn who_waits_for_room_and_ends_is_forgotten() {
    let config = ChannelConfig::default()
        .connection_queue_bytes_max(4096)
        .channel_queue_bytes_max(4096);
    let mut scene = Scene::greeted(config, &[(7, 70)]);
    let full = stuck(&mut scene, 0, Mode::Reliable);
    scene.core.send(full, &[0; 3936]).expect("queued");
    scene.said();
    scene.accepts = false;
    let life = |scene: &mut Scene| {
        // As many as are no flood.
        scene.now = scene.now.after(ms(100));
        let told = scene.put(Put::new().open(1, 0, 60_000, 30_000, &[]).data(0, 1, b"x"));
        let [Told::Open(channel), Told::Message { .. }] = told[..] else {
            panic!("{told:?}")
        };
        assert_eq!(scene.core.send(channel, b"one"), Ok(()));
        let refused = scene.core.send(channel, b"two");
        assert_eq!(refused, Err(ChannelSendError::WouldBlock));
        scene.put(Put::new().reset(flag::ABORT | flag::STOP, 1, 8));
        scene.core.let_go(channel, ErrorCode::NO_ERROR);
        let said = scene.said();
        assert!(matches!(said[..], [.., Said::Reject { .. }]), "{said:?}");
    };
    life(&mut scene);
    let memory = measure(|| {
        for _ in 0..20_000 {
            life(&mut scene);
        }
    });
    assert!(memory.bytes_max < 32 << 10, "{memory:?}");
}

/// A sender that gives a large message few turns is no dribbler: each fragment that is worth it has
/// its time. None of them makes up for those that are not.
#[test]
fn each_fragment_has_its_time() {
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
    // The one that never comes is missed.
    scene.put(Put::new().data(flag::MORE, 0, &fragment));
    scene.wait(ms(5000));
    scene.put(Put::new().data(flag::MORE, 0, &fragment));
    assert_eq!(scene.wait(ms(9500)), []);
    // Slivers win no time.
    assert_eq!(scene.put(Put::new().data(flag::MORE, 0, &[1; 1000])), []);
    let told = scene.wait(ms(1000));
    assert_eq!(told, [Told::Evicted(channel, ErrorCode::TIMEOUT)]);
}

/// The same with so much held that what is left is just too little for a message, each time.
#[test]
fn a_sender_is_not_asked_to_wait_for_every_second_message() {
    let config = ChannelConfig::default().auto_tune(false);
    let mut scene = Scene::greeted(config, &[]);
    scene.reads = false;
    scene.opened_as(0, UPLINK, 0);
    let message = || Put::new().data(0, 0, &[1; 15_000 - 64]);
    let mut limit = 65_536;
    let mut charged = 0;
    for _ in 0..4 {
        scene.put(message());
        charged += 15_000;
    }
    let held = scene.kept.split_off(2);
    scene.catch_up();
    assert_eq!(told_limit(&scene.said()), None, "30,000 are owed");
    scene.put(Put::new().blocked(0, limit));
    for message_number in 0..100 {
        limit = told_limit(&scene.said()).unwrap_or(limit);
        charged += 15_000;
        assert!(charged <= limit, "message {message_number} waits");
        let told = scene.put(message());
        assert_eq!(failed(&told), None);
        scene.catch_up();
    }
    drop(held);
}

/// What dies on a channel that was not answered yet takes no room from others either.
#[test]
fn dead_messages_of_an_unanswered_channel_take_no_room() {
    let config = ChannelConfig::default()
        .connection_queue_bytes_max(4096)
        .channel_queue_bytes_max(4096);
    let mut scene = Scene::greeted(config, &[]);
    let other = scene.opened(0, 60_000);
    scene.accepts = false;
    let told = scene.put(Put::new().open(1, 0, 60_000, 30_000, &tlv(1, &tv(10))));
    let [Told::Open(dying)] = told[..] else {
        panic!("{told:?}")
    };
    scene.core.hold_back();
    while scene.core.send(dying, &[0; 100]) == Ok(()) {}
    scene
        .core
        .send(other, &[0; 100])
        .expect("one is always taken");
    assert_eq!(
        scene.core.send(other, &[0; 100]),
        Err(ChannelSendError::WouldBlock)
    );
    scene.wait(ms(1000));
    let writable: Vec<_> = std::iter::from_fn(|| scene.core.poll_writable()).collect();
    assert!(writable.contains(&other), "{writable:?}");
    assert_eq!(scene.core.send(other, &[0; 100]), Ok(()));
}
