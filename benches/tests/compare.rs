//! The comparison as its user runs it: every rival starts, proves its echo and is measured.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is the verdict"
)]

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

const RIVALS: [&str; 8] = [
    "raw",
    "sockudo-protocol",
    "sockudo-protocol-tokio",
    "sockudo-stream",
    "fastwebsockets",
    "tungstenite",
    "tokio-websockets",
    "yawc",
];

/// Runs `compare` unpinned (the machine of a test may have one core) and reads its report.
fn compare(name: &str, arguments: &[&str]) -> (Output, Option<Value>) {
    let report = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.json"));
    let _ = std::fs::remove_file(&report);
    let output = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args([
            "--server-core",
            "none",
            "--client-core",
            "none",
            "--repeats",
            "1",
            "--seconds",
            "0.02",
            "--json",
        ])
        .arg(&report)
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
