//! The calls of the application on the channels of one connection.

use core::fmt;
use core::time::Duration;

use bytes::Bytes;

use super::ended::{EndedChannels, is_held};
use crate::mux::{
    AcceptOptions, ChannelClaim, ChannelFailure, ChannelId, ChannelSendError, ChannelStats, Charge,
    ErrorCode, Event, Mux, MuxStats, OpenError, OpenOptions, SharedFrame,
};
use crate::payload::BinaryPayload;
use crate::time::Timestamp;

/// The channels of one connection: what
/// [`ChannelSession::channels_mut`](super::ChannelSession::channels_mut) and the handler calls of a
/// reactor give to the application.
///
/// Messages are sent when the driver moves them into the outbox of the WebSocket: on a reactor,
/// after the call or after the batch that contains the call. After the connection has ended, every
/// call fails with `Closed`.
pub struct Channels {
    pub(super) core: Mux,
    /// Payload bytes sent since the last [`ChannelSession::fill`](super::ChannelSession::fill),
    /// plus [`FRAME_BYTES`] for each message.
    pub(super) unfilled_bytes: usize,
    pub(super) ended: EndedChannels,
    /// An event that `has_events` has taken from the core.
    pub(super) event: Option<Event<'static>>,
    /// A writable channel that `has_events` has taken from the core.
    pub(super) writable: Option<ChannelId>,
    /// The failure of all channels, until `poll_event` returns it.
    pub(super) failure: Option<ChannelFailure>,
    /// The drain of this endpoint.
    pub(super) drain: Drain,
}

/// State of a drain by the application.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Drain {
    /// No drain was requested.
    NotRequested,
    /// The drain starts when all earlier messages are in the outbox.
    Requested(ErrorCode, &'static str),
    /// The core is draining.
    Started,
}

/// Approximate overhead of a message in a record, in bytes.
const FRAME_BYTES: usize = 4;

impl Channels {
    pub(super) fn new(core: Mux) -> Self {
        Self {
            core,
            unfilled_bytes: 0,
            ended: EndedChannels::default(),
            event: None,
            writable: None,
            failure: None,
            drain: Drain::NotRequested,
        }
    }

    /// Opens a channel. Messages may be sent before the peer accepts it, as soon as the limits of
    /// the peer are known.
    ///
    /// # Errors
    /// [`OpenError`]. No channel is opened then.
    pub fn open(&mut self, options: OpenOptions) -> Result<ChannelId, OpenError> {
        if let Drain::Requested(code, _) = self.drain {
            return Err(OpenError::Draining(code));
        }
        self.core.open(options)
    }

    /// Accepts a channel that the peer has opened.
    ///
    /// # Errors
    /// [`OpenError`]. The channel is then still unanswered, unless it is unknown.
    pub fn accept(&mut self, channel: ChannelId, options: AcceptOptions) -> Result<(), OpenError> {
        self.core.accept(channel, options)
    }

    /// Rejects a channel that the peer has opened. The id is invalid afterwards.
    pub fn reject(&mut self, channel: ChannelId, code: ErrorCode) {
        self.core.reject(channel, code);
        self.forget(channel);
    }

    /// As [`Self::reject`], with bytes that tell the peer why, such as an encoded refusal of
    /// codecs.
    ///
    /// # Errors
    /// [`OpenError::Options`] if `metadata` exceeds
    /// [`metadata_bytes_max`](crate::channels::ChannelConfig::metadata_bytes_max). The channel is
    /// then still unanswered.
    pub fn reject_with(
        &mut self,
        channel: ChannelId,
        code: ErrorCode,
        metadata: &[u8],
    ) -> Result<(), OpenError> {
        let rejected = self.core.reject_with(channel, code, metadata);
        self.forget(channel);
        rejected
    }

    /// Sends a message. It is queued until the channel has its turn, has credit and is accepted. On
    /// a conflated channel, the message has key 0.
    ///
    /// # Errors
    /// [`ChannelSendError`]. No message is queued then. After [`ChannelSendError::WouldBlock`], the
    /// channel is reported as writable when another attempt can succeed.
    #[inline]
    pub fn send(
        &mut self,
        channel: ChannelId,
        payload: impl BinaryPayload,
    ) -> Result<(), ChannelSendError> {
        let payload = payload.as_ref();
        self.unfilled_bytes += payload.len() + FRAME_BYTES;
        self.core.send(channel, payload)
    }

    /// As [`Self::send`], without a copy of the payload while it is queued.
    ///
    /// # Errors
    /// As [`Self::send`]; the payload is returned with the error.
    pub fn send_bytes(
        &mut self,
        channel: ChannelId,
        payload: Bytes,
    ) -> Result<(), (ChannelSendError, Bytes)> {
        self.unfilled_bytes += payload.len() + FRAME_BYTES;
        self.core.send_bytes(channel, payload)
    }

    /// Sends a message with a key on a conflated channel. It replaces a queued message with the
    /// same key, and takes its position in the queue.
    ///
    /// # Errors
    /// As [`Self::send`]; [`ChannelSendError::WrongMode`] on other channels.
    pub fn send_keyed(
        &mut self,
        channel: ChannelId,
        key: u64,
        payload: impl BinaryPayload,
    ) -> Result<(), ChannelSendError> {
        let payload = payload.as_ref();
        self.unfilled_bytes += payload.len() + FRAME_BYTES;
        self.core.send_keyed(channel, key, payload)
    }

    /// Sends a message that is encoded once for many connections. The channel must have the alias
    /// that the message was encoded for. A large message is not copied.
    ///
    /// # Errors
    /// As [`Self::send`].
    #[inline]
    pub fn send_shared(
        &mut self,
        channel: ChannelId,
        frame: &SharedFrame,
    ) -> Result<(), ChannelSendError> {
        self.unfilled_bytes += frame.payload().len() + FRAME_BYTES;
        self.core.send_shared(channel, frame)
    }

    /// Sends a run: consecutive messages of `elem` bytes each, under one header.
    ///
    /// # Errors
    /// As [`Self::send`]; [`ChannelSendError::BadRun`], [`ChannelSendError::WrongMode`].
    pub fn send_run_bytes(
        &mut self,
        channel: ChannelId,
        elem: usize,
        bytes: &[u8],
    ) -> Result<(), ChannelSendError> {
        self.unfilled_bytes += bytes.len() + FRAME_BYTES;
        self.core.send_run_bytes(channel, elem, bytes)
    }

    /// Reserves space for a message of `len` bytes, to be written in place and then committed.
    ///
    /// # Errors
    /// As [`Self::send`]; [`ChannelSendError::WrongMode`] on a conflated channel.
    #[inline]
    pub fn claim(
        &mut self,
        channel: ChannelId,
        len: usize,
    ) -> Result<ChannelClaim<'_>, ChannelSendError> {
        self.unfilled_bytes += len + FRAME_BYTES;
        self.core.claim(channel, len)
    }

    /// Returns the credit of a message that the application has consumed. Has no effect after the
    /// channel was closed here.
    #[inline]
    pub fn release(&mut self, channel: ChannelId, charge: Charge) {
        if self.ended.is_marked(channel) {
            return self.release_ended(channel, charge);
        }
        self.core.release(channel, charge);
    }

    /// Ends the sending half: FIN follows the queued messages.
    ///
    /// # Errors
    /// [`ChannelSendError::UnknownChannel`], [`ChannelSendError::Closed`].
    pub fn finish(&mut self, channel: ChannelId) -> Result<(), ChannelSendError> {
        let finished = self.core.finish_sending(channel);
        self.ended.record(&self.core, channel);
        finished
    }

    /// Aborts the sending half: queued messages are dropped, and the peer gets RESET(ABORT) with `code`.
    pub fn reset(&mut self, channel: ChannelId, code: ErrorCode) {
        self.core.reset(channel, code);
        self.ended.record(&self.core, channel);
    }

    /// Stops the receiving half: no more messages are accepted, and the peer gets RESET(STOP) with `code`.
    /// Messages received before must still be released.
    pub fn stop(&mut self, channel: ChannelId, code: ErrorCode) {
        self.core.stop(channel, code);
        self.ended.record(&self.core, channel);
    }

    /// Closes both halves of the channel: returns its held credit, and stops or resets a half that
    /// has not ended with `code`. The id is invalid afterwards.
    pub fn close_channel(&mut self, channel: ChannelId, code: ErrorCode) {
        self.core.close_channel(channel, code);
        self.forget(channel);
    }

    /// Restarts the numbering of messages on this channel at `next_seq` in `epoch`, and announces
    /// it to the peer: after a gap, or for another epoch. Only while no message is queued.
    ///
    /// # Errors
    /// [`ChannelSendError::WouldBlock`] while messages are queued; otherwise as [`Self::send`].
    pub fn rebase(
        &mut self,
        channel: ChannelId,
        epoch: u64,
        next_seq: u64,
    ) -> Result<(), ChannelSendError> {
        self.core.rebase(channel, epoch, next_seq)
    }

    /// Acknowledges all messages below `seq`: they are processed or stored here.
    pub fn acknowledge(&mut self, channel: ChannelId, seq: u64) {
        self.core.acknowledge(channel, seq);
    }

    /// Starts a drain: no channel is opened or accepted any more, and open channels may end within
    /// `close_timeout`. Then the connection is closed. Queued messages are sent. Channels of this
    /// endpoint whose OPEN is not sent when all earlier messages are in the outbox are rejected. A
    /// second call has no effect.
    pub fn drain(&mut self, code: ErrorCode, reason: &'static str) {
        if self.drain == Drain::NotRequested {
            self.drain = Drain::Requested(code, reason);
        }
    }

    /// Whether [`Self::drain`] was called.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.drain != Drain::NotRequested
    }

    /// Ends all channels at once, sends GOAWAY with `code`, and closes the connection. Queued
    /// messages are not sent, and the rest of a record that is being received is dropped.
    pub fn abort(&mut self, code: ErrorCode) {
        if let Some(Event::Failed(failure)) = self.core.abort(code) {
            self.failure = Some(failure);
        }
    }

    /// Ends all channels at once because the program ends: the peer gets GOAWAY without an error,
    /// then Close 1001, and reports [`DrainEnd::GoingAway`](crate::channels::DrainEnd), or
    /// `Complete` if it has no channel open. Queued messages are not sent.
    pub fn go_away(&mut self) {
        if let Some(Event::Failed(failure)) = self.core.go_away() {
            self.failure = Some(failure);
        }
    }

    /// Sends a PING to measure the round-trip time, unless the last one was sent less than a second
    /// ago: peers limit PINGs.
    pub fn ping(&mut self) {
        self.core.ping();
    }

    /// Statistics of all channels of the connection.
    #[must_use]
    pub fn stats(&self) -> MuxStats {
        self.core.stats()
    }

    /// Statistics of a channel. `None` if the channel does not exist any more.
    #[must_use]
    pub fn channel_stats(&self, channel: ChannelId) -> Option<ChannelStats> {
        self.core.channel_stats(channel)
    }

    /// The ids of all channels, including those that have ended and are not yet closed here.
    pub fn ids(&self) -> impl Iterator<Item = ChannelId> {
        self.core.channels()
    }

    /// The shortest measured round-trip time. `None` before the first.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.core.rtt()
    }

    /// How the channels ended. `None` while they are usable.
    #[must_use]
    pub fn failure(&self) -> Option<ChannelFailure> {
        self.core.failure()
    }

    /// Whether new channels can be opened.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.drain == Drain::NotRequested && self.core.is_open()
    }

    /// Whether the application holds the channel: see [`Mux::is_attached`].
    #[must_use]
    pub fn is_attached(&self, channel: ChannelId) -> bool {
        self.core.is_attached(channel)
    }

    /// Whether [`Self::abort`] or [`Self::go_away`] was called and the failure is not yet reported:
    /// the rest of the received record is dropped.
    #[must_use]
    pub fn was_aborted(&self) -> bool {
        self.failure.is_some()
    }

    /// Sets the current time. For a driver that calls the application without having received a
    /// message before. The time to live of messages counts from this time.
    pub fn set_time(&mut self, now: Timestamp) {
        self.core.set_time(now);
    }

    /// As [`Self::release`], for a channel that can end with the release.
    fn release_ended(&mut self, channel: ChannelId, charge: Charge) {
        let held = is_held(&self.core, channel);
        self.core.release(channel, charge);
        if held && !is_held(&self.core, channel) {
            self.ended.released(channel);
        }
    }

    /// Discards pending events of a channel that the application does not hold any more.
    fn forget(&mut self, channel: ChannelId) {
        if self.core.is_attached(channel) {
            return; // the channel was not rejected
        }
        self.ended.forget(channel);
        self.event.take_if(|event| event.channel() == Some(channel));
        self.writable.take_if(|writable| *writable == channel);
    }
}

impl fmt::Debug for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}
