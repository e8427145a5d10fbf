//! What the reactors do each in their own way.

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

/// Where sockets are registered, and what tells that they are ready.
pub(super) trait Host {
    /// A connection's socket, registered.
    type Transport: Transport;
    /// A connection's socket that is not registered yet.
    type Stream;
    /// A listening socket, registered.
    type Listener;

    /// Takes a non-blocking socket in hand.
    fn stream(socket: Socket) -> io::Result<Self::Stream>;

    /// Lets go of a socket, for another reactor.
    fn into_socket(stream: Self::Stream) -> io::Result<Socket>;

    /// Sets the options of an accepted socket. They are those of TCP: a Unix socket has none.
    fn tune(stream: &Self::Stream, tune: &Tune) -> io::Result<TuneReport>;

    /// Has events of the socket told by `token`.
    fn register(&mut self, stream: Self::Stream, token: usize) -> io::Result<Self::Transport>;

    /// Has events of a non-blocking listener told by `token`.
    fn listen(&mut self, listener: ListeningSocket, token: usize) -> io::Result<Self::Listener>;

    /// The next connection. `WouldBlock` when there is none; an event tells of the next then.
    fn accept(&mut self, listener: &mut Self::Listener) -> io::Result<(Self::Stream, PeerAddr)>;
}
