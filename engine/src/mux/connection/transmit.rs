//! Records out: control frames first, then data by turn, as late as can be.

use super::super::wire;
use super::{Mux, MuxState, Record};
use crate::time::Timestamp;

impl Mux {
    /// Whether [`Self::poll_record`] has anything to give.
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

    /// The next record to send, filled with all that may go: as one message, now. Call it only
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
            // Behind a record that is full of messages it has one of its own.
            if !self.outgoing.goaway_pending() {
                self.finish(failure);
            }
        } else if let Some(peer) = self.takes() {
            self.put_control(&peer);
            shared = self.put_turns(&peer);
            if shared.is_none() && self.outgoing.is_empty() {
                // A turn may have ended a half: its RESET.
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

    /// Lets go of the memory that records are made in: it is made again where there is traffic.
    pub fn rest(&mut self) {
        self.outgoing.rest();
    }
}
