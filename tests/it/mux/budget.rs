//! The receive budget: the bound on the sum of all receive windows.

use harness::frames_mux::{Put, Said, flag, profile};
use tickwire::channels::{AcceptOptions, ChannelConfig, ErrorCode, HalfState, OpenOptions};

use super::scripted_peer::{Scene, UPLINK, failed};

/// Windows grow from one budget. In whatever order they grow, their sum stays within the budget,
/// and every channel that may still be opened gets its initial window.
#[test]
fn the_sum_of_all_windows_stays_within_the_budget() {
    for growth in [0, 100_000, 1 << 20] {
        let config = ChannelConfig::default()
            .channels_max(10)
            .window_growth_bytes_max(growth)
            .channel_window_bytes_max(512 << 10);
        let budget = config.receive_budget_bytes();
        let mut scene = Scene::greeted(config, &[]);
        // The clock stands still: every read is within two round trips.
        let channels: Vec<_> = (0..8).map(|n| scene.opened_as(n, UPLINK, 0)).collect();
        for turn in 0..2000 {
            let alias = turn % 8;
            let told = scene.put(Put::new().data(0, alias, &[1; 10_000]));
            assert_eq!(failed(&told), None);
            scene.said();
            let stats = scene.core.stats();
            assert!(stats.receive_reserved_bytes <= budget, "{stats:?}");
        }
        let windows = channels
            .iter()
            .filter_map(|&id| scene.core.channel_stats(id));
        let all: u64 = windows.map(|s| s.receive_window_max).sum();
        assert_eq!(all, scene.core.stats().receive_reserved_bytes);
        assert!(all <= budget - 2 * (64 << 10), "two may still be opened");
        assert_eq!(all > 8 * (64 << 10), growth > 0, "{all}");
        for n in 8..10 {
            scene.opened_as(n, UPLINK, 0);
        }
        // The application stops reading: the peer can send what was granted, and no more.
        scene.reads = false;
        let mut held = 0;
        for (alias, &id) in channels.iter().enumerate() {
            let left = scene.core.channel_stats(id).map(|s| s.receive_window);
            let mut left = left.expect("open");
            while left > 64 {
                let len = left.min(10_064) as usize - 64;
                let told = scene.put(Put::new().data(0, alias as u64, &vec![1; len]));
                assert_eq!(failed(&told), None);
                left -= len as u64 + 64;
                held += len as u64 + 64;
            }
        }
        assert_eq!(scene.core.stats().held_bytes, held);
        assert!(held <= budget);
    }
}

/// On a channel that counts messages, each fragment is charged for its bytes and its overhead. A
/// message whose fragments cost more than the largest message may cost is refused.
#[test]
fn fragments_are_charged_within_the_cost_of_their_message() {
    // The largest message: 8,000 bytes in three frames, which cost 8,192.
    for (fragments, len, code) in [
        (128, 0, None), // the last one is the 128th
        (128, 1, Some(ErrorCode::SIZE)),
        (129, 0, Some(ErrorCode::SIZE)),
        (2, 4000, None),
        (2, 4001, Some(ErrorCode::SIZE)), // more than 8,000
        (100, 17, None),
        (100, 18, Some(ErrorCode::SIZE)), // 100 * (18 + 64) is more than 8,192
    ] {
        let mut scene = Scene::new();
        scene.opened_as(0, UPLINK | profile::MESSAGES, 0);
        scene.reads = false;
        let mut told = Vec::new();
        for n in 0..fragments {
            let more = if n + 1 < fragments { flag::MORE } else { 0 };
            told.extend(scene.put(Put::new().data(more, 0, &vec![1; len])));
        }
        assert_eq!(failed(&told), code, "{fragments} of {len}");
        if code.is_none() {
            let stats = scene.core.stats();
            assert_eq!(stats.held_bytes, fragments * (len as u64 + 64));
            assert!(stats.receive_reserved_bytes >= stats.held_bytes);
            assert_eq!(stats.receive_reserved_bytes, 64 << 10);
        }
    }
}

/// Unread messages of ended channels count against the budget: a new channel finds no room until
/// they are read. A channel that was let go of holds nothing.
#[test]
fn unread_messages_of_ended_channels_count_against_the_budget() {
    for close in [false, true] {
        let config = ChannelConfig::default()
            .channels_max(2)
            .window_growth_bytes_max(0);
        let mut scene = Scene::greeted(config, &[]);
        scene.reads = false;
        let mut left = Vec::new();
        for alias in 0..2 {
            let channel = scene.opened_as(alias, UPLINK, 0);
            for _ in 0..6 {
                scene.put(Put::new().data(0, alias, &[1; 10_000]));
            }
            scene.put(Put::new().data(flag::FIN, alias, b""));
            left.push(channel);
        }
        scene.said();
        let stats = scene.core.stats();
        assert_eq!(stats.receive_reserved_bytes, 2 * 6 * 10_064);
        assert_eq!(stats.receive_budget_bytes, 2 * (64 << 10));
        // The peer sends nothing on a subscription: it needs no room.
        assert!(
            !scene
                .put(Put::new().open(5, profile::ACCEPTOR_SENDS, 9, 9, &[]))
                .is_empty()
        );
        scene.said();
        assert_eq!(scene.put(Put::new().open(2, UPLINK, 0, 30_000, &[])), []);
        assert_eq!(
            scene.said(),
            [Said::Reject {
                peer_alias: 2,
                code: 4,
                info: Vec::new()
            }]
        );
        // Data that was sent meanwhile is dropped.
        assert_eq!(scene.put(Put::new().data(0, 2, &[0; 5000])), []);
        if close {
            scene.core.close_channel(left[0], ErrorCode(9));
            scene.kept.retain(|(id, _)| *id != left[0]);
        } else {
            for (id, charge) in std::mem::take(&mut scene.kept) {
                if id == left[0] {
                    scene.core.release(id, charge);
                }
            }
        }
        assert_eq!(scene.core.stats().receive_reserved_bytes, 6 * 10_064);
        scene.opened_as(2, UPLINK, 0);
        assert_eq!(
            scene.core.stats().receive_reserved_bytes,
            6 * 10_064 + (64 << 10)
        );
    }
}

/// A channel that finds no room in the budget is rejected with LIMIT.
#[test]
fn a_channel_is_rejected_when_the_budget_has_no_room() {
    let config = ChannelConfig::default().receive_bytes_max(Some(3 * (64 << 10) + 5));
    let mut scene = Scene::greeted(config, &[]);
    for alias in 0..3 {
        scene.opened_as(alias, UPLINK, 0);
    }
    assert_eq!(scene.put(Put::new().open(3, UPLINK, 0, 30_000, &[])), []);
    assert!(matches!(scene.said()[..], [Said::Reject { code: 4, .. }]));
    // The window of a local channel, and a wider window in an answer, do not count: the application
    // chose them.
    let (own, _) = scene.open_ours(OpenOptions::new("ours").window(1 << 20), 9, 60_000);
    let stats = scene.core.stats();
    assert_eq!(stats.receive_reserved_bytes, 3 * (64 << 10));
    scene.core.close_channel(own, ErrorCode(9));
    scene.put(Put::new().reset(flag::ABORT, 0, 9));
    scene.said();
    scene.accepts = false;
    let channel = scene.offered(Put::new().open(4, UPLINK, 0, 30_000, &[]));
    let wide = AcceptOptions::new().window(1 << 20);
    assert_eq!(scene.core.accept(channel, wide), Ok(()));
    scene.said();
    assert_eq!(scene.core.stats().receive_reserved_bytes, 3 * (64 << 10));
    let none = ChannelConfig::default().receive_bytes_max(Some((64 << 10) - 1));
    assert!(none.check().is_err());
}

/// With the preset for the public internet, a peer makes the core hold no more than its budget.
#[test]
fn the_untrusted_internet_preset_bounds_memory() {
    let config = ChannelConfig::untrusted_internet();
    assert_eq!(config.receive_budget_bytes(), 1_310_720);
    let mut scene = Scene::greeted(config.clone(), &[]);
    scene.reads = false;
    for alias in 0..16 {
        // As many messages as the window takes, in bytes or in messages.
        let (unit, count, len) = match alias % 2 {
            0 => (0, 15, 1000),
            _ => (profile::MESSAGES, 8, 1900),
        };
        let channel = scene.opened_as(alias, UPLINK | unit, 0);
        for _ in 0..count {
            let told = scene.put(Put::new().data(0, alias, &vec![1; len]));
            assert_eq!(failed(&told), None);
        }
        let stats = scene.core.channel_stats(channel).expect("open");
        assert_eq!(stats.receiving, HalfState::Open);
        assert!(stats.receive_window < 1064, "it is full: {stats:?}");
    }
    let stats = scene.core.stats();
    assert!(stats.held_bytes <= config.receive_budget_bytes());
    assert_eq!(stats.receive_reserved_bytes, 16 * (16 << 10));
    let told = scene.put(Put::new().open(16, UPLINK, 0, 9, &[]));
    assert_eq!(failed(&told), Some(ErrorCode::LIMIT));
}
