//! `ws://` and `wss://` URLs (RFC 6455 section 3).

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use super::uri::{HostKind, UrlError, parse_hierarchy};

/// A WebSocket URL, taken apart into what a client needs.
///
/// ```
/// use tickwire::handshake::Url;
///
/// let url = Url::parse("wss://[::1]:8443/feed?depth=5")?;
/// assert!(url.secure());
/// assert_eq!((url.host(), url.port()), ("::1", 8443)); // connect to
/// assert_eq!(url.authority(), "[::1]:8443"); // goes into Host
/// assert_eq!(url.target(), "/feed?depth=5"); // goes into the request line
/// assert_eq!(url.to_string(), "wss://[::1]:8443/feed?depth=5");
/// # Ok::<(), tickwire::handshake::UrlError>(())
/// ```
///
/// # What is taken
///
/// The grammar is that of RFC 3986, component by component, and [`Request`](super::Request) takes
/// the same: what this type takes, a server takes as a request target and as `Host`.
///
/// | component | taken | refused |
/// |---|---|---|
/// | scheme | `ws`, `wss`, in any case | others, none |
/// | user information | - | any, also an empty one |
/// | host, a name | letters, digits, `-._~!$&'()*+,;=`, percent-encoded bytes, as they stand: names outside ASCII are written in Punycode for a lookup to find them | an empty one, other bytes, `%` without two hexadecimal digits |
/// | host, IPv4 | four decimal numbers with dots; other digits and dots are a name, which the resolver judges | - |
/// | host, IPv6 | in brackets | a zone (connect to a `SocketAddr` that has one), later versions (`[v1.x]`) |
/// | port | 1-65535, with leading zeros; none and an empty one are the scheme's own | 0, more than 65535, signs |
/// | path | letters, digits, `-._~!$&'()*+,;=:@/`, percent-encoded bytes; no segment is removed, `..` neither | other bytes, `%` without two hexadecimal digits |
/// | query | as the path, and `?` | the same |
/// | fragment | - | any, also an empty one |
///
/// Browsers send some bytes as they stand that RFC 3986 wants percent-encoded, among them
/// `[ ] |` and, in a query, `{ } ^`: a page encodes them with `encodeURIComponent`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url {
    secure: bool,
    port: u16,
    /// An IPv6 address in its brackets.
    host: String,
    /// The host, and the port unless it is the scheme's own.
    authority: String,
    target: String,
}

impl Url {
    /// Longest URL, in bytes. A server takes a target of that length where its
    /// [`HeadLimits`](super::HeadLimits) do; RFC 9110 section 4.1 asks for 8,000 bytes.
    pub const BYTES_MAX: usize = 64 * 1024;

    /// Takes `ws://host[:port][/path][?query]` or `wss://...` apart.
    ///
    /// # Errors
    /// [`UrlError`], one kind per fault.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        if url.is_empty() {
            return Err(UrlError::Empty);
        }
        if url.len() > Self::BYTES_MAX {
            return Err(UrlError::TooLong);
        }
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
        let secure = match scheme {
            s if s.eq_ignore_ascii_case("ws") => false,
            s if s.eq_ignore_ascii_case("wss") => true,
            _ => return Err(UrlError::Scheme),
        };
        let (authority, resource) = parse_hierarchy(rest.as_bytes())?;
        // Nobody can connect to an address of a later version (RFC 3986 section 3.2.2).
        if authority.kind == HostKind::IpFuture {
            return Err(UrlError::Host);
        }
        let default = default_port(secure);
        let port = authority.port.unwrap_or(default);
        let host = text(authority.host);
        let mut target = String::with_capacity(resource.path.len() + 1);
        target.push_str(match resource.path {
            [] => "/",
            path => text(path),
        });
        // An empty query is none in a resource name (RFC 6455 section 3).
        if let Some(query @ [_, ..]) = resource.query {
            target.push('?');
            target.push_str(text(query));
        }
        Ok(Self {
            secure,
            port,
            authority: if port == default {
                String::from(host)
            } else {
                format!("{host}:{port}")
            },
            host: String::from(host),
            target,
        })
    }

    /// Whether the connection goes over TLS (`wss`).
    #[must_use]
    pub const fn secure(&self) -> bool {
        self.secure
    }

    /// The host to connect to; an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.trim_matches(['[', ']'])
    }

    /// The port to connect to: 80 for `ws` and 443 for `wss` unless the URL says otherwise.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What goes into the `Host` header: the host, an IPv6 address in brackets, and the port
    /// unless it is the scheme's own.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// What goes into the request line: path and query, `/` if there is no path. An empty query
    /// is left out with its `?` (the resource name of RFC 6455 section 3).
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// The text of bytes that a grammar has found to be ASCII.
fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or_default()
}

/// The whole URL, query included: it may hold a token. The scheme in lower case, the port left out
/// where it is the scheme's own; what [`Url::parse`] makes of it is the same URL again.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority, self.target)
    }
}

/// Without the query, which may hold a token.
impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.split('?').next().unwrap_or_default();
        f.debug_struct("Url")
            .field("secure", &self.secure)
            .field("authority", &self.authority)
            .field("path", &path)
            .finish_non_exhaustive()
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        Self::parse(url)
    }
}
