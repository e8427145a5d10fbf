//! Random streams and random operations against the models.

use harness::{outbox, streams};
use proptest::prelude::*;
use tickwire::Role;

const ROLES: [Role; 2] = [Role::Client, Role::Server];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn right_streams_tell_what_the_model_tells(seed: u64, cut: u64) {
        for role in ROLES {
            let sender = harness::frames::peer(role);
            streams::compare(role, &streams::random(sender, seed, 0), cut);
        }
    }

    #[test]
    fn wrong_streams_tell_what_the_model_tells(seed: u64, cut: u64, wrong in 1..20_usize) {
        for role in ROLES {
            let sender = harness::frames::peer(role);
            streams::compare(role, &streams::random(sender, seed, wrong), cut);
        }
    }

    #[test]
    fn garbage_tells_what_the_model_tells(bytes: Vec<u8>, cut: u64) {
        for role in ROLES {
            streams::compare(role, &bytes, cut);
        }
    }

    #[test]
    fn an_outbox_sends_what_it_accepted(ops in prop::collection::vec(any::<u8>(), 0..120)) {
        for role in ROLES {
            outbox::run(role, &ops, usize::MAX);
        }
    }
}
