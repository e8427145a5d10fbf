//! The comparison of channels as its user runs it: every peer starts, its messages are checked, and
//! every table is measured.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is the verdict"
)]

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// Peers with channels.
const PEERS: [&str; 7] = [
    "tickwire-mio",
    "tickwire-reactor",
    "tickwire-tokio",
    "yamux",
    "yamux-deferred",
    "h2",
    "qmux",
];

/// The cases of `table` in the report of a short run without pinning (the machine of a test may
/// have one core). A run with a wrong byte or a wrong order fails.
fn cases(table: &str, arguments: &[&str]) -> Vec<Value> {
    let report = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("channels-{table}.json"));
    let output = Command::new(env!("CARGO_BIN_EXE_channels"))
        .args(["--server-core", "none", "--client-core", "none"])
        .args(["--repeats", "1", "--seconds", "0.05", "--only", table])
        .args(["--peers", &PEERS.join(","), "--json"])
        .arg(&report)
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    report[table].as_array().unwrap().clone()
}

/// The sample of each peer in a case.
fn samples(case: &Value) -> Vec<&Value> {
    let rows = case["rows"].as_array().unwrap();
    let peers: Vec<&str> = rows.iter().map(|r| r["peer"].as_str().unwrap()).collect();
    assert_eq!(peers, PEERS);
    rows.iter().map(|row| &row["samples"][0]).collect()
}

#[test]
fn every_peer_carries_messages_of_all_sizes_over_few_and_many_channels() {
    let arguments = ["--channels", "1,300", "--sizes", "16,30000"];
    let cases = cases("throughput", &arguments);
    assert_eq!(cases.len(), 4);
    for case in &cases {
        for sample in samples(case) {
            assert!(sample["messages"].as_u64().unwrap() > 0, "{sample}");
        }
    }
}

#[test]
fn every_peer_delivers_all_ticks_beside_bulk() {
    let cases = cases("latency", &["--rate", "1000"]);
    let bulk = |case: &Value| case["work"]["latency"]["bulk"].as_str().map(str::to_owned);
    let bulks: Vec<Option<String>> = cases.iter().map(bulk).collect();
    let kinds = ["BulkFast", "BulkSlow", "BulkStalled"].map(|kind| Some(kind.to_owned()));
    assert_eq!(bulks, [&[None], &kinds[..]].concat());
    for (case, bulk) in cases.iter().zip(bulks) {
        for sample in samples(case) {
            // 1,000 a second for three times 50 ms.
            assert_eq!(sample["ticks"]["count"], 150, "{bulk:?}: {sample}");
            let carried = sample["bulk_bytes"].as_u64().unwrap() > 0;
            assert!(bulk.as_deref() != Some("BulkFast") || carried, "{sample}");
        }
    }
}

#[test]
fn every_peer_opens_and_ends_channels() {
    for case in &cases("opens", &[]) {
        for sample in samples(case) {
            assert!(sample["messages"].as_u64().unwrap() > 0, "{sample}");
        }
    }
}
