//! `Sec-WebSocket-Key` and `Sec-WebSocket-Accept` (RFC 6455 section 1.3), and the options of a
//! server for its 101 response.

use alloc::string::String;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use super::error::{HandshakeError, HandshakeUsage};
use super::fields::{Fields, HeadOf};
use super::syntax::is_token;

/// The GUID of RFC 6455 section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The value of `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key`: 28 characters of base64.
///
/// ```
/// assert_eq!(
///     tickwire::handshake::accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="),
///     "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" // RFC 6455 section 1.3
/// );
/// ```
#[must_use]
pub fn accept_key(key: &[u8]) -> String {
    let mut sha1 = Sha1::new();
    sha1.update(key);
    sha1.update(GUID);
    STANDARD.encode(sha1.finalize())
}

pub(super) fn encode_key(nonce: [u8; 16]) -> String {
    STANDARD.encode(nonce)
}

/// Whether a key is the base64 of 16 bytes in canonical form (RFC 4648 section 3.5).
pub(super) fn is_key(key: &[u8]) -> bool {
    // Decoding works in groups of three bytes, so 16 bytes need a buffer of 18.
    let mut nonce = [0; 18];
    matches!(STANDARD.decode_slice(key, &mut nonce), Ok(16))
}

/// Options of a server for the 101 response that accepts a handshake.
///
/// ```
/// use tickwire::handshake::Accept;
///
/// let accept = Accept::new()
///     .subprotocol("ticks.v1")
///     .header("Set-Cookie", "seat=17")?;
/// # Ok::<(), tickwire::handshake::HandshakeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Accept {
    pub(super) subprotocol: Option<String>,
    pub(super) headers: Fields,
}

impl Accept {
    /// No sub-protocol and no additional header fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Selects a sub-protocol (RFC 6455 section 4.2.2). It must be one that the client offered;
    /// [`Request::accept`](super::Request::accept) checks this.
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocol = Some(name.into());
        self
    }

    /// The sub-protocol that [`Self::subprotocol`] has selected.
    #[must_use]
    pub fn chosen_subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Adds a header field.
    ///
    /// # Errors
    /// [`HandshakeUsage`] for a name that is not a token, for a value with bytes other than visible
    /// ASCII, space and tab, and for the fields that the response writes itself: `Upgrade`,
    /// `Connection`, `Content-Length`, `Transfer-Encoding`, `Sec-WebSocket-*` and the other
    /// connection-specific fields (RFC 9110 section 7.6.1).
    pub fn header(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, HandshakeError> {
        self.headers
            .add(HeadOf::Accept, name.into(), value.into())?;
        Ok(self)
    }
}

pub(super) fn check_subprotocol(name: &str) -> Result<(), HandshakeError> {
    if is_token(name.as_bytes()) {
        Ok(())
    } else {
        Err(HandshakeUsage::SubprotocolToken(name.into()).into())
    }
}
