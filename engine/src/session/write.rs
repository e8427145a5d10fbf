//! The sending half of a session.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::{End, Stats};
use crate::buf::BufPool;
use crate::config::Config;
use crate::conn::{Outbox, Transmit};
use crate::error::{Failure, SendError};
use crate::time::{OptionalTimestamp, Timestamp};

/// The sending half of a [`Session`](super::Session).
#[derive(Debug)]
pub struct WriteSide {
    pub(super) outbox: Outbox,
    /// The time since which the socket has accepted no byte of the queued output.
    pub(super) stalled_since: OptionalTimestamp,
    /// The end of the connection as this half knows it: its own failure until the receiving half
    /// has decided.
    pub(super) end: Option<Box<End>>,
}

impl WriteSide {
    /// As [`Session::attach`](super::Session::attach).
    #[inline]
    pub fn attach(&mut self, pool: &mut BufPool) {
        self.outbox.attach(pool);
    }

    /// As [`Session::detach`](super::Session::detach).
    #[inline]
    pub fn detach(&mut self, pool: &mut BufPool) {
        self.outbox.detach(pool);
    }

    /// The limits and deadlines of the connection.
    #[inline]
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        self.outbox.config()
    }

    /// The outbox, to queue messages.
    #[inline]
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// As [`Session::wants_write`](super::Session::wants_write).
    #[inline]
    #[must_use]
    pub fn wants_write(&self) -> bool {
        self.outbox.wants_write()
    }

    /// As [`Session::transmit`](super::Session::transmit).
    #[inline]
    pub fn transmit(&mut self) -> Transmit<'_> {
        self.outbox.transmit()
    }

    /// As [`Session::handle_written`](super::Session::handle_written).
    #[inline]
    pub fn handle_written(&mut self, n: usize, now: Timestamp) {
        self.outbox.handle_written(n);
        self.update_stall(n, now);
    }

    /// As [`Session::handle_buffered`](super::Session::handle_buffered).
    pub fn handle_buffered(&mut self, n: usize) {
        self.outbox.handle_buffered(n);
    }

    /// Sends a binary message directly from `payload`. `write` receives the slices to write, queued
    /// bytes first, and returns the number of bytes written; the rest is copied and queued. For
    /// large messages of a server. A client must mask and therefore copies.
    ///
    /// # Errors
    /// As [`Outbox::send`]; `write` is not called then.
    pub fn send_through(
        &mut self,
        payload: &[u8],
        now: Timestamp,
        write: impl FnOnce(&mut dyn Iterator<Item = &[u8]>) -> usize,
    ) -> Result<(), SendError> {
        let mut written = 0;
        self.outbox.send_through(payload, |slices| {
            written = write(slices);
            written
        })?;
        self.update_stall(written, now);
        Ok(())
    }

    /// The socket accepted `n` bytes. Any progress restarts the write deadline.
    #[inline]
    fn update_stall(&mut self, n: usize, now: Timestamp) {
        if !self.outbox.wants_write() {
            self.stalled_since = OptionalTimestamp::NONE;
        } else if n > 0 || self.stalled_since == OptionalTimestamp::NONE {
            self.stalled_since = now.into();
        }
    }

    /// Whether the queue has drained after a send was refused because it was full: at least half of
    /// the queue is free, and there is space for the refused message (for the smallest of several).
    /// Returns `true` once.
    pub fn take_drained(&mut self) -> bool {
        self.outbox.take_drained()
    }

    /// As [`Session::stats`](super::Session::stats) for this half. The counters of received
    /// messages are 0.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (messages_out, bytes_out) = self.outbox.counts();
        Stats {
            messages_out,
            bytes_out,
            ..Stats::default()
        }
    }

    /// The time by which the socket must have accepted some of the queued bytes. `None` if no write
    /// is stalled.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.stalled_since
            .get()
            .map(|since| since.after(self.outbox.write_timeout()))
    }

    /// Aborts sending because of `failure`, unless the connection has ended before. The connection
    /// ends with this failure when all bytes that the peer sent before are received.
    pub fn fail(&mut self, failure: Failure) {
        self.end
            .get_or_insert_with(|| Box::new(End::Failed(failure)));
        self.outbox.abort();
        self.stalled_since = OptionalTimestamp::NONE;
    }

    /// The failure because of which no message can be sent. `None` while there is none, and after a
    /// close handshake.
    #[inline]
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        match self.end.as_deref() {
            Some(End::Failed(failure)) => Some(*failure),
            _ => None,
        }
    }
}
