//! One lock, and wakers that are called only after it is unlocked.
//!
//! One [`Monitor`] guards everything that the tasks of a connection share. A task that has nothing
//! to do registers its waker in a slot, under the lock. A task that changes the state takes the
//! waker out of the slot, under the same lock, and wakes it after unlocking. So no wake-up is lost
//! (checking and registering happen under one lock) and none is sent twice (the waker is taken
//! out). The only foreign code under the lock is the clone of a waker that is registered, which
//! counts a reference. Wakers are woken, and replaced ones dropped, after the lock.
//!
//! This file does not name the shared state or its locks: `tests/loom` compiles it with the types
//! of loom, and checks every interleaving of threads (`cargo test -p tickwire-loom --release`).

use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::task::Waker;
use std::vec::Vec;

use super::sync::{Mutex, MutexGuard, Section};

/// Wakers that one locked section collects without an allocation: one or two halves, and the
/// driver.
const WAKERS_INLINE: usize = 4;

/// The shared state behind its lock.
#[derive(Debug)]
pub(crate) struct Monitor<T>(Mutex<T>);

impl<T> Monitor<T> {
    pub(crate) fn new(shared: T) -> Self {
        Self(Mutex::new(shared))
    }

    /// Locks. A panic of another task under the lock left no harmful state: a section calls
    /// channels, which check before they change anything.
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        let section = Section::enter();
        Guard {
            shared: self.0.lock().unwrap_or_else(PoisonError::into_inner),
            after: AfterUnlock::default(),
            _section: section,
        }
    }
}

/// The locked state. Dropping it unlocks first, then wakes: fields are dropped in order.
pub(crate) struct Guard<'a, T> {
    shared: MutexGuard<'a, T>,
    after: AfterUnlock,
    /// Last: payloads dropped under the lock may run code of the application.
    _section: Section,
}

impl<T> Guard<'_, T> {
    /// The shared state, and the wakers to wake after unlocking.
    pub(crate) fn parts(&mut self) -> (&mut T, &mut AfterUnlock) {
        (&mut self.shared, &mut self.after)
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.shared
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.shared
    }
}

/// Wakers that are woken, or only dropped, after unlocking.
#[derive(Default)]
pub(crate) struct AfterUnlock {
    first: [Option<Waker>; WAKERS_INLINE],
    rest: Vec<Waker>,
    /// Only dropped: a waker may own a task, and the task handles of this connection.
    replaced: Vec<Waker>,
}

impl AfterUnlock {
    fn wake(&mut self, waker: Waker) {
        match self.first.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(waker),
            None => self.rest.push(waker),
        }
    }
}

impl Drop for AfterUnlock {
    fn drop(&mut self) {
        for waker in self.first.iter_mut().filter_map(Option::take) {
            waker.wake();
        }
        self.rest.drain(..).for_each(Waker::wake);
    }
}

/// The waker of the one task that waits for a condition.
#[derive(Debug, Default)]
pub(crate) struct WakerSlot(Option<Waker>);

impl WakerSlot {
    /// Replaces a waker registered before: a half has one owner, which may have moved to another
    /// task.
    pub(crate) fn register(&mut self, waker: &Waker, after: &mut AfterUnlock) {
        if self.0.as_ref().is_some_and(|old| old.will_wake(waker)) {
            return;
        }
        after.replaced.extend(self.0.replace(waker.clone()));
    }

    /// Wakes the task: its condition holds.
    pub(crate) fn wake(&mut self, after: &mut AfterUnlock) {
        if let Some(waker) = self.0.take() {
            after.wake(waker);
        }
    }

    /// Forgets the task.
    pub(crate) fn clear(&mut self, after: &mut AfterUnlock) {
        after.replaced.extend(self.0.take());
    }
}

/// The wakers of any number of tasks that wait for one condition: one for each future, which
/// removes its own when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    registered: Vec<(Ticket, Waker)>,
    last: u64,
}

/// A registration in [`Waiters`]; zero is none.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Ticket(u64);

impl Waiters {
    pub(crate) fn register(&mut self, ticket: &mut Ticket, waker: &Waker, after: &mut AfterUnlock) {
        match self.registered.iter_mut().find(|(held, _)| held == ticket) {
            Some((_, old)) if old.will_wake(waker) => {}
            Some((_, old)) => after.replaced.push(std::mem::replace(old, waker.clone())),
            None => {
                self.last += 1;
                *ticket = Ticket(self.last);
                self.registered.push((*ticket, waker.clone()));
            }
        }
    }

    pub(crate) fn remove(&mut self, ticket: Ticket, after: &mut AfterUnlock) {
        let at = self.registered.iter().position(|&(held, _)| held == ticket);
        if let Some(at) = at {
            after.replaced.push(self.registered.swap_remove(at).1);
        }
    }

    pub(crate) fn wake_all(&mut self, after: &mut AfterUnlock) {
        for (_, waker) in self.registered.drain(..) {
            after.wake(waker);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Activity {
    /// The driver runs, or was woken: it will see every change.
    #[default]
    Running,
    /// The driver had nothing to do.
    Idle,
    /// The driver has bytes to send that the socket does not accept: the socket wakes it.
    Blocked,
}

/// The driver's waker. The first task with work wakes the driver; later ones find it running.
#[derive(Debug, Default)]
pub(crate) struct DriverWaker {
    activity: Activity,
    slot: WakerSlot,
}

impl DriverWaker {
    /// Registers the waker: the driver has no work, or, with `blocked`, waits for the socket.
    pub(crate) fn register(&mut self, waker: &Waker, blocked: bool, after: &mut AfterUnlock) {
        self.activity = if blocked {
            Activity::Blocked
        } else {
            Activity::Idle
        };
        self.slot.register(waker, after);
    }

    /// The driver runs, and will see every change.
    pub(crate) fn start_turn(&mut self) {
        self.activity = Activity::Running;
    }

    /// Whether a task that makes work must wake the driver.
    pub(crate) fn is_idle(&self) -> bool {
        self.activity == Activity::Idle
    }

    /// Wakes the driver. `true` if it was idle or blocked.
    pub(crate) fn wake(&mut self, after: &mut AfterUnlock) -> bool {
        if self.activity == Activity::Running {
            return false;
        }
        self.activity = Activity::Running;
        self.slot.wake(after);
        true
    }
}
