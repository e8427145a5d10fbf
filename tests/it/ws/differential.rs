//! Differential tests: this library, the model of the RFC, tungstenite and fastwebsockets read the
//! same streams. They agree, or the list of known disagreements gives the reason. No row of that
//! list is out of date.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use harness::streams;
use harness::votes::{KNOWN, Rival, compare, known, vote};
use proptest::prelude::*;
use tickwire::Role;

const ROLES: [(Role, &str); 2] = [(Role::Server, "server"), (Role::Client, "client")];

/// The streams of the seeds of a target, by name, without the eight bytes that precede each stream.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/seeds")
        .join(target);
    let read = |entry: Result<fs::DirEntry, _>| {
        let path = entry.expect("readable").path();
        let name = path
            .file_name()
            .expect("a file")
            .to_string_lossy()
            .into_owned();
        (name, fs::read(&path).expect("readable")[8..].to_vec())
    };
    fs::read_dir(dir)
        .expect("seeds are committed")
        .map(read)
        .collect()
}

#[test]
fn every_known_disagreement_has_a_seed() {
    let mut shown = BTreeSet::new();
    let row = |who: Rival, name: &str| format!("{who:?}: {name}");
    for (role, end) in ROLES {
        for (seed, stream) in seeds(&format!("votes_{end}")) {
            let votes = vote(role, &stream, 0);
            assert!(
                votes.is_empty() == seed.starts_with("agreed"),
                "{seed}, {role:?}: {votes:?}"
            );
            for (who, difference) in votes {
                let known = known(who, &difference)
                    .unwrap_or_else(|| panic!("{seed}, {role:?}, {who:?}: {difference:?}"));
                shown.insert(row(who, known.name));
            }
        }
    }
    let listed: BTreeSet<_> = KNOWN.iter().map(|k| row(k.who, k.name)).collect();
    assert_eq!(shown, listed, "shown by seeds, and listed");
    assert!(
        KNOWN
            .iter()
            .all(|k| k.why.starts_with(|c: char| c.is_ascii_digit()))
    );
}

#[test]
fn decoders_agree_on_the_frame_seeds() {
    for (role, end) in ROLES {
        for (seed, stream) in seeds(&format!("frames_{end}")) {
            println!("{seed}");
            compare(role, &stream, 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decoders_agree_on_valid_streams(seed: u64, cut: u64) {
        for (role, _) in ROLES {
            let sender = harness::frames::peer(role);
            compare(role, &streams::random(sender, seed, 0), cut);
        }
    }

    #[test]
    fn decoders_agree_on_invalid_streams(seed: u64, cut: u64, wrong in 1..20_usize) {
        for (role, _) in ROLES {
            let sender = harness::frames::peer(role);
            compare(role, &streams::random(sender, seed, wrong), cut);
        }
    }

    #[test]
    fn decoders_agree_on_random_bytes(bytes: Vec<u8>, cut: u64) {
        for (role, _) in ROLES {
            compare(role, &bytes, cut);
        }
    }
}
