//! The sending half.

use alloc::boxed::Box;

use super::super::credit::{Announced, MESSAGES_BEFORE_ACCEPT, SendCredit, fragment_min};
use super::super::error::{ChannelSendError, ErrorCode};
use super::super::open::Unit;
use super::super::queue::Queue;
use super::super::wire::Hello;
use super::numbers::Numbers;
use crate::time::Timestamp;

/// The state of the sending half.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::mux) enum SendState {
    /// The direction excludes this half.
    None,
    Sending,
    /// FIN follows the queued messages.
    Finishing,
    Finished,
    /// RESET(ABORT) is pending.
    Aborting(ErrorCode),
    Aborted,
    /// The channel was rejected.
    Rejected(ErrorCode),
}

impl SendState {
    pub(in crate::mux) fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::None | Self::Finished | Self::Aborted | Self::Rejected(_)
        )
    }

    /// Whether messages or FIN can still be sent.
    pub(in crate::mux) fn is_active(self) -> bool {
        matches!(self, Self::Sending | Self::Finishing)
    }
}

/// The peer's limits for a channel: from its HELLO, then from its OPEN or ACCEPT.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(in crate::mux) struct SendLimits {
    /// The cumulative limit, in units of the channel.
    pub(in crate::mux) limit: u64,
    /// Bytes of the largest message.
    pub(in crate::mux) message_max: u32,
    /// Smallest payload of a fragment that is not the last, in bytes.
    pub(in crate::mux) fragment_min: u32,
}

impl Hello {
    /// The limits from an OPEN or ACCEPT. The minimum fragment is the one that the peer computes
    /// for its window (rule R20); where messages are counted, it also bounds their cost.
    pub(in crate::mux) fn limits(&self, unit: Unit, limit: u64, message_max: u64) -> SendLimits {
        let narrow = |v: u64| u32::try_from(v).unwrap_or(u32::MAX);
        let window = match unit {
            Unit::Bytes => limit,
            Unit::Messages => self.channel_limit,
        };
        SendLimits {
            limit,
            message_max: narrow(message_max.min(self.message_bytes_max)),
            fragment_min: narrow(fragment_min(window, self.record_bytes_max)),
        }
    }

    /// The initial limits, before an OPEN or ACCEPT of the peer.
    pub(in crate::mux) fn initial_limits(&self, unit: Unit) -> SendLimits {
        let announced = Announced {
            window: self.channel_limit,
            overhead: self.overhead,
            record: self.record_bytes_max,
        };
        let message_max = announced.default_message_max(unit);
        let limit = unit.cost(self.channel_limit, MESSAGES_BEFORE_ACCEPT);
        self.limits(unit, limit, message_max.into())
    }
}

/// The sending half of a channel.
#[derive(Debug)]
pub(in crate::mux) struct SendHalf {
    pub(in crate::mux) state: SendState,
    pub(in crate::mux) credit: SendCredit,
    /// Bytes of the largest message that the peer accepts.
    pub(in crate::mux) message_max: u32,
    /// Smallest payload of a fragment that is not the last, in bytes.
    pub(in crate::mux) fragment_min: u32,
    /// Numbers of the encoded messages.
    pub(in crate::mux) numbers: Numbers,
    /// Replaced or dropped messages to report in the next frame.
    pub(in crate::mux) skip: u64,
    pub(in crate::mux) skipped_total: u64,
    pub(in crate::mux) queue: Option<Box<Queue>>,
    /// Bytes left in the channel's turn (deficit round robin); negative after an overrun.
    pub(in crate::mux) deficit: i32,
    pub(in crate::mux) in_schedule: bool,
    /// A send was refused for lack of room.
    pub(in crate::mux) wants_room: bool,
    /// The channel waits for room in all queues together.
    pub(in crate::mux) waits_for_connection: bool,
    /// When the front message became blocked by missing credit.
    pub(in crate::mux) blocked_since: Option<Timestamp>,
    /// CREDIT(BLOCKED) was queued for this blocked time.
    pub(in crate::mux) blocked_sent: bool,
    /// Payload bytes of the encoded messages.
    pub(in crate::mux) bytes: u64,
    /// The code with which the peer stopped the half.
    pub(in crate::mux) stopped: Option<ErrorCode>,
}

impl SendHalf {
    pub(in crate::mux) fn new(sends: bool, limits: SendLimits) -> Self {
        Self {
            state: if sends {
                SendState::Sending
            } else {
                SendState::None
            },
            credit: SendCredit::new(limits.limit),
            message_max: limits.message_max,
            fragment_min: limits.fragment_min,
            numbers: Numbers::default(),
            skip: 0,
            skipped_total: 0,
            queue: None,
            deficit: 0,
            in_schedule: false,
            wants_room: false,
            waits_for_connection: false,
            blocked_since: None,
            blocked_sent: false,
            bytes: 0,
            stopped: None,
        }
    }

    /// Bytes in the queue, entry overhead included.
    #[inline]
    pub(in crate::mux) fn queued(&self) -> usize {
        self.queue.as_ref().map_or(0, |q| q.bytes())
    }

    #[inline]
    pub(in crate::mux) fn is_idle(&self) -> bool {
        self.queue.as_ref().is_none_or(|q| q.is_empty())
    }

    /// The queue, created at first use.
    #[inline]
    pub(in crate::mux) fn queue(&mut self) -> &mut Queue {
        self.queue.get_or_insert_default()
    }

    /// Whether the channel needs a turn.
    #[inline]
    pub(in crate::mux) fn wants_turn(&self) -> bool {
        match self.state {
            SendState::Sending => !self.is_idle(),
            SendState::Finishing => true,
            _ => false,
        }
    }

    /// Takes the number of messages replaced or dropped before the next frame, which reports them.
    pub(in crate::mux) fn take_skip(&mut self) -> u64 {
        let skip = core::mem::take(&mut self.skip);
        self.numbers.skip(skip);
        skip
    }

    /// Counts messages that were replaced or dropped.
    pub(in crate::mux) fn skipped(&mut self, count: u64) {
        self.skip += count;
        self.skipped_total += count;
    }

    /// Checks that the application may still send.
    #[inline]
    pub(in crate::mux) fn is_open(&self) -> Result<(), ChannelSendError> {
        match (self.stopped, self.state) {
            (None, SendState::Sending) => Ok(()),
            (_, SendState::Rejected(code)) => Err(ChannelSendError::Rejected(code)),
            (Some(code), _) => Err(ChannelSendError::Stopped(code)),
            (None, SendState::None) => Err(ChannelSendError::WrongDirection),
            (None, _) => Err(ChannelSendError::Finished),
        }
    }

    /// Checks that the peer accepts messages of `len` bytes.
    #[inline]
    pub(in crate::mux) fn takes(&self, len: usize) -> Result<(), ChannelSendError> {
        let max = self.message_max as usize;
        if len > max {
            return Err(ChannelSendError::TooLarge { len, max });
        }
        Ok(())
    }

    /// Undoes the last encoded message, of `len` bytes and `units` of credit.
    pub(in crate::mux) fn undo_last(&mut self, units: u64, len: usize) {
        self.credit.refund(units);
        self.numbers.undo_last();
        self.bytes -= len as u64;
    }

    /// Restarts the numbering.
    pub(in crate::mux) fn rebase(&mut self, epoch: u64, next_seq: u64) {
        self.numbers.start_epoch(epoch, next_seq);
        self.skip = 0;
    }

    /// The front message is blocked by missing credit.
    pub(in crate::mux) fn block(&mut self, now: Timestamp) {
        self.blocked_since.get_or_insert(now);
    }

    /// The channel is not blocked any more.
    pub(in crate::mux) fn unblock(&mut self) {
        self.blocked_since = None;
        self.blocked_sent = false;
    }

    /// Applies the initial limits of the peer's HELLO.
    pub(in crate::mux) fn announce(&mut self, limits: SendLimits) {
        if self.state != SendState::None {
            self.credit.raise(limits.limit);
            self.message_max = limits.message_max;
            self.fragment_min = limits.fragment_min;
        }
    }
}

impl Unit {
    /// The cost in this unit of `messages` whole messages that cost `bytes` bytes.
    #[inline]
    pub(in crate::mux) fn cost(self, bytes: u64, messages: u64) -> u64 {
        match self {
            Self::Bytes => bytes,
            Self::Messages => messages,
        }
    }
}
