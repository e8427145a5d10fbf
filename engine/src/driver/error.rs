//! What a driver can fail with.

use std::io;

use std::fmt;

use crate::config::ConfigError;
use crate::error::{Deadline, Failure, SendError};
use crate::handshake::{HandshakeError, UrlError};

/// Why a call of a driver failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The socket, or the operating system, failed.
    Io(io::Error),
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
    Tls,
    /// The [`Reader`](crate::Reader) of a split connection was dropped before the connection had
    /// ended: nobody answers the peer's Pings, nor notices its Close or that it has vanished. Keep
    /// the reader in a task that receives; or send on the [`WebSocket`](crate::WebSocket), whole.
    NoReader,
    /// A limit or deadline that cannot work.
    Config(ConfigError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(e) => write!(f, "i/o: {e}"),
            Self::Url(e) => write!(f, "url: {e}"),
            Self::Handshake(e) => write!(f, "opening handshake: {e}"),
            Self::Failed(e) => e.fmt(f),
            Self::Send(e) => write!(f, "send: {e}"),
            Self::Timeout(e) => write!(f, "deadline: {e}"),
            Self::Tls => f.write_str(
                "wss:// needs TLS, which is not built in: connect and encrypt the stream yourself, then use connect_over(stream, url)",
            ),
            Self::NoReader => f.write_str(
                "the reader of a split connection was dropped: keep it in a task that receives, or send on the whole connection",
            ),
            Self::Config(e) => write!(f, "config: {e}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(match self {
            Self::Io(e) => e,
            Self::Url(e) => e,
            Self::Handshake(e) => e,
            Self::Failed(e) => e,
            Self::Send(e) => e,
            Self::Timeout(e) => e,
            Self::Tls | Self::NoReader => return None,
            Self::Config(e) => e,
        })
    }
}

impl From<io::Error> for Error {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

impl From<UrlError> for Error {
    fn from(e: UrlError) -> Self {
        Self::Url(e)
    }
}

impl From<HandshakeError> for Error {
    fn from(e: HandshakeError) -> Self {
        Self::Handshake(e)
    }
}

impl From<Failure> for Error {
    fn from(e: Failure) -> Self {
        Self::Failed(e)
    }
}

impl From<SendError> for Error {
    fn from(e: SendError) -> Self {
        Self::Send(e)
    }
}

impl From<ConfigError> for Error {
    fn from(e: ConfigError) -> Self {
        Self::Config(e)
    }
}
