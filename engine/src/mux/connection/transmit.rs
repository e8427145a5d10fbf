//! Builds records: control frames first, then data in scheduling order, as late as possible.

use super::super::wire;
use super::{Mux, MuxState, Record};
use crate::time::Timestamp;

impl Mux {
    /// Whether [`Self::poll_record`] has a record to return.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        match self.state {
            MuxState::Closed(_) => false,
            MuxState::Failing(_) => true,
            _ if self.outgoing.hello_pending() => true,
            _ if self.peer.is_none() => false,
            _ => !self.outgoing.is_empty() || self.outgoing.has_turns() || self.control_pending(),
        }
    }

    /// The next record to send, as one message, filled with all that can be sent now. Call it only
    /// while the layer below has room.
    pub fn poll_record(&mut self, now: Timestamp) -> Option<Record<'_>> {
        self.now = self.now.max(now);
        if matches!(self.state, MuxState::Closed(_)) {
            return None;
        }
        if self.outgoing.take_hello() {
            let hello = self.local_hello();
            wire::put_hello(self.outgoing.frame(), &hello);
        }
        let mut shared = None;
        if let MuxState::Failing(failure) = self.state {
            self.outgoing.put_pending_goaway(self.opens.seen());
            // If the record is full of messages, GOAWAY goes into the next one.
            if !self.outgoing.goaway_pending() {
                self.finish(failure);
            }
        } else if let Some(peer) = self.peer_limits() {
            self.put_control(&peer);
            shared = self.put_turns(&peer);
            if shared.is_none() && self.outgoing.is_empty() {
                // A turn may have aborted a half, which needs RESET.
                self.put_control(&peer);
            }
            self.outgoing.open_record();
        }
        if let Some(frame) = shared {
            self.totals.count_record_out();
            return Some(Record::Shared(frame));
        }
        if !self.outgoing.is_empty() {
            self.totals.count_record_out();
        }
        self.outgoing.take_record()
    }

    /// Frees the memory of the record buffers. It is allocated again when there is traffic.
    pub fn rest(&mut self) {
        self.outgoing.rest();
    }
}
