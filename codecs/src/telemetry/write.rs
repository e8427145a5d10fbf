//! A writer of batches.

use super::{Entry, Header, Value, Values};
use crate::EncodeError;
use zerocopy::IntoBytes;

/// A writer of one batch, directly in the send buffer. It does not round: a time between two ticks or a value
/// without an exact form is an error. A failed call does not change the batch.
#[derive(Debug)]
pub struct Writer<'o> {
    out: &'o mut [u8],
    header: Header,
    values: Values,
}

impl<'o> Writer<'o> {
    /// Begins a batch at the start of `out`. `out` has room for `(out.len() - 16) / 8` readings.
    ///
    /// # Errors
    /// [`EncodeError::Room`] if `out` is shorter than 16 bytes. [`EncodeError::Range`] if `tick_us` is 0, or
    /// if the last time of the batch exceeds 2^64 microseconds.
    pub fn begin(
        out: &'o mut [u8],
        base_us: u64,
        tick_us: u32,
        values: Values,
    ) -> Result<Self, EncodeError> {
        if out.len() < size_of::<Header>() {
            return Err(EncodeError::Room {
                need: size_of::<Header>(),
                have: out.len(),
            });
        }
        if tick_us == 0 {
            return Err(EncodeError::Range {
                what: "tick_us",
                got: 0,
            });
        }
        if base_us
            .checked_add(u64::from(u16::MAX) * u64::from(tick_us))
            .is_none()
        {
            return Err(EncodeError::Range {
                what: "base_us",
                got: base_us,
            });
        }
        let (kind, exponent) = match values {
            Values::Float => (0, 0),
            Values::Decimal { exponent } => (1, exponent),
        };
        let header = Header {
            base_us: base_us.into(),
            tick_us: tick_us.into(),
            count: 0.into(),
            kind,
            exponent,
        };
        Ok(Self {
            out,
            header,
            values,
        })
    }

    /// Readings written so far.
    #[must_use]
    pub fn count(&self) -> u16 {
        self.header.count.get()
    }

    /// Appends one reading.
    ///
    /// # Errors
    /// [`EncodeError::Room`] if the buffer is full: send this batch and begin another.
    /// [`EncodeError::Range`] if the time is before the base, between ticks, or beyond the 65,535
    /// ticks of a batch; if a decimal has no exact form with the exponent of the batch; or after
    /// 65,535 readings. [`EncodeError::Order`] if the value is not of the kind of the batch.
    pub fn push(&mut self, sensor: u16, time_us: u64, value: Value) -> Result<(), EncodeError> {
        let count = self.header.count.get();
        let next = count.checked_add(1).ok_or(EncodeError::Range {
            what: "readings",
            got: 1 << 16,
        })?;
        let wrong_time = EncodeError::Range {
            what: "time_us",
            got: time_us,
        };
        let since = time_us
            .checked_sub(self.header.base_us.get())
            .ok_or(wrong_time)?;
        let tick_us = u64::from(self.header.tick_us.get());
        if since % tick_us != 0 {
            return Err(wrong_time);
        }
        let delta = u16::try_from(since / tick_us).map_err(|_| wrong_time)?;
        let bits = self.bits(value)?;
        let entry = Entry {
            sensor: sensor.into(),
            delta: delta.into(),
            bits: bits.into(),
        };
        let at = size_of::<Header>() + usize::from(count) * size_of::<Entry>();
        let have = self.out.len();
        let need = at + size_of::<Entry>();
        let place = self
            .out
            .get_mut(at..need)
            .ok_or(EncodeError::Room { need, have })?;
        place.copy_from_slice(entry.as_bytes());
        self.header.count = next.into();
        Ok(())
    }

    /// Writes the header and returns the length of the batch in bytes.
    pub fn finish(self) -> usize {
        // `begin` has checked that `out` has room for the header.
        if let Some(place) = self.out.get_mut(..size_of::<Header>()) {
            place.copy_from_slice(self.header.as_bytes());
        }
        size_of::<Header>() + usize::from(self.header.count.get()) * size_of::<Entry>()
    }

    fn bits(&self, value: Value) -> Result<u32, EncodeError> {
        match (self.values, value) {
            (Values::Float, Value::Float(value)) => Ok(value.to_bits()),
            (Values::Decimal { exponent }, Value::Decimal(value)) => value
                .rescaled(exponent)
                .and_then(|value| i32::try_from(value.mantissa).ok())
                .map(i32::cast_unsigned)
                .ok_or(EncodeError::Range {
                    what: "decimal at the exponent of the batch (mantissa)",
                    got: value.mantissa.cast_unsigned(),
                }),
            (Values::Float, Value::Decimal(_)) => Err(EncodeError::Order {
                what: "a Float: the batch began with Values::Float",
            }),
            (Values::Decimal { .. }, Value::Float(_)) => Err(EncodeError::Order {
                what: "a Decimal: the batch began with Values::Decimal",
            }),
        }
    }
}
