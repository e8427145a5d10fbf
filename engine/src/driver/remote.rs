//! The command queue of a reactor, and [`Remote`], the handle with which other threads use it.

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
use crate::conn::{CLOSE_REASON_BYTES_MAX, PreparedMessage, Utf8Bytes};
use crate::error::{CloseCode, SendError};
use crate::handshake::{ClientOptions, Url};
use crate::payload::BinaryPayload;

/// The capacity of a reactor's command queue, in commands. The reactor empties the queue between
/// two turns, so the capacity limits a burst of commands.
pub const COMMANDS_MAX: usize = 8192;

/// A command of another thread to a reactor.
pub(crate) enum Command<C> {
    User(C),
    Send(ConnId, Payload),
    Close(ConnId, CloseCode, String),
    Connect(Box<Outgoing>),
    Adopt(Box<(Parts<Socket>, u64)>),
    /// A socket that was accepted elsewhere, before its opening handshake.
    Accepted(Socket, PeerAddr),
}

pub(crate) enum Payload {
    Binary(Bytes),
    Text(Utf8Bytes),
    Prepared(PreparedMessage),
}

/// The destination of an outgoing connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Destination {
    Inet(SocketAddr),
    #[cfg(unix)]
    Unix(PathBuf),
}

/// An outgoing connection for a reactor to open: destination, URL and options.
///
/// ```no_run
/// # fn run(remote: &tickwire::reactor::Remote<()>) -> Result<(), tickwire::Error> {
/// use tickwire::reactor::Outgoing;
///
/// let outgoing = Outgoing::to("ws://127.0.0.1:9001/feed")?.token(7);
/// remote.connect(outgoing)?; // the handler's `open` or `connect_failed` gets token 7
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub(crate) destination: Destination,
    pub(crate) url: Url,
    pub(crate) options: ClientOptions,
    pub(crate) token: u64,
    pub(crate) config: Option<Arc<Config>>,
}

impl Outgoing {
    /// A connection to the server of a `ws://` URL, at the first address of the host name. The
    /// lookup of the name can block: do not call this in a callback.
    ///
    /// # Errors
    /// [`Error::Url`] for an invalid URL; [`Error::Tls`] for `wss://`, before the lookup, because
    /// reactors have no TLS; [`Error::Resolve`] if the lookup fails.
    pub fn to(url: &str) -> Result<Self, Error> {
        let url = plain_url(url)?;
        let addrs = (url.host(), url.port()).to_socket_addrs();
        let mut addrs = addrs.map_err(|e| Error::resolve(url.host(), e))?;
        let addr = addrs.next().ok_or_else(|| Error::no_address(url.host()))?;
        Ok(Self::new(Destination::Inet(addr), url))
    }

    /// A connection to `addr`. The request has the host and the target of `url`. Performs no lookup.
    ///
    /// # Errors
    /// [`Error::Url`] and [`Error::Tls`], as [`Self::to`].
    pub fn at(addr: SocketAddr, url: &str) -> Result<Self, Error> {
        Ok(Self::new(Destination::Inet(addr), plain_url(url)?))
    }

    /// A connection to the Unix socket at `path`. The request has the host and the target of `url`.
    ///
    /// The connect of a Unix socket succeeds or fails at once. If the backlog of the listener is
    /// full, it fails with [`WouldBlock`](std::io::ErrorKind::WouldBlock): try again later.
    ///
    /// # Errors
    /// [`Error::Url`] and [`Error::Tls`], as [`Self::to`].
    #[cfg(unix)]
    pub fn unix(path: impl Into<PathBuf>, url: &str) -> Result<Self, Error> {
        Ok(Self::new(Destination::Unix(path.into()), plain_url(url)?))
    }

    fn new(destination: Destination, url: Url) -> Self {
        Self {
            destination,
            url,
            options: ClientOptions::new(),
            token: 0,
            config: None,
        }
    }

    /// Sets the sub-protocols, headers and origin of the request.
    #[must_use]
    pub fn options(mut self, options: ClientOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets the token that identifies this connection in
    /// [`Opened::token`](crate::reactor::Opened) or
    /// [`Handler::connect_failed`](crate::reactor::Handler::connect_failed). Default 0.
    #[must_use]
    pub fn token(mut self, token: u64) -> Self {
        self.token = token;
        self
    }

    /// Sets the config of this connection. Default: the config of the reactor.
    #[must_use]
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = Some(config.into());
        self
    }
}

/// Parses a `ws://` URL, and refuses `wss://`: no driver has TLS.
pub(super) fn plain_url(url: &str) -> Result<Url, Error> {
    let url = Url::parse(url)?;
    if url.secure() {
        let host = url.host().into();
        return Err(Error::Tls { host });
    }
    Ok(url)
}

/// Why a reactor did not accept a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RemoteError {
    /// The command queue is full ([`COMMANDS_MAX`] commands). Try again later.
    Full,
    /// The reactor is stopping, or has ended.
    Stopped,
    /// The close code or reason must not be sent. The connection was not closed.
    Close(SendError),
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(
                f,
                "the reactor did not accept the command: its queue is full ({COMMANDS_MAX} commands); try again later"
            ),
            Self::Stopped => f.write_str(
                "the reactor did not accept the command: the reactor is stopping, or has ended",
            ),
            Self::Close(e) => write!(f, "the connection was not closed: {e}"),
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

/// Whether the queue of a reactor accepts commands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Intake {
    Open,
    /// A stop was requested. The reactor carries out the commands that are in the queue.
    Stopping,
    /// The reactor has ended.
    Ended,
}

/// The state that a reactor and its remotes share.
pub(crate) struct Signal {
    /// The reactor is waiting, or about to wait: a sender must wake it.
    parked: AtomicBool,
    /// Connections of the reactor as last published, plus accepted sockets in the queue.
    connections: AtomicUsize,
    /// Whether the queue accepts commands. A sender holds the read lock while it pushes, so that no
    /// command is added after this value has changed.
    intake: RwLock<Intake>,
    /// A stop was requested. Set with `intake`, and read by the reactor without the lock.
    stop: AtomicBool,
    /// Wakes the reactor.
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Signal {
    /// The reactor is about to wait. The reactor must check the queue once more after this call.
    pub(crate) fn park(&self) {
        self.parked.store(true, Ordering::Relaxed);
        // Pairs with the fence in `notify`: either the reactor sees the command, or the sender sees
        // the flag.
        fence(Ordering::SeqCst);
    }

    pub(crate) fn unpark(&self) {
        self.parked.store(false, Ordering::Relaxed);
    }

    /// Closes the queue for senders. Returns its state before.
    fn close(&self, to: Intake) -> Intake {
        let mut intake = self.intake.write().unwrap_or_else(PoisonError::into_inner);
        let before = *intake;
        *intake = before.max(to);
        // Under the lock: a reactor that sees the flag finds every accepted command in the queue.
        self.stop.store(true, Ordering::Release);
        before
    }

    /// A stop was requested. From then on no command is added to the queue.
    pub(crate) fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::Acquire)
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
    /// The part of `Signal::connections` that this reactor holds, without sockets in the queue.
    published: Cell<usize>,
}

impl<C> Commands<C> {
    /// Publishes the number of connections that the reactor holds. Adds only the difference, so
    /// that accepted sockets in the queue stay counted.
    pub(crate) fn publish_connections(&self, n: usize) {
        let published = self.published.replace(n);
        let connections = &self.signal.connections;
        match n.cmp(&published) {
            std::cmp::Ordering::Less => connections.fetch_sub(published - n, Ordering::Relaxed),
            std::cmp::Ordering::Greater => connections.fetch_add(n - published, Ordering::Relaxed),
            std::cmp::Ordering::Equal => return,
        };
    }

    /// The reactor now holds a socket that `Signal::connections` already counts.
    pub(crate) fn take_counted(&self) {
        self.published.set(self.published.get() + 1);
    }

    /// The reactor is stopping: closes the queue for senders.
    pub(crate) fn refuse_more(&self) {
        if !self.signal.stop_requested() {
            self.signal.close(Intake::Stopping);
        }
    }

    /// The reactor has ended: closes the queue for senders, and returns the commands that are left
    /// in it.
    pub(crate) fn close(&self) -> impl Iterator<Item = Command<C>> {
        self.signal.close(Intake::Ended);
        std::iter::from_fn(|| self.pop())
    }

    /// The next command. A queue without senders counts as empty.
    pub(crate) fn pop(&self) -> Option<Command<C>> {
        match self.queue.try_recv() {
            Ok(command) => {
                if matches!(command, Command::Accepted(..)) {
                    self.take_counted(); // the sender counted it
                }
                Some(command)
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        }
    }
}

/// A reactor can also end by being dropped.
impl<C> Drop for Commands<C> {
    fn drop(&mut self) {
        self.signal.close(Intake::Ended);
    }
}

/// A handle to a reactor, for use from any thread. Cheap to clone.
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

/// The command queue of a reactor. `wake` wakes the reactor when it waits.
pub(crate) fn channel<C>(wake: impl Fn() + Send + Sync + 'static) -> (Remote<C>, Commands<C>) {
    let (sender, queue) = sync_channel(COMMANDS_MAX);
    let signal = Arc::new(Signal {
        parked: AtomicBool::new(false),
        connections: AtomicUsize::new(0),
        intake: RwLock::new(Intake::Open),
        stop: AtomicBool::new(false),
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
            published: Cell::new(0),
        },
    )
}

impl<C> Remote<C> {
    /// Sends `command` to [`Handler::command`](crate::reactor::Handler::command).
    ///
    /// # Errors
    /// [`RemoteError::Full`] and [`RemoteError::Stopped`], with the command returned.
    pub fn command(&self, command: C) -> Result<(), (RemoteError, C)> {
        self.push(Command::User(command))
            .map_err(|(e, command)| match command {
                Command::User(command) => (e, command),
                _ => unreachable!("push returns the same command"),
            })
    }

    /// Sends a binary message on a connection of the reactor. If the connection cannot queue it, the
    /// reactor calls [`Handler::undelivered`](crate::reactor::Handler::undelivered).
    ///
    /// # Errors
    /// [`RemoteError::Full`] and [`RemoteError::Stopped`], with the message returned.
    pub fn send(
        &self,
        id: ConnId,
        message: impl BinaryPayload + Into<Bytes>,
    ) -> Result<(), (RemoteError, Bytes)> {
        let message = message.into();
        let payload = Payload::Binary(message.clone());
        self.push(Command::Send(id, payload))
            .map_err(|(e, _)| (e, message))
    }

    /// Sends a text message on a connection of the reactor, as [`Self::send`].
    ///
    /// # Errors
    /// [`RemoteError::Full`] and [`RemoteError::Stopped`], with the text returned.
    pub fn send_text(
        &self,
        id: ConnId,
        text: impl Into<Utf8Bytes>,
    ) -> Result<(), (RemoteError, Utf8Bytes)> {
        let text = text.into();
        let payload = Payload::Text(text.clone());
        self.push(Command::Send(id, payload))
            .map_err(|(e, _)| (e, text))
    }

    /// Sends a prepared message on a connection of the reactor, as [`Self::send`].
    ///
    /// # Errors
    /// [`RemoteError::Full`] and [`RemoteError::Stopped`].
    pub fn send_prepared(&self, id: ConnId, message: &PreparedMessage) -> Result<(), RemoteError> {
        self.push(Command::Send(id, Payload::Prepared(message.clone())))
            .map_err(|(e, _)| e)
    }

    /// Closes a connection of the reactor.
    ///
    /// # Errors
    /// [`RemoteError::Close`] for a code or reason that must not be sent; [`RemoteError::Full`] and
    /// [`RemoteError::Stopped`].
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

    /// Opens an outgoing connection on the reactor. The reactor calls `open` or `connect_failed` of
    /// its handler with the result.
    ///
    /// # Errors
    /// [`RemoteError::Full`] and [`RemoteError::Stopped`].
    pub fn connect(&self, outgoing: Outgoing) -> Result<(), RemoteError> {
        self.push(Command::Connect(Box::new(outgoing)))
            .map_err(|(e, _)| e)
    }

    /// Passes an open connection to the reactor. `token` becomes
    /// [`Opened::token`](crate::reactor::Opened).
    ///
    /// # Errors
    /// [`RemoteError::Full`] and [`RemoteError::Stopped`], with the connection returned.
    #[expect(
        clippy::result_large_err,
        reason = "the error returns the connection; called once per connection"
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
                _ => unreachable!("push returns the same command"),
            })
    }

    /// Passes an accepted socket to the reactor, before its opening handshake.
    ///
    /// # Errors
    /// [`RemoteError::Full`] and [`RemoteError::Stopped`], with the socket returned.
    pub fn accepted(
        &self,
        socket: impl Into<Socket>,
        peer: impl Into<PeerAddr>,
    ) -> Result<(), (RemoteError, Socket)> {
        // Counted before the push: else the reactor could subtract the socket first.
        self.signal.connections.fetch_add(1, Ordering::Relaxed);
        self.push(Command::Accepted(socket.into(), peer.into()))
            .map_err(|(e, command)| {
                self.signal.connections.fetch_sub(1, Ordering::Relaxed);
                match command {
                    Command::Accepted(socket, _) => (e, socket),
                    _ => unreachable!("push returns the same command"),
                }
            })
    }

    /// Stops the reactor. Channels are ended with GOAWAY, and every connection is closed with 1001,
    /// after [`Handler::stopping`](crate::reactor::Handler::stopping). The reactor ends when all
    /// connections have ended, at the latest after `close_timeout`.
    ///
    /// A stop takes no place in the command queue: it succeeds when the queue is full. The reactor
    /// first carries out the commands that were accepted before. Every later command is refused with
    /// [`RemoteError::Stopped`]. Another stop of a reactor that is stopping has no effect.
    ///
    /// # Errors
    /// [`RemoteError::Stopped`] if the reactor has ended.
    pub fn stop(&self) -> Result<(), RemoteError> {
        match self.signal.close(Intake::Stopping) {
            Intake::Ended => return Err(RemoteError::Stopped),
            Intake::Stopping => {}
            Intake::Open => self.signal.notify(),
        }
        Ok(())
    }

    /// The number of connections that the reactor held at its last wait, plus the accepted sockets
    /// in its command queue.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.signal.connections.load(Ordering::Relaxed)
    }

    /// Counts a socket that this reactor has accepted itself.
    pub(crate) fn count_accepted(&self) {
        self.signal.connections.fetch_add(1, Ordering::Relaxed);
    }

    fn push(&self, command: Command<C>) -> Result<(), (RemoteError, Command<C>)> {
        // The lock is held until the command is in the queue: else the reactor could end in between
        // and never answer the command.
        let intake = self.signal.intake.read();
        let intake = intake.unwrap_or_else(PoisonError::into_inner);
        if *intake != Intake::Open {
            return Err((RemoteError::Stopped, command));
        }
        let sent = self.queue.try_send(command);
        drop(intake);
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
