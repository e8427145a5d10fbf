//! What is played: messages, and when each is due.

mod load;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

pub(crate) use load::load;

/// Bytes of all messages of a tape. Large enough for an hour of a busy market, small enough
/// that a wrong file does not take the machine's memory.
pub(crate) const TAPE_BYTES_MAX: usize = 1 << 30;

/// What a message tells, as far as its stream's name says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The whole book, from which the depth messages go on.
    Snapshot,
    BookTicker,
    Trade,
    Depth,
    /// A stream that is not one of these: played all the same.
    Other,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [
        Self::Snapshot,
        Self::BookTicker,
        Self::Trade,
        Self::Depth,
        Self::Other,
    ];

    /// Told from the beginning of the message: `{"stream":"SYMBOL@KIND...`.
    fn of(payload: &[u8]) -> Self {
        if payload.starts_with(br#"{"lastUpdateId":"#) {
            return Self::Snapshot;
        }
        let stream = payload
            .strip_prefix(br#"{"stream":""#)
            .and_then(|rest| rest.split(|&b| b == b'"').next());
        let name = stream.and_then(|stream| stream.split(|&b| b == b'@').nth(1));
        match name {
            Some(b"bookTicker") => Self::BookTicker,
            Some(b"trade") => Self::Trade,
            Some(b"depth") => Self::Depth,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Snapshot => "snapshot",
            Self::BookTicker => "bookTicker",
            Self::Trade => "trade",
            Self::Depth => "depth",
            Self::Other => "other",
        })
    }
}

/// One message of a tape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Tick {
    /// When it is due, in nanoseconds after the first one.
    at_ns: u64,
    /// Where its payload begins in the tape's bytes.
    start: usize,
    len: usize,
    kind: Kind,
}

/// Messages in the order in which they are due.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tape {
    bytes: Vec<u8>,
    ticks: Vec<Tick>,
    /// The [hash] of every message up to and including this one.
    running: Vec<u64>,
}

impl Tape {
    /// Appends a message of JSON, which must not be due before the last one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn push(&mut self, at_ns: u64, payload: &[u8]) -> Result<(), String> {
        self.push_as(at_ns, Kind::of(payload), payload)
    }

    /// Appends a message whose kind is known, which must not be due before the last one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn push_as(&mut self, at_ns: u64, kind: Kind, payload: &[u8]) -> Result<(), String> {
        if let Some(last) = self.ticks.last()
            && at_ns < last.at_ns
        {
            return Err(format!(
                "its time is {} ns before that of the line above",
                last.at_ns - at_ns
            ));
        }
        if self.bytes.len() + payload.len() > TAPE_BYTES_MAX {
            return Err(format!("the tape is over {TAPE_BYTES_MAX} bytes"));
        }
        self.ticks.push(Tick {
            at_ns,
            start: self.bytes.len(),
            len: payload.len(),
            kind,
        });
        let before = self.running.last().copied().unwrap_or(0);
        self.running.push(hash(before, payload));
        self.bytes.extend_from_slice(payload);
        Ok(())
    }

    /// With the first snapshot in front. A recorder asks for it when its streams have begun; a
    /// server has the book at hand when a client comes.
    ///
    /// # Errors
    /// A tape without a snapshot.
    pub(crate) fn snapshot_first(&self) -> Result<Self, String> {
        let mut kinds = self.ticks.iter().map(|tick| tick.kind);
        let Some(snapshot) = kinds.position(|kind| kind == Kind::Snapshot) else {
            return Err("no snapshot of the book is on the tape".into());
        };
        let mut tape = Self::default();
        tape.push_as(0, Kind::Snapshot, self.payload(snapshot))?;
        for (index, tick) in self.ticks.iter().enumerate() {
            if index != snapshot {
                tape.push_as(tick.at_ns, tick.kind, self.payload(index))?;
            }
        }
        Ok(tape)
    }

    /// Messages.
    pub(crate) fn len(&self) -> usize {
        self.ticks.len()
    }

    /// The first message is due at zero; the last one, at this.
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_nanos(self.ticks.last().map_or(0, |tick| tick.at_ns))
    }

    /// Payload bytes of all messages.
    pub(crate) fn payload_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// When message `index` is due, after the first one.
    pub(crate) fn at(&self, index: usize) -> Duration {
        Duration::from_nanos(self.ticks.get(index).map_or(0, |tick| tick.at_ns))
    }

    pub(crate) fn kind(&self, index: usize) -> Kind {
        self.ticks.get(index).map_or(Kind::Other, |tick| tick.kind)
    }

    /// The payload of message `index`, empty beyond the end.
    pub(crate) fn payload(&self, index: usize) -> &[u8] {
        self.ticks
            .get(index)
            .and_then(|tick| self.bytes.get(tick.start..tick.start + tick.len))
            .unwrap_or_default()
    }

    /// The hash of the messages up to and including `index`.
    pub(crate) fn running_hash(&self, index: usize) -> u64 {
        self.running.get(index).copied().unwrap_or(0)
    }

    /// Messages of one kind.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.ticks.iter().filter(|tick| tick.kind == kind).count()
    }

    /// Keeps what is due within the first `limit`.
    pub(crate) fn truncate(&mut self, limit: Duration) {
        let limit = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        let keep = self.ticks.partition_point(|tick| tick.at_ns <= limit);
        self.ticks.truncate(keep);
        self.running.truncate(keep);
        let end = self.ticks.last().map_or(0, |tick| tick.start + tick.len);
        self.bytes.truncate(end);
    }

    /// Most messages due within any window of this length.
    pub(crate) fn burst(&self, window: Duration) -> usize {
        let window = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
        let mut oldest = 0;
        let mut most = 0;
        for (newest, tick) in self.ticks.iter().enumerate() {
            while tick.at_ns - self.ticks[oldest].at_ns >= window {
                oldest += 1;
            }
            most = most.max(newest - oldest + 1);
        }
        most
    }

    /// Time between one message and the next, half of them shorter.
    pub(crate) fn median_gap(&self) -> Duration {
        let mut gaps: Vec<u64> = self
            .ticks
            .windows(2)
            .map(|pair| pair[1].at_ns - pair[0].at_ns)
            .collect();
        gaps.sort_unstable();
        Duration::from_nanos(gaps.get(gaps.len() / 2).copied().unwrap_or(0))
    }
}

/// Continues a running hash with a message: eight bytes at a time, then what is left, then the
/// length. Every step is a bijection of the state and of the word, so that two sequences that
/// differ in one word never have the same hash; and the order of words matters.
pub(crate) fn hash(before: u64, payload: &[u8]) -> u64 {
    /// The golden ratio times 2^64, odd: multiplying by it loses nothing.
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let step = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(ODD);
    let (words, rest) = payload.as_chunks::<8>();
    let mut hash = words
        .iter()
        .fold(before, |hash, word| step(hash, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    hash = step(hash, u64::from_le_bytes(last));
    step(hash, payload.len() as u64)
}
