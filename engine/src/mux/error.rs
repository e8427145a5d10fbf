//! What can go wrong, by who is at fault.

use core::fmt;

use super::wire::WireError;

/// Why a channel or a connection ended. 16 and above are the application's own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// Nothing is wrong.
    pub const NO_ERROR: Self = Self(0);
    /// A rule of the protocol was broken.
    pub const PROTOCOL: Self = Self(1);
    /// More was sent than credit allowed.
    pub const FLOW: Self = Self(2);
    /// A record or message was larger than announced.
    pub const SIZE: Self = Self(3);
    /// More channels than announced, or than there is room for.
    pub const LIMIT: Self = Self(4);
    /// Too much of what costs us and serves nobody.
    pub const CALM: Self = Self(5);
    /// The reader takes nothing: for applications that stop such a channel. A connection does not;
    /// an unread channel is in nobody's way.
    pub const STALLED: Self = Self(6);
    /// The channel is not wanted here, or not now.
    pub const REFUSED: Self = Self(7);
    /// Something took too long.
    pub const TIMEOUT: Self = Self(8);
    /// A fault of our own.
    pub const INTERNAL: Self = Self(9);
    /// The first code that is the application's own.
    pub const APPLICATION: Self = Self(16);

    /// The close code of the connection below: 4000 + code, at most 4999.
    #[must_use]
    pub fn close_code(self) -> u16 {
        4000 + u16::try_from(self.0).unwrap_or(999).min(999)
    }

    fn name(self) -> Option<&'static str> {
        const NAMES: [&str; 10] = [
            "NO_ERROR", "PROTOCOL", "FLOW", "SIZE", "LIMIT", "CALM", "STALLED", "REFUSED",
            "TIMEOUT", "INTERNAL",
        ];
        NAMES.get(self.0 as usize).copied()
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "code {}", self.0),
        }
    }
}

/// A rule of `tickwire.mux.v1` that the peer broke. The connection ends with [`Self::code`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ChannelViolation {
    /// A frame that is no frame.
    Wire(WireError),
    /// A frame other than HELLO before the peer's HELLO.
    BeforeHello,
    /// A second HELLO.
    HelloTwice,
    /// A record larger than `record_bytes_max`.
    RecordTooLarge,
    /// A message larger than the channel takes, or one that its fragments make cost more than
    /// that.
    MessageTooLarge,
    /// An alias that was never opened, or not below `aliases_max`.
    UnknownAlias(u32),
    /// Data on a channel that is closed, or after FIN or ABORT.
    DataAfterEnd(u32),
    /// Data of the end that does not send on this channel.
    WrongDirection(u32),
    /// A message began, or the half ended, inside a message.
    InsideMessage(u32),
    /// OPEN on an alias that is in use.
    AliasInUse(u32),
    /// ACCEPT or REJECT of what was not asked.
    UnexpectedAnswer(u32),
    /// A resumption of a channel that did not ask for it, or one with what was not announced; a time
    /// to live on a channel that is conflated.
    BadOption,
    /// The channel's limit was passed, or more credit was given back than was left.
    ChannelCredit(u32),
    /// More channels than `channels_max`.
    TooManyChannels,
    /// More unanswered channels than `pending_opens_max`.
    TooManyOpens,
    /// Channels were opened and reset in a loop.
    WastedOpens,
    /// More PINGs than any measurement needs.
    PingFlood,
    /// More GOAWAYs than one a second, for long.
    GoAwayFlood,
    /// A limit, epoch or sequence that went back or over.
    BadCounter,
    /// An extension that nobody here knows, and that must not be skipped.
    UnknownExtension,
    /// Something that is not a record: text.
    NotBinary,
}

impl ChannelViolation {
    /// What the peer is told.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::RecordTooLarge | Self::MessageTooLarge => ErrorCode::SIZE,
            Self::ChannelCredit(_) => ErrorCode::FLOW,
            Self::TooManyChannels | Self::TooManyOpens => ErrorCode::LIMIT,
            Self::WastedOpens | Self::PingFlood | Self::GoAwayFlood => ErrorCode::CALM,
            _ => ErrorCode::PROTOCOL,
        }
    }

    /// The rule, as it is told to the application and to the peer (at most 123 bytes).
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Wire(error) => error.rule(),
            Self::BeforeHello => "HELLO must be the first frame",
            Self::HelloTwice => "HELLO is sent once",
            Self::RecordTooLarge => "a record is larger than announced",
            Self::MessageTooLarge => "a message is larger than the channel takes",
            Self::UnknownAlias(_) => "an alias that was never opened",
            Self::DataAfterEnd(_) => "data on a channel that has ended",
            Self::WrongDirection(_) => "data of the end that does not send on this channel",
            Self::InsideMessage(_) => "a message must be finished before the next or the end",
            Self::AliasInUse(_) => "an alias is opened again before its channel has ended",
            Self::UnexpectedAnswer(_) => "an answer to what was not asked",
            Self::BadOption => "an option that does not belong here",
            Self::ChannelCredit(_) => "a channel's limit was passed",
            Self::TooManyChannels => "more channels than announced",
            Self::TooManyOpens => "more unanswered channels than announced",
            Self::WastedOpens => "channels are opened and reset in a loop",
            Self::PingFlood => "too many PINGs",
            Self::GoAwayFlood => "too many GOAWAYs",
            Self::BadCounter => "a counter went back or over",
            Self::UnknownExtension => "an extension that is unknown and not to be ignored",
            Self::NotBinary => "only binary messages carry channels",
        }
    }
}

impl fmt::Display for ChannelViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule())?;
        match self {
            Self::UnknownAlias(alias)
            | Self::DataAfterEnd(alias)
            | Self::WrongDirection(alias)
            | Self::InsideMessage(alias)
            | Self::AliasInUse(alias)
            | Self::UnexpectedAnswer(alias)
            | Self::ChannelCredit(alias) => write!(f, " (alias {alias})"),
            _ => Ok(()),
        }
    }
}

impl core::error::Error for ChannelViolation {}

/// How a connection's channels ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ChannelFailure {
    /// The peer broke a rule.
    Violation(ChannelViolation),
    /// The peer ended the connection for a reason of its own: it says that we broke a rule, or
    /// gives a code of the application's.
    Peer(ErrorCode),
    /// We ended it, with this code.
    Local(ErrorCode),
    /// Nothing was received for `idle_timeout`.
    Idle,
    /// The connection below is gone.
    Lost,
}

impl ChannelFailure {
    /// The code it ended with.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Violation(v) => v.code(),
            Self::Peer(code) | Self::Local(code) => code,
            Self::Idle => ErrorCode::TIMEOUT,
            Self::Lost => ErrorCode::INTERNAL,
        }
    }
}

impl fmt::Display for ChannelFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violation(v) => write!(f, "protocol violation: {v}"),
            Self::Peer(code) => write!(f, "the peer ended the connection: {code}"),
            Self::Local(code) => write!(f, "we ended the connection: {code}"),
            Self::Idle => f.write_str("nothing received in time"),
            Self::Lost => f.write_str("the connection below is gone"),
        }
    }
}

impl core::error::Error for ChannelFailure {}

impl From<ChannelViolation> for ChannelFailure {
    fn from(v: ChannelViolation) -> Self {
        Self::Violation(v)
    }
}

/// Why a send was refused. Nothing of it was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ChannelSendError {
    /// The channel's queue, or all queues together, are full: wait until the channel is
    /// writable.
    WouldBlock,
    /// The message can never be sent: the peer takes smaller ones only.
    TooLarge {
        /// Bytes of the message.
        len: usize,
        /// Bytes that the peer takes on this channel.
        max: usize,
    },
    /// This half is finished, or was reset, or never was ours to send on.
    Finished,
    /// The peer does not want more: it has stopped this half, or rejected the channel.
    Stopped(ErrorCode),
    /// The connection has ended.
    Closed(ErrorCode),
    /// There is no such channel any more.
    UnknownChannel,
    /// The channel's mode does not have this operation: keys are for conflated channels, runs
    /// for the others.
    WrongMode,
    /// A run must be a whole number of elements, of at least one byte each.
    BadRun,
}

impl fmt::Display for ChannelSendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WouldBlock => f.write_str("the send queue is full: wait until it is writable"),
            Self::TooLarge { len, max } => write!(
                f,
                "a message of {len} bytes passes the {max} that the peer takes on this channel: split it, or let the peer open a wider window"
            ),
            Self::Finished => f.write_str("this half of the channel has ended"),
            Self::Stopped(code) => write!(f, "the peer takes no more on this channel: {code}"),
            Self::Closed(code) => write!(f, "the connection has ended: {code}"),
            Self::UnknownChannel => f.write_str("there is no such channel any more"),
            Self::WrongMode => f.write_str("the channel's mode does not have this operation"),
            Self::BadRun => f.write_str("a run is a whole number of elements of a byte or more"),
        }
    }
}

impl core::error::Error for ChannelSendError {}

/// Why a channel was not opened or answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// As many channels as there may be are open, or wait to be.
    TooMany,
    /// A value of the options cannot work; says which and what it must be.
    Options(&'static str),
    /// The connection ends, or has ended: open the channel on another one.
    Closed(ErrorCode),
    /// There is no such channel any more, or it is answered already.
    UnknownChannel,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => {
                f.write_str("as many channels as there may be are open: end some first")
            }
            Self::Options(what) => f.write_str(what),
            Self::Closed(code) => write!(f, "the connection has ended: {code}"),
            Self::UnknownChannel => {
                f.write_str("there is no such channel any more, or it is answered already")
            }
        }
    }
}

impl core::error::Error for OpenError {}
