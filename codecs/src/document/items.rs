//! Iterators over the content of an item.

use super::{Format, Node, StringKind};
use crate::EncodeError;
use core::{fmt, marker::PhantomData};

/// The items of an array.
pub struct Items<'a, F> {
    /// The bytes of the remaining items, with the break of an array without a length.
    bytes: &'a [u8],
    left: Option<u64>,
    format: PhantomData<fn() -> F>,
}

impl<'a, F: Format> Items<'a, F> {
    pub(super) const fn new(bytes: &'a [u8], left: Option<u64>) -> Self {
        Self {
            bytes,
            left,
            format: PhantomData,
        }
    }

    /// Remaining items; `None` in an array without a length.
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
        // A break ends the items of an array without a length. It is not a node.
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
    /// Remaining pairs; `None` in a map without a length.
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

/// The pieces of a string, in order: text or bytes of one item. A string with a length is one piece;
/// CBOR also has strings in chunks (RFC 8949 section 3.2.3).
///
/// Each piece is a node of the kind of the string, so [`Node::as_str`] checks each chunk of text by itself:
/// RFC 8949 does not allow a character that spans two chunks.
///
/// ```
/// # #[cfg(feature = "cbor")]
/// # {
/// use tickwire_codecs::{Codec, Limits, cbor::Cbor};
/// let root = Cbor::view(b"\x7f\x65strea\x64ming\xff", &Limits::FEED)?;
/// let chunks = root.chunks().unwrap();
/// assert!(chunks.map(|chunk| chunk.as_str().unwrap()).eq(["strea", "ming"]));
/// let mut whole = [0; 16];
/// assert_eq!(chunks.copy_str(&mut whole), Ok("streaming"));
/// # }
/// # Ok::<(), tickwire_codecs::DecodeError>(())
/// ```
pub struct Chunks<'a, F> {
    pieces: Items<'a, F>,
    kind: StringKind,
}

impl<'a, F: Format> Chunks<'a, F> {
    pub(super) const fn new(pieces: Items<'a, F>, kind: StringKind) -> Self {
        Self { pieces, kind }
    }

    /// Whether the string is text or bytes.
    #[must_use]
    pub const fn kind(&self) -> StringKind {
        self.kind
    }

    /// The contents of the pieces.
    pub(super) fn contents(self) -> impl Iterator<Item = &'a [u8]> {
        self.filter_map(|piece| piece.str_bytes().or(piece.as_bin()))
    }

    /// The length of all remaining pieces, in bytes.
    #[must_use]
    pub fn len_bytes(self) -> usize {
        // The pieces belong to one document, so the sum is below its length.
        self.contents().map(<[u8]>::len).sum()
    }

    /// Whether the string is text and every piece is UTF-8.
    #[must_use]
    pub fn is_utf8(mut self) -> bool {
        self.kind == StringKind::Text && self.all(|piece| piece.as_str().is_some())
    }

    /// Copies the remaining pieces to the start of `out`, one behind the other, and returns the copy.
    ///
    /// # Errors
    /// [`EncodeError::Room`] if `out` is shorter than [`len_bytes`](Self::len_bytes).
    pub fn copy_to(self, out: &mut [u8]) -> Result<&[u8], EncodeError> {
        let (need, have) = (self.len_bytes(), out.len());
        let room = EncodeError::Room { need, have };
        let mut rest = out.get_mut(..need).ok_or(room)?;
        for content in self.contents() {
            let (place, behind) = rest.split_at_mut_checked(content.len()).ok_or(room)?;
            place.copy_from_slice(content);
            rest = behind;
        }
        Ok(out.get(..need).unwrap_or_default())
    }

    /// Copies the remaining pieces to the start of `out` and returns the copy as text.
    ///
    /// # Errors
    /// [`EncodeError::Room`] if `out` is too short. [`EncodeError::Range`] with the index of the first piece
    /// that is not UTF-8.
    pub fn copy_str(self, out: &mut [u8]) -> Result<&str, EncodeError> {
        if !self.is_utf8() {
            // A byte string may have no pieces; it is not text either.
            let index = self.clone().position(|piece| piece.as_str().is_none());
            return Err(EncodeError::Range {
                what: "piece that is not UTF-8 (index)",
                got: index.unwrap_or_default() as u64,
            });
        }
        // The concatenation of UTF-8 pieces is UTF-8.
        self.copy_to(out)
            .map(|bytes| core::str::from_utf8(bytes).unwrap_or_default())
    }

    /// Whether the pieces together are `text`.
    pub(super) fn is(self, text: &str) -> bool {
        let mut rest = text.as_bytes();
        for piece in self {
            match piece
                .as_str()
                .and_then(|piece| rest.strip_prefix(piece.as_bytes()))
            {
                Some(behind) => rest = behind,
                None => return false,
            }
        }
        rest.is_empty()
    }
}

impl<'a, F: Format> Iterator for Chunks<'a, F> {
    type Item = Node<'a, F>;

    fn next(&mut self) -> Option<Self::Item> {
        self.pieces.next()
    }
}

impl<F> Clone for Chunks<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Chunks<'_, F> {}

impl<F> fmt::Debug for Chunks<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunks")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
