//! What a client must know at the end of the tape, found without decoding: prices and quantities
//! stay the text that they are in the JSON, and are compared as text.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Value;
use tickwire_codecs::Decimal;

use crate::book::{BookFault, Side, Top};
use crate::feeds::Topic;
use crate::follow::{Follower, Trade};
use crate::tape::Kind;
use crate::transcode::{decimal, levels, text, whole};

/// Digits before the point, and the number without zeros at its end: in this order numbers
/// that are not negative are sorted.
type Key = (usize, String);

/// A book of text.
#[derive(Debug, Default)]
pub(crate) struct Model {
    bids: BTreeMap<Key, String>,
    asks: BTreeMap<Key, String>,
    /// The last change in it.
    last: Option<i64>,
    /// The last of each symbol.
    quotes: BTreeMap<String, Value>,
    trade: Option<Value>,
}

impl Model {
    /// Takes the next message.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn message(&mut self, kind: Kind, value: Value) -> Result<(), String> {
        match kind {
            Kind::Snapshot => {
                self.bids.clear();
                self.asks.clear();
                apply(&mut self.bids, &value, "bids")?;
                apply(&mut self.asks, &value, "asks")?;
                self.last = Some(whole(&value, "lastUpdateId")?);
            }
            Kind::BookTicker => {
                let symbol = text(&value["data"], "s")?.to_owned();
                self.quotes.insert(symbol, value);
            }
            Kind::Trade => self.trade = Some(value),
            Kind::Depth => self.depth(&value)?,
            Kind::Other => return Err("not a part of a market".into()),
        }
        Ok(())
    }

    fn depth(&mut self, value: &Value) -> Result<(), String> {
        let data = &value["data"];
        let last = whole(data, "u")?;
        let before = self
            .last
            .ok_or("a change of the book before its snapshot")?;
        if last > before {
            apply(&mut self.bids, data, "b")?;
            apply(&mut self.asks, data, "a")?;
            self.last = Some(last);
        }
        Ok(())
    }

    /// What is known after the last message.
    ///
    /// # Errors
    /// A number that is none.
    pub(crate) fn finish(self) -> Result<Expected, String> {
        let both = |(price, quantity): (&Key, &String)| -> Result<_, String> {
            Ok((decimal(&price.1)?, decimal(quantity)?))
        };
        let quote = |value: &Value| -> Result<_, String> {
            let number = |name| decimal(text(&value["data"], name)?);
            Ok(Top {
                bid: number("b")?,
                bid_quantity: number("B")?,
                ask: number("a")?,
                ask_quantity: number("A")?,
            })
        };
        let trade = |value: &Value| -> Result<_, String> {
            let data = &value["data"];
            Ok(Trade {
                id: whole(data, "t")?,
                price: decimal(text(data, "p")?)?,
                quantity: decimal(text(data, "q")?)?,
            })
        };
        let quotes = self.quotes.iter();
        let quotes = quotes.map(|(symbol, value)| Ok((symbol.clone(), quote(value)?)));
        Ok(Expected {
            last_update: self.last,
            bids: self.bids.iter().rev().map(both).collect::<Result<_, _>>()?,
            asks: self.asks.iter().map(both).collect::<Result<_, _>>()?,
            quotes: quotes.collect::<Result<_, String>>()?,
            trade: self.trade.as_ref().map(trade).transpose()?,
        })
    }
}

fn apply(side: &mut BTreeMap<Key, String>, value: &Value, name: &str) -> Result<(), String> {
    for (price, quantity) in levels(value, name)? {
        let price = key(price)?;
        if key(quantity)?.1 == "0" {
            side.remove(&price);
        } else {
            side.insert(price, quantity.into());
        }
    }
    Ok(())
}

/// `digits` or `digits.digits`, without a zero in front that means nothing.
fn key(number: &str) -> Result<Key, String> {
    let (before, after) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let canonical = before == "0" || !before.starts_with('0');
    if !digits(before) || !digits(after) || !canonical {
        return Err(format!("{number:?} is not digits with a point"));
    }
    Ok(match after.trim_end_matches('0') {
        "" => (before.len(), before.into()),
        after => (before.len(), format!("{before}.{after}")),
    })
}

/// What a client must know at the end of the tape.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Expected {
    last_update: Option<i64>,
    /// From the best one on.
    bids: Vec<(Decimal, Decimal)>,
    asks: Vec<(Decimal, Decimal)>,
    /// The last of each symbol.
    quotes: BTreeMap<String, Top>,
    trade: Option<Trade>,
}

impl Expected {
    /// Levels of both sides.
    pub(crate) fn levels(&self) -> [usize; 2] {
        [self.bids.len(), self.asks.len()]
    }

    /// Whether a client that is at the end of a channel knows what it tells: the last quote of
    /// every symbol, the last trade, every level of the book.
    ///
    /// # Errors
    /// The first thing that differs.
    pub(crate) fn check(&self, client: &Follower, feed: Topic) -> Result<(), BookFault> {
        let differs = |what: String| Err(BookFault::Differs(what));
        match feed {
            Topic::Bbo if self.quotes != client.quotes => {
                differs(format!("{:?}, and not {:?}", client.quotes, self.quotes))
            }
            Topic::Trades if self.trade != client.trade => {
                differs(format!("{:?}, and not {:?}", client.trade, self.trade))
            }
            Topic::Depth => self.check_book(client),
            Topic::Bbo | Topic::Trades | Topic::Bulk => Ok(()),
        }
    }

    fn check_book(&self, client: &Follower) -> Result<(), BookFault> {
        let differs = |what: String| Err(BookFault::Differs(what));
        let last = client.book.last_update();
        if self.last_update != last {
            return differs(format!(
                "its last change is {last:?}, and not {:?}",
                self.last_update
            ));
        }
        let exponents = client.book.exponents();
        for (side, expected) in [(Side::Bid, &self.bids), (Side::Ask, &self.asks)] {
            let found = client.book.levels(side);
            if found.len() != expected.len() {
                let (ours, theirs) = (found.len(), expected.len());
                return differs(format!("{ours} levels, and not {theirs}, of {side:?}"));
            }
            for (place, (level, &(price, quantity))) in found.zip(expected).enumerate() {
                let is = |number: Decimal, mantissa, exponent| {
                    number
                        .rescaled(exponent)
                        .is_some_and(|n| n.mantissa == mantissa)
                };
                if !is(price, level.price, exponents.price)
                    || !is(quantity, level.quantity, exponents.quantity)
                {
                    return differs(format!(
                        "level {place} of {side:?} is {level:?} of {exponents:?}, and not {quantity} at {price}"
                    ));
                }
            }
        }
        Ok(())
    }
}
