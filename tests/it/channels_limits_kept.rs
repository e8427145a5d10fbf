//! Limits, shares and answers that hold in the corners, too: each as the shortest session in which
//! one did not.

use harness::frames_mux::{Put, Said, flag, profile, tlv, tv};
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelId, Direction, ErrorCode, Mode, OpenError, OpenOptions,
};

use super::channels_hostile_kit::{DOWNLINK, Scene, Told, UPLINK, failed, ms};

/// Much more than is sent here.
const AMPLE: u64 = 1 << 40;
/// Just below the window from which half of it must be owed before more is told.
const NARROW: u32 = 61_440;
/// The least such window.
const WIDE: u32 = 64 << 10;

/// An answer with a wider window took smaller messages than the opener had been promised, and had
/// begun to send.
#[test]
fn an_answer_takes_no_smaller_messages_than_were_promised() {
    let config = ChannelConfig::default().channel_window_bytes(NARROW);
    let mut scene = Scene::greeted(config, &[]);
    scene.accepts = false;
    let part = [7; 16_000];
    let open = Put::new().open(0, UPLINK, 0, 30_000, &[]);
    let channel = scene.offered(open.data(flag::MORE, 0, &[]));
    for _ in 0..2 {
        assert_eq!(scene.put(Put::new().data(flag::MORE, 0, &part)), []);
    }
    let wide = |window| AcceptOptions::new().window(window);
    for window in [WIDE, WIDE + 20_000] {
        let accepted = scene.core.accept(channel, wide(window));
        assert!(
            matches!(accepted, Err(OpenError::Options(_))),
            "{accepted:?}"
        );
    }
    assert_eq!(scene.core.accept(channel, wide(2 * WIDE)), Ok(()));
    let told = scene.put(Put::new().data(0, 0, &part[..13_000]));
    assert!(
        matches!(&told[..], [Told::Message { data, .. }] if data.len() == 45_000),
        "{told:?}"
    );
}

/// A window was widened to one of which half must be owed before more is told: what the peer had
/// left meanwhile was less than the largest message needs.
#[test]
fn a_window_is_not_widened_to_one_with_less_room() {
    let config = ChannelConfig::default()
        .channel_window_bytes(NARROW)
        .channel_window_bytes_max(WIDE);
    let mut scene = Scene::greeted(config, &[]);
    scene.opened_as(0, UPLINK, 0);
    let (mut own, mut used) = (u64::from(NARROW), 0);
    for round in 0..500 {
        let len = 1000 + 700 * (round % 20);
        scene.put(Put::new().data(0, 0, &vec![0; len]));
        used += len as u64 + 64;
        scene.take_limits(&mut own);
        // All is read, and all but a quarter of the window was told.
        let left = own - used;
        assert!(
            left > u64::from(NARROW / 4 * 3),
            "{left} left, round {round}"
        );
    }
}

/// What is acknowledged in these frames, and of which channels.
fn acknowledged(said: &[Said]) -> Vec<(u64, u64)> {
    let ack = |s: &Said| match s {
        Said::Credit {
            flags, alias, ack, ..
        } if flags & flag::ACK != 0 => Some((*alias, *ack)),
        _ => None,
    };
    said.iter().filter_map(ack).collect()
}

/// FIN, which the core knows of before the application has its last message, made an
/// acknowledgement of it come to nothing.
#[test]
fn what_came_with_the_end_can_be_acknowledged() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 60_000);
    let own = scene.core.open(OpenOptions::new("x")).map(ChannelId::index);
    assert!(own.is_ok());
    scene.said();
    let told = scene.put(Put::new().data(0, 0, b"a").data(flag::FIN, 0, b"z"));
    assert!(told.contains(&Told::Finished(channel)), "{told:?}");
    scene.core.acknowledge(channel, 2);
    assert_eq!(acknowledged(&scene.said()), [(0, 2)]);
    // Still, later, for as long as our half goes on.
    scene.core.acknowledge(channel, 1);
    scene.core.finish_sending(channel).expect("open");
    let said = scene.said();
    assert_eq!(acknowledged(&said), [(0, 1)]);
    let fin = matches!(
        said[..],
        [
            _,
            Said::Data {
                flags: flag::FIN,
                ..
            }
        ]
    );
    assert!(fin, "and before our end: {said:?}");
    scene.core.acknowledge(channel, 2);
    assert_eq!(scene.said(), [], "the channel is over");
    // One that waits when FIN comes.
    let channel = scene.opened(0, 60_000);
    scene.put(Put::new().data(0, 0, b"a"));
    scene.core.acknowledge(channel, 1);
    scene.put(Put::new().data(flag::FIN, 0, b""));
    assert_eq!(acknowledged(&scene.said()).len(), 1);
    // In one direction the end of that is the end of all.
    let channel = scene.opened_as(1, UPLINK, 0);
    scene.put(Put::new().data(flag::FIN, 1, b"z"));
    scene.core.acknowledge(channel, 1);
    assert_eq!(scene.said(), []);
}

/// Nor did an acknowledgement outlive what the application did next: stop, or let go.
#[test]
fn an_acknowledgement_goes_before_what_follows_it() {
    type Then = fn(&mut Scene, ChannelId);
    let after: [(u8, Then); 5] = [
        (0, |s, c| s.core.stop(c, ErrorCode(77))),
        (0, |s, c| s.core.let_go(c, ErrorCode(77))),
        (0, |s, c| s.core.reset(c, ErrorCode(77))),
        (flag::FIN, |s, c| s.core.let_go(c, ErrorCode(77))),
        (flag::FIN, |s, c| s.core.reset(c, ErrorCode(77))),
    ];
    for (which, (flags, then)) in after.into_iter().enumerate() {
        let mut scene = Scene::new();
        let channel = scene.opened(0, 60_000);
        scene.put(Put::new().data(flags, 0, b"a"));
        scene.core.acknowledge(channel, 1);
        then(&mut scene, channel);
        let said = scene.said();
        let [Said::Credit { .. }, Said::Reset { code: 77, .. }] = said[..] else {
            panic!("{which}: {said:?}")
        };
        assert_eq!(acknowledged(&said), [(0, 1)]);
        // And when it is stopped, or the peer has given up, what came is still acknowledged.
        if which == 0 {
            scene.core.acknowledge(channel, 1);
            assert_eq!(acknowledged(&scene.said()), [(0, 1)]);
            scene.put(Put::new().reset(flag::ABORT, 0, 5));
            scene.core.acknowledge(channel, 1);
            assert_eq!(acknowledged(&scene.said()), [(0, 1)]);
        }
        scene.core.let_go(channel, ErrorCode::NO_ERROR);
        scene.core.acknowledge(channel, 1);
        assert_eq!(acknowledged(&scene.said()), []);
    }
}

/// A record that has room for our FIN, but not for an acknowledgement before it.
#[test]
fn a_full_record_does_not_lose_an_acknowledgement() {
    for message in [&b""[..], b"m"] {
        let mut scene = Scene::new();
        let channel = scene.opened(0, 60_000);
        scene.core.limit_records(80);
        scene.put(Put::new().data(flag::FIN, 0, b"z").ping(5));
        scene.core.acknowledge(channel, 1);
        if !message.is_empty() {
            scene.core.hold_back();
            scene.core.send(channel, message).expect("queued");
        }
        scene.core.finish_sending(channel).expect("open");
        let said = scene.said();
        assert_eq!(acknowledged(&said), [(0, 1)], "{said:?}");
        let last = said.last();
        let fin = matches!(
            last,
            Some(Said::Data {
                flags: flag::FIN,
                ..
            })
        );
        assert!(fin, "{said:?}");
    }
}

/// A channel that was reset while it waited for its turn left its place in the line to the next
/// channel, which then had two turns for one of the others.
#[test]
fn a_place_in_the_line_is_not_left_to_another_channel() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(1, 1024)]);
    let busy = |scene: &mut Scene, channel| {
        scene.core.hold_back();
        while scene.core.send(channel, &[0; 900]) == Ok(()) {}
    };
    let high = scene.opened(0, AMPLE);
    let open = |scene: &mut Scene, alias| {
        let told = scene.put(Put::new().open(alias, 7, AMPLE, 30_000, &[]));
        let [Told::Open(channel)] = told[..] else {
            panic!("{told:?}")
        };
        scene.next_record();
        channel
    };
    busy(&mut scene, high);
    let other = open(&mut scene, 1);
    let mut place = None;
    for _ in 0..5 {
        let channel = open(&mut scene, 2);
        assert_eq!(
            place.replace(channel.index()).unwrap_or(channel.index()),
            channel.index()
        );
        busy(&mut scene, channel);
        let told = scene.put(Put::new().reset(flag::ABORT | flag::STOP, 2, 0));
        assert!(matches!(told[..], [Told::Aborted(..)]), "{told:?}");
        scene.core.let_go(channel, ErrorCode::NO_ERROR);
        scene.next_record();
        busy(&mut scene, high);
    }
    let last = open(&mut scene, 2);
    assert_eq!(place, Some(last.index()), "in the same place");
    let mut sent = [0; 8];
    for _ in 0..2000 {
        for channel in [high, other, last] {
            busy(&mut scene, channel);
        }
        for (all, now) in sent.iter_mut().zip(scene.next_record()) {
            *all += now;
        }
    }
    let part = sent[2] * 100 / (sent[1] + sent[2]);
    assert!((45..=55).contains(&part), "{sent:?}");
}

/// Lives of a channel of the peer's, one after another: how many until the connection ends, if that
/// is not more than 300. `early`: it is reset before our answer is out.
fn lives(first: &Put, then: &Put, early: bool) -> Option<usize> {
    let mut scene = Scene::new();
    for count in 1..=300 {
        let mut told = scene.put(first.clone());
        if !early {
            scene.records();
        }
        if !then.0.is_empty() {
            told.extend(scene.put(then.clone()));
        }
        if failed(&told).is_some() {
            assert_eq!(failed(&told), Some(ErrorCode::CALM));
            return Some(count);
        }
        for t in told {
            if let Told::Open(channel) = t {
                scene.core.let_go(channel, ErrorCode::NO_ERROR);
            }
        }
        scene.records();
    }
    None
}

/// A byte of data made an open that is reset at once one that was of use.
#[test]
fn rapid_reset_with_data_is_rapid_reset() {
    let open = |profile| Put::new().open(0, profile, 60_000, 9, &[]).data(0, 0, b"x");
    for (profile, flags) in [(0, flag::ABORT | flag::STOP), (UPLINK, flag::ABORT)] {
        let reset = Put::new().reset(flags, 0, 8);
        let at_once = open(profile).reset(flags, 0, 8);
        assert_eq!(lives(&at_once, &Put::new(), true), Some(101));
        assert_eq!(lives(&open(profile), &reset, true), Some(101));
        // What was answered and used may be cancelled as often as one likes; what was not used,
        // not.
        assert_eq!(lives(&open(profile), &reset, false), None);
        let unused = Put::new().open(0, profile, 60_000, 9, &[]);
        assert_eq!(lives(&unused, &reset, false), Some(101));
    }
    // Data with its end is no reset.
    let whole = Put::new()
        .open(0, UPLINK, 0, 9, &[])
        .data(flag::FIN, 0, b"x");
    assert_eq!(lives(&whole, &Put::new(), true), None);
    // But a request that is taken back before its answer is one, in either order.
    let open = || Put::new().open(0, 0, 60_000, 9, &[]);
    let taken_back = open().data(flag::FIN, 0, b"x").reset(flag::STOP, 0, 8);
    assert_eq!(lives(&taken_back, &Put::new(), true), Some(101));
    let taken_back = open().reset(flag::STOP, 0, 8).data(flag::FIN, 0, b"x");
    assert_eq!(lives(&taken_back, &Put::new(), true), Some(101));
}

/// A feed may have been quiet for as long as it was wanted: who leaves many of them is no flood.
#[test]
fn quiet_channels_may_be_left_all_at_once() {
    for after in [900, 1000] {
        let mut scene = Scene::new();
        for alias in 0..150 {
            scene.put(Put::new().open(alias, DOWNLINK, 60_000, 9, &[]));
            scene.said();
        }
        scene.wait(ms(after));
        let left = (0..150).find(|&alias| {
            let told = scene.put(Put::new().reset(flag::STOP, alias, 0));
            failed(&told).is_some()
        });
        assert_eq!(left, (after < 1000).then_some(100));
    }
}

/// What was consumed before an ACCEPT is in the limit that it tells: taken for the window, a run went
/// in pieces that the peer's window has no room for until more is owed.
#[test]
fn runs_go_with_what_is_left_of_half_a_window() {
    let window = u64::from(WIDE);
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(1, 256 << 10)]);
    let options = OpenOptions::new("run").direction(Direction::OpenerSends);
    let channel = scene.core.open(options).expect("opened");
    let said = scene.said();
    let [Said::Open { alias: own, .. }] = said[..] else {
        panic!("{said:?}")
    };
    let send = |scene: &mut Scene, costs: &[usize]| {
        for cost in costs {
            let sent = scene.core.send(channel, &vec![0; cost - 64]);
            assert_eq!(sent, Ok(()));
        }
        assert!(!scene.said().is_empty());
    };
    send(&mut scene, &[30_000, 30_000, 5_536]);
    // All of it was read.
    scene.put(Put::new().accept(own, 0, 2 * window, 30_000, &[]));
    // So is this; the peer owes less than half of its window, and tells nothing.
    send(&mut scene, &[30_000, 2_710]);
    assert_eq!(scene.core.send_run(channel, 8, &[1; 32_800]), Ok(()));
    let run: usize = scene
        .said()
        .iter()
        .map(|s| match s {
            Said::Run { bytes, .. } => bytes.len(),
            _ => 0,
        })
        .sum();
    assert!(run >= 16_384, "{run} bytes of 32,800 went");
}

/// The application was told that messages have a time to live, and only the newest was kept.
#[test]
fn a_channel_has_one_mode() {
    let mut scene = Scene::new();
    let ttl = tlv(1, &tv(50));
    for (profile, code) in [
        (0, None),
        (profile::CONFLATE, Some(ErrorCode::PROTOCOL)),
        (
            profile::CONFLATE | profile::MESSAGES,
            Some(ErrorCode::PROTOCOL),
        ),
    ] {
        let open = Put::new().open(profile.into(), profile, 9, 9, &ttl);
        let told = scene.put(open);
        assert_eq!(failed(&told), code, "{profile}");
        if code.is_some() {
            assert_eq!(scene.end(), code);
            scene = Scene::new();
        }
    }
    // Each by itself is taken.
    let conflated = Put::new().open(0, profile::CONFLATE, 9, 9, &[]);
    assert!(matches!(scene.put(conflated)[..], [Told::Open(_)]));
}

/// A claim that is leaked, and neither dropped nor committed, left its bytes in the queue: each
/// message behind it was sent with bytes of the one before.
#[test]
#[expect(clippy::mem_forget, reason = "what is leaked is what is looked at")]
fn a_leaked_claim_leaves_nothing_behind() {
    for (leaks, len) in [(1, 5), (3, 700), (1, 60_000)] {
        let mut scene = Scene::new();
        let options = OpenOptions::new("c").mode(Mode::Reliable);
        let (channel, own) = scene.open_ours(options, 0, AMPLE);
        for round in 0..20_u8 {
            scene.core.hold_back();
            let mut sent = Vec::new();
            for part in 0..4 {
                let payload = vec![16 * part + round; 2000 + 50 * usize::from(round)];
                for _ in 0..leaks {
                    let mut claim = scene.core.claim(channel, len.min(30_000)).expect("room");
                    claim.fill(0xFF);
                    std::mem::forget(claim);
                }
                if part == 1 {
                    let mut claim = scene.core.claim(channel, payload.len()).expect("room");
                    claim.copy_from_slice(&payload);
                    claim.commit();
                } else if part == 2 {
                    drop(scene.core.claim(channel, 9).expect("room"));
                    scene
                        .core
                        .send_bytes(channel, payload.clone().into())
                        .expect("queued");
                } else {
                    scene.core.send(channel, &payload).expect("queued");
                }
                sent.push(payload);
            }
            let mut got = Vec::new();
            for said in scene.said() {
                match said {
                    Said::Data { alias, payload, .. } if alias == own => got.push(payload),
                    other => panic!("{other:?}"),
                }
            }
            assert!(got == sent, "{leaks} of {len} bytes, round {round}");
        }
    }
}
