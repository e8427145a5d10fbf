//! Two simulated ends, as the tests of histories and of progress begin.

use harness::channels::Sim;
use harness::channels::open::Wanted;
use tickwire::channels::{AcceptOptions, ChannelConfig};

/// The default configuration without tuning, with this change.
pub(super) fn config(change: impl FnOnce(&mut ChannelConfig)) -> ChannelConfig {
    let mut config = ChannelConfig::default().auto_tune(false);
    change(&mut config);
    config
}

/// Two ends after their HELLOs.
pub(super) fn ready(config: [ChannelConfig; 2]) -> Sim {
    let mut sim = Sim::new(config);
    sim.flush();
    sim
}

/// A channel that end 0 has opened and end 1 has accepted.
pub(super) fn opened(sim: &mut Sim, wanted: &Wanted) -> usize {
    let link = sim.open(0, wanted).expect("a place");
    sim.flush();
    assert!(sim.accept(1, link, AcceptOptions::new()));
    sim.flush();
    assert!(sim.links[link].accepted);
    link
}

/// How many cases a test runs: the value of an environment variable, or the default.
pub(super) fn number(name: &str, default: u32) -> u32 {
    let set = std::env::var(name).ok();
    set.and_then(|n| n.parse().ok()).unwrap_or(default)
}
