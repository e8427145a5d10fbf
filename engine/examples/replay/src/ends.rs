//! The server and the clients, each a reactor on a thread of its own: the same handlers on mio
//! and on tokio.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tickwire::channels::{ChannelHandler, Multiplexed};
use tickwire::net::Tune;
use tickwire::reactor::{Outgoing, Reactor, ReactorOptions, Remote, TokioReactor, Wait};
use tokio::runtime::Builder;

use crate::Result;
use crate::args::Driver;
use crate::client::Clients;
use crate::play::Play;
use crate::server::Publisher;

/// Binding a port of the loopback takes no time; a thread may have to wait for a core.
const STARTED_WITHIN: Duration = Duration::from_secs(10);

/// Bytes that may wait unsent in the kernel: what is urgent overtakes in our own queues.
const NOTSENT_BYTES: u32 = 16 << 10;

/// Both ends of all connections.
pub(crate) struct Ends {
    /// Tells the server that something new is due.
    pub(crate) wake: Box<dyn Fn() + Send>,
    pub(crate) server: Running<Publisher>,
    pub(crate) clients: Running<Clients>,
}

/// A reactor on its thread.
pub(crate) struct Running<H: ChannelHandler> {
    remote: Remote<H::Command>,
    thread: JoinHandle<Result<H>>,
}

impl<H: ChannelHandler> Running<H> {
    pub(crate) fn stop(&self) {
        // Refused only by a reactor that has ended.
        let _ = self.remote.stop();
    }

    /// The handler, when the reactor has ended.
    pub(crate) fn join(self) -> Result<H> {
        self.thread.join().map_err(|_| "a thread panicked")?
    }
}

/// Starts both ends. `opened` hears of each client that has opened its channels.
pub(crate) fn start(driver: Driver, play: &Arc<Play>, opened: Sender<()>) -> Result<Ends> {
    let woken = Arc::new(AtomicBool::new(false));
    let publisher = Publisher::new(play, &woken, opened);
    let (server, addr) = run(driver, play, "server", publisher, Begin::Listen)?;
    let outgoing = (0..play.lanes.len() as u64).map(|client| {
        let outgoing = Outgoing::at(addr, &format!("ws://{addr}/replay"))?;
        Ok(outgoing.token(client).channels())
    });
    let outgoing = Begin::Connect(outgoing.collect::<Result<_>>()?);
    let (clients, _) = run(driver, play, "clients", Clients::new(play)?, outgoing)?;
    let remote = server.remote.clone();
    let wake = Box::new(move || {
        // One command at a time: the server looks at all that is due.
        if !woken.swap(true, Ordering::AcqRel) {
            // Refused only by a reactor that has ended, which the clients notice.
            let _ = remote.command(());
        }
    });
    Ok(Ends {
        wake,
        server,
        clients,
    })
}

/// What a reactor begins with.
enum Begin {
    Listen,
    Connect(Vec<Outgoing>),
}

/// A free port of the loopback; also what is said where nobody listens.
const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

type Ready<H> = Sender<(SocketAddr, Remote<<H as ChannelHandler>::Command>)>;

/// Starts a reactor on a thread. Gives the address, if it listens.
fn run<H: ChannelHandler + Send + 'static>(
    driver: Driver,
    play: &Play,
    name: &str,
    handler: H,
    begin: Begin,
) -> Result<(Running<H>, SocketAddr)> {
    let handler = Multiplexed::new(handler, play.channels.clone()).expect("limits that work");
    let options = ReactorOptions::default()
        .config(play.config.clone())
        .tune(Tune::new().notsent_lowat_bytes(NOTSENT_BYTES));
    let spin = play.spin;
    let (ready, started) = mpsc::channel();
    let thread = thread::Builder::new()
        .name(name.into())
        .spawn(move || match driver {
            Driver::Mio => on_mio(handler, options, spin, begin, &ready),
            Driver::Tokio => on_tokio(handler, options, spin, begin, &ready),
        })?;
    match started.recv_timeout(STARTED_WITHIN) {
        Ok((addr, remote)) => Ok((Running { remote, thread }, addr)),
        Err(_) if thread.is_finished() => match thread.join() {
            Ok(Err(e)) => Err(e),
            _ => Err(format!("the {name} did not start").into()),
        },
        Err(_) => Err(format!("the {name} did not start").into()),
    }
}

fn on_mio<H: ChannelHandler>(
    handler: Multiplexed<H>,
    mut options: ReactorOptions,
    spin: bool,
    begin: Begin,
    ready: &Ready<H>,
) -> Result<H> {
    options.wait = if spin { Wait::Spin } else { Wait::Park };
    let mut reactor = Reactor::new(handler, options)?;
    let addr = match begin {
        Begin::Listen => reactor.listen(ANY_PORT)?.0,
        Begin::Connect(all) => {
            for outgoing in all {
                reactor.connect(&outgoing)?;
            }
            ANY_PORT
        }
    };
    ready.send((addr, reactor.remote()))?;
    Ok(reactor.run()?.into_inner())
}

fn on_tokio<H: ChannelHandler>(
    handler: Multiplexed<H>,
    options: ReactorOptions,
    spin: bool,
    begin: Begin,
    ready: &Ready<H>,
) -> Result<H> {
    let mut builder = Builder::new_current_thread();
    builder.enable_all();
    if spin {
        // Sockets are looked at after every task, and there is always a task.
        builder.event_interval(1);
    }
    builder.build()?.block_on(async {
        if spin {
            tokio::spawn(async {
                loop {
                    tokio::task::yield_now().await;
                }
            });
        }
        let mut reactor = TokioReactor::new(handler, options)?;
        let addr = match begin {
            Begin::Listen => reactor.listen(ANY_PORT)?.0,
            Begin::Connect(all) => {
                for outgoing in &all {
                    reactor.connect(outgoing)?;
                }
                ANY_PORT
            }
        };
        ready.send((addr, reactor.remote()))?;
        Ok(reactor.run().await?.into_inner())
    })
}
