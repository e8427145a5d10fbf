use std::string::String;
use std::vec::Vec;

use crate::role::Role;
use crate::session::End;

/// A connection taken apart without loss, to be handed to another driver, task, or library.
///
/// Whoever continues reads `unread` before the stream, and writes `unsent` before anything of
/// its own.
#[derive(Clone, Debug)]
pub struct Parts<S> {
    /// The stream.
    pub stream: S,
    /// Bytes received and not delivered as messages. A message that had come in part stands
    /// here as frames that the peer could have sent.
    pub unread: Vec<u8>,
    /// Bytes queued and not written. They may begin inside a frame.
    pub unsent: Vec<u8>,
    /// Which end this is.
    pub role: Role,
    /// The sub-protocol agreed on.
    pub subprotocol: Option<String>,
    /// How the connection has ended, where it has: whoever continues tells the same end.
    pub end: Option<End>,
}

impl<S> Parts<S> {
    /// A stream whose opening handshake somebody else has done, with nothing left over.
    #[must_use]
    pub fn new(stream: S, role: Role) -> Self {
        Self {
            stream,
            unread: Vec::new(),
            unsent: Vec::new(),
            role,
            subprotocol: None,
            end: None,
        }
    }

    /// The same connection over the same stream as another type: a [`Socket`](crate::Socket) made
    /// of a `TcpStream`, a runtime's stream made of a plain one.
    #[must_use]
    pub fn map_stream<T>(self, map: impl FnOnce(S) -> T) -> Parts<T> {
        Parts {
            stream: map(self.stream),
            unread: self.unread,
            unsent: self.unsent,
            role: self.role,
            subprotocol: self.subprotocol,
            end: self.end,
        }
    }
}
