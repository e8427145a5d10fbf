use tickwire_codecs::{Decimal, Limits};
use tickwire_tick::{AnyMessage, BestBidOfferView, KnownAggressor, Message, TradesView};

use super::*;
use crate::SEED;
use crate::tests::{generated, recording};

/// The JSON that an SBE message was made of.
fn json(bytes: &[u8]) -> String {
    match AnyMessage::view(bytes, &Limits::FEED).expect("a message") {
        Message::BestBidOffer(view) => json_of_quote(&view),
        Message::Trades(view) => json_of_trade(&view),
        Message::DepthDiff(v) => {
            let exponents = (v.price_exponent(), v.quantity_exponent());
            format!(
                r#"{{"stream":"{}@depth@100ms","data":{{"e":"depthUpdate","E":{},"s":"{}","U":{},"u":{},"b":[{}],"a":[{}]}}}}"#,
                v.symbol().to_string().to_lowercase(),
                millis(v.event_time()),
                v.symbol(),
                v.first_update_id(),
                v.last_update_id(),
                side(
                    exponents,
                    v.bids().iter().map(|l| (l.price(), l.quantity()))
                ),
                side(
                    exponents,
                    v.asks().iter().map(|l| (l.price(), l.quantity()))
                ),
            )
        }
        Message::DepthSnapshot(v) => {
            assert_eq!((v.event_time(), v.symbol()), (0, "".into()));
            let exponents = (v.price_exponent(), v.quantity_exponent());
            format!(
                r#"{{"lastUpdateId":{},"bids":[{}],"asks":[{}]}}"#,
                v.update_id(),
                side(
                    exponents,
                    v.bids().iter().map(|l| (l.price(), l.quantity()))
                ),
                side(
                    exponents,
                    v.asks().iter().map(|l| (l.price(), l.quantity()))
                ),
            )
        }
        Message::Unknown(v) => panic!("{v:?}"),
    }
}

fn json_of_quote(v: &BestBidOfferView<'_>) -> String {
    assert_eq!(v.event_time(), 0);
    let price = |mantissa| Decimal::new(mantissa, v.price_exponent());
    let quantity = |mantissa| Decimal::new(mantissa, v.quantity_exponent());
    format!(
        r#"{{"stream":"{}@bookTicker","data":{{"u":{},"s":"{}","b":"{}","B":"{}","a":"{}","A":"{}"}}}}"#,
        v.symbol().to_string().to_lowercase(),
        v.update_id(),
        v.symbol(),
        price(v.bid_price()),
        quantity(v.bid_quantity()),
        price(v.ask_price()),
        quantity(v.ask_quantity()),
    )
}

fn json_of_trade(v: &TradesView<'_>) -> String {
    assert_eq!(v.trades().len(), 1);
    let trade = v.trades().get(0).expect("one");
    format!(
        r#"{{"stream":"{}@trade","data":{{"e":"trade","E":{},"s":"{}","t":{},"p":"{}","q":"{}","T":{},"m":{},"M":true}}}}"#,
        v.symbol().to_string().to_lowercase(),
        millis(v.event_time()),
        v.symbol(),
        trade.id(),
        Decimal::new(trade.price(), v.price_exponent()),
        Decimal::new(trade.quantity(), v.quantity_exponent()),
        millis(v.transact_time()),
        trade.aggressor().known() == Some(KnownAggressor::Seller),
    )
}

fn millis(us: i64) -> i64 {
    assert_eq!(us % 1000, 0);
    us / 1000
}

fn side(exponents: (i8, i8), levels: impl Iterator<Item = (i64, i64)>) -> String {
    let level = |(price, quantity)| {
        let price = Decimal::new(price, exponents.0);
        format!(r#"["{price}","{}"]"#, Decimal::new(quantity, exponents.1))
    };
    levels.map(level).collect::<Vec<_>>().join(",")
}

/// Every message of SBE gives its JSON back, byte by byte.
fn comes_back(tape: &Tape) -> (Tape, Expected) {
    let (sbe, expected) = transcode(tape).expect("SBE");
    assert_eq!(sbe.len(), tape.len());
    for index in 0..tape.len() {
        let text = json(sbe.payload(index));
        assert!(text.as_bytes() == tape.payload(index), "{index}: {text}");
        assert_eq!(sbe.at(index), tape.at(index));
        assert_eq!(sbe.kind(index), tape.kind(index));
    }
    (sbe, expected)
}

fn tape(messages: &[&str]) -> Tape {
    let mut tape = Tape::default();
    for (at, message) in messages.iter().enumerate() {
        tape.push(at as u64, message.as_bytes()).expect("in order");
    }
    tape
}

const SNAPSHOT: &str = r#"{"lastUpdateId":18,"bids":[["61837.63000000","3.78826000"],["0.00000001","9000.00000000"]],"asks":[["92233720368.54775807","0.00000001"]]}"#;

#[test]
fn handmade_messages_come_back() {
    comes_back(&tape(&[
        SNAPSHOT,
        r#"{"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"0.00000000"}}"#,
        r#"{"stream":"x@bookTicker","data":{"u":9223372036854775807,"s":"X","b":"1","B":"0","a":"2","A":"1000"}}"#,
        r#"{"stream":"ethbtc@trade","data":{"e":"trade","E":1723161255343,"s":"ETHBTC","t":0,"p":"0.05","q":"0.0200","T":1723161255342,"m":true,"M":true}}"#,
        r#"{"stream":"ethbtc@trade","data":{"e":"trade","E":0,"s":"ETHBTC","t":1,"p":"7.1","q":"12","T":0,"m":false,"M":true}}"#,
        r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":19,"u":19,"b":[],"a":[]}}"#,
        r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255308,"s":"BTCUSDT","U":20,"u":44,"b":[["0.00000001","0.00000000"]],"a":[["61837.64000000","1.54698000"],["61839.85000000","0.00000000"]]}}"#,
    ]));
}

#[test]
fn numbers_of_unequal_length_share_the_exponent_of_the_longest() {
    let json_tape = tape(&[
        r#"{"stream":"x@bookTicker","data":{"u":1,"s":"X","b":"1.5","B":"20","a":"1.625","A":"0.1"}}"#,
    ]);
    let (sbe, _) = transcode(&json_tape).expect("SBE");
    assert_eq!(
        json(sbe.payload(0)),
        r#"{"stream":"x@bookTicker","data":{"u":1,"s":"X","b":"1.500","B":"20.0","a":"1.625","A":"0.1"}}"#
    );
}

#[test]
fn what_has_no_place_in_sbe_is_told() {
    let quote =
        r#"{"stream":"x@bookTicker","data":{"u":1,"s":"X","b":"1","B":"2","a":"3","A":"4"}}"#;
    let trade = r#"{"stream":"x@trade","data":{"e":"trade","E":1,"s":"X","t":1,"p":"1","q":"1","T":1,"m":true,"M":true}}"#;
    for (message, from, to, told) in [
        (quote, r#""b":"1""#, r#""b":1"#, "`b` is not a string"),
        (
            quote,
            r#""b":"1""#,
            r#""b":"1e5""#,
            "\"1e5\": byte 1: expected a decimal number",
        ),
        (
            quote,
            r#""b":"1""#,
            r#""b":"9223372036854775808""#,
            "expected a decimal number of at most 63 bits",
        ),
        (
            quote,
            r#""b":"1","B":"2","a":"3""#,
            r#""b":"9223372036854775807","B":"2","a":"0.1""#,
            "does not fit in 64 bits",
        ),
        (
            quote,
            r#""u":1"#,
            r#""u":9223372036854775808"#,
            "`u` is not a whole number",
        ),
        (quote, r#""u":1"#, r#""u":1.5"#, "`u` is not a whole number"),
        (quote, r#""s":"X","#, "", "`s` is not a string"),
        (quote, "@bookTicker", "@kline_1m", "no SBE for it"),
        (quote, r#""A":"4"}}"#, r#""A":"4"}"#, "EOF"),
        (trade, r#""M":true"#, r#""M":false"#, "`M` is not true"),
        (trade, r#""m":true"#, r#""m":1"#, "`m` is not a boolean"),
        (
            trade,
            r#""E":1"#,
            r#""E":9223372036854775807"#,
            "`E` is not a time",
        ),
        (
            SNAPSHOT,
            r#""asks":["#,
            r#""asks":[["1"],"#,
            "`asks` is not a list of levels",
        ),
        (
            SNAPSHOT,
            r#""asks":["#,
            r#""asks":[["-1","2"],"#,
            "\"-1\" is not digits",
        ),
        (
            SNAPSHOT,
            r#""asks":["#,
            r#""ask":["#,
            "`asks` is not a list of levels",
        ),
    ] {
        let bad = message.replacen(from, to, 1);
        assert_ne!(bad, message);
        let found = transcode(&tape(&[quote, &bad])).expect_err(&bad);
        assert!(found.starts_with("message 1 ("), "{bad}: {found}");
        assert!(found.contains(told), "{bad}: {found}");
    }
}

#[test]
fn the_generated_tape_comes_back() {
    comes_back(&generated(SEED));
}

#[test]
fn the_whole_recording_comes_back() {
    let Some(tape) = recording() else { return };
    let (sbe, expected) = comes_back(&tape);
    let counts = Kind::ALL.map(|kind| sbe.count(kind));
    assert_eq!(counts, [1, 28_040, 9_757, 3_451, 0]);
    // Counted once with another program that reads the JSON.
    assert_eq!(expected.levels(), [1_209, 2_196]);
    let levels = |index: usize| match AnyMessage::view(sbe.payload(index), &Limits::FEED) {
        Ok(Message::DepthDiff(view)) => view.bids().len() + view.asks().len(),
        _ => 0,
    };
    assert_eq!((0..sbe.len()).map(levels).sum::<usize>(), 124_090);
}
