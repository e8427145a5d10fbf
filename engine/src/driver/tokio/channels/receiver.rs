//! The receiving half of a channel.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::batch::ChannelBatch;
use super::error::ChannelError;
use super::handle::Handle;
use super::message::ChannelMessage;
use super::monitor::After;
use super::state::{Answer, End, Port, Shared, State};
use crate::session::channels::{ChannelFailure, ChannelId, ChannelStats, ErrorCode};

/// The receiving half of a channel: for one task, beside another that has the sending half.
///
/// What comes waits here, up to the window that the peer was granted, and is the reader's own:
/// a slow reader holds up its channel's sender and nobody else. The peer gets credit back when a
/// [`ChannelMessage`] or [`ChannelBatch`] is dropped: when it was consumed, not when it came.
///
/// A receiver that is dropped tells the sender to stop, with [`ErrorCode::NO_ERROR`].
pub struct Receiver {
    pub(super) id: ChannelId,
    handle: Arc<Handle>,
}

impl Receiver {
    pub(super) fn new(id: ChannelId, handle: Arc<Handle>) -> Self {
        Self { id, handle }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    fn with<T>(&self, f: impl FnOnce(&mut State, &mut After) -> T) -> T {
        let mut guard = self.shared().state.lock();
        let (state, after) = guard.parts();
        f(state, after)
    }

    /// The next message, owned. `None` when the peer has finished and all was read.
    ///
    /// Messages of a run come one by one; their credit goes back with the last.
    ///
    /// Cancel safe: a message is taken when this is ready, and not before.
    ///
    /// # Errors
    /// [`ChannelError`], after all messages that came before; the same every time. What was
    /// evicted is not delivered.
    pub async fn recv(&mut self) -> Result<Option<ChannelMessage>, ChannelError> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next message, if there is one: never waits.
    ///
    /// # Errors
    /// As [`Self::recv`]. `Ok(None)` says only that nothing waits now.
    pub fn try_recv(&mut self) -> Result<Option<ChannelMessage>, ChannelError> {
        match self.poll_recv(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(received) => received,
            Poll::Pending => Ok(None),
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<ChannelMessage>, ChannelError>> {
        let shared = self.shared();
        let mut guard = shared.state.lock();
        let (state, after) = guard.parts();
        let failure = state.failure;
        let Some(port) = state.port(self.id) else {
            return Poll::Ready(Err(ChannelError::NotReceiving));
        };
        port.owned = true;
        if let Some(taken) = port.parked.pop() {
            return Poll::Ready(Ok(Some(ChannelMessage::new(
                taken,
                self.id,
                Arc::clone(shared),
            ))));
        }
        let ended = ended(port, failure);
        if ended.is_pending() {
            port.arrival.park(cx.waker(), after);
        }
        ended.map(|end| end.map(|()| None))
    }

    /// Everything that waits, lent: one lock and no allocation however many messages there are.
    /// `None` when the peer has finished and all was read. The credit of all of it goes back
    /// when the batch is dropped.
    ///
    /// Cancel safe: messages are taken when this is ready, and not before.
    ///
    /// ```
    /// use tickwire::channels::{BatchItem, ChannelError, Receiver};
    ///
    /// # async fn run(receiver: &mut Receiver) -> Result<(), ChannelError> {
    /// while let Some(batch) = receiver.recv_batch().await? {
    ///     for item in &batch {
    ///         match item {
    ///             BatchItem::Message(message) => drop(message.seq),
    ///             BatchItem::Run(run) => drop(run.messages().len()),
    ///         }
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Self::recv`].
    pub async fn recv_batch(&mut self) -> Result<Option<ChannelBatch<'_>>, ChannelError> {
        let (shared, id) = (&**self.shared(), self.id);
        poll_fn(move |cx| {
            let mut guard = shared.state.lock();
            let (state, after) = guard.parts();
            let failure = state.failure;
            let Some(port) = state.port(id) else {
                return Poll::Ready(Err(ChannelError::NotReceiving));
            };
            port.owned = false;
            if !port.parked.is_empty() {
                let spare = std::mem::take(&mut port.spare);
                let parked = std::mem::replace(&mut port.parked, spare);
                return Poll::Ready(Ok(Some(ChannelBatch::new(parked, id, shared))));
            }
            let ended = ended(port, failure);
            if ended.is_pending() {
                port.arrival.park(cx.waker(), after);
            }
            ended.map(|end| end.map(|()| None))
        })
        .await
    }

    /// Takes no more, and tells the peer's sender so with `code`. What waits is dropped.
    pub fn stop(&mut self, code: ErrorCode) {
        self.with(|state, after| {
            if let Some(port) = state.port(self.id) {
                port.end = Some(End::None);
                let charge = port.parked.clear();
                state.channels_mut().release(self.id, charge);
            }
            state.channels_mut().stop(self.id, code);
            state.tell_events(after);
            state.wake_driver(after);
        });
    }

    /// Tells the peer's sender that every message below `seq` is safe here, so that it need not
    /// keep it for a resumption. After the sender's end as well, while our own half goes on: what
    /// ends a channel in one direction ends this, too.
    pub fn acknowledge(&mut self, seq: u64) {
        self.with(|state, after| {
            state.channels_mut().acknowledge(self.id, seq);
            state.wake_driver(after);
        });
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

/// How a half ended; pending while it has not.
fn ended(port: &Port, failure: Option<ChannelFailure>) -> Poll<Result<(), ChannelError>> {
    let error = match (port.end, failure) {
        (Some(End::Finished), _) => return Poll::Ready(Ok(())),
        (Some(End::Aborted(code)), _) => ChannelError::Aborted(code),
        (Some(End::Evicted(code)), _) => ChannelError::Evicted(code),
        (Some(End::Rejected), _) => match &port.answer {
            Answer::Rejected(rejected) => rejected.clone(),
            _ => ChannelError::NotReceiving,
        },
        (Some(End::None), _) => ChannelError::NotReceiving,
        (None, Some(failure)) => ChannelError::Failed(failure),
        (None, None) => return Poll::Pending,
    };
    Poll::Ready(Err(error))
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop(ErrorCode::NO_ERROR);
        self.with(|state, after| state.leave(self.id, false, after));
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("channel", &self.id.index())
            .finish_non_exhaustive()
    }
}
