//! A WebSocket engine for trading and IoT: binary and text messages at the speed of the socket.
//!
//! ```toml
//! [dependencies]
//! tickwire = "0.1"
//! tokio = { version = "1", features = ["rt-multi-thread", "macros"] }
//! ```
//!
//! A client:
//!
//! ```no_run
//! # #[cfg(feature = "tokio")]
//! # mod example {
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), tickwire::Error> {
//!     let mut feed = tickwire::connect("ws://127.0.0.1:9001/feed").await?;
//!     feed.send_text(r#"{"op":"subscribe","args":["EURUSD"]}"#).await?;
//!     // All messages of one read, borrowed from the receive buffer. Sending is possible meanwhile.
//!     while let Some((messages, outbox)) = feed.recv_batch().await? {
//!         for message in messages {
//!             if let tickwire::Message::Binary(tick) = message {
//!                 println!("{} bytes", tick.len());
//!                 outbox.send(b"ack")?; // queued: one write sends all replies of the batch
//!             }
//!         }
//!     }
//!     Ok(())
//! }
//! # }
//! ```
//!
//! A server:
//!
//! ```no_run
//! # #[cfg(feature = "tokio")]
//! # mod example {
//! use tickwire::{Error, Listener};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Error> {
//!     let listener = Listener::bind("127.0.0.1:9001").await?;
//!     loop {
//!         let incoming = listener.accept().await?; // before the opening handshake
//!         tokio::spawn(async move {
//!             let mut client = incoming.accept().await?; // the opening handshake
//!             while let Some((messages, outbox)) = client.recv_batch().await? {
//!                 for message in messages {
//!                     if let tickwire::Message::Binary(payload) = message {
//!                         outbox.send(payload)?;
//!                     }
//!                 }
//!             }
//!             Ok::<_, Error>(())
//!         });
//!     }
//! }
//! # }
//! ```
//!
//! # Where to begin
//!
//! | you need | use |
//! |---|---|
//! | a client or a server in async code | [`connect`], [`Listener`], [`WebSocket`] |
//! | a connection used from two tasks | [`WebSocket::split`] |
//! | many channels on one connection, with credit | [`channels::ChannelSocket`] in tasks, [`channels::ChannelHandler`] on a reactor, [`channels::ChannelEndpoint`] with your own I/O |
//! | a thread per core, callbacks, the lowest latency | [`reactor::Handler`] on a [`reactor::Reactor`], or a [`reactor::TokioReactor`] |
//! | a WebSocket route in an axum server | [`axum::WebSocketUpgrade`] |
//! | a WebSocket route in a hyper server | [`hyper::upgrade`]; after another library's opening handshake [`WebSocket::from_hyper`] |
//! | the protocol alone, with your own I/O | [`sans_io::Session`] |
//! | limits and deadlines | [`Config`], [`channels::ChannelConfig`] |
//! | socket options, threads pinned to cores | [`net::Tune`], [`net::pin_current_thread`] |
//!
//! Guides for [clients of venues], [device gateways], [several streams on one connection],
//! [axum and hyper] and [fan-out] are in the repository. How the crate is built: [`architecture`].
//!
//! [clients of venues]: https://github.com/tickwire/tickwire/blob/main/docs/guides/venue-client.md
//! [device gateways]: https://github.com/tickwire/tickwire/blob/main/docs/guides/device-gateway.md
//! [several streams on one connection]: https://github.com/tickwire/tickwire/blob/main/docs/guides/channels.md
//! [axum and hyper]: https://github.com/tickwire/tickwire/blob/main/docs/guides/axum.md
//! [fan-out]: https://github.com/tickwire/tickwire/blob/main/docs/guides/fan-out.md
//!
//! # Features
//!
//! | feature | adds | default |
//! |---|---|---|
//! | `tokio` | [`WebSocket`] and [`channels::ChannelSocket`] for tasks, [`reactor::TokioReactor`]; `std` | yes |
//! | `mio` | [`reactor::Reactor`] and [`reactor::Reactors`], without a runtime; `std` | |
//! | `axum` | WebSocket routes in an axum 0.8 server; `hyper` | |
//! | `hyper` | WebSockets in a hyper server, and connections that hyper or axum have upgraded; `tokio` | |
//! | `fastwebsockets` | adoption of connections that fastwebsockets has upgraded; `hyper` | |
//! | `zerocopy` | runs of messages on a channel as slices of your types; `tokio` | |
//! | `std` | clocks, entropy, socket options. Without `std` the crate is `no_std` plus `alloc`: [`sans_io`], [`handshake`], [`channels::Mux`] | |
#![cfg_attr(not(test), no_std)]
// docs.rs shows the feature that each item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[macro_use]
mod setters;

mod agreed;
mod buf;
mod config;
mod conn;
mod error;
mod frame;
pub mod handshake;
mod mux;
mod payload;
mod role;
mod session;
mod shown;
mod time;

#[cfg(feature = "std")]
mod driver;

pub use config::{Config, ConfigError, Delivery, Flush};
pub use conn::{
    Batch, CLOSE_REASON_BYTES_MAX, CONTROL_BYTES_MAX, Claim, Kind, Message, Outbox, OwnedMessage,
    Part, PreparedMessage, Utf8Bytes,
};
#[cfg(feature = "tokio")]
pub use driver::{
    Connector, Incoming, Listener, ListenerBuilder, Messages, Reader, UniteError, Upgrade,
    WebSocket, Writer, accept, connect, connect_over,
};
#[cfg(feature = "std")]
pub use driver::{Error, Parts};
pub use error::{CloseCode, Deadline, Failure, Limit, SendError, Violation};
pub use frame::close::CloseReason;
pub use payload::BinaryPayload;
pub use role::Role;
pub use session::{End, Stats};
pub use time::Timestamp;

/// The protocol without sockets, clocks and threads, for your own I/O: bytes and the time go in,
/// messages and bytes come out. The documentation of [`Session`](sans_io::Session) describes the
/// calls and their order.
pub mod sans_io {
    pub use crate::buf::BufPool;
    pub use crate::conn::Transmit;
    pub use crate::session::{
        Entropy, LINGER_BYTES_MAX, ReadSide, Session, Shutdown, UNREAD_CONTROL_BYTES_MAX, WriteSide,
    };
}

/// Many connections on one thread. The application implements [`Handler`](reactor::Handler), and a
/// reactor calls the handler for each event. The same handler runs on mio and on tokio.
#[cfg(any(feature = "mio", feature = "tokio"))]
pub mod reactor {
    #[cfg(feature = "tokio")]
    pub use crate::driver::TokioReactor;
    pub use crate::driver::{
        ACCEPT_BACKOFF, COMMANDS_MAX, Calls, ConnId, Cx, Ended, Handler, Hub, Opened, Outgoing,
        ReactorOptions, Remote, RemoteError, TIMERS_MAX, TimersFull, Verdict, Wait,
    };
    #[cfg(feature = "mio")]
    pub use crate::driver::{Reactor, Reactors, ReactorsOptions, Share};
}

/// Sockets: their options as one checked value, peer addresses, and pinning of threads to cores.
#[cfg(feature = "std")]
pub mod net {
    pub use crate::driver::{
        KeepaliveTune, Refused, Tune, TuneError, TuneOption, TuneReport, Tuned, cores,
        pin_current_thread,
    };
    #[cfg(any(feature = "mio", feature = "tokio"))]
    pub use crate::driver::{PeerAddr, Socket};
}

/// WebSockets in a hyper server: the opening handshake of this crate on requests that hyper has
/// read. [`WebSocket::from_hyper`] adopts connections whose opening handshake is done.
#[cfg(feature = "hyper")]
pub mod hyper {
    pub use crate::driver::{AdoptError, UpgradedStream, Upgrading, refuse, upgrade};
}

/// WebSockets in an axum 0.8 server: an extractor, and rejections that are responses.
#[cfg(feature = "axum")]
pub mod axum {
    pub use crate::driver::WebSocketUpgrade;
}

/// Channels: many flow-controlled streams of messages on one connection (`tickwire.mux.v1`).
///
/// A slow reader stalls only its own channel. Credit limits the memory that a peer can make this
/// end use. A message that cannot be sent yet waits in the queue of its channel, where a newer
/// message can replace it and messages of higher priority go out before it.
pub mod channels {
    #[cfg(feature = "tokio")]
    pub use crate::driver::{
        Acceptance, BatchItem, BatchIter, BatchMessage, BatchRun, Channel, ChannelBatch,
        ChannelError, ChannelMessage, ChannelSocket, IncomingChannel, Receiver, Sender,
    };
    #[cfg(any(feature = "mio", feature = "tokio"))]
    pub use crate::driver::{
        Accepted, Answer, ChannelCx, ChannelHandler, ChannelHub, Multiplexed, MultiplexedConn,
        Rejection, TIMER_TOKEN, TimerError,
    };
    pub use crate::session::channels::*;
}

#[cfg(doc)]
#[doc = include_str!("../ARCHITECTURE.md")]
pub mod architecture {}

/// Compiles the examples of the README, and runs the client with its server.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;
