//! Message numbers: skipped messages, and numbers that begin anew (SEQ).

use harness::channels::Op;
use harness::channels::open::Wanted;
use harness::frames_mux::{MAX62, Put, Said, flag};
use tickwire::channels::{Direction, ErrorCode, Mode, OpenOptions};

use super::scripted_peer::{Scene, Told, data, failed, ms};
use super::simulation::{config, opened, ready};

/// Skipped messages have numbers, too: the peer can acknowledge them.
#[test]
fn skipped_messages_have_numbers() {
    let mut scene = Scene::new();
    let options = OpenOptions::new("q").mode(Mode::Conflated);
    let (channel, _) = scene.open_ours(options, 0, 1 << 20);
    scene.core.handle_backpressure();
    for n in 0..4 {
        scene.core.send_keyed(channel, 1, [n; 4]).expect("queued");
    }
    assert_eq!(data(&scene.said()), [(0, 3, 4)]);
    let ack = Put::new().raw(&[flag::ACK | 3]).tv(0).tv(1 << 20).tv(100);
    assert_eq!(scene.put(ack), [Told::Acked(channel, 4)]);
    // The same for skipped messages before a run.
    let options = OpenOptions::new("t").mode(Mode::Ttl(ms(5)));
    let (channel, _) = scene.open_ours(options, 1, 1 << 20);
    scene.core.handle_backpressure();
    scene.core.send(channel, b"old").expect("queued");
    scene.wait(ms(10));
    scene.core.handle_backpressure();
    scene
        .core
        .send_run_bytes(channel, 2, &[0; 8])
        .expect("queued");
    scene.said();
    let ack = Put::new().raw(&[flag::ACK | 3]).tv(1).tv(1 << 20).tv(100);
    assert_eq!(scene.put(ack), [Told::Acked(channel, 5)]);
}

/// Message numbers end below 2^62 - 1. A rebase to a larger number is refused.
#[test]
fn a_rebase_stays_below_the_largest_number() {
    for (epoch, next_seq, right) in [
        (MAX62, MAX62 - 1, true),
        (MAX62 + 1, 0, false),
        (0, MAX62, false),
        (0, MAX62 + 1, false),
    ] {
        let mut scene = Scene::new();
        let (channel, alias) = scene.open_ours(OpenOptions::new("ours"), 0, 60_000);
        let rebased = scene.core.rebase(channel, epoch, next_seq);
        assert_eq!(rebased.is_ok(), right, "{epoch} {next_seq}");
        if !right {
            assert_eq!(scene.said(), []);
            continue;
        }
        assert_eq!(
            scene.said(),
            [Said::Seq {
                alias,
                epoch,
                next_seq
            }]
        );
        // The core as the peer takes it.
        let mut peer = Scene::new();
        let theirs = peer.opened(0, 60_000);
        let told = peer.put(Put::new().seq(0, epoch, next_seq));
        assert_eq!(told, [Told::Rebased(theirs, epoch, next_seq)]);
    }
}

/// A message whose time to live is over before FIN is counted in the FIN frame.
#[test]
fn messages_dropped_before_fin_are_counted_with_fin() {
    let mut scene = Scene::new();
    let options = OpenOptions::new("t").mode(Mode::Ttl(ms(5)));
    let (channel, alias) = scene.open_ours(options, 0, 60_000);
    scene.core.handle_backpressure();
    scene.core.send(channel, b"late").expect("queued");
    scene.core.finish_sending(channel).expect("open");
    scene.wait(ms(10));
    let fin = Said::Data {
        flags: flag::FIN,
        alias,
        skip: 1,
        payload: Vec::new(),
    };
    assert_eq!(scene.said(), [fin]);
    let told = scene.put(Put::new().raw(&[flag::ACK | 3]).tv(0).tv(60_000).tv(100));
    assert_eq!(
        told,
        [Told::Acked(channel, 1)],
        "what was dropped has its number"
    );
}

/// SEQ is sent before the next message, even if the record has room for the message only.
#[test]
fn seq_is_sent_before_the_next_message() {
    let small = config(|c| {
        c.record_bytes_max = 1024;
        c.metadata_bytes_max = 64;
    });
    // The open record has room for a message, but not for SEQ.
    for filled in 850..1020 {
        let mut sim = ready([small.clone(), small.clone()]);
        let filler = opened(&mut sim, &Wanted::default());
        let link = opened(&mut sim, &Wanted::default());
        sim.apply(Op::Poll(0));
        sim.send(0, filler, 0, filled);
        sim.apply(Op::Rebase(0, 1, 700));
        sim.send(0, link, 0, 1);
        sim.quiesce();
        assert_eq!(sim.links[link].dirs[0].delivered, 1, "{filled}");
    }
}

/// SEQ and large skips again and again do not overflow a counter.
#[test]
fn skips_after_seq_do_not_overflow() {
    let mut scene = Scene::new();
    scene.opened(0, 60_000);
    for _ in 0..10 {
        let record = Put::new().seq(0, 0, 0).data_skip(0, 0, MAX62 - 5, b"x");
        assert_eq!(failed(&scene.put(record)), None);
    }
    // A skip past the largest number is a violation.
    let record = Put::new().data_skip(0, 0, 9, b"x");
    assert_eq!(failed(&scene.put(record)), Some(ErrorCode::PROTOCOL));
}

/// The last message of a record has no length. It keeps its count of skipped messages.
#[test]
fn a_record_of_one_message_keeps_its_skip_count() {
    let mut scene = Scene::new();
    let options = OpenOptions::new("quotes")
        .direction(Direction::OpenerSends)
        .mode(Mode::Conflated);
    let (channel, own) = scene.open_ours(options, 3, 8);
    scene.core.handle_backpressure();
    for bid in [b"one__", b"two__", b"three"] {
        scene.core.send_keyed(channel, 7, bid).expect("queued");
    }
    let data = Said::Data {
        flags: 0,
        alias: own,
        skip: 2,
        payload: b"three".to_vec(),
    };
    assert_eq!(scene.said(), [data]);
}

/// The count of skipped messages before a fragmented message is reported with the whole message.
#[test]
fn skips_before_a_fragmented_message_are_reported_with_it() {
    let mut scene = Scene::new();
    let channel = scene.opened(0, 50_000);
    let told = scene.put(
        Put::new()
            .data_skip(flag::MORE, 0, 5, b"in ")
            .data(flag::MORE, 0, b"three ")
            .data(0, 0, b"parts"),
    );
    let whole = Told::Message {
        channel,
        data: b"in three parts".to_vec(),
        seq: 5,
        skipped: 5,
    };
    assert_eq!(told, [whole]);
}
