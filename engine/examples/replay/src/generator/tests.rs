use std::time::Duration;

use super::*;
use crate::tape::Kind;
use crate::tests::recording;
use crate::transcode::transcode;

/// What is compared of two tapes.
#[derive(Debug)]
struct Shape {
    seconds: f64,
    counts: [usize; 4],
    /// Bytes of all messages of each kind.
    bytes: [usize; 4],
    median_gap: Duration,
    /// Most messages in a second, and in a millisecond.
    bursts: [usize; 2],
}

const KINDS: [Kind; 4] = [Kind::Snapshot, Kind::BookTicker, Kind::Trade, Kind::Depth];

/// The recording's, as its README and the constants say.
const RECORDED: Shape = Shape {
    seconds: 346.06,
    counts: [1, 28_040, 9_757, 3_451],
    bytes: [64_046, 4_093_840, 1_643_279, 4_437_459],
    median_gap: Duration::from_nanos(633_700),
    // 1,362 is the most in one second of the clock; a window that slides finds more.
    bursts: [1_452, 161],
};

/// The recording's, transcoded to SBE: a level is 16 bytes in place of 32.
const RECORDED_SBE: Shape = Shape {
    bytes: [32_035, 1_850_640, 614_691, 2_157_990],
    ..RECORDED
};

impl Shape {
    fn of(tape: &Tape) -> Self {
        let bytes = |kind| {
            (0..tape.len())
                .filter(|&i| tape.kind(i) == kind)
                .map(|i| tape.payload(i).len())
                .sum()
        };
        Self {
            seconds: tape.duration().as_secs_f64(),
            counts: KINDS.map(|kind| tape.count(kind)),
            bytes: KINDS.map(bytes),
            median_gap: tape.median_gap(),
            bursts: [
                tape.burst(Duration::from_secs(1)),
                tape.burst(Duration::from_millis(1)),
            ],
        }
    }

    /// Fails with both where `self` is not within `part` of `other`.
    fn is_near(&self, other: &Self) {
        let near = |what: &str, ours: f64, theirs: f64, part: f64| {
            assert!(
                (ours - theirs).abs() <= theirs * part,
                "{what}: {ours} is not within {part} of {theirs}\n{self:?}\n{other:?}"
            );
        };
        near("seconds", self.seconds, other.seconds, 0.01);
        for (i, kind) in KINDS.iter().enumerate() {
            let [ours, theirs] = [self, other].map(|s| s.counts[i] as f64);
            near(&format!("count of {kind}"), ours, theirs, 0.05);
            let [ours, theirs] = [self, other].map(|s| s.bytes[i] as f64);
            near(&format!("bytes of {kind}"), ours, theirs, 0.10);
        }
        let [ours, theirs] = [self, other].map(|s| s.median_gap.as_secs_f64());
        near("median gap", ours, theirs, 0.20);
        for i in 0..2 {
            let [ours, theirs] = [self, other].map(|s| s.bursts[i] as f64);
            near("burst", ours, theirs, 0.10);
        }
    }
}

fn generated() -> Tape {
    generate(crate::SEED).expect("a tape")
}

#[test]
fn the_shape_is_the_documented_one() {
    Shape::of(&generated()).is_near(&RECORDED);
}

#[test]
fn the_shape_is_that_of_the_recording() {
    if let Some(tape) = recording() {
        let recorded = Shape::of(&tape);
        assert_eq!(tape.len(), 41_249);
        assert_eq!(recorded.counts, RECORDED.counts);
        assert_eq!(recorded.bytes, RECORDED.bytes);
        assert_eq!(recorded.bursts, RECORDED.bursts);
        Shape::of(&generated()).is_near(&recorded);
    }
}

#[test]
fn as_sbe_its_shape_is_that_of_the_recording_as_well() {
    let (sbe, _) = transcode(&crate::tests::generated(crate::SEED)).expect("SBE");
    Shape::of(&sbe).is_near(&RECORDED_SBE);
    if let Some(tape) = recording() {
        let (recorded, _) = transcode(&tape).expect("SBE");
        assert_eq!(Shape::of(&recorded).bytes, RECORDED_SBE.bytes);
    }
}

#[test]
fn one_seed_makes_one_tape() {
    assert_eq!(generate(7), generate(7));
    let [a, b] = [7, 8].map(|seed| generate(seed).expect("a tape"));
    assert_ne!(a, b);
    assert_ne!(a.running_hash(a.len() - 1), b.running_hash(b.len() - 1));
}

#[test]
fn messages_look_like_recorded_ones() {
    let tape = generated();
    let of = |kind| (0..tape.len()).find(|&i| tape.kind(i) == kind);
    for (kind, sizes) in [
        (Kind::BookTicker, 146..=146),
        (Kind::Trade, 168..=169),
        (Kind::Depth, 130..=34_600),
        (Kind::Snapshot, 63_900..=64_100),
    ] {
        let index = of(kind).expect("one of each");
        let payload = tape.payload(index);
        assert!(sizes.contains(&payload.len()), "{kind}: {}", payload.len());
        assert!(payload.starts_with(b"{\"") && payload.ends_with(b"}"));
    }
}

#[test]
fn quantiles_are_met_at_their_points_and_between() {
    let table: &Quantiles = &[(0.0, 1.0), (0.5, 100.0), (1.0, 1000.0)];
    for (p, v) in [(0.0, 1.0), (0.25, 10.0), (0.5, 100.0), (1.0, 1000.0)] {
        assert!((at(table, p) - v).abs() < 1e-9, "{p}");
    }
}
