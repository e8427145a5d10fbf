//! Connections whose application has paused receiving.

use super::*;

/// A pause sends no Pings, and does not count for the idle timeout of a peer that sends only Pongs.
#[test]
fn a_pause_does_not_count_as_idle() {
    let mut rig = Rig::new(
        calm()
            .ping_interval(Some(seconds(20)))
            .pong_timeout(seconds(10))
            .idle_timeout(Some(seconds(30))),
    );
    rig.pass(at(1));
    rig.frame(2, b"pause");
    rig.readable();
    rig.pass(at(61));
    assert_eq!(rig.core.handler.messages.len(), 1);
    rig.pipe.borrow_mut().written.clear();
    rig.resume();
    rig.pass(at(61));
    rig.assert_alive();
    assert_eq!(
        rig.pipe.borrow().written.first(),
        Some(&0x89),
        "a Ping is sent first"
    );
    rig.pass(at(70));
    rig.assert_alive();
    rig.pass(at(77));
    rig.assert_failed(Deadline::Pong);
}

/// The idle times between pauses add up.
#[test]
fn idle_times_between_pauses_add_up() {
    let mut rig = Rig::new(calm().idle_timeout(Some(seconds(30))));
    rig.frame(2, b"cycle");
    rig.readable();
    // Every other second is a pause.
    rig.pass(at(58));
    rig.assert_alive();
    rig.pass(at(66));
    rig.assert_failed(Deadline::Idle);
}

/// The Pong timeout of a Ping sent before a pause continues after the pause.
#[test]
fn a_pause_does_not_count_for_the_pong_timeout() {
    let mut rig = Rig::new(
        calm()
            .ping_interval(Some(seconds(20)))
            .pong_timeout(seconds(10)),
    );
    rig.frame(2, b"pause at 24");
    rig.readable();
    rig.pass(at(100));
    rig.resume();
    rig.pass(at(105));
    rig.assert_alive();
    // The rest of the Pong timeout has passed, and then the close timeout.
    rig.pass(at(112));
    rig.assert_failed(Deadline::Pong);
}

/// The messages before the peer's Close must be read to complete the closing handshake.
#[test]
fn a_stop_ends_a_pause() {
    let mut rig = Rig::new(calm());
    rig.frame(2, b"pause");
    rig.frame(2, b"behind");
    rig.readable();
    assert_eq!(rig.core.handler.messages.len(), 1);
    rig.core.stop();
    rig.serve();
    assert_eq!(rig.core.handler.messages, [&b"pause"[..], b"behind"]);
    rig.frame(8, &1001_u16.to_be_bytes());
    rig.readable();
    rig.end(Ok(0));
    rig.readable();
    rig.assert_closed((1001, false));
}
