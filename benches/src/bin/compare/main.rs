//! Side-by-side comparison of WebSocket echo servers. Each server is a process of its own on one
//! core; this process loads it over loopback TCP from another core.
//!
//! ```text
//! cargo build --release -p tickwire --example echo --features mio
//! cargo run --release -p tickwire-benches --bin compare -- --quick
//! ```
//!
//! Modes: throughput and CPU per message (the default), `--latency`, `--idle`, `--syscalls`,
//! `--allocations`, and `--everything`. `draw` makes figures from JSON files of earlier runs.

mod allocations;
mod cli;
mod figures;
mod idle;
mod latency;
mod left_out;
mod load;
mod measure;
mod peers;
mod process;
mod server;
mod stats;
mod syscalls;
mod tape;
mod verify;
mod wire;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use serde::{Deserialize, Serialize};

use crate::cli::{Cli, Command, Compare};
use crate::left_out::LeftOut;
use crate::peers::ServeOptions;

/// Connections whose memory `--everything` measures.
const IDLE_CONNECTIONS: usize = 5000;

fn print_drawn(written: &[PathBuf]) {
    if written.is_empty() {
        println!("nothing is drawn: a figure needs a line of at least two points");
    }
    for path in written {
        println!("drawn: {}", path.display());
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Command::Serve {
            peer,
            listen,
            core,
            spin,
        }) => peers::serve(peer, ServeOptions { listen, core, spin }),
        Some(Command::Draw { runs, into }) => {
            figures::draw_files(&runs, &into).map(|written| print_drawn(&written))
        }
        None => compare(&cli.compare),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Results of the run. A mode that was not asked for has none.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Results {
    throughput: Vec<measure::Outcome>,
    latency: Vec<latency::Outcome>,
    idle: Vec<idle::Row>,
    syscalls: Vec<syscalls::Row>,
    allocations: Vec<allocations::Row>,
}

impl Results {
    /// Measures in the requested modes, one after the other.
    fn measured(options: &Compare, left_out: &mut LeftOut) -> Result<Results> {
        let all = options.everything;
        let mode = options.latency || options.syscalls || options.allocations;
        let mut results = Results::default();
        if all || !mode && options.idle.is_none() {
            results.throughput = measure::run(options, left_out)?;
        }
        if all || options.latency {
            results.latency = latency::run(options, left_out)?;
        }
        if let Some(connections) = options.idle.or(all.then_some(IDLE_CONNECTIONS)) {
            results.idle = idle::run(options, connections, left_out)?;
        }
        if all || options.syscalls {
            results.syscalls = syscalls::run(options, left_out)?;
        }
        if all || options.allocations {
            results.allocations = allocations::run(options, left_out)?;
        }
        Ok(results)
    }
}

/// The whole run, as written to the JSON file.
#[derive(Debug, Serialize, Deserialize)]
struct Report {
    machine: Machine,
    cpu_clock: String,
    server_core: Option<usize>,
    client_core: Option<usize>,
    repeats: usize,
    seconds_per_repeat: f64,
    /// Peers that could not be measured, and why.
    left_out: Vec<String>,
    results: Results,
}

/// The machine, and its load before the run: other processes spoil absolute numbers.
#[derive(Debug, Serialize, Deserialize)]
struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    load_average_before: String,
}

impl Machine {
    fn here() -> Machine {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let cpu = cpu
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .unwrap_or("unknown");
        Machine {
            cpu: cpu.trim_start_matches([' ', '\t', ':']).to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_average_before: read("/proc/loadavg").trim().to_owned(),
        }
    }
}

fn compare(options: &Compare) -> Result<()> {
    // Before pinning, which hides the other cores.
    let machine = Machine::here();
    if let Some(core) = options.client_core.0 {
        process::pin(core)?;
    }
    let seconds_per_repeat = options.duration()?.as_secs_f64();
    println!(
        "{}, {} cores, Linux {}, load average {}",
        machine.cpu, machine.cores, machine.kernel, machine.load_average_before
    );
    println!("CPU clocks: {}", process::CPU_CLOCK);
    println!(
        "server core {:?}, client core {:?}; {} interleaved repeats of {seconds_per_repeat} s, medians; `~` is a tie (under 5 %)",
        options.server_core.0,
        options.client_core.0,
        options.repeats()
    );
    process::raise_open_files_limit()?;
    let mut left_out = LeftOut::default();
    let results = Results::measured(options, &mut left_out)?;
    if let Some(into) = &options.figures {
        print_drawn(&figures::draw(&results, into)?);
    }
    if let Some(path) = &options.json {
        let report = Report {
            machine,
            cpu_clock: process::CPU_CLOCK.to_owned(),
            server_core: options.server_core.0,
            client_core: options.client_core.0,
            repeats: options.repeats(),
            seconds_per_repeat,
            left_out: left_out.reasons(),
            results,
        };
        let file =
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        serde_json::to_writer_pretty(file, &report)?;
    }
    left_out.into_result()
}
