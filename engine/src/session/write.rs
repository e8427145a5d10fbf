//! The half that sends.

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
    /// Since when the socket has taken none of what waits.
    pub(super) stalled_since: OptionalTimestamp,
    /// The connection's end as far as this half knows it: its own failure, until the receiving
    /// half has decided.
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

    /// Where messages go.
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

    /// Queues a binary message, writing straight from `payload` what the socket takes of it:
    /// `write` is given the slices to write, what was queued first, and returns how many bytes
    /// went. For large messages on a server; a client has to copy, for it masks.
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

    /// The socket took `n` bytes: the peer has all of its time again, unless it took none.
    #[inline]
    fn update_stall(&mut self, n: usize, now: Timestamp) {
        if !self.outbox.wants_write() {
            self.stalled_since = OptionalTimestamp::NONE;
        } else if n > 0 || self.stalled_since == OptionalTimestamp::NONE {
            self.stalled_since = now.into();
        }
    }

    /// Whether a send was refused for a full queue, and half of the queue is free again with room
    /// for that send (the smallest of them, if there were more). Tells so once.
    pub fn take_drained(&mut self) -> bool {
        self.outbox.take_drained()
    }

    /// As [`Session::stats`](super::Session::stats), of this half: what was received counts as nothing.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (messages_out, bytes_out) = self.outbox.counts();
        Stats {
            messages_out,
            bytes_out,
            ..Stats::default()
        }
    }

    /// When the peer must have taken some of what waits.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.stalled_since
            .get()
            .map(|since| since.after(self.outbox.write_timeout()))
    }

    /// Nothing can be written any more, because of `failure`, unless the connection has ended
    /// before. The connection ends by it when all that the peer had sent has been received.
    pub fn fail(&mut self, failure: Failure) {
        self.end
            .get_or_insert_with(|| Box::new(End::Failed(failure)));
        self.outbox.abort();
        self.stalled_since = OptionalTimestamp::NONE;
    }

    /// Why nothing can be sent; `None` also where the connection was closed.
    #[inline]
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        match self.end.as_deref() {
            Some(End::Failed(failure)) => Some(*failure),
            _ => None,
        }
    }
}
