//! Splits a connection for two tasks, and unites the halves again.

use std::any::Any;
use std::boxed::Box;
use std::fmt;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::gate::{SharedWrite, SplitState};
use super::halves::{ReadHalf, WriteHalf};
use super::reader::{Reader, ReaderDropGuard};
use super::receiving::NEVER;
use super::websocket::WebSocket;
use super::writer::Writer;

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> WebSocket<S> {
    /// Splits the connection into two halves, for two tasks. The reader goes on answering Pings and
    /// checking deadlines: a receive must be pending for the connection to stay open, and for the
    /// writer to learn that it ends.
    ///
    /// Do not split for a task that only sends: [`send`](Self::send) answers Pings, too.
    ///
    /// Any stream can be split: TCP, TLS, an in-memory pipe. On TCP and Unix sockets the two
    /// directions do not wait for each other. On any other stream, one that is only [`AsyncRead`]
    /// and [`AsyncWrite`], a read and a write exclude each other for the length of one poll, as
    /// with tokio's own [`split`](tokio::io::split).
    ///
    /// This method takes precedence over `StreamExt::split` of the futures crates, whose halves
    /// share one lock and lend no messages.
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
        let (read, write) = split_stream(self.io);
        let shared = Arc::new(SplitState::new(self.sending, write));
        let writer = Writer::new(Arc::clone(&shared));
        let gate = Arc::clone(&shared.gate);
        let reader = Reader {
            receiving: self.receiving,
            io: read,
            shared,
            write_deadline: NEVER,
            must_enter: true,
            answers_due: false,
            write_failed: false,
            _drop_guard: ReaderDropGuard(gate),
            origin: self.origin,
        };
        (reader, writer)
    }

    /// Unites the two halves of one connection.
    ///
    /// # Errors
    /// [`UniteError`] with the halves, if they are of different connections, or if the
    /// [`Sink`](futures_sink::Sink) of the writer holds a message that is not queued: flush it
    /// first.
    pub fn unite(reader: Reader<S>, writer: Writer<S>) -> Result<Self, UniteError<S>> {
        if !Arc::ptr_eq(&reader.shared, &writer.shared) || writer.pending.is_some() {
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
        let Some(SharedWrite { sending, io }) = Arc::into_inner(shared).map(SplitState::into_inner)
        else {
            unreachable!("only the two halves hold the shared state");
        };
        Ok(Self {
            receiving,
            sending,
            io: reunite_stream(read, io),
            origin,
        })
    }
}

pub(in crate::driver) const NOT_UNITED: &str = "the halves were not united: they are of two connections, or the writer holds a message that is not sent; flush it first";

/// Splits a stream: without a lock if its type supports that.
fn split_stream<S: AsyncRead + AsyncWrite + 'static>(io: S) -> (ReadHalf<S>, WriteHalf<S>) {
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

/// Reunites the two halves of one stream that [`split_stream`] has returned.
fn reunite_stream<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    read: ReadHalf<S>,
    write: WriteHalf<S>,
) -> S {
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

/// `value`, if `A` is `B`. The compiler resolves it.
fn cast<A: 'static, B: 'static>(value: A) -> Result<B, A> {
    let mut value = Some(value);
    let same: &mut dyn Any = &mut value;
    if let Some(Some(cast)) = same.downcast_mut::<Option<B>>().map(Option::take) {
        return Ok(cast);
    }
    value.map_or_else(|| unreachable!("the value was not taken"), Err)
}

/// The halves that [`WebSocket::unite`] did not unite: they are of different connections, or the
/// writer's `Sink` holds a message that is not queued.
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
