//! Plays a tape of market data over the loopback, and checks and measures what arrives.
//!
//! ```text
//! cargo run --release --example replay
//! ```
//!
//! A server plays the tape to clients in the same process: book tickers, trades and changes of the
//! order book, transcoded from JSON to SBE when the tape is loaded. The clients check every message
//! (count, order, running hash), decode it in the receive buffer and keep the book; its sequence
//! must have no gap, and at the end of the tape every level must be the one that the JSON makes.
//! Shows rate, progress, lag and the top of the book as it goes, and then a table. Exits with 1 if
//! a client lost a message, got one out of order or with other bytes, or has another book.
//! `--help` lists the options.
//!
//! | file | |
//! |---|---|
//! | `tape`, `generator` | what is played: a recording, or something like it |
//! | `transcode`, `expected` | JSON to SBE; what a client must know at the end, from the JSON alone |
//! | `follow`, `book`, `cost` | what a client knows, and its order book; what decoding costs |
//! | `play`, `clock` | the run's shared state; the thread that says what is due |
//! | `on_tokio`, `counted`, `on_mio`, `ends` | the server and the clients on either driver |
//! | `client`, `check` | one client; whether what it got is right |
//! | `run`, `live`, `stats`, `report` | the run; its line, its figures, its table |

mod args;
mod book;
mod check;
mod client;
mod clock;
mod cost;
mod counted;
mod ends;
mod expected;
mod follow;
mod generator;
mod live;
mod on_mio;
mod on_tokio;
mod play;
mod report;
mod run;
mod stats;
mod tape;
#[cfg(test)]
mod tests;
mod transcode;

use std::alloc::System;
use std::fs::File;
use std::io::Write;
use std::process::ExitCode;

use args::Args;
use expected::Expected;
use live::Live;
use report::Table;
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
    let json_bytes = json_tape.payload_bytes();
    let (tape, expected) = sent_of(args, json_tape)?;
    let mut cost = None;
    if let Some(expected) = &expected {
        println!("sent: {}", report::Transcoded(&tape, json_bytes));
        let measured = cost::measure(&tape, expected);
        cost = Some(measured.map_err(|e| format!("tape from memory: {e}"))?);
    }
    let mut outcome = run::run(args, tape, expected, Live::new(false))?;
    outcome.summary.cost = cost;
    let right = outcome.faults.is_empty();
    print!("{}", Table(&outcome.summary));
    for (client, fault) in &outcome.faults {
        println!("  WRONG: client {client}: {fault}");
    }
    if let Some(mut file) = json {
        writeln!(file, "{}", report::json(&outcome.summary, right)).map_err(told)?;
    }
    Ok(right)
}

/// What is sent, and what clients that decode it must know at its end.
fn sent_of(args: &Args, json: Tape) -> Result<(Tape, Option<Expected>)> {
    if args.raw {
        return Ok((json, None));
    }
    let (tape, expected) = transcode::transcode(&json)?;
    Ok((tape, Some(expected)))
}

/// The tape in JSON, as it is recorded.
fn tape_of(args: &Args) -> Result<Tape> {
    let mut tape = match &args.tape {
        Some(path) => tape::load(path)?,
        None => generator::generate(SEED)?,
    };
    if let Some(length) = args.length() {
        tape.truncate(length);
    }
    Ok(tape)
}
