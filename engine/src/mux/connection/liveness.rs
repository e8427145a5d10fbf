//! Round trips, idle timeout, and deadlines.

use core::time::Duration;

use super::super::wire::Hello;
use super::bucket::Bucket;
use crate::time::Timestamp;

/// Rate limit of the peer's PINGs, and of its GOAWAYs: one a second, a burst of ten.
const PING_INTERVAL: Duration = Duration::from_secs(1);
const PING_BURST: u32 = 10;
/// Interval of the sweep over all channels, while any has a deadline.
const SWEEP_INTERVAL: Duration = Duration::from_millis(250);

/// The state of round-trip measurement.
#[derive(Clone, Copy, Default, Debug)]
struct Ping {
    /// The value of the last PING; each PING has another.
    value: u64,
    /// A PING is pending.
    due: bool,
    /// When the unanswered PING was encoded.
    sent: Option<Timestamp>,
    /// When the last PING was encoded.
    last_sent: Option<Timestamp>,
    /// When the next PING is due; set from the peer's HELLO on.
    next_at: Option<Timestamp>,
    last: Option<Duration>,
    min: Option<Duration>,
}

/// Round trips and deadlines. Nothing else writes these fields.
pub(super) struct Liveness {
    /// Time without a received record after which the connection fails: the smaller value of both
    /// ends.
    idle_timeout: Duration,
    last_received: Timestamp,
    ping: Ping,
    /// The value of the peer's PING to answer.
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

    /// Applies the peer's HELLO.
    pub(super) fn start(&mut self, peer: &Hello, now: Timestamp) {
        let peers = Duration::from_millis(peer.idle_timeout_ms);
        self.idle_timeout = self.idle_timeout.min(peers);
        self.ping.due = true;
        self.ping.next_at = Some(now.after(self.ping_interval()));
    }

    /// Interval between PINGs; a peer accepts at most one a second for long.
    fn ping_interval(&self) -> Duration {
        (self.idle_timeout / 3).max(PING_INTERVAL)
    }

    pub(super) fn received(&mut self, now: Timestamp) {
        self.last_received = now;
    }

    /// Whether the idle timeout has passed.
    pub(super) fn idle_expired(&self, now: Timestamp) -> bool {
        now >= self.last_received.after(self.idle_timeout)
    }

    /// The earliest deadline.
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

    /// Requests a PING, unless one was sent within a second: a peer accepts no more.
    pub(super) fn request_ping(&mut self, now: Timestamp) {
        let last = self.ping.last_sent;
        let early = last.is_some_and(|at| now < at.after(PING_INTERVAL));
        if self.ping.sent.is_none() && !early {
            self.ping.due = true;
        }
    }

    /// Whether the next PING is due; it becomes pending then.
    pub(super) fn is_ping_due(&mut self, now: Timestamp) -> bool {
        let due = self.ping.next_at.is_some_and(|at| now >= at) && self.ping.sent.is_none();
        if due {
            self.ping.due = true;
            self.ping.next_at = Some(now.after(self.ping_interval()));
        }
        due
    }

    /// Whether a PING or PONG is pending.
    #[inline]
    pub(super) fn ping_pending(&self) -> bool {
        self.ping.due || self.pong.is_some()
    }

    /// Takes the value of the pending PING.
    pub(super) fn take_ping(&mut self, now: Timestamp) -> Option<u64> {
        if !core::mem::take(&mut self.ping.due) {
            return None;
        }
        self.ping.value += 1;
        self.ping.sent = Some(now);
        self.ping.last_sent = Some(now);
        Some(self.ping.value)
    }

    /// Takes the value of the pending PONG.
    pub(super) fn take_pong(&mut self) -> Option<u64> {
        self.pong.take()
    }

    /// PING received: only the newest is answered. `false` if the peer exceeds the rate limit.
    pub(super) fn ping_received(&mut self, value: u64, now: Timestamp) -> bool {
        let allowed = self.pings.take(now, PING_INTERVAL, PING_BURST);
        if allowed {
            self.pong = Some(value);
        }
        allowed
    }

    /// PONG received. Other values than that of the last PING are ignored.
    pub(super) fn pong_received(&mut self, value: u64, now: Timestamp) {
        if value != self.ping.value {
            return;
        }
        if let Some(sent) = self.ping.sent.take() {
            let rtt = Duration::from_nanos(now.0.saturating_sub(sent.0));
            self.ping.last = Some(rtt);
            self.ping.min = Some(self.ping.min.map_or(rtt, |min| min.min(rtt)));
            self.ping.next_at = Some(now.after(self.ping_interval()));
        }
    }

    /// The shortest measured round trip.
    pub(super) fn rtt_min(&self) -> Option<Duration> {
        self.ping.min
    }

    /// The last measured round trip.
    pub(super) fn rtt_last(&self) -> Option<Duration> {
        self.ping.last
    }

    /// GOAWAY received. `false` if the peer exceeds the rate limit.
    pub(super) fn goaway_received(&mut self, now: Timestamp) -> bool {
        self.goaways.take(now, PING_INTERVAL, PING_BURST)
    }

    // ---- deadlines

    /// Schedules a sweep over all channels.
    pub(super) fn schedule_sweep(&mut self, now: Timestamp) {
        self.sweep_at.get_or_insert(now.after(SWEEP_INTERVAL));
    }

    /// Whether a sweep is due; clears it.
    pub(super) fn take_sweep(&mut self, now: Timestamp) -> bool {
        self.sweep_at.take_if(|at| now >= *at).is_some()
    }

    /// Sets the deadline of the drain.
    pub(super) fn set_drain_deadline(&mut self, at: Timestamp) {
        self.drain_at = Some(at);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.drain_at.is_some()
    }

    /// Whether the drain's deadline has passed.
    pub(super) fn drain_expired(&self, now: Timestamp) -> bool {
        self.drain_at.is_some_and(|at| now >= at)
    }

    /// Clears the deadlines of channels and of the drain.
    pub(super) fn clear_deadlines(&mut self) {
        self.sweep_at = None;
        self.drain_at = None;
    }
}
