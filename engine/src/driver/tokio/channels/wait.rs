//! Waits for a condition that any number of tasks may wait for.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::monitor::{Ticket, Waiters};
use super::state::{Shared, State};

/// Finds a list of waiters; `None` if its channel is removed.
type List<K> = fn(&mut State, K) -> Option<&mut Waiters>;

/// A registration in a list of waiters, removed on drop.
struct Registration<K: Copy> {
    shared: Arc<Shared>,
    key: K,
    list: List<K>,
    ticket: Ticket,
}

impl<K: Copy> Registration<K> {
    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        check: &mut impl FnMut(&mut State) -> Option<T>,
    ) -> Poll<T> {
        let mut guard = self.shared.state.lock();
        let (state, after) = guard.parts();
        if let Some(value) = check(state) {
            return Poll::Ready(value);
        }
        if let Some(waiters) = (self.list)(state, self.key) {
            waiters.register(&mut self.ticket, cx.waker(), after);
        }
        Poll::Pending
    }
}

impl<K: Copy> Drop for Registration<K> {
    fn drop(&mut self) {
        if self.ticket == Ticket::default() {
            return;
        }
        let mut guard = self.shared.state.lock();
        let (state, after) = guard.parts();
        if let Some(waiters) = (self.list)(state, self.key) {
            waiters.remove(self.ticket, after);
        }
    }
}

/// Waits until `check` returns a value. It must return one if the list of waiters is removed.
pub(super) async fn wait<K: Copy, T>(
    shared: Arc<Shared>,
    key: K,
    list: List<K>,
    mut check: impl FnMut(&mut State) -> Option<T>,
) -> T {
    let mut registration = Registration {
        shared,
        key,
        list,
        ticket: Ticket::default(),
    };
    poll_fn(move |cx| registration.poll(cx, &mut check)).await
}
