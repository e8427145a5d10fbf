//! An order book, kept by what the views say.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;

use tickwire_codecs::{Decimal, DecodeError};
use tickwire_tick::{DepthDiffView, DepthSnapshotView};

/// Levels of one side. The recorded book grows to 2,412; beyond this a feed adds and never
/// removes.
pub(crate) const LEVELS_MAX: usize = 1 << 16;

/// Levels of one side that have room from the beginning: those of the recorded book.
const LEVELS_USUAL: usize = 4096;

/// What is wrong with what a book was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum BookFault {
    /// The bytes are no message of the schema.
    Decode(DecodeError),
    /// A change is missing: `expected` was the next one.
    Gap {
        expected: i64,
        first: i64,
        last: i64,
    },
    /// A price that is not positive, or a negative quantity.
    NotALevel { price: Decimal, quantity: Decimal },
    /// A snapshot has a price twice.
    Repeated { price: Decimal },
    /// It has more digits than the book's snapshot.
    Digits { price: Decimal, quantity: Decimal },
    /// Somebody offers to sell for less than another offers to pay.
    Crossed { bid: Decimal, ask: Decimal },
    /// A side has [`LEVELS_MAX`] levels.
    Full,
    /// A change came before the snapshot.
    NoSnapshot,
    /// A message of a template that the schema does not have.
    Unknown,
    /// A symbol that is no text.
    Symbol(core::str::Utf8Error),
    /// It is not what the tape's JSON makes it.
    Differs(String),
}

impl fmt::Display for BookFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(e) => write!(f, "not decoded: {e}"),
            Self::Gap {
                expected,
                first,
                last,
            } => write!(
                f,
                "gap in the depth: changes {first} to {last} came where {expected} was next"
            ),
            Self::NotALevel { price, quantity } => {
                write!(f, "{quantity} at {price} is no level of a book")
            }
            Self::Repeated { price } => write!(f, "the snapshot has {price} twice"),
            Self::Digits { price, quantity } => {
                write!(f, "{quantity} at {price} has more digits than the snapshot")
            }
            Self::Crossed { bid, ask } => write!(f, "the book is crossed: bid {bid}, ask {ask}"),
            Self::Full => write!(f, "a side of the book is over {LEVELS_MAX} levels"),
            Self::NoSnapshot => write!(f, "a change of the book came before its snapshot"),
            Self::Unknown => write!(f, "a template that the schema does not have"),
            Self::Symbol(e) => write!(f, "the symbol is no text: {e}"),
            Self::Differs(what) => write!(f, "the market is not that of the JSON: {what}"),
        }
    }
}

/// A price with what is offered at it, in mantissas of the book's exponents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Level {
    pub(crate) price: i64,
    pub(crate) quantity: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Bid,
    Ask,
}

/// The best price of both sides and what is offered at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Top {
    pub(crate) bid: Decimal,
    pub(crate) bid_quantity: Decimal,
    pub(crate) ask: Decimal,
    pub(crate) ask_quantity: Decimal,
}

/// Levels of one side, the best one last: most changes are near it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Levels {
    side: Side,
    levels: Vec<Level>,
}

impl Levels {
    fn new(side: Side) -> Self {
        Self {
            side,
            levels: Vec::with_capacity(LEVELS_USUAL),
        }
    }

    /// Worse is less.
    fn order(side: Side, a: i64, b: i64) -> Ordering {
        match side {
            Side::Bid => a.cmp(&b),
            Side::Ask => b.cmp(&a),
        }
    }

    /// The quantity at `price` is now this; zero removes it, and removing nothing is usual.
    #[inline]
    fn set(&mut self, Level { price, quantity }: Level) -> Result<(), BookFault> {
        let side = self.side;
        let at = self
            .levels
            .binary_search_by(|level| Self::order(side, level.price, price));
        match at {
            Ok(at) if quantity == 0 => {
                self.levels.remove(at);
            }
            Ok(at) => self.levels[at].quantity = quantity,
            Err(_) if quantity == 0 => {}
            Err(_) if self.levels.len() >= LEVELS_MAX => return Err(BookFault::Full),
            Err(at) => self.levels.insert(at, Level { price, quantity }),
        }
        Ok(())
    }

    /// Everything anew. The price that is there twice, if one is.
    fn replace(&mut self, levels: impl Iterator<Item = Level>) -> Option<i64> {
        let side = self.side;
        self.levels.clear();
        self.levels
            .extend(levels.filter(|level| level.quantity != 0));
        self.levels
            .sort_unstable_by(|a, b| Self::order(side, a.price, b.price));
        let mut pairs = self.levels.windows(2);
        pairs
            .find(|pair| pair[0].price == pair[1].price)
            .map(|pair| pair[0].price)
    }
}

/// The exponents of a message's prices and quantities.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Exponents {
    pub(crate) price: i8,
    pub(crate) quantity: i8,
}

impl Exponents {
    /// A level in `to`; each of its mantissas is checked.
    #[inline]
    fn level(self, to: Self, price: i64, quantity: i64) -> Result<Level, BookFault> {
        if price <= 0 || quantity < 0 {
            return Err(BookFault::NotALevel {
                price: Decimal::new(price, self.price),
                quantity: Decimal::new(quantity, self.quantity),
            });
        }
        if self == to {
            return Ok(Level { price, quantity });
        }
        let price = Decimal::new(price, self.price);
        let quantity = Decimal::new(quantity, self.quantity);
        match (price.rescaled(to.price), quantity.rescaled(to.quantity)) {
            (Some(price), Some(quantity)) => Ok(Level {
                price: price.mantissa,
                quantity: quantity.mantissa,
            }),
            _ => Err(BookFault::Digits { price, quantity }),
        }
    }
}

/// Where a book stands in the sequence of changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    /// No snapshot came yet.
    Nothing,
    /// The snapshot contains all changes up to this one; the first message after it may overlap.
    Snapshot(i64),
    /// All changes up to this one are in the book; the next message begins with the next one.
    Change(i64),
}

/// One instrument's book.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Book {
    exponents: Exponents,
    bids: Levels,
    asks: Levels,
    at: At,
}

impl Book {
    pub(crate) fn new() -> Self {
        Self {
            exponents: Exponents::default(),
            bids: Levels::new(Side::Bid),
            asks: Levels::new(Side::Ask),
            at: At::Nothing,
        }
    }

    /// The last change in it; `None` before the snapshot.
    pub(crate) fn last_update(&self) -> Option<i64> {
        match self.at {
            At::Nothing => None,
            At::Snapshot(last) | At::Change(last) => Some(last),
        }
    }

    pub(crate) fn exponents(&self) -> Exponents {
        self.exponents
    }

    /// Levels of a side, from the best one on.
    pub(crate) fn levels(&self, side: Side) -> impl ExactSizeIterator<Item = Level> {
        let levels = match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        };
        levels.levels.iter().rev().copied()
    }

    /// The top; `None` while a side is empty.
    pub(crate) fn top(&self) -> Option<Top> {
        let (bid, ask) = (self.bids.levels.last()?, self.asks.levels.last()?);
        let price = |level: &Level| Decimal::new(level.price, self.exponents.price);
        let quantity = |level: &Level| Decimal::new(level.quantity, self.exponents.quantity);
        Some(Top {
            bid: price(bid),
            bid_quantity: quantity(bid),
            ask: price(ask),
            ask_quantity: quantity(ask),
        })
    }

    /// Begins anew with a snapshot.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn snapshot(&mut self, view: &DepthSnapshotView<'_>) -> Result<(), BookFault> {
        let exponents = Exponents {
            price: view.price_exponent(),
            quantity: view.quantity_exponent(),
        };
        let bids = view.bids().iter().map(|e| (e.price(), e.quantity()));
        let asks = view.asks().iter().map(|e| (e.price(), e.quantity()));
        for (price, quantity) in bids.clone().chain(asks.clone()) {
            exponents.level(exponents, price, quantity)?;
        }
        if bids.len().max(asks.len()) > LEVELS_MAX {
            return Err(BookFault::Full);
        }
        let level = |(price, quantity)| Level { price, quantity };
        let repeated = self.bids.replace(bids.map(level));
        let repeated = self.asks.replace(asks.map(level)).or(repeated);
        self.exponents = exponents;
        self.at = At::Snapshot(view.update_id());
        match repeated {
            Some(price) => Err(BookFault::Repeated {
                price: Decimal::new(price, exponents.price),
            }),
            None => self.is_not_crossed(),
        }
    }

    /// Applies changes. Those that the snapshot has already are skipped.
    ///
    /// # Errors
    /// What is wrong with them, such as a gap before them.
    #[inline]
    pub(crate) fn diff(&mut self, view: &DepthDiffView<'_>) -> Result<(), BookFault> {
        let (first, last) = (view.first_update_id(), view.last_update_id());
        let (before, continues) = match self.at {
            At::Nothing => return Err(BookFault::NoSnapshot),
            At::Snapshot(before) if last <= before => return Ok(()),
            At::Snapshot(before) => (before, first <= before.saturating_add(1)),
            At::Change(before) => (before, first == before.saturating_add(1)),
        };
        if !continues || last < first {
            return Err(BookFault::Gap {
                expected: before.saturating_add(1),
                first,
                last,
            });
        }
        let exponents = Exponents {
            price: view.price_exponent(),
            quantity: view.quantity_exponent(),
        };
        let to = self.exponents;
        for entry in view.bids() {
            let level = exponents.level(to, entry.price(), entry.quantity())?;
            self.bids.set(level)?;
        }
        for entry in view.asks() {
            let level = exponents.level(to, entry.price(), entry.quantity())?;
            self.asks.set(level)?;
        }
        self.at = At::Change(last);
        self.is_not_crossed()
    }

    fn is_not_crossed(&self) -> Result<(), BookFault> {
        match (self.bids.levels.last(), self.asks.levels.last()) {
            (Some(bid), Some(ask)) if bid.price >= ask.price => Err(BookFault::Crossed {
                bid: Decimal::new(bid.price, self.exponents.price),
                ask: Decimal::new(ask.price, self.exponents.price),
            }),
            _ => Ok(()),
        }
    }
}
