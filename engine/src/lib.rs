//! The WebSocket engine for trading and IoT: binary messages at the speed of the socket.
//!
//! | you want | take |
//! |---|---|
//! | a client or a server in async code | [`connect`], [`Listener`], [`WebSocket`] |
//! | a connection used from two tasks | [`WebSocket::split`] |
//! | many channels on one connection, with credit | [`channels::Session`] in tasks, [`channels::ChannelHandler`] on a reactor, [`channels::ChannelEndpoint`] on a stack of your own |
//! | a thread per core, callbacks, the last microsecond | [`Handler`] on a [`Reactor`], or a [`TokioReactor`] |
//! | the protocol alone, on a stack of your own | [`Session`] |
//!
//! Limits and deadlines are one value, [`Config`]; socket options another, [`Tune`].
//!
//! Features: `tokio` (default), `mio`, `hyper`, `fastwebsockets` (both: connections upgraded by
//! these are taken over), and `std`, which all of them bring. Without it, the crate is `no_std` plus
//! `alloc`.
#![doc = include_str!("../ARCHITECTURE.md")]
#![cfg_attr(not(test), no_std)]
// docs.rs says of each item which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod agreed;
mod buf;
mod config;
mod conn;
mod error;
mod frame;
mod handshake;
mod mux;
mod role;
mod session;
mod time;

#[cfg(feature = "std")]
mod driver;

pub use agreed::{Agreed, Extensions};
pub use buf::BufPool;
pub use config::{Config, ConfigError, Delivery, Flush, Settings};
pub use conn::{
    Batch, CLOSE_REASON_BYTES_MAX, CONTROL_BYTES_MAX, Claim, Kind, Message, Outbox, OwnedMessage,
    Part, PreparedMessage, Transmit, Utf8Bytes,
};
#[cfg(feature = "hyper")]
pub use driver::AdoptError;
#[cfg(feature = "tokio")]
pub use driver::TokioReactor;
#[cfg(any(feature = "mio", feature = "tokio"))]
pub use driver::{
    ACCEPT_REST, COMMANDS_MAX, Calls, ConnId, Cx, Ended, Handler, Hub, Opened, Outgoing, PeerAddr,
    ReactorOptions, Remote, RemoteError, Socket, TIMERS_MAX, TimersFull, Verdict, Wait,
};
#[cfg(feature = "tokio")]
pub use driver::{
    Connector, Halves, Incoming, Listener, ListenerBuilder, Messages, Reader, SplitStream,
    UniteError, Upgrade, WebSocket, Writer, accept, connect, handshake,
};
#[cfg(feature = "std")]
pub use driver::{
    Error, KeepaliveTune, Parts, Refused, Tune, TuneError, TuneOption, TuneReport, Tuned, cores,
    pin_current_thread,
};
#[cfg(feature = "mio")]
pub use driver::{Reactor, Reactors, ReactorsOptions, Share};
pub use error::{CloseCode, Deadline, Failure, Limit, SendError, Violation};
pub use frame::close::CloseReason;
pub use handshake::{
    Accept, ClientHandshake, ClientOptions, HandshakeError, HandshakeUsage, HeadLimits, Refusal,
    Request, Response, ResponseKind, RetryAfter, ServerHandshake, Url, UrlError, accept_key,
};
pub use role::Role;
pub use session::{
    End, Entropy, LINGER_BYTES_MAX, ReadSide, Session, Shutdown, Stats, UNREAD_CONTROL_BYTES_MAX,
    WriteSide,
};
pub use time::Timestamp;

/// Channels: many flow-controlled streams of messages on one connection (`tickwire.mux.v1`).
///
/// A slow reader stalls its own channel only, and a peer cannot make this end hold more than it
/// was granted. Where a message cannot be sent yet, it waits where it can still be replaced by a
/// newer one, or be overtaken by one of higher priority.
pub mod channels {
    #[cfg(feature = "tokio")]
    pub use crate::driver::{
        Acceptance, Batch, BatchItem, BatchIter, BatchMessage, BatchRun, Channel, ChannelError,
        IncomingChannel, Message, Receiver, Sender, Session,
    };
    #[cfg(any(feature = "mio", feature = "tokio"))]
    pub use crate::driver::{
        Accepted, Answer, ChannelCx, ChannelHandler, ChannelHub, Multiplexed, MultiplexedConn,
        Rejection, TIMER_TOKEN, TimerError,
    };
    pub use crate::session::channels::*;
}

/// The examples of the README compile.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;
