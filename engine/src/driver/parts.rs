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

/// An open connection taken apart without losing a byte, to hand it to another driver, task or
/// library.
///
/// The new owner parses `unread` before it reads from the stream, and writes `unsent` before
/// anything else.
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
    /// Bytes received and not delivered as messages. A message received in part is here as frames
    /// that the peer could have sent.
    pub unread: Vec<u8>,
    /// Bytes queued and not written. They may begin in the middle of a frame.
    pub unsent: Vec<u8>,
    /// The result of the opening handshake, with the role of this end.
    pub agreed: Agreed,
    /// How the connection has ended, if it has: the new owner reports the same end.
    pub end: Option<End>,
}

impl<S> Parts<S> {
    /// A stream after an opening handshake that was done elsewhere, with no unread or unsent bytes.
    /// `agreed` is the result of that handshake: a [`Role`](crate::Role) is enough if nothing else
    /// was agreed on.
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

    /// Takes a session over `stream` apart.
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

    /// Makes a session that continues the connection.
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

    /// Sets [`unread`](Self::unread).
    #[must_use]
    pub fn with_unread(mut self, unread: Vec<u8>) -> Self {
        self.unread = unread;
        self
    }

    /// Sets [`unsent`](Self::unsent).
    #[must_use]
    pub fn with_unsent(mut self, unsent: Vec<u8>) -> Self {
        self.unsent = unsent;
        self
    }

    /// Sets [`end`](Self::end).
    #[must_use]
    pub fn with_end(mut self, end: End) -> Self {
        self.end = Some(end);
        self
    }

    /// Converts the stream to another type, a `TcpStream` to a [`Socket`](crate::net::Socket) for
    /// instance.
    #[must_use]
    pub fn map_stream<T>(self, map: impl FnOnce(S) -> T) -> Parts<T> {
        let mapped = self.try_map_stream(|stream| Ok::<T, Infallible>(map(stream)));
        mapped.unwrap_or_else(|never| match never {})
    }

    /// As [`Self::map_stream`], with a conversion that may fail: a standard stream to a stream of a
    /// runtime, for instance.
    ///
    /// # Errors
    /// The error of `map`. The parts are dropped.
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
