//! The opening handshake as an extractor of axum.

use std::boxed::Box;
use std::fmt;
use std::future::Future;
use std::string::String;
use std::sync::Arc;

use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use hyper::upgrade::OnUpgrade;

use super::super::super::error::Error;
use super::super::channels::ChannelSocket;
use super::super::websocket::WebSocket;
use super::stream::UpgradedStream;
use super::upgrade::{Upgrading, accept_with, refuse, take_upgrade};
use crate::config::{Config, ConfigError};
use crate::handshake::{Accept, HandshakeError, Origins, Refusal, Request};
use crate::session::channels::{ChannelConfig, ChannelSession, SUBPROTOCOL};

/// An extractor of axum: a valid opening handshake, to answer with a WebSocket connection.
///
/// ```
/// use axum::{Router, response::Response, routing::any};
/// use tickwire::Message;
/// use tickwire::axum::WebSocketUpgrade;
///
/// async fn echo(upgrade: WebSocketUpgrade) -> Response {
///     upgrade.on_upgrade(|mut ws| async move {
///         while let Ok(Some((messages, outbox))) = ws.recv_batch().await {
///             for message in messages {
///                 if let Message::Binary(payload) = message {
///                     let _ = outbox.send(payload);
///                 }
///             }
///         }
///     })
/// }
/// # let _: Router =
/// Router::new().route("/echo", any(echo))
/// # ;
/// ```
///
/// The request must follow the rules of [`ServerHandshake`](crate::handshake::ServerHandshake),
/// whose documentation lists the responses. A request that breaks a rule is refused as by every
/// server of this crate, with [`HandshakeError`] as the rejection. Route with `any`, so that this
/// extractor also answers other methods than GET.
///
/// HTTP/1.1 only. An HTTP/2 request gets status 505 ([`HandshakeError::Http2`]). Browsers use
/// HTTP/1.1 for WebSockets if the server's TLS offers it, with ALPN `http/1.1`.
///
/// A task of its own serves the connection. The graceful shutdown of axum does not wait for that
/// task.
#[must_use = "the connection opens when the response of on_upgrade is returned"]
pub struct WebSocketUpgrade {
    request: Request,
    upgrade: OnUpgrade,
    config: Arc<Config>,
    origins: Option<Arc<Origins>>,
    subprotocol: Result<Option<String>, HandshakeError>,
    on_failed_upgrade: Option<Box<dyn FnOnce(Error) + Send>>,
}

impl WebSocketUpgrade {
    /// The request of the client: path, query, headers, sub-protocols, origin. In a nested router
    /// the path lacks the prefix of the outer router.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Limits and timeouts of the connection. Share one `Arc` between all connections.
    ///
    /// [`Config::handshake_timeout`](Config) is not used: the HTTP server reads the request.
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }

    /// Accepts only pages of these origins, and clients that are not browsers. Without this call
    /// pages of every origin are accepted.
    ///
    /// [`Self::on_upgrade`] refuses other origins with status 403, and reports the origin to
    /// [`Self::on_failed_upgrade`]. Make the list once, at the start of the server, and share it
    /// between all requests.
    pub fn origins(mut self, origins: impl Into<Arc<Origins>>) -> Self {
        self.origins = Some(origins.into());
        self
    }

    /// The sub-protocols that this server supports, in order of preference: the first one that the
    /// client offers is chosen. If the client offers none of them, the connection opens without a
    /// sub-protocol.
    pub fn subprotocols<N: Into<String>>(mut self, supported: impl IntoIterator<Item = N>) -> Self {
        let supported = supported.into_iter().map(Into::<String>::into);
        self.subprotocol = Ok(self.request.choose_subprotocol(supported));
        self
    }

    /// As [`Self::subprotocols`], but [`Self::on_upgrade`] refuses a client that offers none of them
    /// with status 400 ([`HandshakeError::SubprotocolNeeded`]).
    pub fn require_subprotocols<N: Into<String>>(
        mut self,
        supported: impl IntoIterator<Item = N>,
    ) -> Self {
        let supported = supported.into_iter().map(Into::<String>::into);
        self.subprotocol = self.request.require_subprotocol(supported).map(Some);
        self
    }

    /// The sub-protocol chosen by [`Self::subprotocols`] or [`Self::require_subprotocols`].
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_ref().ok()?.as_deref()
    }

    /// Sets a function to call when the connection does not open:
    ///
    /// - with [`Error::Handshake`] if [`Self::on_upgrade`] refuses the client. The error says why:
    ///   [`HandshakeError::OriginNotAllowed`] names the origin;
    /// - with [`Error::Config`] if a config is invalid, which is answered with status 500;
    /// - with [`Error::Io`] if the connection ends before the response with status 101 is sent.
    ///
    /// A request that breaks a rule is refused before this extractor exists. To see its error, take
    /// `Result<WebSocketUpgrade, HandshakeError>` as the argument of the route's function.
    pub fn on_failed_upgrade(mut self, on_error: impl FnOnce(Error) + Send + 'static) -> Self {
        self.on_failed_upgrade = Some(Box::new(on_error));
        self
    }

    /// The response with status 101; after it is sent, a task runs `serve` with the connection. Or
    /// the response that refuses the request.
    ///
    /// Add headers to the response if needed, a cookie for instance.
    #[must_use = "the connection opens when the response is returned"]
    pub fn on_upgrade<F, Fut>(self, serve: F) -> Response
    where
        F: FnOnce(WebSocket<UpgradedStream>) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let config = Arc::clone(&self.config);
        let checked = config.check();
        self.answer(checked, |upgrading| upgrading.open(config), serve)
    }

    /// As [`Self::on_upgrade`], with channels. A client that does not offer
    /// [`SUBPROTOCOL`](crate::channels::SUBPROTOCOL) is refused with status 400.
    /// [`Self::subprotocols`] and [`Self::require_subprotocols`] are not used.
    ///
    /// ```
    /// use axum::response::Response;
    /// use tickwire::axum::WebSocketUpgrade;
    /// use tickwire::channels::{AcceptOptions, ChannelConfig};
    ///
    /// async fn orders(upgrade: WebSocketUpgrade) -> Response {
    ///     upgrade.on_upgrade_channels(ChannelConfig::default(), |socket| async move {
    ///         while let Some(incoming) = socket.accept().await {
    ///             let Ok(mut channel) = incoming.accept(AcceptOptions::new()) else {
    ///                 continue;
    ///             };
    ///             tokio::spawn(async move {
    ///                 while let Ok(Some(order)) = channel.recv().await {
    ///                     if channel.send(&order).await.is_err() {
    ///                         return;
    ///                     }
    ///                 }
    ///             });
    ///         }
    ///     })
    /// }
    /// ```
    #[must_use = "the connection opens when the response is returned"]
    pub fn on_upgrade_channels<F, Fut>(
        mut self,
        channels: impl Into<Arc<ChannelConfig>>,
        serve: F,
    ) -> Response
    where
        F: FnOnce(ChannelSocket) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let (config, channels) = (Arc::clone(&self.config), channels.into());
        self = self.require_subprotocols([SUBPROTOCOL]);
        let checked = ChannelSession::check(&channels, &config);
        let open = |upgrading: Upgrading| upgrading.open_channels(config, channels);
        self.answer(checked, open, serve)
    }

    fn answer<T, Opens, F, Fut>(
        self,
        checked: Result<(), ConfigError>,
        open: impl FnOnce(Upgrading) -> Opens,
        serve: F,
    ) -> Response
    where
        Opens: Future<Output = Result<T, Error>> + Send + 'static,
        T: Send + 'static,
        F: FnOnce(T) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let on_error = self.on_failed_upgrade.unwrap_or_else(|| Box::new(drop));
        let allowed = match &self.origins {
            Some(origins) => origins.check(&self.request),
            None => Ok(()),
        };
        let subprotocol = match allowed.and(self.subprotocol) {
            Ok(subprotocol) => subprotocol,
            Err(error) => return refused(error, on_error),
        };
        if let Err(error) = checked {
            on_error(error.into());
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        let mut accept = Accept::new();
        if let Some(name) = subprotocol {
            accept = accept.subprotocol(name);
        }
        let (response, upgrading) = match accept_with(&self.request, self.upgrade, &accept) {
            Ok(accepted) => accepted,
            Err(error) => return refused(error, on_error),
        };
        let opens = open(upgrading);
        tokio::spawn(async move {
            match opens.await {
                Ok(socket) => serve(socket).await,
                Err(error) => on_error(error),
            }
        });
        response.map(|_| Body::empty())
    }
}

fn refused(error: HandshakeError, on_error: impl FnOnce(Error)) -> Response {
    let response = error.refusal().into_response();
    on_error(error.into());
    response
}

impl fmt::Debug for WebSocketUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade")
            .field("request", &self.request)
            .field("origins", &self.origins)
            .field("subprotocol", &self.subprotocol)
            .finish_non_exhaustive()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = HandshakeError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, HandshakeError> {
        let request = Request::try_from(&*parts)?;
        Ok(Self {
            request,
            upgrade: take_upgrade(&mut parts.extensions)?,
            config: Arc::default(),
            origins: None,
            subprotocol: Ok(None),
            on_failed_upgrade: None,
        })
    }
}

/// The response of [`HandshakeError::refusal`].
impl IntoResponse for HandshakeError {
    fn into_response(self) -> Response {
        self.refusal().into_response()
    }
}

/// The response of [`refuse`].
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        refuse(&self).map(Body::from)
    }
}
