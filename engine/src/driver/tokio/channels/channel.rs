//! A channel before it is split, and one of the peer's before it is accepted.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;

use super::super::io::now;
use super::error::ChannelError;
use super::handle::Handle;
use super::receive_methods::receive_methods;
use super::receiver::Receiver;
use super::send_methods::send_methods;
use super::sender::Sender;
use super::state::{Acceptance, Answer, Offer};
use crate::session::channels::{
    AcceptOptions, ChannelId, ChannelSendError, ChannelStats, Direction, ErrorCode, Mode,
    OpenError, Resume, Unit,
};

/// A channel: both halves. [`split`](Self::split) gives them to two tasks.
///
/// It sends as a [`Sender`] and receives as a [`Receiver`], by the same methods. It is no `Sink` and no
/// `Stream` of the futures crates.
///
/// Of a channel that goes one way, the half that is not there refuses:
/// [`ChannelSendError::Finished`] or [`ChannelError::NotReceiving`].
#[derive(Debug)]
pub struct Channel {
    pub(super) sender: Sender,
    receiver: Receiver,
}

impl Channel {
    pub(super) fn new(id: ChannelId, handle: &Arc<Handle>) -> Self {
        Self {
            sender: Sender::new(id, Arc::clone(handle)),
            receiver: Receiver::new(id, Arc::clone(handle)),
        }
    }

    /// Its halves, for two tasks.
    #[must_use]
    pub fn split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }

    /// Waits for the peer's answer to a channel of ours. Sending and receiving need not wait for
    /// it. One of the peer's, which we have accepted, is ready at once.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ChannelError::Rejected`], [`ChannelError::Failed`].
    pub async fn accepted(&mut self) -> Result<Acceptance, ChannelError> {
        let (shared, id) = (self.receiver.shared(), self.sender.id);
        poll_fn(|cx| {
            let mut guard = shared.state.lock();
            let (state, after) = guard.parts();
            let failure = state.failure;
            let Some(port) = state.port(id) else {
                return Poll::Ready(Err(ChannelError::NotReceiving));
            };
            match (&port.answer, failure) {
                (Answer::Accepted(acceptance), _) => Poll::Ready(Ok(acceptance.clone())),
                (Answer::Rejected(rejected), _) => Poll::Ready(Err(rejected.clone())),
                (Answer::Waits, Some(failure)) => Poll::Ready(Err(ChannelError::Failed(failure))),
                (Answer::Waits, None) => {
                    port.answered.park(cx.waker(), after);
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn sending(&self) -> &Sender {
        &self.sender
    }

    fn receiving(&self) -> &Receiver {
        &self.receiver
    }

    send_methods!();

    receive_methods!();

    /// Bytes of memory that what waits here takes.
    #[cfg(test)]
    pub(super) fn footprint(&self) -> usize {
        let mut guard = self.receiver.shared().state.lock();
        let port = guard.port(self.sender.id);
        port.map_or(0, |p| p.parked.footprint())
    }
}

/// A channel that the peer opens: [`accept`](Self::accept) or [`reject`](Self::reject) it.
/// Dropped, it is rejected with [`ErrorCode::REFUSED`].
pub struct IncomingChannel {
    offer: Offer,
    handle: Arc<Handle>,
    answered: bool,
}

impl IncomingChannel {
    pub(super) fn new(offer: Offer, handle: Arc<Handle>) -> Self {
        Self {
            offer,
            handle,
            answered: false,
        }
    }

    /// What it is for.
    #[must_use]
    pub fn topic(&self) -> &[u8] {
        &self.offer.topic
    }

    /// Bytes of the opener's application.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        &self.offer.metadata
    }

    /// 0, the highest, to 7.
    #[must_use]
    pub fn priority(&self) -> u8 {
        self.offer.priority
    }

    /// Who sends: the peer is the opener.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.offer.direction
    }

    /// What a sender does with what cannot be sent.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.offer.mode
    }

    /// What credit counts.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.offer.unit
    }

    /// The opener keeps, and can go on from, a number.
    #[must_use]
    pub fn resumable(&self) -> bool {
        self.offer.resumable
    }

    /// Where the opener wants to go on.
    #[must_use]
    pub fn resume(&self) -> Option<Resume> {
        self.offer.resume
    }

    /// Takes the channel.
    ///
    /// # Errors
    /// [`OpenError`]: options that cannot work, or a channel that the peer has taken back. It is
    /// rejected then.
    pub fn accept(mut self, options: AcceptOptions) -> Result<Channel, OpenError> {
        let mut guard = self.handle.shared.state.lock();
        let (state, after) = guard.parts();
        state.channels_mut().set_time(now());
        state.channels_mut().accept(self.offer.id, options)?;
        state.wake_driver(after);
        drop(guard);
        self.answered = true;
        Ok(Channel::new(self.offer.id, &self.handle))
    }

    /// Does not take the channel.
    pub fn reject(mut self, code: ErrorCode) {
        // Without bytes it cannot fail.
        let _ = self.refuse(code, &[]);
    }

    /// As [`Self::reject`], and says why in bytes of the application's: an encoded refusal of
    /// codecs, say.
    ///
    /// # Errors
    /// [`OpenError::Options`] if they are more than
    /// [`metadata_bytes_max`](crate::channels::ChannelConfig::metadata_bytes_max). The channel is
    /// rejected without them then, with [`ErrorCode::REFUSED`].
    pub fn reject_with(mut self, code: ErrorCode, metadata: &[u8]) -> Result<(), OpenError> {
        self.refuse(code, metadata)
    }

    fn refuse(&mut self, code: ErrorCode, metadata: &[u8]) -> Result<(), OpenError> {
        if self.answered {
            return Ok(());
        }
        let mut guard = self.handle.shared.state.lock();
        let (state, after) = guard.parts();
        state
            .channels_mut()
            .reject_with(self.offer.id, code, metadata)?;
        self.answered = true;
        state.remove(self.offer.id, code, after);
        state.wake_driver(after);
        Ok(())
    }
}

impl Drop for IncomingChannel {
    fn drop(&mut self) {
        let _ = self.refuse(ErrorCode::REFUSED, &[]); // without bytes it cannot fail
    }
}

impl fmt::Debug for IncomingChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingChannel")
            .field("topic", &Bytes::copy_from_slice(&self.offer.topic))
            .field("direction", &self.offer.direction)
            .field("mode", &self.offer.mode)
            .finish_non_exhaustive()
    }
}
