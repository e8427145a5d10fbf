//! Close codes, the closing handshake, and which end closes the socket first.

use harness::drive::{Driven, Mode, config};
use harness::event::Event;
use harness::frames::{Frame, op, peer};
use harness::oracle::may_stand;
use tickwire::sans_io::Shutdown;
use tickwire::{CloseCode, Delivery, End, Failure, Role, SendError, Violation};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

fn driven(role: Role) -> Driven {
    Driven::new(role, &config(Delivery::Whole), Mode::PLAIN)
}

#[test]
fn received_close_codes_are_checked() {
    for role in ROLES {
        for code in (0..=5000).chain([9999, u16::MAX]) {
            let mut d = driven(role);
            d.push(&Frame::close(code, b"so").by(peer(role)));
            let sent = d.sent();
            if may_stand(code) {
                let close = Event::Close(Some((code, "so".into())));
                assert_eq!(d.events(), std::slice::from_ref(&close), "{code}");
                assert_eq!(sent.events, [close], "{code} is echoed");
                let (code, by_peer) = (Some(CloseCode(code)), true);
                assert_eq!(d.end(), Some(End::Closed { code, by_peer }));
            } else {
                let failure = Failure::Violation(Violation::InvalidCloseCode(code));
                assert_eq!(d.events(), [Event::Fail(failure)], "{code}");
                assert!(
                    matches!(sent.events[..], [Event::Close(Some((1002, _)))]),
                    "{code}"
                );
                assert_eq!(d.end(), Some(End::Failed(failure)));
            }
        }
    }
}

#[test]
fn sent_close_codes_are_checked() {
    for code in (0..=5000).chain([9999, u16::MAX]) {
        let mut d = driven(Role::Client);
        let result = d.session().outbox().close(CloseCode(code), "bye");
        assert_eq!(CloseCode(code).is_sendable(), may_stand(code), "{code}");
        d.turn();
        if may_stand(code) {
            assert_eq!(result, Ok(()), "{code}");
            assert_eq!(d.sent().events, [Event::Close(Some((code, "bye".into())))]);
        } else {
            assert_eq!(result, Err(SendError::InvalidCloseCode(code)));
            assert_eq!(d.sent, [], "{code} leaves nothing on the wire");
            assert!(!d.session().outbox().is_closing(), "{code} closes nothing");
        }
    }
}

#[test]
fn a_close_without_a_code_is_answered_without_one() {
    for role in ROLES {
        let mut d = driven(role);
        d.push(&Frame::new(op::CLOSE, "").by(peer(role)));
        assert_eq!(d.events(), [Event::Close(None)]);
        assert_eq!(d.sent().events, [Event::Close(None)]);
        let (code, by_peer) = (None, true);
        assert_eq!(d.end(), Some(End::Closed { code, by_peer }));
    }
}

#[test]
fn the_server_ends_the_stream_first() {
    let mut server = driven(Role::Server);
    server.push(&Frame::close(1000, b"").by(Role::Client));
    assert_eq!(server.shutdown(), Shutdown::Close);

    let mut client = driven(Role::Client);
    client.push(&Frame::close(1001, b"").by(Role::Server));
    assert_eq!(
        client.shutdown(),
        Shutdown::None,
        "the client waits for the end of the stream"
    );
    client.eof();
    assert_eq!(client.shutdown(), Shutdown::Close);
}

#[test]
fn a_local_close_delivers_data_until_the_answer() {
    for role in ROLES {
        let mut d = driven(role);
        d.session().outbox().send(b"last").expect("open");
        d.session()
            .outbox()
            .close(CloseCode::NORMAL, "")
            .expect("allowed");
        assert_eq!(d.session().outbox().send(b"more"), Err(SendError::Closed));
        assert_eq!(d.session().outbox().ping(b""), Err(SendError::Closed));
        d.turn();
        assert_eq!(d.end(), None);
        assert_eq!(d.shutdown(), Shutdown::None);
        d.push(&Frame::new(op::BIN, "still").by(peer(role)));
        d.push(&Frame::new(op::PING, "unanswered").by(peer(role)));
        d.push(&Frame::close(1000, b"").by(peer(role)));
        let heard = [
            Event::binary(b"still"),
            Event::Ping(b"unanswered".to_vec()),
            Event::Close(Some((1000, String::new()))),
        ];
        assert_eq!(d.events(), heard);
        let said = [
            Event::binary(b"last"),
            Event::Close(Some((1000, String::new()))),
        ];
        assert_eq!(d.sent().events, said, "one Close, and nothing behind it");
        let (code, by_peer) = (Some(CloseCode::NORMAL), false);
        assert_eq!(d.end(), Some(End::Closed { code, by_peer }));
    }
}

#[test]
fn bytes_after_a_close_are_ignored() {
    for role in ROLES {
        let close = Frame::close(1000, b"").by(peer(role));
        let late = Frame::new(op::BIN, "late").by(peer(role));
        let ping = Frame::new(op::PING, "late").by(peer(role));
        let garbage = vec![0xff; 300];
        let bytes = [close, late, ping, garbage].concat();
        for at in 0..=bytes.len() {
            let mut d = driven(role);
            d.push(&bytes[..at]);
            d.push(&bytes[at..]);
            let close = Event::Close(Some((1000, String::new())));
            assert_eq!(d.events(), std::slice::from_ref(&close));
            assert_eq!(d.sent().events, [close]);
        }
    }
}

#[test]
fn a_stream_that_ends_without_a_close_is_an_error() {
    let frame = |by| Frame::new(op::BIN, [5; 300]).by(by);
    for role in ROLES {
        let bytes = frame(peer(role));
        for at in 0..=bytes.len() {
            let mut d = driven(role);
            d.push(&bytes[..at]);
            d.eof();
            let whole = usize::from(at == bytes.len());
            assert_eq!(
                d.events().len(),
                whole,
                "a part of a message is not a message"
            );
            assert_eq!(d.end(), Some(End::Failed(Failure::Eof)));
            assert_eq!(d.shutdown(), Shutdown::Close);
            assert_eq!(d.sent, [], "there is nobody to tell");
        }
    }
}

#[test]
fn a_close_of_the_peer_waits_only_for_the_send_queue() {
    for role in ROLES {
        let mut d = driven(role);
        d.session().outbox().send(b"queued").expect("open");
        let ping = Frame::new(op::PING, "p").by(peer(role));
        let close = Frame::close(3999, b"x").by(peer(role));
        d.push(&[ping, close].concat());
        let said = [
            Event::Pong(b"p".to_vec()),
            Event::binary(b"queued"),
            Event::Close(Some((3999, "x".into()))),
        ];
        assert_eq!(d.sent().events, said);
    }
}
