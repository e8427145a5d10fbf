//! The key and its proof (RFC 6455 section 1.3), and what a server adds to a 101.

use alloc::string::String;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use super::error::{HandshakeError, HandshakeUsage};
use super::fields::{Fields, HeadOf};
use super::syntax::is_token;

/// RFC 6455 section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The `Sec-WebSocket-Accept` that proves a `Sec-WebSocket-Key`, 28 characters.
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

/// Whether a key is the base64 of 16 bytes, in the one spelling that base64 has for them.
pub(super) fn is_key(key: &[u8]) -> bool {
    // Base64 is decoded three bytes at a time: 18 are the least that take 16.
    let mut nonce = [0; 18];
    matches!(STANDARD.decode_slice(key, &mut nonce), Ok(16))
}

/// What the application adds to the answer that accepts.
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
    /// No sub-protocol, no further headers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The sub-protocol to speak: one that the client offered, which `Request::accept` checks.
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocol = Some(name.into());
        self
    }

    /// The sub-protocol set by [`Self::subprotocol`].
    #[must_use]
    pub fn chosen_subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Adds a header line.
    ///
    /// # Errors
    /// [`HandshakeUsage`] for a name that is not a token, a value with bytes other than visible
    /// ASCII, space and tab, and for the names that the answer writes itself: `Upgrade`,
    /// `Connection`, `Content-Length`, `Transfer-Encoding`, `Sec-WebSocket-*` and the other headers
    /// of one connection (RFC 9110 section 7.6.1).
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
