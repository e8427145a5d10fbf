//! One run: what its threads share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tickwire::{Calls, CloseCode, Config, Outbox, PreparedMessage, SendError, Settings};

use crate::Result;
use crate::args::Speed;
use crate::book::Top;
use crate::check::Fault;
use crate::expected::Expected;
use crate::follow::{Follower, Trade};
use crate::stats;
use crate::tape::Tape;

/// What waits for a slow client before the server sees a full queue: several of the largest
/// messages, or two thousand ticks.
const SEND_QUEUE_BYTES_MAX: usize = 256 * 1024;

/// At speed max, messages that share one time of queuing: queuing them takes a few microseconds.
const MARK_MESSAGES: u64 = 64;

/// Marks of one connection that have room without allocating: those of a full send queue and of
/// full socket buffers of some megabytes.
const MARKS_USUAL: usize = 1024;

/// The tape in play.
pub(crate) struct Play {
    pub(crate) tape: Arc<Tape>,
    pub(crate) speed: Speed,
    pub(crate) rounds: u64,
    pub(crate) settings: Settings,
    pub(crate) slow: Option<Duration>,
    pub(crate) spin: bool,
    /// What a client must know at the end of a round; `None` where payloads are not decoded.
    pub(crate) expected: Option<Expected>,
    /// As the first client knows it.
    market: Mutex<Market>,
    /// Every message, encoded once, whatever the number of connections.
    frames: Vec<PreparedMessage>,
    start: OnceLock<Instant>,
    /// Messages that are due by now.
    due: AtomicU64,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) server: Calling,
    pub(crate) clients: Calling,
    pub(crate) held: Held,
    pub(crate) latency: Mutex<Histogram<u64>>,
    /// Clients whose connection is over.
    pub(crate) finished: AtomicUsize,
    faults: Mutex<Vec<(usize, Fault)>>,
    stopped: AtomicBool,
}

/// One connection, as both of its ends see it.
#[derive(Default)]
pub(crate) struct Lane {
    /// Messages that the client has checked, and their payload bytes.
    received: AtomicU64,
    bytes: AtomicU64,
    /// When the last of them came, in nanoseconds after the first one was due.
    last_ns: AtomicU64,
    /// At speed max, when messages were queued: those before the number, since the last mark.
    marks: Mutex<VecDeque<(u64, Instant)>>,
    taken: AtomicBool,
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
    pub(crate) waits: AtomicU64,
    pub(crate) reads: AtomicU64,
    pub(crate) writes: AtomicU64,
}

impl Calling {
    pub(crate) fn set(&self, calls: Calls) {
        self.waits.store(calls.waits, Ordering::Relaxed);
        self.reads.store(calls.reads, Ordering::Relaxed);
        self.writes.store(calls.writes, Ordering::Relaxed);
    }

    pub(crate) fn calls(&self) -> [u64; 3] {
        [&self.waits, &self.reads, &self.writes].map(|n| n.load(Ordering::Relaxed))
    }
}

/// How often, and how far, the server was held back by a client.
#[derive(Default)]
pub(crate) struct Held {
    /// A full queue refused a message, which was then sent later.
    pub(crate) refusals: AtomicU64,
    /// Most bytes that waited for one connection.
    pub(crate) queued_bytes: AtomicU64,
}

/// Where a connection's sending stands after [`Play::send_due`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sent {
    /// All that is due is queued.
    All,
    /// The queue is full: go on when it has drained.
    Full,
    /// The whole tape is queued, and a Close behind it.
    Over,
}

impl Play {
    pub(crate) fn new(tape: Tape, speed: Speed, rounds: u64, connections: usize) -> Result<Self> {
        let settings = Config {
            send_queue_bytes_max: SEND_QUEUE_BYTES_MAX,
            ..Config::default()
        }
        .build()?;
        let frames: Vec<_> = (0..tape.len())
            .map(|index| PreparedMessage::binary(tape.payload(index)))
            .collect();
        let largest = (0..tape.len()).map(|i| tape.payload(i).len()).max();
        if largest.is_some_and(|bytes| bytes > SEND_QUEUE_BYTES_MAX / 2) {
            let max = SEND_QUEUE_BYTES_MAX / 2;
            return Err(format!("the tape has a message of over {max} bytes").into());
        }
        let lane = |_| Lane {
            marks: Mutex::new(VecDeque::with_capacity(MARKS_USUAL)),
            ..Lane::default()
        };
        Ok(Self {
            tape: Arc::new(tape),
            speed,
            rounds,
            settings,
            slow: None,
            spin: false,
            expected: None,
            market: Mutex::default(),
            frames,
            start: OnceLock::new(),
            due: AtomicU64::new(0),
            lanes: (0..connections).map(lane).collect(),
            server: Calling::default(),
            clients: Calling::default(),
            held: Held::default(),
            latency: Mutex::new(stats::histogram()?),
            finished: AtomicUsize::new(0),
            faults: Mutex::default(),
            stopped: AtomicBool::new(false),
        })
    }

    /// Messages for each client.
    pub(crate) fn total(&self) -> u64 {
        self.tape.len() as u64 * self.rounds
    }

    /// The first message is due now.
    pub(crate) fn begin(&self) -> Instant {
        *self.start.get_or_init(Instant::now)
    }

    /// When message `number` is due. At speed max, all are at once.
    pub(crate) fn due_at(&self, number: u64) -> Instant {
        let start = self.begin();
        let Speed::Times(times) = self.speed else {
            return start;
        };
        let len = self.tape.len().max(1) as u64;
        let (round, index) = (number / len, number % len);
        let round = u32::try_from(round).unwrap_or(u32::MAX);
        let at = self.tape.duration() * round + self.tape.at(index as usize);
        start + at / times
    }

    /// Messages that are due.
    pub(crate) fn due(&self) -> u64 {
        self.due.load(Ordering::Acquire)
    }

    /// All messages before `number` are due.
    pub(crate) fn set_due(&self, number: u64) {
        self.due.store(number, Ordering::Release);
    }

    /// Queues what is due on connection `index`, from `cursor` on.
    ///
    /// # Errors
    /// Where the connection takes nothing more.
    pub(crate) fn send_due(
        &self,
        index: usize,
        cursor: &mut u64,
        outbox: &mut Outbox,
    ) -> std::result::Result<Sent, SendError> {
        let (due, before) = (self.due(), *cursor);
        let len = self.frames.len() as u64;
        let sent = loop {
            if *cursor == self.total() {
                outbox.close(CloseCode::NORMAL, "the tape is over")?;
                break Sent::Over;
            }
            if *cursor >= due {
                break Sent::All;
            }
            match outbox.send_prepared(&self.frames[(*cursor % len) as usize]) {
                Ok(()) => *cursor += 1,
                Err(SendError::QueueFull { .. }) => {
                    self.held.refusals.fetch_add(1, Ordering::Relaxed);
                    break Sent::Full;
                }
                Err(e) => return Err(e),
            }
            if self.speed == Speed::Max && (*cursor).is_multiple_of(MARK_MESSAGES) {
                self.mark(index, *cursor);
            }
        };
        if self.speed == Speed::Max && *cursor > before {
            self.mark(index, *cursor);
        }
        let queued = outbox.queued_bytes() as u64;
        self.held.queued_bytes.fetch_max(queued, Ordering::Relaxed);
        Ok(sent)
    }

    fn mark(&self, index: usize, before: u64) {
        if let Some(lane) = self.lanes.get(index) {
            lock(&lane.marks).push_back((before, Instant::now()));
        }
    }

    /// At speed max, when message `number` of connection `index` was queued, and up to which
    /// message that holds.
    pub(crate) fn queued_at(&self, index: usize, number: u64) -> Option<(u64, Instant)> {
        let mut marks = lock(&self.lanes.get(index)?.marks);
        while let Some((before, at)) = marks.pop_front() {
            if number < before {
                return Some((before, at));
            }
        }
        None
    }

    /// Whether a connection with this number is awaited and not there yet. Takes it.
    pub(crate) fn take_lane(&self, query: Option<&str>) -> Option<usize> {
        let index: usize = query?.strip_prefix("client=")?.parse().ok()?;
        let lane = self.lanes.get(index)?;
        (!lane.taken.swap(true, Ordering::AcqRel)).then_some(index)
    }

    /// A client has checked `messages` by now, and `bytes` of payload.
    pub(crate) fn progress(&self, index: usize, messages: u64, bytes: u64) {
        if let Some(lane) = self.lanes.get(index)
            && lane.received.swap(messages, Ordering::Relaxed) != messages
        {
            lane.bytes.store(bytes, Ordering::Relaxed);
            let nanos = self.begin().elapsed().as_nanos();
            let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
            lane.last_ns.store(nanos, Ordering::Relaxed);
        }
    }

    /// The first client knows this by now.
    pub(crate) fn show(&self, follower: &Follower) {
        *lock(&self.market) = Market {
            top: follower.book.top(),
            quote: follower.seen.quote,
            trade: follower.seen.trade,
        };
    }

    pub(crate) fn market(&self) -> Market {
        *lock(&self.market)
    }

    /// From when the first message was due to when the last one came.
    pub(crate) fn elapsed(&self) -> Duration {
        let last = self
            .lanes
            .iter()
            .map(|lane| lane.last_ns.load(Ordering::Relaxed));
        Duration::from_nanos(last.max().unwrap_or(0))
    }

    /// Messages and bytes that the clients have checked together, and messages of the slowest.
    pub(crate) fn received(&self) -> (u64, u64, u64) {
        let (mut messages, mut bytes, mut least) = (0, 0, u64::MAX);
        for lane in &self.lanes {
            let received = lane.received.load(Ordering::Relaxed);
            messages += received;
            bytes += lane.bytes.load(Ordering::Relaxed);
            least = least.min(received);
        }
        (messages, bytes, least)
    }

    /// A client is over.
    pub(crate) fn finish(&self, index: usize, result: std::result::Result<(), Fault>) {
        if let Err(fault) = result {
            lock(&self.faults).push((index, fault));
        }
        self.finished.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire) >= self.lanes.len()
    }

    /// What the clients found wrong.
    pub(crate) fn faults(&self) -> Vec<(usize, Fault)> {
        let mut faults = lock(&self.faults).clone();
        faults.sort_by_key(|(index, _)| *index);
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
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
