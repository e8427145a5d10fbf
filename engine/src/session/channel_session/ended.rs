//! Channels whose halves have both ended, until the application is notified.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::mux::{ChannelId, HalfState, Mux};

/// Largest number of channels with something to send that one round inspects, so that a thousand
/// channels that wait for the peer do not cost time in every batch.
const INSPECTED_MAX: usize = 64;

/// Largest number of stale entries in [`EndedChannels::list`] before they are removed.
const STALE_MAX: usize = 64;

/// The ended channels of one connection.
#[derive(Default, Debug)]
pub(super) struct EndedChannels {
    /// Channels whose halves have both ended, though frames or credit may be outstanding. A channel
    /// with held credit is removed, and returns with its last release.
    list: VecDeque<ChannelId>,
    /// By index: the channel that is on the list or will return to it.
    marks: Vec<Option<ChannelId>>,
    /// Upper bound of the number of stale entries: their channel was closed after they were added.
    stale: usize,
    /// Number of entries left to inspect in this round.
    left: usize,
    /// Number of channels found in this round that have something to send.
    waiting: usize,
}

impl EndedChannels {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// A half of the channel has ended: adds the channel if both have.
    pub(super) fn record(&mut self, core: &Mux, channel: ChannelId) {
        let over = |half| !matches!(half, HalfState::Open | HalfState::Opening);
        let stats = core.channel_stats(channel);
        let both = stats.is_some_and(|s| over(s.sending) && over(s.receiving));
        if !both || self.is_marked(channel) {
            return;
        }
        let index = channel.index();
        if self.marks.len() <= index {
            self.marks.resize(index + 1, None);
        }
        if let Some(mark) = self.marks.get_mut(index) {
            *mark = Some(channel);
            self.list.push_back(channel);
        }
    }

    #[inline]
    pub(super) fn is_marked(&self, channel: ChannelId) -> bool {
        self.marks.get(channel.index()) == Some(&Some(channel))
    }

    /// The last held credit of a channel was released: the channel is inspected next.
    pub(super) fn released(&mut self, channel: ChannelId) {
        self.list.push_front(channel);
    }

    /// The application has closed the channel: its entry is stale.
    pub(super) fn forget(&mut self, channel: ChannelId) {
        if !self.is_marked(channel) {
            return;
        }
        if let Some(mark) = self.marks.get_mut(channel.index()) {
            *mark = None;
        }
        self.stale += 1;
        if self.stale > STALE_MAX && self.stale > self.list.len() / 2 {
            self.stale = 0;
            let marks = &self.marks;
            self.list
                .retain(|c| marks.get(c.index()) == Some(&Some(*c)));
        }
    }

    /// Starts a round, which inspects every entry, except those after too many channels that have
    /// something to send.
    pub(super) fn begin_round(&mut self) {
        self.left = self.list.len();
        self.waiting = 0;
    }

    /// The next channel that has nothing left to send, to wait for or to release.
    pub(super) fn next(&mut self, core: &Mux) -> Option<ChannelId> {
        while let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            let channel = self.list.pop_front()?;
            if !self.is_marked(channel) {
                self.stale = self.stale.saturating_sub(1);
                continue; // the application has closed the channel
            }
            if has_ended(core, channel) {
                return Some(channel);
            }
            if is_held(core, channel) {
                continue;
            }
            self.list.push_back(channel);
            self.waiting += 1;
            if self.waiting == INSPECTED_MAX {
                self.left = 0;
            }
        }
        None
    }
}

/// Whether received messages of the channel are not yet released.
pub(super) fn is_held(core: &Mux, channel: ChannelId) -> bool {
    let stats = core.channel_stats(channel);
    stats.is_some_and(|stats| stats.held_bytes > 0)
}

/// Whether the channel has nothing left to send, to wait for or to release.
fn has_ended(core: &Mux, channel: ChannelId) -> bool {
    core.channel_stats(channel).is_none_or(|s| {
        use HalfState::{Aborted, Ending, Finished, None};
        // A stopped half needs no further call of this endpoint.
        let receiving = matches!(s.receiving, None | Finished | Aborted | Ending);
        let sending = matches!(s.sending, None | Finished | Aborted);
        receiving && sending && s.held_bytes == 0
    })
}
