//! The send half of a channel.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::handle::Handle;
use super::send_methods::send_methods;
use super::state::{Shared, State};
use super::wait::wait;
use crate::session::channels::{
    ChannelClaim, ChannelId, ChannelSendError, ChannelStats, Channels, ErrorCode,
};

/// The send half of a channel, for one task; another task may hold the receive half.
///
/// A send puts the message into the channel's queue. From there it is written by the channel's
/// priority and credit. `send` waits while the queue is full, and before the peer's HELLO. Every
/// wait is cancel safe: a future that is dropped before it is ready has sent nothing.
///
/// A `Sender` is not a `Sink` of the futures crates. A channel has no text messages: send the bytes
/// of a text, `text.as_bytes()`.
///
/// Call [`finish`](Self::finish) after the last message. A sender that is dropped without it resets
/// the send half with [`ErrorCode::NO_ERROR`]: queued messages are not sent, and the peer's
/// receiver gets [`ChannelError::Aborted`](super::ChannelError), so a truncated stream is never
/// mistaken for a complete one.
pub struct Sender {
    pub(super) id: ChannelId,
    handle: Arc<Handle>,
}

impl Sender {
    pub(super) fn new(id: ChannelId, handle: Arc<Handle>) -> Self {
        Self { id, handle }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    pub(super) fn with<T>(
        &self,
        f: impl FnOnce(&mut State, &mut super::monitor::AfterUnlock) -> T,
    ) -> T {
        let mut guard = self.shared().state.lock();
        let (state, after) = guard.parts();
        f(state, after)
    }

    fn sending(&self) -> &Self {
        self
    }

    /// Runs `put`. After `WouldBlock`, `waker` is woken when another try may succeed.
    pub(super) fn put<T>(
        &self,
        waker: Option<&Waker>,
        put: impl FnOnce(&mut Channels) -> Result<T, ChannelSendError>,
    ) -> Result<T, ChannelSendError> {
        self.with(|state, after| state.send(self.id, waker, after, put))
    }

    /// [`Self::put`], pending instead of `WouldBlock`: all waiting sends use this.
    pub(super) fn poll_put<T>(
        &self,
        cx: &mut Context<'_>,
        put: impl FnOnce(&mut Channels) -> Result<T, ChannelSendError>,
    ) -> Poll<Result<T, ChannelSendError>> {
        match self.put(Some(cx.waker()), put) {
            Err(ChannelSendError::WouldBlock) => Poll::Pending,
            sent => Poll::Ready(sent),
        }
    }

    /// All sends of bytes are compiled here once, for every payload type. The caller converts the
    /// payload to a slice before: that may run code of the application, which must not run under
    /// the lock.
    pub(super) fn poll_send(
        &self,
        cx: &mut Context<'_>,
        payload: &[u8],
    ) -> Poll<Result<(), ChannelSendError>> {
        self.poll_put(cx, |channels| channels.send(self.id, payload))
    }

    /// [`Self::poll_send`] without waiting.
    pub(super) fn put_slice(&self, payload: &[u8]) -> Result<(), ChannelSendError> {
        self.put(None, |channels| channels.send(self.id, payload))
    }

    /// As [`Self::poll_send`].
    pub(super) fn poll_send_keyed(
        &self,
        cx: &mut Context<'_>,
        key: u64,
        payload: &[u8],
    ) -> Poll<Result<(), ChannelSendError>> {
        self.poll_put(cx, |channels| channels.send_keyed(self.id, key, payload))
    }

    /// [`Self::poll_send_keyed`] without waiting.
    pub(super) fn put_keyed(&self, key: u64, payload: &[u8]) -> Result<(), ChannelSendError> {
        self.put(None, |channels| channels.send_keyed(self.id, key, payload))
    }

    pub(super) fn finish_half(&self) -> Result<(), ChannelSendError> {
        self.with(|state, after| {
            state.channels_mut().finish(self.id)?;
            state.end_sending(self.id, after);
            Ok(())
        })
    }

    pub(super) fn reset_half(&self, code: ErrorCode) {
        self.with(|state, after| {
            state.channels_mut().reset(self.id, code);
            state.end_sending(self.id, after);
            state.apply_events(after);
        });
    }

    pub(super) fn stopped_half(&self) -> impl Future<Output = ErrorCode> + Send + use<> {
        let id = self.id;
        wait(
            Arc::clone(self.shared()),
            id,
            |state, id| state.port(id).map(|p| &mut p.stop_waiters),
            move |state| {
                let failure = state.failure.map(|f| f.code());
                match state.port(id) {
                    Some(port) if port.stopped.is_some() => port.stopped,
                    Some(port) if !port.send_ended => failure,
                    _ => Some(failure.unwrap_or(ErrorCode::NO_ERROR)),
                }
            },
        )
    }

    send_methods!();
}

/// Sends a payload that the caller keeps until it is sent.
pub(super) fn send_shared_bytes(
    channels: &mut Channels,
    id: ChannelId,
    payload: &Bytes,
) -> Result<(), ChannelSendError> {
    let sent = channels.send_bytes(id, payload.clone());
    sent.map_err(|(e, _)| e)
}

/// Calls `write` with room for a message of `len` bytes. `write` is `None` once it was called.
pub(super) fn claim_with<T>(
    channels: &mut Channels,
    id: ChannelId,
    len: usize,
    write: &mut Option<impl FnOnce(ChannelClaim<'_>) -> T>,
) -> Result<T, ChannelSendError> {
    let claim = channels.claim(id, len)?;
    let write = write.take().ok_or(ChannelSendError::WouldBlock)?;
    Ok(write(claim))
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.with(|state, after| {
            if state.port(self.id).is_some_and(|p| !p.send_ended) {
                state.channels_mut().reset(self.id, ErrorCode::NO_ERROR);
                state.apply_events(after);
                state.end_sending(self.id, after);
            }
            state.drop_half(self.id, true, after);
        });
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("channel", &self.id.index())
            .finish_non_exhaustive()
    }
}
