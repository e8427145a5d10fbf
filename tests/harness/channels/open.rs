//! Channels that applications ask for.

use std::time::Duration;

use tickwire::channels::{Direction, Mode, OpenOptions, Unit};

use super::model::Dir;
use super::sim::{Link, Sim};
use crate::rng::Rng;

/// Channels of either end, in one run of random operations: more that are opened and reset
/// unused are an attack.
const OPENS_MAX: usize = 80;

/// What a channel is asked to be.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// What is lost.
    pub mode: Mode,
    /// What credit counts.
    pub unit: Unit,
    /// Who sends.
    pub direction: Direction,
    /// 0 to 7.
    pub priority: u8,
    /// What the opener takes unread.
    pub window: Option<u32>,
    /// The largest message that the opener takes.
    pub message_bytes_max: Option<u32>,
    /// The opener's alias.
    pub alias: Option<u32>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            mode: Mode::Reliable,
            unit: Unit::Bytes,
            direction: Direction::Both,
            priority: 3,
            window: None,
            message_bytes_max: None,
            alias: None,
        }
    }
}

impl Wanted {
    /// Anything.
    #[must_use]
    pub fn random(rng: &mut Rng) -> Self {
        let mode = [
            Mode::Reliable,
            Mode::Reliable,
            Mode::Conflated,
            Mode::Ttl(Duration::from_millis(1 + rng.u64() % 200)),
        ][rng.below(4)];
        let unit = [Unit::Bytes, Unit::Messages][rng.below(2)];
        let window = match unit {
            Unit::Messages => 1 + rng.below(10) as u32,
            Unit::Bytes => 500 + rng.below(9000) as u32,
        };
        let message_bytes_max = 1 + rng.below(6000) as u32;
        Self {
            mode,
            unit,
            direction: [
                Direction::Both,
                Direction::OpenerSends,
                Direction::AcceptorSends,
            ][rng.below(3)],
            priority: rng.below(8) as u8,
            window: rng.one_in(2).then_some(window),
            message_bytes_max: rng.one_in(3).then_some(message_bytes_max),
            alias: rng.one_in(3).then(|| rng.below(2) as u32),
        }
    }

    fn options(&self, topic: usize) -> OpenOptions {
        let mut options = OpenOptions::new((topic as u32).to_le_bytes())
            .mode(self.mode)
            .unit(self.unit)
            .direction(self.direction)
            .priority(self.priority);
        if let Some(window) = self.window {
            options = options.window(window);
        }
        if let Some(max) = self.message_bytes_max {
            options = options.message_bytes_max(max);
        }
        if let Some(alias) = self.alias {
            options = options.alias(alias);
        }
        options
    }
}

impl Sim {
    pub(super) fn open_random(&mut self, end: usize, seed: u32) {
        if self.links.iter().filter(|l| l.opener == end).count() < OPENS_MAX {
            let wanted = Wanted::random(&mut Rng::new(seed.into()));
            let _refused = self.open(end, &wanted).is_none();
        }
    }

    /// Opens a channel; its topic is the number of its link.
    pub fn open(&mut self, end: usize, wanted: &Wanted) -> Option<usize> {
        let number = self.links.len();
        let id = self.ends[end].open(wanted.options(number)).ok()?;
        let mut ids = [None; 2];
        let mut aliases = [None; 2];
        (ids[end], aliases[end]) = (Some(id), wanted.alias);
        let before = self.by_id.insert((end, id), number);
        assert_eq!(before, None, "an id that is in use");
        self.links.push(Link {
            opener: end,
            ids,
            mode: wanted.mode,
            unit: wanted.unit,
            direction: wanted.direction,
            priority: wanted.priority,
            aliases,
            answered: false,
            accepted: false,
            granted: [0; 2],
            dirs: [Dir::new(wanted.mode), Dir::new(wanted.mode)],
        });
        Some(number)
    }
}
