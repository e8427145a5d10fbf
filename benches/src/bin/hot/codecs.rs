//! Views of wire formats: every message is checked, every field is read, and the sum is compared.

use std::hint::black_box;

use tickwire_codecs::itch::{AddOrder, Head, Itch50, Message as Itch, Price4, Side};
use tickwire_codecs::telemetry::{Telemetry, Value, Values, Writer};
use tickwire_codecs::{Chars, Codec, Encode, Limits};
use tickwire_tick::{
    AnyMessage, BestBidOffer, BestBidOfferBuilder, BestBidOfferRoot, DepthDiff, DepthDiffAsksEntry,
    DepthDiffBidsEntry, DepthDiffBuilder, DepthDiffRoot, Message,
};

use crate::{BATCH, Path};

const LIMITS: &Limits = &Limits::FEED;
const SYMBOL: &str = "BTCUSDT";
/// Levels on each side of a depth message: the mean of recorded messages.
const LEVELS: usize = 18;
const READINGS: u16 = 100;

pub(crate) const PATHS: &[Path] = &[
    Path {
        name: "sbe-bbo",
        what: "SBE best bid and offer: checked, dispatched, every field read",
        walk: |batches| walk(batches, &bbo()?, bbo_total),
    },
    Path {
        name: "sbe-bbo-encode",
        what: "the same, written",
        walk: bbo_encode,
    },
    Path {
        name: "sbe-depth36",
        what: "SBE depth of 36 levels: checked, every level read",
        walk: |batches| walk(batches, &depth()?, depth_total),
    },
    Path {
        name: "itch-add-order",
        what: "ITCH add order: checked, dispatched, fields read",
        walk: |batches| walk(batches, &add_order()?, add_order_total),
    },
    Path {
        name: "telemetry-100",
        what: "batch of 100 sensor readings: checked, every reading read",
        walk: |batches| walk(batches, &readings()?, readings_total),
    },
];

/// Reads `wire` once per unit; returns how many readings gave the same sum as the first.
fn walk(batches: usize, wire: &[u8], total: fn(&[u8]) -> Option<u64>) -> Option<usize> {
    let expected = total(wire)?;
    let mut done = 0;
    for _ in 0..batches * BATCH {
        done += usize::from(total(black_box(wire))? == expected);
    }
    Some(done)
}

fn bytes<C: Codec>(value: &impl Encode<C>) -> Option<Vec<u8>> {
    let mut wire = vec![0; value.encoded_len()];
    value.encode(&mut wire).ok()?;
    Some(wire)
}

fn bbo_builder() -> BestBidOfferBuilder<'static> {
    BestBidOfferBuilder {
        root: BestBidOfferRoot {
            event_time: 1_700_000_000_000_000.into(),
            update_id: 50_000_000_007.into(),
            price_exponent: -2,
            quantity_exponent: -5,
            bid_price: 6_012_345.into(),
            bid_quantity: 678_901.into(),
            ask_price: 6_012_346.into(),
            ask_quantity: 23_456.into(),
        },
        symbol: SYMBOL.into(),
    }
}

fn bbo() -> Option<Vec<u8>> {
    bytes::<BestBidOffer>(&bbo_builder())
}

fn bbo_total(wire: &[u8]) -> Option<u64> {
    let Message::BestBidOffer(m) = AnyMessage::view(wire, LIMITS).ok()? else {
        return None;
    };
    let numbers = [
        m.event_time(),
        m.update_id(),
        m.bid_price(),
        m.bid_quantity(),
        m.ask_price(),
        m.ask_quantity(),
        i64::from(m.price_exponent()),
        i64::from(m.quantity_exponent()),
    ];
    Some(sum(&numbers).wrapping_add(m.symbol().text().ok()?.len() as u64))
}

fn bbo_encode(batches: usize) -> Option<usize> {
    let (expected, mut wire) = (bbo()?, bbo()?);
    let mut done = 0;
    for _ in 0..batches * BATCH {
        let len = Encode::<BestBidOffer>::encode(black_box(&bbo_builder()), &mut wire).ok()?;
        done += usize::from(black_box(&wire).len() == len);
    }
    (wire == expected).then_some(done)
}

fn depth() -> Option<Vec<u8>> {
    let level = |i: usize| ((6_000_000 + i as i64).into(), (100 + i as i64).into());
    let bids: Vec<_> = (0..LEVELS)
        .map(level)
        .map(|(price, quantity)| DepthDiffBidsEntry { price, quantity })
        .collect();
    let asks: Vec<_> = (0..LEVELS)
        .map(level)
        .map(|(price, quantity)| DepthDiffAsksEntry { price, quantity })
        .collect();
    bytes::<DepthDiff>(&DepthDiffBuilder {
        root: DepthDiffRoot {
            event_time: 1_700_000_000_000_000.into(),
            first_update_id: 50_000_000_007.into(),
            last_update_id: 50_000_000_047.into(),
            price_exponent: -2,
            quantity_exponent: -5,
        },
        bids: &bids,
        asks: &asks,
        symbol: SYMBOL.into(),
    })
}

fn depth_total(wire: &[u8]) -> Option<u64> {
    let Message::DepthDiff(m) = AnyMessage::view(wire, LIMITS).ok()? else {
        return None;
    };
    let head = [
        m.event_time(),
        m.first_update_id(),
        m.last_update_id(),
        i64::from(m.price_exponent()),
        i64::from(m.quantity_exponent()),
    ];
    let bids = m.bids().iter().map(|l| sum(&[l.price(), l.quantity()]));
    let asks = m.asks().iter().map(|l| sum(&[l.price(), l.quantity()]));
    Some(bids.chain(asks).fold(sum(&head), u64::wrapping_add))
}

fn sum(numbers: &[i64]) -> u64 {
    let add = |sum: u64, n: &i64| sum.wrapping_add(n.cast_unsigned());
    numbers.iter().fold(0, add)
}

fn add_order() -> Option<Vec<u8>> {
    bytes::<Itch50>(&AddOrder {
        head: Head::new(7, 2, 34_200_000_000_000)?,
        order_reference: (1 << 40).into(),
        side: Side::Buy.into(),
        shares: 100.into(),
        stock: Chars::<8>::spaced("AAPL")?,
        price: Price4::new(1_900_000),
    })
}

fn add_order_total(wire: &[u8]) -> Option<u64> {
    let Itch::AddOrder(m) = Itch50::view(wire, LIMITS).ok()? else {
        return None;
    };
    Some(
        m.order_reference.get()
            ^ u64::from(m.shares.get())
            ^ u64::from(m.price.raw())
            ^ m.head.timestamp.value()
            ^ u64::from(m.head.stock_locate.get())
            ^ u64::from(m.side.byte()),
    )
}

fn readings() -> Option<Vec<u8>> {
    let mut wire = vec![0; 16 + usize::from(READINGS) * 8];
    let mut batch = Writer::begin(&mut wire, 1_000_000, 1_000, Values::Float).ok()?;
    for sensor in 0..READINGS {
        let time_us = 1_000_000 + u64::from(sensor) * 3_000;
        let value = Value::Float(f32::from(sensor) / 2.0);
        batch.push(sensor, time_us, value).ok()?;
    }
    batch.finish();
    Some(wire)
}

fn readings_total(wire: &[u8]) -> Option<u64> {
    let view = Telemetry::view(wire, LIMITS).ok()?;
    let total = view.readings().fold(0.0, |sum, reading| {
        let value = match reading.value {
            Value::Float(value) => f64::from(value),
            _ => f64::NAN,
        };
        sum + value + reading.time_us as f64 + f64::from(reading.sensor)
    });
    total.is_finite().then_some(total.to_bits())
}
