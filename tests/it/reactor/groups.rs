//! Groups of reactor threads behind one port, and errors at the start of a reactor.
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use tickwire::reactor::{
    Cx, Handler, Opened, Reactor, ReactorOptions, Reactors, ReactorsOptions, RemoteError, Share,
    TokioReactor, Wait,
};
use tickwire::{Error, Message};

use super::fixture::{App, Event, Events, Job, LONG, calm, options, until};
use super::raw_peer::{Got, Peer};

fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// `threads` echo servers behind one port, and the events of each.
fn group(options: &ReactorsOptions) -> (Reactors<Job, App>, Vec<Events>) {
    let (apps, events): (Vec<_>, Vec<_>) = (0..options.threads)
        .map(|_| {
            let (app, events) = App::new();
            (Some(app), events)
        })
        .unzip();
    let apps = Mutex::new(apps);
    let reactors = Reactors::start(local(), options, move |i| {
        apps.lock().expect("no panic")[i].take().expect("once")
    })
    .expect("a group");
    (reactors, events)
}

fn shared(threads: usize, share: Share, wait: Wait) -> ReactorsOptions {
    ReactorsOptions::default()
        .threads(threads)
        .share(share)
        .each(options(calm()).wait(wait))
}

fn echoes(peer: &mut Peer, text: &str) {
    peer.binary(text);
    assert_eq!(peer.message(), text.as_bytes());
}

fn end(group: Reactors<Job, App>, mut peers: Vec<Peer>) {
    group.stop();
    for peer in &mut peers {
        assert_eq!(peer.next().close_code(), Some(1001));
        assert_eq!(peer.finish(), Got::Eof);
    }
    let threads = group.remotes().len();
    let handlers = group.join().expect("a clean end");
    assert_eq!(handlers.len(), threads);
}

#[test]
fn with_reuse_port_every_thread_serves() {
    let (group, events) = group(&shared(3, Share::ReusePort, Wait::Park));
    assert_eq!(group.remotes().len(), 3);
    let mut peers: Vec<_> = (0..60).map(|_| Peer::open(group.addr())).collect();
    peers.iter_mut().for_each(|peer| echoes(peer, "here"));
    let shares: Vec<_> = events.iter().map(opened).collect();
    assert_eq!(shares.iter().sum::<usize>(), 60);
    // A hash assigns connections. That one of three threads gets none of 60 happens once in 10^10
    // runs.
    assert!(shares.iter().all(|n| *n > 0), "{shares:?}");
    end(group, peers);
}

fn opened(events: &Events) -> usize {
    let seen = events.seen();
    seen.iter().filter(|e| matches!(e, Event::Open(..))).count()
}

#[test]
fn hand_off_distributes_connections_evenly() {
    for (threads, wait) in [(3, Wait::Park), (2, Wait::Spin)] {
        let all = 20 * threads;
        let (group, events) = group(&shared(threads, Share::HandOff, wait));
        // All at once, so that some are on their way while others are assigned.
        let mut peers: Vec<_> = (0..all).map(|_| Peer::dial(group.addr())).collect();
        for peer in &mut peers {
            peer.write(super::raw_peer::REQUEST.as_bytes());
        }
        for peer in &mut peers {
            peer.head();
            echoes(peer, "here");
        }
        let shares: Vec<_> = events.iter().map(opened).collect();
        assert_eq!(shares, vec![20; threads], "{wait:?}");
        // Half of them leave. New connections fill the gaps.
        let counted = || {
            group
                .remotes()
                .iter()
                .map(tickwire::reactor::Remote::connections)
                .sum()
        };
        let rest = peers.split_off(all / 2);
        drop(peers);
        until("they are gone", || -> bool {
            let n: usize = counted();
            n == all / 2
        });
        let mut peers = rest;
        peers.extend((0..all / 2).map(|_| Peer::open(group.addr())));
        peers.iter_mut().for_each(|peer| echoes(peer, "again"));
        until("they are counted", || {
            group.remotes().iter().all(|r| r.connections() == 20)
        });
        end(group, peers);
    }
}

/// A thread that has ended gets no connection, and the others share.
#[test]
fn hand_off_continues_without_an_ended_thread() {
    let (group, events) = group(&shared(3, Share::HandOff, Wait::Park));
    group.remotes()[1].stop().expect("room");
    until("it has ended", || {
        group.remotes()[1].stop() == Err(RemoteError::Stopped)
    });
    let mut peers: Vec<_> = (0..20).map(|_| Peer::open(group.addr())).collect();
    peers.iter_mut().for_each(|peer| echoes(peer, "here"));
    let shares: Vec<_> = events.iter().map(opened).collect();
    assert_eq!(shares, [10, 0, 10]);
    end(group, peers);
}

#[test]
fn a_remote_reaches_its_own_thread() {
    let (group, _events) = group(&shared(2, Share::ReusePort, Wait::Park));
    let names: Vec<_> = group
        .remotes()
        .iter()
        .map(|remote| {
            let (tell, told) = mpsc::channel();
            let job: Job = Box::new(move |_| {
                let name = std::thread::current().name().map(String::from);
                tell.send(name).expect("a test");
            });
            remote.command(job).map_err(|(e, _)| e).expect("room");
            told.recv_timeout(LONG).expect("an answer")
        })
        .collect();
    assert_eq!(
        names,
        [Some("tickwire-0".into()), Some("tickwire-1".into())]
    );
    end(group, Vec::new());
}

/// The error is one line that names the address and the remedy.
#[test]
fn a_port_in_use_is_a_clear_error() {
    let (listener, addr) = super::fixture::listener();
    let said = |error: Error| {
        let text = error.to_string();
        assert!(text.contains(&addr.to_string()), "{text}");
        assert!(text.contains("in use"), "{text}");
        assert!(!text.contains('\n'), "{text}");
    };
    let (app, _events) = App::new();
    let mut reactor = Reactor::new(app, ReactorOptions::default()).expect("a reactor");
    said(reactor.listen(addr).expect_err("a busy port"));
    let started = Reactors::start(addr, &ReactorsOptions::default(), |_| App::new().0);
    said(started.map(drop).expect_err("a busy port"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut reactor =
            TokioReactor::new(App::new().0, ReactorOptions::default()).expect("a reactor");
        said(reactor.listen(addr).expect_err("a busy port"));
    });
    drop(listener);
}

/// The error comes at the start, and no thread is left running.
#[test]
fn a_missing_cpu_core_is_an_error_at_the_start() {
    for threads in [1, 2] {
        let options = shared(threads, Share::ReusePort, Wait::Park).first_core(Some(100_000));
        let started = Reactors::start(local(), &options, |_| App::new().0);
        let error = started.map(drop).expect_err("no such core");
        assert!(error.to_string().contains("100000"), "{error}");
    }
    let options = ReactorOptions::default().core(Some(100_000));
    let reactor = Reactor::new(App::new().0, options).expect("a reactor");
    assert!(reactor.run().is_err());
}

/// Options that need a thread of their own are refused on a tokio runtime.
#[test]
fn thread_options_are_refused_on_a_runtime() {
    for options in [
        ReactorOptions::default().wait(Wait::Spin),
        ReactorOptions::default().wait(Wait::SpinThenPark(Duration::from_micros(1))),
        ReactorOptions::default().core(Some(0)),
    ] {
        let error = TokioReactor::new(App::new().0, options).expect_err("refused");
        assert!(error.to_string().contains("on tokio"), "{error}");
    }
}

#[test]
fn join_reports_a_panic() {
    let (app, _events) = App::new();
    let app = Mutex::new(Some(app));
    let group = Reactors::start(local(), &ReactorsOptions::default(), move |_| {
        app.lock().expect("no panic").take().expect("once")
    })
    .expect("a group");
    let job: Job = Box::new(|_| panic!("on purpose"));
    group.remotes()[0]
        .command(job)
        .map_err(|(e, _)| e)
        .expect("room");
    let error = group.join().map(drop).expect_err("a panic");
    assert!(error.to_string().contains("panicked"), "{error}");
}

/// Handlers that cannot leave their thread, and what is made of each at its end.
#[test]
fn join_gives_what_became_of_each_handler() {
    struct Local(Rc<usize>);

    impl Handler for Local {
        type Conn = ();
        type Command = ();
        type Admitted = ();

        fn open(&mut self, _: &mut Cx<'_>, _: Opened<'_>) {}

        fn message(&mut self, (): &mut (), _: &mut Cx<'_>, _: Message<'_>) {}
    }

    let options = ReactorsOptions::default().threads(3);
    let make = |index| Local(Rc::new(index));
    let group =
        Reactors::start_with(local(), &options, make, |Local(index)| *index * 10).expect("a group");
    group.stop();
    assert_eq!(group.join().expect("a clean end"), [0, 10, 20]);
}
