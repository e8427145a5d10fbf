//! tickwire: a WebSocket engine for trading and IoT.
#![cfg_attr(not(test), no_std)]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod error;
mod handshake;
mod time;

#[cfg(feature = "std")]
mod driver;

pub use error::{CloseCode, Deadline, Failure, Limit, SendError, Violation};
pub use time::Timestamp;
