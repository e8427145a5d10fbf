//! Limits, shares and answers that hold in the corners, too: each as the shortest session in which
//! one did not.

use harness::frames_mux::{Put, Said, flag};
use tickwire::channels::{AcceptOptions, Config, OpenError};

use super::channels_hostile_kit::{Scene, Told, UPLINK};

/// Just below the window from which half of it must be owed before more is told.
const NARROW: u32 = 61_440;
/// The least such window.
const WIDE: u32 = 64 << 10;

/// An answer with a wider window took smaller messages than the opener had been promised, and had
/// begun to send.
#[test]
fn an_answer_takes_no_smaller_messages_than_were_promised() {
    let config = Config {
        channel_window_bytes: NARROW,
        ..Config::default()
    };
    let mut scene = Scene::greeted(config, &[]);
    scene.accepts = false;
    let part = [7; 16_000];
    let open = Put::new().open(0, UPLINK, 0, 30_000, &[]);
    let told = scene.put(open.data(flag::MORE, 0, &[]));
    let [Told::Open(channel)] = told[..] else {
        panic!("{told:?}")
    };
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

/// A window was widened to one of which half must be owed before more is told: what the peer had
/// left meanwhile was less than the largest message needs.
#[test]
fn a_window_is_not_widened_to_one_with_less_room() {
    let ample = Config::default();
    for (channel_max, connection, connection_max) in [
        (
            WIDE,
            ample.connection_window_bytes,
            ample.connection_window_bytes_max,
        ),
        (NARROW, NARROW, WIDE),
    ] {
        let config = Config {
            channel_window_bytes: NARROW,
            channel_window_bytes_max: channel_max,
            connection_window_bytes: connection,
            connection_window_bytes_max: connection_max,
            ..Config::default()
        };
        let mut scene = Scene::greeted(config, &[]);
        scene.opened_as(0, UPLINK, 0);
        let (mut own, mut all, mut used) = (u64::from(NARROW), u64::from(connection), 0);
        for round in 0..500 {
            let len = 1000 + 700 * (round % 20);
            scene.put(Put::new().data(0, 0, &vec![0; len]));
            used += len as u64 + 64;
            for said in scene.said() {
                match said {
                    Said::Credit {
                        flags: flag::CONN,
                        limit,
                        ..
                    } => all = limit,
                    Said::Credit {
                        flags: 0, limit, ..
                    } => own = limit,
                    other => panic!("{other:?}"),
                }
            }
            // All is read, and all but a quarter of the window was told.
            let left = own.min(all) - used;
            assert!(
                left > u64::from(NARROW / 4 * 3),
                "{left} left, round {round}"
            );
        }
    }
}
