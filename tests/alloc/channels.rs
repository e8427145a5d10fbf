//! Channels on a reactor: what has come up to speed allocates nothing for a message.
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use allocation_counter::measure;
use tickwire::channels::{
    AcceptOptions, Answer, ChannelConfig, ChannelCx, ChannelHandler, ChannelHub, Multiplexed,
    OpenOptions, Opening, Received,
};
use tickwire::reactor::{Opened, Outgoing, Reactor, ReactorOptions, Remote, TokioReactor};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum On {
    Mio,
    Tokio,
}

/// Sends every message back, at either end, until so many have come.
struct Volley {
    left: u64,
}

/// Messages that are under way at any time: more than a record's worth.
const UNDER_WAY: usize = 64;

impl ChannelHandler for Volley {
    type Conn = ();
    type Command = ();

    fn open(&mut self, _cx: &mut ChannelCx<'_, '_>, _opened: Opened<'_>) {}

    fn ready(&mut self, (): &mut (), cx: &mut ChannelCx<'_, '_>) {
        if self.left == u64::MAX {
            return; // the server
        }
        for size in [40, 400] {
            let channel = cx.open(OpenOptions::new("volley")).expect("room");
            for _ in 0..UNDER_WAY {
                cx.send(channel, &[7; 400][..size]).expect("room");
            }
        }
    }

    fn channel(
        &mut self,
        (): &mut (),
        _cx: &mut ChannelCx<'_, '_>,
        _opening: Opening<'_>,
    ) -> Answer {
        Answer::Accept(AcceptOptions::new())
    }

    fn message(&mut self, (): &mut (), cx: &mut ChannelCx<'_, '_>, received: Received<'_>) {
        cx.send(received.channel, &received.data).expect("room");
        cx.release(received.channel, received.charge);
        self.left -= 1;
        if self.left == 0 {
            self.left = u64::MAX;
            cx.hub().stop();
        }
    }

    fn command(&mut self, hub: &mut ChannelHub<'_, '_>, (): ()) {
        hub.stop();
    }
}

type Started = mpsc::Sender<(SocketAddr, Remote<()>)>;

/// Runs one end on this thread: a server, or a client of `to`. Gives what it allocated.
fn allocations(on: On, left: u64, to: Option<SocketAddr>, started: &Started) -> u64 {
    let handler =
        Multiplexed::new(Volley { left }, ChannelConfig::default()).expect("limits that work");
    let options = ReactorOptions::default();
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let outgoing = to.map(|to| {
        let outgoing = Outgoing::at(to, &format!("ws://{to}/")).expect("a URL");
        outgoing.channels()
    });
    // Counted from before the connect: on a busy machine the answer to the opening handshake is
    // there before `connect` returns, and the channels with it.
    let counted = match on {
        On::Mio => {
            let mut reactor = Reactor::new(handler, options).expect("a reactor");
            measure(|| {
                match outgoing {
                    Some(outgoing) => drop(reactor.connect(&outgoing).expect("a socket")),
                    None => {
                        let (addr, _) = reactor.listen(local).expect("a port");
                        started.send((addr, reactor.remote())).expect("a test");
                    }
                }
                drop(reactor.run().expect("a clean end"));
            })
        }
        On::Tokio => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            let _entered = runtime.enter();
            let mut reactor = TokioReactor::new(handler, options).expect("a reactor");
            measure(|| {
                match outgoing {
                    Some(outgoing) => drop(reactor.connect(&outgoing).expect("a socket")),
                    None => {
                        let (addr, _) = reactor.listen(local).expect("a port");
                        started.send((addr, reactor.remote())).expect("a test");
                    }
                }
                drop(runtime.block_on(reactor.run()).expect("a clean end"));
            })
        }
    };
    counted.count_total
}

/// What client and server allocate while the client receives so many messages.
fn volley(on: On, messages: u64) -> [u64; 2] {
    let (started, starts) = mpsc::channel();
    let server = thread::spawn({
        let started = started.clone();
        move || allocations(on, u64::MAX, None, &started)
    });
    let (addr, remote) = starts.recv().expect("a server");
    let client = thread::spawn(move || allocations(on, messages, Some(addr), &started));
    let client = client.join().expect("no panic");
    remote.command(()).expect("room");
    [client, server.join().expect("no panic")]
}

#[test]
fn a_message_received_released_and_sent_on_a_channel() {
    const FEW: u64 = 10_000;
    const MANY: u64 = 210_000;
    // Buffers grow with what the sockets happen to bring at once: a dozen steps at most.
    const STEPS_MAX: u64 = 16;
    for on in [On::Mio, On::Tokio] {
        let (few, many) = (volley(on, FEW), volley(on, MANY));
        eprintln!(
            "{on:?}: client and server allocate {few:?} times, and {many:?} for 200,000 messages more"
        );
        for (few, many) in few.into_iter().zip(many) {
            assert!(many <= few + STEPS_MAX, "{on:?}: {few}, then {many}");
        }
    }
}
