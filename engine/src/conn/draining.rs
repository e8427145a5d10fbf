//! The driver side of the outbox: the slices to write, and the bytes written.

use alloc::vec::Vec;

use bytes::Bytes;

use super::outbox::{Outbox, WritePhase};
use super::transmit::Transmit;
use crate::buf::{BufPool, SendBuf};
use crate::error::SendError;
use crate::frame::{Opcode, header};

impl Outbox {
    /// Queues bytes that must be written first and unchanged: the unsent bytes of an earlier owner
    /// of the stream. Control frames are queued behind them, because the frame boundaries in them
    /// are unknown.
    pub(crate) fn prepend_unsent(&mut self, unsent: Bytes) {
        if !unsent.is_empty() {
            self.queue.push_partial_frame(unsent);
        }
    }

    /// An earlier owner of the stream has queued or sent a Close: no frame may follow it.
    pub(crate) fn restore_closing(&mut self) {
        self.phase = WritePhase::Closing;
    }

    /// Sends a binary message directly from the slice of the caller. `write` receives the queued
    /// slices and the new frame, and returns the number of bytes that the socket accepted. Only the
    /// rest is copied. A client must mask and therefore queues a copy.
    pub(crate) fn send_through(
        &mut self,
        payload: &[u8],
        write: impl FnOnce(&mut dyn Iterator<Item = &[u8]>) -> usize,
    ) -> Result<(), SendError> {
        if self.keys.is_some() || self.defers_data() {
            return self.send(payload);
        }
        self.admit_data(payload.len())?;
        let mut head = [0; header::HEADER_BYTES_MAX];
        let size = header::write(
            &mut head,
            Opcode::Binary,
            true,
            header::Rsv::NONE,
            payload.len(),
            None,
        );
        let head = &head[..size];
        self.encode_control();
        let queued = self.queued_bytes();
        let written = write(&mut Transmit::new(self).chain([head, payload]));
        self.handle_written(written.min(queued));
        match written.saturating_sub(queued) {
            0 => self.frame(Opcode::Binary, true, payload),
            of_frame if of_frame < size + payload.len() => {
                let (head, body) = (
                    head.get(of_frame..).unwrap_or_default(),
                    payload
                        .get(of_frame.saturating_sub(size)..)
                        .unwrap_or_default(),
                );
                self.queue.push_partial_frame([head, body].concat().into());
            }
            _ => {}
        }
        self.count_message(payload.len());
        Ok(())
    }

    /// The slices to write next. Report the bytes written to [`Self::handle_written`].
    pub(crate) fn transmit(&mut self) -> Transmit<'_> {
        self.encode_control();
        Transmit::new(self)
    }

    /// The socket accepted the first `n` bytes of [`Self::transmit`]; 0 if the write would block.
    #[inline]
    pub(crate) fn handle_written(&mut self, n: usize) {
        if n > 0 {
            self.consume(n);
        }
        self.blocked = self.wants_write();
        if self.blocked && self.control.is_some() {
            let control = self.control_mut();
            if !control.started {
                control.pongs.keep_newest();
            }
        }
    }

    /// The write would block, but the stream may have buffered the first `n` bytes of the first
    /// slice of [`Self::transmit`]. No frame is inserted before these bytes. Call
    /// [`Self::handle_written`] afterwards.
    pub(crate) fn handle_buffered(&mut self, n: usize) {
        if n <= self.queue.bytes_before_mark() {
            return;
        }
        match &mut self.control {
            Some(control) if control.written < control.bytes.len() => control.start(),
            _ => self
                .queue
                .start_frames(n.min(self.queue.queued()), header::measure),
        }
    }

    #[inline]
    fn consume(&mut self, n: usize) {
        let Some(control) = self.control.as_mut().filter(|c| c.written < c.bytes.len()) else {
            self.queue.consume(n, header::measure);
            return;
        };
        let before = n.min(self.queue.bytes_before_mark());
        let after = n - before;
        let of_control = after.min(control.bytes.len() - control.written);
        control.handle_written(of_control);
        if before > 0 {
            self.queue.consume(before, header::measure);
        }
        if after > of_control {
            self.queue.consume(after - of_control, header::measure);
        }
    }

    pub(crate) fn attach(&mut self, pool: &mut BufPool) {
        self.queue.attach(pool, self.config.send_queue_bytes_max);
    }

    pub(crate) fn detach(&mut self, pool: &mut BufPool) {
        self.queue.detach(pool);
        if !self.control_pending() {
            self.control = None;
        }
    }

    pub(super) fn queue(&self) -> &SendBuf {
        &self.queue
    }

    /// Whether data frames must wait: control frames are partly written, and another one is due
    /// that is encoded after them.
    pub(super) fn defers_data(&self) -> bool {
        self.control
            .as_ref()
            .is_some_and(|c| c.started && c.is_due())
    }

    pub(super) fn control_bytes(&self) -> &[u8] {
        self.control.as_ref().map_or(&[], |c| &c.bytes[c.written..])
    }

    /// All queued bytes in stream order.
    pub(crate) fn into_unsent(mut self) -> Vec<u8> {
        let mut unsent = Vec::new();
        while self.wants_write() {
            let before = unsent.len();
            self.transmit()
                .for_each(|chunk| unsent.extend_from_slice(chunk));
            self.handle_written(unsent.len() - before);
        }
        unsent
    }

    /// Encodes the control frames that are due, unless encoded ones are partly written.
    fn encode_control(&mut self) {
        if let Some(control) = &mut self.control
            && !control.started
            && control.is_due()
        {
            control.encode(|| self.keys.as_mut().map(|k| k.next()));
        }
    }
}
