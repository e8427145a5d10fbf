//! Synthetic messages with the sizes of a recorded BTCUSDT session: best bid and offer, trade, and
//! depth updates with 36 levels on average. No recorded value is in here.

use bincode::{BorrowDecode, Encode};
use serde::{Deserialize, Serialize};
use wincode::{SchemaRead, SchemaWrite};

/// Kinds of messages; the recorded session has 28,040 / 9,757 / 3,451 of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Best bid and offer.
    Bbo,
    /// Trade.
    Trade,
    /// Depth update of exactly 36 levels.
    Depth36,
}

impl Kind {
    /// Short name for reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bbo => "bbo",
            Self::Trade => "trade",
            Self::Depth36 => "depth36",
        }
    }
}

#[derive(
    Serialize,
    Deserialize,
    Encode,
    BorrowDecode,
    SchemaRead,
    SchemaWrite,
    minicbor::Encode,
    minicbor::Decode,
    Clone,
    Debug,
)]
pub struct Bbo<'a> {
    #[n(0)]
    pub time_us: i64,
    #[n(1)]
    pub update_id: i64,
    #[n(2)]
    pub price_exponent: i8,
    #[n(3)]
    pub size_exponent: i8,
    #[n(4)]
    pub bid_price: i64,
    #[n(5)]
    pub bid_size: i64,
    #[n(6)]
    pub ask_price: i64,
    #[n(7)]
    pub ask_size: i64,
    #[b(8)]
    pub symbol: &'a str,
}

#[derive(
    Serialize,
    Deserialize,
    Encode,
    BorrowDecode,
    SchemaRead,
    SchemaWrite,
    minicbor::Encode,
    minicbor::Decode,
    Clone,
    Debug,
)]
pub struct Trade<'a> {
    #[n(0)]
    pub time_us: i64,
    #[n(1)]
    pub transact_us: i64,
    #[n(2)]
    pub price_exponent: i8,
    #[n(3)]
    pub size_exponent: i8,
    #[n(4)]
    pub id: i64,
    #[n(5)]
    pub price: i64,
    #[n(6)]
    pub size: i64,
    #[n(7)]
    pub buyer_is_maker: u8,
    #[b(8)]
    pub symbol: &'a str,
}

#[derive(
    Serialize,
    Deserialize,
    Encode,
    bincode::Decode,
    SchemaRead,
    SchemaWrite,
    minicbor::Encode,
    minicbor::Decode,
    Clone,
    Copy,
    Debug,
)]
#[cbor(array)]
pub struct Level {
    #[n(0)]
    pub price: i64,
    #[n(1)]
    pub size: i64,
}

#[derive(
    Serialize,
    Deserialize,
    Encode,
    BorrowDecode,
    SchemaRead,
    SchemaWrite,
    minicbor::Encode,
    minicbor::Decode,
    Clone,
    Debug,
)]
pub struct Depth<'a> {
    #[n(0)]
    pub time_us: i64,
    #[n(1)]
    pub first_id: i64,
    #[n(2)]
    pub last_id: i64,
    #[n(3)]
    pub price_exponent: i8,
    #[n(4)]
    pub size_exponent: i8,
    #[n(5)]
    pub bids: Vec<Level>,
    #[n(6)]
    pub asks: Vec<Level>,
    #[b(7)]
    pub symbol: &'a str,
}

/// Adds numbers so that no decoder can leave a field unread; order does not matter.
pub fn total(numbers: &[i64], exponents: [i8; 2], symbol: &str) -> u64 {
    let sum = numbers
        .iter()
        .fold(0u64, |sum, n| sum.wrapping_add(n.cast_unsigned()));
    let sum = sum.wrapping_add(symbol.len() as u64);
    exponents.iter().fold(sum, |sum, e| {
        sum.wrapping_add(i64::from(*e).cast_unsigned())
    })
}

pub trait Total {
    fn total(&self) -> u64;
}

impl Total for Bbo<'_> {
    #[inline]
    fn total(&self) -> u64 {
        total(
            &[
                self.time_us,
                self.update_id,
                self.bid_price,
                self.bid_size,
                self.ask_price,
                self.ask_size,
            ],
            [self.price_exponent, self.size_exponent],
            self.symbol,
        )
    }
}

impl Total for Trade<'_> {
    #[inline]
    fn total(&self) -> u64 {
        total(
            &[
                self.time_us,
                self.transact_us,
                self.id,
                self.price,
                self.size,
                self.buyer_is_maker.into(),
            ],
            [self.price_exponent, self.size_exponent],
            self.symbol,
        )
    }
}

impl Total for Depth<'_> {
    #[inline]
    fn total(&self) -> u64 {
        let head = total(
            &[self.time_us, self.first_id, self.last_id],
            [self.price_exponent, self.size_exponent],
            self.symbol,
        );
        self.bids.iter().chain(&self.asks).fold(head, |sum, level| {
            sum.wrapping_add(level.price.cast_unsigned())
                .wrapping_add(level.size.cast_unsigned())
        })
    }
}

pub struct Tape {
    pub bbos: Vec<Bbo<'static>>,
    pub trades: Vec<Trade<'static>>,
    pub depths: Vec<Depth<'static>>,
}

/// 256 messages of each kind, the same in every run (xorshift64*).
pub fn tape() -> Tape {
    let mut state = 0x5449_434b_5749_5245u64;
    let mut below = move |bound: i64| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 1) as i64 % bound
    };
    // Prices near 60,000.00 in cents, sizes in hundred-thousandths: the digits real ones have.
    let mut time_us = 1_700_000_000_000_000;
    let mut tape = Tape {
        bbos: Vec::new(),
        trades: Vec::new(),
        depths: Vec::new(),
    };
    for id in 0..256 {
        time_us += below(8_000);
        let bid_price = 6_000_000 + below(20_000);
        let (price_exponent, size_exponent) = (-2, -5);
        let update_id = 50_000_000_000 + id * 7;
        tape.bbos.push(Bbo {
            time_us,
            update_id,
            price_exponent,
            size_exponent,
            bid_price,
            bid_size: 1 + below(900_000),
            ask_price: bid_price + 1,
            ask_size: 1 + below(900_000),
            symbol: "BTCUSDT",
        });
        tape.trades.push(Trade {
            time_us,
            transact_us: time_us - below(900),
            price_exponent,
            size_exponent,
            id: 3_700_000_000 + id,
            price: bid_price,
            size: 1 + below(90_000),
            buyer_is_maker: below(2) as u8,
            symbol: "BTCUSDT",
        });
        // Some levels are removed: size 0.
        let mut level = |sign: i64| Level {
            price: bid_price + sign * below(5_000),
            size: (below(1_500_000) - 400_000).max(0),
        };
        let bids: Vec<Level> = (0..20).map(|_| level(-1)).collect();
        let asks: Vec<Level> = (0..16).map(|_| level(1)).collect();
        tape.depths.push(Depth {
            time_us,
            first_id: update_id,
            last_id: update_id + 40,
            price_exponent,
            size_exponent,
            bids,
            asks,
            symbol: "BTCUSDT",
        });
    }
    tape
}
