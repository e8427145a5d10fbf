//! Every limit that a peer is told in HELLO, or is held to without being told: what just meets it
//! is taken, and what passes it ends the connection with its code.

use harness::frames_mux::{Put, flag, tlv, topic};
use tickwire::channels::{Code, Config};

use super::channels_hostile_kit::{Scene, Told, UPLINK, failed};

fn config() -> Config {
    Config {
        channels_max: 4,
        pending_opens_max: 3,
        metadata_bytes_max: 100,
        ..Config::default()
    }
}

fn open(alias: u64, options: &[u8]) -> Put {
    Put::new().open(alias, UPLINK, 0, 0, options)
}

/// The code with which it ends, and that the peer is told.
fn ended(scene: &mut Scene, told: &[Told]) -> Option<Code> {
    let code = failed(told);
    assert_eq!(scene.end(), code, "the peer is told");
    code
}

#[test]
fn channels_open_at_once() {
    let mut scene = Scene::greeted(config(), &[]);
    for alias in 0..4 {
        let told = scene.put(open(alias, &[]));
        assert!(matches!(told[..], [Told::Open(_)]), "{told:?}");
        scene.said();
    }
    let told = scene.put(open(4, &[]));
    assert_eq!(ended(&mut scene, &told), Some(Code::LIMIT));
}

#[test]
fn channels_that_wait_for_an_answer() {
    let mut scene = Scene::greeted(config(), &[]);
    scene.accepts = false;
    for alias in 0..3 {
        let told = scene.put(open(alias, &[]));
        assert!(matches!(told[..], [Told::Open(_)]), "{told:?}");
    }
    let told = scene.put(open(3, &[]));
    assert_eq!(ended(&mut scene, &told), Some(Code::LIMIT));
}

#[test]
fn topic_and_metadata() {
    let described = |len: usize| [topic(&[b't'; 40]), tlv(4, &vec![b'm'; len - 40])].concat();
    let mut scene = Scene::greeted(config(), &[]);
    let told = scene.put(open(0, &described(100)));
    assert!(matches!(told[..], [Told::Open(_)]), "{told:?}");
    scene.said();
    let told = scene.put(open(1, &described(101)));
    assert_eq!(ended(&mut scene, &told), Some(Code::PROTOCOL));
}

#[test]
fn records() {
    let record = |len: usize| {
        let mut put = Put::new().pong(1);
        put.0.resize(len, 0);
        put
    };
    let max = Config::default().record_bytes_max as usize;
    // Ends in bytes of PAD, of which 63 may stand together: a frame every so often.
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
    assert_eq!(ended(&mut scene, &told), Some(Code::SIZE));
    assert!(failed(&Scene::greeted(config(), &[]).put(record(64 << 10))).is_some());
}

#[test]
fn what_one_channel_may_hold() {
    let window = Config::default().channel_window_bytes as usize;
    let overhead = Config::default().frame_overhead_bytes as usize;
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
    assert_eq!(ended(&mut scene, &told), Some(Code::FLOW));
}

#[test]
fn a_message_in_fragments() {
    let max = 5000;
    let opened = || {
        let config = Config {
            message_bytes_max: max,
            ..config()
        };
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
    assert_eq!(ended(&mut scene, &told), Some(Code::SIZE));
}
