//! Deadlines: silence, drains, and what takes too long on channels.

use core::time::Duration;

use super::super::channel::Effects;
use super::super::error::{ChannelFailure, DrainEnd, ErrorCode};
use super::super::event::Event;
use super::super::slots::Key;
use super::{BLOCKED_AFTER, Mux, Phase};
use crate::time::Timestamp;

impl Mux {
    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if !self.is_alive() {
            return None;
        }
        self.liveness.timeout()
    }

    /// Does what is due; what came of it is told by [`Self::poll_event`]. Calling early is
    /// harmless.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        if !self.is_alive() {
            return;
        }
        if self.liveness.is_idle(self.now) {
            return self.fail_in_time(ChannelFailure::Idle, "nothing received in time");
        }
        if self.liveness.is_drained(self.now) && self.phase == Phase::Draining {
            let failure = self.drained(DrainEnd::TimeOver);
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
            self.incoming.tell(event);
        }
    }

    /// Measures a round trip, unless one was measured within a second: a peer takes no more.
    pub fn ping(&mut self) {
        self.liveness.ask(self.now);
    }

    /// The shortest round trip measured, which waited behind nothing.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.liveness.rtt_min()
    }

    /// Looks through the channels for what takes too long.
    fn sweep(&mut self) {
        let mut again = false;
        let mut at = 0;
        while let Some((key, next)) = self.slots.next_from(at) {
            at = next;
            again |= self.sweep_channel(key);
        }
        if again {
            self.liveness.sweep_soon(self.now);
        }
    }

    /// Looks at what a channel has queued, and at what has come of a message. `true` if it is to
    /// be looked at again.
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

    /// No more is taken of a channel, and the application is told to drop what it keeps.
    fn evict(&mut self, key: Key, code: ErrorCode) -> Effects {
        let channel = &mut self.slots[key];
        self.totals.count_evicted();
        if channel.attached {
            self.incoming.tell(Event::Evicted {
                channel: channel.id,
                code,
            });
        }
        channel.stop(code)
    }
}
