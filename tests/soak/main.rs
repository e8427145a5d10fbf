//! Thousands of connections that come and go, break and lie, against a server in a process of its
//! own: nothing that honest peers send is lost or repeated, the server's memory stays flat, and
//! when all have left, so have their file descriptors.
//!
//! ```text
//! cargo run --release -p tickwire-tests --example soak -- [--driver mio|tokio] [--connections N]
//!     [--seconds N | --minutes N] [--plant FAULT]
//! ```
//!
//! With `--plant` the server has a fault (`leak`, `files`, `loss`, `repeat`, or `nothing`), there are
//! no hostile peers, and it exits with 1 where the fault is not found.
//!
//! Exits with 1 and the reasons where something is wrong. It wants its share of the machine: a
//! peer that does not run for seconds misses its deadlines like one that is gone.

mod child;
mod guests;
mod hostile;
mod plant;
mod server;

use std::env;
use std::future::Future;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use harness::rng::Rng;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::sleep;

use child::Server;
use plant::Plant;

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Fallible<T> = Result<T, Error>;

/// Which reactor serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Driver {
    Mio,
    Tokio,
}

impl Driver {
    fn word(self) -> &'static str {
        match self {
            Self::Mio => "mio",
            Self::Tokio => "tokio",
        }
    }
}

struct Plan {
    driver: Driver,
    connections: usize,
    time: Duration,
    plant: Option<Plant>,
}

const USAGE: &str = "usage: soak [--driver mio|tokio] [--connections N] [--seconds N | --minutes N] \
                     [--plant leak|files|loss|repeat|nothing]";
/// Connections until told otherwise.
const CONNECTIONS: usize = 5000;
/// More than these wait longer between their batches, so that all of them ask no more of the machine:
/// some 30,000 messages a second. Seats that it cannot serve miss their deadlines.
const SEATS_AT_FULL_PACE: f64 = 2000.0;
/// File descriptors beside those of the connections.
const SPARE_FILES: u64 = 200;
/// All have left when this is over, or the server keeps what it should not: the longest of its
/// deadlines, and as much for a busy machine.
const QUIESCE: Duration = Duration::from_secs(90);
/// Memory that the last third of the time may take beyond the third before it: a fifth, for what
/// the allocator does, and some MiB, for how the peers happen to meet.
const GROWTH_BYTES: u64 = 16 << 20;
/// Bytes that may stay allocated when all have left: spare buffers, which each of the two reactors
/// keeps up to some 4.2 MiB of, and tables as wide as they were, for each seat.
const KEPT_BYTES: u64 = 10 << 20;
const KEPT_BYTES_PER_SEAT: u64 = 1 << 10;
/// How long a plant may be looked for when all have left: nobody is hostile, so nobody waits for
/// a deadline.
const PLANT_QUIESCE: Duration = Duration::from_secs(5);
const SECOND: Duration = Duration::from_secs(1);
/// How often it is looked whether all have left.
const LOOKED_EVERY: Duration = Duration::from_millis(100);
/// Peers that are later than this may have missed a deadline of the server's.
const LATE: Duration = Duration::from_secs(3);
/// Errors that are told.
const ERRORS_MAX: usize = 10;

/// What happened.
#[derive(Default)]
pub(crate) struct Tally {
    /// Times as long as a seat alone would pause.
    pub(crate) pace: f64,
    pub(crate) plain: AtomicU64,
    pub(crate) channels: AtomicU64,
    pub(crate) hostile: AtomicU64,
    pub(crate) echoed: AtomicU64,
    failed: AtomicU64,
    errors: Mutex<Vec<String>>,
}

pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

impl Tally {
    fn fail(&self, error: String) {
        add(&self.failed, 1);
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        if errors.len() < ERRORS_MAX {
            errors.push(error);
        }
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["serve", driver, plant] => serve(driver, plant),
        _ => parse(&words).and_then(soak),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("soak: {e}");
            ExitCode::FAILURE
        }
    }
}

fn serve(driver: &str, plant: &str) -> Fallible<()> {
    let plant = match plant {
        "" => Plant::Nothing,
        word => Plant::parse(word)?,
    };
    raise_file_limit()?;
    server::serve(parse_driver(driver)?, plant)
}

fn parse_driver(word: &str) -> Fallible<Driver> {
    match word {
        "mio" => Ok(Driver::Mio),
        "tokio" => Ok(Driver::Tokio),
        other => Err(format!("no driver {other}: mio or tokio").into()),
    }
}

fn parse(words: &[&str]) -> Fallible<Plan> {
    let mut plan = Plan {
        driver: Driver::Mio,
        connections: CONNECTIONS,
        time: 60 * SECOND,
        plant: None,
    };
    for pair in words.chunks(2) {
        let &[name, value] = pair else {
            return Err(format!("{} and no value; {USAGE}", pair[0]).into());
        };
        let number = || match value.parse::<u32>() {
            Ok(number @ 1..) => Ok(number),
            _ => Err(format!("{name} {value}: a number from 1 on")),
        };
        match name {
            "--driver" => plan.driver = parse_driver(value)?,
            "--connections" => plan.connections = number()? as usize,
            "--seconds" => plan.time = number()? * SECOND,
            "--minutes" => plan.time = Duration::from_mins(number()?.into()),
            "--plant" => plan.plant = Some(Plant::parse(value)?),
            other => return Err(format!("no option {other}; {USAGE}").into()),
        }
    }
    Ok(plan)
}

/// As many files as this process may have open.
fn raise_file_limit() -> Fallible<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    )?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

fn soak(mut plan: Plan) -> Fallible<()> {
    let files = raise_file_limit()?;
    let room = usize::try_from(files.saturating_sub(SPARE_FILES))?;
    if room < plan.connections {
        eprintln!(
            "SKIPPED: {} of {} connections: a process may open only {files} files",
            plan.connections - room,
            plan.connections
        );
        plan.connections = room;
    }
    let mut server = Server::start(plan.driver, plan.plant)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut found = runtime.block_on(run(&plan, &mut server))?;
    found.extend(server.stop().err().map(|e| e.to_string()));
    verdict(plan.plant, found)
}

fn verdict(plant: Option<Plant>, found: Vec<String>) -> Fallible<()> {
    let told = found.join("\nsoak: ");
    match plant {
        None if found.is_empty() => Ok(()),
        None => Err(told.into()),
        Some(plant) if plant.found_in(&found) => {
            println!("planted: {}; found: {told}", plant.word());
            Ok(())
        }
        Some(plant) => Err(format!("planted: {}; found: {told}", plant.word()).into()),
    }
}

/// What one seat is for: seven of ten are of honest WebSockets, two of honest channels, and the
/// tenth of hostile peers, unless there are none.
async fn sit(
    index: usize,
    ports: (u16, u16),
    tally: Arc<Tally>,
    (end, ramp): (Instant, Duration),
    no_hostile: bool,
) {
    let mut rng = Rng::new(index as u64);
    sleep(ramp.mul_f64(rng.below(1000) as f64 / 1000.0)).await;
    // Many addresses, so that no pair of ports comes back while the system remembers it.
    let ip = [127, 0, (index % 7) as u8, (1 + index % 200) as u8];
    let (plain, channels) = (
        SocketAddr::from((ip, ports.0)),
        SocketAddr::from((ip, ports.1)),
    );
    while Instant::now() < end {
        let seed = rng.u64();
        let went = match index % 10 {
            0..7 => seat("WebSocket", guests::plain(plain, &tally, seed)).await,
            7 | 8 => seat("channels", guests::channels(channels, &tally, seed)).await,
            _ if no_hostile => seat("WebSocket", guests::plain(plain, &tally, seed)).await,
            _ if rng.one_in(3) => seat("hostile", hostile::channels(channels, &tally, seed)).await,
            _ => seat("hostile", hostile::plain(plain, &tally, seed)).await,
        };
        if let Err(error) = went {
            tally.fail(error);
            sleep(SECOND).await;
        }
    }
}

async fn seat(who: &str, visit: impl Future<Output = Fallible<()>>) -> Result<(), String> {
    visit.await.map_err(|e| format!("{who}: {e}"))
}

/// Memory and files, second by second; then what is wrong.
async fn run(plan: &Plan, server: &mut Server) -> Fallible<Vec<String>> {
    let tally = Arc::new(Tally {
        pace: (plan.connections as f64 / SEATS_AT_FULL_PACE).max(1.0),
        ..Tally::default()
    });
    let (files_before, allocated_before) = (server.files()?, server.allocated()?);
    let begun = Instant::now();
    let end = begun + plan.time;
    let (time, ports) = ((end, plan.time / 6), server.ports);
    let seats: Vec<_> = (0..plan.connections)
        .map(|index| {
            let sitting = sit(index, ports, Arc::clone(&tally), time, plan.plant.is_some());
            tokio::spawn(sitting)
        })
        .collect();
    // A planted fault that was seen is enough.
    let seen = || plan.plant.is_some() && n(&tally.failed) > 0;
    let (mut thirds, mut allocated_thirds, mut files_max) = ([0; 3], [0; 3], 0);
    let mut late = Duration::ZERO;
    while Instant::now() < end && !seen() {
        let asked = Instant::now();
        sleep(SECOND).await;
        late = late.max(asked.elapsed().saturating_sub(SECOND));
        let third = (begun.elapsed().as_secs_f64() / plan.time.as_secs_f64() * 3.0) as usize;
        let raise = |most: &mut [u64; 3], now: u64| {
            most[third.min(2)] = most[third.min(2)].max(now);
        };
        raise(&mut thirds, server.memory()?);
        raise(&mut allocated_thirds, server.allocated()?);
        files_max = files_max.max(server.files()?);
    }
    for seat in seats {
        if seen() {
            seat.abort();
        } else {
            seat.await?;
        }
    }
    let (left, quiesce) = (
        Instant::now(),
        plan.plant.map_or(QUIESCE, |_| PLANT_QUIESCE),
    );
    while server.files()? > files_before && left.elapsed() < quiesce {
        sleep(LOOKED_EVERY).await;
    }
    let seen = Seen {
        thirds,
        files: [files_before, files_max, server.files()?],
        memory_after: server.memory()?,
        late,
        allocated_thirds,
        allocated: [allocated_before, server.allocated()?],
    };
    tell(plan, &tally, &seen);
    Ok(judge(plan, &tally, &seen))
}

/// What was seen of the server.
struct Seen {
    /// The latest that a task of the peers ran which was due.
    late: Duration,
    /// The most memory in each third of the time, in bytes.
    thirds: [u64; 3],
    /// Open files before, at most, and when all have left.
    files: [usize; 3],
    /// Memory when all have left, in bytes.
    memory_after: u64,
    /// The most bytes allocated and not freed in each third of the time: what connections hold,
    /// without what the allocator keeps.
    allocated_thirds: [u64; 3],
    /// The same before, and when all have left.
    allocated: [u64; 2],
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn n(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn tell(plan: &Plan, tally: &Tally, seen: &Seen) {
    println!(
        "{:?}, {} seats, {} s: {} WebSockets, {} connections of channels, {} hostile peers, \
         {} messages echoed",
        plan.driver,
        plan.connections,
        plan.time.as_secs(),
        n(&tally.plain),
        n(&tally.channels),
        n(&tally.hostile),
        n(&tally.echoed),
    );
    let [first, second, third] = seen.thirds.map(mib);
    println!(
        "server: memory at most {first:.1}, {second:.1}, {third:.1} MiB in each third, {:.1} MiB in the end",
        mib(seen.memory_after),
    );
    let ([first, second, third], [before, after]) =
        (seen.allocated_thirds.map(mib), seen.allocated.map(mib));
    println!(
        "  of it allocated: {before:.1} MiB before, at most {first:.1}, {second:.1}, {third:.1} MiB, \
         {after:.1} MiB in the end"
    );
    let [before, most, after] = seen.files;
    println!("  files: {before} before, {most} at most, {after} in the end");
    println!("peers: late by at most {:.1} s", seen.late.as_secs_f64());
}

/// What is wrong.
fn judge(plan: &Plan, tally: &Tally, seen: &Seen) -> Vec<String> {
    let errors = tally.errors.lock();
    let mut found = errors.unwrap_or_else(PoisonError::into_inner).clone();
    if n(&tally.failed) > 0 {
        found.push(format!("{} visits failed", n(&tally.failed)));
        if seen.late > LATE {
            found.push(format!(
                "peers were late by {:.1} s: the machine was too busy for a verdict on visits",
                seen.late.as_secs_f64()
            ));
        }
    }
    let [_, second, third] = seen.thirds;
    if third > second + second / 5 + GROWTH_BYTES {
        let (second, third) = (mib(second), mib(third));
        found.push(format!(
            "memory grows: {second:.1} MiB, then {third:.1} MiB"
        ));
    }
    let [before, after] = seen.allocated;
    if after > before + KEPT_BYTES + KEPT_BYTES_PER_SEAT * plan.connections as u64 {
        let kept = after - before;
        found.push(format!(
            "{kept} more bytes are allocated when all have left"
        ));
    }
    let [before, _, after] = seen.files;
    if after > before {
        let kept = after - before;
        found.push(format!("{kept} files are open when all have left"));
    }
    let visits = [&tally.plain, &tally.channels, &tally.hostile];
    if plan.plant.is_none() && visits.iter().any(|visits| n(visits) == 0) {
        found.push("somebody never finished a visit".into());
    }
    found
}
