//! The one task of a connection: it owns the WebSocket, and moves records between it and the
//! core.
//!
//! ```text
//! work       under the lock: messages received go to the core and are parked, timers, then as
//!            many records as the outbox takes
//! poll_turn  without it: writes, reads
//! ```
//!
//! It goes round until a turn brings nothing and there is nothing to send, and only then lies
//! down, under the lock: whoever makes work for it after that finds it asleep and wakes it.
//! What is received is parked whatever its reader does (rule R18); credit bounds how much.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::super::io::now;
use super::super::timer::Timer;
use super::super::websocket::WebSocket;
use super::monitor::After;
use super::state::{Shared, State};
use crate::session::channels::{Arrival, Code, fill, receive};
use crate::time::Timestamp;

pub(super) struct Driver<S> {
    ws: WebSocket<S>,
    timer: Timer,
    /// By when the stream must be closed, once the channels are over.
    close_at: Option<Timestamp>,
    /// By when what the last handles have finished must be sent, once they are gone.
    orphan_at: Option<Timestamp>,
    /// The WebSocket has ended, and everybody knows: its stream is still to be closed.
    lingers: bool,
    /// The core was told to drain.
    drained: bool,
    sweep_at: Timestamp,
    /// The last field: the stream is closed when everybody is told.
    shared: Herald,
}

/// How often buffers that a burst has left are looked for.
const SWEEP_INTERVAL: core::time::Duration = core::time::Duration::from_secs(10);

/// What a turn under the lock came to.
enum Work {
    /// There is something to write, or more to do.
    Go,
    /// Nothing to do: asleep.
    Sleep,
    /// The stream had its time to close.
    Over,
}

impl<S> Driver<S> {
    pub(super) fn new(shared: Arc<Shared>, mut ws: WebSocket<S>) -> Self {
        // Or two ends that send each other records of more than half of their queues would both
        // wait to be read. A record beyond those that may wait ahead is the most there is.
        ws.sending.reads_on = true;
        Self {
            shared: Herald(shared),
            ws,
            timer: Timer::default(),
            close_at: None,
            orphan_at: None,
            lingers: false,
            drained: false,
            sweep_at: now().after(SWEEP_INTERVAL),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Driver<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut idle = false;
        // Bounded by what the stream has ready, which tokio rations.
        loop {
            if this.lingers {
                return this.ws.poll_close(cx).map(drop);
            }
            match this.work(cx, idle) {
                Work::Go => {}
                Work::Sleep => return Poll::Pending,
                Work::Over => return Poll::Ready(()),
            }
            match this.ws.poll_turn(cx) {
                Poll::Ready(true) => idle = false,
                Poll::Ready(false) => {
                    // Nobody waits while the peer is told, and the stream closed.
                    this.shared.lost();
                    this.lingers = true;
                }
                Poll::Pending => idle = true,
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// `idle`: the stream has nothing to read, and takes nothing or has nothing to take.
    fn work(&mut self, cx: &mut Context<'_>, idle: bool) -> Work {
        let shared = Arc::clone(&self.shared.0);
        let mut guard = shared.state.lock();
        let (state, after) = guard.parts();
        state.bed.get_up();
        let now = now();
        state.core.tell_time(now);
        self.feed(state, after, now);
        if state.core.poll_timeout().is_some_and(|at| now >= at) {
            state.core.handle_timeout(now);
        }
        state.settle(after);
        self.part(state, after, now);
        let grew = self.fill(state, after, now);
        if now >= self.sweep_at || state.wants_sweep() {
            self.sweep_at = now.after(SWEEP_INTERVAL);
            state.sweep();
        }
        if self.close_at.is_some_and(|at| now >= at) {
            return Work::Over;
        }
        if grew || !idle {
            return Work::Go;
        }
        let deadline = [
            state.core.poll_timeout(),
            self.close_at,
            self.orphan_at,
            Some(self.sweep_at),
        ];
        let deadline = deadline.into_iter().flatten().min();
        if self.timer.poll(cx, deadline).is_ready() {
            return Work::Go;
        }
        let blocked = state.core.wants_write();
        state.bed.lie_down(cx.waker(), blocked, after);
        Work::Sleep
    }

    /// Gives the core what the last read brought.
    fn feed(&mut self, state: &mut State, after: &mut After, now: Timestamp) {
        let read = &mut self.ws.receiving.read;
        if read.wants_read() {
            return;
        }
        // A failure of the WebSocket ends them: the next turn tells the peer.
        for message in read.batch().map_while(Result::ok) {
            match receive(&mut state.core, message, now) {
                Arrival::Record(mut incoming) => {
                    while let Some(event) = state.core.next(&mut incoming) {
                        state.apply(event, after);
                    }
                }
                Arrival::Event(event) => state.apply(event, after),
                Arrival::Nothing => {}
            }
        }
    }

    /// Queues records. `true` if there is anything new to write.
    fn fill(&mut self, state: &mut State, after: &mut After, now: Timestamp) -> bool {
        let sending = &mut self.ws.sending;
        let before = sending.write.outbox().queued_bytes();
        let closing = sending.write.outbox().is_closing();
        // Every turn but the last has told an event, or begun to drain.
        loop {
            let wants = state.core.wants_write();
            if wants || state.core.closing().is_some() && !sending.write.outbox().is_closing() {
                fill(&mut state.core, sending.outbox(), now);
            }
            // After the peer's GOAWAY, too: it is ours that sets the deadline.
            let drain = state.drain.filter(|_| !self.drained);
            if let Some(code) = drain {
                self.drained = true;
                state.core.drain(code, "");
            }
            if !state.settle(after) && drain.is_none() {
                break;
            }
        }
        let outbox = sending.write.outbox();
        outbox.queued_bytes() != before || outbox.is_closing() != closing
    }

    /// The ways in which a connection comes to its end.
    fn part(&mut self, state: &mut State, after: &mut After, now: Timestamp) {
        let patience = self.shared.0.settings.close_timeout;
        if state.failure.is_some() {
            self.close_at.get_or_insert(now.after(patience));
            self.orphan_at = None;
            return;
        }
        if !state.orphaned || state.drain.is_some() {
            return;
        }
        if !state.deaf {
            state.refuse_offers(after);
        }
        let at = *self.orphan_at.get_or_insert(now.after(patience));
        if now >= at || state.core.channels().next().is_none() {
            self.orphan_at = None;
            state.drain = Some(Code::NO_ERROR);
        }
    }
}

/// However the driver ends, with its runtime say: everybody is told.
struct Herald(Arc<Shared>);

impl Herald {
    fn lost(&self) {
        let mut guard = self.0.state.lock();
        let (state, after) = guard.parts();
        state.lost(after);
    }
}

impl Drop for Herald {
    fn drop(&mut self) {
        let mut guard = self.0.state.lock();
        let (state, after) = guard.parts();
        state.finish(after);
    }
}
