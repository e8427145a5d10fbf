//! Receive windows: how they widen, and how they are given back.

use std::time::Duration;

use harness::channels::open::Wanted;
use harness::channels::{Op, Sim};
use harness::frames_mux::{Put, Said, flag, hello, profile};
use harness::rng::Rng;
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelId, Direction, ErrorCode, OpenError, OpenOptions, Unit,
};

use super::scripted_peer::{Scene, Told, UPLINK, failed, ms};
use super::simulation::{config, number, opened, ready};

/// Just below the smallest window for which CREDIT waits until half of it is released.
const NARROW: u32 = 61_440;

/// The smallest such window.
const WIDE: u32 = 64 << 10;

/// A wider window in ACCEPT must not reduce the largest message: the peer may have begun one.
#[test]
fn an_accept_with_a_wider_window_keeps_the_message_limit() {
    let config = ChannelConfig::default().channel_window_bytes(NARROW);
    let mut scene = Scene::greeted(config, &[]);
    scene.accepts = false;
    let part = [7; 16_000];
    let open = Put::new().open(0, UPLINK, 0, 30_000, &[]);
    let channel = scene.offered(open.data(flag::MORE, 0, &[]));
    for _ in 0..2 {
        assert_eq!(scene.put(Put::new().data(flag::MORE, 0, &part)), []);
    }
    let wide = |window| AcceptOptions::new().window(window);
    for window in [WIDE, WIDE + 20_000] {
        let accepted = scene.core.accept(channel, wide(window));
        assert!(
            matches!(accepted, Err(OpenError::Options(_))),
            "{accepted:?}"
        );
    }
    assert_eq!(scene.core.accept(channel, wide(2 * WIDE)), Ok(()));
    let told = scene.put(Put::new().data(0, 0, &part[..13_000]));
    assert!(
        matches!(&told[..], [Told::Message { data, .. }] if data.len() == 45_000),
        "{told:?}"
    );
}

/// For a wide window, CREDIT waits until half of it is released. A window is not widened to one
/// that leaves the sender less credit than the largest message needs.
#[test]
fn a_window_is_widened_only_if_the_sender_gains_credit() {
    let config = ChannelConfig::default()
        .channel_window_bytes(NARROW)
        .channel_window_bytes_max(WIDE);
    let mut scene = Scene::greeted(config, &[]);
    scene.opened_as(0, UPLINK, 0);
    let (mut own, mut used) = (u64::from(NARROW), 0);
    for round in 0..500 {
        let len = 1000 + 700 * (round % 20);
        scene.put(Put::new().data(0, 0, &vec![0; len]));
        used += len as u64 + 64;
        scene.take_limits(&mut own);
        // Everything is read, and all but a quarter of the window is granted.
        let left = own - used;
        assert!(
            left > u64::from(NARROW / 4 * 3),
            "{left} left, round {round}"
        );
    }
}

/// A channel whose window grew from 64 KiB to 128 KiB. All of it is granted and unused.
fn grown() -> (Scene, ChannelId, u64, u64) {
    let config = ChannelConfig::default()
        .channels_max(2)
        .window_growth_bytes_max(128 << 10);
    let mut scene = Scene::greeted(config, &[]);
    let channel = scene.opened_as(0, UPLINK, 0);
    let (mut limit, mut charged) = (64 << 10, 0);
    while scene
        .core
        .channel_stats(channel)
        .map(|s| s.receive_window_max)
        < Some(128 << 10)
    {
        scene.put(Put::new().data(0, 0, &[1; 10_000]));
        charged += 10_064;
        scene.take_limits(&mut limit);
    }
    (scene, channel, limit, charged)
}

/// CREDIT and the return of credit can cross. A limit never decreases, so that no order does harm.
#[test]
fn returned_credit_can_cross_granted_credit() {
    let (mut scene, channel, limit, charged) = grown();
    let stats = |scene: &Scene| scene.core.channel_stats(channel).expect("open");
    assert_eq!(stats(&scene).receive_window, limit - charged);
    // The sender has not seen the last limit. It returns credit of the limit before, except for one
    // window.
    let seen = limit - 50_000;
    let total = seen - (64 << 10);
    assert!(total >= charged, "{total} {charged}");
    assert_eq!(scene.put(Put::new().give_back(0, total)), []);
    let after = stats(&scene);
    assert_eq!(after.receive_window, limit - total, "the limit stays");
    assert_eq!(after.receive_window_max, (128 << 10) - (total - charged));
    assert_eq!(after.held_bytes, 0);
    // It may send what was granted, to the byte. The window continues to slide.
    let mut left = limit - total;
    let mut told = limit;
    scene.reads = false;
    while left > 64 {
        let len = left.min(10_064) as usize - 64;
        assert_eq!(
            failed(&scene.put(Put::new().data(0, 0, &vec![2; len]))),
            None
        );
        left -= len as u64 + 64;
    }
    scene.catch_up();
    scene.take_limits(&mut told);
    assert_eq!(told - limit + left, stats(&scene).receive_window_max);
    let more = scene.put(Put::new().data(0, 0, &[3; 10_000]));
    assert_eq!(failed(&more), None);
}

/// A sender cannot return more than was granted, less than it used, a part of the initial window,
/// anything after the end, or anything on a channel on which it does not send.
#[test]
fn returned_credit_is_checked() {
    for (beyond, code) in [(0, None), (1, Some(ErrorCode::FLOW))] {
        let (mut scene, _, limit, _) = grown();
        let told = scene.put(Put::new().give_back(0, limit - (64 << 10) + beyond));
        assert_eq!(failed(&told), code);
        let (mut scene, _, _, charged) = grown();
        let told = scene.put(Put::new().give_back(0, charged - beyond));
        assert_eq!(failed(&told), code);
        assert_eq!(scene.end(), code);
        // After STOP, the sender can return all of it.
        let (mut scene, channel, limit, _) = grown();
        scene.core.stop(channel, ErrorCode(9));
        let told = scene.put(Put::new().give_back(0, limit + beyond));
        assert_eq!(failed(&told), code);
    }
    for over in [
        Put::new().data(flag::FIN, 0, b""),
        Put::new().reset(flag::ABORT, 0, 9),
    ] {
        let (mut scene, channel, limit, charged) = grown();
        scene.put(over.clone());
        let told = scene.put(Put::new().give_back(0, charged));
        assert_eq!(failed(&told), Some(ErrorCode::PROTOCOL), "{over:?} {limit}");
        assert_eq!(scene.end(), Some(ErrorCode::PROTOCOL));
        assert_eq!(
            scene.core.channel_stats(channel).map(|s| s.held_bytes),
            Some(0)
        );
    }
    let (mut scene, _, _, charged) = grown();
    let record = Put::new()
        .data(flag::MORE, 0, b"half")
        .give_back(0, charged + 68);
    assert_eq!(failed(&scene.put(record)), Some(ErrorCode::PROTOCOL));
    let mut scene = Scene::new();
    scene.opened_as(0, profile::ACCEPTOR_SENDS, 60_000);
    let told = scene.put(Put::new().give_back(0, 0));
    assert_eq!(failed(&told), Some(ErrorCode::PROTOCOL));
}

/// A sender that is asked returns its unused credit if no message waits, and then sends no more
/// than the rest.
#[test]
fn a_sender_returns_unused_credit_when_asked() {
    let mut scene = Scene::new();
    let (channel, own) = scene.open_ours(OpenOptions::new("x"), 3, 200_000);
    let window = |scene: &Scene| scene.core.channel_stats(channel).map(|s| s.send_window);
    scene.core.send(channel, [0; 936]).expect("sent");
    scene.said();
    scene.put(Put::new().narrow(3, 199_000));
    assert_eq!(scene.said(), [], "there is not more than that");
    // A message waits: nothing is returned.
    scene.core.handle_backpressure();
    scene.core.send(channel, [0; 936]).expect("queued");
    scene.put(Put::new().narrow(3, 64 << 10));
    assert!(matches!(scene.said()[..], [Said::Data { .. }]));
    assert_eq!(window(&scene), Some(198_000));
    // A message is sent after the request: it does not overtake the return.
    scene.put(Put::new().narrow(3, 64 << 10));
    assert_eq!(window(&scene), Some(64 << 10));
    scene.core.send(channel, b"next").expect("queued");
    let said = scene.said();
    let back = Said::Credit {
        flags: flag::RETURN,
        alias: own,
        limit: 200_000 - (64 << 10),
        ack: 0,
    };
    assert_eq!(said[0], back);
    assert!(matches!(&said[1], Said::Data { payload, .. } if payload == b"next"));
    // A later limit holds as usual.
    scene.put(Put::new().credit(3, 300_000));
    assert_eq!(window(&scene), Some(100_000 + (64 << 10) - 68));
    // A channel that has ended ignores the request. A channel that does not exist is a violation.
    scene.core.finish_sending(channel).expect("open");
    scene.said();
    assert_eq!(scene.put(Put::new().narrow(3, 0)), []);
    assert_eq!(scene.said(), []);
    let told = scene.put(Put::new().narrow(9, 0));
    assert_eq!(failed(&told), Some(ErrorCode::PROTOCOL));
}

/// A window widens if the round trip holds the sender back, and not otherwise.
#[test]
fn a_window_widens_with_the_round_trip() {
    for auto_tune in [true, false] {
        let config = ChannelConfig::default().auto_tune(auto_tune);
        let mut scene = Scene::silent(config);
        scene.put(hello(&[]));
        scene.said();
        scene.wait(Duration::from_millis(100));
        scene.put(Put::new().pong(1));
        let channel = scene.opened_as(0, UPLINK, 0);
        for _ in 0..40 {
            scene.put(Put::new().data(0, 0, &[1; 10_000]));
            scene.said();
            scene.wait(ms(1));
        }
        let own = scene
            .core
            .channel_stats(channel)
            .expect("open")
            .receive_window_max;
        assert_eq!(own > 64 << 10, auto_tune);
    }
}

/// ACCEPT widens the window. A message that needs the wider window is sent.
#[test]
fn a_wider_window_in_accept_allows_larger_messages() {
    for messages in [false, true] {
        let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, 1024)]);
        let mut options = OpenOptions::new("bulk").direction(Direction::OpenerSends);
        if messages {
            options = options.unit(Unit::Messages);
        }
        let channel = scene.core.open(options).expect("opened");
        scene.said();
        // The largest message for a window of 256 KiB: half of it and one byte, less 64 bytes for
        // each 4 KiB.
        let limit = if messages { 8 } else { 256 << 10 };
        scene.put(Put::new().accept(0, 3, limit, 128_000, &[]));
        if !messages {
            // All credit but less than a threshold is granted again.
            scene.core.send(channel, [0; 120_000]).expect("queued");
            scene.records();
        }
        scene.core.send(channel, [0; 126_000]).expect("queued");
        let sent: usize = scene.said().iter().map(data_len).sum();
        assert_eq!(sent, 126_000, "messages: {messages}");
    }
}

fn data_len(said: &Said) -> usize {
    match said {
        Said::Data { payload, .. } => payload.len(),
        _ => 0,
    }
}

/// A channel has grown and does not use its growth. The receiver asks for it when another channel
/// needs it. The first channel only gets a smaller window.
#[test]
fn unused_growth_of_one_window_moves_to_another() {
    let both = [(); 2].map(|()| {
        config(|c| {
            c.auto_tune = true;
            c.channels_max = 2;
            c.window_growth_bytes_max = 256 << 10;
            c.channel_window_bytes_max = 1 << 20;
        })
    });
    let mut sim = ready(both);
    sim.reads = true;
    let links = [(); 2].map(|()| opened(&mut sim, &Wanted::default()));
    sim.ends[1].ping();
    sim.flush();
    let window = |sim: &Sim, n: usize| {
        let id = sim.links[links[n]].ids[1].expect("open");
        let stats = sim.ends[1].channel_stats(id).expect("open");
        stats.receive_window_max
    };
    let busy = |sim: &mut Sim, n: usize| {
        for _ in 0..60 {
            sim.send(0, links[n], 0, 20_000);
            sim.flush();
            sim.check();
        }
    };
    busy(&mut sim, 0);
    let wide = window(&sim, 0);
    assert!(wide >= 180 << 10, "{wide}");
    busy(&mut sim, 1);
    let little = window(&sim, 1);
    assert!(little < wide, "{little}");
    assert_eq!(sim.counts.narrowed, 0, "the first may be in use");
    sim.pass(1_500_000_000);
    sim.flush();
    busy(&mut sim, 1);
    assert!(sim.counts.narrowed >= 1 && sim.counts.returned >= 1);
    assert_eq!(window(&sim, 0), 64 << 10);
    assert!(window(&sim, 1) > little);
    // Both continue, and the first grows again when it is busy.
    sim.pass(1_500_000_000);
    busy(&mut sim, 0);
    sim.quiesce();
    sim.end_all();
}

/// Random histories in which windows grow and are given back. Both ends agree, whatever frames
/// cross.
#[test]
fn both_ends_agree_after_windows_grow_and_shrink() {
    let (mut narrowed, mut returned) = (0, 0);
    let seeds = u64::from(number("TICKWIRE_SEEDS", 60));
    for seed in 0..seeds {
        let mut rng = Rng::new(seed ^ 0x6209);
        let window = [2048, 4096, 9000, 64 << 10][rng.below(4)];
        let both = [(); 2].map(|()| {
            config(|c| {
                c.auto_tune = true;
                c.channels_max = 4;
                c.channel_window_bytes = window;
                c.channel_window_bytes_max = 256 << 10;
                c.window_growth_bytes_max = [2000, 30_000, 200_000][rng.below(3)];
            })
        });
        let mut sim = ready(both);
        let links = [(); 4].map(|()| opened(&mut sim, &Wanted::default()));
        for end in 0..2 {
            sim.ends[end].ping();
        }
        sim.flush();
        for step in 0..600 {
            let end = rng.below(2);
            // The channels are busy one after another.
            let link = links[(step / 100 + rng.below(10) / 9) % 4];
            match rng.below(12) {
                0..5 => {
                    for _ in 0..rng.below(6) {
                        let len = rng.below(window as usize / 3);
                        sim.send(end, link, rng.below(5) as u8, len);
                    }
                }
                5..8 => sim.release_all(end, link),
                8 => sim.apply(Op::Deliver(end as u8, rng.below(8) as u8)),
                9 => sim.apply(Op::Poll(end as u8)),
                10 => sim.flush(),
                // The clock stands still otherwise: every read is within two round trips.
                _ if rng.one_in(3) => {
                    sim.pass(1_100_000_000);
                    sim.flush();
                }
                _ => {}
            }
            for end in 0..2 {
                sim.hear(end);
            }
            sim.check();
        }
        (narrowed, returned) = (
            narrowed + sim.counts.narrowed,
            returned + sim.counts.returned,
        );
        sim.quiesce();
        sim.end_all();
    }
    // Enough cases were tested.
    assert!(
        narrowed >= seeds / 6 && returned >= seeds / 6,
        "{narrowed} {returned}"
    );
}
