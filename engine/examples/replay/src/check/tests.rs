use super::*;

const MESSAGES: usize = 300;

fn tape() -> Arc<Tape> {
    let mut tape = Tape::default();
    for i in 0..MESSAGES {
        let payload = format!("{{\"stream\":\"x@trade\",\"n\":{i}}}");
        tape.push(i as u64, payload.as_bytes()).expect("in order");
    }
    Arc::new(tape)
}

fn payloads(rounds: usize) -> Vec<Vec<u8>> {
    let tape = tape();
    (0..MESSAGES * rounds)
        .map(|i| tape.payload(i % MESSAGES).to_vec())
        .collect()
}

/// What a client that gets these messages finds.
fn verdict(rounds: u64, messages: &[Vec<u8>]) -> Result<u64, Fault> {
    let mut checker = Checker::new(tape(), rounds);
    for message in messages {
        checker.message(message)?;
    }
    checker.finish()?;
    Ok(checker.received)
}

#[test]
fn the_tape_itself_passes_as_often_as_it_is_played() {
    for rounds in 1..4 {
        let all = payloads(rounds);
        assert_eq!(verdict(rounds as u64, &all), Ok(all.len() as u64));
    }
}

#[test]
fn a_lost_message_is_found_wherever_it_was() {
    let all = payloads(1);
    for first in 0..MESSAGES {
        for count in [1, 2, 70] {
            let count = count.min(MESSAGES - first);
            let mut some = all.clone();
            some.drain(first..first + count);
            let found = verdict(1, &some).expect_err("a loss");
            if first + count == MESSAGES {
                let received = first as u64;
                assert!(
                    matches!(&found, Fault::Ended { received: r, .. } if *r == received),
                    "{found}"
                );
            } else {
                let lost = Fault::Lost {
                    first: first as u64,
                    count: count as u64,
                    kind: Kind::Trade,
                };
                assert_eq!(found, lost);
            }
        }
    }
}

#[test]
fn a_swap_is_found_wherever_and_however_far_it_was() {
    let all = payloads(1);
    for distance in [1, 2, 40] {
        for first in 0..MESSAGES - distance {
            let mut some = all.clone();
            some.swap(first, first + distance);
            let found = verdict(1, &some).expect_err("a swap");
            let kind = Kind::Trade;
            // The first of those that were overtaken to come.
            let message = if distance == 1 { first } else { first + 1 } as u64;
            assert_eq!(found, Fault::Reordered { message, kind });
        }
    }
}

#[test]
fn a_flipped_bit_or_a_cut_is_found_and_its_place_told() {
    let all = payloads(1);
    for (message, byte) in [(0, 0), (7, 20), (MESSAGES - 1, 27)] {
        for bit in 0..8 {
            let mut some = all.clone();
            some[message][byte] ^= 1 << bit;
            let found = verdict(1, &some).expect_err("a flip");
            assert!(
                matches!(found, Fault::Corrupted { message: m, byte: b, .. }
                    if m == message as u64 && b == byte),
                "{found}"
            );
        }
    }
    let mut cut = all.clone();
    cut[5].pop();
    let bytes = cut[5].len();
    let found = verdict(1, &cut).expect_err("a cut");
    assert!(
        matches!(found, Fault::Corrupted { byte, .. } if byte == bytes),
        "{found}"
    );
}

#[test]
fn a_repetition_and_one_too_many_are_found() {
    let all = payloads(1);
    let mut twice = all.clone();
    twice.insert(9, all[8].clone());
    let repeated = Fault::Repeated {
        message: 8,
        expected: 9,
    };
    assert_eq!(verdict(1, &twice), Err(repeated));
    let mut more = all.clone();
    more.push(all[0].clone());
    let sent = MESSAGES as u64;
    assert_eq!(verdict(1, &more), Err(Fault::TooMany { sent }));
}

#[test]
fn a_round_too_few_is_found() {
    let found = verdict(2, &payloads(1)).expect_err("a round is missing");
    assert_eq!(
        found.to_string(),
        "300 of 600 messages came when the channel ended"
    );
}
