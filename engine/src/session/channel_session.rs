//! Where messages and channels meet: the only place that knows both `conn` and `mux`.
//!
//! ```text
//!               ReadSide ── Message ──▶ receive, next ─┐
//! socket ── driver                                     ├─ Mux (mux) ── Channels ── the
//!               Outbox ◀── binary messages ── fill ────┘        │             application
//!                                                           events
//! ```
//!
//! | file | what it is |
//! |---|---|
//! | this one | [`ChannelSession`]: what drives channels over the halves of a WebSocket |
//! | `channels` | [`Channels`]: what the application does with them |
//! | `endpoint` | [`ChannelEndpoint`]: a `ChannelSession` and the [`Session`](crate::sans_io::Session) below it, as one value |
//! | `start` | whether a WebSocket can carry channels |
//! | `ended` | which channels are over |

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

/// Bytes of records that may wait in an outbox: enough for one write after the other, and what a
/// message of high priority waits behind, beside what the kernel holds.
pub const AHEAD_BYTES_MAX: usize = 32 << 10;

/// The channels of one WebSocket connection, without a socket and without a clock.
///
/// It owns the channels, and works on the halves of the WebSocket's [`Session`](crate::sans_io::Session),
/// which whoever drives it lends call by call: the [`Message`]s that were received, the [`Outbox`]
/// that records go to, and for a deadline the [`WriteSide`]. So one body serves drivers that keep
/// these halves in different places. Who has no such wish takes [`ChannelEndpoint`], which owns
/// both and has the order of calls built in.
///
/// # How to drive it
///
/// 0. [`start`](Self::start), when the opening handshake is done.
/// 1. For each message of a batch: [`receive`](Self::receive), then [`next`](Self::next) until
///    `None`. In between, the application uses the [`Channels`].
/// 2. [`poll_event`](Self::poll_event) until `None`: what happened without a record. Then
///    [`poll_writable`](Self::poll_writable), and [`begin_ended`](Self::begin_ended) with
///    [`poll_ended`](Self::poll_ended), until `None`.
/// 3. [`fill`](Self::fill): moves what there is to send into the outbox. Again with 2 where that
///    made [events](Self::has_events). Then write as for any `Session`.
/// 4. Where `fill` gave `true` the outbox is full: go on with 3 when it has drained
///    ([`WriteSide::take_drained`]).
/// 5. At [`poll_timeout`](Self::poll_timeout): [`handle_timeout`](Self::handle_timeout), and go on
///    with 2. The deadlines of the `Session` are its own.
/// 6. When the `Session` has ended, or the stream is gone: [`handle_lost`](Self::handle_lost), and
///    a last time 2.
///
/// Calls of the application that come from elsewhere, from another thread or a call about
/// another connection, first [tell the time](Channels::tell_time), and are followed by 2 and 3.
///
/// # States
///
/// ```text
///  start ─▶ waits for HELLO ─ Ready ─▶ open ── drain, GOAWAY of the peer's ──▶ draining
///                 │                     │                                         │ no channels
///                 │      abort, a violation, silence, GOAWAY with an error        │ left, or
///                 ▼                     ▼                                         ▼ close_timeout
///            Failed is told ◀──────────────────────────────────────────────────────
///                 │ our GOAWAY, if the peer does not know; then nothing more is sent or received
///                 ▼
///            Close with 4000 + code is in the outbox; 1003 where text had come, 1001 where the
///                 │ program goes away
///                 │ within close_timeout from the end of the channels, or the write side fails
///                 ▼
///            the Session has ended
/// ```
///
/// [`Event::Failed`] is told once and last, whatever the cause. What was queued before our GOAWAY
/// goes out before it, as far as it is in a record.
///
/// # What it never sees
///
/// Bytes of the stream, the socket, the clock, wakers, who reads which channel. It never waits, and
/// holds back nothing that is received: credit does.
#[derive(Debug)]
pub struct ChannelSession {
    channels: Channels,
    /// As much of what is sent as is worth filling a record with before the batch ends.
    fill_at: usize,
    close_timeout: Duration,
    closing: Closing,
}

/// By when the connection must be closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Closing {
    /// The channels go on.
    Not,
    /// They are over.
    By(Timestamp),
    /// It is closed, or was given up.
    Over,
}

impl ChannelSession {
    /// Channels on a WebSocket whose opening handshake is done; `outbox` is that of its sending
    /// half, and `subprotocol` what the handshake agreed on. HELLO goes out with the first
    /// [`fill`](Self::fill).
    ///
    /// # Errors
    /// [`StartError`]. The Close that tells the peer is in the outbox then: drive the session on
    /// until it has ended.
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
            closing: Closing::Not,
        })
    }

    /// Whether a WebSocket with the limits `below` can carry channels with `config`:
    /// [`start`](Self::start) checks the same. For programs that want to know before the first
    /// connection.
    ///
    /// # Errors
    /// Both must hold by themselves ([`ChannelConfig::check`], [`Config::check`](crate::Config::check)).
    /// Messages must be [delivered whole](crate::Delivery::Whole); `message_bytes_max` and
    /// `frame_bytes_max` must have room for our `record_bytes_max`, and `send_queue_bytes_max` for
    /// [`SEND_QUEUE_BYTES_MIN`], whatever records the peer announces.
    pub fn check(config: &ChannelConfig, below: &config::Config) -> Result<(), ConfigError> {
        config.check()?;
        below.check()?;
        check(config, below)
    }

    /// The channels as they stand.
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

    /// A message of the peer's came. `Some` if it is a record: take its events with
    /// [`Self::next`]. Text ends the channels ([`ChannelViolation::NotBinary`]), and control frames are
    /// nothing to them.
    #[inline]
    pub fn receive<'r>(
        &mut self,
        message: Message<'r>,
        now: Timestamp,
    ) -> Option<RecordReader<'r>> {
        match message {
            Message::Binary(record) => Some(self.channels.core.receive(record, now)),
            Message::Text(_) | Message::Part(_) => {
                self.receive_foreign();
                None
            }
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => None,
        }
    }

    #[cold]
    fn receive_foreign(&mut self) {
        let event = self.channels.core.receive_foreign();
        self.keep_end(event);
    }

    /// An end is told by [`Self::poll_event`], after all else.
    fn keep_end(&mut self, event: Option<Event<'_>>) {
        if let Some(Event::Failed(failure)) = event {
            self.channels.end = Some(failure);
        }
    }

    /// The next event of a record; `None` when there is no more in it, and when the application
    /// has [aborted](Channels::abort) the channels meanwhile.
    #[inline]
    pub fn next<'r>(&mut self, record: &mut RecordReader<'r>) -> Option<Event<'r>> {
        if self.channels.end.is_some() {
            return None; // the rest is nobody's
        }
        let event = self.channels.core.next(record)?;
        if !matches!(event, Event::Message(_) | Event::Run(_)) {
            self.channels.note(&event);
        }
        Some(event)
    }

    /// What happened without a record, and the end of the channels, however it came.
    pub fn poll_event(&mut self) -> Option<Event<'static>> {
        let channels = &mut self.channels;
        let event = channels
            .event
            .take()
            .or_else(|| channels.core.poll_event())
            .or_else(|| channels.end.take().map(Event::Failed))?;
        channels.note(&event);
        Some(event)
    }

    /// Channels whose send was refused, and may now succeed. Each is told once.
    pub fn poll_writable(&mut self) -> Option<ChannelId> {
        let channels = &mut self.channels;
        channels
            .writable
            .take()
            .or_else(|| channels.core.poll_writable())
    }

    /// Whether [`Self::poll_event`] or [`Self::poll_writable`] have anything to tell.
    pub fn has_events(&mut self) -> bool {
        let Channels {
            core,
            event,
            writable,
            end,
            ..
        } = &mut self.channels;
        if event.is_none() {
            *event = core.poll_event();
        }
        if writable.is_none() {
            *writable = core.poll_writable();
        }
        event.is_some() || writable.is_some() || end.is_some()
    }

    /// A round of [`Self::poll_ended`] begins.
    pub fn begin_ended(&mut self) {
        self.channels.ended.begin_round();
    }

    /// Channels of which both halves are over, and nothing is left to send or to release: told
    /// once, for the application to [let go](Channels::let_go) of what it has not let go of by
    /// itself. A round gives all of them, but for those behind 64 that have more to send.
    pub fn poll_ended(&mut self) -> Option<ChannelId> {
        self.channels.ended.next(&self.channels.core)
    }

    /// Whether a round of [`Self::poll_ended`] might find anything.
    #[must_use]
    pub fn may_have_ended(&self) -> bool {
        !self.channels.ended.is_empty()
    }

    /// Whether there is anything for [`Self::fill`] to do, but for a Close.
    #[inline]
    #[must_use]
    pub fn wants_write(&self) -> bool {
        self.channels.core.wants_write() || matches!(self.channels.drain, Drain::Asked(..))
    }

    /// Whether [`Self::fill`] has anything to do with this outbox.
    #[must_use]
    pub fn wants_fill(&self, outbox: &Outbox) -> bool {
        let ended = self.channels.core.failure().is_some();
        self.wants_write() || ended && (self.closing == Closing::Not || !outbox.is_closing())
    }

    /// Whether what was sent since the last [`Self::fill`] is about a record, so that filling is
    /// worth it before the batch ends: what goes to the outbox need not be queued.
    #[inline]
    #[must_use]
    pub fn has_record(&self) -> bool {
        self.channels.unfilled >= self.fill_at
    }

    /// Moves what there is to send into the outbox, as far as less than [`AHEAD_BYTES_MAX`] are
    /// queued there. `true` if there is more: the outbox is full, messages wait where they can
    /// still be conflated and overtaken, and [`Outbox::notify_below`] was asked for.
    ///
    /// Then begins a drain that was asked for, and closes the outbox where the channels are over
    /// and all is moved.
    pub fn fill(&mut self, outbox: &mut Outbox, now: Timestamp) -> bool {
        self.channels.unfilled = 0;
        let mut more = self.move_records(outbox, now);
        if let Drain::Asked(code, reason) = self.channels.drain {
            self.channels.drain = Drain::Begun;
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
        // Every turn takes a record, or leaves.
        while core.wants_write() {
            // What says that the channels are over is a record or two, and has no more to wait for.
            let ahead = core.is_alive() && outbox.queued_bytes() >= AHEAD_BYTES_MAX;
            let full = ahead || outbox.room() < core.record_max();
            if full {
                core.hold_back();
                outbox.notify_below(AHEAD_BYTES_MAX / 2);
                return !outbox.is_closing();
            }
            // There is room, and nobody else sends: what is refused is refused by a dead
            // connection.
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

    /// The channels are over: the connection is closed, within `close_timeout`.
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
            // 1001, 1003, and 4000 to 4999, may be sent, and there is no reason.
            let _ = outbox.close(code, "");
        }
        if self.closing == Closing::Not {
            self.closing = Closing::By(now.after(self.close_timeout));
        }
    }

    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match self.closing {
            Closing::Not => self.channels.core.poll_timeout(),
            Closing::By(at) => Some(at),
            Closing::Over => None,
        }
    }

    /// Does what is due; [`Self::poll_event`] tells what came of it. Calling early is harmless.
    ///
    /// Where the channels are over, and their end could not be sent and answered within
    /// `close_timeout`, the write side fails with [`Deadline::Close`].
    pub fn handle_timeout(&mut self, write: &mut WriteSide, now: Timestamp) {
        match self.closing {
            Closing::Not => self.channels.core.handle_timeout(now),
            Closing::By(at) if now >= at => {
                self.closing = Closing::Over;
                write.fail(error::Failure::Deadline(Deadline::Close));
            }
            Closing::By(_) | Closing::Over => {}
        }
    }

    /// The WebSocket has ended, in this way if that is known: nothing is sent or received any more.
    /// How the channels ended: as they had before; [`ChannelFailure::Drained`] where a drain had begun
    /// and its Close has come; else [`ChannelFailure::Lost`]. [`Self::poll_event`] tells so, if it
    /// has not.
    pub fn handle_lost(&mut self, end: Option<End>) -> ChannelFailure {
        let event = self.channels.core.handle_lost(end);
        self.keep_end(event);
        self.closing = Closing::Over;
        self.channels
            .core
            .failure()
            .unwrap_or(ChannelFailure::Lost(end))
    }
}

impl Channels {
    /// An event that may end a half of its channel is about to be told.
    fn note(&mut self, event: &Event<'_>) {
        if let Event::Rejected { channel, .. }
        | Event::Finished { channel }
        | Event::Aborted { channel, .. }
        | Event::Stopped { channel, .. }
        | Event::Evicted { channel, .. } = *event
        {
            self.ended.note(&self.core, channel);
        }
    }
}
