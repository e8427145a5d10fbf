//! The protocol core in memory, beside the fastest Rust peer's: decoding what one read brought,
//! encoding what one write takes. Every answer is checked before it is timed.
//!
//! ```sh
//! cargo bench -p tickwire-benches --bench core
//! ```

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sockudo_ws::frame::encode_frame;
use sockudo_ws::protocol::Protocol;
use sockudo_ws::{OpCode, RawMessage};
use tickwire::{BufPool, Entropy, Message, Role, Session, Settings, Timestamp};

/// Messages of one read or write.
const BATCH: usize = 64;
/// Payload bytes.
const SIZES: [usize; 3] = [20, 128, 1024];
const NOW: Timestamp = Timestamp(0);

fn session(role: Role) -> Session {
    Session::new(role, Settings::default(), Entropy([7; 32]), &[], NOW)
}

/// A batch of different masked messages, as a client sends it.
fn wire(size: usize) -> Vec<u8> {
    let mut client = session(Role::Client);
    for i in 0..BATCH {
        let sent = client.outbox().send(&vec![i as u8; size]);
        assert_eq!(sent, Ok(()), "a batch fits the queue");
    }
    client.transmit().flatten().copied().collect()
}

/// Sum of lengths and first bytes: cheap, and wrong as soon as a message is.
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
    server.settle(NOW);
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

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode, masked, a batch of 64");
    for size in SIZES {
        let wire = wire(size);
        let expected = (0..BATCH).map(|i| size + i).sum::<usize>();
        group.throughput(Throughput::Elements(BATCH as u64));
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

fn encode(c: &mut Criterion) {
    for (role, key) in [(Role::Server, None), (Role::Client, Some([1, 2, 3, 4]))] {
        let mut group = c.benchmark_group(format!("encode, {role:?}, a batch of 64"));
        for size in SIZES {
            let payload = vec![0x5a; size];
            group.throughput(Throughput::Elements(BATCH as u64));
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
            // Its mask key is the caller's: a constant here, which costs it nothing.
            group.bench_function(BenchmarkId::new("sockudo-ws", size), |b| {
                b.iter(|| sockudo_encodes(&mut output, black_box(&payload), key));
            });
        }
        group.finish();
    }
}

criterion_group!(core, decode, encode);
criterion_main!(core);
