//! How tasks wait at a connection of channels, and the halves of a split one for each other,
//! under every order in which they can come: a wake-up that is lost in any of them ends the test
//! as a deadlock.
//!
//! `cargo test -p tickwire-loom --release`, some seconds; a part of `cargo test --workspace`.
#![cfg(test)]

mod halves;
#[path = "../../engine/src/driver/tokio/channels/monitor.rs"]
mod monitor;

/// The locks that [`monitor`] gets here.
mod sync {
    pub(crate) use loom::sync::{Mutex, MutexGuard};

    /// Nothing is dropped under these locks that has an owner.
    pub(crate) struct Section;

    impl Section {
        pub(crate) fn enter() -> Self {
            Self
        }
    }
}

use std::future::poll_fn;
use std::task::Poll;

use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

use monitor::{DriverWaker, Monitor, Slot, Ticket, Waiters};

/// What a connection shares, as far as waiting goes.
#[derive(Default)]
struct State {
    credit: u32,
    messages: u32,
    ended: bool,
    room: Slot,
    arrival: Slot,
    closing: Waiters,
    driver: DriverWaker,
    /// What the driver is to do.
    work: u32,
    /// How often somebody woke it.
    wakes: u32,
    /// How often it parked.
    parks: u32,
}

type Shared = Arc<Monitor<State>>;

/// Every order in which threads are interrupted three times at most. Without that limit it takes
/// more than a minute.
fn model(f: impl Fn() + Sync + Send + 'static) {
    model_within(3, f);
}

/// Every order in which threads are interrupted `preemptions_max` times at most.
fn model_within(preemptions_max: usize, f: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions_max);
    builder.check(f);
}

fn shared() -> Shared {
    Arc::new(Monitor::new(State::default()))
}

fn spawn(shared: &Shared, f: impl FnOnce(&Shared) + 'static) -> thread::JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || f(&shared))
}

/// A sender: waits for credit, or the end.
fn send(shared: &Shared) -> bool {
    block_on(poll_fn(|cx| {
        let mut guard = shared.lock();
        let (state, after) = guard.parts();
        if state.credit > 0 {
            state.credit -= 1;
            return Poll::Ready(true);
        }
        if state.ended {
            return Poll::Ready(false);
        }
        state.room.park(cx.waker(), after);
        Poll::Pending
    }))
}

/// A reader: waits for a message, or the end.
fn recv(shared: &Shared) -> bool {
    block_on(poll_fn(|cx| {
        let mut guard = shared.lock();
        let (state, after) = guard.parts();
        if state.messages > 0 {
            state.messages -= 1;
            return Poll::Ready(true);
        }
        if state.ended {
            return Poll::Ready(false);
        }
        state.arrival.park(cx.waker(), after);
        Poll::Pending
    }))
}

fn give_credit(shared: &Shared) {
    let mut guard = shared.lock();
    let (state, after) = guard.parts();
    state.credit += 1;
    state.room.wake(after);
}

fn give_message(shared: &Shared) {
    let mut guard = shared.lock();
    let (state, after) = guard.parts();
    state.messages += 1;
    state.arrival.wake(after);
}

/// The driver is gone: everybody is told.
fn end(shared: &Shared) {
    let mut guard = shared.lock();
    let (state, after) = guard.parts();
    state.ended = true;
    state.room.wake(after);
    state.arrival.wake(after);
    state.closing.wake_all(after);
}

#[test]
fn credit_meets_a_sender_that_parks() {
    model(|| {
        let shared = shared();
        let driver = spawn(&shared, |shared| {
            give_credit(shared);
            give_credit(shared);
        });
        assert!(send(&shared) && send(&shared));
        driver.join().unwrap();
        assert_eq!(shared.lock().credit, 0);
    });
}

#[test]
fn both_halves_park_at_once() {
    model(|| {
        let shared = shared();
        let sender = spawn(&shared, |shared| assert!(send(shared)));
        let reader = spawn(&shared, |shared| assert!(recv(shared)));
        give_message(&shared);
        give_credit(&shared);
        sender.join().unwrap();
        reader.join().unwrap();
    });
}

#[test]
fn the_end_wakes_all() {
    model(|| {
        let shared = shared();
        let sender = spawn(&shared, |shared| assert!(!send(shared)));
        let reader = spawn(&shared, |shared| {
            assert!(!recv(shared));
            block_on(closed(shared, &mut Ticket::default()));
        });
        end(&shared);
        sender.join().unwrap();
        reader.join().unwrap();
    });
}

/// Any number of tasks may wait for this.
async fn closed(shared: &Shared, ticket: &mut Ticket) {
    poll_fn(|cx| {
        let mut guard = shared.lock();
        let (state, after) = guard.parts();
        if state.ended {
            return Poll::Ready(());
        }
        state.closing.park(ticket, cx.waker(), after);
        Poll::Pending
    })
    .await;
}

/// One who waits goes away, and takes nobody's place with him.
#[test]
fn a_wait_that_is_dropped_takes_only_its_own_place() {
    model(|| {
        let shared = shared();
        let watcher = spawn(&shared, |shared| {
            block_on(closed(shared, &mut Ticket::default()));
        });
        let passer = spawn(&shared, |shared| {
            let mut ticket = Ticket::default();
            // One poll, then away.
            block_on(async {
                let mut waiting = std::pin::pin!(closed(shared, &mut ticket));
                poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_ready())).await
            });
            let mut guard = shared.lock();
            let (state, after) = guard.parts();
            state.closing.leave(ticket, after);
            state.room.clear(after);
        });
        end(&shared);
        watcher.join().unwrap();
        passer.join().unwrap();
    });
}

/// The driver's task: does what there is, and lies down when there is nothing.
fn drive(shared: &Shared, total: u32, blocked: bool) {
    let mut done = 0;
    block_on(poll_fn(|cx| {
        let mut guard = shared.lock();
        let (state, after) = guard.parts();
        state.driver.start_turn();
        done += std::mem::take(&mut state.work);
        if done == total {
            return Poll::Ready(());
        }
        state.driver.park(cx.waker(), blocked, after);
        state.parks += 1;
        Poll::Pending
    }));
}

/// As a send does: only who finds the driver idle wakes it.
fn make_work(shared: &Shared) {
    let mut guard = shared.lock();
    let (state, after) = guard.parts();
    state.work += 1;
    if state.driver.is_idle() && state.driver.wake(after) {
        state.wakes += 1;
    }
}

#[test]
fn work_meets_a_driver_that_lies_down() {
    model(|| {
        let shared = shared();
        let senders = [0; 2].map(|_| spawn(&shared, make_work));
        drive(&shared, 2, false);
        for sender in senders {
            sender.join().unwrap();
        }
        let state = shared.lock();
        // It may also have got up by itself.
        assert!(
            state.wakes <= state.parks,
            "one call for each time it slept"
        );
    });
}

/// A driver that the socket blocks is not called for messages, and is for what cannot wait.
#[test]
fn a_blocked_driver_is_called_for_what_cannot_wait() {
    model(|| {
        let shared = shared();
        let sender = spawn(&shared, |shared| {
            make_work(shared);
            let mut guard = shared.lock();
            let (state, after) = guard.parts();
            state.work += 1;
            state.driver.wake(after);
        });
        drive(&shared, 2, true);
        sender.join().unwrap();
        assert_eq!(shared.lock().wakes, 0);
    });
}
