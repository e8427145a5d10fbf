//! `ws://` and `wss://` URLs (RFC 6455 section 3).

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::net::Ipv6Addr;

use http::Uri;

use super::syntax::{is_authority, is_origin_form};

/// A WebSocket URL, taken apart into what a client needs.
///
/// ```
/// use tickwire::Url;
///
/// let url = Url::parse("wss://[::1]:8443/feed?depth=5")?;
/// assert!(url.secure());
/// assert_eq!((url.host(), url.port()), ("::1", 8443)); // connect to
/// assert_eq!(url.authority(), "[::1]:8443"); // goes into Host
/// assert_eq!(url.target(), "/feed?depth=5"); // goes into the request line
/// # Ok::<(), tickwire::UrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Url {
    secure: bool,
    host: String,
    port: u16,
    authority: String,
    target: String,
}

/// Why a URL cannot be used. The URL itself is not repeated: it may hold a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum UrlError {
    /// Nothing there.
    Empty,
    /// A scheme other than `ws` and `wss`, or none.
    Scheme,
    /// No host after the scheme.
    MissingHost,
    /// `user:password@`, which WebSocket URLs do not have.
    UserInfo,
    /// `#fragment`, which RFC 6455 section 3 forbids.
    Fragment,
    /// A port that is empty or not 1-65535.
    Port,
    /// A host that is neither a name nor an address.
    Host,
    /// A byte that must be percent-encoded, or another fault of form.
    Syntax,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the URL is empty",
            Self::Scheme => "the URL must begin with ws:// or wss://",
            Self::MissingHost => "the URL has no host",
            Self::UserInfo => {
                "the URL must not hold a user or password: send an Authorization header instead"
            }
            Self::Fragment => "the URL must not have a fragment: write '#' as %23",
            Self::Port => "the port of the URL must be 1-65535",
            Self::Host => "the host of the URL is neither a name nor an address",
            Self::Syntax => {
                "the URL is malformed: percent-encode spaces and everything that is not ASCII"
            }
        })
    }
}

impl core::error::Error for UrlError {}

impl Url {
    /// Takes `ws://host[:port][/path][?query]` or `wss://...` apart.
    ///
    /// # Errors
    /// [`UrlError`], one kind per fault.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        if url.is_empty() {
            return Err(UrlError::Empty);
        }
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
        let secure = match scheme {
            s if s.eq_ignore_ascii_case("ws") => false,
            s if s.eq_ignore_ascii_case("wss") => true,
            _ => return Err(UrlError::Scheme),
        };
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        // `http::Uri` has one error for all of these.
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(UrlError::UserInfo);
        }
        let (bracketed, port) = split_port(authority);
        if bracketed.is_empty() {
            return Err(UrlError::MissingHost);
        }
        let default = if secure { 443 } else { 80 };
        let port = port.map_or(Ok(default), parse_port)?;
        let host = parse_host(bracketed)?;

        let uri: Uri = url.parse().map_err(|_| UrlError::Syntax)?;
        let target = match uri.path_and_query().map(|p| p.as_str()) {
            None | Some("") => String::from("/"),
            Some(query) if query.starts_with('?') => format!("/{query}"),
            Some(target) => String::from(target),
        };
        if !is_origin_form(target.as_bytes()) {
            return Err(UrlError::Syntax);
        }
        Ok(Self {
            secure,
            host: String::from(host),
            port,
            authority: if port == default {
                String::from(bracketed)
            } else {
                format!("{bracketed}:{port}")
            },
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
        &self.host
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

    /// What goes into the request line: path and query, `/` if there is none.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }
}

/// The host, an IPv6 address still in brackets, and the port's text.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn parse_port(text: &str) -> Result<u16, UrlError> {
    match text.parse() {
        Ok(port @ 1..) if text.bytes().all(|b| b.is_ascii_digit()) => Ok(port),
        _ => Err(UrlError::Port),
    }
}

fn parse_host(bracketed: &str) -> Result<&str, UrlError> {
    let address = bracketed
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match address {
        Some(address) if address.parse::<Ipv6Addr>().is_ok() => Ok(address),
        None if is_authority(bracketed.as_bytes()) && !bracketed.contains(':') => Ok(bracketed),
        _ => Err(UrlError::Host),
    }
}
