//! Who waits, for what, and what ends it: credit that is kept back, passed on or never comes, and
//! messages that die in the queue.

use harness::frames_mux::{Put, Said, profile};
use tickwire::channels::Config;

use super::channels_hostile_kit::{Scene, UPLINK, failed};

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
    let config = Config {
        auto_tune: false,
        ..Config::default()
    };
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
