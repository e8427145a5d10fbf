//! The server side of the opening handshake: a request head in, a 101 response or a refusal out
//! (RFC 6455 section 4.2).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::accept::{Accept, accept_key, is_key};
use super::error::{HandshakeError, HandshakeUsage};
use super::fields::write_line;
use super::head::{Head, HeadLimits, HeadScan, Span, first_line};
use super::syntax::{find, http_version, is_plain_value, is_token, split_once};
use super::uri::{Authority, Resource, parse_hierarchy};
use crate::agreed::Agreed;
use crate::role::Role;

/// Parses one request head in a growing buffer, and inspects every byte once.
///
/// After each read, call [`Self::parse`] until it returns a request or an error. The response for
/// an error is [`HandshakeError::refusal`]; close the connection after it.
///
/// | request | result or status |
/// |---|---|
/// | GET that RFC 6455 section 4.2.1 describes, target in origin-form or absolute-form | a [`Request`] |
/// | a head that breaks a rule of RFC 9112, a bad or second `Host`, a bad key, a target that RFC 3986 does not allow | 400 |
/// | with content: `Content-Length` other than 0, or `Transfer-Encoding`. One parser could take the
/// bytes after the head as frames, another as content | 400 |
/// | POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH | 405 with `Allow` |
/// | a request line longer than the limit; header fields longer or more than the limits | 414; 431
/// |
/// | no `Upgrade: websocket`, or a version other than 13 | 426 with `Upgrade` and
/// `Sec-WebSocket-Version` |
/// | any other method; methods are case-sensitive | 501 |
/// | HTTP/1.0, HTTP/2, the preface of HTTP/2 | 505 |
/// | HEAD | as for a GET that does not upgrade, without content |
#[derive(Clone, Default, Debug)]
pub struct ServerHandshake {
    limits: HeadLimits,
    scan: HeadScan,
}

impl ServerHandshake {
    /// A handshake of which no byte was received.
    #[must_use]
    pub fn new(limits: HeadLimits) -> Self {
        Self {
            limits,
            scan: HeadScan::default(),
        }
    }

    /// The request and the size of its head in bytes. `None` while the head is incomplete.
    ///
    /// `bytes` are all bytes received so far: the same buffer in every call, with new bytes
    /// appended. The bytes after the head are the first frames.
    ///
    /// # Errors
    /// The rule that the head breaks. A wrong method is detected in the first bytes and a bare LF
    /// at the end of its line; all other rules are checked when the head is complete. For a HEAD
    /// request, the error is [`HandshakeError::HeadMethod`].
    pub fn parse(&mut self, bytes: &[u8]) -> Result<Option<(Request, usize)>, HandshakeError> {
        let max = self.limits.head_bytes();
        let method = Method::of_head(&bytes[..bytes.len().min(max)])?;
        let parsed = self.parse_any(bytes, max);
        if method != Some(Method::Head) {
            return parsed;
        }
        let error = match parsed {
            Ok(None) => return Ok(None),
            Ok(Some(_)) => HandshakeError::Upgrade,
            Err(error) => error,
        };
        Err(HandshakeError::HeadMethod(Box::new(error)))
    }

    fn parse_any(
        &mut self,
        bytes: &[u8],
        max: usize,
    ) -> Result<Option<(Request, usize)>, HandshakeError> {
        match self.scan.end(bytes, max) {
            Ok(Some(end)) => Ok(Some((Request::of_head(&bytes[..end], &self.limits)?, end))),
            Ok(None) => Ok(None),
            Err(HandshakeError::HeadTooLarge { max }) if self.scan.is_at_first_line() => {
                Err(HandshakeError::TargetTooLong { max })
            }
            Err(error) => Err(error),
        }
    }
}

/// A method for which the rest of the request is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Method {
    Get,
    Head,
}

/// The known starts of a request head with their results: the methods of RFC 9110 section 9 and RFC
/// 5789, and the preface of HTTP/2. Methods are case-sensitive (RFC 9110 section 9.1).
const KNOWN: [(&[u8], Result<Method, HandshakeError>); 10] = [
    (b"GET ", Ok(Method::Get)),
    (b"HEAD ", Ok(Method::Head)),
    (b"POST ", Err(HandshakeError::Method)),
    (b"PUT ", Err(HandshakeError::Method)),
    (b"DELETE ", Err(HandshakeError::Method)),
    (b"CONNECT ", Err(HandshakeError::Method)),
    (b"OPTIONS ", Err(HandshakeError::Method)),
    (b"TRACE ", Err(HandshakeError::Method)),
    (b"PATCH ", Err(HandshakeError::Method)),
    (b"PRI * HTTP/2", Err(HandshakeError::Http2)),
];

impl Method {
    /// The method at the start of `bytes`. `None` while several are possible. Fails at the first
    /// byte that excludes all of them, so that TLS or another protocol on this port gets its
    /// response at once and not at a deadline.
    fn of_head(bytes: &[u8]) -> Result<Option<Self>, HandshakeError> {
        let mut at = 0; // offset of the first byte that matches none
        for (known, result) in KNOWN {
            let same = bytes.iter().zip(known).take_while(|(a, b)| a == b).count();
            if same == known.len() {
                return result.map(Some);
            }
            at = at.max(same);
        }
        match bytes.get(at) {
            None => Ok(None),
            Some(b' ') if at > 0 => Err(HandshakeError::MethodUnknown),
            Some(_) if find(&bytes[..at], b' ').is_some() => Err(HandshakeError::MethodUnknown),
            Some(&b) if is_token(&[b]) => Err(HandshakeError::MethodUnknown),
            Some(_) => Err(HandshakeError::StartLine),
        }
    }
}

/// A valid handshake request of a client. Inspect it, then [`Self::accept`] it or respond with a
/// [`Refusal`](super::Refusal).
///
/// ```
/// use tickwire::handshake::{Accept, HeadLimits, Request};
///
/// let received = b"GET /feed?depth=5 HTTP/1.1\r\nHost: example.com\r\n\
///     Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
///     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
///     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, ticks\r\n\r\n";
/// let (request, consumed) = Request::parse(received, &HeadLimits::default())?.expect("whole");
/// assert_eq!((request.path(), request.query()), ("/feed", Some("depth=5")));
/// assert_eq!(consumed, received.len());
///
/// let (response, agreed) = request.accept(&Accept::new().subprotocol("ticks"))?;
/// assert_eq!(agreed.subprotocol(), Some("ticks"));
/// assert!(response.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
/// # Ok::<(), tickwire::handshake::HandshakeError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    head: Head,
    /// Path and query.
    target: Span,
    /// The path: the target before `?`.
    path: Span,
    /// The query: the target after `?`.
    query: Option<Span>,
    host: Span,
    key: Span,
}

impl Request {
    /// The request and the size of its head in bytes. `None` while the head is incomplete.
    ///
    /// Inspects all bytes in every call. Use [`ServerHandshake`] for a growing buffer.
    ///
    /// # Errors
    /// The rule that the head breaks.
    pub fn parse(
        bytes: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<(Self, usize)>, HandshakeError> {
        ServerHandshake::new(*limits).parse(bytes)
    }

    fn of_head(bytes: &[u8], limits: &HeadLimits) -> Result<Self, HandshakeError> {
        let (line, headers_at) = first_line(bytes);
        let (raw_target, version) = request_line(line)?;
        match http_version(version) {
            Some((1, 1..)) => {}
            Some(_) => return Err(HandshakeError::HttpVersion),
            None => return Err(HandshakeError::StartLine),
        }
        let target = Target::parse(raw_target)?;
        let mut normalized = Vec::new();
        if target.resource.path.is_empty() {
            normalized.push(b'/');
            if let Some(query) = target.resource.query {
                normalized.push(b'?');
                normalized.extend_from_slice(query);
            }
        }
        let head = Head::parse(bytes, headers_at, &normalized, limits)?;

        let host = head
            .unique("Host")?
            .ok_or(HandshakeError::MissingHeader("Host"))?;
        let host = Authority::parse(host).map_err(|_| HandshakeError::Host)?;
        let key = check_headers(&head)?;

        let (path_at, path_len) = if normalized.is_empty() {
            let path = target.resource.path;
            (Span::of(path, bytes).start(), path.len())
        } else {
            (bytes.len(), 1)
        };
        let query_len = target.resource.query.map(<[u8]>::len);
        let target_len = path_len + query_len.map_or(0, |len| 1 + len);
        Ok(Self {
            target: Span::new(path_at, target_len),
            path: Span::new(path_at, path_len),
            query: query_len.map(|len| Span::new(path_at + path_len + 1, len)),
            // RFC 9112 section 3.2.2: an absolute target overrides Host.
            host: match target.authority {
                Some(authority) => Span::of(authority.text, bytes),
                None => head.span_of(host.text),
            },
            key: head.span_of(key),
            head,
        })
    }

    /// The head of the 101 response, ready to be sent, and the parameters that it agrees on, for
    /// the [`Session`](crate::sans_io::Session).
    ///
    /// # Errors
    /// [`HandshakeUsage::SubprotocolNotOffered`] if `accept` selects a sub-protocol that the client
    /// did not offer.
    pub fn accept(&self, accept: &Accept) -> Result<(Vec<u8>, Agreed), HandshakeError> {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
        let agreed = self.accept_into(accept, |name, value| {
            write_line(&mut out, name, value.as_bytes());
        })?;
        out.extend_from_slice(b"\r\n");
        Ok((out, agreed))
    }

    /// As [`Self::accept`], for an HTTP server that writes the 101 itself: `line` is called with
    /// the name and the value of every header line of the answer.
    ///
    /// # Errors
    /// As [`Self::accept`], before the first call of `line`.
    pub fn accept_into(
        &self,
        accept: &Accept,
        mut line: impl FnMut(&str, &str),
    ) -> Result<Agreed, HandshakeError> {
        let mut agreed = Agreed::new(Role::Server);
        if let Some(name) = &accept.subprotocol {
            if !self.subprotocols().any(|offered| offered == name) {
                return Err(HandshakeUsage::SubprotocolNotOffered(name.clone()).into());
            }
            agreed = agreed.with_subprotocol(name.as_str());
        }
        line("Upgrade", "websocket");
        line("Connection", "Upgrade");
        let proof = accept_key(self.head.bytes(self.key));
        line("Sec-WebSocket-Accept", &proof);
        if let Some(name) = agreed.subprotocol() {
            line("Sec-WebSocket-Protocol", name);
        }
        for (name, value) in accept.headers.iter() {
            line(name, value);
        }
        Ok(agreed)
    }

    /// The path, from its `/` up to the `?`, percent-encoded as received, in the grammar of
    /// [`Url`](super::Url). `.` and `..` are not resolved, and `%2F` is not a `/`. If the path
    /// names a file, the application must check it after decoding.
    #[must_use]
    pub fn path(&self) -> &str {
        self.head.text(self.path)
    }

    /// The query after the `?`, percent-encoded as received. Empty for a `?` without a query.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.query.map(|query| self.head.text(query))
    }

    /// Path and query, percent-encoded as received.
    #[must_use]
    pub fn target(&self) -> &str {
        self.head.text(self.target)
    }

    /// The host that the client addresses, with its port if the request has one. An empty port is
    /// omitted; an IPv6 address is in brackets. An absolute target overrides the `Host` field (RFC
    /// 9112 section 3.2.2). The case is as received: compare hosts case-insensitively.
    #[must_use]
    pub fn host(&self) -> &str {
        self.head.text(self.host)
    }

    /// The `Origin` field: the origin of the page whose script connects. Most clients other than
    /// browsers do not send it.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        let value = self.head.values("Origin").next()?;
        core::str::from_utf8(value).ok()
    }

    /// Whether the page whose script connects comes from this server: its origin has the host and
    /// the port that the client means (RFC 6454 section 5; the scheme is not compared, for TLS may
    /// end before this server). Also for a request without an origin, which no browser sends.
    ///
    /// A server that tells users apart by a cookie checks this, or lists the origins it trusts
    /// (RFC 6455 section 10.2): a browser sends the cookie with the request of any page. Behind a
    /// proxy that changes `Host`, list the origins.
    #[must_use]
    pub fn is_same_origin(&self) -> bool {
        let Some(origin) = self.head.values("Origin").next() else {
            return true;
        };
        let (rest, default) = match after_scheme(origin, b"http://") {
            Some(rest) => (rest, 80),
            None => match after_scheme(origin, b"https://") {
                Some(rest) => (rest, 443),
                None => return false,
            },
        };
        let host = Authority::parse(self.head.bytes(self.host));
        let (Ok(page), Ok(host)) = (Authority::parse(rest), host) else {
            return false;
        };
        page.host.eq_ignore_ascii_case(host.host)
            && page.port.unwrap_or(default) == host.port.unwrap_or(default)
    }

    /// The first of `ours` that the client offers. Where there is none, the connection can be
    /// accepted without a sub-protocol, or be refused.
    #[must_use]
    pub fn choose_subprotocol<N: AsRef<str>>(
        &self,
        ours: impl IntoIterator<Item = N>,
    ) -> Option<N> {
        let mut ours = ours.into_iter();
        ours.find(|name| self.subprotocols().any(|offered| offered == name.as_ref()))
    }

    /// As [`Self::choose_subprotocol`], for a server that does not serve a client without one of
    /// `ours`.
    ///
    /// # Errors
    /// [`HandshakeError::SubprotocolNeeded`], whose answer is 400 and lists `ours`.
    pub fn require_subprotocol<N: AsRef<str>>(
        &self,
        ours: impl IntoIterator<Item = N>,
    ) -> Result<N, HandshakeError> {
        let mut missing = Vec::new();
        for name in ours {
            if self.subprotocols().any(|offered| offered == name.as_ref()) {
                return Ok(name);
            }
            missing.push(name.as_ref().into());
        }
        Err(HandshakeError::SubprotocolNeeded(missing))
    }

    /// The offered sub-protocols in the order of preference of the client, across all
    /// `Sec-WebSocket-Protocol` fields.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.head
            .list("Sec-WebSocket-Protocol")
            .filter_map(|name| core::str::from_utf8(name).ok())
    }

    /// The offered extensions, each with its parameters as received (`permessage-deflate;
    /// client_max_window_bits`), across all `Sec-WebSocket-Extensions` fields.
    pub fn extensions(&self) -> impl Iterator<Item = &[u8]> {
        self.head.list("Sec-WebSocket-Extensions")
    }

    /// All header fields in order: names as received, values without surrounding white space.
    pub fn headers(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        self.head.headers()
    }

    /// The value of the first header field with this name, compared case-insensitively.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.head
            .headers()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// Prints neither the query nor header values, which can hold credentials.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("host", &self.host())
            .field("path", &self.path())
            .field("headers", &self.headers().len())
            .finish_non_exhaustive()
    }
}

/// Target and version of the request line `method target version`. The method is already checked.
fn request_line(line: &[u8]) -> Result<(&[u8], &[u8]), HandshakeError> {
    let (_, rest) = split_once(line, b' ');
    match split_once(rest.unwrap_or_default(), b' ') {
        (target, Some(version)) => Ok((target, version)),
        _ => Err(HandshakeError::StartLine),
    }
}

/// A request target in origin-form or absolute-form (RFC 9112 section 3.2). Authority-form and
/// asterisk-form are only for CONNECT and OPTIONS.
struct Target<'a> {
    /// Only of a target in absolute-form.
    authority: Option<Authority<'a>>,
    resource: Resource<'a>,
}

impl<'a> Target<'a> {
    fn parse(raw: &'a [u8]) -> Result<Self, HandshakeError> {
        if raw.first() == Some(&b'/') {
            let resource = Resource::parse_origin_form(raw);
            return Ok(Self {
                authority: None,
                resource: resource.map_err(|_| HandshakeError::Target)?,
            });
        }
        // RFC 6455 section 4.1: an absolute target has the scheme http or https.
        let rest = after_scheme(raw, b"http://")
            .or_else(|| after_scheme(raw, b"https://"))
            .ok_or(HandshakeError::Target)?;
        let (authority, resource) = parse_hierarchy(rest).map_err(|_| HandshakeError::Target)?;
        Ok(Self {
            authority: Some(authority),
            resource,
        })
    }
}

fn after_scheme<'a>(raw: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = raw.split_at_checked(scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// Checks the rules of RFC 6455 section 4.2.1 for header fields. Returns the key.
fn check_headers(head: &Head) -> Result<&[u8], HandshakeError> {
    let has_content = |value: &[u8]| value.is_empty() || value.iter().any(|&b| b != b'0');
    if head.values("Transfer-Encoding").next().is_some()
        || head.values("Content-Length").any(has_content)
    {
        return Err(HandshakeError::Body);
    }
    head.unique("Content-Length")?;
    if !head.lists("Upgrade", "websocket") {
        return Err(HandshakeError::Upgrade);
    }
    if !head.lists("Connection", "upgrade") {
        return Err(HandshakeError::Connection);
    }
    if head.unique("Sec-WebSocket-Version")? != Some(b"13") {
        return Err(HandshakeError::Version);
    }
    let key = head
        .unique("Sec-WebSocket-Key")?
        .ok_or(HandshakeError::MissingHeader("Sec-WebSocket-Key"))?;
    if !is_key(key) {
        return Err(HandshakeError::Key);
    }
    // An unreadable origin must not be treated as a missing one.
    if !head.unique("Origin")?.is_none_or(is_plain_value) {
        return Err(HandshakeError::Origin);
    }
    if !head.list("Sec-WebSocket-Protocol").all(is_token) {
        return Err(HandshakeError::Subprotocol);
    }
    Ok(key)
}
