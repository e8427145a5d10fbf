//! Writing documents in their shortest form.

use super::{Bignum, Chunks, Format, HEAD_BYTES_MAX, Head, Node, Value, time};
use crate::{Encode, EncodeError, UnixTime, value::Rfc3339};
use core::{fmt, marker::PhantomData};

/// A value that can be written as a document of any [`Format`].
pub trait Build {
    /// Writes exactly one item with all nested items. The crate calls it twice, to measure and to write: both
    /// calls must write the same item.
    ///
    /// # Errors
    /// The errors of the writer.
    fn build<F: Format>(&self, out: &mut Writer<'_, F>) -> Result<(), EncodeError>;
}

impl<F: Format, T: Build> Encode<F> for T {
    /// 0 for a value that the format cannot represent; [`encode`](Encode::encode) returns the error.
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
/// A container declares its number of items first. [`finish`](Self::finish) refuses a document with too few
/// items, and every method refuses an item too many. A failed call writes nothing and does not change the
/// writer.
pub struct Writer<'o, F> {
    out: &'o mut [u8],
    at: usize,
    /// Missing items. A document is one item.
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

    /// Ends the document and returns its length in bytes.
    ///
    /// # Errors
    /// [`EncodeError::Order`] if a container lacks items.
    pub const fn finish(self) -> Result<usize, EncodeError> {
        if self.owed > 0 {
            return Err(EncodeError::Order {
                what: "as many items as the containers declare",
            });
        }
        Ok(self.at)
    }

    /// Writes both or neither: a reader would take the next item for the content of a head without content.
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

    /// The number of missing items behind the next item.
    fn owe(&self) -> Result<u64, EncodeError> {
        self.owed.checked_sub(1).ok_or(EncodeError::Order {
            what: "no item after the end of the document",
        })
    }

    /// Writes a head and its content. The next `inside` items are nested in the item.
    fn item(
        &mut self,
        head: &Head<'_>,
        content: &[u8],
        inside: u64,
    ) -> Result<&mut Self, EncodeError> {
        let owed = self.owe()?;
        let mut scratch = [0; HEAD_BYTES_MAX];
        let len = F::put_head(head, &mut scratch)?;
        self.put(scratch.get(..len).unwrap_or_default(), content)?;
        self.owed = owed.saturating_add(inside);
        Ok(self)
    }

    /// Nil, or null.
    ///
    /// # Errors
    /// [`EncodeError::Room`] if the buffer is full; [`EncodeError::Order`] after the end of the document. All
    /// methods have these errors.
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

    /// An integer of 64 bits.
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

    /// An integer of 128 bits. CBOR writes one that is too large for a plain integer as a bignum.
    ///
    /// # Errors
    /// See [`nil`](Self::nil); [`EncodeError::Range`] for more than 64 bits in MessagePack.
    pub fn int128(&mut self, value: i128) -> Result<&mut Self, EncodeError> {
        match u128::try_from(value) {
            Ok(value) => self.uint128(value),
            // !v is -1 - v.
            Err(_) => self.bignum(Bignum::new(true, &(!value).to_be_bytes())),
        }
    }

    /// An integer of 0 or more, of 128 bits; see [`int128`](Self::int128).
    ///
    /// # Errors
    /// See [`int128`](Self::int128).
    pub fn uint128(&mut self, value: u128) -> Result<&mut Self, EncodeError> {
        self.bignum(Bignum::new(false, &value.to_be_bytes()))
    }

    /// An integer of any size, as a plain integer if possible (RFC 8949 section 3.4.3).
    ///
    /// # Errors
    /// See [`nil`](Self::nil); [`EncodeError::Range`] with the low 64 bits of the magnitude for a
    /// number that MessagePack cannot hold.
    pub fn bignum(&mut self, value: Bignum<'_>) -> Result<&mut Self, EncodeError> {
        let magnitude = value.magnitude();
        let low = magnitude.rchunks(8).next().unwrap_or_default();
        let low = low.iter().fold(0, |low, &byte| low << 8 | u64::from(byte));
        match (magnitude.len(), value.is_negative()) {
            (0..=8, false) => return self.uint(low),
            (0..=8, true) => return self.item(&Head::Nint(low), &[], 0),
            _ if !F::TAGS => {
                return Err(EncodeError::Range {
                    what: "integer of more than 64 bits (low 64 bits)",
                    got: low,
                });
            }
            _ => {}
        }
        let tag = if value.is_negative() {
            super::bignum::NEGATIVE
        } else {
            super::bignum::POSITIVE
        };
        self.whole(|out| out.tag(tag)?.bin(magnitude))
    }

    /// An instant, without rounding. MessagePack: the timestamp in its shortest form. CBOR: tag 1 for whole
    /// seconds, and tag 0 with the text of RFC 3339 for an instant with a fraction of a second.
    ///
    /// ```
    /// # #[cfg(feature = "cbor")]
    /// # {
    /// use tickwire_codecs::{Codec, Limits, UnixTime, cbor::Cbor, document::Writer};
    /// let time = UnixTime::from_millis(1_700_000_000_250);
    /// let mut wire = [0; 40];
    /// let mut out = Writer::<Cbor>::new(&mut wire);
    /// out.time(time)?;
    /// let len = out.finish()?;
    /// let root = Cbor::view(&wire[..len], &Limits::DEVICE).unwrap();
    /// assert_eq!(root.as_time(), Some(time));
    /// # }
    /// # Ok::<(), tickwire_codecs::EncodeError>(())
    /// ```
    ///
    /// # Errors
    /// See [`nil`](Self::nil); [`EncodeError::Range`] for a fraction of a second outside of the years 0
    /// to 9999 in CBOR.
    pub fn time(&mut self, value: UnixTime) -> Result<&mut Self, EncodeError> {
        if !F::TAGS {
            let timestamp = time::Extension::new(value);
            return self.ext(time::EXTENSION, timestamp.content());
        }
        if let Some(seconds) = value.to_seconds() {
            return self.whole(|out| out.tag(time::EPOCH_TAG)?.int(seconds));
        }
        let text = Rfc3339::new(value).ok_or(EncodeError::Range {
            what: "time with a fraction of a second outside the years 0 to 9999 (seconds)",
            got: value.seconds().cast_unsigned(),
        })?;
        self.whole(|out| out.tag(time::TEXT_TAG)?.str(text.text()))
    }

    /// A float of single precision. CBOR writes half precision if that is exact.
    ///
    /// # Errors
    /// See [`nil`](Self::nil).
    pub fn f32(&mut self, value: f32) -> Result<&mut Self, EncodeError> {
        self.item(&Head::Float32(value), &[], 0)
    }

    /// A double. CBOR writes a shorter float if that is exact.
    ///
    /// # Errors
    /// See [`nil`](Self::nil).
    pub fn f64(&mut self, value: f64) -> Result<&mut Self, EncodeError> {
        self.item(&Head::Float64(value), &[], 0)
    }

    /// Text.
    ///
    /// # Errors
    /// See [`nil`](Self::nil); [`EncodeError::Range`] if it is longer than the format allows.
    pub fn str(&mut self, value: &str) -> Result<&mut Self, EncodeError> {
        self.item(&Head::Str(value), value.as_bytes(), 0)
    }

    /// Text that may not be UTF-8, such as the bytes of [`Node::str_bytes`]. MessagePack allows such text. A
    /// CBOR document with such text is well-formed but not valid, and other readers may refuse it.
    ///
    /// # Errors
    /// See [`str`](Self::str).
    pub fn str_bytes(&mut self, value: &[u8]) -> Result<&mut Self, EncodeError> {
        self.item(&Head::RawStr(value), value, 0)
    }

    /// Bytes.
    ///
    /// # Errors
    /// See [`str`](Self::str).
    pub fn bin(&mut self, value: &[u8]) -> Result<&mut Self, EncodeError> {
        self.item(&Head::Bin(value), value, 0)
    }

    /// An array. Its `count` items follow.
    ///
    /// # Errors
    /// See [`str`](Self::str).
    pub fn array(&mut self, count: u32) -> Result<&mut Self, EncodeError> {
        self.item(&Head::Array(Some(count.into())), &[], count.into())
    }

    /// A map. `pairs` keys and values follow in turn.
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

    /// A tag of CBOR. The tagged item follows.
    ///
    /// # Errors
    /// See [`nil`](Self::nil); [`EncodeError::Range`] in a format without tags.
    pub fn tag(&mut self, tag: u64) -> Result<&mut Self, EncodeError> {
        self.item(&Head::Tag(tag), &[], 1)
    }

    /// CBOR's undefined.
    ///
    /// # Errors
    /// See [`nil`](Self::nil); [`EncodeError::Range`] in a format without it.
    pub fn undefined(&mut self) -> Result<&mut Self, EncodeError> {
        self.item(&Head::Undefined, &[], 0)
    }

    /// CBOR's simple value without a name: 0 to 19 and 32 to 255.
    ///
    /// # Errors
    /// See [`nil`](Self::nil); [`EncodeError::Range`] for the numbers between, and in a format without
    /// simple values.
    pub fn simple(&mut self, value: u8) -> Result<&mut Self, EncodeError> {
        self.item(&Head::Simple(value), &[], 0)
    }

    /// A node of another document of any format, with all nested items. Arrays, maps and strings without a
    /// length get a length, and chunks are joined. Instants and integers get the form of this format. A
    /// date of CBOR does not change in CBOR.
    ///
    /// # Errors
    /// See [`str`](Self::str); [`EncodeError::Range`] for items that this format does not have.
    pub fn node<G: Format>(&mut self, node: Node<'_, G>) -> Result<&mut Self, EncodeError> {
        self.whole(|out| out.copy(node))
    }

    /// Writes several items, or none of them if one fails.
    fn whole(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<&mut Self, EncodeError>,
    ) -> Result<&mut Self, EncodeError> {
        let before = (self.at, self.owed);
        match write(self) {
            Ok(_) => Ok(self),
            Err(error) => {
                (self.at, self.owed) = before;
                Err(error)
            }
        }
    }

    /// A string in chunks, joined, without the first `skip` bytes.
    fn join<G: Format>(
        &mut self,
        chunks: Chunks<'_, G>,
        mut skip: usize,
    ) -> Result<&mut Self, EncodeError> {
        let owed = self.owe()?;
        let mut head = [0; HEAD_BYTES_MAX];
        let content_len = chunks.len_bytes().saturating_sub(skip);
        let len = F::put_string_head(chunks.kind(), content_len as u64, &mut head)?;
        self.put(head.get(..len).unwrap_or_default(), &[])?;
        for content in chunks.contents() {
            let (skipped, rest) = content.split_at(skip.min(content.len()));
            skip -= skipped.len();
            self.put(&[], rest)?;
        }
        self.owed = owed;
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
            Value::Tag(tag, inner) => self.copy_tag(node, tag, inner),
            Value::Bin(value) => self.bin(value),
            Value::Str(value) => self.str(value),
            Value::RawStr(value) => self.str_bytes(value),
            Value::StrChunks(chunks) | Value::BinChunks(chunks) => self.join(chunks, 0),
            Value::Ext(kind, value) => match node.as_time() {
                Some(time) => self.time(time),
                None => self.ext(kind, value),
            },
            _ => self.item(node.head(), &[], 0),
        }
    }

    fn copy_tag<G: Format>(
        &mut self,
        node: Node<'_, G>,
        tag: u64,
        inner: Node<'_, G>,
    ) -> Result<&mut Self, EncodeError> {
        if let Some(number) = node.as_i128() {
            return self.int128(number);
        }
        if let Some((_, chunks)) = node.bignum_chunks() {
            let digits = chunks.contents().flatten();
            let zeros = digits.take_while(|byte| **byte == 0).count();
            return self.tag(tag)?.join(chunks, zeros);
        }
        match node.as_time() {
            Some(time) if !F::TAGS => self.time(time),
            _ => self.tag(tag)?.copy(inner),
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

/// Writes the node in its shortest form.
impl<G: Format> Build for Node<'_, G> {
    fn build<F: Format>(&self, out: &mut Writer<'_, F>) -> Result<(), EncodeError> {
        out.node(*self)?;
        Ok(())
    }
}
