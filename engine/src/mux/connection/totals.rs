//! Totals of a connection, for statistics.

use super::super::channel::Channel;

/// Counts of freed channels, and of the connection.
#[derive(Clone, Copy, Default, Debug)]
pub(in crate::mux) struct Totals {
    pub(in crate::mux) records_in: u64,
    pub(in crate::mux) records_out: u64,
    pub(in crate::mux) messages_in: u64,
    pub(in crate::mux) messages_out: u64,
    pub(in crate::mux) bytes_in: u64,
    pub(in crate::mux) bytes_out: u64,
    pub(in crate::mux) skipped_in: u64,
    pub(in crate::mux) skipped_out: u64,
    pub(in crate::mux) evicted: u64,
    pub(in crate::mux) blocked: u64,
    pub(in crate::mux) claims_dropped: u64,
}

impl Totals {
    /// Adds a channel's counts.
    pub(in crate::mux) fn add(&mut self, channel: &Channel) {
        let (send, recv) = (&channel.send, &channel.recv);
        self.messages_in += recv.numbers.messages();
        self.bytes_in += recv.bytes;
        self.skipped_in = self.skipped_in.saturating_add(recv.skipped_total);
        self.messages_out += send.numbers.messages();
        self.bytes_out += send.bytes;
        self.skipped_out += send.skipped_total;
    }

    #[inline]
    pub(super) fn count_record_in(&mut self) {
        self.records_in += 1;
    }

    pub(super) fn count_record_out(&mut self) {
        self.records_out += 1;
    }

    /// A channel was blocked by missing credit for long.
    pub(super) fn count_blocked(&mut self) {
        self.blocked += 1;
    }

    /// A claim was dropped without a commit.
    pub(super) fn count_claim_dropped(&mut self) {
        self.claims_dropped += 1;
    }

    pub(super) fn count_evicted(&mut self) {
        self.evicted += 1;
    }
}
