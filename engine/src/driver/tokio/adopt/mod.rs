//! Connections of another HTTP server: hyper, and axum on top of it.
//!
//! | file | what it is |
//! |---|---|
//! | this file | connections whose opening handshake another library has done |
//! | `upgrade`, `axum` | the opening handshake of this crate on requests that hyper has read; the same as an extractor of axum |
//! | `stream` | the stream inside an upgraded connection |

#[cfg(feature = "axum")]
mod axum;
mod stream;
mod upgrade;

#[cfg(feature = "axum")]
pub use axum::WebSocketUpgrade;
pub use stream::UpgradedStream;
pub use upgrade::{Upgrading, refuse, upgrade};

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};

use super::super::error::Error;
use super::super::parts::Parts;
use super::websocket::WebSocket;
use crate::agreed::Agreed;
use crate::config::Config;

/// Why a connection could not be adopted.
#[derive(Debug)]
#[non_exhaustive]
pub enum AdoptError {
    /// The stream has another type than the requested one. The error holds the connection: request
    /// the stream's type, or use [`WebSocket::over_hyper`], which takes any.
    OtherStream(Upgraded),
    /// The config is invalid, or the operating system provides no randomness.
    Failed(Error),
}

pub(in crate::driver) const OTHER_STREAM: &str = "the upgraded connection has another type of stream than from_hyper was asked for: name the type that the server was given, or use over_hyper";

impl fmt::Display for AdoptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherStream(_) => f.write_str(OTHER_STREAM),
            Self::Failed(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for AdoptError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::OtherStream(_) => None,
            Self::Failed(e) => Some(e),
        }
    }
}

/// The connection in [`AdoptError::OtherStream`] is dropped.
impl From<AdoptError> for Error {
    fn from(e: AdoptError) -> Self {
        match e {
            AdoptError::OtherStream(_) => Self::OtherStream,
            AdoptError::Failed(e) => e,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> WebSocket<S> {
    /// Adopts a connection that hyper or axum has upgraded, and takes the stream out of hyper:
    /// reads and writes do not pass through hyper any more. Bytes that hyper has read ahead are
    /// parsed first.
    ///
    /// `agreed` is the result of the other library's opening handshake: a [`Role`](crate::Role)
    /// alone, or an [`Agreed`](crate::handshake::Agreed) with a sub-protocol.
    ///
    /// `S` is the stream type that the server was given inside [`TokioIo`]: usually
    /// [`TcpStream`](tokio::net::TcpStream).
    ///
    /// ```no_run
    /// use hyper::upgrade::Upgraded;
    /// use tickwire::{Error, Role, Config, WebSocket};
    /// use tokio::net::TcpStream;
    ///
    /// async fn serve(upgraded: Upgraded) -> Result<(), Error> {
    ///     let config = Config::default();
    ///     let mut ws = WebSocket::<TcpStream>::from_hyper(upgraded, Role::Server, config)?;
    ///     ws.send(b"tick").await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`AdoptError::OtherStream`] with the connection, if its stream is not an `S`;
    /// [`AdoptError::Failed`].
    pub fn from_hyper(
        upgraded: Upgraded,
        agreed: impl Into<Agreed>,
        config: impl Into<Arc<Config>>,
    ) -> Result<Self, AdoptError> {
        let (io, read_ahead) = into_stream::<S>(upgraded).map_err(AdoptError::OtherStream)?;
        let parts = Parts::new(io, agreed).with_unread(read_ahead.into());
        Self::from_parts(parts, config).map_err(AdoptError::Failed)
    }

    /// Adopts a connection that fastwebsockets has upgraded. fastwebsockets must not have read a
    /// frame yet: bytes that it has read ahead are lost.
    ///
    /// # Errors
    /// As [`Self::from_hyper`].
    #[cfg(feature = "fastwebsockets")]
    pub fn from_fastwebsockets(
        upgraded: fastwebsockets::WebSocket<TokioIo<Upgraded>>,
        agreed: impl Into<Agreed>,
        config: impl Into<Arc<Config>>,
    ) -> Result<Self, AdoptError> {
        Self::from_hyper(upgraded.into_inner().into_inner(), agreed, config)
    }
}

impl WebSocket<TokioIo<Upgraded>> {
    /// Adopts a connection that hyper has upgraded, with a stream of any type: every read and write
    /// passes through hyper.
    ///
    /// # Errors
    /// [`Error::Config`]; [`Error::Io`] if the operating system provides no randomness.
    pub fn over_hyper(
        upgraded: Upgraded,
        agreed: impl Into<Agreed>,
        config: impl Into<Arc<Config>>,
    ) -> Result<Self, Error> {
        Self::from_parts(Parts::new(TokioIo::new(upgraded), agreed), config)
    }
}

/// Takes the stream out of a connection of either server: that of hyper, or that of hyper-util,
/// which axum uses.
fn into_stream<S>(upgraded: Upgraded) -> Result<(S, Bytes), Upgraded>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match upgraded.downcast::<TokioIo<S>>() {
        Ok(parts) => Ok((parts.io.into_inner(), parts.read_buf)),
        Err(upgraded) => auto::upgrade::downcast::<TokioIo<S>>(upgraded)
            .map(|parts| (parts.io.into_inner(), parts.read_buf)),
    }
}
