//! The receiving side: the record reader, the budget of all windows, and pending events.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::super::channel::{Channel, Reservation, Stage};
use super::super::config::ChannelConfig;
use super::super::error::ChannelFailure;
use super::super::event::Event;
use super::super::open::Unit;
use super::super::wire::Frames;
use crate::time::Timestamp;

/// Reads a record of the peer: returned by [`Mux::receive`](super::Mux::receive), for
/// [`Mux::next`](super::Mux::next).
#[derive(Debug)]
pub struct RecordReader<'r> {
    pub(super) frames: Frames<'r>,
    /// The event after the one returned last, if the same frame caused both.
    pub(super) next: Option<Event<'r>>,
}

impl RecordReader<'_> {
    /// Skips the rest of the record.
    pub(super) fn stop(&mut self) {
        self.frames = Frames::new(&[]);
        self.next = None;
    }
}

/// Time without data after which an enlarged window counts as unused; also the interval of the
/// search for such windows.
pub(super) const UNUSED_AFTER: Duration = Duration::from_secs(1);

/// The receiving side of a connection. Nothing else writes these fields.
///
/// Every grant is backed: the windows of all channels that the peer opened, and the unreleased
/// bytes of those that have ended, never exceed the budget.
///
/// ```text
/// reserved = sum of the windows of receiving halves, and of the held bytes of the others
/// spare    = budget - reserved - the windows of channels that the peer may still open
/// ```
pub(super) struct Incoming {
    /// Events that no record caused.
    events: VecDeque<Event<'static>>,
    /// The end of the connection, reported after all other events.
    ended: Option<ChannelFailure>,
    /// Bytes charged for each frame in addition to its payload.
    overhead: u64,
    /// The receive budget in bytes.
    budget: u64,
    /// Bytes that a channel of the peer, accepted with the defaults, takes of the budget: one that
    /// counts bytes, one that counts messages, and the larger of the two.
    bytes_window: u64,
    messages_window: u64,
    channel_bytes: u64,
    /// Channels that the peer may have open.
    channels_max: u32,
    /// Bytes reserved for all channels together.
    reserved: u64,
    /// Channels of the peer that can receive here and have a reserved window.
    receiving: u32,
    /// Time of the last search for unused windows.
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

    /// Whether the budget has room for another window of `bytes`.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        self.reserved + bytes <= self.budget
    }

    /// Bytes by which windows may grow while every channel that the peer may still open keeps its
    /// window.
    pub(super) fn spare(&self) -> u64 {
        let unopened = u64::from(self.channels_max.saturating_sub(self.receiving));
        let kept = self.reserved + unopened * self.channel_bytes;
        self.budget.saturating_sub(kept)
    }

    /// Recomputes the reservation of a channel.
    pub(super) fn update_reservation(&mut self, channel: &mut Channel) {
        // The window of a channel opened by this end is granted by the application and not counted.
        let counted = if channel.is_local {
            0
        } else {
            channel.unit.cost(self.bytes_window, self.messages_window)
        };
        let offered = matches!(channel.stage, Stage::OpenReceived);
        let (before, now) = channel.recv.update_reservation(counted, offered);
        self.count(channel.is_local, before, now);
    }

    /// Clears the reservation of a channel.
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

    /// Reserved bytes, and the budget.
    pub(super) fn budget(&self) -> (u64, u64) {
        (self.reserved, self.budget)
    }

    /// Whether to search for unused windows now, because growth was refused.
    pub(super) fn may_reclaim(&mut self, now: Timestamp) -> bool {
        let recent = |at: Timestamp| now < at.after(UNUSED_AFTER);
        if self.reclaimed_at.is_some_and(recent) {
            return false;
        }
        self.reclaimed_at = Some(now);
        true
    }

    // ---- events

    pub(super) fn push_event(&mut self, event: Event<'static>) {
        self.events.push_back(event);
    }

    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    pub(super) fn next_event(&mut self) -> Option<Event<'static>> {
        self.events.pop_front()
    }

    /// Sets the end, which follows all other events.
    pub(super) fn set_end(&mut self, failure: ChannelFailure) {
        self.ended = Some(failure);
    }

    pub(super) fn take_end(&mut self) -> Option<ChannelFailure> {
        self.ended.take()
    }
}
