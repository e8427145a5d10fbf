//! The comparison as its user runs it: every rival starts, proves its echo and is measured.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is the verdict"
)]

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

const RIVALS: [&str; 11] = [
    "raw",
    "sockudo-protocol",
    "sockudo-protocol-tokio",
    "sockudo-stream",
    "fastwebsockets",
    "tungstenite",
    "tokio-websockets",
    "yawc",
    "nexus-web",
    "nexus-web-tokio",
    "nexus-async-web",
];

/// An option with its value, unless `arguments` have it.
fn given(option: &'static str, value: &'static str, arguments: &[&str]) -> Vec<&'static str> {
    if arguments.contains(&option) {
        return Vec::new();
    }
    vec![option, value]
}

/// Runs `compare` unpinned (the machine of a test may have one core) and reads its report.
fn compare(name: &str, arguments: &[&str]) -> (Output, Option<Value>) {
    let report = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.json"));
    let _ = std::fs::remove_file(&report);
    let output = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(["--server-core", "none", "--client-core", "none", "--json"])
        .arg(&report)
        .args(given("--repeats", "1", arguments))
        .args(given("--seconds", "0.02", arguments))
        .args(arguments)
        .output()
        .unwrap();
    let json = std::fs::read(&report)
        .ok()
        .map(|bytes| serde_json::from_slice(&bytes).unwrap());
    (output, json)
}

/// The rows of a successful run, one for each rival in order.
fn rows(name: &str, arguments: &[&str], path: &str) -> Vec<Value> {
    let rivals = RIVALS.join(",");
    let (output, json) = compare(name, &[arguments, &["--peers", &rivals]].concat());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let rows = json
        .unwrap()
        .pointer(path)
        .unwrap()
        .as_array()
        .unwrap()
        .clone();
    let peers: Vec<&str> = rows
        .iter()
        .map(|row| row["peer"].as_str().unwrap())
        .collect();
    assert_eq!(peers, RIVALS);
    rows
}

#[test]
fn every_rival_echoes_small_and_large_messages() {
    for (name, size) in [("small", "20"), ("large", "65536")] {
        let arguments = ["--size", size, "--connections", "2", "--window", "4"];
        for row in rows(name, &arguments, "/results/throughput/0/rows") {
            assert!(
                row["samples"][0]["messages"].as_u64().unwrap() >= 8,
                "{row}"
            );
            assert!(
                row["server_cpu_ns"]["median"].as_f64().unwrap() > 0.0,
                "{row}"
            );
        }
    }
}

/// Their opcodes and bytes are proved before they are timed.
#[test]
fn every_rival_echoes_text() {
    for (name, kind, size) in [("ascii", "ascii", "5"), ("mixed", "mixed", "16384")] {
        let arguments = [
            "--text",
            kind,
            "--size",
            size,
            "--connections",
            "2",
            "--window",
            "4",
        ];
        for row in rows(name, &arguments, "/results/throughput/0/rows") {
            assert!(
                row["samples"][0]["messages"].as_u64().unwrap() >= 8,
                "{row}"
            );
        }
    }
}

#[test]
fn every_rival_answers_in_closed_and_open_loops() {
    let loops: [(&str, &[&str]); 2] = [
        ("closed", &["--latency", "--blocking"]),
        ("open", &["--latency", "--blocking", "--rate", "1000"]),
    ];
    for (name, arguments) in loops {
        for row in rows(name, arguments, "/results/latency/0/rows") {
            let sample = &row["samples"][0];
            assert!(sample["messages"].as_u64().unwrap() >= 1, "{row}");
            assert!(
                sample["p50_ns"].as_u64() <= sample["max_ns"].as_u64(),
                "{row}"
            );
        }
    }
}

#[test]
fn many_connections_are_made_anew_for_each_repeat() {
    let arguments = ["--size", "20", "--connections", "80", "--window", "1"];
    let arguments = [&arguments[..], &["--repeats", "2"]].concat();
    for row in rows("many", &arguments, "/results/throughput/0/rows") {
        let samples = row["samples"].as_array().unwrap();
        assert_eq!(samples.len(), 2, "{row}");
        for sample in samples {
            assert!(sample["messages"].as_u64().unwrap() >= 80, "{row}");
        }
    }
}

#[test]
fn every_rate_is_a_loop_of_its_own_and_is_drawn() {
    let figures = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("figures");
    let _ = std::fs::remove_dir_all(&figures);
    let mut arguments = vec!["--latency", "--blocking", "--rate", "1000,2000"];
    arguments.extend([
        "--peers",
        "raw,yawc",
        "--figures",
        figures.to_str().unwrap(),
    ]);
    let (output, json) = compare("rates", &arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let json = json.unwrap();
    for (index, rate) in [(0, 1000.0), (1, 2000.0)] {
        assert_eq!(json["results"]["latency"][index]["rate"], rate);
    }
    for name in [
        "latency-20B-c1-1000",
        "latency-20B-c1-2000",
        "p99-by-rate-20B-c1",
    ] {
        let svg = std::fs::read_to_string(figures.join(format!("{name}.svg"))).unwrap();
        roxmltree::Document::parse(&svg).unwrap();
    }
}

#[test]
fn allocations_are_counted_where_valgrind_is() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("SKIPPED: valgrind is not installed");
        return;
    }
    let mut arguments = vec!["--allocations", "--peers", "raw,yawc", "--seconds", "0.4"];
    arguments.extend(["--size", "65536", "--connections", "1", "--window", "1"]);
    let (output, json) = compare("allocations", &arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let json = json.unwrap();
    let of = |index: usize| {
        let row = &json["results"]["allocations"][index];
        row["allocations_per_message"].as_f64().unwrap()
    };
    // An echo that knows no framing keeps its buffers.
    assert!(of(0).abs() < 0.01, "{json}");
    assert!(of(1) > 0.01, "{json}");
}

#[test]
fn every_rival_holds_idle_connections() {
    for row in rows("idle", &["--idle", "20"], "/results/idle") {
        assert_eq!(row["connections"], 20);
    }
}

#[test]
fn a_server_that_is_not_there_is_named_and_fails_the_run() {
    // Port 1 of the loopback address: nobody listens there.
    let (output, json) = compare(
        "absent",
        &["--peers", "raw", "--size", "20", "--against", "127.0.0.1:1"],
    );
    assert!(!output.status.success());
    let json = json.unwrap();
    assert_eq!(
        json.pointer("/results/throughput/0/rows")
            .unwrap()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(
        json["left_out"][0]
            .as_str()
            .unwrap()
            .starts_with("127.0.0.1:1"),
        "{json}"
    );
}
