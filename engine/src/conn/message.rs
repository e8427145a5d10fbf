use alloc::string::String;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

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

    /// The text of a whole text message; `None` for all others.
    #[must_use]
    pub const fn as_text(&self) -> Option<&'a str> {
        match *self {
            Self::Text(text) => Some(text),
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
///
/// It is what the [`Sink`](futures_sink::Sink) of a connection and `send_owned` take, too. Text
/// becomes a text message, bytes a binary one; what is owned is taken over without a copy:
///
/// ```
/// use bytes::Bytes;
/// use tickwire::OwnedMessage;
///
/// let text = OwnedMessage::from("hello");
/// assert_eq!(text.as_text(), Some("hello"));
///
/// let binary = OwnedMessage::from(vec![1, 2, 3]);
/// assert_eq!(binary.as_text(), None);
/// assert_eq!(binary.into_bytes(), Ok(Bytes::from_static(&[1, 2, 3])));
/// ```
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

impl OwnedMessage {
    /// The payload of a binary or text message or a part; `None` for control frames.
    #[must_use]
    pub fn data(&self) -> Option<&[u8]> {
        match self {
            Self::Binary(data) | Self::Part { data, .. } => Some(data),
            Self::Text(text) => Some(text.as_bytes()),
            _ => None,
        }
    }

    /// The text of a whole text message; `None` for all others.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a whole text message, without a copy.
    ///
    /// # Errors
    /// Any other message, handed back: a binary one, too, though its bytes be UTF-8
    /// ([`Utf8Bytes::new`] checks that).
    pub fn into_text(self) -> Result<Utf8Bytes, Self> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(other),
        }
    }

    /// The payload of a binary or text message or a part, without a copy.
    ///
    /// # Errors
    /// A control frame, handed back.
    pub fn into_bytes(self) -> Result<Bytes, Self> {
        match self {
            Self::Binary(data) | Self::Part { data, .. } => Ok(data),
            Self::Text(text) => Ok(text.into_bytes()),
            control => Err(control),
        }
    }
}

/// Text as a text message, bytes as a binary one.
macro_rules! from_payload {
    ($($from:ty => $kind:ident, $copied:literal;)*) => {$(
        #[doc = concat!("A message of this payload, ", $copied, ".")]
        impl From<$from> for OwnedMessage {
            fn from(payload: $from) -> Self {
                Self::$kind(payload.into())
            }
        }
    )*};
}

from_payload! {
    &str => Text, "which is copied";
    String => Text, "taken over without a copy";
    Utf8Bytes => Text, "shared";
    Vec<u8> => Binary, "taken over without a copy";
    Bytes => Binary, "shared";
    BytesMut => Binary, "taken over without a copy";
}

/// A binary message; the bytes are copied.
impl From<&[u8]> for OwnedMessage {
    fn from(payload: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(payload))
    }
}

/// A binary message; the bytes are copied.
impl<const N: usize> From<&[u8; N]> for OwnedMessage {
    fn from(payload: &[u8; N]) -> Self {
        payload.as_slice().into()
    }
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
