//! Groups and data of a newer sender that the schema does not have.

use super::cursor::{Cursor, Scope};
use super::wire::{Dimension, Length};
use crate::DecodeError;

/// The numbers of groups and data behind a block: `numGroups` and `numVarDataFields` of a header or
/// dimension.
///
/// A view uses the counts only if the version of the sender is newer than the schema. The additional groups
/// stand before the data, and the view skips them. For older senders the version determines the groups and
/// data; some encoders write arbitrary counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counts {
    groups: u16,
    data: u16,
}

impl Counts {
    /// Unknown counts.
    pub const NONE: Self = Self::new(None, None);

    /// `None` if the count is unknown. Counts above 65,534 become 65,534: no message holds so many.
    #[must_use]
    pub const fn new(groups: Option<u32>, data: Option<u32>) -> Self {
        const fn narrow(count: Option<u32>) -> u16 {
            match count {
                None => u16::MAX,
                Some(n) if n < u16::MAX as u32 => n as u16,
                Some(_) => u16::MAX - 1,
            }
        }
        Self {
            groups: narrow(groups),
            data: narrow(data),
        }
    }

    /// The counts without the known groups and data.
    const fn beyond(count: u16, known: u16) -> u16 {
        if count == u16::MAX {
            0
        } else {
            count.saturating_sub(known)
        }
    }

    /// Whether entries have neither groups nor data.
    pub(super) const fn is_fixed(self) -> bool {
        Self::beyond(self.groups, 0) == 0 && Self::beyond(self.data, 0) == 0
    }
}

/// A function that skips one variable data field.
pub type SkipData = fn(&mut Cursor<'_>) -> Result<(), DecodeError>;

/// Skips data behind a length of type `L`.
///
/// # Errors
/// [`DecodeError::Short`].
pub fn skip_one_data<L: Length>(cursor: &mut Cursor<'_>) -> Result<(), DecodeError> {
    cursor.data::<L>().map(|_| ())
}

/// Refuses data with an unknown type of length: the schema has no data, or lengths of several types.
///
/// # Errors
/// [`DecodeError::Wrong`].
pub fn untold_data(cursor: &mut Cursor<'_>) -> Result<(), DecodeError> {
    Err(DecodeError::wrong(
        cursor.at(),
        "data of a length that cannot be told",
        1,
    ))
}

impl Cursor<'_> {
    /// Skips the groups behind the `known` ones. `D` is the only dimension of the schema.
    ///
    /// # Errors
    /// The errors of [`group`](Self::group).
    #[inline]
    pub fn skip_groups<D: Dimension>(
        &mut self,
        scope: &Scope,
        known: u16,
        depth: u32,
        data: SkipData,
    ) -> Result<(), DecodeError> {
        let unknown = Counts::beyond(scope.counts.groups, known);
        (0..unknown).try_for_each(|_| self.skip_group::<D>(scope, depth, data))
    }

    /// Refuses groups behind the `known` ones, because the schema has several dimensions or none.
    ///
    /// # Errors
    /// [`DecodeError::Wrong`].
    #[inline]
    pub fn no_more_groups(&self, scope: &Scope, known: u16) -> Result<(), DecodeError> {
        match Counts::beyond(scope.counts.groups, known) {
            0 => Ok(()),
            _ => Err(DecodeError::wrong(
                self.at(),
                "numGroups",
                scope.counts.groups.into(),
            )),
        }
    }

    /// Skips the data behind the `known` fields.
    ///
    /// # Errors
    /// [`DecodeError::Short`], and the errors of `data`.
    #[inline]
    pub fn skip_data(
        &mut self,
        scope: &Scope,
        known: u16,
        data: SkipData,
    ) -> Result<(), DecodeError> {
        let unknown = Counts::beyond(scope.counts.data, known);
        (0..unknown).try_for_each(|_| data(self))
    }

    #[cold]
    fn skip_group<D: Dimension>(
        &mut self,
        scope: &Scope,
        depth: u32,
        data: SkipData,
    ) -> Result<(), DecodeError> {
        let (dimension, length) = self.dimension::<D>(scope, depth)?;
        let counts = dimension.counts();
        if counts.is_fixed() {
            return self.take(length).map(|_| ());
        }
        let scope = Scope { counts, ..*scope };
        // Each entry has bytes for its groups or data, so the length of the message bounds the loop.
        for _ in 0..dimension.num_in_group() {
            self.take(dimension.block_length() as usize)?;
            self.skip_groups::<D>(&scope, 0, depth + 1, data)?;
            self.skip_data(&scope, 0, data)?;
        }
        Ok(())
    }
}
