//! Channels for async code: one task drives a connection, and any number of tasks hold its channels
//! and their halves.
//!
//! | file | what it is |
//! |---|---|
//! | `session` | the connection: opening handshake, accepting channels, closing |
//! | `channel`, `sender`, `receiver` | a channel and its halves |
//! | `send_methods`, `receive_methods` | the methods that a channel shares with its halves, written once |
//! | `message`, `batch` | received messages, with the credit that they hold |
//! | `runs` | runs of messages as slices of the application's types |
//! | `driver` | the task that drives the connection |
//! | `state`, `parked` | the shared state, and the messages that wait for a reader |
//! | `monitor`, `wait`, `handle` | the lock, the wakers of waiting tasks, the handles that keep the connection open |
//! | `deferred_drop` | payloads that the application shares, which are not dropped under the lock |

mod batch;
mod channel;
mod deferred_drop;
mod driver;
mod error;
mod handle;
mod message;
mod monitor;
mod parked;
mod receive_methods;
mod receiver;
#[cfg(feature = "zerocopy")]
mod runs;
mod send_methods;
mod sender;
mod session;
mod state;
#[cfg(test)]
mod tests;
mod wait;

/// The locks of [`monitor`]. Its loom tests compile the file with loom's types instead.
mod sync {
    pub(super) use std::sync::{Mutex, MutexGuard};

    pub(super) use super::deferred_drop::Section;
}

pub use batch::{BatchItem, BatchIter, BatchMessage, BatchRun, ChannelBatch};
pub use channel::{Channel, IncomingChannel};
pub use error::ChannelError;
pub use message::ChannelMessage;
pub use receiver::Receiver;
pub use sender::Sender;
pub use session::ChannelSocket;
pub use state::Acceptance;
