//! Simple Binary Encoding: XML schema to Rust views.
#[cfg(feature = "cli")]
pub mod capture;
mod diff;
pub mod dynamic;
mod error;
mod fingerprint;
mod generate;
mod generator;
pub mod ir;
mod read;
mod render;
mod xml;
pub use diff::{Change, diff};
pub use error::{Position, SchemaError};
pub use generate::rust_source;
pub use generator::{GenerateError, Generated, Generator};
pub use ir::Schema;
