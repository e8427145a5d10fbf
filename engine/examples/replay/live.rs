//! The line that tells how it goes.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _, stderr};
use std::time::{Duration, Instant};

use crate::args::Speed;
use crate::play::Play;
use crate::report::{Grouped, Quote};

/// On a terminal, one line that changes; elsewhere, a line now and then.
const EVERY_TERMINAL: Duration = Duration::from_millis(200);
const EVERY_FILE: Duration = Duration::from_secs(3);

/// Shows rate, progress and lag on standard error, without allocating.
pub(crate) struct Live {
    quiet: bool,
    terminal: bool,
    line: String,
    /// When the last line was shown, and how many messages had come then.
    shown: Option<(Instant, u64)>,
}

impl Live {
    pub(crate) fn new(quiet: bool) -> Self {
        Self {
            quiet,
            terminal: stderr().is_terminal(),
            line: String::with_capacity(256),
            shown: None,
        }
    }

    pub(crate) fn look(&mut self, play: &Play) {
        let now = Instant::now();
        let (messages, _, least) = play.received();
        let Some((at, before)) = self.shown else {
            self.shown = Some((now, messages));
            return;
        };
        let every = if self.terminal {
            EVERY_TERMINAL
        } else {
            EVERY_FILE
        };
        let since = now.saturating_duration_since(at);
        if self.quiet || since < every {
            return;
        }
        self.shown = Some((now, messages));
        let rate = (messages - before) as f64 / since.as_secs_f64();
        let total = (play.total() * play.lanes.len() as u64).max(1);
        let behind = play.due().saturating_sub(least);
        self.line.clear();
        // A string takes everything.
        let _ = write!(
            self.line,
            "{:6.1} s  {:3} %  {:>10} messages/s  ",
            now.saturating_duration_since(play.begin()).as_secs_f64(),
            messages * 100 / total,
            Grouped(rate as u64),
        );
        let _ = if play.speed == Speed::Max {
            write!(self.line, "{} to come", Grouped(behind))
        } else {
            let lag = if behind > 0 {
                now.saturating_duration_since(play.due_at(least))
            } else {
                Duration::ZERO
            };
            let millis = lag.as_secs_f64() * 1e3;
            write!(self.line, "lag {behind} messages, {millis:.1} ms")
        };
        if let Some(top) = play.market().top {
            let _ = write!(self.line, "  {}", Quote(&top));
        }
        self.show();
    }

    fn show(&self) {
        // Nobody may be looking.
        let mut out = stderr();
        let _ = if self.terminal {
            write!(out, "\r{}\x1b[K", self.line)
        } else {
            writeln!(out, "{}", self.line)
        };
    }

    pub(crate) fn end(&mut self) {
        if self.terminal && !self.quiet && self.shown.is_some() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
