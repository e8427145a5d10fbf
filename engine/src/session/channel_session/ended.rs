//! Channels whose halves are both over, until the application is told that they have ended.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::mux::{ChannelId, HalfState, Mux};

/// Channels that have more to send and are looked at in one round, so that a thousand that wait
/// for their peer do not cost every batch.
const INSPECTED_MAX: usize = 64;

/// Entries of [`EndedChannels::list`] that may be of no use before they are taken off.
const STALE_MAX: usize = 64;

/// See the module. One for each connection.
#[derive(Default, Debug)]
pub(super) struct EndedChannels {
    /// Channels whose halves have both been ended by somebody, until that is carried out. Those
    /// of which something is held are taken off, and come back with their last release.
    list: VecDeque<ChannelId>,
    /// By index: the channel that is on the list, or is to come back to it.
    marks: Vec<Option<ChannelId>>,
    /// Entries whose channel was let go of since they were made, at most.
    stale: usize,
    /// How many more are looked at in this round.
    left: usize,
    /// Channels found in this round that have more to send.
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

    /// Half of the channel was ended, by one end or the other.
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

    /// The last that was held of a channel was released: it is looked at next.
    pub(super) fn released(&mut self, channel: ChannelId) {
        self.list.push_front(channel);
    }

    /// The application has the channel no more.
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

    /// A round begins: all that have ended are found in it, but for those behind too many that
    /// have more to send.
    pub(super) fn begin_round(&mut self) {
        self.left = self.list.len();
        self.waiting = 0;
    }

    /// The next channel of which nothing is left to send, to wait for or to release.
    pub(super) fn next(&mut self, core: &Mux) -> Option<ChannelId> {
        while let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            let channel = self.list.pop_front()?;
            if !self.is_marked(channel) {
                self.stale = self.stale.saturating_sub(1);
                continue; // the application has let go of it
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

/// Whether something of the channel is to be released.
pub(super) fn is_held(core: &Mux, channel: ChannelId) -> bool {
    let stats = core.channel_stats(channel);
    stats.is_some_and(|stats| stats.held_bytes > 0)
}

/// Whether nothing of the channel is left to send, to wait for or to release.
fn has_ended(core: &Mux, channel: ChannelId) -> bool {
    core.channel_stats(channel).is_none_or(|s| {
        use HalfState::{Aborted, Ending, Finished, None};
        // A half that we have stopped ends without us.
        let receiving = matches!(s.receiving, None | Finished | Aborted | Ending);
        let sending = matches!(s.sending, None | Finished | Aborted);
        receiving && sending && s.held_bytes == 0
    })
}
