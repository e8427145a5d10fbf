//! What decoding costs: the tape from memory, on one thread, without a socket.

use std::hint::black_box;
use std::time::{Duration, Instant};

use tickwire_codecs::Codec;
use tickwire_tick::AnyMessage;

use crate::book::BookFault;
use crate::expected::Expected;
use crate::feeds::Topic;
use crate::follow::{Follower, LIMITS};
use crate::tape::Tape;

/// How long is measured: the fastest pass of those that begin within it counts, because whatever
/// else the machine does only adds to a pass.
const MEASURED_FOR: Duration = Duration::from_millis(300);

/// Nanoseconds per message.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Cost {
    /// Every length and count checked, nothing read.
    pub(crate) view_ns: f64,
    /// The same, and everything read and applied to the book.
    pub(crate) apply_ns: f64,
    pub(crate) passes: u32,
}

/// Plays the tape to one follower, again and again; what it knows is checked each time.
///
/// # Errors
/// What is wrong with the tape or with the decoding.
pub(crate) fn measure(tape: &Tape, expected: &Expected) -> Result<Cost, BookFault> {
    let mut follower = Follower::new();
    let (mut view, mut apply) = (Duration::MAX, Duration::MAX);
    let begin = Instant::now();
    let mut passes = 0;
    while passes == 0 || begin.elapsed() < MEASURED_FOR {
        let viewing = Instant::now();
        for index in 0..tape.len() {
            let message = AnyMessage::view(tape.payload(index), &LIMITS);
            black_box(message.map_err(BookFault::Decode)?);
        }
        view = view.min(viewing.elapsed());
        let applying = Instant::now();
        for index in 0..tape.len() {
            follower.message(tape.payload(index))?;
        }
        apply = apply.min(applying.elapsed());
        for feed in Topic::FEEDS {
            expected.check(&follower, feed)?;
        }
        passes += 1;
    }
    let per_message = |d: Duration| d.as_secs_f64() * 1e9 / tape.len().max(1) as f64;
    Ok(Cost {
        view_ns: per_message(view),
        apply_ns: per_message(apply),
        passes,
    })
}
