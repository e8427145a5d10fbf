//! Message numbers of a half.

/// The number of the next message of a half, and how many messages there were, in one counter that
/// a message increments.
#[derive(Clone, Copy, Default, Debug)]
pub(in crate::mux) struct Numbers {
    epoch: u64,
    /// Number of the next message.
    next: u64,
    /// `next` minus the count of messages, wrapping: numbers begin anywhere, and lost messages take
    /// some.
    offset: u64,
}

impl Numbers {
    #[inline]
    pub(in crate::mux) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The number of the next message.
    #[inline]
    pub(in crate::mux) fn next(&self) -> u64 {
        self.next
    }

    /// The number of messages counted.
    pub(in crate::mux) fn messages(&self) -> u64 {
        self.next.wrapping_sub(self.offset)
    }

    /// Counts `messages`, which take the next numbers.
    #[inline]
    pub(in crate::mux) fn count(&mut self, messages: u64) {
        self.next += messages;
    }

    /// Uncounts the last message.
    pub(in crate::mux) fn undo_last(&mut self) {
        self.next -= 1;
    }

    /// Skips `lost` numbers.
    #[inline]
    pub(in crate::mux) fn skip(&mut self, lost: u64) {
        self.next += lost;
        self.offset = self.offset.wrapping_add(lost);
    }

    /// Continues at this number.
    pub(in crate::mux) fn continue_at(&mut self, next: u64) {
        self.offset = next.wrapping_sub(self.messages());
        self.next = next;
    }

    /// Continues at this number of another epoch.
    pub(in crate::mux) fn start_epoch(&mut self, epoch: u64, next: u64) {
        self.epoch = epoch;
        self.continue_at(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_wherever_their_numbers_are() {
        let mut numbers = Numbers::default();
        numbers.count(3);
        numbers.skip(2);
        numbers.count(1);
        assert_eq!((numbers.next(), numbers.messages()), (6, 4));
        numbers.undo_last();
        assert_eq!((numbers.next(), numbers.messages()), (5, 3));
        // Forwards, and back.
        numbers.continue_at(1_000);
        assert_eq!((numbers.next(), numbers.messages()), (1_000, 3));
        numbers.start_epoch(7, 0);
        numbers.count(2);
        let all = (numbers.epoch(), numbers.next(), numbers.messages());
        assert_eq!(all, (7, 2, 5));
    }
}
