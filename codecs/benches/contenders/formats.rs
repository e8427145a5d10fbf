//! Every format on every kind of message.

use super::{
    Contender, Kind,
    tape::{Bbo, Depth, Level, Tape, Total, Trade, total},
    views,
};
use prost::Message as _;
use tickwire_codecs::{
    Limits,
    bincode::{
        Engine, Fix, Var,
        wincode::{fix, var},
    },
    cbor::Cbor,
    msgpack::Msgpack,
};

const LIMITS: &Limits = &Limits::FEED;

/// Protobuf's messages own their strings and lists.
mod proto {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Bbo {
        #[prost(int64, tag = "1")]
        pub time_us: i64,
        #[prost(int64, tag = "2")]
        pub update_id: i64,
        #[prost(sint32, tag = "3")]
        pub price_exponent: i32,
        #[prost(sint32, tag = "4")]
        pub size_exponent: i32,
        #[prost(int64, tag = "5")]
        pub bid_price: i64,
        #[prost(int64, tag = "6")]
        pub bid_size: i64,
        #[prost(int64, tag = "7")]
        pub ask_price: i64,
        #[prost(int64, tag = "8")]
        pub ask_size: i64,
        #[prost(string, tag = "9")]
        pub symbol: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Trade {
        #[prost(int64, tag = "1")]
        pub time_us: i64,
        #[prost(int64, tag = "2")]
        pub transact_us: i64,
        #[prost(sint32, tag = "3")]
        pub price_exponent: i32,
        #[prost(sint32, tag = "4")]
        pub size_exponent: i32,
        #[prost(int64, tag = "5")]
        pub id: i64,
        #[prost(int64, tag = "6")]
        pub price: i64,
        #[prost(int64, tag = "7")]
        pub size: i64,
        #[prost(uint32, tag = "8")]
        pub buyer_is_maker: u32,
        #[prost(string, tag = "9")]
        pub symbol: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Level {
        #[prost(int64, tag = "1")]
        pub price: i64,
        #[prost(int64, tag = "2")]
        pub size: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Depth {
        #[prost(int64, tag = "1")]
        pub time_us: i64,
        #[prost(int64, tag = "2")]
        pub first_id: i64,
        #[prost(int64, tag = "3")]
        pub last_id: i64,
        #[prost(sint32, tag = "4")]
        pub price_exponent: i32,
        #[prost(sint32, tag = "5")]
        pub size_exponent: i32,
        #[prost(message, repeated, tag = "6")]
        pub bids: Vec<Level>,
        #[prost(message, repeated, tag = "7")]
        pub asks: Vec<Level>,
        #[prost(string, tag = "8")]
        pub symbol: String,
    }
}

fn proto_bbo(m: &Bbo<'_>) -> Vec<u8> {
    proto::Bbo {
        time_us: m.time_us,
        update_id: m.update_id,
        price_exponent: m.price_exponent.into(),
        size_exponent: m.size_exponent.into(),
        bid_price: m.bid_price,
        bid_size: m.bid_size,
        ask_price: m.ask_price,
        ask_size: m.ask_size,
        symbol: m.symbol.into(),
    }
    .encode_to_vec()
}

fn prost_bbo(wire: &[u8]) -> u64 {
    let m = proto::Bbo::decode(wire).expect("a message");
    total(
        &[
            m.time_us,
            m.update_id,
            m.bid_price,
            m.bid_size,
            m.ask_price,
            m.ask_size,
        ],
        [m.price_exponent as i8, m.size_exponent as i8],
        &m.symbol,
    )
}

fn proto_trade(m: &Trade<'_>) -> Vec<u8> {
    proto::Trade {
        time_us: m.time_us,
        transact_us: m.transact_us,
        price_exponent: m.price_exponent.into(),
        size_exponent: m.size_exponent.into(),
        id: m.id,
        price: m.price,
        size: m.size,
        buyer_is_maker: m.buyer_is_maker.into(),
        symbol: m.symbol.into(),
    }
    .encode_to_vec()
}

fn prost_trade(wire: &[u8]) -> u64 {
    let m = proto::Trade::decode(wire).expect("a message");
    total(
        &[
            m.time_us,
            m.transact_us,
            m.id,
            m.price,
            m.size,
            m.buyer_is_maker.into(),
        ],
        [m.price_exponent as i8, m.size_exponent as i8],
        &m.symbol,
    )
}

fn proto_depth(m: &Depth<'_>) -> Vec<u8> {
    let side = |levels: &[Level]| {
        levels
            .iter()
            .map(|l| proto::Level {
                price: l.price,
                size: l.size,
            })
            .collect()
    };
    proto::Depth {
        time_us: m.time_us,
        first_id: m.first_id,
        last_id: m.last_id,
        price_exponent: m.price_exponent.into(),
        size_exponent: m.size_exponent.into(),
        bids: side(&m.bids),
        asks: side(&m.asks),
        symbol: m.symbol.into(),
    }
    .encode_to_vec()
}

fn prost_depth(wire: &[u8]) -> u64 {
    let m = proto::Depth::decode(wire).expect("a message");
    let head = total(
        &[m.time_us, m.first_id, m.last_id],
        [m.price_exponent as i8, m.size_exponent as i8],
        &m.symbol,
    );
    m.bids.iter().chain(&m.asks).fold(head, |sum, level| {
        sum.wrapping_add(level.price.cast_unsigned())
            .wrapping_add(level.size.cast_unsigned())
    })
}

/// Formats whose derive gives the decoder: one line each.
macro_rules! rivals {
    ($out:ident, $kind:expr, $messages:expr, $ty:ident) => {{
        let mut add = |name, wires: Vec<Vec<u8>>, decode| {
            $out.push(Contender {
                name,
                kind: $kind,
                wires,
                decode,
            });
        };
        let messages = $messages;
        let into = |write: &dyn Fn(&$ty<'_>, &mut [u8]) -> usize| {
            let mut buffer = [0; 16_384];
            let each = messages.iter().map(|m| {
                let len = write(m, &mut buffer);
                buffer[..len].to_vec()
            });
            each.collect::<Vec<_>>()
        };
        let wires = into(&|m, out| fix::encode(m, out).expect("room"));
        add("wincode fix", wires, |b| {
            fix::decode::<$ty<'_>>(b, LIMITS)
                .expect("a message")
                .total()
        });
        let wires = into(&|m, out| var::encode(m, out).expect("room"));
        add("wincode var", wires, |b| {
            var::decode::<$ty<'_>>(b, LIMITS)
                .expect("a message")
                .total()
        });
        let wires = into(&|m, out| Fix::encode(m, out).expect("room"));
        add("bincode fix", wires, |b| {
            Fix::decode_borrowed::<$ty<'_>>(b, LIMITS)
                .expect("a message")
                .total()
        });
        let wires = into(&|m, out| Var::encode(m, out).expect("room"));
        add("bincode var", wires, |b| {
            Var::decode_borrowed::<$ty<'_>>(b, LIMITS)
                .expect("a message")
                .total()
        });
        let wires: Vec<_> = messages.iter().map(views::msgpack_wire).collect();
        add(
            "tickwire msgpack reader",
            wires.clone(),
            views::take::<Msgpack, $ty<'_>>,
        );
        add("tickwire msgpack node", wires, views::node::<Msgpack>);
        let wires = messages
            .iter()
            .map(|m| rmp_serde::to_vec(m).expect("a message"))
            .collect();
        add("rmp-serde", wires, |b| {
            rmp_serde::from_slice::<$ty<'_>>(b)
                .expect("a message")
                .total()
        });
        let wires: Vec<_> = messages.iter().map(views::cbor_wire).collect();
        add(
            "tickwire cbor reader",
            wires.clone(),
            views::take::<Cbor, $ty<'_>>,
        );
        add("tickwire cbor node", wires, views::node::<Cbor>);
        let wires = messages
            .iter()
            .map(|m| minicbor::to_vec(m).expect("a message"))
            .collect();
        add("minicbor", wires, |b| {
            minicbor::decode::<$ty<'_>>(b).expect("a message").total()
        });
        let wires = messages
            .iter()
            .map(|m| serde_json::to_vec(m).expect("a message"))
            .collect();
        add("serde_json", wires, |b| {
            serde_json::from_slice::<$ty<'_>>(b)
                .expect("a message")
                .total()
        });
    }};
}

/// All of them; every one has decoded every message to its right total before it is given out.
pub fn contenders(tape: &Tape) -> Vec<Contender> {
    let totals = views::totals(tape);
    let mut out = Vec::new();
    let mut own = |name, kind, wires, decode| {
        out.push(Contender {
            name,
            kind,
            wires,
            decode,
        })
    };
    own(
        "tickwire view",
        Kind::Bbo,
        tape.bbos.iter().map(views::bbo_wire).collect(),
        views::bbo,
    );
    own(
        "prost",
        Kind::Bbo,
        tape.bbos.iter().map(proto_bbo).collect(),
        prost_bbo,
    );
    own(
        "tickwire view",
        Kind::Trade,
        tape.trades.iter().map(views::trade_wire).collect(),
        views::trade,
    );
    own(
        "prost",
        Kind::Trade,
        tape.trades.iter().map(proto_trade).collect(),
        prost_trade,
    );
    own(
        "tickwire view",
        Kind::Depth36,
        tape.depths.iter().map(views::depth_wire).collect(),
        views::depth,
    );
    own(
        "prost",
        Kind::Depth36,
        tape.depths.iter().map(proto_depth).collect(),
        prost_depth,
    );
    rivals!(out, Kind::Bbo, &tape.bbos, Bbo);
    rivals!(out, Kind::Trade, &tape.trades, Trade);
    rivals!(out, Kind::Depth36, &tape.depths, Depth);
    for contender in &out {
        let want = &totals[contender.kind as usize];
        let got: Vec<u64> = contender
            .wires
            .iter()
            .map(|wire| (contender.decode)(wire))
            .collect();
        assert_eq!(
            &got,
            want,
            "{} decodes {} wrong",
            contender.name,
            contender.kind.name()
        );
    }
    out
}
