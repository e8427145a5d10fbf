//! Tests of the list of ended channels, of the end, and of the turn of an endpoint.

mod crossing;

use alloc::vec::Vec;

use super::*;
use crate::buf::BufPool;
use crate::mux::{AcceptOptions, ErrorCode, OpenOptions};
use crate::role::Role;
use crate::session::{End, Entropy, Session, Shutdown};

const NOW: Timestamp = Timestamp(1);

fn start() -> (ChannelSession, WriteSide) {
    let below = config::Config::default();
    let (_, mut write) = Session::new(Role::Client, below, Entropy([7; 32]), &[], NOW)
        .unwrap()
        .split();
    let agreed = Some(SUBPROTOCOL);
    let session = ChannelSession::start(ChannelConfig::default(), agreed, write.outbox(), NOW);
    (session.unwrap(), write)
}

/// Opens a channel and ends both of its halves.
fn ended_channel(session: &mut ChannelSession) -> ChannelId {
    let channels = session.channels_mut();
    let channel = channels.open(OpenOptions::new("x")).unwrap();
    channels.reset(channel, ErrorCode(17));
    channels.stop(channel, ErrorCode(17));
    channel
}

/// A driver whose application closes all channels itself never polls for ended ones.
#[test]
fn closed_channels_leave_no_entries() {
    let (mut session, _) = start();
    let kept: Vec<_> = (0..100).map(|_| ended_channel(&mut session)).collect();
    for _ in 0..10_000 {
        let channel = ended_channel(&mut session);
        assert!(session.may_have_ended());
        session.channels_mut().close_channel(channel, ErrorCode(17));
    }
    let listed = session.channels.ended.len();
    assert!(listed <= 2 * (kept.len() + 64), "{listed} listed");
    // The other channels still have frames to send.
    session.begin_ended_round();
    assert_eq!(session.poll_ended(), None);
    for channel in kept {
        session.channels_mut().close_channel(channel, ErrorCode(17));
    }
    session.begin_ended_round();
    assert_eq!(session.poll_ended(), None);
    assert!(!session.may_have_ended());
}

/// The failure is returned once and last, and no event of a record follows an abort.
#[test]
fn an_abort_is_returned_by_the_next_poll() {
    let (mut session, mut write) = start();
    session.fill(write.outbox(), NOW);
    session.channels_mut().abort(ErrorCode(17));
    assert!(session.channels().was_aborted() && session.has_events());
    let mut record = session.receive(Message::Binary(&[]), NOW).unwrap();
    assert!(session.next(&mut record).is_none());
    let failure = ChannelFailure::Local(ErrorCode(17));
    let event = session.poll_event();
    assert!(
        matches!(event, Some(Event::Failed(f)) if f == failure),
        "{event:?}"
    );
    assert_eq!(session.handle_lost(None), failure);
    assert!(
        session.poll_event().is_none(),
        "the failure is returned once"
    );
}

/// Both endpoints of a connection, with a channel that the client opened and the server accepted.
fn ends() -> (ChannelEndpoint, ChannelEndpoint, ChannelId) {
    let new = |role| {
        let below = config::Config::default();
        let mut session = Session::new(role, below, Entropy([7; 32]), &[], NOW).unwrap();
        let agreed = Some(SUBPROTOCOL);
        let channels =
            ChannelSession::start(ChannelConfig::default(), agreed, session.outbox(), NOW);
        ChannelEndpoint::new(session, channels.unwrap())
    };
    let (mut client, mut server) = (new(Role::Client), new(Role::Server));
    let channel = client.channels_mut().open(OpenOptions::new("x")).unwrap();
    for _ in 0..3 {
        client.turn(NOW, |_, _| {});
        let bytes = written(&mut client);
        read(&mut server, &bytes);
        server.turn(NOW, |channels, event| {
            if let Event::Open(opening) = event {
                let options = AcceptOptions::new();
                channels.accept(opening.channel, options).unwrap();
            }
        });
        let bytes = written(&mut server);
        read(&mut client, &bytes);
    }
    client.turn(NOW, |_, _| {});
    (client, server, channel)
}

fn written(endpoint: &mut ChannelEndpoint) -> Vec<u8> {
    let session = endpoint.session();
    let mut bytes = Vec::new();
    while session.wants_write() {
        let before = bytes.len();
        session.transmit().for_each(|s| bytes.extend_from_slice(s));
        session.handle_written(bytes.len() - before, NOW);
    }
    bytes
}

fn read(endpoint: &mut ChannelEndpoint, bytes: &[u8]) {
    let session = endpoint.session();
    session.attach(&mut BufPool::default());
    session.space()[..bytes.len()].copy_from_slice(bytes);
    session.handle_read(bytes.len(), NOW);
}

/// One turn processes all bytes of one read, also those after a control frame that must be answered
/// first. The answers of the application are queued before the reply to a Close.
#[test]
fn a_turn_processes_everything_received() {
    let (mut client, mut server, channel) = ends();
    let mut bytes = Vec::new();
    for message in [b"one", b"two", b"end"] {
        client.channels_mut().send(channel, message).unwrap();
        client.turn(NOW, |_, _| {});
        bytes.extend(written(&mut client));
        client.session().outbox().ping(message).unwrap();
        bytes.extend(written(&mut client));
    }
    let close = client.session().outbox().close(CloseCode::NORMAL, "");
    close.unwrap();
    bytes.extend(written(&mut client));
    read(&mut server, &bytes);
    let mut received = Vec::new();
    server.turn(NOW, |channels, event| {
        if let Event::Message(message) = event {
            received.push(message.data.to_vec());
            let answered = channels.send(message.channel, &message.data);
            assert_eq!(answered, Ok(()), "{received:?}");
            channels.release(message.channel, message.charge);
        }
    });
    assert_eq!(received, [b"one", b"two", b"end"]);
    assert!(server.session().wants_read() && server.session().end().is_some());

    let bytes = written(&mut server);
    read(&mut client, &bytes);
    let mut answers = Vec::new();
    client.turn(NOW, |_, event| {
        if let Event::Message(message) = event {
            answers.push(message.data.to_vec());
        }
    });
    assert_eq!(answers, received);
    let code = Some(CloseCode::NORMAL);
    let end = client.session().end();
    assert_eq!(
        end,
        Some(End::Closed {
            code,
            by_peer: false
        })
    );
}
