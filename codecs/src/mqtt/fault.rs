//! A violation of a rule, as a decoder error or an encoder error.

use crate::{DecodeError, EncodeError};

/// A violation of a rule.
#[derive(Clone, Copy)]
pub(super) struct Fault {
    /// Offset of the invalid byte in its field.
    index: usize,
    what: &'static str,
    got: u64,
}

impl Fault {
    #[cold]
    pub(super) const fn new(what: &'static str, got: u64) -> Self {
        Self {
            index: 0,
            what,
            got,
        }
    }

    /// This fault, `index` bytes further on.
    pub(super) const fn behind(mut self, index: usize) -> Self {
        self.index += index;
        self
    }

    /// The error of a reader, for a field at `at`.
    pub(super) const fn read_at(self, at: usize) -> DecodeError {
        DecodeError::wrong(at + self.index, self.what, self.got)
    }
}

/// The error of a writer.
impl From<Fault> for EncodeError {
    fn from(fault: Fault) -> Self {
        Self::Range {
            what: fault.what,
            got: fault.got,
        }
    }
}
