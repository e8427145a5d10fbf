//! `ws://` and `wss://` URLs (RFC 6455 section 3).

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use super::uri::{HostKind, UrlError, parse_hierarchy};

/// A parsed WebSocket URL (RFC 6455 section 3).
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
/// # Accepted URLs
///
/// The grammar is that of RFC 3986, component by component, and [`Request`](super::Request) uses
/// the same one: a server accepts every URL of this type as a request target and as `Host`.
///
/// | component | accepted | refused |
/// |---|---|---|
/// | scheme | `ws`, `wss`, in any case | all others, a missing one |
/// | user information | - | any, even if empty |
/// | host: name | letters, digits, `-._~!$&'()*+,;=`, percent-encoded bytes; kept as written, so
/// write names outside ASCII in Punycode for the resolver | an empty one, other bytes, `%` without
/// two hexadecimal digits |
/// | host: IPv4 | four decimal numbers with dots; other digits and dots are a name for the resolver
/// | - |
/// | host: IPv6 | in brackets | a zone (connect to a `SocketAddr` with a scope id instead), future
/// versions (`[v1.x]`) |
/// | port | 1-65535, with leading zeros; a missing or empty port means the default of the scheme |
/// 0, more than 65535, signs |
/// | path | letters, digits, `-._~!$&'()*+,;=:@/`, percent-encoded bytes; no segment is removed,
/// not even `..` | other bytes, `%` without two hexadecimal digits |
/// | query | as the path, and `?` | as for the path |
/// | fragment | - | any, even if empty |
///
/// Browsers send some bytes unencoded that RFC 3986 requires to be percent-encoded, among them `[ ]
/// |` and, in a query, `{ } ^`. A page can encode them with `encodeURIComponent`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url {
    secure: bool,
    port: u16,
    /// The host; an IPv6 address with its brackets.
    host: String,
    /// The host, and the port unless it is the default of the scheme.
    authority: String,
    target: String,
}

impl Url {
    /// Largest length of a URL in bytes. A server accepts such a target if its
    /// [`HeadLimits`](super::HeadLimits) do. RFC 9110 section 4.1 recommends at least 8,000 bytes.
    pub const BYTES_MAX: usize = 64 * 1024;

    /// Parses `ws://host[:port][/path][?query]` or the same with `wss`.
    ///
    /// # Errors
    /// [`UrlError`], with one kind for each fault.
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
        // No client can connect to an address of a future version (RFC 3986 section 3.2.2).
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
        // A resource name omits an empty query (RFC 6455 section 3).
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

    /// Whether the connection uses TLS (`wss`).
    #[must_use]
    pub const fn secure(&self) -> bool {
        self.secure
    }

    /// The host to connect to; an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.trim_matches(['[', ']'])
    }

    /// The port to connect to. Defaults to 80 for `ws` and 443 for `wss`.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The value for the `Host` field: the host, with an IPv6 address in brackets, and the port
    /// unless it is the default of the scheme.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The request target: path and query. `/` if the path is empty. An empty query is omitted with
    /// its `?` (the resource name of RFC 6455 section 3).
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// The text of bytes that the parser has found to be ASCII.
fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or_default()
}

/// Prints the whole URL with its query, which can hold credentials. The scheme is in lower case,
/// and the default port of the scheme is omitted. [`Url::parse`] of the output gives an equal URL.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority, self.target)
    }
}

/// Omits the query, which can hold credentials.
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
