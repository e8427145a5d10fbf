//! Figures from the files that `channels --json` writes.

use serde::Deserialize;

use super::chart::{Figure, Series};
use super::{at, doublings, grouped, nines, percent, series, ticks};
use crate::stats::Spread;

/// The part of the report that is drawn.
#[derive(Debug, Deserialize)]
pub(super) struct Run {
    throughput: Vec<Case>,
    latency: Vec<Case>,
}

#[derive(Debug, Deserialize)]
struct Case {
    work: Work,
    rows: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Work {
    Throughput {
        channels: usize,
        bytes: usize,
        burst: usize,
    },
    Latency {
        bulk: Option<String>,
        ticks_per_second: u32,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Row {
    peer: String,
    samples: Vec<Found>,
}

#[derive(Debug, Deserialize)]
struct Found {
    messages: u64,
    elapsed_ns: u64,
    ticks: Ticks,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Ticks {
    p50_ns: u64,
    p99_ns: u64,
    p999_ns: u64,
}

pub(super) fn figures(run: Run) -> Vec<Figure> {
    let mut figures = by_channels(&run.throughput);
    figures.extend(run.latency.iter().filter_map(percentiles));
    figures.retain(Figure::has_a_line);
    figures
}

fn by_channels(cases: &[Case]) -> Vec<Figure> {
    let parts = |case: &Case| match case.work {
        Work::Throughput {
            channels,
            bytes,
            burst,
        } => (channels, bytes, burst),
        _ => (1, 0, 0),
    };
    let key = |case: &Case| (parts(case).1, parts(case).2);
    let figure = |((bytes, burst), group): ((usize, usize), Vec<&Case>)| Figure {
        name: format!("channels-throughput-{bytes}B-burst{burst}"),
        title: format!("Messages of {bytes} B over channels of one connection, bursts of {burst}"),
        x_title: "channels",
        y_title: "messages a second",
        x_ticks: ticks(group.iter().map(|case| parts(case).0)),
        series: series(
            &group,
            |case| &case.rows,
            |row| &row.peer,
            |case, row| {
                let rate = |s: &Found| s.messages as f64 / s.elapsed_ns as f64 * 1e9;
                let rates = Spread::of(row.samples.iter().map(rate));
                at(doublings(parts(case).0), rates)
            },
        ),
    };
    grouped(cases, key, |case| parts(case).0 as f64)
        .into_iter()
        .map(figure)
        .collect()
}

fn percentiles(case: &Case) -> Option<Figure> {
    let Work::Latency {
        bulk,
        ticks_per_second,
    } = &case.work
    else {
        return None;
    };
    type Quantile = (f64, fn(Ticks) -> u64);
    let quantiles: [Quantile; 3] = [
        (0.5, |t| t.p50_ns),
        (0.99, |t| t.p99_ns),
        (0.999, |t| t.p999_ns),
    ];
    let points = |row: &Row| {
        let point = |(quantile, of): Quantile| {
            let values = row.samples.iter().map(|s| of(s.ticks) as f64 / 1e3);
            at(nines(quantile), Spread::of(values))
        };
        quantiles.into_iter().filter_map(point).collect()
    };
    let beside = bulk.as_deref().unwrap_or("Alone");
    Some(Figure {
        name: format!(
            "channels-latency-{}-{ticks_per_second}",
            beside.to_lowercase()
        ),
        title: match beside.strip_prefix("Bulk") {
            Some(reader) => format!(
                "{ticks_per_second} ticks a second, beside bulk whose reader is {}",
                reader.to_lowercase()
            ),
            None => format!("{ticks_per_second} ticks a second, alone"),
        },
        x_title: "share of ticks that arrived within",
        y_title: "one way, us",
        x_ticks: quantiles.map(|(q, _)| (nines(q), percent(q))).to_vec(),
        series: case
            .rows
            .iter()
            .map(|row| Series {
                name: row.peer.clone(),
                points: points(row),
            })
            .collect(),
    })
}
