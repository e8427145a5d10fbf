//! The messages as views of this crate: fixed layouts by `derive(Wire)`, groups behind them, and one
//! pass over a document.

use super::tape::{Bbo, Depth, Level, Total, Trade, total};
use tickwire_codecs::{
    Codec, DecodeError, Encode, EncodeError, Limits, Wire, WireId, be,
    cbor::Cbor,
    document::{Build, Format, Node, Reader, Writer},
    family,
    itch::{AddOrder, Head, Itch50, Message, Price4, Side},
    le,
    msgpack::Msgpack,
    slice,
    telemetry::{Telemetry, Value, Values, Writer as Batch},
    zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned},
};

const LIMITS: &Limits = &Limits::FEED;

macro_rules! layout {
    ($(#[$meta:meta])* $name:ident { $($field:ident: $ty:ty),+ $(,)? }) => {
        #[derive(Wire, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
        $(#[$meta])*
        #[repr(C)]
        pub struct $name { $($field: $ty),+ }
    };
}

layout!(
    #[wire(id = 1)]
    BboWire {
        time_us: le::I64,
        update_id: le::I64,
        price_exponent: i8,
        size_exponent: i8,
        bid_price: le::I64,
        bid_size: le::I64,
        ask_price: le::I64,
        ask_size: le::I64,
        symbol: Symbol,
    }
);
layout!(
    #[wire(id = 2)]
    TradeWire {
        time_us: le::I64,
        transact_us: le::I64,
        price_exponent: i8,
        size_exponent: i8,
        id: le::I64,
        price: le::I64,
        size: le::I64,
        buyer_is_maker: u8,
        symbol: Symbol,
    }
);
layout!(DepthHead {
    time_us: le::I64,
    first_id: le::I64,
    last_id: le::I64,
    price_exponent: i8,
    size_exponent: i8,
    symbol: Symbol,
    bids: be::U16,
    asks: be::U16,
});
layout!(LevelWire {
    price: le::I64,
    size: le::I64
});

type Symbol = tickwire_codecs::Chars<8>;

fn symbol(text: &str) -> Symbol {
    Symbol::spaced(text).expect("eight letters at most")
}

fn name(symbol: &Symbol) -> &str {
    symbol.text().expect("a symbol in UTF-8")
}

fn bytes<C: Codec>(value: &impl Encode<C>) -> Vec<u8> {
    let mut wire = vec![0; value.encoded_len()];
    value.encode(&mut wire).expect("a buffer of encoded_len");
    wire
}

pub fn bbo_wire(m: &Bbo<'_>) -> Vec<u8> {
    bytes::<BboWire>(&BboWire {
        time_us: m.time_us.into(),
        update_id: m.update_id.into(),
        price_exponent: m.price_exponent,
        size_exponent: m.size_exponent,
        bid_price: m.bid_price.into(),
        bid_size: m.bid_size.into(),
        ask_price: m.ask_price.into(),
        ask_size: m.ask_size.into(),
        symbol: symbol(m.symbol),
    })
}

pub fn bbo(wire: &[u8]) -> u64 {
    let m = BboWire::view(wire, LIMITS).expect("a message");
    total(
        &[
            m.time_us,
            m.update_id,
            m.bid_price,
            m.bid_size,
            m.ask_price,
            m.ask_size,
        ]
        .map(|n| n.get()),
        [m.price_exponent, m.size_exponent],
        name(&m.symbol),
    )
}

pub fn trade_wire(m: &Trade<'_>) -> Vec<u8> {
    bytes::<TradeWire>(&TradeWire {
        time_us: m.time_us.into(),
        transact_us: m.transact_us.into(),
        price_exponent: m.price_exponent,
        size_exponent: m.size_exponent,
        id: m.id.into(),
        price: m.price.into(),
        size: m.size.into(),
        buyer_is_maker: m.buyer_is_maker,
        symbol: symbol(m.symbol),
    })
}

pub fn trade(wire: &[u8]) -> u64 {
    let m = TradeWire::view(wire, LIMITS).expect("a message");
    total(
        &[
            m.time_us.get(),
            m.transact_us.get(),
            m.id.get(),
            m.price.get(),
            m.size.get(),
            m.buyer_is_maker.into(),
        ],
        [m.price_exponent, m.size_exponent],
        name(&m.symbol),
    )
}

/// A fixed head and two groups: what a codec written by hand on this crate looks like.
pub enum DepthCodec {}

#[derive(Clone, Copy)]
pub struct DepthView<'a> {
    head: &'a DepthHead,
    levels: &'a [LevelWire],
}

impl Codec for DepthCodec {
    const ID: WireId = WireId::new(family::PRIVATE, 1);
    const VERSION: u16 = 0;
    type View<'a> = DepthView<'a>;

    fn view<'a>(bytes: &'a [u8], limits: &Limits) -> Result<DepthView<'a>, DecodeError> {
        limits.check_msg(bytes.len())?;
        let head = slice::part::<DepthHead>(bytes, 0)?;
        let at = size_of::<DepthHead>();
        let count = u32::from(head.bids.get()) + u32::from(head.asks.get());
        let len = limits.check_group(at, count, 16, bytes.len() - at)?;
        if at + len < bytes.len() {
            return Err(DecodeError::trailing(at + len, bytes.len() - at - len));
        }
        Ok(DepthView {
            head,
            levels: slice::entries(bytes, at, count as usize)?,
        })
    }
}

impl Encode<DepthCodec> for Depth<'_> {
    fn encoded_len(&self) -> usize {
        size_of::<DepthHead>() + (self.bids.len() + self.asks.len()) * 16
    }

    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        let head = DepthHead {
            time_us: self.time_us.into(),
            first_id: self.first_id.into(),
            last_id: self.last_id.into(),
            price_exponent: self.price_exponent,
            size_exponent: self.size_exponent,
            symbol: symbol(self.symbol),
            bids: (self.bids.len() as u16).into(),
            asks: (self.asks.len() as u16).into(),
        };
        let mut at = tickwire_codecs::encode_bytes(head.as_bytes(), out)?;
        for level in self.bids.iter().chain(&self.asks) {
            let wire = LevelWire {
                price: level.price.into(),
                size: level.size.into(),
            };
            at += tickwire_codecs::encode_bytes(wire.as_bytes(), &mut out[at..])?;
        }
        Ok(at)
    }
}

pub fn depth_wire(m: &Depth<'_>) -> Vec<u8> {
    bytes::<DepthCodec>(m)
}

pub fn depth(wire: &[u8]) -> u64 {
    let m = DepthCodec::view(wire, LIMITS).expect("a message");
    let h = m.head;
    let head = total(
        &[h.time_us.get(), h.first_id.get(), h.last_id.get()],
        [h.price_exponent, h.size_exponent],
        name(&h.symbol),
    );
    m.levels.iter().fold(head, |sum, level| {
        sum.wrapping_add(level.price.get().cast_unsigned())
            .wrapping_add(level.size.get().cast_unsigned())
    })
}

// As documents: one array of the fields in order, as serde writes structs too.

impl Build for Bbo<'_> {
    fn build<F: Format>(&self, out: &mut Writer<'_, F>) -> Result<(), EncodeError> {
        out.array(9)?
            .int(self.time_us)?
            .int(self.update_id)?
            .int(self.price_exponent.into())?;
        out.int(self.size_exponent.into())?
            .int(self.bid_price)?
            .int(self.bid_size)?;
        out.int(self.ask_price)?
            .int(self.ask_size)?
            .str(self.symbol)?;
        Ok(())
    }
}

impl Build for Trade<'_> {
    fn build<F: Format>(&self, out: &mut Writer<'_, F>) -> Result<(), EncodeError> {
        out.array(9)?
            .int(self.time_us)?
            .int(self.transact_us)?
            .int(self.price_exponent.into())?;
        out.int(self.size_exponent.into())?
            .int(self.id)?
            .int(self.price)?
            .int(self.size)?;
        out.uint(self.buyer_is_maker.into())?.str(self.symbol)?;
        Ok(())
    }
}

impl Build for Depth<'_> {
    fn build<F: Format>(&self, out: &mut Writer<'_, F>) -> Result<(), EncodeError> {
        out.array(8)?
            .int(self.time_us)?
            .int(self.first_id)?
            .int(self.last_id)?;
        out.int(self.price_exponent.into())?
            .int(self.size_exponent.into())?;
        for side in [&self.bids, &self.asks] {
            out.array(side.len() as u32)?;
            for Level { price, size } in side {
                out.array(2)?.int(*price)?.int(*size)?;
            }
        }
        out.str(self.symbol)?;
        Ok(())
    }
}

pub fn msgpack_wire(m: &impl Build) -> Vec<u8> {
    bytes::<Msgpack>(m)
}

pub fn cbor_wire(m: &impl Build) -> Vec<u8> {
    bytes::<Cbor>(m)
}

/// A message taken item by item.
pub trait Take {
    fn take<F: Format>(document: &mut Reader<'_, F>) -> Result<u64, DecodeError>;
}

impl Take for Bbo<'_> {
    fn take<F: Format>(d: &mut Reader<'_, F>) -> Result<u64, DecodeError> {
        fields(d.array()?, 9)?;
        let ids = [d.int()?, d.int()?];
        let exponents = [d.int()? as i8, d.int()? as i8];
        let numbers = [ids[0], ids[1], d.int()?, d.int()?, d.int()?, d.int()?];
        Ok(total(&numbers, exponents, d.str()?))
    }
}

impl Take for Trade<'_> {
    fn take<F: Format>(d: &mut Reader<'_, F>) -> Result<u64, DecodeError> {
        Bbo::take(d)
    }
}

impl Take for Depth<'_> {
    fn take<F: Format>(d: &mut Reader<'_, F>) -> Result<u64, DecodeError> {
        fields(d.array()?, 8)?;
        let ids = [d.int()?, d.int()?, d.int()?];
        let exponents = [d.int()? as i8, d.int()? as i8];
        let mut levels = 0u64;
        for _side in 0..2 {
            for _ in 0..d.array()? {
                fields(d.array()?, 2)?;
                levels = levels.wrapping_add(d.int()?.cast_unsigned());
                levels = levels.wrapping_add(d.int()?.cast_unsigned());
            }
        }
        Ok(total(&ids, exponents, d.str()?).wrapping_add(levels))
    }
}

fn fields(got: u32, want: u32) -> Result<(), DecodeError> {
    if got == want {
        Ok(())
    } else {
        Err(DecodeError::wrong(0, "fields", got.into()))
    }
}

pub fn take<F: Format, T: Take>(wire: &[u8]) -> u64 {
    let mut document = Reader::<F>::new(wire, LIMITS).expect("a message");
    let total = T::take(&mut document).expect("a message");
    document.finish().expect("no more");
    total
}

pub fn node<F>(wire: &[u8]) -> u64
where
    for<'a> F: Format<View<'a> = Node<'a, F>>,
{
    sum(F::view(wire, LIMITS).expect("a message"))
}

/// One pass over all items.
fn sum<F: Format>(node: Node<'_, F>) -> u64 {
    node.items().expect("an array").fold(0u64, |all, item| {
        all.wrapping_add(match item.as_i64() {
            Some(number) => number.cast_unsigned(),
            None => match item.as_str() {
                Some(text) => text.len() as u64,
                None => sum(item),
            },
        })
    })
}

/// Formats without a rival here: ITCH, and telemetry with 100 readings.
pub fn add_orders() -> Vec<Vec<u8>> {
    (0..256u32)
        .map(|n| {
            bytes::<Itch50>(&AddOrder {
                head: Head::new(n as u16, 2, 34_200_000_000_000 + u64::from(n)).expect("48 bits"),
                order_reference: (1 << 40 | u64::from(n)).into(),
                side: Side::Buy.into(),
                shares: (100 + n).into(),
                stock: symbol("AAPL"),
                price: Price4::new(1_900_000 + n),
            })
        })
        .collect()
}

pub fn add_order(wire: &[u8]) -> u64 {
    match Itch50::view(wire, LIMITS) {
        Ok(Message::AddOrder(m)) => {
            m.order_reference.get()
                ^ u64::from(m.shares.get())
                ^ u64::from(m.price.raw())
                ^ m.head.timestamp.value()
                ^ u64::from(m.head.stock_locate.get())
                ^ u64::from(m.side.byte())
        }
        _ => panic!("not an add order"),
    }
}

/// What [`add_order`] must give for message `n`.
pub fn add_order_total(n: u64) -> u64 {
    (1 << 40 | n) ^ (100 + n) ^ (1_900_000 + n) ^ (34_200_000_000_000 + n) ^ n ^ u64::from(b'B')
}

pub fn readings() -> Vec<u8> {
    let mut wire = vec![0; 16 + 100 * 8];
    let mut batch = Batch::begin(&mut wire, 1_000_000, 1_000, Values::Float).expect("room");
    for n in 0..100u16 {
        let time_us = 1_000_000 + u64::from(n) * 3_000;
        batch
            .push(n, time_us, Value::Float(f32::from(n) / 2.0))
            .expect("room");
    }
    batch.finish();
    wire
}

pub fn telemetry(wire: &[u8]) -> f64 {
    let view = Telemetry::view(wire, LIMITS).expect("a batch");
    view.readings().fold(0.0, |sum, reading| {
        let Value::Float(value) = reading.value else {
            panic!("not a float")
        };
        sum + f64::from(value) + reading.time_us as f64 + f64::from(reading.sensor)
    })
}

/// The totals of the three kinds.
pub fn totals(tape: &super::tape::Tape) -> [Vec<u64>; 3] {
    [
        tape.bbos.iter().map(Total::total).collect(),
        tape.trades.iter().map(Total::total).collect(),
        tape.depths.iter().map(Total::total).collect(),
    ]
}
