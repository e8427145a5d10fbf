//! Random histories of operations at two ends, over records that are delayed and held back. The
//! simulation compares every event with a simple model.

use harness::channels::{Op, Sim, setup};
use harness::rng::Rng;
use proptest::prelude::*;

use super::simulation::number;

/// An operation. Sends, reads and deliveries are more frequent than ends.
fn op() -> impl Strategy<Value = Op> {
    let end = 0..2_u8;
    let which = any::<u8>();
    prop_oneof![
        6 => end.clone().prop_map(Op::Poll),
        6 => (end.clone(), any::<u8>()).prop_map(|(e, n)| Op::Deliver(e, n)),
        1 => end.clone().prop_map(Op::Block),
        2 => any::<u8>().prop_map(Op::Pass),
        3 => (end.clone(), any::<u32>()).prop_map(|(e, seed)| Op::Open(e, seed)),
        3 => (end.clone(), which, any::<u8>()).prop_map(|(e, w, how)| Op::Answer(e, w, how)),
        14 => (end.clone(), which, any::<u8>(), size()).prop_map(|(e, w, h, s)| Op::Send(e, w, h, s)),
        6 => (end.clone(), which, any::<u8>()).prop_map(|(e, w, h)| Op::Release(e, w, h)),
        1 => (end.clone(), which).prop_map(|(e, w)| Op::Finish(e, w)),
        1 => (end.clone(), which, 0..4_u8).prop_map(|(e, w, kind)| match kind {
            0 => Op::Reset(e, w),
            1 => Op::Stop(e, w),
            _ => Op::LetGo(e, w),
        }),
        1 => (end.clone(), which).prop_map(|(e, w)| Op::Acknowledge(e, w)),
        1 => (end.clone(), which, any::<u16>()).prop_map(|(e, w, seq)| Op::Rebase(e, w, seq)),
        1 => end.prop_map(Op::Ping),
    ]
}

/// Prints the operations of a failure on one line.
#[derive(Clone)]
struct Ops(Vec<Op>);

impl std::fmt::Debug for Ops {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("vec![")?;
        for op in &self.0 {
            write!(f, "Op::{op:?}, ")?;
        }
        f.write_str("]")
    }
}

fn size() -> impl Strategy<Value = u16> {
    prop_oneof![
        2 => 0..3_u16,
        4 => 4..200_u16,
        2 => 200..1500_u16,
        1 => 1500..40_000_u16,
    ]
}

fn run(seed: u64, ops: &[Op]) {
    let mut rng = Rng::new(seed);
    let mut sim = Sim::new([setup::random(&mut rng), setup::random(&mut rng)]);
    // Most histories begin with some channels.
    for n in 0..rng.below(4) {
        sim.apply(Op::Open(n as u8, seed as u32 ^ n as u32));
    }
    for &op in ops {
        sim.apply(op);
    }
    sim.quiesce();
    sim.end_all();
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: number("TICKWIRE_CASES", 1000),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_histories(seed: u64, ops in prop::collection::vec(op(), 0..300).prop_map(Ops)) {
        run(seed, &ops.0);
    }
}

fn random_op(rng: &mut Rng) -> Op {
    let (e, w, h) = (rng.below(2) as u8, rng.u64() as u8, rng.u64() as u8);
    let sizes = [3, 200, 1500, 40_000];
    let most = sizes[rng.below(4)];
    let size = rng.below(most) as u16;
    match rng.below(46) {
        0..6 => Op::Poll(e),
        6..12 => Op::Deliver(e, h),
        12 => Op::Block(e),
        13..15 => Op::Pass(h),
        15..18 => Op::Open(e, rng.u64() as u32),
        18..21 => Op::Answer(e, w, h),
        21..35 => Op::Send(e, w, h, size),
        35..41 => Op::Release(e, w, h),
        41 => Op::Finish(e, w),
        42 => [Op::Reset(e, w), Op::Stop(e, w), Op::LetGo(e, w)][rng.below(3)],
        43 => Op::Acknowledge(e, w),
        44 => Op::Rebase(e, w, size),
        _ => Op::Ping(e),
    }
}

/// Histories that are too long for shrinking. `TICKWIRE_SEEDS` sets how many.
#[test]
fn long_histories() {
    for seed in 0..u64::from(number("TICKWIRE_SEEDS", 60)) {
        let mut rng = Rng::new(seed ^ 0xC0FFEE);
        let ops: Vec<Op> = (0..3000).map(|_| random_op(&mut rng)).collect();
        println!("seed {seed}");
        run(seed, &ops);
    }
}
