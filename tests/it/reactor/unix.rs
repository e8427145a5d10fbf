//! Unix sockets: accepted, connected, adopted and detached.
#![cfg(all(feature = "tokio", feature = "mio", unix))]

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};

use harness::frames::{Frame, op};
use tickwire::handshake::{HandshakeError, Request};
use tickwire::net::{PeerAddr, Socket, TuneReport};
use tickwire::reactor::{
    ConnId, Cx, Handler, Opened, Outgoing, Reactor, ReactorOptions, TokioReactor, Verdict,
};
use tickwire::{Error, Message, Parts, Role};

use super::fixture::{LONG, On, Running, calm, on_both, options};
use super::raw_peer::REQUEST;

on_both!(
    a_reactor_serves_and_connects_to_a_path,
    a_stream_is_adopted_and_detached,
    an_invalid_request_is_reported_with_its_peer,
    a_connect_to_a_path_without_a_listener_fails,
    listening_on_a_path_in_use_fails,
);

/// An event of the handler.
#[derive(Debug)]
enum Told {
    Asked(Option<PeerAddr>),
    Open(Role, Option<PeerAddr>, u64),
    Message(Vec<u8>),
    Detached(Parts<Socket>),
    Rejected(Option<PeerAddr>),
    NotConnected(u64, Error),
}

/// Echoes every message except `go`, which detaches the connection. A client sends `hello`.
struct App(Sender<Told>);

impl App {
    fn tell(&self, told: Told) {
        // A test that has ended does not listen.
        let _ = self.0.send(told);
    }
}

impl Handler for App {
    type Conn = Role;
    type Command = ();
    type Admitted = ();

    fn request(&mut self, _: &Request, peer: Option<PeerAddr>) -> Verdict {
        self.tell(Told::Asked(peer));
        Verdict::default()
    }

    fn open(&mut self, cx: &mut Cx<'_>, opened: Opened<'_>) -> Role {
        self.tell(Told::Open(opened.role(), opened.peer, opened.token));
        if opened.role() == Role::Client {
            cx.send(b"hello").expect("room");
        }
        opened.role()
    }

    fn message(&mut self, role: &mut Role, cx: &mut Cx<'_>, message: Message<'_>) {
        let Message::Binary(data) = message else {
            return;
        };
        self.tell(Told::Message(data.to_vec()));
        match data {
            b"go" => cx.detach(),
            _ if *role == Role::Server => cx.send(data).expect("room"),
            _ => {}
        }
    }

    fn detached(&mut self, _: Role, _: ConnId, parts: Parts<Socket>) {
        self.tell(Told::Detached(parts));
    }

    fn rejected(&mut self, peer: Option<PeerAddr>, _: &HandshakeError) {
        self.tell(Told::Rejected(peer));
    }

    fn tune_refused(&mut self, _: Option<PeerAddr>, report: &TuneReport) {
        panic!("TCP's options were set: {report:?}");
    }

    fn connect_failed(&mut self, token: u64, error: Error) {
        self.tell(Told::NotConnected(token, error));
    }
}

fn start(on: On, path: Option<&Path>) -> (Running<App>, Receiver<Told>) {
    let (log, told) = mpsc::channel();
    let path = path.map(Path::to_owned);
    let running = Running::start_at(on, App(log), options(calm()), path);
    (running, told)
}

/// A path that does not exist.
fn path(name: &str, on: On) -> PathBuf {
    let path = PathBuf::from(format!("{}/{name}-{on:?}", env!("CARGO_TARGET_TMPDIR")));
    let _ = fs::remove_file(&path); // of a run before
    path
}

fn next(told: &Receiver<Told>) -> Told {
    told.recv_timeout(LONG).expect("nothing happened")
}

/// The other end of a socket.
struct Raw(UnixStream);

impl Raw {
    fn over(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(LONG)).expect("a timeout");
        Self(stream)
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("a peer that reads");
    }

    fn read(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0.read_exact(&mut bytes).expect("a peer that writes");
        bytes
    }

    /// Sends a message of a client.
    fn send(&mut self, payload: &[u8]) {
        self.write(&Frame::new(op::BIN, payload).by(Role::Client));
    }

    fn echo(&mut self, payload: &[u8]) {
        self.send(payload);
        let expected = Frame::new(op::BIN, payload).by(Role::Server);
        assert_eq!(self.read(expected.len()), expected);
    }
}

fn a_reactor_serves_and_connects_to_a_path(on: On) {
    let path = path("served", on);
    let (server, told) = start(on, Some(&path));
    let mut raw = Raw::over(UnixStream::connect(&path).expect("a listener"));
    raw.write(REQUEST.as_bytes());
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(raw.read(1));
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    raw.echo(b"tick");
    // More than the socket takes at once, in both directions.
    let large = vec![7; 700 << 10];
    let mut writer = Raw(raw.0.try_clone().expect("a second handle"));
    let frame = Frame::new(op::BIN, &large);
    let (bytes, expected) = (frame.clone().by(Role::Client), frame.by(Role::Server));
    let writing = std::thread::spawn(move || writer.write(&bytes));
    assert!(raw.read(expected.len()) == expected);
    writing.join().expect("no panic");
    assert!(matches!(next(&told), Told::Asked(Some(PeerAddr::Unix))));
    assert!(matches!(
        next(&told),
        Told::Open(Role::Server, Some(PeerAddr::Unix), 0)
    ));
    assert!(matches!(next(&told), Told::Message(data) if data == b"tick"));
    assert!(matches!(next(&told), Told::Message(data) if data == large));

    let (client, heard) = start(on, None);
    let outgoing = Outgoing::unix(&path, "ws://localhost/feed").expect("a URL");
    client.remote.connect(outgoing.token(5)).expect("room");
    assert!(matches!(
        next(&heard),
        Told::Open(Role::Client, Some(PeerAddr::Unix), 5)
    ));
    assert!(matches!(next(&heard), Told::Message(data) if data == b"hello"));
    client.stop();
    drop(raw);
    server.stop();
}

fn a_stream_is_adopted_and_detached(on: On) {
    let (server, told) = start(on, None);
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let mut raw = Raw::over(theirs);
    let parts = Parts::new(ours, Role::Server);
    server.remote.adopt(parts, 3).expect("room");
    let open = next(&told);
    assert!(matches!(
        open,
        Told::Open(Role::Server, Some(PeerAddr::Unix), 3)
    ));
    raw.echo(b"one");
    raw.send(b"go");
    assert!(matches!(next(&told), Told::Message(data) if data == b"one"));
    assert!(matches!(next(&told), Told::Message(data) if data == b"go"));
    let Told::Detached(parts) = next(&told) else {
        panic!("it stays");
    };
    assert!(matches!(parts.stream, Socket::Unix(_)));
    raw.send(b"two");
    server.remote.adopt(parts, 4).expect("room");
    assert!(matches!(next(&told), Told::Open(Role::Server, _, 4)));
    assert!(matches!(next(&told), Told::Message(data) if data == b"two"));
    let expected = Frame::new(op::BIN, b"two").by(Role::Server);
    assert_eq!(raw.read(expected.len()), expected);
    drop(raw);
    server.stop();
}

/// The refusal is sent over the same socket.
fn an_invalid_request_is_reported_with_its_peer(on: On) {
    let path = path("refused", on);
    let (server, told) = start(on, Some(&path));
    let mut raw = Raw::over(UnixStream::connect(&path).expect("a listener"));
    raw.write(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut answer = String::new();
    raw.0
        .shutdown(std::net::Shutdown::Write)
        .expect("an open end");
    raw.0.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert!(matches!(next(&told), Told::Rejected(Some(PeerAddr::Unix))));
    server.stop();
}

fn a_connect_to_a_path_without_a_listener_fails(on: On) {
    let path = path("nobody", on);
    let (client, told) = start(on, None);
    let outgoing = Outgoing::unix(&path, "ws://localhost/").expect("a URL");
    client.remote.connect(outgoing.token(9)).expect("room");
    let Told::NotConnected(9, Error::Io(error)) = next(&told) else {
        panic!("there is nobody");
    };
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let name = path.display().to_string();
    assert!(error.to_string().contains(&name), "{error}");
    client.stop();
}

fn listening_on_a_path_in_use_fails(on: On) {
    let path = path("used", on);
    let (server, _) = start(on, Some(&path));
    let (log, _told) = mpsc::channel();
    let app = App(log);
    let error = match on {
        On::Mio => Reactor::new(app, ReactorOptions::default())
            .expect("a reactor")
            .listen_unix(&path),
        On::Tokio => TokioReactor::new(app, ReactorOptions::default())
            .expect("a reactor")
            .listen_unix(&path),
    };
    let Err(Error::Io(error)) = error else {
        panic!("two listeners on one path");
    };
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains("remove it"), "{error}");
    server.stop();
}
