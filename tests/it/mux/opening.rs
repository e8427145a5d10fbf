//! OPEN, ACCEPT and REJECT: every option by itself, and every limit to the unit.

use harness::frames_mux::{MAX62, Put, Said, profile, tlv, tv};
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelId, ErrorCode, Mode, OpenError, OpenOptions, Resume,
    Resumption, Unit,
};

use super::scripted_peer::{Scene, Told, failed};

/// The peer opens a channel, and the application has not answered yet.
fn offered(scene: &mut Scene, alias: u64, kind: u8, options: &[u8]) -> ChannelId {
    scene.accepts = false;
    let told = scene.put(Put::new().open(alias, kind, 60_000, 30_000, options));
    match told[..] {
        [Told::Open(channel)] => channel,
        _ => panic!("{told:?}"),
    }
}

fn numbers(values: &[u64]) -> Vec<u8> {
    values.iter().flat_map(|&v| tv(v)).collect()
}

/// Each option belongs to OPEN or to ACCEPT, and is a violation in the other.
#[test]
fn options_are_accepted_only_in_their_frame() {
    let ttl = tlv(1, &numbers(&[5]));
    let resume = tlv(2, &numbers(&[1, 2]));
    let topic = tlv(3, b"topic");
    let metadata = tlv(4, b"meta");
    let replay = tlv(5, &numbers(&[2]));
    let snapshot = tlv(6, &numbers(&[2]));
    let fresh = tlv(7, &numbers(&[1, 2]));
    let wants = tlv(8, &numbers(&[2]));
    let resumable = profile::RESUMABLE;
    for (kind, options, right) in [
        (0, &ttl, true),
        (0, &topic, true),
        (0, &metadata, true),
        (resumable, &resume, true),
        (0, &resume, false),
        (resumable, &replay, false),
        (resumable, &snapshot, false),
        (resumable, &fresh, false),
        (0, &wants, false),
    ] {
        let told = Scene::new().put(Put::new().open(0, kind, 0, 9000, options));
        let expected = (!right).then_some(ErrorCode::PROTOCOL);
        assert_eq!(failed(&told), expected, "OPEN {options:?}");
    }
    // With and without a resumption in OPEN.
    for (asks, options, right) in [
        (false, &ttl, false),
        (false, &resume, false),
        (false, &topic, false),
        (true, &ttl, false),
        (true, &resume, false),
        (true, &topic, false),
        (false, &metadata, true),
        (false, &wants, true),
        (true, &replay, true),
        (true, &snapshot, true),
        (true, &fresh, true),
        (false, &replay, false),
        (false, &snapshot, false),
        (false, &fresh, false),
    ] {
        let mut scene = Scene::new();
        let mut ours = OpenOptions::new("ours");
        if asks {
            ours = ours.resume(Resume::default());
        }
        scene.core.open(ours).expect("opened");
        scene.said();
        let told = scene.put(Put::new().accept(0, 0, 9000, 9000, options));
        let expected = (!right).then_some(ErrorCode::PROTOCOL);
        assert_eq!(failed(&told), expected, "ACCEPT {asks} {options:?}");
    }
}

/// A channel that needs a feature which the peer does not have is rejected locally.
#[test]
fn a_channel_is_opened_only_if_the_peer_has_its_features() {
    let (conflate, resume, messages) = (1, 4, 8);
    for (options, needs) in [
        (OpenOptions::new("plain"), 0),
        (
            OpenOptions::new("c")
                .mode(Mode::Conflated)
                .unit(Unit::Bytes),
            conflate,
        ),
        (
            OpenOptions::new("c").mode(Mode::Conflated),
            conflate | messages,
        ),
        (OpenOptions::new("r").resumable(), resume),
        (OpenOptions::new("m").unit(Unit::Messages), messages),
    ] {
        for features in 0..32 {
            let mut scene = Scene::greeted(ChannelConfig::default(), &[(10, features)]);
            let channel = scene.core.open(options.clone()).expect("opened");
            let asked = matches!(scene.said()[..], [Said::Open { .. }]);
            assert_eq!(asked, features & needs == needs, "{features} {options:?}");
            let refused = [Told::Rejected(channel, ErrorCode::REFUSED)];
            let expected: &[Told] = if asked { &[] } else { &refused };
            assert_eq!(scene.events(), expected, "{features} {options:?}");
        }
    }
}

/// A rejected channel makes room for the next, any number of times.
#[test]
fn rejected_channels_free_their_places() {
    let config = ChannelConfig::default()
        .pending_opens_max(3)
        .channels_max(4);
    let mut scene = Scene::greeted(config, &[(3, 2), (4, 2)]);
    for turn in 0..20 {
        // Local channels.
        let [a, b] = [0, 1].map(|_| scene.core.open(OpenOptions::new("ours")).expect("opened"));
        let said = scene.said();
        let [Said::Open { alias: x, .. }, Said::Open { alias: y, .. }] = said[..] else {
            panic!("at {turn}: {said:?}")
        };
        let told = scene.put(Put::new().reject(y, 7).reject(x, 8));
        assert_eq!(
            told,
            [
                Told::Rejected(b, ErrorCode(7)),
                Told::Rejected(a, ErrorCode(8))
            ]
        );
        scene.core.close_channel(a, ErrorCode::NO_ERROR);
        scene.core.close_channel(b, ErrorCode::NO_ERROR);
        // Channels of the peer.
        for alias in 0..3 {
            let channel = offered(&mut scene, alias, 0, &[]);
            if alias == 0 {
                scene.core.reject(channel, ErrorCode(9));
            } else {
                scene.core.close_channel(channel, ErrorCode(9));
            }
        }
        let codes = scene.said().into_iter().map(|said| match said {
            Said::Reject { code, .. } => code as u32,
            other => panic!("{other:?}"),
        });
        assert_eq!(
            codes.collect::<Vec<_>>(),
            [9, ErrorCode::REFUSED.0, ErrorCode::REFUSED.0]
        );
        assert_eq!(scene.core.stats().channels, 0, "at {turn}");
    }
}

/// The windows and the largest messages that ACCEPT can grant, and the values that are sent.
#[test]
fn an_accept_grants_no_less_than_hello() {
    let model = |window| super::model::message_max(window, 64, (16 << 10) + 64);
    let default_max = model(64 << 10) as u32;
    let wide_max = model(256 << 10) as u32;
    let (bytes, messages) = (0, profile::MESSAGES);
    // Eight messages of this size cost 65,536 bytes.
    let counted_max = 8000;
    // The unit; the options; the window and the largest message in ACCEPT.
    for (kind, window, max, expected) in [
        (bytes, None, None, Some((64 << 10, default_max))),
        (bytes, Some(64 << 10), None, Some((64 << 10, default_max))),
        (bytes, Some((64 << 10) - 1), None, None),
        (
            bytes,
            Some(256 << 10),
            Some(wide_max),
            Some((256 << 10, wide_max)),
        ),
        (bytes, Some(256 << 10), Some(wide_max + 1), None),
        (bytes, Some(256 << 10), None, Some((256 << 10, default_max))),
        (
            bytes,
            None,
            Some(default_max),
            Some((64 << 10, default_max)),
        ),
        (bytes, None, Some(default_max - 1), None),
        (bytes, None, Some(default_max + 1), None),
        (bytes, Some(1 << 30), None, Some((1 << 30, default_max))),
        (bytes, Some((1 << 30) + 1), None, None),
        (messages, None, None, Some((8, counted_max))),
        (messages, Some(8), None, Some((8, counted_max))),
        (messages, Some(7), None, None),
        (messages, Some(131_072), None, Some((131_072, counted_max))),
        (messages, Some(131_073), None, None), // more than 2^30 bytes
        (messages, None, Some(1 << 20), Some((8, 1 << 20))),
        (messages, None, Some((1 << 20) + 1), None),
        (messages, None, Some(counted_max - 1), None),
    ] {
        let mut scene = Scene::new();
        let channel = offered(&mut scene, 0, kind, &[]);
        let mut options = AcceptOptions::new();
        if let Some(window) = window {
            options = options.window(window);
        }
        if let Some(max) = max {
            options = options.message_bytes_max(max);
        }
        let accepted = scene.core.accept(channel, options);
        let Some((window, max)) = expected else {
            assert!(
                matches!(accepted, Err(OpenError::Options(_))),
                "{window:?} {max:?}"
            );
            assert_eq!(scene.said(), [], "it still waits");
            continue;
        };
        assert_eq!(accepted, Ok(()), "{window:?} {max:?}");
        let said = scene.said();
        let [Said::Accept { limit, max_msg, .. }] = said[..] else {
            panic!("{said:?}")
        };
        assert_eq!((limit, max_msg), (window, u64::from(max)));
    }
}

/// OPEN can grant any window and any largest message within the limits of the connection.
#[test]
fn an_open_grants_up_to_the_limits_of_the_connection() {
    let config = || ChannelConfig::default().message_bytes_max(20_000);
    let model = |window| super::model::message_max(window, 64, (16 << 10) + 64);
    let small = model(1024) as u32;
    for (window, max, expected) in [
        (None, None, Some((64 << 10, 20_000))),
        (None, Some(0), None),
        (None, Some(1), Some((64 << 10, 1))),
        (None, Some(20_000), Some((64 << 10, 20_000))),
        (None, Some(20_001), None),
        (Some(0), None, None),
        (Some(1024), None, Some((1024, small))),
        (Some(1024), Some(small), Some((1024, small))),
        (Some(1024), Some(small + 1), None),
        (Some(1 << 30), None, Some((1 << 30, 20_000))),
        (Some((1 << 30) + 1), None, None),
    ] {
        let mut scene = Scene::greeted(config(), &[]);
        let mut options = OpenOptions::new("ours");
        if let Some(window) = window {
            options = options.window(window);
        }
        if let Some(max) = max {
            options = options.message_bytes_max(max);
        }
        let opened = scene.core.open(options);
        let Some((window, max)) = expected else {
            assert!(
                matches!(opened, Err(OpenError::Options(_))),
                "{window:?} {max:?}"
            );
            continue;
        };
        assert!(opened.is_ok(), "{window:?} {max:?}");
        let said = scene.said();
        let [Said::Open { limit, max_msg, .. }] = said[..] else {
            panic!("{said:?}")
        };
        assert_eq!((limit, max_msg), (window, max.into()));
    }
}

/// A channel is answered once, and only by the end that did not open it.
#[test]
fn only_a_pending_channel_of_the_peer_can_be_accepted() {
    let mut scene = Scene::new();
    let unknown = Err(OpenError::UnknownChannel);
    let accept = |scene: &mut Scene, channel| scene.core.accept(channel, AcceptOptions::new());
    let ours = scene.core.open(OpenOptions::new("ours")).expect("opened");
    assert_eq!(accept(&mut scene, ours), unknown);
    let channel = offered(&mut scene, 0, 0, &[]);
    assert_eq!(accept(&mut scene, channel), Ok(()));
    assert_eq!(accept(&mut scene, channel), unknown, "before it is out");
    assert_eq!(scene.said().len(), 2);
    assert_eq!(accept(&mut scene, channel), unknown, "when it is out");
    // An accepted channel cannot be rejected.
    scene.core.reject(channel, ErrorCode::REFUSED);
    assert_eq!(scene.said(), []);
    assert_eq!(scene.core.send(channel, b"open"), Ok(()));
    assert_eq!(scene.said().len(), 1);
    let gone = offered(&mut scene, 1, 0, &[]);
    scene.core.close_channel(gone, ErrorCode::REFUSED);
    assert_eq!(accept(&mut scene, gone), unknown);
    // A resumption in ACCEPT needs one in OPEN.
    let plain = offered(&mut scene, 2, profile::RESUMABLE, &[]);
    let replay = AcceptOptions::new().resumption(Resumption::Replay { from: 1 });
    let refused = scene.core.accept(plain, replay.clone());
    assert!(matches!(refused, Err(OpenError::Options(_))), "{refused:?}");
    let asks = tlv(2, &numbers(&[1, 2]));
    let asking = offered(&mut scene, 3, profile::RESUMABLE, &asks);
    assert_eq!(scene.core.accept(asking, replay), Ok(()));
}

/// ACCEPT and REJECT carry metadata up to the limit of OPEN.
#[test]
fn answers_carry_metadata_up_to_its_limit() {
    let config = || ChannelConfig::default().metadata_bytes_max(100);
    let mut scene = Scene::greeted(config(), &[]);
    for len in [100, 101] {
        let fits = len == 100;
        let channel = offered(&mut scene, 0, 0, &[]);
        let refused = scene.core.reject_with(channel, ErrorCode(9), &vec![1; len]);
        assert_eq!(refused.is_ok(), fits);
        if fits {
            let said = scene.said();
            assert!(matches!(&said[..], [Said::Reject { info, .. }] if info.len() == 100));
        }
    }
    let mut scene = Scene::greeted(config(), &[]);
    let channel = offered(&mut scene, 0, 0, &[]);
    let answer = |len| AcceptOptions::new().metadata(vec![1; len]);
    assert!(scene.core.accept(channel, answer(101)).is_err());
    assert!(scene.core.accept(channel, answer(100)).is_ok());
}

/// Epochs and message numbers that no frame can carry are refused at the call.
#[test]
fn resumption_numbers_must_fit_the_wire() {
    for (epoch, next_seq, right) in [
        (MAX62, MAX62 - 1, true),
        (MAX62 + 1, 0, false),
        (0, MAX62, false),
    ] {
        let mut scene = Scene::new();
        let opened = scene
            .core
            .open(OpenOptions::new("r").resume(Resume { epoch, next_seq }));
        assert_eq!(opened.is_ok(), right, "{epoch} {next_seq}");
        assert_eq!(scene.said().len(), usize::from(right));
    }
    let answers = |(epoch, seq)| {
        let answer = AcceptOptions::new();
        [
            answer.clone().resumption(Resumption::Fresh { epoch, seq }),
            answer.clone().resumption(Resumption::Replay { from: seq }),
            answer.clone().resumption(Resumption::Snapshot { seq }),
            answer.wants(epoch),
        ]
    };
    let asks = tlv(2, &numbers(&[1, 2]));
    // An epoch can be the largest number; a message number cannot.
    let most = answers((MAX62, MAX62 - 1)).map(|answer| (answer, true));
    let [fresh, replay, snapshot, _] = answers((0, MAX62));
    let [epoch, .., wants] = answers((MAX62 + 1, 0));
    let wrong = [fresh, replay, snapshot, epoch, wants].map(|answer| (answer, false));
    for (answer, right) in most.into_iter().chain(wrong) {
        let mut scene = Scene::new();
        let channel = offered(&mut scene, 0, profile::RESUMABLE, &asks);
        let accepted = scene.core.accept(channel, answer.clone());
        assert_eq!(accepted.is_ok(), right, "{answer:?}");
        assert_eq!(scene.said().len(), usize::from(right), "{answer:?}");
    }
}

/// Twice as many channels as the peer allows can wait to be opened.
#[test]
fn waiting_opens_are_limited() {
    let config = ChannelConfig::default().channels_max(16);
    let mut scene = Scene::greeted(config, &[(3, 4)]);
    for _ in 0..32 {
        assert!(scene.core.open(OpenOptions::new("x")).is_ok());
    }
    let more = scene.core.open(OpenOptions::new("x"));
    assert_eq!(more, Err(OpenError::TooMany { max: 32 }));
}

/// A conflated channel with a time to live is a violation.
#[test]
fn a_channel_cannot_be_conflated_and_have_a_time_to_live() {
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
    // Each of them alone is allowed.
    let conflated = Put::new().open(0, profile::CONFLATE, 9, 9, &[]);
    assert!(matches!(scene.put(conflated)[..], [Told::Open(_)]));
}

/// An OPEN beyond the limits of the peer waits, and statistics and `Debug` show it.
#[test]
fn a_waiting_open_is_visible() {
    let limit = "OPEN waits for the peer's limit of channels";
    for peer in [(3, 1), (4, 1)] {
        let mut scene = Scene::greeted(ChannelConfig::default(), &[peer]);
        let [first, second] =
            [0, 1].map(|_| scene.core.open(OpenOptions::new("x")).expect("opened"));
        assert!(matches!(scene.said()[..], [Said::Open { alias: 0, .. }]));
        let waits = |scene: &Scene, id| scene.core.channel_stats(id).map(|s| s.waits_for_peer);
        assert_eq!(waits(&scene, first), Some(false));
        assert_eq!(waits(&scene, second), Some(true));
        assert_eq!(scene.core.stats().channels_waiting, 1);
        assert_eq!(format!("{:?}", scene.core).matches(limit).count(), 1);
        scene.put(Put::new().reject(0, 7));
        assert!(matches!(scene.said()[..], [Said::Open { .. }]));
        assert_eq!(waits(&scene, second), Some(false));
        assert_eq!(scene.core.stats().channels_waiting, 0);
        assert!(!format!("{:?}", scene.core).contains(limit));
    }
}

/// `no_wait` fails where OPEN would wait: before the HELLO, and beyond the limits of the peer, also
/// counting OPENs that are not sent yet.
#[test]
fn a_channel_that_must_not_wait_is_refused() {
    let at_once = || OpenOptions::new("x").no_wait();
    let mut silent = Scene::silent(ChannelConfig::default());
    assert_eq!(silent.core.open(at_once()), Err(OpenError::PeerLimit));
    for peer in [(3, 2), (4, 2)] {
        let mut scene = Scene::greeted(ChannelConfig::default(), &[peer]);
        for _ in 0..2 {
            assert!(scene.core.open(at_once()).is_ok(), "{peer:?}");
        }
        assert_eq!(scene.core.open(at_once()), Err(OpenError::PeerLimit));
        assert_eq!(scene.said().len(), 2);
        assert_eq!(scene.core.open(at_once()), Err(OpenError::PeerLimit));
        assert_eq!(scene.core.stats().channels, 2);
        scene.put(Put::new().reject(0, 7));
        assert!(scene.core.open(at_once()).is_ok(), "{peer:?}");
    }
}

/// The text of a refused option has its name, its value and its bound.
#[test]
fn texts_of_options_have_value_and_bound() {
    let config = ChannelConfig::default().metadata_bytes_max(10);
    for (options, expected) in [
        (
            OpenOptions::new("x").priority(9),
            "OpenOptions::priority is 9: it must be 0 to 7",
        ),
        (
            OpenOptions::new("topic").metadata("metadata"),
            "the length of OpenOptions::topic and metadata together is 13: it must be at most ChannelConfig::metadata_bytes_max (10)",
        ),
        (
            OpenOptions::new("x").window(0),
            "OpenOptions::window is 0: it must be 1 to 2^30",
        ),
        (
            OpenOptions::new("x").message_bytes_max(0),
            "OpenOptions::message_bytes_max is 0: it must be 1 to ChannelConfig::message_bytes_max (1048576)",
        ),
        (
            OpenOptions::new("x").alias(7),
            "OpenOptions::alias is 7: it must be below ChannelConfig::shared_aliases (0)",
        ),
    ] {
        let mut scene = Scene::greeted(config.clone(), &[]);
        let refused = scene.core.open(options).expect_err("an invalid option");
        assert_eq!(refused.to_string(), expected);
    }
    let mut scene = Scene::greeted(config, &[]);
    scene.accepts = false;
    let channel = offered(&mut scene, 0, 0, &[]);
    let refused = scene.core.accept(channel, AcceptOptions::new().window(1));
    assert_eq!(
        refused.expect_err("a window below the default").to_string(),
        "AcceptOptions::window is 1: it must be at least the default, of which the opener may have made use (65536)"
    );
}
