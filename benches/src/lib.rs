//! Code that several benchmarks share.

#[cfg(feature = "rivals")]
pub mod peers;
