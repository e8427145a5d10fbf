//! The frames: what each says. Payloads and options are slices of the record they came in.

use super::error::WireError;
use super::hello::Hello;
use super::options::Options;

/// Aliases are below this, 2^20: a table of them that a peer fills stays within some MiB.
pub(crate) const ALIAS_MAX: u32 = 1 << 20;
/// The longest reason of a GOAWAY, in bytes: it fits a close frame, too.
pub(crate) const GOAWAY_REASON_BYTES_MAX: usize = 123;
/// PAD bytes in a row: enough to reach any alignment up to 64 bytes, and no more.
pub(crate) const PAD_RUN_MAX: usize = 63;
/// The largest alignment exponent: 2^6 = 64 bytes, a cache line and the widest vector.
pub(crate) const ALIGN_MAX: u8 = 6;

/// Types: the low nibble of the first byte of a frame.
pub(super) mod kind {
    pub(in super::super) const PAD: u8 = 0x0;
    pub(in super::super) const DATA: u8 = 0x1;
    pub(in super::super) const RUN: u8 = 0x2;
    pub(in super::super) const CREDIT: u8 = 0x3;
    pub(in super::super) const OPEN: u8 = 0x4;
    pub(in super::super) const ACCEPT: u8 = 0x5;
    pub(in super::super) const REJECT: u8 = 0x6;
    pub(in super::super) const RESET: u8 = 0x7;
    pub(in super::super) const SEQ: u8 = 0x8;
    pub(in super::super) const PING: u8 = 0x9;
    pub(in super::super) const GOAWAY: u8 = 0xA;
    pub(in super::super) const HELLO: u8 = 0xB;
    pub(in super::super) const EXT: u8 = 0xF;
}

/// Flags: the high nibble of the first byte, here as a number below 16.
pub(super) mod flag {
    /// DATA, RUN: a length follows; without it the frame ends with the record.
    pub(in super::super) const LEN: u8 = 1;
    /// DATA: the message continues in the next frame of the channel.
    pub(in super::super) const MORE: u8 = 2;
    /// DATA: the last frame of this half.
    pub(in super::super) const FIN: u8 = 4;
    /// DATA, RUN: messages were lost or conflated before this one.
    pub(in super::super) const SKIP: u8 = 8;
    /// CREDIT: the receiver asks for credit that is not used.
    pub(in super::super) const NARROW: u8 = 1;
    /// CREDIT: from the sender, who is stuck at this limit.
    pub(in super::super) const BLOCKED: u8 = 2;
    /// CREDIT: an acknowledgement follows.
    pub(in super::super) const ACK: u8 = 4;
    /// CREDIT: from the sender, who gives back credit that is not used.
    pub(in super::super) const RETURN: u8 = 8;
    /// RESET: I stop sending.
    pub(in super::super) const ABORT: u8 = 1;
    /// RESET: you stop sending.
    pub(in super::super) const STOP: u8 = 2;
    /// PING: an answer.
    pub(in super::super) const PONG: u8 = 1;
    /// REJECT: bytes of the application follow.
    pub(in super::super) const INFO: u8 = 1;
    /// EXT: who does not know it skips it.
    pub(in super::super) const IGNORE: u8 = 1;
}

/// One whole, legal frame. PAD is not among them: it says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Frame<'r> {
    /// A message, or a fragment of one.
    Data(Data<'r>),
    /// Messages of one size under one header.
    Run(Run<'r>),
    /// A new limit, or the word that an old one is reached.
    Credit(Credit),
    /// A channel is wanted.
    Open(Open<'r>),
    /// The peer's OPEN is granted.
    Accept(Accept<'r>),
    /// The peer's OPEN is refused.
    Reject {
        /// The alias in that OPEN.
        peer_alias: u32,
        /// Why.
        code: u32,
        /// Why, in bytes of the refusing application, at most
        /// [`OPTIONS_BYTES_MAX`](super::OPTIONS_BYTES_MAX).
        metadata: &'r [u8],
    },
    /// A half, or both, end without FIN.
    Reset(Reset),
    /// Sequence numbers go on elsewhere.
    Seq {
        /// The channel, as its sender calls it.
        alias: u32,
        /// The life of the topic that the numbers belong to.
        epoch: u64,
        /// The number of the next message.
        next_seq: u64,
    },
    /// Are you there, or the answer.
    Ping {
        /// Comes back unchanged in the answer.
        value: u64,
        /// Whether this is the answer.
        pong: bool,
    },
    /// No channel is opened from now on.
    GoAway(GoAway<'r>),
    /// What the peer takes.
    Hello(Hello),
    /// An extension.
    Ext {
        /// Which.
        kind: u64,
        /// Whether who does not know it skips it; else it ends the connection.
        ignorable: bool,
        /// What it says.
        body: &'r [u8],
    },
}

/// DATA: a message, or a fragment of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Data<'r> {
    /// The channel, as its sender calls it.
    pub(crate) alias: u32,
    /// The message continues.
    pub(crate) more: bool,
    /// The last of this half.
    pub(crate) fin: bool,
    /// Messages lost or conflated before this one; 0 is sent as no SKIP.
    pub(crate) skip: u64,
    /// The bytes.
    pub(crate) payload: &'r [u8],
}

impl Data<'_> {
    /// A whole message, and that alone.
    #[inline]
    pub(crate) fn is_whole_message(&self) -> bool {
        !self.more && !self.fin && self.skip == 0
    }
}

/// RUN: `count` messages of `elem` bytes each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Run<'r> {
    /// The channel, as its sender calls it.
    pub(crate) alias: u32,
    /// Bytes of one message, at least 1.
    pub(crate) elem: u32,
    /// Messages, at least 1.
    pub(crate) count: u32,
    /// Messages lost or conflated before the first; 0 is sent as no SKIP.
    pub(crate) skip: u64,
    /// `elem * count` bytes.
    pub(crate) bytes: &'r [u8],
}

/// What a CREDIT says. GRANT and NARROW come from the receiver of data, the others from its sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CreditKind {
    /// Data may be sent up to this total: a limit.
    Grant,
    /// Of the credit that is left, all but so much is asked back. The total is no cumulative one.
    Narrow,
    /// The sender has data, and is stuck at this limit.
    Blocked,
    /// Credit is given back unused: so much counts as charged.
    Return,
}

/// CREDIT: a total, counted from the beginning of the channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Credit {
    /// The channel, as the sender of this frame calls it.
    pub(crate) alias: u32,
    /// What the total says.
    pub(crate) kind: CreditKind,
    /// In the unit of the channel.
    pub(crate) total: u64,
    /// Messages below this number need not be kept for a replay.
    pub(crate) ack: Option<u64>,
}

/// OPEN: the sender wants a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Open<'r> {
    /// What the sender will call it.
    pub(crate) alias: u32,
    /// How it behaves.
    pub(crate) profile: Profile,
    /// Payloads start at multiples of `2^align` bytes, 0 to [`ALIGN_MAX`]: a hint.
    pub(crate) align: u8,
    /// What the acceptor may send at first, in the unit of the channel.
    pub(crate) limit: u64,
    /// The longest message that the opener takes, in bytes.
    pub(crate) max_msg: u64,
    /// The rest.
    pub(crate) options: Options<'r>,
}

/// ACCEPT: the answer to an OPEN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Accept<'r> {
    /// The alias in that OPEN.
    pub(crate) peer_alias: u32,
    /// What the sender of this frame will call the channel.
    pub(crate) alias: u32,
    /// What the opener may send, in the unit of the channel.
    pub(crate) limit: u64,
    /// The longest message that the acceptor takes, in bytes.
    pub(crate) max_msg: u64,
    /// The rest.
    pub(crate) options: Options<'r>,
}

/// RESET: a half, or both, end without FIN. One of the flags stands at least.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reset {
    /// The channel, as the sender of this frame calls it.
    pub(crate) alias: u32,
    /// Why.
    pub(crate) code: u32,
    /// I stop sending.
    pub(crate) abort: bool,
    /// You stop sending.
    pub(crate) stop: bool,
}

/// GOAWAY: no channel is opened from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct GoAway<'r> {
    /// OPENs processed so far; later ones never were.
    pub(crate) opens_seen: u64,
    /// Why.
    pub(crate) code: u32,
    /// For a log, at most [`GOAWAY_REASON_BYTES_MAX`] bytes.
    pub(crate) reason: &'r str,
}

/// Which sides of a channel send messages.
///
/// A subscription is [`AcceptorSends`](Self::AcceptorSends): who opens it only reads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Direction {
    /// Both sides.
    #[default]
    Both,
    /// Only the side that opened the channel.
    OpenerSends,
    /// Only the side that accepted it.
    AcceptorSends,
}

/// How a channel behaves: the profile byte of OPEN.
///
/// ```text
/// bit 7          6         5         4 3        2 1 0
/// resumable  conflate  messages  direction   priority
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Profile {
    /// 0, the most urgent, to 7.
    pub(crate) priority: u8,
    /// Who sends.
    pub(crate) direction: Direction,
    /// Credit counts messages, not bytes.
    pub(crate) messages: bool,
    /// A newer message takes the place of an older one of the same key.
    pub(crate) conflate: bool,
    /// Messages are numbered across connections.
    pub(crate) resumable: bool,
}

impl Profile {
    /// The byte; of a priority above 7 the low three bits count.
    pub(crate) const fn to_byte(self) -> u8 {
        let direction = match self.direction {
            Direction::Both => 0,
            Direction::OpenerSends => 1,
            Direction::AcceptorSends => 2,
        };
        (self.priority & 7)
            | (direction << 3)
            | ((self.messages as u8) << 5)
            | ((self.conflate as u8) << 6)
            | ((self.resumable as u8) << 7)
    }

    /// What a byte says.
    pub(crate) const fn from_byte(byte: u8) -> Result<Self, WireError> {
        let direction = match (byte >> 3) & 3 {
            0 => Direction::Both,
            1 => Direction::OpenerSends,
            2 => Direction::AcceptorSends,
            _ => return Err(WireError::ReservedDirection),
        };
        Ok(Self {
            priority: byte & 7,
            direction,
            messages: byte & (1 << 5) != 0,
            conflate: byte & (1 << 6) != 0,
            resumable: byte & (1 << 7) != 0,
        })
    }
}
