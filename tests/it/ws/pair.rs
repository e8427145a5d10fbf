//! Two sessions over a simulated wire that splits, delays, stalls and cuts, on a fake clock.

use bytes::Bytes;
use harness::event::Event;
use harness::rng::Rng;
use harness::wire::{Faults, Pair};
use tickwire::sans_io::Shutdown;
use tickwire::{
    CloseCode, Config, Delivery, End, Failure, Kind, PreparedMessage, SendError, Utf8Bytes,
};

/// A time after every deadline, in nanoseconds.
const LATER: u64 = 1_000_000_000_000;

fn config(delivery: Delivery) -> Config {
    Config::default()
        .delivery(delivery)
        .send_queue_bytes_max(20_000)
        .ping_interval(Some(std::time::Duration::from_millis(3)))
}

/// Sends one message, in a way that depends on `how`.
fn send(pair: &mut Pair, i: usize, how: usize, data: &[u8]) -> Result<Kind, SendError> {
    let out = pair.ends[i].session.outbox();
    let text = || str::from_utf8(data).expect("ASCII");
    let shared = Bytes::copy_from_slice(data);
    match how % 7 {
        0 => out.send(data).map(|()| Kind::Binary),
        1 => out.send_text(text()).map(|()| Kind::Text),
        2 => out
            .send_bytes(shared)
            .map(|()| Kind::Binary)
            .map_err(|e| e.0),
        3 => {
            let text = Utf8Bytes::new(shared).expect("ASCII");
            out.send_text_bytes(text)
                .map(|()| Kind::Text)
                .map_err(|e| e.0)
        }
        4 => out
            .send_prepared(&PreparedMessage::text(text()))
            .map(|()| Kind::Text),
        5 => out.claim(data.len()).map(|mut claim| {
            claim.copy_from_slice(data);
            claim.commit();
            Kind::Binary
        }),
        _ => {
            let (head, tail) = data.split_at(data.len() / 2);
            // Room for both halves, so that the message is not left unfinished.
            if out.room() < data.len() + 100 {
                return Err(SendError::QueueFull { queued: 0, max: 0 });
            }
            out.send_part(Kind::Text, head, false)?;
            out.send_part(Kind::Text, tail, true).map(|()| Kind::Text)
        }
    }
}

fn data(events: &[Event]) -> Vec<&Event> {
    events
        .iter()
        .filter(|e| matches!(e, Event::Data(..)))
        .collect()
}

/// Sends random messages in both directions with pauses between them, and returns the accepted
/// ones.
fn chatter(pair: &mut Pair, rng: &mut Rng, per_side: usize) -> [Vec<Event>; 2] {
    let mut accepted = [Vec::new(), Vec::new()];
    let mut left = [per_side; 2];
    while left != [0, 0] {
        let i = rng.below(2);
        if left[i] > 0 {
            let sizes = [0, 1, 30, 126, 1500, 9000];
            let payload: Vec<u8> = (0..sizes[rng.below(6)])
                .map(|n| b'a' + ((left[i] + n) % 26) as u8)
                .collect();
            match send(pair, i, rng.below(7), &payload) {
                Ok(kind) => {
                    accepted[i].push(Event::Data(kind, payload));
                    left[i] -= 1;
                }
                Err(SendError::QueueFull { .. }) => {}
                Err(e) => panic!("{e}"),
            }
            if rng.one_in(5) {
                let ping = pair.ends[i].session.outbox().ping(b"extra");
                assert_eq!(ping, Ok(()));
            }
        }
        if rng.one_in(2) {
            let until = pair.now + rng.u64() % 3_000_000;
            pair.run_until(until);
        }
    }
    accepted
}

#[test]
fn accepted_messages_arrive_once_and_in_order_before_the_close() {
    for seed in 0..120 {
        let mut rng = Rng::new(seed);
        let faults = [Faults::random(&mut rng), Faults::random(&mut rng)];
        let delivery = [Delivery::Whole, Delivery::Parts][rng.below(2)];
        let config = config(delivery);
        let mut pair = Pair::new(seed, [&config, &config], faults);
        let accepted = chatter(&mut pair, &mut rng, 20);
        // On a slow wire not every queue drains within the close timeout.
        while pair.ends.iter().any(|e| e.session.wants_write()) {
            let until = pair.now + 1_000_000;
            pair.run_until(until);
        }
        let (closer, both) = (rng.below(2), rng.one_in(4));
        for i in 0..2 {
            if i == closer || both {
                let code = CloseCode(3000 + i as u16);
                assert_eq!(pair.ends[i].session.outbox().close(code, "bye"), Ok(()));
            }
        }
        let from = pair.now;
        pair.run_until(from + LATER);
        for (i, end) in pair.ends.iter().enumerate() {
            pair.check_legal(i);
            let told = data(&end.told.events);
            let sent: Vec<_> = accepted[1 - i].iter().collect();
            assert!(told == sent, "seed {seed}: what {i} was told");
            let close = CloseCode(3000 + if both { 1 - i } else { closer } as u16);
            let by_peer = !both && i != closer;
            let (at, how) = end.ended.expect("ended");
            let code = Some(close);
            if both {
                // An end that received a Close before it sent its own was closed by the peer.
                let closed = matches!(how, End::Closed { code: Some(c), .. } if c.0 / 1000 == 3);
                assert!(closed, "seed {seed}: {how:?}");
            } else {
                assert_eq!(how, End::Closed { code, by_peer }, "seed {seed}, end {i}");
            }
            let timeout = 2_000_000_000;
            assert!(at - from <= timeout && end.closed.expect("closed") - from <= timeout);
            assert_eq!(end.session.shutdown(), Shutdown::Close);
        }
    }
}

#[test]
fn a_wire_cut_at_any_byte_loses_only_what_follows() {
    let config = config(Delivery::Whole);
    for seed in 0..120 {
        let mut rng = Rng::new(seed);
        let mut faults = [Faults::random(&mut rng), Faults::random(&mut rng)];
        faults[0].cut_at = Some(rng.u64() % 30_000);
        let mut pair = Pair::new(seed, [&config, &config], faults);
        let mut accepted = Vec::new();
        for n in 0..40_u8 {
            let payload = vec![n; rng.below(1200)];
            if pair.ends[0].session.outbox().send(&payload).is_ok() {
                accepted.push(Event::binary(&payload));
            }
            let until = pair.now + rng.u64() % 2_000_000;
            pair.run_until(until);
        }
        let until = pair.now + LATER;
        pair.run_until(until);
        let told = data(&pair.ends[1].told.events);
        assert!(told.len() <= accepted.len());
        let same = told.iter().zip(&accepted).all(|(told, sent)| *told == sent);
        assert!(same, "seed {seed}: a message came that was not sent");
        let (_, how) = pair.ends[1].ended.expect("the server finds out");
        assert_eq!(how, End::Failed(Failure::Eof), "seed {seed}");
        assert!(pair.ends[1].closed.is_some());
        pair.check_legal(1);
    }
}

#[test]
fn a_violation_reaches_the_peer_as_a_close_with_its_code() {
    // The server allows 1,000 bytes, and the client sends more.
    let small = Config::default().message_bytes_max(1000);
    for seed in 0..100 {
        let mut rng = Rng::new(seed);
        let faults = [Faults::random(&mut rng), Faults::random(&mut rng)];
        let mut pair = Pair::new(seed, [&Config::default(), &small], faults);
        let out = pair.ends[0].session.outbox();
        out.send([1; 1000]).expect("room");
        out.send([2; 1001]).expect("room");
        out.send([3; 5]).expect("room");
        pair.run_until(LATER);
        assert_eq!(
            data(&pair.ends[1].told.events),
            [&Event::binary(&[1; 1000])]
        );
        let (_, how) = pair.ends[1].ended.expect("ended");
        assert!(matches!(how, End::Failed(Failure::Limit(_))), "{how:?}");
        let (_, how) = pair.ends[0].ended.expect("ended");
        let code = Some(CloseCode::TOO_BIG);
        assert_eq!(
            how,
            End::Closed {
                code,
                by_peer: true
            },
            "seed {seed}"
        );
        assert!(pair.ends.iter().all(|e| e.closed.is_some()));
    }
}
