//! The write side of a connection, as a whole connection and its halves drive it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::string::ToString;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;

use super::super::error::Error;
use super::io::{attach_write, detach_write, now};
use crate::config::{Config, Flush};
use crate::conn::{Outbox, OwnedMessage, Utf8Bytes};
use crate::error::{CloseCode, Deadline, Failure, SendError};
use crate::session::WriteSide;
use crate::time::Timestamp;

/// Slices of one system call: 64 KiB of 1 KiB payloads, and few enough for the fast paths of tokio
/// and the kernel.
const SLICES_MAX: usize = 64;

/// Payload bytes from which `send` writes directly from the caller's slice: at about this size a
/// copy costs as much as a system call.
const WRITE_THROUGH_BYTES_MIN: usize = 16 * 1024;

/// Bytes that a stream without vectored writes gets at a time: the payload of one TLS record. While
/// such a write is pending, control frames wait behind these bytes.
const OFFERED_BYTES_MAX: usize = 16 * 1024;

/// A copy of an error that every caller gets.
pub(super) fn copy_error(e: &io::Error) -> io::Error {
    match e.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(e.kind(), e.to_string()),
    }
}

/// The error that callers get for a failure; `io` is the error of the stream.
pub(super) fn error_of(failure: Failure, io: Option<&io::Error>) -> Error {
    match failure {
        Failure::Io => Error::Io(io.map_or_else(|| io::ErrorKind::NotConnected.into(), copy_error)),
        failure => Error::Failed(failure),
    }
}

/// A [`WriteSide`], and the state of the stream that it is written to.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) write: WriteSide,
    pub(super) config: Arc<Config>,
    /// The first error of the stream, in either direction.
    pub(super) error: Option<io::Error>,
    /// Reading continues however many bytes are queued: the channels limit what they queue.
    pub(super) ignores_backlog: bool,
    /// The stream's write half is shut down.
    is_shut_down: bool,
    /// The stream may buffer bytes that it has accepted: it needs a flush.
    unflushed: bool,
    /// Since when a caller waits for a stream that has accepted every byte to flush them.
    flush_since: Option<Timestamp>,
}

impl Sending {
    pub(super) fn new(write: WriteSide) -> Self {
        let config = write.config().clone();
        Self {
            config,
            write,
            error: None,
            ignores_backlog: false,
            is_shut_down: false,
            unflushed: false,
            flush_since: None,
        }
    }

    pub(super) fn outbox(&mut self) -> &mut Outbox {
        attach_write(&mut self.write);
        self.write.outbox()
    }

    /// Whether more than half of the queue is in use, which pauses reading. While the connection is
    /// closing, reading continues.
    pub(super) fn is_backlogged(&mut self) -> bool {
        let max = self.config.send_queue_bytes_max;
        let outbox = self.write.outbox();
        outbox.queued_bytes() > max / 2 && !outbox.is_closing() && !self.ignores_backlog
    }

    /// Writes until the queue is empty: one system call if the stream accepts everything.
    pub(super) fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        cx: &mut Context<'_>,
        now: Timestamp,
    ) -> Poll<Result<(), Error>> {
        let polled = self.poll_queue(io, cx, now);
        if polled.is_ready() || self.write.wants_write() {
            self.flush_since = None;
        }
        match polled {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Ready(Err(e)) => {
                self.error.get_or_insert(e);
                self.write.fail(Failure::Io);
                Poll::Ready(Err(self.refusal(SendError::Closed)))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_queue<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        cx: &mut Context<'_>,
        now: Timestamp,
    ) -> Poll<io::Result<()>> {
        // Every turn takes bytes from the bounded queue or returns.
        while self.write.wants_write() {
            let mut kept = 0;
            match write_slices(io, cx, self.write.transmit(), &mut kept) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => {
                    self.unflushed = true;
                    self.flush_since = None;
                    self.write.handle_written(n, now);
                }
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending => {
                    self.write.handle_buffered(kept);
                    self.write.handle_written(0, now);
                    return Poll::Pending;
                }
            }
        }
        if self.unflushed {
            let flushed = Pin::new(io).poll_flush(cx);
            self.unflushed = flushed.is_pending();
            return flushed;
        }
        Poll::Ready(Ok(()))
    }

    /// Queues with `put` as soon as the queue has room, and writes if the flush policy requires it.
    /// Pending: nothing is queued. Ready: the message is queued, and counts as sent.
    pub(super) fn poll_send<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        cx: &mut Context<'_>,
        flush: bool,
        now: Timestamp,
        put: &mut Put<'_, W>,
    ) -> Poll<Result<(), Error>> {
        attach_write(&mut self.write);
        let mut put_result = put(&mut self.write, io, cx, now);
        if let Err(SendError::QueueFull { .. }) = put_result {
            let emptied = match self.poll_write(io, cx, now) {
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                written => written.is_ready(),
            };
            put_result = put(&mut self.write, io, cx, now);
            if !emptied && matches!(put_result, Err(SendError::QueueFull { .. })) {
                return Poll::Pending;
            }
        }
        if let Err(e) = put_result {
            return Poll::Ready(Err(self.refusal(e)));
        }
        if let Some(error) = self.failure() {
            return Poll::Ready(Err(error));
        }
        self.unflushed = true; // `put` may have written straight to the stream
        self.flush_since = None;
        if flush
            && self.is_flush_due()
            && let Poll::Ready(Err(e)) = self.poll_write(io, cx, now)
        {
            return Poll::Ready(Err(e));
        }
        self.detach_if_idle();
        Poll::Ready(Ok(()))
    }

    /// Whether a send must write now. With `Flush::EndOfBatch` it must: outside of a receive batch
    /// each send is a batch of its own.
    fn is_flush_due(&mut self) -> bool {
        self.config.flush == Flush::EndOfBatch || self.write.outbox().wants_flush()
    }

    /// Writes and flushes everything. Takes `new_call`, which is set when a caller begins to wait.
    pub(super) fn poll_flush<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        cx: &mut Context<'_>,
        new_call: &mut bool,
    ) -> Poll<Result<(), Error>> {
        if core::mem::take(new_call) {
            self.flush_since = None;
        }
        if let Some(error) = self.failure() {
            return Poll::Ready(Err(error));
        }
        let now = now();
        let written = self.poll_write(io, cx, now);
        if written.is_pending() && !self.write.wants_write() {
            self.flush_since.get_or_insert(now);
        }
        self.detach_if_idle();
        written
    }

    /// The time by which the stream must have accepted some of the queue, or finished the flush.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let flush_deadline = self
            .flush_since
            .map(|since| since.after(self.config.write_timeout));
        self.write.deadline().or(flush_deadline)
    }

    /// How the connection has failed, as far as the write side knows.
    #[inline]
    pub(super) fn failure(&self) -> Option<Error> {
        let failure = self.write.failure()?;
        Some(error_of(failure, self.error.as_ref()))
    }

    pub(super) fn refusal(&self, e: SendError) -> Error {
        match (self.failure(), e) {
            (Some(error), SendError::Closed) => error,
            _ => Error::Send(e),
        }
    }

    /// Fails the write side if the stream has accepted nothing until the deadline.
    pub(super) fn expire(&mut self) -> Result<(), Error> {
        if self.deadline().is_none_or(|at| now() < at) {
            return Ok(());
        }
        self.write.fail(Failure::Deadline(Deadline::Write));
        Err(self.refusal(SendError::Closed))
    }

    /// Shuts down the stream's write half, once. A stream that fails here has failed anyway.
    pub(super) fn poll_shutdown<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if !self.is_shut_down {
            self.is_shut_down = Pin::new(io).poll_shutdown(cx).is_ready();
        }
        if self.is_shut_down {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    pub(super) fn detach_if_idle(&mut self) {
        if !self.write.wants_write() {
            detach_write(&mut self.write);
        }
    }
}

/// Queues one message.
pub(super) type Put<'a, W> =
    dyn FnMut(&mut WriteSide, &mut W, &mut Context<'_>, Timestamp) -> Result<(), SendError> + 'a;

/// Queues a binary message; a large one is written without a copy as far as the stream accepts it.
pub(super) fn put_binary<W: AsyncWrite + Unpin>(
    payload: &[u8],
    write: &mut WriteSide,
    io: &mut W,
    cx: &mut Context<'_>,
    now: Timestamp,
) -> Result<(), SendError> {
    // Without vectored writes the header would need a write of its own. The stream might keep the
    // header unwritten while a Pong is queued ahead of the payload.
    if payload.len() < WRITE_THROUGH_BYTES_MIN || !io.is_write_vectored() {
        return write.outbox().send(payload);
    }
    write.send_through(payload, now, |slices| {
        match write_slices(io, cx, slices, &mut 0) {
            Poll::Ready(Ok(n)) => n,
            // A stream that fails here fails again when the rest is written.
            Poll::Ready(Err(_)) | Poll::Pending => 0,
        }
    })
}

/// One system call. If it is pending, a stream without vectored writes may have kept some bytes of
/// the first slice: `kept` counts them.
fn write_slices<'a, W: AsyncWrite + Unpin>(
    io: &mut W,
    cx: &mut Context<'_>,
    mut slices: impl Iterator<Item = &'a [u8]>,
    kept: &mut usize,
) -> Poll<io::Result<usize>> {
    let io = Pin::new(io);
    let first = slices.next().unwrap_or_default();
    if !io.is_write_vectored() {
        let first = &first[..first.len().min(OFFERED_BYTES_MAX)];
        *kept = first.len();
        return io.poll_write(cx, first);
    }
    let Some(second) = slices.next() else {
        return io.poll_write(cx, first);
    };
    let mut gathered = [IoSlice::new(&[]); SLICES_MAX];
    let mut count = 0;
    for (place, slice) in gathered
        .iter_mut()
        .zip([first, second].into_iter().chain(slices))
    {
        *place = IoSlice::new(slice);
        count += 1;
    }
    io.poll_write_vectored(cx, &gathered[..count])
}

/// Queues `unsent`, or leaves it in place.
pub(super) fn put_bytes(outbox: &mut Outbox, unsent: &mut Bytes) -> Result<(), SendError> {
    outbox
        .send_bytes(core::mem::take(unsent))
        .map_err(|(e, back)| {
            *unsent = back;
            e
        })
}

/// Queues `unsent`, or leaves it in place.
fn put_text(outbox: &mut Outbox, unsent: &mut Utf8Bytes) -> Result<(), SendError> {
    outbox
        .send_text_bytes(core::mem::take(unsent))
        .map_err(|(e, back)| {
            *unsent = back;
            e
        })
}

/// Queues `message`, or leaves it in place.
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
