//! One turn of a connection in memory: one read brings 64 masked messages, and all are echoed.
//! tickwire beside the Rust peers, each tuned as in `compare`. No kernel is involved, so that only
//! the libraries are timed. The written bytes are compared before anything is timed.
//!
//! ```sh
//! cargo bench -p tickwire-benches --bench turn
//! ```

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tickwire::{Config, Message, Parts, Role, WebSocket};
use tickwire_benches::peers;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Messages of one turn.
const BATCH: usize = 64;
/// Payload bytes.
const SIZES: [usize; 3] = [20, 128, 1024];
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The bytes written to a wire.
#[derive(Default)]
struct Written {
    bytes: AtomicUsize,
    kept: Mutex<Vec<u8>>,
    keeps: AtomicBool,
}

/// A socket in memory. In every turn it returns the same bytes once and is then pending. It accepts
/// every write.
struct Wire {
    bytes: Arc<[u8]>,
    at: usize,
    written: Arc<Written>,
}

impl Wire {
    fn take(&self, slices: &[io::IoSlice<'_>]) -> usize {
        let len = slices.iter().map(|slice| slice.len()).sum();
        self.written.bytes.fetch_add(len, Ordering::Relaxed);
        if self.written.keeps.load(Ordering::Relaxed) {
            let mut kept = self.written.kept.lock().expect("nobody panicked");
            slices
                .iter()
                .for_each(|slice| kept.extend_from_slice(slice));
        }
        len
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.at == self.bytes.len() {
            self.at = 0;
            return Poll::Pending;
        }
        let end = self.bytes.len().min(self.at + buf.remaining());
        buf.put_slice(&self.bytes[self.at..end]);
        self.at = end;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.take(&[io::IoSlice::new(bytes)])))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.take(slices)))
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

async fn tickwire(wire: Wire) -> anyhow::Result<()> {
    let parts = Parts::new(wire, Role::Server);
    let mut socket = WebSocket::from_parts(parts, Config::default())?;
    while let Some((messages, outbox)) = socket.recv_batch().await? {
        for message in messages {
            if let Message::Binary(payload) = message {
                outbox.send(payload)?;
            }
        }
    }
    Ok(())
}

/// A binary frame (RFC 6455 section 5.2): header and payload.
fn frame(payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let mask_bit = if key.is_some() { 0x80 } else { 0 };
    let mut frame = vec![0x82];
    match payload.len() {
        len @ 0..=125 => frame.push(mask_bit | len as u8),
        len => {
            frame.push(mask_bit | 126);
            frame.extend((len as u16).to_be_bytes());
        }
    }
    frame.extend(key.iter().flatten());
    let key = key.unwrap_or_default();
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(a, b)| a ^ b));
    frame
}

type Session = Pin<Box<dyn Future<Output = anyhow::Result<()>>>>;
/// The echo of one library over a wire.
type Echo = fn(Wire) -> Session;

const PEERS: [(&str, Echo); 8] = [
    ("tickwire", |wire| Box::pin(tickwire(wire))),
    ("sockudo-stream", |wire| {
        Box::pin(peers::sockudo_stream(wire))
    }),
    ("yawc", |wire| Box::pin(peers::yawc(wire))),
    ("tungstenite", |wire| Box::pin(peers::tungstenite(wire))),
    ("tokio-websockets", |wire| {
        Box::pin(peers::tokio_websockets(wire))
    }),
    ("fastwebsockets", |wire| {
        Box::pin(peers::fastwebsockets(wire))
    }),
    ("nexus-web", |wire| Box::pin(peers::nexus_web(wire))),
    ("nexus-async-web", |wire| {
        Box::pin(peers::nexus_async_web(wire))
    }),
];

/// Polls once: all answers of a batch must be written. No waker is needed, because the wire has new
/// bytes in the next turn.
fn turn(session: &mut Session, written: &Written, bytes: usize) -> usize {
    let before = written.bytes.load(Ordering::Relaxed);
    let mut cx = Context::from_waker(Waker::noop());
    // The check below also finds a peer that needs several polls.
    if let Poll::Ready(ended) = session.as_mut().poll(&mut cx) {
        panic!("the connection ended: {ended:?}");
    }
    let went_out = written.bytes.load(Ordering::Relaxed) - before;
    assert_eq!(went_out, bytes, "answers of one turn");
    went_out
}

fn turns(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    // Some peers create timers, which need a runtime; nothing runs on it.
    let _inside = runtime.enter();
    let mut group = c.benchmark_group("a turn: 64 messages read, echoed and written");
    for size in SIZES {
        let payloads: Vec<Vec<u8>> = (0..BATCH).map(|i| vec![i as u8; size]).collect();
        let sent: Vec<u8> = payloads.iter().flat_map(|p| frame(p, Some(KEY))).collect();
        let echoed: Vec<u8> = payloads.iter().flat_map(|p| frame(p, None)).collect();
        group.throughput(Throughput::ElementsAndBytes {
            elements: BATCH as u64,
            bytes: (BATCH * size) as u64,
        });
        for (name, echo) in PEERS {
            let written = Arc::new(Written::default());
            let mut session = echo(Wire {
                bytes: sent.clone().into(),
                at: 0,
                written: written.clone(),
            });
            written.keeps.store(true, Ordering::Relaxed);
            for _ in 0..3 {
                turn(&mut session, &written, echoed.len());
                let mut kept = written.kept.lock().expect("nobody panicked");
                assert_eq!(*kept, echoed, "{name} echoes {size} bytes");
                kept.clear();
            }
            written.keeps.store(false, Ordering::Relaxed);
            group.bench_function(BenchmarkId::new(name, size), |b| {
                b.iter(|| turn(&mut session, &written, echoed.len()));
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = turn_of_a_connection;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(1));
    targets = turns
}
criterion_main!(turn_of_a_connection);
