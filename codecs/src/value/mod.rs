//! Field types of several formats: exact numbers, short text, instants, codes.

mod chars;
mod code;
mod decimal;
mod time48;
mod unix_time;

pub use chars::Chars;
pub use code::{Code, Known};
pub use decimal::{Decimal, DecimalLe, FixedLe, ParseDecimalError};
pub use time48::{U48Be, U48Le};
#[cfg(any(feature = "cbor", feature = "msgpack"))]
pub(crate) use unix_time::Rfc3339;
pub use unix_time::{ParseUnixTimeError, UnixTime};
