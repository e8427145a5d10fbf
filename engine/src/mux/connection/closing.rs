//! Ends halves, channels and the connection.

use super::super::channel::{ChannelId, SendState, Stage};
use super::super::error::{
    ChannelFailure, ChannelSendError, ChannelViolation, DrainEnd, ErrorCode,
};
use super::super::event::Event;
use super::super::slots::Key;
use super::super::wire;
use super::outgoing::PendingGoAway;
use super::{Drain, Effects, Mux, MuxState};
use crate::error::{CloseCode, End};

impl Mux {
    /// The transport has ended; `end` says how, if that is known. Returns the end of the connection,
    /// unless it was reported before: [`ChannelFailure::Drained`] if the Close of a drain ended the
    /// transport, otherwise [`ChannelFailure::Lost`].
    pub fn handle_lost(&mut self, end: Option<End>) -> Option<Event<'static>> {
        let reported = self.failure().is_some();
        let failure = self.failure().unwrap_or_else(|| self.lost_by(end));
        if !matches!(self.state, MuxState::Closed(_)) {
            self.finish(failure);
            self.outgoing.clear_record();
        }
        (!reported).then_some(Event::Failed(failure))
    }

    /// The end of channels whose transport has ended.
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
            Some(End::Closed {
                code: Some(code), ..
            }) if self.is_close_of_drain(code) => drain.ended(if self.opens.is_idle() {
                DrainEnd::Complete
            } else {
                DrainEnd::Incomplete
            }),
            // An application code that the peer sent before matters more than the loss.
            _ if drain.by_peer && drain.code >= ErrorCode::APPLICATION => {
                drain.ended(DrainEnd::Lost)
            }
            _ => lost,
        }
    }

    /// Whether the Close of a drain has this code, a drain of this end or of the peer.
    fn is_close_of_drain(&self, code: CloseCode) -> bool {
        let own = self.drain.map(|drain| drain.code);
        let codes = [own, self.peer_drain].into_iter().flatten();
        codes.map(|c| CloseCode(c.close_code())).any(|c| c == code)
    }

    /// Ends the connection at once, with GOAWAY and the code. [`ErrorCode::NO_ERROR`] and codes of the
    /// application from [`ErrorCode::APPLICATION`] on are a drain for the peer, which reports
    /// [`ChannelFailure::Drained`]: the wire does not tell an abort with these codes from a drain
    /// (rule R59).
    pub fn abort(&mut self, code: ErrorCode) -> Option<Event<'static>> {
        self.fail(ChannelFailure::Local(code), "")
    }

    /// Ends the connection at once because the program ends: GOAWAY without an error. The caller then
    /// closes the layer below with 1001.
    pub fn go_away(&mut self) -> Option<Event<'static>> {
        // A drain that the peer started is replaced.
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

    /// Returns the end, or defers it until the pending events are taken.
    fn last<'r>(&mut self, event: Option<Event<'r>>) -> Option<Event<'r>> {
        match event {
            Some(Event::Failed(failure)) if self.incoming.has_events() => {
                self.incoming.set_end(failure);
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
        self.outgoing.queue_goaway(PendingGoAway {
            code: failure.code(),
            reason,
        });
        self.state = MuxState::Failing(failure);
        self.outgoing.close();
        self.opens.close_all();
        Some(Event::Failed(failure))
    }

    /// Ends all sending and receiving, except for a record that is already built, and frees the
    /// queues.
    pub(super) fn finish(&mut self, failure: ChannelFailure) {
        self.state = MuxState::Closed(failure);
        self.opens.close_all();
        self.outgoing.clear();
        self.liveness.clear_deadlines();
        let mut at = 0;
        while let Some((key, next)) = self.slots.next_from(at) {
            at = next;
            let channel = &mut self.slots[key];
            channel.send.queue = None;
            channel.recv.partial = None;
            // The schedule was cleared.
            channel.send.in_schedule = false;
        }
    }

    /// Ends a draining connection that has no channels left, once its last record is taken.
    pub(super) fn finish_drain(&mut self) {
        if self.state == MuxState::Draining && self.opens.is_idle() {
            let failure = self.drained(DrainEnd::Complete);
            self.state = MuxState::Failing(failure);
            self.incoming.set_end(failure);
            self.opens.close_all();
        }
    }

    /// The end of the drain.
    pub(super) fn drained(&self, end: DrainEnd) -> ChannelFailure {
        let begun = self.drain.unwrap_or(Drain {
            by_peer: false,
            code: ErrorCode::NO_ERROR,
        });
        begun.ended(end)
    }

    /// Ends the sending half: FIN follows the queued messages. A second call does nothing.
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

    /// Aborts the sending half: drops queued messages and sends RESET with `code`.
    pub fn reset(&mut self, id: ChannelId, code: ErrorCode) {
        if let Some(key) = self.slots.resolve(id) {
            let effects = self.slots[key].abort(code);
            self.apply(key, effects | Effects::CHECK_CLOSED);
        }
    }

    /// Stops the receiving half: asks the peer to stop sending, with `code`. Received messages stay
    /// charged until they are released.
    pub fn stop(&mut self, id: ChannelId, code: ErrorCode) {
        if let Some(key) = self.slots.resolve(id) {
            let effects = self.slots[key].stop(code);
            self.apply(key, effects | Effects::CHECK_CLOSED);
        }
    }

    /// Closes the channel for the application: releases all its received messages, stops or resets
    /// each half that has not ended, with `code`, and makes the id invalid. A half that was
    /// finished still sends its queue and FIN.
    pub fn close_channel(&mut self, id: ChannelId, code: ErrorCode) {
        let Some(key) = self.slots.resolve(id) else {
            return;
        };
        let channel = &mut self.slots[key];
        if !channel.attached {
            return;
        }
        let mut finishing = channel.send.state == SendState::Finishing;
        let mut effects = Effects::NONE;
        match channel.stage {
            Stage::OpenPending(_) if !finishing => return self.forget_unopened(key),
            Stage::OpenReceived => {
                finishing = false;
                effects = channel.reject(ErrorCode::REFUSED, &[]);
            }
            Stage::RejectPending(..) => finishing = false,
            _ => {}
        }
        effects |= channel.stop(code);
        if !finishing {
            effects |= channel.abort(code);
        }
        self.apply(key, effects);
        let effects = self.slots[key].detach();
        self.apply(key, effects);
        let channel = &self.slots[key];
        let ended = channel.is_closed() && channel.is_answered();
        if ended || !self.is_alive() {
            self.retire(key);
        }
    }

    /// Removes a channel whose OPEN was not encoded yet.
    fn forget_unopened(&mut self, key: Key) {
        self.opens.leave_waiting(key);
        self.outgoing.unqueue_control(key);
        let channel = &mut self.slots[key];
        let dropped = channel.send.queued();
        if let Some(alias) = channel.local_alias.take().or(channel.chosen_alias()) {
            self.opens.free_alias(alias);
        }
        self.dequeued(key, dropped);
        self.retire(key);
        // If the channel was next to be opened, another one is now.
        self.admit_waiting();
        self.finish_drain();
    }

    /// Restarts the numbering of this end's messages, and announces it with SEQ: for a publisher
    /// that continues after a gap, or in another epoch. Only while nothing is queued.
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
        // The largest number is not valid for a message.
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

    /// Acknowledges all messages below `seq`: the sender need not keep them for a resumption. Works
    /// after the peer's half has ended, while this end's half is open. Once both halves have ended
    /// (for a channel in one direction: its only half), nothing is sent.
    pub fn acknowledge(&mut self, id: ChannelId, seq: u64) {
        if let Some(key) = self.slots.resolve(id)
            && self.slots[key].attached
            && seq <= wire::VARINT_MAX
        {
            let effects = self.slots[key].acknowledge(seq);
            self.apply(key, effects);
        }
    }

    /// Starts a graceful end: sends GOAWAY, opens no new channels and lets the open ones end within
    /// `close_timeout`; then the connection ends. Queued messages are sent.
    pub fn drain(&mut self, code: ErrorCode, reason: &'static str) {
        // After the peer's GOAWAY, the local GOAWAY sets the deadline.
        if !self.is_alive() || self.liveness.is_draining() {
            return;
        }
        let reason = reason.get(..123).unwrap_or(reason);
        self.outgoing.queue_goaway(PendingGoAway { code, reason });
        self.state = MuxState::Draining;
        self.drain.get_or_insert(Drain {
            by_peer: false,
            code,
        });
        let by = self.now.after(self.config.close_timeout);
        self.liveness.set_drain_deadline(by);
        self.refuse_waiting(code);
        self.finish_drain();
    }

    /// Handles GOAWAY.
    pub(super) fn handle_goaway<'r>(&mut self, goaway: &wire::GoAway<'r>) -> Option<Event<'r>> {
        let code = ErrorCode(goaway.code);
        let graceful = code == ErrorCode::NO_ERROR || code >= ErrorCode::APPLICATION;
        if !graceful {
            let failure = ChannelFailure::Peer(code);
            self.finish(failure);
            self.outgoing.clear_record();
            return self.last(Some(Event::Failed(failure)));
        }
        // OPENs above `opens_seen` were not processed. A repeated GOAWAY can only lower the number.
        if self.opens.limit_seen(goaway.opens_seen) {
            let unseen =
                |stage: &Stage| matches!(stage, Stage::OpenSent(n) if *n > goaway.opens_seen);
            self.refuse_local_where(unseen, ErrorCode::REFUSED);
        }
        self.refuse_waiting(ErrorCode::REFUSED);
        self.peer_drain = Some(code);
        if self.state == MuxState::Open {
            self.state = MuxState::Draining;
            self.drain = Some(Drain {
                by_peer: true,
                code,
            });
        }
        self.finish_drain();
        Some(Event::Draining {
            code,
            reason: goaway.reason,
        })
    }

    /// Refuses all channels whose OPEN is not encoded yet.
    fn refuse_waiting(&mut self, code: ErrorCode) {
        self.refuse_local_where(|stage| matches!(stage, Stage::OpenPending(_)), code);
        self.opens.clear_waiting();
    }

    fn refuse_local_where(&mut self, matches_stage: impl Fn(&Stage) -> bool, code: ErrorCode) {
        let mut at = 0;
        while let Some((key, next)) = self.slots.next_from(at) {
            at = next;
            if matches_stage(&self.slots[key].stage) {
                self.refuse_local(key, code);
            }
        }
    }

    /// Refuses a channel of this end that the peer did not process, and reports it.
    pub(super) fn refuse_local(&mut self, key: Key, code: ErrorCode) {
        let channel = &self.slots[key];
        if channel.attached {
            self.incoming.push_event(Event::Rejected {
                channel: channel.id,
                code,
                unprocessed: true,
                metadata: &[],
            });
        }
        self.reject_local(key, code);
    }

    /// Ends both halves of a channel of this end that was rejected.
    pub(super) fn reject_local(&mut self, key: Key, code: ErrorCode) {
        let channel = &mut self.slots[key];
        let asked = matches!(channel.stage, Stage::OpenSent(_));
        if !asked && let Some(alias) = channel.local_alias.take().or(channel.chosen_alias()) {
            self.opens.free_alias(alias);
        }
        let effects = channel.rejected(code);
        self.apply(key, effects);
    }
}
