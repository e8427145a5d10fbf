use std::collections::BTreeMap;

use tickwire_codecs::{Codec, Encode, Limits};
use tickwire_tick::{
    DepthDiff, DepthDiffAsksEntry, DepthDiffBidsEntry, DepthDiffBuilder, DepthDiffRoot,
    DepthSnapshot, DepthSnapshotAsksEntry, DepthSnapshotBidsEntry, DepthSnapshotBuilder,
    DepthSnapshotRoot,
};

use super::*;

type Pairs<'a> = &'a [(i64, i64)];

const CENTS: Exponents = Exponents {
    price: -2,
    quantity: -5,
};

fn snapshot(book: &mut Book, at: i64, bids: Pairs<'_>, asks: Pairs<'_>) -> Result<(), BookFault> {
    let bids: Vec<_> = bids
        .iter()
        .map(|&(price, quantity)| DepthSnapshotBidsEntry {
            price: price.into(),
            quantity: quantity.into(),
        })
        .collect();
    let asks: Vec<_> = asks
        .iter()
        .map(|&(price, quantity)| DepthSnapshotAsksEntry {
            price: price.into(),
            quantity: quantity.into(),
        })
        .collect();
    let sent = DepthSnapshotBuilder {
        root: DepthSnapshotRoot {
            event_time: 0.into(),
            update_id: at.into(),
            price_exponent: CENTS.price,
            quantity_exponent: CENTS.quantity,
        },
        bids: &bids,
        asks: &asks,
        symbol: "".into(),
    };
    let mut bytes = vec![0; Encode::<DepthSnapshot>::encoded_len(&sent)];
    sent.encode(&mut bytes).expect("room");
    book.snapshot(&DepthSnapshot::view(&bytes, &Limits::FEED).expect("a view"))
}

fn diff_of(
    book: &mut Book,
    exponents: Exponents,
    (first, last): (i64, i64),
    bids: Pairs<'_>,
    asks: Pairs<'_>,
) -> Result<(), BookFault> {
    let bids: Vec<_> = bids
        .iter()
        .map(|&(price, quantity)| DepthDiffBidsEntry {
            price: price.into(),
            quantity: quantity.into(),
        })
        .collect();
    let asks: Vec<_> = asks
        .iter()
        .map(|&(price, quantity)| DepthDiffAsksEntry {
            price: price.into(),
            quantity: quantity.into(),
        })
        .collect();
    let sent = DepthDiffBuilder {
        root: DepthDiffRoot {
            event_time: 0.into(),
            first_update_id: first.into(),
            last_update_id: last.into(),
            price_exponent: exponents.price,
            quantity_exponent: exponents.quantity,
        },
        bids: &bids,
        asks: &asks,
        symbol: "X".into(),
    };
    let mut bytes = vec![0; Encode::<DepthDiff>::encoded_len(&sent)];
    sent.encode(&mut bytes).expect("room");
    book.diff(&DepthDiff::view(&bytes, &Limits::FEED).expect("a view"))
}

fn diff(
    book: &mut Book,
    ids: (i64, i64),
    bids: Pairs<'_>,
    asks: Pairs<'_>,
) -> Result<(), BookFault> {
    diff_of(book, CENTS, ids, bids, asks)
}

/// A book at change 10 with two levels a side.
fn small() -> Book {
    let mut book = Book::new();
    snapshot(&mut book, 10, &[(100, 1), (99, 2)], &[(101, 3), (103, 4)]).expect("a book");
    book
}

fn levels(book: &Book, side: Side) -> Vec<(i64, i64)> {
    book.levels(side).map(|l| (l.price, l.quantity)).collect()
}

#[test]
fn a_book_is_what_a_map_would_be() {
    let mut state = 7_u64;
    let mut below = |n: i64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as i64 % n
    };
    for _ in 0..20 {
        let mut maps = [BTreeMap::new(), BTreeMap::new()];
        let mut book = Book::new();
        snapshot(&mut book, 0, &[], &[]).expect("an empty book");
        for change in 1..400 {
            let mut sides = [Vec::new(), Vec::new()];
            for (place, side) in sides.iter_mut().enumerate() {
                for _ in 0..below(6) {
                    let price = 1_000 * (place as i64 + 1) - below(60);
                    let quantity = (below(5) - 2).max(0);
                    side.push((price, quantity));
                    match quantity {
                        0 => maps[place].remove(&price),
                        _ => maps[place].insert(price, quantity),
                    };
                }
            }
            diff(&mut book, (change, change), &sides[0], &sides[1]).expect("a change");
            let bids: Vec<_> = maps[0].iter().rev().map(|(&p, &q)| (p, q)).collect();
            let asks: Vec<_> = maps[1].iter().map(|(&p, &q)| (p, q)).collect();
            assert_eq!(levels(&book, Side::Bid), bids);
            assert_eq!(levels(&book, Side::Ask), asks);
            let top = book.top().map(|top| (top.bid.mantissa, top.ask.mantissa));
            assert_eq!(top, bids.first().zip(asks.first()).map(|(b, a)| (b.0, a.0)));
        }
    }
}

#[test]
fn a_snapshot_may_be_in_any_order_and_replaces_everything() {
    let mut book = small();
    let bids = [(5, 1), (7, 0), (6, 3), (8, 4)];
    snapshot(&mut book, 20, &bids, &[(12, 1), (9, 2)]).expect("a book");
    assert_eq!(levels(&book, Side::Bid), [(8, 4), (6, 3), (5, 1)]);
    assert_eq!(levels(&book, Side::Ask), [(9, 2), (12, 1)]);
    assert_eq!(book.last_update(), Some(20));
}

#[test]
fn only_the_next_change_continues_the_book() {
    // After the snapshot of change 10; the last of a row is where the book stands then.
    for (ids, at) in [
        ((5, 9), Ok(10)),
        ((5, 10), Ok(10)),
        ((5, 11), Ok(11)),
        ((10, 12), Ok(12)),
        ((11, 11), Ok(11)),
        ((12, 12), Err(11)),
        ((1_000, 2_000), Err(11)),
        ((i64::MIN, i64::MAX), Ok(i64::MAX)),
    ] {
        let mut book = small();
        let found = diff(&mut book, ids, &[(98, 7)], &[]);
        let (first, last) = ids;
        match at {
            Ok(at) => assert_eq!((found, book.last_update()), (Ok(()), Some(at)), "{ids:?}"),
            Err(expected) => {
                let gap = BookFault::Gap {
                    expected,
                    first,
                    last,
                };
                assert_eq!((found, levels(&book, Side::Bid).len()), (Err(gap), 2));
            }
        }
    }
    // After that, an overlap is as wrong as a gap; so are changes that run backwards.
    for ids in [(11, 12), (12, 13), (14, 14), (13, 12), (i64::MAX, i64::MAX)] {
        let mut book = small();
        diff(&mut book, (9, 12), &[], &[]).expect("overlaps the snapshot");
        let found = diff(&mut book, ids, &[], &[]);
        let (first, last) = ids;
        let expected = 13;
        let gap = BookFault::Gap {
            expected,
            first,
            last,
        };
        assert_eq!(found, Err(gap));
        diff(&mut book, (13, 15), &[], &[]).expect("the next one");
    }
}

#[test]
fn other_exponents_are_exact_or_refused() {
    let mut book = small();
    let tenths = Exponents {
        price: -1,
        quantity: -4,
    };
    diff_of(&mut book, tenths, (11, 11), &[(9, 5)], &[(11, 0)]).expect("fewer digits");
    assert_eq!(levels(&book, Side::Bid), [(100, 1), (99, 2), (90, 50)]);
    let finer = Exponents {
        price: -8,
        quantity: -8,
    };
    let fits = [(98_000_000, 7_000)];
    diff_of(&mut book, finer, (12, 12), &fits, &[]).expect("zeros at the end");
    assert_eq!(levels(&book, Side::Bid)[2], (98, 7));
    for level in [(98_000_001, 7_000), (98_000_000, 7_001)] {
        let mut book = book.clone();
        let found = diff_of(&mut book, finer, (13, 13), &[level], &[]);
        assert!(matches!(found, Err(BookFault::Digits { .. })), "{found:?}");
    }
}

#[test]
fn what_is_no_book_is_refused() {
    for (bids, asks) in [([(0, 1)], []), ([(-1, 1)], []), ([(98, -1)], [])] {
        let found = diff(&mut small(), (11, 11), &bids, &asks);
        assert!(
            matches!(found, Err(BookFault::NotALevel { .. })),
            "{found:?}"
        );
        let found = snapshot(&mut Book::new(), 1, &asks, &bids);
        assert!(
            matches!(found, Err(BookFault::NotALevel { .. })),
            "{found:?}"
        );
    }
    let found = snapshot(&mut Book::new(), 1, &[(5, 1), (4, 1), (5, 2)], &[]);
    let price = Decimal::new(5, CENTS.price);
    assert_eq!(found, Err(BookFault::Repeated { price }));
    let found = diff(&mut small(), (11, 11), &[(101, 1)], &[]);
    let [bid, ask] = [101; 2].map(|cents| Decimal::new(cents, CENTS.price));
    assert_eq!(found, Err(BookFault::Crossed { bid, ask }));
    let found = diff(&mut Book::new(), (1, 1), &[], &[]);
    assert_eq!(found, Err(BookFault::NoSnapshot));
}

#[test]
fn a_side_does_not_grow_without_end() {
    let mut book = small();
    let mut full = Ok(());
    for (next, first) in (11..).zip((1_000..200_000).step_by(4_000)) {
        let asks: Vec<_> = (first..first + 4_000).map(|price| (price, 1)).collect();
        full = diff(&mut book, (next, next), &[], &asks);
        if full.is_err() {
            break;
        }
    }
    assert_eq!(full, Err(BookFault::Full));
    assert_eq!(book.levels(Side::Ask).len(), LEVELS_MAX);
}
