//! What is published on which channel.
//!
//! | channel | mode | priority | of the tape |
//! |---|---|---|---|
//! | `bbo` | conflated, by symbol | 0 | book tickers, each behind a [stamp](Stamp) |
//! | `trades` | reliable | 1 | trades |
//! | `depth` | reliable | 4 | the snapshot of the book, then its changes |
//! | `bulk` | reliable | 7 | nothing: a file, again and again |

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tickwire::channels::{AcceptOptions, Direction, Mode, OpenOptions, SharedFrame};
use tickwire_codecs::Codec;
use tickwire_tick::{AnyMessage, Message};

use crate::bulk::CHUNK_BYTES;
use crate::follow::LIMITS;
use crate::tape::{Kind, Tape};

/// A channel, by what it carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Topic {
    Bbo,
    Trades,
    Depth,
    Bulk,
}

/// Channels of one connection.
pub(crate) const TOPICS: usize = 4;

/// Those that the tape is played on.
pub(crate) const FEEDS: usize = 3;

/// Aliases that the server gives to channels, the same on every connection: a message is encoded
/// once for all.
pub(crate) const SHARED_ALIASES: u32 = TOPICS as u32;

/// What a reader of the depth may have in flight: twice the largest snapshot, with what is
/// charged for its fragments.
const DEPTH_WINDOW_BYTES: u32 = 640 << 10;

/// Quotes that may be in flight to a reader. Few, so that those it cannot take yet are conflated
/// by the server; more than a burst brings between two turns of a reader that keeps up.
const BBO_WINDOW_MESSAGES: u32 = 32;

impl Topic {
    pub(crate) const ALL: [Self; TOPICS] = [Self::Bbo, Self::Trades, Self::Depth, Self::Bulk];
    pub(crate) const FEEDS: [Self; FEEDS] = [Self::Bbo, Self::Trades, Self::Depth];

    pub(crate) fn index(self) -> usize {
        self as usize
    }

    pub(crate) fn name(self) -> &'static str {
        ["bbo", "trades", "depth", "bulk"][self.index()]
    }

    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name().as_bytes() == name)
    }

    /// Where the messages of a kind go.
    fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::BookTicker => Some(Self::Bbo),
            Kind::Trade => Some(Self::Trades),
            Kind::Snapshot | Kind::Depth => Some(Self::Depth),
            Kind::Other => None,
        }
    }

    /// How a client opens it. Its number goes with it.
    pub(crate) fn open(self, client: usize) -> OpenOptions {
        let options = OpenOptions::new(self.name())
            .metadata((client as u64).to_le_bytes())
            .direction(Direction::AcceptorSends)
            .message_bytes_max(self.message_bytes_max() as u32);
        match self {
            Self::Bbo => options
                .priority(0)
                .mode(Mode::Conflated)
                .window(BBO_WINDOW_MESSAGES),
            Self::Trades => options.priority(1),
            Self::Depth => options.priority(4).window(DEPTH_WINDOW_BYTES),
            // Of the file only what the default window lets through is in flight: what a quote may
            // have to wait behind in the kernel's buffers.
            Self::Bulk => options.priority(7),
        }
    }

    /// How the server answers.
    pub(crate) fn accept(self) -> AcceptOptions {
        AcceptOptions::new().alias(self.alias())
    }

    fn alias(self) -> u32 {
        self.index() as u32
    }

    /// Bytes of its largest message.
    fn message_bytes_max(self) -> usize {
        match self {
            Self::Bbo | Self::Trades => 4 << 10,
            Self::Depth => LIMITS.max_msg as usize,
            Self::Bulk => CHUNK_BYTES,
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Stands before each quote: where quotes are conflated, their place in the stream does not tell
/// which of them came. Little-endian: `number u64, sent_ns u64`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stamp {
    /// Of all quotes published.
    pub(crate) number: u64,
    /// When it was due, or, where nothing is due, published: after the begin of the run.
    pub(crate) sent_ns: u64,
}

impl Stamp {
    pub(crate) fn put(self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.number.to_le_bytes());
        into.extend_from_slice(&self.sent_ns.to_le_bytes());
    }

    /// The stamp and what is behind it.
    #[inline]
    pub(crate) fn split(message: &[u8]) -> Option<(Self, &[u8])> {
        let (number, rest) = message.split_first_chunk()?;
        let (sent_ns, rest) = rest.split_first_chunk()?;
        let stamp = Self {
            number: u64::from_le_bytes(*number),
            sent_ns: u64::from_le_bytes(*sent_ns),
        };
        Some((stamp, rest))
    }
}

/// A tape, channel by channel.
pub(crate) struct Feeds {
    tapes: [Arc<Tape>; FEEDS],
    /// Messages encoded once, whatever the number of connections. Not the quotes: each
    /// connection conflates its own.
    frames: [Vec<SharedFrame>; FEEDS],
    symbols: Vec<Symbol>,
    /// The symbol of each quote.
    symbol_of: Vec<usize>,
    duration_ns: u64,
}

/// What is quoted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Symbol {
    pub(crate) name: String,
    /// Its last quote on the tape.
    pub(crate) last: usize,
}

impl Feeds {
    /// # Errors
    /// A message that has no channel, or does not fit it.
    pub(crate) fn new(sbe: &Tape) -> Result<Self, String> {
        let mut tapes: [Tape; FEEDS] = Default::default();
        for index in 0..sbe.len() {
            let (kind, payload) = (sbe.kind(index), sbe.payload(index));
            let told = |what: &str| format!("message {index} ({kind}): {what}");
            let topic = Topic::of(kind).ok_or_else(|| told("there is no channel for it"))?;
            if payload.len() + size_of::<Stamp>() > topic.message_bytes_max() {
                let max = topic.message_bytes_max() - size_of::<Stamp>();
                return Err(told(&format!("over {max} bytes of SBE")));
            }
            let at_ns = u64::try_from(sbe.at(index).as_nanos()).unwrap_or(u64::MAX);
            tapes[topic.index()].push_as(at_ns, kind, payload)?;
        }
        let mut frames: [Vec<SharedFrame>; FEEDS] = Default::default();
        for topic in [Topic::Trades, Topic::Depth] {
            let tape = &tapes[topic.index()];
            for index in 0..tape.len() {
                let frame = SharedFrame::new(topic.alias(), tape.payload(index));
                frames[topic.index()].push(frame.map_err(|e| e.to_string())?);
            }
        }
        let (symbols, symbol_of) = symbols(&tapes[Topic::Bbo.index()])?;
        Ok(Self {
            tapes: tapes.map(Arc::new),
            frames,
            symbols,
            symbol_of,
            duration_ns: u64::try_from(sbe.duration().as_nanos()).unwrap_or(u64::MAX),
        })
    }

    /// Of one round.
    pub(crate) fn tape(&self, feed: Topic) -> &Arc<Tape> {
        &self.tapes[feed.index()]
    }

    pub(crate) fn frame(&self, feed: Topic, number: u64) -> Option<&SharedFrame> {
        let frames = &self.frames[feed.index()];
        frames.get((number % frames.len().max(1) as u64) as usize)
    }

    /// Quote `number` of all rounds, and its symbol.
    pub(crate) fn quote(&self, number: u64) -> (&[u8], usize) {
        let tape = self.tape(Topic::Bbo);
        let index = (number % tape.len().max(1) as u64) as usize;
        let symbol = self.symbol_of.get(index).copied().unwrap_or_default();
        (tape.payload(index), symbol)
    }

    pub(crate) fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    /// When message `number` of all rounds is due, in nanoseconds at the speed of the recording.
    pub(crate) fn at_ns(&self, feed: Topic, number: u64) -> u64 {
        let tape = self.tape(feed);
        let len = tape.len().max(1) as u64;
        let at = tape.at((number % len) as usize).as_nanos() as u64;
        (number / len).saturating_mul(self.duration_ns) + at
    }

    /// Messages of all channels together.
    pub(crate) fn len(&self) -> usize {
        self.tapes.iter().map(|tape| tape.len()).sum()
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.duration_ns as f64 * 1e-9
    }
}

/// The symbols, and which each quote is of.
fn symbols(quotes: &Tape) -> Result<(Vec<Symbol>, Vec<usize>), String> {
    let mut by_name: BTreeMap<String, usize> = BTreeMap::new();
    let (mut symbols, mut symbol_of) = (Vec::new(), Vec::with_capacity(quotes.len()));
    for last in 0..quotes.len() {
        let message = AnyMessage::view(quotes.payload(last), &LIMITS);
        let Ok(Message::BestBidOffer(view)) = message else {
            return Err(format!("quote {last} is none: {message:?}"));
        };
        let Ok(name) = view.symbol().text() else {
            return Err(format!("quote {last} is of no symbol: {message:?}"));
        };
        let symbol = match by_name.get(name) {
            Some(&symbol) => symbol,
            None => {
                by_name.insert(name.into(), symbols.len());
                symbols.push(Symbol {
                    name: name.into(),
                    last,
                });
                symbols.len() - 1
            }
        };
        symbols[symbol].last = last;
        symbol_of.push(symbol);
    }
    Ok((symbols, symbol_of))
}
