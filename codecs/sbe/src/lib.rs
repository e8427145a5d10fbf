//! Simple Binary Encoding: XML schema to Rust views.
mod error;
mod fingerprint;
mod generate;
pub mod ir;
mod read;
mod xml;
pub use error::{Position, SchemaError};
pub use generate::rust_source;
pub use ir::Schema;
