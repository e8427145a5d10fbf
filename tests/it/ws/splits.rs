//! A stream gives the same events, however it is cut into reads, and however the application takes
//! the messages.

use harness::corpus::{self, Stream};
use harness::drive::{Mode, config, rules, transcript};
use harness::event::Event;
use harness::frames::peer;
use harness::oracle::Oracle;
use harness::rng::Rng;
use tickwire::{Config, Delivery, Role};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

fn each(run: impl Fn(Role, &Config, Mode)) {
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Parts] {
            for mode in Mode::all() {
                run(role, &config(delivery), mode);
            }
        }
    }
}

fn expected(role: Role, config: &Config, stream: &Stream) -> Vec<Event> {
    let events = Oracle::transcript(rules(role, config), &stream.bytes);
    assert!(!events.is_empty(), "{}: says nothing", stream.name);
    let fails = events.iter().any(|e| matches!(e, Event::Fail(_)));
    assert!(!fails, "{}: the model refuses it: {events:?}", stream.name);
    events
}

#[test]
fn short_streams_in_one_and_in_two_reads() {
    each(|role, config, mode| {
        for stream in corpus::short(peer(role)) {
            let expected = expected(role, config, &stream);
            for at in 0..=stream.bytes.len() {
                let told = transcript(role, config, mode, &stream.bytes, [at]);
                assert_eq!(told, expected, "{} cut at {at}, {mode:?}", stream.name);
            }
        }
    });
}

#[test]
fn short_streams_in_three_reads() {
    let mode = Mode::PLAIN;
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Parts] {
            let config = config(delivery);
            for stream in corpus::short(peer(role)) {
                let expected = expected(role, &config, &stream);
                let len = stream.bytes.len().min(60);
                for at in 0..=len {
                    for then in 0..=len - at {
                        let told = transcript(role, &config, mode, &stream.bytes, [at, then]);
                        assert_eq!(told, expected, "{} cut at {at}+{then}", stream.name);
                    }
                }
            }
        }
    }
}

#[test]
fn short_streams_byte_by_byte() {
    each(|role, config, mode| {
        for stream in corpus::short(peer(role)) {
            let expected = expected(role, config, &stream);
            let cuts = std::iter::repeat(1);
            let told = transcript(role, config, mode, &stream.bytes, cuts);
            assert_eq!(told, expected, "{} byte by byte, {mode:?}", stream.name);
        }
    });
}

#[test]
fn long_streams_in_random_reads() {
    each(|role, config, mode| {
        for (seed, stream) in corpus::sizes(peer(role)).iter().enumerate() {
            let expected = expected(role, config, stream);
            for scale in [7, 900, 5000, 70_000] {
                let mut rng = Rng::new(seed as u64 * 31 + scale as u64);
                let cuts = std::iter::repeat_with(|| 1 + rng.below(scale));
                let told = transcript(role, config, mode, &stream.bytes, cuts);
                assert!(told == expected, "{} cut by {scale}, {mode:?}", stream.name);
            }
        }
    });
}

#[test]
fn long_streams_cut_around_every_header() {
    for role in ROLES {
        let config = config(Delivery::Whole);
        for stream in corpus::sizes(peer(role)).iter().take(10) {
            let expected = expected(role, &config, stream);
            let len = stream.bytes.len();
            for at in (0..40).chain(len - 20..len) {
                let told = transcript(role, &config, Mode::PLAIN, &stream.bytes, [at]);
                assert!(told == expected, "{} cut at {at}", stream.name);
            }
        }
    }
}
