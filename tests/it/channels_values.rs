//! Values at their bounds, and what accessors say.

use std::time::Duration;

use bytes::Bytes;
use harness::frames_mux::{Put, Said, flag};
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ErrorCode, Event, Mode, OpenError, OpenOptions, SharedFrame,
};

use super::channels_hostile_kit::{Scene, Told, shared_aliases};

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

#[test]
fn codes_have_names_and_close_codes() {
    for (code, name, close) in [
        (ErrorCode::NO_ERROR, "NO_ERROR", 4000),
        (ErrorCode::FLOW, "FLOW", 4002),
        (ErrorCode::INTERNAL, "INTERNAL", 4009),
        (ErrorCode(10), "code 10", 4010),
        (ErrorCode(999), "code 999", 4999),
        (ErrorCode(1000), "code 1000", 4999),
        (ErrorCode(u32::MAX), "code 4294967295", 4999),
    ] {
        assert_eq!(code.to_string(), name);
        assert_eq!(format!("{code:?}"), name);
        assert_eq!(code.close_code(), close);
    }
}

#[test]
fn the_largest_values_are_taken_and_no_larger_ones() {
    let config = |message_bytes_max| ChannelConfig::default().message_bytes_max(message_bytes_max);
    assert!(config(1 << 30).check().is_ok());
    assert!(config((1 << 30) + 1).check().is_err());

    let mut scene = Scene::new();
    let mut open = |ttl| {
        let options = OpenOptions::new("t").mode(Mode::Ttl(ttl));
        scene.core.open(options)
    };
    let longest = Duration::from_millis(u32::MAX.into());
    assert!(open(longest).is_ok());
    for ttl in [
        longest + Duration::from_millis(1),
        Duration::from_micros(999),
    ] {
        let opened = open(ttl);
        assert!(matches!(opened, Err(OpenError::Options(_))), "{ttl:?}");
    }
}

#[test]
fn a_run_and_a_message_give_what_they_hold() {
    let mut scene = Scene::new();
    scene.opened(0, 50_000);
    let record = Put::new().run(0, 2, 3, b"aabbcc").data(0, 0, b"whole");
    let mut incoming = scene.core.receive(&record.0, scene.now);
    let Some(Event::Run(run)) = scene.core.next(&mut incoming) else {
        panic!("no run")
    };
    assert_eq!((run.count(), run.iter().len()), (3, 3));
    assert_eq!(run.iter().last(), Some(&b"cc"[..]));
    let Some(Event::Message(message)) = scene.core.next(&mut incoming) else {
        panic!("no message")
    };
    assert_eq!(message.data.into_bytes(), Bytes::from_static(b"whole"));
    let frame = SharedFrame::new(7, b"whole").expect("a frame");
    assert_eq!(frame.to_bytes(), Bytes::from_static(b"whole"));
    assert_eq!((frame.payload(), frame.alias()), (&b"whole"[..], 7));
}

/// What was left out before each fragment of a message is told with the whole.
#[test]
fn what_was_left_out_before_the_fragments_of_a_message_is_told() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 50_000);
    let told = scene.put(
        Put::new()
            .data_skip(flag::MORE, 0, 5, b"in ")
            .data(flag::MORE, 0, b"three ")
            .data(0, 0, b"parts"),
    );
    let whole = Told::Message {
        channel,
        data: b"in three parts".to_vec(),
        seq: 5,
        skipped: 5,
    };
    assert_eq!(told, [whole]);
}

#[test]
fn the_least_values_are_taken_and_no_smaller_ones() {
    for (bytes, taken) in [(1023, false), (1024, true), (1 << 20, true)] {
        let config = ChannelConfig::default()
            .record_bytes_max(bytes)
            .metadata_bytes_max(16);
        let built = config.check();
        assert_eq!(built.is_ok(), taken, "{bytes}: {built:?}");
    }
}

/// What channels that have ended have counted stays in the totals.
#[test]
fn totals_outlive_their_channels() {
    let mut scene = Scene::new();
    for round in 1..4 {
        let channel = scene.opened(0, 50_000);
        scene.core.send(channel, b"four").expect("room");
        scene.put(
            Put::new()
                .data_skip(0, 0, 2, b"seven b")
                .data(flag::FIN, 0, b""),
        );
        scene.core.finish_sending(channel).expect("open");
        scene.said();
        scene.core.let_go(channel, ErrorCode::NO_ERROR);
        scene.said();
        assert_eq!(scene.core.stats().channels, 0);
        let stats = scene.core.stats();
        let counts = [stats.messages_in, stats.messages_out, stats.skipped_in];
        assert_eq!(counts, [round, round, 2 * round]);
        assert_eq!((stats.bytes_in, stats.bytes_out), (7 * round, 4 * round));
    }
}
