//! Incoming connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::vec::Vec;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs, lookup_host};
use tokio::time::sleep;

use super::super::accept_fault::AcceptFault;
use super::super::clock;
use super::super::error::{Error, with_context};
use super::super::tune::{Tune, TuneError, TuneReport};
use super::head::{read_head, send_final_response, within, write_head};
use super::io::now;
use super::websocket::{Origin, WebSocket};
use crate::config::Config;
use crate::error::Deadline;
use crate::handshake::{Accept, HeadLimits, Refusal, Request, ServerHandshake};
use crate::session::Session;

/// First delay after `accept` has failed because the system is out of files or memory. Each further
/// delay is twice as long, up to [`ACCEPT_DELAY_MAX`].
const ACCEPT_DELAY_MIN: Duration = Duration::from_millis(5);

/// Longest delay: the retries cost next to no CPU, and peers in the backlog do not time out.
const ACCEPT_DELAY_MAX: Duration = Duration::from_millis(500);

/// A listening TCP socket that accepts WebSocket connections.
///
/// ```no_run
/// use tickwire::{Error, Listener, Message};
///
/// # async fn run() -> Result<(), Error> {
/// let listener = Listener::bind("127.0.0.1:9001").await?;
/// loop {
///     let incoming = listener.accept().await?;
///     tokio::spawn(async move {
///         let mut ws = incoming.accept().await?;
///         while let Some((messages, outbox)) = ws.recv_batch().await? {
///             for message in messages {
///                 match message {
///                     Message::Binary(data) => outbox.send(data)?,
///                     Message::Text(text) => outbox.send_text(text)?,
///                     _ => {}
///                 }
///             }
///         }
///         Ok::<(), Error>(())
///     });
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    options: ListenerBuilder,
    report: TuneReport,
}

/// Options of a [`Listener`]. See [`Listener::builder`].
#[derive(Clone, Debug, Default)]
pub struct ListenerBuilder {
    config: Arc<Config>,
    tune: Tune,
    limits: HeadLimits,
}

impl ListenerBuilder {
    /// Limits and timeouts of the connections.
    #[must_use]
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }

    /// Socket options of the listening socket and of the accepted sockets.
    #[must_use]
    pub fn tune(mut self, tune: Tune) -> Self {
        self.tune = tune;
        self
    }

    /// Limits on the size of a request head.
    #[must_use]
    pub fn limits(mut self, limits: HeadLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Listens on the first of the addresses that can be bound.
    ///
    /// # Errors
    /// [`Error::Config`]; [`Error::Io`] of the last address tried.
    pub async fn bind(self, addr: impl ToSocketAddrs) -> Result<Listener, Error> {
        self.config.check()?;
        self.limits.check()?;
        self.tune.check()?;
        let mut failed = io::Error::new(io::ErrorKind::InvalidInput, "no address to listen on");
        let found = lookup_host(addr).await;
        let found =
            found.map_err(|e| with_context("cannot resolve the address to listen on", e))?;
        for addr in found {
            match self.tune.listen(addr) {
                Ok((listener, report)) => return self.finish(listener, report),
                Err(e) => failed = e,
            }
        }
        Err(failed.into())
    }

    /// Makes a listener of a socket that listens already: one inherited from another process, for
    /// instance.
    ///
    /// # Errors
    /// [`Error::Config`]; [`Error::Io`] if the socket cannot be made non-blocking.
    pub fn from_std(self, listener: std::net::TcpListener) -> Result<Listener, Error> {
        self.config.check()?;
        self.limits.check()?;
        self.tune.check()?;
        listener.set_nonblocking(true)?;
        self.finish(listener, TuneReport::default())
    }

    fn finish(
        self,
        listener: std::net::TcpListener,
        report: TuneReport,
    ) -> Result<Listener, Error> {
        Ok(Listener {
            tcp: TcpListener::from_std(listener)?,
            options: self,
            report,
        })
    }
}

impl Listener {
    /// Listens with the default options. Port 0 binds a free port: see [`Self::local_addr`].
    ///
    /// # Errors
    /// [`Error::Io`]; the text of one for a port in use says what to do.
    pub async fn bind(addr: impl ToSocketAddrs) -> Result<Self, Error> {
        Self::builder().bind(addr).await
    }

    /// Starts with the default options, to change some of them.
    #[must_use]
    pub fn builder() -> ListenerBuilder {
        ListenerBuilder::default()
    }

    /// The address that the listener is bound to.
    ///
    /// # Errors
    /// [`Error::Io`] from the system call.
    pub fn local_addr(&self) -> Result<SocketAddr, Error> {
        Ok(self.tcp.local_addr()?)
    }

    /// The socket options that the platform refused on the listening socket.
    pub fn tune_report(&self) -> &TuneReport {
        &self.report
    }

    /// Waits for the next connection. Nothing has been read from it yet: run its opening handshake
    /// in a task of its own, so that a slow peer does not delay other connections.
    ///
    /// A connection that the peer has closed before this call accepts it is skipped. When the
    /// system is out of files or memory, this call waits (5 ms, doubling to 500 ms) and tries
    /// again; the peers wait in the backlog meanwhile.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`Error::Io`] if the listening socket itself has failed: no later accept can succeed, so the
    /// accept loop should end.
    pub async fn accept(&self) -> Result<Incoming<TcpStream>, Error> {
        let mut delay = ACCEPT_DELAY_MIN;
        loop {
            let error = match self.tcp.accept().await {
                Ok((stream, peer)) => return Ok(self.incoming(stream, peer)),
                Err(error) => error,
            };
            match AcceptFault::of(&error) {
                AcceptFault::Connection => {}
                AcceptFault::System => {
                    sleep(delay).await;
                    delay = (delay * 2).min(ACCEPT_DELAY_MAX);
                }
                AcceptFault::Listener => return Err(error.into()),
            }
        }
    }

    fn incoming(&self, stream: TcpStream, peer: SocketAddr) -> Incoming<TcpStream> {
        let tuned = self.options.tune.apply_or_fail(&stream);
        Incoming {
            stream,
            peer: Some(peer),
            config: self.options.config.clone(),
            limits: self.options.limits,
            tuned,
        }
    }
}

/// Runs a server's opening handshake over any connected stream with the default config, and accepts
/// every valid request. Use [`Incoming`] to choose.
///
/// # Errors
/// As [`Incoming::request`].
pub async fn accept<S>(stream: S) -> Result<WebSocket<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    Incoming::new(stream).accept().await
}

/// A connection whose opening handshake has not begun. Dropping it closes the connection.
#[derive(Debug)]
pub struct Incoming<S> {
    stream: S,
    peer: Option<SocketAddr>,
    config: Arc<Config>,
    limits: HeadLimits,
    tuned: Result<TuneReport, TuneError>,
}

impl<S> Incoming<S> {
    /// Takes a connected stream, after the handshake of TLS if there is one.
    #[must_use]
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            peer: None,
            config: Arc::default(),
            limits: HeadLimits::default(),
            tuned: Ok(TuneReport::default()),
        }
    }

    /// Limits and timeouts of this connection.
    #[must_use]
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }

    /// Limits on the size of the request head.
    #[must_use]
    pub fn limits(mut self, limits: HeadLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The peer's address, if the connection came from a [`Listener`].
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The stream, to run a TLS handshake on it and continue with [`Self::new`].
    #[must_use]
    pub fn into_stream(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Incoming<S> {
    /// Reads the request, within `handshake_timeout`. A request that breaks a rule, or is not
    /// complete in time, is refused with an HTTP response.
    ///
    /// Dropping the future closes the connection.
    ///
    /// # Errors
    /// [`Error::Config`]; [`Error::Handshake`] with the rule that the request breaks, and
    /// [`Error::Timeout`], both after the refusal, which may take `close_timeout` more;
    /// [`Error::Io`], also if an option of a strict [`Tune`] was refused.
    pub async fn request(mut self) -> Result<Upgrade<S>, Error> {
        self.config.check()?;
        self.limits.check()?;
        let tune = self.tuned.map_err(io::Error::from)?;
        let mut handshake = ServerHandshake::new(self.limits);
        let read = read_head(&mut self.stream, |bytes| handshake.parse(bytes));
        let limit = self.config.handshake_timeout;
        match within(limit, Deadline::Handshake, read).await {
            Ok((request, leftover)) => Ok(Upgrade {
                stream: self.stream,
                peer: self.peer,
                config: self.config,
                request,
                leftover,
                tune,
            }),
            Err(e) => {
                let refusal = match &e {
                    Error::Handshake(e) => e.refusal(),
                    Error::Timeout(_) => Refusal::request_timeout(),
                    _ => return Err(e),
                };
                let limit = self.config.close_timeout;
                // The error of the request matters more than one of sending the refusal.
                let _ = send_refusal(&mut self.stream, refusal, limit).await;
                Err(e)
            }
        }
    }

    /// Accepts any valid request.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub async fn accept(self) -> Result<WebSocket<S>, Error> {
        self.request().await?.accept().await
    }
}

/// Sends a refusal, and waits for the client to close: `limit` for both.
async fn send_refusal<S>(stream: &mut S, refusal: Refusal, limit: Duration) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (response, checked) = clock::dated(refusal);
    let sent = send_final_response(stream, &response, limit).await;
    checked?;
    sent
}

/// A valid request to open a connection, to accept or refuse. Dropping it closes the connection
/// without a response.
#[derive(Debug)]
pub struct Upgrade<S> {
    stream: S,
    peer: Option<SocketAddr>,
    config: Arc<Config>,
    request: Request,
    /// Bytes received after the head: the first frames.
    leftover: Vec<u8>,
    tune: TuneReport,
}

impl<S> Upgrade<S> {
    /// The request of the client: path, query, headers, sub-protocols, origin.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The peer's address, if the connection came from a [`Listener`].
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Replaces the listener's limits and timeouts for this connection, now that the request is
    /// known.
    #[must_use]
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Upgrade<S> {
    /// Accepts the request, without a sub-protocol.
    ///
    /// # Errors
    /// As [`Self::accept_with`].
    pub async fn accept(self) -> Result<WebSocket<S>, Error> {
        self.accept_with(&Accept::new()).await
    }

    /// Accepts the request, with the sub-protocol and headers of `accept`.
    ///
    /// ```no_run
    /// # async fn run(incoming: tickwire::Incoming<tokio::net::TcpStream>) -> Result<(), tickwire::Error> {
    /// use tickwire::handshake::{Accept, Refusal};
    ///
    /// let upgrade = incoming.request().await?;
    /// let request = upgrade.request();
    /// if request.path() != "/feed" {
    ///     return upgrade.refuse(Refusal::not_found()).await;
    /// }
    /// let chosen = request.subprotocols().find(|&name| name == "tickwire.mux.v1");
    /// let accept = chosen.map_or(Accept::new(), |name| Accept::new().subprotocol(name));
    /// let ws = upgrade.accept_with(&accept).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`]; [`Error::Handshake`] for a sub-protocol that the client did not offer,
    /// after a response with status 500; [`Error::Timeout`], [`Error::Io`].
    pub async fn accept_with(mut self, accept: &Accept) -> Result<WebSocket<S>, Error> {
        self.config.check()?;
        let close_timeout = self.config.close_timeout;
        let (head, agreed) = match self.request.accept(accept) {
            Ok(accepted) => accepted,
            Err(e) => {
                let _ = send_refusal(&mut self.stream, e.refusal(), close_timeout).await;
                return Err(e.into());
            }
        };
        let entropy = clock::entropy()?;
        let limit = self.config.handshake_timeout;
        within(
            limit,
            Deadline::Handshake,
            write_head(&mut self.stream, &head),
        )
        .await?;
        let session = Session::new(agreed, self.config, entropy, &self.leftover, now())?;
        let origin = Origin {
            response: None,
            tune: (!self.tune.is_complete()).then_some(self.tune),
        };
        Ok(WebSocket::open(self.stream, session, origin))
    }

    /// Refuses the request with an HTTP response and closes, within `close_timeout`.
    ///
    /// # Errors
    /// [`Error::Handshake`] for a refusal that lacks a header required by its status
    /// ([`Refusal::check`]), after a response with status 500; [`Error::Timeout`], [`Error::Io`].
    pub async fn refuse(mut self, refusal: Refusal) -> Result<(), Error> {
        let limit = self.config.close_timeout;
        send_refusal(&mut self.stream, refusal, limit).await
    }
}
