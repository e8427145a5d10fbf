//! Values written by the codecs and read back: the body of a fuzz target that builds values out
//! of bytes, so that it begins where the others only come by chance.

use tickwire_codecs::cbor::Cbor;
use tickwire_codecs::document::{Build, Format, Node, Value, Writer};
use tickwire_codecs::mqtt::{
    Mqtt5, Packet, Properties, Property, PropertyValue, Publish, Qos, id, write_properties,
};
use tickwire_codecs::msgpack::Msgpack;
use tickwire_codecs::telemetry;
use tickwire_codecs::{Codec, Decimal, EncodeError, Limits, UnixTime};

use crate::fuzz_codecs::write;

/// Takes numbers and bytes off the input; at its end there are zeros.
struct Take<'a>(&'a [u8]);

impl<'a> Take<'a> {
    fn byte(&mut self) -> u8 {
        self.some(1).first().copied().unwrap_or_default()
    }

    fn some(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A number of as many bytes as the next one says, so that small ones come often.
    fn number(&mut self) -> u64 {
        let len = usize::from(self.byte() % 9);
        self.some(len)
            .iter()
            .fold(0, |n, &byte| n << 8 | u64::from(byte))
    }

    fn text(&mut self) -> String {
        let len = usize::from(self.byte());
        String::from_utf8_lossy(self.some(len)).into_owned()
    }
}

/// A document as a tree on the heap.
#[derive(Clone, PartialEq, Debug)]
enum Doc {
    Nil,
    Bool(bool),
    Uint(u64),
    Int(i64),
    /// By bits: a float that is no number is not equal to itself.
    Float(u64),
    Str(String),
    /// Text that is not UTF-8.
    RawStr(Vec<u8>),
    Bin(Vec<u8>),
    Time(UnixTime),
    Array(Vec<Doc>),
    Map(Vec<(Doc, Doc)>),
}

/// Start of the year 0, in seconds since 1970.
const YEAR_0: i64 = -62_167_219_200;
/// Seconds of the years 0 to 9999, whose fractions CBOR writes.
const YEARS_SECONDS: i64 = 253_402_300_800 - YEAR_0;

/// Levels that a document may have under `Limits::FEED`.
const DEPTH: u32 = 7;

impl Doc {
    fn take(from: &mut Take<'_>, depth: u32) -> Self {
        let few = |byte: u8| usize::from(byte % 20);
        match from.byte() % 11 {
            0 => Self::Nil,
            1 => Self::Bool(from.byte() & 1 == 1),
            2 => Self::Uint(from.number()),
            3 => Self::Int((from.number() as i64).wrapping_neg()).plain(),
            4 => Self::Float(from.number()),
            5 => Self::Str(from.text()),
            6 => {
                let len = usize::from(from.byte());
                Self::Bin(from.some(len).to_vec())
            }
            7 if depth > 0 => {
                let count = few(from.byte());
                Self::Array((0..count).map(|_| Self::take(from, depth - 1)).collect())
            }
            8 if depth > 0 => {
                let count = few(from.byte());
                let pair = |_| (Self::take(from, 0), Self::take(from, depth - 1));
                Self::Map((0..count).map(pair).collect())
            }
            9 => {
                let seconds = (from.number() as i64).rem_euclid(YEARS_SECONDS) + YEAR_0;
                let nanos = from.number() % 1_000_000_000;
                UnixTime::from_parts(seconds, nanos as u32).map_or(Self::Nil, Self::Time)
            }
            10 => {
                let len = usize::from(from.byte());
                let bytes = from.some(len).to_vec();
                match String::from_utf8(bytes) {
                    Ok(text) => Self::Str(text),
                    Err(error) => Self::RawStr(error.into_bytes()),
                }
            }
            _ => Self::Nil,
        }
    }

    /// Numbers from zero on are [`Self::Uint`].
    fn plain(self) -> Self {
        match self {
            Self::Int(n) => u64::try_from(n).map_or(self, Self::Uint),
            other => other,
        }
    }

    fn read<F: Format>(node: Node<'_, F>) -> Self {
        match node.value() {
            Value::Nil => Self::Nil,
            Value::Bool(value) => Self::Bool(value),
            Value::Uint(value) => Self::Uint(value),
            Value::Nint(_) => Self::Int(node.as_i64().expect("written as i64")),
            Value::Str(text) => Self::Str(text.to_owned()),
            Value::RawStr(bytes) => Self::RawStr(bytes.to_vec()),
            Value::Bin(bytes) => Self::Bin(bytes.to_vec()),
            Value::Ext(..) | Value::Tag(..) => Self::Time(node.as_time().expect("an instant")),
            Value::Array(items) => Self::Array(items.map(Self::read).collect()),
            Value::Map(entries) => Self::Map(
                entries
                    .map(|(k, v)| (Self::read(k), Self::read(v)))
                    .collect(),
            ),
            _ => Self::Float(node.as_f64().expect("a float").to_bits()),
        }
    }

    /// Floats that are no number, as one: CBOR writes them all the same.
    fn without_payloads(self) -> Self {
        match self {
            Self::Float(bits) if f64::from_bits(bits).is_nan() => Self::Float(f64::NAN.to_bits()),
            Self::Array(items) => {
                Self::Array(items.into_iter().map(Self::without_payloads).collect())
            }
            Self::Map(pairs) => {
                let one = |(k, v): (Self, Self)| (k.without_payloads(), v.without_payloads());
                Self::Map(pairs.into_iter().map(one).collect())
            }
            other => other,
        }
    }
}

impl Build for Doc {
    fn build<F: Format>(&self, out: &mut Writer<'_, F>) -> Result<(), EncodeError> {
        match self {
            Self::Nil => out.nil(),
            Self::Bool(value) => out.bool(*value),
            Self::Int(value) => out.int(*value),
            Self::Uint(value) => out.uint(*value),
            Self::Float(bits) => out.f64(f64::from_bits(*bits)),
            Self::Str(value) => out.str(value),
            Self::RawStr(value) => out.str_bytes(value),
            Self::Bin(value) => out.bin(value),
            Self::Time(value) => out.time(*value),
            Self::Array(items) => {
                out.array(items.len() as u32)?;
                return items.iter().try_for_each(|item| item.build(out));
            }
            Self::Map(pairs) => {
                out.map(pairs.len() as u32)?;
                return pairs.iter().try_for_each(|(key, value)| {
                    key.build(out)?;
                    value.build(out)
                });
            }
        }
        .map(|_| ())
    }
}

fn document(from: &mut Take<'_>) {
    let doc = Doc::take(from, DEPTH).without_payloads();
    let wire = write::<Msgpack>(&doc);
    let node = Msgpack::view(&wire, &Limits::BULK).expect("written as MessagePack");
    assert_eq!(Doc::read(node).without_payloads(), doc, "MessagePack");
    let wire = write::<Cbor>(&doc);
    let node = Cbor::view(&wire, &Limits::BULK).expect("written as CBOR");
    assert_eq!(Doc::read(node).without_payloads(), doc, "CBOR");
}

/// Readings that the writer took come back; those that it refused leave nothing.
fn readings(from: &mut Take<'_>) {
    let exponent = from.byte() as i8;
    let values = match from.byte() & 1 {
        0 => telemetry::Values::Float,
        _ => telemetry::Values::Decimal { exponent },
    };
    let (base_us, tick_us) = (from.number(), from.number() as u32);
    let mut wire = [0; 16 + 8 * 20];
    let Ok(mut batch) = telemetry::Writer::begin(&mut wire, base_us, tick_us, values) else {
        return;
    };
    let mut taken = Vec::new();
    for _ in 0..24 {
        let sensor = from.number() as u16;
        let time_us = base_us.wrapping_add(from.number().wrapping_mul(u64::from(tick_us)));
        let value = match from.byte() & 1 {
            0 => telemetry::Value::Float(f32::from_bits(from.number() as u32)),
            _ => {
                let exponent = exponent.wrapping_add(from.byte() as i8 % 3);
                telemetry::Value::Decimal(Decimal::new(from.number() as i64, exponent))
            }
        };
        if batch.push(sensor, time_us, value).is_ok() {
            taken.push((sensor, time_us, value));
        }
    }
    assert_eq!(usize::from(batch.count()), taken.len());
    let len = batch.finish();
    let view = telemetry::Telemetry::view(&wire[..len], &Limits::BULK).expect("written");
    assert_eq!(view.readings().len(), taken.len());
    for (reading, (sensor, time_us, value)) in view.readings().zip(taken) {
        assert_eq!((reading.sensor, reading.time_us), (sensor, time_us));
        match (reading.value, value) {
            (telemetry::Value::Float(a), telemetry::Value::Float(b)) => {
                assert_eq!(a.to_bits(), b.to_bits());
            }
            (telemetry::Value::Decimal(a), telemetry::Value::Decimal(b)) => {
                assert_eq!(Some(a), b.rescaled(a.exponent), "{b:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A PUBLISH that the writer took comes back.
fn publish(from: &mut Take<'_>) {
    let (topic, key, value) = (from.text(), from.text(), from.text());
    let mut out = [0; 1024];
    let list = [
        Property {
            id: id::USER_PROPERTY,
            value: PropertyValue::Pair(&key, &value),
        },
        Property {
            id: id::MESSAGE_EXPIRY_INTERVAL,
            value: PropertyValue::Four(from.number() as u32),
        },
    ];
    let count = usize::from(from.byte() % 3);
    let properties = match write_properties(&mut out, &list[..count]) {
        Ok(properties) => properties,
        Err(_) => Properties::EMPTY,
    };
    let qos = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce][usize::from(from.byte() % 3)];
    let packet = Packet::Publish(Publish {
        dup: from.byte() & 1 == 1,
        qos,
        retain: from.byte() & 1 == 1,
        topic: &topic,
        packet_id: (from.byte() & 1 == 1).then(|| from.number() as u16),
        properties,
        payload: from.0,
    });
    let mut wire = vec![0; 4096 + from.0.len()];
    if let Ok(len) = tickwire_codecs::Encode::<Mqtt5>::encode(&packet, &mut wire) {
        match Mqtt5::view(&wire[..len], &Limits::BULK) {
            Ok(told) => assert_eq!(told, packet),
            Err(error) => panic!("it wrote what it does not read: {error}: {packet:?}"),
        }
    }
}

/// A value of the kind that the first byte names.
pub fn round_trip(data: &[u8]) {
    let data = &data[..data.len().min(crate::fuzz_codecs::INPUT_BYTES_MAX)];
    let mut from = Take(data);
    match from.byte() % 4 {
        0 | 1 => document(&mut from),
        2 => readings(&mut from),
        _ => publish(&mut from),
    }
}
