//! Records out: control frames first, then data by turn, as late as can be.

use alloc::vec::Vec;
use core::time::Duration;

use super::super::channel::{Channel, Pending, SendState, Stage};
use super::super::config::Settings;
use super::super::error::{Code, Failure};
use super::super::event::Event;
use super::super::open::{Mode, Unit};
use super::super::queue::Spare;
use super::super::wire::{self, Direction, Hello, Profile};
use super::{Connection, Phase, Record};
use crate::time::Timestamp;

impl Connection {
    /// Whether [`Self::poll_record`] has anything to give.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        match self.phase {
            Phase::Over(_) => false,
            Phase::Failing(_) => true,
            _ if !self.hello_sent => true,
            _ if self.peer.is_none() => false,
            _ => {
                !self.record.is_empty()
                    || !self.schedule.is_empty()
                    || self.control_waits()
                    || self.may_wake()
            }
        }
    }

    fn control_waits(&self) -> bool {
        self.pong.is_some()
            || self.ping.due
            || self.credit_due
            || self.blocked_due
            || self.goodbye.is_some()
            || !self.rejects.is_empty()
            || !self.control.is_empty()
    }

    /// The next record to send, filled with all that may go: as one message, now. Call it only
    /// while the layer below has room.
    pub fn poll_record(&mut self, now: Timestamp) -> Option<Record<'_>> {
        self.now = self.now.max(now);
        self.held_back = false;
        if matches!(self.phase, Phase::Over(_)) {
            return None;
        }
        if !core::mem::replace(&mut self.hello_sent, true) {
            let hello = self.own_hello();
            wire::put_hello(&mut self.record, &hello);
        }
        let mut shared = None;
        if let Phase::Failing(failure) = self.phase {
            self.put_goodbye(self.record_max());
            // Behind a record that is full of messages it has one of its own.
            if self.goodbye.is_none() {
                let record = core::mem::take(&mut self.record);
                self.finish(failure);
                self.record = record;
            }
        } else if let Some(peer) = self.takes() {
            let max = self.peer_record_max;
            self.put_control(&peer, max);
            shared = self.put_data(&peer, max);
            if shared.is_none() && self.record.is_empty() {
                // A turn may have ended a half: its RESET.
                self.put_control(&peer, max);
            }
            self.direct = self.schedule.is_empty() && self.starved.is_empty();
        }
        if let Some(frame) = shared {
            self.totals.records_out += 1;
            return Some(Record::Shared(frame));
        }
        if self.record.is_empty() {
            return None;
        }
        self.strip_last_length();
        self.totals.records_out += 1;
        core::mem::swap(&mut self.record, &mut self.out);
        self.record.clear();
        self.carries_data = false;
        Some(Record::Inline(&self.out))
    }

    /// Lets go of the memory that records are made in: it is made again where there is traffic.
    pub fn rest(&mut self) {
        if self.record.is_empty() {
            self.record = Vec::new();
            self.out = Vec::new();
        }
        self.spare = Spare::default();
    }

    /// The last message of a record needs no length: the record's end is its own.
    fn strip_last_length(&mut self) {
        let Some((at, head)) = self.last_data.take() else {
            return;
        };
        let payload = at + usize::from(head);
        let len = self.record.len().saturating_sub(payload);
        if len > STRIP_BYTES_MAX {
            return;
        }
        let width = wire::varint_len(len as u64);
        let Some(&[first, alias]) = self.record.get(at..at + 2) else {
            return;
        };
        if let Some(byte0) = self.record.get_mut(at) {
            *byte0 = first & !LENGTH_FLAG;
        }
        // Type, alias, length, then what stays: the count of skipped messages, the payload.
        let length = at + 1 + (1 << (alias & 3));
        self.record.copy_within(length + width.., length);
        self.record.truncate(self.record.len() - width);
    }

    fn own_hello(&self) -> Hello {
        let settings = &self.settings;
        Hello {
            record_bytes_max: settings.record_bytes_max.into(),
            message_bytes_max: settings.message_bytes_max.into(),
            channels_max: settings.channels_max.into(),
            pending_opens_max: settings.pending_opens_max.into(),
            aliases_max: settings.aliases_max.into(),
            connection_limit: settings.connection_window_bytes.into(),
            channel_limit: settings.channel_window_bytes.into(),
            overhead: settings.frame_overhead_bytes.into(),
            idle_timeout_ms: u64::try_from(settings.idle_timeout.as_millis()).unwrap_or(u64::MAX),
            features: wire::FEATURE_CONFLATE
                | wire::FEATURE_RUN
                | wire::FEATURE_RESUME
                | wire::FEATURE_MSGS,
        }
    }

    pub(super) fn room(&self, max: usize) -> usize {
        max.saturating_sub(self.record.len())
    }

    /// Control frames, none of which needs credit (rule R16).
    fn put_control(&mut self, peer: &Hello, max: usize) {
        if !self.control_waits() {
            return;
        }
        self.last_data = None;
        if self.ping.due && self.room(max) >= wire::PING_BYTES {
            self.ping.due = false;
            self.ping.value += 1;
            self.ping.sent = Some(self.now);
            self.ping.last_sent = Some(self.now);
            wire::put_ping(&mut self.record, self.ping.value, false);
        }
        if self.room(max) >= wire::PING_BYTES
            && let Some(value) = self.pong.take()
        {
            wire::put_ping(&mut self.record, value, true);
        }
        if self.credit_due && self.room(max) >= wire::CREDIT_BYTES_MAX {
            self.credit_due = false;
            self.tune_connection();
            self.peer_waits = false;
            let limit = self.recv.announce();
            self.put_credit(None, false, limit, None);
        }
        if self.blocked_due && self.room(max) >= wire::CREDIT_BYTES_MAX {
            self.blocked_due = false;
            let limit = self.send.limit();
            self.put_credit(None, true, limit, None);
        }
        while self.room(max) >= wire::REJECT_BYTES_MAX
            && let Some(alias) = self.rejects.pop_front()
        {
            wire::put_reject(&mut self.record, alias, Code::LIMIT.0, &[]);
        }
        // What joins meanwhile is an OPEN whose turn has come: it left those that wait.
        while let Some(index) = self.control.pop_front() {
            if !self.put_channel_control(index, peer, max) {
                self.control.push_front(index);
                break;
            }
        }
        if self.phase == Phase::Draining && self.control.is_empty() {
            self.put_goodbye(max);
        }
    }

    fn put_goodbye(&mut self, max: usize) {
        if self.room(max) < wire::GOAWAY_BYTES_MAX {
            return;
        }
        if let Some(goodbye) = self.goodbye.take() {
            let goaway = wire::GoAway {
                opens_seen: self.opens_seen,
                code: goodbye.code.0,
                reason: goodbye.reason,
            };
            self.last_data = None;
            wire::put_goaway(&mut self.record, &goaway);
        }
    }

    fn tune_connection(&mut self) {
        if self.settings.auto_tune
            && let Some(rtt) = self.ping.least
        {
            let max = self.settings.connection_window_bytes_max.into();
            self.recv.tune(self.now, rtt, max);
        }
    }

    fn put_credit(&mut self, alias: Option<u32>, blocked: bool, limit: u64, ack: Option<u64>) {
        let credit = wire::Credit {
            alias,
            blocked,
            limit,
            ack,
        };
        wire::put_credit(&mut self.record, &credit);
    }

    /// What the channel has to say. `false`: the record is full, and it has not said all.
    fn put_channel_control(&mut self, index: u32, peer: &Hello, max: usize) -> bool {
        let opening = self
            .slots
            .at(index)
            .is_some_and(|c| c.pending.has(Pending::OPENING));
        if opening && !self.put_opening(index, peer, max) {
            return false;
        }
        let room = self.room(max);
        let Some(channel) = self.slots.at_mut(index) else {
            return true;
        };
        let needed = wire::SEQ_BYTES_MAX + 2 * wire::CREDIT_BYTES_MAX + wire::RESET_BYTES_MAX;
        let Some(alias) = channel.own_alias else {
            // Nothing can be said of it yet; what waits goes when it has an alias.
            channel.in_control = false;
            return true;
        };
        if room < needed && !channel.pending.is_empty() {
            return false;
        }
        channel.in_control = false;
        let pending = core::mem::take(&mut channel.pending);
        if pending.has(Pending::SEQ) {
            let (epoch, next_seq) = (channel.send.epoch, channel.send.next_seq);
            wire::put_seq(&mut self.record, alias, epoch, next_seq);
        }
        if pending.has(Pending::CREDIT) {
            tune(channel, &self.settings, self.now, self.ping.least);
            let (limit, ack) = (channel.recv.credit.announce(), channel.recv.ack.take());
            let credit = wire::Credit {
                alias: Some(alias),
                blocked: false,
                limit,
                ack,
            };
            wire::put_credit(&mut self.record, &credit);
        }
        if pending.has(Pending::BLOCKED) {
            let credit = wire::Credit {
                alias: Some(alias),
                blocked: true,
                limit: channel.send.credit.limit(),
                ack: None,
            };
            wire::put_credit(&mut self.record, &credit);
        }
        let (abort, stop) = (pending.has(Pending::ABORT), pending.has(Pending::STOP));
        if abort || stop {
            self.put_reset(index, alias, abort, stop);
        }
        true
    }

    fn put_reset(&mut self, index: u32, alias: u32, abort: bool, stop: bool) {
        let Some(channel) = self.slots.at_mut(index) else {
            return;
        };
        let aborted = match channel.send.state {
            SendState::Aborting(code) if abort => Some(code),
            _ => None,
        };
        let stopped = match channel.recv.state {
            super::RecvState::Stopping(code) if stop => Some(code),
            _ => None,
        };
        if aborted.is_some() {
            channel.send.state = SendState::Aborted;
        }
        let put = |record: &mut Vec<u8>, code: Code, abort: bool, stop: bool| {
            let reset = wire::Reset {
                alias,
                code: code.0,
                abort,
                stop,
            };
            wire::put_reset(record, &reset);
        };
        match (aborted, stopped) {
            (Some(a), Some(s)) if a == s => put(&mut self.record, a, true, true),
            (aborted, stopped) => {
                if let Some(code) = stopped {
                    put(&mut self.record, code, false, true);
                }
                if let Some(code) = aborted {
                    put(&mut self.record, code, true, false);
                }
            }
        }
        self.settle(index);
    }

    /// OPEN, ACCEPT or REJECT. `false`: the record is full.
    fn put_opening(&mut self, index: u32, peer: &Hello, max: usize) -> bool {
        let Some(channel) = self.slots.at(index) else {
            return true;
        };
        let done = match &channel.stage {
            Stage::Opening(_) => self.put_open(index, peer, max),
            Stage::Accepting(_) => self.put_accept(index, peer, max),
            Stage::Rejecting(..) => self.put_reject(index, max),
            _ => true,
        };
        if done && let Some(channel) = self.slots.at_mut(index) {
            channel.pending.unset(Pending::OPENING);
        }
        done
    }

    /// An alias of ours for the channel: the one that was chosen, or the lowest free one.
    fn take_alias(&mut self, chosen: Option<u32>, peer: &Hello) -> Option<u32> {
        let max = u32::try_from(peer.aliases_max).unwrap_or(u32::MAX);
        match chosen {
            Some(alias) => (alias < max).then_some(alias),
            None => self.own_aliases.take(max),
        }
    }

    fn put_open(&mut self, index: u32, peer: &Hello, max: usize) -> bool {
        if !self.may_open() {
            self.waiting_opens.push_back(index);
            return true;
        }
        let Some(Stage::Opening(options)) = self.slots.at(index).map(|c| c.stage.clone()) else {
            return true;
        };
        let needs = needed_features(&options);
        let alias = if peer.features & needs == needs {
            self.take_alias(options.alias, peer)
        } else {
            None
        };
        let Some(alias) = alias else {
            self.refuse_own(index);
            return true;
        };
        let Some(channel) = self.slots.at_mut(index) else {
            return true;
        };
        let open = wire::Open {
            alias,
            profile: Profile {
                priority: options.priority,
                direction: options.direction,
                messages: channel.unit == Unit::Messages,
                conflate: channel.conflate,
                resumable: options.resumable,
            },
            align: 0,
            limit: if options.direction == Direction::OpenerSends {
                0
            } else {
                channel.recv.credit.announce()
            },
            max_msg: channel.recv.message_max.into(),
            options: options.to_wire(),
        };
        let len = wire::open_len(&open);
        if len > max.saturating_sub(self.record.len()) {
            if options.alias.is_none() {
                self.own_aliases.give_back(alias);
            }
            if len > max {
                self.refuse_own(index); // it fits no record of the peer's, whose limits came later
            }
            return len > max;
        }
        wire::put_open(&mut self.record, &open);
        self.opens_sent += 1;
        channel.stage = Stage::Asked(self.opens_sent);
        channel.own_alias = Some(alias);
        channel.counted = true;
        self.own_open += 1;
        self.own_unanswered += 1;
        self.own_aliases.bind(alias, index);
        self.announced(index);
        self.make_ready(index);
        self.admit_waiting();
        true
    }

    /// The peer cannot take such a channel: as if it had said so.
    fn refuse_own(&mut self, index: u32) {
        if let Some(channel) = self.slots.at(index) {
            let (id, attached) = (channel.id, channel.attached);
            self.reject_own(index);
            if attached {
                self.events.push_back(Event::Rejected {
                    channel: id,
                    code: Code::REFUSED,
                    unprocessed: true,
                    metadata: &[],
                });
            }
        }
    }

    fn put_accept(&mut self, index: u32, peer: &Hello, max: usize) -> bool {
        let Some((Stage::Accepting(options), Some(peer_alias))) = self
            .slots
            .at(index)
            .map(|c| (c.stage.clone(), c.peer_alias))
        else {
            return true;
        };
        let Some(alias) = self.take_alias(options.alias, peer) else {
            // More channels than the peer has aliases for.
            self.unaccept(index);
            return self.put_reject(index, max);
        };
        let Some(channel) = self.slots.at_mut(index) else {
            return true;
        };
        let accept = wire::Accept {
            peer_alias,
            alias,
            limit: if channel.recv.state == super::RecvState::None {
                0
            } else {
                channel.recv.credit.announce()
            },
            max_msg: channel.recv.message_max.into(),
            options: options.to_wire(),
        };
        let len = wire::accept_len(&accept);
        if len > max.saturating_sub(self.record.len()) {
            if options.alias.is_none() {
                self.own_aliases.give_back(alias);
            }
            if len <= max {
                return false;
            }
            // No record is so long any more: `limit_records`.
            self.unaccept(index);
            return self.put_reject(index, max);
        }
        wire::put_accept(&mut self.record, &accept);
        channel.stage = Stage::Open;
        channel.own_alias = Some(alias);
        self.peer_unanswered -= 1;
        self.own_aliases.bind(alias, index);
        self.make_ready(index);
        self.settle(index);
        true
    }

    /// A channel that the application has accepted must be rejected after all: it is told.
    fn unaccept(&mut self, index: u32) {
        let Some(channel) = self.slots.at_mut(index) else {
            return;
        };
        if let Some(alias) = channel.chosen_alias() {
            self.own_aliases.give_back(alias);
        }
        channel.stage = Stage::Rejecting(Code::LIMIT, Vec::new());
        channel.send.stopped = Some(Code::LIMIT);
        let (id, attached) = (channel.id, channel.attached);
        self.abort_half(index, Code::LIMIT);
        // What has come of a message is given back.
        self.stop_half(index, Code::LIMIT);
        if attached {
            self.events.push_back(Event::Rejected {
                channel: id,
                code: Code::LIMIT,
                unprocessed: true,
                metadata: &[],
            });
        }
    }

    fn put_reject(&mut self, index: u32, max: usize) -> bool {
        let room = self.room(max);
        let Some(channel) = self.slots.at_mut(index) else {
            return true;
        };
        let (code, mut metadata) = match &channel.stage {
            Stage::Rejecting(code, metadata) => (*code, metadata.as_slice()),
            _ => (Code::REFUSED, [].as_slice()),
        };
        if wire::reject_len(metadata) > max {
            metadata = &[]; // it fits no record of the peer's
        }
        if wire::reject_len(metadata) > room {
            return false;
        }
        if let Some(alias) = channel.peer_alias {
            wire::put_reject(&mut self.record, alias, code.0, metadata);
        }
        channel.stage = Stage::Rejected;
        channel.send.state = SendState::Aborted;
        channel.recv.state = super::RecvState::Aborted;
        self.peer_unanswered -= 1;
        self.settle(index);
        true
    }

    /// The end that a drain came to, or a failure.
    pub(super) fn ended_by(&self) -> Option<Failure> {
        self.failure().or(self.drained_by)
    }
}

/// Payloads from which the length of a record's last message is not worth moving them for.
const STRIP_BYTES_MAX: usize = 256;
/// DATA: a length follows.
const LENGTH_FLAG: u8 = 0x10;

fn needed_features(options: &super::super::open::OpenOptions) -> u64 {
    let mut needed = 0;
    if options.mode == Mode::Conflated {
        needed |= wire::FEATURE_CONFLATE;
    }
    if options.resumable {
        needed |= wire::FEATURE_RESUME;
    }
    if options.unit_or_default() == Unit::Messages {
        needed |= wire::FEATURE_MSGS;
    }
    needed
}

/// Widens the window of a channel that it holds back.
fn tune(channel: &mut Channel, settings: &Settings, now: Timestamp, rtt: Option<Duration>) {
    if settings.auto_tune
        && !channel.conflate
        && channel.unit == Unit::Bytes
        && let Some(rtt) = rtt
    {
        let max = settings.channel_window_bytes_max.into();
        channel.recv.credit.tune(now, rtt, max);
    }
}
