//! Opening handshakes on sockets with partial reads and writes.

use super::*;

/// Replaces the connection of the rig by an outgoing connection. Returns its handshake.
fn connecting(rig: &mut Rig) -> ClientHandshake {
    rig.pipe = Rc::default();
    rig.id = rig.core.reserve();
    let handshake = || {
        let options = ClientOptions::new();
        ClientHandshake::new("host", "/", &options, [3; 16]).unwrap()
    };
    let opening = (handshake(), rig.core.options.config.clone());
    rig.pipe.borrow_mut().room = Some(10);
    let transport = Fake(rig.pipe.clone());
    let peer = PeerAddr::Inet(([127, 0, 0, 1], 1).into());
    rig.core
        .insert_connecting(rig.id, transport, peer, 0, opening, rig.now);
    handshake()
}

/// A request that was written in part waits for a writable event, and does not retry before.
#[test]
fn a_request_that_does_not_fit_waits_for_room() {
    let mut rig = Rig::new(calm());
    let handshake = connecting(&mut rig);
    rig.serve();
    assert_eq!(rig.pipe.borrow().written, handshake.request()[..10]);
    // A readable event changes nothing: the request is written first.
    rig.readable();
    rig.pipe.borrow_mut().room = None;
    rig.writable();
    let request = rig.pipe.borrow().written.clone();
    assert_eq!(request, handshake.request());

    let mut server = ServerHandshake::new(HeadLimits::default());
    let (request, _) = server.parse(&request).unwrap().unwrap();
    let (answer, _) = request.accept(&Accept::new()).unwrap();
    rig.pipe.borrow_mut().incoming.extend_from_slice(&answer);
    rig.frame(2, b"first");
    rig.readable();
    assert_eq!(rig.core.handler.messages, [b"first"]);
    rig.assert_alive();
}

/// Input that came before the request was written is read afterwards, without another event.
#[test]
fn an_early_end_is_read_after_the_request_is_written() {
    let mut rig = Rig::new(calm());
    connecting(&mut rig);
    rig.end(Ok(0));
    rig.readable();
    assert_eq!(rig.core.connections(), 2);
    rig.pipe.borrow_mut().room = None;
    rig.writable();
    assert_eq!(rig.core.connections(), 1);
}

/// A refusal with incomplete content is reported when the stream ends or fails, or at the deadline.
#[test]
fn a_refusal_with_incomplete_content_is_reported() {
    for end in [Some(Ok(0)), Some(Err(ErrorKind::ConnectionReset)), None] {
        let mut rig = Rig::new(calm());
        connecting(&mut rig);
        rig.pipe.borrow_mut().room = None;
        rig.writable();
        let answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nno s";
        rig.pipe.borrow_mut().incoming.extend_from_slice(answer);
        rig.readable();
        assert!(rig.core.handler.not_connected.is_empty());
        if let Some(end) = end {
            rig.end(end);
            rig.readable();
        } else {
            rig.pass(at(9));
            assert!(rig.core.handler.not_connected.is_empty());
            rig.pass(at(11));
        }
        match &rig.core.handler.not_connected[..] {
            [Error::Handshake(HandshakeError::Refused(response))] => {
                assert_eq!((response.status(), response.content()), (403, &b"no s"[..]));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(rig.core.connections(), 1);
    }
}

/// A connection that is not open when the reactor stops is told to be given up, as one that is asked
/// for later. Another attempt on this reactor is of no use.
#[test]
fn a_stop_gives_up_what_is_not_open() {
    let mut rig = Rig::new(calm());
    connecting(&mut rig);
    rig.serve();
    let accepted = rig.core.reserve();
    let transport = Fake(Rc::default());
    rig.core.insert_accepted(accepted, transport, None, rig.now);
    assert_eq!(rig.core.connections(), 3);
    rig.core.stop();
    rig.serve();
    assert_eq!(rig.core.connections(), 1, "the open one says goodbye");
    let later = Outgoing::at(([127, 0, 0, 1], 1).into(), "ws://host/").unwrap();
    let later = rig
        .core
        .refuse_if_stopping(Command::Connect(Box::new(later)));
    assert!(later.is_none());
    let told = &rig.core.handler.not_connected;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(!told.iter().any(Error::is_transient), "{told:?}");
}
