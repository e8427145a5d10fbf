//! Starts servers and clients, and collects their results.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde::Serialize;

use crate::cli::{Options, Table};
use crate::process::{CPU_CLOCK, raise_open_files_limit};
use crate::tables;
use crate::work::{Peer, Role, Sample, Work};

/// Time in which a server must print its address.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// Numbers of channels that nobody reads, for the table "unread".
const UNREAD: [usize; 5] = [0, 1, 17, 100, 1000];
/// Time in which a client must print its results.
const WORK_TIMEOUT: Duration = Duration::from_secs(60);

/// One work, with the samples of all peers.
#[derive(Debug, Serialize)]
pub(crate) struct Case {
    pub(crate) work: Work,
    pub(crate) rows: Vec<Row>,
}

/// All repeats of one peer.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) peer: Peer,
    pub(crate) samples: Vec<Sample>,
}

impl Case {
    fn new(work: Work) -> Case {
        Case {
            work,
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&self, peer: Peer) -> Option<&Row> {
        self.rows.iter().find(|row| row.peer == peer)
    }
}

/// The whole run, as written to the JSON file.
#[derive(Debug, Serialize)]
struct Report<'a> {
    machine: String,
    load_average_before: String,
    cpu_clock: &'static str,
    left_out: Vec<String>,
    throughput: &'a [Case],
    latency: &'a [Case],
    unread: &'a [(Case, Case)],
    opens: &'a [Case],
    idle: &'a [Case],
}

struct Bench<'a> {
    options: &'a Options,
    left_out: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    raise_open_files_limit()?;
    let (machine, load_average) = machine();
    println!("{machine}, load average {load_average}");
    println!(
        "server core {:?}, client core {:?}; {} interleaved repeats of {} ms, medians; `~` is a tie (under 5 %)",
        options.server_core.0,
        options.client_core.0,
        options.repeats(),
        options.run_ms()?
    );
    let mut bench = Bench {
        options,
        left_out: Vec::new(),
    };
    let throughput = bench.throughput()?;
    let latency = bench.latency()?;
    let unread = bench.unread()?;
    let opens = bench.opens()?;
    let idle = bench.idle()?;
    if let Some(path) = &options.json {
        let file =
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        let report = Report {
            machine,
            load_average_before: load_average,
            cpu_clock: CPU_CLOCK,
            left_out: bench.left_out.clone(),
            throughput: &throughput,
            latency: &latency,
            unread: &unread,
            opens: &opens,
            idle: &idle,
        };
        serde_json::to_writer_pretty(file, &report)?;
    }
    ensure!(
        bench.left_out.is_empty(),
        "left out:\n  {}",
        bench.left_out.join("\n  ")
    );
    Ok(())
}

impl Bench<'_> {
    fn throughput(&mut self) -> Result<Vec<Case>> {
        if !self.options.has(Table::Throughput) {
            return Ok(Vec::new());
        }
        let run_ms = self.options.run_ms()?;
        let mut cases = Vec::new();
        for bytes in self.options.sizes()? {
            let first = cases.len();
            for channels in self.options.channels()? {
                let work = Work::Throughput {
                    channels,
                    bytes,
                    burst: self.options.burst(),
                    unread: 0,
                    warm_up_ms: run_ms / 3,
                    run_ms,
                };
                let burst = self.options.burst();
                let case = self.measure(work, |peer| peer.takes(channels, burst))?;
                println!(
                    "\nthroughput: {bytes} bytes, {channels} channels, bursts of {}",
                    self.options.burst()
                );
                tables::throughput(&case);
                cases.push(case);
            }
            println!("\nflat: messages a second at {bytes} bytes, relative to the first column");
            tables::flat(&cases[first..]);
        }
        Ok(cases)
    }

    fn latency(&mut self) -> Result<Vec<Case>> {
        if !self.options.has(Table::Latency) {
            return Ok(Vec::new());
        }
        let mut cases = Vec::new();
        let beside = [Role::BulkFast, Role::BulkSlow, Role::BulkStalled];
        for bulk in std::iter::once(None).chain(beside.map(Some)) {
            if self.options.quick && bulk == Some(Role::BulkSlow) {
                continue;
            }
            let work = Work::Latency {
                bulk,
                bulk_channels: 1,
                ticks_per_second: self.options.rate,
                run_ms: self.options.run_ms()? * 3,
            };
            cases.push(self.measure(work, Peer::in_all_tables)?);
        }
        println!(
            "\nlatency, one way, {} ticks a second; a delay starts when its tick is due; both ends spin",
            self.options.rate
        );
        tables::latency(&cases);
        Ok(cases)
    }

    /// One channel beside others that nobody reads: its rate, and the delay of ticks.
    fn unread(&mut self) -> Result<Vec<(Case, Case)>> {
        if !self.options.has(Table::Unread) {
            return Ok(Vec::new());
        }
        let run_ms = self.options.run_ms()?;
        // Only tickwire: a thousand full windows of the rivals are gigabytes.
        let ours = |peer: Peer| peer.is_ours() && peer.in_all_tables();
        let mut cases = Vec::new();
        for unread in UNREAD {
            let rate = Work::Throughput {
                channels: 1,
                bytes: 64,
                burst: self.options.burst(),
                unread,
                warm_up_ms: run_ms,
                run_ms,
            };
            let delay = Work::Latency {
                bulk: (unread > 0).then_some(Role::BulkStalled),
                bulk_channels: unread,
                ticks_per_second: self.options.rate,
                run_ms: run_ms * 3,
            };
            cases.push((self.measure(rate, ours)?, self.measure(delay, ours)?));
        }
        println!(
            "\nunread: messages of 64 bytes on one channel, then {} ticks a second at priority 0, beside full channels that nobody reads",
            self.options.rate
        );
        tables::unread(&cases);
        Ok(cases)
    }

    fn opens(&mut self) -> Result<Vec<Case>> {
        if !self.options.has(Table::Opens) {
            return Ok(Vec::new());
        }
        let mut cases = Vec::new();
        for in_flight in [1, 64] {
            let run_ms = self.options.run_ms()?;
            let work = Work::Opens { in_flight, run_ms };
            let case = self.measure(work, Peer::in_all_tables)?;
            println!(
                "\nopens: a channel is opened, accepted, carries one message, and is finished at both ends; {in_flight} at once"
            );
            tables::opens(&case);
            cases.push(case);
        }
        Ok(cases)
    }

    fn idle(&mut self) -> Result<Vec<Case>> {
        if !self.options.has(Table::Idle) {
            return Ok(Vec::new());
        }
        let (connections, channels) = (10, 1000);
        let work = Work::Idle {
            connections,
            channels,
        };
        let case = self.measure(work, Peer::in_all_tables)?;
        println!(
            "\nidle: bytes per channel, {channels} channels on each of {connections} connections, after one message"
        );
        tables::idle(&case, connections * channels);
        Ok(vec![case])
    }

    /// The repeats of all peers, interleaved.
    fn measure(&mut self, work: Work, takes: impl Fn(Peer) -> bool) -> Result<Case> {
        let mut case = Case::new(work);
        let peers = self.options.peers().into_iter().filter(|peer| takes(*peer));
        case.rows = peers
            .map(|peer| Row {
                peer,
                samples: Vec::new(),
            })
            .collect();
        let repeats = match work {
            // Memory does not differ between repeats.
            Work::Idle { .. } => 1,
            _ => self.options.repeats(),
        };
        for _ in 0..repeats {
            case.rows.retain_mut(|row| {
                let sample = once(row.peer, work, self.options);
                match sample {
                    Ok(sample) => row.samples.push(sample),
                    Err(error) => {
                        let reason = format!("{}, {work:?}: {error:#}", row.peer.name());
                        eprintln!("LEFT OUT: {reason}");
                        self.left_out.push(reason);
                        return false;
                    }
                }
                true
            });
        }
        Ok(case)
    }
}

/// A process that ends when this value is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; `wait` collects it in both cases.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts this program again, and waits for its first line.
fn start(arguments: &[String], timeout: Duration) -> Result<(Process, String)> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take();
    let process = Process(child);
    let stdout = stdout.context("its output is not a pipe")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let line = receiver
        .recv_timeout(timeout)
        .map_err(|error| anyhow!("no line on its output: {error}"))?;
    Ok((process, line))
}

/// One repeat: a new server and a new client.
fn once(peer: Peer, work: Work, options: &Options) -> Result<Sample> {
    let mut serve = vec!["serve".to_owned(), peer.name()];
    if let Some(core) = options.server_core.0 {
        serve.extend(["--core".to_owned(), core.to_string()]);
    }
    if matches!(work, Work::Latency { .. }) {
        serve.push("--spin".to_owned());
    }
    let (server, line) = start(&serve, START_TIMEOUT).context("the server")?;
    let addr = line
        .strip_prefix("listening ")
        .with_context(|| format!("expected `listening ADDR`, got `{line}`"))?;
    let mut drive: Vec<String> = ["drive", &peer.name(), "--server", addr, "--server-pid"]
        .map(str::to_owned)
        .to_vec();
    drive.push(server.0.id().to_string());
    drive.extend(["--work".to_owned(), serde_json::to_string(&work)?]);
    if let Some(core) = options.client_core.0 {
        drive.extend(["--core".to_owned(), core.to_string()]);
    }
    let (_client, line) = start(&drive, WORK_TIMEOUT).context("the client")?;
    serde_json::from_str(&line).with_context(|| format!("the client printed `{line}`"))
}

/// The machine, and its load before the run: other processes spoil absolute numbers.
fn machine() -> (String, String) {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let cpu = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or("unknown")
        .trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let machine = format!("{cpu}, {cores} cores, Linux {}", kernel.trim());
    (machine, read("/proc/loadavg").trim().to_owned())
}
