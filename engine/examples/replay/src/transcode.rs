//! A tape's JSON as SBE, message by message, with nothing lost but names.
//!
//! | JSON | SBE |
//! |---|---|
//! | `s@bookTicker` `{u s b B a A}` | `BestBidOffer`; its event time is not known and 0 |
//! | `s@trade` `{e E s t p q T m M}` | `Trades` with one entry; `M` must be true, as in the venue's own SBE |
//! | `s@depth` `{e E s U u b a}` | `DepthDiff` |
//! | REST `{lastUpdateId bids asks}` | `DepthSnapshot`; event time 0, symbol empty: it has none |
//!
//! Decimal text becomes a mantissa and an exponent, minus the decimals that the text has; where
//! numbers of one message differ in that, the exponent of the longest. Milliseconds become
//! microseconds.

#[cfg(test)]
mod tests;

use serde_json::Value;
use tickwire_codecs::{Codec, Decimal, Encode};
use tickwire_tick::{
    Aggressor, BestBidOffer, BestBidOfferBuilder, BestBidOfferRoot, DepthDiff, DepthDiffAsksEntry,
    DepthDiffBidsEntry, DepthDiffBuilder, DepthDiffRoot, DepthSnapshot, DepthSnapshotAsksEntry,
    DepthSnapshotBidsEntry, DepthSnapshotBuilder, DepthSnapshotRoot, Trades, TradesBuilder,
    TradesRoot, TradesTradesEntry,
};

use crate::expected::{Expected, Model};
use crate::tape::{Kind, Tape};

/// A tape of SBE, and what a client must know at its end.
///
/// # Errors
/// One line that says which message cannot be transcoded, and why.
pub(crate) fn transcode(json: &Tape) -> Result<(Tape, Expected), String> {
    let mut sbe = Tape::default();
    let mut model = Model::default();
    for index in 0..json.len() {
        let kind = json.kind(index);
        let told = |what: String| format!("message {index} ({kind}): {what}");
        let value: Value =
            serde_json::from_slice(json.payload(index)).map_err(|e| told(e.to_string()))?;
        let payload = message(kind, &value).map_err(told)?;
        model.message(kind, value).map_err(told)?;
        let at_ns = u64::try_from(json.at(index).as_nanos()).unwrap_or(u64::MAX);
        sbe.push_as(at_ns, kind, &payload).map_err(told)?;
    }
    Ok((sbe, model.finish()?))
}

/// One message as SBE.
fn message(kind: Kind, value: &Value) -> Result<Vec<u8>, String> {
    let data = &value["data"];
    match kind {
        Kind::BookTicker => book_ticker(data),
        Kind::Trade => trade(data),
        Kind::Depth => depth(data),
        Kind::Snapshot => snapshot(value),
        Kind::Other => Err("no SBE for it".into()),
    }
}

fn book_ticker(data: &Value) -> Result<Vec<u8>, String> {
    let prices = Shared::of([text(data, "b")?, text(data, "a")?])?;
    let quantities = Shared::of([text(data, "B")?, text(data, "A")?])?;
    finish::<BestBidOffer>(&BestBidOfferBuilder {
        root: BestBidOfferRoot {
            event_time: 0.into(),
            update_id: whole(data, "u")?.into(),
            price_exponent: prices.exponent,
            quantity_exponent: quantities.exponent,
            bid_price: prices.mantissa(text(data, "b")?)?.into(),
            bid_quantity: quantities.mantissa(text(data, "B")?)?.into(),
            ask_price: prices.mantissa(text(data, "a")?)?.into(),
            ask_quantity: quantities.mantissa(text(data, "A")?)?.into(),
        },
        symbol: text(data, "s")?.into(),
    })
}

fn trade(data: &Value) -> Result<Vec<u8>, String> {
    if data["M"] != true {
        return Err("`M` is not true".into());
    }
    let buyer_is_maker = data["m"].as_bool().ok_or("`m` is not a boolean")?;
    let (price, quantity) = (text(data, "p")?, text(data, "q")?);
    let (prices, quantities) = (Shared::of([price])?, Shared::of([quantity])?);
    finish::<Trades>(&TradesBuilder {
        root: TradesRoot {
            event_time: micros(data, "E")?.into(),
            transact_time: micros(data, "T")?.into(),
            price_exponent: prices.exponent,
            quantity_exponent: quantities.exponent,
        },
        trades: &[TradesTradesEntry {
            id: whole(data, "t")?.into(),
            price: prices.mantissa(price)?.into(),
            quantity: quantities.mantissa(quantity)?.into(),
            aggressor: if buyer_is_maker {
                Aggressor::SELLER
            } else {
                Aggressor::BUYER
            },
        }],
        symbol: text(data, "s")?.into(),
    })
}

fn depth(data: &Value) -> Result<Vec<u8>, String> {
    let levels = BothSides::of(data, "b", "a")?;
    let bids: Vec<_> = levels
        .bids
        .iter()
        .map(|&(price, quantity)| DepthDiffBidsEntry {
            price: price.into(),
            quantity: quantity.into(),
        })
        .collect();
    let asks: Vec<_> = levels
        .asks
        .iter()
        .map(|&(price, quantity)| DepthDiffAsksEntry {
            price: price.into(),
            quantity: quantity.into(),
        })
        .collect();
    finish::<DepthDiff>(&DepthDiffBuilder {
        root: DepthDiffRoot {
            event_time: micros(data, "E")?.into(),
            first_update_id: whole(data, "U")?.into(),
            last_update_id: whole(data, "u")?.into(),
            price_exponent: levels.price_exponent,
            quantity_exponent: levels.quantity_exponent,
        },
        bids: &bids,
        asks: &asks,
        symbol: text(data, "s")?.into(),
    })
}

fn snapshot(value: &Value) -> Result<Vec<u8>, String> {
    let levels = BothSides::of(value, "bids", "asks")?;
    let bids: Vec<_> = levels
        .bids
        .iter()
        .map(|&(price, quantity)| DepthSnapshotBidsEntry {
            price: price.into(),
            quantity: quantity.into(),
        })
        .collect();
    let asks: Vec<_> = levels
        .asks
        .iter()
        .map(|&(price, quantity)| DepthSnapshotAsksEntry {
            price: price.into(),
            quantity: quantity.into(),
        })
        .collect();
    finish::<DepthSnapshot>(&DepthSnapshotBuilder {
        root: DepthSnapshotRoot {
            event_time: 0.into(),
            update_id: whole(value, "lastUpdateId")?.into(),
            price_exponent: levels.price_exponent,
            quantity_exponent: levels.quantity_exponent,
        },
        bids: &bids,
        asks: &asks,
        symbol: "".into(),
    })
}

fn finish<C: Codec>(message: &impl Encode<C>) -> Result<Vec<u8>, String> {
    let mut out = vec![0; message.encoded_len()];
    message.encode(&mut out).map_err(|e| e.to_string())?;
    Ok(out)
}

/// Both sides' levels in mantissas.
struct BothSides {
    price_exponent: i8,
    quantity_exponent: i8,
    bids: Vec<(i64, i64)>,
    asks: Vec<(i64, i64)>,
}

impl BothSides {
    fn of(value: &Value, bids: &str, asks: &str) -> Result<Self, String> {
        let [bids, asks] = [bids, asks].map(|name| levels(value, name));
        let (bids, asks) = (bids?, asks?);
        let both = || bids.iter().chain(&asks);
        let prices = Shared::of(both().map(|level| level.0))?;
        let quantities = Shared::of(both().map(|level| level.1))?;
        let mantissas = |side: &[(&str, &str)]| -> Result<Vec<_>, String> {
            side.iter()
                .map(|(p, q)| Ok((prices.mantissa(p)?, quantities.mantissa(q)?)))
                .collect()
        };
        Ok(Self {
            price_exponent: prices.exponent,
            quantity_exponent: quantities.exponent,
            bids: mantissas(&bids)?,
            asks: mantissas(&asks)?,
        })
    }
}

/// The exponent that numbers of a message share.
#[derive(Clone, Copy)]
struct Shared {
    exponent: i8,
}

impl Shared {
    /// That of the number with the most decimals.
    fn of<'a>(numbers: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut exponent = 0;
        for number in numbers {
            exponent = exponent.min(decimal(number)?.exponent);
        }
        Ok(Self { exponent })
    }

    fn mantissa(self, number: &str) -> Result<i64, String> {
        match decimal(number)?.rescaled(self.exponent) {
            Some(decimal) => Ok(decimal.mantissa),
            None => Err(format!("{number:?} does not fit in 64 bits")),
        }
    }
}

pub(crate) fn decimal(number: &str) -> Result<Decimal, String> {
    number.parse().map_err(|e| format!("{number:?}: {e}"))
}

/// A string of a JSON object.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, String> {
    value[name]
        .as_str()
        .ok_or_else(|| format!("`{name}` is not a string"))
}

/// A whole number of a JSON object.
pub(crate) fn whole(value: &Value, name: &str) -> Result<i64, String> {
    value[name]
        .as_i64()
        .ok_or_else(|| format!("`{name}` is not a whole number"))
}

/// Milliseconds of a JSON object as microseconds.
fn micros(value: &Value, name: &str) -> Result<i64, String> {
    whole(value, name)?
        .checked_mul(1000)
        .ok_or_else(|| format!("`{name}` is not a time"))
}

/// A list of `["price","quantity"]`.
pub(crate) fn levels<'a>(value: &'a Value, name: &str) -> Result<Vec<(&'a str, &'a str)>, String> {
    let level = |level: &'a Value| match level.as_array()?.as_slice() {
        [price, quantity] => Some((price.as_str()?, quantity.as_str()?)),
        _ => None,
    };
    let list = value[name].as_array();
    list.and_then(|list| list.iter().map(level).collect())
        .ok_or_else(|| format!("`{name}` is not a list of levels"))
}
