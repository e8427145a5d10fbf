//! Views and builders allocate nothing, whatever the bytes say.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::alloc::System;
use std::hint::black_box;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tickwire_codecs::{Codec, Encode, Limits};
use tickwire_sbe_tests::{features, tick};

#[path = "it/fixtures.rs"]
#[expect(dead_code, reason = "the big-endian fixture is for the other tests")]
mod fixtures;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Messages per fixture, each with a few bytes changed.
const MUTATIONS: u64 = 20_000;

fn main() {
    for (name, bytes) in fixtures::features() {
        hostile::<features::AnyMessage>(name, &bytes, |m| walk_features(&m));
    }
    for (name, bytes) in fixtures::tick() {
        hostile::<tick::AnyMessage>(name, &bytes, |m| walk_tick(&m));
    }
    let mut out = vec![0; 4096];
    let bytes = fixtures::everything();
    let region = Region::new(ALLOCATOR);
    let view = features::Everything::view(&bytes, &Limits::FEED).unwrap();
    view.encode(&mut out).unwrap();
    let message = features::EverythingBuilder {
        root: fixtures::root(),
        symbol: "BTCUSDT".into(),
        ..Default::default()
    };
    message.encode(&mut out).unwrap();
    assert_eq!(region.change().allocations, 0, "encode");
}

fn hostile<C: Codec>(name: &str, bytes: &[u8], walk: impl Fn(C::View<'_>) -> usize) {
    let (mut accepted, mut sum) = (0, 0usize);
    let mut message = bytes.to_vec();
    // xorshift64: the same messages on every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let region = Region::new(ALLOCATOR);
    for _ in 0..MUTATIONS {
        message.copy_from_slice(bytes);
        for _ in 0..3 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let at = (state >> 8) as usize % message.len();
            message[at] = state as u8;
        }
        let length = message.len() - (state >> 60) as usize % message.len().min(4);
        if let Ok(view) = C::view(&message[..length], &Limits::BULK) {
            accepted += 1;
            sum = sum.wrapping_add(walk(view));
        }
    }
    black_box(sum);
    let allocations = region.change().allocations;
    assert_eq!(allocations, 0, "{name}");
    println!(
        "{name}: {MUTATIONS} mutated messages, {accepted} accepted, {allocations} allocations"
    );
    assert!(
        accepted > 0,
        "{name}: nothing was accepted, so nothing was walked"
    );
}

fn walk_features(message: &features::Message<'_>) -> usize {
    match message {
        features::Message::Everything(m) => {
            let mut sum = m.levels().iter().count() + m.legs().iter().count() + m.payload().len();
            for fill in m.fills() {
                sum += fill.memo().len()
                    + fill.parties().iter().map(|p| p.name().len()).sum::<usize>();
                sum += fill.notes().iter().map(|n| n.note().len()).sum::<usize>();
            }
            sum
        }
        other => other.wire().len(),
    }
}

fn walk_tick(message: &tick::Message<'_>) -> usize {
    match message {
        tick::Message::DepthDiff(m) => {
            let bids = m.bids().iter().filter(|l| l.price() > 0).count();
            bids + m.asks().iter().filter(|l| l.quantity() > 0).count()
        }
        other => other.wire().len(),
    }
}
