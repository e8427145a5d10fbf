//! The reactor as a task of a tokio runtime.

use std::boxed::Box;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
#[cfg(unix)]
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::vec::Vec;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{unconstrained, yield_now};
use tokio::time::{Instant, Sleep, sleep_until};

use super::super::event_loop::EventLoop;
use super::Host;
use crate::driver::clock;
use crate::driver::error::Error;
use crate::driver::handler::{ConnId, Handler};
use crate::driver::line::Readiness;
use crate::driver::options::ReactorOptions;
use crate::driver::parts::Parts;
use crate::driver::remote::{Outgoing, Remote, channel};
use crate::driver::socket::{ListeningSocket, PeerAddr, Socket};
use crate::driver::transport::{Read, Transport};
use crate::driver::tune::{Tune, TuneReport};
use crate::time::Timestamp;

/// Turns in one poll of the task, so that other tasks of the runtime also run.
const TURNS_PER_POLL_MAX: usize = 16;

/// The ready sockets, and the task that serves them.
#[derive(Default, Debug)]
struct Ready {
    /// Tokens of ready sockets.
    list: Mutex<Vec<usize>>,
    task: Mutex<Option<Waker>>,
}

impl Ready {
    fn wake(&self) {
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Stores the waker of the task. Call this before the list is read, so that no wake is lost.
    fn register(&self, waker: &Waker) {
        let task = || self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task().as_ref().is_some_and(|task| task.will_wake(waker)) {
            return;
        }
        // Cloned and dropped without the lock: the clone and drop of a waker may wake this task.
        let waker = waker.clone();
        let replaced = task().replace(waker);
        drop(replaced);
    }

    fn take(&self, into: &mut Vec<usize>) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        into.append(&mut list);
    }
}

/// Adds one socket to the list of ready sockets when it is woken.
#[derive(Debug)]
struct SocketWaker {
    ready: Arc<Ready>,
    token: usize,
    /// The socket is on the list.
    listed: AtomicBool,
}

impl Wake for SocketWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.listed.swap(true, Ordering::AcqRel) {
            let mut list = self
                .ready
                .list
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            list.push(self.token);
            drop(list);
            self.ready.wake();
        }
    }
}

/// Makes the same call on a TCP and a Unix socket.
macro_rules! either {
    ($kind:ident, $of:expr, $socket:ident => $call:expr) => {
        match $of {
            $kind::Tcp($socket) => $call,
            #[cfg(unix)]
            $kind::Unix($socket) => $call,
        }
    };
}

/// A connection's socket.
#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// A listening socket.
enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Listener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, PeerAddr)>> {
        match self {
            Self::Tcp(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, peer)| (Stream::Tcp(stream), PeerAddr::Inet(peer))),
            #[cfg(unix)]
            Self::Unix(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| (Stream::Unix(stream), PeerAddr::Unix)),
        }
    }
}

/// A socket that is added to the list of ready sockets when it becomes ready.
#[derive(Debug)]
struct Listed<S> {
    socket: S,
    socket_waker: Arc<SocketWaker>,
    /// `socket_waker` as a [`Waker`].
    waker: Waker,
}

impl<S> Listed<S> {
    fn new(socket: S, ready: &Arc<Ready>, token: usize) -> Self {
        let socket_waker = Arc::new(SocketWaker {
            ready: Arc::clone(ready),
            token,
            listed: AtomicBool::new(false),
        });
        Self {
            socket,
            waker: Waker::from(Arc::clone(&socket_waker)),
            socket_waker,
        }
    }

    /// Polls the socket once. Converts `Pending` into `WouldBlock`.
    fn poll<T>(
        &mut self,
        call: impl FnOnce(&mut S, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        // From here on, a wake adds the socket to the list again.
        self.socket_waker.listed.store(false, Ordering::Release);
        match call(&mut self.socket, &mut Context::from_waker(&self.waker)) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Transport for Listed<Stream> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<Read> {
        self.poll(|stream, cx| {
            let mut buf = ReadBuf::new(space);
            either!(Stream, stream, stream => Pin::new(stream).poll_read(cx, &mut buf))
                .map_ok(|()| Read::untimed(buf.filled().len()))
        })
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.poll(|stream, cx| match slices {
            [slice] => either!(Stream, stream, stream => Pin::new(stream).poll_write(cx, slice)),
            slices => {
                either!(Stream, stream, stream => Pin::new(stream).poll_write_vectored(cx, slices))
            }
        })
    }

    fn shut_down_write(&mut self) -> io::Result<()> {
        let socket = either!(Stream, &self.socket, stream => SockRef::from(stream));
        match socket.shutdown(Shutdown::Write) {
            Err(e) if e.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }

    fn connected(&mut self) -> io::Result<bool> {
        let ready =
            self.poll(|stream, cx| either!(Stream, stream, stream => stream.poll_write_ready(cx)));
        match ready {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            result => result?,
        }
        match either!(Stream, &self.socket, stream => stream.take_error())? {
            Some(error) => Err(error),
            None => Ok(either!(Stream, &self.socket, stream => stream.peer_addr().is_ok())),
        }
    }

    fn short_calls_arm(&self) -> bool {
        // tokio stores the waker only when it returns Pending. After a short read it returns
        // Pending without a system call.
        false
    }

    fn into_socket(self) -> io::Result<Socket> {
        TokioHost::into_socket(self.socket)
    }
}

/// The tokio runtime that polls the task.
struct TokioHost {
    ready: Arc<Ready>,
}

impl Host for TokioHost {
    type Transport = Listed<Stream>;
    type Stream = Stream;
    type Listener = Listed<Listener>;

    fn stream(socket: Socket) -> io::Result<Stream> {
        match socket {
            Socket::Tcp(stream) => TcpStream::from_std(stream).map(Stream::Tcp),
            #[cfg(unix)]
            Socket::Unix(stream) => UnixStream::from_std(stream).map(Stream::Unix),
        }
    }

    fn into_socket(stream: Stream) -> io::Result<Socket> {
        either!(Stream, stream, stream => stream.into_std().map(Socket::from))
    }

    fn tune(stream: &Stream, tune: &Tune) -> io::Result<TuneReport> {
        match stream {
            Stream::Tcp(stream) => Ok(tune.apply_or_fail(stream)?),
            #[cfg(unix)]
            Stream::Unix(_) => Ok(TuneReport::default()),
        }
    }

    fn register(&mut self, stream: Stream, token: usize) -> io::Result<Listed<Stream>> {
        Ok(Listed::new(stream, &self.ready, token))
    }

    fn listen(&mut self, listener: ListeningSocket, token: usize) -> io::Result<Listed<Listener>> {
        let listener = match listener {
            ListeningSocket::Tcp(listener) => Listener::Tcp(TcpListener::from_std(listener)?),
            #[cfg(unix)]
            ListeningSocket::Unix(listener) => Listener::Unix(UnixListener::from_std(listener)?),
        };
        Ok(Listed::new(listener, &self.ready, token))
    }

    fn accept(&mut self, listener: &mut Listed<Listener>) -> io::Result<(Stream, PeerAddr)> {
        listener.poll(|listener, cx| listener.poll_accept(cx))
    }
}

/// A reactor in one task of a tokio runtime: listeners, accepted and outgoing connections, timers
/// and commands of one [`Handler`].
///
/// Run one `TokioReactor` on a current-thread runtime per core. If the handler is `Send`, one or
/// several can also be spawned on a multi-thread runtime. The connections of a reactor are served
/// one after the other without locks, as on the mio reactor.
///
/// ```no_run
/// # use tickwire::reactor::{Cx, Handler, Opened};
/// # use tickwire::Message;
/// # struct Echo;
/// # impl Handler for Echo {
/// #     type Conn = ();
/// #     type Command = ();
/// #     type Admitted = ();
/// #     fn open(&mut self, _: &mut Cx<'_>, _: Opened<'_>) {}
/// #     fn message(&mut self, _: &mut (), _: &mut Cx<'_>, _: Message<'_>) {}
/// # }
/// use tickwire::reactor::{ReactorOptions, TokioReactor};
///
/// # async fn serve() -> Result<(), tickwire::Error> {
/// let mut reactor = TokioReactor::new(Echo, ReactorOptions::default())?;
/// let (addr, _report) = reactor.listen("127.0.0.1:9001".parse().unwrap())?;
/// println!("listening on {addr}");
/// reactor.run().await?;
/// # Ok(())
/// # }
/// ```
pub struct TokioReactor<H: Handler> {
    inner: EventLoop<H, TokioHost>,
    /// The tokens that are being served. Kept to reuse its memory.
    serving: Vec<usize>,
    timer: Option<Pin<Box<Sleep>>>,
    timer_at: Option<Timestamp>,
    /// A deadline has passed, and the runtime has polled its sockets since then, so that input that
    /// came in time is read before the deadline is handled.
    polled_after_deadline: bool,
}

impl<H: Handler> TokioReactor<H> {
    /// Makes a reactor without connections.
    ///
    /// # Errors
    /// [`Error::Config`], also if `wait` or `core` is set: they are for the mio reactor only.
    pub fn new(handler: H, options: ReactorOptions) -> Result<Self, Error> {
        options.check_for_runtime()?;
        let ready = Arc::new(Ready::default());
        let waker = ready.clone();
        let (remote, commands) = channel(move || waker.wake());
        let host = TokioHost { ready };
        Ok(Self {
            inner: EventLoop::new(handler, host, options, (remote, commands))?,
            serving: Vec::new(),
            timer: None,
            timer_at: None,
            polled_after_deadline: false,
        })
    }

    /// Accepts connections on `addr`; port 0 selects a free port. Returns the bound address, and a
    /// report of the options of the [`Tune`] that the platform refused. Call this inside the
    /// runtime.
    ///
    /// # Errors
    /// [`Error::Io`] if the address cannot be bound.
    pub fn listen(&mut self, addr: SocketAddr) -> Result<(SocketAddr, TuneReport), Error> {
        self.inner.listen(addr)
    }

    /// Accepts connections on an existing listener, which must be non-blocking. Call this inside
    /// the runtime.
    ///
    /// # Errors
    /// [`Error::Io`] if the listener cannot be registered.
    pub fn listen_on(&mut self, listener: std::net::TcpListener) -> Result<SocketAddr, Error> {
        self.inner.listen_on(listener)
    }

    /// Accepts connections on a Unix socket at `path`. [`Tune`] does not apply to Unix sockets. The
    /// file remains when the reactor has ended: remove it before the next `listen_unix`. Call this
    /// inside the runtime.
    ///
    /// # Errors
    /// [`Error::Io`] if the path cannot be bound.
    #[cfg(unix)]
    pub fn listen_unix(&mut self, path: impl AsRef<Path>) -> Result<(), Error> {
        self.inner
            .add_listener(ListeningSocket::bind_unix(path.as_ref())?)
    }

    /// Opens an outgoing connection. The reactor calls `open` or `connect_failed` of the handler
    /// with the result. Call this inside the runtime.
    ///
    /// # Errors
    /// The connect fails at once; the handler is not called.
    pub fn connect(&mut self, outgoing: &Outgoing) -> Result<ConnId, Error> {
        self.inner.connect(outgoing)
    }

    /// Adopts an open connection. Call this inside the runtime.
    ///
    /// # Errors
    /// [`Error::Io`] if the socket cannot be registered; [`Error::Config`] if the session cannot be
    /// made.
    pub fn adopt<S: Into<Socket>>(&mut self, parts: Parts<S>, token: u64) -> Result<ConnId, Error> {
        self.inner.adopt(parts.map_stream(S::into), token)
    }

    /// A handle to this reactor for other tasks and threads.
    #[must_use]
    pub fn remote(&self) -> Remote<H::Command> {
        self.inner.remote.clone()
    }

    /// The handler.
    pub fn handler(&mut self) -> &mut H {
        &mut self.inner.core.handler
    }

    /// Serves the connections until the reactor is stopped, and returns the handler. Dropping the
    /// future drops all connections and queued commands.
    ///
    /// # Errors
    /// None at present.
    pub async fn run(mut self) -> Result<H, Error> {
        // The limits per turn and per poll make the reactor fair, so tokio's own budget is off.
        unconstrained(poll_fn(|cx| self.poll(cx))).await;
        Ok(self.inner.end())
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.inner.host.ready.register(cx.waker());
        self.inner.core.count_wait();
        self.inner.commands.signal.unpark();
        for _ in 0..TURNS_PER_POLL_MAX {
            let now = clock::now();
            let busy = self.turn(now);
            if self.inner.core.is_stopped() {
                return Poll::Ready(());
            }
            if self.inner.core.next_timeout().is_some_and(|at| at <= now) {
                self.polled_after_deadline = true;
                // The task is woken after the runtime has polled its sockets.
                return pin!(yield_now()).poll(cx);
            }
            if busy || self.inner.park(now) {
                continue;
            }
            if self.poll_timer(cx).is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Serves the ready sockets. Returns whether there was work.
    fn turn(&mut self, now: Timestamp) -> bool {
        self.inner.host.ready.take(&mut self.serving);
        let had_ready = !self.serving.is_empty();
        let readiness = Readiness {
            readable: true,
            writable: true,
            ending: false,
        };
        let mut serving = core::mem::take(&mut self.serving);
        for token in serving.drain(..) {
            self.inner.ready(token, readiness, now);
        }
        self.serving = serving;
        let timeouts = core::mem::take(&mut self.polled_after_deadline);
        self.inner.turn(timeouts, now) || had_ready || self.inner.core.has_queued()
    }

    /// Waits for the next deadline, if there is one.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(next) = self.inner.next_timeout() else {
            return Poll::Pending;
        };
        // The timers of tokio have a resolution of one millisecond.
        if next <= clock::now() {
            return Poll::Ready(());
        }
        let deadline = Instant::from_std(clock::instant(next));
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if self.timer_at.replace(next) != Some(next) {
            timer.as_mut().reset(deadline);
        }
        let due = timer.as_mut().poll(cx);
        if due.is_ready() {
            self.timer_at = None;
        }
        due
    }
}

impl<H: Handler> std::fmt::Debug for TokioReactor<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokioReactor")
            .field("connections", &self.inner.core.connections())
            .field("listeners", &self.inner.listeners())
            .field("options", &self.inner.options)
            .finish_non_exhaustive()
    }
}
