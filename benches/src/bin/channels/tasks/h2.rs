//! h2 as its authors advise: capacity is requested before data is sent, and released after data is
//! read. Windows are as large as tickwire's may grow. `data_frame_budget` is raised out of the way:
//! the default ends connections that carry many small frames.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bytes::{Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{Request, Response};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};

use super::frames::{self, Deframer};
use super::{Channel, Connection, Wire, tune};
use crate::config::{CHANNEL_WINDOW_BYTES, CHANNELS_MAX, CONNECTION_WINDOW_BYTES};
use crate::work::Role;

/// Larger than any run needs.
const DATA_FRAME_BUDGET: usize = 1 << 40;
/// As tickwire's queue of a channel.
const SEND_BUFFER_BYTES: usize = 256 << 10;

pub(super) struct H2;

type Inbound = mpsc::UnboundedReceiver<Stream>;

#[derive(Clone)]
pub(super) struct Link {
    requests: Option<SendRequest<Bytes>>,
    inbound: Arc<Mutex<Inbound>>,
}

enum Reading {
    Answer(ResponseFuture),
    Body(RecvStream),
}

pub(super) struct Stream {
    sending: SendStream<Bytes>,
    reading: Reading,
    role: Option<Role>,
    out: BytesMut,
    deframer: Deframer,
}

impl Stream {
    fn new(sending: SendStream<Bytes>, reading: Reading, role: Option<Role>) -> Stream {
        Stream {
            sending,
            reading,
            role,
            out: BytesMut::new(),
            deframer: Deframer::default(),
        }
    }

    async fn body(&mut self) -> Result<&mut RecvStream> {
        if let Reading::Answer(answer) = &mut self.reading {
            self.reading = Reading::Body(answer.await?.into_body());
        }
        match &mut self.reading {
            Reading::Body(body) => Ok(body),
            Reading::Answer(_) => bail!("no answer"),
        }
    }
}

impl Wire for H2 {
    type Connection = Link;
    const YIELD_BYTES: usize = 64 * 1024;

    async fn connect(addr: SocketAddr, urgent: bool) -> Result<Link> {
        let stream = TcpStream::connect(addr).await?;
        tune(&stream, urgent)?;
        let (requests, connection) = h2::client::Builder::new()
            .initial_window_size(CHANNEL_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .initial_max_send_streams(CHANNELS_MAX as usize)
            .max_send_buffer_size(SEND_BUFFER_BYTES)
            .data_frame_budget(DATA_FRAME_BUDGET)
            .handshake(stream)
            .await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("h2: {error}");
            }
        });
        Ok(Link {
            requests: Some(requests),
            inbound: Arc::new(Mutex::new(mpsc::unbounded_channel().1)),
        })
    }

    async fn accept(stream: TcpStream) -> Result<Link> {
        tune(&stream, false)?;
        let mut connection = h2::server::Builder::new()
            .initial_window_size(CHANNEL_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_concurrent_streams(CHANNELS_MAX)
            .max_send_buffer_size(SEND_BUFFER_BYTES)
            .data_frame_budget(DATA_FRAME_BUDGET)
            .handshake::<_, Bytes>(stream)
            .await?;
        let (offers, inbound) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(accepted) = connection.accept().await {
                let Ok((request, mut respond)) = accepted else {
                    break;
                };
                let topic = request.uri().path().trim_start_matches('/');
                let role = Role::of_topic(topic.as_bytes());
                if let Ok(sending) = respond.send_response(Response::new(()), false) {
                    let reading = Reading::Body(request.into_body());
                    // It fails only when the server no longer takes channels.
                    let _ = offers.send(Stream::new(sending, reading, role));
                }
            }
        });
        Ok(Link {
            requests: None,
            inbound: Arc::new(Mutex::new(inbound)),
        })
    }
}

impl Connection for Link {
    type Channel = Stream;

    async fn open(&self, role: Role) -> Result<Stream> {
        let requests = self.requests.clone().context("only clients open")?;
        let mut requests = requests.ready().await?;
        let uri = format!("http://localhost/{role}");
        let request = Request::post(uri).body(())?;
        let (answer, sending) = requests.send_request(request, false)?;
        Ok(Stream::new(sending, Reading::Answer(answer), Some(role)))
    }

    async fn next(&mut self) -> Option<Stream> {
        self.inbound.lock().await.recv().await
    }
}

impl Channel for Stream {
    async fn role(&mut self) -> Result<Role> {
        self.role.context("an unknown path")
    }

    async fn put(&mut self, message: &[u8]) -> Result<()> {
        frames::put(&mut self.out, message)
    }

    async fn flush(&mut self) -> Result<()> {
        let mut data = self.out.split().freeze();
        while !data.is_empty() {
            self.sending.reserve_capacity(data.len());
            let mut room = self.sending.capacity();
            while room == 0 {
                let capacity = std::future::poll_fn(|cx| self.sending.poll_capacity(cx)).await;
                room = capacity.context("the stream has ended")??;
            }
            let part = data.split_to(room.min(data.len()));
            self.sending.send_data(part, false)?;
        }
        Ok(())
    }

    async fn receive(&mut self, each: impl FnMut(&[u8]) + Send) -> Result<bool> {
        let body = self.body().await?;
        let Some(chunk) = body.data().await else {
            return Ok(false);
        };
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        self.deframer.feed(&chunk, each);
        Ok(true)
    }

    async fn finish(&mut self) -> Result<()> {
        self.flush().await?;
        Ok(self.sending.send_data(Bytes::new(), true)?)
    }
}
