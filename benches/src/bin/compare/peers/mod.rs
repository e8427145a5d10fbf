//! The echo servers under test, each the fastest arrangement its authors advise.
//!
//! Each server is a process of its own on one core, with `TCP_NODELAY`. All use the same opening
//! handshake (`accept`), so that only framing and I/O differ. The rivals do without hyper's
//! upgrade, which would cost them memory and a layer per read.

mod accept;
mod nexus;
mod raw;
mod reactor;
mod runtime;
mod sockudo;

use std::net::SocketAddr;

use anyhow::Result;
use clap::ValueEnum;
use tickwire_benches::peers;

use crate::process;

/// A peer: what is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum Peer {
    /// TCP echo over mio without framing: the limit.
    Raw,
    /// sockudo-ws 3.1 `Protocol` over mio, one write per read.
    SockudoProtocol,
    /// sockudo-ws 3.1 `Protocol` over tokio, reading straight into its buffer.
    SockudoProtocolTokio,
    /// sockudo-ws 3.1 `WebSocketStream`: feed what is ready, then flush.
    SockudoStream,
    /// fastwebsockets 0.10 with writev; it cannot batch.
    Fastwebsockets,
    /// tokio-tungstenite 0.30: feed what is ready, then flush.
    Tungstenite,
    /// tokio-websockets 0.13: feed what is ready, then flush.
    TokioWebsockets,
    /// yawc 0.5 with its authors' tuned buffers: feed what is ready, then flush.
    Yawc,
    /// nexus-web 0.8, its frame codec over mio, one write per read.
    NexusWeb,
    /// nexus-web 0.8, its frame codec over tokio, one write per read.
    NexusWebTokio,
    /// nexus-async-web 0.10: receive a lent message, send it; it cannot batch.
    NexusAsyncWeb,
    /// tickwire on the mio driver: the engine's `echo` example as a separate program.
    TickwireMio,
    /// tickwire on the tokio driver: the engine's `echo` example as a separate program.
    TickwireTokio,
}

impl Peer {
    /// The name on the command line, in tables and in JSON.
    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(|| format!("{self:?}"), |value| value.get_name().to_owned())
    }

    /// The `--driver` of the echo example, for tickwire's own peers.
    pub(crate) fn tickwire_driver(self) -> Option<&'static str> {
        match self {
            Peer::TickwireMio => Some("mio"),
            Peer::TickwireTokio => Some("tokio"),
            _ => None,
        }
    }

    /// Whether the server is a WebSocket server.
    pub(crate) fn speaks_websocket(self) -> bool {
        self != Peer::Raw
    }
}

/// How a server is to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServeOptions {
    pub(crate) listen: SocketAddr,
    /// Core to pin the process to; `None` leaves it to the scheduler.
    pub(crate) core: Option<usize>,
    /// Never sleep in the poller.
    pub(crate) spin: bool,
}

/// Runs one server until its parent ends it. The server first prints `listening ADDR`.
pub(crate) fn serve(peer: Peer, options: ServeOptions) -> Result<()> {
    process::die_with_parent()?;
    if let Some(core) = options.core {
        process::pin(core)?;
    }
    match peer {
        Peer::Raw => reactor::run(options, raw::Echo::default),
        Peer::SockudoProtocol => reactor::run(options, sockudo::Session::new),
        Peer::SockudoProtocolTokio => runtime::run(options, sockudo::protocol),
        Peer::SockudoStream => runtime::run(options, peers::sockudo_stream),
        Peer::Fastwebsockets => runtime::run(options, peers::fastwebsockets),
        Peer::Tungstenite => runtime::run(options, peers::tungstenite),
        Peer::TokioWebsockets => runtime::run(options, peers::tokio_websockets),
        Peer::Yawc => runtime::run(options, peers::yawc),
        Peer::NexusWeb => reactor::run(options, nexus::Session::new),
        Peer::NexusWebTokio => runtime::run(options, peers::nexus_web),
        Peer::NexusAsyncWeb => runtime::run(options, peers::nexus_async_web),
        Peer::TickwireMio | Peer::TickwireTokio => {
            anyhow::bail!(
                "{} is the engine's own `echo` example: run that",
                peer.name()
            )
        }
    }
}

/// Prints the address for the parent.
fn announce(addr: SocketAddr) -> Result<()> {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "listening {addr}")?;
    stdout.flush()?;
    Ok(())
}
