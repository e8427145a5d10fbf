//! Drivers: sockets, runtimes, clocks, wakers. They use only the public surface of `session`.

mod tune;
