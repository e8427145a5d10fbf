//! How other threads reach a reactor.

use std::boxed::Box;
use std::cell::Cell;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
#[cfg(unix)]
use std::path::PathBuf;
use std::string::String;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;

use super::error::Error;
use super::handler::ConnId;
use super::parts::Parts;
use super::socket::{PeerAddr, Socket};
use crate::config::Config;
use crate::conn::CLOSE_REASON_BYTES_MAX;
use crate::conn::PreparedMessage;
use crate::error::{CloseCode, SendError};
use crate::handshake::{ClientOptions, Url};

/// Commands that may wait for a reactor. A reactor takes them between two turns, so that this
/// bounds a burst and not a backlog.
pub const COMMANDS_MAX: usize = 8192;

/// What another thread wants of a reactor.
pub(crate) enum Command<C> {
    User(C),
    Send(ConnId, Payload),
    Close(ConnId, CloseCode, String),
    Connect(Box<Outgoing>),
    Adopt(Box<(Parts<Socket>, u64)>),
    /// A socket that another reactor has accepted.
    Accepted(Socket, PeerAddr),
    Stop,
}

pub(crate) enum Payload {
    Binary(Bytes),
    Prepared(PreparedMessage),
}

/// Where a connection of a reactor goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Destination {
    Inet(SocketAddr),
    #[cfg(unix)]
    Unix(PathBuf),
}

/// A connection to be opened by a reactor.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub(crate) destination: Destination,
    pub(crate) url: Url,
    pub(crate) options: ClientOptions,
    pub(crate) token: u64,
    pub(crate) config: Option<Arc<Config>>,
}

impl Outgoing {
    /// To the server of a `ws://` URL, at the first address of its name. Looks the name up,
    /// which may block: not for a handler.
    ///
    /// # Errors
    /// [`Error::Url`]; [`Error::Tls`] for `wss://`, before anything is looked up: there is no TLS
    /// on a reactor; [`Error::Resolve`], which names the host.
    pub fn to(url: &str) -> Result<Self, Error> {
        let url = plain(url)?;
        let found = (url.host(), url.port()).to_socket_addrs();
        let mut found = found.map_err(|e| Error::resolve(url.host(), e))?;
        let addr = found.next().ok_or_else(|| Error::no_address(url.host()))?;
        Ok(Self::through(Destination::Inet(addr), url))
    }

    /// To `addr`, asking for the host and the target of `url`. Does not look anything up.
    ///
    /// # Errors
    /// As [`Self::to`].
    pub fn at(addr: SocketAddr, url: &str) -> Result<Self, Error> {
        Ok(Self::through(Destination::Inet(addr), plain(url)?))
    }

    /// To the Unix socket at `path`, asking for the host and the target of `url`.
    ///
    /// Such a socket is connected at once or not at all: where the listener's queue is full, the
    /// connect fails with [`WouldBlock`](std::io::ErrorKind::WouldBlock). Try again later.
    ///
    /// # Errors
    /// As [`Self::to`], but for the name.
    #[cfg(unix)]
    pub fn unix(path: impl Into<PathBuf>, url: &str) -> Result<Self, Error> {
        Ok(Self::through(Destination::Unix(path.into()), plain(url)?))
    }

    fn through(destination: Destination, url: Url) -> Self {
        Self {
            destination,
            url,
            options: ClientOptions::new(),
            token: 0,
            config: None,
        }
    }

    /// Sub-protocols, headers and origin of the request.
    #[must_use]
    pub fn options(mut self, options: ClientOptions) -> Self {
        self.options = options;
        self
    }

    /// What [`Opened::token`](crate::reactor::Opened) or
    /// [`Handler::connect_failed`](crate::reactor::Handler::connect_failed) will say.
    #[must_use]
    pub fn token(mut self, token: u64) -> Self {
        self.token = token;
        self
    }

    /// Limits and habits other than those of the reactor.
    #[must_use]
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = Some(config.into());
        self
    }
}

/// A URL that needs no TLS, which no driver brings.
pub(super) fn plain(url: &str) -> Result<Url, Error> {
    let url = Url::parse(url)?;
    if url.secure() {
        let host = url.host().into();
        return Err(Error::Tls { host });
    }
    Ok(url)
}

/// Why a reactor does not take a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RemoteError {
    /// [`COMMANDS_MAX`] commands wait: the reactor is behind. Try again later.
    Full,
    /// The reactor has ended.
    Stopped,
    /// A close code or reason that must not be sent. Nothing was.
    Close(SendError),
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(
                f,
                "the reactor did not take the command: {COMMANDS_MAX} wait already; try again later"
            ),
            Self::Stopped => f.write_str("the reactor did not take the command: it has ended"),
            Self::Close(e) => write!(f, "the reactor was not told to close: {e}"),
        }
    }
}

impl std::error::Error for RemoteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Full | Self::Stopped => None,
            Self::Close(e) => Some(e),
        }
    }
}

/// Wakes a reactor that waits.
pub(crate) struct Signal {
    parked: AtomicBool,
    /// Connections of the reactor as it last said, and sockets on their way to it.
    connections: AtomicUsize,
    /// The reactor has ended. Read by those who push, so that what it finds then is all there is.
    closed: RwLock<bool>,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Signal {
    /// The reactor is about to wait. It must look at its commands once more after this.
    pub(crate) fn park(&self) {
        self.parked.store(true, Ordering::Relaxed);
        // With the fence in `notify`: either the command is seen or the flag is.
        fence(Ordering::SeqCst);
    }

    pub(crate) fn unpark(&self) {
        self.parked.store(false, Ordering::Relaxed);
    }

    fn notify(&self) {
        fence(Ordering::SeqCst);
        if self.parked.load(Ordering::Relaxed) {
            (self.wake)();
        }
    }
}

/// The reactor's end of the queue.
pub(crate) struct Commands<C> {
    queue: Receiver<Command<C>>,
    pub(crate) signal: Arc<Signal>,
    /// What the signal's `connections` counts of those that this reactor knows of.
    told: Cell<usize>,
}

impl<C> Commands<C> {
    /// Tells other threads how many connections the reactor holds. The difference is told, not
    /// the number, so that sockets on their way stay counted.
    pub(crate) fn tell_connections(&self, n: usize) {
        let told = self.told.replace(n);
        let connections = &self.signal.connections;
        match n.cmp(&told) {
            std::cmp::Ordering::Less => connections.fetch_sub(told - n, Ordering::Relaxed),
            std::cmp::Ordering::Greater => connections.fetch_add(n - told, Ordering::Relaxed),
            std::cmp::Ordering::Equal => return,
        };
    }

    /// A socket is the reactor's that is counted already.
    pub(crate) fn know_one_more(&self) {
        self.told.set(self.told.get() + 1);
    }

    /// Takes no command any more. Those that were taken wait to be answered: a queue at most.
    pub(crate) fn close(&self) -> impl Iterator<Item = Command<C>> {
        let closed = self.signal.closed.write();
        *closed.unwrap_or_else(PoisonError::into_inner) = true;
        std::iter::from_fn(|| self.pop())
    }

    /// The next command. A queue without senders is an empty one.
    pub(crate) fn pop(&self) -> Option<Command<C>> {
        match self.queue.try_recv() {
            Ok(command) => {
                if matches!(command, Command::Accepted(..)) {
                    self.know_one_more(); // counted by who sent it
                }
                Some(command)
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        }
    }
}

/// A handle to a reactor, for any thread.
pub struct Remote<C> {
    queue: SyncSender<Command<C>>,
    signal: Arc<Signal>,
}

impl<C> Clone for Remote<C> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            signal: self.signal.clone(),
        }
    }
}

impl<C> fmt::Debug for Remote<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

/// A queue to a reactor, which `wake` wakes.
pub(crate) fn channel<C>(wake: impl Fn() + Send + Sync + 'static) -> (Remote<C>, Commands<C>) {
    let (sender, queue) = sync_channel(COMMANDS_MAX);
    let signal = Arc::new(Signal {
        parked: AtomicBool::new(false),
        connections: AtomicUsize::new(0),
        closed: RwLock::new(false),
        wake: Box::new(wake),
    });
    (
        Remote {
            queue: sender,
            signal: signal.clone(),
        },
        Commands {
            queue,
            signal,
            told: Cell::new(0),
        },
    )
}

impl<C> Remote<C> {
    /// Hands `command` to [`Handler::command`](crate::reactor::Handler::command).
    ///
    /// # Errors
    /// With the command handed back.
    pub fn command(&self, command: C) -> Result<(), (RemoteError, C)> {
        self.push(Command::User(command))
            .map_err(|(e, command)| match command {
                Command::User(command) => (e, command),
                _ => unreachable!("what was pushed comes back"),
            })
    }

    /// Sends a binary message on a connection of the reactor. One that cannot be queued there
    /// is told to [`Handler::undelivered`](crate::reactor::Handler::undelivered). Text goes out by
    /// [`Self::send_prepared`], as a [`PreparedMessage::text`].
    ///
    /// # Errors
    /// With the message handed back.
    pub fn send(&self, id: ConnId, message: Bytes) -> Result<(), (RemoteError, Bytes)> {
        let payload = Payload::Binary(message.clone());
        self.push(Command::Send(id, payload))
            .map_err(|(e, _)| (e, message))
    }

    /// Sends a message that was encoded before.
    ///
    /// # Errors
    /// When the reactor does not take it.
    pub fn send_prepared(&self, id: ConnId, message: &PreparedMessage) -> Result<(), RemoteError> {
        self.push(Command::Send(id, Payload::Prepared(message.clone())))
            .map_err(|(e, _)| e)
    }

    /// Closes a connection of the reactor.
    ///
    /// # Errors
    /// [`RemoteError::Close`] for a code or reason that must not be sent; or the reactor does not
    /// take it.
    pub fn close(&self, id: ConnId, code: CloseCode, reason: &str) -> Result<(), RemoteError> {
        let (len, max) = (reason.len(), CLOSE_REASON_BYTES_MAX);
        if !code.is_sendable() {
            return Err(RemoteError::Close(SendError::InvalidCloseCode(code.0)));
        }
        if len > max {
            return Err(RemoteError::Close(SendError::ControlTooLong { len, max }));
        }
        self.push(Command::Close(id, code, reason.into()))
            .map_err(|(e, _)| e)
    }

    /// Opens a connection on the reactor.
    ///
    /// # Errors
    /// When the reactor does not take it.
    pub fn connect(&self, outgoing: Outgoing) -> Result<(), RemoteError> {
        self.push(Command::Connect(Box::new(outgoing)))
            .map_err(|(e, _)| e)
    }

    /// Gives the reactor a connection that is open already.
    ///
    /// # Errors
    /// With the connection handed back.
    #[expect(
        clippy::result_large_err,
        reason = "the connection comes back whole; once for each, and not on a busy path"
    )]
    pub fn adopt<S: Into<Socket>>(
        &self,
        parts: Parts<S>,
        token: u64,
    ) -> Result<(), (RemoteError, Parts<Socket>)> {
        let parts = parts.map_stream(S::into);
        self.push(Command::Adopt(Box::new((parts, token))))
            .map_err(|(e, command)| match command {
                Command::Adopt(adopted) => (e, adopted.0),
                _ => unreachable!("what was pushed comes back"),
            })
    }

    /// Gives the reactor a socket that was accepted elsewhere, before its opening handshake.
    ///
    /// # Errors
    /// With the socket handed back.
    pub fn accepted(
        &self,
        socket: impl Into<Socket>,
        peer: impl Into<PeerAddr>,
    ) -> Result<(), (RemoteError, Socket)> {
        // Counted before it is seen, or the reactor would count it off first.
        self.signal.connections.fetch_add(1, Ordering::Relaxed);
        self.push(Command::Accepted(socket.into(), peer.into()))
            .map_err(|(e, command)| {
                self.signal.connections.fetch_sub(1, Ordering::Relaxed);
                match command {
                    Command::Accepted(socket, _) => (e, socket),
                    _ => unreachable!("what was pushed comes back"),
                }
            })
    }

    /// Stops the reactor: every connection is closed with 1001, after
    /// [`Handler::stopping`](crate::reactor::Handler::stopping), and it ends when they are gone or
    /// `close_timeout` is over. Channels are ended with GOAWAY first.
    ///
    /// # Errors
    /// When the reactor does not take it.
    pub fn stop(&self) -> Result<(), RemoteError> {
        self.push(Command::Stop).map_err(|(e, _)| e)
    }

    /// Connections that the reactor held when it last waited, and accepted sockets that are on
    /// their way to it.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.signal.connections.load(Ordering::Relaxed)
    }

    /// The reactor has accepted a socket itself.
    pub(crate) fn count_own(&self) {
        self.signal.connections.fetch_add(1, Ordering::Relaxed);
    }

    fn push(&self, command: Command<C>) -> Result<(), (RemoteError, Command<C>)> {
        // Held until the command is in the queue, or one that is taken might never be answered.
        let closed = self.signal.closed.read();
        let closed = closed.unwrap_or_else(PoisonError::into_inner);
        if *closed {
            return Err((RemoteError::Stopped, command));
        }
        let sent = self.queue.try_send(command);
        drop(closed);
        match sent {
            Ok(()) => {
                self.signal.notify();
                Ok(())
            }
            Err(TrySendError::Full(command)) => Err((RemoteError::Full, command)),
            Err(TrySendError::Disconnected(command)) => Err((RemoteError::Stopped, command)),
        }
    }
}
