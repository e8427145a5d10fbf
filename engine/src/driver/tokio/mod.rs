//! The tokio driver: a connection is a value that its owner's tasks poll; nothing is spawned.
//!
//! | file | what it is |
//! |---|---|
//! | `websocket`, `messages` | a whole connection, owned by one task; what it lends |
//! | `split`, `reader`, `writer`, `gate` | its halves, for two tasks; how they share the writing |
//! | `halves` | the two directions of a stream |
//! | `send_methods` | the sends of a connection and of its writer, written once |
//! | `receiving`, `sending` | one turn of either, under both of the above |
//! | `sink` | `Stream` and `Sink` |
//! | `connect`, `listen`, `head` | opening handshakes |
//! | `channels` | channels, and the task that drives them |
//! | `adopt` | connections that come from hyper and its kin |
//! | `io`, `timer` | buffers lent per thread, one `Sleep` per connection |

#[cfg(feature = "hyper")]
mod adopt;
mod channels;
mod connect;
mod gate;
mod halves;
mod head;
mod io;
mod listen;
mod messages;
mod reader;
mod receiving;
mod send_methods;
mod sending;
mod sink;
mod split;
#[cfg(test)]
mod tests;
mod timer;
mod websocket;
mod writer;

/// The atomics and locks of [`gate`]; its tests have others.
mod sync {
    pub(super) use std::sync::Mutex;
    pub(super) use std::sync::atomic::{AtomicU8, Ordering};

    pub(super) use atomic_waker::AtomicWaker;
}

#[cfg(feature = "hyper")]
pub(super) use adopt::OTHER_STREAM;
#[cfg(feature = "axum")]
pub use adopt::WebSocketUpgrade;
#[cfg(feature = "hyper")]
pub use adopt::{AdoptError, UpgradedStream, Upgrading, refuse, upgrade};
pub use channels::{
    Acceptance, BatchItem, BatchIter, BatchMessage, BatchRun, Channel, ChannelBatch, ChannelError,
    ChannelMessage, ChannelSocket, IncomingChannel, Receiver, Sender,
};
pub use connect::{Connector, connect, connect_over};
pub use listen::{Incoming, Listener, ListenerBuilder, Upgrade, accept};
pub use messages::Messages;
pub use reader::Reader;
pub(super) use split::NOT_UNITED;
pub use split::UniteError;
pub use websocket::WebSocket;
pub use writer::Writer;
