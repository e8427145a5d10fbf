//! Valid records: every type, every flag, the bounds of every number.

use super::frame::{Frame, Kind, Opt, Parameter, encode};
use super::frames_json;
use super::json::{Json, hex, unhex};
use crate::frames_mux::{MAX62, profile, tv, tv_long};

/// A valid record.
#[derive(Debug)]
pub struct Record {
    /// Unique among records.
    pub name: String,
    /// As it is sent.
    pub bytes: Vec<u8>,
    /// What it says.
    pub frames: Vec<Frame>,
    /// The bytes are those that `frames` are written as.
    pub canonical: bool,
}

impl Record {
    fn new(name: &str, frames: Vec<Frame>) -> Self {
        Self {
            name: name.to_owned(),
            bytes: encode(&frames),
            frames,
            canonical: true,
        }
    }

    fn raw(name: &str, digits: &str, frames: Vec<Frame>) -> Self {
        Self {
            name: name.to_owned(),
            bytes: unhex(digits),
            frames,
            canonical: false,
        }
    }

    /// As vectors have it.
    #[must_use]
    pub fn json(&self) -> Json {
        let mut members = vec![
            ("name", self.name.as_str().into()),
            ("hex", hex(&self.bytes).into()),
            ("frames", frames_json(&self.frames)),
        ];
        if !self.canonical {
            members.push(("canonical", false.into()));
        }
        Json::Object(members)
    }
}

/// Varints: the bounds of each length, and forms that are longer than needed.
#[must_use]
pub fn varints() -> Vec<Json> {
    let bounds = [
        0,
        1,
        5,
        63,
        64,
        16_383,
        16_384,
        (1 << 30) - 1,
        1 << 30,
        1 << 32,
        MAX62 - 1,
        MAX62,
    ];
    let shortest = bounds.map(|v| (v, tv(v), true));
    let longer = [
        (5, 1),
        (5, 2),
        (5, 3),
        (0, 3),
        (16_383, 2),
        ((1 << 30) - 1, 3),
    ];
    let longer = longer.map(|(v, log)| (v, tv_long(v, log), false));
    shortest
        .into_iter()
        .chain(longer)
        .map(|(value, bytes, shortest)| {
            Json::Object(vec![
                ("hex", hex(&bytes).into()),
                ("value", value.into()),
                ("shortest", shortest.into()),
            ])
        })
        .collect()
}

/// A whole message with LEN.
pub(super) fn data(alias: u64, payload: &[u8]) -> Frame {
    Frame::Data {
        len: true,
        more: false,
        fin: false,
        alias,
        skip: 0,
        payload: payload.to_vec(),
    }
}

/// A message that ends with the record.
pub(super) fn last(alias: u64, payload: &[u8]) -> Frame {
    Frame::Data {
        len: false,
        more: false,
        fin: false,
        alias,
        skip: 0,
        payload: payload.to_vec(),
    }
}

/// A fragment.
pub(super) fn more(alias: u64, payload: &[u8]) -> Frame {
    Frame::Data {
        len: true,
        more: true,
        fin: false,
        alias,
        skip: 0,
        payload: payload.to_vec(),
    }
}

/// A message behind `skip` lost ones.
pub(super) fn skipped(alias: u64, skip: u64, payload: &[u8]) -> Frame {
    Frame::Data {
        len: true,
        more: false,
        fin: false,
        alias,
        skip,
        payload: payload.to_vec(),
    }
}

/// The last frame of a half.
pub(super) fn fin(alias: u64, payload: &[u8]) -> Frame {
    Frame::Data {
        len: true,
        more: false,
        fin: true,
        alias,
        skip: 0,
        payload: payload.to_vec(),
    }
}

/// Messages of `elem` bytes.
pub(super) fn run(alias: u64, elem: u64, payload: &[u8]) -> Frame {
    Frame::Run {
        len: true,
        alias,
        elem,
        skip: 0,
        payload: payload.to_vec(),
    }
}

/// CREDIT without ACK.
pub(super) fn credit(kind: Kind, alias: u64, total: u64) -> Frame {
    Frame::Credit {
        kind,
        alias,
        total,
        ack: None,
    }
}

/// OPEN without alignment.
pub(super) fn open(alias: u64, profile: u8, limit: u64, max_msg: u64, options: Vec<Opt>) -> Frame {
    Frame::Open {
        alias,
        profile,
        align: 0,
        limit,
        max_msg,
        options,
    }
}

/// ACCEPT.
pub(super) fn accept(aliases: (u64, u64), limit: u64, max_msg: u64, options: Vec<Opt>) -> Frame {
    let (peer_alias, alias) = aliases;
    Frame::Accept {
        peer_alias,
        alias,
        limit,
        max_msg,
        options,
    }
}

/// REJECT.
pub(super) fn reject(peer_alias: u64, code: u64, info: Option<&[u8]>) -> Frame {
    Frame::Reject {
        peer_alias,
        code,
        info: info.map(<[u8]>::to_vec),
    }
}

/// RESET.
pub(super) fn reset((abort, stop): (bool, bool), alias: u64, code: u64) -> Frame {
    Frame::Reset {
        abort,
        stop,
        alias,
        code,
    }
}

/// SEQ.
pub(super) fn seq(alias: u64, epoch: u64, next_seq: u64) -> Frame {
    Frame::Seq {
        alias,
        epoch,
        next_seq,
    }
}

/// GOAWAY.
pub(super) fn goaway(opens_seen: u64, code: u64, reason: &str) -> Frame {
    Frame::GoAway {
        opens_seen,
        code,
        reason: reason.to_owned(),
    }
}

/// HELLO with known parameters, each in its fewest bytes.
pub(super) fn hello(parameters: &[(u64, u64)]) -> Frame {
    let size = |value: u64| (1..8).find(|n| value >> (8 * n) == 0).unwrap_or(8);
    let known = |&(id, value): &(u64, u64)| Parameter::Known(id, value, size(value));
    Frame::Hello(parameters.iter().map(known).collect())
}

/// PING.
pub(super) fn ping(value: u64) -> Frame {
    Frame::Ping { pong: false, value }
}

/// PONG.
pub(super) fn pong(value: u64) -> Frame {
    Frame::Ping { pong: true, value }
}

/// All of them.
#[must_use]
pub fn records() -> Vec<Record> {
    let parts = [
        greetings(),
        messages(),
        credits(),
        openings(),
        control(),
        longer(),
    ];
    parts.into_iter().flatten().collect()
}

fn greetings() -> Vec<Record> {
    let one = |name: &str, frame: Frame| Record::new(name, vec![frame]);
    let least = [
        (1, 1024),
        (2, 1),
        (3, 0),
        (4, 0),
        (5, 1),
        (7, 0),
        (8, 16),
        (9, 1),
        (10, 0),
    ];
    let most = [
        (1, 1 << 20),
        (2, MAX62),
        (3, 1 << 20),
        (4, 1 << 20),
        (5, 1 << 20),
        (7, MAX62),
        (8, 1024),
        (9, MAX62),
        (10, u64::MAX),
    ];
    let wide = vec![Parameter::Known(8, 64, 8), Parameter::Known(1, 16_384, 5)];
    let unknown = |id, bytes: &[u8]| Parameter::Unknown(id, bytes.to_vec());
    let grease = vec![
        unknown(6, &[0; 4]),
        unknown(0x2A3B, b"\x3e\x1c\x17"),
        unknown(0x2A3B, b""),
        unknown(0, &[7; 9]),
        unknown(MAX62, b"x"),
    ];
    // 1,024 bytes: an id of one byte, a length of two, 1,021 bytes.
    let long = vec![unknown(11, &[0xAA; 1021])];
    vec![
        one("hello_empty", Frame::Hello(Vec::new())),
        one("hello_least", hello(&least)),
        one("hello_most", hello(&most)),
        one("hello_values_with_leading_zeros", Frame::Hello(wide)),
        one("hello_unknown_parameters", Frame::Hello(grease)),
        one("hello_longest", Frame::Hello(long)),
    ]
}

fn messages() -> Vec<Record> {
    let one = |name: &str, frame: Frame| Record::new(name, vec![frame]);
    let tick: Vec<u8> = (1..=40).collect();
    let with = |more: bool, fin: bool, skip: u64, payload: &[u8]| Frame::Data {
        len: true,
        more,
        fin,
        alias: 5,
        skip,
        payload: payload.to_vec(),
    };
    let bare = |more: bool, fin: bool, skip: u64| Frame::Data {
        len: false,
        more,
        fin,
        alias: 5,
        skip,
        payload: b"end".to_vec(),
    };
    let run_with = |len: bool, skip: u64| Frame::Run {
        len,
        alias: 5,
        elem: 3,
        skip,
        payload: b"aaabbbccc".to_vec(),
    };
    vec![
        one("data_alone", last(5, &tick)),
        one("data_in_a_batch", data(5, &tick)),
        one("data_empty_message", data(5, b"")),
        one("data_empty_message_to_the_end", last(5, b"")),
        one("data_alias_63", data(63, b"x")),
        one("data_alias_64", data(64, b"x")),
        one("data_alias_16384", data(16_384, b"x")),
        one("data_alias_largest", data((1 << 20) - 1, b"x")),
        one("data_payload_63", data(1, &[7; 63])),
        one("data_payload_64", data(1, &[7; 64])),
        one("data_more", with(true, false, 0, b"part")),
        one("data_more_to_the_end", bare(true, false, 0)),
        one("data_more_empty", with(true, false, 0, b"")),
        one("data_fin", with(false, true, 0, b"last")),
        one("data_fin_to_the_end", bare(false, true, 0)),
        one("data_fin_without_payload", with(false, true, 0, b"")),
        one("data_fin_without_payload_skip", with(false, true, 3, b"")),
        one("data_skip", with(false, false, 1, b"new")),
        one("data_skip_to_the_end", bare(false, false, 2)),
        one("data_skip_largest", with(false, false, MAX62, b"new")),
        one("data_more_skip", with(true, false, 64, b"part")),
        one("data_fin_skip", with(false, true, 9, b"last")),
        one("run", run(5, 40, &[tick.clone(), tick.clone()].concat())),
        one("run_of_one", run(5, 4, b"abcd")),
        one("run_of_bytes", run(5, 1, b"abcd")),
        one("run_to_the_end", run_with(false, 0)),
        one("run_skip", run_with(true, 5)),
        one("run_skip_to_the_end", run_with(false, 5)),
    ]
}

fn credits() -> Vec<Record> {
    let kinds = [
        ("grant", Kind::Grant),
        ("narrow", Kind::Narrow),
        ("blocked", Kind::Blocked),
        ("return", Kind::Return),
    ];
    let mut all = Vec::new();
    for (name, kind) in kinds {
        all.push(Record::new(
            &format!("credit_{name}"),
            vec![credit(kind, 5, 70_000)],
        ));
        let acked = Frame::Credit {
            kind,
            alias: 64,
            total: 1,
            ack: Some(2),
        };
        all.push(Record::new(&format!("credit_{name}_ack"), vec![acked]));
    }
    let largest = Frame::Credit {
        kind: Kind::Grant,
        alias: (1 << 20) - 1,
        total: MAX62,
        ack: Some(MAX62),
    };
    all.push(Record::new("credit_largest", vec![largest]));
    all
}

fn openings() -> Vec<Record> {
    let one = |name: &str, frame: Frame| Record::new(name, vec![frame]);
    let topic = |len: usize| vec![Opt::Topic(vec![b't'; len])];
    let conflated = profile::ACCEPTOR_SENDS | profile::MESSAGES | profile::CONFLATE | 1;
    let described = vec![
        Opt::Ttl(250),
        Opt::Resume(7, 100),
        Opt::Topic(b"trades/BTC".to_vec()),
        Opt::Metadata(vec![0, 0xFF]),
    ];
    let unknown = vec![
        Opt::Unknown(0, b"a".to_vec()),
        Opt::Unknown(9, b"".to_vec()),
        Opt::Unknown(9, b"".to_vec()),
    ];
    let aligned = Frame::Open {
        alias: 1,
        profile: 0,
        align: 6,
        limit: 65_536,
        max_msg: 100,
        options: Vec::new(),
    };
    let answer = |options| accept((5, 9), 65_536, 32_193, options);
    vec![
        one("open", open(5, 3, 65_536, 32_193, Vec::new())),
        one(
            "open_opener_sends",
            open(0, profile::OPENER_SENDS, 0, 1, Vec::new()),
        ),
        one(
            "open_conflated_subscription",
            open(5, conflated, 8, 8000, topic(6)),
        ),
        one("open_all_bits", open(5, 0xF7, 8, 8000, Vec::new())),
        one("open_aligned", aligned),
        one(
            "open_options",
            open(5, profile::RESUMABLE | 7, 1 << 20, 1 << 16, described),
        ),
        one("open_unknown_options", open(5, 3, 0, 0, unknown)),
        one(
            "open_largest",
            open((1 << 20) - 1, 3, MAX62, MAX62, Vec::new()),
        ),
        // 4,096 bytes: an id of one byte, a length of two, 4,093 bytes.
        one("open_longest_options", open(5, 3, 1, 1, topic(4093))),
        one("accept", answer(Vec::new())),
        one("accept_replay", answer(vec![Opt::Replay(98)])),
        one("accept_snapshot", answer(vec![Opt::Snapshot(120)])),
        one("accept_fresh", answer(vec![Opt::Fresh(8, 0)])),
        one(
            "accept_wants_metadata",
            answer(vec![Opt::Metadata(b"yes".to_vec()), Opt::Wants(64)]),
        ),
        one("reject", reject(5, 7, None)),
        one("reject_info", reject(64, 16, Some(b"have: sbe"))),
        one("reject_info_empty", reject(5, 7, Some(b""))),
        one("reject_largest_code", reject(5, (1 << 32) - 1, None)),
    ]
}

fn control() -> Vec<Record> {
    let one = |name: &str, frame: Frame| Record::new(name, vec![frame]);
    let ext = |ignore, kind, body: &[u8]| Frame::Ext {
        ignore,
        kind,
        body: body.to_vec(),
    };
    vec![
        one("reset_abort", reset((true, false), 5, 8)),
        one("reset_stop", reset((false, true), 5, 0)),
        one("reset_both", reset((true, true), 5, 16)),
        one("reset_largest_code", reset((true, false), 5, (1 << 32) - 1)),
        one("seq", seq(5, 7, 64)),
        one("seq_largest", seq(5, MAX62, MAX62)),
        one("ping", ping(0x0807_0605_0403_0201)),
        one("pong", pong(u64::MAX)),
        one("goaway", goaway(2, 0, "bye")),
        one("goaway_without_reason", goaway(0, 16, "")),
        one(
            "goaway_longest_reason",
            goaway(MAX62, (1 << 32) - 1, &"r".repeat(123)),
        ),
        one(
            "goaway_reason_beyond_ascii",
            goaway(1, 5, "na\u{ef}ve \u{1F680}"),
        ),
        one("ext_ignored", ext(true, 77, b"what")),
        one("ext_ignored_empty", ext(true, MAX62, b"")),
        Record::new("pad_63", vec![Frame::Pad(63)]),
        Record::new("empty", Vec::new()),
    ]
}

fn longer() -> Vec<Record> {
    let padded = vec![
        Frame::Pad(63),
        ping(1),
        Frame::Pad(63),
        ping(2),
        Frame::Pad(1),
    ];
    let batch = vec![
        pong(3),
        credit(Kind::Grant, 0, 98_304),
        data(0, b"one"),
        more(1, b"tw"),
        data(0, b"three"),
        run(2, 2, b"aabb"),
        data(1, b"o"),
        last(0, b"to the end"),
    ];
    let payload = b"abcd";
    let same = || vec![data(5, payload)];
    let tail = hex(payload);
    vec![
        Record::new("pad_between_frames", padded),
        Record::new("batch_of_channels", batch),
        // The alias in two bytes, and in eight; the length in eight.
        Record::raw("longer_alias", &format!("11150010{tail}"), same()),
        Record::raw(
            "longest_alias",
            &format!("11170000000000000010{tail}"),
            same(),
        ),
        Record::raw(
            "longest_length",
            &format!("11141300000000000000{tail}"),
            same(),
        ),
    ]
}
