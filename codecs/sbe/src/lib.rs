//! Simple Binary Encoding: XML schema to IR to Rust views.
#![forbid(unsafe_code)]
