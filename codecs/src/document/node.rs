//! Reading a checked document.

use super::{Bignum, Chunks, Entries, Format, Head, Items, StringKind, bignum, time, walk};
use crate::UnixTime;
use core::{fmt, marker::PhantomData};

/// One item of a checked document, with all nested items.
pub struct Node<'a, F> {
    /// The bytes of this item.
    bytes: &'a [u8],
    /// The head of the item, and the bytes behind the head.
    head: Head<'a>,
    inside: &'a [u8],
    format: PhantomData<fn() -> F>,
}

/// The content of an item.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Value<'a, F> {
    /// Nil, or null.
    Nil,
    /// CBOR's undefined.
    Undefined,
    /// True or false.
    Bool(bool),
    /// An integer of 0 or more.
    Uint(u64),
    /// A negative integer: `-1 - n`. [`Node::as_i64`] gives the usual form.
    Nint(u64),
    /// A float of at most single precision.
    Float32(f32),
    /// A double.
    Float64(f64),
    /// Text.
    Str(&'a str),
    /// Text that is not UTF-8.
    RawStr(&'a [u8]),
    /// Text in chunks (CBOR).
    StrChunks(Chunks<'a, F>),
    /// Bytes.
    Bin(&'a [u8]),
    /// Bytes in chunks (CBOR).
    BinChunks(Chunks<'a, F>),
    /// Items.
    Array(Items<'a, F>),
    /// Pairs of items.
    Map(Entries<'a, F>),
    /// MessagePack's extension: type and content. [`Node::as_time`] reads a timestamp.
    Ext(i8, &'a [u8]),
    /// A tag of CBOR and the tagged item. [`Node::as_time`] reads dates, [`Node::as_i128`] and
    /// [`Node::as_bignum`] read bignums.
    Tag(u64, Node<'a, F>),
    /// A simple value of CBOR, except false, true, null and undefined.
    Simple(u8),
}

impl<'a, F: Format> Node<'a, F> {
    /// The node at the start of bytes that `walk` accepted, and the bytes behind it.
    #[inline]
    pub(super) fn first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (head, next) = F::head(bytes, 0).ok()?;
        let end = walk::inside::<F>(bytes, 0, &head, next, &walk::CHECKED).ok()?;
        let (bytes, rest) = bytes.split_at_checked(end)?;
        let inside = bytes.get(next..)?;
        Some((
            Self {
                bytes,
                head,
                inside,
                format: PhantomData,
            },
            rest,
        ))
    }

    /// The node of bytes that `walk` accepted as exactly one item.
    pub(super) const fn whole(bytes: &'a [u8], head: Head<'a>, inside: &'a [u8]) -> Self {
        Self {
            bytes,
            head,
            inside,
            format: PhantomData,
        }
    }

    /// The item's bytes.
    #[must_use]
    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    pub(super) const fn head(&self) -> &Head<'a> {
        &self.head
    }

    /// The content of the item.
    #[must_use]
    pub fn value(self) -> Value<'a, F> {
        let inside = self.inside;
        match self.head {
            Head::Nil | Head::Break => Value::Nil,
            Head::Undefined => Value::Undefined,
            Head::Bool(value) => Value::Bool(value),
            Head::Uint(value) => Value::Uint(value),
            Head::Nint(value) => Value::Nint(value),
            Head::Float32(value) => Value::Float32(value),
            Head::Float64(value) => Value::Float64(value),
            Head::Str(value) => Value::Str(value),
            Head::RawStr(value) => Value::RawStr(value),
            Head::StrChunks => {
                Value::StrChunks(Chunks::new(Items::new(inside, None), StringKind::Text))
            }
            Head::Bin(value) => Value::Bin(value),
            Head::BinChunks => {
                Value::BinChunks(Chunks::new(Items::new(inside, None), StringKind::Bytes))
            }
            Head::Array(count) => Value::Array(Items::new(inside, count)),
            Head::Map(pairs) => Value::Map(Entries(Items::new(
                inside,
                pairs.map(|pairs| pairs.saturating_mul(2)),
            ))),
            Head::Ext(kind, value) => Value::Ext(kind, value),
            Head::Tag(tag) => match Self::first(inside) {
                Some((node, _)) => Value::Tag(tag, node),
                // Unreachable: `walk` has checked the bytes.
                None => Value::Nil,
            },
            Head::Simple(value) => Value::Simple(value),
        }
    }

    /// An integer that fits u64, including bignums of CBOR.
    #[must_use]
    pub fn as_u64(self) -> Option<u64> {
        match self.head {
            Head::Uint(value) => Some(value),
            Head::Tag(_) => self.as_u128().and_then(|value| value.try_into().ok()),
            _ => None,
        }
    }

    /// An integer that fits i64, including bignums of CBOR.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        match self.head {
            Head::Uint(value) => i64::try_from(value).ok(),
            Head::Nint(value) => i64::try_from(value).ok().map(|value| -1 - value),
            Head::Tag(_) => self.as_i128().and_then(|value| value.try_into().ok()),
            _ => None,
        }
    }

    /// An integer that fits i128: every plain integer, and CBOR's bignums of tags 2 and 3 (RFC 8949 section
    /// 3.4.3), also in chunks.
    #[must_use]
    pub fn as_i128(self) -> Option<i128> {
        match self.head {
            Head::Uint(value) => Some(value.into()),
            Head::Nint(value) => Some(-1 - i128::from(value)),
            _ => {
                let (negative, chunks) = self.bignum_chunks()?;
                bignum::to_i128(negative, chunks.contents().flatten())
            }
        }
    }

    /// An integer that fits u128; see [`as_i128`](Self::as_i128).
    #[must_use]
    pub fn as_u128(self) -> Option<u128> {
        match self.head {
            Head::Uint(value) => Some(value.into()),
            _ => match self.bignum_chunks()? {
                (false, chunks) => bignum::to_u128(chunks.contents().flatten()),
                (true, _) => None,
            },
        }
    }

    /// CBOR's bignum of any size (tags 2 and 3), as bytes with a sign. `None` for a plain integer, and for a
    /// bignum in chunks, which is not one slice.
    #[must_use]
    pub fn as_bignum(self) -> Option<Bignum<'a>> {
        match self.value() {
            Value::Tag(tag @ (bignum::POSITIVE | bignum::NEGATIVE), inner) => inner
                .as_bin()
                .map(|magnitude| Bignum::new(tag == bignum::NEGATIVE, magnitude)),
            _ => None,
        }
    }

    /// The bytes of a bignum, and whether it is negative.
    pub(super) fn bignum_chunks(self) -> Option<(bool, Chunks<'a, F>)> {
        match self.value() {
            Value::Tag(tag @ (bignum::POSITIVE | bignum::NEGATIVE), inner) => inner
                .chunks()
                .filter(|chunks| chunks.kind() == StringKind::Bytes)
                .map(|chunks| (tag == bignum::NEGATIVE, chunks)),
            _ => None,
        }
    }

    /// An instant: MessagePack's timestamp (extension -1, all three forms), and CBOR's tag 0 (the text
    /// of RFC 3339) and tag 1 (seconds since 1970, an integer or a float).
    ///
    /// `None` for all other items, for an invalid instant (10^9 nanoseconds or more, a date that does not
    /// exist), for an instant outside the range of [`UnixTime`], and for a float that is not a whole number
    /// of nanoseconds.
    ///
    /// ```
    /// # #[cfg(feature = "msgpack")]
    /// # {
    /// use tickwire_codecs::{Codec, Limits, msgpack::Msgpack};
    /// let root = Msgpack::view(b"\xd6\xff\x51\x4b\x67\xb0", &Limits::FEED)?;
    /// assert_eq!(root.as_time().unwrap().to_string(), "2013-03-21T20:04:00Z");
    /// # }
    /// # Ok::<(), tickwire_codecs::DecodeError>(())
    /// ```
    #[must_use]
    pub fn as_time(self) -> Option<UnixTime> {
        self.time(time::of_float)
    }

    /// As [`as_time`](Self::as_time), but rounds a float of CBOR's tag 1 to the nearest nanosecond, and away
    /// from 1970 between two of them.
    #[must_use]
    pub fn as_time_lossy(self) -> Option<UnixTime> {
        self.time(time::of_float_lossy)
    }

    fn time(self, of_float: fn(f64) -> Option<UnixTime>) -> Option<UnixTime> {
        match self.value() {
            Value::Ext(time::EXTENSION, content) => time::of_extension(content),
            Value::Tag(time::TEXT_TAG, inner) => {
                let mut text = [0; time::TEXT_BYTES_MAX];
                match inner.value() {
                    Value::Str(text) => time::of_text(text),
                    Value::StrChunks(chunks) => time::of_text(chunks.copy_str(&mut text).ok()?),
                    _ => None,
                }
            }
            Value::Tag(time::EPOCH_TAG, inner) => time::of_epoch(&inner.head, of_float),
            _ => None,
        }
    }

    /// A float of either width.
    #[must_use]
    pub fn as_f64(self) -> Option<f64> {
        match self.head {
            Head::Float32(value) => Some(value.into()),
            Head::Float64(value) => Some(value),
            _ => None,
        }
    }

    /// True or false.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        match self.head {
            Head::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// Text in one piece, if it is UTF-8.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        match self.head {
            Head::Str(value) => Some(value),
            _ => None,
        }
    }

    /// The bytes of text in one piece, whether they are UTF-8 or not.
    #[must_use]
    pub fn str_bytes(self) -> Option<&'a [u8]> {
        match self.head {
            Head::Str(value) => Some(value.as_bytes()),
            Head::RawStr(value) => Some(value),
            _ => None,
        }
    }

    /// Bytes in one piece.
    #[must_use]
    pub fn as_bin(self) -> Option<&'a [u8]> {
        match self.head {
            Head::Bin(value) => Some(value),
            _ => None,
        }
    }

    /// The pieces of text or bytes: one if the string has a length, any number if it is in chunks.
    #[must_use]
    pub fn chunks(self) -> Option<Chunks<'a, F>> {
        let whole = || Items::new(self.bytes, Some(1));
        match self.head {
            Head::Str(_) | Head::RawStr(_) => Some(Chunks::new(whole(), StringKind::Text)),
            Head::Bin(_) => Some(Chunks::new(whole(), StringKind::Bytes)),
            Head::StrChunks => Some(Chunks::new(Items::new(self.inside, None), StringKind::Text)),
            Head::BinChunks => Some(Chunks::new(
                Items::new(self.inside, None),
                StringKind::Bytes,
            )),
            _ => None,
        }
    }

    /// The items of an array.
    #[must_use]
    pub fn items(self) -> Option<Items<'a, F>> {
        match self.value() {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The pairs of a map.
    #[must_use]
    pub fn entries(self) -> Option<Entries<'a, F>> {
        match self.value() {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of the first pair of a map with the key `name`, in one piece or in chunks. The search begins
    /// at the start of the map: to read many members, iterate once over [`entries`](Self::entries).
    #[must_use]
    pub fn member(self, key: &str) -> Option<Self> {
        self.entries()?
            .find(|(name, _)| match name.head {
                Head::Str(name) => name == key,
                Head::StrChunks => name.chunks().is_some_and(|name| name.is(key)),
                _ => false,
            })
            .map(|(_, value)| value)
    }
}

impl<F> Clone for Node<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Node<'_, F> {}

impl<F> fmt::Debug for Node<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Node")
            .field(&format_args!("{:02x?}", self.bytes))
            .finish()
    }
}

/// Compares the bytes: two encodings of one number differ.
impl<F> PartialEq for Node<'_, F> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}
