//! The halves of a connection, for two tasks.

use std::boxed::Box;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadHalf, WriteHalf};
use tokio::net::TcpStream;

use super::super::error::Error;
use super::gate::{Bell, Cell, Shared, Side};
use super::io::now;
use super::receiving::{Came, Receiving};
use super::sending::{Put, Sending, put_binary};
use super::timer::Timer;
use super::websocket::{Messages, Origin, WebSocket, put_bytes, put_text};
use crate::conn::{Kind, Outbox, OwnedMessage, PreparedMessage};
use crate::error::{CloseCode, SendError};
use crate::role::Role;
use crate::session::{End, Stats, WriteSide};
use crate::time::Timestamp;

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

impl<S> WebSocket<S> {
    /// Takes the connection apart, for two tasks. The reader goes on answering Pings and
    /// watching deadlines, so it must be polled for the connection to live; neither half waits
    /// for the other in a lock.
    #[must_use]
    pub fn split(self) -> (Reader<S::Read, S::Write>, Writer<S::Write>)
    where
        S: SplitStream,
    {
        self.split_with(S::split)
    }

    /// [`Self::split`] for any stream: tokio's own [`split`](tokio::io::split), in which the
    /// two directions exclude each other for the length of a read or write.
    #[must_use]
    pub fn split_any(self) -> (Reader<ReadHalf<S>, WriteHalf<S>>, Writer<WriteHalf<S>>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.split_with(tokio::io::split)
    }

    fn split_with<R, W>(self, split: impl FnOnce(S) -> (R, W)) -> (Reader<R, W>, Writer<W>) {
        let (read, write) = split(self.io);
        let shared = Arc::new(Shared::new(self.sending, write));
        let bell = Arc::clone(&shared.bell);
        let reader = Reader {
            receiving: self.receiving,
            io: read,
            shared: Arc::clone(&shared),
            write_deadline: None,
            unattended: true,
            role: self.role,
            origin: self.origin,
        };
        let writer = Writer {
            shared,
            timer: Timer::default(),
            waiting: None,
            _leaving: Leaving(bell),
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
            role,
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
                role,
                origin,
            })
        });
        united.ok_or(UniteError(None))
    }
}

/// Two halves that are not of one connection.
pub struct UniteError<R, W>(Option<Box<(Reader<R, W>, Writer<W>)>>);

impl<R, W> UniteError<R, W> {
    /// The halves; `None` where the stream itself gave its halves back, which ends the
    /// connection.
    #[must_use]
    pub fn into_halves(self) -> Option<(Reader<R, W>, Writer<W>)> {
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
        f.write_str("the halves are of two connections, or the writer holds an unsent message: flush it first")
    }
}

impl<R, W> std::error::Error for UniteError<R, W> {}

/// The receiving half of a [`WebSocket`]. Answers Pings and Closes, and watches the deadlines.
///
/// Dropped, nobody does: the writer sends on until the stream fails.
pub struct Reader<R, W> {
    receiving: Receiving,
    io: R,
    shared: Arc<Shared<W>>,
    /// The sending half's deadline, as it was when the reader last looked. It may have moved
    /// on since; when it appears, the writer calls.
    write_deadline: Option<Timestamp>,
    /// There is something to do in the cell.
    unattended: bool,
    role: Role,
    origin: Option<Box<Origin>>,
}

impl<R, W> Reader<R, W> {
    /// The sub-protocol agreed on.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.origin.as_ref()?.subprotocol.as_deref()
    }

    /// How the connection ended, once that is known.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.receiving.end()
    }

    /// The last round trip measured by a Ping of the keepalive.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.receiving.read.rtt()
    }

    /// Messages and payload bytes received; what was sent counts as nothing here.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.receiving.read.stats()
    }

    /// The half of the stream.
    pub fn stream(&self) -> &R {
        &self.io
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Reader<R, W> {
    /// As [`WebSocket::recv_batch`], without the outbox: answers go through the [`Writer`].
    ///
    /// # Errors
    /// As [`WebSocket::recv_batch`].
    pub async fn recv_batch(&mut self) -> Result<Option<Messages<'_>>, Error> {
        if poll_fn(|cx| self.poll_turn(cx)).await {
            return Ok(Some(Messages(self.receiving.read.batch())));
        }
        self.receiving.outcome().map(|()| None)
    }

    /// As [`WebSocket::recv`].
    ///
    /// # Errors
    /// As [`WebSocket::recv_batch`].
    pub async fn recv(&mut self) -> Result<Option<OwnedMessage>, Error> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    pub(super) fn receiving(&mut self) -> &mut Receiving {
        &mut self.receiving
    }

    pub(super) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<OwnedMessage>, Error>> {
        // Every turn reads or leaves.
        loop {
            if !self.receiving.read.wants_read()
                && let Some(Ok(message)) = self.receiving.read.next_owned()
            {
                if self.receiving.read.wants_settle() {
                    self.attend(cx, now());
                }
                return Poll::Ready(Ok(Some(message)));
            }
            match self.poll_turn(cx) {
                Poll::Ready(true) => {}
                Poll::Ready(false) => {
                    return Poll::Ready(self.receiving.outcome().map(|()| None));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// As that of a whole connection; the cell is entered only when there is reason to.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.receiving.done {
            return Poll::Ready(false);
        }
        let mut now = now();
        // Bounded by what the stream has ready, which tokio rations.
        loop {
            let attended = self.attend(cx, now);
            let receiving = &mut self.receiving;
            if !receiving.read.wants_read() {
                return Poll::Ready(true);
            }
            if receiving.done {
                receiving.detach();
                return Poll::Ready(false);
            }
            if !receiving.eof
                && let Poll::Ready(came) = receiving.poll_read(&mut self.io, cx, &mut now)
            {
                self.unattended |= matches!(came, Came::End)
                    || receiving.is_due(self.write_deadline, now)
                    || receiving.read.is_done();
                if !receiving.read.wants_read() {
                    return Poll::Ready(true);
                }
                continue;
            }
            receiving.detach();
            if !attended {
                return Poll::Pending; // woken when the writer leaves the cell
            }
            self.shared.bell.register(Side::Reader, cx.waker());
            if self.shared.bell.attention() {
                continue;
            }
            let deadline = receiving.read.poll_timeout(self.write_deadline);
            match receiving.timer.poll(cx, deadline) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => self.unattended = true,
            }
            now = super::io::now();
        }
    }

    /// Does what there is to do in the cell; `false` if the writer is in it.
    fn attend(&mut self, cx: &Context<'_>, now: Timestamp) -> bool {
        let Self {
            receiving,
            shared,
            write_deadline,
            unattended,
            ..
        } = self;
        if !*unattended && !shared.bell.attention() && !receiving.read.wants_settle() {
            return true;
        }
        *unattended = true;
        let looked = shared.with(Side::Reader, cx.waker(), |Cell { sending, io }| {
            shared.bell.heed();
            if receiving.is_due(sending.write.deadline(), now) {
                receiving.read.handle_timeout(&mut sending.write, now);
            }
            let queued = sending.write.outbox().queued_bytes();
            let mut cx = Context::from_waker(&shared.waker);
            receiving.attend(sending, io, &mut cx, now);
            sending.detach_if_idle();
            *write_deadline = sending.write.deadline();
            let closing = sending.write.outbox().is_closing();
            // The peer's Close, and the closing of the stream, are waited for in here.
            *unattended = closing && receiving.read.wants_read();
            closing || queued > 0
        });
        if looked == Some(true) {
            // Its message may have room, or be past hope.
            shared.bell.wake_writer();
        }
        looked.is_some()
    }
}

/// The sending half of a [`WebSocket`].
///
/// Every method waits, at most `write_timeout` without progress, while the queue is full, and
/// is cancel safe as those of [`WebSocket`]. What the socket does not take at once goes out
/// when it can, driven by either half.
///
/// Dropped, what is queued is written by the reader, and nothing is closed: call
/// [`close`](Self::close) for that.
pub struct Writer<W> {
    shared: Arc<Shared<W>>,
    timer: Timer,
    /// Taken by the `Sink`, and not queued yet.
    pub(super) waiting: Option<OwnedMessage>,
    _leaving: Leaving,
}

/// The reader takes care of what a writer leaves behind.
struct Leaving(Arc<Bell>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.call_reader();
    }
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    /// As [`WebSocket::send`].
    ///
    /// # Errors
    /// As [`WebSocket::send`].
    pub async fn send(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.put(true, |write, io, cx, now| {
            put_binary(payload, write, io, cx, now)
        })
        .await
    }

    /// As [`WebSocket::send_text`].
    ///
    /// # Errors
    /// As [`WebSocket::send`].
    pub async fn send_text(&mut self, text: &str) -> Result<(), Error> {
        self.queue(true, |outbox| outbox.send_text(text)).await
    }

    /// As [`WebSocket::send_bytes`].
    ///
    /// # Errors
    /// As [`WebSocket::send`].
    pub async fn send_bytes(&mut self, payload: Bytes) -> Result<(), Error> {
        let mut waiting = payload;
        self.queue(true, |outbox| put_bytes(outbox, &mut waiting))
            .await
    }

    /// As [`WebSocket::send_prepared`].
    ///
    /// # Errors
    /// As [`WebSocket::send`].
    pub async fn send_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error> {
        self.queue(true, |outbox| outbox.send_prepared(message))
            .await
    }

    /// As [`WebSocket::send_part`].
    ///
    /// # Errors
    /// As [`WebSocket::send`].
    pub async fn send_part(&mut self, kind: Kind, data: &[u8], last: bool) -> Result<(), Error> {
        self.queue(true, |outbox| outbox.send_part(kind, data, last))
            .await
    }

    /// As [`WebSocket::feed`].
    ///
    /// # Errors
    /// As [`WebSocket::send`].
    pub async fn feed(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.queue(false, |outbox| outbox.send(payload)).await
    }

    /// Queues whatever `f` sends, then writes it: a batch in one system call. `f` runs once,
    /// and sees [`SendError::QueueFull`] itself.
    ///
    /// # Errors
    /// [`Error::Failed`], [`Error::Io`] where the connection has failed.
    pub async fn with_outbox<T>(&mut self, f: impl FnOnce(&mut Outbox) -> T) -> Result<T, Error> {
        let mut f = Some(f);
        let mut given = None;
        let put = |outbox: &mut Outbox| {
            if let Some(f) = f.take() {
                given = Some(f(outbox));
            }
            Ok(())
        };
        self.queue(true, put).await?;
        given.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected).into())
    }

    /// As [`WebSocket::ping`]; the Pong comes to the reader.
    ///
    /// # Errors
    /// As [`WebSocket::send`].
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.queue(true, |outbox| outbox.ping(payload)).await
    }

    /// As [`WebSocket::flush`].
    ///
    /// # Errors
    /// As [`WebSocket::flush`].
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Begins the closing handshake and waits until the Close is written. The reader sees it
    /// through: it goes on to give messages, and then how the connection ended.
    ///
    /// # Errors
    /// [`Error::Send`] for a code or reason that must not be sent; [`Error::Failed`],
    /// [`Error::Io`] where the connection has failed.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.queue(true, |outbox| outbox.close(code, reason))
            .await?;
        self.flush().await
    }

    async fn queue(
        &mut self,
        flush: bool,
        mut put: impl FnMut(&mut Outbox) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        self.put(flush, |write, _, _, _| put(write.outbox())).await
    }

    async fn put(
        &mut self,
        flush: bool,
        mut put: impl FnMut(
            &mut WriteSide,
            &mut W,
            &mut Context<'_>,
            Timestamp,
        ) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        poll_fn(|cx| self.poll_put(cx, flush, &mut put)).await
    }

    fn poll_put(
        &mut self,
        cx: &mut Context<'_>,
        flush: bool,
        put: &mut Put<'_, W>,
    ) -> Poll<Result<(), Error>> {
        if self.waiting.is_some() {
            match self.poll_waiting(cx) {
                Poll::Ready(Ok(())) => {}
                other => return other,
            }
        }
        self.poll_cell(cx, |sending, io, cx| sending.poll_send(io, cx, flush, put))
    }

    /// Queues the message that the `Sink` was given.
    pub(super) fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Some(mut message) = self.waiting.take() else {
            return Poll::Ready(Ok(()));
        };
        let queued = self.poll_cell(cx, |sending, io, cx| {
            sending.poll_send(io, cx, false, &mut |write, _, _, _| {
                put_owned(write.outbox(), &mut message)
            })
        });
        if queued.is_pending() {
            self.waiting = Some(message);
        }
        queued
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.poll_waiting(cx) {
            Poll::Ready(Ok(())) => self.poll_cell(cx, |sending, io, cx| sending.poll_flush(io, cx)),
            other => other,
        }
    }

    /// Queues a Close, if none is, and writes everything.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.poll_waiting(cx) {
            Poll::Ready(Ok(())) => self.poll_cell(cx, |sending, io, cx| {
                sending.outbox().close(CloseCode::NORMAL, "")?;
                sending.poll_flush(io, cx)
            }),
            other => other,
        }
    }

    /// Runs `op` in the cell until it is ready, or its deadline has passed.
    fn poll_cell(
        &mut self,
        cx: &mut Context<'_>,
        mut op: impl FnMut(&mut Sending, &mut W, &mut Context<'_>) -> Poll<Result<(), Error>>,
    ) -> Poll<Result<(), Error>> {
        let mut registered = false;
        // Tries, tries again once registered, and then once for each deadline that passes.
        loop {
            let mut calls = false;
            let entered = self
                .shared
                .with(Side::Writer, cx.waker(), |Cell { sending, io }| {
                    let before = (sending.write.deadline().is_some(), is_over(sending));
                    let mut cx = Context::from_waker(&self.shared.waker);
                    let mut polled = op(sending, io, &mut cx);
                    if polled.is_pending()
                        && let Err(e) = sending.expire()
                    {
                        polled = Poll::Ready(Err(e));
                    }
                    let deadline = sending.write.deadline();
                    calls = before != (deadline.is_some(), is_over(sending));
                    (polled, deadline)
                });
            if calls {
                self.shared.bell.call_reader();
            }
            match entered {
                None => return Poll::Pending,
                Some((Poll::Ready(done), _)) => return Poll::Ready(done),
                // What happened before the registration is seen by the second try.
                Some(_) if !registered => {
                    self.shared.bell.register(Side::Writer, cx.waker());
                    registered = true;
                }
                Some((Poll::Pending, deadline)) => {
                    if self.timer.poll(cx, deadline).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

/// The reader has to see to the end of the connection.
fn is_over(sending: &mut Sending) -> bool {
    sending.write.outbox().is_closing()
}

/// Queues `message`, or leaves it there.
pub(super) fn put_owned(outbox: &mut Outbox, message: &mut OwnedMessage) -> Result<(), SendError> {
    match message {
        OwnedMessage::Binary(data) => put_bytes(outbox, data),
        OwnedMessage::Text(text) => put_text(outbox, text),
        OwnedMessage::Part {
            kind, data, last, ..
        } => outbox.send_part(*kind, data, *last),
        OwnedMessage::Ping(data) => outbox.ping(data),
        OwnedMessage::Pong(data) => outbox.pong(data),
        OwnedMessage::Close(None) => outbox.close(CloseCode::NORMAL, ""),
        OwnedMessage::Close(Some((code, reason))) => outbox.close(*code, reason),
    }
}

impl<R, W> fmt::Debug for Reader<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("role", &self.role)
            .field("end", &self.end())
            .finish_non_exhaustive()
    }
}

impl<W> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}
