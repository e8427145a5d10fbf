//! Error codes, violations of the peer, failures of the connection, and errors of calls.

use core::fmt;

use super::wire::WireError;
use crate::config::ConfigError;
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
    /// The first code of the application. A GOAWAY with `NO_ERROR` or a code of the application is a
    /// drain for the peer, also if it comes from `abort` (rule R59): the peer reports
    /// [`ChannelFailure::Drained`], with [`DrainEnd::Incomplete`] if channels were open. `abort` with
    /// [`Self::INTERNAL`], for instance, is reported as [`ChannelFailure::Peer`].
    pub const APPLICATION: Self = Self(16);

    /// The WebSocket close code: 4000 + code, at most 4999.
    #[must_use]
    pub fn close_code(self) -> u16 {
        4000 + u16::try_from(self.0).unwrap_or(999).min(999)
    }

    /// Whether a later attempt can succeed after the peer sent this code.
    pub(crate) const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::NO_ERROR
                | Self::LIMIT
                | Self::CALM
                | Self::STALLED
                | Self::REFUSED
                | Self::TIMEOUT
                | Self::INTERNAL
        )
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

/// Without a source: the text contains the cause.
impl core::error::Error for ChannelViolation {}

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
    /// The connection ended with a GOAWAY without an error, then Close (rule R59).
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
    /// Channels were still open when the connection was closed: the time of the drain was over, or
    /// the end that began the drain aborted the connection with `NO_ERROR` or a code of the
    /// application. The wire does not tell these apart (rule R59). Unfinished messages are
    /// incomplete.
    Incomplete,
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

impl ChannelFailure {
    /// Whether a new connection can succeed later; the table of
    /// [`Error::is_transient`](crate::Error::is_transient) says when.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        match self {
            Self::Peer(code)
            | Self::Drained {
                by_peer: true,
                code,
                ..
            } => code.is_transient(),
            Self::Idle | Self::Lost(_) => true,
            Self::Violation(_) | Self::Local(_) | Self::Drained { by_peer: false, .. } => false,
        }
    }

    /// What to do after the failure; empty if this end ended the channels.
    const fn advice(self) -> &'static str {
        match self {
            Self::Violation(_) => "; look for the fault at the peer",
            Self::Idle | Self::Lost(Some(_)) | Self::Drained { by_peer: true, .. } => {
                "; connect again"
            }
            Self::Peer(_) | Self::Local(_) | Self::Lost(None) | Self::Drained { .. } => "",
        }
    }

    /// What to do with a channel on the ended connection; empty if this end ended the channels.
    const fn channel_advice(self) -> &'static str {
        match self {
            Self::Local(_) | Self::Drained { by_peer: false, .. } => "",
            Self::Violation(_) => self.advice(),
            _ => "; open the channel on another connection",
        }
    }
}

/// A [`ChannelFailure`] as text, without advice: the text around it has its own.
struct Cause(ChannelFailure);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ChannelFailure::Violation(v) => {
                write!(f, "the peer broke a rule of tickwire.mux.v1: {v}")
            }
            ChannelFailure::Peer(code) => {
                write!(f, "the peer ended the channels of the connection with {code}")
            }
            ChannelFailure::Local(code) => {
                write!(f, "this end ended the channels of the connection with {code}")
            }
            ChannelFailure::Idle => f.write_str(
                "the peer sent nothing for ChannelConfig::idle_timeout: it hangs, or the network is down",
            ),
            ChannelFailure::Drained { by_peer, code, end } => {
                let by = if by_peer { "the peer" } else { "this end" };
                let how = match end {
                    DrainEnd::Complete => "drained the connection, and all channels ended",
                    DrainEnd::Incomplete => {
                        "ended the connection while channels were still open"
                    }
                    DrainEnd::GoingAway => "ended the connection because its program ends",
                    DrainEnd::Lost => {
                        "started a drain, and the WebSocket was lost before it was closed"
                    }
                };
                write!(f, "{by} {how} ({code})")
            }
            ChannelFailure::Lost(Some(end)) => write!(
                f,
                "the WebSocket below the channels ended without GOAWAY: {end}"
            ),
            ChannelFailure::Lost(None) => f.write_str(
                "the WebSocket below the channels is gone: its driver, runtime or reactor ended first",
            ),
        }
    }
}

impl fmt::Display for ChannelFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Cause(*self), self.advice())
    }
}

/// The text of a call on a connection that has ended.
fn write_closed(f: &mut fmt::Formatter<'_>, failure: ChannelFailure) -> fmt::Result {
    let advice = failure.channel_advice();
    write!(f, "the connection has ended: {}{advice}", Cause(failure))
}

/// Without a source: the text contains the cause.
impl core::error::Error for ChannelFailure {}

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
    /// This end has finished or reset the sending half.
    Finished,
    /// The channel's direction lets only the peer send.
    WrongDirection,
    /// The peer stopped the sending half.
    Stopped(ErrorCode),
    /// The peer rejected the channel; or a drain began before OPEN was sent, the peer lacks a
    /// feature that the channel needs, or the peer has no alias left for the channel.
    Rejected(ErrorCode),
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
                "a message of {len} bytes is larger than the {max} that the peer accepts on this channel: split it, or let the peer raise message_bytes_max in its OpenOptions or AcceptOptions, together with window unless the channel counts messages"
            ),
            Self::Finished => f.write_str(
                "this end has finished or reset its half of the channel: open another channel to send more",
            ),
            Self::WrongDirection => f.write_str(
                "only the peer sends on this channel: open a channel with another OpenOptions::direction",
            ),
            Self::Stopped(code) => write!(f, "the peer stopped reading the channel with {code}"),
            Self::Rejected(code) => write!(f, "the channel was rejected with {code}: open another channel"),
            Self::Closed(failure) => write_closed(f, *failure),
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

impl ChannelSendError {
    /// Whether the same call can succeed later, on another connection or channel if this one has
    /// ended; the table of [`Error::is_transient`](crate::Error::is_transient) says when.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        match self {
            Self::WouldBlock => true,
            Self::Stopped(code) | Self::Rejected(code) => code.is_transient(),
            Self::Closed(failure) => failure.is_transient(),
            Self::TooLarge { .. }
            | Self::Finished
            | Self::WrongDirection
            | Self::UnknownChannel
            | Self::WrongMode
            | Self::BadRun => false,
        }
    }
}

/// Why a channel could not be opened or answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// This end has as many channels as it may: those of both ends, open, waiting to be opened, or
    /// ended and still held by the application.
    TooMany {
        /// Twice [`ChannelConfig::channels_max`](super::ChannelConfig::channels_max) of this end.
        max: usize,
    },
    /// [`OpenOptions::no_wait`](super::OpenOptions::no_wait), and OPEN would wait for the peer: for
    /// its HELLO, for one of its `channels_max` places, or for an answer, as at most
    /// `pending_opens_max` may be outstanding.
    PeerLimit,
    /// An option is invalid; the text gives its name, its value and its valid values.
    Options(ConfigError),
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
            Self::TooMany { max } => write!(
                f,
                "{max} channels are open, wait to be opened or are not dropped yet, twice ChannelConfig::channels_max of this end: end and drop some first"
            ),
            Self::PeerLimit => f.write_str(
                "the peer allows no other channel now: end a channel, wait for the peer's answers, or open without OpenOptions::no_wait",
            ),
            Self::Options(error) => error.fmt(f),
            Self::Draining(code) => write!(
                f,
                "the connection drains and takes no more channels: {code}; open the channel on another connection"
            ),
            Self::Closed(failure) => write_closed(f, *failure),
            Self::UnknownChannel => {
                f.write_str("this connection has no such channel to answer: it has ended, or was answered")
            }
        }
    }
}

impl From<ConfigError> for OpenError {
    fn from(error: ConfigError) -> Self {
        Self::Options(error)
    }
}

impl core::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Options(error) => Some(error),
            _ => None,
        }
    }
}

impl OpenError {
    /// Whether the same call can succeed later, on another connection if this one drains or has
    /// ended; the table of [`Error::is_transient`](crate::Error::is_transient) says when.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        match self {
            Self::TooMany { .. } | Self::PeerLimit => true,
            Self::Draining(code) => code.is_transient(),
            Self::Closed(failure) => failure.is_transient(),
            Self::Options(_) | Self::UnknownChannel => false,
        }
    }
}
