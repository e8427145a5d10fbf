//! One run, from the opening of the connections to the figures.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use alloc_tracker::{Operation, ProcessSpan, Session};

use crate::args::{Args, Driver, Speed};
use crate::check::Fault;
use crate::expected::Expected;
use crate::live::Live;
use crate::play::{Play, lock};
use crate::stats::{Calls, Percentiles, Steady, Summary};
use crate::tape::Tape;
use crate::{Result, clock, on_mio, on_tokio};

/// How long opening all connections may take: thousands of them overflow the backlog, and the
/// kernel tries again after 1 s, 3 s, 7 s.
const OPENED_WITHIN: Duration = Duration::from_secs(30);

/// How often the clients are looked at: fifty times a second is nothing to them.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The steady state: from when this part of all messages has come until this part is left.
const STEADY_MARGIN: u64 = 20;

/// A run's figures, and what the clients found wrong.
pub(crate) struct Outcome {
    pub(crate) summary: Summary,
    pub(crate) faults: Vec<(usize, Fault)>,
}

/// Plays `tape` as `args` say, to clients that decode it where it is known what they must find.
///
/// # Errors
/// Where it cannot be played at all. What a client finds wrong is part of the outcome.
pub(crate) fn run(
    args: &Args,
    tape: Tape,
    expected: Option<Expected>,
    live: Live,
) -> Result<Outcome> {
    let mut play = Play::new(tape, args.speed, args.rounds(), args.connections)?;
    (play.slow, play.spin, play.expected) = (args.slow, args.spin, expected);
    let play = Arc::new(play);
    let (opened, opening) = mpsc::channel();
    let ends = match args.driver {
        Driver::Tokio => on_tokio::start(&play, opened)?,
        Driver::Mio => on_mio::start(&play, opened)?,
    };
    let opened = wait_until_open(&play, &opening);
    let clock = opened.is_ok().then(|| {
        let (play, wake) = (play.clone(), ends.wake);
        play.begin();
        thread::spawn(move || clock::play(&play, wake))
    });
    let steady = opened.is_ok().then(|| watch(&play, live));
    play.stop();
    (ends.stop)();
    opened?;
    for thread in ends.threads {
        thread.join().map_err(|_| "a thread panicked")??;
    }
    if let Some(clock) = clock {
        clock.join().map_err(|_| "the clock panicked")?;
    }
    Ok(Outcome {
        summary: summarise(args, &play, steady.unwrap_or_default()),
        faults: play.faults(),
    })
}

fn wait_until_open(play: &Play, opening: &Receiver<()>) -> Result<()> {
    let deadline = Instant::now() + OPENED_WITHIN;
    let mut open = 0;
    while open < play.lanes.len() {
        match opening.recv_timeout(LOOK_EVERY) {
            Ok(()) => open += 1,
            Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
            Err(_) => return Err(format!("only {open} connections could be opened").into()),
        }
        if let Some((client, fault)) = play.faults().first() {
            return Err(format!("client {client} could not connect: {fault}").into());
        }
    }
    Ok(())
}

/// Looks on until all clients are over.
fn watch(play: &Play, mut live: Live) -> Steady {
    let session = Session::new().no_stdout().no_file();
    let operation = session.operation("steady");
    let all = play.total() * play.lanes.len() as u64;
    let margin = all / STEADY_MARGIN;
    let mut begun: Option<Counting> = None;
    let mut steady = None;
    while !play.is_finished() {
        thread::sleep(LOOK_EVERY);
        let (messages, _, _) = play.received();
        if begun.is_none() && steady.is_none() && messages >= margin {
            begun = Some(Counting::begin(play, &operation));
        } else if messages >= all - margin
            && let Some(counting) = begun.take()
        {
            steady = Some(counting.end(play));
        }
        live.look(play);
    }
    live.end();
    // A run too short for two looks has no steady state.
    drop(begun);
    let mut steady: Steady = steady.unwrap_or_default();
    let report = session.to_report();
    if let Some((_, counted)) = report.operations().next() {
        steady.allocations = counted.total_allocations_count();
    }
    steady
}

/// What was counted when the steady state began.
struct Counting {
    span: ProcessSpan,
    messages: u64,
    server: [u64; 3],
    clients: [u64; 3],
}

impl Counting {
    fn begin(play: &Play, operation: &Operation) -> Self {
        let (server, clients) = (play.server.calls(), play.clients.calls());
        Self {
            messages: play.received().0,
            server,
            clients,
            span: operation.measure_process().iterations(1),
        }
    }

    fn end(self, play: &Play) -> Steady {
        drop(self.span);
        let since = |now: [u64; 3], then: [u64; 3]| {
            let [waits, reads, writes] = [0, 1, 2].map(|i| now[i] - then[i]);
            Calls {
                // tokio waits for its sockets and does not say how often.
                waits: (now[0] > 0).then_some(waits),
                reads,
                writes,
            }
        };
        Steady {
            messages: play.received().0 - self.messages,
            allocations: 0,
            server: since(play.server.calls(), self.server),
            clients: since(play.clients.calls(), self.clients),
        }
    }
}

fn summarise(args: &Args, play: &Play, steady: Steady) -> Summary {
    let (messages, bytes, _) = play.received();
    let tape = match &args.tape {
        Some(path) => path.display().to_string(),
        None => "generated".into(),
    };
    let held = |n: &std::sync::atomic::AtomicU64| n.load(std::sync::atomic::Ordering::Relaxed);
    Summary {
        driver: args.driver.to_string(),
        speed: args.speed.to_string(),
        connections: args.connections,
        tape,
        tape_seconds: play.tape.duration().as_secs_f64(),
        ticks: play.tape.len(),
        rounds: play.rounds,
        messages,
        bytes,
        elapsed: play.elapsed(),
        open_loop: args.speed != Speed::Max,
        latency: Percentiles::of(&lock(&play.latency)),
        steady,
        market: play.expected.as_ref().map(|_| play.market()),
        levels: play.expected.as_ref().map(Expected::levels),
        cost: None,
        refusals: held(&play.held.refusals),
        queued_bytes_most: held(&play.held.queued_bytes),
    }
}
