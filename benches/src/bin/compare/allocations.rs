//! Heap allocations per message, counted by valgrind while the closed loop runs.
//!
//! Each server is loaded twice, for different times. The cost of a message is the difference in
//! allocations over the difference in messages, so that start-up and connections cancel. A server
//! under valgrind is slower than its client, so that its batches are as full as the window allows.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::cli::{Case, Compare};
use crate::left_out::LeftOut;
use crate::load::Load;
use crate::server::{Server, Target};
use crate::stats::print_table;

/// Length of the longer load, in units of the shorter one.
const LONGER: u32 = 4;

/// One peer's counts in one case.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    peer: String,
    case: String,
    /// Messages by which the two runs differ.
    messages: u64,
    allocations_per_message: f64,
}

/// Counts for every case and peer, and prints the tables.
pub(crate) fn run(options: &Compare, left_out: &mut LeftOut) -> Result<Vec<Row>> {
    let there = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if there.is_err() {
        eprintln!("\n!!! allocations per message: n/a, valgrind is not installed\n");
        return Ok(Vec::new());
    }
    let mut rows = Vec::new();
    for case in options.counted_cases()? {
        println!("\n{}: heap allocations of the server", case.name());
        let header = ["peer", "per message", "messages"];
        let mut table = vec![header.map(str::to_owned).to_vec()];
        for target in options.targets() {
            match count(target, case, options) {
                Ok(row) => {
                    table.push(vec![
                        row.peer.clone(),
                        format!("{:.4}", row.allocations_per_message),
                        row.messages.to_string(),
                    ]);
                    rows.push(row);
                }
                Err(error) => left_out.note(target, &error),
            }
        }
        print_table(&table);
    }
    Ok(rows)
}

fn count(target: Target, case: Case, options: &Compare) -> Result<Row> {
    let (few, few_allocations) = loaded(target, case, options, 1)?;
    let (many, many_allocations) = loaded(target, case, options, LONGER)?;
    ensure!(
        many > few,
        "{few} messages in the shorter run, {many} in the longer one: pass more --seconds"
    );
    let allocations = many_allocations as f64 - few_allocations as f64;
    Ok(Row {
        peer: target.name(),
        case: case.name(),
        messages: many - few,
        allocations_per_message: allocations / (many - few) as f64,
    })
}

/// Messages and allocations of a server from start to end, under a load of `shares` units.
fn loaded(target: Target, case: Case, options: &Compare, shares: u32) -> Result<(u64, u64)> {
    ensure!(
        matches!(target, Target::Peer(_)),
        "valgrind cannot attach to a server that already runs"
    );
    let report = Report::new();
    let tool = [
        "valgrind",
        // The cheapest valgrind tool that counts allocations; its own checks are not needed.
        "--tool=memcheck",
        "--leak-check=no",
        "--undef-value-errors=no",
    ];
    let mut tool: Vec<String> = tool.map(str::to_owned).to_vec();
    tool.push(format!("--log-file={}", report.0.display()));
    let server = Server::start_under(&tool, target, options.server_core.0, false)?;
    let mut load = Load::connect(&server, case)?;
    let pass = load.pass(options.duration()? * shares / LONGER)?;
    drop(load);
    server.terminate()?;
    let text = std::fs::read_to_string(&report.0).context("valgrind wrote no report")?;
    let allocations = parse(&text).context("valgrind's report has no heap usage")?;
    Ok((pass.messages, allocations))
}

/// The file that valgrind writes; removed when this value is dropped.
struct Report(PathBuf);

impl Report {
    fn new() -> Report {
        let name = format!("compare-valgrind-{}", std::process::id());
        Report(std::env::temp_dir().join(name))
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        // valgrind may not have written it.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The number of allocations in `==1==   total heap usage: 1,234 allocs, 1,000 frees, ...`.
fn parse(text: &str) -> Option<u64> {
    let (_, usage) = text.split_once("total heap usage:")?;
    let number = usage.trim_start().split_once(" allocs")?.0;
    number.replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heap_summary_is_read() {
        let report = "==7== HEAP SUMMARY:\n==7==     in use at exit: 8 bytes in 1 blocks\n\
            ==7==   total heap usage: 1,027,350 allocs, 3 frees, 9,000,000 bytes allocated\n";
        assert_eq!(parse(report), Some(1_027_350));
        assert_eq!(parse("==7== killed before it said anything"), None);
        assert_eq!(parse("total heap usage: many allocs"), None);
    }
}
