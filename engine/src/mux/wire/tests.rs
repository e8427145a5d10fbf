//! Shared by all tests of the wire format: a generator, frames as values, encoding and decoding.

mod bytes;
mod document;
mod illegal;
mod random;
mod varint;

use alloc::vec::Vec;
use std::string::String;

use super::*;

/// SplitMix64: a failure is one number.
struct Rng(u64);

impl Rng {
    fn u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.u64() % n as u64) as usize
    }

    fn flip(&mut self) -> bool {
        self.u64() & 1 == 1
    }

    /// A number below 2^62 of any length: small ones are as likely as large ones.
    fn number(&mut self) -> u64 {
        let bits = 2 + self.below(62);
        self.u64() >> bits
    }

    fn alias(&mut self) -> u32 {
        let bits = 12 + self.below(20);
        (self.u64() as u32) >> bits
    }

    fn code(&mut self) -> u32 {
        let bits = self.below(32);
        (self.u64() as u32) >> bits
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.u64() as u8).collect()
    }

    fn maybe<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flip().then(|| f(self))
    }
}

/// The bytes that random frames borrow.
struct Pool {
    bytes: Vec<u8>,
    text: String,
}

impl Pool {
    fn new(rng: &mut Rng) -> Self {
        Self {
            bytes: rng.bytes(8192),
            text: (0..150)
                .map(|_| ['a', 'ß', '€', '😀'][rng.below(4)])
                .collect(),
        }
    }

    fn slice(&self, rng: &mut Rng, len_max: usize) -> &[u8] {
        // Around the boundaries of a varint, too.
        let len = [0, 1, 62, 63, 64, 65, rng.below(len_max + 1)][rng.below(7)].min(len_max);
        let at = rng.below(self.bytes.len() - len);
        &self.bytes[at..at + len]
    }

    fn reason(&self, rng: &mut Rng) -> &str {
        let len = self
            .text
            .floor_char_boundary(rng.below(GOAWAY_REASON_BYTES_MAX + 1));
        &self.text[..len]
    }
}

fn options<'p>(rng: &mut Rng, pool: &'p Pool, of_accept: bool) -> Options<'p> {
    Options {
        ttl_ms: rng.maybe(Rng::number),
        resume: rng.maybe(|rng| (rng.number(), rng.number())),
        topic: pool.slice(rng, 1500),
        metadata: pool.slice(rng, 1500),
        answer: rng.maybe(|rng| match rng.below(3) {
            0 => Answer::Replay { from: rng.number() },
            1 => Answer::Snapshot { seq: rng.number() },
            _ => Answer::Fresh {
                epoch: rng.number(),
                seq: rng.number(),
            },
        }),
        wants: rng.maybe(Rng::number).filter(|_| of_accept),
    }
}

fn profile(rng: &mut Rng) -> Profile {
    Profile {
        priority: rng.below(8) as u8,
        direction: [
            Direction::Both,
            Direction::OpenerSends,
            Direction::AcceptorSends,
        ][rng.below(3)],
        messages: rng.flip(),
        conflate: rng.flip(),
        resumable: rng.flip(),
    }
}

fn hello(rng: &mut Rng) -> Hello {
    let within = |rng: &mut Rng, low: u64, high: u64| match rng.below(4) {
        0 => low,
        1 => high,
        _ => low + rng.u64() % (high - low + 1),
    };
    Hello {
        record_bytes_max: within(rng, 1 << 10, 1 << 20),
        message_bytes_max: within(rng, 1, VARINT_MAX),
        channels_max: within(rng, 0, 1 << 20),
        pending_opens_max: within(rng, 0, 1 << 20),
        aliases_max: within(rng, 1, 1 << 20),
        channel_limit: within(rng, 0, VARINT_MAX),
        overhead: within(rng, 16, 1024),
        idle_timeout_ms: within(rng, 1, VARINT_MAX),
        features: within(rng, 0, FEATURES),
    }
}

/// The kinds of frames that [`frame`] makes.
const KINDS: usize = 12;

fn frame<'p>(kind: usize, rng: &mut Rng, pool: &'p Pool) -> Frame<'p> {
    match kind {
        0 => {
            let more = rng.flip();
            Frame::Data(Data {
                alias: rng.alias(),
                more,
                fin: !more && rng.flip(),
                skip: rng.maybe(Rng::number).unwrap_or(0),
                payload: pool.slice(rng, 300),
            })
        }
        1 => {
            let (elem, count) = (1 + rng.below(70), 1 + rng.below(100));
            let at = rng.below(pool.bytes.len() - elem * count);
            Frame::Run(Run {
                alias: rng.alias(),
                elem: elem as u32,
                count: count as u32,
                skip: rng.maybe(Rng::number).unwrap_or(0),
                bytes: &pool.bytes[at..at + elem * count],
            })
        }
        _ => control(kind, rng, pool),
    }
}

fn control<'p>(kind: usize, rng: &mut Rng, pool: &'p Pool) -> Frame<'p> {
    match kind {
        2 => Frame::Credit(Credit {
            alias: rng.alias(),
            kind: [
                CreditKind::Grant,
                CreditKind::Narrow,
                CreditKind::Blocked,
                CreditKind::Return,
            ][rng.below(4)],
            total: rng.number(),
            ack: rng.maybe(Rng::number),
        }),
        3 => Frame::Open(Open {
            alias: rng.alias(),
            profile: profile(rng),
            align: rng.below(7) as u8,
            limit: rng.number(),
            max_msg: rng.number(),
            options: options(rng, pool, false),
        }),
        4 => Frame::Accept(Accept {
            peer_alias: rng.alias(),
            alias: rng.alias(),
            limit: rng.number(),
            max_msg: rng.number(),
            options: options(rng, pool, true),
        }),
        5 => Frame::Reject {
            peer_alias: rng.alias(),
            code: rng.code(),
            metadata: rng.maybe(|rng| pool.slice(rng, 1500)).unwrap_or_default(),
        },
        6 => {
            let abort = rng.flip();
            Frame::Reset(Reset {
                alias: rng.alias(),
                code: rng.code(),
                abort,
                stop: !abort || rng.flip(),
            })
        }
        7 => Frame::Seq {
            alias: rng.alias(),
            epoch: rng.number(),
            next_seq: rng.number(),
        },
        8 => Frame::Ping {
            value: rng.u64(),
            pong: rng.flip(),
        },
        9 => Frame::GoAway(GoAway {
            opens_seen: rng.number(),
            code: rng.code(),
            reason: pool.reason(rng),
        }),
        10 => Frame::Hello(hello(rng)),
        _ => Frame::Ext {
            kind: rng.number(),
            ignorable: rng.flip(),
            body: pool.slice(rng, 200),
        },
    }
}

/// Appends `frame`; a DATA or RUN with its length if `len`.
fn put(out: &mut Vec<u8>, frame: &Frame<'_>, len: bool) {
    match *frame {
        Frame::Data(d) => {
            let len = len.then_some(d.payload.len());
            put_data_head(out, d.alias, len, d.more, d.fin, d.skip);
            out.extend_from_slice(d.payload);
        }
        Frame::Run(r) => {
            put_run_head(out, r.alias, r.elem, len.then_some(r.count), r.skip);
            out.extend_from_slice(r.bytes);
        }
        Frame::Credit(credit) => put_credit(out, &credit),
        Frame::Open(open) => put_open(out, &open),
        Frame::Accept(accept) => put_accept(out, &accept),
        Frame::Reject {
            peer_alias,
            code,
            metadata,
        } => put_reject(out, peer_alias, code, metadata),
        Frame::Reset(reset) => put_reset(out, &reset),
        Frame::Seq {
            alias,
            epoch,
            next_seq,
        } => put_seq(out, alias, epoch, next_seq),
        Frame::Ping { value, pong } => put_ping(out, value, pong),
        Frame::GoAway(go_away) => put_goaway(out, &go_away),
        Frame::Hello(hello) => put_hello(out, &hello),
        Frame::Ext {
            kind,
            ignorable,
            body,
        } => put_ext(out, kind, ignorable, body),
    }
}

fn encoded(frame: &Frame<'_>, len: bool) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, frame, len);
    out
}

/// All frames of a record, or the first error.
fn parse(record: &[u8]) -> Result<Vec<Frame<'_>>, WireError> {
    Frames::new(record).collect()
}

/// The only frame or error of a record.
fn parse_one(record: &[u8]) -> Result<Frame<'_>, WireError> {
    let mut frames = Frames::new(record);
    let first = frames.next().expect("a frame or an error");
    assert!(frames.next().is_none(), "one frame: {record:02x?}");
    first
}
