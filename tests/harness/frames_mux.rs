//! Frames of `tickwire.mux.v1`, written and read from `docs/protocol.md` and not from the engine:
//! the two must agree byte for byte.

/// The largest number of the wire.
pub const MAX62: u64 = (1 << 62) - 1;

/// Flags, in the high nibble of the first byte.
pub mod flag {
    /// DATA, RUN: a length follows.
    pub const LEN: u8 = 0x10;
    /// DATA: the message goes on.
    pub const MORE: u8 = 0x20;
    /// DATA: the half ends.
    pub const FIN: u8 = 0x40;
    /// DATA, RUN: messages are missing.
    pub const SKIP: u8 = 0x80;
    /// CREDIT: the receiver asks for what is not used.
    pub const NARROW: u8 = 0x10;
    /// CREDIT: the sender is stuck.
    pub const BLOCKED: u8 = 0x20;
    /// CREDIT: an acknowledgement follows.
    pub const ACK: u8 = 0x40;
    /// CREDIT: the sender gives back what it does not use.
    pub const RETURN: u8 = 0x80;
    /// RESET: I stop sending.
    pub const ABORT: u8 = 0x10;
    /// RESET: you stop sending.
    pub const STOP: u8 = 0x20;
    /// PING: an answer.
    pub const PONG: u8 = 0x10;
    /// REJECT: bytes of the application follow.
    pub const INFO: u8 = 0x10;
    /// EXT: may be skipped.
    pub const IGNORE: u8 = 0x10;
}

/// The profile byte of OPEN.
pub mod profile {
    /// Only who opens it sends.
    pub const OPENER_SENDS: u8 = 1 << 3;
    /// Only who accepts it sends.
    pub const ACCEPTOR_SENDS: u8 = 2 << 3;
    /// Credit counts messages.
    pub const MESSAGES: u8 = 1 << 5;
    /// The newest of each key.
    pub const CONFLATE: u8 = 1 << 6;
    /// Goes on after its connection.
    pub const RESUMABLE: u8 = 1 << 7;
}

/// A record in the making.
#[derive(Clone, Default, Debug)]
pub struct Put(pub Vec<u8>);

/// A varint in its shortest form: the two low bits say log2 of its length.
#[must_use]
pub fn tv(v: u64) -> Vec<u8> {
    let log = match v {
        0..=0x3F => 0,
        0x40..=0x3FFF => 1,
        0x4000..=0x3FFF_FFFF => 2,
        _ => 3,
    };
    tv_long(v, log)
}

/// The same in 2^log bytes, which may be more than it needs.
#[must_use]
pub fn tv_long(v: u64, log: u32) -> Vec<u8> {
    assert!(v <= MAX62);
    let word = (v << 2) | u64::from(log);
    word.to_le_bytes()[..1 << log].to_vec()
}

/// An option of OPEN or ACCEPT, or a parameter of HELLO.
#[must_use]
pub fn tlv(id: u64, value: &[u8]) -> Vec<u8> {
    [tv(id), tv(value.len() as u64), value.to_vec()].concat()
}

/// The options that name a topic.
#[must_use]
pub fn topic(name: &[u8]) -> Vec<u8> {
    tlv(3, name)
}

/// Parameters of HELLO as a peer with its own mind sends them; the value in its fewest bytes.
#[must_use]
pub fn hello(parameters: &[(u64, u64)]) -> Put {
    let body: Vec<u8> = parameters
        .iter()
        .flat_map(|&(id, value)| {
            let bytes = value.to_le_bytes();
            let len = (1..=8)
                .find(|&n| n == 8 || value >> (8 * n) == 0)
                .unwrap_or(8);
            tlv(id, &bytes[..len])
        })
        .collect();
    Put::default().raw(&[0x0B]).tv(body.len() as u64).raw(&body)
}

impl Put {
    /// An empty record.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Any bytes.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A number.
    #[must_use]
    pub fn tv(self, v: u64) -> Self {
        self.raw(&tv(v))
    }

    /// DATA; LEN is added to `flags`.
    #[must_use]
    pub fn data(self, flags: u8, alias: u64, payload: &[u8]) -> Self {
        self.raw(&[flags | flag::LEN | 1])
            .tv(alias)
            .tv(payload.len() as u64)
            .raw(payload)
    }

    /// DATA with a count of messages that are missing before it.
    #[must_use]
    pub fn data_skip(self, flags: u8, alias: u64, skip: u64, payload: &[u8]) -> Self {
        self.raw(&[flags | flag::LEN | flag::SKIP | 1])
            .tv(alias)
            .tv(payload.len() as u64)
            .tv(skip)
            .raw(payload)
    }

    /// DATA up to the end of the record.
    #[must_use]
    pub fn data_last(self, flags: u8, alias: u64, payload: &[u8]) -> Self {
        self.raw(&[flags | 1]).tv(alias).raw(payload)
    }

    /// RUN of `count` elements.
    #[must_use]
    pub fn run(self, alias: u64, elem: u64, count: u64, bytes: &[u8]) -> Self {
        self.raw(&[flag::LEN | 2])
            .tv(alias)
            .tv(elem)
            .tv(count)
            .raw(bytes)
    }

    /// CREDIT of a channel.
    #[must_use]
    pub fn credit(self, alias: u64, limit: u64) -> Self {
        self.raw(&[3]).tv(alias).tv(limit)
    }

    /// NARROW: credit beyond `keep` is asked for.
    #[must_use]
    pub fn narrow(self, alias: u64, keep: u64) -> Self {
        self.raw(&[flag::NARROW | 3]).tv(alias).tv(keep)
    }

    /// RETURN: so much counts as charged.
    #[must_use]
    pub fn give_back(self, alias: u64, total: u64) -> Self {
        self.raw(&[flag::RETURN | 3]).tv(alias).tv(total)
    }

    /// BLOCKED on a channel.
    #[must_use]
    pub fn blocked(self, alias: u64, limit: u64) -> Self {
        self.raw(&[flag::BLOCKED | 3]).tv(alias).tv(limit)
    }

    /// OPEN with a byte of [`profile`].
    #[must_use]
    pub fn open(self, alias: u64, profile: u8, limit: u64, max_msg: u64, options: &[u8]) -> Self {
        self.raw(&[4])
            .tv(alias)
            .raw(&[profile, 0])
            .tv(limit)
            .tv(max_msg)
            .tv(options.len() as u64)
            .raw(options)
    }

    /// ACCEPT.
    #[must_use]
    pub fn accept(
        self,
        peer_alias: u64,
        alias: u64,
        limit: u64,
        max_msg: u64,
        options: &[u8],
    ) -> Self {
        self.raw(&[5])
            .tv(peer_alias)
            .tv(alias)
            .tv(limit)
            .tv(max_msg)
            .tv(options.len() as u64)
            .raw(options)
    }

    /// REJECT.
    #[must_use]
    pub fn reject(self, peer_alias: u64, code: u64) -> Self {
        self.raw(&[6]).tv(peer_alias).tv(code)
    }

    /// RESET with its flags.
    #[must_use]
    pub fn reset(self, flags: u8, alias: u64, code: u64) -> Self {
        self.raw(&[flags | 7]).tv(alias).tv(code)
    }

    /// SEQ.
    #[must_use]
    pub fn seq(self, alias: u64, epoch: u64, next_seq: u64) -> Self {
        self.raw(&[8]).tv(alias).tv(epoch).tv(next_seq)
    }

    /// PING.
    #[must_use]
    pub fn ping(self, value: u64) -> Self {
        self.raw(&[9]).raw(&value.to_le_bytes())
    }

    /// The answer to a PING.
    #[must_use]
    pub fn pong(self, value: u64) -> Self {
        self.raw(&[flag::PONG | 9]).raw(&value.to_le_bytes())
    }

    /// GOAWAY.
    #[must_use]
    pub fn goaway(self, opens_seen: u64, code: u64, reason: &str) -> Self {
        self.raw(&[0xA])
            .tv(opens_seen)
            .tv(code)
            .raw(&[reason.len() as u8])
            .raw(reason.as_bytes())
    }

    /// EXT.
    #[must_use]
    pub fn ext(self, flags: u8, kind: u64, body: &[u8]) -> Self {
        self.raw(&[flags | 0xF])
            .tv(kind)
            .tv(body.len() as u64)
            .raw(body)
    }
}

/// What a frame of the engine's says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    /// A message, or a fragment of one.
    Data {
        /// MORE and FIN.
        flags: u8,
        /// The channel, as its sender calls it.
        alias: u64,
        /// Messages that are missing before it.
        skip: u64,
        /// The bytes.
        payload: Vec<u8>,
    },
    /// Messages of one size.
    Run {
        /// The channel, as its sender calls it.
        alias: u64,
        /// Bytes of each message.
        elem: u64,
        /// Messages that are missing before it.
        skip: u64,
        /// All messages.
        bytes: Vec<u8>,
    },
    /// A limit.
    Credit {
        /// As in [`flag`].
        flags: u8,
        /// The channel, as its sender calls it.
        alias: u64,
        /// The total.
        limit: u64,
        /// The first message that is not acknowledged.
        ack: u64,
    },
    /// A channel is wanted.
    Open {
        /// The channel, as its sender calls it.
        alias: u64,
        /// As in [`profile`].
        profile: u8,
        /// The total.
        limit: u64,
        /// The largest message taken.
        max_msg: u64,
        /// As they are.
        options: Vec<u8>,
    },
    /// It is granted.
    Accept {
        /// The alias in the OPEN.
        peer_alias: u64,
        /// The channel, as its sender calls it.
        alias: u64,
        /// The total.
        limit: u64,
        /// The largest message taken.
        max_msg: u64,
        /// As they are.
        options: Vec<u8>,
    },
    /// It is not.
    Reject {
        /// The alias in the OPEN.
        peer_alias: u64,
        /// Why.
        code: u64,
        /// Why, in bytes of the application.
        info: Vec<u8>,
    },
    /// A half ends before its time.
    Reset {
        /// As in [`flag`].
        flags: u8,
        /// The channel, as its sender calls it.
        alias: u64,
        /// Why.
        code: u64,
    },
    /// Messages are counted anew.
    Seq {
        /// The channel, as its sender calls it.
        alias: u64,
        /// The epoch.
        epoch: u64,
        /// The number of the next message.
        next_seq: u64,
    },
    /// A round trip begins.
    Ping(u64),
    /// It ends.
    Pong(u64),
    /// The connection ends.
    GoAway {
        /// OPENs that were looked at.
        opens_seen: u64,
        /// Why.
        code: u64,
        /// Why, in words.
        reason: String,
    },
    /// Ids and values of the parameters.
    Hello(Vec<(u64, u64)>),
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(n);
        self.0 = rest;
        head
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn word(&mut self, n: usize) -> u64 {
        let mut word = [0; 8];
        word[..n].copy_from_slice(self.take(n));
        u64::from_le_bytes(word)
    }

    fn tv(&mut self) -> u64 {
        let len = 1 << (self.0[0] & 3);
        self.word(len) >> 2
    }

    fn counted(&mut self) -> Vec<u8> {
        let len = self.tv() as usize;
        self.take(len).to_vec()
    }
}

/// The frames of a record of the engine's. Panics where it is not as the document says: the engine
/// must not send such a thing.
#[must_use]
pub fn read(record: &[u8]) -> Vec<Said> {
    let mut rest = Bytes(record);
    let mut said = Vec::new();
    while !rest.0.is_empty() {
        let byte0 = rest.byte();
        said.push(frame(byte0 & 0xF, byte0 & 0xF0, &mut rest));
    }
    assert!(!said.is_empty(), "a record has a frame");
    said
}

fn frame(kind: u8, flags: u8, r: &mut Bytes<'_>) -> Said {
    match kind {
        1 => data(flags, r),
        2 => run(flags, r),
        3 => Said::Credit {
            flags,
            alias: r.tv(),
            limit: r.tv(),
            ack: if flags & flag::ACK == 0 { 0 } else { r.tv() },
        },
        4 => Said::Open {
            alias: r.tv(),
            profile: r.byte(),
            limit: {
                assert_eq!(r.byte(), 0, "the engine asks for no alignment");
                r.tv()
            },
            max_msg: r.tv(),
            options: r.counted(),
        },
        5 => Said::Accept {
            peer_alias: r.tv(),
            alias: r.tv(),
            limit: r.tv(),
            max_msg: r.tv(),
            options: r.counted(),
        },
        6 => Said::Reject {
            peer_alias: r.tv(),
            code: r.tv(),
            info: if flags & flag::INFO == 0 {
                Vec::new()
            } else {
                r.counted()
            },
        },
        7 => Said::Reset {
            flags,
            alias: r.tv(),
            code: r.tv(),
        },
        8 => Said::Seq {
            alias: r.tv(),
            epoch: r.tv(),
            next_seq: r.tv(),
        },
        9 if flags == 0 => Said::Ping(r.word(8)),
        9 if flags == flag::PONG => Said::Pong(r.word(8)),
        0xA => Said::GoAway {
            opens_seen: r.tv(),
            code: r.tv(),
            reason: {
                let len = usize::from(r.byte());
                String::from_utf8(r.take(len).to_vec()).expect("UTF-8")
            },
        },
        0xB => {
            let body = r.counted();
            let mut r = Bytes(&body);
            let mut parameters = Vec::new();
            while !r.0.is_empty() {
                let (id, len) = (r.tv(), r.tv() as usize);
                parameters.push((id, r.word(len)));
            }
            Said::Hello(parameters)
        }
        _ => panic!("the engine sent type {kind:x} with flags {flags:x}"),
    }
}

fn data(flags: u8, r: &mut Bytes<'_>) -> Said {
    let alias = r.tv();
    let len = (flags & flag::LEN != 0).then(|| r.tv() as usize);
    let skip = if flags & flag::SKIP == 0 { 0 } else { r.tv() };
    let len = len.unwrap_or(r.0.len());
    Said::Data {
        flags: flags & (flag::MORE | flag::FIN),
        alias,
        skip,
        payload: r.take(len).to_vec(),
    }
}

fn run(flags: u8, r: &mut Bytes<'_>) -> Said {
    let (alias, elem) = (r.tv(), r.tv());
    assert!(flags & flag::LEN != 0, "the engine counts its elements");
    let count = r.tv();
    let skip = if flags & flag::SKIP == 0 { 0 } else { r.tv() };
    Said::Run {
        alias,
        elem,
        skip,
        bytes: r.take((elem * count) as usize).to_vec(),
    }
}
