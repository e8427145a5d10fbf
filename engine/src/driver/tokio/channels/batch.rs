use std::fmt;

use super::parked::{self, Form, Parked};
use super::state::Shared;
use crate::session::channels::ChannelId;

/// All messages that waited on a channel, borrowed. Dropping the batch returns their credit to the
/// peer.
pub struct ChannelBatch<'a> {
    parked: Parked,
    id: ChannelId,
    shared: &'a Shared,
}

impl<'a> ChannelBatch<'a> {
    pub(super) fn new(parked: Parked, id: ChannelId, shared: &'a Shared) -> Self {
        Self { parked, id, shared }
    }

    /// Messages, and runs of messages, in the order in which they were sent.
    #[must_use]
    pub fn iter(&self) -> BatchIter<'_> {
        BatchIter(self.parked.iter())
    }
}

/// An item of a [`ChannelBatch`].
#[derive(Clone, Copy, Debug)]
pub enum BatchItem<'b> {
    /// One message.
    Message(BatchMessage<'b>),
    /// Messages of one size that were sent as one run.
    Run(BatchRun<'b>),
}

/// A message of a [`ChannelBatch`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BatchMessage<'b> {
    /// The payload.
    pub data: &'b [u8],
    /// The message's sequence number in the sender's epoch.
    pub seq: u64,
    /// The sender's epoch.
    pub epoch: u64,
    /// Messages between this one and the last one received that the sender has replaced or dropped.
    pub skipped: u64,
}

/// A run of a [`ChannelBatch`]: messages of one size, back to back.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BatchRun<'b> {
    /// The payloads of all messages, back to back.
    pub bytes: &'b [u8],
    /// Length of each message, bytes.
    pub elem: usize,
    /// The sequence number of the first message in the sender's epoch.
    pub seq: u64,
    /// The sender's epoch.
    pub epoch: u64,
    /// As [`BatchMessage::skipped`].
    pub skipped: u64,
}

impl<'b> BatchRun<'b> {
    /// The messages.
    pub fn messages(&self) -> impl ExactSizeIterator<Item = &'b [u8]> + use<'b> {
        self.bytes.chunks_exact(self.elem.max(1))
    }
}

/// See [`ChannelBatch::iter`].
#[derive(Clone, Debug)]
pub struct BatchIter<'b>(parked::Iter<'b>);

impl<'b> Iterator for BatchIter<'b> {
    type Item = BatchItem<'b>;

    #[inline]
    fn next(&mut self) -> Option<BatchItem<'b>> {
        let (entry, bytes) = self.0.next()?;
        let (seq, epoch, skipped) = (entry.seq, entry.epoch, entry.skipped);
        Some(match entry.form {
            Form::Run(elem) => BatchItem::Run(BatchRun {
                bytes,
                elem: elem as usize,
                seq,
                epoch,
                skipped,
            }),
            Form::Copied | Form::Whole => BatchItem::Message(BatchMessage {
                data: bytes,
                seq,
                epoch,
                skipped,
            }),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<'b> IntoIterator for &'b ChannelBatch<'_> {
    type Item = BatchItem<'b>;
    type IntoIter = BatchIter<'b>;

    fn into_iter(self) -> BatchIter<'b> {
        self.iter()
    }
}

impl Drop for ChannelBatch<'_> {
    fn drop(&mut self) {
        let charge = self.parked.clear();
        let mut guard = self.shared.state.lock();
        let (state, after) = guard.parts();
        state.release(self.id, charge, after);
        if let Some(port) = state.port(self.id) {
            port.spare = std::mem::take(&mut self.parked);
        }
    }
}

impl fmt::Debug for ChannelBatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
