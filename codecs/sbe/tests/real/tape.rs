//! The recorded Binance session, transcoded from its JSON into the venue's own binary format.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;

use serde_json::Value;
use tickwire_codecs::{Codec, Encode, Limits};
use tickwire_sbe::{Schema, dynamic};

use crate::agree;
use crate::generated::stream::*;

/// Messages of each kind that are kept for the independent decoder, which is slow.
const KEPT_MAX: u64 = 500;

pub(crate) fn check(schema: &Schema, tape: &Path, out: &Path) {
    let lines = BufReader::new(flate2::read::GzDecoder::new(std::fs::File::open(tape).unwrap())).lines();
    let mut counts = BTreeMap::<String, u64>::new();
    let (mut levels, mut not_events, mut bytes_total) = (0, 0, 0);
    let mut kept = std::fs::File::create(out.join("binance.bin")).unwrap();
    let mut json = std::fs::File::create(out.join("binance.json")).unwrap();
    for line in lines {
        let line = line.unwrap();
        let event: Value = serde_json::from_str(line.split_once(' ').unwrap().1).unwrap();
        let Some(bytes) = encode(&event) else {
            not_events += 1;
            continue;
        };
        let message = AnyMessage::view(&bytes, &Limits::FEED).unwrap();
        agree::<AnyMessage>(schema, &bytes, &message);
        levels += compare(&event["data"], &message);
        let decoded = dynamic::decode(schema, &bytes).unwrap();
        let count = counts.entry(decoded.name.clone().unwrap()).or_default();
        *count += 1;
        bytes_total += bytes.len();
        if *count <= KEPT_MAX && !matches!(message, Message::TradesStreamEvent(_)) {
            kept.write_all(&(bytes.len() as u16).to_le_bytes()).unwrap();
            kept.write_all(&bytes).unwrap();
            let mut text = String::new();
            decoded.write_json(&mut text).unwrap();
            writeln!(json, "{text}").unwrap();
        }
    }
    let count = |name: &str| format!("{name} {}", counts.get(name).unwrap_or(&0));
    println!(
        "binance: {} messages: {}, {}, {}; {levels} levels, {bytes_total} bytes, {not_events} line not an event",
        counts.values().sum::<u64>(),
        count("BestBidAskStreamEvent"),
        count("TradesStreamEvent"),
        count("DepthDiffStreamEvent"),
    );
}

/// A decimal of eight places as its mantissa.
fn mantissa(text: &Value) -> i64 {
    let text = text.as_str().unwrap();
    let (whole, part) = text.split_once('.').unwrap();
    assert_eq!(part.len(), 8, "{text}");
    format!("{whole}{part}").parse().unwrap()
}

fn us(ms: &Value) -> i64 {
    ms.as_i64().unwrap() * 1000
}

fn finish<C: Codec>(message: &impl Encode<C>) -> Vec<u8> {
    let mut out = vec![0; message.encoded_len()];
    assert_eq!(message.encode(&mut out), Ok(out.len()));
    out
}

fn encode(event: &Value) -> Option<Vec<u8>> {
    let stream = event["stream"].as_str()?;
    let data = &event["data"];
    let symbol = data["s"].as_str()?.into();
    Some(match stream.split_once('@')?.1 {
        "bookTicker" => finish::<BestBidAskStreamEvent>(&BestBidAskStreamEventBuilder {
            root: BestBidAskStreamEventRoot {
                book_update_id: data["u"].as_i64()?.into(),
                price_exponent: -8,
                qty_exponent: -8,
                bid_price: mantissa(&data["b"]).into(),
                bid_qty: mantissa(&data["B"]).into(),
                ask_price: mantissa(&data["a"]).into(),
                ask_qty: mantissa(&data["A"]).into(),
                ..Default::default()
            },
            symbol,
        }),
        "trade" => finish::<TradesStreamEvent>(&TradesStreamEventBuilder {
            root: TradesStreamEventRoot {
                event_time: us(&data["E"]).into(),
                transact_time: us(&data["T"]).into(),
                price_exponent: -8,
                qty_exponent: -8,
            },
            trades: &[TradesStreamEventTradesEntry {
                id: data["t"].as_i64()?.into(),
                price: mantissa(&data["p"]).into(),
                qty: mantissa(&data["q"]).into(),
                is_buyer_maker: if data["m"].as_bool()? { BoolEnum::TRUE } else { BoolEnum::FALSE },
            }],
            symbol,
        }),
        _ => {
            let side = |side: &Value| -> Vec<_> {
                side.as_array().unwrap().iter().map(|l| (mantissa(&l[0]), mantissa(&l[1]))).collect()
            };
            let bid = |l: (i64, i64)| DepthDiffStreamEventBidsEntry { price: l.0.into(), qty: l.1.into() };
            let ask = |l: (i64, i64)| DepthDiffStreamEventAsksEntry { price: l.0.into(), qty: l.1.into() };
            finish::<DepthDiffStreamEvent>(&DepthDiffStreamEventBuilder {
                root: DepthDiffStreamEventRoot {
                    event_time: us(&data["E"]).into(),
                    first_book_update_id: data["U"].as_i64()?.into(),
                    last_book_update_id: data["u"].as_i64()?.into(),
                    price_exponent: -8,
                    qty_exponent: -8,
                },
                bids: &side(&data["b"]).into_iter().map(bid).collect::<Vec<_>>(),
                asks: &side(&data["a"]).into_iter().map(ask).collect::<Vec<_>>(),
                symbol,
            })
        }
    })
}

/// The view says what the JSON said; gives the number of levels.
fn compare(data: &Value, message: &Message<'_>) -> usize {
    match message {
        Message::BestBidAskStreamEvent(m) => {
            let prices = [m.bid_price(), m.bid_qty(), m.ask_price(), m.ask_qty()];
            assert_eq!(prices, ["b", "B", "a", "A"].map(|k| mantissa(&data[k])));
            assert_eq!((Some(m.book_update_id()), m.symbol().text().ok()), (data["u"].as_i64(), data["s"].as_str()));
            0
        }
        Message::TradesStreamEvent(m) => {
            let trade = m.trades().get(0).unwrap();
            assert_eq!((trade.price(), trade.qty()), (mantissa(&data["p"]), mantissa(&data["q"])));
            assert_eq!(trade.is_best_match(), BoolEnum::TRUE, "constant");
            assert_eq!(Some(trade.id()), data["t"].as_i64());
            0
        }
        Message::DepthDiffStreamEvent(m) => {
            for (entry, level) in m.bids().iter().zip(data["b"].as_array().unwrap()) {
                assert_eq!((entry.price(), entry.qty()), (mantissa(&level[0]), mantissa(&level[1])));
            }
            assert_eq!(m.asks().len(), data["a"].as_array().unwrap().len());
            m.bids().len() + m.asks().len()
        }
        other => panic!("{other:?}"),
    }
}
