//! Exchanges in which P breaks a rule that depends on what was said before.

use super::exchange::{Does, Exchange, Opens, Step, told};
use super::exchanges::{
    DOWNLINK, UPLINK, WINDOW, greeted, just, message, narrow, offered, opened, opened_as, silent,
};
use super::frame::{Frame, Kind, Opt, encode};
use super::records::{
    accept, credit, data, fin, goaway, hello, last, more, open, ping, reject, reset, run, seq,
    skipped,
};
use crate::frames_mux::{MAX62, profile};

const PROTOCOL: u32 = 1;
const FLOW: u32 = 2;
const SIZE: u32 = 3;
const LIMIT: u32 = 4;
const CALM: u32 = 5;

/// All of them.
#[must_use]
pub fn violations() -> Vec<Exchange> {
    let parts = [
        of_records(),
        of_aliases(),
        of_halves(),
        of_answers(),
        of_limits(),
        of_sizes(),
        of_credit(),
        of_returned_credit(),
        of_numbers(),
    ];
    parts.into_iter().flatten().collect()
}

/// P breaks a rule with this frame, whatever it is, after `exchange`.
fn wrong(exchange: Exchange, rule: u32, code: u32, frame: Frame) -> Exchange {
    exchange
        .receives(vec![frame], Vec::new())
        .breaks(rule, code)
}

fn at_once(name: &'static str, about: &'static str) -> Exchange {
    greeted(Exchange::new(name, about), &[])
}

fn in_use(name: &'static str, about: &'static str) -> Exchange {
    opened(at_once(name, about), 3)
}

fn of_records() -> Vec<Exchange> {
    let long = narrow("record_too_large", "a record of a byte more than E takes");
    let before = "valid_frames_before_an_invalid_one";
    let before = in_use(before, "frames before an invalid one have taken effect");
    let both = [encode(&[data(0, b"ok")]), vec![0x0C]].concat();
    let mut mixed = before
        .receives(vec![data(0, b"ok")], vec![message(0, b"ok", 0, 0)])
        .shows(&[10])
        .breaks(33, PROTOCOL);
    if let Some(Step::Receives(bytes, ..)) = mixed.steps.last_mut() {
        *bytes = both;
    }
    vec![
        wrong(
            silent(Exchange::new(
                "ping_before_hello",
                "HELLO is the first frame",
            )),
            23,
            PROTOCOL,
            ping(1),
        ),
        wrong(
            silent(Exchange::new(
                "data_before_hello",
                "HELLO is the first frame",
            )),
            23,
            PROTOCOL,
            data(0, b"x"),
        ),
        wrong(
            at_once("hello_twice", "HELLO is sent once"),
            23,
            PROTOCOL,
            hello(&[]),
        ),
        at_once("text", "text is no record")
            .receives_text()
            .breaks(14, PROTOCOL),
        greeted(long, &[])
            .receives_bytes(vec![0; 1025])
            .breaks(13, SIZE),
        mixed,
    ]
}

fn of_aliases() -> Vec<Exchange> {
    let never = |name, frame| {
        wrong(
            at_once(name, "the alias was never opened"),
            24,
            PROTOCOL,
            frame,
        )
    };
    let opens = Opens {
        topic: "",
        profile: 3,
        ..Opens::default()
    };
    let asks = |name, about| {
        at_once(name, about)
            .does(Does::Open(opens.clone()))
            .sends(vec![open(0, 3, WINDOW, 32_193, Vec::new())])
    };
    let twice = in_use(
        "accept_on_an_alias_in_use",
        "the alias is that of another channel",
    );
    let twice =
        twice
            .does(Does::Open(opens.clone()))
            .sends(vec![open(1, 3, WINDOW, 32_193, Vec::new())]);
    let above = Exchange::new("open_alias_above_the_limit", "E takes aliases below 4");
    let above = above.set("channels_max", 4).set("aliases_max", 4);
    vec![
        never("data_of_an_unknown_alias", data(3, b"who?")),
        never("fin_of_an_unknown_alias", fin(3, b"")),
        never("run_of_an_unknown_alias", run(3, 1, b"x")),
        never("credit_of_an_unknown_alias", credit(Kind::Grant, 3, 9)),
        never("reset_of_an_unknown_alias", reset((true, false), 3, 9)),
        never("seq_of_an_unknown_alias", seq(3, 1, 1)),
        wrong(
            in_use("open_on_an_alias_in_use", "an alias has one life at a time"),
            24,
            PROTOCOL,
            open(0, 3, WINDOW, 9, Vec::new()),
        ),
        wrong(twice, 24, PROTOCOL, accept((1, 0), WINDOW, 9, Vec::new())),
        wrong(
            greeted(above, &[]),
            31,
            PROTOCOL,
            open(4, 3, WINDOW, 9, Vec::new()),
        ),
        wrong(
            asks(
                "accept_alias_above_the_limit",
                "E takes aliases below 4,096",
            ),
            31,
            PROTOCOL,
            accept((0, 4096), WINDOW, 9, Vec::new()),
        ),
    ]
}

fn of_halves() -> Vec<Exchange> {
    let mut all = Vec::new();
    let frames = || {
        [
            data(0, b"x"),
            run(0, 1, b"x"),
            seq(0, 1, 1),
            credit(Kind::Return, 0, 9),
        ]
    };
    let names = [
        [
            "data_after_fin",
            "run_after_fin",
            "seq_after_fin",
            "return_after_fin",
        ],
        [
            "data_after_abort",
            "run_after_abort",
            "seq_after_abort",
            "return_after_abort",
        ],
        [
            "data_on_a_closed_alias",
            "run_on_a_closed_alias",
            "seq_on_a_closed_alias",
            "return_on_a_closed_alias",
        ],
        [
            "data_against_the_direction",
            "run_against_the_direction",
            "seq_against_the_direction",
            "return_against_the_direction",
        ],
    ];
    for (at, frame) in frames().into_iter().enumerate() {
        let ended = in_use(names[0][at], "the half has ended with FIN")
            .receives(vec![fin(0, b"")], vec![just("finished", 0)]);
        all.push(wrong(ended, 51, PROTOCOL, frame.clone()));
        let code = told("aborted", Some(0), vec![("code", 20.into())]);
        let aborted = in_use(names[1][at], "the half has ended with ABORT")
            .receives(vec![reset((true, false), 0, 20)], vec![code]);
        all.push(wrong(aborted, 51, PROTOCOL, frame.clone()));
        let closed = opened(at_once(names[2][at], "both halves have ended"), UPLINK)
            .receives(vec![fin(0, b"")], vec![just("finished", 0)])
            .receives(
                vec![credit(Kind::Grant, 0, 9), reset((false, true), 0, 9)],
                Vec::new(),
            );
        all.push(wrong(closed, 51, PROTOCOL, frame.clone()));
        let silent = opened(
            at_once(names[3][at], "only E sends on the channel"),
            DOWNLINK,
        );
        all.push(wrong(silent, 50, PROTOCOL, frame));
    }
    let inside = [
        ("run_inside_a_message", run(0, 1, b"x")),
        ("seq_inside_a_message", seq(0, 1, 1)),
        ("fin_inside_a_message", fin(0, b"")),
        ("return_inside_a_message", credit(Kind::Return, 0, 9)),
    ];
    for (name, frame) in inside {
        let begun =
            in_use(name, "a message is not finished").receives(vec![more(0, b"ha")], Vec::new());
        all.push(wrong(begun, 52, PROTOCOL, frame));
    }
    all
}

fn of_answers() -> Vec<Exchange> {
    let opens = |profile| Opens {
        topic: "",
        profile,
        ..Opens::default()
    };
    let asks = |name, about, bits| {
        at_once(name, about)
            .does(Does::Open(opens(bits)))
            .sends(vec![open(0, bits, WINDOW, 32_193, Vec::new())])
    };
    let answered = |name| {
        let accepted = told("accepted", Some(0), vec![("metadata", "".into())]);
        asks(name, "the OPEN is answered already", 3)
            .receives(vec![accept((0, 7), WINDOW, 9, Vec::new())], vec![accepted])
    };
    let resumed = accept((0, 7), WINDOW, 9, vec![Opt::Replay(0)]);
    vec![
        wrong(
            at_once("accept_without_open", "E has asked for nothing"),
            53,
            PROTOCOL,
            accept((0, 0), WINDOW, 9, Vec::new()),
        ),
        wrong(
            at_once("reject_without_open", "E has asked for nothing"),
            53,
            PROTOCOL,
            reject(0, 7, None),
        ),
        wrong(
            answered("accept_twice"),
            53,
            PROTOCOL,
            accept((0, 8), WINDOW, 9, Vec::new()),
        ),
        wrong(
            answered("reject_after_accept"),
            53,
            PROTOCOL,
            reject(0, 7, None),
        ),
        wrong(
            asks(
                "replay_without_resume",
                "E has not asked to resume",
                profile::RESUMABLE | 3,
            ),
            44,
            PROTOCOL,
            resumed,
        ),
    ]
}

fn of_limits() -> Vec<Exchange> {
    let channels = Exchange::new("too_many_channels", "E takes one channel").set("channels_max", 1);
    let channels = opened(greeted(channels, &[]), UPLINK);
    let opens = Exchange::new("too_many_unanswered_opens", "E takes one OPEN at a time");
    let opens = greeted(opens.set("pending_opens_max", 1), &[]).receives(
        vec![open(0, UPLINK, 0, 9, Vec::new())],
        vec![offered(0, "", UPLINK)],
    );
    let pings = at_once(
        "too_many_pings",
        "ten PINGs at once are taken, the eleventh is not",
    );
    let goaways = in_use(
        "too_many_goaways",
        "ten GOAWAYs at once are taken, the eleventh is not",
    );
    let draining = || told("draining", None, vec![("code", 0.into())]);
    vec![
        wrong(channels, 54, LIMIT, open(1, UPLINK, 0, 9, Vec::new())),
        wrong(opens, 54, LIMIT, open(1, UPLINK, 0, 9, Vec::new())),
        pings
            .receives((0..11).map(ping).collect(), Vec::new())
            .breaks(4, CALM),
        goaways
            .receives(
                vec![goaway(0, 0, ""); 11],
                (0..10).map(|_| draining()).collect(),
            )
            .breaks(4, CALM),
    ]
}

fn of_sizes() -> Vec<Exchange> {
    let large = |name, about| opened(greeted(narrow(name, about), &[]), UPLINK);
    let early = greeted(
        narrow(
            "message_too_large_before_accept",
            "705 bytes are what R20 gives",
        ),
        &[],
    )
    .receives(
        vec![open(0, UPLINK, 0, 9, Vec::new()), data(0, &[7; 705])],
        vec![offered(0, "", UPLINK), message(0, &[7; 705], 0, 0)],
    )
    .shows(&[20]);
    // W / 8 = 1,024: 768 bytes in three fragments, and K for one more.
    let cut = Exchange::new(
        "message_cut_too_small",
        "16 fragments of a byte cost 1,040, E takes 1,024",
    );
    let cut = cut
        .set("record_bytes_max", 1024)
        .set("channel_limit", 8192)
        .set("metadata_bytes_max", 64);
    let cut = opened(greeted(cut, &[]), UPLINK | profile::MESSAGES);
    vec![
        wrong(
            large("message_too_large", "E takes 705 bytes"),
            55,
            SIZE,
            data(0, &[7; 706]),
        ),
        large("fragments_too_large_together", "E takes 705 bytes")
            .receives(vec![more(0, &[7; 256]), more(0, &[7; 256])], Vec::new())
            .receives(vec![last(0, &[7; 194])], Vec::new())
            .breaks(55, SIZE),
        wrong(
            large("run_element_too_large", "E takes 705 bytes"),
            55,
            SIZE,
            run(0, 706, &[7; 706]),
        ),
        wrong(early, 55, SIZE, data(0, &[7; 706])),
        cut.receives((0..16).map(|_| more(0, b"x")).collect(), Vec::new())
            .breaks(55, SIZE),
    ]
}

/// P has opened channel 0 to E, whose window has 1,024 bytes.
fn narrow_window(name: &'static str, about: &'static str) -> Exchange {
    opened(greeted(narrow(name, about), &[]), UPLINK)
}

/// Seven messages of 128 bytes, each charged 144: 1,008 bytes.
fn seven(exchange: Exchange) -> Exchange {
    let payload = [7; 128];
    let told = (0..7).map(|seq| message(0, &payload, seq, 0)).collect();
    exchange.receives((0..7).map(|_| data(0, &payload)).collect(), told)
}

/// E drops what comes on channel 0.
fn stopped(exchange: Exchange) -> Exchange {
    exchange
        .does(Does::Stop(0, 0))
        .sends(vec![reset((false, true), 0, 0)])
}

fn of_credit() -> Vec<Exchange> {
    let over = |name| seven(narrow_window(name, "1,008 of 1,024 bytes are charged"));
    let after_stop = seven(narrow_window(
        "more_than_credit_after_stop",
        "what is dropped is checked, too",
    ));
    let wrong = |exchange, frame| wrong(exchange, 56, FLOW, frame);
    vec![
        wrong(over("more_bytes_than_credit"), data(0, b"x")),
        wrong(over("more_bytes_than_credit_in_a_run"), run(0, 1, b"x")),
        wrong(over("more_bytes_than_credit_in_a_fragment"), more(0, b"x")),
        wrong(
            counted("more_messages_than_credit", "eight may come before ACCEPT"),
            data(0, b"x"),
        ),
        wrong(
            counted(
                "a_fragment_without_credit",
                "a fragment needs a message of credit",
            ),
            more(0, b"x"),
        ),
        wrong(stopped(after_stop), data(0, b"x")),
    ]
}

/// P has used the eight messages of credit of a channel that counts messages.
fn counted(name: &'static str, about: &'static str) -> Exchange {
    let bits = UPLINK | profile::MESSAGES;
    let told = (0..8).map(|seq| message(0, b"x", seq, 0));
    let told = [offered(0, "", bits)].into_iter().chain(told).collect();
    let eight = (0..8).map(|_| data(0, b"x"));
    let frames = [open(0, bits, 0, 9, Vec::new())]
        .into_iter()
        .chain(eight)
        .collect();
    at_once(name, about).receives(frames, told)
}

fn of_returned_credit() -> Vec<Exchange> {
    let payload = [7; 128];
    let given_back = |name, about| {
        narrow_window(name, about)
            .receives(
                vec![data(0, &payload), data(0, &payload)],
                vec![message(0, &payload, 0, 0), message(0, &payload, 1, 0)],
            )
            .does(Does::Consume(0))
            .sends(vec![credit(Kind::Grant, 0, 1312)])
    };
    let after_stop = stopped(narrow_window(
        "return_above_the_limit_after_stop",
        "the limit is 1,024",
    ))
    .receives(vec![credit(Kind::Return, 0, 1024)], Vec::new());
    let wrong = |exchange, total| wrong(exchange, 57, FLOW, credit(Kind::Return, 0, total));
    vec![
        wrong(given_back("return_above_its_bound", "limit - W = 288"), 289),
        wrong(
            given_back("return_below_what_is_charged", "288 are charged"),
            287,
        ),
        wrong(after_stop, 1025),
    ]
}

fn of_numbers() -> Vec<Exchange> {
    let near = |name, about, next: u64| {
        let members = vec![("epoch", 0.into()), ("next_seq", next.into())];
        let rebased = told("rebased", Some(0), members);
        in_use(name, about).receives(vec![seq(0, 0, next)], vec![rebased])
    };
    let full = near("number_too_large", "2^62 - 2 is the last number", MAX62 - 1)
        .receives(vec![data(0, b"x")], vec![message(0, b"x", MAX62 - 1, 0)]);
    let second = opened_as(
        in_use("run_number_too_large", "the run passes the last number"),
        1,
        UPLINK,
    );
    let members = vec![("epoch", 0.into()), ("next_seq", (MAX62 - 2).into())];
    let second = second.receives(
        vec![seq(1, 0, MAX62 - 2)],
        vec![told("rebased", Some(1), members)],
    );
    vec![
        wrong(full, 58, PROTOCOL, data(0, b"x")),
        wrong(second, 58, PROTOCOL, run(1, 1, b"ab")),
        wrong(
            in_use("seq_number_too_large", "next_seq is below 2^62 - 1"),
            58,
            PROTOCOL,
            seq(0, 0, MAX62),
        ),
        wrong(
            near(
                "skip_over_the_last_number",
                "the number behind SKIP is too large",
                MAX62 - 5,
            ),
            58,
            PROTOCOL,
            skipped(0, 5, b"x"),
        ),
    ]
}
