//! The faults of a schema, collected while reading.

use std::collections::BTreeMap;

use crate::error::{SchemaError, SchemaErrors, SchemaWarning};
use crate::xml::Pos;

/// The largest number of faults in a list.
const FAULTS_MAX: usize = 100;

/// Warnings that are kept, each of another kind.
const WARNINGS_MAX: usize = 100;

/// The reason why the reader omits a part of a schema.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Found here. Line and column are counted for what is kept alone.
    At(Pos, String, String),
    /// Found in a file that could not be read at all.
    Whole(SchemaError),
    /// The part needs another one whose fault is collected already: it has none of its own.
    Said,
}

impl From<SchemaError> for Fault {
    fn from(error: SchemaError) -> Self {
        Self::Whole(error)
    }
}

/// The faults so far.
#[derive(Default)]
pub(crate) struct Faults {
    list: Vec<Fault>,
    has_more: bool,
    /// The skipped parts, once for each kind.
    skipped: BTreeMap<String, Pos>,
    /// Whether a part of the schema is missing, so that what refers to it is not at fault.
    pub(crate) is_incomplete: bool,
}

impl Faults {
    /// Keeps a fault that is not kept yet.
    pub(crate) fn add(&mut self, fault: Fault) {
        let is_known = match &fault {
            Fault::Said => true,
            Fault::Whole(_) => false,
            Fault::At(at, found, _) => self.list.iter().any(|other| {
                matches!(other, Fault::At(pos, text, _) if pos.is_same(at) && text == found)
            }),
        };
        if is_known {
            return;
        }
        if self.list.len() < FAULTS_MAX {
            self.list.push(fault);
        } else {
            self.has_more = true;
        }
    }

    /// Adds a skipped part, if its kind is new.
    pub(crate) fn skip(&mut self, at: &Pos, what: String) {
        if self.skipped.len() < WARNINGS_MAX {
            self.skipped.entry(what).or_insert_with(|| at.clone());
        }
    }

    /// The skipped parts, in the order of the files.
    pub(crate) fn warnings(&mut self) -> Vec<SchemaWarning> {
        let skipped = std::mem::take(&mut self.skipped).into_iter();
        let mut warnings: Vec<_> = skipped
            .map(|(what, at)| SchemaWarning {
                at: at.position(),
                what,
            })
            .collect();
        warnings.sort_by(|a, b| a.at.cmp(&b.at));
        warnings
    }

    /// The value; or `None` after adding its fault.
    pub(crate) fn keep<T>(&mut self, read: Result<T, Fault>) -> Option<T> {
        read.map_err(|fault| self.add(fault)).ok()
    }

    /// Whether there are no faults.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The faults in the order of the files; `None` if there are none.
    pub(crate) fn into_errors(self) -> Option<SchemaErrors> {
        let said = self.list.into_iter().filter_map(|fault| match fault {
            Fault::At(at, found, expected) => {
                Some(SchemaError::new(at.position(), found, expected))
            }
            Fault::Whole(error) => Some(error),
            Fault::Said => None,
        });
        SchemaErrors::new(said.collect(), self.has_more)
    }
}
