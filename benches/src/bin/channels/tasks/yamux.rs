//! rust-yamux. Its connection writes and reads the header and the body of a frame separately, and
//! flushes after each frame. The socket is therefore buffered both ways. Streams are read as
//! packets, without a copy.
//!
//! A stream counts as open when its acceptor has sent something, and at most 256 may be unanswered.
//! The acceptor here sends one byte, as h2 sends a response head and tickwire sends an ACCEPT.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::{Context as _, Result, ensure};
use futures_util::StreamExt as _;
use futures_util::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, BufWriter};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};

use super::frames::{self, Deframer};
use super::{Channel, Connection, Wire, tune};
use crate::config::CHANNELS_MAX;
use crate::work::Role;

/// Size of the socket's buffers, in each direction.
const BUFFER_BYTES: usize = 64 * 1024;

type Socket = BufReader<BufWriter<Compat<TcpStream>>>;

/// A socket whose flushes may be deferred.
struct Wait {
    socket: Socket,
    defers: bool,
}

impl AsyncRead for Wait {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.socket).poll_read(cx, buf);
        if self.defers && read.is_pending() {
            // A pending read is the last step of the connection's turn.
            let _ = Pin::new(&mut self.socket).poll_flush(cx)?;
        }
        read
    }
}

impl AsyncWrite for Wait {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.defers {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx)
    }
}

/// As its authors wrote it: a flush after each frame.
pub(super) struct Plain;
/// One flush at the end of the connection's turn.
pub(super) struct Deferred;

type Asked = oneshot::Sender<yamux::Stream>;

#[derive(Clone)]
pub(super) struct Link {
    asks: mpsc::UnboundedSender<Asked>,
    inbound: Arc<Mutex<mpsc::UnboundedReceiver<yamux::Stream>>>,
}

pub(super) struct Stream {
    stream: yamux::Stream,
    role: Option<Role>,
    /// What waits to be flushed. On a stream that this end has opened, the role comes first.
    out: Vec<u8>,
    deframer: Deframer,
    /// Bytes behind the role in the same packet.
    early: Vec<u8>,
    /// The acceptor's byte has not arrived yet.
    unanswered: bool,
}

/// The acceptor's byte.
const ACCEPTED: u8 = 0xac;

impl Stream {
    fn new(stream: yamux::Stream, role: Option<Role>) -> Stream {
        Stream {
            stream,
            role,
            unanswered: role.is_some(),
            out: role.map(|role| role as u8).into_iter().collect(),
            deframer: Deframer::default(),
            early: Vec::new(),
        }
    }
}

fn start(stream: TcpStream, mode: yamux::Mode, defers: bool) -> Link {
    let mut config = yamux::Config::default();
    config.set_max_connection_receive_window(None);
    config.set_max_num_streams(CHANNELS_MAX as usize);
    let written = BufWriter::with_capacity(BUFFER_BYTES, stream.compat());
    let socket = BufReader::with_capacity(BUFFER_BYTES, written);
    let (asks, asked) = mpsc::unbounded_channel();
    let (offers, inbound) = mpsc::unbounded_channel();
    let mut driver = Driver {
        connection: yamux::Connection::new(Wait { socket, defers }, config, mode),
        asked,
        asking: None,
        offers,
    };
    tokio::spawn(std::future::poll_fn(move |cx| driver.poll(cx)));
    Link {
        asks,
        inbound: Arc::new(Mutex::new(inbound)),
    }
}

/// The state of a connection's task.
struct Driver {
    connection: yamux::Connection<Wait>,
    asked: mpsc::UnboundedReceiver<Asked>,
    /// Waits for a stream: the number of unanswered ones is limited.
    asking: Option<Asked>,
    offers: mpsc::UnboundedSender<yamux::Stream>,
}

impl Driver {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.asking.is_none()
                && let Poll::Ready(Some(asked)) = self.asked.poll_recv(cx)
            {
                self.asking = Some(asked);
            }
            if self.asking.is_some()
                && let Poll::Ready(opened) = self.connection.poll_new_outbound(cx)
            {
                // The task that asked may have ended.
                if let (Some(asked), Ok(stream)) = (self.asking.take(), opened) {
                    let _ = asked.send(stream);
                }
                continue;
            }
            match self.connection.poll_next_inbound(cx) {
                Poll::Ready(Some(Ok(stream))) => {
                    let _ = self.offers.send(stream);
                }
                Poll::Ready(Some(Err(error))) => {
                    eprintln!("yamux: {error}");
                    return Poll::Ready(());
                }
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

async fn connect(addr: SocketAddr, urgent: bool, defers: bool) -> Result<Link> {
    let stream = TcpStream::connect(addr).await?;
    tune(&stream, urgent)?;
    Ok(start(stream, yamux::Mode::Client, defers))
}

impl Wire for Plain {
    type Connection = Link;
    const YIELD_BYTES: usize = 64 * 1024;

    async fn connect(addr: SocketAddr, urgent: bool) -> Result<Link> {
        connect(addr, urgent, false).await
    }

    async fn accept(stream: TcpStream) -> Result<Link> {
        tune(&stream, false)?;
        Ok(start(stream, yamux::Mode::Server, false))
    }
}

impl Wire for Deferred {
    type Connection = Link;
    const YIELD_BYTES: usize = 64 * 1024;

    async fn connect(addr: SocketAddr, urgent: bool) -> Result<Link> {
        connect(addr, urgent, true).await
    }

    async fn accept(stream: TcpStream) -> Result<Link> {
        tune(&stream, false)?;
        Ok(start(stream, yamux::Mode::Server, true))
    }
}

impl Connection for Link {
    type Channel = Stream;

    async fn open(&self, role: Role) -> Result<Stream> {
        let (ask, stream) = oneshot::channel();
        self.asks.send(ask).ok().context("the connection is over")?;
        Ok(Stream::new(stream.await?, Some(role)))
    }

    async fn next(&mut self) -> Option<Stream> {
        let stream = self.inbound.lock().await.recv().await?;
        Some(Stream::new(stream, None))
    }
}

impl Channel for Stream {
    async fn role(&mut self) -> Result<Role> {
        if self.role.is_none() {
            let packet = self
                .stream
                .next()
                .await
                .context("a stream without a role")??;
            let (role, early) = packet.as_ref().split_first().context("an empty packet")?;
            self.role = Role::of_byte(*role);
            self.early = early.to_vec();
            self.stream.write_all(&[ACCEPTED]).await?;
        }
        self.role.context("an unknown role")
    }

    async fn put(&mut self, message: &[u8]) -> Result<()> {
        frames::put(&mut self.out, message)
    }

    async fn flush(&mut self) -> Result<()> {
        self.stream.write_all(&self.out).await?;
        self.out.clear();
        Ok(())
    }

    async fn receive(&mut self, mut each: impl FnMut(&[u8]) + Send) -> Result<bool> {
        if !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            self.deframer.feed(&early, each);
            return Ok(true);
        }
        let Some(packet) = self.stream.next().await else {
            return Ok(false);
        };
        let packet = packet?;
        let mut bytes = packet.as_ref();
        if self.unanswered {
            let (accepted, rest) = bytes.split_first().context("an empty packet")?;
            ensure!(*accepted == ACCEPTED, "the stream was not accepted");
            self.unanswered = false;
            bytes = rest;
        }
        self.deframer.feed(bytes, &mut each);
        Ok(true)
    }

    async fn finish(&mut self) -> Result<()> {
        self.flush().await?;
        Ok(self.stream.close().await?)
    }
}
