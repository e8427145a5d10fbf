//! A connection taken apart for two tasks, and put together again.

use std::any::Any;
use std::boxed::Box;
use std::fmt;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::gate::{Cell, Shared};
use super::halves::{ReadHalf, WriteHalf};
use super::reader::{Deserting, Reader};
use super::receiving::NEVER;
use super::websocket::WebSocket;
use super::writer::Writer;

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> WebSocket<S> {
    /// Takes the connection apart, for two tasks. The reader goes on answering Pings and
    /// watching deadlines, so it must be polled for the connection to live, and for the writer to
    /// learn of its end.
    ///
    /// For a task that only sends, do not split: [`send`](Self::send) does both.
    ///
    /// Any stream splits: TCP, TLS, an in-memory pipe. On TCP and Unix sockets the two directions do
    /// not wait for each other. On any other stream, one that is only [`AsyncRead`] and
    /// [`AsyncWrite`], they exclude each other for the length of a read or write, as in tokio's own
    /// [`split`](tokio::io::split), and never while one of them waits for the peer.
    ///
    /// It stands before `StreamExt::split` of the futures crates, whose halves share one lock and lend
    /// no messages.
    ///
    /// ```
    /// use tickwire::{Error, WebSocket};
    /// use tokio::io::{AsyncRead, AsyncWrite};
    ///
    /// # async fn run<S>(ws: WebSocket<S>) -> Result<(), Error>
    /// # where
    /// #     S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    /// # {
    /// let (mut reader, mut writer) = ws.split();
    /// let receiving = tokio::spawn(async move {
    ///     while let Some(message) = reader.recv().await? {
    ///         println!("{message:?}");
    ///     }
    ///     Ok::<_, Error>(reader)
    /// });
    /// writer.send_text("hello").await?;
    /// # drop(receiving);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn split(self) -> (Reader<S>, Writer<S>) {
        let (read, write) = halves(self.io);
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
    pub fn unite(reader: Reader<S>, writer: Writer<S>) -> Result<Self, UniteError<S>> {
        if !Arc::ptr_eq(&reader.shared, &writer.shared) || writer.waiting.is_some() {
            return Err(UniteError(Box::new((reader, writer))));
        }
        let Reader {
            receiving,
            io: read,
            shared,
            origin,
            ..
        } = reader;
        drop(writer);
        let Some(Cell { sending, io }) = Arc::into_inner(shared).map(Shared::into_cell) else {
            unreachable!("the two halves are all that holds what they share");
        };
        Ok(Self {
            receiving,
            sending,
            io: whole(read, io),
            origin,
        })
    }
}

pub(in crate::driver) const NOT_UNITED: &str = "the halves were not united: they are of two connections, or the writer holds a message that is not sent; flush it first";

/// The halves of a stream: its own, if it is one of those that can be owned by two tasks.
fn halves<S: AsyncRead + AsyncWrite + 'static>(io: S) -> (ReadHalf<S>, WriteHalf<S>) {
    let io = match cast::<S, TcpStream>(io) {
        Ok(tcp) => {
            let (read, write) = tcp.into_split();
            return (ReadHalf::Tcp(read), WriteHalf::Tcp(write));
        }
        Err(io) => io,
    };
    #[cfg(unix)]
    let io = match cast::<S, tokio::net::UnixStream>(io) {
        Ok(unix) => {
            let (read, write) = unix.into_split();
            return (ReadHalf::Unix(read), WriteHalf::Unix(write));
        }
        Err(io) => io,
    };
    let (read, write) = tokio::io::split(io);
    (ReadHalf::Any(read), WriteHalf::Any(write))
}

/// The stream of two halves that [`halves`] gave at once.
fn whole<S: AsyncRead + AsyncWrite + Unpin + 'static>(read: ReadHalf<S>, write: WriteHalf<S>) -> S {
    let united = match (read, write) {
        (ReadHalf::Any(read), WriteHalf::Any(write)) => Some(read.unsplit(write)),
        (ReadHalf::Tcp(read), WriteHalf::Tcp(write)) => {
            let tcp = read.reunite(write).ok();
            tcp.and_then(|tcp| cast(tcp).ok())
        }
        #[cfg(unix)]
        (ReadHalf::Unix(read), WriteHalf::Unix(write)) => {
            let unix = read.reunite(write).ok();
            unix.and_then(|unix| cast(unix).ok())
        }
        _ => None,
    };
    united.unwrap_or_else(|| unreachable!("the halves are of one stream"))
}

/// `value`, if it is a `B`. Decided by the compiler.
fn cast<A: 'static, B: 'static>(value: A) -> Result<B, A> {
    let mut value = Some(value);
    let same: &mut dyn Any = &mut value;
    if let Some(Some(cast)) = same.downcast_mut::<Option<B>>().map(Option::take) {
        return Ok(cast);
    }
    value.map_or_else(|| unreachable!("a value that was not taken is there"), Err)
}

/// Two halves that are not of one connection, or that are not ready to be one.
pub struct UniteError<S>(Box<(Reader<S>, Writer<S>)>);

impl<S> UniteError<S> {
    /// The halves.
    #[must_use]
    pub fn into_halves(self) -> (Reader<S>, Writer<S>) {
        *self.0
    }
}

impl<S> fmt::Debug for UniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UniteError")
    }
}

impl<S> fmt::Display for UniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NOT_UNITED)
    }
}

impl<S> std::error::Error for UniteError<S> {}
