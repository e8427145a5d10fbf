//! The counts of a server.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;
use tokio::sync::Notify;

use crate::allocations::Allocations;
use crate::load::{digest, follow};
use crate::process::monotonic_ns;
use crate::work::{Ack, Counted, Ticks};

/// Longest recorded delay, in nanoseconds, with 3 significant digits.
const LATENCY_NS_MAX: u64 = 60_000_000_000;
const DIGITS: u8 = 3;

/// Counts of all connections of a server. The process has one thread, so that a load and a later
/// store do not race.
#[derive(Debug)]
pub(crate) struct Sink {
    count: AtomicU64,
    digest: AtomicU64,
    bulk_bytes: AtomicU64,
    /// The control channel is answered at this count.
    target: AtomicU64,
    reached: Notify,
    ticks: Mutex<Histogram<u64>>,
    allocations: Mutex<Allocations>,
}

/// The target when no question is open.
const NOBODY: u64 = u64::MAX;

impl Sink {
    pub(crate) fn new() -> Result<Sink> {
        Ok(Sink {
            count: AtomicU64::new(0),
            digest: AtomicU64::new(0),
            bulk_bytes: AtomicU64::new(0),
            target: AtomicU64::new(NOBODY),
            reached: Notify::new(),
            ticks: Mutex::new(Histogram::new_with_bounds(1, LATENCY_NS_MAX, DIGITS)?),
            allocations: Mutex::new(Allocations::start()),
        })
    }

    /// Counts a message of a channel; `lane` is the channel's digest so far.
    #[inline]
    pub(crate) fn data(&self, lane: &mut u64, message: &[u8]) {
        let added = follow(lane, digest(message));
        let total = self.digest.load(Relaxed).wrapping_add(added);
        self.digest.store(total, Relaxed);
        self.add_one();
    }

    /// Counts a tick, which begins with the time at which it was due.
    pub(crate) fn tick(&self, message: &[u8]) {
        let now = monotonic_ns();
        if let (Some(due), Ok(mut ticks)) = (message.first_chunk(), self.ticks.lock()) {
            ticks.saturating_record(now.saturating_sub(u64::from_le_bytes(*due)).max(1));
        }
        self.add_one();
    }

    pub(crate) fn bulk(&self, message: &[u8]) {
        let bytes = self.bulk_bytes.load(Relaxed) + message.len() as u64;
        self.bulk_bytes.store(bytes, Relaxed);
    }

    #[inline]
    fn add_one(&self) {
        self.count.store(self.count.load(Relaxed) + 1, Relaxed);
    }

    /// Takes a question of the control channel.
    pub(crate) fn ask(&self, message: &[u8]) {
        let target = message.first_chunk().map_or(0, |t| u64::from_le_bytes(*t));
        self.target.store(target, Relaxed);
    }

    /// Whether the answer is due: `true` once per question.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        let due = self.count.load(Relaxed) >= self.target.load(Relaxed);
        if due {
            self.target.store(NOBODY, Relaxed);
        }
        due
    }

    /// For servers with tasks: wakes the task of the control channel when its answer is due.
    #[inline]
    pub(crate) fn notify(&self) {
        if self.is_due() {
            self.reached.notify_one();
        }
    }

    pub(crate) async fn due(&self) {
        self.notify();
        self.reached.notified().await;
    }

    /// The answer.
    pub(crate) fn ack(&self, calls: Option<Counted>) -> Result<Vec<u8>> {
        let mut histogram = self.ticks.lock().ok().context("the histogram's lock")?;
        let ticks = Ticks {
            count: histogram.len(),
            p50_ns: histogram.value_at_quantile(0.5),
            p99_ns: histogram.value_at_quantile(0.99),
            p999_ns: histogram.value_at_quantile(0.999),
            max_ns: histogram.max(),
        };
        histogram.reset();
        let mut allocations = self.allocations.lock().ok().context("the counter's lock")?;
        let ack = Ack {
            count: self.count.load(Relaxed),
            digest: self.digest.load(Relaxed),
            bulk_bytes: self.bulk_bytes.load(Relaxed),
            ticks,
            calls,
            allocations: allocations.lap(),
        };
        Ok(serde_json::to_vec(&ack)?)
    }
}
