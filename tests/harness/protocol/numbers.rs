//! Exchanges about numbers of messages: resumption, runs and acknowledgements.

use super::exchange::{Does, Exchange, told};
use super::exchanges::{
    DOWNLINK, MESSAGE_MAX, WINDOW, greeted, message, offered_resuming, opened, run_told, topic,
};
use super::frame::{Frame, Kind, Opt};
use super::records::{accept, data, last, open, run, seq, skipped};
use crate::frames_mux::profile;

/// All of them.
pub(super) fn exchanges() -> Vec<Exchange> {
    vec![
        resumption(),
        resumption_of_both_halves(),
        runs(),
        acknowledgements(),
    ]
}

fn resumption() -> Exchange {
    let about = "P has messages of epoch 7 up to number 99; E replays from 98";
    let bits = DOWNLINK | profile::RESUMABLE;
    let acked = Frame::Credit {
        kind: Kind::Grant,
        alias: 1,
        total: 98_304,
        ack: Some(100),
    };
    greeted(Exchange::new("resumption", about), &[])
        .shows(&[25])
        .receives(
            vec![open(
                1,
                bits,
                WINDOW,
                30_000,
                [vec![Opt::Resume(7, 100)], topic("trades")].concat(),
            )],
            vec![offered_resuming(0, "trades", bits, Some((7, 100)))],
        )
        .does(Does::Accept {
            channel: 0,
            replay: Some(98),
            wants: None,
        })
        .sends(vec![accept((1, 0), 0, MESSAGE_MAX, vec![Opt::Replay(98)])])
        .does(Does::Send(0, b"ninety-eight".to_vec()))
        .does(Does::Send(0, b"ninety-nine".to_vec()))
        .sends(vec![data(0, b"ninety-eight"), last(0, b"ninety-nine")])
        .receives(
            vec![acked],
            vec![told("acked", Some(0), vec![("seq", 100.into())])],
        )
}

fn resumption_of_both_halves() -> Exchange {
    let about = "E wants P's messages from 64; P says with SEQ where it goes on";
    let bits = profile::RESUMABLE | 3;
    let rebased = vec![("epoch", 7.into()), ("next_seq", 64.into())];
    greeted(Exchange::new("resumption_of_both_halves", about), &[])
        .shows(&[25])
        .receives(
            vec![open(1, bits, WINDOW, 9, vec![Opt::Resume(3, 5)])],
            vec![offered_resuming(0, "", bits, Some((3, 5)))],
        )
        .does(Does::Accept {
            channel: 0,
            replay: None,
            wants: Some(64),
        })
        .sends(vec![accept(
            (1, 0),
            WINDOW,
            MESSAGE_MAX,
            vec![Opt::Wants(64)],
        )])
        .receives(
            vec![seq(1, 7, 64), data(1, b"a"), skipped(1, 5, b"b")],
            vec![
                told("rebased", Some(0), rebased),
                message(0, b"a", 64, 0),
                message(0, b"b", 70, 5),
            ],
        )
}

fn runs() -> Exchange {
    let about = "runs at both ends; each element is a message";
    let skips = Frame::Run {
        len: false,
        alias: 0,
        elem: 4,
        skip: 10,
        payload: b"eeeeffff".to_vec(),
    };
    opened(greeted(Exchange::new("runs", about), &[]), 3)
        .shows(&[5])
        .receives(
            vec![run(0, 2, b"aabb"), skips],
            vec![
                run_told(0, 2, b"aabb", 0, 0),
                run_told(0, 4, b"eeeeffff", 12, 10),
            ],
        )
        .receives(vec![data(0, b"next")], vec![message(0, b"next", 14, 0)])
        .does(Does::SendRun(0, 3, b"xxxyyyzzz".to_vec()))
        .sends(vec![run(0, 3, b"xxxyyyzzz")])
}

fn acknowledgements() -> Exchange {
    let about = "E acknowledges; P's ACK of more than was sent counts as all that was";
    let acked = |alias, total, ack| Frame::Credit {
        kind: Kind::Grant,
        alias,
        total,
        ack: Some(ack),
    };
    opened(greeted(Exchange::new("acknowledgements", about), &[]), 3)
        .shows(&[25])
        .receives(vec![data(0, b"a")], vec![message(0, b"a", 0, 0)])
        .does(Does::Acknowledge(0, 1))
        .sends(vec![acked(0, WINDOW, 1)])
        .does(Does::Send(0, b"b".to_vec()))
        .sends(vec![last(0, b"b")])
        .receives(
            vec![acked(0, WINDOW, 99)],
            vec![told("acked", Some(0), vec![("seq", 1.into())])],
        )
}
