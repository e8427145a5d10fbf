//! Sockets that are registered with a mio poll.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::Shutdown;
use std::rc::Rc;

use mio::Registry;
use mio::event::Source;
use mio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use mio::net::{UnixListener, UnixStream};

use crate::driver::socket::{ListeningSocket, PeerAddr, Socket};
use crate::driver::transport::{Read, Transport};
use crate::driver::tune::{Tune, TuneReport};

/// Makes the same call on a TCP and a Unix socket.
macro_rules! either {
    ($kind:ident, $of:expr, $socket:ident => $call:expr) => {
        match $of {
            $kind::Tcp($socket) => $call,
            #[cfg(unix)]
            $kind::Unix($socket) => $call,
        }
    };
}

/// A connection's socket.
#[derive(Debug)]
pub(in super::super) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Stream {
    pub(super) fn source(&mut self) -> &mut dyn Source {
        either!(Stream, self, stream => stream)
    }

    pub(super) fn tune(&self, tune: &Tune) -> io::Result<TuneReport> {
        match self {
            Self::Tcp(stream) => Ok(tune.apply_or_fail(stream)?),
            #[cfg(unix)]
            Self::Unix(_) => Ok(TuneReport::default()),
        }
    }
}

impl From<Socket> for Stream {
    fn from(socket: Socket) -> Self {
        match socket {
            Socket::Tcp(stream) => Self::Tcp(TcpStream::from_std(stream)),
            #[cfg(unix)]
            Socket::Unix(stream) => Self::Unix(UnixStream::from_std(stream)),
        }
    }
}

impl From<Stream> for Socket {
    fn from(stream: Stream) -> Self {
        match stream {
            Stream::Tcp(stream) => Self::Tcp(stream.into()),
            #[cfg(unix)]
            Stream::Unix(stream) => Self::Unix(stream.into()),
        }
    }
}

/// A listening socket.
pub(in super::super) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Listener {
    pub(super) fn source(&mut self) -> &mut dyn Source {
        either!(Listener, self, listener => listener)
    }

    pub(super) fn accept(&self) -> io::Result<(Stream, PeerAddr)> {
        match self {
            Self::Tcp(listener) => listener
                .accept()
                .map(|(stream, peer)| (Stream::Tcp(stream), PeerAddr::Inet(peer))),
            #[cfg(unix)]
            Self::Unix(listener) => listener
                .accept()
                .map(|(stream, _)| (Stream::Unix(stream), PeerAddr::Unix)),
        }
    }
}

impl From<ListeningSocket> for Listener {
    fn from(listener: ListeningSocket) -> Self {
        match listener {
            ListeningSocket::Tcp(listener) => Self::Tcp(TcpListener::from_std(listener)),
            #[cfg(unix)]
            ListeningSocket::Unix(listener) => Self::Unix(UnixListener::from_std(listener)),
        }
    }
}

/// A registered socket. Closing it on drop removes it from the poll.
#[derive(Debug)]
pub(in super::super) struct Registered {
    pub(super) stream: Stream,
    pub(super) registry: Rc<Registry>,
}

impl Transport for Registered {
    #[inline]
    fn read(&mut self, space: &mut [u8]) -> io::Result<Read> {
        either!(Stream, &mut self.stream, stream => stream.read(space)).map(Read::untimed)
    }

    #[inline]
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            // A plain write is cheaper for the kernel than a vectored write of one slice.
            [slice] => either!(Stream, &mut self.stream, stream => stream.write(slice)),
            slices => either!(Stream, &mut self.stream, stream => stream.write_vectored(slices)),
        }
    }

    fn shut_down_write(&mut self) -> io::Result<()> {
        match either!(Stream, &self.stream, stream => stream.shutdown(Shutdown::Write)) {
            // The peer has already closed the connection.
            Err(e) if e.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }

    fn connected(&mut self) -> io::Result<bool> {
        if let Some(error) = either!(Stream, &self.stream, stream => stream.take_error())? {
            return Err(error);
        }
        match either!(Stream, &self.stream, stream => stream.peer_addr().map(drop)) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn short_calls_arm(&self) -> bool {
        // The poll is edge-triggered: later input is a new edge.
        true
    }

    fn into_socket(mut self) -> io::Result<Socket> {
        self.registry.deregister(self.stream.source())?;
        Ok(self.stream.into())
    }
}
