//! Every limit on the peer, announced in HELLO or not: a frame that just meets the limit is taken,
//! and a frame that exceeds it ends the connection with the code of the limit.

use std::time::Duration;

use harness::frames_mux::{MAX62, Put, Said, flag, profile, tlv, topic};
use tickwire::channels::{ChannelConfig, ErrorCode, Mode, OpenError, OpenOptions};

use super::scripted_peer::{Scene, Told, UPLINK, failed, ms};

fn config() -> ChannelConfig {
    ChannelConfig::default()
        .channels_max(4)
        .pending_opens_max(3)
        .metadata_bytes_max(100)
}

fn open(alias: u64, options: &[u8]) -> Put {
    Put::new().open(alias, UPLINK, 0, 0, options)
}

/// The code with which the connection ends, which the peer gets in GOAWAY.
fn ended(scene: &mut Scene, told: &[Told]) -> Option<ErrorCode> {
    let code = failed(told);
    assert_eq!(scene.end(), code, "the peer is told");
    code
}

#[test]
fn open_channels_are_limited() {
    let mut scene = Scene::greeted(config(), &[]);
    for alias in 0..4 {
        let told = scene.put(open(alias, &[]));
        assert!(matches!(told[..], [Told::Open(_)]), "{told:?}");
        scene.said();
    }
    let told = scene.put(open(4, &[]));
    assert_eq!(ended(&mut scene, &told), Some(ErrorCode::LIMIT));
}

#[test]
fn unanswered_channels_are_limited() {
    let mut scene = Scene::greeted(config(), &[]);
    scene.accepts = false;
    for alias in 0..3 {
        let told = scene.put(open(alias, &[]));
        assert!(matches!(told[..], [Told::Open(_)]), "{told:?}");
    }
    let told = scene.put(open(3, &[]));
    assert_eq!(ended(&mut scene, &told), Some(ErrorCode::LIMIT));
}

#[test]
fn topic_and_metadata_are_limited() {
    let described = |len: usize| [topic(&[b't'; 40]), tlv(4, &vec![b'm'; len - 40])].concat();
    let mut scene = Scene::greeted(config(), &[]);
    let told = scene.put(open(0, &described(100)));
    assert!(matches!(told[..], [Told::Open(_)]), "{told:?}");
    scene.said();
    // The limit is not announced: the channel is refused, and the connection goes on.
    assert_eq!(scene.put(open(1, &described(101))), []);
    let limit = u64::from(ErrorCode::LIMIT.0);
    let said = scene.said();
    assert!(
        matches!(said[..], [Said::Reject { peer_alias: 1, code, .. }] if code == limit),
        "{said:?}"
    );
    let told = scene.put(open(1, &described(100)));
    assert!(matches!(told[..], [Told::Open(_)]), "{told:?}");
}

#[test]
fn record_length_is_limited() {
    let record = |len: usize| {
        let mut put = Put::new().pong(1);
        put.0.resize(len, 0);
        put
    };
    let max = ChannelConfig::default().record_bytes_max as usize;
    // Filled with PAD. At most 63 PAD bytes may follow each other, so there is a frame between
    // them.
    let padded = |len: usize| {
        let mut put = Put::new();
        while put.0.len() + 64 < len {
            put = put.pong(1);
        }
        put.0.resize(len, 0);
        put
    };
    let mut scene = Scene::greeted(config(), &[]);
    assert_eq!(scene.put(padded(max)), []);
    assert_eq!(scene.end(), None);
    let told = scene.put(padded(max + 1));
    assert_eq!(ended(&mut scene, &told), Some(ErrorCode::SIZE));
    assert!(failed(&Scene::greeted(config(), &[]).put(record(64 << 10))).is_some());
}

#[test]
fn unread_data_of_a_channel_is_limited() {
    let window = ChannelConfig::default().channel_window_bytes as usize;
    let overhead = ChannelConfig::default().frame_overhead_bytes as usize;
    let piece = 8 << 10;
    let mut scene = Scene::greeted(config(), &[]);
    scene.reads = false;
    scene.put(open(0, &[]));
    scene.said();
    let mut charged = 0;
    while charged + piece + overhead <= window {
        let told = scene.put(Put::new().data(0, 0, &vec![1; piece]));
        assert!(matches!(told[..], [Told::Message { .. }]), "at {charged}");
        charged += piece + overhead;
    }
    let rest = window - charged - overhead;
    let told = scene.put(Put::new().data(0, 0, &vec![1; rest]));
    assert!(matches!(told[..], [Told::Message { .. }]), "the last byte");
    let told = scene.put(Put::new().data(0, 0, &[]));
    assert_eq!(ended(&mut scene, &told), Some(ErrorCode::FLOW));
}

#[test]
fn a_message_in_fragments_is_limited() {
    let max = 5000;
    let opened = || {
        let config = config().message_bytes_max(max);
        let mut scene = Scene::greeted(config, &[]);
        scene.put(open(0, &[]));
        scene.said();
        let told = scene.put(Put::new().data(flag::MORE, 0, &[1; 3000]));
        assert_eq!(told, []);
        scene
    };
    let told = opened().put(Put::new().data(0, 0, &[1; 2000]));
    assert!(matches!(&told[..], [Told::Message { data, .. }] if data.len() == max as usize));
    let mut scene = opened();
    let told = scene.put(Put::new().data(0, 0, &[1; 2001]));
    assert_eq!(ended(&mut scene, &told), Some(ErrorCode::SIZE));
}

/// The limits of DATA hold for RUN.
#[test]
fn a_run_has_the_limits_of_data() {
    let counted = |skip| {
        Put::new()
            .raw(&[flag::LEN | flag::SKIP | 2])
            .tv(0)
            .tv(1)
            .tv(1)
            .tv(skip)
            .raw(b"x")
    };
    for (record, expected) in [
        (Put::new().run(0, 1000, 2, &[7; 2000]), None),
        (
            Put::new().run(0, 1001, 1, &[7; 1001]),
            Some(ErrorCode::SIZE),
        ),
        (counted(1 << 40), None),
        (counted(MAX62 - 1), Some(ErrorCode::PROTOCOL)),
    ] {
        let config = ChannelConfig::default().message_bytes_max(1000);
        let mut scene = Scene::greeted(config, &[]);
        scene.opened_as(0, UPLINK, 0);
        let told = scene.put(record);
        assert_eq!(ended(&mut scene, &told), expected);
    }
}

/// The window limits whole messages, fragments and runs.
#[test]
fn the_window_limits_messages_fragments_and_runs() {
    let payload = [7; 10_000];
    for record in [
        Put::new().data(0, 0, &payload),
        Put::new().data(flag::MORE, 0, &payload),
        Put::new().run(0, 100, 100, &payload),
    ] {
        let config = ChannelConfig::default().auto_tune(false);
        let mut scene = Scene::greeted(config, &[]);
        scene.opened_as(0, UPLINK, 0);
        scene.reads = false;
        for _ in 0..6 {
            let told = scene.put(Put::new().run(0, 100, 100, &payload));
            assert_eq!(failed(&told), None, "60,384 of 65,536 are taken");
        }
        let told = scene.put(record.clone());
        assert_eq!(
            ended(&mut scene, &told),
            Some(ErrorCode::FLOW),
            "{record:?}"
        );
    }
}

/// ACCEPT must not answer a resumption that OPEN did not ask for.
#[test]
fn a_resumption_answer_without_a_question_is_a_violation() {
    let mut scene = Scene::greeted(config(), &[]);
    scene.core.open(OpenOptions::new("ours")).expect("opened");
    let said = scene.said();
    let [Said::Open { alias: own, .. }] = said[..] else {
        panic!("{said:?}")
    };
    let told = scene.put(Put::new().accept(own, 0, 9000, 9000, &tlv(5, &[0])));
    assert_eq!(ended(&mut scene, &told), Some(ErrorCode::PROTOCOL));
}

/// `open` refuses invalid options, and the connection goes on.
#[test]
fn invalid_open_options_are_refused() {
    let mut scene = Scene::greeted(config(), &[]);
    for options in [
        OpenOptions::new("p").priority(8),
        OpenOptions::new("t").mode(Mode::Ttl(Duration::ZERO)),
        OpenOptions::new("t").mode(Mode::Ttl(ms(1 << 32))),
        OpenOptions::new("m").metadata([0; 100]),
    ] {
        let refused = scene.core.open(options);
        assert!(matches!(refused, Err(OpenError::Options(_))), "{refused:?}");
    }
    assert!(scene.said().is_empty() && scene.core.is_alive());
    let most = OpenOptions::new("m").priority(7).metadata([0; 99]);
    assert!(scene.core.open(most).is_ok());
}

/// The limit of a message holds for a message in one frame, too.
#[test]
fn an_unfragmented_message_is_limited() {
    for unit in [0, profile::MESSAGES] {
        for (len, expected) in [
            (5000, None),
            (5001, Some(ErrorCode::SIZE)),
            (6000, Some(ErrorCode::SIZE)),
        ] {
            let config = ChannelConfig::default().message_bytes_max(5000);
            let mut scene = Scene::greeted(config, &[]);
            scene.opened_as(0, UPLINK | unit, 0);
            let told = scene.put(Put::new().data(0, 0, &vec![1; len]));
            assert_eq!(failed(&told), expected, "{unit} {len}");
        }
    }
}

#[test]
fn the_largest_settings_are_taken_and_no_larger_ones() {
    let config = |message_bytes_max| ChannelConfig::default().message_bytes_max(message_bytes_max);
    assert!(config(1 << 30).check().is_ok());
    assert!(config((1 << 30) + 1).check().is_err());

    let mut scene = Scene::new();
    let mut open = |ttl| {
        let options = OpenOptions::new("t").mode(Mode::Ttl(ttl));
        scene.core.open(options)
    };
    let longest = Duration::from_millis(u32::MAX.into());
    assert!(open(longest).is_ok());
    for ttl in [
        longest + Duration::from_millis(1),
        Duration::from_micros(999),
    ] {
        let opened = open(ttl);
        assert!(matches!(opened, Err(OpenError::Options(_))), "{ttl:?}");
    }
}

#[test]
fn the_smallest_record_limit_is_taken_and_no_smaller_one() {
    for (bytes, taken) in [(1023, false), (1024, true), (1 << 20, true)] {
        let config = ChannelConfig::default()
            .record_bytes_max(bytes)
            .metadata_bytes_max(16);
        let built = config.check();
        assert_eq!(built.is_ok(), taken, "{bytes}: {built:?}");
    }
}
