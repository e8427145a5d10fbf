//! The end of a channel: finished, reset, stopped, or let go of.

use harness::channels::Op;
use harness::channels::open::Wanted;
use harness::frames_mux::{Put, Said, flag, tlv, tv};
use tickwire::channels::{
    ChannelConfig, ChannelSendError, ErrorCode, Event, Mode, OpenOptions, SharedFrame,
};

use super::scripted_peer::{AMPLE, Scene, Told, UPLINK, failed, ms, shared_aliases};
use super::simulation::{opened, ready};
use super::small_queues::{config, ours};

/// A dropped reader sends STOP at once. A sender that waits for credit ends.
#[test]
fn a_dropped_reader_stops_its_sender() {
    // The local reader is dropped while its window is full: STOP is sent, and its memory is
    // released.
    let mut scene = Scene::new();
    let channel = scene.opened_as(0, UPLINK, 0);
    scene.reads = false;
    for _ in 0..6 {
        scene.put(Put::new().data(0, 0, &[1; 10_000]));
    }
    assert!(scene.core.stats().held_bytes > 50_000);
    scene.core.close_channel(channel, ErrorCode(77));
    let stop = Said::Reset {
        flags: flag::STOP,
        alias: 0,
        code: 77,
    };
    assert_eq!(scene.said(), [stop]);
    assert_eq!(scene.core.stats().held_bytes, 0);
    assert_eq!(scene.put(Put::new().reset(flag::ABORT, 0, 77)), []);
    assert_eq!(scene.core.stats().channels, 0);
    // The reader of the peer is dropped while the local sender waits.
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

/// FIN is sent in the frame of the last message, if there is one.
#[test]
fn fin_goes_with_the_last_message() {
    let mut scene = Scene::greeted(config(), &[]);
    let channel = ours(&mut scene, OpenOptions::new("c"), 0, 60_000);
    scene.core.handle_backpressure();
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

/// The application lets go of a channel while it handles the last message. It gets no event for the
/// FIN of that message.
#[test]
fn a_channel_that_was_let_go_of_causes_no_event() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 60_000);
    let record = Put::new().data(flag::FIN, 0, b"last").0;
    let mut incoming = scene.core.receive(&record, scene.now);
    let told = scene.core.next(&mut incoming);
    assert!(matches!(told, Some(Event::Message(_))), "{told:?}");
    scene.core.close_channel(channel, ErrorCode::NO_ERROR);
    assert!(scene.core.next(&mut incoming).is_none());

    // It gets no event, either, if its queued messages are larger than the answer of the peer
    // allows.
    let channel = scene.core.open(OpenOptions::new("c")).expect("opened");
    let said = scene.said();
    let own = said.iter().find_map(|said| match said {
        Said::Open { alias, .. } => Some(*alias),
        _ => None,
    });
    scene.core.handle_backpressure();
    scene.core.send(channel, [0; 2000]).expect("queued");
    scene.core.finish_sending(channel).expect("open");
    scene.core.close_channel(channel, ErrorCode::NO_ERROR);
    let own = own.expect("an OPEN");
    assert_eq!(scene.put(Put::new().accept(own, 9, 60_000, 1000, &[])), []);
    scene.said();
    assert_eq!(scene.events(), []);
}

/// Two channels are evicted. The application lets go of the second when it hears of the first: the
/// second event is dropped.
#[test]
fn waiting_events_are_dropped_when_a_channel_is_let_go_of() {
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
    scene.core.close_channel(channels[1], ErrorCode::NO_ERROR);
    assert!(scene.core.poll_event().is_none());

    // The same for the event that a channel is writable.
    let config = ChannelConfig::default().channel_queue_bytes_max(1024);
    let mut scene = Scene::greeted(config, &[]);
    let (channel, _) = scene.open_ours(OpenOptions::new("c"), 0, 1 << 20);
    scene.core.handle_backpressure();
    while scene.core.send(channel, [0; 500]) == Ok(()) {}
    while scene.core.poll_record(scene.now).is_some() {}
    scene.core.close_channel(channel, ErrorCode::NO_ERROR);
    assert_eq!(scene.core.poll_writable(), None);
}

/// The application has stopped a half. The end of that half causes no event.
#[test]
fn the_end_of_a_stopped_half_causes_no_event() {
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

/// Data after STOP is checked against the limit and dropped. No credit is granted for it.
#[test]
fn data_after_stop_is_dropped_within_its_limit() {
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
    assert_eq!((stats.held_bytes, stats.receive_reserved_bytes), (0, 0));
    assert_eq!(scene.said(), [], "nothing is granted");
    let told = scene.put(Put::new().data(0, 0, &[1; 10_000]));
    assert_eq!(failed(&told), Some(ErrorCode::FLOW));
}

/// The application finishes a half and lets go of its channel before OPEN is sent. Its messages and
/// FIN are still sent.
#[test]
fn a_finished_half_is_sent_after_its_channel_is_let_go_of() {
    let mut scene = Scene::new();
    let channel = scene
        .core
        .open(OpenOptions::new("once").mode(Mode::Ttl(ms(5000))))
        .expect("opened");
    scene.core.send(channel, b"last").expect("room");
    scene.core.finish_sending(channel).expect("open");
    scene.core.close_channel(channel, ErrorCode::NO_ERROR);
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

/// ACCEPT allows smaller messages than one that is queued. The channel is stopped, because that
/// message can never be sent.
#[test]
fn a_queued_message_above_the_limit_of_accept_stops_the_channel() {
    for (max, goes) in [(6000, true), (5999, false)] {
        let mut scene = Scene::new();
        let channel = scene.core.open(OpenOptions::new("c")).expect("opened");
        scene.said();
        for len in [20_000, 20_000, 20_000, 6000] {
            scene.core.send(channel, vec![1; len]).expect("room");
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

/// The same for a shared frame and for the elements of a run: nothing of them is sent.
#[test]
fn queued_shared_frames_and_runs_above_the_limit_of_accept_are_dropped() {
    for run in [false, true] {
        let mut scene = Scene::greeted(shared_aliases(), &[]);
        let options = OpenOptions::new("c").alias(3);
        let channel = scene.core.open(options).expect("opened");
        scene.said();
        scene.core.handle_backpressure();
        if run {
            let queued = scene.core.send_run_bytes(channel, 2000, &[0; 200_000]);
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

/// An empty message before FIN is delivered as a message.
#[test]
fn an_empty_message_before_fin_is_delivered() {
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
