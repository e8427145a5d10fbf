//! The half that receives, and decides how the connection ends.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::{End, Shutdown, Stats, WriteSide};
use crate::agreed::Agreed;
use crate::buf::BufPool;
use crate::conn::{Batch, CloseCause, Due, Inbox, Keepalive, OutputStatus, OwnedMessage};
use crate::error::{Deadline, Failure};
use crate::role::Role;
use crate::time::{OptionalTimestamp, Timestamp};

/// Bytes of a peer that are read and dropped behind our last words to it: behind a Close or a
/// failure, or behind an opening handshake that was refused. Unread, they would make a reset of
/// the stream's end, which can destroy those words at the peer. 16 MiB: more than the buffers of
/// two sockets and a network hold when the peer is told. A peer that sends more than that, within
/// `close_timeout`, does not listen, and is closed.
pub const LINGER_BYTES_MAX: u32 = 16 << 20;

/// Bytes that may wait unreceived before [`ReadSide::process_control_frames`] drops Pings and Pongs: some
/// hundreds of them.
pub const UNREAD_CONTROL_BYTES_MAX: usize = 4096;

/// The receiving half of a [`Session`](super::Session), with the clocks.
#[derive(Debug)]
pub struct ReadSide {
    inbox: Inbox,
    keepalive: Keepalive,
    agreed: Agreed,
    /// Made when the connection begins to end: most are open and hold none.
    ending: Option<Box<EndState>>,
}

/// How far the end of a connection is.
#[derive(Default, Debug)]
struct EndState {
    end: Option<End>,
    /// When the closing handshake must be over.
    close_at: Option<Timestamp>,
}

impl ReadSide {
    pub(super) fn new(agreed: Agreed, inbox: Inbox, keepalive: Keepalive) -> Self {
        Self {
            inbox,
            keepalive,
            agreed,
            ending: None,
        }
    }

    /// When the closing handshake must be over.
    #[inline]
    fn close_at(&self) -> Option<Timestamp> {
        self.ending.as_ref()?.close_at
    }

    /// The closing handshake is over, or its time begins.
    fn set_close_at(&mut self, at: Option<Timestamp>) {
        if at.is_some() || self.ending.is_some() {
            self.ending.get_or_insert_default().close_at = at;
        }
    }

    /// As [`Session::attach`](super::Session::attach).
    #[inline]
    pub fn attach(&mut self, pool: &mut BufPool) {
        self.inbox.attach(pool);
    }

    /// As [`Session::detach`](super::Session::detach).
    #[inline]
    pub fn detach(&mut self, pool: &mut BufPool) {
        self.inbox.detach(pool);
    }

    /// As [`Session::space`](super::Session::space).
    #[inline]
    pub fn space(&mut self) -> &mut [u8] {
        self.inbox.space()
    }

    /// As [`Session::handle_read`](super::Session::handle_read).
    #[inline]
    pub fn handle_read(&mut self, n: usize, now: Timestamp) {
        self.inbox.filled(n);
        self.keepalive.handle_read(now);
    }

    /// We read again, after having left it for `silence`: the peer's deadlines are moved out by
    /// as much. Not set anew, or who stops often would never find a dead peer. For drivers that
    /// stop reading; those of this crate do it by themselves.
    pub fn extend_deadlines(&mut self, silence: Duration) {
        self.keepalive.extend_deadlines(silence);
    }

    /// As [`Session::handle_eof`](super::Session::handle_eof).
    pub fn handle_eof(&mut self) {
        self.inbox.set_stream_end(false);
        self.apply_stream_end();
    }

    /// As [`Session::handle_read_error`](super::Session::handle_read_error), of this half; the other one is told by
    /// [`WriteSide::fail`].
    pub fn handle_read_error(&mut self) {
        self.inbox.set_stream_end(true);
        self.apply_stream_end();
    }

    /// The stream's end is the connection's, when what came before has been lent.
    fn apply_stream_end(&mut self) {
        if let Some(failure) = self.inbox.stream_end()
            && self.inbox.wants_read()
        {
            self.inbox.fail(failure);
        }
    }

    /// A read would block: all that the peer has sent so far was received. A connection that
    /// cannot be written to any more ends here, by what writing failed with. `true` if so.
    pub fn handle_read_would_block(&mut self, write: &mut WriteSide) -> bool {
        let Some(failure) = write.failure() else {
            return false;
        };
        let ends = self.end().is_none() && self.inbox.wants_read();
        if ends {
            self.inbox.stop();
            self.set_end(write, End::Failed(failure));
            self.set_close_at(None);
        }
        ends
    }

    /// Registers the answers to the Pings and the Close that come next. `true`: call
    /// [`Self::queue_replies`] and write before the next message is lent, and the answers are out, as far
    /// as the socket takes them, when the application sees what they answer.
    ///
    /// A Close is answered when all messages before it have been lent, a Ping perhaps earlier.
    #[inline]
    pub fn look_ahead(&mut self) -> bool {
        self.inbox.look_ahead()
    }

    /// For an application that does not receive for now: answers the Pings among what was
    /// received, and a Close that no message stands before. Where more than
    /// [`UNREAD_CONTROL_BYTES_MAX`] wait, or the stream has ended, the Pings and Pongs that no
    /// message stands before are dropped. Call [`Self::queue_replies`] behind it.
    pub fn process_control_frames(&mut self) {
        self.inbox.answer_pending();
        let max = if self.inbox.stream_end().is_some() {
            0 // nothing but a message keeps the end from being seen
        } else {
            UNREAD_CONTROL_BYTES_MAX
        };
        self.inbox.drop_control_frames(max);
    }

    /// The messages received.
    #[inline]
    pub fn batch(&mut self) -> Batch<'_> {
        self.inbox.batch()
    }

    /// The next message, owned. `None` when only a read helps, as [`Self::wants_read`] says then; or
    /// when [`Self::look_ahead`] has registered answers that are to be sent first.
    pub fn next_owned(&mut self) -> Option<Result<OwnedMessage, Failure>> {
        self.inbox.next_owned()
    }

    /// As [`Session::wants_read`](super::Session::wants_read).
    #[inline]
    #[must_use]
    pub fn wants_read(&self) -> bool {
        self.inbox.wants_read()
    }

    /// Whether no message can come any more.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.inbox.is_done()
    }

    /// Whether [`Self::queue_replies`] has anything to do.
    #[inline]
    #[must_use]
    pub fn has_replies(&mut self) -> bool {
        self.inbox.stream_end().is_some() || !self.inbox.replies().is_empty()
    }

    /// As [`Session::queue_replies`](super::Session::queue_replies).
    #[inline]
    pub fn queue_replies(&mut self, write: &mut WriteSide, now: Timestamp) {
        self.apply_stream_end();
        if !self.inbox.replies().is_empty() {
            self.apply_replies(write, now);
        }
        if write.outbox.is_closing() {
            self.start_close_timeout(write, now);
        }
    }

    /// The time of a closing handshake begins where it has not begun, unless all is over.
    fn start_close_timeout(&mut self, write: &WriteSide, now: Timestamp) {
        let over = write.outbox.is_aborted() && self.end().is_some();
        if self.close_at().is_none() && !over {
            self.set_close_at(Some(now.after(self.inbox.config().close_timeout)));
        }
    }

    #[cold]
    fn apply_replies(&mut self, write: &mut WriteSide, now: Timestamp) {
        let replies = self.inbox.replies();
        replies.drain_pings(|ping| write.outbox.queue_pong(ping));
        if let Some(pong) = replies.take_pong() {
            self.keepalive.handle_pong(pong, now);
        }
        match replies.take_close_cause() {
            Some(CloseCause::Echo(body)) => {
                let by_peer = !write.outbox.has_queued_close();
                let code = body.code();
                self.set_end(write, End::Closed { code, by_peer });
                write.outbox.close_with(&body);
            }
            Some(CloseCause::Fail(failure)) => self.fail(write, failure, now),
            None => {}
        }
    }

    /// The only place where the end is set: the first is kept, and the sending half knows it.
    fn set_end(&mut self, write: &mut WriteSide, end: End) {
        let ending = self.ending.get_or_insert_default();
        write.end = Some(Box::new(*ending.end.get_or_insert(end)));
    }

    pub(super) fn restore_end(&mut self, write: &mut WriteSide, end: End) {
        match end {
            End::Closed { .. } => self.inbox.close(),
            End::Failed(_) => self.inbox.stop(),
        }
        self.set_end(write, end);
        match end {
            End::Failed(failure) if failure.close_code().is_none() => write.outbox.abort(),
            _ => write.outbox.restore_closing(),
        }
    }

    fn fail(&mut self, write: &mut WriteSide, failure: Failure, now: Timestamp) {
        let first = write.failure().unwrap_or(failure);
        self.set_end(write, End::Failed(first));
        write.outbox.fail(failure);
        if write.outbox.is_aborted() {
            // Nothing is left to wait for.
            write.stalled_since = OptionalTimestamp::NONE;
            self.set_close_at(None);
        } else if self.close_at().is_none() {
            self.set_close_at(Some(now.after(self.inbox.config().close_timeout)));
        }
    }

    /// Nothing was heard of the peer in time. What it had sent before is lent all the same, and the
    /// end comes behind that; the sending half is told at once.
    fn fail_idle_peer(&mut self, write: &mut WriteSide, failure: Failure, now: Timestamp) {
        if self.inbox.wants_read() {
            self.inbox.stop();
            self.fail(write, failure, now);
        } else if write.end.is_none() {
            write.end = Some(Box::new(End::Failed(failure)));
            write.outbox.fail(failure);
            self.queue_replies(write, now);
        }
    }

    /// As [`Session::poll_timeout`](super::Session::poll_timeout); `write` is [`WriteSide::deadline`].
    #[must_use]
    pub fn poll_timeout(&self, write: Option<Timestamp>) -> Option<Timestamp> {
        let read = match self.close_at() {
            None if self.end().is_some() => None,
            None => self.keepalive.poll_timeout(self.inbox.config()),
            close_at => close_at,
        };
        [read, write].into_iter().flatten().min()
    }

    /// As [`Session::handle_timeout`](super::Session::handle_timeout).
    pub fn handle_timeout(&mut self, write: &mut WriteSide, now: Timestamp) {
        if write.deadline().is_some_and(|at| now >= at) {
            write.fail(Failure::Deadline(Deadline::Write));
            self.handle_read_would_block(write);
            if self.end().is_some() {
                self.set_close_at(None); // nothing is left to wait for
            }
            return;
        }
        if let Some(at) = self.close_at() {
            if now >= at {
                self.fail(write, Failure::Deadline(Deadline::Close), now);
            }
            return;
        }
        if self.end().is_some() {
            return;
        }
        let output = OutputStatus {
            pending: write.wants_write(),
            ping_pending: write.outbox.ping_pending(),
        };
        match self
            .keepalive
            .handle_timeout(self.inbox.config(), output, now)
        {
            Due::Nothing => {}
            // Refused only when the connection is closing already.
            Due::Ping(payload) => drop(write.outbox.ping(&payload)),
            Due::Fail(deadline) => self.fail_idle_peer(write, Failure::Deadline(deadline), now),
        }
    }

    /// As [`Session::shutdown`](super::Session::shutdown).
    #[must_use]
    pub fn shutdown(&self, write: &WriteSide) -> Shutdown {
        if write.outbox.is_aborted() || self.inbox.dropped_bytes() > LINGER_BYTES_MAX {
            return Shutdown::Close;
        }
        if write.wants_write() || !write.outbox.is_closing() {
            return Shutdown::None;
        }
        match (self.inbox.is_closed(), self.inbox.is_done()) {
            _ if self.inbox.stream_end().is_some() => Shutdown::Close,
            // Both Closes are exchanged: the server ends the stream (RFC 6455 section 7.1.1).
            (true, _) if self.agreed.role() == Role::Server => Shutdown::Close,
            (false, true) => Shutdown::Write,
            _ => Shutdown::None,
        }
    }

    /// As [`Session::end`](super::Session::end).
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.ending.as_ref()?.end
    }

    /// Whether the connection has failed, and all messages that came before have been lent: the
    /// application is told now. [`Self::shutdown`] says what is still to be done with the socket.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        matches!(self.end(), Some(End::Failed(_))) && self.inbox.wants_read()
    }

    /// As [`Session::agreed`](super::Session::agreed).
    #[must_use]
    pub fn agreed(&self) -> &Agreed {
        &self.agreed
    }

    pub(super) fn into_unread(self) -> Vec<u8> {
        self.inbox.into_unread()
    }

    /// As [`Session::rtt`](super::Session::rtt).
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.keepalive.rtt()
    }

    /// As [`Session::stats`](super::Session::stats), of this half: what was sent counts as nothing.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (messages_in, bytes_in) = self.inbox.counts();
        Stats {
            messages_in,
            bytes_in,
            ..Stats::default()
        }
    }
}
