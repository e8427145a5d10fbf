use proptest::prelude::*;
use tickwire_codecs::{Codec, Limits};
use tickwire_sbe_tests::tick::*;

use crate::fixtures;

proptest! {
    /// Whatever is written is read back.
    #[test]
    fn depth_round_trip(
        times in any::<(i64, i64, i64)>(),
        exponents in any::<(i8, i8)>(),
        bids in prop::collection::vec(any::<(i64, i64)>(), 0..50),
        asks in prop::collection::vec(any::<(i64, i64)>(), 0..50),
        symbol in "\\PC{0,60}",
    ) {
        let bid_entries: Vec<_> =
            bids.iter().map(|l| DepthDiffBidsEntry { price: l.0.into(), quantity: l.1.into() }).collect();
        let ask_entries: Vec<_> =
            asks.iter().map(|l| DepthDiffAsksEntry { price: l.0.into(), quantity: l.1.into() }).collect();
        let message = DepthDiffBuilder {
            root: DepthDiffRoot {
                event_time: times.0.into(),
                first_update_id: times.1.into(),
                last_update_id: times.2.into(),
                price_exponent: exponents.0,
                quantity_exponent: exponents.1,
            },
            bids: &bid_entries,
            asks: &ask_entries,
            symbol: symbol.as_str().into(),
        };
        let bytes = fixtures::encode::<DepthDiff>(&message);
        let view = DepthDiff::view(&bytes, &Limits::FEED).unwrap();
        prop_assert_eq!((view.event_time(), view.first_update_id(), view.last_update_id()), times);
        prop_assert_eq!((view.price_exponent(), view.quantity_exponent()), exponents);
        prop_assert_eq!(view.bids().iter().map(|l| (l.price(), l.quantity())).collect::<Vec<_>>(), bids);
        prop_assert_eq!(view.asks().iter().map(|l| (l.price(), l.quantity())).collect::<Vec<_>>(), asks);
        prop_assert_eq!(view.symbol().text(), Ok(symbol.as_str()));
    }
}
