use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;

use super::parked::Taken;
use super::state::Shared;
use crate::payload::BinaryPayload;
use crate::session::channels::{ChannelId, Charge};

/// An owned message, and the credit that it holds: dropping it, on any task, returns the credit to
/// the peer.
pub struct ChannelMessage {
    taken: Taken,
    id: ChannelId,
    /// Keeps the shared state in memory, but not the connection open.
    shared: Arc<Shared>,
}

impl ChannelMessage {
    pub(super) fn new(taken: Taken, id: ChannelId, shared: Arc<Shared>) -> Self {
        Self { taken, id, shared }
    }

    /// The payload. The credit goes back to the peer at once: from here on the caller bounds the
    /// memory.
    #[must_use]
    pub fn into_bytes(mut self) -> Bytes {
        std::mem::take(&mut self.taken.bytes)
    }

    /// The message's sequence number in the sender's epoch.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.taken.seq
    }

    /// The sender's epoch. A new epoch begins where the sender cannot continue its numbering.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.taken.epoch
    }

    /// Messages between this one and the last one received that the sender has replaced or dropped.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.taken.skipped
    }
}

impl Deref for ChannelMessage {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.taken.bytes
    }
}

impl AsRef<[u8]> for ChannelMessage {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl BinaryPayload for ChannelMessage {}

impl From<ChannelMessage> for Bytes {
    /// As [`ChannelMessage::into_bytes`].
    fn from(message: ChannelMessage) -> Self {
        message.into_bytes()
    }
}

impl Drop for ChannelMessage {
    fn drop(&mut self) {
        let charge = self.taken.charge.take();
        if charge == Charge::default() {
            return; // not the last message of its run
        }
        let mut guard = self.shared.state.lock();
        let (state, after) = guard.parts();
        state.release(self.id, charge, after);
    }
}

impl fmt::Debug for ChannelMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelMessage")
            .field("seq", &self.taken.seq)
            .field("skipped", &self.taken.skipped)
            .field("bytes", &self.taken.bytes)
            .finish_non_exhaustive()
    }
}
