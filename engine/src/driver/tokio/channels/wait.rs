//! Waiting for something that any number of tasks may wait for.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::monitor::{Ticket, Waiters};
use super::state::{Shared, State};

/// Names a list of waiters; `None` where it is gone, with its channel.
type List<K> = fn(&mut State, K) -> Option<&mut Waiters>;

/// A place among waiters, given back on drop.
struct Place<K: Copy> {
    shared: Arc<Shared>,
    key: K,
    list: List<K>,
    ticket: Ticket,
}

impl<K: Copy> Place<K> {
    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        look: &mut impl FnMut(&mut State) -> Option<T>,
    ) -> Poll<T> {
        let mut guard = self.shared.state.lock();
        let (state, after) = guard.parts();
        if let Some(found) = look(state) {
            return Poll::Ready(found);
        }
        if let Some(waiters) = (self.list)(state, self.key) {
            waiters.park(&mut self.ticket, cx.waker(), after);
        }
        Poll::Pending
    }
}

impl<K: Copy> Drop for Place<K> {
    fn drop(&mut self) {
        if self.ticket == Ticket::default() {
            return;
        }
        let mut guard = self.shared.state.lock();
        let (state, after) = guard.parts();
        if let Some(waiters) = (self.list)(state, self.key) {
            waiters.leave(self.ticket, after);
        }
    }
}

/// Waits until `look` finds something. Where the list is gone, it must.
pub(super) async fn wait<K: Copy, T>(
    shared: Arc<Shared>,
    key: K,
    list: List<K>,
    mut look: impl FnMut(&mut State) -> Option<T>,
) -> T {
    let mut place = Place {
        shared,
        key,
        list,
        ticket: Ticket::default(),
    };
    poll_fn(move |cx| place.poll(cx, &mut look)).await
}
