//! The line that tells how it goes.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _, stderr};
use std::time::{Duration, Instant};

use crate::play::{Play, Progress};
use crate::report::{Grouped, Quote};

/// On a terminal, one line that changes; elsewhere, a line now and then.
const EVERY_TERMINAL: Duration = Duration::from_millis(200);
const EVERY_FILE: Duration = Duration::from_secs(3);

/// Shows rate, progress and lag on standard error, without allocating.
pub(crate) struct Live {
    quiet: bool,
    terminal: bool,
    line: String,
    /// When the last line was shown, and what had come then.
    shown: Option<(Instant, Progress)>,
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
        let progress = play.received();
        let Some((at, before)) = self.shown else {
            self.shown = Some((now, progress));
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
        self.shown = Some((now, progress));
        let per_second = |now: u64, then: u64| (now - then) as f64 / since.as_secs_f64();
        let total = (play.total_of_all() * play.lanes.len() as u64).max(1);
        self.line.clear();
        // A string takes everything.
        let _ = write!(
            self.line,
            "{:6.1} s  {:3} %  {:>9} messages/s  {} behind",
            now.saturating_duration_since(play.begin()).as_secs_f64(),
            progress.accounted * 100 / total,
            Grouped(per_second(progress.received, before.received) as u64),
            Grouped(play.behind()),
        );
        if play.with_bulk {
            let bulk = per_second(progress.bulk_bytes, before.bulk_bytes) / f64::from(1 << 20);
            let _ = write!(self.line, "  bulk {bulk:.0} MiB/s");
        }
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
