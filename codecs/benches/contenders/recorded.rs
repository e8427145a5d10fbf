//! The recorded BTCUSDT session as messages, where the recording is there.

use std::{env, fs::File, io::Read as _, path::Path};

use flate2::read::GzDecoder;
use serde_json::Value;

use super::tape::{Bbo, Depth, Level, Tape, Trade};

/// Messages of each kind that are taken.
const TAKEN: usize = 2_048;
/// The recording writes prices and sizes with eight digits behind the point.
const EXPONENT: i8 = -8;

/// The first messages of each kind. `None`, and a line that says so, without the recording.
pub fn recorded() -> Option<Tape> {
    let data = env::var("TICKWIRE_DATA")
        .unwrap_or_else(|_| format!("{}/../../shared/data", env!("CARGO_MANIFEST_DIR")));
    let path = Path::new(&data).join("binance/btcusdt_spot_20240808.gz");
    let Ok(file) = File::open(&path) else {
        eprintln!("SKIPPED: recorded messages: no {}", path.display());
        return None;
    };
    let mut text = String::new();
    GzDecoder::new(file)
        .read_to_string(&mut text)
        .expect("a whole recording");
    let mut tape = Tape {
        bbos: Vec::new(),
        trades: Vec::new(),
        depths: Vec::new(),
    };
    for line in text.lines() {
        let (ns, json) = line.split_once(' ').expect("time and message");
        let time_us = ns.parse::<i64>().expect("nanoseconds") / 1_000;
        let message: Value = serde_json::from_str(json).expect("a message");
        let data = &message["data"];
        match message["stream"].as_str().and_then(|s| s.split('@').nth(1)) {
            Some("bookTicker") if tape.bbos.len() < TAKEN => tape.bbos.push(bbo(time_us, data)),
            Some("trade") if tape.trades.len() < TAKEN => tape.trades.push(trade(time_us, data)),
            Some("depth") if tape.depths.len() < TAKEN => tape.depths.push(depth(time_us, data)),
            _ => {}
        }
    }
    Some(tape)
}

fn bbo(time_us: i64, data: &Value) -> Bbo<'static> {
    Bbo {
        time_us,
        update_id: whole(&data["u"]),
        price_exponent: EXPONENT,
        size_exponent: EXPONENT,
        bid_price: decimal(&data["b"]),
        bid_size: decimal(&data["B"]),
        ask_price: decimal(&data["a"]),
        ask_size: decimal(&data["A"]),
        symbol: "BTCUSDT",
    }
}

fn trade(time_us: i64, data: &Value) -> Trade<'static> {
    Trade {
        time_us,
        transact_us: whole(&data["T"]) * 1_000,
        price_exponent: EXPONENT,
        size_exponent: EXPONENT,
        id: whole(&data["t"]),
        price: decimal(&data["p"]),
        size: decimal(&data["q"]),
        buyer_is_maker: u8::from(data["m"] == Value::Bool(true)),
        symbol: "BTCUSDT",
    }
}

fn depth(time_us: i64, data: &Value) -> Depth<'static> {
    let levels = |side: &Value| -> Vec<Level> {
        let levels = side.as_array().expect("levels");
        let level = |l: &Value| Level {
            price: decimal(&l[0]),
            size: decimal(&l[1]),
        };
        levels.iter().map(level).collect()
    };
    Depth {
        time_us,
        first_id: whole(&data["U"]),
        last_id: whole(&data["u"]),
        price_exponent: EXPONENT,
        size_exponent: EXPONENT,
        bids: levels(&data["b"]),
        asks: levels(&data["a"]),
        symbol: "BTCUSDT",
    }
}

fn whole(value: &Value) -> i64 {
    value.as_i64().expect("a whole number")
}

/// Text with eight digits behind the point, in units of the last one.
fn decimal(value: &Value) -> i64 {
    let text = value.as_str().expect("a number in quotes");
    let (whole, fraction) = text.split_once('.').expect("a point");
    assert_eq!(fraction.len(), 8, "{text}");
    format!("{whole}{fraction}").parse().expect("digits")
}
