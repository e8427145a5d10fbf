//! The wire format: illegal frames in every state of a channel, every truncation, and a session
//! byte by byte.

use harness::frames_mux::{MAX62, Put, Said, flag, hello, profile, tlv, topic, tv_long};
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelId, Direction, ErrorCode, Mode, OpenOptions,
};

use super::scripted_peer::{DOWNLINK, Scene, Told, UPLINK, failed};

/// The default record limit of the core: a message of 16 KiB with its header.
const RECORD_BYTES_MAX: usize = (16 << 10) + 64;

/// The state of a channel whose aliases are 0 in both directions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Never,
    Offered,
    Open,
    InsideMessage,
    /// Only the core sends.
    Downlink,
    FinishedByPeer,
    AbortedByPeer,
    StoppedByUs,
    StoppedByPeer,
    Closed,
    Rejected,
    Asked,
    Ours,
    Draining,
    DrainingByPeer,
}

const STATES: [State; 15] = [
    State::Never,
    State::Offered,
    State::Open,
    State::InsideMessage,
    State::Downlink,
    State::FinishedByPeer,
    State::AbortedByPeer,
    State::StoppedByUs,
    State::StoppedByPeer,
    State::Closed,
    State::Rejected,
    State::Asked,
    State::Ours,
    State::Draining,
    State::DrainingByPeer,
];

fn scene(state: State) -> Scene {
    let mut scene = Scene::new();
    // Another channel, so that a drain does not end at once.
    scene.opened(9, 60_000);
    if state == State::Offered {
        scene.accepts = false;
        scene.put(Put::new().open(0, 0, 60_000, 9, &[]));
        return scene;
    }
    if matches!(state, State::Asked | State::Ours) {
        let options = OpenOptions::new("ours");
        match state {
            State::Ours => drop(scene.open_ours(options, 0, 60_000)),
            _ => drop(scene.core.open(options)),
        }
        scene.said();
        return scene;
    }
    if state == State::Never {
        return scene;
    }
    let kind = match state {
        State::Downlink => DOWNLINK,
        State::Closed => UPLINK,
        _ => 0,
    };
    let channel = scene.opened_as(0, kind, 60_000);
    match state {
        State::InsideMessage => drop(scene.put(Put::new().data(flag::MORE, 0, b"half"))),
        State::FinishedByPeer | State::Closed => {
            drop(scene.put(Put::new().data(flag::FIN, 0, b"")))
        }
        State::AbortedByPeer => drop(scene.put(Put::new().reset(flag::ABORT, 0, 9))),
        State::StoppedByUs => scene.core.stop(channel, ErrorCode(20)),
        State::StoppedByPeer => drop(scene.put(Put::new().reset(flag::STOP, 0, 9))),
        State::Draining => scene.core.drain(ErrorCode::NO_ERROR, ""),
        State::DrainingByPeer => drop(scene.put(Put::new().goaway(0, 0, ""))),
        State::Rejected => {
            scene.core.close_channel(channel, ErrorCode(20));
            scene.said();
            scene.put(Put::new().reset(flag::ABORT, 0, 20));
            scene.accepts = false;
            let channel = scene.offered(Put::new().open(0, 0, 9, 9, &[]));
            scene.core.reject(channel, ErrorCode::REFUSED);
        }
        _ => {}
    }
    scene.said();
    assert!(scene.core.is_alive());
    scene
}

/// DATA and RUN that are illegal in every state.
fn wrong_data() -> Vec<(Put, ErrorCode)> {
    let raw = |bytes: &[u8]| (Put::new().raw(bytes), ErrorCode::PROTOCOL);
    let long = |alias| Put::new().raw(&[1 | flag::LEN]).raw(&tv_long(alias, 2));
    vec![
        raw(&[0x0C]),
        raw(&[0x0D, 0]),
        raw(&[0xFE]),
        raw(&[0; 64]),
        raw(&[0x80, 0]),
        // DATA past the end of the record, with an impossible alias, with FIN and MORE.
        raw(&[0x11, 0, 8, 1]),
        (long(1 << 20).tv(0), ErrorCode::PROTOCOL),
        (
            Put::new().data(flag::FIN | flag::MORE, 0, b"x"),
            ErrorCode::PROTOCOL,
        ),
        (Put::new().data_skip(0, 0, 0, b"x"), ErrorCode::PROTOCOL),
        // RUN without elements, with elements of no bytes, with half an element, past the end.
        (Put::new().run(0, 4, 0, b""), ErrorCode::PROTOCOL),
        (Put::new().run(0, 0, 4, b""), ErrorCode::PROTOCOL),
        (
            Put::new().raw(&[2]).tv(0).tv(4).raw(b"12345"),
            ErrorCode::PROTOCOL,
        ),
        (
            Put::new().run(0, 1 << 20, 1 << 20, b"x"),
            ErrorCode::PROTOCOL,
        ),
        (Put::new().run(0, MAX62, 1, b"x"), ErrorCode::PROTOCOL),
        (
            Put::new().raw(&[0x22]).tv(0).tv(1).raw(b"x"),
            ErrorCode::PROTOCOL,
        ),
    ]
}

/// Control frames that are illegal in every state.
fn wrong_control() -> Vec<(Put, ErrorCode)> {
    let raw = |bytes: &[u8]| (Put::new().raw(bytes), ErrorCode::PROTOCOL);
    let mut wrong = vec![
        // CREDIT of two kinds; RESET without a flag; unknown flags.
        (
            Put::new()
                .raw(&[3 | flag::NARROW | flag::BLOCKED])
                .tv(1)
                .tv(1),
            ErrorCode::PROTOCOL,
        ),
        (Put::new().reset(0, 0, 1), ErrorCode::PROTOCOL),
        (
            Put::new().reset(0x40 | flag::STOP, 0, 1),
            ErrorCode::PROTOCOL,
        ),
        (
            Put::new().reset(flag::STOP, 0, 1 << 32),
            ErrorCode::PROTOCOL,
        ),
        (
            Put::new().raw(&[0x14]).tv(1).raw(&[0; 5]),
            ErrorCode::PROTOCOL,
        ),
        (Put::new().raw(&[0x29]).raw(&[0; 8]), ErrorCode::PROTOCOL),
        raw(&[9, 1, 2, 3]),
    ];
    let mut pings = Put::new();
    for value in 0..11 {
        pings = pings.ping(value);
    }
    wrong.push((pings, ErrorCode::CALM));
    wrong
}

/// OPEN, ACCEPT and REJECT that are illegal in every state.
fn wrong_opening() -> Vec<(Put, ErrorCode)> {
    vec![
        // OPEN: direction 3, mode, align, an option twice, an option of ACCEPT, a resume without
        // the flag.
        (Put::new().open(7, 3 << 3, 9, 9, &[]), ErrorCode::PROTOCOL),
        (
            Put::new().raw(&[4]).tv(7).raw(&[0, 0x10]).tv(9).tv(9).tv(0),
            ErrorCode::PROTOCOL,
        ),
        (
            Put::new().raw(&[4]).tv(7).raw(&[0, 7]).tv(9).tv(9).tv(0),
            ErrorCode::PROTOCOL,
        ),
        (
            Put::new().open(7, 0, 9, 9, &[topic(b"x"), topic(b"x")].concat()),
            ErrorCode::PROTOCOL,
        ),
        (
            Put::new().open(7, 0, 9, 9, &tlv(5, &[4])),
            ErrorCode::PROTOCOL,
        ),
        (
            Put::new().open(7, 0, 9, 9, &tlv(8, &[4])),
            ErrorCode::PROTOCOL,
        ),
        (
            Put::new().open(7, 0, 9, 9, &tlv(2, &[4, 4])),
            ErrorCode::PROTOCOL,
        ),
        (Put::new().open(4096, 0, 9, 9, &[]), ErrorCode::PROTOCOL),
        // Answers without an OPEN, and with impossible aliases.
        (Put::new().accept(5, 7, 9, 9, &[]), ErrorCode::PROTOCOL),
        (Put::new().accept(5, 4096, 9, 9, &[]), ErrorCode::PROTOCOL),
        (Put::new().reject(5, 9), ErrorCode::PROTOCOL),
    ]
}

/// Frames that no state expects.
fn out_of_place() -> Vec<(Put, ErrorCode)> {
    vec![
        // With an alias that was never opened.
        (Put::new().data(0, 77, b"x"), ErrorCode::PROTOCOL),
        (Put::new().data(flag::FIN, 77, b""), ErrorCode::PROTOCOL),
        (Put::new().run(77, 1, 1, b"x"), ErrorCode::PROTOCOL),
        (Put::new().credit(77, 9), ErrorCode::PROTOCOL),
        (Put::new().blocked(77, 9), ErrorCode::PROTOCOL),
        (Put::new().reset(flag::ABORT, 77, 9), ErrorCode::PROTOCOL),
        (Put::new().seq(77, 1, 1), ErrorCode::PROTOCOL),
        // A second HELLO; an extension that must be known; a reason that is not UTF-8.
        (hello(&[]), ErrorCode::PROTOCOL),
        (Put::new().ext(0, 9, b"x"), ErrorCode::PROTOCOL),
        (
            Put::new().raw(&[0xA]).tv(0).tv(0).raw(&[2, 0xC3, 0x28]),
            ErrorCode::PROTOCOL,
        ),
        (
            Put::new()
                .raw(&[0xA])
                .tv(0)
                .tv(0)
                .raw(&[124])
                .raw(&[b'x'; 124]),
            ErrorCode::PROTOCOL,
        ),
        (
            Put::new().raw(&vec![0; RECORD_BYTES_MAX + 1]),
            ErrorCode::SIZE,
        ),
    ]
}

/// All records that are illegal in every state.
fn always_wrong() -> impl Iterator<Item = (Put, ErrorCode)> {
    let all = [
        wrong_data(),
        wrong_control(),
        wrong_opening(),
        out_of_place(),
    ];
    all.into_iter().flatten()
}

/// Records that are illegal in this state.
fn wrong_in(state: State) -> Vec<(Put, ErrorCode)> {
    let data = Put::new().data(0, 0, b"x");
    let run = Put::new().run(0, 1, 1, b"x");
    let seq = Put::new().seq(0, 1, 1);
    let fin = Put::new().data(flag::FIN, 0, b"");
    let open = Put::new().open(0, 0, 9, 9, &[]);
    let all = |frames: &[&Put]| {
        frames
            .iter()
            .map(|&f| (f.clone(), ErrorCode::PROTOCOL))
            .collect()
    };
    match state {
        State::Never | State::Asked => all(&[&data, &run, &seq, &fin]),
        State::Downlink => all(&[&data, &run, &seq, &fin, &open]),
        State::FinishedByPeer | State::AbortedByPeer => all(&[&data, &run, &seq, &fin, &open]),
        State::Closed => all(&[&data, &run, &seq, &fin]),
        State::InsideMessage => all(&[&run, &seq, &fin, &open]),
        State::Rejected => Vec::new(),
        State::Offered
        | State::Open
        | State::StoppedByUs
        | State::StoppedByPeer
        | State::Ours
        | State::Draining
        | State::DrainingByPeer => {
            let many = vec![1; 10_000];
            let mut over = Put::new();
            for _ in 0..7 {
                over = over.data(0, 0, &many);
            }
            // More data than any window allows; a message that is larger than any window allows.
            let mut large = Put::new();
            for _ in 0..4 {
                large = large.data(flag::MORE, 0, &many);
            }
            let late = Put::new().seq(0, 0, MAX62 - 1).data_skip(0, 0, 9, b"x");
            let mut wrong: Vec<_> = all(&[&open]);
            if state != State::StoppedByUs {
                wrong.push((large, ErrorCode::SIZE));
                wrong.push((late, ErrorCode::PROTOCOL));
            }
            if state == State::Offered {
                wrong.push((over, ErrorCode::FLOW));
            }
            wrong
        }
    }
}

/// An illegal frame ends the connection. It is never answered with a RESET.
#[test]
fn an_illegal_frame_ends_the_connection_in_every_state() {
    let config_record = RECORD_BYTES_MAX;
    let mut cases = 0;
    for state in STATES {
        for (frame, code) in always_wrong().chain(wrong_in(state)) {
            let mut scene = scene(state);
            if matches!(code, ErrorCode::FLOW | ErrorCode::SIZE) {
                scene.reads = false;
            }
            let mut told = Vec::new();
            // More than one record, split between frames.
            let chunk = if code == ErrorCode::SIZE && frame.0[0] == 0 {
                frame.0.len()
            } else {
                10_004
            };
            for record in frame.0.chunks(chunk.min(frame.0.len())) {
                assert!(record.len() <= config_record + 1);
                told.extend(scene.put_raw(record));
            }
            let context = || format!("{state:?}: {:02x?}", &frame.0[..frame.0.len().min(40)]);
            assert_eq!(failed(&told), Some(code), "{}", context());
            let said = scene.said();
            let goaway =
                matches!(said[..], [Said::GoAway { code: c, .. }] if c == u64::from(code.0));
            assert!(goaway, "{}: {said:?}", context());
            assert_eq!(scene.core.closing(), Some(code));
            assert_eq!(scene.put(Put::new().ping(1)), [], "nothing more is heard");
            cases += 1;
        }
    }
    assert!(cases > 600, "{cases}");
}

/// A session with every frame that a peer sends.
fn session() -> Vec<Put> {
    vec![
        hello(&[(1, 20_000), (6, 1 << 20), (0x2A3B, 9)]),
        Put::new()
            .open(
                0,
                profile::RESUMABLE | 1,
                60_000,
                5000,
                &[topic(b"both"), tlv(2, &[4, 8])].concat(),
            )
            .open(
                1,
                UPLINK,
                0,
                9,
                &[tlv(4, b"meta"), tlv(1, &[0x65, 0])].concat(),
            )
            .open(
                2,
                DOWNLINK | profile::CONFLATE | profile::MESSAGES,
                8,
                99,
                &tlv(4, b"data"),
            ),
        Put::new()
            .accept(3, 3, 70_000, 30_000, &tlv(4, b"hi"))
            .pong(1),
        Put::new()
            .seq(0, 7, 7)
            .data(0, 0, b"tick")
            .data_skip(0, 0, 3, b"tock"),
        Put::new()
            .data(flag::MORE, 1, b"ha")
            .data(0, 1, b"lf")
            .run(1, 3, 2, b"abcdef"),
        Put::new().credit(0, 90_000).narrow(0, 60_000).blocked(1, 5),
        Put::new()
            .raw(&[3 | flag::ACK])
            .tv(0)
            .tv(90_001)
            .tv(1)
            .raw(&[0, 0])
            .ping(5),
        Put::new()
            .ext(flag::IGNORE, 77, b"what")
            .data(flag::FIN, 1, b"end"),
        Put::new()
            .reset(flag::STOP, 2, 16)
            .reset(flag::ABORT | flag::STOP, 0, 8),
        Put::new().data_last(0, 3, b"to the end of the record"),
        Put::new().goaway(1, 16, "bye"),
    ]
}

fn play(scene: &mut Scene, records: &[Put]) {
    for (turn, record) in records.iter().enumerate() {
        if turn == 2 {
            scene.core.open(OpenOptions::new("ours")).expect("opened");
            scene.said();
        }
        assert_eq!(failed(&scene.put(record.clone())), None, "at {turn}");
        scene.said();
    }
}

/// A truncated record is a protocol error, or a valid shorter record.
#[test]
fn a_truncated_record_is_a_violation_or_a_shorter_record() {
    let records = session();
    let (mut wrong, mut right) = (0, 0);
    for (turn, record) in records.iter().enumerate() {
        for len in 0..record.0.len() {
            let mut scene = Scene::silent(ChannelConfig::default());
            let prefix = &records[..turn];
            play(&mut scene, prefix);
            if turn == 2 {
                scene.core.open(OpenOptions::new("ours")).expect("opened");
                scene.said();
            }
            let told = scene.put_raw(&record.0[..len]);
            match failed(&told) {
                None => right += 1,
                Some(ErrorCode::PROTOCOL) => wrong += 1,
                Some(code) => panic!("{turn}, {len}: {code}"),
            }
            let end = scene.end();
            assert_eq!(end, failed(&told));
        }
    }
    assert!(wrong > 150 && right > 40, "{wrong} {right}");
    play(&mut Scene::silent(ChannelConfig::default()), &records);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The next record of the core, in hexadecimal.
fn said(scene: &mut Scene) -> String {
    let record = scene.core.poll_record(scene.now);
    hex(record.expect("a record").as_slice())
}

/// All frames that the core sends in a short session, byte by byte.
#[test]
fn a_session_is_encoded_byte_by_byte() {
    let mut scene = Scene::silent(ChannelConfig::default());
    // HELLO: 16 KiB and 64 bytes, 1 MiB, 1024, 64, 4096, 64 KiB, 64, 30,000 ms, features, and grease.
    let own = hello(&[
        (1, RECORD_BYTES_MAX as u64),
        (2, 1 << 20),
        (3, 1024),
        (4, 64),
        (5, 4096),
        (7, 64 << 10),
        (8, 64),
        (9, 30_000),
        (10, 15),
        (0x2A3B, 0x17_1C3E),
    ]);
    assert_eq!(said(&mut scene), hex(&own.0));
    assert_eq!(
        hex(&own.0),
        concat!(
            "0ba4",
            "04084040",
            "080c000010",
            "0c080004",
            "100440",
            "14080010",
            "1c0c000001",
            "200440",
            "24083075",
            "28040f",
            "eda80c3e1c17",
        )
    );
    scene.put(hello(&[]));
    assert_eq!(said(&mut scene), hex(&Put::new().ping(1).0));
    scene.put(Put::new().pong(1));
    // OPEN of a subscription: alias 0, conflated in messages, window 8, largest message 8,000.
    let options = OpenOptions::new("EURUSD")
        .direction(Direction::AcceptorSends)
        .mode(Mode::Conflated)
        .priority(1)
        .metadata(b"sbe");
    scene.core.open(options).expect("opened");
    let options = [topic(b"EURUSD"), tlv(4, b"sbe")].concat();
    let open = Put::new().open(
        0,
        DOWNLINK | profile::MESSAGES | profile::CONFLATE | 1,
        8,
        8000,
        &options,
    );
    assert_eq!(said(&mut scene), hex(&open.0));
    assert_eq!(hex(&open.0), "0400710020017d340c18455552555344100c736265");
    answer_and_send(&mut scene);
}

fn answer_and_send(scene: &mut Scene) {
    // ACCEPT to the peer, with the local alias 1.
    scene.accepts = false;
    let told = scene.put(
        Put::new()
            .accept(0, 9, 0, 9, &[])
            .open(5, 0, 60_000, 30_000, &[]),
    );
    let Some(&Told::Open(channel)) = told.last() else {
        panic!("{told:?}")
    };
    let metadata = AcceptOptions::new().metadata(b"yes");
    scene.core.accept(channel, metadata).expect("offered");
    let accept = Put::new().accept(5, 1, 64 << 10, 32_193, &tlv(4, b"yes"));
    assert_eq!(said(scene), hex(&accept.0));
    // Messages: the last of a record has no length; 40 bytes alone have a header of two bytes.
    scene.core.send(channel, b"tick").expect("sent");
    scene.core.send(channel, [7; 40]).expect("sent");
    let data = Put::new().data(0, 1, b"tick").data_last(0, 1, &[7; 40]);
    assert_eq!(said(scene), hex(&data.0));
    assert!(hex(&data.0).starts_with("110410"));
    scene
        .core
        .send_run_bytes(channel, 4, b"aaaabbbb")
        .expect("sent");
    assert_eq!(said(scene), hex(&Put::new().run(1, 4, 2, b"aaaabbbb").0));
    scene.core.rebase(channel, 3, 70).expect("idle");
    scene.core.acknowledge(channel, 2);
    let seq = Put::new()
        .seq(1, 3, 70)
        .raw(&[3 | flag::ACK])
        .tv(1)
        .tv(64 << 10)
        .tv(2);
    assert_eq!(said(scene), hex(&seq.0));
    scene.put(Put::new().ping(0x0807_0605_0403_0201));
    assert_eq!(said(scene), "190102030405060708");
    end(scene, channel);
}

fn end(scene: &mut Scene, channel: ChannelId) {
    // The end of a half, and of the connection.
    scene.core.finish_sending(channel).expect("open");
    assert_eq!(said(scene), hex(&Put::new().data(flag::FIN, 1, b"").0));
    scene.core.stop(channel, ErrorCode(16));
    assert_eq!(said(scene), hex(&Put::new().reset(flag::STOP, 1, 16).0));
    let told = scene.put(Put::new().open(6, 0, 9, 9, &[]));
    let Some(&Told::Open(channel)) = told.last() else {
        panic!("{told:?}")
    };
    scene.core.reject(channel, ErrorCode::REFUSED);
    assert_eq!(said(scene), hex(&Put::new().reject(6, 7).0));
    scene.core.drain(ErrorCode::NO_ERROR, "bye");
    assert_eq!(said(scene), hex(&Put::new().goaway(2, 0, "bye").0));
    assert!(scene.core.poll_record(scene.now).is_none());
}
