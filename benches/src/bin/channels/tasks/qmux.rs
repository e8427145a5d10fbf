//! qmux: QMux (draft-ietf-quic-qmux-02) over TCP. A channel is a bidirectional stream; its first
//! byte is the role. Chunks are written and read without a copy, as its authors advise. Windows are
//! as large as tickwire's may grow, and channels have the same priorities. All other settings are
//! the defaults.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use qmux::transport;
use qmux::{Config, RecvStream, SendStream, Session, Version};
use tokio::io::BufStream;
use tokio::net::TcpStream;
use web_transport_trait::{RecvStream as _, SendStream as _, Session as _};

use super::frames::{self, Deframer};
use super::{Channel, Connection, Wire, tune};
use crate::config::{CHANNEL_WINDOW_BYTES, CHANNELS_MAX, CONNECTION_WINDOW_BYTES};
use crate::work::Role;

/// Size of the socket's buffers, in each direction: as for yamux. qmux's own buffers of 8 KiB alone
/// cost it 10 to 20 % more CPU per message.
const BUFFER_BYTES: usize = 64 * 1024;

pub(super) struct Qmux;

#[derive(Clone)]
pub(super) struct Link(Session);

pub(super) struct Stream {
    sending: SendStream,
    receiving: RecvStream,
    role: Option<Role>,
    /// What waits to be flushed. On a stream that this end has opened, the role comes first.
    out: BytesMut,
    deframer: Deframer,
    /// Bytes behind the role in the same chunk.
    early: Bytes,
}

impl Stream {
    fn new((sending, receiving): (SendStream, RecvStream)) -> Stream {
        Stream {
            sending,
            receiving,
            role: None,
            out: BytesMut::new(),
            deframer: Deframer::default(),
            early: Bytes::new(),
        }
    }

    fn set_role(&mut self, role: Role) {
        // qmux sends the highest number first.
        self.sending.set_priority(-i32::from(role.priority()));
        self.role = Some(role);
    }
}

fn config() -> Config {
    let mut config = Config::new(Version::QMux02);
    config.max_streams_bidi = u64::from(CHANNELS_MAX);
    config.max_data = u64::from(CONNECTION_WINDOW_BYTES);
    config.max_stream_data_bidi_local = u64::from(CHANNEL_WINDOW_BYTES);
    config.max_stream_data_bidi_remote = u64::from(CHANNEL_WINDOW_BYTES);
    config
}

fn over(stream: TcpStream, config: &Config) -> transport::Stream<BufStream<TcpStream>> {
    let stream = BufStream::with_capacity(BUFFER_BYTES, BUFFER_BYTES, stream);
    transport::Stream::new(stream, config.version, config.max_record_size)
}

impl Wire for Qmux {
    type Connection = Link;
    const YIELD_BYTES: usize = 64 * 1024;

    async fn connect(addr: SocketAddr, urgent: bool) -> Result<Link> {
        let stream = TcpStream::connect(addr).await?;
        tune(&stream, urgent)?;
        let config = config();
        Ok(Link(Session::connect(over(stream, &config), config).await?))
    }

    async fn accept(stream: TcpStream) -> Result<Link> {
        tune(&stream, false)?;
        let config = config();
        Ok(Link(Session::accept(over(stream, &config), config).await?))
    }
}

impl Connection for Link {
    type Channel = Stream;

    async fn open(&self, role: Role) -> Result<Stream> {
        let mut stream = Stream::new(self.0.open_bi().await?);
        stream.set_role(role);
        stream.out.put_u8(role as u8);
        Ok(stream)
    }

    async fn next(&mut self) -> Option<Stream> {
        // The end of a connection is always an error here.
        self.0.accept_bi().await.ok().map(Stream::new)
    }
}

impl Channel for Stream {
    async fn role(&mut self) -> Result<Role> {
        if self.role.is_none() {
            let chunk = self.receiving.read_chunk(usize::MAX).await?;
            let mut chunk = chunk.context("a stream without a role")?;
            let role = Role::of_byte(chunk.try_get_u8()?);
            self.early = chunk;
            self.set_role(role.context("an unknown role")?);
        }
        self.role.context("no role")
    }

    async fn put(&mut self, message: &[u8]) -> Result<()> {
        frames::put(&mut self.out, message)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(self.sending.write_chunk(self.out.split().freeze()).await?)
    }

    async fn receive(&mut self, each: impl FnMut(&[u8]) + Send) -> Result<bool> {
        if !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            self.deframer.feed(&early, each);
            return Ok(true);
        }
        let Some(chunk) = self.receiving.read_chunk(usize::MAX).await? else {
            return Ok(false);
        };
        self.deframer.feed(&chunk, each);
        Ok(true)
    }

    async fn finish(&mut self) -> Result<()> {
        self.flush().await?;
        Ok(self.sending.finish()?)
    }
}
