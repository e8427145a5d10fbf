//! Whole runs on real sockets.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tickwire::Message;

use crate::args::{Args, Driver, Speed};
use crate::book::BookFault;
use crate::check::Fault;
use crate::client::Client;
use crate::live::Live;
use crate::play::Play;
use crate::run::{Outcome, run};
use crate::stats::per_message;
use crate::tape::{Kind, Tape, load};
use crate::{SEED, generator, sent_of};

/// The recording, where it is.
pub(crate) fn recording() -> Option<Tape> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let data = std::env::var_os("TICKWIRE_DATA").map_or_else(
        || root.join("../shared/data"),
        |dir| {
            let dir = PathBuf::from(dir);
            if dir.is_absolute() {
                dir
            } else {
                root.join(dir)
            }
        },
    );
    let path = data.join("binance/btcusdt_spot_20240808.gz");
    if !path.exists() {
        eprintln!("SKIPPED: no recording at {}", path.display());
        return None;
    }
    Some(load(&path).expect("the recording"))
}

fn play(args: &Args) -> Outcome {
    let mut tape = generator::generate(SEED).expect("a tape");
    if let Some(length) = args.length() {
        tape.truncate(length);
    }
    let (tape, expected) = sent_of(args, tape).expect("SBE");
    run(args, tape, expected, Live::new(true)).expect("a run")
}

/// What holds for every run.
fn is_right(args: &Args, outcome: &Outcome) {
    assert_eq!(outcome.faults, []);
    let s = &outcome.summary;
    let all = s.ticks as u64 * args.connections as u64 * args.rounds();
    assert_eq!((s.messages, s.latency.count), (all, all));
    let top = s.market.and_then(|market| market.top);
    assert_eq!(top.is_some(), !args.raw);
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

#[test]
fn a_book_with_a_gap_fails_the_run() {
    let args = Args {
        speed: Speed::Max,
        rounds: Some(1),
        ..Args::default()
    };
    let whole = generator::generate(SEED).expect("a tape");
    let (sbe, expected) = sent_of(&args, whole).expect("SBE");
    let depths = (0..sbe.len()).filter(|&i| sbe.kind(i) == Kind::Depth);
    let dropped = depths.clone().nth(100).expect("one");
    let next = depths.clone().nth(101).expect("one");
    let mut tape = Tape::default();
    for index in (0..sbe.len()).filter(|&i| i != dropped) {
        let at_ns = u64::try_from(sbe.at(index).as_nanos()).expect("minutes");
        tape.push_as(at_ns, sbe.kind(index), sbe.payload(index))
            .expect("in order");
    }
    let outcome = run(&args, tape, expected, Live::new(true)).expect("a run");
    assert_eq!(outcome.faults.len(), args.connections);
    for (_, fault) in outcome.faults {
        let Fault::Book { message, what } = fault else {
            // The run was over before this client came to the gap.
            assert!(matches!(fault, Fault::Ended { .. }), "{fault}");
            continue;
        };
        assert_eq!(message, next as u64 - 1);
        assert!(matches!(what, BookFault::Gap { .. }), "{what}");
    }
}

#[test]
fn raw_payloads_are_played_as_they_are() {
    let args = Args {
        speed: Speed::Max,
        rounds: Some(1),
        raw: true,
        ..Args::default()
    };
    for outcome in on_both(args) {
        let s = outcome.summary;
        let tape = generator::generate(SEED).expect("a tape");
        assert_eq!(s.bytes, 4 * tape.payload_bytes() as u64);
        assert_eq!((s.market, s.levels), (None, None));
    }
}
