//! HELLO: it comes first, once, and its limits hold for what waited for it.

use harness::frames_mux::{Put, Said, flag, hello};
use tickwire::channels::{ChannelConfig, ChannelSendError, ErrorCode, OpenOptions};

use super::scripted_peer::{Scene, Told, data, failed};

/// R23: HELLO is first, and it is once.
#[test]
fn t23_hello_and_data_in_any_order() {
    let frames = [
        Put::new().data(0, 0, b"x"),
        Put::new().run(0, 1, 1, b"x"),
        Put::new().credit(0, 9),
        Put::new().open(0, 0, 9, 9, b""),
        Put::new().accept(0, 0, 9, 9, b""),
        Put::new().reject(0, 9),
        Put::new().reset(flag::STOP, 0, 9),
        Put::new().seq(0, 9, 9),
        Put::new().ping(9),
        Put::new().goaway(0, 0, ""),
        Put::new().ext(flag::IGNORE, 9, b""),
    ];
    for frame in frames {
        for ours_first in [false, true] {
            let mut scene = Scene::silent(ChannelConfig::default());
            let channel = scene.core.open(OpenOptions::new("x")).expect("waits");
            assert_eq!(
                scene.core.send(channel, b"x"),
                Err(ChannelSendError::WouldBlock)
            );
            scene.core.ping();
            if ours_first {
                // Nothing but HELLO, whatever the application wants.
                assert!(matches!(scene.said()[..], [Said::Hello(_)]));
            }
            let told = scene.put(frame.clone().raw(&hello(&[]).0));
            assert_eq!(failed(&told), Some(ErrorCode::PROTOCOL), "{frame:?}");
            let said = scene.said();
            assert!(matches!(said.last(), Some(Said::GoAway { code: 1, .. })));
            assert_eq!(said.len(), 2 - usize::from(ours_first), "{said:?}");
        }
    }
    // PAD says nothing; a second HELLO says too much.
    let mut scene = Scene::silent(ChannelConfig::default());
    assert_eq!(scene.put(Put::new().raw(&[0; 63])), []);
    assert_eq!(
        scene.put(Put::new().raw(&[0; 5]).raw(&hello(&[]).0)),
        [Told::Ready]
    );
    assert_eq!(failed(&scene.put(hello(&[]))), Some(ErrorCode::PROTOCOL));
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

/// A HELLO that grants channels nothing before they are accepted made the core panic.
#[test]
fn a_hello_without_a_window_is_no_division_of_nothing() {
    for window in [0, 1] {
        let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, window)]);
        let channel = scene.core.open(OpenOptions::new("x")).expect("opened");
        let before = scene.core.send(channel, b"x");
        assert!(before.is_err(), "{before:?}");
        scene.said();
        scene.put(Put::new().accept(0, 9, 60_000, 30_000, &[]));
        assert_eq!(scene.core.send(channel, b"tick"), Ok(()));
        let said = scene.said();
        assert!(
            said.iter()
                .any(|s| matches!(s, Said::Data { payload, .. } if payload == b"tick")),
            "{said:?}"
        );
    }
}
