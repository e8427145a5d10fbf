//! One phase of a run: what its threads share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tickwire::reactor::Calls;
use tickwire::{Config, channels};

use crate::Result;
use crate::args::{Args, Speed};
use crate::book::Top;
use crate::bulk::Bulk;
use crate::check::Fault;
use crate::expected::Expected;
use crate::feeds::{FEEDS, Feeds, SHARED_ALIASES, Topic};
use crate::follow::{Follower, Trade};

/// At speed max, messages that share one time of queuing: queuing them takes a few microseconds.
pub(crate) const MARK_MESSAGES: u64 = 64;

/// Marks of one channel that have room without allocating: those of a full queue and a full
/// window.
const MARKS_USUAL: usize = 1024;

/// What is played: the same in both phases.
pub(crate) struct Material {
    pub(crate) feeds: Feeds,
    /// What a client must know at the end of a round.
    pub(crate) expected: Expected,
    pub(crate) bulk: Option<Bulk>,
}

/// The tape in play.
pub(crate) struct Play {
    pub(crate) material: Arc<Material>,
    /// The file is sent, too.
    pub(crate) with_bulk: bool,
    pub(crate) speed: Speed,
    pub(crate) rounds: u64,
    pub(crate) slow: Option<Duration>,
    pub(crate) spin: bool,
    pub(crate) config: Config,
    pub(crate) channels: channels::ChannelConfig,
    start: OnceLock<Instant>,
    /// Messages of each feed that are due by now.
    due: [AtomicU64; FEEDS],
    pub(crate) lanes: Vec<Lane>,
    pub(crate) server: Calling,
    pub(crate) clients: Calling,
    /// As the first client knows it.
    market: Mutex<Market>,
    /// Clients whose connection is over.
    finished: AtomicUsize,
    faults: Mutex<Vec<(usize, Fault)>>,
    stopped: AtomicBool,
}

/// One connection, as both of its ends see it.
#[derive(Default)]
pub(crate) struct Lane {
    /// Messages of the feeds that came or were skipped.
    accounted: AtomicU64,
    /// Messages that came, on all channels.
    received: AtomicU64,
    /// When the last of the feeds' came, in nanoseconds after the first one was due.
    last_ns: AtomicU64,
    /// Bytes of the file that came, and when the last of them did.
    bulk_bytes: AtomicU64,
    bulk_ns: AtomicU64,
    /// At speed max, when messages of reliable feeds were queued: those before the number, since
    /// the last mark.
    marks: [Mutex<VecDeque<(u64, Instant)>>; FEEDS],
}

/// How far a client is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Progress {
    pub(crate) accounted: u64,
    pub(crate) received: u64,
    pub(crate) bulk_bytes: u64,
}

/// What a client knows of the market.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Market {
    /// The top of the book.
    pub(crate) top: Option<Top>,
    /// The last best bid and offer.
    pub(crate) quote: Option<Top>,
    pub(crate) trade: Option<Trade>,
}

/// System calls of one end.
#[derive(Default)]
pub(crate) struct Calling {
    waits: AtomicU64,
    reads: AtomicU64,
    writes: AtomicU64,
}

impl Calling {
    pub(crate) fn set(&self, calls: Calls) {
        self.waits.store(calls.waits, Ordering::Relaxed);
        self.reads.store(calls.reads, Ordering::Relaxed);
        self.writes.store(calls.writes, Ordering::Relaxed);
    }

    pub(crate) fn calls(&self) -> Calls {
        Calls {
            waits: self.waits.load(Ordering::Relaxed),
            reads: self.reads.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
        }
    }
}

impl Play {
    pub(crate) fn new(args: &Args, material: &Arc<Material>, with_bulk: bool) -> Result<Self> {
        let config = Config::default()
            // The channels have Pings of their own.
            .ping_interval(None);
        let channels = channels::ChannelConfig::default()
            .shared_aliases(SHARED_ALIASES)
            // A window that grows lets more of the file into the kernel, where nothing overtakes.
            .auto_tune(false);
        let lane = |_| Lane {
            marks: Topic::FEEDS.map(|feed| {
                let marked = args.speed == Speed::Max && feed != Topic::Bbo;
                Mutex::new(VecDeque::with_capacity(if marked {
                    MARKS_USUAL
                } else {
                    0
                }))
            }),
            ..Lane::default()
        };
        Ok(Self {
            material: material.clone(),
            with_bulk,
            speed: args.speed,
            rounds: args.rounds(),
            slow: args.slow,
            spin: args.spin,
            config,
            channels,
            start: OnceLock::new(),
            due: Default::default(),
            lanes: (0..args.connections).map(lane).collect(),
            server: Calling::default(),
            clients: Calling::default(),
            market: Mutex::default(),
            finished: AtomicUsize::new(0),
            faults: Mutex::default(),
            stopped: AtomicBool::new(false),
        })
    }

    pub(crate) fn feeds(&self) -> &Feeds {
        &self.material.feeds
    }

    /// The file, in the phase that has it.
    pub(crate) fn bulk(&self) -> Option<&Bulk> {
        self.material.bulk.as_ref().filter(|_| self.with_bulk)
    }

    /// The channels of a connection.
    pub(crate) fn topics(&self) -> impl Iterator<Item = Topic> + use<> {
        let bulk = self.bulk().is_some();
        Topic::ALL
            .into_iter()
            .filter(move |topic| *topic != Topic::Bulk || bulk)
    }

    /// Whether this client is the slow one.
    pub(crate) fn is_slow(&self, client: usize) -> bool {
        client == 0 && self.slow.is_some()
    }

    /// Messages of a feed that are published to each client.
    pub(crate) fn total(&self, feed: Topic) -> u64 {
        self.feeds().tape(feed).len() as u64 * self.rounds
    }

    /// The same of all feeds together.
    pub(crate) fn total_of_all(&self) -> u64 {
        self.feeds().len() as u64 * self.rounds
    }

    /// The first message is due now.
    pub(crate) fn begin(&self) -> Instant {
        *self.start.get_or_init(Instant::now)
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.start.get().is_some()
    }

    /// Nanoseconds since the begin.
    pub(crate) fn now_ns(&self) -> u64 {
        u64::try_from(self.begin().elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// When message `number` of a feed is due, in nanoseconds after the begin. At speed max, all
    /// are at once.
    #[inline]
    pub(crate) fn due_ns(&self, feed: Topic, number: u64) -> u64 {
        match self.speed {
            Speed::Times(times) => self.feeds().at_ns(feed, number) / u64::from(times),
            Speed::Max => 0,
        }
    }

    pub(crate) fn due_at(&self, feed: Topic, number: u64) -> Instant {
        self.begin() + Duration::from_nanos(self.due_ns(feed, number))
    }

    /// Messages of a feed that are due.
    pub(crate) fn due(&self, feed: Topic) -> u64 {
        self.due[feed.index()].load(Ordering::Acquire)
    }

    /// All messages of a feed before `number` are due.
    pub(crate) fn set_due(&self, feed: Topic, number: u64) {
        self.due[feed.index()].store(number, Ordering::Release);
    }

    /// At speed max: messages of a feed since the last mark, and before `before`, are queued now.
    pub(crate) fn mark(&self, client: usize, feed: Topic, before: u64) {
        if let Some(lane) = self.lanes.get(client) {
            lock(&lane.marks[feed.index()]).push_back((before, Instant::now()));
        }
    }

    /// At speed max, when message `number` of a reliable feed was queued, and up to which message
    /// that holds.
    pub(crate) fn queued_at(
        &self,
        client: usize,
        feed: Topic,
        number: u64,
    ) -> Option<(u64, Instant)> {
        let mut marks = lock(&self.lanes.get(client)?.marks[feed.index()]);
        while let Some((before, at)) = marks.pop_front() {
            if number < before {
                return Some((before, at));
            }
        }
        None
    }

    /// A client is so far.
    pub(crate) fn progress(&self, client: usize, progress: Progress) {
        let Some(lane) = self.lanes.get(client) else {
            return;
        };
        let now_ns = self.now_ns();
        lane.received.store(progress.received, Ordering::Relaxed);
        if lane.accounted.swap(progress.accounted, Ordering::Relaxed) != progress.accounted {
            lane.last_ns.store(now_ns, Ordering::Relaxed);
        }
        if lane.bulk_bytes.swap(progress.bulk_bytes, Ordering::Relaxed) != progress.bulk_bytes {
            lane.bulk_ns.store(now_ns, Ordering::Relaxed);
        }
    }

    /// How far all clients are together.
    pub(crate) fn received(&self) -> Progress {
        let mut all = Progress::default();
        for lane in &self.lanes {
            all.accounted += lane.accounted.load(Ordering::Relaxed);
            all.received += lane.received.load(Ordering::Relaxed);
            all.bulk_bytes += lane.bulk_bytes.load(Ordering::Relaxed);
        }
        all
    }

    /// Messages of the feeds that are due and not with the slowest client.
    pub(crate) fn behind(&self) -> u64 {
        let due: u64 = Topic::FEEDS.into_iter().map(|feed| self.due(feed)).sum();
        let far = self.lanes.iter();
        let least = far.map(|lane| lane.accounted.load(Ordering::Relaxed)).min();
        due.saturating_sub(least.unwrap_or(0))
    }

    /// Whether all that is due has come, and more will be due.
    pub(crate) fn is_waiting(&self) -> bool {
        let over = |feed| self.due(feed) == self.total(feed);
        self.behind() == 0 && !Topic::FEEDS.into_iter().all(over)
    }

    /// The first client knows this by now.
    pub(crate) fn show(&self, follower: &Follower) {
        *lock(&self.market) = Market {
            top: follower.book.top(),
            quote: follower.quote,
            trade: follower.trade,
        };
    }

    pub(crate) fn market(&self) -> Market {
        *lock(&self.market)
    }

    /// From when the first message was due to when the last one of the feeds came.
    pub(crate) fn elapsed(&self) -> Duration {
        let last = self.lanes.iter();
        let last = last.map(|lane| lane.last_ns.load(Ordering::Relaxed)).max();
        Duration::from_nanos(last.unwrap_or(0))
    }

    /// From the begin to the last byte of the file.
    pub(crate) fn bulk_elapsed(&self) -> Duration {
        let last = self.lanes.iter();
        let last = last.map(|lane| lane.bulk_ns.load(Ordering::Relaxed)).max();
        Duration::from_nanos(last.unwrap_or(0))
    }

    /// A client's connection is over; with a fault the run is.
    pub(crate) fn finish(&self, client: usize, result: std::result::Result<(), Fault>) {
        if let Err(fault) = result {
            self.wrong(client, fault);
            self.stop();
        }
        self.finished.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn wrong(&self, client: usize, fault: Fault) {
        lock(&self.faults).push((client, fault));
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire) >= self.lanes.len()
    }

    /// What the clients found wrong.
    pub(crate) fn faults(&self) -> Vec<(usize, Fault)> {
        let mut faults = lock(&self.faults).clone();
        faults.sort_by_key(|(client, _)| *client);
        faults
    }

    /// Nothing more is to be played.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}

/// A panic elsewhere has its own message; what is locked here stays true.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
