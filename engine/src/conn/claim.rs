//! Space in the send queue to write a message in place.

use core::fmt;
use core::ops::{Deref, DerefMut};

use crate::frame::{Opcode, header, mask};

/// Reserved space in the send queue for one binary message: write the payload into the slice, then
/// call [`commit`](Self::commit).
///
/// Dropping the claim cancels it: nothing is sent, nothing is counted in [`Stats`](crate::Stats), and
/// the space is free again.
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
/// The slice initially holds bytes of earlier messages, not zeros.
#[must_use = "a claim that is dropped sends nothing: write the message, then commit it"]
pub struct Claim<'a> {
    /// Space for the header and then the payload.
    pub(super) room: &'a mut [u8],
    /// The end cursor of the queue.
    pub(super) tail: &'a mut usize,
    /// Counters of messages and payload bytes sent.
    pub(super) counts: (&'a mut u64, &'a mut u64),
    /// Reserved header size in bytes.
    pub(super) size: usize,
    pub(super) key: Option<[u8; 4]>,
}

impl Claim<'_> {
    /// Queues the message with the claimed length.
    #[inline]
    pub fn commit(self) {
        let len = self.room.len();
        self.commit_len(len);
    }

    /// Queues the first `len` bytes of the claimed space as the message. A `len` above the claimed
    /// length is clamped to it.
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
            // A shorter payload has a shorter header, so the payload moves to the front.
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
