//! Figures of runs, as SVG. They are always made from the content of the JSON file, so that a run
//! can be drawn again without a measurement.
//!
//! | file | what it shows |
//! |---|---|
//! | `throughput-by-window-SIZE-cN` | messages a second over the window |
//! | `cpu-by-window-SIZE-cN` | server CPU per message over the window |
//! | `cpu-by-connections-SIZE-wN` | server CPU per message over connections |
//! | `latency-SIZE-cN-LOOP` | round trip over percentiles |
//! | `p99-by-rate-SIZE-cN` | the 99th percentile over the open loops' rates |
//! | `channels-...` | of a run of `channels` |
//!
//! A point is the median of the repeats; its bar goes from the minimum to the maximum.

mod channels;
mod chart;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use self::chart::{Figure, Point, Series};
use crate::cli::{Case, Content};
use crate::measure;
use crate::stats::Spread;
use crate::{Report, Results, latency};

/// Draws the runs of these files; returns the paths of the written files.
pub(crate) fn draw_files(runs: &[PathBuf], into: &Path) -> Result<Vec<PathBuf>> {
    let mut all: Vec<Figure> = Vec::new();
    for run in runs {
        let named = || format!("{} is no run of `compare` or `channels`", run.display());
        let bytes = fs::read(run).with_context(|| format!("cannot read {}", run.display()))?;
        let value: serde_json::Value = serde_json::from_slice(&bytes).with_context(named)?;
        let figures = if value.get("results").is_some() {
            let report: Report = serde_json::from_value(value).with_context(named)?;
            figures(&report.results)
        } else {
            channels::figures(serde_json::from_value(value).with_context(named)?)
        };
        for figure in figures {
            ensure!(
                all.iter().all(|other| other.name != figure.name),
                "two of these runs have a figure {}: draw them into separate directories",
                figure.name
            );
            all.push(figure);
        }
    }
    write(&all, into)
}

/// Draws the results of a run.
pub(crate) fn draw(results: &Results, into: &Path) -> Result<Vec<PathBuf>> {
    write(&figures(results), into)
}

fn write(figures: &[Figure], into: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(into).with_context(|| format!("cannot make {}", into.display()))?;
    let mut written = Vec::new();
    for figure in figures {
        let path = into.join(format!("{}.svg", figure.name));
        fs::write(&path, figure.svg()?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        written.push(path);
    }
    Ok(written)
}

fn figures(results: &Results) -> Vec<Figure> {
    let mut figures = by_window(&results.throughput);
    figures.extend(by_connections(&results.throughput));
    figures.extend(results.latency.iter().map(percentiles));
    figures.extend(by_rate(&results.latency));
    // A line needs two points.
    figures.retain(Figure::has_a_line);
    figures
}

/// Groups the outcomes by `key`, each group sorted by `x`.
fn grouped<T, K: Ord>(
    outcomes: &[T],
    key: impl Fn(&T) -> K,
    x: impl Fn(&T) -> f64,
) -> BTreeMap<K, Vec<&T>> {
    let mut groups: BTreeMap<K, Vec<&T>> = BTreeMap::new();
    for outcome in outcomes {
        groups.entry(key(outcome)).or_default().push(outcome);
    }
    for group in groups.values_mut() {
        group.sort_by(|a, b| x(a).total_cmp(&x(b)));
    }
    groups
}

/// One line per peer, in the order of their first rows, with one point per outcome.
fn series<T, R>(
    group: &[&T],
    rows: impl Fn(&T) -> &[R],
    peer: impl Fn(&R) -> &str,
    point: impl Fn(&T, &R) -> Option<Point>,
) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for outcome in group {
        for row in rows(outcome) {
            let name = peer(row);
            let at = all.iter().position(|series| series.name == name);
            let at = at.unwrap_or_else(|| {
                all.push(Series::new(name));
                all.len() - 1
            });
            all[at].points.extend(point(outcome, row));
        }
    }
    all
}

fn at(x: f64, spread: Option<Spread>) -> Option<Point> {
    spread.map(|spread| Point { x, spread })
}

/// What tells the messages of one figure from those of another.
fn message(case: Case) -> (usize, Content) {
    (case.payload_bytes, case.content)
}

/// A size as in the names of cases.
fn size(case: Case) -> String {
    let name = case.name();
    name.split('-').next().unwrap_or_default().to_owned()
}

/// A doubling is one step of the axis.
fn doublings(x: usize) -> f64 {
    (x as f64).log2()
}

fn microseconds(ns: Spread) -> Spread {
    Spread {
        median: ns.median / 1e3,
        min: ns.min / 1e3,
        max: ns.max / 1e3,
    }
}

type Throughput = measure::Outcome;

fn by_window(outcomes: &[Throughput]) -> Vec<Figure> {
    type Value = fn(&measure::Row) -> Option<Spread>;
    let kinds: [(&str, &str, Value); 2] = [
        ("throughput", "messages a second", |row| {
            row.messages_per_second
        }),
        ("cpu", "server CPU per message, ns", |row| row.server_cpu_ns),
    ];
    let groups = grouped(
        outcomes,
        |o| (message(o.case), o.case.connections),
        |o| o.case.window as f64,
    );
    let mut figures = Vec::new();
    for ((_, connections), group) in &groups {
        for (kind, y_title, value) in kinds {
            let size = size(group[0].case);
            figures.push(Figure {
                name: format!("{kind}-by-window-{size}-c{connections}"),
                title: format!("Echo of {size}, {connections} connections"),
                x_title: "window: messages in flight on each connection",
                y_title,
                x_ticks: ticks(group.iter().map(|o| o.case.window)),
                series: series(
                    group,
                    |o| &o.rows,
                    |row| &row.peer,
                    |o, row| at(doublings(o.case.window), value(row)),
                ),
            });
        }
    }
    figures
}

fn by_connections(outcomes: &[Throughput]) -> Vec<Figure> {
    let groups = grouped(
        outcomes,
        |o| (message(o.case), o.case.window),
        |o| o.case.connections as f64,
    );
    let figure = |((_, window), group): (&((usize, Content), usize), &Vec<&Throughput>)| {
        let size = size(group[0].case);
        Figure {
            name: format!("cpu-by-connections-{size}-w{window}"),
            title: format!("Echo of {size}, window {window}"),
            x_title: "connections",
            y_title: "server CPU per message, ns",
            x_ticks: ticks(group.iter().map(|o| o.case.connections)),
            series: series(
                group,
                |o| &o.rows,
                |row| &row.peer,
                |o, row| at(doublings(o.case.connections), row.server_cpu_ns),
            ),
        }
    };
    groups.iter().map(figure).collect()
}

/// Ticks of an axis of doublings, labelled with the values.
fn ticks(values: impl Iterator<Item = usize>) -> Vec<(f64, String)> {
    values.map(|x| (doublings(x), x.to_string())).collect()
}

/// Each further nine is one step of the axis: 90 %, 99 %, 99.9 %.
fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).log10()
}

fn percent(quantile: f64) -> String {
    let text = format!("{:.2}", quantile * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

fn percentiles(outcome: &latency::Outcome) -> Figure {
    let case = outcome.case;
    let (slug, loop_) = match outcome.rate {
        Some(rate) => (
            format!("{rate}"),
            format!("open loop, {rate} messages a second"),
        ),
        None => (
            format!("w{}", case.window),
            format!("closed loop, window {}", case.window),
        ),
    };
    let points = |row: &latency::Row| -> Vec<Point> {
        let quantiles = latency::QUANTILES.iter().enumerate();
        let point = |(i, &quantile): (usize, &f64)| {
            let of = |sample: &latency::Sample| Some(*sample.quantiles_ns.get(i)? as f64 / 1e3);
            at(
                nines(quantile),
                Spread::of(row.samples.iter().filter_map(of)),
            )
        };
        quantiles.filter_map(point).collect()
    };
    let size = size(case);
    Figure {
        name: format!("latency-{size}-c{}-{slug}", case.connections),
        title: format!(
            "Round trip of {size}, {} connections, {loop_}",
            case.connections
        ),
        x_title: "share of messages answered within",
        y_title: "round trip, us",
        x_ticks: [0.5, 0.9, 0.99, 0.999, 0.9999]
            .map(|quantile| (nines(quantile), percent(quantile)))
            .to_vec(),
        series: outcome
            .rows
            .iter()
            .map(|row| Series {
                name: row.peer.clone(),
                points: points(row),
            })
            .collect(),
    }
}

fn by_rate(outcomes: &[latency::Outcome]) -> Vec<Figure> {
    let key = |o: &latency::Outcome| (message(o.case), o.case.connections);
    let mut figures = Vec::new();
    for group in grouped(outcomes, key, |o| o.rate.unwrap_or(0.0)).values() {
        let open: Vec<_> = group.iter().copied().filter(|o| o.rate.is_some()).collect();
        let Some(first) = open.first() else { continue };
        let position = |o: &latency::Outcome| o.rate.unwrap_or(1.0).log2();
        let size = size(first.case);
        let connections = first.case.connections;
        figures.push(Figure {
            name: format!("p99-by-rate-{size}-c{connections}"),
            title: format!("Round trip of {size}, {connections} connections, open loop"),
            x_title: "messages a second",
            y_title: "99th percentile, us",
            x_ticks: open
                .iter()
                .map(|o| (position(o), o.rate.unwrap_or(0.0).to_string()))
                .collect(),
            series: series(
                &open,
                |o| &o.rows,
                |row| &row.peer,
                |o, row| at(position(o), row.p99_ns.map(microseconds)),
            ),
        });
    }
    figures
}
