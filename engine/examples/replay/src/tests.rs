//! Whole runs on real sockets, and what a client finds wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tickwire::Timestamp;
use tickwire::channels::{ChannelConfig, ChannelId, Charge, Data, Mux, OpenOptions, Received};

use crate::args::{Args, Driver, Speed};
use crate::book::BookFault;
use crate::bulk::Bulk;
use crate::check::Fault;
use crate::client::Client;
use crate::feeds::{Feeds, Stamp, Topic};
use crate::live::Live;
use crate::play::{Material, Play};
use crate::run::{Outcome, run};
use crate::stats::{Group, Row, per_message};
use crate::tape::{Kind, Tape, load};
use crate::transcode::transcode;
use crate::{SEED, generator};

/// The recording, where it is, with its snapshot in front.
pub(crate) fn recording() -> Option<Tape> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
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
    let tape = load(&path).expect("the recording");
    Some(tape.snapshot_first().expect("a snapshot"))
}

/// A generated tape, with its snapshot in front.
pub(crate) fn generated(seed: u64) -> Tape {
    let tape = generator::generate(seed).expect("a tape");
    tape.snapshot_first().expect("a snapshot")
}

fn material_of(args: &Args, mut json: Tape) -> Arc<Material> {
    if let Some(length) = args.length() {
        json.truncate(length);
    }
    let (sbe, expected) = transcode(&json).expect("SBE");
    Arc::new(Material {
        feeds: Feeds::new(&sbe).expect("feeds"),
        expected,
        bulk: (args.bulk_mib > 0).then(|| Bulk::generated(args.bulk_mib)),
    })
}

/// Rows of a group on a channel.
fn row(outcome: &Outcome, group: Group, topic: Topic) -> &Row {
    let mut rows = outcome.phase.rows.iter();
    rows.find(|row| row.group == group && row.topic == topic)
        .expect("a row")
}

/// What holds for every phase: all is accounted for, and only quotes are skipped.
fn is_right(args: &Args, material: &Material, outcome: &Outcome) {
    assert_eq!(outcome.faults, []);
    for row in &outcome.phase.rows {
        let tally = row.tally;
        if row.topic == Topic::Bulk {
            assert_eq!((tally.skipped, row.latency), (0, None));
            continue;
        }
        let each = material.feeds.tape(row.topic).len() as u64 * args.rounds();
        assert_eq!(tally.accounted(), each * row.clients as u64, "{row:?}");
        assert!(row.topic == Topic::Bbo || tally.skipped == 0, "{row:?}");
        let latency = row.latency.expect("latencies");
        assert_eq!(latency.count, tally.messages);
    }
    assert!(outcome.market.top.is_some());
    if let Some(bulk) = outcome.phase.bulk {
        assert!(bulk.files >= args.connections as u64);
        assert_eq!(bulk.bytes, bulk.files * bulk.file_bytes);
    }
}

/// Both phases on both drivers.
fn on_both(args: &Args, json: &Tape) -> Vec<Outcome> {
    let material = material_of(args, json.clone());
    let mut outcomes = Vec::new();
    for driver in [Driver::Tokio, Driver::Mio] {
        for with_bulk in [false, true] {
            let args = Args {
                driver,
                ..args.clone()
            };
            let outcome = run(&args, &material, with_bulk, Live::new(true)).expect("a run");
            assert_eq!(outcome.phase.bulk.is_some(), with_bulk);
            is_right(&args, &material, &outcome);
            outcomes.push(outcome);
        }
    }
    outcomes
}

#[test]
fn paced_by_the_tape_everything_arrives_and_not_early() {
    let args = Args {
        speed: Speed::Times(100),
        seconds: Some(20.0),
        connections: 3,
        bulk_mib: 1,
        ..Args::default()
    };
    let tape = generated(SEED);
    for outcome in on_both(&args, &tape) {
        // The last message is due after 0.2 s; however busy the machine, it comes not before.
        let mut played = tape.clone();
        played.truncate(Duration::from_secs(20));
        assert!(outcome.phase.elapsed >= played.duration() / 100);
        for row in &outcome.phase.rows {
            assert!(row.latency.is_none_or(|l| l.p50 > Duration::ZERO));
        }
    }
}

#[test]
fn as_fast_as_it_goes_nothing_is_lost_and_messages_share_system_calls() {
    let args = Args {
        speed: Speed::Max,
        rounds: Some(3),
        bulk_mib: 2,
        ..Args::default()
    };
    for outcome in on_both(&args, &generated(SEED)) {
        let phase = outcome.phase;
        let refused = |topic: Topic| phase.refusals[topic.index()];
        assert!(refused(Topic::Trades) > 0, "no queue was ever full");
        assert_eq!(refused(Topic::Bbo), 0, "quotes replace each other");
        let calls = phase.steady.server.writes + phase.steady.clients.reads;
        if let Some(calls) = per_message(calls, phase.steady.messages) {
            assert!(calls < 0.5, "{calls} calls per message");
        }
    }
}

/// Book tickers of five symbols, in turn.
fn of_five_symbols(json: &Tape) -> Tape {
    let mut tape = Tape::default();
    for index in 0..json.len() {
        let at_ns = u64::try_from(json.at(index).as_nanos()).expect("minutes");
        let mut payload = json.payload(index).to_vec();
        if json.kind(index) == Kind::BookTicker {
            let text = String::from_utf8(payload).expect("JSON");
            let symbol = format!("\"s\":\"{}USDT\"", ["A", "B", "C", "D", "E"][index % 5]);
            payload = text.replace("\"s\":\"BTCUSDT\"", &symbol).into_bytes();
        }
        tape.push_as(at_ns, json.kind(index), &payload)
            .expect("in order");
    }
    tape
}

#[test]
fn a_slow_client_gets_the_newest_quotes_and_holds_nobody_up() {
    let rest = Duration::from_millis(100);
    let args = Args {
        speed: Speed::Times(100),
        seconds: Some(20.0),
        connections: 2,
        slow: Some(rest),
        bulk_mib: 1,
        ..Args::default()
    };
    for outcome in on_both(&args, &of_five_symbols(&generated(SEED))) {
        let slow = row(&outcome, Group::Slow, Topic::Bbo);
        let others = row(&outcome, Group::Others, Topic::Bbo);
        assert_eq!((slow.clients, others.clients), (1, 1));
        assert!(slow.tally.skipped > 0, "{slow:?}");
        // A window of them for each rest, and one before the first.
        let rests = outcome.phase.elapsed.as_millis() / rest.as_millis();
        let most = 32 * (rests + 2);
        assert!(u128::from(slow.tally.messages) <= most, "{slow:?}, {most}");
    }
}

#[test]
fn a_book_with_a_gap_fails_the_run() {
    let args = Args {
        speed: Speed::Max,
        rounds: Some(1),
        ..Args::default()
    };
    let (sbe, expected) = transcode(&generated(SEED)).expect("SBE");
    let depths = (0..sbe.len()).filter(|&i| sbe.kind(i) == Kind::Depth);
    let dropped = depths.clone().nth(100).expect("one");
    let mut tape = Tape::default();
    for index in (0..sbe.len()).filter(|&i| i != dropped) {
        let at_ns = u64::try_from(sbe.at(index).as_nanos()).expect("minutes");
        tape.push_as(at_ns, sbe.kind(index), sbe.payload(index))
            .expect("in order");
    }
    let material = Arc::new(Material {
        feeds: Feeds::new(&tape).expect("feeds"),
        expected,
        bulk: None,
    });
    let outcome = run(&args, &material, false, Live::new(true)).expect("a run");
    assert!(!outcome.faults.is_empty());
    for (_, fault) in outcome.faults {
        let Fault::Book {
            topic,
            message,
            what,
        } = fault
        else {
            // The run was over before this client came to the gap.
            assert!(matches!(fault, Fault::Channel(_)), "{fault}");
            continue;
        };
        // The snapshot, and a hundred changes.
        assert_eq!((topic, message), (Topic::Depth, 101));
        assert!(matches!(what, BookFault::Gap { .. }), "{what}");
    }
}

/// A client of a short tape, and any channel.
fn client() -> (Play, Client, ChannelId) {
    let args = Args {
        seconds: Some(1.0),
        bulk_mib: 1,
        ..Args::default()
    };
    let material = material_of(&args, of_five_symbols(&generated(SEED)));
    let play = Play::new(&args, &material, true).expect("a play");
    let client = Client::new(&play, 0);
    let mut core = Mux::new(ChannelConfig::default(), Timestamp(0)).unwrap();
    let channel = core.open(OpenOptions::new("any")).expect("room");
    (play, client, channel)
}

fn received(channel: ChannelId, data: &[u8], seq: u64, skipped: u64) -> Received<'_> {
    Received {
        channel,
        data: Data::Lent(data),
        seq,
        skipped,
        charge: Charge::default(),
    }
}

/// A quote behind its stamp.
fn quote(play: &Play, number: u64) -> Vec<u8> {
    let mut message = Vec::new();
    Stamp { number, sent_ns: 0 }.put(&mut message);
    message.extend_from_slice(play.feeds().quote(number).0);
    message
}

#[test]
fn messages_and_skipped_ones_must_make_the_sequence() {
    for (topic, seq, skipped, right) in [
        (Topic::Trades, 0, 0, true),
        (Topic::Trades, 1, 0, false),
        (Topic::Trades, 1, 1, false),
        (Topic::Bbo, 0, 0, true),
        (Topic::Bbo, 3, 3, true),
        (Topic::Bbo, 3, 2, false),
        (Topic::Bbo, 0, 3, false),
        (Topic::Bulk, 1, 1, false),
    ] {
        let (play, mut client, channel) = client();
        let payload = match topic {
            Topic::Bbo => quote(&play, 3),
            Topic::Bulk => vec![0; 10],
            feed => play.feeds().tape(feed).payload(0).to_vec(),
        };
        let taken = client.take(&play, topic, &received(channel, &payload, seq, skipped));
        let wrong = matches!(taken, Err(Fault::Sequence { .. }));
        assert_eq!((taken.is_ok(), wrong), (right, !right), "{topic} {seq}");
    }
}

#[test]
fn quotes_must_be_those_published_and_newer_ones_come_later() {
    let (play, mut client, channel) = client();
    let mut seq = 0;
    let mut take = |client: &mut Client, message: &[u8]| {
        let taken = client.take(&play, Topic::Bbo, &received(channel, message, seq, 0));
        seq += 1;
        taken
    };
    assert_eq!(take(&mut client, &quote(&play, 7)), Ok(Some((7, Some(0)))));
    let total = play.total(Topic::Bbo);
    let symbol = |number| play.feeds().quote(number).1;
    let earlier = (0..7).rfind(|&n| symbol(n) == symbol(7)).expect("one");
    let stale = Fault::Stale {
        message: earlier,
        after: 7,
    };
    assert_eq!(take(&mut client, &quote(&play, earlier)), Err(stale));
    let mut flipped = quote(&play, 9);
    flipped[20] ^= 1;
    let corrupted = take(&mut client, &flipped);
    assert!(
        matches!(
            corrupted,
            Err(Fault::Corrupted {
                message: 9,
                byte: 4,
                ..
            })
        ),
        "{corrupted:?}"
    );
    let more = take(&mut client, &quote(&play, total));
    assert_eq!(more, Err(Fault::TooMany { sent: total }));
    assert_eq!(take(&mut client, &[0; 15]), Err(Fault::NoStamp));
}

#[test]
fn the_last_quote_of_every_symbol_must_come() {
    // Without the last quote of each symbol in turn, and, at last, with all.
    for missing in (0..5).map(Some).chain([None]) {
        let (play, mut client, channel) = client();
        let total = play.total(Topic::Bbo);
        let lasts = play
            .feeds()
            .symbols()
            .iter()
            .map(|symbol| symbol.last as u64);
        let mut lasts: Vec<u64> = lasts.collect();
        assert_eq!(lasts.len(), 5);
        if let Some(missing) = missing {
            lasts.remove(missing);
        }
        lasts.sort_unstable();
        let mut seq = 0;
        for (place, number) in lasts.iter().enumerate() {
            let skipped = if place == 0 {
                total - lasts.len() as u64
            } else {
                0
            };
            seq += skipped;
            let message = quote(&play, *number);
            let taken = client.take(
                &play,
                Topic::Bbo,
                &received(channel, &message, seq, skipped),
            );
            assert!(taken.is_ok(), "{taken:?}");
            seq += 1;
        }
        let finished = client.finish(&play, Topic::Bbo);
        match missing {
            None => assert_eq!(finished, Ok(0)),
            Some(_) => assert!(matches!(finished, Err(Fault::LastMissing { .. }))),
        }
    }
}

#[test]
fn what_never_came_is_missed_when_its_channel_ends() {
    for topic in Topic::ALL {
        let (play, mut client, _) = client();
        let told = client.finish(&play, topic).expect_err("nothing came");
        let told = told.to_string();
        assert!(!told.is_empty() && !told.contains('\n'), "{topic}: {told}");
    }
}
