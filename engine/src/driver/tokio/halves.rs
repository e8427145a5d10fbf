//! The read half and the write half of a stream, for two tasks.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::tcp;
#[cfg(unix)]
use tokio::net::unix;

/// The read half of a stream.
#[derive(Debug)]
pub(super) enum ReadHalf<S> {
    Tcp(tcp::OwnedReadHalf),
    #[cfg(unix)]
    Unix(unix::OwnedReadHalf),
    /// A half of any other stream, which shares the stream under a lock.
    Any(tokio::io::ReadHalf<S>),
}

/// The write half of a stream.
#[derive(Debug)]
pub(super) enum WriteHalf<S> {
    Tcp(tcp::OwnedWriteHalf),
    #[cfg(unix)]
    Unix(unix::OwnedWriteHalf),
    /// A half of any other stream, which shares the stream under a lock.
    Any(tokio::io::WriteHalf<S>),
}

/// Calls the same method on every variant.
macro_rules! for_each_half {
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
        for_each_half!(ReadHalf, self.get_mut(), half => Pin::new(half).poll_read(cx, buf))
    }
}

impl<S: AsyncWrite> AsyncWrite for WriteHalf<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        for_each_half!(WriteHalf, self.get_mut(), half => Pin::new(half).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        for_each_half!(WriteHalf, self.get_mut(), half => Pin::new(half).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        for_each_half!(WriteHalf, self, half => half.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        for_each_half!(WriteHalf, self.get_mut(), half => Pin::new(half).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        for_each_half!(WriteHalf, self.get_mut(), half => Pin::new(half).poll_shutdown(cx))
    }
}
