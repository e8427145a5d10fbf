//! Deadlines that need no socket: Ping and Pong, silence.

use core::time::Duration;

use crate::config::Config;
use crate::error::Deadline;
use crate::time::{OptionalTimestamp, Timestamp};

/// When we last heard of the peer, and the Ping that asks after it.
#[derive(Debug)]
pub(crate) struct Keepalive {
    /// When bytes last came.
    heard: Timestamp,
    /// When the next Ping goes out. Meaningless without `ping_interval`.
    ping_at: Timestamp,
    /// When the unanswered Ping was queued, or was last seen to wait.
    pinged: OptionalTimestamp,
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
pub(crate) struct Output {
    /// There are bytes to write.
    pub(crate) busy: bool,
    /// A Ping is among them, not begun.
    pub(crate) ping: bool,
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
        let ping_at = now.after(config.ping_interval.unwrap_or_default());
        Self {
            heard: now,
            ping_at,
            pinged: OptionalTimestamp::NONE,
            nonce,
            rtt: NO_RTT,
        }
    }

    #[inline]
    pub(crate) fn handle_read(&mut self, now: Timestamp) {
        self.heard = now;
    }

    /// Nothing was read for `silence`, by our own doing: the time counts for nobody.
    #[cold]
    pub(crate) fn pardon(&mut self, silence: Duration) {
        self.heard = self.heard.after(silence);
        if let Some(at) = self.pinged.get() {
            self.pinged = at.after(silence).into();
        }
    }

    /// A Pong came. One that answers our Ping gives a round trip.
    pub(crate) fn handle_pong(&mut self, payload: [u8; 8], now: Timestamp) {
        if let Some(at) = self.pinged.get()
            && payload == self.nonce.to_be_bytes()
        {
            self.rtt = now.0.saturating_sub(at.0).min(NO_RTT - 1); // answered: no flag
            self.pinged = OptionalTimestamp::NONE;
            self.renew();
        }
    }

    pub(crate) fn rtt(&self) -> Option<Duration> {
        let rtt = self.rtt & !DELAYED;
        (rtt != NO_RTT).then_some(Duration::from_nanos(rtt))
    }

    pub(crate) fn poll_timeout(&self, config: &Config) -> Option<Timestamp> {
        let ping = config.ping_interval.map(|_| match self.pinged.get() {
            Some(at) => at.after(config.pong_timeout),
            None => self.ping_at,
        });
        let idle = config.idle_timeout.map(|t| self.heard.after(t));
        [ping, idle].into_iter().flatten().min()
    }

    pub(crate) fn handle_timeout(
        &mut self,
        config: &Config,
        output: Output,
        now: Timestamp,
    ) -> Due {
        if config
            .idle_timeout
            .is_some_and(|t| now >= self.heard.after(t))
        {
            return Due::Fail(Deadline::Idle);
        }
        let Some(interval) = config.ping_interval else {
            return Due::Nothing;
        };
        match self.pinged.get() {
            Some(at) if now < at.after(config.pong_timeout) => Due::Nothing,
            // The peer has not been asked. `write_timeout` sees to it that it is.
            Some(_) if output.ping => {
                self.asked(now, true);
                Due::Nothing
            }
            // The peer is there, but the Pong waits behind data or was left out for that of a
            // newer Ping (RFC 6455 section 5.5.3): ask again.
            Some(at) if self.heard > at => {
                self.renew();
                self.ping(interval, output, now)
            }
            // It may have been asked a moment ago: from here on it has all of its time.
            Some(_) if self.rtt & DELAYED != 0 => {
                self.asked(now, false);
                Due::Nothing
            }
            Some(_) => Due::Fail(Deadline::Pong),
            None if now >= self.ping_at => self.ping(interval, output, now),
            None => Due::Nothing,
        }
    }

    fn ping(&mut self, interval: Duration, output: Output, now: Timestamp) -> Due {
        self.asked(now, output.busy);
        self.ping_at = now.after(interval);
        Due::Ping(self.nonce.to_be_bytes())
    }

    fn asked(&mut self, at: Timestamp, delayed: bool) {
        self.pinged = at.into();
        self.rtt = if delayed {
            self.rtt | DELAYED
        } else {
            self.rtt & !DELAYED
        };
    }

    /// The next Ping gets another payload, so that it is not answered by a late Pong.
    fn renew(&mut self) {
        // An odd step visits every value before it repeats one.
        self.nonce = self.nonce.wrapping_add(0x9e37_79b9_7f4a_7c15);
    }
}
