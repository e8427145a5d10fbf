//! The stream of an upgraded connection, of any type.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::into_stream;

/// The stream of a connection that an HTTP server has upgraded.
///
/// A TCP socket or a Unix socket is taken out of the server: reads and writes do not pass through
/// hyper any more. Any other stream, a TLS stream for instance, is read and written through hyper.
#[derive(Debug)]
pub struct UpgradedStream(Inner);

#[derive(Debug)]
enum Inner {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    Other(TokioIo<Upgraded>),
}

impl UpgradedStream {
    /// The stream, and the bytes that the server has read ahead.
    pub(super) fn of(upgraded: Upgraded) -> (Self, Bytes) {
        let upgraded = match into_stream::<TcpStream>(upgraded) {
            Ok((stream, read_ahead)) => {
                // The default of `Tune`. If the socket refuses it, messages are slower but not
                // lost.
                let _ = stream.set_nodelay(true);
                return (Self(Inner::Tcp(stream)), read_ahead);
            }
            Err(upgraded) => upgraded,
        };
        #[cfg(unix)]
        let upgraded = match into_stream::<UnixStream>(upgraded) {
            Ok((stream, read_ahead)) => return (Self(Inner::Unix(stream)), read_ahead),
            Err(upgraded) => upgraded,
        };
        (Self(Inner::Other(TokioIo::new(upgraded))), Bytes::new())
    }

    /// The TCP socket, if the stream is one: for its addresses, and to [tune](crate::net::Tune) it.
    /// `TCP_NODELAY` is set already.
    #[must_use]
    pub fn tcp(&self) -> Option<&TcpStream> {
        match &self.0 {
            Inner::Tcp(stream) => Some(stream),
            _ => None,
        }
    }

    /// The Unix socket, if the stream is one.
    #[cfg(unix)]
    #[must_use]
    pub fn unix(&self) -> Option<&UnixStream> {
        match &self.0 {
            Inner::Unix(stream) => Some(stream),
            _ => None,
        }
    }
}

/// Calls the same method on every variant.
macro_rules! with_stream {
    ($this:expr, |$stream:ident| $call:expr) => {
        match $this {
            Inner::Tcp($stream) => $call,
            #[cfg(unix)]
            Inner::Unix($stream) => $call,
            Inner::Other($stream) => $call,
        }
    };
}

impl AsyncRead for UpgradedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        with_stream!(&mut self.0, |s| Pin::new(s).poll_read(cx, buf))
    }
}

impl AsyncWrite for UpgradedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        with_stream!(&mut self.0, |s| Pin::new(s).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        with_stream!(&mut self.0, |s| Pin::new(s).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        with_stream!(&self.0, |s| s.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_stream!(&mut self.0, |s| Pin::new(s).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_stream!(&mut self.0, |s| Pin::new(s).poll_shutdown(cx))
    }
}
