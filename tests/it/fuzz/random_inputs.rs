//! The bodies of the fuzz targets of channels, with random bytes: `cargo test` finds what a fuzzer
//! would find in its first minute.

use harness::frames_mux::{MAX62, Put, flag, topic};
use harness::fuzz_mux;
use harness::rng::Rng;

const RUNS: u64 = if cfg!(debug_assertions) {
    10_000
} else {
    100_000
};

fn each_seed(run: fn(&[u8]), bytes: fn(&mut Rng) -> Vec<u8>) {
    for seed in 0..RUNS {
        let data = bytes(&mut Rng::new(seed));
        let caught = std::panic::catch_unwind(|| run(&data));
        assert!(caught.is_ok(), "seed {seed}");
    }
}

#[test]
fn two_ends_never_report_a_violation() {
    each_seed(fuzz_mux::ops, |rng| {
        let len = 2 * rng.below(300);
        rng.bytes(len)
    });
}

/// A frame that is valid by itself.
fn frame(rng: &mut Rng, put: Put) -> Put {
    let alias = rng.below(5) as u64;
    let few = rng.below(9) as u64;
    let number = [few, 1000 * few, 30_000, 1 << 20, MAX62][rng.below(5)];
    let len = rng.below(40) * rng.below(40);
    let payload = vec![7; len];
    match rng.below(22) {
        0..=4 => put.data(0, alias, &payload),
        5 => put.data(flag::MORE, alias, &payload),
        6 => put.data(flag::FIN, alias, &payload[..len.min(few as usize)]),
        7 => put.data_skip(0, alias, number.max(1), b"skipped"),
        8 => put.run(alias, few + 1, 8, &[3; 72][..8 * (few as usize + 1)]),
        9 => put.credit(alias, number),
        10 => put.narrow(alias, number),
        11 => put.blocked(alias, number),
        12 => put.give_back(alias, number),
        13..=15 => put.open(
            alias,
            (rng.u64() as u8) & 0xEF,
            number,
            number,
            &topic(b"x"),
        ),
        16 => put.accept(few & 1, alias, number, number, &[]),
        17 => put.reject(few & 1, few),
        18 => put.reset((1 + (rng.u64() as u8) % 3) << 4, alias, few),
        19 => put.seq(alias, few, number),
        20 => [put.clone().ping(few), put.pong(few)][rng.below(2)].clone(),
        _ if rng.one_in(20) => put.goaway(few, few * 8, "bye"),
        _ => put.raw(&[0]),
    }
}

/// Frames that are valid by themselves, in any order and in any state.
#[test]
fn valid_frames_in_any_order_do_no_harm() {
    each_seed(fuzz_mux::records, |rng| {
        let mut data = vec![rng.u64() as u8 | 2];
        for _ in 0..rng.below(40) {
            let mut put = Put::new();
            for _ in 0..=rng.below(3) {
                put = frame(rng, put);
            }
            let record = &put.0[..put.0.len().min(4000)];
            let head = (record.len() as u16) | ((rng.u64() as u16) & 0x7000);
            data.extend(head.to_le_bytes());
            data.extend(record);
        }
        data
    });
}

#[test]
fn any_hello_and_any_option_do_no_harm() {
    each_seed(fuzz_mux::hello_open, |rng| {
        let mut hello = Vec::new();
        for _ in 0..rng.below(5) {
            let len = 1 + rng.below(4);
            hello.extend([(rng.below(12) << 2) as u8, (len << 2) as u8]);
            hello.extend((0..len).map(|_| rng.u64() as u8));
        }
        let mut data = vec![hello.len() as u8];
        data.extend(hello);
        data.extend([rng.u64() as u8, rng.u64() as u8 & 0xEF, 0]);
        for _ in 0..rng.below(4) {
            let len = rng.below(6);
            data.extend([(rng.below(10) << 2) as u8, (len << 2) as u8]);
            data.extend((0..len).map(|_| (rng.u64() as u8) & 0xFC));
        }
        data
    });
}
