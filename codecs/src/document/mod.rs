//! Self-describing documents: what MessagePack and CBOR have in common.
//!
//! Two ways to read. `view` checks a document whole (lengths, nesting, item count) and gives its root
//! [`Node`], to be looked around in without allocating. A [`Reader`] takes a document whose shape is
//! known, item by item, and checks as it goes: one pass, for the hot path. A type that implements
//! [`Build`] can be written in either format.
//!
//! # What is refused, and what is only not valid
//!
//! `view` refuses bytes that are not well-formed: nobody can tell where the next item begins. An item
//! that is well-formed and means nothing stays an item of the document, whose other items can be read:
//!
//! * Text that is not UTF-8 is [`Value::RawStr`], in both formats. MessagePack lets text hold such
//!   bytes and wants them to be readable ("Notes on string"); in CBOR it is well-formed and not valid
//!   (RFC 8949 sections 1.2 and 5.3.1). [`Node::as_str`] and [`Reader::str`] take valid text only,
//!   [`Node::str_bytes`] and [`Reader::str_bytes`] any; [`Writer::str_bytes`] writes it.
//! * A timestamp, date or bignum with a content that its rules do not allow stays an extension or a
//!   tag; [`Node::as_time`] and [`Node::as_i128`] give `None`.
//!
//! # Instants
//!
//! | | read | written by [`Writer::time`] |
//! |---|---|---|
//! | MessagePack | extension -1 of 4, 8 or 12 bytes | the shortest of the three |
//! | CBOR | tag 0 with the text of RFC 3339, tag 1 with an integer or a float | tag 1 with an integer; with a fraction of a second, tag 0 |
//!
//! Neither direction rounds. A float of tag 1 is read where it is a whole number of nanoseconds, which
//! few are: [`Node::as_time_lossy`] gives the nearest.
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

mod bignum;
mod items;
mod json;
mod node;
mod read;
mod time;
mod walk;
mod write;

pub use bignum::Bignum;
pub use items::{Chunks, Entries, Items};
pub use node::{Node, Value};
pub use read::Reader;
pub use write::{Build, Writer};

use crate::{Codec, DecodeError, EncodeError, Limits, slice};

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
    /// Text that is not UTF-8.
    RawStr(&'a [u8]),
    /// Text in chunks, each a [`Str`](Self::Str) or [`RawStr`](Self::RawStr), up to a break.
    StrChunks,
    /// Bytes.
    Bin(&'a [u8]),
    /// Bytes in chunks, each a [`Bin`](Self::Bin), up to a break.
    BinChunks,
    /// An array of so many items, or up to a break.
    Array(Option<u64>),
    /// A map of so many pairs, or up to a break.
    Map(Option<u64>),
    /// MessagePack's extension: type and content. Types below 0 belong to the specification: -1 is a
    /// timestamp.
    Ext(i8, &'a [u8]),
    /// CBOR's tag of the item that follows.
    Tag(u64),
    /// CBOR's simple value without a name here.
    Simple(u8),
    /// The end of an array, map or string without a length.
    Break,
}

impl<'a> Head<'a> {
    /// The head of `len` bytes of text at offset `at`.
    #[inline]
    pub(crate) fn text(bytes: &'a [u8], at: usize, len: usize) -> Result<Self, DecodeError> {
        let content = slice::span(bytes, at, len)?;
        Ok(match core::str::from_utf8(content) {
            Ok(text) => Self::Str(text),
            Err(_) => Self::RawStr(content),
        })
    }
}

/// The two kinds of strings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StringKind {
    /// Text.
    Text,
    /// Bytes.
    Bytes,
}

/// Room for the head of an item without its content; no format here needs more than 9 bytes.
pub const HEAD_BYTES_MAX: usize = 16;

/// A self-describing format: how heads are read and written. Formats of this crate implement it.
pub trait Format: Codec + Copy + core::fmt::Debug {
    /// Whether the format marks special values with tags, as CBOR does; otherwise it has extensions,
    /// as MessagePack does.
    const TAGS: bool;

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

    /// Writes the head of a string of `len` bytes in its shortest form and gives its length.
    ///
    /// # Errors
    /// [`EncodeError::Range`] where the format has no string of this length.
    fn put_string_head(
        kind: StringKind,
        len: u64,
        out: &mut [u8; HEAD_BYTES_MAX],
    ) -> Result<usize, EncodeError>;
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
