//! How a channel ends: finished, reset, stopped, let go of.

use harness::channels::Op;
use harness::channels::open::Wanted;
use harness::frames_mux::{Put, Said, flag, tlv, tv};
use tickwire::channels::{
    ChannelConfig, ChannelSendError, ErrorCode, Event, Mode, OpenOptions, SharedFrame,
};

use super::scripted_peer::{AMPLE, Scene, Told, UPLINK, failed, ms, shared_aliases};
use super::simulation::{opened, ready};
use super::small_queues::{config, ours};

/// R15: who drops a reader says so at once, and a writer that waits for credit ends.
#[test]
fn t15_a_reader_is_dropped() {
    // Ours, with a closed window: STOP goes out, and what was held is credit again.
    let mut scene = Scene::new();
    let channel = scene.opened_as(0, UPLINK, 0);
    scene.reads = false;
    for _ in 0..6 {
        scene.put(Put::new().data(0, 0, &[1; 10_000]));
    }
    assert!(scene.core.stats().held_bytes > 50_000);
    scene.core.let_go(channel, ErrorCode(77));
    let stop = Said::Reset {
        flags: flag::STOP,
        alias: 0,
        code: 77,
    };
    assert_eq!(scene.said(), [stop]);
    assert_eq!(scene.core.stats().held_bytes, 0);
    assert_eq!(scene.put(Put::new().reset(flag::ABORT, 0, 77)), []);
    assert_eq!(scene.core.stats().channels, 0);
    // The peer's, while our writer waits.
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, 0)]);
    let (channel, own) = scene.open_ours(OpenOptions::new("x"), 3, 0);
    scene.core.send(channel, b"waits").expect("queued");
    assert_eq!(scene.said(), []);
    let told = scene.put(Put::new().reset(flag::STOP, 3, 77));
    assert_eq!(told, [Told::Stopped(channel, ErrorCode(77))]);
    let abort = Said::Reset {
        flags: flag::ABORT,
        alias: own,
        code: 77,
    };
    assert_eq!(scene.said(), [abort]);
    let sent = scene.core.send(channel, b"more");
    assert_eq!(sent, Err(ChannelSendError::Stopped(ErrorCode(77))));
    assert_eq!(scene.core.stats().queued_bytes, 0);
}

/// The end rides on the last message, if there is one.
#[test]
fn fin_goes_with_the_last_message() {
    let mut scene = Scene::greeted(config(), &[]);
    let channel = ours(&mut scene, OpenOptions::new("c"), 0, 60_000);
    scene.core.hold_back();
    for text in [b"one", b"two"] {
        scene.core.send(channel, text).expect("queued");
    }
    scene.core.finish_sending(channel).expect("open");
    let said = scene.said();
    let flags = said.iter().map(|said| match said {
        Said::Data { flags, .. } => *flags,
        other => panic!("{other:?}"),
    });
    assert_eq!(flags.collect::<Vec<_>>(), [0, flag::FIN]);
}

/// FIN with the last message was told of a channel that the application had let go of in the
/// message's call.
#[test]
fn nothing_is_told_of_a_channel_that_was_let_go_of() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 60_000);
    let record = Put::new().data(flag::FIN, 0, b"last").0;
    let mut incoming = scene.core.receive(&record, scene.now);
    let told = scene.core.next(&mut incoming);
    assert!(matches!(told, Some(Event::Message(_))), "{told:?}");
    scene.core.let_go(channel, ErrorCode::NO_ERROR);
    assert!(scene.core.next(&mut incoming).is_none());

    // Nor that what it had queued, and finished, is more than the peer's answer takes.
    let channel = scene.core.open(OpenOptions::new("c")).expect("opened");
    let said = scene.said();
    let own = said.iter().find_map(|said| match said {
        Said::Open { alias, .. } => Some(*alias),
        _ => None,
    });
    scene.core.hold_back();
    scene.core.send(channel, &[0; 2000]).expect("queued");
    scene.core.finish_sending(channel).expect("open");
    scene.core.let_go(channel, ErrorCode::NO_ERROR);
    let own = own.expect("an OPEN");
    assert_eq!(scene.put(Put::new().accept(own, 9, 60_000, 1000, &[])), []);
    scene.said();
    assert_eq!(scene.events(), []);
}

/// An eviction was told of a channel that the application had let go of when it heard of another.
#[test]
fn nothing_waits_to_be_told_of_a_channel_that_was_let_go_of() {
    let mut scene = Scene::new();
    let channels = [scene.opened(0, 60_000), scene.opened(1, 60_000)];
    for alias in [0, 1] {
        scene.put(Put::new().data(flag::MORE, alias, &[0; 9000]));
    }
    let partial_timeout = ChannelConfig::default().partial_timeout;
    scene.now = scene.now.after(partial_timeout * 2);
    scene.core.handle_timeout(scene.now);
    let first = scene.core.poll_event();
    assert!(
        matches!(first, Some(Event::Evicted { channel, .. }) if channel == channels[0]),
        "{first:?}"
    );
    scene.core.let_go(channels[1], ErrorCode::NO_ERROR);
    assert!(scene.core.poll_event().is_none());

    // Nor that it may be sent on.
    let config = ChannelConfig::default().channel_queue_bytes_max(1024);
    let mut scene = Scene::greeted(config, &[]);
    let (channel, _) = scene.open_ours(OpenOptions::new("c"), 0, 1 << 20);
    scene.core.hold_back();
    while scene.core.send(channel, &[0; 500]) == Ok(()) {}
    while scene.core.poll_record(scene.now).is_some() {}
    scene.core.let_go(channel, ErrorCode::NO_ERROR);
    assert_eq!(scene.core.poll_writable(), None);
}

/// A half that we have stopped is over for the application: its end is nobody's.
#[test]
fn the_end_of_a_stopped_half_is_not_told() {
    for end in [
        Put::new().reset(flag::ABORT, 0, 9),
        Put::new().data(flag::FIN, 0, b""),
        Put::new().data(flag::FIN, 0, b"last"),
    ] {
        let mut scene = Scene::new();
        let channel = scene.opened(0, 60_000);
        scene.core.stop(channel, ErrorCode(5));
        assert_eq!(scene.put(end.clone()), [], "{end:?}");
        assert_eq!(
            scene.core.channel_stats(channel).map(|s| s.held_bytes),
            Some(0)
        );
    }
}

/// What comes after STOP is checked against the limit, dropped, and nothing is granted for it.
#[test]
fn what_comes_after_stop_is_dropped_and_still_limited() {
    let mut scene = Scene::new();
    let channel = scene.opened_as(0, UPLINK, 0);
    scene.put(Put::new().data(0, 0, &[1; 1000]));
    scene.core.stop(channel, ErrorCode(9));
    assert!(matches!(scene.said()[..], [Said::Reset { .. }]));
    let mut used = 1064;
    while used + 10_064 <= 64 << 10 {
        assert_eq!(scene.put(Put::new().data(0, 0, &[1; 10_000])), []);
        used += 10_064;
    }
    let stats = scene.core.stats();
    assert_eq!((stats.held_bytes, stats.receive_aside_bytes), (0, 0));
    assert_eq!(scene.said(), [], "nothing is granted");
    let told = scene.put(Put::new().data(0, 0, &[1; 10_000]));
    assert_eq!(failed(&told), Some(ErrorCode::FLOW));
}

/// A half that was finished goes out though its channel is let go of before it is asked for.
#[test]
fn what_was_finished_is_sent_though_nobody_holds_the_channel() {
    let mut scene = Scene::new();
    let channel = scene
        .core
        .open(OpenOptions::new("once").mode(Mode::Ttl(ms(5000))))
        .expect("opened");
    scene.core.send(channel, b"last").expect("room");
    scene.core.finish_sending(channel).expect("open");
    scene.core.let_go(channel, ErrorCode::NO_ERROR);
    let said = scene.said();
    let [Said::Open { options, .. }, rest @ ..] = &said[..] else {
        panic!("{said:?}")
    };
    assert!(options.starts_with(&tlv(1, &tv(5000))), "its TTL is told");
    assert!(
        rest.iter().any(
            |s| matches!(s, Said::Data { flags: flag::FIN, payload, .. } if payload == b"last")
        ),
        "{said:?}"
    );
}

/// The peer's answer takes smaller messages than one that waits: it can never go.
#[test]
fn a_message_that_the_answer_does_not_take_is_given_up() {
    for (max, goes) in [(6000, true), (5999, false)] {
        let mut scene = Scene::new();
        let channel = scene.core.open(OpenOptions::new("c")).expect("opened");
        scene.said();
        for len in [20_000, 20_000, 20_000, 6000] {
            scene.core.send(channel, &vec![1; len]).expect("room");
        }
        scene.said();
        let told = scene.put(Put::new().accept(0, 0, 200_000, max, &[]));
        assert_eq!(told, [Told::Accepted(channel)]);
        let said = scene.said();
        let stopped = [Told::Stopped(channel, ErrorCode::SIZE)];
        let expected: &[Told] = if goes { &[] } else { &stopped };
        assert_eq!(scene.events(), expected, "{said:?}");
        let reset = said.iter().any(|said| matches!(said, Said::Reset { .. }));
        assert_eq!(reset, !goes);
    }
}

/// The peer's answer takes less than was queued on its HELLO's word, be it a shared frame or the
/// elements of a run: nothing more of that is sent.
#[test]
fn what_is_above_what_the_answer_takes_is_given_up() {
    for run in [false, true] {
        let mut scene = Scene::greeted(shared_aliases(), &[]);
        let options = OpenOptions::new("c").alias(3);
        let channel = scene.core.open(options).expect("opened");
        scene.said();
        scene.core.hold_back();
        if run {
            let queued = scene.core.send_run(channel, 2000, &[0; 200_000]);
            assert_eq!(queued, Ok(()));
            assert!(!scene.said().is_empty(), "as much as the window takes");
        } else {
            let frame = SharedFrame::new(3, &[0; 2000]).expect("a frame");
            assert_eq!(scene.core.send_shared(channel, &frame), Ok(()));
        }
        let mut told = scene.put(Put::new().accept(3, 3, AMPLE, 1000, &[]));
        let said = scene.said();
        told.extend(scene.events());
        let stopped = told.iter().any(|t| matches!(t, Told::Stopped(..)));
        assert!(stopped, "{run}: {told:?}");
        let sent = |s: &&Said| matches!(s, Said::Data { .. } | Said::Run { .. });
        assert_eq!(said.iter().filter(sent).count(), 0, "{run}: {said:?}");
    }
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
