//! The protocol core in memory, beside those of the two fastest Rust peers: decoding of one read
//! (for large messages that is mostly unmasking), UTF-8 checks, encoding for one write. Every
//! answer is checked before it is timed.
//!
//! ```sh
//! cargo bench -p tickwire-benches --bench core
//! ```

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nexus_web::ws::{FrameReader, FrameWriter, Message as NexusMessage, Role as NexusRole};
use sockudo_ws::frame::encode_frame;
use sockudo_ws::protocol::Protocol;
use sockudo_ws::{OpCode, RawMessage};
use tickwire::sans_io::{BufPool, Entropy, Session};
use tickwire::{Config, Message, Role, Timestamp};

/// Messages of one write.
const BATCH: usize = 64;
/// Payload bytes.
const SIZES: [usize; 3] = [20, 128, 1024];
/// Payload bytes of large messages, where unmasking is nearly all of the work.
const DECODED_SIZES: [usize; 6] = [16, 20, 128, 1024, 16 * 1024, 64 * 1024];
/// Most bytes of one read, with headers: it must fit the receive buffer.
const READ_BYTES_MAX: usize = 128 * 1024;
/// Bytes of a text.
const TEXT_BYTES: usize = 16 * 1024;
const NOW: Timestamp = Timestamp(0);

fn session(role: Role) -> Session {
    Session::new(role, Config::default(), Entropy([7; 32]), &[], NOW).expect("limits that work")
}

/// Messages of this size in one read.
fn batch(size: usize) -> usize {
    BATCH.min(READ_BYTES_MAX / size - 1)
}

/// A batch of distinct masked messages, as a client sends them.
fn wire(size: usize) -> Vec<u8> {
    let mut client = session(Role::Client);
    for i in 0..batch(size) {
        let sent = client.outbox().send(vec![i as u8; size]);
        assert_eq!(sent, Ok(()), "a batch fits the queue");
    }
    client.transmit().flatten().copied().collect()
}

/// Sum of lengths and first bytes: cheap, and different as soon as a message is wrong.
fn digest(sum: usize, payload: &[u8]) -> usize {
    sum + payload.len() + usize::from(payload[0])
}

fn tickwire_decodes(server: &mut Session, pool: &mut BufPool, wire: &[u8]) -> usize {
    server.attach(pool);
    server.space()[..wire.len()].copy_from_slice(wire);
    server.handle_read(wire.len(), NOW);
    let mut sum = 0;
    let (batch, _) = server.receive();
    for message in batch {
        if let Ok(Message::Binary(payload)) = message {
            sum = digest(sum, payload);
        }
    }
    server.queue_replies(NOW);
    server.detach(pool);
    sum
}

fn sockudo_decodes(
    server: &mut Protocol,
    input: &mut BytesMut,
    messages: &mut Vec<RawMessage>,
    wire: &[u8],
) -> usize {
    input.extend_from_slice(wire);
    let parsed = server.process_raw_into(input, messages);
    assert!(parsed.is_ok(), "the batch is valid");
    messages.drain(..).fold(0, |sum, message| match message {
        RawMessage::Binary(payload) => digest(sum, &payload),
        _ => sum,
    })
}

fn nexus_reader(role: NexusRole) -> FrameReader {
    FrameReader::builder().role(role).build()
}

fn nexus_decodes(server: &mut FrameReader, wire: &[u8]) -> usize {
    assert!(server.read(wire).is_ok(), "the batch fits the buffer");
    let mut sum = 0;
    while let Some(message) = server.next().expect("the batch is valid") {
        if let NexusMessage::Binary(payload) = message {
            sum = digest(sum, payload);
        }
    }
    sum
}

fn throughput(messages: usize, payload_bytes: usize) -> Throughput {
    Throughput::ElementsAndBytes {
        elements: messages as u64,
        bytes: (messages * payload_bytes) as u64,
    }
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode, masked, what one read brought");
    for size in DECODED_SIZES {
        let wire = wire(size);
        let expected = (0..batch(size)).map(|i| size + i).sum::<usize>();
        group.throughput(throughput(batch(size), size));
        let (mut server, mut pool) = (session(Role::Server), BufPool::new(256 * 1024, 64 * 1024));
        assert_eq!(tickwire_decodes(&mut server, &mut pool, &wire), expected);
        group.bench_function(BenchmarkId::new("tickwire", size), |b| {
            b.iter(|| tickwire_decodes(&mut server, &mut pool, black_box(&wire)));
        });
        let mut server = Protocol::new(sockudo_ws::Role::Server, 1 << 20, 1 << 20);
        let (mut input, mut messages) = (BytesMut::new(), Vec::new());
        assert_eq!(
            sockudo_decodes(&mut server, &mut input, &mut messages, &wire),
            expected
        );
        group.bench_function(BenchmarkId::new("sockudo-ws", size), |b| {
            b.iter(|| sockudo_decodes(&mut server, &mut input, &mut messages, black_box(&wire)));
        });
        let mut server = nexus_reader(NexusRole::Server);
        assert_eq!(nexus_decodes(&mut server, &wire), expected);
        group.bench_function(BenchmarkId::new("nexus-web", size), |b| {
            b.iter(|| nexus_decodes(&mut server, black_box(&wire)));
        });
    }
    group.finish();
}

/// Texts: one of ASCII only, one with code points of all lengths.
fn texts() -> [(&'static str, String); 2] {
    let mixed = "x\u{e9}\u{20ac}\u{1f4c8}ticker";
    [
        ("ASCII", "x".repeat(TEXT_BYTES)),
        ("mixed", mixed.repeat(TEXT_BYTES / mixed.len())),
    ]
}

/// The length of the one text in `wire`.
fn tickwire_reads_text(client: &mut Session, pool: &mut BufPool, wire: &[u8]) -> usize {
    client.attach(pool);
    client.space()[..wire.len()].copy_from_slice(wire);
    client.handle_read(wire.len(), NOW);
    let mut len = 0;
    let (batch, _) = client.receive();
    for message in batch {
        if let Ok(Message::Text(text)) = message {
            len += black_box(text).len();
        }
    }
    client.queue_replies(NOW);
    client.detach(pool);
    len
}

fn sockudo_reads_text(client: &mut Protocol, input: &mut BytesMut, wire: &[u8]) -> usize {
    input.extend_from_slice(wire);
    let messages = client.process(input).expect("the text is valid");
    // The peer has checked the bytes already; its `as_text` would check them again.
    let len = |message: &sockudo_ws::Message| match message {
        sockudo_ws::Message::Text(text) => black_box(text).len(),
        _ => 0,
    };
    messages.iter().map(len).sum()
}

fn nexus_reads_text(client: &mut FrameReader, wire: &[u8]) -> usize {
    assert!(client.read(wire).is_ok(), "the text fits the buffer");
    match client.next().expect("the text is valid") {
        Some(NexusMessage::Text(text)) => black_box(text).len(),
        _ => 0,
    }
}

/// A whole text message, not masked, so that the check is most of the work; beside the check alone.
fn text(c: &mut Criterion) {
    let mut group = c.benchmark_group("a text of 16 KiB");
    group.throughput(throughput(1, TEXT_BYTES));
    for (name, text) in texts() {
        let mut sender = session(Role::Server);
        assert_eq!(sender.outbox().send_text(&text), Ok(()));
        let wire: Vec<u8> = sender.transmit().flatten().copied().collect();
        let (mut client, mut pool) = (session(Role::Client), BufPool::new(64 * 1024, 64 * 1024));
        assert_eq!(
            tickwire_reads_text(&mut client, &mut pool, &wire),
            TEXT_BYTES
        );
        group.bench_function(BenchmarkId::new("tickwire", name), |b| {
            b.iter(|| tickwire_reads_text(&mut client, &mut pool, black_box(&wire)));
        });
        let mut client = Protocol::new(sockudo_ws::Role::Client, 1 << 20, 1 << 20);
        let mut input = BytesMut::new();
        assert_eq!(
            sockudo_reads_text(&mut client, &mut input, &wire),
            TEXT_BYTES
        );
        group.bench_function(BenchmarkId::new("sockudo-ws", name), |b| {
            b.iter(|| sockudo_reads_text(&mut client, &mut input, black_box(&wire)));
        });
        let mut client = nexus_reader(NexusRole::Client);
        assert_eq!(nexus_reads_text(&mut client, &wire), TEXT_BYTES);
        group.bench_function(BenchmarkId::new("nexus-web", name), |b| {
            b.iter(|| nexus_reads_text(&mut client, black_box(&wire)));
        });
        group.bench_function(BenchmarkId::new("core::str::from_utf8 alone", name), |b| {
            b.iter(|| std::str::from_utf8(black_box(text.as_bytes())).is_ok());
        });
    }
    group.finish();
}

/// The unmasking functions of the peers, on a buffer in cache, beside a copy of the buffer.
/// tickwire unmasks in the decoder: see the group above.
fn unmask(c: &mut Criterion) {
    let mut group = c.benchmark_group("unmask alone");
    for size in DECODED_SIZES {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let (mut data, mut copy) = (vec![0x5a; size], vec![0; size]);
        group.throughput(throughput(1, size));
        group.bench_function(BenchmarkId::new("memcpy", size), |b| {
            b.iter(|| copy.copy_from_slice(black_box(&data)));
        });
        for apply_mask in [sockudo_ws::simd::apply_mask, nexus_web::ws::apply_mask] {
            data.fill(0x5a);
            apply_mask(&mut data, key);
            assert_eq!(data[..4], key.map(|byte| byte ^ 0x5a));
        }
        group.bench_function(BenchmarkId::new("sockudo-ws", size), |b| {
            b.iter(|| sockudo_ws::simd::apply_mask(black_box(&mut data), key));
        });
        group.bench_function(BenchmarkId::new("nexus-web", size), |b| {
            b.iter(|| nexus_web::ws::apply_mask(black_box(&mut data), key));
        });
    }
    group.finish();
}

fn tickwire_encodes(sender: &mut Session, pool: &mut BufPool, payload: &[u8]) -> usize {
    sender.attach(pool);
    for _ in 0..BATCH {
        let sent = sender.outbox().send(payload);
        debug_assert_eq!(sent, Ok(()));
    }
    let queued = black_box(sender.transmit()).map(<[u8]>::len).sum();
    sender.handle_written(queued, NOW);
    sender.detach(pool);
    queued
}

fn sockudo_encodes(output: &mut BytesMut, payload: &[u8], mask: Option<[u8; 4]>) -> usize {
    output.clear();
    for _ in 0..BATCH {
        encode_frame(output, OpCode::Binary, payload, true, mask);
    }
    black_box(&output).len()
}

/// `output` has room for the batch.
fn nexus_encodes(sender: &mut FrameWriter, output: &mut [u8], payload: &[u8]) -> usize {
    let mut end = 0;
    for _ in 0..BATCH {
        end += sender.encode_binary(payload, &mut output[end..]);
    }
    black_box(&output[..end]).len()
}

fn encode(c: &mut Criterion) {
    for (role, key) in [(Role::Server, None), (Role::Client, Some([1, 2, 3, 4]))] {
        let mut group = c.benchmark_group(format!("encode, {role:?}, a batch of 64"));
        for size in SIZES {
            let payload = vec![0x5a; size];
            group.throughput(throughput(BATCH, size));
            let (mut sender, mut pool) = (session(role), BufPool::new(64 * 1024, 128 * 1024));
            let mut output = BytesMut::new();
            let ours = tickwire_encodes(&mut sender, &mut pool, &payload);
            assert_eq!(
                ours,
                sockudo_encodes(&mut output, &payload, key),
                "the same bytes"
            );
            group.bench_function(BenchmarkId::new("tickwire", size), |b| {
                b.iter(|| tickwire_encodes(&mut sender, &mut pool, black_box(&payload)));
            });
            // The caller passes the mask key: a constant here, which costs sockudo-ws nothing.
            group.bench_function(BenchmarkId::new("sockudo-ws", size), |b| {
                b.iter(|| sockudo_encodes(&mut output, black_box(&payload), key));
            });
            let mut sender = FrameWriter::new(match role {
                Role::Server => NexusRole::Server,
                Role::Client => NexusRole::Client,
            });
            let mut output = vec![0; BATCH * sender.max_encoded_len(size)];
            assert_eq!(ours, nexus_encodes(&mut sender, &mut output, &payload));
            group.bench_function(BenchmarkId::new("nexus-web", size), |b| {
                b.iter(|| nexus_encodes(&mut sender, &mut output, black_box(&payload)));
            });
        }
        group.finish();
    }
}

criterion_group!(core, decode, unmask, text, encode);
criterion_main!(core);
