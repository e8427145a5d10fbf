//! One lock, and wakers that are called only after it is open.
//!
//! Everything that tasks of a connection share is behind one [`Monitor`]. Who finds nothing to do
//! parks its waker in a slot under the lock; who changes that takes the waker out under the same
//! lock, and wakes it when the lock is open again. So a wake-up is neither lost (parking and
//! looking are one section) nor sent twice (a waker is taken out). Of foreign code only the clone of
//! a waker that parks runs under the lock, which counts references and touches no connection:
//! wakers are called, and those replaced are dropped, after it.
//!
//! Nothing here knows what is shared, nor whose locks these are: `tests/loom` compiles this file
//! with loom's, and tries every order in which threads can come
//! (`cargo test -p tickwire-loom --release`).

use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::task::Waker;
use std::vec::Vec;

use super::sync::{Mutex, MutexGuard, Section};

/// Wakers that a section gathers without an allocation: a half or two, and the driver.
const WAKERS_INLINE: usize = 4;

/// What is shared.
#[derive(Debug)]
pub(crate) struct Monitor<T>(Mutex<T>);

impl<T> Monitor<T> {
    pub(crate) fn new(shared: T) -> Self {
        Self(Mutex::new(shared))
    }

    /// Goes in. Another task's panic in here has left nothing half done that matters: sections
    /// are calls of channels that check before they act.
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        let section = Section::enter();
        Guard {
            shared: self.0.lock().unwrap_or_else(PoisonError::into_inner),
            after: After::default(),
            _section: section,
        }
    }
}

/// The lock, held. Opened first, then it wakes: fields are dropped in their order.
pub(crate) struct Guard<'a, T> {
    shared: MutexGuard<'a, T>,
    after: After,
    /// Last: what was dropped under the lock is anybody's.
    _section: Section,
}

impl<T> Guard<'_, T> {
    /// What is shared, and what is to be done when the lock is open.
    pub(crate) fn parts(&mut self) -> (&mut T, &mut After) {
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

/// What waits for the lock to be open.
#[derive(Default)]
pub(crate) struct After {
    first: [Option<Waker>; WAKERS_INLINE],
    rest: Vec<Waker>,
    /// Only dropped: a waker may own a task, and a task handles of this connection.
    replaced: Vec<Waker>,
}

impl After {
    fn wake(&mut self, waker: Waker) {
        match self.first.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(waker),
            None => self.rest.push(waker),
        }
    }
}

impl Drop for After {
    fn drop(&mut self) {
        for waker in self.first.iter_mut().filter_map(Option::take) {
            waker.wake();
        }
        self.rest.drain(..).for_each(Waker::wake);
    }
}

/// The task that waits for one thing.
#[derive(Debug, Default)]
pub(crate) struct Slot(Option<Waker>);

impl Slot {
    /// Whoever parked here before is not woken any more: a half has one owner, and it may have
    /// moved to another task.
    pub(crate) fn park(&mut self, waker: &Waker, after: &mut After) {
        if self.0.as_ref().is_some_and(|old| old.will_wake(waker)) {
            return;
        }
        after.replaced.extend(self.0.replace(waker.clone()));
    }

    /// What it waits for has come.
    pub(crate) fn wake(&mut self, after: &mut After) {
        if let Some(waker) = self.0.take() {
            after.wake(waker);
        }
    }

    /// It waits no more.
    pub(crate) fn clear(&mut self, after: &mut After) {
        after.replaced.extend(self.0.take());
    }
}

/// Any number of tasks that wait for one thing: as many as there are futures, each of which
/// takes its place back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    parked: Vec<(Ticket, Waker)>,
    last: u64,
}

/// A place among [`Waiters`]; zero is none.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Ticket(u64);

impl Waiters {
    pub(crate) fn park(&mut self, ticket: &mut Ticket, waker: &Waker, after: &mut After) {
        match self.parked.iter_mut().find(|(held, _)| held == ticket) {
            Some((_, old)) if old.will_wake(waker) => {}
            Some((_, old)) => after.replaced.push(std::mem::replace(old, waker.clone())),
            None => {
                self.last += 1;
                *ticket = Ticket(self.last);
                self.parked.push((*ticket, waker.clone()));
            }
        }
    }

    pub(crate) fn leave(&mut self, ticket: Ticket, after: &mut After) {
        let at = self.parked.iter().position(|&(held, _)| held == ticket);
        if let Some(at) = at {
            after.replaced.push(self.parked.swap_remove(at).1);
        }
    }

    pub(crate) fn wake_all(&mut self, after: &mut After) {
        for (_, waker) in self.parked.drain(..) {
            after.wake(waker);
        }
    }
}

/// What the driver does.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Activity {
    /// It runs, or was woken: it will look at everything.
    #[default]
    Running,
    /// There was nothing to do.
    Idle,
    /// There is something to send, and no room for it: the socket wakes it.
    Blocked,
}

/// The driver's waker: the first who has work for it wakes it, and all others find it running.
#[derive(Debug, Default)]
pub(crate) struct DriverWaker {
    activity: Activity,
    slot: Slot,
}

impl DriverWaker {
    /// The driver has nothing to do, or, `blocked`, no room for what it has to send.
    pub(crate) fn park(&mut self, waker: &Waker, blocked: bool, after: &mut After) {
        self.activity = if blocked {
            Activity::Blocked
        } else {
            Activity::Idle
        };
        self.slot.park(waker, after);
    }

    /// The driver looks at everything.
    pub(crate) fn start_turn(&mut self) {
        self.activity = Activity::Running;
    }

    /// Whether somebody who makes work for it must wake it.
    pub(crate) fn is_idle(&self) -> bool {
        self.activity == Activity::Idle
    }

    /// There is work. `true`: it was parked.
    pub(crate) fn wake(&mut self, after: &mut After) -> bool {
        if self.activity == Activity::Running {
            return false;
        }
        self.activity = Activity::Running;
        self.slot.wake(after);
        true
    }
}
