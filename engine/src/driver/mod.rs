//! Drivers: sockets, runtimes, clocks, wakers. They use only the public surface of `session`,
//! `conn`, `buf` and `handshake`, as a third party would.

mod clock;
mod tune;

#[cfg(feature = "tokio")]
mod tokio;
