//! Frames of `tickwire.mux.v1` as values, each as it is written. See `docs/protocol.md`.

use super::json::{Json, hex};
use crate::frames_mux::{flag, tlv, tv};

/// What a CREDIT says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A limit.
    Grant,
    /// Unused credit is asked for.
    Narrow,
    /// A limit is reached.
    Blocked,
    /// Unused credit is given back.
    Return,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Grant => "GRANT",
            Self::Narrow => "NARROW",
            Self::Blocked => "BLOCKED",
            Self::Return => "RETURN",
        }
    }
}

/// A parameter of HELLO.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Parameter {
    /// Id, value, and in how many bytes.
    Known(u64, u64, usize),
    /// Id, and the value as it is.
    Unknown(u64, Vec<u8>),
}

/// An option of OPEN or ACCEPT.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opt {
    /// Milliseconds.
    Ttl(u64),
    /// Epoch and number.
    Resume(u64, u64),
    /// Bytes.
    Topic(Vec<u8>),
    /// Bytes.
    Metadata(Vec<u8>),
    /// A number.
    Replay(u64),
    /// A number.
    Snapshot(u64),
    /// Epoch and number.
    Fresh(u64, u64),
    /// A number.
    Wants(u64),
    /// Id and value of an option that this version does not define.
    Unknown(u64, Vec<u8>),
}

/// A frame. `len`: the flag LEN is set.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(
    missing_docs,
    reason = "the fields are those of docs/protocol.md, section 3.2"
)]
pub enum Frame {
    /// So many bytes of PAD.
    Pad(usize),
    Data {
        len: bool,
        more: bool,
        fin: bool,
        alias: u64,
        skip: u64,
        payload: Vec<u8>,
    },
    Run {
        len: bool,
        alias: u64,
        elem: u64,
        skip: u64,
        payload: Vec<u8>,
    },
    Credit {
        kind: Kind,
        alias: u64,
        total: u64,
        ack: Option<u64>,
    },
    Open {
        alias: u64,
        profile: u8,
        align: u8,
        limit: u64,
        max_msg: u64,
        options: Vec<Opt>,
    },
    Accept {
        peer_alias: u64,
        alias: u64,
        limit: u64,
        max_msg: u64,
        options: Vec<Opt>,
    },
    Reject {
        peer_alias: u64,
        code: u64,
        info: Option<Vec<u8>>,
    },
    Reset {
        abort: bool,
        stop: bool,
        alias: u64,
        code: u64,
    },
    Seq {
        alias: u64,
        epoch: u64,
        next_seq: u64,
    },
    Ping {
        pong: bool,
        value: u64,
    },
    GoAway {
        opens_seen: u64,
        code: u64,
        reason: String,
    },
    Hello(Vec<Parameter>),
    Ext {
        ignore: bool,
        kind: u64,
        body: Vec<u8>,
    },
}

fn when(set: bool, flag: u8) -> u8 {
    if set { flag } else { 0 }
}

impl Opt {
    fn encode(&self) -> Vec<u8> {
        let pair = |a, b| [tv(a), tv(b)].concat();
        match self {
            Self::Ttl(ms) => tlv(1, &tv(*ms)),
            Self::Resume(epoch, next) => tlv(2, &pair(*epoch, *next)),
            Self::Topic(bytes) => tlv(3, bytes),
            Self::Metadata(bytes) => tlv(4, bytes),
            Self::Replay(from) => tlv(5, &tv(*from)),
            Self::Snapshot(seq) => tlv(6, &tv(*seq)),
            Self::Fresh(epoch, seq) => tlv(7, &pair(*epoch, *seq)),
            Self::Wants(next) => tlv(8, &tv(*next)),
            Self::Unknown(id, bytes) => tlv(*id, bytes),
        }
    }

    fn json(&self) -> Json {
        let of = |name: &str, members: Vec<(&'static str, Json)>| {
            let mut all = vec![("option", Json::from(name))];
            all.extend(members);
            Json::Object(all)
        };
        match self {
            Self::Ttl(ms) => of("TTL", vec![("ms", (*ms).into())]),
            Self::Resume(epoch, next) => of(
                "RESUME",
                vec![("epoch", (*epoch).into()), ("next_seq", (*next).into())],
            ),
            Self::Topic(bytes) => of("TOPIC", vec![("bytes", hex(bytes).into())]),
            Self::Metadata(bytes) => of("METADATA", vec![("bytes", hex(bytes).into())]),
            Self::Replay(from) => of("REPLAY", vec![("from", (*from).into())]),
            Self::Snapshot(seq) => of("SNAPSHOT", vec![("seq", (*seq).into())]),
            Self::Fresh(epoch, seq) => of(
                "FRESH",
                vec![("epoch", (*epoch).into()), ("seq", (*seq).into())],
            ),
            Self::Wants(next) => of("WANTS", vec![("next_seq", (*next).into())]),
            Self::Unknown(id, bytes) => of(
                "unknown",
                vec![("id", (*id).into()), ("bytes", hex(bytes).into())],
            ),
        }
    }
}

impl Parameter {
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Known(id, value, size) => tlv(*id, &value.to_le_bytes()[..*size]),
            Self::Unknown(id, bytes) => tlv(*id, bytes),
        }
    }

    fn json(&self) -> Json {
        Json::Object(match self {
            Self::Known(id, value, size) => vec![
                ("id", (*id).into()),
                ("value", (*value).into()),
                ("size", (*size as u64).into()),
            ],
            Self::Unknown(id, bytes) => {
                vec![("id", (*id).into()), ("bytes", hex(bytes).into())]
            }
        })
    }
}

fn options(options: &[Opt]) -> Vec<u8> {
    let bytes = options.iter().flat_map(Opt::encode).collect::<Vec<_>>();
    [tv(bytes.len() as u64), bytes].concat()
}

fn counted(bytes: &[u8]) -> Vec<u8> {
    [tv(bytes.len() as u64), bytes.to_vec()].concat()
}

impl Frame {
    /// The bytes, with numbers in their shortest form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Pad(count) => vec![0; *count],
            Self::Data { .. } | Self::Run { .. } => self.encode_data(),
            Self::Open { .. } | Self::Accept { .. } | Self::Reject { .. } => self.encode_opening(),
            _ => self.encode_control(),
        }
    }

    fn encode_data(&self) -> Vec<u8> {
        let skipped = |skip: u64| if skip == 0 { Vec::new() } else { tv(skip) };
        let counted = |len: bool, n: u64| if len { tv(n) } else { Vec::new() };
        let flags = |len: bool, skip: u64| when(len, flag::LEN) | when(skip > 0, flag::SKIP);
        match self {
            Self::Data {
                len,
                more,
                fin,
                alias,
                skip,
                payload,
            } => {
                let ends = when(*more, flag::MORE) | when(*fin, flag::FIN);
                let head = vec![1 | flags(*len, *skip) | ends];
                let size = counted(*len, payload.len() as u64);
                [head, tv(*alias), size, skipped(*skip), payload.clone()].concat()
            }
            Self::Run {
                len,
                alias,
                elem,
                skip,
                payload,
            } => {
                let head = vec![2 | flags(*len, *skip)];
                let count = counted(*len, payload.len() as u64 / elem);
                let numbers = [tv(*alias), tv(*elem), count, skipped(*skip)].concat();
                [head, numbers, payload.clone()].concat()
            }
            _ => unreachable!("data"),
        }
    }

    fn encode_opening(&self) -> Vec<u8> {
        match self {
            Self::Open {
                alias,
                profile,
                align,
                limit,
                max_msg,
                options: with,
            } => {
                let bytes = vec![*profile, *align];
                let numbers = [tv(*limit), tv(*max_msg)].concat();
                [vec![4], tv(*alias), bytes, numbers, options(with)].concat()
            }
            Self::Accept {
                peer_alias,
                alias,
                limit,
                max_msg,
                options: with,
            } => {
                let numbers = [tv(*limit), tv(*max_msg)].concat();
                let aliases = [tv(*peer_alias), tv(*alias)].concat();
                [vec![5], aliases, numbers, options(with)].concat()
            }
            Self::Reject {
                peer_alias,
                code,
                info,
            } => {
                let head = vec![6 | when(info.is_some(), flag::INFO)];
                let info = info.as_deref().map(counted).unwrap_or_default();
                [head, tv(*peer_alias), tv(*code), info].concat()
            }
            _ => unreachable!("opening"),
        }
    }

    fn encode_control(&self) -> Vec<u8> {
        match self {
            Self::Credit {
                kind,
                alias,
                total,
                ack,
            } => {
                let kind = match kind {
                    Kind::Grant => 0,
                    Kind::Narrow => flag::NARROW,
                    Kind::Blocked => flag::BLOCKED,
                    Kind::Return => flag::RETURN,
                };
                let head = vec![3 | kind | when(ack.is_some(), flag::ACK)];
                [head, tv(*alias), tv(*total), ack.map_or(Vec::new(), tv)].concat()
            }
            Self::Reset {
                abort,
                stop,
                alias,
                code,
            } => {
                let head = 7 | when(*abort, flag::ABORT) | when(*stop, flag::STOP);
                [vec![head], tv(*alias), tv(*code)].concat()
            }
            Self::Seq {
                alias,
                epoch,
                next_seq,
            } => [vec![8], tv(*alias), tv(*epoch), tv(*next_seq)].concat(),
            Self::Ping { pong, value } => {
                let head = vec![9 | when(*pong, flag::PONG)];
                [head, value.to_le_bytes().to_vec()].concat()
            }
            Self::GoAway {
                opens_seen,
                code,
                reason,
            } => {
                let text = [vec![reason.len() as u8], reason.clone().into_bytes()].concat();
                [vec![0xA], tv(*opens_seen), tv(*code), text].concat()
            }
            Self::Hello(parameters) => {
                let body: Vec<u8> = parameters.iter().flat_map(Parameter::encode).collect();
                [vec![0xB], counted(&body)].concat()
            }
            Self::Ext { ignore, kind, body } => {
                let head = vec![0xF | when(*ignore, flag::IGNORE)];
                [head, tv(*kind), counted(body)].concat()
            }
            _ => unreachable!("control"),
        }
    }

    /// What it says, as vectors have it.
    #[must_use]
    pub fn json(&self) -> Json {
        let (name, members) = match self {
            Self::Pad(count) => ("PAD", vec![("count", (*count as u64).into())]),
            Self::Data { .. } | Self::Run { .. } => self.json_data(),
            Self::Open { .. } | Self::Accept { .. } | Self::Reject { .. } => self.json_opening(),
            _ => self.json_control(),
        };
        let mut all = vec![("type", Json::from(name))];
        all.extend(members);
        Json::Object(all)
    }

    fn json_data(&self) -> (&'static str, Vec<(&'static str, Json)>) {
        match self {
            Self::Data {
                len,
                more,
                fin,
                alias,
                skip,
                payload,
            } => (
                "DATA",
                vec![
                    ("alias", (*alias).into()),
                    ("len", (*len).into()),
                    ("more", (*more).into()),
                    ("fin", (*fin).into()),
                    ("skip", (*skip).into()),
                    ("payload", hex(payload).into()),
                ],
            ),
            Self::Run {
                len,
                alias,
                elem,
                skip,
                payload,
            } => (
                "RUN",
                vec![
                    ("alias", (*alias).into()),
                    ("len", (*len).into()),
                    ("elem", (*elem).into()),
                    ("count", (payload.len() as u64 / elem).into()),
                    ("skip", (*skip).into()),
                    ("payload", hex(payload).into()),
                ],
            ),
            _ => unreachable!("data"),
        }
    }

    fn json_opening(&self) -> (&'static str, Vec<(&'static str, Json)>) {
        let list = |options: &[Opt]| options.iter().map(Opt::json).collect::<Vec<_>>().into();
        match self {
            Self::Open {
                alias,
                profile,
                align,
                limit,
                max_msg,
                options,
            } => {
                let direction = ["both", "opener", "acceptor"][usize::from(profile >> 3 & 3)];
                let unit = ["bytes", "messages"][usize::from(profile >> 5 & 1)];
                let members = vec![
                    ("alias", (*alias).into()),
                    ("priority", u64::from(profile & 7).into()),
                    ("direction", direction.into()),
                    ("unit", unit.into()),
                    ("conflate", (profile & 0x40 != 0).into()),
                    ("resumable", (profile & 0x80 != 0).into()),
                    ("align", u64::from(*align).into()),
                    ("limit", (*limit).into()),
                    ("max_msg", (*max_msg).into()),
                    ("options", list(options)),
                ];
                ("OPEN", members)
            }
            Self::Accept {
                peer_alias,
                alias,
                limit,
                max_msg,
                options,
            } => (
                "ACCEPT",
                vec![
                    ("peer_alias", (*peer_alias).into()),
                    ("alias", (*alias).into()),
                    ("limit", (*limit).into()),
                    ("max_msg", (*max_msg).into()),
                    ("options", list(options)),
                ],
            ),
            Self::Reject {
                peer_alias,
                code,
                info,
            } => {
                let mut members = vec![
                    ("peer_alias", (*peer_alias).into()),
                    ("code", (*code).into()),
                ];
                members.extend(info.as_ref().map(|info| ("metadata", hex(info).into())));
                ("REJECT", members)
            }
            _ => unreachable!("opening"),
        }
    }

    fn json_control(&self) -> (&'static str, Vec<(&'static str, Json)>) {
        match self {
            Self::Credit {
                kind,
                alias,
                total,
                ack,
            } => {
                let mut members = vec![
                    ("kind", kind.name().into()),
                    ("alias", (*alias).into()),
                    ("total", (*total).into()),
                ];
                members.extend(ack.map(|ack| ("ack", ack.into())));
                ("CREDIT", members)
            }
            Self::Reset {
                abort,
                stop,
                alias,
                code,
            } => (
                "RESET",
                vec![
                    ("abort", (*abort).into()),
                    ("stop", (*stop).into()),
                    ("alias", (*alias).into()),
                    ("code", (*code).into()),
                ],
            ),
            Self::Seq {
                alias,
                epoch,
                next_seq,
            } => (
                "SEQ",
                vec![
                    ("alias", (*alias).into()),
                    ("epoch", (*epoch).into()),
                    ("next_seq", (*next_seq).into()),
                ],
            ),
            _ => self.json_connection(),
        }
    }

    fn json_connection(&self) -> (&'static str, Vec<(&'static str, Json)>) {
        match self {
            Self::Ping { pong, value } => (
                "PING",
                vec![("pong", (*pong).into()), ("value", (*value).into())],
            ),
            Self::GoAway {
                opens_seen,
                code,
                reason,
            } => (
                "GOAWAY",
                vec![
                    ("opens_seen", (*opens_seen).into()),
                    ("code", (*code).into()),
                    ("reason", reason.as_str().into()),
                ],
            ),
            Self::Hello(parameters) => {
                let list: Vec<Json> = parameters.iter().map(Parameter::json).collect();
                ("HELLO", vec![("parameters", list.into())])
            }
            Self::Ext { ignore, kind, body } => (
                "EXT",
                vec![
                    ("ignore", (*ignore).into()),
                    ("kind", (*kind).into()),
                    ("body", hex(body).into()),
                ],
            ),
            _ => unreachable!("control"),
        }
    }
}

/// The bytes of a record.
#[must_use]
pub fn encode(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::encode).collect()
}
