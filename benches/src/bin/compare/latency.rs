//! Round-trip time with a spinning client: a closed loop, or an open loop at a fixed rate.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::cli::{Case, Compare};
use crate::left_out::LeftOut;
use crate::load::{Link, STALL_TIMEOUT, connect, first_frame, nanoseconds};
use crate::server::{Server, Target};
use crate::stats::{Spread, print_table, ratio};
use crate::tape::Tape;
use crate::{process, verify};

/// Warm-up before each repeat, in the same mode.
const WARM_UP: Duration = Duration::from_millis(100);
/// Above this share of the time without a core, the high percentiles show the machine, not the
/// server.
const NOISE: f64 = 0.01;
const RECEIVE_BUFFER_BYTES: usize = 256 * 1024;
/// Most frames of one write when an open loop has fallen behind.
const BURST_FRAMES_MAX: usize = 64;
/// An open loop fails at this many unanswered messages: the server cannot keep up.
const BACKLOG_MESSAGES_MAX: u64 = 1_000_000;
/// The percentiles that a figure shows, as shares.
pub(crate) const QUANTILES: [f64; 9] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999];
/// Longest recorded time, with 3 significant digits. The stall timeout is longer.
const HISTOGRAM_NS_MAX: u64 = 60_000_000_000;
const HISTOGRAM_DIGITS: u8 = 3;

/// One repeat of one peer; times in nanoseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    messages: u64,
    p50_ns: u64,
    p99_ns: u64,
    p999_ns: u64,
    max_ns: u64,
    /// The time at each of [`QUANTILES`].
    pub(crate) quantiles_ns: Vec<u64>,
}

/// All repeats of one peer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) peer: String,
    p50_ns: Option<Spread>,
    pub(crate) p99_ns: Option<Spread>,
    p999_ns: Option<Spread>,
    max_ns: Option<Spread>,
    p50_to_raw: Option<Spread>,
    p99_to_raw: Option<Spread>,
    pub(crate) samples: Vec<Sample>,
}

/// One loop and the results of all peers in it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) case: Case,
    /// Messages a second over all connections; `None` in a closed loop.
    pub(crate) rate: Option<f64>,
    servers_spin: bool,
    /// Share of the whole run in which the client was runnable but had no core.
    client_waited: f64,
    pub(crate) rows: Vec<Row>,
}

/// Measures every loop, one after the other.
pub(crate) fn run(options: &Compare, left_out: &mut LeftOut) -> Result<Vec<Outcome>> {
    let rates = options.rates();
    for rate in rates.iter().flatten() {
        ensure!(
            (1.0..=1e8).contains(rate),
            "--rate is 1 to 100,000,000 messages a second"
        );
    }
    rates
        .into_iter()
        .map(|rate| measure(options, rate, left_out))
        .collect()
}

/// Measures every peer and prints the table. A server runs only while it is measured: several
/// spinning servers would compete for their core.
fn measure(options: &Compare, rate: Option<f64>, left_out: &mut LeftOut) -> Result<Outcome> {
    let case = options.latency_case()?;
    options.duration()?;
    let mut measured: Vec<(Target, Vec<Sample>)> = options
        .targets()
        .into_iter()
        .map(|target| (target, Vec::new()))
        .collect();
    let waited_before = process::thread_wait_ns();
    let started = Instant::now();
    for _ in 0..options.repeats() {
        measured.retain_mut(|(target, samples)| {
            match sample(*target, case, rate, options, samples.is_empty()) {
                Ok(sample) => {
                    samples.push(sample);
                    true
                }
                Err(error) => {
                    left_out.note(*target, &error);
                    false
                }
            }
        });
    }
    let waited = process::thread_wait_ns().saturating_sub(waited_before);
    let outcome = Outcome {
        case,
        rate,
        servers_spin: !options.blocking,
        client_waited: waited as f64 / nanoseconds(started.elapsed()) as f64,
        rows: summarise(&measured),
    };
    print(&outcome);
    Ok(outcome)
}

/// One repeat with a new server. With `is_first`, its answers are checked before the measurement.
fn sample(
    target: Target,
    case: Case,
    rate: Option<f64>,
    options: &Compare,
    is_first: bool,
) -> Result<Sample> {
    let server = Server::start(target, options.server_core.0, !options.blocking)
        .context("the server must accept --spin; or pass --blocking")?;
    if is_first {
        verify::prove(&server, case)?;
    }
    let mut client = Client::connect(&server, case)?;
    let mut once = |duration| match rate {
        Some(rate) => client.open_loop(rate, duration),
        None => client.closed_loop(duration),
    };
    once(WARM_UP)?;
    Ok(summary(&once(options.duration()?)?))
}

fn summary(histogram: &Histogram<u64>) -> Sample {
    Sample {
        messages: histogram.len(),
        p50_ns: histogram.value_at_quantile(0.5),
        p99_ns: histogram.value_at_quantile(0.99),
        p999_ns: histogram.value_at_quantile(0.999),
        max_ns: histogram.max(),
        quantiles_ns: QUANTILES
            .map(|quantile| histogram.value_at_quantile(quantile))
            .to_vec(),
    }
}

struct Client {
    links: Vec<Link>,
    tape: Tape,
    window: usize,
    buffer: Vec<u8>,
}

impl Client {
    fn connect(server: &Server, case: Case) -> Result<Client> {
        let burst = case.window.max(BURST_FRAMES_MAX);
        let tape = Tape::new(case, burst, !server.target.speaks_websocket());
        let links = (0..case.connections)
            .map(|index| Link::new(connect(server)?, &tape, first_frame(index)))
            .collect::<Result<_>>()?;
        Ok(Client {
            links,
            tape,
            window: case.window,
            buffer: vec![0; RECEIVE_BUFFER_BYTES],
        })
    }

    /// Each connection keeps `window` messages in flight. The time of a message starts when the
    /// message is written.
    fn closed_loop(&mut self, duration: Duration) -> Result<Histogram<u64>> {
        let mut histogram = histogram()?;
        let started = Instant::now();
        // When each message in flight was written, for each connection, oldest first.
        let mut sent_at =
            vec![std::collections::VecDeque::with_capacity(self.window); self.links.len()];
        for (link, sent_at) in self.links.iter_mut().zip(&mut sent_at) {
            sent_at.extend(std::iter::repeat_n(Instant::now(), self.window));
            link.send(&self.tape, self.window)?;
        }
        let mut last_echo = started;
        let mut in_flight = self.links.len() * self.window;
        while in_flight > 0 {
            for (link, sent_at) in self.links.iter_mut().zip(&mut sent_at) {
                let echoed = link.receive(&self.tape, &mut self.buffer)?;
                let now = Instant::now();
                ensure!(
                    now - last_echo < STALL_TIMEOUT,
                    "no echo for {STALL_TIMEOUT:?}"
                );
                if echoed == 0 {
                    // Finishes a write that the socket accepted only in part.
                    link.send(&self.tape, 0)?;
                    continue;
                }
                last_echo = now;
                for moment in sent_at.drain(..echoed) {
                    histogram.saturating_record(nanoseconds(now - moment));
                }
                if now - started < duration {
                    let moment = Instant::now();
                    sent_at.extend(std::iter::repeat_n(moment, echoed));
                    link.send(&self.tape, echoed)?;
                } else {
                    in_flight -= echoed;
                }
            }
        }
        Ok(histogram)
    }

    /// Message `i` is due at `i / rate` on connection `i % connections`, even when earlier messages
    /// are late. Its time starts when it is due, so that there is no coordinated omission.
    fn open_loop(&mut self, rate: f64, duration: Duration) -> Result<Histogram<u64>> {
        let mut histogram = histogram()?;
        let total = (rate * duration.as_secs_f64()).ceil() as u64;
        let connections = self.links.len() as u64;
        let due_ns = |message: u64| (message as f64 / rate * 1e9) as u64;
        let (mut sent, mut answered) = (0, 0);
        let mut answered_on = vec![0; self.links.len()];
        let started = Instant::now();
        let mut last_echo = Duration::ZERO;
        while answered < total {
            let now = nanoseconds(started.elapsed());
            while sent < total && due_ns(sent) <= now {
                self.links[(sent % connections) as usize].send(&self.tape, 1)?;
                sent += 1;
            }
            for (index, link) in self.links.iter_mut().enumerate() {
                let echoed = link.receive(&self.tape, &mut self.buffer)? as u64;
                let now = started.elapsed();
                if echoed == 0 {
                    link.send(&self.tape, 0)?;
                    continue;
                }
                last_echo = now;
                for own in answered_on[index]..answered_on[index] + echoed {
                    let message = own * connections + index as u64;
                    histogram.saturating_record(nanoseconds(now).saturating_sub(due_ns(message)));
                }
                answered_on[index] += echoed;
                answered += echoed;
            }
            if sent - answered > BACKLOG_MESSAGES_MAX {
                bail!(
                    "cannot keep up with {rate} messages a second: {answered} of {sent} answered"
                );
            }
            let waiting = started.elapsed().saturating_sub(last_echo);
            ensure!(
                sent == answered || waiting < STALL_TIMEOUT,
                "no echo for {STALL_TIMEOUT:?}"
            );
        }
        Ok(histogram)
    }
}

fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(
        1,
        HISTOGRAM_NS_MAX,
        HISTOGRAM_DIGITS,
    )?)
}

fn summarise(measured: &[(Target, Vec<Sample>)]) -> Vec<Row> {
    let raw = measured
        .iter()
        .find(|(target, _)| !target.speaks_websocket())
        .map(|(_, samples)| samples);
    measured
        .iter()
        .map(|(target, samples)| {
            let spread = |figure: fn(&Sample) -> u64| {
                Spread::of(samples.iter().map(|sample| figure(sample) as f64))
            };
            let to_raw = |figure: fn(&Sample) -> u64| {
                Spread::of(
                    samples
                        .iter()
                        .zip(raw?)
                        .map(|(own, raw)| figure(own) as f64 / figure(raw) as f64),
                )
            };
            Row {
                peer: target.name(),
                p50_ns: spread(|sample| sample.p50_ns),
                p99_ns: spread(|sample| sample.p99_ns),
                p999_ns: spread(|sample| sample.p999_ns),
                max_ns: spread(|sample| sample.max_ns),
                p50_to_raw: to_raw(|sample| sample.p50_ns),
                p99_to_raw: to_raw(|sample| sample.p99_ns),
                samples: samples.clone(),
            }
        })
        .collect()
}

fn print(outcome: &Outcome) {
    let Case {
        payload_bytes,
        content,
        connections,
        window,
    } = outcome.case;
    let mode = match outcome.rate {
        Some(rate) => {
            format!("open loop at {rate} messages a second; a time starts when the message is due")
        }
        None => format!("closed loop, window {window}"),
    };
    let servers = if outcome.servers_spin {
        "servers spin"
    } else {
        "servers sleep in their poller"
    };
    println!(
        "\nround trip: {payload_bytes} bytes of {}, {connections} connections, {mode}; client spins, {servers}",
        content.told()
    );
    let header = [
        "peer",
        "p50 us",
        "p99 us",
        "p99.9 us",
        "max us",
        "worst",
        "p50 x raw",
        "p99 x raw",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    let micros = |spread: Option<Spread>, pick: fn(Spread) -> f64| {
        spread.map_or_else(
            || "-".to_owned(),
            |spread| format!("{:.1}", pick(spread) / 1e3),
        )
    };
    rows.extend(outcome.rows.iter().map(|row| {
        vec![
            row.peer.clone(),
            micros(row.p50_ns, |s| s.median),
            micros(row.p99_ns, |s| s.median),
            micros(row.p999_ns, |s| s.median),
            micros(row.max_ns, |s| s.median),
            micros(row.max_ns, |s| s.max),
            ratio(row.p50_to_raw),
            ratio(row.p99_to_raw),
        ]
    }));
    print_table(&rows);
    if outcome.client_waited > NOISE {
        println!(
            "  NOISY: others held the client's core {:.0} % of the time: the tails are the machine's, not the servers'",
            outcome.client_waited * 100.0
        );
    }
}
