//! Numbers of messages: what is skipped, and what begins anew.

use harness::channels::Op;
use harness::channels::open::Wanted;
use harness::frames_mux::{MAX62, Put, Said, flag};
use tickwire::channels::{Direction, ErrorCode, Mode, OpenOptions};

use super::scripted_peer::{Scene, Told, data, failed, ms};
use super::simulation::{config, opened, ready};

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

/// Numbers end below 2^62 - 1, which no frame after it could pass: a channel is not counted anew
/// from there.
#[test]
fn messages_are_counted_anew_below_the_largest_number() {
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
        // A peer of our own kind takes it.
        let mut peer = Scene::new();
        let theirs = peer.opened(0, 60_000);
        let told = peer.put(Put::new().seq(0, epoch, next_seq));
        assert_eq!(told, [Told::Rebased(theirs, epoch, next_seq)]);
    }
}

/// A message that is dropped before the end is counted with the end.
#[test]
fn what_is_dropped_before_the_end_is_counted() {
    let mut scene = Scene::new();
    let options = OpenOptions::new("t").mode(Mode::Ttl(ms(5)));
    let (channel, alias) = scene.open_ours(options, 0, 60_000);
    scene.core.hold_back();
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

#[test]
fn numbers_that_begin_anew_are_not_overtaken() {
    let small = config(|c| {
        c.record_bytes_max = 1024;
        c.metadata_bytes_max = 64;
    });
    // What stands in the record before it leaves no room for SEQ, but for a message.
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

/// Counts of skipped messages that were added up without end overflowed.
#[test]
fn skips_after_seq_do_not_overflow() {
    let mut scene = Scene::new();
    scene.opened(0, 60_000);
    for _ in 0..10 {
        let record = Put::new().seq(0, 0, 0).data_skip(0, 0, MAX62 - 5, b"x");
        assert_eq!(failed(&scene.put(record)), None);
    }
    // And one that goes over.
    let record = Put::new().data_skip(0, 0, 9, b"x");
    assert_eq!(failed(&scene.put(record)), Some(ErrorCode::PROTOCOL));
}

/// The last message of a record lost its count of skipped messages together with its length.
#[test]
fn a_record_of_one_message_keeps_its_skip() {
    let mut scene = Scene::new();
    let options = OpenOptions::new("quotes")
        .direction(Direction::OpenerSends)
        .mode(Mode::Conflated);
    let (channel, own) = scene.open_ours(options, 3, 8);
    scene.core.hold_back();
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

/// What was left out before each fragment of a message is told with the whole.
#[test]
fn what_was_left_out_before_the_fragments_of_a_message_is_told() {
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
