//! One phase of a run, from the opening of the connections to the figures.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use alloc_tracker::{Operation, ProcessSpan, Session};
use tickwire::reactor::Calls;

use crate::args::Args;
use crate::check::Fault;
use crate::client::Clients;
use crate::ends::Ends;
use crate::feeds::Topic;
use crate::live::Live;
use crate::play::{Market, Material, Play, Progress};
use crate::server::Publisher;
use crate::stats::{BulkRate, Group, Percentiles, Phase, Row, Steady};
use crate::{Result, clock, ends};

/// How long opening all connections may take: thousands of them overflow the backlog, and the
/// kernel tries again after 1 s, 3 s, 7 s.
const OPENED_WITHIN: Duration = Duration::from_secs(30);

/// How often the clients are looked at: fifty times a second is nothing to them.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A run in which nothing comes for so long, though something is due, is given up: no client
/// rests for longer than a second.
const STALLED_AFTER: Duration = Duration::from_secs(60);

/// The steady state: from when this part of all messages has come until this part is left.
const STEADY_MARGIN: u64 = 20;

/// A phase's figures, what the first client knew at its end, and what was found wrong.
pub(crate) struct Outcome {
    pub(crate) phase: Phase,
    pub(crate) market: Market,
    pub(crate) faults: Vec<(usize, Fault)>,
}

/// Plays the tape as `args` say, with the file or without.
///
/// # Errors
/// Where it cannot be played at all. What a client finds wrong is part of the outcome.
pub(crate) fn run(
    args: &Args,
    material: &Arc<Material>,
    with_bulk: bool,
    live: Live,
) -> Result<Outcome> {
    let play = Arc::new(Play::new(args, material, with_bulk)?);
    let (opened, opening) = mpsc::channel();
    let Ends {
        wake,
        server,
        clients,
    } = ends::start(args.driver, &play, opened)?;
    let opened = wait_until_open(&play, &opening);
    let clock = opened.is_ok().then(|| {
        let play = play.clone();
        play.begin();
        thread::spawn(move || clock::play(&play, wake))
    });
    let steady = opened.is_ok().then(|| watch(&play, live));
    play.stop();
    clients.stop();
    let clients = clients.join();
    server.stop();
    let server = server.join();
    opened?;
    if let Some(clock) = clock {
        clock.join().map_err(|_| "the clock panicked")?;
    }
    let (clients, server) = (clients?, server?);
    account(&play, &clients, &server);
    Ok(Outcome {
        phase: summarise(&play, &clients, &server, steady.unwrap_or_default()),
        market: play.market(),
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
            return Err(format!("client {client} could not subscribe: {fault}").into());
        }
    }
    Ok(())
}

/// Looks on until all clients are over.
fn watch(play: &Play, mut live: Live) -> Steady {
    let session = Session::new().no_stdout().no_file();
    let operation = session.operation("steady");
    let all = play.total_of_all() * play.lanes.len() as u64;
    let margin = all / STEADY_MARGIN;
    let mut begun: Option<Counting> = None;
    let mut steady = None;
    let mut moved = (Progress::default(), Instant::now());
    while !play.is_finished() {
        thread::sleep(LOOK_EVERY);
        let progress = play.received();
        if progress != moved.0 || play.is_waiting() {
            moved = (progress, Instant::now());
        } else if moved.1.elapsed() >= STALLED_AFTER {
            let seconds = STALLED_AFTER.as_secs();
            play.wrong(0, Fault::Channel(format!("nothing came for {seconds} s")));
            break;
        }
        let accounted = progress.accounted;
        if begun.is_none() && steady.is_none() && accounted >= margin {
            begun = Some(Counting::begin(play, &operation));
        } else if accounted >= all - margin
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
    server: Calls,
    clients: Calls,
}

impl Counting {
    fn begin(play: &Play, operation: &Operation) -> Self {
        Self {
            messages: play.received().received,
            server: play.server.calls(),
            clients: play.clients.calls(),
            span: operation.measure_process().iterations(1),
        }
    }

    fn end(self, play: &Play) -> Steady {
        drop(self.span);
        let since = |now: Calls, then: Calls| Calls {
            waits: now.waits - then.waits,
            reads: now.reads - then.reads,
            writes: now.writes - then.writes,
        };
        Steady {
            messages: play.received().received - self.messages,
            allocations: 0,
            server: since(play.server.calls(), self.server),
            clients: since(play.clients.calls(), self.clients),
        }
    }
}

/// What each client got and what was skipped must be what the server published to it. Where a
/// client has found something wrong, it is known already.
fn account(play: &Play, clients: &Clients, server: &Publisher) {
    if !play.faults().is_empty() {
        return;
    }
    let both = clients.tallies.iter().zip(&server.published);
    for (client, (tallies, published)) in both.enumerate() {
        for topic in Topic::ALL {
            let (tally, published) = (tallies[topic.index()], published[topic.index()]);
            if tally.accounted() != published {
                let fault = Fault::Unaccounted {
                    topic,
                    published,
                    messages: tally.messages,
                    skipped: tally.skipped,
                };
                play.wrong(client, fault);
            }
        }
    }
}

fn summarise(play: &Play, clients: &Clients, server: &Publisher, steady: Steady) -> Phase {
    let groups = if play.slow.is_some() {
        vec![Group::Slow, Group::Others]
    } else {
        vec![Group::All]
    };
    let mut rows = Vec::new();
    for group in groups {
        for topic in play.topics() {
            let of = |client: usize| play.is_slow(client) == (group == Group::Slow);
            let mut row = Row::new(group, topic);
            for (client, tallies) in clients.tallies.iter().enumerate() {
                if of(client) {
                    row.add(tallies[topic.index()]);
                }
            }
            let latency = clients.latency[usize::from(group != Group::Slow)].get(topic.index());
            row.latency = latency.filter(|l| !l.is_empty()).map(Percentiles::of);
            rows.push(row);
        }
    }
    // With one client that is slow there are no others.
    rows.retain(|row| row.clients > 0);
    let bulk = play.bulk().map(|file| BulkRate {
        file_bytes: file.len() as u64,
        files: clients.files,
        bytes: play.received().bulk_bytes,
        elapsed: play.bulk_elapsed(),
    });
    Phase {
        elapsed: play.elapsed(),
        rows,
        bulk,
        steady,
        refusals: server.refusals,
        queued_bytes_most: server.queued_bytes_most as u64,
    }
}
