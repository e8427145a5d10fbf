//! Masking keys of a client (RFC 6455 sections 5.3 and 10.3).

use std::collections::BTreeSet;

use harness::drive::{Driven, Mode, config};
use tickwire::sans_io::{Entropy, Session};
use tickwire::{Config, Delivery, Role, Timestamp};

/// The masking keys of the frames that a client sends.
fn keys(seed: u8) -> Vec<[u8; 4]> {
    let now = Timestamp(1);
    let (entropy, config) = (Entropy([seed; 32]), Config::default());
    let mut session =
        Session::new(Role::Client, config, entropy, &[], now).expect("limits that work");
    let mut wire = Vec::new();
    for _ in 0..300 {
        session.outbox().send(b"x").expect("room");
    }
    while session.wants_write() {
        let sent = session.transmit().flatten().copied().collect::<Vec<u8>>();
        session.handle_written(sent.len(), now);
        wire.extend(sent);
    }
    let oracle = harness::drive::legal(Role::Client, &wire);
    oracle.frames.iter().map(|frame| frame.key).collect()
}

#[test]
fn a_client_uses_a_new_key_for_every_frame() {
    let (one, other) = (keys(1), keys(2));
    assert_eq!(one.len(), 300);
    let all: BTreeSet<_> = one.iter().chain(&other).collect();
    // Two of 600 random keys are equal in one of 24,000 such tests. The seeds are fixed.
    assert_eq!(all.len(), 600, "a key was used twice");
    assert!(!all.contains(&[0; 4]));
}

#[test]
fn a_server_does_not_mask() {
    let mut driven = Driven::new(Role::Server, &config(Delivery::Whole), Mode::PLAIN);
    driven.session().outbox().send(b"x").expect("room");
    driven.flush();
    assert_eq!(driven.sent, [0x82, 1, b'x']);
}
