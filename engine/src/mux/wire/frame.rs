//! The frames as values. Payloads and options are slices of the record.

use super::error::WireError;
use super::hello::Hello;
use super::options::Options;

/// Aliases are below this: a full table of a peer's aliases takes 4 MiB.
pub(crate) const ALIAS_MAX: u32 = 1 << 20;
/// The longest reason of a GOAWAY, in bytes: it fits a close frame, too.
pub(crate) const GOAWAY_REASON_BYTES_MAX: usize = 123;
/// The most PAD bytes in a row: enough to reach any alignment up to 64 bytes.
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
    /// CREDIT, from the receiver of data: asks for the return of unused credit.
    pub(in super::super) const NARROW: u8 = 1;
    /// CREDIT, from the sender of data: it is blocked at this limit.
    pub(in super::super) const BLOCKED: u8 = 2;
    /// CREDIT: an acknowledgement follows.
    pub(in super::super) const ACK: u8 = 4;
    /// CREDIT, from the sender of data: returns unused credit.
    pub(in super::super) const RETURN: u8 = 8;
    /// RESET: the sender of the frame aborts its half.
    pub(in super::super) const ABORT: u8 = 1;
    /// RESET: the sender of the frame asks the peer to stop sending.
    pub(in super::super) const STOP: u8 = 2;
    /// PING: an answer.
    pub(in super::super) const PONG: u8 = 1;
    /// REJECT: metadata follows.
    pub(in super::super) const INFO: u8 = 1;
    /// EXT: a receiver that does not know the extension skips it.
    pub(in super::super) const IGNORE: u8 = 1;
}

/// One complete, legal frame. PAD carries nothing and is left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Frame<'r> {
    /// A message, or a fragment of one.
    Data(Data<'r>),
    /// Messages of one size under one header.
    Run(Run<'r>),
    /// A new limit, or one of the other kinds of CREDIT.
    Credit(Credit),
    /// Opens a channel.
    Open(Open<'r>),
    /// Accepts an OPEN.
    Accept(Accept<'r>),
    /// Rejects an OPEN.
    Reject {
        /// The alias in that OPEN.
        peer_alias: u32,
        /// Why.
        code: u32,
        /// The reason, as metadata of the application, at most
        /// [`OPTIONS_BYTES_MAX`](super::OPTIONS_BYTES_MAX) bytes.
        metadata: &'r [u8],
    },
    /// One half or both end without FIN.
    Reset(Reset),
    /// Restarts the sequence numbers.
    Seq {
        /// The sender's alias of the channel.
        alias: u32,
        /// The epoch of the numbers.
        epoch: u64,
        /// The number of the next message.
        next_seq: u64,
    },
    /// PING, or the answer.
    Ping {
        /// Returned unchanged in the answer.
        value: u64,
        /// Whether this is the answer.
        pong: bool,
    },
    /// No further channels are accepted.
    GoAway(GoAway<'r>),
    /// The limits of the sender.
    Hello(Hello),
    /// An extension.
    Ext {
        /// The kind of the extension.
        kind: u64,
        /// Whether a receiver that does not know the extension skips it; else the connection ends.
        ignorable: bool,
        /// The content.
        body: &'r [u8],
    },
}

/// DATA: a message, or a fragment of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Data<'r> {
    /// The sender's alias of the channel.
    pub(crate) alias: u32,
    /// The message continues.
    pub(crate) more: bool,
    /// The last message of this half.
    pub(crate) fin: bool,
    /// Messages lost or conflated before this one; 0 is sent as no SKIP.
    pub(crate) skip: u64,
    /// The payload.
    pub(crate) payload: &'r [u8],
}

impl Data<'_> {
    /// Whether the frame is a whole message, without MORE, FIN and SKIP.
    #[inline]
    pub(crate) fn is_whole_message(&self) -> bool {
        !self.more && !self.fin && self.skip == 0
    }
}

/// RUN: `count` messages of `elem` bytes each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Run<'r> {
    /// The sender's alias of the channel.
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

/// The kinds of CREDIT. GRANT and NARROW come from the receiver of data, the others from its
/// sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CreditKind {
    /// Data may be sent up to this total: a limit.
    Grant,
    /// The receiver asks for the return of the available credit, except for this amount, which is
    /// not cumulative.
    Narrow,
    /// The sender has data, and is blocked at this limit.
    Blocked,
    /// Unused credit is returned: all up to this total counts as charged.
    Return,
}

/// CREDIT: a total, counted from the beginning of the channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Credit {
    /// The sender's alias of the channel.
    pub(crate) alias: u32,
    /// The meaning of the total.
    pub(crate) kind: CreditKind,
    /// In the unit of the channel.
    pub(crate) total: u64,
    /// Messages below this number need not be kept for a replay.
    pub(crate) ack: Option<u64>,
}

/// OPEN: opens a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Open<'r> {
    /// The sender's alias of the channel.
    pub(crate) alias: u32,
    /// The channel's profile.
    pub(crate) profile: Profile,
    /// Payloads start at multiples of `2^align` bytes, 0 to [`ALIGN_MAX`]: a hint.
    pub(crate) align: u8,
    /// The initial limit of the acceptor, in the unit of the channel.
    pub(crate) limit: u64,
    /// The longest message that the opener accepts, in bytes.
    pub(crate) max_msg: u64,
    /// The options.
    pub(crate) options: Options<'r>,
}

/// ACCEPT: the answer to an OPEN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Accept<'r> {
    /// The alias in that OPEN.
    pub(crate) peer_alias: u32,
    /// The sender's alias of the channel.
    pub(crate) alias: u32,
    /// The limit of the opener, in the unit of the channel.
    pub(crate) limit: u64,
    /// The longest message that the acceptor accepts, in bytes.
    pub(crate) max_msg: u64,
    /// The options.
    pub(crate) options: Options<'r>,
}

/// RESET: one half or both end without FIN. At least one of the flags is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reset {
    /// The sender's alias of the channel.
    pub(crate) alias: u32,
    /// Why.
    pub(crate) code: u32,
    /// The sender of the frame aborts its half.
    pub(crate) abort: bool,
    /// The receiver of the frame must stop sending.
    pub(crate) stop: bool,
}

/// GOAWAY: no further channels are accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct GoAway<'r> {
    /// OPENs processed so far. Later ones are not processed.
    pub(crate) opens_seen: u64,
    /// Why.
    pub(crate) code: u32,
    /// For a log, at most [`GOAWAY_REASON_BYTES_MAX`] bytes.
    pub(crate) reason: &'r str,
}

/// Which ends of a channel send messages.
///
/// A subscription is [`AcceptorSends`](Self::AcceptorSends): the opener only receives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Direction {
    /// Both ends.
    #[default]
    Both,
    /// Only the end that opened the channel.
    OpenerSends,
    /// Only the end that accepted the channel.
    AcceptorSends,
}

/// The profile byte of OPEN.
///
/// ```text
/// bit 7          6         5         4 3        2 1 0
/// resumable  conflate  messages  direction   priority
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Profile {
    /// 0, the most urgent, to 7.
    pub(crate) priority: u8,
    /// Which ends send.
    pub(crate) direction: Direction,
    /// Credit counts messages, not bytes.
    pub(crate) messages: bool,
    /// A newer message replaces a queued one of the same key.
    pub(crate) conflate: bool,
    /// Messages are numbered across connections.
    pub(crate) resumable: bool,
}

impl Profile {
    /// Encodes the byte, with the low three bits of the priority.
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

    /// Decodes the byte.
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
