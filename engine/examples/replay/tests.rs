//! Whole runs on real sockets.

use std::sync::Arc;
use std::time::Duration;

use tickwire::Message;

use crate::args::{Args, Driver, Speed};
use crate::client::Client;
use crate::live::Live;
use crate::play::Play;
use crate::run::{Outcome, run};
use crate::stats::per_message;
use crate::{SEED, generator};

fn play(args: &Args) -> Outcome {
    let mut tape = generator::generate(SEED).expect("a tape");
    if let Some(length) = args.length() {
        tape.truncate(length);
    }
    run(args, tape, Live::new(true)).expect("a run")
}

/// What holds for every run.
fn is_right(args: &Args, outcome: &Outcome) {
    assert_eq!(outcome.faults, []);
    let s = &outcome.summary;
    let all = s.ticks as u64 * args.connections as u64 * args.rounds();
    assert_eq!((s.messages, s.latency.count), (all, all));
}

fn on_both(args: Args) -> [Outcome; 2] {
    [Driver::Tokio, Driver::Mio].map(|driver| {
        let args = Args {
            driver,
            ..args.clone()
        };
        let outcome = play(&args);
        is_right(&args, &outcome);
        outcome
    })
}

#[test]
fn paced_by_the_tape_everything_arrives_and_not_early() {
    let args = Args {
        speed: Speed::Times(100),
        seconds: Some(20.0),
        connections: 3,
        ..Args::default()
    };
    for outcome in on_both(args) {
        let s = outcome.summary;
        // Twenty seconds, a hundred times as fast; however busy the machine, not faster.
        assert!(s.elapsed >= Duration::from_secs_f64(s.tape_seconds / 100.0));
        assert!(s.latency.p50 > Duration::ZERO);
    }
}

#[test]
fn as_fast_as_it_goes_nothing_is_lost_and_messages_share_system_calls() {
    let args = Args {
        speed: Speed::Max,
        rounds: Some(3),
        ..Args::default()
    };
    for outcome in on_both(args) {
        let s = outcome.summary;
        assert!(s.refusals > 0, "no queue was ever full");
        let calls = s.steady.server.writes + s.steady.clients.reads;
        if let Some(calls) = per_message(calls, s.steady.messages) {
            assert!(calls < 0.5, "{calls} calls per message");
        }
    }
}

#[test]
fn a_slow_client_is_seen_and_loses_nothing() {
    let args = Args {
        speed: Speed::Max,
        rounds: Some(1),
        connections: 2,
        slow: Some(Duration::from_millis(1)),
        ..Args::default()
    };
    for outcome in on_both(args) {
        let s = outcome.summary;
        assert!(s.refusals > 0, "no queue was ever full");
        assert!(s.queued_bytes_most > 100_000, "{}", s.queued_bytes_most);
    }
}

#[test]
fn what_a_client_finds_wrong_fails_the_run() {
    let tape = generator::generate(SEED).expect("a tape");
    let second = tape.payload(1).to_vec();
    let play = Play::new(tape, Speed::Max, 1, 2).expect("a play");
    let play = Arc::new(play);
    let mut corrupted = Client::new(&play, 1);
    assert!(corrupted.message(Message::Binary(play.tape.payload(0))));
    assert!(!corrupted.message(Message::Binary(&second[1..])));
    corrupted.finish(None);
    assert!(play.is_stopped() && !play.is_finished());
    Client::new(&play, 0).finish(None);
    assert!(play.is_finished());
    let told: Vec<String> = play
        .faults()
        .into_iter()
        .map(|(client, fault)| format!("{client}: {fault}"))
        .collect();
    assert_eq!(told.len(), 2);
    assert!(told[0].starts_with("0: 0 of "), "{told:?}");
    assert!(told[1].starts_with("1: message 1 ("), "{told:?}");
}
