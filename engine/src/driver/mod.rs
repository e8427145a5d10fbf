//! Drivers: sockets, runtimes, clocks, wakers. Drivers use only the public items of `session`,
//! `conn`, `buf` and `handshake`, as a driver outside this crate would.

mod accept_fault;
#[cfg(any(feature = "mio", feature = "tokio"))]
mod channels;
mod clock;
mod error;
#[cfg(any(feature = "mio", feature = "tokio"))]
mod handler;
#[cfg(any(feature = "mio", feature = "tokio"))]
mod line;
#[cfg(any(feature = "mio", feature = "tokio"))]
mod options;
mod parts;
#[cfg(any(feature = "mio", feature = "tokio"))]
mod reactor;
#[cfg(any(feature = "mio", feature = "tokio"))]
mod remote;
#[cfg(any(feature = "mio", feature = "tokio"))]
mod socket;
#[cfg(any(feature = "mio", feature = "tokio"))]
mod timers_full;
#[cfg(any(feature = "mio", feature = "tokio"))]
mod transport;
mod tune;
#[cfg(any(feature = "mio", feature = "tokio"))]
mod verdict;

#[cfg(feature = "axum")]
pub use self::tokio::WebSocketUpgrade;
#[cfg(feature = "tokio")]
pub use self::tokio::{
    Acceptance, BatchItem, BatchIter, BatchMessage, BatchRun, Channel, ChannelBatch, ChannelError,
    ChannelMessage, ChannelSocket, IncomingChannel, Receiver, Sender,
};
#[cfg(feature = "hyper")]
pub use self::tokio::{AdoptError, UpgradedStream, Upgrading, refuse, upgrade};
#[cfg(feature = "tokio")]
pub use self::tokio::{
    Connector, Incoming, Listener, ListenerBuilder, Messages, Reader, UniteError, Upgrade,
    WebSocket, Writer, accept, connect, connect_over,
};
#[cfg(any(feature = "mio", feature = "tokio"))]
pub use channels::{
    Accepted, Answer, ChannelCx, ChannelHandler, ChannelHub, Multiplexed, MultiplexedConn,
    Rejection, TIMER_TOKEN, TimerError,
};
pub use error::Error;
#[cfg(any(feature = "mio", feature = "tokio"))]
pub use handler::{Calls, ConnId, Cx, Ended, Handler, Hub, Opened};
#[cfg(any(feature = "mio", feature = "tokio"))]
pub use options::{ReactorOptions, Wait};
pub use parts::Parts;
#[cfg(any(feature = "mio", feature = "tokio"))]
pub use reactor::ACCEPT_BACKOFF;
#[cfg(feature = "tokio")]
pub use reactor::TokioReactor;
#[cfg(feature = "mio")]
pub use reactor::{Reactor, Reactors, ReactorsOptions, Share};
#[cfg(any(feature = "mio", feature = "tokio"))]
pub use remote::{COMMANDS_MAX, Outgoing, Remote, RemoteError};
#[cfg(any(feature = "mio", feature = "tokio"))]
pub use socket::{PeerAddr, Socket};
#[cfg(any(feature = "mio", feature = "tokio"))]
pub use timers_full::{TIMERS_MAX, TimersFull};
pub use tune::{
    KeepaliveTune, Refused, Tune, TuneError, TuneOption, TuneReport, Tuned, cores,
    pin_current_thread,
};
#[cfg(any(feature = "mio", feature = "tokio"))]
pub use verdict::Verdict;

#[cfg(feature = "tokio")]
mod tokio;
