//! Credit: when the receiver sends a new limit, and what the sender does with it.

use harness::frames_mux::{MAX62, Put, Said, flag, profile};
use tickwire::channels::{ChannelConfig, Direction, ErrorCode, Mode, OpenOptions, Unit};

use super::scripted_peer::{Scene, Told, UPLINK, data, failed, ms};

/// The peer grants credit byte by byte. The core does not answer with tiny frames.
#[test]
fn credit_of_single_bytes_is_not_sent_in_tiny_frames() {
    for run in [false, true] {
        let mut scene = Scene::new();
        let options = OpenOptions::new("bulk").direction(Direction::OpenerSends);
        let (channel, _) = scene.open_ours(options, 3, 1);
        if run {
            scene
                .core
                .send_run_bytes(channel, 40, &[2; 80_000])
                .expect("queued");
        } else {
            for _ in 0..8 {
                scene.core.send(channel, [1; 10_000]).expect("queued");
            }
        }
        // The credit that HELLO grants before ACCEPT is used up.
        let (mut frames, mut bytes) = (0, 0);
        let count = |said: Vec<Said>, frames: &mut u32, bytes: &mut usize| {
            for s in said {
                *bytes += match s {
                    Said::Data { payload, .. } => payload.len(),
                    Said::Run { bytes, .. } => bytes.len(),
                    _ => continue,
                };
                *frames += 1;
            }
        };
        for limit in 1..100_000 {
            scene.put(Put::new().credit(3, limit));
            if scene.core.wants_write() {
                count(scene.said(), &mut frames, &mut bytes);
            }
        }
        assert_eq!(bytes, 80_000, "run: {run}");
        assert!(frames <= 80_000 / 4000 + 8, "{frames} frames");
    }
}

/// A limit increases or stays. Message numbers at the end of their range cause an error, and no
/// overflow.
#[test]
fn a_limit_never_decreases_and_numbers_do_not_overflow() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, MAX62)]);
    let (channel, _) = scene.open_ours(OpenOptions::new("x"), 3, MAX62);
    for limit in [0, 1, MAX62, (1 << 32) - 1, MAX62, 7] {
        let told = scene.put(Put::new().credit(3, limit));
        assert_eq!(told, []);
        assert_eq!(scene.core.send(channel, b"tick"), Ok(()));
        assert!(matches!(scene.said()[..], [Said::Data { .. }]));
    }
    let window = scene.core.channel_stats(channel).map(|s| s.send_window);
    assert!(window > Some(MAX62 - 1000));
    // The message numbers of the peer, at the end of their range.
    let told = scene.put(Put::new().seq(3, MAX62, MAX62 - 2).data(0, 3, b"x"));
    assert_eq!(failed(&told), None);
    let told = scene.put(Put::new().data(0, 3, b"x").data(0, 3, b"x"));
    assert_eq!(failed(&told), Some(ErrorCode::PROTOCOL));
}

/// Credit for exactly one message is enough to send it, in every mode.
#[test]
fn credit_for_exactly_one_message_sends_it() {
    const COST: u64 = 10_064;
    for mode in [Mode::Reliable, Mode::Ttl(ms(60_000)), Mode::Conflated] {
        for own in [COST, 1 << 30] {
            for queued in [false, true] {
                let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, 1024)]);
                let options = OpenOptions::new("x").mode(mode).unit(Unit::Bytes);
                let (channel, _) = scene.open_ours(options, 0, 1024);
                if queued {
                    scene.core.send(channel, [1; 10_000]).expect("queued");
                    assert_eq!(scene.said(), [], "there is no credit");
                }
                scene.put(Put::new().credit(0, own));
                if !queued {
                    scene.core.send(channel, [1; 10_000]).expect("queued");
                }
                let sent = data(&scene.said());
                assert_eq!(sent, [(0, 0, 10_000)], "{mode:?} {own} {queued}");
            }
        }
    }
}

/// The limit in the CREDIT frame, if there is one.
fn told_limit(said: &[Said]) -> Option<u64> {
    said.iter().find_map(|said| match said {
        Said::Credit {
            flags: 0, limit, ..
        } => Some(*limit),
        _ => None,
    })
}

/// The application releases the oldest message.
fn release_one(scene: &mut Scene) {
    let (channel, charge) = scene.kept.remove(0);
    scene.core.release(channel, charge);
}

/// A sender has sent BLOCKED. The next released message is granted at once, even if it is below the
/// usual threshold.
#[test]
fn released_credit_is_granted_after_blocked() {
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

/// The application keeps nearly a whole window for good, and releases the rest. The sender waits
/// once, and not for every message.
#[test]
fn a_nearly_full_window_stalls_its_sender_only_once() {
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
        // When the application reads everything again, CREDIT is sent by the usual threshold.
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

/// The same, with so much kept that the rest is just too small for a second message.
#[test]
fn a_window_with_room_for_one_message_stalls_its_sender_only_once() {
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

/// A BLOCKED that names an old limit is answered with the current limit.
#[test]
fn blocked_at_an_old_limit_gets_the_current_limit() {
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
    // A BLOCKED that names the current limit is answered with all released credit, however little.
    scene.put(Put::new().data(0, 0, &[0; 936]));
    assert_eq!(limit(&scene.said()), None);
    scene.put(Put::new().blocked(0, told.expect("a limit")));
    assert_eq!(limit(&scene.said()), told.map(|limit| limit + 1000));
}

/// After FIN of the peer, the core grants no credit for the messages before it.
#[test]
fn no_credit_is_granted_after_fin() {
    let mut scene = Scene::new();
    // Both directions are open; the local half stays open.
    scene.opened(0, 50_000);
    for _ in 0..4 {
        scene.put(Put::new().data(0, 0, &[0; 15_000]));
    }
    scene.put(Put::new().data(flag::FIN, 0, b""));
    assert_eq!(scene.said(), []);
}

/// BLOCKED is answered only if the sender does not know the current limit, or if credit has been
/// released.
#[test]
fn blocked_is_answered_only_when_there_is_news() {
    let mut scene = Scene::new();
    scene.opened_as(0, UPLINK, 0);
    for news in [false, true] {
        if news {
            scene.put(Put::new().data(0, 0, b"read"));
        }
        scene.put(Put::new().blocked(0, 64 << 10));
        let said = scene.said();
        assert_eq!(said.len(), usize::from(news), "{said:?}");
    }
    scene.put(Put::new().blocked(0, 0));
    assert_eq!(scene.said().len(), 1);
}

/// A channel that is rejected while it waits for credit leaves no timer behind.
#[test]
fn a_rejected_channel_does_not_wait_for_credit() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, 20_000)]);
    let channel = scene.core.open(OpenOptions::new("a")).expect("opened");
    for _ in 0..5 {
        scene.core.send(channel, [0; 9_000]).expect("queued");
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
