//! Transitions that open and answer a channel, at both ends.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::super::error::ErrorCode;
use super::super::open::{AcceptOptions, Resumption};
use super::{Channel, Effects, Pending, RecvState, SendLimits, SendState, Stage, Window};

impl Channel {
    /// Queues the OPEN, ACCEPT or REJECT of the channel.
    pub(in crate::mux) fn queue_opening(&mut self) -> Effects {
        self.pending.set(Pending::OPENING);
        Effects::CONTROL
    }

    /// Rejects a channel that the peer reset before it was answered: every OPEN gets an answer.
    pub(in crate::mux) fn reject_if_withdrawn(&mut self, code: ErrorCode) -> Effects {
        let ended = self.recv.state.is_terminal() && !self.send.state.is_active();
        if !ended || !matches!(self.stage, Stage::OpenReceived) {
            return Effects::NONE;
        }
        self.stage = Stage::RejectPending(code, Vec::new());
        if !self.send.state.is_terminal() {
            self.send.state = SendState::Aborted;
        }
        self.pending.clear();
        self.queue_opening()
    }

    /// This end's OPEN was encoded, the `number`th.
    pub(in crate::mux) fn opened(&mut self, number: u64, alias: u32, limits: SendLimits) {
        self.stage = Stage::OpenSent(number);
        self.local_alias = Some(alias);
        self.counted = true;
        self.send.announce(limits);
    }

    /// The application accepts the channel with this window: ACCEPT becomes pending.
    pub(in crate::mux) fn accept(&mut self, options: AcceptOptions, window: Window) -> Effects {
        if self.recv.state != RecvState::None {
            self.recv.set_initial_window(window);
        }
        match options.resumption {
            Some(Resumption::Replay { from: seq } | Resumption::Snapshot { seq }) => {
                self.send.numbers.continue_at(seq);
            }
            Some(Resumption::Fresh { epoch, seq }) => {
                self.send.numbers.start_epoch(epoch, seq);
            }
            None => {}
        }
        self.stage = Stage::AcceptPending(Box::new(options));
        Effects::RESERVE | self.queue_opening()
    }

    /// ACCEPT was encoded.
    pub(in crate::mux) fn answered(&mut self, alias: u32) -> Effects {
        self.stage = Stage::Open;
        self.local_alias = Some(alias);
        Effects::SCHEDULE | Effects::CHECK_CLOSED
    }

    /// The peer accepted the channel.
    pub(in crate::mux) fn accepted(
        &mut self,
        alias: u32,
        limits: SendLimits,
        resumption: Option<Resumption>,
    ) -> Effects {
        self.stage = Stage::Open;
        self.peer_alias = Some(alias);
        self.send.credit.raise(limits.limit);
        self.send.message_max = limits.message_max;
        self.send.fragment_min = self.send.fragment_min.max(limits.fragment_min);
        match resumption {
            Some(Resumption::Replay { from: seq } | Resumption::Snapshot { seq }) => {
                self.recv.numbers.continue_at(seq);
            }
            Some(Resumption::Fresh { epoch, seq }) => {
                self.recv.numbers.start_epoch(epoch, seq);
            }
            None => {}
        }
        self.unblock();
        Effects::SCHEDULE | Effects::ANSWERED | Effects::CHECK_CLOSED
    }

    /// The application rejects the channel: REJECT becomes pending.
    pub(in crate::mux) fn reject(&mut self, code: ErrorCode, metadata: &[u8]) -> Effects {
        self.stage = Stage::RejectPending(code, metadata.to_vec());
        self.queue_opening()
    }

    /// The channel of this end was rejected: ends both halves.
    pub(in crate::mux) fn rejected(&mut self, code: ErrorCode) -> Effects {
        let sent = matches!(self.stage, Stage::OpenSent(_));
        self.stage = Stage::Rejected;
        self.pending.clear();
        self.send.state = SendState::Rejected(code);
        self.recv.state = RecvState::Aborted;
        let ended = Effects::DISCARD | Effects::RESERVE | Effects::CHECK_CLOSED;
        ended | Effects::ANSWERED.when(sent)
    }

    /// Rejects a channel that the application has accepted, and drops its queue and partial
    /// message.
    pub(in crate::mux) fn reject_accepted(&mut self, code: ErrorCode) -> Effects {
        self.stage = Stage::RejectPending(code, Vec::new());
        self.send.stopped = Some(code);
        let effects = self.abort(code) | self.stop(code);
        self.send.state = SendState::Rejected(code);
        effects
    }

    /// REJECT was encoded.
    pub(in crate::mux) fn reject_sent(&mut self) -> Effects {
        self.stage = Stage::Rejected;
        if !self.send.state.is_terminal() {
            self.send.state = SendState::Aborted;
        }
        self.recv.state = RecvState::Aborted;
        Effects::RESERVE | Effects::CHECK_CLOSED
    }
}
