//! Time: round trips, silence, and when something is due.

use core::time::Duration;

use super::super::wire::Hello;
use super::bucket::Bucket;
use crate::time::Timestamp;

/// PINGs of the peer's, and GOAWAYs: one a second, ten at once.
const PING_INTERVAL: Duration = Duration::from_secs(1);
const PING_BURST: u32 = 10;
/// How often channels are looked through for what takes too long, while anything might.
const SWEEP_INTERVAL: Duration = Duration::from_millis(250);

/// A measured round trip.
#[derive(Clone, Copy, Default, Debug)]
struct Ping {
    /// The value of the last PING; the next one is another.
    value: u64,
    /// A PING is to be sent.
    due: bool,
    /// When the PING that is not answered yet was encoded.
    sent: Option<Timestamp>,
    /// When the last one was.
    last_sent: Option<Timestamp>,
    /// When the next one is due; from the peer's HELLO on.
    next_at: Option<Timestamp>,
    last: Option<Duration>,
    least: Option<Duration>,
}

/// What is measured and awaited. Nothing else writes these fields.
pub(super) struct Liveness {
    /// Silence after which the connection is given up: the smaller of both ends'.
    idle_timeout: Duration,
    last_received: Timestamp,
    ping: Ping,
    /// The peer's PING that is not answered yet.
    pong: Option<u64>,
    pings: Bucket,
    goaways: Bucket,
    sweep_at: Option<Timestamp>,
    drain_at: Option<Timestamp>,
}

impl Liveness {
    pub(super) fn new(idle_timeout: Duration, now: Timestamp) -> Self {
        Self {
            idle_timeout,
            last_received: now,
            ping: Ping::default(),
            pong: None,
            pings: Bucket::default(),
            goaways: Bucket::default(),
            sweep_at: None,
            drain_at: None,
        }
    }

    /// The peer's HELLO has come.
    pub(super) fn start(&mut self, peer: &Hello, now: Timestamp) {
        let peers = Duration::from_millis(peer.idle_timeout_ms);
        self.idle_timeout = self.idle_timeout.min(peers);
        self.ping.due = true;
        self.ping.next_at = Some(now.after(self.ping_interval()));
    }

    /// How often a PING goes out; no peer takes more than one a second for long.
    fn ping_interval(&self) -> Duration {
        (self.idle_timeout / 3).max(PING_INTERVAL)
    }

    pub(super) fn received(&mut self, now: Timestamp) {
        self.last_received = now;
    }

    /// Nothing was received for so long that the connection is given up.
    pub(super) fn idle_expired(&self, now: Timestamp) -> bool {
        now >= self.last_received.after(self.idle_timeout)
    }

    /// When something is due.
    pub(super) fn timeout(&self) -> Option<Timestamp> {
        let idle = self.last_received.after(self.idle_timeout);
        let waits = self.ping.sent.is_none() && !self.ping.due;
        let ping = self.ping.next_at.filter(|_| waits);
        [Some(idle), ping, self.sweep_at, self.drain_at]
            .into_iter()
            .flatten()
            .min()
    }

    // ---- round trips

    /// A PING is sent, unless one was within a second: a peer takes no more.
    pub(super) fn request_ping(&mut self, now: Timestamp) {
        let last = self.ping.last_sent;
        let early = last.is_some_and(|at| now < at.after(PING_INTERVAL));
        if self.ping.sent.is_none() && !early {
            self.ping.due = true;
        }
    }

    /// Whether the time for the next PING has come; it is to be sent then.
    pub(super) fn is_ping_due(&mut self, now: Timestamp) -> bool {
        let due = self.ping.next_at.is_some_and(|at| now >= at) && self.ping.sent.is_none();
        if due {
            self.ping.due = true;
            self.ping.next_at = Some(now.after(self.ping_interval()));
        }
        due
    }

    /// PING or PONG waits to be encoded.
    #[inline]
    pub(super) fn ping_pending(&self) -> bool {
        self.ping.due || self.pong.is_some()
    }

    /// The value of the PING that is to be encoded.
    pub(super) fn take_ping(&mut self, now: Timestamp) -> Option<u64> {
        if !core::mem::take(&mut self.ping.due) {
            return None;
        }
        self.ping.value += 1;
        self.ping.sent = Some(now);
        self.ping.last_sent = Some(now);
        Some(self.ping.value)
    }

    /// The value of the PONG that is to be encoded.
    pub(super) fn take_pong(&mut self) -> Option<u64> {
        self.pong.take()
    }

    /// PING of the peer's: the newest is answered. `false` if there are too many.
    pub(super) fn ping_received(&mut self, value: u64, now: Timestamp) -> bool {
        let allowed = self.pings.take(now, PING_INTERVAL, PING_BURST);
        if allowed {
            self.pong = Some(value);
        }
        allowed
    }

    /// PONG of the peer's. One of an earlier PING, or of nobody's, says nothing.
    pub(super) fn pong_received(&mut self, value: u64, now: Timestamp) {
        if value != self.ping.value {
            return;
        }
        if let Some(sent) = self.ping.sent.take() {
            let rtt = Duration::from_nanos(now.0.saturating_sub(sent.0));
            self.ping.last = Some(rtt);
            self.ping.least = Some(self.ping.least.map_or(rtt, |least| least.min(rtt)));
            self.ping.next_at = Some(now.after(self.ping_interval()));
        }
    }

    /// The shortest round trip measured.
    pub(super) fn rtt_min(&self) -> Option<Duration> {
        self.ping.least
    }

    /// The last round trip measured.
    pub(super) fn rtt_last(&self) -> Option<Duration> {
        self.ping.last
    }

    /// GOAWAY of the peer's. `false` if there are too many.
    pub(super) fn goaway_received(&mut self, now: Timestamp) -> bool {
        self.goaways.take(now, PING_INTERVAL, PING_BURST)
    }

    // ---- deadlines

    /// The channels are looked through before long.
    pub(super) fn schedule_sweep(&mut self, now: Timestamp) {
        self.sweep_at.get_or_insert(now.after(SWEEP_INTERVAL));
    }

    /// Whether the channels are to be looked through now.
    pub(super) fn take_sweep(&mut self, now: Timestamp) -> bool {
        self.sweep_at.take_if(|at| now >= *at).is_some()
    }

    /// The channels end by then.
    pub(super) fn set_drain_deadline(&mut self, at: Timestamp) {
        self.drain_at = Some(at);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.drain_at.is_some()
    }

    /// The channels had to end by now.
    pub(super) fn drain_expired(&self, now: Timestamp) -> bool {
        self.drain_at.is_some_and(|at| now >= at)
    }

    /// Nothing but the end of the connection is due.
    pub(super) fn clear_deadlines(&mut self) {
        self.sweep_at = None;
        self.drain_at = None;
    }
}
