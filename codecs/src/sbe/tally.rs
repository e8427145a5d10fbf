//! Unknown messages, and counts of known and unknown messages.

use crate::DecodeError;

/// A message of an unknown template or another schema. It is not an error: a program may skip it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unknown<'a> {
    /// Template id of the header.
    pub template_id: u32,
    /// Schema id of the header.
    pub schema_id: u32,
    /// Schema version of the header.
    pub version: u32,
    /// The whole message with its header.
    pub bytes: &'a [u8],
}

/// Counts of decoded, skipped and refused messages.
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
    /// Messages of the schema with an unknown template.
    pub unknown_templates: u64,
    /// Messages of other schemas.
    pub other_schemas: u64,
    /// Messages refused with an error.
    pub refused: u64,
}

impl Tally {
    /// The number of all messages.
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
