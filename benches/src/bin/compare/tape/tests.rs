use super::*;
use crate::cli::Content;

fn case(payload_bytes: usize) -> Case {
    Case {
        payload_bytes,
        content: Content::Binary,
        connections: 1,
        window: 1,
    }
}

/// A correct server's answer to `sent`.
fn echo(sent: &[u8], payload_bytes: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in sent.chunks(payload_bytes + 6) {
        let payload: Vec<u8> = frame[6..]
            .iter()
            .zip(frame[2..6].iter().cycle())
            .map(|(b, k)| b ^ k)
            .collect();
        wire::unmasked_frame(&mut out, frame[0], &payload);
    }
    out
}

#[test]
fn an_honest_echo_is_counted_across_the_period_and_every_split() {
    let tape = Tape::new(case(20), 64, false);
    let (mut reader, mut first, mut count) = (tape.reader(200), 200, 0);
    for step in 1..2000 {
        let frames = 1 + step % 64;
        let back = echo(tape.burst(first, frames), 20);
        first += frames as u64;
        for piece in back.chunks(1 + step % 97) {
            count += reader.read(&tape, piece).unwrap();
        }
        assert_eq!(count as u64, first - 200);
    }
}

#[test]
fn a_changed_lost_or_repeated_echo_is_refused() {
    let tape = Tape::new(case(20), 64, false);
    let good = echo(tape.burst(0, 4), 20);
    let mut changed = good.clone();
    changed[30] ^= 1;
    let lost = [&good[..22], &good[44..]].concat();
    let repeated = [&good[..22], &good[..]].concat();
    for bad in [changed, lost, repeated] {
        assert!(tape.reader(0).read(&tape, &bad).is_err());
    }
    assert!(
        tape.reader(1).read(&tape, &good).is_err(),
        "another connection's echo"
    );
}

#[test]
fn a_raw_echo_is_the_sent_bytes() {
    let tape = Tape::new(case(1024), 16, true);
    assert_eq!(tape.reader(5).read(&tape, tape.burst(5, 16)).unwrap(), 16);
}
