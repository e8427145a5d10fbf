//! The task that owns a connection's WebSocket, and drives the channels over it.
//!
//! ```text
//! work       under the lock: turn received messages into events and park them, run timers, then
//!            queue as many records as the outbox takes
//! poll_turn  without the lock: write, read
//! ```
//!
//! The loop runs until a turn reads nothing and there is nothing to send. Only then it registers
//! its waker, under the lock: a task that makes work for the driver later finds it idle and wakes
//! it. Received messages are parked even if their reader does not read (rule R18); credit bounds
//! them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite};

use super::super::io::now;
use super::super::timer::Timer;
use super::super::websocket::WebSocket;
use super::monitor::AfterUnlock;
use super::state::{Shared, State};
use crate::session::End;
use crate::session::channels::ErrorCode;
use crate::time::Timestamp;

pub(super) struct Driver<S: AsyncRead + AsyncWrite + Unpin> {
    ws: WebSocket<S>,
    timer: Timer,
    /// Once all handles are dropped: the time by which messages of finished halves must be sent.
    no_handle_deadline: Option<Timestamp>,
    /// The WebSocket has ended, and every waiting task knows: only the stream remains to be closed.
    closes_stream: bool,
    sweep_at: Timestamp,
    /// The last field: it is dropped, and reports the end, after the stream is closed.
    shared: EndGuard,
}

/// Time between two sweeps of unused buffers.
const SWEEP_INTERVAL: core::time::Duration = core::time::Duration::from_secs(10);

/// The result of a turn under the lock.
enum Work {
    /// There are bytes to write, or more work to do.
    Turn,
    /// No work: the waker is registered.
    Idle,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    pub(super) fn new(shared: Arc<Shared>, mut ws: WebSocket<S>) -> Self {
        // If reading paused while much is queued, two ends that send each other records of more
        // than half of their queues would both wait for the other to read. The records queued at
        // once are bounded, so memory is, too.
        ws.sending.ignores_backlog = true;
        Self {
            shared: EndGuard(shared),
            ws,
            timer: Timer::default(),
            no_handle_deadline: None,
            closes_stream: false,
            sweep_at: now().after(SWEEP_INTERVAL),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Driver<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut idle = false;
        // Bounded by the bytes that the stream has ready: tokio's streams take the task's
        // cooperative budget.
        loop {
            if this.closes_stream {
                return this.ws.poll_close(cx).map(drop);
            }
            match this.work(cx, idle) {
                Work::Turn => {}
                Work::Idle => return Poll::Pending,
            }
            match this.ws.poll_turn(cx) {
                Poll::Ready(true) => idle = false,
                Poll::Ready(false) => {
                    // Every waiting task gets the end now, before the closing handshake is done.
                    this.shared.lost(this.ws.end());
                    this.closes_stream = true;
                }
                Poll::Pending => idle = true,
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Does one turn under the lock. `idle`: the last `poll_turn` was pending.
    fn work(&mut self, cx: &mut Context<'_>, idle: bool) -> Work {
        let shared = Arc::clone(&self.shared.0);
        let mut guard = shared.state.lock();
        let (state, after) = guard.parts();
        state.driver.start_turn();
        let now = now();
        state.channels_mut().set_time(now);
        self.deliver(state, after, now);
        if state.session.poll_timeout().is_some_and(|at| now >= at) {
            let write = &mut self.ws.sending.write;
            state.session.handle_timeout(write, now);
        }
        state.apply_events(after);
        self.end_if_no_handle(state, after, now);
        let has_bytes = self.queue_records(state, after, now);
        if now >= self.sweep_at || state.wants_sweep() {
            self.sweep_at = now.after(SWEEP_INTERVAL);
            state.sweep();
        }
        if has_bytes || !idle {
            return Work::Turn;
        }
        let deadline = [
            state.session.poll_timeout(),
            self.no_handle_deadline,
            Some(self.sweep_at),
        ];
        let deadline = deadline.into_iter().flatten().min();
        if self.timer.poll(cx, deadline).is_ready() {
            return Work::Turn;
        }
        let blocked = state.session.wants_write();
        state.driver.register(cx.waker(), blocked, after);
        Work::Idle
    }

    /// Turns the messages of the last read into events.
    fn deliver(&mut self, state: &mut State, after: &mut AfterUnlock, now: Timestamp) {
        let read = &mut self.ws.receiving.read;
        if read.wants_read() {
            return;
        }
        // The batch ends at a failure of the WebSocket; the next turn sends the Close.
        for message in read.batch().map_while(Result::ok) {
            let Some(mut record) = state.session.receive(message, now) else {
                continue;
            };
            while let Some(event) = state.session.next(&mut record) {
                state.apply(event, after);
            }
        }
    }

    /// Queues records. `true` if that added bytes to write, or a Close.
    fn queue_records(
        &mut self,
        state: &mut State,
        after: &mut AfterUnlock,
        now: Timestamp,
    ) -> bool {
        let sending = &mut self.ws.sending;
        let before = sending.write.outbox().queued_bytes();
        let closing = sending.write.outbox().is_closing();
        // Every turn but the last applies an event.
        loop {
            if state.session.wants_fill(sending.write.outbox()) {
                state.session.fill(sending.outbox(), now);
            }
            if !state.apply_events(after) {
                break;
            }
        }
        let outbox = sending.write.outbox();
        outbox.queued_bytes() != before || outbox.is_closing() != closing
    }

    /// After all handles are dropped: ends the connection once the messages of finished halves are
    /// sent.
    fn end_if_no_handle(&mut self, state: &mut State, after: &mut AfterUnlock, now: Timestamp) {
        if !state.has_no_handle || state.failure.is_some() || state.channels().is_draining() {
            self.no_handle_deadline = None;
            return;
        }
        if !state.refuses_offers {
            state.refuse_offers(after);
        }
        let limit = self.shared.0.config.close_timeout;
        let until = *self.no_handle_deadline.get_or_insert(now.after(limit));
        if state.channels().ids().next().is_none() {
            self.no_handle_deadline = None;
            state.channels_mut().drain(ErrorCode::NO_ERROR, "");
        } else if now >= until {
            // A drain would grant the remaining channels the same time again.
            self.no_handle_deadline = None;
            state.channels_mut().abort(ErrorCode::NO_ERROR);
            state.apply_events(after);
        }
    }
}

/// A driver that is dropped before the connection has ended, because the runtime shuts down for
/// instance, sends GOAWAY and Close 1001 as far as the stream accepts them at once.
impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Driver<S> {
    fn drop(&mut self) {
        if self.closes_stream || std::thread::panicking() {
            return;
        }
        let shared = Arc::clone(&self.shared.0);
        let mut guard = shared.state.lock();
        let (state, after) = guard.parts();
        state.channels_mut().go_away();
        state.apply_events(after);
        let now = now();
        self.queue_records(state, after, now);
        drop(guard);
        let Self { ws, .. } = self;
        let mut noop = Context::from_waker(Waker::noop());
        // Bytes that the stream does not accept are lost with it.
        let _ = ws.sending.poll_write(&mut ws.io, &mut noop, now);
    }
}

/// Ends all channels however the driver ends, also when the runtime shuts down.
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
