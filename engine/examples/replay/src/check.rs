//! Whether a client got every message, in order, as it was sent; and of quotes, which may be
//! skipped, the last of every symbol.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use crate::book::BookFault;
use crate::feeds::Topic;
use crate::play::Play;
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
    /// The number of a message, or of those that were skipped before it, does not go on from
    /// the one before; or some were skipped of a channel on which none may be.
    Sequence {
        topic: Topic,
        expected: u64,
        seq: u64,
        skipped: u64,
    },
    /// A quote without a stamp.
    NoStamp,
    /// A quote came after a later one of its symbol.
    Stale { message: u64, after: u64 },
    /// The last quote of a symbol never came.
    LastMissing { symbol: String, message: u64 },
    /// It was sent like this, and the market cannot be followed with it.
    Book {
        topic: Topic,
        message: u64,
        what: BookFault,
    },
    /// What is wrong with the file.
    Bulk(String),
    /// The channel ended before all had come.
    Ended { received: u64, sent: u64 },
    /// What came and what was skipped is not what was published.
    Unaccounted {
        topic: Topic,
        published: u64,
        messages: u64,
        skipped: u64,
    },
    /// A channel or a connection is over, or never was.
    Channel(String),
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
            Self::Sequence {
                topic,
                expected,
                seq,
                skipped,
            } => write!(
                f,
                "{topic}: message {seq} came, {skipped} skipped before it, in place of {expected}"
            ),
            Self::NoStamp => write!(f, "bbo: a quote has no stamp"),
            Self::Stale { message, after } => {
                write!(
                    f,
                    "bbo: quote {message} came after {after} of the same symbol"
                )
            }
            Self::LastMissing {
                symbol, message, ..
            } => {
                write!(f, "bbo: quote {message}, the last of {symbol}, never came")
            }
            Self::Book {
                topic,
                message,
                what,
            } => write!(f, "{topic}: message {message}: {what}"),
            Self::Bulk(what) => write!(f, "bulk: {what}"),
            Self::Ended { received, sent } => {
                write!(
                    f,
                    "{received} of {sent} messages came when the channel ended"
                )
            }
            Self::Unaccounted {
                topic,
                published,
                messages,
                skipped,
            } => write!(
                f,
                "{topic}: {messages} messages and {skipped} skipped, and {published} published"
            ),
            Self::Channel(what) => f.write_str(what),
        }
    }
}

/// Follows one client through the tape of a reliable channel, played `rounds` times.
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

    /// The channel has ended.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn finish(&self) -> Result<(), Fault> {
        match self.gap {
            Some(gap) => Err(self.lost(gap)),
            None if self.received < self.total => Err(Fault::Ended {
                received: self.received,
                sent: self.total,
            }),
            None => Ok(()),
        }
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

/// Follows one client through the quotes: of each symbol, newer ones come after older ones, as
/// they were published, and at the end the last.
#[derive(Debug)]
pub(crate) struct Quotes {
    /// The newest that came, by symbol.
    newest: Vec<Option<u64>>,
}

impl Quotes {
    pub(crate) fn new(play: &Play) -> Self {
        Self {
            newest: vec![None; play.feeds().symbols().len()],
        }
    }

    /// # Errors
    /// What is wrong with it; stop then.
    #[inline]
    pub(crate) fn message(&mut self, play: &Play, number: u64, quote: &[u8]) -> Result<(), Fault> {
        let sent = play.total(Topic::Bbo);
        if number >= sent {
            return Err(Fault::TooMany { sent });
        }
        let (published, symbol) = play.feeds().quote(number);
        if published != quote {
            let byte = quote.iter().zip(published).position(|(a, b)| a != b);
            return Err(Fault::Corrupted {
                message: number,
                kind: Kind::BookTicker,
                byte: byte.unwrap_or(quote.len().min(published.len())),
                bytes: quote.len(),
                bytes_expected: published.len(),
            });
        }
        let Some(newest) = self.newest.get_mut(symbol) else {
            return Err(Fault::TooMany { sent });
        };
        match newest.replace(number) {
            Some(after) if after >= number => Err(Fault::Stale {
                message: number,
                after,
            }),
            _ => Ok(()),
        }
    }

    /// The channel has ended.
    ///
    /// # Errors
    /// A symbol whose last quote did not come.
    pub(crate) fn finish(&self, play: &Play) -> Result<(), Fault> {
        let feeds = play.feeds();
        let before = (play.rounds - 1) * feeds.tape(Topic::Bbo).len() as u64;
        for (symbol, newest) in feeds.symbols().iter().zip(&self.newest) {
            let message = before + symbol.last as u64;
            if *newest != Some(message) {
                return Err(Fault::LastMissing {
                    symbol: symbol.name.clone(),
                    message,
                });
            }
        }
        Ok(())
    }
}
