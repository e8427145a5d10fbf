//! Messages that are written in their place.

use super::super::channel::ChannelId;
use super::super::error::ChannelSendError;
use super::super::queue::ENTRY_BYTES;
use super::super::slots::Key;
use super::{Effects, Mux};

#[derive(Clone, Copy, Debug)]
enum Place {
    /// In the open record: where its frame begins, and its cost.
    Record(usize, u64),
    Queue,
}

/// Room for a message that is being written.
#[derive(Clone, Copy, Debug)]
struct Reserved {
    key: Key,
    len: usize,
    place: Place,
}

impl Mux {
    /// Room for a message of `len` bytes, to be written in place and then committed.
    ///
    /// # Errors
    /// As [`Self::send`]; [`ChannelSendError::WrongMode`] on a conflated channel.
    pub fn claim(
        &mut self,
        id: ChannelId,
        len: usize,
    ) -> Result<ChannelClaim<'_>, ChannelSendError> {
        let reserved = self.reserve(id, len)?;
        Ok(ChannelClaim {
            connection: self,
            reserved,
            committed: false,
        })
    }

    /// Room for a message. It is committed or abandoned before anything else is done with the
    /// connection.
    fn reserve(&mut self, id: ChannelId, len: usize) -> Result<Reserved, ChannelSendError> {
        if self.is_conflated(id) {
            return Err(ChannelSendError::WrongMode);
        }
        if let Some((key, at, charge)) = self.begin_direct(id, len) {
            // What an earlier record has left there is not shown.
            self.outgoing.put_room(len).fill(0);
            let place = Place::Record(at, charge);
            return Ok(Reserved { key, len, place });
        }
        let key = self.admit(id, len)?;
        self.slots[key].send.queue().room(len);
        let place = Place::Queue;
        Ok(Reserved { key, len, place })
    }

    /// The bytes of a reservation.
    fn reserved(&self, room: &Reserved) -> &[u8] {
        match room.place {
            Place::Record(..) => self.outgoing.last(room.len),
            Place::Queue => {
                let queue = self.slots[room.key].send.queue.as_ref();
                queue.map(|q| q.last_room(room.len)).unwrap_or_default()
            }
        }
    }

    /// As [`Self::reserved`], to write.
    fn reserved_mut(&mut self, room: &Reserved) -> &mut [u8] {
        match room.place {
            Place::Record(..) => self.outgoing.last_mut(room.len),
            Place::Queue => self.slots[room.key].send.queue().last_room_mut(room.len),
        }
    }

    /// The message is written: it is sent, or queued.
    fn commit(&mut self, room: &Reserved) {
        match room.place {
            Place::Record(..) => {} // counted already
            Place::Queue => {
                let queue = self.slots[room.key].send.queue();
                queue.commit(room.len, 0, self.now);
                self.outgoing.enqueued(room.len + ENTRY_BYTES);
                self.apply(room.key, Effects::SCHEDULE);
            }
        }
    }

    /// The message is not sent.
    fn abandon(&mut self, room: &Reserved) {
        let channel = &mut self.slots[room.key];
        match room.place {
            Place::Record(at, charge) => {
                self.outgoing.take_back(at);
                let units = channel.unit.cost(charge, 1);
                channel.send.take_back(units, room.len);
            }
            Place::Queue => channel.send.queue().abandon(),
        }
    }
}

/// Room for a message in its place: write it, then [`commit`](Self::commit).
///
/// A claim that is dropped is cancelled: nothing is sent, its credit and its place in the queue are
/// free again, and [`MuxStats::claims_dropped`](super::super::MuxStats::claims_dropped) counts it.
#[must_use = "a claim that is dropped sends nothing: write the message, then commit it"]
pub struct ChannelClaim<'a> {
    connection: &'a mut Mux,
    reserved: Reserved,
    committed: bool,
}

impl ChannelClaim<'_> {
    /// The message is written: it is sent, or queued.
    pub fn commit(mut self) {
        self.committed = true;
        self.connection.commit(&self.reserved);
    }
}

impl core::ops::Deref for ChannelClaim<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.connection.reserved(&self.reserved)
    }
}

impl core::ops::DerefMut for ChannelClaim<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.connection.reserved_mut(&self.reserved)
    }
}

impl Drop for ChannelClaim<'_> {
    fn drop(&mut self) {
        if !self.committed {
            self.connection.abandon(&self.reserved);
            self.connection.totals.count_claim_dropped();
        }
    }
}

impl core::fmt::Debug for ChannelClaim<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ChannelClaim")
            .field("channel", &self.connection.slots[self.reserved.key].id)
            .field("len", &self.reserved.len)
            .finish_non_exhaustive()
    }
}
