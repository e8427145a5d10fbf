//! Four decoders vote on a stream: ours, the model that was written from RFC 6455 byte by byte,
//! tungstenite and fastwebsockets. Ours and the model agree always; the other two disagree only
//! where [`KNOWN`] says so and why.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use fastwebsockets::{FragmentCollector, OpCode};
use tickwire::{Config, Delivery, Failure, Kind, Limit, Role, Violation};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::protocol::WebSocketConfig;

use crate::drive::{Mode, Take, rules, transcript};
use crate::event::Event;
use crate::oracle::Oracle;
use crate::rng::Rng;

/// Longest frame and longest message, in bytes, for all four.
pub const BYTES_MAX: usize = 3000;

/// Who votes, besides us and the model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rival {
    /// tungstenite 0.30.
    Tungstenite,
    /// fastwebsockets 0.10, with its own collector of fragments.
    Fastwebsockets,
}

/// Both.
pub const RIVALS: [Rival; 2] = [Rival::Tungstenite, Rival::Fastwebsockets];

/// One entry of what a decoder says about a stream.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// It tells its application this.
    Tells(Event),
    /// It fails the connection.
    Refuses,
    /// It waits for more bytes.
    Waits,
}

/// A rule of ours that a rival does not share. Sections are those of RFC 6455.
#[derive(Clone, Copy, Debug)]
pub struct Disagreement {
    /// Who.
    pub who: Rival,
    /// How it is called in failures.
    pub name: &'static str,
    /// What the RFC says, with its section, and what the rival does.
    pub why: &'static str,
    /// Whether a difference is this one.
    pub is: fn(&Difference) -> bool,
}

/// The first place where a rival says something else.
#[derive(Clone, Debug)]
pub struct Difference {
    /// What we fail with, where we do, here or later.
    pub failure: Option<Failure>,
    /// What we say.
    pub ours: Step,
    /// What the rival says in its place.
    pub theirs: Step,
}

impl Difference {
    /// We refuse here, for this.
    fn refused(&self) -> Option<Failure> {
        self.failure.filter(|_| self.ours == Step::Refuses)
    }

    fn broke(&self, rule: Violation) -> bool {
        self.refused() == Some(Failure::Violation(rule))
    }

    /// The rival has not looked yet.
    fn later(&self) -> bool {
        self.theirs == Step::Waits
    }

    fn tells_close(&self, with: u16) -> bool {
        matches!(&self.theirs, Step::Tells(Event::Close(Some((code, _)))) if *code == with)
    }

    /// The bytes of the control frame that the rival tells of.
    fn control_bytes(&self) -> Option<usize> {
        match &self.theirs {
            Step::Tells(Event::Ping(data) | Event::Pong(data)) => Some(data.len()),
            Step::Tells(Event::Close(Some((_, reason)))) => Some(2 + reason.len()),
            Step::Tells(Event::Close(None)) => Some(0),
            _ => None,
        }
    }

    /// A length that is longer than it need be; of a control frame, we say that it is too long.
    fn long_length(&self) -> bool {
        self.broke(Violation::LengthNotMinimal)
            || self.broke(Violation::ControlTooLong)
                && self.control_bytes().is_some_and(|len| len <= 125)
    }

    fn tells_data(&self) -> bool {
        matches!(self.theirs, Step::Tells(Event::Data(..)))
    }

    fn refused_by_header(&self) -> bool {
        use Violation as V;
        matches!(
            self.refused(),
            Some(
                Failure::Violation(
                    V::UnmaskedFromClient
                        | V::MaskedFromServer
                        | V::LengthNotMinimal
                        | V::LengthTopBit
                        | V::ReservedBits
                        | V::ReservedOpcode(_)
                        | V::ControlTooLong
                        | V::ControlFragmented
                        | V::DataInsideMessage
                        | V::OrphanContinuation
                ) | Failure::Limit(_)
            )
        )
    }

    fn bad_text(&self) -> bool {
        self.broke(Violation::InvalidUtf8)
    }

    /// We tell of a Close that is in order, with this code.
    fn close_code(&self) -> Option<u16> {
        match &self.ours {
            Step::Tells(Event::Close(Some((code, _)))) => Some(*code),
            _ => None,
        }
    }
}

/// All known disagreements. `tests/it/ws/differential.rs` holds each to a seed that shows it.
pub const KNOWN: &[Disagreement] = &[
    Disagreement {
        who: Rival::Tungstenite,
        name: "length_not_shortest",
        why: "5.2: the minimal number of bytes MUST be used for the length; it takes any",
        is: Difference::long_length,
    },
    Disagreement {
        who: Rival::Tungstenite,
        name: "close_code_bad",
        why: "7.4: such a code must not be on the wire, so we fail the connection; it tells 1002",
        is: |d| {
            matches!(
                d.refused(),
                Some(Failure::Violation(Violation::InvalidCloseCode(_)))
            ) && d.tells_close(1002)
        },
    },
    Disagreement {
        who: Rival::Tungstenite,
        name: "close_code_1014",
        why: "7.4.2 and the IANA registry: 1014 is Bad Gateway since 2016; it takes it for a bad one",
        is: |d| d.close_code() == Some(1014) && d.tells_close(1002),
    },
    Disagreement {
        who: Rival::Tungstenite,
        name: "judged_late",
        why: "5.2, 5.4, 5.5, 8.1: none says when; it looks at a frame when all of it is there",
        is: |d| d.later() && (d.refused_by_header() || d.bad_text()),
    },
    Disagreement {
        who: Rival::Fastwebsockets,
        name: "length_not_shortest",
        why: "5.2: the minimal number of bytes MUST be used for the length; it takes any",
        is: Difference::long_length,
    },
    Disagreement {
        who: Rival::Fastwebsockets,
        name: "unmasked_from_client",
        why: "5.1: a server MUST close the connection; it takes the frame",
        is: |d| d.broke(Violation::UnmaskedFromClient),
    },
    Disagreement {
        who: Rival::Fastwebsockets,
        name: "masked_from_server",
        why: "5.1: a client MUST close the connection; it tells the bytes still masked",
        is: |d| d.broke(Violation::MaskedFromServer),
    },
    Disagreement {
        who: Rival::Fastwebsockets,
        name: "control_too_long",
        why: "5.5: a control frame MUST have at most 125 bytes; it holds only Pings to that",
        is: |d| {
            d.broke(Violation::ControlTooLong) && d.control_bytes().is_some_and(|len| len > 125)
        },
    },
    Disagreement {
        who: Rival::Fastwebsockets,
        name: "data_inside_message",
        why: "5.4: fragments of two messages MUST NOT be interleaved; it drops the first message",
        is: |d| d.broke(Violation::DataInsideMessage),
    },
    Disagreement {
        who: Rival::Fastwebsockets,
        name: "text_ends_in_code_point",
        why: "8.1: fail the connection on text that is not UTF-8; it drops the last bytes",
        is: |d| d.bad_text() && d.tells_data(),
    },
    Disagreement {
        who: Rival::Fastwebsockets,
        name: "message_over_limit",
        why: "10.4: a limit is on the message after reassembly as well; its limit is for each frame",
        is: |d| matches!(d.refused(), Some(Failure::Limit(Limit::Message { .. }))),
    },
    Disagreement {
        who: Rival::Fastwebsockets,
        name: "close_code_1014",
        why: "7.4.2 and the IANA registry: 1014 is Bad Gateway since 2016; it refuses it",
        is: |d| d.close_code() == Some(1014) && d.theirs == Step::Refuses,
    },
    Disagreement {
        who: Rival::Fastwebsockets,
        name: "judged_late",
        why: "5.2, 5.4, 5.5, 8.1: none says when; it looks at a frame when all of it is there",
        is: |d| d.later() && (d.refused_by_header() || d.bad_text()),
    },
];

/// What a decoder says about a whole stream.
fn steps(events: Vec<Event>) -> Vec<Step> {
    let ended = matches!(events.last(), Some(Event::Close(_)));
    let mut steps: Vec<_> = events
        .into_iter()
        .map(|event| match event {
            Event::Fail(_) => Step::Refuses,
            event => Step::Tells(event),
        })
        .collect();
    if !ended && steps.last() != Some(&Step::Refuses) {
        steps.push(Step::Waits);
    }
    steps
}

/// Limits of ours that the others have too.
#[must_use]
pub fn config(delivery: Delivery) -> Config {
    Config::default()
        .delivery(delivery)
        .message_bytes_max(BYTES_MAX as u64)
        .frame_bytes_max(BYTES_MAX as u64)
        // As many as there are: the others have no such limit.
        .fragments_max(1 << 20)
        .ping_interval(None)
}

/// The votes on a stream that an endpoint in `role` reads: where the two others differ from us.
///
/// # Panics
/// Where we differ from the model.
#[must_use]
pub fn vote(role: Role, bytes: &[u8], seed: u64) -> Vec<(Rival, Difference)> {
    let mut rng = Rng::new(seed);
    let delivery = [Delivery::Whole, Delivery::Parts][rng.below(2)];
    let mode = Mode {
        take: [Take::Lent, Take::Held, Take::Owned, Take::Two][rng.below(4)],
        ..Mode::PLAIN
    };
    let config = config(delivery);
    let model = Oracle::transcript(rules(role, &config), bytes);
    let scale = [1, 3, 20, 1500][rng.below(4)];
    let cuts = std::iter::repeat_with(|| 1 + rng.below(scale));
    let ours = transcript(role, &config, mode, bytes, cuts);
    assert_eq!(ours, model, "ours and the model");
    let failure = match model.last() {
        Some(Event::Fail(failure)) => Some(*failure),
        _ => None,
    };
    let ours = steps(model);
    let mut differences = Vec::new();
    for who in RIVALS {
        let theirs = match who {
            Rival::Tungstenite => tungstenite(role, bytes),
            Rival::Fastwebsockets => fastwebsockets(role, bytes),
        };
        let at = ours.iter().zip(&theirs).position(|(a, b)| a != b);
        let Some(at) = at else {
            assert_eq!(ours.len(), theirs.len(), "{who:?}: {ours:?} / {theirs:?}");
            continue;
        };
        let (ours, theirs) = (ours[at].clone(), theirs[at].clone());
        let difference = Difference {
            failure,
            ours,
            theirs,
        };
        differences.push((who, difference));
    }
    differences
}

/// The row of [`KNOWN`] that explains a difference.
#[must_use]
pub fn known(who: Rival, difference: &Difference) -> Option<&'static Disagreement> {
    KNOWN
        .iter()
        .find(|row| row.who == who && (row.is)(difference))
}

/// The body of a fuzz target: eight bytes say how we take it, the rest is the stream.
pub fn votes_server(data: &[u8]) {
    votes(Role::Server, data);
}

/// Likewise, from a server.
pub fn votes_client(data: &[u8]) {
    votes(Role::Client, data);
}

fn votes(role: Role, data: &[u8]) {
    if let Some((seed, stream)) = data.split_first_chunk::<8>() {
        compare(role, stream, u64::from_le_bytes(*seed));
    }
}

/// Votes, and finds every disagreement known.
///
/// # Panics
/// Where one is not.
pub fn compare(role: Role, bytes: &[u8], seed: u64) {
    for (who, difference) in vote(role, bytes, seed) {
        assert!(
            known(who, &difference).is_some(),
            "{who:?} and we differ, and no known disagreement says why: {difference:?}\n{bytes:02x?}"
        );
    }
}

/// A stream of bytes that are all there, and then nothing for ever; what is written is thrown
/// away.
struct Wire<'b>(&'b [u8]);

impl io::Read for Wire<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buf) {
            Ok(0) if !buf.is_empty() => Err(io::ErrorKind::WouldBlock.into()),
            read => read,
        }
    }
}

impl io::Write for Wire<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Wire<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (now, later) = self.0.split_at(buf.remaining().min(self.0.len()));
        if now.is_empty() {
            return Poll::Pending;
        }
        buf.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn tungstenite(role: Role, bytes: &[u8]) -> Vec<Step> {
    use tungstenite::protocol::Role as Theirs;
    use tungstenite::{Error, Message, WebSocket};
    let config = WebSocketConfig::default()
        .max_frame_size(Some(BYTES_MAX))
        .max_message_size(Some(BYTES_MAX));
    let theirs = match role {
        Role::Client => Theirs::Client,
        Role::Server => Theirs::Server,
    };
    let mut socket = WebSocket::from_raw_socket(Wire(bytes), theirs, Some(config));
    let mut steps = Vec::new();
    loop {
        let event = match socket.read() {
            Ok(Message::Text(text)) => Event::text(&text),
            Ok(Message::Binary(data)) => Event::binary(&data),
            Ok(Message::Ping(data)) => Event::Ping(data.to_vec()),
            Ok(Message::Pong(data)) => Event::Pong(data.to_vec()),
            Ok(Message::Close(close)) => {
                let close = close.map(|close| (close.code.into(), close.reason.to_string()));
                steps.push(Step::Tells(Event::Close(close)));
                return steps;
            }
            Ok(Message::Frame(_)) => unreachable!("only ever written"),
            Err(Error::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => {
                steps.push(Step::Waits);
                return steps;
            }
            Err(_) => {
                steps.push(Step::Refuses);
                return steps;
            }
        };
        steps.push(Step::Tells(event));
    }
}

fn fastwebsockets(role: Role, bytes: &[u8]) -> Vec<Step> {
    use fastwebsockets::{Role as Theirs, WebSocket};
    let theirs = match role {
        Role::Client => Theirs::Client,
        Role::Server => Theirs::Server,
    };
    let mut socket = WebSocket::after_handshake(Wire(bytes), theirs);
    // Told to the application, as ours are.
    socket.set_auto_pong(false);
    // It refuses from its limit on, others above it.
    socket.set_max_message_size(BYTES_MAX + 1);
    let mut socket = FragmentCollector::new(socket);
    let mut steps = Vec::new();
    loop {
        let read = pin!(socket.read_frame()).poll(&mut Context::from_waker(Waker::noop()));
        let frame = match read {
            Poll::Pending => {
                steps.push(Step::Waits);
                return steps;
            }
            Poll::Ready(Err(_)) => {
                steps.push(Step::Refuses);
                return steps;
            }
            Poll::Ready(Ok(frame)) => frame,
        };
        let data = frame.payload.to_vec();
        steps.push(Step::Tells(match frame.opcode {
            OpCode::Text => Event::Data(Kind::Text, data),
            OpCode::Binary => Event::Data(Kind::Binary, data),
            OpCode::Ping => Event::Ping(data),
            OpCode::Pong => Event::Pong(data),
            OpCode::Continuation => unreachable!("collected"),
            OpCode::Close => {
                let close = data.split_first_chunk::<2>().map(|(code, reason)| {
                    let reason = String::from_utf8_lossy(reason).into_owned();
                    (u16::from_be_bytes(*code), reason)
                });
                steps.push(Step::Tells(Event::Close(close)));
                return steps;
            }
        }));
    }
}
