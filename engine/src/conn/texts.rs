//! Small text messages in a row, checked together.
//!
//! Only a check of all of its bytes makes a `&str` without `unsafe`, and for twenty bytes a check
//! costs as much as all the rest of a message's way. A check of many messages at once costs next to
//! nothing for each. So the headers of whole text frames that follow one another are written over
//! with ASCII, the payloads are unmasked, and all of it is checked as one text, which is then cut:
//!
//! ```text
//! received  | 81 94 k0 k1 k2 k3 | 20 bytes, masked   | 81 85 k4 k5 k6 k7 | 5 bytes ...
//! prepared  | 00 14 00 00 00 00 | 20 bytes, unmasked | 00 05 00 00 00 00 | 5 bytes ...
//! put back  | 81 94 00 00 00 00 | 20 bytes, unmasked | 81 85 00 00 00 00 | 5 bytes ...
//! ```
//!
//! What stands between two payloads is ASCII, so no code point crosses from one into the next: the
//! whole is UTF-8 if, and only if, every payload is.
//!
//! Where a batch is dropped before all of it is lent, the rest in_place in the buffer as it was
//! prepared, and `ParseState::texts_bytes` says how long it is. Before anything else reads the buffer,
//! [`Inbox::restore_texts`] makes frames of it again, with a mask key of zero.

use super::inbox::Inbox;
use crate::frame::mask;
use crate::role::Role;

/// The first byte of a text message in one frame.
pub(super) const TEXT_FIN: u8 = 0x81;

/// Received bytes from which on no more frames join those that are checked together: far more than
/// it takes to make the check cheap, and they are in the nearest cache when they are lent.
const TEXTS_BYTES_MAX: usize = 4096;

/// How small text messages are checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TextCheck {
    /// With those behind it.
    Grouped,
    /// The first of a batch alone, for a batch was dropped before all of it was lent: where that is
    /// done with every batch, nothing is prepared in vain.
    FirstAlone,
    /// Each alone, for one of them is not UTF-8: those before it are lent, and then it ends the
    /// connection.
    Single,
    /// Of a batch only: it ends here. One of the texts that come next is not UTF-8, and the next
    /// batch text_check singly.
    Done,
}

/// Bytes of the header of a frame with at most 125 bytes of payload.
pub(super) const fn header_bytes(role: Role) -> usize {
    match role {
        Role::Server => 6,
        Role::Client => 2,
    }
}

/// The mask bit of such a header's second byte, as the peer has to set it.
pub(super) const fn mask_bit(role: Role) -> u8 {
    match role {
        Role::Server => 0x80,
        Role::Client => 0,
    }
}

/// Prepares the whole text frames at the front whose payloads are no longer than `max`; how many
/// bytes they take.
pub(super) fn prepare(received: &mut [u8], role: Role, max: u8) -> usize {
    match role {
        Role::Server => prepare_all::<6>(received, mask_bit(role), max),
        Role::Client => prepare_all::<2>(received, mask_bit(role), max),
    }
}

// Not inline: it has registers of its own then.
#[inline(never)]
fn prepare_all<const HEADER: usize>(received: &mut [u8], mask_bit: u8, max: u8) -> usize {
    let (mut rest, mut prepared) = (received, 0);
    while prepared < TEXTS_BYTES_MAX
        && let &mut [TEXT_FIN, second, ..] = rest
        && let len = second ^ mask_bit
        && len <= max
        && let end = HEADER + usize::from(len)
        && let Some((frame, behind)) = rest.split_at_mut_checked(end)
        && let Some((head, payload)) = frame.split_first_chunk_mut::<HEADER>()
    {
        if let [_, _, k0, k1, k2, k3] = head[..] {
            mask::apply(payload, [k0, k1, k2, k3], 0);
        }
        *head = [0; HEADER];
        head[1] = len;
        prepared += end;
        rest = behind;
    }
    prepared
}

/// Makes frames of what [`prepare`] has made.
pub(super) fn restore(prepared: &mut [u8], role: Role) {
    let mut rest = prepared;
    while let [first, second, ..] = rest {
        let end = header_bytes(role) + usize::from(*second);
        *first = TEXT_FIN;
        *second |= mask_bit(role);
        rest = rest
            .split_at_mut_checked(end)
            .map_or(&mut [], |(_, behind)| behind);
    }
}

impl Inbox {
    /// Makes frames again of the texts that were prepared and not lent.
    #[inline]
    pub(super) fn restore_texts(&mut self) {
        if self.state.texts_bytes > 0 {
            self.restore_all_texts();
        }
    }

    #[cold]
    fn restore_all_texts(&mut self) {
        if self.state.text_check == TextCheck::Grouped {
            self.state.text_check = TextCheck::FirstAlone;
        }
        let len = core::mem::take(&mut self.state.texts_bytes) as usize;
        let (received, _) = self.buf.received_mut();
        if let Some(prepared) = received.get_mut(..len) {
            restore(prepared, self.state.role);
        }
    }
}
