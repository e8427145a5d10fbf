//! Writing in place.

use core::ops::{Deref, DerefMut};

use super::outbox::Outbox;
use crate::frame::{Opcode, header, mask};

/// Room for one binary message in the send queue: write the payload, then
/// [`commit`](Self::commit). Dropped without it, the claim never was.
///
/// The bytes are what an earlier message left there, not zeros.
#[derive(Debug)]
pub struct Claim<'a> {
    pub(super) outbox: &'a mut Outbox,
    /// Payload bytes claimed.
    pub(super) len: usize,
    /// Bytes of the header in front of them.
    pub(super) size: usize,
    pub(super) key: Option<[u8; 4]>,
}

impl Claim<'_> {
    /// Queues the message as it was claimed.
    #[inline]
    pub fn commit(self) {
        let len = self.len;
        self.commit_len(len);
    }

    /// Queues the first `len` bytes of what was claimed; more than that counts as all of it.
    #[inline]
    pub fn commit_len(self, len: usize) {
        let Self {
            outbox,
            len: claimed,
            size: reserved,
            key,
        } = self;
        let len = len.min(claimed);
        let room = outbox.queue.room(reserved + claimed);
        let size = header::size(len, key.is_some());
        if size != reserved {
            // A shorter length takes a shorter header: the payload moves down to it.
            room.copy_within(reserved..reserved + len, size);
        }
        header::write(room, Opcode::Binary, true, len, key);
        if let Some(key) = key {
            mask::apply(&mut room[size..size + len], key, 0);
        }
        outbox.queue.commit(size + len);
        outbox.count(len);
    }
}

impl Deref for Claim<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.outbox.queue.claimed(self.size, self.len)
    }
}

impl DerefMut for Claim<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        let room = self.outbox.queue.room(self.size + self.len);
        room.get_mut(self.size..).unwrap_or_default()
    }
}
