//! One channel: two halves, each a small state machine (design page section 1.9).
//!
//! ```text
//!            OPEN/ACCEPT           DATA|FIN encoded             peer's STOP: must ABORT
//!  (None) ---------------> Sending --finish--> Finishing ------------------> Finished
//!                             | reset, or the peer's STOP
//!                             +--> Aborting --RESET encoded--> Aborted
//!
//!  Receiving --FIN--> Finished        reader dropped, evicted: RESET STOP, then
//!     +--ABORT------> Aborted         Stopping --FIN or ABORT--> Finished | Aborted
//! ```
//!
//! A half that the direction leaves out is `None`, which is terminal as well. The channel is
//! closed when both halves are terminal; its slot is free when the application has let go too.

mod effects;
mod recv;
mod send;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::num::NonZeroU64;
use core::time::Duration;

use super::credit::Charge;
use super::error::{Code, Violation};
use super::open::{AcceptOptions, OpenOptions, Resumption, Unit};
use super::wire::{self, VARINT_MAX};
use crate::time::Timestamp;

pub(super) use effects::Effects;
pub(super) use recv::{RecvHalf, RecvState};
pub(super) use send::{SendHalf, SendLimits, SendState};

/// A channel of one connection. Never given to another channel of it again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ChannelId {
    pub(in crate::mux) index: u32,
    pub(in crate::mux) generation: u32,
}

impl ChannelId {
    /// A small number, unique among the channels that are open: to index tables of one's own.
    #[must_use]
    pub fn index(self) -> usize {
        self.index as usize
    }
}

/// How far the opening of a channel is.
#[derive(Clone, Debug)]
pub(in crate::mux) enum Stage {
    /// Our OPEN waits to be encoded.
    Opening(Box<OpenOptions>),
    /// Our OPEN, the nth, is out.
    Asked(u64),
    /// The peer's OPEN waits for the application's answer.
    Offered,
    /// Our ACCEPT waits to be encoded.
    Accepting(Box<AcceptOptions>),
    /// Both ends have aliases.
    Open,
    /// Our REJECT waits to be encoded.
    Rejecting(Code, Vec<u8>),
    /// The peer, or we, did not want it.
    Rejected,
}

/// Control frames that wait to be encoded: one bit each, so that none queues twice (rule R3).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(in crate::mux) struct Pending(u8);

impl Pending {
    /// OPEN, ACCEPT or REJECT, as the stage says.
    pub(in crate::mux) const OPENING: u8 = 1;
    pub(in crate::mux) const CREDIT: u8 = 2;
    /// CREDIT with BLOCKED.
    pub(in crate::mux) const BLOCKED: u8 = 4;
    pub(in crate::mux) const STOP: u8 = 8;
    pub(in crate::mux) const ABORT: u8 = 16;
    pub(in crate::mux) const SEQ: u8 = 32;

    pub(in crate::mux) fn set(&mut self, bit: u8) {
        self.0 |= bit;
    }

    pub(in crate::mux) fn unset(&mut self, bit: u8) {
        self.0 &= !bit;
    }

    pub(in crate::mux) fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    #[inline]
    pub(in crate::mux) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(in crate::mux) fn clear(&mut self) {
        self.0 = 0;
    }
}

/// A channel.
#[derive(Debug)]
pub(in crate::mux) struct Channel {
    pub(in crate::mux) id: ChannelId,
    pub(in crate::mux) stage: Stage,
    pub(in crate::mux) ours: bool,
    /// The alias we send under.
    pub(in crate::mux) own_alias: Option<u32>,
    /// The alias the peer sends under.
    pub(in crate::mux) peer_alias: Option<u32>,
    pub(in crate::mux) priority: u8,
    pub(in crate::mux) unit: Unit,
    pub(in crate::mux) conflate: bool,
    /// Nanoseconds for which a message may wait.
    pub(in crate::mux) ttl: Option<NonZeroU64>,
    pub(in crate::mux) opened_at: Timestamp,
    pub(in crate::mux) resume_asked: bool,
    /// The application has not let go of it.
    pub(in crate::mux) attached: bool,
    /// It was counted as opened for nothing.
    pub(in crate::mux) wasted: bool,
    /// It counts among the open channels of its opener's.
    pub(in crate::mux) counted: bool,
    /// A message went either way.
    pub(in crate::mux) used: bool,
    pub(in crate::mux) pending: Pending,
    pub(in crate::mux) in_control: bool,
    pub(in crate::mux) send: SendHalf,
    pub(in crate::mux) recv: RecvHalf,
}

/// A time to live, as a channel has it: at least one, up to 584 years.
pub(in crate::mux) fn ttl_nanos(ttl: Duration) -> NonZeroU64 {
    let nanos = u64::try_from(ttl.as_nanos()).unwrap_or(u64::MAX);
    NonZeroU64::new(nanos).unwrap_or(NonZeroU64::MIN)
}

/// How a channel is asked to be: what its opener's options or its OPEN say.
#[derive(Debug)]
pub(in crate::mux) struct Character {
    pub(in crate::mux) priority: u8,
    pub(in crate::mux) unit: Unit,
    pub(in crate::mux) conflate: bool,
    pub(in crate::mux) ttl: Option<NonZeroU64>,
    pub(in crate::mux) resume_asked: bool,
}

impl Channel {
    /// A channel at its beginning, of ours or of the peer's as `peer_alias` says.
    pub(in crate::mux) fn new(
        (id, stage, peer_alias): (ChannelId, Stage, Option<u32>),
        character: Character,
        (send, recv): (SendHalf, RecvHalf),
        now: Timestamp,
    ) -> Self {
        let ours = peer_alias.is_none();
        Self {
            id,
            stage,
            ours,
            own_alias: None,
            peer_alias,
            priority: character.priority,
            unit: character.unit,
            conflate: character.conflate,
            ttl: character.ttl,
            opened_at: now,
            resume_asked: character.resume_asked,
            attached: true,
            counted: !ours,
            used: false,
            wasted: false,
            pending: Pending::default(),
            in_control: false,
            send,
            recv,
        }
    }

    /// No frame of either end will be sent on it any more, and what opens or answers it is out.
    pub(in crate::mux) fn is_closed(&self) -> bool {
        match self.stage {
            Stage::Asked(_) | Stage::Open => {
                self.send.state.is_terminal() && self.recv.state.is_terminal()
            }
            Stage::Rejected => true,
            _ => false,
        }
    }

    /// Our OPEN is answered, or it was not ours.
    pub(in crate::mux) fn is_answered(&self) -> bool {
        !matches!(self.stage, Stage::Opening(_) | Stage::Asked(_))
    }

    /// The answer of this end says that the channel is not wanted.
    fn is_rejected(&self) -> bool {
        matches!(self.stage, Stage::Rejecting(..) | Stage::Rejected)
    }

    /// The alias that the application chose, while that is not announced.
    pub(in crate::mux) fn chosen_alias(&self) -> Option<u32> {
        match &self.stage {
            Stage::Opening(options) => options.alias,
            Stage::Accepting(options) => options.alias,
            _ => None,
        }
    }

    /// What opens or answers the channel waits to be encoded.
    pub(in crate::mux) fn ask(&mut self) -> Effects {
        self.pending.set(Pending::OPENING);
        Effects::CONTROL
    }

    /// No more credit is told, but for what waits to be acknowledged by it.
    pub(in crate::mux) fn grants_no_more(&mut self) {
        if self.recv.ack.is_none() {
            self.pending.unset(Pending::CREDIT);
        }
    }

    /// Our half ends: FIN follows what is queued.
    pub(in crate::mux) fn finish(&mut self) -> Effects {
        if self.send.state != SendState::Sending {
            return Effects::NONE;
        }
        self.send.state = SendState::Finishing;
        Effects::SCHEDULE
    }

    /// FIN is encoded.
    pub(in crate::mux) fn fin_sent(&mut self) -> Effects {
        self.send.state = SendState::Finished;
        self.pending.unset(Pending::BLOCKED);
        Effects::SETTLE
    }

    /// Our half is given up: what is queued is dropped, and the peer is told with `code`.
    pub(in crate::mux) fn abort(&mut self, code: Code) -> Effects {
        if !self.send.state.is_active() {
            return Effects::NONE;
        }
        self.send.blocked_since = None;
        if self.is_rejected() {
            // The answer says it all.
            self.pending.unset(Pending::ABORT);
            self.send.state = SendState::Aborted;
        } else {
            self.pending.set(Pending::ABORT);
            self.send.state = SendState::Aborting(code);
        }
        Effects::LEAVE_WINDOW | Effects::DISCARD | Effects::CONTROL
    }

    /// The peer takes no more of ours. Whether that is news.
    pub(in crate::mux) fn stopped(&mut self, code: Code) -> (bool, Effects) {
        if !self.send.state.is_active() {
            return (false, Effects::NONE);
        }
        self.send.stopped = Some(code);
        (true, self.abort(code))
    }

    /// No more is taken of the peer's, which is told so with `code`. What was received stays with
    /// the application until it is released.
    pub(in crate::mux) fn stop(&mut self, code: Code) -> Effects {
        if self.recv.state != RecvState::Receiving {
            return Effects::NONE;
        }
        self.recv.state = RecvState::Stopping(code);
        self.grants_no_more();
        if !self.is_rejected() {
            self.pending.set(Pending::STOP);
        }
        Effects::DROP_PARTIAL | Effects::CONTROL
    }

    /// The peer's half has ended with FIN. Whether the application is to be told.
    pub(in crate::mux) fn finished(&mut self) -> (bool, Effects) {
        let told = self.attached && self.recv.state == RecvState::Receiving;
        self.recv.state = RecvState::Finished;
        self.pending.unset(Pending::STOP);
        self.grants_no_more();
        (told, Effects::SETTLE)
    }

    /// The peer has given up its half. Whether the application is to be told.
    pub(in crate::mux) fn aborted(&mut self) -> (bool, Effects) {
        if self.recv.state.is_terminal() {
            return (false, Effects::NONE);
        }
        let told = self.attached && self.recv.state == RecvState::Receiving;
        self.recv.state = RecvState::Aborted;
        self.pending.unset(Pending::STOP);
        self.grants_no_more();
        (told, Effects::DROP_PARTIAL)
    }

    /// The peer's half ends because we want no more of it.
    pub(in crate::mux) fn is_stopping(&self) -> bool {
        matches!(self.recv.state, RecvState::Stopping(_))
    }

    /// Whether the peer has opened the channel and ended both halves for nothing: soon, and used
    /// for nothing, or by a reset before our answer was out. Counted once.
    pub(in crate::mux) fn count_waste(&mut self, age_max: Duration, now: Timestamp) -> bool {
        let (send, recv) = (&self.send, &self.recv);
        let by_peer = send.state == SendState::None || send.stopped.is_some();
        if self.ours || self.wasted || !by_peer || !recv.state.is_terminal() {
            return false;
        }
        let reset = recv.state == RecvState::Aborted || send.stopped.is_some();
        let early = reset && !matches!(self.stage, Stage::Open);
        let useful = self.used || now >= self.opened_at.after(age_max);
        self.wasted = !useful || early;
        self.wasted
    }

    /// A channel that the peer took back before it was answered is rejected: an answer is owed.
    pub(in crate::mux) fn reject_if_withdrawn(&mut self, code: Code) -> Effects {
        let over = self.recv.state.is_terminal() && !self.send.state.is_active();
        if !over || !matches!(self.stage, Stage::Offered) {
            return Effects::NONE;
        }
        self.stage = Stage::Rejecting(code, Vec::new());
        self.send.state = SendState::Aborted;
        self.pending.clear();
        self.ask()
    }

    /// The peer has told a limit of what we may send.
    pub(in crate::mux) fn raise(&mut self, limit: u64) -> Effects {
        if !self.send.credit.raise(limit) {
            return Effects::NONE;
        }
        self.unblock();
        Effects::SCHEDULE
    }

    /// The channel's credit has grown.
    pub(in crate::mux) fn unblock(&mut self) {
        self.send.unblock();
        self.pending.unset(Pending::BLOCKED);
    }

    /// The peer waits for credit at this limit.
    pub(in crate::mux) fn peer_blocked(&mut self, limit: u64) -> Effects {
        let recv = &mut self.recv;
        recv.blocked_told = recv.blocked_told.saturating_add(1);
        if recv.state != RecvState::Receiving {
            return Effects::NONE;
        }
        // The peer may never have seen what it was told: told again, with what is owed.
        let unseen = recv.credit.limit() > limit;
        if !unseen {
            recv.credit.hurry();
        }
        if !unseen && !recv.credit.is_due() {
            return Effects::NONE;
        }
        self.pending.set(Pending::CREDIT);
        Effects::CONTROL
    }

    /// A limit is due, or an acknowledgement: CREDIT tells either.
    pub(in crate::mux) fn credit_due(&mut self) -> Effects {
        self.pending.set(Pending::CREDIT);
        Effects::CONTROL
    }

    /// The application is done with what it was charged for. What was held before, and whether a
    /// limit is due; nothing where letting go has given back all.
    #[inline]
    pub(in crate::mux) fn release(&mut self, charge: &Charge) -> Option<(u64, bool)> {
        if !self.attached {
            return None;
        }
        let recv = &mut self.recv;
        recv.credit.consume(u64::from(charge.units));
        let due = recv.credit.is_due() && recv.state == RecvState::Receiving;
        let before = recv.held;
        recv.held = before.saturating_sub(u64::from(charge.bytes));
        Some((before, due))
    }

    /// Everything below `seq` of the peer's is safe here.
    pub(in crate::mux) fn acknowledge(&mut self, seq: u64) -> Effects {
        if self.is_closed() || self.recv.state == RecvState::None {
            return Effects::NONE;
        }
        self.recv.ack = Some(seq);
        self.credit_due()
    }

    /// Our messages count anew from here: SEQ tells the peer.
    pub(in crate::mux) fn rebase(&mut self, epoch: u64, next_seq: u64) -> Effects {
        self.send.rebase(epoch, next_seq);
        self.pending.set(Pending::SEQ);
        Effects::CONTROL
    }

    /// The peer's messages count anew from here. `false`: nobody reads them any more.
    pub(in crate::mux) fn peer_rebased(
        &mut self,
        alias: u32,
        epoch: u64,
        next_seq: u64,
    ) -> Result<bool, Violation> {
        let recv = &mut self.recv;
        recv.takes_data(alias)?;
        if recv.state != RecvState::Receiving {
            return Ok(false);
        }
        if recv.partial.is_some() {
            return Err(Violation::InsideMessage(alias));
        }
        if next_seq >= VARINT_MAX {
            return Err(Violation::BadCounter);
        }
        recv.epoch = epoch;
        recv.next_seq = next_seq;
        Ok(true)
    }

    /// Whether the channel takes the frame now; the number of its message, if so.
    pub(in crate::mux) fn admit(&self, data: &wire::Data<'_>) -> Result<u64, Violation> {
        let (recv, alias) = (&self.recv, data.alias);
        recv.takes_data(alias)?;
        let begun = recv.partial.as_ref().map_or(0, |p| p.bytes.len());
        if data.payload.len() + begun > recv.message_max as usize {
            return Err(Violation::MessageTooLarge);
        }
        let fin_alone = data.fin && data.payload.is_empty();
        if fin_alone && recv.partial.is_some() {
            return Err(Violation::InsideMessage(alias));
        }
        // The last fragment pays for a message, but the first must be able to.
        let spent = recv.credit.charged() >= recv.credit.limit();
        if self.unit == Unit::Messages && spent && !fin_alone {
            return Err(Violation::ChannelCredit(alias));
        }
        recv.number_behind(data.skip)
    }

    /// Whether the channel takes the run now; the number of its first message, if so.
    pub(in crate::mux) fn admit_run(&self, run: &wire::Run<'_>) -> Result<u64, Violation> {
        let recv = &self.recv;
        recv.takes_data(run.alias)?;
        if recv.partial.is_some() {
            return Err(Violation::InsideMessage(run.alias));
        }
        if run.elem > recv.message_max {
            return Err(Violation::MessageTooLarge);
        }
        let seq = recv.number_behind(run.skip)?;
        if seq.saturating_add(u64::from(run.count)) >= VARINT_MAX {
            return Err(Violation::BadCounter);
        }
        Ok(seq)
    }

    /// Our OPEN, the nth, is encoded.
    pub(in crate::mux) fn opened(&mut self, number: u64, alias: u32, limits: SendLimits) {
        self.stage = Stage::Asked(number);
        self.own_alias = Some(alias);
        self.counted = true;
        self.send.announce(limits);
    }

    /// The application takes a channel of the peer's: ACCEPT waits to be encoded.
    pub(in crate::mux) fn accept(&mut self, options: AcceptOptions) -> Effects {
        match options.resumption {
            Some(Resumption::Replay { from: seq } | Resumption::Snapshot { seq }) => {
                self.send.next_seq = seq;
            }
            Some(Resumption::Fresh { epoch, seq }) => {
                (self.send.epoch, self.send.next_seq) = (epoch, seq);
            }
            None => {}
        }
        self.stage = Stage::Accepting(Box::new(options));
        self.ask()
    }

    /// Our ACCEPT is encoded.
    pub(in crate::mux) fn answered(&mut self, alias: u32) -> Effects {
        self.stage = Stage::Open;
        self.own_alias = Some(alias);
        Effects::SCHEDULE | Effects::SETTLE
    }

    /// The peer takes the channel.
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
                self.recv.next_seq = seq;
            }
            Some(Resumption::Fresh { epoch, seq }) => {
                (self.recv.epoch, self.recv.next_seq) = (epoch, seq);
            }
            None => {}
        }
        self.unblock();
        Effects::SCHEDULE | Effects::ANSWERED | Effects::SETTLE
    }

    /// The channel is not wanted here: REJECT waits to be encoded.
    pub(in crate::mux) fn reject(&mut self, code: Code, metadata: &[u8]) -> Effects {
        self.stage = Stage::Rejecting(code, metadata.to_vec());
        self.ask()
    }

    /// The application lets go: what it holds is consumed. How many bytes that is.
    pub(in crate::mux) fn detach(&mut self) -> u64 {
        let backlog = self.recv.credit.backlog();
        self.recv.credit.consume(backlog);
        self.attached = false;
        self.grants_no_more();
        core::mem::take(&mut self.recv.held)
    }

    /// Our channel is not wanted: both halves are over.
    pub(in crate::mux) fn rejected(&mut self) -> Effects {
        let asked = matches!(self.stage, Stage::Asked(_));
        self.stage = Stage::Rejected;
        self.pending.clear();
        self.send.state = SendState::Aborted;
        self.recv.state = RecvState::Aborted;
        let over = Effects::LEAVE_WINDOW | Effects::DISCARD | Effects::SETTLE;
        over | Effects::ANSWERED.when(asked)
    }

    /// The channel cannot be accepted after all: it is rejected, and nothing is kept.
    pub(in crate::mux) fn reject_accepted(&mut self, code: Code) -> Effects {
        self.stage = Stage::Rejecting(code, Vec::new());
        self.send.stopped = Some(code);
        self.abort(code) | self.stop(code)
    }

    /// Our REJECT is encoded.
    pub(in crate::mux) fn reject_sent(&mut self) -> Effects {
        self.stage = Stage::Rejected;
        self.send.state = SendState::Aborted;
        self.recv.state = RecvState::Aborted;
        Effects::SETTLE
    }

    /// What RESET says: the codes of ABORT and of STOP, as far as `pending` asks for either and
    /// the halves still stand there. ABORT ends our half.
    pub(in crate::mux) fn reset_codes(&mut self, pending: Pending) -> [Option<Code>; 2] {
        let abort = match self.send.state {
            SendState::Aborting(code) if pending.has(Pending::ABORT) => Some(code),
            _ => None,
        };
        let stop = match self.recv.state {
            RecvState::Stopping(code) if pending.has(Pending::STOP) => Some(code),
            _ => None,
        };
        if abort.is_some() {
            self.send.state = SendState::Aborted;
        }
        [abort, stop]
    }

    /// Looks at what waits for the peer's credit: after `patience` the peer is told. Whether it
    /// is to be looked at again.
    pub(in crate::mux) fn sweep_blocked(
        &mut self,
        patience: Duration,
        now: Timestamp,
    ) -> (bool, Effects) {
        let send = &mut self.send;
        if send.is_idle() {
            send.unblock();
        }
        let again = self.ttl.is_some() && !send.is_idle();
        let Some(since) = send.blocked_since.filter(|_| send.state.is_active()) else {
            return (again, Effects::NONE);
        };
        if now < since.after(patience) {
            return (true, Effects::NONE);
        }
        if send.blocked_told {
            return (again, Effects::NONE);
        }
        send.blocked_told = true;
        self.pending.set(Pending::BLOCKED);
        (again, Effects::CONTROL)
    }
}

// A thousand idle channels are a third of a mebibyte.
const _: () = assert!(size_of::<Channel>() <= 384, "channels are small");
