//! Reading a document of known shape in one pass.

use super::{Bignum, Format, Head, Node, bignum, time, walk};
use crate::{DecodeError, Limits, UnixTime, error::offset};
use core::{fmt, marker::PhantomData};

/// A reader of a document, item by item, with a check of each item. It reads no byte twice and does not
/// allocate: use it on the hot path. If the order of the members is unknown, use `view` and a
/// [`Node`](super::Node).
///
/// [`array`](Self::array), [`map`](Self::map), [`str`](Self::str) and [`bin`](Self::bin) refuse containers
/// and strings without a length; [`node`](Self::node) and `view` read them.
///
/// ```
/// # #[cfg(feature = "msgpack")]
/// # {
/// use tickwire_codecs::{Limits, document::Reader, msgpack::Msgpack};
/// let wire = b"\x93\x01\xa3BTC\xff"; // [1, "BTC", -1]
/// let mut document = Reader::<Msgpack>::new(wire, &Limits::FEED)?;
/// assert_eq!(document.array()?, 3);
/// assert_eq!((document.uint()?, document.str()?, document.int()?), (1, "BTC", -1));
/// document.finish()?;
/// # }
/// # Ok::<(), tickwire_codecs::DecodeError>(())
/// ```
pub struct Reader<'a, F> {
    bytes: &'a [u8],
    at: usize,
    /// Items read so far.
    items: u64,
    limits: Limits,
    format: PhantomData<fn() -> F>,
}

/// The name of an unexpected item in errors.
#[cold]
fn unexpected(at: usize, what: &'static str, bytes: &[u8]) -> DecodeError {
    DecodeError::wrong(at, what, bytes.get(at).copied().unwrap_or_default().into())
}

/// The error for the item at `at`, if it is text that is not UTF-8.
#[cold]
fn not_utf8<F: Format>(bytes: &[u8], at: usize) -> Option<DecodeError> {
    let (Head::RawStr(text), next) = F::head(bytes, at).ok()? else {
        return None;
    };
    let error = core::str::from_utf8(text).err()?;
    Some(DecodeError::Utf8 {
        at: offset(next - text.len() + error.valid_up_to()),
    })
}

/// The bignum of a tag and its content.
fn bignum_of<'a>(head: Head<'a>, inner: Option<Head<'a>>) -> Option<Bignum<'a>> {
    match (head, inner?) {
        (Head::Tag(tag @ (bignum::POSITIVE | bignum::NEGATIVE)), Head::Bin(n)) => {
            Some(Bignum::new(tag == bignum::NEGATIVE, n))
        }
        _ => None,
    }
}

/// The instant of an extension, or of a tag and its content.
fn time_of(
    head: Head<'_>,
    inner: Option<Head<'_>>,
    of_float: fn(f64) -> Option<UnixTime>,
) -> Option<UnixTime> {
    match (head, inner) {
        (Head::Ext(time::EXTENSION, content), None) => time::of_extension(content),
        (Head::Tag(time::TEXT_TAG), Some(Head::Str(text))) => time::of_text(text),
        (Head::Tag(time::EPOCH_TAG), Some(content)) => time::of_epoch(&content, of_float),
        _ => None,
    }
}

impl<'a, F: Format> Reader<'a, F> {
    /// A reader at the start of a document.
    ///
    /// # Errors
    /// [`DecodeError::Limit`] if the document is longer than `max_msg`.
    pub const fn new(bytes: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        if let Err(error) = limits.check_msg(bytes.len()) {
            return Err(error);
        }
        Ok(Self {
            bytes,
            at: 0,
            items: 0,
            limits: *limits,
            format: PhantomData,
        })
    }

    /// Offset of the next item.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Ends the document.
    ///
    /// # Errors
    /// [`DecodeError::Trailing`] if bytes are left.
    pub const fn finish(self) -> Result<(), DecodeError> {
        if self.at < self.bytes.len() {
            return Err(DecodeError::trailing(self.at, self.bytes.len() - self.at));
        }
        Ok(())
    }

    /// The next head of any kind, with the content of text and bytes. The caller then reads the nested items
    /// and checks them, such as chunks up to their break.
    ///
    /// # Errors
    /// The errors of [`Format::head`], and [`DecodeError::Limit`] after `max_items` items.
    #[inline]
    pub fn head(&mut self) -> Result<Head<'a>, DecodeError> {
        self.items += 1;
        self.limits.check_items(self.at, self.items)?;
        let (head, next) = F::head(self.bytes, self.at)?;
        self.at = next;
        Ok(head)
    }

    /// Takes the next item if `take` accepts its head. Otherwise the reader stays before the item.
    #[inline]
    fn expect<T>(
        &mut self,
        what: &'static str,
        take: impl FnOnce(Head<'a>) -> Option<T>,
    ) -> Result<T, DecodeError> {
        let at = self.at;
        let head = self.head()?;
        take(head).ok_or_else(|| {
            self.at = at;
            self.items -= 1;
            unexpected(at, what, self.bytes)
        })
    }

    /// An integer that fits u64.
    ///
    /// # Errors
    /// [`DecodeError::Wrong`] with the first byte of an item of another kind; the reader stays before the
    /// item. The errors of [`head`](Self::head). The other methods have the same errors.
    #[inline]
    pub fn uint(&mut self) -> Result<u64, DecodeError> {
        self.expect("head, not an unsigned integer,", |head| match head {
            Head::Uint(value) => Some(value),
            _ => None,
        })
    }

    /// An integer that fits i64.
    ///
    /// # Errors
    /// See [`uint`](Self::uint).
    #[inline]
    pub fn int(&mut self) -> Result<i64, DecodeError> {
        self.expect("head, not an integer of 64 bits,", |head| match head {
            Head::Uint(value) => i64::try_from(value).ok(),
            Head::Nint(value) => i64::try_from(value).ok().map(|value| -1 - value),
            _ => None,
        })
    }

    /// An integer that fits i128, plain or a bignum of CBOR (RFC 8949 section 3.4.3) in one piece.
    ///
    /// # Errors
    /// See [`uint`](Self::uint).
    pub fn int128(&mut self) -> Result<i128, DecodeError> {
        const WHAT: &str = "head, not an integer of 128 bits,";
        self.maybe_tagged(WHAT, |head, inner| match (head, inner) {
            (Head::Uint(value), None) => Some(value.into()),
            (Head::Nint(value), None) => Some(-1 - i128::from(value)),
            _ => bignum_of(head, inner)?.to_i128(),
        })
    }

    /// An integer that fits u128; see [`int128`](Self::int128).
    ///
    /// # Errors
    /// See [`uint`](Self::uint).
    pub fn uint128(&mut self) -> Result<u128, DecodeError> {
        const WHAT: &str = "head, not an unsigned integer of 128 bits,";
        self.maybe_tagged(WHAT, |head, inner| match (head, inner) {
            (Head::Uint(value), None) => Some(value.into()),
            _ => bignum_of(head, inner)?.to_u128(),
        })
    }

    /// A bignum of CBOR in one piece, of any size. Refuses plain integers.
    ///
    /// # Errors
    /// See [`uint`](Self::uint).
    pub fn bignum(&mut self) -> Result<Bignum<'a>, DecodeError> {
        self.maybe_tagged("head, not a bignum in one piece,", bignum_of)
    }

    /// An instant, as [`Node::as_time`] reads it, but with text in one piece only.
    ///
    /// # Errors
    /// See [`uint`](Self::uint).
    pub fn time(&mut self) -> Result<UnixTime, DecodeError> {
        self.maybe_tagged("head, not an exact instant,", |head, inner| {
            time_of(head, inner, time::of_float)
        })
    }

    /// An instant, as [`Node::as_time_lossy`] reads it: rounds a float to the nearest nanosecond.
    ///
    /// # Errors
    /// See [`uint`](Self::uint).
    pub fn time_lossy(&mut self) -> Result<UnixTime, DecodeError> {
        self.maybe_tagged("head, not an instant,", |head, inner| {
            time_of(head, inner, time::of_float_lossy)
        })
    }

    /// Takes the next item, and the tagged item too if the item is a tag, if `take` accepts them. Otherwise
    /// the reader stays before the first item.
    fn maybe_tagged<T>(
        &mut self,
        what: &'static str,
        take: impl FnOnce(Head<'a>, Option<Head<'a>>) -> Option<T>,
    ) -> Result<T, DecodeError> {
        let before = self.clone();
        let taken = self.head().and_then(|head| {
            let inner = match head {
                Head::Tag(_) => Some(self.head()?),
                _ => None,
            };
            take(head, inner).ok_or_else(|| unexpected(before.at, what, before.bytes))
        });
        if taken.is_err() {
            *self = before;
        }
        taken
    }

    /// A float of either width.
    ///
    /// # Errors
    /// See [`uint`](Self::uint).
    #[inline]
    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        self.expect("head, not a float,", |head| match head {
            Head::Float32(value) => Some(value.into()),
            Head::Float64(value) => Some(value),
            _ => None,
        })
    }

    /// True or false.
    ///
    /// # Errors
    /// See [`uint`](Self::uint).
    #[inline]
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        self.expect("head, not a bool,", |head| match head {
            Head::Bool(value) => Some(value),
            _ => None,
        })
    }

    /// Text.
    ///
    /// # Errors
    /// See [`uint`](Self::uint). [`DecodeError::Utf8`] at the first invalid byte if the text is not UTF-8:
    /// [`str_bytes`](Self::str_bytes) reads such text.
    #[inline]
    pub fn str(&mut self) -> Result<&'a str, DecodeError> {
        let (at, bytes) = (self.at, self.bytes);
        self.expect("head, not text in one piece,", |head| match head {
            Head::Str(value) => Some(value),
            _ => None,
        })
        .map_err(|error| not_utf8::<F>(bytes, at).unwrap_or(error))
    }

    /// The bytes of text, whether they are UTF-8 or not.
    ///
    /// # Errors
    /// See [`uint`](Self::uint).
    #[inline]
    pub fn str_bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        self.expect("head, not text in one piece,", |head| match head {
            Head::Str(value) => Some(value.as_bytes()),
            Head::RawStr(value) => Some(value),
            _ => None,
        })
    }

    /// Bytes.
    ///
    /// # Errors
    /// See [`uint`](Self::uint).
    #[inline]
    pub fn bin(&mut self) -> Result<&'a [u8], DecodeError> {
        self.expect("head, not bytes in one piece,", |head| match head {
            Head::Bin(value) => Some(value),
            _ => None,
        })
    }

    /// MessagePack's extension: type and content.
    ///
    /// # Errors
    /// See [`uint`](Self::uint).
    #[inline]
    pub fn ext(&mut self) -> Result<(i8, &'a [u8]), DecodeError> {
        self.expect("head, not an extension,", |head| match head {
            Head::Ext(kind, value) => Some((kind, value)),
            _ => None,
        })
    }

    /// A tag of CBOR. The tagged item is next.
    ///
    /// # Errors
    /// See [`uint`](Self::uint).
    #[inline]
    pub fn tag(&mut self) -> Result<u64, DecodeError> {
        self.expect("head, not a tag,", |head| match head {
            Head::Tag(tag) => Some(tag),
            _ => None,
        })
    }

    /// Reads nil or null if it is the next item. Returns whether it was. Use it for optional members.
    ///
    /// # Errors
    /// See [`head`](Self::head). No error if the next item is another.
    #[inline]
    pub fn nil(&mut self) -> Result<bool, DecodeError> {
        let (head, next) = F::head(self.bytes, self.at)?;
        if let Head::Nil = head {
            self.items += 1;
            self.limits.check_items(self.at, self.items)?;
            self.at = next;
            return Ok(true);
        }
        Ok(false)
    }

    /// The start of an array. Returns the number of its items; the remaining bytes can hold so many.
    ///
    /// # Errors
    /// See [`uint`](Self::uint); [`DecodeError::Limit`] and [`DecodeError::Short`] for the count.
    #[inline]
    pub fn array(&mut self) -> Result<u32, DecodeError> {
        let at = self.at;
        let count = self.expect("head, not an array with a length,", |head| match head {
            Head::Array(count) => count,
            _ => None,
        })?;
        walk::check_count(count, self.bytes, at, self.at, &self.limits)
    }

    /// The start of a map. Returns the number of its pairs; the remaining bytes can hold so many.
    ///
    /// # Errors
    /// See [`array`](Self::array).
    #[inline]
    pub fn map(&mut self) -> Result<u32, DecodeError> {
        let at = self.at;
        let pairs = self.expect("head, not a map with a length,", |head| match head {
            Head::Map(pairs) => pairs,
            _ => None,
        })?;
        let items = pairs.saturating_mul(2);
        walk::check_count(items, self.bytes, at, self.at, &self.limits).map(|items| items / 2)
    }

    /// The next item with all nested items, checked: for parts of a document of unknown shape.
    ///
    /// # Errors
    /// See [`skip`](Self::skip).
    pub fn node(&mut self) -> Result<Node<'a, F>, DecodeError> {
        let at = self.at;
        self.skip()?;
        let item = self.bytes.get(at..self.at).unwrap_or_default();
        let (head, next) = F::head(item, 0)?;
        Ok(Node::whole(
            item,
            head,
            item.get(next..).unwrap_or_default(),
        ))
    }

    /// Checks and skips the next item with all nested items.
    ///
    /// # Errors
    /// [`DecodeError`] of any kind. The limits apply to this item alone.
    pub fn skip(&mut self) -> Result<(), DecodeError> {
        self.items += 1;
        self.limits.check_items(self.at, self.items)?;
        self.at = walk::walk::<F>(self.bytes, self.at, &self.limits)?;
        Ok(())
    }
}

impl<F> Clone for Reader<'_, F> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<F> fmt::Debug for Reader<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("at", &self.at)
            .field("items", &self.items)
            .finish_non_exhaustive()
    }
}
