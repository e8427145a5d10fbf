//! The command line and the cases it selects.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::peers::Peer;
use crate::server::{Target, echo_example};

/// Side-by-side comparison of WebSocket echo servers over loopback TCP.
///
/// Without a mode it measures throughput and server CPU per message in a closed loop. Every
/// echoed byte is checked, also in timed passes. On a noisy machine only ratios within one run are
/// meaningful.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) compare: Compare,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs one server under test. This program starts itself this way.
    Serve {
        peer: Peer,
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// Pin the process to this core.
        #[arg(long)]
        core: Option<usize>,
        /// Never sleep in the poller.
        #[arg(long)]
        spin: bool,
    },
    /// Draws figures from files that --json wrote, also those of `channels`. Measures nothing.
    Draw {
        #[arg(required = true)]
        runs: Vec<PathBuf>,
        /// Directory for the SVG files.
        #[arg(long, value_name = "DIR")]
        into: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Peers to measure; all by default.
    #[arg(long, value_delimiter = ',')]
    pub(crate) peers: Vec<Peer>,
    /// Only the case of this name, or those whose names contain it (they look like `20B-c16-w64`).
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Option<String>,
    /// Payload bytes: one case of this size instead of the standard ones.
    #[arg(long, value_name = "BYTES")]
    pub(crate) size: Option<usize>,
    /// Messages in flight on each connection: one case instead of the standard ones.
    #[arg(long)]
    pub(crate) window: Option<usize>,
    /// Connections: one case instead of the standard ones (latency: 1 by default).
    #[arg(long)]
    pub(crate) connections: Option<usize>,
    /// Text messages: the cases of text (5 and 20 bytes of ASCII at windows 1, 16 and 64; 16 KiB of
    /// mixed code points) instead of the standard ones; with --size, --window, --connections or
    /// --latency, that case with text of this kind.
    #[arg(long, value_name = "KIND", num_args = 0..=1, default_missing_value = "ascii")]
    pub(crate) text: Option<Content>,
    /// Interleaved repeats: A B C, A B C, ...
    #[arg(long)]
    pub(crate) repeats: Option<usize>,
    /// Seconds of one repeat.
    #[arg(long)]
    pub(crate) seconds: Option<f64>,
    /// Four cases, three short repeats: the whole run within 60 seconds.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Also measure an echo server that already runs.
    #[arg(long, value_name = "ADDR")]
    pub(crate) against: Option<SocketAddr>,
    /// Process of that server, to count its CPU time and memory.
    #[arg(long, value_name = "PID", requires = "against")]
    pub(crate) against_pid: Option<u32>,
    /// Mode: all modes one after the other, into one report: about half an hour.
    #[arg(long, conflicts_with_all = ["quick", "idle", "latency", "syscalls", "allocations"])]
    pub(crate) everything: bool,
    /// Mode: resident bytes per idle connection, with this many connections (5,000 by default).
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "5000")]
    pub(crate) idle: Option<usize>,
    /// Mode: round-trip time, the client spinning; closed loop, window 1.
    #[arg(long, conflicts_with = "idle")]
    pub(crate) latency: bool,
    /// With --latency: open loops at these rates, in messages a second over all connections. The
    /// time of a message starts when the message is due.
    #[arg(
        long,
        requires = "latency",
        value_name = "PER_SECOND",
        value_delimiter = ','
    )]
    pub(crate) rate: Vec<f64>,
    /// With --latency: servers sleep in their poller instead of spinning.
    #[arg(long, requires = "latency")]
    pub(crate) blocking: bool,
    /// Mode: system calls per message, counted by strace.
    #[arg(long, conflicts_with_all = ["idle", "latency"])]
    pub(crate) syscalls: bool,
    /// Mode: heap allocations per message, counted by valgrind.
    #[arg(long, conflicts_with_all = ["idle", "latency", "syscalls"])]
    pub(crate) allocations: bool,
    /// Core of the servers; `none` leaves them to the scheduler.
    #[arg(long, default_value = "0", value_parser = parse_core)]
    pub(crate) server_core: Core,
    /// Core of the load generator; `none` leaves it to the scheduler.
    #[arg(long, default_value = "1", value_parser = parse_core)]
    pub(crate) client_core: Core,
    /// Also write everything measured to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Also draw what was measured, as SVG files into this directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) figures: Option<PathBuf>,
}

/// A core to pin to, or none.
#[derive(Clone, Copy, Debug, Serialize)]
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

/// What payloads consist of.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Content {
    /// Any bytes, in binary messages.
    #[default]
    #[value(skip)]
    Binary,
    /// Text messages of printable ASCII.
    Ascii,
    /// Text messages of code points that take one to four bytes.
    Mixed,
}

impl Content {
    /// As the heads of tables have it.
    pub(crate) fn told(self) -> &'static str {
        match self {
            Content::Binary => "binary",
            Content::Ascii => "ASCII text",
            Content::Mixed => "mixed text",
        }
    }
}

/// One load: how many bytes of what, on how many connections, how many in flight on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) payload_bytes: usize,
    /// Binary in reports that were written before there were others.
    #[serde(default)]
    pub(crate) content: Content,
    pub(crate) connections: usize,
    pub(crate) window: usize,
}

const fn case(payload_bytes: usize, content: Content, connections: usize, window: usize) -> Case {
    Case {
        payload_bytes,
        content,
        connections,
        window,
    }
}

/// The cases of the goals in docs/performance.md, and how cost grows with connections.
const STANDARD: [Case; 12] = [
    case(20, Content::Binary, 16, 1),
    case(20, Content::Binary, 16, 16),
    case(20, Content::Binary, 16, 64),
    case(1024, Content::Binary, 16, 1),
    case(1024, Content::Binary, 16, 16),
    case(1024, Content::Binary, 16, 64),
    case(65_536, Content::Binary, 4, 4),
    case(20, Content::Binary, 64, 1),
    // Cost over the number of connections, together with 16 and 64 above.
    case(20, Content::Binary, 1, 1),
    case(20, Content::Binary, 256, 1),
    case(20, Content::Binary, 1000, 1),
    case(20, Content::Binary, 5000, 1),
];
/// Indices of the cases that `--quick` keeps. System calls and allocations are counted in the same
/// cases.
const QUICK: [usize; 4] = [1, 2, 4, 6];

/// The cases of `--text`: small messages of ASCII, as venues and published comparisons have them,
/// and a large one with code points of every length.
const TEXT: [Case; 7] = [
    case(5, Content::Ascii, 16, 1),
    case(5, Content::Ascii, 16, 16),
    case(5, Content::Ascii, 16, 64),
    case(20, Content::Ascii, 16, 1),
    case(20, Content::Ascii, 16, 16),
    case(20, Content::Ascii, 16, 64),
    case(16_384, Content::Mixed, 4, 4),
];
/// Indices of the cases that `--quick` keeps.
const TEXT_QUICK: [usize; 4] = [2, 4, 5, 6];

/// Open loops of `--everything`, in messages a second: idle, busy, and a third of one core's limit.
const EVERYTHING_RATES: [f64; 3] = [1_000.0, 10_000.0, 50_000.0];

/// Largest window: socket buffers hold no more, and the tape has the whole window.
const WINDOW_MAX: usize = 4096;
const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most bytes in flight on one connection: the tape has the whole window.
const IN_FLIGHT_BYTES_MAX: usize = 256 * 1024 * 1024;

impl Case {
    pub(crate) fn name(self) -> String {
        let size = match self.payload_bytes {
            bytes if bytes > 0 && bytes % 1024 == 0 => format!("{}KiB", bytes / 1024),
            bytes => format!("{bytes}B"),
        };
        let content = match self.content {
            Content::Binary => "",
            Content::Ascii => "text",
            Content::Mixed => "mixed",
        };
        format!("{size}{content}-c{}-w{}", self.connections, self.window)
    }

    fn check(self) -> Result<Case> {
        ensure!(
            (1..=WINDOW_MAX).contains(&self.window),
            "--window is 1 to {WINDOW_MAX}"
        );
        ensure!(self.connections >= 1, "--connections is at least 1");
        ensure!(
            self.payload_bytes <= PAYLOAD_BYTES_MAX,
            "--size is at most {PAYLOAD_BYTES_MAX}"
        );
        ensure!(
            self.payload_bytes * self.window <= IN_FLIGHT_BYTES_MAX,
            "--size times --window is at most {IN_FLIGHT_BYTES_MAX} bytes"
        );
        Ok(self)
    }
}

impl Compare {
    /// All cases of this kind of message, and those of `--quick`.
    fn suite(&self) -> (&'static [Case], Vec<Case>) {
        let (all, quick): (&[Case], _) = match self.text {
            None => (&STANDARD, QUICK),
            Some(_) => (&TEXT, TEXT_QUICK),
        };
        (all, quick.iter().map(|&index| all[index]).collect())
    }

    /// One case from the numbers of the command line; `connections` and `window` where it has none.
    fn case_or(&self, connections: usize, window: usize) -> Case {
        case(
            self.size.unwrap_or(20),
            self.text.unwrap_or_default(),
            self.connections.unwrap_or(connections),
            self.window.unwrap_or(window),
        )
    }

    /// The requested cases. A given size, window or number of connections selects one case.
    pub(crate) fn cases(&self) -> Result<Vec<Case>> {
        let (all, quick) = self.suite();
        let mut cases: Vec<Case> = if self.size.or(self.window).or(self.connections).is_some() {
            vec![self.case_or(16, 16)]
        } else if self.quick {
            quick
        } else {
            all.to_vec()
        };
        if let Some(only) = &self.only {
            let is_exact = cases.iter().any(|case| case.name() == *only);
            cases.retain(|case| {
                case.name() == *only || !is_exact && case.name().contains(only.as_str())
            });
            let names: Vec<String> = all.iter().map(|case| case.name()).collect();
            ensure!(
                !cases.is_empty(),
                "no case is named `{only}`; the cases are {}",
                names.join(", ")
            );
        }
        cases.into_iter().map(Case::check).collect()
    }

    /// The cases in which system calls and allocations are counted.
    pub(crate) fn counted_cases(&self) -> Result<Vec<Case>> {
        let chosen = self.size.or(self.window).or(self.connections).is_some();
        if chosen || self.only.is_some() {
            return self.cases();
        }
        Ok(self.suite().1)
    }

    /// The loops of the latency mode: `None` is the closed loop.
    pub(crate) fn rates(&self) -> Vec<Option<f64>> {
        if self.everything {
            return std::iter::once(None)
                .chain(EVERYTHING_RATES.map(Some))
                .collect();
        }
        match self.rate.as_slice() {
            [] => vec![None],
            rates => rates.iter().copied().map(Some).collect(),
        }
    }

    /// The case of the latency mode.
    pub(crate) fn latency_case(&self) -> Result<Case> {
        self.case_or(1, 1).check()
    }

    /// The servers to measure. tickwire is left out, with a warning, while its example is not
    /// built.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let mut peers = if self.peers.is_empty() {
            Peer::value_variants().to_vec()
        } else {
            self.peers.clone()
        };
        if peers.iter().any(|peer| peer.tickwire_driver().is_some())
            && let Err(error) = echo_example()
        {
            eprintln!("\n!!! {error}\n");
            peers.retain(|peer| peer.tickwire_driver().is_none());
        }
        let outside = self.against.map(|addr| Target::Outside {
            addr,
            pid: self.against_pid,
        });
        peers.into_iter().map(Target::Peer).chain(outside).collect()
    }

    pub(crate) fn repeats(&self) -> usize {
        self.repeats
            .unwrap_or(if self.quick { 3 } else { 7 })
            .max(1)
    }

    pub(crate) fn duration(&self) -> Result<Duration> {
        let seconds = self.seconds.unwrap_or(if self.quick { 0.25 } else { 1.0 });
        ensure!(
            seconds > 0.0 && seconds <= 3600.0,
            "--seconds is above 0 and at most 3600"
        );
        Ok(Duration::from_secs_f64(seconds))
    }
}
