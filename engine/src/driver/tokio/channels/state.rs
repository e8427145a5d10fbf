//! The state that the tasks of a connection share: its channels, and for each channel the parked
//! messages and the wakers of waiting tasks.

use std::boxed::Box;
use std::collections::VecDeque;
use std::string::String;
use std::sync::Arc;
use std::task::Waker;
use std::vec::Vec;

use bytes::Bytes;

use super::super::io::now;
use super::error::ChannelError;
use super::monitor::{AfterUnlock, DriverWaker, Monitor, Waiters, WakerSlot};
use super::parked::{Entry, Form, Parked};
use crate::session::End;
use crate::session::channels::{
    ChannelConfig, ChannelFailure, ChannelId, ChannelSendError, ChannelSession, Channels, Charge,
    Data, Direction, ErrorCode, Event, HalfState, Mode, OpenError, OpenOptions, Opening, Received,
    Resume, Resumption, Run, Unit,
};

/// Payload bytes from which a message for a reader of owned messages is not copied twice.
const OWNED_BYTES_MIN: usize = 1024;

/// Parked bytes between two sweeps of unused buffers. It bounds the memory that bursts on one
/// channel after another leave behind, for any number of channels.
const SWEEP_BYTES: usize = 1 << 20;

/// The state behind its lock, and the config, which never changes.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) state: Monitor<State>,
    pub(super) config: Arc<ChannelConfig>,
}

/// How the receive half of a channel has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ReceiveEnd {
    Finished,
    Aborted(ErrorCode),
    Evicted(ErrorCode),
    /// The peer has rejected the channel: see [`Port::answer`].
    Rejected,
    /// This end has stopped it, or the channel's direction leaves it out.
    None,
}

/// The peer's answer when it accepts a channel that this end has opened.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Acceptance {
    /// Bytes from the peer's application.
    pub metadata: Vec<u8>,
    /// Where the peer's messages resume, if this end asked for a resumption.
    pub resumption: Option<Resumption>,
    /// The first sequence number that the peer wants from this end, if the peer gives one.
    pub wants: Option<u64>,
}

/// The peer's answer to the opening of a channel.
#[derive(Debug)]
pub(super) enum Answer {
    Pending,
    Accepted(Acceptance),
    /// [`ChannelError::Rejected`].
    Rejected(ChannelError),
}

/// The state of a channel that its handles share.
#[derive(Debug)]
pub(super) struct Port {
    id: ChannelId,
    pub(super) parked: Parked,
    /// Empty buffers that replace those that the next batch takes.
    pub(super) spare: Parked,
    /// The epoch of the messages that are parked next.
    pub(super) epoch: u64,
    /// How the receive half has ended; `None` while it is open.
    pub(super) end: Option<ReceiveEnd>,
    pub(super) answer: Answer,
    /// The code with which the peer has stopped receiving.
    pub(super) stopped: Option<ErrorCode>,
    /// The peer has acknowledged every sequence number below this one.
    pub(super) acknowledged: u64,
    /// The send half was finished or reset by this end.
    pub(super) send_ended: bool,
    /// Messages expire in the queue: a send needs the current time.
    pub(super) has_ttl: bool,
    /// The reader receives owned messages, one by one.
    pub(super) reads_owned: bool,
    pub(super) has_sender: bool,
    pub(super) has_receiver: bool,
    /// The sender, waiting for room in the queue.
    pub(super) send_waker: WakerSlot,
    /// The receiver, waiting for messages.
    pub(super) receive_waker: WakerSlot,
    /// The owner of the channel, waiting for [`Self::answer`].
    pub(super) answer_waker: WakerSlot,
    /// Tasks that wait for the peer's STOP.
    pub(super) stop_waiters: Waiters,
}

impl Port {
    fn new(id: ChannelId, receives: bool, mode: Mode) -> Self {
        Self {
            id,
            parked: Parked::default(),
            spare: Parked::default(),
            epoch: 0,
            end: (!receives).then_some(ReceiveEnd::None),
            answer: Answer::Pending,
            stopped: None,
            acknowledged: 0,
            send_ended: false,
            has_ttl: matches!(mode, Mode::Ttl(_)),
            reads_owned: false,
            has_sender: true,
            has_receiver: true,
            send_waker: WakerSlot::default(),
            receive_waker: WakerSlot::default(),
            answer_waker: WakerSlot::default(),
            stop_waiters: Waiters::default(),
        }
    }

    /// Wakes every task that waits on the channel.
    fn wake_all(&mut self, after: &mut AfterUnlock) {
        self.send_waker.wake(after);
        self.receive_waker.wake(after);
        self.answer_waker.wake(after);
        self.stop_waiters.wake_all(after);
    }
}

/// A channel that the peer has opened and this end has not accepted yet.
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

/// The state of a connection; see the module.
#[derive(Debug)]
pub(super) struct State {
    pub(super) session: ChannelSession,
    /// By [`ChannelId::index`].
    ports: Vec<Option<Box<Port>>>,
    /// Bytes parked since the last [`Self::sweep`].
    parked_bytes: usize,
    /// At most three times `channels_max` offers: an offer that the peer withdraws stays until the
    /// application takes it.
    pub(super) offers: VecDeque<Offer>,
    pub(super) driver: DriverWaker,
    /// Tasks that wait for the peer's HELLO.
    pub(super) ready_waiters: Waiters,
    /// Tasks that wait for a channel of the peer, or for a drain.
    pub(super) offer_waiters: Waiters,
    /// Tasks that wait for the end of the connection.
    pub(super) closed_waiters: Waiters,
    pub(super) ready: bool,
    /// The code and the reason of the drain, once either end has started one: neither end opens more
    /// channels.
    pub(super) drain: Option<(ErrorCode, String)>,
    /// How the channels ended.
    pub(super) failure: Option<ChannelFailure>,
    /// The driver has ended, and the stream is closed.
    pub(super) closed: bool,
    /// Channels of the peer are rejected: no `ChannelSocket` is left to accept them.
    pub(super) refuses_offers: bool,
    /// Every handle is dropped.
    pub(super) has_no_handle: bool,
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
            drain: None,
            failure: None,
            closed: false,
            refuses_offers: false,
            has_no_handle: false,
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

    /// Wakes the driver if it is idle and there are bytes to send.
    #[inline]
    pub(super) fn wake_driver(&mut self, after: &mut AfterUnlock) {
        if self.driver.is_idle() && self.session.wants_write() {
            self.driver.wake(after);
        }
    }

    pub(super) fn open(
        &mut self,
        options: OpenOptions,
        after: &mut AfterUnlock,
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

    /// Runs `put`. After `WouldBlock`, `waker` is woken when another try may succeed.
    pub(super) fn send<T>(
        &mut self,
        id: ChannelId,
        waker: Option<&Waker>,
        after: &mut AfterUnlock,
        put: impl FnOnce(&mut Channels) -> Result<T, ChannelSendError>,
    ) -> Result<T, ChannelSendError> {
        if self.port(id).is_some_and(|p| p.has_ttl) {
            self.channels_mut().set_time(now());
        }
        let sent = put(self.channels_mut());
        self.wake_driver(after);
        if let (Err(ChannelSendError::WouldBlock), Some(waker)) = (&sent, waker)
            && let Some(port) = self.port(id)
        {
            port.send_waker.register(waker, after);
        }
        sent
    }

    /// Records that this end has finished or reset the send half.
    pub(super) fn end_sending(&mut self, id: ChannelId, after: &mut AfterUnlock) {
        if let Some(port) = self.port(id) {
            port.send_ended = true;
            port.send_waker.clear(after);
            port.stop_waiters.wake_all(after);
        }
        self.wake_driver(after);
    }

    /// Returns credit to the peer.
    #[inline]
    pub(super) fn release(&mut self, id: ChannelId, charge: Charge, after: &mut AfterUnlock) {
        self.channels_mut().release(id, charge);
        self.wake_driver(after);
    }

    /// Applies the events that the session has queued. `true` if there were any.
    pub(super) fn apply_events(&mut self, after: &mut AfterUnlock) -> bool {
        let mut any = false;
        while let Some(event) = self.session.poll_event() {
            any = true;
            self.apply(event, after);
        }
        while let Some(id) = self.session.poll_writable() {
            if let Some(port) = self.port(id) {
                port.send_waker.wake(after);
            }
        }
        any
    }

    pub(super) fn apply(&mut self, event: Event<'_>, after: &mut AfterUnlock) {
        match event {
            Event::Message(message) => self.park(message, after),
            Event::Run(run) => self.park_run(run, after),
            Event::Open(opening) => self.offer(&opening, after),
            Event::Ready => {
                self.ready = true;
                self.ready_waiters.wake_all(after);
            }
            Event::Draining { code, reason } => self.start_drain(code, reason, after),
            Event::Failed(failure) => self.fail(failure, after),
            other => self.apply_to_port(other, after),
        }
    }

    /// Records the drain, unless an earlier one is recorded, and wakes the tasks that wait for it.
    pub(super) fn start_drain(&mut self, code: ErrorCode, reason: &str, after: &mut AfterUnlock) {
        self.drain.get_or_insert_with(|| (code, reason.into()));
        self.offer_waiters.wake_all(after);
    }

    /// Applies an event of one channel.
    fn apply_to_port(&mut self, event: Event<'_>, after: &mut AfterUnlock) {
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
                port.answer_waker.wake(after);
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
                    port.end.get_or_insert(ReceiveEnd::Rejected);
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
            Event::Finished { channel } => self.end(channel, ReceiveEnd::Finished, after),
            Event::Aborted { channel, code } => {
                // One RESET may have ended both halves.
                let both = self.channels().channel_stats(channel).is_some_and(|stats| {
                    matches!(stats.sending, HalfState::Ending | HalfState::Aborted)
                });
                if both {
                    self.stopped(channel, code, after);
                }
                self.end(channel, ReceiveEnd::Aborted(code), after);
            }
            Event::Stopped { channel, code } => self.stopped(channel, code, after),
            Event::Evicted { channel, code } => self.evicted(channel, code, after),
            _ => {}
        }
    }

    fn evicted(&mut self, id: ChannelId, code: ErrorCode, after: &mut AfterUnlock) {
        if let Some(port) = self.port(id) {
            let charge = port.parked.clear();
            if charge.bytes() > 0 {
                port.end = None; // the messages are incomplete, even if the peer has finished
            }
            self.channels_mut().release(id, charge);
        }
        self.end(id, ReceiveEnd::Evicted(code), after);
    }

    fn end(&mut self, id: ChannelId, end: ReceiveEnd, after: &mut AfterUnlock) {
        if let Some(port) = self.port(id) {
            port.end.get_or_insert(end);
            port.receive_waker.wake(after);
        }
    }

    fn stopped(&mut self, id: ChannelId, code: ErrorCode, after: &mut AfterUnlock) {
        if let Some(port) = self.port(id)
            && !port.send_ended
        {
            port.stopped.get_or_insert(code);
            port.send_waker.wake(after);
            port.stop_waiters.wake_all(after);
        }
    }

    #[inline]
    fn park(&mut self, message: Received<'_>, after: &mut AfterUnlock) {
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
            Data::Lent(bytes) if !port.reads_owned || bytes.len() < OWNED_BYTES_MIN => {
                port.parked.copy(bytes, entry);
            }
            data => {
                entry.form = Form::Whole;
                port.parked.keep(data.into_bytes(), entry);
            }
        }
        port.receive_waker.wake(after);
    }

    fn park_run(&mut self, run: Run<'_>, after: &mut AfterUnlock) {
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
        port.receive_waker.wake(after);
    }

    fn offer(&mut self, opening: &Opening<'_>, after: &mut AfterUnlock) {
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

    /// All channels have ended: wakes every waiting task.
    fn fail(&mut self, failure: ChannelFailure, after: &mut AfterUnlock) {
        self.failure.get_or_insert(failure);
        for port in self.ports.iter_mut().flatten() {
            port.wake_all(after);
        }
        self.ready_waiters.wake_all(after);
        self.offer_waiters.wake_all(after);
    }

    /// The WebSocket has ended, or the driver is dropped: ends all channels.
    pub(super) fn lost(&mut self, end: Option<End>, after: &mut AfterUnlock) {
        let failure = self.session.handle_lost(end);
        self.apply_events(after);
        if self.failure.is_none() {
            self.fail(failure, after);
        }
    }

    /// Records that the driver has ended and the stream is closed, and wakes every waiting task.
    pub(super) fn finish(&mut self, after: &mut AfterUnlock) {
        self.lost(None, after);
        self.closed = true;
        self.closed_waiters.wake_all(after);
    }

    /// Drops the handle of one half; after both, the channel.
    pub(super) fn drop_half(&mut self, id: ChannelId, sender: bool, after: &mut AfterUnlock) {
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

    /// Removes a channel that has no handle any more.
    pub(super) fn remove(&mut self, id: ChannelId, code: ErrorCode, after: &mut AfterUnlock) {
        if let Some(port) = self.port(id) {
            port.send_waker.clear(after);
            port.receive_waker.clear(after);
            port.answer_waker.clear(after);
            port.stop_waiters.wake_all(after);
            if let Some(place) = self.ports.get_mut(id.index()) {
                *place = None;
            }
        }
        self.channels_mut().close_channel(id, code);
        self.apply_events(after);
    }

    /// Rejects all offers, now and later.
    pub(super) fn refuse_offers(&mut self, after: &mut AfterUnlock) {
        self.refuses_offers = true;
        while let Some(offer) = self.offers.pop_front() {
            self.channels_mut().reject(offer.id, ErrorCode::REFUSED);
            self.remove(offer.id, ErrorCode::REFUSED, after);
        }
        self.wake_driver(after);
    }

    /// Whether [`SWEEP_BYTES`] were parked since the last [`Self::sweep`].
    pub(super) fn wants_sweep(&self) -> bool {
        self.parked_bytes >= SWEEP_BYTES
    }

    /// Frees large buffers that were not used since the last call.
    pub(super) fn sweep(&mut self) {
        self.parked_bytes = 0;
        for port in self.ports.iter_mut().flatten() {
            port.parked.sweep();
            port.spare.sweep();
        }
    }
}
