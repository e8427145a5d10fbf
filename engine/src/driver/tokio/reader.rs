//! The read half of a connection, which also drives the connection.

use std::boxed::Box;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::super::error::Error;
use super::gate::{Gate, SharedWrite, Side, SplitState};
use super::halves::{ReadHalf, WriteHalf};
use super::io::now;
use super::messages::Messages;
use super::receiving::{NEVER, ReadEvent, Receiving};
use super::websocket::Origin;
use crate::agreed::Agreed;
use crate::conn::OwnedMessage;
use crate::session::{End, Stats};
use crate::time::Timestamp;

/// The read half of a [`WebSocket`](crate::WebSocket). It also answers Pings and the peer's Close,
/// and checks the deadlines.
///
/// So one of its receives must be pending for as long as the writer sends. After the reader is
/// dropped before the connection has ended, the writer's sends fail with [`Error::NoReader`]. A
/// task that only sends needs no halves: a whole [`WebSocket`](crate::WebSocket) reads from the
/// peer while it [sends](crate::WebSocket::send).
pub struct Reader<S> {
    pub(super) receiving: Receiving,
    pub(super) io: ReadHalf<S>,
    pub(super) shared: Arc<SplitState<WriteHalf<S>>>,
    /// The write side's deadline when the reader last entered the gate; [`NEVER`] if there was
    /// none. The deadline may have moved later since. When a deadline is set, or the last one
    /// removed, the writer notifies the reader.
    pub(super) write_deadline: Timestamp,
    /// The reader must enter the gate.
    pub(super) must_enter: bool,
    /// Answers to a Ping or Close must be written before the next message is delivered.
    pub(super) answers_due: bool,
    /// The write side had failed when the reader last entered the gate.
    pub(super) write_failed: bool,
    pub(super) _drop_guard: ReaderDropGuard,
    pub(super) origin: Option<Box<Origin>>,
}

/// Converts a deadline that is [`NEVER`] if there is none.
fn some(deadline: Timestamp) -> Option<Timestamp> {
    (deadline != NEVER).then_some(deadline)
}

/// Tells the gate that the reader is dropped, so that the writer's sends fail.
pub(super) struct ReaderDropGuard(pub(super) Arc<Gate>);

impl Drop for ReaderDropGuard {
    fn drop(&mut self) {
        self.0.mark_reader_dropped();
    }
}

impl<S> Reader<S> {
    /// What the opening handshake agreed on.
    #[must_use]
    pub fn agreed(&self) -> &Agreed {
        self.receiving.read.agreed()
    }

    /// The sub-protocol agreed on.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.agreed().subprotocol()
    }

    /// How the connection has ended; `None` while it is open.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.receiving.read.end()
    }

    /// The last round trip measured by a Ping of the keepalive.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.receiving.read.rtt()
    }

    /// Messages and payload bytes received; the counts of sent messages are zero.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.receiving.read.stats()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reader<S> {
    /// As [`WebSocket::recv_batch`](crate::WebSocket::recv_batch), without the outbox: answer
    /// through the [`Writer`](crate::Writer).
    ///
    /// # Errors
    /// As [`WebSocket::recv_batch`](crate::WebSocket::recv_batch).
    pub async fn recv_batch(&mut self) -> Result<Option<Messages<'_>>, Error> {
        if poll_fn(|cx| self.poll_turn(cx)).await {
            return Ok(Some(Messages(self.receiving.read.batch())));
        }
        self.receiving.result().map(|()| None)
    }

    /// As [`WebSocket::recv`](crate::WebSocket::recv).
    ///
    /// # Errors
    /// As [`WebSocket::recv_batch`](crate::WebSocket::recv_batch).
    pub async fn recv(&mut self) -> Result<Option<OwnedMessage>, Error> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    pub(super) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<OwnedMessage>, Error>> {
        // Every turn reads or returns.
        loop {
            if !self.receiving.read.wants_read()
                // The next turn sends the answer to a Ping or Close first.
                && !self.answers_are_due()
                && let Some(Ok(message)) = self.receiving.read.next_owned()
            {
                if self.receiving.read.has_replies() {
                    self.answer_and_write(cx, now(), false);
                }
                return Poll::Ready(Ok(Some(message)));
            }
            match self.poll_turn(cx) {
                Poll::Ready(true) => {}
                Poll::Ready(false) => {
                    return Poll::Ready(self.receiving.result().map(|()| None));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Whether a batch can be delivered. `has_unread`: the batch was read by an earlier call.
    fn poll_deliver(&self, cx: &mut Context<'_>, has_unread: bool) -> Poll<bool> {
        // Answers are written before the messages are delivered.
        if self.answers_due {
            return Poll::Pending; // woken when the writer leaves the gate
        }
        if has_unread {
            ready!(super::io::poll_budget(cx));
        }
        Poll::Ready(true)
    }

    /// As `WebSocket::poll_turn`. The gate is entered only when there is work inside.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.receiving.done {
            return Poll::Ready(false);
        }
        let mut now = now();
        // Deadlines are enforced only after the stream has been read and written.
        let mut late = false;
        let mut notified = false;
        // Bytes left from an earlier read are delivered without polling the stream, so the task's
        // cooperative budget is taken at delivery.
        let has_unread = !self.receiving.read.wants_read();
        // Bounded by the bytes that the stream has ready: tokio's streams take the task's
        // cooperative budget.
        loop {
            let entered = self.answer_and_write(cx, now, late);
            let receiving = &mut self.receiving;
            if !receiving.read.wants_read() {
                return self.poll_deliver(cx, has_unread);
            }
            if receiving.done {
                receiving.detach();
                return Poll::Ready(false);
            }
            let can_read = !receiving.eof;
            if can_read && let Poll::Ready(event) = receiving.poll_read(&mut self.io, cx, &mut now)
            {
                let due = receiving.is_due(some(self.write_deadline), now);
                self.must_enter |=
                    due || matches!(event, ReadEvent::End) || receiving.read.is_done();
                late = due && matches!(event, ReadEvent::Bytes);
                if late {
                    self.answer_and_write(cx, now, true);
                }
                if !self.receiving.read.wants_read() && !self.answers_are_due() {
                    return Poll::Ready(true);
                }
                continue;
            }
            receiving.detach();
            if !entered {
                return Poll::Pending; // woken when the writer leaves the gate
            }
            if can_read && self.write_failed && receiving.read.end().is_none() {
                if !self.end_by_writing(cx) {
                    return Poll::Pending; // woken when the writer leaves the gate
                }
                continue;
            }
            if receiving.read.has_failed() {
                return Poll::Ready(false);
            }
            self.shared.gate.register(Side::Reader, cx.waker());
            if self.shared.gate.is_reader_notified() {
                if notified {
                    // tokio's streams wake a task at once when its budget is spent. The next poll
                    // has a new budget.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                notified = true;
                continue;
            }
            let deadline = receiving.read.poll_timeout(some(self.write_deadline));
            match receiving.timer.poll(cx, deadline) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => (self.must_enter, late) = (true, true),
            }
            now = super::io::now();
        }
    }

    /// Nothing more is received: the connection ends with the failure of the write side. `false` if
    /// the writer is in the gate.
    fn end_by_writing(&mut self, cx: &Context<'_>) -> bool {
        let receiving = &mut self.receiving;
        let ended = self.shared.with(Side::Reader, cx.waker(), |shared| {
            receiving
                .read
                .handle_read_would_block(&mut shared.sending.write);
        });
        self.must_enter = true;
        ended.is_some()
    }

    /// Whether the next message must be answered before it is delivered.
    fn answers_are_due(&mut self) -> bool {
        self.answers_due |= self.receiving.read.look_ahead();
        self.answers_due
    }

    /// Enters the gate if there is work inside: queues answers, writes, closes; with `late`, also
    /// enforces the deadlines. `false` if the writer is in the gate.
    fn answer_and_write(&mut self, cx: &Context<'_>, now: Timestamp, late: bool) -> bool {
        let Self {
            receiving,
            shared,
            write_deadline,
            must_enter,
            answers_due,
            write_failed,
            ..
        } = self;
        *answers_due |= receiving.read.look_ahead();
        if !*must_enter
            && !*answers_due
            && !shared.gate.is_reader_notified()
            && !receiving.read.has_replies()
        {
            return true;
        }
        *must_enter = true;
        let entered = shared.with(Side::Reader, cx.waker(), |SharedWrite { sending, io }| {
            shared.gate.clear_notification();
            let queued = sending.write.outbox().queued_bytes();
            let mut cx = Context::from_waker(&shared.waker);
            receiving.answer_and_write(sending, io, &mut cx, now);
            if late && receiving.is_due(sending.write.deadline(), now) {
                receiving.read.handle_timeout(&mut sending.write, now);
                receiving.answer_and_write(sending, io, &mut cx, now);
            }
            sending.detach_if_idle();
            *answers_due = false;
            *write_failed = sending.write.failure().is_some();
            *write_deadline = sending.write.deadline().unwrap_or(NEVER);
            let closing = sending.write.outbox().is_closing();
            // While the connection closes, every turn must check for the peer's Close and shut down
            // the stream.
            *must_enter = closing;
            closing || queued > 0
        });
        if entered == Some(true) {
            // The writer's message may fit now, or must fail.
            shared.gate.wake_writer();
        }
        entered.is_some()
    }
}

impl<S> fmt::Debug for Reader<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("role", &self.agreed().role())
            .field("end", &self.end())
            .finish_non_exhaustive()
    }
}
