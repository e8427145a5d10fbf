//! Counts allocations over hostile input: a view makes none, whatever the bytes say, and a bincode
//! value never takes more than its collections' bound and its type allow.

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use tickwire_codecs::framing::{ByteOrder, LengthField};
use tickwire_codecs::{
    Batch, Codec, DecodeError, Limits,
    bincode::{
        Engine, Fix, Var,
        wincode::{fix, var},
    },
    cbor::Cbor,
    itch::{Itch50, ItchFile, MoldRequest, MoldUdp64, SoupBinTcp},
    mqtt::{Mqtt5, Mqtt311},
    msgpack::Msgpack,
    telemetry::Telemetry,
};

#[path = "../benches/contenders/mod.rs"]
#[expect(
    clippy::mem_forget,
    unreachable_pub,
    reason = "wincode's derive forgets its own guards; the module is shared with the benchmark"
)]
mod contenders;

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes of a seeded generator (xorshift64*), so that a failure repeats.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// Runs `decode` over noise and over damaged copies of the seeds; gives the most bytes one call
/// allocated, and how many inputs were accepted.
fn worst(seeds: &[&[u8]], mut decode: impl FnMut(&[u8]) -> bool) -> (usize, usize) {
    let mut noise = Noise(0x7469_636b_7769_7265);
    let mut buffer = vec![0u8; 256];
    let (mut most, mut accepted) = (0, 0);
    for round in 0..60_000 {
        let len = if round % 2 == 0 || seeds.is_empty() {
            let len = noise.next() as usize % buffer.len();
            buffer[..len]
                .iter_mut()
                .for_each(|byte| *byte = noise.next() as u8);
            len
        } else {
            let seed = seeds[noise.next() as usize % seeds.len()];
            buffer[..seed.len()].copy_from_slice(seed);
            for _ in 0..=noise.next() % 3 {
                let at = noise.next() as usize % seed.len();
                buffer[at] = [0xff, 0x7f, 0x80, noise.next() as u8][noise.next() as usize % 4];
            }
            seed.len() - noise.next() as usize % 4 % seed.len()
        };
        let region = Region::new(GLOBAL);
        accepted += usize::from(decode(&buffer[..len]));
        most = most.max(region.change().bytes_allocated);
    }
    (most, accepted)
}

fn view<C: Codec>(name: &str, seeds: &[&[u8]]) {
    let (most, accepted) = worst(seeds, |bytes| C::view(bytes, &Limits::BULK).is_ok());
    println!("{name}: {accepted} of 60000 accepted, {most} bytes allocated at most");
    assert_eq!(most, 0, "{name} allocated");
    assert!(accepted > 0, "{name} accepted nothing: the seeds are wrong");
}

type Sample = (u64, Vec<u64>, String, Vec<Vec<u16>>);

/// Bound of a collection's elements for `Limits::DEVICE` (4 KiB): 64 KiB. bincode adds up what leaves
/// take, so that collections of numbers share it; wincode holds each collection to it alone, and one
/// value here has three that can be open at once.
const BOUND_BYTES: usize = 64 * 1024;

/// Allocations per message of every format on the benchmark's messages, generated and recorded.
fn count_contenders() {
    count(&contenders::tape());
    if let Some(recorded) = contenders::recorded() {
        count(&recorded);
    }
}

fn count(tape: &contenders::Tape) {
    for contender in contenders::contenders(tape) {
        let region = Region::new(GLOBAL);
        let total = contender
            .wires
            .iter()
            .fold(0, |all, wire| all ^ (contender.decode)(wire));
        let made = region.change().allocations;
        std::hint::black_box(total);
        let each = made as f64 / contender.wires.len() as f64;
        println!(
            "{:8} {:18} {each:6.2} allocations a message",
            contender.kind.name(),
            contender.name
        );
        if contender.name.starts_with("tickwire") {
            assert_eq!(made, 0, "{} allocates", contender.name);
        }
    }
}

/// The two formats that have no rival in the benchmark.
fn count_alone() {
    let (orders, batch) = (contenders::add_orders(), contenders::readings());
    let region = Region::new(GLOBAL);
    for (wire, n) in orders.iter().zip(0..) {
        assert_eq!(contenders::add_order(wire), contenders::add_order_total(n));
    }
    std::hint::black_box(contenders::telemetry(&batch));
    assert_eq!(region.change().allocations, 0);
}

/// Views of every format.
fn views() {
    let mut add = [0; 36];
    add[0] = b'A';
    view::<Itch50>("itch", &[&add]);
    view::<MoldUdp64>(
        "mold",
        &[b"SESSION001\0\0\0\0\0\0\0\x01\0\x02\0\x01a\0\x02bc"],
    );
    view::<MoldRequest>("mold request", &[b"SESSION001\0\0\0\0\0\0\0\x01\0\x02"]);
    view::<SoupBinTcp>(
        "soup",
        &[
            b"Sabc",
            b"JA",
            b"Ltradersecret                             115000",
            b"A     SESS1                  42",
        ],
    );
    view::<Telemetry>(
        "telemetry",
        &[&[
            1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0,
        ]],
    );
    view::<Msgpack>(
        "msgpack",
        &[
            b"\x82\xa1a\x93\x01\x02\xc0\xa1b\xc4\x02hi",
            b"\x91\x91\x91\x81\xa1k\xcb12345678",
            b"\x93\xa2\xc3(\xd6\xff1234\xc7\x0c\xff\0\0\0\x0112345678",
        ],
    );
    view::<Mqtt5>(
        "mqtt",
        &[
            b"\x32\x0d\x00\x03a/b\x00\x0a\x03\x23\x00\x07xy",
            b"\x82\x0f\x00\x0a\x00\x00\x03a/b\x01\x00\x03c/d\x02",
        ],
    );
    view::<Mqtt311>(
        "mqtt 3.1.1",
        &[
            b"\x32\x09\x00\x03a/b\x00\x0axy",
            b"\x82\x0e\x00\x0a\x00\x03a/b\x01\x00\x03c/d\x02",
        ],
    );
    view::<Cbor>(
        "cbor",
        &[
            b"\xa2aa\x83\x01\x02\xf6abBhi",
            b"\x9f\xbfak\x9f\xffak\xfb12345678\xff\xff",
            b"\x84\x7fab`bcd\xff\x5fAa\xff\xc2I123456789b\xc3(",
            b"\x82\xc0\x742013-03-21T20:04:00Z\xc1\xfb\x41\xd4\x52\xd9\xec\x20\0\0",
        ],
    );
    let (most, _) = worst(&[b"\0\x0cS\0\0\0\0\0\0\0\0\0\0O\0\0"], |bytes| {
        Batch::new(bytes, ItchFile, &Limits::BULK)
            .views::<Itch50>()
            .any(|view| view.is_ok())
            | Batch::new(bytes, LengthField::u16(ByteOrder::Little), &Limits::BULK)
                .any(|frame| frame.is_ok())
    });
    assert_eq!(most, 0, "a batch allocated");
}

/// Values of both bincode engines.
fn engines() {
    let sample: Sample = (7, vec![1, 2, 300], "text".into(), vec![vec![1], vec![2, 3]]);
    let mut fixed = vec![0; Fix::encoded_len(&sample).expect("a value that encodes")];
    Fix::encode(&sample, &mut fixed).expect("a value that encodes");
    let mut small = vec![0; Var::encoded_len(&sample).expect("a value that encodes")];
    Var::encode(&sample, &mut small).expect("a value that encodes");
    let limits = &Limits::DEVICE;
    for (name, bound, (most, accepted)) in [
        (
            "bincode fix",
            BOUND_BYTES,
            worst(&[&fixed], |b| Fix::decode::<Sample>(b, limits).is_ok()),
        ),
        (
            "bincode var",
            BOUND_BYTES,
            worst(&[&small], |b| Var::decode::<Sample>(b, limits).is_ok()),
        ),
        (
            "wincode fix",
            3 * BOUND_BYTES,
            worst(&[&fixed], |b| fix::decode::<Sample>(b, limits).is_ok()),
        ),
        (
            "wincode var",
            3 * BOUND_BYTES,
            worst(&[&small], |b| var::decode::<Sample>(b, limits).is_ok()),
        ),
    ] {
        println!("{name}: {accepted} of 60000 accepted, {most} bytes allocated at most");
        assert!(most <= bound, "{name} allocated {most} bytes");
        assert!(accepted > 0, "{name} accepted nothing");
    }
}

/// Elements that are a byte on the wire and wide in memory: what bounds the whole value is the
/// message's length, a byte for an element at least; not the bound of a collection.
fn wide_elements() {
    type Wide = Option<[u64; 65]>;
    let value: Vec<Vec<Wide>> = vec![vec![None; 60]; 60];
    let mut wire = vec![0; Var::encoded_len(&value).expect("a value that encodes")];
    Var::encode(&value, &mut wire).expect("a value that encodes");
    let limits = &Limits::DEVICE;
    assert!(limits.check_msg(wire.len()).is_ok());
    for (name, decode) in [
        (
            "bincode var",
            (|b, l| Var::decode(b, l)) as fn(&[u8], &Limits) -> Result<Vec<Vec<Wide>>, DecodeError>,
        ),
        ("wincode var", |b, l| var::decode(b, l)),
    ] {
        let region = Region::new(GLOBAL);
        let decoded = decode(&wire, limits);
        let taken = region.change().bytes_allocated;
        assert!(decoded.is_ok_and(|it| it == value), "{name}");
        println!(
            "{name}: {} bytes of wide elements, {taken} bytes allocated",
            wire.len()
        );
        assert!(
            taken > BOUND_BYTES,
            "{name}: each collection has a bound of its own"
        );
        assert!(
            taken <= wire.len() * size_of::<Wide>(),
            "{name} allocated {taken} bytes"
        );
        // One collection above the bound is refused before anything is taken for it.
        let one = vec![vec![Wide::None; BOUND_BYTES / size_of::<Wide>() + 1]];
        let mut wire = vec![0; Var::encoded_len(&one).expect("a value that encodes")];
        Var::encode(&one, &mut wire).expect("a value that encodes");
        let region = Region::new(GLOBAL);
        assert!(
            matches!(decode(&wire, limits), Err(DecodeError::Limit { .. })),
            "{name}"
        );
        assert!(
            region.change().bytes_allocated < size_of::<Wide>(),
            "{name}"
        );
    }
}

fn main() {
    count_alone();
    count_contenders();
    views();
    engines();
    wide_elements();
}
