//! One channel: two halves, each a small state machine (design page section 1.9).
//!
//! ```text
//!            OPEN/ACCEPT           DATA|FIN encoded             peer's STOP: must ABORT
//!  (None) ---------------> Sending --finish--> Finishing ------------------> Finished
//!                             | reset, or the peer's STOP
//!                             +--> Aborting --RESET encoded--> Aborted
//!
//!  Receiving --FIN--> Finished        reader dropped, evicted: RESET STOP, then
//!     +--ABORT------> Aborted         Stopping --FIN or ABORT--> Finished | Aborted
//! ```
//!
//! A half that the direction leaves out is `None`, which is terminal as well. The channel is
//! closed when both halves are terminal; its slot is free when the application has let go too.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::num::{NonZeroU32, NonZeroU64};
use core::time::Duration;

use bytes::BytesMut;

use super::credit::{Charge, RecvCredit, SendCredit};
use super::error::Code;
use super::open::{AcceptOptions, OpenOptions, Unit};
use super::queue::Queue;
use crate::time::Timestamp;

/// A channel of one connection. Never given to another channel of it again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ChannelId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

impl ChannelId {
    /// A small number, unique among the channels that are open: to index tables of one's own.
    #[must_use]
    pub fn index(self) -> usize {
        self.index as usize
    }
}

/// Where the sending half stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SendState {
    /// The direction leaves this half out.
    None,
    Sending,
    /// FIN follows what is queued.
    Finishing,
    Finished,
    /// RESET(ABORT) waits to be encoded.
    Aborting(Code),
    Aborted,
}

impl SendState {
    pub(super) fn is_terminal(self) -> bool {
        matches!(self, Self::None | Self::Finished | Self::Aborted)
    }
}

/// Where the receiving half stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RecvState {
    /// The direction leaves this half out.
    None,
    Receiving,
    /// RESET(STOP) is sent, or waits to be: what still comes is charged and given back.
    Stopping(Code),
    Finished,
    Aborted,
}

impl RecvState {
    pub(super) fn is_terminal(self) -> bool {
        matches!(self, Self::None | Self::Finished | Self::Aborted)
    }
}

/// How far the opening of a channel is.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// Our OPEN waits to be encoded.
    Opening(Box<OpenOptions>),
    /// Our OPEN, the nth, is out.
    Asked(u64),
    /// The peer's OPEN waits for the application's answer.
    Offered,
    /// Our ACCEPT waits to be encoded.
    Accepting(Box<AcceptOptions>),
    /// Both ends have aliases.
    Open,
    /// Our REJECT waits to be encoded.
    Rejecting(Code, Vec<u8>),
    /// The peer, or we, did not want it.
    Rejected,
}

/// Control frames that wait to be encoded: one bit each, so that none queues twice (rule R3).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Pending(u8);

impl Pending {
    /// OPEN, ACCEPT or REJECT, as the stage says.
    pub(super) const OPENING: u8 = 1;
    pub(super) const CREDIT: u8 = 2;
    /// CREDIT with BLOCKED.
    pub(super) const BLOCKED: u8 = 4;
    pub(super) const STOP: u8 = 8;
    pub(super) const ABORT: u8 = 16;
    pub(super) const SEQ: u8 = 32;

    pub(super) fn set(&mut self, bit: u8) {
        self.0 |= bit;
    }

    pub(super) fn unset(&mut self, bit: u8) {
        self.0 &= !bit;
    }

    pub(super) fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn clear(&mut self) {
        self.0 = 0;
    }
}

/// What we send.
#[derive(Debug)]
pub(super) struct SendHalf {
    pub(super) state: SendState,
    pub(super) credit: SendCredit,
    /// Bytes of the largest message that the peer takes.
    pub(super) message_max: u32,
    /// Payload of the smallest fragment but the last.
    pub(super) fragment_min: u32,
    pub(super) epoch: u64,
    /// Number of the next message to be encoded.
    pub(super) next_seq: u64,
    /// Messages replaced or dropped that the next frame tells.
    pub(super) skip: u64,
    pub(super) skipped_total: u64,
    pub(super) queue: Option<Box<Queue>>,
    /// Charge of what is left of a begun message: already counted on in the connection's credit.
    pub(super) begun_charge: u64,
    /// What it may still send in its turn.
    pub(super) deficit: i32,
    pub(super) in_schedule: bool,
    /// The message at the front waits for the connection's credit.
    pub(super) starved: bool,
    /// What was charged of that, in KiB and wrapping, when it began to wait; until it sends.
    pub(super) starved_at: Option<NonZeroU32>,
    /// A send was refused for want of room.
    pub(super) wants_room: bool,
    /// It is among those that wait for room in all queues together.
    pub(super) waits_for_all: bool,
    /// Since when the front message waits for the channel's credit.
    pub(super) blocked_since: Option<Timestamp>,
    /// The peer was told so.
    pub(super) blocked_told: bool,
    /// Messages and bytes encoded.
    pub(super) messages: u64,
    pub(super) bytes: u64,
    /// Why the peer wants no more.
    pub(super) stopped: Option<Code>,
}

/// A message of which more fragments are to come.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) bytes: BytesMut,
    pub(super) charge: Charge,
    pub(super) skipped: u64,
    /// When the last fragment came that was not too short to count, or the first.
    pub(super) since: Timestamp,
}

/// What we receive.
#[derive(Debug)]
pub(super) struct RecvHalf {
    pub(super) state: RecvState,
    pub(super) credit: RecvCredit,
    pub(super) message_max: u32,
    /// What such a message costs at most of the connection's credit.
    pub(super) message_cost: u32,
    /// Bytes charged of the connection and not released, in part covered by the reserve.
    pub(super) held: u64,
    /// The largest that `held` has been.
    pub(super) held_max: u64,
    pub(super) epoch: u64,
    /// Number of the next message to come.
    pub(super) next_seq: u64,
    pub(super) skipped_total: u64,
    pub(super) partial: Option<Box<Partial>>,
    /// The application's acknowledgement, to go with the next CREDIT.
    pub(super) ack: Option<u64>,
    pub(super) messages: u64,
    pub(super) bytes: u64,
    /// CREDIT(BLOCKED) of the peer's.
    pub(super) blocked_told: u32,
    /// The application was told to drop what it keeps of it.
    pub(super) evicted: bool,
}

/// A channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) id: ChannelId,
    pub(super) stage: Stage,
    pub(super) ours: bool,
    /// The alias we send under.
    pub(super) own_alias: Option<u32>,
    /// The alias the peer sends under.
    pub(super) peer_alias: Option<u32>,
    pub(super) priority: u8,
    pub(super) unit: Unit,
    pub(super) conflate: bool,
    /// Nanoseconds for which a message may wait.
    pub(super) ttl: Option<NonZeroU64>,
    pub(super) opened_at: Timestamp,
    pub(super) resume_asked: bool,
    /// The application has not let go of it.
    pub(super) attached: bool,
    /// It was counted as opened for nothing.
    pub(super) wasted: bool,
    /// It counts among the open channels of its opener's.
    pub(super) counted: bool,
    /// A message went either way.
    pub(super) used: bool,
    pub(super) pending: Pending,
    pub(super) in_control: bool,
    pub(super) send: SendHalf,
    pub(super) recv: RecvHalf,
}

/// A time to live, as a channel has it: at least one, up to 584 years.
pub(super) fn ttl_nanos(ttl: Duration) -> NonZeroU64 {
    let nanos = u64::try_from(ttl.as_nanos()).unwrap_or(u64::MAX);
    NonZeroU64::new(nanos).unwrap_or(NonZeroU64::MIN)
}

impl SendHalf {
    pub(super) fn new(sends: bool, limit: u64, message_max: u32, fragment_min: u32) -> Self {
        Self {
            state: if sends {
                SendState::Sending
            } else {
                SendState::None
            },
            credit: SendCredit::new(limit),
            message_max,
            fragment_min,
            epoch: 0,
            next_seq: 0,
            skip: 0,
            skipped_total: 0,
            queue: None,
            begun_charge: 0,
            deficit: 0,
            in_schedule: false,
            starved: false,
            starved_at: None,
            wants_room: false,
            waits_for_all: false,
            blocked_since: None,
            blocked_told: false,
            messages: 0,
            bytes: 0,
            stopped: None,
        }
    }

    #[inline]
    pub(super) fn queued(&self) -> usize {
        self.queue.as_ref().map_or(0, |q| q.bytes())
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queue.as_ref().is_none_or(|q| q.is_empty())
    }
}

impl RecvHalf {
    pub(super) fn new(receives: bool, window: u64, message_max: u32) -> Self {
        Self {
            state: if receives {
                RecvState::Receiving
            } else {
                RecvState::None
            },
            credit: RecvCredit::new(if receives { window } else { 0 }),
            message_max,
            message_cost: 0,
            held: 0,
            held_max: 0,
            epoch: 0,
            next_seq: 0,
            skipped_total: 0,
            partial: None,
            ack: None,
            messages: 0,
            bytes: 0,
            blocked_told: 0,
            evicted: false,
        }
    }
}

impl Channel {
    /// No frame of either end will be sent on it any more, and what opens or answers it is out.
    pub(super) fn is_closed(&self) -> bool {
        match self.stage {
            Stage::Asked(_) | Stage::Open => {
                self.send.state.is_terminal() && self.recv.state.is_terminal()
            }
            Stage::Rejected => true,
            _ => false,
        }
    }

    /// No more credit is told, but for what waits to be acknowledged by it.
    pub(super) fn grants_no_more(&mut self) {
        if self.recv.ack.is_none() {
            self.pending.unset(Pending::CREDIT);
        }
    }

    /// Our OPEN is answered, or it was not ours.
    pub(super) fn is_answered(&self) -> bool {
        !matches!(self.stage, Stage::Opening(_) | Stage::Asked(_))
    }

    /// The alias that the application chose, while that is not announced.
    pub(super) fn chosen_alias(&self) -> Option<u32> {
        match &self.stage {
            Stage::Opening(options) => options.alias,
            Stage::Accepting(options) => options.alias,
            _ => None,
        }
    }
}

// A thousand idle channels are a third of a mebibyte.
const _: () = assert!(size_of::<Channel>() <= 384, "channels are small");
