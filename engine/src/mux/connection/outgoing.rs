//! The sending side: the open record, the schedule, the control queue, and the total of all send
//! queues.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

use super::super::channel::ChannelId;
use super::super::error::ErrorCode;
use super::super::queue::{Queue, Spare};
use super::super::schedule::Schedule;
use super::super::slots::Key;
use super::super::wire::{self, Hello, MessageHead};
use super::buffer::Buffer;

/// A record to send, as one message of the layer below.
#[derive(Debug)]
pub enum Record<'a> {
    /// Borrowed from the connection: copy or send it before the next call.
    Inline(&'a [u8]),
    /// One large message, shared with other connections.
    Shared(Bytes),
}

impl Record<'_> {
    /// The bytes of the record.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Inline(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// A GOAWAY that is not encoded yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct PendingGoAway {
    pub(super) code: ErrorCode,
    pub(super) reason: &'static str,
}

/// Bytes of the longest DATA head without a skip: type, alias, length.
pub(super) const DATA_HEAD_MAX: usize = 1 + 4 + 4;
/// Above this payload size, removing the length of a record's last message is not worth moving the
/// payload.
const STRIP_BYTES_MAX: usize = 256;
/// DATA: a length follows.
const LENGTH_FLAG: u8 = 0x10;

/// The sending side of a connection. Nothing else writes these fields.
#[derive(Default)]
pub(super) struct Outgoing {
    /// The largest record that both the peer and the layer below accept.
    record_max: usize,
    /// The largest record that the layer below accepts, if limited.
    record_limit: Option<usize>,
    /// Overhead in bytes that the peer charges for each frame; known from its HELLO on.
    overhead: u64,
    hello_sent: bool,
    /// The peer's HELLO was received.
    ready: bool,
    /// Record length up to which messages are written directly into the open record; 0 where queued
    /// messages or backpressure forbid it.
    direct_max: usize,

    /// The open record, to which frames are appended.
    record: Buffer,
    /// Offset of the last frame, if it is DATA with a length and without a skip.
    last_data: Option<usize>,
    /// The record holds messages before its last frame, not only control frames.
    carries_data: bool,
    /// The record that was returned last.
    out: Buffer,

    schedule: Schedule,
    /// Slots of channels with pending control frames.
    control: VecDeque<u32>,
    goaway: Option<PendingGoAway>,

    /// Bytes in all send queues.
    queued: usize,
    spare: Spare,
    /// Channels whose send was refused because all queues together were full.
    room_waiters: VecDeque<ChannelId>,
    /// Channels on which a refused send may now succeed.
    writable: VecDeque<ChannelId>,
}

impl Outgoing {
    // ---- limits

    /// The peer's HELLO was received.
    pub(super) fn start(&mut self, peer: &Hello) {
        let record_max = usize::try_from(peer.record_bytes_max).unwrap_or(0);
        self.record_max = record_max.min(self.record_limit.unwrap_or(usize::MAX));
        self.overhead = peer.overhead;
        self.ready = true;
    }

    pub(super) fn limit_records(&mut self, bytes: usize) {
        self.record_limit = Some(bytes);
        self.record_max = self.record_max.min(bytes);
        self.direct_max = self.direct_max.min(bytes);
    }

    /// Bytes of the largest record that can be built now.
    #[inline]
    pub(super) fn record_max(&self) -> usize {
        if self.ready {
            self.record_max
        } else {
            wire::HELLO_FRAME_BYTES_MAX + wire::GOAWAY_BYTES_MAX
        }
    }

    #[inline]
    pub(super) fn overhead(&self) -> u64 {
        self.overhead
    }

    // ---- the open record

    /// Free bytes in the open record.
    #[inline]
    pub(super) fn room(&self) -> usize {
        self.record_max().saturating_sub(self.record.len())
    }

    /// Free bytes in the next record, if this one already holds messages: a message that fits there
    /// is not cut to fit here. Else 0.
    #[inline]
    pub(super) fn next_room(&self) -> usize {
        if self.carries_data || self.last_data.is_some() {
            self.record_max()
        } else {
            0
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.record.is_empty()
    }

    /// Whether a message of `len` bytes with the longest head fits.
    #[inline]
    pub(super) fn fits(&self, len: usize) -> bool {
        self.record.len() + DATA_HEAD_MAX + len <= self.record_max
    }

    /// Whether messages may be written directly into the record.
    #[inline]
    pub(super) fn is_direct(&self) -> bool {
        self.direct_max != 0
    }

    /// The record, to append a control frame or a FIN without payload.
    #[inline]
    pub(super) fn frame(&mut self) -> &mut Vec<u8> {
        self.carries_data |= self.last_data.take().is_some();
        self.record.as_vec()
    }

    /// As [`Self::frame`], for a frame that holds messages.
    #[inline]
    pub(super) fn run_frame(&mut self) -> &mut Vec<u8> {
        self.carries_data = true;
        self.frame()
    }

    /// Appends a message with a prepared head, if direct writes are allowed, the record has room,
    /// and `pay` finds credit.
    #[inline(always)]
    pub(super) fn put_fast(
        &mut self,
        head: MessageHead,
        payload: &[u8],
        pay: impl FnOnce() -> Option<()>,
    ) -> Option<()> {
        let len = payload.len();
        let (frame, at) = self.record.room(DATA_HEAD_MAX + len)?;
        if at.wrapping_add(DATA_HEAD_MAX + len) > self.direct_max {
            return None;
        }
        pay()?;
        let (word, head_len) = head.with_len(len as u32);
        if let Some(first) = frame.first_chunk_mut() {
            *first = word.to_le_bytes();
        }
        if let Some(place) = frame.get_mut(head_len..).and_then(|f| f.get_mut(..len)) {
            copy(place, payload);
        }
        self.record.fill_to(at + head_len + len);
        self.last_data = Some(at);
        Some(())
    }

    /// Appends the head of a whole message; the payload must follow. Returns the offset of the
    /// frame.
    #[inline]
    pub(super) fn put_message_head(&mut self, alias: u32, len: usize) -> usize {
        let at = self.record.len();
        if len >= wire::SHORT_BYTES as usize {
            wire::put_data_head(self.record.as_vec(), alias, Some(len), false, false, 0);
        } else {
            let (word, head_len) = MessageHead::new(alias).with_len(len as u32);
            let (room, at) = self.record.make_room(DATA_HEAD_MAX + len);
            if let Some(first) = room.first_chunk_mut() {
                *first = word.to_le_bytes();
            }
            self.record.fill_to(at + head_len);
        }
        self.last_data = Some(at);
        at
    }

    #[inline]
    pub(super) fn put_payload(&mut self, payload: &[u8]) {
        self.record.append(payload);
    }

    /// Appends a message or a fragment, after `skip` lost messages.
    pub(super) fn put_data(
        &mut self,
        alias: u32,
        payload: &[u8],
        (more, fin): (bool, bool),
        skip: u64,
    ) {
        let at = self.record.len();
        let len = payload.len();
        let record = self.run_frame();
        wire::put_data_head(record, alias, Some(len), more, fin, skip);
        record.extend_from_slice(payload);
        // With a skip, the length is not the last part of the head and cannot be removed.
        let strips = len > 0 && skip == 0;
        self.last_data = strips.then_some(at);
    }

    /// Appends room for a payload of `len` bytes, to be written in place. It holds old bytes.
    #[inline]
    pub(super) fn put_room(&mut self, len: usize) -> &mut [u8] {
        let at = self.record.len();
        self.record.make_room(len);
        self.record.fill_to(at + len);
        self.last_mut(len)
    }

    /// The last `len` bytes of the record.
    pub(super) fn last(&self, len: usize) -> &[u8] {
        let at = self.record.len().saturating_sub(len);
        self.record.as_slice().get(at..).unwrap_or_default()
    }

    /// As [`Self::last`], to write.
    #[inline]
    pub(super) fn last_mut(&mut self, len: usize) -> &mut [u8] {
        let at = self.record.len().saturating_sub(len);
        let record = self.record.as_mut_slice();
        record.get_mut(at..).unwrap_or_default()
    }

    /// Removes the last message, whose frame begins at `at`.
    pub(super) fn undo_message(&mut self, at: usize) {
        self.carries_data |= self.last_data.take().is_some();
        self.record.truncate(at);
    }

    /// Marks HELLO as sent; `true` once.
    pub(super) fn take_hello(&mut self) -> bool {
        !core::mem::replace(&mut self.hello_sent, true)
    }

    /// Whether HELLO is pending.
    pub(super) fn hello_pending(&self) -> bool {
        !self.hello_sent
    }

    /// Takes the open record; `None` if it is empty.
    pub(super) fn take_record(&mut self) -> Option<Record<'_>> {
        if self.record.is_empty() {
            return None;
        }
        self.strip_last_length();
        core::mem::swap(&mut self.record, &mut self.out);
        self.record.truncate(0);
        self.carries_data = false;
        Some(Record::Inline(self.out.as_slice()))
    }

    /// Removes the length of the last message, which ends with the record.
    fn strip_last_length(&mut self) {
        let Some(at) = self.last_data.take() else {
            return;
        };
        let frame = self.record.as_mut_slice().get_mut(at..).unwrap_or_default();
        let whole = frame.len();
        let Some(&[first, alias]) = frame.first_chunk() else {
            return;
        };
        // The frame is type, alias, length, payload.
        let length = 1 + (1 << (alias & 3));
        let width = frame.get(length).map_or(0, |len| 1 << (len & 3));
        let payload = length + width;
        if whole < payload || whole - payload > STRIP_BYTES_MAX {
            return;
        }
        if let Some(byte0) = frame.first_mut() {
            *byte0 = first & !LENGTH_FLAG;
        }
        frame.copy_within(payload.., length);
        self.record.truncate(at + whole - width);
    }

    /// Frees the memory of the record buffers.
    pub(super) fn rest(&mut self) {
        if self.record.is_empty() {
            self.record = Buffer::default();
            self.out = Buffer::default();
        }
        self.spare = Spare::default();
    }

    // ---- turns

    /// Stops direct writes: the layer below accepts nothing for now.
    pub(super) fn handle_backpressure(&mut self) {
        self.direct_max = 0;
    }

    /// A record was taken: allows direct writes into the next one if no channel waits for a turn.
    pub(super) fn open_record(&mut self) {
        self.direct_max = if self.schedule.is_empty() {
            self.record_max
        } else {
            0
        };
    }

    #[inline]
    pub(super) fn has_turns(&self) -> bool {
        !self.schedule.is_empty()
    }

    /// Adds the channel to the end of its class.
    #[inline]
    pub(super) fn schedule(&mut self, class: u8, key: Key) {
        self.schedule.push(class, key.index());
        self.direct_max = 0;
    }

    /// Adds the channel to the front of its class.
    pub(super) fn schedule_first(&mut self, class: u8, key: Key) {
        self.schedule.push_front(class, key.index());
        self.direct_max = 0;
    }

    pub(super) fn unschedule(&mut self, class: u8, key: Key) {
        self.schedule.remove(class, key.index());
    }

    /// The slot of the channel whose turn it is.
    #[inline]
    pub(super) fn next_turn(&mut self) -> Option<u32> {
        self.schedule.pop()
    }

    /// Charges a class for what one of its channels sent.
    #[inline]
    pub(super) fn charge_class(&mut self, class: u8, charge: u64) {
        self.schedule.charge(class, charge);
    }

    // ---- the control queue

    pub(super) fn queue_control(&mut self, key: Key) {
        self.control.push_back(key.index());
    }

    /// The slot of the channel whose control frames are next.
    pub(super) fn next_control(&mut self) -> Option<u32> {
        self.control.pop_front()
    }

    /// Puts a channel back to the front: the record is full.
    pub(super) fn requeue_control(&mut self, key: Key) {
        self.control.push_front(key.index());
    }

    pub(super) fn unqueue_control(&mut self, key: Key) {
        self.control.retain(|&index| index != key.index());
    }

    #[inline]
    pub(super) fn control_pending(&self) -> bool {
        !self.control.is_empty()
    }

    /// Queues GOAWAY, in place of one that is pending.
    pub(super) fn queue_goaway(&mut self, goaway: PendingGoAway) {
        self.goaway = Some(goaway);
    }

    #[inline]
    pub(super) fn goaway_pending(&self) -> bool {
        self.goaway.is_some()
    }

    /// Appends the pending GOAWAY, if the record has room for it.
    pub(super) fn put_pending_goaway(&mut self, opens_seen: u64) {
        if self.room() < wire::GOAWAY_BYTES_MAX {
            return;
        }
        if let Some(pending) = self.goaway.take() {
            let goaway = wire::GoAway {
                opens_seen,
                code: pending.code.0,
                reason: pending.reason,
            };
            wire::put_goaway(self.frame(), &goaway);
        }
    }

    // ---- queues

    /// Bytes in all send queues.
    #[inline]
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// Adds to the total.
    #[inline]
    pub(super) fn enqueued(&mut self, bytes: usize) {
        self.queued += bytes;
    }

    /// A queued message of `old` bytes was replaced by one of `new` bytes.
    pub(super) fn replaced(&mut self, old: usize, new: usize) {
        self.queued = self.queued + new - old;
    }

    /// Subtracts from the total.
    #[inline]
    pub(super) fn dequeued(&mut self, bytes: usize) {
        self.queued -= bytes.min(self.queued);
    }

    /// Gives spare memory to a growing queue.
    #[inline]
    pub(super) fn reuse_spare(&mut self, queue: &mut Queue) {
        queue.reuse(&mut self.spare);
    }

    /// Keeps excess memory of an empty queue as spare.
    #[inline]
    pub(super) fn recycle_spare(&mut self, queue: &mut Queue) {
        queue.recycle(&mut self.spare);
    }

    /// Registers a channel whose send was refused because all queues together are full.
    pub(super) fn wait_for_room(&mut self, id: ChannelId) {
        self.room_waiters.push_back(id);
    }

    #[inline]
    pub(super) fn has_room_waiters(&self) -> bool {
        !self.room_waiters.is_empty()
    }

    pub(super) fn next_room_waiter(&mut self) -> Option<ChannelId> {
        self.room_waiters.pop_front()
    }

    pub(super) fn leave_room_waiters(&mut self, id: ChannelId) {
        self.room_waiters.retain(|&waits| waits != id);
    }

    /// Reports that a refused send on the channel may now succeed.
    pub(super) fn now_writable(&mut self, id: ChannelId) {
        self.writable.push_back(id);
    }

    pub(super) fn next_writable(&mut self) -> Option<ChannelId> {
        self.writable.pop_front()
    }

    // ---- the end

    /// Stops direct writes: only GOAWAY follows.
    pub(super) fn close(&mut self) {
        self.direct_max = 0;
    }

    /// Drops all that is pending, but not the open record.
    pub(super) fn clear(&mut self) {
        self.direct_max = 0;
        self.goaway = None;
        self.schedule = Schedule::default();
        self.control.clear();
        self.queued = 0;
    }

    /// Drops the open record.
    pub(super) fn clear_record(&mut self) {
        self.record.truncate(0);
        self.last_data = None;
    }
}

/// Copies `from` to `to` of the same length; short messages, the usual case, without a call.
#[inline(always)]
fn copy(to: &mut [u8], from: &[u8]) {
    const HALF: usize = 16;
    if from.len() <= 2 * HALF
        && let (Some(head), Some(tail)) = (from.first_chunk::<HALF>(), from.last_chunk::<HALF>())
    {
        // The two chunks may overlap.
        if let Some(to) = to.first_chunk_mut() {
            *to = *head;
        }
        if let Some(to) = to.last_chunk_mut() {
            *to = *tail;
        }
    } else {
        to.copy_from_slice(from);
    }
}
