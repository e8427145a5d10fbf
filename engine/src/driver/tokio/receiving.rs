//! The receiving half as any task drives it, and the end of the connection, which it sees.

use core::time::Duration;
use std::io;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite};

use super::super::error::Error;
use super::io::{attach_read, detach_read, now, poll_read};
use super::sending::{Sending, again, told};
use super::timer::Timer;
use crate::error::Failure;
use crate::session::{End, ReadSide, Shutdown};
use crate::time::Timestamp;

/// How often a task that only sends looks at what the peer sends, at the latest: a fraction of
/// what peers wait for a Pong, or for the answer to a Close.
pub(super) const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// Reads of one look: what a peer that floods with Pings keeps a send waiting.
const WATCH_READS_MAX: usize = 16;

/// Later than any time.
pub(super) const NEVER: Timestamp = Timestamp(u64::MAX);

/// [`ReadSide`], and what is known of the stream that it is read from. How the connection ended
/// is known by the session alone.
#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) read: ReadSide,
    pub(super) timer: Timer,
    /// What the stream failed with: a copy of [`Sending::error`], for the reader's callers.
    error: Option<io::Error>,
    /// Since when nothing is read because too much waits to be written, or to be received;
    /// [`NEVER`] where that is not so.
    clogged_at: Timestamp,
    /// When a task that sends must look at what the peer sends.
    pub(super) watch_at: Timestamp,
    /// The task that last waited to receive: another one that sends, the owner of a `Sink`, may look
    /// at the stream meanwhile, and must not keep it from being woken.
    waiting: Option<Waker>,
    /// A sender is registered with the stream in its place.
    borrowed: bool,
    /// Nothing more can be read.
    pub(super) eof: bool,
    /// There is nothing left to do but to drop the stream.
    pub(super) done: bool,
    /// A `Stream` has given its last item.
    pub(super) told: bool,
}

/// What a read brought.
pub(super) enum Came {
    /// Bytes; there may be messages.
    Bytes,
    /// The end, or a fault that amounts to it.
    End,
}

impl Receiving {
    pub(super) fn new(read: ReadSide) -> Self {
        Self {
            read,
            timer: Timer::default(),
            error: None,
            clogged_at: NEVER,
            watch_at: now().after(WATCH_INTERVAL),
            waiting: None,
            borrowed: false,
            eof: false,
            done: false,
            told: false,
        }
    }

    /// Answers what comes next, lets what was received act on what is to be sent, writes that, and
    /// goes through with the closing of the stream.
    pub(super) fn attend<W: AsyncWrite + Unpin>(
        &mut self,
        sending: &mut Sending,
        io: &mut W,
        cx: &mut Context<'_>,
        now: Timestamp,
    ) {
        self.read.look_ahead();
        self.read.queue_replies(&mut sending.write, now);
        // What cannot be written is noticed below; what was received is delivered all the same.
        if let Poll::Ready(Err(_)) = sending.poll_write(io, cx, now) {
            // Sets the deadline of the closing.
            self.read.queue_replies(&mut sending.write, now);
        }
        self.share_error(sending);
        match self.read.shutdown(&sending.write) {
            Shutdown::None => {}
            Shutdown::Write => drop(sending.poll_shutdown(io, cx)),
            // Dead through a fault of writing alone: the peer's last messages, perhaps its
            // Close, are still to be read.
            Shutdown::Close if self.read.end().is_none() && !self.eof => {}
            // What was received is delivered first.
            Shutdown::Close if !self.read.wants_read() => {}
            Shutdown::Close => {
                let shut = sending.poll_shutdown(io, cx).is_ready();
                // Without a deadline there is nothing left to wait for.
                let deadline = self.read.poll_timeout(sending.write.deadline());
                self.done = shut || deadline.is_none_or(|at| now >= at);
            }
        }
    }

    /// What the stream has failed with first is told by both halves.
    fn share_error(&mut self, sending: &mut Sending) {
        match (&sending.error, &self.error) {
            (None, None) => {}
            (Some(error), _) => self.error = Some(again(error)),
            (None, Some(error)) => {
                sending.error = Some(again(error));
                sending.write.fail(Failure::Io);
            }
        }
    }

    /// What receiving does for a task that only sends: reads as far as there is room, answers
    /// Pings, and a Close that no message stands before, and watches the deadlines. Nothing is
    /// lent. `true` while nothing more is read because nobody receives. The sender is woken by the
    /// stream only where it `waits`.
    pub(super) fn watch<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        sending: &mut Sending,
        io: &mut S,
        cx: &mut Context<'_>,
        (mut now, waits): (Timestamp, bool),
    ) -> bool {
        let receiver = self.waiting.take();
        let other = receiver.as_ref().filter(|w| !w.will_wake(cx.waker()));
        let mut read_cx = Context::from_waker(match other {
            Some(other) if !waits => other,
            _ => cx.waker(),
        });
        let (mut full, mut reads) = (false, 0);
        while !self.done && !self.eof {
            if reads == WATCH_READS_MAX {
                cx.waker().wake_by_ref(); // for the rest
                break;
            }
            reads += 1;
            attach_read(&mut self.read);
            full = self.read.space().is_empty();
            if full {
                break;
            }
            if self.poll_read(io, &mut read_cx, &mut now).is_pending() {
                self.read.handle_read_would_block(&mut sending.write);
                break;
            }
            self.read.process_control_frames();
            if let Some(other) = other {
                other.wake_by_ref(); // for what has come
            }
        }
        self.borrowed |= waits && other.is_some();
        self.waiting = receiver;
        self.hold(full, now);
        if !full && self.is_due(sending.write.deadline(), now) {
            self.read.handle_timeout(&mut sending.write, now);
        }
        self.attend(sending, io, cx, now);
        self.detach();
        self.attended(now);
        full
    }

    /// A receive waits for the stream.
    pub(super) fn wait(&mut self, waker: &Waker) {
        match &mut self.waiting {
            Some(waiting) => waiting.clone_from(waker),
            None => self.waiting = Some(waker.clone()),
        }
    }

    /// A sender has waited: the receiver registers with the stream again.
    pub(super) fn give_back(&mut self) {
        if core::mem::take(&mut self.borrowed)
            && let Some(waiting) = &self.waiting
        {
            waiting.wake_by_ref();
        }
    }

    /// The peer was looked at: a sender looks again in a while, or when a deadline is due.
    pub(super) fn attended(&mut self, now: Timestamp) {
        let next = now.after(WATCH_INTERVAL);
        let due = self.read.poll_timeout(None).filter(|&at| at > now);
        self.watch_at = due.map_or(next, |at| at.min(next));
    }

    /// Whether reading waits for writing, or for the application. While it does, the peer's silence
    /// is our own doing.
    pub(super) fn hold(&mut self, clogged: bool, now: Timestamp) {
        if clogged {
            self.clogged_at = self.clogged_at.min(now);
        } else if self.clogged_at != NEVER {
            let since = core::mem::replace(&mut self.clogged_at, NEVER);
            self.read.extend_deadlines(now.since(since));
        }
    }

    /// Reads once.
    pub(super) fn poll_read<R: AsyncRead + Unpin>(
        &mut self,
        io: &mut R,
        cx: &mut Context<'_>,
        now: &mut Timestamp,
    ) -> Poll<Came> {
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
            return Poll::Ready(Came::Bytes);
        }
        self.eof = true;
        self.read.handle_eof();
        Poll::Ready(Came::End)
    }

    /// Whether [`ReadSide::handle_timeout`] is due; `write` is the sending half's deadline.
    pub(super) fn is_due(&self, write: Option<Timestamp>, now: Timestamp) -> bool {
        self.read.poll_timeout(write).is_some_and(|at| now >= at)
    }

    /// Before the task sleeps: an idle connection holds no buffer.
    pub(super) fn detach(&mut self) {
        detach_read(&mut self.read);
    }

    /// How it ended, for the caller. The same every time.
    pub(super) fn outcome(&self) -> Result<(), Error> {
        match self.read.end() {
            Some(End::Closed { .. }) => Ok(()),
            Some(End::Failed(failure)) => Err(told(failure, self.error.as_ref())),
            None => Err(Error::Io(io::ErrorKind::NotConnected.into())),
        }
    }
}
