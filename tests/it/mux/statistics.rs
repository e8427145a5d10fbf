//! Statistics of the core, for each channel and for the connection.

use harness::frames_mux::{Put, flag};
use tickwire::channels::{ErrorCode, OpenOptions};

use super::scripted_peer::{Scene, Told};

/// Messages, fragments, runs and skipped messages are counted when they arrive.
#[test]
fn received_messages_and_skips_are_counted() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 60_000);
    let before = scene.core.stats().records_in;
    let seqs = |told: Vec<Told>| -> Vec<(u64, u64)> {
        let of = told.iter().map(|told| match told {
            Told::Message { seq, skipped, .. } | Told::Run { seq, skipped, .. } => (*seq, *skipped),
            other => panic!("{other:?}"),
        });
        of.collect()
    };
    for (record, expected, (messages, bytes, skipped)) in [
        (Put::new().data(0, 0, b"whole"), vec![(0, 0)], (1, 5, 0)),
        (
            Put::new().data_skip(0, 0, 3, b"late"),
            vec![(4, 3)],
            (2, 9, 3),
        ),
        (Put::new().data(flag::MORE, 0, b"in "), vec![], (2, 12, 3)),
        (
            Put::new().data(flag::MORE, 0, b"three "),
            vec![],
            (2, 18, 3),
        ),
        (Put::new().data(0, 0, b"parts"), vec![(5, 0)], (3, 23, 3)),
        (
            Put::new().run(0, 4, 3, b"onlythreerun"),
            vec![(6, 0)],
            (6, 35, 3),
        ),
        (Put::new().data(0, 0, b"next"), vec![(9, 0)], (7, 39, 3)),
    ] {
        assert_eq!(seqs(scene.put(record)), expected);
        let own = scene.core.channel_stats(channel).expect("open");
        assert_eq!(
            (own.messages_in, own.bytes_in, own.skipped_in),
            (messages, bytes, skipped)
        );
        let all = scene.core.stats();
        assert_eq!(
            (all.messages_in, all.bytes_in, all.skipped_in),
            (messages, bytes, skipped)
        );
    }
    assert_eq!(scene.core.stats().records_in, before + 7);
    // They stay counted when the channel is gone.
    scene.put(Put::new().data(flag::FIN, 0, b"end"));
    scene.core.close_channel(channel, ErrorCode::NO_ERROR);
    scene.said();
    let all = scene.core.stats();
    assert_eq!((all.channels, all.messages_in, all.bytes_in), (0, 8, 42));
}

/// Messages and runs, in one frame or several, are counted when they are sent.
#[test]
fn sent_messages_are_counted() {
    let mut scene = Scene::new();
    let (channel, _) = scene.open_ours(OpenOptions::new("c"), 0, 60_000);
    let before = scene.core.stats().records_out;
    let mut records = 0;
    for (elem, len, messages, bytes) in [
        (0, 5, 1, 5),
        (0, 0, 2, 5),
        (0, 20_000, 3, 20_005),
        (4, 12, 6, 20_017),
        (0, 7, 7, 20_024),
    ] {
        scene.core.handle_backpressure();
        if elem == 0 {
            scene.core.send(channel, vec![1; len]).expect("room");
        } else {
            scene
                .core
                .send_run_bytes(channel, elem, &vec![1; len])
                .expect("room");
        }
        records += scene.records().len() as u64;
        let own = scene.core.channel_stats(channel).expect("open");
        assert_eq!((own.messages_out, own.bytes_out), (messages, bytes));
        assert_eq!(scene.core.stats().records_out, before + records);
    }
}

/// The counts of ended channels stay in the counts of the connection.
#[test]
fn counts_of_ended_channels_stay_in_the_totals() {
    let mut scene = Scene::new();
    for round in 1..=3 {
        let channel = scene.opened(0, 1 << 20);
        scene.put(Put::new().data_skip(0, 0, 2, &[0; 30]).data(0, 0, &[0; 40]));
        scene.core.send(channel, [0; 50]).expect("sent");
        scene.core.send(channel, [0; 60]).expect("sent");
        scene.said();
        scene.core.close_channel(channel, ErrorCode::NO_ERROR);
        scene.put(Put::new().reset(flag::STOP | flag::ABORT, 0, 0));
        scene.said();
        let stats = scene.core.stats();
        assert_eq!(stats.channels, 0);
        let counted = (stats.messages_in, stats.bytes_in, stats.skipped_in);
        assert_eq!(counted, (2 * round, 70 * round, 2 * round));
        assert_eq!(
            (stats.messages_out, stats.bytes_out),
            (2 * round, 110 * round)
        );
    }
}

/// `Debug` names a reader that is behind, and no other: one that takes everything at once is not
/// behind while its credit is on its way.
#[test]
fn debug_blames_only_a_reader_that_is_behind() {
    let debug = |scene: &Scene| format!("{:?}", scene.core);
    for reads in [true, false] {
        let mut scene = Scene::new();
        scene.reads = reads;
        let channel = scene.opened(0, 60_000);
        let window = scene
            .core
            .channel_stats(channel)
            .expect("open")
            .receive_window;
        // As far as the window goes, with what the frames cost.
        let mut left = window;
        while left >= 64 {
            let len = (left - 64).min(10_000) as usize;
            scene.put(Put::new().data(0, 0, &vec![7; len]));
            left -= len as u64 + 64;
        }
        let text = debug(&scene);
        assert_eq!(text.contains("the reader is behind"), !reads, "{text}");
        let shouts = |word: &str| word.len() > 3 && word.chars().all(char::is_uppercase);
        assert!(
            !text.split(|c: char| !c.is_alphabetic()).any(shouts),
            "{text}"
        );
        // Ours waits without credit from the peer.
        scene.core.send(channel, [0; 30_000]).expect("sent");
        scene.core.send(channel, [0; 30_000]).expect("queued");
        scene.said();
        let text = debug(&scene);
        assert!(text.contains("without credit from the peer"), "{text}");
    }
}
