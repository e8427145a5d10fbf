//! Options of OPEN and ACCEPT.
//!
//! ```text
//! {id:tv len:tv value}*        at most 4,096 bytes
//! 1 ttl_ms:tv                  2 RESUME epoch:tv next_seq:tv
//! 3 topic bytes                4 metadata bytes
//! 5 REPLAY from:tv             6 SNAPSHOT seq:tv
//! 7 FRESH epoch:tv seq:tv      8 WANTS next_seq:tv       (ACCEPT only)
//! ```
//!
//! Unknown ids are ignored, so that options can be added without a new version.

use alloc::vec::Vec;

use super::encode::sum;
use super::error::WireError;
use super::reader::Reader;
use super::varint::{put_varint, varint_len};

/// The longest options of one frame, in bytes.
pub(crate) const OPTIONS_BYTES_MAX: usize = 4096;

mod id {
    pub(super) const TTL_MS: u64 = 1;
    pub(super) const RESUME: u64 = 2;
    pub(super) const TOPIC: u64 = 3;
    pub(super) const METADATA: u64 = 4;
    pub(super) const REPLAY: u64 = 5;
    pub(super) const SNAPSHOT: u64 = 6;
    pub(super) const FRESH: u64 = 7;
    pub(super) const WANTS: u64 = 8;
}

/// Options of OPEN and ACCEPT; the default has none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Options<'r> {
    /// Time to live of messages, in milliseconds.
    pub(crate) ttl_ms: Option<u64>,
    /// Epoch and number of the first wanted message.
    pub(crate) resume: Option<(u64, u64)>,
    /// The topic; an empty one is not encoded.
    pub(crate) topic: &'r [u8],
    /// Metadata of the application; an empty one is not encoded.
    pub(crate) metadata: &'r [u8],
    /// The answer to RESUME.
    pub(crate) answer: Option<Answer>,
    /// The number of the first message that the acceptor wants from the opener; never in an OPEN.
    pub(crate) wants: Option<u64>,
}

/// The answer to RESUME.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// Messages are sent again from a number on.
    Replay {
        /// The number of the first message.
        from: u64,
    },
    /// A snapshot as of a message follows, then the messages after it.
    Snapshot {
        /// The number of that message.
        seq: u64,
    },
    /// Earlier messages are not available.
    Fresh {
        /// The new epoch.
        epoch: u64,
        /// The number of the next message.
        seq: u64,
    },
}

impl Answer {
    /// The option's id and its one or two numbers.
    const fn parts(self) -> (u64, u64, Option<u64>) {
        match self {
            Self::Replay { from } => (id::REPLAY, from, None),
            Self::Snapshot { seq } => (id::SNAPSHOT, seq, None),
            Self::Fresh { epoch, seq } => (id::FRESH, epoch, Some(seq)),
        }
    }
}

impl<'r> Options<'r> {
    /// Bytes of the options; a frame carries them if they are at most [`OPTIONS_BYTES_MAX`].
    pub(crate) fn encoded_len(&self) -> usize {
        let numbers = self
            .numbers()
            .into_iter()
            .flatten()
            .map(|(id, first, second)| {
                let value = numbers_len(first, second);
                sum([varint_len(id), varint_len(value as u64), value])
            });
        let bytes = self.bytes().map(|(id, value)| match value.len() {
            0 => 0,
            len => sum([varint_len(id), varint_len(len as u64), len]),
        });
        sum(numbers.chain(bytes))
    }

    /// Appends the options.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        for (id, first, second) in self.numbers().into_iter().flatten() {
            put_varint(out, id);
            put_varint(out, numbers_len(first, second) as u64);
            put_varint(out, first);
            if let Some(second) = second {
                put_varint(out, second);
            }
        }
        for (id, value) in self.bytes() {
            if !value.is_empty() {
                put_varint(out, id);
                put_varint(out, value.len() as u64);
                out.extend_from_slice(value);
            }
        }
    }

    /// The options that are numbers: id, the first, and the second if there are two.
    fn numbers(&self) -> [Option<(u64, u64, Option<u64>)>; 4] {
        [
            self.ttl_ms.map(|ms| (id::TTL_MS, ms, None)),
            self.resume
                .map(|(epoch, next)| (id::RESUME, epoch, Some(next))),
            self.answer.map(Answer::parts),
            self.wants.map(|next| (id::WANTS, next, None)),
        ]
    }

    /// The options that are bytes, with their ids.
    const fn bytes(&self) -> [(u64, &'r [u8]); 2] {
        [(id::TOPIC, self.topic), (id::METADATA, self.metadata)]
    }

    /// Reads `bytes`, all of them.
    pub(super) fn parse(bytes: &'r [u8]) -> Result<Self, WireError> {
        let mut options = Self::default();
        let mut reader = Reader::new(bytes, WireError::OptionTruncated);
        // Known ids that were read, one bit each.
        let mut seen = 0_u16;
        while !reader.rest.is_empty() {
            let id = reader.varint()?;
            let len = reader.varint()?;
            let value = reader.bytes(len)?;
            let Some(bit) = bit(id) else {
                continue;
            };
            if seen & bit != 0 {
                return Err(WireError::OptionTwice);
            }
            seen |= bit;
            options.set(id, value)?;
        }
        Ok(options)
    }

    fn set(&mut self, id: u64, value: &'r [u8]) -> Result<(), WireError> {
        let mut numbers = Reader::new(value, WireError::OptionMalformed);
        match id {
            id::TOPIC => {
                self.topic = value;
                return Ok(());
            }
            id::METADATA => {
                self.metadata = value;
                return Ok(());
            }
            id::TTL_MS => self.ttl_ms = Some(numbers.varint()?),
            id::RESUME => self.resume = Some((numbers.varint()?, numbers.varint()?)),
            id::REPLAY => {
                let from = numbers.varint()?;
                self.set_answer(Answer::Replay { from })?;
            }
            id::SNAPSHOT => {
                let seq = numbers.varint()?;
                self.set_answer(Answer::Snapshot { seq })?;
            }
            id::FRESH => {
                let (epoch, seq) = (numbers.varint()?, numbers.varint()?);
                self.set_answer(Answer::Fresh { epoch, seq })?;
            }
            id::WANTS => self.wants = Some(numbers.varint()?),
            _ => return Ok(()),
        }
        numbers.end()
    }

    const fn set_answer(&mut self, answer: Answer) -> Result<(), WireError> {
        if self.answer.is_some() {
            return Err(WireError::TwoAnswers);
        }
        self.answer = Some(answer);
        Ok(())
    }
}

/// The bit of a known id.
const fn bit(id: u64) -> Option<u16> {
    match id {
        id::TTL_MS..=id::WANTS => Some(1_u16.wrapping_shl(id as u32)),
        _ => None,
    }
}

fn numbers_len(first: u64, second: Option<u64>) -> usize {
    sum([varint_len(first), second.map_or(0, varint_len)])
}
