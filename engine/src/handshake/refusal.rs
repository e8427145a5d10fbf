//! The answer of a server that does not upgrade.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::error::{HandshakeError, HandshakeUsage};
use super::fields::{Fields, HeadOf, write_line};

/// An HTTP answer that refuses the upgrade; the connection is closed after it.
///
/// ```
/// use tickwire::Refusal;
///
/// let refusal = Refusal::new(401)?
///     .header("WWW-Authenticate", "Bearer")?
///     .body("sign in first\n");
/// assert!(refusal.encode().starts_with(b"HTTP/1.1 401 Unauthorized\r\n"));
/// # Ok::<(), tickwire::HandshakeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    status: u16,
    headers: Fields,
    body: Vec<u8>,
}

impl Refusal {
    /// A refusal without headers and body.
    ///
    /// # Errors
    /// [`HandshakeUsage::Status`] unless the status is 300-599, and for 304, which cannot carry
    /// a body.
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
        }
    }

    /// Adds a header line.
    ///
    /// # Errors
    /// [`HandshakeUsage`] for a name that is not a token, a value with bytes other than visible
    /// ASCII, space and tab, and for `Connection`, `Content-Length` and `Transfer-Encoding`,
    /// which [`Self::encode`] writes.
    pub fn header(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, HandshakeError> {
        self.headers
            .add(HeadOf::Refusal, name.into(), value.into())?;
        Ok(self)
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

    /// The whole answer as it goes on the wire: status line, headers, `Connection: close`,
    /// `Content-Length` and body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128 + self.body.len());
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(self.status.to_string().as_bytes());
        out.push(b' ');
        out.extend_from_slice(reason(self.status).as_bytes());
        out.extend_from_slice(b"\r\n");
        self.headers.write(&mut out);
        // RFC 9110 section 7.8: who sends Upgrade names it in Connection too.
        let connection: &[u8] = if self.headers.has("Upgrade") {
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
        out.extend_from_slice(&self.body);
        out
    }

    pub(super) fn of_error(error: &HandshakeError) -> Self {
        let mut refusal = Self::bare(error.status());
        let extra: &[(&str, &str)] = match error {
            HandshakeError::Method => &[("Allow", "GET")],
            HandshakeError::Version => &[("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")],
            _ => &[],
        };
        let kind = [("Content-Type", "text/plain; charset=utf-8")];
        for (name, value) in extra.iter().chain(&kind) {
            // Constants that satisfy the check.
            let _ = refusal
                .headers
                .add(HeadOf::Refusal, (*name).into(), (*value).into());
        }
        let mut text = match error {
            HandshakeError::Usage(_) => reason(500).into(),
            _ => error.to_string(),
        };
        text.push('\n');
        refusal.body = text.into_bytes();
        refusal
    }
}

/// The phrases of RFC 9110 section 15 and RFC 6585; a phrase may be empty.
const fn reason(status: u16) -> &'static str {
    match status {
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        414 => "URI Too Long",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
