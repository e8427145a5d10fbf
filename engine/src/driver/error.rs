//! What a driver can fail with.

use std::fmt;
#[cfg(any(feature = "mio", feature = "tokio"))]
use std::format;
use std::io;
use std::string::String;
use std::time::Duration;

use super::accept_fault::AcceptFault;
use super::clock;
#[cfg(any(feature = "mio", feature = "tokio"))]
use super::{channels::TimerError, handler::TimersFull, remote::RemoteError};
#[cfg(feature = "tokio")]
use super::{tokio::ChannelError, tokio::UniteError};
use crate::config::ConfigError;
use crate::error::{Deadline, Failure, Limit, SendError, Violation};
use crate::handshake::{HandshakeError, HandshakeUsage, RetryAfter, UrlError};
use crate::session::channels::{
    ChannelFailure, ChannelSendError, ChannelViolation, ErrorCode, OpenError, SUBPROTOCOL,
    StartError, WireError,
};

use super::tune::TuneError;

/// Why a call failed. Every error of this crate converts into it, so that one function can use
/// connections, channels and reactors with `?`:
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
/// [`source`](std::error::Error::source) gives the error that was converted.
/// [`is_transient`](Self::is_transient) says whether it is worth trying again, and
/// [`retry_after`](Self::retry_after) how long the server asked to wait.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The socket, or the operating system, failed.
    Io(io::Error),
    /// The name of a host was not resolved to an address.
    Resolve {
        /// The host, as in the URL.
        host: String,
        /// What the operating system said; [`NotFound`](io::ErrorKind::NotFound) for a name that
        /// has no address.
        error: io::Error,
    },
    /// The URL cannot be used.
    Url(UrlError),
    /// The opening handshake failed: the peer refused, or broke a rule.
    Handshake(HandshakeError),
    /// The connection failed: the peer broke a rule, sent too much, or missed a deadline.
    Failed(Failure),
    /// A send was refused.
    Send(SendError),
    /// The connection was not made, or the opening handshake not over, in time.
    Timeout(Deadline),
    /// A `wss://` URL: TLS is not built in. Connect and encrypt the stream yourself, then run
    /// the opening handshake over it.
    Tls {
        /// The host of the URL.
        host: String,
    },
    /// The [`Reader`](crate::Reader) of a split connection was dropped before the connection had
    /// ended: nobody answers the peer's Pings, nor notices its Close or that it has vanished. Keep
    /// the reader in a task that receives; or send on the [`WebSocket`](crate::WebSocket), whole.
    NoReader,
    /// A limit or deadline that cannot work.
    Config(ConfigError),
    /// The channels of a connection ended.
    ChannelsFailed(ChannelFailure),
    /// A send on a channel was refused.
    ChannelSend(ChannelSendError),
    /// A channel was not opened, or not answered.
    ChannelOpen(OpenError),
    /// Nothing more is received on a channel.
    #[cfg(feature = "tokio")]
    Channel(ChannelError),
    /// A reactor did not take a command.
    #[cfg(any(feature = "mio", feature = "tokio"))]
    Remote(RemoteError),
    /// A reactor did not set a timer.
    #[cfg(any(feature = "mio", feature = "tokio"))]
    Timer(TimerError),
    /// Two halves did not make a connection: a [`UniteError`](crate::UniteError), whose halves
    /// were dropped with it.
    #[cfg(feature = "tokio")]
    NotUnited,
    /// A connection that was upgraded elsewhere has another type of stream than asked for:
    /// [`AdoptError::OtherStream`](crate::hyper::AdoptError), whose connection was dropped with it.
    #[cfg(feature = "hyper")]
    OtherStream,
}

/// The longest wait that [`Error::retry_after`] gives: a day.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

impl Error {
    /// Whether trying again later, unchanged, can succeed: on a new connection where this one has
    /// ended. Wait before it, longer each time, and at least [`Self::retry_after`].
    ///
    /// | what happened | transient |
    /// |---|---|
    /// | the connection was refused, reset, aborted or cut; the network or host is not reachable | yes |
    /// | a deadline passed | yes |
    /// | the host's name was not resolved | yes |
    /// | the operating system is out of descriptors, buffers or memory | yes |
    /// | another error of the operating system: a port in use, a missing permission | no |
    /// | the server answered 408, 425, 429, 500, 502, 503 or 504 | yes |
    /// | another answer, or one that breaks a rule; a sub-protocol that the peer does not speak | no |
    /// | the peer broke a rule, or sent more than was agreed | no |
    /// | a send queue is full; there are too many channels, timers or commands | yes |
    /// | a send after the connection has closed | yes |
    /// | the peer ended the channels, or refused, stopped or aborted one, with NO_ERROR (GOAWAY), LIMIT, CALM, STALLED, REFUSED, TIMEOUT or INTERNAL | yes |
    /// | as before, with PROTOCOL, FLOW, SIZE or a code of the application | no |
    /// | a channel that the peer never looked at | yes |
    /// | this end ended the channels, or stops the reactor; a channel or half that has ended here | no |
    /// | a wrong call: URL, config, options, `wss://`, text that is not UTF-8, a message too large | no |
    ///
    /// What a code of the application means, the application knows.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Io(e) => io_is_transient(e),
            Self::Resolve { .. } | Self::Timeout(_) => true,
            Self::Handshake(e) => handshake_is_transient(e),
            Self::Failed(e) => match e {
                Failure::Deadline(_) | Failure::Eof | Failure::Io => true,
                Failure::Violation(_) | Failure::Limit(_) => false,
            },
            Self::Send(e) => send_is_transient(*e),
            Self::ChannelsFailed(e) => channels_are_transient(*e),
            Self::ChannelSend(e) => match e {
                ChannelSendError::WouldBlock => true,
                ChannelSendError::Stopped(code) => code_is_transient(*code),
                ChannelSendError::Closed(failure) => channels_are_transient(*failure),
                ChannelSendError::TooLarge { .. }
                | ChannelSendError::Finished
                | ChannelSendError::UnknownChannel
                | ChannelSendError::WrongMode
                | ChannelSendError::BadRun => false,
            },
            Self::ChannelOpen(e) => match e {
                OpenError::TooMany => true,
                OpenError::Draining(_) => true,
                OpenError::Closed(failure) => channels_are_transient(*failure),
                OpenError::Options(_) | OpenError::UnknownChannel => false,
            },
            #[cfg(feature = "tokio")]
            Self::Channel(e) => match e {
                ChannelError::Rejected {
                    code, unprocessed, ..
                } => *unprocessed || code_is_transient(*code),
                ChannelError::Aborted(code) | ChannelError::Evicted(code) => {
                    code_is_transient(*code)
                }
                ChannelError::NotReceiving => false,
                ChannelError::Failed(failure) => channels_are_transient(*failure),
            },
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

    /// How long the server asked to wait: `Retry-After` of an answer that refused the opening
    /// handshake (RFC 9110 section 10.2.3), at most a day.
    ///
    /// A date counts from the `Date` of the same answer, so that clocks need not agree, or else from
    /// the time of day here. One that has passed gives zero.
    ///
    /// `None` for every other error, and where the header is missing or cannot be read.
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
        // The file of a Unix socket whose server starts again.
        NotFound => true,
        // Out of descriptors or buffers, which has no kind.
        _ => AcceptFault::of(cause(error)) == AcceptFault::System,
    }
}

fn handshake_is_transient(error: &HandshakeError) -> bool {
    use HandshakeError as E;
    match error {
        E::Refused(response) => {
            matches!(response.status(), 408 | 425 | 429 | 500 | 502 | 503 | 504)
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
        | E::OriginNotAllowed
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
        SendError::QueueFull { .. } | SendError::Closed => true,
        SendError::TooLarge { .. }
        | SendError::ControlTooLong { .. }
        | SendError::InvalidCloseCode(_)
        | SendError::MessageOpen
        | SendError::InvalidUtf8 { .. } => false,
    }
}

fn channels_are_transient(failure: ChannelFailure) -> bool {
    match failure {
        ChannelFailure::Peer(code) => code_is_transient(code),
        ChannelFailure::Idle | ChannelFailure::Lost(_) | ChannelFailure::Drained { .. } => true,
        ChannelFailure::Violation(_) | ChannelFailure::Local(_) => false,
    }
}

/// Whether what the peer ended with this code may go well another time.
fn code_is_transient(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NO_ERROR
            | ErrorCode::LIMIT
            | ErrorCode::CALM
            | ErrorCode::STALLED
            | ErrorCode::REFUSED
            | ErrorCode::TIMEOUT
            | ErrorCode::INTERNAL
    )
}

/// The error of the operating system in one that [`about`] has made.
fn cause(error: &io::Error) -> &io::Error {
    let told = error.get_ref().and_then(|e| e.downcast_ref::<Told>());
    told.map_or(error, |told| &told.error)
}

/// An error of the operating system, and what it was about.
#[derive(Debug)]
struct Told {
    what: String,
    error: io::Error,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.error)
    }
}

impl std::error::Error for Told {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// `error`, which says `what` it was about and keeps its kind and its source.
#[cfg(any(feature = "mio", feature = "tokio"))]
pub(crate) fn about(what: impl Into<String>, error: io::Error) -> io::Error {
    let what = what.into();
    io::Error::new(error.kind(), Told { what, error })
}

#[cfg(any(feature = "mio", feature = "tokio"))]
impl Error {
    /// The name of `host` was not resolved.
    pub(crate) fn resolve(host: &str, error: io::Error) -> Self {
        let host = host.into();
        Self::Resolve { host, error }
    }

    /// The name of `host` was resolved to nothing.
    pub(crate) fn no_address(host: &str) -> Self {
        let error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        Self::resolve(host, error)
    }

    /// No connection to `peer`.
    pub(crate) fn connect(peer: impl fmt::Display, error: io::Error) -> Self {
        Self::Io(about(format!("cannot connect to {peer}"), error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(e) => write!(f, "i/o error: {e}"),
            Self::Resolve { host, error } => write!(
                f,
                "cannot resolve the host {host}: {error}; check the URL, and the name service of this machine"
            ),
            Self::Url(e) => e.fmt(f),
            Self::Handshake(e) => write!(f, "opening handshake failed: {e}"),
            Self::Failed(e) => e.fmt(f),
            Self::Send(e) => write!(f, "not sent: {e}"),
            Self::Timeout(e) => e.fmt(f),
            Self::Tls { host } => write!(
                f,
                "the URL of {host} is wss://, and TLS is not built in: connect and encrypt the stream yourself, then use connect_over(stream, url)",
            ),
            Self::NoReader => f.write_str(
                "not sent: the reader of the split connection was dropped; keep it in a task that receives, or send on the whole connection",
            ),
            Self::Config(e) => write!(f, "configuration refused: {e}"),
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
        Some(match self {
            Self::Io(e) | Self::Resolve { error: e, .. } => e,
            Self::Url(e) => e,
            Self::Handshake(e) => e,
            Self::Failed(e) => e,
            Self::Send(e) => e,
            Self::Timeout(e) => e,
            Self::Config(e) => e,
            Self::ChannelsFailed(e) => e,
            Self::ChannelSend(e) => e,
            Self::ChannelOpen(e) => e,
            #[cfg(feature = "tokio")]
            Self::Channel(e) => e,
            #[cfg(any(feature = "mio", feature = "tokio"))]
            Self::Remote(e) => e,
            #[cfg(any(feature = "mio", feature = "tokio"))]
            Self::Timer(e) => e,
            Self::Tls { .. } | Self::NoReader => return None,
            #[cfg(feature = "tokio")]
            Self::NotUnited => return None,
            #[cfg(feature = "hyper")]
            Self::OtherStream => return None,
        })
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

/// A deadline before the connection is open is [`Error::Timeout`], one after it [`Error::Failed`].
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

/// The halves are dropped; [`UniteError::into_halves`] gives them back.
#[cfg(feature = "tokio")]
impl<S> From<UniteError<S>> for Error {
    fn from(_: UniteError<S>) -> Self {
        Self::NotUnited
    }
}

/// What was not sent is dropped.
impl<T> From<(SendError, T)> for Error {
    fn from((error, _): (SendError, T)) -> Self {
        error.into()
    }
}

/// What was not sent is dropped.
impl<T> From<(ChannelSendError, T)> for Error {
    fn from((error, _): (ChannelSendError, T)) -> Self {
        error.into()
    }
}

/// What the reactor did not take is dropped.
#[cfg(any(feature = "mio", feature = "tokio"))]
impl<T> From<(RemoteError, T)> for Error {
    fn from((error, _): (RemoteError, T)) -> Self {
        error.into()
    }
}

#[cfg(all(test, feature = "mio", feature = "tokio"))]
mod tests;
