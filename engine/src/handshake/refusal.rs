//! The answer of a server that does not upgrade.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::date::format_date;
use super::error::{HandshakeError, HandshakeUsage};
use super::fields::{Fields, HeadOf, write_line};

/// An HTTP answer that refuses the upgrade; the connection is closed after it.
///
/// ```
/// use tickwire::handshake::Refusal;
///
/// let refusal = Refusal::new(401)?
///     .header("WWW-Authenticate", "Bearer")?
///     .body("sign in first\n");
/// assert!(refusal.encode().starts_with(b"HTTP/1.1 401 Unauthorized\r\n"));
/// # Ok::<(), tickwire::handshake::HandshakeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    status: u16,
    headers: Fields,
    body: Vec<u8>,
    /// The request was HEAD: the answer has the length of the body and not the body.
    answers_head: bool,
}

impl Refusal {
    /// A refusal without headers and body.
    ///
    /// A 405 tells `Allow` and a 426 tells `Upgrade` and `Sec-WebSocket-Version` without being
    /// asked, unless [`Self::header`] tells them. A 401 needs its `WWW-Authenticate`, a 407 its
    /// `Proxy-Authenticate`: see [`Self::check`]. A redirect is of use with a `Location`.
    ///
    /// # Errors
    /// [`HandshakeUsage::Status`] unless the status is 300-599, and for 304. A 1xx is no last
    /// answer, a 2xx refuses nothing, and a 304 answers conditions, which an upgrade has none of.
    pub fn new(status: u16) -> Result<Self, HandshakeError> {
        match status {
            300..=303 | 305..=599 => Ok(Self::bare(status)),
            _ => Err(HandshakeUsage::Status(status).into()),
        }
    }

    fn bare(status: u16) -> Self {
        Self {
            status,
            headers: Fields::default(),
            body: Vec::new(),
            answers_head: false,
        }
    }

    /// The answer to a client whose request was not complete in time (RFC 9110 section 15.5.9).
    /// The drivers send it after `handshake_timeout`.
    #[must_use]
    pub fn request_timeout() -> Self {
        Self::bare(408)
    }

    /// Adds a header line.
    ///
    /// # Errors
    /// [`HandshakeUsage`] for a name that is not a token, a value with bytes other than visible
    /// ASCII, space and tab, and for `Connection`, `Content-Length`, `Transfer-Encoding` and the
    /// other headers of one connection (RFC 9110 section 7.6.1), which [`Self::encode`] writes.
    pub fn header(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, HandshakeError> {
        self.headers
            .add(HeadOf::Refusal, name.into(), value.into())?;
        Ok(self)
    }

    /// When the client may come again: `Retry-After` in seconds, rounded up (RFC 9110 section
    /// 10.2.3). For 503, 429 and redirects.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        let seconds = wait.as_secs();
        let seconds = seconds.saturating_add(u64::from(wait.subsec_nanos() > 0));
        self.headers.set_own("Retry-After", seconds.to_string());
        self
    }

    /// When the answer is made, in seconds since 1970-01-01T00:00:00Z: `Date`, which a server with
    /// a clock must tell (RFC 9110 section 6.6.1). Leaves one that was added with
    /// [`Self::header`]. The drivers call it.
    #[must_use]
    pub fn date(mut self, seconds: u64) -> Self {
        if !self.headers.has("Date") {
            self.headers.set_own("Date", format_date(seconds));
        }
        self
    }

    /// The body; tell its kind with a `Content-Type` header.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// All header lines but `Connection` and `Content-Length`, for an HTTP server that writes the
    /// answer itself: those that were added, then those that the status must have.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = told_with(self.status).iter();
        self.headers
            .iter()
            .chain(own.copied().filter(|(name, _)| !self.headers.has(name)))
    }

    /// The body.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.body
    }

    /// Whether nothing is missing that the status must have and that is not known here. The
    /// drivers call it and answer 500 where it fails.
    ///
    /// # Errors
    /// [`HandshakeUsage::HeaderNeeded`] for a 401 without `WWW-Authenticate` (RFC 9110 section
    /// 15.5.2) and a 407 without `Proxy-Authenticate` (section 15.5.8).
    pub fn check(&self) -> Result<(), HandshakeError> {
        let name = match self.status {
            401 => "WWW-Authenticate",
            407 => "Proxy-Authenticate",
            _ => return Ok(()),
        };
        if self.headers.has(name) {
            return Ok(());
        }
        let status = self.status;
        Err(HandshakeUsage::HeaderNeeded { status, name }.into())
    }

    /// The whole answer as it goes on the wire: status line, headers, `Connection: close`,
    /// `Content-Length` and body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + self.body.len());
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(self.status.to_string().as_bytes());
        out.push(b' ');
        out.extend_from_slice(reason(self.status).as_bytes());
        out.extend_from_slice(b"\r\n");
        for (name, value) in self.headers() {
            write_line(&mut out, name, value.as_bytes());
        }
        // RFC 9110 section 7.8: who sends Upgrade names it in Connection too.
        let connection: &[u8] = if self.status == 426 || self.headers.has("Upgrade") {
            b"close, Upgrade"
        } else {
            b"close"
        };
        write_line(&mut out, "Connection", connection);
        write_line(
            &mut out,
            "Content-Length",
            self.body.len().to_string().as_bytes(),
        );
        out.extend_from_slice(b"\r\n");
        if !self.answers_head {
            out.extend_from_slice(&self.body);
        }
        out
    }

    pub(super) fn of_error(error: &HandshakeError) -> Self {
        if let HandshakeError::HeadMethod(error) = error {
            let mut refusal = Self::of_error(error);
            refusal.answers_head = true;
            return refusal;
        }
        let mut refusal = Self::bare(error.status());
        let mut text = match error {
            HandshakeError::Usage(_) => reason(500).into(),
            _ => error.to_string(),
        };
        text.push('\n');
        refusal.body = text.into_bytes();
        refusal
            .headers
            .set_own("Content-Type", "text/plain; charset=utf-8".into());
        refusal
    }
}

/// What a status must tell, as far as it is the same for all who only upgrade to WebSocket
/// (RFC 9110 sections 15.5.6 and 15.5.22, RFC 6455 section 4.2.2).
const fn told_with(status: u16) -> &'static [(&'static str, &'static str)] {
    match status {
        405 => &[("Allow", "GET, HEAD")],
        426 => &[("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")],
        _ => &[],
    }
}

/// The phrases of RFC 9110 section 15 and RFC 6585; a phrase may be empty.
const fn reason(status: u16) -> &'static str {
    match status {
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        305 => "Use Proxy",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        511 => "Network Authentication Required",
        _ => "",
    }
}
