//! The URI grammar of RFC 3986. One parser for the URL that a client is given, the `Host` that it
//! sends, and the request target and `Host` that a server receives.

use core::fmt;
use core::net::Ipv6Addr;

use super::syntax::{find, split_once};

/// Why a URL is invalid. The error does not repeat the URL, which can hold credentials.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum UrlError {
    /// The URL is empty.
    Empty,
    /// The URL is longer than [`Url::BYTES_MAX`](super::Url::BYTES_MAX) bytes.
    TooLong,
    /// The scheme is missing, or is not `ws` or `wss`.
    Scheme,
    /// The host is missing (RFC 9110 section 4.2.1).
    MissingHost,
    /// The URL has user information (`user:password@`), which WebSocket URLs must not have (RFC
    /// 6455 section 3).
    UserInfo,
    /// The URL has a fragment, which WebSocket URLs must not have (RFC 6455 section 3).
    Fragment,
    /// The port is not a number from 1 to 65535. An empty port is valid and means the default port
    /// of the scheme (RFC 3986 section 3.2.3).
    Port,
    /// The host is neither a name nor an address (RFC 3986 section 3.2.2). An address in brackets
    /// must be an IPv6 address without a zone.
    Host,
    /// A byte must be percent-encoded, or a `%` is not followed by two hexadecimal digits (RFC 3986
    /// sections 2.1, 3.3 and 3.4).
    Syntax,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the URL is empty",
            Self::TooLong => "the URL is longer than 65536 bytes",
            Self::Scheme => "the URL must begin with ws:// or wss://",
            Self::MissingHost => "the URL has no host",
            Self::UserInfo => {
                "the URL must not hold a user or password: send an Authorization header instead"
            }
            Self::Fragment => "the URL must not have a fragment: write '#' as %23",
            Self::Port => "the port of the URL must be 1-65535",
            Self::Host => {
                "the host of the URL is neither a name nor an address: write other than ASCII names in Punycode, IPv6 addresses in brackets and without a zone"
            }
            Self::Syntax => {
                "the URL is malformed: percent-encode spaces, quotes, < > [ ] { } | \\ ^ ` and everything that is not ASCII, and write '%' as %25"
            }
        })
    }
}

impl core::error::Error for UrlError {}

/// The kind of a host. An IPv4 address counts as a name: the resolver recognizes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HostKind {
    Name,
    Ipv6,
    /// An address of a future version (`IPvFuture`).
    IpFuture,
}

/// `host [ ":" port ]` (RFC 9110 section 7.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Authority<'a> {
    /// The host; an IP literal with its brackets.
    pub(super) host: &'a [u8],
    pub(super) kind: HostKind,
    /// `None` if it is missing or empty: the default port of the scheme.
    pub(super) port: Option<u16>,
    /// Host and port as written, without an empty port.
    pub(super) text: &'a [u8],
}

impl<'a> Authority<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, UrlError> {
        if find(text, b'@').is_some() {
            return Err(UrlError::UserInfo);
        }
        let (host, digits) = match text.iter().rposition(|&b| b == b':') {
            // The last colon can be part of an address in brackets.
            Some(at) if find(&text[at..], b']').is_none() => (&text[..at], &text[at + 1..]),
            _ => (text, &[][..]),
        };
        if host.is_empty() {
            return Err(UrlError::MissingHost);
        }
        let port = parse_port(digits)?;
        let kind = host_kind(host).ok_or(UrlError::Host)?;
        let text = if digits.is_empty() { host } else { text };
        Ok(Self {
            host,
            kind,
            port,
            text,
        })
    }
}

/// `port = *DIGIT` (RFC 3986 section 3.2.3); leading zeros are allowed. Port 0 is refused, because
/// no server can listen on it.
fn parse_port(digits: &[u8]) -> Result<Option<u16>, UrlError> {
    if digits.is_empty() {
        return Ok(None);
    }
    let mut port = 0u16;
    for digit in digits {
        let next = match digit {
            b'0'..=b'9' => port.checked_mul(10),
            _ => None,
        };
        let next = next.and_then(|tens| tens.checked_add(u16::from(digit - b'0')));
        port = next.ok_or(UrlError::Port)?;
    }
    match port {
        0 => Err(UrlError::Port),
        port => Ok(Some(port)),
    }
}

/// `host`, not empty (RFC 3986 section 3.2.2). Digits and dots that are not an IPv4 address are a
/// name.
fn host_kind(host: &[u8]) -> Option<HostKind> {
    let Some(rest) = host.strip_prefix(b"[") else {
        let is_name = is_encoded(host, |b| is_unreserved(b) || is_sub_delim(b));
        return is_name.then_some(HostKind::Name);
    };
    match rest.strip_suffix(b"]")? {
        address if is_ipv6(address) => Some(HostKind::Ipv6),
        address if is_ip_future(address) => Some(HostKind::IpFuture),
        _ => None,
    }
}

fn is_ipv6(address: &[u8]) -> bool {
    core::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

/// `"v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )`.
fn is_ip_future(address: &[u8]) -> bool {
    let [b'v' | b'V', rest @ ..] = address else {
        return false;
    };
    let (version, address) = split_once(rest, b'.');
    let part = |&b: &u8| is_unreserved(b) || is_sub_delim(b) || b == b':';
    !version.is_empty()
        && version.iter().all(u8::is_ascii_hexdigit)
        && address.is_some_and(|address| !address.is_empty() && address.iter().all(part))
}

/// `path-abempty [ "?" query ]` (RFC 3986 sections 3.3 and 3.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Resource<'a> {
    /// Empty, or starts with `/`.
    pub(super) path: &'a [u8],
    /// The query without its `?`.
    pub(super) query: Option<&'a [u8]>,
}

impl<'a> Resource<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, UrlError> {
        if find(text, b'#').is_some() {
            return Err(UrlError::Fragment);
        }
        let (path, query) = split_once(text, b'?');
        let is_path = matches!(path, [] | [b'/', ..]) && is_encoded(path, is_path_byte);
        let is_query = query.is_none_or(|query| is_encoded(query, is_query_byte));
        if is_path && is_query {
            Ok(Self { path, query })
        } else {
            Err(UrlError::Syntax)
        }
    }

    /// `origin-form` (RFC 9112 section 3.2.1): the path is not empty.
    pub(super) fn parse_origin_form(text: &'a [u8]) -> Result<Self, UrlError> {
        match Self::parse(text)? {
            resource if resource.path.is_empty() => Err(UrlError::Syntax),
            resource => Ok(resource),
        }
    }
}

/// Parses the part of a URI after `scheme://`.
pub(super) fn parse_hierarchy(text: &[u8]) -> Result<(Authority<'_>, Resource<'_>), UrlError> {
    if find(text, b'#').is_some() {
        return Err(UrlError::Fragment);
    }
    let end = text.iter().position(|b| matches!(b, b'/' | b'?'));
    let (authority, resource) = text.split_at(end.unwrap_or(text.len()));
    Ok((Authority::parse(authority)?, Resource::parse(resource)?))
}

/// Whether every byte is `allowed` or belongs to a `%` with two hexadecimal digits.
fn is_encoded(text: &[u8], allowed: impl Fn(u8) -> bool) -> bool {
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest
            }
            [byte, rest @ ..] if allowed(*byte) => rest,
            _ => return false,
        };
    }
}

/// `unreserved` (RFC 3986 section 2.3).
const fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')
}

/// `sub-delims` (RFC 3986 section 2.2).
const fn is_sub_delim(b: u8) -> bool {
    matches!(b, b'!' | b'$' | b'&'..=b',' | b';' | b'=')
}

/// `pchar / "/"`, without percent-encoded bytes.
const fn is_path_byte(b: u8) -> bool {
    is_unreserved(b) || is_sub_delim(b) || matches!(b, b':' | b'@' | b'/')
}

/// `pchar / "/" / "?"`, without percent-encoded bytes.
const fn is_query_byte(b: u8) -> bool {
    is_path_byte(b) || b == b'?'
}
