//! The opening handshake on requests that hyper has read.

use std::io;
use std::string::ToString as _;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderName, HeaderValue, UPGRADE};
use http::{Extensions, HeaderMap, Method, StatusCode, Uri, Version};
use hyper::upgrade::OnUpgrade;

use super::super::super::error::Error;
use super::super::super::parts::Parts;
use super::super::channels::ChannelSocket;
use super::super::websocket::WebSocket;
use super::stream::UpgradedStream;
use crate::agreed::Agreed;
use crate::config::Config;
use crate::handshake::{Accept, HandshakeError, HandshakeUsage, Refusal, Request};
use crate::session::channels::ChannelConfig;

/// Runs a server's opening handshake on a request that hyper has read. Returns the response with
/// status 101, and the connection that opens once it is sent.
///
/// The request must follow the rules of [`ServerHandshake`](crate::handshake::ServerHandshake). The
/// server must serve HTTP/1.1 with upgrades (`with_upgrades`, or `serve_connection_with_upgrades`
/// of hyper-util).
///
/// ```no_run
/// use bytes::Bytes;
/// use tickwire::handshake::Accept;
/// use tickwire::{Config, hyper::refuse, hyper::upgrade};
///
/// async fn answer<B>(mut request: http::Request<B>) -> http::Response<Bytes> {
///     let (response, upgrading) = match upgrade(&mut request, &Accept::new()) {
///         Ok(upgraded) => upgraded,
///         Err(error) => return refuse(&error.refusal()),
///     };
///     tokio::spawn(async move {
///         let mut ws = upgrading.open(Config::default()).await?;
///         while let Some((messages, outbox)) = ws.recv_batch().await? {
///             for message in messages {
///                 if let tickwire::Message::Binary(payload) = message {
///                     outbox.send(payload)?;
///                 }
///             }
///         }
///         Ok::<(), tickwire::Error>(())
///     });
///     response // `.map(http_body_util::Full::new)` makes it a response for hyper
/// }
/// ```
///
/// To read what the client offers before accepting, use [`Request::try_from`]:
///
/// ```
/// use tickwire::handshake::{Accept, HandshakeError, Origins, Request};
///
/// fn accept<B>(request: &http::Request<B>) -> Result<Accept, HandshakeError> {
///     let request = Request::try_from(request)?;
///     Origins::new(["https://example.com"])?.check(&request)?;
///     let chosen = request.choose_subprotocol(["ticks.v2", "ticks.v1"]);
///     Ok(chosen.map_or(Accept::new(), |name| Accept::new().subprotocol(name)))
/// }
/// ```
///
/// # Errors
/// [`HandshakeError`] with the rule that the request breaks: answer with [`refuse`].
/// [`HandshakeUsage`] for a sub-protocol that the client did not offer, and for a request that
/// cannot be upgraded: the server does not support upgrades, or the request was upgraded before.
pub fn upgrade<B>(
    request: &mut http::Request<B>,
    accept: &Accept,
) -> Result<(http::Response<Bytes>, Upgrading), HandshakeError> {
    let checked = Request::try_from(&*request)?;
    let upgrade = take_upgrade(request.extensions_mut())?;
    accept_with(&checked, upgrade, accept)
}

/// The response of an HTTP server that refuses an upgrade. The server then closes the connection or
/// keeps it.
///
/// A refusal that lacks a header required by its status ([`Refusal::check`]) becomes a response
/// with status 500.
///
/// ```
/// use tickwire::handshake::HandshakeError;
///
/// let response = tickwire::hyper::refuse(&HandshakeError::Version.refusal());
/// assert_eq!(response.status(), 426);
/// assert_eq!(response.headers()["sec-websocket-version"], "13");
/// assert_eq!(response.body(), "Sec-WebSocket-Version must be 13\n");
/// ```
#[must_use]
pub fn refuse(refusal: &Refusal) -> http::Response<Bytes> {
    match refusal.check() {
        Ok(()) => response_of(refusal),
        Err(error) => response_of(&error.refusal()),
    }
}

fn response_of(refusal: &Refusal) -> http::Response<Bytes> {
    let mut response = http::Response::new(Bytes::copy_from_slice(refusal.content()));
    *response.status_mut() =
        StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in refusal.headers() {
        add(headers, name, value);
    }
    // RFC 9110 section 7.8: a sender of Upgrade also sends it as an option in Connection.
    if headers.contains_key(UPGRADE) {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    }
    response
}

/// Adds a header that `handshake` has checked: its name is a token, its value visible ASCII.
fn add(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (
        HeaderName::from_bytes(name.as_bytes()),
        HeaderValue::from_str(value),
    ) {
        headers.append(name, value);
    }
}

/// The upgrade that the server attaches to a request; it can be taken once.
pub(super) fn take_upgrade(extensions: &mut Extensions) -> Result<OnUpgrade, HandshakeError> {
    let upgrade = extensions.remove::<OnUpgrade>();
    upgrade.ok_or(HandshakeUsage::NotUpgradable.into())
}

pub(super) fn accept_with(
    request: &Request,
    upgrade: OnUpgrade,
    accept: &Accept,
) -> Result<(http::Response<Bytes>, Upgrading), HandshakeError> {
    let mut response = http::Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    let agreed = request.accept_into(accept, |name, value| add(headers, name, value))?;
    Ok((response, Upgrading { upgrade, agreed }))
}

/// A connection that opens when the server has sent the response with status 101.
#[derive(Debug)]
#[must_use = "the connection is closed when this is dropped"]
pub struct Upgrading {
    upgrade: OnUpgrade,
    agreed: Agreed,
}

impl Upgrading {
    /// What the 101 agrees on.
    #[must_use]
    pub fn agreed(&self) -> &Agreed {
        &self.agreed
    }

    /// Waits until the response is sent, and opens the connection. Await this in a task of its own:
    /// the server sends the response after the request's handler has returned it.
    ///
    /// Bytes that the client has sent after its request are parsed first. `TCP_NODELAY` is set.
    ///
    /// # Errors
    /// [`Error::Config`]; [`Error::Io`] if the connection ends before the response is sent, or the
    /// operating system provides no randomness.
    pub async fn open(
        self,
        config: impl Into<Arc<Config>>,
    ) -> Result<WebSocket<UpgradedStream>, Error> {
        let upgraded = self.upgrade.await.map_err(io::Error::other)?;
        let (stream, read_ahead) = UpgradedStream::of(upgraded);
        let parts = Parts::new(stream, self.agreed).with_unread(read_ahead.into());
        WebSocket::from_parts(parts, config)
    }

    /// As [`Self::open`], with channels. The response must have chosen
    /// [`SUBPROTOCOL`](crate::channels::SUBPROTOCOL): name it in [`Accept::subprotocol`] if the
    /// client offers it ([`Request::require_subprotocol`]).
    ///
    /// # Errors
    /// As [`Self::open`] and [`ChannelSocket::start`].
    pub async fn open_channels(
        self,
        config: impl Into<Arc<Config>>,
        channels: impl Into<Arc<ChannelConfig>>,
    ) -> Result<ChannelSocket, Error> {
        ChannelSocket::start(self.open(config).await?, channels)
    }
}

/// Converts a request that hyper has read, with [`Request::from_http`]. An HTTP/2 request is
/// refused with [`HandshakeError::Http2`]: extended CONNECT (RFC 8441) is not supported.
impl<B> TryFrom<&http::Request<B>> for Request {
    type Error = HandshakeError;

    fn try_from(request: &http::Request<B>) -> Result<Self, HandshakeError> {
        let (version, headers) = (request.version(), request.headers());
        read(request.method(), request.uri(), version, headers)
    }
}

/// Like the conversion of a whole request.
impl TryFrom<&http::request::Parts> for Request {
    type Error = HandshakeError;

    fn try_from(parts: &http::request::Parts) -> Result<Self, HandshakeError> {
        read(&parts.method, &parts.uri, parts.version, &parts.headers)
    }
}

fn read(
    method: &Method,
    uri: &Uri,
    version: Version,
    headers: &HeaderMap,
) -> Result<Request, HandshakeError> {
    let version = match version {
        Version::HTTP_09 => (0, 9),
        Version::HTTP_10 => (1, 0),
        Version::HTTP_11 => (1, 1),
        Version::HTTP_2 => return Err(HandshakeError::Http2),
        _ => return Err(HandshakeError::HttpVersion),
    };
    let headers = headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes()));
    Request::from_http(method.as_str(), &uri.to_string(), version, headers)
}
