//! [`Origins`], the check of the `Origin` header.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::error::{HandshakeError, HandshakeUsage};
use super::server::Request;
use super::uri::Authority;

/// The origins whose pages may connect (RFC 6455 section 10.2).
///
/// A browser allows a script of any page to connect to any server, and sends the cookies of that
/// server. A server that identifies users by a cookie must therefore check the origin. A browser
/// sends `Origin` with every opening handshake, and a script cannot change it. Other clients can
/// omit it or send any value: this check protects the users of browsers, and does not authenticate
/// clients.
///
/// List an origin in the form that a browser sends: `scheme://host` or `scheme://host:port`, for
/// example `https://app.example.com:8443`; no path and no wildcard. The default port of `http` and
/// `https` may be listed or left out. Origins are compared as a whole and without case.
///
/// `null` is the origin of a sandboxed frame or a local file. Every page can make a sandboxed frame:
/// a list with `null` allows every page. To allow pages of any origin, do not check: without
/// `Origins`, every origin may connect.
///
/// ```
/// use tickwire::handshake::{HandshakeError, HeadLimits, Origins, Request};
///
/// let received = b"GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
///     Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
///     Sec-WebSocket-Version: 13\r\nOrigin: https://app.example.com\r\n\r\n";
/// let (request, _) = Request::parse(received, &HeadLimits::default())?.expect("whole");
///
/// assert_eq!(Origins::new(["https://app.example.com"])?.check(&request), Ok(()));
///
/// let refused = Origins::same().check(&request).unwrap_err();
/// assert_eq!(refused.status(), 403);
/// assert_eq!(
///     refused.to_string(),
///     r#"the server does not allow pages of this origin ("https://app.example.com")"#,
/// );
/// # Ok::<(), HandshakeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Origins {
    listed: Vec<String>,
    same: bool,
    required: bool,
}

impl Origins {
    /// The bytes of a refused origin that [`HandshakeError::OriginNotAllowed`] keeps at most. A
    /// longer one is no origin of a browser: a host name has at most 253 bytes.
    pub const SHOWN_BYTES_MAX: usize = 300;

    /// Allows pages of these origins. An empty list allows no page.
    ///
    /// # Errors
    /// [`HandshakeUsage::ListedOrigin`] with the first entry that is not an origin, such as
    /// `app.example.com`, `https://app.example.com/`, `https://*.example.com` or `*`. Such an entry
    /// would match no request.
    pub fn new<O: AsRef<str>>(listed: impl IntoIterator<Item = O>) -> Result<Self, HandshakeError> {
        let listed: Result<_, _> = listed.into_iter().map(|o| as_sent(o.as_ref())).collect();
        Ok(Self {
            listed: listed?,
            ..Self::default()
        })
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
            // Visible ASCII, as the request was checked: every byte is a character.
            let shown = origin.get(..Self::SHOWN_BYTES_MAX).unwrap_or(origin);
            Err(HandshakeError::OriginNotAllowed(shown.into()))
        }
    }
}

/// A listed origin in the form that a browser sends (RFC 6454 section 6.2): in lower case, without
/// the default port.
fn as_sent(listed: &str) -> Result<String, HandshakeError> {
    let wrong = || HandshakeUsage::ListedOrigin(listed.into()).into();
    if listed == "null" {
        return Ok(listed.into());
    }
    let (scheme, authority) = listed.split_once("://").ok_or_else(wrong)?;
    let scheme = scheme.to_ascii_lowercase();
    let default = match scheme.as_str() {
        "http" => Some(80),
        "https" => Some(443),
        "ws" | "wss" => return Err(wrong()),
        scheme if is_scheme(scheme.as_bytes()) => None, // of an extension or an app
        _ => return Err(wrong()),
    };
    let authority = Authority::parse(authority.as_bytes()).map_err(|_| wrong())?;
    let host = core::str::from_utf8(authority.host).map_err(|_| wrong())?;
    if host.contains('*') {
        return Err(wrong());
    }
    let host = host.to_ascii_lowercase();
    Ok(match authority.port {
        Some(port) if Some(port) != default => format!("{scheme}://{host}:{port}"),
        _ => format!("{scheme}://{host}"),
    })
}

/// RFC 3986 section 3.1.
fn is_scheme(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_alphabetic)
        && text
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}
