//! Whether a client got every message, in order, as it was sent.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use crate::book::BookFault;
use crate::tape::{Kind, Tape, hash};

/// Messages around the expected one that a wrong one is looked for among: larger than any
/// burst that could plausibly be lost whole.
const SEARCH_MESSAGES: u64 = 4096;

/// Messages after a gap in which what is missing may still turn up: then it was reordered, not
/// lost.
const LATE_MESSAGES_MAX: u64 = 64;

/// What is wrong with what a client got. Messages are counted from zero, over all rounds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// These many messages, beginning with this one, never came.
    Lost { first: u64, count: u64, kind: Kind },
    /// It came after later ones.
    Reordered { message: u64, kind: Kind },
    /// It came again.
    Repeated { message: u64, expected: u64 },
    /// It came with other bytes.
    Corrupted {
        message: u64,
        kind: Kind,
        /// The first byte that differs, or the length where one is the beginning of the other.
        byte: usize,
        bytes: usize,
        bytes_expected: usize,
    },
    /// More messages came than were sent.
    TooMany { sent: u64 },
    /// What came was a text message.
    NotBinary { message: u64 },
    /// It was sent like this, and the book cannot be kept with it.
    Book { message: u64, what: BookFault },
    /// The connection ended before all had come.
    Ended {
        received: u64,
        sent: u64,
        why: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { first, count, kind } => {
                write!(f, "{count} lost, beginning with message {first} ({kind})")
            }
            Self::Reordered { message, kind } => {
                write!(f, "message {message} ({kind}) came after later ones")
            }
            Self::Repeated { message, expected } => {
                write!(f, "message {message} came again in place of {expected}")
            }
            Self::Corrupted {
                message,
                kind,
                byte,
                bytes,
                bytes_expected,
            } => write!(
                f,
                "message {message} ({kind}) is corrupt at byte {byte}: {bytes} bytes came, \
                 {bytes_expected} were sent"
            ),
            Self::TooMany { sent } => write!(f, "more than the {sent} messages sent came"),
            Self::NotBinary { message } => write!(f, "message {message} came as text"),
            Self::Book { message, what } => write!(f, "message {message}: {what}"),
            Self::Ended {
                received,
                sent,
                why,
            } => write!(f, "{received} of {sent} messages came, then: {why}"),
        }
    }
}

/// Follows one client through the tape, played `rounds` times.
#[derive(Debug)]
pub(crate) struct Checker {
    tape: Arc<Tape>,
    total: u64,
    /// Messages that came, all as they should be.
    received: u64,
    /// Of the messages of this round so far.
    hash: u64,
    gap: Option<Gap>,
}

/// The expected message did not come, but a later one.
#[derive(Clone, Copy, Debug)]
struct Gap {
    /// Messages that came behind it.
    behind: u64,
    /// Messages that are missing.
    missing: u64,
}

impl Checker {
    pub(crate) fn new(tape: Arc<Tape>, rounds: u64) -> Self {
        let total = tape.len() as u64 * rounds;
        Self {
            tape,
            total,
            received: 0,
            hash: 0,
            gap: None,
        }
    }

    /// Messages that came as they should, which is the number of the next one.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// A message came. `None` while a gap is looked into: give it more messages.
    ///
    /// # Errors
    /// What is wrong with it; stop then.
    #[inline]
    pub(crate) fn message(&mut self, payload: &[u8]) -> Result<Option<u64>, Fault> {
        let index = self.index(self.received);
        let hash = hash(self.hash, payload);
        let right = hash == self.tape.running_hash(index)
            && self.received < self.total
            && self.gap.is_none();
        if !right {
            return self.wrong(payload);
        }
        let message = self.received;
        self.received += 1;
        self.hash = if index + 1 == self.tape.len() {
            0
        } else {
            hash
        };
        Ok(Some(message))
    }

    /// The connection was closed.
    ///
    /// # Errors
    /// What is missing. `why`: how the connection ended, if not with a clean close.
    pub(crate) fn finish(&mut self, why: Option<&str>) -> Result<(), Fault> {
        if let Some(gap) = self.gap {
            return Err(self.lost(gap));
        }
        if self.received < self.total || why.is_some() {
            return Err(Fault::Ended {
                received: self.received,
                sent: self.total,
                why: why.unwrap_or("a clean close").into(),
            });
        }
        Ok(())
    }

    #[cold]
    fn wrong(&mut self, payload: &[u8]) -> Result<Option<u64>, Fault> {
        if self.received >= self.total {
            return Err(Fault::TooMany { sent: self.total });
        }
        if let Some(gap) = &mut self.gap {
            gap.behind += 1;
            let gap = *gap;
            let missing = self.received..self.received + gap.missing;
            if let Some(message) = missing.into_iter().find(|&m| self.is(m, payload)) {
                let kind = self.tape.kind(self.index(message));
                return Err(Fault::Reordered { message, kind });
            }
            if gap.behind >= LATE_MESSAGES_MAX {
                return Err(self.lost(gap));
            }
            return Ok(None);
        }
        let expected = self.received;
        let later = (expected + 1..self.total.min(expected + SEARCH_MESSAGES))
            .find(|&m| self.is(m, payload));
        if let Some(later) = later {
            self.gap = Some(Gap {
                behind: 1,
                missing: later - expected,
            });
            return Ok(None);
        }
        let earlier = (expected.saturating_sub(SEARCH_MESSAGES)..expected)
            .rev()
            .find(|&m| self.is(m, payload));
        if let Some(message) = earlier {
            return Err(Fault::Repeated { message, expected });
        }
        let index = self.index(expected);
        let sent = self.tape.payload(index);
        let byte = payload.iter().zip(sent).position(|(a, b)| a != b);
        Err(Fault::Corrupted {
            message: expected,
            kind: self.tape.kind(index),
            byte: byte.unwrap_or(payload.len().min(sent.len())),
            bytes: payload.len(),
            bytes_expected: sent.len(),
        })
    }

    fn lost(&self, gap: Gap) -> Fault {
        Fault::Lost {
            first: self.received,
            count: gap.missing,
            kind: self.tape.kind(self.index(self.received)),
        }
    }

    fn is(&self, message: u64, payload: &[u8]) -> bool {
        self.tape.payload(self.index(message)) == payload
    }

    /// The place of a message on the tape.
    fn index(&self, message: u64) -> usize {
        (message % self.tape.len().max(1) as u64) as usize
    }
}
