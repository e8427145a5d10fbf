//! Why an opening handshake failed.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use super::refusal::Refusal;
use super::response::Response;

/// Why the opening handshake failed.
///
/// A server answers with [`Self::refusal`] and closes; a client just closes.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum HandshakeError {
    /// No empty line within `HeadLimits::head_bytes_max`.
    HeadTooLarge {
        /// Bytes allowed.
        max: usize,
    },
    /// A request line that does not end within `HeadLimits::head_bytes_max` (RFC 9112 section 3).
    TargetTooLong {
        /// Bytes allowed.
        max: usize,
    },
    /// More header lines than `HeadLimits::headers_max`.
    TooManyHeaders {
        /// Lines allowed.
        max: usize,
    },
    /// A line that ends in LF without CR (RFC 9112 section 2.2).
    BareLf,
    /// A header value of a request continued on the next line (RFC 9112 section 5.2), or white
    /// space before the first header line (RFC 9112 section 2.2).
    ObsoleteFolding,
    /// A header name that is not a token, or is followed by a space (RFC 9112 section 5.1).
    HeaderName,
    /// A control byte in a header value (RFC 9110 section 5.5).
    HeaderValue,
    /// A request line or status line that is not one of HTTP/1 (RFC 9112 sections 3 and 4).
    StartLine,
    /// A method of RFC 9110 or RFC 5789 other than GET and HEAD (RFC 6455 section 4.2.1).
    Method,
    /// A method that is none of those, in the case they are written in (RFC 9110 section 9.1).
    MethodUnknown,
    /// HEAD, which cannot upgrade: the error that the same request has with GET, `Upgrade` where
    /// it has none. The answer has no content (RFC 9110 section 9.3.2).
    HeadMethod(Box<Self>),
    /// The connection preface of HTTP/2 (RFC 9113 section 3.4). An upgrade needs HTTP/1.1.
    Http2,
    /// A version of HTTP other than 1.1 and its successors 1.2-1.9 (RFC 6455 section 4.2.1).
    HttpVersion,
    /// A request target that is neither a path nor an absolute `http` or `https` URI, or has a
    /// byte that must be percent-encoded (RFC 9112 section 3.2, RFC 3986 section 3.3).
    Target,
    /// A header that the handshake needs.
    MissingHeader(&'static str),
    /// A header that must stand once at most.
    DuplicateHeader(&'static str),
    /// A `Host` that is not `host` or `host:port` by RFC 3986 (RFC 9112 section 3.2).
    Host,
    /// A request with content, which an upgrade must not have: its bytes would be taken for
    /// frames by one side and for a body by another.
    Body,
    /// `Upgrade` does not list `websocket`, or in an answer more than that (RFC 6455 sections 4.1
    /// and 4.2.1). A server tells that it only upgrades (RFC 9110 section 15.5.22).
    Upgrade,
    /// `Connection` does not list `Upgrade` (RFC 6455 sections 4.1 and 4.2.1).
    Connection,
    /// `Sec-WebSocket-Version` is missing or not 13 (RFC 6455 section 4.4).
    Version,
    /// A `Sec-WebSocket-Key` that is not the base64 of 16 bytes (RFC 6455 section 4.2.1).
    Key,
    /// An `Origin` with bytes other than visible ASCII and space (RFC 6454 section 7).
    Origin,
    /// The page whose script connects comes from an origin that this server does not allow (RFC
    /// 6455 section 10.2).
    OriginNotAllowed,
    /// A `Sec-WebSocket-Protocol` that offers something other than tokens (RFC 6455 section 4.1).
    Subprotocol,
    /// The server answered something other than 101. [`Response::kind`] says what the answer asks
    /// for, and [`Response::content`] has its content. Of content that is text, the error shows the
    /// first 512 bytes on one line, with control characters escaped. Redirects and authentication are the caller's business: nothing is followed
    /// silently.
    Refused(Box<Response>),
    /// A `Sec-WebSocket-Accept` that does not belong to our key (RFC 6455 section 4.1).
    AcceptMismatch,
    /// The server chose a sub-protocol that was not offered (RFC 6455 section 4.1).
    SubprotocolNotRequested,
    /// The client does not offer the sub-protocol that is needed here.
    SubprotocolNeeded(&'static str),
    /// The WebSocket is open, without the sub-protocol that is needed here. It is closed with 1002.
    SubprotocolNotAgreed {
        /// The sub-protocol that is needed.
        needed: &'static str,
        /// The one that the server chose instead, if any.
        agreed: Option<String>,
    },
    /// The server chose an extension, and none was offered (RFC 6455 section 4.1).
    ExtensionNotRequested,
    /// A wrong call on our own side. Nothing went on the wire.
    Usage(HandshakeUsage),
}

/// A wrong call on our own side: what it was, and what to do instead.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum HandshakeUsage {
    /// `Accept` names a sub-protocol that the client did not offer.
    SubprotocolNotOffered(String),
    /// A sub-protocol that is not a token.
    SubprotocolToken(String),
    /// A sub-protocol offered twice.
    SubprotocolTwice(String),
    /// A header name that is not a token.
    HeaderName(String),
    /// The value of this header has bytes other than visible ASCII, space and tab.
    HeaderValue(String),
    /// A header that the handshake writes itself.
    ReservedHeader(String),
    /// An origin with bytes other than visible ASCII and space, or an empty one.
    Origin,
    /// A host that is not `host` or `host:port`.
    Host(String),
    /// A target that does not begin with `/`, has a byte that must be percent-encoded, a `%`
    /// without two hexadecimal digits, or a `#`.
    Target,
    /// A connection was to carry this sub-protocol, and what was agreed on with it does not name
    /// it.
    SubprotocolNotAgreed(&'static str),
    /// A request without the upgrade that an HTTP server gives with it.
    NotUpgradable,
    /// A status that cannot refuse a handshake.
    Status(u16),
    /// A refusal without a header that its status must have.
    HeaderNeeded {
        /// The status.
        status: u16,
        /// The header.
        name: &'static str,
    },
}

impl HandshakeError {
    /// The status with which a server answers.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::HeadMethod(error) => error.status(),
            Self::TargetTooLong { .. } => 414,
            Self::MethodUnknown => 501,
            Self::HeadTooLarge { .. } | Self::TooManyHeaders { .. } => 431,
            Self::OriginNotAllowed => 403,
            Self::Method => 405,
            Self::HttpVersion | Self::Http2 => 505,
            Self::Upgrade | Self::Version => 426,
            Self::Usage(_) => 500,
            _ => 400,
        }
    }

    /// The answer of a server: [`Self::status`], what that status must carry, and the rule as
    /// text. A usage error is ours, so its 500 tells the client nothing more. The answer to HEAD
    /// has the length of that text and not the text.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        Refusal::of_error(self)
    }

    /// The rule that was broken, without the particulars.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::HeadTooLarge { .. } => "the head is too large",
            Self::TooManyHeaders { .. } => "the head has too many header lines",
            Self::BareLf => "a line must end in CR LF",
            Self::ObsoleteFolding => "a header value must not continue on the next line",
            Self::HeaderName => "a header line must begin with a name and a colon",
            Self::HeaderValue => "a header value must not hold control bytes",
            Self::StartLine => "the first line must be one of HTTP/1",
            Self::TargetTooLong { .. } => "the request line is too long",
            Self::Method => "the method must be GET",
            Self::MethodUnknown => "the method is not known, and must be GET",
            Self::HeadMethod(_) => "the method is HEAD, which cannot upgrade",
            Self::Http2 => "the client speaks HTTP/2, and the version must be HTTP/1.1",
            Self::HttpVersion => "the version must be HTTP/1.1",
            Self::Target => "the request target must be a path, percent-encoded",
            Self::MissingHeader(_) => "a header is missing",
            Self::DuplicateHeader(_) => "a header stands more than once",
            Self::Host => "Host must be a host, or a host and a port",
            Self::Body => "an upgrade request must have no content",
            Self::Upgrade => "Upgrade must be websocket",
            Self::Connection => "Connection must list Upgrade",
            Self::Version => "Sec-WebSocket-Version must be 13",
            Self::Key => "Sec-WebSocket-Key must be the base64 of 16 bytes",
            Self::Origin => "Origin must be visible ASCII",
            Self::OriginNotAllowed => "pages of this origin may not connect here",
            Self::Subprotocol => "Sec-WebSocket-Protocol must list tokens",
            Self::Refused(_) => "the server refused",
            Self::AcceptMismatch => {
                "the server's Sec-WebSocket-Accept must belong to the key that was sent"
            }
            Self::SubprotocolNotRequested => "the server chose a sub-protocol that was not offered",
            Self::SubprotocolNeeded(_) => {
                "the client does not offer the sub-protocol that is needed here"
            }
            Self::SubprotocolNotAgreed { .. } => {
                "the WebSocket was opened without the sub-protocol that is needed here"
            }
            Self::ExtensionNotRequested => "the server chose an extension, and none was offered",
            Self::Usage(_) => "a wrong call of this end",
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Usage(usage) = self {
            return fmt::Display::fmt(usage, f);
        }
        f.write_str(self.rule())?;
        match self {
            Self::HeadTooLarge { max } | Self::TargetTooLong { max } => {
                write!(f, " (more than {max} bytes)")
            }
            Self::TooManyHeaders { max } => write!(f, " (more than {max})"),
            Self::MissingHeader(name)
            | Self::DuplicateHeader(name)
            | Self::SubprotocolNeeded(name) => write!(f, " ({name})"),
            Self::SubprotocolNotAgreed { needed, agreed } => {
                write!(f, ": the server answered 101 and chose ")?;
                match agreed {
                    Some(agreed) => write!(f, "{agreed:?}")?,
                    None => f.write_str("none")?,
                }
                write!(
                    f,
                    "; offer {needed} and connect to a server and path that speak it, or use the connection without channels"
                )
            }
            Self::HeadMethod(error) if **error != Self::Upgrade => write!(f, ": {error}"),
            Self::Refused(response) => {
                write!(f, ": {}", response.status())?;
                match response.shown_reason().as_str() {
                    "" => {}
                    reason => write!(f, " {reason}")?,
                }
                match response.shown_content() {
                    Some(content) => write!(f, ": {content}"),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for HandshakeUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SubprotocolNotOffered(name) => write!(
                f,
                "the client did not offer sub-protocol {name:?}: choose one of Request::subprotocols, or none"
            ),
            Self::SubprotocolToken(name) => write!(
                f,
                "sub-protocol {name:?} is not a token: use letters, digits and !#$%&'*+-.^_`|~"
            ),
            Self::SubprotocolTwice(name) => {
                write!(f, "sub-protocol {name:?} is offered twice: offer it once")
            }
            Self::HeaderName(name) => write!(
                f,
                "header name {name:?} is not a token: use letters, digits and !#$%&'*+-.^_`|~"
            ),
            Self::HeaderValue(name) => write!(
                f,
                "the value of header {name:?} may hold visible ASCII, spaces and tabs only"
            ),
            Self::ReservedHeader(name) => write!(
                f,
                "header {name:?} is written by the handshake itself: leave it out, or use the option made for it"
            ),
            Self::Origin => f.write_str("the origin must be visible ASCII: give one like https://example.com"),
            Self::Host(host) => write!(
                f,
                "{host:?} is not a host: give host or host:port, an IPv6 address in brackets"
            ),
            Self::Target => f.write_str(
                "the target must be a path, or a path and a query: begin with '/', percent-encode, leave out '#'",
            ),
            Self::SubprotocolNotAgreed(name) => write!(
                f,
                "this connection was opened without the sub-protocol {name}: a client offers it (ClientOptions::subprotocol), a server chooses it (Accept::subprotocol), and whoever adopts a connection says that it was agreed on (Agreed::with_subprotocol)"
            ),
            Self::NotUpgradable => f.write_str(
                "the HTTP server gave no upgrade with this request: serve HTTP/1.1 with upgrades (axum::serve, or hyper's with_upgrades), and upgrade a request once",
            ),
            Self::Status(status) => write!(
                f,
                "status {status} cannot refuse a handshake: use 300-303 or 305-599"
            ),
            Self::HeaderNeeded { status, name } => write!(
                f,
                "a refusal with status {status} must have the header {name}: add it with Refusal::header"
            ),
        }
    }
}

impl core::error::Error for HandshakeError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::HeadMethod(error) => Some(error),
            Self::Usage(usage) => Some(usage),
            _ => None,
        }
    }
}

impl core::error::Error for HandshakeUsage {}

impl From<HandshakeUsage> for HandshakeError {
    fn from(usage: HandshakeUsage) -> Self {
        Self::Usage(usage)
    }
}
