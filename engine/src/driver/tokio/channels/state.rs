//! What the tasks of a connection share: its channels, and for each of them what waits for its
//! reader and who waits for what.

use std::boxed::Box;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::vec::Vec;

use bytes::Bytes;

use super::super::io::now;
use super::error::ChannelError;
use super::monitor::{After, DriverWaker, Monitor, Slot, Waiters};
use super::parked::{Entry, Form, Parked};
use crate::session::End as WebSocketEnd;
use crate::session::channels::{
    ChannelConfig, ChannelFailure, ChannelId, ChannelSendError, ChannelSession, Channels, Charge,
    Data, Direction, ErrorCode, Event, HalfState, Mode, OpenError, OpenOptions, Opening, Received,
    Resume, Resumption, Run, Unit,
};

/// Bytes from which a message for a reader of owned messages is not copied twice.
const OWNED_BYTES_MIN: usize = 1024;

/// Bytes parked after which buffers are looked for that were not used meanwhile: what bursts on one
/// channel after another leave is some of this, however many channels there are.
const SWEEP_BYTES: usize = 1 << 20;

/// The state behind its lock, and what never changes.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) state: Monitor<State>,
    pub(super) config: Arc<ChannelConfig>,
}

/// How the receiving half of a channel has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    Finished,
    Aborted(ErrorCode),
    Evicted(ErrorCode),
    /// As [`Port::answer`] says.
    Rejected,
    /// We have stopped it, or it never was.
    None,
}

/// What the peer's application said when it accepted a channel of ours.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Acceptance {
    /// Bytes of its own.
    pub metadata: Vec<u8>,
    /// Where its messages go on, if the channel asked to be resumed.
    pub resumption: Option<Resumption>,
    /// The first message that it wants of ours, if it says so.
    pub wants: Option<u64>,
}

/// Where the opening of a channel stands.
#[derive(Debug)]
pub(super) enum Answer {
    Waits,
    Accepted(Acceptance),
    /// [`ChannelError::Rejected`].
    Rejected(ChannelError),
}

/// A channel, as its handles see it.
#[derive(Debug)]
pub(super) struct Port {
    id: ChannelId,
    pub(super) parked: Parked,
    /// Empty buffers that the next batch leaves in the place of those it takes.
    pub(super) spare: Parked,
    /// Of the messages that are parked next.
    pub(super) epoch: u64,
    pub(super) end: Option<End>,
    pub(super) answer: Answer,
    /// Why the peer takes no more.
    pub(super) stopped: Option<ErrorCode>,
    /// Everything below is safe with the peer.
    pub(super) acknowledged: u64,
    /// The sending half was finished or reset here.
    pub(super) ended: bool,
    /// Messages wait too short to be sent late: sends must know the time.
    pub(super) timed: bool,
    /// The reader takes messages one by one, as values.
    pub(super) owned: bool,
    pub(super) has_sender: bool,
    pub(super) has_receiver: bool,
    /// The sender waits for room.
    pub(super) room: Slot,
    /// The reader waits for messages.
    pub(super) arrival: Slot,
    pub(super) answered: Slot,
    /// These wait for the peer's STOP.
    pub(super) stopping: Waiters,
}

impl Port {
    fn new(id: ChannelId, receives: bool, mode: Mode) -> Self {
        Self {
            id,
            parked: Parked::default(),
            spare: Parked::default(),
            epoch: 0,
            end: (!receives).then_some(End::None),
            answer: Answer::Waits,
            stopped: None,
            acknowledged: 0,
            ended: false,
            timed: matches!(mode, Mode::Ttl(_)),
            owned: false,
            has_sender: true,
            has_receiver: true,
            room: Slot::default(),
            arrival: Slot::default(),
            answered: Slot::default(),
            stopping: Waiters::default(),
        }
    }

    /// All that may concern anybody has happened.
    fn wake_all(&mut self, after: &mut After) {
        self.room.wake(after);
        self.arrival.wake(after);
        self.answered.wake(after);
        self.stopping.wake_all(after);
    }
}

/// A channel of the peer's that waits to be accepted.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) id: ChannelId,
    pub(super) topic: Vec<u8>,
    pub(super) metadata: Vec<u8>,
    pub(super) priority: u8,
    pub(super) direction: Direction,
    pub(super) mode: Mode,
    pub(super) unit: Unit,
    pub(super) resumable: bool,
    pub(super) resume: Option<Resume>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct State {
    pub(super) session: ChannelSession,
    /// By [`ChannelId::index`].
    ports: Vec<Option<Box<Port>>>,
    /// Bytes parked since the last [`Self::sweep`].
    parked_bytes: usize,
    /// At most three times `channels_max`, for as many places there are: one that the peer takes back stays
    /// until somebody looks at it.
    pub(super) offers: VecDeque<Offer>,
    pub(super) driver: DriverWaker,
    /// These wait for the peer's HELLO.
    pub(super) ready_waiters: Waiters,
    /// For channels of the peer's.
    pub(super) offer_waiters: Waiters,
    /// For the end.
    pub(super) closed_waiters: Waiters,
    pub(super) ready: bool,
    /// The peer opens no more channels.
    pub(super) draining: bool,
    /// How the channels ended.
    pub(super) failure: Option<ChannelFailure>,
    /// The driver is gone, and the stream with it.
    pub(super) over: bool,
    /// Nobody is left to accept channels.
    pub(super) refuses_offers: bool,
    /// No handle is left at all.
    pub(super) abandoned: bool,
}

impl State {
    pub(super) fn new(session: ChannelSession) -> Self {
        Self {
            session,
            ports: Vec::new(),
            parked_bytes: 0,
            offers: VecDeque::new(),
            driver: DriverWaker::default(),
            ready_waiters: Waiters::default(),
            offer_waiters: Waiters::default(),
            closed_waiters: Waiters::default(),
            ready: false,
            draining: false,
            failure: None,
            over: false,
            refuses_offers: false,
            abandoned: false,
        }
    }

    pub(super) fn channels(&self) -> &Channels {
        self.session.channels()
    }

    #[inline]
    pub(super) fn channels_mut(&mut self) -> &mut Channels {
        self.session.channels_mut()
    }

    pub(super) fn port(&mut self, id: ChannelId) -> Option<&mut Port> {
        let port = self.ports.get_mut(id.index())?.as_deref_mut()?;
        (port.id == id).then_some(port)
    }

    fn add(&mut self, port: Port) {
        let index = port.id.index();
        if self.ports.len() <= index {
            self.ports.resize_with(index + 1, || None);
        }
        if let Some(place) = self.ports.get_mut(index) {
            *place = Some(Box::new(port));
        }
    }

    /// Wakes the driver if it is idle and there is something to send.
    #[inline]
    pub(super) fn wake_driver(&mut self, after: &mut After) {
        if self.driver.is_idle() && self.session.wants_write() {
            self.driver.wake(after);
        }
    }

    pub(super) fn open(
        &mut self,
        options: OpenOptions,
        after: &mut After,
    ) -> Result<ChannelId, OpenError> {
        let (direction, mode) = (options.direction, options.mode);
        let resume = options.resume_point();
        self.channels_mut().set_time(now());
        let id = self.channels_mut().open(options)?;
        let mut port = Port::new(id, direction != Direction::OpenerSends, mode);
        port.epoch = resume.map_or(0, |r| r.epoch);
        self.add(port);
        self.wake_driver(after);
        Ok(id)
    }

    /// Runs a send. After `WouldBlock` the waker is called when it is worth another
    /// try.
    pub(super) fn send<T>(
        &mut self,
        id: ChannelId,
        waker: Option<&Waker>,
        after: &mut After,
        put: impl FnOnce(&mut Channels) -> Result<T, ChannelSendError>,
    ) -> Result<T, ChannelSendError> {
        if self.port(id).is_some_and(|p| p.timed) {
            self.channels_mut().set_time(now());
        }
        let mut sent = put(self.channels_mut());
        self.wake_driver(after);
        if let Err(ChannelSendError::Finished) = sent
            && let Some(port) = self.port(id).filter(|p| !p.ended)
            && let Some(code) = port.stopped
        {
            sent = Err(ChannelSendError::Stopped(code)); // rejected before it was announced
        }
        if let (Err(ChannelSendError::WouldBlock), Some(waker)) = (&sent, waker)
            && let Some(port) = self.port(id)
        {
            port.room.park(waker, after);
        }
        sent
    }

    /// The sending half was finished or reset here.
    pub(super) fn sending_ended(&mut self, id: ChannelId, after: &mut After) {
        if let Some(port) = self.port(id) {
            port.ended = true;
            port.room.clear(after);
            port.stopping.wake_all(after);
        }
        self.wake_driver(after);
    }

    /// Gives back credit.
    #[inline]
    pub(super) fn release(&mut self, id: ChannelId, charge: Charge, after: &mut After) {
        self.channels_mut().release(id, charge);
        self.wake_driver(after);
    }

    /// Takes what is told without being asked. `true` if there was anything.
    pub(super) fn tell_events(&mut self, after: &mut After) -> bool {
        let mut any = false;
        while let Some(event) = self.session.poll_event() {
            any = true;
            self.apply(event, after);
        }
        while let Some(id) = self.session.poll_writable() {
            if let Some(port) = self.port(id) {
                port.room.wake(after);
            }
        }
        any
    }

    pub(super) fn apply(&mut self, event: Event<'_>, after: &mut After) {
        match event {
            Event::Message(message) => self.park(message, after),
            Event::Run(run) => self.park_run(run, after),
            Event::Open(opening) => self.offer(&opening, after),
            Event::Ready => {
                self.ready = true;
                self.ready_waiters.wake_all(after);
            }
            Event::Draining { .. } => {
                self.draining = true;
                self.offer_waiters.wake_all(after);
            }
            Event::Failed(failure) => self.fail(failure, after),
            other => self.apply_to_port(other, after),
        }
    }

    /// What concerns one channel.
    fn apply_to_port(&mut self, event: Event<'_>, after: &mut After) {
        match event {
            Event::Accepted {
                channel,
                metadata,
                resumption,
                wants,
            } => {
                let Some(port) = self.port(channel) else {
                    return;
                };
                if let Some(Resumption::Fresh { epoch, .. }) = resumption {
                    port.epoch = epoch;
                }
                port.answer = Answer::Accepted(Acceptance {
                    metadata: metadata.to_vec(),
                    resumption,
                    wants,
                });
                port.answered.wake(after);
            }
            Event::Rejected {
                channel,
                code,
                unprocessed,
                metadata,
            } => {
                if let Some(port) = self.port(channel) {
                    port.answer = Answer::Rejected(ChannelError::Rejected {
                        code,
                        unprocessed,
                        metadata: Bytes::copy_from_slice(metadata),
                    });
                    port.end.get_or_insert(End::Rejected);
                    port.stopped.get_or_insert(code);
                    port.wake_all(after);
                }
            }
            Event::Rebased { channel, epoch, .. } => {
                if let Some(port) = self.port(channel) {
                    port.epoch = epoch;
                }
            }
            Event::Acked { channel, seq } => {
                if let Some(port) = self.port(channel) {
                    port.acknowledged = port.acknowledged.max(seq);
                }
            }
            Event::Finished { channel } => self.end(channel, End::Finished, after),
            Event::Aborted { channel, code } => {
                // One RESET may have ended both halves.
                let both = self.channels().channel_stats(channel).is_some_and(|stats| {
                    matches!(stats.sending, HalfState::Ending | HalfState::Aborted)
                });
                if both {
                    self.stopped(channel, code, after);
                }
                self.end(channel, End::Aborted(code), after);
            }
            Event::Stopped { channel, code } => self.stopped(channel, code, after),
            Event::Evicted { channel, code } => self.evicted(channel, code, after),
            _ => {}
        }
    }

    fn evicted(&mut self, id: ChannelId, code: ErrorCode, after: &mut After) {
        if let Some(port) = self.port(id) {
            let charge = port.parked.clear();
            if charge.bytes() > 0 {
                port.end = None; // it is incomplete, though the peer may have finished
            }
            self.channels_mut().release(id, charge);
        }
        self.end(id, End::Evicted(code), after);
    }

    fn end(&mut self, id: ChannelId, end: End, after: &mut After) {
        if let Some(port) = self.port(id) {
            port.end.get_or_insert(end);
            port.arrival.wake(after);
        }
    }

    fn stopped(&mut self, id: ChannelId, code: ErrorCode, after: &mut After) {
        if let Some(port) = self.port(id)
            && !port.ended
        {
            port.stopped.get_or_insert(code);
            port.room.wake(after);
            port.stopping.wake_all(after);
        }
    }

    #[inline]
    fn park(&mut self, message: Received<'_>, after: &mut After) {
        let Received {
            channel,
            data,
            seq,
            skipped,
            charge,
        } = message;
        self.parked_bytes += data.len();
        let Some(port) = self.port(channel) else {
            return self.channels_mut().release(channel, charge);
        };
        let mut entry = Entry {
            form: Form::Copied,
            len: data.len() as u32,
            charge,
            seq,
            skipped,
            epoch: port.epoch,
        };
        match data {
            Data::Lent(bytes) if !port.owned || bytes.len() < OWNED_BYTES_MIN => {
                port.parked.copy(bytes, entry);
            }
            data => {
                entry.form = Form::Whole;
                port.parked.keep(data.into_bytes(), entry);
            }
        }
        port.arrival.wake(after);
    }

    fn park_run(&mut self, run: Run<'_>, after: &mut After) {
        self.parked_bytes += run.bytes.len();
        let Some(port) = self.port(run.channel) else {
            return self.channels_mut().release(run.channel, run.charge);
        };
        let entry = Entry {
            form: Form::Run(run.elem as u32),
            len: run.bytes.len() as u32,
            charge: run.charge,
            seq: run.seq,
            skipped: run.skipped,
            epoch: port.epoch,
        };
        port.parked.copy(run.bytes, entry);
        port.arrival.wake(after);
    }

    fn offer(&mut self, opening: &Opening<'_>, after: &mut After) {
        let id = opening.channel;
        if self.refuses_offers {
            return self.channels_mut().reject(id, ErrorCode::REFUSED);
        }
        let receives = opening.direction != Direction::AcceptorSends;
        let mut port = Port::new(id, receives, opening.mode);
        port.answer = Answer::Accepted(Acceptance::default());
        self.add(port);
        self.offers.push_back(Offer {
            id,
            topic: opening.topic.to_vec(),
            metadata: opening.metadata.to_vec(),
            priority: opening.priority,
            direction: opening.direction,
            mode: opening.mode,
            unit: opening.unit,
            resumable: opening.resumable,
            resume: opening.resume,
        });
        self.offer_waiters.wake_all(after);
    }

    /// All channels are over: everybody is told.
    fn fail(&mut self, failure: ChannelFailure, after: &mut After) {
        self.failure.get_or_insert(failure);
        for port in self.ports.iter_mut().flatten() {
            port.wake_all(after);
        }
        self.ready_waiters.wake_all(after);
        self.offer_waiters.wake_all(after);
    }

    /// The WebSocket has failed, or the driver is gone: everybody is told.
    pub(super) fn lost(&mut self, end: Option<WebSocketEnd>, after: &mut After) {
        let failure = self.session.handle_lost(end);
        self.tell_events(after);
        if self.failure.is_none() {
            self.fail(failure, after);
        }
    }

    /// The driver is gone, and the stream with it.
    pub(super) fn finish(&mut self, after: &mut After) {
        self.lost(None, after);
        self.over = true;
        self.closed_waiters.wake_all(after);
    }

    /// A half's handle is gone; with the other's, the channel.
    pub(super) fn leave(&mut self, id: ChannelId, sender: bool, after: &mut After) {
        let Some(port) = self.port(id) else {
            return;
        };
        if sender {
            port.has_sender = false;
        } else {
            port.has_receiver = false;
        }
        if !port.has_sender && !port.has_receiver {
            self.remove(id, ErrorCode::NO_ERROR, after);
        }
        self.wake_driver(after);
    }

    /// Nobody here knows the channel any more.
    pub(super) fn remove(&mut self, id: ChannelId, code: ErrorCode, after: &mut After) {
        if let Some(port) = self.port(id) {
            port.room.clear(after);
            port.arrival.clear(after);
            port.answered.clear(after);
            port.stopping.wake_all(after);
            if let Some(place) = self.ports.get_mut(id.index()) {
                *place = None;
            }
        }
        self.channels_mut().close_channel(id, code);
        self.tell_events(after);
    }

    /// Nobody will accept what the peer has opened.
    pub(super) fn refuse_offers(&mut self, after: &mut After) {
        self.refuses_offers = true;
        while let Some(offer) = self.offers.pop_front() {
            self.channels_mut().reject(offer.id, ErrorCode::REFUSED);
            self.remove(offer.id, ErrorCode::REFUSED, after);
        }
        self.wake_driver(after);
    }

    /// Whether so much was parked since the last [`Self::sweep`] that another is due.
    pub(super) fn wants_sweep(&self) -> bool {
        self.parked_bytes >= SWEEP_BYTES
    }

    /// Buffers that bursts have left.
    pub(super) fn sweep(&mut self) {
        self.parked_bytes = 0;
        for port in self.ports.iter_mut().flatten() {
            port.parked.sweep();
            port.spare.sweep();
        }
    }
}
