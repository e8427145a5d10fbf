//! The buffer of the open record.

use alloc::vec::Vec;

/// Smallest step by which a buffer grows.
const STEP_BYTES: usize = 256;
/// Value of `end` that means the end of the vector.
const AT_ITS_END: usize = usize::MAX;

/// The bytes of a record, and initialized room behind them: a message is appended with one bounds
/// check for head and payload, and, if it is short, without a call.
#[derive(Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// Where the content ends: within `bytes`, or [`AT_ITS_END`].
    end: usize,
}

impl Buffer {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.end.min(self.bytes.len())
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len()).unwrap_or_default()
    }

    #[inline]
    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        let len = self.len();
        self.bytes.get_mut(..len).unwrap_or_default()
    }

    /// The content as a vector, to append to.
    #[inline]
    pub(super) fn as_vec(&mut self) -> &mut Vec<u8> {
        self.bytes.truncate(self.end);
        self.end = AT_ITS_END;
        &mut self.bytes
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.end = self.len().min(len);
    }

    /// Existing room for `len` bytes behind the content, and the offset where the content ends.
    #[inline(always)]
    pub(super) fn room(&mut self, len: usize) -> Option<(&mut [u8], usize)> {
        // With `AT_ITS_END` the range wraps and is invalid: there is no room.
        let place = self.bytes.get_mut(self.end..self.end.wrapping_add(len))?;
        Some((place, self.end))
    }

    /// Extends the content to `end`.
    #[inline(always)]
    pub(super) fn fill_to(&mut self, end: usize) {
        self.end = end;
    }

    /// Appends bytes.
    #[inline]
    pub(super) fn append(&mut self, bytes: &[u8]) {
        let end = self.end.wrapping_add(bytes.len());
        if let Some((place, _)) = self.room(bytes.len()) {
            place.copy_from_slice(bytes);
            self.end = end;
        } else {
            self.as_vec().extend_from_slice(bytes);
        }
    }

    /// Grows the vector to have room for `len` bytes behind the content.
    #[cold]
    #[inline(never)]
    fn widen(&mut self, len: usize) {
        self.end = self.len();
        self.bytes.resize(self.end + len.max(STEP_BYTES), 0);
    }

    /// Room for `len` bytes behind the content; grows the vector if needed. The room holds old
    /// bytes.
    #[inline]
    pub(super) fn make_room(&mut self, len: usize) -> (&mut [u8], usize) {
        if self.end > self.bytes.len() || self.bytes.len() - self.end < len {
            self.widen(len);
        }
        self.room(len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The content is what was appended, by any mix of the ways to append.
    #[test]
    fn all_ways_to_append_agree() {
        for order in 0..3_usize.pow(7) {
            let (mut buffer, mut expected) = (Buffer::default(), Vec::new());
            let mut ways = order;
            for step in 1..=7_u8 {
                let bytes = [step; 150];
                match ways % 3 {
                    0 => buffer.append(&bytes),
                    1 => buffer.as_vec().extend_from_slice(&bytes),
                    _ => {
                        let (room, at) = buffer.make_room(bytes.len() + 9);
                        assert_eq!((room.len(), at), (bytes.len() + 9, expected.len()));
                        room[..bytes.len()].copy_from_slice(&bytes);
                        buffer.fill_to(at + bytes.len());
                    }
                }
                expected.extend_from_slice(&bytes);
                assert_eq!(buffer.as_slice(), expected, "{order}: {step}");
                if step == 4 {
                    buffer.truncate(450);
                    expected.truncate(450);
                }
                ways /= 3;
            }
            buffer.truncate(0);
            assert!(buffer.is_empty());
            assert!(buffer.as_vec().is_empty(), "old content does not reappear");
            assert!(
                buffer.room(1).is_none(),
                "no room behind the end of the vector"
            );
        }
    }
}
