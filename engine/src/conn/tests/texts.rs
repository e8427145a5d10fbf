//! Small texts, which are validated together, among other frames: lent as each alone would be, however
//! the bytes arrive, whatever the limits, and across calls that read the buffer in between.

use alloc::vec::Vec;
use core::mem::take;

use super::super::inbox::Inbox;
use super::super::message::{Kind, OwnedMessage};
use crate::buf::BufPool;
use crate::config::{Config, Delivery};
use crate::error::{Failure, Limit, Violation};
use crate::frame::{Opcode, header, mask};
use crate::role::Role;

/// Sizes about the limits of the fast path and of the words that are masked.
const SIZES: [usize; 14] = [0, 1, 2, 7, 15, 16, 17, 31, 33, 123, 124, 125, 126, 130];
const CHARS: [&str; 6] = ["x", "\0", "é", "€", "\u{1f4c8}", "\u{7f}"];
const INVALID: [&[u8]; 5] = [b"\xff", b"\xc3", b"\xe2\x82", b"\xac", b"\xed\xa0\x80"];

/// A small pseudo-random generator.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn payload(&mut self, invalid: bool) -> Vec<u8> {
        let size = self.one_of(&SIZES);
        let mut bytes = Vec::new();
        while bytes.len() < size {
            bytes.extend_from_slice(self.one_of(&CHARS).as_bytes());
        }
        // At the size itself, also where that needs a shorter character.
        while bytes.len() > size {
            bytes.pop();
            while core::str::from_utf8(&bytes).is_err() {
                bytes.pop();
            }
        }
        bytes.resize(size, b'.');
        if invalid {
            let with = self.one_of(&INVALID);
            let at = if self.below(2) == 0 { bytes.len() } else { 0 };
            bytes.splice(at..at, with.iter().copied());
        }
        bytes
    }
}

#[derive(Debug)]
struct Frame {
    opcode: Opcode,
    fin: bool,
    payload: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Seen {
    Data(Kind, Vec<u8>),
    Control(Opcode, Vec<u8>),
    Fail(Failure),
}

fn frames(rng: &mut Rng) -> Vec<Frame> {
    let (mut frames, mut open) = (Vec::new(), false);
    for _ in 0..1 + rng.below(40) {
        let opcode = match rng.below(if open { 6 } else { 24 }) {
            0 => Opcode::Ping,
            1 => Opcode::Pong,
            _ if open => Opcode::Continuation,
            2 | 3 => Opcode::Binary,
            _ => Opcode::Text,
        };
        let control = opcode.is_control();
        let fin = control || rng.below(12) > 0;
        let invalid = rng.below(40) == 0;
        let mut payload = rng.payload(invalid && !control);
        if control {
            payload.truncate(125);
        } else {
            open = !fin;
        }
        frames.push(Frame {
            opcode,
            fin,
            payload,
        });
    }
    frames
}

fn encode(frames: &[Frame], role: Role, rng: &mut Rng) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in frames {
        let key = (role == Role::Server).then(|| [rng.below(256) as u8, 0x81, 0xe2, 0x80]);
        let mut head = [0; header::HEADER_BYTES_MAX];
        let rsv = header::Rsv::NONE;
        let len = frame.payload.len();
        let size = header::write(&mut head, frame.opcode, frame.fin, rsv, len, key);
        out.extend_from_slice(&head[..size]);
        let at = out.len();
        out.extend_from_slice(&frame.payload);
        mask::apply(&mut out[at..], key.unwrap_or_default(), 0);
    }
    out
}

/// What is to be lent: each message alone, by the standard library.
fn expected(frames: &[Frame], config: &Config) -> Vec<Seen> {
    let (mut seen, mut open, mut kind) = (Vec::new(), Vec::new(), Kind::Binary);
    for frame in frames {
        let len = frame.payload.len() as u64;
        match frame.opcode {
            Opcode::Text => kind = Kind::Text,
            Opcode::Binary => kind = Kind::Binary,
            Opcode::Continuation => {}
            control => {
                seen.push(Seen::Control(control, frame.payload.clone()));
                continue;
            }
        }
        let limit = if len > config.frame_bytes_max {
            let max = config.frame_bytes_max;
            Some(Limit::Frame { len, max })
        } else if open.len() as u64 + len > config.message_bytes_max {
            let (len, max) = (open.len() as u64 + len, config.message_bytes_max);
            Some(Limit::Message { len, max })
        } else {
            None
        };
        if let Some(limit) = limit {
            seen.push(Seen::Fail(limit.into()));
            return seen;
        }
        open.extend_from_slice(&frame.payload);
        let invalid = match core::str::from_utf8(&open) {
            Ok(_) => false,
            Err(e) => e.error_len().is_some() || frame.fin,
        };
        if kind == Kind::Text && invalid {
            seen.push(Seen::Fail(Violation::InvalidUtf8.into()));
            return seen;
        }
        if frame.fin {
            seen.push(Seen::Data(kind, take(&mut open)));
        }
    }
    seen
}

/// What was lent, the parts of a message put together.
#[derive(Default)]
struct Lent {
    seen: Vec<Seen>,
    open: Vec<u8>,
}

impl Lent {
    fn add(&mut self, message: Result<OwnedMessage, Failure>) {
        self.seen.push(match message {
            Ok(OwnedMessage::Binary(data)) => Seen::Data(Kind::Binary, data.into()),
            Ok(OwnedMessage::Text(text)) => Seen::Data(Kind::Text, text.as_str().into()),
            Ok(OwnedMessage::Part {
                kind, data, last, ..
            }) => {
                self.open.extend_from_slice(&data);
                if !last {
                    return;
                }
                Seen::Data(kind, take(&mut self.open))
            }
            Ok(OwnedMessage::Ping(data)) => Seen::Control(Opcode::Ping, data.into()),
            Ok(OwnedMessage::Pong(data)) => Seen::Control(Opcode::Pong, data.into()),
            Ok(close) => panic!("{close:?}"),
            Err(failure) => Seen::Fail(failure),
        });
    }
}

fn run(seed: u64) {
    let mut rng = Rng(seed);
    let role = rng.one_of(&[Role::Client, Role::Server]);
    let delivery = rng.one_of(&[Delivery::Whole, Delivery::Whole, Delivery::Parts]);
    let max = rng.one_of(&[16, 124, 125, 126, 100_000]);
    let config = Config::default().delivery(delivery);
    let config = match rng.below(3) {
        0 => config.message_bytes_max(max),
        1 => config.frame_bytes_max(max),
        _ => config,
    };
    let frames = frames(&mut rng);
    let bytes = encode(&frames, role, &mut rng);
    let mut pool = BufPool::new(4096, 4096);
    let mut lent = Lent::default();
    let glued = rng.below(bytes.len() + 1);
    let glued = if rng.below(2) == 0 { glued } else { 0 };
    let (first, mut rest) = bytes.split_at(glued);
    let mut inbox = Inbox::new(&role.into(), config.clone(), first);
    let whole = delivery == Delivery::Whole;
    let step = 1 + rng.one_of(&[1, 3, 20, 200, 5000]);
    loop {
        let mut idle = 0;
        while !inbox.wants_read() {
            idle += 1;
            assert!(idle < 100_000, "{seed}: nothing is lent");
            match rng.below(10) {
                0 => {
                    inbox.answer_pending();
                }
                1 if whole && !inbox.is_done() => {
                    let unread = inbox.into_unread();
                    inbox = Inbox::new(&role.into(), config.clone(), &unread);
                }
                2 => {
                    inbox.detach(&mut pool);
                    inbox.attach(&mut pool);
                }
                3..=5 => {
                    if let Some(message) = inbox.next_owned() {
                        lent.add(message);
                    }
                }
                n => {
                    let taken = if n == 6 { rng.below(4) } else { usize::MAX };
                    let batch = inbox.batch();
                    batch
                        .take(taken)
                        .for_each(|m| lent.add(m.map(OwnedMessage::from)));
                }
            }
            inbox.replies().drain_pings(|_| {});
            inbox.replies().take_pong();
        }
        if rest.is_empty() || inbox.is_done() {
            break;
        }
        inbox.attach(&mut pool);
        let space = inbox.space();
        let n = rest.len().min(1 + rng.below(step)).min(space.len());
        space[..n].copy_from_slice(&rest[..n]);
        inbox.filled(n);
        rest = &rest[n..];
    }
    let expected = expected(&frames, &config);
    assert_eq!(
        lent.seen, expected,
        "{seed}: {role:?} {delivery:?} {config:?}"
    );
}

#[test]
fn texts_among_other_frames_are_lent_as_each_alone() {
    let runs = if cfg!(miri) { 20 } else { 20_000 };
    (0..runs).for_each(run);
}
