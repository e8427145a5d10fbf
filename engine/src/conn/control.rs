//! The queue of Ping and Pong frames, which overtake queued data.

use alloc::vec::Vec;

use super::replies::Payloads;
use crate::frame::{Opcode, header, mask};

/// At most one Ping, and a bounded number of Pongs.
#[derive(Debug, Default)]
pub(super) struct Control {
    /// Encoded control frames. `bytes[written..]` are not yet written.
    pub(super) bytes: Vec<u8>,
    pub(super) written: usize,
    /// The encoded frames are final, because the stream has some of their bytes or may have.
    pub(super) started: bool,
    /// A Ping is among the encoded frames.
    pub(super) has_ping: bool,
    /// Payloads of the Pongs that are due.
    pub(super) pongs: Payloads,
    /// Payload of the Ping that is due; at most one.
    pub(super) ping: Payloads,
}

impl Control {
    pub(super) fn is_due(&self) -> bool {
        !self.pongs.is_empty() || !self.ping.is_empty()
    }

    /// Encodes the Pongs and then the Ping. Both stay due until [`Self::start`], so that newer ones
    /// can replace them.
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

    /// The stream accepted `n` bytes of the encoded frames.
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

    /// Makes the encoded frames final: they are not encoded again.
    pub(super) fn start(&mut self) {
        if !core::mem::replace(&mut self.started, true) {
            self.pongs.clear();
            self.ping.clear();
        }
    }
}
