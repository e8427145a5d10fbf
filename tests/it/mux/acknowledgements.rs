//! Acknowledgements: which messages can be acknowledged, and when the acknowledgement is sent.

use harness::channels::Op;
use harness::channels::open::Wanted;
use harness::frames_mux::{MAX62, Put, Said, flag};
use tickwire::channels::{ChannelConfig, ChannelId, ErrorCode, OpenOptions};

use super::scripted_peer::{Scene, Told, UPLINK};
use super::simulation::{opened, ready};

/// The alias and the acknowledged number of each acknowledgement in these frames.
fn acknowledged(said: &[Said]) -> Vec<(u64, u64)> {
    let ack = |s: &Said| match s {
        Said::Credit {
            flags, alias, ack, ..
        } if flags & flag::ACK != 0 => Some((*alias, *ack)),
        _ => None,
    };
    said.iter().filter_map(ack).collect()
}

/// The core sees FIN before the application gets the last message. The application can still
/// acknowledge that message.
#[test]
fn a_message_that_arrives_with_fin_can_be_acknowledged() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 60_000);
    let own = scene.core.open(OpenOptions::new("x")).map(ChannelId::index);
    assert!(own.is_ok());
    scene.said();
    let told = scene.put(Put::new().data(0, 0, b"a").data(flag::FIN, 0, b"z"));
    assert!(told.contains(&Told::Finished(channel)), "{told:?}");
    scene.core.acknowledge(channel, 2);
    assert_eq!(acknowledged(&scene.said()), [(0, 2)]);
    // The application can acknowledge later, too, until its own half ends.
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
    // FIN arrives while an acknowledgement waits to be sent.
    let channel = scene.opened(0, 60_000);
    scene.put(Put::new().data(0, 0, b"a"));
    scene.core.acknowledge(channel, 1);
    scene.put(Put::new().data(flag::FIN, 0, b""));
    assert_eq!(acknowledged(&scene.said()).len(), 1);
    // On a channel of one direction, FIN ends the whole channel.
    let channel = scene.opened_as(1, UPLINK, 0);
    scene.put(Put::new().data(flag::FIN, 1, b"z"));
    scene.core.acknowledge(channel, 1);
    assert_eq!(scene.said(), []);
}

/// An acknowledgement is sent even if the application stops, resets or lets go of the channel next.
#[test]
fn an_acknowledgement_is_sent_before_a_later_reset() {
    type Then = fn(&mut Scene, ChannelId);
    let after: [(u8, Then); 5] = [
        (0, |s, c| s.core.stop(c, ErrorCode(77))),
        (0, |s, c| s.core.close_channel(c, ErrorCode(77))),
        (0, |s, c| s.core.reset(c, ErrorCode(77))),
        (flag::FIN, |s, c| s.core.close_channel(c, ErrorCode(77))),
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
        // After STOP, or after an ABORT of the peer, received messages can still be acknowledged.
        if which == 0 {
            scene.core.acknowledge(channel, 1);
            assert_eq!(acknowledged(&scene.said()), [(0, 1)]);
            scene.put(Put::new().reset(flag::ABORT, 0, 5));
            scene.core.acknowledge(channel, 1);
            assert_eq!(acknowledged(&scene.said()), [(0, 1)]);
        }
        scene.core.close_channel(channel, ErrorCode::NO_ERROR);
        scene.core.acknowledge(channel, 1);
        assert_eq!(acknowledged(&scene.said()), []);
    }
}

/// A record has room for FIN, but not for the acknowledgement before it. Both are sent.
#[test]
fn a_full_record_does_not_lose_an_acknowledgement() {
    for message in [&b""[..], b"m"] {
        let mut scene = Scene::new();
        let channel = scene.opened(0, 60_000);
        scene.core.limit_records(80);
        scene.put(Put::new().data(flag::FIN, 0, b"z").ping(5));
        scene.core.acknowledge(channel, 1);
        if !message.is_empty() {
            scene.core.handle_backpressure();
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

/// An acknowledgement of more messages than were sent reaches the application as an acknowledgement
/// of those that were sent. A larger number would make it discard messages that it still needs for
/// a resumption.
#[test]
fn an_acknowledgement_is_capped_at_what_was_sent() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 60_000);
    scene.core.send(channel, b"tick").expect("sent");
    scene.said();
    for (ack, told) in [(0, 0), (1, 1), (2, 1), (MAX62, 1)] {
        let credit = Put::new().raw(&[3 | flag::ACK]).tv(0).tv(60_000).tv(ack);
        assert_eq!(scene.put(credit), [Told::Acked(channel, told)], "{ack}");
    }
}

/// An acknowledgement that arrives after the application has let go of the channel causes no event.
#[test]
fn an_acknowledgement_of_a_closed_channel_is_ignored() {
    let mut sim = ready([ChannelConfig::default(), ChannelConfig::default()]);
    let link = opened(&mut sim, &Wanted::default());
    sim.send(0, link, 0, 10);
    sim.flush();
    sim.apply(Op::Acknowledge(1, 0));
    sim.poll(1);
    sim.close_channel(0, link, ErrorCode(16));
    sim.flush(); // panics where an event tells of a channel that nobody has
    sim.end_all();
}
