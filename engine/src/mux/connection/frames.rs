//! Frames of the peer's.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::BytesMut;

use super::super::channel::{Channel, Partial, Pending, RecvState, SendState, Stage};
use super::super::credit::Charge;
use super::super::error::{Code, Violation};
use super::super::event::{Data, Event, Received, Run};
use super::super::open::Unit;
use super::super::slots::PeerAlias;
use super::super::wire::{self, Frame, VARINT_MAX};
use super::{Connection, PING_BURST, PING_INTERVAL, WASTE_AGE_MAX, WASTE_BURST, WASTE_INTERVAL};

/// What a frame led to.
type Handled<'r> = Result<Option<Event<'r>>, Violation>;

impl Connection {
    /// One frame, found good by itself. What follows the event goes to `next`.
    pub(super) fn handle<'r>(
        &mut self,
        frame: Frame<'r>,
        next: &mut Option<Event<'r>>,
    ) -> Handled<'r> {
        if !self.is_alive() {
            return Ok(None); // an earlier frame of the record was the end
        }
        if self.peer.is_none() && !matches!(frame, Frame::Hello(_)) {
            return Err(Violation::BeforeHello);
        }
        match frame {
            Frame::Data(data) => self.handle_data(data, next),
            Frame::Run(run) => self.handle_run(run),
            Frame::Credit(credit) => self.handle_credit(credit),
            Frame::Open(open) => self.handle_open(open),
            Frame::Accept(accept) => self.handle_accept(accept),
            Frame::Reject {
                peer_alias,
                code,
                metadata,
            } => self.handle_reject(peer_alias, code, metadata),
            Frame::Reset(reset) => self.handle_reset(reset),
            Frame::Seq {
                alias,
                epoch,
                next_seq,
            } => self.handle_seq(alias, epoch, next_seq),
            Frame::Ping { value, pong: true } => {
                self.handle_pong(value);
                Ok(None)
            }
            Frame::Ping { value, .. } => {
                if !self.pings.take(self.now, PING_INTERVAL, PING_BURST) {
                    return Err(Violation::PingFlood);
                }
                self.pong = Some(value);
                Ok(None)
            }
            Frame::GoAway(goaway) => {
                if !self.goaways.take(self.now, PING_INTERVAL, PING_BURST) {
                    return Err(Violation::GoAwayFlood);
                }
                Ok(self.handle_goaway(&goaway))
            }
            Frame::Hello(hello) => self.handle_hello(hello),
            Frame::Ext { ignorable, .. } => {
                if ignorable {
                    Ok(None)
                } else {
                    Err(Violation::UnknownExtension)
                }
            }
        }
    }

    /// A whole message of a channel that is read, within all limits, as nearly all are. `None`
    /// if it is anything else; nothing is done then.
    #[inline]
    pub(super) fn plain_data<'r>(&mut self, data: &wire::Data<'r>) -> Option<Received<'r>> {
        let len = data.payload.len();
        let bytes = len as u64 + u64::from(self.settings.frame_overhead_bytes);
        let channel = self.slots.at_mut(self.peer_aliases.live(data.alias)?)?;
        let recv = &mut channel.recv;
        let seq = recv.next_seq + data.skip;
        let units = match channel.unit {
            Unit::Bytes => bytes,
            Unit::Messages => 1,
        };
        if data.more
            || data.fin
            || recv.partial.is_some()
            || recv.state != RecvState::Receiving
            || len > recv.message_max as usize
            || seq >= VARINT_MAX
            || !recv.credit.covers(units)
        {
            return None;
        }
        let held = recv.held + bytes;
        let passes = held <= u64::from(self.settings.reserve_bytes) && self.recv.pass(bytes);
        if !passes {
            self.recv.charge(bytes).ok()?;
        }
        recv.credit.charge(units).ok()?; // covered
        channel.used = true;
        recv.next_seq = seq + 1;
        recv.skipped_total = recv.skipped_total.saturating_add(data.skip);
        recv.messages += 1;
        recv.held = held;
        recv.held_max = recv.held_max.max(held);
        recv.bytes += len as u64;
        let channel = channel.id;
        if !passes {
            self.hold(held, bytes);
        }
        Some(Received {
            channel,
            data: Data::Lent(data.payload),
            seq,
            skipped: data.skip,
            charge: Charge {
                bytes: bytes as u32,
                units: units as u32,
            },
        })
    }

    /// A message, or a fragment of one.
    #[inline(never)]
    pub(super) fn handle_data<'r>(
        &mut self,
        data: wire::Data<'r>,
        next: &mut Option<Event<'r>>,
    ) -> Handled<'r> {
        if let Some(received) = self.plain_data(&data) {
            return Ok(Some(Event::Message(received)));
        }
        let overhead = u64::from(self.settings.frame_overhead_bytes);
        let bytes = data.payload.len() as u64 + overhead;
        match self.peer_aliases.at(data.alias) {
            PeerAlias::Live(index) => self.handle_rare(index, data, bytes, next),
            _ => self.stray(&data, bytes),
        }
    }

    /// A frame that is not a whole message, or that nobody reads.
    fn handle_rare<'r>(
        &mut self,
        index: u32,
        data: wire::Data<'r>,
        bytes: u64,
        next: &mut Option<Event<'r>>,
    ) -> Handled<'r> {
        let Some(channel) = self.slots.at_mut(index) else {
            return Ok(None);
        };
        let (id, next_seq) = (channel.id, admit(channel, &data)?);
        if data.fin && data.payload.is_empty() {
            channel.recv.next_seq = next_seq;
            channel.recv.skipped_total = channel.recv.skipped_total.saturating_add(data.skip);
            return self.finished(index);
        }
        let units = match channel.unit {
            Unit::Bytes => bytes,
            // The last fragment pays.
            Unit::Messages => u64::from(!data.more),
        };
        let recv = &mut channel.recv;
        if recv.credit.charge(units).is_err() {
            return Err(Violation::ChannelCredit(data.alias));
        }
        if self.recv.charge(bytes).is_err() {
            return Err(Violation::ConnectionCredit);
        }
        channel.used = true;
        let charge = Charge {
            bytes: bytes as u32,
            units: units as u32,
        };
        recv.next_seq = next_seq + u64::from(!data.more);
        recv.skipped_total = recv.skipped_total.saturating_add(data.skip);
        recv.messages += u64::from(!data.more);
        recv.bytes += data.payload.len() as u64;
        if recv.state != RecvState::Receiving {
            return self.unwanted(index, charge, data.fin);
        }
        recv.held += bytes;
        recv.held_max = recv.held_max.max(recv.held);
        let (held, whole) = (recv.held, !data.more && recv.partial.is_none());
        self.hold(held, bytes);
        let (message, skipped, charge) = if whole {
            (Data::Lent(data.payload), data.skip, charge)
        } else {
            match self.assemble(index, &data, charge) {
                Some(done) => done,
                None => return Ok(None),
            }
        };
        if data.fin {
            *next = self.finished(index)?;
        }
        Ok(Some(Event::Message(Received {
            channel: id,
            data: message,
            seq: next_seq,
            skipped,
            charge,
        })))
    }

    /// Adds a fragment to the message that is being put together; the message, if it is the
    /// last.
    fn assemble<'r>(
        &mut self,
        index: u32,
        data: &wire::Data<'r>,
        charge: Charge,
    ) -> Option<(Data<'r>, u64, Charge)> {
        let now = self.now;
        let record_max = self.settings.record_bytes_max;
        let channel = self.slots.at_mut(index)?;
        // No sender makes a shorter one but the last: a quarter of a record, or of a window, in
        // either of which a message fits.
        let fragment_min = record_max.min(channel.recv.message_max) / 4;
        let partial = channel.recv.partial.get_or_insert_with(|| {
            Box::new(Partial {
                bytes: BytesMut::new(),
                charge: Charge::default(),
                skipped: 0,
                since: now,
            })
        });
        partial.bytes.extend_from_slice(data.payload);
        partial.charge.merge(charge);
        partial.skipped += data.skip;
        if data.payload.len() >= fragment_min as usize {
            partial.since = now; // the sender's other channels may be what the next one waits for
        }
        if data.more {
            self.sweep_soon();
            return None;
        }
        let mut partial = channel.recv.partial.take()?;
        let bytes = core::mem::take(&mut partial.bytes).freeze();
        let skipped = partial.skipped;
        Some((Data::Assembled(bytes), skipped, partial.charge.take()))
    }

    /// Data on a channel that we no longer read: given back at once.
    fn unwanted<'r>(&mut self, index: u32, charge: Charge, fin: bool) -> Handled<'r> {
        self.consume(u64::from(charge.bytes));
        if let Some(channel) = self.slots.at_mut(index) {
            channel.recv.credit.consume(u64::from(charge.units));
        }
        if fin {
            return self.finished(index);
        }
        Ok(None)
    }

    /// Data under an alias that stands for no channel.
    #[cold]
    fn stray<'r>(&mut self, data: &wire::Data<'_>, bytes: u64) -> Handled<'r> {
        // FIN alone is free.
        let free = data.fin && data.payload.is_empty();
        self.stray_alias(data.alias, if free { 0 } else { bytes })
    }

    #[cold]
    fn stray_alias<'r>(&mut self, alias: u32, bytes: u64) -> Handled<'r> {
        if !self.is_alive() {
            return Ok(None);
        }
        if self.peer.is_none() {
            return Err(Violation::BeforeHello);
        }
        match self.peer_aliases.at(alias) {
            PeerAlias::Closed => Err(Violation::DataAfterEnd(alias)),
            PeerAlias::Rejected => {
                if self.recv.charge(bytes).is_err() {
                    return Err(Violation::ConnectionCredit);
                }
                self.consume(bytes);
                Ok(None)
            }
            _ => Err(Violation::UnknownAlias(alias)),
        }
    }

    fn handle_run<'r>(&mut self, run: wire::Run<'r>) -> Handled<'r> {
        let alias = run.alias;
        let overhead = u64::from(self.settings.frame_overhead_bytes);
        let bytes = run.bytes.len() as u64 + overhead;
        let PeerAlias::Live(index) = self.peer_aliases.at(alias) else {
            return self.stray_alias(alias, bytes);
        };
        let Some(channel) = self.slots.at_mut(index) else {
            return Err(Violation::UnknownAlias(alias));
        };
        let unit = channel.unit;
        let recv = &mut channel.recv;
        match recv.state {
            RecvState::Receiving | RecvState::Stopping(_) => {}
            RecvState::None => return Err(Violation::WrongDirection(alias)),
            RecvState::Finished | RecvState::Aborted => return Err(Violation::DataAfterEnd(alias)),
        }
        if recv.partial.is_some() {
            return Err(Violation::InsideMessage(alias));
        }
        if run.elem > recv.message_max {
            return Err(Violation::MessageTooLarge);
        }
        let seq = recv.next_seq.saturating_add(run.skip);
        let next_seq = seq.saturating_add(u64::from(run.count));
        if next_seq >= VARINT_MAX {
            return Err(Violation::BadCounter);
        }
        let units = match unit {
            Unit::Bytes => bytes,
            Unit::Messages => u64::from(run.count),
        };
        if recv.credit.charge(units).is_err() {
            return Err(Violation::ChannelCredit(alias));
        }
        if self.recv.charge(bytes).is_err() {
            return Err(Violation::ConnectionCredit);
        }
        channel.used = true;
        recv.next_seq = next_seq;
        recv.skipped_total = recv.skipped_total.saturating_add(run.skip);
        recv.messages += u64::from(run.count);
        recv.bytes += run.bytes.len() as u64;
        let charge = Charge {
            bytes: bytes as u32,
            units: units as u32,
        };
        if recv.state != RecvState::Receiving {
            return self.unwanted(index, charge, false);
        }
        recv.held += bytes;
        recv.held_max = recv.held_max.max(recv.held);
        let (channel, held) = (channel.id, recv.held);
        self.hold(held, bytes);
        Ok(Some(Event::Run(Run {
            channel,
            elem: run.elem as usize,
            bytes: run.bytes,
            seq,
            skipped: run.skip,
            charge,
        })))
    }

    /// The peer's half has ended with FIN.
    fn finished<'r>(&mut self, index: u32) -> Handled<'r> {
        let asked_to = self.is_stopping(index);
        let Some(channel) = self.slots.at_mut(index) else {
            return Ok(None);
        };
        let told = channel.attached && channel.recv.state == RecvState::Receiving;
        channel.recv.state = RecvState::Finished;
        channel.pending.unset(Pending::STOP);
        channel.grants_no_more();
        let id = channel.id;
        if !asked_to {
            self.count_waste(index)?;
        }
        self.settle(index);
        Ok(told.then_some(Event::Finished { channel: id }))
    }

    fn handle_credit<'r>(&mut self, credit: wire::Credit) -> Handled<'r> {
        let Some(alias) = credit.alias else {
            if credit.blocked {
                // As on a channel: what it was told it may never have seen.
                self.credit_due |= self.recv.owed() > 0 || self.recv.limit() > credit.limit;
                self.peer_waits = true;
                self.look_whether_low();
            } else if self.send.raise(credit.limit) {
                // Who finds it too little begins to wait anew.
                self.blocked_since = (!self.starved.is_empty()).then_some(self.now);
                self.blocked_told = false;
            }
            return Ok(None);
        };
        let index = match self.peer_aliases.at(alias) {
            PeerAlias::Live(index) => index,
            PeerAlias::Never => return Err(Violation::UnknownAlias(alias)),
            PeerAlias::Closed | PeerAlias::Rejected => return Ok(None),
        };
        let Some(channel) = self.slots.at_mut(index) else {
            return Ok(None);
        };
        let (id, attached, next_seq) = (channel.id, channel.attached, channel.send.next_seq);
        if credit.blocked {
            let recv = &mut channel.recv;
            recv.blocked_told = recv.blocked_told.saturating_add(1);
            if recv.state == RecvState::Receiving {
                // It may never have seen what it was told: told again, with what is owed.
                let unseen = recv.credit.limit() > credit.limit;
                if !unseen {
                    recv.credit.hurry();
                }
                if unseen || recv.credit.is_due() {
                    channel.pending.set(Pending::CREDIT);
                    self.mark(index);
                }
            }
            return Ok(None);
        }
        if channel.send.credit.raise(credit.limit) {
            self.unblock(index);
            self.make_ready(index);
        }
        let acked = credit.ack.filter(|_| attached).map(|seq| seq.min(next_seq));
        Ok(acked.map(|seq| Event::Acked { channel: id, seq }))
    }

    /// The channel's credit has grown.
    pub(super) fn unblock(&mut self, index: u32) {
        if let Some(channel) = self.slots.at_mut(index) {
            channel.send.blocked_since = None;
            channel.send.blocked_told = false;
            channel.pending.unset(Pending::BLOCKED);
        }
    }

    fn handle_reset<'r>(&mut self, reset: wire::Reset) -> Handled<'r> {
        let index = match self.peer_aliases.at(reset.alias) {
            PeerAlias::Live(index) => index,
            PeerAlias::Never => return Err(Violation::UnknownAlias(reset.alias)),
            PeerAlias::Closed | PeerAlias::Rejected => return Ok(None),
        };
        let code = Code(reset.code);
        let (mut aborted, mut stopped) = (None, None);
        let asked_to = self.is_stopping(index);
        if reset.abort {
            aborted = self.aborted(index, code);
        }
        if reset.stop {
            stopped = self.stopped(index, code);
        }
        if !asked_to {
            self.count_waste(index)?;
        }
        self.dead_offer(index, code);
        self.settle(index);
        // One event for both: the end of the peer's data says more.
        Ok(aborted.or(stopped))
    }

    /// Whether the peer's half ends because we want no more of it.
    fn is_stopping(&self, index: u32) -> bool {
        let channel = self.slots.at(index);
        channel.is_some_and(|c| matches!(c.recv.state, RecvState::Stopping(_)))
    }

    /// Counts a channel that the peer opened and ended on both halves: soon, and used for nothing,
    /// or by a reset before our answer was out.
    fn count_waste(&mut self, index: u32) -> Result<(), Violation> {
        let Some(channel) = self.slots.at_mut(index) else {
            return Ok(());
        };
        let (send, recv) = (&channel.send, &channel.recv);
        let by_peer = send.state == SendState::None || send.stopped.is_some();
        if channel.ours || channel.wasted || !by_peer || !recv.state.is_terminal() {
            return Ok(());
        }
        let reset = recv.state == RecvState::Aborted || send.stopped.is_some();
        let early = reset && !matches!(channel.stage, Stage::Open);
        let useful = channel.used || self.now >= channel.opened_at.after(WASTE_AGE_MAX);
        if useful && !early {
            return Ok(());
        }
        channel.wasted = true;
        let calm = self
            .wasted_opens
            .take(self.now, WASTE_INTERVAL, WASTE_BURST);
        calm.then_some(()).ok_or(Violation::WastedOpens)
    }

    /// A channel that was taken back before it was answered is rejected: an answer is owed.
    fn dead_offer(&mut self, index: u32, code: Code) {
        let Some(channel) = self.slots.at_mut(index) else {
            return;
        };
        let over = channel.recv.state.is_terminal()
            && !matches!(
                channel.send.state,
                SendState::Sending | SendState::Finishing
            );
        if matches!(channel.stage, Stage::Offered) && over {
            channel.stage = Stage::Rejecting(code, Vec::new());
            channel.send.state = SendState::Aborted;
            channel.pending.clear();
            channel.pending.set(Pending::OPENING);
            self.mark(index);
        }
    }

    fn aborted<'r>(&mut self, index: u32, code: Code) -> Option<Event<'r>> {
        let channel = self.slots.at_mut(index)?;
        if channel.recv.state.is_terminal() {
            return None;
        }
        let told = channel.attached && channel.recv.state == RecvState::Receiving;
        channel.recv.state = RecvState::Aborted;
        channel.pending.unset(Pending::STOP);
        channel.grants_no_more();
        let (id, partial) = (channel.id, channel.recv.partial.take());
        if let Some(mut partial) = partial {
            self.release(id, partial.charge.take());
        }
        told.then_some(Event::Aborted { channel: id, code })
    }

    fn stopped<'r>(&mut self, index: u32, code: Code) -> Option<Event<'r>> {
        let channel = self.slots.at_mut(index)?;
        if !matches!(
            channel.send.state,
            SendState::Sending | SendState::Finishing
        ) {
            return None;
        }
        channel.send.stopped = Some(code);
        let (id, told) = (channel.id, channel.attached);
        self.abort_half(index, code);
        told.then_some(Event::Stopped { channel: id, code })
    }

    fn handle_seq<'r>(&mut self, alias: u32, epoch: u64, next_seq: u64) -> Handled<'r> {
        let PeerAlias::Live(index) = self.peer_aliases.at(alias) else {
            return self.stray_alias(alias, 0);
        };
        let Some(channel) = self.slots.at_mut(index) else {
            return Ok(None);
        };
        match channel.recv.state {
            RecvState::Receiving => {}
            RecvState::Stopping(_) => return Ok(None),
            RecvState::None => return Err(Violation::WrongDirection(alias)),
            RecvState::Finished | RecvState::Aborted => return Err(Violation::DataAfterEnd(alias)),
        }
        if channel.recv.partial.is_some() {
            return Err(Violation::InsideMessage(alias));
        }
        if next_seq >= VARINT_MAX {
            return Err(Violation::BadCounter);
        }
        channel.recv.epoch = epoch;
        channel.recv.next_seq = next_seq;
        Ok(Some(Event::Rebased {
            channel: channel.id,
            epoch,
            next_seq,
        }))
    }
}

/// Whether the channel takes the frame now; the number of its message, if so.
fn admit(channel: &Channel, data: &wire::Data<'_>) -> Result<u64, Violation> {
    let (recv, alias) = (&channel.recv, data.alias);
    match recv.state {
        RecvState::Receiving | RecvState::Stopping(_) => {}
        RecvState::None => return Err(Violation::WrongDirection(alias)),
        RecvState::Finished | RecvState::Aborted => return Err(Violation::DataAfterEnd(alias)),
    }
    let begun = recv.partial.as_ref().map_or(0, |p| p.bytes.len());
    if data.payload.len() + begun > recv.message_max as usize {
        return Err(Violation::MessageTooLarge);
    }
    if data.fin && data.payload.is_empty() && recv.partial.is_some() {
        return Err(Violation::InsideMessage(alias));
    }
    // The last fragment pays for a message, but the first must be able to.
    if channel.unit == Unit::Messages
        && recv.credit.charged() >= recv.credit.limit()
        && !(data.fin && data.payload.is_empty())
    {
        return Err(Violation::ChannelCredit(alias));
    }
    let next_seq = recv.next_seq.saturating_add(data.skip);
    if next_seq >= VARINT_MAX {
        return Err(Violation::BadCounter);
    }
    Ok(next_seq)
}
