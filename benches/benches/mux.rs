//! Channels in memory: a tick goes into a record, comes out at the other end, and its credit comes
//! back. Both ends are timed. Every answer is checked before it is timed.
//!
//! ```sh
//! cargo bench -p tickwire-benches --bench mux
//! ```
//!
//! The bench first prints the bytes of overhead per message.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tickwire::Timestamp;
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelId, Event, Mux, OpenOptions, SharedFrame,
};

/// Payload bytes of a tick.
const TICK: usize = 40;
/// Ticks sent before a record is made.
const BATCH: usize = 64;
const NOW: Timestamp = Timestamp(0);

/// The two ends of a connection in memory.
struct Pair {
    client: Mux,
    server: Mux,
    /// The client's channels.
    channels: Vec<ChannelId>,
}

/// Moves all output of `from` to `to`. Returns the number of messages and the sum of their first
/// bytes.
fn carry(from: &mut Mux, to: &mut Mux) -> (usize, usize) {
    let (mut messages, mut sum) = (0, 0);
    while from.wants_write() {
        let Some(record) = from.poll_record(NOW) else {
            break;
        };
        let mut incoming = to.receive(record.as_slice(), NOW);
        while let Some(event) = to.next(&mut incoming) {
            match event {
                Event::Message(message) => {
                    messages += 1;
                    sum += usize::from(message.data[0]);
                    to.release(message.channel, message.charge);
                }
                Event::Run(run) => {
                    messages += run.count();
                    sum += run.iter().map(|m| usize::from(m[0])).sum::<usize>();
                    to.release(run.channel, run.charge);
                }
                Event::Open(opening) => {
                    let accepted = to.accept(opening.channel, AcceptOptions::new());
                    assert_eq!(accepted, Ok(()));
                }
                Event::Failed(failure) => panic!("{failure}"),
                _ => {}
            }
        }
    }
    (messages, sum)
}

impl Pair {
    fn new(channels: usize) -> Self {
        let config = ChannelConfig::default()
            .channels_max(1 << 17)
            .aliases_max(1 << 17)
            .pending_opens_max(1 << 17)
            .shared_aliases(16);
        let new = |s: &ChannelConfig| Mux::new(s.clone(), NOW).expect("limits that work");
        let mut pair = Self {
            client: new(&config),
            server: new(&config),
            channels: Vec::new(),
        };
        for i in 0..channels {
            let options = OpenOptions::new("ticks");
            let options = if i == 5 { options.alias(5) } else { options };
            pair.channels.push(pair.client.open(options).expect("room"));
        }
        while pair.client.wants_write() || pair.server.wants_write() {
            carry(&mut pair.client, &mut pair.server);
            carry(&mut pair.server, &mut pair.client);
        }
        pair
    }

    fn turn(&mut self) -> (usize, usize) {
        let got = carry(&mut self.client, &mut self.server);
        carry(&mut self.server, &mut self.client);
        got
    }
}

/// Ticks with different first bytes.
fn ticks() -> Vec<[u8; TICK]> {
    (0..BATCH).map(|i| [i as u8; TICK]).collect()
}

fn expected() -> (usize, usize) {
    (BATCH, (0..BATCH).sum())
}

/// Bytes per message beyond the payload, WebSocket's header included.
fn overhead() {
    let header = |len: usize| if len <= 125 { 2.0 } else { 4.0 };
    let mut pair = Pair::new(1100);
    println!("bytes of overhead per 40-byte message, server to client, WebSocket header included:");
    for (name, channel, batch, run) in [
        ("alone, channel 5", 5, 1, false),
        ("batch of 20, channel 5", 5, 20, false),
        ("batch of 20, channel 1000", 1000, 20, false),
        ("RUN of 20, channel 5", 5, 20, true),
    ] {
        let id = pair.channels[channel];
        if run {
            let ticks = [7_u8; TICK * 20];
            assert_eq!(pair.client.send_run_bytes(id, TICK, &ticks), Ok(()));
        } else {
            for _ in 0..batch {
                assert_eq!(pair.client.send(id, [7; TICK]), Ok(()));
            }
        }
        let record = pair.client.poll_record(NOW).expect("queued");
        let bytes = record.as_slice().len() - TICK * batch;
        let each = (bytes as f64 + header(record.as_slice().len())) / batch as f64;
        println!("  {name}: {each:.2}");
        let record = record.as_slice().to_vec();
        let mut incoming = pair.server.receive(&record, NOW);
        let mut came = 0;
        while let Some(event) = pair.server.next(&mut incoming) {
            match event {
                Event::Message(m) => {
                    came += 1;
                    pair.server.release(m.channel, m.charge);
                }
                Event::Run(run) => {
                    came += run.count();
                    pair.server.release(run.channel, run.charge);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(came, batch);
    }
}

fn tick(c: &mut Criterion) {
    overhead();
    let ticks = ticks();
    let mut group = c.benchmark_group("40-byte tick into a record of 64 and out, credit back");
    group.throughput(Throughput::Elements(BATCH as u64));
    for channels in [1, 16, 256, 4096] {
        let mut pair = Pair::new(channels);
        let mut at = 0;
        let mut spread = |pair: &mut Pair| {
            for tick in &ticks {
                at = (at + 7) % channels;
                let sent = pair.client.send(pair.channels[at], tick);
                assert_eq!(sent, Ok(()));
            }
            pair.turn()
        };
        assert_eq!(spread(&mut pair), expected());
        group.bench_function(BenchmarkId::new("channels", channels), |b| {
            b.iter(|| black_box(spread(&mut pair)));
        });
    }
    let mut pair = Pair::new(8);
    let id = pair.channels[5];
    let mut claimed = || {
        for tick in &ticks {
            if let Ok(mut claim) = pair.client.claim(id, TICK) {
                claim.copy_from_slice(tick);
                claim.commit();
            }
        }
        pair.turn()
    };
    assert_eq!(claimed(), expected());
    group.bench_function("claimed", |b| b.iter(|| black_box(claimed())));

    let mut pair = Pair::new(8);
    let frames: Vec<SharedFrame> = ticks
        .iter()
        .map(|tick| SharedFrame::new(5, tick).expect("a small alias"))
        .collect();
    let mut shared = || {
        for frame in &frames {
            assert_eq!(pair.client.send_shared(id, frame), Ok(()));
        }
        pair.turn()
    };
    assert_eq!(shared(), expected());
    group.bench_function("encoded once", |b| b.iter(|| black_box(shared())));

    let mut pair = Pair::new(8);
    let run: Vec<u8> = ticks.concat();
    let mut runs = || {
        assert_eq!(pair.client.send_run_bytes(id, TICK, &run), Ok(()));
        pair.turn()
    };
    assert_eq!(runs(), expected());
    group.bench_function("RUN", |b| b.iter(|| black_box(runs())));

    let mut pair = Pair::new(8);
    let mut queued = || {
        pair.client.handle_backpressure();
        for tick in &ticks {
            assert_eq!(pair.client.send(id, tick), Ok(()));
        }
        pair.turn()
    };
    assert_eq!(queued(), expected());
    group.bench_function("queued first", |b| b.iter(|| black_box(queued())));
    group.finish();
}

/// A channel's life: OPEN, ACCEPT, a message, FIN both ways.
fn life(c: &mut Criterion) {
    let mut group = c.benchmark_group("a channel's life");
    group.throughput(Throughput::Elements(1));
    let mut pair = Pair::new(1);
    let mut live = || {
        let id = pair.client.open(OpenOptions::new("order")).expect("room");
        assert_eq!(pair.client.send(id, b"new order"), Ok(()));
        assert_eq!(pair.client.finish_sending(id), Ok(()));
        let mut theirs = None;
        while let Some(record) = pair.client.poll_record(NOW) {
            let mut incoming = pair.server.receive(record.as_slice(), NOW);
            while let Some(event) = pair.server.next(&mut incoming) {
                match event {
                    Event::Open(opening) => {
                        theirs = Some(opening.channel);
                        let accepted = pair.server.accept(opening.channel, AcceptOptions::new());
                        assert_eq!(accepted, Ok(()));
                    }
                    Event::Message(m) => pair.server.release(m.channel, m.charge),
                    _ => {}
                }
            }
        }
        let theirs = theirs.expect("offered");
        assert_eq!(pair.server.finish_sending(theirs), Ok(()));
        carry(&mut pair.server, &mut pair.client);
        pair.client
            .close_channel(id, tickwire::channels::ErrorCode::NO_ERROR);
        pair.server
            .close_channel(theirs, tickwire::channels::ErrorCode::NO_ERROR);
        carry(&mut pair.client, &mut pair.server);
        pair.client.stats().channels + pair.server.stats().channels
    };
    for _ in 0..10_000 {
        assert_eq!(live(), 2, "one channel, at both ends");
    }
    group.bench_function("open, accept, message, finish", |b| {
        b.iter(|| black_box(live()))
    });
    group.finish();
}

criterion_group! {
    name = mux;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(500))
        .measurement_time(std::time::Duration::from_secs(2));
    targets = tick, life
}
criterion_main!(mux);
