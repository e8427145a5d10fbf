//! Exchanges in which both ends keep the rules.

use super::endings;
use super::exchange::{Does, Exchange, Opens, told};
use super::frame::{Frame, Kind, Opt, Parameter};
use super::json::{Json, hex};
use super::numbers;
use super::records::{
    accept, credit, data, fin, goaway, hello, last, more, open, ping, pong, reject, reset, run,
    seq, skipped,
};
use crate::frames_mux::profile;

/// Limits of E as its HELLO says them: id, name, default.
const PARAMETERS: [(u64, &str, u64); 9] = [
    (1, "record_bytes_max", 16_448),
    (2, "message_bytes_max", 1 << 20),
    (3, "channels_max", 1024),
    (4, "pending_opens_max", 64),
    (5, "aliases_max", 4096),
    (7, "channel_limit", 65_536),
    (8, "frame_overhead", 64),
    (9, "idle_timeout_ms", 30_000),
    (10, "features", 15),
];

/// The largest message of E by default, on channels of bytes.
pub(super) const MESSAGE_MAX: u64 = 32_193;
/// E's window by default.
pub(super) const WINDOW: u64 = 65_536;
/// Only P sends.
pub(super) const UPLINK: u8 = profile::OPENER_SENDS | 3;
/// Only E sends.
pub(super) const DOWNLINK: u8 = profile::ACCEPTOR_SENDS | 3;

/// E's HELLO.
fn own_hello(config: &[(&str, u64)]) -> Frame {
    let parameters = PARAMETERS.map(|(id, name, default)| {
        let set = config.iter().find(|(set, _)| *set == name);
        (id, set.map_or(default, |(_, value)| *value))
    });
    let Frame::Hello(mut all) = hello(&parameters) else {
        unreachable!("hello makes HELLO")
    };
    all.push(Parameter::Unknown(0x2A3B, b"\x3e\x1c\x17".to_vec()));
    Frame::Hello(all)
}

pub(super) fn ready() -> Json {
    told("ready", None, Vec::new())
}

/// E has said HELLO.
pub(super) fn silent(exchange: Exchange) -> Exchange {
    let hello = own_hello(&exchange.config);
    exchange.sends(vec![hello])
}

/// Both HELLOs are through, P's with these parameters, and E has measured a round trip.
pub(super) fn greeted(exchange: Exchange, parameters: &[(u64, u64)]) -> Exchange {
    silent(exchange)
        .receives(vec![hello(parameters)], vec![ready()])
        .sends(vec![ping(1)])
        .receives(vec![pong(1)], Vec::new())
}

/// What E is told of a channel that P opens with this profile.
pub(super) fn offered(channel: usize, topic: &str, bits: u8) -> Json {
    offered_resuming(channel, topic, bits, None)
}

pub(super) fn offered_resuming(
    channel: usize,
    topic: &str,
    bits: u8,
    resume: Option<(u64, u64)>,
) -> Json {
    let mode = if bits & profile::CONFLATE == 0 {
        "reliable"
    } else {
        "conflated"
    };
    let mut members = vec![
        ("topic", hex(topic.as_bytes()).into()),
        ("priority", u64::from(bits & 7).into()),
        (
            "direction",
            ["both", "opener", "acceptor"][usize::from(bits >> 3 & 3)].into(),
        ),
        (
            "unit",
            ["bytes", "messages"][usize::from(bits >> 5 & 1)].into(),
        ),
        ("mode", mode.into()),
        ("resumable", (bits & profile::RESUMABLE != 0).into()),
    ];
    if let Some((epoch, next_seq)) = resume {
        members.extend([("epoch", epoch.into()), ("next_seq", next_seq.into())]);
    }
    told("open", Some(channel), members)
}

pub(super) fn message(channel: usize, payload: &[u8], seq: u64, skipped: u64) -> Json {
    let members = vec![
        ("payload", hex(payload).into()),
        ("seq", seq.into()),
        ("skipped", skipped.into()),
    ];
    told("message", Some(channel), members)
}

pub(super) fn run_told(channel: usize, elem: u64, payload: &[u8], seq: u64, skipped: u64) -> Json {
    let members = vec![
        ("elem", elem.into()),
        ("payload", hex(payload).into()),
        ("seq", seq.into()),
        ("skipped", skipped.into()),
    ];
    told("run", Some(channel), members)
}

pub(super) fn just(name: &str, channel: usize) -> Json {
    told(name, Some(channel), Vec::new())
}

pub(super) fn with_code(name: &str, channel: Option<usize>, code: u64) -> Json {
    told(name, channel, vec![("code", code.into())])
}

fn accepted(channel: usize) -> Json {
    told("accepted", Some(channel), vec![("metadata", "".into())])
}

pub(super) fn topic(name: &str) -> Vec<Opt> {
    vec![Opt::Topic(name.as_bytes().to_vec())]
}

pub(super) fn accepts(channel: usize) -> Does {
    Does::Accept {
        channel,
        replay: None,
        wants: None,
    }
}

/// P opens channel 0 under alias 0, and E accepts it under alias 0.
pub(super) fn opened(exchange: Exchange, bits: u8) -> Exchange {
    opened_as(exchange, 0, bits)
}

/// The same with another number.
pub(super) fn opened_as(exchange: Exchange, n: usize, bits: u8) -> Exchange {
    let window = own(&exchange, "channel_limit");
    let (receives, sends) = (
        bits & 0x18 != profile::ACCEPTOR_SENDS,
        bits & 0x18 != profile::OPENER_SENDS,
    );
    let counts = bits & profile::MESSAGES != 0;
    let limit = match (receives, counts) {
        (false, _) => 0,
        (true, true) => 8,
        (true, false) => window,
    };
    // By R20, as the document's formulas have it.
    let max = largest(&exchange, if counts { window / 8 } else { room(window) });
    exchange
        .receives(
            vec![open(
                n as u64,
                bits,
                if sends { WINDOW } else { 0 },
                30_000,
                Vec::new(),
            )],
            vec![offered(n, "", bits)],
        )
        .does(accepts(n))
        .sends(vec![accept((n as u64, n as u64), limit, max, Vec::new())])
}

/// What E announces.
fn own(exchange: &Exchange, name: &str) -> u64 {
    let set = exchange.config.iter().find(|(set, _)| *set == name);
    let default = PARAMETERS.iter().find(|(_, known, _)| *known == name);
    set.map(|(_, value)| *value)
        .or(default.map(|(.., value)| *value))
        .unwrap_or(0)
}

/// W - theta(W) + 1.
fn room(window: u64) -> u64 {
    let part = if window >= 65_536 { 2 } else { 4 };
    window - (window / part).max(1) + 1
}

/// The largest n with cost(n) <= `room`.
fn largest(exchange: &Exchange, room: u64) -> u64 {
    let (window, record) = (
        own(exchange, "channel_limit"),
        own(exchange, "record_bytes_max"),
    );
    let overhead = own(exchange, "frame_overhead");
    let fragment = (record / 4).min(window / 4).max(1);
    let cost = |n: u64| n + overhead * (n.div_ceil(fragment) + 1);
    (0..room).rev().find(|&n| cost(n) <= room).unwrap_or(0)
}

/// E with a window of 1,024 bytes, records as short, and K = 16: S = 256, theta = 256, largest
/// message 705.
pub(super) fn narrow(name: &'static str, about: &'static str) -> Exchange {
    Exchange::new(name, about)
        .set("record_bytes_max", 1024)
        .set("channel_limit", 1024)
        .set("frame_overhead", 16)
        .set("metadata_bytes_max", 64)
}

/// All of them.
#[must_use]
pub fn exchanges() -> Vec<Exchange> {
    let parts = [
        of_channels(),
        of_credit(),
        numbers::exchanges(),
        endings::exchanges(),
    ];
    parts.into_iter().flatten().collect()
}

fn of_channels() -> Vec<Exchange> {
    vec![
        open_send_finish(),
        conflated_subscription(),
        sent_before_accept(),
        rejected_and_opened_again(),
        refused_for_want_of_room(),
        refused_for_a_long_topic(),
        extensions_are_ignored(),
    ]
}

fn open_send_finish() -> Exchange {
    let about = "a channel is opened, used and closed; the first message does not wait for ACCEPT";
    greeted(Exchange::new("open_send_finish", about), &[])
        .shows(&[17, 59])
        .receives(
            vec![open(5, 3, WINDOW, 30_000, topic("echo")), last(5, b"hi")],
            vec![offered(0, "echo", 3), message(0, b"hi", 0, 0)],
        )
        .does(accepts(0))
        .sends(vec![accept((5, 0), WINDOW, MESSAGE_MAX, Vec::new())])
        .does(Does::Send(0, b"hi".to_vec()))
        .sends(vec![last(0, b"hi")])
        .receives(
            vec![fin(5, b"bye")],
            vec![message(0, b"bye", 1, 0), just("finished", 0)],
        )
        .does(Does::Finish(0))
        .sends(vec![fin(0, b"")])
        .receives(
            vec![goaway(0, 0, "done")],
            vec![with_code("draining", None, 0), with_code("ended", None, 0)],
        )
}

fn conflated_subscription() -> Exchange {
    let bits = profile::ACCEPTOR_SENDS | profile::MESSAGES | profile::CONFLATE | 1;
    let opens = Opens {
        topic: "EURUSD",
        profile: bits,
        ..Opens::default()
    };
    let about = "E subscribes; P has replaced two messages; E gives credit back, then stops";
    greeted(Exchange::new("conflated_subscription", about), &[])
        .shows(&[15, 21, 22])
        .does(Does::Open(opens))
        .sends(vec![open(0, bits, 8, 8000, topic("EURUSD"))])
        .receives(vec![accept((0, 9), 0, 100, Vec::new())], vec![accepted(0)])
        .receives(
            vec![data(9, b"1.0"), skipped(9, 2, b"1.3")],
            vec![message(0, b"1.0", 0, 0), message(0, b"1.3", 3, 2)],
        )
        .does(Does::Consume(0))
        .sends(vec![credit(Kind::Grant, 0, 10)])
        .does(Does::Stop(0, 0))
        .sends(vec![reset((false, true), 0, 0)])
        .receives(
            vec![data(9, b"late"), reset((true, false), 9, 0)],
            Vec::new(),
        )
        .sends_all(Vec::new())
}

fn sent_before_accept() -> Exchange {
    let opens = Opens {
        topic: "orders",
        profile: 3,
        ..Opens::default()
    };
    let about = "E sends before its OPEN is answered, and two frames go in one record";
    greeted(Exchange::new("sent_before_accept", about), &[])
        .shows(&[20])
        .does(Does::Open(opens))
        .does(Does::Send(0, b"buy".to_vec()))
        .sends(vec![
            open(0, 3, WINDOW, MESSAGE_MAX, topic("orders")),
            last(0, b"buy"),
        ])
        .receives(
            vec![
                accept((0, 70), WINDOW, MESSAGE_MAX, Vec::new()),
                data(70, b"done"),
            ],
            vec![accepted(0), message(0, b"done", 0, 0)],
        )
}

fn rejected_and_opened_again() -> Exchange {
    let about = "what was sent before P knew of REJECT is ignored; then the alias has a new life";
    let rejects = |channel, code, metadata: &[u8]| Does::Reject {
        channel,
        code,
        metadata: metadata.to_vec(),
    };
    let late = vec![
        data(5, b"late"),
        more(5, b"later"),
        run(5, 1, b"ab"),
        seq(5, 1, 1),
        credit(Kind::Grant, 5, 70_000),
        credit(Kind::Return, 5, 70_000),
        reset((true, true), 5, 0),
    ];
    greeted(Exchange::new("rejected_and_opened_again", about), &[])
        .shows(&[24, 64])
        .receives(
            vec![open(5, 3, WINDOW, 9, topic("x")), data(5, b"early")],
            vec![offered(0, "x", 3), message(0, b"early", 0, 0)],
        )
        .does(rejects(0, 16, b"no"))
        .sends(vec![reject(5, 16, Some(b"no"))])
        .receives(late, Vec::new())
        .receives(
            vec![open(5, UPLINK, 0, 9, topic("y"))],
            vec![offered(1, "y", UPLINK)],
        )
        .does(rejects(1, 7, b""))
        .sends(vec![reject(5, 7, None)])
}

fn refused_for_want_of_room() -> Exchange {
    let about = "E keeps 64 KiB of P's messages in all: the second window has no room";
    let exchange =
        Exchange::new("refused_for_want_of_room", about).set("receive_bytes_max", WINDOW);
    opened(greeted(exchange, &[]), UPLINK)
        .shows(&[19])
        .receives(vec![open(1, UPLINK, 0, 9, Vec::new())], Vec::new())
        .sends(vec![reject(1, 4, None)])
        .receives(
            vec![open(2, DOWNLINK, WINDOW, 9, Vec::new())],
            vec![offered(1, "", DOWNLINK)],
        )
}

fn refused_for_a_long_topic() -> Exchange {
    let about = "E keeps 16 bytes of topic and metadata: a longer OPEN is refused";
    let exchange = Exchange::new("refused_for_a_long_topic", about).set("metadata_bytes_max", 16);
    greeted(exchange, &[])
        .shows(&[45])
        .receives(
            vec![open(1, 3, WINDOW, 9, topic("seventeen letters"))],
            Vec::new(),
        )
        .sends(vec![reject(1, 4, None)])
        .receives(
            vec![open(1, 3, WINDOW, 9, topic("sixteen letters!"))],
            vec![offered(0, "sixteen letters!", 3)],
        )
}

fn extensions_are_ignored() -> Exchange {
    let about = "unknown parameters, options and extensions change nothing";
    let unknown = |id, bytes: &[u8]| Parameter::Unknown(id, bytes.to_vec());
    let greeting = vec![
        unknown(6, &[0, 0, 16, 0]),
        Parameter::Known(8, 64, 1),
        unknown(99, b""),
    ];
    let ext = Frame::Ext {
        ignore: true,
        kind: 77,
        body: b"what".to_vec(),
    };
    let options = vec![Opt::Unknown(99, b"?".to_vec()), Opt::Topic(b"x".to_vec())];
    silent(Exchange::new("extensions_are_ignored", about))
        .shows(&[32])
        .receives(vec![Frame::Pad(1), Frame::Hello(greeting)], vec![ready()])
        .sends(vec![ping(1)])
        .receives(Vec::new(), Vec::new())
        .receives(
            vec![
                pong(1),
                ext,
                Frame::Pad(63),
                open(0, 3, WINDOW, 9, options),
                Frame::Pad(2),
            ],
            vec![offered(0, "x", 3)],
        )
        .does(accepts(0))
        .sends(vec![accept((0, 0), WINDOW, MESSAGE_MAX, Vec::new())])
}

fn of_credit() -> Vec<Exchange> {
    vec![
        blocked_and_granted(),
        charged_and_given_back(),
        a_lower_limit_is_ignored(),
        narrow_is_answered(),
        fragments_between_other_messages(),
        an_unfinished_message_is_given_up(),
    ]
}

/// E opens channel 0 to P, whose HELLO grants 1,024 bytes; P accepts it under alias 7.
fn to_a_narrow_peer(name: &'static str, about: &'static str) -> Exchange {
    let opens = Opens {
        topic: "bulk",
        profile: UPLINK,
        ..Opens::default()
    };
    greeted(Exchange::new(name, about), &[(7, 1024), (8, 64)])
        .does(Does::Open(opens))
        .sends(vec![open(0, UPLINK, 0, MESSAGE_MAX, topic("bulk"))])
        .receives(
            vec![accept((0, 7), 1024, 513, Vec::new())],
            vec![accepted(0)],
        )
}

fn blocked_and_granted() -> Exchange {
    let about = "credit holds E back; E says so after 500 ms, and goes on with what P gives back";
    let message = vec![0x61; 300];
    let sends = || Does::Send(0, vec![0x61; 300]);
    to_a_narrow_peer("blocked_and_granted", about)
        .shows(&[29])
        .does(sends())
        .does(sends())
        .does(sends())
        .sends(vec![data(0, &message), data(0, &message)])
        .waits(600)
        .sends(vec![credit(Kind::Blocked, 0, 1024)])
        .receives(vec![credit(Kind::Grant, 7, 1752)], Vec::new())
        .sends(vec![data(0, &message)])
}

fn charged_and_given_back() -> Exchange {
    let about = "144 bytes are less than theta, 288 are not: limit = consumed + W";
    let payload = [0x62; 128];
    opened(
        greeted(narrow("charged_and_given_back", about), &[]),
        UPLINK,
    )
    .shows(&[11, 21, 57])
    .receives(vec![data(0, &payload)], vec![message(0, &payload, 0, 0)])
    .does(Does::Consume(0))
    .sends_all(Vec::new())
    .receives(vec![data(0, &payload)], vec![message(0, &payload, 1, 0)])
    .sends_all(Vec::new())
    .does(Does::Consume(0))
    .sends(vec![credit(Kind::Grant, 0, 1312)])
    // As much as can be given back: nothing.
    .receives(vec![credit(Kind::Return, 0, 288)], Vec::new())
    .receives(vec![data(0, &payload)], vec![message(0, &payload, 2, 0)])
    .receives(vec![credit(Kind::Blocked, 0, 1312)], Vec::new())
    .sends_all(Vec::new())
    .does(Does::Consume(0))
    .sends(vec![credit(Kind::Grant, 0, 1456)])
}

fn a_lower_limit_is_ignored() -> Exchange {
    let message = vec![0x61; 300];
    let about = "a limit that is lower, late or repeated changes nothing";
    to_a_narrow_peer("a_lower_limit_is_ignored", about)
        .shows(&[9])
        .receives(
            vec![credit(Kind::Grant, 7, 500), credit(Kind::Grant, 7, 1024)],
            Vec::new(),
        )
        .does(Does::Send(0, message.clone()))
        .does(Does::Send(0, message.clone()))
        .sends(vec![data(0, &message), data(0, &message)])
}

fn narrow_is_answered() -> Exchange {
    let about = "P asks for unused credit, all but 1,000 bytes; E counts the rest as charged";
    to_a_narrow_peer("narrow_is_answered", about)
        .shows(&[57])
        .receives(vec![credit(Kind::Grant, 7, 5000)], Vec::new())
        .receives(vec![credit(Kind::Narrow, 7, 1024)], Vec::new())
        .sends(vec![credit(Kind::Return, 0, 3976)])
        .receives(vec![credit(Kind::Narrow, 7, 1024)], Vec::new())
        .sends_all(Vec::new())
}

fn fragments_between_other_messages() -> Exchange {
    let about = "a message in three fragments and two records, with another channel between them";
    let part = [0x63; 256];
    let whole = [&part[..], &part, b"c"].concat();
    let exchange = greeted(narrow("fragments_between_other_messages", about), &[]);
    opened_as(opened(exchange, UPLINK), 1, UPLINK)
        .shows(&[20, 30])
        .receives(
            vec![more(0, &part), data(1, b"between"), more(0, &part)],
            vec![message(1, b"between", 0, 0)],
        )
        .receives(vec![last(0, b"c")], vec![message(0, &whole, 0, 0)])
        .does(Does::Consume(0))
        // 513 and three times 16.
        .sends(vec![credit(Kind::Grant, 0, 1024 + 561)])
}

fn an_unfinished_message_is_given_up() -> Exchange {
    let about = "no further fragment comes for ten seconds";
    let exchange = greeted(narrow("an_unfinished_message_is_given_up", about), &[]);
    opened(exchange, UPLINK)
        .shows(&[30])
        .receives(vec![more(0, &[0x63; 256])], Vec::new())
        .waits(10_500)
        .sends(vec![ping(2), reset((false, true), 0, 8)])
        .receives(
            vec![data(0, b"rest"), reset((true, false), 0, 8)],
            Vec::new(),
        )
        .sends_all(Vec::new())
}
