//! The tape's clock: a thread that says what is due.

use std::thread;
use std::time::{Duration, Instant};

use crate::args::Speed;
use crate::play::Play;

/// A sleep is at most this long, so that a run that has failed ends.
const SLEEP_MAX: Duration = Duration::from_millis(100);

/// Plays the tape: `wake` is called when something new is due. Messages that are due together
/// are told together.
pub(crate) fn play(play: &Play, wake: impl Fn()) {
    play.begin();
    if play.speed == Speed::Max {
        play.set_due(play.total());
        wake();
        return;
    }
    let mut next = 0;
    while next < play.total() && !play.is_stopped() {
        let now = Instant::now();
        let early = play.due_at(next).saturating_duration_since(now);
        if !early.is_zero() {
            if play.spin {
                std::hint::spin_loop();
            } else {
                thread::sleep(early.min(SLEEP_MAX));
            }
            continue;
        }
        while next < play.total() && play.due_at(next) <= now {
            next += 1;
        }
        play.set_due(next);
        wake();
    }
}
