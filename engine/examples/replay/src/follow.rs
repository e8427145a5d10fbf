//! What a client knows of the market: it decodes each message where it was received.

use std::collections::BTreeMap;

use tickwire_codecs::{Codec, Decimal, Limits};
use tickwire_tick::{AnyMessage, BestBidOfferView, Message};

use crate::book::{Book, BookFault, Top};

/// Of a message: the largest snapshots that exchanges send, 5,000 levels of both sides, are
/// 160,000 bytes.
pub(crate) const LIMITS: Limits = Limits {
    max_msg: 256 * 1024,
    max_items: 8192,
    ..Limits::FEED
};

/// The last trade.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Trade {
    pub(crate) id: i64,
    pub(crate) price: Decimal,
    pub(crate) quantity: Decimal,
}

/// Follows the channels of one connection from their beginning. A book that is there already
/// begins anew with the next snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Follower {
    pub(crate) book: Book,
    /// The last best bid and offer, and those of each symbol.
    pub(crate) quote: Option<Top>,
    pub(crate) quotes: BTreeMap<String, Top>,
    pub(crate) trade: Option<Trade>,
}

impl Follower {
    pub(crate) fn new() -> Self {
        Self {
            book: Book::new(),
            quote: None,
            quotes: BTreeMap::new(),
            trade: None,
        }
    }

    /// Takes a message from the bytes it was received in.
    ///
    /// # Errors
    /// What is wrong with it; the book is of no use then.
    #[inline]
    pub(crate) fn message(&mut self, bytes: &[u8]) -> Result<(), BookFault> {
        match AnyMessage::view(bytes, &LIMITS).map_err(BookFault::Decode)? {
            Message::BestBidOffer(view) => self.quote(&view)?,
            Message::Trades(view) => {
                for trade in view.trades() {
                    self.trade = Some(Trade {
                        id: trade.id(),
                        price: Decimal::new(trade.price(), view.price_exponent()),
                        quantity: Decimal::new(trade.quantity(), view.quantity_exponent()),
                    });
                }
            }
            Message::DepthDiff(view) => self.book.diff(&view)?,
            Message::DepthSnapshot(view) => self.book.snapshot(&view)?,
            Message::Unknown(_) => return Err(BookFault::Unknown),
        }
        Ok(())
    }

    #[inline]
    fn quote(&mut self, view: &BestBidOfferView<'_>) -> Result<(), BookFault> {
        let price = |mantissa| Decimal::new(mantissa, view.price_exponent());
        let quantity = |mantissa| Decimal::new(mantissa, view.quantity_exponent());
        let top = Top {
            bid: price(view.bid_price()),
            bid_quantity: quantity(view.bid_quantity()),
            ask: price(view.ask_price()),
            ask_quantity: quantity(view.ask_quantity()),
        };
        self.quote = Some(top);
        let symbol = view.symbol().text().map_err(BookFault::Symbol)?;
        match self.quotes.get_mut(symbol) {
            Some(known) => *known = top,
            None => {
                self.quotes.insert(symbol.into(), top);
            }
        }
        Ok(())
    }
}
