//! Fields that every message shares, and prices.

use crate::{
    Decimal, ToJson, U48Be,
    be::{U16, U32, U64},
    json::Object,
};
use core::fmt;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The first 11 bytes of every message.
///
/// ```text
/// | type: 1 | stock locate: 2 | tracking number: 2 | timestamp: 6 |
/// ```
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Default,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct Head {
    pub(super) kind: u8,
    /// The security's number of the day; 0 in messages that concern no single security.
    pub stock_locate: U16,
    /// Nasdaq's internal tracking number.
    pub tracking_number: U16,
    /// Nanoseconds since midnight.
    pub timestamp: U48Be,
}

impl Head {
    /// A head to be written; encoding sets the type. `None` where the time is above 48 bits.
    #[must_use]
    pub fn new(stock_locate: u16, tracking_number: u16, time_ns: u64) -> Option<Self> {
        Some(Self {
            kind: 0,
            stock_locate: stock_locate.into(),
            tracking_number: tracking_number.into(),
            timestamp: U48Be::new(time_ns)?,
        })
    }

    /// The message type's byte; 0 in a head that was not read from the wire.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        self.kind
    }

    pub(super) fn members(&self, object: &mut Object<'_>) -> fmt::Result {
        object
            .field("stock_locate", &self.stock_locate)?
            .field("tracking_number", &self.tracking_number)?
            .field("timestamp", &self.timestamp)?;
        Ok(())
    }
}

/// A price with four implied decimals.
#[derive(
    Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(transparent)]
pub struct Price4(U32);

impl Price4 {
    /// From ten-thousandths.
    #[must_use]
    pub fn new(ten_thousandths: u32) -> Self {
        Self(ten_thousandths.into())
    }

    /// The price in ten-thousandths.
    #[inline]
    #[must_use]
    pub fn raw(self) -> u32 {
        self.0.get()
    }

    /// The price.
    #[inline]
    #[must_use]
    pub fn decimal(self) -> Decimal {
        Decimal::new(self.raw().into(), -4)
    }
}

/// A price with eight implied decimals.
#[derive(
    Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(transparent)]
pub struct Price8(U64);

impl Price8 {
    /// From hundred-millionths.
    #[must_use]
    pub fn new(hundred_millionths: u64) -> Self {
        Self(hundred_millionths.into())
    }

    /// The price in hundred-millionths.
    #[inline]
    #[must_use]
    pub fn raw(self) -> u64 {
        self.0.get()
    }

    /// The price; `None` above 92 billion, which 63 bits do not hold.
    #[must_use]
    pub fn decimal(self) -> Option<Decimal> {
        i64::try_from(self.raw())
            .ok()
            .map(|mantissa| Decimal::new(mantissa, -8))
    }
}

impl fmt::Debug for Price4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.decimal().fmt(f)
    }
}

impl ToJson for Price4 {
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        self.decimal().to_json(out)
    }
}

impl fmt::Debug for Price8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}e-8", self.raw())
    }
}

impl ToJson for Price8 {
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(
            out,
            "\"{}.{:08}\"",
            self.raw() / 100_000_000,
            self.raw() % 100_000_000
        )
    }
}
