//! Channels for async code: one task drives a connection, and any number of tasks have halves of
//! its channels.
//!
//! | file | what it is |
//! |---|---|
//! | `session` | the connection: opening, accepting, ending |
//! | `channel`, `sender`, `receiver` | a channel and its halves |
//! | `send_methods`, `receive_methods` | what a channel and its halves do, written once |
//! | `message`, `batch` | what is received, with its credit |
//! | `runs` | runs of messages as slices of the application's types |
//! | `driver` | the task |
//! | `state`, `parked` | what all of them share, and the messages that wait for a reader |
//! | `monitor`, `wait`, `handle` | the lock, who waits, who keeps it alive |
//! | `lent` | payloads of the application's, which are not dropped under the lock |

mod batch;
mod channel;
mod driver;
mod error;
mod handle;
mod lent;
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

/// The locks of [`monitor`]; its tests have others.
mod sync {
    pub(super) use std::sync::{Mutex, MutexGuard};

    pub(super) use super::lent::Section;
}

pub use batch::{BatchItem, BatchIter, BatchMessage, BatchRun, ChannelBatch};
pub use channel::{Channel, IncomingChannel};
pub use error::ChannelError;
pub use message::ChannelMessage;
pub use receiver::Receiver;
pub use sender::Sender;
pub use session::ChannelSocket;
pub use state::Acceptance;
