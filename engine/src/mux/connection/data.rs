//! Data out: frames of channels by turn, cut to the credit and the room at hand.

use super::super::channel::{Pending, SendState};
use super::super::error::Code;
use super::super::event::Event;
use super::super::open::Unit;
use super::super::queue::Front;
use super::super::schedule::QUANTUM_BYTES;
use super::super::wire::{self, Hello};
use super::Connection;
use super::cut::{Cut, Turn, cut_message, cut_run, own_frame, whole_charge};
use super::sending::DATA_HEAD_MAX;

/// Bytes of a record that must be left for another frame to be begun: a head and something.
const FRAME_ROOM_MIN: usize = 24;

/// Bytes by which a channel may pass its share: the largest record. A larger message, shared
/// and sent as it is, is not paid for with more turns than that.
const DEBT_BYTES_MAX: i32 = 1 << 20;

impl Connection {
    /// Data, by turn, until the record is full. A large shared message is a record of its own.
    pub(super) fn put_data(&mut self, peer: &Hello, max: usize) -> Option<bytes::Bytes> {
        let mut first = self.wake_starved(peer);
        // Each turn sends, or takes a channel out, or pays for what it has sent, or ends the record.
        while self.room(max) >= FRAME_ROOM_MIN
            && let Some(index) = first.take().or_else(|| self.schedule.pop())
        {
            let Some(channel) = self.slots.at_mut(index) else {
                continue;
            };
            let priority = channel.priority;
            channel.send.in_schedule = false;
            if channel.pending.has(Pending::SEQ | Pending::CREDIT) {
                // The record had no room for it. Nothing may overtake a SEQ, nor FIN an
                // acknowledgement.
                self.put_back(index);
                break;
            }
            channel.send.deficit += QUANTUM_BYTES;
            if channel.ttl.is_some() {
                self.expire(index);
            }
            let turn = match self.slots.at(index).and_then(|c| own_frame(c, max)) {
                None => self.take_turn(index, peer, max, priority),
                Some(frame) => match self.put_shared(index, peer, frame) {
                    Ok(sent) => return Some(sent),
                    Err(turn) => turn,
                },
            };
            let Some(channel) = self.slots.at_mut(index) else {
                continue;
            };
            match turn {
                Turn::Done => {
                    channel.send.deficit = 0;
                    channel.send.starved_at = None;
                }
                Turn::Spent => {
                    channel.send.in_schedule = true;
                    self.schedule.push(priority, index);
                    // Paying for what was sent before is a turn, too.
                    self.schedule.sent(priority, 0);
                }
                Turn::Full => {
                    channel.send.deficit -= QUANTUM_BYTES;
                    self.put_back(index);
                    break;
                }
                Turn::Starved => self.starve(index, peer),
            }
        }
        None
    }

    pub(super) fn put_back(&mut self, index: u32) {
        if let Some(channel) = self.slots.at_mut(index) {
            channel.send.in_schedule = true;
            self.schedule.put_back(channel.priority, index);
        }
    }

    /// A whole shared message by reference, in a record of its own, if credit covers it; or what
    /// becomes of the channel's turn.
    fn put_shared(
        &mut self,
        index: u32,
        peer: &Hello,
        frame: bytes::Bytes,
    ) -> Result<bytes::Bytes, Turn> {
        let free = self.free_to_begin();
        let Some(channel) = self.slots.at_mut(index) else {
            return Err(Turn::Done);
        };
        let class = channel.priority;
        let front = channel.send.queue.as_ref().and_then(|q| q.front());
        let len = front.map_or(0, |front| front.rest);
        let charge = len as u64 + peer.overhead;
        let units = match channel.unit {
            Unit::Bytes => charge,
            Unit::Messages => 1,
        };
        if channel.send.deficit <= 0 {
            return Err(Turn::Spent);
        }
        if channel.send.credit.available() < units {
            return Err(self.not_now(index, Turn::Done));
        }
        if free < charge {
            return Err(Turn::Starved);
        }
        if !self.record.is_empty() {
            return Err(Turn::Full);
        }
        let spent = channel.send.credit.spend(units).is_ok() && self.send.spend(charge).is_ok();
        debug_assert!(spent, "there is so much credit");
        self.sent(index, len, 1, charge);
        self.schedule.sent(class, charge);
        self.make_ready(index);
        if let Some(channel) = self.slots.at_mut(index)
            && !channel.send.in_schedule
        {
            channel.send.deficit = 0; // as behind any turn that leaves nothing
        }
        Ok(frame)
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
            let plain = self.put_plain(index, peer, max);
            if plain > 0 {
                self.schedule.sent(class, plain);
            }
            self.expire(index);
            let room = self.room(max);
            let free = self.free_to_begin();
            // A message that fits a record is not cut for what is left of another one: the
            // receiver lends it then, and need not put it together.
            let next = if self.carries_data { max } else { 0 };
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
            let message = match (front.elem, front.fresh) {
                (0, true) => front.rest,
                (0, false) => 0, // it was found to be welcome when it was begun
                (elem, _) => elem as usize,
            };
            if message > channel.send.message_max as usize {
                self.give_up(index);
                return Turn::Done;
            }
            let charge = if front.elem > 0 {
                match cut_run(channel, &front, peer, room, free) {
                    Cut::Take(n) => self.put_run(index, &front, n, peer),
                    Cut::Not(turn) => return self.not_now(index, turn),
                }
            } else {
                match cut_message(channel, &front, peer, (room, next), free) {
                    Cut::Take(n) => self.put_message(index, &front, n, peer),
                    Cut::Not(turn) => return self.not_now(index, turn),
                }
            };
            self.schedule.sent(class, charge);
        }
    }

    /// Whole messages that were copied into the channel's queue, as nearly all are, as far as its
    /// share, credit and the record go; what they cost. What comes next, and what stops it, is
    /// for the general way.
    fn put_plain(&mut self, index: u32, peer: &Hello, max: usize) -> u64 {
        let mut free = self.free_to_begin();
        let Some(channel) = self.slots.at_mut(index) else {
            return 0;
        };
        let send = &mut channel.send;
        let (Some(alias), Some(queue)) = (channel.own_alias, &mut send.queue) else {
            return 0;
        };
        if send.skip != 0 || send.state != SendState::Sending || channel.ttl.is_some() {
            return 0;
        }
        let queued = queue.bytes();
        let (mut messages, mut bytes, mut cost) = (0, 0, 0);
        while send.deficit > 0
            && let Some(payload) = queue.front_plain()
        {
            let (at, len) = (self.record.len(), payload.len());
            let charge = len as u64 + peer.overhead;
            let units = match channel.unit {
                Unit::Bytes => charge,
                Unit::Messages => 1,
            };
            if at + DATA_HEAD_MAX + len > max
                || len > send.message_max as usize
                || free < charge
                || send.credit.spend(units).is_err()
            {
                break;
            }
            wire::put_message_head(&mut self.record, alias, len);
            self.last_data = Some((at, (self.record.len() - at) as u8));
            self.record.extend_from_slice(payload);
            queue.drop_plain();
            free -= charge;
            send.deficit = after(send.deficit, charge);
            messages += 1;
            bytes += len as u64;
            cost += charge;
        }
        if messages == 0 {
            return 0;
        }
        queue.drained();
        queue.give_back(&mut self.spare);
        let freed = queued - queue.bytes();
        send.starved_at = None;
        send.next_seq += messages;
        send.messages += messages;
        send.bytes += bytes;
        channel.used = true;
        self.carries_data = true;
        let spent = self.send.spend(cost).is_ok();
        debug_assert!(spent, "cut to the credit at hand");
        self.dequeued(index, freed);
        cost
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
            let (id, attached) = (channel.id, channel.attached);
            channel.send.stopped = Some(Code::SIZE);
            self.abort_half(index, Code::SIZE);
            if attached {
                self.events.push_back(Event::Stopped {
                    channel: id,
                    code: Code::SIZE,
                });
            }
        }
    }

    /// Drops what has waited for too long on a channel that gets no turn. What stood behind it may
    /// go now.
    pub(super) fn drop_dead(&mut self, index: u32) {
        if self.expire(index) {
            self.starved_least = 0;
            self.make_ready(index);
        }
    }

    /// Drops what has waited for too long: whether anything has.
    fn expire(&mut self, index: u32) -> bool {
        let now = self.now;
        let Some(channel) = self.slots.at_mut(index) else {
            return false;
        };
        let (Some(ttl), Some(queue)) = (channel.ttl, &mut channel.send.queue) else {
            return false;
        };
        let before = queue.bytes();
        let dropped = queue.expire(crate::Timestamp(now.0.saturating_sub(ttl.get())));
        queue.give_back(&mut self.spare);
        if dropped > 0 {
            let freed = before - queue.bytes();
            channel.send.skip += dropped;
            channel.send.skipped_total += dropped;
            self.dequeued(index, freed);
        }
        dropped > 0
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
        channel.pending.unset(Pending::BLOCKED);
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
        // FIN without a payload is no message: an empty one goes before it.
        let fin = last && n > 0 && queue.len() == 1 && send.state == SendState::Finishing;
        let skip = core::mem::take(&mut send.skip);
        send.next_seq += skip;
        let at = self.record.len();
        wire::put_data_head(&mut self.record, alias, Some(n), !last, fin, skip);
        // The length is the head's last part only where there is no skip.
        self.carries_data = true;
        self.last_data = (n > 0 && skip == 0).then_some((at, (self.record.len() - at) as u8));
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
        self.sent(index, n, u64::from(last), charge);
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
        self.carries_data = true;
        if peer.features & wire::FEATURE_RUN != 0 {
            wire::put_run_head(&mut self.record, alias, elem, Some(count), skip);
            self.last_data = None;
        } else {
            let at = self.record.len();
            wire::put_data_head(&mut self.record, alias, Some(n), false, false, skip);
            self.last_data = (skip == 0).then_some((at, (self.record.len() - at) as u8));
        }
        self.record.extend_from_slice(queue.front_bytes(n));
        let units = match channel.unit {
            Unit::Bytes => charge,
            Unit::Messages => u64::from(count),
        };
        let spent = send.credit.spend(units).is_ok() && self.send.spend(charge).is_ok();
        debug_assert!(spent, "cut to the credit at hand");
        self.sent(index, n, u64::from(count), charge);
        charge
    }

    /// `n` bytes of the message at the front, and `messages` whole ones, are encoded.
    fn sent(&mut self, index: u32, n: usize, messages: u64, charge: u64) {
        let Some(channel) = self.slots.at_mut(index) else {
            return;
        };
        channel.used = true;
        let send = &mut channel.send;
        send.starved_at = None;
        send.deficit = after(send.deficit, charge);
        send.next_seq += messages;
        send.messages += messages;
        send.bytes += n as u64;
        let Some(queue) = &mut send.queue else { return };
        let before = queue.bytes();
        queue.advance(n);
        queue.give_back(&mut self.spare);
        let freed = before - queue.bytes();
        if freed > 0 {
            self.dequeued(index, freed);
        }
    }
}

/// What a channel may still send in its turn after what cost `charge`.
#[inline]
fn after(deficit: i32, charge: u64) -> i32 {
    let charge = i32::try_from(charge).unwrap_or(i32::MAX);
    deficit.saturating_sub(charge).max(-DEBT_BYTES_MAX)
}
