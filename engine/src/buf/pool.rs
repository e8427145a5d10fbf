//! A pool of buffers. A connection holds a buffer only while bytes are in it.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::recv::RecvMem;
use super::send::Queue;

/// Size of a spill buffer: it keeps the part of a frame that was received, between two reads.
pub(crate) const SPILL_BYTES: usize = 4096;

/// Spare buffers of each kind that the pool keeps; further ones are freed. A thread uses one of
/// each kind at a time, and a few more while connections hold partial frames.
const SPARE_MAX: usize = 16;

/// Spare send buffers above the regular size that the pool keeps after a burst.
const GROWN_MAX: usize = 2;
/// Size of the largest grown send buffer that the pool keeps.
const GROWN_BYTES_MAX: usize = 1 << 20;

/// The buffers of one thread: receive buffers, send buffers, and small buffers that keep partial
/// frames between two reads.
///
/// An idle connection holds no buffer. The pool zeroes a buffer once, when it allocates it, and
/// does not clear it between uses: the application is lent only bytes that were received.
///
/// The cursors of a buffer are stored beside its memory, so that an idle connection pays for
/// neither.
#[derive(Debug)]
#[expect(clippy::vec_box, reason = "the boxes go in and out as they are")]
pub struct BufPool {
    recv: Vec<Box<RecvMem>>,
    send: Vec<Box<Queue>>,
    /// Send buffers larger than `send_bytes`.
    grown: Vec<Box<Queue>>,
    spill: Vec<Box<RecvMem>>,
    recv_bytes: usize,
    send_bytes: usize,
}

impl BufPool {
    /// Default size of a receive buffer, in bytes. Every tokio connection may hold one.
    pub const RECV_BYTES: usize = 64 * 1024;
    /// Default size of a send buffer, in bytes. A longer queue grows beyond it, up to
    /// `send_queue_bytes_max`.
    pub const SEND_BYTES: usize = 64 * 1024;

    /// A pool of receive buffers of `recv_bytes` bytes and send buffers of `send_bytes` bytes. Both
    /// are raised to more than 4 KiB if they are smaller. The pool allocates on first use.
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

    /// A buffer of at least `len` bytes for a partial frame: a spill buffer, or one of exactly
    /// `len` bytes.
    pub(super) fn take_spill(&mut self, len: usize) -> Box<RecvMem> {
        if len > SPILL_BYTES {
            return RecvMem::empty(zeroed(len));
        }
        self.spill
            .pop()
            .unwrap_or_else(|| RecvMem::empty(zeroed(SPILL_BYTES)))
    }

    /// Returns a receive buffer or spill buffer to the pool. A buffer of another size is freed.
    pub(super) fn put_recv(&mut self, mut held: Box<RecvMem>) {
        held.clear();
        if held.mem.len() == self.recv_bytes {
            store(&mut self.recv, held);
        } else if held.mem.len() == SPILL_BYTES {
            store(&mut self.spill, held);
        }
    }

    /// Returns an empty send buffer to the pool. A few grown buffers are kept, so that repeated
    /// batches of large messages do not allocate each time.
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
