//! What the verdict on a request tells the call that opens the connection.
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

use tickwire::channels::{
    ChannelConfig, ChannelCx, ChannelHandler, ChannelHub, Multiplexed, Received, SUBPROTOCOL,
};
use tickwire::handshake::{Accept, HandshakeError, Refusal, Request};
use tickwire::net::PeerAddr;
use tickwire::reactor::{ConnId, Cx, Ended, Handler, Hub, Opened, Outgoing, Verdict};
use tickwire::{Message, Role, Stats};

use super::fixture::{LONG, On, Running, calm, on_both, options};
use super::raw_peer::{Got, Peer, REQUEST};

on_both!(
    each_client_has_its_own_value,
    each_client_with_channels_has_its_own_value,
    a_value_whose_connection_does_not_open_is_dropped,
    a_connection_of_our_own_has_no_value,
);

/// The user, whom only the request tells, and proof that the value is alive.
struct User {
    token: String,
    _alive: Arc<()>,
}

#[derive(PartialEq, Eq, Debug)]
enum Told {
    /// The token that `open` was given, of a connection with that role.
    Open(Role, Option<String>),
    Rejected,
    Closed,
    /// Values alive at the time of a command.
    Alive(usize),
}

/// Admits the clients of `/open/TOKEN`; keeps the user of a connection while it is open.
struct App {
    tell: Sender<Told>,
    alive: Arc<()>,
}

impl App {
    fn new() -> (Self, Receiver<Told>) {
        let (tell, told) = mpsc::channel();
        let alive = Arc::default();
        (Self { tell, alive }, told)
    }

    fn judge(&self, request: &Request) -> Verdict<User> {
        let mut parts = request.path().split('/').skip(1);
        let (what, token) = (parts.next(), parts.next());
        let user = User {
            token: token.unwrap_or_default().to_owned(),
            _alive: Arc::clone(&self.alive),
        };
        match what {
            Some("open") => Verdict::admit(user),
            Some("bare") => Verdict::default(),
            Some("wrong") => Verdict::from(Accept::new().subprotocol("not.offered")).with(user),
            _ => Verdict::from(Refusal::forbidden()).with(user),
        }
    }

    fn opened(&self, opened: Opened<'_, User>) -> Option<User> {
        let token = opened.admitted.as_ref().map(|user| user.token.clone());
        self.tell(Told::Open(opened.role(), token));
        opened.admitted
    }

    fn tell(&self, told: Told) {
        // A test that has ended does not listen.
        let _ = self.tell.send(told);
    }

    fn tell_alive(&self) {
        self.tell(Told::Alive(Arc::strong_count(&self.alive) - 1));
    }
}

impl Handler for App {
    type Conn = Option<User>;
    type Command = ();
    type Admitted = User;

    fn request(&mut self, request: &Request, _: Option<PeerAddr>) -> Verdict<User> {
        self.judge(request)
    }

    fn open(&mut self, _: &mut Cx<'_>, opened: Opened<'_, User>) -> Option<User> {
        self.opened(opened)
    }

    fn message(&mut self, user: &mut Option<User>, cx: &mut Cx<'_>, message: Message<'_>) {
        if let (Message::Binary(_), Some(user)) = (message, user) {
            cx.send(user.token.as_bytes()).expect("room");
        }
    }

    fn close(&mut self, _: Option<User>, _: ConnId, _: Ended, _: Stats) {
        self.tell(Told::Closed);
    }

    fn command(&mut self, _: &mut Hub<'_>, (): ()) {
        self.tell_alive();
    }

    fn rejected(&mut self, _: Option<PeerAddr>, _: &HandshakeError) {
        self.tell(Told::Rejected);
    }
}

/// The same application with channels.
struct WithChannels(App);

impl ChannelHandler for WithChannels {
    type Conn = Option<User>;
    type Command = ();
    type Admitted = User;

    fn request(&mut self, request: &Request, _: Option<PeerAddr>) -> Verdict<User> {
        self.0.judge(request)
    }

    fn open(&mut self, _: &mut ChannelCx<'_, '_>, opened: Opened<'_, User>) -> Option<User> {
        self.0.opened(opened)
    }

    fn message(&mut self, _: &mut Option<User>, _: &mut ChannelCx<'_, '_>, _: Received<'_>) {}

    fn command(&mut self, _: &mut ChannelHub<'_, '_>, (): ()) {
        self.0.tell_alive();
    }
}

fn next(told: &Receiver<Told>) -> Told {
    told.recv_timeout(LONG).expect("nothing happened")
}

/// Values alive when everything that the reactor was doing is done.
fn alive<H: Handler<Command = ()> + Send + 'static>(
    server: &Running<H>,
    told: &Receiver<Told>,
) -> usize {
    assert!(server.remote.command(()).is_ok(), "a reactor that listens");
    loop {
        if let Told::Alive(count) = next(told) {
            return count;
        }
    }
}

/// A client that asks for `path`, with the head of the answer.
fn ask<H: Handler>(server: &Running<H>, path: &str, more: &str) -> (Peer, String) {
    let mut peer = Peer::dial(server.addr);
    let request = REQUEST
        .replace("/feed", path)
        .replace("\r\n\r\n", &format!("\r\n{more}\r\n"));
    peer.write(request.as_bytes());
    let head = peer.head();
    (peer, head)
}

fn open(token: &str) -> Told {
    Told::Open(Role::Server, Some(token.to_owned()))
}

fn each_client_has_its_own_value(on: On) {
    let (app, told) = App::new();
    let server = Running::start(on, app, options(calm()));
    let mut peers = Vec::new();
    for token in ["alice", "bob"] {
        peers.push(ask(&server, &format!("/open/{token}"), "").0);
        assert_eq!(next(&told), open(token));
    }
    let (bare, _) = ask(&server, "/bare", "");
    assert_eq!(next(&told), Told::Open(Role::Server, None));
    assert_eq!(alive(&server, &told), 2);
    for (peer, token) in peers.iter_mut().zip(["alice", "bob"]) {
        peer.binary("who am I?");
        assert_eq!(peer.next(), Got::new(harness::frames::op::BIN, token));
    }
    // The value is the application's: it goes with what the application keeps it in.
    drop(peers.pop());
    assert_eq!(next(&told), Told::Closed);
    assert_eq!(alive(&server, &told), 1);
    drop((peers, bare));
    server.stop();
}

fn each_client_with_channels_has_its_own_value(on: On) {
    let (app, told) = App::new();
    let handler = Multiplexed::new(WithChannels(app), ChannelConfig::default());
    let server = Running::start(on, handler.expect("limits that work"), options(calm()));
    let offer = format!("Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n");
    let mut peers = Vec::new();
    for token in ["alice", "bob"] {
        let (peer, head) = ask(&server, &format!("/open/{token}"), &offer);
        assert!(head.contains(SUBPROTOCOL), "{head}");
        assert_eq!(next(&told), open(token));
        peers.push(peer);
    }
    let (_, head) = ask(&server, "/no/carol", &offer);
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    assert_eq!(alive(&server, &told), 2);
    drop(peers);
    server.stop();
}

fn a_value_whose_connection_does_not_open_is_dropped(on: On) {
    let (app, told) = App::new();
    let server = Running::start(on, app, options(calm()));
    let (_wrong, head) = ask(&server, "/wrong/alice", "");
    assert!(head.starts_with("HTTP/1.1 500 "), "{head}");
    assert_eq!(next(&told), Told::Rejected);
    assert_eq!(alive(&server, &told), 0);
    let (_refused, head) = ask(&server, "/no/bob", "");
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    assert_eq!(alive(&server, &told), 0);
    server.stop();
}

fn a_connection_of_our_own_has_no_value(on: On) {
    let (app, told) = App::new();
    let server = Running::start(on, app, options(calm()));
    let (app, ours) = App::new();
    let client = Running::start(on, app, options(calm()));
    let url = format!("ws://{}/open/alice", server.addr);
    let outgoing = Outgoing::at(server.addr, &url).expect("a URL");
    client.remote.connect(outgoing).expect("room for a command");
    assert_eq!(next(&told), open("alice"));
    assert_eq!(next(&ours), Told::Open(Role::Client, None));
    client.stop();
    server.stop();
}
