//! The control queue: frames that need no credit and go before all data (rule R16).

use super::super::channel::{Effects, Pending, RecvState, Stage};
use super::super::error::ErrorCode;
use super::super::event::Event;
use super::super::open::{Mode, OpenOptions, Unit};
use super::super::slots::Key;
use super::super::wire::{self, CreditKind, Direction, Hello, Profile};
use super::incoming::UNUSED_AFTER;
use super::{Mux, MuxState};

impl Mux {
    pub(super) fn control_pending(&self) -> bool {
        self.liveness.ping_pending()
            || self.outgoing.goaway_pending()
            || self.opens.rejects_pending()
            || self.outgoing.control_pending()
    }

    /// Appends pending control frames, as far as the record has room.
    pub(super) fn put_control(&mut self, peer: &Hello) {
        if !self.control_pending() {
            return;
        }
        self.put_pings();
        while self.outgoing.room() >= wire::REJECT_BYTES_MAX
            && let Some(alias) = self.opens.next_reject()
        {
            wire::put_reject(self.outgoing.frame(), alias, ErrorCode::LIMIT.0, &[]);
        }
        // The loop ends: it only adds waiting OPENs, which leave the waiting list, and NARROW
        // frames, at most one per channel and second.
        while let Some(index) = self.outgoing.next_control() {
            let Some(key) = self.slots.key_at(index) else {
                continue; // it has ended since
            };
            if !self.put_channel_control(key, peer) {
                self.outgoing.requeue_control(key);
                break;
            }
        }
        if self.state == MuxState::Draining && !self.outgoing.control_pending() {
            self.outgoing.put_pending_goaway(self.opens.seen());
        }
    }

    fn put_pings(&mut self) {
        if self.outgoing.room() >= wire::PING_BYTES
            && let Some(value) = self.liveness.take_ping(self.now)
        {
            wire::put_ping(self.outgoing.frame(), value, false);
        }
        if self.outgoing.room() >= wire::PING_BYTES
            && let Some(value) = self.liveness.take_pong()
        {
            wire::put_ping(self.outgoing.frame(), value, true);
        }
    }

    fn put_credit(&mut self, alias: u32, kind: CreditKind, total: u64, ack: Option<u64>) {
        let credit = wire::Credit {
            alias,
            kind,
            total,
            ack,
        };
        wire::put_credit(self.outgoing.frame(), &credit);
    }

    /// Appends the channel's pending control frames. `false`: the record is full, and some are
    /// still pending.
    fn put_channel_control(&mut self, key: Key, peer: &Hello) -> bool {
        if self.slots[key].pending.has(Pending::OPENING) {
            self.slots[key].pending.unset(Pending::OPENING);
            let done = self.put_opening(key, peer);
            if self.slots.key_at(key.index()).is_none() {
                return true; // the channel was removed
            }
            if !done {
                self.slots[key].pending.set(Pending::OPENING);
                return false;
            }
        }
        let room = self.outgoing.room();
        let channel = &mut self.slots[key];
        let Some(alias) = channel.local_alias else {
            // Without an alias, no frame can name the channel; its frames stay pending until it has
            // one.
            channel.in_control_queue = false;
            return true;
        };
        if room < channel.pending.bytes_max() {
            return false;
        }
        channel.in_control_queue = false;
        let pending = core::mem::take(&mut channel.pending);
        if pending.has(Pending::SEQ) {
            let (epoch, next_seq) = (channel.send.numbers.epoch(), channel.send.numbers.next());
            wire::put_seq(self.outgoing.frame(), alias, epoch, next_seq);
        }
        self.put_credits(key, alias, pending);
        if pending.has(Pending::ABORT) || pending.has(Pending::STOP) {
            self.put_reset(key, alias, pending);
        }
        true
    }

    /// Appends CREDIT of all kinds, for the sending and the receiving half.
    fn put_credits(&mut self, key: Key, alias: u32, pending: Pending) {
        if pending.has(Pending::RETURN) {
            let total = self.slots[key].send.credit.charged();
            self.put_credit(alias, CreditKind::Return, total, None);
        }
        if pending.has(Pending::BLOCKED) {
            let total = self.slots[key].send.credit.limit();
            self.put_credit(alias, CreditKind::Blocked, total, None);
        }
        if pending.has(Pending::CREDIT) {
            self.widen(key);
            let recv = &mut self.slots[key].recv;
            let (total, ack) = (recv.credit.announce(), recv.ack.take());
            self.put_credit(alias, CreditKind::Grant, total, ack);
        }
        if pending.has(Pending::NARROW) {
            self.put_narrow(key, alias);
        }
    }

    /// Appends NARROW, if the window is still enlarged and unused.
    fn put_narrow(&mut self, key: Key, alias: u32) {
        let recv = &mut self.slots[key].recv;
        if !recv.is_wide_and_idle(UNUSED_AFTER, self.now) {
            return;
        }
        recv.credit.withdraw_unannounced();
        let (keep, is_enlarged) = (recv.credit.initial(), recv.credit.has_grown());
        self.apply(key, Effects::RESERVE);
        if is_enlarged {
            self.put_credit(alias, CreditKind::Narrow, keep, None);
        }
    }

    /// Enlarges the window that limits a channel, before a new limit is announced, by bytes that no
    /// other channel needs. If few are left, asks channels with unused growth to return it.
    fn widen(&mut self, key: Key) {
        let channel = &mut self.slots[key];
        let tunes = self.config.auto_tune && !channel.conflate && channel.unit == Unit::Bytes;
        let Some(rtt) = self.liveness.rtt_min().filter(|_| tunes) else {
            return;
        };
        let credit = &mut channel.recv.credit;
        let max = self.config.channel_window_bytes_max.into();
        let wanted = credit.growth(self.now, rtt, max);
        // Half of what is spare: the rest is for the next channel that grows.
        let by = wanted.min(self.incoming.spare() / 2);
        // Not in small steps, which would soon be too small.
        if by < wanted.min(credit.initial() / 4) {
            self.reclaim();
        } else if credit.grow(by, self.now) {
            self.apply(key, Effects::RESERVE);
        }
    }

    /// Asks channels with unused window growth to return it.
    fn reclaim(&mut self) {
        if !self.incoming.may_reclaim(self.now) {
            return;
        }
        let mut at = 0;
        while let Some((key, next)) = self.slots.next_from(at) {
            at = next;
            if self.slots[key]
                .recv
                .is_wide_and_idle(UNUSED_AFTER, self.now)
            {
                let effects = self.slots[key].queue_narrow();
                self.apply(key, effects);
            }
        }
    }

    fn put_reset(&mut self, key: Key, alias: u32, pending: Pending) {
        let [aborted, stopped] = self.slots[key].reset_codes(pending);
        let mut put = |code: ErrorCode, abort: bool, stop: bool| {
            let reset = wire::Reset {
                alias,
                code: code.0,
                abort,
                stop,
            };
            wire::put_reset(self.outgoing.frame(), &reset);
        };
        match (aborted, stopped) {
            (Some(a), Some(s)) if a == s => put(a, true, true),
            (aborted, stopped) => {
                if let Some(code) = stopped {
                    put(code, false, true);
                }
                if let Some(code) = aborted {
                    put(code, true, false);
                }
            }
        }
        self.apply(key, Effects::CHECK_CLOSED);
    }

    /// Appends OPEN, ACCEPT or REJECT. `false`: the record is full.
    fn put_opening(&mut self, key: Key, peer: &Hello) -> bool {
        match &self.slots[key].stage {
            Stage::OpenPending(_) => self.put_open(key, peer),
            Stage::AcceptPending(_) => self.put_accept(key, peer),
            Stage::RejectPending(..) => self.put_reject(key),
            _ => true,
        }
    }

    fn put_open(&mut self, key: Key, peer: &Hello) -> bool {
        if !self.opens.may_open_after(0, peer) {
            self.opens.wait(key);
            return true;
        }
        let channel = &mut self.slots[key];
        let Stage::OpenPending(options) = channel.stage.clone() else {
            return true;
        };
        let needs = needed_features(&options);
        let alias = if peer.features & needs == needs {
            self.opens.take_alias(options.alias, peer)
        } else {
            None
        };
        let Some(alias) = alias else {
            self.refuse_local(key, ErrorCode::REFUSED);
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
        if len > self.outgoing.room() {
            if options.alias.is_none() {
                self.opens.free_alias(alias);
            }
            let never = len > self.outgoing.record_max();
            if never {
                // It fits no record that the peer accepts: its HELLO came after the call.
                self.refuse_local(key, ErrorCode::REFUSED);
            }
            return never;
        }
        wire::put_open(self.outgoing.frame(), &open);
        let number = self.opens.opened(alias, key);
        let limits = self.opens.initial_limits(self.slots[key].unit);
        self.slots[key].opened(number, alias, limits);
        self.apply(key, Effects::SCHEDULE);
        self.admit_waiting();
        true
    }

    fn put_accept(&mut self, key: Key, peer: &Hello) -> bool {
        let channel = &mut self.slots[key];
        let (Stage::AcceptPending(options), Some(peer_alias)) =
            (channel.stage.clone(), channel.peer_alias)
        else {
            return true;
        };
        let Some(alias) = self.opens.take_alias(options.alias, peer) else {
            // The peer's `aliases_max` is reached.
            return self.put_reject_accepted(key);
        };
        let accept = wire::Accept {
            peer_alias,
            alias,
            limit: if channel.recv.state == RecvState::None {
                0
            } else {
                channel.recv.credit.announce()
            },
            max_msg: channel.recv.message_max.into(),
            options: options.to_wire(),
        };
        let len = wire::accept_len(&accept);
        if len > self.outgoing.room() {
            if options.alias.is_none() {
                self.opens.free_alias(alias);
            }
            if len <= self.outgoing.record_max() {
                return false;
            }
            // `limit_records` was called meanwhile.
            return self.put_reject_accepted(key);
        }
        wire::put_accept(self.outgoing.frame(), &accept);
        self.opens.answered_peer();
        self.opens.bind_local(alias, key);
        let effects = self.slots[key].answered(alias);
        self.apply(key, effects);
        true
    }

    /// Rejects a channel that the application has accepted, and reports it.
    fn put_reject_accepted(&mut self, key: Key) -> bool {
        let channel = &mut self.slots[key];
        if let Some(alias) = channel.chosen_alias() {
            self.opens.free_alias(alias);
        }
        let effects = channel.reject_accepted(ErrorCode::LIMIT);
        if channel.attached {
            self.incoming.push_event(Event::Rejected {
                channel: channel.id,
                code: ErrorCode::LIMIT,
                unprocessed: true,
                metadata: &[],
            });
        }
        self.apply(key, effects);
        self.put_reject(key)
    }

    fn put_reject(&mut self, key: Key) -> bool {
        let (room, max) = (self.outgoing.room(), self.outgoing.record_max());
        let channel = &mut self.slots[key];
        let (code, mut metadata) = match &channel.stage {
            Stage::RejectPending(code, metadata) => (*code, metadata.as_slice()),
            _ => (ErrorCode::REFUSED, [].as_slice()),
        };
        if wire::reject_len(metadata) > max {
            metadata = &[]; // it fits no record that the peer accepts
        }
        if wire::reject_len(metadata) > room {
            return false;
        }
        if let Some(alias) = channel.peer_alias {
            wire::put_reject(self.outgoing.frame(), alias, code.0, metadata);
        }
        self.opens.answered_peer();
        let effects = channel.reject_sent();
        self.apply(key, effects);
        true
    }
}

fn needed_features(options: &OpenOptions) -> u64 {
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
