//! Reading a document of known shape in one pass.

use super::{Format, Head, walk};
use crate::{DecodeError, Limits};
use core::{fmt, marker::PhantomData};

/// Takes a document item by item, checking as it goes. Nothing is read twice and nothing is
/// allocated, so this is the reader for the hot path; use `view` and a [`Node`](super::Node) where
/// the order of members is not known.
///
/// Containers without a length are refused here; `view` reads them.
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

/// What a head that is not the wanted one is reported as.
#[cold]
fn unexpected(at: usize, what: &'static str, bytes: &[u8]) -> DecodeError {
    DecodeError::wrong(at, what, bytes.get(at).copied().unwrap_or_default().into())
}

impl<'a, F: Format> Reader<'a, F> {
    /// A reader at the start of a document.
    ///
    /// # Errors
    /// [`DecodeError::Limit`] where the document is longer than `max_msg`.
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
    /// [`DecodeError::Trailing`] where bytes are left.
    pub const fn finish(self) -> Result<(), DecodeError> {
        if self.at < self.bytes.len() {
            return Err(DecodeError::trailing(self.at, self.bytes.len() - self.at));
        }
        Ok(())
    }

    /// The next head, whatever it is, with the content of text and bytes.
    ///
    /// # Errors
    /// What [`Format::head`] says; [`DecodeError::Limit`] after `max_items` items.
    #[inline]
    pub fn head(&mut self) -> Result<Head<'a>, DecodeError> {
        self.items += 1;
        self.limits.check_items(self.at, self.items)?;
        let (head, next) = F::head(self.bytes, self.at)?;
        self.at = next;
        Ok(head)
    }

    /// Takes the next item if `take` wants its head; stays before it otherwise.
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
    /// [`DecodeError::Wrong`] with the first byte of an item that is none; the reader stays before
    /// it. Otherwise see [`head`](Self::head). The same for every method here.
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
    /// See [`uint`](Self::uint).
    #[inline]
    pub fn str(&mut self) -> Result<&'a str, DecodeError> {
        self.expect("head, not text,", |head| match head {
            Head::Str(value) => Some(value),
            _ => None,
        })
    }

    /// Bytes.
    ///
    /// # Errors
    /// See [`uint`](Self::uint).
    #[inline]
    pub fn bin(&mut self) -> Result<&'a [u8], DecodeError> {
        self.expect("head, not bytes,", |head| match head {
            Head::Bin(value) => Some(value),
            _ => None,
        })
    }

    /// Nil, or null, if it is next: for optional members.
    ///
    /// # Errors
    /// See [`head`](Self::head); none where the next item is another.
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

    /// The start of an array; gives the number of items that follow, which the bytes left can hold.
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

    /// The start of a map; gives the number of pairs that follow, which the bytes left can hold.
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

    /// Steps over the next item with everything in it, checking it.
    ///
    /// # Errors
    /// [`DecodeError`] of any kind; the item alone is held to the limits.
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
