//! The one task of a connection: it owns the WebSocket, and drives the channels over it.
//!
//! ```text
//! work       under the lock: messages received become events and are parked, timers, then as
//!            many records as the outbox takes
//! poll_turn  without it: writes, reads
//! ```
//!
//! It goes round until a turn brings nothing and there is nothing to send, and only then parks its
//! waker, under the lock: whoever makes work for it after that finds it idle and wakes it.
//! What is received is parked whatever its reader does (rule R18); credit bounds how much.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite};

use super::super::io::now;
use super::super::timer::Timer;
use super::super::websocket::WebSocket;
use super::monitor::After;
use super::state::{Shared, State};
use crate::session::End;
use crate::session::channels::ErrorCode;
use crate::time::Timestamp;

pub(super) struct Driver<S: AsyncRead + AsyncWrite + Unpin> {
    ws: WebSocket<S>,
    timer: Timer,
    /// By when what the last handles have finished must be sent, once they are gone.
    abandoned_until: Option<Timestamp>,
    /// The WebSocket has ended, and everybody knows: its stream is still to be closed.
    lingers: bool,
    sweep_at: Timestamp,
    /// The last field: the stream is closed when everybody is told.
    shared: EndGuard,
}

/// How often buffers that a burst has left are looked for.
const SWEEP_INTERVAL: core::time::Duration = core::time::Duration::from_secs(10);

/// What a turn under the lock came to.
enum Work {
    /// There is something to write, or more to do.
    Turn,
    /// Nothing to do: the waker is parked.
    Idle,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    pub(super) fn new(shared: Arc<Shared>, mut ws: WebSocket<S>) -> Self {
        // Or two ends that send each other records of more than half of their queues would both
        // wait to be read. A record beyond those that may wait ahead is the most there is.
        ws.sending.reads_on = true;
        Self {
            shared: EndGuard(shared),
            ws,
            timer: Timer::default(),
            abandoned_until: None,
            lingers: false,
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
                Work::Turn => {}
                Work::Idle => return Poll::Pending,
            }
            match this.ws.poll_turn(cx) {
                Poll::Ready(true) => idle = false,
                Poll::Ready(false) => {
                    // Nobody waits while the peer is told, and the stream closed.
                    this.shared.lost(this.ws.end());
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
        state.driver.start_turn();
        let now = now();
        state.channels_mut().set_time(now);
        self.feed(state, after, now);
        if state.session.poll_timeout().is_some_and(|at| now >= at) {
            let write = &mut self.ws.sending.write;
            state.session.handle_timeout(write, now);
        }
        state.tell_events(after);
        self.end_if_abandoned(state, after, now);
        let grew = self.fill(state, after, now);
        if now >= self.sweep_at || state.wants_sweep() {
            self.sweep_at = now.after(SWEEP_INTERVAL);
            state.sweep();
        }
        if grew || !idle {
            return Work::Turn;
        }
        let deadline = [
            state.session.poll_timeout(),
            self.abandoned_until,
            Some(self.sweep_at),
        ];
        let deadline = deadline.into_iter().flatten().min();
        if self.timer.poll(cx, deadline).is_ready() {
            return Work::Turn;
        }
        let blocked = state.session.wants_write();
        state.driver.park(cx.waker(), blocked, after);
        Work::Idle
    }

    /// Hands over what the last read brought.
    fn feed(&mut self, state: &mut State, after: &mut After, now: Timestamp) {
        let read = &mut self.ws.receiving.read;
        if read.wants_read() {
            return;
        }
        // A failure of the WebSocket ends them: the next turn tells the peer.
        for message in read.batch().map_while(Result::ok) {
            let Some(mut record) = state.session.receive(message, now) else {
                continue;
            };
            while let Some(event) = state.session.next(&mut record) {
                state.apply(event, after);
            }
        }
    }

    /// Queues records. `true` if there is anything new to write.
    fn fill(&mut self, state: &mut State, after: &mut After, now: Timestamp) -> bool {
        let sending = &mut self.ws.sending;
        let before = sending.write.outbox().queued_bytes();
        let closing = sending.write.outbox().is_closing();
        // Every turn but the last has told an event.
        loop {
            if state.session.wants_fill(sending.write.outbox()) {
                state.session.fill(sending.outbox(), now);
            }
            if !state.tell_events(after) {
                break;
            }
        }
        let outbox = sending.write.outbox();
        outbox.queued_bytes() != before || outbox.is_closing() != closing
    }

    /// Where nobody has a handle any more, the connection ends when what was finished is sent.
    fn end_if_abandoned(&mut self, state: &mut State, after: &mut After, now: Timestamp) {
        if !state.abandoned || state.failure.is_some() || state.channels().is_draining() {
            self.abandoned_until = None;
            return;
        }
        if !state.refuses_offers {
            state.refuse_offers(after);
        }
        let patience = self.shared.0.config.close_timeout;
        let until = *self.abandoned_until.get_or_insert(now.after(patience));
        if state.channels().ids().next().is_none() {
            self.abandoned_until = None;
            state.channels_mut().drain(ErrorCode::NO_ERROR, "");
        } else if now >= until {
            // A drain would give those that are left as much time again.
            self.abandoned_until = None;
            state.channels_mut().abort(ErrorCode::NO_ERROR);
            state.tell_events(after);
        }
    }
}

/// A driver that is dropped before the connection has ended, with its runtime say, tells the peer as
/// far as the stream takes it at once: GOAWAY and Close 1001.
impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Driver<S> {
    fn drop(&mut self) {
        if self.lingers || std::thread::panicking() {
            return;
        }
        let shared = Arc::clone(&self.shared.0);
        let mut guard = shared.state.lock();
        let (state, after) = guard.parts();
        state.channels_mut().go_away();
        state.tell_events(after);
        let now = now();
        self.fill(state, after, now);
        drop(guard);
        let Self { ws, .. } = self;
        let mut nobody = Context::from_waker(Waker::noop());
        // What it does not take is lost with the stream.
        let _ = ws.sending.poll_write(&mut ws.io, &mut nobody, now);
    }
}

/// However the driver ends, with its runtime say: everybody is told.
struct EndGuard(Arc<Shared>);

impl EndGuard {
    fn lost(&self, end: Option<End>) {
        let mut guard = self.0.state.lock();
        let (state, after) = guard.parts();
        state.lost(end, after);
    }
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        let mut guard = self.0.state.lock();
        let (state, after) = guard.parts();
        state.finish(after);
    }
}
