//! How halves, channels and the connection end.

use super::super::channel::{ChannelId, SendState, Stage};
use super::super::error::{
    ChannelFailure, ChannelSendError, ChannelViolation, DrainEnd, ErrorCode,
};
use super::super::event::Event;
use super::super::slots::Key;
use super::super::wire;
use super::outgoing::Goodbye;
use super::{Drain, Effects, Mux, Phase};
use crate::error::{CloseCode, End};

impl Mux {
    /// The layer below has ended, in this way if that is known. `Some` once, if the channels do not
    /// know of their end yet: what a drain came to where its Close ended the layer below,
    /// [`ChannelFailure::Lost`] where nothing says why.
    pub fn handle_lost(&mut self, end: Option<End>) -> Option<Event<'static>> {
        let told = self.failure().is_some();
        let failure = self.failure().unwrap_or_else(|| self.lost_by(end));
        if !matches!(self.phase, Phase::Over(_)) {
            self.finish(failure);
            self.outgoing.clear_record();
        }
        (!told).then_some(Event::Failed(failure))
    }

    /// How channels end whose layer below ends under them.
    fn lost_by(&self, end: Option<End>) -> ChannelFailure {
        let lost = ChannelFailure::Lost(end);
        let Some(drain) = self.drain else {
            return lost;
        };
        match end {
            Some(End::Closed {
                code: Some(CloseCode::GOING_AWAY),
                ..
            }) => drain.ended(DrainEnd::GoingAway),
            Some(End::Closed { code, .. }) if code == Some(CloseCode(drain.code.close_code())) => {
                drain.ended(if self.opens.is_idle() {
                    DrainEnd::Complete
                } else {
                    DrainEnd::TimeOver
                })
            }
            // A code of its own that the peer gave before says more than that it is gone.
            _ if drain.by_peer && drain.code >= ErrorCode::APPLICATION => {
                drain.ended(DrainEnd::Lost)
            }
            _ => lost,
        }
    }

    /// Ends the connection at once: GOAWAY with the code, then nothing.
    pub fn abort(&mut self, code: ErrorCode) -> Option<Event<'static>> {
        self.fail(ChannelFailure::Local(code), "")
    }

    /// The program goes away: GOAWAY without an error, then nothing. The layer below is to be
    /// closed with 1001.
    pub fn go_away(&mut self) -> Option<Event<'static>> {
        // What goes away is this end, also where the peer has begun to drain before.
        let own = self.drain.filter(|drain| !drain.by_peer);
        let drain = own.unwrap_or(Drain {
            by_peer: false,
            code: ErrorCode::NO_ERROR,
        });
        self.fail(drain.ended(DrainEnd::GoingAway), "the program goes away")
    }

    pub(super) fn violated<'r>(&mut self, violation: ChannelViolation) -> Option<Event<'r>> {
        let event = self.fail(ChannelFailure::Violation(violation), violation.rule());
        self.last(event)
    }

    /// The end is told after what already waits to be told.
    fn last<'r>(&mut self, event: Option<Event<'r>>) -> Option<Event<'r>> {
        match event {
            Some(Event::Failed(failure)) if self.incoming.has_events() => {
                self.incoming.tell_end(failure);
                None
            }
            event => event,
        }
    }

    pub(super) fn fail<'r>(
        &mut self,
        failure: ChannelFailure,
        reason: &'static str,
    ) -> Option<Event<'r>> {
        if !self.is_alive() {
            return None;
        }
        self.outgoing.say_goodbye(Goodbye {
            code: failure.code(),
            reason,
        });
        self.phase = Phase::Failing(failure);
        self.outgoing.close();
        self.opens.close_all();
        Some(Event::Failed(failure))
    }

    /// Nothing more is sent or taken, but for a record that is made already; what the queues hold
    /// is of no use any more.
    pub(super) fn finish(&mut self, failure: ChannelFailure) {
        self.phase = Phase::Over(failure);
        self.opens.close_all();
        self.outgoing.clear();
        self.liveness.stop();
        let mut at = 0;
        while let Some((key, next)) = self.slots.next_from(at) {
            at = next;
            let channel = &mut self.slots[key];
            channel.send.queue = None;
            channel.recv.partial = None;
            // What was cleared does not know of it any more.
            channel.send.in_schedule = false;
        }
    }

    /// A drained connection without channels is over when its last record is out.
    pub(super) fn end_drain(&mut self) {
        if self.phase == Phase::Draining && self.opens.is_idle() {
            let failure = self.drained(DrainEnd::Complete);
            self.phase = Phase::Failing(failure);
            self.incoming.tell_end(failure);
            self.opens.close_all();
        }
    }

    /// What the drain came to.
    pub(super) fn drained(&self, end: DrainEnd) -> ChannelFailure {
        let begun = self.drain.unwrap_or(Drain {
            by_peer: false,
            code: ErrorCode::NO_ERROR,
        });
        begun.ended(end)
    }

    /// Ends our half: FIN follows what is queued. A second call does nothing.
    ///
    /// # Errors
    /// [`ChannelSendError::UnknownChannel`], [`ChannelSendError::Closed`].
    pub fn finish_sending(&mut self, id: ChannelId) -> Result<(), ChannelSendError> {
        if let Some(failure) = self.failure() {
            return Err(ChannelSendError::Closed(failure));
        }
        let key = self
            .slots
            .resolve(id)
            .ok_or(ChannelSendError::UnknownChannel)?;
        let effects = self.slots[key].finish();
        self.apply(key, effects);
        Ok(())
    }

    /// Gives up our half: what is queued is dropped, and the peer is told with `code`.
    pub fn reset(&mut self, id: ChannelId, code: ErrorCode) {
        if let Some(key) = self.slots.resolve(id) {
            let effects = self.slots[key].abort(code);
            self.apply(key, effects | Effects::SETTLE);
        }
    }

    /// Takes no more from the peer on this channel, and tells it so with `code`. What was
    /// received stays with the application until it is released.
    pub fn stop(&mut self, id: ChannelId, code: ErrorCode) {
        if let Some(key) = self.slots.resolve(id) {
            let effects = self.slots[key].stop(code);
            self.apply(key, effects | Effects::SETTLE);
        }
    }

    /// The application lets go of the channel: what it holds of it is consumed, a half that is
    /// not over is stopped or reset with `code`, and the id is of no use any more. A half that
    /// was finished goes on until all of it is sent.
    pub fn let_go(&mut self, id: ChannelId, code: ErrorCode) {
        let Some(key) = self.slots.resolve(id) else {
            return;
        };
        let channel = &mut self.slots[key];
        if !channel.attached {
            return;
        }
        let mut goes_on = channel.send.state == SendState::Finishing;
        let mut effects = Effects::NONE;
        match channel.stage {
            Stage::Opening(_) if !goes_on => return self.forget_unopened(key),
            Stage::Offered => {
                goes_on = false;
                effects = channel.reject(ErrorCode::REFUSED, &[]);
            }
            Stage::Rejecting(..) => goes_on = false,
            _ => {}
        }
        effects |= channel.stop(code);
        if !goes_on {
            effects |= channel.abort(code);
        }
        self.apply(key, effects);
        let effects = self.slots[key].detach();
        self.apply(key, effects);
        let channel = &self.slots[key];
        let over = channel.is_closed() && channel.is_answered();
        if over || !self.is_alive() {
            self.retire(key);
        }
    }

    /// Ends a half that was never announced.
    fn forget_unopened(&mut self, key: Key) {
        self.opens.leave_waiting(key);
        self.outgoing.leave_control(key);
        let channel = &mut self.slots[key];
        let dropped = channel.send.queued();
        if let Some(alias) = channel.own_alias.take().or(channel.chosen_alias()) {
            self.opens.give_back(alias);
        }
        self.dequeued(key, dropped);
        self.retire(key);
        // Its turn to be opened, if it had come, is the next one's.
        self.admit_waiting();
        self.end_drain();
    }

    /// Our messages count anew from here: tells the peer. For a publisher that goes on after a
    /// gap, or in another epoch. Only while nothing is queued.
    ///
    /// # Errors
    /// [`ChannelSendError::WouldBlock`] while messages are queued; [`ChannelSendError::TooLarge`] for an epoch
    /// above 2^62 - 1, or a number that is not below it; as [`Self::send`] else.
    pub fn rebase(
        &mut self,
        id: ChannelId,
        epoch: u64,
        next_seq: u64,
    ) -> Result<(), ChannelSendError> {
        // A peer takes no message whose number is the largest.
        if epoch > wire::VARINT_MAX || next_seq >= wire::VARINT_MAX {
            return Err(ChannelSendError::TooLarge {
                len: usize::MAX,
                max: usize::MAX >> 2,
            });
        }
        let key = self.admit(id, 0)?;
        let channel = &mut self.slots[key];
        if !channel.send.is_idle() {
            return Err(ChannelSendError::WouldBlock);
        }
        let effects = channel.rebase(epoch, next_seq);
        self.apply(key, effects);
        Ok(())
    }

    /// Tells the sender that everything below `seq` is safe here: it need not keep it for a
    /// resumption. Also of a half that has ended, while ours goes on; where both are over, as is a
    /// channel in one direction when that one ends, nothing more is told.
    pub fn acknowledge(&mut self, id: ChannelId, seq: u64) {
        if let Some(key) = self.slots.resolve(id)
            && self.slots[key].attached
            && seq <= wire::VARINT_MAX
        {
            let effects = self.slots[key].acknowledge(seq);
            self.apply(key, effects);
        }
    }

    /// Takes no new channels and lets the open ones end, within `close_timeout`; then the
    /// connection ends. Messages that are queued go out.
    pub fn drain(&mut self, code: ErrorCode, reason: &'static str) {
        // After the peer's GOAWAY it is ours that sets the deadline.
        if !self.is_alive() || self.liveness.is_draining() {
            return;
        }
        let reason = reason.get(..123).unwrap_or(reason);
        self.outgoing.say_goodbye(Goodbye { code, reason });
        self.phase = Phase::Draining;
        self.drain.get_or_insert(Drain {
            by_peer: false,
            code,
        });
        let by = self.now.after(self.config.close_timeout);
        self.liveness.drain_by(by);
        self.refuse_waiting(code);
        self.end_drain();
    }

    /// GOAWAY of the peer's.
    pub(super) fn handle_goaway<'r>(&mut self, goaway: &wire::GoAway<'r>) -> Option<Event<'r>> {
        let code = ErrorCode(goaway.code);
        let graceful = code == ErrorCode::NO_ERROR || code >= ErrorCode::APPLICATION;
        if !graceful {
            let failure = ChannelFailure::Peer(code);
            self.finish(failure);
            self.outgoing.clear_record();
            return self.last(Some(Event::Failed(failure)));
        }
        // What the peer has not seen, it will not: looked for where it has seen less than it said.
        if self.opens.limit_seen(goaway.opens_seen) {
            let unseen = |stage: &Stage| matches!(stage, Stage::Asked(n) if *n > goaway.opens_seen);
            self.refuse_own_where(unseen, ErrorCode::REFUSED);
        }
        self.refuse_waiting(ErrorCode::REFUSED);
        if self.phase == Phase::Open {
            self.phase = Phase::Draining;
            self.drain = Some(Drain {
                by_peer: true,
                code,
            });
        }
        self.end_drain();
        Some(Event::Draining {
            code,
            reason: goaway.reason,
        })
    }

    /// Channels of ours that were never announced will not be.
    fn refuse_waiting(&mut self, code: ErrorCode) {
        self.refuse_own_where(|stage| matches!(stage, Stage::Opening(_)), code);
        self.opens.clear_waiting();
    }

    fn refuse_own_where(&mut self, is_meant: impl Fn(&Stage) -> bool, code: ErrorCode) {
        let mut at = 0;
        while let Some((key, next)) = self.slots.next_from(at) {
            at = next;
            if is_meant(&self.slots[key].stage) {
                self.refuse_own(key, code);
            }
        }
    }

    /// A channel of ours comes to nothing without having been looked at by the peer: the
    /// application is told so.
    pub(super) fn refuse_own(&mut self, key: Key, code: ErrorCode) {
        let channel = &self.slots[key];
        if channel.attached {
            self.incoming.tell(Event::Rejected {
                channel: channel.id,
                code,
                unprocessed: true,
                metadata: &[],
            });
        }
        self.reject_own(key);
    }

    /// Our channel is not wanted: both halves are over.
    pub(super) fn reject_own(&mut self, key: Key) {
        let channel = &mut self.slots[key];
        let asked = matches!(channel.stage, Stage::Asked(_));
        if !asked && let Some(alias) = channel.own_alias.take().or(channel.chosen_alias()) {
            self.opens.give_back(alias);
        }
        let effects = channel.rejected();
        self.apply(key, effects);
    }
}
