//! Tests of the core of both reactors, with a fake clock and fake sockets.

mod answers;
mod ends;
mod opening;
mod pauses;

use std::boxed::Box;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;
use std::vec;
use std::vec::Vec;

use super::super::error::Error;
use super::super::handler::{ConnId, Cx, Ended, Handler, Hub, Opened};
use super::super::line::Readiness;
use super::super::parts::Parts;
use super::super::remote::{Command, Outgoing};
use super::super::socket::{PeerAddr, Socket};
use super::fake::{self, Fake};
use crate::config::Config;
use crate::conn::Message;
use crate::error::{CloseCode, Deadline, Failure};
use crate::handshake::{
    Accept, ClientHandshake, ClientOptions, HandshakeError, HeadLimits, ServerHandshake,
};
use crate::role::Role;
use crate::session::{End, Stats};
use crate::time::Timestamp;

/// Size of a receive buffer, in bytes.
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

/// Sends every message back. The text of a message can name an action to perform.
#[derive(Default)]
struct App {
    messages: Vec<Vec<u8>>,
    ended: Option<Ended>,
    not_connected: Vec<Error>,
}

impl Handler for App {
    type Conn = ();
    type Command = Box<dyn FnOnce(&mut Hub<'_>) + Send>;
    type Admitted = ();

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
        // Fails if the connection is closing.
        let _ = match message {
            Message::Text(text) => cx.send_text(text),
            _ => cx.send(data),
        };
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

    fn stopping(&mut self, _: &mut (), cx: &mut Cx<'_>) {
        cx.send(b"stopped").unwrap();
    }

    fn close(&mut self, (): (), _: ConnId, ended: Ended, _: Stats) {
        self.ended = Some(ended);
    }

    fn connect_failed(&mut self, _: u64, error: Error) {
        self.not_connected.push(error);
    }

    fn detached(&mut self, (): (), _: ConnId, _: Parts<Socket>) {
        unreachable!("a fake socket cannot be detached");
    }

    fn command(&mut self, hub: &mut Hub<'_>, command: Self::Command) {
        command(hub);
    }
}

/// A core with one connection as the client.
type Rig = fake::Rig<App>;

impl Rig {
    fn new(config: Config) -> Self {
        let mut rig = Self::empty(App::default(), config, RECV_BYTES);
        rig.open(Role::Client, None);
        rig
    }

    /// Puts a frame of the peer into the socket, without a readiness event.
    fn frame(&self, opcode: u8, payload: &[u8]) {
        let incoming = &mut self.pipe.borrow_mut().incoming;
        incoming.extend_from_slice(&[0x80 | opcode, payload.len() as u8]);
        incoming.extend_from_slice(payload);
    }

    fn end(&self, end: Result<usize, ErrorKind>) {
        self.pipe.borrow_mut().end = Some(end);
    }

    fn writable(&mut self) {
        let readiness = Readiness {
            writable: true,
            ..Readiness::default()
        };
        self.core.ready(self.id.index as usize, readiness, self.now);
        self.serve();
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
    fn assert_closed(&mut self, (code, started_by_peer): (u16, bool)) {
        let ended = self.ended();
        assert!(
            matches!(ended, Ended::Session(End::Closed { code: Some(c), by_peer })
                if c == CloseCode(code) && by_peer == started_by_peer),
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

/// A config without deadlines other than those that a test sets.
fn calm() -> Config {
    Config::default()
        .ping_interval(None)
        .close_timeout(seconds(5))
}

/// The memory of a connection with empty buffers, on a socket of two words, as on mio. Includes the
/// result of the opening handshake.
#[test]
fn size_of_an_idle_connection() {
    let size = size_of::<super::link::Link<[u64; 2]>>();
    assert!(size <= 568, "{size}");
    let size = size_of::<crate::sans_io::Session>();
    assert!(size <= 464, "{size}");
}
