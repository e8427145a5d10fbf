//! Connections of others.

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
use super::head::{part_with, read_head, within, write_head};
use super::io::now;
use super::websocket::{Origin, WebSocket};
use crate::config::Config;
use crate::error::Deadline;
use crate::handshake::{Accept, HeadLimits, Refusal, Request, ServerHandshake};
use crate::session::Session;

/// The first rest after the system was out of files or memory; each further one is twice as
/// long, up to [`REST_MAX`].
const REST_MIN: Duration = Duration::from_millis(5);

/// Long enough to cost nothing, short enough that peers wait rather than give up.
const REST_MAX: Duration = Duration::from_millis(500);

/// Accepts connections.
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
    with: ListenerBuilder,
    report: TuneReport,
}

/// How to listen. See [`Listener::builder`].
#[derive(Clone, Debug, Default)]
pub struct ListenerBuilder {
    config: Arc<Config>,
    tune: Tune,
    limits: HeadLimits,
}

impl ListenerBuilder {
    /// Limits and habits of the connections.
    #[must_use]
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }

    /// Options of the listening socket and of those accepted.
    #[must_use]
    pub fn tune(mut self, tune: Tune) -> Self {
        self.tune = tune;
        self
    }

    /// How large a request may be.
    #[must_use]
    pub fn limits(mut self, limits: HeadLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Listens on the first of the addresses that can be had.
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
                Ok((listener, report)) => return self.over(listener, report),
                Err(e) => failed = e,
            }
        }
        Err(failed.into())
    }

    /// Goes on with a socket that listens already: one inherited from another process, say.
    ///
    /// # Errors
    /// [`Error::Config`]; [`Error::Io`] where it cannot be made non-blocking.
    pub fn from_std(self, listener: std::net::TcpListener) -> Result<Listener, Error> {
        self.config.check()?;
        self.limits.check()?;
        self.tune.check()?;
        listener.set_nonblocking(true)?;
        self.over(listener, TuneReport::default())
    }

    fn over(self, listener: std::net::TcpListener, report: TuneReport) -> Result<Listener, Error> {
        Ok(Listener {
            tcp: TcpListener::from_std(listener)?,
            with: self,
            report,
        })
    }
}

impl Listener {
    /// Listens with the default config. Port 0 takes a free one: see [`Self::local_addr`].
    ///
    /// # Errors
    /// [`Error::Io`], which says what to do about a port in use.
    pub async fn bind(addr: impl ToSocketAddrs) -> Result<Self, Error> {
        Self::builder().bind(addr).await
    }

    /// Listens with other config.
    #[must_use]
    pub fn builder() -> ListenerBuilder {
        ListenerBuilder::default()
    }

    /// Where this listens.
    ///
    /// # Errors
    /// [`Error::Io`] from the system call.
    pub fn local_addr(&self) -> Result<SocketAddr, Error> {
        Ok(self.tcp.local_addr()?)
    }

    /// The options that the platform refused to set on the listening socket.
    pub fn tune_report(&self) -> &TuneReport {
        &self.report
    }

    /// The next connection, of which nothing was read yet: run its opening handshake in a task
    /// of its own, so that a slow peer keeps nobody waiting.
    ///
    /// A connection that was gone before it was accepted is passed over. When the system is out
    /// of files or memory, this rests (5 ms, doubling to 500 ms) and tries again, while the
    /// backlog holds the peers.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`Error::Io`] where the listening socket itself is at fault: the end of an accept loop.
    pub async fn accept(&self) -> Result<Incoming<TcpStream>, Error> {
        let mut rest = REST_MIN;
        loop {
            let error = match self.tcp.accept().await {
                Ok((stream, peer)) => return Ok(self.incoming(stream, peer)),
                Err(error) => error,
            };
            match AcceptFault::of(&error) {
                AcceptFault::Connection => {}
                AcceptFault::System => {
                    sleep(rest).await;
                    rest = (rest * 2).min(REST_MAX);
                }
                AcceptFault::Listener => return Err(error.into()),
            }
        }
    }

    fn incoming(&self, stream: TcpStream, peer: SocketAddr) -> Incoming<TcpStream> {
        let tuned = self.with.tune.apply_or_fail(&stream);
        Incoming {
            stream,
            peer: Some(peer),
            config: self.with.config.clone(),
            limits: self.with.limits,
            tuned,
        }
    }
}

/// A server's opening handshake over any stream, with the default config: accepts every valid
/// request. See [`Incoming`] for the choice.
///
/// # Errors
/// As [`Incoming::request`].
pub async fn accept<S>(stream: S) -> Result<WebSocket<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    Incoming::new(stream).accept().await
}

/// A connection whose opening handshake is still to come. Dropped, it is closed.
#[derive(Debug)]
pub struct Incoming<S> {
    stream: S,
    peer: Option<SocketAddr>,
    config: Arc<Config>,
    limits: HeadLimits,
    tuned: Result<TuneReport, TuneError>,
}

impl<S> Incoming<S> {
    /// A stream that is connected, TLS done if there is any.
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

    /// Limits and habits of this connection.
    #[must_use]
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }

    /// How large the request may be.
    #[must_use]
    pub fn limits(mut self, limits: HeadLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The peer's address, for one that came from a [`Listener`].
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The stream, to run TLS on and go on with [`Self::new`].
    #[must_use]
    pub fn into_stream(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Incoming<S> {
    /// Reads the request, within `handshake_timeout`. A bad one, and one that is not complete in
    /// time, is answered as HTTP wants it.
    ///
    /// Dropping the future closes the connection.
    ///
    /// # Errors
    /// [`Error::Config`]; [`Error::Handshake`] with the rule that the request breaks, and [`Error::Timeout`], after
    /// the answer, which may take `close_timeout` more; [`Error::Io`], also where a strict
    /// [`Tune`] was refused.
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
                let patience = self.config.close_timeout;
                // That it cannot be told is less than what is wrong.
                let _ = answer(&mut self.stream, refusal, patience).await;
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

/// Tells the client that it is refused, and lets it go, within `patience` for both.
async fn answer<S>(stream: &mut S, refusal: Refusal, patience: Duration) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (answer, checked) = clock::dated(refusal);
    let parted = part_with(stream, &answer, patience).await;
    checked?;
    parted
}

/// A valid request to open a connection, to be accepted or refused. Dropped, the connection is
/// closed without an answer.
#[derive(Debug)]
pub struct Upgrade<S> {
    stream: S,
    peer: Option<SocketAddr>,
    config: Arc<Config>,
    request: Request,
    /// Came behind the head: the first frames.
    leftover: Vec<u8>,
    tune: TuneReport,
}

impl<S> Upgrade<S> {
    /// What the client asks for: path, query, headers, sub-protocols, origin.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The peer's address, for one that came from a [`Listener`].
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Other limits and habits than the listener's, now that the request is known.
    #[must_use]
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Upgrade<S> {
    /// Opens the connection, without a sub-protocol.
    ///
    /// # Errors
    /// As [`Self::accept_with`].
    pub async fn accept(self) -> Result<WebSocket<S>, Error> {
        self.accept_with(&Accept::new()).await
    }

    /// Opens the connection, with a sub-protocol and headers.
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
    /// let ours = request.subprotocols().find(|&name| name == "tickwire.mux.v1");
    /// let accept = ours.map_or(Accept::new(), |name| Accept::new().subprotocol(name));
    /// let ws = upgrade.accept_with(&accept).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`]; [`Error::Handshake`] for a sub-protocol that was not offered, after a 500 was answered;
    /// [`Error::Timeout`], [`Error::Io`].
    pub async fn accept_with(mut self, accept: &Accept) -> Result<WebSocket<S>, Error> {
        self.config.check()?;
        let patience = self.config.close_timeout;
        let (head, agreed) = match self.request.accept(accept) {
            Ok(accepted) => accepted,
            Err(e) => {
                let _ = answer(&mut self.stream, e.refusal(), patience).await;
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

    /// Answers with an HTTP status and closes, within `close_timeout`.
    ///
    /// # Errors
    /// [`Error::Handshake`] for a refusal without a header that its status must have
    /// ([`Refusal::check`]), after a 500 was answered; [`Error::Timeout`], [`Error::Io`].
    pub async fn refuse(mut self, refusal: Refusal) -> Result<(), Error> {
        let patience = self.config.close_timeout;
        answer(&mut self.stream, refusal, patience).await
    }
}
