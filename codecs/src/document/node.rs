//! Reading a checked document.

use super::{Format, Head, walk};
use crate::{ToJson, json};
use core::{fmt, marker::PhantomData};

/// One item of a checked document, with everything in it.
pub struct Node<'a, F> {
    /// Exactly this item.
    bytes: &'a [u8],
    /// Its head, and what lies behind it.
    head: Head<'a>,
    inside: &'a [u8],
    format: PhantomData<fn() -> F>,
}

/// What an item holds.
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
    /// Bytes.
    Bin(&'a [u8]),
    /// Items.
    Array(Items<'a, F>),
    /// Pairs of items.
    Map(Entries<'a, F>),
    /// MessagePack's extension: application's type and content.
    Ext(i8, &'a [u8]),
    /// CBOR's tag and the item it is put on.
    Tag(u64, Node<'a, F>),
    /// CBOR's simple value without a name here.
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

    /// What the item holds.
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
            Head::Bin(value) => Value::Bin(value),
            Head::Array(count) => Value::Array(Items::new(inside, count)),
            Head::Map(pairs) => Value::Map(Entries(Items::new(
                inside,
                pairs.map(|pairs| pairs.saturating_mul(2)),
            ))),
            Head::Ext(kind, value) => Value::Ext(kind, value),
            Head::Tag(tag) => match Self::first(inside) {
                Some((node, _)) => Value::Tag(tag, node),
                // The bytes were checked: cannot come here.
                None => Value::Nil,
            },
            Head::Simple(value) => Value::Simple(value),
        }
    }

    /// An integer that fits u64.
    #[must_use]
    pub fn as_u64(self) -> Option<u64> {
        match self.head {
            Head::Uint(value) => Some(value),
            _ => None,
        }
    }

    /// An integer that fits i64.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        match self.head {
            Head::Uint(value) => i64::try_from(value).ok(),
            Head::Nint(value) => i64::try_from(value).ok().map(|value| -1 - value),
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

    /// Text.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        match self.head {
            Head::Str(value) => Some(value),
            _ => None,
        }
    }

    /// Bytes.
    #[must_use]
    pub fn as_bin(self) -> Option<&'a [u8]> {
        match self.head {
            Head::Bin(value) => Some(value),
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

    /// The value of the first pair of a map whose key is this text. Walks the map from its start:
    /// read many members with one pass over [`entries`](Self::entries).
    #[must_use]
    pub fn member(self, key: &str) -> Option<Self> {
        self.entries()?
            .find(|(name, _)| name.as_str() == Some(key))
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

/// Same bytes; two encodings of one number differ.
impl<F> PartialEq for Node<'_, F> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

/// The items of an array.
pub struct Items<'a, F> {
    /// The items left, and a break where there is no count.
    bytes: &'a [u8],
    left: Option<u64>,
    format: PhantomData<fn() -> F>,
}

impl<'a, F: Format> Items<'a, F> {
    const fn new(bytes: &'a [u8], left: Option<u64>) -> Self {
        Self {
            bytes,
            left,
            format: PhantomData,
        }
    }

    /// Items left, where the array says how many.
    #[must_use]
    pub const fn left(&self) -> Option<u64> {
        self.left
    }
}

impl<F> Clone for Items<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Items<'_, F> {}

impl<F> fmt::Debug for Items<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl<'a, F: Format> Iterator for Items<'a, F> {
    type Item = Node<'a, F>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.left {
            Some(0) => return None,
            Some(left) => *left -= 1,
            None => {}
        }
        // Without a count a break ends the items, and is no node.
        let (node, rest) = Node::first(self.bytes)?;
        self.bytes = rest;
        Some(node)
    }
}

/// The pairs of a map, keys first.
pub struct Entries<'a, F>(pub(super) Items<'a, F>);

impl<F> Clone for Entries<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Entries<'_, F> {}

impl<F> fmt::Debug for Entries<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entries").field(&self.0).finish()
    }
}

impl<'a, F: Format> Entries<'a, F> {
    /// Pairs left, where the map says how many.
    #[must_use]
    pub fn left(&self) -> Option<u64> {
        self.0.left.map(|items| items / 2)
    }
}

impl<'a, F: Format> Iterator for Entries<'a, F> {
    type Item = (Node<'a, F>, Node<'a, F>);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?, self.0.next()?))
    }
}

impl<F: Format> ToJson for Node<'_, F> {
    /// Depth is bounded: the document was checked against [`DEPTH_LEVELS_MAX`](crate::DEPTH_LEVELS_MAX).
    /// Bytes become hexadecimal strings, and so does the encoding of a key that is no text: the key 1
    /// of CBOR is `"01"`. (As JSON in a string, a key in a key in a key would double at each level.)
    /// Two keys of a map may so have one name.
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        match self.value() {
            Value::Nil | Value::Undefined => out.write_str("null"),
            Value::Bool(value) => value.to_json(out),
            Value::Uint(value) => value.to_json(out),
            Value::Nint(value) => write!(out, "{}", -1 - i128::from(value)),
            Value::Float32(value) => value.to_json(out),
            Value::Float64(value) => value.to_json(out),
            Value::Str(value) => value.to_json(out),
            Value::Bin(value) | Value::Ext(_, value) => json::hex(out, value),
            Value::Array(items) => json::array(out, items),
            Value::Tag(_, node) => node.to_json(out),
            Value::Simple(value) => value.to_json(out),
            Value::Map(entries) => {
                out.write_char('{')?;
                for (index, (key, value)) in entries.enumerate() {
                    if index > 0 {
                        out.write_char(',')?;
                    }
                    match key.as_str() {
                        Some(text) => text.to_json(out)?,
                        None => json::hex(out, key.bytes())?,
                    }
                    out.write_char(':')?;
                    value.to_json(out)?;
                }
                out.write_char('}')
            }
        }
    }
}
