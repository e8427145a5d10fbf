//! Error codes, violations of the peer, failures of the connection, and errors of calls.

use core::fmt;

use super::wire::WireError;
use crate::error::End;

/// The reason why a channel or a connection ended. Codes from 16 on belong to the application.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// No error.
    pub const NO_ERROR: Self = Self(0);
    /// The peer broke a rule of the protocol.
    pub const PROTOCOL: Self = Self(1);
    /// The peer sent more than its credit allows.
    pub const FLOW: Self = Self(2);
    /// A record or message is larger than the announced limit.
    pub const SIZE: Self = Self(3);
    /// More channels than the announced limit, or than there is memory for.
    pub const LIMIT: Self = Self(4);
    /// The peer sends too many frames that cost work and carry nothing (as `ENHANCE_YOUR_CALM` of
    /// HTTP/2).
    pub const CALM: Self = Self(5);
    /// The reader does not read. Applications use it to stop such a channel; the connection itself
    /// never does, because an unread channel does not block other channels.
    pub const STALLED: Self = Self(6);
    /// The channel is refused.
    pub const REFUSED: Self = Self(7);
    /// A deadline passed.
    pub const TIMEOUT: Self = Self(8);
    /// An internal error of the sender of this code.
    pub const INTERNAL: Self = Self(9);
    /// The first code of the application.
    pub const APPLICATION: Self = Self(16);

    /// The WebSocket close code: 4000 + code, at most 4999.
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
    /// A malformed frame.
    Wire(WireError),
    /// A frame other than HELLO before the peer's HELLO.
    BeforeHello,
    /// A second HELLO.
    HelloTwice,
    /// A record larger than `record_bytes_max`.
    RecordTooLarge,
    /// A message larger than the channel's limit, or whose fragments cost more than the largest
    /// message may.
    MessageTooLarge,
    /// An alias that was never opened, or not below `aliases_max`.
    UnknownAlias(u32),
    /// Data on a closed channel, or after FIN or ABORT.
    DataAfterEnd(u32),
    /// Data from the end that does not send on this channel.
    WrongDirection(u32),
    /// A new message or the end of the half before the last fragment of the previous message.
    InsideMessage(u32),
    /// OPEN on an alias that is in use.
    AliasInUse(u32),
    /// ACCEPT or REJECT without a pending OPEN.
    UnexpectedAnswer(u32),
    /// An option that is not valid here: a resumption that was not asked for or names a number that
    /// was not announced, or a time to live on a conflated channel.
    BadOption,
    /// More data than the channel's credit, or a return of more credit than was left.
    ChannelCredit(u32),
    /// More open channels than `channels_max`.
    TooManyChannels,
    /// More unanswered channels than `pending_opens_max`.
    TooManyOpens,
    /// Channels were opened and reset in a loop.
    WastedOpens,
    /// More than one PING a second, for long.
    PingFlood,
    /// More than one GOAWAY a second, for long.
    GoAwayFlood,
    /// A message number of 2^62 - 1 or more.
    BadCounter,
    /// An unknown extension frame that must not be ignored.
    UnknownExtension,
    /// A text message: records are binary.
    NotBinary,
}

impl ChannelViolation {
    /// The error code that is sent to the peer.
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

    /// The rule as text, for the application and for GOAWAY (at most 123 bytes).
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Wire(error) => error.rule(),
            Self::BeforeHello => "HELLO must be the first frame",
            Self::HelloTwice => "HELLO is sent once",
            Self::RecordTooLarge => "a record is larger than the announced limit",
            Self::MessageTooLarge => "a message is larger than the channel's limit",
            Self::UnknownAlias(_) => "an alias that was never opened",
            Self::DataAfterEnd(_) => "data on a channel that has ended",
            Self::WrongDirection(_) => "data from the end that does not send on this channel",
            Self::InsideMessage(_) => "a message must be complete before the next one or the end",
            Self::AliasInUse(_) => "an alias is opened again before its channel has ended",
            Self::UnexpectedAnswer(_) => "ACCEPT or REJECT must answer an OPEN that waits",
            Self::BadOption => "an option must fit its frame, and what was asked for",
            Self::ChannelCredit(_) => "data or returned credit must not pass the channel's credit",
            Self::TooManyChannels => "more channels than announced",
            Self::TooManyOpens => "more unanswered channels than announced",
            Self::WastedOpens => "channels are opened and reset in a loop",
            Self::PingFlood => "PINGs must not come faster than one a second",
            Self::GoAwayFlood => "GOAWAYs must not come faster than one a second for long",
            Self::BadCounter => {
                "a limit, epoch or sequence number must not go back or past its maximum"
            }
            Self::UnknownExtension => "an extension frame that must not be ignored is unknown here",
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

impl core::error::Error for ChannelViolation {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Wire(error) => Some(error),
            _ => None,
        }
    }
}

/// How a connection with channels ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ChannelFailure {
    /// The peer broke a rule.
    Violation(ChannelViolation),
    /// The peer ended the connection with this code. A code other than `NO_ERROR` and below
    /// `APPLICATION` reports that this end broke a rule or missed a deadline.
    Peer(ErrorCode),
    /// This end ended the connection with this code.
    Local(ErrorCode),
    /// The connection was closed gracefully: GOAWAY without an error, then Close (rule R59).
    Drained {
        /// The peer started the drain: its GOAWAY came before this end sent one.
        by_peer: bool,
        /// The code of the GOAWAY that started it: [`ErrorCode::NO_ERROR`], or the application's own.
        code: ErrorCode,
        /// How the drain ended.
        end: DrainEnd,
    },
    /// No record was received for `idle_timeout`.
    Idle,
    /// The WebSocket ended without a GOAWAY. The [`End`] is the WebSocket's; `None` if it is unknown,
    /// because the driver, its runtime or its reactor was dropped or stopped first.
    Lost(Option<End>),
}

/// How a drain ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DrainEnd {
    /// No channel was left.
    Complete,
    /// The time limit of the drain passed while channels were open. Their unfinished messages are
    /// incomplete.
    TimeOver,
    /// The program that drained ends and gives channels no time: the WebSocket is closed with 1001
    /// (RFC 6455 section 7.4.1). A peer that has no channel open reports [`Self::Complete`].
    GoingAway,
    /// The WebSocket was lost before it was closed.
    Lost,
}

impl ChannelFailure {
    /// The error code of the end; [`ErrorCode::TIMEOUT`] for [`Self::Idle`], and
    /// [`ErrorCode::INTERNAL`] for [`Self::Lost`], where no end sent a code.
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
            Self::Violation(v) => write!(f, "the peer broke a rule of tickwire.mux.v1: {v}; look for the fault at the peer"),
            Self::Peer(code) => write!(f, "the peer ended the channels of the connection with {code}"),
            Self::Local(code) => write!(f, "this end ended the channels of the connection with {code}"),
            Self::Idle => f.write_str(
                "the peer sent nothing for ChannelConfig::idle_timeout: it hangs, or the network is down; connect again",
            ),
            Self::Drained { by_peer, code, end } => {
                let by = if *by_peer { "the peer" } else { "this end" };
                match end {
                    DrainEnd::Complete => write!(
                        f,
                        "{by} drained the connection, and all channels ended ({code}): connect again"
                    ),
                    DrainEnd::TimeOver => write!(
                        f,
                        "{by} drained the connection, and channels were still open when its time was over ({code}): connect again"
                    ),
                    DrainEnd::GoingAway => {
                        write!(f, "{by} ended the connection because its program ends ({code}): connect again")
                    }
                    DrainEnd::Lost => write!(
                        f,
                        "{by} started a drain, and the WebSocket was lost before it was closed ({code}): connect again"
                    ),
                }
            }
            Self::Lost(Some(end)) => write!(
                f,
                "the WebSocket below the channels ended without GOAWAY: {end}; connect again"
            ),
            Self::Lost(None) => f.write_str(
                "the WebSocket below the channels is gone: its driver, runtime or reactor ended first",
            ),
        }
    }
}

impl core::error::Error for ChannelFailure {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Violation(v) => Some(v),
            _ => None,
        }
    }
}

impl From<ChannelViolation> for ChannelFailure {
    fn from(v: ChannelViolation) -> Self {
        Self::Violation(v)
    }
}

/// Why a send was refused. Nothing was queued or sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ChannelSendError {
    /// The channel's queue, or all queues together, are full: wait until the channel is writable.
    WouldBlock,
    /// The message is larger than the peer accepts on this channel. It can never be sent.
    TooLarge {
        /// Bytes of the message.
        len: usize,
        /// Bytes that the peer accepts on this channel.
        max: usize,
    },
    /// The sending half is finished or reset, or this end does not send on the channel.
    Finished,
    /// The peer stopped the sending half, or rejected the channel.
    Stopped(ErrorCode),
    /// The connection has ended, for this reason.
    Closed(ChannelFailure),
    /// The channel does not exist, or the application has closed it.
    UnknownChannel,
    /// The operation does not fit the channel's mode: keys are for conflated channels, runs for the
    /// others.
    WrongMode,
    /// A run must be a whole number of elements of at least one byte each.
    BadRun,
}

impl fmt::Display for ChannelSendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WouldBlock => f.write_str(
                "the send queue is full: send again when the channel is writable",
            ),
            Self::TooLarge { len, max } => write!(
                f,
                "a message of {len} bytes is larger than the {max} that the peer accepts on this channel: split it, or let the peer grant a larger window"
            ),
            Self::Finished => f.write_str(
                "this end has finished or reset its half of the channel, or may not send on it: open another channel",
            ),
            Self::Stopped(code) => write!(f, "the peer stopped or rejected the channel with {code}"),
            Self::Closed(failure) => write!(
                f,
                "the connection has ended: {failure}; open the channel on another connection"
            ),
            Self::UnknownChannel => f.write_str(
                "this connection has no such channel: it has ended, or belongs to another connection",
            ),
            Self::WrongMode => f.write_str(
                "the channel's mode does not have this operation: keys are for conflated channels, runs for the others",
            ),
            Self::BadRun => f.write_str(
                "a run must be a whole number of elements, of at least one byte each: correct its length or the element size",
            ),
        }
    }
}

impl core::error::Error for ChannelSendError {}

/// Why a channel could not be opened or answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The limit of open and waiting channels is reached.
    TooMany,
    /// An option is invalid; the text names it and its valid values.
    Options(&'static str),
    /// A drain has started, by this end or by the peer, with this code: open the channel on another
    /// connection.
    Draining(ErrorCode),
    /// The connection has ended, for this reason: open the channel on another one.
    Closed(ChannelFailure),
    /// The channel does not exist, or is already answered.
    UnknownChannel,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => {
                f.write_str(
                    "as many channels as the limits of both ends allow are open or wait to be: end some first",
                )
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
                f.write_str("this connection has no such channel to answer: it has ended, or was answered")
            }
        }
    }
}

impl core::error::Error for OpenError {}
