//! Messages of one channel that wait for their reader.
//!
//! Small ones are copied out of the receive buffer into one run of bytes, so that a message that
//! waits keeps nobody else's memory; a large one that was put together is kept as it is.
//! Credit bounds all of it: a place here costs less than the `frame_overhead_bytes` that each
//! message was charged.

use std::collections::VecDeque;
use std::vec::Vec;

use bytes::Bytes;

use crate::session::channels::Charge;

/// Bytes of the front that must be used up before the rest is moved there.
const COMPACT_BYTES_MIN: usize = 4096;

/// Bytes of buffers that a channel keeps while nothing waits.
const KEPT_BYTES_MAX: usize = 4096;

/// Where the bytes of an entry are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// The next bytes of the ring: one message.
    Copied,
    /// The next of the whole ones.
    Whole,
    /// The next bytes of the ring: messages of so many bytes each.
    Run(u32),
}

/// A message, or a run of them.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) form: Form,
    pub(super) len: u32,
    pub(super) charge: Charge,
    pub(super) seq: u64,
    pub(super) skipped: u64,
    pub(super) epoch: u64,
}

// Two of them, for a queue that has just grown, are below two overheads (64 by default).
const _: () = assert!(size_of::<Entry>() <= 64);

/// What waits, first come first.
#[derive(Debug, Default)]
pub(super) struct Parked {
    /// Payloads of what is copied, back to back, from `head` on.
    ring: Vec<u8>,
    head: usize,
    whole: VecDeque<Bytes>,
    entries: VecDeque<Entry>,
    /// Something was parked since the last [`Self::sweep`].
    used: bool,
}

/// One message taken out.
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

    /// The next message, owned. A run gives its messages one by one; its credit comes with the
    /// last of them.
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

    /// What waits, first come first.
    pub(super) fn iter(&self) -> Iter<'_> {
        Iter {
            ring: self.ring.get(self.head..).unwrap_or_default(),
            whole: self.whole.iter(),
            entries: self.entries.iter(),
        }
    }

    /// Empties it; what it held of the windows.
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

    /// Lets go of buffers that an earlier burst has made large, and that were not used since the
    /// last call.
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

    /// Bytes of memory that it takes.
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
