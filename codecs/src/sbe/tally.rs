//! What a reader of a whole schema does with messages it has no code for.

use crate::{Cut, DecodeError, Framing, Limits};

/// A message whose template or schema the code does not know: skipped, not an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unknown<'a> {
    /// Template id by the header.
    pub template_id: u32,
    /// Schema id by the header.
    pub schema_id: u32,
    /// Schema version by the header.
    pub version: u32,
    /// The whole message with its header.
    pub bytes: &'a [u8],
}

/// Counts what was decoded and what was skipped.
///
/// ```
/// use tickwire_codecs::sbe::{Tally, Unknown};
/// let mut tally = Tally::default();
/// tally.known();
/// tally.unknown(&Unknown { template_id: 9, schema_id: 1, version: 0, bytes: b"" }, 1);
/// tally.unknown(&Unknown { template_id: 9, schema_id: 2, version: 0, bytes: b"" }, 1);
/// assert_eq!((tally.known, tally.unknown_templates, tally.other_schemas), (1, 1, 1));
/// assert_eq!(tally.messages(), 3);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Tally {
    /// Messages decoded.
    pub known: u64,
    /// Messages of our schema with a template that is not in it.
    pub unknown_templates: u64,
    /// Messages of other schemas.
    pub other_schemas: u64,
    /// Messages refused with an error.
    pub refused: u64,
}

impl Tally {
    /// All messages seen.
    #[must_use]
    pub const fn messages(&self) -> u64 {
        self.known + self.unknown_templates + self.other_schemas + self.refused
    }

    /// Counts a decoded message.
    #[inline]
    pub const fn known(&mut self) {
        self.known += 1;
    }

    /// Counts a skipped message.
    pub const fn unknown(&mut self, message: &Unknown<'_>, schema_id: u32) {
        if message.schema_id == schema_id {
            self.unknown_templates += 1;
        } else {
            self.other_schemas += 1;
        }
    }

    /// Counts a refused message.
    pub const fn refused(&mut self, _: &DecodeError) {
        self.refused += 1;
    }
}

/// A u16 length that counts itself, then the message: CME MDP 3.0 inside its packet header, and the
/// little-endian form of most multicast feeds.
///
/// ```text
/// | size: u16 | message: size - 2 bytes | size: u16 | ...
/// ```
///
/// ```
/// use tickwire_codecs::{Batch, Limits, sbe::SizePrefix};
/// let mut batch = Batch::new(b"\x04\x00hi\x03\x00!", SizePrefix::Little, &Limits::FEED);
/// assert_eq!(batch.next().unwrap().unwrap().bytes, b"hi");
/// assert_eq!(batch.next().unwrap().unwrap().bytes, b"!");
/// assert!(batch.next().is_none());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SizePrefix {
    /// Size in little-endian order.
    Little,
    /// Size in network order.
    Big,
}

impl Framing for SizePrefix {
    #[inline]
    fn split(&self, bytes: &[u8], _: &Limits) -> Result<Cut, DecodeError> {
        let &[first, second] = crate::slice::part::<[u8; 2]>(bytes, 0)?;
        let size = usize::from(match self {
            Self::Little => u16::from_le_bytes([first, second]),
            Self::Big => u16::from_be_bytes([first, second]),
        });
        if size < 2 {
            return Err(DecodeError::wrong(0, "message size", size as u64));
        }
        crate::slice::span(bytes, 0, size)?;
        Ok(Cut {
            start: 2,
            end: size,
            next: size,
        })
    }
}
