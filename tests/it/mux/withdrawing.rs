//! Channels that one end gives up while the other has not answered.

use harness::channels::Op;
use harness::channels::open::Wanted;
use harness::frames_mux::{Put, Said, flag, hello, read};
use tickwire::channels::{ChannelConfig, Direction, ErrorCode, OpenOptions};

use super::scripted_peer::{Scene, Told};
use super::simulation::ready;

/// Who is let go of before the connection is up takes nobody with it.
#[test]
fn an_open_that_is_withdrawn_leaves_the_others() {
    let mut scene = Scene::silent(ChannelConfig::default());
    let channels = ["a", "b", "c"].map(|topic| {
        let opened = scene.core.open(OpenOptions::new(topic));
        opened.expect("opened")
    });
    scene.core.let_go(channels[1], ErrorCode::NO_ERROR);
    scene.put(hello(&[(3, 1)]));
    let topics = |said: Vec<Said>| -> Vec<Vec<u8>> {
        let options = said.into_iter().filter_map(|said| match said {
            Said::Open { options, .. } => Some(options[2..].to_vec()),
            _ => None,
        });
        options.collect()
    };
    assert_eq!(topics(scene.said()), [b"a"]);
    // Behind the peer's limit, too.
    let last = scene.core.open(OpenOptions::new("d")).expect("opened");
    assert!(topics(scene.said()).is_empty());
    scene.core.let_go(channels[2], ErrorCode::NO_ERROR);
    scene.put(Put::new().reject(0, 1));
    assert_eq!(topics(scene.said()), [b"d"]);
    assert_eq!(
        scene.put(Put::new().accept(0, 0, 9000, 9000, &[])),
        [Told::Accepted(last)]
    );
}

/// A peer that sends no more on its half before it is answered still gets ours.
#[test]
fn half_an_offer_is_an_offer() {
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

/// Ours that was over before the peer answered keeps its place until it does.
#[test]
fn a_channel_that_is_let_go_of_waits_for_its_answer() {
    let mut scene = Scene::new();
    let options = || OpenOptions::new("a").direction(Direction::OpenerSends);
    let channel = scene.core.open(options()).expect("opened");
    let said = scene.said();
    let [Said::Open { alias, .. }] = said[..] else {
        panic!("{said:?}")
    };
    scene.core.let_go(channel, ErrorCode::NO_ERROR);
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

/// An OPEN that was next when its channel was let go of blocked those behind it.
#[test]
fn opens_behind_one_that_is_given_up_go_out() {
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
    // Its turn has come; the application has gone.
    scene.core.let_go(second, ErrorCode::NO_ERROR);
    scene.said();
    let told = scene.put(Put::new().accept(0, 4, 60_000, 30_000, &[]));
    assert_eq!(told, [Told::Accepted(third)]);
}

/// A channel that the peer takes back before it is answered is answered all the same.
#[test]
fn what_is_taken_back_is_rejected() {
    let mut scene = Scene::new();
    scene.accepts = false;
    let told = scene.put(Put::new().open(0, 0, 60_000, 9000, &[]));
    assert!(matches!(told[..], [Told::Open(_)]), "{told:?}");
    scene.put(Put::new().reset(flag::ABORT | flag::STOP, 0, 7));
    let said = scene.said();
    assert!(matches!(said[..], [Said::Reject { .. }]), "{said:?}");
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
