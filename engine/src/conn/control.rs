//! The control lane: Ping and Pong, which wait for no data.

use alloc::vec::Vec;

use super::replies::Payloads;
use crate::frame::{Opcode, header, mask};

/// One Ping, and a bounded number of Pongs.
#[derive(Debug, Default)]
pub(super) struct Control {
    /// Encoded control frames on their way; `bytes[written..]` are still to be written.
    pub(super) bytes: Vec<u8>,
    pub(super) written: usize,
    /// They go out as they are encoded: the stream has some of them, or may.
    pub(super) started: bool,
    /// A Ping is among them.
    pub(super) has_ping: bool,
    pub(super) pongs: Payloads,
    /// The newest Ping; one at most.
    pub(super) ping: Payloads,
}

impl Control {
    pub(super) fn is_due(&self) -> bool {
        !self.pongs.is_empty() || !self.ping.is_empty()
    }

    /// Encodes Pongs and Ping, in this order. They stay due until [`Self::start`].
    pub(super) fn encode(&mut self, mut key: impl FnMut() -> Option<[u8; 4]>) {
        let Self {
            bytes, pongs, ping, ..
        } = self;
        self.has_ping = !ping.is_empty();
        bytes.clear();
        let mut frame = |opcode, payload: &[u8]| {
            let key = key();
            let mut head = [0; header::HEADER_BYTES_MAX];
            let size = header::write(
                &mut head,
                opcode,
                true,
                header::Rsv::NONE,
                payload.len(),
                key,
            );
            bytes.extend_from_slice(&head[..size]);
            let at = bytes.len();
            bytes.extend_from_slice(payload);
            mask::apply(&mut bytes[at..], key.unwrap_or_default(), 0);
        };
        pongs
            .iter()
            .for_each(|payload| frame(Opcode::Pong, payload));
        ping.iter().for_each(|payload| frame(Opcode::Ping, payload));
    }

    /// `n` bytes of the encoded frames are written.
    pub(super) fn handle_written(&mut self, n: usize) {
        if n == 0 {
            return;
        }
        self.start();
        self.written += n;
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
            self.started = false;
        }
    }

    /// What is encoded is not encoded again.
    pub(super) fn start(&mut self) {
        if !core::mem::replace(&mut self.started, true) {
            self.pongs.clear();
            self.ping.clear();
        }
    }
}
