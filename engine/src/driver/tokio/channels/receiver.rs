//! The receive half of a channel.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::batch::ChannelBatch;
use super::error::ChannelError;
use super::handle::Handle;
use super::message::ChannelMessage;
use super::monitor::AfterUnlock;
use super::receive_methods::receive_methods;
use super::state::{Answer, Port, ReceiveEnd, Shared, State};
use crate::session::channels::{ChannelFailure, ChannelId, ChannelStats, ErrorCode};

/// The receive half of a channel, for one task; another task may hold the send half.
///
/// Received messages wait here, at most as many as the window granted to the peer allows. A slow
/// reader delays only the sender of its own channel. The peer gets the credit back when a
/// [`ChannelMessage`] or a [`ChannelBatch`] is dropped: when the message is consumed, not when it
/// arrives.
///
/// Dropping a receiver sends STOP to the peer's sender, with [`ErrorCode::NO_ERROR`].
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

    pub(super) fn with<T>(&self, f: impl FnOnce(&mut State, &mut AfterUnlock) -> T) -> T {
        let mut guard = self.shared().state.lock();
        let (state, after) = guard.parts();
        f(state, after)
    }

    fn receiving(&self) -> &Self {
        self
    }

    pub(super) fn poll_recv(
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
        port.reads_owned = true;
        if let Some(taken) = port.parked.pop() {
            return Poll::Ready(Ok(Some(ChannelMessage::new(
                taken,
                self.id,
                Arc::clone(shared),
            ))));
        }
        let ended = ended(port, failure);
        if ended.is_pending() {
            port.receive_waker.register(cx.waker(), after);
        }
        ended.map(|end| end.map(|()| None))
    }

    pub(super) fn poll_batch(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<ChannelBatch<'_>>, ChannelError>> {
        let (shared, id) = (&**self.shared(), self.id);
        let mut guard = shared.state.lock();
        let (state, after) = guard.parts();
        let failure = state.failure;
        let Some(port) = state.port(id) else {
            return Poll::Ready(Err(ChannelError::NotReceiving));
        };
        port.reads_owned = false;
        if !port.parked.is_empty() {
            let spare = std::mem::take(&mut port.spare);
            let parked = std::mem::replace(&mut port.parked, spare);
            return Poll::Ready(Ok(Some(ChannelBatch::new(parked, id, shared))));
        }
        let ended = ended(port, failure);
        if ended.is_pending() {
            port.receive_waker.register(cx.waker(), after);
        }
        ended.map(|end| end.map(|()| None))
    }

    pub(super) fn stop_half(&self, code: ErrorCode) {
        self.with(|state, after| {
            if let Some(port) = state.port(self.id) {
                port.end = Some(ReceiveEnd::None);
                let charge = port.parked.clear();
                state.channels_mut().release(self.id, charge);
            }
            state.channels_mut().stop(self.id, code);
            state.apply_events(after);
            state.wake_driver(after);
        });
    }

    receive_methods!();

    /// Statistics of both halves; `None` after the channel has ended.
    #[must_use]
    pub fn stats(&self) -> Option<ChannelStats> {
        self.with(|state, _| state.channels().channel_stats(self.id))
    }

    /// An identifier that is unique among the open channels of the connection.
    #[must_use]
    pub fn id(&self) -> ChannelId {
        self.id
    }
}

/// How the receive half has ended; pending if it has not.
fn ended(port: &Port, failure: Option<ChannelFailure>) -> Poll<Result<(), ChannelError>> {
    let error = match (port.end, failure) {
        (Some(ReceiveEnd::Finished), _) => return Poll::Ready(Ok(())),
        (Some(ReceiveEnd::Aborted(code)), _) => ChannelError::Aborted(code),
        (Some(ReceiveEnd::Evicted(code)), _) => ChannelError::Evicted(code),
        (Some(ReceiveEnd::Rejected), _) => match &port.answer {
            Answer::Rejected(rejected) => rejected.clone(),
            _ => ChannelError::NotReceiving,
        },
        (Some(ReceiveEnd::None), _) => ChannelError::NotReceiving,
        (None, Some(failure)) => ChannelError::Failed(failure),
        (None, None) => return Poll::Pending,
    };
    Poll::Ready(Err(error))
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop_half(ErrorCode::NO_ERROR);
        self.with(|state, after| state.drop_half(self.id, false, after));
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("channel", &self.id.index())
            .finish_non_exhaustive()
    }
}
