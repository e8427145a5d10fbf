use alloc::vec;

use bytes::Bytes;

use super::message::Kind;
use crate::frame::header;

/// A message encoded once and sent on many connections.
///
/// A server's frames are not masked, so that header and payload are the same bytes for every
/// receiver: a large one is shared, a small one copied whole. A client masks its own copy.
///
/// ```
/// use tickwire::PreparedMessage;
///
/// let tick = PreparedMessage::binary(b"EURUSD 1.0842");
/// assert_eq!(tick.payload(), b"EURUSD 1.0842");
/// ```
#[derive(Clone, Debug)]
pub struct PreparedMessage {
    /// Header and payload as a server sends them.
    pub(super) frame: Bytes,
    pub(super) kind: Kind,
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

    /// The payload, shared.
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
