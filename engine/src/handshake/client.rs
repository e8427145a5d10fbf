//! The client's side: a request head out, the server's answer in (RFC 6455 section 4.1).

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

/// What a client adds to its request.
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
    /// No sub-protocol, no origin, no further headers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Offers a sub-protocol; the one offered first is the favourite.
    ///
    /// # Errors
    /// [`HandshakeUsage`] for a name that is not a token or was offered already.
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

    /// Adds a header line.
    ///
    /// # Errors
    /// [`HandshakeUsage`] for a name that is not a token, a value with bytes other than visible
    /// ASCII, space and tab, and for the names that the request writes itself: `Host`, `Upgrade`,
    /// `Connection`, `Origin`, `Content-Length`, `Transfer-Encoding`, `Expect`, `Sec-WebSocket-*`
    /// and the other headers of one connection (RFC 9110 section 7.6.1).
    pub fn header(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, HandshakeError> {
        self.headers
            .add(HeadOf::Request, name.into(), value.into())?;
        Ok(self)
    }

    /// The `Origin` header, which servers that serve browsers may ask for.
    ///
    /// # Errors
    /// [`HandshakeUsage::Origin`] for an empty one and for bytes other than visible ASCII and
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

/// One opening handshake of a client.
///
/// Send [`Self::request`]; call [`Self::parse`] whenever bytes were received, until it gives a
/// response or an error.
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
    /// The only `Sec-WebSocket-Accept` that proves our key.
    accept: String,
    subprotocols: Vec<String>,
    scan: HeadScan,
    /// Bytes of the interim answers before the head that `scan` is at.
    interim: usize,
    /// Bytes received as of the last call.
    received: usize,
    /// The answer that refuses, while its content is read.
    refused: Option<RefusedResponse>,
}

#[derive(Clone)]
struct RefusedResponse {
    response: Response,
    /// Where the content begins.
    at: usize,
    content: Content,
}

impl ClientHandshake {
    /// A handshake with the server `host` (`host` or `host:port`, an IPv6 address in brackets) for
    /// `target` (path and query): [`Url::authority`](super::Url::authority) and
    /// [`Url::target`](super::Url::target) of a URL. An empty port is left out of the request. The
    /// nonce must be unpredictable and fresh for every connection.
    ///
    /// # Errors
    /// [`HandshakeUsage`] for a host or target that would not make a valid request.
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

    /// The request head, to be sent once and as it is.
    #[must_use]
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// The response and the bytes that its head takes, `None` while the head is not complete.
    ///
    /// `bytes` is all that was received so far: the same buffer in every call, only longer. What
    /// follows the head is the first frames, and stays the caller's. Interim answers (100, 103)
    /// are skipped and count towards the limit.
    ///
    /// # Errors
    /// [`HandshakeError::Refused`] for any answer other than 101, once its content is complete as
    /// well (see [`Response::content`]); else the rule that the head breaks.
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
                content: response.delimited(),
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

    /// What is known when no more is to come, because the stream ended or failed or its time is
    /// over: [`HandshakeError::Refused`] where [`Self::parse`] has found an answer that refuses
    /// and waits for its content, which is handed out as far as it came.
    #[must_use]
    pub fn partial_refusal(&self) -> Option<HandshakeError> {
        self.refused.as_ref().map(RefusedResponse::error)
    }

    /// The first answer that is not interim, and where its head ends.
    fn final_response(
        &mut self,
        bytes: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<(Response, usize)>, HandshakeError> {
        // Every turn but the last skips an interim answer of at least 17 bytes.
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

    /// The rules of RFC 6455 section 4.1 on the answer.
    fn check(&self, response: &Response) -> Result<(), HandshakeError> {
        let head = response.head();
        // Of an offer one is chosen, so that a list here means another protocol below.
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

/// Without the request, which holds the key and perhaps a token.
impl fmt::Debug for ClientHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandshake")
            .field("request_bytes", &self.request.len())
            .field("subprotocols", &self.subprotocols)
            .finish_non_exhaustive()
    }
}

/// Says no at the first byte that is not of `HTTP/`, so that another protocol on that port is
/// noticed at once and not at a deadline.
fn check_protocol(bytes: &[u8]) -> Result<(), HandshakeError> {
    if bytes.iter().zip(b"HTTP/").all(|(a, b)| a == b) {
        Ok(())
    } else {
        Err(HandshakeError::StartLine)
    }
}
