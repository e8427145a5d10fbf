//! Self-describing documents: what MessagePack and CBOR have in common.
//!
//! Two ways to read. `view` checks a document whole (lengths, nesting, item count, UTF-8) and gives
//! its root [`Node`], to be looked around in without allocating. A [`Reader`] takes a document whose
//! shape is known, item by item, and checks as it goes: one pass, for the hot path. A type that
//! implements [`Build`] can be written in either format.
//!
//! ```
//! use tickwire_codecs::{Encode, EncodeError, document::{Build, Format, Writer}};
//! struct Quote { bid: i64, ask: i64 }
//! impl Build for Quote {
//!     fn build<F: Format>(&self, out: &mut Writer<'_, F>) -> Result<(), EncodeError> {
//!         out.map(2)?.str("bid")?.int(self.bid)?.str("ask")?.int(self.ask)?;
//!         Ok(())
//!     }
//! }
//! let quote = Quote { bid: 41, ask: -42 };
//! # #[cfg(feature = "msgpack")]
//! # {
//! use tickwire_codecs::{Codec, Limits, msgpack::Msgpack};
//! let mut wire = [0; 32];
//! let len = Encode::<Msgpack>::encode(&quote, &mut wire)?;
//! let root = Msgpack::view(&wire[..len], &Limits::DEVICE).unwrap();
//! assert_eq!(root.member("ask").and_then(|node| node.as_i64()), Some(-42));
//! # }
//! # Ok::<(), EncodeError>(())
//! ```

mod node;
mod read;
mod walk;
mod write;

pub use node::{Entries, Items, Node, Value};
pub use read::Reader;
pub use write::{Build, Writer};

use crate::{Codec, DecodeError, EncodeError, Limits};

/// The first bytes of an item: its kind and, for text and bytes, its content.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum Head<'a> {
    /// Nil, or null.
    Nil,
    /// CBOR's undefined.
    Undefined,
    /// True or false.
    Bool(bool),
    /// An integer of 0 or more.
    Uint(u64),
    /// A negative integer: `-1 - n`.
    Nint(u64),
    /// A float of at most single precision.
    Float32(f32),
    /// A double.
    Float64(f64),
    /// Text.
    Str(&'a str),
    /// Bytes.
    Bin(&'a [u8]),
    /// An array of so many items, or up to a break.
    Array(Option<u64>),
    /// A map of so many pairs, or up to a break.
    Map(Option<u64>),
    /// MessagePack's extension: application's type and content.
    Ext(i8, &'a [u8]),
    /// CBOR's tag of the item that follows.
    Tag(u64),
    /// CBOR's simple value without a name here.
    Simple(u8),
    /// The end of an array or map without a length.
    Break,
}

/// Room for the head of an item without its content; no format here needs more than 9 bytes.
pub const HEAD_BYTES_MAX: usize = 16;

/// A self-describing format: how heads are read and written. Formats of this crate implement it.
pub trait Format: Codec + Copy + core::fmt::Debug {
    /// Reads the head at offset `at` and gives the offset behind it and its content.
    ///
    /// # Errors
    /// [`DecodeError`] with offsets in `bytes`.
    fn head(bytes: &[u8], at: usize) -> Result<(Head<'_>, usize), DecodeError>;

    /// Writes a head in its shortest form, without the content of text and bytes, and gives its
    /// length.
    ///
    /// # Errors
    /// [`EncodeError::Range`] where the format has no such item.
    fn put_head(head: &Head<'_>, out: &mut [u8; HEAD_BYTES_MAX]) -> Result<usize, EncodeError>;
}

/// [`Codec::view`] of every [`Format`].
pub(crate) fn view<'a, F: Format>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<Node<'a, F>, DecodeError> {
    limits.check_msg(bytes.len())?;
    let (head, next) = F::head(bytes, 0)?;
    let end = walk::inside::<F>(bytes, 0, &head, next, limits)?;
    if end < bytes.len() {
        return Err(DecodeError::trailing(end, bytes.len() - end));
    }
    Ok(Node::whole(
        bytes,
        head,
        bytes.get(next..).unwrap_or_default(),
    ))
}
