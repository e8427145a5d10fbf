//! A connection that carries channels.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::string::String;
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

/// A handle to one WebSocket connection that carries many channels. Cloning it is cheap.
///
/// One task of the runtime drives the connection. The connection ends after [`drain`](Self::drain)
/// or [`abort`](Self::abort), when the peer ends it, or when the last `ChannelSocket`, channel and
/// half is dropped: then messages of finished halves are still sent, within `close_timeout`, and
/// the connection is closed, again within `close_timeout`. That needs a running runtime: before the
/// end of `main`, call `drain` and await [`closed`](Self::closed).
///
/// ```no_run
/// use tickwire::channels::{OpenOptions, ChannelSocket};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let socket = ChannelSocket::connect("ws://127.0.0.1:9001/feed").await?;
/// let mut orders = socket.open(OpenOptions::new("orders").priority(0))?;
/// orders.send(b"buy 10 EURUSD").await?;
/// orders.finish()?;
/// while let Some(answer) = orders.recv().await? {
///     println!("{} bytes", answer.len());
/// }
/// socket.drain(tickwire::channels::ErrorCode::NO_ERROR);
/// socket.closed().await;
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
///         let socket = ChannelSocket::accept_from(incoming, ChannelConfig::default()).await?;
///         while let Some(offer) = socket.accept().await {
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
    /// As [`Self::connect_with`].
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::connect_with(&Connector::new(), url, ChannelConfig::default()).await
    }

    /// Connects to a `ws://` URL with this connector and config. Offers the channels sub-protocol, and those of the connector.
    ///
    /// # Errors
    /// [`Error::Config`], also if a limit of the connector is below what the channels need
    /// ([`ChannelSession::check`]); as [`Connector::connect`]; [`Error::Handshake`] with
    /// [`HandshakeError::SubprotocolNotAgreed`](crate::handshake::HandshakeError) if the server
    /// opens the WebSocket without choosing the sub-protocol. The server then gets Close 1002 (rule
    /// R61 of `docs/protocol.md`).
    pub async fn connect_with(
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

    /// Runs a server's opening handshake, and starts channels.
    ///
    /// # Errors
    /// As [`Incoming::request`] and [`Self::accept_upgrade`].
    pub async fn accept_from<S>(
        incoming: Incoming<S>,
        config: impl Into<Arc<ChannelConfig>>,
    ) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Self::accept_upgrade(incoming.request().await?, &Accept::new(), config).await
    }

    /// Accepts a request that the application has read, and starts channels. A request that does
    /// not offer the sub-protocol is refused with status 400. `accept` gives the headers of the
    /// response; this method sets the sub-protocol.
    ///
    /// # Errors
    /// [`Error::Handshake`] with
    /// [`HandshakeError::SubprotocolNeeded`](crate::handshake::HandshakeError), after the refusal
    /// was sent; as [`Upgrade::accept_with`].
    pub async fn accept_upgrade<S>(
        upgrade: Upgrade<S>,
        accept: &Accept,
        config: impl Into<Arc<ChannelConfig>>,
    ) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if let Err(error) = upgrade.request().require_subprotocol([SUBPROTOCOL]) {
            // The error of the request matters more than one of sending the refusal.
            let _ = upgrade.refuse(error.refusal()).await;
            return Err(error.into());
        }
        let accept = accept.clone().subprotocol(SUBPROTOCOL);
        Self::start(upgrade.accept_with(&accept).await?, config)
    }

    /// Starts channels on an open WebSocket, over any stream. Spawns a task on the current runtime.
    ///
    /// # Errors
    /// [`Error::Handshake`] with
    /// [`HandshakeUsage::SubprotocolNotAgreed`](crate::handshake::HandshakeUsage) if the opening
    /// handshake did not agree on the sub-protocol: a client must offer it, a server choose it, and
    /// for an adopted connection name it with
    /// [`Agreed::with_subprotocol`](crate::handshake::Agreed::with_subprotocol). [`Error::Config`]
    /// if a limit of the WebSocket is below what the channels need ([`ChannelSession::check`]). In
    /// both cases a task of the runtime sends Close 1002 or 1011 to the peer and closes the stream.
    /// [`Error::Io`] outside of a runtime.
    pub fn start<S>(ws: WebSocket<S>, config: impl Into<Arc<ChannelConfig>>) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Ok(Self::spawn(ws, config.into())??)
    }

    /// The outer error means that there is no runtime, the inner one that channels cannot start.
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
                // Write the Close before returning the error: the caller's runtime may shut down
                // next.
                let mut noop = Context::from_waker(Waker::noop());
                let _ = ws.poll_close(&mut noop);
                // The result does not matter: the caller gets `error`.
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

    /// Waits for the peer's HELLO. Opening a channel does not wait for it; sending does.
    ///
    /// # Errors
    /// [`ChannelFailure`] if the connection has ended.
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

    /// Opens a channel. Messages may be sent at once, before the peer accepts the channel.
    ///
    /// The peer's `channels_max` and `pending_opens_max` limit the open channels of this end, and
    /// those that the peer has not answered. A channel beyond these limits waits at this end, in the
    /// order of the calls: the peer does not know of it, its messages stay in its queue, and
    /// [`Channel::accepted`] waits, until another channel ends or is answered. Nothing else bounds
    /// the time. [`ChannelStats::waits_for_peer`](crate::channels::ChannelStats) and
    /// [`MuxStats::channels_waiting`] show such channels, and
    /// [`OpenOptions::no_wait`] fails instead of waiting.
    ///
    /// # Errors
    /// [`OpenError`] if an option is invalid, or the connection is draining or has ended;
    /// [`OpenError::TooMany`] if this end has twice its own `channels_max` of channels: those of both
    /// ends, open, waiting, or ended and not dropped yet.
    pub fn open(&self, options: OpenOptions) -> Result<Channel, OpenError> {
        let mut guard = self.shared().state.lock();
        let (state, after) = guard.parts();
        let id = state.open(options, after)?;
        drop(guard);
        Ok(Channel::new(id, self.handle()))
    }

    /// The next channel that the peer opens; `None` when the peer can open no more.
    ///
    /// Cancel safe. Any number of tasks may call this at the same time.
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
                    None if state.drain.is_some() || state.channels().is_draining() => Some(None),
                    offer => offer.map(Some),
                }
            },
        );
        let offer = offer.await?;
        Some(IncomingChannel::new(offer, Arc::clone(self.handle())))
    }

    /// Ends the connection in order: no more channels are opened or accepted, open channels may end
    /// within `close_timeout`, then the connection is closed. Channels of this end that were not
    /// announced yet are rejected.
    ///
    /// The peer gets GOAWAY with `code`: its [`draining`](Self::draining) returns the code, its
    /// [`accept`](Self::accept) returns `None`, and its [`open`](Self::open) fails with
    /// [`OpenError::Draining`]. Its open channels go on until they end or `close_timeout` is over;
    /// then its [`closed`](Self::closed) returns [`ChannelFailure::Drained`]. A task of the peer
    /// that only receives sees nothing before, unless it also awaits `draining`.
    ///
    /// `code` is [`ErrorCode::NO_ERROR`], or one of the application from
    /// [`ErrorCode::APPLICATION`] on. A second call has no effect.
    pub fn drain(&self, code: ErrorCode) {
        self.drain_with(code, "");
    }

    /// As [`Self::drain`], with a reason of at most 123 bytes for the peer's
    /// [`draining`](Self::draining).
    pub fn drain_with(&self, code: ErrorCode, reason: &'static str) {
        let mut guard = self.shared().state.lock();
        let (state, after) = guard.parts();
        state.channels_mut().drain(code, reason);
        state.start_drain(code, reason, after);
        state.driver.wake(after);
    }

    /// Waits until a drain starts, by the peer's GOAWAY or by this end, and returns its code and its
    /// reason, untrusted text if the peer started it. No channel can be opened then, and open
    /// channels should end soon: finish them, and connect again for more. A connection that ends
    /// without a drain gives the code of its end, and no reason.
    ///
    /// Cancel safe. Any number of tasks may call this at the same time.
    ///
    /// ```no_run
    /// use tickwire::channels::{ChannelSocket, OpenOptions};
    ///
    /// # async fn run(socket: ChannelSocket) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut quotes = socket.open(OpenOptions::new("quotes"))?;
    /// loop {
    ///     tokio::select! {
    ///         quote = quotes.recv() => match quote? {
    ///             Some(quote) => println!("{} bytes", quote.len()),
    ///             None => return Ok(()),
    ///         },
    ///         (code, reason) = socket.draining() => {
    ///             println!("the server drains: {code} {reason:?}");
    ///             return Ok(()); // connect again
    ///         }
    ///     }
    /// }
    /// # }
    /// ```
    pub async fn draining(&self) -> (ErrorCode, String) {
        wait(
            Arc::clone(self.shared()),
            (),
            |s, ()| Some(&mut s.offer_waiters),
            |state| match (&state.drain, state.failure) {
                (Some(drain), _) => Some(drain.clone()),
                (None, Some(failure)) => Some((failure.code(), String::new())),
                (None, None) => None,
            },
        )
        .await
    }

    /// Ends the connection at once; the peer gets `code`. Queued messages are not sent.
    ///
    /// The peer takes [`ErrorCode::NO_ERROR`] and codes of the application, from
    /// [`ErrorCode::APPLICATION`] on, for a drain that has ended: it reports
    /// [`ChannelFailure::Drained`], with
    /// [`DrainEnd::Incomplete`](crate::channels::DrainEnd::Incomplete) if channels were open. With
    /// [`ErrorCode::INTERNAL`], for instance, it reports [`ChannelFailure::Peer`].
    pub fn abort(&self, code: ErrorCode) {
        self.end(|channels| channels.abort(code));
    }

    /// Ends the connection at once because this program ends: the peer gets GOAWAY with
    /// [`ErrorCode::NO_ERROR`] and Close 1001, and reports
    /// [`DrainEnd::GoingAway`](crate::channels::DrainEnd), or `Complete` if it has no channel open.
    /// Queued messages are not sent. A runtime that shuts down does the same, as far as the stream
    /// accepts the bytes without waiting.
    pub fn go_away(&self) {
        self.end(Channels::go_away);
    }

    fn end(&self, end: impl FnOnce(&mut Channels)) {
        let mut guard = self.shared().state.lock();
        let (state, after) = guard.parts();
        end(state.channels_mut());
        state.apply_events(after);
        state.driver.wake(after);
    }

    /// Waits until the connection is closed, and returns how it has ended:
    /// [`ChannelFailure::Drained`] with [`DrainEnd::Complete`](crate::channels::DrainEnd) if every
    /// channel has ended in order. Other calls return the end as soon as it is known; this one also
    /// waits for the stream to close, at most the `close_timeout` of the WebSocket below.
    pub async fn closed(&self) -> ChannelFailure {
        wait(
            Arc::clone(self.shared()),
            (),
            |s, ()| Some(&mut s.closed_waiters),
            |state| {
                state
                    .closed
                    .then(|| state.failure.unwrap_or(ChannelFailure::Lost(None)))
            },
        )
        .await
    }

    /// Statistics of the connection.
    #[must_use]
    pub fn stats(&self) -> MuxStats {
        self.shared().state.lock().channels().stats()
    }

    /// The shortest round trip measured; `None` before the first measurement.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.shared().state.lock().channels().rtt()
    }
}

/// Shows the state of all channels.
impl fmt::Debug for ChannelSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared().state.lock().channels().fmt(f)
    }
}
