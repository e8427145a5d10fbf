//! A stream that counts its system calls.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tickwire::SplitStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::play::{Calling, Play};

/// Whose calls are counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Server,
    Client,
}

/// A socket of tokio's, or a half of one.
pub(crate) trait Socket: Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Socket for OwnedReadHalf {
    fn tcp(&self) -> &TcpStream {
        self.as_ref()
    }
}

impl Socket for OwnedWriteHalf {
    fn tcp(&self) -> &TcpStream {
        self.as_ref()
    }
}

/// Counts reads and writes that reach the operating system. tokio answers by itself when it
/// knows that a socket is not ready; such calls are not counted.
pub(crate) struct Counted<S> {
    stream: S,
    play: Arc<Play>,
    end: End,
}

impl<S> Counted<S> {
    pub(crate) fn new(stream: S, play: &Arc<Play>, end: End) -> Self {
        Self {
            stream,
            play: play.clone(),
            end,
        }
    }

    fn calling(&self) -> &Calling {
        match self.end {
            End::Server => &self.play.server,
            End::Client => &self.play.clients,
        }
    }
}

fn count(calls: &AtomicU64) {
    calls.fetch_add(1, Ordering::Relaxed);
}

impl SplitStream for Counted<TcpStream> {
    type Read = Counted<OwnedReadHalf>;
    type Write = Counted<OwnedWriteHalf>;

    fn split(self) -> (Self::Read, Self::Write) {
        let (read, write) = self.stream.into_split();
        (
            Counted::new(read, &self.play, self.end),
            Counted::new(write, &self.play, self.end),
        )
    }

    fn unite(read: Self::Read, write: Self::Write) -> Result<Self, (Self::Read, Self::Write)> {
        let (play, end) = (read.play, read.end);
        match read.stream.reunite(write.stream) {
            Ok(stream) => Ok(Self::new(stream, &play, end)),
            Err(halves) => Err((
                Counted::new(halves.0, &play, end),
                Counted::new(halves.1, &write.play, write.end),
            )),
        }
    }
}

impl<S: Socket + AsyncRead> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Pending: no call is made. Pending after this: one was, and found nothing.
        ready!(self.stream.tcp().poll_read_ready(cx))?;
        count(&self.calling().reads);
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: Socket + AsyncWrite> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.stream.tcp().poll_write_ready(cx))?;
        count(&self.calling().writes);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.stream.tcp().poll_write_ready(cx))?;
        count(&self.calling().writes);
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
