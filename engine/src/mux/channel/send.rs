//! The half that we send on.

use alloc::boxed::Box;

use super::super::credit::{Announced, MESSAGES_BEFORE_ACCEPT, SendCredit, fragment_min};
use super::super::error::{ChannelSendError, ErrorCode};
use super::super::open::Unit;
use super::super::queue::Queue;
use super::super::wire::Hello;
use super::numbers::Numbers;
use crate::time::Timestamp;

/// Where the sending half stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::mux) enum SendState {
    /// The direction leaves this half out.
    None,
    Sending,
    /// FIN follows what is queued.
    Finishing,
    Finished,
    /// RESET(ABORT) waits to be encoded.
    Aborting(ErrorCode),
    Aborted,
}

impl SendState {
    pub(in crate::mux) fn is_terminal(self) -> bool {
        matches!(self, Self::None | Self::Finished | Self::Aborted)
    }

    /// Messages, or a FIN, may still go.
    pub(in crate::mux) fn is_active(self) -> bool {
        matches!(self, Self::Sending | Self::Finishing)
    }
}

/// What the peer takes on a channel: told by its HELLO, then by its OPEN or ACCEPT.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(in crate::mux) struct SendLimits {
    /// In units of the channel, from its beginning.
    pub(in crate::mux) limit: u64,
    /// Bytes of the largest message.
    pub(in crate::mux) message_max: u32,
    /// Payload of the smallest fragment but the last.
    pub(in crate::mux) fragment_min: u32,
}

impl Hello {
    /// What the peer takes on a channel, as its OPEN or ACCEPT says: fragments as the peer reckons
    /// what its window has room for (rule R20), and where messages are counted, what they may cost.
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

    /// What the peer takes on a channel before it says more.
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

/// What we send.
#[derive(Debug)]
pub(in crate::mux) struct SendHalf {
    pub(in crate::mux) state: SendState,
    pub(in crate::mux) credit: SendCredit,
    /// Bytes of the largest message that the peer takes.
    pub(in crate::mux) message_max: u32,
    /// Payload of the smallest fragment but the last.
    pub(in crate::mux) fragment_min: u32,
    /// Of the messages that are encoded.
    pub(in crate::mux) numbers: Numbers,
    /// Messages replaced or dropped that the next frame tells.
    pub(in crate::mux) skip: u64,
    pub(in crate::mux) skipped_total: u64,
    pub(in crate::mux) queue: Option<Box<Queue>>,
    /// What it may still send in its turn.
    pub(in crate::mux) deficit: i32,
    pub(in crate::mux) in_schedule: bool,
    /// A send was refused for want of room.
    pub(in crate::mux) wants_room: bool,
    /// It is among those that wait for room in all queues together.
    pub(in crate::mux) waits_for_connection: bool,
    /// Since when the front message waits for the channel's credit.
    pub(in crate::mux) blocked_since: Option<Timestamp>,
    /// The peer was told so.
    pub(in crate::mux) blocked_sent: bool,
    /// Bytes of the messages that are encoded.
    pub(in crate::mux) bytes: u64,
    /// Why the peer wants no more.
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

    /// Bytes that wait, with what their places take.
    #[inline]
    pub(in crate::mux) fn queued(&self) -> usize {
        self.queue.as_ref().map_or(0, |q| q.bytes())
    }

    #[inline]
    pub(in crate::mux) fn is_idle(&self) -> bool {
        self.queue.as_ref().is_none_or(|q| q.is_empty())
    }

    /// The queue, made when it is needed first.
    #[inline]
    pub(in crate::mux) fn queue(&mut self) -> &mut Queue {
        self.queue.get_or_insert_default()
    }

    /// Whether a turn has anything to do.
    #[inline]
    pub(in crate::mux) fn wants_turn(&self) -> bool {
        match self.state {
            SendState::Sending => !self.is_idle(),
            SendState::Finishing => true,
            _ => false,
        }
    }

    /// Messages that were replaced or dropped before the next frame: the frame tells them.
    pub(in crate::mux) fn take_skip(&mut self) -> u64 {
        let skip = core::mem::take(&mut self.skip);
        self.numbers.skip(skip);
        skip
    }

    /// `count` messages were replaced or dropped here.
    pub(in crate::mux) fn skipped(&mut self, count: u64) {
        self.skip += count;
        self.skipped_total += count;
    }

    /// Whether the application may still send.
    #[inline]
    pub(in crate::mux) fn is_open(&self) -> Result<(), ChannelSendError> {
        match (self.stopped, self.state) {
            (Some(code), _) => Err(ChannelSendError::Stopped(code)),
            (None, SendState::Sending) => Ok(()),
            (None, _) => Err(ChannelSendError::Finished),
        }
    }

    /// Whether the peer takes messages of `len` bytes.
    #[inline]
    pub(in crate::mux) fn takes(&self, len: usize) -> Result<(), ChannelSendError> {
        let max = self.message_max as usize;
        if len > max {
            return Err(ChannelSendError::TooLarge { len, max });
        }
        Ok(())
    }

    /// A message of `len` bytes that was encoded last, for `units` of credit, is not sent.
    pub(in crate::mux) fn undo_last(&mut self, units: u64, len: usize) {
        self.credit.refund(units);
        self.numbers.undo_last();
        self.bytes -= len as u64;
    }

    /// Messages of the application count from here on.
    pub(in crate::mux) fn rebase(&mut self, epoch: u64, next_seq: u64) {
        self.numbers.start_epoch(epoch, next_seq);
        self.skip = 0;
    }

    /// The front message waits for the channel's credit.
    pub(in crate::mux) fn block(&mut self, now: Timestamp) {
        self.blocked_since.get_or_insert(now);
    }

    /// The channel waits for its credit no more.
    pub(in crate::mux) fn unblock(&mut self) {
        self.blocked_since = None;
        self.blocked_sent = false;
    }

    /// What the peer takes at first, from its HELLO on.
    pub(in crate::mux) fn announce(&mut self, limits: SendLimits) {
        if self.state != SendState::None {
            self.credit.raise(limits.limit);
            self.message_max = limits.message_max;
            self.fragment_min = limits.fragment_min;
        }
    }
}

impl Unit {
    /// What `messages` whole messages that cost `bytes` cost on a channel of this unit.
    #[inline]
    pub(in crate::mux) fn cost(self, bytes: u64, messages: u64) -> u64 {
        match self {
            Self::Bytes => bytes,
            Self::Messages => messages,
        }
    }
}
