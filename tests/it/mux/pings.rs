//! PING and PONG: how often they are sent, and how the round trip is measured.

use std::time::Duration;

use harness::frames_mux::{MAX62, Put, Said, hello};
use tickwire::channels::{ChannelConfig, ErrorCode, OpenOptions};

use super::scripted_peer::{Scene, failed, ms};

/// Of many PINGs the newest is answered. A flood ends the connection with CALM.
#[test]
fn a_ping_flood_ends_with_calm() {
    let mut scene = Scene::new();
    for value in 0..10 {
        assert_eq!(failed(&scene.put(Put::new().ping(value))), None);
    }
    assert_eq!(scene.said(), [Said::Pong(9)], "the newest only");
    assert_eq!(
        failed(&scene.put(Put::new().ping(10))),
        Some(ErrorCode::CALM)
    );
    for value in 11..100_000 {
        scene.put(Put::new().ping(value));
    }
    assert_eq!(scene.end(), Some(ErrorCode::CALM));
    // One PING a second is allowed.
    let mut scene = Scene::new();
    for value in 0..1000 {
        scene.wait(ms(1000));
        assert_eq!(failed(&scene.put(Put::new().ping(value))), None);
        assert!(scene.said().contains(&Said::Pong(value)));
    }
}

/// PING is sent before all data and before other control frames.
#[test]
fn a_ping_is_sent_before_data() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, MAX62)]);
    let (channel, _) = scene.open_ours(OpenOptions::new("bulk"), 3, MAX62);
    for turn in 0..20_u64 {
        scene.wait(ms(1100));
        scene.records();
        scene.core.handle_backpressure();
        while scene.core.send(channel, [1; 1000]) == Ok(()) {}
        scene.put(Put::new().ping(turn));
        scene.core.ping();
        let record = scene
            .core
            .poll_record(scene.now)
            .map(|r| r.as_slice().to_vec());
        let said = harness::frames_mux::read(&record.expect("a record"));
        let Said::Ping(value) = said[0] else {
            panic!("{:?}", said[0])
        };
        assert_eq!(said[1], Said::Pong(turn));
        scene.wait(ms(10 + turn));
        scene.put(Put::new().pong(value));
        let stats = scene.core.stats();
        assert_eq!(stats.rtt_last, Some(ms(10 + turn)));
        assert_eq!(stats.rtt_min, Some(Duration::ZERO), "of the greeting");
    }
    // A PONG without a PING measures nothing.
    scene.put(Put::new().pong(7).pong(1 << 40));
    assert_eq!(scene.core.stats().rtt_last, Some(ms(29)));
}

/// The application can ping once a second. The answer gives the round trip.
#[test]
fn an_application_can_ping_once_a_second() {
    let mut scene = Scene::new();
    let first = scene.core.poll_timeout().expect("alive");
    let third = ChannelConfig::default().idle_timeout / 3;
    assert_eq!(first, scene.now.after(third), "the next PING");
    scene.now = scene.now.after(ms(1000));
    scene.core.set_time(scene.now);
    scene.core.ping();
    let said = scene.said();
    let [Said::Ping(value)] = said[..] else {
        panic!("{said:?}")
    };
    scene.now = scene.now.after(ms(999));
    assert_eq!(scene.core.rtt(), Some(ms(0)), "of the first one");
    scene.put(Put::new().pong(value));
    scene.core.ping();
    assert_eq!(scene.said(), []);
    scene.now = scene.now.after(ms(1));
    scene.core.set_time(scene.now);
    scene.core.ping();
    assert_eq!(scene.said(), [Said::Ping(value + 1)]);
    let mut scene = Scene::silent(ChannelConfig::default());
    scene.put(hello(&[]));
    let said = scene.said();
    let [Said::Hello(_), Said::Ping(value)] = said[..] else {
        panic!("{said:?}")
    };
    assert_eq!(scene.core.rtt(), None);
    scene.now = scene.now.after(ms(7));
    scene.put(Put::new().pong(value));
    assert_eq!(scene.core.rtt(), Some(ms(7)));
}

/// An application that asks for a PING all the time does not exceed the limit of the peer.
#[test]
fn frequent_ping_calls_stay_within_the_limit_of_the_peer() {
    let mut scene = Scene::new();
    let mut pings = 0;
    for _ in 0..1000 {
        scene.core.ping();
        for said in scene.said() {
            if let Said::Ping(value) = said {
                pings += 1;
                scene.put(Put::new().pong(value));
            }
        }
        scene.wait(ms(10));
    }
    assert!((5..=11).contains(&pings), "{pings} in ten seconds");
}
