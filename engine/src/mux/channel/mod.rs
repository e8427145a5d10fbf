//! One channel: two halves, each a small state machine.
//!
//! ```text
//!            OPEN/ACCEPT           DATA|FIN encoded             peer's STOP: must ABORT
//!  (None) ---------------> Sending --finish--> Finishing ------------------> Finished
//!                             | reset, or the peer's STOP
//!                             +--> Aborting --RESET encoded--> Aborted
//!
//!  Receiving --FIN--> Finished        stop: RESET(STOP), then
//!     +--ABORT------> Aborted         Stopping --FIN or ABORT--> Finished | Aborted
//! ```
//!
//! A half that the direction excludes is `None`, which is terminal as well. The channel is closed
//! when both halves are terminal. Its slot is freed when the application has closed it, too.

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

/// The id of a channel. Unique on its connection, and never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ChannelId {
    pub(in crate::mux) index: u32,
    pub(in crate::mux) generation: u32,
}

impl ChannelId {
    /// A small number, unique among the open channels: to index tables of the application.
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
    /// This end opened the channel.
    pub(in crate::mux) is_local: bool,
    /// The alias in frames that this end sends.
    pub(in crate::mux) local_alias: Option<u32>,
    /// The alias in frames that the peer sends.
    pub(in crate::mux) peer_alias: Option<u32>,
    pub(in crate::mux) priority: u8,
    pub(in crate::mux) unit: Unit,
    pub(in crate::mux) conflate: bool,
    /// Time to live of a queued message, in nanoseconds.
    pub(in crate::mux) ttl: Option<NonZeroU64>,
    pub(in crate::mux) opened_at: Timestamp,
    pub(in crate::mux) resume_asked: bool,
    /// The application holds the channel: it has neither closed nor rejected it.
    pub(in crate::mux) attached: bool,
    /// The channel was counted as wasted.
    pub(in crate::mux) wasted: bool,
    /// The channel counts as an open channel of its opener.
    pub(in crate::mux) counted: bool,
    /// A message was sent or received.
    pub(in crate::mux) used: bool,
    pub(in crate::mux) pending: Pending,
    pub(in crate::mux) in_control_queue: bool,
    fast: fast_path::FastPath,
    pub(in crate::mux) send: SendHalf,
    pub(in crate::mux) recv: RecvHalf,
}

/// A time to live in nanoseconds: at least one, at most 584 years.
pub(in crate::mux) fn ttl_nanos(ttl: Duration) -> NonZeroU64 {
    let nanos = u64::try_from(ttl.as_nanos()).unwrap_or(u64::MAX);
    NonZeroU64::new(nanos).unwrap_or(NonZeroU64::MIN)
}

/// The settings of a channel, from the options or the OPEN.
#[derive(Debug)]
pub(in crate::mux) struct ChannelSettings {
    pub(in crate::mux) priority: u8,
    pub(in crate::mux) unit: Unit,
    pub(in crate::mux) conflate: bool,
    pub(in crate::mux) ttl: Option<NonZeroU64>,
    pub(in crate::mux) resume_asked: bool,
}

impl Channel {
    /// Creates a channel; the peer opened it if it has a `peer_alias`.
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

    /// Whether both halves have ended and the opening frames are sent: no further frame of the
    /// channel follows.
    pub(in crate::mux) fn is_closed(&self) -> bool {
        match self.stage {
            Stage::OpenSent(_) | Stage::Open => {
                self.send.state.is_terminal() && self.recv.state.is_terminal()
            }
            Stage::Rejected => true,
            _ => false,
        }
    }

    /// Whether the peer has answered this end's OPEN, or opened the channel itself.
    pub(in crate::mux) fn is_answered(&self) -> bool {
        !matches!(self.stage, Stage::OpenPending(_) | Stage::OpenSent(_))
    }

    /// Whether the answer of this end is REJECT.
    fn is_rejected(&self) -> bool {
        matches!(self.stage, Stage::RejectPending(..) | Stage::Rejected)
    }

    /// The alias that the application chose, while it is not announced.
    pub(in crate::mux) fn chosen_alias(&self) -> Option<u32> {
        match &self.stage {
            Stage::OpenPending(options) => options.alias,
            Stage::AcceptPending(options) => options.alias,
            _ => None,
        }
    }

    /// Drops pending credit frames, except for one that carries an acknowledgement.
    pub(in crate::mux) fn grants_no_more(&mut self) {
        self.pending.unset(Pending::NARROW);
        if self.recv.ack.is_none() {
            self.pending.unset(Pending::CREDIT);
        }
    }

    /// Finishes the sending half: FIN follows the queued messages.
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

    /// Aborts the sending half: drops the queue and sends RESET(ABORT) with `code`.
    pub(in crate::mux) fn abort(&mut self, code: ErrorCode) -> Effects {
        if !self.send.state.is_active() {
            return Effects::NONE;
        }
        self.send.blocked_since = None;
        self.pending.unset(Pending::BLOCKED | Pending::RETURN);
        if self.is_rejected() {
            // REJECT ends both halves; no RESET is needed.
            self.pending.unset(Pending::ABORT);
            self.send.state = SendState::Aborted;
        } else {
            self.pending.set(Pending::ABORT);
            self.send.state = SendState::Aborting(code);
        }
        Effects::DISCARD | Effects::CONTROL
    }

    /// The peer stopped the sending half. Returns whether it was active before.
    pub(in crate::mux) fn stopped(&mut self, code: ErrorCode) -> (bool, Effects) {
        if !self.send.state.is_active() {
            return (false, Effects::NONE);
        }
        self.send.stopped = Some(code);
        (true, self.abort(code))
    }

    /// Stops the receiving half: sends RESET(STOP) with `code`. Received messages stay charged
    /// until they are released.
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

    /// The peer's half ended with FIN. Returns whether to report it.
    pub(in crate::mux) fn finished(&mut self) -> (bool, Effects) {
        let report = self.attached && self.recv.state == RecvState::Receiving;
        self.recv.state = RecvState::Finished;
        self.pending.unset(Pending::STOP);
        self.grants_no_more();
        (report, Effects::RESERVE | Effects::CHECK_CLOSED)
    }

    /// The peer aborted its half. Returns whether to report it.
    pub(in crate::mux) fn aborted(&mut self) -> (bool, Effects) {
        if self.recv.state.is_terminal() {
            return (false, Effects::NONE);
        }
        let report = self.attached && self.recv.state == RecvState::Receiving;
        self.recv.state = RecvState::Aborted;
        self.pending.unset(Pending::STOP);
        self.grants_no_more();
        (report, Effects::DROP_PARTIAL | Effects::RESERVE)
    }

    /// Whether this end asked the peer to stop sending.
    pub(in crate::mux) fn is_stopping(&self) -> bool {
        matches!(self.recv.state, RecvState::Stopping(_))
    }

    /// Whether the channel is wasted: the peer opened it and ended both halves within `age_max`
    /// without a message, or reset it before this end's answer was sent. Counted once.
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

    /// The peer announced a limit.
    pub(in crate::mux) fn raise(&mut self, limit: u64) -> Effects {
        if !self.send.credit.raise(limit) {
            return Effects::NONE;
        }
        self.unblock();
        Effects::SCHEDULE
    }

    /// The credit has grown: the channel is not blocked any more.
    pub(in crate::mux) fn unblock(&mut self) {
        self.send.unblock();
        self.pending.unset(Pending::BLOCKED);
    }

    /// The peer is blocked at this limit.
    pub(in crate::mux) fn peer_blocked(&mut self, limit: u64) -> Effects {
        let recv = &mut self.recv;
        recv.blocked_received = recv.blocked_received.saturating_add(1);
        if recv.state != RecvState::Receiving {
            return Effects::NONE;
        }
        // The peer has not received the last limit yet: announce it again, with new credit.
        let in_flight = recv.credit.limit() > limit;
        if !in_flight {
            recv.credit.peer_blocked();
        }
        if !in_flight && !recv.credit.is_due() {
            return Effects::NONE;
        }
        self.pending.set(Pending::CREDIT);
        Effects::CONTROL
    }

    /// Queues CREDIT, for a new limit or an acknowledgement.
    pub(in crate::mux) fn credit_due(&mut self) -> Effects {
        self.pending.set(Pending::CREDIT);
        Effects::CONTROL
    }

    /// The application released a message. Closing the channel has already released all.
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

    /// The receiver asks for unused credit: returns all but `keep` with RETURN, if nothing is
    /// queued.
    pub(in crate::mux) fn narrow(&mut self, keep: u64) -> Effects {
        let send = &mut self.send;
        let unused = send.state == SendState::Sending && send.is_idle();
        if !unused || !send.credit.return_unused(keep) {
            return Effects::NONE;
        }
        self.pending.set(Pending::RETURN);
        Effects::CONTROL
    }

    /// The peer returned unused credit: all up to `total` counts as charged.
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

    /// Queues NARROW, to ask the peer for unused window growth.
    pub(in crate::mux) fn queue_narrow(&mut self) -> Effects {
        self.pending.set(Pending::NARROW);
        Effects::CONTROL
    }

    /// Acknowledges the peer's messages below `seq`.
    pub(in crate::mux) fn acknowledge(&mut self, seq: u64) -> Effects {
        if self.is_closed() || self.recv.state == RecvState::None {
            return Effects::NONE;
        }
        self.recv.ack = Some(seq);
        self.credit_due()
    }

    /// Restarts the numbering of sent messages, and queues SEQ.
    pub(in crate::mux) fn rebase(&mut self, epoch: u64, next_seq: u64) -> Effects {
        self.send.rebase(epoch, next_seq);
        self.pending.set(Pending::SEQ);
        Effects::CONTROL
    }

    /// The peer restarted its numbering. `false`: the half is stopped, nothing to report.
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

    /// Checks a received frame that costs `bytes`. Returns the number of its message.
    pub(in crate::mux) fn admit(
        &self,
        data: &wire::Data<'_>,
        bytes: u64,
    ) -> Result<u64, ChannelViolation> {
        let (recv, alias) = (&self.recv, data.alias);
        recv.takes_data(alias)?;
        let received = recv.partial.as_ref().map_or(0, |p| p.bytes.len());
        if data.payload.len() + received > recv.message_max as usize {
            return Err(ChannelViolation::MessageTooLarge);
        }
        let fin_alone = data.fin && data.payload.is_empty();
        if fin_alone && recv.partial.is_some() {
            return Err(ChannelViolation::InsideMessage(alias));
        }
        // The last fragment is charged for the message, but credit must be left at the first.
        let spent = recv.credit.charged() >= recv.credit.limit();
        if self.unit == Unit::Messages && !fin_alone {
            if spent {
                return Err(ChannelViolation::ChannelCredit(alias));
            }
            // Where bytes are counted, the window bounds the cost of fragments.
            if recv.costs_too_much(bytes) {
                return Err(ChannelViolation::MessageTooLarge);
            }
        }
        recv.number_behind(data.skip)
    }

    /// Checks a received run. Returns the number of its first message.
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

    /// The application closed the channel: all received messages count as released.
    pub(in crate::mux) fn detach(&mut self) -> Effects {
        let backlog = self.recv.credit.backlog();
        self.recv.credit.consume(backlog);
        self.attached = false;
        self.grants_no_more();
        self.recv.sub_held(u32::MAX);
        Effects::RESERVE
    }

    /// The codes of the pending ABORT and STOP, if the halves are still in those states. ABORT ends
    /// the sending half.
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

    /// Checks how long the channel is blocked: after `blocked_after`, queues CREDIT(BLOCKED).
    /// Returns whether another sweep is needed.
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

// A thousand idle channels take about 390 KB.
const _: () = assert!(size_of::<Channel>() <= 392, "channels are small");
