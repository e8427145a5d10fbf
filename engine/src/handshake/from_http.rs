//! Opening handshakes on requests that another HTTP server has read.

use alloc::vec::Vec;

use super::error::HandshakeError;
use super::fields::write_line;
use super::head::HeadLimits;
use super::server::Request;
use super::syntax::is_token;

impl Request {
    /// Makes a request from the parts that another HTTP server has read. The same rules as for
    /// [`Self::parse`] apply: the parts are written as a head of HTTP/1 and parsed.
    ///
    /// `target` is the request target of the client, in origin-form or absolute-form. `version` is
    /// the major and the minor version of HTTP. The features `hyper` and `axum` provide this for the
    /// types of those crates.
    ///
    /// ```
    /// use tickwire::handshake::{Accept, Request};
    ///
    /// let headers: [(&str, &[u8]); 5] = [
    ///     ("host", b"example.com"),
    ///     ("upgrade", b"websocket"),
    ///     ("connection", b"upgrade"),
    ///     ("sec-websocket-version", b"13"),
    ///     ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    /// ];
    /// let request = Request::from_http("GET", "/feed", (1, 1), headers)?;
    /// let mut answer = Vec::new(); // the header lines of the 101, for the type of the HTTP server
    /// let agreed = request.accept_into(&Accept::new(), |name, value| {
    ///     answer.push((name.to_owned(), value.to_owned()));
    /// })?;
    /// assert_eq!(answer.last().unwrap().1, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    /// # Ok::<(), tickwire::handshake::HandshakeError>(())
    /// ```
    ///
    /// # Errors
    /// [`HandshakeError`]: the rule that the request breaks.
    pub fn from_http<'a>(
        method: &str,
        target: &str,
        version: (u8, u8),
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, HandshakeError> {
        if !is_token(method.as_bytes()) {
            return Err(HandshakeError::StartLine);
        }
        // A byte that would end the request line, or begin another part of it.
        if target.bytes().any(|b| b <= b' ') {
            return Err(HandshakeError::Target);
        }
        let (major @ 0..=9, minor @ 0..=9) = version else {
            return Err(HandshakeError::HttpVersion);
        };
        let mut head = Vec::with_capacity(512);
        head.extend_from_slice(method.as_bytes());
        head.push(b' ');
        head.extend_from_slice(target.as_bytes());
        head.extend_from_slice(b" HTTP/");
        head.extend_from_slice(&[b'0' + major, b'.', b'0' + minor]);
        head.extend_from_slice(b"\r\n");
        for (name, value) in headers {
            if !is_token(name.as_bytes()) {
                return Err(HandshakeError::HeaderName);
            }
            if value.iter().any(|b| matches!(b, b'\r' | b'\n')) {
                return Err(HandshakeError::HeaderValue);
            }
            write_line(&mut head, name, value);
        }
        head.extend_from_slice(b"\r\n");
        // The other server has enforced its own limits: use the largest possible limits here.
        let limits = HeadLimits {
            head_bytes_max: HeadLimits::HEAD_BYTES_CAP,
            headers_max: HeadLimits::HEADERS_CAP,
        };
        match Self::parse(&head, &limits)? {
            Some((request, _)) => Ok(request),
            // The head ends in an empty line, so it cannot be incomplete.
            None => Err(HandshakeError::StartLine),
        }
    }
}
