//! A server under test on real sockets, and a macro that runs a test once on each reactor.
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tickwire::handshake::{HandshakeError, Request};
use tickwire::net::{PeerAddr, Socket};
use tickwire::reactor::{
    ConnId, Cx, Ended, Handler, Hub, Opened, Outgoing, Reactor, ReactorOptions, Remote,
    RemoteError, TokioReactor, Verdict,
};
use tickwire::{Config, End, Error, Failure, Flush, Kind, Message, Parts, Role, SendError, Stats};

/// Longer than any step takes, even on a busy machine. Only a failing test waits this long.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// The reactor under test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum On {
    Mio,
    Tokio,
}

/// Runs each test once on each reactor.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod mio {
            $(#[test] fn $name() { super::$name(super::On::Mio) })*
        }
        mod tokio {
            $(#[test] fn $name() { super::$name(super::On::Tokio) })*
        }
    };
}
pub(crate) use on_both;

/// An event of the handler.
#[derive(Debug)]
pub(crate) enum Event {
    Open(ConnId, Role, Option<String>, u64),
    Message(ConnId, Kind, Vec<u8>),
    Drained(ConnId),
    Timer(ConnId, u64),
    /// With the token of the connection.
    Closed(ConnId, Ended),
    Detached(ConnId, Parts<Socket>),
    ConnectFailed(u64, Error),
    Undelivered(ConnId, Bytes, Option<SendError>),
    AcceptFailed(io::Error),
    Rejected(HandshakeError),
}

type OnMessage = Box<dyn FnMut(&mut State, &mut Cx<'_>, Message<'_>) + Send>;
type OnDrained = Box<dyn FnMut(&mut State, &mut Cx<'_>) + Send>;
type OnTimer = Box<dyn FnMut(&mut Cx<'_>, u64) + Send>;
type OnOpen = Box<dyn FnMut(&mut Cx<'_>) + Send>;
type OnClose = Box<dyn FnMut(Stats) + Send>;
type OnRequest = Box<dyn FnMut(&Request) -> Verdict + Send>;
/// A command: a job for the thread of the reactor.
pub(crate) type Job = Box<dyn FnOnce(&mut Hub<'_>) + Send>;

/// The state of the test application for a connection.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Messages that a full queue has refused.
    pub(crate) refused: Option<Vec<u8>>,
}

/// A handler that is composed by the test and logs every event.
pub(crate) struct App {
    log: Sender<Event>,
    /// Whether messages are logged. Tests with millions of bytes do not log them.
    pub(crate) tells_messages: bool,
    pub(crate) on_open: OnOpen,
    pub(crate) on_message: OnMessage,
    pub(crate) on_drained: OnDrained,
    pub(crate) on_timer: OnTimer,
    pub(crate) on_request: OnRequest,
    pub(crate) on_close: OnClose,
}

/// Echoes a message, and pauses the connection while the queue is full.
pub(crate) fn echo(state: &mut State, cx: &mut Cx<'_>, message: Message<'_>) {
    let sent = match message {
        Message::Binary(data) => cx.send(data),
        Message::Text(text) => cx.outbox().send_text(text),
        _ => return,
    };
    match sent {
        Ok(()) | Err(SendError::Closed) => {}
        Err(SendError::QueueFull { .. }) => {
            assert!(
                state.refused.is_none(),
                "a paused connection gave a message"
            );
            state.refused = message.data().map(<[u8]>::to_vec);
            cx.pause();
        }
        Err(e) => panic!("send: {e}"),
    }
}

fn drained(state: &mut State, cx: &mut Cx<'_>) {
    if let Some(data) = state.refused.take() {
        if cx.send(&data).is_err() {
            state.refused = Some(data);
            return;
        }
        cx.resume();
    }
}

impl App {
    /// A handler that echoes.
    pub(crate) fn new() -> (Self, Events) {
        let (log, events) = mpsc::channel();
        let app = Self {
            log,
            tells_messages: true,
            on_open: Box::new(|_| {}),
            on_message: Box::new(echo),
            on_drained: Box::new(drained),
            on_timer: Box::new(|_, _| {}),
            on_request: Box::new(|_| Verdict::default()),
            on_close: Box::new(|_| {}),
        };
        (app, Events(events))
    }

    fn tell(&self, event: Event) {
        // A test that has ended does not listen.
        let _ = self.log.send(event);
    }
}

impl Handler for App {
    type Conn = State;
    type Command = Job;
    type Admitted = ();

    fn request(&mut self, request: &Request, _peer: Option<PeerAddr>) -> Verdict {
        (self.on_request)(request)
    }

    fn open(&mut self, cx: &mut Cx<'_>, opened: Opened<'_>) -> State {
        let name = opened.subprotocol().map(String::from);
        self.tell(Event::Open(cx.id(), opened.role(), name, opened.token));
        (self.on_open)(cx);
        State::default()
    }

    fn message(&mut self, conn: &mut State, cx: &mut Cx<'_>, message: Message<'_>) {
        if self.tells_messages
            && let Some(data) = message.data()
        {
            let kind = match message {
                Message::Text(_) => Kind::Text,
                _ => Kind::Binary,
            };
            self.tell(Event::Message(cx.id(), kind, data.to_vec()));
        }
        (self.on_message)(conn, cx, message);
    }

    fn drained(&mut self, conn: &mut State, cx: &mut Cx<'_>) {
        self.tell(Event::Drained(cx.id()));
        (self.on_drained)(conn, cx);
    }

    fn timer(&mut self, _conn: &mut State, cx: &mut Cx<'_>, token: u64) {
        self.tell(Event::Timer(cx.id(), token));
        (self.on_timer)(cx, token);
    }

    fn close(&mut self, _conn: State, id: ConnId, ended: Ended, stats: Stats) {
        (self.on_close)(stats);
        self.tell(Event::Closed(id, ended));
    }

    fn detached(&mut self, _conn: State, id: ConnId, parts: Parts<Socket>) {
        self.tell(Event::Detached(id, parts));
    }

    fn connect_failed(&mut self, token: u64, error: Error) {
        self.tell(Event::ConnectFailed(token, error));
    }

    fn command(&mut self, hub: &mut Hub<'_>, command: Job) {
        command(hub);
    }

    fn undelivered(&mut self, id: ConnId, message: Bytes, error: Option<SendError>) {
        self.tell(Event::Undelivered(id, message, error));
    }

    fn accept_failed(&mut self, error: io::Error) {
        self.tell(Event::AcceptFailed(error));
    }

    fn rejected(&mut self, _peer: Option<PeerAddr>, error: &HandshakeError) {
        self.tell(Event::Rejected(error.clone()));
    }
}

/// The events of the handler, in order.
pub(crate) struct Events(Receiver<Event>);

impl Events {
    pub(crate) fn next(&self) -> Event {
        self.0.recv_timeout(LONG).expect("nothing happened")
    }

    /// The events until now.
    pub(crate) fn seen(&self) -> Vec<Event> {
        self.0.try_iter().collect()
    }

    /// The first event that `pick` selects. The events before it are skipped.
    pub(crate) fn find<T>(&self, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        loop {
            if let Some(found) = pick(self.next()) {
                return found;
            }
        }
    }

    pub(crate) fn opened(&self) -> ConnId {
        self.find(|e| match e {
            Event::Open(id, ..) => Some(id),
            _ => None,
        })
    }

    pub(crate) fn closed(&self) -> Ended {
        self.find(|e| match e {
            Event::Closed(_, ended) => Some(ended),
            _ => None,
        })
    }

    /// The number of messages before the end of a connection, and the end.
    pub(crate) fn to_the_end(&self) -> (usize, Ended) {
        let mut messages = 0;
        let ended = self.find(|e| match e {
            Event::Closed(_, ended) => Some(ended),
            Event::Message(..) => {
                messages += 1;
                None
            }
            _ => None,
        });
        (messages, ended)
    }

    pub(crate) fn failure(&self) -> Failure {
        match self.closed() {
            Ended::Session(End::Failed(failure)) => failure,
            other => panic!("ended with {other:?}"),
        }
    }
}

/// A reactor on its own thread.
pub(crate) struct Running<H: Handler> {
    pub(crate) addr: SocketAddr,
    pub(crate) remote: Remote<H::Command>,
    thread: JoinHandle<H>,
}

impl<H: Handler + Send + 'static> Running<H> {
    pub(crate) fn start(on: On, handler: H, options: ReactorOptions) -> Self {
        Self::start_at(on, handler, options, None)
    }

    /// The same with a Unix socket to listen on.
    pub(crate) fn start_at(
        on: On,
        handler: H,
        options: ReactorOptions,
        path: Option<PathBuf>,
    ) -> Self {
        let (tell, told) = mpsc::channel();
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let thread = thread::spawn(move || match on {
            On::Mio => {
                let mut reactor = Reactor::new(handler, options).expect("a reactor");
                let (addr, _) = reactor.listen(local).expect("a port");
                if let Some(path) = path {
                    reactor.listen_unix(path).expect("a path");
                }
                tell.send((addr, reactor.remote())).expect("a listener");
                reactor.run().expect("a clean end")
            }
            On::Tokio => tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(async move {
                    let mut reactor = TokioReactor::new(handler, options).expect("a reactor");
                    let (addr, _) = reactor.listen(local).expect("a port");
                    if let Some(path) = path {
                        reactor.listen_unix(path).expect("a path");
                    }
                    tell.send((addr, reactor.remote())).expect("a listener");
                    reactor.run().await.expect("a clean end")
                }),
        });
        let (addr, remote) = told.recv_timeout(LONG).expect("a reactor that listens");
        Self {
            addr,
            remote,
            thread,
        }
    }

    /// Stops the reactor and waits for its end.
    pub(crate) fn stop(self) -> H {
        let _ = self.remote.stop();
        self.join()
    }

    pub(crate) fn join(self) -> H {
        until("run() returns", || self.thread.is_finished());
        self.thread.join().expect("no panic")
    }
}

impl Running<App> {
    /// Runs `job` on the thread of the reactor.
    pub(crate) fn run(&self, job: impl FnOnce(&mut Hub<'_>) + Send + 'static) {
        self.remote
            .command(Box::new(job))
            .map_err(|(e, _): (RemoteError, Job)| e)
            .expect("a reactor that listens");
    }

    /// Runs `job` on the thread of the reactor and returns its result.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Hub<'_>) -> T + Send + 'static,
    ) -> T {
        let (tell, told) = mpsc::channel();
        self.run(move |hub| tell.send(job(hub)).expect("somebody who asks"));
        told.recv_timeout(LONG).expect("an answer")
    }

    /// Blocks the thread of the reactor until the guard is dropped.
    pub(crate) fn hold(&self) -> Sender<()> {
        let (held, holds) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        self.run(move |_| {
            held.send(()).expect("somebody who holds");
            let _ = released.recv_timeout(LONG);
        });
        holds.recv_timeout(LONG).expect("a reactor that is held");
        release
    }

    pub(crate) fn connect(&self, to: SocketAddr, token: u64) {
        self.connect_with(
            Outgoing::at(to, &format!("ws://{to}/"))
                .expect("a URL")
                .token(token),
        );
    }

    pub(crate) fn connect_with(&self, outgoing: Outgoing) {
        self.remote.connect(outgoing).expect("room for a command");
    }
}

/// An echo server with this configuration; `set` changes its handler.
pub(crate) fn serve(on: On, config: Config, set: impl FnOnce(&mut App)) -> (Running<App>, Events) {
    serve_with(on, options(config), set)
}

pub(crate) fn serve_with(
    on: On,
    options: ReactorOptions,
    set: impl FnOnce(&mut App),
) -> (Running<App>, Events) {
    let (mut app, events) = App::new();
    set(&mut app);
    (Running::start(on, app, options), events)
}

pub(crate) fn options(config: Config) -> ReactorOptions {
    ReactorOptions::default().config(config)
}

/// A configuration in which no deadline expires during a test.
pub(crate) fn calm() -> Config {
    Config::default()
        .ping_interval(None)
        .close_timeout(LONG * 2)
        .write_timeout(LONG * 2)
        .handshake_timeout(LONG * 2)
        .flush(Flush::EndOfBatch)
}

/// Waits for `condition`.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < LONG, "not in time: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A plain TCP listener of the test.
pub(crate) fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address");
    (listener, addr)
}
