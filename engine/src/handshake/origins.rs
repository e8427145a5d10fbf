//! [`Origins`], the check of the `Origin` header.

use alloc::string::String;
use alloc::vec::Vec;

use super::error::HandshakeError;
use super::server::Request;

/// The origins whose pages may connect (RFC 6455 section 10.2).
///
/// A browser allows a script of any page to connect to any server, and sends the cookies of that
/// server. A server that identifies users by a cookie must therefore check the origin. A browser
/// sends `Origin` with every opening handshake, and a script cannot change it. Other clients can
/// omit it or send any value: this check protects the users of browsers, and does not authenticate
/// clients.
///
/// List an origin in the form that a browser sends: scheme, host, and the port unless it is the
/// default port of the scheme; no path, for example `https://app.example.com:8443`. Origins are
/// compared as a whole and without case, because browsers send them in lower case. There are no
/// wildcards.
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
    /// Allows pages of these origins. An empty list allows no page.
    #[must_use]
    pub fn new<O: Into<String>>(listed: impl IntoIterator<Item = O>) -> Self {
        Self {
            listed: listed.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Allows pages of this server ([`Request::is_same_origin`]).
    #[must_use]
    pub fn same() -> Self {
        Self::default().or_same()
    }

    /// Also allows pages of this server ([`Request::is_same_origin`]).
    #[must_use]
    pub fn or_same(mut self) -> Self {
        self.same = true;
        self
    }

    /// Also refuses requests without an origin, which come from clients other than browsers.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Checks the origin of `request`.
    ///
    /// # Errors
    /// [`HandshakeError::OriginNotAllowed`], whose answer is 403, for an origin that is not allowed.
    /// [`HandshakeError::MissingHeader`] for a request without an origin, if an origin is
    /// [`required`](Self::required).
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
