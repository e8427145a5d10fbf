//! How tasks wait on a connection with channels, and the halves of a split connection for each
//! other, in every interleaving. A lost wake-up in any interleaving fails the test as a deadlock.
//!
//! `cargo test -p tickwire-loom --release` takes some seconds; `cargo test --workspace` includes
//! it.
#![cfg(test)]

mod halves;
#[path = "../../engine/src/driver/tokio/channels/monitor.rs"]
mod monitor;

/// The locks that [`monitor`] is compiled with here.
mod sync {
    pub(crate) use loom::sync::{Mutex, MutexGuard};

    /// No payload with an owner is dropped under these locks.
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

use monitor::{DriverWaker, Monitor, Ticket, Waiters, WakerSlot};

/// The part of a connection's shared state that waiting needs.
#[derive(Default)]
struct State {
    credit: u32,
    messages: u32,
    ended: bool,
    room: WakerSlot,
    arrival: WakerSlot,
    closing: Waiters,
    driver: DriverWaker,
    /// Units of work for the driver.
    work: u32,
    /// Times that a task woke the driver.
    wakes: u32,
    /// Times that the driver registered its waker.
    registrations: u32,
}

type Shared = Arc<Monitor<State>>;

/// Checks every interleaving with at most three preemptions. Without that limit a test takes more
/// than a minute.
fn model(f: impl Fn() + Sync + Send + 'static) {
    model_within(3, f);
}

/// Checks every interleaving with at most `preemptions_max` preemptions.
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

/// A sender: waits for credit, or for the end.
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
        state.room.register(cx.waker(), after);
        Poll::Pending
    }))
}

/// A reader: waits for a message, or for the end.
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
        state.arrival.register(cx.waker(), after);
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

/// The driver has ended: every waiting task is woken.
fn end(shared: &Shared) {
    let mut guard = shared.lock();
    let (state, after) = guard.parts();
    state.ended = true;
    state.room.wake(after);
    state.arrival.wake(after);
    state.closing.wake_all(after);
}

#[test]
fn credit_wakes_a_sender_that_registers() {
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
fn both_halves_register_at_once() {
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
fn the_end_wakes_every_task() {
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

/// Waits for the end, in any number of tasks.
async fn closed(shared: &Shared, ticket: &mut Ticket) {
    poll_fn(|cx| {
        let mut guard = shared.lock();
        let (state, after) = guard.parts();
        if state.ended {
            return Poll::Ready(());
        }
        state.closing.register(ticket, cx.waker(), after);
        Poll::Pending
    })
    .await;
}

/// A dropped wait removes its own registration, and no other.
#[test]
fn a_dropped_wait_removes_only_its_own_registration() {
    model(|| {
        let shared = shared();
        let watcher = spawn(&shared, |shared| {
            block_on(closed(shared, &mut Ticket::default()));
        });
        let passer = spawn(&shared, |shared| {
            let mut ticket = Ticket::default();
            // One poll, then the future is dropped.
            block_on(async {
                let mut waiting = std::pin::pin!(closed(shared, &mut ticket));
                poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_ready())).await
            });
            let mut guard = shared.lock();
            let (state, after) = guard.parts();
            state.closing.remove(ticket, after);
            state.room.clear(after);
        });
        end(&shared);
        watcher.join().unwrap();
        passer.join().unwrap();
    });
}

/// The driver's task: does all work, and waits when there is none.
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
        state.driver.register(cx.waker(), blocked, after);
        state.registrations += 1;
        Poll::Pending
    }));
}

/// Like a send: a task that finds the driver idle wakes it.
fn make_work(shared: &Shared) {
    let mut guard = shared.lock();
    let (state, after) = guard.parts();
    state.work += 1;
    if state.driver.is_idle() && state.driver.wake(after) {
        state.wakes += 1;
    }
}

#[test]
fn work_wakes_a_driver_that_becomes_idle() {
    model(|| {
        let shared = shared();
        let senders = [0; 2].map(|_| spawn(&shared, make_work));
        drive(&shared, 2, false);
        for sender in senders {
            sender.join().unwrap();
        }
        let state = shared.lock();
        // The driver may also have found the work without a wake-up.
        assert!(
            state.wakes <= state.registrations,
            "at most one wake-up for each registration"
        );
    });
}

/// A blocked driver is not woken for messages, but for work that cannot wait.
#[test]
fn a_blocked_driver_is_woken_for_urgent_work_only() {
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
