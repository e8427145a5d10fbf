//! Edges of the core of channels, each a change of one operator that nothing else here would notice.

use bytes::Bytes;
use harness::frames_mux::{Put, Said, flag, hello};
use tickwire::channels::{
    ChannelConfig, ChannelFailure, ChannelId, ChannelSendError, ErrorCode, Mode, OpenError,
    OpenOptions, SharedFrame, Unit,
};

use super::channels_hostile_kit::{Scene, Told, failed, ms, shared_aliases};

fn data(said: &[Said]) -> Vec<(u64, u64, usize)> {
    let data = said.iter().map(|said| match said {
        Said::Data {
            alias,
            skip,
            payload,
            ..
        } => (*alias, *skip, payload.len()),
        other => panic!("{other:?}"),
    });
    data.collect()
}

/// Of a channel that is let go of with messages queued nothing is counted as queued.
#[test]
fn what_was_queued_is_forgotten_with_its_channel() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 0);
    scene.core.send(channel, &[0; 5000]).expect("queued");
    assert!(scene.core.stats().queued_bytes > 5000);
    scene.core.finish_sending(channel).expect("open");
    scene.core.let_go(channel, ErrorCode::NO_ERROR);
    scene.put(Put::new().reset(flag::STOP | flag::ABORT, 0, 0));
    scene.said();
    assert_eq!(scene.core.stats().queued_bytes, 0);
}

/// Messages that were left out are numbers, too: what is acknowledged may lie behind them.
#[test]
fn skipped_messages_are_numbered() {
    let mut scene = Scene::new();
    let options = OpenOptions::new("q").mode(Mode::Conflated);
    let (channel, _) = scene.open_ours(options, 0, 1 << 20);
    scene.core.hold_back();
    for n in 0..4 {
        scene.core.send_keyed(channel, 1, &[n; 4]).expect("queued");
    }
    assert_eq!(data(&scene.said()), [(0, 3, 4)]);
    let ack = Put::new().raw(&[flag::ACK | 3]).tv(0).tv(1 << 20).tv(100);
    assert_eq!(scene.put(ack), [Told::Acked(channel, 4)]);
    // So are those that a run and the end of a channel come behind.
    let options = OpenOptions::new("t").mode(Mode::Ttl(ms(5)));
    let (channel, _) = scene.open_ours(options, 1, 1 << 20);
    scene.core.hold_back();
    scene.core.send(channel, b"old").expect("queued");
    scene.wait(ms(10));
    scene.core.hold_back();
    scene.core.send_run(channel, 2, &[0; 8]).expect("queued");
    scene.said();
    let ack = Put::new().raw(&[flag::ACK | 3]).tv(1).tv(1 << 20).tv(100);
    assert_eq!(scene.put(ack), [Told::Acked(channel, 5)]);
}

/// A second call of drain does not put off the end that the first one set.
#[test]
fn a_drain_is_not_put_off() {
    let code = ErrorCode(ErrorCode::APPLICATION.0 + 5);
    let mut scene = Scene::new();
    scene.opened(0, 60_000);
    scene.core.drain(code, "maintenance");
    scene.said();
    scene.wait(ms(1500));
    scene.core.drain(ErrorCode::NO_ERROR, "again");
    assert_eq!(scene.said(), []);
    let told = scene.wait(ms(600));
    assert_eq!(told, [Told::Failed(ChannelFailure::Local(code))]);
    // Nor does one say anything behind the end.
    scene.core.drain(ErrorCode::NO_ERROR, "too late");
    assert_eq!(scene.end(), Some(code));
}

/// An end that is wanted at once is something to write.
#[test]
fn an_abort_wants_to_be_written() {
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

/// One PING a second, not one in a little more; what its answer took is the round trip.
#[test]
fn pings_that_the_application_asks_for() {
    let mut scene = Scene::new();
    let first = scene.core.poll_timeout().expect("alive");
    let third = ChannelConfig::default().idle_timeout / 3;
    assert_eq!(first, scene.now.after(third), "the next PING");
    scene.now = scene.now.after(ms(1000));
    scene.core.tell_time(scene.now);
    scene.core.ping();
    let said = scene.said();
    let [Said::Ping(value)] = said[..] else {
        panic!("{said:?}")
    };
    scene.now = scene.now.after(ms(999));
    assert_eq!(scene.core.rtt(), Some(ms(0)), "of the first one");
    scene.put(Put::new().pong(value));
    scene.core.ping();
    assert_eq!(scene.said(), []);
    scene.now = scene.now.after(ms(1));
    scene.core.tell_time(scene.now);
    scene.core.ping();
    assert_eq!(scene.said(), [Said::Ping(value + 1)]);
    let mut scene = Scene::silent(ChannelConfig::default());
    scene.put(hello(&[]));
    let said = scene.said();
    let [Said::Hello(_), Said::Ping(value)] = said[..] else {
        panic!("{said:?}")
    };
    assert_eq!(scene.core.rtt(), None);
    scene.now = scene.now.after(ms(7));
    scene.put(Put::new().pong(value));
    assert_eq!(scene.core.rtt(), Some(ms(7)));
}

/// What was opened before the peer had said anything has the peer's limits, not none.
#[test]
fn channels_from_before_the_greeting_have_its_limits() {
    let mut scene = Scene::silent(ChannelConfig::default());
    let channel = scene.core.open(OpenOptions::new("early")).expect("opened");
    assert_eq!(
        scene.core.send(channel, b"x"),
        Err(ChannelSendError::WouldBlock)
    );
    scene.said();
    scene.put(hello(&[]));
    let said = scene.said();
    assert!(
        said.iter().any(|s| matches!(s, Said::Open { .. })),
        "{said:?}"
    );
    assert_eq!(scene.core.send(channel, &[0; 20_000]), Ok(()));
    let sent: usize = data(&scene.said()).iter().map(|(.., len)| len).sum();
    assert_eq!(sent, 20_000);
}

/// Twice as many channels as the peer may have may wait here to be opened.
#[test]
fn as_many_channels_as_may_wait() {
    let config = ChannelConfig::default().channels_max(16);
    let mut scene = Scene::greeted(config, &[(3, 4)]);
    for _ in 0..32 {
        assert!(scene.core.open(OpenOptions::new("x")).is_ok());
    }
    let more = scene.core.open(OpenOptions::new("x"));
    assert_eq!(more, Err(OpenError::TooMany));
}

/// On a conflated channel every way to send replaces.
#[test]
fn all_that_is_sent_on_a_conflated_channel_is_conflated() {
    type Send = fn(&mut Scene, ChannelId) -> Result<(), ChannelSendError>;
    let ways: [Send; 3] = [
        |scene, channel| scene.core.send(channel, &[0; 2000]),
        |scene, channel| {
            let payload = Bytes::from(vec![0; 2000]);
            scene.core.send_bytes(channel, payload).map_err(|(e, _)| e)
        },
        |scene, channel| {
            let frame = SharedFrame::new(3, &[0; 2000]).expect("a frame");
            scene.core.send_shared(channel, &frame)
        },
    ];
    for send in ways {
        let mut scene = Scene::greeted(shared_aliases(), &[]);
        let options = OpenOptions::new("q").mode(Mode::Conflated).alias(3);
        let (channel, _) = scene.open_ours(options, 3, 1 << 20);
        scene.core.hold_back();
        for _ in 0..3 {
            assert_eq!(send(&mut scene, channel), Ok(()));
        }
        assert_eq!(data(&scene.said()), [(3, 2, 2000)]);
    }
}

/// A frame that was encoded for another alias goes out under the channel's own.
#[test]
fn a_frame_for_another_alias_is_sent_anew() {
    for len in [10, 2000] {
        let mut scene = Scene::greeted(shared_aliases(), &[]);
        let (channel, own) = scene.open_ours(OpenOptions::new("x").alias(2), 2, 1 << 20);
        let frame = SharedFrame::new(3, &vec![0; len]).expect("a frame");
        scene.core.hold_back();
        assert_eq!(scene.core.send_shared(channel, &frame), Ok(()));
        assert_eq!(data(&scene.said()), [(own, 0, len)]);
    }
}

/// Behind the end nothing is replaced: the refusal says why.
#[test]
fn behind_the_end_nothing_is_replaced() {
    let mut scene = Scene::new();
    let options = OpenOptions::new("q")
        .mode(Mode::Conflated)
        .unit(Unit::Bytes);
    let (channel, _) = scene.open_ours(options, 0, 1 << 20);
    scene.core.hold_back();
    scene.core.send_keyed(channel, 1, b"waits").expect("queued");
    let code = ErrorCode(ErrorCode::APPLICATION.0 + 2);
    scene.core.abort(code);
    let sent = scene.core.send_keyed(channel, 1, b"newer");
    assert_eq!(sent, Err(ChannelSendError::Closed(code)));
}

/// Control frames of very many channels go in as many records as they need.
#[test]
fn control_frames_of_many_channels_are_cut_to_records() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(1, 1024)]);
    let channels: Vec<_> = (0..300).map(|alias| scene.opened(alias, 9000)).collect();
    for &channel in &channels {
        scene.core.acknowledge(channel, 1 << 40);
        scene.core.rebase(channel, 1 << 50, 1 << 50).expect("quiet");
    }
    let records = scene.records();
    assert!(
        records.iter().all(|r| r.len() <= 1024),
        "a record is too long"
    );
    assert!(records.len() > 7, "{}", records.len());
    for channel in channels {
        scene.core.stop(channel, ErrorCode(1 << 20));
        scene.core.reset(channel, ErrorCode(1 << 21));
    }
    let records = scene.records();
    assert!(
        records.iter().all(|r| r.len() <= 1024),
        "a record is too long"
    );
    assert!(records.len() > 2, "{}", records.len());
    assert_eq!(failed(&scene.events()), None);
}

/// Credit for a message and no more is credit for it, whichever way it is sent.
#[test]
fn exact_credit_is_enough() {
    const COST: u64 = 10_064;
    for mode in [Mode::Reliable, Mode::Ttl(ms(60_000)), Mode::Conflated] {
        for own in [COST, 1 << 30] {
            for queued in [false, true] {
                let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, 1024)]);
                let options = OpenOptions::new("x").mode(mode).unit(Unit::Bytes);
                let (channel, _) = scene.open_ours(options, 0, 1024);
                if queued {
                    scene.core.send(channel, &[1; 10_000]).expect("queued");
                    assert_eq!(scene.said(), [], "there is no credit");
                }
                scene.put(Put::new().credit(0, own));
                if !queued {
                    scene.core.send(channel, &[1; 10_000]).expect("queued");
                }
                let sent = data(&scene.said());
                assert_eq!(sent, [(0, 0, 10_000)], "{mode:?} {own} {queued}");
            }
        }
    }
}

/// A peer that knows no runs gets messages.
#[test]
fn a_run_to_a_peer_that_knows_none_is_messages() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(10, 0)]);
    let (channel, _) = scene.open_ours(OpenOptions::new("x"), 0, 1 << 20);
    scene.core.send_run(channel, 4, &[1; 20]).expect("queued");
    assert_eq!(data(&scene.said()), [(0, 0, 4); 5]);
}

/// What channels have counted stays in the connection's counts when they are gone.
#[test]
fn counts_outlive_their_channels() {
    let mut scene = Scene::new();
    for round in 1..=3 {
        let channel = scene.opened(0, 1 << 20);
        scene.put(Put::new().data_skip(0, 0, 2, &[0; 30]).data(0, 0, &[0; 40]));
        scene.core.send(channel, &[0; 50]).expect("sent");
        scene.core.send(channel, &[0; 60]).expect("sent");
        scene.said();
        scene.core.let_go(channel, ErrorCode::NO_ERROR);
        scene.put(Put::new().reset(flag::STOP | flag::ABORT, 0, 0));
        scene.said();
        let stats = scene.core.stats();
        assert_eq!(stats.channels, 0);
        let counted = (stats.messages_in, stats.bytes_in, stats.skipped_in);
        assert_eq!(counted, (2 * round, 70 * round, 2 * round));
        assert_eq!(
            (stats.messages_out, stats.bytes_out),
            (2 * round, 110 * round)
        );
    }
}

/// A peer that answers our STOP by ending both halves has wasted nothing.
#[test]
fn who_ends_what_we_have_stopped_is_calm() {
    let mut scene = Scene::new();
    for turn in 0..300 {
        let channel = scene.opened(0, 60_000);
        scene.core.stop(channel, ErrorCode::NO_ERROR);
        scene.said();
        let told = scene.put(Put::new().reset(flag::ABORT | flag::STOP, 0, 0));
        assert_eq!(failed(&told), None, "at {turn}");
        scene.core.let_go(channel, ErrorCode::NO_ERROR);
        scene.said();
    }
}

/// A channel that the peer takes back before it is answered is answered all the same.
#[test]
fn what_is_taken_back_is_rejected() {
    let mut scene = Scene::new();
    scene.accepts = false;
    let told = scene.put(Put::new().open(0, 0, 60_000, 9000, &[]));
    assert!(matches!(told[..], [Told::Open(_)]), "{told:?}");
    scene.put(Put::new().reset(flag::ABORT | flag::STOP, 0, 7));
    let said = scene.said();
    assert!(matches!(said[..], [Said::Reject { .. }]), "{said:?}");
}

/// Bytes of a refusal that fit no record of the peer's are left out; the refusal is not.
#[test]
fn a_refusal_fits_the_peer_s_records() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(1, 1024)]);
    scene.accepts = false;
    for (alias, len) in [(0, 1024), (1, 1023), (2, 900)] {
        let told = scene.put(Put::new().open(alias, 0, 9000, 9000, &[]));
        let [Told::Open(channel)] = told[..] else {
            panic!("{told:?}")
        };
        let refused = scene.core.reject_with(channel, ErrorCode(9), &vec![1; len]);
        assert_eq!(refused, Ok(()));
        let said = scene.said();
        let [Said::Reject { info, .. }] = &said[..] else {
            panic!("{said:?}")
        };
        assert_eq!(info.len(), if len == 900 { len } else { 0 });
    }
}

/// GOAWAY is no reason for a record that is longer than the peer takes, however full it was.
#[test]
fn goaway_never_makes_a_record_too_long() {
    for left in [0, 1, 10, 20, 40, 160, 170] {
        let mut scene = Scene::greeted(ChannelConfig::default(), &[(1, 4096)]);
        let (channel, _) = scene.open_ours(OpenOptions::new("x"), 0, 1 << 20);
        // Two messages fill the open record but for so many bytes, about.
        scene.core.send(channel, &[0; 2000]).expect("sent");
        scene
            .core
            .send(channel, &vec![0; 2080 - left])
            .expect("sent");
        scene.core.abort(ErrorCode(ErrorCode::APPLICATION.0 + 9));
        let records = scene.records();
        let lens: Vec<_> = records.iter().map(Vec::len).collect();
        assert!(lens.iter().all(|&len| len <= 4096), "{left}: {lens:?}");
        assert!(!lens.is_empty());
    }
}
