//! Two simulated ends of channels, as tests of histories and progress begin them.

use harness::channels::Sim;
use harness::channels::open::Wanted;
use tickwire::channels::{AcceptOptions, ChannelConfig};

/// ChannelConfig that differ from the default, without tuning.
pub(super) fn config(change: impl FnOnce(&mut ChannelConfig)) -> ChannelConfig {
    let mut config = ChannelConfig::default().auto_tune(false);
    change(&mut config);
    config
}

/// Two ends that have said HELLO.
pub(super) fn ready(config: [ChannelConfig; 2]) -> Sim {
    let mut sim = Sim::new(config);
    sim.flush();
    sim
}

/// A channel of end 0 that end 1 has accepted.
pub(super) fn opened(sim: &mut Sim, wanted: &Wanted) -> usize {
    let link = sim.open(0, wanted).expect("a place");
    sim.flush();
    assert!(sim.accept(1, link, AcceptOptions::new()));
    sim.flush();
    assert!(sim.links[link].accepted);
    link
}

/// How much is done: more than the test command's share where the environment says so.
pub(super) fn number(name: &str, default: u32) -> u32 {
    let set = std::env::var(name).ok();
    set.and_then(|n| n.parse().ok()).unwrap_or(default)
}
