use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;

/// Peers of the invented runs; every figure must have a line for each.
const PEERS: [&str; 3] = ["raw", "sockudo-stream", "tickwire-mio"];

fn spread(median: f64) -> Value {
    json!({ "median": median, "min": median * 0.9, "max": median * 1.2 })
}

/// A throughput outcome: a peer is slower the later it is in the list.
fn outcome(payload_bytes: usize, connections: usize, window: usize) -> Value {
    let rows: Vec<Value> = PEERS
        .iter()
        .zip(1..)
        .map(|(peer, place)| {
            json!({
                "peer": peer, "speaks_websocket": *peer != "raw",
                "messages_per_second": spread(1e6 * window as f64 / f64::from(place)),
                "server_cpu_ns": spread(100.0 * f64::from(place)),
                "client_was_the_limit": false, "samples": [],
            })
        })
        .collect();
    let case = json!({
        "payload_bytes": payload_bytes, "connections": connections, "window": window,
    });
    json!({ "name": "made up", "case": case, "best_rival": null, "rows": rows })
}

fn latency(rate: Option<f64>) -> Value {
    let rows: Vec<Value> = PEERS
        .iter()
        .zip(1u64..)
        .map(|(peer, place)| {
            let quantiles: Vec<u64> = (1..=9).map(|i| place * i * 1000).collect();
            let sample = json!({
                "messages": 1000, "p50_ns": 1, "p99_ns": 2, "p999_ns": 3, "max_ns": 4,
                "quantiles_ns": quantiles,
            });
            json!({
                "peer": peer, "p99_ns": spread(place as f64 * 1e4),
                "samples": [sample, sample],
            })
        })
        .collect();
    json!({
        "case": { "payload_bytes": 20, "connections": 1, "window": 1 },
        "rate": rate, "servers_spin": true, "client_waited": 0.0, "rows": rows,
    })
}

fn report(results: Value) -> Value {
    json!({
        "machine": {
            "cpu": "none", "cores": 1, "kernel": "none", "load_average_before": "none",
        },
        "cpu_clock": "none", "server_core": null, "client_core": null,
        "repeats": 2, "seconds_per_repeat": 1.0, "left_out": [], "results": results,
    })
}

/// Writes `run` to a file and draws it; returns the names and texts of the figures.
fn drawn(name: &str, run: &Value) -> Vec<(String, String)> {
    let id = std::process::id();
    let folder = std::env::temp_dir().join(format!("compare-figures-{name}-{id}"));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("run.json");
    fs::write(&file, run.to_string()).unwrap();
    let written = draw_files(&[file], &folder.join("figures"));
    let named = |path: PathBuf| {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        (stem, fs::read_to_string(path).unwrap())
    };
    let figures = written.unwrap().into_iter().map(named).collect();
    fs::remove_dir_all(folder).unwrap();
    figures
}

/// Y coordinates (from the top) of the points of each peer's line.
fn lines(svg: &str) -> Vec<Vec<f64>> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "svg");
    assert_eq!(
        root.tag_name().namespace(),
        Some("http://www.w3.org/2000/svg")
    );
    let texts: Vec<&str> = root.descendants().filter_map(|n| n.text()).collect();
    let lines: Vec<Vec<f64>> = (0..PEERS.len())
        .map(|index| {
            let name = PEERS[index];
            assert!(
                texts.iter().any(|t| t.trim() == name),
                "no {name}: {texts:?}"
            );
            let colour = chart::colour(index);
            let mut dots: Vec<(f64, f64)> = root
                .descendants()
                .filter(|n| n.has_tag_name(("http://www.w3.org/2000/svg", "circle")))
                .filter(|n| n.attribute("fill") == Some(&colour))
                .map(|n| ["cx", "cy"].map(|a| n.attribute(a).unwrap().parse().unwrap()))
                .map(|[x, y]: [f64; 2]| (x, y))
                .collect();
            dots.sort_by(|a, b| a.0.total_cmp(&b.0));
            let joined = root.descendants().any(|n| {
                n.has_tag_name(("http://www.w3.org/2000/svg", "polyline"))
                    && n.attribute("stroke") == Some(&colour)
                    && n.attribute("points")
                        .is_some_and(|p| p.split_whitespace().count() == dots.len())
            });
            assert!(joined, "the points of {name} are not joined:\n{svg}");
            dots.into_iter().map(|dot| dot.1).collect()
        })
        .collect();
    lines
}

fn names(figures: &[(String, String)]) -> Vec<&str> {
    figures.iter().map(|figure| figure.0.as_str()).collect()
}

/// Checks that every line has `points` points and that the lines are in this order from the top.
fn check(figure: &(String, String), points: usize, first_is_highest: bool) {
    let lines = lines(&figure.1);
    for (line, next) in lines.iter().zip(&lines[1..]) {
        assert_eq!((line.len(), next.len()), (points, points), "{}", figure.0);
        for (y, next) in line.iter().zip(next) {
            assert_eq!(y < next, first_is_highest, "{}: {lines:?}", figure.0);
        }
    }
}

#[test]
fn throughput_and_cpu_are_lines_over_windows_and_connections() {
    let outcomes = [
        // Not sorted by window.
        outcome(20, 16, 64),
        outcome(20, 16, 1),
        outcome(20, 16, 16),
        outcome(20, 1, 1),
        outcome(20, 5000, 1),
        // One point makes no line.
        outcome(65_536, 4, 4),
    ];
    let figures = drawn("throughput", &report(json!({ "throughput": outcomes })));
    assert_eq!(
        names(&figures),
        [
            "throughput-by-window-20B-c16",
            "cpu-by-window-20B-c16",
            "cpu-by-connections-20B-w1",
        ]
    );
    check(&figures[0], 3, true);
    check(&figures[1], 3, false);
    check(&figures[2], 3, false);
    for tick in lines(&figures[0].1) {
        assert!(
            tick[0] > tick[1] && tick[1] > tick[2],
            "more with each window"
        );
    }
    for label in ["5000", "connections", "server CPU per message, ns"] {
        assert!(figures[2].1.contains(label), "{label}");
    }
}

#[test]
fn percentiles_are_a_figure_for_each_loop_and_rates_one_for_all() {
    let loops = [
        latency(None),
        latency(Some(10_000.0)),
        latency(Some(1_000.0)),
    ];
    let figures = drawn("latency", &report(json!({ "latency": loops })));
    assert_eq!(
        names(&figures),
        [
            "latency-20B-c1-w1",
            "latency-20B-c1-10000",
            "latency-20B-c1-1000",
            "p99-by-rate-20B-c1",
        ]
    );
    for figure in &figures[..3] {
        check(figure, latency::QUANTILES.len(), false);
        assert!(figure.1.contains("99.99 %"), "{}", figure.0);
    }
    check(&figures[3], 2, false);
}

#[test]
fn a_run_of_channels_is_drawn() {
    let found = |place: u64| {
        json!({
            "messages": 6_000_000 / place, "elapsed_ns": 1_000_000_000,
            "ticks": { "p50_ns": place * 10, "p99_ns": place * 100, "p999_ns": place * 1000 },
        })
    };
    let rows = || -> Vec<Value> {
        let row = |(peer, place): (&&str, u64)| json!({ "peer": peer, "samples": [found(place)] });
        PEERS.iter().zip(1..).map(row).collect()
    };
    let throughput = [1, 256, 16].map(|channels| {
        json!({
            "work": { "throughput": { "channels": channels, "bytes": 64, "burst": 64 } },
            "rows": rows(),
        })
    });
    let latency = [None, Some("BulkStalled")].map(|bulk| {
        json!({
            "work": { "latency": { "bulk": bulk, "ticks_per_second": 2000 } },
            "rows": rows(),
        })
    });
    let run = json!({ "throughput": throughput, "latency": latency, "opens": [], "idle": [] });
    let figures = drawn("channels", &run);
    assert_eq!(
        names(&figures),
        [
            "channels-throughput-64B-burst64",
            "channels-latency-alone-2000",
            "channels-latency-bulkstalled-2000",
        ]
    );
    check(&figures[0], 3, true);
    check(&figures[1], 3, false);
    check(&figures[2], 3, false);
    assert!(figures[2].1.contains("beside bulk whose reader is stalled"));
}

#[test]
fn a_figure_of_two_runs_is_not_drawn_over() {
    let folder = std::env::temp_dir().join(format!("compare-twice-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let ticks = json!({ "p50_ns": 1, "p99_ns": 2, "p999_ns": 3 });
    let sample = json!({ "messages": 1, "elapsed_ns": 1, "ticks": ticks });
    let latency = json!([{
        "work": { "latency": { "bulk": null, "ticks_per_second": 2000 } },
        "rows": [{ "peer": PEERS[0], "samples": [sample] }],
    }]);
    let run = json!({ "throughput": [], "latency": latency, "opens": [], "idle": [] });
    let file = folder.join("run.json");
    fs::write(&file, run.to_string()).unwrap();
    let into = folder.join("figures");
    let twice = draw_files(&[file.clone(), file.clone()], &into).unwrap_err();
    assert!(
        twice.to_string().contains("channels-latency-alone-2000"),
        "{twice}"
    );
    assert!(!into.exists(), "nothing must be written");
    assert_eq!(draw_files(&[file], &into).unwrap().len(), 1);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_no_run_is_refused() {
    for text in ["{}", "[1]", "no JSON", r#"{ "results": 1 }"#] {
        let file = std::env::temp_dir().join(format!("compare-no-run-{}", std::process::id()));
        fs::write(&file, text).unwrap();
        let drawn = draw_files(std::slice::from_ref(&file), &std::env::temp_dir());
        assert!(drawn.is_err(), "{text}");
        fs::remove_file(file).unwrap();
    }
}
