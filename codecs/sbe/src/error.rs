use std::fmt;
use std::path::{Path, PathBuf};

/// A position in a schema file. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Position {
    /// The file, as the caller or an XInclude names it.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// A fault of a schema: its position, its text, and the expectation.
///
/// The `Display` form is `file:line:column: found; expected expectation`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchemaError {
    /// The position of the fault.
    pub at: Position,
    /// The fault.
    pub found: String,
    /// The expectation.
    pub expected: String,
}

impl SchemaError {
    pub(crate) fn new(at: Position, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            at,
            found: found.into(),
            expected: expected.into(),
        }
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; expected {}", self.at, self.found, self.expected)
    }
}

impl std::error::Error for SchemaError {}

/// A part of a schema that the reader skips although it may be significant, such as a misspelled attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchemaWarning {
    /// The position of its first occurrence.
    pub at: Position,
    /// The skipped part.
    pub what: String,
}

impl fmt::Display for SchemaWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} is skipped", self.at, self.what)
    }
}

/// All faults of a schema: at least one, in the order of file, line and column, and at most one for each
/// element. The list does not contain faults that are a consequence of another fault.
///
/// The `Display` form has one fault per line. The list has at most 100 faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaErrors {
    list: Vec<SchemaError>,
    has_more: bool,
}

impl SchemaErrors {
    /// `None` if there are none.
    pub(crate) fn new(mut list: Vec<SchemaError>, has_more: bool) -> Option<Self> {
        list.sort_by(|a, b| a.at.cmp(&b.at));
        (!list.is_empty()).then_some(Self { list, has_more })
    }

    pub(crate) fn nothing_read(path: &Path) -> Self {
        let at = Position {
            file: path.to_path_buf(),
            line: 1,
            column: 1,
        };
        Self {
            list: vec![SchemaError::new(at, "nothing was read", "a schema")],
            has_more: false,
        }
    }

    /// The faults.
    pub fn iter(&self) -> std::slice::Iter<'_, SchemaError> {
        self.list.iter()
    }

    /// Whether the schema has more faults than the list.
    pub fn has_more(&self) -> bool {
        self.has_more
    }
}

impl<'e> IntoIterator for &'e SchemaErrors {
    type Item = &'e SchemaError;
    type IntoIter = std::slice::Iter<'e, SchemaError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for SchemaErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.list.iter().enumerate() {
            let line = if index > 0 { "\n" } else { "" };
            write!(f, "{line}{error}")?;
        }
        if self.has_more {
            write!(
                f,
                "\nmore than {} faults; correct these first",
                self.list.len()
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for SchemaErrors {}
