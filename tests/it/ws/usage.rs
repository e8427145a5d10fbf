//! Calls of the application: a wrong call gets an error that says what to do, and sends nothing.

use std::time::Duration;

use bytes::Bytes;
use harness::drive::{Driven, Mode, config};
use harness::event::Event;
use tickwire::sans_io::{Entropy, Session};
use tickwire::{
    CloseCode, Config, Deadline, Delivery, End, Failure, Kind, PreparedMessage, Role, SendError,
    Timestamp, Utf8Bytes,
};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

fn driven(role: Role) -> Driven {
    Driven::new(role, &config(Delivery::Whole), Mode::PLAIN)
}

#[test]
fn a_control_frame_that_is_too_long_is_refused() {
    for role in ROLES {
        let mut d = driven(role);
        let too_long = |len, max| Err(SendError::ControlTooLong { len, max });
        assert_eq!(d.session().outbox().ping(&[0; 126]), too_long(126, 125));
        assert_eq!(d.session().outbox().pong(&[0; 126]), too_long(126, 125));
        let reason = "r".repeat(124);
        let close = d.session().outbox().close(CloseCode::NORMAL, &reason);
        assert_eq!(close, too_long(124, 123));
        d.turn();
        assert_eq!(d.sent, []);

        assert_eq!(d.session().outbox().ping(&[1; 125]), Ok(()));
        assert_eq!(d.session().outbox().pong(&[2; 125]), Ok(()));
        let close = d.session().outbox().close(CloseCode::NORMAL, &reason[1..]);
        assert_eq!(close, Ok(()));
        d.turn();
        let said = [
            Event::Pong(vec![2; 125]),
            Event::Ping(vec![1; 125]),
            Event::Close(Some((1000, reason[1..].into()))),
        ];
        assert_eq!(d.sent().events, said);
    }
}

#[test]
fn text_in_parts_must_be_utf8() {
    let cases: [(&[&[u8]], usize); 5] = [
        (&[b"a\xff"], 1),
        (&[b"ab\xe2\x82", b"\x28"], 0),
        (&[b"\xe2", b"\x82\xacx\xff"], 3),
        (&[b"ok", b"\xed\xa0\x80"], 1),
        (&[b"cut\xe2\x82", b""], 0),
    ];
    for role in ROLES {
        for (parts, at) in cases {
            let mut d = driven(role);
            let (bad, good) = parts.split_last().expect("not empty");
            for part in good {
                let sent = d.session().outbox().send_part(Kind::Text, part, false);
                assert_eq!(sent, Ok(()), "{parts:x?}");
            }
            d.turn();
            let before = d.sent.len();
            let refused = d.session().outbox().send_part(Kind::Text, bad, true);
            assert_eq!(refused, Err(SendError::InvalidUtf8 { at }), "{parts:x?}");
            d.turn();
            assert_eq!(d.sent.len(), before, "nothing of the bad part went out");
        }
    }
}

#[test]
fn a_message_inside_a_message_is_refused() {
    for role in ROLES {
        let mut d = driven(role);
        let out = d.session().outbox();
        assert_eq!(out.send_part(Kind::Text, "κό".as_bytes(), false), Ok(()));
        assert_eq!(out.send(b"x"), Err(SendError::MessageOpen));
        assert_eq!(out.send_text("x"), Err(SendError::MessageOpen));
        assert_eq!(out.claim(3).err(), Some(SendError::MessageOpen));
        let shared = Bytes::from(vec![1; 5000]);
        let refused = out.send_bytes(shared.clone());
        assert_eq!(
            refused,
            Err((SendError::MessageOpen, shared)),
            "handed back"
        );
        let text = Utf8Bytes::from("t");
        let refused = out.send_text_bytes(text.clone());
        assert_eq!(refused, Err((SendError::MessageOpen, text)), "handed back");
        let prepared = PreparedMessage::binary(b"x");
        assert_eq!(out.send_prepared(&prepared), Err(SendError::MessageOpen));
        let other = out.send_part(Kind::Binary, b"x", true);
        assert_eq!(other, Err(SendError::MessageOpen));
        assert_eq!(out.ping(b"between"), Ok(()));
        assert_eq!(out.send_part(Kind::Text, "σμε".as_bytes(), true), Ok(()));
        assert_eq!(out.send(b"x"), Ok(()));
        d.turn();
        let said = [
            Event::Ping(b"between".to_vec()),
            Event::text("κόσμε"),
            Event::binary(b"x"),
        ];
        assert_eq!(d.sent().events, said);
    }
}

#[test]
fn a_full_queue_refuses_a_message_and_returns_it() {
    let config = Config::default().send_queue_bytes_max(2048);
    for role in ROLES {
        let mut d = Driven::new(role, &config, Mode::PLAIN);
        let room = d.session().outbox().room();
        assert_eq!(room, 2048 - 14);
        let over = vec![0; room + 1];
        let refused = d.session().outbox().send(&over);
        assert_eq!(
            refused,
            Err(SendError::TooLarge {
                len: 2049,
                max: 2048
            })
        );
        let back = Bytes::from(over);
        let refused = d.session().outbox().send_bytes(back.clone());
        assert_eq!(
            refused,
            Err((
                SendError::TooLarge {
                    len: 2049,
                    max: 2048
                },
                back
            ))
        );
        assert_eq!(d.session().outbox().send(vec![7; room]), Ok(()));
        let queued = d.session().outbox().queued_bytes();
        let full = SendError::QueueFull { queued, max: 2048 };
        assert_eq!(d.session().outbox().send(b"0123456789abc"), Err(full));
        assert_eq!(d.session().outbox().claim(100).err(), Some(full));
        assert_eq!(
            d.session().outbox().send_part(Kind::Binary, &[0; 99], true),
            Err(full)
        );
        let back = Bytes::from(vec![1; 1500]);
        let refused = d.session().outbox().send_bytes(back.clone());
        assert_eq!(refused, Err((full, back)));
        assert_eq!(
            d.session().outbox().ping(b"still"),
            Ok(()),
            "control has its own place"
        );
        d.turn();
        assert_eq!(d.session().outbox().send(b"room again"), Ok(()));
        d.turn();
        let said = [
            Event::Ping(b"still".to_vec()),
            Event::binary(&vec![7; room]),
            Event::binary(b"room again"),
        ];
        assert_eq!(d.sent().events, said);
    }
}

/// An event that comes too early would make the application try again, and be refused, without end.
#[test]
fn drained_is_reported_when_the_refused_message_fits() {
    let config = Config::default().send_queue_bytes_max(2048);
    let mut d = Driven::new(Role::Server, &config, Mode::PLAIN);
    let drained = |d: &mut Driven| d.session().halves().1.take_drained();
    assert_eq!(d.session().outbox().send([0; 900]), Ok(()));
    assert!(!drained(&mut d), "nothing was refused");
    let full = |refused| matches!(refused, Err(SendError::QueueFull { .. }));
    assert!(full(d.session().outbox().send([1; 1500])));
    assert!(
        !drained(&mut d),
        "half of it is free, and that is not enough"
    );
    assert!(full(d.session().outbox().send([1; 1300])));
    d.turn();
    assert!(drained(&mut d));
    assert!(!drained(&mut d), "once");
}

#[test]
fn a_claim_can_be_dropped_or_shortened_but_not_extended() {
    for role in ROLES {
        for (claimed, used) in [
            (10, 10),
            (10, 3),
            (200, 100),
            (70_000, 300),
            (70_000, 70_000),
            (5, 9),
            (3, 0),
        ] {
            let mut d = driven(role);
            let out = d.session().outbox();
            let _dropped = out.claim(claimed).expect("room");
            let mut claim = out.claim(claimed).expect("room");
            assert_eq!(claim.len(), claimed);
            for (i, b) in claim.iter_mut().enumerate() {
                *b = i as u8;
            }
            claim.commit_len(used);
            assert_eq!(out.send(b"next"), Ok(()));
            d.turn();
            let payload: Vec<u8> = (0..claimed.min(used)).map(|i| i as u8).collect();
            let said = [Event::binary(&payload), Event::binary(b"next")];
            assert!(d.sent().events == said, "{claimed} claimed, {used} used");
        }
    }
}

#[test]
fn an_invalid_config_is_refused_with_its_field() {
    type Spoil = fn(&mut Config);
    let bad: [(&str, Spoil); 7] = [
        ("message_bytes_max", |c| c.message_bytes_max = 0),
        ("message_bytes_max", |c| c.message_bytes_max = u64::MAX),
        ("frame_bytes_max", |c| c.frame_bytes_max = 0),
        ("fragments_max", |c| c.fragments_max = 0),
        ("send_queue_bytes_max", |c| c.send_queue_bytes_max = 1023),
        ("send_queue_bytes_max", |c| {
            c.send_queue_bytes_max = usize::MAX
        }),
        ("ping_interval", |c| c.ping_interval = Some(Duration::ZERO)),
    ];
    let also: [(&str, Spoil); 5] = [
        ("idle_timeout", |c| c.idle_timeout = Some(Duration::ZERO)),
        ("pong_timeout", |c| c.pong_timeout = Duration::ZERO),
        ("close_timeout", |c| c.close_timeout = Duration::ZERO),
        ("write_timeout", |c| c.write_timeout = Duration::ZERO),
        ("handshake_timeout", |c| {
            c.handshake_timeout = Duration::ZERO
        }),
    ];
    for (field, spoil) in bad.into_iter().chain(also) {
        let mut config = Config::default();
        spoil(&mut config);
        let error = config.check().expect_err(field).to_string();
        assert!(
            error.starts_with(&format!("Config::{field} is ")),
            "{error}"
        );
    }
}

/// A stream cannot have kept more bytes than it was offered. The bytes that it kept are sent first.
#[test]
fn bytes_that_a_stream_kept_are_sent_first() {
    let now = Timestamp(0);
    let mut session = Session::new(Role::Server, Config::default(), Entropy([7; 32]), &[], now)
        .expect("limits that work");
    session.handle_buffered(usize::MAX);
    session.outbox().ping(b"out").expect("room");
    session.handle_buffered(usize::MAX);
    assert_eq!(session.transmit().flatten().count(), 5);
    session.handle_written(5, now);
    session.outbox().send(b"data").expect("room");
    assert!(session.transmit().next().is_some());
    session.handle_buffered(usize::MAX);
    session.handle_written(0, now);
    session.outbox().ping(b"?").expect("room");
    let sent: Vec<u8> = session.transmit().flatten().copied().collect();
    assert_eq!(sent, b"\x82\x04data\x89\x01?");
    session.handle_written(6, now);
    assert!(session.transmit().next().is_some());
    session.handle_buffered(3);
    session.handle_written(0, now);
    session.outbox().ping(b"!").expect("room");
    session.outbox().send(b"more").expect("room");
    let first: Vec<u8> = session.transmit().flatten().copied().collect();
    assert_eq!(first, b"\x89\x01?");
    session.handle_written(3, now);
    let rest: Vec<u8> = session.transmit().flatten().copied().collect();
    assert_eq!(rest, b"\x89\x01!\x82\x04more");
}

/// A slow peer gets only the newest of the Pongs of which no byte was sent.
#[test]
fn only_the_newest_waiting_pong_is_sent() {
    let now = Timestamp(0);
    for begun in [false, true] {
        let (role, config) = (Role::Server, Config::default());
        let pings = b"\x89\x81\0\0\0\x001\x89\x81\0\0\0\x002";
        let mut session =
            Session::new(role, config, Entropy([7; 32]), pings, now).expect("limits that work");
        assert_eq!(session.receive().0.count(), 2);
        session.queue_replies(now);
        assert_eq!(session.transmit().flatten().count(), 6);
        session.handle_written(usize::from(begun), now);
        session.handle_written(0, now);
        let sent: Vec<u8> = session.transmit().flatten().copied().collect();
        let expected: &[u8] = if begun {
            b"\x011\x8a\x012"
        } else {
            b"\x8a\x012"
        };
        assert_eq!(sent, expected);
    }
}

/// The queue is handed over whole and in order, even in two transmits.
#[test]
fn a_handover_transfers_the_whole_queue() {
    let (now, config) = (Timestamp(0), Config::default());
    let mut session =
        Session::new(Role::Server, config, Entropy([7; 32]), &[], now).expect("limits that work");
    session.outbox().ping(b"one").expect("room");
    assert_eq!(session.transmit().flatten().count(), 5);
    session.handle_written(2, now);
    session.outbox().ping(b"two").expect("room");
    session.outbox().send(b"data").expect("room");
    let (_, unsent) = session.into_parts();
    assert_eq!(unsent, b"one\x89\x03two\x82\x04data");
}

/// A written Ping starts the Pong timeout, even if `transmit` is not called again.
#[test]
fn a_written_ping_starts_the_pong_timeout() {
    let config = Config::default()
        .ping_interval(Some(Duration::from_secs(20)))
        .pong_timeout(Duration::from_secs(10));
    let at = |seconds: u64| Timestamp(seconds * 1_000_000_000);
    let mut session =
        Session::new(Role::Server, config, Entropy([7; 32]), &[], at(0)).expect("limits that work");
    session.handle_timeout(at(20));
    assert_eq!(session.transmit().flatten().count(), 10);
    session.handle_written(10, at(20));
    session.handle_timeout(at(29));
    assert_eq!(session.end(), None);
    session.handle_timeout(at(30));
    let late = End::Failed(Failure::Deadline(Deadline::Pong));
    assert_eq!(session.end(), Some(late));
}
