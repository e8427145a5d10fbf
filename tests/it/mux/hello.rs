//! HELLO: it comes first and once, and its limits hold for channels that were opened before it.

use harness::frames_mux::{Put, Said, flag, hello};
use tickwire::channels::{ChannelConfig, ChannelSendError, ErrorCode, OpenOptions};

use super::scripted_peer::{Scene, Told, data, failed};

/// HELLO is the first frame, and there is one.
#[test]
fn hello_comes_first_and_once() {
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
                // The core sends nothing but HELLO, whatever the application asks for.
                assert!(matches!(scene.said()[..], [Said::Hello(_)]));
            }
            let told = scene.put(frame.clone().raw(&hello(&[]).0));
            assert_eq!(failed(&told), Some(ErrorCode::PROTOCOL), "{frame:?}");
            let said = scene.said();
            assert!(matches!(said.last(), Some(Said::GoAway { code: 1, .. })));
            assert_eq!(said.len(), 2 - usize::from(ours_first), "{said:?}");
        }
    }
    // PAD is allowed before HELLO; a second HELLO is not.
    let mut scene = Scene::silent(ChannelConfig::default());
    assert_eq!(scene.put(Put::new().raw(&[0; 63])), []);
    assert_eq!(
        scene.put(Put::new().raw(&[0; 5]).raw(&hello(&[]).0)),
        [Told::Ready]
    );
    assert_eq!(failed(&scene.put(hello(&[]))), Some(ErrorCode::PROTOCOL));
}

/// A channel that was opened before HELLO of the peer gets the limits in HELLO.
#[test]
fn channels_opened_before_hello_get_its_limits() {
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
    assert_eq!(scene.core.send(channel, [0; 20_000]), Ok(()));
    let sent: usize = data(&scene.said()).iter().map(|(.., len)| len).sum();
    assert_eq!(sent, 20_000);
}

/// HELLO can grant no credit before ACCEPT. A channel can send after ACCEPT.
#[test]
fn a_hello_without_an_initial_window_is_accepted() {
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
