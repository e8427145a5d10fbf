use alloc::string::String;

use bytes::Bytes;

use super::text::Utf8Bytes;

use crate::error::CloseCode;
use crate::frame::Opcode;
use crate::frame::close::CloseReason;

/// The type of a data message: the opcode of its first frame (RFC 6455 section 5.6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// Arbitrary bytes.
    Binary,
    /// UTF-8 text.
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

/// A received message that borrows from the receive buffer. It is valid as long as its batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A whole text message.
    Text(&'a str),
    /// A part of a message. Only with [`Delivery::Parts`](crate::Delivery).
    Part(Part<'a>),
    /// A Ping (RFC 6455 section 5.5.2). Unless `auto_pong` is off, the driver has already written
    /// the Pong when it lends this message. If the socket is not writable, the newest Pong stays
    /// queued before all data.
    Ping(&'a [u8]),
    /// A Pong (RFC 6455 section 5.5.3): the reply to a Ping of the keep-alive or of the
    /// application, or unsolicited.
    Pong(&'a [u8]),
    /// A Close (RFC 6455 section 5.5.1), with its code and reason if it has them. It is the last
    /// message. If the peer started the close handshake, the Close of this endpoint has already
    /// been queued, behind the messages queued before it, and written as far as the socket accepted
    /// it.
    Close(Option<CloseReason<'a>>),
}

impl<'a> Message<'a> {
    /// The payload of a binary message, text message or part. `None` for control frames.
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

/// A part of a message, as it arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part<'a> {
    /// The type of the message, the same for all of its parts.
    pub kind: Kind,
    /// The bytes of the part, possibly none. A part of a text can end inside a code point; the text
    /// as a whole is validated as it arrives.
    pub data: &'a [u8],
    /// This is the first part of the message.
    pub first: bool,
    /// This is the last part of the message.
    pub last: bool,
}

/// A received message that owns its payload, for use in another task.
///
/// A small message is copied, with one allocation. A message that fills most of the receive buffer
/// takes over the buffer without a copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OwnedMessage {
    /// A whole binary message.
    Binary(Bytes),
    /// A whole text message.
    Text(Utf8Bytes),
    /// A part of a message. Only with [`Delivery::Parts`](crate::Delivery).
    Part {
        /// The type of the message, the same for all of its parts.
        kind: Kind,
        /// The bytes of the part.
        data: Bytes,
        /// This is the first part of the message.
        first: bool,
        /// This is the last part of the message.
        last: bool,
    },
    /// A Ping, already answered: see [`Message::Ping`].
    Ping(Bytes),
    /// A Pong: see [`Message::Pong`].
    Pong(Bytes),
    /// A Close, already answered, with its code and reason if it has them: see [`Message::Close`].
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
