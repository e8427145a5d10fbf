//! How two tasks share the writing of one connection without ever waiting in a lock.
//!
//! The cell with the sending half belongs to whoever holds the gate, for the length of one
//! poll. Who finds it taken leaves a wish and parks; the holder, on its way out, wakes whoever
//! left one. Taking, wishing and leaving are single operations on one atomic, so that one of
//! two things is always true: the wish was seen, or the gate was found open.
//!
//! ```text
//! state bits   LOCKED             somebody is in the cell
//!              READER  WRITER     left a wish while it was locked
//!              ATTENTION          the reader shall look into the cell
//!              DESERTED           the reader is gone
//! ```
//!
//! Whose atomics and locks these are is not said here: `tests/loom` compiles this file with
//! loom's, and tries every order in which two tasks can come
//! (`cargo test -p tickwire-loom --release`).

use std::sync::{Arc, TryLockError};
use std::task::{Wake, Waker};

use super::sending::Sending;
use super::sync::{AtomicU8, AtomicWaker, Mutex, Ordering};

const LOCKED: u8 = 1;
const READER: u8 = 2;
const WRITER: u8 = 4;
const ATTENTION: u8 = 8;
const DESERTED: u8 = 16;

/// Which half asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Reader,
    Writer,
}

/// The gate, and the wakers of the tasks that wait at it or for the stream.
#[derive(Debug, Default)]
pub(super) struct Bell {
    state: AtomicU8,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Bell {
    /// The task of a half is to be woken by whatever may concern it. Look once more after this,
    /// before sleeping.
    pub(super) fn register(&self, side: Side, waker: &Waker) {
        self.slot(side).register(waker);
    }

    fn slot(&self, side: Side) -> &AtomicWaker {
        match side {
            Side::Reader => &self.reader,
            Side::Writer => &self.writer,
        }
    }

    /// Whether the reader shall look into the cell.
    pub(super) fn attention(&self) -> bool {
        self.state.load(Ordering::Acquire) & ATTENTION != 0
    }

    /// The reader looks.
    pub(super) fn heed(&self) {
        self.state.fetch_and(!ATTENTION, Ordering::AcqRel);
    }

    /// Makes the reader look.
    pub(super) fn call_reader(&self) {
        self.state.fetch_or(ATTENTION, Ordering::AcqRel);
        self.reader.wake();
    }

    /// The reader is gone.
    pub(super) fn desert(&self) {
        self.state.fetch_or(DESERTED, Ordering::AcqRel);
        self.writer.wake();
    }

    /// Whether the reader is gone.
    #[inline]
    pub(super) fn is_deserted(&self) -> bool {
        self.state.load(Ordering::Acquire) & DESERTED != 0
    }

    pub(super) fn wake_writer(&self) {
        self.writer.wake();
    }

    /// `true`: the caller is in, and must [`Self::unlock`]. `false`: it will be woken.
    fn lock(&self, side: Side, waker: &Waker) -> bool {
        if self.state.fetch_or(LOCKED, Ordering::Acquire) & LOCKED == 0 {
            return true;
        }
        self.register(side, waker);
        let wish = match side {
            Side::Reader => READER,
            Side::Writer => WRITER,
        };
        // Open by now: the wish stays, and costs one wake for nothing.
        self.state.fetch_or(LOCKED | wish, Ordering::AcqRel) & LOCKED == 0
    }

    fn unlock(&self) {
        let before = self
            .state
            .fetch_and(!(LOCKED | READER | WRITER), Ordering::AcqRel);
        if before & READER != 0 {
            self.reader.wake();
        }
        if before & WRITER != 0 {
            self.writer.wake();
        }
    }
}

/// The stream can be written again: whichever half is awake first does it.
impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.call_reader();
        self.wake_writer();
    }
}

/// The sending half and the stream it is written to.
#[derive(Debug)]
pub(super) struct Cell<W> {
    pub(super) sending: Sending,
    pub(super) io: W,
}

/// What both halves of a connection hold.
#[derive(Debug)]
pub(super) struct Shared<W> {
    pub(super) bell: Arc<Bell>,
    /// Wakes both halves: what the stream's sending side is polled with.
    pub(super) waker: Waker,
    cell: Mutex<Cell<W>>,
}

impl<W> Shared<W> {
    pub(super) fn new(sending: Sending, io: W) -> Self {
        let bell = Arc::new(Bell::default());
        Self {
            waker: Waker::from(Arc::clone(&bell)),
            bell,
            cell: Mutex::new(Cell { sending, io }),
        }
    }

    /// Runs `f` in the cell; `None` if the other half is in it, which then wakes `waker`.
    pub(super) fn with<T>(
        &self,
        side: Side,
        waker: &Waker,
        f: impl FnOnce(&mut Cell<W>) -> T,
    ) -> Option<T> {
        if !self.bell.lock(side, waker) {
            return None;
        }
        let _unlock = Unlock(&self.bell); // after `cell`, and also if `f` panics
        let mut cell = match self.cell.try_lock() {
            Ok(cell) => cell,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Does not happen: only who holds the gate comes here.
            Err(TryLockError::WouldBlock) => {
                waker.wake_by_ref();
                return None;
            }
        };
        Some(f(&mut cell))
    }

    pub(super) fn into_cell(self) -> Cell<W> {
        self.cell
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

struct Unlock<'a>(&'a Bell);

impl Drop for Unlock<'_> {
    fn drop(&mut self) {
        self.0.unlock();
    }
}
