//! tickwire on the reactors: handlers, which the reactor calls.

mod client;
mod jobs;
mod server;
mod sockets;

use std::time::Duration;

use anyhow::{Context as _, Result};
use tickwire::channels::Multiplexed;
use tickwire::net::Tune;
use tickwire::reactor::{Handler, Outgoing, Reactor, ReactorOptions, TokioReactor, Wait};

use crate::cli::{Drive, Serve};
use crate::load::Load;
use crate::work::{Peer, SOCKETS_MAX, Sample, Work};
use crate::{announce, config, report};

/// The reactor: on mio or on tokio.
fn is_on_tokio(peer: Peer) -> bool {
    peer == Peer::TickwireReactor
}

fn options(spins: bool, urgent: bool, on_tokio: bool) -> ReactorOptions {
    ReactorOptions::default()
        .wait(if spins && !on_tokio {
            Wait::Spin
        } else {
            Wait::Park
        })
        .tune(if urgent {
            Tune::low_latency()
        } else {
            Tune::new()
        })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_all().build()?)
}

/// Keeps the runtime from sleeping.
async fn spin() {
    loop {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn serve(options: &Serve) -> Result<()> {
    match options.peer {
        Peer::Websocket | Peer::Websockets => listen(options, sockets::Server::new()?),
        _ => {
            let handler = server::Server::new()?;
            listen(
                options,
                Multiplexed::new(handler, config::channels()).expect("limits that work"),
            )
        }
    }
}

/// Serves until the parent ends the process.
fn listen<H: Handler>(serve: &Serve, handler: H) -> Result<()> {
    let on_tokio = is_on_tokio(serve.peer);
    let options = options(serve.spin, serve.spin, on_tokio);
    if !on_tokio {
        let mut reactor = Reactor::new(handler, options)?;
        announce(reactor.listen(serve.listen)?.0)?;
        reactor.run()?;
        return Ok(());
    }
    runtime()?.block_on(async {
        if serve.spin {
            tokio::spawn(spin());
        }
        let mut reactor = TokioReactor::new(handler, options)?;
        announce(reactor.listen(serve.listen)?.0)?;
        reactor.run().await?;
        Ok(())
    })
}

/// A client with results.
trait Measures: Handler {
    fn sample(&mut self) -> Option<Result<Sample>>;
}

pub(crate) fn drive(options: &Drive) -> Result<()> {
    let work = options.work()?;
    let pid = options.server_pid;
    let sample = match (options.peer, work) {
        (
            Peer::Websocket | Peer::Websockets,
            Work::Throughput {
                channels,
                bytes,
                burst,
                warm_up_ms,
                run_ms,
                ..
            },
        ) => {
            let times = [warm_up_ms, run_ms].map(Duration::from_millis);
            let sockets = match options.peer {
                Peer::Websocket => 1,
                _ => channels.min(SOCKETS_MAX),
            };
            let load = Load::new(bytes, sockets, burst);
            let client = sockets::Client::new(load, times, pid);
            // The first connection is the control connection.
            connect(options, client, 1 + sockets)?
        }
        (
            _,
            Work::Throughput {
                channels,
                bytes,
                burst,
                unread,
                warm_up_ms,
                run_ms,
            },
        ) => {
            let times = [warm_up_ms, run_ms].map(Duration::from_millis);
            let load = Load::new(bytes, channels, burst);
            let how = (options.peer == Peer::TickwireRuns, unread);
            carry(options, jobs::Throughput::new(load, how, times, pid), 1)?
        }
        (_, Work::Latency { .. }) => carry(options, jobs::Latency::new(work, pid), 1)?,
        (_, Work::Opens { in_flight, run_ms }) => {
            let run = Duration::from_millis(run_ms);
            carry(options, jobs::Opens::new(in_flight, run, pid), 1)?
        }
        (
            _,
            Work::Idle {
                connections,
                channels,
            },
        ) => carry(
            options,
            jobs::Idle::new(connections, channels, pid),
            connections,
        )?,
    };
    report(&sample)
}

fn carry<J: client::Job>(options: &Drive, job: J, connections: usize) -> Result<Sample> {
    let client =
        Multiplexed::new(client::Client::new(job), config::channels()).expect("limits that work");
    connect(options, client, connections)
}

fn connect<H: Measures>(drive: &Drive, handler: H, connections: usize) -> Result<Sample> {
    let on_tokio = is_on_tokio(drive.peer);
    let urgent = matches!(drive.work()?, Work::Latency { .. });
    let options = options(urgent, urgent, on_tokio);
    let url = format!("ws://{}/", drive.server);
    let outgoing = Outgoing::at(drive.server, &url)?;
    let outgoing = if drive.peer.has_channels() {
        outgoing.channels()
    } else {
        outgoing
    };
    let mut handler = if on_tokio {
        runtime()?.block_on(async {
            if urgent {
                tokio::spawn(spin());
            }
            let mut reactor = TokioReactor::new(handler, options)?;
            for at in 0..connections {
                reactor.connect(&outgoing.clone().token(at as u64))?;
            }
            anyhow::Ok(reactor.run().await?)
        })?
    } else {
        let mut reactor = Reactor::new(handler, options)?;
        for at in 0..connections {
            reactor.connect(&outgoing.clone().token(at as u64))?;
        }
        reactor.run()?
    };
    handler
        .sample()
        .context("the client ended before it had results")?
}
