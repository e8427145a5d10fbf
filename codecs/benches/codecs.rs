//! Nanoseconds a message: decode whole, fully checked, read every field. Each number is the mean over
//! 256 different messages of one kind, made by a generator, and over 2,048 recorded ones where the
//! recording is there (`TICKWIRE_DATA`; "depth36" is then of any number of levels); every format's answer is checked before it is timed.
//!
//! `cargo bench -p tickwire-codecs --bench codecs`

#[expect(
    clippy::mem_forget,
    unreachable_pub,
    reason = "wincode's derive forgets its own guards; the module is shared with a test"
)]
mod contenders;

use contenders::{
    Kind, Tape, add_order, add_order_total, add_orders, contenders, readings, recorded, tape,
    telemetry,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::{hint::black_box, time::Duration};

fn kinds(c: &mut Criterion) {
    compare(c, "", &tape());
    if let Some(recorded) = recorded() {
        compare(c, "recorded ", &recorded);
    }
}

fn compare(c: &mut Criterion, of: &str, tape: &Tape) {
    let all = contenders(tape);
    for kind in [Kind::Bbo, Kind::Trade, Kind::Depth36] {
        let mut group = c.benchmark_group(format!("{of}{}", kind.name()));
        for contender in all.iter().filter(|contender| contender.kind == kind) {
            let bytes: usize = contender.wires.iter().map(Vec::len).sum();
            eprintln!(
                "{}/{}: {} bytes",
                kind.name(),
                contender.name,
                bytes / contender.wires.len()
            );
            group.throughput(Throughput::Elements(1));
            let mut wires = contender.wires.iter().cycle();
            group.bench_function(contender.name, |b| {
                b.iter(|| (contender.decode)(black_box(wires.next().expect("a cycle"))));
            });
        }
        group.finish();
    }
}

fn alone(c: &mut Criterion) {
    let orders = add_orders();
    for (wire, n) in orders.iter().zip(0..) {
        assert_eq!(add_order(wire), add_order_total(n));
    }
    let mut wires = orders.iter().cycle();
    c.bench_function("itch/add order", |b| {
        b.iter(|| add_order(black_box(wires.next().expect("a cycle"))));
    });
    let batch = readings();
    let sum = (0..100u32)
        .map(|n| f64::from(n) * 1.5 + 1e6 + f64::from(n) * 3_000.0)
        .sum::<f64>();
    assert_eq!(telemetry(&batch), sum);
    c.bench_function("telemetry/100 readings", |b| {
        b.iter(|| telemetry(black_box(&batch)))
    });
}

criterion_group! {
    name = codecs;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(900))
        .sample_size(30);
    targets = alone, kinds
}
criterion_main!(codecs);
