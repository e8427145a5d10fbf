//! The two directions of a stream, for two tasks.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::tcp;
#[cfg(unix)]
use tokio::net::unix;

/// The half to read from.
#[derive(Debug)]
pub(super) enum ReadHalf<S> {
    Tcp(tcp::OwnedReadHalf),
    #[cfg(unix)]
    Unix(unix::OwnedReadHalf),
    /// Of a stream that has no halves of its own.
    Any(tokio::io::ReadHalf<S>),
}

/// The half to write to.
#[derive(Debug)]
pub(super) enum WriteHalf<S> {
    Tcp(tcp::OwnedWriteHalf),
    #[cfg(unix)]
    Unix(unix::OwnedWriteHalf),
    /// Of a stream that has no halves of its own.
    Any(tokio::io::WriteHalf<S>),
}

/// A call of the half that is there.
macro_rules! each {
    ($of:ident, $this:expr, $half:ident => $call:expr) => {
        match $this {
            $of::Tcp($half) => $call,
            #[cfg(unix)]
            $of::Unix($half) => $call,
            $of::Any($half) => $call,
        }
    };
}

impl<S: AsyncRead> AsyncRead for ReadHalf<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(ReadHalf, self.get_mut(), half => Pin::new(half).poll_read(cx, buf))
    }
}

impl<S: AsyncWrite> AsyncWrite for WriteHalf<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(WriteHalf, self.get_mut(), half => Pin::new(half).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(WriteHalf, self.get_mut(), half => Pin::new(half).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        each!(WriteHalf, self, half => half.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(WriteHalf, self.get_mut(), half => Pin::new(half).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(WriteHalf, self.get_mut(), half => Pin::new(half).poll_shutdown(cx))
    }
}
