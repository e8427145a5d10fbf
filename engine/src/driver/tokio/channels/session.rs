//! A connection that carries channels.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime;

use super::super::super::error::Error;
use super::super::connect::Connector;
use super::super::io::now;
use super::super::listen::{Incoming, Upgrade};
use super::super::websocket::WebSocket;
use super::channel::{Channel, IncomingChannel};
use super::driver::Driver;
use super::handle::{Ears, Handle};
use super::monitor::Monitor;
use super::state::{Shared, State};
use super::wait::wait;
use crate::config::{ConfigError, Delivery};
use crate::handshake::{Accept, HandshakeError};
use crate::session::channels::{
    Code, Connection, ConnectionStats, Failure, OpenError, OpenOptions, SUBPROTOCOL, Settings,
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
/// use tickwire::channels::{OpenOptions, Session};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let session = Session::connect("ws://127.0.0.1:9001/feed").await?;
/// let mut orders = session.open(OpenOptions::new("orders").priority(0))?;
/// orders.send(b"buy 10 EURUSD").await?;
/// orders.finish()?;
/// while let Some(answer) = orders.recv().await? {
///     println!("{} bytes", answer.len());
/// }
/// session.drain(tickwire::channels::Code::NO_ERROR);
/// session.closed().await;
/// # Ok(())
/// # }
/// ```
///
/// A server:
///
/// ```no_run
/// use tickwire::Listener;
/// use tickwire::channels::{AcceptOptions, Session, Settings};
///
/// # async fn run() -> Result<(), tickwire::Error> {
/// let listener = Listener::bind("127.0.0.1:9001").await?;
/// loop {
///     let incoming = listener.accept().await?;
///     tokio::spawn(async move {
///         let session = Session::accept_from(incoming, Settings::default()).await?;
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
pub struct Session {
    ears: Arc<Ears>,
}

/// Bytes that the WebSocket's send queue must have room for: the largest record that a peer may
/// announce, 1 MiB, is sent in pieces of a quarter of it or more.
const SEND_QUEUE_BYTES_MIN: usize = 512 << 10;

impl Session {
    /// Connects to a `ws://` URL with the default settings.
    ///
    /// # Errors
    /// As [`Self::client`].
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::client(&Connector::new(), url, Settings::default()).await
    }

    /// Connects to a `ws://` URL. The sub-protocol is offered beside those that the connector
    /// offers.
    ///
    /// # Errors
    /// As [`Connector::connect`]; [`Error::Handshake`] with
    /// [`HandshakeError::SubprotocolNeeded`] where the server does not choose it.
    pub async fn client(
        connector: &Connector,
        url: &str,
        settings: Settings,
    ) -> Result<Self, Error> {
        let connector = connector.offering(SUBPROTOCOL)?;
        Self::start(connector.connect(url).await?, settings)
    }

    /// A server's opening handshake, and channels.
    ///
    /// # Errors
    /// As [`Incoming::request`] and [`Self::upgrade`].
    pub async fn accept_from<S>(incoming: Incoming<S>, settings: Settings) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Self::upgrade(incoming.request().await?, &Accept::new(), settings).await
    }

    /// Opens a connection whose request was looked at. One that does not offer the sub-protocol
    /// is refused with 400. `accept` gives headers of the answer; its sub-protocol is set here.
    ///
    /// # Errors
    /// [`Error::Handshake`] with [`HandshakeError::SubprotocolNeeded`], after the client was
    /// told; as [`Upgrade::accept_with`].
    pub async fn upgrade<S>(
        upgrade: Upgrade<S>,
        accept: &Accept,
        settings: Settings,
    ) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let offered = upgrade.request().subprotocols().any(|p| p == SUBPROTOCOL);
        if !offered {
            let error = HandshakeError::SubprotocolNeeded(SUBPROTOCOL);
            // That the client cannot be told is less than what is wrong.
            let _ = upgrade.refuse(error.refusal()).await;
            return Err(error.into());
        }
        let accept = accept.clone().subprotocol(SUBPROTOCOL);
        Self::start(upgrade.accept_with(&accept).await?, settings)
    }

    /// Channels on an open WebSocket, over any stream. Spawns its task on the current runtime.
    ///
    /// # Errors
    /// [`Error::Handshake`] with [`HandshakeError::SubprotocolNeeded`] where the sub-protocol
    /// was not agreed on; [`Error::Config`] where the WebSocket's limits are below what the
    /// channels need; [`Error::Io`] outside of a runtime.
    pub fn start<S>(ws: WebSocket<S>, settings: Settings) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if ws.subprotocol() != Some(SUBPROTOCOL) {
            return Err(HandshakeError::SubprotocolNeeded(SUBPROTOCOL).into());
        }
        check(&ws.sending.settings, &settings)?;
        let runtime = runtime::Handle::try_current().map_err(io::Error::other)?;
        let core = Connection::new(settings.clone(), now());
        let shared = Arc::new(Shared {
            state: Monitor::new(State::new(core)),
            settings,
        });
        runtime.spawn(Driver::new(Arc::clone(&shared), ws));
        let handle = Arc::new(Handle { shared });
        Ok(Self {
            ears: Arc::new(Ears(handle)),
        })
    }

    fn handle(&self) -> &Arc<Handle> {
        &self.ears.0
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle().shared
    }

    /// Waits for the peer's HELLO. Opening channels need not wait for it; sending does.
    ///
    /// # Errors
    /// How the connection ended.
    pub async fn ready(&self) -> Result<(), Failure> {
        wait(
            Arc::clone(self.shared()),
            (),
            |s, ()| Some(&mut s.greeting),
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
            |s, ()| Some(&mut s.offering),
            |state| {
                if state.failure.is_some() {
                    return Some(None);
                }
                match state.offers.pop_front() {
                    None if state.draining || state.drain.is_some() => Some(None),
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
    pub fn drain(&self, code: Code) {
        let mut guard = self.shared().state.lock();
        let (state, after) = guard.parts();
        state.drain.get_or_insert(code);
        state.offering.wake_all(after);
        state.bed.call(after);
    }

    /// Ends the connection at once; the peer is told with `code`. What is queued is not sent.
    pub fn abort(&self, code: Code) {
        let mut guard = self.shared().state.lock();
        let (state, after) = guard.parts();
        if let Some(event) = state.core.abort(code) {
            state.apply(event, after);
        }
        state.bed.call(after);
    }

    /// Waits until the connection is closed, and says how it ended: with
    /// [`Code::NO_ERROR`] when all went well. All other calls know of an end at once; this one waits
    /// for the stream, too, at most the `close_timeout` of the WebSocket below.
    pub async fn closed(&self) -> Failure {
        wait(
            Arc::clone(self.shared()),
            (),
            |s, ()| Some(&mut s.closing),
            |state| state.over.then(|| state.failure.unwrap_or(Failure::Lost)),
        )
        .await
    }

    /// The connection as it stands.
    #[must_use]
    pub fn stats(&self) -> ConnectionStats {
        self.shared().state.lock().core.stats()
    }

    /// The shortest round trip measured.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.shared().state.lock().core.rtt()
    }
}

/// Whether the WebSocket has room for what the channels send through it.
fn check(below: &crate::config::Settings, settings: &Settings) -> Result<(), ConfigError> {
    let record = u64::from(settings.record_bytes_max);
    let what = if below.delivery != Delivery::Whole {
        "channels need messages delivered whole"
    } else if below.message_bytes_max < record || below.frame_bytes_max < record {
        "message_bytes_max and frame_bytes_max must not be below record_bytes_max of the channels"
    } else if below.send_queue_bytes_max < SEND_QUEUE_BYTES_MIN {
        "send_queue_bytes_max must be at least 524,288 for channels"
    } else {
        return Ok(());
    };
    Err(ConfigError::new(what))
}

/// All channels, and what waits where.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared().state.lock().core.fmt(f)
    }
}
