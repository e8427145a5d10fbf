//! Groups and data that a newer sender has and the schema does not, where the sender says how many.

use super::cursor::{Cursor, Scope};
use super::wire::{Dimension, Length};
use crate::DecodeError;

/// How many groups and data stand behind a block, by `numGroups` and `numVarDataFields` of a header or
/// dimension.
///
/// A view needs them only where the sender's version is newer than the schema: groups that came later
/// stand before the data, and are stepped over. For all other senders the version says what is there, and
/// encoders that know nothing of counts leave anything in them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counts {
    groups: u16,
    data: u16,
}

impl Counts {
    /// The sender does not say.
    pub const NONE: Self = Self::new(None, None);

    /// `None` if the sender does not say. More than 65,534 are as many, which no message holds.
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

    /// Those beyond the known ones.
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

/// How one piece of data is stepped over.
pub type SkipData = fn(&mut Cursor<'_>) -> Result<(), DecodeError>;

/// Steps over data behind a length of type `L`.
///
/// # Errors
/// [`DecodeError::Short`].
pub fn skip_one_data<L: Length>(cursor: &mut Cursor<'_>) -> Result<(), DecodeError> {
    cursor.data::<L>().map(|_| ())
}

/// Data whose length is of a type that cannot be told: the schema has none, or of several types.
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
    /// Steps over the groups behind the `known` ones. They have the dimension `D`, which is the only one
    /// of the schema.
    ///
    /// # Errors
    /// As [`group`](Self::group).
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

    /// Refuses groups behind the `known` ones, where the schema has several dimensions, or none.
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

    /// Steps over the data behind the `known` ones.
    ///
    /// # Errors
    /// [`DecodeError::Short`], those of `data`.
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
        // Each entry takes bytes, those of its groups or data: the message's length bounds the walk.
        for _ in 0..dimension.num_in_group() {
            self.take(dimension.block_length() as usize)?;
            self.skip_groups::<D>(&scope, 0, depth + 1, data)?;
            self.skip_data(&scope, 0, data)?;
        }
        Ok(())
    }
}
