//! The sending half of a channel.

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::handle::Handle;
use super::lent::lend;
use super::state::{Shared, State};
use super::wait::wait;
use crate::session::channels::{
    ChannelClaim, ChannelId, ChannelSendError, ChannelStats, Channels, ErrorCode, SHARED_BYTES_MIN,
    SharedFrame,
};

/// The sending half of a channel: for one task, beside another that has the receiving half.
///
/// A message that is sent is in the channel's queue, and goes out by the channel's turn and
/// credit; `send` waits while the queue is full, and before the peer's first answer. Nothing is
/// taken of what was not sent: every wait may be dropped at any time.
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

    fn with<T>(&self, f: impl FnOnce(&mut State, &mut super::monitor::After) -> T) -> T {
        let mut guard = self.shared().state.lock();
        let (state, after) = guard.parts();
        f(state, after)
    }

    fn try_put<T>(
        &self,
        put: impl FnOnce(&mut Channels) -> Result<T, ChannelSendError>,
    ) -> Result<T, ChannelSendError> {
        self.with(|state, after| state.send(self.id, None, after, put))
    }

    fn poll_put(
        &self,
        cx: &mut Context<'_>,
        put: impl FnOnce(&mut Channels) -> Result<(), ChannelSendError>,
    ) -> Poll<Result<(), ChannelSendError>> {
        let sent = self.with(|state, after| state.send(self.id, Some(cx.waker()), after, put));
        match sent {
            Err(ChannelSendError::WouldBlock) => Poll::Pending,
            sent => Poll::Ready(sent),
        }
    }

    /// Sends a message; waits while the channel's queue is full. On a conflated channel it is
    /// the message with key 0.
    ///
    /// Cancel safe: it is sent when this is ready, and not before.
    ///
    /// # Errors
    /// [`ChannelSendError`], but for `WouldBlock`.
    pub async fn send(&mut self, payload: &[u8]) -> Result<(), ChannelSendError> {
        poll_fn(|cx| self.poll_put(cx, |channels| channels.send(self.id, payload))).await
    }

    /// Sends a message, or refuses: never waits.
    ///
    /// # Errors
    /// [`ChannelSendError`]; [`ChannelSendError::WouldBlock`] where [`Self::send`] would wait.
    pub fn try_send(&mut self, payload: &[u8]) -> Result<(), ChannelSendError> {
        self.try_put(|channels| channels.send(self.id, payload))
    }

    /// As [`Self::send`], sharing a large payload instead of copying it into the queue. It is dropped
    /// when it has been written, on whatever task.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_bytes(&mut self, payload: Bytes) -> Result<(), ChannelSendError> {
        // A short one is copied, and stays with this call.
        let payload = match payload.len() {
            ..SHARED_BYTES_MIN => payload,
            _ => lend(payload),
        };
        poll_fn(|cx| {
            let put = |channels: &mut Channels| {
                let sent = channels.send_bytes(self.id, payload.clone());
                sent.map_err(|(e, _)| e)
            };
            self.poll_put(cx, put)
        })
        .await
    }

    /// Sends the newest message of a key on a conflated channel: one of the same key that still
    /// waits is replaced, and counted for the peer as skipped.
    ///
    /// # Errors
    /// As [`Self::send`]; [`ChannelSendError::WrongMode`] on other channels.
    pub async fn send_keyed(&mut self, key: u64, payload: &[u8]) -> Result<(), ChannelSendError> {
        poll_fn(|cx| self.poll_put(cx, |channels| channels.send_keyed(self.id, key, payload))).await
    }

    /// As [`Self::send_keyed`], never waits.
    ///
    /// # Errors
    /// As [`Self::try_send`]; [`ChannelSendError::WrongMode`] on other channels.
    pub fn try_send_keyed(&mut self, key: u64, payload: &[u8]) -> Result<(), ChannelSendError> {
        self.try_put(|channels| channels.send_keyed(self.id, key, payload))
    }

    /// Sends a message encoded once for many channels of one alias.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_shared(&mut self, frame: &SharedFrame) -> Result<(), ChannelSendError> {
        poll_fn(|cx| self.poll_put(cx, |channels| channels.send_shared(self.id, frame))).await
    }

    /// As [`Self::send_shared`], never waits.
    ///
    /// # Errors
    /// As [`Self::try_send`].
    pub fn try_send_shared(&mut self, frame: &SharedFrame) -> Result<(), ChannelSendError> {
        self.try_put(|channels| channels.send_shared(self.id, frame))
    }

    /// Sends messages of `elem` bytes each, back to back in `messages`, all under one header. All of
    /// them or none: together they must not pass `channel_queue_bytes_max`.
    ///
    /// `send_run`, of the feature `zerocopy`, takes a slice of values.
    ///
    /// # Errors
    /// As [`Self::send`]; [`ChannelSendError::BadRun`] unless `messages` is a whole number of them,
    /// and at least one; [`ChannelSendError::WrongMode`] on a conflated channel.
    pub async fn send_run_bytes(
        &mut self,
        elem: usize,
        messages: &[u8],
    ) -> Result<(), ChannelSendError> {
        poll_fn(|cx| self.poll_put(cx, |channels| channels.send_run(self.id, elem, messages))).await
    }

    /// As [`Self::send_run_bytes`], never waits.
    ///
    /// # Errors
    /// As [`Self::send_run_bytes`]; [`ChannelSendError::WouldBlock`] where that would wait.
    pub fn try_send_run_bytes(
        &mut self,
        elem: usize,
        messages: &[u8],
    ) -> Result<(), ChannelSendError> {
        self.try_put(|channels| channels.send_run(self.id, elem, messages))
    }

    /// Room for a message of `len` bytes, in its place in the record or the queue: waits for it
    /// as [`Self::send`] does, and lends it to `write`, which writes it and
    /// [commits](ChannelClaim::commit), or drops it, and nothing is sent. Gives what `write` gives.
    ///
    /// `write` runs under the lock of the connection: it does nothing else with the connection's
    /// channels, or it waits for itself.
    ///
    /// ```
    /// use tickwire::channels::{ChannelSendError, Sender};
    ///
    /// # async fn run(sender: &mut Sender) -> Result<(), ChannelSendError> {
    /// sender
    ///     .claim(8, |mut room| {
    ///         room.copy_from_slice(&17_u64.to_le_bytes());
    ///         room.commit();
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// Cancel safe: `write` is called when this is ready, and not before.
    ///
    /// # Errors
    /// As [`Self::send`]; [`ChannelSendError::WrongMode`] on a conflated channel. `write` is not called
    /// then.
    pub async fn claim<T>(
        &mut self,
        len: usize,
        write: impl FnOnce(ChannelClaim<'_>) -> T,
    ) -> Result<T, ChannelSendError> {
        let mut write = Some(write);
        poll_fn(
            |cx| match self.put_claim(len, Some(cx.waker()), &mut write) {
                Err(ChannelSendError::WouldBlock) => Poll::Pending,
                claimed => Poll::Ready(claimed),
            },
        )
        .await
    }

    /// As [`Self::claim`], never waits.
    ///
    /// # Errors
    /// As [`Self::claim`]; [`ChannelSendError::WouldBlock`] where that would wait.
    pub fn try_claim<T>(
        &mut self,
        len: usize,
        write: impl FnOnce(ChannelClaim<'_>) -> T,
    ) -> Result<T, ChannelSendError> {
        self.put_claim(len, None, &mut Some(write))
    }

    /// `write` is there until it was called.
    fn put_claim<T>(
        &self,
        len: usize,
        waker: Option<&Waker>,
        write: &mut Option<impl FnOnce(ChannelClaim<'_>) -> T>,
    ) -> Result<T, ChannelSendError> {
        self.with(|state, after| {
            state.send(self.id, waker, after, |channels| {
                let claim = channels.claim(self.id, len)?;
                let write = write.take().ok_or(ChannelSendError::WouldBlock)?;
                Ok(write(claim))
            })
        })
    }

    /// All is sent: the peer's reader gets the end after the last message. What is queued goes
    /// out also after the sender is dropped. A second call does nothing.
    ///
    /// # Errors
    /// [`ChannelSendError::Closed`].
    pub fn finish(&mut self) -> Result<(), ChannelSendError> {
        self.with(|state, after| {
            state.channels_mut().finish(self.id)?;
            state.sending_ended(self.id, after);
            Ok(())
        })
    }

    /// Gives the half up: what is queued is not sent, and the peer is told with `code`.
    pub fn reset(&mut self, code: ErrorCode) {
        self.with(|state, after| {
            state.channels_mut().reset(self.id, code);
            state.sending_ended(self.id, after);
            state.tell_events(after);
        });
    }

    /// Waits until the peer takes no more, and gives its code; that of the connection's end where
    /// that comes first, and [`ErrorCode::NO_ERROR`] once this half was finished, reset or dropped.
    ///
    /// The future is its own: it may be awaited beside sends.
    pub fn stopped(&self) -> impl Future<Output = ErrorCode> + Send + use<> {
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

    /// Messages count anew from here, and the peer is told. For a publisher that goes on after a
    /// gap, or in another epoch. Only while nothing is queued.
    ///
    /// # Errors
    /// [`ChannelSendError::WouldBlock`] while messages are queued; as [`Self::send`] else.
    pub fn rebase(&mut self, epoch: u64, next_seq: u64) -> Result<(), ChannelSendError> {
        self.try_put(|channels| channels.rebase(self.id, epoch, next_seq))
    }

    /// The first message of ours that the peer has not said to have safe: see
    /// [`Receiver::acknowledge`](super::Receiver::acknowledge).
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.with(|state, _| state.port(self.id).map_or(0, |p| p.acknowledged))
    }

    /// Both halves of the channel as they stand.
    #[must_use]
    pub fn stats(&self) -> Option<ChannelStats> {
        self.with(|state, _| state.channels().channel_stats(self.id))
    }

    /// A number that is unique among the open channels of the connection.
    #[must_use]
    pub fn id(&self) -> ChannelId {
        self.id
    }
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
