//! Drivers: sockets, runtimes, clocks, wakers. They use only the public surface of `session`,
//! `conn`, `buf` and `handshake`, as a third party would.

mod clock;
mod tune;

pub use tune::{
    KeepaliveTune, Refused, Tune, TuneError, TuneOption, TuneReport, Tuned, cores,
    pin_current_thread,
};

#[cfg(feature = "tokio")]
mod tokio;
