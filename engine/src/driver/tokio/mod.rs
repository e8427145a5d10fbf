//! The tokio driver: a connection is a value that the application's tasks poll; the driver spawns a
//! task only for channels.
//!
//! | file | what it is |
//! |---|---|
//! | `websocket`, `messages` | a whole connection, owned by one task; the batch of messages that it lends |
//! | `split`, `reader`, `writer`, `gate` | the halves of a connection, for two tasks; the gate through which they share the write side |
//! | `halves` | the read half and the write half of a stream |
//! | `send_methods` | the send methods of a connection and of its writer, written once |
//! | `receiving`, `sending` | the read side and the write side, which a whole connection and its halves both drive |
//! | `sink` | `Stream` and `Sink` |
//! | `connect`, `listen`, `head` | opening handshakes |
//! | `channels` | channels, and the task that drives them |
//! | `adopt` | connections that hyper, axum or fastwebsockets has upgraded |
//! | `io`, `timer` | one buffer pool for each thread, one `Sleep` for each connection |

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

/// The atomics and locks of [`gate`]. Its loom tests compile the file with loom's types instead.
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
