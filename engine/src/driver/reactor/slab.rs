//! The table of a reactor's connections.

use std::boxed::Box;
use std::vec::Vec;

use super::super::handler::{ConnId, Links};
use super::super::timers_full::TimersFull;
use super::link::{Link, Phase};
use super::timers::Timers;
use crate::buf::BufPool;
use crate::conn::Outbox;
use crate::session::{Session, Stats};
use crate::time::Timestamp;

/// Connections by index, the timers, and the connections with queued work.
#[derive(Debug)]
pub(super) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    open: usize,
    pub(super) timers: Timers,
    /// The buffers of all connections.
    pub(super) pool: BufPool,
    /// Connections with work that no readiness event will announce: output queued by another
    /// connection, more input than one turn reads, reading resumed. Each connection at most once.
    pub(super) again: Vec<ConnId>,
    /// An empty list that replaces `again` while `again` is served.
    pub(super) spare: Vec<ConnId>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    /// `None` while the slot is free and while the connection is being served.
    link: Option<Box<Link<T>>>,
}

impl<T> Slot<T> {
    /// The session of a connection that is open for the application.
    fn open(&self) -> Option<&Session> {
        match self.link.as_deref()? {
            Link {
                phase: Phase::Open(session),
                flow,
                ..
            } if !flow.close_called => Some(session),
            _ => None,
        }
    }
}

impl<T> Slab<T> {
    pub(super) fn new(pool: BufPool) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            open: 0,
            timers: Timers::default(),
            pool,
            again: Vec::new(),
            spare: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    /// Reserves a slot for a connection; [`Self::put`] follows.
    pub(super) fn reserve(&mut self) -> ConnId {
        self.open += 1;
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                link: None,
            });
            (self.slots.len() - 1) as u32 // the number of file descriptors is far smaller
        });
        ConnId {
            index,
            generation: self.slots[index as usize].generation,
        }
    }

    pub(super) fn id(&self, index: usize) -> Option<ConnId> {
        let generation = self.slots.get(index)?.generation;
        Some(ConnId {
            index: index as u32,
            generation,
        })
    }

    /// Takes a connection out of its slot, to serve it.
    pub(super) fn take(&mut self, id: ConnId) -> Option<Box<Link<T>>> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.generation == id.generation {
            slot.link.take()
        } else {
            None
        }
    }

    pub(super) fn put(&mut self, id: ConnId, link: Box<Link<T>>) {
        if let Some(slot) = self.slots.get_mut(id.index as usize) {
            slot.link = Some(link);
        }
    }

    /// Frees the slot of a connection that has ended, and makes its id invalid.
    pub(super) fn release(&mut self, id: ConnId) {
        if let Some(slot) = self.slots.get_mut(id.index as usize) {
            slot.generation = slot.generation.wrapping_add(1);
            slot.link = None;
            self.free.push(id.index);
            self.open -= 1;
        }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = ConnId> {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.link.is_some())
            .map(|(i, slot)| ConnId {
                index: i as u32,
                generation: slot.generation,
            })
    }

    /// Queues the connection to be served before the next wait.
    fn queue(&mut self, id: ConnId) -> Option<&mut Link<T>> {
        let Self { slots, again, .. } = self;
        let slot = slots.get_mut(id.index as usize)?;
        let link = slot
            .link
            .as_deref_mut()
            .filter(|_| slot.generation == id.generation)?;
        if !core::mem::replace(&mut link.flow.queued, true) {
            again.push(id);
        }
        Some(link)
    }
}

impl<T> Links for Slab<T> {
    fn outbox(&mut self, id: ConnId) -> Option<&mut Outbox> {
        self.queue(id)?;
        let Self { slots, pool, .. } = self;
        let link = slots.get_mut(id.index as usize)?.link.as_deref_mut()?;
        if link.flow.close_called {
            return None; // ended for the application
        }
        let Phase::Open(session) = &mut link.phase else {
            return None;
        };
        let (_, write) = session.halves();
        write.attach(pool);
        Some(write.outbox())
    }

    fn next_open(&self, index: u32) -> Option<ConnId> {
        let slots = self.slots.iter().enumerate().skip(index as usize);
        let mut open = slots.filter(|(_, slot)| slot.open().is_some());
        open.next().map(|(index, slot)| ConnId {
            index: index as u32,
            generation: slot.generation,
        })
    }

    fn stats(&self, id: ConnId) -> Option<Stats> {
        let slot = self.slots.get(id.index as usize)?;
        let session = slot.open().filter(|_| slot.generation == id.generation)?;
        Some(session.stats())
    }

    fn resume(&mut self, id: ConnId) {
        match self.queue(id) {
            Some(link) => link.flow.paused = false,
            // The connection of the current callback, which is not in its slot.
            None => self.again.push(id),
        }
    }

    fn timer(&mut self, id: ConnId, at: Timestamp, token: u64) -> Result<(), TimersFull> {
        self.timers.user(at, id, token)
    }

    fn layer_timer(&mut self, id: ConnId, at: Timestamp, token: u64) {
        self.timers.layer(at, id, token);
    }

    fn open(&self) -> usize {
        self.open
    }
}
