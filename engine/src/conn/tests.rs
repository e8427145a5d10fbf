mod ahead;
mod texts;

use alloc::vec::Vec;
use core::time::Duration;

use super::Outbox;
use super::inbox::Inbox;
use super::keepalive::{Due, Keepalive, OutputStatus};
use super::replies::Payloads;
use crate::buf::BufPool;
use crate::config::Config;
use crate::error::Deadline;
use crate::role::Role;
use crate::time::Timestamp;

/// No byte is queued.
const IDLE: OutputStatus = OutputStatus {
    pending: false,
    ping_pending: false,
};

const SECOND: u64 = 1_000_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp(seconds * SECOND)
}

fn config() -> Config {
    Config::default()
        .ping_interval(Some(Duration::from_secs(20)))
        .pong_timeout(Duration::from_secs(10))
}

fn ping_payload(due: Due) -> [u8; 8] {
    match due {
        Due::Ping(payload) => payload,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_ping_has_its_own_payload_and_only_its_pong_matches() {
    let config = config();
    let mut k = Keepalive::new(&config, u64::MAX, at(0));
    assert_eq!(k.handle_timeout(&config, IDLE, at(19)), Due::Nothing);
    let first = ping_payload(k.handle_timeout(&config, IDLE, at(20)));
    k.handle_read(at(21));
    k.handle_pong([0; 8], at(21));
    assert_eq!(k.rtt(), None, "a Pong with another payload");
    k.handle_pong(first, at(22));
    assert_eq!(k.rtt(), Some(Duration::from_secs(2)));
    k.handle_pong(first, at(23));
    assert_eq!(k.rtt(), Some(Duration::from_secs(2)), "the same Pong again");
    let second = ping_payload(k.handle_timeout(&config, IDLE, at(40)));
    assert_ne!(first, second);
    k.handle_pong(first, at(41));
    assert_eq!(
        k.rtt(),
        Some(Duration::from_secs(2)),
        "a Pong for an earlier Ping"
    );
}

#[test]
fn silence_after_a_ping_fails_and_received_bytes_cause_another_ping() {
    let config = config();
    let mut k = Keepalive::new(&config, 1, at(0));
    ping_payload(k.handle_timeout(&config, IDLE, at(20)));
    assert_eq!(k.poll_timeout(&config), Some(at(30)));
    assert_eq!(k.handle_timeout(&config, IDLE, at(29)), Due::Nothing);
    k.handle_read(at(29));
    let second = ping_payload(k.handle_timeout(&config, IDLE, at(30)));
    assert_eq!(k.poll_timeout(&config), Some(at(40)));
    assert_eq!(
        k.handle_timeout(&config, IDLE, at(40)),
        Due::Fail(Deadline::Pong)
    );
    k.handle_pong(second, at(41));
    assert_eq!(k.rtt(), Some(Duration::from_secs(11)));
}

#[test]
fn a_queued_ping_gets_the_full_timeout_once_it_is_sent() {
    let config = config();
    let busy = OutputStatus {
        pending: true,
        ping_pending: false,
    };
    let queued = OutputStatus {
        ping_pending: true,
        ..busy
    };
    let mut k = Keepalive::new(&config, 1, at(0));
    ping_payload(k.handle_timeout(&config, busy, at(20)));
    assert_eq!(k.handle_timeout(&config, queued, at(30)), Due::Nothing);
    assert_eq!(k.handle_timeout(&config, queued, at(40)), Due::Nothing);
    // Sent between 40 and 50.
    assert_eq!(k.handle_timeout(&config, busy, at(50)), Due::Nothing);
    assert_eq!(k.poll_timeout(&config), Some(at(60)));
    assert_eq!(
        k.handle_timeout(&config, busy, at(60)),
        Due::Fail(Deadline::Pong)
    );

    // Sent before its first deadline.
    let mut k = Keepalive::new(&config, 1, at(0));
    ping_payload(k.handle_timeout(&config, busy, at(20)));
    assert_eq!(k.handle_timeout(&config, IDLE, at(30)), Due::Nothing);
    assert_eq!(
        k.handle_timeout(&config, IDLE, at(40)),
        Due::Fail(Deadline::Pong)
    );
}

#[test]
fn no_deadline_without_intervals() {
    let config = Config::default().ping_interval(None).idle_timeout(None);
    let mut k = Keepalive::new(&config, 1, at(0));
    assert_eq!(k.poll_timeout(&config), None);
    assert_eq!(
        k.handle_timeout(&config, IDLE, Timestamp(u64::MAX)),
        Due::Nothing
    );
}

#[test]
fn pending_payloads_are_bounded_and_keep_the_newest() {
    let mut p = Payloads::default();
    // Fewer under Miri, but more than are kept.
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

/// The end of a large fragmented message and the first fragment of the next one arrive in one read;
/// then the peer stops.
#[test]
fn an_open_message_does_not_keep_the_memory_of_the_previous_one() {
    const PART_BYTES: usize = 1000;
    let mut pool = BufPool::default();
    let mut inbox = Inbox::new(&Role::Client.into(), Config::default(), &[]);
    let mut read = |inbox: &mut Inbox, frames: &[(u8, usize)]| {
        inbox.attach(&mut pool);
        let mut bytes = Vec::new();
        for &(first, len) in frames {
            bytes.extend_from_slice(&[first, 126]);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
            bytes.resize(bytes.len() + len, 7);
        }
        inbox.space()[..bytes.len()].copy_from_slice(&bytes);
        inbox.filled(bytes.len());
        let mut lent = Vec::new();
        while !inbox.wants_read() {
            lent.extend(inbox.batch().map(|m| m.unwrap().data().unwrap().len()));
        }
        inbox.detach(&mut pool);
        lent
    };
    assert!(read(&mut inbox, &[(0x02, PART_BYTES)]).is_empty());
    for _ in 0..300 {
        assert!(read(&mut inbox, &[(0x00, PART_BYTES)]).is_empty());
    }
    assert!(inbox.assembly_capacity() >= 301 * PART_BYTES);
    let lent = read(&mut inbox, &[(0x80, PART_BYTES), (0x02, 130)]);
    assert_eq!(lent, [302 * PART_BYTES]);
    let kept = inbox.assembly_capacity();
    assert!((130..=8 * 4096).contains(&kept), "{kept}");
    assert_eq!(read(&mut inbox, &[(0x80, 200)]), [330]);
}

/// A refused sender is notified when half of the queue is free, or when the refused message fits if
/// it needs more.
#[test]
fn the_queue_drains_to_half_or_to_space_for_the_refused_message() {
    for (refused, drained_at) in [(3000, 5000), (8000, 10_000 - 8000 - 14)] {
        let config = Config::default().send_queue_bytes_max(10_000);
        let mut outbox = Outbox::new(config, None);
        outbox.send([0; 8996]).unwrap();
        assert_eq!(outbox.queued_bytes(), 9000);
        assert!(!outbox.take_drained(), "no send was refused");
        outbox.send(vec![0; refused]).unwrap_err();
        outbox.handle_written(9000 - drained_at - 1);
        assert!(!outbox.take_drained(), "{refused}");
        outbox.handle_written(1);
        assert_eq!(
            (outbox.queued_bytes(), outbox.take_drained()),
            (drained_at, true)
        );
        assert!(!outbox.take_drained(), "it is reported once");
    }
}

/// A newer control frame replaces an encoded one of its kind of which no byte is written.
#[test]
fn a_newer_ping_replaces_an_unwritten_one() {
    let mut outbox = Outbox::new(Config::default(), None);
    outbox.ping(b"old").unwrap();
    let first: Vec<u8> = outbox.transmit().flatten().copied().collect();
    assert_eq!(first, b"\x89\x03old");
    outbox.handle_written(0);
    outbox.ping(b"newer").unwrap();
    let second: Vec<u8> = outbox.transmit().flatten().copied().collect();
    assert_eq!(second, b"\x89\x05newer");
    // A partly written Ping is completed, and the next one follows.
    outbox.handle_written(1);
    outbox.ping(b"last").unwrap();
    let mut rest: Vec<u8> = outbox.transmit().flatten().copied().collect();
    assert_eq!(rest, b"\x05newer");
    outbox.handle_written(rest.len());
    rest = outbox.transmit().flatten().copied().collect();
    assert_eq!(rest, b"\x89\x04last");
}
