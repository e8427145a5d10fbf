//! The socket's side of the outbox: what is to be written, and what was.

use alloc::vec::Vec;

use bytes::Bytes;

use super::outbox::{Outbox, WritePhase};
use super::transmit::Transmit;
use crate::buf::{BufPool, SendBuf};
use crate::error::SendError;
use crate::frame::{Opcode, header};

impl Outbox {
    /// Puts bytes in front that must go out as they are: what an earlier owner of the stream
    /// had not written. Control frames wait behind them, for their frames are not known.
    pub(crate) fn prepend_unsent(&mut self, unsent: Bytes) {
        if !unsent.is_empty() {
            self.queue.push_partial_frame(unsent);
        }
    }

    /// An earlier owner of the stream has queued, or sent, our Close: nothing may follow it.
    pub(crate) fn restore_closing(&mut self) {
        self.phase = WritePhase::Closing;
    }

    /// Sends a binary message straight from the caller's slice: `write` gets what is queued and
    /// the new frame as slices and says how many bytes the socket took; only the rest is
    /// copied. A client, which must mask, queues a copy instead.
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

    /// What to write now. Tell [`Self::handle_written`] how much of it was written.
    pub(crate) fn transmit(&mut self) -> Transmit<'_> {
        self.encode_control();
        Transmit::new(self)
    }

    /// The socket took the first `n` bytes of what [`Self::transmit`] gave; none if it would
    /// block.
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

    /// The stream would block, and may have kept the first `n` bytes of the first slice that
    /// [`Self::transmit`] gave: nothing is put before them. [`Self::handle_written`] comes after.
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

    /// Whether data must wait: a control frame is begun, and another one is due that is encoded
    /// when the first is out.
    pub(super) fn defers_data(&self) -> bool {
        self.control
            .as_ref()
            .is_some_and(|c| c.started && c.is_due())
    }

    pub(super) fn control_bytes(&self) -> &[u8] {
        self.control.as_ref().map_or(&[], |c| &c.bytes[c.written..])
    }

    /// What is queued, flattened: the bytes that the peer has not been sent.
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

    /// Encodes what is due, unless control frames are on their way.
    fn encode_control(&mut self) {
        if let Some(control) = &mut self.control
            && !control.started
            && control.is_due()
        {
            control.encode(|| self.keys.as_mut().map(|k| k.next()));
        }
    }
}
