use alloc::string::String;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

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

    /// The text of a whole text message; `None` for all others.
    #[must_use]
    pub const fn as_text(&self) -> Option<&'a str> {
        match *self {
            Self::Text(text) => Some(text),
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
///
/// The [`Sink`](futures_sink::Sink) of a connection and `send_owned` take it, too. A `String` becomes
/// a text message and a `Vec<u8>` a binary one, without a copy:
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
