//! What the peer did, as the application is told.

use core::ops::Deref;

use bytes::Bytes;

use super::channel::ChannelId;
use super::credit::Charge;
use super::error::{ChannelFailure, ErrorCode};
use super::open::{Mode, Resume, Unit};
use super::wire::Direction;
use crate::payload::BinaryPayload;

pub use super::open::Resumption;

/// What happened. Payloads are lent from the record for as long as it lives.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'r> {
    /// The peer's HELLO has come: its limits are known.
    Ready,
    /// The peer opens a channel: [`accept`](super::Mux::accept) or
    /// [`reject`](super::Mux::reject) it, now or later. Messages may come before.
    Open(Opening<'r>),
    /// The peer takes a channel of ours.
    Accepted {
        /// The channel.
        channel: ChannelId,
        /// Bytes of the acceptor's application.
        metadata: &'r [u8],
        /// Where the peer's messages go on, if the channel asked for that.
        resumption: Option<Resumption>,
        /// The first message that the peer wants of ours, if it says so.
        wants: Option<u64>,
    },
    /// The peer does not take a channel of ours, or has no alias left for one that we have
    /// accepted. Nothing more comes of it.
    Rejected {
        /// The channel.
        channel: ChannelId,
        /// Why.
        code: ErrorCode,
        /// The peer never looked at it: it is safe to open it on another connection.
        unprocessed: bool,
        /// Why, in bytes of the peer's application.
        metadata: &'r [u8],
    },
    /// A message.
    Message(Received<'r>),
    /// Messages of one size.
    Run(Run<'r>),
    /// The peer counts its messages anew from here.
    Rebased {
        /// The channel.
        channel: ChannelId,
        /// The epoch of what follows.
        epoch: u64,
        /// The number of the next message.
        next_seq: u64,
    },
    /// The peer has what we sent, up to but without this number: it need not be kept for a
    /// resumption.
    Acked {
        /// The channel.
        channel: ChannelId,
        /// The first message that is not acknowledged: never more than the next to be sent.
        seq: u64,
    },
    /// The peer has sent all it wanted to.
    Finished {
        /// The channel.
        channel: ChannelId,
    },
    /// The peer gives up sending: what came before is incomplete.
    Aborted {
        /// The channel.
        channel: ChannelId,
        /// Why.
        code: ErrorCode,
    },
    /// The peer takes no more of ours; what was queued is dropped.
    Stopped {
        /// The channel.
        channel: ChannelId,
        /// Why.
        code: ErrorCode,
    },
    /// We take no more from a channel whose message was not finished in time. Drop what is kept of
    /// it, and release its credit.
    Evicted {
        /// The channel.
        channel: ChannelId,
        /// [`ErrorCode::TIMEOUT`].
        code: ErrorCode,
    },
    /// The peer takes no new channels; the open ones go on.
    Draining {
        /// Why.
        code: ErrorCode,
        /// Why, in words.
        reason: &'r str,
    },
    /// All channels are over. Nothing comes after it.
    Failed(ChannelFailure),
}

impl Event<'_> {
    /// The channel that it is about; none of those that are about all.
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

/// A channel that the peer opens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Opening<'r> {
    /// To answer, and to send on.
    pub channel: ChannelId,
    /// What it is for.
    pub topic: &'r [u8],
    /// Bytes of the opener's application.
    pub metadata: &'r [u8],
    /// 0, the highest, to 7.
    pub priority: u8,
    /// Who sends.
    pub direction: Direction,
    /// What a sender does with what cannot be sent.
    pub mode: Mode,
    /// What credit counts.
    pub unit: Unit,
    /// The opener keeps, and can go on from, a number.
    pub resumable: bool,
    /// Where the opener wants to go on.
    pub resume: Option<Resume>,
}

/// The bytes of a message.
#[derive(Clone, Debug)]
pub enum Data<'r> {
    /// Where they were received.
    Lent(&'r [u8]),
    /// Put together of several fragments.
    Assembled(Bytes),
}

impl Data<'_> {
    /// Owned: a copy, where they are lent.
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

/// A message that came on a channel.
#[derive(Debug)]
pub struct Received<'r> {
    /// The channel.
    pub channel: ChannelId,
    /// The bytes.
    pub data: Data<'r>,
    /// Its number in the sender's epoch.
    pub seq: u64,
    /// Messages before this one, and after the last one received, that the sender has replaced
    /// or dropped.
    pub skipped: u64,
    /// What it holds of the windows, until it is released.
    pub charge: Charge,
}

/// Messages of one size that came together.
#[derive(Debug)]
pub struct Run<'r> {
    /// The channel.
    pub channel: ChannelId,
    /// Bytes of each message.
    pub elem: usize,
    /// All of them, one behind the other.
    pub bytes: &'r [u8],
    /// The number of the first.
    pub seq: u64,
    /// As [`Received::skipped`].
    pub skipped: u64,
    /// What they hold of the windows, until they are released.
    pub charge: Charge,
}

impl<'r> Run<'r> {
    /// The messages.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'r [u8]> + use<'r> {
        self.bytes.chunks_exact(self.elem.max(1))
    }

    /// How many messages there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.bytes.len() / self.elem.max(1)
    }
}
