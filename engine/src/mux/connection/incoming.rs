//! What comes in: records of the peer's, being read; the budget of all windows; what the application
//! is yet to be told.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::super::channel::{Channel, Reservation, Stage};
use super::super::config::ChannelConfig;
use super::super::error::ChannelFailure;
use super::super::event::Event;
use super::super::open::Unit;
use super::super::wire::Frames;
use crate::time::Timestamp;

/// A record of the peer's, being read: what [`Mux::receive`](super::Mux::receive)
/// gives, for [`Mux::next`](super::Mux::next).
#[derive(Debug)]
pub struct RecordReader<'r> {
    pub(super) frames: Frames<'r>,
    /// What follows the event that was given last.
    pub(super) next: Option<Event<'r>>,
}

impl RecordReader<'_> {
    /// Nothing more of the record is read.
    pub(super) fn stop(&mut self) {
        self.frames = Frames::new(&[]);
        self.next = None;
    }
}

/// How long a channel that has grown must not be used for before it is asked to give that back;
/// and how often channels are looked through for such.
pub(super) const UNUSED_AFTER: Duration = Duration::from_secs(1);

/// The receiving side of a connection. Nothing else writes these fields.
///
/// Every grant is backed: the windows of all channels of the peer's, and what is left of those
/// that have ended, never add up to more than the budget.
///
/// ```text
/// aside   = sum of the windows of halves that receive, and of what is held of the others
/// spare   = budget - aside - the windows of channels that the peer may still open
/// ```
pub(super) struct Incoming {
    /// What happened without a record.
    events: VecDeque<Event<'static>>,
    /// The end of the connection, which is told after all else.
    ended: Option<ChannelFailure>,
    /// Bytes that a frame of the peer's costs beside its payload.
    overhead: u64,
    /// Bytes that may be set aside.
    budget: u64,
    /// Bytes that a channel of the peer's takes of it, accepted with the defaults: one that counts
    /// bytes, one that counts messages, any.
    bytes_window: u64,
    messages_window: u64,
    channel_bytes: u64,
    /// Channels that the peer may have open.
    channels_max: u32,
    /// Bytes that are set aside for all channels together.
    reserved: u64,
    /// Channels of the peer's for whose windows it is.
    receiving: u32,
    /// When channels were looked through for windows that are not used.
    reclaimed_at: Option<Timestamp>,
}

impl Incoming {
    pub(super) fn new(config: &ChannelConfig) -> Self {
        Self {
            events: VecDeque::new(),
            ended: None,
            overhead: config.frame_overhead_bytes.into(),
            budget: config.receive_budget_bytes(),
            bytes_window: config.defaults(Unit::Bytes).window_bytes,
            messages_window: config.defaults(Unit::Messages).window_bytes,
            channel_bytes: config.channel_bytes(),
            channels_max: config.channels_max,
            reserved: 0,
            receiving: 0,
            reclaimed_at: None,
        }
    }

    #[inline]
    pub(super) fn overhead(&self) -> u64 {
        self.overhead
    }

    // ---- the budget

    /// Whether the window of another channel has room.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        self.reserved + bytes <= self.budget
    }

    /// Bytes by which windows may grow, and any channel that the peer may open has its window
    /// still.
    pub(super) fn spare(&self) -> u64 {
        let unopened = u64::from(self.channels_max.saturating_sub(self.receiving));
        let kept = self.reserved + unopened * self.channel_bytes;
        self.budget.saturating_sub(kept)
    }

    /// Counts anew what is set aside for a channel.
    pub(super) fn update_reservation(&mut self, channel: &mut Channel) {
        // All of a channel of ours is what the application has granted.
        let counted = if channel.is_local {
            0
        } else {
            channel.unit.cost(self.bytes_window, self.messages_window)
        };
        let offered = matches!(channel.stage, Stage::OpenReceived);
        let (before, now) = channel.recv.update_reservation(counted, offered);
        self.count(channel.is_local, before, now);
    }

    /// Nothing is set aside for a channel any more.
    pub(super) fn forget(&mut self, channel: &mut Channel) {
        let before = channel.recv.clear_reservation();
        self.count(channel.is_local, before, Reservation::default());
    }

    fn count(&mut self, is_local: bool, before: Reservation, now: Reservation) {
        self.reserved = self.reserved - u64::from(before.bytes) + u64::from(now.bytes);
        if !is_local {
            self.receiving =
                self.receiving - u32::from(before.receiving) + u32::from(now.receiving);
        }
    }

    /// Bytes that are set aside, and those that may be.
    pub(super) fn budget(&self) -> (u64, u64) {
        (self.reserved, self.budget)
    }

    /// Whether channels are to be looked through for windows that are not used: growth was refused.
    pub(super) fn may_reclaim(&mut self, now: Timestamp) -> bool {
        let early = |at: Timestamp| now < at.after(UNUSED_AFTER);
        if self.reclaimed_at.is_some_and(early) {
            return false;
        }
        self.reclaimed_at = Some(now);
        true
    }

    // ---- what the application is told

    pub(super) fn push_event(&mut self, event: Event<'static>) {
        self.events.push_back(event);
    }

    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    pub(super) fn next_event(&mut self) -> Option<Event<'static>> {
        self.events.pop_front()
    }

    /// The end is told when all else is.
    pub(super) fn set_end(&mut self, failure: ChannelFailure) {
        self.ended = Some(failure);
    }

    pub(super) fn take_end(&mut self) -> Option<ChannelFailure> {
        self.ended.take()
    }
}
