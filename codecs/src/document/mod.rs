//! Self-describing documents: the readers and the writer of MessagePack and CBOR.
//!
//! There are two readers. `view` checks a whole document (lengths, nesting, number of items) and returns its
//! root [`Node`]; a program then reads members in any order. A [`Reader`] reads a document of known shape
//! item by item and checks each item: one pass, for the hot path. Neither allocates. A type that implements
//! [`Build`] can be written in both formats.
//!
//! # What is refused, and what is only not valid
//!
//! `view` refuses bytes that are not well-formed, because the start of the next item is unknown. An item
//! that is well-formed but not valid does not make the rest of the document unreadable:
//!
//! * Text that is not UTF-8 is [`Value::RawStr`], in both formats. MessagePack allows such bytes
//!   and requires readers to return them ("Notes on string"); in CBOR such text is well-formed and not
//!   valid (RFC 8949 sections 1.2 and 5.3.1). [`Node::as_str`] and [`Reader::str`] accept valid text only.
//!   [`Node::str_bytes`] and [`Reader::str_bytes`] accept any text, and [`Writer::str_bytes`] writes it.
//! * A timestamp, date or bignum with an invalid content is a plain extension or tag: [`Node::as_time`] and
//!   [`Node::as_i128`] return `None`.
//!
//! # Instants
//!
//! | | read | written by [`Writer::time`] |
//! |---|---|---|
//! | MessagePack | extension -1 of 4, 8 or 12 bytes | the shortest of the three |
//! | CBOR | tag 0 with the text of RFC 3339, tag 1 with an integer or a float | tag 1 with an integer; with a fraction of a second, tag 0 |
//!
//! Neither direction rounds. [`Node::as_time`] reads a float of tag 1 only if the float is a whole number
//! of nanoseconds, which is rare. [`Node::as_time_lossy`] returns the nearest instant.
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
    /// An array of `Some` number of items, or of items up to a break.
    Array(Option<u64>),
    /// A map of `Some` number of pairs, or of pairs up to a break.
    Map(Option<u64>),
    /// MessagePack's extension: type and content. Types below 0 belong to the specification: -1 is a
    /// timestamp.
    Ext(i8, &'a [u8]),
    /// CBOR's tag of the item that follows.
    Tag(u64),
    /// A simple value of CBOR, except false, true, null and undefined.
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

/// The longest head of an item without its content, in bytes.
pub const HEAD_BYTES_MAX: usize = 16;

/// A self-describing format. [`Msgpack`](crate::msgpack) and [`Cbor`](crate::cbor) implement the trait.
pub trait Format: Codec + Copy + core::fmt::Debug {
    /// Whether the format has tags (CBOR) or extensions (MessagePack).
    const TAGS: bool;

    /// Reads the head at offset `at`. Returns the head and the offset behind it and its content.
    ///
    /// # Errors
    /// [`DecodeError`] with offsets in `bytes`.
    fn head(bytes: &[u8], at: usize) -> Result<(Head<'_>, usize), DecodeError>;

    /// Writes a head in its shortest form, without the content of text and bytes. Returns its length.
    ///
    /// # Errors
    /// [`EncodeError::Range`] if the format does not have the item.
    fn put_head(head: &Head<'_>, out: &mut [u8; HEAD_BYTES_MAX]) -> Result<usize, EncodeError>;

    /// Writes the head of a string of `len` bytes in its shortest form. Returns the length of the head.
    ///
    /// # Errors
    /// [`EncodeError::Range`] if the format has no string of this length.
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
