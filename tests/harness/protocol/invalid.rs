//! Records whose form is wrong, whatever stands before them.

use super::decode::Rule;
use super::frame::{Frame, Opt, Parameter, encode};
use super::frames_json;
use super::json::{Json, hex, unhex};
use super::records::{accept, data, goaway, hello, open, ping};
use crate::frames_mux::{MAX62, profile, tlv, tv, tv_long};

/// A record that breaks a rule by its form. All have code 1 and close code 4001.
#[derive(Debug)]
pub struct Invalid {
    /// Unique among invalid records.
    pub name: String,
    /// As it is sent.
    pub bytes: Vec<u8>,
    /// What stands before the frame that is wrong.
    pub frames: Vec<Frame>,
    /// What it breaks.
    pub rule: Rule,
}

impl Invalid {
    /// As vectors have it.
    #[must_use]
    pub fn json(&self) -> Json {
        Json::Object(vec![
            ("name", self.name.as_str().into()),
            ("hex", hex(&self.bytes).into()),
            ("frames", frames_json(&self.frames)),
            ("rule", format!("R{}", self.rule).into()),
            ("code", 1.into()),
            ("close", 4001.into()),
        ])
    }
}

fn raw(rule: Rule, name: &str, digits: &str) -> Invalid {
    bytes(rule, name, unhex(digits))
}

fn bytes(rule: Rule, name: &str, bytes: Vec<u8>) -> Invalid {
    Invalid {
        name: name.to_owned(),
        bytes,
        frames: Vec::new(),
        rule,
    }
}

fn frame(rule: Rule, name: &str, frame: &Frame) -> Invalid {
    bytes(rule, name, frame.encode())
}

/// All of them.
#[must_use]
pub fn invalid() -> Vec<Invalid> {
    let parts = [
        truncated(),
        types_and_flags(),
        numbers(),
        data_and_runs(),
        opening(),
        options(),
        greetings(),
        control(),
    ];
    let mut all: Vec<Invalid> = parts.into_iter().flatten().collect();
    all.push(behind());
    all
}

/// What is right before a frame that is wrong has been said.
fn behind() -> Invalid {
    let frames = vec![ping(1), Frame::Pad(2), ping(2)];
    Invalid {
        name: "behind_valid_frames".to_owned(),
        bytes: [encode(&frames), vec![0x0C], ping(3).encode()].concat(),
        frames,
        rule: 33,
    }
}

/// Each type, cut by a byte.
fn truncated() -> Vec<Invalid> {
    let cut = |name: &str, frame: Frame| {
        let mut record = frame.encode();
        record.pop();
        bytes(6, &format!("truncated_{name}"), record)
    };
    let ext = Frame::Ext {
        ignore: true,
        kind: 1,
        body: vec![1, 2],
    };
    let mut all = vec![
        cut("data", data(5, b"abc")),
        cut("run", super::records::run(5, 2, b"aabb")),
        cut("open", open(5, 3, 9, 9, vec![Opt::Topic(b"t".to_vec())])),
        cut(
            "accept",
            accept((5, 9), 9, 9, vec![Opt::Metadata(b"m".to_vec())]),
        ),
        cut("reject_info", super::records::reject(5, 7, Some(b"info"))),
        cut("seq", super::records::seq(5, 70, 70)),
        cut("ping", ping(7)),
        cut("goaway", goaway(0, 0, "bye")),
        cut("hello", hello(&[(8, 64)])),
        cut("ext", ext),
    ];
    all.extend([
        raw(6, "truncated_type_alone", "01"),
        raw(6, "truncated_varint", "0115"),
        raw(6, "truncated_credit", "0314"),
        raw(6, "truncated_reject", "0614"),
        raw(6, "truncated_reset", "1714"),
        raw(6, "data_of_2_to_62_bytes", "1114ffffffffffffffff78"),
        raw(6, "run_longer_than_its_record", "1214100c6161616162626262"),
    ]);
    all
}

fn types_and_flags() -> Vec<Invalid> {
    let reserved = [0x0C, 0x0D, 0x0E, 0x1C, 0xFE];
    let reserved = reserved.map(|b| bytes(33, &format!("reserved_type_{b:02x}"), vec![b, 0, 0, 0]));
    // Each flag that a type does not have.
    let known = [0, 15, 9, 15, 0, 0, 1, 3, 0, 1, 0, 0, 15, 15, 15, 1_u8];
    let flags = (0..16_u8).flat_map(|kind| {
        let unknown = (0..4).map(|bit| 1 << bit);
        let unknown = unknown.filter(move |flag| known[usize::from(kind)] & flag == 0);
        unknown.map(move |flag| {
            let mut record = vec![flag << 4 | kind];
            record.resize(24, 4);
            bytes(34, &format!("unknown_flag_{flag}_of_type_{kind:x}"), record)
        })
    });
    let pad = [
        bytes(35, "pad_64", vec![0; 64]),
        bytes(
            35,
            "pad_64_before_a_frame",
            [vec![0; 64], ping(1).encode()].concat(),
        ),
    ];
    reserved.into_iter().chain(flags).chain(pad).collect()
}

fn numbers() -> Vec<Invalid> {
    let alias = |name: &str, head: &[u8], tail: &[u8]| {
        let record = [head, &tv(1 << 20), tail].concat();
        bytes(31, &format!("alias_too_large_{name}"), record)
    };
    let code = |name: &str, head: &[u8], tail: &[u8]| {
        let record = [head, &tv(1 << 32), tail].concat();
        bytes(36, &format!("code_too_large_{name}"), record)
    };
    vec![
        alias("data", &[0x11], &[4, 1]),
        alias("run", &[0x12], &[4, 4, 1]),
        alias("credit", &[3], &[4]),
        alias("open", &[4], &[0, 0, 4, 4, 0]),
        alias("accept_peer", &[5], &[4, 4, 4, 0]),
        alias("accept", &[5, 4], &[4, 4, 0]),
        alias("reject", &[6], &[4]),
        alias("reset", &[0x17], &[4]),
        alias("seq", &[8], &[4, 4]),
        bytes(
            31,
            "alias_largest_number",
            [vec![1], tv(MAX62), vec![1]].concat(),
        ),
        code("reject", &[6, 4], &[]),
        code("reset", &[0x17, 4], &[]),
        code("goaway", &[0xA, 4], &[0]),
    ]
}

fn data_and_runs() -> Vec<Invalid> {
    let head = |b0: u8, numbers: &[Vec<u8>]| [vec![b0], numbers.concat()].concat();
    vec![
        raw(37, "fin_and_more", "7114047a"),
        raw(37, "fin_and_more_to_the_end", "61147a"),
        raw(38, "skip_zero", "911404007a"),
        raw(38, "skip_zero_to_the_end", "8114007a"),
        raw(38, "skip_zero_of_a_run", "92140404007a"),
        raw(39, "run_of_empty_elements", "12140004"),
        raw(39, "run_of_nothing", "12140400"),
        raw(39, "run_of_nothing_to_the_end", "021404"),
        raw(39, "run_of_half_an_element", "02140c7a7a"),
        bytes(
            39,
            "run_element_too_large",
            head(0x12, &[tv(5), tv(1 << 32), tv(1)]),
        ),
        bytes(
            39,
            "run_count_too_large",
            head(0x12, &[tv(5), tv(1), tv(1 << 32)]),
        ),
        raw(40, "credit_narrow_and_blocked", "331404"),
        raw(40, "credit_narrow_and_return", "931404"),
        raw(40, "credit_blocked_and_return", "a31404"),
        raw(40, "credit_of_all_kinds_ack", "f3140404"),
        raw(41, "reset_of_nothing", "071404"),
    ]
}

fn opening() -> Vec<Invalid> {
    vec![
        raw(42, "open_direction_3", "04141804040400"),
        raw(42, "open_mode_bit_4", "04140010040400"),
        raw(42, "open_mode_bit_7", "04140080040400"),
        raw(42, "open_align_7", "04140007040400"),
    ]
}

fn options() -> Vec<Invalid> {
    let with = |rule, name: &str, options: Vec<u8>| {
        let head = [vec![4], tv(5), vec![profile::RESUMABLE, 0], tv(1), tv(1)].concat();
        let record = [head, tv(options.len() as u64), options].concat();
        bytes(rule, name, record)
    };
    let topic = |len: usize| tlv(3, &vec![b't'; len]);
    let pair = |a: u64, b: u64| [tv(a), tv(b)].concat();
    let answer = |name: &str, options| frame(44, name, &accept((5, 9), 1, 1, options));
    let opens = |name: &str, bits, options| frame(44, name, &open(5, bits, 1, 1, options));
    let large = vec![b'm'; 4097];
    vec![
        with(43, "options_too_long", topic(4094)),
        frame(
            43,
            "reject_info_too_long",
            &super::records::reject(5, 7, Some(&large)),
        ),
        with(43, "option_ends_too_late", vec![3 << 2, 5 << 2, b'x']),
        with(43, "option_without_size", vec![3 << 2]),
        with(43, "ttl_empty", tlv(1, b"")),
        with(43, "ttl_too_long", tlv(1, &pair(1, 1))),
        with(43, "ttl_cut", tlv(1, &[1])),
        with(43, "resume_too_short", tlv(2, &tv(7))),
        with(43, "resume_too_long", tlv(2, &[pair(7, 7), tv(7)].concat())),
        with(43, "topic_twice", [topic(1), topic(2)].concat()),
        with(
            43,
            "metadata_twice",
            [tlv(4, b"a"), topic(1), tlv(4, b"a")].concat(),
        ),
        answer("accept_ttl", vec![Opt::Ttl(5)]),
        answer("accept_topic", vec![Opt::Topic(b"t".to_vec())]),
        answer("accept_resume", vec![Opt::Resume(1, 1)]),
        answer("accept_two_answers", vec![Opt::Replay(1), Opt::Snapshot(1)]),
        opens(
            "open_replay",
            profile::RESUMABLE,
            vec![Opt::Resume(1, 1), Opt::Replay(1)],
        ),
        opens("open_snapshot", profile::RESUMABLE, vec![Opt::Snapshot(1)]),
        opens("open_fresh", profile::RESUMABLE, vec![Opt::Fresh(1, 1)]),
        opens("open_wants", profile::RESUMABLE, vec![Opt::Wants(1)]),
        opens("open_resume_not_resumable", 0, vec![Opt::Resume(1, 1)]),
        opens(
            "open_ttl_and_conflate",
            profile::CONFLATE,
            vec![Opt::Ttl(5)],
        ),
    ]
}

fn greetings() -> Vec<Invalid> {
    let one = |id, value: u64, size| Frame::Hello(vec![Parameter::Known(id, value, size)]);
    let out = |name: &str, id, value| frame(47, &format!("hello_{name}"), &hello(&[(id, value)]));
    let unknown = Frame::Hello(vec![Parameter::Unknown(11, vec![0xAA; 1022])]);
    let body = |body: &[u8]| [vec![0x0B], tv(body.len() as u64), body.to_vec()].concat();
    let twice = [tlv(8, &[64]), tlv(8, &[64])].concat();
    vec![
        frame(46, "hello_too_long", &unknown),
        bytes(46, "hello_value_ends_too_late", body(&[8 << 2, 2 << 2, 64])),
        bytes(46, "hello_parameter_without_size", body(&[8 << 2])),
        bytes(46, "hello_value_empty", body(&tlv(8, b""))),
        bytes(
            46,
            "hello_value_of_9_bytes",
            body(&tlv(8, &[64, 0, 0, 0, 0, 0, 0, 0, 0])),
        ),
        bytes(46, "hello_parameter_twice", body(&twice)),
        out("record_bytes_max_too_small", 1, 1023),
        out("record_bytes_max_too_large", 1, (1 << 20) + 1),
        out("message_bytes_max_zero", 2, 0),
        out("message_bytes_max_too_large", 2, MAX62 + 1),
        out("channels_max_too_large", 3, (1 << 20) + 1),
        out("pending_opens_max_too_large", 4, (1 << 20) + 1),
        out("aliases_max_zero", 5, 0),
        out("aliases_max_too_large", 5, (1 << 20) + 1),
        out("channel_limit_too_large", 7, MAX62 + 1),
        out("frame_overhead_too_small", 8, 15),
        out("frame_overhead_too_large", 8, 1025),
        out("idle_timeout_zero", 9, 0),
        frame(47, "hello_idle_timeout_too_large", &one(9, u64::MAX, 8)),
    ]
}

fn control() -> Vec<Invalid> {
    let reason = |bytes: &[u8]| [vec![0xA, 0, 0, bytes.len() as u8], bytes.to_vec()].concat();
    let ext = Frame::Ext {
        ignore: false,
        kind: 9,
        body: b"x".to_vec(),
    };
    vec![
        bytes(48, "goaway_reason_too_long", reason(&[b'r'; 124])),
        bytes(48, "goaway_reason_not_utf8", reason(&[0xC3, 0x28])),
        bytes(
            48,
            "goaway_reason_cut_in_a_character",
            reason(&[b'a', 0xE2, 0x82]),
        ),
        frame(49, "ext_unknown", &ext),
        bytes(
            6,
            "ext_longer_than_its_record",
            [vec![0x1F], tv(1), tv_long(3, 3)].concat(),
        ),
    ]
}
