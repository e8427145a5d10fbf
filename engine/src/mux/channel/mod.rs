//! One channel: two halves, each a small state machine.
//!
//! ```text
//!            OPEN/ACCEPT           DATA|FIN encoded             peer's STOP: must ABORT
//!  (None) ---------------> Sending --finish--> Finishing ------------------> Finished
//!                             | reset, or the peer's STOP
//!                             +--> Aborting --RESET encoded--> Aborted
//!
//!  Receiving --FIN--> Finished        reader dropped: RESET STOP, then
//!     +--ABORT------> Aborted         Stopping --FIN or ABORT--> Finished | Aborted
//! ```
//!
//! A half that the direction leaves out is `None`, which is terminal as well. The channel is
//! closed when both halves are terminal; its slot is free when the application has let go too.

mod effects;
mod fast_path;
mod numbers;
mod opening;
mod recv;
mod send;
mod stage;

use core::num::NonZeroU64;
use core::time::Duration;

use super::credit::Charge;
use super::error::{ChannelViolation, ErrorCode};
use super::open::Unit;
use super::wire::{self, VARINT_MAX};
use crate::time::Timestamp;

pub(super) use effects::Effects;
pub(super) use recv::{RecvHalf, RecvState, Reservation, Window};
pub(super) use send::{SendHalf, SendLimits, SendState};
pub(super) use stage::{Pending, Stage};

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

/// A channel.
#[derive(Debug)]
pub(in crate::mux) struct Channel {
    pub(in crate::mux) id: ChannelId,
    pub(in crate::mux) stage: Stage,
    pub(in crate::mux) is_local: bool,
    /// The alias we send under.
    pub(in crate::mux) local_alias: Option<u32>,
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
    pub(in crate::mux) in_control_queue: bool,
    fast: fast_path::FastPath,
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
pub(in crate::mux) struct ChannelSettings {
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
        settings: ChannelSettings,
        (send, recv): (SendHalf, RecvHalf),
        now: Timestamp,
    ) -> Self {
        let is_local = peer_alias.is_none();
        Self {
            id,
            stage,
            is_local,
            local_alias: None,
            peer_alias,
            priority: settings.priority,
            unit: settings.unit,
            conflate: settings.conflate,
            ttl: settings.ttl,
            opened_at: now,
            resume_asked: settings.resume_asked,
            attached: true,
            counted: !is_local,
            used: false,
            wasted: false,
            pending: Pending::default(),
            in_control_queue: false,
            fast: fast_path::FastPath::default(),
            send,
            recv,
        }
    }

    /// No frame of either end will be sent on it any more, and what opens or answers it is out.
    pub(in crate::mux) fn is_closed(&self) -> bool {
        match self.stage {
            Stage::OpenSent(_) | Stage::Open => {
                self.send.state.is_terminal() && self.recv.state.is_terminal()
            }
            Stage::Rejected => true,
            _ => false,
        }
    }

    /// Our OPEN is answered, or it was not ours.
    pub(in crate::mux) fn is_answered(&self) -> bool {
        !matches!(self.stage, Stage::OpenPending(_) | Stage::OpenSent(_))
    }

    /// The answer of this end says that the channel is not wanted.
    fn is_rejected(&self) -> bool {
        matches!(self.stage, Stage::RejectPending(..) | Stage::Rejected)
    }

    /// The alias that the application chose, while that is not announced.
    pub(in crate::mux) fn chosen_alias(&self) -> Option<u32> {
        match &self.stage {
            Stage::OpenPending(options) => options.alias,
            Stage::AcceptPending(options) => options.alias,
            _ => None,
        }
    }

    /// No more credit is told, but for what waits to be acknowledged by it.
    pub(in crate::mux) fn grants_no_more(&mut self) {
        self.pending.unset(Pending::NARROW);
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
        Effects::CHECK_CLOSED
    }

    /// Our half is given up: what is queued is dropped, and the peer is told with `code`.
    pub(in crate::mux) fn abort(&mut self, code: ErrorCode) -> Effects {
        if !self.send.state.is_active() {
            return Effects::NONE;
        }
        self.send.blocked_since = None;
        self.pending.unset(Pending::BLOCKED | Pending::RETURN);
        if self.is_rejected() {
            // The answer says it all.
            self.pending.unset(Pending::ABORT);
            self.send.state = SendState::Aborted;
        } else {
            self.pending.set(Pending::ABORT);
            self.send.state = SendState::Aborting(code);
        }
        Effects::DISCARD | Effects::CONTROL
    }

    /// The peer takes no more of ours. Whether that is news.
    pub(in crate::mux) fn stopped(&mut self, code: ErrorCode) -> (bool, Effects) {
        if !self.send.state.is_active() {
            return (false, Effects::NONE);
        }
        self.send.stopped = Some(code);
        (true, self.abort(code))
    }

    /// No more is taken of the peer's, which is told so with `code`. What was received stays with
    /// the application until it is released.
    pub(in crate::mux) fn stop(&mut self, code: ErrorCode) -> Effects {
        if self.recv.state != RecvState::Receiving {
            return Effects::NONE;
        }
        self.recv.state = RecvState::Stopping(code);
        self.grants_no_more();
        if !self.is_rejected() {
            self.pending.set(Pending::STOP);
        }
        Effects::DROP_PARTIAL | Effects::RESERVE | Effects::CONTROL
    }

    /// The peer's half has ended with FIN. Whether the application is to be told.
    pub(in crate::mux) fn finished(&mut self) -> (bool, Effects) {
        let told = self.attached && self.recv.state == RecvState::Receiving;
        self.recv.state = RecvState::Finished;
        self.pending.unset(Pending::STOP);
        self.grants_no_more();
        (told, Effects::RESERVE | Effects::CHECK_CLOSED)
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
        (told, Effects::DROP_PARTIAL | Effects::RESERVE)
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
        if self.is_local || self.wasted || !by_peer || !recv.state.is_terminal() {
            return false;
        }
        let reset = recv.state == RecvState::Aborted || send.stopped.is_some();
        let early = reset && !matches!(self.stage, Stage::Open);
        let useful = self.used || now >= self.opened_at.after(age_max);
        self.wasted = !useful || early;
        self.wasted
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
        recv.blocked_received = recv.blocked_received.saturating_add(1);
        if recv.state != RecvState::Receiving {
            return Effects::NONE;
        }
        // The peer may never have seen what it was told: told again, with what is owed.
        let unseen = recv.credit.limit() > limit;
        if !unseen {
            recv.credit.peer_blocked();
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

    /// The application is done with what it was charged for. Letting go has given back all.
    #[inline]
    pub(in crate::mux) fn release(&mut self, charge: &Charge) -> Effects {
        if !self.attached {
            return Effects::NONE;
        }
        let recv = &mut self.recv;
        recv.credit.consume(u64::from(charge.units));
        recv.sub_held(charge.bytes);
        if recv.state != RecvState::Receiving {
            return Effects::RESERVE;
        }
        if recv.credit.is_due() {
            return self.credit_due();
        }
        Effects::NONE
    }

    /// The receiver asks for credit that we do not use, all but `keep`: RETURN gives it back, if
    /// nothing waits to be sent.
    pub(in crate::mux) fn narrow(&mut self, keep: u64) -> Effects {
        let send = &mut self.send;
        let unused = send.state == SendState::Sending && send.is_idle();
        if !unused || !send.credit.return_unused(keep) {
            return Effects::NONE;
        }
        self.pending.set(Pending::RETURN);
        Effects::CONTROL
    }

    /// The peer gives back credit that it does not use: so much counts as charged.
    pub(in crate::mux) fn returned(
        &mut self,
        alias: u32,
        total: u64,
    ) -> Result<Effects, ChannelViolation> {
        let recv = &mut self.recv;
        recv.takes_data(alias)?;
        if recv.partial.is_some() {
            return Err(ChannelViolation::InsideMessage(alias));
        }
        let receiving = recv.state == RecvState::Receiving;
        let taken = if receiving {
            recv.credit.accept_return(total)
        } else {
            recv.credit.accept_final_return(total)
        };
        taken.map_err(|_| ChannelViolation::ChannelCredit(alias))?;
        let mut effects = Effects::RESERVE;
        if receiving && recv.credit.is_due() {
            effects |= self.credit_due();
        }
        Ok(effects)
    }

    /// The window has grown and is not used: what it has grown by is asked for.
    pub(in crate::mux) fn queue_narrow(&mut self) -> Effects {
        self.pending.set(Pending::NARROW);
        Effects::CONTROL
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
    ) -> Result<bool, ChannelViolation> {
        let recv = &mut self.recv;
        recv.takes_data(alias)?;
        if recv.state != RecvState::Receiving {
            return Ok(false);
        }
        if recv.partial.is_some() {
            return Err(ChannelViolation::InsideMessage(alias));
        }
        if next_seq >= VARINT_MAX {
            return Err(ChannelViolation::BadCounter);
        }
        recv.numbers.start_epoch(epoch, next_seq);
        Ok(true)
    }

    /// Whether the channel takes the frame, which costs `bytes`, now; the number of its message, if
    /// so.
    pub(in crate::mux) fn admit(
        &self,
        data: &wire::Data<'_>,
        bytes: u64,
    ) -> Result<u64, ChannelViolation> {
        let (recv, alias) = (&self.recv, data.alias);
        recv.takes_data(alias)?;
        let begun = recv.partial.as_ref().map_or(0, |p| p.bytes.len());
        if data.payload.len() + begun > recv.message_max as usize {
            return Err(ChannelViolation::MessageTooLarge);
        }
        let fin_alone = data.fin && data.payload.is_empty();
        if fin_alone && recv.partial.is_some() {
            return Err(ChannelViolation::InsideMessage(alias));
        }
        // The last fragment pays for a message, but the first must be able to.
        let spent = recv.credit.charged() >= recv.credit.limit();
        if self.unit == Unit::Messages && !fin_alone {
            if spent {
                return Err(ChannelViolation::ChannelCredit(alias));
            }
            // In units of bytes the window bounds what fragments cost.
            if recv.costs_too_much(bytes) {
                return Err(ChannelViolation::MessageTooLarge);
            }
        }
        recv.number_behind(data.skip)
    }

    /// Whether the channel takes the run now; the number of its first message, if so.
    pub(in crate::mux) fn admit_run(&self, run: &wire::Run<'_>) -> Result<u64, ChannelViolation> {
        let recv = &self.recv;
        recv.takes_data(run.alias)?;
        if recv.partial.is_some() {
            return Err(ChannelViolation::InsideMessage(run.alias));
        }
        if run.elem > recv.message_max {
            return Err(ChannelViolation::MessageTooLarge);
        }
        let seq = recv.number_behind(run.skip)?;
        if seq.saturating_add(u64::from(run.count)) >= VARINT_MAX {
            return Err(ChannelViolation::BadCounter);
        }
        Ok(seq)
    }

    /// The application lets go: what it holds is consumed.
    pub(in crate::mux) fn detach(&mut self) -> Effects {
        let backlog = self.recv.credit.backlog();
        self.recv.credit.consume(backlog);
        self.attached = false;
        self.grants_no_more();
        self.recv.sub_held(u32::MAX);
        Effects::RESERVE
    }

    /// What RESET says: the codes of ABORT and of STOP, as far as `pending` asks for either and
    /// the halves still stand there. ABORT ends our half.
    pub(in crate::mux) fn reset_codes(&mut self, pending: Pending) -> [Option<ErrorCode>; 2] {
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

    /// Looks at what waits for the peer's credit: after `blocked_after` the peer is told. Whether it
    /// is to be looked at again.
    pub(in crate::mux) fn sweep_blocked(
        &mut self,
        blocked_after: Duration,
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
        if now < since.after(blocked_after) {
            return (true, Effects::NONE);
        }
        if send.blocked_sent {
            return (again, Effects::NONE);
        }
        send.blocked_sent = true;
        self.pending.set(Pending::BLOCKED);
        (again, Effects::CONTROL)
    }
}

// A thousand idle channels are a third of a mebibyte.
const _: () = assert!(size_of::<Channel>() <= 392, "channels are small");
