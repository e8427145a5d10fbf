//! Ours, the model from the RFC, tungstenite and fastwebsockets on the same streams: they agree,
//! or the list of known disagreements says why, and no row of that list is out of date.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use harness::streams;
use harness::votes::{KNOWN, Rival, compare, known, vote};
use proptest::prelude::*;
use tickwire::Role;

const ROLES: [(Role, &str); 2] = [(Role::Server, "server"), (Role::Client, "client")];

/// The streams of a target's seeds, without the eight bytes before each, by name.
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
fn every_known_disagreement_is_shown_by_a_seed() {
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
fn votes_on_the_seeds_of_frames() {
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
    fn votes_on_right_streams(seed: u64, cut: u64) {
        for (role, _) in ROLES {
            let sender = harness::frames::peer(role);
            compare(role, &streams::random(sender, seed, 0), cut);
        }
    }

    #[test]
    fn votes_on_wrong_streams(seed: u64, cut: u64, wrong in 1..20_usize) {
        for (role, _) in ROLES {
            let sender = harness::frames::peer(role);
            compare(role, &streams::random(sender, seed, wrong), cut);
        }
    }

    #[test]
    fn votes_on_garbage(bytes: Vec<u8>, cut: u64) {
        for (role, _) in ROLES {
            compare(role, &bytes, cut);
        }
    }
}
