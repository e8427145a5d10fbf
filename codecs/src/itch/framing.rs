//! Files of ITCH messages.

use super::message_len;
use crate::framing::{ByteOrder, LengthField};
use crate::{Cut, DecodeError, Framing, Limits, slice};

/// The length in front of each message.
const LENGTH: LengthField = LengthField::u16(ByteOrder::Big);

/// The format of Nasdaq's daily files, "BinaryFILE Version 1.00" (Nasdaq, 2010): a big-endian u16
/// length, then the message. A length of 0 in the last two bytes ends the session. Some writers, against
/// the specification, write a length of 0 before every message. This framing then takes the length from
/// the type of the message.
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
    fn split(&self, bytes: &[u8], limits: &Limits) -> Result<Cut, DecodeError> {
        let cut = LENGTH.split(bytes, limits)?;
        if cut.start < cut.end {
            return Ok(cut);
        }
        let kind = *slice::part::<u8>(bytes, cut.start)?;
        let len = message_len(kind)
            .ok_or_else(|| DecodeError::wrong(cut.start, "ITCH message type", kind.into()))?;
        slice::span(bytes, cut.start, len)?;
        let end = cut.start + len;
        Ok(Cut {
            start: cut.start,
            end,
            next: end,
        })
    }
}
