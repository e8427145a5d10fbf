//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::CHANNELS_MAX;
use crate::work::{Peer, Work};

/// Channels side by side with rust-yamux, h2 and qmux, over loopback TCP.
///
/// Every byte that arrives is checked. On a noisy machine only ratios within one run are
/// meaningful.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) options: Options,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs a server. This program starts itself this way.
    #[command(hide = true)]
    Serve(Serve),
    /// Runs a client. This program starts itself this way.
    #[command(hide = true)]
    Drive(Drive),
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    pub(crate) peer: Peer,
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Pin the process to this core.
    #[arg(long)]
    pub(crate) core: Option<usize>,
    /// Never sleep, and tune sockets for latency.
    #[arg(long)]
    pub(crate) spin: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Drive {
    pub(crate) peer: Peer,
    #[arg(long)]
    pub(crate) server: SocketAddr,
    #[arg(long)]
    pub(crate) server_pid: u32,
    /// Pin the process to this core.
    #[arg(long)]
    pub(crate) core: Option<usize>,
    /// The work, as JSON.
    #[arg(long)]
    pub(crate) work: String,
}

impl Drive {
    pub(crate) fn work(&self) -> Result<Work> {
        serde_json::from_str(&self.work)
            .context("--work is not valid: it is the JSON that this program writes")
    }
}

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Table {
    Throughput,
    Latency,
    Unread,
    Opens,
    Idle,
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Tables to measure; all by default.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<Table>,
    /// Peers to measure; all by default.
    #[arg(long, value_delimiter = ',')]
    pub(crate) peers: Vec<Peer>,
    /// Throughput: numbers of channels. The table "flat" compares with the first.
    #[arg(long, value_delimiter = ',')]
    pub(crate) channels: Vec<usize>,
    /// Throughput: payload bytes.
    #[arg(long, value_delimiter = ',')]
    pub(crate) sizes: Vec<usize>,
    /// Throughput: messages that are ready at once, in turn over the channels. A byte stream is
    /// flushed once for all of its messages.
    #[arg(long = "burst", default_value = "64", value_parser = clap::value_parser!(u16).range(1..))]
    burst_messages: u16,
    /// Interleaved repeats: A B C, A B C, ...
    #[arg(long)]
    pub(crate) repeats: Option<usize>,
    /// Seconds of one repeat. A repeat of the latency table takes three times as long.
    #[arg(long)]
    pub(crate) seconds: Option<f64>,
    /// Latency: ticks a second.
    #[arg(long, default_value = "2000")]
    pub(crate) rate: u32,
    /// Few cases, few short repeats: the whole run takes about a minute.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Core of the servers; `none` leaves them to the scheduler.
    #[arg(long, default_value = "0", value_parser = parse_core)]
    pub(crate) server_core: Core,
    /// Core of the clients; `none` leaves them to the scheduler.
    #[arg(long, default_value = "1", value_parser = parse_core)]
    pub(crate) client_core: Core,
    /// Also write everything measured to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// A core to pin to, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Core(pub(crate) Option<usize>);

fn parse_core(text: &str) -> Result<Core, String> {
    match text {
        "none" => Ok(Core(None)),
        _ => text
            .parse()
            .map(|core| Core(Some(core)))
            .map_err(|_| format!("`{text}` is neither a core nor `none`")),
    }
}

/// The cases of the goals in docs/performance.md.
const CHANNELS: [usize; 4] = [1, 16, 256, 4096];
const SIZES: [usize; 6] = [32, 64, 256, 1024, 4096, 16384];
const QUICK_SIZES: [usize; 1] = [64];
const QUICK_CHANNELS: [usize; 3] = [1, 256, 4096];
/// Questions of the control channel are shorter, and a message must fit tickwire's default limit.
const SIZE_MIN: usize = 16;
const SIZE_MAX: usize = 30_000;

impl Options {
    pub(crate) fn has(&self, table: Table) -> bool {
        self.only.is_empty() || self.only.contains(&table)
    }

    pub(crate) fn peers(&self) -> Vec<Peer> {
        if self.peers.is_empty() {
            let left_out = [Peer::Websockets, Peer::YamuxDeferred];
            let quick = |peer: &Peer| !self.quick || !left_out.contains(peer);
            return Peer::value_variants()
                .iter()
                .copied()
                .filter(quick)
                .collect();
        }
        self.peers.clone()
    }

    pub(crate) fn channels(&self) -> Result<Vec<usize>> {
        let standard = if self.quick {
            QUICK_CHANNELS.to_vec()
        } else {
            CHANNELS.to_vec()
        };
        let chosen = chosen(&self.channels, standard);
        // The control channel takes one of `CHANNELS_MAX`.
        let most = CHANNELS_MAX as usize - 1;
        ensure!(
            chosen.iter().all(|c| (1..=most).contains(c)),
            "--channels is 1 to {most}"
        );
        Ok(chosen)
    }

    pub(crate) fn sizes(&self) -> Result<Vec<usize>> {
        let standard = if self.quick {
            QUICK_SIZES.to_vec()
        } else {
            SIZES.to_vec()
        };
        let chosen = chosen(&self.sizes, standard);
        ensure!(
            chosen.iter().all(|s| (SIZE_MIN..=SIZE_MAX).contains(s)),
            "--sizes is {SIZE_MIN} to {SIZE_MAX}"
        );
        Ok(chosen)
    }

    pub(crate) fn burst(&self) -> usize {
        usize::from(self.burst_messages)
    }

    pub(crate) fn repeats(&self) -> usize {
        self.repeats
            .unwrap_or(if self.quick { 2 } else { 5 })
            .max(1)
    }

    /// Time of one repeat, in milliseconds.
    pub(crate) fn run_ms(&self) -> Result<u64> {
        let seconds = self.seconds.unwrap_or(if self.quick { 0.2 } else { 1.0 });
        ensure!(
            (0.05..=600.0).contains(&seconds),
            "--seconds is 0.05 to 600"
        );
        Ok((seconds * 1000.0) as u64)
    }
}

fn chosen(given: &[usize], standard: Vec<usize>) -> Vec<usize> {
    if given.is_empty() {
        standard
    } else {
        given.to_vec()
    }
}
