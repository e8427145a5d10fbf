use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::super::handler::ConnId;
use crate::time::Timestamp;

/// What a timer is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Alarm {
    /// A deadline of the connection. It may have moved on: ask again.
    Deadline,
    /// The application's own.
    User(u64),
}

/// All timers of a reactor. A connection has one entry for its deadlines, which is left where
/// it is when they move out, and one for each timer of the application.
#[derive(Debug, Default)]
pub(super) struct Timers(BinaryHeap<Reverse<(Timestamp, ConnId, Alarm)>>);

impl Timers {
    pub(super) fn push(&mut self, at: Timestamp, id: ConnId, alarm: Alarm) {
        self.0.push(Reverse((at, id, alarm)));
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.0.peek().map(|Reverse((at, ..))| *at)
    }

    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, ConnId, Alarm)> {
        if self.next()? > now {
            return None;
        }
        self.0.pop().map(|Reverse(entry)| entry)
    }
}
