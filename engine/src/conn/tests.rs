use core::time::Duration;

use super::keepalive::{Due, Keepalive};
use super::replies::Payloads;
use crate::config::Config;
use crate::error::Deadline;
use crate::time::Timestamp;

const SECOND: u64 = 1_000_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp(seconds * SECOND)
}

fn config() -> Config {
    Config {
        ping_interval: Some(Duration::from_secs(20)),
        pong_timeout: Duration::from_secs(10),
        ..Config::default()
    }
}

fn pinged(due: Due) -> [u8; 8] {
    match due {
        Due::Ping(payload) => payload,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_ping_has_another_payload_and_only_its_own_pong_counts() {
    let config = config();
    let mut k = Keepalive::new(&config, u64::MAX, at(0));
    assert_eq!(k.handle_timeout(&config, at(19)), Due::Nothing);
    let first = pinged(k.handle_timeout(&config, at(20)));
    k.handle_read(at(21));
    k.handle_pong([0; 8], at(21));
    assert_eq!(k.rtt(), None, "somebody else's Pong");
    k.handle_pong(first, at(22));
    assert_eq!(k.rtt(), Some(Duration::from_secs(2)));
    k.handle_pong(first, at(23));
    assert_eq!(
        k.rtt(),
        Some(Duration::from_secs(2)),
        "an echo of the same Pong"
    );
    let second = pinged(k.handle_timeout(&config, at(40)));
    assert_ne!(first, second);
    k.handle_pong(first, at(41));
    assert_eq!(k.rtt(), Some(Duration::from_secs(2)), "a late one");
}

#[test]
fn silence_after_a_ping_fails_and_bytes_make_it_ask_again() {
    let config = config();
    let mut k = Keepalive::new(&config, 1, at(0));
    pinged(k.handle_timeout(&config, at(20)));
    assert_eq!(k.poll_timeout(&config), Some(at(30)));
    assert_eq!(k.handle_timeout(&config, at(29)), Due::Nothing);
    k.handle_read(at(29));
    let second = pinged(k.handle_timeout(&config, at(30)));
    assert_eq!(k.poll_timeout(&config), Some(at(40)));
    assert_eq!(k.handle_timeout(&config, at(40)), Due::Fail(Deadline::Pong));
    k.handle_pong(second, at(41));
    assert_eq!(k.rtt(), Some(Duration::from_secs(11)));
}

#[test]
fn without_intervals_nothing_is_due() {
    let config = Config {
        ping_interval: None,
        idle_timeout: None,
        ..Config::default()
    };
    let mut k = Keepalive::new(&config, 1, at(0));
    assert_eq!(k.poll_timeout(&config), None);
    assert_eq!(k.handle_timeout(&config, Timestamp(u64::MAX)), Due::Nothing);
}

#[test]
fn waiting_payloads_are_bounded_and_the_newest_is_among_them() {
    let mut p = Payloads::default();
    // Fewer under an interpreter, and still more than are kept.
    let pushed = if cfg!(miri) { 100_u32 } else { 1000 };
    for i in 0..pushed {
        let text = format!("{i}");
        p.push(text.as_bytes());
        assert!(p.iter().count() <= 16);
        assert_eq!(p.iter().last(), Some(text.as_bytes()));
    }
    assert_eq!(p.iter().next(), Some(&b"0"[..]));
    p.keep_newest();
    let left: Vec<&[u8]> = p.iter().collect();
    assert_eq!(left, [format!("{}", pushed - 1).as_bytes()]);
    p.push(b"");
    p.push(&[7; 125]);
    assert_eq!(p.iter().count(), 3);
    p.clear();
    p.keep_newest();
    assert!(p.is_empty() && p.iter().next().is_none());
}
