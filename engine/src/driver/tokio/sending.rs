//! The sending half as any task drives it.

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

/// Slices of one system call: what tokio's and the kernel's fast paths are made for, and 64 KiB
/// of 1 KiB payloads.
const SLICES_MAX: usize = 64;

/// Payload bytes from which `send` writes straight from the caller's slice: about where copying
/// costs as much as a system call.
const WRITE_THROUGH_BYTES_MIN: usize = 16 * 1024;

/// Bytes that a stream without vectored writes is offered at a time, which is what control frames
/// wait for where it would block: the payload of a TLS record.
const OFFERED_BYTES_MAX: usize = 16 * 1024;

/// The same error again: it stays, and is told to every caller.
pub(super) fn again(e: &io::Error) -> io::Error {
    match e.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(e.kind(), e.to_string()),
    }
}

/// A failure of the connection as its callers are told it; `io` is what the stream failed with.
pub(super) fn told(failure: Failure, io: Option<&io::Error>) -> Error {
    match failure {
        Failure::Io => Error::Io(io.map_or_else(|| io::ErrorKind::NotConnected.into(), again)),
        failure => Error::Failed(failure),
    }
}

/// [`WriteSide`], and what is known of the stream that it is written to.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) write: WriteSide,
    pub(super) config: Arc<Config>,
    /// What the stream failed with, in either direction: the first.
    pub(super) error: Option<io::Error>,
    /// Reading goes on however much waits to be sent: who queues it has limits of its own.
    pub(super) reads_on: bool,
    /// The stream's sending half is shut down.
    shut: bool,
    /// The stream may hold back what it was given: it wants a flush.
    unflushed: bool,
    /// Since when somebody waits in vain for the stream, which has taken everything, to flush it.
    flushing: Option<Timestamp>,
}

impl Sending {
    pub(super) fn new(write: WriteSide) -> Self {
        let config = write.config().clone();
        Self {
            config,
            write,
            error: None,
            reads_on: false,
            shut: false,
            unflushed: false,
            flushing: None,
        }
    }

    pub(super) fn outbox(&mut self) -> &mut Outbox {
        attach_write(&mut self.write);
        self.write.outbox()
    }

    /// More than half of the queue is taken, and it is not the closing that has to get through.
    pub(super) fn is_clogged(&mut self) -> bool {
        let max = self.config.send_queue_bytes_max;
        let outbox = self.write.outbox();
        outbox.queued_bytes() > max / 2 && !outbox.is_closing() && !self.reads_on
    }

    /// Writes until the queue is empty: once, if the stream takes everything.
    pub(super) fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        cx: &mut Context<'_>,
        now: Timestamp,
    ) -> Poll<Result<(), Error>> {
        let polled = self.poll_queue(io, cx, now);
        if polled.is_ready() || self.write.wants_write() {
            self.flushing = None;
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
        // Every turn takes bytes from the bounded queue or leaves.
        while self.write.wants_write() {
            let mut kept = 0;
            match write_slices(io, cx, self.write.transmit(), &mut kept) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => {
                    self.unflushed = true;
                    self.flushing = None;
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

    /// Queues with `put` as soon as there is room, and writes if the policy says so. What was
    /// queued when this is ready counts as sent; until then nothing is.
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
        self.flushing = None;
        if flush
            && self.is_flush_due()
            && let Poll::Ready(Err(e)) = self.poll_write(io, cx, now)
        {
            return Poll::Ready(Err(e));
        }
        self.detach_if_idle();
        Poll::Ready(Ok(()))
    }

    /// Outside of a batch, a send is a batch of its own.
    fn is_flush_due(&mut self) -> bool {
        self.config.flush == Flush::EndOfBatch || self.write.outbox().wants_flush()
    }

    /// Writes and flushes everything. Taking note of `fresh`, that a caller begins to wait.
    pub(super) fn poll_flush<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        cx: &mut Context<'_>,
        fresh: &mut bool,
    ) -> Poll<Result<(), Error>> {
        if core::mem::take(fresh) {
            self.flushing = None;
        }
        if let Some(error) = self.failure() {
            return Poll::Ready(Err(error));
        }
        let now = now();
        let written = self.poll_write(io, cx, now);
        if written.is_pending() && !self.write.wants_write() {
            self.flushing.get_or_insert(now);
        }
        self.detach_if_idle();
        written
    }

    /// When the peer must have taken some of what the queue, or a stream that is being flushed,
    /// holds.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let flushing = self.flushing.map(|at| at.after(self.config.write_timeout));
        self.write.deadline().or(flushing)
    }

    /// How the connection has failed, as far as this half knows.
    #[inline]
    pub(super) fn failure(&self) -> Option<Error> {
        let failure = self.write.failure()?;
        Some(told(failure, self.error.as_ref()))
    }

    pub(super) fn refusal(&self, e: SendError) -> Error {
        match (self.failure(), e) {
            (Some(error), SendError::Closed) => error,
            _ => Error::Send(e),
        }
    }

    /// Ends the half if the peer has taken nothing for too long.
    pub(super) fn expire(&mut self) -> Result<(), Error> {
        if self.deadline().is_none_or(|at| now() < at) {
            return Ok(());
        }
        self.write.fail(Failure::Deadline(Deadline::Write));
        Err(self.refusal(SendError::Closed))
    }

    /// Shuts down the stream's sending half, once. A stream that fails at that is gone anyway.
    pub(super) fn poll_shutdown<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if !self.shut {
            self.shut = Pin::new(io).poll_shutdown(cx).is_ready();
        }
        if self.shut {
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

/// Queues one message, or says why not.
pub(super) type Put<'a, W> =
    dyn FnMut(&mut WriteSide, &mut W, &mut Context<'_>, Timestamp) -> Result<(), SendError> + 'a;

/// Queues a binary message; a large one goes out without a copy as far as the stream takes it.
pub(super) fn put_binary<W: AsyncWrite + Unpin>(
    payload: &[u8],
    write: &mut WriteSide,
    io: &mut W,
    cx: &mut Context<'_>,
    now: Timestamp,
) -> Result<(), SendError> {
    // Without vectored writes it would take a call for the header, which the stream might keep
    // while a Pong is put before it.
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

/// One system call. Where it would block, a stream may have kept some of what it was offered: of
/// the first slice, for only streams without vectored writes do.
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

/// Queues `waiting`, or leaves it there.
pub(super) fn put_bytes(outbox: &mut Outbox, waiting: &mut Bytes) -> Result<(), SendError> {
    outbox
        .send_bytes(core::mem::take(waiting))
        .map_err(|(e, back)| {
            *waiting = back;
            e
        })
}

/// Queues `waiting`, or leaves it there.
fn put_text(outbox: &mut Outbox, waiting: &mut Utf8Bytes) -> Result<(), SendError> {
    outbox
        .send_text_bytes(core::mem::take(waiting))
        .map_err(|(e, back)| {
            *waiting = back;
            e
        })
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
