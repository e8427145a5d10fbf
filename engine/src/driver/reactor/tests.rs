//! The core of both reactors under a clock and over sockets of the tests' own.

use std::boxed::Box;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;
use std::vec;
use std::vec::Vec;

use super::super::error::Error;
use super::super::handler::{ConnId, Cx, Ended, Handler, Hub, Opened};
use super::super::parts::Parts;
use super::super::remote::Command;
use super::fake::{self, Fake};
use crate::config::Config;
use crate::conn::Message;
use crate::error::{CloseCode, Deadline, Failure};
use crate::handshake::{
    Accept, ClientHandshake, ClientOptions, HandshakeError, HeadLimits, ServerHandshake,
};
use crate::role::Role;
use crate::session::End;
use crate::time::Timestamp;

/// Bytes of a receive buffer.
const RECV_BYTES: usize = 4096;

fn at(seconds: u64) -> Timestamp {
    Timestamp(seconds * 1_000_000_000)
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

const PAUSE: u64 = 1;
const RESUME: u64 = 2;
const PAUSE_ONLY: u64 = 3;

/// Answers every message, and does what it says.
#[derive(Default)]
struct App {
    messages: Vec<Vec<u8>>,
    ended: Option<Ended>,
    not_connected: Vec<Error>,
}

impl Handler for App {
    type Conn = ();
    type Command = Box<dyn FnOnce(&mut Hub<'_>) + Send>;

    fn open(&mut self, _: &mut Cx<'_>, _: Opened<'_>) {}

    fn message(&mut self, _: &mut (), cx: &mut Cx<'_>, message: Message<'_>) {
        let Some(data) = message.data() else {
            return;
        };
        self.messages.push(data.to_vec());
        match data {
            b"pause" => cx.pause(),
            b"pause at 24" => cx.timer(seconds(24), PAUSE_ONLY).unwrap(),
            b"cycle" => cx.timer(seconds(1), PAUSE).unwrap(),
            b"close, detach" => {
                cx.close(CloseCode::NORMAL, "").unwrap();
                cx.detach();
            }
            b"detach, close" => {
                cx.detach();
                cx.close(CloseCode::NORMAL, "").unwrap();
            }
            _ => {}
        }
        // Refused where the connection is closing.
        let _ = cx.send(data);
    }

    fn timer(&mut self, _: &mut (), cx: &mut Cx<'_>, token: u64) {
        match token {
            PAUSE => {
                cx.pause();
                cx.timer(seconds(1), RESUME).unwrap();
            }
            RESUME => {
                cx.resume();
                cx.timer(seconds(1), PAUSE).unwrap();
            }
            _ => cx.pause(),
        }
    }

    fn close(&mut self, (): (), _: ConnId, ended: Ended) {
        self.ended = Some(ended);
    }

    fn connect_failed(&mut self, _: u64, error: Error) {
        self.not_connected.push(error);
    }

    fn detached(&mut self, (): (), _: ConnId, _: Parts<TcpStream>) {
        unreachable!("the socket cannot be taken off");
    }

    fn command(&mut self, hub: &mut Hub<'_>, command: Self::Command) {
        command(hub);
    }
}

/// A core with one client's connection.
type Rig = fake::Rig<App>;

impl Rig {
    fn new(config: Config) -> Self {
        let mut rig = Self::empty(App::default(), config.build().unwrap(), RECV_BYTES);
        rig.open(Role::Client, None);
        rig
    }

    /// The peer sends a frame; the core does not know yet.
    fn frame(&self, opcode: u8, payload: &[u8]) {
        let incoming = &mut self.pipe.borrow_mut().incoming;
        incoming.extend_from_slice(&[0x80 | opcode, payload.len() as u8]);
        incoming.extend_from_slice(payload);
    }

    fn end(&self, end: Result<usize, ErrorKind>) {
        self.pipe.borrow_mut().end = Some(end);
    }

    fn resume(&mut self) {
        let id = self.id;
        let job: Box<dyn FnOnce(&mut Hub<'_>) + Send> = Box::new(move |hub| hub.resume(id));
        self.core.carry_out(Command::User(job), self.now);
        self.serve();
    }

    fn ended(&mut self) -> Ended {
        self.core.handler.ended.take().expect("an end")
    }

    #[track_caller]
    fn assert_alive(&self) {
        assert!(
            self.core.handler.ended.is_none(),
            "{:?}",
            self.core.handler.ended
        );
    }

    #[track_caller]
    fn assert_failed(&mut self, deadline: Deadline) {
        let ended = self.ended();
        assert!(
            matches!(ended, Ended::Session(End::Failed(Failure::Deadline(d))) if d == deadline),
            "{ended:?}"
        );
    }

    #[track_caller]
    fn assert_closed(&mut self, (code, began): (u16, bool)) {
        let ended = self.ended();
        assert!(
            matches!(ended, Ended::Session(End::Closed { code: Some(c), by_peer })
                if c == CloseCode(code) && by_peer == began),
            "{ended:?}"
        );
    }

    #[track_caller]
    fn assert_broken(&mut self) {
        let ended = self.ended();
        assert!(
            matches!(&ended, Ended::Io(e) if e.kind() == ErrorKind::BrokenPipe),
            "{ended:?}"
        );
    }
}

/// Nothing by the clock but what a test asks for.
fn calm() -> Config {
    Config {
        ping_interval: None,
        close_timeout: seconds(5),
        ..Config::default()
    }
}

/// A subscriber that says nothing but its Pongs, and gets no Pings during the pause.
#[test]
fn a_pause_is_not_held_against_a_quiet_peer() {
    let mut rig = Rig::new(Config {
        ping_interval: Some(seconds(20)),
        pong_timeout: seconds(10),
        idle_timeout: Some(seconds(30)),
        ..calm()
    });
    rig.pass(at(1));
    rig.frame(2, b"pause");
    rig.readable();
    rig.pass(at(61));
    assert_eq!(rig.core.handler.messages.len(), 1);
    rig.pipe.borrow_mut().written.clear();
    rig.resume();
    rig.pass(at(61));
    rig.assert_alive();
    assert_eq!(
        rig.pipe.borrow().written.first(),
        Some(&0x89),
        "it is asked first"
    );
    rig.pass(at(70));
    rig.assert_alive();
    rig.pass(at(77));
    rig.assert_failed(Deadline::Pong);
}

/// The silence before the pause and that after it count.
#[test]
fn silence_around_pauses_counts() {
    let mut rig = Rig::new(Config {
        idle_timeout: Some(seconds(30)),
        ..calm()
    });
    rig.frame(2, b"cycle");
    rig.readable();
    // Every other second is a pause.
    rig.pass(at(58));
    rig.assert_alive();
    rig.pass(at(66));
    rig.assert_failed(Deadline::Idle);
}

/// A Ping that was out when the pause began gets what was left of its time.
#[test]
fn a_ping_before_a_pause_is_not_held_against_the_peer() {
    let mut rig = Rig::new(Config {
        ping_interval: Some(seconds(20)),
        pong_timeout: seconds(10),
        ..calm()
    });
    rig.frame(2, b"pause at 24");
    rig.readable();
    rig.pass(at(100));
    rig.resume();
    rig.pass(at(105));
    rig.assert_alive();
    // And what is left of the Ping's time is over, then that of the closing.
    rig.pass(at(112));
    rig.assert_failed(Deadline::Pong);
}

#[test]
fn entries_of_deadlines_do_not_outlive_their_connections_for_long() {
    let mut rig = Rig::new(Config {
        idle_timeout: Some(seconds(3600)),
        ..calm()
    });
    for round in 1..200 {
        rig.pass(at(11 * round));
        rig.end(Ok(0));
        rig.readable();
        assert!(rig.core.handler.ended.take().is_some());
        assert_eq!(rig.core.connections(), 0);
        rig.id = rig.core.reserve();
        rig.open(Role::Client, None);
        let entries = rig.core.slab.timers.len();
        assert!(entries <= 7, "{entries} entries for one connection");
    }
    // And the deadline itself is still kept.
    let opened = 11 * 199;
    rig.pass(at(opened + 3599));
    rig.assert_alive();
    rig.pass(at(opened + 3700));
    rig.assert_failed(Deadline::Idle);
}

/// Who goes on would send behind our Close.
#[test]
fn what_is_closing_is_not_detached() {
    for how in [&b"close, detach"[..], b"detach, close"] {
        let mut rig = Rig::new(calm());
        rig.frame(2, how);
        rig.frame(2, b"behind");
        rig.readable();
        rig.assert_alive();
        assert_eq!(rig.core.handler.messages, [how, b"behind"]);
        rig.frame(8, &1000_u16.to_be_bytes());
        rig.readable();
        rig.end(Ok(0));
        rig.readable();
        rig.assert_closed((1000, false));
    }
}

/// Messages of several turns, of 100 bytes each, and a Close, from a peer that is gone.
fn last_words(rig: &Rig, messages: usize) -> Vec<Vec<u8>> {
    let sent = vec![vec![5; 100]; messages];
    sent.iter().for_each(|message| rig.frame(2, message));
    rig.frame(8, &1001_u16.to_be_bytes());
    rig.end(Ok(0));
    rig.pipe.borrow_mut().broken = true;
    sent
}

#[test]
fn a_failed_write_hides_neither_messages_nor_a_close() {
    for flush in [
        crate::Flush::EndOfBatch,
        crate::Flush::Now,
        crate::Flush::Bytes(1),
    ] {
        let mut rig = Rig::new(Config { flush, ..calm() });
        let sent = last_words(&rig, 500);
        rig.readable();
        assert_eq!(rig.core.handler.messages, sent);
        rig.assert_closed((1001, true));
    }
}

#[test]
fn a_failed_write_waits_for_the_end_of_a_pause() {
    let mut rig = Rig::new(calm());
    rig.frame(2, b"pause");
    let sent = last_words(&rig, 500);
    rig.readable();
    rig.pass(at(4));
    rig.assert_alive();
    assert_eq!(rig.core.handler.messages.len(), 1);
    rig.resume();
    assert_eq!(rig.core.handler.messages[1..], sent);
    rig.assert_closed((1001, true));
}

/// A pause that never ends; a socket that has no more to read.
#[test]
fn a_failed_write_does_not_wait_for_ever() {
    for (first, paused) in [(&b"pause"[..], true), (b"go on", false)] {
        let mut rig = Rig::new(calm());
        rig.frame(2, first);
        rig.frame(2, b"more");
        rig.pipe.borrow_mut().broken = true;
        rig.readable();
        if paused {
            rig.pass(at(4));
            rig.assert_alive();
            rig.pass(at(6));
        }
        rig.assert_broken();
        assert_eq!(rig.core.connections(), 0);
    }
}

/// For the closing handshake is behind what the peer has sent.
#[test]
fn a_stop_ends_a_pause() {
    let mut rig = Rig::new(calm());
    rig.frame(2, b"pause");
    rig.frame(2, b"behind");
    rig.readable();
    assert_eq!(rig.core.handler.messages.len(), 1);
    rig.core.carry_out(Command::Stop, rig.now);
    rig.serve();
    assert_eq!(rig.core.handler.messages, [&b"pause"[..], b"behind"]);
    rig.frame(8, &1001_u16.to_be_bytes());
    rig.readable();
    rig.end(Ok(0));
    rig.readable();
    rig.assert_closed((1001, false));
}

/// The fault that came first is the cause.
#[test]
fn a_failed_write_is_told_where_nothing_else_is() {
    for end in [Ok(0), Err(ErrorKind::ConnectionReset)] {
        let mut rig = Rig::new(calm());
        rig.frame(2, b"first");
        rig.end(end);
        rig.pipe.borrow_mut().broken = true;
        rig.readable();
        // The end is read once more after the write, if the first read left space.
        rig.readable();
        rig.assert_broken();
    }
}

/// A client's connection on its way, in place of the one that the rig has: its handshake.
fn connecting(rig: &mut Rig) -> ClientHandshake {
    rig.pipe = Rc::default();
    rig.id = rig.core.reserve();
    let handshake = || {
        let options = ClientOptions::new();
        ClientHandshake::new("host", "/", &options, [3; 16]).unwrap()
    };
    let opening = (handshake(), rig.core.habits.settings.clone());
    rig.pipe.borrow_mut().room = Some(10);
    let wire = Fake(rig.pipe.clone());
    let peer = ([127, 0, 0, 1], 1).into();
    rig.core
        .insert_connecting(rig.id, wire, peer, 0, opening, rig.now);
    handshake()
}

/// A request that the socket does not take whole waits for the socket, not by asking it again.
#[test]
fn a_request_that_does_not_fit_waits_for_room() {
    let mut rig = Rig::new(calm());
    let handshake = connecting(&mut rig);
    rig.serve();
    assert_eq!(rig.pipe.borrow().written, handshake.request()[..10]);
    // Something to read changes nothing: the request goes first.
    rig.readable();
    rig.pipe.borrow_mut().room = None;
    rig.core
        .ready(rig.id.index as usize, (false, true, false), rig.now);
    rig.serve();
    let request = rig.pipe.borrow().written.clone();
    assert_eq!(request, handshake.request());

    let mut server = ServerHandshake::new(HeadLimits::default());
    let (request, _) = server.parse(&request).unwrap().unwrap();
    let answer = request.accept(&Accept::new()).unwrap();
    rig.pipe.borrow_mut().incoming.extend_from_slice(&answer);
    rig.frame(2, b"first");
    rig.readable();
    assert_eq!(rig.core.handler.messages, [b"first"]);
    rig.assert_alive();
}

/// What has come before the request was out is read when it is, though no event says so again.
#[test]
fn an_early_end_is_read_when_the_request_is_out() {
    let mut rig = Rig::new(calm());
    connecting(&mut rig);
    rig.end(Ok(0));
    rig.readable();
    assert_eq!(rig.core.connections(), 2);
    rig.pipe.borrow_mut().room = None;
    rig.core
        .ready(rig.id.index as usize, (false, true, false), rig.now);
    rig.serve();
    assert_eq!(rig.core.connections(), 1);
}

/// An answer that refuses is told when its content does not come whole: the stream fails, or ends,
/// or its time is over.
#[test]
fn a_refusal_whose_content_is_cut_short_is_told() {
    for end in [Some(Ok(0)), Some(Err(ErrorKind::ConnectionReset)), None] {
        let mut rig = Rig::new(calm());
        connecting(&mut rig);
        rig.pipe.borrow_mut().room = None;
        let index = rig.id.index as usize;
        rig.core.ready(index, (false, true, false), rig.now);
        let answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nno s";
        rig.pipe.borrow_mut().incoming.extend_from_slice(answer);
        rig.readable();
        assert!(rig.core.handler.not_connected.is_empty());
        if let Some(end) = end {
            rig.end(end);
            rig.readable();
        } else {
            rig.pass(at(9));
            assert!(rig.core.handler.not_connected.is_empty());
            rig.pass(at(11));
        }
        match &rig.core.handler.not_connected[..] {
            [Error::Handshake(HandshakeError::Refused(response))] => {
                assert_eq!((response.status(), response.content()), (403, &b"no s"[..]));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(rig.core.connections(), 1);
    }
}

/// The handler does not wait for the closing of the socket, and nothing is told of it any more.
#[test]
fn a_failure_is_told_at_once() {
    let mut rig = Rig::new(Config {
        idle_timeout: Some(seconds(30)),
        ..calm()
    });
    rig.pass(at(29));
    rig.assert_alive();
    rig.pass(at(30));
    rig.assert_failed(Deadline::Idle);
    assert_eq!(rig.pipe.borrow().written[0], 0x88, "the peer is told");
    // It is gone for the handler, and sends to it are refused as to any that is.
    let (id, gone) = (rig.id, std::sync::Arc::new(std::sync::Mutex::new(None)));
    let told = gone.clone();
    let ask = move |hub: &mut Hub<'_>| {
        *told.lock().unwrap() = Some(hub.outbox(id).is_none());
    };
    rig.core.carry_out(Command::User(Box::new(ask)), rig.now);
    assert_eq!(*gone.lock().unwrap(), Some(true));
    rig.serve();
    // The socket is closed when the peer has answered, or `close_timeout` is over.
    rig.pass(at(34));
    assert_eq!(rig.core.connections(), 1);
    rig.pass(at(35));
    assert_eq!(rig.core.connections(), 0);
    rig.assert_alive();
}

#[test]
fn a_violation_is_told_before_the_peer_has_answered() {
    let mut rig = Rig::new(calm());
    rig.frame(2, b"good");
    rig.frame(3, b"bad");
    rig.readable();
    let ended = rig.ended();
    assert!(
        matches!(ended, Ended::Session(End::Failed(Failure::Violation(_)))),
        "{ended:?}"
    );
    assert_eq!(rig.core.handler.messages, [b"good"]);
    assert_eq!(rig.core.connections(), 1);
    rig.end(Ok(0));
    rig.readable();
    assert_eq!(rig.core.connections(), 0);
    rig.assert_alive();
}

/// Feeds bytes until the connection is gone: how many it took.
fn flood(rig: &mut Rig) -> usize {
    let mut fed = 0;
    while rig.core.connections() > 0 {
        assert!(fed < 100 << 20, "it is read for ever");
        rig.pipe.borrow_mut().incoming.resize(64 << 10, 0);
        rig.readable();
        fed += (64 << 10) - rig.pipe.borrow().incoming.len();
    }
    fed
}

/// A peer that floods is left before the time is over: behind a failure, and behind a refusal.
#[test]
fn what_is_read_of_a_peer_that_does_not_listen_is_bounded() {
    let limit = crate::session::LINGER_BYTES_MAX as usize;
    let mut rig = Rig::new(calm());
    rig.frame(3, b"bad");
    rig.readable();
    let fed = flood(&mut rig);
    assert!((limit..=limit + (1 << 20)).contains(&fed), "{fed}");

    rig.pipe = Rc::default();
    rig.id = rig.core.reserve();
    let wire = Fake(rig.pipe.clone());
    rig.core.insert_accepted(rig.id, wire, None, rig.now);
    let request = b"POST / HTTP/1.1\r\nHost: x\r\n\r\n";
    rig.pipe.borrow_mut().incoming.extend_from_slice(request);
    rig.readable();
    assert!(rig.pipe.borrow().written.starts_with(b"HTTP/1.1 4"));
    assert_eq!(rig.core.connections(), 1);
    let fed = flood(&mut rig);
    assert!((limit..=limit + (1 << 20)).contains(&fed), "{fed}");
    assert_eq!(rig.now, at(0), "long before the deadline");
}

/// Writes down what the socket had been given when a message was handed over.
#[derive(Default)]
struct Looks {
    pipe: Rc<std::cell::RefCell<fake::Pipe>>,
    seen: Vec<(u8, Vec<u8>)>,
    batches: usize,
}

impl Handler for Looks {
    type Conn = ();
    type Command = ();

    fn open(&mut self, _: &mut Cx<'_>, _: Opened<'_>) {}

    fn message(&mut self, _: &mut (), cx: &mut Cx<'_>, message: Message<'_>) {
        let kind = match message {
            Message::Ping(_) => 9,
            Message::Close(_) => 8,
            _ => 2,
        };
        self.seen.push((kind, self.pipe.borrow().written.clone()));
        if kind == 2 {
            cx.send(b"answer").unwrap();
        }
    }

    fn batch_end(&mut self, _: &mut (), _: &mut Cx<'_>) {
        self.batches += 1;
    }
}

/// And what the messages before were answered with goes out first.
#[test]
fn pings_and_closes_are_answered_before_they_are_handed_over() {
    let settings = calm().build().unwrap();
    let mut rig = fake::Rig::empty(Looks::default(), settings, RECV_BYTES);
    rig.open(Role::Server, None);
    rig.core.handler.pipe = rig.pipe.clone();
    let frame = |opcode: u8, payload: &[u8]| {
        let mut bytes = vec![0x80 | opcode, 0x80 | payload.len() as u8, 0, 0, 0, 0];
        bytes.extend_from_slice(payload);
        bytes
    };
    let code = 1000_u16.to_be_bytes();
    let sent = [
        frame(2, b"x"),
        frame(9, b"?"),
        frame(2, b"y"),
        frame(8, &code),
    ]
    .concat();
    rig.pipe.borrow_mut().incoming = sent;
    rig.readable();
    let answer = [&[0x82, 6][..], b"answer"].concat();
    let pong = [0x8a, 1, b'?'].to_vec();
    let (first, close) = ([pong, answer.clone()].concat(), [0x88, 2, code[0], code[1]]);
    let second = [&first[..], &answer, &close].concat();
    let expected = [(2, vec![]), (9, first.clone()), (2, first), (8, second)];
    assert_eq!(rig.core.handler.seen, expected);
    assert_eq!(rig.core.handler.batches, 3);
}
