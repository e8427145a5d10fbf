//! Byte buffers with cursors, and the pool that lends them. No module here interprets the bytes.

mod pool;
mod recv;
mod send;

#[cfg(test)]
mod tests;

pub use pool::BufPool;
pub(crate) use recv::RecvBuf;
pub(crate) use send::{Chunks, SendBuf, Side};
