use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::super::handler::{ConnId, TIMERS_MAX, TimersFull};
use crate::time::Timestamp;

/// What a timer is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Alarm {
    /// A deadline of the connection. It may have moved on: ask again.
    Deadline,
    /// A deadline of what is between the reactor and the application: of channels. With the token
    /// that it is told by.
    Layer(u64),
    /// The application's own.
    User(u64),
}

/// The longest that an entry for a deadline, of channels too, is set ahead; a later deadline is
/// asked for again then. Entries stay until they are due, though the connection may be gone or its
/// deadline earlier by then: this bounds how long, at the cost of one look a minute at a connection
/// that nothing happens to.
pub(crate) const DEADLINE_AHEAD_MAX: Duration = Duration::from_secs(60);

/// All timers of a reactor. A connection has one entry for its deadlines, which is left where
/// it is when they move out, a few for those of its channels, and one for each timer of the
/// application.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Apart from the others, for every connection has one: half the size.
    deadlines: BinaryHeap<Reverse<(Timestamp, ConnId)>>,
    /// Of channels and of the application: never an [`Alarm::Deadline`].
    tokens: BinaryHeap<Reverse<(Timestamp, ConnId, Alarm)>>,
    /// Entries of the application.
    user: usize,
}

impl Timers {
    pub(super) fn deadline(&mut self, at: Timestamp, id: ConnId) {
        self.deadlines.push(Reverse((at, id)));
    }

    /// At most [`DEADLINE_AHEAD_MAX`] ahead.
    pub(super) fn layer(&mut self, at: Timestamp, id: ConnId, token: u64) {
        self.tokens.push(Reverse((at, id, Alarm::Layer(token))));
    }

    /// Adds a timer of the application, unless there are too many.
    pub(super) fn user(&mut self, at: Timestamp, id: ConnId, token: u64) -> Result<(), TimersFull> {
        if self.user >= TIMERS_MAX {
            return Err(TimersFull);
        }
        self.user += 1;
        self.tokens.push(Reverse((at, id, Alarm::User(token))));
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.deadlines.len() + self.tokens.len()
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        [self.next_deadline(), self.next_token()]
            .into_iter()
            .flatten()
            .min()
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.peek().map(|Reverse((at, _))| *at)
    }

    fn next_token(&self) -> Option<Timestamp> {
        self.tokens.peek().map(|Reverse((at, ..))| *at)
    }

    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, ConnId, Alarm)> {
        let due = self.next().filter(|&at| at <= now)?;
        if self.next_deadline() == Some(due) {
            let Reverse((at, id)) = self.deadlines.pop()?;
            return Some((at, id, Alarm::Deadline));
        }
        let Reverse(entry) = self.tokens.pop()?;
        self.user -= usize::from(matches!(entry.2, Alarm::User(_)));
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_last_timer_and_room_after_one_is_due() {
        let id = ConnId {
            index: 0,
            generation: 0,
        };
        let mut timers = Timers::default();
        for token in 0..TIMERS_MAX as u64 {
            assert_eq!(timers.user(Timestamp(token), id, token), Ok(()));
        }
        assert_eq!(timers.user(Timestamp(0), id, 0), Err(TimersFull));
        timers.deadline(Timestamp(0), id);
        assert_eq!(
            timers.pop_due(Timestamp(0)),
            Some((Timestamp(0), id, Alarm::Deadline))
        );
        assert_eq!(timers.user(Timestamp(0), id, 0), Err(TimersFull));
        assert_eq!(
            timers.pop_due(Timestamp(0)),
            Some((Timestamp(0), id, Alarm::User(0)))
        );
        assert_eq!(timers.user(Timestamp(0), id, 0), Ok(()));
    }
}
