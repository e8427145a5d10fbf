//! Channels that are given up before they are answered.

use harness::channels::Op;
use harness::channels::open::Wanted;
use harness::frames_mux::{Put, Said, flag, hello, read};
use tickwire::channels::{ChannelConfig, Direction, ErrorCode, OpenOptions};

use super::scripted_peer::{Scene, Told};
use super::simulation::ready;

/// The application lets go of a channel before HELLO. The other channels are opened.
#[test]
fn a_withdrawn_open_does_not_affect_others() {
    let mut scene = Scene::silent(ChannelConfig::default());
    let channels = ["a", "b", "c"].map(|topic| {
        let opened = scene.core.open(OpenOptions::new(topic));
        opened.expect("opened")
    });
    scene.core.close_channel(channels[1], ErrorCode::NO_ERROR);
    scene.put(hello(&[(3, 1)]));
    let topics = |said: Vec<Said>| -> Vec<Vec<u8>> {
        let options = said.into_iter().filter_map(|said| match said {
            Said::Open { options, .. } => Some(options[2..].to_vec()),
            _ => None,
        });
        options.collect()
    };
    assert_eq!(topics(scene.said()), [b"a"]);
    // The same for channels that wait for the limit of the peer.
    let last = scene.core.open(OpenOptions::new("d")).expect("opened");
    assert!(topics(scene.said()).is_empty());
    scene.core.close_channel(channels[2], ErrorCode::NO_ERROR);
    scene.put(Put::new().reject(0, 1));
    assert_eq!(topics(scene.said()), [b"d"]);
    assert_eq!(
        scene.put(Put::new().accept(0, 0, 9000, 9000, &[])),
        [Told::Accepted(last)]
    );
}

/// The peer ends its half before the answer. The application can still accept the channel and send
/// on its own half.
#[test]
fn a_half_ended_open_can_still_be_accepted() {
    let mut scene = Scene::new();
    scene.accepts = false;
    let channel = scene.offered(Put::new().open(0, 0, 50_000, 30_000, &[]));
    let told = scene.put(Put::new().reset(flag::ABORT, 0, 5));
    assert_eq!(told, [Told::Aborted(channel, ErrorCode(5))]);
    assert_eq!(scene.core.accept(channel, Default::default()), Ok(()));
    scene.core.send(channel, b"answer").expect("room");
    let said = scene.said();
    assert!(
        matches!(&said[..], [Said::Accept { .. }, .., Said::Data { payload, .. }] if payload == b"answer"),
        "{said:?}"
    );
}

/// A local channel that ends before the answer keeps its alias until the answer arrives.
#[test]
fn a_withdrawn_channel_keeps_its_alias_until_the_answer() {
    let mut scene = Scene::new();
    let options = || OpenOptions::new("a").direction(Direction::OpenerSends);
    let channel = scene.core.open(options()).expect("opened");
    let said = scene.said();
    let [Said::Open { alias, .. }] = said[..] else {
        panic!("{said:?}")
    };
    scene.core.close_channel(channel, ErrorCode::NO_ERROR);
    let said = scene.said();
    assert!(matches!(said[..], [Said::Reset { .. }]), "{said:?}");
    scene.core.open(options()).expect("opened");
    let said = scene.said();
    assert!(
        matches!(said[..], [Said::Open { alias: next, .. }] if next != alias),
        "{said:?}"
    );
    assert_eq!(scene.put(Put::new().accept(alias, 0, 9000, 9000, &[])), []);
    assert_eq!(scene.core.failure(), None);
}

/// The application lets go of the channel whose OPEN is next. The OPENs behind it are sent.
#[test]
fn opens_behind_a_withdrawn_one_are_sent() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(3, 1)]);
    let (first, _) = scene.open_ours(
        OpenOptions::new("a").direction(Direction::OpenerSends),
        3,
        60_000,
    );
    let second = scene.core.open(OpenOptions::new("b")).expect("waits");
    let third = scene.core.open(OpenOptions::new("c")).expect("waits");
    assert_eq!(scene.said(), []);
    scene.core.finish_sending(first).expect("open");
    let fin = scene
        .core
        .poll_record(scene.now)
        .map(|r| read(r.as_slice()));
    assert!(
        matches!(fin.as_deref(), Some([Said::Data { .. }])),
        "{fin:?}"
    );
    // Its turn has come when the application lets go of it.
    scene.core.close_channel(second, ErrorCode::NO_ERROR);
    scene.said();
    let told = scene.put(Put::new().accept(0, 4, 60_000, 30_000, &[]));
    assert_eq!(told, [Told::Accepted(third)]);
}

/// A channel that the peer withdraws before the answer is answered with REJECT.
#[test]
fn an_open_that_the_peer_withdraws_is_rejected() {
    let mut scene = Scene::new();
    scene.accepts = false;
    let told = scene.put(Put::new().open(0, 0, 60_000, 9000, &[]));
    assert!(matches!(told[..], [Told::Open(_)]), "{told:?}");
    scene.put(Put::new().reset(flag::ABORT | flag::STOP, 0, 7));
    let said = scene.said();
    assert!(matches!(said[..], [Said::Reject { .. }]), "{said:?}");
}

/// The opener has withdrawn a channel. A REJECT of the other end frees its place at both ends.
#[test]
fn rejecting_a_withdrawn_channel_frees_its_place() {
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
    sim.close_channel(0, link, ErrorCode(16));
    sim.drain_readers();
    assert_eq!(sim.ends.each_ref().map(|c| c.stats().channels), [0, 0]);
}
