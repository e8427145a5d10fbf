//! Messages of one channel that wait for their reader.
//!
//! Small messages are copied out of the receive buffer into one run of bytes, so that a waiting
//! message keeps no other memory in use. A large message that was assembled from parts is kept as
//! it is. Credit bounds the memory: an entry here takes less than the `frame_overhead_bytes` that
//! each message is charged.

use std::collections::VecDeque;
use std::vec::Vec;

use bytes::Bytes;

use crate::session::channels::Charge;

/// Consumed bytes at the front of the ring from which the rest is moved there.
const COMPACT_BYTES_MIN: usize = 4096;

/// Bytes of buffers that a channel keeps while no message waits.
const KEPT_BYTES_MAX: usize = 4096;

/// Where the payload of an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// The next bytes of the ring are one message.
    Copied,
    /// The next element of `whole`.
    Whole,
    /// The next bytes of the ring are messages of this many bytes each.
    Run(u32),
}

/// A message, or a run of messages.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) form: Form,
    pub(super) len: u32,
    pub(super) charge: Charge,
    pub(super) seq: u64,
    pub(super) skipped: u64,
    pub(super) epoch: u64,
}

// A queue that has just grown takes two entries for each message: less than two overheads (64 by
// default).
const _: () = assert!(size_of::<Entry>() <= 64);

/// The queue of messages, oldest first.
#[derive(Debug, Default)]
pub(super) struct Parked {
    /// Copied payloads, back to back, from `head` on.
    ring: Vec<u8>,
    head: usize,
    whole: VecDeque<Bytes>,
    entries: VecDeque<Entry>,
    /// A message was parked since the last [`Self::sweep`].
    used: bool,
}

/// One message, taken out of the queue.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) bytes: Bytes,
    pub(super) charge: Charge,
    pub(super) seq: u64,
    pub(super) skipped: u64,
    pub(super) epoch: u64,
}

impl Parked {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn copy(&mut self, bytes: &[u8], entry: Entry) {
        self.used = true;
        self.ring.extend_from_slice(bytes);
        self.entries.push_back(entry);
    }

    pub(super) fn keep(&mut self, bytes: Bytes, entry: Entry) {
        self.used = true;
        self.whole.push_back(bytes);
        self.entries.push_back(entry);
    }

    /// The next message, owned. A run is returned message by message; the last one carries the
    /// credit of the run.
    pub(super) fn pop(&mut self) -> Option<Taken> {
        let front = self.entries.front_mut()?;
        let len = front.len as usize;
        let (n, last) = match front.form {
            Form::Run(elem) => (elem as usize, len <= elem as usize),
            Form::Copied | Form::Whole => (len, true),
        };
        let (seq, epoch) = (front.seq, front.epoch);
        let skipped = std::mem::take(&mut front.skipped);
        let bytes = if front.form == Form::Whole {
            self.whole.pop_front().unwrap_or_default()
        } else {
            let bytes = self.ring.get(self.head..self.head + n);
            self.head += n;
            Bytes::copy_from_slice(bytes.unwrap_or_default())
        };
        let charge = if last {
            self.entries.pop_front().map(|e| e.charge)
        } else {
            front.len -= n as u32;
            front.seq += 1;
            None
        };
        self.compact();
        Some(Taken {
            bytes,
            charge: charge.unwrap_or_default(),
            seq,
            skipped,
            epoch,
        })
    }

    fn compact(&mut self) {
        if self.head == self.ring.len() {
            self.ring.clear();
            self.head = 0;
        } else if self.head >= COMPACT_BYTES_MIN && self.head > self.ring.len() / 2 {
            self.ring.drain(..self.head);
            self.head = 0;
        }
    }

    /// The messages, oldest first.
    pub(super) fn iter(&self) -> Iter<'_> {
        Iter {
            ring: self.ring.get(self.head..).unwrap_or_default(),
            whole: self.whole.iter(),
            entries: self.entries.iter(),
        }
    }

    /// Drops all messages, and returns the credit that they held.
    pub(super) fn clear(&mut self) -> Charge {
        let mut charge = Charge::default();
        for entry in self.entries.drain(..) {
            charge.merge(entry.charge);
        }
        self.ring.clear();
        self.head = 0;
        self.whole.clear();
        charge
    }

    /// Frees large buffers that were not used since the last call.
    pub(super) fn sweep(&mut self) {
        if std::mem::take(&mut self.used) || !self.is_empty() {
            return;
        }
        if self.ring.capacity() > KEPT_BYTES_MAX {
            self.ring = Vec::new();
        }
        if self.entries.capacity() * size_of::<Entry>() > KEPT_BYTES_MAX {
            self.entries = VecDeque::new();
        }
        self.whole.shrink_to_fit();
    }

    /// Bytes of memory in use.
    #[cfg(test)]
    pub(super) fn footprint(&self) -> usize {
        self.ring.capacity()
            + self.entries.capacity() * size_of::<Entry>()
            + self.whole.capacity() * size_of::<Bytes>()
            + self.whole.iter().map(Bytes::len).sum::<usize>()
    }
}

/// See [`Parked::iter`].
#[derive(Clone, Debug)]
pub(super) struct Iter<'a> {
    ring: &'a [u8],
    whole: std::collections::vec_deque::Iter<'a, Bytes>,
    entries: std::collections::vec_deque::Iter<'a, Entry>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a Entry, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entries.next()?;
        if entry.form == Form::Whole {
            return Some((entry, self.whole.next()?));
        }
        let (bytes, rest) = self.ring.split_at_checked(entry.len as usize)?;
        self.ring = rest;
        Some((entry, bytes))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }
}
