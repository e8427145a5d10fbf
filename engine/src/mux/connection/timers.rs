//! Time: round trips, silence, and what takes too long.

use core::time::Duration;

use super::super::channel::{Pending, RecvState, SendState};
use super::super::error::{Code, Failure};
use super::super::event::Event;
use super::{BLOCKED_AFTER, Connection, Phase};
use crate::time::Timestamp;

impl Connection {
    /// The smaller of both ends' limits of silence.
    pub(super) fn idle_timeout(&self) -> Duration {
        let own = self.settings.idle_timeout;
        match &self.peer {
            Some(peer) => own.min(Duration::from_millis(peer.idle_timeout_ms)),
            None => own,
        }
    }

    /// How often a PING goes out; no peer takes more than one a second for long.
    pub(super) fn ping_interval(&self) -> Duration {
        (self.idle_timeout() / 3).max(super::PING_INTERVAL)
    }

    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if !self.is_alive() {
            return None;
        }
        let idle = self.last_received.after(self.idle_timeout());
        let ping = (self.peer.is_some() && self.ping.sent.is_none() && !self.ping.due)
            .then_some(self.ping.next_at);
        [Some(idle), ping, self.sweep_at, self.drain_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due; what came of it is told by [`Self::poll_event`]. Calling early is
    /// harmless.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        if !self.is_alive() {
            return;
        }
        let now = self.now;
        if now >= self.last_received.after(self.idle_timeout()) {
            let event = self.fail(Failure::Idle, "nothing received in time");
            self.events.extend(event);
            return;
        }
        if self.drain_at.is_some_and(|at| now >= at) && self.phase == Phase::Draining {
            let failure = self.ended_by().unwrap_or(Failure::Local(Code::NO_ERROR));
            let event = self.fail(failure, "the channels did not end in time");
            self.events.extend(event);
            return;
        }
        let ping_due = now >= self.ping.next_at && self.ping.sent.is_none();
        if self.peer.is_some() && ping_due {
            self.rest();
            self.ping.due = true;
            self.ping.next_at = now.after(self.ping_interval());
        }
        if self.sweep_at.is_some_and(|at| now >= at) {
            self.sweep();
        }
    }

    pub(super) fn handle_pong(&mut self, value: u64) {
        if value != self.ping.value {
            return; // of an earlier PING, or of nobody's
        }
        if let Some(sent) = self.ping.sent.take() {
            let rtt = Duration::from_nanos(self.now.0.saturating_sub(sent.0));
            self.ping.last = Some(rtt);
            self.ping.least = Some(self.ping.least.map_or(rtt, |least| least.min(rtt)));
            self.ping.next_at = self.now.after(self.ping_interval());
        }
    }

    /// The shortest round trip measured, which waited behind nothing.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.ping.least
    }

    /// Looks through the channels for what takes too long.
    fn sweep(&mut self) {
        let now = self.now;
        self.sweep_at = None;
        let mut again = false;
        self.starved_are_gone();
        if let Some(since) = self.blocked_since {
            again = true;
            if now >= since.after(BLOCKED_AFTER) {
                self.ask_for_credit();
            }
        }
        // Twice the time in which a receiver stops who holds that of others (rule R19).
        let saved_max = self.settings.stall_timeout.saturating_mul(2);
        let saved = self.saved_since.map(|since| since.after(saved_max));
        if saved.is_some_and(|until| now >= until) {
            self.stop_saving();
        }
        let partial_timeout = self.settings.partial_timeout;
        for index in 0..self.slots.end() {
            again |= self.sweep_queue(index);
            let Some(channel) = self.slots.at_mut(index) else {
                continue;
            };
            let late = channel
                .recv
                .partial
                .as_ref()
                .is_some_and(|p| now >= p.since.after(partial_timeout));
            again |= channel.recv.partial.is_some() && !late;
            if late {
                self.evict(index, Code::TIMEOUT);
            }
            self.mark(index);
        }
        self.forget_message_costs();
        if !self.is_low() {
            self.low_since = None; // a window that was widened may be what ended it
        }
        if let Some(since) = self.low_since {
            again = true;
            if now >= since.after(self.settings.stall_timeout) {
                self.low_since = None;
                self.evict_largest();
                if self.is_low() {
                    self.low_since = Some(now);
                }
            }
        }
        if again {
            self.sweep_soon();
        }
    }

    /// Looks at what a channel has queued: at what has waited there for too long, and at whether
    /// the peer is to be told that it waits. `true` if it is to be looked at again.
    fn sweep_queue(&mut self, index: u32) -> bool {
        let now = self.now;
        self.drop_dead(index);
        let Some(channel) = self.slots.at_mut(index) else {
            return false;
        };
        let send = &mut channel.send;
        if send.is_idle() {
            send.blocked_since = None;
            send.blocked_told = false;
        }
        let mut again = channel.ttl.is_some() && !send.is_idle();
        if let Some(since) = send.blocked_since
            && matches!(send.state, SendState::Sending | SendState::Finishing)
        {
            if now < since.after(BLOCKED_AFTER) {
                again = true;
            } else if !send.blocked_told {
                send.blocked_told = true;
                channel.pending.set(Pending::BLOCKED);
                self.totals.blocked += 1;
            }
        }
        again
    }

    /// Stops the channel that holds most of the connection's window (rule R19). One whose peer
    /// has ended is not stopped; but its application is told, once, to drop what it keeps.
    fn evict_largest(&mut self) {
        let largest = self
            .slots
            .iter()
            .filter(|c| !c.recv.evicted && !matches!(c.recv.state, RecvState::Stopping(_)))
            .max_by_key(|c| c.recv.held)
            .filter(|c| c.recv.held > u64::from(self.settings.reserve_bytes))
            .map(|c| c.id.index);
        if let Some(index) = largest {
            self.evict(index, Code::STALLED);
        }
    }

    fn evict(&mut self, index: u32, code: Code) {
        let Some(channel) = self.slots.at_mut(index) else {
            return;
        };
        let (id, attached) = (channel.id, channel.attached);
        channel.recv.evicted = true;
        self.totals.evicted += 1;
        self.stop_half(index, code);
        if attached {
            self.events.push_back(Event::Evicted { channel: id, code });
        }
    }
}
