//! Time to live: messages that expire before they are sent.

use harness::frames_mux::{Put, Said, flag, tlv, tv};
use tickwire::channels::{
    ChannelConfig, ChannelSendError, ErrorCode, Mode, OpenOptions, SharedFrame,
};

use super::scripted_peer::{AMPLE, Scene, Told, ms, shared_aliases, stuck};

/// Expired messages make room for new ones, even if their channel gets no turn.
#[test]
fn expired_messages_make_room_in_their_queue() {
    let config = ChannelConfig::default().channel_queue_bytes_max(1024);
    for run in [false, true] {
        let mut scene = Scene::greeted(config.clone(), &[(7, 70)]);
        let channel = stuck(&mut scene, 0, Mode::Ttl(ms(10)));
        let send = |scene: &mut Scene| {
            if run {
                scene.core.send_run_bytes(channel, 100, &[0; 100])
            } else {
                scene.core.send(channel, [0; 100])
            }
        };
        while send(&mut scene) == Ok(()) {}
        assert_eq!(send(&mut scene), Err(ChannelSendError::WouldBlock));
        scene.core.set_time(scene.now.after(ms(1000)));
        assert_eq!(send(&mut scene), Ok(()), "{run}");
        let stats = scene.core.channel_stats(channel).expect("open");
        assert!(stats.skipped_out >= 5, "{stats:?}");
        assert!(scene.core.stats().queued_bytes < 200);
    }
}

/// Expired messages make room in the queue limit of the connection, and waiting channels become
/// writable.
#[test]
fn expired_messages_make_room_for_other_channels() {
    let config = ChannelConfig::default()
        .connection_queue_bytes_max(4096)
        .channel_queue_bytes_max(4096);
    let mut scene = Scene::greeted(config, &[(7, 70)]);
    let dying = stuck(&mut scene, 0, Mode::Ttl(ms(10)));
    let other = stuck(&mut scene, 1, Mode::Reliable);
    scene.core.send(other, [0; 100]).expect("queued");
    while scene.core.send(dying, [0; 100]) == Ok(()) {}
    assert_eq!(
        scene.core.send(other, [0; 100]),
        Err(ChannelSendError::WouldBlock)
    );
    scene.said();
    assert_eq!(scene.core.poll_writable(), None);
    scene.wait(ms(1000));
    let writable: Vec<_> = std::iter::from_fn(|| scene.core.poll_writable()).collect();
    assert!(writable.contains(&other), "{writable:?}");
    assert_eq!(scene.core.send(other, [0; 100]), Ok(()));
    // A message that expires later is removed, too.
    scene.core.send(dying, [0; 100]).expect("room");
    scene.said();
    scene.wait(ms(1000));
    scene.said();
    assert_eq!(scene.core.stats().queued_bytes, 2 * 164);
    // An empty queue leaves no timer.
    scene.core.reset(other, ErrorCode::NO_ERROR);
    scene.said();
    scene.wait(ms(600));
    scene.said();
    let next = scene.core.poll_timeout().expect("alive");
    assert!(next.0 > scene.now.0 + 500_000_000, "nothing is swept for");
}

/// The message or FIN behind an expired message is sent if credit covers it.
#[test]
fn messages_behind_expired_ones_are_sent() {
    for fin in [false, true] {
        let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, 70)]);
        let channel = stuck(&mut scene, 0, Mode::Ttl(ms(2000)));
        scene.core.send(channel, [0; 100]).expect("queued");
        scene.said();
        scene.wait(ms(1000));
        if fin {
            scene.core.finish_sending(channel).expect("open");
        } else {
            scene.core.send(channel, b"small").expect("queued");
        }
        scene.said();
        scene.wait(ms(1500));
        let said = scene.said();
        let goes = said.iter().any(|said| {
            matches!(said, Said::Data { flags, skip: 1, payload, .. }
                if (*flags & flag::FIN != 0) == fin && payload.is_empty() == fin)
        });
        assert!(goes, "{fin}: {said:?}");
    }
}

/// Expired messages on an unanswered channel make room for other channels, too.
#[test]
fn expired_messages_of_an_unanswered_channel_make_room() {
    let config = ChannelConfig::default()
        .connection_queue_bytes_max(4096)
        .channel_queue_bytes_max(4096);
    let mut scene = Scene::greeted(config, &[]);
    let other = scene.opened(0, 60_000);
    scene.accepts = false;
    let told = scene.put(Put::new().open(1, 0, 60_000, 30_000, &tlv(1, &tv(10))));
    let [Told::Open(dying)] = told[..] else {
        panic!("{told:?}")
    };
    scene.core.handle_backpressure();
    while scene.core.send(dying, [0; 100]) == Ok(()) {}
    scene
        .core
        .send(other, [0; 100])
        .expect("one is always taken");
    assert_eq!(
        scene.core.send(other, [0; 100]),
        Err(ChannelSendError::WouldBlock)
    );
    scene.wait(ms(1000));
    let writable: Vec<_> = std::iter::from_fn(|| scene.core.poll_writable()).collect();
    assert!(writable.contains(&other), "{writable:?}");
    assert_eq!(scene.core.send(other, [0; 100]), Ok(()));
}

/// Expired messages no longer count as queued; younger messages do.
#[test]
fn unexpired_messages_stay_counted() {
    let mut scene = Scene::greeted(ChannelConfig::default(), &[(7, 70)]);
    let options = OpenOptions::new("t").mode(Mode::Ttl(ms(10)));
    let channel = scene.open_ours(options, 0, 70).0;
    scene.core.send(channel, [0; 3000]).expect("queued");
    scene.now = scene.now.after(ms(6));
    scene.core.set_time(scene.now);
    scene.core.send(channel, [0; 500]).expect("queued");
    let young = scene
        .core
        .channel_stats(channel)
        .expect("open")
        .queued_bytes
        - 3000;
    scene.now = scene.now.after(ms(6));
    scene.core.set_time(scene.now);
    scene.said();
    let queued = scene.core.stats().queued_bytes;
    assert!((500..600).contains(&queued), "{queued} of {young}");
    scene.core.close_channel(channel, ErrorCode::NO_ERROR);
    scene.put(Put::new().reset(flag::ABORT | flag::STOP, 0, 0));
    scene.said();
    assert_eq!(scene.core.stats().channels, 0);
    assert_eq!(scene.core.stats().skipped_out, 1);
}

/// A shared frame expires like any message.
#[test]
fn a_shared_frame_expires_like_any_message() {
    let mut scene = Scene::greeted(shared_aliases(), &[]);
    let options = OpenOptions::new("t").mode(Mode::Ttl(ms(5))).alias(2);
    let (channel, _) = scene.open_ours(options, 2, AMPLE);
    let frame = SharedFrame::new(2, &[0; 2000]).expect("a frame");
    scene.core.handle_backpressure();
    scene.core.send_shared(channel, &frame).expect("queued");
    scene.wait(ms(10));
    assert_eq!(scene.said(), []);
    scene.core.send_shared(channel, &frame).expect("queued");
    let said = scene.said();
    assert!(
        matches!(&said[..], [Said::Data { skip: 1, payload, .. }] if payload.len() == 2000),
        "{said:?}"
    );
}
