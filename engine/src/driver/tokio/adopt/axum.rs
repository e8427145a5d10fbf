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

/// An extractor of axum: a valid opening handshake, to be answered with a connection.
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
/// The request is held to the rules of [`ServerHandshake`](crate::handshake::ServerHandshake). A request that breaks
/// one is answered as every server of this crate does, with [`HandshakeError`] as the rejection; the
/// table of answers stands there. Route with `any`, so that another method than GET gets its answer
/// from here.
///
/// HTTP/1.1 only. A request of HTTP/2 gets 505 ([`HandshakeError::Http2`]): browsers then use HTTP/1.1 if
/// the server's TLS offers it, which ALPN `http/1.1` says.
///
/// The connection is served by a task of its own, which the graceful shutdown of axum does not wait for.
#[must_use = "the connection opens when the response of on_upgrade is returned"]
pub struct WebSocketUpgrade {
    request: Request,
    upgrade: OnUpgrade,
    config: Arc<Config>,
    origins: Option<Origins>,
    subprotocol: Option<String>,
    on_failed_upgrade: Option<Box<dyn FnOnce(Error) + Send>>,
}

impl WebSocketUpgrade {
    /// What the client asks for: path, query, headers, sub-protocols, origin. A router that is nested in
    /// another has taken its part of the path off.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Limits and habits of the connection. Make an `Arc` of it once, for all connections.
    ///
    /// [`Config::handshake_timeout`](Config) has no say: the HTTP server reads the request.
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }

    /// Lets only pages of these origins connect, and clients that are no browser. Without this call
    /// pages of all origins may.
    ///
    /// [`Self::on_upgrade`] answers the others with 403.
    pub fn origins(mut self, origins: impl Into<Origins>) -> Self {
        self.origins = Some(origins.into());
        self
    }

    /// The sub-protocols that this server speaks, its favourite first: the first one that the client
    /// offers is chosen. If there is none, the connection opens without a sub-protocol.
    pub fn subprotocols<N: Into<String>>(mut self, ours: impl IntoIterator<Item = N>) -> Self {
        let ours = ours.into_iter().map(Into::<String>::into);
        self.subprotocol = self.request.choose_subprotocol(ours);
        self
    }

    /// The sub-protocol that [`Self::subprotocols`] has chosen.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// What to do when the connection does not open: with [`Error::Io`] where it ended before the 101 was
    /// sent, with [`Error::Config`] where a config cannot work, which is answered with 500. Not called for
    /// a client that is refused. Without this call nothing is done.
    pub fn on_failed_upgrade(mut self, failed: impl FnOnce(Error) + Send + 'static) -> Self {
        self.on_failed_upgrade = Some(Box::new(failed));
        self
    }

    /// The 101, which opens the connection; a task runs `serve` with it then. Or the answer that refuses.
    ///
    /// Add headers to the response if the client shall have some: a cookie, say.
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
    /// [`SUBPROTOCOL`](crate::channels::SUBPROTOCOL) is refused with 400; [`Self::subprotocols`] has no say.
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
        self.subprotocol = Some(SUBPROTOCOL.into());
        if let Err(error) = self.request.require_subprotocol(SUBPROTOCOL) {
            return error.into_response();
        }
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
        let failed = self.on_failed_upgrade.unwrap_or_else(|| Box::new(drop));
        if let Some(origins) = &self.origins
            && let Err(error) = origins.check(&self.request)
        {
            return error.into_response();
        }
        if let Err(error) = checked {
            failed(error.into());
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        let mut accept = Accept::new();
        if let Some(name) = self.subprotocol {
            accept = accept.subprotocol(name);
        }
        let (response, upgrading) = match accept_with(&self.request, self.upgrade, &accept) {
            Ok(accepted) => accepted,
            Err(error) => return error.into_response(),
        };
        let opens = open(upgrading);
        tokio::spawn(async move {
            match opens.await {
                Ok(socket) => serve(socket).await,
                Err(error) => failed(error),
            }
        });
        response.map(|_| Body::empty())
    }
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
            subprotocol: None,
            on_failed_upgrade: None,
        })
    }
}

/// [`HandshakeError::refusal`].
impl IntoResponse for HandshakeError {
    fn into_response(self) -> Response {
        self.refusal().into_response()
    }
}

/// As [`refuse`] makes it.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        refuse(&self).map(Body::from)
    }
}
