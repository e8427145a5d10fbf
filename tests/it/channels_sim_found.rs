//! What random histories have found in the channels, each as the shortest story of it.

use harness::channels::open::Wanted;
use harness::channels::{Op, Sim};
use tickwire::channels::{AcceptOptions, ChannelConfig, Direction, ErrorCode, Mode, Unit};

/// ChannelConfig that differ from the default, without tuning.
pub(crate) fn config(change: impl FnOnce(&mut ChannelConfig)) -> ChannelConfig {
    let mut config = ChannelConfig::default().auto_tune(false);
    change(&mut config);
    config
}

/// Two ends that have said HELLO.
pub(crate) fn ready(config: [ChannelConfig; 2]) -> Sim {
    let mut sim = Sim::new(config);
    sim.flush();
    sim
}

/// A channel of end 0 that end 1 has accepted.
pub(crate) fn opened(sim: &mut Sim, wanted: &Wanted) -> usize {
    let link = sim.open(0, wanted).expect("a place");
    sim.flush();
    assert!(sim.accept(1, link, AcceptOptions::new()));
    sim.flush();
    assert!(sim.links[link].accepted);
    link
}

#[test]
fn an_empty_message_before_fin_is_a_message() {
    let mut sim = ready([ChannelConfig::default(), ChannelConfig::default()]);
    let link = opened(&mut sim, &Wanted::default());
    sim.apply(Op::Block(0));
    sim.send(0, link, 0, 20);
    sim.apply(Op::Poll(0)); // it waits for room, and from here on messages are queued
    sim.send(0, link, 0, 0);
    sim.apply(Op::Finish(0, 0));
    sim.quiesce();
    assert_eq!(
        (sim.links[link].dirs[0].delivered, sim.counts.messages),
        (2, 2)
    );
}

#[test]
fn a_run_longer_than_a_window_of_messages_goes_in_parts() {
    let mut sim = ready([ChannelConfig::default(), ChannelConfig::default()]);
    let wanted = Wanted {
        unit: Unit::Messages,
        ..Wanted::default()
    };
    let link = opened(&mut sim, &wanted);
    // 50 messages of one byte, and a window of 8.
    sim.send(0, link, 6, 5000);
    sim.quiesce();
    assert_eq!(sim.links[link].dirs[0].delivered, 50);
}

#[test]
fn a_run_is_cut_to_what_the_window_is_sure_to_grant() {
    let small = config(|c| {
        c.channel_window_bytes = 1024;
        c.channel_window_bytes_max = 1024;
        c.frame_overhead_bytes = 16;
    });
    let mut sim = ready([ChannelConfig::default(), small]);
    let link = opened(&mut sim, &Wanted::default());
    sim.send(0, link, 0, 43); // some of the window is owed, and not enough to be told
    sim.drain_readers();
    sim.send(0, link, 6, 1179); // 12 messages of 80 bytes
    sim.quiesce();
    assert_eq!(sim.links[link].dirs[0].delivered, 13);
}

#[test]
fn who_rejects_what_the_opener_has_taken_back_frees_its_place() {
    let mut sim = ready([ChannelConfig::default(), ChannelConfig::default()]);
    let wanted = Wanted {
        direction: Direction::AcceptorSends,
        ..Wanted::default()
    };
    let link = sim.open(0, &wanted).expect("a place");
    sim.flush();
    sim.apply(Op::Stop(0, 0));
    sim.flush();
    sim.apply(Op::Answer(1, 0, 0));
    sim.let_go(0, link, ErrorCode(16));
    sim.drain_readers();
    assert_eq!(sim.ends.each_ref().map(|c| c.stats().channels), [0, 0]);
}

#[test]
fn an_acknowledgement_that_comes_late_is_told_to_nobody() {
    let mut sim = ready([ChannelConfig::default(), ChannelConfig::default()]);
    let link = opened(&mut sim, &Wanted::default());
    sim.send(0, link, 0, 10);
    sim.flush();
    sim.apply(Op::Acknowledge(1, 0));
    sim.poll(1);
    sim.let_go(0, link, ErrorCode(16));
    sim.flush(); // panics where an event tells of a channel that nobody has
    sim.end_all();
}

#[test]
fn numbers_that_begin_anew_are_not_overtaken() {
    let small = config(|c| {
        c.record_bytes_max = 1024;
        c.metadata_bytes_max = 64;
    });
    // What stands in the record before it leaves no room for SEQ, but for a message.
    for filled in 850..1020 {
        let mut sim = ready([small.clone(), small.clone()]);
        let filler = opened(&mut sim, &Wanted::default());
        let link = opened(&mut sim, &Wanted::default());
        sim.apply(Op::Poll(0));
        sim.send(0, filler, 0, filled);
        sim.apply(Op::Rebase(0, 1, 700));
        sim.send(0, link, 0, 1);
        sim.quiesce();
        assert_eq!(sim.links[link].dirs[0].delivered, 1, "{filled}");
    }
}

#[test]
fn what_has_come_of_a_message_is_given_back_when_its_channel_finds_no_alias() {
    let few = config(|c| {
        (c.aliases_max, c.channels_max) = (3, 2);
        c.record_bytes_max = 1024;
        c.metadata_bytes_max = 64;
    });
    let mut sim = ready([few, ChannelConfig::default()]);
    // End 0 takes three aliases of end 1's; two are of channels that end 1 opens.
    sim.eager = true;
    for _ in 0..2 {
        assert!(sim.open(1, &Wanted::default()).is_some());
    }
    sim.flush();
    sim.eager = false;
    let last = [(); 2].map(|()| sim.open(0, &Wanted::default()).expect("a place"));
    sim.flush();
    // The records of end 0 are large, those of end 1 small: a part of a message is under way.
    sim.send(0, last[1], 0, 30_000);
    sim.poll(0);
    sim.deliver(0);
    let held = sim.ends[1].stats().held_bytes;
    assert!(held > 10_000, "a part of a message is there: {held}");
    for link in last {
        sim.accept(1, link, AcceptOptions::new());
    }
    sim.poll(1);
    sim.flush();
    assert!(!sim.links[last[1]].accepted, "there is no alias for it");
    sim.release_all(1, last[1]);
    sim.drain_readers();
    assert_eq!(sim.ends[1].stats().held_bytes, 0);
}

#[test]
fn the_newest_of_a_key_and_what_it_replaced_arrive_together() {
    // The length that a record's last message does not need is not its last number.
    let mut sim = ready([ChannelConfig::default(), ChannelConfig::default()]);
    let wanted = Wanted {
        mode: Mode::Conflated,
        unit: Unit::Messages,
        ..Wanted::default()
    };
    let link = opened(&mut sim, &wanted);
    sim.apply(Op::Block(0));
    sim.send(0, link, 1, 20);
    sim.apply(Op::Poll(0)); // it waits for room, and so do those behind it
    for _ in 0..20 {
        sim.send(0, link, 1, 20);
    }
    sim.quiesce();
    let dir = &sim.links[link].dirs[0];
    assert_eq!((dir.delivered, dir.skipped), (2, 19));
}
