//! Commands and messages from other threads.
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use harness::frames::op;
use tickwire::reactor::{
    COMMANDS_MAX, ConnId, Cx, Handler, Hub, Opened, Outgoing, Remote, RemoteError, TokioReactor,
    Wait,
};
use tickwire::{CloseCode, Message, PreparedMessage, SendError};

use super::fixture::{
    App, Event, Events, Job, LONG, On, Running, calm, on_both, options, serve, until,
};
use super::raw_peer::{Got, Peer};

on_both!(
    no_command_is_lost,
    every_single_command_wakes_the_reactor,
    a_full_queue_returns_the_command,
    a_full_queue_does_not_prevent_a_stop,
    a_stopping_reactor_accepts_no_commands,
    a_reactor_that_stops_itself_accepts_no_commands,
    other_threads_can_send_messages,
    messages_to_closed_connections_come_back,
    one_message_reaches_many_connections,
    a_remote_of_an_ended_reactor_returns_errors,
    a_command_sent_during_the_end_is_run_or_returned,
    a_command_accepted_during_the_end_is_run,
    a_command_reaches_every_connection,
    the_hub_lists_the_open_connections,
);

/// Counts commands by thread. The commands of each thread must arrive in order.
struct Counts {
    next: [u32; 4],
    answers: Option<mpsc::Sender<u32>>,
}

impl Handler for Counts {
    type Conn = ();
    type Command = (usize, u32);
    type Admitted = ();

    fn open(&mut self, _cx: &mut Cx<'_>, _opened: Opened<'_>) {}

    fn message(&mut self, _conn: &mut (), _cx: &mut Cx<'_>, _message: Message<'_>) {}

    fn command(&mut self, _hub: &mut Hub<'_>, (thread, number): (usize, u32)) {
        assert_eq!(number, self.next[thread], "in order, none lost");
        self.next[thread] += 1;
        if let Some(answers) = &self.answers {
            answers.send(number).expect("somebody who waits");
        }
    }
}

/// 25,000 from each of four threads.
fn storm(on: On, wait: Wait) {
    const EACH: u32 = 25_000;
    let handler = Counts {
        next: [0; 4],
        answers: None,
    };
    let options = options(calm()).wait(wait);
    let reactor = Running::start(on, handler, options);
    let threads = [0, 1, 2, 3].map(|thread| {
        let remote = reactor.remote.clone();
        thread::spawn(move || {
            let mut handed_back = 0;
            for number in 0..EACH {
                let mut command = (thread, number);
                while let Err((e, back)) = remote.command(command) {
                    assert_eq!((e, back), (RemoteError::Full, command));
                    command = back;
                    handed_back += 1;
                    thread::yield_now();
                }
                if number % 1000 == 0 {
                    // The reactor falls asleep now and then.
                    thread::sleep(Duration::from_micros(200));
                }
            }
            handed_back
        })
    });
    for thread in threads {
        thread.join().expect("no panic");
    }
    // Behind all of them: there is one queue.
    assert_eq!(reactor.stop().next, [EACH; 4]);
}

fn no_command_is_lost(on: On) {
    storm(on, Wait::Park);
}

#[test]
fn no_command_is_lost_while_spinning() {
    storm(On::Mio, Wait::Spin);
    storm(On::Mio, Wait::SpinThenPark(Duration::from_micros(100)));
}

/// A wake-up that is lost between the last look at the queue and the wait is found here.
fn every_single_command_wakes_the_reactor(on: On) {
    let (answers, answered) = mpsc::channel();
    let handler = Counts {
        next: [0; 4],
        answers: Some(answers),
    };
    let reactor = Running::start(on, handler, options(calm()));
    for number in 0..5000 {
        reactor.remote.command((0, number)).expect("room");
        assert_eq!(answered.recv_timeout(LONG), Ok(number));
    }
    reactor.stop();
}

#[test]
fn every_single_command_wakes_from_spinning_and_parking() {
    let (answers, answered) = mpsc::channel();
    let handler = Counts {
        next: [0; 4],
        answers: Some(answers),
    };
    let options = options(calm()).wait(Wait::SpinThenPark(Duration::from_micros(20)));
    let reactor = Running::start(On::Mio, handler, options);
    for number in 0..5000 {
        reactor.remote.command((0, number)).expect("room");
        assert_eq!(answered.recv_timeout(LONG), Ok(number));
    }
    reactor.stop();
}

fn a_full_queue_returns_the_command(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    let mut peer = Peer::open(server.addr);
    let id = events.opened();
    let held = server.hold();
    let mut taken = 0_u32;
    let refused = loop {
        let message = Bytes::copy_from_slice(&taken.to_be_bytes());
        match server.remote.send(id, message) {
            Ok(()) => taken += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.0, RemoteError::Full);
    assert_eq!(refused.1, taken.to_be_bytes()[..], "handed back");
    assert_eq!(taken as usize, COMMANDS_MAX);
    assert_eq!(
        server.remote.close(id, CloseCode::NORMAL, ""),
        Err(RemoteError::Full)
    );
    drop(held);
    for i in 0..taken {
        assert_eq!(peer.message(), i.to_be_bytes());
    }
    drop(peer);
    server.stop();
}

/// The commands that were accepted before the stop are carried out, and no other ones.
fn a_full_queue_does_not_prevent_a_stop(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    let mut peer = Peer::open(server.addr);
    let id = events.opened();
    let held = server.hold();
    for i in 0..COMMANDS_MAX as u32 {
        let message = Bytes::copy_from_slice(&i.to_be_bytes());
        server.remote.send(id, message).expect("room");
    }
    let none = Bytes::new();
    let refused = |e| Err((e, none.clone()));
    assert_eq!(
        server.remote.send(id, none.clone()),
        refused(RemoteError::Full)
    );
    assert_eq!(server.remote.stop(), Ok(()));
    assert_eq!(server.remote.stop(), Ok(()), "the second one has no effect");
    assert_eq!(
        server.remote.send(id, none.clone()),
        refused(RemoteError::Stopped)
    );
    drop(held);
    for i in 0..COMMANDS_MAX as u32 {
        assert_eq!(peer.message(), i.to_be_bytes());
    }
    assert_eq!(peer.next().close_code(), Some(1001));
    drop(peer);
    server.join();
}

/// The peer does not answer the Close, so that the reactor waits for it.
fn a_stopping_reactor_accepts_no_commands(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    let mut peer = Peer::open(server.addr);
    let id = events.opened();
    server.remote.stop().expect("a reactor that runs");
    assert_eq!(peer.next().close_code(), Some(1001));
    refuses_commands(&server, id);
    assert_eq!(server.remote.stop(), Ok(()), "it has not ended");
    let remote = server.remote.clone();
    drop(peer);
    server.join();
    assert_eq!(remote.stop(), Err(RemoteError::Stopped));
}

fn a_reactor_that_stops_itself_accepts_no_commands(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    let mut peer = Peer::open(server.addr);
    let id = events.opened();
    server.run(|hub| hub.stop());
    assert_eq!(peer.next().close_code(), Some(1001));
    until("the queue is closed", || {
        server.remote.command(Box::new(|_| {})).is_err()
    });
    refuses_commands(&server, id);
    drop(peer);
    server.join();
}

fn refuses_commands(server: &Running<App>, id: ConnId) {
    let remote = &server.remote;
    let (e, _job) = remote.command(Box::new(|_| {})).expect_err("stopping");
    assert_eq!(e, RemoteError::Stopped);
    let message = Bytes::from_static(b"late");
    assert_eq!(
        remote.send(id, message.clone()),
        Err((RemoteError::Stopped, message))
    );
    let later = Outgoing::at(server.addr, "ws://host/").expect("a URL");
    assert_eq!(remote.connect(later), Err(RemoteError::Stopped));
}

/// A reactor that is dropped without a stop.
#[test]
fn a_remote_of_a_dropped_reactor_returns_errors() {
    let (app, _events) = App::new();
    let reactor = TokioReactor::new(app, options(calm())).expect("a reactor");
    let remote = reactor.remote();
    drop(reactor);
    assert_eq!(remote.stop(), Err(RemoteError::Stopped));
}

fn other_threads_can_send_messages(on: On) {
    let config = calm().send_queue_bytes_max(10_000);
    let (server, events) = serve(on, config, |_| {});
    let mut peer = Peer::open(server.addr);
    let id = events.opened();
    let text = PreparedMessage::text("prepared");
    server.remote.send_prepared(id, &text).expect("room");
    server
        .remote
        .send(id, Bytes::from(vec![7; 5000]))
        .expect("room");
    server.remote.send_text(id, "text").expect("room");
    server.remote.send(id, vec![8; 3]).expect("room");
    assert_eq!(peer.next(), Got::new(op::TEXT, "prepared"));
    assert_eq!(peer.message(), [7; 5000]);
    assert_eq!(peer.next(), Got::new(op::TEXT, "text"));
    assert_eq!(peer.message(), [8; 3]);

    // Messages that the queue of the connection refuses come back with the reason.
    let held = server.hold();
    for i in 0..3 {
        let message = Bytes::from(vec![i; 4900]);
        server.remote.send(id, message).expect("room");
    }
    server
        .remote
        .send(id, Bytes::from(vec![3; 20_000]))
        .expect("room");
    drop(held);
    let (of, message, error) = undelivered(&events);
    assert_eq!((of, &message[..]), (id, &[2; 4900][..]));
    assert!(
        matches!(error, Some(SendError::QueueFull { max: 10_000, .. })),
        "{error:?}"
    );
    let (_, message, error) = undelivered(&events);
    assert_eq!(message.len(), 20_000);
    assert!(
        matches!(error, Some(SendError::TooLarge { .. })),
        "{error:?}"
    );
    assert_eq!(peer.message(), [0; 4900]);
    assert_eq!(peer.message(), [1; 4900]);

    drop(peer);
    server.stop();
}

fn undelivered(events: &Events) -> (ConnId, Bytes, Option<SendError>) {
    events.find(|e| match e {
        Event::Undelivered(of, message, error) => Some((of, message, error)),
        _ => None,
    })
}

fn messages_to_closed_connections_come_back(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    let mut peer = Peer::open(server.addr);
    let id = events.opened();
    let close = |code, reason: &str| server.remote.close(id, CloseCode(code), reason);
    let bad_code = SendError::InvalidCloseCode(1006);
    assert_eq!(close(1006, "hidden"), Err(RemoteError::Close(bad_code)));
    let long = SendError::ControlTooLong { len: 124, max: 123 };
    assert_eq!(close(1000, &"a".repeat(124)), Err(RemoteError::Close(long)));
    close(1011, "").expect("room");
    assert_eq!(peer.next().close_code(), Some(1011));
    server
        .remote
        .send(id, Bytes::from_static(b"late"))
        .expect("room");
    assert_eq!(undelivered(&events).2, Some(SendError::Closed));
    assert_eq!(peer.finish(), Got::Eof);
    events.closed();

    // The next connection has the same slot, and another id.
    let mut next = Peer::open(server.addr);
    assert_ne!(events.opened(), id);
    server
        .remote
        .send(id, Bytes::from_static(b"stale"))
        .expect("room");
    let text = PreparedMessage::text("prepared");
    server.remote.send_prepared(id, &text).expect("room");
    server
        .remote
        .close(id, CloseCode::NORMAL, "")
        .expect("room");
    assert_eq!(
        undelivered(&events),
        (id, Bytes::from_static(b"stale"), None)
    );
    assert_eq!(
        undelivered(&events),
        (id, Bytes::from_static(b"prepared"), None)
    );
    next.binary(b"unharmed");
    assert_eq!(next.message(), b"unharmed");
    drop(next);
    server.stop();
}

fn one_message_reaches_many_connections(on: On) {
    const PEERS: usize = 200;
    let (server, events) = serve(on, calm(), |_| {});
    let mut peers: Vec<_> = (0..PEERS).map(|_| Peer::open(server.addr)).collect();
    let ids: Vec<ConnId> = peers.iter().map(|_| events.opened()).collect();
    // Copied and shared messages, and several of each at a time.
    let ticks: Vec<_> = [20, 1023, 1024, 40_000]
        .map(|size| PreparedMessage::binary(&vec![size as u8; size]))
        .into();
    let all = ticks.clone();
    let before = server.ask(|hub| hub.calls().writes);
    server.run(move |hub| {
        for id in ids {
            let outbox = hub.outbox(id).expect("an open connection");
            for tick in &all {
                outbox.send_prepared(tick).expect("room");
            }
        }
    });
    for peer in &mut peers {
        for tick in &ticks {
            assert!(peer.next() == Got::new(op::BIN, tick.payload()));
        }
    }
    let writes = server.ask(|hub| hub.calls().writes) - before;
    assert_eq!(writes, PEERS as u64, "one write for each connection");
    // A message of one connection goes to all others.
    drop(peers);
    until("all are gone", || {
        server.ask(|hub| hub.connections()) == 0 && server.remote.connections() == 0
    });
    server.stop();
}

fn a_remote_of_an_ended_reactor_returns_errors(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    let peer = Peer::open(server.addr);
    let id = events.opened();
    drop(peer);
    events.closed();
    let remote = server.remote.clone();
    server.stop();
    assert_eq!(remote.stop(), Err(RemoteError::Stopped));
    assert_eq!(
        remote.close(id, CloseCode::NORMAL, ""),
        Err(RemoteError::Stopped)
    );
    let message = Bytes::from_static(b"mine");
    assert_eq!(
        remote.send(id, message.clone()),
        Err((RemoteError::Stopped, message))
    );
    let (e, _job) = remote.command(Box::new(|_| {})).expect_err("ended");
    assert_eq!(e, RemoteError::Stopped);
}

/// A command that is run when the reactor has ended sends another one.
fn a_command_sent_during_the_end_is_run_or_returned(on: On) {
    let (server, events) = serve(on, calm(), |_| {});
    let peer = Peer::open(server.addr);
    let id = events.opened();
    drop(peer);
    events.closed();
    let held = server.hold();
    server.run(|hub| hub.stop());
    // More commands than the reactor runs in its last turn.
    for _ in 0..COMMANDS_MAX - 2 {
        server.run(|_| {});
    }
    let (remote, (tell, told)) = (server.remote.clone(), mpsc::channel());
    server.run(move |_| {
        let sent = remote.send(id, Bytes::from_static(b"late"));
        tell.send(sent).expect("somebody who asks");
    });
    drop(held);
    server.join();
    let answered = match told.recv_timeout(LONG).expect("it was carried out") {
        Ok(()) => undelivered(&events).1,
        Err((RemoteError::Stopped, message)) => message,
        Err(other) => panic!("{other:?}"),
    };
    assert_eq!(answered, b"late"[..]);
}

/// Either the sender has its command back, or the handler has it.
fn a_command_accepted_during_the_end_is_run(on: On) {
    for _ in 0..50 {
        let handler = Counts {
            next: [0; 4],
            answers: None,
        };
        let reactor = Running::start(on, handler, options(calm()));
        let threads = [0, 1, 2, 3].map(|thread| {
            let remote = reactor.remote.clone();
            thread::spawn(move || {
                let mut taken = 0;
                loop {
                    match remote.command((thread, taken)) {
                        Ok(()) => taken += 1,
                        Err((RemoteError::Full, _)) => thread::yield_now(),
                        Err((e, _)) => {
                            assert_eq!(e, RemoteError::Stopped);
                            return taken;
                        }
                    }
                }
            })
        });
        assert_eq!(reactor.remote.stop(), Ok(()), "a full queue is no obstacle");
        let done = reactor.join().next;
        assert_eq!(threads.map(|t| t.join().expect("no panic")), done);
    }
}

/// Stops the reactor when the last waker that owns it is dropped.
struct Stops(Remote<Job>);

impl Wake for Stops {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Stops {
    fn drop(&mut self) {
        self.0.stop().expect("room for a command");
    }
}

/// The reactor holds the last waker of a task, and is polled by another task.
#[test]
fn a_waker_may_own_what_wakes_the_reactor() {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let (app, _events) = App::new();
        let reactor = TokioReactor::new(app, options(calm())).expect("a reactor");
        let waker = Waker::from(Arc::new(Stops(reactor.remote())));
        let mut run = pin!(reactor.run());
        let polled = run.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending(), "nothing to do");
        drop(waker);
        let polled = run.poll(&mut Context::from_waker(Waker::noop()));
        tell.send(polled.is_ready()).expect("somebody who asks");
    });
    let stopped = told.recv_timeout(LONG).expect("it does not hang");
    assert!(stopped, "it was told to");
}

/// A command reaches the statistics and the timers of a connection, until the connection ends.
fn a_command_reaches_every_connection(on: On) {
    let (close, closed) = mpsc::channel();
    let (server, events) = serve(on, calm(), |app| {
        app.on_close = Box::new(move |stats| close.send(stats).expect("a test"));
        app.on_timer = Box::new(|cx, _| {
            let (own, stats) = (cx.id(), cx.stats());
            assert_eq!(cx.hub().stats(own), Some(stats), "its own, too");
        });
    });
    let mut peer = Peer::open(server.addr);
    let id = events.opened();
    server.remote.send(id, vec![7; 5]).expect("room");
    server.remote.send_text(id, "text").expect("room");
    assert_eq!(peer.message(), [7; 5]);
    assert_eq!(peer.next(), Got::new(op::TEXT, "text"));
    let stats = server.ask(move |hub| hub.stats(id)).expect("open");
    assert_eq!((stats.messages_out, stats.bytes_out), (2, 9));
    let set = server.ask(move |hub| hub.timer(id, Duration::ZERO, 17));
    assert_eq!(set, Ok(()));
    let fired = events.find(|e| match e {
        Event::Timer(of, token) => Some((of, token)),
        _ => None,
    });
    assert_eq!(fired, (id, 17));
    drop(peer);
    events.closed();
    assert_eq!(closed.recv_timeout(LONG), Ok(stats), "the final counts");
    assert_eq!(server.ask(move |hub| hub.stats(id)), None);
    let set = server.ask(move |hub| hub.timer(id, Duration::ZERO, 18));
    assert_eq!(set, Ok(()));
    assert!(events.seen().is_empty(), "no timer without a connection");
    server.stop();
}

/// Those that are open, with the one whose call it is, and without those in their handshake.
fn the_hub_lists_the_open_connections(on: On) {
    let (open, opened) = mpsc::channel();
    let (server, events) = serve(on, calm(), |app| {
        app.on_open = Box::new(move |cx| {
            let ids: Vec<ConnId> = cx.hub().ids().collect();
            let own = cx.id();
            assert!(cx.hub().outbox(own).is_none(), "Cx::outbox is its outbox");
            open.send(ids).expect("a test");
        });
    });
    let handshaking = Peer::dial(server.addr);
    let mut peers = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..3 {
        peers.push(Peer::open(server.addr));
        let id = events.opened();
        let mut listed = opened.recv_timeout(LONG).expect("an open connection");
        ids.push(id);
        listed.sort();
        assert_eq!(listed, ids);
    }
    assert_eq!(server.ask(|hub| hub.ids().collect::<Vec<_>>()), ids);
    drop(peers.remove(1));
    events.closed();
    ids.remove(1);
    assert_eq!(server.ask(|hub| hub.ids().collect::<Vec<_>>()), ids);
    drop((handshaking, peers));
    server.stop();
}
