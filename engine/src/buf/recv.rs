//! The receive buffer: where the kernel writes and the parser reads.

use alloc::boxed::Box;

use super::pool::BufPool;

/// A kept receive buffer may be at most this many times as large as what it holds; a smaller
/// rest is moved to a buffer of its own size, so that a peer that stops in the middle of a
/// frame costs us what it sent and not a whole buffer.
const KEPT_RATIO_MAX: usize = 8;

/// Initialised memory and two cursors, `start <= end <= mem.len()`:
///
/// ```text
/// mem  | released | received, not consumed | space to read into |
///      0          start                    end                  mem.len()
/// ```
#[derive(Debug, Default)]
pub(crate) struct RecvBuf {
    mem: Box<[u8]>,
    start: usize,
    end: usize,
}

impl RecvBuf {
    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn capacity(&self) -> usize {
        self.mem.len()
    }

    pub(crate) fn received(&self) -> &[u8] {
        self.mem.get(self.start..self.end).unwrap_or_default()
    }

    /// The received bytes and the cursor that releases them.
    pub(crate) fn received_mut(&mut self) -> (&mut [u8], &mut usize) {
        let bytes = self.mem.get_mut(self.start..self.end).unwrap_or_default();
        (bytes, &mut self.start)
    }

    /// Where the next read goes. Empty until [`Self::attach`] and when the buffer is full.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        self.mem.get_mut(self.end..).unwrap_or_default()
    }

    /// The read brought `n` bytes; more than the space it was given is a bug of the driver and
    /// counts as all of it.
    pub(crate) fn filled(&mut self, n: usize) {
        debug_assert!(
            n <= self.mem.len() - self.end,
            "read of {n} bytes past the space"
        );
        self.end = self.end.saturating_add(n).min(self.mem.len());
    }

    pub(crate) fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Makes the buffer one that can be read into: takes a large one and moves the rest of the
    /// last read to its front, or slides that rest down when less than half is left behind it.
    pub(crate) fn attach(&mut self, pool: &mut BufPool) {
        if self.mem.len() < pool.recv_bytes() {
            let mut mem = pool.take_recv();
            let rest = self.received();
            let len = rest.len();
            if let Some(front) = mem.get_mut(..len) {
                front.copy_from_slice(rest);
            }
            pool.give_recv(core::mem::replace(&mut self.mem, mem));
            self.start = 0;
            self.end = len;
        } else if self.is_empty() {
            self.clear();
        } else if self.start > 0 && self.mem.len() - self.end < self.mem.len() / 2 {
            self.mem.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }

    /// Makes space in a buffer that has none: twice the memory, which is less than twice what has
    /// been received.
    pub(crate) fn grow_if_full(&mut self) {
        let len = self.len();
        if len > 0 && len == self.mem.len() {
            let mut mem = alloc::vec![0; len * 2].into_boxed_slice();
            mem[..len].copy_from_slice(&self.mem);
            self.mem = mem;
        }
    }

    /// Gives the memory back when nothing or little is in it.
    pub(crate) fn detach(&mut self, pool: &mut BufPool) {
        let len = self.len();
        if self.mem.is_empty() || len.saturating_mul(KEPT_RATIO_MAX) >= self.mem.len() {
            return;
        }
        let mut mem = if len == 0 {
            Box::default()
        } else {
            pool.take_spill(len)
        };
        if mem.len() >= self.mem.len() {
            pool.give_recv(mem);
            return;
        }
        if let Some(front) = mem.get_mut(..len) {
            front.copy_from_slice(self.received());
        }
        pool.give_recv(core::mem::replace(&mut self.mem, mem));
        self.start = 0;
        self.end = len;
    }

    /// Takes the whole memory out, with the received range, leaving an empty buffer.
    pub(crate) fn take(&mut self) -> (Box<[u8]>, core::ops::Range<usize>) {
        let range = self.start..self.end;
        self.clear();
        (core::mem::take(&mut self.mem), range)
    }

    /// A buffer that holds `bytes` and no more: what came before the first read.
    pub(crate) fn holding(bytes: &[u8]) -> Self {
        Self {
            mem: bytes.into(),
            start: 0,
            end: bytes.len(),
        }
    }
}
