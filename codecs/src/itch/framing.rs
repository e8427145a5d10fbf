//! Files of ITCH messages.

use super::message_len;
use crate::{Cut, DecodeError, Framing, Limits, slice};

/// The format of Nasdaq's daily files, "BinaryFILE Version 1.00" (Nasdaq, 2010): a big-endian u16
/// length, then the message. A length of 0 as the last two bytes is the end of the session. Some
/// writers leave the length of messages at 0, which the standard does not know; it then follows from
/// the message's type.
///
/// ```
/// use tickwire_codecs::{Batch, Limits, itch::{Itch50, ItchFile}};
/// let file = b"\x00\x0cS\0\0\0\0\0\0\0\0\0\0O";
/// let mut messages = Batch::new(file, ItchFile, &Limits::BULK).views::<Itch50>();
/// assert_eq!(messages.next().unwrap()?.head().kind(), b'S');
/// # Ok::<(), tickwire_codecs::DecodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ItchFile;

impl Framing for ItchFile {
    fn is_end(&self, rest: &[u8]) -> bool {
        rest == [0, 0]
    }

    #[inline]
    fn split(&self, bytes: &[u8], _: &Limits) -> Result<Cut, DecodeError> {
        let mut len = usize::from(u16::from_be_bytes(*slice::part(bytes, 0)?));
        if len == 0 {
            let kind = *slice::part::<u8>(bytes, 2)?;
            len = message_len(kind)
                .ok_or_else(|| DecodeError::wrong(2, "ITCH message type", kind.into()))?;
        }
        slice::span(bytes, 2, len)?;
        Ok(Cut {
            start: 2,
            end: 2 + len,
            next: 2 + len,
        })
    }
}
