//! The session layer: messages in and out of buffers, without sockets.

use std::hint::black_box;

use tickwire::sans_io::{BufPool, Entropy, Session};
use tickwire::{Config, Message, PreparedMessage, Role, Timestamp};

use crate::{BATCH, PAYLOAD, Path};

const NOW: Timestamp = Timestamp(0);
/// Size of a large message. 64 of them do not fit the receive buffer, so each arrives alone.
const LARGE: usize = 16 << 10;
/// Small texts: of ASCII, and of code points of one to four bytes.
const ASCII_20: Sent<'_> = Sent::Text("SELL 100 EURUSD @ 17");
const MIXED_20: Sent<'_> = Sent::Text("x\u{e9}\u{20ac}\u{1f4c8}ticker \u{20ac}");

pub(crate) const PATHS: &[Path] = &[
    Path {
        name: "receive",
        what: "32 B message received by a server: unmasked, lent",
        walk: |batches| receive(batches, Role::Server, &[0x5a; PAYLOAD], BATCH),
    },
    Path {
        name: "receive-client",
        what: "32 B message received by a client: lent",
        walk: |batches| receive(batches, Role::Client, &[0x5a; PAYLOAD], BATCH),
    },
    Path {
        name: "decode-20",
        what: "20 B masked frame decoded out of a full buffer",
        walk: |batches| receive(batches, Role::Server, &[0x5a; 20], BATCH),
    },
    Path {
        name: "decode-20-client",
        what: "20 B frame without a mask decoded by a client",
        walk: |batches| receive(batches, Role::Client, &[0x5a; 20], BATCH),
    },
    Path {
        name: "decode-20-alone",
        what: "20 B masked message, one a read",
        walk: |batches| receive(batches, Role::Server, &[0x5a; 20], 1),
    },
    Path {
        name: "text-20",
        what: "20 B masked text message received, all ASCII: 64 a read",
        walk: |batches| receive(batches, Role::Server, ASCII_20, BATCH),
    },
    Path {
        name: "text-20-client",
        what: "the same by a client: no mask",
        walk: |batches| receive(batches, Role::Client, ASCII_20, BATCH),
    },
    Path {
        name: "text-20-alone",
        what: "20 B masked text message, all ASCII: one a read",
        walk: |batches| receive(batches, Role::Server, ASCII_20, 1),
    },
    Path {
        name: "text-20-mixed",
        what: "20 B masked text message, code points of one to four bytes: 64 a read",
        walk: |batches| receive(batches, Role::Server, MIXED_20, BATCH),
    },
    Path {
        name: "unmask-16",
        what: "16 B masked message received",
        walk: |batches| receive(batches, Role::Server, &[0x5a; 16], BATCH),
    },
    Path {
        name: "unmask-16k",
        what: "16 KiB masked message received, one copy into the buffer included",
        walk: |batches| large(batches, Role::Server, Text::No),
    },
    Path {
        name: "receive-client-16k",
        what: "16 KiB message received by a client, the same copy included: no mask",
        walk: |batches| large(batches, Role::Client, Text::No),
    },
    Path {
        name: "text-ascii-16k",
        what: "the same as text, all ASCII: UTF-8 checked",
        walk: |batches| large(batches, Role::Client, Text::Ascii),
    },
    Path {
        name: "text-mixed-16k",
        what: "the same as text, code points of one to four bytes",
        walk: |batches| large(batches, Role::Client, Text::Mixed),
    },
    Path {
        name: "text-ascii-16k-server",
        what: "16 KiB text message received by a server, all ASCII: unmasked, checked",
        walk: |batches| large(batches, Role::Server, Text::Ascii),
    },
    Path {
        name: "text-mixed-16k-server",
        what: "the same, code points of one to four bytes",
        walk: |batches| large(batches, Role::Server, Text::Mixed),
    },
    Path {
        name: "send-server",
        what: "32 B message queued and taken by one write, server",
        walk: |batches| send(batches, Role::Server, PAYLOAD),
    },
    Path {
        name: "send-client",
        what: "32 B message masked, queued and taken by one write, client",
        walk: |batches| send(batches, Role::Client, PAYLOAD),
    },
    Path {
        name: "encode-20-server",
        what: "20 B frame encoded, server",
        walk: |batches| send(batches, Role::Server, 20),
    },
    Path {
        name: "encode-20-client",
        what: "20 B frame encoded, client",
        walk: |batches| send(batches, Role::Client, 20),
    },
    Path {
        name: "encode-text-20-server",
        what: "20 B text message encoded, server",
        walk: |batches| send_text(batches, Role::Server),
    },
    Path {
        name: "encode-text-20-client",
        what: "20 B text message encoded, client",
        walk: |batches| send_text(batches, Role::Client),
    },
    Path {
        name: "claim-server",
        what: "32 B message written straight into the queue",
        walk: claim,
    },
    Path {
        name: "prepared-server",
        what: "32 B message encoded once, sent again",
        walk: prepared,
    },
];

/// What a path sends.
#[derive(Clone, Copy)]
enum Sent<'a> {
    Binary(&'a [u8]),
    Text(&'a str),
}

impl Sent<'_> {
    fn len(self) -> usize {
        match self {
            Self::Binary(payload) => payload.len(),
            Self::Text(text) => text.len(),
        }
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Sent<'a> {
    fn from(payload: &'a [u8; N]) -> Self {
        Self::Binary(payload)
    }
}

#[derive(Clone, Copy)]
enum Text {
    No,
    Ascii,
    Mixed,
}

fn session(role: Role) -> Session {
    Session::new(role, Config::default(), Entropy([7; 32]), &[], NOW).expect("limits that work")
}

/// Takes the output of `from`.
fn drain(from: &mut Session) -> Vec<u8> {
    let mut wire = Vec::new();
    for slice in from.transmit() {
        wire.extend_from_slice(slice);
    }
    from.handle_written(wire.len(), NOW);
    wire
}

/// The role of the other end.
fn other(role: Role) -> Role {
    match role {
        Role::Server => Role::Client,
        Role::Client => Role::Server,
    }
}

/// Feeds `wire` in one read; returns the number of whole messages.
fn feed(to: &mut Session, pool: &mut BufPool, wire: &[u8], payload_bytes: usize) -> Option<usize> {
    to.attach(pool);
    to.space().get_mut(..wire.len())?.copy_from_slice(wire);
    to.handle_read(wire.len(), NOW);
    let mut count = 0;
    let (batch, _) = to.receive();
    for message in batch {
        let payload = match message {
            Ok(Message::Binary(payload)) => payload,
            Ok(Message::Text(text)) => text.as_bytes(),
            _ => return None,
        };
        count += usize::from(black_box(payload).len() == payload_bytes);
    }
    to.queue_replies(NOW);
    to.detach(pool);
    Some(count)
}

/// `a_read` messages in each read.
fn receive<'a>(
    batches: usize,
    role: Role,
    sent: impl Into<Sent<'a>>,
    a_read: usize,
) -> Option<usize> {
    let sent = sent.into();
    let mut sender = session(other(role));
    for _ in 0..a_read {
        match sent {
            Sent::Binary(payload) => sender.outbox().send(payload).ok()?,
            Sent::Text(text) => sender.outbox().send_text(text).ok()?,
        }
    }
    let wire = drain(&mut sender);
    let (mut receiver, mut pool) = (session(role), BufPool::default());
    let mut done = 0;
    for _ in 0..batches * BATCH / a_read {
        done += feed(&mut receiver, &mut pool, black_box(&wire), sent.len())?;
    }
    Some(done)
}

fn large(batches: usize, role: Role, text: Text) -> Option<usize> {
    let mut sender = session(other(role));
    match text {
        Text::No => sender.outbox().send([0x5a; LARGE]).ok()?,
        Text::Ascii => sender.outbox().send_text(&"x".repeat(LARGE)).ok()?,
        // 1 + 2 + 3 + 4 bytes, and ASCII to the next multiple of sixteen.
        Text::Mixed => {
            let text = "x\u{e9}\u{20ac}\u{1f4c8}ticker".repeat(LARGE / 16);
            sender.outbox().send_text(&text).ok()?;
        }
    }
    let wire = drain(&mut sender);
    let (mut receiver, mut pool) = (session(role), BufPool::default());
    let mut done = 0;
    for _ in 0..batches * BATCH {
        done += feed(&mut receiver, &mut pool, black_box(&wire), LARGE)?;
    }
    Some(done)
}

/// Queues a batch with `queue` and writes it at once; returns the number of messages.
fn write(
    batches: usize,
    role: Role,
    mut queue: impl FnMut(&mut Session) -> Option<()>,
) -> Option<usize> {
    let (mut sender, mut pool) = (session(role), BufPool::default());
    let mut done = 0;
    for _ in 0..batches {
        sender.attach(&mut pool);
        for _ in 0..BATCH {
            queue(&mut sender)?;
            done += 1;
        }
        let queued = black_box(sender.transmit()).map(<[u8]>::len).sum();
        sender.handle_written(queued, NOW);
        sender.detach(&mut pool);
    }
    Some(done)
}

fn send(batches: usize, role: Role, payload_bytes: usize) -> Option<usize> {
    let payload = vec![0x5a; payload_bytes];
    write(batches, role, |sender| {
        sender.outbox().send(black_box(&payload)).ok()
    })
}

fn send_text(batches: usize, role: Role) -> Option<usize> {
    let Sent::Text(text) = ASCII_20 else {
        return None;
    };
    write(batches, role, |sender| {
        sender.outbox().send_text(black_box(text)).ok()
    })
}

fn claim(batches: usize) -> Option<usize> {
    let payload = [0x5a; PAYLOAD];
    write(batches, Role::Server, |sender| {
        let mut claim = sender.outbox().claim(PAYLOAD).ok()?;
        claim.copy_from_slice(black_box(&payload));
        claim.commit();
        Some(())
    })
}

fn prepared(batches: usize) -> Option<usize> {
    let message = PreparedMessage::binary(&[0x5a; PAYLOAD]);
    write(batches, Role::Server, |sender| {
        sender.outbox().send_prepared(black_box(&message)).ok()
    })
}
