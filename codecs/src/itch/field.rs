//! Fields that every message shares, prices, and numbers as text.

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
    /// The number of the security on this day; 0 in messages about no single security.
    pub stock_locate: U16,
    /// Nasdaq's internal tracking number.
    pub tracking_number: U16,
    /// Nanoseconds since midnight.
    pub timestamp: U48Be,
}

impl Head {
    /// A head for a message to encode; encoding sets the type. `None` if `timestamp` exceeds 48 bits.
    #[must_use]
    pub fn new(stock_locate: u16, tracking_number: u16, time_ns: u64) -> Option<Self> {
        Some(Self {
            kind: 0,
            stock_locate: stock_locate.into(),
            tracking_number: tracking_number.into(),
            timestamp: U48Be::new(time_ns)?,
        })
    }

    /// The byte of the message type; 0 in a head that [`new`](Self::new) made.
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

    /// The price; `None` above 92 billion, because 63 bits cannot hold it.
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

/// A number of at most N decimal digits as ASCII text, right-justified and padded with spaces on the left;
/// N is at most 20.
///
/// The specification does not define on which side a client pads, so readers accept spaces on both sides.
/// Signs, other characters and a blank field are invalid.
///
/// ```
/// use tickwire_codecs::itch::Digits;
/// let sequence = Digits::<20>::new(42).unwrap();
/// assert_eq!(sequence.bytes(), b"                  42");
/// assert_eq!(sequence.value(), Some(42));
/// assert!(Digits::<5>::new(100_000).is_none());
/// ```
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(transparent)]
pub struct Digits<const N: usize>([u8; N]);

impl<const N: usize> Digits<N> {
    /// `None` if the number has more than N digits.
    #[must_use]
    pub fn new(value: u64) -> Option<Self> {
        let mut bytes = [b' '; N];
        let mut rest = value;
        for place in bytes.iter_mut().rev() {
            *place = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                return Some(Self(bytes));
            }
        }
        None
    }

    /// The bytes as they are on the wire.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; N] {
        &self.0
    }

    /// The number; `None` if the text is not a number of at most 64 bits.
    #[must_use]
    pub fn value(&self) -> Option<u64> {
        self.read().ok()
    }

    /// Offset and value of the first byte that makes the text invalid as a number of 64 bits.
    pub(super) fn wrong_at(&self) -> Option<(usize, u8)> {
        let at = self.read().err()?;
        Some((at, self.0.get(at).copied().unwrap_or_default()))
    }

    fn read(&self) -> Result<u64, usize> {
        let spaces = self.0.iter().take_while(|&&byte| byte == b' ').count();
        let text = without_spaces(&self.0);
        if text.is_empty() {
            return Err(0);
        }
        let mut value = 0u64;
        for (at, byte) in text.iter().enumerate() {
            let digit = match byte {
                b'0'..=b'9' => u64::from(byte - b'0'),
                _ => return Err(spaces + at),
            };
            let next = value
                .checked_mul(10)
                .and_then(|value| value.checked_add(digit));
            value = next.ok_or(spaces + at)?;
        }
        Ok(value)
    }
}

/// Text without the spaces on both sides.
pub(super) fn without_spaces(text: &[u8]) -> &[u8] {
    let from = text.iter().take_while(|&&byte| byte == b' ').count();
    let rest = text.get(from..).unwrap_or_default();
    let spaces = rest.iter().rev().take_while(|&&byte| byte == b' ').count();
    rest.get(..rest.len() - spaces).unwrap_or_default()
}

impl<const N: usize> fmt::Debug for Digits<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value() {
            Some(value) => value.fmt(f),
            None => write!(f, "\"{}\"", self.0.escape_ascii()),
        }
    }
}

impl<const N: usize> ToJson for Digits<N> {
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        match self.value() {
            Some(value) => value.to_json(out),
            None => crate::json::hex(out, &self.0),
        }
    }
}
