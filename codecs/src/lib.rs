//! Zero-copy views of trading and IoT wire formats, over plain slices.
#![forbid(unsafe_code)]
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod batch;
mod codec;
mod dynamic;
mod error;
#[cfg(feature = "alloc")]
mod held;
pub mod json;
mod limits;
#[cfg(feature = "sbe")]
pub mod sbe;
pub mod slice;
mod stream;
mod value;

pub use batch::{Batch, Cut, Framed, Framing, LenPrefix16, Views};
pub use codec::{Codec, Encode, WireId, encode_bytes, family};
pub use dynamic::{Dyn, DynCodec, ToolError};
pub use error::{DecodeError, EncodeError};
#[cfg(feature = "alloc")]
pub use held::Held;
pub use json::ToJson;
pub use limits::{DEPTH_LEVELS_MAX, Limits};
#[cfg(feature = "alloc")]
pub use stream::Reassembler;
pub use stream::{Progress, StreamCodec};
pub use value::{Chars, Code, Decimal, DecimalLe, FixedLe, Known, ParseDecimalError, U48Be, U48Le};

/// The crate that turns checked bytes into wire structs; re-exported so that a user's derives and
/// this crate agree on its version.
pub use zerocopy;
/// Big-endian integers of alignment 1.
pub use zerocopy::big_endian as be;
/// Little-endian integers of alignment 1.
pub use zerocopy::little_endian as le;
