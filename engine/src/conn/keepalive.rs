//! The keep-alive: Ping and Pong, and the idle timeout.

use core::time::Duration;

use crate::config::Config;
use crate::error::Deadline;
use crate::time::{OptionalTimestamp, Timestamp};

/// When bytes were last received, and the Ping that is not yet answered.
#[derive(Debug)]
pub(crate) struct Keepalive {
    /// When bytes were last received.
    last_read: Timestamp,
    /// When the next Ping is due. Unused without `ping_interval`.
    next_ping: Timestamp,
    /// When the unanswered Ping was queued, or was last found unsent.
    ping_sent: OptionalTimestamp,
    /// Payload of the unanswered Ping, or of the next one.
    nonce: u64,
    /// Last round-trip time in nanoseconds, [`NO_RTT`] before the first measurement. The bit
    /// [`DELAYED`] is a flag.
    rtt: u64,
}

/// No round trip was measured yet. A round trip of 292 years or more counts as one nanosecond less.
const NO_RTT: u64 = DELAYED - 1;

/// Flag in [`Keepalive::rtt`]: the unanswered Ping was queued behind other output and may have been
/// sent later than `ping_sent`. A separate field would take eight bytes.
const DELAYED: u64 = 1 << 63;

/// State of the send queue, for decisions of the keep-alive.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct OutputStatus {
    /// Bytes are queued.
    pub(crate) pending: bool,
    /// A Ping is queued of which no byte is written.
    pub(crate) ping_pending: bool,
}

/// The result of [`Keepalive::handle_timeout`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// No action.
    Nothing,
    /// Send a Ping with this payload.
    Ping([u8; 8]),
    /// Fail the connection: this deadline has passed.
    Fail(Deadline),
}

impl Keepalive {
    /// `nonce` must be hard to guess, so that the peer cannot send the matching Pong without the
    /// Ping.
    pub(crate) fn new(config: &Config, nonce: u64, now: Timestamp) -> Self {
        let next_ping = now.after(config.ping_interval.unwrap_or_default());
        Self {
            last_read: now,
            next_ping,
            ping_sent: OptionalTimestamp::NONE,
            nonce,
            rtt: NO_RTT,
        }
    }

    #[inline]
    pub(crate) fn handle_read(&mut self, now: Timestamp) {
        self.last_read = now;
    }

    /// Moves the deadlines of the peer by `pause`: this endpoint did not read for that time.
    #[cold]
    pub(crate) fn extend_deadlines(&mut self, pause: Duration) {
        self.last_read = self.last_read.after(pause);
        if let Some(at) = self.ping_sent.get() {
            self.ping_sent = at.after(pause).into();
        }
    }

    /// A Pong was received. If it answers the Ping of the keep-alive, it measures a round trip.
    pub(crate) fn handle_pong(&mut self, payload: [u8; 8], now: Timestamp) {
        if let Some(at) = self.ping_sent.get()
            && payload == self.nonce.to_be_bytes()
        {
            self.rtt = now.0.saturating_sub(at.0).min(NO_RTT - 1); // clears the flag
            self.ping_sent = OptionalTimestamp::NONE;
            self.advance_nonce();
        }
    }

    pub(crate) fn rtt(&self) -> Option<Duration> {
        let rtt = self.rtt & !DELAYED;
        (rtt != NO_RTT).then_some(Duration::from_nanos(rtt))
    }

    pub(crate) fn poll_timeout(&self, config: &Config) -> Option<Timestamp> {
        let ping = config.ping_interval.map(|_| match self.ping_sent.get() {
            Some(at) => at.after(config.pong_timeout),
            None => self.next_ping,
        });
        let idle = config.idle_timeout.map(|t| self.last_read.after(t));
        [ping, idle].into_iter().flatten().min()
    }

    pub(crate) fn handle_timeout(
        &mut self,
        config: &Config,
        output: OutputStatus,
        now: Timestamp,
    ) -> Due {
        if config
            .idle_timeout
            .is_some_and(|t| now >= self.last_read.after(t))
        {
            return Due::Fail(Deadline::Idle);
        }
        let Some(interval) = config.ping_interval else {
            return Due::Nothing;
        };
        match self.ping_sent.get() {
            Some(at) if now < at.after(config.pong_timeout) => Due::Nothing,
            // The Ping is not sent yet. `write_timeout` bounds that wait.
            Some(_) if output.ping_pending => {
                self.set_ping_sent(now, true);
                Due::Nothing
            }
            // The peer is alive, but its Pong is queued behind data, or was omitted in favour of
            // the Pong for a newer Ping (RFC 6455 section 5.5.3): send another Ping.
            Some(at) if self.last_read > at => {
                self.advance_nonce();
                self.ping(interval, output, now)
            }
            // The Ping may have been sent a moment ago: the full timeout starts here.
            Some(_) if self.rtt & DELAYED != 0 => {
                self.set_ping_sent(now, false);
                Due::Nothing
            }
            Some(_) => Due::Fail(Deadline::Pong),
            None if now >= self.next_ping => self.ping(interval, output, now),
            None => Due::Nothing,
        }
    }

    fn ping(&mut self, interval: Duration, output: OutputStatus, now: Timestamp) -> Due {
        self.set_ping_sent(now, output.pending);
        self.next_ping = now.after(interval);
        Due::Ping(self.nonce.to_be_bytes())
    }

    fn set_ping_sent(&mut self, at: Timestamp, delayed: bool) {
        self.ping_sent = at.into();
        self.rtt = if delayed {
            self.rtt | DELAYED
        } else {
            self.rtt & !DELAYED
        };
    }

    /// Changes the payload for the next Ping, so that a late Pong does not match it.
    fn advance_nonce(&mut self) {
        // An odd increment visits every value before one repeats.
        self.nonce = self.nonce.wrapping_add(0x9e37_79b9_7f4a_7c15);
    }
}
