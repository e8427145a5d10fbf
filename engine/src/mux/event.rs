//! The events that the application receives.

use core::ops::Deref;

use bytes::Bytes;

use super::channel::ChannelId;
use super::credit::Charge;
use super::error::{ChannelFailure, ErrorCode};
use super::open::{Mode, Resume, Unit};
use super::wire::Direction;
use crate::payload::BinaryPayload;

pub use super::open::Resumption;

/// An event of the connection or of one channel. Payloads are borrowed from the record.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'r> {
    /// The peer's HELLO was received: its limits are known.
    Ready,
    /// The peer opens a channel: answer with [`accept`](super::Mux::accept) or
    /// [`reject`](super::Mux::reject), now or later. Messages may arrive before the answer.
    Open(Opening<'r>),
    /// The peer accepts a channel that this end opened.
    Accepted {
        /// The channel.
        channel: ChannelId,
        /// Metadata of the accepting application.
        metadata: &'r [u8],
        /// Where the peer's messages continue, if the channel asked to resume.
        resumption: Option<Resumption>,
        /// The number of the first message that the peer wants from this end, if the peer named
        /// one.
        wants: Option<u64>,
    },
    /// The peer rejects a channel that this end opened, or has no alias left for one that this end
    /// accepted. No further event of this channel follows.
    Rejected {
        /// The channel.
        channel: ChannelId,
        /// Why.
        code: ErrorCode,
        /// The peer did not process the OPEN: it is safe to open the channel on another connection.
        unprocessed: bool,
        /// The reason, as metadata of the peer's application.
        metadata: &'r [u8],
    },
    /// A message.
    Message(Received<'r>),
    /// Several messages of one size.
    Run(Run<'r>),
    /// The peer restarts the numbering of its messages.
    Rebased {
        /// The channel.
        channel: ChannelId,
        /// The epoch of the following messages.
        epoch: u64,
        /// The number of the next message.
        next_seq: u64,
    },
    /// The peer acknowledges all messages below this number: they need not be kept for a
    /// resumption.
    Acked {
        /// The channel.
        channel: ChannelId,
        /// The number of the first message that is not acknowledged; at most the number of the next
        /// message to be sent.
        seq: u64,
    },
    /// The peer finished its half: all its messages were received.
    Finished {
        /// The channel.
        channel: ChannelId,
    },
    /// The peer aborted its half: messages may be missing.
    Aborted {
        /// The channel.
        channel: ChannelId,
        /// Why.
        code: ErrorCode,
    },
    /// The peer asked this end to stop sending. Queued messages are dropped.
    Stopped {
        /// The channel.
        channel: ChannelId,
        /// Why.
        code: ErrorCode,
    },
    /// This end stopped receiving on the channel, because a message was not complete within
    /// `partial_timeout`. Drop what is kept of that message, and release its credit.
    Evicted {
        /// The channel.
        channel: ChannelId,
        /// [`ErrorCode::TIMEOUT`].
        code: ErrorCode,
    },
    /// The peer accepts no new channels. Open channels continue.
    Draining {
        /// Why.
        code: ErrorCode,
        /// The reason as text, for a log.
        reason: &'r str,
    },
    /// The connection and all its channels have ended. This is the last event.
    Failed(ChannelFailure),
}

impl Event<'_> {
    /// The channel of the event; `None` for events of the connection.
    #[must_use]
    pub fn channel(&self) -> Option<ChannelId> {
        match *self {
            Self::Open(Opening { channel, .. })
            | Self::Accepted { channel, .. }
            | Self::Rejected { channel, .. }
            | Self::Message(Received { channel, .. })
            | Self::Run(Run { channel, .. })
            | Self::Rebased { channel, .. }
            | Self::Acked { channel, .. }
            | Self::Finished { channel }
            | Self::Aborted { channel, .. }
            | Self::Stopped { channel, .. }
            | Self::Evicted { channel, .. } => Some(channel),
            Self::Ready | Self::Draining { .. } | Self::Failed(_) => None,
        }
    }
}

/// A request of the peer to open a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Opening<'r> {
    /// The id to answer and to send with.
    pub channel: ChannelId,
    /// The topic: what the channel is for.
    pub topic: &'r [u8],
    /// Metadata of the opening application.
    pub metadata: &'r [u8],
    /// 0, the highest, to 7.
    pub priority: u8,
    /// Which ends send.
    pub direction: Direction,
    /// How a sender treats messages that cannot be sent yet.
    pub mode: Mode,
    /// The unit of the channel's credit.
    pub unit: Unit,
    /// The opener records message numbers and can resume from one.
    pub resumable: bool,
    /// Where the opener wants to resume.
    pub resume: Option<Resume>,
}

/// The payload of a message.
#[derive(Clone, Debug)]
pub enum Data<'r> {
    /// A slice of the receive buffer.
    Lent(&'r [u8]),
    /// Assembled from several fragments.
    Assembled(Bytes),
}

impl Data<'_> {
    /// Converts to owned bytes; copies a lent payload.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Lent(bytes) => Bytes::copy_from_slice(bytes),
            Self::Assembled(bytes) => bytes,
        }
    }
}

impl Deref for Data<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Assembled(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Data<'_> {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl BinaryPayload for Data<'_> {}

/// A received message.
#[derive(Debug)]
pub struct Received<'r> {
    /// The channel.
    pub channel: ChannelId,
    /// The payload.
    pub data: Data<'r>,
    /// The message's number in the sender's epoch.
    pub seq: u64,
    /// Messages that the sender replaced or dropped between the previous received message and this
    /// one.
    pub skipped: u64,
    /// The credit that the message holds until it is released.
    pub charge: Charge,
}

/// Several received messages of one size.
#[derive(Debug)]
pub struct Run<'r> {
    /// The channel.
    pub channel: ChannelId,
    /// Bytes of each message.
    pub elem: usize,
    /// All payloads, one after another.
    pub bytes: &'r [u8],
    /// The number of the first message.
    pub seq: u64,
    /// As [`Received::skipped`].
    pub skipped: u64,
    /// The credit that the messages hold until it is released.
    pub charge: Charge,
}

impl<'r> Run<'r> {
    /// Iterates over the payloads.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'r [u8]> + use<'r> {
        self.bytes.chunks_exact(self.elem.max(1))
    }

    /// The number of messages.
    #[must_use]
    pub fn count(&self) -> usize {
        self.bytes.len() / self.elem.max(1)
    }
}
