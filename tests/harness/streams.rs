//! Byte streams against the model: one body for the properties and for the fuzzer.

use tickwire::{Config, Delivery, Role};

use crate::drive::{Mode, Take, rules, transcript};
use crate::event::Event;
use crate::frames::{Frame, Length, op};
use crate::oracle::Oracle;
use crate::rng::Rng;

/// Limits small enough to be met.
#[must_use]
pub fn config(delivery: Delivery) -> Config {
    Config::default()
        .delivery(delivery)
        .message_bytes_max(9000)
        .frame_bytes_max(6000)
        .fragments_max(9)
        .ping_interval(None)
}

/// Gives `bytes` to an endpoint in `role`, cut and taken out as `seed` says, and to the model.
///
/// # Panics
/// Where they tell different things, or what is sent meanwhile is not legal.
pub fn compare(role: Role, bytes: &[u8], seed: u64) {
    let mut rng = Rng::new(seed);
    let delivery = [Delivery::Whole, Delivery::Parts][rng.below(2)];
    let mode = Mode {
        take: [Take::Lent, Take::Held, Take::Owned, Take::Two][rng.below(4)],
        detach: rng.one_in(2),
        recv_bytes: [4097, 65_536][rng.below(2)],
    };
    let config = config(delivery);
    let expected = Oracle::transcript(rules(role, &config), bytes);
    // Long streams come in larger pieces: a frame that is moved between buffers at every byte
    // takes the square of its length.
    let scale = [1, 3, 20, 1500, 100_000][rng.below(5)].max(bytes.len() / 1000);
    let cuts = std::iter::repeat_with(|| 1 + rng.below(scale));
    let told = transcript(role, &config, mode, bytes, cuts);
    assert!(
        told == expected,
        "{role:?} {delivery:?} {mode:?} cut by {scale}:\n told {}\n model {}",
        brief(&told),
        brief(&expected)
    );
}

fn brief(events: &[Event]) -> String {
    let text = format!("{:?}", events.get(events.len().saturating_sub(3)..));
    text.chars().take(600).collect()
}

/// A stream as `sender` writes it, wrong here and there: once in `wrong` frames, and never
/// where that is zero.
#[must_use]
pub fn random(sender: Role, seed: u64, wrong: usize) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let mut bytes = Vec::new();
    let mut open = false;
    for _ in 0..1 + rng.below(12) {
        let mut frame = random_frame(&mut rng, &mut open);
        if wrong > 0 && rng.one_in(wrong) {
            spoil(&mut frame, &mut rng);
        }
        let by_rule = frame.clone().by(sender);
        bytes.extend(if wrong > 0 && rng.one_in(wrong * 4) {
            frame.bytes()
        } else {
            by_rule
        });
    }
    if wrong > 0 && rng.one_in(3) && !bytes.is_empty() {
        let at = rng.below(bytes.len());
        bytes[at] ^= 1 << rng.below(8);
    }
    if rng.one_in(4) {
        bytes.truncate(rng.below(bytes.len() + 1));
    }
    bytes
}

fn random_frame(rng: &mut Rng, open: &mut bool) -> Frame {
    let sizes = [0, 1, 3, 50, 125, 126, 700, 2900];
    let len = sizes[rng.below(sizes.len())];
    let mut frame = match rng.below(10) {
        0 => Frame::new(op::PING, rng.bytes(len.min(125))),
        1 => Frame::new(op::PONG, rng.bytes(len.min(125))),
        2 if rng.one_in(4) => Frame::close([1000, 3000, 1005][rng.below(3)], b"why"),
        _ => {
            let text: String = std::iter::repeat_with(|| crate::corpus::POINTS.chars())
                .flatten()
                .take(len / 2)
                .collect();
            let opcode = match *open {
                true => op::CONT,
                false => op::TEXT + u8::from(rng.one_in(2)),
            };
            let cut = rng.below(text.len() + 1);
            let whole = rng.one_in(2);
            let payload = if whole {
                text.as_bytes()
            } else {
                &text.as_bytes()[..cut]
            };
            let fin = rng.one_in(2);
            *open = !fin;
            let frame = Frame::new(opcode, payload);
            if fin { frame } else { frame.more() }
        }
    };
    frame.key = Some(if rng.one_in(8) {
        [0; 4]
    } else {
        (rng.u64() as u32).to_ne_bytes()
    });
    frame
}

fn spoil(frame: &mut Frame, rng: &mut Rng) {
    match rng.below(8) {
        0 => frame.rsv = rng.below(8) as u8,
        1 => frame.opcode = rng.below(16) as u8,
        2 => frame.fin = !frame.fin,
        3 => frame.length = Length::Two,
        4 => frame.length = Length::Eight,
        5 => frame.length = Length::Announce(rng.u64() >> rng.below(64)),
        6 => frame.payload = rng.bytes(rng.clone().below(300)),
        _ => frame.key = None,
    }
}
