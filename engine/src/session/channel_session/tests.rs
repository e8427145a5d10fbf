//! What only shows inside: lists that stay short.

use alloc::vec::Vec;

use super::*;
use crate::mux::{Code, OpenOptions};
use crate::role::Role;
use crate::session::{Entropy, Session};

const NOW: Timestamp = Timestamp(1);

fn start() -> (ChannelSession, WriteSide) {
    let below = config::Settings::default();
    let (_, mut write) = Session::new(Role::Client, below, Entropy([7; 32]), &[], NOW).split();
    let agreed = Some(SUBPROTOCOL);
    let session = ChannelSession::start(Settings::default(), agreed, write.outbox(), NOW);
    (session.unwrap(), write)
}

/// A channel of ours of which both halves are over.
fn over(session: &mut ChannelSession) -> ChannelId {
    let channels = session.channels_mut();
    let channel = channels.open(OpenOptions::new("x")).unwrap();
    channels.reset(channel, Code(17));
    channels.stop(channel, Code(17));
    channel
}

/// A driver whose application lets go of all channels by itself never looks for those that have
/// ended.
#[test]
fn channels_that_are_let_go_of_leave_nothing_behind() {
    let (mut session, _) = start();
    let kept: Vec<_> = (0..100).map(|_| over(&mut session)).collect();
    for _ in 0..10_000 {
        let channel = over(&mut session);
        assert!(session.may_have_ended());
        session.channels_mut().let_go(channel, Code(17));
    }
    let listed = session.channels.ended.len();
    assert!(listed <= 2 * (kept.len() + 64), "{listed} listed");
    // Those that are left have yet to tell the peer.
    session.begin_ended();
    assert_eq!(session.poll_ended(), None);
    for channel in kept {
        session.channels_mut().let_go(channel, Code(17));
    }
    session.begin_ended();
    assert_eq!(session.poll_ended(), None);
    assert!(!session.may_have_ended());
}

/// The end is told once and last, and nothing of a record comes behind an abort.
#[test]
fn an_abort_is_told_by_the_next_poll() {
    let (mut session, mut write) = start();
    session.fill(write.outbox(), NOW);
    session.channels_mut().abort(Code(17));
    assert!(session.channels().was_aborted() && session.has_events());
    let mut record = session.receive(Message::Binary(&[]), NOW).unwrap();
    assert!(session.next(&mut record).is_none());
    let failure = Failure::Local(Code(17));
    let told = session.poll_event();
    assert!(
        matches!(told, Some(Event::Failed(f)) if f == failure),
        "{told:?}"
    );
    assert_eq!(session.handle_lost(), failure);
    assert!(session.poll_event().is_none(), "it is told once");
}
