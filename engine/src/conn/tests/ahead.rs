//! The lookahead: the same messages are lent and the same replies are registered, however the bytes
//! arrive.

use alloc::vec;
use alloc::vec::Vec;

use super::super::inbox::Inbox;
use super::super::message::OwnedMessage;
use super::super::replies::CloseCause;
use super::super::text::Utf8Bytes;
use crate::buf::BufPool;
use crate::config::Config;
use crate::frame::CONTROL_BYTES_MAX;
use crate::role::Role;

/// An unmasked frame, as a server sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, payload.len() as u8];
    bytes.extend_from_slice(payload);
    bytes
}

/// A small pseudo-random generator.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// Messages and replies as a driver sees them.
#[derive(Default)]
struct Seen {
    lent: Vec<OwnedMessage>,
    /// Payloads of the Pings that were answered.
    pongs: Vec<Vec<u8>>,
    closes: usize,
    /// Number of data messages lent before the Close was answered.
    before_close: usize,
}

impl Seen {
    fn data(&self) -> usize {
        let is_data = |m: &&OwnedMessage| {
            matches!(
                m,
                OwnedMessage::Binary(_) | OwnedMessage::Text(_) | OwnedMessage::Part { .. }
            )
        };
        self.lent.iter().filter(is_data).count()
    }

    /// Applies the replies as `ReadSide::queue_replies` does.
    fn queue_replies(&mut self, inbox: &mut Inbox) {
        let replies = inbox.replies();
        replies.drain_pings(|ping| self.pongs.push(ping.to_vec()));
        replies.take_pong();
        match replies.take_close_cause() {
            Some(CloseCause::Echo(_)) => {
                self.closes += 1;
                self.before_close = self.data();
            }
            Some(CloseCause::Fail(failure)) => panic!("{failure}"),
            None => {}
        }
    }

    fn lend(&mut self, message: OwnedMessage) {
        match &message {
            OwnedMessage::Ping(payload) => {
                let answered = self.pongs.iter().any(|pong| pong[..] == payload[..]);
                assert!(answered, "lent before it was answered");
            }
            OwnedMessage::Close(_) => assert_eq!(self.closes, 1, "lent before it was answered"),
            _ => {}
        }
        self.lent.push(message);
    }
}

/// A random stream of messages, fragments with control frames between them, and a Close. Every Ping
/// has its own payload.
fn stream(rng: &mut Rng) -> (Vec<u8>, Vec<OwnedMessage>, Vec<Vec<u8>>) {
    let (mut bytes, mut messages, mut pings) = (Vec::new(), Vec::new(), Vec::new());
    let mut open: Option<Vec<u8>> = None;
    for i in 0..40_u8 {
        let payload = vec![i; rng.below(4) * 40];
        match rng.below(6) {
            0 => {
                let payload = vec![i; 1 + rng.below(CONTROL_BYTES_MAX)];
                bytes.extend(frame(0x89, &payload));
                messages.push(OwnedMessage::Ping(payload.clone().into()));
                pings.push(payload);
            }
            1 => {
                bytes.extend(frame(0x8a, &payload[..payload.len().min(8)]));
                let payload = payload[..payload.len().min(8)].to_vec();
                messages.push(OwnedMessage::Pong(payload.into()));
            }
            more => {
                let last = rng.below(2) == 0;
                // Consecutive small texts are validated together.
                let opcode = match open {
                    Some(_) => 0,
                    None if last && more >= 4 => 1,
                    None => 2,
                };
                bytes.extend(frame(opcode | if last { 0x80 } else { 0 }, &payload));
                let whole = open.get_or_insert_default();
                whole.extend_from_slice(&payload);
                if last && let Some(whole) = open.take() {
                    messages.push(match opcode {
                        1 => OwnedMessage::Text(Utf8Bytes::new(whole.into()).unwrap()),
                        _ => OwnedMessage::Binary(whole.into()),
                    });
                }
            }
        }
    }
    if open.is_none() {
        bytes.extend(frame(0x88, &1000_u16.to_be_bytes()));
        let close = (crate::CloseCode::NORMAL, Default::default());
        messages.push(OwnedMessage::Close(Some(close)));
        bytes.extend(frame(0x89, b"after a Close"));
    }
    (bytes, messages, pings)
}

#[test]
fn messages_and_replies_do_not_depend_on_how_bytes_arrive() {
    let config = Config::default();
    for seed in 0..2000 {
        let mut rng = Rng(seed);
        let (bytes, messages, pings) = stream(&mut rng);
        let closes = matches!(messages.last(), Some(OwnedMessage::Close(_)));
        let mut pool = BufPool::new(4096, 4096);
        let mut inbox = Inbox::new(&Role::Client.into(), config.clone(), &[]);
        let mut seen = Seen::default();
        let mut rest = &bytes[..];
        while !rest.is_empty() || !inbox.wants_read() {
            match rng.below(5) {
                0 | 1 if !rest.is_empty() => {
                    inbox.attach(&mut pool);
                    let n = rest.len().min(1 + rng.below(200)).min(inbox.space().len());
                    inbox.space()[..n].copy_from_slice(&rest[..n]);
                    inbox.filled(n);
                    rest = &rest[n..];
                }
                2 => {
                    inbox.answer_pending();
                    seen.queue_replies(&mut inbox);
                }
                _ if inbox.wants_read() => {}
                3 => {
                    // A driver that takes batches.
                    inbox.look_ahead();
                    seen.queue_replies(&mut inbox);
                    let most = 1 + rng.below(4);
                    let lent: Vec<_> = inbox.batch().take(most).collect();
                    for message in lent {
                        seen.lend(message.unwrap().into());
                    }
                }
                _ => {
                    inbox.look_ahead();
                    seen.queue_replies(&mut inbox);
                    if let Some(message) = inbox.next_owned() {
                        seen.lend(message.unwrap());
                    }
                }
            }
            if rng.below(3) == 0 {
                inbox.detach(&mut pool);
            }
        }
        seen.queue_replies(&mut inbox);
        assert_eq!(seen.lent, messages, "seed {seed}");
        assert_eq!(seen.pongs, pings, "seed {seed}");
        assert_eq!(seen.closes, usize::from(closes), "seed {seed}");
        if closes {
            assert_eq!(seen.before_close, seen.data(), "seed {seed}");
        }
    }
}

/// A batch ends before a frame that must be answered, and the next one starts with it.
#[test]
fn a_batch_ends_before_an_unanswered_control_frame() {
    let config = Config::default();
    let code = 1000_u16.to_be_bytes();
    let bytes = [
        frame(0x82, b"one"),
        frame(0x89, b"?"),
        frame(0x82, b"two"),
        frame(0x89, b"!"),
        frame(0x82, b"three"),
        frame(0x88, &code),
    ]
    .concat();
    let mut inbox = Inbox::new(&Role::Client.into(), config, &bytes);
    let mut batches = Vec::new();
    while !inbox.wants_read() {
        batches.push(inbox.batch().count());
    }
    // The first message; the Pings, answered together, and the messages between them; the Close.
    assert_eq!(batches, [1, 4, 1]);
}

/// A frame that breaks a rule ends the lookahead: no frame after it is answered.
#[test]
fn no_frame_is_answered_after_a_violation() {
    let config = Config::default().frame_bytes_max(100);
    let bad = [
        frame(0x80, b"nothing to continue"),
        frame(0xc2, b"a reserved bit"),
        frame(0x83, b"a reserved opcode"),
        frame(0x09, b"a fragmented Ping"),
        frame(0x82, &[0; 101]),
        [frame(0x02, b"open"), frame(0x82, b"another")].concat(),
    ];
    for bad in bad {
        let bytes = [frame(0x89, b"before"), bad, frame(0x89, b"after")].concat();
        let mut inbox = Inbox::new(&Role::Client.into(), config.clone(), &bytes);
        assert!(inbox.answer_pending());
        let mut pongs = Vec::new();
        inbox
            .replies()
            .drain_pings(|ping| pongs.push(ping.to_vec()));
        assert_eq!(pongs, [b"before"]);
    }
}

/// Answered Pings and Pongs are dropped above the limit; data messages are not.
#[test]
fn unread_control_frames_are_dropped_above_the_limit() {
    let config = Config::default();
    let mut bytes = Vec::new();
    for _ in 0..10 {
        bytes.extend(frame(0x89, &[1; 98]));
        bytes.extend(frame(0x8a, &[2; 98]));
    }
    bytes.extend(frame(0x82, b"kept"));
    bytes.extend(frame(0x8a, &[2; 98]));
    let mut unanswered = Inbox::new(&Role::Client.into(), config.clone(), &bytes);
    unanswered.drop_control_frames(0);
    assert_eq!(unanswered.batch().count(), 22, "an unanswered Ping is kept");

    let mut inbox = Inbox::new(&Role::Client.into(), config, &bytes);
    inbox.answer_pending();
    inbox.drop_control_frames(1050);
    let mut left = Vec::new();
    while let Some(message) = inbox.next_owned() {
        left.push(message.unwrap());
    }
    // Ten control frames, the message, and the Pong after it.
    assert_eq!(left.len(), 11, "{left:?}");
    assert!(matches!(left[left.len() - 2], OwnedMessage::Binary(_)));
}

/// A peer that sends byte by byte to an application that does not receive costs one inspection of
/// each frame.
#[test]
fn unread_frames_are_inspected_once() {
    let config = Config::default();
    let data = frame(0x82, b"?").repeat(100);
    let mut inbox = Inbox::new(&Role::Client.into(), config, &data);
    assert!(!inbox.answer_pending());
    // If the frames were inspected again, these Pings would be answered.
    let pings = frame(0x89, b"?").repeat(100);
    inbox.buf.received_mut().0.copy_from_slice(&pings);
    assert!(!inbox.answer_pending());
    // After a batch, the lookahead starts from the front.
    assert_eq!(inbox.batch().take(1).count(), 0);
    assert!(inbox.answer_pending());
}

/// Byte by byte, to an application that does not receive: every Ping is answered once, whatever is
/// dropped.
#[test]
fn pings_are_answered_once_while_control_frames_are_dropped() {
    let config = Config::default();
    let ping = |i: u8| frame(0x89, &[i; 50]);
    let mut bytes: Vec<u8> = (0..200)
        .flat_map(|i| [ping(i), frame(0x8a, b"-")].concat())
        .collect();
    bytes.extend(frame(0x82, b"kept"));
    bytes.extend((200..=255).flat_map(ping));
    for unread_max in [0, 1, 200] {
        let mut pool = BufPool::new(1 << 16, 1 << 16);
        let mut inbox = Inbox::new(&Role::Client.into(), config.clone(), &[]);
        let mut pongs = Vec::new();
        for &byte in &bytes {
            inbox.attach(&mut pool);
            inbox.space()[0] = byte;
            inbox.filled(1);
            inbox.answer_pending();
            inbox.drop_control_frames(unread_max);
            inbox.replies().drain_pings(|p| pongs.push(p.to_vec()));
        }
        let pinged: Vec<_> = (0..=255).map(|i| vec![i; 50]).collect();
        assert_eq!(pongs, pinged, "{unread_max}");
        let mut left = Vec::new();
        while let Some(message) = inbox.next_owned() {
            left.push(message.unwrap());
        }
        let kept = left
            .iter()
            .position(|m| matches!(m, OwnedMessage::Binary(_)));
        assert_eq!(left.len() - kept.unwrap(), 57, "{unread_max}");
    }
}
