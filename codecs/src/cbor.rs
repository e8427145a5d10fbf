//! CBOR: borrowing reader and shortest-form writer.
//!
//! Source: RFC 8949. Heads are read and written with `minicbor`; walking, limits and the rules for
//! text are ours. On reading any well-formed item is taken, also arrays and maps without a length;
//! text and byte strings without a length are refused, because they cannot be lent as one slice. On
//! writing every item has its preferred form (section 4.1), floats included.
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
    document::{self, Format, HEAD_BYTES_MAX, Head},
    family, slice,
};
use minicbor::{
    data::{Int, Tag, Type},
    decode::{Decoder, Error},
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

/// Why minicbor refused the item at `at`, with what its error does not say: how many bytes are
/// missing, and which byte of a text is wrong.
#[cold]
fn refusal(bytes: &[u8], at: usize, first: u8) -> DecodeError {
    // RFC 8949 section 3: major type in the upper three bits, then the argument or its width.
    let (major, low) = (first >> 5, first & 0x1f);
    let width = match low {
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        28..=30 => return DecodeError::wrong(at, "reserved CBOR head", first.into()),
        _ => 0,
    };
    let argument = match slice::span(bytes, at + 1, width) {
        Ok([]) => u64::from(low),
        Ok(argument) => argument
            .iter()
            .fold(0, |sum, byte| (sum << 8) | u64::from(*byte)),
        Err(error) => return error,
    };
    if matches!(major, 2 | 3) {
        let from = at + 1 + width;
        let len = usize::try_from(argument).unwrap_or(usize::MAX);
        let found = if major == 3 {
            slice::text(bytes, from, len).map(|_| ())
        } else {
            slice::span(bytes, from, len).map(|_| ())
        };
        if let Err(error) = found {
            return error;
        }
    }
    DecodeError::wrong(at, "CBOR head", first.into())
}

impl Format for Cbor {
    fn head(bytes: &[u8], at: usize) -> Result<(Head<'_>, usize), DecodeError> {
        let first = *slice::part::<u8>(bytes, at)?;
        let mut decoder = Decoder::new(bytes);
        decoder.set_position(at);
        let refused = |_: Error| refusal(bytes, at, first);
        let head = match decoder.datatype().map_err(refused)? {
            Type::Null => decoder.null().map(|()| Head::Nil),
            Type::Undefined => decoder.undefined().map(|()| Head::Undefined),
            Type::Bool => decoder.bool().map(Head::Bool),
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => decoder.u64().map(Head::Uint),
            Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => decoder
                .int()
                .map(|value| Head::Nint((-1 - i128::from(value)) as u64)),
            Type::F16 => decoder.f16().map(Head::Float32),
            Type::F32 => decoder.f32().map(Head::Float32),
            Type::F64 => decoder.f64().map(Head::Float64),
            Type::String => decoder.str().map(Head::Str),
            Type::Bytes => decoder.bytes().map(Head::Bin),
            Type::Array | Type::ArrayIndef => decoder.array().map(Head::Array),
            Type::Map | Type::MapIndef => decoder.map().map(Head::Map),
            Type::Tag => decoder.tag().map(|tag| Head::Tag(tag.as_u64())),
            Type::Break => {
                decoder.set_position(at + 1);
                Ok(Head::Break)
            }
            Type::Simple => decoder.simple().map(Head::Simple),
            Type::BytesIndef | Type::StringIndef => {
                return Err(DecodeError::wrong(
                    at,
                    "string without a length",
                    first.into(),
                ));
            }
            Type::Unknown(_) => return Err(refusal(bytes, at, first)),
        }
        .map_err(refused)?;
        // RFC 8949 section 3.3: values below 32 have no two-byte form.
        if let Head::Simple(value @ 0..32) = head
            && first == 0xf8
        {
            return Err(DecodeError::wrong(
                at + 1,
                "simple value in two bytes",
                value.into(),
            ));
        }
        Ok((head, decoder.position()))
    }

    fn put_head(head: &Head<'_>, out: &mut [u8; HEAD_BYTES_MAX]) -> Result<usize, EncodeError> {
        let mut e = Encoder::new(Cursor::new(out.as_mut_slice()));
        // `out` has room for every head, so a writer's error cannot happen; it is still reported.
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
            Head::Str(value) => e.str_len(value.len() as u64).is_ok(),
            Head::Bin(value) => e.bytes_len(value.len() as u64).is_ok(),
            Head::Array(Some(count)) => e.array(count).is_ok(),
            Head::Map(Some(pairs)) => e.map(pairs).is_ok(),
            Head::Tag(tag) => e.tag(Tag::new(tag)).is_ok(),
            Head::Simple(value) => e.simple(value).is_ok(),
            Head::Ext(kind, _) => {
                return Err(EncodeError::Range {
                    what: "extension",
                    got: i64::from(kind).cast_unsigned(),
                });
            }
            Head::Array(None) | Head::Map(None) | Head::Break => {
                return Err(EncodeError::Order {
                    what: "containers with a length",
                });
            }
        };
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
}

type HeadEncoder<'o> = Encoder<Cursor<&'o mut [u8]>>;

/// Writes half precision where it is exact; a NaN becomes the one of RFC 8949 section 4.2.2.
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
