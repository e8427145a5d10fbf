//! A session driven by bytes, as a driver would, with everything written down.

use tickwire::sans_io::{BufPool, Entropy, Session, Shutdown};
use tickwire::{Config, Delivery, End, Message, Role, Timestamp};

use crate::event::{Event, Transcript};
use crate::frames::peer;
use crate::oracle::{Oracle, Rules};

/// How messages are taken out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Take {
    /// Each is read before the next one is asked for.
    Lent,
    /// All of a batch are held and read at its end.
    Held,
    /// `next_owned`, all kept to the end of the batch.
    Owned,
    /// Two of a batch, which is then dropped.
    Two,
}

/// One way to drive a session. All must tell the same story.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// How messages are taken out.
    pub take: Take,
    /// Whether buffers are given back after every read.
    pub detach: bool,
    /// Bytes of a receive buffer.
    pub recv_bytes: usize,
}

impl Mode {
    /// What a driver does.
    pub const PLAIN: Self = Self {
        take: Take::Lent,
        detach: true,
        recv_bytes: BufPool::RECV_BYTES,
    };

    /// Every combination worth a run.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for take in [Take::Lent, Take::Held, Take::Owned, Take::Two] {
            for detach in [false, true] {
                for recv_bytes in [4097, BufPool::RECV_BYTES] {
                    all.push(Self {
                        take,
                        detach,
                        recv_bytes,
                    });
                }
            }
        }
        all
    }
}

/// Turns of any loop here; more is an endless loop.
const TURNS_MAX: usize = 1 << 22;

/// A session, its buffers, what it told and what it sent.
#[derive(Debug)]
pub struct Driven {
    session: Option<Session>,
    /// Its buffers.
    pub pool: BufPool,
    mode: Mode,
    role: Role,
    /// The fake clock.
    pub now: Timestamp,
    /// What the application was told.
    pub told: Transcript,
    /// What went to the socket.
    pub sent: Vec<u8>,
}

impl Driven {
    /// An open connection.
    #[must_use]
    pub fn new(role: Role, config: &Config, mode: Mode) -> Self {
        Self::resume(role, config, mode, &[])
    }

    /// An open connection that begins with bytes from before.
    #[must_use]
    pub fn resume(role: Role, config: &Config, mode: Mode, leftover: &[u8]) -> Self {
        let now = Timestamp(1);
        let entropy = Entropy([0x5a; 32]);
        let session =
            Session::new(role, config.clone(), entropy, leftover, now).expect("limits that work");
        let mut driven = Self {
            session: Some(session),
            pool: BufPool::new(mode.recv_bytes, BufPool::SEND_BYTES),
            mode,
            role,
            now,
            told: Transcript::default(),
            sent: Vec::new(),
        };
        driven.turn();
        driven
    }

    /// The session.
    pub fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("taken only inside a call")
    }

    /// Bytes come from the peer, in as many reads as the space needs.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (mode, now) = (self.mode, self.now);
            let session = self.session.as_mut().expect("taken only inside a call");
            session.attach(&mut self.pool);
            let space = session.space();
            assert!(!space.is_empty(), "nowhere to read into");
            let n = space.len().min(bytes.len());
            space[..n].copy_from_slice(&bytes[..n]);
            session.handle_read(n, now);
            bytes = &bytes[n..];
            self.turn();
            if mode.detach {
                self.session
                    .as_mut()
                    .expect("put back by turn")
                    .detach(&mut self.pool);
            }
        }
    }

    /// The peer shuts down its sending half.
    pub fn eof(&mut self) {
        self.session().handle_eof();
        self.turn();
    }

    /// Drains, settles, writes.
    pub fn turn(&mut self) {
        self.drain();
        let now = self.now;
        self.session().queue_replies(now);
        self.flush();
    }

    /// Everything that is queued goes to the socket at once.
    pub fn flush(&mut self) {
        let now = self.now;
        for _ in 0..TURNS_MAX {
            let session = self.session.as_mut().expect("taken only inside a call");
            if !session.wants_write() {
                return;
            }
            let before = self.sent.len();
            for slice in session.transmit() {
                assert!(!slice.is_empty(), "empty slice to write");
                self.sent.extend_from_slice(slice);
            }
            let n = self.sent.len() - before;
            assert!(n > 0, "wants to write nothing");
            session.handle_written(n, now);
        }
        panic!("writes without end");
    }

    fn drain(&mut self) {
        for _ in 0..TURNS_MAX {
            if self.session().wants_read() {
                return;
            }
            match self.mode.take {
                Take::Lent => {
                    let session = self.session.as_mut().expect("taken only inside a call");
                    let (batch, _outbox) = session.receive();
                    batch.for_each(|m| self.told.lent(m));
                }
                Take::Held => {
                    let session = self.session.as_mut().expect("taken only inside a call");
                    let (batch, _outbox) = session.receive();
                    let held: Vec<Result<Message<'_>, _>> = batch.collect();
                    held.into_iter().for_each(|m| self.told.lent(m));
                }
                Take::Owned => self.drain_owned(),
                Take::Two => {
                    let session = self.session.as_mut().expect("taken only inside a call");
                    let (batch, _outbox) = session.receive();
                    batch.take(2).for_each(|m| self.told.lent(m));
                }
            }
        }
        panic!("drains without end");
    }

    fn drain_owned(&mut self) {
        let session = self.session.take().expect("taken only inside a call");
        let (mut read, write) = session.split();
        let mut kept = Vec::new();
        while let Some(message) = read.next_owned() {
            kept.push(message);
        }
        kept.into_iter().for_each(|m| self.told.owned(m));
        self.session = Some(Session::join(read, write));
    }

    /// What was sent, read by the model in the peer's place. Panics where any byte of it breaks
    /// a rule.
    #[must_use]
    pub fn sent(&self) -> Oracle {
        legal(self.role, &self.sent)
    }

    /// The events so far.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.told.events
    }

    /// How it ended.
    #[must_use]
    pub fn end(&mut self) -> Option<End> {
        self.session().end()
    }

    /// What is to be done with the socket.
    #[must_use]
    pub fn shutdown(&mut self) -> Shutdown {
        self.session().shutdown()
    }

    /// Ends it, for its unread and unsent bytes.
    #[must_use]
    pub fn into_parts(self) -> (Vec<u8>, Vec<u8>) {
        self.session.expect("taken only inside a call").into_parts()
    }
}

/// Reads what an endpoint in `role` sent.
///
/// # Panics
/// Where a byte of it breaks a rule, or something follows a Close.
#[must_use]
pub fn legal(role: Role, sent: &[u8]) -> Oracle {
    let mut oracle = Oracle::new(Rules::lax(peer(role)));
    legal_on(&mut oracle, sent);
    oracle
}

/// Reads on.
///
/// # Panics
/// As [`legal`].
pub fn legal_on(oracle: &mut Oracle, sent: &[u8]) {
    oracle.feed(sent);
    if let Some(Event::Fail(failure)) = oracle.events.last() {
        panic!("sent what is not allowed: {failure}");
    }
    assert_eq!(oracle.ignored, 0, "bytes after a Close");
}

/// Config without timers, for tests of bytes alone.
#[must_use]
pub fn config(delivery: Delivery) -> Config {
    Config::default().delivery(delivery).ping_interval(None)
}

/// The limits of `config` as the model sees them.
#[must_use]
pub fn rules(role: Role, config: &Config) -> Rules {
    Rules {
        role,
        message_max: config.message_bytes_max,
        frame_max: config.frame_bytes_max,
        fragments_max: config.fragments_max,
    }
}

/// The transcript of `bytes` cut into reads of these lengths; what is left comes in one.
#[must_use]
pub fn transcript(
    role: Role,
    config: &Config,
    mode: Mode,
    bytes: &[u8],
    cuts: impl IntoIterator<Item = usize>,
) -> Vec<Event> {
    let mut driven = Driven::new(role, config, mode);
    let mut rest = bytes;
    for len in cuts {
        let (now, later) = rest.split_at(len.min(rest.len()));
        driven.push(now);
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    driven.push(rest);
    let _ = driven.sent();
    driven.told.events
}
