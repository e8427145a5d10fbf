//! The channels of all connections of a reactor.

use std::boxed::Box;
use std::vec::Vec;

use super::super::handler::{ConnId, Hub};
use super::super::reactor::DEADLINE_AHEAD_MAX;
use super::multiplexed::TIMER_TOKEN;
use crate::session::channels::{ChannelSession, Channels};
use crate::time::Timestamp;

/// The channel session of one connection, and its timers.
pub(super) struct Entry {
    pub(super) id: ConnId,
    pub(super) session: ChannelSession,
    /// The connection is in [`Table::dirty`].
    dirty: bool,
    /// The timers that are set on the reactor, the earliest last. A timer is only set if it is
    /// earlier than all others, so there are few: at most one per kind of deadline.
    timers: Vec<Timestamp>,
}

impl Entry {
    pub(super) fn new(id: ConnId, session: ChannelSession) -> Self {
        Self {
            id,
            session,
            dirty: false,
            timers: Vec::with_capacity(4),
        }
    }

    /// A timer of the channels has fired.
    pub(super) fn timer_fired(&mut self, now: Timestamp) {
        while self.timers.pop_if(|at| *at <= now).is_some() {}
    }
}

/// The entries of all connections, by index. The entry of the connection that is being served is
/// taken out of the table meanwhile.
#[derive(Default)]
pub(super) struct Table {
    slots: Vec<Option<Box<Entry>>>,
    /// Connections that were used by a callback for another connection, or for a command.
    dirty: Vec<ConnId>,
    /// Connections with channels, including an entry that is taken out.
    pub(super) open: usize,
    /// Bytes received since the dirty connections were last served.
    pub(super) received: usize,
}

/// Bytes received on one connection after which dirty connections are served, even if more bytes
/// are waiting: about one record.
const SERVE_AFTER_BYTES: usize = 16 << 10;

impl Table {
    pub(super) fn insert(&mut self, entry: Box<Entry>) {
        let index = entry.id.index as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        self.put(entry);
    }

    /// Takes the entry of a connection out of the table.
    pub(super) fn take(&mut self, id: ConnId) -> Option<Box<Entry>> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.as_ref().is_some_and(|entry| entry.id == id) {
            slot.take()
        } else {
            None
        }
    }

    /// Puts an entry back into the table.
    pub(super) fn put(&mut self, entry: Box<Entry>) {
        if let Some(slot) = self.slots.get_mut(entry.id.index as usize) {
            *slot = Some(entry);
        }
    }

    /// The connections in the table, without an entry that is taken out.
    pub(super) fn ids(&self) -> impl Iterator<Item = ConnId> {
        self.slots.iter().flatten().map(|entry| entry.id)
    }

    /// The channels of a connection other than the current one. Marks that connection as dirty, so
    /// that it is served after the callback.
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

    /// Whether dirty connections should be served before the batch ends.
    pub(super) fn is_due(&self) -> bool {
        self.received >= SERVE_AFTER_BYTES && !self.dirty.is_empty()
    }

    /// Serves the dirty connections: moves their queued messages into their outboxes. A connection
    /// with events for the handler gets a `drained` callback, which delivers them.
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
                continue; // the connection has ended; its `close` callback follows
            };
            let session = &mut entry.session;
            // Events are delivered before a fill, because the fill can close the connection.
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

/// Sets a timer on the reactor for the next deadline of the channels, or for an earlier time if the
/// deadline is far away.
pub(super) fn arm(entry: &mut Entry, hub: &mut Hub<'_>) {
    let Some(at) = entry.session.poll_timeout() else {
        return;
    };
    // After the time of this turn: else a deadline that stays due would keep the turn from ending.
    let soonest = Timestamp(hub.now().0 + 1);
    let at = at.clamp(soonest, hub.now().after(DEADLINE_AHEAD_MAX));
    if entry.timers.last().is_none_or(|&next| at < next) {
        hub.links.layer_timer(entry.id, at, TIMER_TOKEN);
        entry.timers.push(at);
    }
}
