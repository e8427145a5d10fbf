//! The server's answer as the client sees it.

use core::fmt;

use super::error::HandshakeError;
use super::head::{Head, HeadLimits, Span, first_line};
use super::syntax::{http_version, split_once};

/// The head of a server's answer. A body, if there is one, follows the head and is not read.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    head: Head,
    status: u16,
    reason: Span,
}

impl Response {
    pub(super) fn of_head(bytes: &[u8], limits: &HeadLimits) -> Result<Self, HandshakeError> {
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
        // A proxy of the 1.0 age may refuse; upgrading is a thing of 1.1.
        let speaks = matches!(version, (1, 1..)) || (version == (1, 0) && status != 101);
        if !speaks {
            return Err(HandshakeError::HttpVersion);
        }
        Ok(Self {
            head: Head::parse(bytes, headers_at, &[], limits)?,
            status,
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

    /// The status code, 100-999.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The reason phrase; empty if there is none or it is not UTF-8.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.head.text(self.reason)
    }

    /// The sub-protocol that the server chose.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        let value = self.head.values("Sec-WebSocket-Protocol").next()?;
        core::str::from_utf8(value).ok()
    }

    /// All header lines in order, names as received, values without surrounding white space.
    pub fn headers(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        self.head.headers()
    }

    /// The first header line with that name; case does not count.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.head
            .headers()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// Without header values: they hold cookies, which have no place in a log.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("reason", &self.reason())
            .field("headers", &self.headers().len())
            .finish_non_exhaustive()
    }
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
