//! The hot paths, alone, for an instruction counter.
//!
//! ```text
//! hot receive|send-server|send-client|mux MESSAGES
//! ```
//!
//! Two runs with different counts give the cost of a message: their difference in instructions
//! over their difference in messages. See `benches/README.md`.

use std::hint::black_box;
use std::process::ExitCode;

use tickwire::channels::{self, AcceptOptions, Connection, Event, OpenOptions};
use tickwire::{BufPool, Entropy, Message, Role, Session, Settings, Timestamp};

/// Payload bytes of a message.
const PAYLOAD: usize = 32;
/// Messages of one read or write.
const BATCH: usize = 64;
const NOW: Timestamp = Timestamp(0);

fn session(role: Role) -> Session {
    Session::new(role, Settings::default(), Entropy([7; 32]), &[], NOW)
}

/// Takes what `from` has to send.
fn drain(from: &mut Session, into: &mut Vec<u8>) {
    into.clear();
    for slice in from.transmit() {
        into.extend_from_slice(slice);
    }
    from.handle_written(into.len(), NOW);
}

/// Feeds `bytes`; calls `each` for every message and gives their count.
fn feed(to: &mut Session, pool: &mut BufPool, bytes: &[u8], mut each: impl FnMut(&[u8])) -> usize {
    to.attach(pool);
    to.space()[..bytes.len()].copy_from_slice(bytes);
    to.handle_read(bytes.len(), NOW);
    let mut count = 0;
    let (batch, _) = to.receive();
    for message in batch {
        if let Ok(Message::Binary(payload)) = message {
            each(payload);
            count += 1;
        }
    }
    to.settle(NOW);
    to.detach(pool);
    count
}

/// Everything that `from` has to say goes to `to`; how many messages.
fn carry(from: &mut Connection, to: &mut Connection) -> usize {
    let mut count = 0;
    while from.wants_write()
        && let Some(record) = from.poll_record(NOW)
    {
        let mut incoming = to.receive(record.as_slice(), NOW);
        while let Some(event) = to.next(&mut incoming) {
            match event {
                Event::Message(message) => {
                    black_box(&*message.data);
                    count += 1;
                    to.release(message.channel, message.charge);
                }
                Event::Open(opening) => drop(to.accept(opening.channel, AcceptOptions::new())),
                _ => {}
            }
        }
    }
    count
}

/// Messages through a channel: into a record, out of it, and their credit back.
fn mux(messages: usize) -> Option<usize> {
    let payload = [0x5a; PAYLOAD];
    let new = || Connection::new(channels::Settings::default(), NOW);
    let (mut client, mut server) = (new(), new());
    let channel = client.open(OpenOptions::new("ticks")).ok()?;
    for _ in 0..3 {
        carry(&mut client, &mut server);
        carry(&mut server, &mut client);
    }
    let mut done = 0;
    for _ in 0..messages / BATCH {
        for _ in 0..BATCH {
            client.send(channel, black_box(&payload)).ok()?;
        }
        done += carry(&mut client, &mut server);
        carry(&mut server, &mut client);
    }
    Some(done)
}

fn run(what: &str, messages: usize) -> Option<usize> {
    if what == "mux" {
        return mux(messages);
    }
    let payload = [0x5a; PAYLOAD];
    let mut pool = BufPool::default();
    let mut wire = Vec::with_capacity(BATCH * 64);
    let mut client = session(Role::Client);
    for _ in 0..BATCH {
        client.outbox().send(&payload).ok()?;
    }
    drain(&mut client, &mut wire);
    let batches = messages / BATCH;
    let mut done = 0;
    match what {
        "receive" => {
            let mut server = session(Role::Server);
            for _ in 0..batches {
                done += feed(&mut server, &mut pool, black_box(&wire), |payload| {
                    black_box(payload);
                });
            }
        }
        "send-server" | "send-client" => {
            let role = if what == "send-server" {
                Role::Server
            } else {
                Role::Client
            };
            let mut sender = session(role);
            for _ in 0..batches {
                sender.attach(&mut pool);
                for _ in 0..BATCH {
                    sender.outbox().send(black_box(&payload)).ok()?;
                    done += 1;
                }
                let queued = black_box(sender.transmit()).map(<[u8]>::len).sum();
                sender.handle_written(queued, NOW);
                sender.detach(&mut pool);
            }
        }
        _ => return None,
    }
    Some(done)
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let what = args.next().unwrap_or_default();
    let messages = args.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    match run(&what, messages) {
        Some(done) if done == messages / BATCH * BATCH => ExitCode::SUCCESS,
        Some(done) => {
            eprintln!("hot: {done} of {messages} messages");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("usage: hot receive|send-server|send-client|mux MESSAGES");
            ExitCode::FAILURE
        }
    }
}
