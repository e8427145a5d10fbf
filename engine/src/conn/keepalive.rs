//! Deadlines that need no socket: Ping and Pong, silence.

use core::time::Duration;

use crate::config::Config;
use crate::error::Deadline;
use crate::time::{OptionalTimestamp, Timestamp};

/// When we last heard of the peer, and the Ping that asks after it.
#[derive(Debug)]
pub(crate) struct Keepalive {
    /// When bytes last came.
    last_read: Timestamp,
    /// When the next Ping goes out. Meaningless without `ping_interval`.
    next_ping: Timestamp,
    /// When the unanswered Ping was queued, or was last seen to wait.
    ping_sent: OptionalTimestamp,
    /// The payload of the unanswered, or of the next, Ping.
    nonce: u64,
    /// Nanoseconds of the last round trip, [`NO_RTT`] before the first; with [`DELAYED`].
    rtt: u64,
}

/// No round trip was measured. A measured one of 292 years counts as a nanosecond less.
const NO_RTT: u64 = DELAYED - 1;

/// The bit of [`Keepalive::rtt`] that tells that the unanswered Ping was queued behind other output,
/// and may have gone out later than `pinged`. A flag of its own would take as much as a timestamp.
const DELAYED: u64 = 1 << 63;

/// What stands between a Ping and the peer.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct OutputStatus {
    /// There are bytes to write.
    pub(crate) pending: bool,
    /// A Ping is among them, not begun.
    pub(crate) ping_pending: bool,
}

/// What [`Keepalive::handle_timeout`] found due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    Nothing,
    /// Send a Ping with this payload.
    Ping([u8; 8]),
    Fail(Deadline),
}

impl Keepalive {
    /// `nonce` should be hard to guess, so that a peer cannot pass off another Pong as ours.
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

    /// Nothing was read for `silence`, by our own doing: the time counts for nobody.
    #[cold]
    pub(crate) fn extend_deadlines(&mut self, silence: Duration) {
        self.last_read = self.last_read.after(silence);
        if let Some(at) = self.ping_sent.get() {
            self.ping_sent = at.after(silence).into();
        }
    }

    /// A Pong came. One that answers our Ping gives a round trip.
    pub(crate) fn handle_pong(&mut self, payload: [u8; 8], now: Timestamp) {
        if let Some(at) = self.ping_sent.get()
            && payload == self.nonce.to_be_bytes()
        {
            self.rtt = now.0.saturating_sub(at.0).min(NO_RTT - 1); // answered: no flag
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
            // The peer has not been asked. `write_timeout` sees to it that it is.
            Some(_) if output.ping_pending => {
                self.set_ping_sent(now, true);
                Due::Nothing
            }
            // The peer is there, but the Pong waits behind data or was left out for that of a
            // newer Ping (RFC 6455 section 5.5.3): ask again.
            Some(at) if self.last_read > at => {
                self.advance_nonce();
                self.ping(interval, output, now)
            }
            // It may have been asked a moment ago: from here on it has all of its time.
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

    /// The next Ping gets another payload, so that it is not answered by a late Pong.
    fn advance_nonce(&mut self) {
        // An odd step visits every value before it repeats one.
        self.nonce = self.nonce.wrapping_add(0x9e37_79b9_7f4a_7c15);
    }
}
