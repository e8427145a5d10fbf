//! Peers for async code: what they have in common, and the server and the client written once.
//!
//! All of them run on tokio's runtime of one thread, with a task for each channel.

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
    /// Payload bytes after which a sender that was never made to wait lets the connection's task
    /// run: found by trying, for the most messages a second.
    const YIELD_BYTES: usize;

    fn connect(
        addr: SocketAddr,
        urgent: bool,
    ) -> impl Future<Output = Result<Self::Connection>> + Send;

    fn accept(stream: TcpStream) -> impl Future<Output = Result<Self::Connection>> + Send;
}

/// Driven by a task of its own.
pub(crate) trait Connection: Clone + Send + Sync + 'static {
    type Channel: Channel;

    fn open(&self, role: Role) -> impl Future<Output = Result<Self::Channel>> + Send;

    /// The next channel that the peer opens.
    fn next(&mut self) -> impl Future<Output = Option<Self::Channel>> + Send;
}

/// Both halves.
pub(crate) trait Channel: Send + 'static {
    /// What the peer has opened it for.
    fn role(&mut self) -> impl Future<Output = Result<Role>> + Send;

    /// Puts a message behind those that wait to be sent.
    fn put(&mut self, message: &[u8]) -> impl Future<Output = Result<()>> + Send;

    /// Sends what waits, and waits for credit where there is none.
    fn flush(&mut self) -> impl Future<Output = Result<()>> + Send;

    /// Waits for bytes, and calls with each message that is whole; `false` at the end.
    fn receive(
        &mut self,
        each: impl FnMut(&[u8]) + Send,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// All is sent.
    fn finish(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// How long a spinning server rests: not at all, but it lets all others run.
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

/// Options of a rival's socket, as ours has them.
fn tune(stream: &TcpStream, urgent: bool) -> Result<()> {
    stream.set_nodelay(true)?;
    if urgent {
        // What `Tune::low_latency` sets.
        socket2::SockRef::from(stream).set_tcp_notsent_lowat(16 * 1024)?;
    }
    Ok(())
}

/// Time for things to calm down before memory is looked at.
const CALM: Duration = Duration::from_millis(1000);
