//! The public surface of a crate as a list: one line per item, out of the JSON that rustdoc writes.
//! The program `tickwire-api` holds the published crates to the lists in `docs/api`.

pub mod foreign;
pub mod lists;
pub mod names;
pub mod reasons;
pub mod surface;

/// Why there is no list to compare.
#[derive(Debug)]
pub enum Failure {
    /// The compiler writes JSON of a format that is not read here.
    Format(u64),
    /// Anything else, as it is printed.
    Other(String),
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Other(text)
    }
}
