//! The send queue of a channel.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bytes::{BufMut, Bytes, BytesMut};

use super::wire;
use crate::config::require;
use crate::time::Timestamp;

/// Bytes counted for a queued message in addition to its payload: the size of its entry.
pub(super) const ENTRY_BYTES: usize = 64;

/// Below this many consumed bytes, the ring is not compacted.
const COMPACT_BYTES_MIN: usize = 4096;

/// A message encoded as one frame that is the same on every connection, for channels that have the
/// same alias on all of them (`shared_aliases`).
///
/// ```
/// use tickwire::channels::SharedFrame;
///
/// let frame = SharedFrame::new(5, b"EURUSD 1.0842")?;
/// assert_eq!(frame.payload(), b"EURUSD 1.0842");
/// # Ok::<(), tickwire::channels::OpenError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SharedFrame {
    alias: u32,
    head: u8,
    frame: Bytes,
}

impl SharedFrame {
    /// Encodes a message for the channels with this alias.
    ///
    /// # Errors
    /// [`OpenError::Options`](super::OpenError) for an alias of 2^20 or above, or a payload of
    /// 2^30 bytes or above.
    pub fn new(alias: u32, payload: &[u8]) -> Result<Self, super::OpenError> {
        require(
            alias < wire::ALIAS_MAX,
            "the alias of a SharedFrame",
            alias,
            "below 2^20",
        )?;
        require(
            payload.len() < 1 << 30,
            "the length of a SharedFrame's payload",
            payload.len(),
            "below 2^30 bytes",
        )?;
        let mut head = Vec::with_capacity(wire::data_head_len(alias, Some(payload.len()), 0));
        wire::put_data_head(&mut head, alias, Some(payload.len()), false, false, 0);
        let mut frame = BytesMut::with_capacity(head.len() + payload.len());
        frame.put_slice(&head);
        frame.put_slice(payload);
        Ok(Self {
            alias,
            head: head.len() as u8,
            frame: frame.freeze(),
        })
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.frame.get(usize::from(self.head)..).unwrap_or_default()
    }

    /// The payload, without a copy.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.frame.slice(usize::from(self.head)..)
    }

    /// The alias that a channel must have to send the frame as it is.
    #[must_use]
    pub fn alias(&self) -> u32 {
        self.alias
    }

    /// Header and payload.
    pub(super) fn frame(&self) -> &Bytes {
        &self.frame
    }
}

/// The payload of a queued message.
#[derive(Debug)]
enum Body {
    /// The next bytes of the ring.
    Ring,
    Shared(Bytes),
    /// Encoded, with its header, for the channel's alias.
    Frame(SharedFrame),
    /// Replaced by the next message of its key.
    Keyed(Vec<u8>),
}

#[derive(Debug)]
struct Entry {
    body: Body,
    len: u32,
    /// Bytes of each message of a run; 0 if not a run.
    elem: u32,
    at: Timestamp,
}

/// Positions of the replaceable messages of a conflated queue, by key.
#[derive(Debug, Default)]
struct Keys {
    index: BTreeMap<u64, u64>,
    /// Position of the front entry.
    first: u64,
    /// Keys of the entries, in queue order.
    order: VecDeque<u64>,
    /// Buffers of sent messages, for reuse.
    spare: Vec<Vec<u8>>,
}

/// The most buffers that a conflated queue keeps for reuse.
const SPARE_BUFFERS_MAX: usize = 64;

/// The largest buffer that is kept, in bytes.
const SPARE_BYTES_MAX: usize = 1024;

/// Ring capacity, in bytes, that an empty queue keeps: about a record, because there may be many
/// channels.
const KEPT_BYTES_MAX: usize = 16 << 10;
/// Entry capacity that an empty queue keeps.
const KEPT_ENTRIES_MAX: usize = 512;

/// Ring capacity, in bytes, that a connection keeps as spare: what a handler queues in a few calls.
const SPARE_RING_BYTES_MAX: usize = 256 << 10;
/// Entry capacity that a connection keeps as spare.
const SPARE_ENTRIES_MAX: usize = 4096;

/// Memory of a queue that was long, for the next long one: one for each connection.
#[derive(Debug, Default)]
pub(super) struct Spare {
    ring: Vec<u8>,
    entries: VecDeque<Entry>,
}

/// Messages of one channel, in sending order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    ring: Vec<u8>,
    /// Consumed bytes at the front of the ring.
    head: usize,
    /// Bytes at the end of the ring that belong to no message: room that is being written, or whose
    /// claim was leaked.
    open: usize,
    entries: VecDeque<Entry>,
    keys: Option<Keys>,
    /// Payload bytes, and [`ENTRY_BYTES`] for each message.
    bytes: usize,
    /// Sent bytes of the front message. Once it is not zero, that message is not replaced or
    /// dropped.
    sent: usize,
}

/// The message at the front.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Front {
    /// Bytes that are not sent yet.
    pub(super) rest: usize,
    /// Bytes of each message of a run; 0 if not a run.
    pub(super) elem: u32,
    /// No byte is sent yet.
    pub(super) at_start: bool,
}

impl Queue {
    /// Bytes of all queued messages, entry overhead included.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn push_entry(&mut self, body: Body, len: usize, elem: u32, at: Timestamp) {
        self.bytes += len + ENTRY_BYTES;
        self.entries.push_back(Entry {
            body,
            len: len as u32,
            elem,
            at,
        });
        if let Some(keys) = &mut self.keys {
            keys.order.push_back(0);
        }
    }

    /// Appends room for a message of `len` bytes, which [`Self::commit`] turns into a message.
    #[inline]
    pub(super) fn room(&mut self, len: usize) -> &mut [u8] {
        self.compact();
        let at = self.ring.len();
        self.ring.resize(at + len, 0);
        self.open = len;
        self.ring.get_mut(at..).unwrap_or_default()
    }

    /// The last room that [`Self::room`] made.
    pub(super) fn last_room(&self, len: usize) -> &[u8] {
        let at = self.ring.len().saturating_sub(len);
        self.ring.get(at..).unwrap_or_default()
    }

    /// As [`Self::last_room`], mutable.
    pub(super) fn last_room_mut(&mut self, len: usize) -> &mut [u8] {
        let at = self.ring.len().saturating_sub(len);
        self.ring.get_mut(at..).unwrap_or_default()
    }

    /// Removes the last room.
    pub(super) fn abandon(&mut self) {
        let open = core::mem::take(&mut self.open);
        self.ring.truncate(self.ring.len().saturating_sub(open));
    }

    pub(super) fn commit(&mut self, len: usize, elem: u32, at: Timestamp) {
        self.open = 0;
        self.push_entry(Body::Ring, len, elem, at);
    }

    /// Queues a copy of a message, or of a run of messages of `elem` bytes.
    #[inline]
    pub(super) fn push(&mut self, payload: &[u8], elem: u32, at: Timestamp) {
        self.compact();
        self.ring.extend_from_slice(payload);
        self.push_entry(Body::Ring, payload.len(), elem, at);
    }

    pub(super) fn push_shared(&mut self, payload: Bytes, at: Timestamp) {
        let len = payload.len();
        self.push_entry(Body::Shared(payload), len, 0, at);
    }

    pub(super) fn push_frame(&mut self, frame: SharedFrame, at: Timestamp) {
        let len = frame.payload().len();
        self.push_entry(Body::Frame(frame), len, 0, at);
    }

    /// Replaces the queued message of the same key, or appends the message. Returns the size of the
    /// replaced message, if any.
    pub(super) fn put_keyed(&mut self, key: u64, payload: &[u8], at: Timestamp) -> Option<usize> {
        let keys = self.keys.get_or_insert_with(Keys::default);
        let place = keys.index.get(&key).map(|p| p.wrapping_sub(keys.first));
        if let Some(entry) = place.and_then(|p| self.entries.get_mut(p as usize))
            && let Body::Keyed(buf) = &mut entry.body
        {
            let old = entry.len as usize;
            self.bytes = self.bytes - old + payload.len();
            if buf.capacity() > SPARE_BYTES_MAX.max(4 * payload.len()) {
                // The capacity of the earlier, larger message is not counted, so it is freed.
                *buf = Vec::new();
            }
            buf.clear();
            buf.extend_from_slice(payload);
            entry.len = payload.len() as u32;
            entry.at = at;
            return Some(old);
        }
        let mut buf = keys.spare.pop().unwrap_or_default();
        buf.extend_from_slice(payload);
        let position = keys.first.wrapping_add(self.entries.len() as u64);
        keys.index.insert(key, position);
        self.push_entry(Body::Keyed(buf), payload.len(), 0, at);
        if let Some(last) = self.keys.as_mut().and_then(|k| k.order.back_mut()) {
            *last = key;
        }
        None
    }

    /// The size of the replaceable message with this key, if one is queued.
    pub(super) fn waiting(&self, key: u64) -> Option<usize> {
        let keys = self.keys.as_ref()?;
        let place = keys.index.get(&key)?.wrapping_sub(keys.first);
        self.entries.get(place as usize).map(|e| e.len as usize)
    }

    #[inline]
    pub(super) fn front(&self) -> Option<Front> {
        let entry = self.entries.front()?;
        Some(Front {
            rest: (entry.len as usize).saturating_sub(self.sent),
            elem: entry.elem,
            at_start: self.sent == 0,
        })
    }

    /// The front message, if it is a shared frame and no byte of it is sent.
    pub(super) fn front_frame(&self) -> Option<&SharedFrame> {
        match &self.entries.front()?.body {
            Body::Frame(frame) if self.sent == 0 => Some(frame),
            _ => None,
        }
    }

    /// The next `n` bytes of the front message.
    #[inline]
    pub(super) fn front_bytes(&self, n: usize) -> &[u8] {
        let Some(entry) = self.entries.front() else {
            return &[];
        };
        let (bytes, from): (&[u8], usize) = match &entry.body {
            // Its sent bytes have already left the ring.
            Body::Ring => (&self.ring, self.head),
            Body::Shared(bytes) => (bytes, self.sent),
            Body::Frame(frame) => (frame.payload(), self.sent),
            Body::Keyed(buf) => (buf, self.sent),
        };
        bytes.get(from..from + n).unwrap_or_default()
    }

    /// Marks the next `n` bytes of the front message as sent, and removes the message once all are.
    #[inline]
    pub(super) fn advance(&mut self, n: usize) {
        let Some(entry) = self.entries.front() else {
            return;
        };
        if matches!(entry.body, Body::Ring) {
            self.head += n;
        }
        if self.sent == 0
            && let Some(keys) = &mut self.keys
            && let Some(key) = keys.order.front()
            && keys.index.get(key) == Some(&keys.first)
        {
            // A partly sent message is not replaced.
            keys.index.remove(key);
        }
        self.sent += n;
        if self.sent >= entry.len as usize {
            self.drop_front();
        }
    }

    /// The front message, if it is a copied one, not a run, and no byte of it is sent.
    #[inline]
    pub(super) fn front_copied(&self) -> Option<&[u8]> {
        let entry = self.entries.front()?;
        let plain = matches!(entry.body, Body::Ring) && entry.elem == 0 && self.sent == 0;
        let end = self.head + entry.len as usize;
        self.ring.get(self.head..end).filter(|_| plain)
    }

    /// Removes the message that [`Self::front_copied`] returned. After the last such call,
    /// [`Self::reset_if_drained`] must follow.
    #[inline]
    pub(super) fn pop_copied(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.head += entry.len as usize;
            self.bytes = self.bytes.saturating_sub(entry.len as usize + ENTRY_BYTES);
        }
    }

    fn drop_front(&mut self) {
        self.sent = 0;
        let Some(entry) = self.entries.pop_front() else {
            return;
        };
        self.bytes = self.bytes.saturating_sub(entry.len as usize + ENTRY_BYTES);
        if let Some(keys) = &mut self.keys {
            let key = keys.order.pop_front();
            if let Some(key) = key
                && keys.index.get(&key) == Some(&keys.first)
            {
                keys.index.remove(&key);
            }
            keys.first = keys.first.wrapping_add(1);
            if let Body::Keyed(mut buf) = entry.body
                && keys.spare.len() < SPARE_BUFFERS_MAX
                && buf.capacity() <= SPARE_BYTES_MAX
            {
                buf.clear();
                keys.spare.push(buf);
            }
        }
        self.reset_if_drained();
    }

    /// Resets the ring if all its messages were removed.
    pub(super) fn reset_if_drained(&mut self) {
        if self.head + self.open == self.ring.len() {
            self.ring.clear();
            self.head = 0;
            self.open = 0;
        }
    }

    /// Frees the memory of an empty queue, except for a little; the rest becomes spare.
    #[inline]
    pub(super) fn recycle(&mut self, spare: &mut Spare) {
        if !self.entries.is_empty() {
            return;
        }
        if self.ring.capacity() > KEPT_BYTES_MAX {
            core::mem::swap(&mut self.ring, &mut spare.ring);
            if self.ring.capacity() > KEPT_BYTES_MAX {
                self.ring = Vec::new();
            }
            if spare.ring.capacity() > SPARE_RING_BYTES_MAX {
                spare.ring = Vec::new();
            }
        }
        if self.entries.capacity() > KEPT_ENTRIES_MAX {
            core::mem::swap(&mut self.entries, &mut spare.entries);
            if self.entries.capacity() > KEPT_ENTRIES_MAX {
                self.entries = VecDeque::new();
            }
            if spare.entries.capacity() > SPARE_ENTRIES_MAX {
                spare.entries = VecDeque::new();
            }
            if let Some(keys) = &mut self.keys {
                keys.order = VecDeque::new();
            }
        }
    }

    /// Moves a queue that fills a quarter of the spare memory into it. A shorter queue does not
    /// move: a few bytes that stay queued for long must not occupy much memory.
    #[inline]
    pub(super) fn reuse(&mut self, spare: &mut Spare) {
        let (has, there) = (self.ring.capacity(), spare.ring.capacity());
        if has < there && self.ring.len() - self.head >= there / 4 {
            let waiting = self.ring.get(self.head..).unwrap_or_default();
            spare.ring.clear();
            spare.ring.extend_from_slice(waiting);
            self.head = 0;
            core::mem::swap(&mut self.ring, &mut spare.ring);
            spare.ring.clear();
        }
        let (has, there) = (self.entries.capacity(), spare.entries.capacity());
        if has < there && self.entries.len() >= there / 4 {
            spare.entries.clear();
            spare.entries.append(&mut self.entries);
            core::mem::swap(&mut self.entries, &mut spare.entries);
        }
    }

    /// Drops messages that were queued before `before`, except a partly sent one. Returns how many.
    pub(super) fn expire(&mut self, before: Timestamp) -> u64 {
        let mut dropped = 0;
        while self.sent == 0
            && let Some(entry) = self.entries.front()
            && entry.at < before
        {
            dropped += match entry.elem {
                0 => 1,
                elem => u64::from(entry.len / elem),
            };
            if matches!(entry.body, Body::Ring) {
                self.head += entry.len as usize;
            }
            self.drop_front();
        }
        dropped
    }

    /// Moves the rest of the ring to its front, when that pays, and removes leaked room.
    #[inline]
    fn compact(&mut self) {
        if self.open > 0 {
            self.abandon();
        }
        if self.head >= COMPACT_BYTES_MIN && self.head * 2 >= self.ring.len() {
            self.ring.copy_within(self.head.., 0);
            self.ring.truncate(self.ring.len() - self.head);
            self.head = 0;
        }
    }
}

const _: () = assert!(
    size_of::<Entry>() <= ENTRY_BYTES,
    "ENTRY_BYTES covers an entry"
);

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut Queue) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        while let Some(front) = queue.front() {
            out.push(queue.front_bytes(front.rest).to_vec());
            queue.advance(front.rest);
        }
        out
    }

    #[test]
    fn messages_are_replaced_in_place_until_sending_starts() {
        let mut queue = Queue::default();
        let at = Timestamp(0);
        assert_eq!(queue.put_keyed(1, b"a1", at), None);
        assert_eq!(queue.put_keyed(2, b"b1", at), None);
        assert_eq!(queue.put_keyed(1, b"a2 longer", at), Some(2));
        assert_eq!(queue.waiting(1), Some(9));
        assert_eq!(queue.bytes(), 11 + 2 * ENTRY_BYTES);
        queue.advance(1); // partly sent: the next of its key is appended
        assert_eq!(queue.put_keyed(1, b"a3", at), None);
        assert_eq!(queue.put_keyed(2, b"b2", at), Some(2));
        assert_eq!(queue.put_keyed(1, b"a4", at), Some(2));
        assert_eq!(drain(&mut queue), [&b"2 longer"[..], b"b2", b"a4"]);
        assert_eq!(queue.bytes(), 0);
        assert_eq!(queue.put_keyed(1, b"a5", at), None);
        assert_eq!(drain(&mut queue), [b"a5"]);
    }

    #[test]
    fn expired_messages_are_dropped_unless_partly_sent() {
        let mut queue = Queue::default();
        for i in 0..10_u8 {
            queue.push(&[i; 3], 0, Timestamp(u64::from(i)));
        }
        assert_eq!(queue.expire(Timestamp(4)), 4);
        queue.advance(1);
        assert_eq!(queue.expire(Timestamp(8)), 0, "message 4 is partly sent");
        queue.advance(2);
        assert_eq!(queue.expire(Timestamp(8)), 3);
        assert_eq!(drain(&mut queue), [[8; 3], [9; 3]]);
    }

    #[test]
    fn a_long_queue_reuses_the_spare_memory_of_another() {
        // Messages of 64 bytes: the queues grow to at least four times the capacity that is
        // recycled.
        for long in [600_u32, 2000] {
            let (mut queue, mut spare) = (Queue::default(), Spare::default());
            let mut left = Vec::new();
            for (round, count) in [long, long, 2, long, 16_000].into_iter().enumerate() {
                queue.push(b"sent", 0, Timestamp(0));
                queue.advance(4);
                let mut taken = 0;
                for i in 0..count {
                    queue.push(&[i as u8; 64], 0, Timestamp(0));
                    let had = spare.ring.capacity();
                    queue.reuse(&mut spare);
                    taken += u32::from(spare.ring.capacity() < had);
                }
                assert_eq!(taken, u32::from(![0, 2].contains(&round)), "round {round}");
                assert_eq!(queue.len(), count as usize);
                for i in 0..count {
                    assert_eq!(queue.front_bytes(64), [i as u8; 64], "round {round}");
                    queue.advance(64);
                    queue.recycle(&mut spare);
                }
                assert!(queue.ring.is_empty() && queue.ring.capacity() <= KEPT_BYTES_MAX);
                assert!(queue.entries.capacity() <= KEPT_ENTRIES_MAX);
                left.push((spare.ring.capacity(), spare.entries.capacity()));
            }
            assert!(left[0].0 >= long as usize * 64 && left[0].1 >= long as usize);
            assert_eq!(
                left[1..4],
                [left[0]; 3],
                "used and recycled, but not by the short queue"
            );
            assert_eq!(left[4], (0, 0), "more than the spare limit");
        }
    }

    #[test]
    fn the_ring_does_not_grow_with_sent_messages() {
        let mut queue = Queue::default();
        // Fewer under Miri, but still several times the queue's length.
        for i in 0..if cfg!(miri) { 4000 } else { 100_000_u32 } {
            queue.push(&i.to_le_bytes(), 0, Timestamp(0));
            if i >= 2000 {
                assert_eq!(queue.front_bytes(4), (i - 2000).to_le_bytes());
                queue.advance(4);
            }
        }
        assert!(
            queue.ring.capacity() <= 1 << 16,
            "{}",
            queue.ring.capacity()
        );
        assert_eq!(queue.len(), 2000);
    }
}
