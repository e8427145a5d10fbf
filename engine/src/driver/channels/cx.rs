//! What a handler's call may use.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use super::super::handler::{Calls, ConnId, Cx, Hub, TimersFull};
use super::multiplexed::TIMER_TOKEN;
use super::table::{Entry, Table, arm};
use crate::payload::BinaryPayload;
use crate::session::Stats;
use crate::session::channels::{ChannelClaim, ChannelId, ChannelSendError, Channels, SharedFrame};
use crate::time::Timestamp;

/// One connection with its channels, as a handler's call sees it. Everything that can be done
/// with the channels is a method of [`Channels`], to which it dereferences.
pub struct ChannelCx<'a, 'b> {
    pub(super) entry: &'a mut Entry,
    pub(super) table: &'a mut Table,
    pub(super) cx: &'a mut Cx<'b>,
}

impl<'b> ChannelCx<'_, 'b> {
    /// This connection.
    #[must_use]
    pub fn id(&self) -> ConnId {
        self.cx.id()
    }

    /// When this turn began.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.cx.now()
    }

    /// Calls [`ChannelHandler::timer`](super::ChannelHandler::timer) with `token` after `after`,
    /// if the connection lives then. Timers are not cancelled: a handler ignores a token that it
    /// no longer expects. How late they come: see [`Cx::timer`].
    ///
    /// # Errors
    /// [`TimerError`]; there will be no call.
    pub fn timer(&mut self, after: Duration, token: u64) -> Result<(), TimerError> {
        if token == TIMER_TOKEN {
            return Err(TimerError::Token);
        }
        self.cx.timer(after, token).map_err(TimerError::Full)
    }

    /// WebSocket messages, each a record of many channels, and bytes of this connection, up to
    /// when this turn began.
    #[must_use]
    pub fn session_stats(&self) -> Stats {
        self.cx.stats()
    }

    /// All connections of this reactor, this one included.
    pub fn hub(&mut self) -> ChannelHub<'_, 'b> {
        ChannelHub {
            hub: self.cx.hub(),
            table: self.table,
            own: Some(self.entry),
        }
    }

    /// As [`Channels::send`]. What was sent before in this call and fills a record goes to the
    /// outbox first, if that takes more: so it need not be queued.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn send(
        &mut self,
        channel: ChannelId,
        payload: impl BinaryPayload,
    ) -> Result<(), ChannelSendError> {
        self.fill_if_much();
        self.entry.session.channels_mut().send(channel, payload)
    }

    /// As [`Channels::claim`], and as [`Self::send`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn claim(
        &mut self,
        channel: ChannelId,
        len: usize,
    ) -> Result<ChannelClaim<'_>, ChannelSendError> {
        self.fill_if_much();
        self.entry.session.channels_mut().claim(channel, len)
    }

    /// Moves what there is to send into the outbox, if it is about a record.
    #[inline]
    pub(super) fn fill_if_much(&mut self) {
        if self.entry.session.has_record() {
            self.fill();
        }
    }

    /// Moves what there is to send into the outbox. `true`: it is full.
    pub(super) fn fill(&mut self) -> bool {
        let now = self.cx.now();
        self.entry.session.fill(self.cx.outbox(), now)
    }

    /// Has the reactor call when the next deadline is due.
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

/// All connections of a reactor with their channels, as a handler's call sees them.
pub struct ChannelHub<'a, 'b> {
    pub(super) hub: &'a mut Hub<'b>,
    pub(super) table: &'a mut Table,
    /// Of the connection whose call this is.
    pub(super) own: Option<&'a mut Entry>,
}

impl ChannelHub<'_, '_> {
    /// The channels of a connection; `None` if it is gone, or has never spoken the sub-protocol.
    /// What is sent on them goes out at the end of this turn; what there is to be told of them
    /// is told in calls of that connection.
    pub fn channels(&mut self, id: ConnId) -> Option<&mut Channels> {
        match &mut self.own {
            Some(own) if own.id == id => Some(own.session.channels_mut()),
            _ => self.table.other(id, self.hub.now()),
        }
    }

    /// [`Channels::send`] on a channel of any connection.
    ///
    /// # Errors
    /// As there; [`ChannelSendError::UnknownChannel`] if the connection is gone.
    pub fn send(
        &mut self,
        id: ConnId,
        channel: ChannelId,
        payload: impl BinaryPayload,
    ) -> Result<(), ChannelSendError> {
        let channels = self.channels(id).ok_or(ChannelSendError::UnknownChannel)?;
        channels.send(channel, payload)
    }

    /// [`Channels::send_shared`] on a channel of any connection: a message that was encoded once
    /// goes to all of its receivers.
    ///
    /// # Errors
    /// As there; [`ChannelSendError::UnknownChannel`] if the connection is gone.
    pub fn send_shared(
        &mut self,
        id: ConnId,
        channel: ChannelId,
        frame: &SharedFrame,
    ) -> Result<(), ChannelSendError> {
        let channels = self.channels(id).ok_or(ChannelSendError::UnknownChannel)?;
        channels.send_shared(channel, frame)
    }

    /// The connections whose channels [`Self::channels`] gives, in no order that means anything, the
    /// one whose call this is included. A connection is listed from the call of
    /// [`ChannelHandler::open`](super::ChannelHandler::open) until
    /// [`ChannelHandler::close`](super::ChannelHandler::close) is called for it, also while it
    /// drains or has failed.
    ///
    /// Connections come and go between calls of the handler only: the list is exact while the hub is
    /// borrowed, and may be out of date in a later call. Takes a step for each connection that the
    /// reactor has held at once, and no memory.
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
        let own = self.own.as_ref().map(|own| own.id);
        own.into_iter().chain(self.table.ids())
    }

    /// How many connections [`Self::ids`] lists. Takes one step.
    #[must_use]
    pub fn multiplexed(&self) -> usize {
        self.table.open
    }

    /// Connections that this reactor holds, those in their opening handshake included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.hub.connections()
    }

    /// When this turn began.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.hub.now()
    }

    /// System calls of this reactor so far.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.hub.calls()
    }

    /// Stops the reactor: every connection is closed with 1001, and it ends when they are gone
    /// or `close_timeout` is over. [Drain](Channels::drain) them first to let channels end.
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
    /// The reactor holds as many as it may.
    Full(TimersFull),
    /// [`TIMER_TOKEN`](super::TIMER_TOKEN) is for the deadlines of the channels: take another.
    Token,
}

impl fmt::Display for TimerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(full) => full.fmt(f),
            Self::Token => f.write_str(
                "the token u64::MAX is that of the channels' own deadlines: take another one",
            ),
        }
    }
}

impl std::error::Error for TimerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Full(full) => Some(full),
            Self::Token => None,
        }
    }
}
