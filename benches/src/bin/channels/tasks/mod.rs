//! The async peers, behind one interface for which server and client are written once.
//!
//! All run on tokio's current-thread runtime, with a task for each channel.

mod client;
mod frames;
mod h2;
mod qmux;
mod server;
mod tickwire;
mod yamux;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use tokio::net::TcpStream;

use crate::cli::{Drive, Serve};
use crate::work::{Peer, Role};

/// A kind of peer.
pub(crate) trait Wire: 'static {
    type Connection: Connection;
    /// Payload bytes after which a sender that has not waited lets the connection's task run. The
    /// value gives the most messages a second (from trials).
    const YIELD_BYTES: usize;

    fn connect(
        addr: SocketAddr,
        urgent: bool,
    ) -> impl Future<Output = Result<Self::Connection>> + Send;

    fn accept(stream: TcpStream) -> impl Future<Output = Result<Self::Connection>> + Send;
}

/// A connection, which a task of its own drives.
pub(crate) trait Connection: Clone + Send + Sync + 'static {
    type Channel: Channel;

    fn open(&self, role: Role) -> impl Future<Output = Result<Self::Channel>> + Send;

    /// The next channel that the peer opens.
    fn next(&mut self) -> impl Future<Output = Option<Self::Channel>> + Send;
}

/// A channel, both halves.
pub(crate) trait Channel: Send + 'static {
    /// The role that the peer has opened the channel for.
    fn role(&mut self) -> impl Future<Output = Result<Role>> + Send;

    /// Queues a message.
    fn put(&mut self, message: &[u8]) -> impl Future<Output = Result<()>> + Send;

    /// Sends the queued messages, and waits for credit if needed.
    fn flush(&mut self) -> impl Future<Output = Result<()>> + Send;

    /// Waits for bytes, then calls `each` with every whole message. `false` at the end of the
    /// channel.
    fn receive(
        &mut self,
        each: impl FnMut(&[u8]) + Send,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Sends the queued messages and ends this direction.
    fn finish(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// Keeps the runtime from sleeping, and lets all other tasks run.
async fn spin() {
    loop {
        tokio::task::yield_now().await;
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_all().build()?)
}

pub(crate) fn serve(options: &Serve) -> Result<()> {
    match options.peer {
        Peer::Yamux => server::run::<yamux::Plain>(options),
        Peer::YamuxDeferred => server::run::<yamux::Deferred>(options),
        Peer::H2 => server::run::<h2::H2>(options),
        Peer::Qmux => server::run::<qmux::Qmux>(options),
        _ => server::run::<tickwire::Tickwire>(options),
    }
}

pub(crate) fn drive(options: &Drive) -> Result<()> {
    match options.peer {
        Peer::Yamux => client::run::<yamux::Plain>(options),
        Peer::YamuxDeferred => client::run::<yamux::Deferred>(options),
        Peer::H2 => client::run::<h2::H2>(options),
        Peer::Qmux => client::run::<qmux::Qmux>(options),
        _ => client::run::<tickwire::Tickwire>(options),
    }
}

/// Sets the options of a rival's socket that tickwire's sockets have.
fn tune(stream: &TcpStream, urgent: bool) -> Result<()> {
    stream.set_nodelay(true)?;
    if urgent {
        // As `Tune::low_latency`.
        socket2::SockRef::from(stream).set_tcp_notsent_lowat(16 * 1024)?;
    }
    Ok(())
}

/// Time to settle before memory is read.
const SETTLE_TIME: Duration = Duration::from_millis(1000);
