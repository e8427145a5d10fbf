//! Faults that hostile peers found in the core, each as the shortest session that showed it.

use std::time::Duration;

use harness::frames_mux::{MAX62, Put, Said, flag, read};
use tickwire::channels::{
    ChannelConfig, ChannelFailure, ChannelSendError, Direction, ErrorCode, Mode, OpenOptions, Unit,
};

use super::channels_hostile_kit::{Scene, Told, failed, ms};

/// Counts of skipped messages that were added up without end overflowed.
#[test]
fn skips_after_seq_do_not_overflow() {
    let mut scene = Scene::new();
    scene.opened(0, 60_000);
    for _ in 0..10 {
        let record = Put::new().seq(0, 0, 0).data_skip(0, 0, MAX62 - 5, b"x");
        assert_eq!(failed(&scene.put(record)), None);
    }
    // And one that goes over.
    let record = Put::new().data_skip(0, 0, 9, b"x");
    assert_eq!(failed(&scene.put(record)), Some(ErrorCode::PROTOCOL));
}

/// A HELLO that grants channels nothing before they are accepted made the core panic.
#[test]
fn a_hello_without_a_window_is_no_division_of_nothing() {
    for window in [0, 1] {
        let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, window)]);
        let channel = scene.core.open(OpenOptions::new("x")).expect("opened");
        let before = scene.core.send(channel, b"x");
        assert!(before.is_err(), "{before:?}");
        scene.said();
        scene.put(Put::new().accept(0, 9, 60_000, 30_000, &[]));
        assert_eq!(scene.core.send(channel, b"tick"), Ok(()));
        let said = scene.said();
        assert!(
            said.iter()
                .any(|s| matches!(s, Said::Data { payload, .. } if payload == b"tick")),
            "{said:?}"
        );
    }
}

/// GOAWAY was left out when the open record was nearly full of messages.
#[test]
fn goaway_goes_out_behind_a_full_record() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 60_000);
    for _ in 0..15 {
        scene.core.send(channel, &[7; 1000]).expect("sent");
        assert!(!matches!(
            scene.core.send(channel, &[7; 300]),
            Err(ChannelSendError::Closed(_))
        ));
    }
    scene.put(Put::new().raw(&[0x0C]));
    assert_eq!(scene.end(), Some(ErrorCode::PROTOCOL));
}

/// The last message of a record lost its count of skipped messages together with its length.
#[test]
fn a_record_of_one_message_keeps_its_skip() {
    let mut scene = Scene::new();
    let options = OpenOptions::new("quotes")
        .direction(Direction::OpenerSends)
        .mode(Mode::Conflated);
    let (channel, own) = scene.open_ours(options, 3, 8);
    scene.core.hold_back();
    for bid in [b"one__", b"two__", b"three"] {
        scene.core.send_keyed(channel, 7, bid).expect("queued");
    }
    let data = Said::Data {
        flags: 0,
        alias: own,
        skip: 2,
        payload: b"three".to_vec(),
    };
    assert_eq!(scene.said(), [data]);
}

/// What is queued with a key passed every limit when it was replaced by something longer.
#[test]
fn replacements_keep_to_the_limits_of_the_queues() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[]);
    let options = OpenOptions::new("quotes")
        .mode(Mode::Conflated)
        .unit(Unit::Bytes);
    let (channel, _) = scene.open_ours(options, 3, MAX62);
    scene.core.hold_back();
    let mut keys = 0;
    while scene.core.send_keyed(channel, keys, b"x").is_ok() {
        keys += 1;
    }
    assert!(keys > 1000);
    let mut refused = 0;
    for key in 0..keys {
        scene.core.hold_back();
        refused += u32::from(scene.core.send_keyed(channel, key, &[1; 20_000]).is_err());
        let queued = scene.core.stats().queued_bytes;
        assert!(queued <= 256 << 10, "{queued} bytes after {key} keys");
    }
    assert!(refused > 0);
    // What is no longer than before is always taken.
    for key in 0..keys {
        assert_eq!(scene.core.send_keyed(channel, key, b"y"), Ok(()));
    }
    assert_eq!(
        scene.core.channel_stats(channel).map(|s| s.queued_messages),
        Some(keys as usize)
    );
    scene.records();
    assert_eq!(scene.core.stats().queued_bytes, 0);
}

/// Runs of a channel that counts messages waited for more credit than its window ever has.
#[test]
fn a_run_goes_in_parts_where_the_window_is_a_few_messages() {
    let mut scene = Scene::new();
    let options = OpenOptions::new("ticks")
        .direction(Direction::OpenerSends)
        .unit(Unit::Messages);
    let (channel, _) = scene.open_ours(options, 3, 8);
    scene
        .core
        .send_run(channel, 40, &[9; 4000])
        .expect("queued");
    let mut got = 0;
    for limit in (8..).step_by(2) {
        for said in scene.said() {
            let Said::Run {
                elem: 40, bytes, ..
            } = said
            else {
                panic!("{said:?}")
            };
            got += bytes.len() / 40;
        }
        assert_eq!(got as u64, limit.min(100));
        if got == 100 {
            break;
        }
        scene.put(Put::new().credit(3, limit + 2));
    }
}

/// The largest element of a run did not fit behind a count of messages that were dropped.
#[test]
fn the_largest_element_of_a_run_fits_behind_a_skip() {
    let config = || ChannelConfig::default().channel_window_bytes(1 << 20);
    let mut scene = Scene::greeted(config(), &[(1, 1024), (7, 0)]);
    let options = OpenOptions::new("ticks")
        .direction(Direction::OpenerSends)
        .mode(Mode::Ttl(Duration::from_millis(10)));
    let (channel, _) = scene.open_ours(options, 3, 1);
    scene.core.send_run(channel, 1, b"old").expect("queued");
    scene.records();
    scene.wait(ms(100));
    let elem = (900..1024)
        .rev()
        .find(|&elem| scene.core.send_run(channel, elem, &vec![3; elem]).is_ok());
    let elem = elem.expect("one is taken");
    scene.put(Put::new().credit(3, 60_000));
    // Not another moment: it is fresh.
    let said = scene.said();
    assert!(
        matches!(&said[..], [Said::Run { skip: 3, bytes, .. }] if bytes.len() == elem),
        "{elem}: {said:?}"
    );
}

/// An application that closes after the peer said goodbye had no deadline.
#[test]
fn a_drain_after_the_peers_has_a_deadline_too() {
    let mut scene = Scene::new();
    scene.opened(0, 60_000);
    assert_eq!(
        scene.put(Put::new().goaway(0, 0, "bye")),
        [Told::Draining(ErrorCode::NO_ERROR)]
    );
    scene.core.drain(ErrorCode::NO_ERROR, "");
    let told = scene.wait(ms(2001));
    assert!(failed(&told).is_some(), "{told:?}");
    assert!(scene.end().is_some());
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

/// A channel that was accepted, but for which the peer has no alias left, ended unheard.
#[test]
fn a_channel_without_an_alias_ends_with_an_event() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(5, 1)]);
    scene.opened(0, 60_000);
    let told = scene.put(Put::new().open(1, 0, 60_000, 30_000, &[]));
    let [Told::Open(second)] = told[..] else {
        panic!("{told:?}")
    };
    let _ = scene.core.send(second, &[1; 2000]);
    assert!(matches!(
        scene.said()[..],
        [Said::Reject {
            peer_alias: 1,
            code: 4,
            ..
        }]
    ));
    assert_eq!(scene.events(), [Told::Rejected(second, ErrorCode::LIMIT)]);
    assert_eq!(scene.core.stats().queued_bytes, 0);
    assert_eq!(
        scene.core.send(second, b"x"),
        Err(ChannelSendError::Stopped(ErrorCode::LIMIT))
    );
}

/// Who waits for room in its own queue was not told when other queues were full at that moment.
#[test]
fn who_waits_for_its_own_queue_is_told_whatever_the_others_hold() {
    let config = ChannelConfig::default()
        .channel_queue_bytes_max(4096)
        .connection_queue_bytes_max(16_384);
    let mut scene = Scene::greeted(config, &[(7, 0)]);
    let mut open = |alias| scene.open_ours(OpenOptions::new("x"), alias, 0).0;
    // Four fill more than three quarters of what all may keep; the last one may send.
    let stuck: Vec<_> = (1..=4).map(&mut open).collect();
    let runs = open(9);
    scene.core.hold_back();
    for &channel in &stuck {
        while scene.core.send(channel, &[0; 1000]) == Ok(()) {}
    }
    while scene.core.send(runs, &[0; 1000]) == Ok(()) {}
    while scene.core.poll_writable().is_some() {}
    scene.put(Put::new().credit(9, 1 << 20));
    while scene.core.poll_record(scene.now).is_some() {}
    assert_eq!(
        scene.core.channel_stats(runs).map(|s| s.queued_bytes),
        Some(0)
    );
    let mut told = std::iter::from_fn(|| scene.core.poll_writable());
    assert!(told.any(|id| id == runs));
}

/// The peer's answer widened the window, and messages that need it were begun never: they were
/// reckoned in the fragments of the smaller one.
#[test]
fn a_wider_window_in_the_answer_takes_its_largest_message() {
    for messages in [false, true] {
        let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, 1024)]);
        let mut options = OpenOptions::new("bulk").direction(Direction::OpenerSends);
        if messages {
            options = options.unit(Unit::Messages);
        }
        let channel = scene.core.open(options).expect("opened");
        scene.said();
        // What R20 allows for a window of 256 KiB: half of it and one, with 64 for each 4 KiB.
        let limit = if messages { 8 } else { 256 << 10 };
        scene.put(Put::new().accept(0, 3, limit, 128_000, &[]));
        if !messages {
            // All but a threshold's worth is back.
            scene.core.send(channel, &[0; 120_000]).expect("queued");
            scene.records();
        }
        scene.core.send(channel, &[0; 126_000]).expect("queued");
        let sent: usize = scene.said().iter().map(data_len).sum();
        assert_eq!(sent, 126_000, "messages: {messages}");
    }
}

/// Channels that we let go of, and whose peer answers as it must, were counted as its waste.
#[test]
fn who_is_stopped_by_us_has_wasted_nothing() {
    let mut scene = Scene::new();
    for turn in 0..300 {
        let channel = scene.opened(0, 60_000);
        scene.core.let_go(channel, ErrorCode::NO_ERROR);
        assert!(matches!(scene.said()[..], [Said::Reset { code: 0, .. }]));
        let told = scene.put(Put::new().reset(flag::ABORT, 0, 0));
        assert_eq!(failed(&told), None, "at {turn}");
    }
}

/// A second GOAWAY in the record that ended a drain was told as a second end; and what a drain
/// refuses was told after its end.
#[test]
fn the_end_is_told_once_and_last() {
    let mut scene = Scene::new();
    let told = scene.put(Put::new().goaway(0, 0, "bye").goaway(0, 1, "broken"));
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(failed(&told[1..]), Some(ErrorCode::NO_ERROR));
    // The same where the second is the end, and in any order with other frames.
    let mut scene = Scene::new();
    let (channel, own) = scene.open_ours(OpenOptions::new("x"), 3, 9);
    let asked = scene.core.open(OpenOptions::new("y")).expect("opened");
    scene.said();
    let record = Put::new()
        .goaway(1, 0, "bye")
        .goaway(1, 5, "broken")
        .accept(own + 1, 4, 9, 9, &[])
        .data(0, 3, b"late")
        .reset(flag::ABORT, 3, 9);
    let told = scene.put(record);
    let failure = ChannelFailure::Peer(ErrorCode::CALM);
    let expected = [
        Told::Draining(ErrorCode::NO_ERROR),
        Told::Rejected(asked, ErrorCode::REFUSED),
        Told::Failed(failure),
    ];
    assert_eq!(told, expected);
    assert!(scene.core.send(channel, b"x").is_err());
    let mut scene = Scene::new();
    let channels = [0; 3].map(|_| scene.core.open(OpenOptions::new("x")).expect("opened"));
    scene.core.drain(ErrorCode::NO_ERROR, "");
    let told = scene.events();
    assert_eq!(told.len(), 4, "{told:?}");
    for (told, channel) in told.iter().zip(channels) {
        assert_eq!(*told, Told::Rejected(channel, ErrorCode::NO_ERROR));
    }
    assert!(failed(&told[3..]).is_some());
}

fn data_len(said: &Said) -> usize {
    match said {
        Said::Data { payload, .. } => payload.len(),
        _ => 0,
    }
}

/// Asking for round trips all the time broke the peer's limit on PINGs.
#[test]
fn pings_asked_for_all_the_time_are_not_a_flood() {
    let mut scene = Scene::new();
    let mut pings = 0;
    for _ in 0..1000 {
        scene.core.ping();
        for said in scene.said() {
            if let Said::Ping(value) = said {
                pings += 1;
                scene.put(Put::new().pong(value));
            }
        }
        scene.wait(ms(10));
    }
    assert!((5..=11).contains(&pings), "{pings} in ten seconds");
}

/// Open and end without a reset, and with nothing sent, in a loop: as costly as with one.
#[test]
fn channels_that_end_unused_without_a_reset_are_waste_too() {
    let mut scene = Scene::new();
    let mut opens = 0;
    let code = loop {
        let record = Put::new()
            .open(0, 0, 60_000, 30_000, &[])
            .reset(flag::STOP, 0, 0)
            .data(flag::FIN, 0, b"");
        let told = scene.put(record);
        if let Some(code) = failed(&told) {
            break code;
        }
        for t in told {
            if let Told::Open(id) = t {
                scene.core.let_go(id, ErrorCode::NO_ERROR);
            }
        }
        scene.said();
        opens += 1;
        assert!(opens < 1000, "never ended");
    };
    assert_eq!((code, opens), (ErrorCode::CALM, 100));
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
