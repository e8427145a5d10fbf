//! Deadlines of the connection, of its drain, and of its channels.

use core::time::Duration;

use super::super::channel::Effects;
use super::super::error::{ChannelFailure, DrainEnd, ErrorCode};
use super::super::event::Event;
use super::super::slots::Key;
use super::{BLOCKED_AFTER, Mux, MuxState};
use crate::time::Timestamp;

impl Mux {
    /// When to call [`Self::handle_timeout`] next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if !self.is_alive() {
            return None;
        }
        self.liveness.timeout()
    }

    /// Handles expired deadlines; [`Self::poll_event`] returns the events. An early call does
    /// nothing.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        if !self.is_alive() {
            return;
        }
        if self.liveness.idle_expired(self.now) {
            return self.fail_in_time(ChannelFailure::Idle, "nothing received in time");
        }
        if self.liveness.drain_expired(self.now) && self.state == MuxState::Draining {
            let failure = self.drained(DrainEnd::Incomplete);
            return self.fail_in_time(failure, "the channels did not end in time");
        }
        if self.liveness.is_ping_due(self.now) {
            self.rest();
        }
        if self.liveness.take_sweep(self.now) {
            self.sweep();
        }
    }

    fn fail_in_time(&mut self, failure: ChannelFailure, reason: &'static str) {
        if let Some(event) = self.fail(failure, reason) {
            self.incoming.push_event(event);
        }
    }

    /// Measures a round trip, unless a PING was sent within a second: a peer accepts no more.
    pub fn ping(&mut self) {
        self.liveness.request_ping(self.now);
    }

    /// The shortest measured round trip: the one with the least queueing.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.liveness.rtt_min()
    }

    /// Checks the deadlines of all channels.
    fn sweep(&mut self) {
        let mut again = false;
        let mut at = 0;
        while let Some((key, next)) = self.slots.next_from(at) {
            at = next;
            again |= self.sweep_channel(key);
        }
        if again {
            self.liveness.schedule_sweep(self.now);
        }
    }

    /// Checks the deadlines of a channel's queue and of its partial message. `true` if the channel
    /// needs another sweep.
    fn sweep_channel(&mut self, key: Key) -> bool {
        self.drop_expired(key);
        let (mut again, mut effects) = self.slots[key].sweep_blocked(BLOCKED_AFTER, self.now);
        if effects.has(Effects::CONTROL) {
            self.totals.count_blocked();
        }
        let until = self.slots[key]
            .recv
            .partial_until(self.config.partial_timeout);
        if let Some(until) = until {
            if self.now >= until {
                effects |= self.evict(key, ErrorCode::TIMEOUT);
            } else {
                again = true;
            }
        }
        self.apply(key, effects);
        again
    }

    /// Stops receiving on a channel, and tells the application to drop the partial message.
    fn evict(&mut self, key: Key, code: ErrorCode) -> Effects {
        let channel = &mut self.slots[key];
        self.totals.count_evicted();
        if channel.attached {
            self.incoming.push_event(Event::Evicted {
                channel: channel.id,
                code,
            });
        }
        channel.stop(code)
    }
}
