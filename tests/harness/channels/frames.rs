//! The frames of a record, as `docs/protocol.md` lays them out: read naively, for tests that lose,
//! repeat or count them.

use std::ops::Range;

/// DATA, see `docs/protocol.md`, section 3.2.
pub const DATA: u8 = 1;
/// RUN.
pub const RUN: u8 = 2;
/// CREDIT.
pub const CREDIT: u8 = 3;
/// OPEN.
pub const OPEN: u8 = 4;
/// ACCEPT.
pub const ACCEPT: u8 = 5;
/// REJECT.
pub const REJECT: u8 = 6;
/// RESET.
pub const RESET: u8 = 7;
/// SEQ.
pub const SEQ: u8 = 8;
/// PING.
pub const PING: u8 = 9;
/// GOAWAY.
pub const GOAWAY: u8 = 10;
/// HELLO.
pub const HELLO: u8 = 11;
/// EXT.
pub const EXT: u8 = 15;

/// CREDIT that asks for what is not used.
pub const FLAG_NARROW: u8 = 1;
/// CREDIT that only says that its sender is stuck.
pub const FLAG_BLOCKED: u8 = 2;
/// CREDIT that gives back what is not used.
pub const FLAG_RETURN: u8 = 8;
/// DATA that continues.
pub const FLAG_MORE: u8 = 2;

/// One frame of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// The first number: an alias, mostly; 0 where there is none.
    pub alias: u64,
    /// Where it is in the record.
    pub at: Range<usize>,
    /// Bytes of messages in it.
    pub payload: usize,
}

impl Frame {
    /// Neither DATA nor RUN.
    #[must_use]
    pub fn is_control(&self) -> bool {
        !matches!(self.kind, DATA | RUN)
    }
}

struct Reader<'a>(&'a [u8], usize);

impl Reader<'_> {
    fn byte(&mut self) -> u8 {
        let byte = self.0[self.1];
        self.1 += 1;
        byte
    }

    fn number(&mut self) -> u64 {
        let len = 1 << (self.0[self.1] & 3);
        let mut word = 0_u64;
        for i in 0..len {
            word |= u64::from(self.byte()) << (8 * i);
        }
        word >> 2
    }

    fn skip(&mut self, n: u64) {
        self.1 += n as usize;
    }

    /// DATA or RUN after its first byte: the alias, and the bytes of messages.
    fn data(&mut self, kind: u8, flags: u8) -> (u64, usize) {
        let alias = self.number();
        let elem = if kind == RUN { self.number() } else { 1 };
        let len = (flags & 1 != 0).then(|| self.number() * elem);
        if flags & 8 != 0 {
            let _skip = self.number();
        }
        let payload = len.unwrap_or((self.0.len() - self.1) as u64) as usize;
        self.skip(payload as u64);
        (alias, payload)
    }

    fn counted(&mut self) {
        let len = self.number();
        self.skip(len);
    }
}

/// Takes a legal record apart. PAD is left out.
///
/// # Panics
/// Where the record is not legal.
#[must_use]
pub fn frames(record: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut r = Reader(record, 0);
    while r.1 < record.len() {
        let from = r.1;
        let head = r.byte();
        let (kind, flags) = (head & 15, head >> 4);
        let (mut alias, mut payload) = (0, 0);
        match kind {
            0 => continue,
            DATA | RUN => (alias, payload) = r.data(kind, flags),
            CREDIT => {
                alias = r.number();
                let _total = r.number();
                if flags & 4 != 0 {
                    let _ack = r.number();
                }
            }
            OPEN => {
                alias = r.number();
                r.skip(2);
                let _ = (r.number(), r.number());
                r.counted();
            }
            ACCEPT => {
                alias = r.number();
                let _ = (r.number(), r.number(), r.number());
                r.counted();
            }
            REJECT | RESET => {
                alias = r.number();
                let _code = r.number();
                if kind == REJECT && flags & 1 != 0 {
                    r.counted();
                }
            }
            SEQ => {
                alias = r.number();
                let _ = (r.number(), r.number());
            }
            PING => r.skip(8),
            GOAWAY => {
                let _ = (r.number(), r.number());
                let len = r.byte();
                r.skip(len.into());
            }
            HELLO => r.counted(),
            EXT => {
                alias = r.number();
                r.counted();
            }
            other => panic!("a frame of type {other}"),
        }
        assert!(r.1 <= record.len(), "a frame passes the record's end");
        frames.push(Frame {
            kind,
            flags,
            alias,
            at: from..r.1,
            payload,
        });
    }
    frames
}

/// The record without the frames for which `lose` says so.
#[must_use]
pub fn without(record: &[u8], mut lose: impl FnMut(&Frame) -> bool) -> Vec<u8> {
    let mut left = Vec::new();
    for frame in frames(record) {
        if !lose(&frame) {
            left.extend_from_slice(&record[frame.at]);
        }
    }
    left
}
