//! One table of the behaviours of a connection with channels. Every driver must pass it: the adapter
//! of the reactors, the task, and `ChannelEndpoint` in a loop of the test.

mod endpoint;
mod reactor;
mod task;

use std::boxed::Box;
use std::string::String;
use std::time::Duration;
use std::vec::Vec;

use super::frame;
use crate::error::{CloseCode, End, Failure};
use crate::session::channels::{
    AcceptOptions, ChannelConfig, ChannelFailure, ChannelId, ChannelViolation, DrainEnd, ErrorCode,
    Event, Mux, OpenOptions, SUBPROTOCOL,
};
use crate::time::Timestamp;

/// How a connection ended, as reported to the application.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Outcome {
    /// The connection never carried channels, with the error text.
    Refused(String),
    Ended(ChannelFailure),
}

/// An action of the application, which otherwise accepts every channel and sends its messages back.
#[derive(Clone, Copy, Debug)]
enum Act {
    Abort(ErrorCode),
    Drain(ErrorCode),
    GoAway,
    Open,
    /// Sends this number of messages of 1,000 bytes on the accepted channel.
    Send(usize),
}

/// How a connection begins.
struct Start {
    below: crate::Config,
    channels: ChannelConfig,
    subprotocol: Option<&'static str>,
}

/// The server's end of a connection with its driver. Its stream accepts all output before `jam`.
trait Subject {
    fn act(&mut self, act: Act);
    fn deliver(&mut self, bytes: &[u8]);
    fn eof(&mut self);
    fn written(&mut self) -> Vec<u8>;
    /// The stream accepts no output from now on.
    fn jam(&mut self);
    fn pass(&mut self, time: Duration);
    fn outcome(&mut self) -> Option<Outcome>;
}

/// The client's end, driven by the test.
struct Peer {
    subject: Box<dyn Subject>,
    core: Mux,
    now: Timestamp,
    /// Codes of the received Close frames.
    closes: Vec<u16>,
    /// Codes of the received GOAWAYs.
    drains: Vec<ErrorCode>,
    echoes: Vec<Vec<u8>>,
    opened: usize,
    longest: usize,
}

impl Peer {
    fn open(&mut self) -> ChannelId {
        let channel = self.core.open(OpenOptions::new("echo")).unwrap();
        self.exchange();
        channel
    }

    /// Passes bytes both ways until neither end has more to send. Answers a Close.
    fn exchange(&mut self) {
        loop {
            let mut out = Vec::new();
            while let Some(record) = self.core.poll_record(self.now) {
                frame(&mut out, record.as_slice());
            }
            if !out.is_empty() {
                self.subject.deliver(&out);
            }
            let written = self.subject.written();
            if written.is_empty() && out.is_empty() {
                return;
            }
            self.read(&written);
        }
    }

    /// Sends GOAWAY while a channel is open, then a Close with `code`.
    fn drain_and_close(&mut self, code: u16) {
        self.open();
        self.core.drain(ErrorCode::NO_ERROR, "");
        self.exchange();
        assert!(self.closes.is_empty(), "a channel is open");
        self.send_close(code);
    }

    fn send_close(&mut self, code: u16) {
        let [high, low] = code.to_be_bytes();
        self.subject.deliver(&[0x88, 0x82, 0, 0, 0, 0, high, low]);
    }

    fn read(&mut self, mut bytes: &[u8]) {
        while let [first, short, after @ ..] = bytes {
            let (len, at) = match short {
                126 => (usize::from(u16::from_be_bytes([after[0], after[1]])), 2),
                &len => (usize::from(len), 0),
            };
            let (payload, rest) = after[at..].split_at(len);
            bytes = rest;
            match first {
                0x82 => self.record(payload),
                0x88 => self.close(payload),
                other => panic!("a frame that begins with {other:#x}"),
            }
        }
        assert!(bytes.is_empty(), "whole frames");
    }

    fn close(&mut self, payload: &[u8]) {
        self.closes
            .push(u16::from_be_bytes([payload[0], payload[1]]));
        self.subject.deliver(&[0x88, 0x80, 0, 0, 0, 0]);
        self.subject.eof();
    }

    fn record(&mut self, record: &[u8]) {
        self.longest = self.longest.max(record.len());
        let mut incoming = self.core.receive(record, self.now);
        while let Some(event) = self.core.next(&mut incoming) {
            match event {
                Event::Message(m) => {
                    self.echoes.push(m.data.to_vec());
                    self.core.release(m.channel, m.charge);
                }
                Event::Open(opening) => {
                    self.opened += 1;
                    let accepted = self.core.accept(opening.channel, AcceptOptions::new());
                    accepted.unwrap();
                }
                Event::Draining { code, .. } => self.drains.push(code),
                _ => {}
            }
        }
    }
}

/// A row of the table.
struct Row {
    what: &'static str,
    below: fn(&mut crate::Config),
    channels: fn(&mut ChannelConfig),
    agreed: bool,
    /// The actions after both HELLOs.
    story: fn(&mut Peer),
    outcome: fn(&Outcome) -> bool,
    /// The expected codes of the Close frames that the peer receives.
    closes: &'static [u16],
}

const ROW: Row = Row {
    what: "",
    below: |_| {},
    channels: |_| {},
    agreed: true,
    story: |_| {},
    outcome: |_| false,
    closes: &[],
};

fn refused(outcome: &Outcome, why: &str) -> bool {
    matches!(outcome, Outcome::Refused(error) if error.contains(why))
}

fn ended(outcome: &Outcome, failure: ChannelFailure) -> bool {
    *outcome == Outcome::Ended(failure)
}

fn drained(by_peer: bool, code: ErrorCode, end: DrainEnd) -> ChannelFailure {
    ChannelFailure::Drained { by_peer, code, end }
}

const CLOSED_1000: End = End::Closed {
    code: Some(CloseCode::NORMAL),
    by_peer: true,
};

/// Connections that are refused before any record is sent.
const REFUSALS: &[Row] = &[
    Row {
        what: "the sub-protocol was not agreed on",
        agreed: false,
        outcome: |o| refused(o, SUBPROTOCOL),
        closes: &[1002],
        ..ROW
    },
    Row {
        what: "the send queue is too small for the channels of the peer",
        below: |c| c.send_queue_bytes_max = (512 << 10) - 1,
        outcome: |o| refused(o, "send_queue_bytes_max"),
        closes: &[1011],
        ..ROW
    },
    Row {
        what: "the message limit is below the record size of the peer",
        below: |c| c.message_bytes_max = 16_000,
        outcome: |o| refused(o, "message_bytes_max"),
        closes: &[1011],
        ..ROW
    },
    Row {
        what: "the frame limit is below the record size of the peer",
        below: |c| c.frame_bytes_max = 16_000,
        outcome: |o| refused(o, "frame_bytes_max"),
        closes: &[1011],
        ..ROW
    },
    Row {
        what: "messages in parts",
        below: |c| c.delivery = crate::Delivery::Parts,
        outcome: |o| refused(o, "Config::delivery"),
        closes: &[1011],
        ..ROW
    },
];

/// The ends of connections that carry channels.
const ENDS: &[Row] = &[
    Row {
        what: "text",
        story: |p| p.subject.deliver(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']),
        outcome: |o| ended(o, ChannelFailure::Violation(ChannelViolation::NotBinary)),
        closes: &[1003],
        ..ROW
    },
    Row {
        what: "a record above the local limit",
        channels: |c| c.record_bytes_max = 2048,
        story: |p| {
            let mut bytes = Vec::new();
            frame(&mut bytes, &[0; 2049]);
            p.subject.deliver(&bytes);
        },
        outcome: |o| {
            ended(
                o,
                ChannelFailure::Violation(ChannelViolation::RecordTooLarge),
            )
        },
        closes: &[4003],
        ..ROW
    },
    Row {
        what: "GOAWAY with an error",
        story: |p| drop(p.core.abort(ErrorCode::INTERNAL)),
        outcome: |o| ended(o, ChannelFailure::Peer(ErrorCode::INTERNAL)),
        closes: &[4009],
        ..ROW
    },
    Row {
        what: "GOAWAY without an error, with a channel that then ends",
        story: |p| {
            let channel = p.open();
            p.core.send(channel, b"before").unwrap();
            p.core.drain(ErrorCode::NO_ERROR, "");
            p.core.send(channel, b"after").unwrap();
            p.core.finish_sending(channel).unwrap();
            p.exchange();
            assert_eq!(p.echoes, [&b"before"[..], b"after"]);
        },
        outcome: |o| ended(o, drained(true, ErrorCode::NO_ERROR, DrainEnd::Complete)),
        closes: &[4000],
        ..ROW
    },
    Row {
        what: "a local abort",
        story: |p| p.subject.act(Act::Abort(ErrorCode(17))),
        outcome: |o| ended(o, ChannelFailure::Local(ErrorCode(17))),
        closes: &[4017],
        ..ROW
    },
    Row {
        what: "a local drain: an open channel continues to its end",
        story: |p| {
            let channel = p.open();
            p.subject.act(Act::Drain(ErrorCode(18)));
            p.exchange();
            assert!(p.closes.is_empty(), "a channel is open");
            p.core.send(channel, b"goes on").unwrap();
            p.core.finish_sending(channel).unwrap();
            p.exchange();
            assert_eq!(p.echoes, [b"goes on"]);
        },
        outcome: |o| ended(o, drained(false, ErrorCode(18), DrainEnd::Complete)),
        closes: &[4018],
        ..ROW
    },
    Row {
        what: "a local drain: channels opened before are announced",
        story: |p| {
            p.subject.act(Act::Open);
            p.subject.act(Act::Drain(ErrorCode(18)));
            p.subject.act(Act::Open);
            p.exchange();
            assert_eq!(
                p.opened, 1,
                "channels opened after the drain are not announced"
            );
            p.subject.act(Act::Abort(ErrorCode(17)));
        },
        outcome: |o| ended(o, ChannelFailure::Local(ErrorCode(17))),
        closes: &[4017],
        ..ROW
    },
    Row {
        what: "a local drain: channels that do not end",
        story: |p| {
            p.open();
            p.subject.act(Act::Drain(ErrorCode(18)));
            p.exchange();
            p.subject.pass(Duration::from_millis(1900));
            p.exchange();
            assert!(p.closes.is_empty(), "the drain timeout has not passed");
            p.subject.pass(Duration::from_millis(200));
        },
        outcome: |o| ended(o, drained(false, ErrorCode(18), DrainEnd::Incomplete)),
        closes: &[4018],
        ..ROW
    },
    Row {
        what: "silence",
        story: |p| p.subject.pass(ChannelConfig::default().idle_timeout * 2),
        outcome: |o| ended(o, ChannelFailure::Idle),
        closes: &[4008],
        ..ROW
    },
    Row {
        what: "the stream ends",
        story: |p| p.subject.eof(),
        outcome: |o| ended(o, ChannelFailure::Lost(Some(End::Failed(Failure::Eof)))),
        ..ROW
    },
    Row {
        what: "a drain by the peer: channels that do not end",
        story: |p| p.drain_and_close(4000),
        outcome: |o| ended(o, drained(true, ErrorCode::NO_ERROR, DrainEnd::Incomplete)),
        closes: &[4000],
        ..ROW
    },
    Row {
        what: "a peer that goes away",
        story: |p| p.drain_and_close(1001),
        outcome: |o| ended(o, drained(true, ErrorCode::NO_ERROR, DrainEnd::GoingAway)),
        closes: &[1001],
        ..ROW
    },
    Row {
        what: "a drain by the peer, and a Close with another code",
        story: |p| p.drain_and_close(1000),
        outcome: |o| ended(o, ChannelFailure::Lost(Some(CLOSED_1000))),
        closes: &[1000],
        ..ROW
    },
    Row {
        what: "a Close without GOAWAY",
        story: |p| p.send_close(1000),
        outcome: |o| ended(o, ChannelFailure::Lost(Some(CLOSED_1000))),
        closes: &[1000],
        ..ROW
    },
    Row {
        what: "this end goes away",
        story: |p| {
            p.open();
            p.subject.act(Act::GoAway);
            p.exchange();
            assert_eq!(p.drains, [ErrorCode::NO_ERROR]);
        },
        outcome: |o| ended(o, drained(false, ErrorCode::NO_ERROR, DrainEnd::GoingAway)),
        closes: &[1001],
        ..ROW
    },
    Row {
        what: "records are cut to the peer's limit",
        story: |p| {
            let channel = p.open();
            for _ in 0..3 {
                p.core.send(channel, [7; 5000]).unwrap();
            }
            p.exchange();
            assert_eq!(p.echoes, [[7; 5000]; 3]);
            assert!(p.longest > 900 && p.longest <= 1024, "{}", p.longest);
            p.subject.act(Act::Abort(ErrorCode(17)));
        },
        channels: |c| {
            c.record_bytes_max = 1024;
            c.metadata_bytes_max = 64;
        },
        outcome: |o| ended(o, ChannelFailure::Local(ErrorCode(17))),
        closes: &[4017],
        ..ROW
    },
    Row {
        what: "an end while the stream accepts no output",
        story: |p| {
            p.subject.jam();
            p.subject.act(Act::Abort(ErrorCode(17)));
            p.subject.pass(Duration::from_millis(2100));
        },
        outcome: |o| ended(o, ChannelFailure::Local(ErrorCode(17))),
        ..ROW
    },
    Row {
        what: "an end while the outbox is full",
        channels: |c| c.channel_window_bytes = 256 << 10,
        story: |p| {
            p.open();
            p.subject.jam();
            p.subject.act(Act::Send(100));
            p.subject.act(Act::Abort(ErrorCode(17)));
            p.subject.pass(Duration::from_millis(2100));
        },
        outcome: |o| ended(o, ChannelFailure::Local(ErrorCode(17))),
        ..ROW
    },
];

fn run(row: &Row, driver: &str, start: fn(Start) -> Box<dyn Subject>) {
    let (mut below, mut channels) = (crate::Config::default(), ChannelConfig::default());
    below.ping_interval = None;
    (row.below)(&mut below);
    (row.channels)(&mut channels);
    let config = channels;
    let subject = start(Start {
        below,
        channels: config.clone(),
        subprotocol: row.agreed.then_some(SUBPROTOCOL),
    });
    let mut peer = Peer {
        subject,
        core: Mux::new(config, Timestamp(1)).unwrap(),
        now: Timestamp(1),
        closes: Vec::new(),
        drains: Vec::new(),
        echoes: Vec::new(),
        opened: 0,
        longest: 0,
    };
    peer.exchange();
    (row.story)(&mut peer);
    peer.exchange();
    let what = row.what;
    assert_eq!(peer.closes, row.closes, "{driver}: {what}");
    let outcome = peer.subject.outcome();
    let right = outcome.as_ref().is_some_and(row.outcome);
    assert!(right, "{driver}: {what}: {outcome:?}");
}

fn run_all(driver: &str, start: fn(Start) -> Box<dyn Subject>) {
    for row in REFUSALS.iter().chain(ENDS) {
        run(row, driver, start);
    }
}

#[test]
fn behaviours_on_a_reactor() {
    run_all("reactor", |start| Box::new(reactor::Reactor::new(&start)));
}

#[cfg(feature = "tokio")]
#[test]
fn behaviours_in_a_task() {
    run_all("task", |start| Box::new(task::Task::new(start)));
}

#[test]
fn behaviours_of_an_endpoint() {
    run_all("endpoint", |start| Box::new(endpoint::Endpoint::new(start)));
}
