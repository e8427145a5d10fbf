//! Sends messages: directly into the open record, or into the channel's queue.

use bytes::Bytes;

use super::super::channel::{ChannelId, SendState};
use super::super::error::ChannelSendError;
use super::super::open::Unit;
use super::super::queue::{ENTRY_BYTES, SharedFrame};
use super::super::slots::Key;
use super::{Effects, Mux};
use crate::payload::BinaryPayload;

/// Payload size from which [`Mux::send_bytes`] shares the payload; a shorter one is copied.
pub const SHARED_BYTES_MIN: usize = 1024;

/// Bytes of the longest RUN head: type, alias, element, count, skip.
pub(super) const RUN_HEAD_MAX: usize = 1 + 4 + 4 + 4 + 8;

/// Which limits a message exceeds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct QueuesFull {
    /// The channel's queue.
    channel: bool,
    /// All queues together.
    connection: bool,
}

impl Mux {
    /// Sends a message, or queues it until the channel has a turn, credit and an alias. On a
    /// conflated channel it is the message with key 0.
    ///
    /// # Errors
    /// [`ChannelSendError`]; nothing is queued then. After [`ChannelSendError::WouldBlock`],
    /// [`poll_writable`](Self::poll_writable) returns the channel when a retry may succeed.
    #[inline]
    pub fn send(
        &mut self,
        id: ChannelId,
        payload: impl BinaryPayload,
    ) -> Result<(), ChannelSendError> {
        let payload = payload.as_ref();
        if self.send_fast(id, payload).is_some() {
            return Ok(());
        }
        self.send_slow(id, payload)
    }

    /// As [`Self::send`], on the slow path.
    #[inline(never)]
    fn send_slow(&mut self, id: ChannelId, payload: &[u8]) -> Result<(), ChannelSendError> {
        if self.outgoing.is_direct() && self.send_direct(id, payload).is_some() {
            return Ok(());
        }
        self.send_queued(id, payload)
    }

    /// Sends directly into the open record, on the fast path.
    #[inline]
    fn send_fast(&mut self, id: ChannelId, payload: &[u8]) -> Option<()> {
        if !self.outgoing.is_direct() {
            return None;
        }
        let channel = self.slots.fast(id)?;
        let (overhead, len) = (self.outgoing.overhead(), payload.len());
        let head = channel.fast_head(len)?;
        self.outgoing
            .put_fast(head, payload, || channel.send_fast(len, overhead))
    }

    /// Sends directly into the open record, if nothing is queued before the message.
    #[inline(never)]
    fn send_direct(&mut self, id: ChannelId, payload: &[u8]) -> Option<()> {
        let (key, ..) = self.begin_direct(id, payload.len())?;
        self.outgoing.put_payload(payload);
        self.slots[key].enable_fast_send();
        Some(())
    }

    /// Writes the head of a message of `len` bytes into the open record, spends its credit and
    /// counts it, if it can be sent at once. Returns the channel, the offset of the frame, and the
    /// cost.
    #[inline]
    pub(super) fn begin_direct(&mut self, id: ChannelId, len: usize) -> Option<(Key, usize, u64)> {
        if !self.outgoing.is_direct() {
            return None;
        }
        let (key, channel) = self.slots.find(id)?;
        let send = &mut channel.send;
        let alias = channel.local_alias?;
        if send.state != SendState::Sending
            || len > send.message_max as usize
            || send.queued() != 0
            || send.skip != 0
            || !channel.pending.is_empty()
            || !self.outgoing.fits(len)
        {
            return None;
        }
        let charge = len as u64 + self.outgoing.overhead();
        let units = channel.unit.cost(charge, 1);
        send.credit.spend(units).ok()?;
        channel.used = true;
        send.numbers.count(1);
        let at = self.outgoing.put_message_head(alias, len);
        send.bytes += len as u64;
        Some((key, at, charge))
    }

    /// Drops expired messages of the channel's queue, if `len` bytes could be refused for lack of
    /// room.
    fn make_room(&mut self, id: ChannelId, len: usize) {
        let config = &self.config;
        let limit = config
            .channel_queue_bytes_max
            .min(config.connection_queue_bytes_max);
        let short = self.outgoing.queued() + len + ENTRY_BYTES > limit as usize;
        if short
            && let Some(key) = self.slots.resolve(id)
            && self.slots[key].ttl.is_some()
        {
            self.drop_expired(key);
        }
    }

    /// The channel, if it accepts a message of `len` bytes now.
    pub(super) fn admit(&mut self, id: ChannelId, len: usize) -> Result<Key, ChannelSendError> {
        if let Some(failure) = self.failure() {
            return Err(ChannelSendError::Closed(failure));
        }
        self.make_room(id, len);
        let ready = self.peer.is_some();
        let all = self.outgoing.queued() + len + ENTRY_BYTES;
        let (key, channel) = self
            .slots
            .find(id)
            .ok_or(ChannelSendError::UnknownChannel)?;
        if !channel.attached {
            return Err(ChannelSendError::UnknownChannel);
        }
        let send = &mut channel.send;
        send.is_open()?;
        if !ready {
            // The peer's limits are known from its HELLO on.
            send.wants_room = true;
            return Err(ChannelSendError::WouldBlock);
        }
        send.takes(len)?;
        let queued = send.queued();
        let full = QueuesFull {
            channel: queued + len + ENTRY_BYTES > self.config.channel_queue_bytes_max as usize,
            connection: all > self.config.connection_queue_bytes_max as usize,
        };
        // One message per channel is always accepted: the largest one, and one beside blocked
        // channels that fill the connection's limit.
        if queued != 0 {
            self.has_room(key, full)?;
        }
        Ok(key)
    }

    /// Checks that nothing is full. Else registers the channel for [`Mux::poll_writable`].
    #[inline]
    fn has_room(&mut self, key: Key, full: QueuesFull) -> Result<(), ChannelSendError> {
        if !full.channel && !full.connection {
            return Ok(());
        }
        self.wait_for_room(key, full)
    }

    #[cold]
    fn wait_for_room(&mut self, key: Key, full: QueuesFull) -> Result<(), ChannelSendError> {
        let channel = &mut self.slots[key];
        channel.send.wants_room = true;
        // Registered once, however often it is woken and refused again.
        if full.connection && !core::mem::replace(&mut channel.send.waits_for_connection, true) {
            self.outgoing.wait_for_room(channel.id);
        }
        Err(ChannelSendError::WouldBlock)
    }

    /// A message of `len` bytes was queued.
    #[inline]
    fn enqueued(&mut self, key: Key, len: usize) {
        self.outgoing.enqueued(len + ENTRY_BYTES);
        self.apply(key, Effects::SCHEDULE);
    }

    #[inline(never)]
    fn send_queued(&mut self, id: ChannelId, payload: &[u8]) -> Result<(), ChannelSendError> {
        if self.is_conflated(id) {
            return self.send_keyed(id, 0, payload);
        }
        let key = self.admit(id, payload.len())?;
        self.slots[key].send.queue().push(payload, 0, self.now);
        self.enqueued(key, payload.len());
        Ok(())
    }

    #[inline]
    pub(super) fn is_conflated(&self, id: ChannelId) -> bool {
        self.slots
            .resolve(id)
            .is_some_and(|key| self.slots[key].conflate)
    }

    /// Sends the newest message of a key on a conflated channel. It replaces a queued message of
    /// the same key, in its position; the peer receives the number of replaced messages as skipped.
    ///
    /// # Errors
    /// As [`Self::send`]; [`ChannelSendError::WrongMode`] on other channels.
    pub fn send_keyed(
        &mut self,
        id: ChannelId,
        key: u64,
        payload: impl BinaryPayload,
    ) -> Result<(), ChannelSendError> {
        self.send_newest(id, key, payload.as_ref())
    }

    fn send_newest(
        &mut self,
        id: ChannelId,
        key: u64,
        payload: &[u8],
    ) -> Result<(), ChannelSendError> {
        let at = self
            .slots
            .resolve(id)
            .ok_or(ChannelSendError::UnknownChannel)?;
        if !self.slots[at].conflate {
            return Err(ChannelSendError::WrongMode);
        }
        if self.send_direct(id, payload).is_some() {
            return Ok(());
        }
        let len = payload.len();
        let queue = self.slots[at].send.queue.as_ref();
        match queue.and_then(|queue| queue.waiting(key)) {
            // A replacement needs room only for the bytes that it is longer.
            Some(old) if self.failure().is_none() => self.admit_replacement(at, old, len)?,
            _ => {
                self.admit(id, len)?;
            }
        }
        let channel = &mut self.slots[at];
        let Some(old) = channel.send.queue().put_keyed(key, payload, self.now) else {
            self.enqueued(at, len);
            return Ok(());
        };
        channel.send.skipped(1);
        self.outgoing.replaced(old, len);
        // The credit at hand may suffice for the shorter message.
        if len < old && channel.unit == Unit::Bytes {
            self.apply(at, Effects::SCHEDULE);
        }
        Ok(())
    }

    fn admit_replacement(
        &mut self,
        key: Key,
        old: usize,
        len: usize,
    ) -> Result<(), ChannelSendError> {
        let all = self.outgoing.queued().saturating_sub(old) + len;
        let send = &mut self.slots[key].send;
        send.is_open()?;
        send.takes(len)?;
        let others = send.queued().saturating_sub(old + ENTRY_BYTES);
        let full = QueuesFull {
            channel: others + len + ENTRY_BYTES > self.config.channel_queue_bytes_max as usize,
            connection: all > self.config.connection_queue_bytes_max as usize,
        };
        if len > old && others != 0 {
            self.has_room(key, full)?;
        }
        Ok(())
    }

    /// As [`Self::send`], without a copy of the payload while it is queued.
    ///
    /// # Errors
    /// As [`Self::send`], with the payload returned.
    pub fn send_bytes(
        &mut self,
        id: ChannelId,
        payload: Bytes,
    ) -> Result<(), (ChannelSendError, Bytes)> {
        if self.is_conflated(id) || payload.len() < SHARED_BYTES_MIN {
            return self.send(id, &payload).map_err(|e| (e, payload));
        }
        if self.send_direct(id, &payload).is_some() {
            return Ok(());
        }
        let len = payload.len();
        let key = match self.admit(id, len) {
            Ok(key) => key,
            Err(e) => return Err((e, payload)),
        };
        self.slots[key].send.queue().push_shared(payload, self.now);
        self.enqueued(key, len);
        Ok(())
    }

    /// Sends a message that is already encoded. If the channel has the alias of the frame, the
    /// frame is sent as it is, a large one without a copy; else as [`Self::send`].
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_shared(
        &mut self,
        id: ChannelId,
        frame: &SharedFrame,
    ) -> Result<(), ChannelSendError> {
        let payload = frame.payload();
        let fits = self.slots.resolve(id).is_some_and(|key| {
            let channel = &self.slots[key];
            let alias = channel.local_alias.or(channel.chosen_alias());
            alias == Some(frame.alias()) && !channel.conflate
        });
        if !fits || payload.len() < SHARED_BYTES_MIN {
            return self.send(id, payload);
        }
        let key = self.admit(id, payload.len())?;
        let queue = self.slots[key].send.queue();
        queue.push_frame(frame.clone(), self.now);
        self.enqueued(key, payload.len());
        Ok(())
    }

    /// Sends messages of `elem` bytes each, given one after another, under common headers: in as
    /// many RUNs as credit and records require.
    ///
    /// # Errors
    /// As [`Self::send`]; [`ChannelSendError::BadRun`], [`ChannelSendError::WrongMode`].
    pub fn send_run_bytes(
        &mut self,
        id: ChannelId,
        elem: usize,
        bytes: &[u8],
    ) -> Result<(), ChannelSendError> {
        if elem == 0 || bytes.is_empty() || !bytes.len().is_multiple_of(elem) {
            return Err(ChannelSendError::BadRun);
        }
        if self.is_conflated(id) {
            return Err(ChannelSendError::WrongMode);
        }
        let record_max = self.peer.map_or(usize::MAX, |_| self.outgoing.record_max());
        let (queue_max, len) = (self.config.channel_queue_bytes_max as usize, bytes.len());
        let too_large = |len, max| Err(ChannelSendError::TooLarge { len, max });
        if elem > record_max.saturating_sub(RUN_HEAD_MAX) {
            return too_large(elem, record_max.saturating_sub(RUN_HEAD_MAX));
        }
        if len > queue_max {
            return too_large(len, queue_max);
        }
        self.make_room(id, len);
        let before = self.outgoing.queued();
        let all = before + len + ENTRY_BYTES;
        let key = self.admit(id, elem)?;
        let send = &self.slots[key].send;
        let queued = send.queued();
        // A run that is no longer than the largest message is accepted like one message.
        let lone = queued == 0 && len <= send.message_max as usize;
        let over = before != 0 && all > self.config.connection_queue_bytes_max as usize;
        let full = QueuesFull {
            channel: queued != 0 && queued + len + ENTRY_BYTES > queue_max,
            connection: over && !lone,
        };
        self.has_room(key, full)?;
        let queue = self.slots[key].send.queue();
        queue.push(bytes, elem as u32, self.now);
        self.enqueued(key, len);
        Ok(())
    }

    /// Bytes have left the channel's queue: wakes channels that wait for room.
    #[inline]
    pub(super) fn dequeued(&mut self, key: Key, bytes: usize) {
        self.outgoing.dequeued(bytes);
        let channel_max = self.config.channel_queue_bytes_max as usize;
        let total_max = self.config.connection_queue_bytes_max as usize;
        let channel = &mut self.slots[key];
        if channel.send.wants_room && channel.send.queued() <= channel_max / 2 {
            channel.send.wants_room = false;
            self.outgoing.now_writable(channel.id);
        }
        if self.outgoing.has_room_waiters() && self.outgoing.queued() <= total_max / 4 * 3 {
            self.wake_room_waiters();
        }
    }

    #[cold]
    fn wake_room_waiters(&mut self) {
        while let Some(id) = self.outgoing.next_room_waiter() {
            let Some((_, channel)) = self.slots.find(id) else {
                continue;
            };
            channel.send.waits_for_connection = false;
            if core::mem::take(&mut channel.send.wants_room) {
                self.outgoing.now_writable(id);
            }
        }
    }
}
