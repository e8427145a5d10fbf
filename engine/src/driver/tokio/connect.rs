//! Outgoing connections.

use std::net::SocketAddr;
use std::string::String;
use std::sync::Arc;
use std::time::Duration;
use std::vec::Vec;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, lookup_host};

use super::super::clock;
use super::super::error::Error;
use super::super::remote::plain_url;
use super::super::tune::{Tune, TuneReport};
use super::head::{read_head, within, write_head};
use super::io::now;
use super::websocket::{Origin, WebSocket};
use crate::config::{Config, ConfigError, MORE_THAN_ZERO, require};
use crate::error::Deadline;
use crate::handshake::{ClientHandshake, ClientOptions, HandshakeError, HeadLimits, Url};
use crate::session::Session;
use crate::session::channels::{ChannelConfig, ChannelSession};

/// Time to resolve the name and connect, by default: enough for three SYNs on a path that loses the
/// first two (sent after 0, 1 and 3 s), and a slow answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Addresses of one name that are tried. A name with more of them is load balanced: the first ones
/// are as good as the others.
const ADDRESSES_MAX: usize = 16;

/// Connects to `ws://host[:port][/path][?query]` with the defaults of [`Connector`].
///
/// # Errors
/// As [`Connector::connect`].
pub async fn connect(url: &str) -> Result<WebSocket<TcpStream>, Error> {
    Connector::new().connect(url).await
}

/// Runs a client's opening handshake over any connected stream, a TLS stream for instance, with the
/// defaults of [`Connector`].
///
/// # Errors
/// As [`Connector::connect_over`].
pub async fn connect_over<S>(stream: S, url: &str) -> Result<WebSocket<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    Connector::new().connect_over(stream, url).await
}

/// Options for outgoing connections. One value serves any number of connections.
///
/// ```no_run
/// use std::time::Duration;
/// use tickwire::handshake::ClientOptions;
/// use tickwire::net::Tune;
/// use tickwire::{Connector, Error};
///
/// # async fn run() -> Result<(), Error> {
/// let connector = Connector::new()
///     .tune(Tune::low_latency())
///     .options(ClientOptions::new().subprotocol("tickwire.mux.v1")?)
///     .connect_timeout(Duration::from_secs(3));
/// let ws = connector.connect("ws://127.0.0.1:9001/feed").await?;
/// assert_eq!(ws.subprotocol(), Some("tickwire.mux.v1"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Connector {
    config: Arc<Config>,
    tune: Tune,
    options: ClientOptions,
    limits: HeadLimits,
    connect_timeout: Duration,
}

impl Default for Connector {
    fn default() -> Self {
        Self {
            config: Arc::default(),
            tune: Tune::default(),
            options: ClientOptions::default(),
            limits: HeadLimits::default(),
            connect_timeout: CONNECT_TIMEOUT,
        }
    }
}

impl Connector {
    /// The default [`Config`](crate::Config), [`Tune`] and [`ClientOptions`]; a `connect_timeout`
    /// of 10 s.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits and timeouts of the connections.
    #[must_use]
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }

    /// Socket options.
    #[must_use]
    pub fn tune(mut self, tune: Tune) -> Self {
        self.tune = tune;
        self
    }

    /// Sub-protocols, headers and origin of the request.
    #[must_use]
    pub fn options(mut self, options: ClientOptions) -> Self {
        self.options = options;
        self
    }

    /// Adds a header field to the request, as [`ClientOptions::header`]. A later
    /// [`Self::options`] replaces it.
    ///
    /// ```
    /// # fn run() -> Result<(), tickwire::Error> {
    /// let connector = tickwire::Connector::new().header("Authorization", "Bearer token")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`ClientOptions::header`].
    pub fn header(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, HandshakeError> {
        self.options = self.options.header(name, value)?;
        Ok(self)
    }

    /// Limits on the size of the server's response head.
    #[must_use]
    pub fn limits(mut self, limits: HeadLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Time to resolve the name and connect. The addresses of a name are tried one after another;
    /// each gets an equal share of the time. Default 10 s.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Connects to a `ws://` URL.
    ///
    /// # Errors
    /// [`Error::Config`]; [`Error::Url`]; [`Error::Tls`] for `wss://`; [`Error::Resolve`];
    /// [`Error::Io`] of the last address tried; [`Error::Handshake`], with status and head if the
    /// server refused; [`Error::Timeout`].
    pub async fn connect(&self, url: &str) -> Result<WebSocket<TcpStream>, Error> {
        self.check()?;
        let url = plain_url(url)?;
        let dialled = within(self.connect_timeout, Deadline::Connect, self.dial(&url)).await?;
        self.open(dialled.0, &url, Some(dialled.1)).await
    }

    /// Connects to `addr`; the host name of the URL is not resolved, only sent in the request.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_to(
        &self,
        addr: SocketAddr,
        url: &str,
    ) -> Result<WebSocket<TcpStream>, Error> {
        self.check()?;
        let url = plain_url(url)?;
        let dialled = within(self.connect_timeout, Deadline::Connect, self.dial_one(addr)).await?;
        self.open(dialled.0, &url, Some(dialled.1)).await
    }

    /// Runs the opening handshake over a connected stream: over a TLS stream for a `wss://` URL.
    /// [`Tune`] does not apply.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Url`], [`Error::Handshake`], [`Error::Timeout`], [`Error::Io`].
    pub async fn connect_over<S>(&self, stream: S, url: &str) -> Result<WebSocket<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.check()?;
        self.open(stream, &Url::parse(url)?, None).await
    }

    fn check(&self) -> Result<(), ConfigError> {
        self.config.check()?;
        self.limits.check()?;
        let limit = self.connect_timeout;
        require(
            !limit.is_zero(),
            "Connector::connect_timeout",
            limit,
            MORE_THAN_ZERO,
        )
    }

    /// Checks that `channels` can be used on connections of this connector.
    pub(super) fn check_channels(&self, channels: &ChannelConfig) -> Result<(), ConfigError> {
        ChannelSession::check(channels, &self.config)
    }

    /// This connector, with `subprotocol` offered too.
    pub(super) fn offering(&self, subprotocol: &str) -> Result<Self, Error> {
        let mut offering = self.clone();
        if !self.options.offers(subprotocol) {
            offering.options = self.options.clone().subprotocol(subprotocol)?;
        }
        Ok(offering)
    }

    async fn dial(&self, url: &Url) -> Result<(TcpStream, TuneReport), Error> {
        let found = lookup_host((url.host(), url.port())).await;
        let found = found.map_err(|e| Error::resolve(url.host(), e))?;
        let addrs: Vec<_> = found.take(ADDRESSES_MAX).collect();
        let count = u32::try_from(addrs.len()).unwrap_or(u32::MAX).max(1);
        let share = self.connect_timeout / count;
        let mut failed = Error::no_address(url.host());
        for addr in addrs {
            match within(share, Deadline::Connect, self.dial_one(addr)).await {
                Ok(dialled) => return Ok(dialled),
                Err(e) => failed = e,
            }
        }
        Err(failed)
    }

    async fn dial_one(&self, addr: SocketAddr) -> Result<(TcpStream, TuneReport), Error> {
        let (socket, report) = self.tune.socket_for_connect(addr)?;
        let connected = TcpSocket::from_std_stream(socket.into())
            .connect(addr)
            .await;
        match connected {
            Ok(stream) => Ok((stream, report)),
            Err(e) => Err(Error::connect(addr, e)),
        }
    }

    async fn open<S>(
        &self,
        mut stream: S,
        url: &Url,
        tune: Option<TuneReport>,
    ) -> Result<WebSocket<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let entropy = clock::entropy()?;
        let nonce = clock::entropy()?.0;
        let nonce = *nonce.first_chunk::<16>().unwrap_or(&[0; 16]);
        let mut handshake =
            ClientHandshake::new(url.authority(), url.target(), &self.options, nonce)?;
        let exchange = async {
            write_head(&mut stream, handshake.request()).await?;
            read_head(&mut stream, |bytes| handshake.parse(bytes, &self.limits)).await
        };
        let limit = self.config.handshake_timeout;
        let exchanged = within(limit, Deadline::Handshake, exchange).await;
        let (response, leftover) = exchanged.map_err(|e| match e {
            // A refusal that was received in part tells more than the error that cut it short.
            Error::Io(_) | Error::Timeout(_) => {
                handshake.partial_refusal().map_or(e, Error::Handshake)
            }
            e => e,
        })?;
        let config = self.config.clone();
        let session = Session::new(response.agreed(), config, entropy, &leftover, now())?;
        let origin = Origin {
            response: Some(response),
            tune: tune.filter(|report| !report.is_complete()),
        };
        Ok(WebSocket::open(stream, session, origin))
    }
}
