//! Views of the market data schema: check everything, read every field.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use tickwire_codecs::{Codec, Encode, Limits};
use tickwire_sbe_tests::tick::*;

/// A best bid and offer as the builder writes it; 50 bytes of fields and a symbol.
fn bbo() -> BestBidOfferBuilder<'static> {
    BestBidOfferBuilder {
        root: BestBidOfferRoot {
            event_time: 1_723_075_200_000_000.into(),
            update_id: 50_093_239_212.into(),
            price_exponent: -8,
            quantity_exponent: -8,
            bid_price: 6_183_763_000_000.into(),
            bid_quantity: 378_826_000.into(),
            ask_price: 6_183_764_000_000.into(),
            ask_quantity: 154_698_000.into(),
        },
        symbol: "BTCUSDT".into(),
    }
}

/// 18 levels a side: the mean of the recorded session is 36 levels.
fn levels() -> (Vec<DepthDiffBidsEntry>, Vec<DepthDiffAsksEntry>) {
    let bid = |i: i64| DepthDiffBidsEntry {
        price: (6_100_000 - i).into(),
        quantity: (i * 3).into(),
    };
    let ask = |i: i64| DepthDiffAsksEntry {
        price: (6_100_001 + i).into(),
        quantity: i.into(),
    };
    ((0..18).map(bid).collect(), (0..18).map(ask).collect())
}

fn encode<C: Codec>(value: &impl Encode<C>) -> Vec<u8> {
    let mut out = vec![0; value.encoded_len()];
    assert_eq!(value.encode(&mut out), Ok(out.len()));
    out
}

/// Every field of a best bid and offer.
fn read_bbo(view: &BestBidOfferView<'_>) -> i64 {
    view.event_time()
        ^ view.update_id()
        ^ view.bid_price()
        ^ view.bid_quantity()
        ^ view.ask_price()
        ^ view.ask_quantity()
        ^ i64::from(view.price_exponent())
        ^ i64::from(view.quantity_exponent())
        ^ view.symbol().text().map_or(0, str::len) as i64
}

/// Every field and level of a depth message.
fn read_depth(view: &DepthDiffView<'_>) -> i64 {
    let bids = view
        .bids()
        .iter()
        .fold(0, |sum: i64, l| sum.wrapping_add(l.price() ^ l.quantity()));
    let asks = view.asks().iter().fold(bids, |sum: i64, l| {
        sum.wrapping_add(l.price() ^ l.quantity())
    });
    asks ^ view.event_time()
        ^ view.first_update_id()
        ^ view.last_update_id()
        ^ view.symbol().text().map_or(0, str::len) as i64
}

fn views(c: &mut Criterion) {
    let bbo_bytes = encode::<BestBidOffer>(&bbo());
    let (bids, asks) = levels();
    let depth = DepthDiffBuilder {
        bids: &bids,
        asks: &asks,
        symbol: "BTCUSDT".into(),
        ..Default::default()
    };
    let depth_bytes = encode::<DepthDiff>(&depth);
    // The same levels from a sender whose entries are four bytes longer than ours.
    let strided = widen(&depth_bytes);
    let expected = read_depth(&DepthDiff::view(&depth_bytes, &Limits::FEED).unwrap());
    assert_eq!(
        read_depth(&DepthDiff::view(&strided, &Limits::FEED).unwrap()),
        expected
    );

    let mut group = c.benchmark_group("sbe");
    group.bench_function("best-bid-offer: view and read", |b| {
        b.iter(|| BestBidOffer::view(black_box(&bbo_bytes), &Limits::FEED).map(|v| read_bbo(&v)));
    });
    group.bench_function("best-bid-offer: any message", |b| {
        b.iter(
            || match AnyMessage::view(black_box(&bbo_bytes), &Limits::FEED) {
                Ok(Message::BestBidOffer(v)) => read_bbo(&v),
                _ => 0,
            },
        );
    });
    group.bench_function("36-level depth: view and read", |b| {
        b.iter(|| DepthDiff::view(black_box(&depth_bytes), &Limits::FEED).map(|v| read_depth(&v)));
    });
    group.bench_function("36-level depth: wider entries", |b| {
        b.iter(|| DepthDiff::view(black_box(&strided), &Limits::FEED).map(|v| read_depth(&v)));
    });
    let mut out = [0; 1024];
    group.bench_function("best-bid-offer: encode", |b| {
        b.iter(|| black_box(bbo()).encode(black_box(&mut out)));
    });
    group.bench_function("36-level depth: encode", |b| {
        b.iter(|| black_box(&depth).encode(black_box(&mut out)));
    });
    group.finish();
}

/// Sets the entries' blockLength to 20 and their version above ours.
fn widen(bytes: &[u8]) -> Vec<u8> {
    let block = 8 + DepthDiff::BLOCK_LENGTH as usize;
    let mut out = bytes[..block].to_vec();
    out[6] = 1;
    let mut rest = &bytes[block..];
    for _ in 0..2 {
        out.extend([20, 0, rest[2], rest[3]]);
        let count = usize::from(u16::from_le_bytes([rest[2], rest[3]]));
        for entry in rest[4..4 + count * 16].chunks_exact(16) {
            out.extend(entry);
            out.extend([0; 4]);
        }
        rest = &rest[4 + count * 16..];
    }
    out.extend(rest);
    out
}

criterion_group!(benches, views);
criterion_main!(benches);
