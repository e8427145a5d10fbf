//! [`Response`], the answer of a server as a client reads it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::content::{CONTENT_BYTES_MAX, Content};
use super::date::parse_date;
use super::error::HandshakeError;
use super::head::{Head, HeadLimits, Span, first_line, unfolded};
use super::syntax::{decimal, http_version, is_plain_value, split_once};
use crate::agreed::Agreed;
use crate::role::Role;
use crate::shown::{push_printable, shown};

/// The answer of a server to an opening handshake.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    head: Head,
    status: u16,
    reason: Span,
    is_http_1_1: bool,
    content: Vec<u8>,
}

/// The kind of an answer other than 101: what the client can do next (RFC 9110 section 15).
///
/// ```
/// use tickwire::handshake::{ClientHandshake, ClientOptions, HandshakeError, HeadLimits, ResponseKind};
///
/// let nonce = *b"the sample nonce"; // from a CSPRNG, a fresh one for every connection
/// let mut handshake = ClientHandshake::new("example.com", "/", &ClientOptions::new(), nonce)?;
/// let received = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /feed\r\nContent-Length: 0\r\n\r\n";
/// match handshake.parse(received, &HeadLimits::default()) {
///     Err(HandshakeError::Refused(response)) => match response.kind() {
///         ResponseKind::Redirect { location, .. } => assert_eq!(location, "/feed"),
///         kind => panic!("{kind:?}"),
///     },
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), HandshakeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ResponseKind<'a> {
    /// 301, 302, 303, 307 or 308 with one `Location`.
    Redirect {
        /// The `Location` as received: a URI reference, relative to the requested URL unless it
        /// has a scheme (RFC 9110 section 10.2.2). Not validated: the application decides whether
        /// to follow it, and must not send credentials to another host.
        location: &'a str,
        /// 301 or 308: use the new location for later connections, too.
        permanent: bool,
    },
    /// 401: the same request can succeed with an `Authorization` header.
    Unauthorized {
        /// The first `WWW-Authenticate`, as received. For further challenges see
        /// [`Response::headers`].
        challenge: &'a str,
    },
    /// 426: the server requires another version of the protocol, or a proxy without support for
    /// `Upgrade` has removed that header from the request.
    UpgradeRequired,
    /// 429 or 503: retry later.
    Unavailable {
        /// The requested wait, if the answer has a valid `Retry-After`.
        retry_after: Option<RetryAfter>,
    },
    /// Another status, or a status without its required header: see [`Response::status`].
    Other,
}

/// The value of `Retry-After` (RFC 9110 section 10.2.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RetryAfter {
    /// This number of seconds after the answer was received.
    Seconds(u64),
    /// At this time, in seconds since 1970-01-01T00:00:00Z.
    At(u64),
}

impl Response {
    /// The maximum size of [`Self::content`], in bytes.
    pub const CONTENT_BYTES_MAX: usize = CONTENT_BYTES_MAX;

    pub(super) fn of_head(bytes: &[u8], limits: &HeadLimits) -> Result<Self, HandshakeError> {
        let unfolded = unfolded(bytes);
        let bytes = unfolded.as_deref().unwrap_or(bytes);
        let (line, headers_at) = first_line(bytes);
        let (version, rest) = split_once(line, b' ');
        let (code, reason) = split_once(rest.unwrap_or_default(), b' ');
        let reason = reason.unwrap_or_default();
        let (Some(version), Some(status)) = (http_version(version), status_code(code)) else {
            return Err(HandshakeError::StartLine);
        };
        if reason.iter().any(|&b| b.is_ascii_control() && b != b'\t') {
            return Err(HandshakeError::StartLine);
        }
        // An HTTP/1.0 proxy may refuse, but an upgrade needs HTTP/1.1.
        let supported = matches!(version, (1, 1..)) || (version == (1, 0) && status != 101);
        if !supported {
            return Err(HandshakeError::HttpVersion);
        }
        Ok(Self {
            head: Head::parse(bytes, headers_at, &[], limits)?,
            status,
            is_http_1_1: version != (1, 0),
            content: Vec::new(),
            reason: if reason.is_empty() {
                Span::new(0, 0)
            } else {
                Span::of(reason, bytes)
            },
        })
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    /// A reader of the content that follows the head.
    pub(super) fn content_reader(&self) -> Content {
        Content::of_head(&self.head, self.status, self.is_http_1_1)
    }

    pub(super) fn with_content(mut self, content: &[u8]) -> Self {
        self.content = content.to_vec();
        self
    }

    /// The kind of the answer; [`ResponseKind::Other`] for a 101.
    #[must_use]
    pub fn kind(&self) -> ResponseKind<'_> {
        let text = |name| {
            let value = core::str::from_utf8(self.header(name)?).ok()?;
            (!value.is_empty() && is_plain_value(value.as_bytes())).then_some(value)
        };
        match self.status {
            301 | 302 | 303 | 307 | 308 => {
                let one = matches!(self.head.unique("Location"), Ok(Some(_)));
                match text("Location").filter(|_| one) {
                    Some(location) => ResponseKind::Redirect {
                        location,
                        permanent: matches!(self.status, 301 | 308),
                    },
                    None => ResponseKind::Other,
                }
            }
            401 => match text("WWW-Authenticate") {
                Some(challenge) => ResponseKind::Unauthorized { challenge },
                None => ResponseKind::Other,
            },
            426 => ResponseKind::UpgradeRequired,
            429 | 503 => ResponseKind::Unavailable {
                retry_after: self.retry_after(),
            },
            _ => ResponseKind::Other,
        }
    }

    /// `Retry-After`; `None` if it is missing or malformed.
    #[must_use]
    pub fn retry_after(&self) -> Option<RetryAfter> {
        let value = self.head.unique("Retry-After").ok()??;
        match decimal(value) {
            Some(seconds) => Some(RetryAfter::Seconds(seconds)),
            None => parse_date(value).map(RetryAfter::At),
        }
    }

    /// `Date`, the time of the answer, in seconds since 1970-01-01T00:00:00Z; `None` if it is
    /// missing or malformed (RFC 9110 sections 5.6.7 and 6.6.1).
    #[must_use]
    pub fn date(&self) -> Option<u64> {
        parse_date(self.head.unique("Date").ok()??)
    }

    /// The received content of a refusal, with chunks decoded: at most the first
    /// [`Self::CONTENT_BYTES_MAX`] bytes. `Content-Length`, the last chunk or the end of the
    /// connection ends the content (RFC 9112 section 6.3). The drivers wait for that end, at most
    /// for `handshake_timeout`.
    ///
    /// Empty for a 101, for contradictory values of `Content-Length`, and for a transfer coding
    /// other than chunked.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// The status code, 100-999.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The beginning of [`Self::content`] as one line of text. Invalid UTF-8
    /// is replaced, and unprintable characters are escaped. `None` for empty content, for compressed
    /// content, and for a media type that is not text.
    pub(super) fn shown_content(&self) -> Option<String> {
        let content = self.content.trim_ascii();
        let is_compressed = self.header("Content-Encoding").is_some();
        if content.is_empty() || is_compressed || !self.header("Content-Type").is_none_or(is_text) {
            return None;
        }
        Some(shown(content))
    }

    /// [`Self::reason`], with what cannot be printed escaped.
    pub(super) fn shown_reason(&self) -> String {
        let mut line = String::new();
        push_printable(&mut line, self.reason());
        line
    }

    /// The reason phrase; empty if it is missing or not UTF-8. Untrusted text, which can hold
    /// control characters outside of ASCII.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.head.text(self.reason)
    }

    /// The result of the handshake for a [`Session`](crate::sans_io::Session), if the status is 101.
    #[must_use]
    pub fn agreed(&self) -> Agreed {
        let agreed = Agreed::new(Role::Client);
        match self.subprotocol() {
            Some(name) => agreed.with_subprotocol(name),
            None => agreed,
        }
    }

    /// The sub-protocol that the server chose.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        let value = self.head.values("Sec-WebSocket-Protocol").next()?;
        core::str::from_utf8(value).ok()
    }

    /// All header lines in order. Names are as received; values have no surrounding white space.
    pub fn headers(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        self.head.headers()
    }

    /// The value of the first header line with this name, compared without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.head
            .headers()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// Omits header values and content, because they can contain cookies, which must not be logged.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("reason", &self.reason())
            .field("headers", &self.headers().len())
            .field("content_bytes", &self.content.len())
            .finish_non_exhaustive()
    }
}

/// Whether people can read content of this `Content-Type`: `text/plain`, `application/problem+json`.
fn is_text(content_type: &[u8]) -> bool {
    let media_type = content_type.split(|&b| b == b';').next();
    let media_type = media_type.unwrap_or_default().trim_ascii();
    let begins = |with: &[u8]| {
        let start = media_type.get(..with.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(with))
    };
    let ends = |with: &[u8]| {
        let end = media_type.len().checked_sub(with.len());
        end.is_some_and(|at| media_type[at..].eq_ignore_ascii_case(with))
    };
    begins(b"text/") || ends(b"json") || ends(b"xml") || ends(b"/x-www-form-urlencoded")
}

/// Three digits, the first not zero (RFC 9112 section 4).
fn status_code(text: &[u8]) -> Option<u16> {
    match text {
        [h @ b'1'..=b'9', t @ b'0'..=b'9', u @ b'0'..=b'9'] => {
            Some(u16::from(h - b'0') * 100 + u16::from(t - b'0') * 10 + u16::from(u - b'0'))
        }
        _ => None,
    }
}
