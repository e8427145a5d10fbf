//! The client side of the opening handshake: a request out, the response of the server in (RFC 6455
//! section 4.1).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::accept::{accept_key, check_subprotocol, encode_key};
use super::content::Content;
use super::error::{HandshakeError, HandshakeUsage};
use super::fields::{Fields, HeadOf, write_line};
use super::head::{HeadLimits, HeadScan};
use super::response::Response;
use super::syntax::is_plain_value;
use super::uri::{Authority, Resource};

/// Options of a client for its handshake request.
///
/// ```
/// use tickwire::handshake::ClientOptions;
///
/// let options = ClientOptions::new()
///     .subprotocol("ticks.v1")?
///     .header("Authorization", "Bearer 17")?;
/// # Ok::<(), tickwire::handshake::HandshakeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ClientOptions {
    subprotocols: Vec<String>,
    headers: Fields,
    origin: Option<String>,
}

impl ClientOptions {
    /// No sub-protocol, no origin and no additional header fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Offers a sub-protocol. Offer them in order of preference (RFC 6455 section 4.1).
    ///
    /// # Errors
    /// [`HandshakeUsage`] for a name that is not a token or is already offered.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Result<Self, HandshakeError> {
        let name = name.into();
        check_subprotocol(&name)?;
        if self.subprotocols.contains(&name) {
            return Err(HandshakeUsage::SubprotocolTwice(name).into());
        }
        self.subprotocols.push(name);
        Ok(self)
    }

    /// Whether the sub-protocol is offered.
    #[must_use]
    pub fn offers(&self, subprotocol: &str) -> bool {
        self.subprotocols.iter().any(|name| name == subprotocol)
    }

    /// Adds a header field.
    ///
    /// # Errors
    /// [`HandshakeUsage`] for a name that is not a token, for a value with bytes other than visible
    /// ASCII, space and tab, and for the fields that the request writes itself: `Host`, `Upgrade`,
    /// `Connection`, `Origin`, `Content-Length`, `Transfer-Encoding`, `Expect`, `Sec-WebSocket-*`
    /// and the other connection-specific fields (RFC 9110 section 7.6.1).
    pub fn header(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, HandshakeError> {
        self.headers
            .add(HeadOf::Request, name.into(), value.into())?;
        Ok(self)
    }

    /// Sets the `Origin` field (RFC 6454), which servers for browsers may require.
    ///
    /// # Errors
    /// [`HandshakeUsage::Origin`] for an empty origin and for bytes other than visible ASCII and
    /// space.
    pub fn origin(mut self, origin: impl Into<String>) -> Result<Self, HandshakeError> {
        let origin = origin.into();
        if origin.trim_ascii().is_empty() || !is_plain_value(origin.as_bytes()) {
            return Err(HandshakeUsage::Origin.into());
        }
        self.origin = Some(origin);
        Ok(self)
    }
}

/// The opening handshake of a client for one connection.
///
/// Send [`Self::request`]. After each read, call [`Self::parse`] until it returns a response or an
/// error.
///
/// ```
/// use tickwire::handshake::{ClientHandshake, ClientOptions, HeadLimits};
///
/// let nonce = *b"the sample nonce"; // from a CSPRNG, a fresh one for every connection
/// let mut handshake = ClientHandshake::new("example.com", "/", &ClientOptions::new(), nonce)?;
/// assert!(handshake.request().starts_with(b"GET / HTTP/1.1\r\nHost: example.com\r\n"));
///
/// let received = b"HTTP/1.1 101 Switching Protocols\r\n\
///     Upgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x02hi";
/// let (_, consumed) = handshake.parse(received, &HeadLimits::default())?.expect("whole");
/// assert_eq!(received[consumed..], *b"\x81\x02hi");
/// # Ok::<(), tickwire::handshake::HandshakeError>(())
/// ```
#[derive(Clone)]
pub struct ClientHandshake {
    request: Box<[u8]>,
    /// The expected value of `Sec-WebSocket-Accept`.
    accept: String,
    subprotocols: Vec<String>,
    scan: HeadScan,
    /// Size of the interim responses before the head that `scan` is in.
    interim: usize,
    /// Number of bytes in the last call.
    received: usize,
    /// The final response if it is not a 101, while its content is read.
    refused: Option<RefusedResponse>,
}

/// A final response other than 101, and its content so far.
#[derive(Clone)]
struct RefusedResponse {
    response: Response,
    /// Offset of the content in the received bytes.
    at: usize,
    content: Content,
}

impl ClientHandshake {
    /// A handshake with the server `host` for the request target `target`. `host` is `host` or
    /// `host:port`, with an IPv6 address in brackets; `target` is path and query.
    /// [`Url::authority`](super::Url::authority) and [`Url::target`](super::Url::target) return
    /// them for a URL. An empty port is omitted from the request. The `nonce` must be unpredictable
    /// and new for every connection (RFC 6455 section 4.1).
    ///
    /// # Errors
    /// [`HandshakeUsage`] for a host or target that makes the request invalid.
    pub fn new(
        host: &str,
        target: &str,
        options: &ClientOptions,
        nonce: [u8; 16],
    ) -> Result<Self, HandshakeError> {
        let Ok(authority) = Authority::parse(host.as_bytes()) else {
            return Err(HandshakeUsage::Host(host.into()).into());
        };
        if Resource::parse_origin_form(target.as_bytes()).is_err() {
            return Err(HandshakeUsage::Target.into());
        }
        let key = encode_key(nonce);
        let mut head = Vec::with_capacity(256);
        head.extend_from_slice(b"GET ");
        head.extend_from_slice(target.as_bytes());
        head.extend_from_slice(b" HTTP/1.1\r\n");
        write_line(&mut head, "Host", authority.text);
        write_line(&mut head, "Upgrade", b"websocket");
        write_line(&mut head, "Connection", b"Upgrade");
        write_line(&mut head, "Sec-WebSocket-Key", key.as_bytes());
        write_line(&mut head, "Sec-WebSocket-Version", b"13");
        if let Some(origin) = &options.origin {
            write_line(&mut head, "Origin", origin.as_bytes());
        }
        if !options.subprotocols.is_empty() {
            let offers = options.subprotocols.join(", ");
            write_line(&mut head, "Sec-WebSocket-Protocol", offers.as_bytes());
        }
        options.headers.write(&mut head);
        head.extend_from_slice(b"\r\n");
        Ok(Self {
            request: head.into_boxed_slice(),
            accept: accept_key(key.as_bytes()),
            subprotocols: options.subprotocols.clone(),
            scan: HeadScan::for_response(),
            interim: 0,
            received: 0,
            refused: None,
        })
    }

    /// The request head, to be sent once and unchanged.
    #[must_use]
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// The 101 response and the size of its head in bytes. `None` while it is incomplete.
    ///
    /// `bytes` are all bytes received so far: the same buffer in every call, with new bytes
    /// appended. The bytes after the head are the first frames. Interim responses (100, 103) are
    /// skipped and count towards the limit.
    ///
    /// # Errors
    /// [`HandshakeError::Refused`] for a final response other than 101, when its content is
    /// complete (see [`Response::content`]; content that the end of the connection delimits is
    /// complete in [`Self::partial_refusal`]); otherwise the rule that the head breaks.
    pub fn parse(
        &mut self,
        bytes: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<(Response, usize)>, HandshakeError> {
        if bytes.len() < self.received {
            self.interim = 0;
            self.scan = HeadScan::for_response();
            self.refused = None;
        }
        self.received = bytes.len();
        if self.refused.is_none() {
            let Some((response, end)) = self.final_response(bytes, limits)? else {
                return Ok(None);
            };
            if response.status() == 101 {
                self.check(&response)?;
                return Ok(Some((response, end)));
            }
            self.refused = Some(RefusedResponse {
                content: response.content_reader(),
                response,
                at: end,
            });
        }
        if let Some(refused) = &mut self.refused {
            let content = bytes.get(refused.at..).unwrap_or_default();
            if refused.content.read(content) {
                return Err(refused.error());
            }
        }
        Ok(None)
    }

    /// The refusal as far as it was received, when no more bytes follow because the stream has
    /// ended, a read has failed or the time is over. [`HandshakeError::Refused`] if [`Self::parse`]
    /// has found a final response other than 101 and waits for its content; otherwise `None`.
    #[must_use]
    pub fn partial_refusal(&self) -> Option<HandshakeError> {
        self.refused.as_ref().map(RefusedResponse::error)
    }

    /// The final response, and the offset of the end of its head.
    fn final_response(
        &mut self,
        bytes: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<(Response, usize)>, HandshakeError> {
        // Each iteration except the last skips an interim response of at least 17 bytes.
        loop {
            let rest = &bytes[self.interim..];
            let max = limits.head_bytes().saturating_sub(self.interim);
            check_protocol(&rest[..rest.len().min(max)])?;
            let end = match self.scan.end(rest, max) {
                Ok(Some(end)) => end,
                Ok(None) => return Ok(None),
                Err(HandshakeError::HeadTooLarge { .. }) => {
                    let max = limits.head_bytes();
                    return Err(HandshakeError::HeadTooLarge { max });
                }
                Err(error) => return Err(error),
            };
            let response = Response::of_head(&rest[..end], limits)?;
            match response.status() {
                100 | 102..=199 => {
                    self.interim += end;
                    self.scan = HeadScan::for_response();
                }
                _ => return Ok(Some((response, self.interim + end))),
            }
        }
    }

    /// Checks the rules of RFC 6455 section 4.1 for the response.
    fn check(&self, response: &Response) -> Result<(), HandshakeError> {
        let head = response.head();
        // The request offers one protocol. A list would mean that the server layers another
        // protocol below.
        let mut upgrades = head.list("Upgrade");
        let chosen = upgrades.next().unwrap_or_default();
        if !chosen.eq_ignore_ascii_case(b"websocket") || upgrades.next().is_some() {
            return Err(HandshakeError::Upgrade);
        }
        if !head.lists("Connection", "upgrade") {
            return Err(HandshakeError::Connection);
        }
        let accept = head
            .unique("Sec-WebSocket-Accept")?
            .ok_or(HandshakeError::MissingHeader("Sec-WebSocket-Accept"))?;
        if accept != self.accept.as_bytes() {
            return Err(HandshakeError::AcceptMismatch);
        }
        if head.values("Sec-WebSocket-Extensions").next().is_some() {
            return Err(HandshakeError::ExtensionNotRequested);
        }
        match head.unique("Sec-WebSocket-Protocol")? {
            Some(chosen) if !self.subprotocols.iter().any(|s| s.as_bytes() == chosen) => {
                Err(HandshakeError::SubprotocolNotRequested)
            }
            _ => Ok(()),
        }
    }
}

impl RefusedResponse {
    fn error(&self) -> HandshakeError {
        let response = self.response.clone();
        HandshakeError::Refused(Box::new(response.with_content(self.content.kept())))
    }
}

/// Prints neither the key nor header values, which can hold credentials.
impl fmt::Debug for ClientHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandshake")
            .field("request_bytes", &self.request.len())
            .field("subprotocols", &self.subprotocols)
            .finish_non_exhaustive()
    }
}

/// Fails at the first byte that differs from `HTTP/`, so that another protocol on this port is
/// detected at once and not at a deadline.
fn check_protocol(bytes: &[u8]) -> Result<(), HandshakeError> {
    if bytes.iter().zip(b"HTTP/").all(|(a, b)| a == b) {
        Ok(())
    } else {
        Err(HandshakeError::StartLine)
    }
}
