//! What a client knows of the market: it decodes each message where it was received.

use tickwire_codecs::{Codec, Decimal, Limits};
use tickwire_tick::{AnyMessage, Message};

use crate::book::{Book, BookFault, Top};

/// Of a message: the largest snapshots that exchanges send, 5,000 levels of both sides, are
/// 160,000 bytes.
pub(crate) const LIMITS: Limits = Limits {
    max_msg: 256 * 1024,
    max_items: 8192,
    ..Limits::FEED
};

/// Depth messages that are held while the snapshot is awaited: at ten a second, a minute and
/// more.
const HELD_MESSAGES_MAX: usize = 1_000;

/// Bytes of them: as many of the usual size, and some of the largest.
const HELD_BYTES_MAX: usize = 4 << 20;

/// The last trade.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Trade {
    pub(crate) id: i64,
    pub(crate) price: Decimal,
    pub(crate) quantity: Decimal,
}

/// What was seen beside the book.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Seen {
    pub(crate) snapshots: u64,
    pub(crate) quotes: u64,
    pub(crate) trades: u64,
    pub(crate) depths: u64,
    /// Messages of templates that the schema does not have: skipped.
    pub(crate) unknown: u64,
    /// The last best bid and offer.
    pub(crate) quote: Option<Top>,
    pub(crate) trade: Option<Trade>,
}

/// Follows one feed from its beginning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Follower {
    pub(crate) book: Book,
    pub(crate) seen: Seen,
    /// Depth messages that came before the snapshot, one behind the other, and their lengths.
    held: Vec<u8>,
    held_lens: Vec<usize>,
}

impl Follower {
    pub(crate) fn new() -> Self {
        Self {
            book: Book::new(),
            seen: Seen::default(),
            held: Vec::new(),
            held_lens: Vec::new(),
        }
    }

    /// The feed begins again.
    pub(crate) fn restart(&mut self) {
        self.book.clear();
        self.seen = Seen::default();
        self.held.clear();
        self.held_lens.clear();
    }

    /// Takes a message from the bytes it was received in.
    ///
    /// # Errors
    /// What is wrong with it; the book is of no use then.
    #[inline]
    pub(crate) fn message(&mut self, bytes: &[u8]) -> Result<(), BookFault> {
        match AnyMessage::view(bytes, &LIMITS).map_err(BookFault::Decode)? {
            Message::BestBidOffer(view) => {
                let price = |mantissa| Decimal::new(mantissa, view.price_exponent());
                let quantity = |mantissa| Decimal::new(mantissa, view.quantity_exponent());
                self.seen.quotes += 1;
                self.seen.quote = Some(Top {
                    bid: price(view.bid_price()),
                    bid_quantity: quantity(view.bid_quantity()),
                    ask: price(view.ask_price()),
                    ask_quantity: quantity(view.ask_quantity()),
                });
            }
            Message::Trades(view) => {
                for trade in view.trades() {
                    self.seen.trades += 1;
                    self.seen.trade = Some(Trade {
                        id: trade.id(),
                        price: Decimal::new(trade.price(), view.price_exponent()),
                        quantity: Decimal::new(trade.quantity(), view.quantity_exponent()),
                    });
                }
            }
            Message::DepthDiff(view) => {
                self.seen.depths += 1;
                if self.book.last_update().is_none() {
                    return self.hold(bytes);
                }
                self.book.diff(&view)?;
            }
            Message::DepthSnapshot(view) => {
                self.seen.snapshots += 1;
                self.book.snapshot(&view)?;
                self.release()?;
            }
            Message::Unknown(_) => self.seen.unknown += 1,
        }
        Ok(())
    }

    /// The receive buffer is lent for this call only: what is held is copied.
    #[cold]
    fn hold(&mut self, bytes: &[u8]) -> Result<(), BookFault> {
        let held = self.held_lens.len();
        if held >= HELD_MESSAGES_MAX || self.held.len() + bytes.len() > HELD_BYTES_MAX {
            return Err(BookFault::NoSnapshot { held });
        }
        self.held.extend_from_slice(bytes);
        self.held_lens.push(bytes.len());
        Ok(())
    }

    /// Applies what came before the snapshot.
    fn release(&mut self) -> Result<(), BookFault> {
        let mut rest = self.held.as_slice();
        for len in self.held_lens.drain(..) {
            let (bytes, after) = rest.split_at_checked(len).unwrap_or_default();
            rest = after;
            if let Message::DepthDiff(view) =
                AnyMessage::view(bytes, &LIMITS).map_err(BookFault::Decode)?
            {
                self.book.diff(&view)?;
            }
        }
        self.held.clear();
        Ok(())
    }
}
