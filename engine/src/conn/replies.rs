//! What receiving asks of sending. Bounded slots: a peer that provokes replies and does not
//! read them costs a constant.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::error::Failure;
use crate::frame::CONTROL_BYTES_MAX;
use crate::frame::close::Body;

/// Pongs that may wait. A burst of Pings is answered one by one up to this many; a further one
/// replaces the newest that waits (RFC 6455 section 5.5.3 asks for that one only).
const PONGS_PENDING_MAX: usize = 16;

/// Left by the [`Inbox`](super::Inbox) for the [`Outbox`](super::Outbox).
#[derive(Debug, Default)]
pub(crate) struct Replies {
    /// Made with the first of them, and kept until [`Self::release`].
    pending: Option<Box<Pending>>,
}

#[derive(Debug, Default)]
struct Pending {
    /// Payloads of the Pings that are not answered.
    pings: Payloads,
    /// The newest Pong that could be one of the keepalive's.
    pong: Option<[u8; 8]>,
    close: Option<CloseCause>,
}

/// Why the closing handshake is to go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CloseCause {
    /// The peer's Close, to be echoed.
    Echo(Body),
    /// We end it.
    Fail(Failure),
}

impl Replies {
    /// A Ping came.
    #[cold]
    pub(crate) fn push_ping(&mut self, data: &[u8]) {
        self.pending.get_or_insert_default().pings.push(data);
    }

    /// A Pong came that could be one of the keepalive's.
    #[cold]
    pub(crate) fn set_pong(&mut self, payload: [u8; 8]) {
        self.pending.get_or_insert_default().pong = Some(payload);
    }

    /// The closing handshake is to go on.
    #[cold]
    pub(crate) fn set_close(&mut self, cause: CloseCause) {
        self.pending.get_or_insert_default().close = Some(cause);
    }

    /// The newest Pong, once.
    pub(crate) fn take_pong(&mut self) -> Option<[u8; 8]> {
        self.pending.as_mut()?.pong.take()
    }

    /// Why the closing handshake is to go on, once.
    pub(crate) fn take_close_cause(&mut self) -> Option<CloseCause> {
        self.pending.as_mut()?.close.take()
    }

    /// Gives the memory back where nothing waits.
    #[inline]
    pub(crate) fn release(&mut self) {
        if self.pending.is_some() && self.is_empty() {
            self.pending = None;
        }
    }

    /// The Pings to answer, once.
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

/// Control payloads in order, at most [`PONGS_PENDING_MAX`] of at most 125 bytes each.
#[derive(Debug, Default)]
pub(crate) struct Payloads {
    /// A byte of length before each.
    bytes: Vec<u8>,
    count: usize,
    /// Where the newest begins.
    newest: usize,
}

impl Payloads {
    /// Adds a payload, in place of the newest where there are enough. Keeps at most 125 bytes;
    /// the callers have compared already.
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

    /// Forgets all but the newest.
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
