//! What the benchmarks share.

#[cfg(feature = "rivals")]
pub mod peers;
