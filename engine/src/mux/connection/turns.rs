//! Builds data frames in scheduling order, cut to the credit and the room at hand.

use super::super::channel::{Effects, Pending, SendState};
use super::super::error::ErrorCode;
use super::super::event::Event;
use super::super::queue::Front;
use super::super::schedule::QUANTUM_BYTES;
use super::super::slots::Key;
use super::super::wire::{self, Hello};
use super::Mux;
use super::fragment::{NextFrame, TurnEnd, part_of_message, part_of_run, shared_record};
use crate::time::Timestamp;

/// Free bytes of a record that another frame needs: a head and some payload.
const FRAME_ROOM_MIN: usize = 24;

/// Bytes by which a channel may exceed its quantum: the largest record. A larger message, shared
/// and sent as it is, does not cost more turns than that.
const DEBT_BYTES_MAX: i32 = 1 << 20;

impl Mux {
    /// Appends data in scheduling order until the record is full. A large shared message is
    /// returned as a record of its own.
    pub(super) fn put_turns(&mut self, peer: &Hello) -> Option<bytes::Bytes> {
        // The loop ends: each turn sends, removes a channel from the schedule, reduces a deficit,
        // or ends the record.
        while self.outgoing.room() >= FRAME_ROOM_MIN {
            let index = self.outgoing.next_turn()?;
            let key = self.slots.key_at(index)?;
            let channel = &mut self.slots[key];
            let priority = channel.priority;
            channel.send.in_schedule = false;
            if channel
                .pending
                .has(Pending::SEQ | Pending::CREDIT | Pending::RETURN)
            {
                // The record had no room for these frames. Data must not overtake SEQ or RETURN,
                // nor FIN an acknowledgement.
                self.reschedule(key);
                break;
            }
            channel.send.deficit += QUANTUM_BYTES;
            if channel.ttl.is_some() {
                self.expire(key);
            }
            let (turn, effects) = match shared_record(&self.slots[key], self.outgoing.record_max())
            {
                None => self.take_turn(key, peer, priority),
                Some(frame) => match self.put_shared(key, peer, frame) {
                    Ok(sent) => return Some(sent),
                    Err(turn) => (turn, Effects::NONE),
                },
            };
            let send = &mut self.slots[key].send;
            match turn {
                TurnEnd::Done => send.deficit = 0,
                TurnEnd::QuantumSpent => {
                    send.in_schedule = true;
                    self.outgoing.schedule(priority, key);
                    // A turn that only reduces the deficit counts as a turn.
                    self.outgoing.charge_class(priority, 0);
                }
                TurnEnd::RecordFull => {
                    send.deficit -= QUANTUM_BYTES;
                    self.reschedule(key);
                    break;
                }
            }
            self.apply(key, effects);
        }
        None
    }

    fn reschedule(&mut self, key: Key) {
        let channel = &mut self.slots[key];
        channel.send.in_schedule = true;
        self.outgoing.schedule_first(channel.priority, key);
    }

    /// Sends a whole shared message as a record of its own, if credit covers it; else returns why
    /// the turn ended.
    fn put_shared(
        &mut self,
        key: Key,
        peer: &Hello,
        frame: bytes::Bytes,
    ) -> Result<bytes::Bytes, TurnEnd> {
        let channel = &mut self.slots[key];
        let class = channel.priority;
        let front = channel.send.queue.as_ref().and_then(|q| q.front());
        let len = front.map_or(0, |front| front.rest);
        let charge = len as u64 + peer.overhead;
        let units = channel.unit.cost(charge, 1);
        if channel.send.deficit <= 0 {
            return Err(TurnEnd::QuantumSpent);
        }
        if channel.send.credit.available() < units {
            return Err(self.end_turn(key, TurnEnd::Done));
        }
        if !self.outgoing.is_empty() {
            return Err(TurnEnd::RecordFull);
        }
        self.spend(key, units);
        self.sent(key, len, 1, charge);
        self.outgoing.charge_class(class, charge);
        self.apply(key, Effects::SCHEDULE);
        let send = &mut self.slots[key].send;
        if !send.in_schedule {
            send.deficit = 0; // as after every turn that empties the queue
        }
        Ok(frame)
    }

    /// Spends credit that was checked before.
    fn spend(&mut self, key: Key, units: u64) {
        let spent = self.slots[key].send.credit.spend(units);
        debug_assert!(spent.is_ok(), "cut to the credit at hand");
    }

    /// Appends frames of one channel until its quantum is spent.
    fn take_turn(&mut self, key: Key, peer: &Hello, class: u8) -> (TurnEnd, Effects) {
        loop {
            let charged = self.put_copied(key, peer);
            if charged > 0 {
                self.outgoing.charge_class(class, charged);
            }
            self.expire(key);
            let room = self.outgoing.room();
            let channel = &self.slots[key];
            let front = channel.send.queue.as_ref().and_then(|q| q.front());
            let Some(front) = front else {
                return self.put_fin(key);
            };
            if channel.send.deficit <= 0 {
                return (TurnEnd::QuantumSpent, Effects::NONE);
            }
            let message = match (front.elem, front.at_start) {
                (0, true) => front.rest,
                (0, false) => 0, // checked at its first fragment
                (elem, _) => elem as usize,
            };
            if message > channel.send.message_max as usize {
                return (TurnEnd::Done, self.abort_oversized(key));
            }
            let part = if front.elem > 0 {
                part_of_run(channel, &front, peer, room)
            } else {
                // A message that fits a record of its own is not cut to fill this one: the receiver
                // can lend it then, and need not assemble it.
                let next = self.outgoing.next_room();
                part_of_message(channel, &front, peer, (room, next))
            };
            let n = match part {
                NextFrame::Payload(n) => n,
                NextFrame::End(turn) => return (self.end_turn(key, turn), Effects::NONE),
            };
            let (charge, effects) = if front.elem > 0 {
                (self.put_run(key, &front, n, peer), Effects::NONE)
            } else {
                self.put_message(key, &front, n, peer)
            };
            self.outgoing.charge_class(class, charge);
            if effects.has(Effects::CHECK_CLOSED) {
                return (TurnEnd::Done, effects); // FIN went with the message
            }
        }
    }

    /// Appends whole messages that were copied into the channel's queue, the usual case, as far as
    /// quantum, credit and record allow; returns their cost. Everything else takes the slow path.
    fn put_copied(&mut self, key: Key, peer: &Hello) -> u64 {
        let channel = &mut self.slots[key];
        let send = &mut channel.send;
        let (Some(alias), Some(queue)) = (channel.local_alias, &mut send.queue) else {
            return 0;
        };
        if send.skip != 0 || send.state != SendState::Sending || channel.ttl.is_some() {
            return 0;
        }
        let queued = queue.bytes();
        let (mut messages, mut bytes, mut cost) = (0, 0, 0);
        while send.deficit > 0
            && let Some(payload) = queue.front_copied()
        {
            let len = payload.len();
            let charge = len as u64 + peer.overhead;
            let units = channel.unit.cost(charge, 1);
            if !self.outgoing.fits(len)
                || len > send.message_max as usize
                || send.credit.spend(units).is_err()
            {
                break;
            }
            self.outgoing.put_message_head(alias, len);
            self.outgoing.put_payload(payload);
            queue.pop_copied();
            send.deficit = deduct(send.deficit, charge);
            messages += 1;
            bytes += len as u64;
            cost += charge;
        }
        if messages == 0 {
            return 0;
        }
        queue.reset_if_drained();
        self.outgoing.recycle_spare(queue);
        let freed = queued - queue.bytes();
        send.numbers.count(messages);
        send.bytes += bytes;
        channel.used = true;
        self.dequeued(key, freed);
        cost
    }

    fn end_turn(&mut self, key: Key, turn: TurnEnd) -> TurnEnd {
        if turn == TurnEnd::Done {
            self.slots[key].send.block(self.now);
            self.liveness.schedule_sweep(self.now);
        }
        turn
    }

    /// The peer has lowered its largest message: the queued one can never be sent.
    fn abort_oversized(&mut self, key: Key) -> Effects {
        let channel = &mut self.slots[key];
        channel.send.stopped = Some(ErrorCode::SIZE);
        if channel.attached {
            self.incoming.push_event(Event::Stopped {
                channel: channel.id,
                code: ErrorCode::SIZE,
            });
        }
        channel.abort(ErrorCode::SIZE)
    }

    /// Drops expired messages of a channel that gets no turn, and schedules the rest.
    pub(super) fn drop_expired(&mut self, key: Key) {
        if self.expire(key) {
            self.apply(key, Effects::SCHEDULE);
        }
    }

    /// Drops expired messages. Returns whether there were any.
    fn expire(&mut self, key: Key) -> bool {
        let channel = &mut self.slots[key];
        let (Some(ttl), Some(queue)) = (channel.ttl, &mut channel.send.queue) else {
            return false;
        };
        let before = queue.bytes();
        let dropped = queue.expire(Timestamp(self.now.0.saturating_sub(ttl.get())));
        self.outgoing.recycle_spare(queue);
        let freed = before - queue.bytes();
        if dropped > 0 {
            channel.send.skipped(dropped);
            self.dequeued(key, freed);
        }
        dropped > 0
    }

    /// Appends FIN without payload, when all messages are already sent.
    fn put_fin(&mut self, key: Key) -> (TurnEnd, Effects) {
        let channel = &mut self.slots[key];
        let (SendState::Finishing, Some(alias)) = (channel.send.state, channel.local_alias) else {
            return (TurnEnd::Done, Effects::NONE);
        };
        if self.outgoing.room() < FRAME_ROOM_MIN {
            return (TurnEnd::RecordFull, Effects::NONE);
        }
        let skip = channel.send.take_skip();
        wire::put_data_head(self.outgoing.frame(), alias, Some(0), false, true, skip);
        (TurnEnd::Done, channel.fin_sent())
    }

    fn put_message(&mut self, key: Key, front: &Front, n: usize, peer: &Hello) -> (u64, Effects) {
        let charge = n as u64 + peer.overhead;
        let last = n == front.rest;
        let channel = &mut self.slots[key];
        let alias = channel.local_alias.unwrap_or_default(); // a scheduled channel has an alias
        let send = &mut channel.send;
        let skip = send.take_skip();
        let finishing = send.state == SendState::Finishing;
        let queue = send.queue();
        // FIN without payload is not a message: an empty last message is sent in a frame before it.
        let fin = last && n > 0 && finishing && queue.len() == 1;
        let payload = queue.front_bytes(n);
        self.outgoing.put_data(alias, payload, (!last, fin), skip);
        let units = channel.unit.cost(charge, u64::from(last));
        let effects = if fin {
            channel.fin_sent()
        } else {
            Effects::NONE
        };
        self.spend(key, units);
        self.sent(key, n, u64::from(last), charge);
        (charge, effects)
    }

    fn put_run(&mut self, key: Key, front: &Front, n: usize, peer: &Hello) -> u64 {
        let elem = front.elem;
        let count = n as u32 / elem.max(1);
        let charge = n as u64 + peer.overhead;
        let channel = &mut self.slots[key];
        let alias = channel.local_alias.unwrap_or_default(); // a scheduled channel has an alias
        let skip = channel.send.take_skip();
        let payload = channel.send.queue().front_bytes(n);
        if peer.features & wire::FEATURE_RUN != 0 {
            let record = self.outgoing.run_frame();
            wire::put_run_head(record, alias, elem, Some(count), skip);
            self.outgoing.put_payload(payload);
        } else {
            self.outgoing.put_data(alias, payload, (false, false), skip);
        }
        let units = channel.unit.cost(charge, u64::from(count));
        self.spend(key, units);
        self.sent(key, n, u64::from(count), charge);
        charge
    }

    /// `n` bytes of the front message, which complete `messages` messages, are encoded.
    fn sent(&mut self, key: Key, n: usize, messages: u64, charge: u64) {
        let channel = &mut self.slots[key];
        channel.used = true;
        let send = &mut channel.send;
        send.deficit = deduct(send.deficit, charge);
        send.numbers.count(messages);
        send.bytes += n as u64;
        let queue = send.queue();
        let before = queue.bytes();
        queue.advance(n);
        self.outgoing.recycle_spare(queue);
        let freed = before - queue.bytes();
        if freed > 0 {
            self.dequeued(key, freed);
        }
    }
}

/// The deficit after a frame that cost `charge`.
#[inline]
fn deduct(deficit: i32, charge: u64) -> i32 {
    let charge = i32::try_from(charge).unwrap_or(i32::MAX);
    deficit.saturating_sub(charge).max(-DEBT_BYTES_MAX)
}
