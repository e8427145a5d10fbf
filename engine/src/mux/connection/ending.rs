//! How halves, channels and the connection end.

use super::super::channel::{Channel, ChannelId, Pending, RecvState, SendState, Stage};
use super::super::error::{Code, Failure, SendError, Violation};
use super::super::event::Event;
use super::super::schedule::Schedule;
use super::super::slots::PeerAlias;
use super::super::wire;
use super::{Connection, Goodbye, Phase};

impl Connection {
    /// The layer below is gone. `Some` once, if the channels do not know of their end yet.
    pub fn handle_lost(&mut self) -> Option<Event<'static>> {
        let told = self.failure().is_some();
        if !matches!(self.phase, Phase::Over(_)) {
            // A code of its own that the peer gave before says more than that it is gone.
            let given = self
                .drained_by
                .filter(|by| matches!(by, Failure::Peer(code) if *code >= Code::APPLICATION));
            let failure = self.failure().or(given).unwrap_or(Failure::Lost);
            self.finish(failure);
        }
        let failure = self.failure().unwrap_or(Failure::Lost);
        (!told).then_some(Event::Failed(failure))
    }

    /// Ends the connection at once: GOAWAY with the code, then nothing.
    pub fn abort(&mut self, code: Code) -> Option<Event<'static>> {
        self.fail(Failure::Local(code), "")
    }

    pub(super) fn violated<'r>(&mut self, violation: Violation) -> Option<Event<'r>> {
        let event = self.fail(Failure::Violation(violation), violation.rule());
        self.last(event)
    }

    /// The end is told after what already waits to be told.
    pub(super) fn last<'r>(&mut self, event: Option<Event<'r>>) -> Option<Event<'r>> {
        match event {
            Some(Event::Failed(failure)) if !self.events.is_empty() => {
                self.ended = Some(failure);
                None
            }
            event => event,
        }
    }

    pub(super) fn fail<'r>(&mut self, failure: Failure, reason: &'static str) -> Option<Event<'r>> {
        if !self.is_alive() {
            return None;
        }
        self.goodbye = Some(Goodbye {
            code: failure.code(),
            reason,
        });
        self.phase = Phase::Failing(failure);
        self.direct = false;
        self.peer_aliases.clear();
        Some(Event::Failed(failure))
    }

    /// Nothing more is sent or taken; what the queues hold is of no use any more.
    pub(super) fn finish(&mut self, failure: Failure) {
        self.phase = Phase::Over(failure);
        self.direct = false;
        self.peer_aliases.clear();
        self.goodbye = None;
        self.record.clear();
        self.last_data = None;
        self.schedule = Schedule::default();
        self.control.clear();
        self.starved.clear();
        for index in 0..self.slots.end() {
            if let Some(channel) = self.slots.at_mut(index) {
                channel.send.queue = None;
                channel.recv.partial = None;
            }
        }
        self.queued = 0;
        self.sweep_at = None;
        self.drain_at = None;
    }

    /// After either half has moved: frees what a closed channel need not keep.
    pub(super) fn settle(&mut self, index: u32) {
        let Some(channel) = self.slots.at_mut(index) else {
            return;
        };
        if !channel.is_closed() {
            return;
        }
        channel.pending.clear();
        let rejected = matches!(channel.stage, Stage::Rejected);
        if let Some(alias) = channel.peer_alias.take() {
            let to = if rejected {
                PeerAlias::Rejected
            } else {
                PeerAlias::Closed
            };
            self.peer_aliases.set(alias, to);
        }
        if !channel.is_answered() {
            return; // its alias belongs to it until the peer has answered
        }
        if let Some(alias) = channel.own_alias.take() {
            self.own_aliases.give_back(alias);
        }
        if core::mem::take(&mut channel.counted) {
            if channel.ours {
                self.own_open -= 1;
            } else {
                self.peer_open -= 1;
            }
        }
        if !channel.attached {
            self.retire(index);
        }
        self.admit_waiting();
        self.end_drain();
    }

    /// A drained connection without channels is over when its last record is out.
    pub(super) fn end_drain(&mut self) {
        let done = self.own_open == 0 && self.peer_open == 0 && self.waiting_opens.is_empty();
        if self.phase == Phase::Draining && done {
            let failure = self.drained_by.unwrap_or(Failure::Local(Code::NO_ERROR));
            self.phase = Phase::Failing(failure);
            self.ended = Some(failure);
            self.peer_aliases.clear();
        }
    }

    /// Ends our half: FIN follows what is queued. A second call does nothing.
    ///
    /// # Errors
    /// [`SendError::UnknownChannel`], [`SendError::Closed`].
    pub fn finish_sending(&mut self, id: ChannelId) -> Result<(), SendError> {
        if let Some(failure) = self.failure() {
            return Err(SendError::Closed(failure.code()));
        }
        let channel = self.slots.by_id_mut(id).ok_or(SendError::UnknownChannel)?;
        if channel.send.state == SendState::Sending {
            channel.send.state = SendState::Finishing;
            self.make_ready(id.index);
        }
        Ok(())
    }

    /// Gives up our half: what is queued is dropped, and the peer is told with `code`.
    pub fn reset(&mut self, id: ChannelId, code: Code) {
        if self.slots.by_id(id).is_some() {
            self.abort_half(id.index, code);
            self.settle(id.index);
        }
    }

    /// Drops what our half has queued; RESET(ABORT) tells the peer.
    pub(super) fn abort_half(&mut self, index: u32, code: Code) {
        let Some(channel) = self.slots.at_mut(index) else {
            return;
        };
        let send = &mut channel.send;
        if !matches!(send.state, SendState::Sending | SendState::Finishing) {
            return;
        }
        send.state = SendState::Aborting(code);
        let dropped = send.queue.take().map_or(0, |q| q.bytes());
        let begun = core::mem::take(&mut send.begun_charge);
        send.blocked_since = None;
        let starved = core::mem::take(&mut send.starved);
        channel.pending.set(Pending::ABORT);
        if matches!(channel.stage, Stage::Rejecting(..) | Stage::Rejected) {
            // The answer says it all.
            channel.pending.unset(Pending::ABORT);
            channel.send.state = SendState::Aborted;
        }
        self.begun -= begun;
        if starved {
            self.leave_starved(index);
        }
        self.dequeued(index, dropped);
        self.mark(index);
    }

    /// Takes no more from the peer on this channel, and tells it so with `code`. What was
    /// received stays with the application until it is released.
    pub fn stop(&mut self, id: ChannelId, code: Code) {
        if self.slots.by_id(id).is_some() {
            self.stop_half(id.index, code);
            self.settle(id.index);
        }
    }

    pub(super) fn stop_half(&mut self, index: u32, code: Code) {
        let Some(channel) = self.slots.at_mut(index) else {
            return;
        };
        if channel.recv.state != RecvState::Receiving {
            return;
        }
        channel.recv.state = RecvState::Stopping(code);
        channel.grants_no_more();
        let partial = channel.recv.partial.take();
        if !matches!(channel.stage, Stage::Rejecting(..) | Stage::Rejected) {
            channel.pending.set(Pending::STOP);
        }
        let id = channel.id;
        if let Some(mut partial) = partial {
            self.release(id, partial.charge.take());
        }
        self.mark(index);
    }

    /// The application lets go of the channel: what it holds of it is consumed, a half that is
    /// not over is stopped or reset with `code`, and the id is of no use any more. A half that
    /// was finished goes on until all of it is sent.
    pub fn let_go(&mut self, id: ChannelId, code: Code) {
        let Some(channel) = self.slots.by_id_mut(id).filter(|c| c.attached) else {
            return;
        };
        let mut goes_on = channel.send.state == SendState::Finishing;
        match channel.stage {
            Stage::Opening(_) if !goes_on => return self.forget_unopened(id),
            Stage::Offered => {
                goes_on = false;
                channel.stage = Stage::Rejecting(Code::REFUSED, alloc::vec::Vec::new());
                self.ask(id.index);
            }
            Stage::Rejecting(..) => goes_on = false,
            _ => {}
        }
        self.stop_half(id.index, code);
        if !goes_on {
            self.abort_half(id.index, code);
        }
        if let Some(channel) = self.slots.by_id_mut(id) {
            let recv = &mut channel.recv;
            let backlog = recv.credit.backlog();
            recv.credit.consume(backlog);
            let held = core::mem::take(&mut recv.held);
            channel.attached = false;
            channel.grants_no_more();
            let closed = channel.is_closed();
            let given = held.saturating_sub(u64::from(self.settings.reserve_bytes));
            self.consume(given);
            if closed || !self.is_alive() {
                self.remove_slot(id.index);
            }
        }
    }

    /// The slot's channel is closed, or the connection is over.
    fn remove_slot(&mut self, index: u32) {
        let closed = self.slots.at(index).is_some_and(Channel::is_answered);
        if closed || !self.is_alive() {
            self.retire(index);
        }
    }

    /// Ends a half that was never announced.
    fn forget_unopened(&mut self, id: ChannelId) {
        self.waiting_opens.retain(|&index| index != id.index);
        self.control.retain(|&index| index != id.index);
        if let Some(channel) = self.slots.by_id_mut(id) {
            let dropped = channel.send.queued();
            if let Some(alias) = channel.own_alias.take().or(channel.chosen_alias()) {
                self.own_aliases.give_back(alias);
            }
            self.retire(id.index);
            self.dequeued(id.index, dropped);
            // Its turn to be opened, if it had come, is the next one's.
            self.admit_waiting();
            self.end_drain();
        }
    }

    /// Our messages count anew from here: tells the peer. For a publisher that goes on after a
    /// gap, or in another epoch. Only while nothing is queued.
    ///
    /// # Errors
    /// [`SendError::WouldBlock`] while messages are queued; [`SendError::TooLarge`] for an epoch
    /// above 2^62 - 1, or a number that is not below it; as [`Self::send`] else.
    pub fn rebase(&mut self, id: ChannelId, epoch: u64, next_seq: u64) -> Result<(), SendError> {
        // A peer takes no message whose number is the largest.
        if epoch > wire::VARINT_MAX || next_seq >= wire::VARINT_MAX {
            return Err(SendError::TooLarge {
                len: usize::MAX,
                max: usize::MAX >> 2,
            });
        }
        let channel = self.admit(id, 0)?;
        if !channel.send.is_idle() {
            return Err(SendError::WouldBlock);
        }
        channel.send.epoch = epoch;
        channel.send.next_seq = next_seq;
        channel.send.skip = 0;
        channel.pending.set(Pending::SEQ);
        self.mark(id.index);
        Ok(())
    }

    /// Tells the sender that everything below `seq` is safe here: it need not keep it for a
    /// resumption. Also of a half that has ended, while ours goes on; where both are over, as is a
    /// channel in one direction when that one ends, nothing more is told.
    pub fn acknowledge(&mut self, id: ChannelId, seq: u64) {
        if let Some(channel) = self.slots.by_id_mut(id)
            && channel.attached
            && !channel.is_closed()
            && channel.recv.state != RecvState::None
            && seq <= wire::VARINT_MAX
        {
            channel.recv.ack = Some(seq);
            channel.pending.set(Pending::CREDIT);
            self.mark(id.index);
        }
    }

    /// Measures a round trip, unless one was measured within a second: a peer takes no more.
    pub fn ping(&mut self) {
        let last = self.ping.last_sent;
        let early = last.is_some_and(|at| self.now < at.after(super::PING_INTERVAL));
        if self.ping.sent.is_none() && !early {
            self.ping.due = true;
        }
    }

    /// Takes no new channels and lets the open ones end, within `close_timeout`; then the
    /// connection ends. Messages that are queued go out.
    pub fn drain(&mut self, code: Code, reason: &'static str) {
        // After the peer's GOAWAY it is ours that sets the deadline.
        if !self.is_alive() || self.drain_at.is_some() {
            return;
        }
        let reason = reason.get(..123).unwrap_or(reason);
        self.goodbye = Some(Goodbye { code, reason });
        self.phase = Phase::Draining;
        self.drained_by.get_or_insert(Failure::Local(code));
        self.drain_at = Some(self.now.after(self.settings.close_timeout));
        self.refuse_waiting(code);
        self.end_drain();
    }

    /// Channels of ours that were never announced will not be.
    pub(super) fn refuse_waiting(&mut self, code: Code) {
        for index in 0..self.slots.end() {
            let Some(channel) = self.slots.at_mut(index) else {
                continue;
            };
            if matches!(channel.stage, Stage::Opening(_)) {
                let (id, attached) = (channel.id, channel.attached);
                self.reject_own(index);
                if attached {
                    self.events.push_back(Event::Rejected {
                        channel: id,
                        code,
                        unprocessed: true,
                        metadata: &[],
                    });
                }
            }
        }
        self.waiting_opens.clear();
    }

    /// Our channel is not wanted: both halves are over.
    pub(super) fn reject_own(&mut self, index: u32) {
        let Some(channel) = self.slots.at_mut(index) else {
            return;
        };
        if let Stage::Asked(_) = channel.stage {
            self.own_unanswered -= 1;
        } else if let Some(alias) = channel.own_alias.take().or(channel.chosen_alias()) {
            self.own_aliases.give_back(alias);
        }
        channel.stage = Stage::Rejected;
        channel.pending.clear();
        channel.send.state = SendState::Aborted;
        channel.recv.state = RecvState::Aborted;
        let starved = core::mem::take(&mut channel.send.starved);
        let dropped = channel.send.queue.take().map_or(0, |q| q.bytes());
        let begun = core::mem::take(&mut channel.send.begun_charge);
        self.begun -= begun;
        if starved {
            self.leave_starved(index);
        }
        self.dequeued(index, dropped);
        self.settle(index);
    }
}
