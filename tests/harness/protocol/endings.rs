//! Exchanges in which halves, channels or the connection end.

use super::exchange::{Does, Exchange, Opens, told};
use super::exchanges::{
    MESSAGE_MAX, WINDOW, greeted, just, message, offered, opened, topic, with_code,
};
use super::frame::{Frame, Kind};
use super::records::{credit, data, fin, goaway, more, open, ping, pong, reject, reset, seq};

/// All of them.
pub(super) fn exchanges() -> Vec<Exchange> {
    vec![
        stopped(),
        stops(),
        aborted(),
        lost(),
        withdrawn(),
        pings(),
        drained(),
        not_seen(),
        idle(),
        ended(),
    ]
}

/// P has opened channel 0, and both ends may send on it.
fn opened_both_ways(name: &'static str, about: &'static str) -> Exchange {
    opened(greeted(Exchange::new(name, about), &[]), 3)
}

fn stopped() -> Exchange {
    opened_both_ways(
        "stopped_by_p",
        "P reads no more: E ends its half with ABORT",
    )
    .shows(&[15])
    .receives(
        vec![reset((false, true), 0, 20)],
        vec![with_code("stopped", Some(0), 20)],
    )
    .sends(vec![reset((true, false), 0, 20)])
    .receives(vec![data(0, b"still")], vec![message(0, b"still", 0, 0)])
}

fn stops() -> Exchange {
    opened_both_ways(
        "stopped_by_e",
        "E reads no more: what still comes is dropped",
    )
    .shows(&[15])
    .does(Does::Stop(0, 21))
    .sends(vec![reset((false, true), 0, 21)])
    .receives(
        vec![data(0, b"late"), more(0, b"la"), seq(0, 9, 9), fin(0, b"")],
        Vec::new(),
    )
    .does(Does::Finish(0))
    .sends(vec![fin(0, b"")])
    .receives(
        vec![credit(Kind::Grant, 0, 70_000), reset((false, true), 0, 0)],
        Vec::new(),
    )
    .receives(
        vec![open(0, 3, WINDOW, 9, Vec::new())],
        vec![offered(1, "", 3)],
    )
}

fn aborted() -> Exchange {
    opened_both_ways("aborted_by_p", "P gives up inside a message")
        .receives(vec![more(0, b"ha")], Vec::new())
        .receives(
            vec![reset((true, false), 0, 22)],
            vec![with_code("aborted", Some(0), 22)],
        )
        .does(Does::Reset(0, 23))
        .sends(vec![reset((true, false), 0, 23)])
}

fn lost() -> Exchange {
    opened_both_ways(
        "lost_messages_before_fin",
        "FIN tells of messages that were dropped",
    )
    .shows(&[17, 22])
    .receives(
        vec![
            data(0, b"a"),
            Frame::Data {
                len: true,
                more: false,
                fin: true,
                alias: 0,
                skip: 3,
                payload: Vec::new(),
            },
        ],
        vec![message(0, b"a", 0, 0), just("finished", 0)],
    )
}

fn withdrawn() -> Exchange {
    greeted(
        Exchange::new(
            "withdrawn_before_the_answer",
            "P takes an OPEN back: REJECT answers it",
        ),
        &[],
    )
    .receives(
        vec![
            open(0, 3, WINDOW, 9, Vec::new()),
            reset((true, true), 0, 24),
        ],
        vec![offered(0, "", 3), with_code("aborted", Some(0), 24)],
    )
    .sends(vec![reject(0, 24, None)])
}

fn pings() -> Exchange {
    greeted(
        Exchange::new("pings", "the newest of three PINGs is answered"),
        &[],
    )
    .shows(&[4])
    .receives(vec![ping(7), ping(8), ping(9)], Vec::new())
    .sends(vec![pong(9)])
    .receives(vec![pong(12_345)], Vec::new())
    .sends_all(Vec::new())
}

fn drained() -> Exchange {
    opened(
        greeted(
            Exchange::new(
                "drained_by_e",
                "E drains: an OPEN that comes later is ignored",
            ),
            &[],
        ),
        3,
    )
    .shows(&[59, 64])
    .does(Does::Drain(0))
    .sends(vec![goaway(1, 0, "")])
    .receives(
        vec![open(1, 3, WINDOW, 9, Vec::new()), data(1, b"lost")],
        Vec::new(),
    )
    .receives(
        vec![fin(0, b"last")],
        vec![message(0, b"last", 0, 0), just("finished", 0)],
    )
    .does(Does::Finish(0))
    .sends(vec![fin(0, b"")])
}

fn not_seen() -> Exchange {
    let opens = Opens {
        topic: "new",
        profile: 3,
        ..Opens::default()
    };
    let unseen = vec![
        ("code", 7.into()),
        ("processed", false.into()),
        ("metadata", "".into()),
    ];
    opened(
        greeted(
            Exchange::new(
                "an_open_that_p_never_saw",
                "P's GOAWAY crosses an OPEN of E",
            ),
            &[],
        ),
        3,
    )
    .shows(&[59])
    .does(Does::Open(opens))
    .sends(vec![open(1, 3, WINDOW, MESSAGE_MAX, topic("new"))])
    .receives(
        vec![goaway(0, 16, "moving")],
        vec![
            with_code("draining", None, 16),
            told("rejected", Some(1), unseen),
        ],
    )
    .receives(
        vec![data(0, b"goes on")],
        vec![message(0, b"goes on", 0, 0)],
    )
}

fn idle() -> Exchange {
    greeted(
        Exchange::new("silence", "nothing comes for 30 seconds"),
        &[],
    )
    .shows(&[60])
    .waits(10_500)
    .sends(vec![ping(2)])
    .waits(20_000)
    .sends(vec![goaway(0, 8, "nothing received in time")])
}

fn ended() -> Exchange {
    greeted(
        Exchange::new("ended_by_p", "GOAWAY with a code from 1 to 15 is the end"),
        &[],
    )
    .shows(&[59])
    .receives(
        vec![goaway(0, 5, "calm down")],
        vec![with_code("ended", None, 5)],
    )
    .sends_all(Vec::new())
}
