//! Options to open and to accept a channel.

use alloc::vec::Vec;
use core::time::Duration;

use super::error::OpenError;
use super::wire::{self, Direction, VARINT_MAX};
use crate::config::{require, require_beside};

/// How a channel treats messages that cannot be sent yet.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Mode {
    /// All messages are queued, up to the queue's limit, and sent in order.
    #[default]
    Reliable,
    /// A message replaces the queued message of the same key, in its position. The peer receives
    /// the newest state of every key, and the number of replaced messages.
    Conflated,
    /// A message queued for longer than this is dropped, and the peer receives the number of
    /// dropped messages. Whole milliseconds, at least one.
    Ttl(Duration),
}

/// The unit of a channel's credit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Payload bytes, and `frame_overhead_bytes` for each frame.
    Bytes,
    /// Messages.
    Messages,
}

impl wire::Profile {
    /// The unit of the channel's credit.
    pub(super) fn unit(self) -> Unit {
        if self.messages {
            Unit::Messages
        } else {
            Unit::Bytes
        }
    }
}

/// Where a channel of an earlier connection resumes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Resume {
    /// The epoch of the sequence. A publisher that cannot continue the numbering starts another
    /// epoch.
    pub epoch: u64,
    /// The number of the first message that was not received.
    pub next_seq: u64,
}

/// Options of [`Mux::open`](super::Mux::open).
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
    /// Which ends send. Default both.
    pub direction: Direction,
    /// How each sender treats messages that cannot be sent yet. Default reliable.
    pub mode: Mode,
    pub(super) unit: Option<Unit>,
    pub(super) window: Option<u32>,
    pub(super) message_bytes_max: Option<u32>,
    pub(super) resumable: bool,
    pub(super) resume: Option<Resume>,
    pub(super) alias: Option<u32>,
    pub(super) no_wait: bool,
}

/// The largest epoch and the largest number that can be asked for.
const EPOCH_BOUND: &str = "at most 2^62 - 1";
/// The numbers of messages.
const NUMBER_BOUND: &str = "below 2^62 - 1";

/// The lowest priority; 0 is the highest.
pub(super) const PRIORITY_MAX: u8 = 7;

impl OpenOptions {
    /// A reliable channel in both directions, at priority 3, with the default windows. The topic
    /// belongs to the application: it tells the other end what the channel is for.
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
            no_wait: false,
        }
    }

    /// Fails with [`OpenError::PeerLimit`] instead of waiting, if OPEN cannot be sent at once: the
    /// peer's HELLO has not come, or its limits allow no other channel now. Without this option such
    /// an OPEN waits at this end until the peer's limits allow it.
    #[must_use]
    pub fn no_wait(mut self) -> Self {
        self.no_wait = true;
        self
    }

    /// Metadata for the other end, in addition to the topic: an encoded offer of codecs, for
    /// example.
    #[must_use]
    pub fn metadata(mut self, metadata: impl AsRef<[u8]>) -> Self {
        self.metadata = metadata.as_ref().to_vec();
        self
    }

    /// Sets the priority: 0 is the highest, 7 the lowest. A lower class gets 4 KiB after every 64
    /// KiB of higher classes.
    #[must_use]
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = priority;
        self
    }

    /// Sets which ends send.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Sets how each sender treats messages that cannot be sent yet.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the unit of the credit, for both directions. Without it: messages if the mode is
    /// conflated, else bytes.
    #[must_use]
    pub fn unit(mut self, unit: Unit) -> Self {
        self.unit = Some(unit);
        self
    }

    /// Sets the receive window: what the peer may have in flight and unread, in bytes or messages
    /// as the unit says.
    #[must_use]
    pub fn window(mut self, window: u32) -> Self {
        self.window = Some(window);
        self
    }

    /// Sets the size of the largest accepted message, in bytes. A window of bytes must have room
    /// for it: half of a window of 64 KiB or more, three quarters of a smaller one. Where messages
    /// are counted, a whole window of such messages may be held; by default eight of them cost no
    /// more than the default window in bytes, which makes 8,000 bytes with the default config.
    #[must_use]
    pub fn message_bytes_max(mut self, bytes: u32) -> Self {
        self.message_bytes_max = Some(bytes);
        self
    }

    /// Makes the channel resumable on a later connection: the publisher keeps what it sent.
    #[must_use]
    pub fn resumable(mut self) -> Self {
        self.resumable = true;
        self
    }

    /// Resumes a channel of an earlier connection. The channel is resumable, too.
    #[must_use]
    pub fn resume(mut self, resume: Resume) -> Self {
        self.resumable = true;
        self.resume = Some(resume);
        self
    }

    /// Sets this end's alias of the channel, below `shared_aliases`: the same alias for a topic on
    /// all connections, for [`SharedFrame`](super::SharedFrame)s.
    #[must_use]
    pub fn alias(mut self, alias: u32) -> Self {
        self.alias = Some(alias);
        self
    }

    /// Where the channel resumes, if [`Self::resume`] was called.
    #[must_use]
    pub fn resume_point(&self) -> Option<Resume> {
        self.resume
    }

    pub(super) fn unit_or_default(&self) -> Unit {
        self.unit.unwrap_or(match self.mode {
            Mode::Conflated => Unit::Messages,
            Mode::Reliable | Mode::Ttl(_) => Unit::Bytes,
        })
    }

    /// The options as OPEN encodes them.
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

    /// Checks the values that do not depend on the connection.
    pub(super) fn check(&self, metadata_bytes_max: u32) -> Result<(), OpenError> {
        let priority = u64::from(self.priority);
        require(
            self.priority <= PRIORITY_MAX,
            "OpenOptions::priority",
            priority,
            "0 to 7",
        )?;
        if let Mode::Ttl(ttl) = self.mode {
            require(
                (1..=u128::from(u32::MAX)).contains(&ttl.as_millis()),
                "Mode::Ttl of OpenOptions::mode",
                ttl,
                "1 ms to 2^32 - 1 ms",
            )?;
        }
        if let Some(Resume { epoch, next_seq }) = self.resume {
            require(epoch <= VARINT_MAX, "Resume::epoch", epoch, EPOCH_BOUND)?;
            require(
                next_seq < VARINT_MAX,
                "Resume::next_seq",
                next_seq,
                NUMBER_BOUND,
            )?;
        }
        let described = self.topic.len() + self.metadata.len();
        require_beside(
            described <= metadata_bytes_max as usize,
            "the length of OpenOptions::topic and metadata together",
            described,
            "at most ChannelConfig::metadata_bytes_max",
            metadata_bytes_max,
        )?;
        Ok(())
    }
}

/// The publisher's answer to a [`Resume`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resumption {
    /// All messages from this number on follow, in the same epoch.
    Replay {
        /// The number of the first message; at most the requested `next_seq`.
        from: u64,
    },
    /// A snapshot of the application's state follows, then the messages after it.
    Snapshot {
        /// The number of the first message after the snapshot, in the same epoch.
        seq: u64,
    },
    /// The missed messages are lost; a new epoch starts.
    Fresh {
        /// The epoch.
        epoch: u64,
        /// The number of the next message in it.
        seq: u64,
    },
}

/// Options of [`Mux::accept`](super::Mux::accept). The default grants the default windows.
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
    /// The default options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`OpenOptions::window`]. It must not be below the default, which the opener may already
    /// use. If the default is a little below 64 KiB, a window of 64 KiB or a little more is
    /// refused: it would allow only smaller messages.
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

    /// Metadata for the opener.
    #[must_use]
    pub fn metadata(mut self, metadata: impl AsRef<[u8]>) -> Self {
        self.metadata = metadata.as_ref().to_vec();
        self
    }

    /// Sets where this end's messages continue, for a channel that asks to resume.
    #[must_use]
    pub fn resumption(mut self, resumption: Resumption) -> Self {
        self.resumption = Some(resumption);
        self
    }

    /// Sets the number of the first message wanted from the opener, which sends again from there.
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

    /// The options as ACCEPT encodes them.
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

    /// Checks that the numbers can be encoded and are valid: the number of the next message must be
    /// below the largest.
    pub(super) fn check_numbers(&self) -> Result<(), OpenError> {
        let (epoch, seq) = match self.resumption {
            Some(Resumption::Replay { from: seq } | Resumption::Snapshot { seq }) => (0, seq),
            Some(Resumption::Fresh { epoch, seq }) => (epoch, seq),
            None => (0, 0),
        };
        let wants = self.wants.unwrap_or(0);
        require(
            epoch <= VARINT_MAX,
            "Resumption::Fresh::epoch",
            epoch,
            EPOCH_BOUND,
        )?;
        require(
            wants <= VARINT_MAX,
            "AcceptOptions::wants",
            wants,
            EPOCH_BOUND,
        )?;
        require(
            seq < VARINT_MAX,
            "the number in AcceptOptions::resumption",
            seq,
            NUMBER_BOUND,
        )?;
        Ok(())
    }
}
