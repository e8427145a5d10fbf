//! CBOR: borrowing reader and shortest-form writer.
//!
//! Source: RFC 8949. The reader accepts every well-formed item, including arrays, maps and strings without a
//! length; it returns a string without a length in its chunks. The writer uses the preferred form of every
//! item (section 4.1), including floats and bignums. Heads are written with `minicbor`, which also widens
//! 16-bit floats.
//!
//! ```
//! use tickwire_codecs::{Codec, Limits, cbor::Cbor, document::Writer};
//! let mut wire = [0; 32];
//! let mut out = Writer::<Cbor>::new(&mut wire);
//! out.map(2)?.str("n")?.str("pump-7")?.str("v")?.array(2)?.f64(21.5)?.nil()?;
//! let len = out.finish()?;
//! assert_eq!(len, 17); // 21.5 took three bytes
//! let root = Cbor::view(&wire[..len], &Limits::DEVICE)?;
//! assert_eq!(root.member("n").and_then(|n| n.as_str()), Some("pump-7"));
//! assert_eq!(root.member("v").unwrap().items().unwrap().next().unwrap().as_f64(), Some(21.5));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

use crate::{
    Codec, DecodeError, EncodeError, Limits, WireId,
    be::{U16, U32, U64},
    document::{self, Format, HEAD_BYTES_MAX, Head, StringKind},
    family, slice,
};
use minicbor::{
    data::{Int, Tag},
    decode::Decoder,
    encode::{Encoder, write::Cursor},
};

/// CBOR.
#[derive(Clone, Copy, Debug)]
pub enum Cbor {}

/// A checked CBOR item.
pub type Node<'a> = document::Node<'a, Cbor>;

impl Codec for Cbor {
    const ID: WireId = WireId::new(family::CBOR, 1);
    const VERSION: u16 = 0;
    type View<'a> = Node<'a>;

    fn view<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Node<'a>, DecodeError> {
        document::view(bytes, limits)
    }
}

/// The argument of an initial byte.
enum Argument {
    /// A number, and the offset behind it.
    Number(u64, usize),
    /// None: the container has no length, or the byte is a break.
    Endless,
}

/// Reads the argument of the initial byte at `at` (RFC 8949 section 3).
#[inline]
fn argument(bytes: &[u8], at: usize, first: u8) -> Result<Argument, DecodeError> {
    let from = at + 1;
    Ok(match first & 0x1f {
        low @ 0..=23 => Argument::Number(low.into(), from),
        24 => Argument::Number((*slice::part::<u8>(bytes, from)?).into(), from + 1),
        25 => Argument::Number(slice::part::<U16>(bytes, from)?.get().into(), from + 2),
        26 => Argument::Number(slice::part::<U32>(bytes, from)?.get().into(), from + 4),
        27 => Argument::Number(slice::part::<U64>(bytes, from)?.get(), from + 8),
        31 => Argument::Endless,
        _ => return Err(DecodeError::wrong(at, "reserved CBOR head", first.into())),
    })
}

/// A 16-bit float widened.
fn half(bits: u64) -> f32 {
    let [.., high, low] = bits.to_be_bytes();
    // Cannot fail: the three bytes are a whole float.
    Decoder::new(&[0xf9, high, low]).f16().unwrap_or(f32::NAN)
}

impl Format for Cbor {
    const TAGS: bool = true;

    // Without minicbor: its errors allocate if any crate of the build enables its feature `alloc`, and
    // invalid input must not allocate.
    #[inline]
    fn head(bytes: &[u8], at: usize) -> Result<(Head<'_>, usize), DecodeError> {
        let first = *slice::part::<u8>(bytes, at)?;
        let length = |len: u64| usize::try_from(len).unwrap_or(usize::MAX);
        let (head, next) = match (first >> 5, argument(bytes, at, first)?) {
            (0, Argument::Number(value, next)) => (Head::Uint(value), next),
            (1, Argument::Number(value, next)) => (Head::Nint(value), next),
            (2, Argument::Number(len, from)) => {
                let content = slice::span(bytes, from, length(len))?;
                (Head::Bin(content), from + content.len())
            }
            (3, Argument::Number(len, from)) => {
                let len = length(len);
                // The text is complete, so `len` is within the bytes.
                (Head::text(bytes, from, len)?, from + len)
            }
            (4, Argument::Number(count, next)) => (Head::Array(Some(count)), next),
            (4, Argument::Endless) => (Head::Array(None), at + 1),
            (5, Argument::Number(pairs, next)) => (Head::Map(Some(pairs)), next),
            (5, Argument::Endless) => (Head::Map(None), at + 1),
            (6, Argument::Number(tag, next)) => (Head::Tag(tag), next),
            (7, Argument::Number(value, next)) => (special(first, value, at)?, next),
            (7, Argument::Endless) => (Head::Break, at + 1),
            (2, Argument::Endless) => (Head::BinChunks, at + 1),
            (3, Argument::Endless) => (Head::StrChunks, at + 1),
            _ => return Err(DecodeError::wrong(at, "CBOR head", first.into())),
        };
        Ok((head, next))
    }

    fn put_head(head: &Head<'_>, out: &mut [u8; HEAD_BYTES_MAX]) -> Result<usize, EncodeError> {
        let mut e = Encoder::new(Cursor::new(out.as_mut_slice()));
        // `out` has room for every head, so the writer cannot fail. An error would still be returned.
        let written = match *head {
            Head::Nil => e.null().is_ok(),
            Head::Undefined => e.undefined().is_ok(),
            Head::Bool(value) => e.bool(value).is_ok(),
            Head::Uint(value) => e.u64(value).is_ok(),
            Head::Nint(value) => {
                Int::try_from(-1 - i128::from(value)).is_ok_and(|value| e.int(value).is_ok())
            }
            Head::Float32(value) => float32(&mut e, value),
            Head::Float64(value) => {
                let short = value as f32;
                if value.is_nan() || f64::from(short).to_bits() == value.to_bits() {
                    float32(&mut e, short)
                } else {
                    e.f64(value).is_ok()
                }
            }
            Head::Str(value) => {
                return Self::put_string_head(StringKind::Text, value.len() as u64, out);
            }
            Head::RawStr(value) => {
                return Self::put_string_head(StringKind::Text, value.len() as u64, out);
            }
            Head::Bin(value) => {
                return Self::put_string_head(StringKind::Bytes, value.len() as u64, out);
            }
            Head::Array(Some(count)) => e.array(count).is_ok(),
            Head::Map(Some(pairs)) => e.map(pairs).is_ok(),
            Head::Tag(tag) => e.tag(Tag::new(tag)).is_ok(),
            // 20 to 23 are false, true, null and undefined, the rest is reserved (section 3.3).
            Head::Simple(value @ 20..=31) => {
                return Err(EncodeError::Range {
                    what: "simple value",
                    got: value.into(),
                });
            }
            Head::Simple(value) => e.simple(value).is_ok(),
            Head::Ext(kind, _) => {
                return Err(EncodeError::Range {
                    what: "extension",
                    got: i64::from(kind).cast_unsigned(),
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
        finish(written, &e)
    }

    fn put_string_head(
        kind: StringKind,
        len: u64,
        out: &mut [u8; HEAD_BYTES_MAX],
    ) -> Result<usize, EncodeError> {
        let mut e = Encoder::new(Cursor::new(out.as_mut_slice()));
        let written = match kind {
            StringKind::Text => e.str_len(len).is_ok(),
            StringKind::Bytes => e.bytes_len(len).is_ok(),
        };
        finish(written, &e)
    }
}

/// The length of the head that was written.
fn finish(written: bool, e: &HeadEncoder<'_>) -> Result<usize, EncodeError> {
    let len = e.writer().position();
    if written {
        Ok(len)
    } else {
        Err(EncodeError::Room {
            need: len,
            have: HEAD_BYTES_MAX,
        })
    }
}

/// Major type 7: simple values and floats (RFC 8949 section 3.3).
#[inline]
fn special(first: u8, value: u64, at: usize) -> Result<Head<'static>, DecodeError> {
    Ok(match first & 0x1f {
        20 => Head::Bool(false),
        21 => Head::Bool(true),
        22 => Head::Nil,
        23 => Head::Undefined,
        25 => Head::Float32(half(value)),
        26 => Head::Float32(f32::from_bits(value as u32)),
        27 => Head::Float64(f64::from_bits(value)),
        24 if value < 32 => {
            return Err(DecodeError::wrong(
                at + 1,
                "simple value in two bytes",
                value,
            ));
        }
        _ => Head::Simple(value as u8),
    })
}

type HeadEncoder<'o> = Encoder<Cursor<&'o mut [u8]>>;

/// Writes half precision if it is exact; every NaN becomes the NaN of RFC 8949 section 4.2.2.
fn float32(e: &mut HeadEncoder<'_>, value: f32) -> bool {
    if value.is_nan() {
        return e.f16(f32::NAN).is_ok();
    }
    let mut half = [0; 3];
    let mut probe = Encoder::new(Cursor::new(half.as_mut_slice()));
    let exact = probe.f16(value).is_ok()
        && Decoder::new(&half)
            .f16()
            .is_ok_and(|back| back.to_bits() == value.to_bits());
    if exact {
        e.f16(value).is_ok()
    } else {
        e.f32(value).is_ok()
    }
}
