//! Plays a tape of market data and a file over the loopback, on four channels of each connection,
//! and checks and measures what arrives.
//!
//! ```text
//! cargo run --release -p tickwire-replay
//! ```
//!
//! A server plays the tape to clients in the same process: best bids and offers on `bbo`, where a
//! quote replaces the one of its symbol that waits, `trades` and `depth`, which lose nothing, all
//! transcoded from JSON to SBE when the tape is loaded. Then the same again while a file of 64 MiB
//! is sent on `bulk`, at the lowest priority, again and again until the tape is over: this phase
//! ends with the file that is on its way then. Each phase has connections of its own.
//!
//! The clients check every message (count, order, running hash, checksum of the file), decode it
//! in the receive buffer and keep the book: its sequence must have no gap, and at the end every
//! level must be the one that the JSON makes, and the last quote of every symbol must have come.
//! Shows rate, progress, lag and the top of the book as it goes, and then a table. Exits with 1 if
//! messages and skipped ones are not what was published on any channel, or anything else is not as
//! it should be. `--help` lists the options.
//!
//! | file | |
//! |---|---|
//! | `tape`, `generator`, `bulk` | what is played: a recording, or something like it; the file |
//! | `transcode`, `expected` | JSON to SBE; what a client must know at the end, from the JSON alone |
//! | `feeds` | the channels, and what is published on them |
//! | `server`, `client`, `ends` | the two handlers; their reactors, on mio or on tokio |
//! | `check`, `follow`, `book`, `cost` | whether a client got all; what it knows; what decoding costs |
//! | `play`, `clock` | a phase's shared state; the thread that says what is due |
//! | `run`, `live`, `stats`, `report` | a phase; its line, its figures, the table |

mod args;
mod book;
mod bulk;
mod check;
mod client;
mod clock;
mod cost;
mod ends;
mod expected;
mod feeds;
mod follow;
mod generator;
mod live;
mod play;
mod report;
mod run;
mod server;
mod stats;
mod tape;
#[cfg(test)]
mod tests;
mod transcode;

use std::alloc::System;
use std::fs::File;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use args::{Args, Speed};
use bulk::Bulk;
use feeds::Feeds;
use live::Live;
use play::Material;
use report::Table;
use stats::Summary;
use tape::Tape;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

/// Counts for the table, and hands everything to the system.
#[global_allocator]
static ALLOCATOR: alloc_tracker::Allocator<System> = alloc_tracker::Allocator::system();

/// Of the generated tape: the day that the recording is from.
const SEED: u64 = 20_240_808;

/// The clock, the server, the clients.
const SPINNING_THREADS: usize = 3;

fn main() -> ExitCode {
    if std::env::args().any(|arg| arg == "--help") {
        println!("{}", args::USAGE);
        return ExitCode::SUCCESS;
    }
    match Args::parse(lexopt::Parser::from_env()).and_then(|args| replay(&args)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("replay: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything arrived as it was sent, and the books are right.
fn replay(args: &Args) -> Result<bool> {
    let json_tape = tape_of(args)?;
    // Before the run: a bad name should not cost one.
    let told = |e| {
        format!(
            "--json {}: {e}",
            args.json.as_deref().unwrap_or("".as_ref()).display()
        )
    };
    let json = args
        .json
        .as_ref()
        .map(File::create)
        .transpose()
        .map_err(told)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if args.spin && cores < SPINNING_THREADS {
        eprintln!(
            "replay: --spin wants {SPINNING_THREADS} cores, and here are {cores}: they will wait for each other"
        );
    }
    println!("tape: {}", report::Shape(&json_tape));
    let (sbe, expected) = transcode::transcode(&json_tape)?;
    let json_bytes = json_tape.payload_bytes();
    println!("sent: {}", report::Transcoded(&sbe, json_bytes));
    let cost = cost::measure(&sbe, &expected).map_err(|e| format!("tape from memory: {e}"))?;
    let material = Arc::new(Material {
        feeds: Feeds::new(&sbe)?,
        expected,
        bulk: bulk_of(args)?,
    });
    let mut summary = summary_of(args, &material, cost);
    let mut right = true;
    for with_bulk in [false, true] {
        if with_bulk && material.bulk.is_none() {
            break;
        }
        let outcome = run::run(args, &material, with_bulk, Live::new(false))?;
        summary.phases.push(outcome.phase);
        summary.market = outcome.market;
        let phase = if with_bulk { "with" } else { "without" };
        for (client, fault) in &outcome.faults {
            println!("  WRONG: {phase} bulk, client {client}: {fault}");
        }
        right &= outcome.faults.is_empty();
    }
    print!("{}", Table(&summary));
    if let Some(mut file) = json {
        writeln!(file, "{}", report::json(&summary, right)).map_err(told)?;
    }
    Ok(right)
}

fn summary_of(args: &Args, material: &Material, cost: cost::Cost) -> Summary {
    Summary {
        driver: args.driver,
        speed: args.speed.to_string(),
        connections: args.connections,
        tape: match &args.tape {
            Some(path) => path.display().to_string(),
            None => "generated".into(),
        },
        tape_seconds: material.feeds.seconds(),
        ticks: material.feeds.len(),
        symbols: material.feeds.symbols().len(),
        rounds: args.rounds(),
        open_loop: args.speed != Speed::Max,
        phases: Vec::new(),
        market: Default::default(),
        levels: material.expected.levels(),
        cost,
    }
}

/// The file of the second phase.
fn bulk_of(args: &Args) -> Result<Option<Bulk>> {
    Ok(match (&args.bulk_file, args.bulk_mib) {
        (Some(path), _) => Some(Bulk::load(path)?),
        (None, 0) => None,
        (None, mib) => Some(Bulk::generated(mib)),
    })
}

/// The tape in JSON, as it is recorded, but for the snapshot.
fn tape_of(args: &Args) -> Result<Tape> {
    let mut tape = match &args.tape {
        Some(path) => {
            let told = |e| format!("tape {}: {e}", path.display());
            tape::load(path)?.snapshot_first().map_err(told)?
        }
        None => generator::generate(SEED)?.snapshot_first()?,
    };
    if let Some(length) = args.length() {
        tape.truncate(length);
    }
    Ok(tape)
}
