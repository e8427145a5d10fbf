//! Telemetry batches: many sensor readings in one message, 8 bytes a reading.
//!
//! ```text
//! | base_us: u64 | tick_us: u32 | count: u16 | kind: u8 | exponent: i8 |      16 bytes
//! | sensor: u16 | delta: u16 | value: f32 or i32 |  * count                   8 bytes each
//! ```
//!
//! All numbers are little-endian. The time of a reading is `base_us + delta * tick_us`, in microseconds since
//! the Unix epoch. With a tick of 1,000 (one millisecond) a batch spans 65 s; with a tick of one second it
//! spans 18 h. `kind` 0: values are f32 and `exponent` is 0. `kind` 1: values are i32 times `10^exponent`.
//! This crate defines the format.
//!
//! ```
//! use tickwire_codecs::{Codec, Limits, telemetry::{Telemetry, Value, Values, Writer}};
//! let mut wire = [0; 16 + 2 * 8];
//! let mut batch = Writer::begin(&mut wire, 1_700_000_000_000_000, 1_000, Values::Float)?;
//! batch.push(7, 1_700_000_000_000_000, Value::Float(21.5))?;
//! batch.push(8, 1_700_000_000_250_000, Value::Float(0.4))?;
//! let len = batch.finish();
//! let view = Telemetry::view(&wire[..len], &Limits::DEVICE)?;
//! let last = view.readings().last().unwrap();
//! assert_eq!((last.sensor, last.time_us, last.value), (8, 1_700_000_000_250_000, Value::Float(0.4)));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod write;

pub use write::Writer;

use crate::{
    Codec, Decimal, DecodeError, Encode, EncodeError, Limits, ToJson, UnixTime, WireId,
    encode_bytes, family, json,
    le::{U16, U32, U64},
    slice,
};
use core::fmt;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The batch format.
#[derive(Clone, Copy, Debug)]
pub enum Telemetry {}

/// The first 16 bytes of a batch.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// The base of the deltas, in microseconds since the Unix epoch.
    pub base_us: U64,
    /// One step of a delta, in microseconds; never 0.
    pub tick_us: U32,
    /// Readings that follow.
    pub count: U16,
    kind: u8,
    exponent: i8,
}

/// One reading on the wire.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Entry {
    /// Number of the sensor. The application assigns it.
    pub sensor: U16,
    /// Steps of `tick_us` since `base_us`.
    pub delta: U16,
    /// f32 or i32, depending on the kind in the header.
    bits: U32,
}

const _: () = assert!(size_of::<Header>() == 16 && size_of::<Entry>() == 8);

/// The type of the values of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Values {
    /// f32: 24 bits of precision.
    Float,
    /// i32 times a power of ten that the whole batch shares.
    Decimal {
        /// The power of ten.
        exponent: i8,
    },
}

/// A value of a reading.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value {
    /// A float; may be NaN.
    Float(f32),
    /// An exact decimal.
    Decimal(Decimal),
}

/// One reading.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Reading {
    /// Number of the sensor.
    pub sensor: u16,
    /// The time of the reading, in microseconds since the Unix epoch.
    pub time_us: u64,
    /// The value.
    pub value: Value,
}

impl Reading {
    /// The time of the reading.
    #[must_use]
    pub fn time(&self) -> UnixTime {
        // Every u64 of microseconds is an instant.
        UnixTime::from_nanos(i128::from(self.time_us) * 1_000).unwrap_or(UnixTime::MAX)
    }
}

/// A checked batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct View<'a> {
    /// The header.
    pub header: &'a Header,
    /// The encoded readings.
    pub entries: &'a [Entry],
    values: Values,
    bytes: &'a [u8],
}

impl<'a> View<'a> {
    /// The type of the values.
    #[must_use]
    pub const fn values(&self) -> Values {
        self.values
    }

    /// The readings, in the order of the wire.
    #[must_use]
    pub fn readings(
        &self,
    ) -> impl ExactSizeIterator<Item = Reading> + DoubleEndedIterator + use<'a> {
        let (base_us, tick_us) = (
            self.header.base_us.get(),
            u64::from(self.header.tick_us.get()),
        );
        let values = self.values;
        self.entries.iter().map(move |entry| Reading {
            sensor: entry.sensor.get(),
            // `view` has checked that the largest delta fits u64.
            time_us: base_us.wrapping_add(u64::from(entry.delta.get()) * tick_us),
            value: match values {
                Values::Float => Value::Float(f32::from_bits(entry.bits.get())),
                Values::Decimal { exponent } => {
                    let mantissa = i64::from(entry.bits.get().cast_signed());
                    Value::Decimal(Decimal::new(mantissa, exponent))
                }
            },
        })
    }

    /// The message's bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl Codec for Telemetry {
    const ID: WireId = WireId::new(family::TELEMETRY, 1);
    const VERSION: u16 = 1;
    type View<'a> = View<'a>;

    fn view<'a>(bytes: &'a [u8], limits: &Limits) -> Result<View<'a>, DecodeError> {
        limits.check_msg(bytes.len())?;
        let header = slice::part::<Header>(bytes, 0)?;
        let tick_us = u64::from(header.tick_us.get());
        if tick_us == 0 {
            return Err(DecodeError::wrong(8, "tick_us", 0));
        }
        let span_us = u64::from(u16::MAX) * tick_us;
        if header.base_us.get().checked_add(span_us).is_none() {
            return Err(DecodeError::wrong(0, "base_us", header.base_us.get()));
        }
        let values = match (header.kind, header.exponent) {
            (0, 0) => Values::Float,
            (1, exponent) => Values::Decimal { exponent },
            (0, exponent) => {
                return Err(DecodeError::wrong(
                    15,
                    "exponent of floats",
                    exponent as u64,
                ));
            }
            (kind, _) => return Err(DecodeError::wrong(14, "kind of values", kind.into())),
        };
        let at = size_of::<Header>();
        let count = header.count.get();
        let len = limits.check_group(at, count.into(), 8, bytes.len() - at)?;
        let entries = slice::entries::<Entry>(bytes, at, count.into())?;
        if at + len < bytes.len() {
            return Err(DecodeError::trailing(at + len, bytes.len() - at - len));
        }
        Ok(View {
            header,
            entries,
            values,
            bytes,
        })
    }
}

impl Encode<Telemetry> for View<'_> {
    fn encoded_len(&self) -> usize {
        self.bytes.len()
    }

    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        encode_bytes(self.bytes, out)
    }
}

impl ToJson for Value {
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        match self {
            Self::Float(value) => value.to_json(out),
            Self::Decimal(value) => value.to_json(out),
        }
    }
}

impl ToJson for Reading {
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let mut object = json::Object::begin(out)?;
        object
            .field("sensor", &self.sensor)?
            .field("time_us", &self.time_us)?
            .field("value", &self.value)?;
        object.end()
    }
}

impl ToJson for View<'_> {
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let mut object = json::Object::begin(out)?;
        object
            .field("base_us", &self.header.base_us)?
            .field("tick_us", &self.header.tick_us)?;
        json::array(object.member("readings")?, self.readings())?;
        object.end()
    }
}
