//! What receiving asks of sending. One slot of each kind: a peer that provokes replies and
//! does not read them costs a constant.

use alloc::boxed::Box;

use crate::error::Failure;
use crate::frame::CONTROL_BYTES_MAX;
use crate::frame::close::Body;

/// Left by the [`Inbox`](super::Inbox) for the [`Outbox`](super::Outbox).
#[derive(Debug, Default)]
pub(crate) struct Replies {
    /// The newest Ping that is not answered. The box stays for the next one.
    ping: Option<Box<Payload>>,
    ping_due: bool,
    /// The newest Pong that could be one of the keepalive's.
    pub(crate) pong: Option<[u8; 8]>,
    pub(crate) closing: Option<Box<Closing>>,
}

/// Why the closing handshake is to go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Closing {
    /// The peer's Close, to be echoed.
    Echo(Body),
    /// We end it.
    Fail(Failure),
}

/// A control payload: `bytes[..len]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payload {
    bytes: [u8; CONTROL_BYTES_MAX],
    len: u8,
}

impl Payload {
    /// Keeps at most 125 bytes of `data`; the callers have compared already.
    pub(crate) fn set(&mut self, data: &[u8]) {
        let len = data.len().min(CONTROL_BYTES_MAX);
        self.bytes[..len].copy_from_slice(&data[..len]);
        self.len = len as u8;
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len as usize]
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self {
            bytes: [0; CONTROL_BYTES_MAX],
            len: 0,
        }
    }
}

impl Replies {
    /// A Ping came: its payload replaces that of an unanswered one (RFC 6455 section 5.5.3).
    pub(crate) fn ping(&mut self, data: &[u8]) {
        self.ping.get_or_insert_default().set(data);
        self.ping_due = true;
    }

    /// The payload to answer with, once.
    pub(crate) fn take_ping(&mut self) -> Option<&[u8]> {
        if !core::mem::take(&mut self.ping_due) {
            return None;
        }
        self.ping.as_ref().map(|p| p.as_slice())
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.ping_due && self.pong.is_none() && self.closing.is_none()
    }
}
