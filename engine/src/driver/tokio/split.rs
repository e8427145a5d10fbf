//! A connection taken apart for two tasks, and put together again.

use std::boxed::Box;
use std::fmt;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadHalf, WriteHalf};
use tokio::net::TcpStream;

use super::gate::{Cell, Shared};
use super::reader::{Deserting, Reader};
use super::receiving::NEVER;
use super::websocket::WebSocket;
use super::writer::Writer;

/// A stream whose two directions can be owned by two tasks.
///
/// For one that has no halves of its own, use [`WebSocket::split_any`].
pub trait SplitStream: Sized {
    /// The half to read from.
    type Read: AsyncRead + Unpin;
    /// The half to write to.
    type Write: AsyncWrite + Unpin;

    /// Takes the stream apart.
    fn split(self) -> (Self::Read, Self::Write);

    /// Puts it together again.
    ///
    /// # Errors
    /// The halves, if they are not of one stream.
    fn unite(read: Self::Read, write: Self::Write) -> Result<Self, (Self::Read, Self::Write)>;
}

impl SplitStream for TcpStream {
    type Read = tokio::net::tcp::OwnedReadHalf;
    type Write = tokio::net::tcp::OwnedWriteHalf;

    fn split(self) -> (Self::Read, Self::Write) {
        self.into_split()
    }

    fn unite(read: Self::Read, write: Self::Write) -> Result<Self, (Self::Read, Self::Write)> {
        read.reunite(write).map_err(|e| (e.0, e.1))
    }
}

#[cfg(unix)]
impl SplitStream for tokio::net::UnixStream {
    type Read = tokio::net::unix::OwnedReadHalf;
    type Write = tokio::net::unix::OwnedWriteHalf;

    fn split(self) -> (Self::Read, Self::Write) {
        self.into_split()
    }

    fn unite(read: Self::Read, write: Self::Write) -> Result<Self, (Self::Read, Self::Write)> {
        read.reunite(write).map_err(|e| (e.0, e.1))
    }
}

impl SplitStream for DuplexStream {
    type Read = ReadHalf<Self>;
    type Write = WriteHalf<Self>;

    fn split(self) -> (Self::Read, Self::Write) {
        tokio::io::split(self)
    }

    fn unite(read: Self::Read, write: Self::Write) -> Result<Self, (Self::Read, Self::Write)> {
        if read.is_pair_of(&write) {
            Ok(read.unsplit(write))
        } else {
            Err((read, write))
        }
    }
}

/// The halves of a connection.
pub type Halves<R, W> = (Reader<R, W>, Writer<W>);

impl<S> WebSocket<S> {
    /// Takes the connection apart, for two tasks. The reader goes on answering Pings and
    /// watching deadlines, so it must be polled for the connection to live, and for the writer to
    /// learn of its end; neither half waits for the other in a lock.
    ///
    /// For a task that only sends, do not split: [`send`](Self::send) does both.
    #[must_use]
    pub fn split(self) -> Halves<S::Read, S::Write>
    where
        S: SplitStream,
    {
        self.split_with(S::split)
    }

    /// [`Self::split`] for any stream: tokio's own [`split`](tokio::io::split), in which the
    /// two directions exclude each other for the length of a read or write.
    #[must_use]
    pub fn split_any(self) -> Halves<ReadHalf<S>, WriteHalf<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.split_with(tokio::io::split)
    }

    fn split_with<R, W>(self, split: impl FnOnce(S) -> (R, W)) -> Halves<R, W> {
        let (read, write) = split(self.io);
        let shared = Arc::new(Shared::new(self.sending, write));
        let writer = Writer::new(Arc::clone(&shared));
        let bell = Arc::clone(&shared.bell);
        let reader = Reader {
            receiving: self.receiving,
            io: read,
            shared,
            write_deadline: NEVER,
            unattended: true,
            answers: false,
            write_failed: false,
            _deserting: Deserting(bell),
            origin: self.origin,
        };
        (reader, writer)
    }

    /// Puts the halves of one connection together again.
    ///
    /// # Errors
    /// The halves, if they are of two connections, or if the [`Sink`](futures_sink::Sink) of
    /// the writer holds a message that is not queued: flush it first.
    pub fn unite(
        reader: Reader<S::Read, S::Write>,
        writer: Writer<S::Write>,
    ) -> Result<Self, UniteError<S::Read, S::Write>>
    where
        S: SplitStream,
    {
        if !Arc::ptr_eq(&reader.shared, &writer.shared) || writer.waiting.is_some() {
            return Err(UniteError(Some(Box::new((reader, writer)))));
        }
        let Reader {
            receiving,
            io: read,
            shared,
            origin,
            ..
        } = reader;
        drop(writer);
        let cell = Arc::into_inner(shared).map(Shared::into_cell);
        let united = cell.and_then(|Cell { sending, io }| {
            let io = S::unite(read, io).ok()?;
            Some(Self {
                receiving,
                sending,
                io,
                origin,
            })
        });
        united.ok_or(UniteError(None))
    }
}

pub(in crate::driver) const NOT_UNITED: &str = "the halves were not united: they are of two connections, or the writer holds a message that is not sent; flush it first";

/// Two halves that are not of one connection.
pub struct UniteError<R, W>(Option<Box<Halves<R, W>>>);

impl<R, W> UniteError<R, W> {
    /// The halves; `None` where the stream itself gave its halves back, which ends the
    /// connection.
    #[must_use]
    pub fn into_halves(self) -> Option<Halves<R, W>> {
        self.0.map(|halves| *halves)
    }
}

impl<R, W> fmt::Debug for UniteError<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UniteError")
    }
}

impl<R, W> fmt::Display for UniteError<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NOT_UNITED)
    }
}

impl<R, W> std::error::Error for UniteError<R, W> {}
