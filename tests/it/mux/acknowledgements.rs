//! Acknowledgements: what may be acknowledged, and in which order it goes out.

use harness::channels::Op;
use harness::channels::open::Wanted;
use harness::frames_mux::{MAX62, Put, Said, flag};
use tickwire::channels::{ChannelConfig, ChannelId, ErrorCode, OpenOptions};

use super::scripted_peer::{Scene, Told, UPLINK};
use super::simulation::{opened, ready};

/// What is acknowledged in these frames, and of which channels.
fn acknowledged(said: &[Said]) -> Vec<(u64, u64)> {
    let ack = |s: &Said| match s {
        Said::Credit {
            flags, alias, ack, ..
        } if flags & flag::ACK != 0 => Some((*alias, *ack)),
        _ => None,
    };
    said.iter().filter_map(ack).collect()
}

/// FIN, which the core knows of before the application has its last message, made an
/// acknowledgement of it come to nothing.
#[test]
fn what_came_with_the_end_can_be_acknowledged() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 60_000);
    let own = scene.core.open(OpenOptions::new("x")).map(ChannelId::index);
    assert!(own.is_ok());
    scene.said();
    let told = scene.put(Put::new().data(0, 0, b"a").data(flag::FIN, 0, b"z"));
    assert!(told.contains(&Told::Finished(channel)), "{told:?}");
    scene.core.acknowledge(channel, 2);
    assert_eq!(acknowledged(&scene.said()), [(0, 2)]);
    // Still, later, for as long as our half goes on.
    scene.core.acknowledge(channel, 1);
    scene.core.finish_sending(channel).expect("open");
    let said = scene.said();
    assert_eq!(acknowledged(&said), [(0, 1)]);
    let fin = matches!(
        said[..],
        [
            _,
            Said::Data {
                flags: flag::FIN,
                ..
            }
        ]
    );
    assert!(fin, "and before our end: {said:?}");
    scene.core.acknowledge(channel, 2);
    assert_eq!(scene.said(), [], "the channel is over");
    // One that waits when FIN comes.
    let channel = scene.opened(0, 60_000);
    scene.put(Put::new().data(0, 0, b"a"));
    scene.core.acknowledge(channel, 1);
    scene.put(Put::new().data(flag::FIN, 0, b""));
    assert_eq!(acknowledged(&scene.said()).len(), 1);
    // In one direction the end of that is the end of all.
    let channel = scene.opened_as(1, UPLINK, 0);
    scene.put(Put::new().data(flag::FIN, 1, b"z"));
    scene.core.acknowledge(channel, 1);
    assert_eq!(scene.said(), []);
}

/// Nor did an acknowledgement outlive what the application did next: stop, or let go.
#[test]
fn an_acknowledgement_goes_before_what_follows_it() {
    type Then = fn(&mut Scene, ChannelId);
    let after: [(u8, Then); 5] = [
        (0, |s, c| s.core.stop(c, ErrorCode(77))),
        (0, |s, c| s.core.let_go(c, ErrorCode(77))),
        (0, |s, c| s.core.reset(c, ErrorCode(77))),
        (flag::FIN, |s, c| s.core.let_go(c, ErrorCode(77))),
        (flag::FIN, |s, c| s.core.reset(c, ErrorCode(77))),
    ];
    for (which, (flags, then)) in after.into_iter().enumerate() {
        let mut scene = Scene::new();
        let channel = scene.opened(0, 60_000);
        scene.put(Put::new().data(flags, 0, b"a"));
        scene.core.acknowledge(channel, 1);
        then(&mut scene, channel);
        let said = scene.said();
        let [Said::Credit { .. }, Said::Reset { code: 77, .. }] = said[..] else {
            panic!("{which}: {said:?}")
        };
        assert_eq!(acknowledged(&said), [(0, 1)]);
        // And when it is stopped, or the peer has given up, what came is still acknowledged.
        if which == 0 {
            scene.core.acknowledge(channel, 1);
            assert_eq!(acknowledged(&scene.said()), [(0, 1)]);
            scene.put(Put::new().reset(flag::ABORT, 0, 5));
            scene.core.acknowledge(channel, 1);
            assert_eq!(acknowledged(&scene.said()), [(0, 1)]);
        }
        scene.core.let_go(channel, ErrorCode::NO_ERROR);
        scene.core.acknowledge(channel, 1);
        assert_eq!(acknowledged(&scene.said()), []);
    }
}

/// A record that has room for our FIN, but not for an acknowledgement before it.
#[test]
fn a_full_record_does_not_lose_an_acknowledgement() {
    for message in [&b""[..], b"m"] {
        let mut scene = Scene::new();
        let channel = scene.opened(0, 60_000);
        scene.core.limit_records(80);
        scene.put(Put::new().data(flag::FIN, 0, b"z").ping(5));
        scene.core.acknowledge(channel, 1);
        if !message.is_empty() {
            scene.core.hold_back();
            scene.core.send(channel, message).expect("queued");
        }
        scene.core.finish_sending(channel).expect("open");
        let said = scene.said();
        assert_eq!(acknowledged(&said), [(0, 1)], "{said:?}");
        let last = said.last();
        let fin = matches!(
            last,
            Some(Said::Data {
                flags: flag::FIN,
                ..
            })
        );
        assert!(fin, "{said:?}");
    }
}

/// An acknowledgement of what was never sent went to the application as it came: what it keeps
/// for a resumption would have been dropped before it was sent.
#[test]
fn nothing_is_acknowledged_that_was_not_sent() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 60_000);
    scene.core.send(channel, b"tick").expect("sent");
    scene.said();
    for (ack, told) in [(0, 0), (1, 1), (2, 1), (MAX62, 1)] {
        let credit = Put::new().raw(&[3 | flag::ACK]).tv(0).tv(60_000).tv(ack);
        assert_eq!(scene.put(credit), [Told::Acked(channel, told)], "{ack}");
    }
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
