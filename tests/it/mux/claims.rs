//! Claims: messages that the application writes in place, then commits, drops or leaks.

use harness::frames_mux::{Put, Said, flag};
use tickwire::channels::{Mode, OpenOptions, Unit};

use super::scripted_peer::{AMPLE, Scene, Told, payloads};
use super::small_queues::{OVERHEAD, accounts, config, ours};

/// A committed claim is sent. A dropped claim leaves nothing behind: no bytes in the record or the
/// queue, no used credit, no count.
#[test]
fn a_claim_is_sent_only_when_committed() {
    for (waits, unit) in [
        (false, Unit::Bytes),
        (false, Unit::Messages),
        (true, Unit::Bytes),
        (true, Unit::Messages),
    ] {
        let mut scene = Scene::greeted(config(), &[]);
        let channel = ours(&mut scene, OpenOptions::new("c").unit(unit), 0, 70_000);
        let mut expected: Vec<&[u8]> = vec![b"before", b"committed"];
        scene.core.send(channel, b"before").expect("sent");
        if waits {
            scene.core.handle_backpressure();
            scene.core.send(channel, b"waits").expect("queued");
            expected.insert(1, b"waits");
        }
        let before = accounts(&scene, channel);
        let mut claim = scene.core.claim(channel, 9).expect("room");
        assert_eq!(*claim, [0; 9]);
        claim.copy_from_slice(b"abandoned");
        assert_eq!(*claim, *b"abandoned");
        drop(claim);
        assert_eq!(accounts(&scene, channel), before, "{waits} {unit:?}");
        assert_eq!(scene.core.stats().claims_dropped, 1);
        let mut claim = scene.core.claim(channel, 9).expect("room");
        claim.copy_from_slice(b"committed");
        claim.commit();
        assert_eq!(payloads(&scene.said()), expected, "{waits} {unit:?}");
        let (sent, bytes) = (expected.len() as u64, expected.concat().len() as u64);
        let cost = bytes + sent * OVERHEAD;
        let of_channel = if unit == Unit::Bytes { cost } else { sent };
        let after = (sent, bytes, 70_000 - of_channel, 0);
        assert_eq!(accounts(&scene, channel), after, "{waits} {unit:?}");
        assert_eq!(scene.core.stats().claims_dropped, 1, "one was sent");
        // The peer can acknowledge as many messages as were numbered.
        let told = scene.put(
            Put::new()
                .raw(&[flag::ACK | 3])
                .tv(0)
                .tv(70_000)
                .tv(1 << 40),
        );
        assert_eq!(told, [Told::Acked(channel, sent)]);
    }
}

/// A dropped claim leaves the message before it as the last of the record, with its length.
#[test]
fn a_dropped_claim_leaves_the_record_unchanged() {
    let mut scene = Scene::greeted(config(), &[]);
    let channel = ours(&mut scene, OpenOptions::new("c"), 0, 60_000);
    for text in [&b"one"[..], b"two"] {
        drop(scene.core.claim(channel, 5000).expect("room"));
        scene.core.send(channel, text).expect("sent");
        drop(scene.core.claim(channel, 1).expect("room"));
    }
    let records = scene.records();
    assert_eq!(records.len(), 1);
    let read = harness::frames_mux::read(&records[0]);
    assert_eq!(payloads(&read), [&b"one"[..], b"two"]);
}

/// A claim that is leaked (neither dropped nor committed) leaves no bytes in front of the next
/// message.
#[test]
#[expect(clippy::mem_forget, reason = "what is leaked is what is looked at")]
fn a_leaked_claim_leaves_no_bytes_in_the_queue() {
    for (leaks, len) in [(1, 5), (3, 700), (1, 60_000)] {
        let mut scene = Scene::new();
        let options = OpenOptions::new("c").mode(Mode::Reliable);
        let (channel, own) = scene.open_ours(options, 0, AMPLE);
        for round in 0..20_u8 {
            scene.core.handle_backpressure();
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

/// The bytes of a leaked claim are discarded when the messages before it are sent.
#[test]
fn a_leaked_claim_is_discarded_when_the_queue_is_sent() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 1 << 20);
    scene.core.handle_backpressure();
    scene.core.send(channel, b"first").expect("queued");
    let claim = scene.core.claim(channel, 100).expect("room");
    #[expect(clippy::mem_forget, reason = "what is leaked is what is looked at")]
    std::mem::forget(claim);
    assert_eq!(payloads(&scene.said()), [b"first"]);
    scene.core.handle_backpressure();
    scene.core.send(channel, b"second").expect("queued");
    assert_eq!(payloads(&scene.said()), [b"second"]);
}
