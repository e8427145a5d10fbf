//! Side-by-side comparison of WebSocket echo servers: each in a process and on a core of its own,
//! loaded over loopback TCP from this process.
//!
//! ```text
//! cargo build --release -p tickwire --example echo --features mio
//! cargo run --release -p tickwire-benches --bin compare -- --quick
//! ```
//!
//! Modes: throughput and CPU per message (the default), `--latency`, `--idle`, `--syscalls`.

mod cli;
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
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use serde::Serialize;

use crate::cli::{Cli, Command, Compare};
use crate::left_out::LeftOut;
use crate::peers::ServeOptions;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Command::Serve {
            peer,
            listen,
            core,
            spin,
        }) => peers::serve(peer, ServeOptions { listen, core, spin }),
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

/// What the run found, in its mode.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Results {
    Throughput(Vec<measure::Outcome>),
    Latency(latency::Outcome),
    Idle(Vec<idle::Row>),
    Syscalls(Vec<syscalls::Row>),
}

/// The whole run, as written to the JSON file.
#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    cpu_clock: &'static str,
    server_core: Option<usize>,
    client_core: Option<usize>,
    repeats: usize,
    seconds_per_repeat: f64,
    /// Who could not be measured, and why.
    left_out: Vec<String>,
    results: Results,
}

/// Where it ran, and how busy the machine was before: foreign load spoils absolute numbers.
#[derive(Debug, Serialize)]
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
    // Counted before pinning, which would hide the other cores.
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
    let mut left_out = LeftOut::default();
    let results = if let Some(connections) = options.idle {
        Results::Idle(idle::run(options, connections, &mut left_out)?)
    } else if options.latency {
        Results::Latency(latency::run(options, &mut left_out)?)
    } else if options.syscalls {
        Results::Syscalls(syscalls::run(options, &mut left_out)?)
    } else {
        Results::Throughput(measure::run(options, &mut left_out)?)
    };
    if let Some(path) = &options.json {
        let report = Report {
            machine,
            cpu_clock: process::CPU_CLOCK,
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
