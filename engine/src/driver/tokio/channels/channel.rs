//! A channel before it is split, and a channel of the peer before it is accepted.

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

/// Both halves of a channel. [`split`](Self::split) separates them, for two tasks.
///
/// A `Channel` has the methods of a [`Sender`] and of a [`Receiver`]. It implements neither `Sink`
/// nor `Stream` of the futures crates.
///
/// On a one-way channel, the methods of the missing half fail: with
/// [`ChannelSendError::WrongDirection`] or [`ChannelError::NotReceiving`].
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

    /// Splits the channel into its halves, for two tasks.
    #[must_use]
    pub fn split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }

    /// Waits until the peer accepts or rejects a channel that this end has opened. Sending and
    /// receiving need not wait for this. On a channel that the peer has opened, this is ready at
    /// once.
    ///
    /// Only the peer and the end of the connection bound the wait: the peer's application may answer
    /// late, and a channel beyond the peer's limits waits until another channel ends
    /// ([`ChannelStats::waits_for_peer`]; [`ChannelSocket::open`](super::ChannelSocket::open)).
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ChannelError::Rejected`] if the peer rejects the channel; [`ChannelError::Failed`] if the
    /// connection ends.
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
                (Answer::Pending, Some(failure)) => Poll::Ready(Err(ChannelError::Failed(failure))),
                (Answer::Pending, None) => {
                    port.answer_waker.register(cx.waker(), after);
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

    /// Bytes of memory that the parked messages take.
    #[cfg(test)]
    pub(super) fn footprint(&self) -> usize {
        let mut guard = self.receiver.shared().state.lock();
        let port = guard.port(self.sender.id);
        port.map_or(0, |p| p.parked.footprint())
    }
}

/// A channel that the peer opens: [`accept`](Self::accept) or [`reject`](Self::reject) it. Dropping
/// it rejects the channel with [`ErrorCode::REFUSED`].
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

    /// The topic that the opener gave the channel.
    #[must_use]
    pub fn topic(&self) -> &[u8] {
        &self.offer.topic
    }

    /// Bytes from the opener's application.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        &self.offer.metadata
    }

    /// Priority: 0 is the highest, 7 the lowest.
    #[must_use]
    pub fn priority(&self) -> u8 {
        self.offer.priority
    }

    /// Which ends send. The peer is the opener.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.offer.direction
    }

    /// How a sender treats messages that cannot be sent at once.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.offer.mode
    }

    /// The unit that credit counts.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.offer.unit
    }

    /// The opener asks for a resumable channel: it keeps sequence numbers, and may resume the
    /// channel on another connection.
    #[must_use]
    pub fn resumable(&self) -> bool {
        self.offer.resumable
    }

    /// The point from which the opener resumes the channel, if it does.
    #[must_use]
    pub fn resume(&self) -> Option<Resume> {
        self.offer.resume
    }

    /// Accepts the channel.
    ///
    /// # Errors
    /// [`OpenError`] if an option is invalid, or the peer has withdrawn the channel. The channel is
    /// then rejected.
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

    /// Rejects the channel.
    pub fn reject(mut self, code: ErrorCode) {
        // Without metadata this cannot fail.
        let _ = self.refuse(code, &[]);
    }

    /// Rejects the channel, and gives the reason as bytes of the application, an encoded refusal
    /// for instance.
    ///
    /// # Errors
    /// [`OpenError::Options`] if `metadata` is longer than
    /// [`metadata_bytes_max`](crate::channels::ChannelConfig::metadata_bytes_max). The channel is
    /// then rejected without metadata, with [`ErrorCode::REFUSED`].
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
        let _ = self.refuse(ErrorCode::REFUSED, &[]); // without metadata this cannot fail
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
