//! The drivers: one turn of each, with 64 messages in it.

use std::hint::black_box;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tickwire::reactor::{
    ConnId, Cx, Ended, Handler, Opened, Outgoing, Reactor, ReactorOptions, TokioReactor,
};
use tickwire::{Config, Message, Parts, Role, Stats, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{BATCH, PAYLOAD, Path};

pub(crate) const PATHS: &[Path] = &[
    Path {
        name: "reactor-mio",
        what: "32 B message echoed by a reactor over loopback TCP, both ends, 64 a turn",
        walk: |batches| echo(batches, mio),
    },
    Path {
        name: "reactor-tokio",
        what: "the same on tokio",
        walk: |batches| echo(batches, tokio),
    },
    Path {
        name: "websocket-batch",
        what: "32 B message echoed by a WebSocket over a wire in memory: lent, 64 a turn",
        walk: batch,
    },
    Path {
        name: "websocket-owned",
        what: "32 B message received by it as a value of its own",
        walk: owned,
    },
];

/// Both ends of one connection. The server echoes. The client sends a batch when the previous one
/// has come back, and stops the reactor after the last batch.
struct Echo {
    batches_left: usize,
    came: usize,
}

impl Echo {
    fn send_batch(&mut self, cx: &mut Cx<'_>) {
        if self.batches_left == 0 {
            cx.hub().stop();
            return;
        }
        self.batches_left -= 1;
        for _ in 0..BATCH {
            // A batch fits the empty queue. A refused message would be missing in the count.
            let _ = cx.send(black_box(&[0x5a; PAYLOAD]));
        }
    }
}

impl Handler for Echo {
    /// The role, and the number of messages of the batch that have arrived.
    type Conn = (Role, usize);
    type Command = ();
    type Admitted = ();

    fn open(&mut self, cx: &mut Cx<'_>, opened: Opened<'_>) -> Self::Conn {
        if opened.role() == Role::Client {
            self.send_batch(cx);
        }
        (opened.role(), 0)
    }

    fn message(&mut self, (role, came): &mut Self::Conn, cx: &mut Cx<'_>, message: Message<'_>) {
        let Message::Binary(payload) = message else {
            return;
        };
        match role {
            Role::Server => drop(cx.send(payload)),
            Role::Client => *came += usize::from(payload.len() == PAYLOAD),
        }
    }

    fn batch_end(&mut self, (role, came): &mut Self::Conn, cx: &mut Cx<'_>) {
        if *role == Role::Client && *came == BATCH {
            self.came += std::mem::take(came);
            self.send_batch(cx);
        }
    }

    fn close(&mut self, _: Self::Conn, _: ConnId, _: Ended, _: Stats) {}
}

fn echo(batches: usize, run: fn(Echo) -> Result<Echo, tickwire::Error>) -> Option<usize> {
    let handler = Echo {
        batches_left: batches,
        came: 0,
    };
    run(handler).ok().map(|handler| handler.came)
}

fn loopback() -> std::net::SocketAddr {
    (std::net::Ipv4Addr::LOCALHOST, 0).into()
}

fn mio(handler: Echo) -> Result<Echo, tickwire::Error> {
    let mut reactor = Reactor::new(handler, ReactorOptions::default())?;
    let (addr, _) = reactor.listen(loopback())?;
    reactor.connect(&Outgoing::at(addr, "ws://localhost/")?)?;
    reactor.run()
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

fn tokio(handler: Echo) -> Result<Echo, tickwire::Error> {
    runtime()?.block_on(async {
        let mut reactor = TokioReactor::new(handler, ReactorOptions::default())?;
        let (addr, _) = reactor.listen(loopback())?;
        reactor.connect(&Outgoing::at(addr, "ws://localhost/")?)?;
        reactor.run().await
    })
}

/// A socket that returns the same bytes for a given number of reads, and accepts every write.
struct Wire {
    bytes: Vec<u8>,
    reads_left: usize,
    written_bytes: usize,
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // No bytes: the end of the stream.
        if self.reads_left > 0 {
            self.reads_left -= 1;
            buf.put_slice(&self.bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written_bytes += black_box(bytes).len();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = black_box(slices).iter().map(|slice| slice.len()).sum();
        self.written_bytes += len;
        Poll::Ready(Ok(len))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A server whose client sends this many batches.
fn websocket(batches: usize) -> Result<WebSocket<Wire>, tickwire::Error> {
    // A masked frame of RFC 6455 section 5.2: FIN and binary, mask bit and length, key, payload.
    let mut frame = vec![0x82, 0x80 | PAYLOAD as u8, 1, 2, 3, 4];
    frame.extend([0x5a; PAYLOAD]);
    let wire = Wire {
        bytes: frame.repeat(BATCH),
        reads_left: batches,
        written_bytes: 0,
    };
    WebSocket::from_parts(Parts::new(wire, Role::Server), Config::default())
}

fn batch(batches: usize) -> Option<usize> {
    runtime().ok()?.block_on(async {
        let mut websocket = websocket(batches).ok()?;
        let mut done = 0;
        // The stream ends without a closing handshake, which is an error. The count shows success.
        while let Ok(Some((messages, outbox))) = websocket.recv_batch().await {
            for message in messages {
                if let Message::Binary(payload) = message {
                    outbox.send(payload).ok()?;
                    done += 1;
                }
            }
        }
        let echoed = websocket.stream().written_bytes / (2 + PAYLOAD);
        (echoed >= done).then_some(done)
    })
}

fn owned(batches: usize) -> Option<usize> {
    runtime().ok()?.block_on(async {
        let mut websocket = websocket(batches).ok()?;
        let mut done = 0;
        while let Ok(Some(message)) = websocket.recv().await {
            black_box(&message);
            done += 1;
        }
        Some(done)
    })
}
