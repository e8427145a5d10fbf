//! Connected sockets that a reactor serves, and the addresses of their peers.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;

/// A connected stream socket, which a reactor takes over and gives back.
///
/// ```
/// use std::net::{TcpListener, TcpStream};
/// use tickwire::net::Socket;
/// use tickwire::{Parts, Role};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let stream = TcpStream::connect(listener.local_addr()?)?;
/// let parts: Parts<Socket> = Parts::new(stream.into(), Role::Client);
/// let stream = TcpStream::try_from(parts.stream).expect("it is TCP");
/// # drop(stream);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Socket {
    /// TCP, over IPv4 or IPv6.
    Tcp(TcpStream),
    /// A Unix domain socket.
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Socket {
    /// The address of the peer.
    ///
    /// # Errors
    /// The error of the system call: `NotConnected` if the peer is gone.
    pub fn peer_addr(&self) -> io::Result<PeerAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().map(PeerAddr::Inet),
            #[cfg(unix)]
            Self::Unix(stream) => stream.peer_addr().map(|_| PeerAddr::Unix),
        }
    }

    pub(super) fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_nonblocking(true),
            #[cfg(unix)]
            Self::Unix(stream) => stream.set_nonblocking(true),
        }
    }
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

#[cfg(unix)]
impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Self {
        Self::Unix(stream)
    }
}

/// Fails with the socket, if it is of the other kind.
impl TryFrom<Socket> for TcpStream {
    type Error = Socket;

    fn try_from(socket: Socket) -> Result<Self, Socket> {
        match socket {
            Socket::Tcp(stream) => Ok(stream),
            #[cfg(unix)]
            other => Err(other),
        }
    }
}

/// Fails with the socket, if it is of the other kind.
#[cfg(unix)]
impl TryFrom<Socket> for UnixStream {
    type Error = Socket;

    fn try_from(socket: Socket) -> Result<Self, Socket> {
        match socket {
            Socket::Unix(stream) => Ok(stream),
            other => Err(other),
        }
    }
}

/// The address of a connection's peer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum PeerAddr {
    /// An address and port.
    Inet(SocketAddr),
    /// A process on this machine, over a Unix socket. It has no address: the client's end of a Unix
    /// socket is rarely bound to a path.
    Unix,
}

impl PeerAddr {
    /// The address and port; `None` over a Unix socket.
    #[must_use]
    pub fn inet(self) -> Option<SocketAddr> {
        match self {
            Self::Inet(addr) => Some(addr),
            Self::Unix => None,
        }
    }
}

impl From<SocketAddr> for PeerAddr {
    fn from(addr: SocketAddr) -> Self {
        Self::Inet(addr)
    }
}

/// Shows the address and port like [`SocketAddr`], or `unix`.
impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(addr) => addr.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

/// A listening socket of the operating system.
#[derive(Debug)]
pub(super) enum ListeningSocket {
    Tcp(std::net::TcpListener),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener),
}

impl ListeningSocket {
    /// Listens on a path, non-blocking.
    #[cfg(unix)]
    pub(super) fn bind_unix(path: &std::path::Path) -> io::Result<Self> {
        let bound = std::os::unix::net::UnixListener::bind(path);
        let listener = bound.map_err(|error| {
            let advice = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    "; the file exists already: remove it if no process listens on it"
                }
                io::ErrorKind::InvalidInput => "; the path of a socket may have at most 107 bytes",
                _ => "",
            };
            let text = std::format!("cannot listen on {}: {error}{advice}", path.display());
            io::Error::new(error.kind(), text)
        })?;
        listener.set_nonblocking(true)?;
        Ok(Self::Unix(listener))
    }
}
