//! Replies that the receiving half asks the sending half for. Their number is bounded: a peer that
//! provokes replies and does not read them costs constant memory.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::error::Failure;
use crate::frame::CONTROL_BYTES_MAX;
use crate::frame::close::Body;

/// Largest number of Pongs that are pending. Each Ping of a burst gets its own Pong up to this
/// number. A further Pong replaces the newest pending one; RFC 6455 section 5.5.3 requires only a
/// Pong for the most recent Ping.
const PONGS_PENDING_MAX: usize = 16;

/// Filled by the [`Inbox`](super::Inbox), consumed by the [`Outbox`](super::Outbox).
#[derive(Debug, Default)]
pub(crate) struct Replies {
    /// Allocated for the first reply, and kept until [`Self::release`].
    pending: Option<Box<Pending>>,
}

#[derive(Debug, Default)]
struct Pending {
    /// Payloads of Pings that are not yet answered.
    pings: Payloads,
    /// Payload of the newest Pong that can belong to the keep-alive.
    pong: Option<[u8; 8]>,
    /// Why this endpoint has to send a Close.
    close: Option<CloseCause>,
}

/// Why this endpoint has to send a Close.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CloseCause {
    /// The Close of the peer, to be echoed (RFC 6455 section 5.5.1).
    Echo(Body),
    /// This endpoint fails the connection (RFC 6455 section 7.1.7).
    Fail(Failure),
}

impl Replies {
    /// A Ping was received.
    #[cold]
    pub(crate) fn push_ping(&mut self, data: &[u8]) {
        self.pending.get_or_insert_default().pings.push(data);
    }

    /// A Pong was received whose payload has the length of a keep-alive nonce.
    #[cold]
    pub(crate) fn set_pong(&mut self, payload: [u8; 8]) {
        self.pending.get_or_insert_default().pong = Some(payload);
    }

    /// A Close has to be sent.
    #[cold]
    pub(crate) fn set_close(&mut self, cause: CloseCause) {
        self.pending.get_or_insert_default().close = Some(cause);
    }

    /// Takes the newest Pong.
    pub(crate) fn take_pong(&mut self) -> Option<[u8; 8]> {
        self.pending.as_mut()?.pong.take()
    }

    /// Takes the reason to send a Close.
    pub(crate) fn take_close_cause(&mut self) -> Option<CloseCause> {
        self.pending.as_mut()?.close.take()
    }

    /// Frees the memory if no reply is pending.
    #[inline]
    pub(crate) fn release(&mut self) {
        if self.pending.is_some() && self.is_empty() {
            self.pending = None;
        }
    }

    /// Calls `queue_pong` with the payload of each Ping, and removes the Pings.
    pub(crate) fn drain_pings(&mut self, mut queue_pong: impl FnMut(&[u8])) {
        if let Some(pending) = &mut self.pending {
            pending.pings.iter().for_each(&mut queue_pong);
            pending.pings.clear();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending
            .as_ref()
            .is_none_or(|w| w.pings.is_empty() && w.pong.is_none() && w.close.is_none())
    }
}

/// A queue of at most [`PONGS_PENDING_MAX`] control payloads of at most 125 bytes each.
#[derive(Debug, Default)]
pub(crate) struct Payloads {
    /// For each payload, a byte with its length and then the payload.
    bytes: Vec<u8>,
    /// Number of payloads.
    count: usize,
    /// Offset in `bytes` of the newest payload.
    newest: usize,
}

impl Payloads {
    /// Adds a payload. It replaces the newest one if the queue is full. Payloads are cut at 125
    /// bytes; callers have checked the length.
    pub(crate) fn push(&mut self, data: &[u8]) {
        if self.count == PONGS_PENDING_MAX {
            self.bytes.truncate(self.newest);
            self.count -= 1;
        }
        let data = &data[..data.len().min(CONTROL_BYTES_MAX)];
        self.newest = self.bytes.len();
        self.bytes.push(data.len() as u8);
        self.bytes.extend_from_slice(data);
        self.count += 1;
    }

    /// Removes all payloads except the newest.
    pub(crate) fn keep_newest(&mut self) {
        self.bytes.drain(..self.newest);
        self.newest = 0;
        self.count = self.count.min(1);
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
        self.newest = 0;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.as_slice();
        core::iter::from_fn(move || {
            let (&len, payloads) = rest.split_first()?;
            let (payload, next) = payloads.split_at_checked(usize::from(len))?;
            rest = next;
            Some(payload)
        })
    }
}
