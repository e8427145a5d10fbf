//! The channels of one connection, as the application uses them.

use core::fmt;
use core::time::Duration;

use bytes::Bytes;

use super::ended::{Ended, is_held};
use crate::mux::{
    AcceptOptions, ChannelClaim, ChannelFailure, ChannelId, ChannelSendError, ChannelStats, Charge,
    ErrorCode, Event, Mux, MuxStats, OpenError, OpenOptions, SharedFrame,
};
use crate::time::Timestamp;

/// The channels of one connection, as the application uses them: what
/// [`ChannelSession::channels_mut`](super::ChannelSession::channels_mut) lends, and what a handler's call
/// on a reactor sees.
///
/// What is sent goes out when whoever drives the connection moves it into the WebSocket's
/// outbox: on a reactor, when the call, or the batch that it belongs to, is over. Channels of a
/// connection that has ended refuse everything with `Closed`.
pub struct Channels {
    pub(super) core: Mux,
    /// Payload bytes sent since the last [`ChannelSession::fill`](super::ChannelSession::fill),
    /// with [`FRAME_BYTES`] for each message.
    pub(super) unfilled: usize,
    pub(super) ended: Ended,
    /// Taken from the core to see whether there is any.
    pub(super) event: Option<Event<'static>>,
    /// As [`Self::event`].
    pub(super) writable: Option<ChannelId>,
    /// The end of all channels that was made outside of the core's own events, until it is told.
    pub(super) end: Option<ChannelFailure>,
    pub(super) drain: Drain,
}

/// Where a drain that the application has asked for stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Drain {
    /// Nobody asked.
    None,
    /// It begins when what was sent before has been moved into the outbox.
    Asked(ErrorCode, &'static str),
    /// The core drains.
    Begun,
}

/// What a message takes of a record beside its payload, about.
const FRAME_BYTES: usize = 4;

impl Channels {
    pub(super) fn new(core: Mux) -> Self {
        Self {
            core,
            unfilled: 0,
            ended: Ended::default(),
            event: None,
            writable: None,
            end: None,
            drain: Drain::None,
        }
    }

    /// Opens a channel. Messages may follow before it is answered, once the peer's limits are
    /// known.
    ///
    /// # Errors
    /// [`OpenError`]; no channel is made then.
    pub fn open(&mut self, options: OpenOptions) -> Result<ChannelId, OpenError> {
        if let Drain::Asked(code, _) = self.drain {
            return Err(OpenError::Draining(code));
        }
        self.core.open(options)
    }

    /// Takes a channel of the peer's.
    ///
    /// # Errors
    /// [`OpenError`]; the channel still waits for an answer then, unless it is unknown.
    pub fn accept(&mut self, channel: ChannelId, options: AcceptOptions) -> Result<(), OpenError> {
        self.core.accept(channel, options)
    }

    /// Does not take a channel of the peer's. The id is of no use any more.
    pub fn reject(&mut self, channel: ChannelId, code: ErrorCode) {
        self.core.reject(channel, code);
        self.forget(channel);
    }

    /// As [`Self::reject`], and says why in bytes of the application's: an encoded refusal of
    /// codecs, say.
    ///
    /// # Errors
    /// [`OpenError::Options`] if they are more than
    /// [`metadata_bytes_max`](crate::channels::ChannelConfig::metadata_bytes_max); the channel still
    /// waits for an answer then.
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

    /// Sends a message, or queues it: for the channel's turn, its credit, or its answer. On a
    /// conflated channel it is the message with key 0.
    ///
    /// # Errors
    /// [`ChannelSendError`]; nothing is taken then. After [`ChannelSendError::WouldBlock`] the channel is told
    /// to be writable when it is worth another try.
    #[inline]
    pub fn send(&mut self, channel: ChannelId, payload: &[u8]) -> Result<(), ChannelSendError> {
        self.unfilled += payload.len() + FRAME_BYTES;
        self.core.send(channel, payload)
    }

    /// As [`Self::send`], sharing the payload while it waits.
    ///
    /// # Errors
    /// As [`Self::send`], with the payload handed back.
    pub fn send_bytes(
        &mut self,
        channel: ChannelId,
        payload: Bytes,
    ) -> Result<(), (ChannelSendError, Bytes)> {
        self.unfilled += payload.len() + FRAME_BYTES;
        self.core.send_bytes(channel, payload)
    }

    /// Sends the newest message of a key on a conflated channel. One of the same key that still
    /// waits is replaced, in its place.
    ///
    /// # Errors
    /// As [`Self::send`]; [`ChannelSendError::WrongMode`] on other channels.
    pub fn send_keyed(
        &mut self,
        channel: ChannelId,
        key: u64,
        payload: &[u8],
    ) -> Result<(), ChannelSendError> {
        self.unfilled += payload.len() + FRAME_BYTES;
        self.core.send_keyed(channel, key, payload)
    }

    /// Sends a message that was encoded before, once for all connections on which its channel
    /// has the alias that it was encoded for. A large one is not copied.
    ///
    /// # Errors
    /// As [`Self::send`].
    #[inline]
    pub fn send_shared(
        &mut self,
        channel: ChannelId,
        frame: &SharedFrame,
    ) -> Result<(), ChannelSendError> {
        self.unfilled += frame.payload().len() + FRAME_BYTES;
        self.core.send_shared(channel, frame)
    }

    /// Sends messages of `elem` bytes each, one behind the other, under one header.
    ///
    /// # Errors
    /// As [`Self::send`]; [`ChannelSendError::BadRun`], [`ChannelSendError::WrongMode`].
    pub fn send_run(
        &mut self,
        channel: ChannelId,
        elem: usize,
        bytes: &[u8],
    ) -> Result<(), ChannelSendError> {
        self.unfilled += bytes.len() + FRAME_BYTES;
        self.core.send_run(channel, elem, bytes)
    }

    /// Room for a message of `len` bytes, to be written in place and then committed.
    ///
    /// # Errors
    /// As [`Self::send`]; [`ChannelSendError::WrongMode`] on a conflated channel.
    #[inline]
    pub fn claim(
        &mut self,
        channel: ChannelId,
        len: usize,
    ) -> Result<ChannelClaim<'_>, ChannelSendError> {
        self.unfilled += len + FRAME_BYTES;
        self.core.claim(channel, len)
    }

    /// Gives back the credit of what the application has consumed. On a channel that was let go
    /// of there is nothing to give back, and nothing happens.
    #[inline]
    pub fn release(&mut self, channel: ChannelId, charge: Charge) {
        if self.ended.is_marked(channel) {
            return self.release_ended(channel, charge);
        }
        self.core.release(channel, charge);
    }

    /// Ends our half: FIN follows what is queued.
    ///
    /// # Errors
    /// [`ChannelSendError::UnknownChannel`], [`ChannelSendError::Closed`].
    pub fn finish(&mut self, channel: ChannelId) -> Result<(), ChannelSendError> {
        let finished = self.core.finish_sending(channel);
        self.ended.note(&self.core, channel);
        finished
    }

    /// Gives up our half: what is queued is dropped, and the peer is told with `code`.
    pub fn reset(&mut self, channel: ChannelId, code: ErrorCode) {
        self.core.reset(channel, code);
        self.ended.note(&self.core, channel);
    }

    /// Takes no more from the peer on this channel, and tells it so with `code`. What was
    /// received must still be released.
    pub fn stop(&mut self, channel: ChannelId, code: ErrorCode) {
        self.core.stop(channel, code);
        self.ended.note(&self.core, channel);
    }

    /// Lets go of the channel: what is held of it is given back, a half that is not over is
    /// stopped or reset with `code`, and the id is of no use any more.
    pub fn let_go(&mut self, channel: ChannelId, code: ErrorCode) {
        self.core.let_go(channel, code);
        self.forget(channel);
    }

    /// Our messages count anew from here, and the peer is told: after a gap, or in another
    /// epoch. Only while nothing is queued.
    ///
    /// # Errors
    /// [`ChannelSendError::WouldBlock`] while messages are queued; as [`Self::send`] else.
    pub fn rebase(
        &mut self,
        channel: ChannelId,
        epoch: u64,
        next_seq: u64,
    ) -> Result<(), ChannelSendError> {
        self.core.rebase(channel, epoch, next_seq)
    }

    /// Tells the sender that everything below `seq` is safe here.
    pub fn acknowledge(&mut self, channel: ChannelId, seq: u64) {
        self.core.acknowledge(channel, seq);
    }

    /// Opens and takes no more channels and lets the open ones end, within `close_timeout`; then
    /// the connection is closed. What is queued goes out; channels of ours that were not announced
    /// when all that was sent before is on its way are rejected. A second call does nothing.
    pub fn drain(&mut self, code: ErrorCode, reason: &'static str) {
        if self.drain == Drain::None {
            self.drain = Drain::Asked(code, reason);
        }
    }

    /// Whether [`Self::drain`] was called.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.drain != Drain::None
    }

    /// Ends all channels at once, tells the peer with `code`, and closes the connection. What is
    /// queued is not sent, and of the record that is being received nothing more is told.
    pub fn abort(&mut self, code: ErrorCode) {
        if let Some(Event::Failed(failure)) = self.core.abort(code) {
            self.end = Some(failure);
        }
    }

    /// Ends all channels at once because the program goes away: the peer gets GOAWAY without an
    /// error, then Close 1001, and reports [`DrainEnd::GoingAway`](crate::channels::DrainEnd). What
    /// is queued is not sent.
    pub fn go_away(&mut self) {
        if let Some(Event::Failed(failure)) = self.core.go_away() {
            self.end = Some(failure);
        }
    }

    /// Measures a round trip, unless one was measured within a second: a peer takes no more.
    pub fn ping(&mut self) {
        self.core.ping();
    }

    /// The connection's channels as they stand.
    #[must_use]
    pub fn stats(&self) -> MuxStats {
        self.core.stats()
    }

    /// A channel as it stands; `None` if there is no such channel any more.
    #[must_use]
    pub fn channel_stats(&self, channel: ChannelId) -> Option<ChannelStats> {
        self.core.channel_stats(channel)
    }

    /// The channels that have a place here, those included that have ended and are held.
    pub fn ids(&self) -> impl Iterator<Item = ChannelId> {
        self.core.channels()
    }

    /// The shortest round trip measured.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.core.rtt()
    }

    /// How the channels ended; `None` while they can be used.
    #[must_use]
    pub fn failure(&self) -> Option<ChannelFailure> {
        self.core.failure()
    }

    /// Whether new channels can be opened.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.drain == Drain::None && self.core.is_open()
    }

    /// Whether the application has the channel: see [`Mux::is_attached`].
    #[must_use]
    pub fn is_attached(&self, channel: ChannelId) -> bool {
        self.core.is_attached(channel)
    }

    /// Whether all channels were ended by [`Self::abort`] or [`Self::go_away`] in this call of the application, so that
    /// nothing more of what was received is anybody's.
    #[must_use]
    pub fn was_aborted(&self) -> bool {
        self.end.is_some()
    }

    /// It is `now`: for a driver that calls what sends without having received anything before.
    /// Messages with a time to live count theirs from then.
    pub fn tell_time(&mut self, now: Timestamp) {
        self.core.tell_time(now);
    }

    /// As [`Self::release`], of a channel that may end by it.
    fn release_ended(&mut self, channel: ChannelId, charge: Charge) {
        let held = is_held(&self.core, channel);
        self.core.release(channel, charge);
        if held && !is_held(&self.core, channel) {
            self.ended.released(channel);
        }
    }

    /// Nothing is told any more of a channel that the application has not got.
    fn forget(&mut self, channel: ChannelId) {
        if self.core.is_attached(channel) {
            return; // it was not to be rejected
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
