//! Buffers that connections borrow while they have something in them.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::recv::RecvMem;
use super::send::Queue;

/// Bytes of a small buffer: where the tail of a half-received frame waits between two reads.
pub(crate) const SPILL_BYTES: usize = 4096;

/// Buffers kept of each kind. More come and go with the allocator: a thread needs one of each
/// at a time, and a few more while connections hold half-received frames.
const SPARE_MAX: usize = 16;

/// Send buffers kept that have grown, and bytes of the largest: what a thread keeps of a burst.
const GROWN_MAX: usize = 2;
const GROWN_BYTES_MAX: usize = 1 << 20;

/// The buffers of one thread: large ones to read into, large ones to write from, and small
/// ones for what is left between two reads.
///
/// An idle connection holds none. A buffer is zeroed once, when it is made; it is not cleared
/// between uses, and only bytes that were received into it are ever lent.
///
/// Cursors lie with the memory that they point into, so that a connection without a buffer has
/// none of them either.
#[derive(Debug)]
#[expect(clippy::vec_box, reason = "the boxes go in and out as they are")]
pub struct BufPool {
    recv: Vec<Box<RecvMem>>,
    send: Vec<Box<Queue>>,
    /// Send buffers that have grown.
    grown: Vec<Box<Queue>>,
    spill: Vec<Box<RecvMem>>,
    recv_bytes: usize,
    send_bytes: usize,
}

impl BufPool {
    /// Bytes of a receive buffer under tokio, where connections may hold one each.
    pub const RECV_BYTES: usize = 64 * 1024;
    /// Bytes of a send buffer. A longer queue grows past it, up to `send_queue_bytes_max`.
    pub const SEND_BYTES: usize = 64 * 1024;

    /// A pool of receive buffers of `recv_bytes` (at least 4 KiB) and send buffers of
    /// `send_bytes` (at least 4 KiB). Nothing is allocated yet.
    #[must_use]
    pub const fn new(recv_bytes: usize, send_bytes: usize) -> Self {
        Self {
            recv: Vec::new(),
            send: Vec::new(),
            grown: Vec::new(),
            spill: Vec::new(),
            recv_bytes: if recv_bytes > SPILL_BYTES {
                recv_bytes
            } else {
                SPILL_BYTES + 1
            },
            send_bytes: if send_bytes > SPILL_BYTES {
                send_bytes
            } else {
                SPILL_BYTES + 1
            },
        }
    }

    pub(crate) const fn recv_bytes(&self) -> usize {
        self.recv_bytes
    }

    pub(super) fn take_recv(&mut self) -> Box<RecvMem> {
        self.recv
            .pop()
            .unwrap_or_else(|| RecvMem::empty(zeroed(self.recv_bytes)))
    }

    pub(super) fn take_send(&mut self) -> Box<Queue> {
        let spare = self.grown.pop().or_else(|| self.send.pop());
        spare.unwrap_or_else(|| Queue::empty(zeroed(self.send_bytes)))
    }

    /// A buffer of at least `len` bytes to spill into: a small one, or one of the exact size.
    pub(super) fn take_spill(&mut self, len: usize) -> Box<RecvMem> {
        if len > SPILL_BYTES {
            return RecvMem::empty(zeroed(len));
        }
        self.spill
            .pop()
            .unwrap_or_else(|| RecvMem::empty(zeroed(SPILL_BYTES)))
    }

    /// Takes a receive or spill buffer back; one of another size is freed.
    pub(super) fn put_recv(&mut self, mut held: Box<RecvMem>) {
        held.clear();
        if held.mem.len() == self.recv_bytes {
            store(&mut self.recv, held);
        } else if held.mem.len() == SPILL_BYTES {
            store(&mut self.spill, held);
        }
    }

    /// Takes an empty send buffer back; one that has grown is kept if it is one of few, so that
    /// batches of large messages do not grow it anew each time.
    pub(super) fn put_send(&mut self, queue: Box<Queue>) {
        let len = queue.mem.len();
        if len == self.send_bytes {
            store(&mut self.send, queue);
        } else if len > 0 && len <= GROWN_BYTES_MAX && self.grown.len() < GROWN_MAX {
            self.grown.push(queue);
        }
    }
}

impl Default for BufPool {
    fn default() -> Self {
        Self::new(Self::RECV_BYTES, Self::SEND_BYTES)
    }
}

fn zeroed(len: usize) -> Box<[u8]> {
    vec![0; len].into_boxed_slice()
}

fn store<T>(spare: &mut Vec<Box<T>>, one: Box<T>) {
    if spare.len() < SPARE_MAX {
        spare.push(one);
    }
}
