//! Connections whose application takes nothing for a while.

use super::*;

/// A subscriber that says nothing but its Pongs, and gets no Pings during the pause.
#[test]
fn a_pause_is_not_held_against_a_quiet_peer() {
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
        "it is asked first"
    );
    rig.pass(at(70));
    rig.assert_alive();
    rig.pass(at(77));
    rig.assert_failed(Deadline::Pong);
}

/// The silence before the pause and that after it count.
#[test]
fn silence_around_pauses_counts() {
    let mut rig = Rig::new(calm().idle_timeout(Some(seconds(30))));
    rig.frame(2, b"cycle");
    rig.readable();
    // Every other second is a pause.
    rig.pass(at(58));
    rig.assert_alive();
    rig.pass(at(66));
    rig.assert_failed(Deadline::Idle);
}

/// A Ping that was out when the pause began gets what was left of its time.
#[test]
fn a_ping_before_a_pause_is_not_held_against_the_peer() {
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
    // And what is left of the Ping's time is over, then that of the closing.
    rig.pass(at(112));
    rig.assert_failed(Deadline::Pong);
}

/// For the closing handshake is behind what the peer has sent.
#[test]
fn a_stop_ends_a_pause() {
    let mut rig = Rig::new(calm());
    rig.frame(2, b"pause");
    rig.frame(2, b"behind");
    rig.readable();
    assert_eq!(rig.core.handler.messages.len(), 1);
    rig.core.carry_out(Command::Stop, rig.now);
    rig.serve();
    assert_eq!(rig.core.handler.messages, [&b"pause"[..], b"behind"]);
    rig.frame(8, &1001_u16.to_be_bytes());
    rig.readable();
    rig.end(Ok(0));
    rig.readable();
    rig.assert_closed((1001, false));
}
