//! The receiving half, which also looks after the connection.

use std::boxed::Box;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::super::error::Error;
use super::gate::{Bell, Cell, Shared, Side};
use super::halves::{ReadHalf, WriteHalf};
use super::io::now;
use super::messages::Messages;
use super::receiving::{Came, NEVER, Receiving};
use super::websocket::Origin;
use crate::agreed::Agreed;
use crate::conn::OwnedMessage;
use crate::session::{End, Stats};
use crate::time::Timestamp;

/// The receiving half of a [`WebSocket`](crate::WebSocket). Answers Pings and Closes, and watches the deadlines.
///
/// That takes a task that receives, for as long as the writer sends. Dropped before the
/// connection has ended, nobody does it any more, and the writer's sends fail with
/// [`Error::NoReader`]. A task that only sends needs no halves: the whole
/// [`WebSocket`](crate::WebSocket) sees to its peer while it [sends](crate::WebSocket::send).
pub struct Reader<S> {
    pub(super) receiving: Receiving,
    pub(super) io: ReadHalf<S>,
    pub(super) shared: Arc<Shared<WriteHalf<S>>>,
    /// The sending half's deadline, as it was when the reader last looked. It may have moved
    /// on since; when it appears, the writer calls.
    /// [`NEVER`] where there is none.
    pub(super) write_deadline: Timestamp,
    /// There is something to do in the cell.
    pub(super) unattended: bool,
    /// Answers are registered that go out before the next message is lent.
    pub(super) answers: bool,
    /// Nothing can be written any more, as the reader has seen when it last looked.
    pub(super) write_failed: bool,
    pub(super) _deserting: Deserting,
    pub(super) origin: Option<Box<Origin>>,
}

/// A deadline that is [`NEVER`] where there is none.
fn some(deadline: Timestamp) -> Option<Timestamp> {
    (deadline != NEVER).then_some(deadline)
}

/// The writer has to know when nobody looks after the connection any more.
pub(super) struct Deserting(pub(super) Arc<Bell>);

impl Drop for Deserting {
    fn drop(&mut self) {
        self.0.desert();
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

    /// How the connection ended, once that is known.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.receiving.read.end()
    }

    /// The last round trip measured by a Ping of the keepalive.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.receiving.read.rtt()
    }

    /// Messages and payload bytes received; what was sent counts as nothing here.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.receiving.read.stats()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reader<S> {
    /// As [`WebSocket::recv_batch`](crate::WebSocket::recv_batch), without the outbox: answers go through the [`Writer`](crate::Writer).
    ///
    /// # Errors
    /// As [`WebSocket::recv_batch`](crate::WebSocket::recv_batch).
    pub async fn recv_batch(&mut self) -> Result<Option<Messages<'_>>, Error> {
        if poll_fn(|cx| self.poll_turn(cx)).await {
            return Ok(Some(Messages(self.receiving.read.batch())));
        }
        self.receiving.outcome().map(|()| None)
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
        // Every turn reads or leaves.
        loop {
            if !self.receiving.read.wants_read()
                // The next turn sends the answer to a Ping or Close first.
                && !self.owes_answers()
                && let Some(Ok(message)) = self.receiving.read.next_owned()
            {
                if self.receiving.read.has_replies() {
                    self.attend(cx, now(), false);
                }
                return Poll::Ready(Ok(Some(message)));
            }
            match self.poll_turn(cx) {
                Poll::Ready(true) => {}
                Poll::Ready(false) => {
                    return Poll::Ready(self.receiving.outcome().map(|()| None));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Whether a batch can be lent: `left` of an earlier read spends the budget of the task.
    fn poll_lend(&self, cx: &mut Context<'_>, left: bool) -> Poll<bool> {
        // Replies to the messages of the batch are written first.
        if self.answers {
            return Poll::Pending; // woken when the writer leaves the cell
        }
        if left {
            ready!(super::io::poll_budget(cx));
        }
        Poll::Ready(true)
    }

    /// As that of a whole connection; the cell is entered only when there is reason to.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.receiving.done {
            return Poll::Ready(false);
        }
        let mut now = now();
        // What is late is judged when the stream has been read and written.
        let mut late = false;
        let mut called = false;
        // What an earlier read has left needs no stream, which would ration the task.
        let left = !self.receiving.read.wants_read();
        // Bounded by what the stream has ready, which tokio rations.
        loop {
            let attended = self.attend(cx, now, late);
            let receiving = &mut self.receiving;
            if !receiving.read.wants_read() {
                return self.poll_lend(cx, left);
            }
            if receiving.done {
                receiving.detach();
                return Poll::Ready(false);
            }
            let reads = !receiving.eof;
            if reads && let Poll::Ready(came) = receiving.poll_read(&mut self.io, cx, &mut now) {
                let due = receiving.is_due(some(self.write_deadline), now);
                self.unattended |= due || matches!(came, Came::End) || receiving.read.is_done();
                late = due && matches!(came, Came::Bytes);
                if late {
                    self.attend(cx, now, true);
                }
                if !self.receiving.read.wants_read() && !self.owes_answers() {
                    return Poll::Ready(true);
                }
                continue;
            }
            receiving.detach();
            if !attended {
                return Poll::Pending; // woken when the writer leaves the cell
            }
            if reads && self.write_failed && receiving.read.end().is_none() {
                if !self.end_by_writing(cx) {
                    return Poll::Pending; // woken when the writer leaves the cell
                }
                continue;
            }
            if receiving.read.has_failed() {
                return Poll::Ready(false);
            }
            self.shared.bell.register(Side::Reader, cx.waker());
            if self.shared.bell.attention() {
                if called {
                    // A stream that wakes who it sends away, as tokio's do whose budget is
                    // spent, gets its way in another poll.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                called = true;
                continue;
            }
            let deadline = receiving.read.poll_timeout(some(self.write_deadline));
            match receiving.timer.poll(cx, deadline) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => (self.unattended, late) = (true, true),
            }
            now = super::io::now();
        }
    }

    /// Nothing more comes: the connection ends by what writing has failed with. `false` if the
    /// writer is in the cell.
    fn end_by_writing(&mut self, cx: &Context<'_>) -> bool {
        let receiving = &mut self.receiving;
        let ended = self.shared.with(Side::Reader, cx.waker(), |cell| {
            receiving
                .read
                .handle_read_would_block(&mut cell.sending.write);
        });
        self.unattended = true;
        ended.is_some()
    }

    /// Whether the next message is to be answered before it is lent.
    fn owes_answers(&mut self) -> bool {
        self.answers |= self.receiving.read.look_ahead();
        self.answers
    }

    /// Does what there is to do in the cell, and is strict about deadlines where it is `late`;
    /// `false` if the writer is in it.
    fn attend(&mut self, cx: &Context<'_>, now: Timestamp, late: bool) -> bool {
        let Self {
            receiving,
            shared,
            write_deadline,
            unattended,
            answers,
            write_failed,
            ..
        } = self;
        *answers |= receiving.read.look_ahead();
        if !*unattended && !*answers && !shared.bell.attention() && !receiving.read.has_replies() {
            return true;
        }
        *unattended = true;
        let looked = shared.with(Side::Reader, cx.waker(), |Cell { sending, io }| {
            shared.bell.heed();
            let queued = sending.write.outbox().queued_bytes();
            let mut cx = Context::from_waker(&shared.waker);
            receiving.attend(sending, io, &mut cx, now);
            if late && receiving.is_due(sending.write.deadline(), now) {
                receiving.read.handle_timeout(&mut sending.write, now);
                receiving.attend(sending, io, &mut cx, now);
            }
            sending.detach_if_idle();
            *answers = false;
            *write_failed = sending.write.failure().is_some();
            *write_deadline = sending.write.deadline().unwrap_or(NEVER);
            let closing = sending.write.outbox().is_closing();
            // The peer's Close, and the closing of the stream, are waited for in here.
            *unattended = closing;
            closing || queued > 0
        });
        if looked == Some(true) {
            // Its message may have room, or be past hope.
            shared.bell.wake_writer();
        }
        looked.is_some()
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
