//! The tables. A goal is printed in the heading of its column, as a ratio within one run.

use crate::bench::{Case, Row};
use crate::stats::{Spread, print_table, ratio};
use crate::work::{Counted, Peer, Sample, Work};

/// The goals in docs/performance.md.
const RATE_GOAL: f64 = 3.0;
const FLAT_GOAL: f64 = 0.8;
const P99_GOAL: f64 = 2.0;
/// The machine counts as noisy when a process waits for a core for more than this share of the
/// time.
const NOISE: f64 = 0.05;

type Figure = fn(&Sample) -> f64;

fn per_second(sample: &Sample) -> f64 {
    sample.messages as f64 / sample.elapsed_ns as f64 * 1e9
}

fn server_ns(sample: &Sample) -> f64 {
    sample.server_cpu_ns as f64 / sample.messages as f64
}

fn client_ns(sample: &Sample) -> f64 {
    sample.client_cpu_ns as f64 / sample.messages as f64
}

fn spread(row: &Row, figure: Figure) -> Option<Spread> {
    Spread::of(row.samples.iter().map(figure))
}

fn number(spread: Option<Spread>, unit: f64, decimals: usize) -> String {
    spread.map_or_else(
        || "-".to_owned(),
        |s| format!("{:.decimals$}", s.median / unit),
    )
}

fn range(spread: Option<Spread>, unit: f64) -> String {
    spread.map_or_else(String::new, |s| {
        format!("[{:.0}..{:.0}]", s.min / unit, s.max / unit)
    })
}

/// The ratio of two rows, repeat by repeat.
fn paired(one: &Row, other: Option<&Row>, figure: Figure) -> Option<Spread> {
    let pairs = one.samples.iter().zip(&other?.samples);
    Spread::of(pairs.map(|(a, b)| figure(a) / figure(b)))
}

/// A ratio, and whether it meets its goal.
fn judged(spread: Option<Spread>, holds: impl Fn(f64) -> bool) -> String {
    let verdict = match spread {
        Some(s) if holds(s.median) => " ok",
        Some(_) => " MISS",
        None => "",
    };
    format!("{}{verdict}", ratio(spread))
}

/// A count per message: server / client.
fn each(row: &Row, figure: fn(&Sample) -> [Option<u64>; 2]) -> String {
    let side = |at: usize| {
        let shares = row.samples.iter().filter_map(|sample| {
            let count = figure(sample).get(at).copied().flatten()?;
            Some(count as f64 / sample.messages as f64)
        });
        number(Spread::of(shares), 1.0, 3)
    };
    format!("{} / {}", side(0), side(1))
}

/// Prints a warning when server or client often had no core.
fn waited(case: &Case) {
    let share = |figure: fn(&Sample) -> u64| {
        let samples = case.rows.iter().flat_map(|row| &row.samples);
        Spread::of(samples.map(|sample| figure(sample) as f64 / sample.elapsed_ns as f64))
            .map_or(0.0, |s| s.median)
    };
    let (server, client) = (share(|f| f.server_waited_ns), share(|f| f.client_waited_ns));
    if server > NOISE || client > NOISE {
        println!(
            "  NOISY: other processes held the server's core for {:.0} % and the client's core for {:.0} % of the \
             time: trust CPU ratios, not messages a second",
            server * 100.0,
            client * 100.0
        );
    }
}

fn header<const N: usize>(names: [&str; N]) -> Vec<Vec<String>> {
    vec![names.map(str::to_owned).to_vec()]
}

pub(crate) fn throughput(case: &Case) {
    let mut table = header([
        "peer",
        "k msg/s",
        "[min..max]",
        "server ns/msg",
        "client ns/msg",
        "rate x yamux",
        "x h2 (goal >= 3)",
        "x qmux",
        "CPU x yamux",
        "x h2",
        "x qmux",
        "calls/msg s / c",
        "allocs/msg s / c",
    ]);
    for row in &case.rows {
        let to = |peer, figure| paired(row, case.row(peer), figure);
        let rate = |peer| {
            let spread = to(peer, per_second);
            if row.peer.is_ours() {
                judged(spread, |ratio| ratio >= RATE_GOAL)
            } else {
                ratio(spread)
            }
        };
        table.push(vec![
            row.peer.name(),
            number(spread(row, per_second), 1e3, 0),
            range(spread(row, per_second), 1e3),
            number(spread(row, server_ns), 1.0, 0),
            number(spread(row, client_ns), 1.0, 0),
            rate(Peer::Yamux),
            rate(Peer::H2),
            ratio(to(Peer::Qmux, per_second)),
            ratio(to(Peer::Yamux, server_ns)),
            ratio(to(Peer::H2, server_ns)),
            ratio(to(Peer::Qmux, server_ns)),
            each(row, |f| {
                [f.server_calls, f.client_calls].map(|calls| calls.map(Counted::all))
            }),
            each(row, |f| [f.server_allocations, f.client_allocations]),
        ]);
    }
    print_table(&table);
    waited(case);
}

/// Rates over the number of channels, relative to the first case.
pub(crate) fn flat(cases: &[Case]) {
    let Some(first) = cases.first() else {
        return;
    };
    let channels = cases.iter().map(|case| match case.work {
        Work::Throughput { channels, .. } => channels.to_string(),
        _ => String::new(),
    });
    let mut names = vec!["peer".to_owned()];
    names.extend(channels);
    names.push("least (goal >= 0.8)".to_owned());
    let mut table = vec![names];
    for row in &first.rows {
        let ratios: Vec<Option<Spread>> = cases
            .iter()
            .map(|case| paired(case.row(row.peer)?, Some(row), per_second))
            .collect();
        let mut line = vec![row.peer.name()];
        line.extend(ratios.iter().map(|r| ratio(*r)));
        let least = ratios
            .into_iter()
            .flatten()
            .min_by(|a, b| a.median.total_cmp(&b.median));
        line.push(if row.peer.is_ours() {
            judged(least, |ratio| ratio >= FLAT_GOAL)
        } else {
            ratio(least)
        });
        table.push(line);
    }
    print_table(&table);
}

/// Delay of ticks: alone, then beside each kind of bulk channel.
pub(crate) fn latency(cases: &[Case]) {
    let Some(alone) = cases.first() else {
        return;
    };
    let mut table = header([
        "peer, beside",
        "p50 us",
        "p99 us",
        "[min..max]",
        "p99.9 us",
        "max us",
        "p99 x alone (goal <= 2)",
        "bulk MiB/s",
    ]);
    for first in &alone.rows {
        for case in cases {
            let Some(row) = case.row(first.peer) else {
                continue;
            };
            let beside = match case.work {
                Work::Latency {
                    bulk: Some(role), ..
                } => role.topic(),
                _ => "alone",
            };
            let p99: Figure = |f| f.ticks.p99_ns as f64;
            let to_alone = paired(row, Some(first), p99);
            table.push(vec![
                format!("{}, {beside}", row.peer.name()),
                number(spread(row, |f| f.ticks.p50_ns as f64), 1e3, 1),
                number(spread(row, p99), 1e3, 1),
                range(spread(row, p99), 1e3),
                number(spread(row, |f| f.ticks.p999_ns as f64), 1e3, 1),
                number(spread(row, |f| f.ticks.max_ns as f64), 1e3, 0),
                if row.peer.is_ours() {
                    judged(to_alone, |ratio| ratio <= P99_GOAL)
                } else {
                    ratio(to_alone)
                },
                number(
                    spread(row, |f| f.bulk_bytes as f64 / f.elapsed_ns as f64 * 1e9),
                    1_048_576.0,
                    1,
                ),
            ]);
        }
    }
    print_table(&table);
    for case in cases {
        waited(case);
    }
}

/// Rate of one channel and delay of ticks, beside channels that nobody reads.
pub(crate) fn unread(cases: &[(Case, Case)]) {
    let Some((alone, ticks_alone)) = cases.first() else {
        return;
    };
    let mut table = header([
        "peer, beside",
        "k msg/s",
        "x alone",
        "client ns/msg",
        "x alone",
        "tick p50 us",
        "p99 us",
        "max us",
        "p99 x alone",
    ]);
    let p99: Figure = |f| f.ticks.p99_ns as f64;
    for first in &alone.rows {
        for (rate, delay) in cases {
            let (Some(row), Some(ticks)) = (rate.row(first.peer), delay.row(first.peer)) else {
                continue;
            };
            let beside = match rate.work {
                Work::Throughput { unread, .. } => unread,
                _ => 0,
            };
            let ticks_first = ticks_alone.row(first.peer);
            table.push(vec![
                format!("{}, {beside}", row.peer.name()),
                number(spread(row, per_second), 1e3, 0),
                ratio(paired(row, Some(first), per_second)),
                number(spread(row, client_ns), 1.0, 0),
                ratio(paired(row, Some(first), client_ns)),
                number(spread(ticks, |f| f.ticks.p50_ns as f64), 1e3, 1),
                number(spread(ticks, p99), 1e3, 1),
                number(spread(ticks, |f| f.ticks.max_ns as f64), 1e3, 0),
                ratio(paired(ticks, ticks_first, p99)),
            ]);
        }
    }
    print_table(&table);
    for (rate, delay) in cases {
        waited(rate);
        waited(delay);
    }
}

pub(crate) fn opens(case: &Case) {
    let mut table = header([
        "peer",
        "k/s",
        "[min..max]",
        "server ns each",
        "client ns each",
        "rate x yamux",
        "x h2",
        "x qmux",
        "allocs each s / c",
    ]);
    for row in &case.rows {
        table.push(vec![
            row.peer.name(),
            number(spread(row, per_second), 1e3, 1),
            range(spread(row, per_second), 1e3),
            number(spread(row, server_ns), 1.0, 0),
            number(spread(row, client_ns), 1.0, 0),
            ratio(paired(row, case.row(Peer::Yamux), per_second)),
            ratio(paired(row, case.row(Peer::H2), per_second)),
            ratio(paired(row, case.row(Peer::Qmux), per_second)),
            each(row, |f| [f.server_allocations, f.client_allocations]),
        ]);
    }
    print_table(&table);
    waited(case);
}

pub(crate) fn idle(case: &Case, channels: usize) {
    let mut table = header([
        "peer", "server", "client", "both", "x yamux", "x h2", "x qmux",
    ]);
    let both: Figure = |f| (f.server_bytes + f.client_bytes) as f64;
    for row in &case.rows {
        let bytes = |figure| number(spread(row, figure), channels as f64, 0);
        table.push(vec![
            row.peer.name(),
            bytes(|f| f.server_bytes as f64),
            bytes(|f| f.client_bytes as f64),
            bytes(both),
            ratio(paired(row, case.row(Peer::Yamux), both)),
            ratio(paired(row, case.row(Peer::H2), both)),
            ratio(paired(row, case.row(Peer::Qmux), both)),
        ]);
    }
    print_table(&table);
}
