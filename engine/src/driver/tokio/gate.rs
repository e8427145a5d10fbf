//! The gate through which two tasks share the write side of one connection without blocking on a
//! lock.
//!
//! The side that holds the gate owns the write side for the length of one poll. A side that finds
//! the gate locked sets its wait bit and returns pending; the holder wakes it when it unlocks.
//! Locking, setting a wait bit and unlocking are single operations on one atomic. So either the
//! holder sees the wait bit, or the waiting side finds the gate unlocked.
//!
//! ```text
//! state bits   LOCKED                        one side owns the write side
//!              READER_WAITS WRITER_WAITS     this side found the gate locked
//!              READER_NOTIFIED               the reader must enter the gate
//!              READER_DROPPED                the reader is dropped
//! ```
//!
//! This file does not name its atomics and locks: `tests/loom` compiles it with the types of loom,
//! and checks every interleaving of the two tasks (`cargo test -p tickwire-loom --release`).

use std::sync::{Arc, TryLockError};
use std::task::{Wake, Waker};

use super::sending::Sending;
use super::sync::{AtomicU8, AtomicWaker, Mutex, Ordering};

const LOCKED: u8 = 1;
const READER_WAITS: u8 = 2;
const WRITER_WAITS: u8 = 4;
const READER_NOTIFIED: u8 = 8;
const READER_DROPPED: u8 = 16;

/// One of the two tasks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Reader,
    Writer,
}

/// The gate, and the wakers of the two tasks.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: AtomicU8,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Gate {
    /// Registers the waker of a side, for every event that may concern it. The caller must check
    /// its condition once more after this, before it returns pending.
    pub(super) fn register(&self, side: Side, waker: &Waker) {
        self.slot(side).register(waker);
    }

    fn slot(&self, side: Side) -> &AtomicWaker {
        match side {
            Side::Reader => &self.reader,
            Side::Writer => &self.writer,
        }
    }

    /// Whether the reader must enter the gate.
    pub(super) fn is_reader_notified(&self) -> bool {
        self.state.load(Ordering::Acquire) & READER_NOTIFIED != 0
    }

    /// The reader has entered the gate.
    pub(super) fn clear_notification(&self) {
        self.state.fetch_and(!READER_NOTIFIED, Ordering::AcqRel);
    }

    /// Wakes the reader, which then enters the gate.
    pub(super) fn notify_reader(&self) {
        self.state.fetch_or(READER_NOTIFIED, Ordering::AcqRel);
        self.reader.wake();
    }

    /// Records that the reader is dropped, and wakes the writer.
    pub(super) fn mark_reader_dropped(&self) {
        self.state.fetch_or(READER_DROPPED, Ordering::AcqRel);
        self.writer.wake();
    }

    /// Whether the reader is dropped.
    #[inline]
    pub(super) fn is_reader_dropped(&self) -> bool {
        self.state.load(Ordering::Acquire) & READER_DROPPED != 0
    }

    pub(super) fn wake_writer(&self) {
        self.writer.wake();
    }

    /// `true`: the caller holds the gate, and must [`Self::unlock`] it. `false`: the other side
    /// holds it, and `waker` will be woken.
    fn lock(&self, side: Side, waker: &Waker) -> bool {
        if self.state.fetch_or(LOCKED, Ordering::Acquire) & LOCKED == 0 {
            return true;
        }
        self.register(side, waker);
        let wait_bit = match side {
            Side::Reader => READER_WAITS,
            Side::Writer => WRITER_WAITS,
        };
        // If the gate is unlocked by now, the wait bit stays set and causes one needless wake.
        self.state.fetch_or(LOCKED | wait_bit, Ordering::AcqRel) & LOCKED == 0
    }

    fn unlock(&self) {
        let before = self
            .state
            .fetch_and(!(LOCKED | READER_WAITS | WRITER_WAITS), Ordering::AcqRel);
        if before & READER_WAITS != 0 {
            self.reader.wake();
        }
        if before & WRITER_WAITS != 0 {
            self.writer.wake();
        }
    }
}

/// The stream accepts bytes again: both sides are woken, and the first one writes.
impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.notify_reader();
        self.wake_writer();
    }
}

/// The write side, and the stream that it is written to.
#[derive(Debug)]
pub(super) struct SharedWrite<W> {
    pub(super) sending: Sending,
    pub(super) io: W,
}

/// The state that both halves of a connection share.
#[derive(Debug)]
pub(super) struct SplitState<W> {
    pub(super) gate: Arc<Gate>,
    /// Wakes both sides. The write half of the stream is polled with this waker.
    pub(super) waker: Waker,
    write: Mutex<SharedWrite<W>>,
}

impl<W> SplitState<W> {
    pub(super) fn new(sending: Sending, io: W) -> Self {
        let gate = Arc::new(Gate::default());
        Self {
            waker: Waker::from(Arc::clone(&gate)),
            gate,
            write: Mutex::new(SharedWrite { sending, io }),
        }
    }

    /// Locks the gate and runs `f`; `None` if the other side holds the gate, which then wakes
    /// `waker`.
    pub(super) fn with<T>(
        &self,
        side: Side,
        waker: &Waker,
        f: impl FnOnce(&mut SharedWrite<W>) -> T,
    ) -> Option<T> {
        if !self.gate.lock(side, waker) {
            return None;
        }
        let _unlock = Unlock(&self.gate); // after `write`, and also if `f` panics
        let mut write = match self.write.try_lock() {
            Ok(write) => write,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Unreachable: only the holder of the gate locks the mutex.
            Err(TryLockError::WouldBlock) => {
                waker.wake_by_ref();
                return None;
            }
        };
        Some(f(&mut write))
    }

    pub(super) fn into_inner(self) -> SharedWrite<W> {
        self.write
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

struct Unlock<'a>(&'a Gate);

impl Drop for Unlock<'_> {
    fn drop(&mut self) {
        self.0.unlock();
    }
}
