//! Groups and data of a newer sender with counts in header and dimensions.

use super::{Counted, DynamicError, Reader};
use crate::ir::{Counts, Prim};

/// Groups inside each other that are stepped over.
const SKIP_DEPTH_MAX: usize = 16;

impl Reader<'_> {
    /// The counts of a header or dimension; the null value means unknown.
    ///
    /// They are for senders that are newer than the schema alone. For all others the version says what is
    /// there, and encoders that know nothing of counts leave anything in them.
    pub(super) fn counted(&self, composite: usize, counts: Counts, raw: &[u8]) -> Counted {
        if self.version <= self.schema.version {
            return Counted::default();
        }
        let members = &self.schema.composites[composite].members;
        let count = |index: usize| {
            let n = self.schema.unsigned_in(&members[index], raw);
            let max = u32::MAX >> (32 - 8 * members[index].size.clamp(1, 4));
            (n != max).then_some(n)
        };
        Counted {
            groups: counts.groups.and_then(count),
            data: counts.data.and_then(count),
        }
    }

    /// Skips the groups behind the known ones.
    pub(super) fn skip_groups(
        &mut self,
        counted: Option<u32>,
        known: usize,
    ) -> Result<(), DynamicError> {
        let unknown = counted.map_or(0, |n| (n as usize).saturating_sub(known));
        for _ in 0..unknown {
            self.skip_group(0)?;
        }
        Ok(())
    }

    fn skip_group(&mut self, depth: usize) -> Result<(), DynamicError> {
        const PART: &str = "a group that the schema does not know";
        let schema = self.schema;
        // Which dimension it has is only known where there is no choice.
        let [dimension] = schema.dimensions.as_slice() else {
            return self.fail(
                PART,
                "has an unknown dimension: the schema has none or several".into(),
            );
        };
        if depth == SKIP_DEPTH_MAX {
            return self.fail(PART, format!("is nested more than {SKIP_DEPTH_MAX} deep"));
        }
        let composite = &schema.composites[dimension.composite];
        let raw = self.take(composite.size, PART)?;
        let member = |index: usize| schema.unsigned_in(&composite.members[index], raw) as usize;
        let (block, entries) = (
            member(dimension.block_length),
            member(dimension.num_in_group),
        );
        let inside = self.counted(dimension.composite, dimension.counts, raw);
        self.count(PART, entries)?;
        for _ in 0..entries {
            self.take(block, PART)?;
            for _ in 0..inside.groups.unwrap_or(0) {
                self.skip_group(depth + 1)?;
            }
            for _ in 0..inside.data.unwrap_or(0) {
                self.skip_one_data()?;
            }
        }
        Ok(())
    }

    /// Skips the data behind the known ones.
    pub(super) fn skip_data(
        &mut self,
        counted: Option<u32>,
        known: usize,
    ) -> Result<(), DynamicError> {
        let unknown = counted.map_or(0, |n| (n as usize).saturating_sub(known));
        (0..unknown).try_for_each(|_| self.skip_one_data())
    }

    fn skip_one_data(&mut self) -> Result<(), DynamicError> {
        const PART: &str = "data that the schema does not know";
        self.count(PART, 1)?;
        match self.data_length() {
            Some(length) => self.sized(length, PART).map(|_| ()),
            None => self.fail(
                PART,
                "has an unknown type of length: the schema has none or several".into(),
            ),
        }
    }

    /// The type of the lengths of data, where all data of the schema have one.
    fn data_length(&self) -> Option<Prim> {
        *self.data_length.get_or_init(|| {
            let mut lengths = self.schema.data_lengths();
            let first = lengths.next()?;
            lengths.all(|other| other == first).then_some(first)
        })
    }
}
