//! The sending half of a channel.

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

/// The sending half of a channel: for one task, beside another that has the receiving half.
///
/// A message that is sent is in the channel's queue, and goes out by the channel's turn and
/// credit; `send` waits while the queue is full, and before the peer's first answer. Nothing is
/// taken of what was not sent: every wait may be dropped at any time.
///
/// It is no `Sink` of the futures crates: [`send`](Self::send) is its own, and takes bytes. A channel
/// has no text messages; text is sent as its bytes, `text.as_bytes()`.
///
/// Say [`finish`](Self::finish) when all is sent. A sender that is dropped without that resets
/// the half with [`ErrorCode::NO_ERROR`], and what is queued is not sent: the peer's reader gets
/// [`ChannelError::Aborted`](super::ChannelError), so that nothing ends early unnoticed.
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

    pub(super) fn with<T>(&self, f: impl FnOnce(&mut State, &mut super::monitor::After) -> T) -> T {
        let mut guard = self.shared().state.lock();
        let (state, after) = guard.parts();
        f(state, after)
    }

    fn sending(&self) -> &Self {
        self
    }

    /// Runs a send. After `WouldBlock` the waker is called when it is worth another try.
    pub(super) fn put<T>(
        &self,
        waker: Option<&Waker>,
        put: impl FnOnce(&mut Channels) -> Result<T, ChannelSendError>,
    ) -> Result<T, ChannelSendError> {
        self.with(|state, after| state.send(self.id, waker, after, put))
    }

    /// [`Self::put`], waiting: under all sends.
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

    /// The sends of bytes are compiled here, however many kinds of payload are sent. The payload
    /// becomes a slice before this: that may be the application's code, and needs no lock.
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
            state.sending_ended(self.id, after);
            Ok(())
        })
    }

    pub(super) fn reset_half(&self, code: ErrorCode) {
        self.with(|state, after| {
            state.channels_mut().reset(self.id, code);
            state.sending_ended(self.id, after);
            state.tell_events(after);
        });
    }

    pub(super) fn stopped_half(&self) -> impl Future<Output = ErrorCode> + Send + use<> {
        let id = self.id;
        wait(
            Arc::clone(self.shared()),
            id,
            |state, id| state.port(id).map(|p| &mut p.stopping),
            move |state| {
                let failure = state.failure.map(|f| f.code());
                match state.port(id) {
                    Some(port) if port.stopped.is_some() => port.stopped,
                    Some(port) if !port.ended => failure,
                    _ => Some(failure.unwrap_or(ErrorCode::NO_ERROR)),
                }
            },
        )
    }

    send_methods!();
}

/// Sends a payload that the caller keeps until it is sent.
pub(super) fn share(
    channels: &mut Channels,
    id: ChannelId,
    payload: &Bytes,
) -> Result<(), ChannelSendError> {
    let sent = channels.send_bytes(id, payload.clone());
    sent.map_err(|(e, _)| e)
}

/// Lends room for a message to `write`, which is there until it was called.
pub(super) fn lend_claim<T>(
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
            if state.port(self.id).is_some_and(|p| !p.ended) {
                state.channels_mut().reset(self.id, ErrorCode::NO_ERROR);
                state.tell_events(after);
                state.sending_ended(self.id, after);
            }
            state.leave(self.id, true, after);
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
