//! The receiving half as any task drives it, and the end of the connection, which it sees.

use std::io;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::super::error::Error;
use super::io::{detach_read, now, poll_read};
use super::sending::{Fault, Sending};
use super::timer::Timer;
use crate::error::{Deadline, Failure};
use crate::session::{End, ReadSide, Shutdown};
use crate::time::Timestamp;

/// [`ReadSide`], and what is known of the stream that it is read from.
#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) read: ReadSide,
    pub(super) timer: Timer,
    /// The first fault of the stream, in either direction.
    fault: Option<Fault>,
    /// Since when nothing is read because too much waits to be written.
    clogged_at: Option<Timestamp>,
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
            fault: None,
            clogged_at: None,
            eof: false,
            done: false,
            told: false,
        }
    }

    /// Lets what was received act on what is to be sent, writes that, and goes through with the
    /// closing of the stream.
    pub(super) fn attend<W: AsyncWrite + Unpin>(
        &mut self,
        sending: &mut Sending,
        io: &mut W,
        cx: &mut Context<'_>,
        now: Timestamp,
    ) {
        self.read.settle(&mut sending.write, now);
        // What cannot be written is noticed below; what was received is delivered all the same.
        let _ = sending.poll_write(io, cx, now);
        if let (Some(fault), None) = (&sending.fault, &self.fault) {
            self.fault = Some(fault.again());
            // Sets the deadline of the closing.
            self.read.settle(&mut sending.write, now);
        }
        if let (None, Some(End::Failed(failure))) = (&sending.fault, self.read.end()) {
            let fault = self.fault.as_ref().map(Fault::again);
            sending.fault = Some(fault.unwrap_or(Fault::Failed(failure)));
        }
        match self.read.shutdown(&sending.write) {
            Shutdown::Not => {}
            Shutdown::Half => drop(sending.poll_shutdown(io, cx)),
            // Dead through a fault of writing alone: the peer's last messages, perhaps its
            // Close, are still to be read.
            Shutdown::Full if self.read.end().is_none() && !self.eof => {}
            // What was received is delivered first.
            Shutdown::Full if !self.read.wants_read() => {}
            Shutdown::Full => {
                let shut = sending.poll_shutdown(io, cx).is_ready();
                // Without a deadline there is nothing left to wait for.
                let deadline = self.read.poll_timeout(sending.write.deadline());
                self.done = shut || deadline.is_none_or(|at| now >= at);
            }
        }
    }

    /// Whether reading waits for writing. While it does, the peer's silence is our own doing.
    pub(super) fn hold(&mut self, clogged: bool, now: Timestamp) {
        if clogged {
            self.clogged_at.get_or_insert(now);
        } else if let Some(since) = self.clogged_at.take() {
            self.read.pardon(now.since(since));
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
            self.fault.get_or_insert(Fault::Io(e));
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

    pub(super) fn end(&self) -> Option<End> {
        match (self.read.end(), &self.fault) {
            (None, Some(Fault::Failed(failure))) => Some(End::Failed(*failure)),
            (end, _) => end,
        }
    }

    /// How it ended, for the caller. The same every time.
    pub(super) fn outcome(&self) -> Result<(), Error> {
        use Failure::{Deadline as Missed, Eof};

        match (self.read.end(), &self.fault) {
            (Some(End::Closed { .. }), _) => Ok(()),
            // The fault is the cause.
            (None | Some(End::Failed(Eof | Missed(Deadline::Close))), Some(fault)) => {
                Err(fault.error())
            }
            (Some(End::Failed(failure)), _) => Err(Error::Failed(failure)),
            (None, None) => Err(Error::Io(io::ErrorKind::NotConnected.into())),
        }
    }
}
