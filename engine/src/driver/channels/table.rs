//! The channels of all connections of a reactor.

use std::boxed::Box;
use std::vec::Vec;

use super::super::handler::{ConnId, Hub};
use super::super::reactor::DEADLINE_AHEAD_MAX;
use super::connection::Channels;
use super::multiplexed::TIMER_TOKEN;
use crate::time::Timestamp;

/// By connection. The one that is being served is taken out for as long.
#[derive(Default)]
pub(super) struct Table {
    slots: Vec<Option<Box<Channels>>>,
    /// Connections that another one's call, or a command, has used.
    dirty: Vec<ConnId>,
    /// Bytes received since these were looked after.
    pub(super) received: usize,
}

/// Bytes received on one connection after which what it has sent on others moves on, though more
/// is at hand: about a record.
const SERVE_AFTER_BYTES: usize = 16 << 10;

impl Table {
    pub(super) fn insert(&mut self, id: ConnId, channels: Box<Channels>) {
        let index = id.index as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        self.put(channels);
    }

    /// Takes the channels of a connection out.
    pub(super) fn take(&mut self, id: ConnId) -> Option<Box<Channels>> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.as_ref().is_some_and(|channels| channels.id == id) {
            slot.take()
        } else {
            None
        }
    }

    /// Puts back what was taken out.
    pub(super) fn put(&mut self, channels: Box<Channels>) {
        if let Some(slot) = self.slots.get_mut(channels.id.index as usize) {
            *slot = Some(channels);
        }
    }

    /// Those of another connection, which is looked after when the call is over.
    pub(super) fn other(&mut self, id: ConnId, now: Timestamp) -> Option<&mut Channels> {
        let slot = self.slots.get_mut(id.index as usize)?;
        let channels = slot.as_deref_mut().filter(|channels| channels.id == id)?;
        if !core::mem::replace(&mut channels.dirty, true) {
            self.dirty.push(id);
            channels.core.tell_time(now);
        }
        Some(channels)
    }

    /// Whether other connections should be looked after before the batch ends.
    pub(super) fn is_due(&self) -> bool {
        self.received >= SERVE_AFTER_BYTES && !self.dirty.is_empty()
    }

    /// Moves what was sent on other connections into their outboxes. Where the handler has to be
    /// told something, they are asked to call.
    pub(super) fn serve_others(&mut self, hub: &mut Hub<'_>) {
        self.received = 0;
        while let Some(id) = self.dirty.pop() {
            let Some(channels) = self
                .slots
                .get_mut(id.index as usize)
                .and_then(Option::as_deref_mut)
                .filter(|channels| channels.id == id)
            else {
                continue;
            };
            channels.dirty = false;
            let now = hub.now();
            let Some(outbox) = hub.outbox(id) else {
                continue; // it is gone, and its close is on the way
            };
            // What ends the channels is told before the connection is closed for it.
            if !channels.has_news() {
                channels.fill(outbox, now);
            }
            if channels.has_news() || !channels.ending.is_empty() {
                outbox.notify_below(usize::MAX);
            }
            arm(channels, hub);
        }
    }
}

/// Has the reactor call when the core's next deadline is due, or before, if that is far away.
pub(super) fn arm(channels: &mut Channels, hub: &mut Hub<'_>) {
    let Some(at) = channels.core.poll_timeout() else {
        return;
    };
    // Later than this turn, or a deadline that stays would never let it end.
    let soonest = Timestamp(hub.now().0 + 1);
    let at = at.clamp(soonest, hub.now().after(DEADLINE_AHEAD_MAX));
    if channels.alarms.last().is_none_or(|&next| at < next) {
        hub.links.layer_timer(channels.id, at, TIMER_TOKEN);
        channels.alarms.push(at);
    }
}
