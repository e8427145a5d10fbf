//! Side-by-side comparison of channels: tickwire on its three drivers, rust-yamux, h2, qmux, and
//! WebSockets without channels. Client and server are separate processes, each on one core, over
//! loopback TCP.
//!
//! ```text
//! cargo run --release -p tickwire-benches --bin channels -- --quick
//! ```

mod allocations;
mod bench;
mod cli;
mod config;
mod load;
mod meter;
mod process;
mod reactors;
mod sink;
#[path = "../compare/stats.rs"]
mod stats;
mod tables;
mod tasks;
mod work;

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use crate::cli::{Cli, Command, Drive, Serve};
use crate::work::{Peer, Sample};

/// Payload bytes of a tick.
pub(crate) const TICK_BYTES: usize = 40;
/// Payload bytes of a bulk message.
pub(crate) const BULK_MESSAGE_BYTES: usize = 4096;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Some(Command::Serve(options)) => serve(options),
        Some(Command::Drive(options)) => drive(options),
        None => bench::run(&cli.options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the peer has a task for each channel; otherwise one handler serves all.
fn has_tasks(peer: Peer) -> bool {
    peer.is_rival() || peer == Peer::TickwireTokio
}

fn serve(options: &Serve) -> Result<()> {
    process::die_with_parent()?;
    process::raise_open_files_limit()?;
    if let Some(core) = options.core {
        process::pin(core)?;
    }
    if has_tasks(options.peer) {
        tasks::serve(options)
    } else {
        reactors::serve(options)
    }
}

fn drive(options: &Drive) -> Result<()> {
    process::die_with_parent()?;
    process::raise_open_files_limit()?;
    if let Some(core) = options.core {
        process::pin(core)?;
    }
    if has_tasks(options.peer) {
        tasks::drive(options)
    } else {
        reactors::drive(options)
    }
}

/// Prints for the parent where the server listens.
fn announce(addr: SocketAddr) -> Result<()> {
    print_line(&format!("listening {addr}"))
}

/// Prints a client's results for the parent.
fn report(sample: &Sample) -> Result<()> {
    print_line(&serde_json::to_string(sample)?)
}

fn print_line(line: &str) -> Result<()> {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()?;
    Ok(())
}
