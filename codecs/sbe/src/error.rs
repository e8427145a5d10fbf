use std::fmt;
use std::path::PathBuf;

/// Where something stands in a schema file; lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The file as it was named by the caller or by an XInclude.
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

/// A schema that cannot be used: where, what was found, what was expected.
///
/// Prints as `file:line:column: found; expected expectation`, the form editors jump to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError {
    /// Where the fault is.
    pub at: Position,
    /// What stands there.
    pub found: String,
    /// What would have been right.
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
