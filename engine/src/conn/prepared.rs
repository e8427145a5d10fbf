use alloc::vec;

use bytes::Bytes;

use super::message::Kind;
use crate::frame::header;

/// A message that is encoded once and sent on many connections.
///
/// A server does not mask, so header and payload are the same bytes for every receiver: a frame of
/// at least 1 KiB is shared, a smaller one is copied. A client masks a copy for each connection.
///
/// ```
/// use tickwire::PreparedMessage;
///
/// let tick = PreparedMessage::binary(b"EURUSD 1.0842");
/// assert_eq!(tick.payload(), b"EURUSD 1.0842");
/// ```
#[derive(Clone, Debug)]
pub struct PreparedMessage {
    /// The frame as a server sends it.
    pub(super) frame: Bytes,
    pub(super) kind: Kind,
    /// Size of the header in bytes.
    pub(super) header: u8,
}

impl PreparedMessage {
    /// Encodes a binary message.
    #[must_use]
    pub fn binary(payload: &[u8]) -> Self {
        Self::new(Kind::Binary, payload)
    }

    /// Encodes a text message.
    #[must_use]
    pub fn text(payload: &str) -> Self {
        Self::new(Kind::Text, payload.as_bytes())
    }

    fn new(kind: Kind, payload: &[u8]) -> Self {
        let size = header::size(payload.len(), false);
        let mut frame = vec![0; size + payload.len()];
        header::write(
            &mut frame,
            kind.opcode(),
            true,
            header::Rsv::NONE,
            payload.len(),
            None,
        );
        frame[size..].copy_from_slice(payload);
        Self {
            frame: frame.into(),
            kind,
            header: size as u8,
        }
    }

    /// The payload, without a copy.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.frame.slice(self.header as usize..)
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.frame[self.header as usize..]
    }
}
