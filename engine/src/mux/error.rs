//! What can go wrong, by who is at fault.

use core::fmt;

use super::wire::WireError;
use crate::error::End;

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
    UnaskedAnswer(u32),
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
            Self::UnaskedAnswer(_) => "an answer to what was not asked",
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
            | Self::UnaskedAnswer(alias)
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
    /// The peer ended the connection at once, for a reason of its own: it says that we broke a rule.
    Peer(ErrorCode),
    /// We ended it at once, with this code.
    Local(ErrorCode),
    /// The connection was closed gracefully: GOAWAY without an error, then Close (rule R59).
    Drained {
        /// The peer began it: its GOAWAY came before one of ours was sent.
        by_peer: bool,
        /// The code of the GOAWAY that began it: [`ErrorCode::NO_ERROR`], or the application's own.
        code: ErrorCode,
        /// What the drain came to.
        end: DrainEnd,
    },
    /// Nothing was received for `idle_timeout`.
    Idle,
    /// The WebSocket below ended, and no GOAWAY says why. The [`End`] is the WebSocket's; `None`
    /// where nothing is known of it, because the driver, its runtime or its reactor was dropped
    /// or stopped before.
    Lost(Option<End>),
}

/// What a drain came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DrainEnd {
    /// No channel was left.
    Complete,
    /// Channels were still open when the time that the drain gave them was over: what they had not
    /// finished is incomplete.
    TimeOver,
    /// The program that drained goes away and gives channels no time: the WebSocket is closed with
    /// 1001 (RFC 6455 section 7.4.1).
    GoingAway,
    /// The WebSocket was lost before it was closed.
    Lost,
}

impl ChannelFailure {
    /// The code it ended with; [`ErrorCode::TIMEOUT`] for [`Self::Idle`], and
    /// [`ErrorCode::INTERNAL`] for [`Self::Lost`], where no end gave one.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Violation(v) => v.code(),
            Self::Peer(code) | Self::Local(code) | Self::Drained { code, .. } => code,
            Self::Idle => ErrorCode::TIMEOUT,
            Self::Lost(_) => ErrorCode::INTERNAL,
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
            Self::Drained { by_peer, code, end } => {
                let by = if *by_peer { "the peer" } else { "this end" };
                match end {
                    DrainEnd::Complete => write!(
                        f,
                        "{by} closed the connection by a drain, and no channel was left: {code}"
                    ),
                    DrainEnd::TimeOver => write!(
                        f,
                        "{by} closed the connection by a drain, and its time was over before all channels had ended: {code}"
                    ),
                    DrainEnd::GoingAway => {
                        write!(f, "{by} closed the connection because it goes away: {code}")
                    }
                    DrainEnd::Lost => write!(
                        f,
                        "{by} began a drain, and the WebSocket was lost before it was closed: {code}"
                    ),
                }
            }
            Self::Lost(Some(end)) => write!(f, "the WebSocket ended without GOAWAY: {end}"),
            Self::Lost(None) => f.write_str(
                "the WebSocket is gone: its driver, runtime or reactor ended before the connection",
            ),
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
    /// The connection has ended in this way.
    Closed(ChannelFailure),
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
            Self::Closed(failure) => write!(f, "the connection has ended: {failure}"),
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
    /// A drain has begun, by this end or by the peer, with this code: open the channel on another
    /// connection.
    Draining(ErrorCode),
    /// The connection has ended in this way: open the channel on another one.
    Closed(ChannelFailure),
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
            Self::Draining(code) => write!(
                f,
                "the connection drains and takes no more channels: {code}; open the channel on another connection"
            ),
            Self::Closed(failure) => write!(
                f,
                "the connection has ended: {failure}; open the channel on another connection"
            ),
            Self::UnknownChannel => {
                f.write_str("there is no such channel any more, or it is answered already")
            }
        }
    }
}

impl core::error::Error for OpenError {}
