//! Figures of a run.

use std::time::Duration;

use hdrhistogram::Histogram;
use hdrhistogram::errors::CreationError;

use tickwire::reactor::Calls;

use crate::args::Driver;
use crate::client::Tally;
use crate::cost::Cost;
use crate::feeds::{TOPICS, Topic};
use crate::play::Market;

/// Longest latency that is told apart from longer ones: ten minutes.
const LATENCY_NANOS_MAX: u64 = 600_000_000_000;

/// Latencies in nanoseconds, with an error of at most one in a thousand. All of its memory is
/// there from the beginning.
pub(crate) fn histogram() -> Result<Histogram<u64>, CreationError> {
    Histogram::new_with_bounds(1, LATENCY_NANOS_MAX, 3)
}

/// What the table says of latency.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Percentiles {
    pub(crate) count: u64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) p999: Duration,
    pub(crate) max: Duration,
}

impl Percentiles {
    pub(crate) fn of(latency: &Histogram<u64>) -> Self {
        let at = |quantile| Duration::from_nanos(latency.value_at_quantile(quantile));
        Self {
            count: latency.len(),
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: Duration::from_nanos(latency.max()),
        }
    }

    pub(crate) fn rows(&self) -> [(&'static str, Duration); 4] {
        [
            ("p50", self.p50),
            ("p99", self.p99),
            ("p99.9", self.p999),
            ("max", self.max),
        ]
    }
}

/// Whose figures they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Group {
    All,
    Slow,
    Others,
}

/// What some clients got on a channel, together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    pub(crate) group: Group,
    pub(crate) topic: Topic,
    pub(crate) clients: usize,
    pub(crate) tally: Tally,
    /// To when a client has checked the message and applied it. None of the file.
    pub(crate) latency: Option<Percentiles>,
}

impl Row {
    pub(crate) fn new(group: Group, topic: Topic) -> Self {
        Self {
            group,
            topic,
            clients: 0,
            tally: Tally::default(),
            latency: None,
        }
    }

    pub(crate) fn add(&mut self, tally: Tally) {
        self.clients += 1;
        self.tally.messages += tally.messages;
        self.tally.skipped += tally.skipped;
        self.tally.bytes += tally.bytes;
    }
}

/// How the file came through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BulkRate {
    pub(crate) file_bytes: u64,
    /// Files that came whole, to all clients together.
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
}

impl BulkRate {
    pub(crate) fn mib_per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
        self.bytes as f64 / f64::from(1 << 20) / seconds
    }
}

/// What was counted between the warm-up and the end.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Steady {
    /// Messages that clients received meanwhile, on all channels.
    pub(crate) messages: u64,
    /// Allocations of the whole process meanwhile.
    pub(crate) allocations: u64,
    pub(crate) server: Calls,
    pub(crate) clients: Calls,
}

/// The tape played once, with the file or without.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Phase {
    /// From the first message's time to the last message's arrival.
    pub(crate) elapsed: Duration,
    pub(crate) rows: Vec<Row>,
    /// `None` in the phase without the file.
    pub(crate) bulk: Option<BulkRate>,
    pub(crate) steady: Steady,
    /// By channel: a full queue refused a message for now.
    pub(crate) refusals: [u64; TOPICS],
    pub(crate) queued_bytes_most: u64,
}

impl Phase {
    /// Messages that came on the market's channels, and those that were skipped.
    pub(crate) fn market_messages(&self) -> (u64, u64) {
        let rows = self.rows.iter().filter(|row| row.topic != Topic::Bulk);
        rows.fold((0, 0), |(messages, skipped), row| {
            (messages + row.tally.messages, skipped + row.tally.skipped)
        })
    }

    pub(crate) fn rate(&self) -> f64 {
        self.market_messages().0 as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// One run, measured.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Summary {
    /// Driver, speed, connections, tape: as the table's first line has it.
    pub(crate) driver: Driver,
    pub(crate) speed: String,
    pub(crate) connections: usize,
    pub(crate) tape: String,
    pub(crate) tape_seconds: f64,
    pub(crate) ticks: usize,
    pub(crate) symbols: usize,
    pub(crate) rounds: u64,
    /// Latency counts from the tape's time; if not, from the moment of queuing.
    pub(crate) open_loop: bool,
    /// Without the file, then with it.
    pub(crate) phases: Vec<Phase>,
    /// What the first client knew at the end.
    pub(crate) market: Market,
    /// Levels of both sides that its book must have at the end.
    pub(crate) levels: [usize; 2],
    /// What decoding costs.
    pub(crate) cost: Cost,
}

/// `n` per message; none where there were no messages.
pub(crate) fn per_message(n: u64, messages: u64) -> Option<f64> {
    (messages > 0).then(|| n as f64 / messages as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let mut latency = histogram().expect("bounds");
        // 1 us to 10 ms, each once, the slowest first.
        for micros in (1..=10_000).rev() {
            latency.saturating_record(micros * 1_000);
        }
        let found = Percentiles::of(&latency);
        assert_eq!(found.count, 10_000);
        for ((what, found), micros) in found.rows().into_iter().zip([5_000, 9_900, 9_990, 10_000]) {
            let error = found.as_secs_f64() / (f64::from(micros) * 1e-6) - 1.0;
            assert!((0.0..0.001).contains(&error), "{what}: {found:?}");
        }
    }

    #[test]
    fn one_slow_message_in_a_thousand_is_seen_by_the_percentiles_beyond_it() {
        let mut latency = histogram().expect("bounds");
        for _ in 0..9_985 {
            latency.saturating_record(1_000);
        }
        for _ in 0..15 {
            latency.saturating_record(1_000_000);
        }
        let found = Percentiles::of(&latency);
        assert!(found.p99 < Duration::from_micros(2));
        assert!(found.p999 >= Duration::from_millis(1));
        latency.saturating_record(u64::MAX);
        assert!(Percentiles::of(&latency).max >= Duration::from_secs(600));
    }

    #[test]
    fn an_empty_histogram_and_no_messages_have_no_figures() {
        let latency = histogram().expect("bounds");
        assert_eq!(Percentiles::of(&latency).max, Duration::ZERO);
        assert_eq!(per_message(5, 0), None);
        assert_eq!(per_message(5, 10), Some(0.5));
    }
}
