//! The control lane: Ping, Pong and a Close after a failure, which wait for no data.

use alloc::vec::Vec;

use super::replies::Payload;
use crate::frame::close::Body;
use crate::frame::{Opcode, header, mask};

/// At most one frame of each kind.
#[derive(Debug, Default)]
pub(super) struct Control {
    /// Encoded control frames on their way; `bytes[written..]` are still to be written.
    pub(super) bytes: Vec<u8>,
    pub(super) written: usize,
    pub(super) pong: Payload,
    pub(super) pong_due: bool,
    pub(super) ping: Payload,
    pub(super) ping_due: bool,
    /// Close after a failure: it does not wait for data.
    pub(super) close: Option<Body>,
}

impl Control {
    pub(super) fn is_due(&self) -> bool {
        self.pong_due || self.ping_due || self.close.is_some()
    }

    /// Encodes pong, ping and close, in this order. They stay due until their first byte is
    /// written.
    pub(super) fn encode(&mut self, mut key: impl FnMut() -> Option<[u8; 4]>) {
        let Self {
            bytes,
            pong,
            pong_due,
            ping,
            ping_due,
            close,
            ..
        } = self;
        bytes.clear();
        let mut frame = |opcode, payload: &[u8]| {
            let key = key();
            let mut head = [0; header::HEADER_BYTES_MAX];
            let size = header::write(&mut head, opcode, true, payload.len(), key);
            bytes.extend_from_slice(&head[..size]);
            let at = bytes.len();
            bytes.extend_from_slice(payload);
            mask::apply(&mut bytes[at..], key.unwrap_or_default(), 0);
        };
        if *pong_due {
            frame(Opcode::Pong, pong.as_slice());
        }
        if *ping_due {
            frame(Opcode::Ping, ping.as_slice());
        }
        if let Some(close) = close {
            frame(Opcode::Close, close.as_slice());
        }
    }

    /// `n` bytes of the encoded frames are written.
    pub(super) fn handle_written(&mut self, n: usize) {
        if n == 0 {
            return;
        }
        if self.written == 0 {
            self.pong_due = false;
            self.ping_due = false;
            self.close = None;
        }
        self.written += n;
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
        }
    }
}
