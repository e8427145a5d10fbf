//! Channels side by side: ours on its three drivers, rust-yamux, h2, and WebSockets without
//! channels. Client and server are processes of their own, each on one core, over loopback TCP.
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
use crate::work::{Found, Peer};

/// Bytes of a tick.
pub(crate) const TICK_BYTES: usize = 40;
/// Bytes of a message of bulk.
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

/// Whether it has a task for each channel, or a handler for all.
fn is_of_tasks(peer: Peer) -> bool {
    peer.is_rival() || peer == Peer::TickwireTokio
}

fn serve(options: &Serve) -> Result<()> {
    process::die_with_parent()?;
    process::raise_open_files_limit()?;
    if let Some(core) = options.core {
        process::pin(core)?;
    }
    if is_of_tasks(options.peer) {
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
    if is_of_tasks(options.peer) {
        tasks::drive(options)
    } else {
        reactors::drive(options)
    }
}

/// Tells the parent where a server listens.
fn announce(addr: SocketAddr) -> Result<()> {
    say(&format!("listening {addr}"))
}

/// Tells the parent what a client has found.
fn report(found: &Found) -> Result<()> {
    say(&serde_json::to_string(found)?)
}

fn say(line: &str) -> Result<()> {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()?;
    Ok(())
}
