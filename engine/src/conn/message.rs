use alloc::string::String;

use bytes::Bytes;

use super::text::Utf8Bytes;

use crate::error::CloseCode;
use crate::frame::Opcode;
use crate::frame::close::CloseReason;

/// Binary or text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// Bytes as they are.
    Binary,
    /// UTF-8.
    Text,
}

impl Kind {
    pub(crate) const fn opcode(self) -> Opcode {
        match self {
            Self::Binary => Opcode::Binary,
            Self::Text => Opcode::Text,
        }
    }
}

/// What the peer sent, lent from the receive buffer for as long as the batch lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A whole text message.
    Text(&'a str),
    /// A piece of a message, under [`Delivery::Parts`](crate::Delivery) only.
    Part(Part<'a>),
    /// A Ping. Unless `auto_pong` is off, its Pong went ahead: a driver has written it before it
    /// lends the message. Where the socket took nothing, the newest Pong waits, before all data,
    /// until it does.
    Ping(&'a [u8]),
    /// A Pong, of our keepalive or of the application's own Ping.
    Pong(&'a [u8]),
    /// The peer began, or answered, the closing handshake. Nothing comes after it. If the peer
    /// began it, our answer went ahead as a Pong does, behind what was queued before.
    Close(Option<CloseReason<'a>>),
}

impl<'a> Message<'a> {
    /// The payload of a binary or text message or a part; `None` for control frames.
    #[must_use]
    pub const fn data(&self) -> Option<&'a [u8]> {
        match self {
            Self::Binary(data) => Some(data),
            Self::Text(text) => Some(text.as_bytes()),
            Self::Part(part) => Some(part.data),
            _ => None,
        }
    }
}

/// A piece of a message, as it arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part<'a> {
    /// Binary or text, the same for all parts of a message.
    pub kind: Kind,
    /// The bytes of the piece, possibly none. Text may be cut inside a code point; the whole is
    /// checked as it arrives.
    pub data: &'a [u8],
    /// The message begins with this part.
    pub first: bool,
    /// The message ends with this part.
    pub last: bool,
}

/// What the peer sent, owned: for handing to another task.
///
/// A small message costs its own size and one allocation; a message that fills most of a
/// buffer takes the buffer with it and is not copied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OwnedMessage {
    /// A whole binary message.
    Binary(Bytes),
    /// A whole text message.
    Text(Utf8Bytes),
    /// A piece of a message, under [`Delivery::Parts`](crate::Delivery) only.
    Part {
        /// Binary or text.
        kind: Kind,
        /// The bytes of the piece.
        data: Bytes,
        /// The message begins with this part.
        first: bool,
        /// The message ends with this part.
        last: bool,
    },
    /// A Ping, answered: see [`Message::Ping`].
    Ping(Bytes),
    /// A Pong.
    Pong(Bytes),
    /// The peer began, or answered, the closing handshake; answered, too: see [`Message::Close`].
    Close(Option<(CloseCode, String)>),
}

impl From<Message<'_>> for OwnedMessage {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Binary(data) => Self::Binary(Bytes::copy_from_slice(data)),
            Message::Text(text) => Self::Text(text.into()),
            Message::Part(Part {
                kind,
                data,
                first,
                last,
            }) => Self::Part {
                kind,
                data: Bytes::copy_from_slice(data),
                first,
                last,
            },
            Message::Ping(data) => Self::Ping(Bytes::copy_from_slice(data)),
            Message::Pong(data) => Self::Pong(Bytes::copy_from_slice(data)),
            Message::Close(close) => Self::Close(close.map(|c| (c.code, c.reason.into()))),
        }
    }
}
