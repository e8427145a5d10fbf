//! The contexts of the callbacks of a [`ChannelHandler`](super::ChannelHandler).

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use super::super::handler::{Calls, ConnId, Cx, Hub};
use super::super::timers_full::TimersFull;
use super::multiplexed::TIMER_TOKEN;
use super::table::{Entry, Table, arm};
use crate::payload::BinaryPayload;
use crate::session::Stats;
use crate::session::channels::{ChannelClaim, ChannelId, ChannelSendError, Channels, SharedFrame};
use crate::time::Timestamp;

/// The connection of a callback, with its channels. Dereferences to [`Channels`], which has the
/// methods to open, send and close.
pub struct ChannelCx<'a, 'b> {
    pub(super) entry: &'a mut Entry,
    pub(super) table: &'a mut Table,
    pub(super) cx: &'a mut Cx<'b>,
}

impl<'b> ChannelCx<'_, 'b> {
    /// The id of this connection.
    #[must_use]
    pub fn id(&self) -> ConnId {
        self.cx.id()
    }

    /// When this turn began.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.cx.now()
    }

    /// Sets a timer: [`ChannelHandler::timer`](super::ChannelHandler::timer) is called with `token`
    /// after the duration `after`, if the connection is still open. A timer cannot be cancelled:
    /// ignore a token that is no longer expected. [`Cx::timer`] documents the resolution.
    ///
    /// # Errors
    /// [`TimerError`]: the timer is not set.
    pub fn timer(&mut self, after: Duration, token: u64) -> Result<(), TimerError> {
        if token == TIMER_TOKEN {
            return Err(TimerError::Token);
        }
        self.cx.timer(after, token).map_err(TimerError::Full)
    }

    /// Counts of WebSocket messages and bytes of this connection when this turn began. One WebSocket
    /// message is a record, with frames of many channels.
    #[must_use]
    pub fn session_stats(&self) -> Stats {
        self.cx.stats()
    }

    /// All connections of this reactor, this one included.
    pub fn hub(&mut self) -> ChannelHub<'_, 'b> {
        ChannelHub {
            hub: self.cx.hub(),
            table: self.table,
            current: Some(self.entry),
        }
    }

    /// As [`Channels::send`]. If the messages queued so far fill a record, they are first moved to
    /// the outbox of the connection, as far as it has room, so that the send queues of the channels
    /// stay short.
    ///
    /// # Errors
    /// As [`Channels::send`].
    #[inline]
    pub fn send(
        &mut self,
        channel: ChannelId,
        payload: impl BinaryPayload,
    ) -> Result<(), ChannelSendError> {
        self.fill_record();
        self.entry.session.channels_mut().send(channel, payload)
    }

    /// As [`Channels::claim`]; moves a full record to the outbox first, as [`Self::send`].
    ///
    /// # Errors
    /// As [`Channels::claim`].
    #[inline]
    pub fn claim(
        &mut self,
        channel: ChannelId,
        len: usize,
    ) -> Result<ChannelClaim<'_>, ChannelSendError> {
        self.fill_record();
        self.entry.session.channels_mut().claim(channel, len)
    }

    /// Moves queued messages into the outbox, if they fill about one record.
    #[inline]
    pub(super) fn fill_record(&mut self) {
        if self.entry.session.has_record() {
            self.fill();
        }
    }

    /// Moves queued messages into the outbox. `true` if the outbox is full.
    pub(super) fn fill(&mut self) -> bool {
        let now = self.cx.now();
        self.entry.session.fill(self.cx.outbox(), now)
    }

    /// Sets the timer of the reactor for the next deadline of the channels.
    pub(super) fn arm(&mut self) {
        arm(self.entry, self.cx.hub());
    }
}

impl Deref for ChannelCx<'_, '_> {
    type Target = Channels;

    #[inline]
    fn deref(&self) -> &Channels {
        self.entry.session.channels()
    }
}

impl DerefMut for ChannelCx<'_, '_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Channels {
        self.entry.session.channels_mut()
    }
}

impl fmt::Debug for ChannelCx<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelCx")
            .field("id", &self.id())
            .field("channels", self.entry.session.channels())
            .finish_non_exhaustive()
    }
}

/// All connections of a reactor with their channels, for use in a callback.
pub struct ChannelHub<'a, 'b> {
    pub(super) hub: &'a mut Hub<'b>,
    pub(super) table: &'a mut Table,
    /// The connection of the current callback; `None` in a callback for a command.
    pub(super) current: Option<&'a mut Entry>,
}

impl ChannelHub<'_, '_> {
    /// The channels of a connection; `None` if the connection has ended or does not speak the
    /// sub-protocol. Messages sent on them are written at the end of this turn. Events on them are
    /// delivered later, in callbacks for that connection.
    pub fn channels(&mut self, id: ConnId) -> Option<&mut Channels> {
        match &mut self.current {
            Some(current) if current.id == id => Some(current.session.channels_mut()),
            _ => self.table.other(id, self.hub.now()),
        }
    }

    /// [`Channels::send`] on a channel of any connection.
    ///
    /// # Errors
    /// As [`Channels::send`]; [`ChannelSendError::UnknownChannel`] if the connection has ended.
    pub fn send(
        &mut self,
        id: ConnId,
        channel: ChannelId,
        payload: impl BinaryPayload,
    ) -> Result<(), ChannelSendError> {
        let channels = self.channels(id).ok_or(ChannelSendError::UnknownChannel)?;
        channels.send(channel, payload)
    }

    /// [`Channels::send_shared`] on a channel of any connection, to send one encoded message to many
    /// receivers.
    ///
    /// # Errors
    /// As [`Channels::send_shared`]; [`ChannelSendError::UnknownChannel`] if the connection has
    /// ended.
    pub fn send_shared(
        &mut self,
        id: ConnId,
        channel: ChannelId,
        frame: &SharedFrame,
    ) -> Result<(), ChannelSendError> {
        let channels = self.channels(id).ok_or(ChannelSendError::UnknownChannel)?;
        channels.send_shared(channel, frame)
    }

    /// The ids of all connections with channels, including that of the current callback, in no
    /// particular order. These are the connections for which [`Self::channels`] returns `Some`. A
    /// connection is listed from the call of [`ChannelHandler::open`](super::ChannelHandler::open)
    /// until [`ChannelHandler::close`](super::ChannelHandler::close) is called for it, also while
    /// the connection drains or after it has failed.
    ///
    /// Connections open and end only between callbacks, so the list is exact while the hub is
    /// borrowed. The time is proportional to the largest number of connections that the reactor has
    /// had at once. Does not allocate.
    ///
    /// ```
    /// use tickwire::channels::{ChannelHub, ErrorCode};
    ///
    /// fn drain_all(hub: &mut ChannelHub<'_, '_>) {
    ///     let ids: Vec<_> = hub.ids().collect();
    ///     for id in ids {
    ///         if let Some(channels) = hub.channels(id) {
    ///             channels.drain(ErrorCode::NO_ERROR, "");
    ///         }
    ///     }
    /// }
    /// ```
    pub fn ids(&self) -> impl Iterator<Item = ConnId> {
        let current = self.current.as_ref().map(|current| current.id);
        current.into_iter().chain(self.table.ids())
    }

    /// Counts of WebSocket messages and bytes of a connection, as [`ChannelCx::session_stats`];
    /// `None` if the connection has ended.
    #[must_use]
    pub fn session_stats(&self, id: ConnId) -> Option<Stats> {
        self.hub.stats(id)
    }

    /// Sets a timer of a connection, as [`ChannelCx::timer`]:
    /// [`ChannelHandler::timer`](super::ChannelHandler::timer) is called with that connection's
    /// state, which a command cannot reach. Sets no timer if the connection has ended.
    ///
    /// # Errors
    /// [`TimerError`]: the timer is not set.
    pub fn timer(&mut self, id: ConnId, after: Duration, token: u64) -> Result<(), TimerError> {
        if token == TIMER_TOKEN {
            return Err(TimerError::Token);
        }
        self.hub.timer(id, after, token).map_err(TimerError::Full)
    }

    /// The number of connections that [`Self::ids`] lists. Constant time.
    #[must_use]
    pub fn multiplexed(&self) -> usize {
        self.table.open
    }

    /// The number of connections on this reactor, including those in their opening handshake.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.hub.connections()
    }

    /// When this turn began.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.hub.now()
    }

    /// Counts of the system calls of this reactor since its start.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.hub.calls()
    }

    /// Stops the reactor. Every connection is closed with 1001. The reactor ends when all
    /// connections have ended, at the latest after `close_timeout`. To end the channels cleanly,
    /// [drain](Channels::drain) the connections first.
    pub fn stop(&mut self) {
        self.hub.stop();
    }
}

impl fmt::Debug for ChannelHub<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelHub")
            .field("hub", &self.hub)
            .finish_non_exhaustive()
    }
}

/// Why a timer was not set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TimerError {
    /// The reactor holds the maximum number of timers.
    Full(TimersFull),
    /// The token is [`TIMER_TOKEN`](super::TIMER_TOKEN), which is reserved for the deadlines of the
    /// channels. Use another token.
    Token,
}

impl fmt::Display for TimerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(full) => full.fmt(f),
            Self::Token => f.write_str(
                "the token u64::MAX is reserved for the deadlines of the channels: use another token",
            ),
        }
    }
}

/// Without a source: the text contains the cause.
impl std::error::Error for TimerError {}
