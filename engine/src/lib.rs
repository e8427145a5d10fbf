//! The WebSocket engine for trading and IoT: binary and text messages at the speed of the socket.
//!
//! ```toml
//! [dependencies]
//! tickwire = "0.1"
//! tokio = { version = "1", features = ["rt", "macros"] }
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
//!     // Everything that one read brought, lent from the receive buffer, while sending is possible.
//!     while let Some((messages, outbox)) = feed.recv_batch().await? {
//!         for message in messages {
//!             if let tickwire::Message::Binary(tick) = message {
//!                 println!("{} bytes", tick.len());
//!                 outbox.send(b"ack")?; // queued; one write for the whole batch
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
//!         let incoming = listener.accept().await?; // a slow handshake holds nobody else up
//!         tokio::spawn(async move {
//!             let mut client = incoming.accept().await?;
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
//! | you want | take |
//! |---|---|
//! | a client or a server in async code | [`connect`], [`Listener`], [`WebSocket`] |
//! | a connection used from two tasks | [`WebSocket::split`] |
//! | many channels on one connection, with credit | [`channels::ChannelSocket`] in tasks, [`channels::ChannelHandler`] on a reactor, [`channels::ChannelEndpoint`] on a stack of your own |
//! | a thread per core, callbacks, the last microsecond | [`reactor::Handler`] on a [`reactor::Reactor`], or a [`reactor::TokioReactor`] |
//! | a WebSocket route in an axum server | [`axum::WebSocketUpgrade`] |
//! | a WebSocket route in a hyper server | [`hyper::upgrade`]; after another library's opening handshake [`WebSocket::from_hyper`] |
//! | the protocol alone, on a stack of your own | [`sans_io::Session`] |
//! | limits and deadlines | [`Config`], [`channels::ChannelConfig`] |
//! | options of sockets, cores for threads | [`net::Tune`], [`net::pin_current_thread`] |
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
//! | feature | brings | default |
//! |---|---|---|
//! | `tokio` | [`WebSocket`] and [`channels::ChannelSocket`] for tasks, [`reactor::TokioReactor`]; `std` | yes |
//! | `mio` | [`reactor::Reactor`] and [`reactor::Reactors`], without a runtime; `std` | |
//! | `axum` | WebSocket routes in an axum 0.8 server; `hyper` | |
//! | `hyper` | WebSockets in a hyper server, and connections that hyper or axum have upgraded; `tokio` | |
//! | `fastwebsockets` | connections that fastwebsockets has upgraded are taken over; `hyper` | |
//! | `zerocopy` | runs of messages on a channel as slices of your types; `tokio` | |
//! | `std` | clocks, entropy, socket options. Without it the crate is `no_std` plus `alloc`: [`sans_io`], [`handshake`], [`channels::Mux`] | |
#![cfg_attr(not(test), no_std)]
// docs.rs says of each item which feature it needs.
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

/// The protocol without sockets, clocks and threads, for a stack of your own: bytes and the time go
/// in, messages and bytes come out. [`Session`](sans_io::Session) says how to drive it.
pub mod sans_io {
    pub use crate::buf::BufPool;
    pub use crate::conn::Transmit;
    pub use crate::session::{
        Entropy, LINGER_BYTES_MAX, ReadSide, Session, Shutdown, UNREAD_CONTROL_BYTES_MAX, WriteSide,
    };
}

/// Many connections on one thread: an application is a [`Handler`](reactor::Handler), which a
/// reactor calls with what happens. One handler runs on mio and on tokio.
#[cfg(any(feature = "mio", feature = "tokio"))]
pub mod reactor {
    #[cfg(feature = "tokio")]
    pub use crate::driver::TokioReactor;
    pub use crate::driver::{
        ACCEPT_REST, COMMANDS_MAX, Calls, ConnId, Cx, Ended, Handler, Hub, Opened, Outgoing,
        ReactorOptions, Remote, RemoteError, TIMERS_MAX, TimersFull, Verdict, Wait,
    };
    #[cfg(feature = "mio")]
    pub use crate::driver::{Reactor, Reactors, ReactorsOptions, Share};
}

/// Sockets: their options as one checked value, their addresses, and the cores that serve them.
#[cfg(feature = "std")]
pub mod net {
    pub use crate::driver::{
        KeepaliveTune, Refused, Tune, TuneError, TuneOption, TuneReport, Tuned, cores,
        pin_current_thread,
    };
    #[cfg(any(feature = "mio", feature = "tokio"))]
    pub use crate::driver::{PeerAddr, Socket};
}

/// WebSockets in a server of hyper: our opening handshake on the requests that it has read.
/// [`WebSocket::from_hyper`] takes over connections whose opening handshake is done.
#[cfg(feature = "hyper")]
pub mod hyper {
    pub use crate::driver::{AdoptError, UpgradedStream, Upgrading, refuse, upgrade};
}

/// WebSockets in a server of axum 0.8: an extractor, and rejections that are responses.
#[cfg(feature = "axum")]
pub mod axum {
    pub use crate::driver::WebSocketUpgrade;
}

/// Channels: many flow-controlled streams of messages on one connection (`tickwire.mux.v1`).
///
/// A slow reader stalls its own channel only, and a peer cannot make this end hold more than it
/// was granted. Where a message cannot be sent yet, it waits where it can still be replaced by a
/// newer one, or be overtaken by one of higher priority.
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

/// The examples of the README compile.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;
