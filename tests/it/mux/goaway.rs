//! The end of the connection: drain, GOAWAY, failures and their codes.

use harness::frames_mux::{Put, Said, flag};
use tickwire::channels::{
    ChannelConfig, ChannelFailure, ChannelSendError, DrainEnd, ErrorCode, Event, OpenError,
    OpenOptions,
};
use tickwire::{CloseCode, End, Failure};

use super::scripted_peer::{Scene, Told, failed, ms};

fn drained(by_peer: bool, code: ErrorCode, end: DrainEnd) -> ChannelFailure {
    ChannelFailure::Drained { by_peer, code, end }
}

/// The stream below has ended without a Close.
const EOF: Option<End> = Some(End::Failed(Failure::Eof));

/// The layer below ends like this: what is told then.
fn lost(scene: &mut Scene, end: Option<End>) -> Option<ChannelFailure> {
    match scene.core.handle_lost(end) {
        Some(Event::Failed(failure)) => Some(failure),
        None => None,
        other => panic!("{other:?}"),
    }
}

/// A drain ends at its deadline, even if the peer is silent.
#[test]
fn a_drain_ends_although_the_peer_is_silent() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 0);
    let _ = scene.core.send(channel, b"never goes out");
    scene.core.drain(ErrorCode::NO_ERROR, "over");
    assert!(matches!(
        scene.said()[..],
        [Said::GoAway {
            code: 0,
            opens_seen: 1,
            ..
        }]
    ));
    assert_eq!(failed(&scene.wait(ms(1999))), None);
    assert_eq!(failed(&scene.wait(ms(2))), Some(ErrorCode::NO_ERROR));
    scene.said();
    assert_eq!(scene.core.closing(), Some(ErrorCode::NO_ERROR));
    assert_eq!(scene.core.poll_timeout(), None);
    // Without channels it ends at once. A peer that says nothing at all ends it after the idle
    // timeout.
    let mut scene = Scene::new();
    scene.core.drain(ErrorCode(20), "over");
    assert_eq!(failed(&scene.events()), Some(ErrorCode(20)));
    assert_eq!(scene.end(), Some(ErrorCode(20)));
    let mut scene = Scene::silent(ChannelConfig::default());
    scene.said();
    assert_eq!(failed(&scene.wait(ms(29_999))), None);
    assert_eq!(failed(&scene.wait(ms(2))), Some(ErrorCode::TIMEOUT));
    assert_eq!(scene.end(), Some(ErrorCode::TIMEOUT));
}

/// A second call of `drain` does not extend the deadline of the first.
#[test]
fn a_second_drain_does_not_extend_the_deadline() {
    let code = ErrorCode(ErrorCode::APPLICATION.0 + 5);
    let mut scene = Scene::new();
    scene.opened(0, 60_000);
    scene.core.drain(code, "maintenance");
    scene.said();
    scene.wait(ms(1500));
    scene.core.drain(ErrorCode::NO_ERROR, "again");
    assert_eq!(scene.said(), []);
    let told = scene.wait(ms(600));
    assert_eq!(
        told,
        [Told::Failed(drained(false, code, DrainEnd::Incomplete))]
    );
    // A drain after the end sends nothing.
    scene.core.drain(ErrorCode::NO_ERROR, "too late");
    assert_eq!(scene.end(), Some(code));
}

/// An abort has something to write.
#[test]
fn an_abort_asks_to_be_written() {
    let mut scene = Scene::new();
    assert!(!scene.core.wants_write());
    assert!(
        scene
            .core
            .abort(ErrorCode(ErrorCode::APPLICATION.0 + 1))
            .is_some()
    );
    assert!(scene.core.wants_write());
    assert_eq!(scene.end(), Some(ErrorCode(ErrorCode::APPLICATION.0 + 1)));
    assert!(!scene.core.wants_write());
}

/// A record with GOAWAY is no longer than the peer allows, however full it was.
#[test]
fn goaway_never_makes_a_record_too_long() {
    for left in [0, 1, 10, 20, 40, 160, 170] {
        let mut scene = Scene::greeted(ChannelConfig::default(), &[(1, 4096)]);
        let (channel, _) = scene.open_ours(OpenOptions::new("x"), 0, 1 << 20);
        // Two messages fill the open record, except for about `left` bytes.
        scene.core.send(channel, [0; 2000]).expect("sent");
        scene
            .core
            .send(channel, vec![0; 2080 - left])
            .expect("sent");
        scene.core.abort(ErrorCode(ErrorCode::APPLICATION.0 + 9));
        let records = scene.records();
        let lens: Vec<_> = records.iter().map(Vec::len).collect();
        assert!(lens.iter().all(|&len| len <= 4096), "{left}: {lens:?}");
        assert!(!lens.is_empty());
    }
}

/// An application that drains after GOAWAY of the peer has a deadline, too.
#[test]
fn a_drain_after_goaway_of_the_peer_has_a_deadline() {
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

/// A record has two GOAWAY frames, or a drain refuses channels. The failure is reported once, and
/// as the last event.
#[test]
fn the_failure_is_the_last_event_and_comes_once() {
    let mut scene = Scene::new();
    let told = scene.put(Put::new().goaway(0, 0, "bye").goaway(0, 1, "broken"));
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(failed(&told[1..]), Some(ErrorCode::NO_ERROR));
    // The same if the second GOAWAY ends the connection, among other frames.
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

/// GOAWAY is sent even if the open record is nearly full of messages.
#[test]
fn goaway_is_sent_after_a_full_record() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 60_000);
    for _ in 0..15 {
        scene.core.send(channel, [7; 1000]).expect("sent");
        assert!(!matches!(
            scene.core.send(channel, [7; 300]),
            Err(ChannelSendError::Closed(_))
        ));
    }
    scene.put(Put::new().raw(&[0x0C]));
    assert_eq!(scene.end(), Some(ErrorCode::PROTOCOL));
}

/// The layer below loses the connection. The loss is reported once, with its reason.
#[test]
fn a_lost_connection_is_reported_once() {
    let mut scene = Scene::new();
    let failure = ChannelFailure::Lost(EOF);
    assert_eq!(lost(&mut scene, EOF), Some(failure));
    assert!(failure.to_string().contains("without a Close frame"));
    assert_eq!(lost(&mut scene, EOF), None);
    assert!(!scene.core.is_alive() && scene.said().is_empty());
    // An error code that the peer sent before is the better reason.
    for (code, expected) in [
        (ErrorCode::NO_ERROR, ChannelFailure::Lost(EOF)),
        (
            ErrorCode(0x2_0000),
            drained(true, ErrorCode(0x2_0000), DrainEnd::Lost),
        ),
    ] {
        let mut scene = Scene::new();
        scene.opened(0, 9000);
        scene.put(Put::new().goaway(0, code.0.into(), ""));
        assert_eq!(lost(&mut scene, EOF), Some(expected));
    }
    let mut scene = Scene::new();
    let told = scene.core.receive_text();
    assert!(
        matches!(told, Some(Event::Failed(ChannelFailure::Violation(_)))),
        "{told:?}"
    );
    assert_eq!(lost(&mut scene, EOF), None, "it has ended before");
}

/// The WebSocket below is closed as the drain says it is. Channels that are open then had no more
/// time.
#[test]
fn the_close_of_a_drain_is_not_a_loss() {
    let code = ErrorCode(ErrorCode::APPLICATION.0 + 5);
    let closed = |code| {
        Some(End::Closed {
            code: Some(CloseCode(code)),
            by_peer: true,
        })
    };
    for by_peer in [false, true] {
        for (close, expected) in [
            (4021, drained(by_peer, code, DrainEnd::Incomplete)),
            (1001, drained(by_peer, code, DrainEnd::GoingAway)),
        ] {
            let mut scene = Scene::new();
            let channel = scene.opened(0, 9000);
            if by_peer {
                scene.put(Put::new().goaway(1, code.0.into(), "maintenance"));
            } else {
                scene.core.drain(code, "maintenance");
                scene.said();
            }
            let refused = scene.core.open(OpenOptions::new("x"));
            assert_eq!(refused, Err(OpenError::Draining(code)));
            assert_eq!(lost(&mut scene, closed(close)), Some(expected));
            let sent = scene.core.send(channel, b"late");
            assert_eq!(sent, Err(ChannelSendError::Closed(expected)));
            let refused = scene.core.open(OpenOptions::new("x"));
            assert_eq!(refused, Err(OpenError::Closed(expected)));
        }
    }
    // The Close of the peer has the code of its own, last GOAWAY, whichever began the drain.
    let (began, last) = (ErrorCode(20), ErrorCode(21));
    for by_peer in [true, false] {
        let mut scene = Scene::new();
        scene.opened(0, 9000);
        if by_peer {
            scene.put(Put::new().goaway(1, began.0.into(), ""));
        } else {
            scene.core.drain(began, "");
            scene.said();
        }
        scene.put(Put::new().goaway(1, last.0.into(), ""));
        let end = closed(4000 + last.0 as u16);
        let expected = drained(by_peer, began, DrainEnd::Incomplete);
        assert_eq!(lost(&mut scene, end), Some(expected));
    }
    // A Close says nothing of channels where no GOAWAY came before.
    for code in [4000, 1001, 1000] {
        let mut scene = Scene::new();
        let expected = ChannelFailure::Lost(closed(code));
        assert_eq!(lost(&mut scene, closed(code)), Some(expected));
    }
}

/// A program that goes away sends GOAWAY without an error, whoever has begun to drain before.
#[test]
fn a_program_that_goes_away_says_goaway() {
    for by_peer in [false, true] {
        let mut scene = Scene::new();
        scene.opened(0, 9000);
        if by_peer {
            scene.put(Put::new().goaway(1, 20, "maintenance"));
        }
        let expected = drained(false, ErrorCode::NO_ERROR, DrainEnd::GoingAway);
        let told = scene.core.go_away();
        assert!(
            matches!(told, Some(Event::Failed(failure)) if failure == expected),
            "{told:?}"
        );
        let said = scene.said();
        assert!(
            matches!(said[..], [Said::GoAway { code: 0, .. }]),
            "{said:?}"
        );
        assert!(scene.core.go_away().is_none(), "it is said once");
        assert_eq!(scene.core.failure(), Some(expected));
    }
}

/// Opens after the local GOAWAY are not looked at, and GOAWAY says so.
#[test]
fn goaway_does_not_count_opens_after_it() {
    let mut scene = Scene::new();
    scene.opened(0, 9000);
    scene.core.drain(ErrorCode::NO_ERROR, "maintenance");
    for alias in 1..4 {
        assert_eq!(scene.put(Put::new().open(alias, 0, 9000, 9000, &[])), []);
    }
    let said = scene.said();
    assert!(
        matches!(said[..], [Said::GoAway { opens_seen: 1, .. }]),
        "{said:?}"
    );
}

#[test]
fn error_codes_have_names_and_close_codes() {
    for (code, name, close) in [
        (ErrorCode::NO_ERROR, "NO_ERROR", 4000),
        (ErrorCode::FLOW, "FLOW", 4002),
        (ErrorCode::INTERNAL, "INTERNAL", 4009),
        (ErrorCode(10), "code 10", 4010),
        (ErrorCode(999), "code 999", 4999),
        (ErrorCode(1000), "code 1000", 4999),
        (ErrorCode(u32::MAX), "code 4294967295", 4999),
    ] {
        assert_eq!(code.to_string(), name);
        assert_eq!(format!("{code:?}"), name);
        assert_eq!(code.close_code(), close);
    }
}
