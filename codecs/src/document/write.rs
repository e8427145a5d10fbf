//! Writing documents in their shortest form.

use super::{Format, HEAD_BYTES_MAX, Head, Node, Value};
use crate::{Encode, EncodeError};
use core::{fmt, marker::PhantomData};

/// A value that can be written as a document of any [`Format`].
pub trait Build {
    /// Writes exactly one item, with everything in it. Called once to find the length and once to
    /// write: the two calls must write the same.
    ///
    /// # Errors
    /// What the writer says.
    fn build<F: Format>(&self, out: &mut Writer<'_, F>) -> Result<(), EncodeError>;
}

impl<F: Format, T: Build> Encode<F> for T {
    /// 0 for a value that has no form in this format; `encode` says why.
    fn encoded_len(&self) -> usize {
        let mut out = Writer::<F>::measure();
        self.build(&mut out)
            .and_then(|()| out.finish())
            .unwrap_or_default()
    }

    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        let mut writer = Writer::<F>::new(out);
        self.build(&mut writer)?;
        writer.finish()
    }
}

/// Writes one document in place, item by item, each in its shortest form.
///
/// Containers say their number of items first; [`finish`](Self::finish) refuses a document that has
/// fewer, and an item too many is refused at once. A call that fails writes nothing: the writer is
/// where it was before it.
pub struct Writer<'o, F> {
    out: &'o mut [u8],
    at: usize,
    /// Items still to come; a document is one.
    owed: u64,
    /// Only counts bytes.
    measure: bool,
    format: PhantomData<fn() -> F>,
}

impl<'o, F: Format> Writer<'o, F> {
    /// Writes at the start of `out`.
    #[must_use]
    pub const fn new(out: &'o mut [u8]) -> Self {
        Self {
            out,
            at: 0,
            owed: 1,
            measure: false,
            format: PhantomData,
        }
    }

    /// Writes nothing and counts bytes.
    #[must_use]
    pub const fn measure() -> Self {
        Self {
            out: &mut [],
            at: 0,
            owed: 1,
            measure: true,
            format: PhantomData,
        }
    }

    /// Ends the document and gives its length in bytes.
    ///
    /// # Errors
    /// [`EncodeError::Order`] where a container lacks items.
    pub const fn finish(self) -> Result<usize, EncodeError> {
        if self.owed > 0 {
            return Err(EncodeError::Order {
                what: "as many items as the containers promised",
            });
        }
        Ok(self.at)
    }

    /// Both or neither: what is written next would be taken for the content of a head alone.
    fn put(&mut self, head: &[u8], content: &[u8]) -> Result<(), EncodeError> {
        let end = self
            .at
            .saturating_add(head.len().saturating_add(content.len()));
        if !self.measure {
            let have = self.out.len();
            let (place, rest) = self
                .out
                .get_mut(self.at..end)
                .and_then(|place| place.split_at_mut_checked(head.len()))
                .ok_or(EncodeError::Room { need: end, have })?;
            place.copy_from_slice(head);
            rest.copy_from_slice(content);
        }
        self.at = end;
        Ok(())
    }

    /// Writes a head and its content; `inside` items then belong to it.
    fn item(
        &mut self,
        head: &Head<'_>,
        content: &[u8],
        inside: u64,
    ) -> Result<&mut Self, EncodeError> {
        let owed = self.owed.checked_sub(1);
        let owed = owed.ok_or(EncodeError::Order {
            what: "no item after the end of the document",
        })?;
        let mut scratch = [0; HEAD_BYTES_MAX];
        let len = F::put_head(head, &mut scratch)?;
        self.put(scratch.get(..len).unwrap_or_default(), content)?;
        self.owed = owed.saturating_add(inside);
        Ok(self)
    }

    /// Nil, or null.
    ///
    /// # Errors
    /// [`EncodeError::Room`]; [`EncodeError::Order`] after the document's end. The same for every
    /// method here; those that say so have [`EncodeError::Range`] too.
    pub fn nil(&mut self) -> Result<&mut Self, EncodeError> {
        self.item(&Head::Nil, &[], 0)
    }

    /// True or false.
    ///
    /// # Errors
    /// See [`nil`](Self::nil).
    pub fn bool(&mut self, value: bool) -> Result<&mut Self, EncodeError> {
        self.item(&Head::Bool(value), &[], 0)
    }

    /// An integer of 0 or more.
    ///
    /// # Errors
    /// See [`nil`](Self::nil).
    pub fn uint(&mut self, value: u64) -> Result<&mut Self, EncodeError> {
        self.item(&Head::Uint(value), &[], 0)
    }

    /// An integer.
    ///
    /// # Errors
    /// See [`nil`](Self::nil).
    pub fn int(&mut self, value: i64) -> Result<&mut Self, EncodeError> {
        match u64::try_from(value) {
            Ok(value) => self.uint(value),
            // !v is -1 - v.
            Err(_) => self.item(&Head::Nint((!value).cast_unsigned()), &[], 0),
        }
    }

    /// A float of single precision. CBOR writes half precision where that is exact.
    ///
    /// # Errors
    /// See [`nil`](Self::nil).
    pub fn f32(&mut self, value: f32) -> Result<&mut Self, EncodeError> {
        self.item(&Head::Float32(value), &[], 0)
    }

    /// A double. CBOR writes a shorter float where that is exact.
    ///
    /// # Errors
    /// See [`nil`](Self::nil).
    pub fn f64(&mut self, value: f64) -> Result<&mut Self, EncodeError> {
        self.item(&Head::Float64(value), &[], 0)
    }

    /// Text.
    ///
    /// # Errors
    /// See [`nil`](Self::nil); [`EncodeError::Range`] where it is longer than the format allows.
    pub fn str(&mut self, value: &str) -> Result<&mut Self, EncodeError> {
        self.item(&Head::Str(value), value.as_bytes(), 0)
    }

    /// Bytes.
    ///
    /// # Errors
    /// See [`str`](Self::str).
    pub fn bin(&mut self, value: &[u8]) -> Result<&mut Self, EncodeError> {
        self.item(&Head::Bin(value), value, 0)
    }

    /// An array; its `count` items follow.
    ///
    /// # Errors
    /// See [`str`](Self::str).
    pub fn array(&mut self, count: u32) -> Result<&mut Self, EncodeError> {
        self.item(&Head::Array(Some(count.into())), &[], count.into())
    }

    /// A map; `pairs` keys and values follow in turn.
    ///
    /// # Errors
    /// See [`str`](Self::str).
    pub fn map(&mut self, pairs: u32) -> Result<&mut Self, EncodeError> {
        self.item(&Head::Map(Some(pairs.into())), &[], u64::from(pairs) * 2)
    }

    /// MessagePack's extension.
    ///
    /// # Errors
    /// See [`str`](Self::str); [`EncodeError::Range`] in a format without extensions.
    pub fn ext(&mut self, kind: i8, value: &[u8]) -> Result<&mut Self, EncodeError> {
        self.item(&Head::Ext(kind, value), value, 0)
    }

    /// CBOR's tag; the item it is put on follows.
    ///
    /// # Errors
    /// See [`nil`](Self::nil); [`EncodeError::Range`] in a format without tags.
    pub fn tag(&mut self, tag: u64) -> Result<&mut Self, EncodeError> {
        self.item(&Head::Tag(tag), &[], 1)
    }

    /// A node of another document, of this format or another, with everything in it. Arrays and maps
    /// without a length get one.
    ///
    /// # Errors
    /// See [`str`](Self::str); [`EncodeError::Range`] for items this format does not have.
    pub fn node<G: Format>(&mut self, node: Node<'_, G>) -> Result<&mut Self, EncodeError> {
        let before = (self.at, self.owed);
        if let Err(error) = self.copy(node) {
            (self.at, self.owed) = before;
            return Err(error);
        }
        Ok(self)
    }

    fn copy<G: Format>(&mut self, node: Node<'_, G>) -> Result<&mut Self, EncodeError> {
        match node.value() {
            Value::Array(items) => {
                let count = items.left().unwrap_or_else(|| items.count() as u64);
                self.item(&Head::Array(Some(count)), &[], count)?;
                for item in items {
                    self.copy(item)?;
                }
                Ok(self)
            }
            Value::Map(entries) => {
                let pairs = entries.left().unwrap_or_else(|| entries.count() as u64);
                self.item(&Head::Map(Some(pairs)), &[], pairs.saturating_mul(2))?;
                for (key, value) in entries {
                    self.copy(key)?.copy(value)?;
                }
                Ok(self)
            }
            Value::Tag(tag, node) => self.tag(tag)?.copy(node),
            Value::Bin(value) => self.bin(value),
            Value::Str(value) => self.str(value),
            Value::Ext(kind, value) => self.ext(kind, value),
            _ => self.item(node.head(), &[], 0),
        }
    }
}

impl<F> fmt::Debug for Writer<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("at", &self.at)
            .field("owed", &self.owed)
            .finish_non_exhaustive()
    }
}

/// Written again in its shortest form.
impl<G: Format> Build for Node<'_, G> {
    fn build<F: Format>(&self, out: &mut Writer<'_, F>) -> Result<(), EncodeError> {
        out.node(*self)?;
        Ok(())
    }
}
