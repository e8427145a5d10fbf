//! Messages of the application.

use alloc::collections::VecDeque;

use bytes::Bytes;

use super::super::channel::{Channel, ChannelId, SendHalf, SendState};
use super::super::error::SendError;
use super::super::open::Unit;
use super::super::queue::{ENTRY_BYTES, Queue, SharedFrame};
use super::super::wire;
use super::Connection;

/// Bytes of the longest DATA head without a skip: type, alias, length.
pub(super) const DATA_HEAD_MAX: usize = 1 + 4 + 4;

impl Connection {
    /// Sends a message, or queues it: for the channel's turn, its credit, or its answer. On a
    /// conflated channel it is the message with key 0.
    ///
    /// # Errors
    /// [`SendError`]; nothing is taken then. After [`SendError::WouldBlock`],
    /// [`poll_writable`](Self::poll_writable) tells when to try again.
    #[inline]
    pub fn send(&mut self, id: ChannelId, payload: &[u8]) -> Result<(), SendError> {
        if self.send_direct(id, payload).is_some() {
            return Ok(());
        }
        self.send_queued(id, payload)
    }

    /// Straight into the open record, where nothing stands before it.
    #[inline]
    fn send_direct(&mut self, id: ChannelId, payload: &[u8]) -> Option<()> {
        self.direct_room(id, payload.len())?;
        self.record.extend_from_slice(payload);
        Some(())
    }

    /// Writes the head of a message of `len` bytes into the open record, takes its credit and
    /// counts it, if it can go there at once. Gives where its frame begins, and its cost.
    #[inline]
    fn direct_room(&mut self, id: ChannelId, len: usize) -> Option<(usize, u64)> {
        if !self.direct {
            return None;
        }
        let channel = self.slots.by_id_mut(id)?;
        let send = &mut channel.send;
        let alias = channel.own_alias?;
        let at = self.record.len();
        if send.state != SendState::Sending
            || len > send.message_max as usize
            || send.queued() != 0
            || send.skip != 0
            || !channel.pending.is_empty()
            || at + DATA_HEAD_MAX + len > self.peer_record_max
        {
            return None;
        }
        let charge = len as u64 + self.peer_overhead;
        let units = match channel.unit {
            Unit::Bytes => charge,
            Unit::Messages => 1,
        };
        if self.send.available() < self.begun + charge || send.credit.spend(units).is_err() {
            return None;
        }
        self.send.spend(charge).ok()?;
        channel.used = true;
        self.carries_data = true;
        send.next_seq += 1;
        send.messages += 1;
        wire::put_message_head(&mut self.record, alias, len);
        // Apart from the other count: side by side, the two are added as a vector, in more steps.
        send.bytes += len as u64;
        self.last_data = Some((at, (self.record.len() - at) as u8));
        Some((at, charge))
    }

    /// Before `len` bytes are refused for want of room, what is dead in the channel's queue goes.
    fn make_room(&mut self, id: ChannelId, len: usize) {
        let settings = &self.settings;
        let least = settings
            .channel_queue_bytes_max
            .min(settings.connection_queue_bytes_max);
        if self.queued + len + ENTRY_BYTES > least as usize
            && self.slots.by_id(id).is_some_and(|c| c.ttl.is_some())
        {
            self.drop_dead(id.index);
        }
    }

    /// The channel, if it takes a message of `len` bytes now.
    pub(super) fn admit(&mut self, id: ChannelId, len: usize) -> Result<&mut Channel, SendError> {
        if let Some(failure) = self.failure() {
            return Err(SendError::Closed(failure.code()));
        }
        self.make_room(id, len);
        let ready = self.peer.is_some();
        let all = self.queued + len + ENTRY_BYTES;
        let connection_full = all > self.settings.connection_queue_bytes_max as usize;
        let channel_max = self.settings.channel_queue_bytes_max as usize;
        let channel = self
            .slots
            .by_id_mut(id)
            .filter(|c| c.attached)
            .ok_or(SendError::UnknownChannel)?;
        let send = &mut channel.send;
        if let Some(code) = send.stopped {
            return Err(SendError::Stopped(code));
        }
        if send.state != SendState::Sending {
            return Err(SendError::Finished);
        }
        if !ready {
            // What it takes is known with its HELLO.
            send.wants_room = true;
            return Err(SendError::WouldBlock);
        }
        if len > send.message_max as usize {
            return Err(SendError::TooLarge {
                len,
                max: send.message_max as usize,
            });
        }
        // One message of a channel is always taken: the largest, or one beside channels that do
        // not get on and fill what all may keep (I5).
        let queued = send.queued();
        let channel_full = queued + len + ENTRY_BYTES > channel_max;
        if queued != 0 && (channel_full || connection_full) {
            wait_for_room(send, connection_full.then_some(&mut self.room_waiters), id);
            return Err(SendError::WouldBlock);
        }
        Ok(channel)
    }

    fn queue_of(channel: &mut Channel) -> &mut Queue {
        channel.send.queue.get_or_insert_default()
    }

    fn queued(&mut self, index: u32, bytes: usize) {
        self.queued += bytes;
        self.make_ready(index);
    }

    #[inline(never)]
    fn send_queued(&mut self, id: ChannelId, payload: &[u8]) -> Result<(), SendError> {
        if self.slots.by_id(id).is_some_and(|c| c.conflate) {
            return self.send_keyed(id, 0, payload);
        }
        let now = self.now;
        let channel = self.admit(id, payload.len())?;
        Self::queue_of(channel).push(payload, 0, now);
        self.queued(id.index, payload.len() + ENTRY_BYTES);
        Ok(())
    }

    /// Sends the newest message of a key on a conflated channel. One of the same key that still
    /// waits is replaced, in its place, and counted for the peer as skipped.
    ///
    /// # Errors
    /// As [`Self::send`]; [`SendError::WrongMode`] on other channels.
    pub fn send_keyed(&mut self, id: ChannelId, key: u64, payload: &[u8]) -> Result<(), SendError> {
        let channel = self.slots.by_id(id).ok_or(SendError::UnknownChannel)?;
        if !channel.conflate {
            return Err(SendError::WrongMode);
        }
        if self.send_direct(id, payload).is_some() {
            return Ok(());
        }
        let now = self.now;
        let waiting = self
            .slots
            .by_id(id)
            .and_then(|c| c.send.queue.as_ref()?.waiting(key));
        // What replaces a message needs no room but for what it is longer.
        let len = payload.len();
        let channel = match waiting {
            Some(old) if self.failure().is_none() => self.admit_replacement(id, old, len)?,
            _ => self.admit(id, len)?,
        };
        if Self::queue_of(channel).put_keyed(key, payload, now) {
            channel.send.skip += 1;
            channel.send.skipped_total += 1;
            let old = waiting.unwrap_or(0);
            let (starved, in_bytes) = (channel.send.starved, channel.unit == Unit::Bytes);
            self.queued = self.queued + len - old;
            // Of a shorter one as much credit as there is may do.
            if len < old && starved {
                self.starved_least = 0;
            } else if len < old && in_bytes {
                self.make_ready(id.index);
            }
        } else {
            self.queued(id.index, len + ENTRY_BYTES);
        }
        Ok(())
    }

    fn admit_replacement(
        &mut self,
        id: ChannelId,
        old: usize,
        len: usize,
    ) -> Result<&mut Channel, SendError> {
        let all = self.queued.saturating_sub(old) + len;
        let connection_full = all > self.settings.connection_queue_bytes_max as usize;
        let channel_max = self.settings.channel_queue_bytes_max as usize;
        let channel = self.slots.by_id_mut(id).ok_or(SendError::UnknownChannel)?;
        let send = &mut channel.send;
        if let Some(code) = send.stopped {
            return Err(SendError::Stopped(code));
        }
        if send.state != SendState::Sending {
            return Err(SendError::Finished);
        }
        if len > send.message_max as usize {
            return Err(SendError::TooLarge {
                len,
                max: send.message_max as usize,
            });
        }
        let others = send.queued().saturating_sub(old + ENTRY_BYTES);
        let channel_full = others + len + ENTRY_BYTES > channel_max;
        if len > old && others != 0 && (channel_full || connection_full) {
            wait_for_room(send, connection_full.then_some(&mut self.room_waiters), id);
            return Err(SendError::WouldBlock);
        }
        Ok(channel)
    }

    /// As [`Self::send`], sharing the payload while it waits.
    ///
    /// # Errors
    /// As [`Self::send`], with the payload handed back.
    pub fn send_bytes(&mut self, id: ChannelId, payload: Bytes) -> Result<(), (SendError, Bytes)> {
        let conflated = self.slots.by_id(id).is_some_and(|c| c.conflate);
        if conflated || payload.len() < SHARED_BYTES_MIN {
            return self.send(id, &payload).map_err(|e| (e, payload));
        }
        if self.send_direct(id, &payload).is_some() {
            return Ok(());
        }
        let (now, len) = (self.now, payload.len());
        match self.admit(id, len) {
            Ok(channel) => Self::queue_of(channel).push_shared(payload, now),
            Err(e) => return Err((e, payload)),
        }
        self.queued(id.index, len + ENTRY_BYTES);
        Ok(())
    }

    /// Sends a message that was encoded before: as it is, where the channel has the alias it
    /// was encoded for, a large one without a copy; else as [`Self::send`].
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_shared(&mut self, id: ChannelId, frame: &SharedFrame) -> Result<(), SendError> {
        let payload = frame.payload();
        let fits = self.slots.by_id(id).is_some_and(|c| {
            c.own_alias.or(c.chosen_alias()) == Some(frame.alias()) && !c.conflate
        });
        if !fits || payload.len() < SHARED_BYTES_MIN {
            return self.send(id, payload);
        }
        let now = self.now;
        let channel = self.admit(id, payload.len())?;
        Self::queue_of(channel).push_frame(frame.clone(), now);
        self.queued(id.index, payload.len() + ENTRY_BYTES);
        Ok(())
    }

    /// Sends messages of `elem` bytes each, one behind the other, under one header: as many
    /// RUNs as credit and records ask for.
    ///
    /// # Errors
    /// As [`Self::send`]; [`SendError::BadRun`], [`SendError::WrongMode`].
    pub fn send_run(&mut self, id: ChannelId, elem: usize, bytes: &[u8]) -> Result<(), SendError> {
        if elem == 0 || bytes.is_empty() || !bytes.len().is_multiple_of(elem) {
            return Err(SendError::BadRun);
        }
        if self.slots.by_id(id).is_some_and(|c| c.conflate) {
            return Err(SendError::WrongMode);
        }
        let elem_max = self.peer_record_max.saturating_sub(RUN_HEAD_MAX);
        if self.peer.is_some() && elem > elem_max {
            return Err(SendError::TooLarge {
                len: elem,
                max: elem_max,
            });
        }
        let now = self.now;
        let (queue_max, len) = (self.settings.channel_queue_bytes_max as usize, bytes.len());
        if len > queue_max {
            return Err(SendError::TooLarge {
                len,
                max: queue_max,
            });
        }
        self.make_room(id, len);
        let all = self.queued + len + ENTRY_BYTES;
        let connection_full =
            self.queued != 0 && all > self.settings.connection_queue_bytes_max as usize;
        self.admit(id, elem)?;
        let channel = self.slots.by_id_mut(id).ok_or(SendError::UnknownChannel)?;
        let send = &mut channel.send;
        let queued = send.queued();
        let channel_full = queued != 0 && queued + len + ENTRY_BYTES > queue_max;
        // A run that is no longer than a message is taken as one.
        let lone = queued == 0 && len <= send.message_max as usize;
        if channel_full || connection_full && !lone {
            wait_for_room(send, connection_full.then_some(&mut self.room_waiters), id);
            return Err(SendError::WouldBlock);
        }
        let channel = self.slots.by_id_mut(id).ok_or(SendError::UnknownChannel)?;
        Self::queue_of(channel).push(bytes, elem as u32, now);
        self.queued(id.index, len + ENTRY_BYTES);
        Ok(())
    }

    /// Room for a message of `len` bytes, to be written in place and then committed.
    ///
    /// # Errors
    /// As [`Self::send`]; [`SendError::WrongMode`] on a conflated channel.
    pub fn claim(&mut self, id: ChannelId, len: usize) -> Result<Claim<'_>, SendError> {
        let reserved = self.reserve(id, len)?;
        Ok(Claim {
            connection: self,
            reserved,
            committed: false,
        })
    }

    /// As [`Self::claim`], for a caller that cannot hold a borrow. What it gives must be
    /// committed or abandoned before anything else is done with the connection.
    pub(crate) fn reserve(&mut self, id: ChannelId, len: usize) -> Result<Reserved, SendError> {
        if self.slots.by_id(id).is_some_and(|c| c.conflate) {
            return Err(SendError::WrongMode);
        }
        let place = if let Some(direct) = self.direct_room(id, len) {
            let at = self.record.len();
            self.record.resize(at + len, 0);
            Place::Record(direct)
        } else {
            let channel = self.admit(id, len)?;
            Self::queue_of(channel).room(len);
            Place::Queue
        };
        Ok(Reserved { id, len, place })
    }

    /// The bytes of a reservation.
    pub(crate) fn reserved(&self, room: &Reserved) -> &[u8] {
        let bytes = match room.place {
            Place::Record(_) => self.record.get(self.record.len() - room.len..),
            Place::Queue => self
                .slots
                .by_id(room.id)
                .and_then(|c| c.send.queue.as_ref())
                .map(|q| q.last_room(room.len)),
        };
        bytes.unwrap_or_default()
    }

    /// As [`Self::reserved`], to write.
    pub(crate) fn reserved_mut(&mut self, room: &Reserved) -> &mut [u8] {
        let bytes = match room.place {
            Place::Record(_) => {
                let at = self.record.len() - room.len;
                self.record.get_mut(at..)
            }
            Place::Queue => self
                .slots
                .by_id_mut(room.id)
                .and_then(|c| c.send.queue.as_mut())
                .map(|q| q.last_room_mut(room.len)),
        };
        bytes.unwrap_or_default()
    }

    /// The message is written: it is sent, or queued.
    pub(crate) fn commit(&mut self, room: &Reserved) {
        let &Reserved { id, len, place } = room;
        match place {
            Place::Record(_) => {} // counted already
            Place::Queue => {
                let now = self.now;
                if let Some(channel) = self.slots.by_id_mut(id) {
                    Self::queue_of(channel).commit(len, 0, now);
                }
                self.queued(id.index, len + ENTRY_BYTES);
            }
        }
    }

    /// The message is not sent.
    pub(crate) fn abandon(&mut self, room: &Reserved) {
        match room.place {
            Place::Record((at, charge)) => {
                self.record.truncate(at);
                self.refund(room.id, room.len, charge);
            }
            Place::Queue => {
                if let Some(channel) = self.slots.by_id_mut(room.id)
                    && let Some(queue) = &mut channel.send.queue
                {
                    queue.abandon();
                }
            }
        }
    }
}

/// Payload bytes from which a shared payload is not copied into the queue.
pub(crate) const SHARED_BYTES_MIN: usize = 1024;

/// Bytes of the longest RUN head: type, alias, element, count, skip.
pub(super) const RUN_HEAD_MAX: usize = 1 + 4 + 4 + 4 + 8;

/// A send was refused: who waits is told when the channel's queue has room, or, where all queues
/// together are full, when they have.
fn wait_for_room(send: &mut SendHalf, of_all: Option<&mut VecDeque<ChannelId>>, id: ChannelId) {
    send.wants_room = true;
    // Once, however often it is told and refused again.
    if let Some(waiters) = of_all
        && !core::mem::replace(&mut send.waits_for_all, true)
    {
        waiters.push_back(id);
    }
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// In the open record: where its frame begins, and its cost.
    Record((usize, u64)),
    Queue,
}

/// Room for a message that is being written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reserved {
    id: ChannelId,
    len: usize,
    place: Place,
}

/// Room for a message in its place: write it, then [`commit`](Self::commit). Dropped without
/// that, nothing is sent.
pub struct Claim<'a> {
    connection: &'a mut Connection,
    reserved: Reserved,
    committed: bool,
}

impl Claim<'_> {
    /// The message is written: it is sent, or queued.
    pub fn commit(mut self) {
        self.committed = true;
        self.connection.commit(&self.reserved);
    }
}

impl core::ops::Deref for Claim<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.connection.reserved(&self.reserved)
    }
}

impl core::ops::DerefMut for Claim<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.connection.reserved_mut(&self.reserved)
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.committed {
            self.connection.abandon(&self.reserved);
        }
    }
}

impl core::fmt::Debug for Claim<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Claim")
            .field("channel", &self.reserved.id)
            .field("len", &self.reserved.len)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Bytes have left the queue of the channel at `index`: who waited for room is told.
    pub(super) fn dequeued(&mut self, index: u32, bytes: usize) {
        self.queued -= bytes.min(self.queued);
        let channel_max = self.settings.channel_queue_bytes_max as usize;
        let total_max = self.settings.connection_queue_bytes_max as usize;
        let free = self.queued <= total_max / 4 * 3;
        if let Some(channel) = self.slots.at_mut(index) {
            let send = &mut channel.send;
            if send.wants_room && send.queued() <= channel_max / 2 {
                send.wants_room = false;
                self.writable.push_back(channel.id);
            }
        }
        while free && let Some(id) = self.room_waiters.pop_front() {
            let Some(channel) = self.slots.by_id_mut(id) else {
                continue;
            };
            channel.send.waits_for_all = false;
            if core::mem::take(&mut channel.send.wants_room) {
                self.writable.push_back(id);
            }
        }
    }

    /// A message that was to go into the open record is not sent after all.
    fn refund(&mut self, id: ChannelId, len: usize, charge: u64) {
        self.last_data = None;
        self.send.refund(charge);
        if let Some(channel) = self.slots.by_id_mut(id) {
            let units = match channel.unit {
                Unit::Bytes => charge,
                Unit::Messages => 1,
            };
            channel.send.credit.refund(units);
            channel.send.next_seq -= 1;
            channel.send.messages -= 1;
            channel.send.bytes -= len as u64;
        }
    }
}
