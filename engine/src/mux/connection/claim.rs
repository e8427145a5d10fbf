//! Messages written in place.

use super::super::channel::ChannelId;
use super::super::error::ChannelSendError;
use super::super::queue::ENTRY_BYTES;
use super::super::slots::Key;
use super::{Effects, Mux};

#[derive(Clone, Copy, Debug)]
enum Place {
    /// In the open record: the offset of its frame, and its cost.
    Record(usize, u64),
    Queue,
}

/// Room for a message that is being written.
#[derive(Clone, Copy, Debug)]
struct ClaimedRoom {
    key: Key,
    len: usize,
    place: Place,
}

impl Mux {
    /// Reserves room for a message of `len` bytes, to be written in place and then committed.
    ///
    /// # Errors
    /// As [`Self::send`]; [`ChannelSendError::WrongMode`] on a conflated channel.
    pub fn claim(
        &mut self,
        id: ChannelId,
        len: usize,
    ) -> Result<ChannelClaim<'_>, ChannelSendError> {
        let claimed = self.claim_room(id, len)?;
        Ok(ChannelClaim {
            connection: self,
            claimed,
            committed: false,
        })
    }

    /// Reserves room for a message, which is committed or abandoned before any other call.
    fn claim_room(&mut self, id: ChannelId, len: usize) -> Result<ClaimedRoom, ChannelSendError> {
        if self.is_conflated(id) {
            return Err(ChannelSendError::WrongMode);
        }
        if let Some((key, at, charge)) = self.begin_direct(id, len) {
            // Hides the bytes of an earlier record.
            self.outgoing.put_room(len).fill(0);
            let place = Place::Record(at, charge);
            return Ok(ClaimedRoom { key, len, place });
        }
        let key = self.admit(id, len)?;
        self.slots[key].send.queue().room(len);
        let place = Place::Queue;
        Ok(ClaimedRoom { key, len, place })
    }

    /// The bytes of the claimed room.
    fn claimed(&self, room: &ClaimedRoom) -> &[u8] {
        match room.place {
            Place::Record(..) => self.outgoing.last(room.len),
            Place::Queue => {
                let queue = self.slots[room.key].send.queue.as_ref();
                queue.map(|q| q.last_room(room.len)).unwrap_or_default()
            }
        }
    }

    /// As [`Self::claimed`], mutable.
    fn claimed_mut(&mut self, room: &ClaimedRoom) -> &mut [u8] {
        match room.place {
            Place::Record(..) => self.outgoing.last_mut(room.len),
            Place::Queue => self.slots[room.key].send.queue().last_room_mut(room.len),
        }
    }

    /// Sends or queues the written message.
    fn commit(&mut self, room: &ClaimedRoom) {
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

    /// Removes the message.
    fn abandon(&mut self, room: &ClaimedRoom) {
        let channel = &mut self.slots[room.key];
        match room.place {
            Place::Record(at, charge) => {
                self.outgoing.undo_message(at);
                let units = channel.unit.cost(charge, 1);
                channel.send.undo_last(units, room.len);
            }
            Place::Queue => channel.send.queue().abandon(),
        }
    }
}

/// Space for a message: write it, then [`commit`](Self::commit).
///
/// Dropping the claim cancels it: nothing is sent, its credit and its place in the queue are free
/// again, and [`MuxStats::claims_dropped`](super::super::MuxStats::claims_dropped) counts it.
#[must_use = "a claim that is dropped sends nothing: write the message, then commit it"]
pub struct ChannelClaim<'a> {
    connection: &'a mut Mux,
    claimed: ClaimedRoom,
    committed: bool,
}

impl ChannelClaim<'_> {
    /// Sends or queues the written message.
    pub fn commit(mut self) {
        self.committed = true;
        self.connection.commit(&self.claimed);
    }
}

impl core::ops::Deref for ChannelClaim<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.connection.claimed(&self.claimed)
    }
}

impl core::ops::DerefMut for ChannelClaim<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.connection.claimed_mut(&self.claimed)
    }
}

impl Drop for ChannelClaim<'_> {
    fn drop(&mut self) {
        if !self.committed {
            self.connection.abandon(&self.claimed);
            self.connection.totals.count_claim_dropped();
        }
    }
}

impl core::fmt::Debug for ChannelClaim<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ChannelClaim")
            .field("channel", &self.connection.slots[self.claimed.key].id)
            .field("len", &self.claimed.len)
            .finish_non_exhaustive()
    }
}
