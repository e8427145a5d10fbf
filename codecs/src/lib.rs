#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod batch;
#[cfg(feature = "bincode")]
pub mod bincode;
#[cfg(feature = "cbor")]
pub mod cbor;
mod codec;
#[cfg(any(feature = "cbor", feature = "msgpack"))]
pub mod document;
mod dynamic;
mod error;
pub mod framing;
#[cfg(feature = "alloc")]
mod held;
#[cfg(feature = "itch")]
pub mod itch;
pub mod json;
mod limits;
#[cfg(feature = "mqtt")]
pub mod mqtt;
#[cfg(feature = "msgpack")]
pub mod msgpack;
mod offer;
#[cfg(feature = "protobuf")]
pub mod protobuf;
#[cfg(feature = "sbe")]
pub mod sbe;
pub mod slice;
mod stream;
#[cfg(feature = "telemetry")]
pub mod telemetry;
mod value;
mod wire;

#[cfg(feature = "derive")]
pub use tickwire_codecs_derive::Wire;
pub use wire::{Wire, layout_fingerprint};

pub use batch::{Batch, Cut, Framed, Framing, Views};
pub use codec::{Codec, Encode, WireId, encode_bytes, family};
pub use dynamic::{Dyn, DynCodec, ToolError};
pub use error::{DecodeError, EncodeError};
#[cfg(feature = "alloc")]
pub use held::Held;
pub use json::ToJson;
pub use limits::{DEPTH_LEVELS_MAX, Limits};
pub use offer::{
    AGREED_BYTES, Agreed, Answer, NO_COMMON_CODEC, Negotiation, OFFER_BYTES, OFFERS_MAX, Offer,
    Offering, Offers, Reason, Refusal, fingerprint, negotiate, negotiate_bytes,
};
#[cfg(feature = "alloc")]
pub use stream::Reassembler;
pub use stream::{Progress, StreamCodec};
pub use value::{
    Chars, Code, Decimal, DecimalLe, FixedLe, Known, ParseDecimalError, ParseUnixTimeError, U48Be,
    U48Le, UnixTime,
};

/// The crate that turns checked bytes into wire structs. The derives of a program must use the same version
/// as this crate, so use this re-export.
pub use zerocopy;
/// Big-endian integers of alignment 1.
pub use zerocopy::big_endian as be;
/// Little-endian integers of alignment 1.
pub use zerocopy::little_endian as le;
