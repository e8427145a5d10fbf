//! Simple Binary Encoding: XML schema to Rust views.
mod error;
pub mod ir;
mod read;
mod xml;
pub use error::{Position, SchemaError};
pub use ir::Schema;
