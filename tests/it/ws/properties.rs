//! Random streams and random operations, compared with the models.

use harness::{outbox, streams};
use proptest::prelude::*;
use tickwire::Role;
use tickwire::handshake::Url;

const ROLES: [Role; 2] = [Role::Client, Role::Server];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn valid_streams_match_the_model(seed: u64, cut: u64) {
        for role in ROLES {
            let sender = harness::frames::peer(role);
            streams::compare(role, &streams::random(sender, seed, 0), cut);
        }
    }

    #[test]
    fn invalid_streams_match_the_model(seed: u64, cut: u64, wrong in 1..20_usize) {
        for role in ROLES {
            let sender = harness::frames::peer(role);
            streams::compare(role, &streams::random(sender, seed, wrong), cut);
        }
    }

    #[test]
    fn random_bytes_match_the_model(bytes: Vec<u8>, cut: u64) {
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

    /// URLs that match the grammar.
    #[test]
    fn valid_urls_are_accepted_at_both_ends(
        url in "(ws|wss|WS|wSs)://([a-zA-Z0-9._~!$&'()*+,;=-]|%[0-9a-fA-F]{2}){1,20}(:(0{0,9}[1-9][0-9]{0,3})?)?(/([a-zA-Z0-9._~!$&'()*+,;=:@-]|%[0-9a-fA-F]{2}){0,8}){0,4}([?]([a-zA-Z0-9._~!$&'()*+,;=:@/?-]|%[0-9a-fA-F]{2}){0,8})?"
    ) {
        prop_assert!(Url::parse(&url).is_ok(), "{url}");
        harness::fuzz::handshake_url(url.as_bytes());
    }

    /// Strings that nearly match the grammar.
    #[test]
    fn nearly_valid_urls_are_treated_alike_at_both_ends(
        url in "ws://[a-z0-9.:@%\\[\\]vF!|^~-]{0,12}[/?#%]{0,2}[ -~]{0,12}"
    ) {
        harness::fuzz::handshake_url(url.as_bytes());
    }
}
