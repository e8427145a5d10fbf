//! The parts of a reactor that differ between mio and tokio.

#[cfg(feature = "mio")]
mod mio;
#[cfg(feature = "tokio")]
mod tokio;

use std::io;

use crate::driver::socket::{ListeningSocket, PeerAddr, Socket};
use crate::driver::transport::Transport;
use crate::driver::tune::{Tune, TuneReport};

#[cfg(feature = "mio")]
pub use self::mio::{Reactor, Reactors, ReactorsOptions, Share};
#[cfg(feature = "tokio")]
pub use self::tokio::TokioReactor;

/// The event source of a reactor: registers sockets, whose readiness events carry a token.
pub(super) trait Host {
    /// A registered connection socket.
    type Transport: Transport;
    /// A connection socket that is not registered yet.
    type Stream;
    /// A registered listening socket.
    type Listener;

    /// Converts a non-blocking socket.
    fn stream(socket: Socket) -> io::Result<Self::Stream>;

    /// Converts a socket back, to pass it to another reactor.
    fn into_socket(stream: Self::Stream) -> io::Result<Socket>;

    /// Sets the options of an accepted TCP socket. Does nothing for a Unix socket.
    fn tune(stream: &Self::Stream, tune: &Tune) -> io::Result<TuneReport>;

    /// Registers the socket. Its events carry `token`.
    fn register(&mut self, stream: Self::Stream, token: usize) -> io::Result<Self::Transport>;

    /// Registers a non-blocking listener. Its events carry `token`.
    fn listen(&mut self, listener: ListeningSocket, token: usize) -> io::Result<Self::Listener>;

    /// Accepts a connection. `WouldBlock` if the backlog is empty; an event then announces the
    /// next connection.
    fn accept(&mut self, listener: &mut Self::Listener) -> io::Result<(Self::Stream, PeerAddr)>;
}
