//! What a channel is asked to be, and how it is answered.

use alloc::vec::Vec;
use core::time::Duration;

use super::error::OpenError;
use super::wire::{self, Direction, VARINT_MAX};

/// What a channel does with messages that the peer cannot take yet.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Mode {
    /// All of them are kept, up to the queue's limit, and sent in order.
    #[default]
    Reliable,
    /// A message replaces the one of the same key that still waits, in its place: the peer gets
    /// the newest state of every key, and is told how many it did not get.
    Conflated,
    /// A message that has waited for longer is dropped, and counted for the peer. Whole
    /// milliseconds, at least one.
    Ttl(Duration),
}

/// What a channel's credit counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Payload bytes, and `frame_overhead_bytes` for each frame.
    Bytes,
    /// Messages.
    Messages,
}

impl wire::Profile {
    /// What the credit of a channel with this profile counts.
    pub(super) fn unit(self) -> Unit {
        if self.messages {
            Unit::Messages
        } else {
            Unit::Bytes
        }
    }
}

/// Where a channel that was lost with its connection shall go on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Resume {
    /// Of the sequence: another one begins when the publisher cannot go on counting.
    pub epoch: u64,
    /// The first message that was not received.
    pub next_seq: u64,
}

/// How [`Mux::open`](super::Mux::open) makes a channel.
///
/// ```
/// use tickwire::channels::{Direction, Mode, OpenOptions};
///
/// let quotes = OpenOptions::new("quotes/EURUSD")
///     .direction(Direction::AcceptorSends)
///     .mode(Mode::Conflated)
///     .priority(0);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenOptions {
    pub(super) topic: Vec<u8>,
    pub(super) metadata: Vec<u8>,
    pub(super) priority: u8,
    pub(super) direction: Direction,
    pub(super) mode: Mode,
    pub(super) unit: Option<Unit>,
    pub(super) window: Option<u32>,
    pub(super) message_bytes_max: Option<u32>,
    pub(super) resumable: bool,
    pub(super) resume: Option<Resume>,
    pub(super) alias: Option<u32>,
}

/// Priorities are 0, the highest, to this.
pub(super) const PRIORITY_MAX: u8 = 7;

impl OpenOptions {
    /// A reliable channel in both directions, at priority 3, with the default windows. The
    /// topic is the application's: whatever tells the other end what the channel is for.
    #[must_use]
    pub fn new(topic: impl AsRef<[u8]>) -> Self {
        Self {
            topic: topic.as_ref().to_vec(),
            metadata: Vec::new(),
            priority: 3,
            direction: Direction::Both,
            mode: Mode::Reliable,
            unit: None,
            window: None,
            message_bytes_max: None,
            resumable: false,
            resume: None,
            alias: None,
        }
    }

    /// Bytes for the other end beside the topic: an encoded offer of codecs, say.
    #[must_use]
    pub fn metadata(mut self, metadata: impl AsRef<[u8]>) -> Self {
        self.metadata = metadata.as_ref().to_vec();
        self
    }

    /// 0 goes first, 7 last. A lower class gets 4 KiB after every 64 KiB of higher ones.
    #[must_use]
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = priority;
        self
    }

    /// Who sends.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// What is done with messages that the receiver cannot take yet, at whichever end sends.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// What the credit of both directions counts. Messages where the mode is conflated, else
    /// bytes, if not set.
    #[must_use]
    pub fn unit(mut self, unit: Unit) -> Self {
        self.unit = Some(unit);
        self
    }

    /// What the peer may have in flight and unread: bytes or messages, as the unit says.
    #[must_use]
    pub fn window(mut self, window: u32) -> Self {
        self.window = Some(window);
        self
    }

    /// Bytes of the largest message taken. A window of bytes must have room for it: half of one of
    /// 64 KiB or more, three quarters of a smaller one. Where messages are counted, as many as the
    /// window has may be held; the default is what lets eight of them cost no more than the
    /// window of a channel of bytes: 8,000 with the default config. A quote needs much less.
    #[must_use]
    pub fn message_bytes_max(mut self, bytes: u32) -> Self {
        self.message_bytes_max = Some(bytes);
        self
    }

    /// The channel is meant to go on after its connection: the publisher keeps what it sent.
    #[must_use]
    pub fn resumable(mut self) -> Self {
        self.resumable = true;
        self
    }

    /// Goes on where a channel of an earlier connection stopped.
    #[must_use]
    pub fn resume(mut self, resume: Resume) -> Self {
        self.resumable = true;
        self.resume = Some(resume);
        self
    }

    /// Our alias of the channel, below `shared_aliases`: the same for a topic on all
    /// connections, for [`SharedFrame`](super::SharedFrame)s.
    #[must_use]
    pub fn alias(mut self, alias: u32) -> Self {
        self.alias = Some(alias);
        self
    }

    /// Who sends: what [`Self::direction`] has set.
    #[must_use]
    pub fn get_direction(&self) -> Direction {
        self.direction
    }

    /// What is done with messages that cannot be taken yet: what [`Self::mode`] has set.
    #[must_use]
    pub fn get_mode(&self) -> Mode {
        self.mode
    }

    /// Where the channel goes on: what [`Self::resume`] has set.
    #[must_use]
    pub fn get_resume(&self) -> Option<Resume> {
        self.resume
    }

    pub(super) fn unit_or_default(&self) -> Unit {
        self.unit.unwrap_or(match self.mode {
            Mode::Conflated => Unit::Messages,
            Mode::Reliable | Mode::Ttl(_) => Unit::Bytes,
        })
    }

    /// As OPEN says them.
    pub(super) fn to_wire(&self) -> wire::Options<'_> {
        wire::Options {
            ttl_ms: match self.mode {
                Mode::Ttl(ttl) => u64::try_from(ttl.as_millis()).ok(),
                _ => None,
            },
            resume: self.resume.map(|r| (r.epoch, r.next_seq)),
            topic: &self.topic,
            metadata: &self.metadata,
            ..wire::Options::default()
        }
    }

    /// The values that do not depend on the connection.
    pub(super) fn check(&self, metadata_bytes_max: u32) -> Result<(), OpenError> {
        let refuse = |what| Err(OpenError::Options(what));
        if self.priority > PRIORITY_MAX {
            return refuse("priority must be 0 to 7");
        }
        if let Mode::Ttl(ttl) = self.mode
            && (ttl.as_millis() == 0 || ttl.as_millis() > u128::from(u32::MAX))
        {
            return refuse("a ttl must be 1 ms to 2^32-1 ms");
        }
        if let Some(Resume { epoch, next_seq }) = self.resume
            && (epoch > VARINT_MAX || next_seq >= VARINT_MAX)
        {
            return refuse("epochs and numbers of messages must be below 2^62 - 1");
        }
        if self.topic.len() + self.metadata.len() > metadata_bytes_max as usize {
            return refuse("topic and metadata together pass metadata_bytes_max");
        }
        Ok(())
    }
}

/// The publisher's answer to a [`Resume`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resumption {
    /// Everything from here on comes again, in the same epoch.
    Replay {
        /// The first message; at most the `next_seq` that was asked for.
        from: u64,
    },
    /// A state comes first, as the application knows it, then what follows it.
    Snapshot {
        /// The first message after the state, in the same epoch.
        seq: u64,
    },
    /// What was missed is gone; another epoch begins.
    Fresh {
        /// The epoch.
        epoch: u64,
        /// Its first message from here on.
        seq: u64,
    },
}

/// How [`Mux::accept`](super::Mux::accept) answers a channel. The default takes
/// it with the default windows.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AcceptOptions {
    pub(super) window: Option<u32>,
    pub(super) message_bytes_max: Option<u32>,
    pub(super) metadata: Vec<u8>,
    pub(super) resumption: Option<Resumption>,
    pub(super) wants: Option<u64>,
    pub(super) alias: Option<u32>,
}

impl AcceptOptions {
    /// The default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`OpenOptions::window`]. Not below the default, of which the opener may have made use
    /// already; nor one of 64 KiB or little more where the default is little less, for it would
    /// take smaller messages.
    #[must_use]
    pub fn window(mut self, window: u32) -> Self {
        self.window = Some(window);
        self
    }

    /// As [`OpenOptions::message_bytes_max`].
    #[must_use]
    pub fn message_bytes_max(mut self, bytes: u32) -> Self {
        self.message_bytes_max = Some(bytes);
        self
    }

    /// Bytes for the opener.
    #[must_use]
    pub fn metadata(mut self, metadata: impl AsRef<[u8]>) -> Self {
        self.metadata = metadata.as_ref().to_vec();
        self
    }

    /// Where our messages go on; for a channel that asks to be resumed.
    #[must_use]
    pub fn resumption(mut self, resumption: Resumption) -> Self {
        self.resumption = Some(resumption);
        self
    }

    /// The first message that we want of the opener's: it sends again from there.
    #[must_use]
    pub fn wants(mut self, next_seq: u64) -> Self {
        self.wants = Some(next_seq);
        self
    }

    /// As [`OpenOptions::alias`].
    #[must_use]
    pub fn alias(mut self, alias: u32) -> Self {
        self.alias = Some(alias);
        self
    }

    /// As ACCEPT says them.
    pub(super) fn to_wire(&self) -> wire::Options<'_> {
        wire::Options {
            metadata: &self.metadata,
            answer: self.resumption.map(|answer| match answer {
                Resumption::Replay { from } => wire::Answer::Replay { from },
                Resumption::Snapshot { seq } => wire::Answer::Snapshot { seq },
                Resumption::Fresh { epoch, seq } => wire::Answer::Fresh { epoch, seq },
            }),
            wants: self.wants,
            ..wire::Options::default()
        }
    }

    /// Whether the peer can be told, and takes, the numbers: the next message of ours has one
    /// below the largest.
    pub(super) fn numbers_fit(&self) -> bool {
        let (epoch, seq) = match self.resumption {
            Some(Resumption::Replay { from: seq } | Resumption::Snapshot { seq }) => (0, seq),
            Some(Resumption::Fresh { epoch, seq }) => (epoch, seq),
            None => (0, 0),
        };
        let told = epoch.max(self.wants.unwrap_or(0));
        told <= VARINT_MAX && seq < VARINT_MAX
    }
}
