//! Channels over a WebSocket: the only module that uses both `conn` and `mux`.
//!
//! ```text
//!               ReadSide ── Message ──▶ receive, next ─┐
//! socket ── driver                                     ├─ Mux (mux) ── Channels ── the
//!               Outbox ◀── binary messages ── fill ────┘        │             application
//!                                                           events
//! ```
//!
//! | file | content |
//! |---|---|
//! | this file | [`ChannelSession`]: drives the channels over the halves of a WebSocket |
//! | `channels` | [`Channels`]: the calls of the application |
//! | `endpoint` | [`ChannelEndpoint`]: a `ChannelSession` and the [`Session`](crate::sans_io::Session) below it, as one value |
//! | `start` | the check that a WebSocket can carry channels |
//! | `ended` | the channels that have ended |

mod channels;
mod ended;
mod endpoint;
mod start;
#[cfg(test)]
mod tests;

use alloc::sync::Arc;
use core::time::Duration;

use self::channels::Drain;
use self::start::check;
use super::WriteSide;
use crate::config::{self, ConfigError};
use crate::conn::{Message, Outbox};
use crate::error::{self, CloseCode, Deadline, End};
use crate::mux::{
    ChannelConfig, ChannelFailure, ChannelId, ChannelViolation, DrainEnd, Event, Mux, Record,
    RecordReader, SUBPROTOCOL,
};
use crate::time::Timestamp;

pub use channels::Channels;
pub use endpoint::ChannelEndpoint;
pub use start::{SEND_QUEUE_BYTES_MIN, StartError};

/// [`ChannelSession::fill`] adds no record to an outbox in which this many bytes are queued. The
/// limit is large enough to keep the socket busy between two writes. A message of high priority
/// waits behind these bytes and behind those in the socket buffer.
pub const OUTBOX_FILL_BYTES_MAX: usize = 32 << 10;

/// The channels of one WebSocket connection, without a socket and without a clock.
///
/// It owns the channels and borrows the halves of the [`Session`](crate::sans_io::Session) in each
/// call: the received [`Message`]s, the [`Outbox`] for records and, for deadlines, the
/// [`WriteSide`]. One implementation therefore serves drivers that keep these halves in different
/// places. Other callers use [`ChannelEndpoint`], which owns both and makes the calls in the right
/// order.
///
/// # How to drive it
///
/// 0. [`start`](Self::start), after the opening handshake.
/// 1. For each message of a batch: [`receive`](Self::receive), then [`next`](Self::next) until
///    `None`. The application uses the [`Channels`] between these calls.
/// 2. [`poll_event`](Self::poll_event) until `None`: events without a record. Then
///    [`poll_writable`](Self::poll_writable) until `None`, and
///    [`begin_ended_round`](Self::begin_ended_round) followed by [`poll_ended`](Self::poll_ended)
///    until `None`.
/// 3. [`fill`](Self::fill): move records into the outbox. If that caused
///    [events](Self::has_events), repeat 2. Then write as for any `Session`.
/// 4. If `fill` returned `true`, the outbox is full: continue with 3 when it has drained
///    ([`WriteSide::take_drained`]).
/// 5. At [`poll_timeout`](Self::poll_timeout): [`handle_timeout`](Self::handle_timeout), then
///    continue with 2. The `Session` has its own deadlines.
/// 6. When the `Session` has ended or the stream is lost: [`handle_lost`](Self::handle_lost), then
///    2 once more.
///
/// If the application uses the channels outside of step 1, for example from another thread or in a
/// call about another connection, first [set the time](Channels::set_time), and do 2 and 3
/// afterwards.
///
/// # States
///
/// ```text
///  start ─▶ waits for HELLO ─ Ready ─▶ open ── drain, or GOAWAY of the peer ─▶ draining
///                 │                     │                                         │ no channels
///                 │      abort, violation, timeout, GOAWAY with an error          │ left, or
///                 ▼                     ▼                                         ▼ close_timeout
///            Event::Failed  ◀──────────────────────────────────────────────────────
///                 │ GOAWAY, unless the peer knows of the end; no more records are sent or received
///                 ▼
///            Close 4000 + code is in the outbox; Close 1003 after a text message, 1001 if the program
///                 │ ends
///                 │ within close_timeout of the failure, or else the write side fails
///                 ▼
///            the Session has ended
/// ```
///
/// [`Event::Failed`] is returned once, as the last event, whatever the cause. Records that were
/// complete before the GOAWAY are sent before it.
///
/// # What is absent
///
/// The session sees no bytes of the stream, no socket, no clock and no wakers, and does not know
/// which task reads which channel. It never waits, and never holds back received messages: credit
/// does.
#[derive(Debug)]
pub struct ChannelSession {
    channels: Channels,
    /// [`Self::has_record`] is `true` from this many unfilled bytes on: about one record.
    fill_at: usize,
    close_timeout: Duration,
    close_state: CloseState,
}

/// State of the close after the channels have ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum CloseState {
    /// The channels are open.
    Open,
    /// The channels have ended, and the connection must be closed by this time.
    Deadline(Timestamp),
    /// The connection is closed or was aborted.
    Done,
}

impl ChannelSession {
    /// Starts channels on a WebSocket after its opening handshake. `outbox` is the outbox of this
    /// WebSocket, `subprotocol` the sub-protocol that the handshake agreed on. HELLO is sent with
    /// the first [`fill`](Self::fill).
    ///
    /// # Errors
    /// [`StartError`]. A Close with the reason is then in the outbox: drive the session until it
    /// has ended.
    pub fn start(
        config: impl Into<Arc<ChannelConfig>>,
        subprotocol: Option<&str>,
        outbox: &mut Outbox,
        now: Timestamp,
    ) -> Result<Self, StartError> {
        let config = config.into();
        let close_timeout = config.close_timeout;
        let started = if subprotocol == Some(SUBPROTOCOL) {
            check(&config, outbox.config())
                .and_then(|()| Mux::new(config, now))
                .map_err(StartError::Config)
        } else {
            Err(StartError::NotAgreed(subprotocol.map(Into::into)))
        };
        let mut core = started.inspect_err(|error| error.close(outbox))?;
        core.limit_records(outbox.room_max());
        Ok(Self {
            channels: Channels::new(core),
            fill_at: usize::MAX,
            close_timeout,
            close_state: CloseState::Open,
        })
    }

    /// Checks that a WebSocket with the limits `below` can carry channels with `config`, as
    /// [`start`](Self::start) does. For programs that check their configuration before the first
    /// connection.
    ///
    /// # Errors
    /// Each configuration must be valid by itself ([`ChannelConfig::check`],
    /// [`Config::check`](crate::Config::check)). Messages must be [delivered
    /// whole](crate::Delivery::Whole). `message_bytes_max` and `frame_bytes_max` must be at least
    /// `record_bytes_max`, and `send_queue_bytes_max` at least [`SEND_QUEUE_BYTES_MIN`], whatever
    /// record size the peer announces.
    pub fn check(config: &ChannelConfig, below: &config::Config) -> Result<(), ConfigError> {
        config.check()?;
        below.check()?;
        check(config, below)
    }

    /// The channels, to inspect.
    #[inline]
    #[must_use]
    pub fn channels(&self) -> &Channels {
        &self.channels
    }

    /// The channels, for the application to use.
    #[inline]
    pub fn channels_mut(&mut self) -> &mut Channels {
        &mut self.channels
    }

    /// Receives a message of the peer. `Some` if it is a record: take its events with
    /// [`Self::next`]. A text message ends the channels ([`ChannelViolation::NotBinary`]); control
    /// frames are ignored.
    #[inline]
    pub fn receive<'r>(
        &mut self,
        message: Message<'r>,
        now: Timestamp,
    ) -> Option<RecordReader<'r>> {
        match message {
            Message::Binary(record) => Some(self.channels.core.receive(record, now)),
            Message::Text(_) | Message::Part(_) => {
                self.receive_text();
                None
            }
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => None,
        }
    }

    #[cold]
    fn receive_text(&mut self) {
        let event = self.channels.core.receive_text();
        self.set_failure(event);
    }

    /// Stores the failure, which [`Self::poll_event`] returns after all other events.
    fn set_failure(&mut self, event: Option<Event<'_>>) {
        if let Some(Event::Failed(failure)) = event {
            self.channels.failure = Some(failure);
        }
    }

    /// The next event of a record. `None` at its end, and after the application has
    /// [aborted](Channels::abort) the channels.
    #[inline]
    pub fn next<'r>(&mut self, record: &mut RecordReader<'r>) -> Option<Event<'r>> {
        if self.channels.failure.is_some() {
            return None; // the rest of the record is dropped
        }
        let event = self.channels.core.next(record)?;
        if !matches!(event, Event::Message(_) | Event::Run(_)) {
            self.channels.record_half_end(&event);
        }
        Some(event)
    }

    /// The next event that has no record, and at last the failure of the channels, whatever its
    /// cause.
    pub fn poll_event(&mut self) -> Option<Event<'static>> {
        let channels = &mut self.channels;
        let event = channels
            .event
            .take()
            .or_else(|| channels.core.poll_event())
            .or_else(|| channels.failure.take().map(Event::Failed))?;
        channels.record_half_end(&event);
        Some(event)
    }

    /// The next channel whose send was refused and can be tried again. Each is returned once.
    pub fn poll_writable(&mut self) -> Option<ChannelId> {
        let channels = &mut self.channels;
        channels
            .writable
            .take()
            .or_else(|| channels.core.poll_writable())
    }

    /// Whether [`Self::poll_event`] or [`Self::poll_writable`] would return a value.
    pub fn has_events(&mut self) -> bool {
        let Channels {
            core,
            event,
            writable,
            failure,
            ..
        } = &mut self.channels;
        if event.is_none() {
            *event = core.poll_event();
        }
        if writable.is_none() {
            *writable = core.poll_writable();
        }
        event.is_some() || writable.is_some() || failure.is_some()
    }

    /// Starts a round of [`Self::poll_ended`].
    pub fn begin_ended_round(&mut self) {
        self.channels.ended.begin_round();
    }

    /// The next channel whose halves have both ended and that has nothing left to send or to
    /// release. Each is returned once; the application then [closes](Channels::close_channel) it, unless
    /// it has done so. A round returns all such channels, except those listed after 64 that still
    /// have something to send.
    pub fn poll_ended(&mut self) -> Option<ChannelId> {
        self.channels.ended.next(&self.channels.core)
    }

    /// Whether a round of [`Self::poll_ended`] can return a channel.
    #[must_use]
    pub fn may_have_ended(&self) -> bool {
        !self.channels.ended.is_empty()
    }

    /// Whether [`Self::fill`] has records to move. Does not count a pending Close.
    #[inline]
    #[must_use]
    pub fn wants_write(&self) -> bool {
        self.channels.core.wants_write() || matches!(self.channels.drain, Drain::Requested(..))
    }

    /// Whether [`Self::fill`] has something to do with this outbox.
    #[must_use]
    pub fn wants_fill(&self, outbox: &Outbox) -> bool {
        let ended = self.channels.core.failure().is_some();
        self.wants_write()
            || ended && (self.close_state == CloseState::Open || !outbox.is_closing())
    }

    /// Whether about a full record was sent since the last [`Self::fill`], so that filling pays off
    /// before the batch ends: records that go to the outbox now are not queued in the channels.
    #[inline]
    #[must_use]
    pub fn has_record(&self) -> bool {
        self.channels.unfilled_bytes >= self.fill_at
    }

    /// Moves records into the outbox while fewer than [`OUTBOX_FILL_BYTES_MAX`] bytes are queued
    /// there. `true` if records are left: the outbox is full, the messages stay in the channels,
    /// where they can still be conflated and overtaken, and a notification is requested with
    /// [`Outbox::notify_below`].
    ///
    /// Then starts a requested drain, and queues the Close if the channels have ended and all
    /// records are moved.
    pub fn fill(&mut self, outbox: &mut Outbox, now: Timestamp) -> bool {
        self.channels.unfilled_bytes = 0;
        let mut more = self.move_records(outbox, now);
        if let Drain::Requested(code, reason) = self.channels.drain {
            self.channels.drain = Drain::Started;
            self.channels.core.drain(code, reason);
            more = self.move_records(outbox, now);
        }
        self.fill_at = self.channels.core.record_max() / 4 * 3;
        if self.channels.core.failure().is_some() {
            self.close(outbox, now);
        }
        more
    }

    fn move_records(&mut self, outbox: &mut Outbox, now: Timestamp) -> bool {
        let core = &mut self.channels.core;
        // Each iteration moves one record or ends the loop.
        while core.wants_write() {
            // The last records of a closed connection do not wait for space below the limit.
            let filled = core.is_alive() && outbox.queued_bytes() >= OUTBOX_FILL_BYTES_MAX;
            let full = filled || outbox.room() < core.record_max();
            if full {
                core.handle_backpressure();
                outbox.notify_below(OUTBOX_FILL_BYTES_MAX / 2);
                return !outbox.is_closing();
            }
            // The outbox has space and no other sender, so only a closed connection refuses.
            let refused = match core.poll_record(now) {
                Some(Record::Inline(bytes)) => outbox.send(bytes).is_err(),
                Some(Record::Shared(bytes)) => outbox.send_bytes(bytes).is_err(),
                None => break,
            };
            if refused {
                return false;
            }
        }
        false
    }

    /// Queues the Close after the channels have ended, and starts its deadline.
    #[cold]
    fn close(&mut self, outbox: &mut Outbox, now: Timestamp) {
        if let Some(code) = self.channels.core.closing()
            && !outbox.is_closing()
        {
            let code = match self.channels.core.failure() {
                Some(ChannelFailure::Violation(ChannelViolation::NotBinary)) => {
                    CloseCode::UNSUPPORTED
                }
                Some(ChannelFailure::Drained {
                    by_peer: false,
                    end: DrainEnd::GoingAway,
                    ..
                }) => CloseCode::GOING_AWAY,
                _ => CloseCode(code.close_code()),
            };
            // Cannot fail: 1001, 1003 and 4000 to 4999 are valid codes, and the reason is empty.
            let _ = outbox.close(code, "");
        }
        if self.close_state == CloseState::Open {
            self.close_state = CloseState::Deadline(now.after(self.close_timeout));
        }
    }

    /// The time of the next [`Self::handle_timeout`]. `None` if no deadline is set.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match self.close_state {
            CloseState::Open => self.channels.core.poll_timeout(),
            CloseState::Deadline(at) => Some(at),
            CloseState::Done => None,
        }
    }

    /// Performs the actions that are due; [`Self::poll_event`] returns their events. An early call
    /// has no effect.
    ///
    /// If the channels have ended and the close handshake has not finished within `close_timeout`,
    /// the write side fails with [`Deadline::Close`].
    pub fn handle_timeout(&mut self, write: &mut WriteSide, now: Timestamp) {
        match self.close_state {
            CloseState::Open => self.channels.core.handle_timeout(now),
            CloseState::Deadline(at) if now >= at => {
                self.close_state = CloseState::Done;
                write.fail(error::Failure::Deadline(Deadline::Close));
            }
            CloseState::Deadline(_) | CloseState::Done => {}
        }
    }

    /// The WebSocket has ended or the stream is lost; `end` says how, if that is known. No more
    /// records are sent or received. Returns how the channels ended: an earlier failure,
    /// [`ChannelFailure::Drained`] if the Close of a drain was received, otherwise
    /// [`ChannelFailure::Lost`]. [`Self::poll_event`] returns it as an event, unless it has done so.
    pub fn handle_lost(&mut self, end: Option<End>) -> ChannelFailure {
        let event = self.channels.core.handle_lost(end);
        self.set_failure(event);
        self.close_state = CloseState::Done;
        self.channels
            .core
            .failure()
            .unwrap_or(ChannelFailure::Lost(end))
    }
}

impl Channels {
    /// Records the end of a half of a channel, if the event is one.
    fn record_half_end(&mut self, event: &Event<'_>) {
        if let Event::Rejected { channel, .. }
        | Event::Finished { channel }
        | Event::Aborted { channel, .. }
        | Event::Stopped { channel, .. }
        | Event::Evicted { channel, .. } = *event
        {
            self.ended.record(&self.core, channel);
        }
    }
}
