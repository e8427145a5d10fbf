//! The tape's clock: a thread that says what is due.

use std::thread;
use std::time::{Duration, Instant};

use crate::args::Speed;
use crate::feeds::Topic;
use crate::play::Play;

/// A sleep is at most this long, so that a run that has failed ends.
const SLEEP_MAX: Duration = Duration::from_millis(100);

/// Plays the tape: `wake` is called when something new is due. Messages that are due together
/// are told together.
pub(crate) fn play(play: &Play, wake: impl Fn()) {
    play.begin();
    if play.speed == Speed::Max {
        for feed in Topic::FEEDS {
            play.set_due(feed, play.total(feed));
        }
        return wake();
    }
    // What is due at the beginning, and the file, which always is.
    wake();
    let mut next = Topic::FEEDS.map(|_| 0);
    while !play.is_stopped() {
        let now = Instant::now();
        let waiting = Topic::FEEDS.into_iter().zip(&next);
        let early = waiting
            .filter(|(feed, next)| **next < play.total(*feed))
            .map(|(feed, next)| play.due_at(feed, *next).saturating_duration_since(now))
            .min();
        let Some(early) = early else {
            break;
        };
        if !early.is_zero() {
            if play.spin {
                std::hint::spin_loop();
            } else {
                thread::sleep(early.min(SLEEP_MAX));
            }
            continue;
        }
        for (feed, next) in Topic::FEEDS.into_iter().zip(&mut next) {
            while *next < play.total(feed) && play.due_at(feed, *next) <= now {
                *next += 1;
            }
            play.set_due(feed, *next);
        }
        wake();
    }
}
