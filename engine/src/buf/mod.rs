//! Bytes and cursors. Nothing here knows what the bytes mean.

mod pool;
mod recv;
mod send;

#[cfg(test)]
mod tests;

pub use pool::BufPool;
pub(crate) use recv::RecvBuf;
pub(crate) use send::{Chunks, SendBuf, Side};
