//! Repeating groups, as a slice or entry by entry.

use core::fmt;
use core::marker::PhantomData;

use zerocopy::FromBytes;

use super::cursor::{Cursor, Scope};
use super::wire::Wire;
use crate::DecodeError;

/// A group with entries of a fixed layout that is the same in all versions.
///
/// If the block length on the wire is the size of `E`, the entries are one slice. If a newer sender made the
/// entries longer, each entry is the front of its stride.
///
/// `D` is the dimension: the header of the group.
pub struct Rows<'a, E, D> {
    layout: Layout<'a, E>,
    dimension: Option<&'a D>,
}

enum Layout<'a, E> {
    Packed(&'a [E]),
    /// `bytes` is a multiple of `stride`, and `stride > size_of::<E>()`.
    Strided {
        bytes: &'a [u8],
        stride: usize,
    },
}

impl<'a, E: Wire, D> Rows<'a, E, D> {
    /// The group of an older sender whose version does not have it.
    pub const EMPTY: Self = Self {
        layout: Layout::Packed(&[]),
        dimension: None,
    };

    /// `None` if entries of `block_length` bytes are too short for `E`.
    #[inline]
    pub(super) fn new(
        dimension: &'a D,
        bytes: &'a [u8],
        block_length: u32,
        count: u32,
    ) -> Option<Self> {
        let stride = block_length as usize;
        let layout = if stride == size_of::<E>() {
            Layout::Packed(<[E]>::ref_from_bytes_with_elems(bytes, count as usize).ok()?)
        } else if count == 0 {
            // Some senders write a block length of 0 for an empty group.
            Layout::Packed(&[])
        } else if stride > size_of::<E>() {
            Layout::Strided { bytes, stride }
        } else {
            return None;
        };
        let dimension = Some(dimension);
        Some(Self { layout, dimension })
    }

    /// The dimension of the group, with the additional members of the schema. `None` if the version of the
    /// sender is older than the group.
    #[inline]
    #[must_use]
    pub const fn dimension(&self) -> Option<&'a D> {
        self.dimension
    }

    /// Number of entries.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        match &self.layout {
            Layout::Packed(slice) => slice.len(),
            Layout::Strided { bytes, stride } => bytes.len() / *stride,
        }
    }

    /// Whether the length is 0.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All entries as one slice; `None` if the entries of the sender are longer than `E`.
    #[inline]
    #[must_use]
    pub const fn as_slice(&self) -> Option<&'a [E]> {
        match &self.layout {
            Layout::Packed(slice) => Some(slice),
            Layout::Strided { .. } => None,
        }
    }

    /// The entry at `index`, from 0.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a E> {
        match &self.layout {
            Layout::Packed(slice) => slice.get(index),
            Layout::Strided { bytes, stride } => front(bytes.get(index.checked_mul(*stride)?..)?),
        }
    }

    /// The entries in wire order.
    #[inline]
    #[must_use]
    pub fn iter(&self) -> RowsIter<'a, E> {
        match &self.layout {
            Layout::Packed(slice) => RowsIter::Packed(slice.iter()),
            Layout::Strided { bytes, stride } => RowsIter::Strided(bytes.chunks_exact(*stride)),
        }
    }
}

#[inline]
fn front<E: Wire>(bytes: &[u8]) -> Option<&E> {
    E::ref_from_prefix(bytes).ok().map(|(entry, _)| entry)
}

impl<E, D> Clone for Rows<'_, E, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E, D> Copy for Rows<'_, E, D> {}

impl<E> Clone for Layout<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Layout<'_, E> {}

impl<E: Wire + fmt::Debug, D> fmt::Debug for Rows<'_, E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, E: Wire, D> IntoIterator for Rows<'a, E, D> {
    type Item = &'a E;
    type IntoIter = RowsIter<'a, E>;

    #[inline]
    fn into_iter(self) -> RowsIter<'a, E> {
        self.iter()
    }
}

impl<'a, E: Wire, D> IntoIterator for &Rows<'a, E, D> {
    type Item = &'a E;
    type IntoIter = RowsIter<'a, E>;

    #[inline]
    fn into_iter(self) -> RowsIter<'a, E> {
        self.iter()
    }
}

/// Entries of [`Rows`] in wire order.
#[derive(Clone, Debug)]
pub enum RowsIter<'a, E> {
    /// The entries on the wire have the layout of `E`.
    Packed(core::slice::Iter<'a, E>),
    /// The entries on the wire are longer than `E`.
    Strided(core::slice::ChunksExact<'a, u8>),
}

impl<'a, E: Wire> Iterator for RowsIter<'a, E> {
    type Item = &'a E;

    #[inline]
    fn next(&mut self) -> Option<&'a E> {
        match self {
            Self::Packed(entries) => entries.next(),
            Self::Strided(strides) => front(strides.next()?),
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Packed(entries) => entries.size_hint(),
            Self::Strided(strides) => strides.size_hint(),
        }
    }

    #[inline]
    fn fold<B, F: FnMut(B, &'a E) -> B>(self, init: B, f: F) -> B {
        match self {
            Self::Packed(entries) => entries.fold(init, f),
            Self::Strided(strides) => strides.filter_map(front).fold(init, f),
        }
    }
}

impl<E: Wire> ExactSizeIterator for RowsIter<'_, E> {}
impl<E: Wire> core::iter::FusedIterator for RowsIter<'_, E> {}

/// The view of one entry of a [`Group`]. Generated code implements the trait.
pub trait Entry<'a>: Copy {
    /// The length of the fields of all versions, in bytes.
    const BLOCK_BYTES_MIN: usize;
    /// Whether an entry consists of its block alone.
    const FIXED: bool;

    /// Reads one entry.
    ///
    /// # Errors
    /// The errors of the parts.
    fn read(cursor: &mut Cursor<'a>, scope: &Scope) -> Result<Self, DecodeError>;
}

/// A group with entries that the iterator reads one by one. The view of the message has checked all of them.
///
/// `D` is the dimension: the header of the group.
pub struct Group<'a, V, D> {
    dimension: Option<&'a D>,
    first: Cursor<'a>,
    count: u32,
    scope: Scope,
    view: PhantomData<fn() -> V>,
}

impl<'a, V: Entry<'a>, D> Group<'a, V, D> {
    #[inline]
    pub(super) const fn new(
        dimension: Option<&'a D>,
        first: Cursor<'a>,
        count: u32,
        scope: Scope,
    ) -> Self {
        Self {
            dimension,
            first,
            count,
            scope,
            view: PhantomData,
        }
    }

    /// The group of an older sender whose version does not have it.
    #[inline]
    #[must_use]
    pub const fn empty(scope: &Scope) -> Self {
        Self::new(None, Cursor::new(&[]), 0, *scope)
    }

    /// As [`Rows::dimension`].
    #[inline]
    #[must_use]
    pub const fn dimension(&self) -> Option<&'a D> {
        self.dimension
    }

    /// Number of entries.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether the length is 0.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The entries in wire order.
    #[inline]
    #[must_use]
    pub const fn iter(&self) -> GroupIter<'a, V> {
        GroupIter {
            cursor: self.first,
            left: self.count,
            scope: self.scope,
            view: PhantomData,
        }
    }
}

impl<V, D> Clone for Group<'_, V, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V, D> Copy for Group<'_, V, D> {}

impl<'a, V: Entry<'a> + fmt::Debug, D> fmt::Debug for Group<'a, V, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, V: Entry<'a>, D> IntoIterator for Group<'a, V, D> {
    type Item = V;
    type IntoIter = GroupIter<'a, V>;

    #[inline]
    fn into_iter(self) -> GroupIter<'a, V> {
        self.iter()
    }
}

impl<'a, V: Entry<'a>, D> IntoIterator for &Group<'a, V, D> {
    type Item = V;
    type IntoIter = GroupIter<'a, V>;

    #[inline]
    fn into_iter(self) -> GroupIter<'a, V> {
        self.iter()
    }
}

/// Entries of a [`Group`] in wire order.
#[derive(Clone, Debug)]
pub struct GroupIter<'a, V> {
    cursor: Cursor<'a>,
    left: u32,
    scope: Scope,
    view: PhantomData<fn() -> V>,
}

impl<'a, V: Entry<'a>> Iterator for GroupIter<'a, V> {
    type Item = V;

    #[inline]
    fn next(&mut self) -> Option<V> {
        self.left = self.left.checked_sub(1)?;
        // Cannot fail: the view of the message has checked the same bytes.
        V::read(&mut self.cursor, &self.scope).ok()
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl<'a, V: Entry<'a>> ExactSizeIterator for GroupIter<'a, V> {}
impl<'a, V: Entry<'a>> core::iter::FusedIterator for GroupIter<'a, V> {}
