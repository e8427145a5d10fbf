//! The channels of all connections of a reactor.

use std::boxed::Box;
use std::vec::Vec;

use super::super::handler::{ConnId, Hub};
use super::super::reactor::DEADLINE_AHEAD_MAX;
use super::multiplexed::TIMER_TOKEN;
use crate::session::channels::{ChannelSession, Channels};
use crate::time::Timestamp;

/// The channels of one connection, and what the reactor has to know of them.
pub(super) struct Entry {
    pub(super) id: ConnId,
    pub(super) session: ChannelSession,
    /// It is on the table's list of connections that another one's call has used.
    dirty: bool,
    /// Timers of the reactor that are set, the earliest last. Each was earlier than all before
    /// it when it was set, of which there are as many as there are kinds of deadlines.
    alarms: Vec<Timestamp>,
}

impl Entry {
    pub(super) fn new(id: ConnId, session: ChannelSession) -> Self {
        Self {
            id,
            session,
            dirty: false,
            alarms: Vec::with_capacity(4),
        }
    }

    /// A timer of the channels has come.
    pub(super) fn timer_came(&mut self, now: Timestamp) {
        while self.alarms.pop_if(|at| *at <= now).is_some() {}
    }
}

/// By connection. The one that is being served is taken out for as long.
#[derive(Default)]
pub(super) struct Table {
    slots: Vec<Option<Box<Entry>>>,
    /// Connections that another one's call, or a command, has used.
    dirty: Vec<ConnId>,
    /// Connections with channels, those included that are taken out.
    pub(super) open: usize,
    /// Bytes received since these were looked after.
    pub(super) received: usize,
}

/// Bytes received on one connection after which what it has sent on others moves on, though more
/// is at hand: about a record.
const SERVE_AFTER_BYTES: usize = 16 << 10;

impl Table {
    pub(super) fn insert(&mut self, entry: Box<Entry>) {
        let index = entry.id.index as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        self.put(entry);
    }

    /// Takes the channels of a connection out.
    pub(super) fn take(&mut self, id: ConnId) -> Option<Box<Entry>> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.as_ref().is_some_and(|entry| entry.id == id) {
            slot.take()
        } else {
            None
        }
    }

    /// Puts back what was taken out.
    pub(super) fn put(&mut self, entry: Box<Entry>) {
        if let Some(slot) = self.slots.get_mut(entry.id.index as usize) {
            *slot = Some(entry);
        }
    }

    /// The connections that are not taken out.
    pub(super) fn ids(&self) -> impl Iterator<Item = ConnId> {
        self.slots.iter().flatten().map(|entry| entry.id)
    }

    /// Those of another connection, which is looked after when the call is over.
    pub(super) fn other(&mut self, id: ConnId, now: Timestamp) -> Option<&mut Channels> {
        let slot = self.slots.get_mut(id.index as usize)?;
        let entry = slot.as_deref_mut().filter(|entry| entry.id == id)?;
        let channels = entry.session.channels_mut();
        if !core::mem::replace(&mut entry.dirty, true) {
            self.dirty.push(id);
            channels.set_time(now);
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
            let Some(entry) = self
                .slots
                .get_mut(id.index as usize)
                .and_then(Option::as_deref_mut)
                .filter(|entry| entry.id == id)
            else {
                continue;
            };
            entry.dirty = false;
            let now = hub.now();
            let Some(outbox) = hub.outbox(id) else {
                continue; // it is gone, and its close is on the way
            };
            let session = &mut entry.session;
            // What ends the channels is told before the connection is closed for it.
            if !session.has_events() {
                session.fill(outbox, now);
            }
            if session.has_events() || session.may_have_ended() {
                outbox.notify_below(usize::MAX);
            }
            arm(entry, hub);
        }
    }
}

/// Has the reactor call when the next deadline of the channels is due, or before, if that is far
/// away.
pub(super) fn arm(entry: &mut Entry, hub: &mut Hub<'_>) {
    let Some(at) = entry.session.poll_timeout() else {
        return;
    };
    // Later than this turn, or a deadline that stays would never let it end.
    let soonest = Timestamp(hub.now().0 + 1);
    let at = at.clamp(soonest, hub.now().after(DEADLINE_AHEAD_MAX));
    if entry.alarms.last().is_none_or(|&next| at < next) {
        hub.links.layer_timer(entry.id, at, TIMER_TOKEN);
        entry.alarms.push(at);
    }
}
