//! Writing in place.

use core::fmt;
use core::ops::{Deref, DerefMut};

use crate::frame::{Opcode, header, mask};

/// Room for one binary message in the send queue: write the payload, then
/// [`commit`](Self::commit).
///
/// A claim that is dropped is cancelled: nothing is sent, nothing is counted in
/// [`Stats`](crate::Stats), and the room is free again.
///
/// ```
/// # use tickwire::sans_io::{Entropy, Session};
/// # use tickwire::{Config, Role, Timestamp};
/// # let mut session = Session::new(Role::Server, Config::default(), Entropy([7; 32]), &[], Timestamp(0))?;
/// let mut claim = session.outbox().claim(4)?;
/// claim.copy_from_slice(b"tick");
/// claim.commit();
/// drop(session.outbox().claim(4)?); // cancelled
/// assert_eq!(session.stats().messages_out, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The bytes are what an earlier message left there, not zeros.
#[must_use = "a claim that is dropped sends nothing: write the message, then commit it"]
pub struct Claim<'a> {
    /// Room for the header, then for the payload.
    pub(super) room: &'a mut [u8],
    /// The end of the queue.
    pub(super) tail: &'a mut usize,
    /// Messages sent, and their bytes.
    pub(super) counts: (&'a mut u64, &'a mut u64),
    /// Bytes of the header.
    pub(super) size: usize,
    pub(super) key: Option<[u8; 4]>,
}

impl Claim<'_> {
    /// Queues the message as it was claimed.
    #[inline]
    pub fn commit(self) {
        let len = self.room.len();
        self.commit_len(len);
    }

    /// Queues the first `len` bytes of what was claimed; more than that counts as all of it.
    #[inline]
    pub fn commit_len(self, len: usize) {
        let Self {
            room,
            tail,
            counts: (messages, bytes),
            size: reserved,
            key,
        } = self;
        let len = len.min(room.len().saturating_sub(reserved));
        let size = header::size(len, key.is_some());
        if size != reserved {
            // A shorter length takes a shorter header: the payload moves down to it.
            room.copy_within(reserved..reserved + len, size);
        }
        header::write(room, Opcode::Binary, true, header::Rsv::NONE, len, key);
        if let Some(key) = key {
            mask::apply(&mut room[size..size + len], key, 0);
        }
        *tail += size + len;
        *messages += 1;
        *bytes += len as u64;
    }
}

impl Deref for Claim<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.room.get(self.size..).unwrap_or_default()
    }
}

impl DerefMut for Claim<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        self.room.get_mut(self.size..).unwrap_or_default()
    }
}

impl fmt::Debug for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
