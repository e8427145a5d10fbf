//! What a rule says of a value that breaks it, in the terms of neither the reader nor the writer.

use crate::{DecodeError, EncodeError};

/// A broken rule.
#[derive(Clone, Copy)]
pub(super) struct Fault {
    /// Byte of the field that breaks it.
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

    /// The same, `index` bytes further on.
    pub(super) const fn behind(mut self, index: usize) -> Self {
        self.index += index;
        self
    }

    /// To a reader that found the field at `at`.
    pub(super) const fn read_at(self, at: usize) -> DecodeError {
        DecodeError::wrong(at + self.index, self.what, self.got)
    }
}

/// To a writer.
impl From<Fault> for EncodeError {
    fn from(fault: Fault) -> Self {
        Self::Range {
            what: fault.what,
            got: fault.got,
        }
    }
}
