//! The limit of a reactor's timers.

/// The maximum number of application timers on one reactor; they use at most 32 MiB. A timer of a
/// closed connection counts until it is due.
pub const TIMERS_MAX: usize = 1 << 20;

/// The reactor holds [`TIMERS_MAX`] timers of the application. Wait until some have fired, and set
/// one timer per purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimersFull;

impl std::fmt::Display for TimersFull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the reactor already holds {TIMERS_MAX} timers: wait until some have fired, and set one timer per purpose"
        )
    }
}

impl std::error::Error for TimersFull {}
