//! Throughput and CPU per message: all peers of a case side by side, their repeats interleaved.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use crate::cli::{Case, Compare};
use crate::left_out::LeftOut;
use crate::load::Load;
use crate::server::{Server, Target};
use crate::stats::{Spread, print_table, ratio};
use crate::{process, verify};

/// Above this share of its core, the client is the limit, not the server.
const CLIENT_LIMIT: f64 = 0.95;
/// The machine counts as noisy when a process waits for a core for more than this share of the
/// time.
const NOISE: f64 = 0.05;
/// With more connections than this, a server runs only while it is measured: the connections of all
/// servers together would exceed the limits of open files and ports.
const CONNECTIONS_HELD_MAX: usize = 64;
/// Load before the first repeat: it warms caches and branch predictors, and grows TCP windows and
/// buffers.
const WARM_UP: Duration = Duration::from_millis(150);

/// One repeat of one peer.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) messages: u64,
    pub(crate) messages_per_second: f64,
    /// Server CPU, user and system, per message; `None` where the process is not known.
    pub(crate) server_cpu_ns: Option<f64>,
    /// How often the server slept, per thousand messages.
    pub(crate) sleeps_per_thousand: Option<f64>,
    /// Share of the time in which the server was runnable but had no core: load of other processes.
    pub(crate) server_waited: Option<f64>,
    /// Share of the time in which the client's thread ran.
    pub(crate) client_busy: f64,
    /// Share of the time in which the client's thread was runnable but had no core.
    pub(crate) client_waited: f64,
}

/// All repeats of one peer in one case.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) peer: String,
    speaks_websocket: bool,
    pub(crate) messages_per_second: Option<Spread>,
    pub(crate) server_cpu_ns: Option<Spread>,
    /// Ratio to raw TCP, computed for each repeat.
    pub(crate) cpu_to_raw: Option<Spread>,
    pub(crate) rate_to_raw: Option<Spread>,
    /// Ratio to the rival that uses the least CPU, computed for each repeat.
    pub(crate) cpu_to_best: Option<Spread>,
    pub(crate) client_was_the_limit: bool,
    pub(crate) samples: Vec<Sample>,
}

/// One case, measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) case: Case,
    /// The rival with the lowest median CPU per message.
    pub(crate) best_rival: Option<String>,
    pub(crate) rows: Vec<Row>,
}

/// Measures every case and prints its table as soon as it is done.
pub(crate) fn run(options: &Compare, left_out: &mut LeftOut) -> Result<Vec<Outcome>> {
    let targets = options.targets();
    ensure!(!targets.is_empty(), "no peer is left to measure");
    let mut outcomes = Vec::new();
    for case in options.cases()? {
        let measured = measure(&targets, case, options, left_out)?;
        let outcome = summarise(case, &measured);
        print(&outcome);
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// One peer in one case: its server, the load on it, and the samples so far.
struct Run {
    // Dropped before its server.
    load: Load,
    server: Server,
    samples: Vec<Sample>,
}

impl Run {
    fn prepare(target: Target, case: Case, options: &Compare) -> Result<Run> {
        let server = Server::start(target, options.server_core.0, false)?;
        verify::prove(&server, case)?;
        let mut load = Load::connect(&server, case)?;
        load.pass(WARM_UP)?;
        Ok(Run {
            load,
            server,
            samples: Vec::new(),
        })
    }

    fn sample(&mut self, duration: Duration) -> Result<()> {
        let (before, waited_before) = (self.server.usage()?, process::thread_wait_ns());
        let pass = self.load.pass(duration)?;
        let used = self
            .server
            .usage()?
            .zip(before)
            .map(|(after, before)| after.since(before));
        let waited_ns = process::thread_wait_ns().saturating_sub(waited_before);
        let (messages, elapsed) = (pass.messages as f64, pass.elapsed_ns as f64);
        self.samples.push(Sample {
            messages: pass.messages,
            messages_per_second: messages / elapsed * 1e9,
            server_cpu_ns: used.map(|used| used.cpu_ns as f64 / messages),
            sleeps_per_thousand: used.map(|used| used.voluntary_switches as f64 / messages * 1e3),
            server_waited: used.map(|used| used.wait_ns as f64 / elapsed),
            client_busy: pass.client_cpu_ns as f64 / elapsed,
            client_waited: waited_ns as f64 / elapsed,
        });
        Ok(())
    }
}

fn measure(
    targets: &[Target],
    case: Case,
    options: &Compare,
    left_out: &mut LeftOut,
) -> Result<Vec<(Target, Vec<Sample>)>> {
    if case.connections > CONNECTIONS_HELD_MAX {
        return measure_anew(targets, case, options, left_out);
    }
    let mut runs = Vec::new();
    for &target in targets {
        match Run::prepare(target, case, options) {
            Ok(run) => runs.push(run),
            Err(error) => left_out.note(target, &error),
        }
    }
    let duration = options.duration()?;
    for _ in 0..options.repeats() {
        runs.retain_mut(|run| match run.sample(duration) {
            Ok(()) => true,
            Err(error) => {
                left_out.note(run.server.target, &error);
                false
            }
        });
    }
    Ok(runs
        .into_iter()
        .map(|run| (run.server.target, run.samples))
        .collect())
}

/// The same, with a new server and new connections for each repeat.
fn measure_anew(
    targets: &[Target],
    case: Case,
    options: &Compare,
    left_out: &mut LeftOut,
) -> Result<Vec<(Target, Vec<Sample>)>> {
    let duration = options.duration()?;
    let mut measured: Vec<(Target, Vec<Sample>)> =
        targets.iter().map(|&target| (target, Vec::new())).collect();
    for _ in 0..options.repeats() {
        measured.retain_mut(|(target, samples)| {
            let sampled = Run::prepare(*target, case, options).and_then(|mut run| {
                run.sample(duration)?;
                run.load.reset()?;
                Ok(run.samples)
            });
            match sampled {
                Ok(sampled) => {
                    samples.extend(sampled);
                    true
                }
                Err(error) => {
                    left_out.note(*target, &error);
                    false
                }
            }
        });
    }
    Ok(measured)
}

/// Ratios of two peers, repeat by repeat.
fn paired(
    samples: &[Sample],
    base: Option<&Vec<Sample>>,
    figure: impl Fn(&Sample) -> Option<f64>,
) -> Option<Spread> {
    Spread::of(
        samples
            .iter()
            .zip(base?)
            .filter_map(|(sample, base)| Some(figure(sample)? / figure(base)?)),
    )
}

fn summarise(case: Case, measured: &[(Target, Vec<Sample>)]) -> Outcome {
    let cpu =
        |samples: &[Sample]| Spread::of(samples.iter().filter_map(|sample| sample.server_cpu_ns));
    let raw = measured
        .iter()
        .find(|(target, _)| !target.speaks_websocket())
        .map(|(_, samples)| samples);
    let best = measured
        .iter()
        .filter(|(target, _)| target.is_rival())
        .filter_map(|(target, samples)| Some((cpu(samples)?.median, target, samples)))
        .min_by(|a, b| a.0.total_cmp(&b.0));
    let rows = measured
        .iter()
        .map(|(target, samples)| Row {
            peer: target.name(),
            speaks_websocket: target.speaks_websocket(),
            messages_per_second: Spread::of(
                samples.iter().map(|sample| sample.messages_per_second),
            ),
            server_cpu_ns: cpu(samples),
            cpu_to_raw: paired(samples, raw, |sample| sample.server_cpu_ns),
            rate_to_raw: paired(samples, raw, |sample| Some(sample.messages_per_second)),
            cpu_to_best: paired(samples, best.map(|(_, _, samples)| samples), |sample| {
                sample.server_cpu_ns
            }),
            client_was_the_limit: Spread::of(samples.iter().map(|sample| sample.client_busy))
                .is_some_and(|busy| busy.median > CLIENT_LIMIT),
            samples: samples.clone(),
        })
        .collect();
    Outcome {
        name: case.name(),
        case,
        best_rival: best.map(|(_, target, _)| target.name()),
        rows,
    }
}

fn print(outcome: &Outcome) {
    let Case {
        payload_bytes,
        content,
        connections,
        window,
    } = outcome.case;
    println!(
        "\n{}: {payload_bytes} bytes of {}, {connections} connections, window {window}",
        outcome.name,
        content.told()
    );
    let header = [
        "peer",
        "k msg/s",
        "[min..max]",
        "CPU ns/msg",
        "[min..max]",
        "x raw",
        "x best",
        "rate x raw",
        "sleeps/k",
        "waited",
        "client",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for row in &outcome.rows {
        let median =
            |figure: fn(&Sample) -> Option<f64>| Spread::of(row.samples.iter().filter_map(figure));
        let range = |spread: Option<Spread>, unit: f64| {
            spread.map_or_else(
                || "-".to_owned(),
                |s| format!("[{:.0}..{:.0}]", s.min / unit, s.max / unit),
            )
        };
        let number = |spread: Option<Spread>, unit: f64, decimals: usize| {
            spread.map_or_else(
                || "n/a".to_owned(),
                |s| format!("{:.decimals$}", s.median / unit),
            )
        };
        let percent = |spread: Option<Spread>| {
            spread.map_or_else(
                || "n/a".to_owned(),
                |s| format!("{:.0} %", s.median * 100.0),
            )
        };
        let limit = if row.client_was_the_limit {
            " LIMIT"
        } else {
            ""
        };
        rows.push(vec![
            row.peer.clone(),
            number(row.messages_per_second, 1e3, 0),
            range(row.messages_per_second, 1e3),
            number(row.server_cpu_ns, 1.0, 0),
            range(row.server_cpu_ns, 1.0),
            ratio(row.cpu_to_raw),
            if row.speaks_websocket {
                ratio(row.cpu_to_best)
            } else {
                "-".to_owned()
            },
            ratio(row.rate_to_raw),
            number(median(|sample| sample.sleeps_per_thousand), 1.0, 1),
            percent(median(|sample| sample.server_waited)),
            format!(
                "{}{limit}",
                percent(median(|sample| Some(sample.client_busy)))
            ),
        ]);
    }
    print_table(&rows);
    let samples = || outcome.rows.iter().flat_map(|row| &row.samples);
    let share = |spread: Option<Spread>| spread.map_or(0.0, |spread| spread.median);
    let server = share(Spread::of(
        samples().filter_map(|sample| sample.server_waited),
    ));
    let client = share(Spread::of(samples().map(|sample| sample.client_waited)));
    if server > NOISE || client > NOISE {
        println!(
            "  NOISY: other processes held the server's core for {:.0} % and the client's core for {:.0} % \
             of the time: trust CPU ratios, not messages a second",
            server * 100.0,
            client * 100.0
        );
    }
}
