//! Channels: two ends in memory, without a socket between them.

use std::hint::black_box;

use tickwire::Timestamp;
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelId, ErrorCode, Event, Mux, OpenOptions, SharedFrame,
};

use crate::{BATCH, PAYLOAD, Path};

const NOW: Timestamp = Timestamp(0);
/// The alias that the shared frames are encoded for.
const ALIAS: u32 = 5;
/// Smaller messages are copied, not shared.
const SHARED: usize = 1024;
/// Rounds in which the opened channels are accepted and settle.
const SETTLING_ROUNDS: usize = 4;

pub(crate) const PATHS: &[Path] = &[
    Path {
        name: "mux",
        what: "32 B message through a channel: into a record of 64, out of it, credit back",
        walk: |batches| ticks(batches, 1),
    },
    Path {
        name: "mux-256",
        what: "the same over 256 channels in turn",
        walk: |batches| ticks(batches, 256),
    },
    Path {
        name: "mux-stalled",
        what: "the same over 255 channels, beside one that is full and never read",
        walk: stalled,
    },
    Path {
        name: "mux-claimed",
        what: "the same, written straight into the record",
        walk: claimed,
    },
    Path {
        name: "mux-queued",
        what: "the same, queued first",
        walk: queued,
    },
    Path {
        name: "mux-shared",
        what: "1 KiB message encoded once, through a channel",
        walk: shared,
    },
    Path {
        name: "mux-run",
        what: "32 B message in a RUN of 64",
        walk: run,
    },
    Path {
        name: "mux-life",
        what: "a channel's whole life: opened, accepted, one message, finished",
        walk: life,
    },
];

struct Pair {
    client: Mux,
    server: Mux,
    channels: Vec<ChannelId>,
    /// The server's identifier of the channel that is not read.
    unread: Option<ChannelId>,
}

/// Moves all output of `from` to `to`. `to` gives credit back, except on the channel `unread`.
/// Returns the number of messages.
fn carry(from: &mut Mux, to: &mut Mux, unread: Option<ChannelId>) -> usize {
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
                    if Some(message.channel) != unread {
                        to.release(message.channel, message.charge);
                    }
                }
                Event::Run(run) => {
                    for message in run.iter() {
                        black_box(message);
                        count += 1;
                    }
                    to.release(run.channel, run.charge);
                }
                Event::Open(opening) => drop(to.accept(opening.channel, AcceptOptions::new())),
                _ => {}
            }
        }
    }
    count
}

impl Pair {
    fn new(channels: usize) -> Option<Self> {
        Self::with(&ChannelConfig::default(), channels)
    }

    fn with(config: &ChannelConfig, channels: usize) -> Option<Self> {
        let new = || Mux::new(config.clone(), NOW).ok();
        let mut pair = Self {
            client: new()?,
            server: new()?,
            channels: Vec::new(),
            unread: None,
        };
        for _ in 0..channels {
            let opened = pair.client.open(OpenOptions::new("ticks"));
            pair.channels.push(opened.ok()?);
        }
        pair.settle();
        Some(pair)
    }

    fn settle(&mut self) {
        for _ in 0..SETTLING_ROUNDS {
            self.turn();
        }
    }

    /// Moves the client's output, then the server's. Returns the messages that the server received.
    fn turn(&mut self) -> usize {
        let came = carry(&mut self.client, &mut self.server, self.unread);
        carry(&mut self.server, &mut self.client, None);
        came
    }
}

fn ticks(batches: usize, channels: usize) -> Option<usize> {
    let payload = [0x5a; PAYLOAD];
    let mut pair = Pair::new(channels)?;
    let (mut done, mut at) = (0, 0);
    for _ in 0..batches {
        for _ in 0..BATCH {
            at = if at + 1 == channels { 0 } else { at + 1 };
            pair.client
                .send(pair.channels[at], black_box(&payload))
                .ok()?;
        }
        done += pair.turn();
    }
    Some(done)
}

fn stalled(batches: usize) -> Option<usize> {
    let payload = [0x5a; PAYLOAD];
    let mut pair = Pair::new(256)?;
    // Both ends have the same channel numbers, because one end opens all.
    let unread = pair.channels.first().copied()?;
    pair.unread = Some(unread);
    // Fills its window first, then its queue.
    loop {
        while pair.client.send(unread, payload).is_ok() {}
        if pair.turn() == 0 {
            break;
        }
    }
    let (mut done, mut at) = (0, 0);
    for _ in 0..batches {
        for _ in 0..BATCH {
            at = at % 255 + 1;
            pair.client
                .send(pair.channels[at], black_box(&payload))
                .ok()?;
        }
        done += pair.turn();
    }
    let still = pair.client.send(unread, payload).is_err();
    still.then_some(done)
}

fn claimed(batches: usize) -> Option<usize> {
    let payload = [0x5a; PAYLOAD];
    let mut pair = Pair::new(1)?;
    let mut done = 0;
    for _ in 0..batches {
        for _ in 0..BATCH {
            let mut claim = pair.client.claim(pair.channels[0], PAYLOAD).ok()?;
            claim.copy_from_slice(black_box(&payload));
            claim.commit();
        }
        done += pair.turn();
    }
    Some(done)
}

fn queued(batches: usize) -> Option<usize> {
    let payload = [0x5a; PAYLOAD];
    let mut pair = Pair::new(1)?;
    let mut done = 0;
    for _ in 0..batches {
        pair.client.handle_backpressure();
        for _ in 0..BATCH {
            pair.client
                .send(pair.channels[0], black_box(&payload))
                .ok()?;
        }
        done += pair.turn();
    }
    Some(done)
}

fn shared(batches: usize) -> Option<usize> {
    let frame = SharedFrame::new(ALIAS, &[0x5a; SHARED]).ok()?;
    let config = ChannelConfig::default().shared_aliases(16);
    let mut pair = Pair::with(&config, 0)?;
    let options = OpenOptions::new("ticks").alias(ALIAS);
    let id = pair.client.open(options).ok()?;
    pair.settle();
    let mut done = 0;
    for _ in 0..batches {
        // A batch stays within the credit of a new channel.
        for _ in 0..4 {
            for _ in 0..BATCH / 4 {
                pair.client.send_shared(id, black_box(&frame)).ok()?;
            }
            done += pair.turn();
        }
    }
    Some(done)
}

fn run(batches: usize) -> Option<usize> {
    let payload = [0x5a; PAYLOAD * BATCH];
    let mut pair = Pair::new(1)?;
    let mut done = 0;
    for _ in 0..batches {
        pair.client
            .send_run_bytes(pair.channels[0], PAYLOAD, black_box(&payload))
            .ok()?;
        done += pair.turn();
    }
    Some(done)
}

fn life(batches: usize) -> Option<usize> {
    let mut pair = Pair::new(1)?;
    let mut done = 0;
    for _ in 0..batches * BATCH {
        let id = pair.client.open(OpenOptions::new("order")).ok()?;
        pair.client.send(id, black_box(b"new order")).ok()?;
        pair.client.finish_sending(id).ok()?;
        let mut theirs = None;
        while let Some(record) = pair.client.poll_record(NOW) {
            let mut incoming = pair.server.receive(record.as_slice(), NOW);
            while let Some(event) = pair.server.next(&mut incoming) {
                match event {
                    Event::Open(opening) => {
                        theirs = Some(opening.channel);
                        let options = AcceptOptions::new();
                        pair.server.accept(opening.channel, options).ok()?;
                    }
                    Event::Message(message) => {
                        done += 1;
                        pair.server.release(message.channel, message.charge);
                    }
                    _ => {}
                }
            }
        }
        let theirs = theirs?;
        pair.server.finish_sending(theirs).ok()?;
        carry(&mut pair.server, &mut pair.client, None);
        pair.client.close_channel(id, ErrorCode::NO_ERROR);
        pair.server.close_channel(theirs, ErrorCode::NO_ERROR);
        carry(&mut pair.client, &mut pair.server, None);
    }
    Some(done)
}
