//! A connection that carries channels.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime;

use super::super::super::channels::not_started;
use super::super::super::error::Error;
use super::super::connect::Connector;
use super::super::io::now;
use super::super::listen::{Incoming, Upgrade};
use super::super::websocket::WebSocket;
use super::channel::{Channel, IncomingChannel};
use super::driver::Driver;
use super::handle::{AcceptGuard, Handle};
use super::monitor::Monitor;
use super::state::{Shared, State};
use super::wait::wait;
use crate::handshake::Accept;
use crate::session::channels::{
    ChannelConfig, ChannelFailure, ChannelSession, Channels, ErrorCode, MuxStats, OpenError,
    OpenOptions, SUBPROTOCOL, StartError,
};

/// Many channels on one WebSocket connection: a handle that is cheap to clone.
///
/// One task of the runtime drives the connection. It ends when [`drain`](Self::drain) or
/// [`abort`](Self::abort) says so, when the peer does, or when the last session, channel and half
/// is dropped: what was finished before is still sent then, within `close_timeout`, and then the
/// connection is closed, within as much. All of that takes a runtime that runs: before the end of `main`, drain and wait for
/// [`closed`](Self::closed).
///
/// ```no_run
/// use tickwire::channels::{OpenOptions, ChannelSocket};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let session = ChannelSocket::connect("ws://127.0.0.1:9001/feed").await?;
/// let mut orders = session.open(OpenOptions::new("orders").priority(0))?;
/// orders.send(b"buy 10 EURUSD").await?;
/// orders.finish()?;
/// while let Some(answer) = orders.recv().await? {
///     println!("{} bytes", answer.len());
/// }
/// session.drain(tickwire::channels::ErrorCode::NO_ERROR);
/// session.closed().await;
/// # Ok(())
/// # }
/// ```
///
/// A server:
///
/// ```no_run
/// use tickwire::Listener;
/// use tickwire::channels::{AcceptOptions, ChannelSocket, ChannelConfig};
///
/// # async fn run() -> Result<(), tickwire::Error> {
/// let listener = Listener::bind("127.0.0.1:9001").await?;
/// loop {
///     let incoming = listener.accept().await?;
///     tokio::spawn(async move {
///         let session = ChannelSocket::accept_from(incoming, ChannelConfig::default()).await?;
///         while let Some(offer) = session.accept().await {
///             let Ok(mut channel) = offer.accept(AcceptOptions::new()) else {
///                 continue;
///             };
///             tokio::spawn(async move {
///                 while let Ok(Some(message)) = channel.recv().await {
///                     if channel.send(&message).await.is_err() {
///                         return;
///                     }
///                 }
///                 let _ = channel.finish();
///             });
///         }
///         Ok::<(), tickwire::Error>(())
///     });
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct ChannelSocket {
    accepts: Arc<AcceptGuard>,
}

impl ChannelSocket {
    /// Connects to a `ws://` URL with the default config.
    ///
    /// # Errors
    /// As [`Self::client`].
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::client(&Connector::new(), url, ChannelConfig::default()).await
    }

    /// Connects to a `ws://` URL. The sub-protocol is offered beside those that the connector
    /// offers.
    ///
    /// # Errors
    /// [`Error::Config`], also where the connector's limits are below what the channels need
    /// ([`ChannelSession::check`]); as [`Connector::connect`]; [`Error::Handshake`] with
    /// [`HandshakeError::SubprotocolNotAgreed`](crate::handshake::HandshakeError) if the server opens
    /// the WebSocket and does not choose the sub-protocol: it gets Close 1002 (rule R61 of
    /// `docs/protocol.md`).
    pub async fn client(
        connector: &Connector,
        url: &str,
        config: impl Into<Arc<ChannelConfig>>,
    ) -> Result<Self, Error> {
        let config = config.into();
        connector.check_channels(&config)?;
        let connector = connector.offering(SUBPROTOCOL)?;
        let ws = connector.connect(url).await?;
        Self::spawn(ws, config)?.map_err(not_started)
    }

    /// A server's opening handshake, and channels.
    ///
    /// # Errors
    /// As [`Incoming::request`] and [`Self::upgrade`].
    pub async fn accept_from<S>(
        incoming: Incoming<S>,
        config: impl Into<Arc<ChannelConfig>>,
    ) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Self::upgrade(incoming.request().await?, &Accept::new(), config).await
    }

    /// Opens a connection whose request was looked at. One that does not offer the sub-protocol
    /// is refused with 400. `accept` gives headers of the answer; its sub-protocol is set here.
    ///
    /// # Errors
    /// [`Error::Handshake`] with [`HandshakeError::SubprotocolNeeded`](crate::handshake::HandshakeError), after the client was
    /// told; as [`Upgrade::accept_with`].
    pub async fn upgrade<S>(
        upgrade: Upgrade<S>,
        accept: &Accept,
        config: impl Into<Arc<ChannelConfig>>,
    ) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if let Err(error) = upgrade.request().require_subprotocol(SUBPROTOCOL) {
            // That the client cannot be told is less than what is wrong.
            let _ = upgrade.refuse(error.refusal()).await;
            return Err(error.into());
        }
        let accept = accept.clone().subprotocol(SUBPROTOCOL);
        Self::start(upgrade.accept_with(&accept).await?, config)
    }

    /// Channels on an open WebSocket, over any stream. Spawns its task on the current runtime.
    ///
    /// # Errors
    /// [`Error::Handshake`] with
    /// [`HandshakeUsage::SubprotocolNotAgreed`](crate::handshake::HandshakeUsage) if what was
    /// agreed on with the connection does not name the sub-protocol: offer it as a client, choose it
    /// as a server, and name it for a connection that is adopted
    /// ([`Agreed::with_subprotocol`](crate::handshake::Agreed::with_subprotocol)). [`Error::Config`]
    /// where the WebSocket's limits are below what the channels need ([`ChannelSession::check`]). A
    /// task of the runtime tells the peer so, with 1002 or 1011, and closes the stream.
    /// [`Error::Io`] outside of a runtime.
    pub fn start<S>(ws: WebSocket<S>, config: impl Into<Arc<ChannelConfig>>) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Ok(Self::spawn(ws, config.into())??)
    }

    /// The outer error is the runtime's, the inner one says why there are no channels.
    fn spawn<S>(
        mut ws: WebSocket<S>,
        config: Arc<ChannelConfig>,
    ) -> Result<Result<Self, StartError>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let runtime = runtime::Handle::try_current().map_err(io::Error::other)?;
        let subprotocol = ws.receiving.read.agreed().subprotocol();
        let outbox = ws.sending.outbox();
        let started = ChannelSession::start(config.clone(), subprotocol, outbox, now());
        let session = match started {
            Ok(session) => session,
            Err(error) => {
                // The Close is written before the caller is told, whose runtime may end next.
                let mut nobody = Context::from_waker(Waker::noop());
                let _ = ws.poll_close(&mut nobody);
                // However that ends: the caller is told what is wrong.
                runtime.spawn(poll_fn(move |cx| ws.poll_close(cx).map(drop)));
                return Ok(Err(error));
            }
        };
        let shared = Arc::new(Shared {
            state: Monitor::new(State::new(session)),
            config,
        });
        runtime.spawn(Driver::new(Arc::clone(&shared), ws));
        let handle = Arc::new(Handle { shared });
        Ok(Ok(Self {
            accepts: Arc::new(AcceptGuard(handle)),
        }))
    }

    fn handle(&self) -> &Arc<Handle> {
        &self.accepts.0
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle().shared
    }

    /// Waits for the peer's HELLO. Opening channels need not wait for it; sending does.
    ///
    /// # Errors
    /// How the connection ended.
    pub async fn ready(&self) -> Result<(), ChannelFailure> {
        wait(
            Arc::clone(self.shared()),
            (),
            |s, ()| Some(&mut s.ready_waiters),
            |state| match (state.ready, state.failure) {
                (_, Some(failure)) => Some(Err(failure)),
                (true, None) => Some(Ok(())),
                (false, None) => None,
            },
        )
        .await
    }

    /// Opens a channel. Messages can be sent at once, before the peer accepts it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, options: OpenOptions) -> Result<Channel, OpenError> {
        let mut guard = self.shared().state.lock();
        let (state, after) = guard.parts();
        let id = state.open(options, after)?;
        drop(guard);
        Ok(Channel::new(id, self.handle()))
    }

    /// The next channel that the peer opens; `None` when it will open no more.
    ///
    /// Cancel safe. Several tasks may wait.
    pub async fn accept(&self) -> Option<IncomingChannel> {
        let offer = wait(
            Arc::clone(self.shared()),
            (),
            |s, ()| Some(&mut s.offer_waiters),
            |state| {
                if state.failure.is_some() {
                    return Some(None);
                }
                match state.offers.pop_front() {
                    None if state.draining || state.channels().is_draining() => Some(None),
                    offer => offer.map(Some),
                }
            },
        );
        let offer = offer.await?;
        Some(IncomingChannel::new(offer, Arc::clone(self.handle())))
    }

    /// Opens and accepts no more channels, lets those that are open end, within `close_timeout`,
    /// and then closes the connection. The peer is told with `code`; channels of ours that were
    /// not announced yet are rejected.
    pub fn drain(&self, code: ErrorCode) {
        let mut guard = self.shared().state.lock();
        let (state, after) = guard.parts();
        state.channels_mut().drain(code, "");
        state.offer_waiters.wake_all(after);
        state.driver.wake(after);
    }

    /// Ends the connection at once; the peer is told with `code`. What is queued is not sent.
    pub fn abort(&self, code: ErrorCode) {
        self.end(|channels| channels.abort(code));
    }

    /// Ends the connection at once because the program goes away: the peer gets GOAWAY without an
    /// error and Close 1001, and reports [`DrainEnd::GoingAway`](crate::channels::DrainEnd), or
    /// `Complete` if it has no channel open. What is queued is not sent. A runtime that is shut down does the same, as far as the stream takes it
    /// without waiting.
    pub fn go_away(&self) {
        self.end(Channels::go_away);
    }

    fn end(&self, end: impl FnOnce(&mut Channels)) {
        let mut guard = self.shared().state.lock();
        let (state, after) = guard.parts();
        end(state.channels_mut());
        state.tell_events(after);
        state.driver.wake(after);
    }

    /// Waits until the connection is closed, and says how it ended:
    /// [`ChannelFailure::Drained`] with [`DrainEnd::Complete`](crate::channels::DrainEnd) when all
    /// went well. All other calls know of an end at once; this one waits
    /// for the stream, too, at most the `close_timeout` of the WebSocket below.
    pub async fn closed(&self) -> ChannelFailure {
        wait(
            Arc::clone(self.shared()),
            (),
            |s, ()| Some(&mut s.closed_waiters),
            |state| {
                state
                    .over
                    .then(|| state.failure.unwrap_or(ChannelFailure::Lost(None)))
            },
        )
        .await
    }

    /// The connection as it stands.
    #[must_use]
    pub fn stats(&self) -> MuxStats {
        self.shared().state.lock().channels().stats()
    }

    /// The shortest round trip measured.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.shared().state.lock().channels().rtt()
    }
}

/// All channels, and what waits where.
impl fmt::Debug for ChannelSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared().state.lock().channels().fmt(f)
    }
}
