//! System calls per message, counted exactly by strace while the closed loop runs.
//!
//! A traced server is slower than its client, so that its batches are as full as the window allows.
//! The counts are those of a server under full load.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::cli::{Case, Compare};
use crate::left_out::LeftOut;
use crate::load::Load;
use crate::server::{Server, Target};
use crate::stats::print_table;

/// Number of system calls named in the table, the most frequent first. The JSON file has all.
const KINDS_SHOWN: usize = 4;

/// One peer's counts in one case.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    peer: String,
    case: String,
    messages: u64,
    calls_per_message: f64,
    /// Calls by name, the most frequent first.
    calls: Vec<(String, u64)>,
}

/// Counts for every case and peer, and prints the tables.
pub(crate) fn run(options: &Compare, left_out: &mut LeftOut) -> Result<Vec<Row>> {
    if Command::new("strace")
        .arg("-V")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_err()
    {
        eprintln!("\n!!! system calls per message: n/a, strace is not installed\n");
        return Ok(Vec::new());
    }
    let mut rows = Vec::new();
    for case in options.counted_cases()? {
        println!("\n{}: system calls of the traced server", case.name());
        let header = [
            "peer",
            "per message",
            "messages",
            "most frequent (per message)",
        ];
        let mut table = vec![header.map(str::to_owned).to_vec()];
        for target in options.targets() {
            let row = match count(target, case, options) {
                Ok(row) => row,
                Err(error) => {
                    left_out.note(target, &error);
                    continue;
                }
            };
            let frequent: Vec<String> = row
                .calls
                .iter()
                .take(KINDS_SHOWN)
                .map(|(name, calls)| format!("{name} {:.4}", *calls as f64 / row.messages as f64))
                .collect();
            table.push(vec![
                row.peer.clone(),
                format!("{:.4}", row.calls_per_message),
                row.messages.to_string(),
                frequent.join("  "),
            ]);
            rows.push(row);
        }
        print_table(&table);
    }
    Ok(rows)
}

fn count(target: Target, case: Case, options: &Compare) -> Result<Row> {
    let server = &Server::start(target, options.server_core.0, false)?;
    let pid = server
        .pid
        .context("the server's process is not known: pass --against-pid")?;
    let mut load = Load::connect(server, case)?;
    let trace = Trace::attach(pid)?;
    let pass = load.pass(options.duration()?)?;
    let calls = trace.finish()?;
    let total: u64 = calls.iter().map(|(_, calls)| calls).sum();
    Ok(Row {
        peer: server.target.name(),
        case: case.name(),
        messages: pass.messages,
        calls_per_message: total as f64 / pass.messages as f64,
        calls,
    })
}

/// A running strace, which counts; it ends when this value is dropped.
struct Trace {
    child: Child,
    report: PathBuf,
}

impl Trace {
    /// Attaches to all threads of `pid`; returns when strace counts.
    fn attach(pid: u32) -> Result<Trace> {
        let report =
            std::env::temp_dir().join(format!("compare-strace-{pid}-{}", std::process::id()));
        let mut child = Command::new("strace")
            .args(["-c", "-f", "-p", &pid.to_string(), "-o"])
            .arg(&report)
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start strace")?;
        let stderr = child.stderr.take();
        let trace = Trace { child, report };
        let mut line = String::new();
        BufReader::new(stderr.context("strace's messages are not piped")?).read_line(&mut line)?;
        ensure!(
            line.contains("attached"),
            "strace could not attach: {}",
            line.trim()
        );
        Ok(trace)
    }

    /// Detaches and returns the counts by name, the most frequent first.
    fn finish(mut self) -> Result<Vec<(String, u64)>> {
        kill(
            Pid::from_raw(i32::try_from(self.child.id())?),
            Signal::SIGINT,
        )?;
        self.child.wait()?;
        let text = std::fs::read_to_string(&self.report).context("strace wrote no report")?;
        let mut calls = parse(&text);
        calls.sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
        Ok(calls)
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // After `finish` strace has ended already. The report is removed in both cases.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.report);
    }
}

/// Rows of `strace -c`: `% time, seconds, usecs/call, calls, [errors,] syscall`.
fn parse(text: &str) -> Vec<(String, u64)> {
    text.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (calls, name) = (fields.get(3)?.parse().ok()?, *fields.last()?);
            (name != "total").then(|| (name.to_owned(), calls))
        })
        .collect()
}

#[cfg(test)]
mod tests;
