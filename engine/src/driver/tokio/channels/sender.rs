//! The sending half of a channel.

use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use zerocopy::{Immutable, IntoBytes};

use super::handle::Handle;
use super::lent::lend;
use super::monitor::Guard;
use super::state::{Shared, State};
use super::wait::wait;
use crate::session::channels::{
    ChannelId, ChannelStats, Code, Connection, Reserved, SHARED_BYTES_MIN, SendError, SharedFrame,
};

/// The sending half of a channel: for one task, beside another that has the receiving half.
///
/// A message that is sent is in the channel's queue, and goes out by the channel's turn and
/// credit; `send` waits while the queue is full, and before the peer's first answer. Nothing is
/// taken of what was not sent: every wait may be dropped at any time.
///
/// Say [`finish`](Self::finish) when all is sent. A sender that is dropped without that resets
/// the half with [`Code::NO_ERROR`], and what is queued is not sent: the peer's reader gets
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
        put: impl FnOnce(&mut Connection) -> Result<T, SendError>,
    ) -> Result<T, SendError> {
        self.with(|state, after| state.send(self.id, None, after, put))
    }

    fn poll_put(
        &self,
        cx: &mut Context<'_>,
        put: impl FnOnce(&mut Connection) -> Result<(), SendError>,
    ) -> Poll<Result<(), SendError>> {
        let sent = self.with(|state, after| state.send(self.id, Some(cx.waker()), after, put));
        match sent {
            Err(SendError::WouldBlock) => Poll::Pending,
            sent => Poll::Ready(sent),
        }
    }

    /// Sends a message; waits while the channel's queue is full. On a conflated channel it is
    /// the message with key 0.
    ///
    /// Cancel safe: it is sent when this is ready, and not before.
    ///
    /// # Errors
    /// [`SendError`], but for `WouldBlock`.
    pub async fn send(&mut self, payload: &[u8]) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_put(cx, |core| core.send(self.id, payload))).await
    }

    /// Sends a message, or refuses: never waits.
    ///
    /// # Errors
    /// [`SendError`]; [`SendError::WouldBlock`] where [`Self::send`] would wait.
    pub fn try_send(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.try_put(|core| core.send(self.id, payload))
    }

    /// As [`Self::send`], sharing a large payload instead of copying it into the queue. It is dropped
    /// when it has been written, on whatever task.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_bytes(&mut self, payload: Bytes) -> Result<(), SendError> {
        // A short one is copied, and stays with this call.
        let payload = match payload.len() {
            ..SHARED_BYTES_MIN => payload,
            _ => lend(payload),
        };
        poll_fn(|cx| {
            let put = |core: &mut Connection| {
                let sent = core.send_bytes(self.id, payload.clone());
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
    /// As [`Self::send`]; [`SendError::WrongMode`] on other channels.
    pub async fn send_keyed(&mut self, key: u64, payload: &[u8]) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_put(cx, |core| core.send_keyed(self.id, key, payload))).await
    }

    /// As [`Self::send_keyed`], never waits.
    ///
    /// # Errors
    /// As [`Self::try_send`]; [`SendError::WrongMode`] on other channels.
    pub fn try_send_keyed(&mut self, key: u64, payload: &[u8]) -> Result<(), SendError> {
        self.try_put(|core| core.send_keyed(self.id, key, payload))
    }

    /// Sends a message encoded once for many channels of one alias.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_shared(&mut self, frame: &SharedFrame) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_put(cx, |core| core.send_shared(self.id, frame))).await
    }

    /// As [`Self::send_shared`], never waits.
    ///
    /// # Errors
    /// As [`Self::try_send`].
    pub fn try_send_shared(&mut self, frame: &SharedFrame) -> Result<(), SendError> {
        self.try_put(|core| core.send_shared(self.id, frame))
    }

    /// Sends each element as a message, all under one header. All of them or none: together they
    /// must not pass `channel_queue_bytes_max`.
    ///
    /// ```
    /// use tickwire::channels::{SendError, Sender};
    /// use zerocopy::{Immutable, IntoBytes, little_endian::U64};
    ///
    /// #[derive(IntoBytes, Immutable)]
    /// #[repr(C)]
    /// struct Tick {
    ///     at: U64,
    ///     price: U64,
    /// }
    ///
    /// # async fn run(sender: &mut Sender, ticks: &[Tick]) -> Result<(), SendError> {
    /// sender.send_run(ticks).await
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Self::send`]; [`SendError::BadRun`] for none, or of no size;
    /// [`SendError::WrongMode`] on a conflated channel.
    pub async fn send_run<T: IntoBytes + Immutable>(
        &mut self,
        messages: &[T],
    ) -> Result<(), SendError> {
        self.send_run_bytes(size_of::<T>(), messages.as_bytes())
            .await
    }

    /// As [`Self::send_run`], of messages of `elem` bytes each, back to back.
    ///
    /// # Errors
    /// As [`Self::send_run`]; [`SendError::BadRun`] unless `messages` is a whole number of them.
    pub async fn send_run_bytes(&mut self, elem: usize, messages: &[u8]) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_put(cx, |core| core.send_run(self.id, elem, messages))).await
    }

    /// As [`Self::send_run_bytes`], never waits.
    ///
    /// # Errors
    /// As [`Self::send_run_bytes`]; [`SendError::WouldBlock`] where that would wait.
    pub fn try_send_run_bytes(&mut self, elem: usize, messages: &[u8]) -> Result<(), SendError> {
        self.try_put(|core| core.send_run(self.id, elem, messages))
    }

    /// Room for a message of `len` bytes, in its place in the record or the queue: waits for it
    /// as [`Self::send`] does. Write it and [`commit`](SendClaim::commit) at once: the claim
    /// holds the connection, and nothing else of it moves meanwhile. It cannot be held across an
    /// await.
    ///
    /// # Errors
    /// As [`Self::send`]; [`SendError::WrongMode`] on a conflated channel.
    pub async fn claim(&mut self, len: usize) -> Result<SendClaim<'_>, SendError> {
        let (shared, id) = (&**self.shared(), self.id);
        poll_fn(move |cx| match SendClaim::new(shared, id, len, Some(cx)) {
            Err(SendError::WouldBlock) => Poll::Pending,
            claim => Poll::Ready(claim),
        })
        .await
    }

    /// As [`Self::claim`], never waits.
    ///
    /// # Errors
    /// As [`Self::claim`]; [`SendError::WouldBlock`] where that would wait.
    pub fn try_claim(&mut self, len: usize) -> Result<SendClaim<'_>, SendError> {
        SendClaim::new(self.shared(), self.id, len, None)
    }

    /// All is sent: the peer's reader gets the end after the last message. What is queued goes
    /// out also after the sender is dropped. A second call does nothing.
    ///
    /// # Errors
    /// [`SendError::Closed`].
    pub fn finish(&mut self) -> Result<(), SendError> {
        self.with(|state, after| {
            state.core.finish_sending(self.id)?;
            state.over_and_out(self.id, after);
            Ok(())
        })
    }

    /// Gives the half up: what is queued is not sent, and the peer is told with `code`.
    pub fn reset(&mut self, code: Code) {
        self.with(|state, after| {
            state.core.reset(self.id, code);
            state.over_and_out(self.id, after);
            state.settle(after);
        });
    }

    /// Waits until the peer takes no more, and gives its code; that of the connection's end where
    /// that comes first, and [`Code::NO_ERROR`] once this half was finished, reset or dropped.
    ///
    /// The future is its own: it may be awaited beside sends.
    pub fn stopped(&self) -> impl Future<Output = Code> + Send + use<> {
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
                    _ => Some(failure.unwrap_or(Code::NO_ERROR)),
                }
            },
        )
    }

    /// Messages count anew from here, and the peer is told. For a publisher that goes on after a
    /// gap, or in another epoch. Only while nothing is queued.
    ///
    /// # Errors
    /// [`SendError::WouldBlock`] while messages are queued; as [`Self::send`] else.
    pub fn rebase(&mut self, epoch: u64, next_seq: u64) -> Result<(), SendError> {
        self.try_put(|core| core.rebase(self.id, epoch, next_seq))
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
        self.with(|state, _| state.core.channel_stats(self.id))
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
                state.core.reset(self.id, Code::NO_ERROR);
                state.settle(after);
                state.over_and_out(self.id, after);
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

/// Room for a message in its place: write it, then [`commit`](Self::commit). Dropped without
/// that, nothing is sent.
///
/// It holds the lock of the connection: write at once what is to be written, and do nothing else
/// with the connection's channels before it is gone.
pub struct SendClaim<'a> {
    guard: Guard<'a, State>,
    reserved: Option<Reserved>,
}

impl<'a> SendClaim<'a> {
    fn new(
        shared: &'a Shared,
        id: ChannelId,
        len: usize,
        cx: Option<&mut Context<'_>>,
    ) -> Result<Self, SendError> {
        let mut guard = shared.state.lock();
        let (state, after) = guard.parts();
        let waker = cx.map(|cx| cx.waker());
        let reserved = state.send(id, waker, after, |core| core.reserve(id, len))?;
        Ok(Self {
            guard,
            reserved: Some(reserved),
        })
    }

    /// The message is written: it is sent, or queued.
    pub fn commit(mut self) {
        let (state, after) = self.guard.parts();
        if let Some(reserved) = self.reserved.take() {
            state.core.commit(&reserved);
            state.kick(after);
        }
    }
}

impl Deref for SendClaim<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.reserved {
            Some(reserved) => self.guard.core.reserved(reserved),
            None => &[],
        }
    }
}

impl DerefMut for SendClaim<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &self.reserved {
            Some(reserved) => self.guard.core.reserved_mut(reserved),
            None => &mut [],
        }
    }
}

impl Drop for SendClaim<'_> {
    fn drop(&mut self) {
        if let Some(reserved) = self.reserved.take() {
            self.guard.core.abandon(&reserved);
        }
    }
}

impl fmt::Debug for SendClaim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendClaim")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
