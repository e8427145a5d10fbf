//! The receive buffer: the driver reads into it, the parser consumes it.

use alloc::boxed::Box;

use super::pool::BufPool;

/// A connection keeps a receive buffer at most this many times as large as the bytes in it. Fewer
/// bytes move to a buffer of their own size. A peer that stops in the middle of a frame then costs
/// about the bytes it sent, not a whole buffer.
const KEPT_RATIO_MAX: usize = 8;

/// Initialised memory and two cursors, `start <= end <= mem.len()`:
///
/// ```text
/// mem  | released | received, not consumed | space to read into |
///      0          start                    end                  mem.len()
/// ```
#[derive(Debug, Default)]
pub(super) struct RecvMem {
    pub(super) mem: Box<[u8]>,
    start: usize,
    end: usize,
}

impl RecvMem {
    /// A buffer without received bytes.
    pub(super) fn empty(mem: Box<[u8]>) -> Box<Self> {
        Box::new(Self {
            mem,
            start: 0,
            end: 0,
        })
    }

    pub(super) fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    #[inline]
    fn received(&self) -> &[u8] {
        self.mem.get(self.start..self.end).unwrap_or_default()
    }

    /// Copies all unconsumed bytes of `other` to the front of `self`, which is empty and large
    /// enough.
    fn fill_from(&mut self, other: &Self) {
        let rest = other.received();
        if let Some(front) = self.mem.get_mut(..rest.len()) {
            front.copy_from_slice(rest);
            self.end = rest.len();
        }
    }
}

/// The receive buffer of a connection: one pointer, null while no byte is received. Memory and
/// cursors belong to the pool.
#[derive(Debug, Default)]
pub(crate) struct RecvBuf {
    held: Option<Box<RecvMem>>,
}

impl RecvBuf {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.end - held.start)
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.held.as_ref().is_none_or(|held| held.start == held.end)
    }

    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.mem.len())
    }

    #[inline]
    pub(crate) fn received(&self) -> &[u8] {
        self.held.as_ref().map_or(&[], |held| held.received())
    }

    /// The received bytes, and the cursor to advance past the bytes that were consumed.
    #[inline]
    pub(crate) fn received_mut(&mut self) -> (&mut [u8], &mut usize) {
        let RecvMem { mem, start, end } = &mut **self.held.get_or_insert_default();
        let bytes = mem.get_mut(*start..*end).unwrap_or_default();
        (bytes, start)
    }

    /// The space for the next read. Empty before [`Self::attach`] and when the buffer is full.
    #[inline]
    pub(crate) fn space(&mut self) -> &mut [u8] {
        match &mut self.held {
            Some(held) => held.mem.get_mut(held.end..).unwrap_or_default(),
            None => &mut [],
        }
    }

    /// A read filled the first `n` bytes of [`Self::space`]. A larger `n` is a bug of the driver,
    /// and is clamped to the size of the space.
    pub(crate) fn filled(&mut self, n: usize) {
        let space = self.space().len();
        debug_assert!(n <= space, "read of {n} bytes past the space");
        if let Some(held) = &mut self.held {
            held.end += n.min(space);
        }
    }

    pub(crate) fn clear(&mut self) {
        if let Some(held) = &mut self.held {
            held.clear();
        }
    }

    /// Provides space for a read: takes a large buffer from the pool and copies the unconsumed
    /// bytes to its front, or moves these bytes to the front when less than half of the buffer is
    /// free behind them.
    pub(crate) fn attach(&mut self, pool: &mut BufPool) {
        let Some(held) = &mut self.held else {
            self.held = Some(pool.take_recv());
            return;
        };
        let len = held.end - held.start;
        if held.mem.len() < pool.recv_bytes() {
            let mut large = pool.take_recv();
            large.fill_from(held);
            pool.put_recv(core::mem::replace(held, large));
        } else if len == 0 {
            held.clear();
        } else if held.start > 0 && held.mem.len() - held.end < held.mem.len() / 2 {
            held.mem.copy_within(held.start..held.end, 0);
            held.end = len;
            held.start = 0;
        }
    }

    /// Doubles the memory of a buffer that is full of unconsumed bytes. The memory stays below
    /// twice the bytes received.
    pub(crate) fn grow_if_full(&mut self) {
        if let Some(held) = &mut self.held
            && held.start == 0
            && held.end > 0
            && held.end == held.mem.len()
        {
            let mut mem = alloc::vec![0; held.end * 2].into_boxed_slice();
            mem[..held.end].copy_from_slice(&held.mem);
            held.mem = mem;
        }
    }

    /// Returns the memory to the pool if no byte or few bytes are in it.
    pub(crate) fn detach(&mut self, pool: &mut BufPool) {
        let Some(held) = &mut self.held else {
            return;
        };
        let len = held.end - held.start;
        if len == 0 {
            pool.put_recv(self.held.take().unwrap_or_default());
            return;
        }
        if len.saturating_mul(KEPT_RATIO_MAX) >= held.mem.len() {
            return;
        }
        let mut small = pool.take_spill(len);
        if small.mem.len() >= held.mem.len() {
            pool.put_recv(small);
            return;
        }
        small.fill_from(held);
        pool.put_recv(core::mem::replace(held, small));
    }

    /// Takes the memory and the range of unconsumed bytes in it, and leaves an empty buffer.
    pub(crate) fn take(&mut self) -> (Box<[u8]>, core::ops::Range<usize>) {
        let held = self.held.get_or_insert_default();
        let range = held.start..held.end;
        held.clear();
        (core::mem::take(&mut held.mem), range)
    }

    /// A buffer with exactly `bytes`: what was received before the first read.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let held = (!bytes.is_empty()).then(|| {
            Box::new(RecvMem {
                mem: bytes.into(),
                start: 0,
                end: bytes.len(),
            })
        });
        Self { held }
    }
}
