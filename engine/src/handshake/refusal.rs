//! [`Refusal`], the answer of a server that does not upgrade.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::date::format_date;
use super::error::{HandshakeError, HandshakeUsage};
use super::fields::{Fields, HeadOf, write_line};

/// An HTTP answer that refuses the upgrade. The server closes the connection after it.
///
/// ```
/// use tickwire::handshake::Refusal;
///
/// let refusal = Refusal::unauthorized("Bearer").text("sign in first");
/// assert!(refusal.encode().starts_with(b"HTTP/1.1 401 Unauthorized\r\n"));
///
/// // `new` and `header` accept, and check, any status and header.
/// let refusal = Refusal::new(451)?.header("Link", "<https://example.com>; rel=\"blocked-by\"")?;
/// # Ok::<(), tickwire::handshake::HandshakeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    status: u16,
    headers: Fields,
    body: Vec<u8>,
    /// The error of an invalid header value that was passed to a constructor.
    fault: Option<HandshakeUsage>,
    /// The request was HEAD: the answer has the length of the body, but not the body.
    answers_head: bool,
}

impl Refusal {
    /// Makes a refusal without headers and body.
    ///
    /// Some headers follow from the status. `Allow` is added to a 405, `Upgrade` and
    /// `Sec-WebSocket-Version` to a 426, unless [`Self::header`] has set them. A 401 requires
    /// `WWW-Authenticate`, a 407 `Proxy-Authenticate`: see [`Self::check`]. A redirect should have a
    /// `Location`.
    ///
    /// # Errors
    /// [`HandshakeUsage::Status`] if the status is not 300-303 or 305-599. A 1xx is not a final
    /// answer, a 2xx is not a refusal, and a 304 answers a conditional request, which an upgrade is
    /// not.
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
            fault: None,
            answers_head: false,
        }
    }

    /// 400: the request is wrong, and the client can correct it.
    #[must_use]
    pub fn bad_request() -> Self {
        Self::bare(400)
    }

    /// 401: the client is not authenticated. `challenge` is the value of `WWW-Authenticate` (RFC
    /// 9110 section 11.6.1), such as `Bearer`. If it has bytes other than visible ASCII, space and
    /// tab, [`Self::check`] fails.
    #[must_use]
    pub fn unauthorized(challenge: impl Into<String>) -> Self {
        Self::bare(401).with("WWW-Authenticate", challenge.into())
    }

    /// 403: the client is not allowed to connect.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::bare(403)
    }

    /// 404: there is no resource at this path.
    #[must_use]
    pub fn not_found() -> Self {
        Self::bare(404)
    }

    /// 408: the request was not complete in time (RFC 9110 section 15.5.9). The drivers send it
    /// after `handshake_timeout`.
    #[must_use]
    pub fn request_timeout() -> Self {
        Self::bare(408)
    }

    /// 409: the request conflicts with the state of the server, for example a second connection of
    /// one account.
    #[must_use]
    pub fn conflict() -> Self {
        Self::bare(409)
    }

    /// 429: the client sends too many requests, and may retry after `wait` (RFC 6585 section 4).
    #[must_use]
    pub fn too_many_requests(wait: Duration) -> Self {
        Self::bare(429).retry_after(wait)
    }

    /// 500: the server has failed.
    #[must_use]
    pub fn internal_error() -> Self {
        Self::bare(500)
    }

    /// 503: the server is overloaded or in maintenance, and the client may retry after `wait`.
    #[must_use]
    pub fn service_unavailable(wait: Duration) -> Self {
        Self::bare(503).retry_after(wait)
    }

    /// 307: the resource is temporarily at `location`, a URL or a path on this host (RFC 9110
    /// section 15.4.8). If `location` has bytes other than visible ASCII, space and tab,
    /// [`Self::check`] fails.
    #[must_use]
    pub fn redirect(location: impl Into<String>) -> Self {
        Self::bare(307).with("Location", location.into())
    }

    /// 308: the resource is permanently at `location`, as for [`Self::redirect`] (RFC 9110 section
    /// 15.4.9).
    #[must_use]
    pub fn permanent_redirect(location: impl Into<String>) -> Self {
        Self::bare(308).with("Location", location.into())
    }

    /// Adds a header with a valid name. An invalid value is kept as the error of [`Self::check`].
    fn with(mut self, name: &'static str, value: String) -> Self {
        if let Err(HandshakeError::Usage(fault)) =
            self.headers.add(HeadOf::Refusal, name.into(), value)
        {
            self.fault = Some(fault);
        }
        self
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

    /// Sets `Retry-After`, the time after which the client may retry, in seconds, rounded up (RFC
    /// 9110 section 10.2.3). For 503, 429 and redirects.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        let seconds = wait.as_secs();
        let seconds = seconds.saturating_add(u64::from(wait.subsec_nanos() > 0));
        self.headers.set_own("Retry-After", seconds.to_string());
        self
    }

    /// Sets `Date`, the time of the answer, in seconds since 1970-01-01T00:00:00Z. A server with a
    /// clock must send it (RFC 9110 section 6.6.1). Does not replace a `Date` that was added with
    /// [`Self::header`]. The drivers call this method.
    #[must_use]
    pub fn date(mut self, seconds: u64) -> Self {
        if !self.headers.has("Date") {
            self.headers.set_own("Date", format_date(seconds));
        }
        self
    }

    /// Sets the body. Describe it with a `Content-Type` header.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to a text in UTF-8, and `Content-Type` accordingly.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.headers
            .set_own("Content-Type", "text/plain; charset=utf-8".into());
        self.body(text.into())
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// All header lines except `Connection` and `Content-Length`, for an HTTP server that writes the
    /// answer itself: the added headers, then the headers that follow from the status.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let implied = headers_of_status(self.status).iter();
        self.headers
            .iter()
            .chain(implied.copied().filter(|(name, _)| !self.headers.has(name)))
    }

    /// The body.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.body
    }

    /// Checks that the refusal has the headers that its status requires, and that the values passed
    /// to the constructors are valid. The drivers call this method, and answer 500 if it fails.
    ///
    /// # Errors
    /// [`HandshakeUsage::HeaderNeeded`] for a 401 without `WWW-Authenticate` (RFC 9110 section
    /// 15.5.2) and a 407 without `Proxy-Authenticate` (section 15.5.8);
    /// [`HandshakeUsage::HeaderValue`] for an invalid challenge or location.
    pub fn check(&self) -> Result<(), HandshakeError> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone().into());
        }
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

    /// The complete answer in bytes: status line, headers, `Connection: close`, `Content-Length` and
    /// body.
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
        // RFC 9110 section 7.8: a sender of Upgrade must also list it in Connection.
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
        let refusal = Self::bare(error.status());
        let mut text = match error {
            HandshakeError::Usage(_) => reason(500).into(),
            _ => error.to_string(),
        };
        text.push('\n');
        refusal.text(text)
    }
}

/// The headers that follow from the status, for a server that only upgrades to WebSocket (RFC 9110
/// sections 15.5.6 and 15.5.22, RFC 6455 section 4.2.2).
const fn headers_of_status(status: u16) -> &'static [(&'static str, &'static str)] {
    match status {
        405 => &[("Allow", "GET, HEAD")],
        426 => &[("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")],
        _ => &[],
    }
}

/// The reason phrases of RFC 9110 section 15 and RFC 6585; empty for other statuses.
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
