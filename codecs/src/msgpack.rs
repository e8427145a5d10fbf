//! MessagePack: borrowing reader and shortest-form writer.
//!
//! Source: MessagePack specification (msgpack.org, version of 2017 with `bin`, `ext` and the
//! timestamp). The reader accepts every valid form of a number, length or timestamp. The writer uses the
//! shortest form, except that a float keeps its width. Heads are read and written with `rmp`.
//!
//! ```
//! use tickwire_codecs::{Codec, Limits, document::Writer, msgpack::Msgpack};
//! let mut wire = [0; 32];
//! let mut out = Writer::<Msgpack>::new(&mut wire);
//! out.map(2)?.str("s")?.str("BTCUSDT")?.str("q")?.array(2)?.uint(300)?.int(-1)?;
//! let len = out.finish()?;
//! let root = Msgpack::view(&wire[..len], &Limits::DEVICE)?;
//! assert_eq!(root.member("s").and_then(|s| s.as_str()), Some("BTCUSDT"));
//! let sizes: Vec<_> = root.member("q").unwrap().items().unwrap().map(|q| q.as_i64()).collect();
//! assert_eq!(sizes, [Some(300), Some(-1)]);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

use crate::{
    Codec, DecodeError, EncodeError, Limits, WireId,
    document::{self, Format, HEAD_BYTES_MAX, Head, StringKind},
    family, slice,
};
use rmp::{Marker, encode};

/// MessagePack.
#[derive(Clone, Copy, Debug)]
pub enum Msgpack {}

/// A checked MessagePack item.
pub type Node<'a> = document::Node<'a, Msgpack>;

impl Codec for Msgpack {
    const ID: WireId = WireId::new(family::MSGPACK, 1);
    const VERSION: u16 = 0;
    type View<'a> = Node<'a>;

    fn view<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Node<'a>, DecodeError> {
        document::view(bytes, limits)
    }
}

/// The big-endian number of `N` bytes behind the marker.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], DecodeError> {
    slice::part::<[u8; N]>(bytes, at + 1).copied()
}

fn sint(value: i64) -> Head<'static> {
    match u64::try_from(value) {
        Ok(value) => Head::Uint(value),
        Err(_) => Head::Nint((!value).cast_unsigned()),
    }
}

/// The position of the content of text, bytes and extensions.
#[derive(Clone, Copy)]
enum Content {
    Str,
    Bin,
    Ext,
}

impl Format for Msgpack {
    const TAGS: bool = false;

    #[inline]
    fn head(bytes: &[u8], at: usize) -> Result<(Head<'_>, usize), DecodeError> {
        let marker = Marker::from_u8(*slice::part::<u8>(bytes, at)?);
        let u8_at = |at: usize| number::<1>(bytes, at).map(|[n]| usize::from(n));
        let u16_at = |at: usize| number(bytes, at).map(|n| usize::from(u16::from_be_bytes(n)));
        let u32_at = |at: usize| number(bytes, at).map(|n| u32::from_be_bytes(n) as usize);
        let content = |kind: Content, head_len: usize, len: usize| {
            let from = at + head_len;
            let head = match kind {
                Content::Str => Head::text(bytes, from, len)?,
                Content::Bin => Head::Bin(slice::span(bytes, from, len)?),
                // The type of the extension is the last byte of its head.
                Content::Ext => {
                    let kind = *slice::part::<i8>(bytes, from - 1)?;
                    Head::Ext(kind, slice::span(bytes, from, len)?)
                }
            };
            Ok((head, from + len))
        };
        let count = |count: usize| Some(count as u64);
        let (head, len) = match marker {
            Marker::FixPos(value) => (Head::Uint(value.into()), 1),
            Marker::FixNeg(value) => (sint(value.into()), 1),
            Marker::Null => (Head::Nil, 1),
            Marker::True => (Head::Bool(true), 1),
            Marker::False => (Head::Bool(false), 1),
            Marker::U8 => (Head::Uint(u8::from_be_bytes(number(bytes, at)?).into()), 2),
            Marker::U16 => (Head::Uint(u16::from_be_bytes(number(bytes, at)?).into()), 3),
            Marker::U32 => (Head::Uint(u32::from_be_bytes(number(bytes, at)?).into()), 5),
            Marker::U64 => (Head::Uint(u64::from_be_bytes(number(bytes, at)?)), 9),
            Marker::I8 => (sint(i8::from_be_bytes(number(bytes, at)?).into()), 2),
            Marker::I16 => (sint(i16::from_be_bytes(number(bytes, at)?).into()), 3),
            Marker::I32 => (sint(i32::from_be_bytes(number(bytes, at)?).into()), 5),
            Marker::I64 => (sint(i64::from_be_bytes(number(bytes, at)?)), 9),
            Marker::F32 => (Head::Float32(f32::from_be_bytes(number(bytes, at)?)), 5),
            Marker::F64 => (Head::Float64(f64::from_be_bytes(number(bytes, at)?)), 9),
            Marker::FixArray(len) => (Head::Array(Some(len.into())), 1),
            Marker::Array16 => (Head::Array(count(u16_at(at)?)), 3),
            Marker::Array32 => (Head::Array(count(u32_at(at)?)), 5),
            Marker::FixMap(len) => (Head::Map(Some(len.into())), 1),
            Marker::Map16 => (Head::Map(count(u16_at(at)?)), 3),
            Marker::Map32 => (Head::Map(count(u32_at(at)?)), 5),
            Marker::FixStr(len) => return content(Content::Str, 1, len.into()),
            Marker::Str8 => return content(Content::Str, 2, u8_at(at)?),
            Marker::Str16 => return content(Content::Str, 3, u16_at(at)?),
            Marker::Str32 => return content(Content::Str, 5, u32_at(at)?),
            Marker::Bin8 => return content(Content::Bin, 2, u8_at(at)?),
            Marker::Bin16 => return content(Content::Bin, 3, u16_at(at)?),
            Marker::Bin32 => return content(Content::Bin, 5, u32_at(at)?),
            Marker::FixExt1 => return content(Content::Ext, 2, 1),
            Marker::FixExt2 => return content(Content::Ext, 2, 2),
            Marker::FixExt4 => return content(Content::Ext, 2, 4),
            Marker::FixExt8 => return content(Content::Ext, 2, 8),
            Marker::FixExt16 => return content(Content::Ext, 2, 16),
            Marker::Ext8 => return content(Content::Ext, 3, u8_at(at)?),
            Marker::Ext16 => return content(Content::Ext, 4, u16_at(at)?),
            Marker::Ext32 => return content(Content::Ext, 6, u32_at(at)?),
            Marker::Reserved => return Err(DecodeError::wrong(at, "MessagePack marker", 0xc1)),
        };
        Ok((head, at + len))
    }

    fn put_head(head: &Head<'_>, out: &mut [u8; HEAD_BYTES_MAX]) -> Result<usize, EncodeError> {
        let len_of = |content: &[u8]| u32_of("content bytes", content.len() as u64);
        let mut rest = out.as_mut_slice();
        let w = &mut rest;
        // `out` has room for every head, so the writer cannot fail. An error would still be returned.
        let written = match *head {
            Head::Nil => encode::write_nil(w).is_ok(),
            Head::Bool(value) => encode::write_bool(w, value).is_ok(),
            Head::Uint(value) => encode::write_uint(w, value).is_ok(),
            Head::Nint(value) => {
                let value = i64::try_from(value).map_err(|_| EncodeError::Range {
                    what: "negative integer below -2^63 (-1 - value)",
                    got: value,
                })?;
                encode::write_sint(w, !value).is_ok()
            }
            Head::Float32(value) => encode::write_f32(w, value).is_ok(),
            Head::Float64(value) => encode::write_f64(w, value).is_ok(),
            Head::Str(value) => {
                return Self::put_string_head(StringKind::Text, value.len() as u64, out);
            }
            Head::RawStr(value) => {
                return Self::put_string_head(StringKind::Text, value.len() as u64, out);
            }
            Head::Bin(value) => {
                return Self::put_string_head(StringKind::Bytes, value.len() as u64, out);
            }
            Head::Ext(kind, value) => encode::write_ext_meta(w, len_of(value)?, kind).is_ok(),
            Head::Array(Some(count)) => encode::write_array_len(w, u32_of("items", count)?).is_ok(),
            Head::Map(Some(pairs)) => encode::write_map_len(w, u32_of("pairs", pairs)?).is_ok(),
            Head::Tag(tag) => {
                return Err(EncodeError::Range {
                    what: "tag",
                    got: tag,
                });
            }
            Head::Simple(value) => {
                return Err(EncodeError::Range {
                    what: "simple value",
                    got: value.into(),
                });
            }
            Head::Undefined => {
                return Err(EncodeError::Range {
                    what: "undefined",
                    got: 23,
                });
            }
            Head::Array(None)
            | Head::Map(None)
            | Head::StrChunks
            | Head::BinChunks
            | Head::Break => {
                return Err(EncodeError::Order {
                    what: "a container or string with a length",
                });
            }
        };
        finish(written, HEAD_BYTES_MAX - rest.len())
    }

    fn put_string_head(
        kind: StringKind,
        len: u64,
        out: &mut [u8; HEAD_BYTES_MAX],
    ) -> Result<usize, EncodeError> {
        let len = u32_of("content bytes", len)?;
        let mut rest = out.as_mut_slice();
        let written = match kind {
            StringKind::Text => encode::write_str_len(&mut rest, len).is_ok(),
            StringKind::Bytes => encode::write_bin_len(&mut rest, len).is_ok(),
        };
        finish(written, HEAD_BYTES_MAX - rest.len())
    }
}

/// The length of the head that was written.
fn finish(written: bool, len: usize) -> Result<usize, EncodeError> {
    if written {
        Ok(len)
    } else {
        Err(EncodeError::Room {
            need: len,
            have: HEAD_BYTES_MAX,
        })
    }
}

fn u32_of(what: &'static str, got: u64) -> Result<u32, EncodeError> {
    u32::try_from(got).map_err(|_| EncodeError::Range { what, got })
}
