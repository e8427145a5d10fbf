use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::super::handler::ConnId;
use super::super::timers_full::{TIMERS_MAX, TimersFull};
use crate::time::Timestamp;

/// The kind of a timer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum TimerKind {
    /// A deadline of the connection. The deadline may have moved: compare it with the time.
    Deadline,
    /// A deadline of the layer between the reactor and the application (the channels), with its
    /// token.
    Layer(u64),
    /// A timer of the application, with its token.
    User(u64),
}

/// The longest time ahead of an entry for a deadline of a connection or its channels. For a later
/// deadline, the entry is renewed when it is due. An entry stays in the heap until it is due, even if
/// the connection has ended, so this limits the lifetime of such entries. The cost is one check per
/// minute of an idle connection.
pub(crate) const DEADLINE_AHEAD_MAX: Duration = Duration::from_secs(60);

/// All timers of a reactor. A connection has one entry for its deadlines, a few entries for the
/// deadlines of its channels, and one entry for each timer of the application. An entry does not
/// move when its deadline moves to a later time.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Deadlines of connections. A separate heap, because every connection has an entry, and
    /// entries without a kind have half the size.
    deadlines: BinaryHeap<Reverse<(Timestamp, ConnId)>>,
    /// Timers of channels and of the application: no [`TimerKind::Deadline`].
    tokens: BinaryHeap<Reverse<(Timestamp, ConnId, TimerKind)>>,
    /// Number of application timers.
    user: usize,
}

impl Timers {
    pub(super) fn deadline(&mut self, at: Timestamp, id: ConnId) {
        self.deadlines.push(Reverse((at, id)));
    }

    /// Adds a timer of the channels; `at` is at most [`DEADLINE_AHEAD_MAX`] ahead.
    pub(super) fn layer(&mut self, at: Timestamp, id: ConnId, token: u64) {
        self.tokens.push(Reverse((at, id, TimerKind::Layer(token))));
    }

    /// Adds a timer of the application, unless there are too many.
    pub(super) fn user(&mut self, at: Timestamp, id: ConnId, token: u64) -> Result<(), TimersFull> {
        if self.user >= TIMERS_MAX {
            return Err(TimersFull);
        }
        self.user += 1;
        self.tokens.push(Reverse((at, id, TimerKind::User(token))));
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

    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, ConnId, TimerKind)> {
        let due = self.next().filter(|&at| at <= now)?;
        if self.next_deadline() == Some(due) {
            let Reverse((at, id)) = self.deadlines.pop()?;
            return Some((at, id, TimerKind::Deadline));
        }
        let Reverse(entry) = self.tokens.pop()?;
        self.user -= usize::from(matches!(entry.2, TimerKind::User(_)));
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_timers_are_limited_until_one_is_due() {
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
            Some((Timestamp(0), id, TimerKind::Deadline))
        );
        assert_eq!(timers.user(Timestamp(0), id, 0), Err(TimersFull));
        assert_eq!(
            timers.pop_due(Timestamp(0)),
            Some((Timestamp(0), id, TimerKind::User(0)))
        );
        assert_eq!(timers.user(Timestamp(0), id, 0), Ok(()));
    }
}
