//! The read side of a connection, as a whole connection and its halves drive it, and the end of the
//! connection.

use core::time::Duration;
use std::io;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite};

use super::super::error::Error;
use super::io::{attach_read, detach_read, now, poll_read};
use super::sending::{Sending, copy_error, error_of};
use super::timer::Timer;
use crate::error::Failure;
use crate::session::{End, ReadSide, Shutdown};
use crate::time::Timestamp;

/// Longest time between two reads on behalf of a task that only sends: a fraction of the time that
/// peers wait for a Pong, or for the answer to a Close.
pub(super) const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// Reads in one such call: a limit on how long a peer that floods with Pings delays a send.
const WATCH_READS_MAX: usize = 16;

/// Later than any time.
pub(super) const NEVER: Timestamp = Timestamp(u64::MAX);

/// A [`ReadSide`], and the state of the stream that it is read from. Only the session knows how the
/// connection has ended.
#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) read: ReadSide,
    pub(super) timer: Timer,
    /// The first error of the stream: a copy of [`Sending::error`].
    error: Option<io::Error>,
    /// Since when reading is paused, because too many bytes wait to be written or received;
    /// [`NEVER`] if it is not paused.
    paused_since: Timestamp,
    /// When a task that only sends must read from the peer next.
    pub(super) watch_at: Timestamp,
    /// The waker of the task that waits to receive. Another task that sends, the owner of a `Sink`
    /// for instance, may poll the stream meanwhile, and must still wake this one.
    receiver_waker: Option<Waker>,
    /// The stream will wake a sender instead of `receiver_waker`.
    receiver_displaced: bool,
    /// The stream has no more bytes.
    pub(super) eof: bool,
    /// The closing is complete: only the stream remains to be dropped.
    pub(super) done: bool,
    /// The `Stream` has yielded its last item.
    pub(super) stream_ended: bool,
}

/// The result of a read.
pub(super) enum ReadEvent {
    /// Bytes were received.
    Bytes,
    /// The stream has ended, or failed.
    End,
}

impl Receiving {
    pub(super) fn new(read: ReadSide) -> Self {
        Self {
            read,
            timer: Timer::default(),
            error: None,
            paused_since: NEVER,
            watch_at: now().after(WATCH_INTERVAL),
            receiver_waker: None,
            receiver_displaced: false,
            eof: false,
            done: false,
            stream_ended: false,
        }
    }

    /// Queues the answers to the control frames received, writes, and shuts down the stream if the
    /// connection is closing.
    pub(super) fn answer_and_write<W: AsyncWrite + Unpin>(
        &mut self,
        sending: &mut Sending,
        io: &mut W,
        cx: &mut Context<'_>,
        now: Timestamp,
    ) {
        self.read.look_ahead();
        self.read.queue_replies(&mut sending.write, now);
        // A write error is handled below; messages received before it are still delivered.
        if let Poll::Ready(Err(_)) = sending.poll_write(io, cx, now) {
            // Sets the deadline for closing.
            self.read.queue_replies(&mut sending.write, now);
        }
        self.share_error(sending);
        match self.read.shutdown(&sending.write) {
            Shutdown::None => {}
            Shutdown::Write => drop(sending.poll_shutdown(io, cx)),
            // Only writing has failed: the peer's last messages, perhaps its Close, are still to be
            // read.
            Shutdown::Close if self.read.end().is_none() && !self.eof => {}
            // Messages received are delivered first.
            Shutdown::Close if !self.read.wants_read() => {}
            Shutdown::Close => {
                let shut = sending.poll_shutdown(io, cx).is_ready();
                // Without a deadline there is no event to wait for.
                let deadline = self.read.poll_timeout(sending.write.deadline());
                self.done = shut || deadline.is_none_or(|at| now >= at);
            }
        }
    }

    /// Copies the first error of the stream to the other side.
    fn share_error(&mut self, sending: &mut Sending) {
        match (&sending.error, &self.error) {
            (None, None) => {}
            (Some(error), _) => self.error = Some(copy_error(error)),
            (None, Some(error)) => {
                sending.error = Some(copy_error(error));
                sending.write.fail(Failure::Io);
            }
        }
    }

    /// Reads on behalf of a task that only sends, as far as the buffer has room; answers Pings, and
    /// a Close that no message comes before; checks the deadlines. No message is delivered. `true`
    /// if the buffer is full, because no task receives. The stream wakes the sender only if the
    /// sender `waits`.
    pub(super) fn watch<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        sending: &mut Sending,
        io: &mut S,
        cx: &mut Context<'_>,
        (mut now, waits): (Timestamp, bool),
    ) -> bool {
        let receiver = self.receiver_waker.take();
        let other = receiver.as_ref().filter(|w| !w.will_wake(cx.waker()));
        let mut read_cx = Context::from_waker(match other {
            Some(other) if !waits => other,
            _ => cx.waker(),
        });
        let (mut buffer_full, mut reads) = (false, 0);
        while !self.done && !self.eof {
            if reads == WATCH_READS_MAX {
                cx.waker().wake_by_ref(); // there is more to read
                break;
            }
            reads += 1;
            attach_read(&mut self.read);
            buffer_full = self.read.space().is_empty();
            if buffer_full {
                break;
            }
            if self.poll_read(io, &mut read_cx, &mut now).is_pending() {
                self.read.handle_read_would_block(&mut sending.write);
                break;
            }
            self.read.process_control_frames();
            if let Some(other) = other {
                other.wake_by_ref(); // bytes have arrived
            }
        }
        self.receiver_displaced |= waits && other.is_some();
        self.receiver_waker = receiver;
        self.set_paused(buffer_full, now);
        if !buffer_full && self.is_due(sending.write.deadline(), now) {
            self.read.handle_timeout(&mut sending.write, now);
        }
        self.answer_and_write(sending, io, cx, now);
        self.detach();
        self.schedule_watch(now);
        buffer_full
    }

    /// Keeps the waker of a task that waits to receive.
    pub(super) fn register_receiver(&mut self, waker: &Waker) {
        match &mut self.receiver_waker {
            Some(kept) => kept.clone_from(waker),
            None => self.receiver_waker = Some(waker.clone()),
        }
    }

    /// Wakes the receiving task after a sender was registered with the stream in its place, so that
    /// it registers again.
    pub(super) fn wake_receiver(&mut self) {
        if core::mem::take(&mut self.receiver_displaced)
            && let Some(waker) = &self.receiver_waker
        {
            waker.wake_by_ref();
        }
    }

    /// Sets the time of the next read on behalf of a sender: after the interval, or when a deadline
    /// is due.
    pub(super) fn schedule_watch(&mut self, now: Timestamp) {
        let next = now.after(WATCH_INTERVAL);
        let due = self.read.poll_timeout(None).filter(|&at| at > now);
        self.watch_at = due.map_or(next, |at| at.min(next));
    }

    /// Records whether reading is paused, by the send queue or by the application. The peer's
    /// deadlines are extended by the length of the pause.
    pub(super) fn set_paused(&mut self, paused: bool, now: Timestamp) {
        if paused {
            self.paused_since = self.paused_since.min(now);
        } else if self.paused_since != NEVER {
            let since = core::mem::replace(&mut self.paused_since, NEVER);
            self.read.extend_deadlines(now.since(since));
        }
    }

    /// Reads once.
    pub(super) fn poll_read<R: AsyncRead + Unpin>(
        &mut self,
        io: &mut R,
        cx: &mut Context<'_>,
        now: &mut Timestamp,
    ) -> Poll<ReadEvent> {
        let read = match poll_read(&mut self.read, io, cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(read) => read,
        };
        *now = self::now();
        let n = read.unwrap_or_else(|e| {
            self.error.get_or_insert(e);
            self.read.handle_read_error();
            0
        });
        if n > 0 {
            self.read.handle_read(n, *now);
            return Poll::Ready(ReadEvent::Bytes);
        }
        self.eof = true;
        self.read.handle_eof();
        Poll::Ready(ReadEvent::End)
    }

    /// Whether [`ReadSide::handle_timeout`] is due; `write` is the write side's deadline.
    pub(super) fn is_due(&self, write: Option<Timestamp>, now: Timestamp) -> bool {
        self.read.poll_timeout(write).is_some_and(|at| now >= at)
    }

    /// Returns an empty buffer to the pool, before the task returns pending: an idle connection
    /// holds no buffer.
    pub(super) fn detach(&mut self) {
        detach_read(&mut self.read);
    }

    /// How the connection has ended, for the caller. The same at every call.
    pub(super) fn result(&self) -> Result<(), Error> {
        match self.read.end() {
            Some(End::Closed { .. }) => Ok(()),
            Some(End::Failed(failure)) => Err(error_of(failure, self.error.as_ref())),
            None => Err(Error::Io(io::ErrorKind::NotConnected.into())),
        }
    }
}
