//! Which pages may connect.

use alloc::string::String;
use alloc::vec::Vec;

use super::error::HandshakeError;
use super::server::Request;

/// The origins whose pages may connect (RFC 6455 section 10.2).
///
/// A browser lets the script of any page connect to any server, and sends the server's cookies along.
/// A server that tells users apart by a cookie must therefore look at the origin. A browser sends
/// `Origin` with every opening handshake, and a script cannot change it. Other clients send none, or
/// whatever they like: this check protects the users of browsers, and keeps nobody else out.
///
/// An origin is listed as a browser sends it: scheme, host, and the port unless it is the scheme's own;
/// without a path. Origins are compared as a whole and without regard to case, which browsers do not
/// keep. There are no wildcards.
///
/// ```
/// use tickwire::handshake::{HandshakeError, HeadLimits, Origins, Request};
///
/// let received = b"GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
///     Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
///     Sec-WebSocket-Version: 13\r\nOrigin: https://app.example.com\r\n\r\n";
/// let (request, _) = Request::parse(received, &HeadLimits::default())?.expect("whole");
///
/// assert_eq!(Origins::new(["https://app.example.com"]).check(&request), Ok(()));
/// let refused = Origins::same().check(&request);
/// assert_eq!(refused, Err(HandshakeError::OriginNotAllowed)); // its answer is 403
/// # Ok::<(), HandshakeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Origins {
    listed: Vec<String>,
    same: bool,
    required: bool,
}

impl Origins {
    /// Pages of these origins. With none, no page may connect.
    #[must_use]
    pub fn new<O: Into<String>>(listed: impl IntoIterator<Item = O>) -> Self {
        Self {
            listed: listed.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Pages of this server ([`Request::is_same_origin`]).
    #[must_use]
    pub fn same() -> Self {
        Self::default().or_same()
    }

    /// Also pages of this server ([`Request::is_same_origin`]).
    #[must_use]
    pub fn or_same(mut self) -> Self {
        self.same = true;
        self
    }

    /// Refuses requests without an origin, too: those of clients that are no browser.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Whether the client may connect.
    ///
    /// # Errors
    /// [`HandshakeError::OriginNotAllowed`], whose answer is 403. Where an origin is
    /// [`required`](Self::required), [`HandshakeError::MissingHeader`] for a request without one.
    pub fn check(&self, request: &Request) -> Result<(), HandshakeError> {
        let Some(origin) = request.origin() else {
            return if self.required {
                Err(HandshakeError::MissingHeader("Origin"))
            } else {
                Ok(())
            };
        };
        let mut listed = self.listed.iter();
        if listed.any(|o| o.eq_ignore_ascii_case(origin)) || (self.same && request.is_same_origin())
        {
            Ok(())
        } else {
            Err(HandshakeError::OriginNotAllowed)
        }
    }
}

impl<O: Into<String>, const N: usize> From<[O; N]> for Origins {
    fn from(listed: [O; N]) -> Self {
        Self::new(listed)
    }
}

impl<O: Into<String>> From<Vec<O>> for Origins {
    fn from(listed: Vec<O>) -> Self {
        Self::new(listed)
    }
}
