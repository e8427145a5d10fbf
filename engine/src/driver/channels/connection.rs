//! The channels of one connection, as a handler's calls use them.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;
use std::vec::Vec;

use bytes::Bytes;

use super::super::handler::ConnId;
use crate::conn::Outbox;
use crate::session::channels::{
    AcceptOptions, ChannelId, ChannelStats, Charge, Claim, Code, Connection, ConnectionStats,
    Event, Failure, HalfState, OpenError, OpenOptions, SendError, Settings, SharedFrame, fill,
};
use crate::time::Timestamp;

/// The channels of one connection, as the handler's calls use them: what a
/// [`ChannelCx`](super::ChannelCx) dereferences to, and what
/// [`ChannelHub::channels`](super::ChannelHub::channels) gives of other connections.
///
/// What is sent goes out when the call, or the batch that it belongs to, is over; more than a
/// record, sent with [`ChannelCx::send`](super::ChannelCx::send), as soon as the outbox takes it.
/// Channels of a connection that has ended refuse everything with `Closed`.
pub struct Channels {
    pub(super) id: ConnId,
    pub(super) core: Connection,
    /// Payload bytes sent since the last [`Self::fill`], with [`FRAME_BYTES`] for each message.
    pub(super) unfilled: usize,
    /// As much of them as is worth filling a record with before the batch ends.
    pub(super) fill_at: usize,
    /// It is on the table's list of connections that another one's call has used.
    pub(super) dirty: bool,
    /// Timers of the reactor that are set, the earliest last. Each was earlier than all before
    /// it when it was set, of which there are as many as the core has kinds of deadlines.
    pub(super) alarms: Vec<Timestamp>,
    /// Channels whose halves have both been ended by somebody, until that is carried out. Those of
    /// which something is held are not looked at, but come back with their last release.
    pub(super) ending: VecDeque<ChannelId>,
    /// Which channel of an index is on that list, or is to come back to it.
    marks: Vec<Option<ChannelId>>,
    /// Taken from the core to see whether there is any.
    event: Option<Event<'static>>,
    writable: Option<ChannelId>,
    /// The end that [`Self::abort`] made, which is not told yet.
    pub(super) aborted: Option<Failure>,
}

/// What a message takes of a record beside its payload, about.
const FRAME_BYTES: usize = 4;

impl Channels {
    pub(super) fn new(id: ConnId, settings: Settings, now: Timestamp) -> Self {
        Self {
            id,
            core: Connection::new(settings, now),
            unfilled: 0,
            fill_at: usize::MAX,
            dirty: false,
            alarms: Vec::with_capacity(4),
            ending: VecDeque::new(),
            marks: Vec::new(),
            event: None,
            writable: None,
            aborted: None,
        }
    }

    /// Opens a channel. Messages may follow before it is answered, once the peer's limits are
    /// known.
    ///
    /// # Errors
    /// [`OpenError`]; no channel is made then.
    pub fn open(&mut self, options: OpenOptions) -> Result<ChannelId, OpenError> {
        self.core.open(options)
    }

    /// Takes a channel of the peer's that was to be answered [later](super::Answer::Later).
    ///
    /// # Errors
    /// [`OpenError`]; the channel still waits for an answer then, unless it is unknown.
    pub fn accept(&mut self, channel: ChannelId, options: AcceptOptions) -> Result<(), OpenError> {
        self.core.accept(channel, options)
    }

    /// Does not take a channel of the peer's. The id is of no use any more.
    pub fn reject(&mut self, channel: ChannelId, code: Code) {
        self.core.reject(channel, code);
        self.forget(channel);
    }

    /// As [`Self::reject`], and says why in bytes of the application's: an encoded refusal of
    /// codecs, say.
    ///
    /// # Errors
    /// [`OpenError::Options`] if they are more than
    /// [`metadata_bytes_max`](crate::channels::Config::metadata_bytes_max); the channel still
    /// waits for an answer then.
    pub fn reject_with(
        &mut self,
        channel: ChannelId,
        code: Code,
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
    /// [`SendError`]; nothing is taken then. After [`SendError::WouldBlock`],
    /// [`ChannelHandler::writable`](super::ChannelHandler::writable) tells when to try again.
    #[inline]
    pub fn send(&mut self, channel: ChannelId, payload: &[u8]) -> Result<(), SendError> {
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
    ) -> Result<(), (SendError, Bytes)> {
        self.unfilled += payload.len() + FRAME_BYTES;
        self.core.send_bytes(channel, payload)
    }

    /// Sends the newest message of a key on a conflated channel. One of the same key that still
    /// waits is replaced, in its place.
    ///
    /// # Errors
    /// As [`Self::send`]; [`SendError::WrongMode`] on other channels.
    pub fn send_keyed(
        &mut self,
        channel: ChannelId,
        key: u64,
        payload: &[u8],
    ) -> Result<(), SendError> {
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
    ) -> Result<(), SendError> {
        self.unfilled += frame.payload().len() + FRAME_BYTES;
        self.core.send_shared(channel, frame)
    }

    /// Sends messages of `elem` bytes each, one behind the other, under one header.
    ///
    /// # Errors
    /// As [`Self::send`]; [`SendError::BadRun`], [`SendError::WrongMode`].
    pub fn send_run(
        &mut self,
        channel: ChannelId,
        elem: usize,
        bytes: &[u8],
    ) -> Result<(), SendError> {
        self.unfilled += bytes.len() + FRAME_BYTES;
        self.core.send_run(channel, elem, bytes)
    }

    /// Room for a message of `len` bytes, to be written in place and then committed.
    ///
    /// # Errors
    /// As [`Self::send`]; [`SendError::WrongMode`] on a conflated channel.
    #[inline]
    pub fn claim(&mut self, channel: ChannelId, len: usize) -> Result<Claim<'_>, SendError> {
        self.unfilled += len + FRAME_BYTES;
        self.core.claim(channel, len)
    }

    /// Gives back the credit of what the application has consumed. On a channel that was let go
    /// of there is nothing to give back, and nothing happens.
    #[inline]
    pub fn release(&mut self, channel: ChannelId, charge: Charge) {
        let waits = self.is_marked(channel) && self.is_held(channel);
        self.core.release(channel, charge);
        if waits && !self.is_held(channel) {
            self.ending.push_front(channel);
        }
    }

    /// Ends our half: FIN follows what is queued.
    ///
    /// # Errors
    /// [`SendError::UnknownChannel`], [`SendError::Closed`].
    pub fn finish(&mut self, channel: ChannelId) -> Result<(), SendError> {
        let finished = self.core.finish_sending(channel);
        self.note_end(channel);
        finished
    }

    /// Gives up our half: what is queued is dropped, and the peer is told with `code`.
    pub fn reset(&mut self, channel: ChannelId, code: Code) {
        self.core.reset(channel, code);
        self.note_end(channel);
    }

    /// Takes no more from the peer on this channel, and tells it so with `code`. What was
    /// received must still be released.
    pub fn stop(&mut self, channel: ChannelId, code: Code) {
        self.core.stop(channel, code);
        self.note_end(channel);
    }

    /// Lets go of the channel: what is held of it is given back, a half that is not over is
    /// stopped or reset with `code`, and the id is of no use any more.
    pub fn let_go(&mut self, channel: ChannelId, code: Code) {
        self.core.let_go(channel, code);
        self.forget(channel);
    }

    /// Our messages count anew from here, and the peer is told: after a gap, or in another
    /// epoch. Only while nothing is queued.
    ///
    /// # Errors
    /// [`SendError::WouldBlock`] while messages are queued; as [`Self::send`] else.
    pub fn rebase(
        &mut self,
        channel: ChannelId,
        epoch: u64,
        next_seq: u64,
    ) -> Result<(), SendError> {
        self.core.rebase(channel, epoch, next_seq)
    }

    /// Tells the sender that everything below `seq` is safe here.
    pub fn acknowledge(&mut self, channel: ChannelId, seq: u64) {
        self.core.acknowledge(channel, seq);
    }

    /// Takes no new channels and lets the open ones end, within `close_timeout`; then the
    /// connection is closed. What is queued goes out.
    pub fn drain(&mut self, code: Code, reason: &'static str) {
        self.core.drain(code, reason);
    }

    /// Ends all channels at once, tells the peer with `code`, and closes the connection.
    pub fn abort(&mut self, code: Code) {
        if let Some(Event::Failed(failure)) = self.core.abort(code) {
            self.aborted = Some(failure);
        }
    }

    /// The connection's channels as they stand.
    #[must_use]
    pub fn stats(&self) -> ConnectionStats {
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
    pub fn failure(&self) -> Option<Failure> {
        self.core.failure()
    }

    /// Whether new channels can be opened.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.core.is_open()
    }
}

/// What the adapter does.
impl Channels {
    /// Moves what there is to send into the outbox. `true`: it is full, and tells when it is
    /// not.
    pub(super) fn fill(&mut self, outbox: &mut Outbox, now: Timestamp) -> bool {
        self.unfilled = 0;
        self.fill_at = self.core.record_max() / 4 * 3;
        fill(&mut self.core, outbox, now)
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        while self.alarms.pop_if(|at| *at <= now).is_some() {}
        self.core.handle_timeout(now);
    }

    /// Half of the channel was ended, by one end or the other.
    pub(super) fn note_end(&mut self, channel: ChannelId) {
        let over = |half| !matches!(half, HalfState::Open | HalfState::Opening);
        let stats = self.core.channel_stats(channel);
        let both = stats.is_some_and(|s| over(s.sending) && over(s.receiving));
        if !both || self.is_marked(channel) {
            return;
        }
        let index = channel.index();
        if self.marks.len() <= index {
            self.marks.resize(index + 1, None);
        }
        if let Some(mark) = self.marks.get_mut(index) {
            *mark = Some(channel);
            self.ending.push_back(channel);
        }
    }

    pub(super) fn is_marked(&self, channel: ChannelId) -> bool {
        self.marks.get(channel.index()) == Some(&Some(channel))
    }

    /// Nothing is told any more of a channel that the application has not got.
    fn forget(&mut self, channel: ChannelId) {
        if self.core.is_attached(channel) {
            return; // it was not to be rejected
        }
        if self.is_marked(channel)
            && let Some(mark) = self.marks.get_mut(channel.index())
        {
            *mark = None;
        }
        self.event.take_if(|event| event.channel() == Some(channel));
        self.writable.take_if(|writable| *writable == channel);
    }

    /// Whether something of the channel is to be released.
    pub(super) fn is_held(&self, channel: ChannelId) -> bool {
        let stats = self.core.channel_stats(channel);
        stats.is_some_and(|stats| stats.held_bytes > 0)
    }

    /// Whether nothing of the channel is left to send, to wait for or to release.
    pub(super) fn has_ended(&self, channel: ChannelId) -> bool {
        self.core.channel_stats(channel).is_none_or(|s| {
            use HalfState::{Aborted, Ending, Finished, None};
            // A half that we have stopped ends without us.
            let receiving = matches!(s.receiving, None | Finished | Aborted | Ending);
            let sending = matches!(s.sending, None | Finished | Aborted);
            receiving && sending && s.held_bytes == 0
        })
    }

    pub(super) fn poll_event(&mut self) -> Option<Event<'static>> {
        let aborted = &mut self.aborted;
        self.event
            .take()
            .or_else(|| self.core.poll_event())
            .or_else(|| aborted.take().map(Event::Failed))
    }

    pub(super) fn poll_writable(&mut self) -> Option<ChannelId> {
        self.writable.take().or_else(|| self.core.poll_writable())
    }

    /// Whether the handler has to be told something.
    pub(super) fn has_news(&mut self) -> bool {
        if self.event.is_none() {
            self.event = self.core.poll_event();
        }
        if self.writable.is_none() {
            self.writable = self.core.poll_writable();
        }
        self.event.is_some() || self.writable.is_some() || self.aborted.is_some()
    }
}

impl fmt::Debug for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}
