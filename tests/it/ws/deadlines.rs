//! Deadlines: a slow, silent or vanished peer is detected at the nanosecond of its deadline, on a
//! fake clock.

use std::time::Duration;

use harness::event::Event;
use harness::frames::Frame;
use harness::wire::{Faults, Pair};
use tickwire::sans_io::{Entropy, Session, Shutdown};
use tickwire::{CloseCode, Config, Deadline, End, Failure, Role, Timestamp};

const MS: u64 = 1_000_000;
/// The time at which a pair begins.
const START: u64 = 1_000;
const DELAY: u64 = 7 * MS;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn build(config: Config) -> Config {
    config
}

fn quiet() -> Config {
    Config::default().ping_interval(None)
}

fn pair(client: Config, server: Config) -> Pair {
    let faults = [Faults::delay(DELAY); 2];
    Pair::new(1, [&build(client), &build(server)], faults)
}

fn failed(deadline: Deadline) -> End {
    End::Failed(Failure::Deadline(deadline))
}

#[test]
fn the_round_trip_time_is_measured() {
    let pings = Config::default().ping_interval(Some(ms(100)));
    let mut pair = pair(pings, quiet());
    pair.run_until(START + 100 * MS);
    assert_eq!(pair.ends[0].session.rtt(), None);
    pair.run_until(START + 100 * MS + 2 * DELAY - 1);
    assert_eq!(pair.ends[0].session.rtt(), None);
    pair.run_until(START + 100 * MS + 2 * DELAY);
    assert_eq!(
        pair.ends[0].session.rtt(),
        Some(Duration::from_nanos(2 * DELAY))
    );
    pair.run_until(START + 1000 * MS);
    let pings = |e: &&Event| matches!(e, Event::Ping(_));
    assert_eq!(pair.ends[1].told.events.iter().filter(pings).count(), 9);
    assert_eq!(pair.ends[1].session.rtt(), None, "it does not ask");
    assert!(pair.ends.iter().all(|e| e.ended.is_none()));
}

#[test]
fn a_vanished_peer_is_detected_by_the_pong_deadline() {
    let pings = Config::default()
        .ping_interval(Some(ms(100)))
        .pong_timeout(ms(40))
        .close_timeout(ms(30));
    let mut pair = pair(pings, quiet());
    pair.vanish(1);
    pair.run_until(START + 10_000 * MS);
    let end = &pair.ends[0];
    assert_eq!(end.ended, Some((START + 140 * MS, failed(Deadline::Pong))));
    assert_eq!(
        end.closed,
        Some(START + 170 * MS),
        "and nothing answers the Close"
    );
    assert_eq!(end.session.poll_timeout(), None, "nothing left to wait for");
}

#[test]
fn a_peer_that_sends_data_but_no_pong_is_alive() {
    // The peer may answer only the newest of two Pings (RFC 6455 section 5.5.3), and a Ping of the
    // application replaces the queued Ping of the keepalive. Either way the keepalive gets no Pong.
    let pings = Config::default()
        .ping_interval(Some(ms(100)))
        .pong_timeout(ms(40));
    let mut pair = pair(pings, quiet());
    pair.run_until(START + 100 * MS - 1);
    pair.now += 1;
    let session = &mut pair.ends[0].session;
    session.handle_timeout(tickwire::Timestamp(pair.now));
    session.outbox().ping(b"ours").expect("open");
    pair.run_until(START + 100 * MS + 2 * DELAY);
    assert_eq!(
        pair.ends[0].session.rtt(),
        None,
        "only the newest was answered"
    );
    pair.run_until(START + 140 * MS + 2 * DELAY);
    let rtt = Some(Duration::from_nanos(2 * DELAY));
    assert_eq!(pair.ends[0].session.rtt(), rtt, "it was asked again");
    pair.run_until(START + 5_000 * MS);
    assert_eq!(pair.ends[0].ended, None, "alive");

    pair.vanish(1);
    pair.run_until(START + 10_000 * MS);
    let (_, how) = pair.ends[0].ended.expect("found");
    assert_eq!(how, failed(Deadline::Pong));
}

#[test]
fn a_peer_that_goes_silent_is_detected_one_pong_timeout_after_its_last_byte() {
    let pings = Config::default()
        .ping_interval(Some(ms(100)))
        .pong_timeout(ms(40));
    let mut pair = pair(pings, quiet());
    // A message is on its way when the Ping is sent. Nothing follows it.
    pair.run_until(START + 95 * MS);
    pair.ends[1]
        .session
        .outbox()
        .send(b"last words")
        .expect("open");
    pair.run_until(START + 95 * MS);
    pair.ends[1].vanished = true;
    pair.run_until(START + 10_000 * MS);
    let (at, how) = pair.ends[0].ended.expect("found");
    assert_eq!(how, failed(Deadline::Pong));
    assert_eq!(at, START + 180 * MS);
}

#[test]
fn silence_is_detected_by_the_idle_deadline() {
    let idle = quiet().idle_timeout(Some(ms(50))).close_timeout(ms(30));
    let mut pair = pair(quiet(), idle);
    pair.run_until(START + 20 * MS);
    pair.ends[0].session.outbox().send(b"tick").expect("open");
    pair.run_until(START + 10_000 * MS);
    let heard = START + 20 * MS + DELAY;
    let (server, client) = (&pair.ends[1], &pair.ends[0]);
    assert_eq!(
        server.ended,
        Some((heard + 50 * MS, failed(Deadline::Idle)))
    );
    let code = Some(CloseCode::GOING_AWAY);
    let told = End::Closed {
        code,
        by_peer: true,
    };
    assert_eq!(
        client.ended,
        Some((heard + 50 * MS + DELAY, told)),
        "the peer is told"
    );
    assert_eq!(server.session.shutdown(), Shutdown::Close);
}

#[test]
fn keepalive_of_one_end_keeps_the_other_from_idling() {
    let pings = Config::default().ping_interval(Some(ms(30)));
    let idle = quiet().idle_timeout(Some(ms(50)));
    let mut pair = pair(pings, idle);
    pair.run_until(START + 5_000 * MS);
    assert!(pair.ends.iter().all(|e| e.ended.is_none()));
}

#[test]
fn a_peer_that_does_not_read_is_detected_by_the_write_deadline() {
    let config = quiet().write_timeout(ms(60));
    let mut faults = [Faults::delay(DELAY); 2];
    faults[0].capacity = 1000;
    let mut pair = Pair::new(1, [&build(config), &build(quiet())], faults);
    pair.run_until(START + 10 * MS);
    pair.vanish(1);
    pair.ends[0].session.outbox().send([1; 5000]).expect("room");
    pair.run_until(START + 10_000 * MS);
    let end = &pair.ends[0];
    assert_eq!(end.ended, Some((START + 70 * MS, failed(Deadline::Write))));
    assert_eq!(end.closed, Some(START + 70 * MS), "nothing left to say");
    assert_eq!(end.session.poll_timeout(), None, "nothing left to wait for");
}

#[test]
fn slow_progress_extends_the_write_deadline() {
    let config = quiet().write_timeout(ms(60));
    // 100 bytes each 14 ms, or so.
    let mut faults = [Faults::delay(DELAY); 2];
    faults[0].capacity = 100;
    let mut pair = Pair::new(1, [&build(config), &build(quiet())], faults);
    pair.ends[0].session.outbox().send([1; 5000]).expect("room");
    pair.run_until(START + 10_000 * MS);
    assert_eq!(pair.ends[0].ended, None);
    assert_eq!(pair.ends[1].told.events, [Event::binary(&[1; 5000])]);
}

/// The Ping waits behind the rest of a message for ten times the Pong timeout.
#[test]
fn the_pong_timeout_starts_when_the_ping_is_sent() {
    let config = Config::default()
        .write_timeout(ms(60))
        .ping_interval(Some(ms(100)))
        .pong_timeout(ms(40));
    // 100 bytes each 14 ms, or so.
    let mut faults = [Faults::delay(DELAY); 2];
    faults[0].capacity = 100;
    let mut pair = Pair::new(1, [&build(config), &build(quiet())], faults);
    let data = &[1; 5000];
    pair.ends[0].session.outbox().send(data).expect("room");
    pair.run_until(START + 10_000 * MS);
    assert_eq!(pair.ends[0].ended, None);
    assert_eq!(pair.ends[1].told.events[0], Event::binary(data));
    let rtt = Some(Duration::from_nanos(2 * DELAY));
    assert_eq!(pair.ends[0].session.rtt(), rtt, "of the Pings behind it");

    // The peer does not answer, and is detected as usual.
    pair.vanish(1);
    pair.run_until(START + 10_250 * MS);
    let (_, how) = pair.ends[0].ended.expect("found");
    assert_eq!(how, failed(Deadline::Pong));
}

#[test]
fn an_unanswered_close_ends_by_its_deadline() {
    let config = quiet().close_timeout(ms(80));
    for i in 0..2 {
        let mut pair = pair(config.clone(), config.clone());
        pair.run_until(START + 10 * MS);
        pair.vanish(1 - i);
        pair.ends[i]
            .session
            .outbox()
            .close(CloseCode::NORMAL, "")
            .expect("allowed");
        pair.run_until(START + 10_000 * MS);
        let end = &pair.ends[i];
        assert_eq!(end.ended, Some((START + 90 * MS, failed(Deadline::Close))));
        assert_eq!(end.closed, Some(START + 90 * MS));
        assert_eq!(end.session.poll_timeout(), None, "nothing left to wait for");
    }
}

#[test]
fn a_client_closes_the_stream_after_the_close_deadline() {
    let config = quiet().close_timeout(ms(80));
    let mut pair = pair(config, quiet());
    pair.ends[0]
        .session
        .outbox()
        .close(CloseCode::NORMAL, "")
        .expect("allowed");
    pair.run_until(START + DELAY);
    assert!(pair.ends[1].closed.is_some(), "the server has answered");
    pair.hold_end(1);
    pair.run_until(START + 10_000 * MS);
    let code = Some(CloseCode::NORMAL);
    let closed = End::Closed {
        code,
        by_peer: false,
    };
    assert_eq!(pair.ends[0].ended, Some((START + 2 * DELAY, closed)));
    assert_eq!(
        pair.ends[0].closed,
        Some(START + 80 * MS),
        "still a clean end"
    );
}

#[test]
fn an_early_handle_timeout_does_nothing() {
    let config = Config::default().idle_timeout(Some(ms(50)));
    let mut pair = pair(config, quiet());
    let before = pair.ends[0].session.poll_timeout();
    for _ in 0..100 {
        let now = tickwire::Timestamp(START + 49 * MS);
        pair.ends[0].session.handle_timeout(now);
    }
    assert_eq!(pair.ends[0].session.poll_timeout(), before);
    assert!(!pair.ends[0].session.wants_write());
}

/// The payload of a Ping is visible on the wire, and the mask keys come from the same seed.
#[test]
fn a_ping_payload_reveals_nothing_of_the_seed() {
    let seed = std::array::from_fn(|i| 100 + i as u8);
    let config = Config::default();
    let mut session = Session::new(Role::Server, config, Entropy(seed), &[], Timestamp(0))
        .expect("limits that work");
    session.handle_timeout(session.poll_timeout().expect("a Ping"));
    let wire = session.transmit().flatten().copied().collect::<Vec<u8>>();
    assert_eq!(wire[..2], [0x89, 8]);
    assert!(
        seed.windows(4)
            .all(|part| !wire.windows(4).any(|w| w == part))
    );
}

/// The code alone is also that of a shutdown.
#[test]
fn the_close_names_the_missed_deadline() {
    for (deadline, reason) in [
        (Deadline::Pong, "no Pong in time"),
        (Deadline::Idle, "idle for too long"),
    ] {
        let config = match deadline {
            Deadline::Pong => Config::default()
                .ping_interval(Some(ms(50)))
                .pong_timeout(ms(50)),
            _ => quiet().idle_timeout(Some(ms(50))),
        };
        let entropy = Entropy([7; 32]);
        let new = Session::new(Role::Server, config, entropy, &[], Timestamp(START));
        let mut session = new.expect("a valid config");
        session.handle_read_would_block();
        let mut sent = Vec::new();
        while session.end().is_none() {
            let now = session.poll_timeout().expect("a deadline");
            session.handle_timeout(now);
            sent = session.transmit().collect::<Vec<_>>().concat();
            session.handle_written(sent.len(), now);
        }
        assert_eq!(session.end(), Some(failed(deadline)));
        let close = Frame::close(1001, reason.as_bytes()).by(Role::Server);
        assert_eq!(sent, close, "{deadline:?}");
    }
}
