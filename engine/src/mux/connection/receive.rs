//! Handles the peer's frames.

use super::super::channel::RecvState;
use super::super::credit::Charge;
use super::super::error::{ChannelViolation, ErrorCode};
use super::super::event::{Data, Event, Received, Run};
use super::super::slots::{Key, PeerAlias};
use super::super::wire::{self, CreditKind, Frame};
use super::{Effects, Mux, WASTE_AGE_MAX};

/// The event that a frame causes, or the violation.
type Handled<'r> = Result<Option<Event<'r>>, ChannelViolation>;

impl Mux {
    /// Handles one valid frame. A second event of the frame goes to `next`.
    pub(super) fn handle<'r>(
        &mut self,
        frame: Frame<'r>,
        next: &mut Option<Event<'r>>,
    ) -> Handled<'r> {
        if !self.is_alive() {
            return Ok(None); // an earlier frame of the record ended the connection
        }
        if self.peer.is_none() && !matches!(frame, Frame::Hello(_)) {
            return Err(ChannelViolation::BeforeHello);
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
                self.liveness.pong_received(value, self.now);
                Ok(None)
            }
            Frame::Ping { value, .. } => {
                let allowed = self.liveness.ping_received(value, self.now);
                allowed.then_some(None).ok_or(ChannelViolation::PingFlood)
            }
            Frame::GoAway(goaway) => {
                if !self.liveness.goaway_received(self.now) {
                    return Err(ChannelViolation::GoAwayFlood);
                }
                Ok(self.handle_goaway(&goaway))
            }
            Frame::Hello(hello) => self.handle_hello(hello),
            Frame::Ext { ignorable, .. } => {
                let skipped = ignorable.then_some(None);
                skipped.ok_or(ChannelViolation::UnknownExtension)
            }
        }
    }

    /// Receives a whole message on the fast path. `None`, with nothing changed, if the message or
    /// its channel needs the slow path.
    #[inline]
    pub(super) fn data_fast<'r>(&mut self, data: &wire::Data<'r>) -> Option<Received<'r>> {
        let channel = self.slots.fast_at(self.opens.fast_at(data.alias)?)?;
        let (overhead, len) = (self.incoming.overhead(), data.payload.len());
        let (seq, charge) = channel.receive_fast(len, overhead, self.now)?;
        Some(Received {
            channel: channel.id,
            data: Data::Lent(data.payload),
            seq,
            skipped: 0,
            charge,
        })
    }

    /// Handles DATA: a message or a fragment.
    fn handle_data<'r>(
        &mut self,
        data: wire::Data<'r>,
        next: &mut Option<Event<'r>>,
    ) -> Handled<'r> {
        let PeerAlias::Bound(key) = self.opens.at(data.alias) else {
            return self.unbound_data(data.alias);
        };
        if data.is_whole_message()
            && self.slots[key].enable_fast_receive()
            && let Some(received) = self.data_fast(&data)
        {
            return Ok(Some(Event::Message(received)));
        }
        let bytes = data.payload.len() as u64 + self.incoming.overhead();
        self.data_slow(key, data, bytes, next)
    }

    /// Receives what the fast path does not: fragments, FIN, skips, and data on a stopped half.
    fn data_slow<'r>(
        &mut self,
        key: Key,
        data: wire::Data<'r>,
        bytes: u64,
        next: &mut Option<Event<'r>>,
    ) -> Handled<'r> {
        let channel = &mut self.slots[key];
        let (id, seq) = (channel.id, channel.admit(&data, bytes)?);
        if data.fin && data.payload.is_empty() {
            channel.recv.count(data.skip, 0, 0);
            return self.finished(key);
        }
        let messages = u64::from(!data.more);
        // Where messages are counted, the last fragment is charged.
        let charge = self.charge(key, data.alias, bytes, messages)?;
        let recv = &mut self.slots[key].recv;
        recv.count(data.skip, messages, data.payload.len());
        if recv.state != RecvState::Receiving {
            // The half is stopped: the data is dropped and no credit is granted for it.
            return if data.fin {
                self.finished(key)
            } else {
                Ok(None)
            };
        }
        recv.add_held(bytes);
        let whole = !data.more && recv.partial.is_none();
        let (message, skipped, charge) = if whole {
            (Data::Lent(data.payload), data.skip, charge)
        } else {
            let fragment = (data.payload, data.skip, data.more);
            let record_max = self.config.record_bytes_max;
            let recv = &mut self.slots[key].recv;
            match recv.assemble(fragment, charge, record_max, self.now) {
                Some((bytes, skipped, charge)) => (Data::Assembled(bytes), skipped, charge),
                None => {
                    self.apply(key, Effects::SWEEP);
                    return Ok(None);
                }
            }
        };
        if data.fin {
            *next = self.finished(key)?;
        }
        Ok(Some(Event::Message(Received {
            channel: id,
            data: message,
            seq,
            skipped,
            charge,
        })))
    }

    /// Charges the peer's credit for `messages` whole messages that cost `bytes`.
    fn charge(
        &mut self,
        key: Key,
        alias: u32,
        bytes: u64,
        messages: u64,
    ) -> Result<Charge, ChannelViolation> {
        let channel = &mut self.slots[key];
        let units = channel.unit.cost(bytes, messages);
        let charged = channel.recv.credit.charge(units);
        charged.map_err(|_| ChannelViolation::ChannelCredit(alias))?;
        channel.used = true;
        channel.recv.last_received = self.now;
        Ok(Charge::new(bytes, units))
    }

    /// Handles data of an alias without a channel.
    #[cold]
    fn unbound_data<'r>(&mut self, alias: u32) -> Handled<'r> {
        if !self.is_alive() {
            return Ok(None);
        }
        if self.peer.is_none() {
            return Err(ChannelViolation::BeforeHello);
        }
        match self.opens.at(alias) {
            PeerAlias::Closed => Err(ChannelViolation::DataAfterEnd(alias)),
            // Sent before the peer received the REJECT.
            PeerAlias::Rejected => Ok(None),
            _ => Err(ChannelViolation::UnknownAlias(alias)),
        }
    }

    fn handle_run<'r>(&mut self, run: wire::Run<'r>) -> Handled<'r> {
        let bytes = run.bytes.len() as u64 + self.incoming.overhead();
        let PeerAlias::Bound(key) = self.opens.at(run.alias) else {
            return self.unbound_data(run.alias);
        };
        let (id, seq) = (self.slots[key].id, self.slots[key].admit_run(&run)?);
        let count = u64::from(run.count);
        let charge = self.charge(key, run.alias, bytes, count)?;
        let recv = &mut self.slots[key].recv;
        recv.count(run.skip, count, run.bytes.len());
        if recv.state != RecvState::Receiving {
            return Ok(None);
        }
        recv.add_held(bytes);
        Ok(Some(Event::Run(Run {
            channel: id,
            elem: run.elem as usize,
            bytes: run.bytes,
            seq,
            skipped: run.skip,
            charge,
        })))
    }

    /// The peer's half ended with FIN.
    fn finished<'r>(&mut self, key: Key) -> Handled<'r> {
        let channel = &mut self.slots[key];
        let (id, was_stopping) = (channel.id, channel.is_stopping());
        let (report, effects) = channel.finished();
        if !was_stopping {
            self.count_waste(key)?;
        }
        self.apply(key, effects);
        Ok(report.then_some(Event::Finished { channel: id }))
    }

    fn handle_credit<'r>(&mut self, credit: wire::Credit) -> Handled<'r> {
        let wire::Credit { alias, total, .. } = credit;
        let key = match self.opens.at(alias) {
            PeerAlias::Bound(key) => key,
            PeerAlias::Unused => return Err(ChannelViolation::UnknownAlias(alias)),
            // RETURN belongs to the sending half, which has ended.
            PeerAlias::Closed if credit.kind == CreditKind::Return => {
                return Err(ChannelViolation::DataAfterEnd(alias));
            }
            PeerAlias::Closed | PeerAlias::Rejected => return Ok(None),
        };
        let channel = &mut self.slots[key];
        let (id, attached, next_seq) = (channel.id, channel.attached, channel.send.numbers.next());
        let effects = match credit.kind {
            CreditKind::Grant => channel.raise(total),
            CreditKind::Narrow => channel.narrow(total),
            CreditKind::Blocked => channel.peer_blocked(total),
            CreditKind::Return => channel.returned(alias, total)?,
        };
        self.apply(key, effects);
        let acked = credit.ack.filter(|_| attached).map(|seq| seq.min(next_seq));
        Ok(acked.map(|seq| Event::Acked { channel: id, seq }))
    }

    fn handle_reset<'r>(&mut self, reset: wire::Reset) -> Handled<'r> {
        let key = match self.opens.at(reset.alias) {
            PeerAlias::Bound(key) => key,
            PeerAlias::Unused => return Err(ChannelViolation::UnknownAlias(reset.alias)),
            PeerAlias::Closed | PeerAlias::Rejected => return Ok(None),
        };
        let code = ErrorCode(reset.code);
        let channel = &mut self.slots[key];
        let (id, attached, was_stopping) = (channel.id, channel.attached, channel.is_stopping());
        let (mut aborted, mut stopped) = (false, false);
        if reset.abort {
            let (report, effects) = channel.aborted();
            aborted = report;
            self.apply(key, effects);
        }
        if reset.stop {
            let (changed, effects) = self.slots[key].stopped(code);
            stopped = changed && attached;
            self.apply(key, effects);
        }
        if !was_stopping {
            self.count_waste(key)?;
        }
        let effects = self.slots[key].reject_if_withdrawn(code);
        self.apply(key, effects | Effects::CHECK_CLOSED);
        // One event for both. The end of the peer's data matters more.
        Ok(match (aborted, stopped) {
            (true, _) => Some(Event::Aborted { channel: id, code }),
            (false, true) => Some(Event::Stopped { channel: id, code }),
            (false, false) => None,
        })
    }

    /// Counts the channel as wasted, if the peer opened and ended it unused.
    fn count_waste(&mut self, key: Key) -> Result<(), ChannelViolation> {
        let wasted = self.slots[key].count_waste(WASTE_AGE_MAX, self.now);
        if wasted && !self.opens.wasted(self.now) {
            return Err(ChannelViolation::WastedOpens);
        }
        Ok(())
    }

    fn handle_seq<'r>(&mut self, alias: u32, epoch: u64, next_seq: u64) -> Handled<'r> {
        let PeerAlias::Bound(key) = self.opens.at(alias) else {
            return self.unbound_data(alias);
        };
        let channel = &mut self.slots[key];
        let report = channel.peer_rebased(alias, epoch, next_seq)?;
        Ok(report.then_some(Event::Rebased {
            channel: channel.id,
            epoch,
            next_seq,
        }))
    }
}
