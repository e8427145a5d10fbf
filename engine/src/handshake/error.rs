//! The errors of an opening handshake.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::refusal::Refusal;
use super::response::{Response, ResponseKind};
use crate::shown::shown;

/// Why an opening handshake failed.
///
/// A server sends [`Self::refusal`] and closes the connection. A client closes the connection
/// without an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The head does not end within `HeadLimits::head_bytes_max`.
    HeadTooLarge {
        /// Bytes allowed.
        max: usize,
    },
    /// The request line does not end within `HeadLimits::head_bytes_max` (RFC 9112 section 3).
    TargetTooLong {
        /// Bytes allowed.
        max: usize,
    },
    /// The head has more header lines than `HeadLimits::headers_max`.
    TooManyHeaders {
        /// Lines allowed.
        max: usize,
    },
    /// A line ends in LF without CR (RFC 9112 section 2.2).
    BareLf,
    /// A header value of a request continues on the next line (RFC 9112 section 5.2), or there is
    /// white space before the first header line (RFC 9112 section 2.2).
    ObsoleteFolding,
    /// A header name is not a token, or is followed by a space (RFC 9112 section 5.1).
    HeaderName,
    /// A header value contains a control byte (RFC 9110 section 5.5).
    HeaderValue,
    /// The request line or status line is not one of HTTP/1 (RFC 9112 sections 3 and 4).
    StartLine,
    /// The method is one of RFC 9110 or RFC 5789 other than GET and HEAD (RFC 6455 section 4.2.1).
    Method,
    /// The method is not one of RFC 9110 or RFC 5789; methods are case-sensitive (RFC 9110 section
    /// 9.1).
    MethodUnknown,
    /// The method is HEAD, which cannot upgrade. Contains the error of the same request with GET,
    /// or `Upgrade` if that request would be valid. The answer has no content (RFC 9110 section
    /// 9.3.2).
    HeadMethod(Box<Self>),
    /// The client sent the connection preface of HTTP/2 (RFC 9113 section 3.4). An upgrade needs
    /// HTTP/1.1.
    Http2,
    /// The version of HTTP is not 1.1 to 1.9 (RFC 6455 section 4.2.1).
    HttpVersion,
    /// The request target is neither a path nor an absolute `http` or `https` URI, or has a byte
    /// that must be percent-encoded (RFC 9112 section 3.2, RFC 3986 section 3.3).
    Target,
    /// A required header is missing.
    MissingHeader(&'static str),
    /// A header that is allowed once occurs more than once.
    DuplicateHeader(&'static str),
    /// `Host` is not `host` or `host:port` according to RFC 3986 (RFC 9112 section 3.2).
    Host,
    /// The request has content. An upgrade request must have none, because a proxy and the server
    /// could disagree about where the frames begin.
    Body,
    /// `Upgrade` does not list `websocket`; or, in an answer, it lists more than that (RFC 6455
    /// sections 4.1 and 4.2.1). A server answers 426 (RFC 9110 section 15.5.22).
    Upgrade,
    /// `Connection` does not list `Upgrade` (RFC 6455 sections 4.1 and 4.2.1).
    Connection,
    /// `Sec-WebSocket-Version` is missing or not 13 (RFC 6455 section 4.4).
    Version,
    /// `Sec-WebSocket-Key` is not the base64 of 16 bytes (RFC 6455 section 4.2.1).
    Key,
    /// `Origin` has bytes other than visible ASCII and space (RFC 6454 section 7).
    Origin,
    /// The server does not allow pages of this origin (RFC 6455 section 10.2). The origin is as
    /// received, at most its first [`Origins::SHOWN_BYTES_MAX`](super::Origins::SHOWN_BYTES_MAX)
    /// bytes.
    OriginNotAllowed(String),
    /// `Sec-WebSocket-Protocol` lists a name that is not a token (RFC 6455 section 4.1).
    Subprotocol,
    /// The server did not answer 101. [`Response::kind`] classifies the answer, and
    /// [`Response::content`] has its content. If the content is text and the status is not 2xx, the
    /// error text includes its first 512 bytes on one line, with control characters escaped. A 2xx
    /// is the page of another path, so its content is left out. Redirects are not followed and
    /// credentials not sent automatically: both are up to the application.
    Refused(Box<Response>),
    /// `Sec-WebSocket-Accept` does not match the key of the request (RFC 6455 section 4.1).
    AcceptMismatch,
    /// The server chose a sub-protocol that was not offered (RFC 6455 section 4.1).
    SubprotocolNotRequested,
    /// The client offers none of the sub-protocols that the server requires. Contains those of the
    /// server, in order of preference.
    SubprotocolNeeded(Vec<String>),
    /// The server accepted the WebSocket without the sub-protocol that the client requires. The
    /// connection is closed with 1002.
    SubprotocolNotAgreed {
        /// The required sub-protocol.
        needed: &'static str,
        /// The sub-protocol that the server chose instead, if any.
        agreed: Option<String>,
    },
    /// The server chose an extension, and none was offered (RFC 6455 section 4.1).
    ExtensionNotRequested,
    /// A wrong call of the application at this end. No byte was sent.
    Usage(HandshakeUsage),
}

/// A wrong call of the application. The text says what to do instead.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum HandshakeUsage {
    /// The [`Accept`](super::Accept) names a sub-protocol that the client did not offer.
    SubprotocolNotOffered(String),
    /// The name of a sub-protocol is not a token.
    SubprotocolToken(String),
    /// A sub-protocol is offered twice.
    SubprotocolTwice(String),
    /// A header name is not a token.
    HeaderName(String),
    /// The value of this header has bytes other than visible ASCII, space and tab.
    HeaderValue(String),
    /// The handshake itself writes this header.
    ReservedHeader(String),
    /// The origin is empty, or has bytes other than visible ASCII and space.
    Origin,
    /// An entry of [`Origins`](super::Origins) is not an origin as a browser sends it, so that it
    /// would match no request.
    ListedOrigin(String),
    /// The host is not `host` or `host:port`.
    Host(String),
    /// The target does not begin with `/`, has a byte that must be percent-encoded, has a `%`
    /// without two hexadecimal digits, or has a `#`.
    Target,
    /// The connection needs this sub-protocol, but the result of its handshake does not name it.
    SubprotocolNotAgreed(&'static str),
    /// The request of an HTTP server has no upgrade.
    NotUpgradable,
    /// The status cannot refuse a handshake.
    Status(u16),
    /// The refusal lacks a header that its status requires.
    HeaderNeeded {
        /// The status.
        status: u16,
        /// The header.
        name: &'static str,
    },
}

impl HandshakeError {
    /// The status of the server's answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::HeadMethod(error) => error.status(),
            Self::TargetTooLong { .. } => 414,
            Self::MethodUnknown => 501,
            Self::HeadTooLarge { .. } | Self::TooManyHeaders { .. } => 431,
            Self::OriginNotAllowed(_) => 403,
            Self::Method => 405,
            Self::HttpVersion | Self::Http2 => 505,
            Self::Upgrade | Self::Version => 426,
            Self::Usage(_) => 500,
            _ => 400,
        }
    }

    /// The answer of a server: [`Self::status`], the headers that the status requires, and the error
    /// as text. The text of a 500 for a usage error is only the reason phrase, because the client is
    /// not at fault. The answer to HEAD has the length of the text, but not the text.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        Refusal::of_error(self)
    }

    /// The rule that was broken, as a constant text without values.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::HeadTooLarge { .. } => "the head is too large",
            Self::TooManyHeaders { .. } => "the head has too many header lines",
            Self::BareLf => "a line must end in CR LF",
            Self::ObsoleteFolding => "a header value must not continue on the next line",
            Self::HeaderName => "a header line must begin with a name and a colon",
            Self::HeaderValue => "a header value must not contain control bytes",
            Self::StartLine => "the first line must be a start line of HTTP/1",
            Self::TargetTooLong { .. } => "the request line is too long",
            Self::Method => "the method must be GET",
            Self::MethodUnknown => "the method is not known, and must be GET",
            Self::HeadMethod(_) => "the method is HEAD, which cannot upgrade",
            Self::Http2 => "the client speaks HTTP/2, and the version must be HTTP/1.1",
            Self::HttpVersion => "the version must be HTTP/1.1",
            Self::Target => "the request target must be a path, percent-encoded",
            Self::MissingHeader(_) => "a header is missing",
            Self::DuplicateHeader(_) => "a header occurs more than once",
            Self::Host => "Host must be a host, or a host and a port",
            Self::Body => "an upgrade request must have no content",
            Self::Upgrade => "Upgrade must be websocket",
            Self::Connection => "Connection must list Upgrade",
            Self::Version => "Sec-WebSocket-Version must be 13",
            Self::Key => "Sec-WebSocket-Key must be the base64 of 16 bytes",
            Self::Origin => "Origin must be visible ASCII",
            Self::OriginNotAllowed(_) => "the server does not allow pages of this origin",
            Self::Subprotocol => "Sec-WebSocket-Protocol must list tokens",
            Self::Refused(response) if is_success(response.status()) => {
                "the server did not upgrade: it has a page at this path"
            }
            Self::Refused(_) => "the server refused",
            Self::AcceptMismatch => {
                "the server's Sec-WebSocket-Accept must match the key of the request"
            }
            Self::SubprotocolNotRequested => "the server chose a sub-protocol that was not offered",
            Self::SubprotocolNeeded(_) => {
                "the client does not offer a sub-protocol that the server requires"
            }
            Self::SubprotocolNotAgreed { .. } => {
                "the WebSocket was opened without the sub-protocol that the client requires"
            }
            Self::ExtensionNotRequested => "the server chose an extension, and none was offered",
            Self::Usage(_) => "the application at this end made a wrong call",
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
            Self::MissingHeader(name) | Self::DuplicateHeader(name) => write!(f, " ({name})"),
            Self::OriginNotAllowed(origin) => write!(f, " ({origin:?})"),
            Self::SubprotocolNeeded(names) => write!(f, " ({})", names.join(", ")),
            Self::SubprotocolNotAgreed { needed, agreed } => {
                write!(f, ": the server chose ")?;
                match agreed {
                    Some(agreed) => write!(f, "{agreed:?}")?,
                    None => f.write_str("none")?,
                }
                write!(
                    f,
                    " instead of {needed}; connect to a server and path that support {needed} (a reactor offers it with Outgoing::channels), or use a connection without channels"
                )
            }
            Self::HeadMethod(error) if **error != Self::Upgrade => write!(f, ": {error}"),
            Self::Refused(response) => {
                let success = is_success(response.status());
                f.write_str(if success { " (" } else { ": " })?;
                write!(f, "{}", response.status())?;
                match response.shown_reason().as_str() {
                    "" => {}
                    reason => write!(f, " {reason}")?,
                }
                if success {
                    return f.write_str("): check the path of the URL");
                }
                if let ResponseKind::Redirect { location, .. } = response.kind() {
                    write!(f, ", with Location {}", shown(location.as_bytes()))?;
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

/// Whether the status says that the request was served (RFC 9110 section 15.3).
const fn is_success(status: u16) -> bool {
    matches!(status, 200..=299)
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
                "the value of header {name:?} is not valid: use only visible ASCII, spaces and tabs"
            ),
            Self::ReservedHeader(name) => write!(
                f,
                "header {name:?} is written by the handshake: leave it out, or use the option for it"
            ),
            Self::Origin => f.write_str("the origin must be visible ASCII, for example https://example.com"),
            Self::ListedOrigin(listed) => write!(
                f,
                "{listed:?} is not an origin: list scheme://host or scheme://host:port of the page, for example https://app.example.com, without a path, a wildcard or a user; the scheme is http or https, not ws or wss; to allow every origin, do not check origins"
            ),
            Self::Host(host) => write!(
                f,
                "{host:?} is not a host: use host or host:port, with an IPv6 address in brackets"
            ),
            Self::Target => f.write_str(
                "the target must be a path, or a path and a query: begin with '/', percent-encode special bytes, leave out '#'",
            ),
            Self::SubprotocolNotAgreed(name) => write!(
                f,
                "this connection was opened without the sub-protocol {name}: offer it as a client (ClientOptions::subprotocol), choose it as a server (Accept::subprotocol), or name it for an adopted connection (Agreed::with_subprotocol)"
            ),
            Self::NotUpgradable => f.write_str(
                "this request of the HTTP server has no upgrade: serve HTTP/1.1 with upgrades (axum::serve, or hyper's with_upgrades), and upgrade a request only once",
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

/// Without a source: the text contains the cause.
impl core::error::Error for HandshakeError {}

impl core::error::Error for HandshakeUsage {}

impl From<HandshakeUsage> for HandshakeError {
    fn from(usage: HandshakeUsage) -> Self {
        Self::Usage(usage)
    }
}
