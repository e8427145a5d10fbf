//! The receiving half of a session, which also decides how the connection ends.

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

/// Largest number of bytes that are read and dropped after the connection has ended for this
/// endpoint: after a Close, a failure or a refused opening handshake. Unread bytes would turn the
/// end of the stream into a reset, which can destroy the last bytes that this endpoint sent. 16 MiB
/// exceed what two socket buffers and a network hold in flight. A peer that sends more within
/// `close_timeout` ignores the Close, and its connection is closed.
pub const LINGER_BYTES_MAX: u32 = 16 << 20;

/// [`ReadSide::process_control_frames`] drops Pings and Pongs when more than this many bytes are
/// unread: some hundreds of control frames.
pub const UNREAD_CONTROL_BYTES_MAX: usize = 4096;

/// The receiving half of a [`Session`](super::Session), with its deadlines.
#[derive(Debug)]
pub struct ReadSide {
    inbox: Inbox,
    keepalive: Keepalive,
    agreed: Agreed,
    /// Allocated when the connection starts to end, so that open connections pay one pointer.
    ending: Option<Box<EndState>>,
}

/// State of a connection that is ending.
#[derive(Default, Debug)]
struct EndState {
    /// How the connection ended, once it is decided.
    end: Option<End>,
    /// Deadline of the close handshake.
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

    /// Deadline of the close handshake.
    #[inline]
    fn close_at(&self) -> Option<Timestamp> {
        self.ending.as_ref()?.close_at
    }

    /// Sets or clears the deadline of the close handshake.
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

    /// Moves the deadlines of the peer by `pause`, the time in which this endpoint did not read.
    /// The deadlines are not restarted: an endpoint that pauses often would otherwise never detect
    /// a dead peer. For drivers that pause reading; the drivers of this crate call it themselves.
    pub fn extend_deadlines(&mut self, pause: Duration) {
        self.keepalive.extend_deadlines(pause);
    }

    /// As [`Session::handle_eof`](super::Session::handle_eof).
    pub fn handle_eof(&mut self) {
        self.inbox.set_stream_end(false);
        self.apply_stream_end();
    }

    /// As [`Session::handle_read_error`](super::Session::handle_read_error) for this half. Report
    /// the failure to the sending half with [`WriteSide::fail`].
    pub fn handle_read_error(&mut self) {
        self.inbox.set_stream_end(true);
        self.apply_stream_end();
    }

    /// Ends the connection with the stream, once all messages before the end are lent.
    fn apply_stream_end(&mut self) {
        if let Some(failure) = self.inbox.stream_end()
            && self.inbox.wants_read()
        {
            self.inbox.fail(failure);
        }
    }

    /// A read would block, so all bytes that the peer has sent so far are received. If a write has
    /// failed before, the connection ends here with that failure. `true` if it does.
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

    /// Registers the replies to the next Pings and Close. `true`: call [`Self::queue_replies`] and
    /// write before the next message is lent. The replies are then written, as far as the socket
    /// accepts them, before the application sees the frames that they answer.
    ///
    /// A Close is answered when all messages before it are lent; a Ping may be answered earlier.
    #[inline]
    pub fn look_ahead(&mut self) -> bool {
        self.inbox.look_ahead()
    }

    /// For an application that does not receive at the moment: answers the Pings among the received
    /// frames, and a Close that no message precedes. If more than [`UNREAD_CONTROL_BYTES_MAX`]
    /// bytes are unread or the stream has ended, also drops the Pings and Pongs that no message
    /// precedes. Call [`Self::queue_replies`] afterwards.
    pub fn process_control_frames(&mut self) {
        self.inbox.answer_pending();
        let max = if self.inbox.stream_end().is_some() {
            0 // only a data message may delay the end
        } else {
            UNREAD_CONTROL_BYTES_MAX
        };
        self.inbox.drop_control_frames(max);
    }

    /// The received messages.
    #[inline]
    pub fn batch(&mut self) -> Batch<'_> {
        self.inbox.batch()
    }

    /// The next message, owned. `None` if only a read can bring a message ([`Self::wants_read`]),
    /// or if [`Self::look_ahead`] has registered replies that must be sent first.
    pub fn next_owned(&mut self) -> Option<Result<OwnedMessage, Failure>> {
        self.inbox.next_owned()
    }

    /// As [`Session::wants_read`](super::Session::wants_read).
    #[inline]
    #[must_use]
    pub fn wants_read(&self) -> bool {
        self.inbox.wants_read()
    }

    /// Whether receiving is over: no message follows.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.inbox.is_done()
    }

    /// Whether [`Self::queue_replies`] has something to do.
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

    /// Starts the deadline of the close handshake, unless it runs already or the connection is
    /// over.
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

    /// Records the end, unless one is recorded already, and copies it to the sending half. The only
    /// place that sets the end.
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
            // No more bytes are written.
            write.stalled_since = OptionalTimestamp::NONE;
            self.set_close_at(None);
        } else if self.close_at().is_none() {
            self.set_close_at(Some(now.after(self.inbox.config().close_timeout)));
        }
    }

    /// The peer has missed a deadline for sending. Messages received before are still lent, and the
    /// end follows them; the sending half fails at once.
    fn fail_deadline(&mut self, write: &mut WriteSide, failure: Failure, now: Timestamp) {
        if self.inbox.wants_read() {
            self.inbox.stop();
            self.fail(write, failure, now);
        } else if write.end.is_none() {
            write.end = Some(Box::new(End::Failed(failure)));
            write.outbox.fail(failure);
            self.queue_replies(write, now);
        }
    }

    /// As [`Session::poll_timeout`](super::Session::poll_timeout). Pass [`WriteSide::deadline`] as
    /// `write`.
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
                self.set_close_at(None); // no more bytes are written
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
            // Refused only if the connection is already closing.
            Due::Ping(payload) => drop(write.outbox.ping(&payload)),
            Due::Fail(deadline) => self.fail_deadline(write, Failure::Deadline(deadline), now),
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
            // Both Closes are exchanged: the server closes the stream (RFC 6455 section 7.1.1).
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

    /// Whether the connection has failed and all messages before the failure are lent: the driver
    /// reports the failure to the application now. [`Self::shutdown`] returns what is left to do
    /// with the socket.
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

    /// As [`Session::stats`](super::Session::stats) for this half. The counters of sent messages
    /// are 0.
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
