//! The error type of the drivers, into which all errors of the crate convert.

use std::fmt;
#[cfg(any(feature = "mio", feature = "tokio"))]
use std::format;
use std::io;
use std::string::String;
use std::time::Duration;

use super::accept_fault::AcceptFault;
use super::clock;
#[cfg(any(feature = "mio", feature = "tokio"))]
use super::{channels::TimerError, handler::Ended, remote::RemoteError, timers_full::TimersFull};
#[cfg(feature = "tokio")]
use super::{tokio::ChannelError, tokio::UniteError};
use crate::config::ConfigError;
use crate::error::{CloseCode, Deadline, End, Failure, Limit, SendError, Violation};
use crate::handshake::{HandshakeError, HandshakeUsage, RetryAfter, UrlError};
use crate::session::channels::{
    ChannelFailure, ChannelSendError, ChannelViolation, OpenError, SUBPROTOCOL, StartError,
    WireError,
};

use super::tune::TuneError;

/// Why a call failed. Every error of this crate converts into this type, so that one function can
/// use connections, channels and reactors with `?`:
///
/// ```no_run
/// # #[cfg(feature = "tokio")]
/// # mod example {
/// use tickwire::Error;
/// use tickwire::channels::{ChannelSocket, OpenOptions};
///
/// async fn relay() -> Result<(), Error> {
///     let mut feed = tickwire::connect("ws://127.0.0.1:9001/feed").await?; // Error
///     let socket = ChannelSocket::connect("ws://127.0.0.1:9002/book").await?; // Error
///     socket.ready().await?; // ChannelFailure
///     let mut book = socket.open(OpenOptions::new("book"))?; // OpenError
///     while let Some((messages, outbox)) = feed.recv_batch().await? {
///         for message in messages {
///             if let tickwire::Message::Binary(tick) = message {
///                 book.send(tick).await?; // ChannelSendError
///                 outbox.send(b"ack")?; // SendError
///             }
///         }
///     }
///     book.finish()?;
///     while book.recv().await?.is_some() {} // ChannelError
///     Ok(())
/// }
/// # }
/// ```
///
/// The text contains the text of the error that was converted.
/// [`source`](std::error::Error::source) gives only a cause that the text does not contain, so that a
/// report of the whole chain has each text once. [`raw_os_error`](Self::raw_os_error) gives the code
/// of the operating system.
/// [`is_transient`](Self::is_transient) says whether a later attempt can succeed, and
/// [`retry_after`](Self::retry_after) gives the wait that the server requested.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A socket operation, or another call of the operating system, failed.
    Io(io::Error),
    /// The host name was not resolved to an address.
    Resolve {
        /// The host, as in the URL.
        host: String,
        /// The error of the operating system; [`NotFound`](io::ErrorKind::NotFound) for a name
        /// without an address.
        error: io::Error,
    },
    /// The URL is not valid.
    Url(UrlError),
    /// The opening handshake failed: the peer refused the connection, or broke a rule.
    Handshake(HandshakeError),
    /// The connection failed: the peer broke a rule, exceeded a limit, or missed a deadline.
    Failed(Failure),
    /// The connection was closed by a closing handshake. Converted from an [`End`]; the receiving
    /// calls report a clean close as the end of the messages, not as this error.
    Closed {
        /// The code in the Close of the peer, as [`End::Closed`].
        code: Option<CloseCode>,
        /// The peer started the closing handshake.
        by_peer: bool,
    },
    /// A send was refused.
    Send(SendError),
    /// The connection was not established, or the opening handshake not completed, in time.
    Timeout(Deadline),
    /// The URL is `wss://`, and TLS is not built in. Connect and encrypt the stream yourself, then
    /// run the opening handshake over it.
    Tls {
        /// The host of the URL.
        host: String,
    },
    /// The [`Reader`](crate::Reader) of a split connection was dropped before the connection
    /// ended. Without a reader, Pings are not answered, and the end of the connection is not
    /// detected. Keep the reader in a task that receives, or send on the undivided
    /// [`WebSocket`](crate::WebSocket).
    NoReader,
    /// A limit or deadline of the configuration is not valid.
    Config(ConfigError),
    /// All channels of a connection ended.
    ChannelsFailed(ChannelFailure),
    /// A send on a channel was refused.
    ChannelSend(ChannelSendError),
    /// A channel was not opened, or not answered.
    ChannelOpen(OpenError),
    /// A channel can receive nothing more.
    #[cfg(feature = "tokio")]
    Channel(ChannelError),
    /// A reactor did not accept a command.
    #[cfg(any(feature = "mio", feature = "tokio"))]
    Remote(RemoteError),
    /// A reactor did not set a timer.
    #[cfg(any(feature = "mio", feature = "tokio"))]
    Timer(TimerError),
    /// Two halves are not of the same connection. Converted from a
    /// [`UniteError`](crate::UniteError); the conversion drops both halves.
    #[cfg(feature = "tokio")]
    NotUnited,
    /// A connection that another library upgraded has a stream of a different type than
    /// requested. Converted from [`AdoptError::OtherStream`](crate::hyper::AdoptError); the
    /// conversion drops the connection.
    #[cfg(feature = "hyper")]
    OtherStream,
}

/// The longest wait that [`Error::retry_after`] returns: a day.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

impl Error {
    /// Whether the same call can succeed later: on a new connection, if this connection has ended.
    /// Wait longer before each attempt, and at least for [`Self::retry_after`].
    ///
    /// | cause | transient |
    /// |---|---|
    /// | the connection was refused, reset, aborted or cut; the network or host is not reachable | yes |
    /// | a deadline passed | yes |
    /// | the host's name was not resolved | yes |
    /// | the operating system is out of descriptors, buffers or memory | yes |
    /// | another error of the operating system: a port in use, a missing permission | no |
    /// | the server answered 408, 425, 429, or 5xx other than 501 and 505 | yes |
    /// | the server gave an answer with a readable `Retry-After`: see [`Self::retry_after`] | yes |
    /// | the server gave another answer, or one that breaks a rule; the peer does not support the sub-protocol | no |
    /// | the peer broke a rule, or exceeded a limit | no |
    /// | a send queue is full; there are too many channels, timers or commands | yes |
    /// | a closing handshake | as [`End::is_transient`] |
    /// | a send after the connection has closed: `end()` of the connection has the cause, and [`End::is_transient`] says whether to connect again | no |
    /// | the peer ended or drained the channels, or refused, stopped or aborted one, with NO_ERROR (GOAWAY), LIMIT, CALM, STALLED, REFUSED, TIMEOUT or INTERNAL | yes |
    /// | the same, with PROTOCOL, FLOW, SIZE or a code of the application | no |
    /// | the peer rejected a channel without processing it | yes |
    /// | this end ended or drained the channels, ended the channel or its half, or stops the reactor | no |
    /// | a wrong call: URL, config, options, `wss://`, text that is not UTF-8, a message too large, a channel on which only the peer sends | no |
    ///
    /// Only the application knows the meaning of its own error codes.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Io(e) => io_is_transient(e),
            Self::Resolve { .. } | Self::Timeout(_) => true,
            Self::Handshake(e) => handshake_is_transient(e),
            Self::Failed(e) => e.is_transient(),
            Self::Closed { code, by_peer } => closed(*code, *by_peer).is_transient(),
            Self::Send(e) => send_is_transient(*e),
            Self::ChannelsFailed(e) => e.is_transient(),
            Self::ChannelSend(e) => e.is_transient(),
            Self::ChannelOpen(e) => e.is_transient(),
            #[cfg(feature = "tokio")]
            Self::Channel(e) => e.is_transient(),
            #[cfg(any(feature = "mio", feature = "tokio"))]
            Self::Remote(e) => match e {
                RemoteError::Full => true,
                RemoteError::Stopped => false,
                RemoteError::Close(e) => send_is_transient(*e),
            },
            #[cfg(any(feature = "mio", feature = "tokio"))]
            Self::Timer(e) => match e {
                TimerError::Full(TimersFull) => true,
                TimerError::Token => false,
            },
            #[cfg(feature = "tokio")]
            Self::NotUnited => false,
            #[cfg(feature = "hyper")]
            Self::OtherStream => false,
            Self::Url(_) | Self::Tls { .. } | Self::NoReader | Self::Config(_) => false,
        }
    }

    /// The wait that the server requested: the `Retry-After` header of the answer that refused the
    /// opening handshake (RFC 9110 section 10.2.3), at most a day.
    ///
    /// A date in `Retry-After` is compared with the `Date` of the same answer, so that the two
    /// clocks need not agree; without a `Date`, with the local time. A past date gives zero.
    ///
    /// `None` for every other error, and if the header is missing or malformed. An error with a wait
    /// is [transient](Self::is_transient).
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let Self::Handshake(HandshakeError::Refused(response)) = self else {
            return None;
        };
        let seconds = match response.retry_after()? {
            RetryAfter::Seconds(seconds) => seconds,
            RetryAfter::At(at) => {
                at.saturating_sub(response.date().unwrap_or_else(clock::unix_seconds))
            }
        };
        Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
    }

    /// The code of the operating system, such as `EMFILE`; `None` for errors of other origin.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        match self {
            Self::Io(error) | Self::Resolve { error, .. } => cause(error).raw_os_error(),
            _ => None,
        }
    }
}

fn closed(code: Option<CloseCode>, by_peer: bool) -> End {
    End::Closed { code, by_peer }
}

fn io_is_transient(error: &io::Error) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable,
        Interrupted, NetworkDown, NetworkUnreachable, NotConnected, NotFound, OutOfMemory,
        ResourceBusy, TimedOut, UnexpectedEof, WouldBlock,
    };
    match error.kind() {
        ConnectionRefused | ConnectionReset | ConnectionAborted | NotConnected | BrokenPipe
        | UnexpectedEof | TimedOut | HostUnreachable | NetworkUnreachable | NetworkDown
        | Interrupted | WouldBlock | OutOfMemory | ResourceBusy => true,
        // A Unix socket has no file while its server restarts.
        NotFound => true,
        // Out of descriptors or buffers: `ErrorKind` has no stable variant for these.
        _ => AcceptFault::of(cause(error)) == AcceptFault::System,
    }
}

fn handshake_is_transient(error: &HandshakeError) -> bool {
    use HandshakeError as E;
    match error {
        E::Refused(response) => {
            matches!(
                response.status(),
                408 | 425 | 429 | 500 | 502..=504 | 506..=599
            ) || response.retry_after().is_some()
        }
        E::HeadTooLarge { .. }
        | E::TargetTooLong { .. }
        | E::TooManyHeaders { .. }
        | E::BareLf
        | E::ObsoleteFolding
        | E::HeaderName
        | E::HeaderValue
        | E::StartLine
        | E::Method
        | E::MethodUnknown
        | E::HeadMethod(_)
        | E::Http2
        | E::HttpVersion
        | E::Target
        | E::MissingHeader(_)
        | E::DuplicateHeader(_)
        | E::Host
        | E::Body
        | E::Upgrade
        | E::Connection
        | E::Version
        | E::Key
        | E::Origin
        | E::OriginNotAllowed(_)
        | E::Subprotocol
        | E::AcceptMismatch
        | E::SubprotocolNotRequested
        | E::SubprotocolNeeded(_)
        | E::SubprotocolNotAgreed { .. }
        | E::ExtensionNotRequested
        | E::Usage(_) => false,
    }
}

fn send_is_transient(error: SendError) -> bool {
    match error {
        SendError::QueueFull { .. } => true,
        // Says nothing about the cause: `end()` does.
        SendError::Closed
        | SendError::TooLarge { .. }
        | SendError::ControlTooLong { .. }
        | SendError::InvalidCloseCode(_)
        | SendError::MessageOpen
        | SendError::InvalidUtf8 { .. } => false,
    }
}

/// The error of the operating system inside an error of [`with_context`].
fn cause(error: &io::Error) -> &io::Error {
    let inner = error
        .get_ref()
        .and_then(|e| e.downcast_ref::<WithContext>());
    inner.map_or(error, |inner| &inner.error)
}

/// An error of the operating system, and the operation that failed.
#[derive(Debug)]
struct WithContext {
    context: String,
    error: io::Error,
}

impl fmt::Display for WithContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.context, self.error)
    }
}

impl std::error::Error for WithContext {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source() // the text contains the error itself
    }
}

/// Adds the failed operation to the text of `error`. Kind and code stay the same.
#[cfg(any(feature = "mio", feature = "tokio"))]
pub(crate) fn with_context(context: impl Into<String>, error: io::Error) -> io::Error {
    let context = context.into();
    io::Error::new(error.kind(), WithContext { context, error })
}

#[cfg(any(feature = "mio", feature = "tokio"))]
impl Error {
    pub(crate) fn resolve(host: &str, error: io::Error) -> Self {
        let host = host.into();
        Self::Resolve { host, error }
    }

    /// The lookup of `host` succeeded without an address.
    pub(crate) fn no_address(host: &str) -> Self {
        let error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        Self::resolve(host, error)
    }

    /// Connecting to `peer` failed.
    pub(crate) fn connect(peer: impl fmt::Display, error: io::Error) -> Self {
        Self::Io(with_context(format!("cannot connect to {peer}"), error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(e) => write!(f, "i/o error: {e}"),
            Self::Resolve { host, error } => write!(
                f,
                "cannot resolve the host {host}: {error}; check the URL, and the DNS configuration of this machine"
            ),
            Self::Url(e) => e.fmt(f),
            Self::Handshake(HandshakeError::Usage(e)) => write!(f, "wrong call: {e}"),
            Self::Handshake(e) => write!(f, "opening handshake failed: {e}"),
            Self::Failed(e) => e.fmt(f),
            Self::Closed { code, by_peer } => closed(*code, *by_peer).fmt(f),
            Self::Send(e) => write!(f, "not sent: {e}"),
            Self::Timeout(e) => e.fmt(f),
            Self::Tls { host } => write!(
                f,
                "the URL of {host} is wss://, and TLS is not built in: connect and encrypt the stream yourself, then use connect_over(stream, url)",
            ),
            Self::NoReader => f.write_str(
                "not sent: the reader of the split connection was dropped; keep the reader in a task that receives, or do not split the connection",
            ),
            Self::Config(e) => write!(f, "invalid configuration: {e}"),
            Self::ChannelsFailed(e) => e.fmt(f),
            Self::ChannelSend(e) => write!(f, "not sent on the channel: {e}"),
            Self::ChannelOpen(e) => write!(f, "channel not opened: {e}"),
            #[cfg(feature = "tokio")]
            Self::Channel(e) => e.fmt(f),
            #[cfg(any(feature = "mio", feature = "tokio"))]
            Self::Remote(e) => e.fmt(f),
            #[cfg(any(feature = "mio", feature = "tokio"))]
            Self::Timer(e) => write!(f, "timer not set: {e}"),
            #[cfg(feature = "tokio")]
            Self::NotUnited => f.write_str(super::tokio::NOT_UNITED),
            #[cfg(feature = "hyper")]
            Self::OtherStream => f.write_str(super::tokio::OTHER_STREAM),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) | Self::Resolve { error, .. } => error.source(),
            _ => None, // the text contains the cause
        }
    }
}

/// Conversions into [`Error`].
macro_rules! from {
    ($($(#[$feature:meta])? $type:ty: $error:ident => $value:expr;)+) => {
        $(
            $(#[$feature])?
            impl From<$type> for Error {
                fn from($error: $type) -> Self {
                    $value
                }
            }
        )+
    };
}

from! {
    io::Error: e => Self::Io(e);
    UrlError: e => Self::Url(e);
    HandshakeError: e => Self::Handshake(e);
    HandshakeUsage: e => Self::Handshake(e.into());
    Failure: e => Self::Failed(e);
    Violation: e => Self::Failed(e.into());
    Limit: e => Self::Failed(e.into());
    SendError: e => Self::Send(e);
    ConfigError: e => Self::Config(e);
    TuneError: e => Self::Io(e.into());
    ChannelFailure: e => Self::ChannelsFailed(e);
    ChannelViolation: e => Self::ChannelsFailed(e.into());
    WireError: e => Self::ChannelsFailed(ChannelViolation::Wire(e).into());
    ChannelSendError: e => Self::ChannelSend(e);
    OpenError: e => Self::ChannelOpen(e);
    #[cfg(any(feature = "mio", feature = "tokio"))]
    RemoteError: e => Self::Remote(e);
    #[cfg(any(feature = "mio", feature = "tokio"))]
    TimerError: e => Self::Timer(e);
    #[cfg(any(feature = "mio", feature = "tokio"))]
    TimersFull: e => Self::Timer(TimerError::Full(e));
}

/// A closing handshake converts into [`Error::Closed`], a failure into [`Error::Failed`].
impl From<End> for Error {
    fn from(end: End) -> Self {
        match end {
            End::Closed { code, by_peer } => Self::Closed { code, by_peer },
            End::Failed(failure) => Self::Failed(failure),
        }
    }
}

/// [`Ended::Session`] converts as its [`End`], [`Ended::Io`] into [`Error::Io`]. [`Ended::Stopped`]
/// converts into an [`Error::Io`] that is not transient.
#[cfg(any(feature = "mio", feature = "tokio"))]
impl From<Ended> for Error {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Session(end) => end.into(),
            Ended::Io(error) => error.into(),
            Ended::Stopped => io::Error::other(super::handler::STOPPED).into(),
        }
    }
}

/// A deadline of the connect or the opening handshake converts into [`Error::Timeout`], a later
/// deadline into [`Error::Failed`].
impl From<Deadline> for Error {
    fn from(deadline: Deadline) -> Self {
        match deadline {
            Deadline::Connect | Deadline::Handshake => Self::Timeout(deadline),
            Deadline::Pong | Deadline::Idle | Deadline::Close | Deadline::Write => {
                Self::Failed(Failure::Deadline(deadline))
            }
        }
    }
}

impl From<StartError> for Error {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(error) => Self::Config(error),
            StartError::NotAgreed(_) => HandshakeUsage::SubprotocolNotAgreed(SUBPROTOCOL).into(),
        }
    }
}

#[cfg(feature = "tokio")]
impl From<ChannelError> for Error {
    fn from(error: ChannelError) -> Self {
        match error {
            ChannelError::Failed(failure) => Self::ChannelsFailed(failure),
            error => Self::Channel(error),
        }
    }
}

/// Drops both halves; [`UniteError::into_halves`] returns them.
#[cfg(feature = "tokio")]
impl<S> From<UniteError<S>> for Error {
    fn from(_: UniteError<S>) -> Self {
        Self::NotUnited
    }
}

/// Drops the message that was not sent.
impl<T> From<(SendError, T)> for Error {
    fn from((error, _): (SendError, T)) -> Self {
        error.into()
    }
}

/// Drops the message that was not sent.
impl<T> From<(ChannelSendError, T)> for Error {
    fn from((error, _): (ChannelSendError, T)) -> Self {
        error.into()
    }
}

/// Drops the value that the reactor did not accept.
#[cfg(any(feature = "mio", feature = "tokio"))]
impl<T> From<(RemoteError, T)> for Error {
    fn from((error, _): (RemoteError, T)) -> Self {
        error.into()
    }
}

#[cfg(all(test, feature = "mio", feature = "tokio"))]
mod tests;
