//! A channel application for either reactor, composed by the test.
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, Sender};

use tickwire::channels::{
    AcceptOptions, Accepted, Answer, ChannelConfig, ChannelCx, ChannelFailure, ChannelHandler,
    ChannelHub, ChannelId, ChannelSendError, Charge, DrainEnd, ErrorCode, Event, Multiplexed, Mux,
    Opening, Received, Rejection, SUBPROTOCOL,
};
use tickwire::handshake::HandshakeError;
use tickwire::net::PeerAddr;
use tickwire::reactor::{ConnId, Ended, Opened, Outgoing};
use tickwire::{Error, Role, Stats, Timestamp};

use super::fixture::{LONG, On, Running, calm, options};
use super::raw_peer::{Got, Peer, REQUEST};

/// The events of the handler.
#[derive(Debug)]
pub(crate) enum Seen {
    Open(Role),
    Ready(ConnId),
    Channel(ConnId, ChannelId),
    Accepted(ChannelId),
    Refused(ChannelId, ErrorCode),
    Message(ConnId, ChannelId, Vec<u8>),
    Writable,
    Aborted(ErrorCode),
    Stopped(ErrorCode),
    Evicted(ErrorCode),
    Acked(ChannelId, u64),
    /// Epoch, and the number of the next message.
    Rebased(u64, u64),
    Ended(ChannelId),
    Draining(ConnId, ErrorCode),
    Timer(u64),
    Failed(ChannelFailure),
    /// With the final counts of the WebSocket.
    Close(Ended, ChannelFailure, Stats),
    ConnectFailed(u64, Error),
    Rejected(HandshakeError),
}

/// The state of the test application for a connection.
#[derive(Default)]
pub(crate) struct State {
    /// Messages to send, by channel, with the charge to release when they are sent.
    pub(crate) waiting: HashMap<ChannelId, VecDeque<(Vec<u8>, Charge)>>,
    /// Messages that are kept unread.
    pub(crate) kept: Vec<(ChannelId, Charge)>,
    /// No more messages are kept.
    pub(crate) gate: bool,
    /// Channels to finish when no message waits on them.
    finishing: Vec<ChannelId>,
}

impl State {
    /// Sends the waiting messages of a channel until one is refused.
    pub(crate) fn flush(&mut self, cx: &mut ChannelCx<'_, '_>, channel: ChannelId) {
        let waiting = self.waiting.entry(channel).or_default();
        while let Some((payload, charge)) = waiting.front_mut() {
            match cx.send(channel, payload) {
                Ok(()) => cx.release(channel, charge.take()),
                Err(ChannelSendError::WouldBlock) => return,
                Err(e) => panic!("send: {e}"),
            }
            waiting.pop_front();
        }
        if self.finishing.contains(&channel) {
            // At the end of a drain no channel is left to finish.
            let finished = cx.finish(channel);
            let over = matches!(finished, Err(ChannelSendError::Closed(failure)) if failure.code() == ErrorCode::NO_ERROR);
            assert!(finished.is_ok() || over, "{finished:?}");
        }
    }

    pub(crate) fn push(&mut self, cx: &mut ChannelCx<'_, '_>, channel: ChannelId, payload: &[u8]) {
        let waiting = self.waiting.entry(channel).or_default();
        waiting.push_back((payload.to_vec(), Charge::default()));
        self.flush(cx, channel);
    }

    pub(crate) fn finish(&mut self, cx: &mut ChannelCx<'_, '_>, channel: ChannelId) {
        self.finishing.push(channel);
        self.flush(cx, channel);
    }
}

type OnCx = Box<dyn FnMut(&mut State, &mut ChannelCx<'_, '_>) + Send>;
type OnChannel = Box<dyn FnMut(&mut State, &mut ChannelCx<'_, '_>, Opening<'_>) -> Answer + Send>;
type OnMessage = Box<dyn FnMut(&mut State, &mut ChannelCx<'_, '_>, Received<'_>) + Send>;
type OnWritable = Box<dyn FnMut(&mut State, &mut ChannelCx<'_, '_>, ChannelId) + Send>;
/// A job for the thread of the reactor.
pub(crate) type Job = Box<dyn FnOnce(&mut ChannelHub<'_, '_>) + Send>;

/// A handler that is composed by the test and logs every event. By default it echoes each message,
/// and releases the message when its echo is sent.
pub(crate) struct App {
    log: Sender<Seen>,
    pub(crate) on_open: OnCx,
    pub(crate) on_ready: OnCx,
    pub(crate) on_channel: OnChannel,
    pub(crate) on_message: OnMessage,
    pub(crate) on_writable: OnWritable,
    pub(crate) on_timer: OnCx,
}

pub(crate) fn echo(state: &mut State, cx: &mut ChannelCx<'_, '_>, received: Received<'_>) {
    let channel = received.channel;
    let message = (received.data.to_vec(), received.charge);
    let waiting = state.waiting.entry(channel).or_default();
    waiting.push_back(message);
    state.flush(cx, channel);
}

/// Consumes the message.
pub(crate) fn take(_: &mut State, cx: &mut ChannelCx<'_, '_>, received: Received<'_>) {
    cx.release(received.channel, received.charge);
}

impl App {
    pub(crate) fn new() -> (Self, Log) {
        let (log, seen) = mpsc::channel();
        let app = Self {
            log,
            on_open: Box::new(|_, _| {}),
            on_ready: Box::new(|_, _| {}),
            on_channel: Box::new(|_, _, _| Answer::Accept(AcceptOptions::new())),
            on_message: Box::new(echo),
            on_writable: Box::new(State::flush),
            on_timer: Box::new(|_, _| {}),
        };
        (app, Log(seen))
    }

    fn tell(&self, seen: Seen) {
        // A test that has ended does not listen.
        let _ = self.log.send(seen);
    }
}

impl ChannelHandler for App {
    type Conn = State;
    type Command = Job;
    type Admitted = ();

    fn open(&mut self, cx: &mut ChannelCx<'_, '_>, opened: Opened<'_>) -> State {
        self.tell(Seen::Open(opened.role()));
        let mut state = State::default();
        (self.on_open)(&mut state, cx);
        state
    }

    fn ready(&mut self, state: &mut State, cx: &mut ChannelCx<'_, '_>) {
        self.tell(Seen::Ready(cx.id()));
        (self.on_ready)(state, cx);
    }

    fn channel(
        &mut self,
        state: &mut State,
        cx: &mut ChannelCx<'_, '_>,
        opening: Opening<'_>,
    ) -> Answer {
        self.tell(Seen::Channel(cx.id(), opening.channel));
        (self.on_channel)(state, cx, opening)
    }

    fn accepted(
        &mut self,
        _: &mut State,
        _: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        _: Accepted<'_>,
    ) {
        self.tell(Seen::Accepted(channel));
    }

    fn refused(
        &mut self,
        _: &mut State,
        _: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        refused: Rejection<'_>,
    ) {
        self.tell(Seen::Refused(channel, refused.code));
    }

    fn message(&mut self, state: &mut State, cx: &mut ChannelCx<'_, '_>, received: Received<'_>) {
        let data = received.data.to_vec();
        self.tell(Seen::Message(cx.id(), received.channel, data));
        (self.on_message)(state, cx, received);
    }

    fn finished(&mut self, state: &mut State, cx: &mut ChannelCx<'_, '_>, channel: ChannelId) {
        state.finish(cx, channel);
    }

    fn aborted(
        &mut self,
        _: &mut State,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        code: ErrorCode,
    ) {
        self.tell(Seen::Aborted(code));
        cx.reset(channel, code);
    }

    fn stopped(&mut self, _: &mut State, _: &mut ChannelCx<'_, '_>, _: ChannelId, code: ErrorCode) {
        self.tell(Seen::Stopped(code));
    }

    fn evicted(
        &mut self,
        state: &mut State,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        code: ErrorCode,
    ) {
        for (_, charge) in state.kept.extract_if(.., |(id, _)| *id == channel) {
            cx.release(channel, charge);
        }
        self.tell(Seen::Evicted(code));
    }

    fn acked(&mut self, _: &mut State, _: &mut ChannelCx<'_, '_>, channel: ChannelId, seq: u64) {
        self.tell(Seen::Acked(channel, seq));
    }

    fn rebased(
        &mut self,
        _: &mut State,
        _: &mut ChannelCx<'_, '_>,
        _: ChannelId,
        epoch: u64,
        next_seq: u64,
    ) {
        self.tell(Seen::Rebased(epoch, next_seq));
    }

    fn writable(&mut self, state: &mut State, cx: &mut ChannelCx<'_, '_>, channel: ChannelId) {
        self.tell(Seen::Writable);
        (self.on_writable)(state, cx, channel);
    }

    fn ended(&mut self, state: &mut State, cx: &mut ChannelCx<'_, '_>, channel: ChannelId) {
        self.tell(Seen::Ended(channel));
        state.waiting.remove(&channel);
        assert!(
            cx.channel_stats(channel).is_some(),
            "it is told while it is there"
        );
    }

    fn draining(&mut self, _: &mut State, cx: &mut ChannelCx<'_, '_>, code: ErrorCode, _: &str) {
        self.tell(Seen::Draining(cx.id(), code));
    }

    fn timer(&mut self, state: &mut State, cx: &mut ChannelCx<'_, '_>, token: u64) {
        self.tell(Seen::Timer(token));
        (self.on_timer)(state, cx);
    }

    fn failed(&mut self, _: &mut State, _: &mut ChannelCx<'_, '_>, failure: ChannelFailure) {
        self.tell(Seen::Failed(failure));
    }

    fn close(&mut self, _: State, _: ConnId, ended: Ended, failure: ChannelFailure, stats: Stats) {
        self.tell(Seen::Close(ended, failure, stats));
    }

    fn connect_failed(&mut self, token: u64, error: Error) {
        self.tell(Seen::ConnectFailed(token, error));
    }

    fn command(&mut self, hub: &mut ChannelHub<'_, '_>, command: Job) {
        command(hub);
    }

    fn rejected(&mut self, _peer: Option<PeerAddr>, error: &HandshakeError) {
        self.tell(Seen::Rejected(error.clone()));
    }
}

/// The events of the handler, in order.
pub(crate) struct Log(Receiver<Seen>);

impl Log {
    pub(crate) fn next(&self) -> Seen {
        self.0.recv_timeout(LONG).expect("nothing happened")
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.0.try_iter().collect()
    }

    /// The first event that `pick` selects. The events before it are skipped.
    pub(crate) fn find<T>(&self, mut pick: impl FnMut(Seen) -> Option<T>) -> T {
        loop {
            if let Some(found) = pick(self.next()) {
                return found;
            }
        }
    }

    pub(crate) fn ready(&self) -> ConnId {
        self.find(|seen| match seen {
            Seen::Ready(id) => Some(id),
            _ => None,
        })
    }

    pub(crate) fn message(&self) -> Vec<u8> {
        self.find(|seen| match seen {
            Seen::Message(_, _, data) => Some(data),
            _ => None,
        })
    }

    pub(crate) fn channel(&self) -> (ConnId, ChannelId) {
        self.find(|seen| match seen {
            Seen::Channel(id, channel) => Some((id, channel)),
            _ => None,
        })
    }

    pub(crate) fn closed(&self) -> (Ended, ChannelFailure) {
        self.find(|seen| match seen {
            Seen::Close(ended, failure, _) => Some((ended, failure)),
            _ => None,
        })
    }
}

pub(crate) type Node = Running<Multiplexed<App>>;

/// A reactor with channels: a server, and a client as soon as it connects.
pub(crate) fn start(on: On, config: ChannelConfig, set: impl FnOnce(&mut App)) -> (Node, Log) {
    start_on(on, config, calm(), set)
}

/// The same with a configuration of the WebSocket layer.
pub(crate) fn start_on(
    on: On,
    config: ChannelConfig,
    below: tickwire::Config,
    set: impl FnOnce(&mut App),
) -> (Node, Log) {
    let (mut app, log) = App::new();
    set(&mut app);
    let handler = Multiplexed::new(app, config).expect("limits that work");
    (Running::start(on, handler, options(below)), log)
}

/// Runs `job` on the thread of the reactor.
pub(crate) fn run(node: &Node, job: impl FnOnce(&mut ChannelHub<'_, '_>) + Send + 'static) {
    let pushed = node.remote.command(Box::new(job));
    assert!(pushed.is_ok(), "a reactor that listens");
}

/// Runs `job` on the thread of the reactor and returns its result.
pub(crate) fn ask<T: Send + 'static>(
    node: &Node,
    job: impl FnOnce(&mut ChannelHub<'_, '_>) -> T + Send + 'static,
) -> T {
    let (tell, told) = mpsc::channel();
    run(node, move |hub| {
        tell.send(job(hub)).expect("somebody who asks")
    });
    told.recv_timeout(LONG).expect("an answer")
}

pub(crate) fn connect(node: &Node, to: SocketAddr, token: u64) {
    let outgoing = Outgoing::at(to, &format!("ws://{to}/")).expect("a URL");
    let outgoing = outgoing.token(token).channels().channels();
    node.remote.connect(outgoing).expect("room for a command");
}

/// A peer that exchanges records over a socket, and reads only when the test says so.
pub(crate) struct Raw {
    pub(crate) peer: Peer,
    pub(crate) core: Mux,
}

/// The clock of the peer stands still.
const NOW: Timestamp = Timestamp(1);

impl Raw {
    /// An open connection to a server, before any record.
    pub(crate) fn open(addr: SocketAddr, config: ChannelConfig) -> Self {
        let mut peer = Peer::dial(addr);
        let offer = format!("Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n");
        peer.write(REQUEST.trim_end().as_bytes());
        peer.write(format!("\r\n{offer}").as_bytes());
        let head = peer.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains(SUBPROTOCOL), "{head}");
        let core = Mux::new(config, NOW).expect("limits that work");
        Self { peer, core }
    }

    /// Writes all records that are ready.
    pub(crate) fn flush(&mut self) {
        while let Some(record) = self.core.poll_record(NOW) {
            let bytes = record.as_slice().to_vec();
            self.peer.binary(bytes);
        }
    }

    /// Receives the next record. Releases and returns its messages.
    pub(crate) fn read(&mut self) -> Result<Vec<Vec<u8>>, Got> {
        let record = match self.peer.next() {
            Got::Frame {
                opcode: harness::frames::op::BIN,
                payload,
                fin: true,
            } => payload,
            other => return Err(other),
        };
        let mut messages = Vec::new();
        let mut incoming = self.core.receive(&record, NOW);
        while let Some(event) = self.core.next(&mut incoming) {
            match event {
                Event::Message(message) => {
                    messages.push(message.data.to_vec());
                    self.core.release(message.channel, message.charge);
                }
                Event::Open(opening) => {
                    let accepted = self.core.accept(opening.channel, AcceptOptions::new());
                    accepted.expect("room for a channel");
                }
                Event::Failed(failure) => panic!("failed: {failure}"),
                _ => {}
            }
        }
        Ok(messages)
    }
}

/// A drain with nothing wrong that came to its end.
pub(crate) fn drained(by_peer: bool) -> ChannelFailure {
    ChannelFailure::Drained {
        by_peer,
        code: ErrorCode::NO_ERROR,
        end: DrainEnd::Complete,
    }
}
