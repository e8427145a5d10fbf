use std::convert::Infallible;
#[cfg(any(feature = "mio", feature = "tokio"))]
use std::sync::Arc;
use std::vec::Vec;

use crate::agreed::Agreed;
#[cfg(any(feature = "mio", feature = "tokio"))]
use crate::config::{Config, ConfigError};
use crate::session::End;
#[cfg(any(feature = "mio", feature = "tokio"))]
use crate::session::{Entropy, Session};
#[cfg(any(feature = "mio", feature = "tokio"))]
use crate::time::Timestamp;

/// A connection taken apart without loss, to be handed to another driver, task, or library.
///
/// Whoever continues reads `unread` before the stream, and writes `unsent` before anything of
/// its own.
///
/// ```
/// use tickwire::handshake::Agreed;
/// use tickwire::{Parts, Role};
///
/// let agreed = Agreed::new(Role::Server).with_subprotocol("ticks.v1");
/// let parts = Parts::new("a stream", agreed).with_unread(b"\x82\x80mask".to_vec());
/// assert_eq!(parts.agreed.role(), Role::Server);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Parts<S> {
    /// The stream.
    pub stream: S,
    /// Bytes received and not delivered as messages. A message that had come in part stands
    /// here as frames that the peer could have sent.
    pub unread: Vec<u8>,
    /// Bytes queued and not written. They may begin inside a frame.
    pub unsent: Vec<u8>,
    /// What the opening handshake agreed on, and which end this is.
    pub agreed: Agreed,
    /// How the connection has ended, where it has: whoever continues tells the same end.
    pub end: Option<End>,
}

impl<S> Parts<S> {
    /// A stream whose opening handshake somebody else has done and has `agreed` on this (a
    /// [`Role`](crate::Role) alone, where there is nothing else), with nothing left over.
    #[must_use]
    pub fn new(stream: S, agreed: impl Into<Agreed>) -> Self {
        Self {
            stream,
            unread: Vec::new(),
            unsent: Vec::new(),
            agreed: agreed.into(),
            end: None,
        }
    }

    /// What is left of a session over `stream`.
    #[cfg(any(feature = "mio", feature = "tokio"))]
    pub(super) fn of_session(stream: S, session: Session) -> Self {
        let (agreed, end) = (session.agreed().clone(), session.end());
        let (unread, unsent) = session.into_parts();
        Self {
            stream,
            unread,
            unsent,
            agreed,
            end,
        }
    }

    /// A session that goes on where another owner of the stream stopped.
    #[cfg(any(feature = "mio", feature = "tokio"))]
    pub(super) fn into_session(
        self,
        config: Arc<Config>,
        entropy: Entropy,
        now: Timestamp,
    ) -> Result<(S, Session), ConfigError> {
        let session = Session::new(self.agreed, config, entropy, &self.unread, now)?
            .with_unsent(self.unsent.into());
        let session = match self.end {
            Some(end) => session.with_end(end),
            None => session,
        };
        Ok((self.stream, session))
    }

    /// With bytes that were received and not delivered.
    #[must_use]
    pub fn with_unread(mut self, unread: Vec<u8>) -> Self {
        self.unread = unread;
        self
    }

    /// With bytes that were queued and not written.
    #[must_use]
    pub fn with_unsent(mut self, unsent: Vec<u8>) -> Self {
        self.unsent = unsent;
        self
    }

    /// Of a connection that has ended so.
    #[must_use]
    pub fn with_end(mut self, end: End) -> Self {
        self.end = Some(end);
        self
    }

    /// The same connection over the same stream as another type: a [`Socket`](crate::net::Socket) made
    /// of a `TcpStream`, say.
    #[must_use]
    pub fn map_stream<T>(self, map: impl FnOnce(S) -> T) -> Parts<T> {
        let mapped = self.try_map_stream(|stream| Ok::<T, Infallible>(map(stream)));
        mapped.unwrap_or_else(|never| match never {})
    }

    /// As [`Self::map_stream`], where that may fail: a runtime's stream made of a plain one.
    ///
    /// # Errors
    /// What `map` fails with. The connection is lost, but for what the error has of it.
    pub fn try_map_stream<T, E>(self, map: impl FnOnce(S) -> Result<T, E>) -> Result<Parts<T>, E> {
        Ok(Parts {
            stream: map(self.stream)?,
            unread: self.unread,
            unsent: self.unsent,
            agreed: self.agreed,
            end: self.end,
        })
    }
}
