//! Records out: control frames first, then data by turn, as late as can be.

use super::super::channel::{Channel, Pending, SendState, Stage};
use super::super::credit;
use super::super::error::{Code, Failure};
use super::super::event::Event;
use super::super::open::{Mode, Resumption, Unit};
use super::super::queue::Front;
use super::super::schedule::QUANTUM_BYTES;
use super::super::wire::{self, Answer, Direction, Hello, Options, Profile};
use super::commands::{RUN_HEAD_MAX, SHARED_BYTES_MIN};
use super::{Connection, Phase, Record};

/// Bytes of a record that must be left for another frame to be begun: a head and something.
const FRAME_ROOM_MIN: usize = 24;

/// What became of a channel's turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Turn {
    /// Nothing more to send, or no credit of the channel's own.
    Done,
    /// It has had its share.
    Spent,
    /// The record is full.
    Full,
    /// The connection's credit is out.
    Starved,
}

/// What the next frame of a channel can be.
enum Cut {
    /// Payload bytes.
    Take(usize),
    Not(Turn),
}

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
                    || self.starved.iter().any(|&index| self.is_covered(index))
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
    pub fn poll_record(&mut self, now: crate::Timestamp) -> Option<Record<'_>> {
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
            self.put_goodbye(1 << 10);
            let record = core::mem::take(&mut self.record);
            self.finish(failure);
            self.record = record;
        } else if let Some(peer) = self.peer {
            let max = peer.record_bytes_max as usize;
            self.put_control(&peer, max);
            shared = self.put_data(&peer, max);
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
        Some(Record::Inline(&self.out))
    }

    /// Lets go of the memory that records are made in: for a connection that is idle.
    pub fn rest(&mut self) {
        if self.record.is_empty() {
            self.record = alloc::vec::Vec::new();
            self.out = alloc::vec::Vec::new();
        }
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
        if let Some(first) = self.record.get_mut(at) {
            *first &= !LENGTH_FLAG;
            self.record.copy_within(payload.., payload - width);
            self.record.truncate(payload - width + len);
        }
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

    fn room(&self, max: usize) -> usize {
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
            wire::put_ping(&mut self.record, self.ping.value, false);
        }
        if self.room(max) >= wire::PING_BYTES
            && let Some(value) = self.pong.take()
        {
            wire::put_ping(&mut self.record, value, true);
        }
        if self.credit_due && self.room(max) >= wire::CREDIT_BYTES_MAX {
            self.credit_due = false;
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
            wire::put_reject(&mut self.record, alias, Code::LIMIT.0);
        }
        let mut left = self.control.len();
        while left > 0
            && let Some(index) = self.control.pop_front()
        {
            left -= 1;
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
        let put = |record: &mut alloc::vec::Vec<u8>, code: Code, abort: bool, stop: bool| {
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
            Stage::Rejecting(_) => self.put_reject(index, max),
            _ => true,
        };
        if done && let Some(channel) = self.slots.at_mut(index) {
            channel.pending.take(Pending::OPENING);
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
            options: Options {
                ttl_ms: match options.mode {
                    Mode::Ttl(ttl) => u64::try_from(ttl.as_millis()).ok(),
                    _ => None,
                },
                resume: options.resume.map(|r| (r.epoch, r.next_seq)),
                topic: &options.topic,
                metadata: &options.metadata,
                answer: None,
                wants: None,
            },
        };
        if wire::open_len(&open) > max.saturating_sub(self.record.len()) {
            if options.alias.is_none() {
                self.own_aliases.give_back(alias);
            }
            return false;
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
            let id = channel.id;
            self.reject_own(index);
            self.events.push_back(Event::Rejected {
                channel: id,
                code: Code::REFUSED,
                unprocessed: true,
            });
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
            if let Some(channel) = self.slots.at_mut(index) {
                channel.stage = Stage::Rejecting(Code::LIMIT);
            }
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
            options: Options {
                metadata: &options.metadata,
                answer: options.resumption.map(|answer| match answer {
                    Resumption::Replay { from } => Answer::Replay { from },
                    Resumption::Snapshot { seq } => Answer::Snapshot { seq },
                    Resumption::Fresh { epoch, seq } => Answer::Fresh { epoch, seq },
                }),
                wants: options.wants,
                ..Options::default()
            },
        };
        if wire::accept_len(&accept) > max.saturating_sub(self.record.len()) {
            if options.alias.is_none() {
                self.own_aliases.give_back(alias);
            }
            return false;
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

    fn put_reject(&mut self, index: u32, max: usize) -> bool {
        if self.room(max) < wire::REJECT_BYTES_MAX {
            return false;
        }
        let Some(channel) = self.slots.at_mut(index) else {
            return true;
        };
        let code = match channel.stage {
            Stage::Rejecting(code) => code,
            _ => Code::REFUSED,
        };
        if let Some(alias) = channel.peer_alias {
            wire::put_reject(&mut self.record, alias, code.0);
        }
        channel.stage = Stage::Rejected;
        channel.send.state = SendState::Aborted;
        channel.recv.state = super::RecvState::Aborted;
        self.peer_unanswered -= 1;
        self.settle(index);
        true
    }

    /// Whether the connection's credit covers the next message of the channel.
    fn is_covered(&self, index: u32) -> bool {
        let (Some(peer), Some(channel)) = (&self.peer, self.slots.at(index)) else {
            return false;
        };
        let send = &channel.send;
        let Some(front) = send.queue.as_ref().and_then(|q| q.front()) else {
            return true;
        };
        let free = self.send.available().saturating_sub(self.begun);
        match (front.fresh || front.elem > 0, front.elem) {
            (false, _) => true,
            (true, 0) => free >= whole_charge(front.rest, peer, send.fragment_min),
            (true, elem) => free >= u64::from(elem) + peer.overhead,
        }
    }

    /// Data, by turn, until the record is full. A large shared message is a record of its own.
    fn put_data(&mut self, peer: &Hello, max: usize) -> Option<bytes::Bytes> {
        for _ in 0..self.starved.len() {
            let Some(index) = self.starved.pop_front() else {
                break;
            };
            if !self.is_covered(index) {
                self.starved.push_back(index);
                continue;
            }
            if let Some(channel) = self.slots.at_mut(index) {
                channel.send.starved = false;
                channel.send.in_schedule = true;
                self.schedule.put_back(channel.priority, index);
            }
        }
        // Each turn sends, or takes a channel out, or ends the record.
        while self.room(max) >= FRAME_ROOM_MIN
            && let Some(index) = self.schedule.pop()
        {
            let Some(channel) = self.slots.at_mut(index) else {
                continue;
            };
            let priority = channel.priority;
            channel.send.in_schedule = false;
            if let Some(frame) = own_frame(channel, max) {
                if self.record.is_empty() {
                    if let Some(sent) = self.put_shared(index, peer, frame) {
                        return Some(sent);
                    }
                    continue;
                }
                self.put_back(index);
                break;
            }
            channel.send.deficit += QUANTUM_BYTES;
            let turn = self.take_turn(index, peer, max, priority);
            let Some(channel) = self.slots.at_mut(index) else {
                continue;
            };
            match turn {
                Turn::Done => channel.send.deficit = 0,
                Turn::Spent => {
                    channel.send.in_schedule = true;
                    self.schedule.push(priority, index);
                }
                Turn::Full => {
                    channel.send.deficit -= QUANTUM_BYTES;
                    self.put_back(index);
                    break;
                }
                Turn::Starved => self.starve(index),
            }
        }
        None
    }

    fn put_back(&mut self, index: u32) {
        if let Some(channel) = self.slots.at_mut(index) {
            channel.send.in_schedule = true;
            self.schedule.put_back(channel.priority, index);
        }
    }

    fn starve(&mut self, index: u32) {
        if let Some(channel) = self.slots.at_mut(index) {
            channel.send.starved = true;
            channel.send.deficit = 0;
            self.starved.push_back(index);
            self.blocked_since.get_or_insert(self.now);
            self.sweep_soon();
        }
    }

    /// A whole shared message by reference, if credit covers it.
    fn put_shared(
        &mut self,
        index: u32,
        peer: &Hello,
        frame: bytes::Bytes,
    ) -> Option<bytes::Bytes> {
        let free = self.send.available().saturating_sub(self.begun);
        let channel = self.slots.at_mut(index)?;
        let front = channel.send.queue.as_ref()?.front()?;
        let charge = front.rest as u64 + peer.overhead;
        let units = match channel.unit {
            Unit::Bytes => charge,
            Unit::Messages => 1,
        };
        if channel.send.credit.available() < units {
            self.block(index);
            return None;
        }
        if free < charge {
            self.starve(index);
            return None;
        }
        channel.send.credit.spend(units).ok()?;
        self.send.spend(charge).ok()?;
        self.sent(index, front.rest, 1, charge, true);
        self.make_ready(index);
        Some(frame)
    }

    fn block(&mut self, index: u32) {
        let now = self.now;
        if let Some(channel) = self.slots.at_mut(index) {
            channel.send.blocked_since.get_or_insert(now);
            self.sweep_soon();
        }
    }

    /// Frames of one channel, until it has had its share.
    fn take_turn(&mut self, index: u32, peer: &Hello, max: usize, class: u8) -> Turn {
        loop {
            self.expire(index);
            let room = self.room(max);
            let free = self.send.available().saturating_sub(self.begun);
            let Some(channel) = self.slots.at_mut(index) else {
                return Turn::Done;
            };
            let front = channel.send.queue.as_ref().and_then(|q| q.front());
            let Some(front) = front else {
                return self.put_fin(index, room);
            };
            if channel.send.deficit <= 0 {
                return Turn::Spent;
            }
            if front.elem == 0 && front.fresh && front.rest > channel.send.message_max as usize {
                self.give_up(index);
                return Turn::Done;
            }
            let charge = if front.elem > 0 {
                match cut_run(channel, &front, peer, room, free) {
                    Cut::Take(n) => self.put_run(index, &front, n, peer),
                    Cut::Not(turn) => return self.not_now(index, turn),
                }
            } else {
                match cut_message(channel, &front, peer, room, free) {
                    Cut::Take(n) => self.put_message(index, &front, n, peer),
                    Cut::Not(turn) => return self.not_now(index, turn),
                }
            };
            self.schedule.sent(class, charge);
        }
    }

    fn not_now(&mut self, index: u32, turn: Turn) -> Turn {
        if turn == Turn::Done {
            self.block(index);
        }
        turn
    }

    /// The peer has lowered what it takes: what is queued can never be sent.
    fn give_up(&mut self, index: u32) {
        if let Some(channel) = self.slots.at_mut(index) {
            let channel_id = channel.id;
            channel.send.stopped = Some(Code::SIZE);
            self.abort_half(index, Code::SIZE);
            self.events.push_back(Event::Stopped {
                channel: channel_id,
                code: Code::SIZE,
            });
        }
    }

    /// Drops what has waited for too long.
    fn expire(&mut self, index: u32) {
        let now = self.now;
        let Some(channel) = self.slots.at_mut(index) else {
            return;
        };
        let (Some(ttl), Some(queue)) = (channel.ttl, &mut channel.send.queue) else {
            return;
        };
        let nanos = u64::try_from(ttl.as_nanos()).unwrap_or(u64::MAX);
        let before = queue.bytes();
        let dropped = queue.expire(crate::Timestamp(now.0.saturating_sub(nanos)));
        if dropped > 0 {
            let freed = before - queue.bytes();
            channel.send.skip += dropped;
            channel.send.skipped_total += dropped;
            self.totals.skipped_out += dropped;
            self.dequeued(index, freed);
        }
    }

    /// FIN alone, when all is sent before it was asked for.
    fn put_fin(&mut self, index: u32, room: usize) -> Turn {
        let Some(channel) = self.slots.at_mut(index) else {
            return Turn::Done;
        };
        let (SendState::Finishing, Some(alias)) = (channel.send.state, channel.own_alias) else {
            return Turn::Done;
        };
        if room < FRAME_ROOM_MIN {
            return Turn::Full;
        }
        let skip = core::mem::take(&mut channel.send.skip);
        channel.send.next_seq += skip;
        channel.send.state = SendState::Finished;
        channel.pending.take(Pending::BLOCKED);
        wire::put_data_head(&mut self.record, alias, Some(0), false, true, skip);
        self.last_data = None;
        self.settle(index);
        Turn::Done
    }

    fn put_message(&mut self, index: u32, front: &Front, n: usize, peer: &Hello) -> u64 {
        let charge = n as u64 + peer.overhead;
        let last = n == front.rest;
        let Some(channel) = self.slots.at_mut(index) else {
            return charge;
        };
        let (Some(alias), send) = (channel.own_alias, &mut channel.send) else {
            return charge;
        };
        let Some(queue) = &send.queue else {
            return charge;
        };
        let fin = last && queue.len() == 1 && send.state == SendState::Finishing;
        let skip = core::mem::take(&mut send.skip);
        send.next_seq += skip;
        let at = self.record.len();
        wire::put_data_head(&mut self.record, alias, Some(n), !last, fin, skip);
        self.last_data = (n > 0).then_some((at, (self.record.len() - at) as u8));
        self.record.extend_from_slice(queue.front_bytes(n));
        // What is left of a begun message is counted on, not spent.
        let (begun, left) = match (front.fresh, last) {
            (true, true) => (0, 0),
            (true, false) => {
                let whole = whole_charge(front.rest, peer, send.fragment_min);
                (0, whole.saturating_sub(charge))
            }
            (false, true) => (send.begun_charge, 0),
            (false, false) => (send.begun_charge, send.begun_charge.saturating_sub(charge)),
        };
        send.begun_charge = left;
        self.begun = self.begun - begun + left;
        let units = match channel.unit {
            Unit::Bytes => charge,
            Unit::Messages => u64::from(last),
        };
        let spent = send.credit.spend(units).is_ok() && self.send.spend(charge).is_ok();
        debug_assert!(spent, "cut to the credit at hand");
        if fin {
            send.state = SendState::Finished;
        }
        self.sent(index, n, u64::from(last), charge, false);
        if fin {
            self.settle(index);
        }
        charge
    }

    fn put_run(&mut self, index: u32, front: &Front, n: usize, peer: &Hello) -> u64 {
        let elem = front.elem;
        let count = n as u32 / elem.max(1);
        let charge = n as u64 + peer.overhead;
        let Some(channel) = self.slots.at_mut(index) else {
            return charge;
        };
        let (Some(alias), send) = (channel.own_alias, &mut channel.send) else {
            return charge;
        };
        let Some(queue) = &send.queue else {
            return charge;
        };
        let skip = core::mem::take(&mut send.skip);
        send.next_seq += skip;
        if peer.features & wire::FEATURE_RUN != 0 {
            wire::put_run_head(&mut self.record, alias, elem, Some(count), skip);
            self.last_data = None;
        } else {
            let at = self.record.len();
            wire::put_data_head(&mut self.record, alias, Some(n), false, false, skip);
            self.last_data = Some((at, (self.record.len() - at) as u8));
        }
        self.record.extend_from_slice(queue.front_bytes(n));
        let units = match channel.unit {
            Unit::Bytes => charge,
            Unit::Messages => u64::from(count),
        };
        let spent = send.credit.spend(units).is_ok() && self.send.spend(charge).is_ok();
        debug_assert!(spent, "cut to the credit at hand");
        self.sent(index, n, u64::from(count), charge, false);
        charge
    }

    /// `n` bytes of the message at the front, and `messages` whole ones, are encoded.
    fn sent(&mut self, index: u32, n: usize, messages: u64, charge: u64, shared: bool) {
        let Some(channel) = self.slots.at_mut(index) else {
            return;
        };
        channel.used = true;
        let send = &mut channel.send;
        send.deficit -= charge as i64;
        send.next_seq += messages;
        send.messages += messages;
        send.bytes += n as u64;
        self.totals.messages_out += messages;
        self.totals.bytes_out += n as u64;
        let _ = shared;
        let Some(queue) = &mut send.queue else { return };
        let before = queue.bytes();
        queue.advance(n);
        let freed = before - queue.bytes();
        if freed > 0 {
            self.dequeued(index, freed);
        }
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

/// What a message may cost at most: it is begun only when both windows cover that, so that
/// begun messages never wait for each other's credit.
fn whole_charge(len: usize, peer: &Hello, fragment_min: u32) -> u64 {
    credit::message_charge(len as u64, peer.overhead, fragment_min.into())
}

/// The shared frame at the front of the queue, if it can be a record as it is.
fn own_frame(channel: &Channel, max: usize) -> Option<bytes::Bytes> {
    let queue = channel.send.queue.as_ref()?;
    let frame = queue.front_frame()?;
    let fits = frame.frame().len() <= max
        && frame.payload().len() >= SHARED_BYTES_MIN
        && channel.own_alias == Some(frame.alias())
        && channel.send.skip == 0
        && channel.send.state == SendState::Sending;
    fits.then(|| frame.frame().clone())
}

/// How much of a message goes into the record now.
fn cut_message(channel: &Channel, front: &Front, peer: &Hello, room: usize, free: u64) -> Cut {
    let send = &channel.send;
    let head = wire::data_head_len(channel.own_alias.unwrap_or(0), Some(front.rest), send.skip);
    let fits = head + front.rest <= room;
    let fragment = (send.fragment_min as usize).max(1);
    if front.fresh {
        let cost = if fits {
            front.rest as u64 + peer.overhead
        } else {
            whole_charge(front.rest, peer, send.fragment_min)
        };
        let units = match channel.unit {
            Unit::Bytes => cost,
            Unit::Messages => 1,
        };
        if send.credit.available() < units {
            return Cut::Not(Turn::Done);
        }
        if free < cost {
            return Cut::Not(Turn::Starved);
        }
    }
    if fits {
        return Cut::Take(front.rest);
    }
    let room = room.saturating_sub(head);
    if room < fragment || front.rest <= fragment {
        return Cut::Not(Turn::Full);
    }
    // The last fragment may be short, but not for want of a byte of room here.
    Cut::Take(room.min(front.rest))
}

/// How many bytes of a run, in whole elements, go into the record now.
fn cut_run(channel: &Channel, front: &Front, peer: &Hello, room: usize, free: u64) -> Cut {
    let send = &channel.send;
    let elem = front.elem as usize;
    let waiting = front.rest / elem.max(1);
    let head = RUN_HEAD_MAX + if send.skip > 0 { 8 } else { 0 };
    let by_room = room.saturating_sub(head) / elem.max(1);
    let payload = |credit: u64| {
        let bytes = credit.saturating_sub(peer.overhead) as usize;
        bytes / elem.max(1)
    };
    let by_channel = match channel.unit {
        Unit::Bytes => payload(send.credit.available()),
        Unit::Messages => usize::try_from(send.credit.available()).unwrap_or(usize::MAX),
    };
    let by_connection = payload(free);
    // Not in slivers: all that waits, or a fragment's worth, or one.
    let least = waiting.min((send.fragment_min as usize / elem.max(1)).max(1));
    if by_channel < least {
        return Cut::Not(Turn::Done);
    }
    if by_connection < least {
        return Cut::Not(Turn::Starved);
    }
    if by_room < least {
        return Cut::Not(Turn::Full);
    }
    let most = if peer.features & wire::FEATURE_RUN == 0 {
        1
    } else {
        usize::MAX
    };
    let share = (send.deficit.max(0) as usize / elem.max(1)).max(least);
    let count = waiting
        .min(by_room)
        .min(by_channel)
        .min(by_connection)
        .min(share)
        .min(most);
    Cut::Take(count * elem)
}
