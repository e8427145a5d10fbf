//! Protocol Buffers with `prost`, under limits.
//!
//! Source: the encoding chapter of the Protocol Buffers documentation. The view is the
//! checked fields of a message, borrowed. [`Fields::decode`] returns an owned value of a type that derives
//! `prost::Message`. Groups, which are deprecated, are refused.
//!
//! prost allocates, and its only limit is a nesting of 100: a value has at most one of its largest repeated
//! messages for every two bytes. Choose `max_msg` accordingly, and do not use protobuf on the hot path.
//!
//! ```
//! use tickwire_codecs::{Codec, Encode, Limits, protobuf::{FieldValue, Message, Payload, Protobuf}};
//! #[derive(Clone, PartialEq, prost::Message)]
//! struct Fill { #[prost(uint64, tag = "1")] order: u64, #[prost(string, tag = "2")] venue: String }
//! impl Message for Fill { const FORMAT: u16 = 1; }
//!
//! let fill = Payload(Fill { order: 300, venue: "XNAS".into() });
//! let mut wire = vec![0; Encode::<Protobuf<Fill>>::encoded_len(&fill)];
//! Encode::<Protobuf<Fill>>::encode(&fill, &mut wire)?;
//! let view = Protobuf::<Fill>::view(&wire, &Limits::DEVICE)?;
//! assert_eq!(view.fields().next().map(|f| (f.number, f.value)), Some((1, FieldValue::Varint(300))));
//! assert_eq!(view.decode()?, fill.0);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

use crate::{
    Codec, DecodeError, Encode, EncodeError, Limits, ToJson, WireId, family, json,
    le::{U32, U64},
    slice,
};
use core::{fmt, marker::PhantomData};

/// A message type with a number for [`WireId`].
pub trait Message: prost::Message + Default + 'static {
    /// The number of this message type in the application, for [`WireId`].
    const FORMAT: u16;
}

/// The codec of messages `T`.
#[derive(Debug)]
pub struct Protobuf<T>(PhantomData<fn() -> T>);

/// A field of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field<'a> {
    /// The field number, 1 to 2^29 - 1.
    pub number: u32,
    /// The value on the wire. The schema defines its meaning.
    pub value: FieldValue<'a>,
}

/// The value of a field, by wire type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldValue<'a> {
    /// Integers, bools and enums.
    Varint(u64),
    /// Eight bytes, little-endian.
    I64(u64),
    /// Strings, bytes, messages and packed fields.
    Len(&'a [u8]),
    /// Four bytes, little-endian.
    I32(u32),
}

/// The checked fields of a message. The fields of nested messages are unchecked.
pub struct Fields<'a, T> {
    bytes: &'a [u8],
    message: PhantomData<fn() -> T>,
}

impl<T> Clone for Fields<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Fields<'_, T> {}

impl<T> fmt::Debug for Fields<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fields()).finish()
    }
}

impl<'a, T> Fields<'a, T> {
    /// The fields, in the order of the wire.
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + use<'a, T> {
        let (bytes, mut at) = (self.bytes, 0);
        // `view` has checked the fields, so there is no error.
        core::iter::from_fn(move || {
            if at >= bytes.len() {
                return None;
            }
            let (field, next) = field(bytes, at).ok()?;
            at = next;
            Some(field)
        })
    }

    /// The message's bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<T: Message> Fields<'_, T> {
    /// The owned value.
    ///
    /// # Errors
    /// [`DecodeError::Wrong`] at offset 0: prost does not report the offset.
    pub fn decode(&self) -> Result<T, DecodeError> {
        T::decode(self.bytes).map_err(|_| DecodeError::wrong(0, "protobuf message", 0))
    }
}

fn varint(bytes: &[u8], at: usize) -> Result<(u64, usize), DecodeError> {
    let mut value = 0u64;
    for index in 0..10 {
        let byte = *slice::part::<u8>(bytes, at + index)?;
        // The tenth byte holds one bit.
        if index == 9 && byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok((value, at + index + 1));
        }
    }
    Err(DecodeError::wrong(at, "varint of more than 64 bits", value))
}

fn field(bytes: &[u8], at: usize) -> Result<(Field<'_>, usize), DecodeError> {
    let (tag, from) = varint(bytes, at)?;
    let number = match u32::try_from(tag >> 3) {
        Ok(number @ 1..=0x1fff_ffff) => number,
        _ => return Err(DecodeError::wrong(at, "field number", tag >> 3)),
    };
    let (value, next) = match tag & 7 {
        0 => {
            let (value, next) = varint(bytes, from)?;
            (FieldValue::Varint(value), next)
        }
        1 => (
            FieldValue::I64(slice::part::<U64>(bytes, from)?.get()),
            from + 8,
        ),
        2 => {
            let (len, from) = varint(bytes, from)?;
            let content = slice::span(bytes, from, usize::try_from(len).unwrap_or(usize::MAX))?;
            (FieldValue::Len(content), from + content.len())
        }
        5 => (
            FieldValue::I32(slice::part::<U32>(bytes, from)?.get()),
            from + 4,
        ),
        other => return Err(DecodeError::wrong(at, "wire type", other)),
    };
    Ok((Field { number, value }, next))
}

impl<T: Message> Codec for Protobuf<T> {
    const ID: WireId = WireId::new(family::PROTOBUF, T::FORMAT);
    const VERSION: u16 = 0;
    type View<'a> = Fields<'a, T>;

    fn view<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Fields<'a, T>, DecodeError> {
        limits.check_msg(bytes.len())?;
        let (mut at, mut count) = (0, 0);
        while at < bytes.len() {
            count += 1;
            limits.check_items(at, count)?;
            at = field(bytes, at)?.1;
        }
        Ok(Fields {
            bytes,
            message: PhantomData,
        })
    }
}

/// A value as a message of [`Protobuf`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payload<T>(pub T);

impl<T: Message> Encode<Protobuf<T>> for Payload<T> {
    fn encoded_len(&self) -> usize {
        self.0.encoded_len()
    }

    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        let (need, have) = (self.0.encoded_len(), out.len());
        let mut place = out
            .get_mut(..need)
            .ok_or(EncodeError::Room { need, have })?;
        self.0
            .encode(&mut place)
            .map_err(|_| EncodeError::Room { need, have })?;
        Ok(need)
    }
}

impl<T: Message> Encode<Protobuf<T>> for Fields<'_, T> {
    fn encoded_len(&self) -> usize {
        self.bytes.len()
    }

    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        crate::encode_bytes(self.bytes, out)
    }
}

impl ToJson for Field<'_> {
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let mut object = json::Object::begin(out)?;
        object.field("number", &self.number)?;
        match self.value {
            FieldValue::Varint(value) => object.field("varint", &value)?,
            FieldValue::I64(value) => object.field("i64", &value)?,
            FieldValue::I32(value) => object.field("i32", &value)?,
            FieldValue::Len(value) => object.field("len", &json::Hex(value))?,
        };
        object.end()
    }
}

impl<T> ToJson for Fields<'_, T> {
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        json::array(out, self.fields())
    }
}
