//! Validation of small consecutive text messages in one pass.
//!
//! Without `unsafe`, only a validation of all bytes gives a `&str`. For a text of 20 bytes, one
//! call costs as much as the rest of the receive path; for many texts together, the cost for each
//! is small. This module therefore overwrites the headers of consecutive whole text frames with
//! ASCII bytes, unmasks the payloads, validates the range as one text and then splits it:
//!
//! ```text
//! received  | 81 94 k0 k1 k2 k3 | 20 bytes, masked   | 81 85 k4 k5 k6 k7 | 5 bytes ...
//! prepared  | 00 14 00 00 00 00 | 20 bytes, unmasked | 00 05 00 00 00 00 | 5 bytes ...
//! restored  | 81 94 00 00 00 00 | 20 bytes, unmasked | 81 85 00 00 00 00 | 5 bytes ...
//! ```
//!
//! The bytes between two payloads are ASCII, so no code point spans two payloads: the range is
//! valid UTF-8 if and only if every payload is.
//!
//! If a batch is dropped before all prepared texts are lent, the rest stays prepared in the buffer
//! and `ParseState::texts_bytes` is its size. Before other code reads the buffer,
//! [`Inbox::restore_texts`] turns the rest into frames again, with a mask key of zero.

use super::inbox::Inbox;
use crate::frame::mask;
use crate::role::Role;

/// First byte of a text message in one frame: FIN and opcode.
pub(super) const TEXT_FIN: u8 = 0x81;

/// No further frame is prepared from this size on, in bytes. It makes the validation cheap, and the
/// bytes are still in the first-level cache when they are lent.
const TEXTS_BYTES_MAX: usize = 4096;

/// How small text messages are validated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TextCheck {
    /// Together with the texts after it.
    Grouped,
    /// The first text of a batch alone, the others together. Used after a batch was dropped before
    /// all prepared texts were lent: an application that takes one message from each batch then
    /// causes no useless preparation.
    FirstAlone,
    /// Each alone, because one of them is not UTF-8: the texts before the invalid one are lent
    /// before the connection fails.
    Single,
    /// Only in a batch: the batch ends here, because one of the next texts is not UTF-8. The next
    /// batch uses `Single`.
    Done,
}

/// Header size of a frame with a payload of at most 125 bytes, as the peer encodes it.
pub(super) const fn header_bytes(role: Role) -> usize {
    match role {
        Role::Server => 6,
        Role::Client => 2,
    }
}

/// The mask bit in the second byte of such a header, as the peer must set it.
pub(super) const fn mask_bit(role: Role) -> u8 {
    match role {
        Role::Server => 0x80,
        Role::Client => 0,
    }
}

/// Prepares the whole text frames at the front whose payloads are at most `max` bytes. Returns the
/// size of these frames.
pub(super) fn prepare(received: &mut [u8], role: Role, max: u8) -> usize {
    match role {
        Role::Server => prepare_all::<6>(received, mask_bit(role), max),
        Role::Client => prepare_all::<2>(received, mask_bit(role), max),
    }
}

// Not inlined, so that the loop has all registers for itself.
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

/// Turns the output of [`prepare`] into frames again.
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
    /// Turns the texts that were prepared and not lent into frames again.
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
